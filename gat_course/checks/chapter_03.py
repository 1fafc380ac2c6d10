"""Checks of chapter 3's exercises."""

import operator
from collections.abc import Callable

import torch
from torch import Tensor

from gat_course import formulas
from gat_course.checks import answers
from gat_course.checks.answers import check, close, random, refuse, tensor, uneven
from gat_course.graph import GraphData


@check("3.1")
def _buckets(function: Callable) -> None:
    def answer(graph: GraphData) -> list[tuple[int, ...]]:
        pairs = answers.done(function(graph))
        try:
            pairs = [tuple(operator.index(n) for n in pair) for pair in pairs]
        except TypeError:
            pairs = [()]
        if any(len(pair) != 2 for pair in pairs):
            raise answers.Wrong("The result should be a list of pairs (B, D).")
        return pairs

    pairs, right = answer(uneven()), [(2, 1), (1, 2), (2, 3)]
    empty = any(degree == 0 for _, degree in pairs)
    turned = [pair[::-1] for pair in right]
    mixed = pairs != right and sorted(pairs) == sorted(right)
    once, leaving = [(2, 1), (2, 2), (1, 3)], [(3, 1), (2, 2), (1, 3)]
    mistakes = {
        "There is a bucket of degree 0: no message, no call.": empty,
        "A pair is (B, D): first the number of targets, then the degree.": turned,
        "The buckets are right, their order is not: smallest D first.": mixed,
        "An edge that occurs twice brings two messages.": once,
        "These are the edges that leave each node, not those that arrive.": leaving,
        f"For in-degrees 3, 0, 1, 3, 2, 0, 1 it is not {pairs}.": pairs != right,
    }
    refuse(mistakes, pairs)
    pairs = answer(GraphData(num_nodes=3, src=[], dst=[]))
    refuse({"A graph without edges has no bucket.": bool(pairs)})
    # Nobody is isolated here, and degree 2 does not occur.
    pairs = answer(GraphData(num_nodes=2, src=[0, 0, 1, 1], dst=[0, 1, 1, 1]))
    refuse({f"For in-degrees 1 and 3 it is not {pairs}.": pairs != [(1, 1), (1, 3)]})


@check("3.2")
def _mean_of_neighbours(function: Callable) -> None:
    graph, (x,) = uneven(), random((7, 3))
    adjacency, g = graph.dense_adjacency(), graph.dgl()
    out = tensor(function(g, x.clone()), (7, 3))
    added = g.num_edges() != graph.num_edges
    right, turned = (formulas.mean_weights(a) @ x for a in (adjacency, adjacency.t()))
    mistakes = {
        "You added edges to the graph; average over those it has.": added,
        "This is the sum of the neighbours, not their mean.": adjacency @ x,
        "Each source averages its targets: the direction is swapped.": turned,
    }
    refuse(mistakes, out)
    isolated = graph.in_degrees == 0
    close(out[isolated], right[isolated], "The result of an isolated node")
    close(out, right, "A mean")
    if left := [*g.ndata, *g.edata]:
        hint = f"The means are right, but {left[0]!r} stays behind on the graph."
        raise answers.Wrong(f"{hint} Work in a local_scope.")


@check("3.3")
def _dot_product_attention(function: Callable) -> None:
    graph, (q, k, value) = uneven(), random((7, 4), (7, 4), (7, 3))
    out = function(graph.dgl(), q.clone(), k.clone(), value.clone())
    mask = graph.dense_adjacency()
    right, undivided, swapped, both = (  # √d_k = 2
        formulas.scaled_dot_product_attention(*pair, value, mask)[0]
        for pair in ((q, k), (2 * q, k), (k, q), (2 * k, q))
    )
    mistakes = {
        "The scores are not divided by √d_k.": undivided,
        "Query and key are swapped: the target asks, q is the target's.": swapped,
        "Query and key are swapped, and the division by √d_k is missing.": both,
    }
    close(out, right, "The result", mistakes)


@check("3.4")
def _softmax_from_built_ins(function: Callable) -> None:
    graph, (scores,) = uneven(), random((10, 2))
    g = graph.dgl()

    def answer(scores: Tensor) -> tuple[Tensor, Tensor]:
        right = formulas.edge_softmax(scores, graph.dst, graph.num_nodes)
        return tensor(function(g, scores.clone()), (10, 2)), right

    of_sources = formulas.edge_softmax(scores, graph.src, graph.num_nodes)
    hint = "Weights sum to one around each source, not each target."
    close(*answer(scores), "A weight", {hint: of_sources})
    hint = "Scores of 2000 overflow: nothing was subtracted before exp."
    refuse({hint: not answer(scores + 2000)[0].isfinite().all()})
    low = graph.dst == 3
    weights, right = answer(scores - 200 * low.unsqueeze(1))
    lost = not (weights[low].sum(dim=0) > 0.5).all()
    mistakes = {
        "A neighbourhood whose scores lie 200 below all others gets NaN or zeros: you "
        "subtract the largest score of the whole graph.": lost,
    }
    close(weights, right, "With scores 200 apart a weight", mistakes)
    # One edge far above its own neighbourhood, one head far above the other.
    scores[4] += 200
    scores[:, 1] -= 200
    weights, right = answer(scores)
    lost = not weights.isfinite().all()
    mistakes = {
        "One score far above the others of its neighbourhood gives NaN: subtract the "
        "largest score of each neighbourhood, for every head on its own.": lost,
    }
    close(weights, right, "With one score far above a weight", mistakes)


@check("3.5")
def _received(function: Callable) -> None:
    graph, (scores,) = uneven(), random((10, 2))
    alpha = formulas.edge_softmax(scores, graph.dst, graph.num_nodes)
    out = tensor(function(graph.dgl(), alpha), (7, 2))
    handed_out = (graph.in_degrees > 0).float().unsqueeze(1).expand(7, 2)
    first, second = out.sum(dim=0).tolist()
    other = not max(abs(first - 5), abs(second - 5)) < 1e-4
    mistakes = {
        "This is what each target hands out, always 1. Ask what a source receives: "
        "against the edges.": handed_out,
        "Five targets have neighbours, so each head has 5 to give; your sums add up to "
        f"{first:.3f} and {second:.3f}.": other,
    }
    right = torch.stack([alpha[graph.src == j].sum(dim=0) for j in range(7)])
    close(out, right, "What a source receives", mistakes)
