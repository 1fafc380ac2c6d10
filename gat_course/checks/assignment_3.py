"""Questions of assignment 3: an honest experiment (chapter 5)."""

import math
from typing import Any

import torch
from scipy import stats
from torch import Generator, Tensor

from gat_course.checks import drawn, inputs, reading
from gat_course.checks.question import case, question
from gat_course.graph import GraphData

# ---------------------------------------------------------------- A3.1


def _labels(rng: Generator, *, unknown: bool) -> tuple:
    """Twelve nodes; if some have no label, the first in the order has none."""
    labels = [0, 0, 0, 1, 1, 1, *([-1, -1, 2] if unknown else [2, 2, 2])]
    labels += [drawn.size(rng, 0, 1) for _ in range(3)]
    y = torch.tensor(labels)[torch.randperm(12, generator=rng)]
    order = torch.randperm(12, generator=rng)
    if unknown:
        place = int((y[order] == -1).nonzero()[0])
        order[0], order[place] = order[place].clone(), order[0].clone()
    return y, order, 2, 2, 2


def _two(one: list, two: list, *sizes: int, tag: str = "") -> Any:
    return case(torch.tensor(one), torch.tensor(two), *sizes, tag=tag)


@question(
    "A3.1",
    "The data, seen",
    chapter="5",
    read=reading.several("training mask", "validation mask", "test mask"),
    cases=[
        _two([0, 1, 0, 1], [0, 1, 2, 3], 1, 1, 1),
        _two([0, 0, 1, 1, 0, 1, 0], [4, 2, 5, 0, 3, 1, 6], 1, 1, 2),
        _two([0, 0, 0, 1, 1, 0, 1, 1], [1, 5, 0, 7, 2, 3, 6, 4], 2, 2, 1),
        _two([0, -1, 1, 0, 1], [1, 3, 4, 0, 2], 1, 1, 1, tag="a label is unknown"),
        _two([0, 1, 0, 0, 0], [2, 0, 1, 3, 4], 2, 1, 1, tag="a class is small"),
    ],
    drawn={
        "all labels known": lambda rng: _labels(rng, unknown=False),
        "unknown labels and a small class": lambda rng: _labels(rng, unknown=True),
    },
    mistakes={
        "`order` is not followed: nodes come by number.": {"walk": "numbers"},
        "Entry i of a mask belongs to node i, not to order[i].": {"walk": "places"},
        "A node without a label is used in val or test.": {"unknown": "rest"},
        "−1 counts as a class in your answer.": {"unknown": "all"},
        "`per_class` nodes are asked for of each class.": {"train": "first"},
        "A class gives a training node too many.": {"train": "more"},
        "A small class is left out; it gives all it has.": {"train": "large"},
        "Training nodes are validation nodes, too: a leak.": {"rest": "all"},
        "Validation nodes are test nodes, too: a leak.": {"rest": "overlap"},
        "`num_test` is not used: all that is left is tested.": {"rest": "everything"},
        "Test nodes come right after the validation nodes.": {"rest": "end"},
    },
)
def make_split(
    y: Tensor, order: Tensor, per_class: int, num_val: int, num_test: int, **twist: str
) -> list[Tensor]:
    walk, unknown, train, rest = map(twist.get, ("walk", "unknown", "train", "rest"))
    labels, listed = y.tolist(), order.tolist()
    nodes = sorted(listed) if walk == "numbers" else listed
    taken = [i for i in nodes if labels[i] >= 0 or unknown == "all"]
    groups = [[i for i in taken if labels[i] == c] for c in {labels[i] for i in taken}]
    most = per_class + (train == "more")
    least = most if train == "large" else 0
    chosen = [i for g in groups if len(g) >= least for i in g[:most]]
    chosen = taken[: most * len(groups)] if train == "first" else chosen
    left = [i for i in nodes if rest == "all" or i not in chosen]
    left = [i for i in left if labels[i] >= 0 or unknown]
    after = left if rest == "overlap" else left[num_val:]
    test = after if rest == "everything" else after[:num_test]
    parts = chosen, left[:num_val], left[-num_test:] if rest == "end" else test
    entries = listed if walk == "places" else range(len(y))
    return [torch.tensor([i in part for i in entries]) for part in parts]


