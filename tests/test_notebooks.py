"""The notebooks keep to the conventions of CONTRIBUTING.md; their checks find slips.

That every notebook runs, and prints what it stores, is tested by nbval on the notebooks
themselves: see conftest.py at the top.
"""

import copy
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from tools import book, figures, header, metadata, times
from tools.address import address
from tools.book import ROOT
from tools.conventions import problems
from tools.figures import SVG, described, smaller_svg

WHERE = address()
PATHS = book.notebooks()
every_notebook = pytest.mark.parametrize("path", PATHS, ids=book.page_of)


@every_notebook
def test_keeps_to_the_conventions(path):
    found = problems(book.read(path), book.page_of(path), address())
    assert not found, "\n".join(found)


def test_figure_names_occur_once():
    cells = [cell for path in PATHS for cell in book.read(path).cells]
    figures = [cell.metadata.get("mystnb", {}).get("figure", {}) for cell in cells]
    names = [figure["name"] for figure in figures if "name" in figure]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_every_notebook_of_the_book_is_listed():
    here = [*ROOT.glob("book/*.ipynb"), *ROOT.glob("book/solutions/*.ipynb")]
    assert sorted(here) == sorted(PATHS)


# ------------------------------------------------ what nbconvert makes of them


@pytest.fixture(scope="module")
def exporters():
    return pytest.importorskip("nbconvert.exporters", reason="nbconvert is missing")


@every_notebook
def test_as_a_script_it_compiles_and_keeps_its_prose(path, exporters):
    nb = book.read(path)
    script, resources = exporters.ScriptExporter().from_notebook_node(nb)
    assert resources["output_extension"] == ".py"
    compile(script, path.name, "exec")
    lines = {line.rstrip() for line in script.splitlines()}
    prose = [c.source for c in nb.cells if c.cell_type == "markdown"]
    said = {f"# {line}".rstrip() for text in prose for line in text.splitlines()}
    assert said - lines == set()


@every_notebook
def test_its_figures_are_svg_and_say_what_they_show(path):
    for cell in book.read(path).cells:
        for output in figures.pictures(cell):
            root = ET.fromstring(output.data[SVG])
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            assert root.get("role") == "img"
            assert root.get("aria-label") == cell.metadata.mystnb.image.alt


# ------------------------------------------------ the checks find what they should


def good() -> nbformat.NotebookNode:
    """A notebook without any problem."""
    v4 = nbformat.v4
    drawn = {SVG: '<svg role="img" aria-label="A curve."/>', "text/plain": "<Figure>"}
    picture = v4.new_output("display_data", drawn)
    text = v4.new_output("stream", text="2\n")
    course = {"test": "SEEDS = range(2)"}
    figure = {"caption": "Squares.", "name": "fig-squares"}
    cells = [
        v4.new_markdown_cell(f"# 1 Title\n\n{header.colab_link('book/x', WHERE)}"),
        v4.new_code_cell(header.setup_source(WHERE), metadata={"tags": ["setup"]}),
        v4.new_code_cell(
            "SEEDS = range(5)", metadata={"tags": ["parameters"], "gat_course": course}
        ),
        v4.new_code_cell("print(1 + 1)", outputs=[text]),
        v4.new_code_cell(
            "plt.show()",
            outputs=[picture],
            metadata={"mystnb": {"figure": figure, "image": {"alt": "A curve."}}},
        ),
        v4.new_markdown_cell("Text with $a_{ij}$ and `code`.\n\n$$x \\tag{1}$$"),
    ]
    for count, cell in enumerate(cells[1:5], start=1):
        cell.execution_count = count
    noted = copy.deepcopy(metadata.PYTHON)
    noted["gat_course"] = {"data": ["Cora"], "seconds": 12.5}
    return v4.new_notebook(cells=cells, metadata=noted)


