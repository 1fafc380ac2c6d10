"""`gat-course reproduce`: the paper's settings, resumption, and what is refused."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import torch

from gat_course import GraphData, cli, datasets, reproduce, training
from gat_course.training import Run, Runs

EPOCHS = 60


def tiny(name, root=None):
    """A tiny graph in place of a data set."""
    generator = torch.Generator().manual_seed(0)
    src, dst = torch.randint(0, 60, (2, 150), generator=generator)
    x = torch.rand(60, 12, generator=generator)
    y, index = torch.arange(60) % 3, torch.arange(60)
    x[index, y] += 1
    masks = {"train_mask": index < 20, "val_mask": index // 20 == 1}
    masks["test_mask"] = index >= 40
    return GraphData.from_edges(src, dst, undirected=True, x=x, y=y, name=name, **masks)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.delenv("GAT_COURSE_DATA", raising=False)
    monkeypatch.setattr(datasets, "load", tiny)


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setitem(reproduce._FIT, "max_epochs", EPOCHS)


def without_seconds(folder, file="cora-gat.json"):
    content = json.loads((Path(folder) / file).read_text())
    for run in content["runs"]:
        assert run.pop("seconds") > 0
    return content


# ------------------------------------------------ the paper's experiments


@pytest.mark.parametrize(
    ("name", "heads", "lr", "weight_decay", "parameters"),
    [
        ("cora", 1, 0.005, 5e-4, 12 * 64 + 3 * 64 + 64 * 3 + 3 * 3),
        ("citeseer", 1, 0.005, 5e-4, 12 * 64 + 3 * 64 + 64 * 3 + 3 * 3),
        ("pubmed", 8, 0.01, 1e-3, 12 * 64 + 3 * 64 + 64 * 24 + 2 * 24 + 3),
    ],
)
def test_the_settings_are_the_papers(
    name, heads, lr, weight_decay, parameters, tmp_path, monkeypatch
):
    monkeypatch.setitem(reproduce.EXPERIMENTS[name][1], "max_epochs", 1)
    reproduce.reproduce(name, 1, workers=1, folder=tmp_path, progress=False)
    about = without_seconds(tmp_path, f"{name}-gat.json")["about"]
    assert about["options"] == {
        "lr": lr,
        "weight_decay": weight_decay,
        "patience": 100,
        "max_epochs": 1,
    }
    first, second = [line for line in about["model"].splitlines() if "layer" in line]
    assert "(12, 8, num_heads=8, merge='concat', negative_slope=0.2" in first
    assert f"(64, 3, num_heads={heads}, merge='mean', negative_slope=0.2" in second
    for layer in (first, second):
        assert "feat_drop=0.6, attn_drop=0.6, residual=False" in layer
    sizes = [torch.Size(s).numel() for s in about["parameters"].values()]
    assert sum(sizes) == parameters


def test_the_published_numbers_are_those_of_table_2():
    published = {n: reproduce.PUBLISHED[n]["gat"] for n in reproduce.EXPERIMENTS}
    assert published == {
        "cora": (83.0, 0.7),
        "citeseer": (72.5, 0.7),
        "pubmed": (79.0, 0.3),
    }
    assert [reproduce.PUBLISHED[n]["gcn"] for n in published] == [
        (81.4, 0.5),
        (70.9, 0.5),
        (79.0, 0.3),
    ]
    assert [reproduce.PUBLISHED[n]["mlp"][0] for n in published] == [55.1, 46.5, 71.4]


def test_the_data_are_prepared_as_in_the_paper():
    graph = reproduce._load("cora", None)
    assert torch.allclose(graph.x.sum(1), torch.ones(60))
    loops = graph.src == graph.dst
    assert sorted(graph.src[loops].tolist()) == list(range(60))


# ------------------------------------------------ runs, files, interruptions


def test_every_model_has_its_file_and_its_line(brief, tmp_path, capsys):
    arguments = ["reproduce", "cora", "--runs", "2", "--workers", "1", "--models"]
    arguments += [*reproduce.MODELS, "--folder", str(tmp_path)]
    assert cli.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(reproduce.MODELS)
    for model, line in zip(reproduce.MODELS, lines[2:], strict=True):
        assert line.startswith(model) and line.endswith(f"cora-{model}.json")
        content = without_seconds(tmp_path, f"cora-{model}.json")
        assert [run["seed"] for run in content["runs"]] == [0, 1]
        about = content["about"]
        assert set(about["versions"]) == {"python", "torch", "gat_course"}
        assert about["command"] == (
            f"gat-course reproduce cora --models {model} --runs 2"
        )
        assert len(about["data"]) == 64


def test_the_table_shows_measured_and_published(tmp_path):
    runs = Runs(Run(i, a, 0, 1, 0, 0.0) for i, a in enumerate([80.0, 82.0, 87.0]))
    results = {"gat": runs, "uniform": runs, "mlp": Runs(runs[:1])}
    lines = reproduce.table("cora", results, tmp_path).splitlines()
    assert lines[2].split()[:8] == "gat 83.0 ± 3.6 3 83.0 ± 0.7".split()
    assert lines[3].split()[:6] == "uniform 83.0 ± 3.6 3 –".split()
    assert lines[4].split()[:4] == "mlp 80.0 1 55.1".split()


def test_runs_do_not_depend_on_workers_and_threads_come_back(brief, tmp_path):
    before, losses = torch.get_num_threads(), []
    try:
        for workers, threads in ((1, 2), (2, 3)):
            torch.set_num_threads(threads)
            folder = tmp_path / str(workers)
            options = {"folder": folder, "workers": workers, "progress": False}
            found = reproduce.reproduce("cora", 4, **options)["gat"]
            assert torch.get_num_threads() == threads
            losses.append([run.history.val_loss for run in found])
    finally:
        torch.set_num_threads(before)
    assert losses[0] == losses[1]
    assert without_seconds(tmp_path / "1") == without_seconds(tmp_path / "2")


# The command on the tiny graph, as a program that can be killed.
PROGRAM = f"""
import sys
from gat_course import cli, datasets, reproduce
from test_reproduce import tiny

