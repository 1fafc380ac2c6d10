"""Checks of chapter 6's exercises."""

import math
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gat_course.checks.answers import (
    _check,
    _close,
    _is,
    _NotDone,
    _random,
    _tensor,
    _Wrong,
)
from gat_course.graph import GraphData


@_check("6.1")
def _guesser(function: Callable) -> None:
    for p, q in ((0.3, 0.8), (0.6, 0.5), (0.25, 1.0), (0.7, 0.1), (1.0, 0.4)):
        value = float(_tensor(function(p, q), (), "The result"))
        right = 2 * p * q / (p + q)
        mistakes = {
            100 * right: "That is in percent; it should be a number from 0 to 1.",
            right / 2: "A guesser who is always right, p = q = 1, would not get 1.",
            (p + q) / 2: "This is the arithmetic mean of precision and recall.",
            (p * q) ** 0.5: "This is the geometric mean of precision and recall.",
            p * q + (1 - p) * (1 - q): "This is the accuracy: it counts TN, too.",
            p * q: "This is the share of TP alone.",
            p: "This is the precision alone.",
            q: "This is the recall alone.",
            2 * p / (1 + p): "This says yes to everything; q is left out.",
            p / (p + 0.5): "This is a fair coin; q is left out.",
        }
        for mistake, hint in mistakes.items():
            if abs(value - mistake) < 1e-6 < abs(right - mistake):
                raise _Wrong(hint)
        if not abs(value - right) < 1e-6:
            raise _Wrong(f"For p = {p:g}, q = {q:g} it is not {value:.4g}.")


@_check("6.2")
def _take_apart(function: Callable) -> None:
    graphs = [  # as many nodes as edges in all, so that a mix-up of them shows
        GraphData(num_nodes=3, src=[2, 0, 1, 0, 2], dst=[2, 1, 0, 2, 0]),
        GraphData(num_nodes=4, src=[], dst=[]),
        GraphData(num_nodes=2, src=[1, 0, 0, 1], dst=[1, 0, 1, 0]),
        GraphData(num_nodes=1, src=[0], dst=[0]),
    ]
    for chosen, heads in ((graphs, 3), (graphs[::-1], 1), (graphs[:1], 2)):
        sizes = [graph.num_edges for graph in chosen]
        nodes = [graph.num_nodes for graph in chosen]
        (alpha,) = _random((sum(sizes), heads))
        answer = function(alpha.clone(), list(chosen))
        if answer is None:
            raise _NotDone
        if isinstance(answer, Tensor) or not isinstance(answer, Iterable):
            raise _Wrong(f"Return a list of tensors, not a {type(answer).__name__}.")
        parts = list(answer)
        if any(part is None for part in parts):
            raise _NotDone
        if len(parts) != len(chosen):
            raise _Wrong(f"{len(chosen)} graphs give {len(parts)} parts.")
        lengths = [len(p) if getattr(p, "ndim", 0) else -1 for p in parts]
        if lengths == nodes != sizes:
            raise _Wrong("The parts are as long as the graphs have nodes, not edges.")
        if lengths == sizes[::-1] != sizes:
            raise _Wrong("The parts come in the reverse order of the graphs.")
        first = 0
        for number, (part, size) in enumerate(zip(parts, sizes, strict=True)):
            what = f"Part {number} (counted from 0)"
            part = _tensor(part, (size, heads), what)
            right = alpha[first : first + size]
            first += size
            if _is(part, right):
                continue
            if _is(part.sort(dim=0).values, right.sort(dim=0).values):
                raise _Wrong(f"{what} holds the right rows in another order.")
            raise _Wrong(f"{what} holds weights of other graphs' edges.")


