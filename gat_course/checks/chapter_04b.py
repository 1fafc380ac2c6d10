"""Checks of exercises 4.4 to 4.5."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gat_course.checks import by_hand, inputs, reading
from gat_course.checks.question import Made, case, question
from gat_course.graph import GraphData
from gat_course.layers import EdgeGATLayer

# ---------------------------------------------------------------- 4.4


def _layer(merge: str, bias: bool, residual: bool) -> Made:
    """A layer with three heads of two features, made anew for each call."""

    def make() -> EdgeGATLayer:
        layer = EdgeGATLayer(5, 2, 3, merge, 0.5, residual=residual, bias=bias)
        with torch.no_grad():
            for shift, parameter in enumerate(layer.parameters()):
                parameter.copy_(inputs.numbers(*parameter.shape, shift=shift))
        return layer

    text = f'EdgeGATLayer(5, 2, 3, "{merge}", 0.5, residual={residual}, bias={bias})'
    where = "# with numbers of our own in it, called on a graph of ours"
    return Made(f"{text}\n{where}", make)


def _run_silenced(function: Callable, layer: EdgeGATLayer, k: int) -> Any:
    """What the answer's layer gives, which shares nothing with the old one."""
    before = {name: p.detach().clone() for name, p in layer.named_parameters()}
    new = function(layer, k)
    if new is None or new is ...:
        return None
    if not isinstance(new, nn.Module):
        raise reading.Form(f"Return a layer, not {reading.kind(new)}.")
    after = dict(layer.named_parameters())
    if set(after) != set(before) or any(
        not torch.equal(p, before[name]) for name, p in after.items()
    ):
        raise reading.Form("The layer itself was changed: work on a copy of it.")
    own = {p.data_ptr() for p in after.values()}
    if any(p.is_meta for p in new.parameters()):
        raise reading.Form("The new layer's parameters hold no numbers: it is on meta.")
    if any(p.data_ptr() in own for p in new.parameters()):
        raise reading.Form(
            "The copy shares parameters with the layer: train one, and the other "
            "learns with it."
        )
    x = inputs.numbers(7, 5)
    try:
        with torch.no_grad():
            out, alpha = new.to(x)(inputs.UNEVEN, x, return_attention=True)
    except TypeError as error:
        if "return_attention" not in str(error):
            raise
        hint = "The new layer should take return_attention, as the old one does."
        raise reading.Form(hint) from None
    others = [m for m in range(3) if m != k]
    if reading.numbers(alpha).shape == (10, 3):
        alpha = alpha[:, others]
    return {"output": out, "attention of the other heads": alpha}


