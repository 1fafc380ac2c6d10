"""Checks of exercises 8.5 to 8.8."""

import torch
from torch import Tensor

from gat_course.checks import inputs
from gat_course.checks.question import case, question

# ---------------------------------------------------------------- 8.5


@question(
    "8.5",
    "What weak labels cannot tell",
    cases=[
        case(torch.tensor(1.0), torch.tensor([2.0])),
        case(torch.tensor(1.0), torch.tensor([2.0, 0.0])),
        case(torch.tensor(1.0), torch.tensor([2.0, 4.0])),
        case(torch.tensor(1.0), torch.tensor([0.5, 1.5, 1.0])),
        case(torch.tensor(2.0), torch.tensor([1.0, 2.0])),
        case(torch.tensor(2.0), torch.tensor([2.0, 3.25, 1.5, 2.0, 2.25])),
        case(torch.tensor(3.5), torch.tensor([2.0, 3.25, 1.5, 2.0, 2.25])),
        case(torch.tensor(-1.0), torch.tensor([1.0, 0.5, -3.0])),
        case(
            torch.tensor(2.0), torch.full((3,), 2.0), tag="no node changes the output"
        ),
    ],
    mistakes={
        "Take the size of the change, whatever its sign.": {"size": "signed"},
        "A change counts in both directions: what falls is lost in your answer.": {
            "size": "relu"
        },
        "A change counts in both directions: what rises is lost in your answer.": {
            "size": "falls"
        },
        "A small number in the denominator: the weights then sum to less than 1.": {
            "by": "more"
        },
        "The weights should sum to 1.": {"by": "one"},
        "That is a softmax of the changes; divide them by their sum.": {
            "by": "softmax"
        },
        "Divide by the sum, not by the largest.": {"by": "max"},
        "Divide by the sum, not by the number of nodes.": {"by": "mean"},
        "That squares the changes.": {"size": "square"},
        "Where no node changes the output all weights are 0; 0 / 0 is NaN.": {
            "empty": "nan"
        },
        "Where no node changes the output all weights are 0, not equal.": {
            "empty": "even"
        },
        "Changes of different sign cancel in their sum, which is 0 then though some "
        "node changes the output.": {"empty": "sum"},
        "The outputs themselves are taken, not their changes.": {"size": "output"},
        "The output for the whole graph is not used.": {"size": "absolute"},
        "The change is divided by the output for the whole graph.": {"by": "whole"},
        "A node that changes nothing gets the most: it is upside down.": {
            "size": "inverse"
        },
        "The sum of changes is divided by its absolute value: signs cancel.": {
            "by": "abs sum"
        },
    },
)
def weak_labels(
    whole: Tensor,
    without: Tensor,
    *,
    size: str = "",
    by: str = "sum",
    empty: str = "",
) -> Tensor:
    gaps = without.double() - whole.double()
    changes = {
        "": gaps.abs(),
        "signed": gaps,
        "relu": gaps.clamp(min=0),
        "falls": (-gaps).clamp(min=0),
        "square": gaps**2,
        "output": without.double(),
        "absolute": without.double().abs(),
        "inverse": gaps.abs().max() - gaps.abs(),
    }[size]
    if empty == "sum" and abs(float(gaps.sum())) < 1e-9:
        return torch.zeros_like(gaps)
    if not bool(changes.any()) and empty in ("", "sum"):
        return changes
    if size == "signed" and abs(float(changes.sum())) < 1e-9:
        raise ZeroDivisionError
    if not bool(changes.any()) and empty == "even":
        return torch.full_like(changes, 1 / len(changes))
    if by == "softmax":
        return changes.softmax(0)
    below = {
        "sum": changes.sum(),
        "more": changes.sum() + 1e-3,
        "one": torch.tensor(1.0),
        "max": changes.max(),
        "mean": torch.tensor(float(len(changes))),
        "whole": whole.double().abs(),
        "abs sum": gaps.sum().abs(),
    }[by]
    return changes / below


# ---------------------------------------------------------------- 8.6


def _chebyshev_cases() -> list:
    small = torch.tensor([[0.5, 1.0], [-1.0, 0.0]])
    x = torch.tensor([[1.0], [2.0]])
    big = (inputs.numbers(5, 5) + inputs.numbers(5, 5).t()) / 8
    return [
        case(torch.tensor([[0.5]]), torch.tensor([[2.0]]), 1),
        case(torch.tensor([[0.5]]), torch.tensor([[2.0]]), 2),
        case(torch.tensor([[0.5]]), torch.tensor([[2.0]]), 3),
        case(small, x, 1),
        case(small, x, 2),
        case(small, x, 3),
        case(small, x, 4),
        case(big, inputs.numbers(5, 2), 5),
    ]


