"""Checks of chapter 4's exercises."""

from collections.abc import Callable

import torch
from torch import Tensor

from gat_course import formulas
from gat_course.checks.answers import (
    _check,
    _close,
    _is,
    _NotDone,
    _random,
    _tensor,
    _uneven,
    _Wrong,
)
from gat_course.graph import GraphData
from gat_course.layers import EdgeGATLayer
from gat_course.models import GAT


@_check("4.1")
def _count(function: Callable) -> None:
    def answer(*sizes: int) -> float:
        return float(_tensor(function(*sizes), (), "The result"))

    def right(*sizes: int) -> int:
        with torch.device("meta"):  # sizes without numbers
            network = GAT(*sizes[:4], out_heads=sizes[4])
        return sum(p.numel() for p in network.parameters())

    features, classes, hidden, heads, out_heads = sizes = (11, 5, 3, 4, 2)
    count, total = answer(*sizes), right(*sizes)
    att = heads * hidden + out_heads * classes  # half of all a
    mistakes = {
        total - heads * hidden - classes: "The biases are missing.",
        total - 2 * att + 2 * (hidden + classes): "Each head has its own a.",
        total - att: "Each a has two halves, for the target and for the source.",
        total - (heads - 1) * hidden * classes * out_heads: (
            "The second layer reads all heads of the first, not one."
        ),
        total + (out_heads - 1) * classes: (
            "The output layer adds its bias once, after the mean over its heads."
        ),
    }
    if count in mistakes:
        raise _Wrong(mistakes[count])
    for case in (sizes, (6, 3, 1, 1, 1), (50, 2, 7, 1, 5), (3, 9, 2, 5, 1)):
        count = answer(*case)
        if count != right(*case):
            names = ("in_features", "num_classes", "hidden", "num_heads", "out_heads")
            pairs = zip(names, case, strict=True)
            listed = ", ".join(f"{name} = {size}" for name, size in pairs)
            raise _Wrong(f"With {listed}: it is not {count:,g}.")


@_check("4.2")
def _merge(function: Callable) -> None:
    def answer(number: int, merge: str) -> tuple[Tensor, list[Tensor], str]:
        heads = _random(*[(5, 2)] * number)
        given = [head.clone() for head in heads]
        out = function(list(given), merge)
        what = f'With "{merge}" and K = {number} the result'
        if merge == "mean" and getattr(out, "ndim", 0 if out is not None else 1) == 0:
            raise _Wrong(
                "The mean is a single number: it averages nodes and features as "
                "well. Average over the heads alone."
            )
        below = number > 1 and getattr(out, "shape", ()) == (5 * number, 2)
        if merge == "concat" and below:
            raise _Wrong("The heads lie below each other; a row is for one node.")
        width = 2 * number if merge == "concat" else 2
        out = _tensor(out, (5, width), what)
        if any(not torch.equal(a, b) for a, b in zip(heads, given, strict=True)):
            raise _Wrong(f'With "{merge}" you write into the heads you are given.')
        return out, heads, what

    for number in (3, 1, 4):
        out, heads, what = answer(number, "concat")
        columns = [head[:, c] for head in heads for c in range(2)]
        mixed = [head[:, c] for c in range(2) for head in heads]
        if number > 1 and _is(out, torch.stack(mixed, dim=1)):
            raise _Wrong("The heads are mixed; a head's numbers stand side by side.")
        _close(out, torch.stack(columns, dim=1), what)
        out, heads, what = answer(number, "mean")
        if number > 1 and _is(out, sum(heads)):
            raise _Wrong('With "mean" you return the sum of the heads.')
        _close(out, sum(heads) / number, what)


@_check("4.3")
def _noise(function: Callable) -> None:
    (scores,) = _random((6,))
    uneven = torch.softmax(scores, dim=0)
    for alpha, p in (
        (torch.full((4,), 0.25), 0.6),
        (uneven, 0.3),
        (uneven, 0.9),
        (torch.ones(1), 0.2),
        (uneven, 0.0),
    ):
        what = f"With D = {len(alpha)} and p = {p:g} the standard deviation"
        value = _tensor(function(alpha.clone(), p), (), what)
        variance = p / (1 - p) * sum(a**2 for a in alpha.double().tolist())
        mistakes = {
            variance: "This is the variance, not the standard deviation.",
            (1 - p) * variance**0.5: (
                "This leaves out that dropout divides what it keeps by 1 - p."
            ),
            (p / (1 - p)) ** 0.5: (
                "Every weight is dropped on its own: variances add, standard "
                "deviations do not."
            ),
        }
        for mistake, hint in mistakes.items():
            if len(alpha) > 1 and p and abs(float(value) - mistake) < 1e-5:
                raise _Wrong(hint)
        _close(value, torch.tensor(variance).sqrt(), what)


@_check("4.4")
def _silence(function: Callable) -> None:
    graph, (x, noise) = _uneven(), _random((7, 6), (6,))
    for merge, bias, residual, k in (
        ("concat", True, False, 1),
        ("concat", True, True, 0),
        ("concat", False, False, 2),
        ("mean", True, False, 1),
        ("mean", True, True, 2),
        ("mean", False, False, 0),
    ):
        with torch.no_grad():
            torch.manual_seed(0)
            layer = EdgeGATLayer(6, 2, 3, merge, 0.5, residual=residual, bias=bias)
            if bias:
                layer.bias.copy_(noise[: len(layer.bias)])
        _compare_silenced(layer, function, graph, x, k)


