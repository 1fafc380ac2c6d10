"""Made-up tasks that ask one thing each of a layer of attention (chapter 7)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gat_course.graph import GraphData
from gat_course.graphs import batch_graphs

DEGREES = ("degree 8", "hubs", "degree 40")
MIXED = ("all", "node kind", "edge kind", "difference")


def lookup_graph(num_keys: int, num_graphs: int = 100, seed: int = 0) -> GraphData:
    """Dictionaries to be looked up in: each query hears all keys and wants one's value.

    Every graph has `num_keys` keys and as many queries. A key shows its number and its
    value, a query the number that it asks for; the values are shuffled anew in each
    graph. The class of a query is the value of its key; that of a key is unknown (-1).

    Args:
        num_keys: $k$; by chance one query in $k$ is answered.
        num_graphs: $G$ dictionaries.
        seed: the same seed gives the same graphs.

    Returns:
        All graphs side by side, $N=2kG$; in each the keys come first. `x` is `[N, 2k]`.

    Raises:
        ValueError: a number is below 1.

    Source: the task of Brody et al., ICLR 2022, section 4.2.

    >>> puzzles.lookup_graph(3, num_graphs=10)
    GraphData('dictionaries of 3', 60 nodes, 90 edges, 6 features, 3 classes)
    """
    if min(num_keys, num_graphs) < 1:
        raise ValueError(
            f"num_keys and num_graphs must be at least 1, got {num_keys}, {num_graphs}"
        )
    k, n = num_keys, 2 * num_keys * num_graphs
    random, eye = np.random.default_rng(seed), np.eye(num_keys, dtype=np.float32)
    value = random.random((num_graphs, k)).argsort(axis=1)  # permutations
    x = np.zeros((num_graphs, 2 * k, 2 * k), dtype=np.float32)
    x[:, :k, :k] = x[:, k:, :k] = eye
    x[:, :k, k:] = eye[value]
    first = 2 * k * np.arange(num_graphs)[:, None]
    return GraphData(
        num_nodes=n,
        src=torch.from_numpy((first + np.tile(np.arange(k), k)).ravel()),
        dst=torch.from_numpy((first + k + np.repeat(np.arange(k), k)).ravel()),
        x=torch.from_numpy(x.reshape(n, 2 * k)),
        y=torch.from_numpy(np.hstack([np.full_like(value, -1), value]).ravel()),
        graph_of=torch.arange(num_graphs).repeat_interleave(2 * k),
        name=f"dictionaries of {k}",
    )


def relay_graph(hops: int, num_graphs: int = 1000, seed: int = 0) -> GraphData:
    """Lines along which one of four words is to be passed on, among other words.

    The first node of a line holds the word and a mark, the last one is asked for it.
    Those between hold words that do not matter, and so does a leaf at each node.

    Args:
        hops: steps from the first node to the last, at least 1.
        num_graphs: lines; 60 % of them are to train on, 20 % each to choose and test.
        seed: the same seed gives the same graphs.

    Returns:
        All lines side by side with self-loops; the masks mark the nodes that are asked.
        `x` is `[N, 5]`.

    Raises:
        ValueError: `hops` is below 1 or `num_graphs` below 5.

    >>> puzzles.relay_graph(2, num_graphs=10)
    GraphData('2 hops', 60 nodes, 160 edges, 5 features, 4 classes, ...)
    """
    if hops < 1 or num_graphs < 5:
        raise ValueError(
            f"hops must be at least 1, num_graphs 5, got {hops}, {num_graphs}"
        )
    random = np.random.default_rng(seed)
    line = np.arange(hops + 1)
    src = np.concatenate([line[:-1], line])
    dst = np.concatenate([line[1:], len(line) + line])
    graphs = []
    for _ in range(num_graphs):
        words = random.integers(4, size=2 * len(line))
        mark = np.zeros(len(words))
        mark[0] = 1
        x = np.column_stack([np.eye(4)[words], mark])
        y = np.full(len(words), words[0])
        graph = GraphData.from_edges(
            src, dst, len(words), undirected=True, x=x, y=y, name=f"{hops} hops"
        )
        graphs.append(graph.with_self_loops())
    batch = batch_graphs(graphs)
    order = torch.from_numpy(random.permutation(num_graphs))
    held = num_graphs // 5
    parts = order.split([num_graphs - 2 * held, held, held])
    asked = 2 * len(line) * torch.arange(num_graphs) + hops
    masks = [_mask(asked[part], batch.num_nodes) for part in parts]
    names = ("train_mask", "val_mask", "test_mask")
    found = dict(zip(names, masks, strict=True))
    return replace(batch, name=f"{hops} hops", **found)


def _mask(nodes: Tensor, num_nodes: int) -> Tensor:
    mask = torch.zeros(num_nodes, dtype=torch.bool)
    mask[nodes] = True
    return mask


def degree_graph(
    kind: str, task: str, num_nodes: int = 1000, seed: int = 0
) -> GraphData:
    """A random graph with degrees of some kind, whose nodes ask about their neighbours.

    Args:
        kind: "degree 8", all nodes alike; "hubs", by preferential attachment with mean
            degree 8; or "degree 40".
        task: "mean": is the mean of a node's and its neighbours' numbers above zero?
            "count": are at least two of them marked, as one in ten is? The first asks
            the same at any degree, the second counts.
        num_nodes: $N$.
        seed: of links and features; the same seed gives the same graph.

    Returns:
        A graph with self-loops, `x` `[N, 4]`: a number, a mark, two of noise.

    Raises:
        ValueError: another `kind` or `task`.

    >>> puzzles.degree_graph("degree 8", "count", num_nodes=100)
    GraphData('degree 8, count', 100 nodes, 900 edges, 4 features, 2 classes)
    """
    if kind not in DEGREES or task not in ("mean", "count"):
        raise ValueError(
            f"kind must be one of {', '.join(DEGREES)}, task mean or count; got "
            f"{kind!r}, {task!r}"
        )
    import networkx as nx

    if kind == "hubs":
        links = nx.barabasi_albert_graph(num_nodes, 4, seed).edges
    else:
        links = nx.random_regular_graph(int(kind.split()[1]), num_nodes, seed).edges
    random = np.random.default_rng(seed)
    value, noise = random.normal(size=num_nodes), random.normal(size=(num_nodes, 2))
    mark = random.random(num_nodes) < 0.1
    x = np.column_stack([value, mark, noise])
    ends = np.array(links).T
    graph = GraphData.from_edges(*ends, num_nodes, undirected=True, x=x)
    graph = graph.with_self_loops()
    heard = _heard(graph, graph.x[:, :2])
    answer = heard[:, 0] > 0 if task == "mean" else heard[:, 1] >= 2
    return replace(graph, y=answer.long(), name=f"{kind}, {task}")


def mixed_graph(task: str, num_nodes: int = 1000, seed: int = 0) -> GraphData:
    """A graph with two kinds of nodes and two of edges: which neighbours are asked for?

    Every node has ten neighbours. It asks whether a sum of numbers $v_j$ is above zero:

    Args:
        task: of all neighbours ("all"), of those of the first kind of node ("node
            kind"), of those along the first kind of edge ("edge kind"), or of these
            less the others ("difference").
        num_nodes: $N$.
        seed: the same seed gives the same graph.

    Returns:
        A graph without self-loops, `x` `[N, 3]`, the node's kind (two columns) and
        $v$, and `edge_attr` `[E, 2]`, the edge's kind.

    Raises:
        ValueError: another `task`.

    >>> puzzles.mixed_graph("edge kind", num_nodes=100)
    GraphData('mixed, edge kind', 100 nodes, 1000 edges of 2 features, ...)
    """
    if task not in MIXED:
        raise ValueError(f"task must be one of {', '.join(MIXED)}, got {task!r}")
    import networkx as nx

    random = np.random.default_rng(seed)
    ends = np.array(nx.random_regular_graph(10, num_nodes, seed).edges).T
    node_kind = random.integers(2, size=num_nodes)
    edge_kind = random.integers(2, size=ends.shape[1])
    x = np.column_stack([np.eye(2)[node_kind], random.normal(size=num_nodes)])
    graph = GraphData.from_edges(
        *ends, num_nodes, undirected=True, x=x, edge_attr=np.eye(2)[edge_kind]
    )
    first_node, first_edge = graph.x[graph.src, 0], graph.edge_attr[:, 0]
    weight = {
        "all": torch.ones_like(first_node),
        "node kind": first_node,
        "edge kind": first_edge,
        "difference": 2 * first_edge - 1,
    }[task]
    answer = _heard(graph, graph.x[:, 2:], weight)[:, 0] > 0
    return replace(graph, y=answer.long(), name=f"mixed, {task}")


def _heard(graph: GraphData, x: Tensor, weight: Tensor | None = None) -> Tensor:
    """Sums over the edges into each node, in double precision."""
    values = x[graph.src].double()
    if weight is not None:
        values = values * weight.unsqueeze(1)
    zeros = values.new_zeros(graph.num_nodes, x.shape[1])
    return zeros.index_add(0, graph.dst, values)
