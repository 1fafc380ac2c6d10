"""What the schematic pictures are drawn with (chapters 1 to 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from gat_course.plotting.look import _GREY, _PLAIN_NODE, _WIDTH, _named, _write
from gat_course.plotting.values import _numpy

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


def _unit(angle: Any) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)])


def _heading_of(ax: Axes, text: str, name: str) -> None:
    """The title of a narrow picture; its axes are as wide as the figure."""
    ax.set_title(_named(text, name, 46), loc="left")


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


def _target(ax: Axes, place: tuple, node: int, **look: Any) -> None:
    look = {"facecolor": _PLAIN_NODE, "edgecolor": "black"} | look
    circle = Circle(place, 0.17, **look)
    circle.set_gid(f"target {node}")
    ax.add_patch(circle)
    _write(ax, place, str(node), fontsize=12 if node < 1000 else 10)
