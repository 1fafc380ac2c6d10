"""Training: the early stopping rule, what is kept, what is refused."""

import copy
import dataclasses
import json
import math
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from scripted import Scripted
from torch import nn

from gat_course import (
    GAT,
    GCN,
    MLP,
    GraphData,
    UniformGATLayer,
    compare,
    evaluate,
    fit,
    run_seeds,
    runs,
    synthetic_tissues,
    training,
)
from gat_course.training import one_graph, record, tasks, workers
from gat_course.training.record import Run, Runs


def two_clusters(**changes):
    """Two dense clusters whose features tell the class through noise."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(40) % 2
    pairs = torch.randint(0, 40, (2, 400), generator=generator)
    same = y[pairs[0]] == y[pairs[1]]
    x = torch.randn(40, 8, generator=generator)
    x[:, 0] += 6.0 * y - 3
    index = torch.arange(40)
    fields = {
        "x": x,
        "y": y,
        "train_mask": index < 8,
        "val_mask": (index >= 8) & (index < 20),
        "test_mask": index >= 20,
        "name": "clusters",
    }
    src, dst = pairs[:, same]
    graph = GraphData.from_edges(src, dst, undirected=True, **{**fields, **changes})
    return graph.with_self_loops()


class Classes(Scripted):
    """Its script holds (probability given to the right class, share answered right)."""

    width = 2

    def logits(self, graph, margin, share):
        right = torch.arange(graph.num_nodes) < share * graph.num_nodes
        sign = torch.where(right, 1.0, -1.0)
        logits = torch.zeros(graph.num_nodes, 2)
        logits[torch.arange(graph.num_nodes), graph.y] = margin * sign
        return logits


def scripted_graph():
    everything = torch.ones(10, dtype=torch.bool)
    return GraphData.from_edges(
        [],
        [],
        10,
        x=torch.zeros(10, 1),
        y=torch.zeros(10).long(),
        train_mask=everything,
        val_mask=everything,
        test_mask=everything,
    )


@pytest.mark.parametrize(
    ("script", "epochs", "best"),
    [
        # both improve until epoch 2, then both get worse: stop after the patience
        ([(1, 0.5), (1, 0.8), (1, 1.0), *[(1, 0.4)] * 9], 6, 2),
        # the loss alone goes on improving: training goes on, the best weights do not
        ([(0.1, 1.0), *[(0.5 + 0.15 * t, 0.9) for t in range(11)]], 12, 0),
        # equal values count as reached
        ([(1, 1.0)] * 12, 12, 11),
    ],
)
def test_early_stopping_is_the_papers_rule(script, epochs, best):
    model = Classes(script)
    history = fit(
        model, scripted_graph(), lr=0.0, patience=3, max_epochs=12, progress=False
    )
    # Independent: replay the rule on the recorded values.
    waited, low, high, kept = 0, math.inf, -1, None
    for t, (loss, accuracy) in enumerate(
        zip(history.val_loss, history.val_accuracy, strict=True)
    ):
        if loss <= low or accuracy >= high:
            kept = t if loss <= low and accuracy >= high else kept
            low, high, waited = min(low, loss), max(high, accuracy), 0
        else:
            waited += 1
        assert waited < 3 or t == history.epochs - 1
    assert history.best_epoch == kept
    assert model.marker.item() == kept  # the weights of that epoch are back
    assert (history.epochs, kept) == (epochs, best)


def published_rule(curve, patience):
    """Epoch that is kept and number of epochs, as the paper's published loop has it."""
    best_loss, best_accuracy, without, kept = math.inf, 0.0, 0, None
    for epoch, (loss, accuracy) in enumerate(curve):
        if accuracy >= best_accuracy or loss <= best_loss:
            if accuracy >= best_accuracy and loss <= best_loss:
                kept = epoch
            best_accuracy = max(accuracy, best_accuracy)
            best_loss = min(loss, best_loss)
            without = 0
        else:
            without += 1
            if without == patience:
                break
    return kept, epoch + 1


