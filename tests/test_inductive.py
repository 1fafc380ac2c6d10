"""Training on several graphs: counts, stopping, checkpoints, runs that are kept."""

import io
import json
import math
import os
import pickle
import subprocess
import sys
import zipfile
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest
import torch
from scripted import Scripted
from sklearn.metrics import f1_score, log_loss, multilabel_confusion_matrix
from torch import nn
from torch.nn.utils import parameters_to_vector

from gat_course import (
    GAT,
    GraphData,
    InductiveGAT,
    InductiveGCN,
    Tissues,
    batch_graphs,
    compare,
    evaluate_graphs,
    files,
    fit_graphs,
    label_counts,
    micro_f1,
    run_seeds,
    synthetic_tissues,
)
from gat_course.training import checkpoint as checkpoints
from gat_course.training import workers
from gat_course.training.record import GraphRun, Runs, read_file

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def tissues():
    """Graphs of different sizes: three to train on, two to choose with, two to test."""
    made = synthetic_tissues(
        num_graphs=(3, 2, 2), num_nodes=16, num_features=6, num_labels=4
    ).with_self_loops()
    assert len({graph.num_nodes for graph in made.train}) == 3
    return made


def each(tissues, change, parts=("train", "val", "test")):
    """The tissues with every graph of some parts changed."""
    changed = {
        part: [change(graph) for graph in getattr(tissues, part)] for part in parts
    }
    return replace(tissues, **changed)


def doubled(tissues):
    return each(tissues, lambda g: replace(g, x=g.x.double(), y=g.y.double()))


make_gat = partial(InductiveGAT, 6, 4, hidden=3, num_heads=2, out_heads=2)
make_gcn = partial(InductiveGCN, 6, 4, hidden=5)


def seeded(make, seed=0):
    torch.manual_seed(seed)
    return make()


def vector(model):
    return parameters_to_vector(model.parameters()).detach()


def recorded(history):
    """What must not depend on how often a training was interrupted."""
    record = asdict(history)
    del record["seconds"], record["peak_memory"]
    return record


# Counts and micro-F1


@pytest.mark.parametrize("seed", range(3))
def test_counts_and_micro_f1_are_sklearns(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(40, 7, generator=generator)
    labels = torch.randint(0, 2, (40, 7), generator=generator).float()
    counts = label_counts(logits, labels)
    per_label = multilabel_confusion_matrix(labels, logits > 0).sum(axis=0)
    (_, fp), (fn, tp) = per_label.tolist()
    assert counts.tolist() == [tp, fp, fn]
    expected = f1_score(labels, logits > 0, average="micro")
    assert micro_f1(counts) == pytest.approx(expected, rel=1e-12)


def test_counts_of_a_table_made_by_hand():
    logits = torch.tensor([[2.0, -1.0, 0.1], [0.0, 3.0, -math.inf]])
    labels = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    # a logit of exactly 0 is no prediction: hits (0, 0) and (1, 1)
    counts = label_counts(logits, labels)
    assert counts.tolist() == [2, 1, 2]
    assert not counts.is_floating_point()
    assert micro_f1(counts) == pytest.approx(4 / 7)


@pytest.mark.parametrize(
    ("counts", "score"), [([5, 0, 0], 1), ([0, 1, 0], 0), ([0, 0, 1], 0)]
)
def test_micro_f1_at_its_ends(counts, score):
    assert micro_f1(torch.tensor(counts)) == score


def test_counts_of_batches_add_up_and_their_scores_do_not():
    # one right label of one; then one right, three too many and three missed
    logits = [torch.tensor([[1.0]]), torch.tensor([[1.0] * 4 + [-1.0] * 3])]
    labels = [torch.tensor([[1.0]]), torch.tensor([[1.0, 0, 0, 0, 1, 1, 1]])]
    counts = [label_counts(*pair) for pair in zip(logits, labels, strict=True)]
    joined = [
        torch.cat([part.flatten() for part in parts]) for parts in (logits, labels)
    ]
    assert torch.equal(sum(counts), label_counts(*joined))
    assert micro_f1(sum(counts)) == pytest.approx(0.4)
    assert np.mean([micro_f1(c) for c in counts]) == pytest.approx(0.625)


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(ValueError, match=r"logits \[3, 2\] and labels \[3, 1\] must"):
        label_counts(torch.zeros(3, 2), torch.zeros(3, 1))
    with pytest.raises(ValueError, match="hold NaN"):
        label_counts(torch.tensor([[1.0, math.nan]]), torch.zeros(1, 2))
    nothing = label_counts(-torch.ones(2, 2), torch.zeros(2, 2))
    with pytest.raises(ValueError, match="no value: no label is true and none predict"):
        micro_f1(nothing)


# Evaluation


@pytest.mark.parametrize("make", [make_gat, make_gcn])
def test_evaluation_is_that_of_all_labels_at_once(tissues, make):
    tissues = doubled(tissues)
    model = seeded(make).double()
    result = evaluate_graphs(model, tissues.train)
    logits = torch.cat([model(graph, graph.x) for graph in tissues.train]).detach()
    labels = torch.cat([graph.y for graph in tissues.train])
    expected = log_loss(labels.flatten(), logits.sigmoid().flatten(), labels=[0, 1])
    assert result.loss == pytest.approx(expected, rel=1e-12)
    score = f1_score(labels, logits > 0, average="micro")
    assert 0 < score < 1 and result.f1 == pytest.approx(score, rel=1e-12)
    for batch_size in (1, 3, 5):  # two graphs at a time were computed above
        again = evaluate_graphs(model, tissues.train, batch_size)
        assert again.loss == pytest.approx(result.loss, rel=1e-12)
        assert again.f1 == result.f1


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_puts_the_mode_back_and_uses_no_dropout(tissues, training):
    model = seeded(partial(GAT, 6, 4, dropout=0.9)).train(training)
    first, second = (evaluate_graphs(model, tissues.val) for _ in range(2))
    assert first == second
    assert model.training is training
    assert all(p.grad is None for p in model.parameters())
    narrow = [replace(graph, x=graph.x[:, :1]) for graph in tissues.val]
    with pytest.raises(ValueError, match="x must be"):
        evaluate_graphs(model, narrow)
    assert model.training is training


def test_evaluation_of_nothing_is_refused(tissues):
    model = seeded(make_gcn)
    with pytest.raises(ValueError, match="no graph to evaluate"):
        evaluate_graphs(model, [])
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        evaluate_graphs(model, tissues.val, batch_size=0)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)  # no logit is above 0
    blank = [replace(graph, y=torch.zeros_like(graph.y)) for graph in tissues.val]
    with pytest.raises(ValueError, match="micro-F1 has no value"):
        evaluate_graphs(model, blank)


