"""What a chapter builds is what the package ships: the same code, so neither drifts.

The cells that build it say so in their metadata: see "Shared code" in CONTRIBUTING.md.
"""

import ast
import inspect
import pkgutil
import textwrap
from importlib import import_module

import pytest

import gat_course
from tools import book

# Rooms that no chapter builds.
BESIDE = {"checks", "plotting", "experiments"}


class _Bare(ast.NodeTransformer):
    """Drops docstrings and type hints; everything else must be the same."""

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        node.returns = None
        return self._without_docstring(node)

    def visit_ClassDef(self, node):
        self.generic_visit(node)
        return self._without_docstring(node)

    def visit_arg(self, node):
        node.annotation = None
        return node

    @staticmethod
    def _without_docstring(node):
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node


def bare(node):
    return ast.dump(_Bare().visit(node))


def definitions(cell):
    """Functions and classes of a code cell, by name."""
    kinds = ast.FunctionDef | ast.ClassDef
    nodes = ast.parse(cell.source).body
    return {node.name: node for node in nodes if isinstance(node, kinds)}


def said(cell, key):
    return cell.metadata.get("gat_course", {}).get(key, [])


CELLS = [  # of each chapter, those that define something, with its name
    (path.stem, cell)
    for path in book.notebooks()
    if path.parent == book.ROOT / "book"
    for cell in book.read(path).cells
    if cell.cell_type == "code" and "%pip" not in cell.source and definitions(cell)
]
BUILT = [
    pytest.param(path, cell, id=f"{chapter}: {path}")
    for chapter, cell in CELLS
    for path in said(cell, "builds")
]


def test_chapters_build_the_layer_and_the_model():
    assert {"layers.GATLayer.forward", "models.GAT"} <= {b.values[0] for b in BUILT}


@pytest.mark.parametrize(("path", "cell"), BUILT)
def test_the_chapters_code_is_the_packages(path, cell):
    name = path.split(".")[-1]
    assert name in definitions(cell), f"the cell no longer builds {name}"
    source = inspect.getsource(pkgutil.resolve_name(f"gat_course.{path}"))
    shipped = ast.parse(textwrap.dedent(source)).body[0]
    assert bare(definitions(cell)[name]) == bare(shipped)


@pytest.fixture(scope="module")
def shipped():
    """The public names of all modules outside the rooms beside."""
    found = set()
    for module in pkgutil.walk_packages(gat_course.__path__, "gat_course."):
        if module.name.split(".")[1] not in BESIDE:
            for name, member in vars(import_module(module.name)).items():
                home = getattr(member, "__module__", None) or ""
                if home.startswith("gat_course") and not name.startswith("_"):
                    found.add(name)
    assert {"GATLayer", "edge_softmax", "fit", "load"} <= found
    return found


@pytest.mark.parametrize("chapter", dict(CELLS))
def test_a_cell_says_which_public_names_it_defines(chapter, shipped):
    for name, cell in CELLS:
        if name == chapter:
            own = said(cell, "own")
            known = {*own, *(path.split(".")[-1] for path in said(cell, "builds"))}
            twice = (shipped & set(definitions(cell))) - known
            assert not twice, f"{twice} are the package's: the cell must say `builds`"
            assert shipped & set(definitions(cell)) >= set(own)


def test_the_comparison_sees_a_difference():
    a, b = (
        "def f(x: int) -> int:\n    'doc'\n    return x + 1",
        "def f(x): return x + 2",
    )
    same = "def f(x):\n    return x + 1"
    parse = [ast.parse(s).body[0] for s in (a, b, same)]
    assert bare(parse[0]) == bare(parse[2]) != bare(parse[1])
