"""Sampled neighbourhoods: a graph in parts that fit into memory (chapter 10)."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from gat_course import intake, sparse
from gat_course.graph import GraphData


@dataclass(frozen=True, eq=False)
class Block:
    """What one layer computes on: edges from some nodes into the first of them.

    Args:
        graph: the nodes, targets first, and edges into targets alone.
        num_targets: how many nodes are targets; a layer's other rows have no meaning.

    >>> batch = NeighborSampler(power_law_graph(100, 1000), [2])([7, 8])
    >>> batch.blocks[0].num_targets, batch.blocks[0].graph.num_edges
    (2, 4)
    """

    graph: GraphData
    num_targets: int


@dataclass(frozen=True, eq=False)
class Batch:
    r"""Some nodes, and what was drawn for a model of $L$ layers to compute them.

    Args:
        targets: the nodes whose outputs are wanted, `[B]`.
        nodes: the nodes whose features are read, `[N']`, the targets first.
        blocks: one for each layer, the first layer's first.

    >>> batch = NeighborSampler(power_law_graph(100, 1000), [3, 2])([7, 8])
    >>> batch.nodes[:2], len(batch.blocks)
    (tensor([7, 8]), 2)
    """

    targets: Tensor
    nodes: Tensor
    blocks: list[Block]

    def rows(self, x: Tensor) -> Tensor:
        """Of a table `[N, F]` the rows that the batch reads, `[N', F]`."""
        return sparse.select_rows(x, self.nodes)

    def to(self, device: str | torch.device) -> Batch:
        """The same batch with every tensor on `device`."""
        blocks = [replace(b, graph=b.graph.to(device)) for b in self.blocks]
        return Batch(self.targets.to(device), self.nodes.to(device), blocks)


def draw(
    starts: Tensor,
    targets: Tensor,
    fanout: int,
    kept: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Draw for each target `fanout` of its places, none twice; all where it has fewer.

    Every choice of so many places is equally likely; see `floyd`.

    Args:
        starts: where each node's places begin, `[N + 1]`, as in compressed rows.
        targets: node numbers, `[B]`.
        fanout: $k$, at least 0; -1 takes all.
        kept: how many of its first places each node gets in any case, beside those
            drawn from the others, `[N]`; by default none.
        generator: where the draws come from.

    Returns:
        The places `[M]`, target by target, and how many each target has, `[B]`.

    >>> from gat_course.sampling import draw
    >>> starts, targets = torch.tensor([0, 100, 102]), torch.tensor([1, 0])
    >>> place, count = draw(starts, targets, fanout=5)
    >>> count, place[:2]
    (tensor([2, 5]), tensor([100, 101]))
    """
    begin = starts.index_select(0, targets).long()
    degree = starts.index_select(0, targets + 1) - begin
    loops = torch.zeros_like(begin)
    if kept is not None:
        loops = kept.index_select(0, targets)
    count = degree if fanout < 0 else degree.minimum(loops + fanout)
    at = count.cumsum(0) - count  # where a target's share begins in the result
    place = torch.arange(int(count.sum()), device=starts.device)
    place += torch.repeat_interleave(begin - at, count)  # the first ones of each
    many = (degree > count).nonzero()[:, 0]
    if len(many) and fanout > 0:
        begin, at, degree, loops = (
            v.index_select(0, many) for v in (begin, at, degree, loops)
        )
        taken = floyd(degree - loops, fanout, generator)
        order = torch.arange(fanout, device=starts.device).unsqueeze(1)
        place[(at + loops + order).flatten()] = (begin + loops + taken).flatten()
    return place, count


