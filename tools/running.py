"""How a notebook is run and its outputs stored."""

import json
import os
import time
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from tools.address import address
from tools.book import ROOT, page_of, read, write
from tools.figures import AS_SVG, SVG, pictures, smaller_svg
from tools.header import add_header
from tools.metadata import tidy, undeclared

# The names of all graphs in the kernel, wherever they are kept; "graph" is no name, and
# of many graphs with an answer each the set's name counts.
GRAPH_NAMES = """
import gc, json, gat_course
found = gc.get_objects()
sets = [o for o in found if type(o) is gat_course.GraphSet]
members = {id(graph) for o in sets for graph in o.graphs}
print(json.dumps(sorted({o.name for o in sets} | {
    o.name for o in found
    if type(o) in (gat_course.GraphData, gat_course.Tissues)
    and id(o) not in members
    and not o.name.startswith(("tissue ", "graph"))  # one of many, or unnamed
} - {"graph"})))
"""

# The interactive figures that live on what a page's run leaves; see `tools.exports`.
FIGURES = {
    "book/05-cora": ["cora"],
    "book/06-ppi": ["senders", "tissues"],
    "book/07-variants": ["lookup"],
}


def execute(path: Path, allow_synthetic: bool = False) -> dict:
    """Run a notebook in its folder and store its outputs.

    The kernel is this interpreter. The file changes only if every cell ran and, unless
    `allow_synthetic`, no graph was a stand-in for real data that the page's first cell
    does not declare. Returns what it stores in the notebook's metadata: the names of
    the graphs at the end, and the seconds.
    """
    nb = read(path)
    add_header(nb, page_of(path), address())
    # Where no kernel is installed, "python3" is the interpreter that asks for it.
    this_interpreter = KernelSpecManager(kernel_dirs=[])
    client = NotebookClient(
        nb,
        km=AsyncKernelManager(kernel_spec_manager=this_interpreter),
        timeout=None,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,
        coalesce_streams=True,
    )
    folders = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    own = {"TQDM_DISABLE": "1", "PYTHONPATH": os.pathsep.join(folders)}
    start = time.perf_counter()
    with client.setup_kernel(env={**os.environ, **own}, cleanup_kc=True):
        nb.cells.insert(0, nbformat.v4.new_code_cell(AS_SVG))
        client.execute_cell(nb.cells[0], 0, store_history=False)
        del nb.cells[0]
        for index, cell in enumerate(nb.cells):
            client.execute_cell(cell, index)
        seconds = round(time.perf_counter() - start, 1)
        nb.cells.append(nbformat.v4.new_code_cell(GRAPH_NAMES))
        client.execute_cell(nb.cells[-1], len(nb.cells) - 1)
        data = json.loads(nb.cells.pop().outputs[-1].text)
        synthetic = undeclared(nb, data)
        figures = FIGURES.get(page_of(path))
        if figures and not synthetic:
            export = f"import tools.exports as e; e.write({figures}, globals())"
            nb.cells.append(nbformat.v4.new_code_cell(export))
            client.execute_cell(nb.cells[-1], len(nb.cells) - 1)
            nb.cells.pop()
    if synthetic and not allow_synthetic:
        raise RuntimeError(
            f"{path.name} ran on {synthetic[0]!r}, so its outputs are not stored. Set "
            "GAT_COURSE_DATA or connect to the network; --allow-synthetic stores them "
            "all the same"
        )
    nb.metadata.gat_course = course = {"data": data, "seconds": seconds}
    for output in (o for cell in nb.cells for o in pictures(cell)):
        if SVG in output.data:
            output.data[SVG] = smaller_svg(output.data[SVG])
    tidy(nb, page_of(path), address())
    write(nb, path)
    return course