# ---------------------------------------------------------------- A3.2


def _settings(rng: Generator, agree: bool) -> tuple[Tensor, Tensor]:
    """Accuracies; if they disagree, the best validation run is of another setting."""
    while True:
        rows, runs = drawn.size(rng, 3, 5), drawn.size(rng, 3, 6)
        values = 78 + drawn.numbers(rng, 2, rows, 1, scale=1.5)
        values = ((values + drawn.numbers(rng, 2, rows, runs)) * 10).round() / 10
        best = values.mean(2).topk(2)  # [2, 2]
        clear = bool((best.values[:, 0] - best.values[:, 1] > 0.1).all())
        k, best_test = best.indices[:, 0].tolist()
        clear = clear and (agree or k != int(values[0].amax(1).argmax()))
        if clear and (k == best_test) == agree:
            return values[0], values[1]


@question(
    "A3.2",
    "What is known, and what is asked",
    chapter="5",
    tolerance=1e-4,
    read=reading.several("setting", "mean", "standard deviation", "gap"),
    cases=[
        _two([[80.0, 82.0]], [[79.0, 80.0]]),
        _two([[70.0, 74.0], [78.0, 77.0]], [[71.0, 72.0], [75.0, 79.0]]),
        _two([[78.0, 81.0], [77.0, 79.0]], [[74.0, 75.0], [76.0, 79.0]]),
        _two(
            [[79.0, 84.0, 74.0], [81.0, 80.0, 82.0], [77.0, 78.0, 76.0]],
            [[80.0, 79.0, 78.5], [77.0, 79.0, 75.0], [83.0, 73.0, 74.0]],
        ),
        _two([[74.0, 76.0], [73.0, 77.0]], [[72.0, 75.0], [70.0, 79.0]]),
    ],
    drawn={
        "validation and test agree": lambda rng: _settings(rng, True),
        "validation and test disagree": lambda rng: _settings(rng, False),
    },
    mistakes={
        "The setting is chosen by test accuracy: a leak.": {"by": "test"},
        "The setting is chosen by its best run, not by the mean.": {"by": "run"},
        "Settings are counted from 1; the first is 0.": {"first": "1"},
        "Of equally good settings the first is chosen.": {"by": "last"},
        "Mean and spread are those of validation.": {"of": "val"},
        "The best run is reported in place of the mean.": {"mean": "best"},
        "The mean goes over the runs of all settings.": {"mean": "all"},
        "The spread divides by n; it should be n − 1.": {"spread": "n"},
        "That is the standard error, not one run's spread.": {"spread": "error"},
        "The gap goes to the best single run, not mean.": {"gap": "run"},
        "The gap is best test mean minus yours, never below 0.": {"gap": "minus"},
        "The gap is that of validation to test.": {"gap": "val"},
    },
)
def choose_setting(val: Tensor, test: Tensor, **twist: str) -> tuple:
    by, gap, spread = twist.get("by"), twist.get("gap"), twist.get("spread")
    val, test = val.double(), test.double()
    ranking = {"test": test.mean(1), "run": val.amax(1)}.get(by or "", val.mean(1))
    equal = (ranking == ranking.max()).nonzero()[:, 0].tolist()
    k = equal[-1 if by == "last" else 0]
    own = val[k] if "of" in twist else test[k]
    means = {"best": own.max(), "all": test.mean()}
    mean = means.get(twist.get("mean", ""), own.mean())
    std = own.std(correction=0 if spread == "n" else 1)
    std = std / math.sqrt(len(own)) if spread == "error" else std
    best = {"run": test.max(), "val": val[k].mean()}.get(gap or "", test.mean(1).max())
    found = best - test[k].mean()
    return k + ("first" in twist), mean, std, -found if gap == "minus" else found


# ---------------------------------------------------------------- A3.3


