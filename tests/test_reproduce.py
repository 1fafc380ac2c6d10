"""`gat-course reproduce`: the paper's settings, resumption, and what is refused."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch

from gat_course import (
    MLP,
    DatasetUnavailable,
    GraphData,
    InductiveGAT,
    InductiveGCN,
    Tissues,
    catalogue,
    cli,
    datasets,
    fit_graphs,
    ppi,
    reproduce,
    synthetic_tissues,
)
from gat_course.experiments import papers
from gat_course.layers import UniformGATLayer
from gat_course.training import checkpoint as checkpoints
from gat_course.training import loop
from gat_course.training.record import GraphRun, Run, Runs
from gat_course.training.runs import run_seeds

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
    monkeypatch.setitem(papers._FIT, "max_epochs", EPOCHS)


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
    monkeypatch.setitem(reproduce.EXPERIMENTS[name].fit, "max_epochs", 1)
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
    citation = [n for n in reproduce.EXPERIMENTS if n != "ppi"]
    published = {n: reproduce.PUBLISHED[n]["gat"] for n in citation}
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
    graph = reproduce.EXPERIMENTS["cora"].load(None)
    assert torch.allclose(graph.x.sum(1), torch.ones(60))
    loops = graph.src == graph.dst
    assert sorted(graph.src[loops].tolist()) == list(range(60))


# ------------------------------------------------ runs, files, interruptions


def test_every_model_has_its_file_and_its_line(brief, tmp_path, capsys):
    arguments = ["reproduce", "cora", "--runs", "2", "--workers", "1", "--models"]
    arguments += [*reproduce.MODELS, "--folder", str(tmp_path)]
    assert cli.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()[2 : 2 + len(reproduce.MODELS)]
    for model, line in zip(reproduce.MODELS, lines, strict=True):
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
    table = reproduce.table("cora", results, tmp_path)
    assert table.columns.name == "Cora, test accuracy in %"
    lines = table.to_string().splitlines()
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
from gat_course import cli, datasets
from gat_course.experiments import papers
from test_reproduce import tiny

datasets.load = tiny
papers._FIT["max_epochs"] = {EPOCHS}
sys.exit(cli.main(sys.argv[1:]))
"""


def start(folder, runs, workers, name="cora", program=PROGRAM):
    arguments = ["reproduce", name, "--runs", runs, "--workers", workers]
    folders = [str(Path(cli.__file__).parents[1]), str(Path(__file__).parent)]
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments), "--folder", folder],
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


def interrupt(process, file):
    """Press Ctrl-C once two runs are in the file, and return what the command says."""
    try:
        wait_for_runs(process, file, 2)
        os.killpg(process.pid, signal.SIGINT)
        _, message = process.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert "same command goes on where it stopped" in message
    assert "Traceback" not in message
    return message


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_keeps_the_finished_runs_and_says_how_to_go_on(tmp_path, workers):
    folder = tmp_path / "stopped"
    interrupt(start(folder, 10_000, workers), folder / "cora-gat.json")
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


@pytest.mark.parametrize(
    ("changed", "version"),
    [
        ("python", "0.0.1"),
        ("torch", "0.0.1"),
        ("gat_course", "0.0.1"),
        # Another build of one version may round otherwise, so it is another one.
        ("torch", torch.__version__.partition("+")[0] + "+other"),
    ],
)
def test_runs_of_other_versions_are_not_mixed_in(
    brief, tmp_path, changed, version, capsys
):
    command = ["reproduce", "cora", "--runs", "1", "--workers", "1"]
    command += ["--folder", str(tmp_path)]
    assert cli.main(command) == 0
    path = tmp_path / "cora-gat.json"
    content = json.loads(path.read_text())
    content["about"]["versions"][changed] = version
    path.write_text(json.dumps(content))
    before = path.read_bytes()
    assert cli.main(command) == 2
    error = capsys.readouterr().err
    assert "another experiment: its versions differs" in error
    assert f"'{changed}': '{version}'" in error
    assert path.read_bytes() == before


def test_a_reproduction_is_not_mixed_with_runs_of_another_kind(brief, tmp_path):
    graph, path = reproduce.EXPERIMENTS["cora"].load(None), tmp_path / "cora-gat.json"
    gat = reproduce.EXPERIMENTS["cora"].models["gat"]
    make = partial(gat, graph.num_features, graph.num_classes)
    fit = {**papers._FIT, "progress": False}
    reproduce.reproduce("cora", 1, workers=1, folder=tmp_path, progress=False)
    with pytest.raises(ValueError, match="its experiment, versions differs"):
        run_seeds(make, graph, [1], threads=1, path=path, **fit)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "cara"}, "unknown data set 'cara'"),
        ({"runs": 0}, "at least 1"),
        ({"workers": 0}, "at least 1"),
        ({"models": ["gta"]}, "some of gat, .*uniform, gcn, mlp"),
        ({"models": []}, "some of gat"),
    ],
)
def test_reproduce_refuses_what_makes_no_sense(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        reproduce.reproduce(**{"name": "cora", "folder": tmp_path, **arguments})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--runs", "0", "at least 1"),
        ("--workers", "0", "at least 1"),
        ("--models", "gta", "models must be some of gat, "),
    ],
)
def test_the_command_refuses_it_in_one_line(option, value, message, capsys):
    assert cli.main(["reproduce", "cora", option, value]) == 2
    error = capsys.readouterr().err
    assert error.startswith("gat-course: ") and error.count("\n") == 1
    assert message in error


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["reproduce", "cara"],
        ["reproduce", "cora", "--models"],
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


