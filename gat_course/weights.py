"""Weights in and out: our layers and networks as those of PyG and DGL, and back.

All is copied: parameters with dtype, device and `requires_grad`, dropout rates, slope,
training or evaluation mode. Both libraries keep the transpose of our `weight`, and the
halves of $a$ as `[1, K, F']`; in DGL `attn_l` is the source's, `attn_r` the target's.
"""

import copy
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course import dgl_compat
from gat_course.layers import dgl_layers, gat
from gat_course.layers.fused import FusedGATLayer
from gat_course.layers.gat import GATLayer
from gat_course.layers.uniform import UniformGATLayer
from gat_course.models import GAT, Stack, per_layer

# The layers that compute what a GATConv does.
_PLAIN = (gat.DenseGATLayer, gat.EdgeGATLayer, FusedGATLayer, UniformGATLayer)
_PLAIN += (dgl_layers.UDFGATLayer, dgl_layers.DGLGATLayer)


def to_pyg(ours: GATLayer | Stack) -> nn.Module:
    """Our layer as PyG's `GATConv`, or our network as PyG's `Sequential`.

    Give it dense features and `torch.stack([graph.src, graph.dst])`, self-loops
    included: PyG's are off. It knows no weights of edges. A `UniformGATLayer` gets
    halves of $a$ that are zero; a residual without a matrix gets a fixed identity.

    Args:
        ours: one of this package's attention layers, or a `GAT` or `Stack` of them.

    Returns:
        A `torch_geometric.nn.GATConv`, which does not drop its input: this warns where
        `feat_drop` is not zero. For a network a `torch_geometric.nn.Sequential`, called
        as `net(x, edge_index)`, with dropout before each layer.

    Raises:
        ImportError: the library cannot be had.
        TypeError: a layer is not one of this package's, or not one of attention.

    Source: Fey and Lenssen, 2019.

    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3)).with_self_loops()
    >>> model = GAT(3, 2).eval()
    >>> logits = to_pyg(model)(graph.x, torch.stack([graph.src, graph.dst]))
    >>> torch.allclose(logits, model(graph, graph.x), atol=1e-6)
    True
    """
    pyg, layers, steps = _pyg(), _layers(ours), []
    if ours is layers[0]:
        if p := ours.feat_drop:
            told = f"PyG's GATConv does not drop its input: feat_drop={p} is lost. "
            warnings.warn(f"{told}Put torch.nn.Dropout({p}) before it", stacklevel=2)
        return _to_pyg(ours, pyg.GATConv)
    activation = copy.deepcopy(ours.activation)
    for layer in layers:
        drop = nn.Dropout(layer.feat_drop).train(layer.training)
        steps += [(activation, "x -> x")] if steps else []
        steps += [(drop, "x -> x")] if layer.feat_drop else []
        steps += [(_to_pyg(layer, pyg.GATConv), "x, edge_index -> x")]
    network = pyg.Sequential("x, edge_index", steps)
    network.training = ours.training
    return network


def from_pyg(
    convs: nn.Module | Sequence[nn.Module],
    layer: Callable[..., GATLayer] = FusedGATLayer,
    *,
    activation: Callable[[Tensor], Tensor] = F.elu,
    feat_drop: float | Sequence[float] = 0.0,
) -> GATLayer | GAT:
    """PyG's `GATConv` as our layer, or several as our `GAT`.

    PyG's layer adds self-loops unless it is told not to; ours takes the edges that it
    is given. Where `add_self_loops` is on, this warns: call our model with
    `graph.with_self_loops()`, which is the same where no self-loop repeats.

    Args:
        convs: a `torch_geometric.nn.GATConv`, or a list or `nn.ModuleList` of them in
            the order in which they are applied, such as `model.convs`.
        layer: the class of our layers; `UniformGATLayer` switches attention off.
        activation: between several layers, as their network applies it.
        feat_drop: dropout on the layers' inputs, one number or a list.

    Returns:
        One of our layers, or a `GAT` of them. PyG's residual matrix stays, as
        `residual_weight`, also where the sizes agree and our layers have none.

    Raises:
        ImportError: the library cannot be had.
        TypeError: something is no `GATConv`, or `layer` not one of this package's.
        ValueError: an option has no counterpart here, or sizes do not fit.

    Source: Fey and Lenssen, 2019.

    >>> from torch_geometric.nn import GATConv
    >>> from_pyg(GATConv(3, 4, heads=2, add_self_loops=False), layer=EdgeGATLayer)
    EdgeGATLayer(3, 4, num_heads=2, ...)
    """
    found = _convs(convs, _pyg().GATConv)
    drops = per_layer("feat_drop", feat_drop, len(found))
    ours = [_from_pyg(c, layer, drop) for c, drop in zip(found, drops, strict=True)]
    loops = {conv.add_self_loops for conv in found}
    if len(loops) > 1:
        raise ValueError("add_self_loops differs, but our GAT has one graph for all")
    if loops == {True}:
        warnings.warn(
            "add_self_loops is on: PyG's layer adds them itself, ours does not. Use "
            "graph.with_self_loops() with what is returned here",
            stacklevel=2,
        )
    return ours[0] if found[0] is convs else _network(ours, activation)


