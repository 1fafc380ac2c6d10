"""Checks of exercises 7.1 to 7.2."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gat_course.checks import inputs, reading
from gat_course.checks.question import case, question

# ---------------------------------------------------------------- 7.1


def _yes(value: Any, *given: Any) -> Tensor:
    found = reading.numbers(value, "The answer")
    if found.dim():
        raise reading.Form(
            f"Return one answer, True or False; it has shape {list(found.shape)}."
        )
    if float(found) not in (0.0, 1.0):
        raise reading.Form(f"Return True or False, not {float(found):g}.")
    return found


def _score_cases() -> list:
    target, source = (
        inputs.numbers(5, 1),
        torch.tensor([[0.5, 2.0, -1.0, 1.0, -2.5, 3.0]]),
    )
    additive = target + source
    rotated = torch.stack([additive[0].roll(i) for i in range(4)])
    last, low = additive.clone(), additive.clone()
    last[-1, :2] = last[-1, :2].flip(0)
    two = additive[0].argsort()[:2]
    low[1, two] = low[1, two.flip(0)]
    top = torch.tensor([[4.0, 3, 2, 1], [9, 2, 3, 1], [5, 3, 2, 1]])
    grown = torch.stack([additive[0], 10 * additive[0] - 40, additive[0].exp()])
    return [
        case(torch.tensor([[1.0]])),
        case(torch.tensor([[1.0, 2.0]]), tag="there is one target"),
        case(torch.tensor([[1.0, 2.0], [4.0, 5.0]])),
        case(torch.tensor([[1.0, 2.0], [4.0, 3.0]])),
        case(torch.tensor([[2.0, 1.0], [-1.0, -5.0]])),
        case(torch.tensor([[1.0], [-2.0], [0.0]]), tag="there is one source"),
        case(grown, tag="rows have different sizes, and one order"),
        case(F.leaky_relu(3 * additive, 0.2), tag="scores went through a LeakyReLU"),
        case(additive),
        case(rotated, tag="rows are rotations of each other"),
        case(top, tag="the rows agree on the first source alone"),
        case(torch.tensor([[4.0, 3, 2, 1], [3, 4, 2, 1]])),
        case(low, tag="one target alone differs, in its last two ranks"),
        case(last, tag="only the last target differs"),
    ]


def _ranks(scores: Tensor) -> list[list[int]]:
    return [sorted(range(len(row)), key=row.__getitem__) for row in scores.tolist()]


@question(
    "7.1",
    "Static and dynamic attention",
    read=_yes,
    cases=_score_cases(),
    mistakes={
        "Only the worst-ranked source is compared; the whole ranking counts.": {
            "form": "first"
        },
        "Only the best-ranked source is compared; the whole ranking counts.": {
            "form": "last"
        },
        "Only the best and the worst source are compared; the whole ranking counts.": {
            "form": "best and worst"
        },
        "Only the first two targets are compared; all must agree.": {"form": "two"},
        "Only the first and the last target are compared; all must agree.": {
            "form": "ends"
        },
        "Only neighbouring targets are compared, and one pair that agrees is enough.": {
            "form": "any"
        },
        "One target that agrees with the first is enough in your answer; all must.": {
            "form": "some"
        },
        "Rows that correlate strongly need not rank alike.": {"form": "correlate"},
        "Rows must be sorted already to pass; any order will do, if it is the same.": {
            "form": "ascend"
        },
        "Rows that differ by more than a constant may still rank alike: compare the "
        "order, not the scores.": {"form": "differences"},
        "The scores themselves are compared; their order is asked for.": {
            "form": "equal"
        },
        "The targets are ranked within a column; rank the sources within a row.": {
            "form": "columns"
        },
        "True and False are swapped.": {"form": "not"},
        "It is True whatever comes.": {"form": "true"},
        "It is False whatever comes.": {"form": "false"},
        "Only the sources of the best three ranks are compared.": {"form": "three"},
    },
)
def same_order(scores: Tensor, *, form: str = "") -> bool:
    ranks = _ranks(scores.t() if form == "columns" else scores)
    first = ranks[0]
    if form == "differences":
        gaps = scores.double() - scores.double()[:1]
        return bool(((gaps - gaps[:, :1]).abs() < 1e-5).all())
    if form == "equal":
        return bool((scores == scores[:1]).all())
    near = [a == b for a, b in zip(ranks, ranks[1:], strict=False)]
    ways: dict[str, Callable[[], bool]] = {
        "first": lambda: all(r[-1] == first[-1] for r in ranks),
        "some": lambda: any(r == first for r in ranks[1:]),
        "correlate": lambda: (
            len(scores) == 1 or bool((torch.corrcoef(scores) > 0.8).all())
        ),
        "ascend": lambda: bool((scores[:, 1:] > scores[:, :-1]).all()),
        "last": lambda: all(r[0] == first[0] for r in ranks),
        "best and worst": lambda: all(
            (r[0], r[-1]) == (first[0], first[-1]) for r in ranks
        ),
        "two": lambda: all(r == first for r in ranks[:2]),
        "ends": lambda: ranks[-1] == first,
        "any": lambda: any(near) or not near,
        "not": lambda: any(r != first for r in ranks),
        "true": lambda: True,
        "false": lambda: False,
        "three": lambda: all(r[-3:] == first[-3:] for r in ranks),
    }
    return ways.get(form, lambda: all(r == first for r in ranks))()


# ---------------------------------------------------------------- 7.2


def _no_long_vector(function: Callable) -> str | None:
    given = inputs.numbers(2000, 4), inputs.numbers(4, 8 * 16), inputs.numbers(8, 16)
    with inputs.Work() as work:
        function(*given)
    if work.done > 10 * 2000 * 8:
        return (
            f"The numbers are right, but with 2,000 edges it computes {work.done:,} "
            "numbers: a vector of W_e's width for every edge. What of the product does "
            "not depend on the edge?"
        )
    return None


@question(
    "7.2",
    "When the edge knows",
    cases=[
        case(
            inputs.numbers(1, 1),
            inputs.numbers(1, 1, shift=1),
            inputs.numbers(1, 1, shift=2),
        ),
        case(
            inputs.numbers(1, 1),
            inputs.numbers(1, 2, shift=1),
            inputs.numbers(1, 2, shift=3),
        ),
        case(
            inputs.numbers(2, 2),
            inputs.numbers(2, 2, shift=1),
            inputs.numbers(2, 1, shift=2),
        ),
        case(inputs.numbers(5, 2), inputs.numbers(2, 3), inputs.numbers(1, 3, shift=4)),
        case(
            inputs.numbers(7, 3),
            inputs.numbers(3, 8, shift=1),
            inputs.numbers(2, 4, shift=2),
        ),
        case(
            inputs.numbers(2, 2),
            inputs.numbers(2, 4, shift=3),
            inputs.numbers(2, 2, shift=7),
        ),
        case(
            torch.zeros(0, 2),
            inputs.numbers(2, 4),
            inputs.numbers(2, 2),
            tag="there is no edge",
        ),
    ],
    limits=[_no_long_vector],
    mistakes={
        "The columns of W_e belong to head 0 first, then to head 1.": {"mixed": True},
        "That uses head 0's vector for every head.": {"vector": "first"},
        "That uses the mean of the heads' vectors for every head.": {"vector": "mean"},
        "That is the mean over the features of a head, not their sum.": {
            "reduce": "mean"
        },
        "The heads are added up; each head is asked for.": {"heads": "sum"},
        "All heads get the sum over the heads.": {"heads": "all"},
        "W_e is cut into heads by a reshape that mixes rows and columns.": {
            "heads": "view"
        },
        "Only the first head is there.": {"heads": "first"},
        "The vector a_e is left out: W_e's columns are added up.": {"vector": "ones"},
        "A LeakyReLU is left in; it comes after all parts of the score are added.": {
            "leaky": True
        },
        "The result is transposed: a row is an edge.": {"heads": "turned"},
        "The heads come in reverse order.": {"heads": "reverse"},
        "The largest feature is taken; the product with a_e adds them up.": {
            "reduce": "max"
        },
    },
)
def edge_term(
    f: Tensor,
    edge_matrix: Tensor,
    att_edge: Tensor,
    *,
    mixed: bool = False,
    vector: str = "",
    reduce: str = "sum",
    heads: str = "",
    leaky: bool = False,
) -> Tensor:
    f, matrix, a = f.double(), edge_matrix.double(), att_edge.double()
    k, width = a.shape
    long = f @ matrix
    parts = long.view(len(f), width, k).transpose(1, 2) if mixed else None
    parts = long.view(len(f), k, width) if parts is None else parts
    a = {
        "": a,
        "first": a[:1].expand_as(a),
        "mean": a.mean(0, keepdim=True).expand_as(a),
        "ones": torch.ones_like(a),
    }[vector]
    product = parts * a
    found = product.amax(-1) if reduce == "max" else product.sum(-1)
    found = found / width if reduce == "mean" else found
    found = F.leaky_relu(found, 0.2) if leaky else found
    if heads == "view":
        blocks = matrix.reshape(k, -1, width)
        return f @ (blocks * a.unsqueeze(1)).sum(2).t()
    return {
        "": found,
        "all": found.sum(1, keepdim=True).expand_as(found),
        "sum": found.sum(1),
        "first": found[:, 0],
        "turned": found.t(),
        "reverse": found.flip(1),
    }[heads]
