"""Figures of attention weights: matrices and histograms (chapters 1 to 6)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from gat_course.plotting.look import (
    _BAR,
    _GAP,
    _GREY,
    _LINE_COLOURS,
    _PALE,
    _WIDTH,
    INK,
    WEIGHT_MAP,
    _canvas,
    _colour_bar,
    _heading,
    _norm,
    _stack,
    _text_on,
    _title,
    _write,
    style,
)
from gat_course.plotting.values import _array, _numpy, _plain

if TYPE_CHECKING:
    pass


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
    """
    values = _numpy(matrix).astype(float)
    absent = np.isnan(values) | np.isneginf(values)
    values = _array(np.where(absent, 0.0, values), "matrix", ("N", "M"))
    if mask is not None:
        absent |= ~_array(mask, "mask", values.shape).astype(bool)
    if absent.all():
        raise ValueError("matrix has no edge to show: every entry is masked or NaN")
    shown = np.ma.masked_array(values, absent)
    norm = _norm(values[~absent])
    rows, columns = values.shape
    small = max(rows, columns) <= 10

    with _canvas(ax, float(np.clip(4.4 * rows / columns, 1, 7)) + 1.2) as ax:
        ax.patch.set(facecolor="#f2f2f2" if small else "#ebebeb", edgecolor="#a6a6a6")
        ax.patch.set_hatch("////" if small else None)
        ax.imshow(shown, cmap=WEIGHT_MAP, norm=norm, interpolation="nearest")
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
        if small:
            ax.set_xticks(range(columns))
            ax.set_yticks(range(rows))
            ax.vlines(np.arange(1, columns) - 0.5, -0.5, rows - 0.5, **_GAP)
            ax.hlines(np.arange(1, rows) - 0.5, -0.5, columns - 0.5, **_GAP)
            digits = 0 if (shown == shown.round()).all() else 2
            for i, j in np.argwhere(~absent):
                colour = _text_on(WEIGHT_MAP(norm(values[i, j])))
                size = 12 if columns <= 7 else 10
                text = f"{values[i, j].round(digits) + 0.0:.{digits}f}"
                text = text.replace("-", "−")
                _write(ax, (j, i), text, color=colour, fontsize=size)
        else:
            ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
            ax.yaxis.set_major_locator(MaxNLocator(8, integer=True))
            _colour_bar(ax, norm, value_label)
        note = f"\n({'hatched' if small else 'grey'}: no edge)"
        ax.set_xlabel("source j" + (note if absent.any() else ""))
        ax.set_ylabel("target i")
        _title(ax, title, name)
    return ax


