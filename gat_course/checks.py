"""Checks of the exercises; every chapter's starter cells call `exercise`.

A check compares an answer with a closed form or a property, says what is wrong in
terms of the question, and never shows the solution. An answer may be on any device and
of any kind of numbers: it is compared on the CPU.
"""

import math
import operator
import statistics
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gat_course import formulas, measure
from gat_course.graph import GraphData
from gat_course.layers import EdgeGATLayer
from gat_course.models import GAT

_CHECKS: dict[str, Callable[..., None]] = {}


class _NotDone(Exception):
    """The answer is still the starter cell's."""


class _Wrong(Exception):
    """The answer is wrong; the message says how."""


def exercise(number: str, *answer: Any) -> bool:
    """Check an answer and print the verdict.

    Args:
        number: the exercise, such as "1.2".
        *answer: what the starter cell hands over: values or a function.

    Returns:
        Whether the answer is right.

    Raises:
        KeyError: there is no such exercise.
        Exception: whatever the answer's own code raises, with its traceback.
    """
    if number not in _CHECKS:
        raise KeyError(f"no exercise {number!r}; there are {', '.join(_CHECKS)}")
    try:
        if all(a is None for a in answer):
            raise _NotDone
        # Leave the reader's seed alone, and hand over tensors on the CPU whatever the
        # reader's default device.
        elsewhere = torch.get_default_device().type != "cpu"
        on_cpu = torch.device("cpu") if elsewhere else nullcontext()
        with torch.random.fork_rng(devices=[]), on_cpu:
            _CHECKS[number](*answer)
    except _NotDone:
        print(f"Exercise {number}: not done yet.")
    except _Wrong as reason:
        print(f"Exercise {number}: not right yet. {reason}")
    else:
        print(f"Exercise {number}: right.")
        return True
    return False


def _check(number: str) -> Callable:
    def register(function: Callable[..., None]) -> Callable[..., None]:
        _CHECKS[number] = function
        return function

    return register


def _tensor(value: Any, shape: tuple[int, ...], what: str) -> Tensor:
    """An answer of one shape as float64 on the CPU, or a verdict."""
    if value is None or value is ...:
        raise _NotDone
    value = _numbers(value, f"{what} should be numbers of shape {list(shape)}")
    if tuple(value.shape) != shape:
        raise _Wrong(
            f"{what} should have shape {list(shape)}, got {list(value.shape)}."
        )
    return value


def _numbers(value: Any, expected: str) -> Tensor:
    """An answer as float64 on the CPU, dense and without a gradient, or a verdict."""
    if isinstance(value, Tensor) and value.is_meta:
        raise _Wrong(f"{expected}; on the meta device a tensor holds none.")
    try:
        if isinstance(value, Tensor):
            value = value.detach().cpu()
        else:
            value = torch.as_tensor(value, device="cpu").detach()
    except (TypeError, ValueError, RuntimeError):
        raise _Wrong(
            f"{expected}, not a {type(value).__name__} of something else."
        ) from None
    if value.is_complex():
        raise _Wrong(f"{expected}; they should be real.")
    if value.layout != torch.strided:
        value = value.to_dense()
    return value.double()


def _close(value: Tensor, expected: Tensor, what: str, tolerance: float = 1e-5) -> None:
    if bool(torch.isnan(value).any()):
        raise _Wrong(f"{what} contains NaN.")
    difference = (value - expected.double()).abs().max() if value.numel() else 0.0
    if difference > tolerance:
        raise _Wrong(f"{what} is off by up to {float(difference):.3g}.")


def _random(*shapes: tuple[int, ...]) -> list[Tensor]:
    """Normal numbers that leave the reader's own random seed alone."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def _five_friends() -> tuple[Tensor, Tensor]:
    """Features and adjacency matrix of chapter 1's example."""
    x = torch.tensor([[1.0, 0], [2, 0], [0, 1], [1, 1], [0, 2]])
    graph = GraphData.from_edges([0, 0, 0, 2, 3], [1, 2, 3, 3, 4], undirected=True)
    return x, graph.with_self_loops().dense_adjacency()


# --- chapter 1 -------------------------------------------------------------------


@_check("1.1")
def _pencil(weights: Any) -> None:
    if isinstance(weights, (list, tuple)) and any(w is None for w in weights):
        raise _NotDone
    weights = _tensor(weights, (2,), "Your list")
    if abs(float(weights.sum()) - 1) > 2e-3:
        raise _Wrong(f"The weights sum to {float(weights.sum()):.3f}, not to 1.")
    # Node 4 owns no jazz: the products are -rock_j, that is -1 and -3.
    products = torch.tensor([-1.0, -3.0], dtype=torch.float64)
    if bool((weights - torch.softmax(products, 0)).abs().max() < 1e-3):
        raise _Wrong("These weights leave out LeakyReLU.")
    expected = torch.softmax(0.2 * products, 0)
    if bool((weights.flip(0) - expected).abs().max() < 1e-3):
        raise _Wrong("The order is: first source 3, then source 4.")
    _close(weights, expected, "A weight", 1e-3)


@_check("1.2")
def _temperature(function: Callable) -> None:
    scores = torch.tensor([[3.0, 1.0, 2.0], [0.0, 500.0, 1.0]])
    mask = torch.tensor([[1, 0, 1], [1, 1, 1]])
    at_one = _tensor(function(scores, mask, 1.0), (2, 3), "The result")
    if at_one[0, 1] > 0:
        raise _Wrong("A masked entry gets weight.")
    _close(at_one, formulas.masked_softmax(scores, mask), "At τ = 1 a weight")
    flat = _tensor(function(scores, mask, 1e6), (2, 3), "The result")
    _close(flat, formulas.mean_weights(mask.float()), "At τ = 10⁶ a weight", 1e-3)
    picky = _tensor(function(scores, mask, 1e-3), (2, 3), "The result")
    best = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
    _close(picky, best, "At τ = 0.001 a weight")


