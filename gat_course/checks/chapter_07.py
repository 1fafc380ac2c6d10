"""Checks of chapter 7's exercises."""

from collections.abc import Callable

import torch
from torch import Tensor

from gat_course.checks import answers
from gat_course.checks.answers import case, check, close, refuse, tensor
from gat_course.graph import GraphData


@check("7.1")
def _same_order(function: Callable) -> None:
    target, source, mixed = answers.random((5, 1), (1, 6), (5, 6))
    additive = target + source
    leaky = torch.nn.functional.leaky_relu(3 * additive, 0.2)
    rotated = torch.stack([additive[0].roll(i) for i in range(4)])
    last = additive.clone()
    last[-1, :2] = last[-1, :2].flip(0)
    low = additive.clone()
    two = additive[0].argsort()[:2]
    low[1, two] = low[1, two.flip(0)]
    # The same source is first for every target; the second is not.
    below = torch.tensor([[4.0, 3, 2, 1], [9, 2, 3, 1], [5, 3, 2, 1]])
    grown = torch.stack([additive[0], 10 * additive[0] - 40, additive[0].exp()])
    for scores, right, what in (
        (additive, True, "Scores that are a target's part plus a source's"),
        (leaky, True, "Those after a LeakyReLU"),
        (grown, True, "Rows of different sizes in the same order"),
        (mixed, False, "Random scores"),
        (rotated, False, "Rows that are each other's rotations"),
        (below, False, "Scores that agree on the first source alone"),
        (low, False, "Scores that differ in the last two ranks of one target"),
        (last, False, "Scores of which the last target alone swaps two sources"),
        (additive[:1], True, "One target"),
        (mixed[:, :1], True, "One source"),
    ):
        answer = answers.done(function(scores.clone()))
        yes = tensor(answer, (), "The answer")
        refuse({"Return True or False.": yes not in (0, 1)})
        rank = "rank their sources alike" if right else "do not all rank them alike"
        refuse({f"{what}: the targets {rank}.": bool(yes) != right})


@check("7.2")
def _edge_term(function: Callable) -> None:
    for edges, columns, heads, width in ((7, 3, 2, 4), (5, 2, 1, 3), (0, 2, 2, 2)):
        f, matrix, a = answers.random(
            (edges, columns), (columns, heads * width), (heads, width)
        )
        parts = (f @ matrix).view(edges, heads, width)
        right = (parts * a).sum(dim=-1)
        mixed = (f @ matrix).view(edges, width, heads).transpose(1, 2)
        given = [v.clone() for v in (f, matrix, a)]
        with answers.untouched(given, "It writes into what it is given."):
            value = tensor(function(*given), (edges, heads))
        mistakes = {
            "The columns of W_e belong to head 0 first, then to head 1.": (
                mixed * a
            ).sum(dim=-1),
            "That uses head 0's vector for every head.": (parts * a[0]).sum(dim=-1),
            "That is the mean over the features of a head, not their sum.": right
            / width,
        }
        close(value, right, f"For {edges} edges the term", mistakes if edges else None)
    f, matrix, a = answers.random((2000, 4), (4, 8 * 16), (8, 16))
    hint = (
        "Right, but it makes a vector of W_e's width for every edge. What of the "
        "product does not depend on the edge?"
    )
    with answers.Work(10 * 2000 * 8, hint):
        function(f, matrix, a)


@check("7.3")
def _degree_scaler(function: Callable) -> None:
    graph = answers.uneven()
    degree = torch.tensor([3.0, 0, 1, 3, 2, 0, 1])
    (h,) = answers.random((7, 4))
    sent = torch.bincount(graph.src, minlength=7).float()
    for delta in (0.7, 1.5):
        value = tensor(function(graph, h.clone(), delta), (7, 4))
        scale = (degree + 1).log().unsqueeze(1)
        mistakes = {
            "Multiply by the ratio, do not divide.": h / scale * delta,
            "The logarithm is of the degree plus 1.": h
            * degree.log().unsqueeze(1)
            / delta,
            "It is the logarithm of the degree that is scaled, not the degree.": (
                h * degree.unsqueeze(1) / delta,
                h * (degree + 1).unsqueeze(1) / delta,
            ),
            "It lacks the division by delta.": h * scale,
            "The degree is that of the edges that arrive.": h
            * (sent + 1).log().unsqueeze(1)
            / delta,
            "delta is the mean of the training graphs; take the one you are given.": h
            * scale
            / scale.mean(),
        }
        close(value, h * scale / delta, f"With delta = {delta}", mistakes)


