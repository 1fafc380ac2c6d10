"""Pictures of message passing on a small graph (chapters 2 and 3)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from gat_course.graph import GraphData
from gat_course.plotting import look, sketch
from gat_course.plotting.sketch import NARROW_ROOM, ROOM, Pen
from gat_course.plotting.values import check_index, checked, ends, many, to_numpy

_LEFT = 0.75  # inches, where the mailboxes begin


def unrolled(
    graph: GraphData, node: int, num_layers: int = 2, *, title: str | None = None
) -> Axes:
    r"""Draw all that one node's output is computed from, layer by layer.

    The target stands on the right. To the left of every node are the nodes that it
    hears in that layer, down to the features, which are printed where they are short.
    A node that is heard more than once appears more than once, always in its colour.
    At most some 22 rows are drawn; `… 3 more` tells what is left out.

    Args:
        graph: self-loops included if the layers see them.
        node: the target $i$.
        num_layers: 1 to 3.
        title: replaces the default title; the graph's name is put in front.

    Returns:
        The axes. A node's `get_gid()` is the way to it from the target, such as
        `"way 0 3 4"`, an arrow's `"from 0 3 4"`.

    Raises:
        IndexError: there is no such node.
        ValueError: the node has no incoming edge, or `num_layers` is not 1, 2 or 3.

    >>> diagrams.unrolled(GraphData.from_edges([0, 1], [1, 2]), node=2)
    <Axes: title=...>
    """
    if num_layers not in (1, 2, 3):
        raise ValueError(f"num_layers must be 1, 2 or 3, got {num_layers}")
    sketch.incoming(graph, node)
    src, dst = ends(graph).T
    starts = np.searchsorted(dst, np.arange(1, graph.num_nodes))
    heard = np.split(src, starts)  # by target
    leaves = np.arange(graph.num_nodes) == node  # how often each node is a leaf
    for _ in range(num_layers):
        leaves = np.bincount(src, leaves[dst], graph.num_nodes)

    # Fewer sources are drawn, at the leaves first, until there is room.
    most = [8] * num_layers
    while (tree := _grow(heard, (node,), most)).rows > 22:
        depth = max((d for d in range(num_layers) if most[d] > 2), default=0)
        most[depth] -= 1
    drawn = Counter(part.way[-1] for part in tree.parts())
    repeated = [i for i, times in drawn.most_common() if times > 1]
    colours = dict(zip(repeated, look.CLASS_COLOURS, strict=False))

    # All lengths are inches, y downwards.
    features = _features(graph)
    left = max(0.75 if num_layers > 1 else 1.2, 0.3 + 0.085 * max(map(len, features)))
    right = NARROW_ROOM - (0.25 if num_layers > 1 else 1)
    columns = np.linspace(right, left, num_layers + 1)  # from the target on
    count = many(np.count_nonzero(leaves), "node")
    text = f"{many(num_layers, 'layer')} bring node {node} the features of {count}"
    size = (tree.bottom + 1.5, (tree.bottom, -0.5))
    with sketch.narrow(*size, title or text, graph.name) as pen:
        pen.write((left + 0.15, -0.3), "features", ha="right", color=look.GREY)
        for depth, x in enumerate((columns[1:] + columns[:-1]) / 2):
            pen.write((x, -0.3), f"layer {num_layers - depth}", color=look.GREY)
        for part in tree.parts():
            face = colours.get(part.way[-1], look.PLAIN_NODE)
            leaf = features[part.way[-1]] if len(part.way) > num_layers else ""
            _draw_part(pen, part, columns[len(part.way) - 1 :], face, leaf)
        note = f"{many(int(leaves.sum()), 'input')} from {count}"
        if leaves.max() > 1:
            note += ": each is there as often as heard"
        pen.ax.set_xlabel(note, fontsize=11)
    return pen.ax


class _Part(NamedTuple):
    """A node of the tree, with all that it hears to the left of it."""

    way: tuple[int, ...]  # from the target to this node
    y: float  # how far down it stands, in inches
    bottom: float  # where this part ends
    below: "Sequence[_Part]" = ()  # its sources
    more: int = 0  # how many of them are left out
    rows: int = 1  # how many rows this part takes

    def parts(self) -> "Iterator[_Part]":
        """All parts of the tree, sources first."""
        for part in self.below:
            yield from part.parts()
        yield self


def _grow(heard: Sequence, way: tuple, most: list[int], top: float = 0.0) -> _Part:
    """The tree at the end of `way`, from `top` down, with so many sources by layer."""
    sources = heard[way[-1]].tolist() if most else []
    # Nodes on the way are the last to be left out: they show that we meet again.
    room = sum(most[:1])
    room += len(sources) == room + 1  # "1 more" takes as much room
    kept = sorted(sorted(sources, key=lambda j: (j not in way, j))[:room])
    below = []
    for j in kept:
        below.append(_grow(heard, (*way, j), most[1:], top))
        top = below[-1].bottom
    if not below:
        return _Part(way, top + 0.145, top + 0.29)
    more, rows = len(sources) - len(kept), sum(part.rows for part in below)
    y = (below[0].y + below[-1].y) / 2
    top += 0.29 * (more > 0)
    return _Part(way, y, top + 0.09, below, more, rows + (more > 0))


def _draw_part(pen: Pen, part: _Part, columns: Any, face: str, features: str) -> None:
    """One node, whose sources stand in the next column, with arrows and features."""
    x, y, i = columns[0], part.y, part.way[-1]
    wide = max(0.3, 0.09 * len(str(i)) + 0.1)
    pill = {"facecolor": face, "edgecolor": "black", "lw": 0.9, "zorder": 3}
    pill["gid"] = " ".join(map(str, ("way", *part.way)))
    pen.frame((x - wide / 2 + 0.12, y - 0.02, wide - 0.24, 0.04), 0.11, **pill)
    pen.write((x, y), str(i), fontsize=10.5, color=look.text_on(face))
    thin = {"color": look.GREY, "lw": 1, "mutation_scale": 9, "zorder": 2}
    for source in part.below:
        gid = " ".join(map(str, ("from", *source.way)))
        start, end = (columns[1] + 0.17, source.y), (x - wide / 2 - 0.02, y)
        pen.arrow(start, end, gid=gid, **thin)
    if part.more:
        place, text = (columns[1], part.bottom - 0.24), f"… {part.more} more"
        pen.write(place, text, fontsize=10, color=look.GREY)
    if features:
        pen.write((x - wide / 2 - 0.07, y), features, ha="right", fontsize=10)


def _features(graph: GraphData) -> list[str]:
    """Every node's features as a text, or nothing where they are many or long."""
    nothing = [""] * graph.num_nodes
    if graph.x is None or graph.x.shape[1] > 4:
        return nothing
    try:
        x = checked(graph.x.to_dense(), "x", (graph.num_nodes, "F")).astype(float)
        texts = [f"({text})" for text in sketch.printed(x, 0.5, "x", ", ")]
    except ValueError:
        return nothing
    return texts if max(map(len, texts)) <= 16 else nothing


