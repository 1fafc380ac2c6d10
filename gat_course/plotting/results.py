"""Figures of data and results: degrees, curves, accuracies, costs (chapters 2 to 9)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

from gat_course.plotting.look import (
    _BAR,
    _GREY,
    _LINE_COLOURS,
    _PAPER,
    _WIDTH,
    CLASS_COLOURS,
    CLASS_MARKERS,
    INK,
    _canvas,
    _legend,
    _title,
    _write,
    style,
)
from gat_course.plotting.values import _array, _many, _numpy, _percent, _plain

if TYPE_CHECKING:
    from gat_course.graph import GraphData


def degree_histogram(graph: GraphData) -> Axes:
    r"""Histogram of in-degrees, one bar per doubling: 0, 1, 2-3, 4-7, 8-15, and so on.

    Equal bars on a logarithmic degree axis, a logarithmic count axis, counts printed
    on top. Isolated nodes have a bar of their own.

    Args:
        graph: the graph; a self-loop counts as an incoming edge.

    Returns:
        The axes; `ax.patches` are the bars.
    """
    degrees = _numpy(graph.in_degrees)
    # Bar 0 holds degree 0, bar b > 0 degrees 2^(b-1) to 2^b - 1.
    counts = np.bincount(np.frexp(degrees)[1])
    names = ["0", "1"] + [f"{2 ** (b - 1)}–{2**b - 1}" for b in range(2, len(counts))]
    first = int(np.flatnonzero(counts)[0])
    counts, names = counts[first:], names[first : len(counts)]
    if len(counts) > 7:  # long ranges take two lines
        names = [n.replace("–", "–\n") if len(n) > 5 else n for n in names]
    with _canvas(None, 3.6) as ax:
        bars = ax.bar(names, counts, width=0.92, color=_BAR)
        ax.set_yscale("log")
        ax.set_ylim(0.5, 3 * counts.max())
        ax.yaxis.set_major_formatter("{x:,.0f}")
        ax.yaxis.set_minor_locator(NullLocator())
        ax.bar_label(bars, [f"{c:,}" for c in counts], padding=2, fontsize=11)
        ax.tick_params(axis="x", length=0)
        ax.grid(axis="y")
        ax.set_xlabel("in-degree (number of sources)")
        ax.set_ylabel("nodes, log scale")
        middle = _many(int(np.median(degrees)), "source")
        title = f"half of the nodes have at most {middle}, the maximum is"
        _title(ax, f"{title} {degrees.max():,}", graph.name)
    return ax


def learning_curves(
    runs: Any, *, name: str | None = None, metric: str = "accuracy"
) -> np.ndarray:
    """Loss and validation score against the epoch, and where the best epoch was.

    Several runs of one model appear as their mean with a band of one standard
    deviation, over the runs that are still training, for as long as at least half of
    them are; the vertical line is then the median best epoch.

    Args:
        runs: a history, a sequence of histories of one model, or a mapping from a
            model's name to either. A history has `train_loss`, `val_loss`,
            `val_accuracy` (percent) or `val_f1` (0 to 1), lists with one number per
            epoch, and `best_epoch`, an index into them.
        name: the graph's name, put in front of the title.
        metric: what `val_accuracy` holds, for the axis label.

    Returns:
        The two axes, loss and score, `[2]`.

    Raises:
        ValueError: there is no history, or they hold different scores.
    """
    models = dict(runs) if isinstance(runs, Mapping) else {"": runs}
    for model, value in models.items():
        models[model] = list(value) if isinstance(value, Sequence) else [value]
    if not models or not all(models.values()):
        raise ValueError("there is no history to draw")
    kinds = {hasattr(h, "val_f1") for histories in models.values() for h in histories}
    if len(kinds) > 1:
        raise ValueError("some histories hold accuracies and others micro-F1")
    score = "val_f1" if kinds.pop() else "val_accuracy"
    with style():
        figure = plt.figure(figsize=(_WIDTH, 5.6), layout="constrained")
        loss, accuracy = panels = figure.subplots(2, 1, sharex=True)
        handles = [
            Line2D([], [], color=_GREY, linewidth=1, label="training"),
            Line2D([], [], color=_GREY, linewidth=2.2, label="validation"),
        ]
        longest = 2
        for m, (model, histories) in enumerate(models.items()):
            colour = _LINE_COLOURS[m % len(_LINE_COLOURS)]
            mark = {"c": colour}
            if len(models) > 1:
                mark["marker"] = CLASS_MARKERS[m % len(CLASS_MARKERS)]
            for panel, attribute, look in (
                (loss, "train_loss", {"c": colour, "lw": 1.0}),
                (loss, "val_loss", mark | {"lw": 2.2}),
                (accuracy, score, mark | {"lw": 2.2}),
            ):
                mean, spread = _over_runs([getattr(h, attribute) for h in histories])
                longest = max(longest, len(mean))
                every = max(1, len(mean) // 6)  # six markers on a line
                start = (m * every // 3 + every // 2) % every
                label = f"{model} {attribute}".strip()
                panel.plot(mean, markevery=(start, every), label=label, **look)
                if len(histories) > 1:
                    band = {"color": colour, "alpha": 0.2, "linewidth": 0}
                    epochs = np.arange(len(mean))
                    panel.fill_between(epochs, mean - spread, mean + spread, **band)
            best = float(np.median([h.best_epoch for h in histories]))
            for panel in panels:
                panel.axvline(best, color=colour, ls=":", lw=1.5)
                panel.grid(axis="y")
            text = "median best epoch" if len(histories) > 1 else "best epoch"
            text = f"{model}: {text} {best:g}".removeprefix(": ")
            handles.append(Line2D([], [], ls=":", lw=1.5, label=text, **mark))
        loss.set_xlim(0, longest - 1)
        loss.set_ylabel("loss (nats)")
        metric = "micro-F1" if score == "val_f1" else f"{metric} (%)"
        accuracy.set_ylabel(f"validation\n{metric}")
        accuracy.set_xlabel("epoch")
        accuracy.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        _legend(accuracy, handles, 2)
        _title(loss, "the dotted line is the epoch kept", name)
    return panels


def accuracy_comparison(
    results: Mapping[str, Any],
    published: Mapping[str, tuple[float, float | None]] | None = None,
    *,
    name: str | None = None,
    metric: str = "test accuracy",
) -> Axes:
    r"""Accuracy of several models: a dot per seed, mean ± standard deviation.

    The standard deviation is how far one run strays. Where every model has 20 runs or
    more, a thick bar shows how well the mean is known: its 95 % interval. Fewer runs
    than that have an interval as wide as their spread.

    Args:
        results: from a model's name to its accuracies over seeds, in percent. Rows
            are drawn in this order, from the top.
        published: from a model's name to the published mean and standard deviation
            (None where the paper gives none), in percent; drawn as hollow diamonds.
        name: the graph's name, put in front of the title.
        metric: what the numbers are, for the axis label.

    Returns:
        The axes. The standard deviation is that of a sample, over $n-1$; one seed has
        none.

    Raises:
        ValueError: nothing to draw, a number outside 0 to 100, fractions in place of
            percent, or a published model that is not among the results.
    """
    from scipy import stats

    rows = {m: _percent(v, f"results[{m!r}]") for m, v in results.items()}
    if not rows:
        raise ValueError("results is empty: pass {model: [accuracy, ...]}")
    published = dict(published or {})
    for model, numbers in published.items():
        if model not in rows:
            raise ValueError(f"published names {model}; results has {', '.join(rows)}")
        _percent(numbers[:1], f"published[{model!r}]")

    dots = {"marker": "o", "ms": 6.5, "ls": "", "c": _BAR, "mec": INK, "mew": 0.6}
    bar = {"marker": "|", "ms": 15, "c": INK, "mew": 2.2}
    outline = [patheffects.withStroke(linewidth=8, foreground=INK)]
    known = {"linewidth": 5, "color": CLASS_COLOURS[5], "path_effects": outline}
    known["solid_capstyle"] = "butt"
    many = min(len(values) for values in rows.values()) >= 20
    paper = {"marker": "D", "ms": 7, "c": _PAPER, "mfc": "white"}
    with _canvas(None, 0.62 * len(rows) + 1.5) as ax:
        for row, (model, values) in enumerate(rows.items()):
            height = row - (0.18 if model in published else 0.0)
            # A fixed up-and-down pattern keeps equal accuracies apart.
            jitter = 0.09 * np.take((0, 1, -1), np.arange(len(values)) % 3)
            ax.plot(values, height + jitter, gid=f"seeds {model}", **dots)
            spread = values.std(ddof=1) if len(values) > 1 else None
            numbers = [(height, values.mean(), spread, bar)]
            if many:
                t = stats.t.ppf(0.975, len(values) - 1)
                ends = values.mean() + t * stats.sem(values) * np.array([-1, 1])
                ax.plot(ends, [height] * 2, gid=f"mean {model}", zorder=2.5, **known)
            if model in published:
                numbers.append((row + 0.22, *published[model], paper))
            for place, mean, std, look in numbers:
                ax.errorbar(mean, place, xerr=std, capsize=4, **look)
                text = f"{mean:.1f}" + ("" if std is None else f" ± {std:.1f}")
                at_right = {"transform": ax.get_yaxis_transform(), "va": "center"}
                ax.text(1.02, place, text, size=11, color=look["c"], **at_right)
        ax.set_yticks(range(len(rows)), [textwrap.fill(model, 16) for model in rows])
        ax.set_ylim(len(rows) - 0.45, -0.55)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel(f"{metric} (%)")
        ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        ax.grid(axis="x")
        handles = [
            Line2D([], [], label="one seed", **dots),
            Line2D([], [], label="mean ± std", **bar),
        ]
        if many:
            handles.append(Line2D([], [], label="mean, 95 % interval", **known))
        if published:
            handles.append(Line2D([], [], label="published", **paper))
        _legend(ax, handles, 2 if many else 3)
        counts = sorted({len(values) for values in rows.values()})
        seeds = f"{counts[0]} to " if len(counts) > 1 else ""
        _title(ax, f"{metric} over {seeds}{_many(counts[-1], 'seed')}", name)
    return ax


def scaling(
    results: Mapping[str, Sequence[float | None]],
    x: Any,
    *,
    xlabel: str,
    ylabel: str,
    title: str,
    name: str | None = None,
    slopes: Mapping[str, float] | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Measured cost against size, both axes logarithmic, one line per implementation.

    A straight line is a power law and its slope the exponent. The dashed grey lines
    show slopes to compare with; how high they lie means nothing.

    Args:
        results: from an implementation's name to its costs `[n]`; NaN or None where it
            was not run. Its place in the mapping decides its colour and marker: with
            the same names in the same order, several panels share one legend.
        x: sizes `[n]`, ascending.
        xlabel: what the sizes are, with the unit.
        ylabel: what the costs are, with the unit.
        title: what to look at.
        name: the graph's name, put in front of the title.
        slopes: from the text on a dashed line to its exponent, as in `{"N²": 2}`.
        legend: whether the names appear below the axes.
        ax: where to draw; None makes a figure.

    Returns:
        The axes. Every line's `get_gid()` is its name in `results`, or
        `"slope text"`.

    Raises:
        ValueError: `x` is not positive and ascending, a list of costs has another
            length, a cost is not positive or not finite, or nothing was measured.
    """
    sizes = _array(x, "x", ("n",)).astype(float)
    if sizes[0] <= 0 or (np.diff(sizes) <= 0).any():
        raise ValueError(f"x must be positive and ascending, got {sizes.tolist()}")
    costs = {}
    for label, values in results.items():
        what = f"results[{label!r}]"
        values = np.array([math.nan if v is None else float(v) for v in values])
        costs[label], ran = values, ~np.isnan(values)
        _array(np.where(ran, 1, 0), what, (len(sizes),))
        if wrong := values[ran & ~((values > 0) & (values < math.inf))].tolist():
            raise ValueError(
                f"{what} must be positive and finite, got {wrong[0]:g}; pass NaN or "
                "None where it was not run"
            )
    for text, slope in (slopes or {}).items():
        if not math.isfinite(slope):
            raise ValueError(f"slopes[{text!r}] must be a number, got {slope}")
    if not costs:
        raise ValueError("results holds no measurement: pass {name: [cost, ...]}")
    measured = any((c > 0).any() for c in costs.values())
    with _canvas(ax, 4.4) as ax:
        ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
        handles = []
        for m, (label, values) in enumerate(costs.items()):
            look = {"color": _LINE_COLOURS[m % len(_LINE_COLOURS)], "markersize": 7}
            look |= {"marker": CLASS_MARKERS[m % len(CLASS_MARKERS)], "mec": "white"}
            handles += ax.plot(sizes, values, gid=label, label=label, zorder=3, **look)
        if not measured:
            ax.text(0.5, 0.5, "not measured", transform=ax.transAxes, ha="center")
        elif slopes:
            _slopes(ax, sizes, np.stack(list(costs.values())), slopes)
        low, high = ax.get_ylim()
        if high < 10 * low:  # one decade at least, so that some ticks have numbers
            ax.set_ylim((low * high / 10) ** 0.5, (low * high * 10) ** 0.5)
        place = ax.get_subplotspec()
        columns = place.get_gridspec().ncols if place else 1
        for axis in (ax.xaxis, ax.yaxis):
            decades = np.ptp(np.log10(axis.get_view_interval()))
            steps = (1, 2, 5) if decades < 2 and columns == 1 else (1,)
            axis.set_major_locator(LogLocator(subs=steps, numticks=12))
            axis.set_major_formatter(FuncFormatter(_plain))
            axis.set_minor_formatter(NullFormatter())
        gaps = np.diff(np.log(sizes), append=math.inf)
        if gaps.min() > 0.15 * columns * np.log(sizes[-1] / sizes[0]):  # room for all
            ax.set_xticks(sizes)
        ax.grid()
        _title(ax, title, name)
        if legend:
            _legend(ax, handles, 3 if max(map(len, costs)) <= 12 else 2)
    return ax


