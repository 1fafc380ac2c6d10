"""What in a notebook departs from the conventions of CONTRIBUTING.md."""

import ast
import re
from collections import Counter
from collections.abc import Iterator

from nbformat import NotebookNode

from tools import figures, header, metadata, times
from tools.address import Address

MAX_LINES, MAX_COLUMNS = 30, 79
TAGS = times.HIDDEN | {"parameters", "nbval-ignore-output", "hide-output"}
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
    """Which cell (an editor counts from 1) departs in what, and what is expected.

    `page` is the notebook's name in `_toc.yml`.
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
        found += [f"cell {number} {text}" for text in _cell_problems(cell)]
    return found


def _cell_problems(cell: NotebookNode) -> Iterator[str]:
    if cell.cell_type == "code":
        yield from _code_problems(cell)
    elif cell.cell_type == "markdown":
        yield from _markdown_problems(cell.source)
    else:
        yield f"is of type {cell.cell_type}, expected markdown or code"
    if extra := set(cell.metadata) - metadata.CELL_KEYS:
        yield f"has metadata that no reader uses: {sorted(extra)}"
    if match := _MACHINE_PATH.search(cell.source):
        yield f"names a path of one machine: {match[0]}…"


def _markdown_problems(source: str) -> Iterator[str]:
    if match := _MYST.search(source):
        yield f"uses MyST, which GitHub and Colab show raw: {match[0].strip()}"
    if match := _THIRD_PARTY.search(source):
        yield f"asks a third party: {match[0]}…"
    if re.search(r"!\[\s*\]\(|<img(?![^>]*\balt\s*=)", source):
        yield "has an image without alternative text"


def _code_problems(cell: NotebookNode) -> Iterator[str]:
    lines = cell.source.splitlines()
    if not cell.source.strip():
        yield "is empty"
    if len(lines) > MAX_LINES:
        yield f"has {len(lines)} lines, at most {MAX_LINES} fit on a screen"
    if any(len(line) > MAX_COLUMNS for line in lines):
        yield f"has a line of more than {MAX_COLUMNS} characters"
    if unknown := set(cell.metadata.get("tags", [])) - TAGS:
        yield f"has unknown tags {sorted(unknown)}; known are {sorted(TAGS)}"
    yield from _test_problems(cell)
    for output in cell.outputs:
        yield from _output_problems(output)
    yield from figures.problems(cell)


def _test_problems(cell: NotebookNode) -> Iterator[str]:
    """What is wrong with the text that shrinks a cell in tests."""
    shrink = cell.metadata.get("gat_course", {}).get("test")
    if shrink is None:
        return
    if "parameters" not in cell.metadata.get("tags", []):
        yield "has a test text but not the tag `parameters`"
    elif cell.outputs and "nbval-ignore-output" not in cell.metadata.tags:
        yield "is shrunk in tests and shows something: tag it `nbval-ignore-output`"
    try:
        if unknown := _assigned(shrink) - _assigned(cell.source):
            yield f"has a test text that sets {sorted(unknown)}, it does not"
    except SyntaxError as error:
        yield f"or its test text is not Python: {error}"


def _assigned(source: str) -> set[str]:
    names = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}


def _output_problems(output: NotebookNode) -> Iterator[str]:
    data = output.get("data", {"text/plain": output.get("text", "")})
    if output.output_type == "error":
        yield f"ends in an error: {output.ename}: {output.evalue}"
    elif output.get("name") == "stderr":
        yield "stores stderr (a warning or a progress bar)"
    elif any("widget" in kind for kind in data):
        yield "stores a widget, whose scripts come from a third party"
    else:
        text = "\n".join(str(value) for kind, value in data.items() if "text" in kind)
        if match := _MACHINE_PATH.search(text):
            yield f"prints a path of one machine: {match[0]}…"
        if match := re.search(r"\bat 0x[0-9a-f]+", text):
            yield f"prints an address in memory: {match[0]}"
        if _PROGRESS.search(text):
            yield "prints a progress bar"
        if match := _THIRD_PARTY.search(str(data.get("text/html", ""))):
            yield f"asks a third party: {match[0]}…"
