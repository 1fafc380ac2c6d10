"""The notebooks keep to the conventions of CONTRIBUTING.md; their checks find slips.

That every notebook runs, and prints what it stores, is tested by nbval on the notebooks
themselves: see conftest.py at the top.
"""

import base64
import io
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nbformat
import numpy as np
import pytest
from IPython.utils.text import DollarFormatter
from PIL import Image

from tools import notebooks
from tools.notebooks import ROOT

WHERE = notebooks.address()
PATHS = notebooks.notebooks()
every_notebook = pytest.mark.parametrize("path", PATHS, ids=notebooks.page_of)


@every_notebook
def test_keeps_to_the_conventions(path):
    found = notebooks.problems(
        notebooks.read(path), notebooks.page_of(path), notebooks.address()
    )
    assert not found, "\n".join(found)


def test_figure_names_occur_once():
    names = [n for path in PATHS for n in notebooks.figure_names(notebooks.read(path))]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_every_notebook_of_the_book_is_listed():
    here = [*ROOT.glob("book/*.ipynb"), *ROOT.glob("book/solutions/*.ipynb")]
    assert sorted(here) == sorted(PATHS)


# ------------------------------------------------ the checks find what they should


def good() -> nbformat.NotebookNode:
    """A notebook without any problem."""
    v4 = nbformat.v4
    png = v4.new_output("display_data", {"image/png": "", "text/plain": "<Figure>"})
    text = v4.new_output("stream", text="2\n")
    course = {"test": "SEEDS = range(2)"}
    figure = {"caption": "Squares.", "name": "fig-squares"}
    cells = [
        v4.new_markdown_cell(f"# 1 Title\n\n{notebooks.colab_link('book/x', WHERE)}"),
        v4.new_code_cell(notebooks.setup_source(WHERE), metadata={"tags": ["setup"]}),
        v4.new_code_cell(
            "SEEDS = range(5)", metadata={"tags": ["parameters"], "gat_course": course}
        ),
        v4.new_code_cell("print(1 + 1)", outputs=[text]),
        v4.new_code_cell(
            "plt.show()",
            outputs=[png],
            metadata={"mystnb": {"figure": figure, "image": {"alt": "A curve."}}},
        ),
        v4.new_markdown_cell("Text with $a_{ij}$ and `code`.\n\n$$x \\tag{1}$$"),
    ]
    for count, cell in enumerate(cells[1:5], start=1):
        cell.execution_count = count
    metadata = {
        "kernelspec": notebooks.KERNELSPEC,
        "language_info": notebooks.LANGUAGE,
        "gat_course": {"data": ["Cora"], "seconds": 12.5},
    }
    return v4.new_notebook(cells=cells, metadata=metadata)


def test_a_good_notebook_has_no_problem():
    nbformat.validate(good())
    assert notebooks.problems(good(), "book/x", WHERE) == []


def put(cell: int, **changes):
    return lambda nb: nb.cells[cell].update(changes)


def say(text: str):
    return lambda nb: nb.cells[3].outputs[0].update(text=text)


def show(kind: str, value: str = ""):
    return lambda nb: nb.cells[4].outputs[0].data.update({kind: value})


def note(cell: int, **changes):
    return lambda nb: nb.cells[cell].metadata.update(changes)


