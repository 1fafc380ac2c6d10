"""Questions of assignment 4: new graphs, many labels (chapter 6)."""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from gat_course.checks import drawn, inputs, reading
from gat_course.checks.question import case, question

Plain = tuple[int, list[int], list[int]]  # nodes, sources, targets

# ---------------------------------------------------------------- A4.1

_PAIR, _LONE, _RING = (2, [0], [1]), (1, [], []), (3, [1, 2, 0], [2, 0, 1])
_FULL, _TAIL = (2, [1, 0, 1, 0], [1, 1, 0, 0]), (4, [2, 0], [1, 0])


def _plain(rng: Generator, tail: int = 0) -> Plain:
    """A graph whose last `tail` nodes have no edge, and the others have."""
    n = drawn.size(rng, 2, 5)
    ring = torch.arange(n)
    more = torch.randint(n, (2, drawn.size(rng, 1, 3)), generator=rng)
    ends = torch.cat([torch.stack([ring, (ring + 1) % n]), more], dim=1)
    src, dst = ends[:, torch.randperm(ends.shape[1], generator=rng)].tolist()
    return n + tail, src, dst


def _pick(rng: Generator, kind: str = "") -> tuple:
    graphs = [_plain(rng) for _ in range(5)]
    a, b, c = torch.randperm(5, generator=rng)[:3].tolist()
    if kind == "bare":
        graphs[a], graphs[b] = (drawn.size(rng, 1, 3), [], []), _plain(rng, 2)
    return graphs, [a, b, a, c] if kind == "twice" else [a, b, c]


@question(
    "A4.1",
    "New graphs, many labels",
    chapter="6",
    read=reading.several("src", "dst", "graph_of"),
    cases=[
        case([_PAIR], [0]),
        case([_PAIR, _RING], [0, 1]),
        case([_RING, _FULL, _PAIR], [2, 0]),
        case([_TAIL, _RING, _PAIR], [0, 2], tag="a node has no edge"),
        case([_FULL, _LONE, _RING], [0, 1, 2], tag="a graph has no edge"),
        case([_PAIR, _RING, _FULL], [2, 0, 2], tag="a graph is picked twice"),
        case([_FULL, _PAIR, _RING, _TAIL], [3, 2, 1, 0]),
    ],
    drawn={
        "different graphs": _pick,
        "nodes without edges": lambda rng: _pick(rng, "bare"),
        "a graph twice": lambda rng: _pick(rng, "twice"),
    },
    mistakes={
        "Node numbers are not moved: the graphs share nodes.": {"shift": "none"},
        "Numbers are moved by the edges before, not the nodes.": {"shift": "edges"},
        "Numbers are moved by one graph before; add up all before.": {"shift": "last"},
        "Nodes without edges are lost: read `num_nodes`.": {"shift": "largest"},
        "Numbers are moved as in `graphs`, not as in the batch.": {"shift": "list"},
        "A graph that is picked twice is taken once.": {"form": "once"},
        "`graph_of` holds places in `graphs`, not in `picked`.": {"form": "number"},
        "`graph_of` needs an entry for each node, not for each edge.": {
            "form": "per edge"
        },
        "The edges are sorted by target; they keep their order.": {"form": "sorted"},
        "A graph without edges is left out; it has nodes.": {"form": "skip"},
    },
)
def mini_batch(
    graphs: list[Plain], picked: list[int], *, shift: str = "", form: str = ""
) -> tuple:
    edges, graph_of, first = [], [], 0
    for place, k in enumerate(dict.fromkeys(picked) if form == "once" else picked):
        nodes, src, dst = graphs[k]
        if form == "skip" and not src:
            continue
        nodes = max([*src, *dst], default=-1) + 1 if shift == "largest" else nodes
        before = sum(graph[0] for graph in graphs[:k])
        moved = {"none": 0, "list": before}.get(shift, first)
        edges += [(s + moved, d + moved) for s, d in zip(src, dst, strict=True)]
        marks = len(src) if form == "per edge" else nodes
        graph_of += [k if form == "number" else place] * marks
        size = len(src) if shift == "edges" else nodes
        first = size if shift == "last" else first + size
    edges = sorted(edges, key=lambda edge: edge[1]) if form == "sorted" else edges
    return [s for s, _ in edges], [d for _, d in edges], graph_of


