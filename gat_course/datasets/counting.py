"""COLORS and TRIANGLES: graphs in which something is to be counted (chapter 8)."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from gat_course.graph import GraphData
from gat_course.graph_packs import GraphPack

SMALL, GREEN, MOST = (4, 25), 1, 10  # nodes to train on, green's column, largest count
COLORS_PARTS = ("train", "val", "Test-Orig", "Test-Large", "Test-LargeC")
TRIANGLES_PARTS = ("train", "val", "Test-Orig", "Test-Large")


def colors(
    num_train: int = 500,
    num_val: int = 2500,
    num_test: int = 2500,
    *,
    dim: int = 3,
    seed: int = 0,
) -> dict[str, GraphPack]:
    r"""COLORS: how many nodes of a random graph are green?

    A node has one of `dim` colours. The answer, 0 to 10, is the number of green nodes,
    and so the right attention is 1 / that number for each of them and 0 for the others.
    A graph of $n$ nodes has between $n$ and $2n$ links, drawn at random; they mean
    nothing.

    Args:
        num_train: training graphs, of 4 to 25 nodes.
        num_val: validation graphs of the same sizes.
        num_test: graphs in each test set.
        dim: colours, at least 2.
        seed: the same seed gives the same graphs.

    Returns:
        "train", "val", "Test-Orig"; "Test-Large", graphs of 26 to 200 nodes; and
        "Test-LargeC", of such sizes too, whose nodes that are not green have several
        colours at once or none, one of them new. `x` is `[N, dim + 1]`: a column for
        each colour, the second for green, the last for the new one. No two graphs of
        the small sizes are the same.

    Raises:
        ValueError: a number is too small, or there are not so many different graphs.

    Source: Knyazev, Taylor and Amer, NeurIPS 2019, and their code.

    >>> counting.colors(num_train=20, num_val=5, num_test=5)["train"]
    GraphPack('COLORS, train', 20 graphs, ... 4 features, numbers, attention known)
    """
    if dim < 2:
        raise ValueError(f"dim must be at least 2, got {dim}")
    _require(num_train, num_val, num_test)
    random, found = np.random.default_rng(seed), {}
    wanted = dict.fromkeys(COLORS_PARTS, num_test)
    wanted |= {"train": num_train, "val": num_val}
    seen: set[bytes] = set()
    for part, number in wanted.items():
        low, high = (26, 200) if "Large" in part else SMALL
        rows, again = [], 0
        while len(rows) < number:
            n = low + len(rows) * max(1, (high - low + 1) // number) % (high - low + 1)
            green = int(random.integers(min(MOST, n) + 1))
            x = _coloured(n, green, dim, part == "Test-LargeC", random)
            pairs = _pairs(n, random)
            key = x.tobytes() + pairs.tobytes()
            again = again + 1 if key in seen else 0
            if again > 1000:
                raise ValueError(
                    f"there are not enough different graphs of {n} nodes and {dim} "
                    "colours: ask for fewer graphs, or for a larger dim"
                )
            if not again:
                seen.add(key)
                attention = (x[:, GREEN] == 1) / max(green, 1)
                rows.append((x, pairs, green, attention))
        found[part] = _pack(rows, f"COLORS, {part}")
    return found


def _coloured(
    n: int, green: int, dim: int, new: bool, random: np.random.Generator
) -> np.ndarray:
    """Features of a graph's nodes, `[n, dim + 1]`."""
    others = np.delete(np.arange(dim), GREEN)
    colour = np.concatenate([np.full(green, GREEN), random.choice(others, n - green)])
    random.shuffle(colour)
    x = np.eye(dim + 1)[colour]
    if new:
        mixed = random.integers(2, size=x.shape)
        mixed[:, GREEN] = 0
        x = np.where((colour == GREEN)[:, None], x, mixed)
    return x.astype(np.float32)


