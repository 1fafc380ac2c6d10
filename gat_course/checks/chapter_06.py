"""Checks of chapter 6's exercises."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from gat_course.checks import answers
from gat_course.checks.answers import case, check, close, refuse, same, tensor
from gat_course.graph import GraphData


@check("6.1")
def _guesser(function: Callable) -> None:
    for p, q in ((0.3, 0.8), (0.6, 0.5), (0.25, 1.0), (0.7, 0.1), (1.0, 0.4)):
        right = 2 * p * q / (p + q)
        accuracy = p * q + (1 - p) * (1 - q)
        mistakes = {
            "That is in percent; it should be a number from 0 to 1.": 100 * right,
            "A guesser who is always right, p = q = 1, would not get 1.": right / 2,
            "This is the arithmetic mean of precision and recall.": (p + q) / 2,
            "This is the geometric mean of precision and recall.": (p * q) ** 0.5,
            "This says yes to everything; q is left out.": 2 * p / (1 + p),
            "This is a fair coin; q is left out.": p / (p + 0.5),
            "This is the recall alone.": q,
            "This is the precision alone.": p,
            "This is the share of TP alone.": p * q,
            "This is the accuracy: it counts TN, too.": accuracy,
        }
        named = f"For p = {p:g}, q = {q:g}"
        close(function(p, q), right, named, mistakes, tolerance=1e-6, form=".4g")


@check("6.2")
def _take_apart(function: Callable) -> None:
    graphs = [  # as many nodes as edges in all, so that a mix-up of them shows
        GraphData(num_nodes=3, src=[2, 0, 1, 0, 2], dst=[2, 1, 0, 2, 0]),
        GraphData(num_nodes=4, src=[], dst=[]),
        GraphData(num_nodes=2, src=[1, 0, 0, 1], dst=[1, 0, 1, 0]),
        GraphData(num_nodes=1, src=[0], dst=[0]),
    ]
    for chosen, heads in ((graphs, 3), (graphs[::-1], 1), (graphs[:1], 2)):
        sizes, nodes = [g.num_edges for g in chosen], [g.num_nodes for g in chosen]
        (alpha,) = answers.random((sum(sizes), heads))
        answer = answers.done(function(alpha.clone(), list(chosen)))
        one = isinstance(answer, Tensor) or not isinstance(answer, Iterable)
        refuse({f"Return a list of tensors, not a {type(answer).__name__}.": one})
        parts = [answers.done(part) for part in answer]
        lengths = [len(p) if getattr(p, "ndim", 0) else -1 for p in parts]
        of_nodes, reverse = lengths == nodes != sizes, lengths == sizes[::-1] != sizes
        mistakes = {
            f"{len(chosen)} graphs give {len(parts)} parts.": len(parts) != len(chosen),
            "The parts are as long as the graphs have nodes, not edges.": of_nodes,
            "The parts come in the reverse order of the graphs.": reverse,
        }
        refuse(mistakes)
        for k, (part, right) in enumerate(zip(parts, alpha.split(sizes), strict=True)):
            what = f"Part {k} (counted from 0)"
            part = tensor(part, right.shape, what)
            mixed = same(part.sort(dim=0).values, right.sort(dim=0).values)
            mistakes = {
                f"{what} holds the right rows in another order.": mixed,
                f"{what} holds weights of other graphs' edges.": True,
            }
            refuse({} if same(part, right) else mistakes)


@check("6.3")
def _loss_from_logits(function: Callable) -> None:
    def answer(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = logits.clone().requires_grad_()
        loss = function(logits, labels.clone())
        value = tensor(loss, (), "The loss")
        if not isinstance(loss, Tensor) or not loss.requires_grad:
            raise answers.Wrong("No gradient can flow: the loss has left PyTorch.")
        return value, torch.autograd.grad(loss, logits)[0].double()

    logits, labels = answers.random((5, 4), (5, 4))
    labels = (labels > 0).float()
    wide, y = logits.double(), labels.double()
    right = float(F.binary_cross_entropy_with_logits(wide, y))
    swapped = F.binary_cross_entropy_with_logits(wide, 1 - y)
    value, gradient = answer(logits, labels)
    mistakes = {
        "This is the sum over all entries, not their mean.": 20 * right,
        "This sums over the labels; the mean is over all entries.": 4 * right,
        "This sums over the nodes; the mean is over all entries.": 5 * right,
        "A label of 1 and a label of 0 are swapped.": swapped,
        "The sign is wrong: a loss is positive.": -right,
    }
    close(value, right, "The loss", mistakes)
    close(gradient, (wide.sigmoid() - y) / 20, "The loss is right, its gradient")
    what = "With 64-bit logits the loss loses digits: it"
    close(answer(wide, y)[0], right, what, tolerance=1e-9)

    for logit, label in product((30.0, -30.0, 200.0, -200.0, 1e4, -1e4), (0.0, 1.0)):
        s, y = torch.tensor([[logit]]), torch.tensor([[label]])
        value, gradient = answer(s, y)
        right = max(logit * (1 - 2 * label), 0)
        clipped = value < right - 1 - 1e-4 * right
        mistakes = {
            f"loss is {float(value):g}.": not value.isfinite(),
            f"gradient is {float(gradient):g}.": not gradient.isfinite(),
            f"loss is only {float(value):.4g}: is it clipped?": clipped,
        }
        with case(f"At a logit of {logit:,.0f} and a label of {label:.0f} the"):
            close(value, right, "loss", mistakes, tolerance=1e-5 * max(right, 1))
            close(gradient, (s > 0).double() - y, "gradient")
    mixed = torch.tensor([[1e4, -1e4, 2.0], [1e4, -1e4, -1.0]])
    labels = torch.tensor([[0.0, 0, 1], [1, 1, 0]])
    what = "With large and small logits together the gradient"
    close(answer(mixed, labels)[1], (mixed.sigmoid() - labels) / 6, what)


def _f1(yes: Tensor, true: Tensor) -> float:
    return 2 * int((yes & true).sum()) / int(yes.sum() + true.sum())


def _compare_threshold(function: Callable, s: Tensor, true: Tensor, name: str) -> None:
    threshold = tensor(function(s.clone(), true.to(s.dtype)), ())
    s = s.double()
    candidates = [-math.inf, *s.unique().tolist()]
    best, got = max(_f1(s > c, true) for c in candidates), _f1(s > threshold, true)

    def is_best(yes: Tensor) -> bool:
        return _f1(yes, true) > best - 1e-9

    def hits(c: Tensor | float) -> int:
        return int(((s > c) == true).sum())

    beyond, all_yes = is_best(s >= threshold), is_best(s > -math.inf)
    probability = 0 < threshold < 1 and is_best(s.sigmoid() > threshold)
    accurate = hits(threshold) == max(map(hits, candidates))
    mistakes = {
        "the threshold is NaN.": threshold.isnan(),
        "Here it is best to say yes to everything.": all_yes,
        "At your threshold itself the answer is no: yes is ABOVE it.": beyond,
        "This is a threshold on the probability; the logit's is wanted.": probability,
        "Your threshold is the best one for accuracy.": accurate,
        f"Your threshold gives {got:.4f}, the best one {best:.4f}.": True,
    }
    with case(f"{name}:"):
        refuse({} if is_best(s > threshold) else mistakes)


@check("6.4")
def _best_threshold(function: Callable) -> None:
    random = partial(torch.randn, generator=torch.Generator().manual_seed(0))

    def labels(s: Tensor, noise: float, shift: float) -> Tensor:
        true = s + noise * random(*s.shape) > shift
        true.view(-1)[s.argmax()] = True  # some label is true
        return true

    compare = partial(_compare_threshold, function)
    for _ in range(12):
        s = random(6, 5)
        compare(s, labels(s, 1, 0.7), "Thirty random logits")
    for _ in range(12):
        s = random(5, 4).mul(1.5).round()
        compare(s, labels(s, 1, 0.5), "Logits with ties")
    for _ in range(4):
        s = random(4, 4)
        compare(s, labels(s, 50, 0), "Logits that know nothing")
        compare(s, labels(-s, 0.5, -1), "Logits that mislead")
        s = random(9, 5)
        true = labels(s, 1, 0.7)
        compare(5.005 + s.clamp(-2.5, 2.5) / 500, true, "Logits between 5 and 5.01")
        compare(40 * s - 300, true, "Logits all below -100")
        compare((4 * s).sinh(), true, "Logits of very different sizes")
    s = random(50, 100)
    hint = (
        "With 5,000 entries it is too slow: it goes through all entries again for each "
        "of many candidates."
    )
    with answers.Work(1000 * s.numel(), hint):
        function(s, labels(s, 1, 0.7).float())
    s = random(2000, 100)
    true = labels(s, 1, 0.7).float()
    with answers.in_time(20, "With 200,000 entries"):
        function(s, true)


def _aucs(alpha: Tensor, relevant: Tensor, ends: Tensor, tie=0.5) -> tuple[Tensor, ...]:
    """AUC and number of pairs of each group of edges with both kinds (6.5)."""
    pair = (ends.unsqueeze(1) == ends) & relevant.unsqueeze(1) & ~relevant  # [E, E]
    gaps = alpha.unsqueeze(1) - alpha
    wins = pair * ((gaps > 0) + tie * (gaps == 0)).double()
    won, pairs = (
        torch.zeros(8, dtype=wins.dtype).index_add(0, ends, x.sum(dim=1))
        for x in (wins, pair.double())
    )
    return (won / pairs)[pairs > 0], pairs[pairs > 0]


@check("6.5")
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
        value = tensor(function(graph, alpha.clone(), relevant.clone()), ())

        both, pairs = _aucs(alpha, relevant, dst)
        total, right, others = both.sum(), both.mean(), 8 - len(both)
        pooled = _aucs(alpha, relevant, 0 * dst)[0].mean()
        of_sources = _aucs(alpha, relevant, src)[0].mean()
        lost, won = (_aucs(alpha, relevant, dst, tie)[0].mean() for tie in (0, 1))
        left_out = "A target with one kind of sources is left out, it is no "
        halves = (total + others / 2) / 8, (total + (others - 1) / 2) / 7
        by_pairs = (both * pairs).sum() / pairs.sum()
        mistakes = {
            "It is NaN: leave out targets with one kind of sources.": value != value,
            "This pools the pairs of all targets.": pooled,
            "A tie counts half, not nothing.": lost,
            "A tie counts half, not as much as a win.": won,
            "Each target counts the same, however many pairs it has.": by_pairs,
            "Compare edges into one target, not out of a source.": of_sources,
            "It counts where the relevant source weighs more, not less.": 1 - right,
            # With and without the node that has no source.
            f"{left_out}0.": (total / 8, total / 7),
            f"{left_out}0.5.": halves,
        }
        named = "For equal weights" if trial == 5 else "On a graph of eight nodes"
        close(value, right, named, mistakes, form=".4f")


@check("6.6")
def _audit(function: Callable) -> None:
    generator = torch.Generator().manual_seed(0)

    def draw(high: int, size: int) -> Tensor:
        return torch.randint(high, (size,), generator=generator)

    for rows, asked, entities in ((60, 40, 25), (40, 60, 60), (9, 5, 3), (12, 6, 12)):
        names = 1000 - 37 * torch.randperm(entities, generator=generator)
        # What an entity is called tells nothing, nor does the order of the rows.
        train, test = names[draw(entities, rows)], names[draw(entities, asked)]
        train_y, test_y = 3 * draw(4, rows), 3 * draw(4, asked)
        _compare_audit(function, (train, train_y, test, test_y))
    alone = torch.tensor([4, 4, 7]), torch.tensor([1, 1, 2])
    _compare_audit(function, (*alone, torch.tensor([5, 6]), torch.tensor([1, 2])))


def _compare_audit(function: Callable, given: tuple[Tensor, ...]) -> None:
    hint = "Return two numbers: the share and the accuracy."
    answer = answers.parts(function(*(part.clone() for part in given)), 2, hint)
    train, train_y, test, test_y = (part.tolist() for part in given)
    labels: dict[int, list[int]] = {}
    for entity, y in zip(train, train_y, strict=True):
        labels.setdefault(entity, []).append(y)
    known = [entity in labels for entity in test]
    share = sum(known) / len(test)
    distinct = set(test)
    back = sum(entity in distinct for entity in train) / len(train)
    of_entities = sum(e in labels for e in distinct) / len(distinct)

    def accuracy(vote: Callable[[list[int]], int], of: int = len(test)) -> float:
        pairs = zip(test, test_y, strict=True)
        return sum(e in labels and vote(labels[e]) == y for e, y in pairs) / of

    def most(ys: list[int], ties: Callable = min) -> int:
        largest = max(map(ys.count, ys))
        return ties(y for y in ys if ys.count(y) == largest)

    new = [y for y, seen in zip(test_y, known, strict=True) if not seen]
    right = accuracy(most)
    shares = {
        "That is in percent; it should be from 0 to 1.": 100 * share,
        "That is the share of test rows whose entity is new.": 1 - share,
        "That is the share of training rows whose entity is tested, too.": back,
        "That counts each entity once; every test row counts.": of_entities,
    }
    accuracies = {
        "That is in percent; it should be from 0 to 1.": 100 * right,
        "That is a number of rows; divide by all test rows.": len(test) * right,
        "That leaves out rows whose entity is new; they count as wrong.": accuracy(
            most, of=max(sum(known), 1)
        ),
        "A row whose entity is new counts as wrong, whatever is guessed for it.": right
        + new.count(0) / len(test),
        "That takes the last row of an entity, not its most frequent class.": accuracy(
            lambda ys: ys[-1]
        ),
        "That takes the first row of an entity, not its most frequent class.": accuracy(
            lambda ys: ys[0]
        ),
        "Of equally frequent classes take the smallest, not the largest.": accuracy(
            partial(most, ties=max)
        ),
    }
    with case(f"With {len(train)} rows to train on and {len(test)} to test:"):
        close(answer[0], share, "The share:", shares, tolerance=1e-6, form=".4g")
        close(answer[1], right, "The accuracy:", accuracies, 1e-6, ".4g")
