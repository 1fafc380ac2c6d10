"""The notebooks run on Colab: each installs the course, and needs neither DGL nor data.

`colab.py` imitates the machine; its Python is the one that runs the tests.
"""

import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import colab
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_notebook

from tools import book
from tools.address import address
from tools.book import ROOT

SLOW = 3600  # seconds; for a slow machine, not a measure


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """Colab before a notebook is opened, or a skip that says what it would need."""
    if colab.GIT is None:
        pytest.skip("git is not installed, by which pip gets the course")
    folder = tmp_path_factory.mktemp("colab")
    made = colab.Colab(folder, ROOT, address().repository)
    # pip builds the course with setuptools, which it gets anew, as on Colab.
    if no_network(got := download(made, "setuptools")):
        pytest.skip(f"no network: pip cannot get setuptools, {got.splitlines()[-1]}")
    yield made
    set_mode(made.course, writable=True)  # so that pytest can remove it


@pytest.fixture(scope="module")
def opened(machine):
    """What changes when somebody opens chapter 1 and runs its first cells."""
    first = book.read(book.notebooks()[0])
    setup, imports = [c for c in first.cells if c.cell_type == "code"][:2]
    assert "setup" in setup.metadata.tags and "import" in imports.source
    client = NotebookClient(
        new_notebook(cells=[setup, imports]),
        kernel_name="colab",
        timeout=SLOW,
        resources={"metadata": {"path": machine.elsewhere}},
    )
    before = machine.freeze()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", machine.environment()["JUPYTER_PATH"])
        with client.setup_kernel(env=machine.environment()):
            start = time.perf_counter()
            client.execute_cell(setup, 0)
            seconds = time.perf_counter() - start
            client.execute_cell(imports, 1)  # no restart between the two
    return before, machine.freeze(), seconds


def download(machine: colab.Colab, requirement: str, *options: str) -> str:
    """What pip says of what goes wrong."""
    options += ("--no-deps", "--retries=1", f"--dest={machine.folder}")
    return machine.pip("download", requirement, *options).stderr


def no_network(said: str) -> bool:
    """Whether pip has not reached its index: it tried again, or saw no package."""
    return "Retrying (" in said or "(from versions: none)" in said


def set_mode(folder: Path, writable: bool) -> None:
    for path in [folder, *folder.rglob("*")]:
        mode = path.stat().st_mode
        path.chmod(mode | 0o200 if writable else mode & ~0o222)


def contents(folder: Path) -> dict[Path, tuple]:
    """Every file and folder, with what a change would change."""
    stats = {path: path.stat() for path in [folder, *folder.rglob("*")]}
    return {path: (s.st_size, s.st_mtime_ns, s.st_mode) for path, s in stats.items()}


def test_it_lacks_what_colab_lacks(machine):
    names = {line.partition("==")[0].lower() for line in machine.freeze()}
    assert {"torch", "numpy", "ipykernel"} <= names
    assert not {"dgl", "gat-course"} & names
    for name in ("dgl", "gat_course"):
        found = f"import importlib.util as u; assert u.find_spec('{name}') is None"
        done = subprocess.run(
            [machine.python, "-c", found],
            cwd=machine.elsewhere,
            env=machine.environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def test_only_a_missing_network_skips(machine):
    nowhere = "--index-url=http://127.0.0.1:9/simple"
    assert no_network(download(machine, "setuptools", nowhere))
    missing = download(machine, "setuptools>=99999")
    assert "No matching distribution" in missing and not no_network(missing)


def test_the_first_cell_brings_the_course_and_changes_nothing_else(
    machine, opened, record_property
):
    before, after, seconds = opened
    record_property("seconds of the first cell", round(seconds, 1))
    print(f"the first cell took {seconds:.1f} s")
    assert before - after == set()
    came = f"gat-course @ git+{machine.address}@{machine.commit}"
    assert {line.replace("gat_course", "gat-course") for line in after - before} == {
        came
    }


def test_every_notebook_runs_without_checkout_data_or_dgl(
    machine, opened, record_property
):
    """And prints what it stores; the folder of the course stays as it is."""
    set_mode(machine.course, writable=False)
    before = contents(machine.course)
    report = machine.folder / "report.xml"
    options = ["--nbval", "--nbval-kernel-name=colab", f"--nbval-cell-timeout={SLOW}"]
    options += "-o addopts= -p no:cacheprovider -n 2 -q --maxfail=5".split()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "book", *options, f"--junit-xml={report}"],
        cwd=machine.course,
        env=machine.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-20_000:]
    seconds = {}
    for case in ET.parse(report).iter("testcase"):
        name = case.get("classname")
        seconds[name] = seconds.get(name, 0) + float(case.get("time"))
    record_property("seconds of each notebook", seconds)
    print(seconds)
    assert len(seconds) == len(book.notebooks(machine.course))
    assert contents(machine.course) == before
