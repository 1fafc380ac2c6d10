"""Inputs drawn anew for graders: the kinds that the assignments' tests share."""

import torch
from torch import Generator, Tensor

from gat_course.graph import GraphData


def size(rng: Generator, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    return int(torch.randint(low, high + 1, (1,), generator=rng))


def numbers(rng: Generator, *shape: int, scale: float = 1.0) -> Tensor:
    """Normal numbers."""
    return scale * torch.randn(*shape, generator=rng)


def adjacency(
    rng: Generator, n: int, *, lonely: bool = False, loops: bool = False
) -> Tensor:
    """A directed graph's matrix of 0 and 1, `[n, n]`; row i says whom i hears.

    Every node hears another. With `lonely` one of them hears nobody and is heard, and
    one is not heard and hears; with `loops` each hears itself as well.
    """
    found = (torch.rand(n, n, generator=rng) < 0.4).float().fill_diagonal_(0)
    place = torch.arange(n)
    found[place, (place + 1) % n] = 1
    if n > 2:
        found[place[1:], 0] = found[place[1:], 0].clamp(min=0)
        found[0, 1], found[1, 0] = 1, 0  # not symmetric
    if lonely:
        found[n - 1] = 0
        found[:, n - 2] = 0
        found[0, n - 1] = 1
    return found.fill_diagonal_(1) if loops else found


def graph(
    rng: Generator,
    n: int,
    num_edges: int,
    *,
    repeats: bool = False,
    lonely: bool = False,
) -> GraphData:
    """A directed graph; edges in no order.

    Args:
        rng: where chance comes from.
        n: nodes, at least 4.
        num_edges: edges at least; a few more are added.
        repeats: some edges occur twice.
        lonely: the last node, and one more, have no edge into them.
    """
    ends = torch.randint(n, (2, num_edges), generator=rng)
    ring = torch.arange(n)
    src, dst = torch.cat([ends, torch.stack([(ring + 1) % n, ring])], dim=1)
    if lonely:
        heard = (dst != n - 1) & (dst != 1)
        src, dst = src[heard], dst[heard]
    pairs = torch.unique(torch.stack([src, dst]), dim=1)
    if repeats:
        pairs = torch.cat([pairs, pairs[:, ::3]], dim=1)
    order = torch.randperm(pairs.shape[1], generator=rng)
    src, dst = pairs[:, order]
    return GraphData(num_nodes=n, src=src, dst=dst)
