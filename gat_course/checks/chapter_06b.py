"""Checks of exercises 6.3."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gat_course.checks import reading
from gat_course.checks.question import Holds, case, question

# ---------------------------------------------------------------- 6.3

READY = {
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "softplus",
    "logsigmoid",
    "log_sigmoid",
    "cross_entropy",
    "nll_loss",
    "soft_margin_loss",
    "multilabel_soft_margin_loss",
}


class _Ready(TorchFunctionMode):
    """Notes whether a ready-made loss is called."""

    def __init__(self) -> None:
        super().__init__()
        self.found = ""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in READY:
            self.found = name
        return func(*args, **(kwargs or {}))


def _own_work(function: Callable) -> str | None:
    with _Ready() as ready:
        function(torch.zeros(2, 2, requires_grad=True), torch.ones(2, 2))
    if ready.found:
        return (
            f"The numbers are right, but `{ready.found}` is a ready-made one; write it "
            "with exp, log1p, abs and the like."
        )
    return None


def _loss_cases() -> list:
    found = [
        case(torch.tensor([[1.0]]), torch.tensor([[1.0]])),
        case(torch.tensor([[1.0]]), torch.tensor([[0.0]])),
        case(torch.tensor([[-2.0, 1.0]]), torch.tensor([[1.0, 0.0]])),
        case(
            torch.tensor([[-2.0, 1.0], [0.5, 3.0], [-1.0, 0.25]]),
            torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]),
        ),
    ]
    for logit in (30.0, -30.0, 200.0, -200.0, 1e4, -1e4):
        for label in (0.0, 1.0):
            s, y = torch.tensor([[logit]]), torch.tensor([[label]])
            found.append(case(s, y, tag="a logit is far from 0"))
    mixed = torch.tensor([[1e4, -1e4, 2.0], [1e4, -1e4, -1.0]])
    found.append(case(mixed, torch.tensor([[0.0, 0, 1], [1, 1, 0]])))
    exact = torch.tensor([[0.1, -0.3]], dtype=torch.float64)
    found.append(case(exact, torch.tensor([[1.0, 0.0]], dtype=torch.float64)))
    return found


def _by_hand(p: Tensor, y: Tensor) -> Tensor:
    return -(y * p.log() + (1 - y) * (1 - p).log())


def _stops(value: Any, logits: Tensor, labels: Tensor) -> bool:
    s, y = logits.double(), labels.double()
    right = (y * F.softplus(-s) + (1 - y) * F.softplus(s)).mean()
    far = float(s.abs().max()) > 20
    loss, gradient = (reading.numbers(value[n]) for n in ("loss", "gradient"))
    return far and (bool(loss < right - 1e-3) or bool((gradient == 0).any()))


@question(
    "6.3",
    "A loss for each label",
    call=reading.loss_and_gradient,
    read=reading.named,
    cases=_loss_cases(),
    limits=[_own_work],
    mistakes={
        "This is the sum over all entries, not their mean.": {"reduce": "sum"},
        "This sums over the labels; the mean is over all entries.": {
            "reduce": "labels"
        },
        "This sums over the nodes; the mean is over all entries.": {"reduce": "nodes"},
        "A label of 1 and a label of 0 are swapped.": {"swapped": True},
        "The sign is wrong: a loss is positive.": {"sign": -1.0},
        "The sigmoid rounds to 0 or 1 far from 0, and its logarithm is infinite: start "
        "from the logit.": {"form": "sigmoid"},
        "The sigmoid is clamped, so that the loss stops growing and its gradient "
        "vanishes: start from the logit.": {"form": "clamped"},
        "The exponential of a large logit overflows: use exp(−|s|).": {"form": "exp"},
        "The exponential of a large logit overflows in the branch that is not taken, "
        "too, and its gradient is NaN.": {"form": "where"},
        "A small number inside the logarithm hides that it is infinite; far from 0 the "
        "loss stops growing: start from the logit.": {"form": "epsilon"},
        "The term max(s, 0) is missing: log1p(exp(−|s|)) alone is symmetric in s.": {
            "form": "no clamp"
        },
        "The loss is right, but max(s, 0) is detached: its gradient is missing.": {
            "form": "detached"
        },
        "exp(−s) overflows where s is far below 0: take exp(−|s|).": {"form": "no abs"},
        "Logits are clamped, so that the gradient vanishes beyond.": {"form": "cut"},
        "Only the labels of 1 count; those of 0 do, too.": {"form": "ones"},
        "Only the labels of 0 count; those of 1 do, too.": {"form": "zeros"},
        "The logarithm has base 2; the natural one is asked for.": {"sign": 1.442695},
        "It is the squared error of the probability.": {"form": "square"},
        "Far from 0 the loss stops growing, or its gradient is zero: something is "
        "clamped. Start from the logit.": Holds(_stops),
    },
)
def loss_from_logits(
    logits: Tensor,
    labels: Tensor,
    *,
    reduce: str = "mean",
    swapped: bool = False,
    sign: float = 1.0,
    form: str = "",
) -> dict[str, Tensor]:
    narrow = form in ("sigmoid", "clamped", "exp", "where", "epsilon", "no abs")
    given = logits.detach().to(logits.dtype if narrow else torch.float64)
    given.requires_grad_()
    y = labels.to(given.dtype)
    y = 1 - y if swapped else y
    s = given.clamp(-50, 50) if form == "cut" else given
    soft, p = F.softplus, s.sigmoid()
    each = {
        "sigmoid": lambda: _by_hand(p, y),
        "clamped": lambda: _by_hand(p.clamp(1e-7, 1 - 1e-7), y),
        "epsilon": lambda: -(y * (p + 1e-7).log() + (1 - y) * (1 - p + 1e-7).log()),
        "no abs": lambda: s.clamp(min=0) - s * y + torch.log1p((-s).exp()),
        "detached": lambda: (
            s.clamp(min=0).detach() - s * y + torch.log1p((-s.abs()).exp())
        ),
        "no clamp": lambda: torch.log1p((-s.abs()).exp()) - s * y,
        "exp": lambda: (1 + s.exp()).log() - s * y,
        "where": lambda: (
            torch.where(s > 0, s + (1 + (-s).exp()).log(), (1 + s.exp()).log()) - s * y
        ),
        "ones": lambda: y * soft(-s),
        "zeros": lambda: (1 - y) * soft(s),
        "square": lambda: (p - y) ** 2,
    }.get(form, lambda: y * soft(-s) + (1 - y) * soft(s))()
    loss = {
        "mean": each.mean(),
        "sum": each.sum(),
        "labels": each.sum(1).mean(),
        "nodes": each.sum(0).mean(),
    }[reduce]
    gradient = torch.autograd.grad(sign * loss, given)[0]
    return {"loss": sign * loss.detach(), "gradient": gradient}
