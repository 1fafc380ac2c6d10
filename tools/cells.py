"""The cells of `make matrix`: which there are, and how one is installed and run.

A cell is a Python, one end of the libraries' versions, and DGL or not. It gets an
environment of its own, made by uv, in which pytest runs the package's tests and the
notebooks: without the real data, from an empty home, with no way to the network.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import product
from pathlib import Path

from packaging.requirements import Requirement

from tools.book import ROOT, notebooks, read, uses_dgl

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, where pytest brings its forerunner
    import tomli as tomllib

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
ENDS = {"oldest": "lowest-direct", "newest": "highest"}  # what uv calls them
FOLDER = ROOT / "_build" / "matrix"  # environments, and what pytest printed
RESULTS = ROOT / "tools" / "runs"  # what came of each cell: the page is made of these
# These test what no library's version changes: the repository's own files, its book,
# its commands. `make test` runs them, in the workflow on each Python.
LEFT_OUT = (
    "test_book.py",  # builds the book, with tools that a cell does not have
    "test_colab.py",  # needs the network, and runs every notebook once more
    "test_browser.py",  # the browser that looks at the book
    "test_pages.py",  # how its pages are made
    "test_house.py",  # reads the package's source, and draws it
    "test_matrix.py",  # the matrix itself
    "test_notebooks.py",  # the form of the notebooks; a cell runs them instead
    "test_project.py",  # make, requirements, addresses
    "test_reproduce.py",  # stops and kills long commands, which takes longest
)
# Run in a cell's Python: the versions of the libraries that are named.
VERSIONS = """
import importlib.metadata as found, json, platform, sys
versions = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        versions[name] = found.version(name)
    except found.PackageNotFoundError:
        pass
print(json.dumps(versions))
"""
NOBODY = "http://127.0.0.1:9"  # the discard port: no server there

PASSED, FAILED, CANNOT = "passed", "failed", "cannot run"


@dataclass(frozen=True)
class Cell:
    """One combination; its `name` is that of its file, such as "3.10-oldest-dgl"."""

    python: str
    end: str
    dgl: bool

    @property
    def name(self) -> str:
        return f"{self.python}-{self.end}" + ("-dgl" if self.dgl else "")


CELLS = [Cell(*parts) for parts in product(PYTHONS, ENDS, (False, True))]


def libraries() -> list[str]:
    """What the package asks for, by name, and DGL."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = project["dependencies"] + project["optional-dependencies"]["dgl"][:1]
    return sorted(Requirement(line).name for line in needed)


def inputs(root: Path = ROOT) -> str:
    """A hash of all files that decide how a cell goes."""
    files = [root / "pyproject.toml", root / "conftest.py", *notebooks(root)]
    for folder in ("gat_course", "tests", "tools"):
        files += (path for path in (root / folder).rglob("*") if path.is_file())
    apart = {root / "tests" / name for name in LEFT_OUT}
    apart |= {root / "tools" / name for name in ("matrix.py", "status.py")}
    total = hashlib.sha256()
    for path in sorted(set(files) - apart):
        name = path.relative_to(root)
        hidden = any(part.startswith((".", "__pycache__")) for part in name.parts)
        if not hidden and path.parent != root / "tools" / "runs":
            total.update(name.as_posix().encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]


class CannotRun(Exception):
    """Why a cell cannot be run here, in one line."""


class NotInstalled(Exception):
    """Why a cell's libraries could not be installed, in one line."""


Call = Callable[[list, Mapping[str, str]], subprocess.CompletedProcess]


def attempt(cell: Cell, folder: Path, call: Call | None = None) -> dict:
    """Make a cell's environment, run its tests, and say how it went.

    Args:
        folder: for the environment, which is removed unless a test failed, and for
            what pytest prints, which is kept in `NAME.log`.
        call: runs a command with variables; `run_logged` where none is given.
    """
    log = folder / f"{cell.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    call = call or (lambda command, env: run_logged(command, env, log))
    home = folder / cell.name
    result = {"outcome": FAILED, "date": date.today().isoformat(), "seconds": {}}
    started = time.monotonic()
    try:
        result |= install(cell, home, call)
        result["seconds"]["installation"] = round(time.monotonic() - started)
        started = time.monotonic()
        result |= test(cell, home, call)
        result["seconds"]["tests"] = round(time.monotonic() - started)
    except CannotRun as reason:
        result |= {"outcome": CANNOT, "reason": str(reason)}
    except NotInstalled as reason:
        result["reason"] = f"not installed: {reason}"
    if result["outcome"] != FAILED:
        shutil.rmtree(home, ignore_errors=True)
    return result


def run_logged(command, env, log: Path) -> subprocess.CompletedProcess:
    """Run a command, and add what it prints to a file as it comes."""
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(map(str, command))}\n")
        file.flush()
        start = file.tell()
        done = subprocess.run(
            command, env=env, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT
        )
    done.stdout = log.read_bytes()[start:].decode("utf-8", errors="replace")
    return done


