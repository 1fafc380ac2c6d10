"""Checks of exercises 8.3 to 8.4."""

from typing import Any

import torch
from torch import Tensor

from gat_course.checks import inputs, reading
from gat_course.checks.question import case, question

# ---------------------------------------------------------------- 8.3


def _edge_list(value: Any, *given: Any) -> Tensor:
    return reading.edges(*reading.parts(value, ("sources", "targets")))


def _left_cases() -> list:
    def given(src: list, dst: list, kept: list, tag: str = "") -> Any:
        ends = torch.tensor(src, dtype=torch.long), torch.tensor(dst, dtype=torch.long)
        return case(*ends, torch.tensor(kept, dtype=torch.bool), tag=tag)

    src = [0, 2, 1, 6, 3, 4, 3, 5, 5, 5, 2, 4]
    dst = [2, 0, 6, 1, 4, 3, 5, 3, 5, 2, 1, 5]
    return [
        given([0], [1], [1, 1]),
        given([0], [1], [1, 0], "no edge is left"),
        given([1], [2], [0, 1, 1]),
        given([0, 2], [2, 1], [1, 0, 1]),
        given([0, 2, 2], [2, 0, 0], [1, 0, 1], "an edge occurs twice"),
        given([2, 0], [2, 1], [0, 0, 1], "a self-loop is left"),
        given([0, 3], [1, 2], [1, 0, 1, 1], "a node that stays loses all its edges"),
        given(src, dst, [0, 1, 0, 1, 1, 1, 0]),
        given(src, dst, [0, 0, 0, 0, 0, 0, 1], "no edge is left"),
        given([], [], [1, 1], "there is no edge"),
        given(src, dst, [1] * 7, "everyone stays"),
    ]


@question(
    "8.3",
    "Weights for nodes, and who stays",
    read=_edge_list,
    tolerance=0.0,
    cases=_left_cases(),
    mistakes={
        "An edge stays if both its ends do; in your answer one end is enough.": {
            "stays": "either"
        },
        "Only the source is looked at; an edge stays if both its ends do.": {
            "stays": "src"
        },
        "Only the target is looked at; an edge stays if both its ends do.": {
            "stays": "dst"
        },
        "Number the nodes anew: the kept ones are 0, 1, 2, … in their order.": {
            "new": "old"
        },
        "The new numbers start at 1; they start at 0.": {"new": "from one"},
        "Every number shrinks by all dropped nodes; only those before it count.": {
            "new": "shrunk"
        },
        "The nodes that stay keep a number even where they lose their edges.": {
            "new": "used"
        },
        "The kept nodes are numbered in the order in which edges name them; their own "
        "order counts.": {"new": "seen"},
        "Source and target are swapped.": {"turned": True},
        "An edge that occurs twice stands there once; it should stand there twice.": {
            "once": True
        },
        "Self-loops are left out; they are edges, too.": {"loops": False},
        "The mask is upside down: True marks nodes that stay.": {"stays": "not"},
        "The first edge is left in whatever happens.": {"first": True},
        "Each edge is returned in both directions.": {"both": True},
    },
)
def keep_edges(
    src: Tensor,
    dst: Tensor,
    kept: Tensor,
    *,
    stays: str = "both",
    new: str = "",
    turned: bool = False,
    once: bool = False,
    loops: bool = True,
    first: bool = False,
    both: bool = False,
) -> tuple[list[int], list[int]]:
    pairs = list(zip(src.tolist(), dst.tolist(), strict=True))
    here = [bool(k) != (stays == "not") for k in kept.tolist()]
    tests = {
        "either": lambda a, b: here[a] or here[b],
        "src": lambda a, b: here[a],
        "dst": lambda a, b: here[b],
    }
    test = tests.get(stays, lambda a, b: here[a] and here[b])
    left = [pair for pair in pairs if test(*pair)]
    left = pairs[:1] if first and not left else left
    left = list(dict.fromkeys(left)) if once else left
    left = [p for p in left if loops or p[0] != p[1]]
    left = left + [(b, a) for a, b in left] if both else left
    flat = [node for pair in left for node in pair]
    order = {
        "used": sorted(set(flat)),
        "seen": list(dict.fromkeys(flat)),
        "old": list(range(len(here))),
    }.get(new, [node for node, k in enumerate(here) if k])
    order = [-1, *order] if new == "from one" else order
    count = torch.tensor(here).cumsum(0).tolist()  # what a dropped node would get
    numbered = [
        tuple(order.index(v) if v in order else count[v] - 1 for v in pair)
        for pair in left
    ]
    if new == "shrunk":
        gone = here.count(False)
        numbered = [(a - gone, b - gone) for a, b in left]
    ends = [p[0] for p in numbered], [p[1] for p in numbered]
    return ends[::-1] if turned else ends


