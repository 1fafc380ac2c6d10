"""Checks of chapter 1's exercises."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from gat_course import formulas
from gat_course.checks import answers
from gat_course.checks.answers import check, close, random, refuse, tensor
from gat_course.graph import GraphData


def _five_friends() -> tuple[torch.Tensor, torch.Tensor]:
    """Features and adjacency matrix of chapter 1's example."""
    x = torch.tensor([[1.0, 0], [2, 0], [0, 1], [1, 1], [0, 2]])
    graph = GraphData.from_edges([0, 0, 0, 2, 3], [1, 2, 3, 3, 4], undirected=True)
    return x, graph.with_self_loops().dense_adjacency()


@check("1.1")
def _pencil(weights: Any) -> None:
    if isinstance(weights, (list, tuple)) and any(w is None for w in weights):
        raise answers.NotDone
    weights = tensor(weights, (2,), "Your list")
    total = float(weights.sum())
    # Node 4 owns no jazz: the products are -rock_j, that is -1 and -3.
    products = torch.tensor([-1.0, -3.0], dtype=torch.float64)
    right = torch.softmax(0.2 * products, 0)
    mistakes = {
        f"The weights sum to {total:.3f}, not to 1.": abs(total - 1) > 2e-3,
        "These weights leave out LeakyReLU.": torch.softmax(products, 0),
        "The order is: first source 3, then source 4.": right.flip(0),
    }
    close(weights, right, "A weight", mistakes, tolerance=1e-3)


@check("1.2")
def _temperature(function: Callable) -> None:
    scores = torch.tensor([[3.0, 1.0, 2.0], [0.0, 500.0, 1.0]])
    mask = torch.tensor([[1, 0, 1], [1, 1, 1]])
    at_one = tensor(function(scores, mask, 1.0), (2, 3))
    right, masked = formulas.masked_softmax(scores, mask), at_one[0, 1] > 0
    close(at_one, right, "At τ = 1 a weight", {"A masked entry gets weight.": masked})
    flat, mean = function(scores, mask, 1e6), formulas.mean_weights(mask.float())
    close(flat, mean, "At τ = 10⁶ a weight", tolerance=1e-3)
    best = [[1, 0, 0], [0, 1, 0]]
    close(function(scores, mask, 1e-3), best, "At τ = 0.001 a weight")


@check("1.3")
def _isolated(function: Callable) -> None:
    x, adjacency = _five_friends()
    adjacency = torch.block_diag(adjacency.fill_diagonal_(0), torch.zeros(1, 1))
    x = torch.cat([x, torch.tensor([[3.0, 1.0]])])
    weight, *halves = random((2, 3), (3,), (3,))
    out = tensor(function(x, adjacency, weight, *halves), (6, 3), "Output")
    answers.close_nodes(out, x @ weight, adjacency, *halves)


@check("1.4")
def _gatv2(function: Callable) -> None:
    z_dst, z_src, a = random((4, 3), (4, 3), (3,))
    scores = tensor(function(z_dst, z_src, a), (4, 4), "The scores")
    right = F.leaky_relu(z_dst.unsqueeze(1) + z_src, 0.2) @ a
    gat = F.leaky_relu((z_dst @ a).unsqueeze(1) + z_src @ a, 0.2)
    mistakes = {
        "Rows and columns are swapped: the target is the row.": right.t(),
        "This is GAT's score: LeakyReLU comes before the product with a.": gat,
    }
    close(scores, right, "A score", mistakes)


@check("1.5")
def _dot_products(function: Callable) -> None:
    what = "The result (all pairs, all edges, split)"
    counts = tensor(function(10, 33, 4), (3,), what).tolist()
    hint = "Split: a node plays two roles, as a target and as a source."
    refuse({hint: counts[2] == 4 * 10})
    rights = {"all pairs": 400, "all edges": 132, "split": 80}
    for count, (what, right) in zip(counts, rights.items(), strict=True):
        close(count, right, f"N = 10, |E| = 33, K = 4, {what}:", tolerance=0, form="g")


@check("1.6")
def _choose(weight: Any, a: Any) -> None:
    if weight is None or a is None:
        raise answers.NotDone
    x, adjacency = _five_friends()
    weight = answers.numbers(weight, "W should be numbers of shape [2, F']").float()
    a = answers.numbers(a, "a should be numbers of shape [2 F']").float()
    width = weight.shape[-1] if weight.dim() == 2 else 0
    hint = "W should be [2, F'] and a [2 F'], got"
    other = not width or len(weight) != 2 or a.shape != (2 * width,)
    refuse({f"{hint} {list(weight.shape)} and {list(a.shape)}.": other})
    scores = formulas.attention_scores(x @ weight, a[:width], a[width:])
    alpha = formulas.masked_softmax(scores, adjacency)
    taste = (x[:, 1] - x[:, 0]).expand(5, 5).masked_fill(adjacency == 0, -math.inf)
    on_best = alpha[torch.arange(5), taste.argmax(dim=1)]
    worst = int(on_best.argmin())
    low = float(on_best[worst])
    hint = f"Node {worst} gives its best neighbour {low:.3f}, not more than 0.99."
    refuse({hint: not low > 0.99})
