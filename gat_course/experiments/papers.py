"""What the GAT paper did on Cora, Citeseer, Pubmed and PPI, and what it published."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from gat_course import attention, datasets
from gat_course.datasets import DatasetUnavailable, ppi
from gat_course.experiments.published import VARIANTS
from gat_course.genes import gene_disjoint, lookup, same_rows
from gat_course.graph import GraphData
from gat_course.graphs import Tissues, batch_graphs
from gat_course.layers.uniform import UniformGATLayer
from gat_course.models import GAT, GCN, MLP, InductiveGAT, InductiveGCN
from gat_course.training.history import Curves
from gat_course.training.metrics import (
    ACCURACY,
    MICRO_F1,
    Metric,
    label_counts,
    micro_f1,
)


@dataclass(frozen=True)
class Experiment:
    """What the paper did on one data set, its section 3.3.

    Args:
        name: what its files are called; MODEL.json follows.
        models: of each name, what builds the model from the widths of input and output.
        fit: options of `fit` or `fit_graphs`. All models share them, so that they
            differ in nothing else.
        runs: how many the paper made of each model.
        load: reads the data, from a cache or None, and prepares them.
        prepared: how, in words.
        metric: what is measured on the test nodes or graphs.
        costs: whether time and memory of a run are told as well.
        options: of the command, where they are not the paper's.
        look: what else is noted of a finished run; see `run_seeds`.
    """

    name: str
    models: Mapping[str, Callable[[int, int], nn.Module]]
    fit: Mapping[str, float]
    runs: int
    load: Callable[[str | os.PathLike | None], GraphData | Tissues]
    prepared: str
    metric: Metric = ACCURACY
    costs: bool = False
    options: str = ""
    look: Callable[[nn.Module, Tissues, Curves], dict] | None = None

    @property
    def data_set(self) -> str:
        """The name by which the command knows the data."""
        return self.name.partition("-")[0]


def _load_citation(name: str, root: str | os.PathLike | None) -> GraphData:
    try:
        graph = datasets.load(name, root)
    except DatasetUnavailable as error:
        files = f"eight files (ind.{name}.x and so on) into FOLDER/planetoid"
        raise _unavailable(name, files) from error
    return replace(graph, x=datasets.row_normalize(graph.x)).with_self_loops()


def _load_ppi(labels: str, split: str, root: str | os.PathLike | None) -> Tissues:
    try:
        tissues = ppi.load_ppi(root, labels=labels)
    except DatasetUnavailable as error:
        files = "file ppi.zip into FOLDER"
        if labels == "GO-2022":
            files = f"files {' and '.join(ppi.GO_2022)} into FOLDER/ppi"
        raise _unavailable(f"ppi with {labels} labels", files) from error
    if split == "gene-disjoint":
        genes = tissues.genes or same_rows(tissues)
        tissues = gene_disjoint(tissues, genes, HIDDEN_GENES)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return tissues.with_self_loops().to(device)


def _look_inside(model: nn.Module, tissues: Tissues, history: Curves) -> dict:
    """The validation scores of all epochs; how sharp attention is on the test graphs.

    Of each layer and head the mean of the nodes' relative entropies, and 50 quantiles.
    """
    notes = {"val_f1": history.val_score, "val_seen_f1": history.val_seen_f1}
    notes = {n: [round(f1, 4) for f1 in curve] for n, curve in notes.items() if curve}
    try:
        alphas = [attention.extract(model, graph) for graph in tissues.test]
    except TypeError as error:
        if "has no attention" not in str(error):
            raise
        return notes
    if not any(bool((graph.in_degrees > 1).any()) for graph in tissues.test):
        return notes  # no node has a choice
    middles = (torch.arange(50, dtype=torch.float64) + 0.5) / 50
    notes |= {"entropy": [], "entropy_quantiles": []}
    for layer in zip(*alphas, strict=True):
        pairs = zip(tissues.test, layer, strict=True)
        values = torch.cat([attention.relative_entropy(*pair) for pair in pairs])
        values = values[~values.isnan().any(dim=1)].double().cpu()  # [n, K]
        spread = values.quantile(middles, dim=0).t()  # [K, 50]
        notes["entropy"].append([round(v, 4) for v in values.mean(dim=0).tolist()])
        notes["entropy_quantiles"].append(
            [[round(v, 3) for v in head] for head in spread.tolist()]
        )
    return notes


def lookup_scores(tissues: Tissues) -> dict | None:
    """How far a table "gene: its labels" gets on the test graphs; None without genes.

    The number of nodes it is asked about, of those whose genes were trained on, and the
    micro-F1; on hidden genes alone where there are some.
    """
    if tissues.genes is None:
        return None
    train, test = batch_graphs(tissues.train), batch_graphs(tissues.test)
    n = len(tissues.test)
    seen, gene = torch.cat(tissues.genes[: len(tissues.train)]), tissues.genes[-n:]
    gene, found = torch.cat(gene), torch.cat(lookup(tissues, tissues.genes))
    if train.train_mask is not None:
        seen, asked = seen[train.train_mask], test.test_mask
        gene, found, y = gene[asked], found[asked], test.y[asked]
    else:
        y = test.y
    known = int(torch.isin(gene, seen).sum())
    score = micro_f1(label_counts(found - 0.5, y))
    return {"nodes": len(gene), "known": known, "micro-F1": round(score, 4)}


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
    load = partial(_load_citation, name)
    return Experiment(name, models, fit, 100, load, prepared)


SPLITS = ("published", "gene-disjoint")
HIDDEN_GENES = 0.2  # of all, in the gene-disjoint split; see `gene_disjoint`


def on_ppi(
    labels: str = "published",
    split: str = "published",
    width: int = 256,
    epochs: int | None = None,
) -> Experiment:
    """The paper's experiment on PPI, or one that differs from it in what is told here.

    Args:
        labels: as for `load_ppi`.
        split: "published", by graphs; or "gene-disjoint", which also hides a fifth of
            the genes. Where the data do not say which gene a node is, nodes of equal
            features and labels are taken as one (`same_rows`).
        width: features of each hidden head of GAT, $F'$. GCN and MLP are as wide as its
            four heads together.
        epochs: at most; by default 10,000, where patience ends a run long before.

    Raises:
        ValueError: unknown `labels` or `split`, or `width` or `epochs` below 1.

    >>> papers.on_ppi(labels="GO-2022", split="gene-disjoint", width=64).name
    'ppi-go-2022-gene-disjoint-64'
    """
    for name, value, known in (
        ("labels", labels, ppi.LABELS),
        ("split", split, SPLITS),
    ):
        if value not in known:
            raise ValueError(f"{name} must be one of {known}, got {value!r}")
    if width < 1 or (epochs is not None and epochs < 1):
        raise ValueError(f"width and epochs must be at least 1, got {width}, {epochs}")
    name, options, prepared = "ppi", "", "features standardised, self-loops added"
    if labels != "published":
        name, options = f"{name}-{labels.lower()}", f" --labels {labels}"
    if split != "published":
        name, options = f"{name}-{split}", f"{options} --split {split}"
        prepared += f", {HIDDEN_GENES:.0%} of the genes hidden"
    models, fit = _PPI, _FIT_PPI
    if width != 256:
        name, options = f"{name}-{width}", f"{options} --width {width}"
        wide = {"gcn": 4 * width, "mlp": 4 * width}
        models = {m: partial(f, hidden=wide.get(m, width)) for m, f in _PPI.items()}
    if epochs is not None:
        fit, options = fit | {"max_epochs": epochs}, f"{options} --epochs {epochs}"
    load = partial(_load_ppi, labels, split)
    return Experiment(
        name, models, fit, 10, load, prepared, MICRO_F1, True, options, _look_inside
    )


EXPERIMENTS = {
    "cora": _citation("cora", _CITATION, _FIT),
    "citeseer": _citation("citeseer", _CITATION, _FIT),
    "pubmed": _citation("pubmed", _PUBMED, _FIT | {"lr": 0.01, "weight_decay": 1e-3}),
    "ppi": on_ppi(),
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


def experiment(name: str | Experiment) -> Experiment:
    """The paper's experiment of that name; one that is given is handed back.

    Raises:
        ValueError: an unknown name.
    """
    if isinstance(name, Experiment):
        return name
    if name not in EXPERIMENTS:
        raise ValueError(f"unknown data set {name!r}; use {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]
