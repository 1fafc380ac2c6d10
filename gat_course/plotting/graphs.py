"""Figures of graphs and of their nodes (all chapters)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx
import numpy as np
from matplotlib import colors as mcolors
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path

from gat_course.graph import GraphData
from gat_course.plotting import look, values
from gat_course.plotting.values import check_index, checked, many, share, to_numpy

_FEW = 12  # nodes that are drawn large, with room for arrows and ids


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

    Up to 40 nodes carry their ids, up to 12 where a target is marked. Arrows there and
    back bend apart. A self-loop is an arrow from a node to itself, in a graph of more
    than 12 nodes a ring around it. Such a graph is drawn with plain lines and without
    self-loops where neither `edge_values` nor `edge_labels` are given.

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
        The axes. An arrow's or ring's `get_gid()` is `"edge e"`, e its number.

    Raises:
        IndexError: there is no such target.
        ValueError: an argument has the wrong length, a number is not finite, an edge
            value is negative, or a class is negative or has no name.

    >>> graph = GraphData.from_edges([0, 1], [1, 2], name="a path")
    >>> plotting.draw_graph(graph, labels=[0, 0, 1], class_names=["jazz", "rock"])
    <Axes: title=...>
    """
    count, few = graph.num_nodes, graph.num_nodes <= _FEW
    if labels is not None:
        labels = values.classes(labels, count, class_names)
    check_index("target", target, count)
    num_texts = graph.num_edges if edge_labels is None else len(edge_labels)
    if num_texts != graph.num_edges:
        raise ValueError(f"edge_labels needs {graph.num_edges} texts, got {num_texts}")
    if edge_values is not None:
        edge_values = checked(edge_values, "edge_values", (graph.num_edges,), low=0)
    arrows = few or edge_values is not None or edge_labels is not None
    radii = np.full(count, np.interp(count, (8, 34, 100, 3000), (14, 7.5, 5, 1.6)))
    if target is not None:
        radii[target] *= 1.3 if few else 1.8
    nodes = _Nodes(layout(graph, pos), radii, labels, class_names)
    notes = ["large: the target"] if target is not None and not few else []
    if arrows and not few and bool((graph.src == graph.dst).any()):
        notes += ["ring: the weight on itself"]

    margin = 0.21 if edge_labels is not None else 0.16 if few else 0.06
    limits, height = nodes.window(margin)
    height += 0.75 if notes else 0.5
    if labels is not None:
        height += 0.3 + 0.12 * len(set(labels))  # the legend, in two columns
    with look.canvas(ax, height) as ax:
        look.bare(ax, **limits)
        text = f"{many(count, 'node')}, {many(graph.num_edges, 'directed edge')}"
        look.title(ax, title or text, graph.name)
        if arrows:
            _draw_arrows(ax, graph, nodes, edge_values, edge_labels)
        else:
            lines = nodes.where[values.ends(graph)]  # [E, 2, 2]
            thin = {"lw": 0.8 if count <= 300 else 0.3, "colors": look.GREY}
            ax.add_collection(LineCollection(lines, zorder=1, **thin))
        if notes:  # before the legend, which stands below them
            ax.set_xlabel(", ".join(notes), fontsize=11)
        nodes.draw(ax)
        if target is not None:
            nodes.mark(ax, target)
        if few or (count <= 40 and target is None):
            nodes.number(ax, 12 if few else 10)
        if edge_values is not None and edge_labels is None:
            look.colour_bar(ax, look.norm(edge_values), value_label)
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
        The axes. The `LineCollection` with gid `"edges"` holds the edges without the
        self-loop, the heaviest first.

    Raises:
        IndexError: there is no such node or head.
        ValueError: `alpha` does not fit the graph or is not in [0, 1], or the node
            has no incoming edge.

    >>> graph = GraphData.from_edges([0, 1], [2, 2])
    >>> plotting.attention_neighbourhood(graph, torch.tensor([[0.2], [0.8]]), node=2)
    <Axes: title=...>
    """
    weights = values.attention(graph, alpha)
    heads = weights.shape[1]
    check_index("head", head, heads)
    check_index("node", node, graph.num_nodes)
    weights = weights.mean(1) if head is None else weights[:, head]  # [E]
    src, dst = values.ends(graph).T
    edges = np.flatnonzero(dst == node)
    total = len(edges)
    if total == 0:
        raise ValueError(f"node {node} has no incoming edge: it attends to nothing")
    edges = edges[np.argsort(-weights[edges], kind="stable")]  # the heaviest first
    loop = weights[edges[src[edges] == node]]
    edges = edges[src[edges] != node]  # [n]
    sources, weights, count = src[edges], weights[edges], len(edges)
    norm = mcolors.Normalize(0, min(1.0, max(2 / total, *weights, *loop)))
    labels = None
    if graph.y is not None and graph.y.dim() == 1:
        shown = to_numpy(graph.y)[[node, *sources]]
        labels = values.classes(shown, count + 1, class_names)

    with look.canvas(ax, 6.8 if labels is not None else 6.0) as ax:
        look.bare(ax, xlim=(-1.42, 1.42), ylim=(-1.27, 1.27))
        which = "mean over heads" if head is None else f"head {head}"
        which = f" ({which})" if heads > 1 else ""
        others, note = many(count, "source"), "heaviest at the top, then clockwise"
        if len(loop):
            weight = float(loop.sum())
            others = f"itself and {many(count, 'other')}"
            note = f"ring: the node itself, weight {share(weight)}\n{note}"
            paint = {"edgecolors": [look.WEIGHT_MAP(norm(weight))], "zorder": 2}
            paint |= {"facecolors": "white", "linewidths": 1.5 + 4 * norm(weight)}
            ax.scatter(0, 0, 45**2, gid="self-loop", **paint)
        look.title(ax, f"how node {node} weighs {others}{which}", graph.name)
        ax.set_xlabel(note, fontsize=11)
        halo = [patheffects.withStroke(linewidth=3, foreground="white")]
        look.write(ax, (0, 0), str(node), weight="bold", path_effects=halo)
        where = _draw_spokes(ax, sources, weights, norm)
        radii = np.append(17, np.full(count, np.clip(350 / max(count, 1), 3, 10)))
        _Nodes(where, radii, labels, class_names).draw(ax)
        bar = look.colour_bar(ax, norm, r"attention weight $\alpha_{ij}$")
        texts = ["0", f"uniform\n1/{total}", f"{norm.vmax:.3g}"]
        bar.set_ticks([0, 1 / total, norm.vmax], labels=texts)
        bar.ax.axhline(1 / total, color="white", linewidth=3.5)
        bar.ax.axhline(1 / total, color=look.INK, linewidth=1.5)
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

    >>> plotting.embedding(torch.randn(40, 2), torch.arange(40) % 2)
    <Axes: title=...>
    """
    points = checked(points, "points", ("N", 2))
    labels = values.classes(labels, len(points), class_names)
    radius = np.interp(len(points), (50, 500, 3000), (5.5, 4, 2.7))
    with look.canvas(None, 6.8) as ax:
        look.bare(ax)
        look.title(ax, title, name)
        ax.set_xlabel("t-SNE coordinate 1 (no unit)")
        ax.set_ylabel("t-SNE coordinate 2 (no unit)")
        _Nodes(points, np.full(len(points), radius), labels, class_names).draw(ax)
    return ax


