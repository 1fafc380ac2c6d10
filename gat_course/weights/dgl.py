"""Our layers and networks as DGL's, and back."""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from gat_course import dgl_compat
from gat_course.layers.fused import FusedGATLayer
from gat_course.layers.gat import GATLayer
from gat_course.models import GAT, Stack, per_layer
from gat_course.weights.networks import (
    ConvStack,
    convs_of,
    handed_back,
    layers_of,
    parts_of,
    require_said,
)
from gat_course.weights.plain import (
    build,
    copied,
    halves_of,
    identity,
    require_plain,
    without_first,
)


def to_dgl(ours: GATLayer | Stack) -> nn.Module:
    """Our layer as DGL's `GATConv`, or our network as a network of them.

    All is copied, as by `to_pyg`. The graph is `graph.dgl()`, self-loops included;
    give the features dense. DGL's layer keeps the heads apart, `[N, K, F']`: merge them
    by `flatten(1)` or `mean(1)`; the network does it. For `merge="mean"` each head gets
    our bias and residual, so that the mean is ours; in training the heads' copies go
    their own ways. Weights of edges count otherwise in DGL, which multiplies by them
    after the softmax: leave them out.

    Args:
        ours: as for `to_pyg`.

    Returns:
        For a layer a `dgl.nn.GATConv` with `allow_zero_in_degree=True`. For a network
        a `weights.ConvStack`, called as `net(graph.dgl(), x)`.

    Raises:
        ImportError: DGL is not installed.
        TypeError: as for `to_pyg`.

    Source: Wang et al., 2019.

    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3)).with_self_loops()
    >>> model = GAT(3, 2).eval()
    >>> logits = to_dgl(model)(graph.dgl(), graph.x)
    >>> torch.allclose(logits, model(graph, graph.x), atol=1e-6)
    True
    """
    conv = dgl_compat.import_dgl().nn.GATConv
    if isinstance(ours, GATLayer):
        return _to_conv(ours, conv)
    layers = layers_of(ours, "to_dgl")
    convs = [_to_conv(layer, conv) for layer in layers]
    merges = [layer.merge for layer in layers]
    network = ConvStack(convs, merges, copy.deepcopy(ours.activation))
    network.training = ours.training
    return network


def from_dgl(
    theirs: nn.Module,
    layer: Callable[..., GATLayer] = FusedGATLayer,
    *,
    merge: str | Sequence[str] | None = None,
    activation: Callable[[Tensor], Tensor] | None = None,
    feat_drop: float | Sequence[float] | None = None,
) -> GATLayer | GAT:
    """DGL's `GATConv` as our layer, or a network of them as our `GAT`.

    All is copied, as by `to_pyg`. What is said of networks at `from_pyg` holds here.
    Where heads are averaged, so are their biases and residuals.

    Args:
        theirs: a `dgl.nn.GATConv`, or a network of them.
        layer: the class of our layers.
        merge: what the network does with each layer's heads, "concat" or "mean", or a
            list; by default the last layer of a network averages, all others
            concatenate.
        activation: between the layers; by default that of the `GATConv`, else ELU.
        feat_drop: dropout on the layers' inputs; by default that of the `GATConv`.

    Returns:
        As `from_pyg`.

    Raises:
        ImportError: DGL is not installed.
        TypeError, ValueError: as for `from_pyg`.

    Source: Wang et al., 2019.

    >>> conv = dgl_compat.import_dgl().nn.GATConv(3, 4, num_heads=2)
    >>> from_dgl(conv, layer=EdgeGATLayer)
    EdgeGATLayer(3, 4, num_heads=2, ...)
    """
    conv = dgl_compat.import_dgl().nn.GATConv
    if type(theirs) is ConvStack:
        parts, merge = list(theirs.layers), merge or theirs.merges
        activation = activation or theirs.activation
    else:
        parts = list(parts_of(theirs, conv))
    convs = convs_of(theirs, parts, conv, "from_dgl")
    require_said(parts, conv, activation, feat_drop)
    if feat_drop is None:
        feat_drop = [conv.feat_drop.p for conv in convs]
    last = "concat" if theirs is convs[0] else "mean"
    merges = merge or ["concat"] * (len(convs) - 1) + [last]
    merges = per_layer("merge", merges, len(convs))
    drops = per_layer("feat_drop", feat_drop, len(convs))
    activation = _activation(convs, activation)
    triples = zip(convs, merges, drops, strict=True)
    ours = [_from_conv(conv, layer, *options) for conv, *options in triples]
    return handed_back(theirs, convs, ours, activation)


