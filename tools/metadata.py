"""What a notebook notes beside cells and outputs, and how it is brought into form."""

from collections.abc import Iterator

from nbformat import NotebookNode

from tools.address import Address
from tools.figures import SVG, described
from tools.header import add_header
from tools.times import write_times

STAND_IN = "synthetic stand-in"  # in the name of every graph that replaces real data
MAX_SECONDS = 240  # a notebook's run on two cores
CELL_KEYS = {"tags", "mystnb", "gat_course"}
PYTHON = {  # what a notebook says of its language
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",  # `nbconvert --to script` writes Python by it
        "pygments_lexer": "ipython3",
    },
}


def tidy(nb: NotebookNode, page: str, where: Address) -> None:
    """Write header, times and metadata as CONTRIBUTING.md has them; drop stderr."""
    add_header(nb, page, where)
    write_times(nb)
    course = nb.metadata.get("gat_course", {})
    nb.metadata = NotebookNode(PYTHON, gat_course=course)
    for cell in nb.cells:
        kept = CELL_KEYS & set(cell.metadata)
        cell.metadata = NotebookNode({key: cell.metadata[key] for key in sorted(kept)})
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            for output in cell.outputs:
                if "metadata" in output:
                    output.metadata = NotebookNode()
                if SVG in output.get("data", {}):
                    output.data[SVG] = described(cell, output.data[SVG])
    nb.nbformat_minor = 5


def undeclared(nb: NotebookNode, data: list[str]) -> list[str]:
    """The graphs that stand in for real data without the first cell telling readers."""
    if STAND_IN in nb.cells[0].source:
        return []
    return [name for name in data if STAND_IN in name]


def problems(nb: NotebookNode) -> Iterator[str]:
    """What in the notebook's own metadata is missing, wrong or too much."""
    for key, expected in PYTHON.items():
        if nb.metadata.get(key) != expected:
            yield f"the {key} must be {expected}: run `tidy`"
    if extra := set(nb.metadata) - {*PYTHON, "gat_course"}:
        yield f"the notebook has metadata that no reader uses: {sorted(extra)}"
    course = nb.metadata.get("gat_course", {})
    if not {"data", "seconds"} <= set(course):
        yield "it was not stored by `tools/notebooks.py execute`: run that"
    elif undeclared(nb, course["data"]):
        yield (
            "its outputs come from a synthetic stand-in: run it on real data, or say "
            "so in the first cell"
        )
    elif course["seconds"] > MAX_SECONDS:
        yield f"it ran {course['seconds']} s, at most {MAX_SECONDS} s are meant"
