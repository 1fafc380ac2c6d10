"""Explaining a wrong answer that no known mistake explains.

Each pattern compares what came out with what should have, over all inputs, and speaks
only if it fits all of them: a factor, a sign, an activation left in, an argument that
is not looked at, inputs of one kind that alone go wrong.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gat_course.checks import reading
from gat_course.graph import GraphData

Pairs = Sequence[tuple[Tensor, Tensor]]  # what came out, what should have

CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "The sign is wrong: every number is the negative of what it should be.": lambda x: (
        -x
    ),
    "It is in percent; a share from 0 to 1 is asked for.": lambda x: 100 * x,
    "Everything is twice what it should be: something is counted twice.": lambda x: (
        2 * x
    ),
    "Everything is half of what it should be.": lambda x: x / 2,
    "The logarithm is to base 2; the natural one is asked for.": lambda x: (
        x / math.log(2)
    ),
    "The logarithm is to base 10; the natural one is asked for.": lambda x: (
        x / math.log(10)
    ),
    "It is 1 minus what it should be: the other way round.": lambda x: 1 - x,
    "It is the square of what it should be: a root is missing.": lambda x: x * x,
    "It is the square root of what it should be: one root too many.": lambda x: (
        x.sqrt()
    ),
    "It is 1 divided by what it should be: upside down.": lambda x: 1 / x,
    "It is the logarithm of what it should be.": lambda x: x.log(),
    "It is the exponential of what it should be.": lambda x: x.exp(),
    "It is the absolute value of what it should be: the sign is lost.": lambda x: (
        x.abs()
    ),
    "It is rounded; the exact number is asked for.": lambda x: x.round(),
    "It is rounded down; the exact number is asked for.": lambda x: x.floor(),
    "It is one too many, every time.": lambda x: x + 1,
    "It is one too few, every time.": lambda x: x - 1,
    "A ReLU is left in: what is below zero became zero.": lambda x: x.clamp(min=0),
    "An ELU is left in; no activation is asked for here.": lambda x: F.elu(x),
    "A LeakyReLU is left in at the end, of slope 0.2.": lambda x: F.leaky_relu(x, 0.2),
    "A LeakyReLU is left in at the end, of slope 0.01.": lambda x: F.leaky_relu(x),
    "A sigmoid is left in at the end.": torch.sigmoid,
    "A tanh is left in at the end.": torch.tanh,
    "A softmax over each row is left in at the end.": lambda x: x.softmax(-1),
    "A softmax over each column is left in at the end.": lambda x: x.softmax(0),
    "A log-softmax is left in at the end.": lambda x: x.log_softmax(-1),
    "The right numbers, but sorted; their places matter.": lambda x: (
        x.sort(dim=0).values
    ),
    "The right numbers in reverse order.": lambda x: x.flip(0),
    "The columns stand in reverse order.": lambda x: x.flip(-1),
    "Everything stands one place too late.": lambda x: x.roll(1, 0),
    "Everything stands one place too early.": lambda x: x.roll(-1, 0),
    "Rows and columns are swapped.": lambda x: x.t() if x.dim() == 2 else x,
    "Each row is divided by its sum; it should not be.": lambda x: (
        x / x.sum(-1, keepdim=True)
    ),
    "Each column is divided by its sum; it should not be.": lambda x: (
        x / x.sum(0, keepdim=True)
    ),
    "Everything is divided by the sum of all; it should not be.": lambda x: x / x.sum(),
    "Everything is divided by the largest; it should not be.": lambda x: x / x.max(),
    "It is divided by the number of rows; it should not be.": lambda x: x / len(x),
    "It is multiplied by the number of rows; it should not be.": lambda x: x * len(x),
    "These are running sums; each number alone is asked for.": lambda x: x.cumsum(0),
    "It is all zeros.": torch.zeros_like,
    "It is all ones.": torch.ones_like,
    "NaN became 0; where nothing can be said, NaN is asked for.": lambda x: (
        x.nan_to_num(0)
    ),
}


def changes(pairs: Pairs, tolerance: float) -> Iterator[str]:
    """The right numbers, changed in one way all over."""
    for hint, change in CHANGES.items():
        try:
            gives = [change(right) for _, right in pairs]
        except Exception:  # such a change is not defined for these numbers
            continue
        fits = zip(pairs, gives, strict=True)
        if not all(reading.alike(got, gave, tolerance) for (got, _), gave in fits):
            continue
        if not all(
            reading.alike(right, gave, tolerance)
            for (_, right), gave in zip(pairs, gives, strict=True)
        ):
            yield hint


def factor(pairs: Pairs, tolerance: float) -> Iterator[str]:
    """One factor, or one number added, all over."""
    if any(got.shape != right.shape for got, right in pairs):
        return
    got = torch.cat([g.flatten() for g, _ in pairs])
    right = torch.cat([r.flatten() for _, r in pairs])
    fine = got.isfinite() & right.isfinite()
    if not bool(fine.all()) or len(got) < 3:
        return
    shift = float((got - right).mean())
    if abs(shift) > 1e-3 and torch.allclose(got - right, right * 0 + shift, atol=1e-4):
        yield f"It is {abs(shift):.4g} too {'large' if shift > 0 else 'small'}, always."
    nonzero = right.abs() > 1e-6
    if int(nonzero.sum()) < 3 or bool((got[~nonzero].abs() > 1e-5).any()):
        return
    ratio = got[nonzero] / right[nonzero]
    if abs(float(ratio[0]) - 1) > 1e-3 and torch.allclose(
        ratio, ratio[0].expand_as(ratio), rtol=max(tolerance, 1e-4)
    ):
        yield f"Everything is {float(ratio[0]):.4g} times what it should be."


def shapes(pairs: Pairs, tolerance: float) -> Iterator[str]:
    """A result of another shape."""
    if all(got.shape == right.shape for got, right in pairs):
        return

    def all_are(change: Callable[[Tensor], Tensor]) -> bool:
        try:
            return all(reading.alike(g, change(r), tolerance) for g, r in pairs)
        except Exception:
            return False

    if all_are(lambda x: x.t()):
        yield "Rows and columns are swapped."
    for dim, what in ((0, "rows"), (1, "columns"), (-1, "last dimension")):
        for how in ("sum", "mean", "amax"):
            if all_are(lambda x, d=dim, h=how: getattr(x, h)(d)):
                word = {"sum": "added up", "mean": "averaged", "amax": "the largest"}
                yield f"The {what} are {word[how]}; each is asked for by itself."
        if all_are(lambda x, d=dim: x.select(d, 0)):
            yield f"Only the first of the {what} is there."
    if all_are(lambda x: x.mean()) or all_are(lambda x: x.sum()):
        yield "All is made into one number; one for each row is asked for."
    if all(g.squeeze().shape == r.squeeze().shape for g, r in pairs):
        if all(reading.alike(g.squeeze(), r.squeeze(), tolerance) for g, r in pairs):
            yield "The numbers are right, but there is a dimension of size 1 too many."
    short = [g.dim() == r.dim() > 0 and len(g) < len(r) for g, r in pairs]
    if any(short) and all(
        reading.alike(g, r[: len(g)], tolerance) for g, r in pairs if g.dim()
    ):
        yield (
            "The last rows are missing: all are asked for, also those that nothing "
            "names (`minlength`, a number of rows that is given)."
        )
    if all(reading.alike(g.sum(), r, tolerance) for g, r in pairs):
        yield "Add them up: one number is asked for, their sum."
    if all(reading.alike(g.double().mean(), r, tolerance) for g, r in pairs):
        yield "Take their mean: one number is asked for."


def places(pairs: Pairs, tolerance: float) -> Iterator[str]:
    """The right numbers at the wrong places, or wrong at places of one kind."""
    wrong = [(g, r) for g, r in pairs if not reading.alike(g, r, tolerance)]
    if any(g.shape != r.shape or not r.numel() for g, r in wrong):
        return
    if all(r.numel() > 1 for _, r in wrong) and all(
        reading.alike(g.flatten().sort()[0], r.flatten().sort()[0], tolerance)
        for g, r in wrong
    ):
        yield "These are the right numbers, at the wrong places."
    large = [(g, r) for g, r in wrong if r.dim() and len(r) > 1]
    if len(large) < len(wrong) or not wrong:
        return
    off = [((g - r).abs() > 1e-4 + 1e-4 * r.abs()) | (g != g) for g, r in wrong]
    rows = [o.flatten(1).any(1) if o.dim() > 1 else o for o in off]
    there = list(zip(rows, wrong, strict=True))
    if all(bool((g[o] == 0).all()) and bool((r[o] != 0).any()) for o, (g, r) in there):
        last = all(not bool((~o[o.long().argmax() :]).any()) for o, _ in there)
        where = "The last rows" if last else "Some rows"
        yield f"{where} are zeros in your answer, and should not be; the rest is right."
    if all(
        bool((r[o] == 0).all()) and bool((g[o] == g[o]).all()) for o, (g, r) in there
    ):
        yield "Some rows should be zeros, and hold numbers; the rest is right."
    if all(bool(o[-1]) and not bool(o[:-1].any()) for o in rows):
        yield "Only the last entry is wrong."
    elif all(bool(o[0]) and not bool(o[1:].any()) for o in rows):
        yield "Only the first entry is wrong."
    square = all(o.dim() == 2 and o.shape[0] == o.shape[1] > 1 for o in off)
    if square and all(not bool((o & ~torch.eye(len(o)).bool()).any()) for o in off):
        yield "Only the diagonal is wrong: where a node meets itself."
    if all(o.dim() == 2 and o.shape[1] > 1 for o in off):
        if all(not bool(o[:, 0].any()) and bool(o[:, 1:].all()) for o in off):
            yield "Only the first column is right: the others need their own numbers."


def kinds(name: str, arg: Any) -> Iterator[str]:
    """What an argument is an example of, to say which inputs go wrong."""
    graph = getattr(arg, "graph", arg)
    if isinstance(graph, GraphData):
        yield from _graphs(graph)
    elif isinstance(arg, Tensor):
        yield from _tensors(name, arg)
    elif isinstance(arg, (list, tuple)):
        if not arg:
            yield f"{name} is empty"
        elif len(arg) == 1:
            yield f"{name} has one entry"
        elif len(arg) > 2:
            yield f"{name} has more than two entries"
        if all(isinstance(v, (int, float)) for v in arg) and list(arg) != sorted(arg):
            yield f"{name} is not sorted"
    elif isinstance(arg, (int, float)) and not isinstance(arg, bool):
        if arg in (0, 1):
            yield f"{name} = {arg}"
        for bound in (0, 1, 2):
            if arg > bound:
                yield f"{name} is above {bound}"


def _graphs(graph: GraphData) -> Iterator[str]:
    pairs = list(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))
    if not pairs:
        yield "the graph has no edge"
        return
    if len(set(pairs)) < len(pairs):
        yield "an edge occurs twice"
    if graph.edge_weight is not None:
        yield "edges have weights"
    if bool((graph.in_degrees == 0).any()):
        yield "a node has no edge into it"
    if any(a == b for a, b in pairs):
        yield "a node has a self-loop"
    if {(b, a) for a, b in pairs} != set(pairs):
        yield "an edge runs one way only"
    if len(graph.in_degrees.unique()) > 1:
        yield "the nodes' degrees differ"


def _tensors(name: str, values: Tensor) -> Iterator[str]:
    if not values.numel():
        yield f"{name} is empty"
        return
    numbers = values.double()
    if values.is_floating_point():
        if bool((numbers < 0).any()):
            yield f"{name} holds a number below 0"
        if bool((numbers.abs() > 80).any()):
            yield f"{name} holds numbers as large as {float(numbers.abs().max()):g}"
    if values.dim() == 2 and values.shape[0] == values.shape[1] == 1:
        yield f"{name} is one number"
    if values.dim() == 2 and bool((numbers == 0).all(1).any()):
        yield f"{name} has a row of zeros"
    if values.is_floating_point() and bool((numbers == 0).any()):
        yield f"{name} holds a 0"
    if values.dim() == 1 and len(numbers.unique()) < len(numbers):
        yield f"{name} holds equal numbers"
