"""The checks of exercises: blank answers, right ones, and typical wrong ones."""

import copy
import itertools
import math
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch.utils._pytree import tree_leaves

from gat_course import (
    GraphData,
    attention,
    batch_graphs,
    checks,
    dgl_compat,
    formulas,
)
from gat_course.checks import answers

EXERCISES = [
    "1.1",
    "1.2",
    "1.3",
    "1.4",
    "1.5",
    "1.6",
    "2.1",
    "2.2",
    "2.3",
    "2.4",
    "2.5",
    "3.1",
    "3.2",
    "3.3",
    "3.4",
    "3.5",
    "4.1",
    "4.2",
    "4.3",
    "4.4",
    "4.5",
    "5.1",
    "5.2",
    "5.3",
    "5.4",
    "5.5",
    "6.1",
    "6.2",
    "6.3",
    "6.4",
    "6.5",
    "6.6",
    "7.1",
    "7.2",
    "7.3",
    "7.4",
    "7.5",
    "7.6",
    "8.1",
    "8.2",
    "8.3",
    "8.4",
    "8.5",
    "8.6",
    "9.1",
    "9.2",
    "9.3",
    "9.4",
    "9.5",
    "10.1",
    "10.2",
    "10.3",
    "10.4",
    "10.5",
]


def test_there_is_a_check_for_each_of_these():
    chapters = {number.partition(".")[0]: [] for number in EXERCISES}
    for number in EXERCISES:
        chapters[number.partition(".")[0]].append(number)
    for chapter, numbers in chapters.items():
        said = f"no exercise '{chapter}.9'; there are {', '.join(numbers)}\"$"
        with pytest.raises(KeyError, match=said):
            checks.exercise(f"{chapter}.9", 1)
    for unknown in ("11.1", "x", ""):
        said = f"no exercise '{unknown}'; .* chapters {', '.join(chapters)}\"$"
        with pytest.raises(KeyError, match=said):
            checks.exercise(unknown, 1)
    with pytest.raises(KeyError, match="no exercise 6.4; there are 6.1, "):
        checks.exercise(6.4, 1)


def test_a_chapters_checks_are_imported_when_one_is_asked_for():
    lines = [
        "import sys",
        "from gat_course import checks",
        "assert not checks.exercise('6.4', None)",
        "print(*(name for name in sys.modules if '.chapter_' in name))",
    ]
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[1] == "gat_course.checks.chapter_06"


def nothing(*_, **__):
    return None


BLANK = {"1.1": ([None] * 2,), "1.6": (None, None), "4.5": (nothing, nothing)}


@pytest.mark.parametrize("number", EXERCISES)
def test_a_starter_cell_is_not_done_yet(number, capsys):
    assert not checks.exercise(number, *BLANK.get(number, (nothing,)))
    assert capsys.readouterr().out == f"Exercise {number}: not done yet.\n"


def from_names(pairs, order=dict.fromkeys, once=True, both=True, loops=True):
    names = list(order(name for pair in pairs for name in pair))
    friends = {tuple(sorted(map(names.index, pair))) for pair in pairs}
    if not once:
        friends = [tuple(map(names.index, pair)) for pair in pairs]
    src, dst = zip(*friends, strict=True)
    x = torch.eye(len(names))
    graph = GraphData.from_edges(src, dst, undirected=both, x=x)
    return graph.with_self_loops() if loops else graph, names


def florence(**changes):
    def answer(pairs):
        graph, names = from_names(pairs)
        return replace(graph, **changes), names

    return answer


def softmax_row_by_row(scores, mask, tau):
    out = torch.zeros_like(scores)
    for i in range(len(scores)):
        out[i, mask[i] > 0] = torch.softmax(scores[i, mask[i] > 0] / tau, 0)
    return out


def naive_softmax(scores, mask, tau):
    terms = torch.exp(scores / tau) * mask
    return terms / terms.sum(1, keepdim=True)


def layer(x, adjacency, weight, att_dst, att_src):
    z = x @ weight
    alpha = formulas.masked_softmax(
        formulas.attention_scores(z, att_dst, att_src), adjacency
    )
    return alpha @ z


def nan_layer(x, adjacency, weight, att_dst, att_src):
    e = formulas.attention_scores(x @ weight, att_dst, att_src)
    return torch.softmax(e.masked_fill(adjacency == 0, -math.inf), 1) @ (x @ weight)


def everyone_layer(x, adjacency, weight, att_dst, att_src):
    e = formulas.attention_scores(x @ weight, att_dst, att_src)
    return torch.softmax(e.masked_fill(adjacency == 0, -9e15), 1) @ (x @ weight)


def gatv2(z_dst, z_src, a, negative_slope=0.2):
    return F.leaky_relu(z_dst[:, None] + z_src[None], negative_slope) @ a


def buckets(graph):
    degrees, counts = graph.in_degrees.unique(return_counts=True)
    pairs = zip(counts.tolist(), degrees.tolist(), strict=True)
    return [(b, d) for b, d in pairs if d]


def with_gaps(graph):
    """A bucket for every degree up to the largest, empty ones too."""
    counts = enumerate(graph.in_degrees.bincount().tolist())
    return [(b, d) for d, b in counts if d] if graph.num_edges else []


def all_buckets(graph):
    return list(enumerate(graph.in_degrees.bincount().tolist()))


def once_each(graph):
    pairs = torch.stack([graph.src, graph.dst]).unique(dim=1)
    return buckets(replace(graph, src=pairs[0], dst=pairs[1]))


def messages(g, x, reduce="mean"):
    fn = dgl_compat.import_dgl().function
    g.ndata["h"] = x
    g.update_all(fn.copy_u("h", "m"), getattr(fn, reduce)("m", "h"))
    return g.ndata["h"]


def mean_of_neighbours(g, x, reduce="mean"):
    with g.local_scope():
        return messages(g, x, reduce)


def naive_mean(g, x):
    return mean_of_neighbours(g, x, "sum") / g.in_degrees().unsqueeze(1)


def mean_of_targets(g, x):
    return mean_of_neighbours(dgl_compat.import_dgl().reverse(g), x)


def dot_product(g, query, key, value, scale=0.5):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    with g.local_scope():
        g.ndata.update({"q": query, "k": key, "v": value})
        g.apply_edges(fn.v_dot_u("q", "k", "e"))
        g.edata["a"] = dgl.nn.functional.edge_softmax(g, g.edata["e"] * scale)
        g.update_all(fn.u_mul_e("v", "a", "m"), fn.sum("m", "out"))
        return g.ndata["out"]


def subtract_then_softmax(g, scores, largest):
    _, dst = g.edges()
    weights = torch.exp(scores - largest)
    total = torch.zeros(g.num_nodes(), scores.shape[1]).index_add(0, dst, weights)
    return weights / total[dst]


def own_largest(g, scores):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.edata["e"] = scores
        g.update_all(fn.copy_e("e", "m"), fn.max("m", "top"))
        return subtract_then_softmax(g, scores, g.ndata["top"][g.edges()[1]])


def own_mean(g, scores):
    _, dst = g.edges()
    sums = torch.zeros(g.num_nodes(), 2).index_add(0, dst, scores)
    return (sums / g.in_degrees().clamp(min=1).unsqueeze(1))[dst]


def zeros_for_nan(g, scores):
    return subtract_then_softmax(g, scores, scores.max()).nan_to_num(0)


def softmax_of_sources(g, scores):
    return own_largest(dgl_compat.import_dgl().reverse(g), scores)


def received(g, alpha, end=0):
    total = torch.zeros(g.num_nodes(), alpha.shape[1])
    return total.index_add(0, g.edges()[end], alpha)


def mean_received(g, alpha):
    return received(g, alpha) / g.out_degrees().clamp(min=1).unsqueeze(1)


def largest(num_bytes, heads, matrices):
    return math.isqrt(int(num_bytes / (4 * heads * matrices)))


def window(n, w):
    pairs = [(j, i) for i in range(n) for j in range(max(i - w, 0), i + 1)]
    return GraphData(num_nodes=n, src=[j for j, _ in pairs], dst=[i for _, i in pairs])


def turned(graph):
    return GraphData(num_nodes=graph.num_nodes, src=graph.dst, dst=graph.src)


def axis(weights, mask, tolerance=1e-4, ignore_empty=True, both="rows"):
    sums = {"rows": (1, weights.sum(1)), "columns": (0, weights.sum(0))}
    found = []
    for name, (dim, total) in sums.items():
        counts = mask.sum(dim) > 0 if ignore_empty else torch.ones(len(mask)).bool()
        if ((total - 1).abs() <= tolerance)[counts].all():
            found.append(name)
    return both if len(found) == 2 else (found or ["neither"])[0]


def chunked(z, att_dst, att_src, mask, chunk):
    rows = []
    for k in range(0, len(z), chunk):
        e = F.leaky_relu((z[k : k + chunk] @ att_dst)[:, None] + z @ att_src, 0.2)
        rows.append(formulas.masked_softmax(e, mask[k : k + chunk]) @ z)
    return torch.cat(rows)


def all_at_once(z, att_dst, att_src, mask, chunk):
    scores = formulas.attention_scores(z, att_dst, att_src)
    return formulas.masked_softmax(scores, mask) @ z


