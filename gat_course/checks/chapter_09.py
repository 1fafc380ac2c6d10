"""Checks of chapter 9's exercises."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gat_course import formulas
from gat_course.checks import answers
from gat_course.checks.answers import case, check, close, random, refuse, tensor, uneven
from gat_course.graph import GraphData


@check("9.1")
def _draws(function: Callable) -> None:
    def right(stored, num_nodes, num_edges, hidden=8, num_heads=8, out_heads=1) -> int:
        features = num_nodes * num_heads * hidden
        return stored + features + num_edges * (num_heads + out_heads)

    s, n, e, f, k, out_k = first = (100, 20, 33, 3, 6, 4)
    total = right(*first)
    bare = total - e * k - e * out_k  # without weights
    narrow, in_pairs = total - (k - 1) * n * f, bare + n * n * (k + out_k)
    mistakes = {
        "The input is missing.": total - s,
        "The hidden features are missing.": total - n * k * f,
        "The weights of the second layer are missing.": total - e * out_k,
        "The weights of the first layer are missing.": total - e * k,
        "Each head has hidden features of its own, and all are concatenated.": narrow,
        "Each head has weights of its own.": (bare + 2 * e, bare + e + e * out_k),
        "The second layer has out_heads heads.": (bare + e * k + e, bare + 2 * e * k),
        "A weight belongs to an edge, not to a pair of nodes.": in_pairs,
        "All heads share one input, dropped once.": total + (k - 1) * s,
    }
    refuse(mistakes, tensor(function(*first), ()))
    for sizes in (first, (7, 5, 11, 2, 1, 1), (9, 4, 6, 1, 3, 4), (1000, 70, 300)):
        named = f"With {answers.sizes(right, sizes)}:"
        close(function(*sizes), right(*sizes), named, tolerance=0, form=",g")


@check("9.2")
def _bytes(function: Callable) -> None:
    def answer(sizes: tuple[int, ...]) -> list[float]:
        what = "The result (without, with a cache)"
        return tensor(function(*sizes), (2,), what).tolist()

    def right(num_nodes: int, num_edges: int, num_heads: int, width: int) -> list[int]:
        results = num_nodes * num_heads * width
        others = num_edges + num_edges * num_heads + results  # sources, weights
        return [4 * (others + num_edges * num_heads * width), 4 * (others + results)]

    ways = ("without a cache", "with a perfect cache")
    n, e, k, f = first = (7, 30, 3, 5)
    pair, totals = answer(first), right(*first)
    mistakes = {
        "These are numbers, not bytes.": [total / 4 for total in totals],
        "They are the wrong way round: first without a cache.": totals[::-1],
    }
    refuse(mistakes, pair)
    for count, total, way in zip(pair, totals, ways, strict=True):
        mistakes = {
            "the results or the rows of Z are missing.": total - 4 * n * k * f,
            "the numbers of the sources are missing.": total - 4 * e,
            "the weights are missing.": total - 4 * e * k,
        }
        with case(f"{way.capitalize()}:"):
            refuse(mistakes, count)
    hint = "A cache saves nothing here, yet a row of Z is read many times."
    refuse({hint: pair[1] == pair[0]})
    for sizes in (first, (5, 5, 1, 1), (100, 901, 8, 8), (11, 50, 2, 64)):
        named = answers.sizes(right, sizes)
        for count, total, way in zip(answer(sizes), right(*sizes), ways, strict=True):
            close(count, total, f"With {named}, {way}:", tolerance=0, form=",g")


def _summed(scores: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Largest score, sum of exponentials, weighted sum; of nothing too (9.3)."""
    nothing = scores.new_full((1, scores.shape[1]), -math.inf)
    largest = torch.cat([scores, nothing]).amax(dim=0)  # [K]
    weights = torch.exp(scores - largest)  # [edges, K]
    return largest, weights.sum(dim=0), torch.einsum("ek,ekf->kf", weights, z)


def _merge_and_compare(function: Callable, size: int, shift: Tensor) -> None:
    scores, z = random((9, 2), (9, 2, 3))
    scores = scores + shift
    first = _summed(scores[:size], z[:size])
    second = _summed(scores[size:], z[size:])
    hint = "You write into the halves that you are given."
    with answers.untouched(first + second, hint):
        three = "Return three things: m, t and o."
        m, t, o = answers.parts(function(first, second), 3, three)
        m, t = tensor(m, (2,), "Your m"), tensor(t, (2,), "Your t")
        o = tensor(o, (2, 3), "Your o")
    largest, total, weighted = _summed(scores.double(), z.double())
    mistakes = {
        "The two sums cannot be added as they are: each half has subtracted a largest "
        "score of its own.": first[1] + second[1],
    }
    refuse(mistakes, t, total)
    mistakes = {
        "t is brought to the common maximum, o is not.": first[2] + second[2],
        "o is the sum itself; you divide it by t.": weighted / total.unsqueeze(1),
    }
    refuse(mistakes, o, weighted)
    close(m, largest, "The largest score m")
    close(t, total, "The sum t of the exponentials")
    close(o, weighted, "The weighted sum o")


