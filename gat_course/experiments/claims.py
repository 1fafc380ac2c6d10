"""Claims made for attention, put to the test (chapter 7).

Each function makes one run of a `Grid`; see `catalogue`.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor, nn

from gat_course.datasets.puzzles import DEGREES, degree_graph, relay_graph
from gat_course.experiments.variants import LAYERS, OneLayer, citation
from gat_course.graph import GraphData
from gat_course.layers.fused import FusedGATLayer
from gat_course.layers.gat import EdgeGATLayer
from gat_course.layers.uniform import UniformGATLayer
from gat_course.models import GAT
from gat_course.training.one_graph import evaluate, fit


class GCNWeightsLayer(UniformGATLayer):
    """The same layer with GCN's weights, $1/\\sqrt{|N(i)||N(j)|}$."""

    extra_hops = 1  # its weights ask for the sources' own degrees, a step further

    def shares(self, graph: GraphData, dtype: torch.dtype) -> Tensor:
        """GCN's weight of each edge, `[E]`."""
        degree = graph.in_degrees.clamp(min=1).to(dtype)
        return (degree[graph.dst] * degree[graph.src]).rsqrt()


class SumLayer(UniformGATLayer):
    """The same layer with weight 1 for each edge: it can count."""

    def shares(self, graph: GraphData, dtype: torch.dtype) -> Tensor:
        """Ones, `[E]`."""
        return torch.ones(graph.num_edges, dtype=dtype, device=graph.device)


WEIGHTS = {
    "learned": FusedGATLayer,
    "mean": UniformGATLayer,
    "GCN": GCNWeightsLayer,
    "sum": SumLayer,
}


# --------------------------------------------------------- depth


SKIPS = ("none", "residual", "residual, norm")


def deep_model(kind: str, depth: int, skip: str, in_features: int, classes: int) -> GAT:
    """A GAT of so many layers, all hidden ones 32 wide, without dropout.

    Args:
        kind: "GCN", which replaces the weights alone by GCN's, or one of `LAYERS`.
        depth: layers.
        skip: "residual" adds each hidden layer's input to its output; with "residual,
            norm" also each hidden vector is normalised (LayerNorm) before its ELU.
        in_features: $F$.
        classes: $C$.
    """
    net = GAT(
        in_features,
        classes,
        hidden=[8] * (depth - 1),
        num_heads=4,
        dropout=0.0,
        residual=[False, *[skip != "none"] * (depth - 2), False],
        layer=GCNWeightsLayer if kind == "GCN" else LAYERS[kind],
    )
    if kind == "GCN":  # whose weights ask for the sources' own degrees
        net.num_hops += 1
    if skip == "residual, norm":
        net.activation = normed_elu
    return net


def normed_elu(h: Tensor) -> Tensor:
    """ELU of vectors that have mean 0 and variance 1 each."""
    return F.elu(F.layer_norm(h, h.shape[-1:]))


@torch.no_grad()
def cosine_distance(h: Tensor) -> float:
    """Mean of $1-\\cos$ over all pairs of rows: 0 where all point one way.

    Rows of zeros count as pointing their own way.
    """
    unit = F.normalize(h.double(), dim=1)
    n = len(unit)
    total = float(unit.sum(dim=0).square().sum())
    same = float(unit.square().sum())
    return 1 - (total - same) / (n * (n - 1))


@torch.no_grad()
def last_hidden(model: nn.Module, graph: GraphData) -> Tensor:
    """What goes into the output layer of a `Stack`, before dropout, `[N, F]`."""
    model.eval()
    h = graph.x
    for number in range(1, model.num_layers):
        h = model.activation(getattr(model, f"layer{number}")(graph, h))
    return h


def measure_depth(model: str, skip: str, depth: int, seed: int) -> dict[str, float]:
    """Accuracy in percent on Cora, and how far its nodes' vectors are apart."""
    graph = citation("cora").with_self_loops()
    torch.manual_seed(seed)
    net = deep_model(model, depth, skip, graph.num_features, graph.num_classes)
    fit(net, graph, lr=0.003, max_epochs=150, patience=50, progress=False)
    return {
        "test": evaluate(net, graph, graph.test_mask).accuracy,
        "train": evaluate(net, graph, graph.train_mask).accuracy,
        "distance": cosine_distance(last_hidden(net, graph)),
    }


# --------------------------------------------------------- distance


def measure_reach(layer: str, hops: int, extra: int, seed: int) -> dict[str, float]:
    """Accuracy in percent with as many layers as hops, and `extra` more or fewer."""
    graph = relay_graph(hops, 500, seed)
    depth = hops + extra
    middle = [False, *[True] * (depth - 2), False][:depth]
    torch.manual_seed(seed)
    options = {"num_heads": 4, "dropout": 0.0, "residual": middle}
    net = GAT(5, 4, [8] * (depth - 1), layer=LAYERS[layer], **options)
    training = {"lr": 0.005, "weight_decay": 0.0, "max_epochs": 500, "patience": 100}
    fit(net, graph, progress=False, **training)
    parts = {"test": graph.test_mask, "train": graph.train_mask}
    return {part: evaluate(net, graph, m).accuracy for part, m in parts.items()}


