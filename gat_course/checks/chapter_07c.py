"""Checks of exercises 7.5 to 7.8."""

import math
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course.checks import inputs, reading
from gat_course.checks.question import Made, case, question
from gat_course.graph import GraphData

# ---------------------------------------------------------------- 7.5


@question(
    "7.5",
    "Links",
    tolerance=1e-6,
    cases=[
        case(torch.tensor([2.0]), torch.tensor([1.0]), 1),
        case(torch.tensor([1.0]), torch.tensor([1.0]), 1, tag="scores are equal"),
        case(torch.tensor([2.0, 0.5]), torch.tensor([1.0, 0.0]), 1),
        case(torch.tensor([2.0, 0.5]), torch.tensor([1.0, 0.0]), 2),
        case(torch.tensor([3.0, 1.5, 0.5]), torch.tensor([0.0, 2.0, 1.0, 2.0]), 2),
        case(torch.tensor([3.0, 1.5, 0.5, 2.5]), torch.tensor([0.0, 2.0, 1.0]), 3),
        case(
            inputs.numbers(12) + 0.5,
            inputs.numbers(20, shift=3),
            5,
            tag="many scores are equal",
        ),
        case(inputs.numbers(12).sin() + 0.5, inputs.numbers(20, shift=3).cos(), 4),
        case(
            inputs.numbers(12).sin(),
            inputs.numbers(20, shift=3).cos(),
            20,
            tag="k is all pairs",
        ),
    ],
    mistakes={
        "That is in percent; it should be from 0 to 1.": {"by": "percent"},
        "A link must score higher than the bar; equal is not enough.": {"equal": True},
        "The bar is the k-th best pair without a link, not the next one.": {"more": 1},
        "Your bar is the one after the k-th best: lists are counted from 0.": {
            "bar": "next"
        },
        "The bar is the k-th best pair without a link, not the one before.": {
            "more": -1
        },
        "The bar is the k-th best, not the k-th worst.": {"worst": True},
        "The bar is a pair without a link, not any pair.": {"pool": "all"},
        "The bar is a pair without a link, not a link.": {"pool": "links"},
        "That is a number of links; their share is asked for.": {"by": "one"},
        "It is divided by k; the share is of the linked pairs.": {"by": "k"},
        "It is divided by the pairs without a link; the share is of the linked "
        "pairs.": {"by": "others"},
        "The scores come in any order: sort them first.": {"sort": False},
        "The other way round: links that score lower are counted.": {"lower": True},
        "Equal scores count as one place; the k-th best counts each.": {
            "distinct": True
        },
        "The share is of all pairs, linked or not.": {"by": "all"},
        "It is the share of links among the k best of all pairs, a precision.": {
            "by": "precision"
        },
        "The bar is the mean of the k best; the k-th is asked for.": {"bar": "mean"},
    },
)
def hits(
    there: Tensor,
    nowhere: Tensor,
    k: int,
    *,
    by: str = "links",
    equal: bool = False,
    more: int = 0,
    worst: bool = False,
    pool: str = "nowhere",
    sort: bool = True,
    lower: bool = False,
    distinct: bool = False,
    bar: str = "",
) -> float:
    a, b = there.double().tolist(), nowhere.double().tolist()
    from_ = {"nowhere": b, "all": a + b, "links": a}[pool]
    from_ = list(set(from_)) if distinct else from_
    order = sorted(from_, reverse=not worst) if sort else from_
    level = order[min(max(k - 1 + more, 0), len(order) - 1)]
    if bar == "next":
        level = order[k] if k < len(order) else -math.inf
    elif bar == "mean":
        level = float(torch.tensor(order[:k]).mean())
    if by == "precision":
        best = torch.cat([there, nowhere]).topk(k).indices
        return float((best < len(a)).double().mean())
    found = sum((s >= level if equal else s < level if lower else s > level) for s in a)
    below = {
        "links": len(a),
        "percent": len(a) / 100,
        "one": 1,
        "k": k,
        "others": len(b),
        "all": len(a) + len(b),
    }[by]
    return found / below


# ---------------------------------------------------------------- 7.6


