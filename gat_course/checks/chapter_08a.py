"""Checks of exercises 8.1 to 8.2."""

import math
from typing import Any

import torch
from torch import Tensor

from gat_course.checks import inputs, reading
from gat_course.checks.question import case, question

# ---------------------------------------------------------------- 8.1


def _pairs() -> list:
    def given(p: list, q: list, tag: str = "") -> Any:
        return case(torch.tensor(p), torch.tensor(q), tag=tag)

    soft = inputs.numbers(6).softmax(0), inputs.numbers(6, shift=3).softmax(0)
    return [
        given([1.0], [1.0]),
        given([0.5, 0.5], [0.5, 0.5]),
        given([0.75, 0.25], [0.5, 0.5]),
        given([0.5, 0.25, 0.25], [0.25, 0.25, 0.5]),
        given([1.0, 0.0], [0.5, 0.5], "p holds a 0"),
        given([0.5, 0.0, 0.25, 0.25], [0.125, 0.5, 0.25, 0.125], "p holds a 0"),
        case(*soft),
        given([0.5, 0.5], [1.0 - 2.0**-20, 2.0**-20], "q is nearly 0 somewhere"),
    ]


@question(
    "8.1",
    "Three teachers",
    tolerance=1e-5,
    cases=_pairs(),
    mistakes={
        "Where p is 0 the term is 0, not 0 times minus infinity, which is NaN.": {
            "zero": "nan"
        },
        "The other way round: here q stands in the place of p.": {"form": "turned"},
        "That is the cross-entropy; p's own entropy is to be taken off.": {
            "form": "cross"
        },
        "That is the entropy of p; q plays no part.": {"form": "entropy"},
        "That is the mean of the terms, not their sum.": {"by": "mean"},
        "The sign is wrong: a divergence is never below 0.": {"sign": -1.0},
        "In bits; the course uses the natural logarithm.": {"base": 2.0},
        "The logarithm has base 10; the natural one is asked for.": {"base": 10.0},
        "p in front is missing: each term is weighted by p.": {"form": "plain"},
        "The terms are weighted by q; by p they should be.": {"form": "by q"},
        "Absolute values are added up; terms may be below 0.": {"form": "abs"},
        "It is the symmetric mean of both directions.": {"form": "both"},
        "p and q are distributions already; yours go through a softmax first.": {
            "form": "softmax"
        },
        "q is divided by its sum where p is above 0; q stays as it is.": {
            "form": "renormalised"
        },
        "It is the mean squared difference.": {"form": "square"},
        "It is the total variation, half of the absolute differences.": {
            "form": "variation"
        },
    },
)
def divergence(
    p: Tensor,
    q: Tensor,
    *,
    zero: str = "",
    form: str = "",
    by: str = "sum",
    sign: float = 1.0,
    base: float = math.e,
) -> Tensor:
    p, q = p.double(), q.double()
    if form == "softmax":
        p, q = p.softmax(0), q.softmax(0)
    elif form == "renormalised":
        q = q / q[p > 0].sum()
    elif form == "turned" and not zero:
        p = p.clamp(min=1e-12)
    log = p.log() - q.log()

    def weighted(w: Tensor, values: Tensor) -> Tensor:
        return w * values if zero else torch.where(w > 0, w * values, 0.0)

    terms = {
        "turned": lambda: weighted(q, -log),
        "cross": lambda: -weighted(p, q.log()),
        "entropy": lambda: -weighted(p, p.log()),
        "plain": lambda: log,
        "by q": lambda: weighted(q, log),
        "abs": lambda: weighted(p, log).abs(),
        "both": lambda: (weighted(p, log) + weighted(q, -log)) / 2,
        "square": lambda: (p - q) ** 2 / len(p),
        "variation": lambda: (p - q).abs() / 2,
    }.get(form, lambda: weighted(p, log))()
    found = terms.mean() if by == "mean" else terms.sum()
    return sign * found / math.log(base)


# ---------------------------------------------------------------- 8.2


def _keep_cases() -> list:
    alpha = torch.tensor([0.25, 0.0625, 0.125, 0.3125, 0.1875, 0.0625])
    small = torch.tensor([0.75, 0.25])
    ties = "a weight equals the threshold"
    return [
        case(torch.tensor([1.0]), 0.5),
        case(small, 0.5),
        case(small.flip(0), 0.1),
        case(small, 0.25, tag=ties),
        case(small, 0.8, tag="no weight is above the threshold"),
        case(small, 0.75, tag=ties),
        case(alpha, 0.0),
        case(alpha, 0.0625, tag=ties),
        case(alpha, 0.125, tag=ties),
        case(alpha, 0.2),
        case(alpha, 0.875, tag="no weight is above the threshold"),
    ]


@question(
    "8.2",
    "Weights for nodes, and who stays",
    read=reading.truths(),
    cases=_keep_cases(),
    mistakes={
        "The node with the largest weight always stays.": {"best": False},
        "A node stays if its weight is above the threshold; equal is not enough.": {
            "equal": True
        },
        "True marks the nodes that stay, not those that go.": {"form": "not"},
        "Nodes below the threshold are kept.": {"form": "below"},
        "It keeps the best node alone.": {"form": "best"},
        "It keeps the first node always; the best one should stay.": {"form": "first"},
        "It keeps the last node always; the best one should stay.": {"form": "last"},
        "It keeps the worst node always; the best one should stay.": {"form": "worst"},
        "Where no node is above the threshold all are kept; the best one alone "
        "stays.": {"form": "all"},
        "The threshold is a share of the largest weight in your answer; it is a "
        "weight.": {"form": "relative"},
        "Weights are compared with their mean; with the threshold they should be.": {
            "form": "mean"
        },
        "The threshold is the share of nodes that stay in your answer; it is a "
        "weight.": {"form": "share"},
        "The weights go through a softmax again; they are weights already.": {
            "form": "softmax"
        },
        "Everyone stays.": {"form": "everyone"},
        "Node numbers are returned; True and False are asked for.": {"form": "numbers"},
    },
)
def keep(
    alpha: Tensor,
    threshold: float,
    *,
    best: bool = True,
    equal: bool = False,
    form: str = "",
) -> Tensor:
    values = alpha.double()
    above = values >= threshold if equal else values > threshold
    right = above.clone()
    if best:
        right[values.argmax()] = True
    n = torch.arange(len(values))
    ways = {
        "not": lambda: ~right,
        "below": lambda: values < threshold,
        "best": lambda: n == values.argmax(),
        "first": lambda: above | (n == 0),
        "last": lambda: above | (n == len(n) - 1),
        "worst": lambda: above | (n == values.argmin()),
        "all": lambda: above if bool(above.any()) else torch.ones_like(above),
        "relative": lambda: (values > threshold * values.max()) | right,
        "mean": lambda: (values > values.mean()) | (n == values.argmax()),
        "share": lambda: (
            (-values).argsort(stable=True).argsort()
            < max(1, math.ceil(threshold * len(values)))
        ),
        "softmax": lambda: (values.softmax(0) > threshold) | (n == values.argmax()),
        "everyone": lambda: torch.ones_like(above),
        "numbers": lambda: right.nonzero()[:, 0],
    }
    return ways.get(form, lambda: right)()
