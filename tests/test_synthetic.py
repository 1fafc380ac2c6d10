"""Tests of the stand-ins: sizes, likeness to the real data, and how hard they are."""

import hashlib
from collections import defaultdict

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from gat_course import (
    GraphData,
    Tissues,
    synthetic_citation,
    synthetic_teams,
    synthetic_tissues,
)
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


@pytest.fixture
def other_defaults():
    """Another device and dtype than PyTorch's own, as some notebooks set them."""
    torch.set_default_dtype(torch.float64)
    with torch.device("meta"):
        yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("like", ["cora", "citeseer"])
def test_pytorchs_defaults_change_nothing(like, other_defaults):
    graph = synthetic_citation(like)
    assert graph.x.dtype == torch.float32
    fields = [graph.src, graph.x, graph.y, graph.train_mask, graph.test_mask]
    assert {tensor.device.type for tensor in fields} == {"cpu"}


def test_pytorchs_defaults_change_no_tissues(other_defaults):
    sizes = {"num_graphs": (2, 1, 1), "num_nodes": 30}
    made = synthetic_tissues(**sizes).with_self_loops().standardized()
    for graph, sends in pairs(made):
        assert graph.x.dtype == graph.y.dtype == torch.float32
        fields = [graph.src, graph.x, graph.y, sends]
        assert {tensor.device.type for tensor in fields} == {"cpu"}


# Tissues whose labels follow from a few neighbours


@pytest.fixture(scope="module")
def tissues() -> Tissues:
    return synthetic_tissues()


@pytest.fixture(scope="module")
def exact() -> Tissues:
    """No label is turned round, and no feature means nothing."""
    return synthetic_tissues(
        3,
        num_graphs=(3, 1, 1),
        num_nodes=150,
        num_features=4,
        num_labels=6,
        label_noise=0,
    )


def pairs(tissues: Tissues) -> list[tuple[GraphData, Tensor]]:
    return list(zip(tissues.graphs, tissues.senders, strict=True))


def heard(graph: GraphData, sends: Tensor) -> list[frozenset[int]]:
    """The senders in each node's neighbourhood, the node itself among them."""
    found = [{i} if sends[i] else set() for i in range(graph.num_nodes)]
    for j, i in zip(graph.src.tolist(), graph.dst.tolist(), strict=True):
        if sends[j]:
            found[i].add(j)
    return [frozenset(senders) for senders in found]


def mean_of_senders(graph: GraphData, sends: Tensor) -> Tensor:
    """Mean features of the senders in each node's neighbourhood, `[N, F]`."""
    rows = [graph.x[list(senders)].mean(0) for senders in heard(graph, sends)]
    return torch.stack(rows).double()


def test_the_schema_is_ppis(tissues):
    assert [len(p) for p in (tissues.train, tissues.val, tissues.test)] == [20, 2, 2]
    assert (tissues.num_features, tissues.num_labels) == (50, 121)
    assert tissues.name == "synthetic stand-in for PPI"
    assert [graph.name for graph in tissues.graphs] == [
        f"tissue {number}" for number in range(1, 25)
    ]
    sizes = [graph.num_nodes for graph in tissues.graphs]
    assert 210 <= min(sizes) < 250 and 350 < max(sizes) <= 390
    for graph in tissues.graphs:
        assert graph.x.dtype == graph.y.dtype == torch.float32
        assert graph.y.unique().tolist() == [0, 1]
        assert graph.train_mask is graph.val_mask is graph.test_mask is None
    y = torch.cat([graph.y for graph in tissues.graphs])
    assert 0.3 < float(y.mean()) < 0.4
    assert 0.1 < float(y.mean(0).min()) and float(y.mean(0).max()) < 0.7


def test_sizes_can_be_chosen():
    made = synthetic_tissues(
        num_graphs=(1, 2, 3), num_nodes=40, num_features=7, num_labels=2
    )
    assert [len(p) for p in (made.train, made.val, made.test)] == [1, 2, 3]
    assert (made.num_features, made.num_labels) == (7, 2)
    assert all(28 <= graph.num_nodes <= 52 for graph in made.graphs)


