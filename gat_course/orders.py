"""The edges of a graph sorted by one end, for sparse products (chapter 9)."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class EdgeOrder:
    """The edges sorted by one of their ends, as compressed rows (chapter 9).

    Tensors hold 32-bit integers, which sparse products take as they are.

    Args:
        starts: where each node's edges begin, `[N + 1]`.
        near: the end that the edges are sorted by, `[E]`, ascending.
        far: the other end, `[E]`.
        edge: number of each edge in the graph, `[E]`.
        cache: what layers derive from it once and keep.
    """

    starts: Tensor
    near: Tensor
    far: Tensor
    edge: Tensor
    cache: dict = field(default_factory=dict, repr=False)

    def cuts(self, limit: int) -> list[tuple[int, int, int, int]]:
        """Cut the nodes into runs with at most `limit` edges, or of a single node.

        Returns:
            For each run its first node, the node after its last, its first edge and
            the edge after its last.
        """
        if ("cuts", limit) not in self.cache:
            starts = self.starts.tolist()
            cuts, first = [], 0
            while first < len(starts) - 1:
                end = bisect_right(starts, starts[first] + limit) - 1
                end = max(end, first + 1)
                cuts.append((first, end, starts[first], starts[end]))
                first = end
            self.cache["cuts", limit] = cuts
        return self.cache["cuts", limit]


def edge_order(near: Tensor, far: Tensor, edge: Tensor, num_nodes: int) -> EdgeOrder:
    """Put an `EdgeOrder` together.

    Args:
        near: the end that the edges are sorted by, `[E]`, ascending.
        far: the other end, `[E]`.
        edge: number of each edge in the graph, `[E]`.
        num_nodes: $N$.

    Raises:
        ValueError: nodes or edges need more than 32 bits.
    """
    if max(num_nodes, len(edge)) >= 2**31:
        raise ValueError(
            "2^31 nodes or edges or more are too many for one sparse product; take a "
            "part of the graph with subgraph()"
        )
    starts = torch.bincount(near, minlength=num_nodes).cumsum(0)
    starts = torch.cat([starts.new_zeros(1), starts])
    return EdgeOrder(starts.int(), near.int(), far.int(), edge.int())
