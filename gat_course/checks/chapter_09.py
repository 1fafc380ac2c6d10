"""Checks of chapter 9's exercises."""

import math
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


@_check("9.1")
def _draws(function: Callable) -> None:
    stored, nodes, edges, hidden, heads, out_heads = sizes = (100, 20, 33, 3, 6, 4)
    count = float(_tensor(function(*sizes), (), "The result"))
    features, first, second = nodes * heads * hidden, edges * heads, edges * out_heads
    right = stored + features + first + second
    mistakes = {
        right - stored: "The input is missing.",
        right - features: "The hidden features are missing.",
        right - second: "The weights of the second layer are missing.",
        right - first: "The weights of the first layer are missing.",
        right - features + nodes * hidden: (
            "Each head has hidden features of its own, and all are concatenated."
        ),
        right - first - second + 2 * edges: "Each head has weights of its own.",
        right - first + edges: "Each head has weights of its own.",
        right - second + edges: "The second layer has out_heads heads.",
        right - second + edges * heads: "The second layer has out_heads heads.",
        right - first - second + nodes**2 * (heads + out_heads): (
            "A weight belongs to an edge, not to a pair of nodes."
        ),
        right + (heads - 1) * stored: "All heads share one input, dropped once.",
    }
    if count in mistakes:
        raise _Wrong(mistakes[count])
    names = ("stored", "num_nodes", "num_edges", "hidden", "num_heads", "out_heads")
    for case in (sizes, (7, 5, 11, 2, 1, 1), (9, 4, 6, 1, 3, 4), (1000, 70, 300)):
        count = float(_tensor(function(*case), (), "The result"))
        stored, nodes, edges, *rest = case
        hidden, heads, out_heads = rest or (8, 8, 1)
        right = stored + nodes * heads * hidden + edges * (heads + out_heads)
        if count != right:
            pairs = zip(names, case, strict=False)
            listed = ", ".join(f"{name} = {size}" for name, size in pairs)
            raise _Wrong(f"With {listed}: it is not {count:,g}.")


@_check("9.2")
def _bytes(function: Callable) -> None:
    def answer(*sizes: int) -> list[float]:
        pair = function(*sizes)
        if pair is None:
            raise _NotDone
        return _tensor(pair, (2,), "The result (without, with a cache)").tolist()

    def right(n: int, e: int, k: int, f: int) -> list[int]:
        around = e + e * k + n * k * f  # sources, weights, results
        return [4 * (around + e * k * f), 4 * (around + n * k * f)]

    nodes, edges, heads, width = sizes = (7, 30, 3, 5)
    pair, expected = answer(*sizes), right(*sizes)
    if pair == [number / 4 for number in expected]:
        raise _Wrong("These are numbers, not bytes.")
    if pair == expected[::-1]:
        raise _Wrong("They are the wrong way round: first without a cache.")
    ways = ("without a cache", "with a perfect cache")
    for count, total, way in zip(pair, expected, ways, strict=True):
        mistakes = {
            total - 4 * nodes * heads * width: "the results or the rows of Z are",
            total - 4 * edges: "the numbers of the sources are",
            total - 4 * edges * heads: "the weights are",
        }
        for mistake, what in mistakes.items():
            if count == mistake:
                raise _Wrong(f"{way.capitalize()}: {what} missing.")
    if pair[1] == pair[0]:
        raise _Wrong("A cache saves nothing here, yet a row of Z is read many times.")
    for case in (sizes, (5, 5, 1, 1), (100, 901, 8, 8), (11, 50, 2, 64)):
        for count, total, way in zip(answer(*case), right(*case), ways, strict=True):
            if count != total:
                names = ("num_nodes", "num_edges", "num_heads", "width")
                pairs = zip(names, case, strict=True)
                listed = ", ".join(f"{name} = {size}" for name, size in pairs)
                raise _Wrong(f"With {listed}, {way}: it is not {count:,g}.")


