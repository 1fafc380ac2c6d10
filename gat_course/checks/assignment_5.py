"""Questions of assignment 5: variants, and claims about attention (chapters 7, 8)."""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from gat_course.checks import by_hand, drawn, inputs, reading
from gat_course.checks.question import case, question
from gat_course.graph import GraphData

_ONE = GraphData(num_nodes=2, src=[0], dst=[1])
_TWO = GraphData(num_nodes=3, src=[0, 2], dst=[1, 1])
_ROUND = GraphData(num_nodes=3, src=[1, 2, 2, 0], dst=[0, 0, 1, 2])
_DOUBLE = GraphData(num_nodes=3, src=[0, 2, 0], dst=[1, 1, 1])  # 0 -> 1 twice


def _forms(**hints: str) -> by_hand.Table:
    """Mistakes that are told apart by one keyword, `form`."""
    return {hint: {"form": form} for form, hint in hints.items()}


def _counts(graph: GraphData) -> Tensor:
    """How often each target, a row, hears each source."""
    found = torch.zeros(graph.num_nodes, graph.num_nodes, dtype=torch.float64)
    one = torch.ones(graph.num_edges, dtype=torch.float64)
    return found.index_put((graph.dst, graph.src), one, accumulate=True)


# ---------------------------------------------------------------- A5.1


def _small(graph: GraphData, out: int, d: int) -> tuple:
    n, edges = graph.num_nodes, graph.num_edges
    shapes = (n, out), (n, out), (edges, d), (d, out), (out,)
    return graph, *(inputs.numbers(*s, shift=3 * k) for k, s in enumerate(shapes))


def _dynamic(rng: Generator, **kinds: bool) -> tuple:
    graph = drawn.graph(rng, drawn.size(rng, 5, 8), 12, **kinds)
    out, d = drawn.size(rng, 2, 4), drawn.size(rng, 2, 3)
    return graph, *(drawn.numbers(rng, *t.shape) for t in _small(graph, out, d)[1:])


@question(
    "A5.1",
    "One method to change",
    chapter="7",
    read=reading.several("outputs", "weights"),
    tolerance=1e-4,
    cases=[
        case(*_small(_ONE, 1, 1), tag="a node hears nobody"),
        case(*_small(_TWO, 2, 1)),
        case(*_small(_ROUND, 2, 2)),
        case(*_small(_DOUBLE, 2, 2), tag="two edges join the same nodes"),
        case(*_small(inputs.UNEVEN, 3, 2)),
    ],
    drawn={
        "directed graphs": lambda rng: _dynamic(rng),
        "nodes without neighbours": lambda rng: _dynamic(rng, lonely=True),
        "several edges between two nodes": lambda rng: _dynamic(rng, repeats=True),
    },
    mistakes={
        **_forms(
            static="LeakyReLU comes after the product with a, as in GAT.",
            linear="LeakyReLU is missing.",
            slope="The slope is 0.01, PyTorch's default; it should be 0.2.",
            no_edge="The features of the edges are not used.",
            late_edge="The edge's part is added behind LeakyReLU; add it before.",
            swapped="u and v are swapped: u is the target's, v the source's.",
            send_u="What is summed is u; the source sends v.",
            send_edge="The edge's part is sent along; the source sends v alone.",
            into_src="The sums go to the sources; they go to the targets.",
            own="A node without neighbours keeps its v; it should get zeros.",
            pair="Two edges between the same nodes share a score; each has its own.",
        ),
        "Weights sum to 1 around sources, not targets.": {"softmax": {"end": "src"}},
        "One softmax runs over all edges.": {"softmax": {"axis": None}},
        "The weights are not divided by their sum.": {"softmax": {"form": "exp"}},
    },
)
def dynamic_head(
    graph: GraphData,
    u: Tensor,
    v: Tensor,
    f: Tensor,
    edge_matrix: Tensor,
    att: Tensor,
    *,
    form: str = "",
    softmax: dict | None = None,
) -> tuple[Tensor, Tensor]:
    u, v, a = u.double(), v.double(), att.double()
    u, v = (v, u) if form == "swapped" else (u, v)
    far = f.double() @ edge_matrix.double()  # [E, F']
    total = u[graph.dst] + v[graph.src] + far * (form not in ("no_edge", "late_edge"))
    slope = {"linear": 1.0, "slope": 0.01}.get(form, 0.2)
    scores = F.leaky_relu(total, slope) @ a
    scores = F.leaky_relu(total @ a, slope) if form == "static" else scores
    scores = scores + far @ a if form == "late_edge" else scores
    if form == "pair":  # a matrix holds the last edge of each pair
        full = torch.zeros(len(u), len(u), dtype=torch.float64)
        for i, j, e in zip(graph.dst, graph.src, scores, strict=True):
            full[i, j] = e
        alpha = by_hand.weights(full, _counts(graph).clamp(max=1))
        return alpha @ v, alpha[graph.dst, graph.src]
    alpha = by_hand.edge_weights(scores.unsqueeze(1), graph, **(softmax or {}))
    sent = {"send_u": u[graph.src], "send_edge": v[graph.src] + far}
    sent = sent.get(form, v[graph.src])
    ends = graph.src if form == "into_src" else graph.dst
    out = torch.zeros_like(v).index_add(0, ends, alpha * sent)
    lonely = _counts(graph).sum(1, keepdim=True) == 0
    return torch.where(lonely & (form == "own"), v, out), alpha[:, 0]


