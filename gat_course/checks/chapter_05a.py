"""Checks of exercises 5.1 to 5.3."""

import math
from typing import Any

import torch
from torch import Tensor

from gat_course.checks import by_hand, reading
from gat_course.checks.question import case, question
from gat_course.graph import GraphData

# ---------------------------------------------------------------- 5.1


@question(
    "5.1",
    "The data, seen",
    cases=[
        case(GraphData(num_nodes=2, src=[0, 1], dst=[1, 0], y=[0, 0])),
        case(GraphData(num_nodes=2, src=[0, 1], dst=[1, 0], y=[0, 1])),
        case(GraphData(num_nodes=3, src=[0, 1], dst=[1, 2], y=[1, 1, 0])),
        case(GraphData(num_nodes=2, src=[0, 0, 1], dst=[0, 1, 1], y=[0, 1])),
        case(GraphData(num_nodes=3, src=[0, 0, 1], dst=[1, 1, 2], y=[2, 2, 0])),
        case(
            GraphData(
                num_nodes=7,
                src=[0, 1, 2, 3, 4, 0, 1, 1, 2, 5, 4],
                dst=[1, 0, 1, 2, 3, 0, 1, 3, 2, 4, 4],
                y=[0, 0, 0, 1, 1, 2, 2],
            )
        ),
        case(
            GraphData(
                num_nodes=5, src=[1, 2, 3, 4, 0], dst=[0, 0, 0, 0, 1], y=[0, 0, 0, 1, 0]
            )
        ),
        case(
            GraphData(num_nodes=4, src=[0, 1, 2, 3], dst=[1, 2, 3, 0], y=[3, 3, 3, 0])
        ),
    ],
    mistakes={
        "Self-loops count in your answer: a node always agrees with itself.": {
            "loops": "both"
        },
        "Self-loops are left out above the line, but not below it.": {"loops": "below"},
        "Self-loops are left out below the line, but not above it.": {"loops": "above"},
        "N edges are taken off, as if every node had one self-loop: count those there "
        "are.": {"loops": "each"},
        "Where there is a self-loop N edges are taken off, as if every node had one: "
        "count those there are.": {"loops": "each, if any"},
        "Edges from a larger number to a smaller are left out; each edge counts.": {
            "loops": "up"
        },
        "That is the share of edges between different classes.": {"other": True},
        "It is divided by the number of nodes, not of edges.": {"by": "nodes"},
        "That is the number of edges within a class, not their share.": {"by": "one"},
        "It is in percent; a share from 0 to 1 is asked for.": {"by": "percent"},
        by_hand.TWICE: {"once": True},
        "An edge and its reverse count as one; each counts.": {"pairs": True},
        "That is the mean over the nodes of their own shares; every edge counts the "
        "same.": {"mean": "nodes"},
        "That is the mean over the nodes of their own shares, with 0 for those without "
        "neighbours.": {"mean": "all"},
        "That is the mean over the classes; every edge counts the same.": {
            "mean": "classes"
        },
        "It is the share of all pairs of nodes, joined or not.": {"by": "pairs"},
        "Both ends have to be of class 0 in your answer; any class will do.": {
            "zero": True
        },
    },
)
def homophily(
    graph: GraphData,
    *,
    loops: str = "",
    other: bool = False,
    by: str = "edges",
    once: bool = False,
    pairs: bool = False,
    mean: str = "",
    zero: bool = False,
) -> float:
    y = graph.y.tolist()
    edges = list(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))
    counted = list(set(edges)) if once else edges
    counted = list({tuple(sorted(e)) for e in counted}) if pairs else counted
    apart = [(j, i) for j, i in counted if i != j or loops == "both"]
    apart = [(j, i) for j, i in apart if j < i or loops != "up"]

    def agrees(j: int, i: int) -> bool:
        return (y[j] == y[i]) != other and not (zero and y[j])

    hits = sum(agrees(*e) for e in apart)
    if loops == "each, if any" and len(apart) < len(counted):
        loops = "each"
    if loops in ("above", "each"):
        hits = sum(agrees(*e) for e in counted)
    if loops == "each":
        return (hits - graph.num_nodes) / (len(counted) - graph.num_nodes)
    if mean:
        shares = []
        groups = sorted(set(y)) if mean == "classes" else range(graph.num_nodes)
        for g in groups:
            own = [e for e in apart if (y[e[1]] if mean == "classes" else e[1]) == g]
            if own:
                shares.append(sum(agrees(*e) for e in own) / len(own))
            elif mean == "all":
                shares.append(0.0)
        return sum(shares) / len(shares)
    n = graph.num_nodes
    below = {
        "edges": len(counted) if loops == "below" else len(apart),
        "nodes": n,
        "one": 1,
        "percent": len(apart) / 100,
        "pairs": n * n,
    }[by]
    return hits / below


