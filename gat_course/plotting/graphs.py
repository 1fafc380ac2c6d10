"""Figures of graphs and of their nodes (all chapters)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colors as mcolors
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path

from gat_course.plotting.look import (
    _GREY,
    _HALO,
    _PLAIN_NODE,
    _WHITE_BOX,
    INK,
    WEIGHT_MAP,
    _bare,
    _canvas,
    _class_look,
    _colour_bar,
    _legend,
    _norm,
    _text_on,
    _title,
    _write,
)
from gat_course.plotting.values import _array, _classes, _many, _numpy, _share

if TYPE_CHECKING:
    from gat_course.graph import GraphData


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