@_check("1.3")
def _isolated(function: Callable) -> None:
    x, adjacency = _five_friends()
    adjacency = torch.block_diag(adjacency.fill_diagonal_(0), torch.zeros(1, 1))
    x = torch.cat([x, torch.tensor([[3.0, 1.0]])])
    weight, att_dst, att_src = _random((2, 3), (3,), (3,))
    out = _tensor(function(x, adjacency, weight, att_dst, att_src), (6, 3), "Output")
    _close(out[5], torch.zeros(3), "The isolated node's output")

    def by_hand(i: int, first: Tensor, second: Tensor) -> Tensor:
        z = x @ weight
        sources = adjacency[i].nonzero()[:, 0]
        pairs = z[i] @ first + z[sources] @ second
        scores = torch.where(pairs > 0, pairs, 0.2 * pairs)
        return (torch.softmax(scores, 0) @ z[sources]).double()

    if torch.allclose(out[0], by_hand(0, att_src, att_dst), atol=1e-5):
        raise _Wrong("The halves of a are swapped: a_dst meets the target.")
    for i in range(5):
        _close(out[i], by_hand(i, att_dst, att_src), f"Node {i}'s output")


@_check("1.4")
def _gatv2(function: Callable) -> None:
    z_dst, z_src, a = _random((4, 3), (4, 3), (3,))
    scores = _tensor(function(z_dst, z_src, a), (4, 4), "The scores")
    expected = torch.zeros(4, 4)
    for i in range(4):
        for j in range(4):
            for c in range(3):
                value = float(z_dst[i, c] + z_src[j, c])
                expected[i, j] += a[c] * (value if value > 0 else 0.2 * value)
    if torch.allclose(scores, expected.double().t(), atol=1e-5):
        raise _Wrong("Rows and columns are swapped: the target is the row.")
    sums = (z_dst @ a).unsqueeze(1) + z_src @ a
    if torch.allclose(scores, torch.where(sums > 0, sums, 0.2 * sums).double()):
        raise _Wrong("This is GAT's score: LeakyReLU comes before the product with a.")
    _close(scores, expected, "A score")


@_check("1.5")
def _dot_products(function: Callable) -> None:
    counts = function(10, 33, 4)
    if counts is None:
        raise _NotDone
    counts = _tensor(counts, (3,), "The result (all pairs, all edges, split)")
    if counts[2] == 4 * 10:
        raise _Wrong("Split: a node plays two roles, as a target and as a source.")
    for count, expected, what in zip(
        counts.tolist(),
        (400, 132, 80),
        ("all pairs", "all edges", "split"),
        strict=True,
    ):
        if count != expected:
            raise _Wrong(f"N = 10, |E| = 33, K = 4, {what}: it is not {count:g}.")


@_check("1.6")
def _choose(weight: Any, a: Any) -> None:
    if weight is None or a is None:
        raise _NotDone
    x, adjacency = _five_friends()
    weight = _numbers(weight, "W should be numbers of shape [2, F']").float()
    a = _numbers(a, "a should be numbers of shape [2 F']").float()
    width = weight.shape[-1] if weight.dim() == 2 else 0
    if not width or weight.shape[0] != 2 or a.shape != (2 * width,):
        raise _Wrong(
            f"W should be [2, F'] and a [2 F'], got {list(weight.shape)} and "
            f"{list(a.shape)}."
        )
    scores = formulas.attention_scores(x @ weight, a[:width], a[width:])
    alpha = formulas.masked_softmax(scores, adjacency)
    taste = (x[:, 1] - x[:, 0]).expand(5, 5).masked_fill(adjacency == 0, -math.inf)
    on_best = alpha[torch.arange(5), taste.argmax(dim=1)]
    worst = int(on_best.argmin())
    if not on_best[worst] > 0.99:
        raise _Wrong(
            f"Node {worst} gives its best neighbour {float(on_best[worst]):.3f}, "
            "not more than 0.99."
        )


# --- chapter 2 -------------------------------------------------------------------


@_check("2.1")
def _largest_graph(function: Callable) -> None:
    for num_bytes, heads, matrices in (
        (4 * 8 * 5 * 200**2, 8, 5),
        (4 * 8 * 5 * 200**2 - 1, 8, 5),
        (16 * 10**9, 3, 8.2),
        (100, 8, 5),
    ):
        answer = _tensor(function(num_bytes, heads, matrices), (), "The result")
        n = float(answer)
        case = f"{num_bytes:,} bytes, {heads} heads of {matrices} matrices"
        if num_bytes == 4 * 8 * 5 * 200**2:
            parts = {"the 4 bytes of a number": 4, "the heads": 8, "the matrices": 5}
            for what, factor in parts.items():
                if abs(n - 200 * factor**0.5) < 1:
                    raise _Wrong(f"{case}: {n:g} leaves out {what}.")
            if abs(n - 200**2) < 1:
                raise _Wrong(f"{case}: {n:g} is a number of cells, not of nodes.")
        if n % 1 != 0:
            raise _Wrong(f"{case}: a graph has a whole number of nodes, not {n:.2f}.")
        if 4 * heads * matrices * n**2 > num_bytes:
            raise _Wrong(f"{case}: a graph of {n:g} nodes does not fit.")
        if 4 * heads * matrices * (n + 1) ** 2 <= num_bytes:
            raise _Wrong(f"{case}: a graph of {n + 1:g} nodes fits as well.")


