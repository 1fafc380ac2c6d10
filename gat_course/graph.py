"""The graph container that every layer, model and chapter takes as input."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gat_course import sparse

if TYPE_CHECKING:
    import dgl
    import networkx

_MASKS = ("train_mask", "val_mask", "test_mask")


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


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class GraphData:
    r"""A directed graph with features, labels and splits; it never changes.

    An edge $j \to i$ carries a message from source $j$ to target $i$. Edges are
    kept sorted by target (a stable sort), so one target's incoming edges stand
    side by side. Everything derived from the edges is computed once and cached.
    Tensors handed in are kept, not copied: do not write into them afterwards.

    Args:
        num_nodes: $N$, at least 1.
        src: source $j$ of each edge, integers `[E]`.
        dst: target $i$ of each edge, integers `[E]`.
        x: features `[N, F]`, floating point, dense or sparse CSR.
        y: labels: classes `[N]` (integers) or several labels per node `[N, L]`.
        train_mask: which nodes' labels may be trained on, bool `[N]`.
        val_mask: which nodes choose the model, bool `[N]`.
        test_mask: which nodes measure it, bool `[N]`.
        name: printed in every plot title and table.

    Raises:
        TypeError: a field has the wrong kind of numbers.
        ValueError: an edge points outside the graph, a field has the wrong length
            or device, or features or labels contain NaN or infinity. The message
            names the field.
    """

    num_nodes: int
    src: Tensor
    dst: Tensor
    x: Tensor | None = None
    y: Tensor | None = None
    train_mask: Tensor | None = None
    val_mask: Tensor | None = None
    test_mask: Tensor | None = None
    name: str = "graph"

    def __post_init__(self) -> None:
        if int(self.num_nodes) != self.num_nodes or self.num_nodes < 1:
            raise ValueError(f"num_nodes must be at least 1, got {self.num_nodes!r}")
        self._set("num_nodes", int(self.num_nodes))
        self._set("src", self._edge_ends("src"))
        self._set("dst", self._edge_ends("dst"))
        if len(self.src) != len(self.dst):
            raise ValueError(
                f"src and dst must have one entry per edge: "
                f"src has {len(self.src)}, dst has {len(self.dst)}"
            )
        for name in ("x", "y", *_MASKS):
            value = getattr(self, name)
            if value is not None:
                self._set(name, self._node_field(name, torch.as_tensor(value)))
        if len(self.dst) and bool((self.dst[1:] < self.dst[:-1]).any()):
            dst, order = torch.sort(self.dst, stable=True)
            self._set("src", self.src[order])
            self._set("dst", dst)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _edge_ends(self, name: str) -> Tensor:
        ends = torch.as_tensor(getattr(self, name))
        if ends.numel() == 0:
            ends = ends.long()
        if ends.dim() != 1:
            raise ValueError(f"{name} must be one-dimensional, got {list(ends.shape)}")
        if ends.is_floating_point() or ends.is_complex() or ends.dtype == torch.bool:
            raise TypeError(f"{name} must hold integers, got {ends.dtype}")
        ends = ends.long()
        wrong = (ends < 0) | (ends >= self.num_nodes)
        if bool(wrong.any()):
            edge = int(wrong.nonzero()[0])
            raise ValueError(
                f"{name}[{edge}] = {int(ends[edge])} is not a node: nodes are "
                f"numbered 0 to {self.num_nodes - 1}"
            )
        return ends

    def _node_field(self, name: str, value: Tensor) -> Tensor:
        if value.dim() == 0 or value.shape[0] != self.num_nodes:
            raise ValueError(
                f"{name} must have one row per node ({self.num_nodes}), "
                f"got shape {list(value.shape)}"
            )
        if value.device != self.device:
            raise ValueError(
                f"{name} is on {value.device} but the edges are on {self.device}; "
                "build the graph on one device and move it with .to(device)"
            )
        if name in _MASKS:
            if value.dtype != torch.bool or value.dim() != 1:
                raise TypeError(f"{name} must be a bool vector, got {value.dtype}")
        elif name == "x":
            if value.dim() != 2:
                raise ValueError(f"x must be [N, F], got {list(value.shape)}")
            if not value.is_floating_point():
                raise TypeError(f"x must be floating point, got {value.dtype}")
            if value.layout not in (torch.strided, torch.sparse_csr):
                raise TypeError(f"x must be dense or sparse CSR, got {value.layout}")
        else:
            if value.dim() > 2:
                raise ValueError(f"y must be [N] or [N, L], got {list(value.shape)}")
            if value.dim() == 1 and not value.is_floating_point():
                value = value.long()
        if value.is_floating_point():
            finite = torch.isfinite(sparse.stored_values(value))
            if not bool(finite.all()):
                raise ValueError(
                    f"{name} contains {int((~finite).sum())} values that are NaN or "
                    "infinite; clean the data before building the graph"
                )
        return value

    @classmethod
    def from_edges(
        cls,
        src: Sequence[int] | Tensor,
        dst: Sequence[int] | Tensor,
        num_nodes: int | None = None,
        *,
        undirected: bool = False,
        **node_fields: Any,
    ) -> GraphData:
        """Build a graph from lists of edge ends.

        Args:
            src: sources, `[E]`.
            dst: targets, `[E]`.
            num_nodes: taken from `x` or `y`, else from the largest node number,
                when it is not given.
            undirected: also add every edge's reverse (a self-loop has none).
            **node_fields: `x`, `y`, the masks and `name`, as for `GraphData`.
        """
        src, dst = torch.as_tensor(src), torch.as_tensor(dst)
        if num_nodes is None:
            given = [v for k in ("x", "y") if (v := node_fields.get(k)) is not None]
            if given:
                num_nodes = len(given[0])
            elif src.numel() and dst.numel():
                num_nodes = int(torch.maximum(src.max(), dst.max())) + 1
            else:
                raise ValueError("a graph without edges needs num_nodes")
        if undirected and len(src) == len(dst):
            loop = src == dst
            src, dst = torch.cat([src, dst[~loop]]), torch.cat([dst, src[~loop]])
        return cls(num_nodes=num_nodes, src=src, dst=dst, **node_fields)

    @classmethod
    def from_networkx(cls, graph: networkx.Graph, **node_fields: Any) -> GraphData:
        """Build a graph from networkx; nodes are numbered in networkx's order.

        An undirected edge becomes two directed ones. `node_fields` are `x`, `y`,
        the masks and `name`, in that same order of nodes.
        """
        number = {node: i for i, node in enumerate(graph.nodes)}
        src = [number[u] for u, _ in graph.edges()]
        dst = [number[v] for _, v in graph.edges()]
        node_fields.setdefault("name", graph.name or "graph")
        return cls.from_edges(
            src, dst, len(number), undirected=not graph.is_directed(), **node_fields
        )

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
        """Number of classes (`y` of shape `[N]`) or of labels (`[N, L]`)."""
        if self.y is None:
            return 0
        return self.y.shape[1] if self.y.dim() == 2 else int(self.y.max()) + 1

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return self.src.device

    @cached_property
    def in_degrees(self) -> Tensor:
        r"""Number of edges into each node, $|\mathcal N(i)|$, `[N]`."""
        return torch.bincount(self.dst, minlength=self.num_nodes)

    @cached_property
    def by_target(self) -> EdgeOrder:
        """The edges in their own order, each target's side by side."""
        edge = torch.arange(self.num_edges, device=self.device)
        return self._order(self.dst, self.src, edge)

    @cached_property
    def by_source(self) -> EdgeOrder:
        """The edges sorted by source: the same graph, read the other way round."""
        order = torch.argsort(self.src, stable=True)
        return self._order(self.src[order], self.dst[order], order)

    def _order(self, near: Tensor, far: Tensor, edge: Tensor) -> EdgeOrder:
        if max(self.num_nodes, self.num_edges) >= 2**31:
            raise ValueError(
                f"{self.name} has 2^31 nodes or edges or more, too many for one "
                "sparse product; take a part of it with subgraph()"
            )
        starts = torch.bincount(near, minlength=self.num_nodes).cumsum(0)
        starts = torch.cat([starts.new_zeros(1), starts])
        return EdgeOrder(starts.int(), near.int(), far.int(), edge.int())

    @cached_property
    def _adjacency(self) -> Tensor:
        with torch.inference_mode(False):  # the cached matrix must serve training too
            counts = torch.zeros(self.num_nodes, self.num_nodes, device=self.device)
            ones = torch.ones(self.num_edges, device=self.device)
            return counts.index_put_((self.dst, self.src), ones, accumulate=True)

    def dense_adjacency(self) -> Tensor:
        r"""The adjacency matrix $A$, float `[N, N]`.

        Row $i$ is the target: $A_{ij}$ counts the edges $j \to i$, so row $i$ is
        non-zero exactly on $\mathcal N(i)$. It takes $4N^2$ bytes. The matrix is a
        copy of your own.
        """
        return self._adjacency.clone()

    def with_self_loops(self) -> GraphData:
        """The graph with an edge from each node to itself, added where missing."""
        nodes = torch.arange(self.num_nodes, device=self.device)
        has_loop = torch.zeros(self.num_nodes, dtype=torch.bool, device=self.device)
        has_loop[self.dst[self.src == self.dst]] = True
        new = nodes[~has_loop]
        if not len(new):
            return self
        return replace(
            self, src=torch.cat([self.src, new]), dst=torch.cat([self.dst, new])
        )

    def subgraph(self, nodes: Sequence[int] | Tensor) -> GraphData:
        """The given nodes, in that order, and the edges between them.

        Features, labels and masks come along; a sparse `x` becomes dense.

        Args:
            nodes: their numbers, or a bool mask `[N]`.

        Raises:
            ValueError: no nodes, a node twice, or a number that is not a node.
        """
        nodes = torch.as_tensor(nodes, device=self.device)
        if nodes.dtype == torch.bool and nodes.shape == (self.num_nodes,):
            nodes = nodes.nonzero()[:, 0]
        nodes = nodes.long()
        inside = bool(((nodes >= 0) & (nodes < self.num_nodes)).all())
        if nodes.dim() != 1 or not len(nodes) or not inside:
            raise ValueError(f"nodes must be numbers from 0 to {self.num_nodes - 1}")
        if len(nodes.unique()) < len(nodes):
            raise ValueError("nodes holds a node twice")
        number = torch.full((self.num_nodes,), -1, device=self.device)
        number[nodes] = torch.arange(len(nodes), device=self.device)
        src, dst = number[self.src], number[self.dst]
        inner = (src >= 0) & (dst >= 0)
        part = {k: getattr(self, k) for k in ("x", "y", *_MASKS)}
        if self.x is not None and sparse.is_csr(self.x):
            part["x"] = self.x.to_dense()
        return GraphData(
            num_nodes=len(nodes),
            src=src[inner],
            dst=dst[inner],
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
        nodes = torch.as_tensor(nodes, device=self.device)
        wrong = nodes.dtype != torch.bool or nodes.shape != (self.num_nodes,)
        if wrong or not bool(nodes.any()):
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
        part = {k: v for k in ("y", *_MASKS) if (v := getattr(self, k)) is not None}
        return GraphData(
            num_nodes=len(kept),
            src=number[self.src[within]],
            dst=number[self.dst[within]],
            x=None if self.x is None else sparse.select_rows(self.x, kept),
            name=f"part of {self.name}",
            **{k: v[kept] for k, v in part.items()},
        )

    def to(self, device: str | torch.device) -> GraphData:
        """The same graph with every tensor on `device`."""
        if torch.device(device) == self.device:
            return self
        moved = {
            f.name: getattr(self, f.name).to(device)
            for f in fields(self)
            if isinstance(getattr(self, f.name), Tensor)
        }
        return replace(self, **moved)

    @cached_property
    def _dgl(self) -> dgl.DGLGraph:
        from gat_course import dgl_compat

        dgl = dgl_compat.import_dgl()
        if self.device.type != "cpu":
            dgl_compat.require_device(self.device)
        return dgl.graph((self.src, self.dst), num_nodes=self.num_nodes)

    def dgl(self) -> dgl.DGLGraph:
        """The same edges, in the same order, as a DGL graph.

        Raises:
            ImportError: DGL is not installed.
            RuntimeError: the installed DGL cannot use this graph's device.
        """
        return self._dgl

    def networkx(self) -> networkx.DiGraph:
        """The same graph in networkx (a multigraph if edges repeat)."""
        import networkx as nx

        pairs = list(zip(self.src.tolist(), self.dst.tolist(), strict=True))
        repeated = len(set(pairs)) < len(pairs)
        graph = nx.MultiDiGraph() if repeated else nx.DiGraph()
        graph.add_nodes_from(range(self.num_nodes))
        graph.add_edges_from(pairs)
        graph.name = self.name
        return graph

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __repr__(self) -> str:
        parts = [f"{self.name!r}", f"{self.num_nodes} nodes", f"{self.num_edges} edges"]
        if self.x is not None:
            kind = "sparse " if sparse.is_csr(self.x) else ""
            parts.append(f"{self.num_features} {kind}features")
        if self.y is not None:
            parts.append(f"{self.num_classes} classes")
        split = [getattr(self, m) for m in _MASKS]
        if all(mask is not None for mask in split):
            sizes = "/".join(str(int(mask.sum())) for mask in split)
            parts.append(f"{sizes} train/val/test")
        return f"GraphData({', '.join(parts)})"


def checksum(graphs: Iterable[GraphData]) -> str:
    """SHA-256 of edges, features, labels and masks of the graphs, one after the other.

    Args:
        graphs: the graphs, on any device.

    Returns:
        64 hexadecimal digits. A sparse `x` counts as its dense form.
    """
    digest = hashlib.sha256()
    for graph in graphs:
        x = graph.x.to_dense() if sparse.is_csr(graph.x) else graph.x
        masks = [getattr(graph, mask) for mask in _MASKS]
        for tensor in (graph.src, graph.dst, graph.y, *masks, x):
            if tensor is not None:
                digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()