def test_early_stopping_is_the_published_loop_on_random_curves(monkeypatch):
    rng = np.random.default_rng(0)
    epochs = set()
    for _ in range(300):
        length, levels = int(rng.integers(1, 20)), int(rng.integers(2, 9))
        losses, accuracies = rng.integers(levels, size=(2, length))  # ties abound
        # Some curves improve for long, so that one of the two can do so alone.
        losses = losses - rng.choice([0, 1]) * np.arange(length) // 2
        curve = [*zip((losses / 4).tolist(), (accuracies * 5.0).tolist(), strict=True)]
        patience = int(rng.integers(1, 8))
        told = iter(curve)
        monkeypatch.setattr(
            one_graph,
            "evaluate",
            lambda *_, told=told: training.Evaluation(*next(told)),
        )
        model = Classes([(1, 1.0)])
        history = fit(
            model,
            scripted_graph(),
            lr=0.0,
            patience=patience,
            max_epochs=length,
            progress=False,
        )
        expected = published_rule(curve, patience)
        assert (history.best_epoch, history.epochs) == expected, (curve, patience)
        assert model.marker.item() == expected[0]
        epochs.add(expected[1] < length)
    assert epochs == {True, False}  # some stop early, some do not


def test_without_patience_all_epochs_run_and_the_last_weights_stay():
    model = Classes([(1, 1.0), *[(1, 0.1)] * 7])
    history = fit(
        model, scripted_graph(), lr=0.0, patience=None, max_epochs=8, progress=False
    )
    assert history.epochs == 8 and history.best_epoch == 7
    assert model.marker.item() == 7


@pytest.mark.parametrize("make", [GAT, GCN, MLP])
def test_every_model_learns_what_can_be_learned(make):
    graph = two_clusters()
    torch.manual_seed(0)
    model = make(8, 2, hidden=8, dropout=0.0)
    before = evaluate(model, graph, graph.train_mask).loss
    fit(model, graph, lr=0.01, max_epochs=200, progress=False)
    assert evaluate(model, graph, graph.train_mask).loss < before / 2
    assert evaluate(model, graph, graph.test_mask).accuracy >= 80