def course(**changes):
    return lambda nb: nb.metadata.gat_course.update(changes)


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        (put(0, source="Title"), "begin with the title"),
        (put(0, source="# Title\n\nText"), "the line after the title must be"),
        (put(1, source="import gat_course"), "first code cell must be"),
        (note(1, tags=[]), "must carry the tag `setup`"),
        (put(3, source="dgl = import_dgl()"), "gat-course[dgl]"),
        (put(3, execution_count=9), "not run once each, in order: [1, 2, 9, 4]"),
        (put(3, execution_count=None), "in order: [1, 2, None, 4]"),
        (lambda nb: [c.update(id="s") for c in nb.cells], "cells share the id 's'"),
        (put(3, source="\n"), "is empty"),
        (put(3, source="x\n" * 31), "has 31 lines"),
        (put(3, source="x" * 80), "more than 79 characters"),
        (put(3, source="open('/home/me/x')"), "path of one machine: /home/m"),
        (put(5, source="Look into `/tmp/x`."), "path of one machine: /tmp/x"),
        (put(5, source="```{note}\nx\n```"), "uses MyST"),
        (put(5, source=":::{figure} x\n:::"), "uses MyST"),
        (put(5, source="See {ref}`x`."), "uses MyST"),
        (put(5, source="(label)=\n## Title"), "uses MyST"),
        (put(5, source="![Badge](https://example.org/x.svg)"), "asks a third party"),
        (put(5, source='<img src="//example.org/x" alt="x">'), "asks a third party"),
        (put(5, source="![](x.png)"), "without alternative text"),
        (put(5, cell_type="raw"), "is of type raw"),
        (note(3, collapsed=True), "metadata that no reader uses: ['collapsed']"),
        (note(3, tags=["nbval-ignore-outputs"]), "unknown tags"),
        (note(2, tags=[]), "a test text but not the tag `parameters`"),
        (
            lambda nb: nb.cells[2].update(outputs=nb.cells[3].outputs),
            "shrunk in tests and shows something",
        ),
        (note(2, gat_course={"test": "SEED = 1"}), "sets ['SEED'], it does not"),
        (note(2, gat_course={"test": "SEEDS ="}), "test text is not Python"),
        (say("/Users/me/data\n"), "prints a path of one machine"),
        (say("C:\\Users\n"), "prints a path of one machine"),
        (say("<object at 0x7f00aa>"), "prints an address in memory"),
        (say(" 50%|#### | 5/10"), "prints a progress bar"),
        (lambda nb: nb.cells[3].outputs[0].update(name="stderr"), "stores stderr"),
        (show("application/vnd.jupyter.widget-view+json"), "stores a widget"),
        (show("text/html", '<script src="x.js">'), "asks a third party"),
        (note(4, mystnb={}), "without caption, name or alternative text"),
        (
            note(4, mystnb={"figure": {"caption": "x", "name": "x"}}),
            "without caption, name or alternative text",
        ),
        (
            lambda nb: nb.cells[4].metadata.mystnb.figure.update(name="x"),
            "expected fig-",
        ),
        (lambda nb: nb.cells[4].outputs.append(nb.cells[4].outputs[0]), "2 figures"),
        (lambda nb: nb.metadata.pop("kernelspec"), "the kernelspec must be"),
        (lambda nb: nb.metadata.update(widgets={}), "metadata that no reader uses"),
        (lambda nb: nb.metadata.pop("gat_course"), "run that"),
        (course(data=["synthetic stand-in for Cora"]), "run it on real data"),
        (course(seconds=1000), "it ran 1000 s"),
        (
            lambda nb: nb.cells[3].outputs.append(
                nbformat.v4.new_output("error", ename="ValueError", evalue="no")
            ),
            "ends in an error: ValueError: no",
        ),
    ],
)
def test_finds(slip, message):
    nb = good()
    slip(nb)
    found = notebooks.problems(nb, "book/x", WHERE)
    assert any(message in line for line in found), found


# ------------------------------------------------ running, in a small copy of the tree


@pytest.fixture
def tree(tmp_path):
    """A project of one notebook, with this project's tools and settings."""
    for name in ("tools", "conftest.py", "pyproject.toml", "_config.yml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text(
        "root: book/intro\nparts: [{chapters: [{file: book/one}]}]\n"
    )
    return tmp_path


def store(tree: Path, *sources: str, **metadata) -> Path:
    """Write the tree's notebook; the last cell gets the metadata."""
    v4 = nbformat.v4
    cells = [v4.new_markdown_cell("# 1 One\n\nText.")]
    cells += [v4.new_code_cell(source) for source in sources]
    cells[-1].metadata.update(metadata)
    path = tree / "book" / "one.ipynb"
    nbformat.write(v4.new_notebook(cells=cells), path)
    return path


def tool(tree: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "tools/notebooks.py", *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_execute_stores_outputs_that_pass_the_check(tree):
    path = store(
        tree,
        "import os\nimport sys\n\nprint(os.environ['TQDM_DISABLE'])",
        f"print('noise', file=sys.stderr)\nprint(sys.executable == {sys.executable!r})",
        collapsed=True,
    )
    done = tool(tree, "execute")
    nb = notebooks.read(path)
    assert [cell.execution_count for cell in nb.cells[1:]] == [1, 2, 3]
    assert [o.text for c in nb.cells[1:] for o in c.outputs] == ["1\n", "True\n"]
    # All that is left to complain of is what this test had to put in itself.
    lines = done.stderr.splitlines()
    assert all("path of one machine" in line for line in lines), done.stderr


def test_execute_installs_dgl_where_a_cell_imports_it(tree):
    path = store(tree, "def import_dgl():\n    pass", "import_dgl()")
    assert tool(tree, "execute").returncode == 0
    setup = notebooks.read(path).cells[1].source
    assert '%pip install -q "gat-course[dgl] @ {course}"' in setup
    # IPython fills in the name before it calls pip.
    line = re.search(r"%pip (.*)", setup)[1]
    filled = DollarFormatter().vformat(line, (), {"course": "git+https://x.org/c"})
    assert filled == 'install -q "gat-course[dgl] @ git+https://x.org/c"'


def test_execute_keeps_the_file_where_a_cell_fails(tree):
    path = store(tree, "print('one')", "1 / 0")
    before = path.read_bytes()
    done = tool(tree, "execute", "book/one.ipynb")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr and "1 / 0" in done.stderr
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["one.ipynb"]


def test_execute_refuses_a_stand_in_for_real_data(tree):
    path = store(
        tree,
        "from gat_course import synthetic_citation",
        "graphs = {'one': synthetic_citation()}",
    )
    before = path.read_bytes()
    done = tool(tree, "execute")
    assert done.returncode == 1
    assert "synthetic stand-in for Cora" in done.stderr
    assert path.read_bytes() == before
    told = tool(tree, "execute", "--allow-synthetic")
    assert path.read_bytes() != before
    # The convention still holds: such outputs do not pass as the book's.
    assert told.returncode == 1 and "run it on real data" in told.stderr


def test_a_page_may_declare_its_stand_in(tree):
    source = "from gat_course import synthetic_tissues\n"
    source += "tissues = synthetic_tissues(num_graphs=(1, 1, 1), num_nodes=10)"
    path = store(tree, source)
    refused = tool(tree, "execute")
    assert refused.returncode == 1 and "synthetic stand-in for PPI" in refused.stderr
    nb = notebooks.read(path)
    nb.cells[0].source += "\n\nOutputs come from a synthetic stand-in for PPI."
    nbformat.write(nb, path)
    done = tool(tree, "execute")
    assert done.returncode == 0, done.stderr
    stored = notebooks.read(path)
    assert stored.metadata.gat_course.data == ["synthetic stand-in for PPI"]


def run_pytest(tree: Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "book"]
    command += options
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True
    )
    return done.stdout


