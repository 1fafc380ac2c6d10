"""Tests of the stand-in: its size, its likeness to Cora, and how hard it is."""

import hashlib

import pytest
import torch
from torch import Tensor

from gat_course import GraphData, synthetic_citation
from gat_course.datasets import row_normalize


@pytest.fixture(scope="module")
def graph() -> GraphData:
    return synthetic_citation()


def homophily(graph: GraphData) -> float:
    return float((graph.y[graph.src] == graph.y[graph.dst]).float().mean())


@pytest.mark.parametrize(
    "like, nodes, edges, features, classes",
    [
        ("cora", 2708, 10556, 1433, [351, 217, 418, 818, 426, 298, 180]),
        ("citeseer", 3327, 9104, 3703, [264, 590, 668, 701, 596, 508]),
        ("pubmed", 19717, 88648, 500, [4103, 7739, 7875]),
    ],
)
def test_sizes_are_those_of_the_real_data(like, nodes, edges, features, classes):
    graph = synthetic_citation(like)
    assert graph.name == f"synthetic stand-in for {like.title()}"
    assert (graph.num_nodes, graph.num_edges) == (nodes, edges)
    assert graph.num_features == features
    assert torch.bincount(graph.y).tolist() == classes
    pairs = set(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))
    assert len(pairs) == edges
    assert all((j, i) in pairs and i != j for i, j in pairs)
    assert int(graph.in_degrees.min()) >= 1
    masks = torch.stack([graph.train_mask, graph.val_mask, graph.test_mask])
    assert masks.sum(1).tolist() == [20 * len(classes), 500, 1000]
    assert int(masks.sum(0).max()) == 1
    assert torch.bincount(graph.y[graph.train_mask]).tolist() == [20] * len(classes)


def test_degrees_and_links_are_like_coras(graph):
    # Cora: largest 168, tenth largest 33, median 3, 485 of degree 1, homophily 0.81
    degrees = graph.in_degrees.sort(descending=True).values
    assert 140 <= int(degrees[0]) <= 190
    assert 30 <= int(degrees[9]) <= 65
    assert int(degrees.median()) == 3
    assert 400 <= int((degrees == 1).sum()) <= 600
    assert homophily(graph) == pytest.approx(0.81, abs=0.01)


@pytest.mark.parametrize("seed", [1, 2])
def test_homophily_hardly_depends_on_the_seed(seed):
    assert homophily(synthetic_citation(seed=seed)) == pytest.approx(0.81, abs=0.015)


def test_features_are_sparse_words(graph):
    assert graph.x.layout == torch.sparse_csr and graph.x.dtype == torch.float32
    assert graph.x.values().unique().tolist() == [1.0]
    words = graph.x.crow_indices().diff()
    assert int(words.min()) >= 1
    assert float(words.float().mean()) == pytest.approx(18.2, abs=0.5)


def accuracy_of_ridge_regression(x: Tensor, graph: GraphData) -> float:
    """Fit one-hot classes on the training rows in closed form; test accuracy."""
    x = x - x[graph.train_mask].mean(0)
    known = x[graph.train_mask]  # [140, F]
    target = torch.nn.functional.one_hot(graph.y[graph.train_mask]).double()
    products = known @ known.T
    damping = 0.1 * products.diagonal().mean() * torch.eye(len(known))
    weight = known.T @ torch.linalg.solve(products + damping, target - target.mean(0))
    right = (x @ weight).argmax(1) == graph.y
    return float(right[graph.test_mask].double().mean())


def test_words_alone_say_half_and_neighbours_say_more(graph):
    with_loops = graph.with_self_loops()
    mean = with_loops.dense_adjacency().double()
    mean /= mean.sum(1, keepdim=True)
    x = row_normalize(graph.x).to_dense().double()
    assert 0.53 <= accuracy_of_ridge_regression(x, graph) <= 0.61
    assert 0.78 <= accuracy_of_ridge_regression(mean @ (mean @ x), graph) <= 0.83


def digest(graph: GraphData) -> str:
    sha = hashlib.sha256()
    x = graph.x
    for part in (graph.src, graph.dst, x.crow_indices(), x.col_indices(), graph.y):
        sha.update(part.numpy().astype("<i8").tobytes())
    return sha.hexdigest()


def test_same_seed_same_graph_on_every_machine(graph):
    # If a NumPy release changes its random numbers, this sum changes with it.
    assert digest(graph) == (
        "b239ca13ff7f88455f02bb276cd892a23f69509c0aac668814703448d8c22532"
    )
    assert digest(synthetic_citation(seed=1)) != digest(graph)


def test_unknown_name():
    with pytest.raises(ValueError, match="'Cora'; choose one of cora, citeseer, pubm"):
        synthetic_citation("Cora")