datasets.load = tiny
reproduce._FIT["max_epochs"] = {EPOCHS}
sys.exit(cli.main(sys.argv[1:]))
"""


def start(folder, runs, workers):
    arguments = ["reproduce", "cora", "--runs", runs, "--workers", workers]
    folders = [str(Path(cli.__file__).parents[1]), str(Path(__file__).parent)]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments), "--folder", folder],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a signal then reaches the workers as well
        # Tests that run in the background may have inherited a deaf ear for Ctrl-C.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def wait_for_runs(process, file, number):
    """Until the file holds so many runs, or the process is at its end."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return
        if file.exists() and len(json.loads(file.read_text())["runs"]) >= number:
            return
        time.sleep(0.01)
    raise AssertionError("the process makes no progress")


def test_killed_twice_and_resumed_gives_what_one_command_gives(brief, tmp_path):
    total, folder = 40, tmp_path / "killed"
    kept = [[]]
    for workers in (1, 2):
        process = start(folder, total, workers)
        wait_for_runs(process, folder / "cora-gat.json", len(kept[-1]) + 2)
        time.sleep(random.uniform(0, 0.1))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        kept.append(json.loads((folder / "cora-gat.json").read_text())["runs"])
    assert 2 <= len(kept[1]) < len(kept[2]) < total
    options = {"workers": 1, "progress": False}
    reproduce.reproduce("cora", total, folder=folder, **options)
    reproduce.reproduce("cora", total, folder=tmp_path / "whole", **options)
    assert without_seconds(folder) == without_seconds(tmp_path / "whole")
    final = json.loads((folder / "cora-gat.json").read_text())["runs"]
    for runs in kept:  # the seconds too: no finished run was repeated
        assert all(run in final for run in runs)


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_keeps_the_finished_runs_and_says_how_to_go_on(tmp_path, workers):
    folder = tmp_path / "stopped"
    process = start(folder, 10_000, workers)
    wait_for_runs(process, folder / "cora-gat.json", 2)
    os.killpg(process.pid, signal.SIGINT)
    try:
        _, message = process.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert "same command goes on where it stopped" in message
    assert "Traceback" not in message
    assert len(without_seconds(folder)["runs"]) >= 2


def test_more_runs_are_added_to_those_of_a_smaller_number(brief, tmp_path):
    options = {"folder": tmp_path, "workers": 1, "progress": False}
    two = reproduce.reproduce("cora", 2, **options)["gat"]
    four = reproduce.reproduce("cora", 4, **options)["gat"]
    assert [run.history is None for run in four] == [True, True, False, False]
    assert four.test_accuracies[:2] == two.test_accuracies
    again = reproduce.reproduce("cora", 2, **options)["gat"]
    assert again.test_accuracies == two.test_accuracies
    content = without_seconds(tmp_path)
    assert len(content["runs"]) == 4
    assert content["about"]["command"].endswith("--runs 4")