@pytest.mark.parametrize(
    "make",
    [GAT, GCN, MLP, partial(GAT, layer=UniformGATLayer), partial(GAT, residual=True)],
)
def test_what_the_loss_does_not_look_at_makes_no_difference(make):
    generator = torch.Generator().manual_seed(0)
    src, dst = torch.randint(0, 60, (2, 80), generator=generator)
    index = torch.arange(60)
    graph = GraphData.from_edges(
        src,
        dst,
        undirected=True,
        x=torch.randn(60, 5, generator=generator),
        y=index % 3,
        train_mask=index < 4,
        val_mask=(index >= 4) & (index < 10),
    ).with_self_loops()
    torch.manual_seed(0)
    whole = make(5, 3, hidden=4, dropout=0.0).double()
    part = copy.deepcopy(whole)
    assert graph.receptive_field(graph.train_mask, part.num_hops).num_nodes < 60
    whole.num_hops = None  # computes everything in every step
    graph = dataclasses.replace(graph, x=graph.x.double())
    options = {"patience": None, "max_epochs": 30, "lr": 0.02, "progress": False}
    histories = [fit(model, graph, **options) for model in (whole, part)]
    assert histories[1].train_loss == pytest.approx(histories[0].train_loss)
    assert histories[1].val_loss == pytest.approx(histories[0].val_loss)
    for a, b in zip(whole.parameters(), part.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_model_that_hears_further_than_it_says_is_refused():
    class Deeper(GAT):
        def __init__(self, *sizes):
            super().__init__(*sizes)
            self.layer3 = UniformGATLayer(2, 2)

        def forward(self, graph, x):
            return self.layer3(graph, super().forward(graph, x))

    index = torch.arange(12)
    chain = GraphData.from_edges(
        index[:-1],
        index[1:],
        undirected=True,
        x=torch.randn(12, 3),
        y=index % 2,
        train_mask=index == 0,
        val_mask=index == 1,
    )
    with pytest.raises(ValueError, match="Deeper.num_hops = 2 is too small"):
        fit(Deeper(3, 2), chain, max_epochs=1, progress=False)
    model = Deeper(3, 2)
    model.num_hops = 3
    assert fit(model, chain, max_epochs=1, progress=False).epochs == 1


def test_evaluate_equals_a_count_by_hand_and_restores_the_mode():
    graph = two_clusters()
    model = GCN(8, 2, dropout=0.9).train()
    result = evaluate(model, graph, graph.test_mask)
    assert model.training
    model.eval()
    logits = model(graph, graph.x).detach()
    nodes = [i for i in range(40) if graph.test_mask[i]]
    hits = sum(int(logits[i].argmax() == graph.y[i]) for i in nodes)
    loss = -sum(float(logits[i].log_softmax(0)[graph.y[i]]) for i in nodes)
    assert result.accuracy == pytest.approx(100 * hits / len(nodes))
    assert result.loss == pytest.approx(loss / len(nodes), rel=1e-5)


def test_test_labels_have_no_influence():
    graph = two_clusters()
    flipped = torch.where(graph.test_mask, 1 - graph.y, graph.y)
    weights = []
    for y in (graph.y, flipped):
        torch.manual_seed(0)
        model = GAT(8, 2, hidden=4, num_heads=2)
        fit(model, two_clusters(y=y), max_epochs=20, progress=False)
        weights.append(torch.nn.utils.parameters_to_vector(model.parameters()))
    assert torch.equal(*weights)


def test_a_diverging_loss_stops_with_the_epoch_and_keeps_the_best_weights():
    class Diverges(Classes):
        def forward(self, graph, x):
            out = super().forward(graph, x)
            return out / 0 if self.training and self.calls == 4 else out

    model = Diverges([(1, 1.0)] * 9)
    with pytest.raises(FloatingPointError, match="nan at epoch 3.*learning rate"):
        fit(model, scripted_graph(), lr=0.0, progress=False)
    assert model.marker.item() == 2


def test_a_validation_loss_that_is_no_number_stops_too():
    class NanInEvaluation(Classes):
        def forward(self, graph, x):
            out = super().forward(graph, x)
            return out if self.training else out * math.nan

    with pytest.raises(FloatingPointError, match="validation loss is nan at epoch 0"):
        fit(NanInEvaluation([(1, 1.0)]), scripted_graph(), lr=0.0, progress=False)


def test_weight_decay_pulls_towards_zero():
    norms = []
    for weight_decay in (0.0, 0.1):
        torch.manual_seed(0)
        model = GCN(8, 2, hidden=8)
        options = {"max_epochs": 60, "patience": None, "progress": False}
        fit(model, two_clusters(), weight_decay=weight_decay, lr=0.01, **options)
        norms.append(model.layer1.weight.norm().item())
    assert norms[1] < 0.8 * norms[0]


def test_fit_leaves_the_model_ready_to_predict():
    graph, model = two_clusters(), GCN(8, 2)
    fit(model, graph, max_epochs=3, progress=False)
    assert torch.equal(model(graph, graph.x), model(graph, graph.x))


MASK = torch.arange(40) % 3 == 0
nullable = partial(pd.Series, dtype="boolean")


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Series, nullable])
def test_a_mask_may_be_what_people_have(kind):
    graph, model = two_clusters(), GCN(8, 2)
    expected = evaluate(model, graph, MASK)
    assert evaluate(model, graph, kind(MASK.tolist())) == expected
    array = MASK.numpy().copy()
    array.flags.writeable = False  # as pandas may hand it over
    assert evaluate(model, graph, array) == expected
    assert evaluate(model, graph, MASK.unsqueeze(1)) == expected


