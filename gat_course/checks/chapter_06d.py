"""Checks of exercises 6.6 to 6.8."""

import math
from typing import Any

import torch
from torch import Tensor

from gat_course.checks import reading
from gat_course.checks.question import case, question

# ---------------------------------------------------------------- 6.6


def _rows() -> list:
    def given(*parts: list) -> Any:
        return case(*(torch.tensor(part) for part in parts))

    generator = torch.Generator().manual_seed(0)
    found = [
        given([4], [1], [4], [1]),
        given([4], [1], [5], [1]),
        given([4, 4, 7], [1, 1, 2], [5, 6], [1, 2]),
        given([4, 4, 4], [2, 1, 1], [4, 4], [1, 2]),
        given([4, 4], [3, 1], [4, 9], [1, 1]),
        given([1, 2, 1, 2, 2], [0, 5, 5, 0, 0], [2, 1, 1, 3], [0, 0, 5, 0]),
    ]
    for rows, asked, entities in ((60, 40, 25), (12, 6, 12)):
        names = 1000 - 37 * torch.randperm(entities, generator=generator)

        def draw(high: int, size: int) -> Tensor:
            return torch.randint(high, (size,), generator=generator)

        train, test = names[draw(entities, rows)], names[draw(entities, asked)]
        found.append(case(train, 3 * draw(4, rows), test, 3 * draw(4, asked)))
    return found


def _two(value: Any, *given: Any) -> dict[str, Tensor]:
    return reading.several("share", "accuracy")(value)


@question(
    "6.6",
    "What did the network have to know?",
    read=_two,
    tolerance=1e-6,
    cases=_rows(),
    mistakes={
        "The share is of the test rows whose entity is new; asked for are the known "
        "ones.": {"share": "new"},
        "The share is of the training rows whose entity is tested, too.": {
            "share": "train"
        },
        "The share counts each entity once; every test row counts.": {
            "share": "entities"
        },
        "The share is of training and test rows together.": {"share": "both"},
        "That is in percent; it should be from 0 to 1.": {"share": "percent"},
        "The accuracy is a number of rows; divide by all test rows.": {"of": "one"},
        "The accuracy leaves out rows whose entity is new; they count as wrong.": {
            "of": "known"
        },
        "A row whose entity is new counts as wrong; you guess the most frequent class "
        "of all.": {"new": "majority"},
        "A row whose entity is new counts as wrong; you guess class 0.": {
            "new": "zero"
        },
        "The last row of an entity is taken, not its most frequent class.": {
            "vote": "last"
        },
        "The first row of an entity is taken, not its most frequent class.": {
            "vote": "first"
        },
        "Of equally frequent classes take the smallest, not the largest.": {
            "vote": "largest"
        },
        "Of equally frequent classes take the smallest, not the one that came first.": {
            "vote": "early"
        },
        "The smallest class of an entity is taken, not its most frequent one.": {
            "vote": "smallest"
        },
        "The mean of an entity's classes is rounded; take the most frequent one.": {
            "vote": "mean"
        },
        "Share and accuracy are swapped.": {"swapped": True},
        "Training and test are swapped.": {"turned": True},
    },
)
def audit(
    train_entities: Tensor,
    train_y: Tensor,
    test_entities: Tensor,
    test_y: Tensor,
    *,
    share: str = "",
    of: str = "all",
    new: str = "",
    vote: str = "",
    swapped: bool = False,
    turned: bool = False,
) -> tuple[float, float]:
    given = (train_entities, train_y, test_entities, test_y)
    train, y, test, asked = (part.tolist() for part in given)
    if turned:
        train, y, test, asked = test, asked, train, y
    labels: dict[int, list[int]] = {}
    for entity, label in zip(train, y, strict=True):
        labels.setdefault(entity, []).append(label)
    most = {
        "": lambda ys: min(ys, key=lambda c: (-ys.count(c), c)),
        "last": lambda ys: ys[-1],
        "first": lambda ys: ys[0],
        "largest": lambda ys: max(ys, key=lambda c: (ys.count(c), c)),
        "early": lambda ys: max(ys, key=ys.count),
        "smallest": min,
        "mean": lambda ys: round(sum(ys) / len(ys)),
    }[vote]
    other = {"": None, "zero": 0, "majority": max(sorted(set(y)), key=y.count)}[new]
    guesses = [most(labels[e]) if e in labels else other for e in test]
    hits = sum(g == a for g, a in zip(guesses, asked, strict=True))
    known = [e in labels for e in test]
    tested = set(test)
    shares = {
        "": sum(known) / len(test),
        "new": 1 - sum(known) / len(test),
        "train": sum(e in tested for e in train) / len(train),
        "entities": sum(e in labels for e in tested) / len(tested),
        "both": sum(known) / (len(test) + len(train)),
        "percent": 100 * sum(known) / len(test),
    }
    divide = {"all": len(test), "one": 1, "known": max(sum(known), 1)}[of]
    accuracy = hits / divide
    if share == "percent":
        accuracy *= 100
    found = shares[share], accuracy
    return found[::-1] if swapped else found