@check("7.4")
def _read_out(function: Callable) -> None:
    graph_of = torch.tensor([0, 0, 2, 2, 2, 3, 0])  # graphs 1 and 4 have no node
    h, query = answers.random((7, 3), (3,))
    for factor, name in ((1.0, "Five graphs"), (200.0, "Large scores")):
        scores, rows = (factor * h) @ query, factor * h
        right, means, sums = (torch.zeros(5, 3) for _ in range(3))
        pooled = right.index_add(0, graph_of, scores.softmax(0).unsqueeze(1) * rows)
        for g in (0, 2, 3):
            own = graph_of == g
            right[g] = scores[own].softmax(dim=0) @ rows[own]
            means[g], sums[g] = rows[own].mean(dim=0), rows[own].sum(dim=0)
        value = function(rows.clone(), graph_of.clone(), 5, query.clone())
        value = tensor(value, (5, 3))
        mistakes = {
            "It contains NaN: a graph without nodes gets zeros, and exponentials of "
            "large scores overflow.": bool(value.isnan().any()),
            "The softmax is over the nodes of one graph, not of all.": pooled,
            "That is the mean; the weights have no part in it.": means,
            "That is the sum; the weights have no part in it.": sums,
        }
        with case(f"{name}:"):
            close(value, right, "the readout", mistakes, tolerance=1e-4 * factor)
    (h,) = answers.random((60_000, 3))
    graph_of = torch.arange(20_000).repeat_interleave(3)
    hint = "With 20,000 graphs it is too slow: it goes through all nodes for each."
    with answers.Work(100 * h.numel(), hint), answers.in_time(20, "With 20,000 graphs"):
        function(h, graph_of, 20_000, query)


def _rate(there: Tensor, bar: Tensor, equal: bool = False) -> float:
    return float(((there >= bar) if equal else (there > bar)).double().mean())


@check("7.5")
def _hits(function: Callable) -> None:
    there, nowhere = answers.random((40,), (60,))
    _compare_hits(function, there + 0.5, nowhere, "Without ties")
    there, nowhere = (2 * there + 1).round(), (2 * nowhere).round()
    _compare_hits(function, there, nowhere, "With ties")


def _compare_hits(
    function: Callable, there: Tensor, nowhere: Tensor, name: str
) -> None:
    order = nowhere.sort(descending=True).values
    pooled = torch.cat([there, nowhere]).sort(descending=True).values
    for k in (1, 5, 20, 60):
        bar, after = order[k - 1], order[min(k, 59)]
        right = _rate(there, bar)
        mistakes = {
            "That is in percent; it should be from 0 to 1.": 100 * right,
            "A link must score higher than the bar; equal is not enough.": _rate(
                there, bar, equal=True
            ),
            "The bar is the k-th best pair without a link, not the next one.": _rate(
                there, after
            ),
            "The bar is the k-th best, not the k-th worst.": _rate(there, order[-k]),
            "The bar is a pair without a link, not any pair.": _rate(
                there, pooled[k - 1]
            ),
        }
        value = function(there.clone(), nowhere.clone(), k)
        close(value, right, f"{name}, for k = {k}", mistakes, 1e-6, ".4g")


@check("7.6")
def _leaked(function: Callable) -> None:
    src, dst = torch.tensor([0, 1, 1, 2, 5, 4, 3]), torch.tensor([1, 0, 2, 1, 4, 4, 3])
    graph = GraphData(num_nodes=6, src=src, dst=dst)
    links = torch.tensor([[1, 2, 4, 0, 3, 0, 2], [0, 1, 5, 2, 4, 5, 4]])
    right = torch.tensor([True, True, True, False, False, False, False])
    one_way = torch.tensor([True, True, False, False, False, False, False])
    two_hops = torch.tensor([True, True, True, True, False, False, False])
    touched = torch.tensor([True] * 7)
    value = answers.done(function(graph, links.clone()))
    value = tensor(value, (7,), "The result")
    refuse(
        {
            "Return True or False for each link.": bool(
                ((value != 0) & (value != 1)).any()
            )
        }
    )
    mistakes = {
        "Look in both directions: messages may run against the pair's order.": one_way,
        "Only an edge between the two counts, not a way over others.": two_hops,
        "Both ends must be joined by an edge, not merely be in some edge.": touched,
        "True means that the link is among the messages, not that it is not.": ~right,
    }
    close(value, right, "The result", {k: v.double() for k, v in mistakes.items()})
    generator = torch.Generator().manual_seed(0)
    ends = torch.randint(3000, (2, 60_000), generator=generator)
    graph = GraphData(num_nodes=3000, src=ends[0], dst=ends[1])
    there = torch.cat([ends[:, :500].flip(0), ends[:, 500:1000]], dim=1)
    links = torch.cat(
        [there, torch.randint(3000, (2, 500), generator=generator)], dim=1
    )
    low, high = torch.cat([ends, links], dim=1).sort(dim=0).values
    pair = 3000 * low + high
    right = torch.isin(pair[60_000:], pair[:60_000])
    with answers.in_time(20, "With 1,500 links and 60,000 edges"):
        value = tensor(function(graph, links), (1500,)) > 0
    what = "With 3,000 nodes and 60,000 edges it"
    refuse({f"{what} misses links that are there.": bool((right & ~value).any())})
    refuse({f"{what} marks links that are not there.": bool((value & ~right).any())})
