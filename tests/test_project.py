"""The project's own promises: commands, versions, requirements, one public address."""

import ast
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import gat_course
from tools import book, header
from tools.address import address, write_address
from tools.book import ROOT

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, where pytest brings its forerunner
    import tomli as tomllib

MAKE = shutil.which("make")
PATIENCE = 600  # seconds; for a slow machine, not a measure
SUPPORTED = ("3.10", "3.11", "3.12", "3.13", "3.14")
WITHOUT_DGL = ("3.13", "3.14")  # no DGL 2 is built for them
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
DEPENDENCIES = [Requirement(line) for line in PROJECT["dependencies"]]
DGL = [Requirement(line) for line in PROJECT["optional-dependencies"]["dgl"]]
BENCH = [Requirement(line) for line in PROJECT["optional-dependencies"]["bench"]]
MOLECULES = [
    Requirement(line) for line in PROJECT["optional-dependencies"]["molecules"]
]
IMAGES = [Requirement(line) for line in PROJECT["optional-dependencies"]["images"]]
GRADING = [Requirement(line) for line in PROJECT["optional-dependencies"]["grading"]]
TEST = [Requirement(line) for line in PYPROJECT["dependency-groups"]["test"]]


# ------------------------------------------------ versions and requirements


def test_one_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PROJECT["version"] == gat_course.__version__ == citation["version"]
    assert f"\n## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_package_asks_for_lower_bounds_only():
    operators = {
        s.operator
        for needed in DEPENDENCIES + DGL + BENCH + MOLECULES + IMAGES
        for s in needed.specifier
    }
    assert operators == {">="}


def test_the_package_declares_what_it_imports():
    names = {"sklearn": "scikit-learn", "PIL": "pillow", "skimage": "scikit-image"}
    names |= {"IPython": "ipython", "otter": "otter-grader"}
    imported = set()
    for path in (ROOT / "gat_course").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported.update(alias.name.split(".")[0] for alias in node.names)
            if isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.split(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"gat_course"}
    declared = {
        needed.name
        for needed in DEPENDENCIES + DGL + BENCH + MOLECULES + IMAGES + GRADING
    }
    assert {names.get(name, name) for name in foreign} <= declared


def test_dgl_below_2_is_never_asked_for():
    """Python 3.13 has wheels of DGL 0.1.3 alone; pip must not take them."""
    (dgl,) = [needed for needed in DGL if needed.name == "dgl"]
    assert dgl.marker is None
    assert "0.1.3" not in dgl.specifier and "1.1.3" not in dgl.specifier


@pytest.mark.parametrize("python", SUPPORTED)
def test_every_requirement_is_pinned_once(python):
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    here = {"python_version": python}
    active = [pin for pin in pins if not pin.marker or pin.marker.evaluate(here)]
    versions = {}
    for pin in active:
        (specifier,) = pin.specifier
        assert specifier.operator == "==", f"{pin} is not a pin"
        assert pin.name not in versions, f"{pin.name} is pinned twice"
        versions[pin.name] = specifier.version
    for needed in DEPENDENCIES + DGL + BENCH + MOLECULES + IMAGES + TEST:
        if needed.name == "dgl" and python in WITHOUT_DGL:
            assert "dgl" not in versions
            continue
        assert needed.name in versions, f"{needed.name} is not pinned"
        assert versions[needed.name] in needed.specifier


# ------------------------------------------------ links and the public address


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_within_the_repository_lead_somewhere(name):
    links = re.findall(r"\]\(([^)#\s]+)", (ROOT / name).read_text())
    inside = [link for link in links if "://" not in link]
    assert [link for link in inside if not (ROOT / link).exists()] == []


@pytest.fixture
def copy(tmp_path) -> Path:
    """A copy of the project's own files."""
    left_out = shutil.ignore_patterns(
        ".git",
        ".venv",
        "_build",
        "build",
        "node_modules",
        "*.egg-info",
        "__pycache__",
        ".*_c*",
    )
    return shutil.copytree(ROOT, tmp_path / "project", ignore=left_out)


