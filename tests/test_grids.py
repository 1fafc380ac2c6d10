"""Grids: every combination once, kept at once, and gone on with after anything."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from gat_course import catalogue, cli
from gat_course.experiments import grids
from gat_course.experiments.grids import Grid, run_grid

QUIET = {"progress": False}


def measure(a, b, seed):
    return {"sum": a + b + seed, "drawn": torch.rand(()).item()}


def grid(**changes):
    given = {
        "name": "small",
        "axes": {"a": [1, 2], "b": [10, 20], "seed": range(3)},
        "measure": measure,
        "about": "a sum",
    }
    return Grid(**given | changes)


def test_every_combination_once_in_order(tmp_path):
    table = run_grid(grid(), tmp_path, **QUIET)
    expected = [(a, b, s) for a in (1, 2) for b in (10, 20) for s in range(3)]
    assert list(zip(table.a, table.b, table.seed, strict=True)) == expected
    assert (table["sum"] == table.a + table.b + table.seed).all()
    content = json.loads((tmp_path / "small.json").read_text())
    assert content["about"]["command"] == "gat-course reproduce small"
    assert len(content["runs"]) == 12


def test_a_run_depends_on_its_settings_alone(tmp_path):
    one = run_grid(grid(), tmp_path / "one", **QUIET)
    two = run_grid(grid(), tmp_path / "two", workers=2, **QUIET)
    assert one.equals(two)


def test_what_makes_no_sense_is_left_out(tmp_path):
    wanted = grid(wanted=lambda s: s["a"] == 1 or s["b"] == 20)
    assert len(run_grid(wanted, tmp_path, **QUIET)) == 9


def test_it_goes_on_where_it_stopped(tmp_path):
    calls = []

    def failing(a, b, seed):
        calls.append((a, b, seed))
        if len(calls) == 5:
            raise RuntimeError("no more")
        return {"sum": a + b + seed, "drawn": 0}

    with pytest.raises(RuntimeError, match="no more"):
        run_grid(grid(measure=failing), tmp_path, **QUIET)
    kept = json.loads((tmp_path / "small.json").read_text())["runs"]
    assert len(kept) == 4
    table = run_grid(grid(measure=failing), tmp_path, **QUIET)
    assert len(table) == 12 and len(calls) == 5 + 8
    bigger = grid(axes={"a": [1, 2], "b": [10, 20], "seed": range(4)}, measure=failing)
    assert len(run_grid(bigger, tmp_path, **QUIET)) == 16
    assert len(calls) == 5 + 8 + 4


def test_nan_is_told_and_not_kept(tmp_path):
    def odd(a, b, seed):
        return {"sum": float("nan") if seed == 2 else 0.0}

    with pytest.raises(FloatingPointError, match="small with .*'seed': 2.* gave"):
        run_grid(grid(measure=odd), tmp_path, **QUIET)
    runs = json.loads((tmp_path / "small.json").read_text())["runs"]
    # The others are there; the odd ones are tried again.
    assert [run["seed"] for run in runs] == [0, 1] * 4
    calls = []

    def mended(a, b, seed):
        calls.append(seed)
        return {"sum": 0.0}

    assert len(run_grid(grid(measure=mended), tmp_path, **QUIET)) == 12
    assert calls == [2] * 4


@pytest.mark.parametrize(
    "content", ["", "[]", '{"about": {}, "runs": [{}]}', '{"about": {}, "runs": []}']
)
def test_another_file_is_left_alone(tmp_path, content):
    path = tmp_path / "small.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="another experiment|not a file of this"):
        run_grid(grid(), tmp_path, **QUIET)
    assert path.read_text() == content
    with pytest.raises(ValueError, match="workers must be at least 1"):
        run_grid(grid(), tmp_path, workers=0)


def test_stored_results(tmp_path, monkeypatch):
    monkeypatch.setattr(grids, "STORED", tmp_path)
    with pytest.raises(FileNotFoundError, match="gat-course reproduce small"):
        grids.stored(grid())
    made = run_grid(grid(), tmp_path, **QUIET)
    assert grids.stored(grid()).equals(made)
    more = grid(axes={"a": [1, 2, 3], "b": [10, 20], "seed": range(3)})
    with pytest.raises(ValueError, match="lacks 6 runs"):
        grids.stored(more)


PROGRAM = """
import time
from gat_course.experiments.grids import Grid, run_grid

def slow(seed):
    time.sleep(0.3)
    return {"twice": 2 * seed}

run_grid(Grid("slow", {"seed": range(8)}, slow, "waiting"), FOLDER, workers=WORKERS)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_it_loses_no_finished_run(tmp_path, workers):
    program = PROGRAM.replace("FOLDER", repr(str(tmp_path)))
    program = program.replace("WORKERS", str(workers))
    path = tmp_path / "slow.json"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not path.exists() or len(json.loads(path.read_text())["runs"]) < 2:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = json.loads(path.read_text())["runs"]
    assert 2 <= len(kept) < 8
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert done.returncode == 0, done.stderr
    runs = json.loads(path.read_text())["runs"]
    assert [run["seed"] for run in runs] == list(range(8))
    assert all(run in runs for run in kept)
    assert [p.name for p in tmp_path.iterdir()] == ["slow.json"]


def test_the_command_makes_a_grid(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(catalogue.GRIDS, "explain", grid(name="explain"))
    command = ["reproduce", "explain", "--folder", str(tmp_path), "--workers", "1"]
    for option in ("--runs", "--width", "--epochs"):
        assert cli.main([*command, option, "3"]) == 2
        assert f"{option}: not for explain" in capsys.readouterr().err
    assert cli.main([*command, "--as", "published-code"]) == 2
    assert "--as: not for explain" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert cli.main(command) == 0
    out = capsys.readouterr().out
    assert "a sum: mean and standard deviation over seeds" in out
    assert len(json.loads((tmp_path / "explain.json").read_text())["runs"]) == 12
    assert cli.main([*command, "--workers", "0"]) == 2
    assert "workers must be at least 1" in capsys.readouterr().err


def test_what_is_not_installed_is_one_line(monkeypatch, capsys, tmp_path):
    def lacking(a, b, seed):
        raise ImportError("molecules need RDKit")

    monkeypatch.setitem(catalogue.GRIDS, "esol", grid(name="esol", measure=lacking))
    folder = ["--folder", str(tmp_path), "--workers", "1"]
    assert cli.main(["reproduce", "esol", *folder]) == 2
    assert "gat-course: molecules need RDKit\n" in capsys.readouterr().err
