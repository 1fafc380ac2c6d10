"""What a notebook notes beside cells and outputs, and how it is brought into form."""

from nbformat import NotebookNode

from tools.address import Address
from tools.figures import described
from tools.header import add_header
from tools.times import write_times

STAND_IN = "synthetic stand-in"  # in the name of every graph that replaces real data
MAX_SECONDS = 240  # a notebook's run on two cores
CELL_KEYS = {"tags", "mystnb", "gat_course"}
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",  # `nbconvert --to script` writes Python by it
    "pygments_lexer": "ipython3",
}


def tidy(nb: NotebookNode, page: str, where: Address) -> None:
    """Bring what surrounds cells and outputs into the form of CONTRIBUTING.md.

    That is the header, the stated times and all metadata; stderr is dropped. Needs no
    run: `python tools/notebooks.py tidy` does this to a file.
    """
    add_header(nb, page, where)
    write_times(nb)
    course = nb.metadata.get("gat_course", {})
    nb.metadata = NotebookNode(
        kernelspec=KERNELSPEC, language_info=LANGUAGE, gat_course=course
    )
    for cell in nb.cells:
        cell.metadata = NotebookNode(
            {key: cell.metadata[key] for key in sorted(CELL_KEYS & set(cell.metadata))}
        )
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            for output in cell.outputs:
                if "metadata" in output:
                    output.metadata = described(cell, output)
    nb.nbformat_minor = 5


def declares_stand_in(nb: NotebookNode) -> bool:
    """Whether the first cell tells readers that outputs come from a stand-in."""
    return STAND_IN in nb.cells[0].source


def problems(nb: NotebookNode) -> list[str]:
    found = []
    if nb.metadata.get("kernelspec") != KERNELSPEC:
        found.append(f"the kernelspec must be {KERNELSPEC}")
    if nb.metadata.get("language_info") != LANGUAGE:
        found.append(f"the language_info must be {LANGUAGE}: run `tidy`")
    if extra := set(nb.metadata) - {"kernelspec", "language_info", "gat_course"}:
        found.append(f"the notebook has metadata that no reader uses: {sorted(extra)}")
    course = nb.metadata.get("gat_course", {})
    if not {"data", "seconds"} <= set(course):
        found.append("it was not stored by `tools/notebooks.py execute`: run that")
    elif any(STAND_IN in name for name in course["data"]) and not declares_stand_in(nb):
        found.append(
            "its outputs come from a synthetic stand-in: run it on real data, or say "
            "so in the first cell"
        )
    elif course["seconds"] > MAX_SECONDS:
        found.append(f"it ran {course['seconds']} s, at most {MAX_SECONDS} s are meant")
    return found