@pytest.mark.parametrize("argument", ["one graph", "tissues"])
def test_what_is_no_list_of_graphs_is_refused(tissues, argument):
    given = tissues.val[0] if argument == "one graph" else tissues
    with pytest.raises(TypeError, match=r"must be a list of graphs.*\[graph\] for one"):
        evaluate_graphs(make_gcn(), given)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": None}, "graph 1 .* lacks x or y"),
        ({"y": None}, "graph 1 .* lacks x or y"),
        (
            {"y": torch.arange(16) % 4},
            r"y of graph 1 must be .* got torch.int64 \[16\]",
        ),
        ({"y": torch.ones(16, 4).long()}, r"floating point \[N, L\].*int64 \[16, 4\]"),
    ],
)
def test_graphs_without_features_or_labels_of_this_form_are_refused(changes, message):
    graph = GraphData.from_edges(
        [0], [1], 16, x=torch.zeros(16, 6), y=torch.ones(16, 4)
    )
    with pytest.raises(ValueError, match=message):
        evaluate_graphs(make_gcn(), [graph, replace(graph, **changes)])


# Training: what a step is


QUICK = {"max_epochs": 4, "patience": None, "progress": False}


@pytest.mark.parametrize("make", [make_gat, make_gcn])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_a_step_is_adams_on_the_mean_over_all_labels(tissues, make, weight_decay):
    tissues = doubled(tissues)
    model, twin = seeded(make).double(), seeded(make).double()
    lr, steps = 0.01, 3
    options = {"lr": lr, "weight_decay": weight_decay, "batch_size": 3}
    history = fit_graphs(model, tissues, **options, **QUICK | {"max_epochs": steps})

    # Independent: Kingma and Ba, algorithm 1, on all training graphs side by side.
    graph = batch_graphs(tissues.train)
    parameters = list(twin.parameters())
    m = [torch.zeros_like(p) for p in parameters]
    v = [torch.zeros_like(p) for p in parameters]
    for t in range(1, steps + 1):
        z = twin(graph, graph.x)
        loss = (torch.logaddexp(z, torch.zeros_like(z)) - graph.y * z).mean()
        assert history.train_loss[t - 1] == pytest.approx(loss.item(), rel=1e-10)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for i, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
                g = g + weight_decay * p
                m[i] = 0.9 * m[i] + 0.1 * g
                v[i] = 0.999 * v[i] + 0.001 * g**2
                m_hat, v_hat = m[i] / (1 - 0.9**t), v[i] / (1 - 0.999**t)
                p -= lr * m_hat / (v_hat.sqrt() + 1e-8)
    # a tiny gradient is rounded otherwise in another order of the graphs
    torch.testing.assert_close(vector(model), vector(twin), rtol=1e-6, atol=1e-7)


class Watched(InductiveGCN):
    """A model that notes which graphs each training step saw."""

    def __init__(self, *sizes, **more):
        super().__init__(*sizes, **more)
        self.seen = []

    def forward(self, graph, x):
        if self.training:
            self.seen.append(graph.name.split(" + "))
        return super().forward(graph, x)


@pytest.mark.parametrize(
    ("batch_size", "sizes"), [(1, [1, 1, 1]), (2, [2, 1]), (9, [3])]
)
def test_an_epoch_sees_each_training_graph_once_in_random_order(
    tissues, batch_size, sizes
):
    model = Watched(6, 4, hidden=2)
    torch.manual_seed(0)
    fit_graphs(model, tissues, batch_size=batch_size, **QUICK | {"max_epochs": 12})
    per_epoch = len(sizes)
    assert [len(names) for names in model.seen] == 12 * sizes
    orders = [
        sum(model.seen[i : i + per_epoch], [])
        for i in range(0, 12 * per_epoch, per_epoch)
    ]
    names = sorted(graph.name for graph in tissues.train)
    assert all(sorted(order) == names for order in orders)
    assert len(set(map(tuple, orders))) > 1


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_the_recorded_loss_is_the_mean_over_all_labels(tissues, batch_size):
    # Without a change of the parameters, the steps of an epoch are one evaluation.
    model = seeded(make_gat)
    history = fit_graphs(model, tissues, lr=0.0, batch_size=batch_size, **QUICK)
    expected = evaluate_graphs(model, tissues.train, batch_size=3).loss
    assert history.train_loss == pytest.approx([expected] * 4, rel=1e-5)
    val = evaluate_graphs(model, tissues.val)
    assert history.val_loss == pytest.approx([val.loss] * 4, rel=1e-5)
    assert history.val_f1 == [val.f1] * 4


