"""Checks of exercises 4.1 to 4.3."""

import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from gat_course.checks import inputs
from gat_course.checks.question import case, question

# ---------------------------------------------------------------- 4.1


@question(
    "4.1",
    "The network",
    tolerance=0.0,
    cases=[
        case(1, 2, 1, 1, 1),
        case(2, 3, 1, 2, 1),
        case(3, 2, 2, 2, 2),
        case(11, 5, 3, 4, 2),
        case(50, 2, 7, 1, 5),
        case(1433, 7, 8, 8, 1),
    ],
    mistakes={
        "The biases are missing.": {"bias": "none"},
        "The first layer's biases are missing.": {"bias": "second"},
        "The output layer's biases are missing.": {"bias": "first"},
        "Each head has its own a; here all heads of a layer share one.": {
            "att": "shared"
        },
        "Each a has two halves, for the target and for the source.": {"att": "half"},
        "The vectors a are missing.": {"att": "none"},
        "The second layer reads all heads of the first, K·F' numbers, not one head.": {
            "reads": "hidden"
        },
        "The output layer adds its bias once, after the mean over its heads.": {
            "bias": "per head"
        },
        "The output heads are left out: each has its own W and a.": {"out": False},
        "The heads of the first layer are left out.": {"heads": False},
        "In the output layer a is counted for one head; each of `out_heads` has its "
        "own.": {"att": "merged"},
        "The first layer's bias has one entry for each head; it has K·F'.": {
            "bias": "heads"
        },
        "a is counted for the first layer alone.": {"att": "first"},
        "The first layer's bias is counted for one head; it has K·F' entries.": {
            "bias": "hidden"
        },
        "a meets z = Wᵀh, of F' numbers for each head, not h.": {"att": "inputs"},
    },
)
def count_parameters(
    in_features: int,
    num_classes: int,
    hidden: int,
    num_heads: int,
    out_heads: int,
    *,
    bias: str = "",
    att: str = "",
    reads: str = "all",
    out: bool = True,
    heads: bool = True,
) -> int:
    k, o = num_heads if heads else 1, out_heads if out else 1
    wide, last = k * hidden, o * num_classes
    weights = in_features * wide + (wide if reads == "all" else hidden) * last
    vectors = {
        "": 2 * (wide + last),
        "shared": 2 * (hidden + num_classes),
        "half": wide + last,
        "none": 0,
        "merged": 2 * (wide + num_classes),
        "first": 2 * wide,
        "inputs": 2 * k * in_features + 2 * o * wide,
    }[att]
    biases = {
        "": wide + num_classes,
        "none": 0,
        "first": wide,
        "second": num_classes,
        "per head": wide + last,
        "heads": k + num_classes,
        "hidden": hidden + num_classes,
    }[bias]
    return weights + vectors + biases


# ---------------------------------------------------------------- 4.2


def _heads(k: int, n: int = 2, f: int = 2) -> list[Tensor]:
    return [inputs.numbers(n, f, shift=5 * m) for m in range(k)]