def _to_conv(layer: GATLayer, conv: type) -> nn.Module:
    """Our layer as DGL's."""
    require_plain(layer)
    f, k = layer.in_features, layer.num_heads
    with torch.random.fork_rng(devices=[]):
        theirs = conv(
            f,
            layer.out_features,
            k,
            feat_drop=layer.feat_drop,
            attn_drop=layer.attn_drop,
            negative_slope=layer.negative_slope,
            residual=layer.residual,
            allow_zero_in_degree=True,
            bias=layer.bias is not None,
        )
    theirs.fc.weight = copied(layer.weight, Tensor.t)
    theirs.attn_l, theirs.attn_r = halves_of(layer)
    # Under the mean, every head gets what is added after it.
    copies = k if layer.merge == "mean" else 1
    matrix = layer.residual_weight
    if layer.residual and not (matrix is None and copies == 1):
        if not isinstance(theirs.res_fc, nn.Linear):  # DGL would add the input itself
            theirs.res_fc = nn.Linear(f, k * layer.out_features, bias=False)
        matrix = identity(f, layer.weight) if matrix is None else matrix
        theirs.res_fc.weight = copied(matrix, lambda m: m.t().repeat(copies, 1))
    if layer.bias is not None:
        keeper = theirs if theirs.bias is not None else theirs.res_fc
        keeper.bias = copied(layer.bias, lambda b: b.repeat(copies))
    return theirs.train(layer.training)


def _from_conv(
    theirs: nn.Module, make: Callable, merge: str, feat_drop: float
) -> GATLayer:
    """DGL's layer as ours."""
    if not hasattr(theirs, "fc"):
        sizes = theirs.fc_src.in_features, theirs.fc_dst.in_features
        raise ValueError(
            f"GATConv(in_feats={sizes}) has two matrices, for sources and targets, and "
            "our layers have one: build it with a single in_feats"
        )
    _, k, width = theirs.attn_l.shape
    f, mean = theirs.fc.in_features, merge == "mean"

    def merged(per_head: Tensor) -> Tensor:
        """`[..., K·F']` as it is, or the mean over the heads, `[..., F']`."""
        heads = per_head.unflatten(-1, (k, width))
        if not mean:
            return per_head
        alike = bool((heads == heads[..., :1, :]).all())  # and no rounding
        return heads[..., 0, :] if alike else heads.mean(dim=-2)

    residual, matrix = theirs.res_fc, None
    bias = theirs.bias
    if isinstance(residual, nn.Linear):  # which keeps the bias in some versions
        matrix = copied(residual.weight, lambda w: merged(w.t()))
        bias = residual.bias if bias is None else bias
    elif residual is not None and mean:
        matrix = copied(identity(f, theirs.fc.weight), merged)
    parameters = {
        "weight": copied(theirs.fc.weight, Tensor.t),
        "att_dst": copied(theirs.attn_r, without_first),
        "att_src": copied(theirs.attn_l, without_first),
        "bias": copied(bias, merged),
        "residual_weight": matrix,
    }
    options = {
        "merge": merge,
        "negative_slope": theirs.leaky_relu.negative_slope,
        "feat_drop": feat_drop,
        "attn_drop": theirs.attn_drop.p,
        "residual": residual is not None,
    }
    return build(make, parameters, options).train(theirs.training)


def _activation(convs: list, given: Callable | None) -> Callable | None:
    """The activation that DGL's layers apply themselves, the last one aside."""
    *hidden, last = [conv.activation for conv in convs]
    if last is not None:
        raise ValueError(
            f"activation={last} of the last GATConv has no counterpart: our layers "
            "leave it to the caller. Set conv.activation = None and apply it yourself"
        )
    if len(set(map(repr, hidden))) > 1 and given is None:
        raise ValueError("the layers' activation differs: give activation=…")
    return given or (hidden[0] if hidden else None)