# ---------------------------------------------------------------- A4.2


def _answers(rng: Generator, kind: str = "") -> tuple[Tensor, Tensor]:
    """Logits and labels: of each label TP, FP and FN; but of labels 1 and 2 by kind."""
    n, width = drawn.size(rng, 8, 12), drawn.size(rng, 4, 6)
    s = drawn.numbers(rng, n, width)
    y = (torch.rand(n, width, generator=rng) < 0.5).float()
    s[:4] = s[:4].abs() * torch.tensor([[1.0], [1.0], [-1.0], [1.0]])
    y[:4] = torch.tensor([[1.0], [0.0], [1.0], [0.0]])
    if kind == "absent":  # the second is not said either
        y[:, 1:3], s[:, 2] = 0, -s[:, 2].abs()
    elif kind == "silent":
        s[:, 1:3] = -s[:, 1:3].abs()
    return s, y


def _ratio(top: Tensor, below: Tensor, empty: float = 0.0) -> Tensor:
    return torch.where(below == 0, torch.full_like(top, empty), top / below)


_S = torch.tensor([[1.0, 3.0, 0.25], [2.0, -1.0, 2.0], [-1.0, -2.0, 1.0]])
_HITS = torch.tensor([[1.0, 0.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 1.0]])


@question(
    "A4.2",
    "Micro-F1",
    chapter="6",
    read=reading.several("precision", "recall", "F1", "macro-F1", "micro-F1"),
    cases=[
        case(_S[:, :1], torch.tensor([[1.0], [0.0], [0.0]])),
        case(_S[:, ::2], _HITS[:, ::2]),
        case(_S.trunc(), _HITS.flip(1), tag="a logit is exactly 0"),
        case(_S, _HITS, tag="no node has a label"),
        case(_S - 2.5, _HITS.flip(0), tag="a label never gets a yes"),
        case(-torch.ones(2, 2), torch.zeros(2, 2), tag="there is neither one nor yes"),
        case(inputs.numbers(6, 4), (inputs.numbers(6, 4, shift=2) > 0).float()),
    ],
    drawn={
        "many labels": _answers,
        "labels that no node has": lambda rng: _answers(rng, "absent"),
        "labels that never get a yes": lambda rng: _answers(rng, "silent"),
    },
    mistakes={
        "Each node, a row, has its scores; each label should.": {"form": "rows"},
        "A logit of 0 counts as a yes; a yes is above 0.": {"bar": -1e-9},
        "0.5 is the bar for a probability; a logit's is 0.": {"bar": 0.5},
        "Precision and recall are swapped.": {"form": "swapped"},
        "0 / 0 gives NaN; it should be 0.": {"form": "0 / 0"},
        "0 / 0 gives NaN, in F1 as well; it should be 0.": {"form": "all"},
        "F1 is NaN where precision and recall are 0; it should be 0.": {"form": "nan"},
        "F1 is no plain mean of precision and recall.": {"form": "mean"},
        "The macro-F1 leaves out labels that no node has.": {"form": "there"},
        "The macro-F1 is that of mean precision and recall.": {"form": "rates"},
        "The micro-F1 is the accuracy.": {"form": "accuracy"},
        "The micro-F1 is a mean over nodes; pool the counts.": {"form": "nodes"},
    },
)
def label_scores(
    logits: Tensor, labels: Tensor, *, bar: float = 0.0, form: str = ""
) -> tuple[Tensor, ...]:
    empty = math.nan if form in ("0 / 0", "all") else 0.0
    yes, y = (logits.double() > bar).double(), labels.double()
    tp, said, there = (m.sum(int(form == "rows")) for m in (yes * y, yes, y))
    p, r = _ratio(tp, said, empty), _ratio(tp, there, empty)
    each = _ratio(2 * tp, said + there, empty)
    harmonic = 2 * p * r / (p + r)
    each = {"mean": (p + r) / 2, "nan": harmonic, "all": harmonic}.get(form, each)
    macro = {
        "there": _ratio(each[there > 0].sum(), (there > 0).sum()),
        "rates": _ratio(2 * p.mean() * r.mean(), p.mean() + r.mean()),
    }.get(form, each.mean())
    micro = {
        "accuracy": (yes == y).double().mean(),
        "nodes": _ratio(2 * (yes * y).sum(1), (yes + y).sum(1)).mean(),
    }.get(form, _ratio(2 * tp.sum(), (said + there).sum(), empty))
    return *((r, p) if form == "swapped" else (p, r)), each, macro, micro