def mailboxes(
    graph: GraphData,
    messages: Any = None,
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw every target's mailbox, stacked as DGL hands them to a reduce function.

    A row is a target and the messages that arrive there, one box per incoming edge. The
    B targets of one in-degree D form a bucket: their mailboxes become one tensor
    `[B, D, F']`, on which the reduce function is called once. Targets without incoming
    edges come last.

    Args:
        graph: at most 8 nodes, 30 edges and 8 incoming edges per node.
        messages: `[E, F']` in the order of `graph.src, graph.dst`, $F'$ at most 4,
            printed with at most two decimals; None prints the sources alone.
        title: replaces the default title; the graph's name is put in front.
        ax: where to draw, 6 inches wide; None makes a figure.

    Returns:
        The axes. A circle's `get_gid()` is `"target i"`, a box's `"message e"` with
        the edge's number e, a bucket's frame's `"bucket D"`.

    Raises:
        ValueError: the graph is too large, or `messages` does not fit it, is not
            finite or has more than 4 columns.

    >>> diagrams.mailboxes(GraphData.from_edges([0, 1], [2, 2]))
    <Axes: title=...>
    """
    src, dst = ends(graph).T
    degrees = to_numpy(graph.in_degrees)  # [N]
    sketch.at_most(8, graph.num_nodes, "nodes", graph.name)
    sketch.at_most(30, graph.num_edges, "edges", graph.name)
    sketch.at_most(8, degrees.max(), "edges into one node", graph.name)
    buckets = np.unique(degrees[degrees > 0])
    alone = np.flatnonzero(degrees == 0)
    # All lengths are inches, y downwards.
    wide = min(1.0, (ROOM - _LEFT - 0.75) / max(degrees.max(), 1))
    lines, size, numbers = 0, "F'", [""] * graph.num_edges
    if messages is not None:
        values = checked(messages, "messages", (graph.num_edges, "F'"))
        lines = values.shape[1]
        sketch.at_most(4, lines, "numbers in a message", graph.name)
        numbers, size = sketch.printed(values, wide - 0.04, "messages"), f"F'={lines}"
    tall = 0.4 + 0.19 * lines
    rows = graph.num_nodes - len(alone)
    height = rows * tall + 0.86 * len(buckets) + (0.7 if len(alone) else -0.15)
    with look.canvas(ax, height + 0.6) as ax:
        look.bare(ax, xlim=(0, ROOM), ylim=(height, 0))
        calls = many(len(buckets), "reduce call")
        text = f"mailboxes of equal length make one tensor: {calls}"
        look.title(ax, title or text, graph.name)
        pen, top = Pen(ax), 0.0
        heading = {"ha": "left", "fontsize": 11.5, "weight": "bold"}
        for degree in buckets:
            targets = np.flatnonzero(degrees == degree)
            count = len(targets)
            text = f"degree {degree}: one call on [B={count}, D={degree}, {size}]"
            pen.write((0, top + 0.14), text, **heading)
            top += 0.56
            _draw_bucket(pen, top, (degree * wide, count * tall), degree, count)
            for i in targets:
                pen.node((0.3, top + tall / 2), i)
                for d, e in enumerate(np.flatnonzero(dst == i)):
                    left, middle = _LEFT + d * wide, _LEFT + (d + 0.5) * wide
                    place = (left + 0.03, top + 0.03, wide - 0.06, tall - 0.06)
                    pen.box(place, "", f"message {e}")
                    paint = {"fontsize": 10, "color": look.GREY}
                    pen.write((middle, top + 0.2), f"from {src[e]}", **paint)
                    if lines:
                        place = (middle, top + 0.28 + 0.095 * lines)
                        pen.write(place, numbers[e], linespacing=1.15)
                top += tall
            top += 0.3
        if len(alone):
            pen.write((0, top + 0.14), "degree 0: no mailbox, no call", **heading)
            for k, i in enumerate(alone):
                pen.node((0.3 + 0.5 * k, top + 0.5), i, linestyle="--")
    return ax


def _draw_bucket(pen: Pen, top: float, size: tuple, degree: int, count: int) -> None:
    """The frame of mailboxes of one degree, and how wide and high it is."""
    right, bottom = _LEFT + size[0], top + size[1]
    pen.write((0.3, top - 0.17), "target", fontsize=10, color=look.GREY)
    line = {"arrowstyle": "|-|,widthA=0.25,widthB=0.25", "mutation_scale": 12}
    line |= {"lw": 1, "zorder": 1}
    pen.arrow((_LEFT, top - 0.17), (right, top - 0.17), **line)
    place = ((_LEFT + right) / 2, top - 0.17)
    pen.write(place, f"D = {degree}", bbox=look.WHITE_BOX)
    pen.arrow((right + 0.17, top), (right + 0.17, bottom), **line)
    place = (right + 0.17, (top + bottom) / 2)
    pen.write(place, f"B = {count}", (5, 0), ha="left")
    paint = {"facecolor": "#dcebf7", "lw": 1.5, "gid": f"bucket {degree}"}
    pen.frame((_LEFT, top, *size), **paint)


def sparse_products(
    graph: GraphData, *, target: int = 0, title: str | None = None
) -> np.ndarray:
    r"""Draw the two sparse products of graph attention, SDDMM above SpMM.

    An SDDMM (sampled dense-dense matrix product) computes the scores of equation (2)
    in the cells that are edges. An SpMM (sparse-dense matrix product) is the sum of
    equation (4). In every matrix a row is a target. In the upper panel the edge from
    the target's largest source is highlighted, in the lower one the target's row.

    Args:
        graph: at most 8 nodes, no edge twice.
        target: the target $i$ to highlight; it needs an incoming edge.
        title: replaces the default title; the graph's name is put in front.

    Returns:
        The two axes, SDDMM and SpMM, `[2]`. A cell's `get_gid()` is its matrix, row
        and column: `"s_dst i 0"`, `"s_src 0 j"` and `"scores i j"` above,
        `"alpha i j"`, `"Z j f"` and `"heads i f"` below. Highlighted cells are
        vermilion.

    Raises:
        IndexError: there is no such target.
        ValueError: the graph has more than 8 nodes or an edge twice, or the target
            has no incoming edge.

    >>> diagrams.sparse_products(GraphData.from_edges([0, 1], [2, 2]), target=2).shape
    (2,)
    """
    n = graph.num_nodes
    sketch.at_most(8, n, "nodes", graph.name)
    check_index("target", target, n)
    counts = to_numpy(graph.dense_adjacency())
    if counts.max() > 1:
        i, j = np.argwhere(counts > 1)[0]
        raise ValueError(
            f"edge {j} -> {i} is in the graph {counts[i, j]:.0f} times; a matrix has "
            "one cell for it, so remove the others"
        )
    edges = counts > 0  # [N, N]
    if not edges[target].any():
        raise ValueError(f"target {target} has no incoming edge: choose another one")

    # One unit is a cell, y downwards; cells are alike in both panels.
    cell = min(0.46, (ROOM - 2.3) / (n + 2.9), ROOM / (n + 9.6))  # inches
    heights = np.array([n + 3.1, n + 1.6])
    with look.style():
        panels = look.panels(cell * heights.sum() + 1.9, 2, height_ratios=heights)[:, 0]
        above = "u_add_v: an SDDMM fills the edges' cells only"
        below = "u_mul_e + sum: an SpMM adds the neighbours' rows"
        for panel, height, text in zip(panels, heights, (above, below), strict=True):
            limits = {"xlim": (-1.1, ROOM / cell - 1.1), "ylim": (height - 1.4, -1.4)}
            look.bare(panel, **limits, anchor="W")
            look.panel_title(panel, text, 11.5)
        _draw_sddmm(Pen(panels[0]), edges, target)
        _draw_spmm(Pen(panels[1]), edges, target, 32 * cell)
        text = title or "both products work on the edges alone"
        look.heading(panels[0].figure, text, graph.name, 0.01)
    return panels


def _draw_sddmm(pen: Pen, edges: np.ndarray, target: int) -> None:
    """The matrix of scores, and how the target's last one is computed."""
    n, source = len(edges), np.flatnonzero(edges[target])[-1]
    here, there = np.arange(n) == target, np.arange(n) == source
    _draw_cells(pen, "s_dst", (0, 1.6), np.ones((n, 1), bool), here[:, None])
    _draw_cells(pen, "s_src", (1.6, 0), np.ones((1, n), bool), there[None])
    _draw_cells(pen, "scores", (1.6, 1.6), edges, np.outer(here, there))
    _number(pen, n, 1.6)
    pen.write((0.5, 1.25), "s_dst")
    pen.write((1.45, 0.5), "s_src", ha="right")
    pen.write((1.6 + n / 2, -1.0), "source j")
    pen.write((-0.95, 1.6 + n / 2), "target i", rotation=90)
    x, y = 2.1 + source, 2.1 + target
    pen.arrow((0.5, y), (x - 0.2, y), lw=1.8, gid="from s_dst")
    pen.arrow((x, 0.5), (x, y - 0.2), lw=1.8, gid="from s_src")
    at = {"ha": "left", "linespacing": 1.4}
    text = f"computed:\n|E| = {edges.sum()} cells\nof N² = {n * n}"
    pen.write((n + 2.2, 1.6 + 0.28 * n), text, **at)
    text = f"cell ({target}, {source}):\ns_dst[{target}] + s_src[{source}]"
    pen.write((n + 2.2, 1.6 + 0.75 * n), text, color=sketch.STRONG, **at)


def _draw_spmm(pen: Pen, edges: np.ndarray, target: int, size: float) -> None:
    """Weights times features; `size` is that of the letters in the cells."""
    n, sources = len(edges), np.flatnonzero(edges[target])
    here, picked = np.arange(n) == target, edges[target]
    second, third = n + 1.2, n + 4.4
    dense = np.ones((n, 2), dtype=bool)
    _draw_cells(pen, "alpha", (0, 0), edges, np.outer(here, picked))
    _draw_cells(pen, "Z", (second, 0), dense, picked[:, None] & dense)
    _draw_cells(pen, "heads", (third, 0), dense, here[:, None] & dense)
    _number(pen, n, 0)
    white = {"color": "white", "fontsize": size}
    for j in sources:
        text = rf"$\alpha_{{{target}{j}}}$"
        pen.write((j + 0.5, target + 0.5), text, **white)
        pen.write((second + 0.5, j + 0.5), f"$z_{j}$", **white)
    pen.write((third + 0.5, target + 0.5), "sum", color="white", fontsize=10)
    pen.write((n / 2, -1.0), r"$\alpha$ [N, N]")
    pen.write((second + 1, -1.0), "Z [N, F']")
    pen.write((third + 1, -1.0), "sum (4) [N, F']")
    pen.write((n + 0.6, n / 2), "×", fontsize=15)
    pen.write((third - 0.6, n / 2), "=", fontsize=15)
    note = r"row i of $\alpha$ picks the rows of Z in $\mathcal{N}(i)$"
    inside = sketch.neighbours(target, sources)
    pen.ax.set_xlabel(f"{note}\nhere i = {target} and {inside}", fontsize=11)


def _number(pen: Pen, count: int, corner: float) -> None:
    """The numbers of a square matrix's columns and rows."""
    for k in range(count):
        pen.write((corner + 0.5 + k, -0.35), str(k))
        pen.write((-0.35, corner + 0.5 + k), str(k))


def _draw_cells(
    pen: Pen, name: str, corner: tuple, filled: np.ndarray, strong: np.ndarray
) -> None:
    """A matrix as squares, `filled` and `strong` bool of its shape."""
    faces = np.where(filled, sketch.FILLED, sketch.EMPTY)
    faces[strong] = sketch.STRONG
    for (i, j), face in np.ndenumerate(faces):
        place = (corner[0] + j, corner[1] + i, 1, 1)
        pen.box(place, "", f"{name} {i} {j}", facecolor=face, edgecolor="white", lw=1.2)
