"""What can be made of a graph: parts, edges that are there once, random masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from gat_course import intake, sparse

Graph = TypeVar("Graph", bound="Parts")


class Parts:
    """The methods of `GraphData` that make another graph of it."""

    @classmethod
    def trusted(cls: type[Graph], **given: Any) -> Graph:
        """A graph of fields that need no check: tensors, the edges sorted by target.

        >>> GraphData.trusted(num_nodes=1, src=torch.tensor([0]), dst=torch.tensor([0]))
        GraphData('graph', 1 nodes, 1 edges)
        """
        new = object.__new__(cls)
        for field in fields(cls):
            new._set(field.name, given.get(field.name, field.default))
        return new

    @intake.derived
    def repeated_edges(self) -> Tensor:
        """Which edges repeat an earlier one with the same source and target, `[E]`.

        `coalesce` turns them into weights, `without_repeats` leaves them out.
        """
        pair, order = torch.sort(self._pair, stable=True)
        repeated = torch.zeros_like(pair, dtype=torch.bool)
        repeated[order[1:]] = pair[1:] == pair[:-1]
        return repeated

    @property
    def _pair(self) -> Tensor:
        return self.dst * self.num_nodes + self.src  # one number for each pair of nodes

    def coalesce(self: Graph) -> Graph:
        """The graph with each edge once, its weight the sum of its copies' weights.

        Every layer computes on it what it computes on this graph. A copy without a
        weight counts 1. A graph without repeated edges comes back as it is.

        Raises:
            ValueError: edges repeat and have features, which cannot be added up.
        """
        if not bool(self.repeated_edges.any()):
            return self
        if self.edge_attr is not None:
            raise ValueError(
                f"edges of {self.name} repeat and have edge_attr, which may differ "
                "from copy to copy: keep the copies, or without_repeats() the first"
            )
        pair, number = torch.unique(self._pair, return_inverse=True)
        weight = self._weight_or_one
        weight = weight.new_zeros(len(pair)).index_add(0, number, weight)
        src, dst = pair % self.num_nodes, pair // self.num_nodes
        return replace(self, src=src, dst=dst, edge_weight=weight)

    def without_repeats(self: Graph) -> Graph:
        """The graph with the first copy of each edge alone, its weight unchanged."""
        first = ~self.repeated_edges
        if bool(first.all()):
            return self
        return replace(self, **self._edges_at(first))

    def _edges_at(self, which: Tensor) -> dict[str, Tensor | None]:
        """The fields of some of the edges."""
        found = {name: getattr(self, name) for name in intake.EDGE_FIELDS}
        return {n: None if v is None else v[which] for n, v in found.items()}

    def _edges_and(self, src: Tensor, dst: Tensor) -> dict[str, Tensor | None]:
        """The fields of the edges with new ones, of weight 1 and features 0."""
        found = {"src": torch.cat([self.src, src]), "dst": torch.cat([self.dst, dst])}
        weight, attr = self.edge_weight, self.edge_attr
        if weight is not None:
            found["edge_weight"] = torch.cat([weight, weight.new_ones(len(src))])
        if attr is not None:
            zeros = attr.new_zeros(len(src), attr.shape[1])
            found["edge_attr"] = torch.cat([attr, zeros])
        return found

    def with_self_loops(self: Graph) -> Graph:
        """The graph with an edge from each node to itself, added where missing.

        In a weighted graph a new loop has weight 1; where edges have features, its are
        zeros.
        """
        nodes = torch.arange(self.num_nodes, device=self.device)
        has_loop = torch.zeros(self.num_nodes, dtype=torch.bool, device=self.device)
        has_loop[self.dst[self.src == self.dst]] = True
        new = nodes[~has_loop]
        if not len(new):
            return self
        return replace(self, **self._edges_and(new, new))

    def with_global_node(self: Graph) -> Graph:
        """The graph with one more node, joined with all others in both directions.

        It comes last. Its features are zeros, it is in no mask, its class is unknown
        (-1; labels and numbers 0), and its edges have weight 1 and features 0. A sparse
        `x` becomes dense.

        Raises:
            ValueError: the graph is a batch of several: give each a node of its own,
                before `batch_graphs`.
        """
        if self.num_graphs > 1:
            raise ValueError(
                f"{self.name} is a batch of {self.num_graphs} graphs: add the node to "
                "each of them, then batch_graphs"
            )
        nodes = torch.arange(self.num_nodes, device=self.device)
        new = torch.full_like(nodes, self.num_nodes)
        edges = self._edges_and(torch.cat([nodes, new]), torch.cat([new, nodes]))
        found = {k: getattr(self, k) for k in intake.NODE_FIELDS}
        if self.x is not None:
            found["x"] = self.x.to_dense()
        for name, value in found.items():
            if value is not None:
                row = value.new_zeros(1, *value.shape[1:])
                if name == "y" and value.dim() == 1 and not value.is_floating_point():
                    row -= 1  # an unknown class
                found[name] = torch.cat([value, row])
        return replace(self, num_nodes=self.num_nodes + 1, **edges, **found)

    def with_random_masks(
        self: Graph,
        per_class: int = 20,
        num_val: int = 500,
        num_test: int = 1000,
        seed: int = 0,
    ) -> Graph:
        """The graph with masks drawn at random: as many of each class to train on.

        A node whose class is unknown, -1 in `y`, is in none of them.

        Args:
            per_class: nodes of each class in `train_mask`.
            num_val: nodes in `val_mask`, of any class, from those that are left.
            num_test: nodes in `test_mask`, likewise.
            seed: the same seed gives the same masks on every machine.

        Raises:
            ValueError: there are no classes, a class has fewer than `per_class` nodes,
                or too few nodes are left.

        Source: the sizes of the Planetoid split (Yang et al., ICML 2016).
        """
        if self.y is None or self.y.dim() != 1 or self.y.is_floating_point():
            raise ValueError(f"{self.name} has no classes to draw from: y as [N], int")
        y = self.y.cpu().numpy()
        parts = draw_masks(y, per_class, num_val, num_test, seed)
        masks = (torch.from_numpy(part).to(self.device) for part in parts)
        return replace(self, **dict(zip(intake.MASKS, masks, strict=True)))

    def subgraph(self: Graph, nodes: Sequence[int] | Tensor) -> Graph:
        """The given nodes, in that order, and the edges between them.

        Features, labels and masks come along; a sparse `x` becomes dense.

        Args:
            nodes: their numbers, or a bool mask `[N]`.

        Raises:
            TypeError: `nodes` holds fractions or names.
            ValueError: no nodes, a node twice, a number that is not a node, or a mask
                of another length.
        """
        nodes = self._nodes(nodes)
        if nodes.dtype == torch.bool:
            nodes = nodes.nonzero()[:, 0]
        nodes = intake.numbers("nodes", nodes)
        inside = bool(((nodes >= 0) & (nodes < self.num_nodes)).all())
        if nodes.dim() != 1 or not len(nodes) or not inside:
            raise ValueError(f"nodes must be numbers from 0 to {self.num_nodes - 1}")
        if len(nodes.unique()) < len(nodes):
            raise ValueError("nodes holds a node twice")
        number = torch.full_like(self.in_degrees, -1)  # [N], int64
        number[nodes] = torch.arange(len(nodes), device=self.device)
        src, dst = number[self.src], number[self.dst]
        inner = (src >= 0) & (dst >= 0)
        part = {k: getattr(self, k) for k in intake.NODE_FIELDS}
        if self.x is not None and sparse.is_csr(self.x):
            part["x"] = self.x.to_dense()
        return replace(
            self,
            num_nodes=len(nodes),
            name=f"part of {self.name}",
            **self._edges_at(inner) | {"src": src[inner], "dst": dst[inner]},
            **{k: None if v is None else v[nodes] for k, v in part.items()},
        )

    def receptive_field(self: Graph, nodes: Tensor, num_hops: int) -> Graph:
        r"""What decides the given nodes' outputs after some layers of messages.

        All nodes from which `num_hops` edges or fewer lead to one of `nodes`, and the
        edges that end within `num_hops - 1` of them. A model of `num_hops` layers
        computes the same for `nodes` on this part as on the graph; what it computes
        for the other nodes of the part has no meaning.

        Args:
            nodes: a bool mask `[N]`.
            num_hops: number of layers that pass messages, at least 0.

        Returns:
            The part, its nodes in their old order, with features, labels and masks.

        Raises:
            ValueError: `nodes` is no mask of this graph or empty, or `num_hops` is
                negative.
        """
        nodes = self._nodes(nodes)
        if nodes.dtype != torch.bool or not bool(nodes.any()):
            raise ValueError(f"nodes must be a bool mask [{self.num_nodes}], not empty")
        if num_hops < 0:
            raise ValueError(f"num_hops must be at least 0, got {num_hops}")
        inside, within = nodes.clone(), torch.zeros_like(self.dst, dtype=torch.bool)
        for _ in range(num_hops):
            within = inside[self.dst]  # edges that end inside
            inside[self.src[within]] = True
        if bool(inside.all() and within.all()):
            return self
        kept = inside.nonzero()[:, 0]
        number = inside.cumsum(0) - 1
        part = {k: getattr(self, k) for k in intake.NODE_FIELDS if k != "x"}
        part = {k: v[kept] for k, v in part.items() if v is not None}
        if self.x is not None:
            with self.device:  # whatever PyTorch's default device is
                part["x"] = sparse.select_rows(self.x, kept)
        ends = {k: number[getattr(self, k)[within]] for k in ("src", "dst")}
        return replace(
            self,
            num_nodes=len(kept),
            name=f"part of {self.name}",
            **self._edges_at(within) | ends,
            **part,
        )

    def _nodes(self, nodes: Any) -> Tensor:
        """Node numbers or a bool mask, on this graph's device."""
        nodes = intake.tensor("nodes", nodes, self.device).to(self.device)
        if nodes.dtype == torch.bool and nodes.shape != (self.num_nodes,):
            raise ValueError(
                f"nodes as a bool mask must be [{self.num_nodes}], got "
                f"{list(nodes.shape)}"
            )
        return nodes


