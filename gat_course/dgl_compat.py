"""Makes `import dgl` work with a current PyTorch; used by the DGL layers (chapter 3).

DGL 2.1 loads its GraphBolt C++ library on import, built for PyTorch 2.2.1 at most, and
asks for `torchdata.datapipes`, which no longer exists. Message passing needs neither,
so an empty stand-in for `dgl.graphbolt` is enough.
"""

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import torch

_GRAPHBOLT = "dgl.graphbolt"


def import_dgl() -> ModuleType:
    """Import DGL and return it; silent, and free after the first call.

    DGL is imported as it is where its GraphBolt can load. Where it cannot, an empty
    module takes GraphBolt's place; using GraphBolt then raises `AttributeError`.

    Returns:
        The module `dgl`.

    Raises:
        ImportError: DGL is not installed, or cannot be imported; the message says
            what to install or which layer to use instead.
    """
    if "dgl" in sys.modules:
        return sys.modules["dgl"]
    spec = importlib.util.find_spec("dgl")
    if spec is None:
        raise ImportError(
            "DGL is not installed. Install it with `pip install dgl packaging pandas` "
            "(Python 3.12 or older), or use EdgeGATLayer, which computes the same "
            "in plain PyTorch."
        )
    # Otherwise DGL prints a line about its backend and writes it to the home folder.
    os.environ.setdefault("DGLBACKEND", "pytorch")
    if not graphbolt_can_load(Path(spec.origin).parent):
        sys.modules[_GRAPHBOLT] = ModuleType(
            _GRAPHBOLT, "Stands in for GraphBolt, which this PyTorch cannot load."
        )
    try:
        return importlib.import_module("dgl")
    except Exception as error:
        sys.modules.pop(_GRAPHBOLT, None)
        raise ImportError(
            f"DGL is installed but cannot be imported: {error}. Install what is "
            "missing with `pip install dgl packaging pandas`, or use EdgeGATLayer, "
            "which computes the same in plain PyTorch."
        ) from error


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