def test_pytest_shrinks_and_compares_cells(tree):
    shrink = {"tags": ["parameters"], "gat_course": {"test": "SEEDS = range(2)"}}
    path = store(tree, "import sys", "SEEDS = range(5)", **shrink)
    nb = notebooks.read(path)
    more = [
        "print(len(SEEDS))",  # shrunk: prints 2, not the stored 5
        "print('noise', file=sys.stderr)",  # stderr is not compared
        "print(6 * 7)",
        "6 * 7;",
    ]
    nb.cells += [nbformat.v4.new_code_cell(source) for source in more]
    nbformat.write(nb, path)
    shutil.copy(path, path.with_name("unlisted.ipynb"))
    assert tool(tree, "execute").returncode == 0
    printed = run_pytest(tree)
    assert "1 failed, 6 passed" in printed, printed
    assert "unlisted" not in printed
    nb = notebooks.read(path)
    nb.cells[4].metadata.tags = ["nbval-ignore-output"]
    nbformat.write(nb, path)
    printed = run_pytest(tree)
    assert "7 passed" in printed and "failed" not in printed, printed


@pytest.mark.parametrize("dist", ["load", "worksteal", "loadgroup", "loadfile"])
def test_a_notebooks_cells_share_a_kernel_under_xdist(tree, dist):
    store(tree, "a = 1", *["a += 1"] * 5, "assert a == 6")
    printed = run_pytest(tree, "-n", "2", "--dist", dist)
    assert "7 passed" in printed and "failed" not in printed, printed


def test_xdist_takes_the_files_in_their_order(tree):
    """The one with fewer cells, the book's longest, may come first."""
    path = store(tree, "1;", "2;")
    shutil.copy(path, tree / "book" / "two.ipynb")
    store(tree, "1;")
    toc = "root: book/intro\nparts: [{chapters: [{file: book/one}, {file: book/two}]}]"
    (tree / "_toc.yml").write_text(toc)
    printed = run_pytest(tree, "-n", "1", "-vv")
    ran = re.findall(r"PASSED book/(\w+)", printed)
    assert ran == ["one", "two", "two"], printed


# ------------------------------------------------ pictures


def encode(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return base64.b64encode(buffer.getvalue()).decode()


def decode(encoded: str) -> np.ndarray:
    picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
    return np.asarray(picture.convert("RGBA")).astype(int)


def pictures() -> dict[str, np.ndarray]:
    chance = np.random.default_rng(0)
    colours = chance.integers(0, 256, (50, 3), np.uint8)
    ramp = np.linspace(0, 255, 80, dtype=np.uint8)
    transparent = np.zeros((80, 80, 4), np.uint8)
    transparent[..., 3] = ramp
    return {
        "50 colours": colours[chance.integers(0, 50, (80, 80))],
        "transparent": transparent,
        "noise": chance.integers(0, 256, (80, 80, 3), np.uint8),
    }


@pytest.mark.parametrize("picture", pictures().values(), ids=pictures())
def test_smaller_png_keeps_the_picture(picture):
    before = encode(picture)
    after = notebooks.smaller_png(before)
    assert len(after) <= len(before)
    assert abs(decode(after) - decode(before)).max() <= 20


def test_smaller_png_is_smaller_where_few_colours_do():
    before = encode(pictures()["50 colours"])
    assert len(notebooks.smaller_png(before)) < len(before) / 2