def draw_masks(
    y: np.ndarray, per_class: int, num_val: int, num_test: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the masks that `Parts.with_random_masks` describes, from classes `[N]`.

    Returns three masks, bool `[N]`, of which no two share a node.
    """
    if per_class < 1 or min(num_val, num_test) < 0:
        raise ValueError(
            "per_class must be at least 1, num_val and num_test at least 0; got "
            f"{per_class}, {num_val}, {num_test}"
        )
    known = y >= 0
    if not known.any():
        raise ValueError("no node has a class to draw from: y is negative everywhere")
    order = np.random.default_rng(seed).permutation(len(y))
    left = known.copy()
    for label in range(y.max() + 1):
        members = order[y[order] == label]
        if len(members) < per_class:
            raise ValueError(
                f"class {label} has {len(members)} nodes, fewer than per_class = "
                f"{per_class}; ask for fewer"
            )
        left[members[:per_class]] = False
    rest = order[left[order]]
    if len(rest) < num_val + num_test:
        raise ValueError(
            f"after {per_class} nodes of each class {len(rest)} with a class are left, "
            f"fewer than num_val + num_test = {num_val + num_test}; ask for fewer"
        )
    val, test = np.zeros_like(left), np.zeros_like(left)
    val[rest[:num_val]] = True
    test[rest[num_val : num_val + num_test]] = True
    return known & ~left, val, test
