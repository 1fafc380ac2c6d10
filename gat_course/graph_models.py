"""Networks for whole graphs: layers, a readout, a decision (chapters 7 and 8)."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from gat_course.graph import GraphData
from gat_course.layers.fused import FusedGATLayer
from gat_course.layers.gat import GATLayer
from gat_course.layers.readout import KINDS, AttentionReadout, readout
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