def test_a_good_notebook_has_no_problem():
    nbformat.validate(good())
    assert problems(good(), "book/x", WHERE) == []


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
        (put(1, source=f"{header.setup_source(WHERE)} dgl"), "first code cell must be"),
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
        (show(SVG, "<svg/>"), "without its alternative text: run `tidy`"),
        (lambda nb: nb.cells[4].outputs[0].update(data={"image/png": ""}), "not sharp"),
        (
            lambda nb: nb.cells[4].metadata.mystnb.image.update(alt="Another curve."),
            "without its alternative text",
        ),
        (lambda nb: nb.cells[4].outputs.append(nb.cells[4].outputs[0]), "2 figures"),
        (lambda nb: nb.metadata.pop("kernelspec"), "the kernelspec must be"),
        (lambda nb: nb.metadata.language_info.pop("nbconvert_exporter"), "run `tidy`"),
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
    found = problems(nb, "book/x", WHERE)
    assert any(message in line for line in found), found


# ------------------------------------------------ the setup cell


def set_up(monkeypatch, installed: set[str]) -> list[str]:
    """Run the setup cell as IPython does; returns what it hands to pip."""
    calls = []
    magic = SimpleNamespace(run_line_magic=lambda name, line: calls.append(line))
    find = importlib.util.find_spec

    def find_spec(name):
        return (name in installed or None) if name == "gat_course" else find(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    source = TransformerManager().transform_cell(header.setup_source(WHERE))
    exec(source, {"get_ipython": lambda: magic})
    return calls


@pytest.mark.parametrize(
    ("installed", "expected"),
    [(set(), [f"install -q git+{WHERE.repository}"]), ({"gat_course"}, [])],
)
def test_the_setup_cell_installs_what_is_missing(monkeypatch, installed, expected):
    assert set_up(monkeypatch, installed) == expected


# ------------------------------------------------ the stated times


def reading(*cells: nbformat.NotebookNode) -> float:
    return times.reading_time(nbformat.v4.new_notebook(cells=list(cells)))


def text(source: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_markdown_cell(source)


def code(source: str, *tags: str, **fields) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell(source, **fields)
    cell.metadata.tags = list(tags)
    return cell


WORD = reading(text("word"))


def test_a_reader_takes_180_words_12_lines_or_3_figures_a_minute():
    figure = nbformat.v4.new_output("display_data", {SVG: ""})
    assert reading(text("word " * 180)) == pytest.approx(1)
    assert reading(code("x = 1\n\n" * 12)) == pytest.approx(1)
    assert reading(code("", outputs=[figure] * 3)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("## Two words\n\n- and, *three* more — here", 6),
        ("| head | value |\n|---|--:|\n| one | 1.5 |", 4),
        ("See [two words](https://example.org/a/b), <b>bold</b>.", 4),
        ("<!-- unseen by readers -->seen", 1),
        ("Call `softmax(scores, dim = 1)` now", 3),
        ("With $i < j$ or $k > l$ we", 3 + 2 * 2),
        ("$$a_{ij} = \\frac{x}{y}\n\\tag{1}$$", 30),
        ("$$a$$\n\nand\n\n$$b$$", 61),
    ],
)
def test_words_of_prose_are_counted_as_a_reader_meets_them(source, words):
    assert reading(text(source)) == pytest.approx(words * WORD)


def test_code_within_prose_is_code_and_hidden_code_is_not_read():
    fenced = "In other code:\n\n```python\nx = 1\ny = 2\n```\n\nand on"
    assert reading(text(fenced)) == pytest.approx(5 * WORD + reading(code("x\ny")))
    for tag in ("setup", "hide-input", "hide-cell"):
        assert reading(code("x = 1\n" * 20, tag)) == 0
    assert reading(code("x = 1\n", "hide-output", "parameters")) > 0


@pytest.mark.parametrize(
    ("words", "minutes"), [(90, 5), (900, 5), (180 * 12, 10), (180 * 13, 15)]
)
def test_reading_times_are_rounded_to_five_minutes(words, minutes):
    nb = nbformat.v4.new_notebook(cells=[text("word " * words)])
    assert times.reading_minutes(nb) == minutes


def opened(said: str, seconds: float = 12.5) -> nbformat.NotebookNode:
    """A chapter of some 20 minutes whose opening states times."""
    nb = good()
    nb.cells[0].source = f"# 1 Title\n\n{header.colab_link('book/01-x', WHERE)}\n\n"
    nb.cells[0].source += f"**Time:** {said} on two cores. **Builds on:** nothing."
    nb.cells.append(text("word " * 180 * 19))
    nb.metadata.gat_course.seconds = seconds
    return nb


@pytest.mark.parametrize(
    ("said", "seconds", "message"),
    [
        ("20 minutes to read, under a minute to run", 12.5, None),
        ("15 minutes to read, under a minute to run", 12.5, None),
        ("10 minutes to read, under a minute to run", 12.5, "measured are 20"),
        ("30 minutes to read, under a minute to run", 12.5, "measured are 20"),
        ("20 minutes to read, under a minute to run", 80, None),
        ("20 minutes to read, under a minute to run", 100, "measured are 100 s"),
        ("20 minutes to read, about two minutes to run", 37, "measured are 37 s"),
        ("20 minutes to read, two to three minutes to run", 145.7, None),
        ("20 minutes to read, a while to run", 12.5, "expected one of"),
        ("20 minutes", 12.5, "must state its times"),
    ],
)
def test_a_chapters_times_are_checked(said, seconds, message):
    found = problems(opened(said, seconds), "book/01-x", WHERE)
    assert message in found[0] if message else found == []


def test_pages_beside_the_chapters_state_no_times():
    for page in ("book/solutions/01-x", "book/reproduction"):
        assert [*times.problems(good(), page)] == []


@pytest.mark.parametrize(
    ("said", "seconds", "told"),
    [
        ("99 minutes to read, under a minute to run", 3.5, "under a minute"),
        ("5 minutes to read, about two minutes to run", 37.5, "under a minute"),
        (
            "5 minutes to read, two to three minutes to run",
            145.7,
            "two to three minutes",
        ),
        ("5 minutes to read, under a minute to run", 145.7, "two to three minutes"),
        ("5 minutes to read, under two minutes to run", 41.0, "under a minute"),
        ("5 minutes to read, about two minutes to run", 106.5, "about two minutes"),
    ],
)
def test_the_measured_times_are_written_and_pass(said, seconds, told):
    nb = opened(said, seconds)
    times.write_times(nb)
    line = nb.cells[0].source.splitlines()[-1]
    end = "to run on two cores. **Builds on:** nothing."
    assert line == f"**Time:** 20 minutes to read, {told} {end}"
    assert problems(nb, "book/01-x", WHERE) == []


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
    nb = book.read(path)
    assert [cell.execution_count for cell in nb.cells[1:]] == [1, 2, 3]
    assert [o.text for c in nb.cells[1:] for o in c.outputs] == ["1\n", "True\n"]
    # All that is left to complain of is what this test had to put in itself.
    lines = done.stderr.splitlines()
    assert all("path of one machine" in line for line in lines), done.stderr


def test_execute_keeps_the_file_where_a_cell_fails(tree):
    path = store(tree, "print('one')", "1 / 0")
    before = path.read_bytes()
    done = tool(tree, "execute", "book/one.ipynb")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr and "1 / 0" in done.stderr
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["one.ipynb"]


def test_tidy_brings_what_surrounds_the_cells_into_form_and_runs_nothing(tree):
    figure = {"caption": "Squares.", "name": "fig-squares"}
    path = store(
        tree,
        "1 / 0",
        collapsed=True,
        mystnb={"figure": figure, "image": {"alt": "Squares."}},
    )
    nb = book.read(path)
    nb.metadata = {"gat_course": {"data": [], "seconds": 1.0}, "widgets": {}}
    output = nbformat.v4.new_output("display_data", {SVG: "<svg/>"})
    nb.cells[1].update(outputs=[output], execution_count=2)
    nb.cells[0].source += "\n\n**Time:** 90 minutes to read, under a minute to run."
    nbformat.write(nb, path)
    tool(tree, "tidy")
    nb = book.read(path)
    setup, cell = nb.cells[1:]
    setup.execution_count = 1  # as it is where the notebook was run before
    assert problems(nb, "book/one", WHERE) == []
    assert cell.outputs[0].data == {SVG: '<svg role="img" aria-label="Squares."/>'}
    assert cell.outputs[0].metadata == {}
    assert "**Time:** 5 minutes to read" in nb.cells[0].source
    before = path.read_bytes()
    tool(tree, "tidy")
    assert path.read_bytes() == before


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
    nb = book.read(path)
    nb.cells[0].source += "\n\nOutputs come from a synthetic stand-in for PPI."
    nbformat.write(nb, path)
    done = tool(tree, "execute")
    assert done.returncode == 0, done.stderr
    stored = book.read(path)
    assert stored.metadata.gat_course.data == ["synthetic stand-in for PPI"]


def test_many_graphs_count_by_the_name_of_their_set(tree):
    source = "from gat_course import synthetic_molecules\n"
    source += "molecules = synthetic_molecules(num_graphs=10)"
    path = store(tree, source)
    refused = tool(tree, "execute")
    assert refused.returncode == 1 and "synthetic stand-in for ESOL" in refused.stderr
    tool(tree, "execute", "--allow-synthetic")
    assert book.read(path).metadata.gat_course.data == ["synthetic stand-in for ESOL"]


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
    nb = book.read(path)
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
    nb = book.read(path)
    nb.cells[4].metadata.tags = ["nbval-ignore-output"]
    nbformat.write(nb, path)
    printed = run_pytest(tree)
    assert "7 passed" in printed and "failed" not in printed, printed


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        ("open('beside.txt')", "No such file or directory: 'beside.txt'"),
        ("__import__('dgl')", "import of dgl halted"),
        ("import numpy\nos.getcwd()", "name 'os' is not defined"),
    ],
)
def test_pytest_finds_what_a_notebook_may_not_need(tree, needs, message):
    path = store(tree, "a = 1", needs)
    (path.parent / "beside.txt").touch()
    nb = book.read(path)
    header.add_header(nb, "book/one", WHERE)
    nbformat.write(nb, path)
    printed = run_pytest(tree)
    assert "1 failed, 2 passed" in printed and message in printed, printed


