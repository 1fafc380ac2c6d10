"""Checks of exercises 6.4 to 6.5."""

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gat_course.checks import inputs, reading
from gat_course.checks.question import Holds, case, question
from gat_course.graph import GraphData

# ---------------------------------------------------------------- 6.4


def _f1(yes: Tensor, true: Tensor) -> float:
    below = int(yes.sum() + true.sum())
    return 2 * int((yes & true).sum()) / below if below else 0.0


def _scored(value: Any, logits: Tensor, labels: Tensor) -> Tensor:
    """The micro-F1 at a threshold: any that reaches the best will do."""
    threshold = reading.numbers(value, "The threshold")
    if threshold.dim():
        raise reading.Form(
            f"The threshold should be one number; it has {list(threshold.shape)}."
        )
    if bool(threshold.isnan()):
        raise reading.Form("The threshold is NaN.")
    found = _f1(logits.double() > threshold, labels > 0)
    return torch.tensor(found, dtype=torch.float64)


def _not_for_each(function: Callable) -> str | None:
    generator = torch.Generator().manual_seed(0)
    s = torch.randn(50, 100, generator=generator)
    y = (s + torch.randn(50, 100, generator=generator) > 0.7).float()
    with inputs.Work() as work:
        function(s, y)
    slow = (
        "The numbers are right, but it goes through all entries again for each of many "
        "candidates: sort once."
    )
    if work.done > 1000 * s.numel():
        return f"With 5,000 entries it computes {work.done:,} numbers. {slow}"
    start = time.perf_counter()
    s = s.repeat(8, 1) + 0.001 * torch.randn(400, 100, generator=generator)
    function(s, y.repeat(8, 1))
    taken = time.perf_counter() - start
    return f"40,000 entries take {taken:.0f} s. {slow}" if taken > 15 else None


def _threshold_cases() -> list:
    def given(s: list, y: list, tag: str = "") -> Any:
        return case(torch.tensor(s), torch.tensor(y), tag=tag)

    generator = torch.Generator().manual_seed(0)
    found = [
        given([[1.0, -1.0]], [[1.0, 0.0]]),
        given([[2.0, 1.0, -1.0]], [[1.0, 1.0, 0.0]]),
        given([[0.5, 1.5], [2.5, -0.5]], [[0.0, 1.0], [1.0, 0.0]]),
        given([[5.0, 4.5], [4.0, 3.5]], [[1.0, 1.0], [0.0, 0.0]], "all are above 0"),
        given([[-5.0, -4.5], [-4.0, -3.5]], [[0.0, 0.0], [0.0, 1.0]], "all below 0"),
        given(
            [[1.0, -1.0], [2.0, 0.5]], [[1.0, 1.0], [0.0, 1.0]], "yes to all is best"
        ),
        given([[1.0, 1.0], [1.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]], "logits are equal"),
        given([[2.0, 1.0, 1.0, 0.0]], [[1.0, 1.0, 0.0, 0.0]], "logits are equal"),
        given([[3.0, 2.0, 1.0, 0.0]], [[0.0, 0.0, 1.0, 0.0]]),
        given([[2.0, 1.5, 1.0, 0.5, 0.0, -0.5, -1.0]], [[0.0, 1, 0, 0, 0, 0, 1]]),
        given([[0.6, 0.2, -0.3, -0.4]], [[1.0, 0.0, 1.0, 0.0]]),
        given([[0.3, 0.2], [0.1, -0.1]], [[1.0, 0.0], [1.0, 1.0]]),
    ]
    for k in range(8):
        s = torch.randn(4, 5, generator=generator).mul(8).round() / 8
        y = (s + torch.randn(4, 5, generator=generator) > 0.7).float()
        y.view(-1)[s.argmax()] = 1  # some label is true
        s = [s, s.round(), s / 1000 + 5, 30 * s - 300][k % 4]
        tag = [
            "",
            "logits are equal",
            "logits lie between 4.99 and 5.01",
            "all are low",
        ]
        found.append(case(s, y, tag=tag[k % 4]))
    return found