def entropy_histogram(
    entropy: Any, uniform: Any, *, name: str | None = None
) -> np.ndarray:
    r"""Histograms of the nodes' attention entropy, per head, over uniform attention's.

    Bars are $H(\{\alpha_{ij}\}_j)$ in nats, the dark outline is its maximum
    $\log|\mathcal N(i)|$ over the same nodes and bins.

    Args:
        entropy: nats per node and head, `[N, K]`.
        uniform: $\log|\mathcal N(i)|$ per node, nats, `[N]`.
        name: the graph's name, put in front of the title.

    Returns:
        One axes per head, `[K]`.

    Raises:
        ValueError: shapes differ, or a value is negative, not finite or above its
            maximum.
    """
    values = _array(entropy, "entropy", ("N", "K"), low=0)
    limit = _array(uniform, "uniform", (len(values),), low=0)
    if (values > limit[:, None] + 1e-3).any():
        raise ValueError(
            "entropy exceeds log|N(i)| of its node; entropy and uniform must come "
            "from the same graph, and both in nats"
        )
    heads = values.shape[1]
    top = max(float(values.max()), float(limit.max()), 0.1) * 1.0001
    edges = np.linspace(0, top, 25)
    columns = min(heads, 2)
    rows = math.ceil(heads / columns)
    size = (_WIDTH, 1.3 + (2.6 if heads == 1 else 1.65 * rows))
    with style():
        figure = plt.figure(figsize=size, layout="constrained")
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        panels = grid.ravel()[:heads]
        for k, panel in enumerate(panels):
            bars = panel.hist(np.clip(values[:, k], 0, top), edges, color=_BAR)[2]
            outline = {"histtype": "step", "color": INK, "linewidth": 1.6}
            line = panel.hist(limit, edges, **outline)[2]
            # Averages over nodes; all 0 if no node has two sources.
            share = values[:, k].mean() / limit.mean() if limit.any() else 1.0
            text = f"{100 * share:.1f} % of the maximum"
            text = text if heads == 1 else f"head {k}: {text}"
            panel.set_title(text, loc="left", fontsize=11, fontweight="normal")
            panel.grid(axis="y")
        for panel in panels[-columns:]:
            panel.set_xlabel("entropy per node (nats)")
            panel.tick_params(labelbottom=True)
        for spare in grid.ravel()[heads:]:
            spare.remove()
        figure.supylabel("nodes", fontsize=12)
        names = ["attention", r"uniform attention, $\log|\mathcal{N}(i)|$"]
        figure.legend([bars[0], line[0]], names, loc="outside lower center", ncol=2)
        title = "the closer the bars to the outline, the flatter the attention"
        _heading(figure, title, name)
    return panels


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
        ValueError: no panel, no finite value, too many heads, or a value outside 0 to
            1.
    """
    if not relative:
        raise ValueError("relative is empty: pass {title: [N, K]}")
    panels = {title: _numpy(values) for title, values in relative.items()}
    for title, values in panels.items():
        if values.ndim != 2 or not 1 <= values.shape[1] <= len(_LINE_COLOURS):
            raise ValueError(
                f"relative[{title!r}] must be [N, K] with at most "
                f"{len(_LINE_COLOURS)} heads, got {list(values.shape)}"
            )
        if (values < -1e-3).any() or (values > 1 + 1e-3).any():
            raise ValueError(f"relative[{title!r}] must hold numbers from 0 to 1")
        if np.isnan(values).all(axis=0).any():
            raise ValueError(f"a head of relative[{title!r}] has no value but NaN")
    edges = np.linspace(0, 1.0001, 26)
    styles = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)))
    with style():
        figure, grid = _stack(panels)
        most = max(values.shape[1] for values in panels.values())
        for panel, (title, values) in zip(grid, panels.items(), strict=True):
            for k, head in enumerate(values.T):
                head = np.clip(head[~np.isnan(head)], 0, 1)
                weights = np.full(len(head), 100 / len(head))
                look = {"color": _LINE_COLOURS[k], "ls": styles[k], "linewidth": 1.8}
                if values.shape[1] == 1 < most:  # no head, so no head's colour
                    look |= {"color": INK}
                panel.hist(head, edges, weights=weights, histtype="step", **look)
            panel.axvline(1, color=INK, linewidth=3)
            text = f"{title}: mean {np.nanmean(values):.2f}"
            panel.set_title(text, loc="left", fontsize=11, fontweight="normal")
            panel.set_xlim(-0.01, 1.02)
        grid[-1].set_xlabel("entropy over its maximum (1 is uniform)")
        figure.supylabel("share of the nodes (%)", fontsize=12)
        if most > 1:
            handles = [
                Line2D([], [], c=_LINE_COLOURS[k], ls=styles[k], label=f"head {k}")
                for k in range(most)
            ]
            figure.legend(handles=handles, loc="outside lower center", ncol=3)
        _heading(figure, "the further left, the sharper the attention", name)
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
    """
    if not panels:
        raise ValueError("panels is empty: pass {title: (weights, relevant)}")
    checked = {}
    for title, (weights, relevant) in panels.items():
        weights = _array(weights, f"weights of {title!r}", ("E",), low=0)
        relevant = _numpy(relevant)
        fits = relevant.dtype == bool and relevant.shape == weights.shape
        if not fits or relevant.all() or not relevant.any():
            raise ValueError(
                f"{title!r} needs a bool for each of its {len(weights)} edges, some "
                "True and some False"
            )
        checked[title] = weights, relevant
    edges = np.logspace(-3, np.log10(30), 41)
    with style():
        figure, grid = _stack(panels)
        rows = zip(grid, checked.values(), strict=True)
        for panel, (weights, relevant) in rows:
            for part, look in (
                (~relevant, {"color": _PALE, "edgecolor": _GREY, "hatch": "///"}),
                (relevant, {"color": _BAR, "edgecolor": INK, "alpha": 0.85}),
            ):
                values = np.clip(weights[part], edges[0], edges[-1])
                share = np.full(len(values), 100 / len(values))
                panel.hist(values, edges, weights=share, linewidth=0.8, **look)
            panel.set_xscale("log")
            panel.axvline(1, color=INK, linewidth=2)
        panel.set_xlabel(r"weight over the uniform one, $\alpha_{ij}|\mathcal{N}(i)|$")
        panel.xaxis.set_major_formatter(FuncFormatter(_plain))
        figure.supylabel("share of the edges (%)", fontsize=12)
        handles = [
            Patch(facecolor=_BAR, edgecolor=INK, label="edges that matter"),
            Patch(facecolor=_PALE, edgecolor=_GREY, hatch="///", label="noise"),
            Line2D([], [], color=INK, linewidth=2, label="uniform"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncol=3)
        _heading(figure, "attention found the truth where the two heaps part", name)
    return grid
