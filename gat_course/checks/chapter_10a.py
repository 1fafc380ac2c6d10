"""Checks of exercises 10.1 to 10.3."""

import math
from itertools import combinations, combinations_with_replacement, product
from typing import Any

import torch
from torch import Tensor

from gat_course.checks import inputs, reading
from gat_course.checks.question import case, question

# ---------------------------------------------------------------- 10.1


@question(
    "10.1",
    "See only some neighbours",
    tolerance=0.0,
    cases=[
        case(1, [1]),
        case(1, [25]),
        case(2, [3]),
        case(1, [2, 3]),
        case(3, [2, 5, 4]),
        case(7, [0, 3], tag="a fan-out is 0"),
        case(2, [1, 1, 1, 1]),
        case(512, [10, 10]),
        case(4, [], tag="there is no layer"),
    ],
    mistakes={
        "The targets of each layer are among the nodes that are read, beside their "
        "draws.": {"form": "product"},
        "Each layer draws for all nodes of the layer after it, not for the targets "
        "alone.": {"form": "sum"},
        "The targets of a layer are nodes of the layer before, so they draw there "
        "again.": {"form": "tree"},
        "That is one target; there are `batch` of them.": {"one": True},
        "These are the drawn nodes; the targets are read too.": {"form": "drawn"},
        "The targets are counted twice.": {"form": "twice"},
        "Only the first layer's fan-out is used.": {"form": "first"},
        "Only the last layer's fan-out is used.": {"form": "last"},
        "The fan-outs are added up; each multiplies.": {"form": "added"},
        "All layers' nodes are added up; the first layer's inputs are what is read.": {
            "form": "all layers"
        },
        "All layers' inputs are added up; the first layer's are what is read.": {
            "form": "all inputs"
        },
        "The targets are added once, at the end; each layer reads its own.": {
            "form": "targets once"
        },
        "All layers get the first layer's fan-out.": {"form": "same"},
        "The first of the fan-outs is left out.": {"form": "but first"},
        "The largest fan-out is used for all layers.": {"form": "max"},
    },
)
def nodes_read(
    batch: int, fanouts: list[int], *, form: str = "", one: bool = False
) -> float:
    b = 1 if one else batch
    if form in ("first", "last", "same") and not fanouts:
        raise IndexError
    product = math.prod(fanouts)
    all_of = b * math.prod(1 + f for f in fanouts)
    if form == "tree":
        total, level = b, b
        for fanout in fanouts[::-1]:
            level *= fanout
            total += level
        return total
    if form in ("all layers", "all inputs"):
        total, level = b if form == "all layers" else 0, b
        for fanout in fanouts[::-1]:
            level *= 1 + fanout
            total += level
        return total
    return {
        "": all_of,
        "product": b * product,
        "sum": b + b * sum(fanouts),
        "drawn": all_of - b,
        "twice": all_of + b,
        "targets once": b + b * product,
        "same": b * (1 + fanouts[0]) ** len(fanouts) if fanouts else -1,
        "first": b * (1 + fanouts[0]) if fanouts else -1,
        "last": b * (1 + fanouts[-1]) if fanouts else -1,
        "added": b * (sum(fanouts) + (not fanouts)),
        "but first": b * math.prod(1 + f for f in fanouts[1:]),
        "max": b * (1 + max(fanouts, default=0)) ** len(fanouts),
    }[form]


# ---------------------------------------------------------------- 10.2


