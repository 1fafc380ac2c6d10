"""Figures of attention weights: matrices and histograms (chapters 1 to 6)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from gat_course.plotting import look
from gat_course.plotting.values import checked, fixed, plain, to_numpy

_DASHES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)))


def attention_matrix(
    matrix: Any,
    title: str,
    *,
    mask: Any = None,
    value_label: str = r"weight $\alpha_{ij}$",
    name: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    r"""Show scores or weights as a matrix; a cell that is no edge is hatched.

    Up to 10 rows and columns the numbers are printed. A larger matrix has a colour
    bar instead, and grey in place of hatches.

    Args:
        matrix: `[N, M]`, row $i$ holds target $i$'s values. NaN and $-\infty$ mean
            that there is no edge, which is not the same as 0.
        title: what to look at.
        mask: bool `[N, M]`, True where there is an edge.
        value_label: names the colour bar of a larger matrix.
        name: the graph's name, put in front of the title.
        ax: where to draw; None makes a figure.

    Returns:
        The axes; `ax.images[0].get_array()` is the matrix, masked where there is no
        edge.

    Raises:
        ValueError: the matrix is not two-dimensional, has no edge, holds $+\infty$,
            or the mask does not fit it.

    >>> plotting.attention_matrix(torch.eye(3), "each looks at itself")
    <Axes: title=...>
    """
    values = to_numpy(matrix).astype(float)
    absent = np.isnan(values) | np.isneginf(values)
    values = checked(np.where(absent, 0.0, values), "matrix", ("N", "M"))
    if mask is not None:
        absent |= ~checked(mask, "mask", values.shape).astype(bool)
    if absent.all():
        raise ValueError("matrix has no edge to show: every entry is masked or NaN")
    shown = np.ma.masked_array(values, absent)
    norm = look.norm(shown.compressed())
    rows, columns = values.shape
    small = max(rows, columns) <= 10

    with look.canvas(ax, float(np.clip(4.4 * rows / columns, 1, 7)) + 1.2) as ax:
        ax.patch.set(facecolor="#f2f2f2" if small else "#ebebeb", edgecolor="#a6a6a6")
        ax.patch.set_hatch("////" if small else None)
        ax.imshow(shown, cmap=look.WEIGHT_MAP, norm=norm, interpolation="nearest")
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
        if small:
            ax.set(xticks=range(columns), yticks=range(rows))
            gap = {"color": "white", "linewidth": 1.5}
            ax.vlines(np.arange(1, columns) - 0.5, -0.5, rows - 0.5, **gap)
            ax.hlines(np.arange(1, rows) - 0.5, -0.5, columns - 0.5, **gap)
            digits = 0 if (shown == shown.round()).all() else 2
            for i, j in np.argwhere(~absent):
                paint = {"color": look.text_on(look.WEIGHT_MAP(norm(values[i, j])))}
                paint["fontsize"] = 12 if columns <= 7 else 10
                look.write(ax, (j, i), fixed(values[i, j], digits), **paint)
        else:
            ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
            ax.yaxis.set_major_locator(MaxNLocator(8, integer=True))
            look.colour_bar(ax, norm, value_label)
        note = f"\n({'hatched' if small else 'grey'}: no edge)"
        note = note if absent.any() else ""
        ax.set(xlabel=f"source j{note}", ylabel="target i")
        look.title(ax, title, name)
    return ax


def entropy_histogram(
    entropy: Any, uniform: Any, *, name: str | None = None, ax: Axes | None = None
) -> Axes:
    r"""The nodes' attention entropy, a line for each head, over uniform attention's.

    The grey heap is the maximum, $\log|\mathcal N(i)|$ in nats; the line of
    $H(\{\alpha_{ij}\}_j)$ of a head with flat attention is its outline.

    Args:
        entropy: nats per node and head, `[N, K]`.
        uniform: $\log|\mathcal N(i)|$ per node, nats, `[N]`.
        name: the graph's name, put in front of the title.
        ax: where to draw; None makes a figure.

    Returns:
        The axes; the legend says each head's mean in percent of the maximum's.

    Raises:
        ValueError: shapes differ, or a value is negative, not finite or above its
            maximum.

    >>> plotting.entropy_histogram(torch.rand(9, 2), torch.ones(9))
    <Axes: title=...>
    """
    values = checked(entropy, "entropy", ("N", "K"), low=0)
    limit = checked(uniform, "uniform", (len(values),), low=0)
    if (values > limit[:, None] + 1e-3).any():
        raise ValueError(
            "entropy exceeds log|N(i)| of its node; entropy and uniform must come "
            "from the same graph, and both in nats"
        )
    edges = np.linspace(0, max(values.max(), limit.max(), 0.1) * 1.0001, 25)
    with look.canvas(ax, 4.6) as ax:
        heap = r"uniform, $\log|\mathcal{N}(i)|$"
        ax.hist(limit, edges, color=look.PALE, label=heap)
        for k, head in enumerate(values.T):
            colour, dashes = look.of_line(k)[0], ("-", "--")[k // 6 % 2]
            # Averages over nodes; all 0 if no node has two sources.
            share = head.mean() / limit.mean() if limit.any() else 1.0
            paint = {"histtype": "step", "color": colour, "linestyle": dashes}
            label = f"head {k}: {100 * share:.1f} %"
            ax.hist(head.clip(0), edges, label=label, linewidth=1.3, **paint)
        ax.grid(axis="y")
        ax.set(xlabel="entropy per node (nats)", ylabel="nodes")
        look.legend(ax, ax.get_legend_handles_labels()[0], 3)
        look.title(ax, "the closer to the heap, the flatter the attention", name)
    return ax


def relative_entropy_histogram(
    relative: Mapping[str, Any], *, name: str | None = None
) -> np.ndarray:
    r"""Histograms of entropy over its maximum, $H/\log|\mathcal N(i)|$, line by head.

    Degrees are out of it, so layers and graphs can be compared. The dark line at 1 is
    uniform attention; 0 is all weight on one source.

    Args:
        relative: for each panel's title the values of nodes and heads, `[N, K]`, from
            0 to 1, at most 6 heads. NaN, for nodes with one source, is left out.
        name: the graphs' name, put in front of the title.

    Returns:
        One axes per panel.

    Raises:
        ValueError: no panel, no finite value, too many heads, or a value not in [0, 1].

    >>> plotting.relative_entropy_histogram({"layer 1": torch.rand(9, 2)}).shape
    (1,)
    """
    if not relative:
        raise ValueError("relative is empty: pass {title: [N, K]}")
    panels = {title: to_numpy(values) for title, values in relative.items()}
    for title, values in panels.items():
        if values.ndim != 2 or not 1 <= values.shape[1] <= len(_DASHES):
            raise ValueError(
                f"relative[{title!r}] must be [N, K] with at most {len(_DASHES)} "
                f"heads, got {list(values.shape)}"
            )
        if (values < -1e-3).any() or (values > 1 + 1e-3).any():
            raise ValueError(f"relative[{title!r}] must hold numbers from 0 to 1")
        if np.isnan(values).all(axis=0).any():
            raise ValueError(f"a head of relative[{title!r}] has no value but NaN")
    edges = np.linspace(0, 1.0001, 26)
    most = max(values.shape[1] for values in panels.values())
    looks = list(zip(look.LINE_COLOURS, _DASHES, strict=True))[:most]
    with look.style():
        grid = _stack(panels)
        for panel, (title, values) in zip(grid, panels.items(), strict=True):
            for (colour, dashes), head in zip(looks, values.T, strict=False):
                if values.shape[1] == 1 < most:  # no head, so no head's colour
                    colour = look.INK
                paint = {"histtype": "step", "color": colour, "ls": dashes, "lw": 1.8}
                _draw_shares(panel, head[~np.isnan(head)], edges, **paint)
            panel.axvline(1, color=look.INK, linewidth=3)
            look.panel_title(panel, f"{title}: mean {np.nanmean(values):.2f}")
            panel.set_xlim(-0.01, 1.02)
        panel.set_xlabel("entropy over its maximum (1 is uniform)")
        handles = [
            Line2D([], [], c=colour, ls=dashes, label=f"head {k}")
            for k, (colour, dashes) in enumerate(looks * (most > 1))
        ]
        title = "the further left, the sharper the attention"
        _finish(panel.figure, title, name, "share of the nodes (%)", handles)
    return grid


def weight_histogram(
    panels: Mapping[str, tuple[Any, Any]], *, name: str | None = None
) -> np.ndarray:
    r"""Weights of the edges that matter and of the others, as multiples of uniform.

    The axis is $\alpha_{ij}|\mathcal N(i)|$, logarithmic: 1 is uniform attention.
    What lies below a thousandth or above thirty is drawn there.

    Args:
        panels: for each panel's title $\alpha_{ij}|\mathcal N(i)|$ of edges, `[E]`,
            and which of these edges matter, bool `[E]`.
        name: the graphs' name, put in front of the title.

    Returns:
        One axes per panel.

    Raises:
        ValueError: no panel, lengths differ, a negative weight, or one of the two
            kinds of edges is missing.

    >>> matters = torch.arange(9) % 2 == 0
    >>> plotting.weight_histogram({"GAT": (torch.rand(9), matters)}).shape
    (1,)
    """
    if not panels:
        raise ValueError("panels is empty: pass {title: (weights, relevant)}")
    heaps = {}
    for title, (weights, relevant) in panels.items():
        weights = checked(weights, f"weights of {title!r}", ("E",), low=0)
        relevant = to_numpy(relevant)
        fits = relevant.dtype == bool and relevant.shape == weights.shape
        if not fits or relevant.all() or not relevant.any():
            raise ValueError(
                f"{title!r} needs a bool for each of its {len(weights)} edges, some "
                "True and some False"
            )
        heaps[title] = weights[~relevant], weights[relevant]
    edges = np.logspace(-3, np.log10(30), 41)
    noise = {"facecolor": look.PALE, "edgecolor": look.GREY, "hatch": "///"}
    matter = {"facecolor": look.BAR, "edgecolor": look.INK}
    with look.style():
        grid = _stack(heaps)
        for panel, (others, relevant) in zip(grid, heaps.values(), strict=True):
            _draw_shares(panel, others, edges, lw=0.8, **noise)
            _draw_shares(panel, relevant, edges, lw=0.8, alpha=0.85, **matter)
            panel.set_xscale("log")
            panel.axvline(1, color=look.INK, linewidth=2)
        panel.set_xlabel(r"weight over the uniform one, $\alpha_{ij}|\mathcal{N}(i)|$")
        panel.xaxis.set_major_formatter(plain)
        handles = [
            Patch(**matter, label="edges that matter"),
            Patch(**noise, label="noise"),
            Line2D([], [], color=look.INK, linewidth=2, label="uniform"),
        ]
        title = "attention found the truth where the two heaps part"
        _finish(panel.figure, title, name, "share of the edges (%)", handles)
    return grid


def _stack(titles: Mapping[str, Any]) -> np.ndarray:
    """Low panels, one below the other, each with a title."""
    grid = look.panels(1.4 + 1.75 * len(titles), len(titles), sharex=True)[:, 0]
    for panel, title in zip(grid, titles, strict=True):
        look.panel_title(panel, title)
        panel.grid(axis="y")
    return grid


def _draw_shares(panel: Axes, values: np.ndarray, edges: Any, **paint: Any) -> None:
    """A histogram in percent; values beyond the edges are drawn there."""
    values = np.clip(values, edges[0], edges[-1])
    panel.hist(values, edges, weights=np.full(len(values), 100 / len(values)), **paint)


def _finish(
    figure: Figure, title: str, name: str | None, ylabel: str, handles: Sequence[Any]
) -> None:
    """What stands around the panels: a title, a label, and a legend if any."""
    look.heading(figure, title, name)
    figure.supylabel(ylabel, fontsize=12)
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncol=3)