@pytest.mark.parametrize("name", ["cora", "citeseer"])
@pytest.mark.parametrize("model", reproduce.MODELS)
def test_the_results_that_come_with_the_package_are_read(name, model):
    runs, about = reproduce.stored(name, model)
    assert len(runs) == 100 and [run.seed for run in runs] == list(range(100))
    assert about["experiment"].endswith("one thread for each run")


def test_a_file_of_runs_names_device_and_threads(brief, tmp_path):
    options = {"workers": 1, "folder": tmp_path, "progress": False}
    reproduce.reproduce("cora", 1, **options)
    path = tmp_path / "cora-gat.json"
    content = json.loads(path.read_text())
    assert (content["about"].pop("device"), content["about"].pop("threads")) == (
        "cpu",
        1,
    )
    path.write_text(json.dumps(content))  # as it was before they were noted
    assert len(reproduce.reproduce("cora", 1, **options)["gat"]) == 1
    with pytest.raises(ValueError, match="does not say on which device and threads"):
        reproduce.reproduce("cora", 2, **options)


def test_bench_is_handed_its_options(monkeypatch):
    calls = []

    class Stub:
        def main(quick, output):
            calls.append((quick, output))
            return 7

    monkeypatch.setattr("gat_course.experiments.bench", Stub)
    assert cli.main(["bench"]) == cli.main(["bench", "--quick", "--output", "x"]) == 7
    assert calls == [(False, None), (True, "x")]


# ------------------------------------------------ PPI

NAME = "small.zip, in PPI's form"


class Hurried(Tissues):
    """Tissues that let a worker process write a checkpoint after each epoch, too."""

    def __setstate__(self, state):
        self.__dict__.update(state)
        checkpoints.EVERY = 0


def few(root=None, fallback=None, labels="published"):
    """Five little graphs in place of PPI."""
    found = synthetic_tissues(num_graphs=(3, 1, 1), num_nodes=20)
    return Hurried(train=found.train, val=found.val, test=found.test, name=NAME)


