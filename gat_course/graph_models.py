"""Networks for whole graphs: layers, a readout, a decision (chapters 7 and 8)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course.graph import GraphData
from gat_course.layers.fused import FusedGATLayer
from gat_course.layers.gat import GATLayer
from gat_course.layers.node_pooling import (
    Pooled,
    kept_nodes,
    node_attention,
    pooled_graph,
)
from gat_course.layers.readout import KINDS, AttentionReadout, members, readout
from gat_course.layers.spectral import ChebyGINLayer
from gat_course.models import Stack


class GraphNetwork(nn.Module):
    r"""Attention layers, a readout and an MLP: outputs for whole graphs.

    Args:
        in_features: $F$.
        outputs: numbers for each graph: logits of classes, or 1.
        hidden: $F'$ of each head.
        num_layers: attention layers; their ELU's output is read out.
        num_heads: $K$, concatenated.
        readout: "sum", "mean", "max" or "attention".
        layer: the layers' class; of `EdgeFeatureGATLayer` a
            `functools.partial(..., edge_features=D)`.

    Shapes: a batch of $G$ graphs, `x` `[N, F]`, to `[G, outputs]`; with
    `return_attention=True` also the list of all layers' $\alpha$, `[E, K]` each, and,
    at its end, of "attention" its $\beta$ `[N]`.

    Raises:
        ValueError: an unknown `readout`, or no layer.

    >>> graph = batch_graphs([GraphData.from_edges([0], [1], x=torch.ones(2, 3))] * 2)
    >>> GraphNetwork(3, 1, readout="attention")(graph, graph.x).shape
    torch.Size([2, 1])
    """

    def __init__(
        self,
        in_features: int,
        outputs: int,
        hidden: int = 16,
        num_layers: int = 3,
        num_heads: int = 4,
        readout: str = "mean",
        layer: Callable[..., GATLayer] = FusedGATLayer,
    ) -> None:
        super().__init__()
        if readout not in (*KINDS, "attention") or num_layers < 1:
            raise ValueError(
                f"readout must be one of {', '.join(KINDS)} or attention, num_layers "
                f"at least 1; got {readout!r}, {num_layers}"
            )
        width, sizes = hidden * num_heads, [in_features]
        sizes += [width] * (num_layers - 1)
        self.encoder = Stack([layer(size, hidden, num_heads) for size in sizes])
        self.kind = readout
        self.readout = AttentionReadout(width) if readout == "attention" else None
        self.decide = nn.Sequential(
            nn.Linear(width, width), nn.ELU(), nn.Linear(width, outputs)
        )

    def forward(
        self, graph: GraphData, x: Tensor, *, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Outputs of every graph; see the class for shapes."""
        alphas = []
        if return_attention:
            h, alphas = self.encoder(graph, x, return_attention=True)
        else:
            h = self.encoder(graph, x)
        h = F.elu(h)
        if self.readout is None:
            g = readout(graph, h, self.kind)
        else:
            g, beta = self.readout(graph, h, return_attention=True)
            alphas.append(beta)
        out = self.decide(g)
        return (out, alphas) if return_attention else out

    def extra_repr(self) -> str:
        return f"readout={self.kind!r}"


SCORES = ("projection", "network", "relu network")


@dataclass(frozen=True)
class NodePooling:
    r"""Where and how a `PoolingNetwork` pools its nodes by attention.

    Args:
        before: numbers of the layers before which it pools; 1 is the input.
        score: "projection": $p^\top$ times the input of the layer before (of layer 1
            its own input), with $p$ drawn from a normal distribution; "network",
            three small Chebyshev layers on the features at hand; or "relu network", the
            same with a ReLU at its end, as the authors' code has it.
        threshold: keep nodes whose weight is above it.
        ratio: or keep this share of each graph's nodes.
        scaled: multiply the weights by the number of nodes that came in from the same
            graph: uniform attention then leaves the features as they are. The authors'
            code does so for graphs of pixels, where weights are tiny.

    Raises:
        ValueError: one of them makes no sense, or both or none of the last two are
            given.

    >>> NodePooling(before=(2,), threshold=0.05)
    NodePooling(before=(2,), score='projection', threshold=0.05, ...scaled=False)
    """

    before: Sequence[int]
    score: str = "projection"
    threshold: float | None = None
    ratio: float | None = None
    scaled: bool = False

    def __post_init__(self) -> None:
        numbers = tuple(self.before) if isinstance(self.before, Sequence) else ()
        whole = all(isinstance(n, int) and not isinstance(n, bool) for n in numbers)
        if not numbers or not whole or len(set(numbers)) < len(numbers):
            raise ValueError(
                f"before must list layers, such as (2,), each once; got {self.before!r}"
            )
        if self.score not in SCORES:
            kinds = ", ".join(SCORES)
            raise ValueError(f"score must be one of {kinds}; got {self.score!r}")
        if (self.threshold is None) == (self.ratio is None):
            raise ValueError("give either threshold or ratio")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must be from 0 to 1, got {self.threshold}")
        if self.ratio is not None and not 0 < self.ratio <= 1:
            raise ValueError(f"ratio must be above 0 and at most 1, got {self.ratio}")
        if not isinstance(self.scaled, bool):
            raise ValueError(f"scaled must be True or False, got {self.scaled!r}")
        object.__setattr__(self, "before", numbers)