def _candidates(logits: Tensor) -> list[float]:
    return [-math.inf, *logits.double().unique().tolist()]


def _best(logits: Tensor, labels: Tensor) -> float:
    s, true = logits.double(), labels > 0
    return max(_f1(s > c, true) for c in _candidates(s))


def _most_accurate(value: Any, logits: Tensor, labels: Tensor) -> bool:
    s, true, c = logits.double(), labels > 0, float(reading.numbers(value))

    def hits(c: float) -> int:
        return int(((s > c) == true).sum())

    some = [other for other in _candidates(s) if other < float(s.max())]
    return hits(c) >= max(map(hits, some))


def _beyond(value: Any, logits: Tensor, labels: Tensor) -> bool:
    s, c = logits.double(), float(reading.numbers(value))
    return _f1(s >= c, labels > 0) > _best(logits, labels) - 1e-9


def _on_probability(value: Any, logits: Tensor, labels: Tensor) -> bool:
    s, c = logits.double().sigmoid(), float(reading.numbers(value))
    best = _best(logits, labels)
    return 0 <= c <= 1 and _f1(s > c + 1e-6, labels > 0) > best - 1e-9


def _on_a_grid(value: Any, logits: Tensor, labels: Tensor) -> bool:
    """A round number that is none of the logits nor half-way between two."""
    s, c = logits.double().flatten(), float(reading.numbers(value))
    middles = (s.unsqueeze(0) + s.unsqueeze(1)) / 2
    near = bool(((middles - c).abs() < 1e-6).any())
    return math.isfinite(c) and abs(20 * c - round(20 * c)) < 1e-4 and not near


def _as_many(value: Any, logits: Tensor, labels: Tensor) -> bool:
    """The threshold is where the number of ones is, but for equal logits."""
    order = logits.double().flatten().sort(descending=True).values
    ones, c = int((labels > 0).sum()), float(reading.numbers(value))
    after = float(order[ones]) if ones < len(order) else -math.inf
    return after <= c <= float(order[ones - 1])


@question(
    "6.4",
    "Micro-F1",
    read=_scored,
    tolerance=1e-6,
    cases=_threshold_cases(),
    limits=[_not_for_each],
    mistakes={
        "Your threshold is the best one for accuracy.": Holds(_most_accurate),
        "That is the threshold 0, probability 1/2: best for accuracy if the "
        "probabilities are right.": {"best": "zero"},
        "This is a threshold on the probability; the logit's is wanted.": Holds(
            _on_probability
        ),
        "Your threshold has the best precision; F1 weighs the recall as well.": {
            "best": "precision"
        },
        "Your threshold maximises precision times recall; F1 is their harmonic mean.": {
            "best": "product"
        },
        "Each label has a best threshold of its own, and you take their mean; one "
        "threshold for all is asked for.": {"best": "own"},
        "Yes to everything is never tried: a threshold below all logits.": {
            "lowest": False
        },
        "At your threshold itself the answer is no: yes is ABOVE it.": Holds(_beyond),
        "Equal logits are told apart: a threshold takes all of them or none.": {
            "ties": True
        },
        "That is the largest logit: yes to nothing.": {"best": "none"},
        "That says yes to everything, which has the best recall; F1 weighs the "
        "precision as well.": {"best": "all"},
        "The mean of the labels' own F1 is maximised; micro-F1 pools the counts.": {
            "best": "macro"
        },
        "It says yes to as many as there are ones, so that precision and recall are "
        "equal; F1 need not be best there.": Holds(_as_many),
        "A grid of thresholds misses the best one: try the logits themselves.": Holds(
            _on_a_grid
        ),
    },
)
def best_threshold(
    logits: Tensor,
    labels: Tensor,
    *,
    best: str = "f1",
    lowest: bool = True,
    ties: bool = False,
) -> float:
    s, true = logits.double(), labels > 0
    tried = _candidates(s)[0 if lowest else 1 :]

    def score(c: float) -> float:
        yes = s > c
        tp = int((yes & true).sum())
        return {
            "precision": tp / max(int(yes.sum()), 1),
            "macro": sum(_f1(a, b) for a, b in zip(yes.t(), true.t(), strict=True)),
            "product": tp * tp / max(int(yes.sum()), 1) / int(true.sum()),
        }.get(best, _f1(yes, true))

    fixed = {"zero": 0.0, "none": float(s.max()), "all": -math.inf}
    if best in fixed:
        return fixed[best]
    if best == "own":
        columns = zip(s.t(), labels.t(), strict=True)
        own = [best_threshold(c[:, None], y[:, None]) for c, y in columns if y.any()]
        return sum(own) / len(own)
    if ties:
        order = s.flatten().argsort(descending=True)
        hits = true.flatten()[order].cumsum(0).double()
        at = int((hits / (torch.arange(1, len(order) + 1) + true.sum())).argmax())
        values = s.flatten()[order]
        return float(values[at + 1]) if at + 1 < len(values) else -math.inf
    return max(tried, key=score)


