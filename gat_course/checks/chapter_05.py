"""Checks of chapter 5's exercises."""

import math
from collections.abc import Callable

import torch

from gat_course.checks.answers import check, close, kind, parts, refuse, tensor
from gat_course.graph import GraphData


@check("5.1")
def _homophily(function: Callable) -> None:
    edges, labels = ([0, 1, 2], [1, 2, 3]), [0, 0, 1, 1]
    graph = GraphData.from_edges(*edges, undirected=True, y=labels, name="path")
    hint = "A path of two classes has an edge between them, not 1."
    for tested, loops in ((graph, "without"), (graph.with_self_loops(), "with")):
        close(function(tested), 2 / 3, f"On a path {loops} self-loops it", {hint: 1.0})


@check("5.2")
def _from_names(function: Callable) -> None:
    pairs = [("eve", "ann"), ("ann", "bob"), ("ann", "eve"), ("dan", "bob")]
    hint = "Return two things: the graph and the list of names."
    graph, names = parts(function(pairs), 2, hint)
    graph = kind(graph, GraphData, "The first should be a GraphData").to("cpu")
    names = list(kind(names, (tuple, list), "The second should be a list"))
    counts, mixed = graph.dense_adjacency(), names != ["eve", "ann", "bob", "dan"]
    loops, one_way = counts.diagonal(), not torch.equal(counts, counts.t())
    mistakes = {
        "The names should come in the order in which they first appear, eve, ann, bob, "
        f"dan; got {', '.join(map(str, names))}.": mixed,
        f"Four names make four nodes, not {graph.num_nodes}.": graph.num_nodes != 4,
        "The self-loops are missing.": not loops.all(),
        "Some node has more than one self-loop.": (loops > 1).any(),
        "A friendship that is listed twice should count once.": (counts > 1).any(),
        "A friendship runs both ways: each edge needs its reverse.": one_way,
    }
    refuse(mistakes)
    chain = (torch.arange(4).unsqueeze(1) - torch.arange(4)).abs() <= 1
    close(counts, chain, "The adjacency matrix")
    refuse({"The features are missing: x should be one-hot.": graph.x is None})
    close(tensor(graph.x, (4, 4), "x"), torch.eye(4), "x (one-hot, in order)")


@check("5.3")
def _relative_entropy(function: Callable) -> None:
    # Targets with 4 uniform, 2 skewed, 1 and 0 neighbours.
    graph = GraphData(num_nodes=4, src=[0, 1, 2, 3, 0, 1, 2], dst=[0, 0, 0, 0, 1, 1, 2])
    alpha = torch.tensor([0.25, 0.25, 0.25, 0.25, 0.9, 0.1, 1.0]).unsqueeze(1)
    value = tensor(function(graph, alpha), (4, 1))[:, 0]
    skewed = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) / math.log(2)
    close(value[:2], [1, skewed], "The ratio of a node with neighbours")
    hint = "With one neighbour or none there is no choice: return NaN."
    refuse({hint: not value[2:].isnan().all()})


@check("5.4")
def _propagation(function: Callable) -> None:
    known = torch.tensor([True, False, False, False, False, True])

    def predict(y: list[int]) -> torch.Tensor:
        edges = [0, 1, 3, 4], [1, 2, 4, 5]
        graph = GraphData.from_edges(*edges, undirected=True, y=y, train_mask=known)
        return tensor(function(graph.with_self_loops()), (6,), "The prediction")

    predicted = predict([1, 1, 1, 0, 0, 0])
    hint = (
        "On two separate paths with one known label each, every node should get its "
        f"own path's label; got {predicted.long().tolist()}."
    )
    refuse({hint: predicted.tolist() != [1, 1, 1, 0, 0, 0]})
    # Labels outside the training mask must not matter.
    leak = not torch.equal(predict([1, 0, 0, 1, 1, 0]), predicted)
    refuse({"The prediction changes with labels outside train_mask: a leak.": leak})


@check("5.5")
def _best_of(function: Callable) -> None:
    close(function([1.0, 2.0, 3.0], 1), 2, "For n = 1 it", tolerance=1e-6)
    # Of the nine pairs one has the maximum 1, three have 2, five have 3.
    what = "For accuracies 1, 2, 3 and n = 2 it"
    close(function([1.0, 2.0, 3.0], 2), 22 / 9, what, tolerance=1e-6)