@_check("2.2")
def _window_graph(function: Callable) -> None:
    for num_words, w in ((6, 2), (4, 0), (3, 7), (1, 1)):
        graph, case = function(num_words, w), f"N = {num_words}, w = {w}"
        if graph is None:
            raise _NotDone
        if not isinstance(graph, GraphData):
            raise _Wrong(f"Build a GraphData, not a {type(graph).__name__}.")
        graph = graph.to("cpu")
        if graph.num_nodes != num_words:
            raise _Wrong(f"{case}: the graph has {graph.num_nodes} nodes.")
        seen = graph.dense_adjacency()
        back = torch.arange(num_words).unsqueeze(1) - torch.arange(num_words)
        expected = ((back >= 0) & (back <= w)).float()
        if bool((seen > 1).any()):
            raise _Wrong(f"{case}: an edge occurs twice.")
        if num_words > 1 and torch.equal(seen, expected - torch.eye(num_words)):
            raise _Wrong(f"{case}: each word may look at itself, too.")
        if w and num_words > 1 and torch.equal(seen, expected.t()):
            raise _Wrong(
                f"{case}: the words look ahead. An edge goes from the word that is "
                "looked at to the word that looks."
            )
        wrong = (seen != expected).any(dim=1).nonzero()[:, 0].tolist()
        if wrong:
            words = seen[wrong[-1]].nonzero()[:, 0].tolist()
            raise _Wrong(f"{case}: word {wrong[-1]} looks at the words {words}.")


@_check("2.3")
def _normalised_axis(function: Callable) -> None:
    def ask(weights: Tensor, mask: Tensor, expected: str, hint: str) -> None:
        answer = function(weights, mask)
        if answer is None:
            raise _NotDone
        if answer not in ("rows", "columns", "neither"):
            raise _Wrong(f'Return "rows", "columns" or "neither", not {answer!r}.')
        if answer != expected:
            raise _Wrong(f'{hint} You return "{answer}".')

    (scores,) = _random((6, 6))
    full = torch.ones(6, 6)
    rows = torch.softmax(scores, dim=1)
    for weights, expected, axis in ((rows, "rows", 1), (rows.t(), "columns", 0)):
        hint = f"torch.softmax over dim={axis}, all nodes connected (32-bit numbers)."
        ask(weights, full, expected, hint)
    uneven = torch.tensor([1.0, 0.9, 1.1, 1.0, 1.0, 1.0]).unsqueeze(1)
    ask(rows * uneven, full, "neither", "Row sums of 1, 0.9, 1.1, 1, 1, 1.")
    columns = rows.t() * uneven.t()
    ask(columns, full, "neither", "Column sums of 1, 0.9, 1.1, 1, 1, 1.")

    mask = full.clone()
    mask[2], mask[:, 4] = 0, 0  # node 2 hears nobody, nobody hears node 4
    rows = formulas.masked_softmax(scores, mask)
    columns = formulas.masked_softmax(scores.t(), mask.t()).t()
    ask(rows, mask, "rows", "Rows that sum to one, and one that the mask leaves empty.")
    hint = "Columns that sum to one, and one that the mask leaves empty."
    ask(columns, mask, "columns", hint)
    for number in (-math.inf, -9e15):
        hint = f"The mask set as {number:g}: what stands in an empty row or column is"
        hint += " not to count."
        for axis, expected in ((1, "rows"), (0, "columns")):
            weights = torch.softmax(scores.masked_fill(mask == 0, number), dim=axis)
            ask(weights, mask, expected, hint)
    ring = (torch.eye(6) + torch.eye(6).roll(1, 0)) / 2
    ask(ring, (ring > 0).float(), "rows", "Rows and columns both sum to one.")


@_check("2.4")
def _chunked_attention(function: Callable) -> None:
    z, att_dst, att_src, noise = _random((7, 2), (2,), (2,), (7, 7))
    mask = (noise > 0).float()
    mask[4] = 0  # an isolated node

    def by_hand(first: Tensor, second: Tensor) -> Tensor:
        out = torch.zeros(7, 2)
        for i in range(7):
            sources = mask[i].nonzero()[:, 0]
            pairs = z[i] @ first + z[sources] @ second
            scores = torch.where(pairs > 0, pairs, 0.2 * pairs)
            out[i] = torch.softmax(scores, 0) @ z[sources]  # an empty sum is zero
        return out.double()

    expected, swapped = by_hand(att_dst, att_src), by_hand(att_src, att_dst)
    for chunk in (7, 3, 1, 100):
        what = f"With N = 7 and chunk = {chunk}"
        out = _tensor(
            function(z.clone(), att_dst, att_src, mask.clone(), chunk),
            (7, 2),
            f"{what} the output",
        )
        _close(out[4], torch.zeros(2), f"{what} the isolated node's output")
        if torch.allclose(out, swapped, atol=1e-5):
            raise _Wrong("The halves of a are swapped: a_dst meets the target.")
        for i in range(7):
            _close(out[i], expected[i], f"{what} node {i}'s output")

    n = 300  # few enough for a loop over pairs, whose every step is recorded
    z, att_dst, att_src, noise = _random((n, 4), (4,), (4,), (n, n))
    mask = (noise > 1).float()
    held = {
        chunk: measure.peak_memory(partial(function, z, att_dst, att_src, mask, chunk))
        for chunk in (5, 60)
    }
    if held[5] < 4 * 2 * n:
        raise _Wrong("Compute with PyTorch: the check sees its tensors only.")
    if held[5] >= 4 * n**2:
        raise _Wrong(
            f"N = {n}, chunk = 5: it held {held[5]:,} bytes at one moment; a full "
            f"matrix of scores takes {4 * n**2:,}."
        )
    if held[5] > 2 * held[60]:
        raise _Wrong(
            f"N = {n}: it held {held[5]:,} bytes with chunk = 5 and {held[60]:,} "
            "with chunk = 60. A chunk is a number of rows, not of pieces."
        )


