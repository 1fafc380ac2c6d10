"""Makes `import dgl` work with a current PyTorch; used by the DGL layers (chapter 3).

DGL 2.1 loads its GraphBolt C++ library on import, built for PyTorch 2.2.1 at most, and
asks for `torchdata.datapipes`, which no longer exists. Message passing needs neither,
so an empty stand-in for `dgl.graphbolt` is enough.
"""

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

NEEDED = "'dgl>=2.1' packaging pandas"
_GRAPHBOLT = "dgl.graphbolt"


def import_dgl() -> ModuleType:
    """Import DGL and return it; silent, and free after the first call.

    DGL is imported as it is where its GraphBolt can load. Where it cannot, an empty
    module takes GraphBolt's place; using GraphBolt then raises `AttributeError`.

    Returns:
        The module `dgl`.

    Raises:
        ImportError: DGL is not installed, is older than 2, or cannot be imported; the
            message says what to install or which layer to use instead.

    >>> dgl = dgl_compat.import_dgl()
    >>> dgl.graph((torch.tensor([0]), torch.tensor([1]))).num_nodes()
    2
    """
    if sys.modules.get("dgl") is not None:
        return sys.modules["dgl"]
    spec = importlib.util.find_spec("dgl")
    if spec is None:
        raise ImportError(f"DGL is not installed. {_advice()}")
    version = _installed_version()
    if version.startswith(("0.", "1.")):
        raise ImportError(
            f"DGL {version} is installed, which is too old: its layers here need DGL "
            f"2.1 or newer. {_advice()}"
        )
    # Otherwise DGL prints a line about its backend and writes it to the home folder.
    os.environ.setdefault("DGLBACKEND", "pytorch")
    if not graphbolt_can_load(Path(spec.origin).parent):
        sys.modules[_GRAPHBOLT] = ModuleType(
            _GRAPHBOLT, "Stands in for GraphBolt, which this PyTorch cannot load."
        )
    try:
        with warnings.catch_warnings():
            # A notebook without ipywidgets: DGL's progress bars are not used here.
            warnings.filterwarnings("ignore", message="IProgress not found")
            dgl = importlib.import_module("dgl")
            _guard_second_derivatives()
            return dgl
    except Exception as error:
        sys.modules.pop(_GRAPHBOLT, None)
        raise ImportError(
            f"DGL is installed but cannot be imported: {error}. {_advice()}"
        ) from error


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


def _advice() -> str:
    """What to do where this Python has no DGL that can be used."""
    instead = "use EdgeGATLayer, which computes the same in plain PyTorch"
    if sys.version_info >= (3, 13):
        # A plain `pip install dgl` brings DGL 0.1.3 there.
        return (
            "DGL 2 has no build for Python 3.13 or later: run this with Python 3.12, "
            f"or {instead}."
        )
    return f"Install it and what it imports with `pip install {NEEDED}`, or {instead}."


def graphbolt_can_load(folder: Path) -> bool:
    """Whether the DGL in `folder` has a GraphBolt for the installed PyTorch."""
    version = torch.__version__.split("+")[0]
    built = any(folder.glob(f"graphbolt/*graphbolt_pytorch_{version}.*"))
    try:
        return built and importlib.util.find_spec("torchdata.datapipes") is not None
    except ModuleNotFoundError:
        return False


def require_device(device: torch.device) -> None:
    """Raise unless the installed DGL can put a graph on `device`.

    Raises:
        RuntimeError: DGL's wheel is a CPU build and `device` is a GPU.
    """
    dgl = import_dgl()
    try:
        dgl.graph(([0], [0])).to(device)
    except Exception as error:
        raise RuntimeError(
            f"the installed DGL {dgl.__version__} cannot use {device}: it is a CPU "
            "build. Move the graph with .to('cpu'), or use EdgeGATLayer, which runs "
            "on any device."
        ) from error