@pytest.mark.parametrize(
    "asks",
    [
        "import_dgl = len",
        "has_dgl = len",
        "x = DGLGATLayer = 1",
        "if 0:\n    import dgl.nn",
    ],
)
def test_pytest_leaves_dgl_to_a_notebook_that_asks_for_it(tree, monkeypatch, asks):
    path = store(tree, asks, "import sys\nassert 'dgl' not in sys.modules")
    nb = book.read(path)
    header.add_header(nb, "book/one", WHERE)
    nbformat.write(nb, path)
    printed = run_pytest(tree)
    assert "3 passed" in printed and "failed" not in printed, printed
    monkeypatch.setenv("GAT_COURSE_WITHOUT_DGL", "1")
    printed = run_pytest(tree)
    assert "1 failed, 2 passed" in printed and "AssertionError" in printed, printed


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


@pytest.fixture(scope="module")
def drawn() -> str:
    figure, axes = plt.subplots()
    axes.plot(np.random.default_rng(0).random(200), label="a curve")
    axes.legend()
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    plt.close(figure)
    return buffer.getvalue()


def places(svg: str) -> np.ndarray:
    paths = re.findall(r' d="([^"]*)"', svg)
    return np.array(re.findall(r"-?[\d.]+", " ".join(paths)), dtype=float)