def test_links_are_simple_and_go_both_ways(tissues):
    for graph in tissues.graphs:
        links = list(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))
        assert len(set(links)) == len(links)
        adjacency = graph.dense_adjacency()
        assert torch.equal(adjacency, adjacency.T)
        assert int(adjacency.diagonal().sum()) == 0


def test_senders_are_linked_to_receivers_alone(tissues):
    counts, others = [], []
    for graph, sends in pairs(tissues):
        assert int(sends.sum()) == round(0.2 * graph.num_nodes)
        adjacency = graph.dense_adjacency()
        assert int(adjacency[sends][:, sends].sum()) == 0
        counts.append(adjacency[~sends][:, sends].sum(1).long())
        others.append(adjacency[~sends][:, ~sends].sum(1))
    # One, two or three senders, each number for a third of the receivers.
    shares = torch.bincount(torch.cat(counts)).double() / len(torch.cat(counts))
    assert shares.tolist() == [0.0, *[pytest.approx(1 / 3, abs=0.03)] * 3]
    assert float(torch.cat(others).mean()) == pytest.approx(5, abs=0.2)


def test_equal_senders_give_equal_labels(exact):
    alone = 0  # receivers that hear one sender, next to that sender
    for graph, sends in pairs(exact):
        labels = defaultdict(set)
        senders = heard(graph, sends)
        for i in range(graph.num_nodes):
            labels[senders[i]].add(tuple(graph.y[i].tolist()))
        assert all(len(rows) == 1 for rows in labels.values())
        alone += sum(len(s) == 1 for s in senders) - int(sends.sum())
    assert alone > 100


def halfspace_exists(x: Tensor, label: Tensor) -> bool:
    """Whether a plane has all true labels on one side and all false on the other.

    The least t with s (w x + b) >= 1 - t for all points, s = 1 or -1, is 0 if there is
    such a plane and 1 if there is none, as w = b = 0 shows: a linear program.
    """
    assert label.unique().tolist() == [0, 1]
    sign = 2 * label.double().numpy()[:, None] - 1
    rows = np.column_stack([sign * x.numpy(), sign, np.ones(len(x))])  # w, b, t
    cost = np.eye(rows.shape[1])[-1]
    bounds = [(None, None)] * (rows.shape[1] - 1) + [(0, None)]
    found = linprog(cost, -rows, -np.ones(len(x)), bounds=bounds)
    assert found.success and min(found.fun, abs(1 - found.fun)) < 1e-6
    return found.fun < 0.5


def test_labels_are_thresholds_of_the_senders_mean_over_all_graphs(exact):
    means = torch.cat([mean_of_senders(*pair) for pair in pairs(exact)])
    y = torch.cat([graph.y for graph in exact.graphs])
    assert all(halfspace_exists(means, label) for label in y.T)
    # Neither the nodes' own features will do, nor the mean over all neighbours.
    own = torch.cat([graph.x for graph in exact.graphs]).double()
    weights = [g.with_self_loops().dense_adjacency().double() for g in exact.graphs]
    rows = [w / w.sum(1, keepdim=True) for w in weights]
    means = [r @ g.x.double() for r, g in zip(rows, exact.graphs, strict=True)]
    for x in (own, torch.cat(means)):
        assert not any(halfspace_exists(x, label) for label in y.T)


@pytest.mark.parametrize("noise", [0.01, 0.3])
def test_noise_turns_its_share_of_the_labels_and_nothing_else(noise):
    sizes = {"num_graphs": (4, 1, 1)}
    clean = synthetic_tissues(5, label_noise=0, **sizes)
    noisy = synthetic_tissues(5, label_noise=noise, **sizes)
    for (a, sends), (b, again) in zip(pairs(clean), pairs(noisy), strict=True):
        for name in ("src", "dst", "x"):
            assert torch.equal(getattr(a, name), getattr(b, name))
        assert torch.equal(sends, again)
    y, turned = (torch.cat([g.y for g in t.graphs]) for t in (clean, noisy))
    for value in (0, 1):  # whatever the label was
        labels = turned[y == value]
        share = float((labels != value).double().mean())
        spread = (noise * (1 - noise) / len(labels)) ** 0.5  # of a binomial share
        assert share == pytest.approx(noise, abs=4 * spread)


def joined(graphs: tuple[GraphData, ...]) -> Tensor:
    return torch.cat([graph.x for graph in graphs]).double()


