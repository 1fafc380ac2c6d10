"""Models computed layer by layer, on batches and on graphs of any size (chapter 10)."""

import torch
from torch import Tensor, nn

from gat_course.graph import GraphData
from gat_course.sampling import Batch, NeighborSampler


def device_of(model: nn.Module) -> torch.device:
    """Where a model's parameters are."""
    return next(model.parameters()).device


def equal_parts(nodes: Tensor, batch_size: int) -> list[Tensor]:
    """Cut node numbers into parts of `batch_size` at most, all nearly as large.

    >>> from gat_course.blockwise import equal_parts
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
    >>> Blockwise(model)(batch, batch.rows(graph.x)).shape
    torch.Size([2, 8])
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = require_layered(model)

    def forward(self, batch: Batch, x: Tensor) -> Tensor:
        """Apply each layer to its block; see the class for shapes."""
        require_blocks(self.model, batch)
        layers = layers_of(self.model)
        for number, (layer, block) in enumerate(zip(layers, batch.blocks, strict=True)):
            h = self.model.activation(x) if number else x
            x = layer(block.graph, h)[: block.num_targets]
        return x


def layers_of(model: nn.Module) -> list[nn.Module]:
    """The layers of a `Stack`, the first one first.

    >>> [layer.num_heads for layer in blockwise.layers_of(GAT(3, 2))]
    [8, 1]
    """
    return [getattr(model, f"layer{k}") for k in range(1, model.num_layers + 1)]


def require_layered(model: nn.Module) -> nn.Module:
    """The model, or an error where it cannot be computed layer by layer.

    >>> blockwise.require_layered(GAT(3, 2)).num_layers
    2
    """
    name = type(model).__name__
    if not all(hasattr(model, n) for n in ("layer1", "num_layers", "num_hops")):
        raise ValueError(
            f"{name} is no stack of layers, so it cannot be computed layer by layer; "
            "take a GAT"
        )
    if type(model).forward.__qualname__ != "Stack.forward":
        raise ValueError(
            f"{name} has a forward of its own, which is not its layers one after the "
            "other; take a GAT"
        )
    far = any(getattr(layer, "extra_hops", 0) for layer in layers_of(model))
    if far or model.num_hops != model.num_layers:
        raise ValueError(
            f"{name} hears further than along its layers' edges, as a GCN, which "
            "weighs a message by its source's degree; a block does not hold all edges "
            "into its sources. Take a GAT"
        )
    return model


def require_blocks(model: nn.Module, batch: Batch) -> None:
    """Raise `ValueError` unless a batch has a block for each layer.

    >>> batch = NeighborSampler(power_law_graph(100, 1000), [5, 5])([7])
    >>> blockwise.require_blocks(GAT(3, 2), batch)
    """
    if len(batch.blocks) != model.num_layers:
        raise ValueError(
            f"the model has {model.num_layers} layers, the batch a block for each of "
            f"{len(batch.blocks)}: fanouts needs a number for each layer"
        )


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

    Raises:
        ValueError: there are no features, or not a row for each node; or the model is
            none that `Blockwise` takes.
    """
    layers, was_training = layers_of(require_layered(model)), model.training
    x = graph.x if x is None else x
    if x is None or x.dim() != 2 or len(x) != graph.num_nodes:
        found = "none" if x is None else list(x.shape)
        raise ValueError(
            f"x must hold a row for each of the {graph.num_nodes} nodes; got {found}"
        )
    sampler, device = NeighborSampler(graph, [-1]), device_of(model)
    h = x
    nodes = torch.arange(graph.num_nodes, device=graph.device)
    model.eval()
    try:
        for number, layer in enumerate(layers, 1):
            outputs = None
            for part in equal_parts(nodes, batch_size):
                batch = sampler(part)
                out = layer(batch.blocks[0].graph.to(device), batch.rows(h).to(device))
                out = out[: len(part)]
                out = model.activation(out) if number < len(layers) else out
                if outputs is None:
                    shape = (graph.num_nodes, *out.shape[1:])
                    outputs = out.new_empty(shape, device=graph.device)
                outputs[part] = out.to(graph.device)
            h = outputs
        return h
    finally:
        model.train(was_training)
