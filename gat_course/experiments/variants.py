"""What variants of graph attention can learn and how well they do it (chapter 7).

Each function makes one run of a `Grid`; see `catalogue`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from torch import Tensor, nn

from gat_course import datasets
from gat_course.datasets.molecules import load_esol, synthetic_molecules
from gat_course.datasets.puzzles import lookup_graph, mixed_graph
from gat_course.graph import GraphData
from gat_course.graph_models import GraphNetwork
from gat_course.graph_sets import GraphSet
from gat_course.layers.fused import FusedGATLayer
from gat_course.layers.gat import GATLayer
from gat_course.layers.uniform import UniformGATLayer
from gat_course.layers.variants import (
    DotProductGATLayer,
    EdgeFeatureGATLayer,
    GATv2Layer,
)
from gat_course.links import split_links
from gat_course.models import GAT, GCN, MLP
from gat_course.training.links import evaluate_links, fit_links
from gat_course.training.one_graph import evaluate, fit
from gat_course.training.whole_graphs import evaluate_set, fit_set

LAYERS = {
    "GAT": FusedGATLayer,
    "GATv2": GATv2Layer,
    "dot product": DotProductGATLayer,
    "edge features": partial(EdgeFeatureGATLayer, edge_features=2),
    "uniform": UniformGATLayer,
}


class OneLayer(nn.Module):
    """One layer of attention, ELU, and a linear decision.

    Args:
        layer: with concatenated heads.
        outputs: $C$.
        encoder: what changes the features of each node before it is heard.

    Shapes: `x` `[N, F]` to `[N, C]`.

    >>> from gat_course.experiments.variants import OneLayer
    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3))
    >>> OneLayer(GATv2Layer(3, 4, num_heads=2), outputs=5)(graph, graph.x).shape
    torch.Size([3, 5])
    """

    num_hops = None  # whichever weights the layer has

    def __init__(
        self, layer: GATLayer, outputs: int, encoder: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder or nn.Identity()
        self.layer = layer
        width = layer.num_heads * layer.out_features
        self.decide = nn.Linear(width, outputs)

    def forward(self, graph: GraphData, x: Tensor) -> Tensor:
        """Logits of every node, `[N, outputs]`."""
        return self.decide(F.elu(self.layer(graph, self.encoder(x))))


def measure_lookup(layer: str, keys: int, heads: int, seed: int) -> dict[str, float]:
    """Accuracy in percent on 200 dictionaries, after training on others.

    One layer with 64 numbers in all is trained on 16 new dictionaries a step, until it
    answers all queries of a hundred others, at most 2000 steps.
    """
    torch.manual_seed(seed)
    model = OneLayer(LAYERS[layer](2 * keys, 64 // heads, heads), keys)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    choose, test = (lookup_graph(keys, n, 10**9 + seed + n) for n in (100, 200))
    for step in range(1, 2001):
        graph = lookup_graph(keys, 16, seed * 10**5 + step)
        asked = graph.y >= 0
        loss = F.cross_entropy(model(graph, graph.x)[asked], graph.y[asked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 250 == 0 and evaluate(model, choose, choose.y >= 0).accuracy == 100:
            break
    return {"test": evaluate(model, test, test.y >= 0).accuracy, "steps": step}


def measure_mixed(layer: str, task: str, heads: int, seed: int) -> dict[str, float]:
    """Accuracy in percent on a new mixed graph, and what was attended there.

    Beside the accuracy: the share of the weights, mean over heads and nodes, that goes
    to neighbours of the first kind, and along edges of the first kind. By chance both
    are a half.
    """
    train = mixed_graph(task, 2000, seed).with_random_masks(600, 500, 100, seed)
    torch.manual_seed(seed)
    if layer == "encoder, uniform":
        first, second = nn.Linear(3, 32), nn.Linear(32, 32)
        encoder = nn.Sequential(first, nn.ELU(), second, nn.ELU())
        model = OneLayer(UniformGATLayer(32, 32 // heads, heads), 2, encoder)
    else:
        model = OneLayer(LAYERS[layer](3, 32 // heads, heads), 2)
    options = {"lr": 0.01, "weight_decay": 0.0, "max_epochs": 500, "patience": 100}
    fit(model, train, progress=False, **options)
    new = mixed_graph(task, 2000, 10**6 + seed)
    with torch.no_grad():
        h = model.encoder(new.x)
        _, alpha = model.layer(new, h, return_attention=True)
    weight = alpha.mean(dim=1) / new.num_nodes
    return {
        "test": evaluate(model, new, torch.ones(2000, dtype=torch.bool)).accuracy,
        "node kind": float(weight @ new.x[new.src, 0]),
        "edge kind": float(weight @ new.edge_attr[:, 0]),
    }


# --------------------------------------------------------- molecules


@cache
def with_loops(split: str, seed: int) -> GraphSet:
    """ESOL, or "made-up" molecules, whose atoms hear themselves too."""
    if split == "made-up":
        data = synthetic_molecules(seed=seed)
    else:
        data = load_esol(split=split, seed=seed)
    return replace(data, graphs=[graph.with_self_loops() for graph in data.graphs])


def solubility_model(
    data: GraphSet, readout: str, bonds: bool, seed: int
) -> GraphNetwork:
    """The network for molecules, trained."""
    layer = FusedGATLayer
    if bonds:
        width = data.graphs[0].edge_attr.shape[1]
        layer = partial(EdgeFeatureGATLayer, edge_features=width)
    torch.manual_seed(seed)
    model = GraphNetwork(
        data.num_features, 1, hidden=16, num_layers=3, readout=readout, layer=layer
    )
    options = {"lr": 0.002, "max_epochs": 100, "patience": 20, "batch_size": 32}
    fit_set(model, data, progress=False, **options)
    return model


def measure_esol(split: str, readout: str, bonds: bool, seed: int) -> dict[str, float]:
    """RMSE of the log solubility, or of the made-up answer.

    The random split is that of the seed, and so are the made-up molecules.
    """
    data = with_loops(split, 0 if split == "scaffold" else seed)
    model = solubility_model(data, readout, bonds, seed)
    mean = float(data.y[data.train].mean())
    return {
        "test": evaluate_set(model, data, data.test).rmse,
        "val": evaluate_set(model, data, data.val).rmse,
        "mean alone": float((data.y[data.test] - mean).square().mean()) ** 0.5,
    }


DELETED = ("most attended", "random", "least attended")


def measure_beta(seed: int) -> dict[str, float]:
    r"""What the weights $\beta$ of two networks say about the same molecules.

    Two networks differ in their random start alone. Over ESOL's test molecules with at
    least five atoms: the rank correlation of their $\beta$; how often the same atom is
    first, and how often it would be by chance; their RMSE. Then one atom is taken out
    of the graph: how far the first network's prediction moves, root mean square.
    """
    data = with_loops("random", 0)
    pair = [solubility_model(data, "attention", True, s) for s in (seed, 100 + seed)]
    random = np.random.default_rng(seed)
    found = []
    for number in data.test.tolist():
        graph = data.graphs[number]
        with torch.no_grad():
            betas = [m(graph, graph.x, return_attention=True)[1][-1] for m in pair]
        # Atoms that are alike in the graph have one weight, but for rounding.
        first, second = (beta.double().numpy().round(5) for beta in betas)
        _, sizes = np.unique([first, second], axis=1, return_counts=True)
        if len(sizes) < 3:
            continue
        same = bool(((first == first.max()) & (second == second.max())).any())
        chance = float(((sizes / graph.num_nodes) ** 2).sum())
        atoms = (first.argmax(), random.integers(len(first)), first.argmin())
        moved = [_moved(pair[0], graph, int(atom)) for atom in atoms]
        found.append([spearmanr(first, second)[0], same, chance, *moved])
    mean = np.mean(found, axis=0)
    return {
        "correlation": mean[0],
        "same first": 100 * mean[1],
        "by chance": 100 * mean[2],
        "RMSE": evaluate_set(pair[0], data, data.test).rmse,
        "RMSE of the other": evaluate_set(pair[1], data, data.test).rmse,
        **dict(zip(DELETED, np.sqrt(mean[3:]), strict=True)),
    }


@torch.no_grad()
def _moved(model: GraphNetwork, graph: GraphData, atom: int) -> float:
    """The square of the difference that an atom makes to the prediction."""
    kept = torch.arange(graph.num_nodes) != atom
    part = graph.subgraph(kept)
    return float(model(graph, graph.x) - model(part, part.x)) ** 2


# --------------------------------------------------------- links


@cache
def citation(name: str) -> GraphData:
    """Cora or Citeseer with normalised features, without self-loops."""
    graph = datasets.load(name)
    return replace(graph, x=datasets.row_normalize(graph.x))


def measure_links(encoder: str, leak: bool, seed: int) -> dict[str, float]:
    """AUC and hits in percent on Cora; with `leak`, messages use the test links too."""
    graph = citation("cora")
    data = split_links(graph, seed=seed).with_self_loops()
    if leak:  # the mistake: the links that are asked for carry messages
        data = replace(data, graph=graph.with_self_loops())
    width, options = 32, {"dropout": 0.0}
    make = {
        "MLP": partial(MLP, hidden=128),
        "GCN": partial(GCN, hidden=128),
        "GAT": partial(GAT, hidden=16, num_heads=8),
    }
    torch.manual_seed(seed)
    model = make[encoder](data.num_features, width, **options)
    fit_links(model, data, lr=0.005, max_epochs=300, patience=50, progress=False)
    found = evaluate_links(model, data, "test")
    return {"auc": found.auc, "hits": found.hits}
