"""Checks of exercises 9.4 to 9.7."""

import copy
from typing import Any

import torch
from torch import Tensor

from gat_course.checks import by_hand, inputs, reading
from gat_course.checks.question import Holds, case, question
from gat_course.graph import GraphData

# ---------------------------------------------------------------- 9.4


def _gradient_cases() -> list:
    def given(scores: Tensor, p: Tensor, dst: list, n: int, tag: str = "") -> Any:
        graph = GraphData(num_nodes=n, src=[0] * len(dst), dst=sorted(dst))
        alpha = by_hand.edge_weights(scores, graph).mul(64).round().float() / 64
        order = torch.tensor(dst).argsort(stable=True).argsort()
        return case(alpha[order], p, torch.tensor(dst), n, tag=tag)

    return [
        given(torch.zeros(2, 1), torch.tensor([[1.0], [0.0]]), [0, 0], 1),
        given(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [2.0]]), [0, 0], 1),
        given(torch.zeros(2, 1), torch.tensor([[1.0], [2.0]]), [0, 1], 2),
        given(inputs.numbers(3, 1), inputs.numbers(3, 1, shift=2), [0, 1, 1], 2),
        given(inputs.numbers(3, 2), inputs.numbers(3, 2, shift=2), [0, 0, 1], 3),
        given(
            inputs.numbers(4, 2),
            inputs.numbers(4, 2, shift=3),
            [1, 0, 1, 0],
            2,
            "edges come in any order",
        ),
        given(
            inputs.numbers(10, 2),
            inputs.numbers(10, 2, shift=5),
            inputs.UNEVEN.dst.tolist(),
            7,
        ),
    ]


@question(
    "9.4",
    "The gradient",
    cases=_gradient_cases(),
    mistakes={
        "This is α β: a score also changes the weights of the target's other edges.": {
            "mean": "none"
        },
        "This is α (1 − α) β: a score also changes the weights of the target's other "
        "edges.": {"mean": "own"},
        "The mean of β around a target is one weighted by α.": {"mean": "plain"},
        "The plain sum of β is subtracted; weigh it by α.": {"mean": "sum"},
        "This takes one mean for the whole graph; each target has its own.": {
            "over": "all"
        },
        "This takes one mean for all heads; each has its own.": {"over": "heads"},
        "The factor α in front is missing.": {"factor": "none"},
        "The factor in front is α², one α too many.": {"factor": "square"},
        "The sign is wrong.": {"sign": -1.0},
        "The mean is added; it is to be subtracted.": {"sign": "plus"},
        "β is missing inside: around a target α alone is added up, which gives 1.": {
            "mean": "alpha"
        },
        "The mean is divided by the degree; the weights sum to 1 already.": {
            "mean": "degree"
        },
        "The softmax's derivative is α(1 − α) for the edge itself alone, and −α α' for "
        "the others: only the others are there.": {"mean": "others"},
        "It is ∂L/∂α as it was given.": {"factor": "p"},
        "`mean[dst] += …` keeps one edge of each target: the last one overwrites the "
        "others. Use `index_add`.": {"mean": "last"},
    },
)
def score_gradient(
    alpha: Tensor,
    p: Tensor,
    dst: Tensor,
    num_nodes: int,
    *,
    mean: str = "",
    over: str = "",
    factor: str = "",
    sign: float | str = 1.0,
) -> Tensor:
    alpha, p = alpha.double(), p.double()

    def around(values: Tensor) -> Tensor:
        """For each edge the sum over all edges into its target."""
        ends = dst * 0 if over == "all" else dst
        total = torch.zeros(num_nodes, values.shape[1]).double()
        found = total.index_add(0, ends, values)[ends]
        return found.sum(1, keepdim=True).expand_as(found) if over == "heads" else found

    count = around(torch.ones_like(p))
    inner = {
        "": around(alpha * p),
        "none": torch.zeros_like(p),
        "last": torch.zeros(num_nodes, p.shape[1])
        .double()
        .index_put((dst,), alpha * p)[dst],
        "own": alpha * p,
        "plain": around(p) / count,
        "sum": around(p),
        "alpha": around(alpha),
        "degree": around(alpha * p) / count,
        "others": around(alpha * p) - alpha * p + p,
    }[mean]
    found = p + inner if sign == "plus" else p - inner
    front = {
        "": alpha,
        "none": torch.ones_like(alpha),
        "square": alpha**2,
        "p": torch.ones_like(alpha),
    }[factor]
    if factor == "p":
        return p
    return front * found * (1.0 if sign == "plus" else float(sign))