def assert_readme_clones(root: Path, repository: str):
    """The README's commands work in an empty folder: clone, enter, make."""
    (block,) = re.findall(
        r"```bash\n(git clone .*?)```", (root / "README.md").read_text(), re.S
    )
    clone, enter, *commands = block.splitlines()
    folder = clone.removeprefix(f"git clone {repository} ")
    assert enter == f"cd {folder}"
    assert [line.split()[:2] for line in commands] == [
        ["make", "book"],
        ["make", "test"],
    ]


def test_all_agree_on_the_address(copy):
    assert write_address(copy) == []
    assert_readme_clones(copy, address().repository)


def test_the_address_is_set_in_one_place(copy):
    old, config = address(), copy / "_config.yml"
    text = config.read_text().replace(old.repository, "https://github.com/a/b.c")
    config.write_text(re.sub(r"branch: .*", "branch: trunk", text))
    changed = {path.name for path in write_address(copy)}
    assert {"README.md", "CITATION.cff", "pyproject.toml"} <= changed
    assert {path.name for path in book.notebooks(copy)} <= changed
    new = address(copy)
    assert (new.slug, new.branch, new.site) == (
        "a/b.c",
        "trunk",
        "https://a.github.io/b.c",
    )
    assert_readme_clones(copy, "https://github.com/a/b.c")
    old_forms = (old.slug, old.site.removeprefix("https://"))
    for path in copy.rglob("*"):
        if path.is_file() and path.suffix not in (".png", ".svg"):
            text = path.read_text(encoding="utf-8")
            assert not any(form in text for form in old_forms), path
    for path in book.notebooks(copy):
        page = path.relative_to(copy).with_suffix("").as_posix()
        assert [*header.problems(book.read(path), page, new)] == []


@pytest.mark.parametrize("url", ["https://github.com/a/b/", "https://example.org/a/b"])
def test_an_address_elsewhere_is_refused(tmp_path, url):
    (tmp_path / "_config.yml").write_text(f"repository: {{url: {url}, branch: main}}")
    with pytest.raises(ValueError, match="expected https://github.com/OWNER/NAME"):
        address(tmp_path)


# ------------------------------------------------ make


@pytest.fixture
def bare(tmp_path) -> Path:
    """A folder with only what make needs to decide what to do."""
    if MAKE is None:
        pytest.skip("make is not installed")
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "site").mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / "site" / name, tmp_path / "site" / name)
    return tmp_path


def environment(**changes: str) -> dict[str, str]:
    """This process's, without what `make test PYTHON=…` hands down to its children."""
    inherited = ("MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS")
    kept = {k: v for k, v in os.environ.items() if k not in inherited}
    return {**kept, **changes}


def make(folder: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [MAKE, *arguments],
        cwd=folder,
        env=environment(**changes),
        capture_output=True,
        text=True,
    )


def test_make_lists_its_commands(bare):
    rules = re.findall(r"^\.PHONY: (.*)", (bare / "Makefile").read_text(), re.M)
    listed = re.findall(r"^make (\w+)  +\w", make(bare).stdout, re.M)
    assert sorted(listed) == sorted(rules[0].split())


@pytest.mark.parametrize(
    "command", ["book", "test", "check", "notebooks", "matrix", "lint"]
)
def test_make_installs_once(bare, command):
    assert "pip install" in make(bare, "-n", command).stdout
    (bare / ".venv").mkdir()
    (bare / ".venv" / "installed").touch()
    assert "pip install" not in make(bare, "-n", command).stdout
    os.utime(bare / "requirements.txt", (2e9, 2e9))
    assert "pip install" in make(bare, "-n", command).stdout


def test_make_says_which_python_it_needs(bare):
    done = make(bare, "test", "PYTHON=false")
    assert done.returncode != 0
    assert "No Python 3.10 to 3.14" in done.stderr
    assert "('false' is none)" in done.stderr
    assert not (bare / ".venv").exists()


def script(path: Path, *lines: str) -> None:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)


def pretender(path: Path, change: str) -> None:
    """A Python that begins by changing something in its module `sys`."""
    code = f"import sys; {change}; exec(sys.argv.pop(1))"
    script(path, "shift", f'exec {sys.executable} -c {shlex.quote(code)} "$@"')