SMALL = {
    "gat": partial(InductiveGAT, hidden=4, num_heads=2, out_heads=2),
    "uniform": partial(
        InductiveGAT, hidden=4, num_heads=2, out_heads=2, layer=UniformGATLayer
    ),
    "gcn": partial(InductiveGCN, hidden=8),
    "mlp": partial(MLP, hidden=8, dropout=0.0),
}
PROGRAM_PPI = """
import sys
from gat_course import cli, ppi
from gat_course.experiments import papers
from gat_course.training import checkpoint as checkpoints
from test_reproduce import SMALL, few

ppi.load_ppi = few
checkpoints.EVERY = 0
papers._PPI.update(SMALL)
papers._FIT_PPI["max_epochs"] = {}
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture
def in_place_of_ppi(monkeypatch):
    """Little graphs, of full width; a CPU, so that results repeat."""
    monkeypatch.setattr(ppi, "load_ppi", few)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def small_ppi(in_place_of_ppi, monkeypatch):
    for model, make in SMALL.items():
        monkeypatch.setitem(papers._PPI, model, make)
    monkeypatch.setitem(papers._FIT_PPI, "max_epochs", EPOCHS)


def results(folder, model="gat"):
    """What the file says, without what depends on the process that wrote it."""
    content = json.loads((Path(folder) / f"ppi-{model}.json").read_text())
    for run in content["runs"]:
        assert run.pop("seconds") > 0 and run.pop("peak_memory") > 0
    return content


PARAMETERS = {
    "gat": 50 * 1024 + 3 * 1024 + 1024**2 + 3 * 1024 + 1024 * 726 + 2 * 726 + 121,
    "uniform": 50 * 1024 + 3 * 1024 + 1024**2 + 3 * 1024 + 1024 * 726 + 2 * 726 + 121,
    "gcn": 50 * 1024 + 1024 + 1024**2 + 1024 + 1024 * 121 + 121,
    "mlp": 50 * 1024 + 1024 + 1024 * 121 + 121,
}


@pytest.mark.parametrize("model", reproduce.MODELS)
def test_the_settings_on_ppi_are_the_papers(
    model, in_place_of_ppi, tmp_path, monkeypatch
):
    assert reproduce.EXPERIMENTS["ppi"].fit["max_epochs"] == 10_000
    monkeypatch.setitem(papers._FIT_PPI, "max_epochs", 1)
    options = {"workers": 1, "folder": tmp_path, "progress": False}
    reproduce.reproduce("ppi", 1, [model], **options)
    about = results(tmp_path, model)["about"]
    assert about["options"] == {
        "lr": 0.005,
        "weight_decay": 0,
        "batch_size": 2,
        "patience": 100,
        "max_epochs": 1,
    }
    assert about["experiment"].startswith(f"{model} on ppi, features standardised, s")
    assert about["name"] == NAME
    assert set(about["versions"]) == {"python", "torch", "gat_course"}
    sizes = [torch.Size(s).numel() for s in about["parameters"].values()]
    assert sum(sizes) == PARAMETERS[model]
    layers = [line for line in about["model"].splitlines() if "(layer" in line]
    if model in ("gat", "uniform"):
        kind = {"gat": "FusedGATLayer", "uniform": "UniformGATLayer"}[model]
        assert [line.split("negative")[0] for line in layers] == [
            f"  (layer1): {kind}(50, 256, num_heads=4, merge='concat', ",
            f"  (layer2): {kind}(1024, 256, num_heads=4, merge='concat', ",
            f"  (layer3): {kind}(1024, 121, num_heads=6, merge='mean', ",
        ]
        residual = [line.split("residual=")[1] for line in layers]
        assert residual == ["False)", "True)", "False)"]
        assert all("feat_drop=0.0, attn_drop=0.0" in line for line in layers)
    if model == "mlp":
        assert "dropout=0.0" in about["model"]


def test_the_published_numbers_on_ppi_are_those_of_table_3():
    assert reproduce.PUBLISHED["ppi"] == {
        "gat": (0.973, 0.002),
        "uniform": (0.934, 0.006),  # Const-GAT
        "mlp": (0.422, None),
    }
    assert reproduce.PUBLISHED.keys() == reproduce.EXPERIMENTS.keys()
    for experiment in reproduce.EXPERIMENTS.values():
        assert set(reproduce.MODELS) <= set(experiment.models)
    assert tuple(reproduce.EXPERIMENTS["ppi"].models) == reproduce.MODELS


def test_the_graphs_get_self_loops(in_place_of_ppi):
    for graph in reproduce.EXPERIMENTS["ppi"].load(None).graphs:
        loops = graph.src == graph.dst
        assert sorted(graph.src[loops].tolist()) == list(range(graph.num_nodes))


def test_ppi_goes_to_a_gpu_where_there_is_one(in_place_of_ppi, monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(Tissues, "to", lambda self, device: asked.append(device))
    reproduce.EXPERIMENTS["ppi"].load(None)
    assert asked == ["cuda"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_ppi_on_a_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr(ppi, "load_ppi", few)
    monkeypatch.setitem(papers._FIT_PPI, "max_epochs", 5)
    options = {"folder": tmp_path, "progress": False}
    found = reproduce.reproduce("ppi", 3, reproduce.MODELS, **options)
    machine = results(tmp_path)["about"]["machine"]
    assert torch.cuda.get_device_name() in machine
    for runs in found.values():
        peaks = [run.peak_memory for run in runs]
        assert max(peaks) < 1.05 * min(peaks)  # earlier runs do not count


@pytest.mark.parametrize(
    ("name", "device", "expected"),
    [("cora", "cpu", 3), ("ppi", "cpu", 3), ("ppi", "cuda", 1)],
)
def test_workers_by_default(small_ppi, tmp_path, monkeypatch, name, device, expected):
    asked = []

    def no_training(make_model, data, seeds, *, workers, **options):
        asked.append(workers)
        return list(seeds)

    # No GPU is needed to be asked for.
    monkeypatch.setattr(Tissues, "device", torch.device(device))
    monkeypatch.setattr(Tissues, "to", lambda tissues, device: tissues)
    monkeypatch.setattr(reproduce, "run_seeds", no_training)
    monkeypatch.setattr(reproduce, "usable_cores", lambda: 3)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    reproduce.reproduce(name, 1, folder=tmp_path)
    assert asked == [expected]


@pytest.mark.parametrize(("name", "number"), [("cora", 100), ("ppi", 10)])
def test_runs_by_default_are_the_papers(
    name, number, small_ppi, tmp_path, monkeypatch, capsys
):
    def no_training(make_model, data, seeds, *, path, about, **options):
        assert list(seeds) == list(range(number))
        assert about["command"].endswith(f"--runs {number}")
        path.write_text(json.dumps({"about": about, "runs": []}))
        run = Run if name == "cora" else GraphRun
        return Runs(run(seed, 0.5, 0.5, 1, 0, 0.0) for seed in seeds)

    monkeypatch.setattr(reproduce, "run_seeds", no_training)
    assert cli.main(["reproduce", name, "--folder", str(tmp_path)]) == 0
    assert f" {number} " in capsys.readouterr().out


def test_the_help_tells_what_ppi_takes(capsys):
    with pytest.raises(SystemExit):
        cli.main(["reproduce", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "100, for ppi 10" in text and "1 on a GPU" in text
    assert "on a GPU where PyTorch sees one, else on the CPU" in text
    assert "table 2 or 3" in text
    names = [*reproduce.EXPERIMENTS, *catalogue.GRIDS]
    assert f"{{{','.join(names)}}}" in text


def test_ppi_has_a_file_and_a_line_for_each_model(small_ppi, tmp_path, capsys):
    arguments = ["reproduce", "ppi", "--runs", "2", "--workers", "1", "--models"]
    arguments += [*reproduce.MODELS, "--folder", str(tmp_path)]
    assert cli.main(arguments) == 0
    table, gaps = capsys.readouterr().out.split("\n\n")
    assert gaps.startswith("less gat (Welch) ") and len(gaps.splitlines()) == 5
    heads, model, *lines = table.splitlines()
    columns = "measured runs published minutes a run peak GB file"
    assert heads.split() == f"{NAME}, micro-F1 on the test graphs {columns}".split()
    assert model.strip() == "model"
    names = [f"ppi-{model}.json" for model in reproduce.MODELS]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for model, line in zip(reproduce.MODELS, lines, strict=True):
        assert line.startswith(model) and line.endswith(f"ppi-{model}.json")
        assert line.split()[4:6] == ["2", "–"]  # PPI's numbers are not this file's
        content = results(tmp_path, model)
        assert [run["seed"] for run in content["runs"]] == [0, 1]
        assert all(0 < run["test_f1"] <= 1 for run in content["runs"])
        assert content["about"]["machine"]


def graph_runs(*scores, **changes):
    common = {"val_f1": 0.5, "epochs": 9, "best_epoch": 3, **changes}
    return Runs(
        GraphRun(
            seed,
            test_f1,
            seconds=60.0 * (seed + 1),
            peak_memory=10**9 * (seed + 1),
            **common,
        )
        for seed, test_f1 in enumerate(scores)
    )


def test_the_table_of_ppi_shows_measured_published_time_and_memory():
    runs = graph_runs(0.970, 0.972, 0.977)
    lower = graph_runs(0.960, 0.962, 0.967)
    results = {"gat": runs, "uniform": lower, "gcn": graph_runs(*runs.scores)}
    results["mlp"] = Runs([replace(runs[0], peak_memory=None)])
    lines = reproduce.table("ppi", results, data="PPI").to_string().splitlines()
    assert lines[0].startswith("PPI, micro-F1 on the test graphs ")
    assert lines[0].endswith("peak GB")
    assert lines[2].split() == "gat 0.973 ± 0.004 3 0.973 ± 0.002 2.0 3.00".split()
    assert lines[3].split() == "uniform 0.963 ± 0.004 3 0.934 ± 0.006 2.0 3.00".split()
    assert lines[4].split() == "gcn 0.973 ± 0.004 3 – 2.0 3.00".split()
    assert lines[5].split() == "mlp 0.970 1 0.422 1.0 –".split()


def test_published_numbers_stand_beside_the_papers_network_alone():
    results = {"gat": graph_runs(0.970, 0.972, 0.977)}
    for plan, told in (("ppi", "0.973 ± 0.002"), (papers.on_ppi(width=64), "–")):
        table = reproduce.table(plan, results, data="PPI")
        assert table.loc["gat", "published"] == told


def test_the_gaps_are_differences_with_their_intervals():
    runs = {
        "uniform": graph_runs(0.960, 0.962, 0.967),
        "gat": graph_runs(0.970, 0.972, 0.977),
    }
    table = reproduce.gaps(runs)
    assert table.columns.name == "less gat (Welch)"
    *_, line = table.to_string().splitlines()
    assert line.split() == "uniform -0.0100 -0.0182 to -0.0018 lower".split()
    stored = {model: reproduce.stored("cora", model)[0] for model in ("gat", "gcn")}
    line = reproduce.gaps(stored, base="gcn").to_string().splitlines()[-1]
    assert line.split() == "gat +0.32 +0.14 to +0.51 higher".split()
    with pytest.raises(ValueError, match="base must be one of gat, gcn"):
        reproduce.gaps(stored, base="mlp")


def test_no_other_data_are_called_ppi_in_the_table(small_ppi, tmp_path, monkeypatch):
    options = {"workers": 1, "folder": tmp_path, "progress": False}
    found = reproduce.reproduce("ppi", 1, **options)
    title, _, line = reproduce.table("ppi", found, tmp_path).to_string().splitlines()
    assert title.startswith(f"{NAME}, ") and line.split()[3] == "–"
    with pytest.raises(ValueError, match="name of its data"):
        reproduce.table("ppi", found)
    other = partial(replace, few(), name="other.zip, in PPI's form")
    monkeypatch.setattr(ppi, "load_ppi", lambda root, labels: other())
    found |= reproduce.reproduce("ppi", 1, ["mlp"], **options)
    with pytest.raises(ValueError, match="not all of one data set"):
        reproduce.table("ppi", found, tmp_path)


def test_a_stored_result_of_ppi(small_ppi, tmp_path, monkeypatch):
    monkeypatch.setattr(reproduce, "STORED", tmp_path)
    with pytest.raises(FileNotFoundError, match="reproduce ppi --models gat"):
        reproduce.stored("ppi")
    options = {"workers": 1, "folder": tmp_path, "progress": False}
    made = reproduce.reproduce("ppi", 2, **options)["gat"]
    assert all(run.model is None for run in made)  # a GPU's memory stays free
    runs, about = reproduce.stored("ppi")
    assert runs.scores == made.scores and about["name"] == NAME


@pytest.mark.parametrize("split", papers.SPLITS)
def test_the_stored_results_on_ppis_graphs_are_whole(split):
    plan = papers.on_ppi("GO-2022", split, width=64, epochs=100)
    found = {model: reproduce.stored(plan, model) for model in reproduce.MODELS}
    hidden = split == "gene-disjoint"
    name = "PPI graphs, GO-2022 labels" + ", 20% of genes hidden" * hidden
    for model, (runs, about) in found.items():
        assert [run.seed for run in runs] == list(range(5))
        assert about["name"] == name and about["data"] == found["gat"][1]["data"]
        assert about["lookup"]["known"] == (0 if hidden else 5_490)
        for run in runs:
            assert (run.seen_f1 is not None) == hidden
            assert run.epochs == len(run.notes["val_f1"])
            assert run.val_f1 == pytest.approx(max(run.notes["val_f1"]), abs=1e-4)
            if model == "gat":
                assert [len(heads) for heads in run.notes["entropy"]] == [4, 4, 6]


@pytest.mark.parametrize("key", ["machine", "command"])
def test_another_machine_may_go_on(small_ppi, tmp_path, key):
    options = {"workers": 1, "folder": tmp_path, "progress": False}
    reproduce.reproduce("ppi", 1, **options)
    path = tmp_path / "ppi-gat.json"
    content = json.loads(path.read_text())
    here, content["about"][key] = content["about"][key], "another"
    path.write_text(json.dumps(content))
    reproduce.reproduce("ppi", 1, **options)
    assert json.loads(path.read_text())["about"][key] == "another"  # nothing to do
    assert len(reproduce.reproduce("ppi", 2, **options)["gat"]) == 2
    after = json.loads(path.read_text())
    assert after["about"][key].startswith(here.removesuffix("1"))
    assert after["runs"][0] == content["runs"][0]


def finished(folder):
    """The runs in the file, none if there is no file."""
    path = folder / "ppi-gat.json"
    return json.loads(path.read_text())["runs"] if path.exists() else []


def wait_for_checkpoint(process, folder, beyond=0):
    """Until a checkpoint is there that is younger than `beyond`, in ns."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        for path in folder.glob("*.checkpoint"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime_ns > beyond:
                    return
        time.sleep(0.005)
    raise AssertionError("the process makes no progress")


