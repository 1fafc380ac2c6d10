"""Graph Attention from the Ground Up: the package that every chapter shares.

Everything a chapter imports is reachable from here. A name is loaded when it is
first used, so `import gat_course` costs little more than `import torch`, and DGL is
imported only by those who ask for one of its two layers.
"""

from importlib import import_module

__version__ = "0.1.0"

_MODULES = (
    "attention",
    "bench",
    "checks",
    "datasets",
    "dgl_compat",
    "diagrams",
    "formulas",
    "fused",
    "measure",
    "plotting",
    "reproduce",
    "sparse",
    "synthetic",
    "training",
)
_HOME = {
    "GraphData": "graph",
    "DenseGATLayer": "layers",
    "EdgeGATLayer": "layers",
    "FusedGATLayer": "fused",
    "UniformGATLayer": "layers",
    "UDFGATLayer": "dgl_layers",
    "DGLGATLayer": "dgl_layers",
    "GAT": "models",
    "GCN": "models",
    "MLP": "models",
    "DatasetUnavailable": "datasets",
    "load": "datasets",
    "synthetic_citation": "synthetic",
    "compare": "training",
    "evaluate": "training",
    "fit": "training",
    "run_seeds": "training",
}
__all__ = sorted([*_MODULES, *_HOME])


def __getattr__(name: str):
    if name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
