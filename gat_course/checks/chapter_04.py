"""Checks of chapter 4's exercises."""

from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from gat_course import formulas
from gat_course.checks import answers
from gat_course.checks.answers import check, close, random, refuse, tensor
from gat_course.graph import GraphData
from gat_course.layers import EdgeGATLayer
from gat_course.models import GAT


@check("4.1")
def _count(function: Callable) -> None:
    def right(in_features, num_classes, hidden, num_heads, out_heads) -> int:
        with torch.device("meta"):  # sizes without numbers
            network = GAT(in_features, num_classes, hidden, num_heads, out_heads)
        return sum(p.numel() for p in network.parameters())

    _, classes, hidden, k, out_k = first = (11, 5, 3, 4, 2)
    total, att = right(*first), k * hidden + out_k * classes  # half of all a
    shared, narrow = 2 * (hidden + classes), (k - 1) * hidden * classes * out_k
    more = total + (out_k - 1) * classes
    mistakes = {
        "The biases are missing.": total - k * hidden - classes,
        "Each head has its own a.": total - 2 * att + shared,
        "Each a has two halves, for the target and for the source.": total - att,
        "The second layer reads all heads of the first, not one.": total - narrow,
        "The output layer adds its bias once, after the mean over its heads.": more,
    }
    refuse(mistakes, tensor(function(*first), ()))
    for sizes in (first, (6, 3, 1, 1, 1), (50, 2, 7, 1, 5), (3, 9, 2, 5, 1)):
        named = f"With {answers.sizes(right, sizes)}:"
        close(function(*sizes), right(*sizes), named, tolerance=0, form=",g")


@check("4.2")
def _merge(function: Callable) -> None:
    for k, merge in product((3, 1, 4), ("concat", "mean")):
        heads = random(*[(5, 2)] * k)
        right = sum(heads) / k if merge == "mean" else torch.cat(heads, dim=1)
        what = f'With "{merge}" and K = {k} the result'
        hint = f'With "{merge}" you write into the heads you are given.'
        with answers.untouched(heads, hint):
            out = answers.done(function(list(heads), merge))
            shape = getattr(out, "shape", ())
            below = merge == "concat" and k > 1 and shape == (5 * k, 2)
            mistakes = {
                "The mean is a single number: it averages nodes and features as well. "
                "Average over the heads alone.": merge == "mean" and shape == (),
                "The heads lie below each other; a row is for one node.": below,
            }
            refuse(mistakes)
            out = tensor(out, right.shape, what)
        mixed = torch.stack(heads, dim=2).flatten(1)
        mistakes = {
            "The heads are mixed; a head's numbers stand side by side.": mixed,
            'With "mean" you return the sum of the heads.': sum(heads),
        }
        close(out, right, what, mistakes)


@check("4.3")
def _noise(function: Callable) -> None:
    (scores,) = random((6,))
    uneven = torch.softmax(scores, dim=0)
    flat, one = torch.full((4,), 0.25), torch.ones(1)
    cases = (flat, 0.6), (uneven, 0.3), (uneven, 0.9), (one, 0.2), (uneven, 0.0)
    for alpha, p in cases:
        what = f"With D = {len(alpha)} and p = {p:g} the standard deviation"
        value = tensor(function(alpha.clone(), p), (), what)
        of_one = p / (1 - p)
        variance = of_one * float(alpha.double().square().sum())
        kept = (1 - p) * variance**0.5
        mistakes = {
            "This is the variance, not the standard deviation.": variance,
            "This leaves out that dropout divides what it keeps by 1 - p.": kept,
            "Every weight is dropped on its own: variances add, standard deviations do "
            "not.": of_one**0.5,
        }
        close(value, variance**0.5, what, mistakes)


@check("4.4")
def _silence(function: Callable) -> None:
    graph, (x, noise) = answers.uneven(), random((7, 6), (6,))
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
        new = _layer_of_its_own(layer, function, k)
        with torch.no_grad():
            try:
                out, alpha = new.to(x)(graph, x, return_attention=True)
            except TypeError as error:
                if "return_attention" not in str(error):
                    raise
                hint = "The new layer should take return_attention, too."
                raise answers.Wrong(hint) from None
            name = f'merge = "{merge}", bias = {bias}, residual = {residual}, k = {k}'
            with answers.case(f"With {name}:"):
                _compare_silenced(layer, graph, x, k, out, alpha)


