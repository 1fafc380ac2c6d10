"""Checks of chapter 5's exercises."""

import math
from collections.abc import Callable

import torch

from gat_course.checks.answers import (
    _check,
    _close,
    _NotDone,
    _tensor,
    _Wrong,
)
from gat_course.graph import GraphData


@_check("5.1")
def _homophily(function: Callable) -> None:
    graph = GraphData.from_edges(
        [0, 1, 2], [1, 2, 3], undirected=True, y=[0, 0, 1, 1], name="path"
    )
    for tested in (graph, graph.with_self_loops()):
        value = _tensor(function(tested), (), "The result")
        if abs(float(value) - 1) < 1e-6:
            raise _Wrong("A path of two classes has an edge between them, not 1.")
        loops = "with" if tested.num_edges > 6 else "without"
        _close(value, torch.tensor(2 / 3), f"On a path {loops} self-loops it")


@_check("5.2")
def _from_names(function: Callable) -> None:
    pairs = [("eve", "ann"), ("ann", "bob"), ("ann", "eve"), ("dan", "bob")]
    answer = function(pairs)
    if answer is None:
        raise _NotDone
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise _Wrong("Return two things: the graph and the list of names.")
    graph, names = answer
    if not isinstance(graph, GraphData):
        raise _Wrong(f"The first should be a GraphData, not a {type(graph).__name__}.")
    graph = graph.to("cpu")
    if not isinstance(names, (tuple, list)):
        raise _Wrong(f"The second should be a list, not a {type(names).__name__}.")
    if list(names) != ["eve", "ann", "bob", "dan"]:
        raise _Wrong(
            "The names should come in the order in which they first appear, eve, ann, "
            f"bob, dan; got {', '.join(map(str, names))}."
        )
    if graph.num_nodes != 4:
        raise _Wrong(f"Four names make four nodes, not {graph.num_nodes}.")
    counts = graph.dense_adjacency()
    if not bool(counts.diagonal().all()):
        raise _Wrong("The self-loops are missing.")
    if bool((counts.diagonal() > 1).any()):
        raise _Wrong("Some node has more than one self-loop.")
    if bool((counts > 1).any()):
        raise _Wrong("A friendship that is listed twice should count once.")
    if not torch.equal(counts, counts.t()):
        raise _Wrong("A friendship runs both ways: each edge needs its reverse.")
    expected = torch.eye(4)
    for i, j in ((0, 1), (1, 2), (2, 3)):
        expected[i, j] = expected[j, i] = 1
    _close(counts.double(), expected, "The adjacency matrix")
    if graph.x is None:
        raise _Wrong("The features are missing: x should be one-hot.")
    _close(_tensor(graph.x, (4, 4), "x"), torch.eye(4), "x (one-hot, in order)")


@_check("5.3")
def _relative_entropy(function: Callable) -> None:
    # Targets with 4 uniform, 2 skewed, 1 and 0 neighbours.
    graph = GraphData(num_nodes=4, src=[0, 1, 2, 3, 0, 1, 2], dst=[0, 0, 0, 0, 1, 1, 2])
    alpha = torch.tensor([0.25, 0.25, 0.25, 0.25, 0.9, 0.1, 1.0]).unsqueeze(1)
    value = _tensor(function(graph, alpha), (4, 1), "The result")[:, 0]
    skewed = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) / math.log(2)
    _close(value[:2], torch.tensor([1, skewed]), "The ratio of a node with neighbours")
    if not bool(torch.isnan(value[2:]).all()):
        raise _Wrong("With one neighbour or none there is no choice: return NaN.")


@_check("5.4")
def _propagation(function: Callable) -> None:
    edges = [0, 1, 3, 4], [1, 2, 4, 5]
    known = torch.tensor([True, False, False, False, False, True])
    graph = GraphData.from_edges(
        *edges, undirected=True, y=[1, 1, 1, 0, 0, 0], train_mask=known, name="two"
    ).with_self_loops()
    predicted = _tensor(function(graph), (6,), "The prediction")
    if predicted.tolist() != [1, 1, 1, 0, 0, 0]:
        raise _Wrong(
            "On two separate paths with one known label each, every node should get "
            f"its own path's label; got {predicted.long().tolist()}."
        )
    # Labels outside the training mask must not matter.
    hidden = GraphData.from_edges(
        *edges, undirected=True, y=[1, 0, 0, 1, 1, 0], train_mask=known, name="two"
    ).with_self_loops()
    if _tensor(function(hidden), (6,), "The prediction").tolist() != predicted.tolist():
        raise _Wrong("The prediction changes with labels outside train_mask: a leak.")


@_check("5.5")
def _best_of(function: Callable) -> None:
    value = function([1.0, 2.0, 3.0], 1)
    _close(_tensor(value, (), "The result"), torch.tensor(2.0), "For n = 1 it", 1e-6)
    # Of the nine pairs one has the maximum 1, three have 2, five have 3.
    value = _tensor(function([1.0, 2.0, 3.0], 2), (), "The result")
    _close(value, torch.tensor(22 / 9), "For accuracies 1, 2, 3 and n = 2 it", 1e-6)
