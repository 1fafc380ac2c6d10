"""DGL with its parts for many machines, or a clear error."""

import importlib
from types import ModuleType

from gat_course import dgl_compat


def require_dgl(part: str) -> ModuleType:
    """DGL, with a part of it that it does not import itself.

    Raises:
        RuntimeError: DGL cannot be had here.
    """
    if not dgl_compat.has_dgl():
        raise RuntimeError(
            f"this takes DGL ({dgl_compat.which_dgl()}): pip finds it for Python up to "
            "3.12"
        )
    dgl = dgl_compat.import_dgl()
    importlib.import_module(f"dgl.{part}")
    return dgl