# ---------------------------------------------------------------- 9.5


def _needed_cases() -> list:
    chain = GraphData.from_edges([0, 1, 2, 3], [1, 2, 3, 4]).with_self_loops()
    short = GraphData.from_edges([0], [1]).with_self_loops()
    twice = GraphData.from_edges([0, 0, 1], [1, 1, 2]).with_self_loops()
    other = inputs.UNEVEN.with_self_loops()

    def mask(graph: GraphData, *nodes: int) -> Tensor:
        found = torch.zeros(graph.num_nodes, dtype=torch.bool)
        found[list(nodes)] = True
        return found

    return [
        case(short, mask(short, 1), 1),
        case(short, mask(short, 0), 1),
        case(short, mask(short, 1), 2),
        case(twice, mask(twice, 1), 1),
        case(twice, mask(twice, 2), 3),
        case(chain, mask(chain, 4), 1),
        case(chain, mask(chain, 4), 3),
        case(other, mask(other, 4), 4),
        case(other, mask(other, 5, 6), 2),
        case(other, mask(other), 2, tag="the mask is empty"),
    ]


@question(
    "9.5",
    "Rungs 3 to 9",
    tolerance=0.0,
    cases=_needed_cases(),
    mistakes={
        "The first layer's number comes first.": {"order": "reverse"},
        "Follow the edges back, from target to source.": {"turned": True},
        "The next nodes are the sources of the edges, not the nodes that the "
        "mask sends "
        "to.": {"form": "forwards"},
        "Only the first layer needs that many edges.": {"form": "first"},
        "The last layer's number is repeated; earlier layers need more.": {
            "form": "last"
        },
        "Not every layer needs all edges.": {"form": "all"},
        "A layer needs again the edges that a later one needs.": {"form": "new"},
        by_hand.TWICE: {"once": True},
        "These are numbers of nodes; edges are asked for.": {"form": "nodes"},
        "These are numbers of the nodes that a layer reads; its edges are asked for.": {
            "form": "reads"
        },
        "Self-loops are left out; they carry messages, too.": {"form": "no loops"},
        "The numbers are added up; each layer's own is asked for.": {"form": "sum"},
        "Earlier layers need every edge in your answer; they need those into the "
        "sources of later ones.": {"form": "last saves"},
        "One layer too many: the last layer needs only the edges into the mask.": {
            "more": 1
        },
        "Only edges between two nodes that are needed already count; a source may be "
        "new.": {"form": "inside"},
        "All edges between the nodes that are reached count; a layer needs those into "
        "its targets alone.": {"form": "between"},
    },
)
def edges_needed(
    graph: GraphData,
    mask: Tensor,
    num_layers: int,
    *,
    order: str = "",
    turned: bool = False,
    form: str = "",
    once: bool = False,
    more: int = 0,
) -> list[int]:
    edges = list(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))
    edges = [(b, a) for a, b in edges] if turned else edges
    edges = sorted(set(edges)) if once else edges
    wanted = set(mask.nonzero()[:, 0].tolist())
    found = []
    for _ in range(num_layers + more):
        own = [e for e in edges if e[1] in wanted]
        counted = [e for e in own if form != "no loops" or e[0] != e[1]]
        if form == "inside":
            counted = [e for e in own if e[0] in wanted]
        found.insert(0, len(wanted) if form == "nodes" else len(counted))
        sent = {e[1] for e in edges if e[0] in wanted}
        reached = wanted | {e[0] for e in own}
        if form == "between":
            found[0] = sum(e[0] in reached and e[1] in reached for e in edges)
        wanted = sent if form == "forwards" else {e[0] for e in own}
        found[0] = len(wanted) if form == "reads" else found[0]
    found = found[:num_layers] if more else found
    if form == "first":
        found = [found[0]] * num_layers
    elif form == "last":
        found = [found[-1]] * num_layers
    elif form == "last saves":
        found = [len(edges)] * (num_layers - 1) + found[-1:]
    elif form == "all":
        found = [len(edges)] * num_layers
    elif form == "new":
        found = [a - b for a, b in zip(found, [*found[1:], 0], strict=True)]
    elif form == "sum":
        return [sum(found)]
    return found[::-1] if order == "reverse" else found


