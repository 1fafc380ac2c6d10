"""Graphs with one answer each: molecules, proteins, puzzles (chapters 7 and 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gat_course import intake
from gat_course.graph import GraphData

PARTS = ("train", "val", "test")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class GraphSet:
    r"""Graphs and an answer for each whole graph, split into three parts.

    Args:
        graphs: $G$ graphs with features, on one device; those without edges too.
        y: a class 0, 1, … of each graph, integers `[G]`; or a number, floating point
            `[G]`.
        train: numbers of the graphs that are trained on.
        val: numbers of those that choose the model.
        test: numbers of those that measure it.
        name: printed in every plot title and table.

    Raises:
        TypeError: a part does not hold whole numbers.
        ValueError: there is no graph, they do not fit together or have not one answer
            each, an answer is NaN, infinite or negative as a class, a part is empty or
            names no graph, or a graph is in two parts. The message names it.

    >>> graphs = [GraphData.from_edges([0], [1], x=torch.ones(2, 1))] * 3
    >>> GraphSet(graphs=graphs, y=[0.5, 1, 2], train=[0], val=[1], test=[2], name="s")
    GraphSet('s', 1/1/1 graphs for train/val/test, 6 nodes, 3 edges, ...)
    """

    graphs: Sequence[GraphData]
    y: Tensor
    train: Tensor
    val: Tensor
    test: Tensor
    name: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "graphs", tuple(self.graphs))
        if not self.graphs:
            raise ValueError("graphs has no graph")
        _require_alike(self.graphs)
        y = intake.tensor("y", self.y, self.device)
        if y.shape != (len(self.graphs),) or y.dtype == torch.bool or y.is_complex():
            raise ValueError(
                f"y must hold one class or number for each of {len(self.graphs)} "
                f"graphs, got {y.dtype} {list(y.shape)}"
            )
        y = y if y.is_floating_point() else y.long()
        if not bool(torch.isfinite(y).all()):
            raise ValueError("y must be finite: leave out graphs without an answer")
        if not self._numbers(y) and y.min() < 0:
            raise ValueError(
                f"y holds the class {int(y.min())}; classes are 0, 1, …: leave out "
                "graphs without one. If y holds numbers to predict, give y.float()"
            )
        if not self._numbers(y) and not y.max():
            raise ValueError("all graphs are of class 0: there is nothing to learn")
        object.__setattr__(self, "y", y.to(self.device))
        seen = torch.zeros(len(self.graphs), dtype=torch.bool)
        for part in PARTS:
            chosen = intake.numbers(part, getattr(self, part), torch.device("cpu"))
            chosen = chosen.cpu()
            inside = (chosen >= 0) & (chosen < len(seen))
            if chosen.dim() != 1 or not len(chosen) or not bool(inside.all()):
                raise ValueError(
                    f"{part} must list numbers of graphs, 0 to {len(seen) - 1}, at "
                    "least one"
                )
            if bool(seen[chosen].any()) or len(chosen.unique()) < len(chosen):
                raise ValueError(f"{part} holds a graph twice, or one of another part")
            seen[chosen] = True
            object.__setattr__(self, part, chosen)

    @staticmethod
    def _numbers(y: Tensor) -> bool:
        return y.is_floating_point()

    @property
    def has_numbers(self) -> bool:
        """Whether the answers are numbers, and not classes."""
        return self._numbers(self.y)

    @property
    def num_features(self) -> int:
        """Features per node, $F$."""
        return self.graphs[0].num_features

    @property
    def num_classes(self) -> int:
        """How many numbers a model returns for a graph: classes, or 1."""
        return 1 if self.has_numbers else int(self.y.max()) + 1

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return self.graphs[0].device

    def to(self, device: str | torch.device) -> GraphSet:
        """The same with every tensor on `device`; the numbers of the parts stay."""
        graphs = tuple(graph.to(device) for graph in self.graphs)
        return replace(self, graphs=graphs, y=self.y.to(device))

    def __repr__(self) -> str:
        sizes = "/".join(str(len(getattr(self, part))) for part in PARTS)
        nodes = sum(graph.num_nodes for graph in self.graphs)
        edges = sum(graph.num_edges for graph in self.graphs)
        what = "numbers" if self.has_numbers else f"{self.num_classes} classes"
        return (
            f"GraphSet({self.name!r}, {sizes} graphs for train/val/test, {nodes} "
            f"nodes, {edges} edges, {self.num_features} features, {what})"
        )


def _kind(value: Tensor | None) -> str:
    """What of a field must be the same in all graphs."""
    if value is None:
        return "missing"
    width = f" of {value.shape[1]} columns" if value.dim() > 1 else ""
    return f"{value.dtype}{width}"


def _require_alike(graphs: Sequence[GraphData]) -> None:
    """Raise unless the graphs have features and can stand in one batch."""
    first = graphs[0]
    fields = [f for f in (*intake.NODE_FIELDS, *intake.EDGE_FIELDS) if f != "graph_of"]
    for number, graph in enumerate(graphs):
        if graph.x is None:
            raise ValueError(f"graph {number} ({graph.name}) has no x")
        if graph.graph_of is not None:
            raise ValueError(f"graph {number} is a batch: give its graphs one by one")
        kinds = {"device": (str(graph.device), str(first.device))}
        for f in fields:
            kinds[f] = _kind(getattr(graph, f)), _kind(getattr(first, f))
        for what, (own, of_first) in kinds.items():
            if own != of_first:
                raise ValueError(
                    f"{what} is {own} in graph {number} and {of_first} in graph 0; "
                    "make it the same in all graphs"
                )