def test_killed_at_five_random_moments_ppi_loses_no_finished_run(
    small_ppi, tmp_path, monkeypatch
):
    total, folder = 60, tmp_path / "killed"
    monkeypatch.setitem(papers._FIT_PPI, "max_epochs", 20)
    program = PROGRAM_PPI.format(20)
    kept = [[]]
    for workers in (1, 2, 1, 2, 1):
        before = time.time_ns()
        process = start(folder, total, workers, "ppi", program)
        try:
            wait_for_checkpoint(process, folder, beyond=before)
            if workers == 2:
                wait_for_runs(process, folder / "ppi-gat.json", len(kept[-1]) + 1)
            time.sleep(random.uniform(0, 1))
        finally:
            running = process.poll() is None
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        assert running
        kept.append(finished(folder))
        assert all(run in kept[-1] for run in kept[-2])  # the seconds too
    assert 0 < len(kept[-1]) < total
    options = {"workers": 1, "progress": False}
    reproduce.reproduce("ppi", total, folder=folder, **options)
    reproduce.reproduce("ppi", total, folder=tmp_path / "whole", **options)
    assert results(folder) == results(tmp_path / "whole")
    assert all(run in finished(folder) for runs in kept for run in runs)
    assert [path.name for path in folder.iterdir()] == ["ppi-gat.json"]


