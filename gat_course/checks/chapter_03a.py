"""Checks of exercises 3.1 to 3.3."""

import math
import operator
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from gat_course.checks import by_hand, inputs, reading
from gat_course.checks.question import AsDgl, case, question
from gat_course.graph import GraphData

# ---------------------------------------------------------------- 3.1


def _pairs(value: Any, *given: Any) -> list[tuple[int, ...]]:
    try:
        found = [tuple(operator.index(_item(n)) for n in pair) for pair in value]
    except (TypeError, ValueError):
        raise reading.Form("The result should be a list of pairs (B, D).") from None
    if any(len(pair) != 2 for pair in found):
        raise reading.Form("The result should be a list of pairs (B, D).")
    return found


def _item(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


@question(
    "3.1",
    "Is it slow, and why?",
    read=_pairs,
    cases=[
        case(GraphData(num_nodes=3, src=[], dst=[])),
        *map(case, inputs.graphs()),
        case(GraphData(num_nodes=2, src=[0, 0, 1, 1], dst=[0, 1, 1, 1])),
        case(GraphData(num_nodes=4, src=[0, 1, 2, 3, 0], dst=[1, 1, 1, 2, 3])),
    ],
    mistakes={
        "There is a bucket of degree 0: no message, no call.": {"zero": True},
        "A pair is (B, D): first the number of targets, then the degree.": {
            "turned": True
        },
        "The order is wrong: smallest degree first.": {"order": "down"},
        "The buckets are sorted by their size; smallest degree first.": {"order": "B"},
        "The buckets come as the nodes do; smallest degree first.": {"order": "nodes"},
        "An edge that occurs twice brings two messages.": {"once": True},
        "These are the edges that leave each node, not those that arrive.": {
            "leaving": True
        },
        "Degrees that do not occur have no bucket.": {"gaps": True},
        "The largest degree is left out: `range` stops before its end.": {
            "order": "short"
        },
        "Each node is a bucket of its own; nodes of one degree share one.": {
            "each": True
        },
        "Nodes of one degree share a bucket wherever they stand; yours holds those "
        "that follow each other.": {"each": "runs"},
        "A self-loop is an edge, too.": {"loops": False},
        "The first number is how many targets, not how many messages.": {
            "messages": True
        },
        "Edges are counted at both ends; a message arrives at one.": {"both": True},
    },
)
def bucket_shapes(
    graph: GraphData,
    *,
    zero: bool = False,
    turned: bool = False,
    order: str = "up",
    once: bool = False,
    leaving: bool = False,
    gaps: bool = False,
    each: bool | str = False,
    loops: bool = True,
    messages: bool = False,
    both: bool = False,
) -> list[tuple[int, int]]:
    pairs = list(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))
    pairs = list(set(pairs)) if once else pairs
    pairs = [p for p in pairs if loops or p[0] != p[1]]
    ends = [p[0] if leaving else p[1] for p in pairs]
    ends = [node for pair in pairs for node in pair] if both else ends
    degrees = [ends.count(node) for node in range(graph.num_nodes)]
    wanted = range(max(degrees) + 1) if gaps else sorted(set(degrees))
    found = [(degrees.count(d), d) for d in wanted if d or zero]
    if each == "runs":
        runs = [(len(list(run)), d) for d, run in groupby(degrees) if d or zero]
        found = sorted(runs, key=lambda pair: pair[::-1])
    elif each:
        found = [(1, d) for d in sorted(degrees) if d or zero]
    if messages:
        found = [(b * d, d) for b, d in found]
    if order == "nodes":
        seen = list(dict.fromkeys(d for d in degrees if d or zero))
        found = sorted(found, key=lambda pair: seen.index(pair[1]))
    elif order == "short":
        found = [(b, d) for b, d in found if d < max(degrees)]
    elif order == "down":
        found = found[::-1]
    elif order == "B":
        found = sorted(found)
    return [pair[::-1] for pair in found] if turned else found


# ---------------------------------------------------------------- 3.2


