"""Networks for node classification; chapters 4 to 6 build and compare them.

Each is called as `model(graph, x)` and returns one row of logits per node. `num_hops`
says how far away a node can be that has a part in another's output.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from gat_course import formulas
from gat_course.dropout import dropout
from gat_course.graph import GraphData
from gat_course.layers.convolution import GCNLayer
from gat_course.layers.fused import FusedGATLayer
from gat_course.layers.gat import GATLayer
from gat_course.layers.inputs import check_input


def per_layer(name: str, value: Any, number: int | None = None) -> list:
    """One value for all layers, or a list with one for each, as a list.

    Raises `ValueError` where a list has not the `number` of entries that is asked for.

    >>> from gat_course.models import per_layer
    >>> per_layer("num_heads", 8, 2), per_layer("num_heads", [8, 4], 2)
    ([8, 8], [8, 4])
    """
    many = isinstance(value, list | tuple) or getattr(value, "ndim", 0) == 1
    values = list(value) if many else [value] * (1 if number is None else number)
    if number is not None and len(values) != number:
        raise ValueError(
            f"{name} must be one value, or a list of {number}, one for each layer that "
            f"has it; got {values}"
        )
    return values


class Stack(nn.Module):
    r"""Layers one after the other, with an activation between them.

    The layers are the attributes `layer1`, `layer2`, … A subclass that hears further
    than its layers reach says so in `num_hops`.

    Args:
        layers: each is called as `layer(graph, x)`.
        activation: $\sigma$; the last layer has none.

    Shapes: `x` `[N, F]` to the last layer's output; with `return_attention=True` also
    the list of all layers' $\alpha$, `[E, K]` each.
    """

    extra_hops = 0  # that a node hears beyond its layers

    def __init__(
        self,
        layers: Sequence[nn.Module],
        activation: Callable[[Tensor], Tensor] = F.elu,
    ) -> None:
        super().__init__()
        self.num_layers = len(layers)
        if not hasattr(type(self), "num_hops"):
            self.num_hops = self.num_layers + self.extra_hops
        self.activation = activation
        for number, layer in enumerate(layers, 1):
            self.add_module(f"layer{number}", layer)

    def forward(
        self, graph: GraphData, x: Tensor, *, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Apply all layers; see the class for shapes."""
        asked = {"return_attention": True} if return_attention else {}
        alphas = []
        for number in range(1, self.num_layers + 1):
            layer = getattr(self, f"layer{number}")
            x = layer(graph, x if number == 1 else self.activation(x), **asked)
            if return_attention:
                x, alpha = x
                alphas.append(alpha)
        return (x, alphas) if return_attention else x


