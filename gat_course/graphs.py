"""Many graphs, split into training, validation and test graphs (chapter 6).

In PPI each graph is a human tissue, hence the name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gat_course import intake, sparse
from gat_course.graph import GraphData


def batch_graphs(graphs: Sequence[GraphData]) -> GraphData:
    r"""Put graphs side by side into one graph; no edge joins two of them.

    The node numbers of each graph are moved behind those of the graphs before it, so
    the adjacency matrix is block-diagonal. A layer computes for the batch what it
    computes for each graph alone; `torch.split(out, [g.num_nodes for g in graphs])`
    takes its output apart again.

    Args:
        graphs: at least one, on one device, all with `x` and `y` of the same width or
            all without; so for each mask and for weights and features of edges.

    Returns:
        A graph of all their nodes and edges, in their order, with the masks that they
        have. Its `graph_of` says which graph a node came from; the graphs of a batch
        among them keep their places.

    Raises:
        ValueError: there is no graph, or they do not fit together; the message says
            which.

    >>> pair = GraphData.from_edges([0], [1])
    >>> batch = batch_graphs([pair, pair])
    >>> batch.num_nodes, batch.src, batch.dst
    (4, tensor([0, 2]), tensor([1, 3]))
    """
    graphs = list(graphs)
    if not graphs:
        raise ValueError("batch_graphs needs at least one graph")
    devices = {str(graph.device) for graph in graphs}
    if len(devices) > 1:
        raise ValueError(
            f"the graphs are on {' and '.join(sorted(devices))}; move them to one "
            "device with graph.to(device)"
        )
    names = [graph.name for graph in graphs]
    first, number, src, dst, graph_of = 0, 0, [], [], []
    for graph in graphs:
        src.append(graph.src + first)
        dst.append(graph.dst + first)
        inner = torch.zeros_like(graph.in_degrees)  # [N]
        inner = inner if graph.graph_of is None else graph.graph_of
        graph_of.append(inner + number)
        first += graph.num_nodes
        number += graph.num_graphs
    return GraphData(
        num_nodes=first,
        src=torch.cat(src),
        dst=torch.cat(dst),
        x=_joined("x", graphs),
        y=_joined("y", graphs),
        edge_weight=_joined("edge_weight", graphs),
        edge_attr=_joined("edge_attr", graphs),
        graph_of=torch.cat(graph_of),
        **{mask: _joined(mask, graphs) for mask in intake.MASKS},
        name=" + ".join(names) if len(names) < 4 else f"{len(names)} graphs",
    )


def _joined(name: str, graphs: list[GraphData]) -> Tensor | None:
    """One field of all graphs, one below the other."""
    values = [getattr(graph, name) for graph in graphs]
    missing = [i for i, value in enumerate(values) if value is None]
    if len(missing) == len(values):
        return None
    if missing:
        raise ValueError(f"graph {missing[0]} has no {name}, others have one")
    values = [_dense(value) for value in values]
    for i, value in enumerate(values):
        if value.shape[1:] != values[0].shape[1:] or value.dtype != values[0].dtype:
            raise ValueError(
                f"{name} of graph {i} is {list(value.shape)} ({value.dtype}), that of "
                f"graph 0 is {list(values[0].shape)} ({values[0].dtype}): they cannot "
                "be put together"
            )
    return torch.cat(values)


def _dense(x: Tensor) -> Tensor:
    return x.to_dense() if sparse.is_csr(x) else x


def require_labelled(graph: GraphData, number: int) -> None:
    """Raise `ValueError` unless a graph has features and a column for each label."""
    if graph.x is None or graph.y is None:
        raise ValueError(f"graph {number} ({graph.name}) lacks x or y")
    if graph.y.dim() != 2 or not graph.y.is_floating_point():
        raise ValueError(
            f"y of graph {number} must be floating point [N, L], one column for each "
            f"label; got {graph.y.dtype} {list(graph.y.shape)}. Build the graph with "
            "y.float(); one class per node is for fit and evaluate"
        )


# What all graphs of one data set have in common.
_SHARED: dict[str, Callable[[GraphData], object]] = {
    "device": lambda graph: graph.device,
    "dtype of x": lambda graph: graph.x.dtype,
    "dtype of y": lambda graph: graph.y.dtype,
    "number of features": lambda graph: graph.num_features,
    "number of labels": lambda graph: graph.num_classes,
    "edge_weight": lambda g: "missing" if g.edge_weight is None else "there",
    "edge_attr": lambda g: "missing" if g.edge_attr is None else g.edge_attr.shape[1],
    "masks": lambda g: [m for m in intake.MASKS if getattr(g, m) is not None],
}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Tissues:
    r"""Labelled graphs for inductive learning: those to train on, to choose, to test.

    Args:
        train: graphs whose labels are trained on.
        val: graphs that choose the model.
        test: graphs that measure it; never seen before.
        name: printed in every plot title and table.
        senders: for made-up graphs, which nodes the labels depend on, bool `[N]` for
            each graph in the order train, val, test. None where nobody knows.
        genes: for PPI, which gene each node is, integers `[N]` for each graph in the
            same order. None where nobody knows.

    Every graph has features `x` `[N, F]` and labels `y` `[N, L]`, 0.0 or 1.0, of the
    same F and L. Where the graphs have masks, as `gene_disjoint` gives them, training
    keeps to the `train_mask` of the training graphs, the model is chosen on the
    `val_mask` of the validation graphs and measured on the `test_mask` of the test
    graphs.

    Raises:
        ValueError: a part has no graph, or a graph lacks features or labels, or has
            other widths or labels than these; the message names it.

    >>> one = GraphData.from_edges([0], [1], x=torch.eye(2), y=torch.eye(2))
    >>> Tissues(train=[one], val=[one], test=[one], name="small").num_labels
    2
    """

    train: tuple[GraphData, ...]
    val: tuple[GraphData, ...]
    test: tuple[GraphData, ...]
    name: str
    senders: tuple[Tensor, ...] | None = None
    genes: tuple[Tensor, ...] | None = None

    def __post_init__(self) -> None:
        for part in ("train", "val", "test"):
            object.__setattr__(self, part, tuple(getattr(self, part)))
            if not getattr(self, part):
                raise ValueError(f"{part} has no graph")
        first = self.train[0]
        for number, graph in enumerate(self.graphs):
            require_labelled(graph, number)
            if not bool(((graph.y == 0) | (graph.y == 1)).all()):
                raise ValueError(f"y of graph {number} must hold 0 and 1 only")
            for what, of in _SHARED.items():
                if of(graph) != of(first):
                    raise ValueError(
                        f"{what} is {of(graph)} in graph {number} and {of(first)} in "
                        "graph 0; make it the same in all graphs"
                    )
        if 0 < sum(getattr(first, mask) is not None for mask in intake.MASKS) < 3:
            raise ValueError(
                "the graphs have some masks and lack others; give all of them "
                f"{', '.join(intake.MASKS)}, or none"
            )
        for name, dtype in (("senders", torch.bool), ("genes", torch.int64)):
            given = getattr(self, name)
            if given is not None:
                kept = tuple(intake.tensor(name, v, self.device) for v in given)
                object.__setattr__(self, name, kept)
                found = [(v.dtype, v.shape, v.device) for v in kept]
                if found != [(dtype, (g.num_nodes,), g.device) for g in self.graphs]:
                    kind = str(dtype).removeprefix("torch.")
                    raise ValueError(
                        f"{name} must hold one {kind} [N] for each graph, on its device"
                    )

    @property
    def graphs(self) -> tuple[GraphData, ...]:
        """All graphs: train, then val, then test."""
        return self.train + self.val + self.test

    @property
    def num_features(self) -> int:
        """Features per node, $F$."""
        return self.train[0].num_features

    @property
    def num_labels(self) -> int:
        """Labels per node, $L$."""
        return self.train[0].num_classes

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return self.train[0].device

    def _each(self, change: Callable[[GraphData], GraphData], **others) -> Tissues:
        parts = {
            part: tuple(change(graph) for graph in getattr(self, part))
            for part in ("train", "val", "test")
        }
        return replace(self, **parts, **others)

    def to(self, device: str | torch.device) -> Tissues:
        """The same graphs with every tensor on `device`."""
        known = {"senders": self.senders, "genes": self.genes}
        moved = {
            name: tuple(value.to(device) for value in values)
            for name, values in known.items()
            if values is not None
        }
        return self._each(lambda graph: graph.to(device), **moved)

    def with_self_loops(self) -> Tissues:
        """The same with an edge from each node to itself in every graph."""
        return self._each(GraphData.with_self_loops)

    def standardized(self) -> Tissues:
        """The same with every feature less its mean and over its standard deviation.

        Both are taken over the nodes of the training graphs alone: the other graphs
        have no part in what a model is trained on. A feature that is the same
        everywhere in training is only shifted.
        """
        x = torch.cat([_dense(graph.x) for graph in self.train]).double()
        varies = x.amin(dim=0) < x.amax(dim=0)  # [F]; rounding makes a std of others
        mean = x.mean(dim=0).where(varies, x[0])
        std = x.std(dim=0, correction=0).where(varies, 1)

        def change(graph: GraphData) -> GraphData:
            scaled = (_dense(graph.x).double() - mean) / std
            return replace(graph, x=scaled.to(graph.x.dtype))

        return self._each(change)

    def __repr__(self) -> str:
        nodes = "/".join(
            str(sum(graph.num_nodes for graph in part))
            for part in (self.train, self.val, self.test)
        )
        graphs = "/".join(str(len(p)) for p in (self.train, self.val, self.test))
        edges = sum(graph.num_edges for graph in self.graphs)
        return (
            f"Tissues({self.name!r}, {graphs} graphs and {nodes} nodes for "
            f"train/val/test, {edges} edges, {self.num_features} features, "
            f"{self.num_labels} labels)"
        )


def checksum(graphs: Iterable[GraphData]) -> str:
    """SHA-256 of edges with weights and features, nodes, labels and masks, in order.

    Args:
        graphs: the graphs, on any device.

    Returns:
        64 hexadecimal digits. A sparse `x` counts as its dense form; what a graph does
        not have counts for nothing.
    """
    names = ("src", "dst", "y", *intake.MASKS, "x", "edge_weight", "edge_attr")
    return digest(getattr(graph, name) for graph in graphs for name in names)


def digest(tensors: Iterable[Tensor | None]) -> str:
    """SHA-256 of the numbers of tensors, one after the other.

    Args:
        tensors: on any device; a sparse one counts as its dense form, None for nothing.

    Returns:
        64 hexadecimal digits.
    """
    found = hashlib.sha256()
    for tensor in tensors:
        if tensor is None:
            continue
        tensor = tensor.detach().to_dense().cpu()
        if tensor.dtype == torch.bfloat16:  # which NumPy does not have
            tensor = tensor.float()
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()