def to_dgl(ours: GATLayer | Stack) -> nn.Module:
    """Our layer as DGL's `GATConv`, or our network as a network of them.

    Give it `graph.dgl()`, self-loops included, and dense features. DGL's layer leaves
    the heads apart, `[N, K, F']`; the network merges them. For `merge="mean"` each head
    gets our bias and residual; in training these copies go their own ways. Leave out
    weights of edges: DGL multiplies by them after the softmax, we before it.

    Args:
        ours: as for `to_pyg`.

    Returns:
        A `dgl.nn.GATConv` with `allow_zero_in_degree=True`. For a network a `Stack`,
        called as `net(graph.dgl(), x)`, of `net.layer1.conv` and so on.

    Raises: as `to_pyg`.

    Source: Wang et al., 2019.

    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3)).with_self_loops()
    >>> model = GAT(3, 2).eval()
    >>> logits = to_dgl(model)(graph.dgl(), graph.x)
    >>> torch.allclose(logits, model(graph, graph.x), atol=1e-6)
    True
    """
    conv, layers = _dgl().GATConv, _layers(ours)
    if ours is layers[0]:
        return _to_dgl(ours, conv)
    merged = [Merged(_to_dgl(layer, conv), layer.merge) for layer in layers]
    network = Stack(merged, copy.deepcopy(ours.activation))
    network.training = ours.training
    return network


def from_dgl(
    convs: nn.Module | Sequence[nn.Module],
    layer: Callable[..., GATLayer] = FusedGATLayer,
    *,
    merge: str | Sequence[str] | None = None,
    activation: Callable[[Tensor], Tensor] | None = None,
    feat_drop: float | Sequence[float] | None = None,
) -> GATLayer | GAT:
    """DGL's `GATConv` as our layer, or several as our `GAT`.

    Where heads are averaged, so are their biases and residuals.

    Args:
        convs, layer: as for `from_pyg`, with DGL's `dgl.nn.GATConv`.
        merge: what is done with the heads, "concat" or "mean", or a list; by default
            the last of several layers averages, all others concatenate.
        activation: between several layers; by default `conv.activation`, else ELU.
        feat_drop: dropout on the layers' inputs; by default that of each `GATConv`.

    Returns, raises: as `from_pyg`.

    Source: Wang et al., 2019.

    >>> conv = dgl_compat.import_dgl().nn.GATConv(3, 4, num_heads=2)
    >>> from_dgl(conv, layer=EdgeGATLayer)
    EdgeGATLayer(3, 4, num_heads=2, ...)
    """
    found = _convs(convs, _dgl().GATConv)
    one, number = found[0] is convs, len(found)
    *hidden, last = [conv.activation for conv in found]
    if last or any(own is not hidden[0] for own in hidden):
        raise ValueError(
            "conv.activation must be None in the last GATConv, whose output our layers "
            "leave to the caller, and one and the same in all others: set it so"
        )
    activation = activation or next(iter(hidden), None) or F.elu
    if merge is None:
        merge = ["concat"] * (number - 1) + ["concat" if one else "mean"]
    if feat_drop is None:
        feat_drop = [conv.feat_drop.p for conv in found]
    merges = per_layer("merge", merge, number)
    each = zip(found, merges, per_layer("feat_drop", feat_drop, number), strict=True)
    ours = [_from_dgl(conv, layer, *options) for conv, *options in each]
    return ours[0] if one else _network(ours, activation)


class Merged(nn.Module):
    """A layer of DGL, `conv(graph, x)`, with its heads side by side or averaged."""

    def __init__(self, conv: nn.Module, merge: str) -> None:
        super().__init__()
        self.conv, self.merge = conv, merge

    def forward(self, graph, x: Tensor) -> Tensor:
        heads = self.conv(graph, x)  # [N, K, F']
        return heads.mean(dim=1) if self.merge == "mean" else heads.flatten(1)


