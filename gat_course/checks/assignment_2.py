"""Questions of assignment 2: attention along edges (chapters 3 and 4)."""

import torch
from torch import Generator, Tensor

from gat_course.checks import by_hand, drawn, inputs, reading
from gat_course.checks.question import Holds, case, question
from gat_course.graph import GraphData

# ---------------------------------------------------------------- A2.1


def _mail(rng: Generator, *, missing: bool = False) -> tuple[Tensor, Tensor, int]:
    """Messages in no order; two nodes or three have the degree, or none has it."""
    degree, width = drawn.size(rng, 2, 3), drawn.size(rng, 2, 3)
    degrees = [degree, 1, degree, 0, 4, degree * drawn.size(rng, 0, 1)]
    order = torch.randperm(len(degrees), generator=rng)
    dst = torch.arange(len(degrees)).repeat_interleave(torch.tensor(degrees)[order])
    dst = dst[torch.randperm(len(dst), generator=rng)]
    return drawn.numbers(rng, len(dst), width), dst, 5 if missing else degree


@question(
    "A2.1",
    "The mailbox, and the reduce function: equations (3) and (4)",
    chapter="3",
    read=reading.several("targets", "mailbox"),
    cases=[
        case(torch.tensor([[1.0], [2.0]]), torch.tensor([0, 1]), 1),
        case(inputs.features(3, 2), torch.tensor([1, 0, 1]), 2),
        case(inputs.features(5, 2), torch.tensor([2, 0, 2, 0, 3]), 2),
        case(inputs.features(5, 2), torch.tensor([2, 0, 2, 0, 3]), 1),
        case(inputs.features(8, 3), torch.tensor([5, 1, 1, 5, 4, 1, 5, 0]), 3),
        case(inputs.features(2, 2), torch.tensor([1, 1]), 1, tag="no node has it"),
    ],
    drawn={
        "edges in no order": _mail,
        "degrees that no node has": lambda rng: _mail(rng, missing=True),
    },
    mistakes={
        "Messages come as the edges do; a row is one target.": {"form": "as they come"},
        "It takes the edges to be sorted by target.": {"form": "sorted"},
        "A mailbox holds its messages in reverse order.": {"form": "back"},
        "The mailbox is [D, B, F]; targets come first.": {"form": "turned"},
        "The mailbox holds numbers of edges, not their messages.": {"form": "places"},
        "Targets come as their first messages do.": {"form": "first"},
        "A target stands there once for each message.": {"form": "edges"},
        "An empty mailbox still has three dimensions.": {"form": "empty"},
    },
)
def mailbox(messages: Tensor, dst: Tensor, degree: int, *, form: str = "") -> tuple:
    ends, width = dst.tolist(), messages.shape[1]
    found = [i for i in sorted(set(ends)) if ends.count(i) == degree]
    if form == "first":
        found.sort(key=ends.index)
    held = sorted(ends) if form == "sorted" else ends
    edges = [[e for e, end in enumerate(held) if end == i] for i in found]
    places = torch.tensor(edges).long().view(-1, degree)
    if form == "as they come":
        places = places.flatten().sort().values.view(-1, degree)
    got = messages.double()[places].view(-1, degree, width)
    made = {
        "back": got.flip(1),
        "turned": got.transpose(0, 1),
        "places": places,
        "empty": got if found else torch.zeros(0),
    }.get(form, got)
    return [i for i in found for _ in range(degree if form == "edges" else 1)], made


# ---------------------------------------------------------------- A2.2


def _scores(rng: Generator, heads: int, scale: float = 2.0) -> tuple:
    n = drawn.size(rng, 4, 8)
    dst = torch.randint(n - 1, (4 * n,), generator=rng)  # one node hears nobody
    return drawn.numbers(rng, 4 * n, heads, scale=scale), dst, n


def _rounded_up(value: Tensor, *given: object) -> bool:
    """No weight so small that float32 would not hold it."""
    found = torch.as_tensor(value)
    return bool(found.isfinite().all()) and bool((found > -104).all())


_MIXED = torch.tensor([2, 0, 2, 0, 4, 0, 2])
_LOW = inputs.features(7, 2) - 500 * (_MIXED == 2).float().unsqueeze(1)