# ---------------------------------------------------------------- A5.2


def _deleted(rng: Generator, scale: float = 1.0, kind: str = "") -> tuple:
    """Each node hears the next two, or the next alone; nodes 0 and 1 hear another."""
    n = drawn.size(rng, 5, 8)
    dst = torch.arange(n).repeat(1 if kind == "leaves" else 2)
    src = (dst + 1 + torch.arange(len(dst)) // n) % n
    src, dst = torch.cat([src, src.new_tensor([3, 4])]), torch.cat([dst, dst[:2]])
    more = 3 * (kind == "repeats")  # edges that are listed twice
    src, dst = torch.cat([src, src[:more]]), torch.cat([dst, dst[:more]])
    graph = GraphData(num_nodes=n, src=src, dst=dst)
    scores = drawn.numbers(rng, graph.num_edges, scale=scale)
    return graph, scores, drawn.numbers(rng, n, drawn.size(rng, 2, 4))


@question(
    "A5.2",
    '2 "It explains"',
    chapter="7",
    tolerance=1e-4,
    cases=[
        case(_ONE, torch.tensor([1.0]), torch.tensor([[2.0], [1.0]])),
        case(_TWO, torch.tensor([0.0, 1.0]), inputs.numbers(3, 2)),
        case(_DOUBLE, torch.tensor([0.5, 1.0, 0.0]), inputs.numbers(3, 2)),
        case(_ROUND, inputs.numbers(4), inputs.numbers(3, 2, shift=1)),
        case(inputs.UNEVEN, inputs.numbers(10), inputs.numbers(7, 3)),
        case(inputs.UNEVEN, 300 * inputs.numbers(10), inputs.numbers(7, 3)),
    ],
    drawn={
        "directed graphs": lambda rng: _deleted(rng),
        "nodes with one neighbour": lambda rng: _deleted(rng, kind="leaves"),
        "repeated edges": lambda rng: _deleted(rng, kind="repeats"),
        "large scores": lambda rng: _deleted(rng, 300.0),
    },
    mistakes=_forms(
        stale="The other weights stay as they were; they should sum to 1 anew.",
        weight="That is the edge's weight; what its deletion changes is asked for.",
        closed="α / (1 − α) divides by 0 where one edge has all the weight.",
        naive="Nothing is subtracted before the exponential: large scores overflow.",
        zero="A target that loses its only edge gets zeros; that is a change, too.",
        nan="A target that loses its only edge gets zeros, not NaN.",
        copies="All copies of an edge are deleted; delete one.",
        src="The softmax runs around each source; it should around each target.",
        new="That is the length of the new output, not of the change.",
        square="The root is missing: that is the squared length.",
        absolute="Absolute changes are added up; a length is the root of squares.",
    ),
)
def deletions(graph: GraphData, scores: Tensor, z: Tensor, *, form: str = "") -> list:
    narrow = form in ("closed", "naive")
    scores, z = (t.float() if narrow else t.double() for t in (scores, z))
    ends = graph.src if form == "src" else graph.dst
    pair = graph.src * graph.num_nodes + graph.dst

    def mean(chosen: Tensor) -> Tensor:
        s = scores[chosen]
        weights = s.exp() / s.exp().sum() if form == "naive" else s.softmax(0)
        return weights @ z[graph.src[chosen]]

    found = []
    for k in range(graph.num_edges):
        own, gone = ends == ends[k], torch.arange(graph.num_edges) == k
        alpha = scores[own].softmax(0)[gone[own]].sum()
        gone = pair == pair[k] if form == "copies" else gone
        before, after, value = mean(own), mean(own & ~gone), z[graph.src[k]]
        change = alpha * value if form == "stale" else after - before
        change = alpha / (1 - alpha) * (value - before) if form == "closed" else change
        others = {"new": after.norm(), "square": change.square().sum()}
        others |= {"absolute": change.abs().sum(), "weight": alpha}
        length = others.get(form, change.norm())
        if form in ("zero", "nan") and int(own.sum()) == 1:
            length = torch.tensor(float(form == "nan") and math.nan)
        found.append(length.double())
    return found


# ---------------------------------------------------------------- A5.3


def _steps(rng: Generator, **kinds: bool) -> tuple:
    graph = drawn.graph(rng, drawn.size(rng, 5, 8), 8, **kinds)
    x = drawn.numbers(rng, graph.num_nodes, drawn.size(rng, 2, 3), scale=2.0)
    return graph, x, drawn.size(rng, 2, 4)


@question(
    "A5.3",
    '3 "It cures over-smoothing"',
    chapter="7",
    tolerance=1e-4,
    cases=[
        case(_ONE, torch.tensor([[3.0], [1.0]]), 1, tag="a node hears nobody"),
        case(_ROUND, inputs.numbers(3, 1), 1),
        case(_ROUND, inputs.numbers(3, 2), 3),
        case(_ROUND, inputs.numbers(3, 2), 0, tag="there is no step"),
        case(_DOUBLE, inputs.numbers(3, 2), 2, tag="an edge occurs twice"),
        case(inputs.UNEVEN, inputs.numbers(7, 2), 3),
    ],
    drawn={
        "directed graphs": lambda rng: _steps(rng),
        "nodes without neighbours": lambda rng: _steps(rng, lonely=True),
        "repeated edges": lambda rng: _steps(rng, repeats=True),
    },
    mistakes=_forms(
        late="The energy before any step is left out; it comes first.",
        same="Each step starts from x; it starts from what the last one gave.",
        total="Neighbours are added up; their mean is asked for.",
        own="A node counts itself as a neighbour, though no edge says so.",
        turned="The mean is of those that hear a node; take those that it hears.",
        serial="All nodes step at once; some of yours hear new vectors already.",
        zero="A node without neighbours gets zeros; it keeps its vector.",
        nan="A node without neighbours gets NaN; it keeps its vector.",
        once=by_hand.TWICE,
        root="The distance is not squared.",
        sum="That is the sum over the edges; their mean is asked for.",
        features="The squares are averaged over the features; add those up.",
        pairs="All pairs of nodes are compared, not those that an edge joins.",
    ),
)
def energies(graph: GraphData, x: Tensor, num_steps: int, *, form: str = "") -> list:
    counts = _counts(graph).clamp(max=1) if form == "once" else _counts(graph)
    hears = counts.t() if form == "turned" else counts
    hears = hears + torch.eye(len(counts)) if form == "own" else hears
    degree = hears.sum(1, keepdim=True)
    mean = hears / (1 if form == "total" else degree.clamp(min=1))
    lonely = degree[:, 0] == 0
    mean[lonely, lonely] = {"zero": 0.0, "nan": math.nan}.get(form, 1.0)
    start = x = x.double()
    found = [_energy(counts, x, form)]
    for _ in range(num_steps):
        old, x = (start if form == "same" else x), x.clone()
        for i in range(len(x)):
            x[i] = mean[i] @ (x if form == "serial" else old)
        found.append(_energy(counts, x, form))
    return found[form == "late" :]


def _energy(counts: Tensor, x: Tensor, form: str) -> float:
    gaps = (x.unsqueeze(1) - x).square().sum(2)  # [N, N]
    gaps = gaps.sqrt() if form == "root" else gaps
    below = {"sum": 1.0, "features": counts.sum() * x.shape[1]}
    found = (counts * gaps).sum() / below.get(form, counts.sum())
    return float(gaps.mean() if form == "pairs" else found)


# ---------------------------------------------------------------- A5.4


def _batch(rng: Generator, sign: float, graphs: list[int], count: int) -> tuple:
    graph_of = torch.tensor(graphs + graphs + graphs[:1])
    graph_of = graph_of[torch.randperm(len(graph_of), generator=rng)]  # in no order
    h = drawn.numbers(rng, len(graph_of), drawn.size(rng, 2, 3)).abs() + 0.1
    return sign * h, graph_of, count


@question(
    "A5.4",
    "What can count",
    chapter="8",
    cases=[
        case(torch.tensor([[1.0], [4.0]]), torch.tensor([0, 0]), 1),
        case(inputs.numbers(3, 2), torch.tensor([0, 1, 1]), 2),
        case(inputs.numbers(4, 2), torch.tensor([1, 0, 1, 0]), 2),
        case(-1 - inputs.numbers(3, 2).abs(), torch.tensor([0, 0, 1]), 2),
        case(inputs.features(3, 2), torch.tensor([2, 0, 2]), 4, tag="graphs are empty"),
    ],
    drawn={
        "graphs without nodes": lambda rng: _batch(rng, 1.0, [0, 2, 3], 5),
        "features below zero": lambda rng: _batch(rng, -1.0, [0, 1, 2], 3),
    },
    mistakes=_forms(
        order="The order is mean, sum, maximum; yours begins with the sum.",
        mixed="The three stand side by side for each feature; keep each in one block.",
        top="The maximum starts at 0, so that features below zero are not found.",
        all="The mean divides by the number of all nodes, not of the graph's.",
        broken="A graph without nodes gets NaN or −∞; it should get zeros.",
        dropped="Graphs without nodes are left out; they get rows of zeros.",
        short="Graphs without nodes at the end are left out; they get zeros.",
    ),
)
def read_outs(
    h: Tensor, graph_of: Tensor, num_graphs: int, *, form: str = ""
) -> Tensor:
    rows = []
    for g in range(num_graphs):
        own = h.double()[graph_of == g]
        total, least = own.sum(0), 0.0 if form == "top" else -math.inf
        mean = total / (len(h) if form == "all" else len(own))
        largest = torch.cat([own, total[None] * 0 + least]).amax(0)
        found = torch.stack([mean, total, largest])
        found = found[[1, 0, 2]] if form == "order" else found
        found = found.t() if form == "mixed" else found
        if len(own) or form == "broken":
            rows.append(found.flatten())
        elif form != "dropped" and not (form == "short" and g > graph_of.max()):
            rows.append(torch.zeros(found.numel()))
    return torch.stack(rows)


# ---------------------------------------------------------------- A5.5


def _rings(rng: Generator, sizes: list[int], levels: int = 100) -> tuple:
    """Nodes in no order; each hears the next of its graph, two hear one more."""
    order, src, dst = torch.randperm(sum(sizes), generator=rng), [], []
    graph_of = torch.zeros(len(order), dtype=torch.long)
    for g, own in enumerate(order.split(sizes)):
        graph_of[own] = g
        src += [own.roll(-1), own[[0, 2]]]
        dst += [own, own[[1, 0]]]
    ends = {"src": torch.cat(src), "dst": torch.cat(dst)}
    graph = GraphData(num_nodes=len(order), graph_of=graph_of, **ends)
    alpha = (torch.randperm(len(order), generator=rng) % levels + 1).float() / 64
    return graph, alpha, drawn.size(rng, 2, 6) / 8


def _line(*graph_of: int, back: bool = False) -> GraphData:
    """Each node hears the next of its graph; node 1 node 0 and 0 node 2 with `back`."""
    near = enumerate(zip(graph_of, graph_of[1:], strict=False))
    dst = [i for i, (a, b) in near if a == b]
    src = [i + 1 for i in dst] + [0, 2] * back
    dst += [1, 0] * back
    return GraphData(num_nodes=len(graph_of), src=src, dst=dst, graph_of=graph_of)


_SIX = torch.tensor([5.0, 1.0, 4.0, 2.0, 3.0, 6.0]) / 8


@question(
    "A5.5",
    "Who ends up alone?",
    chapter="8",
    read=reading.several("numbers of the kept nodes", "matrix"),
    cases=[
        case(_line(0, 0), torch.tensor([0.25, 0.75]), 0.5),
        case(_line(0, 0, 0), torch.tensor([0.25, 0.25, 0.5]), 0.5),
        case(_line(0, 0, 0, back=True), torch.tensor([0.5, 0.25, 0.5]), 1.0),
        case(_line(0, 0, 0, 0, 0, 0), _SIX, 0.75),
        case(_line(0, 0, 0, 0, 0, 0), _SIX, 0.375),
        case(_line(0, 0, 0, 1, 1, 1), _SIX / 2, 0.5),
    ],
    drawn={
        "one graph": lambda rng: _rings(rng, [drawn.size(rng, 6, 9)]),
        "batches": lambda rng: _rings(rng, [drawn.size(rng, 4, 5), 5, 4]),
        "equal weights": lambda rng: _rings(rng, [drawn.size(rng, 6, 9)], 2),
    },
    mistakes=_forms(
        floor="The number of nodes that stay is rounded down; round it up.",
        round="The number of nodes that stay is rounded; round it up.",
        all="The share is of all nodes of the batch; it is of each graph's.",
        last="Of equal weights the node with the smaller number stays.",
        least="The nodes with the smallest weights stay; the largest should.",
        ranked="The kept nodes stand in the order of weights; sort their numbers.",
        one="Only direct edges are there; a way over one node counts as well.",
        two="Only ways over one node are there; direct edges count as well.",
        kept="A way counts whether or not the node between stays; yours must stay.",
        turned="The matrix is turned: a row is a target, a column a source.",
        sides="Edges count in both directions; the graph is directed.",
        loops="A node hears itself; the diagonal should be 0.",
        ways="Ways are counted; 1 says that there is one.",
    ),
)
def pool(graph: GraphData, alpha: Tensor, ratio: float, *, form: str = "") -> tuple:
    graph_of = graph.graph_of * (form != "all")
    size, place = 1 - 2 * (form != "least"), 1 - 2 * (form == "last")
    up = {"floor": math.floor, "round": round}.get(form, math.ceil)
    kept = []
    for g in graph_of.unique():
        own = (graph_of == g).nonzero()[:, 0].tolist()
        own.sort(key=lambda i: (size * float(alpha[i]), place * i))
        kept += own[: up(ratio * len(own))]
    kept = kept if form == "ranked" else sorted(kept)
    hears = (_counts(graph) > 0).double()
    middle = torch.zeros(len(hears)).double()
    middle[kept if form == "kept" else slice(None)] = 1
    two = hears * middle @ hears
    found = {"one": hears, "two": two}.get(form, hears + two)
    found = found.t() if form == "turned" else found
    found = found + found.t() if form == "sides" else found
    found = found[kept][:, kept]
    found = found if form == "loops" else found.fill_diagonal_(0)
    return kept, found if form == "ways" else found.clamp(max=1)
