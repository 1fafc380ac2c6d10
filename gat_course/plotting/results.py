"""Figures of data and results: degrees, accuracies, costs (chapters 2 to 9)."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import patheffects, ticker
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from scipy import stats

from gat_course.graph import GraphData
from gat_course.plotting import look
from gat_course.plotting.values import checked, many, percent, plain, to_numpy

_DOT = {"marker": "o", "ms": 6.5, "ls": "", "c": look.BAR, "mec": look.INK, "mew": 0.6}
_MEAN = {"marker": "|", "ms": 15, "c": look.INK, "mew": 2.2}
_INTERVAL = {"lw": 5, "c": look.CLASS_COLOURS[5], "solid_capstyle": "butt"}
_INTERVAL["path_effects"] = [patheffects.withStroke(linewidth=8, foreground=look.INK)]
_PUBLISHED = {"marker": "D", "ms": 7, "c": "#8a2605", "mfc": "white"}


def degree_histogram(graph: GraphData) -> Axes:
    r"""Histogram of in-degrees, one bar per doubling: 0, 1, 2-3, 4-7, 8-15, and so on.

    Equal bars on a logarithmic degree axis, a logarithmic count axis, counts printed
    on top. Isolated nodes have a bar of their own.

    Args:
        graph: the graph; a self-loop counts as an incoming edge.

    Returns:
        The axes; `ax.patches` are the bars.

    >>> plotting.degree_histogram(GraphData.from_edges([0, 1], [2, 2]))
    <Axes: title=...>
    """
    degrees = to_numpy(graph.in_degrees)
    # Bar 0 holds degree 0, bar b > 0 degrees 2^(b-1) to 2^b - 1.
    counts = np.bincount(np.frexp(degrees)[1])
    names = ["0", "1"] + [f"{2 ** (b - 1)}–{2**b - 1}" for b in range(2, len(counts))]
    first = int(np.flatnonzero(counts)[0])
    counts, names = counts[first:], names[first : len(counts)]
    if len(counts) > 7:  # long ranges take two lines
        names = [n.replace("–", "–\n") if len(n) > 5 else n for n in names]
    with look.canvas(None, 3.6) as ax:
        bars = ax.bar(names, counts, width=0.92, color=look.BAR)
        ax.set(yscale="log", ylim=(0.5, 3 * counts.max()))
        ax.set(xlabel="in-degree (number of sources)", ylabel="nodes, log scale")
        ax.yaxis.set_major_formatter("{x:,.0f}")
        ax.yaxis.set_minor_locator(ticker.NullLocator())
        ax.bar_label(bars, [f"{c:,}" for c in counts], padding=2, fontsize=11)
        ax.tick_params(axis="x", length=0)
        ax.grid(axis="y")
        middle = many(int(np.median(degrees)), "source")
        text = f"half of the nodes have at most {middle}, the maximum is"
        look.title(ax, f"{text} {degrees.max():,}", graph.name)
    return ax


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
        The axes. The standard deviation is over $n-1$; one seed has none.

    Raises:
        ValueError: nothing to draw, a number outside 0 to 100, fractions in place of
            percent, or a published model that is not among the results.

    >>> plotting.accuracy_comparison({"GAT": [83.0, 82.0], "GCN": [82.0, 81.5]})
    <Axes: title=...>
    """
    rows = {m: percent(v, f"results[{m!r}]") for m, v in results.items()}
    if not rows:
        raise ValueError("results is empty: pass {model: [accuracy, ...]}")
    published = dict(published or {})
    for model, numbers in published.items():
        if model not in rows:
            raise ValueError(f"published names {model}; results has {', '.join(rows)}")
        percent(numbers[:1], f"published[{model!r}]")
    counts = sorted({len(values) for values in rows.values()})
    known = counts[0] >= 20  # how well the mean is known
    with look.canvas(None, 0.62 * len(rows) + 1.5) as ax:
        for row, (model, values) in enumerate(rows.items()):
            height = row - (0.18 if model in published else 0.0)
            # A fixed up-and-down pattern keeps equal accuracies apart.
            jitter = 0.09 * np.take((0, 1, -1), np.arange(len(values)) % 3)
            ax.plot(values, height + jitter, gid=f"seeds {model}", **_DOT)
            spread = values.std(ddof=1) if len(values) > 1 else None
            numbers = [(height, values.mean(), spread, _MEAN)]
            if known:
                t = stats.t.ppf(0.975, len(values) - 1)
                ends = values.mean() + t * stats.sem(values) * np.array([-1, 1])
                ax.plot(
                    ends, [height] * 2, gid=f"mean {model}", zorder=2.5, **_INTERVAL
                )
            if model in published:
                numbers.append((row + 0.22, *published[model], _PUBLISHED))
            for place, mean, std, paint in numbers:
                ax.errorbar(mean, place, xerr=std, capsize=4, **paint)
                text = f"{mean:.1f}" + ("" if std is None else f" ± {std:.1f}")
                at_right = {"transform": ax.get_yaxis_transform(), "va": "center"}
                ax.text(1.02, place, text, size=11, color=paint["c"], **at_right)
        ax.set_yticks(range(len(rows)), [textwrap.fill(model, 16) for model in rows])
        ax.set(ylim=(len(rows) - 0.45, -0.55), xlabel=f"{metric} (%)")
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.xaxis.set_major_locator(ticker.MaxNLocator(6, steps=[1, 2, 5, 10]))
        ax.grid(axis="x")
        shown = {"one seed": _DOT, "mean ± std": _MEAN}
        shown |= {"mean, 95 % interval": _INTERVAL} if known else {}
        shown |= {"published": _PUBLISHED} if published else {}
        handles = [Line2D([], [], label=text, **paint) for text, paint in shown.items()]
        look.legend(ax, handles, 2 if known else 3)
        seeds = f"{counts[0]} to " if len(counts) > 1 else ""
        look.title(ax, f"{metric} over {seeds}{many(counts[-1], 'seed')}", name)
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
        The axes. A line's `get_gid()` is its name in `results`, or `"slope text"`.

    Raises:
        ValueError: `x` is not positive and ascending, a list of costs has another
            length, a cost is not positive or not finite, or nothing was measured.

    >>> times, texts = {"dense": [1.0, 4.0]}, {"xlabel": "N", "ylabel": "ms"}
    >>> plotting.scaling(times, [100, 200], title="Time", **texts)
    <Axes: title=...>
    """
    sizes = checked(x, "x", ("n",)).astype(float)
    if sizes[0] <= 0 or (np.diff(sizes) <= 0).any():
        raise ValueError(f"x must be positive and ascending, got {sizes.tolist()}")
    costs = {label: _costs(label, v, len(sizes)) for label, v in results.items()}
    for text, slope in (slopes or {}).items():
        if not np.isfinite(slope):
            raise ValueError(f"slopes[{text!r}] must be a number, got {slope}")
    if not costs:
        raise ValueError("results holds no measurement: pass {name: [cost, ...]}")
    with look.canvas(ax, 4.4) as ax:
        ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
        handles = []
        for m, (label, values) in enumerate(costs.items()):
            colour, marker = look.of_line(m)
            paint = {"color": colour, "marker": marker, "markersize": 7, "mec": "white"}
            handles += ax.plot(sizes, values, gid=label, label=label, zorder=3, **paint)
        table = np.stack(list(costs.values()))  # [M, n]
        if np.isnan(table).all():
            ax.text(0.5, 0.5, "not measured", transform=ax.transAxes, ha="center")
        elif slopes:
            _draw_slopes(ax, sizes, table, slopes)
        low, high = ax.get_ylim()
        if high < 10 * low:  # one decade at least, so that some ticks have numbers
            ax.set_ylim((low * high / 10) ** 0.5, (low * high * 10) ** 0.5)
        place = ax.get_subplotspec()
        columns = place.get_gridspec().ncols if place else 1
        for axis in (ax.xaxis, ax.yaxis):
            decades = np.ptp(np.log10(axis.get_view_interval()))
            steps = (1, 2, 5) if decades < 2 and columns == 1 else (1,)
            axis.set_major_locator(ticker.LogLocator(subs=steps, numticks=12))
            axis.set_major_formatter(plain)
            axis.set_minor_formatter(ticker.NullFormatter())
        gaps = np.diff(np.log(sizes), append=np.inf)
        if gaps.min() > 0.15 * columns * np.log(sizes[-1] / sizes[0]):  # room for all
            ax.set_xticks(sizes)
        ax.grid()
        look.title(ax, title, name)
        if legend:
            look.legend(ax, handles, 3 if max(map(len, costs)) <= 12 else 2)
    return ax


def _costs(label: str, given: Sequence[float | None], count: int) -> np.ndarray:
    """Costs `[count]`, NaN where there are none."""
    what, costs = f"results[{label!r}]", np.array(given, dtype=float)  # None: NaN
    checked(np.zeros(costs.shape), what, (count,))
    wrong = costs[(costs <= 0) | np.isinf(costs)]
    if len(wrong):
        raise ValueError(
            f"{what} must be positive and finite, got {wrong[0]:g}; pass NaN or "
            "None where it was not run"
        )
    return costs


def _draw_slopes(
    ax: Axes, sizes: np.ndarray, costs: np.ndarray, slopes: Mapping[str, float]
) -> None:
    """Dashed lines that fan out from one point, below all of the costs `[M, n]`."""
    x, costs = np.log10(sizes), np.log10(costs)
    right = x[~np.isnan(costs).all(0)].max()
    tall = max(np.nanmax(costs) - np.nanmin(costs), 1.0)  # decades
    steepest = max(*map(abs, slopes.values()), 0.5)
    left = right - min(0.4 * tall / steepest, 0.6 * max(np.ptp(x), 0.5))
    grid = np.linspace(left, right, 50)
    floor = np.full(50, np.inf)  # the least cost on straight lines
    for row in costs:
        ran = ~np.isnan(row)
        if ran.any():
            line = np.interp(grid, x[ran], row[ran], left=np.inf, right=np.inf)
            floor = np.minimum(floor, line)
    room = min((floor - slope * (grid - left)).min() for slope in slopes.values())
    for text, slope in slopes.items():
        ends = np.array([left, right])
        y = room - 0.08 * tall + slope * (ends - left)
        paint = {"color": look.GREY, "linestyle": "--", "linewidth": 1.1}
        ax.plot(10**ends, 10**y, gid=f"slope {text}", zorder=2, **paint)
        place = (10**right, 10 ** y[1])
        look.write(ax, place, text, (5, 0), ha="left", color=look.GREY)
