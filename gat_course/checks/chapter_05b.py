"""Checks of exercises 5.4 to 5.7."""

import itertools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from gat_course.checks import by_hand, reading
from gat_course.checks.question import case, question
from gat_course.graph import GraphData

# ---------------------------------------------------------------- 5.4


# Nodes, sources, targets, labels, training nodes, steps.
_ROWS = (
    (2, [0], [1], [1, 0], [0], 1),
    (3, [0, 1], [1, 2], [1, 0, 0], [0], 2),
    (3, [0, 1, 0, 0, 0, 0, 2], [0, 0, 0, 0, 0, 2, 2], [2, 1, 2], [1], 2),
    (4, [3, 2, 0, 1, 3, 1, 1], [0, 0, 1, 1, 2, 3, 3], [1, 2, 2, 2], [0, 2], 2),
    (
        5,
        [3, 4, 0, 1, 1, 1, 0, 1],
        [0, 1, 3, 3, 3, 4, 4, 4],
        [0, 0, 2, 1, 2],
        [0, 2, 4],
        2,
    ),
    (
        5,
        [2, 1, 2, 4, 2, 3, 3, 2, 1, 4, 2, 3],
        [0, 0, 0, 1, 2, 2, 2, 2, 3, 3, 4, 4],
        [0, 2, 1, 1, 0],
        [1, 3],
        1,
    ),
    (
        5,
        [3, 0, 3, 1, 3, 2, 0, 4],
        [0, 0, 1, 2, 2, 3, 3, 3],
        [2, 2, 2, 0, 1],
        [1, 4],
        50,
    ),
    (
        6,
        [5, 3, 1, 4, 4, 3, 1, 0, 0, 5, 2, 2, 1, 3],
        [1, 1, 1, 1, 2, 3, 3, 4, 4, 5, 5, 5, 5, 5],
        [0, 1, 1, 2, 1, 1],
        [0, 5],
        2,
    ),
    (
        5,
        [0, 3, 0, 3, 2, 3, 0, 0, 3, 1],
        [1, 1, 1, 1, 2, 2, 2, 3, 4, 4],
        [0, 1, 1, 2, 0],
        [0, 1, 2],
        1,
    ),
    (
        6,
        [2, 3, 3, 1, 5, 2, 4, 3, 5, 5],
        [0, 1, 1, 2, 2, 2, 2, 3, 4, 4],
        [2, 0, 2, 1, 2, 2],
        [0, 3, 5],
        1,
    ),
    (
        3,
        [0, 1, 0, 1, 2, 1, 0, 0, 2],
        [0, 0, 1, 1, 2, 2, 2, 2, 2],
        [2, 1, 1],
        [0, 1],
        50,
    ),
    (
        6,
        [1, 0, 5, 4, 5, 2, 2, 2, 5, 5, 2, 3, 5, 4, 3],
        [0, 0, 0, 1, 1, 1, 2, 2, 4, 4, 5, 5, 5, 5, 5],
        [2, 0, 1, 0, 1, 2],
        [2, 3],
        2,
    ),
    (
        6,
        [4, 5, 0, 1, 3, 5, 4, 2, 1, 2, 2, 4, 5, 0],
        [0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 4, 4, 5],
        [2, 2, 0, 2, 1, 1],
        [1, 5],
        2,
    ),
)


def _propagation_cases() -> list:
    """Found by a search: no two entries of a node are equal, and each mistake shows."""
    found = []
    for n, src, dst, y, known, steps in _ROWS:
        mask = torch.zeros(n, dtype=torch.bool)
        mask[known] = True
        graph = GraphData(num_nodes=n, src=src, dst=dst, y=y, train_mask=mask)
        found.append(case(graph, steps))
    return found


