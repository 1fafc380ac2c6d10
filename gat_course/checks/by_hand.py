"""Attention written plainly, with the mistakes that people make in it.

The checks compare with this and not with `formulas`, so that they do not depend on what
the chapters build. Everything is float64. The keyword arguments are the mistakes, and
the tables below say in words what each of them is.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gat_course.graph import GraphData

Table = dict[str, dict[str, Any]]  # hint → keyword arguments

SOFTMAX: Table = {
    "The softmax runs down each column, over the targets of one source. A target's own "
    "weights, its row, should sum to 1.": {"axis": 0},
    "One softmax runs over the whole matrix; each row needs one of its own.": {
        "axis": None
    },
    "The mask is not used: masked entries get weight, too.": {"fill": "none"},
    "The mask comes after the softmax, so the weights of a row no longer sum to 1. "
    "Mask the scores.": {"fill": "after"},
    "Masked scores are set to 0, and exp(0) = 1: they still get weight.": {"fill": 0.0},
    "Masked scores are set to a large negative number. That is right until a whole row "
    "is masked: then everyone gets the same weight, and zeros are asked for.": {
        "fill": -9e15
    },
    "Masked scores are set to −∞. That is right until a whole row is masked: 0 / 0 is "
    "NaN, and zeros are asked for.": {"fill": -math.inf},
    "The exponential is missing: scores are divided by their sum.": {"form": "ratio"},
    "The weights are not divided by their sum.": {"form": "exp"},
    "What is subtracted is the largest score of the row, masked ones included: if a "
    "masked one is far above, all others vanish.": {"form": "forbidden"},
    "What is subtracted is the largest score of the whole matrix: a row that lies far "
    "below gets 0 / 0.": {"form": "one top"},
    "Nothing is subtracted before the exponential, so that large scores overflow to "
    "infinity and give NaN.": {"form": "naive"},
    "The softmax is applied twice, and flattens the weights.": {"form": "twice"},
    "A sigmoid is in the place of the softmax.": {"form": "sigmoid"},
    "The largest score takes all; a softmax leaves some for the others.": {
        "form": "hard"
    },
    "All neighbours weigh the same: the scores play no part.": {"form": "uniform"},
    "The exponential is missing: the largest score is subtracted, and the differences "
    "are divided by their sum.": {"form": "gaps"},
    "The weights are left out: neighbours are added up.": {"form": "ones"},
    "The sign of the scores is wrong: the highest score gets the least weight.": {
        "scale": -1.0
    },
}

SCORE: Table = {
    "LeakyReLU has slope 0.01 here, PyTorch's default; the paper's is 0.2.": {
        "slope": 0.01
    },
    "LeakyReLU is missing.": {"slope": 1.0},
    "That is ReLU, of slope 0; LeakyReLU's slope is 0.2.": {"slope": 0.0},
    "The halves of a are swapped: the first is for the target, the row; the second for "
    "the source, the column.": {"halves": "swapped"},
    "The target has no say in the weights: its part of the score, a_dst · z_i, is "
    "missing, or LeakyReLU comes before the sum.": {"halves": "src"},
    "The source has no say in the weights: all neighbours weigh the same, as if "
    "a_dst · z_i were the whole score.": {"halves": "dst"},
    "a_dst is used for the target and the source: the source's half is a_src.": {
        "halves": "dst twice"
    },
    "a_src is used for the target and the source: the target's half is a_dst.": {
        "halves": "src twice"
    },
    "The two parts of the score are multiplied; they should be added.": {
        "halves": "product"
    },
}

LAYER: Table = {
    "Messages run backwards: row i of the matrix is the target, its columns are the "
    "sources.": {"turned": True},
    "A self-loop is added that is not in the graph.": {"loops": True},
    "A node without neighbours gets a self-loop; it should get zeros.": {
        "loops": "lonely"
    },
    "Each edge is taken both ways; the graph is directed.": {"turned": "both"},
    "Who has no neighbour is told by the columns; it is the rows, the targets.": {
        "loops": "columns"
    },
    "Who has no neighbour is told by the columns, so that one who is heard and hears "
    "nobody gets the mean of all; it is the rows, the targets.": {
        "loops": "columns",
        "fill": -9e15,
    },
    "What is averaged is h; equation (4) averages z = Wᵀh.": {"values": "x"},
    "An activation (ELU) is left in; none is asked for.": {"after": "elu"},
    "An activation (ReLU) is left in; none is asked for.": {"after": "relu"},
    "The node's own z is added to the average.": {"values": "added"},
}


TWICE = "An edge that occurs twice counts once in your answer; it should count twice."


def but(table: Table, *twists: dict[str, Any]) -> Table:
    """A table without these mistakes, which a question cannot tell or tells itself."""
    return {hint: twist for hint, twist in table.items() if twist not in twists}


def weights(
    scores: Tensor,
    counts: Tensor,
    *,
    axis: int | None = 1,
    fill: float | str | None = None,
    form: str = "softmax",
    scale: float = 1.0,
) -> Tensor:
    """Softmax over each row's allowed entries, `[N, M]`; zeros where none is.

    Args:
        scores: `[N, M]`.
        counts: how often each pair is joined, 0 where it is forbidden, `[N, M]`.
        axis: 0 and None are mistakes, as are all values of what follows.
    """
    scores, counts = scale * scores.double(), counts.double()
    allowed = counts > 0
    if fill == "none":
        counts, allowed = torch.ones_like(counts), torch.ones_like(allowed)
    elif fill == "after":
        return weights(scores, torch.ones_like(counts), axis=axis, form=form) * counts
    elif fill is not None:
        scores = scores.masked_fill(~allowed, fill)
        if fill == -math.inf:
            return torch.softmax(scores, 1 if axis is None else axis)
        allowed = torch.ones_like(allowed)
        counts = counts.clamp(min=1)
    if form == "sigmoid":
        return scores.sigmoid() * counts
    terms = _terms(scores, counts, allowed, axis, form)
    if form in ("exp", "ones", "gaps"):
        return terms
    total = terms.sum() if axis is None else terms.sum(axis, keepdim=True)
    if form not in ("naive", "forbidden", "one top"):
        total = total.masked_fill(total == 0, 1)
    found = terms / total
    if form == "twice":
        return weights(found, counts, axis=axis)
    return found


def _terms(
    scores: Tensor, counts: Tensor, allowed: Tensor, axis: int | None, form: str
) -> Tensor:
    """What is divided by its sum; for "gaps" what comes of it."""
    narrow = scores.float()
    if form in ("uniform", "ones"):
        return counts
    if form == "ratio":
        return scores * counts
    if form == "naive":
        return (narrow.exp() * counts.float()).double()
    if form in ("forbidden", "one top"):
        top = narrow[allowed].max() if form == "one top" else narrow.amax(1)[:, None]
        return ((narrow - top).exp() * counts.float()).double()
    masked = scores.masked_fill(~allowed, -math.inf)
    if form == "exp":
        largest = torch.zeros_like(masked)
    elif axis is None:
        largest = masked.max()
    else:
        largest = masked.amax(axis, keepdim=True).clamp(min=-1e300)
    if form == "hard":
        return ((scores == largest) & allowed).double()
    if form == "gaps":
        gaps = (masked - largest).masked_fill(~allowed, 0.0)
        return (gaps / gaps.sum(axis, keepdim=True)).masked_fill(~allowed, 0.0)
    return torch.exp(masked - largest) * counts


def pair_scores(
    z: Tensor,
    att_dst: Tensor,
    att_src: Tensor,
    *,
    slope: float = 0.2,
    halves: str = "both",
) -> Tensor:
    """Equation (2) for all pairs, `[N, N]`; row i is the target."""
    z, att_dst, att_src = z.double(), att_dst.double(), att_src.double()
    if halves in ("swapped", "src twice"):
        att_dst, att_src = att_src, att_dst if halves == "swapped" else att_src
    elif halves == "dst twice":
        att_src = att_dst
    dst, src = (z @ att_dst).unsqueeze(1), (z @ att_src).unsqueeze(0)
    if halves == "src":
        dst = dst * 0
    elif halves == "dst":
        src = src * 0
    return F.leaky_relu(dst * src if halves == "product" else dst + src, slope)


def layer(
    x: Tensor,
    counts: Tensor,
    weight: Tensor,
    att_dst: Tensor,
    att_src: Tensor,
    *,
    turned: bool | str = False,
    loops: bool | str = False,
    values: str = "z",
    after: str = "",
    slope: float = 0.2,
    halves: str = "both",
    **softmax: Any,
) -> Tensor:
    """Equations (1) to (4) for one head, `[N, F']`; zeros where no edge arrives."""
    z = x.double() @ weight.double()
    counts = counts.double()
    if turned == "both":
        counts = torch.maximum(counts, counts.t())
    counts = counts.t() if turned is True else counts
    if loops == "lonely":
        counts = counts + torch.diag((counts.sum(1) == 0).double())
    elif loops is True:
        counts = counts.clone().fill_diagonal_(1)
    if loops == "columns":
        softmax.setdefault("fill", -math.inf)
    scores = pair_scores(z, att_dst, att_src, slope=slope, halves=halves)
    out = weights(scores, counts, **softmax) @ (x.double() if values == "x" else z)
    out = out + z if values == "added" else out
    if loops == "columns":
        out = out.masked_fill(counts.sum(0).unsqueeze(1) == 0, 0.0)
    changes: dict[str, Callable] = {"elu": F.elu, "relu": F.relu}
    return changes[after](out) if after else out


def edge_weights(
    scores: Tensor, graph: GraphData, *, end: str = "dst", **softmax: Any
) -> Tensor:
    """Softmax over the edges that share a target, `[E, K]`; the twists of `weights`.

    Args:
        scores: `[E, K]`.
        graph: whose edges are scored.
        end: "src" is a mistake: over the edges that share a source; as is "head".
    """
    if end == "head":
        return scores.double().softmax(1)
    ends = getattr(graph, end)
    own = (ends.unsqueeze(0) == torch.arange(graph.num_nodes).unsqueeze(1)).double()
    columns = [
        weights(column * own, own, **softmax).masked_fill(own == 0, 0.0).sum(0)
        for column in scores.double().t()
    ]
    return torch.stack(columns, dim=1) if columns else scores.double()


EDGES: Table = {
    "Weights sum to 1 around each source; they should around each target.": {
        "end": "src"
    },
    "The softmax runs over the heads of an edge; it should run over the edges into a "
    "target.": {"end": "head"},
    "One softmax runs over all edges of the graph; each target needs one of its own.": {
        "axis": None
    },
    "The weights are not divided by their sum around the target.": {"form": "exp"},
    "The exponential is missing: scores are divided by their sum.": {"form": "ratio"},
    "The exponential is missing: the largest score is subtracted, and the differences "
    "are divided by their sum.": {"form": "gaps"},
    "Nothing is subtracted before the exponential, so that large scores overflow to "
    "infinity and give NaN.": {"form": "naive"},
    "All edges into a target weigh the same: the scores play no part.": {
        "form": "uniform"
    },
    "The largest score takes all; a softmax leaves some for the others.": {
        "form": "hard"
    },
    "The softmax is applied twice, and flattens the weights.": {"form": "twice"},
    "The sign of the scores is wrong: the highest score gets the least weight.": {
        "scale": -1.0
    },
}