def test_a_run_goes_on_within(small_ppi, tmp_path, monkeypatch):
    epochs, folder = 400, tmp_path / "killed"
    process = start(folder, 1, 1, "ppi", PROGRAM_PPI.format(epochs))
    checkpoint = folder / "ppi-gat-seed0.checkpoint"
    try:
        wait_for_checkpoint(process, folder)
        time.sleep(0.3)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert not (folder / "ppi-gat.json").exists()
    state = torch.load(checkpoint, weights_only=True)
    before = len(state["history"]["train_loss"])
    assert 1 < before < epochs
    monkeypatch.setitem(papers._FIT_PPI, "max_epochs", epochs)
    trained, one_epoch = [], loop.one_epoch
    monkeypatch.setattr(
        loop, "one_epoch", lambda *args: trained.append(1) or one_epoch(*args)
    )
    options = {"workers": 1, "progress": False}
    resumed = reproduce.reproduce("ppi", 1, folder=folder, **options)["gat"][0]
    assert len(trained) == resumed.epochs - before > 0
    whole = reproduce.reproduce("ppi", 1, folder=tmp_path / "whole", **options)
    assert results(folder) == results(tmp_path / "whole")
    assert resumed.history.train_loss == whole["gat"][0].history.train_loss
    assert resumed.seconds > state["history"]["seconds"]
    assert [path.name for path in folder.iterdir()] == ["ppi-gat.json"]