def test_the_progress_bar_counts_the_runs_that_were_found(brief, tmp_path, monkeypatch):
    import tqdm

    shown = []

    class Bar(tqdm.tqdm):
        def __init__(self, *args, **options):
            shown.append((options.get("initial"), options.get("total")))
            super().__init__(*args, **options)

    options = {"folder": tmp_path, "workers": 1, "progress": False}
    reproduce.reproduce("cora", 1, **options)
    monkeypatch.setattr(tqdm, "tqdm", Bar)
    reproduce.reproduce("cora", 3, **options)
    assert shown[0] == (1, 3)


# ------------------------------------------------ what is refused


@pytest.mark.parametrize("changed", ["python", "torch", "gat_course"])
def test_runs_of_other_versions_are_not_mixed_in(brief, tmp_path, changed, capsys):
    command = ["reproduce", "cora", "--runs", "1", "--workers", "1"]
    command += ["--folder", str(tmp_path)]
    assert cli.main(command) == 0
    path = tmp_path / "cora-gat.json"
    content = json.loads(path.read_text())
    content["about"]["versions"][changed] = "0.0.1"
    path.write_text(json.dumps(content))
    before = path.read_bytes()
    assert cli.main(command) == 2
    error = capsys.readouterr().err
    assert "another experiment: its versions differs" in error
    assert f"'{changed}': '0.0.1'" in error
    assert path.read_bytes() == before


def test_a_reproduction_is_not_mixed_with_runs_of_another_kind(brief, tmp_path):
    graph, path = reproduce._load("cora", None), tmp_path / "cora-gat.json"
    make = reproduce._make_model("cora", "gat", graph)
    fit = {**reproduce._FIT, "progress": False}
    reproduce.reproduce("cora", 1, workers=1, folder=tmp_path, progress=False)
    with pytest.raises(ValueError, match="its experiment, versions differs"):
        training.run_seeds(make, graph, [1], path=path, **fit)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "cara"}, "unknown data set 'cara'"),
        ({"runs": 0}, "at least 1"),
        ({"workers": 0}, "at least 1"),
        ({"models": ["gta"]}, "some of gat, uniform, gcn, mlp"),
        ({"models": []}, "some of gat"),
    ],
)
def test_reproduce_refuses_what_makes_no_sense(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        reproduce.reproduce(**{"name": "cora", "folder": tmp_path, **arguments})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--runs", "--workers"])
def test_the_command_refuses_it_in_one_line(option, capsys):
    assert cli.main(["reproduce", "cora", option, "0"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("gat-course: ") and error.count("\n") == 1
    assert "at least 1" in error


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["reproduce", "cara"],
        ["reproduce", "cora", "--models", "gta"],
        ["reproduce", "cora", "--runs", "many"],
    ],
)
def test_unknown_arguments_end_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert "usage: gat-course" in capsys.readouterr().err


def test_missing_data_are_told_of_and_not_replaced(monkeypatch, tmp_path, capsys):
    def nowhere(name, root=None):
        raise datasets.DatasetUnavailable("Pubmed cannot be had.\nTried:\n - all")

    monkeypatch.setattr(datasets, "load", nowhere)
    assert cli.main(["reproduce", "pubmed", "--folder", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "GAT_COURSE_DATA" in error and "ind.pubmed.x" in error
    assert error.count("\n") == 1 and "synthetic" not in error
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------ stored results, other commands


def test_a_stored_result_is_read_with_what_it_says(brief, tmp_path, monkeypatch):
    monkeypatch.setattr(reproduce, "STORED", tmp_path)
    with pytest.raises(FileNotFoundError, match="gat-course reproduce cora"):
        reproduce.stored("cora")
    options = {"workers": 1, "folder": tmp_path, "progress": False}
    made = reproduce.reproduce("cora", 2, **options)["gat"]
    runs, about = reproduce.stored("cora", "gat")
    assert runs.test_accuracies == made.test_accuracies
    assert about["versions"]["torch"] == torch.__version__
    with pytest.raises(ValueError, match="unknown data set"):
        reproduce.stored("cara")


def test_bench_is_handed_its_options(monkeypatch):
    calls = []

    class Stub:
        def main(quick, output):
            calls.append((quick, output))
            return 7

    monkeypatch.setitem(sys.modules, "gat_course.bench", Stub)
    monkeypatch.setattr("gat_course.bench", Stub, raising=False)
    assert cli.main(["bench"]) == cli.main(["bench", "--quick", "--output", "x"]) == 7
    assert calls == [(False, None), (True, "x")]
