"""Checks of chapter 10's exercises."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from gat_course.checks import answers
from gat_course.checks.answers import case, check, close, random, refuse, tensor
from gat_course.datasets.power_law import power_law_graph
from gat_course.graph import GraphData
from gat_course.partition import edge_cut


@check("10.1")
def _reads(function: Callable) -> None:
    def right(batch: int, fanouts: list[int]) -> int:
        for fanout in fanouts:
            batch *= 1 + fanout
        return batch

    b, fanouts = first = (3, [2, 5, 4])
    product, sums = b * 2 * 5 * 4, b + 3 * 2 + 3 * 5 + 3 * 4
    without_middle = b + b * 4 + b * 4 * 5 + b * 4 * 5 * 2
    mistakes = {
        "A target is among the nodes that are read: with its draws it makes "
        "1 + fanout.": product,
        "Each layer draws for all nodes of the layer after it, not for the targets "
        "alone.": sums,
        "The targets of a layer are nodes of the layer before, so they draw there "
        "again.": without_middle,
        "That is one target; there are batch of them.": right(1, fanouts),
        "These are the drawn nodes; the targets are read too.": right(*first) - b,
    }
    refuse(mistakes, tensor(function(b, list(fanouts)), ()))
    for sizes in (first, (512, [10, 10]), (1, [25]), (7, [0, 3]), (2, [1, 1, 1, 1])):
        named = f"With {answers.sizes(right, sizes)}:"
        value = tensor(function(sizes[0], list(sizes[1])), ())
        close(value, right(*sizes), named, tolerance=0, form=",g")


@check("10.2")
def _smallest(function: Callable) -> None:
    dst = torch.tensor([4, 0, 2, 0, 0, 2, 0, 4, 4, 4, 0, 6])  # rows in any order
    key = torch.tensor([5, 90, 40, 20, 70, 30, 10, 80, 60, 95, 50, 15]) / 100
    for fanout in (2, 1, 4, 9, 0):
        right = torch.zeros(len(dst), dtype=torch.bool)
        largest, first = right.clone(), right.clone()
        for node in range(7):
            own = (dst == node).nonzero()[:, 0]
            order = own[key[own].argsort()]
            right[order[:fanout]] = True
            largest[order.flip(0)[:fanout]] = True
            first[own[:fanout]] = True
        given = dst.clone(), key.clone()
        with answers.untouched(given, "It writes into what it is given."):
            value = tensor(function(*given, 7, fanout), (len(dst),))
        few = (key.argsort().argsort() < fanout).double()
        mistakes = {
            "These are the largest keys of each target, not the "
            "smallest.": largest.double(),
            "These are the first edges of each target, whatever their "
            "keys.": first.double(),
            "The smallest keys are taken over all edges; each target has a draw of its "
            "own.": few,
            "One edge too few of each target: is it < or <=?": _fewer(
                dst, key, fanout - 1
            ),
            "One edge too many of each target: is it < or <=?": _fewer(
                dst, key, fanout + 1
            ),
        }
        keys = [round(number, 2) for number in key.tolist()]
        with case(f"With dst = {dst.tolist()}, keys {keys}, fanout {fanout}:"):
            hint = "True and False are asked for, an edge each."
            refuse({hint: not bool(((value == 0) | (value == 1)).all())})
            refuse(mistakes, value, right.double())
            wrong = (value != right.double()).nonzero()[:, 0].tolist()
            refuse({f"edges {wrong} are wrong.": bool(wrong)})


def _fewer(dst: Tensor, key: Tensor, fanout: int) -> Tensor:
    """1 for the edges that have one of the smallest keys of their target, `[E]`."""
    rank = ((dst.unsqueeze(1) == dst) & (key.unsqueeze(1) > key)).sum(dim=1)
    return (rank < fanout).double()


@check("10.3")
def _expected(function: Callable) -> None:
    scores, values = random((6,), (6,))
    scores = 2 * scores
    for k in (2, 1, 3, 6):
        draws = [list(c) for c in combinations(range(6), k)]
        means = [scores[c].softmax(0) @ values[c] for c in draws]
        right = torch.stack(means).mean()
        whole = scores.softmax(0)
        parts = torch.stack([whole[c] @ values[c] for c in draws]).mean()
        mistakes = {
            "The weights of a draw sum to 1: its softmax goes over the drawn ones "
            "alone.": parts,
            "That is the mean over all neighbours. On average over the draws a sample "
            "gives something else.": whole @ values,
            "That is the mean of the drawn values, without their weights.": torch.stack(
                [values[c].mean() for c in draws]
            ).mean(),
            "That is the sum over the draws, not their mean.": right * len(draws),
        }
        given = scores.clone(), values.clone()
        with answers.untouched(given, "It writes into what it is given."):
            value = tensor(function(*given, k), ())
        with case(f"With {k} of 6 neighbours:"):
            close(value, right, "the expected result", mistakes)


@check("10.4")
def _combined(function: Callable) -> None:
    gradients = torch.stack(random((3, 2), (3, 2), (3, 2)))
    for sizes in ([5, 5, 4], [1, 2, 9], [3, 3, 3]):
        share = torch.tensor(sizes, dtype=torch.float64)
        right = torch.einsum("p,pij->ij", share / share.sum(), gradients.double())
        mistakes = {
            "That is the plain mean: a process with fewer nodes counts too "
            "much.": gradients.mean(0),
            "That is the sum of the gradients.": gradients.sum(0),
            "The sum is right but for a factor: divide by the number of all "
            "nodes.": right * share.sum(),
            "Divided by the number of processes, not of nodes.": right
            * share.sum()
            / len(sizes),
            "The weights are upside down: more nodes, more weight.": torch.einsum(
                "p,pij->ij", (1 / share) / (1 / share).sum(), gradients.double()
            ),
        }
        given = [g.clone() for g in gradients]
        with answers.untouched(given, "It writes into what it is given."):
            value = tensor(function(given, list(sizes)), (3, 2))
        with case(f"With shares of {sizes} nodes:"):
            close(value, right, "the gradient", mistakes)


@check("10.5")
def _streamed(function: Callable) -> None:
    # 128 nodes a part: shares of it are exact, so that ties are ties.
    graph = power_law_graph(512, 6000, 4, 4, exponent=4.0, inside=0.9, seed=3)
    turned = GraphData.from_edges(graph.dst, graph.src, graph.num_nodes)
    mistakes = {
        "A part's score needs its share of free places, 1 - size / most.": _stream(
            graph, 4, room=False
        ),
        "Count the edges into the node, from its sources; these are from it.": _stream(
            turned, 4
        ),
        "Of parts with the same score take the one with fewest nodes.": _stream(
            graph, 4, fewest=False
        ),
    }
    part = _answer(function, graph, 4)
    refuse(mistakes, part)
    cut = edge_cut(graph, part)
    refuse(
        {
            f"It cuts {cut:.0%} of the edges, as a random choice does (75 %): ask in "
            "which part most of a node's placed sources are.": cut > 0.65
        }
    )
    close(part, _stream(graph, 4), "the number of a part", tolerance=0)
    for small, parts in (
        (GraphData.from_edges([], [], 3), 2),
        (GraphData.from_edges([0, 1], [1, 0], 5), 5),
        (GraphData.from_edges([0], [0], 1), 1),
        (GraphData.from_edges([0, 0, 0, 1], [1, 2, 3, 2], 4), 2),
    ):
        with case(f"With {small.num_nodes} nodes in {parts} parts:"):
            found = _answer(function, small, parts)
            close(found, _stream(small, parts), "the number of a part", tolerance=0)


def _stream(
    graph: GraphData, num_parts: int, room: bool = True, fewest: bool = True
) -> Tensor:
    """Linear deterministic greedy; without its penalty, or its rule for ties."""
    most, sizes = _most(graph.num_nodes, num_parts), [0] * num_parts
    part: list[int] = []
    sources: list[list[int]] = [[] for _ in range(graph.num_nodes)]
    for src, dst in zip(graph.src.tolist(), graph.dst.tolist(), strict=True):
        sources[dst].append(src)
    for node in range(graph.num_nodes):
        near = [part[src] for src in sources[node] if src < node]
        best = max(
            (p for p in range(num_parts) if sizes[p] < most),
            key=lambda p: (
                near.count(p) * ((most - sizes[p]) if room else 1),  # noqa: B023
                -sizes[p] if fewest else 0,
                -p,
            ),
        )
        part.append(best)
        sizes[best] += 1
    return torch.tensor(part)


def _answer(function: Callable, graph: GraphData, num_parts: int) -> Tensor:
    """The parts that an answer gives, on a copy of the graph; none too large."""
    copy = GraphData.from_edges(
        graph.src.clone(), graph.dst.clone(), graph.num_nodes, x=graph.x
    )
    found = _parts(function(copy, num_parts), graph.num_nodes, num_parts)
    sizes = torch.bincount(found, minlength=num_parts)
    most = _most(graph.num_nodes, num_parts)
    hint = f"The parts have {sizes.tolist()} nodes; each may have {most} at most."
    refuse({hint: int(sizes.max()) > most})
    return found


def _most(num_nodes: int, num_parts: int) -> int:
    return -(-num_nodes // num_parts)


def _parts(value: Any, num_nodes: int, num_parts: int) -> Tensor:
    """An answer as the part of each node, `[N]`."""
    found = tensor(value, (num_nodes,), "The parts")
    whole = bool((found == found.round()).all())
    refuse({"The parts must be whole numbers.": not whole})
    inside = bool(((found >= 0) & (found < num_parts)).all())
    refuse(
        {
            f"The parts must be from 0 to {num_parts - 1}; yours go from "
            f"{found.min():g} to {found.max():g}.": not inside
        }
    )
    return found.long()
