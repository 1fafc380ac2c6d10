"""Sums over neighbours with one fixed weight for each edge (chapters 5 and 6)."""

import torch
from torch import Tensor

from gat_course import formulas, sparse
from gat_course.graph import GraphData


def neighbour_sums(graph: GraphData, weights: Tensor, h: Tensor) -> Tensor:
    r"""The weighted sum $\sum_{j\in\mathcal N(i)} w_{ij} h_j$ for each node.

    One sparse product where PyTorch has it: no message is ever stored. Elsewhere edge
    by edge.

    Args:
        graph: the graph, $N$ nodes and $E$ edges.
        weights: $w$ of each edge, `[E]`, without a gradient.
        h: features, `[N, F]`.

    Returns:
        `[N, F]`, of the dtype of `h`; zeros for a node without neighbours.

    Raises:
        ValueError: `weights` is not `[E]`, or `h` not `[N, F]`.

    >>> graph = GraphData.from_edges([0, 1], [2, 2])
    >>> layers.neighbour_sums(graph, torch.ones(2), torch.eye(3))[2]
    tensor([1., 1., 0.])
    """
    if weights.shape != (graph.num_edges,) or h.shape[:-1] != (graph.num_nodes,):
        raise ValueError(
            f"weights must be [{graph.num_edges}], one for each edge, and h "
            f"[{graph.num_nodes}, F], one row for each node; got "
            f"{list(weights.shape)} and {list(h.shape)}"
        )
    weights = weights.to(h.dtype)
    sparse_products = h.device.type in ("cpu", "cuda")
    if not sparse_products or h.dtype not in (torch.float32, torch.float64):
        ends = graph.src, graph.dst, graph.num_nodes
        one_head = weights.unsqueeze(1), h.unsqueeze(1)
        return formulas.aggregate(*one_head, *ends).squeeze(1)
    order, shape = graph.by_target, (graph.num_nodes, graph.num_nodes)
    key = "adjacency", weights.dtype
    if key not in order.cache:
        ones = torch.ones_like(weights)
        parts = order.starts, order.far, ones, shape
        order.cache[key] = sparse.trusted_csr(*parts)
    return sparse.matmul(sparse.with_values(order.cache[key], weights), h)