@question(
    "5.4",
    "What is known, and what is asked",
    tolerance=0.0,
    cases=_propagation_cases(),
    mistakes={
        "Labels outside train_mask are used from the start: a leak.": {"start": "all"},
        "All labels are put back after each step, also those outside train_mask: a "
        "leak.": {"back": "all"},
        "The training labels are not put back after each step.": {"back": False},
        "The training labels are put back once, at the end; after each step it should "
        "be.": {"back": "end"},
        "The step is GCN's average, with the roots of both degrees; the mean is asked "
        "for.": {"mean": "gcn"},
        "The mean is taken over the neighbours that know something; it goes over all "
        "of them.": {"mean": "known"},
        "Neighbours are added up; the mean over them is asked for.": {"mean": False},
        "Your labels run against the edges; a node takes the mean of its sources.": {
            "turned": True
        },
        "One step is done, however many are asked for.": {"count": "one"},
        "Always fifty steps are done, however many are asked for.": {"count": "fifty"},
        "One step too many is done.": {"count": "more"},
        "One step too few is done.": {"count": "fewer"},
        "No step is done: these are the training labels, and class 0 elsewhere.": {
            "count": "none"
        },
        "Self-loops are added; the graph is to be taken as given.": {"loops": "added"},
        "Self-loops are left out; the graph is to be taken as given.": {
            "loops": "none"
        },
        "After each step every node takes one label for good; keep the shares until "
        "the end.": {"hard": True},
        by_hand.TWICE: {"once": True},
        "The training nodes are predicted, too, from their neighbours: their label "
        "stays.": {"last": True},
        "It predicts the smallest entry of a node.": {"least": True},
        "Nodes are updated one after the other and read what is new already; a step "
        "reads the last step alone.": {"hard": "in turn"},
    },
)
def label_propagation(
    graph: GraphData,
    steps: int = 50,
    *,
    start: str = "zeros",
    back: bool | str = True,
    mean: bool | str = True,
    turned: bool = False,
    count: str = "",
    loops: str = "given",
    hard: bool | str = False,
    once: bool = False,
    last: bool = False,
    least: bool = False,
) -> Tensor:
    known = graph.train_mask.unsqueeze(1)
    labels = F.one_hot(graph.y, graph.num_classes).double()
    p = labels * known if start != "all" else labels
    counts = graph.dense_adjacency().double()
    counts = counts.t() if turned else counts
    counts = counts.clamp(max=1) if once else counts
    eye = torch.eye(len(counts)).double()
    if loops == "added":
        counts = counts + eye
    elif loops == "none":
        counts = counts * (1 - eye)
    degree = counts.sum(1, keepdim=True).clamp(min=1)
    weights = counts / degree if mean else counts
    weights = counts / (degree * degree.t()).sqrt() if mean == "gcn" else weights
    number = {
        "": steps,
        "one": 1,
        "fifty": 50,
        "more": steps + 1,
        "fewer": steps - 1,
        "none": 0,
    }[count]
    for step in range(number):
        if hard == "in turn":
            for node in (~graph.train_mask).nonzero()[:, 0].tolist():
                if graph.in_degrees[node]:
                    p[node] = weights[node] @ p
            continue
        p = weights @ p
        if mean == "known":
            p = p / p.sum(1, keepdim=True).clamp(min=1e-12)
        if hard:
            p = F.one_hot(p.argmax(1), p.shape[1]).double() * (p.amax(1) > 0)[:, None]
        if back == "all":
            p = labels
        if back is True and not (last and step == number - 1):
            p = torch.where(known, labels, p)
    p = torch.where(known, labels, p) if back == "end" else p
    return p.argmin(1) if least else p.argmax(1)


# ---------------------------------------------------------------- 5.5


@question(
    "5.5",
    "Why can I not reach 83 %?",
    tolerance=1e-6,
    cases=[
        case([1.0], 1),
        case([1.0, 2.0], 1),
        case([1.0, 2.0], 2),
        case([1.0, 3.0], 3),
        case([2.0, 1.0], 2),
        case([1.0, 5.0, 2.0], 1),
        case([3.0, 1.0, 2.0], 2),
        case([2.0, 1.0, 2.0], 2),
        case([0.5, 0.25, 0.75, 0.25], 3),
        case([80.0, 83.0, 81.0, 82.0, 79.0], 10),
        case([1.0, 4.0], 5, tag="n is larger than the number of runs"),
    ],
    mistakes={
        "That is the best of all runs, whatever n is.": {"form": "max"},
        "That is the mean, the expectation for n = 1.": {"form": "mean"},
        "The runs are drawn without replacement here; with replacement is asked for.": {
            "form": "without"
        },
        "The accuracies come in any order: sort them first.": {"form": "unsorted"},
        "Equal accuracies are merged; each run counts.": {"form": "merged"},
        "The smallest of n is computed, the weights are the wrong way round: the best "
        "run has the largest.": {"form": "min"},
        "That is the median of the maximum; its mean is asked for.": {"form": "median"},
        "The weights (k/m)ⁿ are those of “at most”; take the difference to the one "
        "before.": {"form": "at most"},
        "n and the number of runs are swapped in the exponent.": {"form": "swapped"},
        "That is the best of the first n runs.": {"form": "first n"},
        "The runs are cut into groups of n, and their best averaged: that depends on "
        "their order.": {"form": "groups"},
        "The weights are (k/m)ⁿ⁻¹, divided by their sum: that approximates.": {
            "form": "powers"
        },
        "That is a quantile of the accuracies; the mean of the maximum is asked for.": {
            "form": "quantile"
        },
        "It is the mean of the n best runs.": {"form": "best n"},
        "That approximates: mean plus spread times a factor. An exact sum is asked "
        "for.": {"form": "normal"},
        "The power is n − 1; n runs are drawn.": {"form": "fewer"},
    },
)
def expected_best(accuracies: list[float], n: int, *, form: str = "") -> float:
    runs, m = sorted(float(a) for a in accuracies), len(accuracies)

    def weighted(values: list[float], power: int = n) -> float:
        k = len(values)
        terms = enumerate(values)
        return sum(a * (((i + 1) / k) ** power - (i / k) ** power) for i, a in terms)

    def draws() -> list[tuple[float, ...]]:
        return list(itertools.combinations(runs, n))

    mean = sum(runs) / m
    ways: dict[str, Callable[[], float]] = {
        "": lambda: weighted(runs),
        "max": lambda: runs[-1],
        "mean": lambda: mean,
        "without": lambda: sum(map(max, draws())) / len(draws()),
        "unsorted": lambda: weighted([float(a) for a in accuracies]),
        "merged": lambda: weighted(sorted(set(runs))),
        "min": lambda: -weighted([-a for a in runs[::-1]]),
        "median": lambda: next(
            a for i, a in enumerate(runs) if ((i + 1) / m) ** n >= 0.5
        ),
        "at most": lambda: sum(a * ((i + 1) / m) ** n for i, a in enumerate(runs)),
        "swapped": lambda: sum(
            a * (((i + 1) / n) ** m - (i / n) ** m) for i, a in enumerate(runs)
        ),
        "first n": lambda: max(float(a) for a in accuracies[:n]),
        "groups": lambda: (
            sum(max(accuracies[i : i + n]) for i in range(0, m, n)) / math.ceil(m / n)
        ),
        "powers": lambda: (
            sum(a * (i + 1) ** (n - 1) for i, a in enumerate(runs))
            / sum((i + 1) ** (n - 1) for i in range(m))
        ),
        "quantile": lambda: float(torch.tensor(runs).quantile(n / (n + 1))),
        "best n": lambda: sum(runs[-n:]) / len(runs[-n:]),
        "normal": lambda: (
            mean
            + math.sqrt(2 * math.log(n)) * float(torch.tensor(runs).std(correction=0))
        ),
        "fewer": lambda: weighted(runs, n - 1),
    }
    return ways[form]()