OLD, NEW, WITHOUT_VENV = (
    "sys.version_info = (3, 9, 2)",
    "sys.version_info = (3, 15, 0)",
    "sys.version_info = (3, 11, 2); sys.modules['ensurepip'] = None",
)
NO_VENV = "Python 3.11 lacks venv: on Debian and Ubuntu, apt install"
TOO_NEW = "Python 3.15 is too new: the course has not been tried with it."


@pytest.mark.parametrize(
    ("pythons", "told"),
    [
        ({}, []),
        ({"python3": OLD}, ["Python 3.9 is too old."]),
        # As where both names are one Python.
        ({"python3": NEW, "python3.15": NEW}, [TOO_NEW]),
        ({"python3": WITHOUT_VENV}, [f"{NO_VENV} python3-venv"]),
        (
            {"python3.12": WITHOUT_VENV, "python3": NEW},
            [f"{NO_VENV} python3.12-venv", TOO_NEW],
        ),
    ],
)
def test_make_says_why_no_python_will_do(bare, pythons, told):
    programs = bare / "bin"
    programs.mkdir()
    (programs / "awk").symlink_to(shutil.which("awk") or pytest.skip("no awk here"))
    for name, change in pythons.items():
        pretender(programs / name, change)
    done = make(bare, "test", PATH=str(programs))
    assert done.returncode != 0
    first, *lines = done.stderr.splitlines()
    assert first.startswith("No Python 3.10 to 3.14 with venv found. Install one")
    assert [line.strip() for line in lines if line.startswith("  ")] == told


# ------------------------------------------------ two of them at once


