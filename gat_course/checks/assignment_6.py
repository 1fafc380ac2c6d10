"""Questions of assignment 6: fast and large (chapters 9 and 10)."""

import math
from typing import Any

import torch
from torch import Generator, Tensor

from gat_course.checks import by_hand, drawn, inputs, reading
from gat_course.checks.question import Made, case, question
from gat_course.graph import GraphData


def _integers(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.long)


def _edges(graph: GraphData, turned: bool) -> list[tuple[int, int]]:
    ends = (graph.dst, graph.src) if turned else (graph.src, graph.dst)
    return list(zip(ends[0].tolist(), ends[1].tolist(), strict=True))


def _starts(dst: Tensor, n: int) -> Tensor:
    counts = torch.bincount(dst, minlength=n)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


# ---------------------------------------------------------------- A6.1


def _drawn_rows(rng: Generator, *, repeats: bool) -> tuple:
    """Either some edges twice, or nobody who hears node 1 or the last."""
    n = drawn.size(rng, 5, 8)
    graph = drawn.graph(rng, n, 2 * n, repeats=repeats)
    kept = (graph.src != n - 1) & (graph.src != 1) | repeats
    return _starts(graph.dst[kept], n), graph.src[kept]


@question(
    "A6.1",
    "Rungs 3 to 9",
    chapter="9",
    read=reading.several("starts", "targets"),
    cases=[
        case(_integers(0, 1, 2), _integers(1, 0)),
        case(_integers(0, 2, 3, 4), _integers(2, 1, 0, 0)),
        case(_integers(0, 1, 3, 3), _integers(2, 2, 0), tag="nobody hears node 1"),
        case(_integers(0, 2, 4, 4), _integers(1, 0, 0, 1), tag="node 2 has no edge"),
        case(_integers(0, 0, 2), _integers(0, 0), tag="an edge occurs twice"),
        case(_integers(0, 0, 0), _integers(), tag="there is no edge"),
        case(_starts(inputs.UNEVEN.dst, 7), inputs.UNEVEN.src),
    ],
    drawn={
        "nodes nobody hears": lambda rng: _drawn_rows(rng, repeats=False),
        "repeated edges": lambda rng: _drawn_rows(rng, repeats=True),
    },
    mistakes={
        "The rows list sources again; they should list targets.": {"what": 0},
        "The rows list numbers of edges, not the edges' targets.": {"what": 2},
        "The targets are in the old order, not sorted by source.": {"form": "old"},
        "The targets of a row should ascend.": {"form": "backwards"},
        "`starts` holds the rows' lengths, not where they start.": {"form": "counts"},
        "The last number of `starts` is missing: it has N + 1.": {"form": "no end"},
        "`starts` is still that of the rows by target.": {"form": "given"},
        "A node that nobody hears has an empty row, not none.": {"form": "skipped"},
        "The last nodes have no row where nobody hears them.": {"form": "short"},
        by_hand.TWICE: {"form": "once"},
    },
)
def turn_around(
    starts: Tensor, sources: Tensor, *, what: int = 1, form: str = ""
) -> tuple[Tensor, Tensor]:
    begin, heard, n = starts.tolist(), sources.tolist(), len(starts) - 1
    edges = [(heard[e], i, e) for i in range(n) for e in range(begin[i], begin[i + 1])]
    if form == "once":
        edges = list({edge[:2]: edge for edge in edges[::-1]}.values())[::-1]
    counts = [sum(edge[0] == node for edge in edges) for node in range(n)]
    if form == "skipped":
        counts = list(filter(None, counts))
    while form == "short" and counts[-1:] == [0]:
        counts.pop()
    found = [sum(counts[:k]) for k in range(len(counts) + 1)]
    changed = {"counts": counts, "no end": found[:-1], "given": begin}
    found = changed.get(form, found)
    edges = edges[::-1] if form == "backwards" else edges
    if form != "old":
        edges = sorted(edges, key=lambda edge: edge[0])
    return _integers(*found), _integers(*(edge[what] for edge in edges))


