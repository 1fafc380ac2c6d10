"""Pictures of message passing on a small graph (chapters 2 and 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from gat_course import sparse
from gat_course.plotting.look import (
    _GREY,
    _PLAIN_NODE,
    _STYLE,
    _WHITE_BOX,
    _WIDTH,
    CLASS_COLOURS,
    _bare,
    _canvas,
    _named,
    _text_on,
    _title,
    _write,
    style,
)
from gat_course.plotting.sketch import (
    _EMPTY,
    _FILLED,
    _NARROW,
    _NARROW_ROOM,
    _ROOM,
    _STRONG,
    _TENSOR,
    _arrow,
    _at_most,
    _heading_of,
    _incoming,
    _printed,
    _target,
)
from gat_course.plotting.values import _array, _many, _numpy

if TYPE_CHECKING:
    from gat_course.graph import GraphData


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
        The axes. The `get_gid()` of a node is the way to it from the target, such as
        `"way 0 3 4"`, and that of an arrow `"from 0 3 4"`.

    Raises:
        IndexError: there is no such node.
        ValueError: the node has no incoming edge, or `num_layers` is not 1, 2 or 3.
    """
    if num_layers not in (1, 2, 3):
        raise ValueError(f"num_layers must be 1, 2 or 3, got {num_layers}")
    _incoming(graph, node)
    src, dst = _numpy(graph.src), _numpy(graph.dst)
    hears = cache(lambda i: sorted(src[dst == i].tolist()))
    leaves = np.zeros(graph.num_nodes, dtype=int)  # how often each node is a leaf
    leaves[node] = 1
    for _ in range(num_layers):
        arrived, leaves = leaves, np.zeros_like(leaves)
        np.add.at(leaves, src, arrived[dst])

    # Fewer sources are drawn, at the leaves first, until there is room.
    most = [8] * num_layers
    while _rows(tree := _tree(hears, (node,), most)) > 22:
        depth = max((d for d in range(num_layers) if most[d] > 2), default=0)
        most[depth] -= 1
    boughs: list[tuple] = []
    bottom = _spread(tree, 0.0, boughs)[1]
    drawn = Counter(way[-1] for way, _, _, _ in boughs)
    repeated = [i for i, times in drawn.most_common() if times > 1]
    colours = dict(zip(repeated, CLASS_COLOURS, strict=False))
    features = _vectors(graph)

    # All lengths are inches, y downwards.
    longest = max(map(len, features), default=0)
    left = 0.75 if num_layers > 1 else 1.2
    left = max(left, 0.3 + 0.085 * longest)
    right = _NARROW_ROOM - (0.25 if num_layers > 1 else 1)
    columns = np.linspace(right, left, num_layers + 1)  # from the target on
    with _canvas(None, bottom + 1.5, _NARROW) as ax:
        _bare(ax)
        ax.set(xlim=(0, _NARROW_ROOM), ylim=(bottom, -0.5))
        layers = _many(num_layers, "layer")
        count = _many(int((leaves > 0).sum()), "node")
        text = f"{layers} bring node {node} the features of {count}"
        _heading_of(ax, title or text, graph.name)
        _write(ax, (left + 0.15, -0.3), "features", ha="right", color=_GREY)
        for depth, x in enumerate((columns[1:] + columns[:-1]) / 2):
            _write(ax, (x, -0.3), f"layer {num_layers - depth}", color=_GREY)
        for way, y, sources, more in boughs:
            depth, i = len(way) - 1, way[-1]
            x, face = columns[depth], colours.get(i, _PLAIN_NODE)
            wide = max(0.3, 0.09 * len(str(i)) + 0.1)
            pill = FancyBboxPatch((x - wide / 2 + 0.12, y - 0.02), wide - 0.24, 0.04)
            pill.set(boxstyle="round,pad=0.11", facecolor=face, edgecolor="black")
            pill.set(gid=" ".join(map(str, ("way", *way))), linewidth=0.9, zorder=3)
            ax.add_patch(pill)
            _write(ax, (x, y), str(i), fontsize=10.5, color=_text_on(face))
            for j, height in sources:
                start = (columns[depth + 1] + 0.17, height)
                end = (x - wide / 2 - 0.02, y)
                gid = " ".join(map(str, ("from", *way, j)))
                look = {"color": _GREY, "linewidth": 1, "mutation_scale": 9}
                _arrow(ax, start, end, gid=gid, zorder=2, **look)
            if more is not None:
                place = (columns[depth + 1], more[1])
                _write(ax, place, f"… {more[0]} more", fontsize=10, color=_GREY)
            if depth == num_layers and features:
                place = (x - wide / 2 - 0.07, y)
                _write(ax, place, features[i], ha="right", fontsize=10)
        total = int(leaves.sum())
        note = f"{_many(total, 'input')} from {count}"
        if leaves.max() > 1:
            note += ": each is there as often as heard"
        ax.set_xlabel(note, fontsize=11)
    return ax


