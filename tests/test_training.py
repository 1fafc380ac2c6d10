"""Training: the early stopping rule, what is kept, what is refused."""

import copy
import dataclasses
import json
import math
from functools import partial

import numpy as np
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
)
from gat_course.runs import Run, Runs


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


@pytest.mark.parametrize("mask", [torch.ones(40).long(), torch.ones(3).bool()])
def test_evaluate_refuses_a_mask_that_is_none(mask):
    with pytest.raises(ValueError, match=r"mask must be a bool vector \[40\]"):
        evaluate(GCN(8, 2), two_clusters(), mask)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": torch.full((40,), -1)}, "must be classes 0, 1, …"),
        ({"y": torch.zeros(40)}, "must be classes 0, 1, …"),
        ({"x": None}, "clusters has no x"),
        ({"y": None}, "clusters has no y"),
        ({"y": torch.zeros(40, 3)}, "one class per node"),
        ({"train_mask": None}, "train_mask of clusters selects no node"),
        ({"val_mask": torch.zeros(40, dtype=torch.bool)}, "val_mask of clusters"),
    ],
)
def test_fit_refuses_a_graph_it_cannot_train_on(changes, message):
    with pytest.raises(ValueError, match=message):
        fit(GCN(8, 2), two_clusters(**changes), progress=False)


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
        patch.setattr(runs, "_run_one", must_not_be_called)
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


def test_about_does_not_replace_what_tells_experiments_apart(tmp_path):
    path = tmp_path / "runs.json"
    with pytest.raises(ValueError, match="about must not contain data"):
        run_seeds(
            partial(MLP, 8, 2), two_clusters(), [0], path=path, about={"data": "x"}
        )


@pytest.mark.parametrize(
    ("seeds", "options", "message"),
    [
        ([], {}, "at least one"),
        ([1, 1], {}, "different"),
        ([1], {"workers": 0}, "workers"),
    ],
)
def test_run_seeds_refuses_what_makes_no_sense(seeds, options, message):
    with pytest.raises(ValueError, match=message):
        run_seeds(make_gcn, two_clusters(), seeds, **options)
