"""What in a notebook departs from the conventions of CONTRIBUTING.md."""

import ast
import re
from collections import Counter

from nbformat import NotebookNode

from tools import header, metadata, times
from tools.address import Address
from tools.figures import described
from tools.metadata import CELL_KEYS

MAX_LINES, MAX_COLUMNS = 30, 79
TAGS = {
    "setup",
    "parameters",
    "nbval-ignore-output",
    "hide-input",
    "hide-output",
    "hide-cell",
}
_MACHINE_PATH = re.compile(
    r"(?<![\w.:/~>-])/(?:home|root|Users|tmp|var|opt|mnt|work|srv)/\w|\b[A-Z]:\\\w"
)
_MYST = re.compile(
    r"(?m)^\s*(?:```+|~~~+|:::+)\{|(?<![`$\\\w])\{[a-zA-Z:_-]+\}`|^\([\w-]+\)=\s*$"
)
_THIRD_PARTY = re.compile(
    r"!\[[^\]]*\]\(\s*<?(?:https?:)?//|<script|\bsrc\s*=\s*[\"']?(?:https?:)?//", re.I
)
_PROGRESS = re.compile(r"\r|\d+%\||it/s\]")


def problems(nb: NotebookNode, page: str, where: Address) -> list[str]:
    """What in a notebook departs from the conventions; empty where nothing does.

    `page` is its name in `_toc.yml`. Each line says which cell (as counted by an
    editor, from 1), what is wrong and what is expected.
    """
    found = [*header.problems(nb, page, where), *metadata.problems(nb)]
    found += times.problems(nb, page)
    repeated = [i for i, n in Counter(c.get("id") for c in nb.cells).items() if n > 1]
    if repeated:
        found.append(f"cells share the id {repeated[0]!r}, or have none")
    counts = [c.execution_count for c in nb.cells if c.cell_type == "code"]
    if counts != list(range(1, len(counts) + 1)):
        found.append(f"its cells were not run once each, in order: {counts}")
    for number, cell in enumerate(nb.cells, start=1):
        of_cell = []
        if cell.cell_type == "code":
            of_cell += _code_problems(cell)
        elif cell.cell_type == "markdown":
            of_cell += _markdown_problems(cell.source)
        else:
            of_cell.append(f"is of type {cell.cell_type}, expected markdown or code")
        if extra := set(cell.metadata) - CELL_KEYS:
            of_cell.append(f"has metadata that no reader uses: {sorted(extra)}")
        if match := _MACHINE_PATH.search(cell.source):
            of_cell.append(f"names a path of one machine: {match[0]}…")
        found += [f"cell {number} {text}" for text in of_cell]
    return found


def _markdown_problems(source: str) -> list[str]:
    found = []
    if match := _MYST.search(source):
        found.append(f"uses MyST, which GitHub and Colab show raw: {match[0].strip()}")
    if match := _THIRD_PARTY.search(source):
        found.append(f"asks a third party: {match[0]}…")
    if re.search(r"!\[\s*\]\(|<img(?![^>]*\balt\s*=)", source):
        found.append("has an image without alternative text")
    return found


def _code_problems(cell: NotebookNode) -> list[str]:
    found = []
    lines = cell.source.splitlines()
    tags = cell.metadata.get("tags", [])
    if not cell.source.strip():
        found.append("is empty")
    if len(lines) > MAX_LINES:
        found.append(f"has {len(lines)} lines, at most {MAX_LINES} fit on a screen")
    if any(len(line) > MAX_COLUMNS for line in lines):
        found.append(f"has a line of more than {MAX_COLUMNS} characters")
    if unknown := set(tags) - TAGS:
        found.append(f"has unknown tags {sorted(unknown)}; known are {sorted(TAGS)}")
    found += _test_problems(cell)
    for output in cell.outputs:
        found += _output_problems(output)
    images = sum("image/png" in output.get("data", {}) for output in cell.outputs)
    if images > 1:
        found.append(f"shows {images} figures; one a cell, so that each has a caption")
    if images:
        mystnb = cell.metadata.get("mystnb", {})
        figure, alt = mystnb.get("figure", {}), mystnb.get("image", {}).get("alt")
        if not (figure.get("caption") and figure.get("name") and alt):
            found.append(
                "shows a figure without caption, name or alternative text in its "
                'metadata: {"mystnb": {"figure": {"caption": "…", "name": "fig-…"}, '
                '"image": {"alt": "…"}}}'
            )
        elif not re.fullmatch(r"fig-[a-z0-9-]+", figure["name"]):
            found.append(f"names its figure {figure['name']!r}, expected fig-…")
        if any(o.metadata != described(cell, o) for o in cell.outputs if "data" in o):
            found.append("shows a figure without its alternative text: run `tidy`")
    return found


def _test_problems(cell: NotebookNode) -> list[str]:
    """What is wrong with the text that shrinks a cell in tests."""
    shrink = cell.metadata.get("gat_course", {}).get("test")
    if shrink is None:
        return []
    if "parameters" not in cell.metadata.get("tags", []):
        return ["has a test text but not the tag `parameters`"]
    if cell.outputs and "nbval-ignore-output" not in cell.metadata.tags:
        return ["is shrunk in tests and shows something: tag it `nbval-ignore-output`"]
    try:
        unknown = _assigned(shrink) - _assigned(cell.source)
    except SyntaxError as error:
        return [f"or its test text is not Python: {error}"]
    return [f"has a test text that sets {sorted(unknown)}, it does not"] * bool(unknown)


def _assigned(source: str) -> set[str]:
    nodes = ast.walk(ast.parse(source))
    return {
        node.id
        for node in nodes
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _output_problems(output: NotebookNode) -> list[str]:
    if output.output_type == "error":
        return [f"ends in an error: {output.ename}: {output.evalue}"]
    if output.get("name") == "stderr":
        return ["stores stderr (a warning or a progress bar)"]
    data = output.get("data", {"text/plain": output.get("text", "")})
    if any("widget" in kind for kind in data):
        return ["stores a widget, whose scripts come from a third party"]
    found = []
    text = "\n".join(str(value) for kind, value in data.items() if "text" in kind)
    if match := _MACHINE_PATH.search(text):
        found.append(f"prints a path of one machine: {match[0]}…")
    if match := re.search(r"\bat 0x[0-9a-f]+", text):
        found.append(f"prints an address in memory: {match[0]}")
    if _PROGRESS.search(text):
        found.append("prints a progress bar")
    if "text/html" in data and (match := _THIRD_PARTY.search(str(data["text/html"]))):
        found.append(f"asks a third party: {match[0]}…")
    return found
