"""Schematic pictures of attention and message passing on a small graph.

How an edge gets its weight (chapter 1), what several layers hear (chapter 2), what DGL
hands to a reduce function and the two sparse products behind its built-ins (chapter 3),
and several heads at once (chapter 4). Every number is computed from what the function
is handed. The look is that of `plotting`: phone-sized, white, readable in grey.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import (
    Circle,
    FancyArrowPatch,
    FancyBboxPatch,
    PathPatch,
    Polygon,
    Rectangle,
)
from matplotlib.path import Path

from gat_course import sparse
from gat_course.plotting import (
    _GREY,
    _PLAIN_NODE,
    _STYLE,
    _WHITE_BOX,
    _WIDTH,
    CLASS_COLOURS,
    _array,
    _bare,
    _canvas,
    _many,
    _named,
    _numpy,
    _text_on,
    _title,
    _write,
    style,
)

if TYPE_CHECKING:
    from gat_course.graph import GraphData

_ROOM = _WIDTH - 0.2  # inches, without the figure's margins
_NARROW = 5.0  # inches, of the pictures that hold less
_NARROW_ROOM = _NARROW - 0.2
_STRONG = "#c0360a"  # vermilion, L* 44
_FILLED = "#9cc4e4"  # pale blue, L* 77
_EMPTY = "#efefef"
_TENSOR = "#dcebf7"
_DST = "#d3e6f5"  # what the target brings, L* 90
_SRC = "#fcc98f"  # what the source brings, L* 84
_HEADS = (
    ("#0281dd", "-"),
    ("#c0360a", (0, (2.4, 0.9))),
    ("#005c3c", (0, (0.9, 0.7))),
    ("#700055", (0, (3, 0.8, 0.8, 0.8))),
)


def score(
    graph: GraphData,
    z: Any,
    att_dst: Any,
    att_src: Any,
    target: int,
    source: int,
    *,
    negative_slope: float = 0.2,
    title: str | None = None,
) -> Axes:
    r"""Draw how one edge gets its weight: equations (2) and (3) in numbers.

    From the top: $z_i$ and $z_j$ joined, times the two halves of $a$; LeakyReLU of the
    sum; and the softmax, which needs the scores of the target's other sources too.

    Args:
        graph: at most 6 edges may end at the target.
        z: $z = xW$ of one head, `[N, F']`, $F'$ at most 3.
        att_dst: $a_\mathrm{dst}$ of that head, `[F']`.
        att_src: $a_\mathrm{src}$, `[F']`.
        target: the target $i$.
        source: the source $j$ of an edge $j \to i$.
        negative_slope: LeakyReLU's slope below zero.
        title: replaces the default title; the graph's name is put in front.

    Returns:
        The axes. The number in a box is what the box's `get_gid()` says: `"z_dst f"`,
        `"z_src f"`, `"a_dst f"`, `"a_src f"`, `"sum"`; and for each edge e that ends
        at the target `"e e"`, `"exp e"` and the bar `"alpha e"`.

    Raises:
        IndexError: there is no such node.
        ValueError: there is no such edge, a shape does not fit, `negative_slope` is
            not in [0, 1], there are too many sources or features, or a number is not
            finite or too long for its box.
    """
    if not 0 <= negative_slope <= 1:
        raise ValueError(f"negative_slope must be from 0 to 1, got {negative_slope}")
    for what, node in (("target", target), ("source", source)):
        if not 0 <= node < graph.num_nodes:
            raise IndexError(f"{what} must be 0 to {graph.num_nodes - 1}, got {node}")
    z = _array(z, "z", (graph.num_nodes, "F'")).astype(float)
    count = z.shape[1]
    _at_most(3, count, "features in z", graph.name)
    att_dst = _array(att_dst, "att_dst", (count,)).astype(float)
    att_src = _array(att_src, "att_src", (count,)).astype(float)
    edges = _incoming(graph, target)
    edges = edges[np.argsort(_numpy(graph.src)[edges], kind="stable")]
    _at_most(6, len(edges), "edges into one node", graph.name)
    sources = _numpy(graph.src)[edges]  # [n]
    if source not in sources:
        raise ValueError(
            f"there is no edge {source} -> {target} in {graph.name!r}; node {target} "
            f"hears {', '.join(map(str, sources))}"
        )
    here = int(np.flatnonzero(sources == source)[0])
    s_dst, s_src = z[target] @ att_dst, z[sources] @ att_src
    sums = s_dst + s_src  # [n]
    scores = np.where(sums > 0, sums, negative_slope * sums)
    largest = scores.max() if np.abs(scores).max() > 6 else 0.0
    powers = np.exp(scores - largest)  # short enough to be printed
    weighted = graph.edge_weight is not None
    if weighted:
        powers = powers * _numpy(graph.edge_weight)[edges]
    alpha = powers / powers.sum()

    # All lengths are inches, y downwards.
    middle = _NARROW_ROOM / 2
    cell = min(0.56, (middle - 0.72) / count)  # of a vector
    wide = min(0.66, (_NARROW_ROOM - 1.74) / len(edges))  # of a source's column
    sides = (  # the target's half of the score is on the left
        (-1, "dst", "target", target, _DST),
        (1, "src", "source", source, _SRC),
    )
    vectors = [
        [_printed(row[:, None], cell - 0.04, "z or a") for row in rows]
        for rows in ((z[target], att_dst), (z[source], att_src))
    ]
    columns = [
        _printed(row[:, None], wide, name)
        for row, name in ((scores, "e"), (powers, "exp(e)"), (alpha, "alpha"))
    ]
    pair = [_short(value, 0.7) for value in (s_dst, s_src[here], sums[here])]
    with _canvas(None, 6.5, _NARROW) as ax:
        _bare(ax)
        ax.set(xlim=(0, _NARROW_ROOM), ylim=(6.11, 0))
        text = f"how node {target} weighs node {source}"
        _heading_of(ax, title or text, graph.name)

        # z_i and z_j side by side, below them the halves of a.
        for side, half, role, node, face in sides:
            inner, outer = middle + 0.14 * side, middle + (0.14 + count * cell) * side
            centre, align = (inner + outer) / 2, "left" if side > 0 else "right"
            _target(ax, (centre, 0.19), node, facecolor=face)
            _write(ax, (centre + 0.25 * side, 0.19), role, ha=align, color=_GREY)
            product = rf"a_\mathrm{{{half}}}"
            for top, name, label, texts in (
                (0.46, "z", f"$z_{{{node}}}$", vectors[side > 0][0]),
                (0.96, "a", f"${product}$", vectors[side > 0][1]),
            ):
                for f, text in enumerate(texts):
                    place = (min(inner, outer) + f * cell, top, cell, 0.34)
                    _box(ax, place, text, f"{name}_{half} {f}", facecolor=face)
                _write(ax, (outer + 0.09 * side, top + 0.17), label, ha=align)
            _write(ax, (centre, 0.88), "×")
            text = rf"${product}^\top z_{{{node}}}$ = {pair[side > 0]}"
            _write(ax, (centre, 1.53), text)
            _arrow(ax, (centre, 1.68), (middle + 0.4 * side, 2.0))
        for top, text in ((0.63, "‖"), (1.53, "+")):
            _write(ax, (middle, top), text, fontsize=13)

        # LeakyReLU, and the sum's place on it.
        place = (middle - 0.36, 1.86, 0.72, 0.32)
        _box(ax, place, pair[2], "sum")
        _arrow(ax, (middle, 2.18), (middle, 2.46))
        _leaky_relu(ax, (middle, 2.54), sums[here], negative_slope)
        _write(ax, (middle - 0.92, 2.97), "LeakyReLU", ha="right")
        text = f"below 0:\ntimes {negative_slope:g}"
        _write(ax, (middle + 0.92, 2.97), text, ha="left", color=_GREY)

        # The softmax over all of the target's sources.
        left = max(1.14, middle - wide * len(edges) / 2)
        right = left + wide * len(edges)
        frame = FancyBboxPatch((left, 4.58), right - left, 1.06)
        frame.set(boxstyle="round,pad=0.06", facecolor=_EMPTY, edgecolor=_GREY)
        ax.add_patch(frame)
        inside = ", ".join(map(str, sources))
        text = rf"softmax over $\mathcal{{N}}({target})$ = {{{inside}}}"
        _write(ax, ((left + right) / 2, 4.35), text)
        power = "exp(e − max)" if largest else rf"$\exp(e_{{{target}j}})$"
        power = f"w {power}" if weighted else power
        for top, text, total in (
            (4.02, rf"score $e_{{{target}j}}$", None),
            (4.78, power, powers.sum()),
            (5.38, rf"weight $\alpha_{{{target}j}}$", 1),
            (5.92, "source j", None),
        ):
            _write(ax, (left - 0.12, top), text, ha="right")
            if total:
                total = f"sum\n{_short(total)}"
                _write(ax, (right + 0.12, top), total, ha="left", fontsize=10)
        size = min(11, 20 * wide)
        for k, e in enumerate(edges):
            x, picked = left + (k + 0.5) * wide, k == here
            look = {"edgecolor": _STRONG, "linewidth": 2.2} if picked else {}
            for top, name, row in ((3.86, "e", columns[0]), (4.62, "exp", columns[1])):
                place = (x - wide / 2 + 0.03, top, wide - 0.06, 0.32)
                _box(ax, place, row[k], f"{name} {e}", size, **look)
            tall = 0.38 * alpha[k] / alpha.max()
            bar = Rectangle((x - 0.14, 5.64 - tall), 0.28, tall, gid=f"alpha {e}")
            bar.set(facecolor=_STRONG if picked else _FILLED, edgecolor=_GREY)
            ax.add_patch(bar)
            _write(ax, (x, 5.64 - tall - 0.12), columns[2][k])
            face = _SRC if picked else _PLAIN_NODE
            _target(ax, (x, 5.92), sources[k], facecolor=face)
            if picked:
                _arrow(ax, (middle, 3.46), (x, 3.84), color=_STRONG)
    return ax


def head_strands(
    graph: GraphData,
    alpha: Any,
    node: int,
    *,
    merge: str = "concat",
    title: str | None = None,
) -> Axes:
    r"""Draw one target and its sources, joined by one strand for each head.

    Every head weighs the same sources in its own way: the width of a strand is its
    $\alpha_{ij}$. Beside a source the weights stand below each other, head 0 first.
    Below the target is every head's sum, and how the sums become $h_i'$.

    Args:
        graph: at most 8 edges may end at the target, self-loops included.
        alpha: weights `[E, K]` in the order of `graph.src, graph.dst`, $K$ at most 4.
        node: the target $i$.
        merge: `"concat"` (hidden layers) or `"mean"` (output layer).
        title: replaces the default title; the graph's name is put in front.

    Returns:
        The axes. The `get_gid()` of a strand is `"strand e k"`, with the edge's number
        e and the head's k.

    Raises:
        IndexError: there is no such node.
        ValueError: `alpha` does not fit the graph, is not in [0, 1] or has too many
            heads, the node has no incoming edge or too many, or `merge` is unknown.
    """
    if merge not in ("concat", "mean"):
        raise ValueError(f'merge must be "concat" or "mean", got {merge!r}')
    what = f"alpha (on {graph.name!r}, with_self_loops() if the layer saw them)"
    weights = _array(alpha, what, (graph.num_edges, "K"), low=0, high=1)
    heads = weights.shape[1]
    _at_most(4, heads, "heads", graph.name)
    edges = _incoming(graph, node)
    _at_most(8, len(edges), "edges into one node", graph.name)
    sources = _numpy(graph.src)[edges]
    edges = edges[np.lexsort((sources, sources == node))]  # self-loops come last
    sources, weights = _numpy(graph.src)[edges], weights[edges]  # [n], [n, K]
    count, loops = len(edges), int((sources == node).sum())

    # All lengths are inches, y upwards, the target in the origin.
    half, size, line = _NARROW_ROOM / 2, 0.36, 0.17
    gap = min(0.11, 1.5 / (count * heads))
    thickest = 58 * gap / max(weights.max(), 1e-9)  # points for a weight of 1
    first, last = (190, 54) if loops else (187, -7)
    turns = np.linspace(first, last, max(count - loops, 2))[: count - loops]
    turns = np.append(turns, np.linspace(5, -40, max(loops, 2))[:loops])
    tall = 1.45 if count * heads <= 20 else 1.8 if count < 8 else 2.15
    places = np.array([1.7, tall]) * _unit(np.radians(turns)).T  # [n, 2]
    outs = places / np.hypot(*places.T)[:, None]
    # A source's weights stand at its side, or above it.
    sides = np.where(np.abs(outs[:, 0]) > 0.5, np.sign(outs[:, 0]), 0).astype(int)
    ups = np.where(sides == 0, 0.14 + line * heads, line * (heads - 1) / 2)
    top = max((places[:, 1] + ups).max(), size) + 0.15
    with _canvas(None, top + 2.75, _NARROW) as ax:
        _bare(ax)
        ax.set(xlim=(-half, half), ylim=(-2.35, top))
        text = f"node {node} listens with {_many(heads, 'head')}"
        _heading_of(ax, title or text, graph.name)
        rows = zip(edges, sources, weights, places, outs, sides, ups, strict=True)
        for e, j, row, place, out, side, up in rows:
            across = np.array([-out[1], out[0]])
            across = across if out[0] > 0 else -across  # head 0 is the upper strand
            for k, value in enumerate(row):
                shift = ((heads - 1) / 2 - k) * gap * across
                path = [place + shift, (size + 0.02) * out + shift]
                if j == node:
                    feet = (0.07 + 0.09 * k) * across
                    far, wide = (1.0 + 0.24 * k) * out, (0.24 + 0.16 * k) * across
                    path = [size * out + feet, far + wide]
                    path += [far - wide, (size + 0.02) * out - feet]
                _strand(ax, path, k, thickest * value, f"strand {e} {k}")
            if j == node:
                place = (0.6 + 0.18 * heads) * out
            else:
                _target(ax, place, j, zorder=4)
            corner = place + (0.24 * side, up)
            look = {"fontsize": 10.5, "ha": ("center", "left", "right")[side]}
            for k, value in enumerate(row):
                spot = corner - (0, line * k)
                _write(ax, spot, f"{value:.2f}", color=_HEADS[k][0], **look)
        circle = Circle((0, 0), size, facecolor=_PLAIN_NODE, edgecolor="black")
        circle.set(zorder=3, gid=f"target {node}")
        ax.add_patch(circle)
        _write(ax, (0, 0), str(node), fontsize=15)

        # Below the target the heads' sums, and what becomes of them.
        wide = min(1.4, (2 * half - 0.1 * heads) / heads)
        for k in range(heads):
            middle = k - (heads - 1) / 2
            x = middle * (wide + 0.1)
            start = size * _unit(np.radians(-90 + 18 * middle))
            _strand(ax, [start, (x, -0.86)], k, 2.2, f"head {k}")
            place = (x - wide / 2, -0.9, wide, -0.36)
            look = {"edgecolor": _HEADS[k][0], "linewidth": 2}
            _box(ax, place, f"sum of head {k}", f"sum {k}", min(11, 9.2 * wide), **look)
            end = middle * 0.72 if merge == "concat" else 0.1 * middle
            _strand(ax, [(x, -1.28), (end, -1.66)], k, 2.2, f"merge {k}")
            if merge == "concat":
                look["facecolor"] = _EMPTY
                _box(ax, (end - 0.34, -1.7, 0.68, -0.26), "F'", f"part {k}", **look)
        if merge == "mean":
            look = {"facecolor": _EMPTY, "edgecolor": "black", "linewidth": 1.5}
            _box(ax, (-0.34, -1.7, 0.68, -0.26), "F'", "mean", **look)
        size = "F'" if merge == "mean" or heads == 1 else f"{heads} F'"
        verb = "their mean" if merge == "mean" else "side by side"
        text = rf"$h_{{{node}}}'$: {verb}, then σ: {size} numbers"
        _write(ax, (0, -2.16), text)
    return ax


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


def _incoming(graph: GraphData, node: int) -> np.ndarray:
    """The numbers of the edges that end at `node`, of which there must be one."""
    if not 0 <= node < graph.num_nodes:
        raise IndexError(f"node must be 0 to {graph.num_nodes - 1}, got {node}")
    edges = np.flatnonzero(_numpy(graph.dst) == node)
    if len(edges) == 0:
        raise ValueError(f"node {node} of {graph.name!r} has no incoming edge")
    return edges


def _box(
    ax: Axes, place: tuple, text: str, gid: str, size: float = 11, **look: Any
) -> None:
    """A text in a box; `place` is left, top, width and height."""
    left, top, wide, tall = place
    look = {"facecolor": "white", "edgecolor": _GREY, "linewidth": 0.8} | look
    ax.add_patch(Rectangle((left, top), wide, tall, gid=gid, **look))
    _write(ax, (left + wide / 2, top + tall / 2), text, fontsize=size)


def _arrow(ax: Axes, start: tuple, end: tuple, **look: Any) -> None:
    arrow = FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=13)
    arrow.set(**({"color": "black", "linewidth": 1.6, "zorder": 4} | look))
    arrow.shrinkA = arrow.shrinkB = 0
    ax.add_patch(arrow)


def _short(value: float, room: float = 1.0) -> str:
    return _printed(np.array([[value]]), room, "a sum")[0]


def _unit(angle: Any) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)])


def _strand(ax: Axes, points: list, head: int, width: float, gid: str) -> None:
    """A straight or, with four points, bent arrow in a head's colour and line style.

    The tip is a patch of its own, for in an arrow it would be dashed as well.
    """
    colour, dashes = _HEADS[head]
    points = np.array(points, dtype=float)
    ahead = points[-1] - points[-2]
    ahead = ahead / np.hypot(*ahead)
    across = np.array([-ahead[1], ahead[0]])
    width = max(width, 0.7)
    long = (4 + 1.1 * width) / 72  # inches
    end, points[-1] = points[-1].copy(), points[-1] - 0.9 * long * ahead
    codes = [Path.MOVETO, *[Path.LINETO if len(points) == 2 else Path.CURVE4] * 3]
    look = {"facecolor": "none", "edgecolor": colour, "linestyle": dashes, "zorder": 2}
    path = Path(points, codes[: len(points)])
    ax.add_patch(PathPatch(path, linewidth=width, capstyle="butt", gid=gid, **look))
    corners = [end, end - long * ahead + 0.45 * long * across]
    corners.append(end - long * ahead - 0.45 * long * across)
    ax.add_patch(Polygon(corners, facecolor=colour, edgecolor="none", zorder=3))


def _heading_of(ax: Axes, text: str, name: str) -> None:
    """The title of a narrow picture; its axes are as wide as the figure."""
    ax.set_title(_named(text, name, 46), loc="left")


def _leaky_relu(ax: Axes, top: tuple, x: float, slope: float) -> None:
    """LeakyReLU as a curve in a frame, 1.5 by 0.86 inches, with a dot at `x`."""
    middle, high = top
    frame = FancyBboxPatch((middle - 0.75, high), 1.5, 0.86)
    frame.set(boxstyle="round,pad=0.06", facecolor=_EMPTY, edgecolor=_GREY)
    ax.add_patch(frame)
    above = 0.86 / (1 + max(slope, 0.25))  # inches above zero
    zero = high + above
    ax.plot([middle - 0.75, middle + 0.75], [zero, zero], color=_GREY, lw=0.8)
    ax.plot([middle, middle], [high, high + 0.86], color=_GREY, lw=0.8)
    scale = min(0.54, 0.93 * above) / max(abs(x), 0.5)  # inches per unit
    left = min(0.75, (0.86 - above) / max(slope, 0.01))
    for reach, look in (
        (np.array([-left / scale, 0, above / scale]), {"color": "black", "lw": 2}),
        (np.array([x]), {"marker": "o", "ms": 9, "color": _STRONG, "mec": "white"}),
    ):
        y = np.where(reach > 0, reach, slope * reach)
        gid = "curve" if len(reach) > 1 else "dot"
        ax.plot(middle + scale * reach, zero - scale * y, gid=gid, zorder=4, **look)


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


def _at_most(limit: int, got: int, what: str, name: str) -> None:
    if got > limit:
        raise ValueError(
            f"the picture has room for at most {limit} {what}, {name!r} has {got}; "
            "draw a smaller example"
        )


def _printed(values: np.ndarray, room: float, what: str = "messages") -> list[str]:
    """Each row's numbers below each other, with as many decimals as `room` inches fit,
    at most two and none for whole numbers."""
    for digits in (0,) if (values == values.round()).all() else (2, 1, 0):
        rounded = values.round(digits) + 0.0  # no -0
        texts = [[f"{v:.{digits}f}" for v in row] for row in rounded]
        # A digit is 7 points wide.
        if max((len(t) for row in texts for t in row), default=0) * 7 <= 72 * room:
            return ["\n".join(row).replace("-", "−") for row in texts]
    raise ValueError(
        f"{what} holds {values.flat[np.abs(values).argmax()]:g}, too long for its "
        "box; divide all of them by a power of ten"
    )


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


def _target(ax: Axes, place: tuple, node: int, **look: Any) -> None:
    look = {"facecolor": _PLAIN_NODE, "edgecolor": "black"} | look
    circle = Circle(place, 0.17, **look)
    circle.set_gid(f"target {node}")
    ax.add_patch(circle)
    _write(ax, place, str(node), fontsize=12 if node < 1000 else 10)


def _cells(
    ax: Axes, name: str, corner: tuple, filled: np.ndarray, strong: np.ndarray
) -> None:
    """A matrix as squares, `filled` and `strong` bool of its shape."""
    for i, j in np.ndindex(filled.shape):
        face = _STRONG if strong[i, j] else _FILLED if filled[i, j] else _EMPTY
        cell = Rectangle((corner[0] + j, corner[1] + i), 1, 1, facecolor=face)
        cell.set(edgecolor="white", linewidth=1.2, gid=f"{name} {i} {j}")
        ax.add_patch(cell)
