"""Checks of exercises 9.1 to 9.3."""

import math
from typing import Any

import torch
from torch import Tensor

from gat_course.checks import inputs, reading
from gat_course.checks.question import case, question

# ---------------------------------------------------------------- 9.1


@question(
    "9.1",
    "Where does a step's time go?",
    tolerance=0.0,
    cases=[
        case(1, 1, 1, 1, 1, 1),
        case(3, 2, 5, 1, 2, 1),
        case(7, 5, 11, 2, 1, 1),
        case(9, 4, 6, 1, 3, 4),
        case(100, 20, 33, 3, 6, 4),
        case(1000, 70, 300, tag="hidden, num_heads and out_heads are left out"),
    ],
    mistakes={
        "The input is missing.": {"input_": 0},
        "The hidden features are missing.": {"features": "none"},
        "The weights of the second layer are missing.": {"second": "none"},
        "The weights of the first layer are missing.": {"first": "none"},
        "Each head has hidden features of its own, and all are concatenated.": {
            "features": "one head"
        },
        "The first layer's weights are one for each edge AND head.": {"first": "edges"},
        "The second layer has out_heads heads, not one.": {"second": "edges"},
        "The second layer has out_heads heads, not num_heads.": {"second": "heads"},
        "A weight belongs to an edge, not to a pair of nodes.": {"pairs": True},
        "All heads share one input, dropped once.": {"input_": "heads"},
        "The output features are not dropped: nothing comes after them.": {
            "features": "and output"
        },
        "Both layers drop their weights for one head alone.": {
            "first": "edges",
            "second": "edges",
        },
        "The scores are not dropped, only the weights: an edge counts once for each "
        "head.": {"twice": True},
        "The input of the second layer is the hidden features, counted once.": {
            "features": "twice"
        },
        "By default out_heads is 1.": {"default": 8},
        "`stored` counts the numbers of all nodes already.": {"input_": "nodes"},
        "The hidden features belong to the first layer's heads.": {
            "features": "out heads"
        },
        "A weight is one number for each edge and head, not one for each feature.": {
            "first": "features"
        },
    },
)
def draws(
    stored: int,
    num_nodes: int,
    num_edges: int,
    hidden: int = 8,
    num_heads: int = 8,
    out_heads: int | None = None,
    *,
    input_: int | str = 1,
    features: str = "",
    first: str = "",
    second: str = "",
    pairs: bool = False,
    twice: bool = False,
    default: int = 1,
) -> int:
    n, k = num_nodes, num_heads
    o = default if out_heads is None else out_heads
    e = n * n if pairs else num_edges
    wide = n * k * hidden
    total = stored * {"heads": k, "nodes": n}.get(input_, input_)
    total += {
        "": wide,
        "none": 0,
        "one head": n * hidden,
        "and output": wide + n * o,
        "twice": 2 * wide,
        "out heads": n * hidden * o,
    }[features]
    weights = {"": e * k, "none": 0, "edges": e, "features": e * k * hidden}[first]
    weights += {"": e * o, "none": 0, "edges": e, "heads": e * k}[second]
    return total + weights * (2 if twice else 1)


# ---------------------------------------------------------------- 9.2


def _two_counts(value: Any, *given: Any) -> dict[str, Tensor]:
    return reading.several("bytes without a cache", "bytes with a perfect one")(value)


