"""Pooling by attention over nodes: weigh them, drop the rest (chapter 8)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gat_course import formulas
from gat_course.graph import GraphData
from gat_course.layers.readout import members


@dataclass(frozen=True)
class Pooled:
    r"""What a pooling layer did.

    Args:
        alpha: the weight of each node that came in, `[N]`; over a graph it sums to 1.
        kept: which of them stayed, bool `[N]`.
        graph: the batch that came in.
    """

    alpha: Tensor
    kept: Tensor
    graph: GraphData


def node_attention(graph: GraphData, scores: Tensor) -> Tensor:
    r"""Softmax of the nodes' scores over the nodes of each graph, $\alpha$ `[N]`.

    Args:
        graph: a batch of graphs, or one.
        scores: a number for each node, `[N]`.

    Raises:
        ValueError: `scores` is not `[N]`.

    >>> pair = GraphData.from_edges([0], [1])
    >>> layers.node_attention(batch_graphs([pair, pair]), torch.zeros(4))
    tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """
    if scores.shape != (graph.num_nodes,):
        raise ValueError(
            f"scores must be [{graph.num_nodes}], one for each node, got "
            f"{list(scores.shape)}"
        )
    graph_of, number = members(graph), graph.num_graphs
    return formulas.edge_softmax(scores.unsqueeze(1), graph_of, number)[:, 0]


def kept_nodes(
    graph: GraphData,
    alpha: Tensor,
    *,
    threshold: float | None = None,
    ratio: float | None = None,
) -> Tensor:
    r"""Which nodes pooling keeps: those above a threshold, or the best few.

    Args:
        graph: a batch of graphs, or one.
        alpha: the weight of each node, `[N]`.
        threshold: keep nodes whose weight is above it, from 0 to 1.
        ratio: keep this share of each graph's nodes, rounded, those with the largest
            weights; above 0, at most 1. One of the two must be given.

    Returns:
        bool `[N]`. Of each graph the node with the largest weight always stays, and all
        of them where several share it. A weight that is NaN stays too, to be seen.

    Raises:
        ValueError: both or neither are given, a number is out of its range, or `alpha`
            is not `[N]`.

    >>> graph = GraphData.from_edges([0], [1], num_nodes=4)
    >>> layers.kept_nodes(graph, torch.tensor([0.1, 0.6, 0.3, 0.0]), ratio=0.5)
    tensor([False,  True,  True, False])
    """
    if (threshold is None) == (ratio is None):
        raise ValueError("give either threshold or ratio")
    if alpha.shape != (graph.num_nodes,):
        raise ValueError(
            f"alpha must be [{graph.num_nodes}], one weight for each node, got "
            f"{list(alpha.shape)}"
        )
    graph_of, number = members(graph), graph.num_graphs
    best = alpha.new_full((number,), -torch.inf)
    best = best.scatter_reduce(0, graph_of, alpha.detach(), "amax")
    if threshold is not None:
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be from 0 to 1, got {threshold}")
        return ~(alpha <= threshold) | ~(alpha < best[graph_of])
    if not 0 < ratio <= 1:
        raise ValueError(f"ratio must be above 0 and at most 1, got {ratio}")
    sizes = torch.bincount(graph_of, minlength=number)
    wanted = (ratio * sizes).round().long().clamp(min=1)
    order = alpha.detach().argsort(descending=True, stable=True)
    order = order[graph_of[order].argsort(stable=True)]  # by graph, best first
    starts = sizes.cumsum(0) - sizes
    rank = torch.arange(len(alpha), device=alpha.device) - starts[graph_of[order]]
    kept = torch.zeros_like(graph_of, dtype=torch.bool)
    kept[order] = rank < wanted[graph_of[order]]
    return kept


def pooled_graph(graph: GraphData, kept: Tensor) -> GraphData:
    """The graph of the kept nodes and of the edges between two of them.

    Args:
        graph: a batch of graphs, or one.
        kept: bool `[N]`.

    Returns:
        A batch of the same graphs, fewer nodes in each; its `x` and `y` are those of
        the kept nodes.

    Raises:
        ValueError: `kept` is no mask of the nodes, or leaves a graph without any.

    >>> path = GraphData.from_edges([0, 1], [1, 2])
    >>> layers.pooled_graph(path, torch.tensor([True, True, False]))
    GraphData('graph', 2 nodes, 1 edges)
    """
    if kept.shape != (graph.num_nodes,) or kept.dtype != torch.bool:
        raise ValueError(
            f"kept must be a mask of {graph.num_nodes} nodes, got {kept.dtype} "
            f"{list(kept.shape)}"
        )
    graph_of, number = members(graph), graph.num_graphs
    empty = torch.bincount(graph_of[kept], minlength=number) == 0
    if bool(empty.any()):
        raise ValueError(
            f"kept leaves no node of graph {int(empty.nonzero()[0])}: keep the best of "
            "each, as kept_nodes does"
        )
    there = kept[graph.src] & kept[graph.dst]
    new = kept.cumsum(0) - 1
    x = graph.x.to_dense() if graph.x is not None else None
    nodes = {"x": x, "y": graph.y, "graph_of": graph_of}
    edges = {"edge_weight": graph.edge_weight, "edge_attr": graph.edge_attr}
    fields = {k: None if v is None else v[kept] for k, v in nodes.items()}
    fields |= {k: None if v is None else v[there] for k, v in edges.items()}
    return replace(
        graph,
        num_nodes=int(kept.sum()),
        src=new[graph.src[there]],
        dst=new[graph.dst[there]],
        train_mask=None,
        val_mask=None,
        test_mask=None,
        **fields,
    )


def isolated_share(graph: GraphData) -> float:
    """Share of the nodes that no edge joins with another node, from 0 to 1.

    >>> layers.isolated_share(GraphData.from_edges([0], [1], num_nodes=4))
    0.5
    """
    alone = torch.ones(graph.num_nodes, dtype=torch.bool, device=graph.device)
    other = graph.src != graph.dst
    alone[graph.src[other]] = False
    alone[graph.dst[other]] = False
    return float(alone.double().mean())
