"""Checks of exercises 2.3 to 2.5."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gat_course import measure
from gat_course.checks import by_hand, reading
from gat_course.checks.question import case, question
from gat_course.graph import GraphData

# ---------------------------------------------------------------- 2.3


def _word(value: Any, *given: Any) -> str:
    if value not in ("rows", "columns", "neither"):
        shown = repr(value) if isinstance(value, str) else reading.kind(value)
        raise reading.Form(f'Return "rows", "columns" or "neither", not {shown}.')
    return str(value)


def _weights(
    axis: int, mask: Tensor | None = None, fill: float = -math.inf, zero: bool = True
) -> Tensor:
    scores = torch.tensor(
        [
            [0.5, -1.0, 2.0, 0.0, 1.0],
            [1.0, 0.5, -0.5, 2.0, -1.0],
            [-2.0, 1.0, 0.0, 1.5, 0.5],
            [0.0, 2.0, 1.0, -1.0, 0.5],
            [1.5, 0.0, -1.0, 0.5, 2.0],
        ]
    )
    if mask is not None:
        scores = scores.masked_fill(mask == 0, fill)
    found = torch.softmax(scores, axis)
    return found.nan_to_num(0) if zero else found


def _axis_cases() -> list:
    full, mask = torch.ones(5, 5), torch.ones(5, 5)
    mask[2], mask[:, 4] = 0, 0  # node 2 hears nobody, nobody hears node 4
    off = torch.tensor([[1.0, 0.9, 1.1, 1.0, 1.0]])
    half = torch.full((2, 2), 0.5)
    two = torch.ones(2, 2)
    empty = "the mask leaves a row or a column empty"
    found = [
        case(torch.tensor([[0.25, 0.75], [0.5, 0.5]]), two),
        case(torch.tensor([[0.25, 0.75], [0.75, 0.5]]).t(), two),
        case(torch.tensor([[0.25, 0.5], [0.75, 0.5]]), two),
        case(half, two, tag="rows and columns both sum to 1"),
        case(torch.tensor([[0.5, 0.5], [0.0, 0.0]]), torch.tensor([[1, 1], [0, 0]])),
        case(torch.tensor([[0.5, 0.0], [0.5, 0.0]]), torch.tensor([[1, 0], [1, 0]])),
        case(torch.tensor([[0.5, 0.5], [0.9, 0.0]]), torch.tensor([[1, 1], [1, 0]])),
        case(torch.tensor([[0.6, 0.4], [0.0, 0.0]]), two),
        case(torch.tensor([[2.0, 0.4], [0.1, 0.4]]), two),
    ]
    for axis in (1, 0):
        found += [
            case(_weights(axis), full, tag="sums are 1 up to rounding"),
            case(_weights(axis) * (off.t() if axis else off), full),
            case(_weights(axis, mask), mask, tag=empty),
            case(_weights(axis, mask, -9e15), mask, tag=f"{empty}, evenly weighted"),
        ]
    forbidden = torch.tensor([[0.5, 0.4, 0.1], [0.2, 0.3, 0.5], [0.4, 0.4, 0.2]])
    seen = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 1]])
    found.append(case(forbidden, seen, tag="weight stands where the mask forbids"))
    found.append(case(_weights(1, mask, zero=False), mask, tag=f"{empty}, with NaN"))
    held = torch.tensor([[0.5, 0.25], [0.5, 0.75]])
    found.append(case(held, torch.tensor([[1, 1], [0, 0]]), tag=f"{empty}, not of 0"))
    small = torch.tensor([[0.5, 0.49], [0.25, 0.75]])
    found.append(case(small, two, tag="a row sums to 0.99"))
    return found


@question(
    "2.3",
    "The mask",
    read=_word,
    cases=_axis_cases(),
    mistakes={
        "Rows and columns are mixed up: `weights.sum(1)` adds along a row.": {
            "swapped": True
        },
        "Sums are compared exactly; they are 1 up to rounding.": {"within": 0.0},
        "The tolerance is too wide: 0.9 is not 1.": {"within": 0.15},
        "The tolerance is too wide: 0.99 is not 1.": {"within": 0.02},
        "Rows and columns that the mask leaves empty count in your answer; they "
        "should not.": {"empty": "counts"},
        'If both sum to one, the answer is "rows".': {"both": "columns"},
        'If both sum to one, the answer is "rows", not "neither".': {"both": "neither"},
        "One row that sums to one is not enough: all must.": {"quantifier": any},
        "Only the first row and column are looked at.": {"quantifier": "first"},
        "Only the average of the sums is looked at; every one must be 1.": {
            "quantifier": "mean"
        },
        "Masked entries are left out of the sums; whole rows and columns are asked "
        "for.": {"masked": True},
        "Any sum of at most 1 passes in your answer.": {"within": "below"},
        "What does not sum to one by rows need not do so by columns: “neither” is a "
        "third case.": {"both": "rows", "last": "columns"},
        "Empty rows are cut out before the columns are summed; whole columns are asked "
        "for.": {"masked": "empty"},
        "NaN in a row that does not count makes your answer “neither”.": {"nan": True},
    },
)
def normalised_axis(
    weights: Tensor,
    mask: Tensor,
    *,
    swapped: bool = False,
    within: float | str = 1e-3,
    empty: str = "",
    both: str = "rows",
    quantifier: Any = all,
    masked: bool | str = False,
    nan: bool = False,
    last: str = "neither",
) -> str:
    if nan and bool(weights.isnan().any()):
        return "neither"
    values = weights if within == 0.0 else weights.double()
    values = weights.double() * mask if masked is True else values
    if masked == "empty":
        seen = mask.double()
        values = values * (seen.sum(1, keepdim=True) > 0) * (seen.sum(0) > 0)
    fits = []
    for dim in (0, 1) if swapped else (1, 0):
        counts = (mask.double().sum(dim) > 0) | (empty == "counts")
        sums = values.sum(dim)
        one = (sums <= 1.001) if within == "below" else None
        if one is None:
            one = (sums - 1).abs() <= float(within)
        own = one[counts].tolist()
        if quantifier == "first":
            fits.append(bool(one[0]))
        elif quantifier == "mean":
            fits.append(abs(float(sums[counts].mean()) - 1) < 1e-3)
        else:
            fits.append(quantifier(own))
    if all(fits):
        return both
    return "rows" if fits[0] else "columns" if fits[1] else last


# ---------------------------------------------------------------- 2.4


def _memory(function: Callable) -> str | None:
    n = 300  # few enough for a loop over pairs, whose every step is recorded
    generator = torch.Generator().manual_seed(0)
    z, dst, src, noise = (
        torch.randn(shape, generator=generator) for shape in ((n, 4), 4, 4, (n, n))
    )
    mask = (noise > 1).float()
    few, many = (
        measure.peak_memory(partial(function, z, dst, src, mask, chunk))
        for chunk in (5, 60)
    )
    if few < 4 * 2 * n:
        return "Compute with PyTorch: the check sees the memory of its tensors only."
    if few >= 4 * n**2:
        return (
            f"The numbers are right, but with N = {n} and chunk = 5 it held {few:,} "
            f"bytes at one moment. A full matrix of scores takes {4 * n**2:,}: less is "
            "asked for, so nothing of all rows may be made."
        )
    if few > 2 * many:
        return (
            f"With N = {n} it held {few:,} bytes with chunk = 5 and {many:,} with "
            "chunk = 60. A chunk is a number of rows, not of pieces."
        )
    return None


def _chunk_cases() -> list:
    z = torch.tensor([[1.0, 0.5], [-1.0, 2.0], [0.5, -1.5], [2.0, 1.0], [-0.5, 0.0]])
    halves = torch.tensor([1.0, -0.5]), torch.tensor([-1.0, 2.0])
    mask = torch.tensor(
        [
            [0.0, 1, 1, 1, 0],
            [0.0, 0, 0, 0, 0],
            [1.0, 1, 0, 0, 1],
            [0.0, 0, 1, 1, 0],
            [0.0, 1, 0, 0, 0],
        ]
    )
    wide = torch.cat([z, z.flip(0)[:, :1]], dim=1)
    rest = "`chunk` does not divide N"
    return [
        case(z[:1], *halves, torch.ones(1, 1), 1),
        case(z[:2], *halves, torch.tensor([[1.0, 1], [0, 1]]), 2),
        case(z[:2], *halves, torch.tensor([[1.0, 1], [0, 1]]), 1),
        case(z[:3], *halves, torch.tensor([[0.0, 1, 1], [0, 0, 0], [1, 1, 0]]), 3),
        case(z[:3], *halves, torch.tensor([[1.0, 1, 1], [1, 1, 0], [1, 1, 1]]), 2),
        case(z, *halves, mask, 5),
        case(z, *halves, mask, 2, tag=rest),
        case(wide, *(torch.cat([h, h[:1]]) for h in halves), mask, 3, tag=rest),
        case(60 * z, *halves, mask, 100, tag="`chunk` is larger than N"),
    ]


def _cut(scores: Tensor, mask: Tensor, starts: range) -> list[tuple[Tensor, Tensor]]:
    """The rows of each chunk."""
    return [(scores[s : s + starts.step], mask[s : s + starts.step]) for s in starts]


@question(
    "2.4",
    "Score all pairs, twice",
    elsewhere={
        "softmax": "The mask",
        "mask": "The mask",
        "chunk": "Where $N^2$ ends",
        "bytes": "Where $N^2$ ends",
    },
    tolerance=1e-4,
    cases=_chunk_cases(),
    limits=[_memory],
    mistakes={
        "The rows after the last whole chunk are left out.": {"rest": "zeros"},
        "The rows after the last whole chunk stay zero.": {"rest": "zeros, but one"},
        "The rows after the last whole chunk are missing in the result.": {
            "rest": "missing"
        },
        "The softmax runs down the columns of a chunk, dim 0. A target's own weights, "
        "its row, should sum to 1: dim 1.": {"block": "dim 0"},
        "Each chunk attends to itself alone: a row looks at all N columns.": {
            "block": True
        },
        "Chunks are taken of the sources: a softmax over a part of a row is not the "
        "softmax of the row.": {"block": "columns"},
        "Only the first chunk is computed.": {"rest": "first"},
        **by_hand.SCORE,
        **by_hand.but(by_hand.SOFTMAX, {"form": "uniform"}),
        "Messages run backwards: row i of the mask is the target.": {"turned": True},
        "A self-loop is added that is not in the mask.": {"loops": True},
        "An activation (ELU) is left in; none is asked for.": {"after": "elu"},
    },
)
def chunked_attention(
    z: Tensor,
    att_dst: Tensor,
    att_src: Tensor,
    mask: Tensor,
    chunk: int,
    *,
    rest: str = "",
    block: bool | str = False,
    **twists: Any,
) -> Tensor:
    n, eye = len(z), torch.eye(z.shape[1])
    piece = torch.arange(n) // chunk
    same = (piece.unsqueeze(1) == piece).double()
    if block is True:
        mask = mask * same
    if block == "dim 0":
        scores = by_hand.pair_scores(z, att_dst, att_src)
        chunks = range(0, n, chunk)
        own = [by_hand.weights(s, m, axis=0) for s, m in _cut(scores, mask, chunks)]
        return torch.cat(own) @ z.double()
    if block == "columns":
        parts = [mask * (piece == p) for p in piece.unique()]
        return sum(by_hand.layer(z, part, eye, att_dst, att_src) for part in parts)
    out = by_hand.layer(z, mask, eye, att_dst, att_src, **twists)
    whole = n // chunk * chunk
    if rest == "zeros, but one" and n < chunk:
        return out
    if rest.startswith("zeros"):
        out[whole:] = 0
    elif rest == "first":
        out[chunk:] = 0
    return out[:whole] if rest == "missing" else out


# ---------------------------------------------------------------- 2.5


def _lists(value: Any, graph: GraphData) -> dict[str, Any]:
    sources, mask = reading.parts(value, ("sources", "mask"))
    first = torch.as_tensor(sources)
    if first.dtype == torch.bool:
        raise reading.Form("The sources come first, then the mask.")
    if first.is_floating_point():
        raise reading.Form("The sources should be integers, so that they can index.")
    sources, mask = reading.numbers(sources, "sources"), reading.numbers(mask, "mask")
    if bool(((mask != 0) & (mask != 1)).any()):
        raise reading.Form("The mask should hold True or False, or 1 or 0.")
    if sources.shape != mask.shape or sources.dim() != 2:
        raise reading.Form(
            "Sources and mask should both be [N, D]; they are "
            f"{list(sources.shape)} and {list(mask.shape)}."
        )
    if bool(((sources < 0) | (sources >= graph.num_nodes)).any()):
        low, high = int(sources.min()), int(sources.max())
        raise reading.Form(
            "Where there is no source put any node, so that the list can index: "
            f"yours has numbers from {low} to {high}, of {graph.num_nodes} nodes."
        )
    lists = [
        torch.tensor(sorted(s[m == 1].tolist()))
        for s, m in zip(sources, mask, strict=True)
    ]
    return {"D": torch.tensor(float(sources.shape[1])), "lists": lists}


def _list_cases() -> list:
    return [
        case(GraphData(num_nodes=2, src=[0], dst=[1])),
        case(GraphData(num_nodes=3, src=[0, 2], dst=[1, 1])),
        case(GraphData(num_nodes=3, src=[0, 0, 1, 2], dst=[1, 1, 1, 0])),
        case(GraphData(num_nodes=2, src=[0, 1], dst=[0, 0])),
        case(
            GraphData(num_nodes=5, src=[1, 2, 3, 0, 0, 3, 0], dst=[0, 0, 0, 1, 3, 3, 4])
        ),
        case(GraphData(num_nodes=4, src=[3, 2, 1, 0], dst=[0, 1, 2, 3])),
    ]


@question(
    "2.5",
    "Where $N^2$ ends",
    read=_lists,
    tolerance=0.0,
    cases=_list_cases(),
    mistakes={
        "The lists hold the targets of each node; asked for are its sources.": {
            "turned": True
        },
        "An edge that occurs twice stands there once; it should stand there twice.": {
            "once": True
        },
        "The mask marks everything as real.": {"real": "all"},
        "The mask is upside down: 1 is for what is real.": {"real": "not"},
        "The lists are filled up by repeating sources that count as real.": {
            "real": "again"
        },
        "The lists are as long as there are nodes; the longest list is D long.": {
            "width": "N"
        },
        "The lists are one entry too long.": {"width": "more"},
        "The longest list is cut short by one.": {"width": "less"},
        "A node is put into its own list; it is there only if it has a self-loop.": {
            "itself": True
        },
        "Node 0 is lost as a source: a 0 is not the same as no source.": {"zero": True},
        "Self-loops are left out; they are edges, too.": {"loops": False},
    },
)
def neighbour_lists(
    graph: GraphData,
    *,
    turned: bool = False,
    once: bool = False,
    real: str = "",
    width: str = "D",
    itself: bool = False,
    zero: bool = False,
    loops: bool = True,
) -> tuple[Tensor, Tensor]:
    n = graph.num_nodes
    src, dst = (graph.dst, graph.src) if turned else (graph.src, graph.dst)
    lists: list[list[int]] = [[i] if itself else [] for i in range(n)]
    for j, i in zip(src.tolist(), dst.tolist(), strict=True):
        if not (once and j in lists[i]) and not (not loops and i == j):
            lists[i].append(j)
    longest = max(map(len, lists))
    d = {"D": longest, "N": n, "more": longest + 1, "less": longest - 1}[width]
    sources = torch.zeros(n, d, dtype=torch.long)
    mask = torch.zeros(n, d, dtype=torch.bool)
    for i, own in enumerate(lists):
        own = (own * d if real == "again" else own)[:d]
        sources[i, : len(own)] = torch.tensor(own, dtype=torch.long)
        mask[i, : len(own)] = True
    mask = mask & (sources > 0) if zero else mask
    mask = {"": mask, "again": mask, "all": torch.ones_like(mask), "not": ~mask}[real]
    return sources, mask
