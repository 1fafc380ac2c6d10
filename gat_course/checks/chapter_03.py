"""Checks of chapter 3's exercises."""

import operator
from collections.abc import Callable

import torch
from torch import Tensor

from gat_course import formulas
from gat_course.checks.answers import (
    _check,
    _close,
    _is,
    _NotDone,
    _random,
    _tensor,
    _uneven,
    _Wrong,
)
from gat_course.graph import GraphData


@_check("3.1")
def _buckets(function: Callable) -> None:
    def answer(graph: GraphData) -> list[tuple[int, ...]]:
        pairs = function(graph)
        if pairs is None:
            raise _NotDone
        try:
            pairs = [tuple(operator.index(n) for n in pair) for pair in pairs]
        except TypeError:
            pairs = [()]
        if any(len(pair) != 2 for pair in pairs):
            raise _Wrong("The result should be a list of pairs (B, D).")
        return pairs

    pairs, right = answer(_uneven()), [(2, 1), (1, 2), (2, 3)]
    if any(degree == 0 for _, degree in pairs):
        raise _Wrong("There is a bucket of degree 0: no message, no call.")
    if pairs == [(d, b) for b, d in right]:
        raise _Wrong("A pair is (B, D): first the number of targets, then the degree.")
    if pairs != right and sorted(pairs) == sorted(right):
        raise _Wrong("The buckets are right, their order is not: smallest D first.")
    if pairs == [(2, 1), (2, 2), (1, 3)]:
        raise _Wrong("An edge that occurs twice brings two messages.")
    if pairs == [(3, 1), (2, 2), (1, 3)]:
        raise _Wrong("These are the edges that leave each node, not those that arrive.")
    if pairs != right:
        raise _Wrong(f"For in-degrees 3, 0, 1, 3, 2, 0, 1 it is not {pairs}.")
    if answer(GraphData(num_nodes=3, src=[], dst=[])):
        raise _Wrong("A graph without edges has no bucket.")
    # Nobody is isolated here, and degree 2 does not occur.
    pairs = answer(GraphData(num_nodes=2, src=[0, 0, 1, 1], dst=[0, 1, 1, 1]))
    if pairs != [(1, 1), (1, 3)]:
        raise _Wrong(f"For in-degrees 1 and 3 it is not {pairs}.")


@_check("3.2")
def _mean_of_neighbours(function: Callable) -> None:
    graph, (x,) = _uneven(), _random((7, 3))
    adjacency, g = graph.dense_adjacency(), graph.dgl()
    out = _tensor(function(g, x.clone()), (7, 3), "The result")
    if g.num_edges() != graph.num_edges:
        raise _Wrong("You added edges to the graph; average over those it has.")
    if _is(out, adjacency @ x):
        raise _Wrong("This is the sum of the neighbours, not their mean.")
    if _is(out, formulas.mean_weights(adjacency.t()) @ x):
        raise _Wrong("Each source averages its targets: the direction is swapped.")
    isolated = graph.in_degrees == 0
    _close(out[isolated], torch.zeros(2, 3), "The result of an isolated node")
    _close(out, formulas.mean_weights(adjacency) @ x, "A mean")
    if left := [*g.ndata, *g.edata]:
        raise _Wrong(
            f"The means are right, but {left[0]!r} stays behind on the graph. "
            "Work in a local_scope."
        )


@_check("3.3")
def _dot_product_attention(function: Callable) -> None:
    graph, (query, key, value) = _uneven(), _random((7, 4), (7, 4), (7, 3))
    copies = query.clone(), key.clone(), value.clone()
    out = _tensor(function(graph.dgl(), *copies), (7, 3), "The result")

    def dense(q: Tensor, k: Tensor) -> Tensor:
        mask = graph.dense_adjacency()
        return formulas.scaled_dot_product_attention(q, k, value, mask)[0]

    if _is(out, dense(query * 2, key)):  # √d_k = 2
        raise _Wrong("The scores are not divided by √d_k.")
    if _is(out, dense(key, query)):
        raise _Wrong("Query and key are swapped: the target asks, q is the target's.")
    if _is(out, dense(key * 2, query)):
        raise _Wrong("Query and key are swapped, and the division by √d_k is missing.")
    _close(out, dense(query, key), "The result")


@_check("3.4")
def _softmax_from_built_ins(function: Callable) -> None:
    graph, (scores,) = _uneven(), _random((10, 2))
    g = graph.dgl()

    def answer(scores: Tensor) -> Tensor:
        return _tensor(function(g, scores.clone()), (10, 2), "The result")

    def softmax(scores: Tensor, ends: Tensor) -> Tensor:
        return formulas.edge_softmax(scores, ends, graph.num_nodes)

    weights = answer(scores)
    if _is(weights, softmax(scores, graph.src)):
        raise _Wrong("Weights sum to one around each source, not each target.")
    _close(weights, softmax(scores, graph.dst), "A weight")
    if not bool(answer(scores + 2000).isfinite().all()):
        raise _Wrong("Scores of 2000 overflow: nothing was subtracted before exp.")
    low = graph.dst == 3
    apart = scores - 200 * low.unsqueeze(1)
    weights = answer(apart)
    if not bool((weights[low].sum(dim=0) > 0.5).all()):
        raise _Wrong(
            "A neighbourhood whose scores lie 200 below all others gets NaN or zeros: "
            "you subtract the largest score of the whole graph."
        )
    _close(weights, softmax(apart, graph.dst), "With scores 200 apart a weight")
    # One edge far above its own neighbourhood, one head far above the other.
    far = scores.clone()
    far[4] += 200
    far[:, 1] -= 200
    weights = answer(far)
    if not bool(weights.isfinite().all()):
        raise _Wrong(
            "One score far above the others of its neighbourhood gives NaN: subtract "
            "the largest score of each neighbourhood, for every head on its own."
        )
    _close(weights, softmax(far, graph.dst), "With one score far above a weight")


@_check("3.5")
def _received(function: Callable) -> None:
    graph, (scores,) = _uneven(), _random((10, 2))
    alpha = formulas.edge_softmax(scores, graph.dst, graph.num_nodes)
    out = _tensor(function(graph.dgl(), alpha), (7, 2), "The result")
    given = (graph.in_degrees > 0).float()
    if _is(out, given.unsqueeze(1).expand(7, 2)):
        raise _Wrong(
            "This is what each target hands out, always 1. Ask what a source receives: "
            "against the edges."
        )
    total = out.sum(dim=0)
    if not bool(((total - given.sum()).abs() < 1e-4).all()):
        raise _Wrong(
            f"Five targets have neighbours, so each head has 5 to give; your sums add "
            f"up to {float(total[0]):.3f} and {float(total[1]):.3f}."
        )
    expected = torch.stack([alpha[graph.src == j].sum(dim=0) for j in range(7)])
    _close(out, expected, "What a source receives")