# ---------------------------------------------------------------- A4.3


def _rare(rng: Generator, scale: float = 2.0, *, unknown: bool = False) -> tuple:
    n, width = drawn.size(rng, 6, 10), drawn.size(rng, 3, 5)
    y = (torch.rand(n, width, generator=rng) < 0.4).float()
    y[0], y[1] = 1, 0
    if unknown:  # most of the first label, one of the others
        y[2:, 0] = y[2, 1:] = -1
    s = drawn.numbers(rng, n, width, scale=scale)
    if scale > 100:
        s[0], s[1] = -scale, scale  # sure and wrong
    return s, y, 2 + 8 * torch.rand(width, generator=rng)


_LOGITS = torch.tensor([[-2.0, 1.0], [0.5, 3.0], [-1.0, 0.25]])
_LABELS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
_SOME = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [-1.0, 0.0]])
_WEIGHT = torch.tensor([3.0, 8.0])


@question(
    "A4.3",
    "A loss for each label",
    chapter="6",
    tolerance=1e-4,
    cases=[
        case(_LOGITS[:1, :1], torch.ones(1, 1), _WEIGHT[:1]),
        case(_LOGITS[:1, :1], torch.zeros(1, 1), _WEIGHT[:1]),
        case(_LOGITS, _LABELS, _WEIGHT),
        case(_LOGITS, _SOME, _WEIGHT, tag="some labels are unknown"),
        case(20 * _LOGITS, _LABELS, _WEIGHT, tag="logits are as far out as 60"),
        case(1e3 * _LOGITS.sign(), _LABELS, _WEIGHT, tag="logits are 1000 and -1000"),
        case(_LOGITS, -torch.ones(3, 2), _WEIGHT, tag="no label is known"),
    ],
    drawn={
        "all labels known": _rare,
        "unknown labels": lambda rng: _rare(rng, unknown=True),
        "large logits": lambda rng: _rare(rng, 1000.0),
    },
    mistakes={
        "The weights are not used.": {"form": "unweighted"},
        "The weight stands at the zeros; it belongs to the ones.": {"form": "zeros"},
        "The weight stands at ones and zeros; only ones have it.": {"form": "both"},
        "It is divided by the weights, not by how many are known.": {"by": "weights"},
        "It is divided by all entries, unknown ones included.": {"by": "all"},
        "It is a sum; the mean is asked for.": {"by": "one"},
        "The means of the labels are averaged; pool all entries.": {"by": "labels"},
        "Unknown labels count as no; leave them out.": {"form": "no"},
        "The -1 of unknown labels goes into the formula.": {"form": "used"},
        "Where no label is known it is 0 / 0; it should be 0.": {"by": "nan"},
        "The exponential of a large number overflows.": {"form": "exp"},
        "The logarithm of a rounded sigmoid is infinite.": {"form": "sigmoid"},
        "Far from 0 the loss stops growing at 100.": {"form": "cut"},
    },
)
def rare_loss(
    logits: Tensor, labels: Tensor, pos_weight: Tensor, *, by: str = "", form: str = ""
) -> Tensor:
    s, y, w = logits.double(), labels.double(), pos_weight.double()
    known = (y >= 0) | (form in ("no", "used"))
    y = y if form == "used" else y.clamp(min=0)
    one, zero = F.softplus(-s), F.softplus(s)
    if form == "exp":
        one, zero = ((1 + (a * logits).exp()).log().double() for a in (-1, 1))
    elif form in ("sigmoid", "cut"):
        p, most = logits.sigmoid(), 100 if form == "cut" else math.inf
        one, zero = (-q.log().double().clamp(min=-most) for q in (p, 1 - p))
    at = {"unweighted": (0, 0), "zeros": (0, 1), "both": (1, 1)}.get(form, (1, 0))
    weights = (w ** at[0] * y + w ** at[1] * (1 - y)) * known
    terms = (w ** at[0] * y * one + w ** at[1] * (1 - y) * zero) * known
    if by == "labels":
        return _ratio(terms.sum(0), known.sum(0)).mean()
    sizes = {"all": (y == y).sum(), "one": torch.tensor(1), "weights": weights.sum()}
    below = sizes.get(by, known.sum())
    return _ratio(terms.sum(), below, math.nan if by == "nan" else 0.0)


