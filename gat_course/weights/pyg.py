"""Our layers and networks as PyG's, and back."""

import warnings
from collections.abc import Callable, Sequence
from types import ModuleType

import torch
from torch import Tensor, nn

from gat_course.layers.fused import FusedGATLayer
from gat_course.layers.gat import GATLayer
from gat_course.models import GAT, Stack, per_layer
from gat_course.weights.networks import (
    as_module,
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

# Options of PyG's layer, the values that ours can have, and what to do.
_OPTIONS = (
    (
        "edge_dim",
        (None,),
        "our layers take no edge features; build it without edge_dim",
    ),
    ("aggr", ("add", "sum"), "our layers add the messages up; use aggr='add'"),
    (
        "flow",
        ("source_to_target",),
        "use flow='source_to_target' and reverse the edges, edge_index.flip(0)",
    ),
)
_SAY = "give activation=… and feat_drop=… if they are the layers' all the same"


def to_pyg(ours: GATLayer | Stack) -> nn.Module:
    """Our layer as PyG's `GATConv`, or our network as PyG's `Sequential`.

    All is copied: parameters with dtype, device and `requires_grad`, dropout rates,
    slope, training or evaluation mode. Give the features dense, and the edges as
    `torch.stack([graph.src, graph.dst])`, self-loops included: PyG's are off
    (`add_self_loops=False`). Weights of edges have no counterpart in PyG's layer.

    A `UniformGATLayer` becomes one whose halves of $a$ are zero. A residual that adds
    the input itself becomes a fixed identity matrix.

    Args:
        ours: any of our layers, a `GAT`, or another `Stack` of our layers.

    Returns:
        For a layer a `torch_geometric.nn.GATConv`. Its input is not dropped: it warns
        where `feat_drop` is not zero. For a network a `torch_geometric.nn.Sequential`,
        called as `net(x, edge_index)`, with dropout before each layer.

    Raises:
        ImportError: PyG is not installed.
        TypeError: a layer has scores or parameters of its own, or `ours` has other
            layers.

    Source: Fey and Lenssen, 2019.

    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3)).with_self_loops()
    >>> model = GAT(3, 2).eval()
    >>> logits = to_pyg(model)(graph.x, torch.stack([graph.src, graph.dst]))
    >>> torch.allclose(logits, model(graph, graph.x), atol=1e-6)
    True
    """
    pyg = _pyg()
    if isinstance(ours, GATLayer):
        if ours.feat_drop:
            warnings.warn(
                f"PyG's GATConv does not drop its input: feat_drop={ours.feat_drop} is "
                f"lost. Put torch.nn.Dropout({ours.feat_drop}) before it",
                stacklevel=2,
            )
        return _to_conv(ours, pyg.GATConv)
    steps = []
    for number, layer in enumerate(layers_of(ours, "to_pyg")):
        if number:
            steps.append((as_module(ours.activation), "x -> x"))
        if layer.feat_drop:
            drop = nn.Dropout(layer.feat_drop).train(layer.training)
            steps.append((drop, "x -> x"))
        steps.append((_to_conv(layer, pyg.GATConv), "x, edge_index -> x"))
    network = pyg.Sequential("x, edge_index", steps)
    network.training = ours.training
    return network


def from_pyg(
    theirs: nn.Module,
    layer: Callable[..., GATLayer] = FusedGATLayer,
    *,
    activation: Callable[[Tensor], Tensor] | None = None,
    feat_drop: float | Sequence[float] | None = None,
) -> GATLayer | GAT:
    """PyG's `GATConv` as our layer, or a network of them as our `GAT`.

    All is copied, as by `to_pyg`. PyG's layer adds self-loops unless it is told not to;
    ours takes the edges that it is given. So where `add_self_loops` is on, this warns:
    call our model with `graph.with_self_loops()`, which is the same where no self-loop
    repeats.

    The layers of a network are the `GATConv` in it, in order, and our `GAT` applies
    them one after the other. From a `torch_geometric.nn.Sequential` or PyG's own `GAT`
    the activation and the dropout before each layer are read. Another network's
    `forward` cannot be read:
    `F.relu`, `F.dropout`, a softmax or skip connections in it are not seen.

    Args:
        theirs: a `torch_geometric.nn.GATConv`, or a network of them.
        layer: the class of our layers; `UniformGATLayer` switches attention off.
        activation: between the layers; by default as read, else ELU.
        feat_drop: dropout on the layers' inputs, one number or a list; by default as
            read, else 0.

    Returns:
        One of our layers, or a `GAT` of them. A residual matrix is kept as
        `residual_weight`, also where the sizes agree and our layers have none; a state
        dict then loads only into a layer made in this way.

    Raises:
        ImportError: PyG is not installed.
        TypeError: there is no `GATConv`, or another layer beside it; or `layer` has
            scores or parameters of its own.
        ValueError: an option has no counterpart here, or modules do not say where they
            act; the message names them.

    Source: Fey and Lenssen, 2019.

    >>> from torch_geometric.nn import GATConv
    >>> from_pyg(GATConv(3, 4, heads=2, add_self_loops=False), layer=EdgeGATLayer)
    EdgeGATLayer(3, 4, num_heads=2, ...)
    """
    pyg = _pyg()
    steps = _steps(theirs, pyg)
    parts = [part for step in steps or [theirs] for part in parts_of(step, pyg.GATConv)]
    convs = convs_of(theirs, parts, pyg.GATConv, "from_pyg")
    if steps and (activation is None or feat_drop is None):
        act, drops = _read_steps(parts, pyg.GATConv)
        activation = act if activation is None else activation
        feat_drop = drops if feat_drop is None else feat_drop
    require_said(parts, pyg.GATConv, activation, feat_drop)
    loops = {conv.add_self_loops for conv in convs}
    if len(loops) > 1:
        raise ValueError(
            "add_self_loops is on in some layers and off in others, but our GAT uses "
            "one graph in all: convert the GATConv modules one by one"
        )
    drops = per_layer("feat_drop", 0.0 if feat_drop is None else feat_drop, len(convs))
    ours = [_from_conv(c, layer, d) for c, d in zip(convs, drops, strict=True)]
    if loops == {True}:
        warnings.warn(
            "add_self_loops is on: PyG's layer adds them itself, ours does not. Use "
            "graph.with_self_loops() with what is returned here",
            stacklevel=2,
        )
    return handed_back(theirs, convs, ours, activation)


def _pyg() -> ModuleType:
    """`torch_geometric.nn`, silently imported."""
    try:
        with warnings.catch_warnings():
            # PyG still scripts some of its classes.
            warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
            import torch_geometric.nn
    except ImportError as error:
        raise ImportError(
            f"PyG cannot be imported ({error}): pip install torch_geometric"
        ) from error
    return torch_geometric.nn


def _to_conv(layer: GATLayer, conv: type) -> nn.Module:
    """Our layer as PyG's."""
    require_plain(layer)
    options = {"residual": True} if layer.residual else {}
    with torch.random.fork_rng(devices=[]):  # what is drawn here is thrown away
        theirs = conv(
            layer.in_features,
            layer.out_features,
            layer.num_heads,
            concat=layer.merge == "concat",
            negative_slope=layer.negative_slope,
            dropout=layer.attn_drop,
            add_self_loops=False,
            bias=layer.bias is not None,
            **options,
        )
    theirs.lin.weight = copied(layer.weight, Tensor.t)
    theirs.att_src, theirs.att_dst = halves_of(layer)
    theirs.bias = copied(layer.bias)
    if layer.residual:
        matrix = layer.residual_weight
        same = identity(layer.in_features, layer.weight)
        theirs.res.weight = same if matrix is None else copied(matrix, Tensor.t)
    return theirs.train(layer.training)


def _from_conv(theirs: nn.Module, make: Callable, feat_drop: float) -> GATLayer:
    """PyG's layer as ours."""
    for name, known, remedy in _OPTIONS:
        if (value := getattr(theirs, name)) not in known:
            raise ValueError(f"GATConv({name}={value!r}) has no counterpart: {remedy}")
    if not isinstance(theirs.in_channels, int):
        raise ValueError(
            f"GATConv(in_channels={theirs.in_channels}) has two matrices, for sources "
            "and targets, and our layers have one: build it with a single in_channels"
        )
    if isinstance(theirs.lin.weight, nn.UninitializedParameter):
        raise ValueError(
            f"GATConv(in_channels={theirs.in_channels}) learns its size when it is "
            "first called: call the network once, then convert it"
        )
    residual = theirs.res
    parameters = {
        "weight": copied(theirs.lin.weight, Tensor.t),
        "att_dst": copied(theirs.att_dst, without_first),
        "att_src": copied(theirs.att_src, without_first),
        "bias": copied(theirs.bias),
        "residual_weight": residual and copied(residual.weight, Tensor.t),  # or None
    }
    options = {
        "merge": "concat" if theirs.concat else "mean",
        "negative_slope": theirs.negative_slope,
        "feat_drop": feat_drop,
        "attn_drop": theirs.dropout,
        "residual": residual is not None,
    }
    return build(make, parameters, options).train(theirs.training)


def _steps(theirs: nn.Module, pyg: ModuleType) -> list[Callable] | None:
    """What a network does one after the other, where that is known."""
    if isinstance(theirs, pyg.Sequential):
        return [theirs[number] for number in range(len(theirs))]
    if type(theirs) is not pyg.GAT:
        return None
    between = [part for part in (theirs.act, theirs.dropout) if part is not None]
    steps = [part for conv in theirs.convs for part in (*between, conv)]
    known = {"convs", "act", "dropout", "_trim"}  # the last one is for samples
    rest = [part for name, part in theirs.named_children() if name not in known]
    return steps[len(between) :] + rest


def _read_steps(
    parts: list[Callable], conv: type
) -> tuple[Callable | None, list[float]]:
    """The activation between the layers, and dropout before each, from PyG's steps."""
    drops, between, drop, act = [], [], 0.0, None
    for part in parts:
        if isinstance(part, conv):
            drops.append(drop)
            between.append(act)
            drop, act = 0.0, None
        elif isinstance(part, nn.Dropout) and not drop:
            drop = part.p
        elif act is None and not drop:
            act = part
        else:
            raise ValueError(f"{part} stands beside another step: {_SAY}")
    if drop or act or between[0] or len(set(map(repr, between[1:]))) > 1:
        raise ValueError(
            "the Sequential must have the same activation between all layers, and "
            f"nothing but dropout before the first or after the last: {_SAY}"
        )
    act = between[-1] or nn.Identity()
    return (act if len(between) > 1 else None), drops
