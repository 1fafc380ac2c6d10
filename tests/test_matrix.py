"""`make matrix`: its cells, how it goes on after a stop, and the page it writes."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import pytest
import yaml

from tools import book, cells, matrix, status
from tools.book import ROOT
from tools.cells import CANNOT, CELLS, FAILED, PASSED, Cell

PATIENCE = 600  # seconds; for a slow machine, not a measure
NOW = "0123"
OLDEST_DGL = Cell("3.10", "oldest", True)
NEWEST = Cell("3.13", "newest", False)


def result(outcome=PASSED, inputs=NOW, **more) -> dict:
    counts = {"passed": 12, "failed": int(outcome == FAILED), "skipped": 3}
    versions = {"python": "3.13.5", "torch": "2.13.0+cpu", "numpy": "2.4.6"}
    made = {"outcome": outcome, "inputs": inputs, "date": "2026-01-02"}
    if outcome != CANNOT:
        made |= {"counts": counts, "versions": versions}
    return made | more


# ------------------------------------------------ which cells there are


def test_a_cell_for_each_python_and_end_with_dgl_and_without():
    names = [cell.name for cell in CELLS]
    assert len(set(names)) == len(names) == 5 * 2 * 2
    assert OLDEST_DGL.name == "3.10-oldest-dgl" and OLDEST_DGL in CELLS
    assert NEWEST.name == "3.13-newest" and NEWEST in CELLS


def test_the_pythons_are_those_that_make_takes():
    text = (ROOT / "Makefile").read_text()
    low, high = re.search(r"\((3, \d+)\) <= .* < \((3, \d+)\)", text).groups()
    taken = range(int(low.split()[1]), int(high.split()[1]))
    assert cells.PYTHONS == tuple(f"3.{minor}" for minor in taken)


def test_cells_are_chosen_by_name():
    assert matrix.find([]) == CELLS
    assert matrix.find(["3.13-newest", "3.10-oldest-dgl"]) == [NEWEST, OLDEST_DGL]
    with pytest.raises(ValueError, match="no cell '3.9-newest'; there are: 3.10-old"):
        matrix.find(["3.9-newest"])


def test_the_workflow_runs_every_cell():
    path = ROOT / ".github" / "workflows" / "matrix.yml"
    axes = yaml.safe_load(path.read_text())["jobs"]["cell"]["strategy"]["matrix"]
    named = [
        p + e + d for p in axes["python"] for e in axes["end"] for d in axes["dgl"]
    ]
    assert sorted(named) == sorted(cell.name for cell in CELLS)


def test_what_is_left_out_is_there():
    assert all((ROOT / "tests" / name).exists() for name in cells.LEFT_OUT)


# ------------------------------------------------ what a result depends on


@pytest.fixture
def small(tmp_path) -> Path:
    """A project of few files."""
    for name in ("gat_course/graph.py", "tests/test_graph.py", "tests/test_book.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    for name in ("pyproject.toml", "conftest.py", "README.md", "one.ipynb", "x.ipynb"):
        (tmp_path / name).write_text("1")
    (tmp_path / "_toc.yml").write_text("{root: one, parts: []}")
    return tmp_path


@pytest.mark.parametrize(
    "name", ["gat_course/graph.py", "gat_course/new.py", "pyproject.toml", "one.ipynb"]
)
def test_the_hash_changes_with_an_input(small, name):
    before = cells.inputs(small)
    (small / name).write_text("2")
    assert cells.inputs(small) != before


@pytest.mark.parametrize(
    "name", ["README.md", "x.ipynb", "tests/test_book.py", "gat_course/__pycache__/a"]
)
def test_the_hash_stays_with_other_files(small, name):
    before = cells.inputs(small)
    (small / name).parent.mkdir(exist_ok=True)
    (small / name).write_text("2")
    assert cells.inputs(small) == before


# ------------------------------------------------ going on


@pytest.fixture
def fixed(monkeypatch):
    monkeypatch.setattr(matrix, "inputs", lambda: NOW)


@dataclass
class Runner:
    """Stands in for `attempt`: returns what it is told to, and counts."""

    outcomes: dict = field(default_factory=dict)
    ran: list = field(default_factory=list)

    def __call__(self, cell, folder):
        self.ran.append(cell.name)
        made = result(self.outcomes.get(cell.name, PASSED), reason="because")
        del made["inputs"]
        return made


def test_only_what_has_passed_is_not_run_again(tmp_path, fixed):
    runner = Runner({NEWEST.name: FAILED})
    assert not matrix.run([OLDEST_DGL, NEWEST], tmp_path, runner)
    runner.outcomes = {}
    assert matrix.run([OLDEST_DGL, NEWEST], tmp_path, runner)
    assert runner.ran == [OLDEST_DGL.name, NEWEST.name, NEWEST.name]
    assert {r["outcome"] for r in matrix.read(tmp_path).values()} == {PASSED}


def test_a_change_makes_it_run_again(tmp_path, fixed, monkeypatch):
    runner = Runner()
    matrix.run([NEWEST], tmp_path, runner)
    monkeypatch.setattr(matrix, "inputs", lambda: "4567")
    matrix.run([NEWEST], tmp_path, runner)
    assert len(runner.ran) == 2
    assert matrix.read(tmp_path)[NEWEST.name]["inputs"] == "4567"


def test_what_cannot_be_run_is_no_failure_and_hides_no_result(
    tmp_path, fixed, monkeypatch
):
    runner = Runner({NEWEST.name: CANNOT})
    assert matrix.run([NEWEST], tmp_path, runner)
    assert matrix.read(tmp_path)[NEWEST.name]["reason"] == "because"
    runner.outcomes[NEWEST.name] = FAILED  # on a machine that has this Python
    matrix.run([NEWEST], tmp_path, runner)
    runner.outcomes[NEWEST.name] = CANNOT
    for files in (NOW, "4567"):  # as they were, and changed
        monkeypatch.setattr(matrix, "inputs", lambda files=files: files)
        matrix.run([NEWEST], tmp_path, runner)
        assert matrix.read(tmp_path)[NEWEST.name]["outcome"] == FAILED


SLOW = """
    import sys, time
    from pathlib import Path
    from tools import matrix
    def attempt(cell, folder):
        print("started", flush=True)
        time.sleep(3600)
    matrix.run(matrix.find(["3.13-newest"]), Path(sys.argv[1]), attempt)
