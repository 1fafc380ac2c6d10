"""DGL where it can be had, made to import; else `mailbox`, its stand-in (chapter 3).

DGL 2.1 loads its GraphBolt C++ library on import, built for PyTorch 2.2.1 at most, and
asks for `torchdata.datapipes`, which no longer exists. Message passing needs neither,
so an empty stand-in for `dgl.graphbolt` is enough.
"""

import functools
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch
from torch.autograd import Function

from gat_course import mailbox

_GRAPHBOLT = "dgl.graphbolt"


def import_dgl() -> ModuleType:
    """Import DGL, or in its place `gat_course.mailbox`; free after the first call.

    DGL is imported as it is where its GraphBolt can load. Where it cannot, an empty
    module takes GraphBolt's place; using GraphBolt then raises `AttributeError`.

    Returns:
        The module `dgl` if DGL 2 or newer is installed and can be imported, else
        `mailbox`, the part of it that the course uses. `which_dgl` tells which; a
        warning tells of a DGL that is installed and cannot be used.

    >>> dgl = dgl_compat.import_dgl()
    >>> dgl.graph((torch.tensor([0]), torch.tensor([1]))).num_nodes()
    2
    """
    return _find()[0]


def has_dgl() -> bool:
    """Whether `import_dgl` gives DGL itself.

    >>> dgl_compat.has_dgl() == (dgl_compat.import_dgl().__name__ == "dgl")
    True
    """
    return import_dgl() is not mailbox


def which_dgl() -> str:
    """What `import_dgl` gives, and why if it is not DGL, in a line to print.

    >>> print(dgl_compat.which_dgl())
    message passing by ...
    """
    dgl, what = _find()
    name = "gat_course.mailbox:" if dgl is mailbox else "DGL"
    return f"message passing by {name} {what}"


@functools.cache  # so that all graphs of a process are of one kind
def _find() -> tuple[ModuleType, str]:
    """DGL and its version, or `mailbox` and why."""
    spec = importlib.util.find_spec("dgl")
    if spec is None or spec.origin is None:  # or a folder of that name, as git clones
        return mailbox, "DGL is not installed"
    version = _installed_version()
    if version.startswith(("0.", "1.")):  # pip finds 0.1.3 for Python 3.13
        return _instead(f"the installed DGL {version} is too old")
    # Otherwise DGL prints a line about its backend and writes it to the home folder.
    os.environ.setdefault("DGLBACKEND", "pytorch")
    if "dgl" not in sys.modules and not graphbolt_can_load(Path(spec.origin).parent):
        empty = ModuleType(
            _GRAPHBOLT, "Stands in for GraphBolt, which this PyTorch cannot load."
        )
        # `dgl.distributed` asks of each graph whether it is one of these.
        empty.FusedCSCSamplingGraph = type("FusedCSCSamplingGraph", (), {})
        sys.modules[_GRAPHBOLT] = empty
    try:
        with warnings.catch_warnings():
            # A notebook without ipywidgets: DGL's progress bars are not used here.
            warnings.filterwarnings("ignore", message="IProgress not found")
            # Python 3.12 warns of backslashes in its source when it first compiles it.
            warnings.simplefilter("ignore", SyntaxWarning)
            dgl = importlib.import_module("dgl")
            _guard_second_derivatives()
            return dgl, dgl.__version__  # another module of that name has none
    except Exception as error:
        sys.modules.pop(_GRAPHBOLT, None)
        return _instead(f"the installed DGL cannot be imported ({error})")


def _instead(why: str) -> tuple[ModuleType, str]:
    warnings.warn(f"{why}: gat_course.mailbox takes its place", stacklevel=4)
    return mailbox, why


def _guard_second_derivatives() -> None:
    """Let DGL's gradients refuse to be differentiated again, where they would be wrong.

    Its edge softmax, for one, treats numbers kept for the backward pass as constants.
    """
    module = sys.modules.get("dgl.backend.pytorch.sparse")
    for function in list(vars(module).values()) if module else []:
        if isinstance(function, type) and issubclass(function, Function):
            function.backward = staticmethod(_once(function.backward))


def _once(backward: Callable) -> Callable:
    def guarded(ctx, *gradients):
        if torch.is_grad_enabled():  # create_graph=True, as in a Hessian
            raise RuntimeError(
                "DGL's gradients cannot be differentiated again; use EdgeGATLayer, "
                "which computes the same in plain PyTorch"
            )
        return backward(ctx, *gradients)

    return guarded


def _installed_version() -> str:
    try:
        return importlib.metadata.version("dgl")
    except importlib.metadata.PackageNotFoundError:  # installed without pip
        return ""


def graphbolt_can_load(folder: Path) -> bool:
    """Whether the DGL in `folder` has a GraphBolt for the installed PyTorch."""
    version = torch.__version__.split("+")[0]
    built = any(folder.glob(f"graphbolt/*graphbolt_pytorch_{version}.*"))
    try:
        return built and importlib.util.find_spec("torchdata.datapipes") is not None
    except ModuleNotFoundError:
        return False


def require_device(device: torch.device) -> None:
    """Raise unless what `import_dgl` gives can put a graph on `device`.

    Raises:
        RuntimeError: DGL's wheel is a CPU build and `device` is a GPU.
    """
    if not has_dgl():
        return
    dgl = import_dgl()
    try:
        dgl.graph(([0], [0])).to(device)
    except Exception as error:
        raise RuntimeError(
            f"the installed DGL {dgl.__version__} cannot use {device}: it is a CPU "
            "build. Move the graph with .to('cpu'), or use EdgeGATLayer, which runs "
            "on any device."
        ) from error