@_check("6.3")
def _loss_from_logits(function: Callable) -> None:
    def answer(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = logits.clone().requires_grad_()
        loss = function(logits, labels.clone())
        value = _tensor(loss, (), "The loss")
        if not isinstance(loss, Tensor) or not loss.requires_grad:
            raise _Wrong("No gradient can flow: the loss has left PyTorch.")
        return value, torch.autograd.grad(loss, logits)[0].double()

    (logits,) = _random((5, 4))
    labels = (_random((5, 4), (5, 4))[1] > 0).float()
    wide = logits.double()
    right, swapped = (
        float(-torch.where(labels == one, wide, -wide).sigmoid().log().mean())
        for one in (1, 0)
    )
    value, gradient = answer(logits, labels)
    mistakes = {
        20 * right: "This is the sum over all entries, not their mean.",
        4 * right: "This sums over the labels; the mean is over all entries.",
        5 * right: "This sums over the nodes; the mean is over all entries.",
        swapped: "A label of 1 and a label of 0 are swapped.",
        -right: "The sign is wrong: a loss is positive.",
    }
    for mistake, hint in mistakes.items():
        if abs(float(value) - mistake) < 1e-5:
            raise _Wrong(hint)
    _close(value, torch.tensor(right), "The loss")
    error = (wide.sigmoid() - labels) / 20
    _close(gradient, error, "The loss is right, its gradient")
    value, _ = answer(wide, labels.double())
    what = "With 64-bit logits the loss loses digits: it"
    _close(value, torch.tensor(right, dtype=torch.float64), what, 1e-9)

    for logit in (30.0, -30.0, 200.0, -200.0, 1e4, -1e4):
        for label in (0.0, 1.0):
            case = f"At a logit of {logit:,.0f} and a label of {label:.0f} the"
            s, y = torch.tensor([[logit]]), torch.tensor([[label]])
            value, gradient = answer(s, y)
            right = max(logit * (1 - 2 * label), 0)
            for what, number in (("loss", value), ("gradient", gradient)):
                if not bool(number.isfinite().all()):
                    raise _Wrong(f"{case} {what} is {float(number):g}.")
            if float(value) < right - 1 - 1e-4 * right:
                raise _Wrong(f"{case} loss is only {float(value):.4g}: is it clipped?")
            tolerance = 1e-5 * max(right, 1)
            _close(value, torch.tensor(float(right)), f"{case} loss", tolerance)
            _close(gradient, (s > 0).double() - y, f"{case} gradient")
    mixed = torch.tensor([[1e4, -1e4, 2.0], [1e4, -1e4, -1.0]])
    labels = torch.tensor([[0.0, 0, 1], [1, 1, 0]])
    _, gradient = answer(mixed, labels)
    error = (mixed.sigmoid() - labels) / 6
    _close(gradient, error, "With large and small logits together the gradient")


class _Counted(TorchFunctionMode):
    """Stops a computation whose functions return more than `limit` numbers."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.left = limit

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.left -= result.numel() if isinstance(result, Tensor) else 0
        if self.left < 0:
            raise _Wrong(
                "With 5,000 entries it is too slow: it goes through all entries again "
                "for each of many candidates."
            )
        return result


def _f1(yes: Tensor, true: Tensor) -> float:
    return 2 * int((yes & true).sum()) / int(yes.sum() + true.sum())


def _compare_threshold(function: Callable, s: Tensor, true: Tensor, case: str) -> None:
    threshold = _tensor(function(s.clone(), true.to(s.dtype)), (), "The result")
    if bool(threshold.isnan()):
        raise _Wrong(f"{case}: the threshold is NaN.")
    wide = s.double()
    every = wide.unique().tolist()
    scores = {c: _f1(wide > c, true) for c in (-math.inf, *every)}
    best, got = max(scores.values()), _f1(wide > threshold, true)
    if got > best - 1e-9:
        return
    hits = {c: int(((wide > c) == true).sum()) for c in scores}
    if scores[-math.inf] > best - 1e-9:
        hint = "Here it is best to say yes to everything."
    elif _f1(wide >= threshold, true) > best - 1e-9:
        hint = "At your threshold itself the answer is no: yes is ABOVE it."
    elif 0 < threshold < 1 and _f1(wide.sigmoid() > threshold, true) > best - 1e-9:
        hint = "This is a threshold on the probability; the logit's is wanted."
    elif int(((wide > threshold) == true).sum()) == max(hits.values()):
        hint = "Your threshold is the best one for accuracy."
    else:
        hint = f"Your threshold gives {got:.4f}, the best one {best:.4f}."
    raise _Wrong(f"{case}: {hint}")


@_check("6.4")
def _best_threshold(function: Callable) -> None:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    def labels(s: Tensor, noise: float, shift: float) -> Tensor:
        true = s + noise * random(*s.shape) > shift
        true.view(-1)[s.argmax()] = True  # some label is true
        return true

    for _ in range(12):
        s = random(6, 5)
        _compare_threshold(function, s, labels(s, 1, 0.7), "Thirty random logits")
    for _ in range(12):
        s = random(5, 4).mul(1.5).round()
        _compare_threshold(function, s, labels(s, 1, 0.5), "Logits with ties")
    for _ in range(4):
        s = random(4, 4)
        case = "Logits that know nothing"
        _compare_threshold(function, s, labels(s, 50, 0), case)
        _compare_threshold(function, s, labels(-s, 0.5, -1), "Logits that mislead")
        s = random(9, 5)
        true = labels(s, 1, 0.7)
        close, low = 5.005 + s.clamp(-2.5, 2.5) / 500, 40 * s - 300
        _compare_threshold(function, close, true, "Logits between 5 and 5.01")
        _compare_threshold(function, low, true, "Logits all below -100")
        case = "Logits of very different sizes"
        _compare_threshold(function, (4 * s).sinh(), true, case)
    s = random(50, 100)
    with _Counted(1000 * s.numel()):
        function(s, labels(s, 1, 0.7).float())
    s = random(2000, 100)
    true = labels(s, 1, 0.7)
    start = time.perf_counter()
    function(s, true.float())
    if (taken := time.perf_counter() - start) > 20:
        raise _Wrong(f"With 200,000 entries it takes {taken:.0f} seconds.")


def _pair_aucs(
    alpha: Tensor, relevant: Tensor, ends: Tensor, tie: float = 0.5
) -> list[tuple[float, int]]:
    """AUC and number of pairs of each group of edges with both kinds (6.5)."""
    found = []
    for end in ends.unique():
        a, marks = alpha[ends == end], relevant[ends == end]
        gaps = a[marks].unsqueeze(1) - a[~marks]
        if gaps.numel():
            wins = (gaps > 0).double() + tie * (gaps == 0)
            found.append((float(wins.mean()), gaps.numel()))
    return found


@_check("6.5")
def _neighbourhood_auc(function: Callable) -> None:
    degrees = torch.tensor([6, 4, 3, 2, 1, 5, 0, 5])
    dst = torch.arange(8).repeat_interleave(degrees)
    src = (5 * torch.arange(len(dst)) + 1) % 8
    graph = GraphData(num_nodes=8, src=src, dst=dst)
    generator = torch.Generator().manual_seed(0)
    for trial in range(6):
        relevant = torch.rand(len(dst), generator=generator) < 0.45
        relevant[dst == 0] = torch.arange(6) < 2  # 8 pairs
        relevant[dst == 3] = torch.tensor([True, False])  # one pair
        relevant[dst == 2], relevant[dst == 5] = True, False
        weights = torch.randint(1, 5, relevant.shape, generator=generator)
        weights = (weights + 2 * relevant).float()
        if trial == 5:
            weights = torch.ones(len(dst))
        alpha = weights / torch.zeros(8).index_add(0, dst, weights)[dst]
        answer = function(graph, alpha.clone(), relevant.clone())
        value = float(_tensor(answer, (), "The result"))
        if math.isnan(value):
            raise _Wrong("It is NaN: leave out targets with one kind of sources.")

        both = _pair_aucs(alpha, relevant, dst)
        total, number = sum(auc for auc, _ in both), len(both)
        right = total / number
        other = {
            what: statistics.mean(auc for auc, _ in _pair_aucs(alpha, relevant, *how))
            for what, how in {
                "pooled": (0 * dst,),
                "loss": (dst, 0),
                "win": (dst, 1),
                "sources": (src,),
            }.items()
        }
        pairs = sum(auc * n for auc, n in both) / sum(n for _, n in both)
        left_out = "A target with one kind of sources is left out, it is no "
        mistakes = [
            (other["pooled"], "This pools the pairs of all targets."),
            (other["loss"], "A tie counts half, not nothing."),
            (other["win"], "A tie counts half, not as much as a win."),
            (pairs, "Each target counts the same, however many pairs it has."),
            (other["sources"], "Compare edges into one target, not out of a source."),
            (1 - right, "It counts where the relevant source weighs more, not less."),
        ]
        for size in (8, 7):  # with and without the node that has no source
            mistakes.append((total / size, left_out + "0."))
            mistakes.append(((total + (size - number) / 2) / size, left_out + "0.5."))
        for mistake, hint in mistakes:
            if abs(value - mistake) < 1e-6 < abs(right - mistake):
                raise _Wrong(hint)
        if not abs(value - right) < 1e-5:
            case = "For equal weights" if trial == 5 else "On a graph of eight nodes"
            raise _Wrong(f"{case} it is not {value:.4f}.")