def checkpoint_of_seed_0(folder, monkeypatch):
    """A run that failed in its second epoch, after a checkpoint."""
    monkeypatch.setattr(checkpoints, "EVERY", 0)
    one_epoch = loop.one_epoch

    def fails(*args):
        raise RuntimeError("stop here")

    with monkeypatch.context() as patch:
        calls = iter([one_epoch, fails])
        patch.setattr(loop, "one_epoch", lambda *args: next(calls)(*args))
        with pytest.raises(RuntimeError, match="stop here"):
            reproduce.reproduce("ppi", 1, workers=1, folder=folder, progress=False)
    return folder / "ppi-gat-seed0.checkpoint"


def flipped(content):
    return content[:2000] + bytes([content[2000] ^ 1]) + content[2001:]


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    "damage",
    [lambda c: b"", lambda c: c[: len(c) // 2], lambda c: b"rubbish", flipped],
    ids=["empty", "cut", "other", "one bit"],
)
def test_a_damaged_checkpoint_is_told_of(
    damage, workers, small_ppi, tmp_path, monkeypatch, capsys
):
    path = checkpoint_of_seed_0(tmp_path, monkeypatch)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    command = ["reproduce", "ppi", "--runs", "1", "--workers", workers]
    command += ["--folder", str(tmp_path)]
    assert cli.main(command) == 2
    error = capsys.readouterr().err
    assert error.splitlines()[-1] == (
        f"gat-course: {path} is not a checkpoint, or a damaged one; move it away, and "
        "the run starts again from its beginning"
    )
    assert "Traceback" not in error
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == damaged
    path.unlink()
    assert cli.main(command) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": partial(SMALL["gat"], hidden=5)}, "its model, parameters differs"),
        ({"lr": 0.01}, "its options differs"),
        ({"data": 1}, "its data differs"),
        ({"version": "0.0.1"}, "its versions differs"),
        ({"max_epochs": 0}, "max_epochs"),
    ],
)
def test_the_checkpoint_of_another_training_is_refused(
    change, message, small_ppi, tmp_path, monkeypatch
):
    path = checkpoint_of_seed_0(tmp_path, monkeypatch)
    content = path.read_bytes()
    if "model" in change:
        monkeypatch.setitem(papers._PPI, "gat", change["model"])
    elif "data" in change:  # of the same sizes
        found = few()
        turned = [replace(graph, y=1 - graph.y) for graph in found.train]
        other = replace(found, train=turned)
        monkeypatch.setattr(ppi, "load_ppi", lambda root, labels: other)
    elif "version" in change:
        monkeypatch.setattr(checkpoints, "__version__", change["version"])
    else:
        (key, value), *_ = change.items()
        monkeypatch.setitem(papers._FIT_PPI, key, value)
    with pytest.raises(ValueError, match=message):
        reproduce.reproduce("ppi", 1, workers=1, folder=tmp_path, progress=False)
    assert path.read_bytes() == content


def test_a_checkpoint_beyond_the_last_epoch_is_refused(
    small_ppi, tmp_path, monkeypatch
):
    data = few()
    monkeypatch.setattr(checkpoints, "EVERY", 0)
    options = {"checkpoint": tmp_path / "a.checkpoint", "progress": False}
    fit_graphs(SMALL["gat"](50, 121), data, max_epochs=3, **options)
    with pytest.raises(ValueError, match="already at epoch 3, beyond max_epochs = 2"):
        fit_graphs(SMALL["gat"](50, 121), data, max_epochs=2, **options)


def test_what_a_killed_process_left_is_cleared_and_no_result(small_ppi, tmp_path):
    options = {"workers": 1, "folder": tmp_path, "progress": False}
    reproduce.reproduce("ppi", 1, **options)
    left = ["ppi-gat.json.1.tmp", "ppi-gat-seed0.checkpoint"]
    left += [f"ppi-gat-seed{seed}.checkpoint.1.tmp" for seed in (0, 1)]
    for name in left:
        (tmp_path / name).write_text("half")
    others = ["ppi-mlp.json.1.tmp", "ppi-gat-seed7.checkpoint"]
    for name in others:
        (tmp_path / name).write_text("of another run")
    assert len(reproduce.reproduce("ppi", 2, **options)["gat"]) == 2
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted([*others, "ppi-gat.json"])


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_on_ppi(tmp_path, workers):
    folder = tmp_path / "stopped"
    process = start(folder, 10_000, workers, "ppi", PROGRAM_PPI.format(EPOCHS))
    message = interrupt(process, folder / "ppi-gat.json")
    assert "last checkpoint: at most half a minute" in message
    assert len(finished(folder)) >= 2