@question(
    "8.6",
    "What can count",
    cases=_chebyshev_cases(),
    mistakes={
        "Those are powers of L; the polynomials are 2 L T_{k−1} − T_{k−2}.": {
            "twice": 1.0,
            "less": 0.0,
        },
        "T_{k−2} is to be subtracted.": {"less": 0.0},
        "T_{k−2} is added; it is to be subtracted.": {"less": -1.0},
        "The 2 is missing: T_k = 2 L T_{k−1} − T_{k−2}.": {"twice": 1.0},
        "The first matrix is T_0 X = X, and the last is T_{K−1} X; yours begin with "
        "T_1 X.": {"start": "later"},
        "T_1 X is L X, not 2 L X.": {"one": 2.0},
        "L is transposed.": {"turned": True},
        "They come in the reverse order: T_0 X first.": {"reverse": True},
        "The polynomials of L are returned without X.": {"start": "without"},
        "Products are taken number by number; L times a matrix is asked for.": {
            "entries": True
        },
        "It is T_{k−1} that is subtracted; T_{k−2} should be.": {"less": "near"},
        "There is one matrix too many: T_0 X to T_{K−1} X are K.": {"least": "more"},
        "They stand side by side for each node; the first dimension is k.": {
            "stack": 1
        },
        "That holds for symmetric L with eigenvalues from −1 to 1; any matrix is asked "
        "for.": {"start": "eigen"},
        "With K = 1 there is one matrix, X.": {"least": 2},
        "A matrix is computed into the memory of the one before the last, which is "
        "still in the list.": {"stack": "same memory"},
    },
)
def chebyshev(
    L: Tensor,
    x: Tensor,
    order: int,
    *,
    twice: float = 2.0,
    less: float | str = 1.0,
    start: str = "",
    one: float = 1.0,
    turned: bool = False,
    reverse: bool = False,
    entries: bool = False,
    least: int | str = 1,
    stack: int | str = 0,
) -> Tensor:
    matrix = L.double().t() if turned else L.double()
    x = x.double()
    if start == "without":
        x = torch.eye(len(matrix), dtype=torch.float64)

    def times(value: Tensor) -> Tensor:
        return matrix * value if entries else matrix @ value

    found = [x, one * times(x)]
    if start == "eigen":
        values, vectors = torch.linalg.eigh(matrix)
        angle = values.clamp(-1, 1).acos().unsqueeze(1)
        rows = [torch.cos(k * angle) * (vectors.t() @ x) for k in range(order)]
        return torch.stack([vectors @ row for row in rows])
    least = order + 1 if least == "more" else int(least)
    count = order + 1 if start == "later" else max(order, least)
    while len(found) < count:
        back = found[-1] if less == "near" else found[-2]
        amount = 1.0 if less == "near" else float(less)
        found.append(twice * times(found[-1]) - amount * back)
        if stack == "same memory":
            found[-3::-2] = [found[-1]] * len(found[-3::-2])
    found = found[1:count] if start == "later" else found[:count]
    dim = 0 if stack == "same memory" else int(stack)
    return torch.stack(found[::-1] if reverse else found, dim=dim)


# ---------------------------------------------------------------- 8.8


@question(
    "8.8",
    "Three teachers",
    tolerance=1e-5,
    cases=[
        case(torch.tensor([0.5, 0.5]), torch.tensor([0.5, 0.5])),
        case(torch.tensor([0.25, 0.75]), torch.tensor([0.5, 0.5])),
        case(torch.tensor([0.25, 0.25, 0.5]), torch.tensor([0.5, 0.25, 0.25])),
        case(
            torch.tensor([0.25, 0.25, 0.5]),
            torch.tensor([0.5, 0.5, 0.0]),
            tag="the truth holds a 0",
        ),
        case(inputs.numbers(5).softmax(0), inputs.numbers(5, shift=2).softmax(0)),
        case(
            torch.tensor([1.0 - 2.0**-30, 2.0**-30]),
            torch.tensor([0.5, 0.5]),
            tag="a learned weight is nearly 0",
        ),
    ],
    mistakes={
        "`F.kl_div` still gets the weights; it wants their logarithm.": {
            "log": "missing"
        },
        "The terms are still averaged over the nodes, `F.kl_div`'s default; the "
        "divergence is their sum.": {"by": "mean"},
        "Both are still wrong: the logarithm is missing, and the terms are averaged.": {
            "log": "missing",
            "by": "mean",
        },
        "Truth and learned weights are swapped: the truth is p, in front of the "
        "logarithm.": {"turned": True},
        "The logarithm of the truth is missing: that is the cross-entropy.": {
            "log": "cross"
        },
        "The logarithm is taken of a softmax of weights, which are one already.": {
            "log": "softmax"
        },
        "The sign is wrong: a divergence is never below 0.": {"sign": -1.0},
        "Where the truth is 0 the term is 0, not NaN.": {"zero": True},
        "Weights are clamped, so that a weight near 0 costs too little.": {
            "clamp": True
        },
        "Weights are divided by their sum where the truth is above 0; they stay "
        "as they "
        "are.": {"clamp": "rescaled"},
        "`log_target=True` says that the target is a logarithm; it is the input that "
        "should be one.": {"log": "target"},
    },
)
def mended_divergence(
    alpha: Tensor,
    truth: Tensor,
    *,
    log: str = "",
    by: str = "sum",
    turned: bool = False,
    sign: float = 1.0,
    zero: bool = False,
    clamp: bool | str = False,
) -> Tensor:
    p, q = truth.double(), alpha.double()
    p, q = (q, p) if turned else (p, q)
    if log == "target":
        terms = p.exp() * (p - q)
        return sign * (terms.mean() if by == "mean" else terms.sum())
    q = q / q[p > 0].sum() if clamp == "rescaled" else q
    q = q.clamp(min=1e-3) if clamp is True else q
    inner = {
        "": q.log(),
        "missing": q,
        "cross": q.log(),
        "softmax": q.log_softmax(0),
    }[log]
    own = p * p.log() if zero else torch.special.xlogy(p, p)
    own = own * 0 if log == "cross" else own
    terms = own - torch.where(p > 0, p * inner, 0.0)
    return sign * (terms.mean() if by == "mean" else terms.sum())
