"""How pytest runs the notebooks: which ones, how far shrunk, and what is compared.

nbval runs every code cell and compares its output with the stored one. Here it learns
to take the notebooks of `_toc.yml` alone, to shrink a run by the text that a cell's
metadata holds for tests, and to compare nothing that only tells of the machine.
"""

import os

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

from tools.book import ROOT, notebooks, uses_dgl

# Run at the end of a notebook's setup cell, without a name that its cells could use:
# no notebook may need its own folder, nor DGL where no cell of it asks for DGL. With
# GAT_COURSE_WITHOUT_DGL=1 none finds DGL.
ELSEWHERE = """
_elsewhere = __import__("tempfile").TemporaryDirectory()
__import__("os").chdir(_elsewhere.name)"""
WITHOUT_DGL = '__import__("sys").modules["dgl"] = None'
# Beside other notebooks one trains in its own process. Those that run as on Colab, in a
# kernel of that name, start the processes that they ask for.
ONE_CORE = '__import__("os").cpu_count = lambda: 1'


def pytest_configure(config):
    # The notebooks' kernels inherit this: no progress bars, and this checkout's code.
    os.environ["TQDM_DISABLE"] = "1"
    paths = [str(ROOT), os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    if data := os.environ.get("GAT_COURSE_DATA"):  # the kernels run in other folders
        os.environ["GAT_COURSE_DATA"] = os.path.abspath(data)
    if "PYTEST_XDIST_WORKER" in os.environ:  # the workers share the cores
        os.environ.setdefault("OMP_NUM_THREADS", "1")

    RunningKernel.execute_cell_input = execute_as_a_notebook_does


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `pytest -n`, a file's tests go to one worker, in the order of the files.

    The cells of a notebook need one kernel; and the notebooks, which take longest and
    come first, would go last if xdist sorted the files by their numbers of tests.
    """
    from xdist.scheduler import LoadFileScheduling

    if config.option.dist == "each":
        return None
    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


def execute_as_a_notebook_does(kernel, source, allow_stdin=None):
    # With history, unlike nbval: without it IPython overlooks a cell's final semicolon.
    return kernel.kc.execute(source, allow_stdin=allow_stdin, stop_on_error=False)


def pytest_ignore_collect(collection_path, config):
    if collection_path.suffix == ".ipynb" and collection_path not in notebooks():
        return True
    return None


def pytest_itemcollected(item):
    if isinstance(item, IPyNbCell):
        if "setup" in item.cell.metadata.get("tags", []):
            item.cell.source += f"\n{ELSEWHERE}"
            hidden = os.environ.get("GAT_COURSE_WITHOUT_DGL") == "1"
            if hidden or not uses_dgl(item.parent.nb):
                item.cell.source += f"\n{WITHOUT_DGL}"
            beside = "PYTEST_XDIST_WORKER" in os.environ
            if beside and not item.config.option.nbval_kernel_name:
                item.cell.source += f"\n{ONE_CORE}"
        shrink = item.cell.metadata.get("gat_course", {}).get("test")
        if shrink:
            item.cell.source += f"\n{shrink}"
        # Stored figures are SVG; in a test they are drawn as the kernel likes.
        item.parent.skip_compare = (
            *item.parent.skip_compare,
            "stderr",
            "image/svg+xml",
        )
        # Before PyTorch 2.9 a tensor with a tiny number in it was printed wider.
        item.parent.sanitize_patterns[r"(?<=\[) +(?=-?\d)"] = ""
        item.parent.sanitize_patterns[r"(?<=,) +(?=-?\d)"] = " "
        # A figure's size in pixels depends on the fonts of the machine.
        item.parent.sanitize_patterns["<Figure size [0-9.x]+"] = "<Figure"