def workers_of(process):
    workers = []
    for child in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):  # it ended in this moment
            if "popen_loky" in " ".join(child.cmdline()):
                workers.append(child.pid)
    return workers


def is_alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_workers_end_with_the_command_that_is_killed(tmp_path):
    folder = tmp_path / "killed"
    endless = f"{10**6}; papers._FIT_PPI['patience'] = None"
    process = start(folder, 2, 2, "ppi", PROGRAM_PPI.format(endless))
    try:
        wait_for_checkpoint(process, folder)
        workers = workers_of(process)
        os.kill(process.pid, signal.SIGKILL)  # as a reader does: not the whole group
        process.wait(timeout=60)
        deadline = time.monotonic() + 60
        while alive := list(filter(is_alive, workers)):
            assert time.monotonic() < deadline, f"{alive} train on"
            time.sleep(0.1)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert len(workers) == 2


def test_a_killed_worker_is_told_of_in_one_line(tmp_path):
    folder = tmp_path / "killed"
    process = start(folder, 10_000, 2, "ppi", PROGRAM_PPI.format(EPOCHS))
    try:
        wait_for_runs(process, folder / "ppi-gat.json", 2)
        os.kill(workers_of(process)[0], signal.SIGKILL)
        _, message = process.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 2
    lines = [line for line in message.splitlines() if line.startswith("gat-course:")]
    assert len(lines) == 1 and "the same command goes on" in lines[0]
    assert "Traceback" not in message
    assert len(finished(folder)) >= 2


def test_missing_ppi_is_told_of_and_not_replaced(monkeypatch, tmp_path, capsys):
    def nowhere(root=None, fallback=None, labels=None):
        assert fallback is None and labels == "published"
        raise DatasetUnavailable("PPI cannot be had.\nTried:\n - all")

    monkeypatch.setattr(ppi, "load_ppi", nowhere)
    assert cli.main(["reproduce", "ppi", "--folder", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "GAT_COURSE_DATA" in error and "ppi.zip" in error
    assert error.count("\n") == 1 and "synthetic" not in error
    assert list(tmp_path.iterdir()) == []


def test_missing_later_labels_are_told_of(monkeypatch, tmp_path, capsys):
    arguments = "reproduce ppi --labels GO-2022 --folder".split()
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache")
    assert cli.main([*arguments, str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "ppi_go2022.zip and ppi_structure_features.npz into FOLDER/ppi" in error
    assert error.count("\n") == 1 and "synthetic" not in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "PPI"}, "unknown data set 'PPI'; use cora, citeseer, pubmed, ppi"),
        ({"models": ["gta"]}, "some of gat, uniform, gcn, mlp"),
        ({"runs": 0}, "at least 1"),
        ({"workers": 0}, "at least 1"),
    ],
)
def test_ppi_refuses_what_makes_no_sense(arguments, message, small_ppi, tmp_path):
    with pytest.raises(ValueError, match=message):
        reproduce.reproduce(**{"name": "ppi", "folder": tmp_path, **arguments})
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------ PPI otherwise than in the paper


def test_other_experiments_on_ppi_differ_in_what_is_asked_for(in_place_of_ppi):
    same = papers.on_ppi()
    assert same.models is papers._PPI and same.fit is papers._FIT_PPI
    assert (same.name, same.options) == ("ppi", "")
    other = papers.on_ppi("GO-2022", "gene-disjoint", width=8, epochs=7)
    assert other.name == "ppi-go-2022-gene-disjoint-8"
    asked = "--labels GO-2022 --split gene-disjoint --width 8 --epochs 7"
    assert other.options == f" {asked}"
    assert other.fit == papers._FIT_PPI | {"max_epochs": 7}
    gat = other.models["gat"](50, 121)
    sizes = [(gat.layer1.out_features, gat.layer1.num_heads), gat.layer3.num_heads]
    assert sizes == [(8, 4), 6]
    assert isinstance(other.models["uniform"](50, 121).layer1, UniformGATLayer)
    assert other.models["gcn"](50, 121).layer1.weight.shape == (50, 32)
    assert other.models["mlp"](50, 121).layer1.out_features == 32


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"labels": "2022"}, "labels must be one of .*'GO-2022'.*got '2022'"),
        ({"split": "genes"}, "split must be one of .*'gene-disjoint'.*got 'genes'"),
        ({"width": 0}, "width and epochs must be at least 1, got 0, None"),
        ({"epochs": 0}, "width and epochs must be at least 1, got 256, 0"),
    ],
)
def test_other_experiments_on_ppi_that_make_no_sense(asked, message):
    with pytest.raises(ValueError, match=message):
        papers.on_ppi(**asked)