# ---------------------------------------------------------------- A4.4


def _chain(rng: Generator) -> tuple:
    """A chain of four graphs from the wanted one, and two others that share."""
    order = torch.randperm(6, generator=rng).tolist()
    if order[1] < order[2] < order[3]:  # one walk along the list must not do
        order[1:4] = order[3:0:-1]
    names = (10 + torch.randperm(80, generator=rng)).tolist()
    lists = [[names[k], names[k + 1], names[20 + k]] for k in range(4)]
    lists += [[names[30], names[31]], [names[32], names[30]]]
    return [lists[order.index(k)] for k in range(6)], [order[0]]


def _pairs(rng: Generator) -> tuple:
    """Three pairs that share, a graph without proteins; two pairs are wanted."""
    order = torch.randperm(7, generator=rng).tolist()
    names = (10 + torch.randperm(80, generator=rng)).tolist()
    lists = [[names[9 * k], names[9 * k + j]] for k in range(3) for j in (1, 2)] + [[]]
    return [lists[order.index(k)] for k in range(7)], [order[0], order[2]]


@question(
    "A4.4",
    "What did the network have to know?",
    chapter="6",
    read=reading.truths(),
    cases=[
        case([[4], [4]], [0]),
        case([[4, 7], [8], [9, 7]], [0]),
        case([[1, 2], [2, 3], [3, 4], [5]], [0], tag="a graph is two steps away"),
        case([[5], [3, 4], [2, 3], [1, 2]], [3], tag="a graph is two steps away"),
        case([[4, 5], [1, 2], [3, 4], [2, 3], [9]], [1]),
        case([[1, 2], [8, 9], [9], [2], [7]], [0, 1], tag="two graphs are wanted"),
        case([[], [3], [], [3]], [1], tag="a graph has no proteins"),
        case([[], [3], [], [3]], [0], tag="a graph has no proteins"),
    ],
    drawn={"long chains": _chain, "several wanted graphs": _pairs},
    mistakes={
        "Graphs that share with those that share are missing.": {"steps": 1},
        "It stops after two steps; go on until nothing changes.": {"steps": 2},
        "It walks along the list once; go on until nothing changes.": {"form": "walk"},
        "The wanted graphs themselves are left out.": {"form": "others"},
        "The training graphs are marked; mark those held out.": {"form": "training"},
        "Only the first wanted graph is looked at.": {"form": "first"},
        "Only the wanted graphs are held out.": {"steps": 0},
        "Graphs without proteins are held out; they share nothing.": {"form": "empty"},
    },
)
def held_out(
    proteins: list[list[int]], wanted: list[int], *, steps: int = 99, form: str = ""
) -> list[bool]:
    sets = [set(listed) for listed in proteins]
    out = set(wanted[:1] if form == "first" else wanted)
    for _ in range(1 if form == "walk" else min(steps, len(sets))):
        before = out if form == "walk" else set(out)
        for k, own in enumerate(sets):
            if any(own & sets[other] for other in before):
                out.add(k)
    if form == "others":
        out -= set(wanted)
    elif form == "empty":
        out |= {k for k, own in enumerate(sets) if not own}
    return [(k in out) != (form == "training") for k in range(len(sets))]


# ---------------------------------------------------------------- A4.5