@question(
    "9.2",
    "How far from the machine's limit?",
    read=_two_counts,
    tolerance=0.0,
    cases=[
        case(1, 1, 1, 1),
        case(2, 3, 1, 1),
        case(5, 5, 1, 1),
        case(7, 30, 3, 5),
        case(11, 50, 2, 64),
        case(100, 901, 8, 8),
        case(9, 4, 2, 3, tag="there are fewer edges than nodes"),
    ],
    mistakes={
        "These are numbers, not bytes.": {"size": 1},
        "All numbers have 4 bytes, not 8.": {"size": 8},
        "They are the wrong way round: first without a cache.": {"turned": True},
        "The results that are written are missing.": {"written": False},
        "The numbers of the sources are missing.": {"sources": 0},
        "The weights are missing.": {"weights": "none"},
        "The weights are one for each edge AND head.": {"weights": "edges"},
        "The rows of Z are missing.": {"rows": "none"},
        "With a perfect cache each row of Z still comes once, and the results "
        "are still "
        "written: 2N rows in all.": {"cached": "none"},
        "A cache saves nothing here, yet a row of Z is read many times.": {
            "cached": "edges"
        },
        "With a perfect cache all N rows of Z are read, also where edges are fewer: "
        "your answer takes the smaller number.": {"cached": "fewer"},
        "Without a cache a row of Z is read for every edge, not once a node.": {
            "rows": "nodes"
        },
        "The heads are left out.": {"heads": False},
        "A source's row is K·F' long: one row of F' for each head.": {"rows": "one"},
        "The source's number has 4 bytes; the others have, too.": {"size": "source"},
        "The source's number is read once for an edge, not for each head.": {
            "sources": "heads"
        },
        "Weights belong to one edge each: no cache can spare them.": {
            "cached": "weights"
        },
        "Results are written once for each node, not for each edge.": {
            "written": "edges"
        },
        "Targets' numbers are read as well, in your answer; the edges come sorted by "
        "them.": {"sources": 2},
        "With a perfect cache the weights and the sources still come for every edge.": {
            "cached": "all"
        },
    },
)
def bytes_moved(
    num_nodes: int,
    num_edges: int,
    num_heads: int,
    width: int,
    *,
    size: int | str = 4,
    turned: bool = False,
    written: bool | str = True,
    sources: int | str = 1,
    weights: str = "",
    rows: str = "",
    cached: str = "",
    heads: bool = True,
) -> tuple[int, int]:
    n, e, k = num_nodes, num_edges, num_heads if heads else 1
    row = k * width
    of_weights = {"": e * k, "none": 0, "edges": e}[weights]
    around = (k if sources == "heads" else int(sources)) * e + of_weights
    around += 3 * e if size == "source" else 0
    size = 1 if size == "source" else int(size)
    results = (e if written == "edges" else n) * row if written else 0
    without = {"": e * row, "none": 0, "nodes": n * row, "one": e * width}[rows]
    perfect = {"none": 0, "edges": e * row, "fewer": min(n, e) * row}.get(
        cached, n * row
    )
    perfect = {"none": 0, "one": n * width}.get(rows, perfect)
    perfect -= of_weights if cached == "weights" else 0
    found = (
        size * (around + results + without),
        size * ((0 if cached == "all" else around) + results + perfect),
    )
    return found[::-1] if turned else found


# ---------------------------------------------------------------- 9.3


