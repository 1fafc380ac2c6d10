"""Training on sampled neighbourhoods: `fit` with all edges, checkpoints, refusals."""

from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from gat_course import (
    GAT,
    GCN,
    MLP,
    ChebyGINLayer,
    GATv2Layer,
    evaluate,
    evaluate_sampled,
    fit,
    fit_sampled,
    power_law_graph,
)
from gat_course.experiments.claims import GCNWeightsLayer
from gat_course.models import Stack
from gat_course.training import checkpoint as checkpoints
from gat_course.training.sampled import SampledClasses

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def graph():
    made = power_law_graph(120, 900, 6, 3, noise=1.0).with_self_loops()
    return replace(made, x=made.x.double())


@pytest.fixture(scope="module")
def weighted(graph):
    generator = torch.Generator().manual_seed(0)
    weight = 0.1 + torch.rand(graph.num_edges, generator=generator).double()
    return replace(graph, edge_weight=weight)


make_gat = partial(GAT, 6, 3, hidden=4, num_heads=2)


class SkipGAT(GAT):
    def forward(self, graph, x):
        h = self.activation(self.layer1(graph, x))
        return self.layer2(graph, h) + h[:, :3]


def cheby(order):
    return Stack([ChebyGINLayer(6, 3, order=order)])


def seeded(seed=0, dropout=0.0, **options):
    torch.manual_seed(seed)
    return make_gat(dropout=dropout, **options).double()


def vector(model):
    return parameters_to_vector(model.parameters()).detach()


def recorded(history):
    """What must not depend on how often a training was interrupted."""
    record = asdict(history)
    del record["seconds"], record["peak_memory"]
    return record


def sampled(model, graph, fanouts=(2, 2), **options):
    return fit_sampled(model, graph, fanouts, progress=False, **options)


# Beside training on all of the graph


@pytest.mark.parametrize("patience", [None, 4])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hidden": [4, 3]},
        {"residual": True},
        {"layer": GATv2Layer},
    ],
    ids=str,
)
def test_all_edges_and_nodes_at_once_train_as_fit_does(weighted, options, patience):
    shared = {"lr": 0.02, "max_epochs": 15, "patience": patience}
    expected = seeded(**options)
    history = fit(expected, weighted, progress=False, **shared)
    model = seeded(**options)
    fanouts = [-1] * model.num_layers
    found = sampled(model, weighted, fanouts, batch_size=120, **shared)
    assert recorded(found).keys() == recorded(history).keys()
    for name, values in recorded(history).items():
        assert recorded(found)[name] == pytest.approx(values, rel=1e-6), name
    torch.testing.assert_close(vector(model), vector(expected), rtol=1e-5, atol=1e-7)
    assert not model.training


@pytest.mark.parametrize("batch_size", [1, 7, 30, 1000])
def test_an_epoch_goes_through_the_training_nodes_once(graph, batch_size):
    model = seeded()
    expected = evaluate(model, graph, graph.train_mask).loss
    options = {"lr": 0.0, "max_epochs": 2, "patience": None, "batch_size": batch_size}
    history = sampled(model, graph, [-1, -1], **options)
    assert history.train_loss == pytest.approx([expected] * 2, rel=1e-9)


def test_validation_is_that_of_the_whole_graph(graph):
    model = seeded()
    history = sampled(model, graph, lr=0.0, max_epochs=1)
    val = evaluate(model, graph, graph.val_mask)
    assert history.val_loss == pytest.approx([val.loss], rel=1e-9)
    assert history.val_accuracy == pytest.approx([val.accuracy], rel=1e-9)


def test_the_order_of_the_nodes_is_another_in_each_epoch(graph):
    torch.manual_seed(0)
    task = SampledClasses(graph, [2, 2], batch_size=10)
    task.prepare(seeded())
    orders = [
        torch.cat([share.targets for (share, _), _ in task.batches()]) for _ in range(2)
    ]
    nodes = graph.train_mask.nonzero()[:, 0]
    assert all(torch.equal(order.sort().values, nodes) for order in orders)
    assert not torch.equal(*orders)


