"""Schematic pictures of attention and message passing on a small graph.

How an edge gets its weight (chapter 1), what several layers hear (chapter 2), what DGL
hands to a reduce function and the two sparse products behind its built-ins (chapter 3),
and several heads at once (chapter 4). Every number is computed from what the function
is handed. The look is that of `plotting`: phone-sized, white, readable in grey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch, PathPatch, Polygon, Rectangle
from matplotlib.path import Path

from gat_course.plotting.look import _GREY, _PLAIN_NODE, _bare, _canvas, _write
from gat_course.plotting.message_passing import mailboxes, sparse_products, unrolled
from gat_course.plotting.sketch import (
    _DST,
    _EMPTY,
    _FILLED,
    _HEADS,
    _NARROW,
    _NARROW_ROOM,
    _SRC,
    _STRONG,
    _arrow,
    _at_most,
    _box,
    _heading_of,
    _incoming,
    _printed,
    _target,
    _unit,
)
from gat_course.plotting.values import _array, _many, _numpy

if TYPE_CHECKING:
    from gat_course.graph import GraphData

__all__ = ["head_strands", "mailboxes", "score", "sparse_products", "unrolled"]


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


def _short(value: float, room: float = 1.0) -> str:
    return _printed(np.array([[value]]), room, "a sum")[0]


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
