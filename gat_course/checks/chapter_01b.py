"""Checks of exercises 1.4 to 1.7."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gat_course.checks import by_hand, inputs, reading
from gat_course.checks.question import case, question

# ---------------------------------------------------------------- 1.4


@question(
    "1.4",
    "Additive or dot-product",
    cases=[
        case(torch.tensor([[1.0]]), torch.tensor([[-3.0]]), torch.tensor([2.0])),
        case(
            torch.tensor([[1.0, -2.0]]),
            torch.tensor([[0.5, 0.5]]),
            torch.tensor([1.0, -1.0]),
        ),
        case(
            torch.tensor([[1.0, -2.0], [0.0, 3.0]]),
            torch.tensor([[0.5, 0.5], [-2.0, 1.0]]),
            torch.tensor([1.0, -1.0]),
        ),
        case(
            torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]]),
            torch.tensor([[0.5, 0.5, 1.0], [-2.0, 1.0, -0.5]]),
            torch.tensor([1.0, -1.0, 0.5]),
            0.5,
            tag="`negative_slope` is given",
        ),
        case(
            torch.tensor([[1.0], [-2.0], [0.5]]),
            torch.tensor([[-1.0], [4.0], [-3.0]]),
            torch.tensor([-2.0]),
            0.01,
            tag="`negative_slope` is given",
        ),
    ],
    mistakes={
        "This is GAT's score: LeakyReLU comes after the product with a. In GATv2 it "
        "comes before.": {"late": True},
        "Rows and columns are swapped: the target is the row.": {"turned": True},
        "LeakyReLU is missing, so that a(u + v) splits as in GAT, and is as static.": {
            "activation": "none"
        },
        "LeakyReLU is applied to u and to v, before their sum; it comes after it.": {
            "activation": "apart"
        },
        "`negative_slope` is not used; you take 0.2 always.": {"slope": 0.2},
        "LeakyReLU's slope is 0.01, PyTorch's default; use `negative_slope`.": {
            "slope": 0.01
        },
        "That is ReLU: LeakyReLU keeps a part of what is below zero.": {"slope": 0.0},
        "That is tanh, as in Bahdanau's attention; GATv2 has LeakyReLU.": {
            "activation": "tanh"
        },
        "That is ELU; GATv2 has LeakyReLU.": {"activation": "elu"},
        "LeakyReLU comes twice: before the product with a, and after it.": {
            "activation": "twice"
        },
        "a multiplies inside LeakyReLU; it comes after it.": {"product": "inside"},
        "a is left out: the features are added up.": {"product": "sum"},
        "a is left out: the features are averaged.": {"product": "mean"},
        "u and v are multiplied; they should be added.": {"join": "times"},
        "v is subtracted from u; they should be added.": {"join": "minus"},
        "u meets a alone: the source is missing.": {"join": "u"},
        "v meets a alone: the target is missing.": {"join": "v"},
        "Each node is paired with itself alone, and not with all others.": {
            "join": "diagonal"
        },
        "The score is divided by √F'; that belongs to dot products.": {"root": True},
    },
)
def gatv2_scores(
    u: Tensor,
    v: Tensor,
    a: Tensor,
    negative_slope: float = 0.2,
    *,
    late: bool = False,
    turned: bool = False,
    activation: str = "leaky",
    slope: float | None = None,
    product: str = "a",
    join: str = "plus",
    root: bool = False,
) -> Tensor:
    u, v, a = u.double(), v.double(), a.double()
    slope = negative_slope if slope is None else slope

    def leaky(x: Tensor) -> Tensor:
        return F.leaky_relu(x, slope)

    inner = {
        "leaky": leaky,
        "none": lambda x: x,
        "apart": lambda x: x,
        "tanh": torch.tanh,
        "elu": F.elu,
        "twice": leaky,
    }[activation]
    if activation == "apart":
        u, v = leaky(u), leaky(v)
    left, right = u.unsqueeze(1), v.unsqueeze(0)
    pairs = {
        "plus": left + right,
        "times": left * right,
        "minus": left - right,
        "u": left + 0 * right,
        "v": 0 * left + right,
        "diagonal": left + v.unsqueeze(1) + 0 * right,
    }[join]
    width = len(a)
    if product == "inside":
        pairs = pairs * a
    a = a if product == "a" else torch.ones_like(a)
    scores = inner(pairs @ a) if late else inner(pairs) @ a
    scores = scores / width if product == "mean" else scores
    scores = leaky(scores) if activation == "twice" else scores
    scores = scores / math.sqrt(width) if root else scores
    return scores.t() if turned else scores


# ---------------------------------------------------------------- 1.5


def _counts(value: Any, *given: Any) -> dict[str, Tensor]:
    return reading.several("all pairs", "all edges", "split")(value)


@question(
    "1.5",
    "(2) Score",
    read=_counts,
    tolerance=0.0,
    cases=[case(1, 1, 1), case(2, 3, 1), case(10, 33, 4), case(5, 0, 2)],
    mistakes={
        "Split: a node plays two roles, as a target and as a source.": {"roles": 1},
        "The heads are missing: each has an a of its own.": {"heads": False},
        "For all pairs: every node with every node is N², not N(N − 1); a node is its "
        "own neighbour, too.": {"pairs": "others"},
        "For all pairs: both orders count, (i, j) and (j, i).": {"pairs": "half"},
        "Split: it is per node, not per edge.": {"split": "edges"},
        "Joined, a whole a meets [z_i ‖ z_j]: one product, not two.": {"joined": 2},
        "The order is: all pairs, all edges, split.": {"order": (2, 1, 0)},
        "The order is: all pairs, all edges, split; the first two are swapped.": {
            "order": (1, 0, 2)
        },
        "For all pairs: it is N², not 2N.": {"pairs": "double"},
        "An edge counts once: it has a direction.": {"edges": 2},
        "The result for all edges should not contain a node more than its edges.": {
            "edges": "and nodes"
        },
        "Split: the two numbers of a node still have to be added, but that is no "
        "product.": {"split": "and edges"},
    },
)
def dot_products(
    num_nodes: int,
    num_edges: int,
    num_heads: int,
    *,
    roles: int = 2,
    heads: bool = True,
    pairs: str = "",
    split: str = "nodes",
    joined: int = 1,
    edges: int | str = 1,
    order: tuple[int, ...] = (0, 1, 2),
) -> tuple[int, ...]:
    n, e, k = num_nodes, num_edges, num_heads if heads else 1
    of_pairs = {
        "": n * n,
        "others": n * (n - 1),
        "half": n * (n + 1) // 2,
        "double": 2 * n,
    }[pairs]
    of_edges = e + n if edges == "and nodes" else e * int(edges)
    of_split = {"nodes": roles * n, "edges": roles * e, "and edges": roles * n + e}
    found = [joined * k * of_pairs, joined * k * of_edges, k * of_split[split]]
    return tuple(found[place] for place in order)


# ---------------------------------------------------------------- 1.6


def _attention_of(answer: tuple[Any, Any]) -> Any:
    return answer


def _on_best(value: Any, *given: Any) -> dict[str, Any]:
    """Whether each node gives its best neighbour more than 0.99."""
    weight = reading.numbers(value[0], "W")
    a = reading.numbers(value[1], "a")
    width = weight.shape[-1] if weight.dim() == 2 else 0
    if not width or len(weight) != 2 or a.shape != (2 * width,):
        raise reading.Form(
            "W should be [2, F'] and a [2 F'], got "
            f"{list(weight.shape)} and {list(a.shape)}."
        )
    if not all(bool(v.float().isfinite().all()) for v in (weight, a)):
        raise reading.Form("The numbers are too large for float32: keep them finite.")
    x, adjacency = inputs.five_friends()
    halves = a[:width], a[width:]
    scores = by_hand.pair_scores(x.double() @ weight, *halves)
    if not bool(scores.float().isfinite().all()):
        raise reading.Form("The scores overflow float32: smaller numbers will do.")
    alpha = by_hand.weights(scores, adjacency)
    rock_over_jazz = (x[:, 1] - x[:, 0]).expand(5, 5)
    best = rock_over_jazz.masked_fill(adjacency == 0, -math.inf).argmax(dim=1)
    given = alpha[torch.arange(5), best]
    low = given.argmin()
    if not float(given[low]) > 0.99:
        turned = by_hand.pair_scores(x.double() @ weight, *halves[::-1])
        other = by_hand.weights(turned, adjacency)[torch.arange(5), best]
        worst = rock_over_jazz.masked_fill(adjacency == 0, math.inf).argmin(dim=1)
        hint = "Make the spread of the scores larger."
        if bool((other > 0.99).all()):
            hint = "The halves are swapped: the source's half, a_src, is the second."
        elif float(alpha[torch.arange(5), worst].min()) > 0.9:
            hint = "The sign is wrong: you prefer jazz."
        elif bool((alpha.amax(1) > 0.99).all()):
            hint = "The attention is sharp, but on other neighbours."
        elif torch.allclose(alpha, by_hand.weights(scores, adjacency, form="uniform")):
            hint = "All neighbours weigh the same: the scores of a row are equal."
        elif float(given.min()) < 0.5:
            hint = "Your scores rank another neighbour first."
        raise reading.Form(
            f"Node {int(low)} gives its best neighbour, node {int(best[low])}, "
            f"{float(given[low]):.3f}, not more than 0.99. {hint}"
        )
    return {"sharp": "on the best"}


@question(
    "1.6",
    "(2) Score",
    names=("W_mine", "a_mine"),
    call=_attention_of,
    read=_on_best,
    cases=[case()],
    given="the five friends of the chapter",
    mistakes={},
)
def choose() -> tuple[list, list]:
    return [[-1.0, 0.0], [1.0, 0.0]], [100.0, 0.0, 100.0, 0.0]


# ---------------------------------------------------------------- 1.7


@question(
    "1.7",
    "The same from the package",
    tolerance=1e-4,
    cases=inputs.directed(),
    mistakes={
        "LeakyReLU's slope is still 0.01: that is `F.leaky_relu`'s default.": {
            "slope": 0.01
        },
        "The softmax still runs over dim 0, the targets.": {"axis": 0},
        "An isolated node still attends to everyone: −9·10¹⁵ is a number like any "
        "other, and a row of equal numbers has equal weights.": {"fill": -9e15},
        **by_hand.but(by_hand.SCORE, {"slope": 0.01}),
        **by_hand.but(
            by_hand.SOFTMAX, {"form": "uniform"}, {"axis": 0}, {"fill": -9e15}
        ),
        **by_hand.LAYER,
    },
)
def mended_layer(
    x: Tensor, adjacency: Tensor, W: Tensor, a_dst: Tensor, a_src: Tensor, **twists: Any
) -> Tensor:
    return by_hand.layer(x, adjacency, W, a_dst, a_src, **twists)