def _layer_of_its_own(
    layer: EdgeGATLayer, function: Callable, k: int
) -> torch.nn.Module:
    """What the answer returns, which shares nothing with the layer."""
    before = {name: p.detach().clone() for name, p in layer.named_parameters()}
    new = function(layer, k)
    if new is None:
        raise _NotDone
    if not isinstance(new, torch.nn.Module):
        raise _Wrong(f"Return a layer, not a {type(new).__name__}.")
    if any(not torch.equal(p, before[name]) for name, p in layer.named_parameters()):
        raise _Wrong("The layer itself was changed: the copy shares its parameters.")
    own = {p.data_ptr() for p in layer.parameters()}
    if any(p.data_ptr() in own for p in new.parameters()):
        raise _Wrong(
            "The copy shares parameters with the layer: train one, and "
            "the other learns with it."
        )
    if any(p.is_meta for p in new.parameters()):
        raise _Wrong("The new layer's parameters hold no numbers: it is on meta.")
    return new


def _compare_silenced(
    layer: EdgeGATLayer, function: Callable, graph: GraphData, x: Tensor, k: int
) -> None:
    case = f'With merge = "{layer.merge}", bias = {layer.bias is not None}, '
    case += f"residual = {layer.residual}, k = {k}"
    before = {name: p.detach().clone() for name, p in layer.named_parameters()}
    new = _layer_of_its_own(layer, function, k)
    with torch.no_grad():
        full, alpha = layer(graph, x, return_attention=True)
        try:
            out, new_alpha = new.to(x)(graph, x, return_attention=True)
        except TypeError as error:
            if "return_attention" not in str(error):
                raise
            raise _Wrong("The new layer should take return_attention, too.") from None
    out = _tensor(out, tuple(full.shape), f"{case}: the new layer's output")
    new_alpha = _tensor(new_alpha, tuple(alpha.shape), f"{case}: its attention")
    for other in {0, 1, 2} - {k}:
        if not _is(new_alpha[:, other], alpha[:, other]):
            raise _Wrong(f"{case}: the attention of head {other} changed, too.")

    def heads(alpha: Tensor, keep: set[int]) -> Tensor:
        z = (x @ before["weight"]).view(-1, 3, 2)
        own = formulas.aggregate(alpha, z, graph.src, graph.dst, graph.num_nodes)
        own[:, [m for m in range(3) if m not in keep]] = 0
        return own.flatten(1) if layer.merge == "concat" else own.mean(dim=1)

    expected = full - heads(alpha, {k})
    if _is(out, expected):
        return
    if _is(out, full):
        raise _Wrong(f"{case}: head {k} still contributes.")
    uniform = (1 / graph.in_degrees[graph.dst]).unsqueeze(1).expand_as(alpha)
    if _is(out, expected + heads(uniform, {k})):
        raise _Wrong(
            f"{case}: head {k} still contributes. Without scores it takes the mean of "
            "its neighbours."
        )
    others = heads(alpha, {0, 1, 2} - {k})
    if layer.merge == "mean" and _is(out, expected + others / 2):
        raise _Wrong(
            f"{case}: the other heads weigh more than before. The mean stays one over "
            "three heads, one of which adds zero."
        )
    around = {"bias": before.get("bias", 0), "residual": full - heads(alpha, {0, 1, 2})}
    around["residual"] = around["residual"] - around["bias"]
    written = torch.zeros_like(full)  # one where head k writes
    written[:, slice(2 * k, 2 * k + 2) if layer.merge == "concat" else slice(None)] = 1
    for what, part in around.items():
        if _is(out, expected - written * part) or _is(out, expected - part):
            raise _Wrong(f"{case}: the {what} is silenced, too. It belongs to no head.")
    _close(out, expected, f"{case}: the output")


@_check("4.5")
def _gcn_as_monet(coordinates: Callable, weigh: Callable) -> None:
    generator = torch.Generator().manual_seed(0)
    ends = torch.randint(9, (2, 20), generator=generator)
    ends = torch.cat([ends, ends[:, :4], torch.arange(9).expand(2, 9)], dim=1)
    graph = GraphData(num_nodes=9, src=ends[0], dst=ends[1])
    adjacency, (h,) = graph.dense_adjacency(), _random((9, 3))
    size = len(graph.src)
    u = coordinates(graph)
    _tensor(u, (size, 2), "Your u")
    w = _tensor(weigh(u), (size, 1), "Your w")
    out = formulas.aggregate(
        w, h.double().unsqueeze(1), graph.src, graph.dst, graph.num_nodes
    ).squeeze(1)

    def over(dst: Tensor, src: Tensor) -> Tensor:
        return adjacency / (dst.unsqueeze(1) * src)

    into, away, once = adjacency.sum(1), adjacency.sum(0), adjacency.clamp(max=1).sum(1)
    mistakes = {
        "This is the mean: the source's degree is missing.": over(into, into**0),
        "The square root is missing.": over(into, into),
        "This multiplies by the root; GCN divides by it.": over(into**-0.5, into**-0.5),
        "The degree of a source counts edges into it, not out of it.": over(
            into**0.5, away**0.5
        ),
        "An edge that occurs twice counts twice.": over(once**0.5, once**0.5),
    }
    for hint, weights in mistakes.items():
        if _is(out, weights @ h):
            raise _Wrong(hint)
    _close(out, formulas.gcn_weights(adjacency) @ h, "An average")