def _pyg():
    with warnings.catch_warnings():  # PyG still scripts some of its classes
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        try:
            import torch_geometric.nn as found
        except ImportError as error:
            told = "to_pyg and from_pyg need PyG: pip install torch_geometric"
            raise ImportError(f"{told} ({error})") from error
    return found


def _dgl():
    if not dgl_compat.has_dgl():
        raise ImportError(
            "to_dgl and from_dgl need DGL itself: pip install 'gat-course[dgl]', with "
            f"Python 3.10 to 3.12. Here is {dgl_compat.which_dgl()}"
        )
    return dgl_compat.import_dgl().nn


def _layers(ours: GATLayer | Stack) -> list[GATLayer]:
    layers = [ours]
    if isinstance(ours, Stack) and type(ours).forward is Stack.forward:
        layers = [getattr(ours, f"layer{n}") for n in range(1, ours.num_layers + 1)]
    for layer in layers:
        _require_plain(layer)
    return layers


def _convs(given: nn.Module | Sequence, conv: type) -> list[nn.Module]:
    several = isinstance(given, list | tuple | nn.ModuleList)
    convs = list(given) if several else [given]
    others = [type(part).__name__ for part in convs if type(part) is not conv]
    if others or not convs:
        raise TypeError(
            f"this takes a GATConv of {conv.__module__.split('.')[0]} or a list of "
            f"them, got {others[0] if others else 'an empty list'}. Of a network, hand "
            "over the GATConv modules in the order in which it applies them, such as "
            "[m for m in net.modules() if isinstance(m, GATConv)]"
        )
    return convs


def _network(layers: list[GATLayer], activation: Callable) -> GAT:
    for number, (one, other) in enumerate(pairwise(layers), 1):
        width = one.out_features * (one.num_heads if one.merge == "concat" else 1)
        if width != other.in_features:
            raise ValueError(
                f"the layers do not follow each other: layer {number} gives {width} "
                f"features ({one.merge}), layer {number + 1} takes {other.in_features}"
            )
    model = GAT.__new__(GAT)  # GAT's own __init__ would draw new layers
    Stack.__init__(model, layers, copy.deepcopy(activation))
    model.training = layers[-1].training
    return model


def _copied(parameter: Tensor | None, change: Callable) -> nn.Parameter | None:
    """A parameter of the changed numbers, in memory of its own."""
    if parameter is None:
        return None
    new = change(parameter.detach()).clone(memory_format=torch.contiguous_format)
    return nn.Parameter(new, requires_grad=parameter.requires_grad)


def _identity(weight: Tensor) -> Tensor:
    return torch.eye(len(weight), dtype=weight.dtype, device=weight.device)


def _require_plain(layer: nn.Module) -> None:
    if type(layer) not in _PLAIN:
        raise TypeError(
            "a GATConv stands for one of this package's attention layers, a network of "
            f"them for a GAT; {type(layer).__name__} is neither. A layer that computes "
            "no scores of its own can load its state dict into an EdgeGATLayer first"
        )


def _new(layer: GATLayer, conv: type, **options) -> nn.Module:
    """A library's layer of the size of ours."""
    sizes = layer.in_features, layer.out_features, layer.num_heads
    options |= {"negative_slope": layer.negative_slope, "residual": layer.residual}
    with torch.random.fork_rng(devices=[]):  # what is drawn here is thrown away
        return conv(*sizes, bias=layer.bias is not None, **options)


def _held(layer: GATLayer) -> list[nn.Parameter]:
    """W and the halves of a for source and target, in the libraries' shapes."""
    factor = 0 if isinstance(layer, UniformGATLayer) else 1  # equal scores
    halves = layer.att_src, layer.att_dst
    halves = [_copied(half, lambda a: a[None] * factor) for half in halves]
    return [_copied(layer.weight, Tensor.t), *halves]


def _residual(layer: GATLayer, copies: int = 1) -> nn.Parameter:
    matrix = layer.residual_weight
    matrix = _identity(layer.weight) if matrix is None else matrix
    return _copied(matrix, lambda m: m.t().repeat(copies, 1))


def _to_pyg(layer: GATLayer, conv: type) -> nn.Module:
    options = {"concat": layer.merge == "concat", "dropout": layer.attn_drop}
    theirs = _new(layer, conv, add_self_loops=False, **options)
    theirs.lin.weight, theirs.att_src, theirs.att_dst = _held(layer)
    theirs.bias = _copied(layer.bias, Tensor.detach)
    if layer.residual:
        theirs.res.weight = _residual(layer)
    return theirs.train(layer.training)