def _key_cases() -> list:
    def given(dst: list, key: list, n: int, fanout: int, tag: str = "") -> Any:
        ends = torch.tensor(dst, dtype=torch.long)
        return case(ends, torch.tensor(key) / 100, n, fanout, tag=tag)

    dst = [4, 0, 2, 0, 0, 2, 0, 4, 4, 4, 0, 6]
    key = [5.0, 90, 40, 20, 70, 30, 10, 80, 60, 95, 50, 15]
    return [
        given([0, 0], [75.0, 25], 1, 1),
        given([0, 0], [25.0, 75], 1, 2),
        given([0, 1, 0], [50.0, 75, 25], 2, 1),
        given([0, 1, 1], [50.0, 10, 20], 2, 1),
        given([1, 0, 1, 0], [40.0, 30, 20, 10], 3, 1),
        given([0, 0, 0], [75.0, 50, 25], 1, 2),
        given([0, 0], [75.0, 25], 1, 0, "the fan-out is 0"),
        given(dst, key, 7, 2),
        given(dst, key, 7, 1),
        given(dst, key, 7, 4),
        given(dst, key, 7, 9),
        given([], [], 2, 3, "there is no edge"),
        given([0, 1, 0, 1, 0], [2000.0, 500, 30, 900, 700], 2, 2, "keys exceed 1"),
    ]


@question(
    "10.2",
    "2. A draw",
    read=reading.truths(),
    cases=_key_cases(),
    mistakes={
        "These are the largest keys of each target, not the smallest.": {
            "order": "largest"
        },
        "These are the first edges of each target, whatever their keys.": {
            "order": "first"
        },
        "These are the last edges of each target, whatever their keys.": {
            "order": "last"
        },
        "The smallest keys are taken over all edges; each target has a draw of its "
        "own.": {"over": "all"},
        "One edge too few of each target: is it < or <=?": {"more": -1},
        "One edge too many of each target: is it < or <=?": {"more": 1},
        "A target with fewer edges than the fan-out keeps all of them; yours loses "
        "them.": {"few": "none"},
        "A target that has more edges than the fan-out loses them all.": {
            "few": "only"
        },
        "It marks the edges that are dropped.": {"form": "not"},
        "The edges are numbered in sorted order; their own order is asked for.": {
            "form": "sorted"
        },
        "Edge numbers are returned; True and False are asked for.": {"form": "numbers"},
        "The edges of a target need not stand side by side: dst comes in any order.": {
            "form": "slices"
        },
        "Keys below a bar are kept; a number of edges is asked for.": {"form": "bar"},
        "Every edge is kept.": {"form": "all"},
        "The num_nodes · fanout smallest keys of the whole graph are kept; each target "
        "has a draw of its own.": {"form": "budget"},
        "It keeps one edge of each target, whatever the fan-out.": {"form": "one"},
    },
)
def keep_smallest(
    dst: Tensor,
    key: Tensor,
    num_nodes: int,
    fanout: int,
    *,
    order: str = "smallest",
    over: str = "target",
    more: int = 0,
    few: str = "",
    form: str = "",
) -> Tensor:
    ends = (dst * 0 if over == "all" else dst).tolist()
    number = 1 if form == "one" else fanout + more
    kept = torch.zeros(len(ends), dtype=torch.bool)
    for node in range(num_nodes):
        own = [e for e, end in enumerate(ends) if end == node]
        if order in ("smallest", "largest"):
            own.sort(key=lambda e: float(key[e]), reverse=order == "largest")
        elif order == "last":
            own = own[::-1]
        if few == "none" and len(own) < fanout or few == "only" and len(own) > fanout:
            continue
        kept[own[: max(number, 0)]] = True
    if form == "not":
        return ~kept
    if form == "sorted":
        order = key.argsort()
        order = order[dst[order].argsort(stable=True)]
        return kept[order]
    if form == "numbers":
        return kept.nonzero()[:, 0]
    if form == "budget":
        kept = torch.zeros(len(ends), dtype=torch.bool)
        kept[key.argsort()[: num_nodes * fanout]] = True
        return kept
    if form == "slices":
        parts = key.split(torch.bincount(dst, minlength=num_nodes).tolist())
        ranks = [part.argsort().argsort() < fanout for part in parts]
        return torch.cat([*ranks, kept[:0]])
    if form == "bar":
        return key < 0.5
    return torch.ones_like(kept) if form == "all" else kept


# ---------------------------------------------------------------- 10.3


