"""Checks of the exercises; every chapter's starter cells call `exercise`.

A check compares an answer with a closed form or a property, says what is wrong in
terms of the question, and never shows the solution.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gat_course import formulas
from gat_course.graph import GraphData

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
    if value is None or value is ...:
        raise _NotDone
    value = torch.as_tensor(value).detach()
    if tuple(value.shape) != shape:
        raise _Wrong(
            f"{what} should have shape {list(shape)}, got {list(value.shape)}."
        )
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


@_check("1.1")
def _pencil(weights: Any) -> None:
    if any(w is None for w in weights):
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
    weight, a = torch.as_tensor(weight).float(), torch.as_tensor(a).float()
    width = weight.shape[1]
    if weight.shape[0] != 2 or a.shape != (2 * width,):
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
def _karate(graph: GraphData) -> None:
    if not isinstance(graph, GraphData):
        raise _Wrong(f"Build a GraphData, not a {type(graph).__name__}.")
    if graph.num_nodes != 34 or graph.num_edges != 2 * 78 + 34:
        raise _Wrong(
            f"The club has 34 members and 78 friendships: expected 34 nodes and "
            f"190 edges (both directions and self-loops), got {graph.num_nodes} and "
            f"{graph.num_edges}."
        )
    missing = [
        name
        for name in ("x", "y", "train_mask", "val_mask", "test_mask")
        if getattr(graph, name) is None
    ]
    if missing:
        raise _Wrong(f"Still missing: {', '.join(missing)}.")
    if graph.y.bincount().tolist() != [17, 17]:
        raise _Wrong("Each side of the split club has 17 members; look at y.")
    masks = torch.stack([graph.train_mask, graph.val_mask, graph.test_mask])
    if bool((masks.sum(dim=0) != 1).any()):
        raise _Wrong("Every member should be in exactly one of the three masks.")


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