@pytest.mark.parametrize(
    ("mask", "found", "advice"),
    [
        (torch.ones(40).long(), "torch.int64 [40]", "one by mask == 1"),
        (torch.ones(40), "torch.float32 [40]", "one by mask == 1"),
        ([1, 0] * 20, "torch.int64 [40]", "one by mask == 1"),
        ([0, 5, 39], "torch.int64 [3]", "torch.isin(torch.arange(N), "),
        (np.array([0, 5, 39]), "torch.int64 [3]", "torch.isin(torch.arange(N), "),
        (torch.arange(40), "torch.int64 [40]", "torch.isin(torch.arange(N), "),
        (
            torch.ones(40, 10).bool(),
            "torch.bool [40, 10]",
            "It holds 10 splits; choose",
        ),
        (torch.ones(3).bool(), "torch.bool [3]", "of each node whether it counts"),
        (True, "torch.bool []", "of each node whether it counts"),
        ([], "torch.float32 [0]", "of each node whether it counts"),
    ],
)
def test_evaluate_refuses_a_mask_that_is_none(mask, found, advice):
    with pytest.raises(ValueError) as error:
        evaluate(GCN(8, 2), two_clusters(), mask)
    message = str(error.value)
    assert f"mask must be a bool vector [40], got {found}. " in message
    assert advice in message


@pytest.mark.parametrize("mask", [["a", "b"], [[True], [True, False]], object()])
def test_evaluate_refuses_what_cannot_be_read_as_a_mask(mask):
    with pytest.raises(TypeError, match="^mask "):
        evaluate(GCN(8, 2), two_clusters(), mask)


def test_evaluate_refuses_a_mask_that_selects_no_node():
    for mask in (None, [False] * 40, torch.zeros(40).bool()):
        with pytest.raises(ValueError, match="mask of clusters selects no node"):
            evaluate(GCN(8, 2), two_clusters(), mask)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": torch.full((40,), -1)}, "must be classes 0, 1, …"),
        ({"y": torch.zeros(40)}, r"must be classes 0, 1, ….*float32.*by y.long\(\)"),
        ({"x": None}, "clusters has no x.*build the graph with x=…"),
        ({"y": None}, "clusters has no y"),
        ({"y": torch.zeros(40, 1)}, r"one class per node.*y=y\[:, 0\].long"),
        ({"y": torch.zeros(40, 3)}, r"one class per node.*y=y.argmax.*fit_graphs"),
        ({"train_mask": None}, "train_mask of clusters selects no node"),
        ({"val_mask": torch.zeros(40, dtype=torch.bool)}, "val_mask of clusters"),
    ],
)
def test_fit_refuses_a_graph_it_cannot_train_on(changes, message):
    with pytest.raises(ValueError, match=message):
        fit(GCN(8, 2), two_clusters(**changes), progress=False)


def refused(model, graph, *parts, error=ValueError):
    """`fit` raises with a message of these parts, before anything has been changed."""
    before = copy.deepcopy(model.state_dict())
    for training_mode in (True, False):
        model.train(training_mode)
        with pytest.raises(error) as raised:
            fit(model, graph, progress=False)
        for part in parts:
            assert part in str(raised.value)
        assert model.training is training_mode
        for name, value in model.state_dict().items():
            assert value.is_meta or torch.equal(value, before[name])


@pytest.mark.parametrize("part", ["train_mask", "val_mask", "test_mask"])
@pytest.mark.parametrize("make", [GAT, GCN, MLP, partial(GAT, layer=UniformGATLayer)])
def test_labels_without_an_output_are_refused_before_training(make, part):
    graph = two_clusters()
    y = graph.y.clone()
    y[getattr(graph, part).nonzero()[0]] = 4
    graph, model = two_clusters(y=y), make(8, 4)
    refused(
        model,
        graph,
        f"y of clusters holds class 4 at nodes of {part}",
        "returns 4 logits",
        "for classes 0 to 3",
        "num_classes = 5",
    )
    with pytest.raises(ValueError, match="class 4 at nodes of mask.*num_classes = 5"):
        evaluate(model, graph, getattr(graph, part))
    assert fit(make(8, 5), graph, max_epochs=1, progress=False).epochs == 1