@question(
    "4.4",
    "All heads in one tensor",
    call=_run_silenced,
    read=reading.named,
    tolerance=1e-4,
    cases=[
        case(_layer("concat", False, False), 0),
        case(_layer("concat", True, False), 1),
        case(_layer("concat", True, True), 0),
        case(_layer("concat", False, True), 2),
        case(_layer("mean", False, False), 0),
        case(_layer("mean", True, False), 1),
        case(_layer("mean", True, True), 2),
        case(_layer("mean", True, True), 0),
    ],
    mistakes={
        "Head k still contributes: nothing is silenced.": {"still": "full"},
        "Head k still contributes: without scores it takes the mean of its "
        "neighbours.": {"still": "uniform"},
        "The other heads weigh more than before. The mean stays one over three heads, "
        "one of which adds zero.": {"mean": 2},
        "W is made larger, so that the others' mean comes out: that changes their "
        "scores. The mean stays one over three heads.": {"mean": "W"},
        "The bias is silenced, too. It belongs to no head.": {"bias": "head"},
        "The bias is silenced, too, where heads are concatenated. It belongs to no "
        "head.": {"bias": "concat"},
        "The whole bias is silenced. It belongs to no head.": {"bias": "all"},
        "The residual is silenced, too. It belongs to no head.": {"skip": "head"},
        "The whole residual is silenced. It belongs to no head.": {"skip": "all"},
        "Head 0 is silenced, whatever k is.": {"which": "first"},
        "The head before is silenced; heads are counted from 0.": {"which": "before"},
        "Every third column is silenced; a head's columns stand side by side.": {
            "which": "strided"
        },
        "The head is cut out, which leaves a layer of two; it should keep its place "
        "and add nothing.": {"which": "cut"},
        "The next head is silenced; heads are counted from 0.": {"which": "next"},
        "The heads up to k are silenced; only k should be.": {"which": "up to"},
        "All heads but k are silenced; it is the other way round.": {"which": "others"},
    },
)
def without_head(
    layer: EdgeGATLayer,
    k: int,
    *,
    still: str = "",
    mean: int | str = 3,
    bias: str = "",
    skip: str = "",
    which: str = "",
) -> dict[str, Tensor]:
    x, concat = inputs.numbers(7, 5).double(), layer.merge == "concat"
    others = [m for m in range(3) if m != k]
    silent = {
        "first": [0],
        "before": [k - 1] if k else [],
        "next": [(k + 1) % 3],
        "up to": list(range(k + 1)),
        "others": others,
        "strided": [],
    }.get(which, [k])
    weight = layer.weight.detach().double().clone().view(5, 3, 2)
    if not still:
        weight[:, silent] = 0
    if which == "strided":
        weight.view(5, 6)[:, k::3] = 0
    if mean == "W" and not concat:
        weight = weight * 3 / 2
    z = torch.einsum("nf,fkd->nkd", x, weight)
    dst = (z * layer.att_dst.double()).sum(-1)[inputs.UNEVEN.dst]
    src = (z * layer.att_src.double()).sum(-1)[inputs.UNEVEN.src]
    scores = nn.functional.leaky_relu(dst + src, 0.5)
    alpha = by_hand.edge_weights(scores, inputs.UNEVEN)
    if still == "uniform":
        alpha[:, k] = by_hand.edge_weights(scores, inputs.UNEVEN, form="uniform")[:, k]
    messages = alpha.unsqueeze(-1) * z[inputs.UNEVEN.src]
    heads = torch.zeros(7, 3, 2).double().index_add(0, inputs.UNEVEN.dst, messages)
    count = 2 if mean == 2 else 3
    out = heads.flatten(1) if concat else heads.sum(1) / count
    own = slice(2 * k, 2 * k + 2)  # in a mean of two numbers those of head 0 alone
    around = torch.zeros_like(out)
    if layer.residual:
        around = x @ layer.residual_weight.double()
        around[:, own if skip == "head" else slice(0 if skip else 99, None)] = 0
    if layer.bias is not None:
        added = layer.bias.double().clone()
        none = slice(0, 0)
        silent = {"": none, "all": slice(None), "concat": own if concat else none}
        added[silent.get(bias, own)] = 0
        around = around + added
    if which == "cut":
        if concat and layer.residual:
            raise ValueError("its residual no longer fits")
        kept = [c for m in others for c in (2 * m, 2 * m + 1)]
        out = out[:, kept] if concat else heads[:, others].mean(1)
        around = around[:, kept] if concat else around
        alpha = alpha[:, [*others, k]]
        others = [0, 1]
    found = {"output": out + around, "attention of the other heads": alpha[:, others]}
    return {name: part.detach() for name, part in found.items()}


# ---------------------------------------------------------------- 4.5


def _average(functions: tuple[Callable, Callable], graph: GraphData) -> Any:
    """The average that pseudo-coordinates and a weight function make."""
    coordinates, weigh = functions
    u = coordinates(graph)
    edges = graph.num_edges
    if u is None or u is ...:
        if weigh(torch.ones(edges, 2)) is None:
            return None
        raise reading.Form("`gcn_coordinates` returns nothing yet.")
    if (shape := reading.numbers(u, "Your u").shape) != (edges, 2):
        raise reading.Form(f"Your u should have shape [E, 2]; it has {list(shape)}.")
    w = weigh(u)
    if w is None or w is ...:
        raise reading.Form("`gcn_weigh` returns nothing yet.")
    w = reading.numbers(w, "Your w")
    if w.shape != (edges, 1):
        raise reading.Form(f"Your w should have shape [E, 1]; it has {list(w.shape)}.")
    messages = w * inputs.numbers(graph.num_nodes, 2).double()[graph.src]
    out = torch.zeros(graph.num_nodes, 2, dtype=torch.float64)
    return out.index_add(0, graph.dst, messages)