def install(cell: Cell, home: Path, call: Call) -> dict:
    """Make the environment; return the versions that it has got.

    Raises:
        CannotRun: there is no such Python here, or no DGL for it.
        NotInstalled: uv failed.
    """
    here = home / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    pip = [*uv, "pip", "install", "--python", here, "--only-binary", ":all:"]

    def checked(command: list) -> str:
        done = call(command, environment())
        if done.returncode:
            raise _complaint(done.stdout, cell)
        return done.stdout

    checked([*uv, "venv", "--clear", "--python", find_python(cell.python), home])
    project = ["--no-binary", "gat-course", "--editable", ".[dgl]" if cell.dgl else "."]
    checked([*pip, "--resolution", ENDS[cell.end], *project])

    # The tools of the tests come at their newest, and move none of the libraries.
    versions = json.loads(checked([here, "-c", VERSIONS, *libraries()]))
    fixed = [f"{name}=={versions[name]}\n" for name in versions if name != "python"]
    constraints = home / "libraries.txt"
    constraints.write_text("".join(fixed), encoding="utf-8")
    checked([*pip, "--group", "test", "--constraints", constraints])
    return {"versions": versions}


def find_python(version: str) -> str:
    """The path of a Python that really is this version.

    Raises:
        CannotRun: there is none on PATH, or it does not run.
    """
    name = f"python{version}"
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    for folder in os.get_exec_path():
        path = shutil.which(name, path=folder)
        if path:
            done = subprocess.run([path, "-c", ask], capture_output=True, text=True)
            if done.stdout.strip() == version:
                return path
    raise CannotRun(f"no Python {version} on this machine")


def _complaint(output: str, cell: Cell) -> Exception:
    """What uv's many lines come to."""
    if cell.dgl and re.search(r"dgl\S* has no wheels with a matching", output):
        return CannotRun(f"DGL 2 has no build for Python {cell.python}")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith("cause:")] or lines[-1:]
    return NotInstalled(telling[0].removeprefix("cause:").strip() if telling else "?")


def environment() -> dict[str, str]:
    """This process's variables, without what belongs to its own Python or to make."""
    own = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "GAT_COURSE_DATA")
    made = ("MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS")
    return {k: v for k, v in os.environ.items() if k not in own + made}


def telling(cell: Cell) -> list[str]:
    """What pytest runs in a cell, as its arguments.

    All tests and notebooks. With DGL only those that speak of it: the others run as in
    the cell beside, since conftest.py hides DGL from the other notebooks and the other
    tests never ask for it.
    """
    if not cell.dgl:
        return [f"--ignore=tests/{name}" for name in LEFT_OUT]
    tests = sorted((ROOT / "tests").glob("test_*.py"))
    chosen = [path for path in tests if "dgl" in path.read_text("utf-8").lower()]
    chosen = [path for path in chosen if path.name not in LEFT_OUT]
    chosen = [*(path for path in notebooks() if uses_dgl(read(path))), *chosen]
    return [path.relative_to(ROOT).as_posix() for path in chosen]


def test(cell: Cell, home: Path, call: Call) -> dict:
    """Run the tests and the notebooks in an environment; count what came of them."""
    report = home / "report.xml"
    report.unlink(missing_ok=True)
    command = [home / "bin" / "python", "-m", "pytest", "-n", "2", "-p"]
    command += ["no:cacheprovider", f"--junitxml={report}", *telling(cell)]
    with tempfile.TemporaryDirectory() as empty:
        cut_off = {"HOME": empty, "XDG_CACHE_HOME": f"{empty}/.cache"}
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            cut_off |= {name: NOBODY, name.upper(): NOBODY}
        for name in ("no_proxy", "NO_PROXY"):
            cut_off[name] = "localhost,127.0.0.1"
        done = call(command, environment() | cut_off)
    if not report.exists():
        said = done.stdout.strip().splitlines()[-1:]
        return {"reason": f"pytest ended with {done.returncode}: {''.join(said)}"}
    return summary(report, done.returncode)


def summary(report: Path, returncode: int) -> dict:
    """Counts, outcome, and the names of up to ten failed tests, of pytest's report."""
    counts, failed = {"passed": 0, "failed": 0, "skipped": 0}, []
    for case in ET.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        kind = "passed"
        if kinds & {"failure", "error"}:
            kind = "failed"
            failed.append(f"{case.get('classname')}::{case.get('name')}")
        elif "skipped" in kinds:
            kind = "skipped"
        counts[kind] += 1
    good = returncode == 0 and counts["passed"] and not counts["failed"]
    result = {"outcome": PASSED if good else FAILED, "counts": counts}
    if failed:
        result["failed"] = failed[:10]
    elif not good:
        result["reason"] = f"pytest ended with {returncode}"
    return result