class PoolingNetwork(nn.Module):
    r"""Chebyshev layers, pooling by attention between them, a readout, a decision.

    A pooling layer gives each node the weight $\alpha_i$, a softmax of its score over
    the nodes of its graph; sends $\alpha_i h_i$ on; and drops all but the kept nodes.

    Args:
        in_features: $F$.
        outputs: numbers for each graph: logits of classes, or 1.
        widths: features after each layer.
        readout: "sum", "mean" or "max".
        pooling: where nodes are dropped; by default nowhere.
        dropout: probability before the decision.
        **layer: options of every `ChebyGINLayer`: `order`, `aggregation`, `hidden`.

    Shapes: a batch of $G$ graphs, `x` `[N, F]`, to `[G, outputs]`; with
    `return_attention=True` also a `Pooled` for each pooling layer.

    Raises:
        ValueError: an unknown readout or score, no layer, or pooling before a layer
            that is not there.

    Source: Knyazev, Taylor and Amer, NeurIPS 2019.

    >>> graph = batch_graphs([GraphData.from_edges([0], [1], x=torch.ones(2, 3))] * 2)
    >>> model = PoolingNetwork(3, 1, pooling=NodePooling((2,), threshold=0.1))
    >>> model(graph, graph.x).shape
    torch.Size([2, 1])
    """

    def __init__(
        self,
        in_features: int,
        outputs: int,
        widths: Sequence[int] = (64, 64),
        readout: str = "sum",
        pooling: NodePooling | None = None,
        dropout: float = 0.0,
        **layer,
    ) -> None:
        super().__init__()
        if readout not in KINDS or not widths:
            raise ValueError(
                f"readout must be one of {', '.join(KINDS)} and widths not empty; got "
                f"{readout!r}, {widths}"
            )
        sizes = [in_features, *widths]
        self.layers = nn.ModuleList(
            ChebyGINLayer(size, following, **layer)
            for size, following in zip(sizes, sizes[1:], strict=False)
        )
        self.kind, self.pooling = readout, pooling
        self.scores = nn.ModuleDict()
        for number in pooling.before if pooling else ():
            if not 1 <= number <= len(widths):
                raise ValueError(
                    f"pooling before layer {number}: there are layers 1 to "
                    f"{len(widths)}"
                )
            size = sizes[max(number - 2, 0)]
            if pooling.score != "projection":
                size = sizes[number - 1]
            self.scores[str(number)] = _score(pooling.score, size, layer)
        self.decide = nn.Sequential(nn.Dropout(dropout), nn.Linear(sizes[-1], outputs))

    def forward(
        self, graph: GraphData, x: Tensor, *, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, list[Pooled]]:
        """Outputs of every graph; see the class for shapes."""
        x = x.to_dense()  # bags of words too: what is pooled is weighed
        before, done = x, []
        for number, layer in enumerate(self.layers, start=1):
            if str(number) in self.scores:
                score = self.scores[str(number)]
                own = before if self.pooling.score == "projection" else x
                alpha = node_attention(graph, score(graph, own))
                kept = kept_nodes(
                    graph,
                    alpha,
                    threshold=self.pooling.threshold,
                    ratio=self.pooling.ratio,
                )
                done.append(Pooled(alpha, kept, graph))
                factor = alpha
                if self.pooling.scaled:
                    graph_of = members(graph)
                    sizes = torch.bincount(graph_of)[graph_of]
                    # In single precision at least: half of it ends at 65,504.
                    wide = torch.promote_types(alpha.dtype, torch.float32)
                    factor = (alpha.to(wide) * sizes).to(alpha.dtype)
                x, graph = (factor.unsqueeze(1) * x)[kept], pooled_graph(graph, kept)
            before, x = x, layer(graph, x)
        out = self.decide(readout(graph, x, self.kind))
        return (out, done) if return_attention else out


class Projection(nn.Module):
    r"""The score $p^\top h_i$ of each node; $p$ is drawn from a normal distribution.

    Args:
        features: $F$.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.randn(features))

    def forward(self, graph: GraphData, h: Tensor) -> Tensor:
        """`[N, F]` to `[N]`."""
        return h @ self.p


class ScoreNetwork(nn.Module):
    """Scores by a small network: Chebyshev layers of 32, 32 and 1 features.

    In the authors' code the last layer ends in a ReLU too. Then all scores can be zero,
    from the start or later, and no gradient reaches the score's own layers: the
    attention stays uniform, unless the layers below change what they send.

    Args:
        features: $F$.
        relu: whether the last layer ends in a ReLU.
        **layer: options of the layers; `order` is at most 2, `hidden` is not used.
    """

    def __init__(self, features: int, relu: bool = False, **layer) -> None:
        super().__init__()
        options = layer | {"order": min(layer.get("order", 2), 2), "hidden": 0}
        self.layers = nn.ModuleList(
            ChebyGINLayer(size, following, **options)
            for size, following in ((features, 32), (32, 32), (32, 1))
        )
        if not relu:
            del self.layers[-1].transform[-1]

    def forward(self, graph: GraphData, h: Tensor) -> Tensor:
        """`[N, F]` to `[N]`."""
        for layer in self.layers:
            h = layer(graph, h)
        return h[:, 0]


def _score(kind: str, features: int, layer: dict) -> nn.Module:
    if kind == "projection":
        return Projection(features)
    return ScoreNetwork(features, kind == "relu network", **layer)