def test_a_seed_fixes_the_training(tissues):
    def trained(seed):
        model = seeded(make_gat)
        torch.manual_seed(seed)  # decides the order of the graphs alone
        history = fit_graphs(model, tissues, batch_size=1, **QUICK)
        return vector(model), recorded(history)

    (first, history), (again, same), (other, _) = map(trained, (0, 0, 1))
    assert torch.equal(first, again) and history == same
    assert not torch.equal(first, other)


def test_the_test_graphs_are_not_looked_at(tissues):
    def scrambled(graph):
        return replace(graph, x=-7 * graph.x.flip(0), y=1 - graph.y)

    models = []
    for data in (tissues, each(tissues, scrambled, ["test"])):
        model = seeded(make_gat)
        fit_graphs(model, data, max_epochs=6, patience=2, progress=False)
        models.append(vector(model))
    assert torch.equal(*models)


@pytest.mark.parametrize("make", [make_gat, make_gcn])
def test_what_can_be_learned_is_learned(tissues, make):
    model = seeded(partial(make, hidden=16))
    before = evaluate_graphs(model, tissues.train)
    history = fit_graphs(model, tissues, lr=0.03, **QUICK | {"max_epochs": 60})
    after = evaluate_graphs(model, tissues.train)
    assert after.loss < before.loss / 2
    assert after.f1 > 0.8 > before.f1
    assert history.seconds > 0
    assert history.peak_memory is None or history.peak_memory > 10**6


# Training: when it stops and what is kept


class Answers(Scripted):
    """Its script holds (size of the logits, share answered right); all labels are 1."""

    width = 1

    def logits(self, graph, size, share):
        right = torch.arange(graph.num_nodes) < round(share * graph.num_nodes)
        return torch.where(right, size, -size).unsqueeze(1)


def scripted_tissues():
    graph = GraphData.from_edges([], [], 20, x=torch.zeros(20, 1), y=torch.ones(20, 1))
    return Tissues(train=[graph], val=[graph], test=[graph], name="scripted")


@pytest.mark.parametrize(
    ("script", "epochs", "best"),
    [
        # both improve until epoch 2, then both get worse: stop after the patience
        ([(1.0, 0.5), (1.0, 0.8), (1.0, 1.0), *[(1.0, 0.4)] * 9], 6, 2),
        # the loss alone goes on improving: training goes on, epoch 0 stays the best
        ([(0.1, 1.0), *[(0.5 + 0.15 * t, 0.9) for t in range(11)]], 12, 0),
        # the score alone goes on improving: its last epoch is kept
        ([(4.0 * 2**t, 0.4 + 0.05 * t) for t in range(10)] + [(1e5, 0.1)] * 2, 12, 9),
        # equal values are no new best: the first of them is kept
        ([(1.0, 1.0)] * 12, 4, 0),
        # two epochs without a new best are not three
        ([(1.0, s) for s in (0.5, 0.4, 0.4, 0.6, 0.5, 0.5, 0.7, *[0.2] * 5)], 10, 6),
    ],
)
def test_stopping_and_the_epoch_that_is_kept(script, epochs, best):
    model = Answers(script)
    history = fit_graphs(
        model, scripted_tissues(), lr=0.0, patience=3, max_epochs=12, progress=False
    )
    # What was recorded is what the script says, in closed form.
    losses = [s * math.log1p(math.exp(-z)) for z, s in script]
    losses = [
        loss + (1 - s) * (z + math.log1p(math.exp(-z)))
        for loss, (z, s) in zip(losses, script, strict=True)
    ]
    scores = [2 * s / (1 + s) for _, s in script]
    assert history.val_loss == pytest.approx(losses[:epochs], rel=1e-5)
    assert history.val_f1 == pytest.approx(scores[:epochs])
    assert history.train_loss == pytest.approx([math.log(2)] * epochs)
    assert (history.epochs, history.best_epoch) == (epochs, best)
    assert model.marker.item() == best  # the parameters of that epoch are back
    assert not model.training


def test_without_patience_all_epochs_run_and_the_last_parameters_stay():
    model = Answers([(1.0, 1.0), *[(1.0, 0.1)] * 7])
    history = fit_graphs(
        model, scripted_tissues(), lr=0.0, patience=None, max_epochs=8, progress=False
    )
    assert (history.epochs, history.best_epoch, model.marker.item()) == (8, 7, 7)
    assert not model.training


def test_max_epochs_ends_the_training_and_the_best_is_kept():
    model = Answers([(1.0, 1.0), *[(1.0, 0.1)] * 7])
    history = fit_graphs(
        model, scripted_tissues(), lr=0.0, max_epochs=5, progress=False
    )
    assert (history.epochs, history.best_epoch, model.marker.item()) == (5, 0, 0)


