"""A score against a setting, mean and spread over the seeds (chapters 7 and 8)."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from gat_course.plotting import look
from gat_course.plotting.values import checked


def against(
    results: Mapping[str, Mapping[float, Sequence[float]]],
    *,
    xlabel: str,
    ylabel: str,
    title: str,
    name: str | None = None,
    guide: Mapping[float, float] | None = None,
    guide_label: str = "by chance",
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """A score against a setting: mean over the seeds, with a bar for their range.

    Args:
        results: for each model, at most 6, its scores over seeds by setting.
        xlabel: what the setting is.
        ylabel: what the score is, with its unit.
        title: what to look at.
        name: the graph's name, put in front of the title.
        guide: a dotted line to compare with, a number by setting.
        guide_label: what that line is.
        log: whether the settings are far apart, such as 2, 4, 8, …
        ax: where to draw; None makes a figure.

    Returns:
        The axes. A line's `get_gid()` is its model; the bars go from the lowest to the
        highest seed.

    Raises:
        ValueError: nothing to draw, too many models, a setting without a score, or a
            number that is not finite.

    >>> scores = {"GAT": {4: [25, 26], 8: [12, 13]}, "GATv2": {4: [99], 8: [100]}}
    >>> texts = {"xlabel": "keys", "ylabel": "accuracy (%)", "title": "who answers?"}
    >>> plotting.against(scores, **texts)
    <Axes: title=...>
    """
    if not results or len(results) > len(look.LINE_COLOURS):
        most = len(look.LINE_COLOURS)
        raise ValueError(f"results must hold 1 to {most} models, got {len(results)}")
    with look.canvas(ax, 3.9) as ax:
        if not all(results.values()):
            raise ValueError("results holds a model without a score")
        settings = sorted({x for own in results.values() for x in own})
        places = checked(settings, "the settings", ("n",)).astype(float)
        if log and places[0] <= 0:
            raise ValueError(f"on a log axis settings are above 0, got {places[0]:g}")
        if log:
            ax.set_xscale("log")
        handles = []
        width = np.log(places[-1] / places[0]) if log else np.ptp(places)
        for m, (model, own) in enumerate(results.items()):
            colour, marker = look.of_line(m)
            x = np.array(sorted(own), dtype=float)
            scores = [
                checked(own[s], f"results[{model!r}]", ("n",)) for s in sorted(own)
            ]
            mean = np.array([np.mean(s) for s in scores])
            ends = [[a - min(s), max(s) - a] for a, s in zip(mean, scores, strict=True)]
            # A little to the side, so that bars of equal models can both be seen.
            side = (m - (len(results) - 1) / 2) * 0.012 * (width or 1)
            x = x * np.exp(side) if log else x + side
            paint = {"c": colour, "marker": marker, "ms": 7, "mec": "white"}
            handles += ax.plot(x, mean, gid=model, label=model, zorder=3, **paint)
            bars = {"fmt": "none", "ecolor": colour, "capsize": 3, "elinewidth": 1.2}
            ax.errorbar(x, mean, yerr=np.array(ends).T, zorder=2, **bars)
        if guide:
            checked(list(guide.values()), "guide", ("n",))
            dotted = {"c": look.GREY, "ls": ":", "label": guide_label, "gid": "guide"}
            handles += ax.plot(
                sorted(guide), [guide[x] for x in sorted(guide)], **dotted
            )
        ax.set_xticks(places, [f"{x:g}" for x in places])
        ax.minorticks_off()
        ax.set(xlabel=xlabel, ylabel=ylabel)
        ax.grid(axis="y")
        look.title(ax, title, name)
        look.legend(ax, handles, 3)
    return ax
