"""Sampled neighbourhoods: a graph in parts that fit into memory (chapter 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from gat_course import sparse
from gat_course.graph import GraphData


@dataclass(frozen=True, eq=False)
class Block:
    """What one layer computes on: edges from some nodes into the first of them.

    Args:
        graph: the nodes, targets first, and edges into targets alone.
        num_targets: how many nodes are targets; a layer's other rows have no meaning.
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

    Every choice of so many places is equally likely. Floyd's algorithm needs one draw
    for each: for $t=d-k,\dots,d-1$ it draws a place up to $t$, and takes $t$ itself
    where that place is taken already. Here it runs for all targets at once.

    Args:
        starts: where each node's places begin, `[N + 1]`, as in compressed rows.
        targets: node numbers, `[B]`.
        fanout: $k$, at least 0; -1 takes all.
        kept: how many of its first places each node gets in any case, beside those
            drawn from the others, `[N]`; by default none.
        generator: where the draws come from.

    Returns:
        The places `[M]`, target by target, and how many each target has, `[B]`.

    Source: Bentley and Floyd, Communications of the ACM 30, 1987.

    >>> from gat_course.sampling import draw
    >>> starts, targets = torch.tensor([0, 100, 102]), torch.tensor([1, 0])
    >>> place, count = draw(starts, targets, fanout=5)
    >>> count, place[:2]
    (tensor([2, 5]), tensor([100, 101]))
    """
    first = starts.index_select(0, targets).long()
    degree = starts.index_select(0, targets + 1) - first
    fixed = torch.zeros_like(first) if kept is None else kept.index_select(0, targets)
    count = degree if fanout < 0 else degree.minimum(fixed + fanout)
    begin = count.cumsum(0) - count
    place = torch.arange(int(count.sum()), device=starts.device)
    place += torch.repeat_interleave(first - begin, count)  # the first ones of each
    many = (degree > count).nonzero()[:, 0]
    if len(many) and fanout > 0:
        after, at, d = (v.index_select(0, many) for v in (first, begin, degree))
        skip = fixed.index_select(0, many)
        taken = _floyd(d - skip, fanout, generator)
        order = torch.arange(fanout, device=starts.device).unsqueeze(1)
        place[(at + skip + order).flatten()] = (after + skip + taken).flatten()
    return place, count


def _floyd(sizes: Tensor, k: int, generator: torch.Generator | None) -> Tensor:
    """`k` different numbers below each size, `[k, M]`; all sizes are above `k`."""
    last = sizes - torch.arange(k, 0, -1, device=sizes.device).unsqueeze(1)  # [k, M]
    u = torch.rand(k, len(sizes), dtype=torch.float64, generator=generator)
    taken, last = (u.to(sizes.device) * (last + 1)).int(), last.int()
    for number in range(1, k):
        same = taken[:number] == taken[number]
        again = same.view(torch.uint8).amax(0).bool()  # as any(0), but faster
        taken[number] = torch.where(again, last[number], taken[number])
    return taken


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
        fanouts = list(fanouts)
        for fanout in fanouts:
            if isinstance(fanout, bool) or not isinstance(fanout, int):
                raise TypeError(f"fanouts must be whole numbers, got {fanout!r}")
        if not fanouts or min(fanouts) < -1:
            raise ValueError(
                "fanouts must hold a number for each layer, -1 for all edges or from 0 "
                f"on; got {fanouts}"
            )
        self.graph, self.fanouts, self.generator = graph, fanouts, generator
        self._rows = graph.by_target
        self._local = torch.full_like(graph.in_degrees, -1)  # [N], between two calls
        self._edges = self._loops = None  # rows are in the order of the edges
        loop = graph.src == graph.dst
        if bool(loop.any()):  # they come first in their rows
            self._edges = torch.argsort(2 * graph.dst + ~loop, stable=True)
            self._loops = torch.bincount(graph.dst[loop], minlength=graph.num_nodes)

    def __call__(self, targets: Tensor | Sequence[int]) -> Batch:
        """Draw a batch for the targets, `[B]`, integers on the graph's device.

        Raises:
            ValueError: there is no target, or one is no node.
        """
        targets = torch.as_tensor(targets, device=self.graph.device)
        if targets.dim() != 1 or not len(targets) or targets.is_floating_point():
            raise ValueError("targets must be a list of node numbers, not empty")
        if targets.dtype == torch.bool:
            raise ValueError("targets must be node numbers: mask.nonzero()[:, 0]")
        last = self.graph.num_nodes - 1
        if int(targets.min()) < 0 or int(targets.max()) > last:
            raise ValueError(f"targets must be nodes, from 0 to {last}")
        nodes, blocks = targets, []
        for fanout in reversed(self.fanouts):
            block, nodes = self._block(nodes, fanout)
            blocks.insert(0, block)
        return Batch(targets, nodes, blocks)

    def _block(self, targets: Tensor, fanout: int) -> tuple[Block, Tensor]:
        """One layer's part, and the numbers of its nodes."""
        graph = self.graph
        edge, count = draw(
            self._rows.starts, targets, fanout, self._loops, self.generator
        )
        edge = edge if self._edges is None else self._edges.index_select(0, edge)
        row = torch.arange(len(targets), device=targets.device)
        dst = torch.repeat_interleave(row, count, output_size=len(edge))
        nodes, src = self._renumber(
            targets, self._rows.far.index_select(0, edge).long()
        )
        own = {
            name: None
            if (value := getattr(graph, name)) is None
            else value.index_select(0, edge)
            for name in ("edge_weight", "edge_attr")
        }
        part = GraphData.trusted(num_nodes=len(nodes), src=src, dst=dst, **own)
        return Block(part, len(targets)), nodes

    def _renumber(self, targets: Tensor, src: Tensor) -> tuple[Tensor, Tensor]:
        """All nodes, targets first, others as they come; and the sources among them."""
        local, number = self._local, len(targets)
        try:
            local[targets] = torch.arange(number, device=src.device)
            new = src.masked_select(local.index_select(0, src) < 0)
            order = torch.arange(number, number + len(new), device=src.device)
            local.scatter_reduce_(0, new, order, "amin", include_self=False)
            fresh = new.masked_select(local.index_select(0, new) == order)  # the first
            nodes = torch.cat([targets, fresh])
            local[fresh] = torch.arange(number, len(nodes), device=src.device)
            return nodes, local.index_select(0, src)
        finally:
            local.index_fill_(0, targets, -1)
            local.index_fill_(0, src, -1)


