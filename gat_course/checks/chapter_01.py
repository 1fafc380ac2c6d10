"""Checks of chapter 1's exercises."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gat_course import formulas
from gat_course.checks.answers import (
    _check,
    _close,
    _NotDone,
    _numbers,
    _random,
    _tensor,
    _Wrong,
)
from gat_course.graph import GraphData


def _five_friends() -> tuple[Tensor, Tensor]:
    """Features and adjacency matrix of chapter 1's example."""
    x = torch.tensor([[1.0, 0], [2, 0], [0, 1], [1, 1], [0, 2]])
    graph = GraphData.from_edges([0, 0, 0, 2, 3], [1, 2, 3, 3, 4], undirected=True)
    return x, graph.with_self_loops().dense_adjacency()


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
