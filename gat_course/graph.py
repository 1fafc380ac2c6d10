"""The graph container that every layer, model and chapter takes as input."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gat_course import intake, named, sparse, splits
from gat_course.orders import EdgeOrder, edge_order

if TYPE_CHECKING:
    import dgl
    import networkx


def _derived(compute: Callable[[GraphData], Any]) -> cached_property:
    """A cached property that serves training too, even if inference asks first."""

    @wraps(compute)
    def lasting(graph: GraphData) -> Any:
        with intake.lasting():
            return compute(graph)

    return cached_property(lasting)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class GraphData:
    r"""A directed graph with features, labels and splits; it never changes.

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
        name: printed in every plot title and table.

    Raises:
        TypeError: a field has the wrong kind of numbers.
        ValueError: an edge points outside the graph, a field has the wrong length
            or device, a weight is not positive, or a number is NaN or infinite. The
            message names the field.
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
            for name in ("x", "y", *intake.MASKS):
                given = getattr(self, name)
                if given is not None:
                    given = intake.node_field(name, given, self.num_nodes, self.device)
                    self._set(name, given)
            if bool((self.dst[1:] < self.dst[:-1]).any()):
                dst, order = torch.sort(self.dst, stable=True)
                self._set("src", self.src[order])
                self._set("dst", dst)
                if weight is not None:
                    self._set("edge_weight", weight[order])

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
            undirected: also add every edge's reverse, of the same weight (a self-loop
                has none).
            edge_weight: as for `GraphData`, `[E]`.
            **node_fields: `x`, `y`, the masks and `name`, as for `GraphData`.

        Raises:
            TypeError, ValueError: as `GraphData`; and where the numbers look like ids:
                the largest makes more than 1,000 nodes, more than half of them without
                an edge. `number_nodes` numbers ids; `num_nodes` says that none are.
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
            src, dst = torch.cat([src, dst[new]]), torch.cat([dst, src[new]])
        return cls(
            num_nodes=num_nodes,
            src=src,
            dst=dst,
            edge_weight=edge_weight,
            **node_fields,
        )

    @classmethod
    def from_networkx(
        cls,
        graph: networkx.Graph,
        *,
        edge_weight: str | Sequence[float] | None = None,
        drop: str | Sequence[str] = (),
        **node_fields: Any,
    ) -> GraphData:
        """Build a graph from networkx, of any of its four kinds.

        Nodes are numbered in networkx's order: node i is `list(graph)[i]`. An
        undirected edge becomes two directed ones, parallel edges become repeated ones.

        Attributes are taken where their names are given, such as
        `x=["age", "income"]`, `y="group"` and `edge_weight="weight"`. A warning names
        those that are there and were not taken. The words of `y` are numbered in
        sorted order: the names of the classes are
        `sorted(set(networkx.get_node_attributes(graph, "group").values()))`.

        Args:
            graph: the graph.
            edge_weight: the name of an attribute of all edges, or a weight for each
                edge in the order of `graph.edges`.
            drop: names of attributes that are left out without a warning.
            **node_fields: `x`, `y` and the masks, each the name of an attribute of all
                nodes, a list of such names, or values in the order of the nodes; and
                `name`.

        Raises:
            TypeError: an attribute does not hold what the field asks for.
            ValueError: an attribute is missing from a node or an edge.
        """
        arguments = named.read_networkx(graph, edge_weight, drop, node_fields)
        return cls.from_edges(**arguments, undirected=not graph.is_directed())

    @property
    def num_edges(self) -> int:
        """Number of directed edges, $|E|$."""
        return len(self.src)

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

    @_derived
    def in_degrees(self) -> Tensor:
        r"""Number of edges into each node, $|\mathcal N(i)|$, `[N]`."""
        return torch.bincount(self.dst, minlength=self.num_nodes)

    @_derived
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

    @_derived
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

    @_derived
    def by_target(self) -> EdgeOrder:
        """The edges in their own order, each target's side by side."""
        edge = torch.arange(self.num_edges, device=self.device)
        return edge_order(self.dst, self.src, edge, self.num_nodes)

    @_derived
    def by_source(self) -> EdgeOrder:
        """The edges sorted by source: the same graph, read the other way round."""
        order = torch.argsort(self.src, stable=True)
        return edge_order(self.src[order], self.dst[order], order, self.num_nodes)

    @_derived
    def _adjacency(self) -> Tensor:
        weight = self._weight_or_one
        matrix = weight.new_zeros(self.num_nodes, self.num_nodes)
        return matrix.index_put_((self.dst, self.src), weight, accumulate=True)

    def dense_adjacency(self) -> Tensor:
        r"""The adjacency matrix $A$, float `[N, N]`.

        Row $i$ is the target: $A_{ij}$ counts the edges $j \to i$, or sums their
        weights, so row $i$ is non-zero exactly on $\mathcal N(i)$. It takes $4N^2$
        bytes. The matrix is a copy of your own.
        """
        return self._adjacency.clone()

    def with_self_loops(self) -> GraphData:
        """The graph with an edge from each node to itself, added where missing.

        In a weighted graph a new loop has weight 1.
        """
        nodes = torch.arange(self.num_nodes, device=self.device)
        has_loop = torch.zeros(self.num_nodes, dtype=torch.bool, device=self.device)
        has_loop[self.dst[self.src == self.dst]] = True
        new = nodes[~has_loop]
        if not len(new):
            return self
        weight = self.edge_weight
        if weight is not None:
            weight = torch.cat([weight, weight.new_ones(len(new))])
        src, dst = torch.cat([self.src, new]), torch.cat([self.dst, new])
        return replace(self, src=src, dst=dst, edge_weight=weight)

    def coalesce(self) -> GraphData:
        """The graph with each edge once, its weight the sum of its copies' weights.

        Every layer computes on it what it computes on this graph. A copy without a
        weight counts 1. A graph without repeated edges comes back as it is.
        """
        if not bool(self.repeated_edges.any()):
            return self
        pair, number = torch.unique(self._pair, return_inverse=True)
        weight = self._weight_or_one
        weight = weight.new_zeros(len(pair)).index_add(0, number, weight)
        src, dst = pair % self.num_nodes, pair // self.num_nodes
        return replace(self, src=src, dst=dst, edge_weight=weight)

    def without_repeats(self) -> GraphData:
        """The graph with the first copy of each edge alone, its weight unchanged."""
        first = ~self.repeated_edges
        if bool(first.all()):
            return self
        weight = None if self.edge_weight is None else self.edge_weight[first]
        src, dst = self.src[first], self.dst[first]
        return replace(self, src=src, dst=dst, edge_weight=weight)

    def with_random_masks(
        self,
        per_class: int = 20,
        num_val: int = 500,
        num_test: int = 1000,
        seed: int = 0,
    ) -> GraphData:
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
        parts = splits.draw(y, per_class, num_val, num_test, seed)
        masks = (torch.from_numpy(part).to(self.device) for part in parts)
        return replace(self, **dict(zip(intake.MASKS, masks, strict=True)))

    def subgraph(self, nodes: Sequence[int] | Tensor) -> GraphData:
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
        part = {k: getattr(self, k) for k in ("x", "y", *intake.MASKS)}
        if self.x is not None and sparse.is_csr(self.x):
            part["x"] = self.x.to_dense()
        return GraphData(
            num_nodes=len(nodes),
            src=src[inner],
            dst=dst[inner],
            edge_weight=None if self.edge_weight is None else self.edge_weight[inner],
            name=f"part of {self.name}",
            **{k: None if v is None else v[nodes] for k, v in part.items()},
        )

    def receptive_field(self, nodes: Tensor, num_hops: int) -> GraphData:
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
        weight = self.edge_weight
        part = {k: getattr(self, k) for k in ("y", *intake.MASKS)}
        part = {k: v[kept] for k, v in part.items() if v is not None}
        if self.x is not None:
            with self.device:  # whatever PyTorch's default device is
                part["x"] = sparse.select_rows(self.x, kept)
        return GraphData(
            num_nodes=len(kept),
            src=number[self.src[within]],
            dst=number[self.dst[within]],
            edge_weight=None if weight is None else weight[within],
            name=f"part of {self.name}",
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

    @cached_property
    def _dgl(self) -> dgl.DGLGraph:
        from gat_course import dgl_compat

        dgl = dgl_compat.import_dgl()
        if self.device.type != "cpu":
            dgl_compat.require_device(self.device)
        graph = dgl.graph((self.src, self.dst), num_nodes=self.num_nodes)
        if self.edge_weight is not None:
            graph.edata["weight"] = self.edge_weight
        return graph

    def dgl(self) -> dgl.DGLGraph:
        """The same edges, in the same order, as a DGL graph.

        Weights are its `edata["weight"]`; features and labels stay here.

        Raises:
            ImportError: DGL is not installed.
            RuntimeError: the installed DGL cannot use this graph's device.
        """
        return self._dgl

    def networkx(self) -> networkx.DiGraph:
        """The same edges in networkx (a multigraph if edges repeat).

        Weights are the edges' attribute `weight`; features and labels stay here.
        """
        import networkx as nx

        repeated = bool(self.repeated_edges.any())
        graph = nx.MultiDiGraph() if repeated else nx.DiGraph()
        graph.add_nodes_from(range(self.num_nodes))
        edges = self.src.tolist(), self.dst.tolist()
        if self.edge_weight is None:
            graph.add_edges_from(zip(*edges, strict=True))
        else:
            weights = self.edge_weight.tolist()
            graph.add_weighted_edges_from(zip(*edges, weights, strict=True))
        graph.name = self.name
        return graph

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __repr__(self) -> str:
        parts = [f"{self.name!r}", f"{self.num_nodes} nodes"]
        kind = "" if self.edge_weight is None else "weighted "
        parts.append(f"{self.num_edges} {kind}edges")
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


def checksum(graphs: Iterable[GraphData]) -> str:
    """SHA-256 of edges, features, labels, masks and weights, graph after graph.

    Args:
        graphs: the graphs, on any device.

    Returns:
        64 hexadecimal digits. A sparse `x` counts as its dense form; what a graph does
        not have counts for nothing.
    """
    digest = hashlib.sha256()
    for graph in graphs:
        names = ("src", "dst", "y", *intake.MASKS, "x", "edge_weight")
        for tensor in (getattr(graph, name) for name in names):
            if tensor is None:
                continue
            tensor = tensor.detach().to_dense().cpu()
            if tensor.dtype == torch.bfloat16:  # which NumPy does not have
                tensor = tensor.float()
            digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