# ---------------------------------------------------------------- 5.7


@question(
    "5.7",
    "The protocol",
    call=reading.loss_and_gradient,
    read=reading.named,
    cases=[
        case(torch.tensor([[0.0, 2.0]]), torch.tensor([0]), torch.tensor([True])),
        case(
            torch.tensor([[0.0, 2.0], [1.0, -1.0]]),
            torch.tensor([0, 1]),
            torch.tensor([False, True]),
        ),
        case(
            torch.tensor([[0.0, 2.0, 1.0], [1.0, -1.0, 0.5], [3.0, 0.0, 0.0]]),
            torch.tensor([2, 1, 0]),
            torch.tensor([True, False, True]),
        ),
        case(
            torch.tensor([[0.0, 200.0], [1.0, -1.0], [-0.5, 0.5], [4.0, 0.0]]),
            torch.tensor([0, 1, 1, 0]),
            torch.tensor([True, True, False, True]),
            tag="a logit is as large as 200",
        ),
    ],
    mistakes={
        "A softmax is still applied before `cross_entropy`, which does it itself: the "
        "loss cannot fall below log(1 + (C − 1)/e).": {"soft": "softmax"},
        "The mask of 0 and 1 is still used as indices: it picks nodes 0 and 1, over "
        "and over.": {"mask": "index"},
        "The mask is not used: all nodes are trained on, those of the test, too.": {
            "mask": "none"
        },
        "The mask is upside down: the loss is of the nodes outside it.": {
            "mask": "not"
        },
        "The loss is summed up; its mean over the training nodes is asked for.": {
            "reduce": "sum"
        },
        "The loss is divided by all nodes; the mean is over the training nodes.": {
            "reduce": "all"
        },
        "`nll_loss` wants log-probabilities; it got probabilities.": {"soft": "nll"},
        "The logarithm of a softmax is −∞ where the softmax is 0; take log_softmax or "
        "cross_entropy.": {"soft": "unsafe"},
        "Label 0 is a class, not a sign to leave a node out.": {"mask": "labels"},
        "Logits outside the mask are set to zero, and still count.": {"mask": "zero"},
        "The sign is wrong: a loss falls as the label's logit grows.": {"sign": -1.0},
    },
)
def mended_loss(
    logits: Tensor,
    labels: Tensor,
    train_mask: Tensor,
    *,
    soft: str = "",
    mask: str = "",
    reduce: str = "mean",
    sign: float = 1.0,
) -> dict[str, Tensor]:
    given = logits.detach().double().requires_grad_()
    s = given.softmax(1) if soft in ("softmax", "nll") else given
    if mask == "zero":
        s = s * train_mask.unsqueeze(1)
    chosen = {
        "": train_mask,
        "index": train_mask.long(),
        "none": slice(None),
        "zero": slice(None),
        "not": ~train_mask,
        "labels": train_mask & (labels > 0),
    }[mask]
    picked = s[chosen] if soft == "nll" else s[chosen].log_softmax(1)
    if soft == "unsafe":
        picked = s[chosen].float().softmax(1).log().double()
    each = -picked.gather(1, labels[chosen].unsqueeze(1))[:, 0]
    loss = {"mean": each.mean(), "sum": each.sum(), "all": each.sum() / len(s)}[reduce]
    loss = sign * loss
    return {"loss": loss, "gradient": torch.autograd.grad(loss, given)[0]}
