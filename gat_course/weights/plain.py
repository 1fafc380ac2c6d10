"""What layers of another library and ours share, and how parameters are copied."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gat_course.layers.dgl_layers import DGLGATLayer, UDFGATLayer
from gat_course.layers.fused import FusedGATLayer
from gat_course.layers.gat import DenseGATLayer, EdgeGATLayer, GATLayer
from gat_course.layers.uniform import UniformGATLayer

# The layers that compute what a GATConv does, and the methods by which they do.
_PLAIN = (GATLayer, DenseGATLayer, EdgeGATLayer, FusedGATLayer, UniformGATLayer)
_PLAIN += (UDFGATLayer, DGLGATLayer)
_METHODS = ("scores", "attend", "aggregate_heads", "forward")
_METHODS += ("edge_scores", "message", "reduce")
_PARAMETERS = {"weight", "att_dst", "att_src", "bias", "residual_weight"}


def build(make: Callable, parameters: dict, options: dict) -> GATLayer:
    """One of our layers with these parameters; None for one that it lacks."""
    matrix = parameters["residual_weight"]
    if matrix is not None and not matrix.requires_grad:
        if torch.equal(matrix, identity(len(matrix), matrix)):
            parameters["residual_weight"] = None  # our layer adds the input itself
    heads, width = parameters["att_dst"].shape
    size = len(parameters["weight"]), width, heads
    has_bias = parameters["bias"] is not None
    with torch.random.fork_rng(devices=[]):  # what is drawn here is thrown away
        layer = make(*size, bias=has_bias, **options)
    require_plain(layer)
    for name, value in parameters.items():
        old = getattr(layer, name)
        if old is not None and value is not None and not old.requires_grad:
            value.requires_grad_(False)  # what the layer does not use
        setattr(layer, name, value)
    return layer


def copied(
    parameter: Tensor | None, change: Callable[[Tensor], Tensor] = Tensor.detach
) -> nn.Parameter | None:
    """A parameter of the changed numbers, in memory of its own."""
    if parameter is None:
        return None
    new = change(parameter.detach()).clone(memory_format=torch.contiguous_format)
    return nn.Parameter(new, requires_grad=parameter.requires_grad)


def identity(size: int, like: Tensor) -> nn.Parameter:
    matrix = torch.eye(size, dtype=like.dtype, device=like.device)
    return nn.Parameter(matrix, requires_grad=False)


def without_first(vectors: Tensor) -> Tensor:
    return vectors.squeeze(0)  # [1, K, F'] to [K, F']


def halves_of(layer: GATLayer) -> list[nn.Parameter]:
    """The halves of a for source and target, `[1, K, F']`; zero scores are uniform."""
    uniform = isinstance(layer, UniformGATLayer)
    change = torch.zeros_like if uniform else Tensor.detach
    halves = layer.att_src, layer.att_dst
    return [copied(half, lambda h: change(h).unsqueeze(0)) for half in halves]


def require_plain(layer: GATLayer) -> None:
    """Raise unless the layer computes what a `GATConv` does."""
    kind = type(layer)
    for name in _METHODS:
        home = next((base for base in kind.__mro__ if name in vars(base)), GATLayer)
        if home not in _PLAIN:
            raise TypeError(
                f"{kind.__name__} has `{name}` of its own, which no GATConv knows of. "
                "Where it computes equations (2) to (4) all the same, take an "
                "EdgeGATLayer instead; it loads the same state dict"
            )
    if own := {name for name, _ in layer.named_parameters()} - _PARAMETERS:
        raise TypeError(
            f"{kind.__name__} has parameters of its own, {', '.join(sorted(own))}, "
            "which no GATConv has a place for: leave them out, or convert by hand"
        )
