"""The benchmark: fair contenders, measured in turns, nothing lost."""

import json
import multiprocessing
import os
from functools import partial

import pytest
import torch

from gat_course import GraphData, bench, measure
from gat_course.experiments import contenders, turns

SIZES = [(20, 8, 8), (64, 7, 1)]


@pytest.fixture(params=list(contenders.NAMES))
def contender(request):
    if request.param not in contenders.installed([request.param]):
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
    model = contenders.build_model(contender, SIZES, 0.1, False)
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

    step = contenders._training_step(contender, model, graph, loss)
    for _ in range(150):
        step()
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])


def test_the_steps_of_the_table_run(contender, monkeypatch):
    monkeypatch.setattr(contenders.datasets, "load", lambda *a, **k: small_graph())
    contenders.citation_step(contender, "cora")()
    contenders.ppi_sized_step(contender, scale=32)()
    contenders.layer_step(contender, 100, num_heads=2)()


def test_course_and_dgl_compute_the_same(dgl):
    ours, theirs = (
        contenders.build_model(name, SIZES, 0.0, False).eval()
        for name in ("course", "dgl")
    )
    for mine, dropping in zip(ours.children(), theirs.children(), strict=True):
        other = dropping.layer.conv
        other.fc.weight.data = mine.weight.data.t()
        other.attn_l.data = mine.att_src.data.unsqueeze(0)
        other.attn_r.data = mine.att_dst.data.unsqueeze(0)
    graph = small_graph()
    expected = theirs(*contenders._native("dgl", graph, graph.x))
    torch.testing.assert_close(ours(graph, graph.x), expected, atol=1e-5, rtol=1e-5)


def test_course_and_tricks_see_what_the_loss_looks_at(contender, monkeypatch):
    seen = []
    monkeypatch.setattr(contenders.datasets, "load", lambda *a, **k: small_graph())
    monkeypatch.setattr(
        contenders, "_training_step", lambda *args: seen.append(args[2])
    )
    contenders.citation_step(contender, "cora")
    sees_less = contender in ("course", "dgl+", "pyg+")
    assert (seen[0].num_nodes < 50) == sees_less


def test_course_and_pyg_compute_the_same():
    pytest.importorskip("torch_geometric")
    ours, theirs = (
        contenders.build_model(name, SIZES, 0.0, False).eval()
        for name in ("course", "pyg")
    )
    for mine, dropping in zip(ours.children(), theirs.children(), strict=True):
        other = dropping.layer.conv
        other.lin.weight.data = mine.weight.data.t()
        other.att_src.data = mine.att_src.data.unsqueeze(0)
        other.att_dst.data = mine.att_dst.data.unsqueeze(0)
    graph = small_graph()
    expected = theirs(*contenders._native("pyg", graph, graph.x))
    torch.testing.assert_close(ours(graph, graph.x), expected, atol=1e-5, rtol=1e-5)


def allocate(size):
    """A step that holds `size` bytes and touches all of them."""
    return lambda: torch.ones(size // 4).sum()


def die():
    raise SystemExit("no library here")


def test_memory_is_that_of_the_step_in_its_own_process():
    builders = {name: partial(allocate, size) for name, size in SIZES_IN_BYTES.items()}
    found = turns.measure_in_turns(builders, 2, 1)
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
        turns.measure_in_turns({"course": partial(allocate, 8), "edges": how}, 1, 1)
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
    assert record["machine"]["threads"] > 0
    printed = capsys.readouterr().out
    assert bench.table(entry).to_string() in printed
    assert bench.describe(record["machine"]) in printed


@pytest.mark.parametrize("build", ["+cpu", "+cu130", ""])
def test_the_build_of_torch_is_told_whatever_the_package_is_called(monkeypatch, build):
    # From PyPI comes a package "2.13.0" whose own version is "2.13.0+cu130".
    monkeypatch.setattr(torch, "__version__", f"2.13.0{build}")
    monkeypatch.setattr(bench.importlib.metadata, "version", lambda package: "2.13.0")
    about = bench.machine(1)
    assert about["versions"]["torch"] == f"2.13.0{build}"
    assert f"torch 2.13.0{build}\n" in bench.describe(about) + "\n"


def test_a_package_without_metadata_is_no_trouble(monkeypatch):
    def nowhere(package):
        raise bench.importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(bench.importlib.util, "find_spec", lambda package: True)
    monkeypatch.setattr(bench.importlib.metadata, "version", nowhere)
    assert bench.machine(1)["versions"]["dgl"] == "?"


@pytest.mark.parametrize("usable", [True, False])
def test_a_dgl_that_cannot_be_used_is_left_out(monkeypatch, usable):
    """`pip install dgl` brings one of 2018 where Python is 3.13."""
    monkeypatch.setattr(bench.importlib.util, "find_spec", lambda package: True)
    monkeypatch.setattr(contenders.dgl_compat, "has_dgl", lambda: usable)
    found = contenders.installed(contenders.NAMES)
    left_out = set() if usable else {"dgl", "dgl+"}
    assert found == [name for name in contenders.NAMES if name not in left_out]


@pytest.mark.parametrize(
    "status", [None, "", "VmRSS:\t 1 kB\n", "VmRSS:\t 1 kB\nVmHWM:\t ? kB\n"]
)
def test_where_the_system_does_not_tell_memory_the_rest_is_measured(
    monkeypatch, status
):
    def read(path, *_, **__):
        if status is None:
            raise FileNotFoundError(path)
        return status

    monkeypatch.setattr(measure.Path, "read_text", read)
    assert turns._peak_of_process(allocate(8)) is None
    found = {"seconds": 1.0, "fastest": 1.0, "slowest": 1.0, "bytes": None}
    entry = {"title": "t", "rounds": 1, "contenders": {"course": found}}
    assert bench.table(entry)["MB"].to_list() == ["?"]


def test_the_table_marks_times_whose_ranges_overlap():
    def took(fastest, slowest):
        times = {"fastest": fastest, "slowest": slowest}
        return times | {"seconds": (fastest + slowest) / 2, "bytes": 10**6}

    contenders = {"course": took(1, 3), "dgl": took(3, 5), "pyg": took(4, 6)}
    entry = {"title": "t", "rounds": 3, "contenders": contenders}
    assert bench.table(entry)["times"].to_list() == ["1.0", "2.0 ~", "2.5"]


def allocate_for(contender, size):
    return allocate(size)


@pytest.mark.parametrize("quick", [True, False])
def test_the_plan_covers_training_and_scaling(quick):
    titles = " ".join(row[0] for row in bench.plan(quick))
    for word in ("Cora", "Citeseer", "PPI", "edges"):
        assert word in titles
    for _, _, _, who, rounds in bench.plan(quick):
        assert who[0] == "course" and rounds >= 3
        assert set(who) <= set(contenders.NAMES)


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