@question(
    "A2.2",
    "Without any library",
    chapter="3",
    tolerance=1e-3,
    cases=[
        case(torch.tensor([[0.0], [1.0]]), torch.tensor([0, 0]), 1),
        case(inputs.features(3, 1), torch.tensor([1, 0, 1]), 2),
        case(inputs.features(7, 2), _MIXED, 5),
        case(100 * inputs.features(7, 2), _MIXED, 5, tag="scores are as large as 300"),
        case(_LOW, _MIXED, 5, tag="the scores of one target lie 500 below the others"),
        case(inputs.features(7, 3, 2) + 1000, _MIXED, 6, tag="scores lie near 1000"),
    ],
    drawn={
        "one head": lambda rng: _scores(rng, 1),
        "several heads": lambda rng: _scores(rng, 3),
        "large scores": lambda rng: _scores(rng, 2, 400.0),
    },
    mistakes={
        "These are the weights, not their logarithms.": {"form": "weights"},
        "It is the logarithm of a weight rounded to 0.": {"form": "late"},
        "Nothing is subtracted before the exponential.": {"form": "naive"},
        "The largest score of the whole graph is subtracted.": {"form": "one top"},
        "The logarithm of the sum is missing.": {"form": "largest"},
        "The sum is subtracted without its logarithm.": {"form": "no log"},
        "The mean of the exponentials is taken, not their sum.": {"form": "mean"},
        "One softmax runs over all edges of a head.": {"over": "all"},
        "The softmax runs over the heads of an edge.": {"over": "heads"},
        "It takes the edges to be sorted by target.": {"over": "sorted"},
        "The heads of a target share one sum.": {"over": "both"},
        "A weight rounded to 0 is replaced by a small number.": Holds(_rounded_up),
    },
)
def log_weights(
    scores: Tensor, dst: Tensor, num_nodes: int, *, over: str = "", form: str = ""
) -> Tensor:
    ends, scores = dst.sort().values if over == "sorted" else dst, scores.double()
    ends = dst * 0 if over == "all" else ends
    if over == "heads":
        return scores.log_softmax(1)
    found = torch.zeros_like(scores)
    for i in ends.unique().tolist():
        own = scores[ends == i]
        dims = (0, 1) if over == "both" else (0,)
        top = own.amax(dims, keepdim=True)
        if form in ("naive", "one top"):
            narrow = own.float() - (scores.max() if form == "one top" else 0)
            found[ends == i] = (narrow - narrow.exp().sum(0).log()).double()
            continue
        total = (own - top).exp().sum(dims, keepdim=True)
        right = own - top - total.log()
        found[ends == i] = {
            "": right,
            "weights": right.exp(),
            "late": right.float().exp().log().double(),
            "largest": own - top,
            "no log": own - top - total,
            "mean": right + torch.tensor(float(len(own))).log(),
        }[form]
    return found


# ---------------------------------------------------------------- A2.3


def _pairs(graph: GraphData, alpha: Tensor, of: str = "sum") -> Tensor:
    """What each pair's edges weigh together, `[N, N, K]`, targets first."""
    if of == "turned":
        return _pairs(graph, alpha).transpose(0, 1)
    n = graph.num_nodes
    found = torch.zeros(n, n, alpha.shape[1], dtype=torch.float64)
    for i, j, weight in zip(graph.dst, graph.src, alpha.double(), strict=True):
        most = torch.maximum(found[i, j], weight)
        found[i, j] = {"sum": found[i, j] + weight, "last": weight, "most": most}[of]
    return found


def _weights(rng: Generator, heads: int, **kinds: bool) -> tuple[GraphData, Tensor]:
    n = drawn.size(rng, 5, 7)
    graph = drawn.graph(rng, n, 3 * n, **kinds)
    scores = drawn.numbers(rng, graph.num_edges, heads, scale=1.5)
    return graph, by_hand.edge_weights(scores, graph).float()


def _clear(rng: Generator, **kinds: bool) -> tuple[GraphData, Tensor]:
    """Weights of which one leads clearly, for each node and head."""
    while True:
        graph, alpha = _weights(rng, 2, **kinds)
        first, second = _pairs(graph, alpha).topk(2, dim=1).values.unbind(1)
        if bool(((first - second > 0.01) | (first == 0)).all()):
            return graph, alpha


# Weights of an edge, of the same again, and of two others: two sources lead.
_TIED = torch.tensor([[2.0, 1, 3, 2], [1, 1, 3, 3], [1, 2, 2, 3]]) / 8


def _ties(rng: Generator) -> tuple[GraphData, Tensor]:
    n = drawn.size(rng, 5, 7)
    src, alpha = [], []
    for _ in range(n):
        order = torch.randperm(4, generator=rng)
        a, b, c = torch.randperm(n, generator=rng)[:3].tolist()
        src.append(torch.tensor([a, a, b, c])[order])
        alpha.append(_TIED[torch.randint(3, (2,), generator=rng)].t()[order])
    dst = torch.arange(n).repeat_interleave(4)
    return GraphData(num_nodes=n, src=torch.cat(src), dst=dst), torch.cat(alpha)


