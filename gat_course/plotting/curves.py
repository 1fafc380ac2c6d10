"""Losses and scores against the epoch (from chapter 5 on)."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from gat_course.plotting import look

_KINDS = ("-", "--", ":")  # of lines, for kinds of data


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
            `val_accuracy` (percent), `val_f1` (0 to 1) or `val_score`, lists with one
            number per epoch, and `best_epoch`, an index into them.
        name: the graph's name, put in front of the title.
        metric: what `val_accuracy` holds (percent is added), or `val_score`, for the
            axis label.

    Returns:
        The two axes, loss and score, `[2]`.

    Raises:
        ValueError: there is no history, or they hold different scores.

    >>> graph = synthetic_citation("cora")
    >>> model = GCN(graph.num_features, graph.num_classes)
    >>> plotting.learning_curves(fit(model, graph, max_epochs=3, progress=False))
    array([...], dtype=object)
    """
    models = dict(runs) if isinstance(runs, Mapping) else {"": runs}
    for model, value in models.items():
        models[model] = list(value) if isinstance(value, Sequence) else [value]
    if not models or not all(models.values()):
        raise ValueError("there is no history to draw")
    names = ("val_f1", "val_accuracy", "val_score")
    kinds = {
        next(name for name in names if hasattr(h, name))
        for histories in models.values()
        for h in histories
    }
    if len(kinds) > 1:
        raise ValueError("some histories hold one kind of score and others another")
    score = kinds.pop()
    with look.style():
        loss, accuracy = panels = look.panels(5.6, 2, sharex=True)[:, 0]
        handles = [
            Line2D([], [], color=look.GREY, linewidth=1, label="training"),
            Line2D([], [], color=look.GREY, linewidth=2.2, label="validation"),
        ]
        longest = 2
        for m, (model, histories) in enumerate(models.items()):
            colour, marker = look.of_line(m)
            mark = {"c": colour, "marker": marker if len(models) > 1 else None}
            for panel, attribute, paint in (
                (loss, "train_loss", {"c": colour, "lw": 1.0}),
                (loss, "val_loss", mark | {"lw": 2.2}),
                (accuracy, score, mark | {"lw": 2.2}),
            ):
                curves = [getattr(h, attribute) for h in histories]
                paint["label"] = f"{model} {attribute}".strip()
                longest = max(longest, _draw(panel, curves, m, paint))
            best = float(np.median([h.best_epoch for h in histories]))
            for panel in panels:
                panel.axvline(best, color=colour, ls=":", lw=1.5)
                panel.grid(axis="y")
            text = "median best epoch" if len(histories) > 1 else "best epoch"
            text = f"{model}: {text} {best:g}".removeprefix(": ")
            handles.append(Line2D([], [], ls=":", lw=1.5, label=text, **mark))
        loss.set(xlim=(0, longest - 1), ylabel="loss (nats)")
        if score == "val_f1":
            metric = "micro-F1"
        elif score == "val_accuracy":
            metric = f"{metric} (%)"
        accuracy.set(xlabel="epoch", ylabel=f"validation\n{metric}")
        accuracy.xaxis.set_major_locator(ticker.MaxNLocator(8, integer=True))
        look.legend(accuracy, handles, 2)
        look.title(loss, "the dotted line is the epoch kept", name)
    return panels


def score_curves(
    scores: Mapping[str, Mapping[str, Sequence[Sequence[float]]]],
    *,
    title: str,
    ylabel: str,
    name: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A score against the epoch, on several kinds of data, for several models.

    A colour for each model, a kind of line for each kind of data. Several runs appear
    as their mean with a band of one standard deviation, as in `learning_curves`.

    Args:
        scores: for each model and then for each kind of data the curves of its runs,
            a list of numbers for each run, one number per epoch. At most 6 models and
            3 kinds.
        title: what to look at.
        ylabel: what the score is.
        name: the graphs' name, put in front of the title.
        ax: axes to draw into.

    Returns:
        The axes; a line's label is its model and kind.

    Raises:
        ValueError: there is nothing to draw, or too much.

    >>> curves = {"GAT": {"seen": [[0.4, 0.6], [0.5, 0.7]], "hidden": [[0.4, 0.5]]}}
    >>> plotting.score_curves(curves, title="which is higher?", ylabel="micro-F1")
    <Axes: title=...>
    """
    kinds = list(dict.fromkeys(kind for own in scores.values() for kind in own))
    if not kinds or not all(runs for own in scores.values() for runs in own.values()):
        raise ValueError("there is no curve to draw")
    if len(scores) > len(look.LINE_COLOURS) or len(kinds) > len(_KINDS):
        raise ValueError(
            f"{len(scores)} models and {len(kinds)} kinds of data are too many for one "
            f"figure: at most {len(look.LINE_COLOURS)} and {len(_KINDS)}"
        )
    styles = dict(zip(kinds, _KINDS, strict=False))
    with look.canvas(ax, 3.8) as ax:
        longest, handles = 2, []
        for m, (model, own) in enumerate(scores.items()):
            colour, marker = look.of_line(m)
            handles.append(Line2D([], [], c=colour, marker=marker, label=model))
            for kind, runs in own.items():
                paint = {"c": colour, "marker": marker, "ls": styles[kind]}
                paint["label"] = f"{model} {kind}".strip()
                longest = max(longest, _draw(ax, runs, m, paint))
        if len(kinds) > 1:
            handles += [
                Line2D([], [], c=look.GREY, ls=ls, label=kind)
                for kind, ls in styles.items()
            ]
        ax.set(xlim=(0, longest - 1), xlabel="epoch", ylabel=ylabel)
        ax.xaxis.set_major_locator(ticker.MaxNLocator(8, integer=True))
        ax.grid(axis="y")
        look.legend(ax, handles, 3)
        look.title(ax, title, name)
    return ax


def _draw(ax: Axes, curves: Sequence[Any], number: int, paint: dict) -> int:
    """Draw the runs of a figure's line of that number; returns for how many epochs."""
    mean, spread = _over_runs(curves)
    every = max(1, len(mean) // 6)  # six markers on a line
    start = (number * every // 3 + every // 2) % every
    ax.plot(mean, markevery=(start, every), **paint)
    if len(curves) > 1:
        band = {"color": paint["c"], "alpha": 0.2, "linewidth": 0}
        ax.fill_between(np.arange(len(mean)), mean - spread, mean + spread, **band)
    return len(mean)


def _over_runs(curves: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread per epoch while at least half of the runs are training."""
    lengths = sorted(map(len, curves))
    last = lengths[len(lengths) // 2]  # at least half reach this epoch
    table = np.array([*zip_longest(*curves, fillvalue=np.nan)][:last]).T  # [runs, last]
    return np.nanmean(table, 0), np.nanstd(table, 0)