@_check("2.5")
def _neighbour_lists(function: Callable) -> None:
    into = [[1, 2, 3], [0], [], [0, 3], [0]]
    src = [j for sources in into for j in sources]
    dst = [i for i, sources in enumerate(into) for _ in sources]
    first = GraphData(num_nodes=5, src=src, dst=dst)
    twice = GraphData(num_nodes=3, src=[0, 0, 1, 2], dst=[1, 1, 1, 0])
    for graph in (first, twice):
        answer = function(graph)
        if answer is None:
            raise _NotDone
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise _Wrong("Return two things: the sources and the mask.")
        shape = (graph.num_nodes, 3)
        name = "The longest list has 3 entries: the"
        sources, mask = (
            _tensor(part, shape, f"{name} {what}")
            for part, what in zip(answer, ("sources", "mask"), strict=True)
        )
        if torch.as_tensor(answer[0]).dtype == torch.bool:
            raise _Wrong("The sources come first, then the mask.")
        if torch.as_tensor(answer[0]).is_floating_point():
            raise _Wrong("The sources should be integers, so that they can index.")
        if bool(((mask != 0) & (mask != 1)).any()):
            raise _Wrong("The mask should hold True or False, or 1 or 0.")
        for i in range(graph.num_nodes):
            listed = sorted(sources[i][mask[i] == 1].long().tolist())
            into_i = sorted(graph.src[graph.dst == i].tolist())
            if listed != into_i:
                raise _Wrong(
                    f"The edges into node {i} come from {into_i}, the list says "
                    f"{listed}."
                )


# --- chapter 3 -------------------------------------------------------------------


def _uneven() -> GraphData:
    """In-degrees 3, 0, 1, 3, 2, 0, 1; an edge twice, a self-loop, a lonely node 5."""
    src = [1, 1, 4, 2, 0, 1, 6, 3, 6, 0]
    dst = [0, 0, 0, 2, 3, 3, 3, 4, 4, 6]
    return GraphData(num_nodes=7, src=src, dst=dst)


def _is(value: Tensor, other: Tensor) -> bool:
    """Whether an answer is what a certain mistake gives."""
    return torch.allclose(value, other.double(), atol=1e-5)


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


# --- chapter 4 -------------------------------------------------------------------


@_check("4.1")
def _count(function: Callable) -> None:
    def answer(*sizes: int) -> float:
        return float(_tensor(function(*sizes), (), "The result"))

    def right(*sizes: int) -> int:
        with torch.device("meta"):  # sizes without numbers
            network = GAT(*sizes[:4], out_heads=sizes[4])
        return sum(p.numel() for p in network.parameters())

    features, classes, hidden, heads, out_heads = sizes = (11, 5, 3, 4, 2)
    count, total = answer(*sizes), right(*sizes)
    att = heads * hidden + out_heads * classes  # half of all a
    mistakes = {
        total - heads * hidden - classes: "The biases are missing.",
        total - 2 * att + 2 * (hidden + classes): "Each head has its own a.",
        total - att: "Each a has two halves, for the target and for the source.",
        total - (heads - 1) * hidden * classes * out_heads: (
            "The second layer reads all heads of the first, not one."
        ),
        total + (out_heads - 1) * classes: (
            "The output layer adds its bias once, after the mean over its heads."
        ),
    }
    if count in mistakes:
        raise _Wrong(mistakes[count])
    for case in (sizes, (6, 3, 1, 1, 1), (50, 2, 7, 1, 5), (3, 9, 2, 5, 1)):
        count = answer(*case)
        if count != right(*case):
            names = ("in_features", "num_classes", "hidden", "num_heads", "out_heads")
            pairs = zip(names, case, strict=True)
            listed = ", ".join(f"{name} = {size}" for name, size in pairs)
            raise _Wrong(f"With {listed}: it is not {count:,g}.")


@_check("4.2")
def _merge(function: Callable) -> None:
    def answer(number: int, merge: str) -> tuple[Tensor, list[Tensor], str]:
        heads = _random(*[(5, 2)] * number)
        given = [head.clone() for head in heads]
        out = function(list(given), merge)
        what = f'With "{merge}" and K = {number} the result'
        if merge == "mean" and getattr(out, "ndim", 0 if out is not None else 1) == 0:
            raise _Wrong(
                "The mean is a single number: it averages nodes and features as "
                "well. Average over the heads alone."
            )
        below = number > 1 and getattr(out, "shape", ()) == (5 * number, 2)
        if merge == "concat" and below:
            raise _Wrong("The heads lie below each other; a row is for one node.")
        width = 2 * number if merge == "concat" else 2
        out = _tensor(out, (5, width), what)
        if any(not torch.equal(a, b) for a, b in zip(heads, given, strict=True)):
            raise _Wrong(f'With "{merge}" you write into the heads you are given.')
        return out, heads, what

    for number in (3, 1, 4):
        out, heads, what = answer(number, "concat")
        columns = [head[:, c] for head in heads for c in range(2)]
        mixed = [head[:, c] for c in range(2) for head in heads]
        if number > 1 and _is(out, torch.stack(mixed, dim=1)):
            raise _Wrong("The heads are mixed; a head's numbers stand side by side.")
        _close(out, torch.stack(columns, dim=1), what)
        out, heads, what = answer(number, "mean")
        if number > 1 and _is(out, sum(heads)):
            raise _Wrong('With "mean" you return the sum of the heads.')
        _close(out, sum(heads) / number, what)


@_check("4.3")
def _noise(function: Callable) -> None:
    (scores,) = _random((6,))
    uneven = torch.softmax(scores, dim=0)
    for alpha, p in (
        (torch.full((4,), 0.25), 0.6),
        (uneven, 0.3),
        (uneven, 0.9),
        (torch.ones(1), 0.2),
        (uneven, 0.0),
    ):
        what = f"With D = {len(alpha)} and p = {p:g} the standard deviation"
        value = _tensor(function(alpha.clone(), p), (), what)
        variance = p / (1 - p) * sum(a**2 for a in alpha.double().tolist())
        mistakes = {
            variance: "This is the variance, not the standard deviation.",
            (1 - p) * variance**0.5: (
                "This leaves out that dropout divides what it keeps by 1 - p."
            ),
            (p / (1 - p)) ** 0.5: (
                "Every weight is dropped on its own: variances add, standard "
                "deviations do not."
            ),
        }
        for mistake, hint in mistakes.items():
            if len(alpha) > 1 and p and abs(float(value) - mistake) < 1e-5:
                raise _Wrong(hint)
        _close(value, torch.tensor(variance).sqrt(), what)


