"""The experiments of chapter 7: each measures what it says."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.metrics import root_mean_squared_error

from gat_course import (
    GAT,
    GraphData,
    GraphSet,
    fit,
    layers,
    puzzles,
    synthetic_molecules,
)
from gat_course.experiments import catalogue, claims, grids, variants
from gat_course.experiments.catalogue import GRIDS

DATA = Path(os.environ.get("GAT_COURSE_DATA", "nowhere"))


@pytest.mark.parametrize("name", claims.WEIGHTS)
def test_the_four_weights_share_their_parameters(name):
    graph = puzzles.degree_graph("hubs", "mean", 60, seed=1)
    layer = claims.WEIGHTS[name](4, 3, 2)
    assert {n for n, _ in layer.named_parameters()} == {
        n for n, _ in layers.EdgeGATLayer(4, 3, 2).named_parameters()
    }
    with torch.no_grad():
        out, alpha = layer(graph, graph.x, return_attention=True)
        torch.testing.assert_close(layer(graph, graph.x), out)
    sums = torch.zeros(60, 2).index_add(0, graph.dst, alpha.detach())
    degree = graph.in_degrees.float()
    if name in ("learned", "mean"):
        torch.testing.assert_close(sums, torch.ones_like(sums))
    elif name == "sum":
        torch.testing.assert_close(sums[:, 0], degree)
    else:
        expected = 1 / (degree[graph.dst] * degree[graph.src]).sqrt()
        torch.testing.assert_close(alpha[:, 0].detach(), expected)


def test_cosine_distance_is_the_mean_over_all_pairs():
    h = torch.randn(20, 5)
    pairs = cdist(h.numpy(), h.numpy(), "cosine")
    expected = pairs[~np.eye(20, dtype=bool)].mean()
    assert claims.cosine_distance(h) == pytest.approx(expected, abs=1e-6)
    assert claims.cosine_distance(torch.ones(5, 3)) == pytest.approx(0, abs=1e-9)
    assert claims.cosine_distance(torch.zeros(5, 3)) == 1


@pytest.mark.parametrize("kind", ["GCN", "GAT", "GATv2"])
@pytest.mark.parametrize("skip", claims.SKIPS)
@pytest.mark.parametrize("depth", [2, 5])
def test_deep_networks_have_their_depth_and_width(kind, skip, depth):
    model = claims.deep_model(kind, depth, skip, 10, 3)
    assert model.num_layers == depth
    between = [getattr(model, f"layer{n}").residual for n in range(2, depth)]
    assert between == [skip != "none"] * (depth - 2)
    graph = GraphData.from_edges([0, 1], [1, 0], x=torch.randn(2, 10))
    graph = graph.with_self_loops()
    hidden = claims.last_hidden(model, graph)
    assert hidden.shape == (2, 32)
    last = getattr(model, f"layer{depth}")
    torch.testing.assert_close(last(graph, hidden), model.eval()(graph, graph.x))
    # A chain that is longer than the network reaches: `fit` trains on a part of it.
    ends = range(12), range(1, 13)
    chain = GraphData.from_edges(*ends, x=torch.randn(13, 10), undirected=True)
    masks = {"train_mask": torch.arange(13) < 2, "val_mask": torch.arange(13) == 2}
    chain = replace(chain.with_self_loops(), y=torch.arange(13) % 3, **masks)
    assert fit(model, chain, max_epochs=1, progress=False).epochs == 1
    h = 5 + 3 * torch.randn(7, 32)
    normed = claims.normed_elu(h)
    expected = torch.nn.functional.elu(torch.nn.LayerNorm(32)(h))
    torch.testing.assert_close(normed, expected)
    assert (model.activation is claims.normed_elu) == (skip == "residual, norm")


def test_deleting_an_edge_by_hand():
    """The losses of one node, found again on the whole graph."""
    torch.manual_seed(0)
    n = 12
    ends = torch.randint(n, (2, 40))
    graph = GraphData.from_edges(*ends, n, x=torch.randn(n, 4)).without_repeats()
    graph = graph.with_self_loops()
    model = GAT(4, 3, dropout=0.0, layer=claims._Probe).eval()
    node = int(graph.in_degrees.argmax())
    found = claims._losses(model, graph, node, torch.Generator().manual_seed(0))

    def probability(graph, label=None):
        with torch.no_grad():
            p = model(graph, graph.x)[node].softmax(dim=0)
        return p if label is None else float(p[label])

    label = int(probability(graph).argmax())
    before = probability(graph, label)
    _, alphas = model(graph, graph.x, return_attention=True)
    edges = ((graph.dst == node) & (graph.src != node)).nonzero()[:, 0]
    alpha = alphas[-1].detach().mean(dim=1)[edges]
    for place, edge in ((0, edges[alpha.argmax()]), (4, edges[alpha.argmin()])):
        kept = torch.arange(graph.num_edges) != edge
        without = GraphData(
            num_nodes=n, src=graph.src[kept], dst=graph.dst[kept], x=graph.x
        )
        expected = 100 * (before - probability(without, label))
        assert found[place] == pytest.approx(expected, abs=1e-3)


def test_each_grid_has_seeds_and_its_own_name():
    for name, grid in GRIDS.items():
        assert grid.name == name
        assert len(grid.axes["seed"]) >= 3 or name in ("pictures", "triangles-once")
        first = next(grid.settings())
        assert first.keys() == grid.axes.keys()
        assert name not in ("cora", "citeseer", "pubmed", "ppi")


@pytest.mark.skipif(
    not (DATA / "planetoid" / "ind.cora.x").exists(), reason="GAT_COURSE_DATA: no Cora"
)
def test_the_leak_lets_messages_run_along_what_is_asked_for(monkeypatch):
    seen = []
    monkeypatch.setattr(
        variants, "fit_links", lambda model, data, **_: seen.append(data)
    )
    for leak in (False, True):
        variants.measure_links("GCN", leak, 0)
    honest, leaky = seen
    assert torch.equal(honest.links["test"], leaky.links["test"])
    for data, expected in ((honest, 0), (leaky, len(honest.links["test"][0]))):
        edges = set(zip(data.graph.src.tolist(), data.graph.dst.tolist(), strict=True))
        asked = honest.links["test"].t().tolist()
        assert sum(tuple(pair) in edges for pair in asked) == expected


def test_one_head_of_gat_cannot_look_up_and_one_of_gatv2_can():
    gat, v2 = (variants.measure_lookup(n, 4, 1, 0)["test"] for n in ("GAT", "GATv2"))
    assert gat < 70 < 99 < v2


def test_attention_goes_where_the_kind_of_edge_decides():
    plain, edges = (
        variants.measure_mixed(layer, "edge kind", 1, 0)
        for layer in ("GAT", "edge features")
    )
    assert plain["test"] < 85 < 95 < edges["test"]
    assert abs(plain["edge kind"] - 0.5) < 0.05 and edges["edge kind"] > 0.9


def test_solubility_is_measured_on_the_test_graphs(monkeypatch):
    data = synthetic_molecules(30)
    monkeypatch.setattr(variants, "with_loops", lambda split, seed: data)
    models = []

    def untrained(*arguments):
        torch.manual_seed(0)
        model = variants.GraphNetwork(data.num_features, 1, 4, 1, 2)
        models.append(model.eval())
        return model

    monkeypatch.setattr(variants, "solubility_model", untrained)
    found = variants.measure_esol("random", "mean", False, 0)
    (model,) = models
    with torch.no_grad():
        outputs = [float(model(g, g.x)) for g in data.graphs]
    for part in ("test", "val"):
        chosen = getattr(data, part).tolist()
        truth = data.y[chosen].tolist()
        right = root_mean_squared_error(truth, [outputs[i] for i in chosen])
        assert found[part] == pytest.approx(right, rel=1e-4)
    mean = data.y[data.train].mean().expand(len(data.test))
    alone = root_mean_squared_error(data.y[data.test], mean)
    assert found["mean alone"] == pytest.approx(alone, rel=1e-4)


def test_two_equal_networks_weigh_alike(monkeypatch):
    data = synthetic_molecules(30)
    monkeypatch.setattr(variants, "with_loops", lambda split, seed: data)

    def same(*arguments):
        torch.manual_seed(0)
        return variants.GraphNetwork(data.num_features, 1, 4, 1, 2, "attention").eval()

    monkeypatch.setattr(variants, "solubility_model", same)
    found = variants.measure_beta(0)
    assert found["correlation"] == pytest.approx(1)
    assert found["same first"] == 100
    chances = []
    for graph in (data.graphs[i] for i in data.test.tolist()):
        # One layer without self-loops: atoms that hear the same are alike.
        heard = [
            tuple(graph.src[graph.dst == i].tolist()) for i in range(graph.num_nodes)
        ]
        share = [heard.count(atom) / len(heard) for atom in heard]
        chances.append(sum(share) / len(heard))
    assert found["by chance"] == pytest.approx(100 * np.mean(chances))
    assert found["RMSE"] == found["RMSE of the other"]
    model, squares = same(), []
    for graph in (data.graphs[i] for i in data.test.tolist()):
        with torch.no_grad():
            out, (_, beta) = model(graph, graph.x, return_attention=True)
            kept = [i for i in range(graph.num_nodes) if i != int(beta.argmax())]
            part = graph.subgraph(kept)
            squares.append(float(out - model(part, part.x)) ** 2)
    assert found["most attended"] == pytest.approx(np.mean(squares) ** 0.5, rel=1e-4)


def test_atoms_that_are_alike_are_no_disagreement(monkeypatch):
    """A star's leaves have one weight each; which of them is first means nothing."""
    star = GraphData.from_edges([0] * 5, range(1, 6), undirected=True)
    x = torch.tensor([[0.0], [1], [1], [1], [1], [2]])
    even = replace(star, x=torch.ones(6, 1), name="even")  # two kinds: left out
    graphs = [replace(star, x=x, name="star"), even, even]
    chosen = {"train": [1], "val": [2], "test": [0]}
    data = GraphSet(graphs=graphs, y=[0.5, 1, 2], name="stars", **chosen)
    monkeypatch.setattr(variants, "with_loops", lambda split, seed: data)

    class Weighs(torch.nn.Module):
        def __init__(self, beta):
            super().__init__()
            self.beta = torch.tensor(beta)

        def forward(self, graph, x, return_attention=False):
            out = x.sum().view(1, 1)
            return (out, [self.beta]) if return_attention else out

    noise = 1e-7 * torch.arange(4.0)
    made = [
        Weighs([0.05, *(0.225 + noise).tolist(), 0.05001]),
        Weighs([0.1, *(0.2 - noise).tolist(), 0.1001]),
    ]
    monkeypatch.setattr(variants, "solubility_model", lambda *a: made[a[-1] // 100])
    found = variants.measure_beta(0)
    assert found["correlation"] == pytest.approx(1) and found["same first"] == 100
    assert found["by chance"] == pytest.approx(100 * (16 + 1 + 1) / 36)
    assert found["most attended"] == pytest.approx(1)  # one leaf less


def test_a_network_that_knows_one_answer_is_half_right_in_balance(monkeypatch):
    monkeypatch.setattr(claims, "fit", lambda model, graph, **_: None)

    class Yes(torch.nn.Module):
        def __init__(self, *_):
            super().__init__()

        def forward(self, graph, x):
            return torch.tensor([[0.0, 1.0]]).expand(graph.num_nodes, 2)

    monkeypatch.setattr(claims, "OneLayer", Yes)
    found = claims.measure_transfer("mean", "count", 0)
    assert set(found) == set(puzzles.DEGREES)
    assert all(score == pytest.approx(50) for score in found.values())


def test_a_summary_has_mean_and_spread_of_every_combination(tmp_path):
    grid = grids.Grid(
        "small",
        {"a": ["x", "y"], "seed": range(3)},
        lambda a, seed: {"score": 10 * (a == "y") + seed},
        "a score",
    )
    runs = grids.run_grid(grid, tmp_path, progress=False)
    found = grids.summary(grid, runs)
    assert found["score", "mean"].to_dict() == {"x": 1, "y": 11}
    assert found["score", "std"].to_dict() == {"x": 1, "y": 1}
    alone = grids.Grid("one", {"seed": range(3)}, lambda seed: {"score": seed}, "")
    found = grids.summary(alone, grids.run_grid(alone, tmp_path, progress=False))
    assert found["score"].tolist() == [1, 1]


@pytest.mark.parametrize("name", [n for n, grid in GRIDS.items() if grid.stored])
def test_the_package_holds_every_run_of_every_experiment(name):
    grid, runs = GRIDS[name], catalogue.stored(name)
    assert runs[list(grid.axes)].to_dict("records") == list(grid.settings())