def _given(graph: GraphData, heads: int, shift: int = 0) -> Tensor:
    """Weights of few digits."""
    scores = inputs.features(graph.num_edges, heads, shift)
    return by_hand.edge_weights(scores, graph).float().mul(16).round() / 16


_TWO, _JOINED, _TWICE, _LOOPS, _UNEVEN = inputs.graphs()


@question(
    "A2.3",
    "What do the heads learn?",
    chapter="4",
    tolerance=0.0,
    cases=[
        case(_TWO, torch.ones(1, 1)),
        case(_LOOPS, torch.tensor([[0.25], [0.75], [1.0]])),
        case(_JOINED, torch.tensor([[0.5, 0.25], [0.5, 0.75]]), tag="sources tie"),
        case(_TWICE, torch.tensor([[0.5], [0.125], [0.375]])),
        case(_TWICE, torch.tensor([[0.3], [0.3], [0.4]]), tag="an edge occurs twice"),
        case(
            _TWICE, torch.tensor([[0.25], [0.25], [0.5]]), tag="two edges tie with one"
        ),
        case(_UNEVEN, _given(_UNEVEN, 2, 1)),
    ],
    drawn={
        "nodes without neighbours": lambda rng: _clear(rng, lonely=True),
        "repeated edges": lambda rng: _clear(rng, repeats=True),
        "ties": _ties,
    },
    mistakes={
        "It is the largest single weight; repeated edges add up.": {"of": "most"},
        "Of a repeated edge one weight alone is left.": {"of": "last"},
        "Of equals the largest number is taken.": {"form": "largest"},
        "A node without neighbours gets 0, not -1.": {"none": "zero"},
        "A node without neighbours gets its own number.": {"none": "own"},
        "That is the weight, not the number of the source.": {"form": "weight"},
        "Targets and sources are swapped.": {"of": "turned"},
        "A self-loop is left out; a node may hear itself most.": {"form": "no loops"},
        "All heads get the answer of their mean.": {"form": "mean"},
    },
)
def heard_most(
    graph: GraphData, alpha: Tensor, *, of: str = "sum", none: str = "", form: str = ""
) -> Tensor:
    total = _pairs(graph, alpha, of)
    nodes = torch.arange(len(total)).unsqueeze(1)
    if form == "no loops":
        total = total * (nodes != nodes.t()).unsqueeze(2)
    if form == "mean":
        total = total.mean(2, keepdim=True).expand_as(total)
    best, most = total.argmax(1), total.amax(1)  # the first of equals
    if form == "largest":
        best = len(total) - 1 - total.flip(1).argmax(1)
    empty = {"": -torch.ones_like(nodes), "zero": nodes * 0, "own": nodes}[none]
    return most if form == "weight" else torch.where(most == 0, empty, best)


# ---------------------------------------------------------------- A2.4


def _output(rng: Generator, heads: int, scale: float = 1.0, **kinds: bool) -> tuple:
    graph, alpha = _weights(rng, heads, **kinds)
    z = drawn.numbers(rng, graph.num_nodes, heads, 3, scale=scale)
    return graph, alpha, z, drawn.numbers(rng, 3)


def _classes(graph: GraphData, heads: int, width: int, scale: int = 1) -> tuple:
    z = scale * inputs.numbers(graph.num_nodes, heads, width, shift=2)
    return graph, _given(graph, heads), z, inputs.numbers(width, shift=1)