"""


def test_a_killed_run_leaves_no_result(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", dedent(SLOW), str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline()
    assert "runs" in line and "started" in line
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    assert list(tmp_path.glob("*.json*")) == []
    runner = Runner()
    assert matrix.run([NEWEST], tmp_path, runner)
    assert runner.ran == [NEWEST.name]


def test_a_result_is_not_written_by_half(tmp_path, fixed, monkeypatch):
    matrix.run([NEWEST], tmp_path, Runner({NEWEST.name: FAILED}))
    before = (tmp_path / "3.13-newest.json").read_text()

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        matrix.run([NEWEST], tmp_path, Runner())
    assert (tmp_path / "3.13-newest.json").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["3.13-newest.json"]


# ------------------------------------------------ one cell


REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_a" name="test_1"/>
<testcase classname="tests.test_a" name="test_2"><skipped/></testcase>
{more}</testsuite></testsuites>"""
BROKEN = '<testcase classname="book.x" name="Cell 3"><failure/></testcase>'
NO_WHEEL = (
    "error: No solution found when resolving dependencies\n  cause: Because "
    "{name}>=2.1.0 has no wheels with a matching Python ABI tag (e.g., `cp313`)\n\nhint"
)


@dataclass
class Calls:
    """Stands in for the commands of a cell: uv, pytest, the Python of the cell."""

    report: str | None = REPORT.format(more="")
    code: int = 0
    install_fails_with: str = ""
    commands: list = field(default_factory=list)
    environments: list = field(default_factory=list)

    def __call__(self, command, env):
        command = list(map(str, command))
        self.commands.append(command)
        self.environments.append(env)
        done = SimpleNamespace(returncode=0, stdout="")
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True)
        elif "install" in command and self.install_fails_with:
            done = SimpleNamespace(returncode=1, stdout=self.install_fails_with)
        elif "-c" in command:
            done.stdout = json.dumps({"python": "3.13.5", "torch": "2.5.0"})
        elif "pytest" in command:
            done = SimpleNamespace(returncode=self.code, stdout="...\nKilled\n")
            (xml,) = [word for word in command if word.startswith("--junitxml=")]
            if self.report:
                Path(xml.split("=")[1]).write_text(self.report)
        return done