@_check("4.4")
def _silence(function: Callable) -> None:
    graph, (x, noise) = _uneven(), _random((7, 6), (6,))
    for merge, bias, residual, k in (
        ("concat", True, False, 1),
        ("concat", True, True, 0),
        ("concat", False, False, 2),
        ("mean", True, False, 1),
        ("mean", True, True, 2),
        ("mean", False, False, 0),
    ):
        with torch.no_grad():
            torch.manual_seed(0)
            layer = EdgeGATLayer(6, 2, 3, merge, 0.5, residual=residual, bias=bias)
            if bias:
                layer.bias.copy_(noise[: len(layer.bias)])
        _compare_silenced(layer, function, graph, x, k)


def _layer_of_its_own(
    layer: EdgeGATLayer, function: Callable, k: int
) -> torch.nn.Module:
    """What the answer returns, which shares nothing with the layer."""
    before = {name: p.detach().clone() for name, p in layer.named_parameters()}
    new = function(layer, k)
    if new is None:
        raise _NotDone
    if not isinstance(new, torch.nn.Module):
        raise _Wrong(f"Return a layer, not a {type(new).__name__}.")
    if any(not torch.equal(p, before[name]) for name, p in layer.named_parameters()):
        raise _Wrong("The layer itself was changed: the copy shares its parameters.")
    own = {p.data_ptr() for p in layer.parameters()}
    if any(p.data_ptr() in own for p in new.parameters()):
        raise _Wrong(
            "The copy shares parameters with the layer: train one, and "
            "the other learns with it."
        )
    if any(p.is_meta for p in new.parameters()):
        raise _Wrong("The new layer's parameters hold no numbers: it is on meta.")
    return new


def _compare_silenced(
    layer: EdgeGATLayer, function: Callable, graph: GraphData, x: Tensor, k: int
) -> None:
    case = f'With merge = "{layer.merge}", bias = {layer.bias is not None}, '
    case += f"residual = {layer.residual}, k = {k}"
    before = {name: p.detach().clone() for name, p in layer.named_parameters()}
    new = _layer_of_its_own(layer, function, k)
    with torch.no_grad():
        full, alpha = layer(graph, x, return_attention=True)
        try:
            out, new_alpha = new.to(x)(graph, x, return_attention=True)
        except TypeError as error:
            if "return_attention" not in str(error):
                raise
            raise _Wrong("The new layer should take return_attention, too.") from None
    out = _tensor(out, tuple(full.shape), f"{case}: the new layer's output")
    new_alpha = _tensor(new_alpha, tuple(alpha.shape), f"{case}: its attention")
    for other in {0, 1, 2} - {k}:
        if not _is(new_alpha[:, other], alpha[:, other]):
            raise _Wrong(f"{case}: the attention of head {other} changed, too.")

    def heads(alpha: Tensor, keep: set[int]) -> Tensor:
        z = (x @ before["weight"]).view(-1, 3, 2)
        own = formulas.aggregate(alpha, z, graph.src, graph.dst, graph.num_nodes)
        own[:, [m for m in range(3) if m not in keep]] = 0
        return own.flatten(1) if layer.merge == "concat" else own.mean(dim=1)

    expected = full - heads(alpha, {k})
    if _is(out, expected):
        return
    if _is(out, full):
        raise _Wrong(f"{case}: head {k} still contributes.")
    uniform = (1 / graph.in_degrees[graph.dst]).unsqueeze(1).expand_as(alpha)
    if _is(out, expected + heads(uniform, {k})):
        raise _Wrong(
            f"{case}: head {k} still contributes. Without scores it takes the mean of "
            "its neighbours."
        )
    others = heads(alpha, {0, 1, 2} - {k})
    if layer.merge == "mean" and _is(out, expected + others / 2):
        raise _Wrong(
            f"{case}: the other heads weigh more than before. The mean stays one over "
            "three heads, one of which adds zero."
        )
    around = {"bias": before.get("bias", 0), "residual": full - heads(alpha, {0, 1, 2})}
    around["residual"] = around["residual"] - around["bias"]
    written = torch.zeros_like(full)  # one where head k writes
    written[:, slice(2 * k, 2 * k + 2) if layer.merge == "concat" else slice(None)] = 1
    for what, part in around.items():
        if _is(out, expected - written * part) or _is(out, expected - part):
            raise _Wrong(f"{case}: the {what} is silenced, too. It belongs to no head.")
    _close(out, expected, f"{case}: the output")


@_check("4.5")
def _gcn_as_monet(coordinates: Callable, weigh: Callable) -> None:
    generator = torch.Generator().manual_seed(0)
    ends = torch.randint(9, (2, 20), generator=generator)
    ends = torch.cat([ends, ends[:, :4], torch.arange(9).expand(2, 9)], dim=1)
    graph = GraphData(num_nodes=9, src=ends[0], dst=ends[1])
    adjacency, (h,) = graph.dense_adjacency(), _random((9, 3))
    size = len(graph.src)
    u = coordinates(graph)
    _tensor(u, (size, 2), "Your u")
    w = _tensor(weigh(u), (size, 1), "Your w")
    out = formulas.aggregate(
        w, h.double().unsqueeze(1), graph.src, graph.dst, graph.num_nodes
    ).squeeze(1)

    def over(dst: Tensor, src: Tensor) -> Tensor:
        return adjacency / (dst.unsqueeze(1) * src)

    into, away, once = adjacency.sum(1), adjacency.sum(0), adjacency.clamp(max=1).sum(1)
    mistakes = {
        "This is the mean: the source's degree is missing.": over(into, into**0),
        "The square root is missing.": over(into, into),
        "This multiplies by the root; GCN divides by it.": over(into**-0.5, into**-0.5),
        "The degree of a source counts edges into it, not out of it.": over(
            into**0.5, away**0.5
        ),
        "An edge that occurs twice counts twice.": over(once**0.5, once**0.5),
    }
    for hint, weights in mistakes.items():
        if _is(out, weights @ h):
            raise _Wrong(hint)
    _close(out, formulas.gcn_weights(adjacency) @ h, "An average")


