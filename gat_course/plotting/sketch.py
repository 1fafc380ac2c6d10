"""What schematic pictures are drawn with: boxes, arrows, nodes (chapters 1 to 4)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

from gat_course.graph import GraphData
from gat_course.plotting import look
from gat_course.plotting.values import check_index, ends, fixed

ROOM = look.WIDTH - 0.2  # inches, without the figure's margins
NARROW = 5.0  # inches, of the pictures that hold less
NARROW_ROOM = NARROW - 0.2
STRONG = "#c0360a"  # vermilion, L* 44
FILLED = "#9cc4e4"  # pale blue, L* 77
EMPTY = "#efefef"


class Pen:
    """Draws into one axes; a `place` is a point, or left, top, width and height."""

    def __init__(self, ax: Axes) -> None:
        self.ax = ax

    def write(self, place: Any, text: str, offset: Any = (0, 0), **paint: Any) -> None:
        """Centre a text on a point, moved by `offset` points."""
        look.write(self.ax, place, text, offset, **paint)

    def box(
        self, place: tuple, text: str, gid: str, size: float = 11, **paint: Any
    ) -> None:
        """A rectangle, and in its middle a text if there is one."""
        left, top, wide, tall = place
        paint = {"facecolor": "white", "edgecolor": look.GREY, "lw": 0.8} | paint
        self.ax.add_patch(Rectangle((left, top), wide, tall, gid=gid, **paint))
        if text:
            self.write((left + wide / 2, top + tall / 2), text, fontsize=size)

    def frame(self, place: tuple, pad: float = 0.06, **paint: Any) -> None:
        """A box with round corners, `pad` larger on every side."""
        paint = {"facecolor": EMPTY, "edgecolor": look.GREY} | paint
        box = FancyBboxPatch(place[:2], *place[2:], f"round,pad={pad}", **paint)
        self.ax.add_patch(box)

    def arrow(self, start: Any, end: Any, **paint: Any) -> None:
        """A straight arrow from point to point."""
        paint = {"arrowstyle": "-|>", "mutation_scale": 13, "lw": 1.6} | paint
        paint = {"color": "black", "zorder": 4, "shrinkA": 0, "shrinkB": 0} | paint
        self.ax.add_patch(FancyArrowPatch(start, end, **paint))

    def node(self, place: Any, node: int, radius: float = 0.17, **paint: Any) -> None:
        """A circle with the node's id."""
        paint = {"facecolor": look.PLAIN_NODE, "edgecolor": "black"} | paint
        self.ax.add_patch(Circle(place, radius, gid=f"target {node}", **paint))
        size = 15 if radius > 0.3 else 12 if node < 1000 else 10
        self.write(place, str(node), fontsize=size)


@contextmanager
def narrow(
    height: float, limits: tuple, title: str, name: str, left: float = 0.0
) -> Iterator[Pen]:
    """A pen for a narrow picture; its axes, in inches, are as wide as the figure."""
    with look.canvas(None, height, NARROW) as ax:
        look.bare(ax, xlim=(left, left + NARROW_ROOM), ylim=limits)
        ax.set_title(look.wrapped(title, name, 46), loc="left")
        yield Pen(ax)


def at_most(limit: int, got: int, what: str, name: str) -> None:
    """Raise a `ValueError` where the picture has no room for so many."""
    if got > limit:
        raise ValueError(
            f"the picture has room for at most {limit} {what}, {name!r} has {got}; "
            "draw a smaller example"
        )


def incoming(graph: GraphData, node: int) -> tuple[np.ndarray, np.ndarray]:
    """The edges that end at `node`, at least one, and their sources, ascending."""
    check_index("node", node, graph.num_nodes)
    src, dst = ends(graph).T
    edges = np.flatnonzero(dst == node)
    if len(edges) == 0:
        raise ValueError(f"node {node} of {graph.name!r} has no incoming edge")
    edges = edges[np.argsort(src[edges], kind="stable")]
    return edges, src[edges]


def neighbours(target: int, sources: np.ndarray) -> str:
    """The target's sources, as a set."""
    inside = ", ".join(map(str, sources))
    return rf"$\mathcal{{N}}({target})$ = {{{inside}}}"


def printed(values: Any, room: float, what: str, between: str = "\n") -> list[str]:
    """Each row of numbers as a text, with as many decimals as `room` inches fit, at
    most two and none for whole numbers."""
    values = np.asarray(values)
    for digits in (0,) if (values == values.round()).all() else (2, 1, 0):
        texts = [[fixed(v, digits) for v in np.ravel(row)] for row in values]
        # A digit is 7 points wide.
        if max((len(t) for row in texts for t in row), default=0) * 7 <= 72 * room:
            return [between.join(row) for row in texts]
    raise ValueError(
        f"{what} holds {values.flat[np.abs(values).argmax()]:g}, too long for its "
        "box; divide all of them by a power of ten"
    )


def short(number: float, room: float = 1.0) -> str:
    """One number in a box of that many inches."""
    return printed([number], room, "a sum")[0]
