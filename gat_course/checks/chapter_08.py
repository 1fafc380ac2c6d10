"""Checks of chapter 8's exercises."""

from collections.abc import Callable
from typing import Any

import torch

from gat_course.checks import answers
from gat_course.checks.answers import case, check, close, refuse, tensor


@check("8.1")
def _divergence(function: Callable) -> None:
    (scores, other) = answers.random((6,), (6,))
    some = torch.tensor([0.5, 0.0, 0.25, 0.25, 0.0, 0.0])
    for p, q, name in (
        (scores.softmax(0), other.softmax(0), "Of two distributions"),
        (some, other.softmax(0), "Where p has zeros"),
        (some, some.clamp(min=1e-3) / 1.003, "Of nearly equal ones"),
    ):
        inside = p > 0
        terms = (p[inside] * (p[inside] / q[inside]).log()).sum()
        with answers.untouched((p, q), "It writes into what it is given."):
            value = tensor(function(p, q), ())
        refuse(
            {
                "It is NaN: where p is 0 the term is 0, not 0 times minus infinity.": (
                    bool(value.isnan())
                )
            }
        )
        mistakes = {
            "The other way round: here q stands in the place of p.": (
                torch.xlogy(q, q) - torch.xlogy(q, p.clamp(min=1e-30))
            ).sum(),
            "That is the cross-entropy; p's own entropy is to be taken off.": -(
                p * q.log()
            ).sum(),
            "That is the mean of the terms, not their sum.": terms / len(p),
            "The sign is wrong: a divergence is never below 0.": -terms,
            "In bits; the course uses the natural logarithm.": terms / 0.6931472,
        }
        with case(f"{name}:"):
            close(value, terms, "the divergence", mistakes, tolerance=1e-5)


@check("8.2")
def _kept(function: Callable) -> None:
    # Powers of two: they are the same in any precision.
    alpha = torch.tensor([0.25, 0.0625, 0.125, 0.3125, 0.1875, 0.0625])
    for threshold in (0.0, 0.0625, 0.125, 0.25, 0.875):
        right = alpha > threshold
        right[alpha.argmax()] = True
        value = answers.done(function(alpha.clone(), threshold))
        value = tensor(value, (6,))
        mistakes = {
            "The node with the largest weight always stays.": (
                alpha > threshold
            ).double(),
            "A node stays if its weight is above the threshold; equal is not enough.": (
                (alpha >= threshold) | right
            ).double(),
            "True marks the nodes that stay, not those that go.": (
                (alpha < threshold).double(),
                (~right).double(),
            ),
            "It keeps the best node alone.": (alpha == alpha.max()).double(),
        }
        close(value.double(), right.double(), f"At {threshold} the mask", mistakes)


def _ordered(ends: torch.Tensor) -> torch.Tensor:
    """Edges `[2, E]` in the order of their numbers: any order is right."""
    return ends[:, (100 * ends[0] + ends[1]).argsort()]


def _ends(value: Any) -> torch.Tensor:
    src, dst = answers.parts(value, 2, "Return two tensors, src and dst.")
    src, dst = (answers.numbers(v, "node numbers").double() for v in (src, dst))
    refuse({"src and dst must be of the same length.": len(src) != len(dst)})
    return _ordered(torch.stack([src, dst]))