# --- chapter 5 -------------------------------------------------------------------


@_check("5.1")
def _homophily(function: Callable) -> None:
    graph = GraphData.from_edges(
        [0, 1, 2], [1, 2, 3], undirected=True, y=[0, 0, 1, 1], name="path"
    )
    for tested in (graph, graph.with_self_loops()):
        value = _tensor(function(tested), (), "The result")
        if abs(float(value) - 1) < 1e-6:
            raise _Wrong("A path of two classes has an edge between them, not 1.")
        loops = "with" if tested.num_edges > 6 else "without"
        _close(value, torch.tensor(2 / 3), f"On a path {loops} self-loops it")


@_check("5.2")
def _from_names(function: Callable) -> None:
    pairs = [("eve", "ann"), ("ann", "bob"), ("ann", "eve"), ("dan", "bob")]
    answer = function(pairs)
    if answer is None:
        raise _NotDone
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise _Wrong("Return two things: the graph and the list of names.")
    graph, names = answer
    if not isinstance(graph, GraphData):
        raise _Wrong(f"The first should be a GraphData, not a {type(graph).__name__}.")
    graph = graph.to("cpu")
    if not isinstance(names, (tuple, list)):
        raise _Wrong(f"The second should be a list, not a {type(names).__name__}.")
    if list(names) != ["eve", "ann", "bob", "dan"]:
        raise _Wrong(
            "The names should come in the order in which they first appear, eve, ann, "
            f"bob, dan; got {', '.join(map(str, names))}."
        )
    if graph.num_nodes != 4:
        raise _Wrong(f"Four names make four nodes, not {graph.num_nodes}.")
    counts = graph.dense_adjacency()
    if not bool(counts.diagonal().all()):
        raise _Wrong("The self-loops are missing.")
    if bool((counts.diagonal() > 1).any()):
        raise _Wrong("Some node has more than one self-loop.")
    if bool((counts > 1).any()):
        raise _Wrong("A friendship that is listed twice should count once.")
    if not torch.equal(counts, counts.t()):
        raise _Wrong("A friendship runs both ways: each edge needs its reverse.")
    expected = torch.eye(4)
    for i, j in ((0, 1), (1, 2), (2, 3)):
        expected[i, j] = expected[j, i] = 1
    _close(counts.double(), expected, "The adjacency matrix")
    if graph.x is None:
        raise _Wrong("The features are missing: x should be one-hot.")
    _close(_tensor(graph.x, (4, 4), "x"), torch.eye(4), "x (one-hot, in order)")


@_check("5.3")
def _relative_entropy(function: Callable) -> None:
    # Targets with 4 uniform, 2 skewed, 1 and 0 neighbours.
    graph = GraphData(num_nodes=4, src=[0, 1, 2, 3, 0, 1, 2], dst=[0, 0, 0, 0, 1, 1, 2])
    alpha = torch.tensor([0.25, 0.25, 0.25, 0.25, 0.9, 0.1, 1.0]).unsqueeze(1)
    value = _tensor(function(graph, alpha), (4, 1), "The result")[:, 0]
    skewed = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) / math.log(2)
    _close(value[:2], torch.tensor([1, skewed]), "The ratio of a node with neighbours")
    if not bool(torch.isnan(value[2:]).all()):
        raise _Wrong("With one neighbour or none there is no choice: return NaN.")


@_check("5.4")
def _propagation(function: Callable) -> None:
    edges = [0, 1, 3, 4], [1, 2, 4, 5]
    known = torch.tensor([True, False, False, False, False, True])
    graph = GraphData.from_edges(
        *edges, undirected=True, y=[1, 1, 1, 0, 0, 0], train_mask=known, name="two"
    ).with_self_loops()
    predicted = _tensor(function(graph), (6,), "The prediction")
    if predicted.tolist() != [1, 1, 1, 0, 0, 0]:
        raise _Wrong(
            "On two separate paths with one known label each, every node should get "
            f"its own path's label; got {predicted.long().tolist()}."
        )
    # Labels outside the training mask must not matter.
    hidden = GraphData.from_edges(
        *edges, undirected=True, y=[1, 0, 0, 1, 1, 0], train_mask=known, name="two"
    ).with_self_loops()
    if _tensor(function(hidden), (6,), "The prediction").tolist() != predicted.tolist():
        raise _Wrong("The prediction changes with labels outside train_mask: a leak.")


@_check("5.5")
def _best_of(function: Callable) -> None:
    value = function([1.0, 2.0, 3.0], 1)
    _close(_tensor(value, (), "The result"), torch.tensor(2.0), "For n = 1 it", 1e-6)
    # Of the nine pairs one has the maximum 1, three have 2, five have 3.
    value = _tensor(function([1.0, 2.0, 3.0], 2), (), "The result")
    _close(value, torch.tensor(22 / 9), "For accuracies 1, 2, 3 and n = 2 it", 1e-6)


# --- chapter 6 -------------------------------------------------------------------


@_check("6.1")
def _guesser(function: Callable) -> None:
    for p, q in ((0.3, 0.8), (0.6, 0.5), (0.25, 1.0), (0.7, 0.1), (1.0, 0.4)):
        value = float(_tensor(function(p, q), (), "The result"))
        right = 2 * p * q / (p + q)
        mistakes = {
            100 * right: "That is in percent; it should be a number from 0 to 1.",
            right / 2: "A guesser who is always right, p = q = 1, would not get 1.",
            (p + q) / 2: "This is the arithmetic mean of precision and recall.",
            (p * q) ** 0.5: "This is the geometric mean of precision and recall.",
            p * q + (1 - p) * (1 - q): "This is the accuracy: it counts TN, too.",
            p * q: "This is the share of TP alone.",
            p: "This is the precision alone.",
            q: "This is the recall alone.",
            2 * p / (1 + p): "This says yes to everything; q is left out.",
            p / (p + 0.5): "This is a fair coin; q is left out.",
        }
        for mistake, hint in mistakes.items():
            if abs(value - mistake) < 1e-6 < abs(right - mistake):
                raise _Wrong(hint)
        if not abs(value - right) < 1e-6:
            raise _Wrong(f"For p = {p:g}, q = {q:g} it is not {value:.4g}.")