@pytest.mark.parametrize("batch_size", [1, 17, 1000])
def test_evaluation_is_that_of_the_whole_graph(weighted, batch_size):
    model = seeded(dropout=0.5)
    for training in (True, False):
        model.train(training)
        for mask in (weighted.test_mask, weighted.val_mask.tolist()):
            expected = evaluate(model, weighted, mask)
            found = evaluate_sampled(model, weighted, mask, batch_size)
            assert found.loss == pytest.approx(expected.loss, rel=1e-9)
            assert found.accuracy == expected.accuracy
        assert model.training is training
    sparse = replace(weighted, x=weighted.x.to_sparse_csr())
    found = evaluate_sampled(model, sparse, weighted.test_mask, batch_size)
    expected = evaluate(model, weighted, weighted.test_mask)
    assert found.loss == pytest.approx(expected.loss, rel=1e-9)


def test_scores_are_the_accuracies_of_the_trained_model(graph):
    model, task = seeded(), SampledClasses(graph, [2, 2])
    assert task.scores(model) == {
        "val_accuracy": evaluate(model, graph, graph.val_mask).accuracy,
        "test_accuracy": evaluate(model, graph, graph.test_mask).accuracy,
    }


# Several processes, here one after the other


def gradient(model, task):
    """Of the first batch, as one process computes it."""
    task.prepare(model)
    torch.manual_seed(11)
    batch, size = next(iter(task.batches()))
    loss = task.loss(model, batch)
    return torch.cat(
        [g.flatten() for g in torch.autograd.grad(loss, model.parameters())]
    )


@pytest.mark.parametrize("world", [2, 3])
def test_the_shares_gradients_average_to_the_batchs(graph, world, monkeypatch):
    monkeypatch.setattr(nn.parallel, "DistributedDataParallel", lambda network: network)
    monkeypatch.setattr(SampledClasses, "_require_alike", lambda *_: None)
    model, options = seeded(), {"fanouts": [-1, -1], "batch_size": 25}
    expected = gradient(model, SampledClasses(graph, **options))
    shares = [
        gradient(model, SampledClasses(graph, rank=rank, world=world, **options))
        for rank in range(world)
    ]
    torch.testing.assert_close(sum(shares) / world, expected)
    assert not torch.allclose(shares[0], expected)


def test_the_shares_are_the_batch_and_all_end_with_one_state(graph, monkeypatch):
    monkeypatch.setattr(nn.parallel, "DistributedDataParallel", lambda network: network)
    monkeypatch.setattr(SampledClasses, "_require_alike", lambda *_: None)

    def epoch(rank, world):
        task = SampledClasses(graph, [2, 2], batch_size=25, rank=rank, world=world)
        task.prepare(seeded())
        torch.manual_seed(3)
        batches = [share for (share, _), _ in task.batches()]
        return batches, torch.rand(())

    whole, _ = epoch(0, 1)
    (first, state), (second, other) = (epoch(rank, 2) for rank in range(2))
    assert torch.equal(state, other)
    for one, *halves in zip(whole, first, second, strict=True):
        assert abs(len(halves[0].targets) - len(halves[1].targets)) <= 1
        nodes = torch.cat([half.targets for half in halves])
        assert torch.equal(nodes.sort().values, one.targets.sort().values)


# Random numbers and checkpoints

LONG = {"batch_size": 20, "lr": 0.02, "max_epochs": 8, "patience": None}


def test_one_seed_gives_one_history(graph):
    made = []
    for seed in (0, 0, 1):
        model = seeded(seed, dropout=0.3)
        made.append((recorded(sampled(model, graph, **LONG)), vector(model)))
    assert made[0][0] == made[1][0] and torch.equal(made[0][1], made[1][1])
    assert made[0][0] != made[2][0]