@pytest.mark.parametrize(("logit", "loss"), [(math.nan, "nan"), (-3e38, "inf")])
@pytest.mark.parametrize("part", ["training", "validation"])
def test_a_diverging_loss_names_its_epoch(part, logit, loss):
    class Diverges(Answers):
        def forward(self, graph, x):
            out = super().forward(graph, x)
            wrong = self.training == (part == "training") and self.calls == 4
            return torch.full_like(out, logit) + 0 * out if wrong else out

    model = Diverges([(1.0, 1.0)] * 9)
    message = f"the {part} loss is {loss} at epoch 3: .* smaller learning rate than 0.0"
    with pytest.raises(FloatingPointError, match=message):
        fit_graphs(model, scripted_tissues(), lr=0.0, progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_epochs": 0}, "at least 1, got 0, 100"),
        ({"patience": 0}, "at least 1, got 10000, 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"lr": -1.0}, "learning rate"),
        ({"weight_decay": -1.0}, "weight_decay"),
    ],
)
def test_numbers_without_sense_are_refused(tissues, options, message):
    with pytest.raises(ValueError, match=message):
        fit_graphs(make_gcn(), tissues, **options)


def refused(model, tissues, *parts, error=ValueError):
    """Both refuse in these words, and `fit_graphs` before it changes anything."""
    before = {k: v.clone() for k, v in model.state_dict().items()}
    for call in (
        lambda: fit_graphs(model, tissues, progress=False),
        lambda: evaluate_graphs(model, tissues.test),
    ):
        with pytest.raises(error) as raised:
            call()
        for part in parts:
            assert part in str(raised.value)
        assert model.training
        for name, value in model.state_dict().items():
            assert value.is_meta or torch.equal(value, before[name])


@pytest.mark.parametrize("make", [InductiveGAT, InductiveGCN, GAT])
@pytest.mark.parametrize("labels", [3, 5, 1])
def test_another_number_of_labels_than_the_models_is_refused(tissues, make, labels):
    found = f"returns [{tissues.val[0].num_nodes}, {labels}], but y is ["
    with pytest.raises(ValueError) as error:
        fit_graphs(make(6, labels), tissues, progress=False)
    assert found in str(error.value)
    refused(make(6, labels), tissues, ", 4]", "num_labels = 4")


def test_what_is_no_logits_is_refused(tissues):
    class Pair(InductiveGCN):
        def forward(self, graph, x):
            return super().forward(graph, x), None

    refused(Pair(6, 4, hidden=2), tissues, "Pair returns a tuple, but y is [")


def test_model_and_graphs_on_different_devices_are_refused(tissues):
    refused(make_gcn().to("meta"), tissues, "the model is on meta, the graph on cpu")


def test_a_frozen_model_is_refused(tissues):
    model = make_gat().requires_grad_(False)
    with pytest.raises(
        ValueError, match="no parameter of InductiveGAT requires a grad"
    ):
        fit_graphs(model, tissues, progress=False)
    evaluate_graphs(model, tissues.test)
    with torch.no_grad(), pytest.raises(ValueError, match="no gradient reaches"):
        fit_graphs(make_gat(), tissues, progress=False)


def test_one_graph_is_sent_to_fit(tissues):
    with pytest.raises(TypeError, match="not on a GraphData; .* there is fit"):
        fit_graphs(make_gat(), tissues.train[0], progress=False)


# Checkpoints


class Noting(Answers):
    """A module with a state of its own, as `get_extra_state` allows."""

    def __init__(self, script):
        super().__init__(script)
        self.seen = []

    def forward(self, graph, x):
        if self.training:
            self.seen.append(self.calls)
        return super().forward(graph, x)

    def get_extra_state(self):
        return {"seen": self.seen}

    def set_extra_state(self, state):
        self.seen = list(state["seen"])


def test_whatever_a_module_keeps_in_its_state_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY", 0)
    script = [(1.0, 1.0), *[(1.0, 0.1)] * 7]
    options = {"lr": 0.0, "checkpoint": tmp_path / "a.checkpoint", "progress": False}
    model = Noting(script)
    fit_graphs(model, scripted_tissues(), max_epochs=5, **options)
    assert (model.marker.item(), model.seen) == (0, [0])
    again = Noting(script)
    again.calls = 5
    history = fit_graphs(again, scripted_tissues(), max_epochs=7, **options)
    assert (history.best_epoch, history.epochs) == (0, 7)
    assert (again.marker.item(), again.seen) == (0, [0])


class Stoppable(GAT):
    """A model with dropout whose training can be interrupted at a given step."""

    stop_at = None

    def __init__(self, *sizes, **more):
        super().__init__(*sizes, **more)
        self.steps = 0

    def forward(self, graph, x):
        if self.training:
            if self.steps == self.stop_at:
                raise KeyboardInterrupt
            self.steps += 1
        return super().forward(graph, x)


make_stoppable = partial(Stoppable, 6, 4, hidden=3, num_heads=2)
STEPS = 2  # in an epoch: three graphs, two at a time
LONG = {"lr": 0.02, "max_epochs": 8, "progress": False}


@pytest.fixture
def often(monkeypatch):
    """Checkpoints after every epoch."""
    monkeypatch.setattr(checkpoints, "EVERY", 0)


def interrupt(tissues, checkpoint, step, seed=0, **options):
    """Train from `seed`, or go on, until the given step of this call."""
    model = seeded(make_stoppable, seed)
    model.stop_at = step
    with pytest.raises(KeyboardInterrupt):
        fit_graphs(model, tissues, checkpoint=checkpoint, **LONG | options)


