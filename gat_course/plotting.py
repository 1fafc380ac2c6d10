"""Figures in one style: graphs, attention, histograms, curves (all chapters).

Every function makes a figure sized for a phone and returns its axes; graphs, matrices
and neighbourhoods can also be drawn into axes of yours, made inside `style()`. The
background is white in dark mode too. Classes differ in colour, lightness and marker;
heavier edges are wider and darker. So every figure can be read in grey. Nothing here
changes matplotlib's global settings.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import colors as mcolors
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Patch
from matplotlib.path import Path
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

if TYPE_CHECKING:
    from gat_course.graph import GraphData

# Eight hues close to Okabe and Ito's, on evenly spaced lightness (L* 24 to 89), in an
# order that puts at least 25 between one class and the next. Any two stay apart
# under deuteranopia, protanopia and tritanopia (tests/test_plotting.py).
CLASS_COLOURS = (
    "#0281dd",  # blue, L* 53
    "#feb86d",  # peach, 80
    "#700055",  # purple, 24
    "#10bcef",  # sky, 71
    "#c0360a",  # vermilion, 44
    "#f0e446",  # yellow, 89
    "#005c3c",  # green, 34
    "#ff5b85",  # pink, 62
)
CLASS_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

INK = "#1a1a1a"
_GREY = "#595959"
_PALE = "#d9d9d9"
_PLAIN_NODE = "#e6e6e6"
_BAR = "#56a6dc"
_WIDTH = 6.0  # inches
_STYLE = {
    "figure.dpi": 130,
    "savefig.dpi": "figure",
    "figure.facecolor": "#ffffff",
    "savefig.facecolor": "#ffffff",
    "axes.facecolor": "#ffffff",
    "axes.edgecolor": _GREY,
    "axes.labelcolor": INK,
    "axes.labelsize": 12,
    "axes.titlesize": 12.5,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "grid.color": _PALE,
    "grid.linewidth": 0.8,
    "hatch.color": "#8c8c8c",
    "hatch.linewidth": 0.8,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "mathtext.fontset": "dejavusans",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
}


@contextmanager
def style() -> Iterator[None]:
    """Use the course's look inside a `with` block, and only there.

    The functions of this module do so themselves. Use it where you make the figure:
    `with plotting.style(): fig, axes = plt.subplots(1, 2, layout="constrained")`.
    """
    # Only these keys are put back: a notebook's backend switches "interactive" on when
    # the first figure is made, and must find it on afterwards.
    before = {key: plt.rcParams[key] for key in _STYLE}
    plt.rcParams.update(_STYLE)
    try:
        yield
    finally:
        plt.rcParams.update(before)


# Viridis from yellow-green (light weights, still visible on white) to dark violet.
WEIGHT_MAP = mcolors.ListedColormap(
    plt.get_cmap("viridis")(np.linspace(0.82, 0.0, 256)), name="gat_course_weights"
)
_LINE_COLOURS = ("#0281dd", "#c0360a", "#005c3c", "#b8860b", "#700055", "#595959")
_PAPER = "#8a2605"  # published numbers
_GAP = {"color": "white", "linewidth": 1.5}  # between the cells of a matrix
_HALO = [patheffects.withStroke(linewidth=3, foreground="white")]
_WHITE_BOX = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}


# --- small graphs ---------------------------------------------------------------


def draw_graph(
    graph: GraphData,
    labels: Any = None,
    pos: Any = None,
    *,
    class_names: Sequence[str] | None = None,
    edge_values: Any = None,
    edge_labels: Sequence[str] | None = None,
    target: int | None = None,
    value_label: str = r"attention weight $\alpha_{ij}$",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw a graph, each edge $j \to i$ as an arrow from source to target.

    Up to 40 nodes carry their ids, up to 12 where a target is marked. Where both
    $j \to i$ and $i \to j$ exist, the arrows bend apart. A self-loop is an arrow from a
    node to itself, in a graph of more than 12 nodes a ring around it. Such a graph is
    drawn with plain lines and without self-loops where neither `edge_values` nor
    `edge_labels` are given.

    Args:
        graph: the graph; its name is in the title.
        labels: classes `[N]`, integers from 0; None draws all nodes alike.
        pos: where the nodes are, a mapping from node to $(x, y)$ or `[N, 2]`. None
            computes a layout, the same at every call.
        class_names: one name per class, for the legend.
        edge_values: weights `[E]`, at least 0, shown as width and colour.
        edge_labels: `[E]` texts on the arrows, in place of the colour bar.
        target: a node to be marked: larger, with a thick outline.
        value_label: what the weights are, for the colour bar.
        title: replaces the default title; the graph's name is put in front.
        ax: where to draw; None makes a figure.

    Returns:
        The axes. Every arrow's and ring's `get_gid()` is `"edge e"`, with the edge's
        number e.

    Raises:
        IndexError: there is no such target.
        ValueError: an argument has the wrong length, a number is not finite, an edge
            value is negative, or a class is negative or has no name.
    """
    src, dst = _numpy(graph.src), _numpy(graph.dst)  # [E], [E]
    num_nodes, num_edges = graph.num_nodes, graph.num_edges
    if labels is not None:
        labels = _classes(labels, num_nodes, class_names)
    if target is not None and not 0 <= target < num_nodes:
        raise IndexError(f"target must be 0 to {num_nodes - 1}, got {target}")
    if edge_labels is not None and len(edge_labels) != num_edges:
        raise ValueError(f"edge_labels needs {num_edges} texts, got {len(edge_labels)}")
    arrows = num_nodes <= 12 or edge_values is not None or edge_labels is not None
    weights = np.zeros(num_edges)
    if edge_values is not None:
        weights = _array(edge_values, "edge_values", (num_edges,), low=0)
    norm = _norm(weights)
    where = _layout(graph, pos)  # [N, 2]
    few = num_nodes <= 12
    # A node's radius in points.
    radius = float(np.interp(num_nodes, (8, 34, 100, 3000), (14, 7.5, 5, 1.6)))
    radii = np.full(num_nodes, radius)
    if target is not None:
        radii[target] *= 1.3 if few else 1.8
    thickest, head = (3.0, 11) if few else (1.8, 6.5)

    # The scale is the same in both directions, so a flat graph gets a flat figure.
    spans = np.ptp(where, axis=0)
    spans = np.maximum(spans, 0.3 * spans.max() if spans.max() > 0 else 1.0)
    margin = 0.06 if not (arrows and few) else 0.16
    margin = 0.21 if edge_labels is not None else margin
    half = spans / 2 + margin * spans.max()
    corners = (where.max(0) + where.min(0)) / 2 + np.array([-half, half])  # [2, 2]
    notes = []
    if not few:
        notes += ["large: the target"] if target is not None else []
        notes += ["ring: the weight on itself"] if arrows and (src == dst).any() else []
    height = min(4.8 * half[1] / half[0], 5.5) + (0.75 if notes else 0.5)
    if labels is not None:
        height += 0.3 + 0.12 * len(set(labels))  # the legend, in two columns
    with _canvas(ax, height) as ax:
        _bare(ax)
        ax.set(xlim=corners[:, 0], ylim=corners[:, 1])
        count = f"{_many(num_nodes, 'node')}, {_many(num_edges, 'directed edge')}"
        _title(ax, title or count, graph.name)
        if arrows:
            pairs = set(zip(src.tolist(), dst.tolist(), strict=True))
            for e, (j, i) in enumerate(zip(src, dst, strict=True)):
                along = where[i] - where[j]
                label_place, label_shift = where[j] + 0.5 * along, (0.0, 0.0)
                connection = "arc3"
                if i == j:
                    neighbours = np.append(src[dst == i], dst[src == i])
                    connection, outward = _loop(where, neighbours, i)
                    label_shift = (2.9 * radius + 5) * outward
                elif (i, j) in pairs:  # the label is on the arc, nearer to the source
                    connection = "arc3,rad=0.18"
                    right = np.array([along[1], -along[0]])
                    label_place = where[j] + 0.36 * along + 0.083 * right
                share = norm(weights[e])  # 0 to 1
                colour = _GREY if edge_values is None else WEIGHT_MAP(share)
                if i == j and not few:
                    look = {"edgecolors": [colour], "facecolors": "none", "zorder": 2}
                    look["linewidths"] = 1 + thickest * share
                    area = (2 * radii[i] + 6) ** 2
                    ax.scatter(*where[i], area, gid=f"edge {e}", **look)
                    continue
                arrow = FancyArrowPatch(where[j], where[i], joinstyle="miter")
                arrow.set(gid=f"edge {e}", linewidth=1.1 + thickest * share)
                arrow.set(color=colour)
                arrow.set(arrowstyle="-|>", connectionstyle=connection)
                arrow.set_mutation_scale(head + 2.5 * thickest * share)
                arrow.shrinkA, arrow.shrinkB = (
                    radii[j] + 1,
                    radii[i] + (1 if few else 4),
                )
                arrow.set_zorder(1 + share)  # heavy edges on top
                ax.add_patch(arrow)
                if edge_labels is not None:
                    text = edge_labels[e]
                    _write(ax, label_place, text, label_shift, bbox=_WHITE_BOX)
        else:
            lines = np.stack([where[src], where[dst]], 1)  # [E, 2, 2]
            thin = 0.8 if num_nodes <= 300 else 0.3
            ax.add_collection(LineCollection(lines, lw=thin, colors=_GREY, zorder=1))
        if notes:  # before the legend, which stands below them
            ax.set_xlabel(", ".join(notes), fontsize=11)
        _nodes(ax, where, labels, class_names, (2 * radii) ** 2)
        if target is not None:
            look = {"c": "none", "edgecolors": INK, "linewidths": 2.6, "zorder": 3}
            if labels is not None:
                look["marker"] = _class_look(labels[target])[1]
            ax.scatter(*where[target], (2 * radii[target]) ** 2, gid="target", **look)
        if few or (num_nodes <= 40 and target is None):
            for i, place in enumerate(where):
                face = _PLAIN_NODE if labels is None else _class_look(labels[i])[0]
                size = 12 if few else 10
                _write(ax, place, str(i), fontsize=size, color=_text_on(face))
        if edge_values is not None and edge_labels is None:
            _colour_bar(ax, norm, value_label)
    return ax