def device_of(model: nn.Module) -> torch.device:
    """Where a model's parameters are."""
    return next(model.parameters()).device


def equal_parts(nodes: Tensor, batch_size: int) -> list[Tensor]:
    """Cut node numbers into parts of `batch_size` at most, all nearly as large.

    >>> from gat_course.sampling import equal_parts
    >>> [len(part) for part in equal_parts(torch.arange(10), batch_size=4)]
    [4, 3, 3]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    return list(nodes.tensor_split(max(-(-len(nodes) // batch_size), 1)))


class Blockwise(nn.Module):
    """A model applied to batches: each of its layers to its own block.

    Args:
        model: layers one after the other: a `GAT`, or another `Stack`. Its parameters
            are the only ones.

    Raises:
        ValueError: the model is something else; or its weights ask for the degrees of
            the sources, as a GCN's, which a block does not know.

    Shapes: a `Batch` and the features that it reads, `[N', F]`, to the outputs of its
    targets, `[B, C]`.

    >>> graph = power_law_graph(1000, 20_000).with_self_loops()
    >>> batch = NeighborSampler(graph, [5, 5])(torch.tensor([7, 8]))
    >>> model = GAT(graph.num_features, graph.num_classes)
    >>> sampling.Blockwise(model)(batch, batch.rows(graph.x)).shape
    torch.Size([2, 8])
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        name = type(model).__name__
        if not hasattr(model, "num_layers"):
            raise ValueError(
                f"{name} is no stack of layers, so it cannot be computed layer by "
                "layer; take a GAT"
            )
        if model.extra_hops:
            raise ValueError(
                f"{name} weighs a message by its source's degree, and a block does not "
                "hold all edges into its sources; take a GAT"
            )
        self.model = model

    @property
    def layers(self) -> list[nn.Module]:
        """The model's layers, the first one first."""
        number = self.model.num_layers
        return [getattr(self.model, f"layer{k}") for k in range(1, number + 1)]

    def forward(self, batch: Batch, x: Tensor) -> Tensor:
        """Apply each layer to its block; see the class for shapes."""
        if len(batch.blocks) != self.model.num_layers:
            raise ValueError(
                f"the model has {self.model.num_layers} layers, the batch a block for "
                f"each of {len(batch.blocks)}: fanouts needs a number for each layer"
            )
        for number, (layer, block) in enumerate(
            zip(self.layers, batch.blocks, strict=True)
        ):
            x = layer(block.graph, self.model.activation(x) if number else x)
            x = x[: block.num_targets]
        return x


@torch.no_grad()
def infer(
    model: nn.Module,
    graph: GraphData,
    batch_size: int = 10_000,
    x: Tensor | None = None,
) -> Tensor:
    """What a model returns for all nodes, computed layer by layer from full rows.

    Each layer is computed for `batch_size` nodes at a time, with all edges into them,
    and its outputs for all nodes are kept for the next. So no node is computed twice,
    and beside two tables of features one part of the edges is held. The graph may be in
    the CPU's memory and the model on a GPU.

    Args:
        model: layers one after the other: a `GAT`, or another `Stack`.
        graph: the graph.
        batch_size: targets at a time.
        x: features, `[N, F]`; by default the graph's.

    Returns:
        `[N, C]`, equal to `model(graph, x)` with dropout off; the mode is put back.
    """
    layers, was_training = Blockwise(model).layers, model.training
    sampler, device = NeighborSampler(graph, [-1]), device_of(model)
    h = graph.x if x is None else x
    nodes = torch.arange(graph.num_nodes, device=graph.device)
    model.eval()
    try:
        for number, layer in enumerate(layers, 1):
            rows = []
            for part in equal_parts(nodes, batch_size):
                batch = sampler(part)
                out = layer(batch.blocks[0].graph.to(device), batch.rows(h).to(device))
                rows.append(out[: len(part)].to(graph.device))
            h = torch.cat(rows)
            h = model.activation(h) if number < len(layers) else h
        return h
    finally:
        model.train(was_training)
