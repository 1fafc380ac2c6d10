"""Networks of another library's layers: one of our making, and what others hold."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from gat_course.layers.gat import GATLayer
from gat_course.models import GAT, Stack


class ConvStack(nn.Module):
    """Another library's layers one after the other, called as `network(graph, x)`.

    Args:
        layers: each is called as `layer(graph, x)`.
        merges: what becomes of each layer's heads where it returns them apart, as
            `[N, K, F']`: "concat" or "mean".
        activation: between the layers.

    Shapes: `x` `[N, F]` to `[N, K·F']` or `[N, F']` of the last layer.

    >>> from gat_course.weights import ConvStack
    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3)).with_self_loops()
    >>> convs = [dgl_compat.import_dgl().nn.GATConv(3, 3, 1) for _ in range(2)]
    >>> ConvStack(convs, ["concat", "mean"])(graph.dgl(), graph.x).shape
    torch.Size([3, 3])
    """

    def __init__(
        self,
        layers: Iterable[nn.Module],
        merges: Sequence[str],
        activation: Callable[[Tensor], Tensor] = F.elu,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.merges = list(merges)
        self.activation = activation

    def prepare(self, x: Tensor) -> Tensor:
        """What is done to the input of each layer: nothing, here."""
        return x

    def forward(self, graph, x: Tensor) -> Tensor:
        for number, layer in enumerate(self.layers):
            x = self.activation(x) if number else x
            x = layer(graph, self.prepare(x))
            if x.dim() == 3:
                x = x.mean(1) if self.merges[number] == "mean" else x.flatten(1)
        return x


def layers_of(ours: Stack, function: str) -> list[GATLayer]:
    """The layers of one of our networks."""
    if not isinstance(ours, Stack) or type(ours).forward is not Stack.forward:
        raise TypeError(
            f"{function} takes one of our attention layers, or a GAT that applies them "
            f"one after the other, got {type(ours).__name__}"
        )
    numbers = range(1, ours.num_layers + 1)
    layers = [getattr(ours, f"layer{number}") for number in numbers]
    for layer in layers:
        if not isinstance(layer, GATLayer):
            raise TypeError(
                f"{function} takes networks of GATLayer: {type(layer).__name__} has no "
                "counterpart in a GATConv"
            )
    return layers


def handed_back(
    theirs: nn.Module,
    convs: Sequence[nn.Module],
    layers: Sequence[GATLayer],
    activation: Callable | None,
) -> GATLayer | GAT:
    """What `theirs` became: the only layer, or a `GAT` of the layers of a network."""
    if theirs is convs[0]:
        if activation is not None:
            raise ValueError(
                "activation=… is for networks: our layers leave it to the caller"
            )
        return layers[0]
    for number, (one, other) in enumerate(pairwise(layers), 1):
        heads = one.num_heads if one.merge == "concat" else 1
        if (width := heads * one.out_features) != other.in_features:
            raise ValueError(
                f"our GAT applies its layers one after the other, but layer {number} "
                f"gives {width} features ({one.merge}) and layer {number + 1} takes "
                f"{other.in_features}"
            )
    activation = copy.deepcopy(F.elu if activation is None else activation)
    if isinstance(activation, nn.Module):
        if hasattr(activation, "inplace"):
            activation.inplace = False  # it must not write into a layer's output
        activation = F.elu if repr(activation) == repr(nn.ELU()) else activation
    model = GAT.__new__(GAT)
    Stack.__init__(model, layers, activation)  # GAT's own would draw new layers
    model.training = theirs.training
    return model


def as_module(activation: Callable) -> Callable:
    """A copy for another network; of ELU the module, which a print of it names."""
    return nn.ELU() if activation is F.elu else copy.deepcopy(activation)


def parts_of(module: Callable, conv: type) -> Iterator[Callable]:
    """What computes something in a network, in order; a layer `conv` is one part."""
    if isinstance(module, conv) or not isinstance(module, nn.Module):
        yield module
        return
    children = list(module.children())
    own = list(module.parameters(recurse=False))
    empty = nn.Identity | nn.ModuleList | nn.Sequential
    if own or not (children or isinstance(module, empty)):
        yield module
    for child in children:
        yield from parts_of(child, conv)


def _is_activation(part: Callable) -> bool:
    if not isinstance(part, nn.Module):
        return True  # a function
    simple = type(part).__module__ == nn.ReLU.__module__
    return simple and not list(part.parameters())


def convs_of(
    theirs: nn.Module, parts: list[Callable], conv: type, function: str
) -> list[nn.Module]:
    """The layers `conv` among the parts, if nothing else there has a say."""
    if isinstance(theirs, GATLayer | Stack):
        out = function.replace("from", "to")
        raise TypeError(f"{type(theirs).__name__} is ours already; out goes {out}")
    found = [part for part in parts if isinstance(part, conv)]
    for part in parts if isinstance(theirs, nn.Module) else []:
        plain = type(part) is conv or isinstance(part, nn.Dropout)
        if not plain and not _is_activation(part) and part is not theirs:
            raise TypeError(
                f"{type(part).__name__} has no place in our GAT, which is GATConv "
                f"layers with an activation between them: hand the plain GATConv "
                f"modules to {function} one by one, and write the rest around them"
            )
    if not found or type(found[0]) is not conv:
        raise TypeError(
            f"{function} takes a GATConv, no subclass of it, or a network of them, got "
            f"{type(theirs).__name__}; a graph of edges and features is "
            "GraphData.from_edges(src, dst, x=…)"
        )
    return found


def require_said(
    parts: list[Callable],
    conv: type,
    activation: Callable | None,
    feat_drop: float | Sequence[float] | None,
) -> None:
    """Raise where modules do something at a place that is not known."""
    loose = [part for part in parts if not isinstance(part, conv)]
    unsaid = {"feat_drop": feat_drop is None, "activation": activation is None}
    for part in loose:
        name = "feat_drop" if isinstance(part, nn.Dropout) else "activation"
        if unsaid[name]:
            raise ValueError(
                f"the network's {part} does not say where it acts: give {name}=…, "
                "which is then used in all layers"
            )