@pytest.fixture
def stand_in(bare) -> str:
    """A Python whose venv takes no time, and whose pip waits for the file `go`."""
    script(
        bare / "standin",
        'case "$1 $2" in',
        '"-m venv") echo venv >> log; rm -rf .venv',
        '    mkdir -p .venv/bin; cp "$0" .venv/bin/python',
        "    cp /bin/true .venv/bin/npm;;",
        '"-m pip") echo pip >> log; until [ -e go ]; do sleep 0.05; done',
        "    echo installed >> log;;",
        f'*) exec {sys.executable} "$@";;',
        "esac",
    )
    return "PYTHON=./standin"


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [MAKE, ".venv/installed", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_pip(folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while "pip" not in log(folder):
        assert time.monotonic() < deadline, "make did not come to pip"
        time.sleep(0.05)


def log(folder: Path) -> list[str]:
    file = folder / "log"
    return file.read_text().split() if file.exists() else []


def test_two_makes_install_once(bare, stand_in):
    first = start(bare, stand_in)
    wait_for_pip(bare)
    second = start(bare, stand_in)
    assert "waiting for it" in second.stderr.readline()
    assert log(bare) == ["venv", "pip"]  # the second touches nothing meanwhile
    (bare / "go").touch()
    for process in (first, second):
        _, message = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, message
    assert log(bare) == ["venv", "pip", "installed"]
    assert (bare / ".venv" / "installed").exists()


def test_a_killed_make_blocks_no_other_and_is_made_good(bare, stand_in):
    first = start(bare, stand_in)
    wait_for_pip(bare)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate(timeout=PATIENCE)
    (bare / "go").touch()
    second = start(bare, stand_in)
    _, message = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, message
    assert log(bare) == ["venv", "pip", "venv", "pip", "installed"]


def test_an_installation_that_outlives_its_make_is_waited_for(bare, stand_in):
    first = start(bare, stand_in)
    wait_for_pip(bare)
    first.kill()  # what it has started runs on
    second = start(bare, stand_in)
    assert "waiting for it" in second.stderr.readline()
    (bare / "go").touch()
    _, message = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, message
    assert log(bare) == ["venv", "pip", "installed"]


# ------------------------------------------------ continuous integration


@pytest.fixture
def machine(tmp_path) -> Path:
    """A folder for the only programs of a machine on which .ci/run then runs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "dirname", "env", "mv"):
        found = shutil.which(name) or pytest.skip(f"{name} is not installed")
        (programs / name).symlink_to(found)
    return programs


def run_ci(machine: Path) -> subprocess.CompletedProcess:
    runner = machine.parent / "project" / ".ci" / "run"
    runner.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / ".ci" / "run", runner)
    variables = environment(PATH=str(machine))
    variables.pop("GAT_COURSE_DATA", None)
    return subprocess.run(
        [runner], env=variables, capture_output=True, text=True, cwd="/"
    )


def equip(machine: Path) -> None:
    """Add stand-ins for all that .ci/run needs; make tells what it is asked for."""
    script(machine / "make", 'echo "$1 $GAT_COURSE_DATA"', "exit 7")
    for name in ("git", "chromium", "bwrap", "python3"):
        script(machine / name)


def test_ci_runs_make_test_on_the_data_beside_it(machine):
    equip(machine)
    done = run_ci(machine)
    assert (done.returncode, done.stdout.strip()) == (7, "test")
    data = machine.parent / "shared" / "data"
    data.mkdir(parents=True)
    done = run_ci(machine)
    assert (done.returncode, done.stdout.strip()) == (7, f"test {data}")


@pytest.mark.parametrize(
    ("missing", "packages"),
    [
        (["make"], "make"),
        (["git"], "git"),
        (["chromium"], "chromium"),
        (["bwrap"], "bubblewrap"),
        (["python3"], "python3-venv"),
        (
            ["make", "git", "chromium", "bwrap", "python3"],
            "make git python3-venv chromium bubblewrap",
        ),
    ],
)
def test_ci_installs_what_a_bare_debian_lacks(machine, missing, packages):
    equip(machine)
    aside = machine.parent / "aside"
    aside.mkdir()
    for name in missing:
        (machine / name).rename(aside / name)
    script(machine / "id", "echo 0")
    script(machine / "apt-get", 'echo "$@" >> "$0.log"', f"mv {aside}/* {machine} || :")
    done = run_ci(machine)
    assert (done.returncode, done.stdout.strip()) == (7, "test"), done.stderr
    update, install = (machine / "apt-get.log").read_text().splitlines()
    assert update.startswith("update")
    assert install.startswith("install") and install.endswith(f" {packages}")


def test_ci_goes_on_without_a_browser_and_says_so(machine):
    equip(machine)
    (machine / "chromium").unlink()
    script(machine / "id", "echo 1000")
    done = run_ci(machine)
    assert done.returncode == 7
    assert "missing, and this script installs only as root" in done.stdout
    assert "the tests that open the book's pages are skipped" in done.stdout


# ------------------------------------------------ what the tests need


def first_words(path: Path) -> set[str]:
    """What a test file runs as a program, as its source has it: `sys.executable`, …"""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lists = {}  # the lists that are given a name, for `subprocess.run(command)`
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            lists.setdefault(node.targets[0].id, []).append(node.value)
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not ast.unparse(node.func).startswith(
            ("subprocess.", "os.system", "os.exec", "os.popen", "os.spawn")
        ):
            continue
        command = node.args[0]
        for value in lists.get(ast.unparse(command), [command]):
            while isinstance(value, ast.BinOp):
                value = value.left
            first = value.elts[0] if isinstance(value, ast.List) else value
            found.add(ast.unparse(first))
    return found


def test_the_tests_call_python_and_what_they_looked_for():
    """`make` and `git` are looked for, .ci/run is a script; make brings the rest."""
    found = {word for path in ROOT.glob("tests/*.py") for word in first_words(path)}
    known = {"sys.executable", "MAKE", "GIT", "runner", "self.python", "machine.python"}
    assert found == known | {"NODE", "ESBUILD", "TSC"}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("subprocess.run(['ps', '-A'])", {"'ps'"}),
        ("listed = ['ps', '-A']\nsubprocess.run(listed)", {"'ps'"}),
        ("subprocess.Popen([sys.executable, 'x'] + more)", {"sys.executable"}),
        ("os.system('ps')", {"'ps'"}),
    ],
)
def test_a_program_that_is_called_is_found(tmp_path, source, words):
    (tmp_path / "x.py").write_text(source)
    assert first_words(tmp_path / "x.py") == words


def test_contributing_names_what_the_tests_look_for():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for path in ROOT.glob("tests/*.py"):
        for name in re.findall(r"shutil\.which\(\"(\w+)\"\)", path.read_text()):
            assert f"`{name}`" in text, f"{path.name} looks for {name}"
    assert "Chromium or Chrome" in text