# ---------------------------------------------------------------- 9.7


def _turn_cases() -> list:
    """One case: what a cache keeps would reach from one case into the next."""
    star = GraphData(num_nodes=3, src=[0, 1], dst=[2, 2])
    path = GraphData(num_nodes=3, src=[0, 1], dst=[1, 2])
    more = GraphData(num_nodes=3, src=[0, 0, 2], dst=[1, 1, 0])
    weighted = GraphData(num_nodes=2, src=[0, 1], dst=[0, 0], edge_weight=[0.5, 2.0])
    return [case([star, path, more, weighted, star])]


def _in_turn(function: Any, graphs: list[GraphData]) -> Any:
    # Each graph is gone before the next comes, so that its id is free again.
    found = [function(copy.deepcopy(graph)) for graph in graphs]
    if all(part is None for part in found):
        return None
    return [reading.numbers(part, "The degrees") for part in found]


def _of_another(value: Any, graphs: list[GraphData]) -> bool:
    """All that is wrong was right for a graph before."""
    right = [torch.bincount(g.dst, minlength=g.num_nodes).double() for g in graphs]
    parts = [reading.numbers(part) for part in value]
    return all(
        any(torch.equal(part, other) for other in right[: k + 1])
        for k, part in enumerate(parts)
    )


def _each(value: Any, *given: Any) -> list[Tensor]:
    return [reading.numbers(part) for part in value]


@question(
    "9.7",
    "Rungs 3 to 9",
    call=_in_turn,
    read=_each,
    tolerance=0.0,
    cases=_turn_cases(),
    mistakes={
        "The cache still answers with the degrees of another graph, one with as many "
        "nodes.": {"key": "nodes"},
        "The cache answers with the degrees of another graph, one with as many nodes "
        "and edges.": {"key": "sizes"},
        "The degrees of the first graph are kept for all.": {"key": "first"},
        "The cache answers with the degrees of another graph.": Holds(_of_another),
        "Edges are counted at their source; in-degrees are asked for.": {"end": "src"},
        by_hand.TWICE: {"once": True},
        "The degrees are counted at both ends.": {"end": "both"},
        "The weights of the edges are added up; count the edges.": {"end": "weights"},
        "A node without an edge has degree 0, not 1.": {"end": "at least"},
        "Only nodes that have an edge into them are counted; give 0 to the others.": {
            "short": True
        },
        "Self-loops are added; count the edges there are.": {"more": 1},
    },
)
def mended_degrees(
    graphs: list[GraphData],
    *,
    key: str = "",
    end: str = "dst",
    once: bool = False,
    more: int = 0,
    short: bool = False,
) -> list[Tensor]:
    seen: dict[Any, Tensor] = {}
    found = []
    for number, graph in enumerate(graphs):
        own = {
            "nodes": graph.num_nodes,
            "sizes": (graph.num_nodes, graph.num_edges),
            "first": 0,
        }.get(key, number)
        weights = graph.dense_adjacency().double()
        one = torch.ones(graph.num_edges, dtype=torch.float64)
        ends = graph.dst, graph.src
        counts = torch.zeros_like(weights).index_put(ends, one, accumulate=True)
        counts = counts.clamp(max=1) if once else counts
        degrees = counts.sum(0) if end in ("src", "both") else counts.sum(1)
        degrees = degrees + counts.sum(1) if end == "both" else degrees
        degrees = weights.sum(1) if end == "weights" else degrees
        degrees = degrees.clamp(min=1) if end == "at least" else degrees
        if short:
            degrees = degrees[: int(degrees.nonzero().max()) + 1]
        found.append(seen.setdefault(own, degrees + more))
    return found
