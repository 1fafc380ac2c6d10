"""Questions of assignment 1: attention over a matrix (chapters 1 and 2)."""

import torch
from torch import Generator, Tensor

from gat_course.checks import by_hand, drawn, inputs
from gat_course.checks.question import Holds, case, question

_PATH = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
_ONE_WAY = torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])

# ---------------------------------------------------------------- A1.1


def _features(rng: Generator, **kinds: bool) -> tuple[Tensor, Tensor]:
    n = drawn.size(rng, 5, 9)
    return drawn.numbers(rng, n, 3), drawn.adjacency(rng, n, **kinds)


@question(
    "A1.1",
    "Averaging: weights that the structure fixes",
    chapter="1",
    cases=[
        case(torch.tensor([[1.0], [4.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])),
        case(inputs.features(3, 2), _PATH),
        case(inputs.features(3, 2), _ONE_WAY, tag="a node hears nobody"),
        case(inputs.features(3, 2), _ONE_WAY.t(), tag="a node is heard by nobody"),
        case(inputs.features(3, 2), _PATH + torch.eye(3), tag="nodes hear themselves"),
    ],
    drawn={
        "directed graphs": lambda rng: _features(rng),
        "nodes without neighbours": lambda rng: _features(rng, lonely=True),
    },
    mistakes={
        "The neighbours are added up; their mean is asked for.": {"by": "one"},
        "It is divided by the number of all nodes, not of the neighbours.": {"by": "n"},
        "Columns are read: row i of the matrix says whom node i hears.": {
            "turned": True
        },
        "It is divided by how many hear a node, its column; divide by the row's sum.": {
            "by": "columns"
        },
        "A node without neighbours gets NaN; it should get zeros.": {"empty": "nan"},
        "A node without neighbours keeps its own features; it should get zeros.": {
            "empty": "own"
        },
        "Every node is its own neighbour, too; only the matrix says who hears whom.": {
            "loops": True
        },
    },
)
def neighbour_mean(
    x: Tensor,
    adjacency: Tensor,
    *,
    by: str = "rows",
    turned: bool = False,
    empty: str = "",
    loops: bool = False,
) -> Tensor:
    x, counts = x.double(), adjacency.double()
    counts = counts.t() if turned else counts
    counts = counts.clone().fill_diagonal_(1) if loops else counts
    degree = counts.sum(1, keepdim=True)
    divide = {
        "rows": degree,
        "one": torch.ones_like(degree),
        "n": torch.full_like(degree, len(x)),
        "columns": counts.sum(0).unsqueeze(1),
    }[by]
    found = (counts @ x) / (divide if empty == "nan" else divide.clamp(min=1))
    return torch.where(degree == 0, x, found) if empty == "own" else found


# ---------------------------------------------------------------- A1.2


def _halves(rng: Generator, slope: float = 0.2) -> tuple:
    n, f = drawn.size(rng, 4, 8), drawn.size(rng, 3, 6)
    return (
        drawn.numbers(rng, n, f),
        drawn.numbers(rng, f),
        drawn.numbers(rng, f),
        slope,
    )


@question(
    "A1.2",
    "(2) Score",
    chapter="1",
    cases=[
        case(inputs.features(2, 1), torch.tensor([1.0]), torch.tensor([-1.0]), 0.2),
        case(
            inputs.features(3, 2),
            torch.tensor([1.0, -0.5]),
            torch.tensor([0.5, 2.0]),
            0.2,
        ),
        case(
            inputs.features(3, 2),
            torch.tensor([1.0, -0.5]),
            torch.tensor([0.5, 2.0]),
            0.05,
            tag="the slope is another",
        ),
        case(
            inputs.features(4, 3, 2),
            torch.tensor([1.0, -0.5, -2.0]),
            torch.tensor([0.5, 2.0, 0.25]),
            0.2,
        ),
    ],
    drawn={
        "the usual slope": lambda rng: _halves(rng),
        "other slopes": lambda rng: _halves(rng, 0.5),
    },
    mistakes={
        "`negative_slope` is not used: the slope is always 0.2.": {"slope": 0.2},
        "The slope is 0.01, PyTorch's default.": {"slope": 0.01},
        "LeakyReLU is missing.": {"slope": 1.0},
        "Rows and columns are swapped: row i is the target i.": {"turned": True},
        "LeakyReLU comes before the sum of the two parts; it comes after it.": {
            "form": "early"
        },
        "The target's part is missing.": {"halves": "src"},
        "The source's part is missing.": {"halves": "dst"},
        "The two parts are multiplied; they should be added.": {"halves": "product"},
    },
)
def score_all_pairs(
    z: Tensor,
    att_dst: Tensor,
    att_src: Tensor,
    negative_slope: float,
    *,
    slope: float | None = None,
    turned: bool = False,
    halves: str = "both",
    form: str = "",
) -> Tensor:
    slope = negative_slope if slope is None else slope
    if form == "early":
        dst, src = (
            torch.nn.functional.leaky_relu(z.double() @ a.double(), slope)
            for a in (att_dst, att_src)
        )
        return dst.unsqueeze(1) + src
    found = by_hand.pair_scores(z, att_dst, att_src, slope=slope, halves=halves)
    return found.t() if turned else found


# ---------------------------------------------------------------- A1.3


def _scores(rng: Generator, scale: float = 2.0, **kinds: bool) -> tuple:
    n = drawn.size(rng, 4, 8)
    return drawn.numbers(rng, n, n, scale=scale), drawn.adjacency(rng, n, **kinds)


def _weighs_others(value: Tensor, scores: Tensor, adjacency: Tensor) -> bool:
    return bool((torch.as_tensor(value)[adjacency == 0] > 1e-4).any())


@question(
    "A1.3",
    "(3) Normalise",
    chapter="1",
    tolerance=1e-4,
    cases=[
        case(torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.ones(2, 2)),
        case(inputs.features(3, 3), _PATH + torch.eye(3)),
        case(inputs.features(3, 3, 4), _ONE_WAY, tag="a node hears nobody"),
        case(300 * inputs.features(3, 3), _PATH, tag="scores are as large as 900"),
        case(-300 - inputs.features(3, 3), _PATH, tag="scores are far below 0"),
        case(
            torch.tensor([[0.0, 1.0], [-500.0, -501.0]]),
            torch.ones(2, 2),
            tag="one row lies far below the other",
        ),
    ],
    drawn={
        "directed graphs": lambda rng: _scores(rng),
        "nodes without neighbours": lambda rng: _scores(rng, lonely=True),
        "large scores": lambda rng: _scores(rng, 400.0),
    },
    mistakes={
        **by_hand.but(by_hand.SOFTMAX, {"form": "uniform"}),
        "Pairs without an edge get weight.": Holds(_weighs_others),
    },
)
def attention_weights(scores: Tensor, adjacency: Tensor, **softmax: object) -> Tensor:
    return by_hand.weights(scores, adjacency, **softmax)


# ---------------------------------------------------------------- A1.4


def _layer(rng: Generator, heads: int, **kinds: bool) -> tuple:
    n, f, out = drawn.size(rng, 4, 7), drawn.size(rng, 2, 4), drawn.size(rng, 2, 3)
    return (
        drawn.numbers(rng, n, f),
        drawn.adjacency(rng, n, **kinds),
        drawn.numbers(rng, f, heads, out),
        drawn.numbers(rng, heads, out),
        drawn.numbers(rng, heads, out),
    )


def _small(n: int, f: int, heads: int, out: int) -> tuple:
    return (
        inputs.numbers(n, f),
        _ONE_WAY[:n, :n] + torch.eye(n) * (n < 3),
        inputs.numbers(f, heads, out, shift=2),
        inputs.numbers(heads, out, shift=1),
        inputs.numbers(heads, out, shift=5),
    )


@question(
    "A1.4",
    "The whole layer",
    chapter="2",
    tolerance=1e-4,
    cases=[
        case(*_small(1, 1, 1, 1)),
        case(*_small(2, 2, 1, 2)),
        case(*_small(2, 2, 2, 2)),
        case(*_small(3, 2, 3, 2), tag="a node hears nobody"),
        case(*_small(3, 3, 2, 1)),
    ],
    drawn={
        "one head": lambda rng: _layer(rng, 1),
        "several heads": lambda rng: _layer(rng, 3),
        "nodes without neighbours": lambda rng: _layer(rng, 2, lonely=True),
    },
    mistakes={
        "The heads are averaged; they should stand side by side.": {"merge": "mean"},
        "The heads' columns are mixed: those of head 0 come first.": {
            "merge": "strided"
        },
        "One a, that of head 0, is used for all heads.": {"att": "first"},
        "One softmax is shared: all heads have the weights of head 0.": {
            "att": "shared"
        },
        **by_hand.but(by_hand.LAYER, {"after": "elu"}),
        "The slope is 0.01, PyTorch's default; it should be 0.2.": {"slope": 0.01},
        "The halves of a are swapped: the first belongs to the target, the row.": {
            "halves": "swapped"
        },
        "A node without neighbours gets the mean of all; it should get zeros.": {
            "fill": -9e15
        },
        "The softmax runs down the columns; a target's weights, its row, sum to 1.": {
            "axis": 0
        },
    },
)
def dense_layer(
    x: Tensor,
    adjacency: Tensor,
    weight: Tensor,
    att_dst: Tensor,
    att_src: Tensor,
    *,
    merge: str = "concat",
    att: str = "",
    **twists: object,
) -> Tensor:
    heads = []
    for k in range(weight.shape[1]):
        own = 0 if att in ("first", "shared") else k
        parts = x, adjacency, weight[:, k], att_dst[own], att_src[own]
        head = by_hand.layer(*parts, **twists)
        if att == "shared":
            z = x.double() @ weight[:, 0].double()
            alpha = by_hand.weights(
                by_hand.pair_scores(z, att_dst[0], att_src[0]), adjacency
            )
            head = alpha @ (x.double() @ weight[:, k].double())
        heads.append(head)
    found = torch.stack(heads, dim=1)  # [N, K, F']
    if merge == "mean":
        return found.mean(1)
    return (found.transpose(1, 2) if merge == "strided" else found).flatten(1)


# ---------------------------------------------------------------- A1.5


def _hops(rng: Generator, **kinds: bool) -> tuple:
    n = drawn.size(rng, 6, 9)
    ring = torch.zeros(n, n)
    ring[torch.arange(n), (torch.arange(n) + 1) % n] = 1
    ring[0, n // 2] = 1
    if kinds.get("loops"):
        ring.fill_diagonal_(1)
    return ring, drawn.size(rng, 1, 3)


_CHAIN = torch.tensor([[0.0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]])


@question(
    "A1.5",
    "Self-attention, and why a graph is a mask",
    chapter="1",
    cases=[
        case(_ONE_WAY[:2, :2], 1),
        case(_CHAIN, 1),
        case(_CHAIN, 2),
        case(_CHAIN, 0, tag="there is no layer"),
        case(_CHAIN + torch.eye(4), 2, tag="nodes hear themselves"),
        case(_CHAIN.t(), 3),
    ],
    drawn={
        "no node hears itself": lambda rng: _hops(rng),
        "nodes hear themselves": lambda rng: _hops(rng, loops=True),
    },
    mistakes={
        "The matrix is turned: row i marks whom node i depends on.": {"turned": True},
        "A node without a self-loop does not reach itself in one step; yours always "
        "does.": {"form": "always itself"},
        "One layer alone is looked at, however many are asked for.": {"form": "one"},
        "Without a layer each node depends on itself alone.": {"form": "nobody"},
        "Paths are counted; mark whether there is one.": {"form": "count"},
        "A layer too many is taken.": {"form": "more"},
        "Neighbours of fewer steps are marked as well: without self-loops only those "
        "at exactly so many steps are heard.": {"form": "within"},
    },
)
def depends_on(
    adjacency: Tensor, num_layers: int, *, turned: bool = False, form: str = ""
) -> Tensor:
    hears = (adjacency > 0).double()
    hears = hears.t() if turned else hears
    eye = torch.eye(len(hears), dtype=torch.float64)
    if form == "always itself":
        hears = torch.maximum(hears, eye)
    steps = {"one": 1, "more": num_layers + 1}.get(form, num_layers)
    if form == "nobody" and not num_layers:
        return torch.zeros_like(hears)
    found = total = eye
    for _ in range(steps):
        found = hears @ found
        total = total + found
    if form == "within":
        return (total - eye > 0).double() if num_layers else eye
    return found if form == "count" else (found > 0).double()