# --- attention ------------------------------------------------------------------


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


def attention_neighbourhood(
    graph: GraphData,
    alpha: Any,
    node: int,
    head: int | None = None,
    *,
    class_names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw one target, the sources it attends to, and how much it attends to each.

    The sources stand around the target, the heaviest at twelve o'clock and then
    clockwise. Width and colour of an edge are its weight, colour and marker of a node
    its class (`graph.y`). A ring around the target is its self-loop. Up to 12 sources
    the weights are printed, up to 24 the ids. The colour bar marks the uniform weight
    $1/|\mathcal N(i)|$, so near-uniform attention looks like one colour.

    Args:
        graph: the graph the layer ran on, self-loops included if the layer saw them.
        alpha: weights `[E, K]` in the order of `graph.src, graph.dst`.
        node: the target $i$.
        head: which head, from 0; None takes the mean over heads.
        class_names: one name per class, for the legend.
        ax: where to draw, 5 inches or wider; None makes a figure.

    Returns:
        The axes. The edges without the self-loop are in the `LineCollection` with gid
        `"edges"`, the heaviest first.

    Raises:
        IndexError: there is no such node or head.
        ValueError: `alpha` does not fit the graph or is not in [0, 1], or the node
            has no incoming edge.
    """
    what = f"alpha (on {graph.name!r}, with_self_loops() if the layer saw them)"
    weights = _array(alpha, what, (graph.num_edges, "K"), low=0, high=1)
    heads = weights.shape[1]
    if head is not None and not 0 <= head < heads:
        raise IndexError(f"head must be 0 to {heads - 1}, got {head}")
    if not 0 <= node < graph.num_nodes:
        raise IndexError(f"node must be 0 to {graph.num_nodes - 1}, got {node}")
    incoming = np.flatnonzero(_numpy(graph.dst) == node)
    total = len(incoming)
    if total == 0:
        raise ValueError(f"node {node} has no incoming edge: it attends to nothing")
    values = weights.mean(1) if head is None else weights[:, head]  # [E]
    incoming = incoming[np.argsort(-values[incoming], kind="stable")]  # heaviest first
    sources, values = _numpy(graph.src)[incoming], values[incoming]
    loop, values = values[sources == node], values[sources != node]
    sources = sources[sources != node]  # [n]
    count = len(sources)
    norm = mcolors.Normalize(0, min(1.0, max(2 / total, *values, *loop)))

    shown = np.append(node, sources)
    labels = None
    if graph.y is not None and graph.y.dim() == 1:
        labels = _classes(_numpy(graph.y)[shown], count + 1, class_names)
    angle = np.pi / 2 - 2 * np.pi * np.arange(count) / max(count, 1)
    around = np.stack([np.cos(angle), np.sin(angle)], 1)  # [n, 2]
    thickest = min(7.0, 150 / max(count, 1))  # points
    size = float(np.clip(700 / max(count, 1), 6, 20)) ** 2  # points squared
    with _canvas(ax, 6.8 if labels is not None else 6.0) as ax:
        _bare(ax)
        ax.set(xlim=(-1.42, 1.42), ylim=(-1.27, 1.27))
        which = "mean over heads" if head is None else f"head {head}"
        which = f" ({which})" if heads > 1 else ""
        others = _many(count, "other") if len(loop) else _many(count, "source")
        itself = "itself and " if len(loop) else ""
        title = f"how node {node} weighs {itself}{others}{which}"
        _title(ax, title, graph.name)
        note = "heaviest at the top, then clockwise"
        spokes = LineCollection(np.stack([around, 0 * around], 1))  # [n, 2, 2]
        spokes.set(gid="edges", zorder=1, colors=WEIGHT_MAP(norm(values)))
        spokes.set_linewidths(0.6 + (thickest - 0.6) * norm(values))
        ax.add_collection(spokes)
        if len(loop):
            weight = float(loop.sum())
            note = f"ring: the node itself, weight {_share(weight)}\n{note}"
            look = {"edgecolors": [WEIGHT_MAP(norm(weight))], "facecolors": "white"}
            width = 1.5 + 4 * norm(weight)
            ax.scatter(0, 0, 45**2, linewidths=width, zorder=2, gid="self-loop", **look)
        ax.set_xlabel(note, fontsize=11)
        where = np.concatenate([np.zeros((1, 2)), around])
        _nodes(ax, where, labels, class_names, np.append(34**2, np.full(count, size)))
        _write(ax, (0, 0), str(node), weight="bold", path_effects=_HALO)
        for source, value, place in zip(sources, values, around, strict=True):
            if count <= 24:
                _write(ax, (1.3, 1.19) * place, str(source))
            if count <= 12:
                _write(ax, 0.62 * place, _share(value), bbox=_WHITE_BOX)
        bar = _colour_bar(ax, norm, r"attention weight $\alpha_{ij}$")
        texts = ["0", f"uniform\n1/{total}", f"{norm.vmax:.3g}"]
        bar.set_ticks([0, 1 / total, norm.vmax], labels=texts)
        bar.ax.axhline(1 / total, color="white", linewidth=3.5)
        bar.ax.axhline(1 / total, color=INK, linewidth=1.5)
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


# --- data and results -----------------------------------------------------------


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


def embedding(
    points: Any,
    labels: Any,
    class_names: Sequence[str] | None = None,
    *,
    name: str | None = None,
    title: str = "do nodes of one class form one cloud?",
) -> Axes:
    """Scatter of nodes in the plane, one colour and one marker per class.

    Args:
        points: `[N, 2]`, a t-SNE of the last hidden layer.
        labels: classes `[N]`, integers from 0.
        class_names: one name per class, for the legend.
        name: the graph's name, put in front of the title.
        title: what to look at.

    Returns:
        The axes; `ax.collections` has one entry per class that occurs.

    Raises:
        ValueError: shapes do not fit, a point is not finite, a class is negative or
            has no name.
    """
    points = _array(points, "points", ("N", 2))
    labels = _classes(labels, len(points), class_names)
    size = float(np.interp(len(points), (50, 500, 3000), (11, 8, 5.4))) ** 2
    with _canvas(None, 6.8) as ax:
        _bare(ax)
        _title(ax, title, name)
        ax.set_xlabel("t-SNE coordinate 1 (no unit)")
        ax.set_ylabel("t-SNE coordinate 2 (no unit)")
        _nodes(ax, points, labels, class_names, size)
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


# --- checks and shared pieces ---------------------------------------------------


def _numpy(values: Any) -> np.ndarray:
    """A numpy copy of a tensor, array or list."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.array(values)


def _array(
    values: Any,
    name: str,
    shape: tuple[int | str, ...],
    low: float = -math.inf,
    high: float = math.inf,
) -> np.ndarray:
    """A numpy copy, checked for shape and range; a letter in `shape` is any length."""
    array = _numpy(values)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold numbers, got {array.dtype}")
    fits = len(shape) == array.ndim and all(
        got > 0 if isinstance(want, str) else got == want
        for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(map(str, shape))
        raise ValueError(f"{name} must have shape [{wanted}], got {list(array.shape)}")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise ValueError(f"{name} contains {bad} values that are NaN or infinite")
    if ((array < low - 1e-4) | (array > high + 1e-4)).any():
        raise ValueError(
            f"{name} must be between {low:g} and {high:g}, got values from "
            f"{array.min():.3g} to {array.max():.3g}"
        )
    return array


def _classes(labels: Any, count: int, class_names: Sequence[str] | None) -> np.ndarray:
    """Classes `[count]` as integers, checked against the names."""
    labels = _array(labels, "labels", (count,), low=0)
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers (classes), got {labels.dtype}")
    if class_names is not None and labels.max() >= len(class_names):
        raise ValueError(
            f"class {labels.max()} has no name: class_names has {len(class_names)}"
        )
    return labels


def _percent(values: Any, name: str) -> np.ndarray:
    """Numbers in percent `[seeds]`, not fractions."""
    array = _array(values, name, ("seeds",), low=0, high=100).astype(float)
    if 0 < array.max() <= 1:
        raise ValueError(
            f"{name} must be in percent, but no value exceeds 1; multiply fractions "
            "by 100"
        )
    return array


@contextmanager
def _canvas(ax: Axes | None, height: float, width: float = _WIDTH) -> Iterator[Axes]:
    """The course's style and an axes to draw into, of that size in inches if new."""
    if ax is not None and not isinstance(ax, Axes):
        raise TypeError(f"ax must be one matplotlib Axes, got {type(ax).__name__}")
    with style():
        if ax is None:
            _, ax = plt.subplots(figsize=(width, height), layout="constrained")
        yield ax


def _bare(ax: Axes) -> None:
    """One scale for both directions, no frame and no ticks."""
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)


def _named(title: str, name: str | None, width: int) -> str:
    return textwrap.fill(f"{name}: {title}" if name else title, width)


def _title(ax: Axes, title: str, name: str | None = None) -> None:
    """A left-aligned title, the graph's name in front, wrapped to the axes."""
    inches = ax.get_window_extent().width / ax.figure.dpi  # before the layout
    ax.set_title(_named(title, name, max(16, int(10 * inches))), loc="left")


def _heading(figure: Figure, title: str, name: str | None) -> None:
    """A title of the whole figure, as `_title` of one panel."""
    look = {"fontsize": _STYLE["axes.titlesize"], "fontweight": "bold"}
    figure.suptitle(_named(title, name, 54), x=0.02, ha="left", **look)


def _stack(titles: Iterable[str]) -> tuple[Figure, np.ndarray]:
    """A figure with one low panel for each title, one below the other."""
    titles = list(titles)
    size = (_WIDTH, 1.4 + 1.75 * len(titles))
    figure = plt.figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(titles), 1, sharex=True, squeeze=False)[:, 0]
    for panel, title in zip(panels, titles, strict=True):
        panel.set_title(title, loc="left", fontsize=11, fontweight="normal")
        panel.grid(axis="y")
    return figure, panels