# --------------------------------------------------------- transfer


def measure_transfer(weights: str, task: str, seed: int) -> dict[str, float]:
    """Balanced accuracy in percent on graphs of each kind, trained on one of degree 8.

    That is the mean of the two classes' shares that are right: by chance, or always the
    same answer, 50.
    """
    train = degree_graph("degree 8", task, seed=seed)
    train = train.with_random_masks(120, 300, 100, seed)
    torch.manual_seed(seed)
    model = OneLayer(WEIGHTS[weights](4, 16, 4), 2)
    options = {"lr": 0.01, "weight_decay": 0.0, "max_epochs": 400, "patience": 100}
    fit(model, train, progress=False, **options)
    found = {}
    for kind in DEGREES:
        graph = degree_graph(kind, task, seed=1000 + seed)
        with torch.no_grad():
            answers = model(graph, graph.x).argmax(dim=1)
        found[kind] = 100 * float(balanced_accuracy_score(graph.y, answers))
    return found


# --------------------------------------------------------- explanation


class _Probe(EdgeGATLayer):
    """The same layer, whose scores have something added for each edge."""

    added: Tensor | None = None

    def scores(self, graph: GraphData, z: Tensor) -> Tensor:
        found = super().scores(graph, z)
        return found if self.added is None else found + self.added.unsqueeze(1)


CHOICES = (
    "most attended",
    "largest gradient",
    "strongest gradient",
    "random",
    "least attended",
)


def measure_explain(name: str, seed: int, nodes: int = 200) -> dict[str, float]:
    """How much a prediction changes without one edge, chosen in five ways.

    GAT is trained as in chapter 5. Of test nodes with at least four edges one edge into
    the node is deleted from the graph: the one that the output layer attends to most;
    with the largest gradient of the prediction's log-probability by the edge's score in
    that layer; with the gradient of largest size, whatever its sign; one at random; the
    least attended. Self-loops stay.

    Returns:
        For each choice, mean over the nodes, in percent points: by how much the
        probability of the predicted class falls, and, by "|choice|", by how much it
        changes.
    """
    graph = citation(name).with_self_loops()
    torch.manual_seed(seed)
    model = GAT(graph.num_features, graph.num_classes, layer=_Probe)
    fit(model, graph, progress=False)
    model.eval()
    wanted = graph.test_mask & (graph.in_degrees >= 5)
    chosen = wanted.nonzero()[:, 0]
    generator = torch.Generator().manual_seed(seed)
    chosen = chosen[torch.randperm(len(chosen), generator=generator)[:nodes]]
    losses = [_losses(model, graph, int(i), generator) for i in chosen]
    lost = torch.tensor(losses, dtype=torch.float64)
    found = dict(zip(CHOICES, lost.mean(dim=0).tolist(), strict=True))
    moved = zip(CHOICES, lost.abs().mean(dim=0).tolist(), strict=True)
    return found | {f"|{choice}|": value for choice, value in moved}


def _losses(
    model: nn.Module, graph: GraphData, node: int, generator: torch.Generator
) -> list[float]:
    """Percent points that the prediction for a node loses by each choice."""
    at = torch.zeros(graph.num_nodes, dtype=torch.bool)
    at[node] = True
    part = replace(graph, val_mask=at).receptive_field(at, 2)
    here = int(part.val_mask.nonzero()[0])
    edges = ((part.dst == here) & (part.src != here)).nonzero()[:, 0]
    added = torch.zeros(part.num_edges, requires_grad=True)
    model.layer2.added = added
    logits, alphas = model(part, part.x, return_attention=True)
    model.layer2.added = None
    log_p = logits[here].log_softmax(dim=0)
    label = int(log_p.argmax())
    (gradient,) = torch.autograd.grad(log_p[label], added)
    alpha = alphas[-1].detach().mean(dim=1)[edges]
    picked = {
        "most attended": edges[alpha.argmax()],
        "largest gradient": edges[gradient[edges].argmax()],
        "strongest gradient": edges[gradient[edges].abs().argmax()],
        "random": edges[torch.randint(len(edges), (), generator=generator)],
        "least attended": edges[alpha.argmin()],
    }
    before = float(log_p[label].detach().exp())
    found = []
    for choice in CHOICES:
        kept = torch.arange(part.num_edges) != picked[choice]
        without = replace(part, src=part.src[kept], dst=part.dst[kept])
        with torch.no_grad():
            after = model(without, without.x)[here].softmax(dim=0)[label]
        found.append(100 * (before - float(after)))
    return found