class GAT(Stack):
    r"""The paper's graph attention network, of any depth.

    Hidden layers of concatenated heads with ELU, then a layer of `out_heads` averaged
    heads that gives the logits. Dropout acts on all layers' inputs and on the attention
    weights. The paper's network for Cora is `GAT(1433, 7)`, that for PPI
    `InductiveGAT(50, 121)`.

    Args:
        in_features: $F$.
        num_classes: $C$, width of the output.
        hidden: $F'$ of each hidden head: of one hidden layer, or a list with a number
            for each hidden layer.
        num_heads: $K$ of the hidden layers, one number or a list.
        out_heads: $K$ of the output layer.
        dropout: probability for features and attention weights.
        negative_slope: slope of LeakyReLU below zero.
        residual: add each layer's input to its output; or a list, which says it of
            each layer.
        layer: the layer's class; `UniformGATLayer` switches attention off.

    Shapes: `x` `[N, F]` to `[N, C]`; with `return_attention=True` also the list of
    all layers' $\alpha$, `[E, K]` each.

    Raises:
        ValueError: a list has not one entry for each layer.

    Source: Veličković et al., ICLR 2018, section 3.3.

    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3)).with_self_loops()
    >>> logits, alphas = GAT(3, 2, hidden=[8, 4])(graph, graph.x, return_attention=True)
    >>> logits.shape, [alpha.shape[1] for alpha in alphas]
    (torch.Size([3, 2]), [8, 8, 1])
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        hidden: int | Sequence[int] = 8,
        num_heads: int | Sequence[int] = 8,
        out_heads: int = 1,
        dropout: float = 0.6,
        negative_slope: float = 0.2,
        residual: bool | Sequence[bool] = False,
        layer: Callable[..., GATLayer] = FusedGATLayer,
    ) -> None:
        hidden = per_layer("hidden", hidden)
        heads = [*per_layer("num_heads", num_heads, len(hidden)), out_heads]
        residual = per_layer("residual", residual, len(heads))
        shared = {"feat_drop": dropout, "attn_drop": dropout}
        shared |= {"negative_slope": negative_slope}
        layers, widths = [], [*hidden, num_classes]
        for width, k, add in zip(widths, heads, residual, strict=True):
            merge = "concat" if len(layers) < len(hidden) else "mean"
            layers.append(layer(in_features, width, k, merge, residual=add, **shared))
            in_features = k * width
        super().__init__(layers)


class InductiveGAT(GAT):
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

    Shapes and source: see `GAT`, with $L$ for $C$.

    >>> [layer.residual for layer in InductiveGAT(50, 121).children()]
    [False, True, False]
    """

    def __init__(
        self,
        in_features: int,
        num_labels: int,
        hidden: int = 256,
        num_heads: int = 4,
        out_heads: int = 6,
        layer: Callable[..., GATLayer] = FusedGATLayer,
    ) -> None:
        sizes = [hidden, hidden], [num_heads, num_heads], out_heads
        middle = [False, True, False]
        super().__init__(
            in_features, num_labels, *sizes, dropout=0.0, residual=middle, layer=layer
        )


class GCN(Stack):
    """Graph convolutions with an activation between them, two by default.

    Args:
        in_features: $F$.
        num_classes: $C$.
        hidden: width of the hidden layer, or a list with that of each.
        dropout: probability for all layers' inputs.
        residual: add each layer's input to its output, which must be as wide; or a
            list, as for `GAT`.
        activation: between the layers.

    Shapes: `x` `[N, F]` to `[N, C]`.

    Source: Kipf and Welling, ICLR 2017.

    >>> graph = GraphData.from_edges([0, 1], [1, 0], x=torch.eye(2)).with_self_loops()
    >>> GCN(2, 3)(graph, graph.x).shape
    torch.Size([2, 3])
    """

    extra_hops = 1  # its weights ask for the sources' own degrees, a step further

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        hidden: int | Sequence[int] = 64,
        dropout: float = 0.6,
        residual: bool | Sequence[bool] = False,
        activation: Callable[[Tensor], Tensor] = F.relu,
    ) -> None:
        hidden = per_layer("hidden", hidden)
        sizes = [in_features, *hidden, num_classes]
        residual = per_layer("residual", residual, len(hidden) + 1)
        ends = zip(sizes[:-1], sizes[1:], residual, strict=True)
        super().__init__([GCNLayer(i, o, dropout, r) for i, o, r in ends], activation)


class InductiveGCN(GCN):
    """`InductiveGAT` with graph convolutions of the same widths in place of attention.

    Args:
        in_features: $F$.
        num_labels: $L$, width of the output.
        hidden: width of the two hidden layers.

    >>> InductiveGCN(50, 121, hidden=64).layer2
    GCNLayer(64, 64, feat_drop=0.0, residual=True)
    """

    def __init__(self, in_features: int, num_labels: int, hidden: int = 1024) -> None:
        sizes, middle = [hidden, hidden], [False, True, False]
        super().__init__(in_features, num_labels, sizes, 0.0, middle, F.elu)


class MLP(nn.Module):
    """The model that sees no edges: two linear layers with ReLU between them.

    Args:
        in_features: $F$.
        num_classes: $C$.
        hidden: width of the hidden layer.
        dropout: probability for both layers' inputs.

    Shapes: `x` `[N, F]` to `[N, C]`; the graph is ignored.

    >>> MLP(2, 3)(GraphData.from_edges([], [], 2), torch.eye(2)).shape
    torch.Size([2, 3])
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
