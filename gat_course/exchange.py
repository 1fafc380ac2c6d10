"""Graphs from and to networkx and DGL, and nodes that have names (chapter 5)."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from torch import Tensor

from gat_course import intake

if TYPE_CHECKING:
    import dgl
    import networkx

    from gat_course import mailbox

Graph = TypeVar("Graph", bound="Exchange")


class Exchange:
    """The methods of `GraphData` that read and write other libraries' graphs."""

    @classmethod
    def from_networkx(
        cls: type[Graph],
        graph: networkx.Graph,
        *,
        edge_weight: str | Sequence[float] | None = None,
        drop: str | Sequence[str] = (),
        **node_fields: Any,
    ) -> Graph:
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
        arguments = read_networkx(graph, edge_weight, drop, node_fields)
        return cls.from_edges(**arguments, undirected=not graph.is_directed())

    @cached_property
    def _dgl(self) -> dgl.DGLGraph | mailbox.Graph:
        from gat_course import dgl_compat

        dgl = dgl_compat.import_dgl()
        if self.device.type != "cpu":
            dgl_compat.require_device(self.device)
        graph = dgl.graph((self.src, self.dst), num_nodes=self.num_nodes)
        if self.edge_weight is not None:
            graph.edata["weight"] = self.edge_weight
        return graph

    def dgl(self) -> dgl.DGLGraph | mailbox.Graph:
        """The same edges, in the same order, as a DGL graph.

        Weights are its `edata["weight"]`; features and labels stay here. Where DGL
        cannot be had, it is the like graph of `mailbox`: see `dgl_compat.import_dgl`.

        Raises:
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


def number_nodes(
    src: Iterable[Hashable],
    dst: Iterable[Hashable],
    names: Iterable[Hashable] | None = None,
) -> tuple[Tensor, Tensor, list]:
    """Number nodes that have names, or ids other than 0 to N - 1.

    Args:
        src: name of each edge's source, `[E]`: text, numbers of any size, tuples, …
        dst: name of each edge's target, `[E]`.
        names: all nodes' names, in the order in which they are to be numbered, such as
            that of the rows of `x`. Without it the names that occur are sorted; nodes
            that have no edge are then unknown.

    Returns:
        The numbers of the ends, integers `[E]` each, and the list of names: `names[i]`
        is node i's.

    Raises:
        TypeError: a name is a list or the like, or names cannot be sorted.
        ValueError: a name is missing, or is not one of `names`, or is there twice.

    Two kinds of nodes, each with names of its own, stay apart as pairs:
    `number_nodes([("user", u) for u in users], [("item", i) for i in items])`.

    >>> src, dst, names = number_nodes(["ann", "bob"], ["bob", "eve"])
    >>> src, dst, names
    (tensor([0, 1]), tensor([1, 2]), ['ann', 'bob', 'eve'])
    """
    src, dst = _names("src", src), _names("dst", dst)
    if len(src) != len(dst):
        raise ValueError(
            f"src and dst must have one entry per edge: src has {len(src)}, dst has "
            f"{len(dst)}"
        )
    if names is None:
        try:
            names = sorted({*src, *dst})
        except TypeError as error:
            raise TypeError(
                f"names of different types cannot be sorted ({error}): give names=, "
                "or make all of them text with str()"
            ) from error
    names = _names("names", names)
    number = {name: i for i, name in enumerate(names)}
    if len(number) < len(names):
        twice = next(name for i, name in enumerate(names) if number[name] != i)
        raise ValueError(f"names holds {twice!r} twice; leave the second one out")
    for field, ends in (("src", src), ("dst", dst)):
        for edge, name in enumerate(ends):
            if name not in number:
                raise ValueError(
                    f"{field}[{edge}] = {name!r} is not one of names; add it there, or "
                    "leave the edge out"
                )
    src, dst = ([number[name] for name in ends] for ends in (src, dst))
    return intake.numbers("src", src), intake.numbers("dst", dst), names


def _names(field: str, given: Iterable[Hashable]) -> list:
    if isinstance(given, str):
        raise TypeError(f"{field} must be a list of names, got the text {given!r}")
    names = given.tolist() if hasattr(given, "tolist") else list(given)
    for place, name in enumerate(names):
        if isinstance(name, list | dict | set | np.ndarray | Tensor):
            raise TypeError(f"{field}[{place}] = {name!r} cannot be a name")
        if _missing(name):
            raise ValueError(
                f"{field}[{place}] is {name}: the name is missing; drop that row"
            )
    return names


def _missing(name: Hashable) -> bool:
    try:
        return name is None or bool(name != name)  # true of NaN alone
    except TypeError:  # pandas.NA
        return True


def read_networkx(
    graph: networkx.Graph, edge_weight: Any, drop: Sequence[str], node_fields: dict
) -> dict[str, Any]:
    """Arguments for `GraphData.from_edges`; see `GraphData.from_networkx`."""
    nodes = dict(graph.nodes(data=True))
    number = {node: i for i, node in enumerate(nodes)}
    edges = list(graph.edges(data=True))
    of_nodes = [(repr(node), data) for node, data in nodes.items()]
    of_edges = [(f"{u!r} - {v!r}", data) for u, v, data in edges]
    taken = {"node": set(), "edge": set()}
    fields = {"name": graph.name or "graph", **node_fields}
    for field in ("x", "y", *intake.MASKS):
        if keys := _attribute_names(fields.get(field)):
            columns = [_column(field, key, "node", of_nodes) for key in keys]
            if field == "x" or len(columns) > 1:
                columns = [c if c.ndim > 1 else c[:, None] for c in columns]
                columns = [np.concatenate(columns, axis=1)]
            fields[field] = columns[0]
            taken["node"].update(keys)
    if keys := _attribute_names(edge_weight):
        if len(keys) > 1:
            raise ValueError(f"edge_weight takes one attribute of edges, got {keys}")
        edge_weight = _column("edge_weight", keys[0], "edge", of_edges)
        taken["edge"].update(keys)

    drop = {drop} if isinstance(drop, str) else set(drop)
    left = {
        "node": _keys(data for _, data in of_nodes) - taken["node"] - drop,
        "edge": _keys(data for _, data in of_edges) - taken["edge"] - drop,
    }
    if graph.is_multigraph():
        named = any(not isinstance(key, int) for *_, key in graph.edges(keys=True))
        left["edge"] |= {"key"} - drop if named else set()
    if any(left.values()):
        lists = (
            f"{kind} attributes {', '.join(sorted(map(repr, keys)))}"
            for kind, keys in left.items()
            if keys
        )
        warnings.warn(
            f"from_networkx leaves out {' and '.join(lists)}. Take them by name, as in "
            'x=["age", "income"], y="group", edge_weight="weight"; list in drop= '
            "those that you do not want",
            stacklevel=3,
        )
    return {
        "src": [number[u] for u, _, _ in edges],
        "dst": [number[v] for _, v, _ in edges],
        "num_nodes": len(nodes),
        "edge_weight": edge_weight,
        **fields,
    }


def _attribute_names(given: Any) -> list[str]:
    """The names of attributes, where these and not values are given."""
    if isinstance(given, str):
        return [given]
    if isinstance(given, list | tuple) and all(isinstance(key, str) for key in given):
        return list(given)
    return []


def _keys(attributes: Iterable[dict]) -> set:
    return {key for data in attributes for key in data}


def _column(
    field: str, key: str, kind: str, holders: list[tuple[str, dict]]
) -> np.ndarray:
    """One attribute of all nodes or edges; words of `y` are numbered, sorted."""
    missing = [name for name, data in holders if key not in data]
    if missing and len(missing) == len(holders):
        there = ", ".join(sorted(map(repr, _keys(data for _, data in holders))))
        raise ValueError(
            f"{field}: no {kind} has an attribute {key!r}; there: {there or 'none'}"
        )
    if missing:
        raise ValueError(
            f"{field}: {kind} {missing[0]} has no attribute {key!r}, others have; give "
            "it one"
        )
    values = [data[key] for _, data in holders]
    if field == "y" and all(isinstance(value, str) for value in values):
        return np.unique(values, return_inverse=True)[1]
    try:
        column = intake.to_array(field, values)
    except TypeError as error:
        raise TypeError(f"{kind} attribute {key!r}: {error}") from error
    if (
        field in intake.MASKS
        and column.dtype.kind == "i"
        and np.isin(column, (0, 1)).all()
    ):
        return column == 1
    return column