def mailboxes(
    graph: GraphData,
    messages: Any = None,
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw every target's mailbox, stacked as DGL hands them to a reduce function.

    A row is a target and the messages that arrive there, one box per incoming edge.
    Targets of equal in-degree D form a bucket: their B mailboxes, equally long, become
    one tensor `[B, D, F']`, and the reduce function is called once on it. Targets
    without incoming edges come last.

    Args:
        graph: at most 8 nodes, 30 edges and 8 incoming edges per node.
        messages: `[E, F']` in the order of `graph.src, graph.dst`, $F'$ at most 4,
            printed with at most two decimals; None prints the sources alone.
        title: replaces the default title; the graph's name is put in front.
        ax: where to draw, 6 inches wide; None makes a figure.

    Returns:
        The axes. The patches' `get_gid()` is `"target i"` for a circle, `"message e"`
        for the box of edge e and `"bucket D"` for the frame of a bucket.

    Raises:
        ValueError: the graph is too large, or `messages` does not fit it, is not
            finite or has more than 4 columns.
    """
    src, dst = _numpy(graph.src), _numpy(graph.dst)  # [E], [E]
    degrees = _numpy(graph.in_degrees)  # [N]
    _at_most(8, graph.num_nodes, "nodes", graph.name)
    _at_most(30, graph.num_edges, "edges", graph.name)
    _at_most(8, degrees.max(), "edges into one node", graph.name)
    buckets = sorted(set(degrees[degrees > 0].tolist()))
    alone = np.flatnonzero(degrees == 0)
    # All lengths are inches, y downwards.
    left = 0.75
    wide = min(1.0, (_ROOM - left - 0.75) / max(degrees.max(), 1))
    lines, size = 0, "F'"
    if messages is not None:
        values = _array(messages, "messages", (graph.num_edges, "F'"))
        lines = values.shape[1]
        _at_most(4, lines, "numbers in a message", graph.name)
        numbers, size = _printed(values, wide - 0.04), f"F'={lines}"
    tall = 0.4 + 0.19 * lines
    rows = graph.num_nodes - len(alone)
    height = rows * tall + 0.86 * len(buckets) + (0.7 if len(alone) else -0.15)
    with _canvas(ax, height + 0.6) as ax:
        _bare(ax)
        ax.set(xlim=(0, _ROOM), ylim=(height, 0))
        calls = _many(len(buckets), "reduce call")
        text = f"mailboxes of equal length make one tensor: {calls}"
        _title(ax, title or text, graph.name)
        heading = {"ha": "left", "fontsize": 11.5, "weight": "bold"}
        top = 0.0
        for degree in buckets:
            targets = np.flatnonzero(degrees == degree)
            count, right = len(targets), left + degree * wide
            text = f"degree {degree}: one call on [B={count}, D={degree}, {size}]"
            _write(ax, (0, top + 0.14), text, **heading)
            top += 0.56
            bottom = top + count * tall
            _write(ax, (0.3, top - 0.17), "target", fontsize=10, color=_GREY)
            _measure(ax, (left, top - 0.17), (right, top - 0.17), f"D = {degree}")
            _measure(ax, (right + 0.17, top), (right + 0.17, bottom), f"B = {count}")
            frame = FancyBboxPatch((left, top), right - left, bottom - top)
            frame.set(boxstyle="round,pad=0.06", gid=f"bucket {degree}")
            frame.set(facecolor=_TENSOR, edgecolor=_GREY, linewidth=1.5)
            ax.add_patch(frame)
            for i in targets:
                _target(ax, (0.3, top + tall / 2), i)
                for d, e in enumerate(np.flatnonzero(dst == i)):
                    corner = (left + d * wide + 0.03, top + 0.03)
                    look = {"facecolor": "white", "edgecolor": _GREY, "lw": 0.8}
                    box = Rectangle(corner, wide - 0.06, tall - 0.06, **look)
                    box.set_gid(f"message {e}")
                    ax.add_patch(box)
                    middle = left + (d + 0.5) * wide
                    place = (middle, top + 0.2)
                    _write(ax, place, f"from {src[e]}", fontsize=10, color=_GREY)
                    if lines:
                        place = (middle, top + 0.28 + 0.095 * lines)
                        _write(ax, place, numbers[e], linespacing=1.15)
                top += tall
            top += 0.3
        if len(alone):
            _write(ax, (0, top + 0.14), "degree 0: no mailbox, no call", **heading)
            for k, i in enumerate(alone):
                _target(ax, (0.3 + 0.5 * k, top + 0.5), i, linestyle="--")
    return ax


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
    """
    n = graph.num_nodes
    _at_most(8, n, "nodes", graph.name)
    if not 0 <= target < n:
        raise IndexError(f"target must be 0 to {n - 1}, got {target}")
    counts = _numpy(graph.dense_adjacency())
    if counts.max() > 1:
        i, j = np.argwhere(counts > 1)[0]
        raise ValueError(
            f"edge {j} -> {i} is in the graph {counts[i, j]:.0f} times; a matrix has "
            "one cell for it, so remove the others"
        )
    edges = counts > 0  # [N, N]
    sources = np.flatnonzero(edges[target])
    if len(sources) == 0:
        raise ValueError(f"target {target} has no incoming edge: choose another one")
    source = sources[-1]
    nodes = np.arange(n)
    here, there = nodes == target, nodes == source
    picked = edges[target]
    dense = np.ones((n, 2), dtype=bool)

    # One unit is a cell, y downwards; cells are alike in both panels.
    cell = min(0.46, (_ROOM - 2.3) / (n + 2.9), _ROOM / (n + 9.6))  # inches
    room = _ROOM / cell - 1.1
    with style():
        heights = np.array([n + 3.1, n + 1.6])
        size = (_WIDTH, cell * heights.sum() + 1.9)
        figure = plt.figure(figsize=size, layout="constrained")
        panels = figure.subplots(2, 1, height_ratios=heights)
        for panel, top, height in zip(panels, (-1.4, -1.4), heights, strict=True):
            _bare(panel)
            panel.set(xlim=(-1.1, room), ylim=(top + height, top), anchor="W")
        above, below = panels

        _cells(above, "s_dst", (0, 1.6), np.ones((n, 1), bool), here[:, None])
        _cells(above, "s_src", (1.6, 0), np.ones((1, n), bool), there[None])
        _cells(above, "scores", (1.6, 1.6), edges, np.outer(here, there))
        _write(above, (0.5, 1.25), "s_dst")
        _write(above, (1.45, 0.5), "s_src", ha="right")
        _write(above, (1.6 + n / 2, -1.0), "source j")
        _write(above, (-0.95, 1.6 + n / 2), "target i", rotation=90)
        for k in nodes:
            _write(above, (2.1 + k, -0.35), str(k))
            _write(above, (-0.35, 2.1 + k), str(k))
            _write(below, (0.5 + k, -0.35), str(k))
            _write(below, (-0.35, 0.5 + k), str(k))
        place = np.array([2.1 + source, 2.1 + target])
        for gid, start, end in (
            ("from s_dst", (0.5, place[1]), place - (0.2, 0)),
            ("from s_src", (place[0], 0.5), place - (0, 0.2)),
        ):
            arrow = FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=13)
            arrow.set(color="black", linewidth=1.8, gid=gid, zorder=4)
            arrow.shrinkA = arrow.shrinkB = 0
            above.add_patch(arrow)
        at = {"ha": "left", "linespacing": 1.4}
        text = f"computed:\n|E| = {len(graph.src)} cells\nof N² = {n * n}"
        _write(above, (n + 2.2, 1.6 + 0.28 * n), text, **at)
        text = f"cell ({target}, {source}):\ns_dst[{target}] + s_src[{source}]"
        _write(above, (n + 2.2, 1.6 + 0.75 * n), text, color=_STRONG, **at)

        second, third = n + 1.2, n + 4.4
        _cells(below, "alpha", (0, 0), edges, np.outer(here, picked))
        _cells(below, "Z", (second, 0), dense, picked[:, None] & dense)
        _cells(below, "heads", (third, 0), dense, here[:, None] & dense)
        white = {"color": "white", "fontsize": 32 * cell}
        for j in sources:
            _write(
                below, (j + 0.5, target + 0.5), rf"$\alpha_{{{target}{j}}}$", **white
            )
            _write(below, (second + 0.5, j + 0.5), f"$z_{j}$", **white)
        names = (r"$\alpha$ [N, N]", "Z [N, F']", "sum (4) [N, F']")
        for middle, text in zip((n / 2, second + 1, third + 1), names, strict=True):
            _write(below, (middle, -1.0), text)
        _write(below, (third + 0.5, target + 0.5), "sum", **white | {"fontsize": 10})
        _write(below, (n + 0.6, n / 2), "×", fontsize=15)
        _write(below, (third - 0.6, n / 2), "=", fontsize=15)
        inside = ", ".join(map(str, sources))
        below.set_xlabel(
            r"row i of $\alpha$ picks the rows of Z in $\mathcal{N}(i)$"
            f"\nhere i = {target} and $\\mathcal{{N}}({target})$ = {{{inside}}}",
            fontsize=11,
        )
        for panel, text in (
            (above, "u_add_v: an SDDMM fills the edges' cells only"),
            (below, "u_mul_e + sum: an SpMM adds the neighbours' rows"),
        ):
            panel.set_title(text, loc="left", fontsize=11.5, fontweight="normal")
        text = title or "both products work on the edges alone"
        look = {"fontsize": _STYLE["axes.titlesize"], "fontweight": "bold"}
        figure.suptitle(_named(text, graph.name, 54), x=0.01, ha="left", **look)
    return panels