def test_nodes_outside_the_masks_need_no_class():
    graph = two_clusters()
    y = torch.where(graph.test_mask, 9, graph.y)
    y[-1] = -1
    graph = two_clusters(y=y, test_mask=None)
    assert fit(GCN(8, 2), graph, max_epochs=1, progress=False).epochs == 1


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda out: out[:, 0], "[40]"),
        (lambda out: out.unsqueeze(1), "[40, 1, 2]"),
        (lambda out: out[:-1], "[39, 2]"),
        (lambda out: (out, out), "a tuple"),
        (lambda out: None, "a NoneType"),
        (lambda out: out.numpy(force=True), "a ndarray"),
    ],
)
def test_what_is_no_row_of_logits_for_each_node_is_refused(change, found):
    class Odd(GCN):
        num_hops = None

        def forward(self, graph, x):
            return change(super().forward(graph, x))

    graph, model = two_clusters(), Odd(8, 2)
    message = (
        "Odd must return logits [40, C], one row for each node",
        f"returns {found}",
    )
    refused(model, graph, *message)
    with pytest.raises(ValueError, match="must return logits"):
        evaluate(model, graph, graph.test_mask)


def test_a_frozen_model_is_refused():
    frozen = GAT(8, 2).requires_grad_(False)
    refused(
        frozen, two_clusters(), "no parameter of GAT requires a gradient", "unfreez"
    )
    frozen.layer2.requires_grad_(True)
    before = frozen.layer1.weight.clone()
    fit(frozen, two_clusters(), max_epochs=2, progress=False)
    assert torch.equal(frozen.layer1.weight, before)


def test_logits_without_a_gradient_are_refused():
    class Detached(GCN):
        def forward(self, graph, x):
            return super().forward(graph, x).detach()

    with pytest.raises(ValueError, match=r"no gradient reaches .* Detached: .*detach"):
        fit(Detached(8, 2), two_clusters(), progress=False)
    with torch.no_grad(), pytest.raises(ValueError, match=r"under torch.no_grad\(\)"):
        fit(GCN(8, 2), two_clusters(), progress=False)


@pytest.mark.parametrize("make", [GAT, GCN, MLP])
def test_model_and_graph_on_different_devices_are_refused(make):
    graph, model = two_clusters(), make(8, 2).to("meta")
    message = 'is on meta, the graph on cpu: move them together, graph = graph.to("meta'
    refused(model, graph, message, 'model.to("cpu")')
    with pytest.raises(ValueError, match="the model is on meta, the graph on cpu"):
        evaluate(model, graph, graph.test_mask)


class OwnModel(nn.Module):
    """What a reader may bring: without a check of its own."""

    def __init__(self, *sizes):
        super().__init__()
        self.linear = nn.Linear(*sizes)

    def forward(self, graph, x):
        return self.linear(x)


@pytest.mark.parametrize("make", [GAT, GCN, MLP, OwnModel])
def test_features_of_another_kind_than_the_parameters_are_refused(make):
    graph = two_clusters()
    double = dataclasses.replace(graph, x=graph.x.double())
    kinds = "float64", "float32", "build the graph with x"
    refused(make(8, 2), double, *kinds, error=(TypeError, ValueError))
    assert fit(make(8, 2).double(), double, max_epochs=1, progress=False).epochs == 1


def test_an_error_of_the_readers_own_model_comes_through():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fit(OwnModel(7, 2), two_clusters(), progress=False)