def test_smaller_svg_keeps_every_place(drawn):
    after = smaller_svg(drawn)
    ET.fromstring(after)
    assert len(after) < 0.9 * len(drawn) and "\n" not in after
    for gone in ("<metadata", "<?xml", "<!DOCTYPE", "<!--"):
        assert gone in drawn and gone not in after
    np.testing.assert_allclose(places(after), places(drawn), atol=0.01)
    # A scale is a factor: it keeps its digits.
    assert re.findall(r"scale\(.*?\)", after) == re.findall(r"scale\(.*?\)", drawn)
    assert smaller_svg(after) == after


def test_a_figure_says_what_it_shows_and_says_it_once(drawn):
    cell = code("")
    assert described(cell, "<svg/>") == "<svg/>"
    for alt in ("first", 'A "curve" & more'):
        cell.metadata["mystnb"] = {"image": {"alt": alt}}
        named = described(cell, smaller_svg(drawn))
        assert ET.fromstring(named).get("aria-label") == alt
        assert described(cell, named) == named
    cell.metadata["mystnb"] = {"image": {"alt": "other"}}
    assert ET.fromstring(described(cell, named)).get("aria-label") == "other"


def test_figures_are_drawn_as_svg_the_same_each_time(tree):
    draw = (
        "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2], label='a')\nplt.legend();"
    )
    path = store(tree, draw, mystnb={"image": {"alt": "A line."}})
    found = []
    for _ in range(2):
        assert tool(tree, "execute").returncode in (0, 1)
        (output,) = figures.pictures(book.read(path).cells[-1])
        found.append(output.data[SVG])
        assert "image/png" not in output.data
    assert found[0] == found[1] and 'aria-label="A line."' in found[0]