def floyd(sizes: Tensor, k: int, generator: torch.Generator | None = None) -> Tensor:
    r"""Draw `k` different numbers below each size, all choices equally likely.

    For $t=n-k,\dots,n-1$ draw a number from 0 to $t$; where it is taken already, take
    $t$ itself. Here it runs for all sizes at once.

    Args:
        sizes: $n$, each above `k`, integers `[M]`.
        k: how many, at least 1.
        generator: where the draws come from.

    Returns:
        int32 `[k, M]`.

    Source: Bentley and Floyd, Communications of the ACM 30, 1987.

    >>> sampling.floyd(torch.tensor([3]), k=2).unique().numel()
    2
    """
    last = sizes - torch.arange(k, 0, -1, device=sizes.device).unsqueeze(1)  # [k, M]
    u = torch.rand(k, len(sizes), dtype=torch.float64, generator=generator)
    taken, last = (u.to(sizes.device) * (last + 1)).int(), last.int()
    for step in range(1, k):
        same = taken[:step] == taken[step]
        again = same.view(torch.uint8).amax(0).bool()  # as any(0), but faster
        taken[step] = torch.where(again, last[step], taken[step])
    return taken


class Rows(NamedTuple):
    """A graph's edges as compressed rows, a row for each target, its loops first.

    Args:
        starts: where each row begins, `[N + 1]`.
        src: the source of each edge, `[E]`.
        edge: the number of each edge in the graph, `[E]`.
        loops: how many self-loops each row begins with, `[N]`.

    >>> sampling.rows_of(GraphData.from_edges([0, 1], [1, 1])).loops
    tensor([0, 1])
    """

    starts: Tensor
    src: Tensor
    edge: Tensor
    loops: Tensor


def rows_of(graph: GraphData) -> Rows:
    """The edges of a graph as `Rows`.

    >>> sampling.rows_of(GraphData.from_edges([0, 1], [1, 1])).src
    tensor([1, 0], dtype=torch.int32)
    """
    kept, loop = graph.by_target, graph.src == graph.dst
    edge = torch.argsort(2 * graph.dst + ~loop, stable=True)
    loops = torch.bincount(graph.dst[loop], minlength=graph.num_nodes)
    return Rows(kept.starts, kept.far.index_select(0, edge), edge.int(), loops)


def renumber(targets: Tensor, src: Tensor, local: Tensor) -> tuple[Tensor, Tensor]:
    """Number the nodes of a block from 0, the targets first, the others as they come.

    Args:
        targets: node numbers, `[B]`.
        src: the sources of the edges, `[M]`.
        local: -1 for every node, `[N]`; written into meanwhile, and -1 again after.

    Returns:
        All nodes `[N']`, and the place of each source among them, `[M]`.

    >>> nodes = torch.tensor([7]), torch.tensor([9, 7, 9])
    >>> sampling.renumber(*nodes, local=torch.full((10,), -1))
    (tensor([7, 9]), tensor([1, 0, 1]))
    """
    number = len(targets)
    try:
        local[targets] = torch.arange(number, device=src.device)
        new = src.masked_select(local.index_select(0, src) < 0)
        order = torch.arange(number, number + len(new), device=src.device)
        local.scatter_reduce_(0, new, order, "amin", include_self=False)
        fresh = new.masked_select(local.index_select(0, new) == order)
        nodes = torch.cat([targets, fresh])
        local[fresh] = torch.arange(number, len(nodes), device=src.device)
        return nodes, local.index_select(0, src)
    finally:
        local.index_fill_(0, targets, -1)
        local.index_fill_(0, src, -1)