def test_several_graphs_are_sent_to_fit_graphs():
    model = MLP(50, 121)
    refused(model, synthetic_tissues(), "not on Tissues", "fit_graphs", error=TypeError)


def test_whatever_a_module_keeps_in_its_state_comes_back():
    class Keeps(Classes):
        """Keeps a list, as modules may, and a buffer that deepcopy refuses."""

        def __init__(self, script):
            super().__init__(script)
            self.register_buffer("csr", torch.eye(2).to_sparse_csr())
            self.seen = []

        def forward(self, graph, x):
            if self.training:
                self.seen.append(self.calls)
            return super().forward(graph, x)

        def get_extra_state(self):
            return {"seen": self.seen}

        def set_extra_state(self, state):
            self.seen = state["seen"]

    model = Keeps([(1, 1.0), (1, 0.5), *[(1, 0.1)] * 9])
    history = fit(model, scripted_graph(), lr=0.0, patience=3, progress=False)
    assert history.best_epoch == 0 and history.epochs == 4
    assert model.marker.item() == 0 and model.seen == [0]


@pytest.mark.parametrize("options", [{"max_epochs": 0}, {"patience": 0}])
def test_fit_refuses_options_without_sense(options):
    with pytest.raises(ValueError, match="at least 1"):
        fit(GCN(8, 2), two_clusters(), **options)


QUICK = {"max_epochs": 5, "progress": False}
make_gcn = partial(GCN, 8, 2, hidden=4)


def numbers(runs):
    return [(r.seed, r.test_accuracy, r.epochs, r.history.val_loss) for r in runs]


def test_a_seed_fixes_its_run_whatever_the_other_seeds():
    graph = two_clusters()
    three = run_seeds(make_gcn, graph, [0, 1, 2], **QUICK)
    alone = run_seeds(make_gcn, graph, [2], **QUICK)
    assert numbers(three)[2] == numbers(alone)[0]
    assert numbers(three)[0] != numbers(three)[1]


def test_workers_give_the_same_runs_in_the_same_order():
    graph = two_clusters()
    serial = run_seeds(make_gcn, graph, range(3), **QUICK)
    parallel = run_seeds(make_gcn, graph, range(3), workers=2, **QUICK)
    assert [r.seed for r in parallel] == [0, 1, 2]
    for a, b in zip(serial, parallel, strict=True):
        assert a.history.val_loss == pytest.approx(b.history.val_loss, rel=1e-4)
        model = evaluate(b.model, graph, graph.test_mask)
        assert model.accuracy == b.test_accuracy


def test_compare_gives_what_run_seeds_gives_for_each_experiment():
    graph, other = two_clusters(), dataclasses.replace(two_clusters(), name="other")
    make_mlp = partial(MLP, 8, 2, hidden=4)
    experiments = {
        "GCN": {"make_model": make_gcn, "graph": graph},
        "MLP, 3 epochs": {"make_model": make_mlp, "graph": other, "max_epochs": 3},
    }
    together = compare(experiments, [1, 0], workers=2, **QUICK)
    assert list(together) == list(experiments)
    alone = run_seeds(make_mlp, other, [1, 0], max_epochs=3, progress=False)
    for a, b in zip(together["MLP, 3 epochs"], alone, strict=True):
        assert (a.seed, a.epochs) == (b.seed, 3)
        assert a.history.val_loss == pytest.approx(b.history.val_loss, rel=1e-4)
    assert [r.epochs for r in together["GCN"]] == [5, 5]


def test_compare_names_the_experiment_that_is_incomplete():
    with pytest.raises(ValueError, match="experiment 'GCN' lacks graph"):
        compare({"GCN": {"make_model": make_gcn}}, [0])


