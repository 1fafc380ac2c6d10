"""Many graphs kept as one, so that a batch of them is quickly cut out (chapter 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from gat_course import intake, sparse
from gat_course.graph import GraphData


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class GraphPack:
    r"""Graphs side by side, an answer for each, and the right attention if known.

    Args:
        graph: a batch of $G$ graphs with features, such as `batch_graphs` makes; its
            nodes in the order of their graphs, at least one in each.
        y: a class 0, 1, … of each graph, integers `[G]`; or a number, floating point
            `[G]`.
        attention: how much each node should count, `[N]`, at least 0; over the nodes of
            a graph it sums to 1, or to 0 where no node matters.
        name: printed in titles and tables.

    Raises:
        ValueError: a field has the wrong length, a number is NaN or infinite, a class
            or a weight is negative, or the nodes are not in the order of their graphs.

    >>> pair = GraphData.from_edges([0], [1], x=torch.ones(2, 1))
    >>> pack = GraphPack(graph=batch_graphs([pair] * 3), y=[0, 1, 1], name="pairs")
    >>> pack.take([2, 0]).y
    tensor([1, 0])
    """

    graph: GraphData
    y: Tensor
    name: str
    attention: Tensor | None = None

    def __post_init__(self) -> None:
        if self.graph.x is None:
            raise ValueError("graph has no x: give its nodes features")
        if sparse.is_csr(self.graph.x):
            dense = replace(self.graph, x=self.graph.x.to_dense())
            object.__setattr__(self, "graph", dense)
        graph_of, number = self.graph_of, self.graph.num_graphs
        in_order = not bool((graph_of[1:] < graph_of[:-1]).any())
        if not in_order or not bool(self.sizes.all()):
            raise ValueError(
                "the nodes of graph must stand in the order of their graphs, at least "
                "one in each: make it with batch_graphs"
            )
        y = self._here("y", self.y)
        if y.shape != (number,) or y.dtype == torch.bool or y.is_complex():
            raise ValueError(
                f"y must hold one class or number for each of {number} graphs, got "
                f"{y.dtype} {list(y.shape)}"
            )
        y = y if y.is_floating_point() else y.long()
        if not bool(torch.isfinite(y).all()):
            raise ValueError("y must be finite: leave out graphs without an answer")
        if not y.is_floating_point() and bool((y < 0).any()):
            raise ValueError("y holds a negative class; classes are 0, 1, …")
        object.__setattr__(self, "y", y)
        if self.attention is not None:
            object.__setattr__(self, "attention", self._checked(self.attention))

    def _here(self, field: str, given: Tensor) -> Tensor:
        found = intake.tensor(field, given, self.device)
        if found.device != self.device:
            raise ValueError(
                f"{field} is on {found.device} but the graph on {self.device}: move "
                "the pack as a whole, with pack.to(device)"
            )
        if found.requires_grad:
            raise ValueError(
                f"{field} requires a gradient, but data stay as they are: use .detach()"
            )
        return found

    def _checked(self, given: Tensor) -> Tensor:
        found = self._here("attention", given)
        if found.shape != (self.graph.num_nodes,):
            raise ValueError(
                f"attention must be [{self.graph.num_nodes}], one weight for each "
                f"node, got {list(found.shape)}"
            )
        if not bool(torch.isfinite(found).all()) or bool((found < 0).any()):
            raise ValueError("attention must be finite and at least 0")
        zeros = torch.zeros(len(self), dtype=torch.float64, device=self.device)
        sums = zeros.index_add(0, self.graph_of, found.double())
        wrong = ((sums - 1).abs() > 1e-3) & (sums != 0)
        if bool(wrong.any()):
            one = int(wrong.nonzero()[0])
            raise ValueError(
                f"attention sums to {sums[one]:g} over graph {one}: divide it by its "
                "sum, or make it 0 where no node matters"
            )
        return found.to(self.graph.x.dtype)

    @property
    def graph_of(self) -> Tensor:
        """Which graph each node is of, `[N]`."""
        found = self.graph.graph_of
        return torch.zeros_like(self.graph.in_degrees) if found is None else found

    @property
    def graphs(self) -> tuple[GraphData]:
        """The one graph that holds all of them, as a tuple."""
        return (self.graph,)

    @cached_property
    def sizes(self) -> Tensor:
        """Nodes of each graph, `[G]`."""
        return torch.bincount(self.graph_of, minlength=self.graph.num_graphs)

    @cached_property
    def _edge_counts(self) -> Tensor:
        own = self.graph_of[self.graph.dst]
        return torch.bincount(own, minlength=self.graph.num_graphs)

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return self.graph.device

    @property
    def has_numbers(self) -> bool:
        """Whether the answers are numbers, and not classes."""
        return self.y.is_floating_point()

    @property
    def num_features(self) -> int:
        """Features per node, $F$."""
        return self.graph.num_features

    @property
    def num_classes(self) -> int:
        """How many numbers a model returns for a graph: classes, or 1."""
        return 1 if self.has_numbers else int(self.y.max()) + 1

    def __len__(self) -> int:
        return self.graph.num_graphs

    def take(self, numbers: Sequence[int] | Tensor) -> GraphPack:
        """Some of the graphs, in this order.

        Raises:
            TypeError: `numbers` does not hold whole numbers.
            ValueError: none is named, or a graph that is not there.
        """
        chosen = intake.numbers("numbers", numbers, self.device)
        inside = (chosen >= 0) & (chosen < len(self))
        if chosen.dim() != 1 or not len(chosen) or not bool(inside.all()):
            raise ValueError(
                f"numbers must list graphs, 0 to {len(self) - 1}, at least one"
            )
        nodes, counts, shift = _spans(self.sizes, chosen)
        edges, edge_counts, _ = _spans(self._edge_counts, chosen)
        shift = shift.repeat_interleave(edge_counts)
        whole, here = self.graph, torch.arange(len(chosen), device=self.device)
        graph = GraphData(
            num_nodes=len(nodes),
            src=whole.src[edges] + shift,
            dst=whole.dst[edges] + shift,
            x=whole.x[nodes],
            edge_weight=None if whole.edge_weight is None else whole.edge_weight[edges],
            edge_attr=None if whole.edge_attr is None else whole.edge_attr[edges],
            graph_of=here.repeat_interleave(counts),
            name=whole.name,
        )
        return GraphPack(
            graph=graph,
            y=self.y[chosen],
            attention=None if self.attention is None else self.attention[nodes],
            name=self.name,
        )

    def with_attention(self, attention: Tensor) -> GraphPack:
        """The same graphs, with other weights for their nodes to be trained towards."""
        return replace(self, attention=attention)

    def to(self, device: str | torch.device) -> GraphPack:
        """The same with every tensor on `device`."""
        attention = None if self.attention is None else self.attention.to(device)
        moved = {"graph": self.graph.to(device), "y": self.y.to(device)}
        return replace(self, attention=attention, **moved)

    def __repr__(self) -> str:
        what = "numbers" if self.has_numbers else f"{self.num_classes} classes"
        known = "" if self.attention is None else ", attention known"
        return (
            f"GraphPack({self.name!r}, {len(self)} graphs, {self.graph.num_nodes} "
            f"nodes, {self.graph.num_edges} edges, {self.num_features} features, "
            f"{what}{known})"
        )


def _spans(counts: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What lies in the chosen spans of a row of spans, one after the other.

    Returns:
        The places, the counts of the chosen spans, and how far each span moves.
    """
    starts = counts.cumsum(0) - counts
    own = counts[chosen]
    shift = own.cumsum(0) - own - starts[chosen]
    places = torch.arange(int(own.sum()), device=counts.device)
    return places - shift.repeat_interleave(own), own, shift
