"""Checks of exercises 2.1 to 2.2."""

import math
from typing import Any

import torch
from torch import Tensor

from gat_course.checks import reading
from gat_course.checks.question import case, question
from gat_course.graph import GraphData

# ---------------------------------------------------------------- 2.1


def _whole(value: Any, *given: Any) -> Tensor:
    found = reading.numbers(value)
    if found.dim() == 0 and float(found) % 1:
        raise reading.Form("A graph has a whole number of nodes: round down.")
    return found


@question(
    "2.1",
    "Where $N^2$ ends",
    read=_whole,
    tolerance=0.0,
    cases=[
        case(4, 1, 1),
        case(100, 8, 5),
        case(144, 1, 1),
        case(4 * 8 * 5 * 200**2, 8, 5),
        case(4 * 8 * 5 * 200**2 - 1, 8, 5),
        case(16 * 10**9, 3, 8.2),
        case(10**12, 8, 8.2),
    ],
    mistakes={
        "The 4 bytes of a number are left out.": {"size": 1},
        "A number has 4 bytes; 8 are those of a 64-bit one.": {"size": 8},
        "The heads are left out: each has matrices of its own.": {"heads": False},
        "The matrices are left out: a step holds several for each head.": {
            "held": "none"
        },
        "That is a number of cells, N²; the number of nodes is its root.": {
            "root": False
        },
        "It is rounded up or to the nearest: a graph that is one node too large does "
        "not fit.": {"rounding": "up"},
        "It is rounded to the nearest whole number: half the time that does not fit.": {
            "rounding": "nearest"
        },
        "One node fewer than fits: a graph that fills the memory exactly still fits.": {
            "rounding": "fewer"
        },
        "`matrices` need not be whole: 8.2 became 8.": {"held": "whole"},
        "`matrices` need not be whole: 8.2 became 9.": {"held": "up"},
        "Half of the pairs are left out: a mask needs N² cells, not N²/2.": {"part": 2},
        "The root is taken of the bytes and matrices alone: heads do not divide "
        "N, they "
        "divide N².": {"late": "heads"},
        "Bytes are divided by heads and matrices after the root.": {"late": True},
    },
)
def largest_graph(
    num_bytes: float,
    num_heads: int,
    matrices: float,
    *,
    size: int = 4,
    heads: bool = True,
    held: str = "",
    root: bool = True,
    rounding: str = "down",
    part: int = 1,
    late: bool | str = False,
) -> int:
    matrices = {
        "": matrices,
        "none": 1,
        "whole": int(matrices),
        "up": -int(-matrices // 1),
    }[held]
    cells = part * num_bytes / size
    per_cell = matrices * (num_heads if heads else 1)
    if late == "heads":
        return int(math.sqrt(cells / matrices) / num_heads)
    if late:
        return int(math.sqrt(cells) / per_cell)
    cells /= per_cell
    found = math.sqrt(cells) if root else cells
    exact = math.isqrt(int(cells)) if root else int(cells)
    return {
        "down": exact,
        "up": math.ceil(found),
        "nearest": round(found),
        "fewer": math.ceil(found) - 1,
    }[rounding]


# ---------------------------------------------------------------- 2.2


def _adjacency(value: Any, *given: Any) -> dict[str, Tensor]:
    graph = reading.graph(value)
    return {
        "nodes": torch.tensor(float(graph.num_nodes)),
        "matrix": graph.dense_adjacency().double(),
    }


@question(
    "2.2",
    "The mask",
    read=_adjacency,
    tolerance=0.0,
    cases=[
        case(1, 1),
        case(2, 1),
        case(2, 0, tag="w = 0, so that each word looks at itself alone"),
        case(3, 1),
        case(4, 2),
        case(6, 2),
        case(3, 7, tag="the window is longer than the text"),
    ],
    mistakes={
        "The words look ahead. An edge goes from the word that is looked at to the "
        "word that looks.": {"turned": True},
        "Each word may look at itself, too.": {"itself": False},
        "A word looks both ways; it may look back only.": {"both": True},
        "The word itself is none of the w words before it: w + 1 in all.": {"more": -1},
        "The window is one word too long.": {"more": 1},
        "The window is not used: each word sees all before it.": {"more": 10**6},
        "Only the w-th word before is seen; all of the last w are.": {"only": True},
        "The first words see fewer than w before them; here the first edge of their "
        "window is repeated.": {"clamp": True},
        "The window wraps around: the first words see the last ones.": {"wrap": True},
        "Words that have fewer than w before them are left without any edge.": {
            "full": True
        },
        "The graph has a node too many.": {"nodes": 1},
    },
)
def window_graph(
    num_words: int,
    w: int,
    *,
    turned: bool = False,
    itself: bool = True,
    both: bool = False,
    more: int = 0,
    only: bool = False,
    clamp: bool = False,
    wrap: bool = False,
    full: bool = False,
    nodes: int = 0,
) -> GraphData:
    if more == -1:
        steps = list(range(w))
    else:
        w = min(w + more, max(w, num_words))
        steps = ([0] if itself else []) + ([w] if only else list(range(1, w + 1)))
    if both:
        steps += [-s for s in steps if s]
    pairs = []
    for i in range(num_words):
        for s in steps:
            j = (i - s) % num_words if wrap else max(i - s, 0) if clamp else i - s
            if 0 <= j < num_words and not (full and i < w):
                pairs.append((j, i))
    pairs = [pair[::-1] for pair in pairs] if turned else pairs
    src, dst = [p[0] for p in pairs], [p[1] for p in pairs]
    return GraphData(num_nodes=num_words + nodes, src=src, dst=dst)
