"""How a notebook is run and its outputs stored."""

import json
import os
import time
from pathlib import Path

import nbformat

from tools.address import address
from tools.book import ROOT, page_of, read, write
from tools.figures import smaller_png
from tools.header import add_header
from tools.metadata import STAND_IN, declares_stand_in, tidy


def execute(path: Path, allow_synthetic: bool = False) -> dict:
    """Run a notebook in its folder and store its outputs.

    The kernel is this interpreter. The file changes only if every cell ran and, unless
    `allow_synthetic`, no graph was a stand-in for real data that the page's first cell
    does not declare. Returns what it stores in
    the notebook's metadata: the names of the graphs at the end, and the seconds.
    """
    from nbclient import NotebookClient

    nb = read(path)
    add_header(nb, page_of(path), address())
    client = NotebookClient(
        nb,
        timeout=None,
        extra_arguments=["--log-level=ERROR"],
        kernel_manager_class=_kernel_manager(),
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,
        coalesce_streams=True,
    )
    environment = {
        **os.environ,
        "TQDM_DISABLE": "1",
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
        ),
    }
    start = time.perf_counter()
    with client.setup_kernel(env=environment):
        for index, cell in enumerate(nb.cells):
            client.execute_cell(cell, index)
        seconds = round(time.perf_counter() - start, 1)
        nb.cells.append(nbformat.v4.new_code_cell(_GRAPH_NAMES))
        client.execute_cell(nb.cells[-1], len(nb.cells) - 1, store_history=False)
    data = json.loads(nb.cells.pop().outputs[-1].text)
    synthetic = [name for name in data if STAND_IN in name]
    if synthetic and not allow_synthetic and not declares_stand_in(nb):
        raise RuntimeError(
            f"{path.name} ran on {synthetic[0]!r}, so its outputs are not stored. Set "
            "GAT_COURSE_DATA or connect to the network; --allow-synthetic stores them "
            "all the same"
        )
    course = dict(nb.metadata.get("gat_course", {}), data=data, seconds=seconds)
    nb.metadata.gat_course = course
    for output in (o for cell in nb.cells for o in cell.get("outputs", [])):
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = smaller_png(output.data["image/png"])
    tidy(nb, page_of(path), address())
    write(nb, path)
    return course


# The names of all graphs in the kernel, wherever they are kept; "graph" is no name.
_GRAPH_NAMES = """
import gc, json, gat_course
print(json.dumps(sorted({
    o.name for o in gc.get_objects()
    if type(o) in (gat_course.GraphData, gat_course.Tissues)
    and not o.name.startswith(("tissue ", "graph"))  # one of many, or unnamed
} - {"graph"})))
"""


def _kernel_manager() -> type:
    """A kernel manager that starts this interpreter, whatever kernels are installed."""
    from ipykernel.kernelspec import RESOURCES, get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class ThisInterpreter(KernelSpecManager):
        def get_kernel_spec(self, kernel_name):
            return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())

    class Manager(AsyncKernelManager):
        def __init__(self, **kwargs):
            super().__init__(kernel_spec_manager=ThisInterpreter(), **kwargs)

    return Manager
