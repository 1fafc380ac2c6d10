"""What the GAT paper did on Cora, Citeseer, Pubmed and PPI, and what it published."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from gat_course import datasets
from gat_course.datasets import DatasetUnavailable, ppi
from gat_course.experiments.published import VARIANTS
from gat_course.graph import GraphData
from gat_course.graphs import Tissues
from gat_course.layers.uniform import UniformGATLayer
from gat_course.models import GAT, GCN, MLP, InductiveGAT, InductiveGCN
from gat_course.training.metrics import ACCURACY, MICRO_F1, Metric


@dataclass(frozen=True)
class Experiment:
    """What the paper did on one data set, its section 3.3.

    Args:
        models: of each name, what builds the model from the widths of input and output.
        fit: options of `fit` or `fit_graphs`. All models share them, so that they
            differ in nothing else.
        runs: how many the paper made of each model.
        load: reads the data, from a cache or None, and prepares them.
        prepared: how, in words.
        metric: what is measured on the test nodes or graphs.
        costs: whether time and memory of a run are told as well.
    """

    models: Mapping[str, Callable[[int, int], nn.Module]]
    fit: Mapping[str, float]
    runs: int
    load: Callable[[str | os.PathLike | None], GraphData | Tissues]
    prepared: str
    metric: Metric = ACCURACY
    costs: bool = False


def _load_citation(name: str, root: str | os.PathLike | None) -> GraphData:
    try:
        graph = datasets.load(name, root)
    except DatasetUnavailable as error:
        files = f"eight files (ind.{name}.x and so on) into FOLDER/planetoid"
        raise _unavailable(name, files) from error
    return replace(graph, x=datasets.row_normalize(graph.x)).with_self_loops()


def _load_ppi(root: str | os.PathLike | None) -> Tissues:
    try:
        tissues = ppi.load_ppi(root)
    except DatasetUnavailable as error:
        raise _unavailable("ppi", "file ppi.zip into FOLDER") from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return tissues.with_self_loops().to(device)


def _unavailable(name: str, files: str) -> DatasetUnavailable:
    return DatasetUnavailable(
        f"{name} is not on this machine and cannot be downloaded. Put its {files}, and "
        "set the environment variable GAT_COURSE_DATA to FOLDER"
    )


MODELS = ("gat", "uniform", "gcn", "mlp")
# What `--as` adds: the network as the paper's published code has it, each difference
# alone and all together.
AS = {"published-code": tuple(VARIANTS)}
_FIT = {"lr": 0.005, "weight_decay": 5e-4, "patience": 100, "max_epochs": 10_000}
_FIT_PPI = _FIT | {"weight_decay": 0.0, "batch_size": 2}
_GAT = partial(GAT, hidden=8, num_heads=8, out_heads=1, dropout=0.6)
_GAT_PPI = partial(InductiveGAT, hidden=256, num_heads=4, out_heads=6)
_CITATION = {  # GCN and MLP as in chapter 5
    "gat": _GAT,
    **{
        name: partial(make, hidden=8, num_heads=8, out_heads=1, dropout=0.6)
        for name, make in VARIANTS.items()
    },
    "uniform": partial(_GAT, layer=UniformGATLayer),
    "gcn": partial(GCN, hidden=64, dropout=0.6),
    "mlp": partial(MLP, hidden=64, dropout=0.6),
}
_PUBMED = _CITATION | {
    "gat": partial(_GAT, out_heads=8),
    "uniform": partial(_GAT, out_heads=8, layer=UniformGATLayer),
}
_PPI = {  # GCN and MLP as wide as GAT's four heads
    "gat": _GAT_PPI,
    "uniform": partial(_GAT_PPI, layer=UniformGATLayer),
    "gcn": partial(InductiveGCN, hidden=1024),
    "mlp": partial(MLP, hidden=1024, dropout=0.0),
}


def _citation(name: str, models: Mapping, fit: Mapping) -> Experiment:
    prepared = "features row-normalised, self-loops added"
    return Experiment(models, fit, 100, partial(_load_citation, name), prepared)


EXPERIMENTS = {
    "cora": _citation("cora", _CITATION, _FIT),
    "citeseer": _citation("citeseer", _CITATION, _FIT),
    "pubmed": _citation("pubmed", _PUBMED, _FIT | {"lr": 0.01, "weight_decay": 1e-3}),
    "ppi": Experiment(
        models=_PPI,
        fit=_FIT_PPI,
        runs=10,
        load=_load_ppi,
        prepared="features standardised, self-loops added",
        metric=MICRO_F1,
        costs=True,
    ),
}

# Table 2 of the paper: mean and standard deviation of test accuracy in percent. "gcn"
# is its GCN-64*. Table 3, for PPI: micro-F1; "uniform" is its Const-GAT, and it has no
# GCN. The MLPs are quoted there without a spread.
PUBLISHED = {
    "cora": {"gat": (83.0, 0.7), "gcn": (81.4, 0.5), "mlp": (55.1, None)},
    "citeseer": {"gat": (72.5, 0.7), "gcn": (70.9, 0.5), "mlp": (46.5, None)},
    "pubmed": {"gat": (79.0, 0.3), "gcn": (79.0, 0.3), "mlp": (71.4, None)},
    "ppi": {"gat": (0.973, 0.002), "uniform": (0.934, 0.006), "mlp": (0.422, None)},
}