@question(
    "3.2",
    "Without messages: two sparse products",
    cases=[
        case(AsDgl(g), inputs.features(g.num_nodes, 2, k))
        for k, g in enumerate(inputs.graphs())
    ]
    + [case(AsDgl(GraphData(num_nodes=2, src=[], dst=[])), inputs.features(2, 3))],
    mistakes={
        "This is the sum of the neighbours, not their mean.": {"reduce": "sum"},
        "This is the largest of the neighbours, not their mean.": {"reduce": "max"},
        "Each source averages its targets: the direction is swapped.": {"turned": True},
        "A self-loop is added; average over the edges there are.": {"loops": True},
        "An isolated node gets NaN, 0 / 0; DGL's `mean` gives zeros.": {"empty": "nan"},
        "An isolated node keeps its own features; it should get zeros.": {
            "empty": "own"
        },
        by_hand.TWICE: {"once": True},
        "The sum is divided by the out-degree; the mean needs the in-degree.": {
            "by": "out"
        },
        "The sum is divided by the number of all nodes.": {"by": "N"},
        "The sum is divided by the degree plus one.": {"by": "more"},
        "The node's own features are averaged with the result.": {"own": True},
        "This is GCN's average, divided by the root of both degrees.": {"by": "gcn"},
        "The sum is divided by the root of the degree.": {"by": "root"},
    },
)
def mean_of_neighbours(
    g: GraphData,
    x: Tensor,
    *,
    reduce: str = "mean",
    turned: bool = False,
    loops: bool = False,
    empty: str = "zeros",
    once: bool = False,
    by: str = "in",
    own: bool = False,
) -> Tensor:
    counts, x = g.dense_adjacency().double(), x.double()
    counts = counts.t() if turned else counts
    counts = counts + torch.eye(len(x)) if loops else counts
    counts = (counts > 0).double() if once else counts
    degree, leaving = counts.sum(1, keepdim=True), counts.sum(0).unsqueeze(1)
    if reduce == "max":
        return torch.stack(
            [x[row > 0].amax(0) if row.any() else x[0] * 0 for row in counts]
        )
    total = counts @ x
    if reduce == "sum":
        return total
    divide = {
        "in": degree,
        "out": leaving,
        "N": torch.full_like(degree, len(x)),
        "more": degree + 1,
        "root": degree.sqrt(),
        "gcn": degree.sqrt(),
    }[by]
    if by == "gcn":
        total = counts @ (x / leaving.clamp(min=1).sqrt())
    found = total / (divide if empty == "nan" else divide.clamp(min=1))
    if empty == "own":
        found = torch.where(degree == 0, x, found)
    return (found + x) / 2 if own else found


# ---------------------------------------------------------------- 3.3


def _attention_cases() -> list:
    found = []
    for k, graph in enumerate(inputs.graphs()):
        n, d = graph.num_nodes, 4 if k else 1
        q, key = inputs.features(n, d, k), inputs.features(n, d, k + 3)
        found.append(
            case(AsDgl(graph), q, key, inputs.features(n, 3 if k > 2 else 2, k + 5))
        )
    graph, value = inputs.graphs()[-1], inputs.features(7, 3)
    large = [40 * inputs.features(7, 4, k) for k in (1, 5)]
    found.append(case(AsDgl(graph), *large, value))
    found.append(case(AsDgl(graph), *(part.abs() for part in large), value))
    return found


@question(
    "3.3",
    "Without messages: two sparse products",
    tolerance=1e-4,
    cases=_attention_cases(),
    mistakes={
        "The scores are not divided by √d_k.": {"divide": "none"},
        "The scores are divided by d_k; divide by its root.": {"divide": "d"},
        "The scores are multiplied by √d_k; divide by it.": {"divide": "times"},
        "√d_k is taken of the values' length, d_v.": {"divide": "v"},
        "Query and key are swapped: the target asks, q is the target's.": {
            "swapped": True
        },
        "What is averaged is the keys; the values v are asked for.": {"values": "key"},
        "What is averaged is the queries; the values v are asked for.": {
            "values": "query"
        },
        "What is averaged is the target's own value; the sources' are asked for.": {
            "values": "target"
        },
        "Messages run against the edges: from target to source.": {"turned": True},
        "The weighted values are averaged; equation (4) adds them up.": {"mean": True},
        "LeakyReLU is applied to the scores; dot products have none.": {"leaky": True},
        "The query meets itself: the key is not used.": {"keys": "query"},
        "What is subtracted is the largest score of the whole graph: a neighbourhood "
        "that lies far below gets 0 / 0.": {"form": "one top"},
        "The weights are left out: the sources' values are added up.": {"form": "ones"},
        **by_hand.but(by_hand.EDGES, {"end": "head"}),
    },
)
def dot_product_attention(
    g: GraphData,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    divide: str = "root",
    swapped: bool = False,
    values: str = "value",
    turned: bool = False,
    leaky: bool = False,
    keys: str = "key",
    mean: bool = False,
    **softmax: Any,
) -> Tensor:
    if turned:
        g = GraphData(num_nodes=g.num_nodes, src=g.dst, dst=g.src)
    query, key, value = query.double(), key.double(), value.double()
    width = query.shape[1]
    q, k = (key, query) if swapped else (query, key)
    k = q if keys == "query" else k
    scores = (q[g.dst] * k[g.src]).sum(1, keepdim=True)
    scores = {
        "root": scores / math.sqrt(width),
        "none": scores,
        "d": scores / width,
        "times": scores * math.sqrt(width),
        "v": scores / math.sqrt(value.shape[1]),
    }[divide]
    scores = torch.nn.functional.leaky_relu(scores, 0.2) if leaky else scores
    alpha = by_hand.edge_weights(scores, g, **softmax)
    v = {"value": value, "key": key, "query": query, "target": value}[values]
    messages = alpha * v[g.dst if values == "target" else g.src]
    if mean:
        messages = messages / g.in_degrees[g.dst].unsqueeze(1)
    return torch.zeros(len(v), v.shape[1]).double().index_add(0, g.dst, messages)