class NeighborSampler:
    """Draws for some nodes the edges that each layer of a model gets to see.

    The last layer's targets are the nodes asked for. Their edges' sources are the
    targets of the layer before, which draws anew, and so on. A target keeps its
    self-loop, if the graph has it, beside the edges drawn: no node forgets itself.
    Weights and features of edges come along.

    Args:
        graph: the graph; its edges are kept as compressed rows.
        fanouts: how many edges into a target each layer draws, the first layer's first;
            -1 for all. (DGL has this order too; PyG's begins at the last layer.)
        generator: where the draws come from; by default PyTorch's own.

    Raises:
        TypeError: a fan-out is not a whole number.
        ValueError: there is none, or one is below -1.

    Source: Hamilton et al., NeurIPS 2017, section 3.1, and appendix A; here without
    replacement, as in DGL.

    >>> graph = power_law_graph(1000, 20_000).with_self_loops()
    >>> batch = NeighborSampler(graph, [5, 3])(torch.tensor([7, 8]))
    >>> [int(block.graph.in_degrees.max()) for block in batch.blocks]
    [6, 4]
    """

    def __init__(
        self,
        graph: GraphData,
        fanouts: Sequence[int],
        generator: torch.Generator | None = None,
    ) -> None:
        self.graph, self.generator = graph, generator
        self.fanouts = require_fanouts(fanouts)
        self.rows = rows_of(graph)
        self._local = torch.full_like(graph.in_degrees, -1)  # for `renumber`

    def __call__(self, targets: Tensor | Sequence[int]) -> Batch:
        """Draw a batch for the targets, `[B]`, integers on the graph's device.

        Raises:
            ValueError: there is no target, or one is no node.
        """
        nodes = targets = require_targets(self.graph, targets)
        blocks = []
        for fanout in reversed(self.fanouts):
            block, nodes = self.block(nodes, fanout)
            blocks.insert(0, block)
        return Batch(targets, nodes, blocks)

    def block(self, targets: Tensor, fanout: int) -> tuple[Block, Tensor]:
        """What one layer computes on, and the numbers of its nodes."""
        starts, src, edge, loops = self.rows
        place, count = draw(starts, targets, fanout, loops, self.generator)
        sources = src.index_select(0, place).long()
        nodes, ends = renumber(targets, sources, self._local)
        row = torch.arange(len(targets), device=targets.device)
        own = edge_fields(self.graph, edge, place)
        own["dst"] = row.repeat_interleave(count)
        part = GraphData.trusted(num_nodes=len(nodes), src=ends, **own)
        return Block(part, len(targets)), nodes


def edge_fields(graph: GraphData, edge: Tensor, place: Tensor) -> dict[str, Tensor]:
    """Weights and features of the edges at some places of the rows, if there are any.

    >>> graph = GraphData.from_edges([0, 1], [1, 1], edge_weight=[3.0, 4.0])
    >>> sampling.edge_fields(graph, sampling.rows_of(graph).edge, torch.tensor([0]))
    {'edge_weight': tensor([4.])}
    """
    return {
        name: value.index_select(0, edge.index_select(0, place))
        for name in ("edge_weight", "edge_attr")
        if (value := getattr(graph, name)) is not None
    }


def require_fanouts(fanouts: Sequence[int]) -> list[int]:
    """The fan-outs as a list, or an error that says what is wrong with them.

    >>> sampling.require_fanouts((10, -1))
    [10, -1]
    """
    found, several = [], isinstance(fanouts, Iterable) and getattr(fanouts, "ndim", 1)
    for fanout in fanouts if several else [fanouts]:
        if isinstance(fanout, bool) or not hasattr(fanout, "__index__"):
            raise TypeError(f"fanouts must be whole numbers, got {fanout!r}")
        found.append(operator.index(fanout))
    if not several or not found or min(found) < -1:
        raise ValueError(
            "fanouts must hold a number for each layer, -1 for all edges or from 0 "
            f"on, as [10, 10]; got {fanouts}"
        )
    return found


def require_targets(graph: GraphData, targets: Tensor | Sequence[int]) -> Tensor:
    """The targets as a tensor, or an error that says what is wrong with them.

    >>> sampling.require_targets(GraphData.from_edges([0, 1], [1, 1]), [1, 0])
    tensor([1, 0])
    """
    targets = intake.tensor("targets", targets, graph.device)
    if targets.dim() != 1 or not len(targets) or targets.is_floating_point():
        raise ValueError("targets must be a list of node numbers, not empty")
    if targets.dtype == torch.bool:
        raise ValueError("targets must be node numbers: mask.nonzero()[:, 0]")
    last = graph.num_nodes - 1
    if int(targets.min()) < 0 or int(targets.max()) > last:
        raise ValueError(f"targets must be nodes, from 0 to {last}")
    return targets.long()