# ---------------------------------------------------------------- A6.2


def _scores(
    rng: Generator, n: int, extra: int, *, spread: float = 0.0, lonely: bool = False
) -> tuple:
    """Scores around a number of each row's own, which are `spread` apart."""
    dst = torch.cat([torch.arange(n), torch.randint(n, (extra,), generator=rng)])
    if lonely:  # side by side, and at the end
        dst = dst[(dst != 1) & (dst != 2) & (dst != n - 1)]
    dst = dst.sort().values
    own = drawn.numbers(rng, n, scale=spread)
    return own[dst] + drawn.numbers(rng, len(dst)), _starts(dst, n)


_MANY = (
    Made("torch.arange(400_000.0).sin()", lambda: torch.arange(400_000.0).sin()),
    Made("4 * torch.arange(100_001)", lambda: 4 * torch.arange(100_001)),
)
_FIVE, _THREE = inputs.numbers(5, shift=3), torch.tensor([0.0, 1.0, -0.5])


@question(
    "A6.2",
    "Attention that keeps no number per edge",
    chapter="9",
    tolerance=1e-4,
    cases=[
        case(_THREE[:2], _integers(0, 2)),
        case(_THREE, _integers(0, 1, 3)),
        case(_FIVE, _integers(0, 2, 2, 5), tag="a row is empty"),
        case(_THREE, _integers(0, 0, 3, 3), tag="the first and last row are empty"),
        case(_THREE + 600, _integers(0, 1, 3), tag="scores are around 600"),
        case(_THREE - 600, _integers(0, 1, 3), tag="scores are around −600"),
        case(-600 * _THREE, _integers(0, 2, 3), tag="a row lies far below another"),
        case(_THREE[:0], _integers(0, 0, 0), tag="there is no edge"),
        case(*_MANY, tag="there are 100,000 nodes"),
    ],
    drawn={
        "rows without edges": lambda rng: _scores(rng, 8, 12, lonely=True),
        "large scores": lambda rng: _scores(rng, 7, 12, spread=400.0),
        "many nodes": lambda rng: _scores(rng, 100_000, 300_000),
    },
    mistakes={
        "That is each row's largest score; the others count, too.": {"form": "largest"},
        "The logarithm is missing.": {"form": "total"},
        "The largest score that is subtracted must be added back.": {"form": "rest"},
        "That is the logarithm of a mean; a sum is asked for.": {"form": "mean"},
        "Large scores overflow, or vanish: subtract first.": {"form": "naive"},
        "Subtract each row's own largest score, not one for all.": {"form": "one top"},
        "A running sum over all edges loses a row's digits.": {"form": "running"},
        "An empty row gives 0; −∞ is asked for.": {"empty": "zero"},
        "An empty row gives NaN; −∞ is asked for.": {"empty": "nan"},
        "An empty row gives the next row's first score.": {"empty": "next"},
        "A row ends before the next begins; yours has an edge too many.": {"more": 1},
        "Each row loses its last edge.": {"more": -1},
    },
)
def log_totals(
    scores: Tensor, starts: Tensor, *, form: str = "", empty: str = "", more: int = 0
) -> Tensor:
    n, begin = len(starts) - 1, starts[:-1]
    size = starts[1:] - begin
    taken = ((starts[1:] + more).clamp(max=len(scores)) - begin).clamp(min=0)
    dst = torch.arange(n).repeat_interleave(taken)
    skipped = (begin - taken.cumsum(0) + taken).repeat_interleave(taken)
    s = scores.double()[torch.arange(len(dst)) + skipped]

    def added(terms: Tensor) -> Tensor:
        return terms.new_zeros(n).index_add(0, dst, terms)

    nothing = torch.full((n,), -math.inf, dtype=torch.float64)
    largest = nothing.scatter_reduce(0, dst, s, "amax")
    rest = added((s - largest[dst]).exp()).log()
    found = largest + rest
    if form == "running":
        sums = torch.cat([torch.zeros(1), scores.float().exp().cumsum(0)])
        found = (sums[starts[1:]] - sums[begin]).log()
    elif form == "one top":
        found = added((s.float() - s.max()).float().exp()).log() + s.max()
    elif form:
        terms = s.float().exp()
        found = {
            "largest": lambda: largest,
            "total": lambda: added(terms),
            "rest": lambda: rest,
            "mean": lambda: found - size.clamp(min=1).log(),
            "naive": lambda: added(terms).log(),
        }[form]()
    if empty == "next":
        return torch.where(size > 0, found, scores.double()[begin])
    fill = {"zero": 0.0, "nan": math.nan}.get(empty, -math.inf)
    return found.masked_fill(size == 0, fill) if empty else found


