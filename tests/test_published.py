"""The published code's layer against that code written out in numpy, and its data."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from gat_course import (
    GAT,
    EdgeGATLayer,
    GraphData,
    cli,
    datasets,
    fit,
    reproduce,
)
from gat_course.datasets.planetoid import _unpickle
from gat_course.experiments.published import DIFFERENCES, VARIANTS, PublishedGATLayer
from gat_course.training.loop import parameter_groups


@pytest.fixture
def graph():
    torch.manual_seed(0)
    ends = torch.randint(9, (2, 30))
    return GraphData.from_edges(*ends, x=torch.rand(9, 5).double()).with_self_loops()


def layer(differences, **options):
    torch.manual_seed(0)
    return PublishedGATLayer(5, 4, 3, differences=differences, **options).double()


def test_without_differences_it_is_the_edge_list_layer(graph):
    options = {"feat_drop": 0.5, "attn_drop": 0.5}
    torch.manual_seed(0)
    plain = EdgeGATLayer(5, 4, 3, **options).double()
    other = layer([], **options)
    for mode in (True, False):
        outputs = []
        for one in (plain.train(mode), other.train(mode)):
            torch.manual_seed(1)
            outputs.append(one(graph, graph.x))
        assert torch.equal(*outputs)


def published_head(x, weight, a_1, b_1, a_2, b_2, bias, mask):
    """One head of the published code outside training, on all pairs."""
    features = x @ weight
    f_1, f_2 = features @ a_1 + b_1, features @ a_2 + b_2
    logits = f_1[:, None] + f_2[None, :]
    logits = np.where(logits > 0, logits, 0.2 * logits) + mask
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True) @ features + bias


def test_all_together_it_is_the_published_head(graph):
    ours = layer(DIFFERENCES, feat_drop=0.6, attn_drop=0.6).eval()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.copy_(torch.randn_like(parameter))
    p = {k: v.detach().numpy() for k, v in ours.named_parameters()}
    mask = -1e9 * (graph.dense_adjacency().numpy() == 0)
    simple = GraphData.from_edges(*graph.dense_adjacency().t().nonzero().t(), 9)
    heads = [
        published_head(
            graph.x.numpy(),
            p["weight"][:, 4 * k : 4 * k + 4],
            p["att_dst"][k],
            p["bias_dst"][k],
            p["att_src"][k],
            p["bias_src"][k],
            p["bias"][4 * k : 4 * k + 4],
            mask,
        )
        for k in range(3)
    ]
    expected = np.concatenate(heads, axis=1)
    np.testing.assert_allclose(ours(simple, graph.x).detach(), expected, atol=1e-10)


def test_each_head_drops_its_own_features(graph):
    for differences, alike in (([], True), (["head-dropout"], False)):
        one = layer(differences, feat_drop=0.5)
        with torch.no_grad():  # three equal heads
            for parameter in (one.weight, one.att_dst, one.att_src):
                first, *others = parameter.chunk(3, dim=int(parameter is one.weight))
                for other in others:
                    other.copy_(first)
        heads = one(graph, graph.x).view(9, 3, 4)
        assert torch.equal(heads[:, 0], heads[:, 1]) == alike


def test_what_is_summed_is_dropped_and_what_is_scored_is_not(graph):
    one = layer(["value-dropout"], feat_drop=0.5)
    still = layer([], feat_drop=0.0)
    z = torch.randn(9, 3, 4).double()
    heads, alpha = one.attend(graph, z)
    same, alpha_still = still.attend(graph, z)
    assert torch.equal(alpha, alpha_still) and not torch.equal(heads, same)
    torch.manual_seed(0)
    mean = torch.stack([one.attend(graph, z)[0] for _ in range(4000)]).mean(0)
    assert float((mean - same).detach().abs().max()) < 0.3
    assert torch.equal(one.eval().attend(graph, z)[0], same)


def test_biases_of_the_score_move_the_weights(graph):
    one, plain = layer(["score-bias"]), layer([])
    assert torch.equal(one(graph, graph.x), plain(graph, graph.x))  # they start at 0
    with torch.no_grad():
        one.bias_dst += 3
    assert not torch.allclose(one(graph, graph.x), plain(graph, graph.x))
    assert {n for n, _ in one.named_parameters()} - {
        n for n, _ in plain.named_parameters()
    } == {"bias_dst", "bias_src"}


def test_every_head_starts_as_a_convolution_of_its_own():
    torch.manual_seed(0)
    wide = PublishedGATLayer(300, 8, 400, differences=["init"])
    for tensor, limit in (
        (wide.weight, math.sqrt(6 / (300 + 8))),
        (wide.att_dst, math.sqrt(6 / (8 + 1))),
        (wide.att_src, math.sqrt(6 / (8 + 1))),
    ):
        assert float(tensor.abs().max()) == pytest.approx(limit, rel=0.01)
        assert float(tensor.std()) == pytest.approx(limit / math.sqrt(3), rel=0.05)


def test_unknown_differences_and_residuals_are_refused():
    with pytest.raises(ValueError, match="unknown difference dropout; use some of"):
        PublishedGATLayer(3, 4, differences=["dropout"])
    with pytest.raises(ValueError, match="no residual connection"):
        PublishedGATLayer(3, 4, residual=True)


def test_biases_can_be_spared_from_weight_decay(graph):
    spared = VARIANTS["undecayed-bias"](5, 2)
    names = {id(p): name for name, p in spared.named_parameters()}
    decayed, rest = parameter_groups(spared)
    assert {names[id(p)] for p in rest["params"]} == {"layer1.bias", "layer2.bias"}
    assert rest["weight_decay"] == 0 and "weight_decay" not in decayed
    assert len(parameter_groups(GAT(5, 2))) == 1


def test_every_variant_trains(graph):
    y = torch.arange(9) % 2
    mask = torch.arange(9) < 6
    data = GraphData(
        num_nodes=9, src=graph.src, dst=graph.dst, x=graph.x.float(), y=y,
        train_mask=mask, val_mask=~mask,
    )  # fmt: skip
    for name, make in VARIANTS.items():
        history = fit(make(5, 2), data, max_epochs=3, progress=False)
        assert history.epochs == 3, name


def test_reproduce_offers_every_variant_on_one_graph_alone():
    assert reproduce.AS["published-code"] == tuple(VARIANTS)
    for name in ("cora", "citeseer", "pubmed"):
        assert set(VARIANTS) <= set(reproduce.EXPERIMENTS[name].models)
    with pytest.raises(ValueError, match="models must be some of gat, uniform"):
        reproduce.reproduce("ppi", 1, ["published-code"])


def planetoid(name):
    """The eight files of a data set, or a skip where they are not on this machine."""
    folder = Path(os.environ.get("GAT_COURSE_DATA", ""), "planetoid")
    if not (folder / f"ind.{name}.x").exists():
        pytest.skip("GAT_COURSE_DATA names no folder with the real data")
    tables = {
        part: _unpickle((folder / f"ind.{name}.{part}").read_bytes())
        for part in ("x", "y", "tx", "ty", "allx", "ally", "graph")
    }
    tables["order"] = np.loadtxt(folder / f"ind.{name}.test.index", dtype=int)
    return tables


@pytest.mark.parametrize("name", ["cora", "citeseer"])
def test_the_published_code_reads_the_same_graph(name):
    """Its way of reading in other words; isolated nodes get zeros in both."""
    files = planetoid(name)
    order = files["order"]
    first, last = order.min(), order.max()
    tx = sp.lil_matrix((last - first + 1, files["x"].shape[1]))
    ty = np.zeros((last - first + 1, files["y"].shape[1]))
    tx[np.sort(order) - first] = files["tx"]
    ty[np.sort(order) - first] = files["ty"]
    features = sp.vstack([files["allx"], tx]).tolil()
    labels = np.vstack([files["ally"], ty])
    features[order] = features[np.sort(order)]
    labels[order] = labels[np.sort(order)]
    graph = datasets.load(name)
    np.testing.assert_array_equal(graph.x.to_dense().numpy(), features.toarray())
    masks = graph.train_mask, graph.val_mask, graph.test_mask
    train, val, test = (mask.nonzero()[:, 0].numpy() for mask in masks)
    np.testing.assert_array_equal(train, range(len(files["y"])))
    np.testing.assert_array_equal(val, range(len(train), len(train) + 500))
    np.testing.assert_array_equal(test, np.sort(order))
    used = np.concatenate([train, val, test])
    np.testing.assert_array_equal(graph.y.numpy()[used], labels[used].argmax(axis=1))
    pairs = {(u, v) for u, ends in files["graph"].items() for v in ends if u != v}
    pairs |= {(v, u) for u, v in pairs}
    assert pairs == set(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))
    assert graph.num_edges == len(pairs)


def test_the_command_runs_every_variant_beside_gat(monkeypatch, tmp_path, capsys):
    asked = {}

    def instead(name, runs, models, **options):
        asked.update(name=name.name, models=list(dict.fromkeys(models)))
        return {m: reproduce.stored("cora", "gat")[0] for m in asked["models"]}

    monkeypatch.setattr(reproduce, "reproduce", instead)
    arguments = ["reproduce", "cora", "--as", "published-code"]
    assert cli.main([*arguments, "--folder", str(tmp_path)]) == 0
    assert asked == {"name": "cora", "models": ["gat", *VARIANTS]}
    table, gaps = capsys.readouterr().out.split("\n\n")
    assert all(name in table and name in gaps for name in VARIANTS)


def test_the_stored_runs_of_the_published_code_are_of_this_data():
    for name in ("cora", "citeseer"):
        about = {m: reproduce.stored(name, m)[1] for m in ("gat", "published-code")}
        for field in ("data", "options", "versions"):
            assert about["gat"][field] == about["published-code"][field]
        assert "PublishedGATLayer" in about["published-code"]["model"]