@pytest.mark.parametrize("genes_known", [True, False])
def test_hidden_genes_are_hidden(in_place_of_ppi, monkeypatch, genes_known):
    found = few()
    numbers = [torch.arange(graph.num_nodes) // 2 for graph in found.graphs]
    if genes_known:
        given = replace(found, genes=numbers)
        monkeypatch.setattr(ppi, "load_ppi", lambda root, labels: given)
    data = papers.on_ppi(split="gene-disjoint").load(None)
    assert data.name == f"{NAME}, 20% of genes hidden"
    assert all(int((g.src == g.dst).sum()) == g.num_nodes for g in data.graphs)
    if not genes_known:  # no two rows are equal here: each node is a gene
        numbers = list(
            torch.arange(sum(map(len, numbers))).split(list(map(len, numbers)))
        )
    roles = {}
    for graph, gene in zip(data.graphs, numbers, strict=True):
        masks = torch.stack([graph.train_mask, graph.val_mask, graph.test_mask])
        for number, role in zip(gene.tolist(), masks.t().tolist(), strict=True):
            if any(role):
                assert roles.setdefault(number, role) == role
    hidden = sum(not role[0] for role in roles.values())
    assert hidden == round(0.2 * len({n for gene in numbers for n in gene.tolist()}))


@pytest.fixture
def with_genes(in_place_of_ppi, monkeypatch):
    """The little graphs with a few genes that are in all of them."""
    found = few()
    numbers = [torch.arange(graph.num_nodes) // 2 for graph in found.graphs]
    found = replace(found, genes=numbers)
    monkeypatch.setattr(ppi, "load_ppi", lambda root, labels: found)


def test_the_command_runs_another_experiment_and_goes_on(with_genes, tmp_path, capsys):
    arguments = "reproduce ppi --split gene-disjoint --width 2 --epochs 2".split()
    arguments += ["--workers", "1", "--folder", str(tmp_path), "--models", "gat", "mlp"]
    assert cli.main([*arguments, "--runs", "1"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[-1].startswith(
        "a table 'gene: its labels', without learning: micro-F1"
    )
    assert "it knows 0 of " in table[-1]
    assert "measured of seen genes runs" in " ".join(table[0].split())
    files = {path.name: json.loads(path.read_text()) for path in tmp_path.iterdir()}
    assert files.keys() == {f"ppi-gene-disjoint-2-{m}.json" for m in ("gat", "mlp")}
    about = files["ppi-gene-disjoint-2-gat.json"]["about"]
    assert about["options"]["max_epochs"] == 2
    command = "gat-course reproduce ppi --split gene-disjoint --width 2 --epochs 2"
    assert about["command"] == f"{command} --models gat --runs 1"
    assert "20% of the genes hidden" in about["experiment"]
    assert cli.main([*arguments, "--runs", "2"]) == 0
    for name, before in files.items():
        runs = json.loads((tmp_path / name).read_text())["runs"]
        assert runs[0] == before["runs"][0] and len(runs) == 2


def test_what_is_noted_of_a_run_is_what_the_model_shows(with_genes, tmp_path):
    plan = papers.on_ppi(split="gene-disjoint", width=2, epochs=3)
    options = {"folder": tmp_path, "workers": 1, "progress": False}
    found = reproduce.reproduce(plan, 1, ["gat", "uniform", "gcn"], **options)
    data = plan.load(None)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = plan.models["gat"](data.num_features, data.num_labels)
    history = fit_graphs(model, data, **plan.fit, progress=False)
    notes = found["gat"][0].notes
    assert notes["val_f1"] == pytest.approx(history.val_f1, abs=5e-5)
    assert notes["val_seen_f1"] == pytest.approx(history.val_seen_f1, abs=5e-5)
    # Independent: node by node, from the definition.
    (graph,) = data.test
    with torch.no_grad():
        _, alphas = model(graph, graph.x, return_attention=True)
    for layer, alpha in enumerate(alphas):
        for head in range(alpha.shape[1]):
            relative = []
            for node in range(graph.num_nodes):
                a = alpha[graph.dst == node, head].double()
                if len(a) > 1:
                    entropy = torch.distributions.Categorical(a).entropy()
                    relative.append(float(entropy / torch.tensor(len(a)).log()))
            noted = notes["entropy"][layer][head]
            assert noted == pytest.approx(sum(relative) / len(relative), abs=1e-4)
            quantiles = notes["entropy_quantiles"][layer][head]
            assert len(quantiles) == 50 and quantiles == sorted(quantiles)
            middle = float(torch.tensor(relative).double().quantile(0.51))
            assert quantiles[25] == pytest.approx(middle, abs=1e-3)
    flat = found["uniform"][0].notes["entropy"]
    assert [v for layer in flat for v in layer] == pytest.approx([1] * 14, abs=1e-3)
    assert set(found["gcn"][0].notes) == {"val_f1", "val_seen_f1"}


@pytest.mark.parametrize("option", ["--width=8", "--labels=GO-2022", "--epochs=3"])
def test_options_of_ppi_are_refused_elsewhere(option, tmp_path, capsys):
    assert cli.main(["reproduce", "cora", option, "--folder", str(tmp_path)]) == 2
    name = option.split("=")[0]
    assert f"{name}: for ppi alone, not cora" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