@question(
    "A2.4",
    "Merging the heads",
    chapter="4",
    tolerance=1e-3,
    cases=[
        case(*_classes(_JOINED, 1, 2)),
        case(*_classes(_LOOPS, 2, 2)),
        case(*_classes(_TWICE, 2, 3), tag="an edge occurs twice"),
        case(*_classes(_UNEVEN, 3, 2)),
        case(*_classes(_LOOPS, 2, 3, 400), tag="numbers are as large as 700"),
    ],
    drawn={
        "several heads": lambda rng: _output(rng, 3, repeats=True),
        "nodes without neighbours": lambda rng: _output(rng, 2, lonely=True),
        "large numbers": lambda rng: _output(rng, 2, 300.0),
    },
    mistakes={
        "The heads are added up, not averaged.": {"heads": "sum"},
        "Weights and z are averaged before they meet.": {"heads": "apart"},
        "The log-softmax comes before the mean.": {"heads": "early"},
        "The bias is missing.": {"adds": "none"},
        "The bias is added after the log-softmax.": {"adds": "late"},
        "A node without neighbours gets no bias.": {"adds": "heard"},
        "These are probabilities, not their logarithms.": {"form": "softmax"},
        "The log-softmax is missing.": {"form": "logits"},
        "The log-softmax runs over the nodes, not the classes.": {"form": "nodes"},
        "It is the logarithm of a probability rounded to 0.": {"form": "late"},
        "Messages run backwards: from target to source.": {"of": "turned"},
        "Of a repeated edge one weight alone is left.": {"of": "last"},
    },
)
def log_probabilities(
    graph: GraphData,
    alpha: Tensor,
    z: Tensor,
    bias: Tensor,
    *,
    of: str = "sum",
    heads: str = "mean",
    form: str = "",
    adds: str = "",
) -> Tensor:
    weights, z, b = _pairs(graph, alpha, of), z.double(), bias.double()
    if heads == "apart":
        weights, z = weights.mean(2, keepdim=True), z.mean(1, keepdim=True)
    b = b * (graph.in_degrees > 0).unsqueeze(1) if adds == "heard" else b
    out = torch.einsum("ijk,jkc->ikc", weights, z)
    if heads == "early":
        return (out + bias).log_softmax(2).mean(1)
    out = out.sum(1) if heads == "sum" else out.mean(1)
    out = out if adds in ("none", "late") else out + b
    found = {
        "": out.log_softmax(1),
        "softmax": out.softmax(1),
        "logits": out,
        "nodes": out.log_softmax(0),
        "late": out.float().softmax(1).log().double(),
    }[form]
    return found + b if adds == "late" else found


# ---------------------------------------------------------------- A2.5


def _stack(rng: Generator, count: int) -> tuple[GraphData, list[Tensor]]:
    graph, _ = _weights(rng, 1, repeats=True, lonely=True)
    shapes = [(graph.num_edges, drawn.size(rng, 2, 3)) for _ in range(count)]
    scores = [drawn.numbers(rng, *shape, scale=1.5) for shape in shapes]
    return graph, [by_hand.edge_weights(s, graph).float() for s in scores]


def _layers(graph: GraphData, *heads: int) -> tuple[GraphData, list[Tensor]]:
    return graph, [_given(graph, k, shift) for shift, k in enumerate(heads)]


@question(
    "A2.5",
    "Without messages: two sparse products",
    chapter="3",
    cases=[
        case(*_layers(_JOINED, 1)),
        case(*_layers(_LOOPS, 2)),
        case(*_layers(_LOOPS, 1, 1)),
        case(*_layers(_TWICE, 2), tag="an edge occurs twice"),
        case(*_layers(_UNEVEN, 2, 2)),
        case(*_layers(_UNEVEN, 3, 2, 1), tag="there are three layers"),
        case(*_layers(_TWO), tag="there is no layer"),
    ],
    drawn={
        "two layers": lambda rng: _stack(rng, 2),
        "more layers": lambda rng: _stack(rng, drawn.size(rng, 3, 4)),
        "one layer or none": lambda rng: _stack(rng, drawn.size(rng, 0, 1)),
    },
    mistakes={
        "The last layer acts first; the first should.": {"form": "reversed"},
        "Rows and columns are swapped: row i is for target i.": {"form": "turned"},
        "Of a repeated edge one weight alone is left.": {"of": "last"},
        "The heads are added up, not averaged.": {"heads": "sum"},
        "The first head speaks for all.": {"heads": "first"},
        "Weights are multiplied cell by cell.": {"form": "cells"},
        "Only the last layer is looked at.": {"form": "last"},
        "The layers are added up.": {"form": "sum"},
        "Half of each layer's output is the node's own.": {"form": "half"},
        "A node without neighbours keeps what it had.": {"form": "lonely"},
        "Without a layer each node is its own output.": {"form": "nothing"},
    },
)
def influence(
    graph: GraphData,
    layers: list[Tensor],
    *,
    of: str = "sum",
    heads: str = "mean",
    form: str = "",
) -> Tensor:
    eye = torch.eye(graph.num_nodes).double()
    found = eye * (form != "nothing" or len(layers))
    alone = torch.diag((graph.in_degrees == 0).double())
    for number, alpha in enumerate(layers[::-1] if form == "reversed" else layers):
        pairs = _pairs(graph, alpha, of)
        step = {"mean": pairs.mean(2), "sum": pairs.sum(2), "first": pairs[:, :, 0]}[
            heads
        ]
        step = {"half": (step + eye) / 2, "lonely": step + alone}.get(form, step)
        changed = {"last": step, "cells": found * step, "sum": found + step}
        found = changed.get(form, step @ found) if number else step
    return found.t() if form == "turned" else found