# ---------------------------------------------------------------- 6.8


def _batches() -> list:
    def given(*pairs: tuple[list, list]) -> Any:
        return case([(torch.tensor(s), torch.tensor(y)) for s, y in pairs])

    return [
        given(([[2.0, -1.0]], [[1.0, 1.0]])),
        given(([[2.0, -1.0]], [[1.0, 0.0]]), ([[1.0, 1.0]], [[1.0, 0.0]])),
        given(
            ([[2.0, 1.0], [-1.0, 3.0]], [[1.0, 0.0], [1.0, 1.0]]),
            ([[-1.0, -2.0]], [[0.0, 1.0]]),
        ),
        given(
            ([[0.3, -0.2]], [[0.0, 0.0]]),
            (
                [[0.7, 0.4], [0.2, -0.1], [1.0, 2.0]],
                [[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]],
            ),
        ),
        given(([[-1.0]], [[0.0]]), ([[-2.0]], [[0.0]])),
        given(([[0.0, 2.0]], [[0.0, 1.0]]), ([[0.0, -1.0]], [[0.0, 0.0]])),
    ]


@question(
    "6.8",
    "Micro-F1",
    tolerance=1e-6,
    cases=_batches(),
    mistakes={
        "It is still the mean of the batches' own F1: pool TP, FP and FN over all "
        "batches, and divide once.": {"pool": "mean"},
        "The batches' F1 are weighed by their nodes; that is still a mean of F1.": {
            "pool": "weighted"
        },
        "The counts start anew with each batch: only the last one is left.": {
            "pool": "last"
        },
        "A logit of 0 is a yes in your answer; only what is above 0 is.": {
            "threshold": -1e-9
        },
        "Logits are compared with 0.5; a probability of 1/2 is a logit of 0.": {
            "threshold": 0.5
        },
        "Where nobody says yes and no label is one, it divides 0 by 0; take 0.": {
            "empty": math.nan
        },
        "Where nothing is to be found it should be 0, not 1.": {"empty": 1.0},
        "That is the accuracy: it counts TN, too.": {"form": "accuracy"},
        "That is the precision alone.": {"form": "precision"},
        "That is the recall alone.": {"form": "recall"},
        "Hits are divided by all that are one or said to be; F1 counts them "
        "twice, above "
        "and below.": {"form": "jaccard"},
        "A batch without a one is left out; what is said there to be 1 is wrong, and "
        "counts.": {"pool": "some"},
        "That is the mean over the labels (macro-F1); micro-F1 pools them.": {
            "pool": "labels"
        },
    },
)
def mended_f1(
    batches: list[tuple[Tensor, Tensor]],
    *,
    pool: str = "",
    threshold: float = 0.0,
    empty: float = 0.0,
    form: str = "f1",
) -> float:
    def score(yes: Tensor, true: Tensor) -> float:
        tp, said, there = (int(v.sum()) for v in (yes & true, yes, true))
        up, down = {
            "f1": (2 * tp, said + there),
            "accuracy": (int((yes == true).sum()), yes.numel()),
            "precision": (tp, said),
            "recall": (tp, there),
            "jaccard": (tp, said + there - tp),
        }[form]
        return up / down if down else empty

    pairs = [(s > threshold, y > 0) for s, y in batches]
    if pool == "some":
        pairs = [pair for pair in pairs if pair[1].any()]
    yes, true = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    if pool == "labels":
        both = zip(yes.t(), true.t(), strict=True)
        return sum(score(a, b) for a, b in both) / yes.shape[1]
    if pool in ("mean", "weighted"):
        sizes = [len(y) if pool == "weighted" else 1 for _, y in pairs]
        scores = [score(*pair) for pair in pairs]
        return sum(a * b for a, b in zip(scores, sizes, strict=True)) / sum(sizes)
    return score(*pairs[-1]) if pool == "last" else score(yes, true)
