"""The benchmark: fair contenders, measured in turns, nothing lost."""

import json
import multiprocessing
import os
from functools import partial

import pytest
import torch

from gat_course import GraphData, bench

SIZES = [(20, 8, 8), (64, 7, 1)]


@pytest.fixture(params=list(bench.NAMES))
def contender(request):
    if request.param not in bench.installed([request.param]):
        pytest.skip(f"{request.param} is not installed")
    return request.param


def small_graph():
    generator = torch.Generator().manual_seed(0)
    ends = torch.randint(0, 50, (2, 200), generator=generator)
    x = torch.rand(50, 20, generator=generator)
    graph = GraphData.from_edges(
        *ends,
        x=(x * (x > 0.8)).to_sparse_csr(),
        y=torch.arange(50) % 7,
        train_mask=torch.arange(50) < 10,
    )
    return graph.with_self_loops()


def test_all_contenders_train_the_same_network(contender):
    torch.manual_seed(0)
    model = bench.build_model(contender, SIZES, 0.1, False)
    count = sum(p.numel() for p in model.parameters())
    assert count == 20 * 64 + 3 * 64 + 64 * 7 + 3 * 7
    graph, losses = small_graph(), []

    def loss(logits):
        assert logits.shape == (50, 7)
        value = torch.nn.functional.cross_entropy(
            logits[graph.train_mask], graph.y[graph.train_mask]
        )
        losses.append(value.item())
        return value

    step = bench._training_step(contender, model, graph, loss)
    for _ in range(150):
        step()
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])


def test_the_steps_of_the_table_run(contender, monkeypatch):
    monkeypatch.setattr(bench.datasets, "load", lambda *a, **k: small_graph())
    bench.citation_step(contender, "cora")()
    bench.ppi_sized_step(contender, scale=32)()
    bench.layer_step(contender, 100, num_heads=2)()


def test_course_and_dgl_compute_the_same(dgl):
    ours, theirs = (
        bench.build_model(name, SIZES, 0.0, False).eval() for name in ("course", "dgl")
    )
    for mine, other in zip(ours.layers, theirs.layers, strict=True):
        other.fc.weight.data = mine.weight.data.t()
        other.attn_l.data = mine.att_src.data.unsqueeze(0)
        other.attn_r.data = mine.att_dst.data.unsqueeze(0)
    graph = small_graph()
    expected = theirs(*bench._native("dgl", graph, graph.x))
    torch.testing.assert_close(ours(graph, graph.x), expected, atol=1e-5, rtol=1e-5)


def test_course_and_tricks_see_what_the_loss_looks_at(contender, monkeypatch):
    seen = []
    monkeypatch.setattr(bench.datasets, "load", lambda *a, **k: small_graph())
    monkeypatch.setattr(bench, "_training_step", lambda *args: seen.append(args[2]))
    bench.citation_step(contender, "cora")
    sees_less = contender in ("course", "dgl+", "pyg+")
    assert (seen[0].num_nodes < 50) == sees_less


def test_course_and_pyg_compute_the_same():
    pytest.importorskip("torch_geometric")
    ours, theirs = (
        bench.build_model(name, SIZES, 0.0, False).eval() for name in ("course", "pyg")
    )
    for mine, other in zip(ours.layers, theirs.layers, strict=True):
        other.conv.lin.weight.data = mine.weight.data.t()
        other.conv.att_src.data = mine.att_src.data.unsqueeze(0)
        other.conv.att_dst.data = mine.att_dst.data.unsqueeze(0)
    graph = small_graph()
    expected = theirs(*bench._native("pyg", graph, graph.x))
    torch.testing.assert_close(ours(graph, graph.x), expected, atol=1e-5, rtol=1e-5)


def allocate(size):
    """A step that holds `size` bytes and touches all of them."""
    return lambda: torch.ones(size // 4).sum()


def die():
    raise SystemExit("no library here")


def test_memory_is_that_of_the_step_in_its_own_process():
    builders = {name: partial(allocate, size) for name, size in SIZES_IN_BYTES.items()}
    found = bench.measure_in_turns(builders, 2, 1)
    for name, size in SIZES_IN_BYTES.items():
        row = found[name]
        assert 0 < row["fastest"] <= row["seconds"] <= row["slowest"]
        if row["bytes"] is not None:  # Linux tells
            assert row["bytes"] > 0.9 * size
    if found["course"]["bytes"] is not None:
        assert 2 < found["course"]["bytes"] / found["edges"]["bytes"] < 6


SIZES_IN_BYTES = {"course": 400 * 2**20, "edges": 100 * 2**20}


def die_later():
    """A step that works once and ends its process the second time."""
    calls = []

    def step():
        calls.append(1)
        if len(calls) > 1:
            os._exit(1)

    return step


@pytest.mark.parametrize(("how", "when"), [(die, "before"), (die_later, "in mid-step")])
def test_a_contender_that_ends_is_named(how, when):
    with pytest.raises(RuntimeError, match=f"course, edge list ended {when}"):
        bench.measure_in_turns({"course": partial(allocate, 8), "edges": how}, 1, 1)
    assert not multiprocessing.active_children()


def test_the_table_is_printed_and_stored_as_it_grows(monkeypatch, tmp_path, capsys):
    def plan(quick):
        return [("a title", allocate_for, {"size": 2**20}, ["course", "edges"], 1)]

    monkeypatch.setattr(bench, "plan", plan)
    path = tmp_path / "new folder" / "bench.json"
    assert bench.main(quick=True, output=path) == 0
    record = json.loads(path.read_text())
    assert list(path.parent.iterdir()) == [path]
    (entry,) = record["measured"]
    assert entry["title"] == "a title" and set(entry["contenders"]) == {
        "course",
        "edges",
    }
    versions = record["machine"]["versions"]
    assert versions["torch"] == torch.__version__ and record["machine"]["threads"] > 0
    printed = capsys.readouterr().out
    assert (
        bench.table(entry) in printed and bench.describe(record["machine"]) in printed
    )


def allocate_for(contender, size):
    return allocate(size)


@pytest.mark.parametrize("quick", [True, False])
def test_the_plan_covers_training_and_scaling(quick):
    titles = " ".join(row[0] for row in bench.plan(quick))
    for word in ("Cora", "Citeseer", "PPI", "edges"):
        assert word in titles
    for _, _, _, contenders, rounds in bench.plan(quick):
        assert contenders[0] == "course" and rounds >= 3
        assert set(contenders) <= set(bench.NAMES)


def test_the_stored_measurement_is_complete():
    record = bench.stored()
    assert not record["quick"]
    planned = [(row[2], row[3], row[4]) for row in bench.plan(quick=False)]
    measured = [
        (e["arguments"], list(e["contenders"]), e["rounds"]) for e in record["measured"]
    ]
    assert measured == planned
    for entry in record["measured"]:
        assert all(found["seconds"] > 0 for found in entry["contenders"].values())
        assert "stand-in" not in entry["title"]
