"""The graph container that every layer, model and chapter takes as input."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from gat_course import intake, sparse
from gat_course.exchange import Exchange
from gat_course.orders import EdgeOrder, edge_order
from gat_course.parts import Parts


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class GraphData(Parts, Exchange):
    r"""A directed graph with features, labels and splits; it never changes.

    What can be made of it (`subgraph`, `coalesce`, …) stands in `parts.py`, networkx
    and DGL in `exchange.py`, and what is asked of the fields in `intake.py`.

    An edge $j \to i$ carries a message from source $j$ to target $i$. Edges are
    kept sorted by target (a stable sort), so one target's incoming edges stand
    side by side. Everything derived from the edges is computed once and cached.

    An edge may stand there several times, and may have a weight. In every layer an
    edge of weight $w$ counts like $w$ copies of it: attention becomes
    $\alpha_{ij}=w_{ij}\exp e_{ij}\,/\sum_m w_{im}\exp e_{im}$, an average becomes a
    weighted one, and the degrees of a GCN become `in_strengths`. Multiplying all
    weights by one number changes nothing there.

    Fields may be tensors, lists, NumPy arrays, pandas columns or frames (taken row by
    row; their index is not looked at), `x` also a SciPy sparse matrix. Floating-point
    numbers become float32, PyTorch's default dtype, unless they come in a tensor.
    Tensors and arrays are kept, not copied: do not write into them afterwards. Only
    those made under `torch.inference_mode()` are copied, so that one can train on them.

    Args:
        num_nodes: $N$, at least 1.
        src: source $j$ of each edge, integers `[E]`; for other names of nodes there is
            `number_nodes`.
        dst: target $i$ of each edge, integers `[E]`.
        x: features `[N, F]`, floating point, dense or sparse CSR.
        y: labels: classes `[N]` (integers) or several labels per node `[N, L]`.
        train_mask: which nodes' labels may be trained on, bool `[N]`.
        val_mask: which nodes choose the model, bool `[N]`.
        test_mask: which nodes measure it, bool `[N]`.
        edge_weight: $w$ of each edge, positive and finite, floating point `[E]`;
            without it all are 1. Data: no gradient flows into them.
        edge_attr: features of each edge, floating point `[E, D]`. Data, too.
        graph_of: in a batch, which of its graphs each node is of, integers `[N]`.
        name: printed in every plot title and table.

    Raises:
        TypeError: a field has the wrong kind of numbers.
        ValueError: an edge points outside the graph, a field has the wrong length
            or device, a weight is not positive, or a number is NaN or infinite. The
            message names the field.

    >>> graph = GraphData.from_edges([0, 1, 2], [1, 2, 2], x=torch.eye(3))
    >>> graph.with_self_loops()
    GraphData('graph', 3 nodes, 5 edges, 3 features)
    >>> graph.in_degrees
    tensor([0, 1, 2])
    """

    num_nodes: int
    src: Tensor
    dst: Tensor
    x: Tensor | None = None
    y: Tensor | None = None
    train_mask: Tensor | None = None
    val_mask: Tensor | None = None
    test_mask: Tensor | None = None
    edge_weight: Tensor | None = None
    edge_attr: Tensor | None = None
    graph_of: Tensor | None = None
    name: str = "graph"

    def __post_init__(self) -> None:
        with intake.lasting():
            self._set("num_nodes", intake.node_count(self.num_nodes))
            self._set("src", self._edge_ends("src", None))
            self._set("dst", self._edge_ends("dst", self.device))
            self._check_ends()
            weight = self.edge_weight
            if weight is not None:
                weight = intake.edge_weight(weight, self.num_edges, self.device)
                self._set("edge_weight", weight)
            if self.edge_attr is not None:
                attr = intake.edge_attr(self.edge_attr, self.num_edges, self.device)
                self._set("edge_attr", attr)
            for name in intake.NODE_FIELDS:
                given = getattr(self, name)
                if given is not None:
                    given = intake.node_field(name, given, self.num_nodes, self.device)
                    self._set(name, given)
            if bool((self.dst[1:] < self.dst[:-1]).any()):
                order = torch.argsort(self.dst, stable=True)
                for name, value in self._edges_at(order).items():
                    self._set(name, value)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _edge_ends(self, name: str, device: torch.device | None) -> Tensor:
        ends = intake.edge_ends(name, getattr(self, name), device)
        wrong = (ends < 0) | (ends >= self.num_nodes)
        if bool(wrong.any()):
            edge = int(wrong.nonzero()[0])
            raise ValueError(
                f"{name}[{edge}] = {int(ends[edge])} is not a node: nodes are "
                f"numbered 0 to {self.num_nodes - 1}; number_nodes numbers other ids"
            )
        return ends

    def _check_ends(self) -> None:
        if len(self.src) != len(self.dst):
            raise ValueError(
                f"src and dst must have one entry per edge: "
                f"src has {len(self.src)}, dst has {len(self.dst)}"
            )
        if self.src.device != self.dst.device:
            raise ValueError(
                f"src is on {self.src.device} but dst is on {self.dst.device}; build "
                "the graph on one device and move it with .to(device)"
            )

    @classmethod
    def from_edges(
        cls,
        src: Sequence[int] | Tensor,
        dst: Sequence[int] | Tensor,
        num_nodes: int | None = None,
        *,
        undirected: bool = False,
        edge_weight: Sequence[float] | Tensor | None = None,
        edge_attr: Sequence[Sequence[float]] | Tensor | None = None,
        **node_fields: Any,
    ) -> GraphData:
        """Build a graph from lists of edge ends.

        A list that names each link in both directions needs no `undirected=True`: that
        would make every edge a repeated one, which `repeated_edges` shows and
        `without_repeats()` mends. In a bipartite graph both sides are numbered in one
        row: `from_edges(user, num_users + item, num_users + num_items)`.

        Args:
            src: sources, `[E]`.
            dst: targets, `[E]`.
            num_nodes: when it is not given, the rows of `x` or `y`, else the largest
                node number and one.
            undirected: also add every edge's reverse, of the same weight and features
                (a self-loop has none).
            edge_weight: as for `GraphData`, `[E]`.
            edge_attr: as for `GraphData`, `[E, D]`.
            **node_fields: `x`, `y`, the masks and `name`, as for `GraphData`.

        Raises:
            TypeError, ValueError: as `GraphData`; and where the numbers look like ids:
                the largest makes more than 1,000 nodes, more than half of them without
                an edge. `number_nodes` numbers ids; `num_nodes` says that none are.

        >>> GraphData.from_edges([0, 1], [1, 2], undirected=True, name="a path")
        GraphData('a path', 3 nodes, 4 edges)
        """
        src = intake.edge_ends("src", src)
        dst = intake.edge_ends("dst", dst, src.device)
        if num_nodes is None:
            num_nodes = intake.count_nodes(src, dst, node_fields)
        if undirected and len(src) == len(dst):
            new = src != dst
            if edge_weight is not None:
                weight = intake.edge_weight(edge_weight, len(src), src.device)
                edge_weight = torch.cat([weight, weight[new]])
            if edge_attr is not None:
                attr = intake.edge_attr(edge_attr, len(src), src.device)
                edge_attr = torch.cat([attr, attr[new]])
            src, dst = torch.cat([src, dst[new]]), torch.cat([dst, src[new]])
        return cls(
            num_nodes=num_nodes,
            src=src,
            dst=dst,
            edge_weight=edge_weight,
            edge_attr=edge_attr,
            **node_fields,
        )

    @property
    def num_edges(self) -> int:
        """Number of directed edges, $|E|$."""
        return len(self.src)

    @property
    def num_graphs(self) -> int:
        """Number of graphs in a batch, up to the last that has a node; else 1."""
        return 1 if self.graph_of is None else int(self.graph_of.max()) + 1

    @property
    def num_features(self) -> int:
        """Features per node, $F$; 0 without features."""
        return 0 if self.x is None else self.x.shape[1]

    @property
    def num_classes(self) -> int:
        """Number of classes (`y` of shape `[N]`) or of labels (`[N, L]`).

        Raises:
            TypeError: `y` is `[N]` and floating point, so that it names no classes.
        """
        if self.y is None:
            return 0
        if self.y.dim() == 2:
            return self.y.shape[1]
        if self.y.is_floating_point():
            raise TypeError(
                f"y holds {self.y.dtype}, not classes; if they are 0, 1, … build the "
                "graph with y.long()"
            )
        return int(self.y.max()) + 1

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return self.src.device

    @intake.derived
    def in_degrees(self) -> Tensor:
        r"""Number of edges into each node, $|\mathcal N(i)|$, `[N]`."""
        return torch.bincount(self.dst, minlength=self.num_nodes)

    @intake.derived
    def in_strengths(self) -> Tensor:
        r"""Sum of the weights of the edges into each node, float `[N]`.

        Without weights these are the `in_degrees`.
        """
        weight = self._weight_or_one
        return weight.new_zeros(self.num_nodes).index_add(0, self.dst, weight)

    @property
    def _weight_or_one(self) -> Tensor:
        if self.edge_weight is not None:
            return self.edge_weight
        return torch.ones(self.num_edges, dtype=torch.float32, device=self.device)

    @intake.derived
    def by_target(self) -> EdgeOrder:
        """The edges in their own order, each target's side by side."""
        edge = torch.arange(self.num_edges, device=self.device)
        return edge_order(self.dst, self.src, edge, self.num_nodes)

    @intake.derived
    def by_source(self) -> EdgeOrder:
        """The edges sorted by source: the same graph, read the other way round."""
        order = torch.argsort(self.src, stable=True)
        return edge_order(self.src[order], self.dst[order], order, self.num_nodes)

    @intake.derived
    def _adjacency(self) -> Tensor:
        weight = self._weight_or_one
        matrix = weight.new_zeros(self.num_nodes, self.num_nodes)
        return matrix.index_put_((self.dst, self.src), weight, accumulate=True)

    def dense_adjacency(self) -> Tensor:
        r"""The adjacency matrix $A$, float `[N, N]`.

        Row $i$ is the target: $A_{ij}$ counts the edges $j \to i$, or sums their
        weights, so row $i$ is non-zero exactly on $\mathcal N(i)$. It takes $4N^2$
        bytes, and the graph keeps as many: the matrix is a copy of your own.

        >>> GraphData.from_edges([0, 0], [1, 2]).dense_adjacency()
        tensor([[0., 0., 0.],
                [1., 0., 0.],
                [1., 0., 0.]])
        """
        return self._adjacency.clone()

    def to(self, device: str | torch.device) -> GraphData:
        """The same graph with every tensor on `device`; itself where it is there."""
        # PyTorch says which of several GPUs "cuda" means.
        if torch.empty(0, device=device).device == self.device:
            return self
        return self._with_tensors(lambda tensor: tensor.to(device))

    def _with_tensors(self, change: Callable[[Tensor], Tensor]) -> GraphData:
        """A graph of changed tensors that need no check, without what is cached."""
        new = copy.copy(self)
        with intake.lasting():
            for name, value in self.__getstate__().items():
                if isinstance(value, Tensor):
                    new._set(name, change(value))
        return new

    def __deepcopy__(self, memo: dict) -> GraphData:
        memo[id(self)] = new = self._with_tensors(intake.copied)
        return new

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __repr__(self) -> str:
        parts = [f"{self.name!r}", f"{self.num_nodes} nodes"]
        kind = "" if self.edge_weight is None else "weighted "
        parts.append(f"{self.num_edges} {kind}edges")
        if self.edge_attr is not None:
            parts[-1] += f" of {self.edge_attr.shape[1]} features"
        if self.x is not None:
            kind = "sparse " if sparse.is_csr(self.x) else ""
            parts.append(f"{self.num_features} {kind}features")
        if self.y is not None:
            is_number = self.y.dim() == 1 and self.y.is_floating_point()
            parts.append("y a number" if is_number else f"{self.num_classes} classes")
        split = [getattr(self, m) for m in intake.MASKS]
        if all(mask is not None for mask in split):
            sizes = "/".join(str(int(mask.sum())) for mask in split)
            parts.append(f"{sizes} train/val/test")
        return f"GraphData({', '.join(parts)})"