def _layer_of_its_own(layer: EdgeGATLayer, function: Callable, k: int) -> nn.Module:
    """What the answer returns, which shares nothing with the layer."""
    before = {name: p.detach().clone() for name, p in layer.named_parameters()}
    new = answers.kind(answers.done(function(layer, k)), nn.Module, "Return a layer")
    after = dict(layer.named_parameters())
    changed = any(not torch.equal(p, before[name]) for name, p in after.items())
    own = {p.data_ptr() for p in after.values()}
    empty = any(p.is_meta for p in new.parameters())
    mistakes = {
        "The layer itself was changed: the copy shares its parameters.": changed,
        "The copy shares parameters with the layer: train one, and the other learns "
        "with it.": any(p.data_ptr() in own for p in new.parameters()),
        "The new layer's parameters hold no numbers: it is on meta.": empty,
    }
    refuse(mistakes)
    return new


def _compare_silenced(
    layer: EdgeGATLayer, graph: GraphData, x: Tensor, k: int, out: Any, alpha: Any
) -> None:
    full, weights = layer(graph, x, return_attention=True)
    out = tensor(out, full.shape, "the new layer's output")
    alpha = tensor(alpha, weights.shape, "its attention")
    for m in {0, 1, 2} - {k}:
        changed = not answers.same(alpha[:, m], weights[:, m])
        refuse({f"the attention of head {m} changed, too.": changed})

    concat, only = layer.merge == "concat", torch.eye(3)

    def heads(alpha: Tensor) -> Tensor:
        """What each head adds to the output."""
        z = (x @ layer.weight).view(-1, 3, 2)
        own = formulas.aggregate(alpha, z, graph.src, graph.dst, graph.num_nodes)
        own = own * only.view(3, 1, 3, 1)
        return own.flatten(2) if concat else own.mean(dim=2)

    right, others = full - heads(weights)[k], heads(weights)[only[k] == 0].sum(dim=0)
    uniform = (1 / graph.in_degrees[graph.dst]).unsqueeze(1).expand_as(weights)
    bias = torch.zeros(()) if layer.bias is None else layer.bias
    own = only[k].repeat_interleave(2) if concat else 1  # one where head k writes
    mistakes = {
        f"head {k} still contributes.": full,
        f"head {k} still contributes. Without scores it takes the mean of its "
        "neighbours.": right + heads(uniform)[k],
        "the other heads weigh more than before. The mean stays one over three heads, "
        "one of which adds zero.": () if concat else right + others / 2,
    }
    for what, part in {"bias": bias, "residual": right - others - bias}.items():
        hint = f"the {what} is silenced, too. It belongs to no head."
        mistakes[hint] = right - own * part, right - part
    close(out, right, "the output", mistakes)


@check("4.5")
def _gcn_as_monet(coordinates: Callable, weigh: Callable) -> None:
    generator = torch.Generator().manual_seed(0)
    ends = torch.randint(9, (2, 20), generator=generator)
    ends = torch.cat([ends, ends[:, :4], torch.arange(9).expand(2, 9)], dim=1)
    graph = GraphData(num_nodes=9, src=ends[0], dst=ends[1])
    adjacency, (h,) = graph.dense_adjacency(), random((9, 3))
    u = coordinates(graph)
    tensor(u, (graph.num_edges, 2), "Your u")
    w, z = tensor(weigh(u), (graph.num_edges, 1), "Your w"), h.double().unsqueeze(1)
    out = formulas.aggregate(w, z, graph.src, graph.dst, graph.num_nodes).squeeze(1)

    def over(dst: Tensor, src: Tensor) -> Tensor:
        return (adjacency / (dst.unsqueeze(1) * src)) @ h

    into, away, once = adjacency.sum(1), adjacency.sum(0), adjacency.clamp(max=1).sum(1)
    root = into**0.5
    leaving = over(root, away**0.5)
    mistakes = {
        "This is the mean: the source's degree is missing.": over(into, into**0),
        "The square root is missing.": over(into, into),
        "This multiplies by the root; GCN divides by it.": over(1 / root, 1 / root),
        "The degree of a source counts edges into it, not out of it.": leaving,
        "An edge that occurs twice counts twice.": over(once**0.5, once**0.5),
    }
    close(out, over(root, root), "An average", mistakes)