def _curves(rng: Generator, kind: str) -> tuple[list[float], list[float], int]:
    """Curves that get better and then worse; drawn until they are of the kind."""
    while True:
        n, patience = drawn.size(rng, 8, 12), drawn.size(rng, 2, 4)
        bend = (torch.arange(n) - drawn.size(rng, 2, 6)).abs().double() / 8
        loss = 1 + bend + drawn.numbers(rng, n, scale=0.3)
        score = 75 - 10 * bend + drawn.numbers(rng, n, scale=3.0)
        step = 4 if kind == "equal" else 1000
        loss, score = (loss * step).round() / step, (score * step).round() / step
        args = loss.tolist(), score.tolist(), patience
        kept, epochs = stop_early(*args)
        last = stop_early([*args[0], 9.0], [*args[1], 0.0], patience)[1]
        twists = {"strict": "keep"}, {"strict": "wait"}, {"to": "kept"}
        wrong = [stop_early(*args, **twist) for twist in twists]
        fits = {
            "ends": 0 < kept and epochs < n and (kept, epochs) != wrong[2],
            "goes on": 0 < kept < n - 1 and last > n,
            "equal": epochs < n and (kept, epochs) not in wrong[:2],
        }
        if fits[kind] and (kind == "equal" or len({*args[0], *args[1]}) == 2 * n):
            return args


@question(
    "A3.3",
    "The protocol",
    chapter="5",
    read=reading.several("kept epoch", "number of epochs"),
    cases=[
        case([1.0], [50.0], 1),
        case([1.0, 0.5, 0.75, 0.8], [50.0, 60.0, 55.0, 58.0], 2),
        case([0.4, 0.4, 0.6, 0.6, 0.6], [55.0, 55.0, 60.0, 55.0, 60.0], 1),
        case([0.7, 0.5, 0.8, 0.8, 0.7], [60.0, 50.0, 55.0, 55.0, 55.0], 1),
        case([0.8, 0.9, 0.4, 0.5, 0.4], [65.0, 60.0, 60.0, 60.0, 60.0], 2),
        case([1.0, 1.5, 1.25, 0.5, 0.75], [50.0, 40.0, 45.0, 60.0, 55.0], 2),
        case([1.0, 0.5, 0.75, 0.8, 0.25], [50.0, 60.0, 70.0, 65.0, 65.0], 2),
    ],
    drawn={
        "patience ends it": lambda rng: _curves(rng, "ends"),
        "the lists end first": lambda rng: _curves(rng, "goes on"),
        "equal values": lambda rng: _curves(rng, "equal"),
    },
    mistakes={
        "Epochs are counted from 1; the first is 0.": {"first": "1"},
        "The second is how many epochs, not the last one's number.": {"last": "1"},
        "Training goes on for an epoch too many.": {"more": "1"},
        "Training ends an epoch too early.": {"more": "-1"},
        "Patience is not used: all epochs are trained.": {"more": "99"},
        "Parameters are kept if one is at its best; both must be.": {"keep": "any"},
        "Parameters are kept by the loss alone.": {"keep": "loss"},
        "Parameters are kept by the accuracy alone.": {"keep": "score"},
        "The parameters of the last epoch are kept.": {"keep": "always"},
        "The count starts anew only if both are at their best.": {"wait": "both"},
        "The count looks at the loss alone.": {"wait": "loss"},
        "The count looks at the accuracy alone.": {"wait": "score"},
        "The count never starts anew.": {"wait": "once"},
        "To be kept, equal to the best is enough.": {"strict": "keep"},
        "To start the count anew, equal to the best is enough.": {"strict": "wait"},
        "Equal to the best is enough; yours must be better.": {"strict": "keep, wait"},
        "It is compared with the epoch before, not the best.": {"to": "before"},
        "Bests can be of epochs that were not kept.": {"to": "kept"},
    },
)
def stop_early(
    losses: list[float], accuracies: list[float], patience: int, **twist: str
) -> tuple[int, int]:
    keep, wait = twist.get("keep", "both"), twist.get("wait", "any")
    low, high, waited, kept, epochs = math.inf, -math.inf, 0, 0, 0
    most = max(patience + int(twist.get("more", 0)), 1)

    def good(use: str, how: str, loss: float, score: float) -> bool:
        equal = use not in twist.get("strict", "")
        less, more = loss < low, score > high
        less, more = less or equal and loss == low, more or equal and score == high
        found = {"loss": less, "score": more, "both": less and more, "always": True}
        return found.get(how, less or more)

    for loss, score in zip(losses, accuracies, strict=True):
        keeps, starts = good("keep", keep, loss, score), good("wait", wait, loss, score)
        kept = epochs if keeps else kept
        waited = 0 if starts and wait != "once" else waited + (not starts)
        if twist.get("to") == "before" or ("to" in twist and keeps):
            low, high = loss, score
        elif "to" not in twist:
            low, high = min(low, loss), max(high, score)
        epochs += 1
        if waited == most:
            break
    return kept + ("first" in twist), epochs - ("last" in twist)