@pytest.fixture
def checkpoint(tissues, tmp_path, often):
    """The checkpoint of a training that was interrupted after its second epoch."""
    path = tmp_path / "run.checkpoint"
    interrupt(tissues, path, 2 * STEPS)
    return path


@pytest.mark.parametrize("patience", [None, 2, 100])
@pytest.mark.parametrize("stops", [[STEPS], [3 * STEPS + 1], [5, 1, 2 * STEPS]])
def test_an_interrupted_training_ends_as_if_it_had_not_been(
    tissues, tmp_path, often, stops, patience
):
    path = tmp_path / "new folder" / "run.checkpoint"
    whole = seeded(make_stoppable)
    expected = fit_graphs(whole, tissues, patience=patience, **LONG)
    assert expected.epochs > 4  # else nothing is interrupted
    for seed, step in enumerate(stops):
        interrupt(tissues, path, step, seed, patience=patience)
    resumed = seeded(make_stoppable, 9)  # its parameters and seed no longer matter
    history = fit_graphs(resumed, tissues, checkpoint=path, patience=patience, **LONG)
    assert recorded(history) == recorded(expected)
    assert torch.equal(vector(resumed), vector(whole))
    done = sum(step // STEPS for step in stops)
    assert resumed.steps == STEPS * (expected.epochs - done)  # the rest alone
    assert [p.name for p in path.parent.iterdir()] == ["run.checkpoint"]


def test_a_finished_training_is_not_repeated(tissues, tmp_path, often):
    path = tmp_path / "run.checkpoint"
    options = {**LONG, "checkpoint": path, "patience": 2, "max_epochs": 50}
    first, again = seeded(make_stoppable), seeded(make_stoppable, 1)
    history = fit_graphs(first, tissues, **options)
    assert history.epochs < 50
    assert recorded(fit_graphs(again, tissues, **options)) == recorded(history)
    assert torch.equal(vector(first), vector(again))
    assert again.steps == 0 and not again.training


def test_a_training_can_be_prolonged_and_not_cut(tissues, checkpoint):
    options = {**LONG, "checkpoint": checkpoint}
    fit_graphs(seeded(make_stoppable, 1), tissues, **options)
    longer = seeded(make_stoppable, 2)
    fit_graphs(longer, tissues, **options | {"max_epochs": 10})
    whole = seeded(make_stoppable)
    fit_graphs(whole, tissues, **LONG | {"max_epochs": 10})
    assert longer.steps == 2 * STEPS
    assert torch.equal(vector(longer), vector(whole))
    with pytest.raises(ValueError, match="already at epoch 10, beyond max_epochs = 9"):
        fit_graphs(seeded(make_stoppable), tissues, **options | {"max_epochs": 9})


def test_time_before_an_interruption_counts(tissues, checkpoint):
    content = torch.load(checkpoint, weights_only=True)
    content["history"]["seconds"] += 1000
    content["history"]["peak_memory"] = 10**15
    torch.save(content, checkpoint)
    history = fit_graphs(make_stoppable(), tissues, checkpoint=checkpoint, **LONG)
    assert history.seconds > 1000
    assert history.peak_memory == 10**15


def test_without_a_checkpoint_nothing_is_written(tissues, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit_graphs(make_stoppable(), tissues, **LONG)
    # and none before half a minute has passed
    fit_graphs(make_stoppable(), tissues, checkpoint="run.checkpoint", **LONG)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_another_training_is_refused(tissues, checkpoint, monkeypatch):
    stored = checkpoint.read_bytes()

    def refused(differs, make=make_stoppable, data=tissues, **options):
        message = f"checkpoint of another training: its {differs} differs"
        with pytest.raises(ValueError, match=message):
            fit_graphs(make(), data, checkpoint=checkpoint, **LONG | options)
        assert checkpoint.read_bytes() == stored

    refused("model, parameters", partial(make_stoppable, hidden=4))
    refused("model", partial(make_stoppable, dropout=0.5))
    refused("model, parameters", make_gat)
    refused("data", data=each(tissues, lambda g: replace(g, x=2 * g.x)))
    refused("data", data=each(tissues, lambda g: replace(g, y=1 - g.y), ["val"]))
    swapped = replace(tissues, train=tissues.train[::-1], senders=None)
    refused("data", data=swapped)
    for option in ({"lr": 0.01}, {"weight_decay": 0.1}, {"batch_size": 1}):
        refused("options", **option)
    refused("options", patience=None)
    refused("model, parameters, options", make_gat, lr=0.01)
    monkeypatch.setattr(checkpoints, "__version__", "0.0.1")
    refused("versions")


def test_a_checkpoint_of_other_threads_or_another_device_is_refused(
    tissues, checkpoint
):
    options = {**LONG, "checkpoint": checkpoint}
    torch.set_num_threads(2)
    try:
        message = r"its threads differs \(there {'threads': 1}, here {'threads': 2}\)"
        with pytest.raises(ValueError, match=message):
            fit_graphs(make_stoppable(), tissues, **options)
    finally:
        torch.set_num_threads(1)
    content = torch.load(checkpoint, weights_only=True)
    for changed in ({"device": "cuda", "threads": None}, {"device": None}):
        content["about"] |= changed
        torch.save(content, checkpoint)
        with pytest.raises(ValueError, match="its device"):
            fit_graphs(make_stoppable(), tissues, **options)


def test_a_checkpoint_without_a_part_is_damaged(tissues, checkpoint):
    content = torch.load(checkpoint, weights_only=True)
    for part in ("model", "optimizer", "history", "best", "stopping", "random"):
        torch.save({k: v for k, v in content.items() if k != part}, checkpoint)
        with pytest.raises(ValueError, match="or a damaged one; move it away"):
            fit_graphs(make_stoppable(), tissues, checkpoint=checkpoint, **LONG)


class Nasty:
    """What runs a command when it is unpickled without care."""

    def __init__(self, flag):
        self.flag = flag

    def __reduce__(self):
        return os.mkdir, (str(self.flag),)


def saved(content, **options):
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:1],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-1],
        lambda whole: b"not a checkpoint at all",
        lambda whole: json.dumps({"about": {}}).encode(),
        lambda whole: pickle.dumps({"about": {}}),
        lambda whole: saved([1, 2, 3]),
        lambda whole: saved({"model": {}}),
        lambda whole: saved({"about": 3}),
    ],
    ids=range(10),
)
def test_a_damaged_checkpoint_is_refused_and_left(tissues, checkpoint, damage):
    damaged = damage(checkpoint.read_bytes())
    checkpoint.write_bytes(damaged)
    with pytest.raises(ValueError, match="is not a checkpoint, or a damaged one; move"):
        fit_graphs(make_stoppable(), tissues, checkpoint=checkpoint, **LONG)
    assert checkpoint.read_bytes() == damaged


