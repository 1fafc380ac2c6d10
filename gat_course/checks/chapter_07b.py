"""Checks of exercises 7.3 to 7.4."""

import math
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from gat_course.checks import by_hand, inputs
from gat_course.checks.question import case, question
from gat_course.graph import GraphData

# ---------------------------------------------------------------- 7.3


@question(
    "7.3",
    "What attention cannot do",
    cases=[
        case(GraphData(num_nodes=2, src=[0], dst=[1]), inputs.numbers(2, 1), 1.0),
        case(GraphData(num_nodes=2, src=[0], dst=[1]), inputs.numbers(2, 1), 0.5),
        case(GraphData(num_nodes=3, src=[0, 2], dst=[1, 1]), inputs.numbers(3, 2), 2.0),
        case(GraphData(num_nodes=2, src=[0, 0], dst=[1, 1]), inputs.numbers(2, 2), 1.0),
        case(
            GraphData(num_nodes=2, src=[0, 1, 1], dst=[0, 1, 0]),
            inputs.numbers(2, 2),
            1.5,
        ),
        case(inputs.UNEVEN, inputs.numbers(7, 4), 0.7),
        case(
            GraphData(num_nodes=2, src=[0, 1], dst=[1, 1], edge_weight=[0.5, 2.0]),
            inputs.numbers(2, 1),
            1.0,
            tag="edges have weights",
        ),
    ],
    mistakes={
        "Multiply by the ratio, do not divide.": {"form": "divide"},
        "The logarithm is of the degree plus 1: log 0 is minus infinity, and log 1 "
        "is 0.": {"form": "log d"},
        "It is the logarithm of the degree that is scaled, not the degree.": {
            "form": "d"
        },
        "It is the logarithm of the degree that is scaled, not the degree plus 1.": {
            "form": "d+1"
        },
        "It lacks the division by δ.": {"divided": "one"},
        "It multiplies by δ; divide by it.": {"divided": "times"},
        "δ is subtracted; divide by it.": {"divided": "minus"},
        "δ is the mean of the training graphs; take the one you are given.": {
            "divided": "own"
        },
        "The degree is that of the edges that arrive, not of those that leave.": {
            "degree": "out"
        },
        "Edges are counted at both ends; those that arrive are asked for.": {
            "degree": "both"
        },
        by_hand.TWICE: {"degree": "once"},
        "Self-loops are left out; they are edges that arrive, too.": {
            "degree": "others"
        },
        "The 1 stands outside the logarithm; it is log(d + 1).": {"form": "outside"},
        "The 1 stands outside the logarithm, which is −∞ for a node without "
        "edges; it is "
        "log(d + 1).": {"form": "log d + 1"},
        "The sum of edge weights is taken; the number of edges is asked for.": {
            "degree": "weights"
        },
        "A node without edges gets degree 1; it has 0, and log 1 = 0.": {
            "degree": "at least"
        },
        "The logarithm has base 2; the natural one is asked for.": {"form": "log2"},
        "The root of the degree stands in the place of the logarithm.": {
            "form": "root"
        },
        "The number is added to the vector; multiply by it.": {"add": True},
    },
)
def degree_scaler(
    graph: GraphData,
    h: Tensor,
    delta: float,
    *,
    form: str = "",
    divided: str = "",
    degree: str = "in",
    add: bool = False,
) -> Tensor:
    counts = torch.zeros(graph.num_nodes, graph.num_nodes, dtype=torch.float64)
    one = torch.ones(graph.num_edges, dtype=torch.float64)
    counts.index_put_((graph.dst, graph.src), one, accumulate=True)
    d = {
        "weights": graph.dense_adjacency().double().sum(1),
        "at least": counts.sum(1).clamp(min=1),
        "in": counts.sum(1),
        "out": counts.sum(0),
        "both": counts.sum(1) + counts.sum(0),
        "once": counts.clamp(max=1).sum(1),
        "others": counts.sum(1) - counts.diagonal(),
    }[degree].unsqueeze(1)
    scale = {
        "log d": d.log(),
        "d": d,
        "d+1": d + 1,
        "outside": d.clamp(min=1).log() + 1,
        "log d + 1": d.log() + 1,
        "log2": (d + 1).log2(),
        "root": d.sqrt(),
    }.get(form, (d + 1).log())
    ratio = {
        "": scale / delta,
        "one": scale,
        "times": scale * delta,
        "minus": scale - delta,
        "own": scale / scale.mean(),
    }[divided]
    h = h.double()
    return h / ratio if form == "divide" else h + ratio if add else h * ratio


# ---------------------------------------------------------------- 7.4


def _thousands(function: Callable) -> str | None:
    h, query = inputs.numbers(60_000, 3), torch.tensor([1.0, -0.5, 0.25])
    graph_of = torch.arange(20_000).repeat_interleave(3)
    start = time.perf_counter()
    with inputs.Work() as work:
        function(h, graph_of, 20_000, query)
    taken = time.perf_counter() - start
    if work.done > 100 * h.numel() or work.calls > 10_000 or taken > 15:
        return (
            f"The numbers are right, but 20,000 graphs take {work.calls:,} calls of "
            f"PyTorch and {taken:.1f} s: there is a loop over them, or the nodes are "
            "gone through again for each graph."
        )
    return None