@_check("6.2")
def _take_apart(function: Callable) -> None:
    graphs = [  # as many nodes as edges in all, so that a mix-up of them shows
        GraphData(num_nodes=3, src=[2, 0, 1, 0, 2], dst=[2, 1, 0, 2, 0]),
        GraphData(num_nodes=4, src=[], dst=[]),
        GraphData(num_nodes=2, src=[1, 0, 0, 1], dst=[1, 0, 1, 0]),
        GraphData(num_nodes=1, src=[0], dst=[0]),
    ]
    for chosen, heads in ((graphs, 3), (graphs[::-1], 1), (graphs[:1], 2)):
        sizes = [graph.num_edges for graph in chosen]
        nodes = [graph.num_nodes for graph in chosen]
        (alpha,) = _random((sum(sizes), heads))
        answer = function(alpha.clone(), list(chosen))
        if answer is None:
            raise _NotDone
        if isinstance(answer, Tensor) or not isinstance(answer, Iterable):
            raise _Wrong(f"Return a list of tensors, not a {type(answer).__name__}.")
        parts = list(answer)
        if any(part is None for part in parts):
            raise _NotDone
        if len(parts) != len(chosen):
            raise _Wrong(f"{len(chosen)} graphs give {len(parts)} parts.")
        lengths = [len(p) if getattr(p, "ndim", 0) else -1 for p in parts]
        if lengths == nodes != sizes:
            raise _Wrong("The parts are as long as the graphs have nodes, not edges.")
        if lengths == sizes[::-1] != sizes:
            raise _Wrong("The parts come in the reverse order of the graphs.")
        first = 0
        for number, (part, size) in enumerate(zip(parts, sizes, strict=True)):
            what = f"Part {number} (counted from 0)"
            part = _tensor(part, (size, heads), what)
            right = alpha[first : first + size]
            first += size
            if _is(part, right):
                continue
            if _is(part.sort(dim=0).values, right.sort(dim=0).values):
                raise _Wrong(f"{what} holds the right rows in another order.")
            raise _Wrong(f"{what} holds weights of other graphs' edges.")