def _leak_cases() -> list:
    one = GraphData(num_nodes=3, src=[0], dst=[1])
    six = GraphData(num_nodes=6, src=[0, 1, 1, 2, 5, 4, 3], dst=[1, 0, 2, 1, 4, 4, 3])
    generator = torch.Generator().manual_seed(0)
    src, dst = torch.randint(2100, (2, 300), generator=generator)
    big = GraphData(num_nodes=2100, src=src, dst=dst)
    first, second = src[:4], dst[:4]
    near = torch.stack([first, (second + 1) % 2100])
    far = torch.stack([(first + 1) % 2100, (second + 1100) % 2100])
    wide = torch.cat([torch.stack([second, first]), near, far], dim=1)
    return [
        case(one, torch.tensor([[0], [1]])),
        case(one, torch.tensor([[1], [0]]), tag="the edge runs the other way"),
        case(one, torch.tensor([[0], [2]])),
        case(
            GraphData(num_nodes=8, src=[0], dst=[5]),
            torch.tensor([[1, 2, 1, 1], [3, 2, 1, 4]]),
            tag="there are fewer pairs than nodes",
        ),
        case(one, torch.tensor([[1, 0, 2], [2, 1, 0]])),
        case(six, torch.tensor([[1, 2, 4, 0, 3, 0, 2], [0, 1, 5, 2, 4, 5, 4]])),
        case(six, torch.tensor([[3, 4, 0], [3, 4, 0]]), tag="a pair is one node twice"),
        case(GraphData(num_nodes=2, src=[], dst=[]), torch.tensor([[0, 1], [1, 0]])),
        case(
            GraphData(num_nodes=3, src=[0, 1], dst=[1, 2], edge_weight=[0.5, 2.0]),
            torch.tensor([[0, 2, 0], [1, 1, 2]]),
            tag="edges have weights",
        ),
        case(six, torch.zeros(2, 0, dtype=torch.long), tag="there is no pair"),
        case(big, wide, tag="node numbers are large"),
    ]


def _many_links(function: Callable) -> str | None:
    generator = torch.Generator().manual_seed(0)
    ends = torch.randint(3000, (2, 60_000), generator=generator)
    graph = GraphData(num_nodes=3000, src=ends[0], dst=ends[1])
    asked = torch.randint(3000, (2, 1500), generator=generator)
    start = time.perf_counter()
    function(graph, asked)
    taken = time.perf_counter() - start
    if taken > 15:
        return f"With 1,500 links and 60,000 edges it takes {taken:.0f} seconds."
    return None


@question(
    "7.6",
    "Links",
    read=reading.truths(),
    cases=_leak_cases(),
    limits=[_many_links],
    mistakes={
        "Look in both directions: messages may run against the pair's order.": {
            "ways": "one"
        },
        "Only edges against the pair's order are looked at.": {"ways": "other"},
        "Both directions must have an edge in your answer; one is enough.": {
            "ways": "both"
        },
        "Only an edge between the two counts, not a way over others.": {"two": True},
        "Both ends must be joined by an edge, not merely be in some edge.": {
            "form": "touched"
        },
        "One end in some edge is not enough: an edge must join the two.": {
            "form": "either"
        },
        "True means that the pair is among the messages, not that it is not.": {
            "form": "not"
        },
        "A node with a self-loop is joined to itself: that pair is given away, too.": {
            "form": "no loops"
        },
        "A pair of one node twice is given away only if the node has a self-loop.": {
            "form": "itself"
        },
        "Every pair is marked.": {"form": "all"},
        "No pair is marked.": {"form": "none"},
        "Two different pairs get one number: multiply by N, not by less.": {
            "form": "hash"
        },
        "Two different pairs get one number: multiply by N, not by the largest number "
        "of a node.": {"form": "hash of largest"},
        "An edge gives the answer away whatever its weight is; yours looks for weights "
        "of 1 and more.": {"form": "heavy"},
        "Two different pairs get one number: the sum of two nodes does not name "
        "them.": {"form": "hash sum"},
        "Two different pairs get one number: multiply by N, not by the number of "
        "pairs.": {"form": "hash of pairs"},
        "The numbers of the pairs are returned; mark each pair.": {"form": "numbers"},
        "One answer for all pairs comes out; mark each.": {"form": "any"},
    },
)
def leaked(
    graph: GraphData,
    links: Tensor,
    *,
    ways: str = "",
    two: bool = False,
    form: str = "",
) -> Tensor:
    edges = set(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))
    if form == "heavy" and graph.edge_weight is not None:
        heavy = (graph.edge_weight >= 1).tolist()
        pairs = zip(graph.src.tolist(), graph.dst.tolist(), heavy, strict=True)
        edges = {(a, b) for a, b, counts in pairs if counts}
    base = {
        "hash of pairs": links.shape[1],
        "hash sum": 1,
        "hash of largest": graph.num_nodes - 1,
    }.get(form, 1000)
    numbers = {a * base + b for a, b in edges | {(b, a) for a, b in edges}}
    touched = {node for edge in edges for node in edge}
    found = []
    for a, b in links.t().tolist():
        here, back = (a, b) in edges, (b, a) in edges
        joined = {"one": here, "other": back, "both": here and back}.get(
            ways, here or back
        )
        if two:
            joined = joined or any(
                {(a, c), (c, a)} & edges and {(b, c), (c, b)} & edges for c in touched
            )
        joined = {
            "touched": a in touched and b in touched,
            "either": a in touched or b in touched,
            "not": not joined,
            "no loops": joined and a != b,
            "itself": joined or a == b,
            "all": True,
            "none": False,
        }.get(form, joined)
        if form.startswith("hash"):
            joined = a * base + b in numbers
        found.append(joined)
    if form == "any":
        return torch.tensor(any(found))
    if form == "numbers":
        return torch.tensor([k for k, joined in enumerate(found) if joined])
    return torch.tensor(found, dtype=torch.bool)