@check("9.3")
def _merge_halves(function: Callable) -> None:
    late = torch.tensor([[0.0]] * 4 + [[1000.0]] * 5)
    heads = torch.tensor([1000.0, -1000.0])
    for name, size, shift in (
        ("", 4, 0),
        ("All scores around 1000:", 4, 1000),
        ("All scores around -1000:", 4, -1000),
        ("The second half 1000 above the first:", 4, late),
        ("The first half 1000 above the second:", 4, -late),
        ("One head's scores 2000 above the other's:", 4, heads),
        ("The second half empty:", 9, 0),
        ("The first half empty:", 0, 0),
    ):
        with case(name):
            _merge_and_compare(function, size, shift)


@check("9.4")
def _score_gradient(function: Callable) -> None:
    graph, (scores, p) = uneven(), random((10, 2), (10, 2))
    dst, nodes = graph.dst, graph.num_nodes
    alpha = formulas.edge_softmax(scores, dst, nodes)
    with answers.untouched((alpha, p, dst), "You write into what you are given."):
        result = tensor(function(alpha, p, dst, nodes), (10, 2))

    def around(values: Tensor) -> Tensor:
        """For each edge the sum over all edges into its target."""
        return torch.zeros_like(values[:nodes]).index_add(0, dst, values)[dst]

    product = alpha * p
    mean, plain = around(product), around(p) / graph.in_degrees[dst].unsqueeze(1)
    right, of_all = alpha * (p - mean), alpha * (p - product.sum(dim=0))
    sums = around(result).abs().max()
    of_heads = alpha * (p - mean.sum(dim=1, keepdim=True))
    mistakes = {
        "This is α β: a score also changes the weights of the target's other "
        "edges.": product,
        "This is α (1 - α) β: a score also changes the weights of the target's other "
        "edges.": product * (1 - alpha),
        "The mean of β around a target is one weighted by α.": alpha * (p - plain),
        "This takes one mean for the whole graph; each target has its own.": of_all,
        "This takes one mean for all heads; each has its own.": of_heads,
        "The factor α in front is missing.": p - mean,
        "The sign is wrong.": -right,
        "Around a target your gradients do not sum to zero, though the same number "
        "added to all its scores changes no weight.": sums > 1e-4,
    }
    close(result, right, "A gradient", mistakes)


@check("9.5")
def _edges_needed(function: Callable) -> None:
    # With self-loops, so that a target is one of its own sources.
    chain = GraphData.from_edges([0, 1, 2, 3], [1, 2, 3, 4]).with_self_loops()
    other = uneven().with_self_loops()

    def needed(adjacency: Tensor, mask: Tensor, layers: int) -> list[int]:
        found = []
        for _ in range(layers):
            found.insert(0, int(adjacency[mask].sum()))
            mask = adjacency[mask].sum(dim=0) > 0
        return found

    cases = (chain, 4, 3), (chain, 4, 1), (other, 4, 4), (other, 5, 2)
    for graph, node, layers in cases:
        mask = torch.arange(graph.num_nodes) == node
        counts = answers.done(function(graph, mask.clone(), layers))
        counts = tensor(counts, (layers,), f"For L = {layers} the list").tolist()
        arriving = graph.dense_adjacency()
        right = needed(arriving, mask, layers)
        away = needed(arriving.t(), mask, layers)
        once = needed(arriving.clamp(max=1), mask, layers)
        new = [a - b for a, b in zip(right, [*right[1:], 0], strict=True)]
        chained = "the chain 0 → 1 → 2 → 3 → 4 with self-loops"
        where = chained if graph is chain else "a graph with a repeated edge"
        listed = ", ".join(f"{count:g}" for count in counts)
        mistakes = {
            "The first layer's number comes first.": right[::-1],
            "Follow the edges back, from target to source.": away,
            "Only the first layer needs that many edges.": [right[0]] * layers,
            "Not every layer needs all edges.": [graph.num_edges] * layers,
            "A layer needs again the edges that a later one needs.": new,
            "An edge that occurs twice counts twice.": once,
            f"On {where}, with node {node} in the mask and L = {layers}, it is not "
            f"{listed}.": counts != right,
        }
        refuse(mistakes, counts, right)
