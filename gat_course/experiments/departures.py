"""What it costs on Cora to depart from the paper, for `doctor` to say.

Each function makes one run of a `Grid`; see `catalogue`. Chapter 5 measures more.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from gat_course import formulas
from gat_course.dropout import dropout
from gat_course.experiments.variants import citation
from gat_course.graph import GraphData
from gat_course.layers.gat import EdgeGATLayer
from gat_course.models import GAT
from gat_course.training.one_graph import evaluate, fit


class ScoresDroppedLayer(EdgeGATLayer):
    """Dropout on the scores, which are 0 then, before the softmax."""

    def attend(self, graph: GraphData, z: Tensor) -> tuple[Tensor, Tensor]:
        """Equations (2) to (4); see `GATLayer.attend`."""
        ends = graph.src, graph.dst, graph.num_nodes
        scores = dropout(self.scores(graph, z), self.attn_drop, self.training)
        alpha = formulas.edge_softmax(scores, graph.dst, graph.num_nodes)
        return formulas.aggregate(alpha, z, *ends), alpha


class OtherWeightsLayer(EdgeGATLayer):
    """A layer whose weights are made of the scores by another rule."""

    def weigh(self, graph: GraphData, scores: Tensor) -> Tensor:
        """Weights of all edges, `[E, K]`."""
        raise NotImplementedError

    def attend(self, graph: GraphData, z: Tensor) -> tuple[Tensor, Tensor]:
        """Equations (2) to (4); see `GATLayer.attend`."""
        alpha = self.weigh(graph, self.scores(graph, z))
        dropped = dropout(alpha, self.attn_drop, self.training)
        ends = graph.src, graph.dst, graph.num_nodes
        return formulas.aggregate(dropped, z, *ends), alpha


class OverTargetsLayer(OtherWeightsLayer):
    """The softmax over the targets of each source."""

    def weigh(self, graph: GraphData, scores: Tensor) -> Tensor:
        """Weights that sum to 1 over the edges out of a node."""
        return formulas.edge_softmax(scores, graph.src, graph.num_nodes)


class OverAllEdgesLayer(OtherWeightsLayer):
    """One softmax over all edges of the graph."""

    def weigh(self, graph: GraphData, scores: Tensor) -> Tensor:
        """Weights that sum to 1 over the whole graph."""
        return formulas.edge_softmax(scores, torch.zeros_like(graph.dst), 1)


class SigmoidWeightsLayer(OtherWeightsLayer):
    """A sigmoid of each score: a node of many neighbours gets more."""

    def weigh(self, graph: GraphData, scores: Tensor) -> Tensor:
        """Weights between 0 and 1, each edge's own."""
        return scores.sigmoid()


class Ending(nn.Module):
    """A model with something after its last layer.

    Args:
        model: gives logits.
        end: what becomes of them.
    """

    def __init__(self, model: nn.Module, end: nn.Module) -> None:
        super().__init__()
        self.model, self.end = model, end

    def forward(self, graph: GraphData, x: Tensor) -> Tensor:
        """What is handed to the loss, `[N, C]`."""
        return self.end(self.model(graph, x))


LAYERS = {
    "dropout before the softmax": ScoresDroppedLayer,
    "softmax over targets": OverTargetsLayer,
    "softmax over all edges": OverAllEdgesLayer,
    "sigmoid of each score": SigmoidWeightsLayer,
}
ENDS = {
    "softmax before the loss": partial(nn.Softmax, dim=1),
    "sigmoid before the loss": nn.Sigmoid,
    "ELU after the last layer": nn.ELU,
    "ReLU after the last layer": nn.ReLU,
}
GRAPHS = ("each link one way", "each link twice")
LONG = "1000 epochs, the last kept"
CHANGES = ("none", *LAYERS, *ENDS, *GRAPHS, LONG)


def measure_departure(change: str, seed: int) -> dict[str, float]:
    """Test accuracy in percent on Cora by the paper's protocol, with one change."""
    graph = _changed(citation("cora"), change).with_self_loops()
    torch.manual_seed(seed)
    sizes = graph.num_features, graph.num_classes
    if change in LAYERS:
        model = GAT(*sizes, layer=LAYERS[change])
        model.num_hops = None  # its weights may ask for nodes anywhere
    elif change in ENDS:
        model = Ending(GAT(*sizes), ENDS[change]())
    else:
        model = GAT(*sizes)
    long = {"max_epochs": 1000, "patience": None} if change == LONG else {}
    history = fit(model, graph, progress=False, **long)
    return {
        "test": evaluate(model, graph, graph.test_mask).accuracy,
        "epochs": history.epochs,
    }


def _changed(graph: GraphData, change: str) -> GraphData:
    src, dst = graph.src, graph.dst
    if change == "each link one way":
        generator = torch.Generator().manual_seed(0)
        coin = torch.rand(graph.num_nodes, generator=generator)  # who is cited
        one = coin[src] < coin[dst]
        src, dst = src[one], dst[one]
    elif change == "each link twice":
        src, dst = torch.cat([src, src]), torch.cat([dst, dst])
    return replace(graph, src=src, dst=dst)