def _summed(scores: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Largest score, sum of exponentials, weighted sum; of nothing too."""
    nothing = scores.new_full((1, scores.shape[1]), -math.inf)
    largest = torch.cat([scores, nothing]).amax(dim=0)  # [K]
    terms = torch.exp(scores - largest)  # [edges, K]
    return largest, terms.sum(dim=0), torch.einsum("ek,ekf->kf", terms, z)


def _triple(value: Any, *given: Any) -> dict[str, Tensor]:
    return reading.several("m", "t", "o")(value)


def _halves() -> list:
    def given(scores: Tensor, z: Tensor, size: int, tag: str = "") -> Any:
        first = _summed(scores[:size], z[:size])
        return case(first, _summed(scores[size:], z[size:]), tag=tag)

    one, z1 = torch.tensor([[0.0], [0.0]]), torch.tensor([[[1.0]], [[3.0]]])
    two = torch.tensor([[0.0], [1.0]])
    scores, z = inputs.numbers(9, 2), inputs.numbers(9, 2, 3, shift=4)
    late = torch.tensor([[0.0]] * 4 + [[1000.0]] * 5)
    apart = torch.tensor([1000.0, -1000.0])
    return [
        given(one, z1, 1),
        given(two, z1, 1),
        given(two.flip(0), z1, 1),
        given(scores, z, 4),
        given(scores + 1000, z, 4, "scores are around 1000"),
        given(scores - 1000, z, 4, "scores are around −1000"),
        given(scores + late, z, 4, "the second half lies 1000 above the first"),
        given(scores - late, z, 4, "the first half lies 1000 above the second"),
        given(scores + apart, z, 4, "one head lies 2000 above the other"),
        given(scores, z, 9, "the second half is empty"),
        given(scores, z, 0, "the first half is empty"),
        given(scores - 1000, z, 0, "a half is empty, and scores are around −1000"),
    ]


@question(
    "9.3",
    "Attention that keeps no number per edge",
    read=_triple,
    tolerance=1e-4,
    cases=_halves(),
    mistakes={
        "The two sums cannot be added as they are: each half has subtracted a largest "
        "score of its own.": {"bring": "none"},
        "t is brought to the common maximum, o is not.": {"o": "plain"},
        "o is brought to the common maximum, t is not.": {"t": "plain"},
        "o is the sum itself; you divide it by t.": {"o": "divided"},
        "The largest scores are added; the larger of the two is asked for.": {
            "top": "sum"
        },
        "The smaller of the two largest scores is taken.": {"top": "min"},
        "m is the largest score, not a logarithm of a sum of exponentials.": {
            "top": "log"
        },
        "The first half's m is kept; the larger of the two is asked for.": {
            "top": "first"
        },
        "One maximum is taken for all heads; each head has its own.": {"top": "heads"},
        "The exponents have the wrong sign: e to the power m − maximum.": {
            "bring": "minus"
        },
        "Each half is multiplied by eᵐ: with m = 1000 that overflows.": {
            "bring": "absolute"
        },
        "Exponents are clamped, so that the overflow is hidden and the numbers are "
        "wrong.": {"bring": "clamped"},
        "All is made relative to the first half, whose exponential overflows where the "
        "second is far above.": {"bring": "first"},
        "Where a half is empty its m is −∞, and −∞ − (−∞) gives NaN.": {"bring": "nan"},
        "An empty half's −∞ became 0, which is above scores below 0.": {"top": "zero"},
        "The two halves are averaged.": {"bring": "mean"},
        "A factor for each head, [K], meets the last dimension of o, [K, F']: "
        "give it a "
        "dimension of size 1 at the end.": {"o": "row"},
        "Only the second half is brought to the common maximum; the first may lie "
        "below it, too.": {"bring": "second"},
        "Only the first half is brought to the common maximum; the second may lie "
        "below it, too.": {"bring": "only first"},
    },
)
def merge(
    first: tuple[Tensor, Tensor, Tensor],
    second: tuple[Tensor, Tensor, Tensor],
    *,
    bring: str = "",
    o: str = "",
    t: str = "",
    top: str = "max",
) -> tuple[Tensor, Tensor, Tensor]:
    narrow = bring in ("absolute", "first", "clamped")
    kind = torch.float32 if narrow else torch.float64
    (m1, t1, o1), (m2, t2, o2) = (
        tuple(part.to(kind) for part in half) for half in (first, second)
    )
    if top == "zero":
        m1, m2 = m1.nan_to_num(neginf=0.0), m2.nan_to_num(neginf=0.0)
    common = {
        "max": torch.maximum(m1, m2),
        "zero": torch.maximum(m1, m2),
        "sum": m1 + m2,
        "log": torch.logaddexp(m1, m2),
        "min": torch.minimum(m1, m2),
        "first": m1,
        "heads": torch.maximum(m1, m2).max().expand_as(m1),
    }[top]
    a, b = (m1 - common).exp(), (m2 - common).exp()
    if bring in ("none", "mean"):
        a = b = torch.ones_like(common) / (2 if bring == "mean" else 1)
    elif bring == "second":
        a = torch.ones_like(a)
    elif bring == "only first":
        b = torch.ones_like(b)
    elif bring == "minus":
        a, b = (common - m1).exp(), (common - m2).exp()
    elif bring == "absolute":
        a, b = m1.exp() / common.exp(), m2.exp() / common.exp()
    elif bring == "clamped":
        a, b = (m1.clamp(-80, 80).exp(), m2.clamp(-80, 80).exp())
        a, b = a / torch.maximum(a, b), b / torch.maximum(a, b)
    elif bring == "first":
        back, step = (m1 - common).exp(), (m2 - m1).exp()
        a, b = back, back * step
    elif bring == "nan":
        a, b = (m1 - common) * 0 + a, (m2 - common) * 0 + b
    total = t1 + t2 if t == "plain" else a * t1 + b * t2
    column = (1, -1) if o == "row" else (-1, 1)
    weighted = a.view(column) * o1 + b.view(column) * o2
    weighted = o1 + o2 if o == "plain" else weighted
    weighted = weighted / total.view(column) if o == "divided" else weighted
    return common, total, weighted