# ---------------------------------------------------------------- A6.3


def _network(rng: Generator, number_bytes: int) -> tuple:
    heads, out = torch.randint(2, 9, (2, drawn.size(rng, 2, 4)), generator=rng).tolist()
    nodes, edges = drawn.size(rng, 50, 500), drawn.size(rng, 900, 5000)
    layers = list(zip(heads, out, strict=True))
    return nodes, edges, drawn.size(rng, 40, 90), layers, number_bytes


@question(
    "A6.3",
    "Will it fit?",
    chapter="10",
    read=reading.several("graph", "parameters", "kept numbers"),
    tolerance=0.0,
    cases=[
        case(1, 1, 1, [(1, 1)], 4),
        case(10, 30, 5, [(2, 3)], 4),
        case(10, 30, 5, [(2, 3), (1, 4)], 4),
        case(10, 30, 5, [(2, 3)], 2, tag="numbers have two bytes"),
        case(56944, 1694376, 50, [(4, 256), (4, 256), (6, 121)], 2),
    ],
    drawn={
        "several layers": lambda rng: _network(rng, 4),
        "numbers of two bytes": lambda rng: _network(rng, 2),
    },
    mistakes={
        "All that belongs to parameters has 4 bytes a number.": {"param": "narrow"},
        "The kept numbers have `number_bytes` bytes, not always 4.": {"kept": "wide"},
        "The ends of the edges always have 8 bytes.": {"ends": "numbers"},
        "An edge has two ends, of 8 bytes each.": {"ends": "half"},
        "The graph is there once, however many layers read it.": {"ends": "layers"},
        "A parameter's gradient and Adam's two numbers are missing.": {"states": 1},
        "Adam's two numbers of each parameter are missing.": {"states": 2},
        "Of a parameter there are four numbers; you count three.": {"states": 3},
        "One of bias and the two halves of a is missing.": {"vectors": 2},
        "The two halves of a are missing.": {"vectors": 1},
        "A layer reads all heads before it, side by side.": {"reads": "one head"},
        "Only the first layer reads F numbers a node.": {"reads": "features"},
        "The inputs of the layers are missing among what is kept.": {"kept": "no x"},
        "Z is missing among what is kept.": {"kept": "no z"},
        "Scores and weights are both kept.": {"kept": "one"},
        "Each head has scores and weights of its own.": {"kept": "edges"},
        "Scores and weights belong to edges, not to all pairs.": {"kept": "pairs"},
    },
)
def step_bytes(
    num_nodes: int,
    num_edges: int,
    features: int,
    layers: list[tuple[int, int]],
    number_bytes: int,
    **twist: Any,
) -> tuple[int, int, int]:
    kept, ends, width = twist.get("kept"), twist.get("ends"), features
    parameters = numbers = 0
    rows = num_nodes**2 if kept == "pairs" else num_edges
    for heads, out in layers:
        parameters += (width + twist.get("vectors", 3)) * heads * out
        numbers += (kept != "no x") * num_nodes * width
        numbers += (kept != "no z") * num_nodes * heads * out
        scored = rows * (1 if kept == "edges" else heads)
        numbers += scored if kept == "one" else 2 * scored
        other = {"one head": out, "features": features}
        width = other.get(twist.get("reads", ""), heads * out)
    each = {"numbers": 2 * number_bytes, "half": 8, "layers": 16 * len(layers)}
    parameters *= twist.get("states", 4) * (number_bytes if "param" in twist else 4)
    numbers *= 4 if kept == "wide" else number_bytes
    return each.get(ends, 16) * num_edges, parameters, numbers