@question(
    "10.3",
    "2. A draw",
    tolerance=1e-5,
    cases=[
        case(torch.tensor([0.0]), torch.tensor([2.0]), 1),
        case(torch.tensor([0.0, 1.0]), torch.tensor([2.0, -1.0]), 1),
        case(torch.tensor([0.0, 1.0]), torch.tensor([2.0, -1.0]), 2),
        case(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([3.0, 0.0, -1.0]), 2),
        case(inputs.numbers(5), inputs.numbers(5, shift=2), 2),
        case(inputs.numbers(5), inputs.numbers(5, shift=2), 3),
        case(inputs.numbers(6) * 2, inputs.numbers(6, shift=4), 6),
        case(
            100 * inputs.numbers(5),
            inputs.numbers(5, shift=2),
            3,
            tag="scores are large",
        ),
        case(
            torch.tensor([0.0, 1.0, 0.0, 0.5]),
            torch.tensor([2.0, -1.0, 2.0, 5.0]),
            2,
            tag="two neighbours have the same score and value",
        ),
    ],
    mistakes={
        "The weights of a draw sum to 1: its softmax goes over the drawn ones alone.": {
            "weights": "whole"
        },
        "That is the mean over all neighbours. On average over the draws a sample "
        "gives something else.": {"draws": "all"},
        "That is the mean of the drawn values, without their weights.": {
            "weights": "equal"
        },
        "That is the sum over the draws, not their mean.": {"by": "sum"},
        "The same neighbour is drawn twice in your draws; no draw has one twice.": {
            "draws": "replaced"
        },
        "Two draws that look alike are two; yours are merged.": {"draws": "merged"},
        "The best k are drawn always; every choice is equally likely.": {
            "draws": "best"
        },
        "Neighbours are drawn one after the other and put back; no draw has one "
        "twice.": {"draws": "product"},
        "Draws with high scores are likelier in your answer; all are equally likely.": {
            "by": "scores"
        },
        "Only neighbours that stand side by side are drawn together.": {
            "draws": "windows"
        },
        "The first k are drawn always; every choice is equally likely.": {
            "draws": "first"
        },
        "Scores are averaged over the draws before the softmax.": {"weights": "scores"},
        "Draws of k − 1 neighbours are taken.": {"more": -1},
        "It is divided by the number of neighbours; by the number of draws it should "
        "be.": {"by": "n"},
        "Nothing is subtracted before the exponential: large scores overflow.": {
            "weights": "naive"
        },
        "The values are not weighted: only the scores are used.": {"weigh": False},
    },
)
def expected_mean(
    scores: Tensor,
    values: Tensor,
    k: int,
    *,
    weights: str = "",
    draws: str = "",
    by: str = "mean",
    more: int = 0,
    weigh: bool = True,
) -> Tensor:
    s, v = scores.double(), values.double()
    v = v if weigh else torch.ones_like(v)
    n, size = len(s), max(k + more, 1)
    order = s.argsort(descending=True).tolist()
    chosen = {
        "all": [tuple(range(n))],
        "best": [tuple(order[:k])],
        "first": [tuple(range(k))],
        "product": list(product(range(n), repeat=k)) if n**k < 5000 else [],
        "windows": [tuple(range(i, i + k)) for i in range(n - k + 1)],
        "replaced": list(combinations_with_replacement(range(n), k)),
    }.get(draws, list(combinations(range(n), size)))
    whole = s.softmax(0)
    if draws == "merged":
        pairs = list(zip(s.tolist(), v.tolist(), strict=True))
        like = {tuple(sorted(pairs[i] for i in own)): own for own in chosen}
        chosen = list(like.values())
    found = []
    for own in map(list, chosen):
        alpha = {
            "whole": whole[own],
            "equal": torch.full((len(own),), 1 / len(own)).double(),
            "scores": s[own],
            "naive": s[own].float().exp().double(),
        }.get(weights, s[own].softmax(0))
        alpha = alpha / alpha.sum() if weights == "naive" else alpha
        found.append(alpha @ v[own])
    means = torch.stack(found)
    if by == "scores":
        return torch.stack([s[list(own)].sum() for own in chosen]).softmax(0) @ means
    return {"mean": means.mean(), "sum": means.sum(), "n": means.sum() / n}[by]
