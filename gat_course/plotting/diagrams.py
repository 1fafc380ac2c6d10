"""Schematic pictures of attention and message passing on a small graph.

How an edge gets its weight (chapter 1), what several layers hear (chapter 2), what DGL
hands to a reduce function and the two sparse products behind its built-ins (chapter 3),
and several heads at once (chapter 4). Every number is computed from what the function
is handed. The look is that of `plotting`: phone-sized, white, readable in grey.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Polygon
from matplotlib.path import Path

from gat_course.graph import GraphData
from gat_course.plotting import look, sketch, values
from gat_course.plotting.message_passing import mailboxes, sparse_products, unrolled
from gat_course.plotting.sketch import NARROW_ROOM, STRONG, Pen
from gat_course.plotting.values import check_index, checked, many, to_numpy

__all__ = ["head_strands", "mailboxes", "score", "sparse_products", "unrolled"]

_MIDDLE = NARROW_ROOM / 2
_RADIUS = 0.36  # of the target that several heads listen to
_LINE = 0.17  # from one printed weight to the next
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
        The axes. A box's `get_gid()` says what its number is: `"z_dst f"`, `"z_src f"`,
        `"a_dst f"`, `"a_src f"`, `"sum"`; for each edge e into the target `"e e"` and
        `"exp e"`, and its bar's `"alpha e"`.

    Raises:
        IndexError: there is no such node.
        ValueError: there is no such edge, a shape does not fit, `negative_slope` is
            not in [0, 1], there are too many sources or features, or a number is not
            finite or too long for its box.

    >>> graph = GraphData.from_edges([0, 1], [2, 2])
    >>> z, a = torch.tensor([[1.0], [2.0], [3.0]]), torch.ones(1)
    >>> diagrams.score(graph, z, a, a, target=2, source=0)
    <Axes: title=...>
    """
    if not 0 <= negative_slope <= 1:
        raise ValueError(f"negative_slope must be from 0 to 1, got {negative_slope}")
    check_index("target", target, graph.num_nodes)
    check_index("source", source, graph.num_nodes)
    z = checked(z, "z", (graph.num_nodes, "F'")).astype(float)
    sketch.at_most(3, z.shape[1], "features in z", graph.name)
    att_dst = checked(att_dst, "att_dst", z.shape[1:]).astype(float)
    att_src = checked(att_src, "att_src", z.shape[1:]).astype(float)
    edges, sources = sketch.incoming(graph, target)
    sketch.at_most(6, len(edges), "edges into one node", graph.name)
    if source not in sources:
        raise ValueError(
            f"there is no edge {source} -> {target} in {graph.name!r}; node {target} "
            f"hears {', '.join(map(str, sources))}"
        )
    sums = z[target] @ att_dst + z[sources] @ att_src  # [n]
    scores = np.where(sums > 0, sums, negative_slope * sums)
    pair = sums[sources == source][0]

    # All lengths are inches, y downwards.
    text = f"how node {target} weighs node {source}"
    with sketch.narrow(6.5, (6.11, 0), title or text, graph.name) as pen:
        _draw_half(pen, -1, target, z[target], att_dst)
        _draw_half(pen, 1, source, z[source], att_src)
        pen.write((_MIDDLE, 0.63), "‖", fontsize=13)
        pen.write((_MIDDLE, 1.53), "+", fontsize=13)
        place, text = (_MIDDLE - 0.36, 1.86, 0.72, 0.32), sketch.short(pair, 0.7)
        pen.box(place, text, "sum")
        pen.arrow((_MIDDLE, 2.18), (_MIDDLE, 2.46))
        _draw_leaky_relu(pen, pair, negative_slope)
        _draw_softmax(pen, graph, target, source, scores)
    return pen.ax