# ---------------------------------------------------------------- 8.4


def _auc_cases() -> list:
    def given(alpha: list, truth: list, tag: str = "") -> Any:
        marks = torch.tensor(truth, dtype=torch.bool)
        return case(torch.tensor(alpha), marks, tag=tag)

    truth = torch.arange(14) % 3 == 0
    return [
        given([0.75, 0.25], [1, 0]),
        given([0.25, 0.75], [1, 0]),
        given([0.5, 0.5], [1, 0], "weights are equal"),
        given([0.5, 0.25, 0.25], [1, 0, 0]),
        given([0.25, 0.5, 0.125, 0.125], [1, 0, 1, 0]),
        given([0.0, 0.0, 1.0], [0, 1, 0], "weights are equal"),
        given([0.4, 0.3, 0.2, 0.1], [0, 1, 1, 1]),
        case(inputs.numbers(14).sin(), truth),
        case(inputs.numbers(14).round(), truth, tag="many weights are equal"),
    ]


@question(
    "8.4",
    "Three teachers",
    tolerance=1e-6,
    cases=_auc_cases(),
    mistakes={
        "It is in percent; it should be from 0 to 1.": {"by": "percent"},
        "A tie counts one half, not nothing.": {"tie": 0.0},
        "A tie counts one half, not one.": {"tie": 1.0},
        "Ties are left out of the count; each counts one half.": {"tie": "out"},
        "The other way round: nodes that should count come first.": {"turned": True},
        "That is the share of nodes on the right side of the mean.": {"form": "mean"},
        "That is the share of nodes on the right side of one half.": {"form": "half"},
        "All pairs of nodes count; a pair is one node of each kind.": {"by": "all"},
        "It is divided by the number of nodes; pairs are counted.": {"by": "nodes"},
        "It is divided by the number of nodes that should count, not of pairs.": {
            "by": "good"
        },
        "That is a number of pairs; their share is asked for.": {"by": "one"},
        "It compares the means of the two kinds.": {"form": "means"},
        "It asks whether the best node should count.": {"form": "best"},
        "That is the weight that the right nodes get together.": {"form": "mass"},
        "It is 2 AUC − 1, Gini's coefficient.": {"by": "gini"},
        "Equal weights get ranks in the order of the nodes; a tie counts one half.": {
            "form": "ranks"
        },
        "Equal weights share one rank, and the ranks after it are too low: each gets "
        "the mean of the ranks they cover.": {"form": "dense ranks"},
        "The first of one kind meets the first of the other alone; all pairs count.": {
            "form": "matching"
        },
        "It is the share of all weight that lies on the right nodes.": {
            "form": "share"
        },
        "A node must beat all of the other kind at once; count the pairs.": {
            "form": "all"
        },
    },
)
def auc(
    alpha: Tensor,
    truth: Tensor,
    *,
    by: str = "pairs",
    tie: float | str = 0.5,
    turned: bool = False,
    form: str = "",
) -> float:
    values = alpha.double()
    good, bad = values[truth], values[~truth]
    good, bad = (bad, good) if turned else (good, bad)
    gaps = good.unsqueeze(1) - bad
    wins, equal = int((gaps > 0).sum()), int((gaps == 0).sum())
    if form == "mean":
        return float(((values > values.mean()) == truth).double().mean())
    if form == "half":
        return float(((values > 0.5) == truth).double().mean())
    if form in ("ranks", "dense ranks"):
        rank = values.argsort(stable=True).argsort() + 1.0
        if form == "dense ranks":
            rank = values.unique(return_inverse=True)[1] + 1.0
        yes, no = int(truth.sum()), int((~truth).sum())
        return float((rank[truth].sum() - yes * (yes + 1) / 2) / (yes * no))
    if form == "matching":
        pairs = list(zip(good.tolist(), bad.tolist(), strict=False))
        return sum((a > b) + 0.5 * (a == b) for a, b in pairs) / len(pairs)
    if form == "share":
        return float(good.sum() / values.sum())
    if form == "all":
        top = bad.max()
        return float(((good > top).double() + 0.5 * (good == top)).mean())
    if form == "means":
        return float(good.mean() > bad.mean())
    if form == "best":
        return float(truth[values.argmax()])
    if form == "mass":
        return float(good.sum())
    pairs = gaps.numel()
    if tie == "out":
        tie, pairs = 0.0, pairs - equal
    total = wins + float(tie) * equal
    n = len(values)
    below = {
        "percent": pairs / 100,
        "all": n * (n - 1) / 2,
        "nodes": n,
        "good": len(good),
        "one": 1,
    }.get(by, pairs)
    return 2 * total / pairs - 1 if by == "gini" else total / below