def test_one_wrong_byte_in_a_tensor_is_noticed(tissues, checkpoint):
    whole = checkpoint.read_bytes()
    with zipfile.ZipFile(checkpoint) as archive:
        members = [m for m in archive.infolist() if "/data/" in m.filename]
        member = max(members, key=lambda m: m.file_size)
        tensor = archive.read(member)
    assert whole.count(tensor) == 1
    middle = whole.index(tensor) + len(tensor) // 2
    changed = bytes([whole[middle] ^ 1])
    checkpoint.write_bytes(whole[:middle] + changed + whole[middle + 1 :])
    with pytest.raises(ValueError, match="damaged"):
        fit_graphs(make_stoppable(), tissues, checkpoint=checkpoint, **LONG)


@pytest.mark.parametrize(
    "pack",
    [
        pickle.dumps,
        saved,
        partial(saved, _use_new_zipfile_serialization=False),
        lambda nasty: saved({"about": {"model": nasty}}),
    ],
    ids=["pickle", "torch", "older torch", "inside"],
)
def test_a_file_that_runs_commands_is_not_obeyed(tissues, tmp_path, pack):
    flag, path = tmp_path / "flag", tmp_path / "run.checkpoint"
    pickle.loads(pickle.dumps(Nasty(flag)))
    assert flag.is_dir()  # so it would be noticed
    flag.rmdir()
    nasty = pack(Nasty(flag))
    path.write_bytes(nasty)
    with pytest.raises(ValueError, match="is not a checkpoint"):
        fit_graphs(make_stoppable(), tissues, checkpoint=path, **LONG)
    assert not flag.exists()
    assert path.read_bytes() == nasty


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(
    tissues, checkpoint, monkeypatch
):
    stored = checkpoint.read_bytes()

    def full(_, path):
        path.write_bytes(stored[:100])
        raise OSError("no space left")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="no space left"):
        fit_graphs(make_stoppable(), tissues, checkpoint=checkpoint, **LONG)
    assert checkpoint.read_bytes() == stored
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


# Files that are whole or not there


