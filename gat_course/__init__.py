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
    "download",
    "formulas",
    "files",
    "fused",
    "inductive",
    "intervals",
    "measure",
    "plotting",
    "ppi",
    "published",
    "reproduce",
    "runs",
    "sparse",
    "synthetic",
    "tissues",
    "training",
)
_HOME = {
    "GraphData": "graph",
    "number_nodes": "named",
    "DenseGATLayer": "layers",
    "EdgeGATLayer": "layers",
    "FusedGATLayer": "fused",
    "UniformGATLayer": "layers",
    "UDFGATLayer": "dgl_layers",
    "DGLGATLayer": "dgl_layers",
    "GAT": "models",
    "GCN": "models",
    "MLP": "models",
    "InductiveGAT": "models",
    "InductiveGCN": "models",
    "DatasetUnavailable": "datasets",
    "load": "datasets",
    "load_ppi": "ppi",
    "read_ppi": "ppi",
    "synthetic_citation": "synthetic",
    "synthetic_tissues": "synthetic",
    "Tissues": "tissues",
    "batch_graphs": "tissues",
    "compare": "runs",
    "difference": "intervals",
    "standard_error": "intervals",
    "evaluate": "training",
    "fit": "training",
    "evaluate_graphs": "inductive",
    "fit_graphs": "inductive",
    "label_counts": "inductive",
    "micro_f1": "inductive",
    "run_seeds": "runs",
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