def with_one(x: Tensor) -> Tensor:
    return torch.cat([x, torch.ones(len(x), 1).double()], dim=1)


def test_one_threshold_on_the_features_tells_senders_in_new_graphs_too(tissues):
    train, new = tissues.train, tissues.val + tissues.test
    sends = [torch.cat(s) for s in (tissues.senders[:20], tissues.senders[20:])]
    probe = LogisticRegression().fit(joined(train), sends[0])
    assert probe.score(joined(new), sends[1]) == 1
    # The mark is one direction of the features: least squares find it exactly.
    mark = sends[0].double().unsqueeze(1)
    weight = torch.linalg.lstsq(with_one(joined(train)), mark).solution
    found = with_one(joined(new)) @ weight
    torch.testing.assert_close(found[:, 0], sends[1].double(), rtol=0, atol=1e-5)


def probed(tissues: Tissues, inputs, who) -> tuple[float, float]:
    """Share of labels that a linear probe, and the majority, gets right in new graphs.

    The probe is least squares on `inputs` of the training nodes that `who` selects.
    """
    x, y = [], []
    for graph, sends in pairs(tissues):
        chosen = who(sends)
        x.append(with_one(inputs(graph, sends)[chosen]))
        y.append(graph.y[chosen].double())
    n = len(tissues.train)
    known, target = torch.cat(x[:n]), torch.cat(y[:n])
    guess = torch.cat(x[n:]) @ torch.linalg.lstsq(known, target).solution
    new = torch.cat(y[n:])
    majority = (target.mean(0) > 0.5).expand_as(new)
    right = [(said == (new > 0.5)).double().mean() for said in (guess > 0.5, majority)]
    return float(right[0]), float(right[1])


def test_receivers_own_features_tell_nothing_of_their_labels(tissues):
    def own(graph, _):
        return graph.x.double()

    probe, majority = probed(tissues, own, lambda sends: ~sends)
    assert majority - 0.03 < probe < majority + 0.005
    # The same probe serves for senders, and for receivers with the right neighbours.
    probe, majority = probed(tissues, own, lambda sends: sends)
    assert probe > 0.9 > majority + 0.1
    probe, majority = probed(tissues, mean_of_senders, lambda sends: ~sends)
    assert probe > 0.9 > majority + 0.1


def test_features_are_standardized_by_the_training_graphs_alone(tissues):
    x = joined(tissues.train)
    zeros, ones = torch.zeros(50).double(), torch.ones(50).double()
    torch.testing.assert_close(x.mean(0), zeros, rtol=0, atol=1e-6)
    torch.testing.assert_close(x.std(0, correction=0), ones, rtol=0, atol=1e-6)
    for graphs in (tissues.val, tissues.test, tissues.graphs):
        assert float(joined(graphs).mean(0).abs().max()) > 1e-3
    # Unlike these, other graphs to choose and test with would change nothing.
    fewer = synthetic_tissues(num_graphs=(20, 1, 1))
    for a, b in zip(tissues.graphs[:22], fewer.graphs, strict=True):
        assert torch.equal(a.x, b.x) and torch.equal(a.y, b.y)


def test_same_seed_same_tissues(tissues):
    for (a, sends), (b, again) in zip(
        pairs(tissues), pairs(synthetic_tissues()), strict=True
    ):
        for name in ("src", "dst", "x", "y"):
            assert torch.equal(getattr(a, name), getattr(b, name))
        assert torch.equal(sends, again)
    other = synthetic_tissues(1)
    sizes = [[graph.num_nodes for graph in t.graphs] for t in (tissues, other)]
    assert sizes[0] != sizes[1]


@pytest.mark.parametrize("seed", range(5))
def test_the_smallest_tissues_keep_the_rules(seed):
    made = synthetic_tissues(
        seed, num_graphs=(1, 1, 1), num_nodes=10, num_features=4, num_labels=1
    )
    for graph, sends in pairs(made):
        senders = heard(graph, sends)
        assert int(sends.sum()) >= 3 and 7 <= graph.num_nodes <= 13
        for i in range(graph.num_nodes):
            assert len(senders[i]) in ([1] if sends[i] else [1, 2, 3])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"num_graphs": (2, 0, 1)},
            r"three numbers of graphs, none below 1.* got \(2, 0, 1\), 300, 121",
        ),
        ({"num_graphs": (2, 1, 1, 5)}, "three numbers of graphs"),
        ({"num_nodes": 9}, "10 nodes"),
        ({"num_labels": 0}, "1 label"),
        ({"num_features": 3}, "num_features must be at least 4, got 3"),
        ({"label_noise": -0.01}, r"label_noise must be in \[0, 0.5\), got -0.01"),
        ({"label_noise": 0.5}, "label_noise"),
        ({"label_noise": float("nan")}, "label_noise"),
    ],
)
def test_tissues_refuse_numbers_without_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        synthetic_tissues(**arguments)