# ---------------------------------------------------------------- A3.4


def _comparison(value: Any, *given: Any) -> dict[str, Any]:
    names = "mean", "low", "high", "verdict"
    mean, low, high, verdict = reading.parts(value, names)
    if str(verdict) not in ("higher", "lower", "not shown"):
        raise reading.Form('The verdict should be "higher", "lower" or "not shown".')
    numbers = reading.named({"mean": mean, "low": low, "high": high})
    return {**numbers, "verdict": str(verdict)}


def _pairs(rng: Generator, many: bool) -> tuple[list[float], list[float], int]:
    """Pairs that share a split; no end of the interval is near zero."""
    turns = drawn.size(rng, 0, 1)  # whether counting the comparisons turns the verdict
    while True:
        n, m = drawn.size(rng, 4, 8), drawn.size(rng, 3, 9) if many else 1
        b = 80 + drawn.numbers(rng, n, scale=2.0)
        a = b + drawn.numbers(rng, 1) + drawn.numbers(rng, n, scale=0.6)
        a, b = ([round(v, 1) for v in side.tolist()] for side in (a, b))
        _, low, high, verdict = compare_pairs(a, b, m)
        turned = verdict != compare_pairs(a, b, 1)[3]
        if min(abs(low), abs(high)) > 0.02 and turned == (many and turns == 1):
            return a, b, m


@question(
    "A3.4",
    "Do two means differ?",
    chapter="5",
    tolerance=1e-4,
    read=_comparison,
    cases=[
        case([81.0, 82.0], [80.0, 78.0], 1),
        case([81.0, 83.0, 79.5], [80.5, 82.0, 79.0], 1),
        case([80.0, 77.0, 82.5, 79.0], [81.0, 78.5, 83.0, 80.5], 1),
        case([81.5, 83.0, 79.5], [80.5, 82.0, 78.5], 1, tag="differences are equal"),
        case([81.5, 83.0, 79.5, 80.0], [80.5, 81.5, 78.0, 79.5], 6),
        case([81.0, 80.0], [80.0, 81.0], 1, tag="the mean is 0"),
    ],
    drawn={
        "one comparison": lambda rng: _pairs(rng, False),
        "several comparisons": lambda rng: _pairs(rng, True),
    },
    mistakes={
        "That is b minus a; it should be a minus b.": {"turned": "1"},
        "Welch's interval is for runs that share nothing.": {"pairs": "welch"},
        "The standard deviation is not divided by the root of n.": {"error": "std"},
        "s divides by n; it should be n − 1.": {"error": "n"},
        "Student's t has n − 1 degrees of freedom, not n.": {"t": "n"},
        "1.96 or another normal quantile is used for Student's t.": {"t": "normal"},
        "Only one side is cut off: a 95 % interval leaves 2.5 % a side.": {"t": "one"},
        "The number of comparisons is not used.": {"m": "1"},
        "m divides the 0.05; it does not multiply the width.": {"m": "width"},
        "The verdict looks at the mean alone, not at the interval.": {"says": "mean"},
    },
)
def compare_pairs(
    a: list[float], b: list[float], num_comparisons: int, **twist: str
) -> tuple[float, float, float, str]:
    n, m, error = len(a), num_comparisons, twist.get("error")
    x, y = torch.tensor([a, b], dtype=torch.float64)
    x, y = (y, x) if "turned" in twist else (x, y)
    gaps, df = x - y, n - (twist.get("t") != "n")
    std = gaps.std(correction=0 if error == "n" else 1).item()
    if "pairs" in twist:
        one, two = x.var().item(), y.var().item()
        std = math.sqrt(one + two)
        df = (n - 1) * (one + two) ** 2 / (one**2 + two**2)
    std /= 1 if error == "std" else math.sqrt(n)
    tail = 0.05 / (1 if "m" in twist else m) / (1 if twist.get("t") == "one" else 2)
    normal = twist.get("t") == "normal"
    quantile = stats.norm.isf(tail) if normal else stats.t.isf(tail, df)
    half = quantile * std * (m if twist.get("m") == "width" else 1)
    mean = gaps.mean().item()
    reach = 0.0 if "says" in twist else half
    verdict = "higher" if mean > reach else "lower" if mean < -reach else "not shown"
    return mean, mean - half, mean + half, verdict