@question(
    "7.4",
    "A whole graph: readouts",
    tolerance=1e-4,
    cases=[
        case(inputs.numbers(1, 2), torch.tensor([0]), 1, torch.tensor([1.0, 0.5])),
        case(inputs.numbers(2, 2), torch.tensor([0, 0]), 1, torch.tensor([1.0, -0.5])),
        case(inputs.numbers(2, 2), torch.tensor([0, 1]), 2, torch.tensor([1.0, -0.5])),
        case(
            inputs.numbers(3, 2), torch.tensor([0, 0, 1]), 3, torch.tensor([1.0, -0.5])
        ),
        case(
            inputs.numbers(7, 3),
            torch.tensor([0, 0, 2, 2, 2, 3, 0]),
            5,
            torch.tensor([1.0, -0.5, 0.25]),
            tag="graphs are mixed and some have no node",
        ),
        case(
            200 * inputs.numbers(7, 3),
            torch.tensor([0, 0, 2, 2, 2, 3, 0]),
            5,
            torch.tensor([1.0, -0.5, 0.25]),
            tag="scores are large",
        ),
        case(
            inputs.numbers(2, 2) - 300,
            torch.tensor([0, 0]),
            1,
            torch.tensor([1.0, 0.5]),
            tag="scores are far below 0",
        ),
        case(
            torch.cat([inputs.numbers(3, 1) + 400, inputs.numbers(3, 1)]),
            torch.tensor([0, 0, 0, 1, 1, 1]),
            2,
            torch.tensor([1.0]),
            tag="one graph's scores lie far above another's",
        ),
    ],
    limits=[_thousands],
    mistakes={
        "The softmax is over the nodes of one graph, not of all.": {"over": "all"},
        "That is the mean; the weights have no part in it.": {"form": "mean"},
        "That is the sum; the weights have no part in it.": {"form": "sum"},
        "That is the largest of each feature; a weighted sum is asked for.": {
            "form": "max"
        },
        "Nothing is subtracted before the exponential: large scores overflow.": {
            "top": "none"
        },
        "One maximum is subtracted for all graphs: a graph that lies far below gets "
        "0 / 0.": {"top": "all"},
        "The maximum starts at 0: where all scores are far below it, a graph's weights "
        "vanish.": {"top": "zero"},
        "Scores are clamped, so that large ones count the same; subtract each graph's "
        "largest.": {"top": "clamped"},
        "The exponentials are not divided by their sum.": {"form": "exp"},
        "The result is divided by the number of nodes; the weights sum to 1 already.": {
            "form": "again"
        },
        "The best node takes all; a softmax leaves some for the others.": {
            "form": "hard"
        },
        "A graph without nodes gets NaN; zeros are asked for.": {"empty": "nan"},
        "A graph without nodes gets the first node of the next one, as with NumPy's "
        "`reduceat`; zeros are asked for.": {"empty": "next"},
        "Graphs without nodes are left out; they get a row of zeros.": {
            "empty": "dropped"
        },
        "The scores are divided by √F; the question has no such factor.": {
            "scale": "root"
        },
        "The sign of the scores is wrong.": {"scale": "minus"},
        "A LeakyReLU is applied to the scores; the question has none.": {
            "scale": "leaky"
        },
        "A sigmoid stands in the place of the softmax.": {"form": "sigmoid"},
    },
)
def read_out(
    h: Tensor,
    graph_of: Tensor,
    num_graphs: int,
    query: Tensor,
    *,
    over: str = "one",
    form: str = "",
    top: str = "own",
    empty: str = "",
    scale: str = "",
) -> Tensor:
    exact = top == "own"
    rows = h.double() if exact else h.float()
    scores = rows @ query.to(rows.dtype)
    scores = {
        "": scores,
        "root": scores / math.sqrt(h.shape[1]),
        "minus": -scores,
        "leaky": F.leaky_relu(scores, 0.2),
    }[scale]
    found = []
    for g in range(num_graphs):
        own = graph_of == g
        if not bool(own.any()):
            later = (graph_of[graph_of > g]).sort().values
            if empty == "next" and len(later):
                found.append(rows[graph_of == later[0]][0])
                continue
            if empty != "dropped":
                blank = math.nan if empty == "nan" else 0.0
                found.append(torch.full((h.shape[1],), blank).to(rows.dtype))
            continue
        part, s = rows[own], scores[own]
        if top != "own":
            tops = {"all": scores.max(), "none": 0, "zero": s.max().clamp(min=0)}
            terms = (s - tops.get(top, 0)).exp()
            if top == "clamped":
                terms = s.clamp(-30, 30).exp()
            found.append((terms / terms.sum()) @ part)
            continue
        alpha = s.softmax(0)
        alpha = scores.softmax(0)[own] if over == "all" else alpha
        alpha = {
            "mean": torch.ones_like(s) / len(s),
            "sum": torch.ones_like(s),
            "exp": s.exp(),
            "again": alpha / len(s),
            "hard": (s == s.max()).double(),
            "sigmoid": s.sigmoid(),
        }.get(form, alpha)
        found.append(part.amax(0) if form == "max" else alpha @ part)
    return torch.stack(found).double()