# Tissues in which who matters depends on who listens


@pytest.fixture(scope="module")
def teams() -> list[tuple[GraphData, Tensor]]:
    made, found = synthetic_teams()
    assert made.name == "synthetic teams" and made.senders is None
    assert [len(p) for p in (made.train, made.val, made.test)] == [20, 2, 2]
    assert (made.num_features, made.num_labels) == (50, 121)
    return list(zip(made.graphs, found, strict=True))


def test_teams_are_even_and_their_links_as_many_as_told(teams):
    sizes = torch.bincount(torch.cat([team for _, team in teams]), minlength=16)
    assert len(sizes) == 16
    assert int(sizes.max()) < 1.25 * int(sizes.min())
    mates, others = [], []
    for graph, team in teams:
        adjacency = graph.dense_adjacency()
        assert torch.equal(adjacency, adjacency.T) and adjacency.max() == 1
        assert int(adjacency.diagonal().sum()) == 0
        same = team.unsqueeze(1) == team
        mates.append((adjacency * same).sum(dim=1))
        others.append((adjacency * ~same).sum(dim=1))
        alone = torch.bincount(team, minlength=16)[team] == 1
        assert bool((mates[-1][~alone] >= 1).all())
    # Of the six links to any, one in sixteen leads to the own team too.
    assert float(torch.cat(others).mean()) == pytest.approx(6 * 15 / 16, abs=0.2)
    assert 2 < float(torch.cat(mates).mean()) < 2.5


def test_labels_are_thresholds_of_the_own_teams_mean():
    made, found = synthetic_teams(
        3,
        num_graphs=(4, 1, 1),
        num_nodes=150,
        num_features=19,
        num_labels=6,
        label_noise=0,
    )

    def means(graph, team):
        adjacency = graph.dense_adjacency() + torch.eye(graph.num_nodes)
        weights = adjacency * (team.unsqueeze(1) == team)
        # A rotation of marks and signals without noise: linear in the features still.
        return (weights / weights.sum(dim=1, keepdim=True)).double() @ graph.x.double()

    pairs = list(zip(made.graphs, found, strict=True))
    x = torch.cat([means(*pair) for pair in pairs])
    alone = torch.cat([graph.x for graph in made.graphs]).double()
    y = torch.cat([graph.y for graph in made.graphs])
    for label in range(6):
        assert halfspace_exists(x, y[:, label])
        assert not halfspace_exists(alone, y[:, label])


def test_same_seed_same_teams_and_noise_changes_labels_alone(teams):
    for noise in (0.01, 0.0):
        made, found = synthetic_teams(label_noise=noise)
        for (a, team), b, again in zip(teams, made.graphs, found, strict=True):
            assert torch.equal(a.src, b.src) and torch.equal(a.x, b.x)
            assert torch.equal(team, again)
            turned = float((a.y != b.y).float().mean())
            assert turned == (0 if noise else pytest.approx(0.01, abs=0.003))


def test_the_mark_of_a_team_is_in_the_features_of_new_graphs_too(teams):
    x, team = (
        torch.cat(column) for column in zip(*[(g.x, t) for g, t in teams], strict=True)
    )
    n = sum(graph.num_nodes for graph, _ in teams[:20])
    model = LogisticRegression(max_iter=200).fit(x[:n], team[:n])
    assert model.score(x[n:], team[n:]) > 0.99


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_features": 18}, "num_features must be at least 19, got 18"),
        ({"num_nodes": 9}, "10 nodes"),
        ({"label_noise": 0.5}, "label_noise"),
    ],
)
def test_teams_refuse_numbers_without_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        synthetic_teams(**arguments)
