"""Graphs with one answer each: the container, batches, and training on them."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from gat_course import (
    GraphData,
    GraphNetwork,
    GraphSet,
    batch_graphs,
    compare,
    evaluate_set,
    fit_set,
    run_seeds,
    synthetic_molecules,
)


def ring(n, value=0.0):
    x = torch.full((n, 2), float(value))
    ends = torch.arange(n)
    return GraphData.from_edges(ends, (ends + 1) % n, n, undirected=True, x=x)


@pytest.fixture
def numbers():
    """The answer is the mean of the first feature: a network can learn it."""
    torch.manual_seed(0)
    values = torch.randn(40)
    graphs = [ring(3 + i % 4, v).with_self_loops() for i, v in enumerate(values)]
    parts = torch.arange(40).split([28, 6, 6])
    return GraphSet(
        graphs=graphs,
        y=values,
        **dict(zip(("train", "val", "test"), parts, strict=True)),
        name="rings",
    )


@pytest.fixture
def classes(numbers):
    y = (numbers.y > 0).long()
    parts = {part: getattr(numbers, part) for part in ("train", "val", "test")}
    return GraphSet(graphs=numbers.graphs, y=y, **parts, name="signs")


def model(data):
    return GraphNetwork(data.num_features, data.num_classes, hidden=8, num_layers=1)


def test_a_set_tells_what_it_is(numbers, classes):
    assert (numbers.has_numbers, numbers.num_classes) == (True, 1)
    assert (classes.has_numbers, classes.num_classes) == (False, 2)
    assert "28/6/6 graphs" in repr(numbers) and repr(classes).endswith("2 classes)")
    assert numbers.to("cpu").y.equal(numbers.y)


def test_evaluation_is_that_of_all_graphs_together(numbers, classes):
    torch.manual_seed(0)
    for data in (numbers, classes):
        net = model(data).train()
        batch = batch_graphs([data.graphs[i] for i in data.test])
        with torch.no_grad():
            outputs = net.eval()(batch, batch.x)
        net.train()
        found = evaluate_set(net, data, data.test, batch_size=4)
        assert net.training  # the mode is put back
        y = data.y[data.test]
        if data.has_numbers:
            expected = float((outputs[:, 0] - y).square().mean()) ** 0.5
            assert found.rmse == found.score == pytest.approx(expected, rel=1e-5)
        else:
            right = 100 * float((outputs.argmax(1) == y).float().mean())
            assert found.accuracy == pytest.approx(right)
            loss = torch.nn.functional.cross_entropy(outputs, y)
            assert found.loss == pytest.approx(float(loss), rel=1e-5)


def test_training_learns_and_keeps_the_best_epoch(numbers, classes):
    torch.manual_seed(0)
    for data in (numbers, classes):
        net = model(data)
        curves = fit_set(net, data, lr=0.02, max_epochs=60, batch_size=7, patience=60)
        assert not net.training
        assert curves.best_epoch == curves.val_loss.index(min(curves.val_loss))
        kept = evaluate_set(net, data, data.val)
        assert kept.loss == pytest.approx(min(curves.val_loss), rel=1e-5)
        assert kept.loss < curves.val_loss[0] / 2


def test_patience_ends_training(numbers):
    torch.manual_seed(0)
    curves = fit_set(model(numbers), numbers, lr=0.5, max_epochs=500, patience=3)
    assert curves.epochs < 500
    assert curves.epochs == curves.best_epoch + 1 + 3


def test_runs_of_seeds_are_kept_and_read(numbers, classes, tmp_path):
    for data, key in ((numbers, "test_rmse"), (classes, "test_accuracy")):
        path = tmp_path / f"{data.name}.json"
        options = {"path": path, "max_epochs": 2, "progress": False}
        runs = run_seeds(lambda data=data: model(data), data, [0, 1], **options)
        stored = json.loads(path.read_text())
        assert [run[key] for run in stored["runs"]] == runs.scores
        again = run_seeds(lambda data=data: model(data), data, [0, 1, 2], **options)
        assert again.scores[:2] == runs.scores
        assert str(runs).count("±") == 1


def test_a_file_of_other_answers_is_refused(numbers, tmp_path):
    options = {"path": tmp_path / "a.json", "max_epochs": 1, "progress": False}
    run_seeds(lambda: model(numbers), numbers, [0], **options)
    parts = {part: getattr(numbers, part) for part in ("train", "val", "test")}
    other = GraphSet(graphs=numbers.graphs, y=numbers.y + 1, **parts, name="rings")
    with pytest.raises(ValueError, match="another experiment: its answers differs"):
        run_seeds(lambda: model(other), other, [0], **options)


def test_the_test_graphs_have_no_part_in_training(numbers):
    found = []
    for shift in (0, 100):
        y = numbers.y.clone()
        y[numbers.test] += shift
        parts = {part: getattr(numbers, part) for part in ("train", "val", "test")}
        data = GraphSet(graphs=numbers.graphs, y=y, **parts, name="rings")
        torch.manual_seed(0)
        net = model(data)
        fit_set(net, data, max_epochs=3, progress=False)
        found.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    assert torch.equal(*found)


def test_compare_takes_sets():
    data = synthetic_molecules(num_graphs=30)
    plans = {
        kind: {
            "make_model": lambda kind=kind: GraphNetwork(5, 1, hidden=4, readout=kind),
            "graph": data,
        }
        for kind in ("sum", "attention")
    }
    runs = compare(plans, [0, 1], max_epochs=1, progress=False)
    assert {kind: len(r) for kind, r in runs.items()} == {"sum": 2, "attention": 2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"graphs": []}, "graphs has no graph"),
        ({"y": [1.0]}, "y must hold one class or number for each of 3 graphs"),
        ({"y": [1.0, float("nan"), 0.0]}, "must be finite"),
        ({"y": [0, -1, 1]}, "classes are 0, 1"),
        ({"train": []}, "train must list numbers of graphs"),
        ({"val": [3]}, "val must list numbers of graphs, 0 to 2"),
        ({"val": [0]}, "val holds a graph twice, or one of another part"),
        ({"train": [0, 0]}, "train holds a graph twice"),
        ({"graphs": [ring(3), ring(3), ring(3).with_self_loops()]}, None),
        (
            {"graphs": [ring(3), ring(3), GraphData.from_edges([0], [1])]},
            r"graph 2 \(graph\) has no x",
        ),
        (
            {"graphs": [ring(3), GraphData.from_edges([0], [1], x=[[1.0], [2.0]])] * 2},
            "x is torch.float32 of 1 columns in graph 1 and .* 2 columns in graph 0",
        ),
        ({"graphs": [batch_graphs([ring(3)])] * 3}, "graph 0 is a batch"),
    ],
    ids=str,
)
def test_what_makes_no_set_is_refused(change, message):
    given = {"graphs": [ring(3)] * 3, "y": [0.0, 1.0, 2.0], "name": "three"}
    given |= {"train": [0], "val": [1], "test": [2], **change}
    if message is None:
        assert len(GraphSet(**given).graphs) == 3
        return
    with pytest.raises(ValueError, match=message):
        GraphSet(**given)


def test_a_model_that_does_not_fit_is_refused(numbers):
    class Nodes(torch.nn.Linear):
        def forward(self, graph, x):
            return super().forward(x)

    with pytest.raises(ValueError, match="must end with a readout"):
        fit_set(Nodes(2, 1), numbers, progress=False)
    with pytest.raises(TypeError, match="fit_set trains on a GraphSet"):
        fit_set(model(numbers), numbers.graphs[0])
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        fit_set(model(numbers), numbers, batch_size=0)
    net = model(numbers).requires_grad_(False)
    with pytest.raises(ValueError, match="nothing to train"):
        fit_set(net, numbers, progress=False)


# ------------------------------------------- features of edges, batches, global node


def test_edges_keep_their_features_wherever_they_go():
    attr = torch.tensor([[1.0], [2.0], [3.0]])
    graph = GraphData.from_edges([0, 1, 2], [2, 0, 1], 4, edge_attr=attr)
    told = {(0, 2): 1, (1, 0): 2, (2, 1): 3}

    def features(graph):
        ends = zip(graph.src.tolist(), graph.dst.tolist(), strict=True)
        return dict(zip(ends, graph.edge_attr[:, 0].tolist(), strict=True))

    assert features(graph) == told
    loops = {(i, i): 0 for i in range(4)}
    assert features(graph.with_self_loops()) == told | loops
    both = GraphData.from_edges([0, 1], [1, 2], undirected=True, edge_attr=attr[:2])
    assert features(both) == {(0, 1): 1, (1, 0): 1, (1, 2): 2, (2, 1): 2}
    assert features(graph.subgraph([2, 0])) == {(1, 0): 1}
    node_2 = torch.tensor([False, False, True, False])
    assert features(graph.receptive_field(node_2, 1)) == {(0, 1): 1}
    batch = batch_graphs([graph, graph])
    assert features(batch) == told | {(i + 4, j + 4): v for (i, j), v in told.items()}
    twice = GraphData.from_edges([0, 0], [1, 1], edge_attr=attr[:2])
    assert features(twice.without_repeats()) == {(0, 1): 1}
    with pytest.raises(ValueError, match="repeat and have edge_attr"):
        twice.coalesce()
    assert "3 edges of 1 features" in repr(graph)


@pytest.mark.parametrize(
    ("attr", "error", "message"),
    [
        (torch.ones(2), ValueError, r"must be \[2, D\].*reshape\(-1, 1\)"),
        (torch.ones(3, 1), ValueError, r"must be \[2, D\]"),
        (torch.ones(2, 1).long(), TypeError, "floating point.*one_hot"),
        (torch.tensor([[1.0], [float("inf")]]), ValueError, "NaN or infinite"),
        (torch.ones(2, 1, requires_grad=True), ValueError, "detach"),
    ],
)
def test_edge_features_that_make_no_sense_are_refused(attr, error, message):
    with pytest.raises(error, match=message):
        GraphData.from_edges([0, 1], [1, 0], edge_attr=attr)


def test_a_batch_knows_its_graphs_also_when_batches_are_put_together():
    a, b = ring(3), ring(4)
    batch = batch_graphs([a, b])
    assert batch.graph_of.tolist() == [0] * 3 + [1] * 4 and batch.num_graphs == 2
    nested = batch_graphs([batch, a, batch])
    assert nested.graph_of.tolist() == [0] * 3 + [1] * 4 + [2] * 3 + [3] * 3 + [4] * 4
    assert a.num_graphs == 1 and a.graph_of is None
    part = batch.subgraph([0, 5])
    assert part.graph_of.tolist() == [0, 1]


def test_a_global_node_is_one_step_from_all():
    graph = GraphData.from_edges(
        [0, 1],
        [1, 2],
        4,
        x=torch.ones(4, 2),
        y=[0, 1, 0, 1],
        train_mask=[True] * 4,
        edge_attr=torch.ones(2, 3),
        edge_weight=[2.0, 3.0],
    ).with_global_node()
    assert graph.num_nodes == 5 and graph.num_edges == 2 + 8
    adjacency = graph.dense_adjacency()
    assert adjacency[4].tolist() == adjacency[:, 4].tolist() == [1, 1, 1, 1, 0]
    assert graph.x[4].tolist() == [0, 0] and graph.y.tolist() == [0, 1, 0, 1, -1]
    assert graph.train_mask.tolist() == [True] * 4 + [False]
    assert graph.edge_attr.sum() == 6
    with pytest.raises(ValueError, match="add the node to each of them"):
        batch_graphs([ring(3), ring(3)]).with_global_node()
    lonely = GraphData.from_edges([], [], 1).with_global_node()
    assert lonely.num_edges == 2


@pytest.mark.parametrize(
    ("graphs", "error", "message"),
    [
        ([True, False, True], TypeError, "graphs must hold integers"),
        ([99], ValueError, "graphs must list numbers of graphs, 0 to"),
        ([], ValueError, "at least one, such as data.test"),
        ([[0, 1]], ValueError, "graphs must list numbers of graphs"),
    ],
)
def test_what_lists_no_graphs_is_refused(numbers, graphs, error, message):
    with pytest.raises(error, match=message):
        evaluate_set(model(numbers), numbers, graphs)


def test_one_class_and_numbers_meant_are_told():
    given = {"graphs": [ring(3)] * 3, "name": "three"}
    given |= {"train": [0], "val": [1], "test": [2]}
    with pytest.raises(ValueError, match="all graphs are of class 0"):
        GraphSet(y=[0, 0, 0], **given)
    with pytest.raises(ValueError, match=r"class -1; .* give y.float\(\)"):
        GraphSet(y=[0, -1, 2], **given)


def test_a_class_that_is_missing_here_is_no_matter():
    data = GraphSet(
        graphs=[ring(3)] * 4, y=[0, 1, 1, 0], name="", train=[0, 1], val=[2], test=[3]
    )
    wide = GraphNetwork(data.num_features, 3, hidden=4)
    fit_set(wide, data, max_epochs=1, progress=False)
    with pytest.raises(ValueError, match="needs at least 2 logits"):
        fit_set(GraphNetwork(data.num_features, 1, hidden=4), data, progress=False)


def test_fields_of_some_graphs_only_are_told_with_the_graphs_own_number():
    graphs = [ring(3)] * 4
    given = {"y": [0.0, 1, 2, 3], "name": "four"}
    given |= {"train": [0, 1], "val": [2], "test": [3]}
    for field, value in (
        ("y", torch.zeros(3, dtype=torch.long)),
        ("train_mask", torch.ones(3, dtype=torch.bool)),
        ("edge_weight", torch.ones(ring(3).num_edges)),
    ):
        odd = [*graphs[:3], replace(graphs[3], **{field: value})]
        with pytest.raises(ValueError, match=f"{field} is .* in graph 3 and missing"):
            GraphSet(graphs=odd, **given)


@pytest.mark.parametrize("kind", ["set", "links"])
def test_seeds_of_new_kinds_of_data_need_no_other_import(kind):
    make = {
        "set": "data = synthetic_molecules(30)\n"
        "def make(): return GraphNetwork(data.num_features, 1, hidden=4)",
        "links": "data = split_links(synthetic_citation('cora'))\n"
        "def make(): return GCN(data.num_features, 8)",
    }[kind]
    code = (
        "from gat_course import GCN, GraphNetwork, run_seeds, split_links\n"
        "from gat_course import synthetic_citation, synthetic_molecules\n"
        f"{make}\nprint(run_seeds(make, data, [0], max_epochs=1, progress=False))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