# ---------------------------------------------------------------- 5.2


def _own_graph(value: Any, *given: Any) -> dict[str, Any]:
    graph, names = reading.parts(value, ("graph", "list of names"))
    graph = reading.graph(graph, "The first")
    if not isinstance(names, (list, tuple)):
        raise reading.Form(f"The second should be a list, not {reading.kind(names)}.")
    if graph.x is None:
        raise reading.Form("The features are missing: x should be one-hot.")
    return {
        "names": [str(name) for name in names],
        "nodes": torch.tensor(float(graph.num_nodes)),
        "adjacency matrix": graph.dense_adjacency().double(),
        "features": reading.numbers(graph.x),
    }


@question(
    "5.2",
    "Your own graph",
    read=_own_graph,
    tolerance=1e-6,
    cases=[
        case([("ann", "bob")]),
        case([("eve", "ann")]),
        case([("ann", "bob"), ("bob", "cat")]),
        case([("ann", "bob"), ("ann", "bob")], tag="a friendship is listed twice"),
        case([("ann", "bob"), ("bob", "ann")], tag="it is listed in both orders"),
        case([("eve", "ann"), ("ann", "bob"), ("ann", "eve"), ("dan", "bob")]),
    ],
    mistakes={
        "The names should come in the order in which they first appear; yours are "
        "sorted.": {"order": "sorted"},
        "The names should come in the order in which they first appear; yours come "
        "first the left ones, then the right ones.": {"order": "columns"},
        "The self-loops are missing.": {"loops": 0},
        "Each node has two self-loops.": {"loops": 2},
        "A friendship that is listed twice should count once.": {"once": "no"},
        "A friendship that is listed in both orders should count once.": {
            "once": "ordered"
        },
        "A friendship runs both ways: each edge needs its reverse.": {"both": False},
        "The features are not one-hot: they are the nodes' numbers.": {"x": "numbers"},
        "The features are all ones; one-hot is asked for.": {"x": "ones"},
        "The features are the adjacency matrix; one-hot is asked for.": {"x": "matrix"},
        "There is a node too many.": {"nodes": 1},
    },
)
def from_names(
    pairs: list[tuple[str, str]],
    *,
    order: str = "first",
    loops: int = 1,
    once: str = "yes",
    both: bool = True,
    x: str = "one-hot",
    nodes: int = 0,
) -> tuple[GraphData, list[str]]:
    flat = [name for pair in pairs for name in pair]
    if order == "columns":
        flat = [pair[0] for pair in pairs] + [pair[1] for pair in pairs]
    names = list(dict.fromkeys(flat))
    names = sorted(names) if order == "sorted" else names
    numbered = [(names.index(a), names.index(b)) for a, b in pairs]
    if once == "yes":
        numbered = list(dict.fromkeys(tuple(sorted(p)) for p in numbered))
    elif once == "ordered":
        numbered = list(dict.fromkeys(numbered))
    edges = numbered + ([(b, a) for a, b in numbered] if both else [])
    n = len(names) + nodes
    edges += [(i, i) for i in range(n)] * loops
    src, dst = [e[0] for e in edges], [e[1] for e in edges]
    graph = GraphData(num_nodes=n, src=src, dst=dst)
    features = {
        "one-hot": torch.eye(n),
        "numbers": torch.arange(n).float().unsqueeze(1),
        "ones": torch.ones(n, 1),
        "matrix": graph.dense_adjacency(),
    }[x]
    return GraphData(num_nodes=n, src=src, dst=dst, x=features), names


# ---------------------------------------------------------------- 5.3