def layout(graph: GraphData, pos: Any) -> np.ndarray:
    """Node positions `[N, 2]`: given, Kamada and Kawai's where it works, or springs."""
    nodes = range(graph.num_nodes)
    if isinstance(pos, Mapping):
        if missing := set(nodes) - set(pos):
            raise ValueError(f"pos has no position for node {min(missing)}")
        pos = [pos[i] for i in nodes]
    if pos is not None:
        return checked(pos, "pos", (graph.num_nodes, 2)).astype(float)
    plain = networkx.Graph(graph.networkx())
    if graph.num_nodes <= 100 and networkx.is_connected(plain):
        places = networkx.kamada_kawai_layout(plain)
    else:
        places = networkx.spring_layout(plain, seed=0)
    where = np.array([places[i] for i in nodes])
    width, height = np.ptp(where, axis=0)
    return where if width >= height else where[:, ::-1]  # the longer side lies flat


@dataclass
class _Nodes:
    """Nodes as they are drawn: places, radii in points, classes and their names."""

    where: np.ndarray  # [N, 2]
    radii: np.ndarray  # [N]
    labels: np.ndarray | None  # [N]
    class_names: Sequence[str] | None

    def window(self, margin: float) -> tuple[dict[str, np.ndarray], float]:
        """Limits of the axes around all nodes, and the height that a figure needs."""
        low, high = self.where.min(0), self.where.max(0)
        spans = high - low
        spans = np.maximum(spans, 0.3 * spans.max() if spans.max() > 0 else 1.0)
        half = spans / 2 + margin * spans.max()
        x, y = np.transpose((high + low) / 2 + np.array([-half, half]))
        return {"xlim": x, "ylim": y}, min(4.8 * half[1] / half[0], 5.5)

    def draw(self, ax: Axes) -> None:
        """Draw the nodes, and a legend of their classes."""
        sizes, labels = (2 * self.radii) ** 2, self.labels
        line = 0.9 if sizes.max() > 150 else 0.35
        edge = {"edgecolors": look.INK, "linewidths": line, "zorder": 3}
        if labels is None:
            ax.scatter(*self.where.T, sizes, look.PLAIN_NODE, **edge)
            return
        handles, names = [], []
        for label in np.unique(labels):
            here, (colour, marker) = labels == label, look.of_class(label)
            name = self.class_names[label] if self.class_names else f"class {label}"
            paint = {"c": colour, "marker": marker, "label": name} | edge
            handles.append(ax.scatter(*self.where[here].T, sizes[here], **paint))
            names.append(name)
        look.legend(ax, handles, 4 if max(map(len, names)) <= 9 else 2)
        for handle in ax.get_legend().legend_handles:
            handle.set_sizes([80])

    def mark(self, ax: Axes, i: int) -> None:
        """Give a node a thick outline."""
        paint = {"c": "none", "edgecolors": look.INK, "linewidths": 2.6, "zorder": 3}
        if self.labels is not None:
            paint["marker"] = look.of_class(self.labels[i])[1]
        ax.scatter(*self.where[i], (2 * self.radii[i]) ** 2, gid="target", **paint)

    def number(self, ax: Axes, size: float) -> None:
        """Write the ids on the nodes."""
        for i, place in enumerate(self.where):
            plain = self.labels is None
            face = look.PLAIN_NODE if plain else look.of_class(self.labels[i])[0]
            look.write(ax, place, str(i), fontsize=size, color=look.text_on(face))