def test_mean_and_std_are_those_of_the_textbook():
    run = partial(Run, val_accuracy=0, epochs=1, best_epoch=0, seconds=0)
    runs = Runs(run(seed=i, test_accuracy=a) for i, a in enumerate([80, 82, 87]))
    assert runs.mean == pytest.approx(83)
    assert runs.std == pytest.approx(math.sqrt((9 + 1 + 16) / 2))
    assert str(runs) == "83.0 ± 3.6 % (3 seeds)"
    assert math.isnan(Runs(runs[:1]).std)


def test_finished_runs_are_kept_and_not_repeated(tmp_path, monkeypatch):
    graph, path = two_clusters(), tmp_path / "runs.json"
    first = run_seeds(make_gcn, graph, [0, 1], path=path, **QUICK)

    def must_not_be_called(*_):
        raise AssertionError("a finished run was repeated")

    with monkeypatch.context() as patch:
        patch.setattr(workers.Job, "train", must_not_be_called)
        again = run_seeds(make_gcn, graph, [1, 0], path=path, **QUICK)
    assert again.test_accuracies == first.test_accuracies[::-1]
    more = run_seeds(make_gcn, graph, [0, 1, 2], path=path, **QUICK)
    whole = run_seeds(make_gcn, graph, [0, 1, 2], **QUICK)
    assert more.test_accuracies == whole.test_accuracies
    assert len(json.loads(path.read_text())["runs"]) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["runs.json"]


def test_a_missing_folder_and_numpy_seeds_are_no_trouble(tmp_path):
    path = tmp_path / "new" / "runs.json"
    run_seeds(make_gcn, two_clusters(), np.arange(2), path=path, **QUICK)
    assert len(json.loads(path.read_text())["runs"]) == 2


def test_a_run_that_fails_loses_no_finished_run(tmp_path):
    graph, path = two_clusters(), tmp_path / "runs.json"
    made = []

    def third_diverges():
        made.append(1)
        model = make_gcn()
        if len(made) == 4:  # the first one describes the experiment
            nn.init.constant_(model.layer1.weight, math.nan)
        return model

    with pytest.raises(FloatingPointError) as error:
        run_seeds(third_diverges, graph, range(5), path=path, **QUICK)
    assert [r.seed for r in error.value.finished] == [0, 1]
    assert [r["seed"] for r in json.loads(path.read_text())["runs"]] == [0, 1]


def test_an_interrupt_returns_what_is_finished():
    made = []

    def interrupted():
        made.append(1)
        if len(made) == 2:
            raise KeyboardInterrupt
        return make_gcn()

    with pytest.warns(UserWarning, match="1 of 3 runs are finished"):
        runs = run_seeds(interrupted, two_clusters(), range(3), **QUICK)
    assert [r.seed for r in runs] == [0]


def test_runs_of_another_experiment_are_not_mixed_in(tmp_path):
    graph, path = two_clusters(), tmp_path / "runs.json"
    run_seeds(make_gcn, graph, [0], path=path, **QUICK)
    run_seeds(make_gcn, graph, [0], path=path, lr=0.005, **QUICK)  # the default
    other = dataclasses.replace(graph, x=2 * graph.x)
    for model, data, options, differs in [
        (make_gcn, graph, {"max_epochs": 6, "progress": False}, "options"),
        (partial(MLP, 8, 2, hidden=4), graph, QUICK, "model"),
        (partial(GCN, 8, 2, hidden=4, dropout=0.1), graph, QUICK, "model"),
        (make_gcn, other, QUICK, "data"),
    ]:
        with pytest.raises(ValueError, match=f"another experiment: its {differs}"):
            run_seeds(model, data, [0], path=path, **options)
    path.write_text("{half a fi")
    with pytest.raises(ValueError, match="not a file of runs"):
        run_seeds(make_gcn, graph, [0], path=path, **QUICK)
    assert path.read_text() == "{half a fi"