@_check("6.3")
def _loss_from_logits(function: Callable) -> None:
    def answer(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = logits.clone().requires_grad_()
        loss = function(logits, labels.clone())
        value = _tensor(loss, (), "The loss")
        if not isinstance(loss, Tensor) or not loss.requires_grad:
            raise _Wrong("No gradient can flow: the loss has left PyTorch.")
        return value, torch.autograd.grad(loss, logits)[0].double()

    (logits,) = _random((5, 4))
    labels = (_random((5, 4), (5, 4))[1] > 0).float()
    wide = logits.double()
    right, swapped = (
        float(-torch.where(labels == one, wide, -wide).sigmoid().log().mean())
        for one in (1, 0)
    )
    value, gradient = answer(logits, labels)
    mistakes = {
        20 * right: "This is the sum over all entries, not their mean.",
        4 * right: "This sums over the labels; the mean is over all entries.",
        5 * right: "This sums over the nodes; the mean is over all entries.",
        swapped: "A label of 1 and a label of 0 are swapped.",
        -right: "The sign is wrong: a loss is positive.",
    }
    for mistake, hint in mistakes.items():
        if abs(float(value) - mistake) < 1e-5:
            raise _Wrong(hint)
    _close(value, torch.tensor(right), "The loss")
    error = (wide.sigmoid() - labels) / 20
    _close(gradient, error, "The loss is right, its gradient")
    value, _ = answer(wide, labels.double())
    what = "With 64-bit logits the loss loses digits: it"
    _close(value, torch.tensor(right, dtype=torch.float64), what, 1e-9)

    for logit in (30.0, -30.0, 200.0, -200.0, 1e4, -1e4):
        for label in (0.0, 1.0):
            case = f"At a logit of {logit:,.0f} and a label of {label:.0f} the"
            s, y = torch.tensor([[logit]]), torch.tensor([[label]])
            value, gradient = answer(s, y)
            right = max(logit * (1 - 2 * label), 0)
            for what, number in (("loss", value), ("gradient", gradient)):
                if not bool(number.isfinite().all()):
                    raise _Wrong(f"{case} {what} is {float(number):g}.")
            if float(value) < right - 1 - 1e-4 * right:
                raise _Wrong(f"{case} loss is only {float(value):.4g}: is it clipped?")
            tolerance = 1e-5 * max(right, 1)
            _close(value, torch.tensor(float(right)), f"{case} loss", tolerance)
            _close(gradient, (s > 0).double() - y, f"{case} gradient")
    mixed = torch.tensor([[1e4, -1e4, 2.0], [1e4, -1e4, -1.0]])
    labels = torch.tensor([[0.0, 0, 1], [1, 1, 0]])
    _, gradient = answer(mixed, labels)
    error = (mixed.sigmoid() - labels) / 6
    _close(gradient, error, "With large and small logits together the gradient")


class _Counted(TorchFunctionMode):
    """Stops a computation whose functions return more than `limit` numbers."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.left = limit

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.left -= result.numel() if isinstance(result, Tensor) else 0
        if self.left < 0:
            raise _Wrong(
                "With 5,000 entries it is too slow: it goes through all entries again "
                "for each of many candidates."
            )
        return result


def _f1(yes: Tensor, true: Tensor) -> float:
    return 2 * int((yes & true).sum()) / int(yes.sum() + true.sum())


def _compare_threshold(function: Callable, s: Tensor, true: Tensor, case: str) -> None:
    threshold = _tensor(function(s.clone(), true.to(s.dtype)), (), "The result")
    if bool(threshold.isnan()):
        raise _Wrong(f"{case}: the threshold is NaN.")
    wide = s.double()
    every = wide.unique().tolist()
    scores = {c: _f1(wide > c, true) for c in (-math.inf, *every)}
    best, got = max(scores.values()), _f1(wide > threshold, true)
    if got > best - 1e-9:
        return
    hits = {c: int(((wide > c) == true).sum()) for c in scores}
    if scores[-math.inf] > best - 1e-9:
        hint = "Here it is best to say yes to everything."
    elif _f1(wide >= threshold, true) > best - 1e-9:
        hint = "At your threshold itself the answer is no: yes is ABOVE it."
    elif 0 < threshold < 1 and _f1(wide.sigmoid() > threshold, true) > best - 1e-9:
        hint = "This is a threshold on the probability; the logit's is wanted."
    elif int(((wide > threshold) == true).sum()) == max(hits.values()):
        hint = "Your threshold is the best one for accuracy."
    else:
        hint = f"Your threshold gives {got:.4f}, the best one {best:.4f}."
    raise _Wrong(f"{case}: {hint}")


@_check("6.4")
def _best_threshold(function: Callable) -> None:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    def labels(s: Tensor, noise: float, shift: float) -> Tensor:
        true = s + noise * random(*s.shape) > shift
        true.view(-1)[s.argmax()] = True  # some label is true
        return true

    for _ in range(12):
        s = random(6, 5)
        _compare_threshold(function, s, labels(s, 1, 0.7), "Thirty random logits")
    for _ in range(12):
        s = random(5, 4).mul(1.5).round()
        _compare_threshold(function, s, labels(s, 1, 0.5), "Logits with ties")
    for _ in range(4):
        s = random(4, 4)
        case = "Logits that know nothing"
        _compare_threshold(function, s, labels(s, 50, 0), case)
        _compare_threshold(function, s, labels(-s, 0.5, -1), "Logits that mislead")
        s = random(9, 5)
        true = labels(s, 1, 0.7)
        close, low = 5.005 + s.clamp(-2.5, 2.5) / 500, 40 * s - 300
        _compare_threshold(function, close, true, "Logits between 5 and 5.01")
        _compare_threshold(function, low, true, "Logits all below -100")
        case = "Logits of very different sizes"
        _compare_threshold(function, (4 * s).sinh(), true, case)
    s = random(50, 100)
    with _Counted(1000 * s.numel()):
        function(s, labels(s, 1, 0.7).float())
    s = random(2000, 100)
    true = labels(s, 1, 0.7)
    start = time.perf_counter()
    function(s, true.float())
    if (taken := time.perf_counter() - start) > 20:
        raise _Wrong(f"With 200,000 entries it takes {taken:.0f} seconds.")


def _pair_aucs(
    alpha: Tensor, relevant: Tensor, ends: Tensor, tie: float = 0.5
) -> list[tuple[float, int]]:
    """AUC and number of pairs of each group of edges with both kinds (6.5)."""
    found = []
    for end in ends.unique():
        a, marks = alpha[ends == end], relevant[ends == end]
        gaps = a[marks].unsqueeze(1) - a[~marks]
        if gaps.numel():
            wins = (gaps > 0).double() + tie * (gaps == 0)
            found.append((float(wins.mean()), gaps.numel()))
    return found


@_check("6.5")
def _neighbourhood_auc(function: Callable) -> None:
    degrees = torch.tensor([6, 4, 3, 2, 1, 5, 0, 5])
    dst = torch.arange(8).repeat_interleave(degrees)
    src = (5 * torch.arange(len(dst)) + 1) % 8
    graph = GraphData(num_nodes=8, src=src, dst=dst)
    generator = torch.Generator().manual_seed(0)
    for trial in range(6):
        relevant = torch.rand(len(dst), generator=generator) < 0.45
        relevant[dst == 0] = torch.arange(6) < 2  # 8 pairs
        relevant[dst == 3] = torch.tensor([True, False])  # one pair
        relevant[dst == 2], relevant[dst == 5] = True, False
        weights = torch.randint(1, 5, relevant.shape, generator=generator)
        weights = (weights + 2 * relevant).float()
        if trial == 5:
            weights = torch.ones(len(dst))
        alpha = weights / torch.zeros(8).index_add(0, dst, weights)[dst]
        answer = function(graph, alpha.clone(), relevant.clone())
        value = float(_tensor(answer, (), "The result"))
        if math.isnan(value):
            raise _Wrong("It is NaN: leave out targets with one kind of sources.")

        both = _pair_aucs(alpha, relevant, dst)
        total, number = sum(auc for auc, _ in both), len(both)
        right = total / number
        other = {
            what: statistics.mean(auc for auc, _ in _pair_aucs(alpha, relevant, *how))
            for what, how in {
                "pooled": (0 * dst,),
                "loss": (dst, 0),
                "win": (dst, 1),
                "sources": (src,),
            }.items()
        }
        pairs = sum(auc * n for auc, n in both) / sum(n for _, n in both)
        left_out = "A target with one kind of sources is left out, it is no "
        mistakes = [
            (other["pooled"], "This pools the pairs of all targets."),
            (other["loss"], "A tie counts half, not nothing."),
            (other["win"], "A tie counts half, not as much as a win."),
            (pairs, "Each target counts the same, however many pairs it has."),
            (other["sources"], "Compare edges into one target, not out of a source."),
            (1 - right, "It counts where the relevant source weighs more, not less."),
        ]
        for size in (8, 7):  # with and without the node that has no source
            mistakes.append((total / size, left_out + "0."))
            mistakes.append(((total + (size - number) / 2) / size, left_out + "0.5."))
        for mistake, hint in mistakes:
            if abs(value - mistake) < 1e-6 < abs(right - mistake):
                raise _Wrong(hint)
        if not abs(value - right) < 1e-5:
            case = "For equal weights" if trial == 5 else "On a graph of eight nodes"
            raise _Wrong(f"{case} it is not {value:.4f}.")


# --- chapter 9 -------------------------------------------------------------------


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