def _draw_arrows(
    ax: Axes, graph: GraphData, nodes: _Nodes, weights: Any, texts: Any
) -> None:
    """Every edge as an arrow, or as a ring if it is a self-loop of a large graph."""
    where, radii, few = nodes.where, nodes.radii, graph.num_nodes <= _FEW
    thickest, head, gap = (3.0, 11, 1) if few else (1.8, 6.5, 4)
    ends = values.ends(graph)
    pairs = set(map(tuple, ends.tolist()))
    shares, colours = np.zeros(len(ends)), [look.GREY] * len(ends)
    if weights is not None:
        shares = look.norm(weights)(weights)  # 0 to 1
        colours = look.WEIGHT_MAP(shares)
    for e, (j, i) in enumerate(ends):
        width, gid = thickest * shares[e], f"edge {e}"
        if i == j and not few:
            paint = {"edgecolors": [colours[e]], "facecolors": "none", "zorder": 2}
            area = (2 * radii[i] + 6) ** 2
            ax.scatter(*where[i], area, linewidths=1 + width, gid=gid, **paint)
            continue
        along = where[i] - where[j]
        bend, place, shift = "arc3", where[j] + 0.5 * along, (0.0, 0.0)
        if i == j:
            others = ends[(ends == i).any(1)].ravel()
            bend, outward = _loop(where[others[others != i]] - where[i])
            shift = (2.9 * radii.min() + 5) * outward
        elif (i, j) in pairs:  # the label is on the arc, nearer to the source
            bend, right = "arc3,rad=0.18", np.array([along[1], -along[0]])
            place = where[j] + 0.36 * along + 0.083 * right
        arrow = FancyArrowPatch(where[j], where[i], connectionstyle=bend, gid=gid)
        arrow.shrinkA, arrow.shrinkB = radii[j] + 1, radii[i] + gap
        arrow.set(arrowstyle="-|>", mutation_scale=head + 2.5 * thickest * shares[e])
        arrow.set(color=colours[e], linewidth=1.1 + width, joinstyle="miter")
        arrow.set_zorder(1 + shares[e])  # heavy edges on top
        ax.add_patch(arrow)
        if texts is not None:
            look.write(ax, place, texts[e], shift, bbox=look.WHITE_BOX)


def _loop(away: np.ndarray) -> tuple[Any, np.ndarray]:
    """A connection style for a self-loop in the widest gap between a node's edges,
    which lead `away` `[n, 2]`, and the unit vector that points there."""
    outward = np.array([0.0, 1.0])
    if len(away):
        angles = np.sort(np.arctan2(away[:, 1], away[:, 0]))
        gaps = np.diff(angles, append=angles[0] + 2 * np.pi)
        turn = angles[gaps.argmax()] + gaps.max() / 2
        outward = np.array([np.cos(turn), np.sin(turn)])
    sideways = np.array([-outward[1], outward[0]])

    def path(start: Any, end: Any, *_: Any, shrinkA: float, **__: Any) -> Path:
        # shrinkA is the node's radius in pixels.
        reach = np.array([(0.85, -0.55), (2.6, -1.8), (2.6, 1.8), (0.85, 0.55)])
        corners = start + shrinkA * reach @ [outward, sideways]
        return Path(corners, [Path.MOVETO, *[Path.CURVE4] * 3])

    return path, outward


def _draw_spokes(
    ax: Axes, sources: np.ndarray, weights: np.ndarray, norm: mcolors.Normalize
) -> np.ndarray:
    """Lines into the middle; returns where target and sources stand, `[n + 1, 2]`."""
    count = len(sources)
    turns = np.pi / 2 - 2 * np.pi * np.arange(count) / max(count, 1)  # clockwise
    around = np.stack([np.cos(turns), np.sin(turns)], 1)
    thickest = min(7.0, 150 / max(count, 1))  # points
    spokes = LineCollection(np.stack([around, 0 * around], 1), gid="edges", zorder=1)
    spokes.set(colors=look.WEIGHT_MAP(norm(weights)))
    spokes.set_linewidths(0.6 + (thickest - 0.6) * norm(weights))
    ax.add_collection(spokes)
    for source, weight, place in zip(sources, weights, around, strict=True):
        if count <= 24:
            look.write(ax, (1.3, 1.19) * place, str(source))
        if count <= 12:
            look.write(ax, 0.62 * place, share(weight), bbox=look.WHITE_BOX)
    return np.insert(around, 0, 0, axis=0)