def _write(ax: Axes, place: Any, text: str, offset: Any = (0, 0), **look: Any) -> None:
    """Centre a text on a place in data coordinates, moved by `offset` points."""
    centred = {"ha": "center", "va": "center", "zorder": 5, "annotation_clip": False}
    look = {"fontsize": 11} | centred | look
    ax.annotate(text, place, xytext=offset, textcoords="offset points", **look)


def _legend(ax: Axes, handles: Sequence[Any], columns: int) -> None:
    """A legend below the axes and its label."""
    lines = ax.get_xlabel().count("\n") + 1 if ax.get_xlabel() else 0
    ticks = 1.5 if len(ax.get_xticks()) else 0.3
    ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        borderaxespad=ticks + 1.7 * lines,  # in letters' heights
        ncol=columns,
        handletextpad=0.5,
        columnspacing=1.2,
    )


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _share(value: float) -> str:
    """A weight between 0 and 1; never 0 or 1 where it is neither."""
    if 0 < value < 0.0005:
        return "<0.001"
    return ">0.999" if 0.9995 <= value < 1 else f"{value:.3f}"


def _norm(values: np.ndarray) -> mcolors.Normalize:
    """Colours from 0 (or the least value, if negative) to the largest value."""
    if values.size == 0:
        return mcolors.Normalize(0, 1)
    low, high = min(0.0, float(values.min())), float(values.max())
    return mcolors.Normalize(low, high if high > low else low + 1)


