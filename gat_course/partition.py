"""A graph in parts, one for each machine: what it costs to cut it (chapter 10)."""

import torch
from torch import Tensor

from gat_course import intake
from gat_course.graph import GraphData


def edge_cut(graph: GraphData, part: Tensor) -> float:
    """Share of the edges, self-loops left out, whose ends lie in different parts.

    Args:
        graph: the graph.
        part: the part of each node, `[N]`.

    >>> from gat_course.partition import edge_cut
    >>> ring = GraphData.from_edges([0, 1, 2, 3], [1, 2, 3, 0])
    >>> edge_cut(ring, torch.tensor([0, 0, 1, 1]))
    0.5
    """
    part = _require_parts(graph, part)
    other = graph.src != graph.dst
    if not bool(other.any()):
        return 0.0
    return float((part[graph.src] != part[graph.dst])[other].double().mean())


def halo_sizes(
    graph: GraphData, part: Tensor, num_parts: int | None = None
) -> list[int]:
    """For each part, how many nodes of others are sources of edges into it.

    A machine that holds the part has to hold their features too, or to fetch them.

    Args:
        graph: the graph.
        part: the part of each node, `[N]`.
        num_parts: how many parts; by default up to the last that has a node.

    >>> from gat_course.partition import halo_sizes
    >>> star = GraphData.from_edges([1, 2, 3], [0, 0, 0])
    >>> halo_sizes(star, torch.tensor([0, 0, 1, 1]))
    [2, 0]
    """
    part = _require_parts(graph, part)
    crossing = part[graph.src] != part[graph.dst]
    pair = part[graph.dst[crossing]] * graph.num_nodes + graph.src[crossing]
    home = torch.unique(pair) // graph.num_nodes
    number = int(part.max()) + 1 if num_parts is None else num_parts
    return torch.bincount(home, minlength=number).tolist()


def _require_parts(graph: GraphData, part: Tensor) -> Tensor:
    part = intake.tensor("part", part, graph.device)
    if part.shape != (graph.num_nodes,) or part.is_floating_point():
        raise ValueError(
            f"part must hold a whole number for each node, [{graph.num_nodes}]; got "
            f"{part.dtype} {list(part.shape)}"
        )
    if int(part.min()) < 0:
        raise ValueError("part holds a negative number: parts are numbered from 0")
    return part.long()
