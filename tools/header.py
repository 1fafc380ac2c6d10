"""The opening of a notebook: its Colab link and its setup cell."""

import re
from collections.abc import Iterator

import nbformat
from nbformat import NotebookNode

from tools.address import Address


def colab_link(page: str, where: Address) -> str:
    """The second line of a notebook: a text link, as a badge asks a third party."""
    blob = f"github/{where.slug}/blob/{where.branch}/{page}.ipynb"
    return f"[Open in Colab](https://colab.research.google.com/{blob})"


def setup_source(where: Address) -> str:
    """The first code cell of every notebook."""
    return f"""\
from importlib.util import find_spec

if find_spec("gat_course") is None:  # on Colab: adds the course, keeps torch
    %pip install -q git+{where.repository}"""


def add_header(nb: NotebookNode, page: str, where: Address) -> None:
    """Write the Colab link below the title, and the setup cell: anew or in place."""
    title, _, rest = nb.cells[0].source.partition("\n")
    text = re.sub(r"(?m)^\[Open in Colab\].*\n?", "", rest).strip("\n")
    nb.cells[0].source = f"{title}\n\n{colab_link(page, where)}\n\n{text}".rstrip()
    kinds = [cell.cell_type for cell in nb.cells]
    index = [*kinds, "code"].index("code")
    if index == len(kinds) or "%pip install" not in nb.cells[index].source:
        nb.cells.insert(index, nbformat.v4.new_code_cell())
    nb.cells[index].source = setup_source(where)
    nb.cells[index].metadata.tags = ["setup", "hide-input"]


def problems(nb: NotebookNode, page: str, where: Address) -> Iterator[str]:
    """What in the opening is not as `add_header` writes it."""
    first, link = nb.cells[0], colab_link(page, where)
    lines = [line for line in first.source.splitlines() if line.strip()]
    if first.cell_type != "markdown" or not lines or not lines[0].startswith("# "):
        yield "cell 1 must be Markdown and begin with the title, `# …`"
    elif lines[1:2] != [link]:
        yield f"cell 1: the line after the title must be {link}"
    setup = setup_source(where)
    code = next((cell for cell in nb.cells if cell.cell_type == "code"), None)
    if code is None or code.source != setup:
        yield f"the first code cell must be:\n{setup}"
    elif "setup" not in code.metadata.get("tags", []):
        yield "the first code cell must carry the tag `setup`"