def _draw_half(pen: Pen, side: int, node: int, z: np.ndarray, a: np.ndarray) -> None:
    """One end's part of a score, left (-1, the target) or right (1) of the middle."""
    half, role, face = ("dst", "target", _DST) if side < 0 else ("src", "source", _SRC)
    cell = min(0.56, (_MIDDLE - 0.72) / len(z))
    inner, outer = _MIDDLE + 0.14 * side, _MIDDLE + (0.14 + len(z) * cell) * side
    centre, align = (inner + outer) / 2, "left" if side > 0 else "right"
    pen.node((centre, 0.19), node, facecolor=face)
    pen.write((centre + 0.25 * side, 0.19), role, ha=align, color=look.GREY)
    product = rf"a_\mathrm{{{half}}}"
    rows = ((0.46, "z", f"$z_{{{node}}}$", z), (0.96, "a", f"${product}$", a))
    for top, name, label, row in rows:
        for f, text in enumerate(sketch.printed(row, cell - 0.04, "z or a")):
            place = (min(inner, outer) + f * cell, top, cell, 0.34)
            pen.box(place, text, f"{name}_{half} {f}", facecolor=face)
        pen.write((outer + 0.09 * side, top + 0.17), label, ha=align)
    pen.write((centre, 0.88), "×")
    text = rf"${product}^\top z_{{{node}}}$ = {sketch.short(z @ a, 0.7)}"
    pen.write((centre, 1.53), text)
    pen.arrow((centre, 1.68), (_MIDDLE + 0.4 * side, 2.0))


def _draw_leaky_relu(pen: Pen, x: float, slope: float) -> None:
    """LeakyReLU as a curve in a frame, with a dot at `x`."""
    top, wide, tall = 2.54, 0.75, 0.86
    pen.frame((_MIDDLE - wide, top, 2 * wide, tall))
    above = tall / (1 + max(slope, 0.25))  # inches above zero
    zero = top + above
    scale = min(0.54, 0.93 * above) / max(abs(x), 0.5)  # inches per unit
    left = min(wide, (tall - above) / max(slope, 0.01))
    axes = [_MIDDLE - wide, _MIDDLE], [_MIDDLE + wide, _MIDDLE]
    pen.ax.plot(axes, [[zero, top], [zero, top + tall]], color=look.GREY, lw=0.8)
    dot = {"marker": "o", "ms": 9, "color": STRONG, "mec": "white"}
    for gid, reach, paint in (
        ("curve", np.array([-left / scale, 0, above / scale]), {"c": "black", "lw": 2}),
        ("dot", np.array([x]), dot),
    ):
        y = zero - scale * np.where(reach > 0, reach, slope * reach)
        pen.ax.plot(_MIDDLE + scale * reach, y, gid=gid, zorder=4, **paint)
    pen.write((_MIDDLE - 0.92, 2.97), "LeakyReLU", ha="right")
    text = f"below 0:\ntimes {slope:g}"
    pen.write((_MIDDLE + 0.92, 2.97), text, ha="left", color=look.GREY)