def triangles(
    num_train: int = 30_000,
    num_val: int = 5000,
    num_test: int = 5000,
    *,
    seed: int = 0,
) -> dict[str, GraphPack]:
    r"""TRIANGLES: how many triangles has a random graph?

    The answers 1 to 10 are equally frequent among the small graphs as a whole, and
    among the large ones. With $T_i$ the triangles that node $i$ is part of, the right
    attention is $T_i/\sum_j T_j$.

    Args:
        num_train: training graphs, of 4 to 25 nodes.
        num_val: validation graphs of the same sizes.
        num_test: graphs in each test set.
        seed: the same seed gives the same graphs.

    Returns:
        "train", "val", "Test-Orig"; and "Test-Large", graphs of 26 to 100 nodes. `x`
        `[N, 21]` says with a single 1 how many neighbours a node has; 20 stands for
        20 or more.

    Raises:
        ValueError: a number is too small.

    Source: Knyazev, Taylor and Amer, NeurIPS 2019, and their code.

    >>> counting.triangles(num_train=20, num_val=10, num_test=10)["Test-Large"]
    GraphPack('TRIANGLES, Test-Large', 10 graphs, ... attention known)
    """
    _require(num_train, num_val, num_test)
    random = np.random.default_rng(seed)
    small = _by_count(num_train + num_val + num_test, *SMALL, random)
    large = _by_count(num_test, 26, 100, random)
    cuts = np.cumsum([num_train, num_val, num_test])
    rows = [small[: cuts[0]], small[cuts[0] : cuts[1]], small[cuts[1] :], large]
    return {
        part: _pack(own, f"TRIANGLES, {part}")
        for part, own in zip(TRIANGLES_PARTS, rows, strict=True)
    }


def _by_count(
    number: int, low: int, high: int, random: np.random.Generator
) -> list[tuple]:
    """Graphs of so many nodes, each answer as often as the others, in random order."""
    room = {answer: -(-number // MOST) for answer in range(1, MOST + 1)}
    rows, seen = [], set()
    while len(rows) < number or any(room.values()):
        n = int(random.integers(low, high + 1))
        pairs = _pairs(n, random)
        adjacency = np.zeros((n, n), dtype=np.float32)
        adjacency[pairs[0], pairs[1]] = adjacency[pairs[1], pairs[0]] = 1
        own = ((adjacency @ adjacency) * adjacency).sum(axis=1) / 2  # T_i
        answer = round(float(own.sum()) / 3)
        key = n.to_bytes(1, "big") + pairs.tobytes()
        if not room.get(answer) or key in seen:
            continue
        seen.add(key)
        room[answer] -= 1
        degree = np.minimum(adjacency.sum(axis=1).astype(int), 20)
        rows.append((np.eye(21, dtype=np.float32)[degree], pairs, answer, own))
    order = random.permutation(len(rows))[:number]
    return [
        (x, pairs, y, own / own.sum())
        for x, pairs, y, own in map(rows.__getitem__, order)
    ]


def _pairs(n: int, random: np.random.Generator) -> np.ndarray:
    """$n$ to $2n$ links without direction, as far as there is room, `[2, m]`."""
    ends = _all_pairs(n)
    wanted = min(int((random.random() + 1) * n), ends.shape[1])
    return ends[:, np.sort(random.choice(ends.shape[1], wanted, replace=False))]


@cache
def _all_pairs(n: int) -> np.ndarray:
    return np.stack(np.triu_indices(n, 1))


def _pack(rows: list[tuple], name: str) -> GraphPack:
    """Graphs given by features, links, answer and right attention, as one pack."""
    xs, pairs, answers, attention = zip(*rows, strict=True)
    sizes = np.array([len(x) for x in xs])
    starts = np.repeat(np.cumsum(sizes) - sizes, [p.shape[1] for p in pairs])
    ends = torch.from_numpy(np.concatenate(pairs, axis=1) + starts)
    graph = GraphData(
        num_nodes=int(sizes.sum()),
        src=torch.cat([ends[0], ends[1]]),
        dst=torch.cat([ends[1], ends[0]]),
        x=torch.from_numpy(np.concatenate(xs)),
        graph_of=torch.from_numpy(np.repeat(np.arange(len(xs)), sizes)),
        name=name,
    )
    return GraphPack(
        graph=graph,
        y=torch.from_numpy(np.array(answers, dtype=np.float32)),
        attention=torch.from_numpy(np.concatenate(attention)),
        name=name,
    )


def _require(*numbers: int) -> None:
    if min(numbers) < 1:
        raise ValueError(
            f"num_train, num_val and num_test must be at least 1, got {numbers}"
        )