def _over_runs(curves: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread per epoch while at least half of the runs are training."""
    lengths = sorted(len(curve) for curve in curves)
    last = lengths[len(lengths) // 2]  # at least half reach this epoch
    table = np.full((len(curves), last), np.nan)  # [runs, epochs]
    for row, curve in zip(table, curves, strict=True):
        row[: len(curve)] = curve[:last]
    return np.nanmean(table, 0), np.nanstd(table, 0)


def _slopes(
    ax: Axes, sizes: np.ndarray, costs: np.ndarray, slopes: Mapping[str, float]
) -> None:
    """Dashed lines that fan out from one point, below all of the costs `[M, n]`."""
    ran = costs > 0
    right = np.log10(sizes[ran.any(0)].max())
    tall = max(np.ptp(np.log10(costs[ran])), 1.0)  # decades
    steepest = max(*map(abs, slopes.values()), 0.5)
    wide = max(np.ptp(np.log10(sizes)), 0.5)
    left = right - min(0.4 * tall / steepest, 0.6 * wide)
    x = np.linspace(left, right, 50)
    floor = np.full(50, np.inf)  # the least cost at x, on straight lines
    for values, there in zip(np.log10(np.where(ran, costs, 1)), ran, strict=True):
        if there.any():
            outside = {"left": np.inf, "right": np.inf}
            line = np.interp(x, np.log10(sizes[there]), values[there], **outside)
            floor = np.minimum(floor, line)
    room = min((floor - slope * (x - left)).min() for slope in slopes.values())
    for text, slope in slopes.items():
        y = room - 0.08 * tall + slope * (x[[0, -1]] - left)
        look = {"color": _GREY, "linestyle": "--", "linewidth": 1.1}
        ax.plot(10 ** x[[0, -1]], 10**y, gid=f"slope {text}", zorder=2, **look)
        place = (10**right, 10 ** y[1])
        _write(ax, place, text, (5, 0), ha="left", color=_GREY)