@check("8.3")
def _left(function: Callable) -> None:
    # Node 1 stays and loses its edges.
    src = torch.tensor([0, 2, 1, 6, 3, 4, 3, 5, 5, 5, 2, 4])
    dst = torch.tensor([2, 0, 6, 1, 4, 3, 5, 3, 5, 2, 1, 5])
    kept = torch.tensor([False, True, False, True, True, True, False])
    new = torch.tensor([-1, 0, -1, 1, 2, 3, -1])
    both, either = kept[src] & kept[dst], kept[src] | kept[dst]
    right = _ordered(torch.stack([new[src[both]], new[dst[both]]]).double())
    old = _ordered(torch.stack([src[both], dst[both]]).double())
    found = _ends(function(src.clone(), dst.clone(), kept.clone()))
    count, number = right.shape[1], found.shape[1]
    fewer = "The nodes that stay keep a number even where they lose their edges."
    refuse(
        {
            f"{number} edges are left; an edge stays if both its ends do.": (
                number == int(either.sum())
            ),
            f"It should leave {count} edges, not {number}.": number != count,
        }
    )
    refuse(
        {
            "Number the nodes anew: the kept ones are 0, 1, 2, … in their order.": (
                torch.equal(found, old)
            ),
            fewer: torch.equal(found, right - 1),
            "Source and target are swapped.": torch.equal(
                found, _ordered(right.flip(0))
            ),
        }
    )
    close(found, right, "The edges")
    none = torch.zeros(7, dtype=torch.bool)
    none[6] = True
    empty = _ends(function(src, dst, none))
    hint = "Without an edge it should return two empty tensors."
    refuse({hint: empty.shape[1] > 0})


@check("8.4")
def _auc(function: Callable) -> None:
    (alpha,) = answers.random((40,))
    truth = torch.arange(40) % 3 == 0
    for values, name in ((alpha, "Without ties"), (alpha.round(), "With ties")):
        good, bad = values[truth][:, None], values[~truth]
        more, same = (good > bad).double().mean(), (good == bad).double().mean()
        right = more + same / 2
        mistakes = {
            "In percent; it should be from 0 to 1.": 100 * right,
            "A tie counts one half, not nothing.": more,
            "A tie counts one half, not one.": more + same,
            "The other way round: nodes that should count come first.": 1 - right,
            "That is the share of nodes above the mean of all.": (
                (values > values.mean()) == truth
            )
            .double()
            .mean(),
        }
        value = function(values.clone(), truth.clone())
        close(value, right, f"{name} the AUC", mistakes, 1e-6, ".4g")


@check("8.5")
def _effects(function: Callable) -> None:
    without = torch.tensor([2.0, 3.2, 1.5, 2.0, 2.25])
    for whole, name in ((torch.tensor(2.0), "A"), (torch.tensor(3.5), "Another")):
        moved = (without - whole).abs()
        right = moved / moved.sum()
        mistakes = {
            "Take the size of the change, whatever its sign.": (without - whole)
            / (without - whole).sum(),
            "The weights should sum to 1.": moved,
            "That is a softmax of the changes; divide them by their sum.": (
                moved.softmax(0)
            ),
            "Divide by the sum, not by the largest.": moved / moved.max(),
            "That squares the changes.": moved**2 / (moved**2).sum(),
        }
        value = tensor(function(whole.clone(), without.clone()), (5,))
        close(value, right, f"{name} graph's weights", mistakes)
    value = tensor(function(torch.tensor(2.0), torch.full((3,), 2.0)), (3,))
    hint = "Where no node changes the output, all weights are 0, not NaN."
    refuse({hint: bool(value.isnan().any()) or bool(value.any())})


@check("8.6")
def _chebyshev(function: Callable) -> None:
    (matrix, x) = answers.random((5, 5), (5, 2))
    matrix = (matrix + matrix.T) / 8
    first = matrix @ x
    for order in (1, 2, 3, 5):
        right, powers, forgot = [x, first], [x, first], [x, first]
        while len(right) < order:
            right.append(2 * matrix @ right[-1] - right[-2])
            powers.append(matrix @ powers[-1])
            forgot.append(2 * matrix @ forgot[-1])
        right, powers, forgot = (
            torch.stack(v[:order]) for v in (right, powers, forgot)
        )
        value = function(matrix.clone(), x.clone(), order)
        if isinstance(value, (list, tuple)):
            value = answers.parts(value, order, f"Return {order} matrices.")
            value = torch.stack([tensor(v, (5, 2), "A matrix") for v in value])
        value = tensor(value, (order, 5, 2), f"For K = {order} the result")
        mistakes = {
            "Those are powers of L; the polynomials are 2 L T_{k-1} - T_{k-2}.": powers,
            "T_{k-2} is to be subtracted.": forgot,
        }
        hints = mistakes if order > 2 else None
        close(value, right, f"For K = {order} the list", hints)