CHAPTERS = [p for p in PATHS if p.parent.name == "book" and p.stem[:2].isdigit()]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_closes_with_summary_exercises_and_reading(path):
    nb = book.read(path)
    texts = {"markdown": "", "code": ""}
    for cell in nb.cells:
        texts[cell.cell_type] += f"{cell.source}\n"
    headings = re.findall(r"^## .*", texts["markdown"], re.MULTILINE)
    last = ["Summary", "Three quick questions", "Exercises", "What to read next"]
    assert headings[-4:] == [f"## {heading}" for heading in last]
    asked = re.findall(r"^\*\*(\d+\.\d)", texts["markdown"], re.MULTILINE)
    assert asked == [f"{int(path.stem[:2])}.{k + 1}" for k in range(len(asked))]
    checked = re.findall(r'checks\.exercise\("(\d+\.\d)"', texts["code"])
    assert checked and set(checked) <= set(asked), "a checked exercise is not asked"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_exercises_say_what_they_take_and_train(path):
    nb = book.read(path)
    text = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
    exercises = text.split("## Exercises")[1].split("## What to read next")[0]
    number = len(re.findall(r"^\*\*\d+\.\d+ ", exercises, re.MULTILINE))
    form = r"^\*\*\d+\.\d+ [^*]+[.?!]\*\* \*([A-Z][a-z -]+), (\d+) min: [^*]+\.\* "
    kinds = [m[1] for m in re.finditer(form, exercises, re.MULTILINE)]
    assert len(kinds) == number
    assert set(kinds) <= {"Warm-up", "Core", "Hard", "Bug hunt", "Open-ended"}
    assert kinds[0] == "Warm-up" and "Bug hunt" in kinds
    open_ended = kinds.count("Open-ended")
    answer = "<summary>What a good answer contains</summary>"
    assert open_ended >= 1 and exercises.count(answer) == open_ended


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_three_quick_questions_answer_each_option(path):
    nb = book.read(path)
    text = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
    quiz = text.split("## Three quick questions")[1].split("## Exercises")[0]
    questions = re.split(r"^\*\*\d\.\*\* ", quiz, flags=re.MULTILINE)[1:]
    assert len(questions) == 3
    for question in questions:
        option = r"<details>\n<summary>.+</summary>\n\n(.+)\n\n</details>"
        answers = re.findall(option, question)
        assert len(answers) == question.count("<details>") >= 3
        firsts = [re.match(r"\w+", answer)[0] for answer in answers]
        assert set(firsts) == {"Right", "Not"} and firsts.count("Right") == 1
        assert all(len(answer) > 20 for answer in answers)