# ---------------------------------------------------------------- 6.5


def _auc_cases() -> list:
    def given(dst: list, alpha: list, relevant: list, tag: str = "") -> Any:
        n = max(dst) + 2
        src = [(5 * k + 1) % n for k in range(len(dst))]
        graph = GraphData(num_nodes=n, src=src, dst=dst)
        marks = torch.tensor(relevant, dtype=torch.bool)
        return case(graph, torch.tensor(alpha), marks, tag=tag)

    generator = torch.Generator().manual_seed(0)
    found = [
        given([0, 0], [0.75, 0.25], [1, 0]),
        given([0, 0], [0.25, 0.75], [1, 0]),
        given([0, 0], [0.5, 0.5], [0, 1], "weights are equal"),
        given([0, 0, 0], [0.5, 0.25, 0.25], [1, 1, 0]),
        given(
            [0, 0, 1], [0.75, 0.25, 1.0], [1, 0, 1], "a target has one kind of source"
        ),
        given([0, 0, 1, 1, 1], [0.75, 0.25, 0.25, 0.5, 0.25], [1, 0, 1, 0, 0]),
    ]
    dst = [0] * 6 + [1] * 4 + [2] * 3 + [3] * 2 + [4] + [5] * 5 + [7] * 5
    for trial in range(3):
        marks = torch.rand(len(dst), generator=generator) < 0.45
        marks[:6], marks[13:15] = torch.arange(6) < 2, torch.tensor([True, False])
        marks[10:13], marks[16:21] = True, False
        counts = torch.randint(1, 5, (len(dst),), generator=generator) + 2 * marks
        counts = torch.ones(len(dst)) if trial == 2 else counts.float()
        of = torch.tensor(dst)
        alpha = counts / torch.zeros(8).index_add(0, of, counts)[of]
        found.append(given(dst, alpha.tolist(), marks.tolist()))
    graph = GraphData(num_nodes=4, src=[0, 1, 3, 0], dst=[1, 1, 2, 2])
    marks = torch.tensor([True, False, True, False])
    alpha = torch.tensor([0.75, 0.25, 0.25, 0.75])
    return [*found, case(graph, alpha, marks, tag="a target is no source itself")]