def test_a_file_is_replaced_at_the_end_alone(tmp_path):
    path = tmp_path / "a" / "b" / "file.txt"  # folders that are missing are made
    for text in ("one", "two"):
        before = path.read_text() if path.exists() else None
        with files.whole(path) as unfinished:
            unfinished.write_text(text)
            assert unfinished.parent == path.parent
            assert (path.read_text() if path.exists() else None) == before
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("old", ["old", None])
def test_an_error_leaves_the_old_file_and_no_other(tmp_path, error, old):
    path = tmp_path / "file.txt"
    if old:
        path.write_text(old)
    with pytest.raises(error), files.whole(path) as unfinished:
        unfinished.write_text("half of the ne")
        raise error
    assert [p.read_text() for p in tmp_path.iterdir()] == ([old] if old else [])


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.json"
    files.write_json(path, {"a": [1, "ü"]})
    with pytest.raises(TypeError):
        files.write_json(path, {"a": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": [1, "ü"]}
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_process_leaves_the_old_file_and_sweep_its_rest_away(tmp_path):
    path = tmp_path / "runs [1].json"  # names are names, not patterns
    path.write_text("old")
    code = (
        "import os, sys\nfrom gat_course.files import whole\n"
        "with whole(sys.argv[1]) as unfinished:\n"
        "    unfinished.write_text('half of the ne'); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    others = {tmp_path / "runs 1.json.5.tmp", tmp_path / "runs [1].json.5.tmp.txt"}
    for other in others:
        other.touch()
    files.sweep(path)
    assert set(tmp_path.iterdir()) == {path, *others}
    files.sweep(tmp_path / "not there" / "file.json")  # nothing to do is no error


# Several seeds


def told(runs):
    """All that a file keeps of the runs, time and memory aside."""
    return [(r.seed, r.test_f1, r.val_f1, r.epochs, r.best_epoch) for r in runs]


def test_a_run_is_what_fit_graphs_gives_for_its_seed(tissues):
    made = run_seeds(make_gat, tissues, [2, 0], **QUICK)
    assert [run.seed for run in made] == [2, 0]
    model = seeded(make_gat, 2)
    history = fit_graphs(model, tissues, **QUICK)
    assert recorded(made[0].history) == recorded(history)
    assert torch.equal(vector(made[0].model), vector(model))
    for run in made:
        for part, score in (("test", run.test_f1), ("val", run.val_f1)):
            graph = batch_graphs(getattr(tissues, part))
            predicted = run.model(graph, graph.x) > 0
            expected = f1_score(graph.y, predicted, average="micro")
            assert score == pytest.approx(expected)
        assert (run.epochs, run.best_epoch) == (4, 3)
    assert made.scores == [run.test_f1 for run in made]


def test_mean_std_and_text_are_those_of_micro_f1():
    run = partial(GraphRun, val_f1=0, epochs=1, best_epoch=0, seconds=0)
    made = Runs(run(seed=i, test_f1=f) for i, f in enumerate([0.5, 0.7, 0.9]))
    assert (made.mean, made.std) == (pytest.approx(0.7), pytest.approx(0.2))
    assert str(made) == "0.700 ± 0.200 (3 seeds)"


def test_a_file_of_runs_says_what_they_were(tissues, tmp_path):
    path = tmp_path / "runs.json"
    about = {"data of": "a test"}
    made = run_seeds(make_gat, tissues, [1, 0], path=path, about=about, **QUICK)
    found, read = read_file(path)
    assert found["data of"] == "a test" and found["graph"] == repr(tissues)
    assert found["options"] == {
        "lr": 0.005,
        "weight_decay": 0.0,
        "batch_size": 2,
        "max_epochs": 4,
        "patience": None,
    }
    plain = [replace(run, history=None, model=None) for run in made]
    assert read == plain[::-1]  # in the order of the seeds
    assert all(type(run) is GraphRun for run in read)
    assert [p.name for p in tmp_path.iterdir()] == ["runs.json"]


def test_finished_runs_are_not_repeated(tissues, tmp_path, monkeypatch):
    path = tmp_path / "runs.json"
    first = run_seeds(make_gcn, tissues, [0, 1], path=path, **QUICK)

    def must_not_be_called(*_):
        raise AssertionError("a finished run was repeated")

    with monkeypatch.context() as patch:
        patch.setattr(workers.Job, "train", must_not_be_called)
        again = run_seeds(make_gcn, tissues, [1, 0], path=path, **QUICK)
    assert told(again) == told(first)[::-1]
    # Three seeds where two are there are three seeds from the start.
    more = run_seeds(make_gcn, tissues, range(3), path=path, **QUICK)
    assert told(more) == told(run_seeds(make_gcn, tissues, range(3), **QUICK))
    assert len(read_file(path)[1]) == 3


def test_an_interrupted_run_goes_on(tissues, tmp_path, often, monkeypatch):
    path = tmp_path / "runs.json"
    expected = run_seeds(make_stoppable, tissues, [0, 1], **LONG)
    monkeypatch.setattr(Stoppable, "stop_at", 5 * STEPS + 1)
    with pytest.raises(KeyboardInterrupt):
        run_seeds(make_stoppable, tissues, [0, 1], path=path, **LONG)
    assert [p.name for p in tmp_path.iterdir()] == ["runs-seed0.checkpoint"]
    monkeypatch.setattr(Stoppable, "stop_at", None)
    made = run_seeds(make_stoppable, tissues, [0, 1], path=path, **LONG)
    assert [run.model.steps for run in made] == [3 * STEPS, 8 * STEPS]
    for a, b in zip(made, expected, strict=True):
        assert recorded(a.history) == recorded(b.history)
        assert torch.equal(vector(a.model), vector(b.model))
    assert told(made) == told(expected)
    assert [p.name for p in tmp_path.iterdir()] == ["runs.json"]


def test_what_a_killed_process_left_is_cleared_up(tissues, tmp_path):
    path = tmp_path / "runs.json"
    run_seeds(make_gcn, tissues, [0], path=path, **QUICK)
    names = ["runs-seed0.checkpoint", "runs-seed0.checkpoint.12.tmp", "runs.json.1.tmp"]
    for name in names:
        (tmp_path / name).touch()
    other = tmp_path / "more runs-seed0.checkpoint"  # of another file of runs
    other.touch()
    run_seeds(make_gcn, tissues, [0], path=path, **QUICK)
    assert set(tmp_path.iterdir()) == {path, other}


def test_runs_on_other_graphs_are_not_mixed_in(tissues, tmp_path):
    path = tmp_path / "runs.json"
    run_seeds(make_gcn, tissues, [0], path=path, **QUICK)
    run_seeds(make_gcn, tissues, [0], path=path, lr=0.005, **QUICK)  # the default
    stored = path.read_bytes()
    turned = each(tissues, lambda g: replace(g, y=1 - g.y), ["test"])
    larger = each(tissues, lambda g: replace(g, x=2 * g.x), ["train"])
    for make, data, options, differs in [
        (make_gcn, turned, QUICK, "data"),
        (make_gcn, larger, QUICK, "data"),
        (make_gat, tissues, QUICK, "model"),
        (make_gcn, tissues, {**QUICK, "batch_size": 1}, "options"),
    ]:
        with pytest.raises(ValueError, match=f"another experiment: its {differs}"):
            run_seeds(make, data, [0], path=path, **options)
    assert path.read_bytes() == stored


def test_seeds_do_not_share_one_checkpoint(tissues, tmp_path):
    shared = {**QUICK, "checkpoint": tmp_path / "run.checkpoint"}
    with pytest.raises(ValueError, match="the file of one run, not of several seeds"):
        run_seeds(make_gcn, tissues, [0, 1], **shared)
    experiment = {"make_model": make_gcn, "graph": tissues}
    with pytest.raises(ValueError, match="the file of one run, not of several seeds"):
        compare({"GCN": {**experiment, **shared}}, [0, 1])


def test_models_need_not_be_kept(tissues):
    made = run_seeds(make_gcn, tissues, [0, 1], keep_models=False, **QUICK)
    assert [run.model for run in made] == [None, None]
    assert told(made) == told(run_seeds(make_gcn, tissues, [0, 1], **QUICK))


def test_workers_give_the_same_runs_in_the_same_order(tissues, tmp_path):
    options = {**QUICK, "threads": 1}
    serial = run_seeds(make_gat, tissues, range(3), **options)
    path = tmp_path / "runs.json"
    parallel = run_seeds(make_gat, tissues, range(3), workers=2, path=path, **options)
    assert told(parallel) == told(serial)
    for a, b in zip(serial, parallel, strict=True):
        assert recorded(a.history) == recorded(b.history)
        assert torch.equal(vector(a.model), vector(b.model))
    assert [p.name for p in tmp_path.iterdir()] == ["runs.json"]


def test_compare_gives_what_run_seeds_gives_for_each_experiment(tissues):
    other = synthetic_tissues(
        1, num_graphs=(2, 1, 1), num_nodes=12, num_features=6, num_labels=4
    ).with_self_loops()
    experiments = {
        "GAT": {"make_model": make_gat, "graph": tissues},
        "GCN, 2 epochs": {"make_model": make_gcn, "graph": other, "max_epochs": 2},
    }
    together = compare(experiments, [1, 0], **QUICK)
    assert list(together) == list(experiments)
    gat = run_seeds(make_gat, tissues, [1, 0], **QUICK)
    gcn = run_seeds(make_gcn, other, [1, 0], **QUICK | {"max_epochs": 2})
    assert told(together["GAT"]) == told(gat)
    assert told(together["GCN, 2 epochs"]) == told(gcn)


# What would be found out only after hours


def test_labels_that_are_none_are_refused():
    logits = torch.randn(5, 3)
    for labels in (torch.full((5, 3), 7.0), torch.full((5, 3), math.nan), logits):
        with pytest.raises(ValueError, match=r"0 or 1; call label_counts\(logits"):
            label_counts(logits, labels)


def test_graphs_without_any_label_are_refused_before_training(tissues, tmp_path):
    def never():
        raise AssertionError("a model was made")

    for part in ("val", "test"):
        bare = each(tissues, lambda g: replace(g, y=0 * g.y), [part])
        with pytest.raises(ValueError, match=f"the {part} graphs has any label"):
            run_seeds(never, bare, [0], path=tmp_path / "runs.json")
    with pytest.raises(ValueError, match="the val graphs has any label"):
        fit_graphs(make_gat(), each(tissues, lambda g: replace(g, y=0 * g.y), ["val"]))


def test_outputs_for_the_test_graphs_that_are_nan_are_no_result(tissues, tmp_path):
    huge = each(tissues, lambda g: replace(g, x=g.x.sign() * 3e38), ["test"])
    path = tmp_path / "runs.json"
    with pytest.raises(FloatingPointError, match="seed 3: the outputs for the test"):
        run_seeds(make_gat, huge, [3], path=path, max_epochs=1, progress=False)
    assert not path.exists()
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(path, {"score": math.nan})
    assert list(tmp_path.glob("runs.json*")) == []


def test_the_last_evaluation_keeps_to_the_batch_size(tissues):
    sizes = []

    class Noted(InductiveGAT):
        def forward(self, graph, x):
            sizes.append(graph.num_nodes)
            return super().forward(graph, x)

    make = partial(Noted, 6, 4, hidden=3, num_heads=2, out_heads=2)
    run_seeds(make, tissues, [0], batch_size=1, max_epochs=1, progress=False)
    assert max(sizes) == max(graph.num_nodes for graph in tissues.graphs)


def test_a_fraction_of_an_epoch_does_not_switch_stopping_off(tissues):
    epochs = [
        fit_graphs(seeded(make_gat), tissues, patience=p, max_epochs=400).epochs
        for p in (2, 1.5)
    ]
    assert epochs[0] == epochs[1] < 400


def test_a_second_process_on_one_file_is_told_so(tissues, tmp_path):
    path = tmp_path / "runs.json"
    script = (
        "import sys, time; from gat_course import files\n"
        "with files.alone(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match="another process is writing .*runs.json"):
            run_seeds(make_gat, tissues, [0], path=path, max_epochs=1)
    finally:
        other.kill()
        other.wait()
    done = run_seeds(make_gat, tissues, [0], path=path, max_epochs=1, progress=False)
    assert len(done) == 1  # the lock ended with its process