@question(
    "4.2",
    "Merging the heads",
    cases=[
        case(_heads(1, 1), "concat"),
        case(_heads(1, 1), "mean"),
        case(_heads(2, 1), "mean"),
        case(_heads(2, 1), "concat"),
        case(_heads(2, 3, 1), "mean"),
        case(_heads(3, 2, 4), "concat"),
        case(_heads(3, 2, 4), "mean"),
        case(_heads(4, 5, 3), "concat"),
        case(_heads(4, 5, 3), "mean"),
    ],
    mistakes={
        'With "mean" it is a single number: it averages nodes and features as well. '
        "Average over the heads alone.": {"mean": "number"},
        'With "mean" it averages over the nodes; average over the heads.': {
            "mean": "nodes"
        },
        'With "mean" it averages over the features; average over the heads.': {
            "mean": "features"
        },
        'With "mean" you return the sum of the heads.': {"mean": "sum"},
        'With "mean" only the first head is left.': {"mean": "first"},
        'With "mean" the sum is divided by the number of nodes, the length of a head; '
        "divide by the number of heads.": {"mean": "by nodes"},
        'With "mean" each head halves those before it: the last weighs one half.': {
            "mean": "halves"
        },
        'With "mean" it is the largest of the heads.': {"mean": "max"},
        'With "mean" neighbouring columns of the joined heads are averaged; average a '
        "column with the same column of the other heads.": {"mean": "columns"},
        'With "concat" the heads lie below each other; a row is for one node.': {
            "concat": "below"
        },
        'With "concat" the heads are mixed; a head\'s numbers stand side by side.': {
            "concat": "mixed"
        },
        'With "concat" the heads are stacked, [K, N, F\']; a row is one node with all '
        "its heads.": {"concat": "stack"},
        'With "concat" the numbers are reshaped without moving: a row then mixes '
        "nodes.": {"concat": "view"},
        '"concat" and "mean" are swapped.': {"concat": "mean", "mean": "concat"},
        'With "concat" the heads come in reverse order.': {"concat": "reverse"},
        'It concatenates for "mean", too.': {"mean": "concat"},
        'It averages for "concat", too.': {"concat": "mean"},
    },
)
def merge_heads(
    heads: list[Tensor], merge: str, *, concat: str = "concat", mean: str = "mean"
) -> Tensor:
    stacked = torch.stack([h.double() for h in heads])  # [K, N, F']
    k, n, f = stacked.shape
    ways: dict[str, Callable[[], Tensor]] = {
        "concat": lambda: stacked.permute(1, 0, 2).reshape(n, k * f),
        "mean": lambda: stacked.sum(0) / k,
        "number": lambda: stacked.mean(),
        "nodes": lambda: stacked.mean(1),
        "features": lambda: stacked.mean(2),
        "sum": lambda: stacked.sum(0),
        "first": lambda: stacked[0],
        "by nodes": lambda: stacked.sum(0) / n,
        "halves": lambda: functools.reduce(lambda a, b: (a + b) / 2, stacked),
        "max": lambda: stacked.amax(0),
        "columns": lambda: stacked.permute(1, 0, 2).reshape(n, f, k).mean(2),
        "below": lambda: stacked.reshape(k * n, f),
        "mixed": lambda: stacked.permute(1, 2, 0).reshape(n, k * f),
        "stack": lambda: stacked,
        "view": lambda: stacked.reshape(n, k * f),
        "reverse": lambda: stacked.flip(0).permute(1, 0, 2).reshape(n, k * f),
    }
    return ways[{"concat": concat, "mean": mean}[merge]]()


# ---------------------------------------------------------------- 4.3


@question(
    "4.3",
    "What every layer does around its attention",
    cases=[
        case(torch.tensor([1.0]), 0.5),
        case(torch.tensor([0.5, 0.5]), 0.5),
        case(torch.tensor([1.0]), 0.2),
        case(torch.tensor([0.75, 0.25]), 0.2),
        case(torch.tensor([0.25, 0.25, 0.25, 0.25]), 0.6),
        case(torch.tensor([0.5, 0.25, 0.125, 0.125]), 0.9),
        case(torch.tensor([0.5, 0.5, 0.0]), 0.6),
        case(torch.tensor([0.5, 0.3, 0.2]), 0.0, tag="p = 0"),
    ],
    mistakes={
        "This is the variance, not the standard deviation.": {"root": False},
        "This leaves out that dropout divides what it keeps by 1 − p.": {"scale": "1"},
        "What is kept is divided by 1 − p, which divides the variance by its square.": {
            "scale": "once"
        },
        "Every weight is dropped on its own, so that variances add: the squares of the "
        "weights, not the weights.": {"adds": "deviations"},
        "The variance of a coin is p(1 − p), not p.": {"coin": "p"},
        "The variance of a coin is p(1 − p), not 1 − p.": {"coin": "q"},
        "p and 1 − p are swapped: p is the probability to be dropped.": {
            "coin": "odds"
        },
        "The squares of the weights are averaged; add them up.": {"adds": "mean"},
        "This holds for equal weights alone: it uses their number, not the weights.": {
            "adds": "number"
        },
        "It is the spread of the weights themselves; dropout plays no part.": {
            "adds": "std"
        },
    },
)
def spread_of_the_sum(
    alpha: Tensor,
    p: float,
    *,
    root: bool = True,
    scale: str = "",
    adds: str = "",
    coin: str = "",
) -> float:
    values = alpha.double().tolist()
    factor = {"": p * (1 - p), "p": p, "q": 1 - p, "odds": 1 - p}[coin]
    divide = {"": (1 - p) ** 2, "1": 1.0, "once": 1 - p}[scale]
    if coin == "odds":  # the odds of being kept; at p = 0 there are none
        divide = float(p)
    variance = factor / divide
    squares = {
        "": sum(a * a for a in values),
        "deviations": sum(values) ** 2,
        "mean": sum(a * a for a in values) / len(values),
        "number": 1 / len(values),
        "std": float(alpha.double().std(correction=0)) ** 2 / max(variance, 1e-300),
    }[adds]
    found = variance * squares
    return math.sqrt(found) if root else found