# ---------------------------------------------------------------- A6.4


def _batches(rng: Generator, *, even: bool) -> tuple:
    size = drawn.size(rng, 3, 4)
    n = size * drawn.size(rng, 3, 4) + (0 if even else drawn.size(rng, 1, size - 1))
    return drawn.graph(rng, n, n // 3), size, drawn.size(rng, 2, 3)


_PAIR = GraphData(num_nodes=2, src=[0], dst=[1])
_CHAIN = GraphData(num_nodes=6, src=[0, 1, 2, 3, 4], dst=[1, 2, 3, 4, 5])
_FORK = GraphData(num_nodes=5, src=[4, 4, 4, 0, 0], dst=[0, 1, 2, 3, 3])


@question(
    "A6.4",
    "Train on batches",
    chapter="10",
    cases=[
        case(_PAIR, 1, 1),
        case(_PAIR, 1, 2),
        case(_CHAIN, 1, 3),
        case(_CHAIN, 2, 3),
        case(_FORK, 2, 2, tag="the last batch is smaller"),
        case(_CHAIN, 10, 2, tag="one batch holds all nodes"),
        case(inputs.UNEVEN, 2, 3, tag="the last batch is smaller"),
    ],
    drawn={
        "equal batches": lambda rng: _batches(rng, even=True),
        "a smaller last batch": lambda rng: _batches(rng, even=False),
    },
    mistakes={
        "That is how many rows a layer reads, not computes.": {"out": "more"},
        "The first layer's number should come first.": {"out": "reverse"},
        "A node needs its own row of the layer before, too.": {"form": "not itself"},
        "Messages are followed the wrong way.": {"form": "turned"},
        "A batch computes a row once, though many need it.": {"form": "alone"},
        "Before the last layer more than N rows are computed.": {"form": "targets"},
        "The last, smaller batch is left out.": {"form": "whole"},
        "Go one step further back for each layer.": {"form": "one step"},
        "Return each layer's number, not their sum.": {"out": "sum"},
    },
)
def rows_computed(
    graph: GraphData, batch_size: int, num_layers: int, *, form: str = "", out: str = ""
) -> list[int]:
    n, size = graph.num_nodes, 1 if form == "alone" else batch_size
    edges = _edges(graph, form == "turned")
    batches = [set(range(k, min(k + size, n))) for k in range(0, n, size)]
    batches = [batch for batch in batches if form != "whole" or len(batch) == size]
    found: list[int] = []
    for layer in range(num_layers + (out == "more")):
        found.insert(0, sum(map(len, batches)))
        if form != "targets" and not (form == "one step" and layer):
            sources = [{a for a, b in edges if b in wanted} for wanted in batches]
            mine = [set()] * len(batches) if form == "not itself" else batches
            batches = [a | b for a, b in zip(sources, mine, strict=True)]
    changed = {"reverse": found[::-1], "sum": [sum(found)], "more": found[:num_layers]}
    return changed.get(out, found)


# ---------------------------------------------------------------- A6.5


def _parts(rng: Generator, num_parts: int, *, repeats: bool = False) -> tuple:
    """A hub that its own part alone hears, and one that all of another part hear."""
    n = 4 * num_parts
    part = torch.arange(n)[torch.randperm(n, generator=rng)] % num_parts
    first = [int(part.eq(p).nonzero()[0]) for p in (0, 1)]
    graph = drawn.graph(rng, n, n // 2)
    src, dst = ([ends[graph.src != first[0]]] for ends in (graph.src, graph.dst))
    for hub, far in zip(first, (0, num_parts - 1 if num_parts > 2 else 0), strict=True):
        nodes = part.eq(far).nonzero()[:, 0].repeat(3 if repeats else 1)
        src.append(torch.full_like(nodes, hub))
        dst.append(nodes)
    graph = GraphData(num_nodes=n, src=torch.cat(src), dst=torch.cat(dst))
    return graph, part, drawn.size(rng, 1, 3)


_STAR = GraphData(
    num_nodes=7,
    src=[0, 0, 0, 0, 1, 1, 3, 3, 3, 5, 6, 2, 2, 2],
    dst=[1, 2, 1, 2, 3, 5, 4, 5, 6, 1, 0, 4, 4, 3],
)
_THIRDS = _integers(0, 0, 0, 1, 1, 2, 2)


@question(
    "A6.5",
    "Several machines",
    chapter="10",
    read=reading.several("rows without copies", "rows with copies"),
    cases=[
        case(_PAIR, _integers(0, 1), 0),
        case(GraphData(num_nodes=3, src=[0, 0], dst=[1, 2]), _integers(0, 1, 1), 1),
        case(_STAR, _THIRDS, 2),
        case(_STAR, _THIRDS, 1),
        case(_STAR, _integers(0, 1, 0, 1, 0, 1, 0), 1),
        case(inputs.UNEVEN, _integers(0, 1, 2, 0, 1, 2, 1), 2),
        case(_STAR, _THIRDS, 7, tag="all nodes are copied"),
    ],
    drawn={
        "two parts": lambda rng: _parts(rng, 2),
        "several parts": lambda rng: _parts(rng, drawn.size(rng, 3, 4)),
        "repeated edges": lambda rng: _parts(rng, 3, repeats=True),
    },
    mistakes={
        "A part receives a row once for all its cut edges.": {"count": "edges"},
        "A row that two parts need is received by both.": {"count": "nodes"},
        "Count the sources of cut edges, not the targets.": {"count": "targets"},
        "Messages are followed the wrong way.": {"count": "turned"},
        "You copy who is heard most, even within one part.": {"form": "degree"},
        "You copy by cut edges; several to one part save one row.": {"form": "cut"},
        "The first nodes are copied; choose better.": {"form": "first"},
        "A copied node is in all parts; yours saves one row.": {"form": "one"},
        "All parts get the same copies; yours differ.": {"form": "each"},
        "The second number is what copies save, not what is left.": {"form": "saved"},
        "The two numbers are swapped.": {"form": "swapped"},
    },
)
def rows_received(
    graph: GraphData, part: Tensor, num_copies: int, *, count: str = "", form: str = ""
) -> tuple[int, int]:
    of, edges = part.tolist(), _edges(graph, count == "turned")
    cut = [(a, b) for a, b in edges if of[a] != of[b]]
    received = [(a, of[b]) for a, b in cut]  # a node, and the part that needs its row
    if count in ("nodes", "targets"):
        received = [(a if count == "nodes" else b, 0) for a, b in cut]
    received = received if count == "edges" else sorted(set(received))
    before = len(received)
    ranked = [a for a, _ in {"degree": edges, "cut": cut}.get(form, received)]
    best = list(range(graph.num_nodes))
    if form != "first":
        best.sort(key=ranked.count, reverse=True)
    after = sum(a not in best[:num_copies] for a, _ in received)
    if form == "one":
        after = max(before - num_copies, 0)
    elif form == "each":
        halos = [sum(p == q for _, q in received) for p in set(of)]
        after = sum(max(halo - num_copies, 0) for halo in halos)
    after = before - after if form == "saved" else after
    return (after, before) if form == "swapped" else (before, after)