@question(
    "4.5",
    "GAT as a special case of MoNet",
    names=("gcn_coordinates", "gcn_weigh"),
    call=_average,
    cases=[
        case(GraphData(num_nodes=2, src=[0, 1, 1], dst=[0, 0, 1])),
        case(GraphData(num_nodes=3, src=[0, 0, 0, 1, 2], dst=[0, 1, 2, 1, 2])),
        case(GraphData(num_nodes=3, src=[0, 1, 2, 1, 0], dst=[0, 1, 2, 0, 1])),
        case(GraphData(num_nodes=2, src=[0, 0, 1, 1], dst=[0, 1, 1, 1])),
        case(
            GraphData(
                num_nodes=5,
                src=[0, 1, 2, 3, 4, 1, 1, 2, 0, 4],
                dst=[0, 1, 2, 3, 4, 0, 0, 3, 3, 3],
            )
        ),
    ],
    mistakes={
        "This is the mean: the source's degree is missing.": {"over": "mean"},
        "The target's degree is missing.": {"over": "source"},
        "The square root is missing.": {"over": "both"},
        "This multiplies by the root; GCN divides by it.": {"over": "times"},
        "The degree of a source counts edges into it, not out of it.": {
            "degree": "leaving"
        },
        "Degrees count the edges out of a node; here they count those into it.": {
            "degree": "out"
        },
        by_hand.TWICE: {"degree": "once"},
        "Self-loops are edges, too, and count in a degree.": {"degree": "others"},
        "A self-loop is counted that the graph has already: one too many in each "
        "degree.": {"degree": "more"},
        "All neighbours are added up: degrees play no part.": {"over": "one"},
        "It divides by the sum of the two degrees; GCN by the root of their product.": {
            "over": "sum"
        },
        "It divides by the mean of the two degrees; GCN by the root of their "
        "product.": {"over": "half"},
        "The root is taken twice.": {"over": "fourth"},
        "It divides by the root of the sum of the degrees; GCN by the root of their "
        "product.": {"over": "root of sum"},
        "Degrees count the edges in and out; those into a node are asked for.": {
            "degree": "both"
        },
        "It is an exponential of the degrees, as GAT's weights are of scores.": {
            "over": "exp"
        },
    },
)
def gcn_average(graph: GraphData, *, over: str = "", degree: str = "in") -> Tensor:
    counts = graph.dense_adjacency().double()
    into, away = counts.sum(1), counts.sum(0)
    others = into - counts.diagonal()
    once = counts.clamp(max=1).sum(1)
    dst, src = {
        "in": (into, into),
        "leaving": (into, away),
        "out": (away, away),
        "both": (into + away, into + away),
        "once": (once, once),
        "others": (others, others),
        "more": (into + 1, into + 1),
    }[degree]
    dst, src = dst.unsqueeze(1), src.unsqueeze(0)
    weights = {
        "": (dst * src).rsqrt(),
        "mean": 1 / dst + 0 * src,
        "source": 1 / src + 0 * dst,
        "both": 1 / (dst * src),
        "times": (dst * src).sqrt(),
        "one": torch.ones_like(dst * src),
        "sum": 1 / (dst + src),
        "root of sum": (dst + src).rsqrt(),
        "half": 2 / (dst + src),
        "fourth": (dst * src).rsqrt().sqrt(),
        "exp": (-dst - src).exp(),
    }[over]
    return (counts * weights.nan_to_num(0, 0, 0)) @ inputs.numbers(
        len(counts), 2
    ).double()