def _text_on(colour: Any) -> str:
    """Black or white, whichever reads better on the colour."""
    luminance = np.power(mcolors.to_rgb(colour), 2.2) @ (0.2126, 0.7152, 0.0722)
    return "#000000" if luminance > 0.21 else "#ffffff"


def _class_look(label: int) -> tuple[str, str]:
    """Colour and marker of a class; no two of the first 64 classes look the same."""
    marker = CLASS_MARKERS[(label + label // 8) % 8]
    return CLASS_COLOURS[label % 8], marker


def _nodes(
    ax: Axes,
    where: np.ndarray,  # [N, 2]
    labels: np.ndarray | None,  # [N]
    class_names: Sequence[str] | None,
    size: Any,  # points squared, one number or [N]
) -> None:
    """Draw nodes, and a legend of their classes."""
    sizes = np.broadcast_to(size, (len(where),))
    look = {"edgecolors": INK, "linewidths": 0.9 if sizes.max() > 150 else 0.35}
    if labels is None:
        ax.scatter(*where.T, s=sizes, c=_PLAIN_NODE, zorder=3, **look)
        return
    names = {c: class_names[c] if class_names else f"class {c}" for c in set(labels)}
    for label in sorted(names):
        here = labels == label
        look["c"], look["marker"] = _class_look(label)
        ax.scatter(*where[here].T, s=sizes[here], label=names[label], zorder=3, **look)
    longest = max(map(len, names.values()))
    _legend(ax, ax.collections[-len(names) :], 4 if longest <= 9 else 2)
    for handle in ax.get_legend().legend_handles:
        handle.set_sizes([80])


def _colour_bar(ax: Axes, norm: mcolors.Normalize, label: str) -> Any:
    bar = ax.figure.colorbar(
        ScalarMappable(norm, WEIGHT_MAP), ax=ax, shrink=0.8, aspect=22, pad=0.03
    )
    bar.set_label(label)
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(5)
    return bar


def _layout(graph: GraphData, pos: Any) -> np.ndarray:
    """Node positions `[N, 2]`: given, Kamada and Kawai's where it works, or springs."""
    nodes = range(graph.num_nodes)
    if isinstance(pos, Mapping):
        if missing := set(nodes) - set(pos):
            raise ValueError(f"pos has no position for node {min(missing)}")
        pos = [pos[i] for i in nodes]
    if pos is not None:
        return _array(pos, "pos", (graph.num_nodes, 2)).astype(float)
    import networkx

    plain = networkx.Graph(graph.networkx())
    if graph.num_nodes <= 100 and networkx.is_connected(plain):
        places = networkx.kamada_kawai_layout(plain)
    else:
        places = networkx.spring_layout(plain, seed=0)
    where = np.array([places[i] for i in nodes])
    width, height = np.ptp(where, axis=0)
    return where if width >= height else where[:, ::-1]  # the longer side lies flat


def _loop(where: np.ndarray, neighbours: np.ndarray, node: int) -> tuple[Any, Any]:
    """A connection style for a self-loop in the widest gap between a node's edges,
    and the unit vector that points there."""
    outward = np.array([0.0, 1.0])
    away = where[neighbours[neighbours != node]] - where[node]  # [n, 2]
    if len(away):
        angles = np.sort(np.arctan2(away[:, 1], away[:, 0]))
        gaps = np.diff(angles, append=angles[0] + 2 * np.pi)
        turn = angles[gaps.argmax()] + gaps.max() / 2
        outward = np.array([np.cos(turn), np.sin(turn)])
    sideways = np.array([-outward[1], outward[0]])

    def path(start: Any, end: Any, *_: Any, shrinkA: float, **__: Any) -> Path:
        # shrinkA is the node's radius in pixels.
        reach = [(0.85, -0.55), (2.6, -1.8), (2.6, 1.8), (0.85, 0.55)]
        corners = [start + shrinkA * (a * outward + b * sideways) for a, b in reach]
        return Path(corners, [Path.MOVETO, *[Path.CURVE4] * 3])

    return path, outward


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


def _plain(value: float, _: Any = None) -> str:
    """A tick's number, as a power of ten only where it would be long."""
    if 1e-4 <= value < 1e7:
        return f"{value:,.7g}"
    factor, exponent = f"{value:.0e}".split("e")
    factor = "" if factor == "1" else rf"{factor} \cdot "
    return f"${factor}10^{{{int(exponent)}}}$"