# ---------------------------------------------------------------- 7.8


def _linear(inside: int, outside: int) -> Made:
    """A projection without a bias, made anew for each call."""
    numbers = inputs.numbers(outside, inside, shift=2)

    def make() -> nn.Linear:
        layer = nn.Linear(inside, outside, bias=False)
        layer.weight.data = numbers.clone()
        return layer

    text = f"nn.Linear({inside}, {outside}, bias=False)"
    return Made(f"{text}\n# its weight: {numbers.tolist()}", make)


def _flows(function: Callable) -> str | None:
    x = inputs.numbers(3, 2).requires_grad_()
    for width in (2, 3):
        found = function(inputs.numbers(3, width), x, _linear(2, width).given())
        back = None
        if isinstance(found, Tensor) and found.requires_grad:
            back = torch.autograd.grad(found.sum(), x, allow_unused=True)[0]
        if back is None:
            return (
                "The numbers are right, but no gradient flows back to x, with F = 2 "
                f"and F' = {width}: that is what a residual connection is for."
            )
    return None


@question(
    "7.8",
    '3 "It cures over-smoothing"',
    limits=[_flows],
    cases=[
        case(inputs.numbers(1, 2), inputs.numbers(1, 2, shift=3), _linear(2, 2)),
        case(inputs.numbers(1, 2), inputs.numbers(1, 3, shift=3), _linear(3, 2)),
        case(inputs.numbers(4, 3), inputs.numbers(4, 3, shift=5), _linear(3, 3)),
        case(inputs.numbers(4, 3), inputs.numbers(4, 2, shift=5), _linear(2, 3)),
        case(
            inputs.numbers(4, 3),
            inputs.numbers(4, 1, shift=5),
            _linear(1, 3),
            tag="F is 1",
        ),
    ],
    mistakes={
        "Where the sizes agree the sum is still lost: it is computed, and thrown "
        "away.": {"same": "lost"},
        "Where the sizes differ nothing is added: there the projection makes them "
        "equal.": {"differ": "lost"},
        "Where the sizes agree x is added as it is; your answer projects it.": {
            "same": "projected"
        },
        "x is returned without what the layer computed.": {"same": "x"},
        "The layer's output is subtracted; add it.": {"sign": -1.0},
        "x is added twice.": {"times": 2.0},
        "Sizes that differ are told by an error or by the number of nodes; compare the "
        "numbers of features.": {"differ": "broadcast"},
        "The two are averaged; a residual connection adds.": {"times": "mean"},
        "The result is multiplied, not added.": {"product": True},
        "An activation is left in; it comes after the sum, outside.": {"elu": True},
        "Where the sizes differ the projection takes the place of the output; "
        "add it.": {"differ": "only"},
    },
)
def mended_residual(
    out: Tensor,
    x: Tensor,
    project: nn.Linear,
    *,
    same: str = "",
    differ: str = "",
    sign: float = 1.0,
    times: float | str = 1.0,
    product: bool = False,
    elu: bool = False,
) -> Tensor:
    out, x = out.double(), x.double()
    weight = project.weight.detach().double()
    agree = out.shape[1] == x.shape[1]
    way = same if agree else differ
    if way == "lost":
        return out
    if way == "x":
        return x
    if way == "broadcast":
        return out + x  # fails, or broadcasts, where F is not F'
    if way == "only":
        return x @ weight.t()
    skip = x if agree and way != "projected" else x @ weight.t()
    if product:
        return out * skip
    if times == "mean":
        return (out + skip) / 2
    found = sign * out + float(times) * skip
    return F.elu(found) if elu else found