# ---------------------------------------------------------------- A3.5


def _weighed(rng: Generator, kind: str) -> tuple[GraphData, Tensor, Tensor]:
    n = drawn.size(rng, 5, 7)
    pairs = [((i + step) % n, i) for i in range(n) for step in (1, 2)] + [(n - 1, 0)]
    if kind == "one":  # all but nodes 0 and 1
        pairs = [(j, i) for j, i in pairs if i < 2 or j == (i + 1) % n]
    pairs = pairs + pairs[::3] if kind == "twice" else pairs
    order = torch.randperm(len(pairs), generator=rng)
    src, dst = torch.tensor(pairs)[order].t()
    z, scores = drawn.numbers(rng, n, 3), drawn.numbers(rng, len(pairs))
    return GraphData(num_nodes=n, src=src, dst=dst), z, scores


def _scored(n: int, src: list[int], dst: list[int], tag: str = "") -> Any:
    graph = GraphData(num_nodes=n, src=src, dst=dst)
    z, scores = inputs.features(n, 2), inputs.numbers(len(src), shift=1)
    return case(graph, z, scores, tag=tag)


@question(
    "A3.5",
    "Looking inside",
    chapter="5",
    tolerance=1e-4,
    cases=[
        _scored(3, [1, 2], [0, 0]),
        _scored(2, [1], [0], tag="a node has one neighbour"),
        _scored(4, [1, 2, 3], [0, 0, 0]),
        _scored(3, [1, 2, 1], [0, 0, 0], tag="an edge is listed twice"),
        _scored(5, [1, 2, 3, 0, 4, 2, 1], [0, 0, 0, 1, 1, 2, 1]),
    ],
    drawn={
        "several neighbours": lambda rng: _weighed(rng, "several"),
        "only one neighbour": lambda rng: _weighed(rng, "one"),
        "repeated edges": lambda rng: _weighed(rng, "twice"),
    },
    mistakes={
        "The weights that stay must grow, to sum to 1.": {"new": "kept"},
        "A score of 0 is no removal: exp(0) = 1.": {"new": "zero score"},
        "That is the weight, not what removal does.": {"length": "weight"},
        "A node left without neighbours moves: to zeros.": {"alone": "stays"},
        "A node left without neighbours gets zeros, not NaN.": {"alone": "nan"},
        "Copies are edges of their own: take out one.": {"copies": "all"},
        "The softmax runs over the edges out of a source.": {"end": "src"},
        "The length is squared.": {"length": "squared"},
        "It is the length of the change, not the change in length.": {"length": "gap"},
    },
)
def effect_of_removal(
    graph: GraphData, z: Tensor, scores: Tensor, **twist: str
) -> Tensor:
    src, dst, z, found = graph.src, graph.dst, z.double(), []
    new, alone = twist.get("new"), twist.get("alone")
    for k in range(len(src)):
        here = dst == dst[k]
        gone = torch.arange(len(src)) == k
        gone = here & (src == src[k]) if "copies" in twist else gone
        terms = scores.double().exp() * (src == src[k] if "end" in twist else here)
        left = terms.masked_fill(gone, 1.0 if new == "zero score" else 0.0)
        total = terms.sum() if new == "kept" else left.sum()
        before = (terms * here) @ z[src] / terms.sum()
        after = (left * here) @ z[src] / total
        if not total and alone != "nan":
            after = before if alone == "stays" else 0 * before
        change = after - before
        lengths = {
            "weight": terms[k] / terms.sum(),
            "squared": change.square().sum(),
            "gap": (after.norm() - before.norm()).abs(),
        }
        found.append(lengths.get(twist.get("length", ""), change.norm()))
    return torch.stack(found)