@pytest.fixture
def here(monkeypatch):
    """As if every Python were here."""
    monkeypatch.setattr(cells, "find_python", lambda version: f"/bin/python{version}")
    monkeypatch.setenv("GAT_COURSE_DATA", "/data")


def test_a_cell_is_installed_and_run(tmp_path, here):
    calls = Calls()
    made = cells.attempt(Cell("3.13", "oldest", True), tmp_path, calls)
    assert made["outcome"] == PASSED
    assert made["counts"] == {"passed": 1, "failed": 0, "skipped": 1}
    assert made["versions"] == {"python": "3.13.5", "torch": "2.5.0"}
    venv, project, _, tools, tests = calls.commands
    assert "/bin/python3.13" in venv
    assert project[-1] == ".[dgl]" and "lowest-direct" in project
    assert "--only-binary" in project and "--only-binary" in tools
    assert tools[tools.index("--group") + 1] == "test" and "--constraints" in tools
    assert {"tests/test_mailbox.py", "book/03-message-passing.ipynb"} <= {*tests}
    assert not {"tests/test_intake.py", "book/01-attention.ipynb"} & {*tests}
    assert not (tmp_path / "3.13-oldest-dgl").exists()  # gigabytes


def test_a_cell_has_no_data_no_home_and_no_network(tmp_path, here):
    calls = Calls()
    cells.attempt(NEWEST, tmp_path, calls)
    assert calls.commands[1][-1] == "." and "highest" in calls.commands[1]
    assert "--ignore=tests/test_book.py" in calls.commands[-1]
    env = calls.environments[-1]
    assert "GAT_COURSE_DATA" not in env
    assert env["HOME"] != os.environ.get("HOME") and not Path(env["HOME"]).exists()
    assert env["https_proxy"] == env["HTTP_PROXY"] == cells.NOBODY


@pytest.mark.parametrize(
    ("calls", "told"),
    [
        (Calls(REPORT.format(more=BROKEN), 1), "1 failed, 1 skipped, `book.x::Cell 3`"),
        (Calls(None, -9), "**failed**, `pytest ended with -9: Killed`"),
        (Calls(code=2), "**failed**, 1 passed, 1 skipped, `pytest ended with 2`"),
        (Calls(install_fails_with=NO_WHEEL.format(name="dgl")), "DGL 2 has no build"),
        (
            Calls(install_fails_with=NO_WHEEL.format(name="scipy")),
            "`not installed: Because scipy>=2.1.0 has no wheels",
        ),
        (Calls(install_fails_with="a\nlast line\n"), "`not installed: last line`"),
    ],
)
def test_what_goes_wrong_is_told_in_one_line(tmp_path, here, calls, told):
    cell = Cell("3.13", "newest", True)
    made = cells.attempt(cell, tmp_path, calls)
    assert made["outcome"] != PASSED
    assert told in status.outcome(made)
    kept = (tmp_path / cell.name).exists()
    assert kept == (made["outcome"] == FAILED)


def test_a_python_must_run(tmp_path, monkeypatch):
    """A version manager puts names on PATH that only say what is not installed."""
    for folder, line in {"a": "echo not installed", "b": "echo 3.14"}.items():
        (tmp_path / folder).mkdir()
        program = tmp_path / folder / "python3.14"
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'a'}{os.pathsep}{tmp_path / 'b'}")
    assert cells.find_python("3.14") == str(tmp_path / "b" / "python3.14")
    monkeypatch.setenv("PATH", str(tmp_path / "a"))
    with pytest.raises(cells.CannotRun, match="no Python 3.14 on this machine"):
        cells.find_python("3.14")


def test_what_is_printed_is_kept(tmp_path):
    done = cells.run_logged(
        [sys.executable, "-c", "print('hello')"], dict(os.environ), tmp_path / "x.log"
    )
    assert done.returncode == 0
    assert done.stdout == "hello\n" and "hello\n" in (tmp_path / "x.log").read_text()


# ------------------------------------------------ the page