@pytest.mark.parametrize("patience", [None, 3])
def test_a_training_that_was_stopped_goes_on(graph, tmp_path, monkeypatch, patience):
    monkeypatch.setattr(checkpoints, "EVERY", 0)
    options = {**LONG, "patience": patience}
    expected = seeded(dropout=0.3)
    history = sampled(expected, graph, **options)
    path = tmp_path / "run.checkpoint"
    first = sampled(
        seeded(dropout=0.3),
        graph,
        checkpoint=path,
        **{**options, "max_epochs": 2},
    )
    assert path.exists() and first.epochs == 2 < history.epochs
    model = seeded(5, dropout=0.3)  # its parameters and random numbers are the file's
    again = sampled(model, graph, checkpoint=path, **options)
    assert recorded(again) == recorded(history)
    assert torch.equal(vector(model), vector(expected))


def test_numbers_of_numpy_go_into_a_checkpoint(graph, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY", 0)
    options = {"batch_size": np.int64(30), "lr": np.float64(0.01), "patience": None}
    options["checkpoint"] = tmp_path / "run.checkpoint"
    for fanouts in (np.array([2, 2]), [np.int64(2)] * 2, (2, 2), torch.tensor([2, 2])):
        first = sampled(seeded(), graph, fanouts, max_epochs=1, **options)
        again = sampled(seeded(), graph, [2, 2], max_epochs=2, **options)
        assert again.epochs == 2 and again.val_loss[:1] == first.val_loss
        options["checkpoint"].unlink()


@pytest.mark.parametrize("fanouts", [2, np.int64(2), torch.tensor(2)])
def test_a_fanout_for_no_layer_is_refused(graph, fanouts):
    with pytest.raises(ValueError, match="fanouts must hold a number for each layer"):
        sampled(seeded(), graph, fanouts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fanouts": [2, 3]}, r"options differs \(there .*\[2, 2\].*here .*\[2, 3\]"),
        ({"batch_size": 21}, "options differs"),
        ({"lr": 0.01}, "options differs"),
        ({"world": 2}, "options differs"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(
    graph, tmp_path, monkeypatch, changes, message
):
    monkeypatch.setattr(checkpoints, "EVERY", 0)
    monkeypatch.setattr(nn.parallel, "DistributedDataParallel", lambda network: network)
    monkeypatch.setattr(SampledClasses, "_require_alike", lambda *_: None)
    path = tmp_path / "run.checkpoint"
    options = {"fanouts": [2, 2], "checkpoint": path, **LONG, "max_epochs": 1}
    sampled(seeded(), graph, **options)
    stored = path.read_bytes()
    with pytest.raises(ValueError, match=f"checkpoint of another training.*{message}"):
        sampled(seeded(), graph, **{**options, **changes})
    turned = replace(graph, y=(graph.y + 1) % 3)
    with pytest.raises(ValueError, match="another training: its data differs"):
        sampled(seeded(), turned, **options)
    assert path.read_bytes() == stored


# Learning


def test_it_learns_what_neighbours_tell():
    graph = power_law_graph(1500, 30_000).with_self_loops()
    torch.manual_seed(0)
    model = GAT(graph.num_features, graph.num_classes, dropout=0.2)
    options = {"batch_size": 128, "lr": 0.01, "max_epochs": 5, "patience": None}
    sampled(model, graph, [5, 5], **options)
    accuracy = evaluate(model, graph, graph.test_mask).accuracy
    assert accuracy > 70  # one of eight classes; the features alone tell little


def test_the_best_parameters_come_back(graph):
    model = seeded()
    history = sampled(model, graph, **{**LONG, "lr": 0.3, "patience": 3})
    best = history.best_epoch
    val = evaluate(model, graph, graph.val_mask)
    assert val.loss == pytest.approx(history.val_loss[best], rel=1e-6)
    assert best < history.epochs - 1
    assert not model.training


# Refusals


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_mask": None}, "train_mask of power law.* selects no node: it is None"),
        ({"val_mask": None}, "val_mask of power law.* selects no node: it is None"),
        ({"train_mask": [False] * 120}, "train_mask of power law.* selects no node"),
        ({"x": None}, "has no x: training needs x and y"),
        ({"y": None}, "has no y: training needs x and y"),
        ({"y": torch.ones(120, 2)}, "y must hold one class per node"),
    ],
)
def test_graphs_that_cannot_be_trained_on_are_refused(graph, changes, message):
    with pytest.raises(ValueError, match=message):
        sampled(seeded(), replace(graph, **changes))


@pytest.mark.parametrize("mask", ["train_mask", "val_mask", "test_mask"])
def test_a_class_without_a_logit_is_refused_before_training(graph, mask):
    others = {m: graph.y < 2 for m in ("train_mask", "val_mask", "test_mask")}
    part = replace(graph, **{**others, mask: graph.y >= 0})
    model = GAT(6, 2, hidden=4, num_heads=2).double()
    before = vector(model)
    with pytest.raises(ValueError, match=f"class 2 at nodes of {mask}, but GAT retur"):
        sampled(model, part, max_epochs=1)
    assert torch.equal(vector(model), before)
    with pytest.raises(ValueError, match="class 2 at nodes of mask, but GAT returns 2"):
        evaluate_sampled(model, part, graph.y >= 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fanouts": [2]}, "has 2 layers, the batch a block for each of 1: fanouts"),
        ({"fanouts": [2, -3]}, "-1 for all edges or from 0 on"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        (
            {"batch_size": 10, "world": 11},
            r"a batch of \d+ training nodes cannot be shared by 11 processes",
        ),
        ({"max_epochs": 0}, "max_epochs and patience must be at least 1, got 0, 100"),
        ({"patience": 0}, "max_epochs and patience must be at least 1"),
    ],
)
def test_options_that_make_no_training_are_refused(graph, options, message):
    with pytest.raises(ValueError, match=message):
        sampled(seeded(), graph, **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(GCN, 6, 3), "GCN hears further than .* its source's degree"),
        (partial(MLP, 6, 3), "MLP is no stack of layers"),
        (lambda: SkipGAT(6, 3, hidden=4), "SkipGAT has a forward of its own"),
        (partial(GAT, 6, 3, layer=GCNWeightsLayer), "hears further than"),
        (lambda: cheby(1), "Stack hears further than"),
        (lambda: cheby(3), "Stack hears further than"),
        (partial(GAT, 5, 3), "x must be"),
        (lambda: make_gat().requires_grad_(False), "no parameter of GAT requires a"),
    ],
)
def test_models_that_cannot_be_trained_so_are_refused(graph, make, message):
    with pytest.raises(ValueError, match=message):
        sampled(make().double(), graph)


@pytest.mark.parametrize("make", [partial(GCN, 6, 3), partial(MLP, 6, 3)])
def test_models_that_cannot_be_evaluated_so_are_refused(graph, make):
    with pytest.raises(ValueError, match="(?i)take a GAT"):
        evaluate_sampled(make().double(), graph, graph.test_mask)
    with pytest.raises(ValueError, match="mask of power law.* selects no node"):
        evaluate_sampled(seeded(), graph, [False] * 120)


def test_what_is_no_graph_is_refused(graph):
    with pytest.raises(TypeError, match="on a GraphData, not on list"):
        sampled(seeded(), [graph])


@pytest.mark.parametrize(("rank", "world"), [(1, 1), (-1, 1), (0, 0)])
def test_a_rank_outside_the_world_is_refused(graph, rank, world):
    with pytest.raises(ValueError, match="rank|world|process"):
        sampled(seeded(), graph, rank=rank, world=world, max_epochs=1)


def test_a_loss_that_is_nan_is_an_error(graph):
    extreme = replace(graph, x=graph.x.sign() * 1e300)
    with pytest.raises(FloatingPointError, match="loss is nan at epoch 0"):
        sampled(seeded(), extreme, max_epochs=1)