def _summed(scores: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Largest score, sum of exponentials, weighted sum; of nothing too (9.3)."""
    heads, width = z.shape[1:]
    if not len(scores):
        nothing = torch.full((heads,), -math.inf)
        return nothing, torch.zeros(heads), torch.zeros(heads, width)
    largest = scores.amax(dim=0)  # [K]
    weights = torch.exp(scores - largest)  # [edges, K]
    return largest, weights.sum(dim=0), torch.einsum("ek,ekf->kf", weights, z)


def _merge_and_compare(function: Callable, parts: list[int], shift: Tensor) -> None:
    scores, z = _random((9, 2), (9, 2, 3))
    scores = scores + shift
    first, second = (
        _summed(s, v) for s, v in zip(scores.split(parts), z.split(parts), strict=True)
    )
    given = [tuple(part.clone() for part in half) for half in (first, second)]
    result = function(*given)
    if result is None:
        raise _NotDone
    if not isinstance(result, (tuple, list)) or len(result) != 3:
        raise _Wrong("Return three things: m, t and o.")
    m, t, o = (
        _tensor(part, shape, f"Your {name}")
        for part, shape, name in zip(result, ((2,), (2,), (2, 3)), "mto", strict=True)
    )
    kept = zip((*given[0], *given[1]), (*first, *second), strict=True)
    if not all(torch.equal(a, b) for a, b in kept):
        raise _Wrong("You write into the halves that you are given.")
    right = _summed(scores.double(), z.double())
    if _is(t, first[1] + second[1]) and not _is(t, right[1]):
        raise _Wrong(
            "The two sums cannot be added as they are: each half has subtracted a "
            "largest score of its own."
        )
    if _is(o, first[2] + second[2]) and not _is(o, right[2]):
        raise _Wrong("t is brought to the common maximum, o is not.")
    if _is(o, right[2] / right[1].unsqueeze(1)):
        raise _Wrong("o is the sum itself; you divide it by t.")
    _close(m, right[0], "The largest score m")
    _close(t, right[1], "The sum t of the exponentials")
    _close(o, right[2], "The weighted sum o")


@_check("9.3")
def _merge_halves(function: Callable) -> None:
    def case(what: str, parts: list[int], shift: Tensor) -> None:
        try:
            _merge_and_compare(function, parts, shift)
        except _Wrong as reason:
            raise _Wrong(f"{what} {reason}".strip()) from None

    none, late = torch.zeros(9, 2), torch.tensor([[0.0]] * 4 + [[1000.0]] * 5)
    case("", [4, 5], none)
    case("All scores around 1000:", [4, 5], none + 1000)
    case("All scores around -1000:", [4, 5], none - 1000)
    case("The second half 1000 above the first:", [4, 5], none + late)
    case("The first half 1000 above the second:", [4, 5], none - late)
    heads = torch.tensor([1000.0, -1000.0])
    case("One head's scores 2000 above the other's:", [4, 5], none + heads)
    case("The second half empty:", [9, 0], none)
    case("The first half empty:", [0, 9], none)


@_check("9.4")
def _score_gradient(function: Callable) -> None:
    graph, (scores, p) = _uneven(), _random((10, 2), (10, 2))
    dst, nodes = graph.dst, graph.num_nodes
    alpha = formulas.edge_softmax(scores, dst, nodes)
    given = alpha.clone(), p.clone(), dst.clone()
    result = _tensor(function(*given, nodes), (10, 2), "The result")
    if not all(map(torch.equal, given, (alpha, p, dst))):
        raise _Wrong("You write into what you are given.")
    expected, plain = torch.zeros(10, 2), torch.zeros(10, 2)
    for i in range(nodes):
        own = dst == i
        for k in range(2):
            a = alpha[own, k]
            jacobian = torch.diag(a) - torch.outer(a, a)
            expected[own, k] = jacobian @ p[own, k]
            plain[own, k] = a * (p[own, k] - p[own, k].mean())
    over_heads = (alpha * p).sum(dim=1, keepdim=True)  # [E, 1]
    sums = torch.zeros(nodes, 1).index_add(0, dst, over_heads)
    mistakes = {
        "This is α p: a score also changes the weights of the target's other edges.": (
            alpha * p
        ),
        "This is α (1 - α) p: a score also changes the weights of the target's other "
        "edges.": alpha * (1 - alpha) * p,
        "The mean of p around a target is one weighted by α.": plain,
        "This takes one mean for the whole graph; each target has its own.": (
            alpha * (p - (alpha * p).sum(dim=0))
        ),
        "This takes one mean for all heads; each has its own.": (
            alpha * (p - sums[dst])
        ),
        "The factor α in front is missing.": expected / alpha,
        "The sign is wrong.": -expected,
    }
    for hint, mistake in mistakes.items():
        if _is(result, mistake):
            raise _Wrong(hint)
    total = torch.zeros(nodes, 2, dtype=torch.float64).index_add(0, dst, result)
    if float(total.abs().max()) > 1e-4:
        raise _Wrong(
            "Around a target your gradients do not sum to zero, though the same number "
            "added to all its scores changes no weight."
        )
    _close(result, expected, "A gradient")


@_check("9.5")
def _edges_needed(function: Callable) -> None:
    # With self-loops, so that a target is one of its own sources.
    chain = GraphData.from_edges([0, 1, 2, 3], [1, 2, 3, 4]).with_self_loops()
    for graph, node, number in (
        (chain, 4, 3),
        (chain, 4, 1),
        (_uneven().with_self_loops(), 4, 4),
        (_uneven().with_self_loops(), 5, 2),
    ):
        mask = torch.arange(graph.num_nodes) == node
        answer = function(graph, mask.clone(), number)
        if answer is None:
            raise _NotDone
        counts = _tensor(answer, (number,), f"For L = {number} the list").tolist()
        arriving = graph.dense_adjacency()

        def layers(
            counts: Tensor, mask: Tensor = mask, number: int = number
        ) -> list[int]:
            found, needed = [], mask
            for _ in range(number):
                found.insert(0, int(counts[needed].sum()))
                needed = counts[needed].sum(dim=0) > 0
            return found

        right = layers(arriving)
        chained = "the chain 0 → 1 → 2 → 3 → 4 with self-loops"
        where = chained if graph is chain else "a graph with a repeated edge"
        case = f"On {where}, with node {node} in the mask and L = {number},"
        new = [a - b for a, b in zip(right, [*right[1:], 0], strict=True)]
        mistakes = [
            (right[::-1], "The first layer's number comes first."),
            (layers(arriving.t()), "Follow the edges back, from target to source."),
            ([right[0]] * number, "Only the first layer needs that many edges."),
            ([graph.num_edges] * number, "Not every layer needs all edges."),
            (new, "A layer needs again the edges that a later one needs."),
            (layers(arriving.clamp(max=1)), "An edge that occurs twice counts twice."),
        ]
        for mistake, hint in mistakes:
            if counts == mistake and mistake != right:
                raise _Wrong(hint)
        if counts != right:
            listed = ", ".join(f"{count:g}" for count in counts)
            raise _Wrong(f"{case} it is not {listed}.")
