"""Checks of exercises 10.4 to 10.7."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gat_course.checks import by_hand, inputs, reading
from gat_course.checks.question import Holds, Made, case, question
from gat_course.datasets.power_law import power_law_graph
from gat_course.graph import GraphData

# ---------------------------------------------------------------- 10.4


def _share_cases() -> list:
    one = [torch.tensor([1.0]), torch.tensor([4.0])]
    three = [inputs.numbers(3, 2, shift=s) for s in (0, 3, 7)]
    return [
        case(one[:1], [5]),
        case(one, [1, 1]),
        case(one, [1, 3]),
        case(one, [2, 6]),
        case(three, [5, 5, 4]),
        case(three, [1, 2, 9]),
        case(three, [3, 3, 3]),
        case(three[:2], [0, 4], tag="a share is empty"),
    ]


@question(
    "10.4",
    "Several processes",
    cases=_share_cases(),
    mistakes={
        "That is the plain mean: a process with fewer nodes counts too much.": {
            "form": "mean"
        },
        "That is the sum of the gradients.": {"form": "sum"},
        "The sum is right but for a factor: divide by the number of all nodes.": {
            "by": "one"
        },
        "Divided by the number of processes, not of nodes.": {"by": "processes"},
        "The weights are upside down: more nodes, more weight.": {"form": "inverse"},
        "The largest share alone is taken.": {"form": "largest"},
        "The sizes come in reverse order.": {"form": "reverse"},
        "Divided by the largest share, not by the number of all nodes.": {"by": "max"},
        "The weights are a softmax of the sizes; they are the sizes' shares.": {
            "form": "softmax"
        },
        "The gradients are averaged over all their numbers.": {"form": "number"},
        "The weights are the squares of the sizes.": {"form": "square"},
        "They are stacked, not combined.": {"form": "stack"},
        "Merged one after the other, what is merged counts as much as all shares in "
        "it, not as the last of them.": {"form": "running"},
        "Shares smaller than the largest are dropped; they count by their size.": {
            "form": "full"
        },
        "The gradients are means already: their sum divided by all nodes is too "
        "small.": {"form": "sum over nodes"},
        "The sizes are compared with the first share; divide by all nodes.": {
            "by": "first"
        },
    },
)
def combine(
    gradients: list[Tensor], sizes: list[int], *, form: str = "", by: str = "nodes"
) -> Tensor:
    g = torch.stack([part.double() for part in gradients])
    n = torch.tensor(sizes, dtype=torch.float64)
    weight = {
        "mean": torch.ones_like(n) / len(n),
        "sum": torch.ones_like(n),
        "sum over nodes": torch.ones_like(n) / n.sum(),
        "inverse": (1 / n) / (1 / n).sum(),
        "largest": (n == n.max()).double(),
        "full": (n == n.max()).double() / (n == n.max()).sum(),
        "reverse": n.flip(0) / n.sum(),
        "softmax": n.softmax(0),
        "square": n**2 / (n**2).sum(),
    }.get(form, n / n.sum())
    if by != "nodes":
        first = float(n[0]) * len(n)
        below = {"one": 1, "processes": len(n), "max": float(n.max()), "first": first}
        weight = n / below[by]
    if form == "stack":
        return g
    if form == "running":
        mean = g[0]
        for part, last, new in zip(g[1:], n, n[1:], strict=False):
            mean = (last * mean + new * part) / (last + new)
        return mean
    if not bool(weight.isfinite().all()):
        raise ZeroDivisionError
    found = torch.einsum("p,p...->...", weight, g)
    return found.mean() if form == "number" else found


# ---------------------------------------------------------------- 10.5


def _most(num_nodes: int, num_parts: int) -> int:
    return -(-num_nodes // num_parts)


def _parts(value: Any, graph: GraphData, num_parts: int) -> Tensor:
    found, n = reading.numbers(value, "The parts"), graph.num_nodes
    if found.shape != (n,):
        raise reading.Form(
            f"The parts should have shape [{n}]; they have {list(found.shape)}."
        )
    if bool((found != found.round()).any()):
        raise reading.Form("The parts should be whole numbers.")
    if bool(((found < 0) | (found >= num_parts)).any()):
        raise reading.Form(
            f"The parts should be from 0 to {num_parts - 1}; yours go from "
            f"{float(found.min()):g} to {float(found.max()):g}."
        )
    sizes, most = torch.bincount(found.long(), minlength=num_parts), _most(n, num_parts)
    if int(sizes.max()) > most:
        raise reading.Form(
            f"The parts have {sizes.tolist()} nodes; each may have {most} at most."
        )
    return found


def _stream_cases() -> list:
    def given(src: list, dst: list, n: int, parts: int, tag: str = "") -> Any:
        return case(GraphData(num_nodes=n, src=src, dst=dst), parts, tag=tag)

    # 128 nodes a part: shares of it are exact, so that ties are ties.
    text = "power_law_graph(512, 6000, 4, 4, exponent=4.0, inside=0.9, seed=3)"
    large = Made(
        text,
        lambda: power_law_graph(512, 6000, 4, 4, exponent=4.0, inside=0.9, seed=3),
    )
    return [
        given([0], [0], 1, 1),
        given([0], [1], 2, 2),
        given([], [], 3, 2, "there is no edge"),
        given([0, 0], [2, 3], 4, 2),
        given([3, 2], [0, 0], 4, 2, "sources come later than their targets"),
        given([0, 0, 0, 1], [1, 2, 3, 2], 4, 2),
        given([0, 1, 1, 0], [2, 2, 2, 3], 4, 2, "an edge occurs twice"),
        given([0, 1, 2, 4, 0, 1], [3, 3, 4, 5, 5, 5], 6, 3),
        given([0, 1, 0, 2, 3, 1, 1], [4, 4, 5, 5, 6, 6, 7], 8, 2),
        given([3, 1, 2, 0], [1, 4, 5, 3], 7, 2, "the parts cannot all be full"),
        case(large, 4),
    ]


@question(
    "10.5",
    "Several machines",
    read=_parts,
    tolerance=0.0,
    cases=_stream_cases(),
    mistakes={
        "A part's score needs its share of free places, 1 − size / most.": {
            "room": "none"
        },
        "Count the edges into the node, from its sources; these are from it.": {
            "turned": True
        },
        "Edges in both directions count in your answer; those into the node do.": {
            "both": True
        },
        "Of parts with the same score take the one with fewest nodes.": {
            "ties": "first"
        },
        "Of parts with the same score and size take the first.": {"ties": "last"},
        "Nodes are dealt in turn; edges play no part.": {"form": "turn"},
        by_hand.TWICE: {"once": True},
        "Placed sources are counted as yes or no; count the edges.": {"once": "any"},
        "Your free places are size / most: full parts attract.": {"room": "full"},
        "Nodes are taken from the last to the first.": {"form": "backwards"},
        "Your most is N / P rounded down; it is rounded up.": {"room": "down"},
        "Edges are counted from nodes that are not placed yet, too: as part 0.": {
            "form": "early"
        },
    },
)
def cut_in_a_stream(
    graph: GraphData,
    num_parts: int,
    *,
    room: str = "",
    turned: bool = False,
    both: bool = False,
    ties: str = "",
    once: bool | str = False,
    form: str = "",
) -> list[int]:
    n, most = graph.num_nodes, _most(graph.num_nodes, num_parts)
    if form == "turn":
        return [i % num_parts for i in range(n)]
    sources: list[list[int]] = [[] for _ in range(n)]
    for a, b in zip(graph.src.tolist(), graph.dst.tolist(), strict=True):
        if not turned:
            sources[b].append(a)
        if turned or both:
            sources[a].append(b)
    part, sizes = [0 if form == "early" else -1] * n, [0] * num_parts
    for node in reversed(range(n)) if form == "backwards" else range(n):
        near = [part[a] for a in (set(sources[node]) if once else sources[node])]
        best = max(
            (p for p in range(num_parts) if sizes[p] < most),
            key=_rank(near, sizes, most, n // num_parts, room, ties, once),
        )
        part[node] = best
        sizes[best] += 1
    return part


def _rank(
    near: list[int],
    sizes: list[int],
    most: int,
    down: int,
    room: str,
    ties: str,
    once: Any,
) -> Callable[[int], tuple]:
    """How good a part is for a node."""

    def rank(p: int) -> tuple:
        count = near.count(p)
        count = min(count, 1) if once == "any" else count
        free = {
            "": most - sizes[p],
            "none": 1,
            "full": sizes[p],
            "down": down - sizes[p],
        }[room]
        fewest = 0 if ties == "first" else -sizes[p]
        return count * free, fewest, p if ties == "last" else -p

    return rank


# ---------------------------------------------------------------- 10.7


def _shares(function: Callable, nodes: Tensor, world: int, epoch: int) -> Any:
    found = [function(nodes.clone(), rank, world, epoch) for rank in range(world)]
    if all(part is None for part in found):
        return None
    return found


def _covering(value: Any, nodes: Tensor, world: int, epoch: int) -> dict[str, Any]:
    parts = [reading.numbers(part, "A share") for part in value]
    every = torch.cat([part.flatten() for part in parts]).tolist()
    wanted = sorted(nodes.double().tolist())
    lost = sorted(set(wanted) - set(every))
    twice = sorted({v for v in every if every.count(v) > 1})
    alien = sorted(set(every) - set(wanted))
    sizes = [len(part) for part in parts]
    return {
        "nodes that no process has": [f"{v:g}" for v in lost],
        "nodes that several have": [f"{v:g}" for v in twice],
        "nodes that were not given": [f"{v:g}" for v in alien],
        "sizes differ by at most one": str(max(sizes) - min(sizes) <= 1),
    }


def _lost(value: Any, nodes: Tensor) -> tuple[int, int]:
    """How many nodes no process has, and how many several have."""
    every = torch.cat([reading.numbers(part).flatten() for part in value]).tolist()
    twice = len(every) - len(set(every))
    return len(set(nodes.double().tolist()) - set(every)), twice


def _overlap_and_lose(value: Any, nodes: Tensor, world: int, epoch: int) -> bool:
    lost, twice = _lost(value, nodes)
    return lost > 0 and twice > 0


def _lose(value: Any, nodes: Tensor, world: int, epoch: int) -> bool:
    return _lost(value, nodes)[0] > 0


def _new_order(function: Callable) -> str | None:
    nodes = torch.arange(60) + 100
    epochs = [torch.as_tensor(function(nodes.clone(), 0, 2, e)) for e in (0, 1, 2)]
    if torch.equal(epochs[0], epochs[1]) or torch.equal(epochs[1], epochs[2]):
        return (
            "The shares are right, but process 0 has the same nodes in the same order "
            "in two of the epochs 0, 1 and 2: each epoch should have an order of its "
            "own."
        )
    again = torch.as_tensor(function(nodes.clone(), 0, 2, 1))
    if not torch.equal(again, epochs[1]):
        return "Asked twice for the same epoch, process 0 gets two different shares."
    return None


@question(
    "10.7",
    "Several processes",
    call=_shares,
    read=_covering,
    limits=[_new_order],
    cases=[
        case(torch.tensor([5]), 1, 0),
        case(torch.tensor([5, 7]), 2, 0),
        case(torch.arange(12) * 3, 2, 0),
        case(torch.arange(12) * 3, 3, 4),
        case(torch.arange(13) * 3, 3, 1, tag="the nodes do not divide evenly"),
        case(torch.arange(14) * 3, 3, 1, tag="the nodes do not divide evenly"),
    ],
    mistakes={
        "Each process still shuffles with a seed of its own: some nodes are in several "
        "shares, others in none.": {"seed": "rank"},
        "Every process has all nodes.": {"take": "all"},
        "The nodes that are left over are lost.": {"take": "whole"},
        "The nodes that are left over all go to the last process.": {"take": "last"},
        "Node numbers are lost: positions are returned.": {"take": "places"},
        "Nodes are drawn with replacement.": {"seed": "replaced"},
        "The shares are padded with nodes that another process has.": {"take": "pad"},
        "Process 0 gets everything.": {"take": "first"},
        "Some nodes are in several shares and others in none: the processes do not cut "
        "one common order.": Holds(_overlap_and_lose),
        "Some nodes are in no share.": Holds(_lose),
        "Shares of the size rounded up leave too little for the last process.": {
            "take": "up"
        },
        "Ranks are counted from 0 to world − 1.": {"take": "from one"},
        "Each process still has an order of its own, and blocks of different orders "
        "overlap.": {"seed": "rank", "take": "blocks"},
    },
)
def mended_share(
    nodes: Tensor, world: int, epoch: int, *, seed: str = "", take: str = ""
) -> list[Tensor]:
    found = []
    for rank in range(world):
        n, shift = len(nodes), 1000 * rank if seed == "rank" else 0
        generator = torch.Generator().manual_seed(epoch + shift)
        order = torch.randperm(n, generator=generator)
        if seed == "replaced":
            order = torch.randint(n, (n,), generator=generator)
        size = n // world
        own = {
            "all": order,
            "whole": order[: size * world][rank::world],
            "last": order[
                rank * size : None if rank == world - 1 else (rank + 1) * size
            ],
            "pad": torch.cat([order, order[: -n % world]])[rank::world],
            "first": order if rank == 0 else order[:0],
            "up": order[rank * -(-n // world) : (rank + 1) * -(-n // world)],
            "from one": order[rank - 1 :: world] if rank else order[:0],
            "blocks": order[rank * n // world : (rank + 1) * n // world],
        }.get(take, order[rank::world])
        found.append(own if take == "places" else nodes[own])
    return found