def _draw_softmax(
    pen: Pen, graph: GraphData, target: int, source: int, scores: np.ndarray
) -> None:
    """The softmax over all of the target's sources, in numbers and bars."""
    edges, sources = sketch.incoming(graph, target)
    here, weight = np.argmax(sources == source), graph.edge_weight
    largest = scores.max() if np.abs(scores).max() > 6 else 0.0
    powers = np.exp(scores - largest)  # short enough to be printed
    powers = powers if weight is None else powers * to_numpy(weight)[edges]
    alpha = powers / powers.sum()
    wide = min(0.66, (NARROW_ROOM - 1.74) / len(edges))  # of a source's column
    left = max(1.14, _MIDDLE - wide * len(edges) / 2)
    right = left + wide * len(edges)
    pen.frame((left, 4.58, right - left, 1.06))
    text = f"softmax over {sketch.neighbours(target, sources)}"
    pen.write(((left + right) / 2, 4.35), text)
    power = "exp(e − max)" if largest else rf"$\exp(e_{{{target}j}})$"
    for top, text, total in (
        (4.02, rf"score $e_{{{target}j}}$", None),
        (4.78, power if weight is None else f"w {power}", powers.sum()),
        (5.38, rf"weight $\alpha_{{{target}j}}$", 1),
        (5.92, "source j", None),
    ):
        pen.write((left - 0.12, top), text, ha="right")
        if total:
            text = f"sum\n{sketch.short(total)}"
            pen.write((right + 0.12, top), text, ha="left", fontsize=10)
    x = left + (np.arange(len(edges)) + 0.5) * wide
    for top, name, row in ((3.86, "e", scores), (4.62, "exp", powers)):
        for k, text in enumerate(sketch.printed(row, wide, name)):
            place = (x[k] - wide / 2 + 0.03, top, wide - 0.06, 0.32)
            paint = {"edgecolor": STRONG, "lw": 2.2} if k == here else {}
            pen.box(place, text, f"{name} {edges[k]}", min(11, 20 * wide), **paint)
    for k, text in enumerate(sketch.printed(alpha, wide, "alpha")):
        tall = 0.38 * alpha[k] / alpha.max()
        place = (x[k] - 0.14, 5.64 - tall, 0.28, tall)
        bar, face = (STRONG, _SRC) if k == here else (sketch.FILLED, look.PLAIN_NODE)
        pen.box(place, "", f"alpha {edges[k]}", facecolor=bar, lw=1)
        pen.write((x[k], 5.64 - tall - 0.12), text)
        pen.node((x[k], 5.92), sources[k], facecolor=face)
    pen.arrow((_MIDDLE, 3.46), (x[here], 3.84), color=STRONG)


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
        The axes. A strand's `get_gid()` is `"strand e k"`, with edge e and head k.

    Raises:
        IndexError: there is no such node.
        ValueError: `alpha` does not fit the graph, is not in [0, 1] or has too many
            heads, the node has no incoming edge or too many, or `merge` is unknown.

    >>> graph = GraphData.from_edges([0, 1], [2, 2])
    >>> diagrams.head_strands(graph, torch.tensor([[0.2, 0.5], [0.8, 0.5]]), node=2)
    <Axes: title=...>
    """
    if merge not in ("concat", "mean"):
        raise ValueError(f'merge must be "concat" or "mean", got {merge!r}')
    weights = values.attention(graph, alpha)
    heads = weights.shape[1]
    sketch.at_most(4, heads, "heads", graph.name)
    edges, sources = sketch.incoming(graph, node)
    sketch.at_most(8, len(edges), "edges into one node", graph.name)
    last = np.argsort(sources == node, kind="stable")  # self-loops come last
    edges, sources = edges[last], sources[last]
    weights = weights[edges]  # [n, K]
    places = _around(sources == node, weights.size)
    outs = places / np.hypot(*places.T)[:, None]
    # A source's weights stand at its side, or above it.
    sides = np.where(np.abs(outs[:, 0]) > 0.5, np.sign(outs[:, 0]), 0).astype(int)
    ups = np.where(sides == 0, 0.14 + _LINE * heads, _LINE * (heads - 1) / 2)
    top = max((places[:, 1] + ups).max(), _RADIUS) + 0.15
    gap = min(0.11, 1.5 / weights.size)
    thickest = 58 * gap / max(weights.max(), 1e-9)  # points for a weight of 1

    # All lengths are inches, y upwards, the target in the origin.
    text = title or f"node {node} listens with {many(heads, 'head')}"
    with sketch.narrow(top + 2.75, (-2.35, top), text, graph.name, -_MIDDLE) as pen:
        rows = zip(edges, sources, weights, places, outs, sides, ups, strict=True)
        for e, j, row, place, out, side, up in rows:
            across = np.array([-out[1], out[0]])
            across = across if out[0] > 0 else -across  # head 0 is the upper strand
            near = (_RADIUS + 0.02) * out
            for k, value in enumerate(row):
                shift = ((heads - 1) / 2 - k) * gap * across
                path = [place + shift, near + shift]
                if j == node:
                    feet = (0.07 + 0.09 * k) * across
                    far, wide = (1.0 + 0.24 * k) * out, (0.24 + 0.16 * k) * across
                    path = [_RADIUS * out + feet, far + wide, far - wide, near - feet]
                _draw_strand(pen, path, k, thickest * value, f"strand {e} {k}")
            if j == node:
                place = (0.6 + 0.18 * heads) * out
            else:
                pen.node(place, j, zorder=4)
            paint = {"fontsize": 10.5, "ha": ("center", "left", "right")[side]}
            for k, value in enumerate(row):
                spot = place + (0.24 * side, up - _LINE * k)
                pen.write(spot, f"{value:.2f}", color=_HEADS[k][0], **paint)
        pen.node((0, 0), node, _RADIUS, zorder=3)
        _draw_sums(pen, node, heads, merge)
    return pen.ax


def _around(loops: np.ndarray, strands: int) -> np.ndarray:
    """Where the sources stand around the target `[n, 2]`, self-loops to the right."""
    count, own = len(loops), int(loops.sum())
    first, last = (190, 54) if own else (187, -7)
    turns = np.linspace(first, last, max(count - own, 2))[: count - own]
    turns = np.append(turns, np.linspace(5, -40, max(own, 2))[:own])
    tall = 1.45 if strands <= 20 else 1.8 if count < 8 else 2.15
    turns = np.radians(turns)
    return np.stack([1.7 * np.cos(turns), tall * np.sin(turns)], 1)


def _draw_sums(pen: Pen, node: int, heads: int, merge: str) -> None:
    """Below the target the heads' sums, and what becomes of them."""
    wide = min(1.4, (NARROW_ROOM - 0.1 * heads) / heads)
    for k in range(heads):
        middle = k - (heads - 1) / 2
        turn, x = np.radians(18 * middle - 90), middle * (wide + 0.1)
        start = _RADIUS * np.array([np.cos(turn), np.sin(turn)])
        end = middle * (0.72 if merge == "concat" else 0.1)
        _draw_strand(pen, [start, (x, -0.86)], k, 2.2, f"head {k}")
        _draw_strand(pen, [(x, -1.28), (end, -1.66)], k, 2.2, f"merge {k}")
        paint = {"edgecolor": _HEADS[k][0], "lw": 2}
        place, size = (x - wide / 2, -0.9, wide, -0.36), min(11, 9.2 * wide)
        pen.box(place, f"sum of head {k}", f"sum {k}", size, **paint)
        if merge == "concat":
            place = (end - 0.34, -1.7, 0.68, -0.26)
            pen.box(place, "F'", f"part {k}", facecolor=sketch.EMPTY, **paint)
    if merge == "mean":
        paint = {"facecolor": sketch.EMPTY, "edgecolor": "black", "lw": 1.5}
        pen.box((-0.34, -1.7, 0.68, -0.26), "F'", "mean", **paint)
    size = "F'" if merge == "mean" or heads == 1 else f"{heads} F'"
    verb = "their mean" if merge == "mean" else "side by side"
    pen.write((0, -2.16), rf"$h_{{{node}}}'$: {verb}, then σ: {size} numbers")


def _draw_strand(pen: Pen, points: list, head: int, width: float, gid: str) -> None:
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
    paint = {"facecolor": "none", "edgecolor": colour, "ls": dashes, "zorder": 2}
    path = Path(points, codes[: len(points)])
    pen.ax.add_patch(PathPatch(path, lw=width, capstyle="butt", gid=gid, **paint))
    corners = [(0, 0), (-1, 0.45), (-1, -0.45)] @ np.stack([ahead, across])
    tip = Polygon(end + long * corners, facecolor=colour, edgecolor="none", zorder=3)
    pen.ax.add_patch(tip)
