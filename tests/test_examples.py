"""Examples in docstrings: what a chapter uses has one, and all of them run."""

import ast
import doctest
import importlib
import inspect
import os
import pkgutil
from pathlib import Path

import matplotlib
import pytest
import torch

import gat_course
from tools.book import notebooks, read

NEEDED = {
    ".load": "planetoid/ind.cora.x",
    ".load_ppi": "ppi.zip",
    "load_esol": "esol/delaney-processed.csv",
    "load_tu": "tu/PROTEINS.txt",
    "load_mnist": "mnist/train-images-idx3-ubyte.gz",
    "load_mnist_75sp": "mnist/train-images-idx3-ubyte.gz",
}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Public(dict):
    """The names of an example: `import torch`, and `from gat_course import *`."""

    def __init__(self):
        super().__init__(torch=torch)
        self |= {name: getattr(gat_course, name) for name in gat_course.__all__}


def modules():
    walked = pkgutil.walk_packages(gat_course.__path__, "gat_course.")
    return [importlib.import_module(found.name) for found in walked]


def examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = (
        test
        for module in modules()
        for test in finder.find(module, globs={})
        if test.examples
    )
    return sorted({test.name: test for test in tests}.items())


@pytest.mark.parametrize(("name", "example"), examples())
def test_the_example_runs(name, example, request, tmp_path, monkeypatch):
    needs_dgl = "weights" in name and "dgl" in name
    if needs_dgl or name.endswith(
        ("machines.metis", "machines.cut", "machines.launch")
    ):
        request.getfixturevalue("dgl")
    if "pyg" in name:
        pytest.importorskip("torch_geometric")
    data = Path(os.environ.get("GAT_COURSE_DATA", tmp_path))
    for loader, file in NEEDED.items():
        if name.endswith(loader) and not (data / file).exists():
            pytest.skip(f"GAT_COURSE_DATA has no {file}")
    monkeypatch.chdir(tmp_path)
    matplotlib.use("agg")
    example.globs = dict(Public())
    told = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    runner.run(example, out=told.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(told)


def used(code: str) -> set:
    """Functions and classes of the package that some code uses."""
    tree, bound, found = ast.parse(code), {}, []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("gat_course"):
            home = importlib.import_module(node.module)
            for alias in node.names:
                bound[alias.asname or alias.name] = getattr(home, alias.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.append(bound.get(node.id))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if inspect.ismodule(home := bound.get(node.value.id)):
                found.append(getattr(home, node.attr))
    return {
        value
        for value in found
        if (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__.startswith("gat_course")
        and not value.__name__.startswith("_")
        # The pieces of the engine are read, in chapter 3, and called by it alone.
        and value.__module__ != "gat_course.mailbox"
    }


def code_of(path) -> str:
    cells = [c.source for c in read(path).cells if c.cell_type == "code"]
    return "\n".join(source for source in cells if "%pip" not in source)


def lacking(code: str) -> set[str]:
    """Names of what some code uses and what has no example."""
    return {v.__qualname__ for v in used(code) if ">>>" not in (v.__doc__ or "")}


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_what_a_chapter_uses_has_an_example(path):
    assert not lacking(code_of(path))


def test_a_name_without_an_example_would_be_seen():
    code = "from gat_course import fit, plotting\nfit\nplotting.style"
    assert used(code) == {gat_course.fit, gat_course.plotting.style}
    assert lacking(code) == set()
    assert lacking("from gat_course import files, fit\nfit\nfiles.whole") == {"whole"}