def pieces(z, att_dst, att_src, mask, chunk):
    return chunked(z, att_dst, att_src, mask, -(-len(z) // chunk))


def without_the_rest(z, att_dst, att_src, mask, chunk):
    whole = max(len(z) // chunk * chunk, 1)
    out = torch.zeros_like(z)
    out[:whole] = chunked(z, att_dst, att_src, mask, chunk)[:whole]
    return out


def lists(graph):
    width = int(graph.in_degrees.max())
    sources = torch.zeros(graph.num_nodes, width, dtype=torch.long)
    mask = torch.zeros(graph.num_nodes, width)
    for i in range(graph.num_nodes):
        into = graph.src[graph.dst == i]
        sources[i, : len(into)], mask[i, : len(into)] = into, 1
    return sources, mask


def count(f, c, hidden, k, o, att=None, reads=None, bias=None):
    first, second = f * k * hidden, (reads or k * hidden) * c * o
    att = 2 * (k * hidden + o * c) if att is None else att
    return first + second + att + (k * hidden + c if bias is None else bias)


def merge_heads(heads, merge):
    return torch.cat(heads, 1) if merge == "concat" else sum(heads) / len(heads)


def merged(concat=None, mean=None):
    ways = {"concat": concat, "mean": mean}
    return lambda h, merge: (ways[merge] or partial(merge_heads, merge=merge))(h)


def sum_in_place(heads):
    total = heads[0]
    for head in heads[1:]:
        total += head
    return total / len(heads)


def spread(alpha, p):
    return math.sqrt(p / (1 - p) * sum(a**2 for a in alpha.tolist()))


def silenced(names=("weight",), part="columns", heads=None, make=copy.deepcopy):
    """A function that zeroes some parameters of head k, or of the given heads."""

    def without_head(layer, k):
        new = make(layer)
        for name in names:
            p = getattr(new, name)
            for m in [k] if heads is None else heads:
                rows = slice(m, m + 1) if "att" in name else slice(2 * m, 2 * m + 2)
                if p is not None and part == "all":
                    p.data.zero_()
                elif p is not None:
                    (p if part == "rows" else p.data.t()).data[rows] = 0
        return new

    return without_head


def own_weight_only(layer, k):
    new = copy.copy(layer)
    new._parameters = dict(layer._parameters)
    new.weight = torch.nn.Parameter(layer.weight.detach().clone())
    new.weight.data[:, 2 * k : 2 * k + 2] = 0
    return new


def without_bias(layer, k):
    new = silenced()(layer, k)
    if layer.bias is not None:
        new.bias.data[slice(2 * k, 2 * k + 2) if layer.merge == "concat" else ...] = 0
    return new


def without_residual(layer, k):
    new = silenced()(layer, k)
    new.residual, new.residual_weight = False, None
    return new


def one_head_less(layer, k):
    new = copy.deepcopy(layer)
    keep = [m for m in range(3) if m != k]
    new.weight = torch.nn.Parameter(new.weight.view(6, 3, 2)[:, keep].flatten(1))
    new.att_dst = torch.nn.Parameter(new.att_dst[keep])
    new.att_src = torch.nn.Parameter(new.att_src[keep])
    new.num_heads = 2
    if layer.merge == "concat" and layer.bias is not None:
        new.bias = torch.nn.Parameter(new.bias.view(3, 2)[keep].flatten())
    return new


class MeanOfTheOthers(torch.nn.Module):
    def __init__(self, layer, k):
        super().__init__()
        self.layer = silenced()(layer, k)

    def forward(self, graph, x, return_attention=False):
        out, alpha = self.layer(graph, x, return_attention=True)
        if self.layer.merge == "mean":
            around = self.layer.bias
            if self.layer.residual:
                around = around + x @ self.layer.residual_weight
            out = (out - around) * 3 / 2 + around
        return out, alpha


def degrees_at_both_ends(graph):
    return graph.in_degrees[torch.stack([graph.dst, graph.src], dim=1)].float()


def of_edges(degrees):
    """Pseudo-coordinates from the degrees that a function of the graph returns."""

    def coordinates(graph):
        at_target, at_source = degrees(graph)
        return torch.stack([at_target[graph.dst], at_source[graph.src]], dim=1)

    return coordinates


def one_over_root(u):
    return u.prod(1, keepdim=True).rsqrt()


def homophily(graph):
    edge = graph.src != graph.dst
    return (graph.y[graph.src] == graph.y[graph.dst])[edge].float().mean()


def with_loops(graph):
    return (graph.y[graph.src] == graph.y[graph.dst]).float().mean()


def relative(graph, alpha):
    top = attention.uniform_entropy(graph).masked_fill(graph.in_degrees < 2, math.nan)
    return attention.entropy(graph, alpha) / top.unsqueeze(1)


def relative_zero(graph, alpha):
    return relative(graph, alpha).nan_to_num(0)


def propagate(graph, steps=50, leak=False):
    known = torch.ones_like(graph.train_mask) if leak else graph.train_mask
    labels = F.one_hot(graph.y).float() * known.unsqueeze(1)
    weights = formulas.mean_weights(graph.dense_adjacency())
    p = labels
    for _ in range(steps):
        p = torch.where(known.unsqueeze(1), labels, weights @ p)
    return p.argmax(1)


def best(accuracies, n):
    a, m = sorted(accuracies), len(accuracies)
    return sum(v * (((i + 1) / m) ** n - (i / m) ** n) for i, v in enumerate(a))


def sizes(graphs):
    return [graph.num_edges for graph in graphs]


def take_apart(alpha, graphs):
    return torch.split(alpha, sizes(graphs))


def take_apart_by_target(alpha, graphs):
    dst, first = batch_graphs(graphs).dst, 0
    for graph in graphs:
        yield alpha[(dst >= first) & (dst < first + graph.num_nodes)]
        first += graph.num_nodes


def by_source(alpha, graphs):
    pairs = zip(take_apart(alpha, graphs), graphs, strict=True)
    return [part[graph.src.argsort(stable=True)] for part, graph in pairs]


def loss(s, y):
    return (s.clamp(min=0) - s * y + torch.log1p(torch.exp(-s.abs()))).mean()


def loss_of_softplus(s, y):
    return (y * F.softplus(-s) + (1 - y) * F.softplus(s)).mean()


def loss_by_hand(s, y, least=0.0):
    p = s.sigmoid().clamp(least, 1 - least)
    return -(y * p.log() + (1 - y) * (1 - p).log()).mean()


def loss_of_two_branches(s, y):
    up, down = s + torch.log1p(torch.exp(-s)), torch.log1p(torch.exp(s))
    return (torch.where(s > 0, up, down) - s * y).mean()


def threshold(s, y, lowest=-math.inf):
    """The largest logit that gets a no."""
    s, order = s.flatten().sort(descending=True)
    tp = y.flatten()[order].cumsum(0).double()
    f1 = 2 * tp / (torch.arange(1, len(s) + 1) + y.sum())
    apart = torch.cat([s[1:] < s[:-1], torch.tensor([True])])
    best = f1.where(apart, -1).argmax()
    return s[best + 1] if best + 1 < len(s) else lowest


def threshold_in_steps(s, y):
    """One pass in plain Python; between two logits."""
    values, true = map(torch.Tensor.tolist, s.double().flatten().sort(descending=True))
    true = y.flatten()[true].tolist()
    tp, best, found, ones = 0, -1, 0, sum(true)
    for i, value in enumerate(values):
        tp += true[i]
        below = values[i + 1] if i + 1 < len(values) else value - 1
        if below < value and 2 * tp / (i + 1 + ones) > best:
            best, found = 2 * tp / (i + 1 + ones), (value + below) / 2
    return found


def threshold_of_all(s, y, candidates=None, score=None):
    def f1(yes):
        return 2 * (yes & (y > 0)).sum() / (yes.sum() + y.sum())

    candidates = [-math.inf, *s.unique()] if candidates is None else candidates(s)
    return max(
        candidates, key=lambda c: (score or f1)((s > c), *[y > 0][: bool(score)])
    )


def grid(number):
    return lambda s: torch.linspace(s.min() - 1, s.max(), number)


def cut_inside_ties(s, y):
    s, order = s.flatten().sort(descending=True)
    tp = y.flatten()[order].cumsum(0)
    best = int((tp / (torch.arange(1, len(s) + 1) + y.sum())).argmax())
    return s[best + 1] if best + 1 < len(s) else -math.inf


def accurate(s, y):
    return threshold_of_all(s, y, score=lambda yes, true: (yes == true).sum())


def aucs(graph, alpha, relevant, tie=0.5, ends=None):
    ends = graph.dst if ends is None else ends
    for i in range(graph.num_nodes):
        a, marks = alpha[ends == i], relevant[ends == i]
        gaps = a[marks][:, None] - a[~marks]
        yield (gaps > 0).double() + tie * (gaps == 0)


def neighbourhood_auc(*args, empty=None, reduce=torch.Tensor.mean, **options):
    wins = list(aucs(*args, **options))
    each = [reduce(w) for w in wins if w.numel()]
    if empty is not None:
        each += [torch.tensor(empty)] * (len(wins) - len(each))
    return float(torch.stack(each).double().mean())


def of_all_pairs(graph, alpha, relevant):
    """Without a loop: every two edges into one target."""
    pair = graph.dst[:, None] == graph.dst
    pair = pair & relevant[:, None] & ~relevant
    wins = (alpha[:, None] > alpha).float() + (alpha[:, None] == alpha).float() / 2
    n = torch.zeros(graph.num_nodes).index_add(0, graph.dst, pair.float().sum(1))
    won = torch.zeros(graph.num_nodes).index_add(0, graph.dst, (wins * pair).sum(1))
    return (won[n > 0] / n[n > 0]).mean()


def by_pairs(*args):
    return torch.cat([w.flatten() for w in aucs(*args)]).mean()


def draws(stored, n, e, hidden=8, heads=8, out_heads=1):
    return stored + n * heads * hidden + e * heads + e * out_heads


def bytes_moved(n, e, k, f):
    around = e * (1 + k) + n * k * f
    return 4 * (around + e * k * f), 4 * (around + n * k * f)


def merge_halves(first, second, to=lambda m, common: (m - common).exp()):
    common = torch.maximum(first[0], second[0])
    a, b = to(first[0], common), to(second[0], common)
    t = a * first[1] + b * second[1]
    return common, t, a[:, None] * first[2] + b[:, None] * second[2]


def without_a_maximum(first, second):
    common, t, o = merge_halves(first, second, to=lambda m, common: m.exp())
    return common, t / common.exp(), o / common.exp()[:, None]


def from_the_first(first, second):
    """Everything relative to the first half's largest score, then to the larger."""
    common, step = torch.maximum(first[0], second[0]), (second[0] - first[0]).exp()
    back = (first[0] - common).exp()
    t, o = first[1] + step * second[1], first[2] + step[:, None] * second[2]
    return common, back * t, back[:, None] * o


def one_for_all_heads(first, second):
    top = max(first[0].max(), second[0].max())
    common, t, o = merge_halves(first, second, to=lambda m, common: (m - top).exp())
    up = (top - common).exp()
    return common, up * t, up[:, None] * o


def merge_in_place(first, second):
    common = torch.maximum(first[0], second[0])
    for m, t, o in (first, second):
        t *= (m - common).exp()
        o *= (m - common).exp()[:, None]
    return common, first[1] + second[1], first[2] + second[2]


def then(change):
    return lambda first, second: change(*merge_halves(first, second))


def around(values, dst, n):
    return torch.zeros(n, values.shape[1]).index_add(0, dst, values)


def score_gradient(alpha, p, dst, n):
    return alpha * (p - around(alpha * p, dst, n)[dst])


def plain_mean(alpha, p, dst, n):
    return alpha * (p - (around(p, dst, n) / dst.bincount(minlength=n)[:, None])[dst])


def mean_of_heads(alpha, p, dst, n):
    return alpha * (p - around(alpha * p, dst, n).sum(1, keepdim=True)[dst])


def gradient_in_place(alpha, p, dst, n):
    p -= around(alpha * p, dst, n)[dst]
    return alpha * p


def edges_needed(graph, mask, num_layers, once=False, back=True):
    src, dst = (graph.src, graph.dst) if back else (graph.dst, graph.src)
    counts = []
    for _ in range(num_layers):
        edges = mask[dst]
        pairs = torch.stack([src, dst])[:, edges]
        counts.insert(0, len((pairs.unique(dim=1) if once else pairs).t()))
        mask = torch.zeros_like(mask)
        mask[src[edges]] = True
    return counts


def new_edges(graph, mask, num_layers):
    counts = [*edges_needed(graph, mask, num_layers), 0]
    return [a - b for a, b in zip(counts, counts[1:], strict=False)]


def known(train, test):
    return float(torch.isin(test, train).float().mean())


def most(ys):
    return min(ys, key=lambda y: (-ys.count(y), y))


def largest_of_the_most(ys):
    return max(ys, key=lambda y: (ys.count(y), y))


def audit(train, train_y, test, test_y, vote=most, new=None):
    table = {}
    for entity, y in zip(train.tolist(), train_y.tolist(), strict=True):
        table.setdefault(entity, []).append(y)
    guesses = [vote(table[e]) if e in table else new for e in test.tolist()]
    hits = [g == y for g, y in zip(guesses, test_y.tolist(), strict=True)]
    return known(train, test), sum(hits) / len(hits)


def audit_with_numpy(*given):
    train, train_y, test, test_y = (part.numpy() for part in given)
    seen = np.isin(test, train)
    hits = [
        np.bincount(train_y[train == entity]).argmax() == y
        for entity, y in zip(test[seen], test_y[seen], strict=True)
    ]
    return seen.mean(), np.sum(hits) / len(test)


def audit_with_pandas(*given):
    train, train_y, test, test_y = (part.numpy() for part in given)
    votes = pd.Series(train_y).groupby(train).agg(lambda ys: ys.mode().min())
    guess = pd.Series(test).map(votes)
    return torch.tensor(guess.notna().mean()), float((guess == test_y).mean())


AWAY = torch.tensor([[-10.0, 100.0], [10.0, 100.0]])


def same_order(scores):
    order = scores.argsort(dim=1)
    return bool((order == order[0]).all())


def top_three_alike(scores):
    order = scores.argsort(dim=1, descending=True)[:, :3]
    return bool((order == order[0]).all())


def edge_term(f, matrix, a):
    return f @ (matrix.unflatten(1, a.shape) * a).sum(dim=-1)


def degree_scaler(graph, h, delta):
    return h * (torch.log(graph.in_degrees + 1.0) / delta).unsqueeze(1)


def read_out(h, graph_of, number, query, where=None):
    scores = (h @ query).unsqueeze(1)
    beta = formulas.edge_softmax(scores, graph_of, number)
    return h.new_zeros(number, h.shape[1]).index_add(0, graph_of, beta * h)


def hits(there, nowhere, k):
    return (there > nowhere.topk(k).values[-1]).float().mean()


def leaked(graph, links):
    n = graph.num_nodes
    there = graph.src * n + graph.dst
    numbers = [a * n + b for a, b in (links, links.flip(0))]
    return torch.isin(numbers[0], there) | torch.isin(numbers[1], there)


def leaked_with_collisions(graph, links):
    there = graph.src * 1000 + graph.dst
    numbers = [a * 1000 + b for a, b in (links, links.flip(0))]
    return torch.isin(numbers[0], there) | torch.isin(numbers[1], there)


def leaked_one_way(graph, links):
    n = graph.num_nodes
    return torch.isin(links[0] * n + links[1], graph.src * n + graph.dst)


def naive_read_out(h, graph_of, number, query):
    weights = (h @ query).exp()
    total = torch.zeros(number).index_add(0, graph_of, weights)
    beta = (weights / total[graph_of]).unsqueeze(1)
    return h.new_zeros(number, h.shape[1]).index_add(0, graph_of, beta * h)


def read_out_in_a_loop(h, graph_of, number, query):
    out = h.new_zeros(number, h.shape[1])
    for graph in range(number):
        own = graph_of == graph
        out[graph] = (h[own] @ query).softmax(dim=0) @ h[own]
    return out


def read_out_of_all(h, graph_of, number, query):
    beta = (h @ query).softmax(dim=0).unsqueeze(1)
    return h.new_zeros(number, h.shape[1]).index_add(0, graph_of, beta * h)


def summed(h, graph_of, number, query):
    return h.new_zeros(number, h.shape[1]).index_add(0, graph_of, h)


def averaged(h, graph_of, number, query):
    count = torch.bincount(graph_of, minlength=number).clamp(min=1).unsqueeze(1)
    return summed(h, graph_of, number, query) / count


def long_edge_term(f, matrix, a):
    return ((f @ matrix).unflatten(1, a.shape) * a).sum(dim=-1)


def edge_term_by_feature(f, matrix, a):
    heads, width = a.shape
    return ((f @ matrix).view(-1, width, heads).transpose(1, 2) * a).sum(dim=-1)


def divergence(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum()


def keep(alpha, threshold):
    return (alpha > threshold) | (alpha == alpha.max())


def keep_edges(src, dst, kept, stays=torch.logical_and):
    both = stays(kept[src], kept[dst])
    new = kept.cumsum(0) - 1
    return new[src[both]], new[dst[both]]


def keep_edges_of_the_rest(src, dst, kept):
    both = kept[src] & kept[dst]
    ends = torch.stack([src[both], dst[both]])
    return tuple(torch.unique(ends, return_inverse=True)[1])


def keep_edges_but_for_none(src, dst, kept):
    found = keep_edges(src, dst, kept)
    return found if len(found[0]) else (src[:1], dst[:1])


def node_auc(alpha, truth, tie=0.5):
    good, bad = alpha[truth][:, None], alpha[~truth]
    return ((good > bad).double() + tie * (good == bad)).mean()


def weak_weights(whole, without):
    moved = (without - whole).abs()
    return moved / moved.sum() if moved.any() else moved


def nodes_read(batch, fanouts, own=1):
    return batch * math.prod(own + fanout for fanout in fanouts)


def keep_smallest(dst, key, n, fanout):
    rank = ((dst[:, None] == dst) & (key[:, None] > key)).sum(1)
    return rank < fanout


def keep_smallest_by_sorting(dst, key, n, fanout):
    order = key.argsort()
    order = order[dst[order].argsort(stable=True)]
    degree = torch.bincount(dst, minlength=n)
    begin = degree.cumsum(0) - degree
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(dst)) - begin[dst[order]]
    return rank < fanout


def keep_smallest_with_pandas(dst, key, n, fanout):
    frame = pd.DataFrame({"dst": dst.numpy(), "key": key.numpy()})
    return (frame.groupby("dst")["key"].rank() <= fanout).to_numpy()


def keep_smallest_in_place(dst, key, n, fanout):
    kept = keep_smallest(dst, key, n, fanout)
    key[kept] = 0
    return kept


def first_edges(dst, key, n, fanout):
    return keep_smallest(dst, torch.arange(len(dst)), n, fanout)


def expected_mean(scores, values, k, mean=None):
    mean = mean or (lambda own: scores[own].softmax(0) @ values[own])
    draws = itertools.combinations(range(len(scores)), k)
    return torch.stack([mean(list(own)) for own in draws]).mean()


def expected_mean_by_hand(scores, values, k):
    weight = np.exp(scores.numpy().astype(float))
    numbers, total, count = values.numpy(), 0.0, 0
    for own in itertools.combinations(range(len(weight)), k):
        own = list(own)
        total += (weight[own] * numbers[own]).sum() / weight[own].sum()
        count += 1
    return total / count


def weights_of_the_whole(scores, values, k):
    alpha = scores.softmax(0)
    return expected_mean(scores, values, k, lambda own: alpha[own] @ values[own])


def plain_means(scores, values, k):
    return expected_mean(scores, values, k, lambda own: values[own].mean())


def combine(gradients, sizes):
    return sum(g * n / sum(sizes) for g, n in zip(gradients, sizes, strict=True))


def combine_upside_down(gradients, sizes):
    weights = [1 / n for n in sizes]
    return combine(gradients, weights)


def combine_in_place(gradients, sizes):
    for g, n in zip(gradients, sizes, strict=True):
        g *= n / sum(sizes)
    return sum(gradients)


def cut_in_a_stream(graph, num_parts, friends=1.0, room=1.0, slack=0, flip=1):
    most = -(-graph.num_nodes // num_parts) + slack
    part = torch.full((graph.num_nodes,), -1)
    sizes = torch.zeros(num_parts, dtype=torch.float64)
    for node in range(graph.num_nodes):
        near = part[graph.src[graph.dst == node]]
        score = friends * torch.bincount(near[near >= 0], minlength=num_parts)
        score = score * (1 - room * sizes / most) - flip * 1e-9 * sizes
        part[node] = score.where(sizes < most, torch.tensor(-9.0)).argmax()
        sizes[part[node]] += 1
    return part


def cut_with_lists(graph, num_parts):
    most = math.ceil(graph.num_nodes / num_parts)
    parts = [[] for _ in range(num_parts)]
    for node in range(graph.num_nodes):
        near = graph.src[graph.dst == node].tolist()
        scores = [
            sum(near.count(n) for n in set(near) & set(own)) * (1 - len(own) / most)
            if len(own) < most
            else -1.0
            for own in parts
        ]
        best = [p for p in range(num_parts) if scores[p] == max(scores)]
        parts[min(best, key=lambda p: len(parts[p]))].append(node)
    found = np.zeros(graph.num_nodes, dtype=np.int32)
    for number, own in enumerate(parts):
        found[own] = number
    return found


def spoil(graph, num_parts):
    part = cut_in_a_stream(graph, num_parts)
    graph.src.zero_(), graph.dst.zero_()
    return part * 0 + torch.arange(graph.num_nodes) * num_parts // graph.num_nodes


def chebyshev(matrix, x, order, twice=2.0, less=1.0):
    found = [x, matrix @ x]
    while len(found) < order:
        found.append(twice * matrix @ found[-1] - less * found[-2])
    return torch.stack(found[:order])


RIGHT = {
    "1.1": ([0.599, 0.401],),
    "1.2": (softmax_row_by_row,),
    "1.3": (layer,),
    "1.4": (gatv2,),
    "1.5": (lambda n, e, k: (k * n * n, k * e, 2 * k * n),),
    "1.6": (AWAY, [0.0, 1, 1, 0]),
    "2.1": (largest,),
    "2.2": (window,),
    "2.3": (axis,),
    "2.4": (chunked,),
    "2.5": (lists,),
    "3.1": (buckets,),
    "3.2": (mean_of_neighbours,),
    "3.3": (dot_product,),
    "3.4": (own_largest,),
    "3.5": (received,),
    "4.1": (count,),
    "4.2": (merge_heads,),
    "4.3": (spread,),
    "4.4": (silenced(),),
    "4.5": (degrees_at_both_ends, one_over_root),
    "5.1": (homophily,),
    "5.2": (from_names,),
    "5.3": (relative,),
    "5.4": (propagate,),
    "5.5": (best,),
    "6.1": (lambda p, q: 2 * p * q / (p + q),),
    "6.2": (take_apart,),
    "6.3": (loss,),
    "6.4": (threshold,),
    "6.5": (neighbourhood_auc,),
    "6.6": (audit,),
    "7.1": (same_order,),
    "7.2": (edge_term,),
    "7.3": (degree_scaler,),
    "7.4": (read_out,),
    "7.5": (hits,),
    "7.6": (leaked,),
    "8.1": (divergence,),
    "8.2": (keep,),
    "8.3": (keep_edges,),
    "8.4": (node_auc,),
    "8.5": (weak_weights,),
    "8.6": (chebyshev,),
    "9.1": (draws,),
    "9.2": (bytes_moved,),
    "9.3": (merge_halves,),
    "9.4": (score_gradient,),
    "9.5": (edges_needed,),
    "10.1": (nodes_read,),
    "10.2": (keep_smallest,),
    "10.3": (expected_mean,),
    "10.4": (combine,),
    "10.5": (cut_in_a_stream,),
}


@pytest.mark.parametrize("number", EXERCISES)
def test_a_right_answer_is_right(number, capsys):
    assert checks.exercise(number, *RIGHT[number])
    assert capsys.readouterr().out == f"Exercise {number}: right.\n"


@pytest.mark.parametrize("number", EXERCISES)
def test_a_check_leaves_the_readers_random_seed_alone(number):
    before = torch.get_rng_state()
    checks.exercise(number, *RIGHT[number])
    assert torch.equal(torch.get_rng_state(), before)


WRONG = [
    ("1.1", ([0.8, 0.3],), "sum to 1.100"),
    ("1.1", ([0.5, 0.5],), "off by"),
    ("1.1", ([0.881, 0.119],), "leave out LeakyReLU"),
    ("1.1", ([0.401, 0.599],), "first source 3"),
    ("1.2", (naive_softmax,), "contains NaN"),
    ("1.2", (lambda s, m, t: softmax_row_by_row(s, m, 1.0),), "At τ = 10"),
    ("1.2", (lambda s, m, t: torch.softmax(s / t, 1),), "masked entry"),
    ("1.3", (nan_layer,), "isolated node's output contains NaN"),
    ("1.3", (everyone_layer,), "isolated node's output is off"),
    ("1.3", (lambda x, a, w, d, s: layer(x, a, w, s, d),), "halves of a are swapped"),
    ("1.3", (lambda *args: F.elu(layer(*args)),), "Node 0's output"),
    ("1.4", (lambda d, s, a, n=0.2: gatv2(d, s, a).t(),), "the target is the row"),
    (
        "1.4",
        (lambda d, s, a, n=0.2: F.leaky_relu((d[:, None] + s) @ a, n),),
        "GAT's score",
    ),
    ("1.5", (lambda n, e, k: (k * n * n, k * e, k * n),), "plays two roles"),
    ("1.5", (lambda n, e, k: (n * n, e, 2 * n),), "all pairs: it is not 100"),
    ("1.5", (lambda n, e, k: (n, e),), "should have shape [3]"),
    ("1.6", (torch.eye(2), [1.0, 0, 1, -1]), "not more than 0.99"),
    ("1.6", (torch.eye(2), [1.0]), "should be"),
    ("2.1", (lambda b, k, m: largest(4 * b, k, m),), "leaves out the 4 bytes"),
    ("2.1", (lambda b, k, m: largest(b, 1, m),), "leaves out the heads"),
    ("2.1", (lambda b, k, m: b // (4 * k * m),), "cells, not of nodes"),
    ("2.1", (lambda b, k, m: math.sqrt(b / (4 * k * m)),), "whole number of nodes"),
    ("2.1", (lambda b, k, m: round(math.sqrt(b / (4 * k * m))),), "200 nodes does not"),
    ("2.1", (lambda b, k, m: largest(b, k, m) - 1,), "200 nodes fits as well"),
    ("2.1", (lambda b, k, m: largest(b, k, int(m)),), "12909 nodes does not fit"),
    ("2.2", (lambda n, w: turned(window(n, w)),), "the words look ahead"),
    ("2.2", (lambda n, w: window(n, w - 1),), "word 5 looks at the words [4, 5]"),
    ("2.2", (lambda n, w: window(n, n),), "word 5 looks at the words [0, 1, 2"),
    ("2.2", (lambda n, w: window(n, w).dense_adjacency(),), "not a Tensor"),
    ("2.2", (lambda n, w: window(n + 1, w),), "has 7 nodes"),
    (
        "2.2",
        (
            lambda n, w: GraphData(
                num_nodes=n,
                src=[j for i in range(n) for j in range(max(i - w, 0), i)],
                dst=[i for i in range(n) for _ in range(max(i - w, 0), i)],
            ),
        ),
        "look at itself",
    ),
    (
        "2.2",
        (
            lambda n, w: GraphData(
                num_nodes=n,
                src=[max(i - b, 0) for i in range(n) for b in range(w + 1)],
                dst=[i for i in range(n) for _ in range(w + 1)],
            ),
        ),
        "an edge occurs twice",
    ),
    ("2.3", (lambda w, m: axis(w.t(), m.t()),), "softmax over dim=1"),
    ("2.3", (lambda w, m: axis(w, m, tolerance=0),), "32-bit numbers"),
    (
        "2.3",
        (lambda w, m: "rows" if ((w.sum(1) - 1).abs() < 1e-4).any() else axis(w, m),),
        "Row sums of 1, 0.9, 1.1",
    ),
    ("2.3", (lambda w, m: axis(w, m, ignore_empty=False),), "the mask leaves empty"),
    ("2.3", (lambda w, m: axis(w, m, both="columns"),), "both sum to one"),
    ("2.3", (lambda w, m: 1,), "not 1."),
    (
        "2.3",
        (lambda w, m: "neither" if w.isnan().any() else axis(w, m),),
        "The mask set as -inf",
    ),
    ("2.4", (all_at_once,), "bytes at one moment; a full matrix"),
    ("2.4", (pieces,), "A chunk is a number of rows, not of pieces"),
    ("2.4", (without_the_rest,), "chunk = 3 node 6's output"),
    ("2.4", (lambda z, d, s, m, c: chunked(z, s, d, m, c),), "halves of a are swapped"),
    (
        "2.4",
        (
            lambda z, d, s, m, c: (
                torch.softmax(
                    formulas.attention_scores(z, d, s).masked_fill(m == 0, -9e15), 1
                )
                @ z
            ),
        ),
        "the isolated node's output is off",
    ),
    ("2.4", (lambda z, d, s, m, c: chunked(z, d, s, m, c)[:-1],), "shape [7, 2]"),
    ("2.5", (lambda g: lists(turned(g)),), "The edges into node 0 come from"),
    ("2.5", (lambda g: (lists(g)[1] > 0, lists(g)[0]),), "The sources come first"),
    ("2.5", (lambda g: lists(g)[::-1],), "should be integers"),
    ("2.5", (lambda g: lists(g)[0],), "Return two"),
    ("2.5", (lambda g: (lists(g)[0], g.dense_adjacency()),), "the mask should have"),
    (
        "2.5",
        (lambda g: (lists(g)[0], torch.ones_like(lists(g)[1])),),
        "The edges into node 1 come from [0], the list says [0, 0, 0]",
    ),
    ("3.1", (lambda g: buckets(g)[::-1],), "smallest D first"),
    ("3.1", (lambda g: [p[::-1] for p in buckets(g)],), "first the number of"),
    ("3.1", (lambda g: [p[::-1] for p in all_buckets(g)],), "no message, no call"),
    ("3.1", (lambda g: buckets(replace(g, src=g.dst, dst=g.src)),), "not those that"),
    ("3.1", (once_each,), "occurs twice"),
    ("3.1", (lambda g: [(1, 1)],), "it is not [(1, 1)]"),
    ("3.1", (lambda g: [3, 2, 1],), "a list of pairs"),
    ("3.1", (lambda g: [(2.4, 1), (1, 2), (2, 3)],), "a list of pairs"),
    ("3.1", (lambda g: [p[::-1] for p in all_buckets(g)[1:]],), "degrees 1 and 3"),
    ("3.1", (with_gaps,), "degrees 1 and 3"),
    ("3.1", (lambda g: buckets(g) or [(3, 3)],), "without edges"),
    ("3.2", (lambda g, x: mean_of_neighbours(g, x, "sum"),), "This is the sum"),
    ("3.2", (naive_mean,), "isolated node contains NaN"),
    ("3.2", (mean_of_targets,), "direction is swapped"),
    ("3.2", (lambda g, x: x,), "isolated node is off"),
    ("3.2", (lambda g, x: mean_of_neighbours(g, x, "max"),), "A mean is off"),
    ("3.2", (messages,), "'h' stays behind"),
    ("3.3", (lambda g, q, k, v: dot_product(g, q, k, v, 1.0),), "not divided by √d_k"),
    ("3.3", (lambda g, q, k, v: dot_product(g, k, q, v),), "are swapped: the target"),
    ("3.3", (lambda g, q, k, v: dot_product(g, k, q, v, 1.0),), "swapped, and the"),
    ("3.3", (lambda g, q, k, v: dot_product(g, q, k, v, 0.25),), "The result is off"),
    ("3.4", (lambda g, e: subtract_then_softmax(g, e, 0),), "nothing was subtracted"),
    ("3.4", (lambda g, e: subtract_then_softmax(g, e, e.max()),), "the whole graph"),
    ("3.4", (zeros_for_nan,), "NaN or zeros"),
    ("3.4", (lambda g, e: subtract_then_softmax(g, e, own_mean(g, e)),), "far above"),
    ("3.4", (softmax_of_sources,), "around each source"),
    ("3.4", (lambda g, e: torch.softmax(e, 0),), "A weight is off"),
    ("3.5", (lambda g, a: received(g, a, end=1),), "against the edges"),
    ("3.5", (mean_received,), "each head has 5 to give"),
    ("3.5", (lambda g, a: received(g, a).flip(0),), "What a source receives is off"),
    ("3.5", (lambda g, a: received(g, a).sum(1),), "should have shape [7, 2]"),
    ("4.1", (lambda *sizes: count(*sizes, bias=0),), "biases are missing"),
    (
        "4.1",
        (lambda f, c, h, k, o: count(f, c, h, k, o, att=2 * (h + c)),),
        "Each head has its own a",
    ),
    (
        "4.1",
        (lambda f, c, h, k, o: count(f, c, h, k, o, att=k * h + o * c),),
        "has two halves",
    ),
    (
        "4.1",
        (lambda f, c, h, k, o: count(f, c, h, k, o, reads=h),),
        "reads all heads of the first",
    ),
    (
        "4.1",
        (lambda f, c, h, k, o: count(f, c, h, k, o, bias=k * h + o * c),),
        "adds its bias once",
    ),
    ("4.1", (lambda f, c, h, k, o: count(f, c, h, k, 1),), "it is not 243"),
    (
        "4.1",
        (lambda f, c, h, k, o: count(f, c, h, k, 2),),
        "num_heads = 1, out_heads = 1: it is not 30",
    ),
    ("4.2", (merged(mean=lambda h: torch.stack(h).mean()),), "a single number"),
    ("4.2", (merged(mean=sum),), "you return the sum of"),
    ("4.2", (merged(mean=lambda h: torch.stack(h).mean(1)),), "[5, 2], got [3, 2]"),
    ("4.2", (merged(mean=lambda h: h[0]),), "K = 3 the result is off"),
    ("4.2", (merged(mean=sum_in_place),), "write into the heads"),
    ("4.2", (merged(concat=torch.cat),), "lie below each other"),
    ("4.2", (merged(concat=lambda h: torch.stack(h, 2).flatten(1)),), "are mixed"),
    ("4.2", (merged(concat=torch.stack),), "should have shape [5, 6]"),
    ("4.3", (lambda a, p: spread(a, p) ** 2,), "This is the variance"),
    ("4.3", (lambda a, p: (1 - p) * spread(a, p),), "divides what it keeps"),
    ("4.3", (lambda a, p: math.sqrt(p / (1 - p)),), "variances add"),
    ("4.3", (lambda a, p: math.sqrt(p / (1 - p) / len(a)),), "D = 6 and p = 0.3"),
    ("4.3", (lambda a, p: spread(a, p) or math.nan,), "p = 0 the standard deviation"),
    ("4.4", (silenced(make=lambda layer: layer),), "The layer itself was changed"),
    ("4.4", (silenced(make=copy.copy),), "The layer itself was changed"),
    ("4.4", (own_weight_only,), "shares parameters"),
    ("4.4", (without_bias,), "the bias is silenced, too"),
    ("4.4", (silenced(("weight", "bias"), "all"),), "attention of head 0 changed"),
    ("4.4", (without_residual,), "the residual is silenced, too"),
    ("4.4", (silenced(part="rows"),), "attention of head 0 changed"),
    ("4.4", (silenced(heads=[0, 1]),), "attention of head 0 changed"),
    ("4.4", (lambda layer, k: copy.deepcopy(layer),), "head 1 still contributes."),
    (
        "4.4",
        (silenced(("att_dst", "att_src"), "rows"),),
        "takes the mean of its neighbours",
    ),
    ("4.4", (one_head_less,), "should have shape [7, 6], got [7, 4]"),
    ("4.4", (MeanOfTheOthers,), "weigh more than before"),
    ("4.4", (lambda layer, k: layer.weight,), "not a Parameter"),
    (
        "4.5",
        (degrees_at_both_ends, lambda u: 1 / u[:, :1]),
        "the source's degree is missing",
    ),
    ("4.5", (degrees_at_both_ends, lambda u: one_over_root(u) ** 2), "square root"),
    ("4.5", (degrees_at_both_ends, lambda u: 1 / one_over_root(u)), "GCN divides"),
    (
        "4.5",
        (
            of_edges(lambda g: (g.in_degrees, g.dense_adjacency().sum(0))),
            one_over_root,
        ),
        "edges into it, not out of it",
    ),
    (
        "4.5",
        (
            of_edges(lambda g: [(g.dense_adjacency() > 0).sum(1)] * 2),
            one_over_root,
        ),
        "twice counts twice",
    ),
    ("4.5", (degrees_at_both_ends, lambda u: u[:, 0].rsqrt()), "w should have shape"),
    ("4.5", (lambda g: g.in_degrees, one_over_root), "u should have shape"),
    ("4.5", (degrees_at_both_ends, lambda u: 2 * one_over_root(u)), "An average is"),
    ("5.1", (with_loops,), "with self-loops it is off"),
    ("5.2", (partial(from_names, order=lambda n: sorted(set(n))),), "first appear"),
    ("5.2", (partial(from_names, once=False),), "should count once"),
    ("5.2", (partial(from_names, both=False),), "needs its reverse"),
    ("5.2", (partial(from_names, loops=False),), "self-loops are missing"),
    ("5.2", (lambda pairs: from_names(pairs)[0],), "Return two things"),
    ("5.2", (lambda pairs: from_names(pairs)[::-1],), "should be a GraphData"),
    ("5.2", (lambda pairs: (from_names(pairs)[0], 4),), "should be a list"),
    ("5.2", (florence(x=None),), "x should be one-hot"),
    ("5.2", (florence(x=torch.eye(4).flip(0)),), "x (one-hot, in order) is off"),
    ("5.2", (florence(num_nodes=5, x=torch.eye(5)),), "make four nodes, not 5"),
    ("5.2", (florence(src=[0, 1, 2, 3], dst=[0, 1, 2, 3]),), "adjacency matrix is off"),
    ("5.3", (relative_zero,), "return NaN"),
    ("5.3", (attention.entropy,), "The ratio of a node"),
    ("5.4", (lambda g: propagate(g, leak=True),), "a leak"),
    ("5.4", (lambda g: torch.zeros(6),), "every node should get"),
    ("5.5", (lambda a, n: max(a),), "For n = 1"),
    ("5.5", (lambda a, n: sum(a) / len(a),), "n = 2"),
    ("6.1", (lambda p, q: 200 * p * q / (p + q),), "in percent"),
    ("6.1", (lambda p, q: p * q / (p + q),), "who is always right"),
    ("6.1", (lambda p, q: (p + q) / 2,), "arithmetic mean"),
    ("6.1", (lambda p, q: (p * q) ** 0.5,), "geometric mean"),
    ("6.1", (lambda p, q: p * q + (1 - p) * (1 - q),), "the accuracy"),
    ("6.1", (lambda p, q: p * q,), "share of TP"),
    ("6.1", (lambda p, q: p,), "the precision alone"),
    ("6.1", (lambda p, q: q,), "the recall alone"),
    ("6.1", (lambda p, q: 2 * p / (1 + p),), "yes to everything"),
    ("6.1", (lambda p, q: p / (p + 0.5),), "a fair coin"),
    ("6.1", (lambda p, q: 2 * p * q,), "For p = 0.3, q = 0.8 it is not 0.48"),
    ("6.1", (lambda p, q: (p, q),), "should have shape []"),
    (
        "6.2",
        (lambda a, graphs: torch.split(a, [g.num_nodes for g in graphs]),),
        "have nodes, not edges",
    ),
    ("6.2", (lambda a, graphs: a,), "Return a list of tensors"),
    ("6.2", (lambda a, graphs: [a],), "4 graphs give 1 parts"),
    ("6.2", (lambda a, graphs: take_apart(a, graphs)[::-1],), "the reverse order"),
    ("6.2", (lambda a, graphs: take_apart(a.flip(0), graphs),), "other graphs' edges"),
    ("6.2", (by_source,), "right rows in another order"),
    (
        "6.2",
        (lambda a, graphs: [part[:, 0] for part in take_apart(a, graphs)],),
        "Part 0 (counted from 0) should have shape [5, 3], got [5]",
    ),
    (
        "6.2",
        (lambda a, graphs: take_apart(a.squeeze(1), graphs),),
        "Part 0 (counted from 0) should have shape [1, 1], got [1]",
    ),
    ("6.3", (lambda s, y: 20 * loss(s, y),), "the sum over all entries"),
    ("6.3", (lambda s, y: 4 * loss(s, y),), "sums over the labels"),
    ("6.3", (lambda s, y: 5 * loss(s, y),), "sums over the nodes"),
    ("6.3", (lambda s, y: loss(s, 1 - y),), "are swapped"),
    ("6.3", (lambda s, y: loss(-s, y),), "are swapped"),
    ("6.3", (lambda s, y: -loss(s, y),), "a loss is positive"),
    ("6.3", (lambda s, y: loss(s, y) + 0.1,), "The loss is off by up to 0.1"),
    ("6.3", (lambda s, y: loss(s, y).item(),), "No gradient can flow"),
    ("6.3", (lambda s, y: loss(s.detach(), y),), "No gradient can flow"),
    (
        "6.3",
        (lambda s, y: loss(s.detach(), y) + 0 * s.sum(),),
        "The loss is right, its gradient is off",
    ),
    ("6.3", (lambda s, y: loss(s.float(), y),), "the loss loses digits"),
    (
        "6.3",
        (loss_by_hand,),
        "At a logit of 30 and a label of 0 the loss is ",
    ),
    ("6.3", (partial(loss_by_hand, least=1e-12),), "At a logit of 30 and a label of"),
    (
        "6.3",
        (lambda s, y: loss_by_hand(s.double(), y, 1e-14),),
        "At a logit of 30 and a label of 0 the loss is off by",
    ),
    (
        "6.3",
        (loss_of_two_branches,),
        "At a logit of 200 and a label of 0 the gradient is nan",
    ),
    (
        "6.3",
        (lambda s, y: loss(s.clamp(-1000, 1000), y),),
        "At a logit of 10,000 and a label of 0 the loss is only 1000: is it",
    ),
    ("6.4", (lambda s, y: s.max(),), "Thirty random logits: Your threshold gives"),
    ("6.4", (lambda s, y: math.nan,), "the threshold is NaN"),
    ("6.4", (lambda s, y: threshold(s, y, s.min()),), "yes to everything"),
    ("6.4", (lambda s, y: s[s > threshold(s, y)].min(),), "the answer is no"),
    (
        "6.4",
        (lambda s, y: torch.tensor(threshold_in_steps(s, y)).sigmoid(),),
        "probability",
    ),
    ("6.4", (accurate,), "the best one for accuracy"),
    ("6.4", (cut_inside_ties,), "Logits with ties: "),
    ("6.4", (partial(threshold_of_all, candidates=grid(30)),), "logits: "),
    ("6.4", (partial(threshold_of_all, candidates=grid(500)),), "the best one"),
    ("6.4", (lambda s, y: 0.0,), "Your threshold gives"),
    ("6.4", (lambda s, y: min(threshold(s, y), 4.9),), "Logits between 5 and 5.01"),
    ("6.4", (lambda s, y: max(threshold(s, y), -99),), "Logits all below -100"),
    ("6.4", (threshold_of_all,), "too slow"),
    ("6.4", (lambda s, y: threshold(s, y).expand(2),), "should have shape []"),
    ("6.5", (lambda g, a, r: neighbourhood_auc(g, a, r, ends=0 * g.dst),), "pools"),
    ("6.5", (partial(neighbourhood_auc, tie=0),), "not nothing"),
    ("6.5", (partial(neighbourhood_auc, tie=1),), "not as much as a win"),
    ("6.5", (partial(neighbourhood_auc, empty=0.0),), "it is no 0."),
    ("6.5", (partial(neighbourhood_auc, empty=0.5),), "it is no 0.5."),
    ("6.5", (partial(neighbourhood_auc, empty=math.nan),), "It is NaN"),
    ("6.5", (by_pairs,), "Each target counts the same"),
    ("6.5", (lambda g, a, r: neighbourhood_auc(g, a, ~r),), "not less"),
    ("6.5", (lambda g, a, r: neighbourhood_auc(g, a, r, ends=g.src),), "into one"),
    ("6.5", (lambda g, a, r: a[r].mean(),), "On a graph of eight nodes it is not"),
    ("6.5", (lambda *args: list(aucs(*args))[0],), "should have shape []"),
    (
        "6.5",
        (lambda g, a, r: neighbourhood_auc(g, a, r) if (a[:6] != a[0]).any() else 0.2,),
        "For equal weights it is not 0.2",
    ),
    ("6.6", (lambda *a: audit(*a)[0],), "Return two numbers"),
    ("6.6", (lambda *a: (1 - audit(*a)[0], audit(*a)[1]),), "whose entity is new"),
    ("6.6", (lambda *a: (100 * audit(*a)[0], audit(*a)[1]),), "in percent"),
    ("6.6", (lambda a, b, c, d: audit(c, d, a, b),), "training rows whose entity is"),
    ("6.6", (lambda a, b, c, d: (known(a, c.unique()), 0.0),), "each entity once"),
    ("6.6", (lambda *a: (audit(*a)[0], 100 * audit(*a)[1]),), "in percent"),
    ("6.6", (lambda *a: (audit(*a)[0], len(a[3]) * audit(*a)[1]),), "by all test rows"),
    ("6.6", (lambda *a: (audit(*a)[0], audit(*a)[1] / audit(*a)[0]),), "leaves out"),
    ("6.6", (partial(audit, new=0),), "whatever is guessed for it"),
    ("6.6", (partial(audit, vote=lambda ys: ys[-1]),), "the last row"),
    ("6.6", (partial(audit, vote=lambda ys: ys[0]),), "the first row"),
    ("6.6", (partial(audit, vote=largest_of_the_most),), "the smallest"),
    ("6.6", (lambda *a: (0.5, 0.5),), "test: The share: it is not 0.5."),
    ("6.6", (lambda *a: (audit(*a)[0], 0.25),), "The accuracy: it is not 0.25."),
    ("7.1", (lambda s: True,), "Random scores: the targets do not all rank"),
    ("7.1", (lambda s: False,), "a target's part plus a source's: the targets rank"),
    ("7.1", (lambda s: bool((s.argmax(1) == s[0].argmax()).all()),), "first source"),
    ("7.1", (lambda s: same_order(s[:2]),), "the last target alone"),
    ("7.1", (lambda s: bool((s.diff(dim=0).std(1) < 1e-3).all()),), "a LeakyReLU"),
    ("7.1", (lambda s: s,), "should have shape []"),
    ("7.1", (lambda s: 0.5,), "Return True or False"),
    ("7.1", (top_three_alike,), "the last two ranks of one target"),
    ("7.2", (long_edge_term,), "a vector of W_e's width for every edge"),
    ("7.2", (edge_term_by_feature,), "belong to head 0 first"),
    ("7.2", (lambda f, w, a: edge_term(f, w, a[:1].expand_as(a)),), "head 0's vector"),
    ("7.2", (lambda f, w, a: edge_term(f, w, a) / a.shape[1],), "not their sum"),
    ("7.2", (lambda f, w, a: edge_term(f, w, a).t(),), "should have shape"),
    ("7.2", (lambda f, w, a: edge_term(f, w.mul_(2), a),), "writes into"),
    ("7.2", (lambda f, w, a: edge_term(f, w, a) + 1,), "For 7 edges the term is off"),
    ("7.3", (lambda g, h, d: h / degree_scaler(g, h / h, d),), "do not divide"),
    ("7.3", (lambda g, h, d: h * g.in_degrees.log().unsqueeze(1) / d,), "plus 1"),
    ("7.3", (lambda g, h, d: h * g.in_degrees.unsqueeze(1) / d,), "not the degree."),
    ("7.3", (lambda g, h, d: degree_scaler(g, h, 1.0),), "lacks the division"),
    (
        "7.3",
        (lambda g, h, d: (h.t() * g.src.bincount(minlength=7).log1p() / d).t(),),
        "of the edges that arrive",
    ),
    (
        "7.3",
        (lambda g, h, d: degree_scaler(g, h, (g.in_degrees + 1.0).log().mean()),),
        "the one you are given",
    ),
    ("7.3", (lambda g, h, d: degree_scaler(g, h, d) + 1,), "With delta = 0.7 is off"),
    ("7.4", (naive_read_out,), "Large scores: It contains NaN"),
    ("7.4", (read_out_in_a_loop,), "With 20,000 graphs it is too slow"),
    (
        "7.4",
        (lambda h, g, n, q: read_out(h, g, int(g.max()) + 1, q),),
        "should have shape [5, 3]",
    ),
    ("7.4", (read_out_of_all,), "Five graphs: The softmax is over the nodes of one"),
    ("7.4", (averaged,), "That is the mean"),
    ("7.4", (summed,), "That is the sum"),
    ("7.4", (lambda *a: read_out(*a)[:3],), "should have shape [5, 3]"),
    ("7.4", (lambda *a: read_out(*a) + 1,), "the readout is off"),
    ("7.5", (lambda t, n, k: 100 * hits(t, n, k),), "in percent"),
    (
        "7.5",
        (lambda t, n, k: (t >= n.topk(k).values[-1]).float().mean(),),
        "equal is not enough",
    ),
    ("7.5", (lambda t, n, k: hits(t, n, min(k + 1, 60)),), "not the next one"),
    ("7.5", (lambda t, n, k: hits(t, n, 61 - k),), "not the k-th worst"),
    ("7.5", (lambda t, n, k: hits(t, torch.cat([t, n]), k),), "not any pair"),
    ("7.5", (lambda t, n, k: 0.123,), "it is not 0.123"),
    ("7.6", (leaked_one_way,), "in both directions"),
    ("7.6", (lambda g, p: ~leaked(g, p),), "not that it is not"),
    ("7.6", (lambda g, p: torch.ones(p.shape[1], dtype=bool),), "merely be in some"),
    ("7.6", (lambda g, p: leaked(g, p) * 2,), "Return True or False"),
    ("7.6", (lambda g, p: leaked(g, p)[:-1],), "should have shape [7]"),
    (
        "7.6",
        (lambda g, p: leaked(g, p) if g.num_nodes == 6 else leaked_one_way(g, p),),
        "With 3,000 nodes and 60,000 edges it misses",
    ),
    ("7.6", (leaked_with_collisions,), "it marks links that are not there"),
    ("8.1", (lambda p, q: (p * (p / q).log()).sum(),), "where p is 0 the term is 0"),
    (
        "8.1",
        (lambda p, q: divergence(q, p.clamp(min=1e-30)),),
        "The other way round: here q",
    ),
    ("8.1", (lambda p, q: -(p * q.log()).sum(),), "cross-entropy"),
    ("8.1", (lambda p, q: divergence(p, q) / len(p),), "mean of the terms"),
    ("8.1", (lambda p, q: -divergence(p, q),), "never below 0"),
    ("8.1", (lambda p, q: divergence(p, q) / math.log(2),), "In bits"),
    ("8.1", (lambda p, q: 2 * divergence(p, q),), "the divergence is off"),
    ("8.2", (lambda a, t: a > t,), "largest weight always stays"),
    ("8.2", (lambda a, t: a >= t,), "equal is not enough"),
    ("8.2", (lambda a, t: (a >= t) | keep(a, t),), "equal is not enough"),
    ("8.2", (lambda a, t: a < t,), "not those that go"),
    ("8.2", (lambda a, t: ~keep(a, t),), "not those that go"),
    ("8.2", (lambda a, t: a == a.max(),), "best node alone"),
    ("8.3", (partial(keep_edges, stays=torch.logical_or),), "if both its ends do"),
    (
        "8.3",
        (lambda s, d, k: (s[k[s] & k[d]], d[k[s] & k[d]]),),
        "Number the nodes anew",
    ),
    ("8.3", (lambda s, d, k: keep_edges(s, d, k)[::-1],), "swapped"),
    ("8.3", (lambda s, d, k: (s[:3], d[:2]),), "same length"),
    ("8.3", (lambda s, d, k: (s[:2], d[:2]),), "It should leave 6 edges, not 2"),
    ("8.3", (keep_edges_of_the_rest,), "keep a number even where they lose"),
    ("8.3", (lambda s, d, k: (keep_edges(s, d, k)[0] + 0.4,) * 2,), "The edges is off"),
    ("8.3", (keep_edges_but_for_none,), "two empty tensors"),
    (
        "8.2",
        (lambda a, t: (a > t).index_fill(0, torch.tensor(0), True),),
        "equal is not",
    ),
    ("8.4", (lambda a, t: 100 * node_auc(a, t),), "In percent"),
    ("8.4", (partial(node_auc, tie=0.0),), "not nothing"),
    ("8.4", (partial(node_auc, tie=1.0),), "not one"),
    ("8.4", (lambda a, t: 1 - node_auc(a, t),), "The other way round"),
    ("8.4", (lambda a, t: 0.123,), "Without ties the AUC it is not 0.123"),
    ("8.5", (lambda y, w: (w - y) / (w - y).sum(),), "whatever its sign"),
    ("8.5", (lambda y, w: (w - y).abs(),), "should sum to 1"),
    ("8.5", (lambda y, w: (w - y).abs().softmax(0),), "softmax of the changes"),
    ("8.5", (lambda y, w: (w - y).abs() / (w - y).abs().max(),), "by the largest"),
    ("8.5", (lambda y, w: (w - y).abs() / (w - y).abs().sum(),), "not NaN"),
    ("8.6", (partial(chebyshev, twice=1.0, less=0.0),), "powers of L"),
    ("8.6", (partial(chebyshev, less=0.0),), "is to be subtracted"),
    ("8.6", (lambda m, x, k: chebyshev(m, x, k) + 1,), "For K = 1 the list is off"),
    ("9.1", (lambda s, n, e, h=8, k=8, o=1: n * k * h + e * (k + o),), "The input is"),
    ("9.1", (lambda s, n, e, h=8, k=8, o=1: s + e * (k + o),), "hidden features are"),
    (
        "9.1",
        (lambda s, n, e, h=8, k=8, o=1: s + n * k * h + e * k,),
        "second layer are",
    ),
    ("9.1", (lambda s, n, e, h=8, k=8, o=1: s + n * k * h + e * o,), "first layer are"),
    (
        "9.1",
        (lambda s, n, e, h=8, k=8, o=1: s + n * h + e * (k + o),),
        "Each head has hidden features",
    ),
    (
        "9.1",
        (lambda s, n, e, h=8, k=8, o=1: s + n * k * h + 2 * e,),
        "Each head has weights",
    ),
    (
        "9.1",
        (lambda s, n, e, h=8, k=8, o=1: s + n * k * h + e * (k + 1),),
        "has out_heads heads",
    ),
    (
        "9.1",
        (lambda s, n, e, h=8, k=8, o=1: s + n * k * h + n * n * (k + o),),
        "not to a pair",
    ),
    (
        "9.1",
        (lambda s, n, e, h=8, k=8, o=1: k * s + n * k * h + e * (k + o),),
        "share one input",
    ),
    (
        "9.1",
        (lambda s, n, e, h=8, k=8, o=1: draws(s, n, e, h, k, o) if k == 6 else 0,),
        "With stored = 7, num_nodes = 5, num_edges = 11",
    ),
    (
        "9.1",
        (lambda s, n, e, h=8, k=8, o=8: draws(s, n, e, h, k, o),),
        "With stored = 1000, num_nodes = 70, num_edges = 300: it is not 10,280",
    ),
    ("9.2", (lambda *s: [b / 4 for b in bytes_moved(*s)],), "numbers, not bytes"),
    ("9.2", (lambda *s: bytes_moved(*s)[::-1],), "wrong way round"),
    ("9.2", (lambda *s: bytes_moved(*s)[0],), "should have shape [2]"),
    ("9.2", (lambda *s: bytes_moved(*s)[:1] * 2,), "A cache saves nothing"),
    (
        "9.2",
        (lambda n, e, k, f: [b - 4 * n * k * f for b in bytes_moved(n, e, k, f)],),
        "Without a cache: the results",
    ),
    (
        "9.2",
        (lambda n, e, k, f: [b - 4 * e for b in bytes_moved(n, e, k, f)],),
        "Without a cache: the numbers of the sources are missing",
    ),
    (
        "9.2",
        (
            lambda n, e, k, f: (
                bytes_moved(n, e, k, f)[0],
                4 * (e + 2 * n * k * f),
            ),
        ),
        "With a perfect cache: the weights are missing",
    ),
    (
        "9.2",
        (lambda n, e, k, f: bytes_moved(n, e, 1, f),),
        "num_heads = 3, width = 5, without a cache: it is not 980",
    ),
    (
        "9.3",
        (lambda a, b: merge_halves(a, b, lambda m, c: 0 * c + 1),),
        "cannot be added",
    ),
    ("9.3", (then(lambda m, t, o: (m, t, o / t[:, None])),), "you divide it by t"),
    (
        "9.3",
        (lambda a, b: (*merge_halves(a, b)[:2], a[2] + b[2]),),
        "brought to the common maximum, o is not",
    ),
    ("9.3", (then(lambda m, t, o: (t, m, o)),), "The largest score m is off"),
    ("9.3", (then(lambda m, t, o: (m, t)),), "Return three things"),
    ("9.3", (then(lambda m, t, o: (m, t, o.sum(0))),), "Your o should have shape"),
    ("9.3", (merge_in_place,), "write into the halves"),
    ("9.3", (without_a_maximum,), "All scores around 1000: The sum t"),
    ("9.3", (from_the_first,), "The second half 1000 above the first: The sum t"),
    ("9.3", (lambda a, b: from_the_first(b, a),), "The first half 1000 above"),
    (
        "9.3",
        (one_for_all_heads,),
        "One head's scores 2000 above the other's: The sum t",
    ),
    (
        "9.3",
        (
            lambda a, b: merge_halves(
                a, b, lambda m, c: (m - c).exp() * (m - m + 1 if m is b[0] else 1)
            ),
        ),
        "The second half empty: The sum t of the exponentials contains NaN",
    ),
    (
        "9.3",
        (
            lambda a, b: merge_halves(
                a, b, lambda m, c: (m - c).exp() * (m - m + 1 if m is a[0] else 1)
            ),
        ),
        "The first half empty: The sum t of the exponentials contains NaN",
    ),
    ("9.4", (lambda a, p, d, n: a * p,), "This is α β: a score"),
    ("9.4", (lambda a, p, d, n: a * (1 - a) * p,), "This is α (1 - α) β"),
    ("9.4", (plain_mean,), "The mean of β around a target is one weighted"),
    ("9.4", (lambda a, p, d, n: a * (p - (a * p).sum(0)),), "for the whole graph"),
    ("9.4", (mean_of_heads,), "one mean for all heads"),
    ("9.4", (lambda *x: score_gradient(*x) / x[0],), "The factor α"),
    ("9.4", (lambda *x: -score_gradient(*x),), "The sign"),
    ("9.4", (gradient_in_place,), "You write into what"),
    ("9.4", (lambda a, p, d, n: a * p - p.mean(),), "do not sum to zero"),
    ("9.4", (lambda *x: 2 * score_gradient(*x),), "A gradient is off"),
    ("9.4", (lambda *x: score_gradient(*x)[0],), "should have shape [10, 2]"),
    ("9.5", (lambda *x: edges_needed(*x)[::-1],), "first layer's number comes first"),
    ("9.5", (partial(edges_needed, back=False),), "from target to source"),
    ("9.5", (lambda *x: [edges_needed(*x)[0]] * x[2],), "Only the first layer"),
    ("9.5", (lambda g, m, n: [g.num_edges] * n,), "Not every layer needs all"),
    ("9.5", (new_edges,), "needs again the edges"),
    ("9.5", (partial(edges_needed, once=True),), "occurs twice counts twice"),
    ("9.5", (lambda *x: edges_needed(*x)[0],), "should have shape [3]"),
    (
        "9.5",
        (lambda g, m, n: [int(m.sum()) * 2**k for k in range(n, 0, -1)],),
        "node 4 in the mask and L = 3, it is not 8, 4, 2",
    ),
    ("10.1", (lambda b, f: nodes_read(b, f, 0),), "A target is among the nodes"),
    ("10.1", (lambda b, f: b + b * sum(f),), "Each layer draws for all nodes"),
    ("10.1", (lambda b, f: nodes_read(1, f),), "there are batch of them"),
    ("10.1", (lambda b, f: nodes_read(b, f) - b,), "the targets are read too"),
    (
        "10.1",
        (lambda b, f: b + b * f[-1] + b * math.prod(f[-2:]) + b * math.prod(f),),
        "so they draw there again",
    ),
    ("10.1", (lambda b, f: [nodes_read(b, f)],), "should have shape []"),
    (
        "10.1",
        (lambda b, f: nodes_read(b, f[:3]),),
        "With batch = 2, fanouts = [1, 1, 1, 1]: it is not 16",
    ),
    (
        "10.1",
        (lambda b, f: nodes_read(b, f) if 0 not in f else 0,),
        "With batch = 7, fanouts = [0, 3]: it is not 0",
    ),
    ("10.2", (lambda d, k, n, f: keep_smallest(d, -k, n, f),), "the largest keys"),
    ("10.2", (first_edges,), "whatever their keys"),
    (
        "10.2",
        (lambda d, k, n, f: k.argsort().argsort() < f,),
        "taken over all edges",
    ),
    (
        "10.2",
        (lambda d, k, n, f: keep_smallest(d, k, n, f - 1),),
        "One edge too few",
    ),
    (
        "10.2",
        (lambda d, k, n, f: keep_smallest(d, k, n, f + 1),),
        "One edge too many",
    ),
    ("10.2", (keep_smallest_in_place,), "writes into what it is given"),
    (
        "10.2",
        (lambda d, k, n, f: keep_smallest(d, k, n, f).nonzero()[:, 0],),
        "should have shape [12]",
    ),
    ("10.2", (lambda d, k, n, f: k,), "True and False are asked for"),
    (
        "10.2",
        (lambda d, k, n, f: keep_smallest(d, k, n, f) | (d == 6),),
        "fanout 0",
    ),
    (
        "10.2",
        (lambda d, k, n, f: keep_smallest(d, k, n, f) & (d != 6),),
        "edges [11] are wrong",
    ),
    ("10.3", (weights_of_the_whole,), "The weights of a draw sum to 1"),
    ("10.3", (lambda s, v, k: s.softmax(0) @ v,), "the mean over all neighbours"),
    ("10.3", (plain_means,), "without their weights"),
    (
        "10.3",
        (lambda s, v, k: expected_mean(s, v, k) * math.comb(len(s), k),),
        "the sum over the draws",
    ),
    ("10.3", (lambda s, v, k: expected_mean(s.sort()[0], v, k),), "off by up to"),
    ("10.3", (lambda s, v, k: expected_mean(s, v, k)[None],), "have shape []"),
    ("10.3", (lambda s, v, k: expected_mean(s, v.mul_(2), k),), "writes into"),
    ("10.4", (lambda g, n: sum(g) / len(g),), "That is the plain mean"),
    ("10.4", (lambda g, n: sum(g),), "the sum of the gradients"),
    ("10.4", (lambda g, n: combine(g, n) * sum(n),), "the number of all nodes"),
    (
        "10.4",
        (lambda g, n: combine(g, n) * sum(n) / len(n),),
        "number of processes, not of nodes",
    ),
    ("10.4", (combine_upside_down,), "upside down"),
    ("10.4", (combine_in_place,), "writes into what it is given"),
    ("10.4", (lambda g, n: combine(g, n)[0],), "should have shape [3, 2]"),
    ("10.4", (lambda g, n: combine(g, n[::-1]),), "the gradient is off by"),
    ("10.5", (lambda g, p: torch.zeros(g.num_nodes),), "each may have 128 at most"),
    (
        "10.5",
        (lambda g, p: torch.arange(g.num_nodes) % p,),
        "as a random choice does",
    ),
    (
        "10.5",
        (lambda g, p: cut_in_a_stream(g, p, friends=0.0),),
        "most of a node's placed sources are",
    ),
    ("10.5", (lambda g, p: cut_in_a_stream(g, p) + 1,), "yours go from 1 to 4"),
    ("10.5", (lambda g, p: cut_in_a_stream(g, p) + 0.5,), "must be whole numbers"),
    ("10.5", (lambda g, p: cut_in_a_stream(g, p)[:-1],), "have shape [512]"),
    (
        "10.5",
        (lambda g, p: cut_in_a_stream(g, p, room=0.0, slack=9),),
        "each may have 128 at most",
    ),
    ("10.5", (lambda g, p: cut_in_a_stream(g, p, room=0.0),), "1 - size / most"),
    ("10.5", (lambda g, p: cut_in_a_stream(g, p, room=-1.0),), "the number of a part"),
    (
        "10.5",
        (lambda g, p: cut_in_a_stream(g, p, flip=0),),
        "the one with fewest nodes",
    ),
    (
        "10.5",
        (lambda g, p: cut_in_a_stream(turned(g), p),),
        "from its sources; these are from it",
    ),
    ("10.5", (spoil,), "the one with fewest nodes"),
    (
        "10.5",
        (lambda g, p: cut_in_a_stream(g, p) if g.num_nodes > 9 else 0 * g.in_degrees,),
        "With 3 nodes in 2 parts: The parts have [3, 0] nodes; each may have 2 at most",
    ),
]


OTHER_RIGHT = [
    ("6.1", lambda p, q: torch.tensor(2 / (1 / p + 1 / q))),
    ("6.2", take_apart_by_target),
    ("6.3", loss_of_softplus),
    ("6.3", lambda s, y: (torch.logaddexp(s, 0 * s) - s * y).mean()),
    ("6.3", lambda s, y: F.relu(torch.where(y > 0, -s, s)).mean() + loss(s.abs(), 1)),
    ("6.4", threshold_in_steps),
    ("6.4", lambda s, y: threshold(s, y, float(s.min()) - 1)),
    ("6.5", of_all_pairs),
    ("6.6", audit_with_numpy),
    ("6.6", audit_with_pandas),
    ("7.1", lambda s: len({tuple(row) for row in s.argsort(1).tolist()}) == 1),
    ("7.2", lambda f, w, a: f @ torch.einsum("dkf,kf->dk", w.unflatten(1, a.shape), a)),
    ("7.3", lambda g, h, d: (h.t() * torch.log1p(g.in_degrees) / d).t()),
    ("7.5", lambda t, n, k: np.mean(t.numpy() > np.sort(n.numpy())[-k])),
    ("10.1", lambda b, f: b * np.prod(1 + np.array(f))),
    ("10.1", lambda b, f: nodes_read(b, [*f][::-1])),
    ("10.2", keep_smallest_by_sorting),
    ("10.2", keep_smallest_with_pandas),
    ("10.3", expected_mean_by_hand),
    (
        "10.4",
        lambda g, n: torch.stack(g).mul(torch.tensor(n)[:, None, None]).sum(0) / sum(n),
    ),
    ("10.4", lambda g, n: np.average([a.numpy() for a in g], axis=0, weights=n)),
    ("10.5", cut_with_lists),
    ("10.5", lambda g, p: cut_in_a_stream(g, p).tolist()),
    ("10.5", lambda g, p: cut_in_a_stream(g, p).float()),
    (
        "7.6",
        lambda g, p: (
            [
                bool(g.dense_adjacency()[a, b] + g.dense_adjacency()[b, a])
                for a, b in p.t()
            ]
            if g.num_nodes < 9
            else leaked(g, p)
        ),
    ),
]


@pytest.mark.parametrize(("number", "answer"), OTHER_RIGHT)
def test_another_right_answer_is_right(number, answer, capsys):
    assert checks.exercise(number, answer), capsys.readouterr().out


@pytest.mark.parametrize(("number", "answer", "hint"), WRONG)
def test_a_typical_mistake_is_named(number, answer, hint, capsys):
    assert not checks.exercise(number, *answer)
    out = capsys.readouterr().out
    assert out.startswith(f"Exercise {number}: not right yet.") and hint in out


def test_a_mistake_is_found_by_its_value_or_by_a_condition():
    mistakes = {"one": 1.0, "two": (2.0, [2.0, 2.0]), "three": torch.tensor(True)}
    for answer, hint in ((1, "one"), (2, "two"), ([2, 2], "two"), (5, "three")):
        with pytest.raises(answers.Wrong, match=hint):
            answers.refuse(mistakes, answer)
    with pytest.raises(answers.Wrong, match="three"):
        answers.refuse(mistakes, 1, right=1)  # the right answer is no mistake
    answers.refuse({"one": 1.0, "none": (), "two": False}, 1, right=1)


# Answers that are elsewhere, or of another kind


class Elsewhere(torch.Tensor):
    """A tensor that behaves as one on a GPU does to those who forget `.cpu()`."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if func == torch.Tensor.device.__get__:
            return torch.device("cuda", 0)
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        meets_others = any(not isinstance(t, Elsewhere) and t.dim() for t in given)
        if meets_others and func is not torch.autograd.grad:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two "
                f"devices, cuda:0 and cpu! ({name})"
            )
        if name == "numpy":
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        found = super().__torch_function__(func, types, args, kwargs)
        if func is torch.autograd.grad:  # a gradient is where its tensor is
            pairs = zip(found, tree_leaves(args[1]), strict=True)
            return tuple(grad.as_subclass(type(of)) for grad, of in pairs)
        return found.as_subclass(torch.Tensor) if name == "cpu" else found


class GraphElsewhere(GraphData):
    """A graph of which nothing can be had before it is moved."""

    def __init__(self, graph):
        object.__setattr__(self, "graph", graph)

    def to(self, device):
        assert torch.device(device).type == "cpu"
        return self.graph


class LayerElsewhere(torch.nn.Module):
    """A layer that computes only once it has been moved."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.moved = layer, False

    def to(self, *where):
        self.moved = True
        return super().to(*where)

    def forward(self, graph, x, **options):
        if not self.moved:
            raise RuntimeError("Expected all tensors to be on the same device")
        return self.layer(graph, x, **options)


def changed(answer, change, graph=None, layer=None):
    """The same answer with each tensor in it, or in what it returns, changed."""
    again = partial(changed, change=change, graph=graph, layer=layer)
    if isinstance(answer, torch.Tensor):
        return change(answer)
    if isinstance(answer, (list, tuple)):
        return type(answer)(map(again, answer))
    if isinstance(answer, GraphData):
        return (graph or (lambda g: g))(answer)
    if isinstance(answer, torch.nn.Module):
        return (layer or (lambda m: m))(answer)
    if callable(answer):
        return lambda *given, **named: again(answer(*given, **named))
    return answer


def as_elsewhere(answer):
    return changed(
        answer,
        lambda tensor: tensor.as_subclass(Elsewhere),
        GraphElsewhere,
        LayerElsewhere,
    )


def test_the_stand_in_for_a_gpu_refuses_what_a_gpu_refuses():
    there, here = torch.ones(2).as_subclass(Elsewhere), torch.ones(2)
    assert (there + there).device.type == "cuda" and (2 * there)[0] == 2
    for wrong in (lambda: there + here, lambda: torch.equal(here, there)):
        with pytest.raises(RuntimeError, match="on the same device"):
            wrong()
    assert type(there.detach().cpu()) is torch.Tensor
    assert torch.equal(there.detach().cpu() + here, 2 * here)


# Their functions are handed each other's results.
IN_TWO_STEPS = ("4.5",)


@pytest.mark.parametrize("number", [n for n in EXERCISES if n not in IN_TWO_STEPS])
def test_a_right_answer_on_another_device_is_right(number, capsys):
    assert checks.exercise(number, *as_elsewhere(RIGHT[number]))
    assert capsys.readouterr().out == f"Exercise {number}: right.\n"


@pytest.mark.parametrize(
    ("number", "answer", "hint"),
    [wrong for wrong in WRONG if "not a " not in wrong[2]],  # of a tensor's own kind
)
def test_a_mistake_on_another_device_is_named(number, answer, hint, capsys):
    assert not checks.exercise(number, *as_elsewhere(answer))
    assert hint in capsys.readouterr().out


@pytest.mark.parametrize("number", EXERCISES)
def test_the_default_device_does_not_matter(number, capsys):
    torch.set_default_device("meta")
    try:
        assert checks.exercise(number, *RIGHT[number])
    finally:
        torch.set_default_device(None)


def with_gradient(tensor):
    return tensor.clone().requires_grad_() if tensor.is_floating_point() else tensor


@pytest.mark.parametrize("number", EXERCISES)
@pytest.mark.parametrize(
    "change", [with_gradient, torch.Tensor.double, lambda t: t.to_sparse().to_dense()]
)
def test_another_kind_of_tensor_is_right(number, change, capsys):
    answer = RIGHT[number]
    if (number, change) not in (
        ("2.5", torch.Tensor.double),  # sources must be whole numbers
        ("6.3", with_gradient),  # the loss must keep its own gradient
    ):
        answer = changed(answer, change)
    assert checks.exercise(number, *answer)


@pytest.mark.parametrize("number", EXERCISES)
def test_half_precision_gets_a_verdict(number, capsys):
    checks.exercise(number, *changed(RIGHT[number], torch.Tensor.half))
    assert capsys.readouterr().out.startswith(f"Exercise {number}: ")


@pytest.mark.parametrize("number", EXERCISES)
def test_a_tensor_that_holds_nothing_gets_a_verdict(number, capsys):
    meta = partial(torch.Tensor.to, device="meta")
    answer = changed(RIGHT[number], lambda t: meta(t), layer=lambda m: m.to("meta"))
    right = checks.exercise(number, *answer)
    out = capsys.readouterr().out
    assert right == out.endswith("right.\n") or "meta" in out


def test_values_of_another_form_get_a_verdict(capsys):
    for answer in (torch.tensor(0.5), "ab", [["a"], ["b"]], 3, [1.0, [2.0]]):
        assert not checks.exercise("1.1", answer)
        assert not checks.exercise("1.6", answer, answer)
    assert capsys.readouterr().out.count("not right yet.") == 10


def test_a_layer_of_another_kind_of_numbers_is_compared(capsys):
    assert checks.exercise("4.4", changed(RIGHT["4.4"][0], None, layer=as_double))


def as_double(layer):
    return layer.double()


def test_an_answers_own_error_is_shown_as_it_is():
    with pytest.raises(ZeroDivisionError):
        checks.exercise("5.1", lambda graph: 1 / 0)