@question(
    "6.5",
    "Did attention find the truth?",
    cases=_auc_cases(),
    mistakes={
        "This pools the pairs of all targets; compare edges into one target.": {
            "ends": "all"
        },
        "A tie counts half, not nothing.": {"tie": 0.0},
        "A tie counts half, not as much as a win.": {"tie": 1.0},
        "Equal weights get ranks in the order of the edges; a tie counts half.": {
            "form": "ranks"
        },
        "Each target counts the same, however many pairs it has.": {"by": "pairs"},
        "Compare edges into one target, not out of a source.": {"ends": "src"},
        "It counts where the relevant source weighs more, not less.": {"less": True},
        "A target with one kind of sources is left out, it is no 0.": {"empty": 0.0},
        "A target with one kind of sources is left out, it is no 0.5.": {"empty": 0.5},
        "A target with one kind of sources is left out, it is no 1.": {"empty": 1.0},
        "A target with one kind of sources gives 0 / 0: leave it out.": {
            "empty": math.nan
        },
        "It asks whether the heaviest source is relevant; all pairs are asked for.": {
            "form": "best"
        },
        "It compares the means of the two kinds; count the pairs.": {"form": "means"},
        "It compares each relevant weight with the mean of the others; count the "
        "pairs.": {"form": "mean"},
        "It is the weight that the relevant sources get together.": {"form": "mass"},
        "A mean over all nodes is taken; over targets with both kinds is asked for.": {
            "by": "nodes"
        },
        "The shares are added up; their mean is asked for.": {"by": "sum"},
        "It is in percent; a number from 0 to 1 is asked for.": {"by": "percent"},
        "A target without pairs is left out, it is no 0.5; nodes without sources, "
        "too.": {"by": "halves"},
        "A node's edge to itself is left out; it is one of its sources.": {
            "loops": False
        },
        "Weights are multiplied by the degree and compared between targets; compare "
        "edges into one target.": {"ends": "scaled"},
        "It asks whether a heaviest source is relevant; all pairs are asked for.": {
            "form": "largest"
        },
    },
)
def neighbourhood_auc(
    graph: GraphData,
    alpha: Tensor,
    relevant: Tensor,
    *,
    ends: str = "dst",
    tie: float = 0.5,
    by: str = "targets",
    less: bool = False,
    empty: float | None = None,
    form: str = "",
    loops: bool = True,
) -> float:
    pooled = ends in ("all", "scaled")
    of = graph.dst * 0 if pooled else getattr(graph, ends)
    if not loops:
        of = of.masked_fill(graph.src == graph.dst, -1)
    alpha = -alpha.double() if less else alpha.double()
    if ends == "scaled":
        alpha = (alpha * graph.in_degrees[graph.dst]).float().double()
    shares, pairs = [], []
    for node in range(graph.num_nodes):
        good = alpha[(of == node) & relevant]
        bad = alpha[(of == node) & ~relevant]
        if not len(good) or not len(bad):
            if empty is not None and len(good) + len(bad):
                shares.append(empty)
                pairs.append(1)
            continue
        gaps = good.unsqueeze(1) - bad
        wins = (gaps > 0).double() + tie * (gaps == 0).double()
        share = {
            "ranks": lambda o=of == node: _by_ranks(alpha[o], relevant[o]),
            "best": lambda g=good, b=bad: float(g.max() > b.max()),
            "means": lambda g=good, b=bad: (
                float(g.mean() > b.mean()) + 0.5 * float(g.mean() == b.mean())
            ),
            "mean": lambda g=good, b=bad: float((g > b.mean()).double().mean()),
            "largest": lambda o=of == node: float(relevant[o][alpha[o].argmax()]),
            "mass": lambda g=good: float(g.sum()),
        }.get(form, lambda w=wins: float(w.mean()))()
        shares.append(share)
        pairs.append(wins.numel())
    total = sum(shares)
    return {
        "targets": total / len(shares),
        "pairs": sum(s * p for s, p in zip(shares, pairs, strict=True)) / sum(pairs),
        "nodes": total / graph.num_nodes,
        "halves": (total + (graph.num_nodes - len(shares)) / 2) / graph.num_nodes,
        "sum": total,
        "percent": 100 * total / len(shares),
    }[by]


def _by_ranks(alpha: Tensor, relevant: Tensor) -> float:
    """The AUC from ranks, ties in the order in which they come."""
    rank = alpha.argsort(stable=True).argsort() + 1.0
    yes, no = int(relevant.sum()), int((~relevant).sum())
    return float((rank[relevant].sum() - yes * (yes + 1) / 2) / (yes * no))