def _tree(hears: Callable, way: tuple, most: list[int]) -> tuple:
    """The node at the end of `way`, the trees below it, and how many are left out."""
    if not most:
        return way, [], 0
    sources = hears(way[-1])
    # The nodes on the way are the last to be left out: they show that we meet again.
    room = most[0] + (len(sources) == most[0] + 1)  # "1 more" takes as much room
    kept = sorted(sorted(sources, key=lambda j: (j not in way, j))[:room])
    trees = [_tree(hears, (*way, j), most[1:]) for j in kept]
    return way, trees, len(sources) - len(kept)


def _rows(tree: tuple) -> int:
    _, trees, more = tree
    return max(1, sum(map(_rows, trees)) + (more > 0))


def _spread(tree: tuple, top: float, boughs: list[tuple]) -> tuple[float, float]:
    """Where a tree's node stands and where the tree ends, both in inches.

    Adds to `boughs` for every node its way, its height, its sources with theirs, and
    how many more there are and where to say so, or None.
    """
    (way, trees, more), sources, note = tree, [], None
    for below in trees:
        y, top = _spread(below, top, boughs)
        sources.append((below[0][-1], y))
    if more:
        note, top = (more, top + 0.14), top + 0.29
    if trees:
        y = (sources[0][1] + sources[-1][1]) / 2
        top += 0.09
    else:
        y, top = top + 0.145, top + 0.29
    boughs.append((way, y, sources, note))
    return y, top


