"""Checks of exercises 3.4 to 3.7."""

from typing import Any

import torch
from torch import Tensor

from gat_course.checks import by_hand, inputs
from gat_course.checks.question import AsDgl, case, question
from gat_course.graph import GraphData

# ---------------------------------------------------------------- 3.4


def _score_cases() -> list:
    found = []
    for k, graph in enumerate(inputs.graphs()):
        heads = 2 if k else 1
        found.append(case(AsDgl(graph), inputs.features(graph.num_edges, heads, k)))
    last = inputs.graphs()[-1]
    scores = inputs.features(10, 2, 3)
    low = scores - 200 * (last.dst == 3).unsqueeze(1)
    high = scores.clone()
    high[4] += 200
    high[:, 1] -= 200
    return [
        *found,
        case(AsDgl(last), scores + 2000, tag="scores are as large as 2000"),
        case(AsDgl(last), low, tag="a neighbourhood lies 200 below all others"),
        case(AsDgl(last), high, tag="one score lies 200 above its neighbourhood"),
        case(AsDgl(last), scores + torch.tensor([0.0, 300.0])),
    ]


def _one_maximum(scores: Tensor, graph: GraphData, of: str) -> Tensor:
    """Softmax in float32 with one number subtracted from all, as it underflows."""
    ends = graph.dst
    count = graph.in_degrees.clamp(min=1).unsqueeze(1)
    sums = torch.zeros(graph.num_nodes, scores.shape[1]).index_add(0, ends, scores)
    top = {
        "graph": lambda: scores.max(),
        "head": lambda: scores.amax(0),
        "mean": lambda: (sums / count)[ends],
        "edge": lambda: scores.amax(1, keepdim=True),
        "all heads": lambda: (
            torch.full((graph.num_nodes,), -1e30)
            .scatter_reduce(0, ends, scores.amax(1), "amax")[ends]
            .unsqueeze(1)
        ),
    }[of]()
    terms = (scores - top).exp()
    total = torch.zeros(graph.num_nodes, scores.shape[1]).index_add(0, ends, terms)
    return terms / total[ends]


@question(
    "3.4",
    "Without messages: two sparse products",
    tolerance=1e-4,
    cases=_score_cases(),
    mistakes={
        "What is subtracted is one number for all heads of a target: a head that lies "
        "far below gets 0 / 0. Each head has its own largest score.": {
            "top": "all heads"
        },
        "What is subtracted is the largest head of each edge, which is another number "
        "for each edge of a neighbourhood.": {"top": "edge"},
        "What is subtracted is the mean of a neighbourhood; one score far above it "
        "overflows. Subtract the largest.": {"top": "mean"},
        "What is subtracted is the largest score of each head, over the whole graph: a "
        "neighbourhood that lies far below gets 0 / 0.": {"top": "head"},
        "What is subtracted is the largest score of the whole graph: a neighbourhood "
        "that lies far below gets 0 / 0, and zeros in the place of NaN do not sum to "
        "1.": {"top": "graph"},
        "Nothing is subtracted before the exponential: large scores overflow, and a "
        "neighbourhood far below 0 gets 0 / 0.": {"form": "naive"},
        **by_hand.but(by_hand.EDGES, {"form": "naive"}),
    },
)
def softmax_from_built_ins(
    g: GraphData, scores: Tensor, *, top: str = "", **softmax: Any
) -> Tensor:
    if top:
        return _one_maximum(scores.float(), g, top).double()
    return by_hand.edge_weights(scores, g, **softmax)


# ---------------------------------------------------------------- 3.5


def _alpha_cases() -> list:
    found = []
    for k, graph in enumerate(inputs.graphs()):
        scores = inputs.features(graph.num_edges, 2 if k else 1, k)
        alpha = by_hand.edge_weights(scores, graph).float().mul(16).round() / 16
        found.append(case(AsDgl(graph), alpha))
    return found