def _to_dgl(layer: GATLayer, conv: type) -> nn.Module:
    options = {"feat_drop": layer.feat_drop, "attn_drop": layer.attn_drop}
    theirs = _new(layer, conv, allow_zero_in_degree=True, **options)
    theirs.fc.weight, theirs.attn_l, theirs.attn_r = _held(layer)
    # Under the mean, every head gets what is added after it.
    copies = layer.num_heads if layer.merge == "mean" else 1
    if layer.residual and (layer.residual_weight is not None or copies > 1):
        if not isinstance(theirs.res_fc, nn.Linear):  # DGL would add the input itself
            wide = *theirs.fc.weight.t().shape, False
            theirs.res_fc = nn.utils.skip_init(nn.Linear, *wide)
        theirs.res_fc.weight = _residual(layer, copies)
    if layer.bias is not None:
        keeper = theirs if theirs.bias is not None else theirs.res_fc
        keeper.bias = _copied(layer.bias, lambda b: b.repeat(copies))
    return theirs.train(layer.training)


def _from_pyg(theirs: nn.Module, make: Callable, feat_drop: float) -> GATLayer:
    for name, fits, remedy in (
        ("edge_dim", theirs.edge_dim is None, "build it without"),
        ("aggr", theirs.aggr in ("add", "sum"), "use 'add'"),
        ("flow", theirs.flow == "source_to_target", "reverse edge_index by flip(0)"),
        ("in_channels", isinstance(theirs.in_channels, int), "give one number"),
    ):
        if not fits:
            value = getattr(theirs, name)
            raise ValueError(f"GATConv({name}={value!r}) has no counterpart: {remedy}")
    options = {"merge": "concat" if theirs.concat else "mean", "feat_drop": feat_drop}
    options |= {"attn_drop": theirs.dropout, "negative_slope": theirs.negative_slope}
    held = theirs.lin.weight, theirs.att_src, theirs.att_dst
    matrix = theirs.res and _copied(theirs.res.weight, Tensor.t)
    added = _copied(theirs.bias, Tensor.detach), matrix
    return _ours(make, held, added, options).train(theirs.training)


def _from_dgl(theirs: nn.Module, make: Callable, merge: str, drop: float) -> GATLayer:
    if not hasattr(theirs, "fc"):
        raise ValueError("GATConv(in_feats=(…, …)) has no counterpart: give one number")

    def merged(added: Tensor) -> Tensor:
        """What is added to the heads, `[..., K·F']`, or its mean, `[..., F']`."""
        heads = added.unflatten(-1, theirs.attn_l.shape[1:])
        return heads.mean(dim=-2) if merge == "mean" else added

    matrix, bias = theirs.res_fc, theirs.bias
    if isinstance(matrix, nn.Linear):  # which keeps the bias in some versions
        bias = matrix.bias if bias is None else bias
        matrix = _copied(matrix.weight, lambda w: merged(w.t()))
    elif matrix is not None:
        matrix = _copied(_identity(theirs.fc.weight.t()), merged)
    options = {"merge": merge, "negative_slope": theirs.leaky_relu.negative_slope}
    options |= {"feat_drop": drop, "attn_drop": theirs.attn_drop.p}
    held = theirs.fc.weight, theirs.attn_l, theirs.attn_r
    added = _copied(bias, merged), matrix
    return _ours(make, held, added, options).train(theirs.training)


def _ours(make: Callable, held: tuple, added: tuple, options: dict) -> GATLayer:
    """Our layer with W and halves as in `_held`, bias and residual matrix as ours."""
    (weight, src, dst), (bias, matrix) = held, added
    options |= {"residual": matrix is not None, "bias": bias is not None}
    with torch.random.fork_rng(devices=[]):
        layer = make(weight.shape[1], src.shape[2], src.shape[1], **options)
    _require_plain(layer)
    if matrix is not None and not matrix.requires_grad:
        if torch.equal(matrix, _identity(matrix)):
            matrix = None  # our layer adds the input itself
    layer.weight, layer.bias = _copied(weight, Tensor.t), bias
    layer.residual_weight = matrix
    for name, half in (("att_src", src), ("att_dst", dst)):
        learns = half.requires_grad and not isinstance(layer, UniformGATLayer)
        setattr(layer, name, _copied(half, lambda a: a[0]).requires_grad_(learns))
    return layer