def _tissues(rng: Generator, kind: str = "") -> tuple:
    """Two training graphs and three test graphs; half of the proteins are new."""
    names = 10 + torch.randperm(80, generator=rng)[:16]
    train, told = [names[:6], names[4:8]], [torch.ones(6) > 0, torch.ones(4) > 0]
    if kind == "hidden":  # 4 and 5 are in both graphs, shown in one; 0, 1, 7 nowhere
        told = [torch.tensor([0, 0, 1, 1, 0, 1]) > 0, torch.tensor([1, 0, 1, 0]) > 0]
    old = [names[[0, 1, 4, 7]], names[[2, 5]], names[[4, 6, 7, 0, 3]]]
    test = [torch.cat([o, names[8 + k : 11 + k]]) for k, o in enumerate(old)]
    y = [(torch.rand(len(t), 4, generator=rng) < 0.5).float() for t in test]
    bias = 1.5, 0.0, -1.0
    s = [v + b + drawn.numbers(rng, *v.shape) for v, b in zip(y, bias, strict=True)]
    return train, told, test, s, y


def _given(told: list, proteins: list) -> tuple:
    """Training graphs 4 5 and 6 5; logits and labels by a rule."""
    train = [torch.tensor([4, 5]), torch.tensor([6, 5])]
    told, test = [torch.tensor(t) > 0 for t in told], list(map(torch.tensor, proteins))
    y = [(inputs.numbers(len(part), 2, shift=4) > 0).float() for part in test]
    return train, told, test, [inputs.numbers(len(part), 2) for part in test], y


@question(
    "A4.5",
    "What did the network have to know?",
    chapter="6",
    read=reading.several("old", "new"),
    cases=[
        case(*_given([[1, 1], [1, 1]], [[5, 9]])),
        case(*_given([[1, 1], [1, 1]], [[9, 4, 6], [5, 8, 7, 4, 9]])),
        case(*_given([[1, 0], [1, 1]], [[9, 5, 6], [5, 8, 7, 4, 9]])),
        case(*_given([[1, 1], [0, 0]], [[9, 5, 6], [6, 5, 8, 7, 4]])),
        case(*_given([[1, 1], [1, 1]], [[4, 5], [6]]), tag="no node is new"),
        case(*_given([[1, 1], [1, 1]], [[8, 9], [7]]), tag="no node is old"),
    ],
    drawn={
        "several test graphs": _tissues,
        "labels not shown": lambda rng: _tissues(rng, "hidden"),
    },
    mistakes={
        "`told` is not used; it says whose labels were shown.": {"form": "ignored"},
        "One graph that shows a protein's labels is enough.": {"form": "every"},
        "A later graph overwrites what an earlier one showed.": {"form": "last"},
        "Old and new are swapped.": {"form": "swapped"},
        "The scores of graphs are averaged; pool the counts.": {"form": "graphs"},
        "The scores of labels are averaged; pool the counts.": {"form": "labels"},
        "A protein counts once; each of its nodes should.": {"form": "once"},
        "The score is NaN where there is no node; it should be 0.": {"form": "nan"},
    },
)
def old_and_new(
    train_proteins: list[Tensor],
    told: list[Tensor],
    test_proteins: list[Tensor],
    logits: list[Tensor],
    labels: list[Tensor],
    *,
    form: str = "",
) -> list[Tensor]:
    shown: dict[int, bool] = {}
    names, marks = torch.cat(train_proteins).tolist(), torch.cat(told).tolist()
    for name, mark in zip(names, marks, strict=True):
        seen = shown.get(name, form == "every")
        either = seen and mark if form == "every" else seen or mark
        shown[name] = {"ignored": True, "last": mark}.get(form, either)
    names = torch.cat(test_proteins).tolist()
    yes, y = torch.cat(logits) > 0, torch.cat(labels) > 0
    counts = torch.stack([yes & y, yes, y], dim=-1).double()  # [nodes, L, 3]
    old = torch.tensor([shown.get(name, False) for name in names])
    again = torch.tensor([name in names[:k] for k, name in enumerate(names)])
    scores = []
    for part in (~old, old) if form == "swapped" else (old, ~old):
        kept = counts * (part & ~(again & (form == "once")))[:, None, None]
        groups = {
            "graphs": [g.sum((0, 1)) for g in kept.split([len(t) for t in labels])],
            "labels": list(kept.sum(0)),
        }.get(form, [kept.sum((0, 1))])
        empty = math.nan if form == "nan" else 0.0
        f1 = [_ratio(2 * tp, said + there, empty) for tp, said, there in groups]
        scores.append(torch.stack(f1).mean())
    return scores
