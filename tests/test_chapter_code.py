"""What a chapter builds is what the package ships: the same code, so neither drifts."""

import ast
import importlib
import inspect
import textwrap
from pathlib import Path

import nbformat
import pytest

BOOK = Path(__file__).parent.parent / "book"

# What each chapter must build in front of the reader, and which module of the package
# keeps it, or which class of a module.
BUILT = {
    "01-attention": {
        "mean_weights": "formulas",
        "gcn_weights": "formulas",
        "masked_softmax": "formulas",
        "scaled_dot_product_attention": "formulas",
        "attention_scores": "formulas",
    },
    "02-dense": {"joined_scores": "formulas", "DenseGATLayer": "layers.gat"},
    "03-message-passing": {
        "UDFGATLayer": "layers.dgl_layers",
        "DGLGATLayer": "layers.dgl_layers",
        "edge_softmax": "formulas",
        "aggregate": "formulas",
        "EdgeGATLayer": "layers.gat",
    },
    "04-heads": {"forward": "layers.GATLayer", "GAT": "models"},
    "06-ppi": {"InductiveGAT": "models", "right_attention": "attention"},
    "09-fast": {"attend_in_chunks": "fused", "gradients_in_chunks": "fused"},
}


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


def definitions(path):
    """Functions and classes of a notebook's code cells, by name."""
    found = {}
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type != "code" or "%pip" in cell.source:
            continue
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found[node.name] = node
    return found


@pytest.mark.parametrize(
    ("chapter", "name"), [(c, n) for c, names in BUILT.items() for n in names]
)
def test_the_chapters_code_is_the_packages(chapter, name):
    cells = definitions(BOOK / f"{chapter}.ipynb")
    assert name in cells, f"{chapter} no longer builds {name}"
    module, *within = BUILT[chapter][name].split(".")
    owner = importlib.import_module(f"gat_course.{module}")
    for part in within:
        owner = getattr(owner, part)
    source = textwrap.dedent(inspect.getsource(getattr(owner, name)))
    shipped = ast.parse(source).body[0]
    assert bare(cells[name]) == bare(shipped)


SHIPPED = (
    "attention",
    "layers.dgl_layers",
    "formulas",
    "layers.fused",
    "training.many_graphs",
    "layers.gat",
    "models",
    "graphs",
)


@pytest.mark.parametrize("path", sorted(BOOK.glob("*.ipynb")), ids=lambda p: p.stem)
def test_no_chapter_defines_a_second_version_of_a_public_name(path):
    shipped = {}
    for module in SHIPPED:
        members = vars(importlib.import_module(f"gat_course.{module}"))
        shipped |= {n: o for n, o in members.items() if not n.startswith("_")}
    listed = BUILT.get(path.stem, {})
    twice = [n for n in definitions(path) if n in shipped and n not in listed]
    assert not twice, f"{path.name} defines {twice} anew; list them in BUILT"


def test_the_comparison_sees_a_difference():
    a, b = (
        "def f(x: int) -> int:\n    'doc'\n    return x + 1",
        "def f(x): return x + 2",
    )
    same = "def f(x):\n    return x + 1"
    parse = [ast.parse(s).body[0] for s in (a, b, same)]
    assert bare(parse[0]) == bare(parse[2]) != bare(parse[1])
