"""Two-layer models for node classification; chapter 5 compares them.

Each is called as `model(graph, x)` and returns one row of logits per node. `num_hops`
says how far away a node can be that has a part in another's output.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from gat_course import formulas
from gat_course.dropout import dropout
from gat_course.graph import GraphData
from gat_course.layers import GATLayer, GCNLayer, check_input
from gat_course.layers.fused import FusedGATLayer


class GAT(nn.Module):
    r"""The paper's two-layer graph attention network.

    A hidden layer of `num_heads` concatenated heads with ELU, then a layer of
    `out_heads` averaged heads that gives the logits. Dropout acts on both layers'
    inputs and on the attention weights.

    Args:
        in_features: $F$.
        num_classes: $C$, width of the output.
        hidden: $F'$ of each hidden head.
        num_heads: $K$ of the hidden layer.
        out_heads: $K$ of the output layer.
        dropout: probability for features and attention weights.
        negative_slope: slope of LeakyReLU below zero.
        residual: add each layer's input to its output.
        layer: the layer's class; `UniformGATLayer` switches attention off.

    Shapes: `x` `[N, F]` to `[N, C]`; with `return_attention=True` also the list of
    both layers' $\alpha$, `[E, K]` each.

    Source: Veličković et al., ICLR 2018, section 3.3.
    """

    num_hops = 2  # layers of messages

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        hidden: int = 8,
        num_heads: int = 8,
        out_heads: int = 1,
        dropout: float = 0.6,
        negative_slope: float = 0.2,
        residual: bool = False,
        layer: type[GATLayer] = FusedGATLayer,
    ) -> None:
        super().__init__()
        shared = {"feat_drop": dropout, "attn_drop": dropout}
        shared |= {"negative_slope": negative_slope, "residual": residual}
        self.layer1 = layer(in_features, hidden, num_heads, "concat", **shared)
        self.layer2 = layer(
            num_heads * hidden, num_classes, out_heads, "mean", **shared
        )

    def forward(
        self, graph: GraphData, x: Tensor, *, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Logits of every node; see the class for shapes."""
        if not return_attention:
            h = F.elu(self.layer1(graph, x))  # [N, K * F']
            return self.layer2(graph, h)
        h, alpha1 = self.layer1(graph, x, return_attention=True)
        logits, alpha2 = self.layer2(graph, F.elu(h), return_attention=True)
        return logits, [alpha1, alpha2]


class GCN(nn.Module):
    """Two graph convolutions with ReLU between them.

    Args:
        in_features: $F$.
        num_classes: $C$.
        hidden: width of the hidden layer.
        dropout: probability for both layers' inputs.

    Shapes: `x` `[N, F]` to `[N, C]`.

    Source: Kipf and Welling, ICLR 2017.
    """

    num_hops = 3  # its weights ask for the sources' own degrees, one step further

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        hidden: int = 64,
        dropout: float = 0.6,
    ) -> None:
        super().__init__()
        self.layer1 = GCNLayer(in_features, hidden, dropout)
        self.layer2 = GCNLayer(hidden, num_classes, dropout)

    def forward(self, graph: GraphData, x: Tensor) -> Tensor:
        """Logits of every node."""
        return self.layer2(graph, F.relu(self.layer1(graph, x)))


class MLP(nn.Module):
    """The model that sees no edges: two linear layers with ReLU between them.

    Args:
        in_features: $F$.
        num_classes: $C$.
        hidden: width of the hidden layer.
        dropout: probability for both layers' inputs.

    Shapes: `x` `[N, F]` to `[N, C]`; the graph is ignored.
    """

    num_hops = 0

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        hidden: int = 64,
        dropout: float = 0.6,
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.layer1 = nn.Linear(in_features, hidden)
        self.layer2 = nn.Linear(hidden, num_classes)
        for layer in (self.layer1, self.layer2):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, graph: GraphData, x: Tensor) -> Tensor:
        """Logits of every node."""
        check_input(graph, x, self.layer1.weight.t())
        x = dropout(x, self.dropout, self.training)
        h = formulas.transform(x, self.layer1.weight.t()) + self.layer1.bias
        h = dropout(F.relu(h), self.dropout, self.training)
        return self.layer2(h)

    def extra_repr(self) -> str:
        return f"dropout={self.dropout}"


class InductiveGAT(nn.Module):
    r"""The paper's three-layer graph attention network for PPI.

    Two hidden layers of `num_heads` concatenated heads with ELU, then a layer of
    `out_heads` averaged heads that gives the logits. The middle layer's input is added
    to its output. There is no dropout.

    Args:
        in_features: $F$.
        num_labels: $L$, width of the output.
        hidden: $F'$ of each hidden head.
        num_heads: $K$ of the hidden layers.
        out_heads: $K$ of the output layer.
        layer: the layer's class; `UniformGATLayer` switches attention off.

    Shapes: `x` `[N, F]` to `[N, L]`; with `return_attention=True` also the list of the
    three layers' $\alpha$, `[E, K]` each.

    Source: Veličković et al., ICLR 2018, section 3.3.
    """

    num_hops = 3

    def __init__(
        self,
        in_features: int,
        num_labels: int,
        hidden: int = 256,
        num_heads: int = 4,
        out_heads: int = 6,
        layer: type[GATLayer] = FusedGATLayer,
    ) -> None:
        super().__init__()
        width = num_heads * hidden
        self.layer1 = layer(in_features, hidden, num_heads, "concat")
        self.layer2 = layer(width, hidden, num_heads, "concat", residual=True)
        self.layer3 = layer(width, num_labels, out_heads, "mean")

    def forward(
        self, graph: GraphData, x: Tensor, *, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Logits of every node; see the class for shapes."""
        if not return_attention:
            h = F.elu(self.layer1(graph, x))  # [N, K * F']
            h = F.elu(self.layer2(graph, h))  # [N, K * F']
            return self.layer3(graph, h)
        h, alpha1 = self.layer1(graph, x, return_attention=True)
        h, alpha2 = self.layer2(graph, F.elu(h), return_attention=True)
        logits, alpha3 = self.layer3(graph, F.elu(h), return_attention=True)
        return logits, [alpha1, alpha2, alpha3]


class InductiveGCN(nn.Module):
    """`InductiveGAT` with graph convolutions of the same widths in place of attention.

    Args:
        in_features: $F$.
        num_labels: $L$, width of the output.
        hidden: width of the two hidden layers.

    Shapes: `x` `[N, F]` to `[N, L]`.
    """

    num_hops = 4  # its weights ask for the sources' own degrees, one step further

    def __init__(self, in_features: int, num_labels: int, hidden: int = 1024) -> None:
        super().__init__()
        self.layer1 = GCNLayer(in_features, hidden)
        self.layer2 = GCNLayer(hidden, hidden)
        self.layer3 = GCNLayer(hidden, num_labels)

    def forward(self, graph: GraphData, x: Tensor) -> Tensor:
        """Logits of every node."""
        h = F.elu(self.layer1(graph, x))
        h = F.elu(self.layer2(graph, h) + h)
        return self.layer3(graph, h)