def _entropy_cases() -> list:
    def weighted(n: int, src: list, dst: list, alpha: list) -> Any:
        return case(GraphData(num_nodes=n, src=src, dst=dst), torch.tensor(alpha))

    zeros = weighted(3, [0, 1, 2], [0, 0, 0], [[0.5], [0.0], [0.5]])
    return [
        weighted(2, [0, 1], [0, 0], [[0.5], [0.5]]),
        weighted(2, [0, 1], [0, 0], [[0.75], [0.25]]),
        weighted(3, [0, 1, 2, 1], [0, 0, 0, 1], [[0.5], [0.25], [0.25], [1.0]]),
        case(*zeros.args, tag="a weight is 0"),
        weighted(2, [0, 1, 1], [0, 0, 0], [[0.5], [0.25], [0.25]]),
        weighted(
            4,
            [0, 1, 2, 3, 0, 1, 2],
            [0, 0, 0, 0, 1, 1, 2],
            [
                [0.25, 0.7],
                [0.25, 0.1],
                [0.25, 0.1],
                [0.25, 0.1],
                [0.9, 0.5],
                [0.1, 0.5],
                [1.0, 1.0],
            ],
        ),
    ]


@question(
    "5.3",
    "Entropy: how sharp is attention?",
    cases=_entropy_cases(),
    mistakes={
        "Nodes with one neighbour or none have no choice: they get NaN, not 0.": {
            "none": 0.0
        },
        "Nodes with one neighbour or none have no choice: they get NaN, not 1.": {
            "none": 1.0
        },
        "A node without neighbours gets NaN, too, not 0.": {"none": "some"},
        "The entropy is not divided by its maximum.": {"top": "one"},
        "The maximum is that of the edges out of a node; it is those into it.": {
            "top": "out"
        },
        "It is divided by log N; the maximum of a node is the log of its own degree.": {
            "top": "N"
        },
        "It is divided by the degree; the maximum is its logarithm.": {"top": "degree"},
        "It is divided by the largest entropy that occurs; the maximum is log of the "
        "degree.": {"top": "largest"},
        "The entropy has base 2, its maximum base e.": {"base": True},
        "The entropy has base e, its maximum base 2.": {"base": "top"},
        "The sign is wrong: an entropy is −Σ α log α.": {"sign": -1.0},
        "It is 1 minus the ratio.": {"minus": True},
        "Where a weight is 0, 0 · log 0 gives NaN; its term is 0.": {"zero": True},
        "The heads are averaged; each head is asked for.": {"heads": True},
        "Edges are collected at their source; a node's weights are those of the edges "
        "into it.": {"end": "src"},
        "The logarithm of α is missing in the sum.": {"plain": True},
        "The heads' weights are averaged first; each head has its own entropy.": {
            "heads": "first"
        },
        "Two neighbours are a choice: only one or none is not.": {"none": "two"},
        "The difference to the maximum is taken; divide by it.": {"top": "minus"},
    },
)
def relative_entropy(
    graph: GraphData,
    alpha: Tensor,
    *,
    none: float | str = math.nan,
    top: str = "log",
    base: bool | str = False,
    sign: float = 1.0,
    minus: bool = False,
    zero: bool = False,
    heads: bool | str = False,
    end: str = "dst",
    plain: bool = False,
) -> Tensor:
    alpha, ends = alpha.double(), getattr(graph, end)
    if heads == "first":
        alpha = alpha.mean(1, keepdim=True).expand_as(alpha)
    n = graph.num_nodes
    terms = -torch.special.xlogy(alpha, alpha)
    terms = -alpha * alpha.log() if zero else terms
    terms = alpha * alpha if plain else terms
    total = torch.zeros(n, alpha.shape[1]).double().index_add(0, ends, terms)
    total = total / math.log(2) if base is True else total
    total = total * math.log(2) if base == "top" else total
    degree = torch.bincount(ends, minlength=n).double().unsqueeze(1)
    divide = {
        "log": degree.log(),
        "minus": degree.log(),
        "out": torch.bincount(graph.src, minlength=n).double().unsqueeze(1).log(),
        "one": torch.ones_like(degree),
        "N": torch.full_like(degree, math.log(n)),
        "degree": degree,
        "largest": total.max().expand_as(degree),
    }[top]
    found = sign * (divide - total if top == "minus" else total / divide)
    found = 1 - found if minus else found
    alone = degree < 2
    if none == "two":
        found = found.masked_fill(degree < 3, math.nan)
    elif none == "some":
        found = found.masked_fill(degree == 1, math.nan).masked_fill(degree == 0, 0.0)
    else:
        found = found.masked_fill(alone, float(none))
    return found.mean(1, keepdim=True).expand_as(found) if heads is True else found
