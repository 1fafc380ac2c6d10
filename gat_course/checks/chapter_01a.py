"""Checks of exercises 1.1 to 1.3."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gat_course.checks import by_hand, inputs, reading
from gat_course.checks.question import Holds, case, question

# ---------------------------------------------------------------- 1.1


def _value(answer: Any) -> Any:
    return answer


@question(
    "1.1",
    "(3) Normalise",
    names=("weights_of_node_4",),
    call=_value,
    cases=[case()],
    given="N(4) = {3, 4}, h_3 = (1, 1), h_4 = (0, 3); W and a as in the chapter",
    tolerance=1e-3,
    mistakes={
        "These weights leave out LeakyReLU.": {"slope": 1.0},
        "LeakyReLU's slope is 0.2; 0.01 is PyTorch's default.": {"slope": 0.01},
        "Both weigh the same: as after a ReLU, which makes both scores 0, or as in a "
        "mean. LeakyReLU keeps a fifth of what is below zero.": {"slope": 0.0},
        "The order is: first source 3, then source 4.": {"turned": True},
        "These are the scores; the weights come from their softmax.": {
            "form": "scores"
        },
        "The exponential is missing: scores are divided by their sum.": {
            "form": "ratio"
        },
        "The exponentials are not divided by their sum.": {"form": "exp"},
        "Two to the power of the score stands in the place of e.": {"form": "two"},
        "Either the first half of a met the source, or that is node 4 with two rock "
        "records: it has three now.": {"rock": 2.0},
        "The sign of the scores is wrong.": {"sign": -1.0},
        "The softmax runs over all five nodes; only 3 and 4 are neighbours.": {
            "form": "all"
        },
        "a meets z = Wᵀh, not h.": {"z": "h"},
        "z is Wᵀh, not W h: W is transposed.": {"z": "W h"},
    },
)
def weights_of_node_4(
    *,
    slope: float = 0.2,
    form: str = "softmax",
    turned: bool = False,
    rock: float = 3.0,
    sign: float = 1.0,
    z: str = "",
) -> Tensor:
    # Node 4 owns no jazz: a · [z_4 ‖ z_j] = -rock_j, that is -1 and -3.
    others = {"h": [0.0, -rock], "W h": [rock + 1.0, rock]}
    products = torch.tensor(others.get(z, [-1.0, -rock]), dtype=torch.float64)
    scores = F.leaky_relu(sign * products, slope)
    # The rock records of nodes 0 to 2 are 0, 0 and 1.
    all_five = torch.cat([torch.tensor([0.0, 0.0, -0.2]).double(), scores])
    found = {
        "softmax": scores.softmax(0),
        "scores": scores,
        "all": all_five.softmax(0)[3:],
        "ratio": scores / scores.sum(),
        "exp": scores.exp(),
        "two": (scores * math.log(2)).softmax(0),
    }[form]
    return found.flip(0) if turned else found


# ---------------------------------------------------------------- 1.2

_TWO = torch.tensor([[0.0, 1.0]])


def _weighs_masked(value: Any, scores: Tensor, mask: Tensor, tau: float) -> bool:
    found = reading.numbers(value)
    return found.shape == mask.shape and bool((found[mask == 0] > 1e-6).any())


def _wrong_sum(value: Any, scores: Tensor, mask: Tensor, tau: float) -> bool:
    sums = reading.numbers(value).sum(-1)
    return bool(((sums - 1).abs() > 1e-3).any())


def _not_finite(value: Any, *given: Any) -> bool:
    return not bool(reading.numbers(value).isfinite().all())


@question(
    "1.2",
    "Softmax: from scores to weights",
    tolerance=1e-4,
    cases=[
        case(_TWO, torch.tensor([[1, 1]]), 1.0),
        case(_TWO, torch.tensor([[1, 1]]), 2.0),
        case(torch.tensor([[1.0, 3.0]]), torch.tensor([[1, 0]]), 1.0),
        case(torch.tensor([[2.0, -1.0]]), torch.tensor([[1, 1]]), 0.5),
        case(
            torch.tensor([[3.0, 1.0, 2.0], [0.0, -2.0, 1.0]]),
            torch.tensor([[1, 0, 1], [1, 1, 1]]),
            2.0,
        ),
        case(
            torch.tensor([[3.0, 1.0, 2.0], [0.0, 500.0, 1.0]]),
            torch.tensor([[1, 0, 1], [1, 1, 1]]),
            1.0,
            tag="a score is as large as 500",
        ),
        case(
            torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 1.0]]),
            torch.tensor([[1, 0, 1], [1, 1, 1]]),
            1e-3,
            tag="τ is as small as 0.001",
        ),
        case(
            torch.tensor([[3.0, 1.0, 2.0], [0.0, 500.0, 1.0]]),
            torch.tensor([[1, 0, 1], [1, 1, 1]]),
            1e6,
            tag="τ is as large as a million",
        ),
        case(
            torch.tensor([[3.0, 900.0, 2.0], [0.0, 5.0, -1.0]]),
            torch.tensor([[1, 0, 1], [1, 1, 0]]),
            0.5,
            tag="a masked score is far above the others",
        ),
    ],
    mistakes={
        "τ plays no part: that is the softmax at τ = 1. (To subtract it changes no "
        "softmax either.)": {"heat": "none"},
        "The scores are multiplied by τ; divide by it.": {"heat": "times"},
        "The weights are divided by τ; divide the scores, before the softmax.": {
            "heat": "after"
        },
        "The scores are divided by τ squared.": {"heat": "square"},
        "The scores are divided by √τ.": {"heat": "root"},
        "The weights are taken to the power 1/τ, which is the same in exact numbers; "
        "here they underflow. Divide the scores.": {"heat": "power"},
        "Masked entries get a small weight: the number that stands for −∞ is divided "
        "by τ, and no longer small.": {"heat": "mask"},
        "That is the mask as it was given; weights are asked for.": {"form": "ones"},
        **by_hand.but(
            by_hand.SOFTMAX, {"fill": -9e15}, {"fill": -math.inf}, {"form": "ones"}
        ),
        "Masked entries get weight.": Holds(_weighs_masked),
        "The weights of a row do not sum to 1.": Holds(_wrong_sum),
        "At τ = 0.001 or with scores of 500 it overflows or underflows: subtract the "
        "largest allowed score of each row before the exponential.": Holds(_not_finite),
    },
)
def softmax_with_temperature(
    scores: Tensor, mask: Tensor, tau: float, *, heat: str = "", **softmax: Any
) -> Tensor:
    if heat == "power":
        found = by_hand.weights(scores, mask).float() ** (1 / tau)
        return (found / found.sum(1, keepdim=True)).double()
    scores = scores.double()
    heated = {
        "": scores / tau,
        "none": scores,
        "times": scores * tau,
        "square": scores / tau**2,
        "root": scores / math.sqrt(tau),
        "after": scores,
        "mask": scores.masked_fill(mask == 0, -1e4) / tau,
    }[heat]
    if heat == "mask":
        mask = torch.ones_like(mask)
    found = by_hand.weights(heated, mask, **softmax)
    return found / tau if heat == "after" else found


# ---------------------------------------------------------------- 1.3


@question(
    "1.3",
    "(4) Average",
    elsewhere={
        "mask": "Masks: who may look at whom",
        "softmax": "Softmax: from scores to weights",
        "LeakyReLU": "(2) Score",
        "halves": "(2) Score",
    },
    tolerance=1e-4,
    cases=inputs.directed(),
    mistakes={
        **by_hand.SCORE,
        **by_hand.but(by_hand.SOFTMAX, {"form": "uniform"}),
        **by_hand.LAYER,
    },
)
def gat_layer(
    x: Tensor, adjacency: Tensor, W: Tensor, a_dst: Tensor, a_src: Tensor, **twists: Any
) -> Tensor:
    return by_hand.layer(x, adjacency, W, a_dst, a_src, **twists)