def rows(text: str) -> list[list[str]]:
    """The lines of the table of all cells in a page, without its head."""
    text = text.partition(status.DETAILS)[2]
    lines = re.search(r"(?m)^\|---.*\n((?:\|.*\n)+)", text)[1].splitlines()
    return [[column.strip() for column in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize(
    "results",
    [
        {},
        {c.name: result(versions={"python": f"{c.python}.1"}) for c in CELLS},
        {NEWEST.name: result(FAILED, failed=["tests.test_a::test_b[x|y]"])},
        {NEWEST.name: result(CANNOT, reason="no Python 3.13 on this machine")},
    ],
)
def test_no_cell_is_left_out_of_the_page(results):
    found = rows(status.page(results))
    assert [(row[0][:4], row[1]) for row in found] == [(c.python, c.end) for c in CELLS]
    assert all(len(row) == 7 and all(row) for row in found)


def row(results: dict) -> list[str]:
    return rows(status.page(results))[CELLS.index(NEWEST)]


def test_the_page_tells_what_came_of_a_cell():
    passed = row({NEWEST.name: result()})
    assert passed[:4] == ["3.13.5", "newest", "2.13.0", "2.4.6"]
    assert passed[4:] == ["–", "12 passed, 3 skipped", "2026-01-02"]
    failed = row({NEWEST.name: result(FAILED, failed=["tests.a::b"])})
    assert failed[5] == "**failed**, 12 passed, 1 failed, 3 skipped, `tests.a::b`"
    cannot = row({NEWEST.name: result(CANNOT, reason="no Python 3.13 here")})
    assert cannot[0] == "3.13" and cannot[5] == "no Python 3.13 here"
    assert row({})[5:] == [status.NOT_RUN, "–"]


def test_the_page_begins_with_a_word_for_each_cell():
    results = {
        NEWEST.name: result(),
        OLDEST_DGL.name: result(FAILED),
        "3.13-newest-dgl": result(CANNOT, reason="no DGL"),
    }
    lines = status.overview(results).splitlines()
    assert lines[0] == "| Python | oldest | oldest, DGL | newest | newest, DGL |"
    no = status.NOT_RUN
    assert lines[2] == f"| 3.10 | {no} | failed | {no} | {no} |"
    assert lines[5] == f"| 3.13 | {no} | {no} | passed | cannot run |"
    assert len(lines) == 9 and lines[-1] == "What cannot run: no DGL."
    assert status.page(results).index(lines[0]) < status.page(results).index("##")


def test_the_page_lists_the_versions_at_each_end():
    page = status.page(
        {
            NEWEST.name: result(),
            "3.13-newest-dgl": result(versions={"torch": "2.9.0", "dgl": "2.1.0"}),
        }
    )
    oldest, newest = page.split("## The oldest libraries")[1].split("## The newest")
    assert "Not run yet." in oldest
    assert "| torch | 2.13.0 |" in newest and "| dgl | 2.1.0 |" in newest
    assert all(f"| {name} | " in newest for name in cells.libraries())


def test_the_stored_page_has_the_form():
    stored = status.PAGE.read_text(encoding="utf-8")
    assert "book/status" in book.pages()
    assert stored.startswith(status.head())
    found = rows(stored)
    assert [(row[0][:4], row[1]) for row in found] == [(c.python, c.end) for c in CELLS]
    assert all(len(row) == 7 and all(row) for row in found)
    titles = re.findall(r"(?m)^## (.*)", stored)
    assert titles == [
        status.DETAILS.removeprefix("## "),
        *(f"The {end} libraries" for end in cells.ENDS),
    ]


def test_the_page_is_made_of_the_results_alone(tmp_path, monkeypatch, capsys):
    (tmp_path / "3.13-newest.json").write_text(json.dumps(result(inputs=NOW)))
    monkeypatch.setattr(matrix, "RESULTS", tmp_path)
    monkeypatch.setattr(matrix, "inputs", lambda: NOW)
    monkeypatch.setattr(status, "PAGE", tmp_path / "status.md")
    monkeypatch.setattr(sys, "argv", ["matrix", "page"])
    assert matrix.main() == 0
    assert row(matrix.read(tmp_path))[5] == "12 passed, 3 skipped"
    assert "12 passed, 3 skipped" in (tmp_path / "status.md").read_text()
    assert "12 passed, 3 skipped" in capsys.readouterr().out