def _vectors(graph: GraphData) -> list[str]:
    """Every node's features as a text, or nothing where they are many or long."""
    if graph.x is None or graph.x.shape[1] > 4:
        return []
    x = graph.x.to_dense() if sparse.is_csr(graph.x) else graph.x
    try:
        texts = _printed(_array(x, "x", (graph.num_nodes, "F")).astype(float), 0.5)
    except ValueError:
        return []
    texts = [f"({text})".replace("\n", ", ") for text in texts]
    return texts if max(map(len, texts)) <= 16 else []


def _measure(ax: Axes, start: tuple, end: tuple, text: str) -> None:
    """A line with two ends, and beside or on it what it measures."""
    line = FancyArrowPatch(start, end, arrowstyle="|-|,widthA=0.25,widthB=0.25")
    line.set(color="black", linewidth=1, mutation_scale=12)
    line.shrinkA = line.shrinkB = 0
    ax.add_patch(line)
    if start[0] == end[0]:
        middle = (start[0], (start[1] + end[1]) / 2)
        _write(ax, middle, text, (5, 0), ha="left")
    else:
        _write(ax, ((start[0] + end[0]) / 2, start[1]), text, bbox=_WHITE_BOX)


def _cells(
    ax: Axes, name: str, corner: tuple, filled: np.ndarray, strong: np.ndarray
) -> None:
    """A matrix as squares, `filled` and `strong` bool of its shape."""
    for i, j in np.ndindex(filled.shape):
        face = _STRONG if strong[i, j] else _FILLED if filled[i, j] else _EMPTY
        cell = Rectangle((corner[0] + j, corner[1] + i), 1, 1, facecolor=face)
        cell.set(edgecolor="white", linewidth=1.2, gid=f"{name} {i} {j}")
        ax.add_patch(cell)