@pytest.fixture
def threads_of_pytorch():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_runs_of_another_number_of_threads_are_not_mixed_in(
    tmp_path, threads_of_pytorch
):
    graph, path = two_clusters(), tmp_path / "runs.json"
    torch.set_num_threads(2)
    run_seeds(make_gcn, graph, [0], path=path, threads=1, **QUICK)
    stored = path.read_bytes()
    message = r"its threads differs \(there 1, here 2\)"
    for options in ({"threads": 2}, {}, {"threads": 2, "workers": 2}):
        with pytest.raises(ValueError, match=message):
            run_seeds(make_gcn, graph, [0, 1], path=path, **options, **QUICK)
    assert path.read_bytes() == stored
    torch.set_num_threads(1)  # what is meant without `threads`
    run_seeds(make_gcn, graph, [0, 1], path=path, **QUICK)
    about, found = record.read_file(path)
    assert (about["device"], about["threads"]) == ("cpu", 1)
    assert [run.seed for run in found] == [0, 1]


def test_runs_of_another_device_are_not_mixed_in(tmp_path, monkeypatch):
    graph, path = two_clusters(), tmp_path / "runs.json"
    run_seeds(make_gcn, graph, [0], path=path, threads=1, **QUICK)
    # No GPU is needed to be told of one.
    monkeypatch.setattr(GraphData, "device", torch.device("cuda", 0))
    message = r"its device, threads differs \(there 'cpu', here 'cuda'\)"
    with pytest.raises(ValueError, match=message):
        run_seeds(make_gcn, graph, [0], path=path, threads=1, **QUICK)
    path.unlink()
    monkeypatch.setattr(runs, "train_all", lambda *args: None)
    for threads in (1, 5):  # of the CPU: on a GPU they decide nothing
        task = tasks.task_of(graph)
        about = runs._describe(task, make_gcn(), QUICK, threads, {})
        assert (about["device"], about["threads"]) == ("cuda", None)


def test_a_file_without_threads_and_device_is_read_and_not_added_to(tmp_path):
    graph, path = two_clusters(), tmp_path / "runs.json"
    options = {"path": path, "threads": 1, **QUICK}
    made = run_seeds(make_gcn, graph, [0, 1], **options)
    content = json.loads(path.read_text())
    del content["about"]["threads"], content["about"]["device"]  # an earlier version's
    path.write_text(json.dumps(content))
    assert record.read_file(path)[1].scores == made.scores
    assert run_seeds(make_gcn, graph, [1], **options).scores == made.scores[1:]
    stored = path.read_bytes()
    with pytest.raises(ValueError) as error:
        run_seeds(make_gcn, graph, [0, 1, 2], **options)
    told = '"device": "cpu", "threads": 1'
    assert "does not say on which device and threads its runs" in str(error.value)
    assert f'write {told} into its "about"' in str(error.value)
    assert path.read_bytes() == stored
    path.write_bytes(stored.replace(b'"about": {', b'"about": {%b, ' % told.encode()))
    assert len(run_seeds(make_gcn, graph, [0, 1, 2], **options)) == 3
    with pytest.raises(ValueError, match="another experiment: its options differs"):
        run_seeds(make_gcn, graph, [0], **{**options, "max_epochs": 6})


@pytest.mark.parametrize("key", ["data", "device", "threads"])
def test_about_does_not_replace_what_tells_experiments_apart(tmp_path, key):
    path = tmp_path / "runs.json"
    with pytest.raises(ValueError, match=f"about must not contain {key}"):
        run_seeds(partial(MLP, 8, 2), two_clusters(), [0], path=path, about={key: "x"})


@pytest.mark.parametrize(
    ("seeds", "options", "message"),
    [
        ([], {}, "at least one"),
        ([1, 1], {}, "different"),
        ([1], {"workers": 0}, "workers"),
        ([1], {"threads": 0}, "threads"),
    ],
)
def test_run_seeds_refuses_what_makes_no_sense(seeds, options, message):
    with pytest.raises(ValueError, match=message):
        run_seeds(make_gcn, two_clusters(), seeds, **options)