@question(
    "3.5",
    "Three functions for three equations",
    cases=_alpha_cases(),
    mistakes={
        "This is what each target hands out, which is 1. Ask what a source receives: "
        "sum over the edges that leave it.": {"end": "dst"},
        "This is the mean over a source's edges; their sum is asked for.": {
            "reduce": "mean"
        },
        "This is the largest weight that a source gets; the sum is asked for.": {
            "reduce": "max"
        },
        "This counts a source's targets; their weights are to be added up.": {
            "reduce": "count"
        },
        by_hand.TWICE: {"once": True},
        "Of an edge that occurs twice the last one alone is left: it overwrites the "
        "others.": {"reduce": "pair"},
        "`out[src] += …` keeps one edge of each source: the last one overwrites the "
        "others. Use `index_add`.": {"reduce": "last"},
        "What a node gives itself is left out: a self-loop is an edge, too.": {
            "loops": False
        },
        "The heads are added up; each head is asked for.": {"heads": "sum"},
        "The heads are averaged; each head is asked for.": {"heads": "mean"},
        "It is divided by the sum over all sources.": {"share": True},
        "It is divided by the number of nodes.": {"by": True},
    },
)
def received(
    g: GraphData,
    alpha: Tensor,
    *,
    end: str = "src",
    reduce: str = "sum",
    once: bool = False,
    loops: bool = True,
    heads: str = "",
    share: bool = False,
    by: bool = False,
) -> Tensor:
    alpha = alpha.double()
    found = torch.zeros(g.num_nodes, alpha.shape[1], dtype=torch.float64)
    count, largest, seen = found[:, :1].clone(), found.clone(), set()
    last, pairs = found.clone(), {}
    ends = zip(g.src.tolist(), g.dst.tolist(), alpha, strict=True)
    for j, i, weight in ends:
        if (once and (j, i) in seen) or (not loops and i == j):
            continue
        seen.add((j, i))
        node = j if end == "src" else i
        found[node] += weight
        count[node] += 1
        largest[node] = torch.maximum(largest[node], weight)
        last[node], pairs[j, i] = weight, weight
    if reduce == "pair":
        last.zero_()
        for (j, _), weight in pairs.items():
            last[j] += weight
    found = {
        "sum": found,
        "last": last,
        "pair": last,
        "mean": found / count.clamp(min=1),
        "max": largest,
        "count": count.expand_as(found),
    }[reduce]
    found = found / len(found) if by else found
    found = found / found.sum(0) if share else found
    return {"": found, "sum": found.sum(1), "mean": found.mean(1)}[heads]


# ---------------------------------------------------------------- 3.7


def _mailbox_cases() -> list:
    return [
        case(torch.tensor([[[0.0], [0.0]]]), torch.tensor([[[[1.0]], [[3.0]]]])),
        case(
            inputs.features(2, 2).view(2, 2, 1), inputs.features(2, 4).view(2, 2, 1, 2)
        ),
        case(
            inputs.features(3, 2).view(3, 1, 2),
            inputs.features(3, 4, 1).view(3, 1, 2, 2),
        ),
        case(
            inputs.features(3, 8, 2).view(3, 4, 2),
            inputs.features(3, 24, 1).view(3, 4, 2, 3),
        ),
        case(
            300 * inputs.features(2, 6, 2).view(2, 3, 2),
            inputs.features(2, 12).view(2, 3, 2, 2),
        ),
    ]


@question(
    "3.7",
    "The mailbox, and the reduce function: equations (3) and (4)",
    tolerance=1e-4,
    cases=_mailbox_cases(),
    mistakes={
        "The softmax still runs over dimension 0, the targets of the bucket: a target "
        "takes weight from others that merely have its degree.": {"softmax": 0},
        "The softmax runs over dimension 2, the heads; dimension 1 holds a target's "
        "messages.": {"softmax": 2},
        "The sum still runs over dimension 0, the targets.": {"total": 0},
        "The sum runs over the heads; each head is asked for.": {"total": 2},
        "It is the mean of the weighted messages; equation (4) adds them up.": {
            "mean": True
        },
        "The weights are left out: messages are added up.": {"weights": "ones"},
        "All messages weigh the same: the scores play no part.": {"weights": "mean"},
        "The exponentials are not divided by their sum.": {"weights": "exp"},
        "The softmax is applied twice, and flattens the weights.": {"twice": True},
        "Head 0's weights are used for all heads.": {"head": True},
        "The weights are averaged over the heads; each head has its own.": {
            "head": "mean"
        },
        "One softmax runs over the messages and heads of a target together; each head "
        "has its own.": {"softmax": "both"},
        "The exponential is missing: scores are divided by their sum.": {
            "weights": "ratio"
        },
        "What is subtracted before the exponential is the largest score of the whole "
        "bucket: a target far below gets 0 / 0.": {"weights": "bucket"},
        "Nothing is subtracted before the exponential: large scores overflow.": {
            "weights": "naive"
        },
    },
)
def mended_reduce(
    score: Tensor,
    message: Tensor,
    *,
    softmax: int | str = 1,
    total: int = 1,
    mean: bool = False,
    weights: str = "",
    twice: bool = False,
    head: bool | str = False,
) -> Tensor:
    score, message = score.double(), message.double()
    flat = score.flatten(1).softmax(1).view_as(score)
    alpha = flat if softmax == "both" else score.softmax(int(softmax))
    narrow = score.float()
    terms = (narrow - (narrow.max() if weights == "bucket" else 0)).exp()
    unsafe = (terms / terms.sum(1, keepdim=True)).double()
    alpha = alpha.softmax(1) if twice else alpha
    alpha = {
        "ratio": score / score.sum(1, keepdim=True),
        "bucket": unsafe,
        "naive": unsafe,
        "": alpha,
        "ones": torch.ones_like(alpha),
        "mean": torch.ones_like(alpha) / alpha.shape[1],
        "exp": score.exp(),
    }[weights]
    if head == "mean":
        alpha = alpha.mean(2, keepdim=True).expand_as(alpha)
    alpha = alpha[:, :, :1].expand_as(alpha) if head is True else alpha
    weighted = alpha.unsqueeze(-1) * message
    return weighted.mean(total) if mean else weighted.sum(total)
