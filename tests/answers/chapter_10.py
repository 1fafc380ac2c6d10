"""Answers to chapter 10's exercises."""

import itertools
import math

import numpy as np
import torch

from answers import right, wrong


def _stream(graph, num_parts, gain, tie=lambda size, p: (size, p), ends=None):
    # where `gain` is largest; of equal parts the least by `tie`
    n, most = graph.num_nodes, math.ceil(graph.num_nodes / num_parts)
    src, dst = ends or (graph.src.tolist(), graph.dst.tolist())
    sources = [[] for _ in range(n)]
    for j, i in zip(src, dst):
        sources[i].append(j)
    part, sizes = [-1] * n, [0] * num_parts
    for i in range(n):
        edges = [sum(part[j] == p for j in sources[i]) for p in range(num_parts)]
        free = [p for p in range(num_parts) if sizes[p] < most]
        best = min(
            free, key=lambda p: (-gain(edges[p], sizes[p], most), *tie(sizes[p], p))
        )
        part[i] = best
        sizes[best] += 1
    return torch.tensor(part)


@right("10.1")
def loop_of_growth(batch, fanouts):
    nodes = batch
    for fanout in reversed(fanouts):
        nodes += nodes * fanout
    return nodes


@right("10.1")
def product_of_growth(batch, fanouts):
    return batch * math.prod(1 + fanout for fanout in fanouts)


@right("10.1")
def sum_over_subsets(batch, fanouts):
    total = 0
    for taken in range(len(fanouts) + 1):
        for some in itertools.combinations(fanouts, taken):
            total += math.prod(some)
    return batch * total


@wrong(
    "10.1",
    "A layer does not read the nodes that it computes.",
    "The targets of each layer are among the nodes",
)
def neighbours_alone(batch, fanouts):
    return batch * math.prod(fanouts)


@wrong(
    "10.1",
    "Only nodes that are new in a layer draw neighbours: a tree.",
    "The targets of a layer are nodes of the layer",
)
def tree_of_new_nodes(batch, fanouts):
    total, new = batch, batch
    for fanout in reversed(fanouts):
        new *= fanout
        total += new
    return total


@wrong(
    "10.1",
    "Each target adds the fan-outs: layers do not multiply.",
    "Each layer draws for all nodes of the layer",
)
def fanouts_add(batch, fanouts):
    return batch * (1 + sum(fanouts))


@wrong(
    "10.1",
    "Adds up what every layer reads.",
    "All layers' inputs are added up; the first",
)
def reads_of_all_layers(batch, fanouts):
    total, nodes = 0, batch
    for fanout in reversed(fanouts):
        nodes *= 1 + fanout
        total += nodes
    return total


@wrong(
    "10.1",
    "Features are read by the first layer, so its fan-out decides.",
    "Only the first layer's fan-out is used.",
)
def first_fanout_alone(batch, fanouts):
    return batch * (1 + fanouts[0])


@wrong(
    "10.1",
    "The targets are added once, at the end.",
    "The targets are added once, at the end; each",
)
def targets_once(batch, fanouts):
    return batch + batch * math.prod(fanouts)


@wrong(
    "10.1",
    "All layers have the first layer's fan-out.",
    "All layers get the first layer's fan-out.",
)
def same_fanout(batch, fanouts):
    return batch * (1 + fanouts[0]) ** len(fanouts)


@wrong(
    "10.1",
    "The targets themselves are not read.",
    "These are the drawn nodes; the targets are read",
)
def without_targets(batch, fanouts):
    return batch * math.prod(1 + fanout for fanout in fanouts) - batch


@wrong(
    "10.1",
    "The first layer draws nothing: starts with the second fan-out.",
    "The first of the fan-outs is left out.",
)
def one_layer_short(batch, fanouts):
    nodes = batch
    for fanout in fanouts[1:]:
        nodes *= 1 + fanout
    return nodes


@wrong(
    "10.1",
    "Only the nodes drawn last are drawn for, and all are added up",
    "The targets of a layer are nodes of the layer",
)
def a_tree_of_draws(batch, fanouts):
    total = level = batch
    for fanout in reversed(fanouts):
        level *= fanout
        total += level
    return total


@wrong(
    "10.1",
    "The targets are added once, at the end",
    "The targets are added once, at the end; each",
)
def targets_added_once(batch, fanouts):
    return batch * math.prod(fanouts) + batch


@right("10.2")
def rank_within_target(dst, key, num_nodes, fanout):
    order = key.argsort()
    order = order[dst[order].argsort(stable=True)]
    degree = torch.bincount(dst, minlength=num_nodes)
    start = degree.cumsum(0) - degree
    place = torch.arange(len(dst)) - start[dst[order]]
    kept = torch.zeros(len(dst), dtype=torch.bool)
    kept[order] = place < fanout
    return kept


@right("10.2")
def take_in_order_of_keys(dst, key, num_nodes, fanout):
    dst, taken = dst.tolist(), [0] * num_nodes
    kept = torch.zeros(len(dst), dtype=torch.bool)
    for e in key.argsort().tolist():
        if taken[dst[e]] < fanout:
            taken[dst[e]] += 1
            kept[e] = True
    return kept


@right("10.2")
def lexsort(dst, key, num_nodes, fanout):
    dst, key = dst.numpy(), key.numpy()
    order = np.lexsort((key, dst))
    begin = np.searchsorted(dst[order], np.arange(num_nodes))
    kept = np.zeros(len(dst), dtype=bool)
    kept[order] = np.arange(len(dst)) - begin[dst[order]] < fanout
    return torch.from_numpy(kept)


@wrong(
    "10.2",
    "Keeps the edges with the largest keys.",
    "These are the largest keys of each target, not",
)
def largest_keys(dst, key, num_nodes, fanout):
    kept = torch.zeros(len(dst), dtype=torch.bool)
    for i in range(num_nodes):
        own = (dst == i).nonzero().flatten()
        kept[own[key[own].argsort(descending=True)[:fanout]]] = True
    return kept


@wrong(
    "10.2",
    "The smallest keys of the whole graph will do.",
    "The num_nodes · fanout smallest keys of the",
)
def smallest_of_all(dst, key, num_nodes, fanout):
    kept = torch.zeros(len(dst), dtype=torch.bool)
    kept[key.argsort()[: num_nodes * fanout]] = True
    return kept


@wrong(
    "10.2",
    "The edges are sorted by target already.",
    "The edges of a target need not stand side by side",
)
def sorted_by_target(dst, key, num_nodes, fanout):
    kept, begin = torch.zeros(len(dst), dtype=torch.bool), 0
    for degree in torch.bincount(dst, minlength=num_nodes).tolist():
        order = key[begin : begin + degree].argsort()
        kept[begin + order[:fanout]] = True
        begin += degree
    return kept


@wrong(
    "10.2",
    "Forgets to undo the sort: the mask is in the sorted order.",
    "The edges are numbered in sorted order; their",
)
def mask_in_sorted_order(dst, key, num_nodes, fanout):
    order = key.argsort()
    order = order[dst[order].argsort(stable=True)]
    degree = torch.bincount(dst, minlength=num_nodes)
    start = degree.cumsum(0) - degree
    return torch.arange(len(dst)) - start[dst[order]] < fanout


@wrong(
    "10.2",
    "Keeps one too many: the place may equal the fan-out.",
    "One edge too many of each target: is it < or <=?",
)
def one_too_many(dst, key, num_nodes, fanout):
    kept = torch.zeros(len(dst), dtype=torch.bool)
    for i in range(num_nodes):
        own = (dst == i).nonzero().flatten()
        kept[own[key[own].argsort()[: fanout + 1]]] = True
    return kept


@wrong(
    "10.2",
    "A target with fewer edges than the fan-out keeps none.",
    "A target with fewer edges than the fan-out",
)
def too_few_keep_none(dst, key, num_nodes, fanout):
    kept = torch.zeros(len(dst), dtype=torch.bool)
    for i in range(num_nodes):
        own = (dst == i).nonzero().flatten()
        if len(own) >= fanout:
            kept[own[key[own].topk(fanout, largest=False).indices]] = True
    return kept


@wrong(
    "10.2",
    "Takes the first edges of each target: the keys are not looked at.",
    "These are the first edges of each target,",
)
def first_edges(dst, key, num_nodes, fanout):
    taken, kept = [0] * num_nodes, []
    for i in dst.tolist():
        kept.append(taken[i] < fanout)
        taken[i] += 1
    return torch.tensor(kept)


@wrong(
    "10.2",
    "Returns the numbers of the edges instead of a mask.",
    "Edge numbers are returned; True and False are",
)
def numbers_of_edges(dst, key, num_nodes, fanout):
    chosen = []
    for i in range(num_nodes):
        own = (dst == i).nonzero().flatten()
        chosen.append(own[key[own].argsort()[:fanout]])
    return torch.cat(chosen)


@wrong(
    "10.2",
    "argsort gives the ranks, so it can be compared to the fan-out.",
    "These are the right numbers, at the wrong",
)
def argsort_for_rank(dst, key, num_nodes, fanout):
    kept = torch.zeros(len(dst), dtype=torch.bool)
    for i in range(num_nodes):
        own = (dst == i).nonzero().flatten()
        kept[own] = key[own].argsort() < fanout
    return kept


@wrong(
    "10.2",
    "The marks may be returned in the order of the sort",
    "The edges are numbered in sorted order; their",
)
def marks_in_sorted_order(dst, key, num_nodes, fanout):
    order = key.argsort()
    order = order[dst[order].argsort(stable=True)]
    counts = torch.bincount(dst, minlength=num_nodes)
    start = counts.cumsum(0) - counts
    return torch.arange(len(dst)) - start[dst[order]] < fanout


@right("10.3")
def mean_over_draws(scores, values, k):
    scores, values = scores.double(), values.double()
    means = []
    for drawn in itertools.combinations(range(len(scores)), k):
        drawn = list(drawn)
        means.append(torch.softmax(scores[drawn], dim=0) @ values[drawn])
    return float(torch.stack(means).mean())


@right("10.3")
def all_draws_at_once(scores, values, k):
    draws = torch.combinations(torch.arange(len(scores)), k)
    weights = torch.softmax(scores.double()[draws], dim=1)
    return (weights * values.double()[draws]).sum(dim=1).mean().item()


@right("10.3")
def sums_in_lists(scores, values, k):
    total, pairs = 0.0, list(zip(scores.tolist(), values.tolist()))
    for drawn in itertools.combinations(pairs, k):
        top = max(s for s, _ in drawn)
        e = [math.exp(s - top) for s, _ in drawn]
        total += sum(w * v for w, (_, v) in zip(e, drawn)) / sum(e)
    return total / math.comb(len(pairs), k)


@wrong(
    "10.3",
    "A draw does not change the average: it is full attention.",
    "That is the mean over all neighbours. On",
)
def attention_over_all(scores, values, k):
    return float(torch.softmax(scores, dim=0) @ values)


@wrong(
    "10.3",
    "The weights stay those of the softmax over all neighbours.",
    "The weights of a draw sum to 1: its softmax",
)
def weights_of_all(scores, values, k):
    alpha = torch.softmax(scores, dim=0)
    draws = itertools.combinations(range(len(scores)), k)
    means = [float(alpha[list(d)] @ values[list(d)]) for d in draws]
    return sum(means) / len(means)


@wrong(
    "10.3",
    "Exponentials of the scores as they are: large ones overflow.",
    "Nothing is subtracted before the exponential:",
)
def exponentials_overflow(scores, values, k):
    means = []
    for drawn in itertools.combinations(range(len(scores)), k):
        e = scores[list(drawn)].exp()
        means.append((e * values[list(drawn)]).sum() / e.sum())
    return float(torch.stack(means).mean())


@wrong(
    "10.3",
    "A neighbour may be drawn twice: draws with a return.",
    "Neighbours are drawn one after the other and",
)
def drawn_twice(scores, values, k):
    means = []
    for drawn in itertools.product(range(len(scores)), repeat=k):
        alpha = torch.softmax(scores[list(drawn)], dim=0)
        means.append(float(alpha @ values[list(drawn)]))
    return sum(means) / len(means)


@wrong(
    "10.3",
    "Each drawn neighbour counts the same: a plain mean.",
    "That is the mean of the drawn values, without",
)
def plain_mean(scores, values, k):
    draws = itertools.combinations(values.tolist(), k)
    means = [sum(drawn) / k for drawn in draws]
    return sum(means) / len(means)


@wrong(
    "10.3",
    "Adds the draws up and does not divide by their number.",
    "That is the sum over the draws, not their mean.",
)
def sum_over_draws(scores, values, k):
    total = 0.0
    for drawn in itertools.combinations(range(len(scores)), k):
        alpha = torch.softmax(scores[list(drawn)], dim=0)
        total += float(alpha @ values[list(drawn)])
    return total


@wrong(
    "10.3",
    "The draw takes the neighbours with the largest scores.",
    "The best k are drawn always; every choice is",
)
def best_k(scores, values, k):
    top, index = scores.topk(k)
    return float(torch.softmax(top, dim=0) @ values[index])


@wrong(
    "10.3",
    "Draws with higher scores are likelier: weighs them by exp.",
    "Draws with high scores are likelier in your",
)
def likelier_draws(scores, values, k):
    draws = torch.combinations(torch.arange(len(scores)), k)
    means = (torch.softmax(scores[draws], dim=1) * values[draws]).sum(dim=1)
    return float(torch.softmax(scores[draws].sum(dim=1), dim=0) @ means)


@wrong(
    "10.3",
    "The draws are the windows of k neighbours in a row.",
    "Only neighbours that stand side by side are",
)
def windows_in_a_row(scores, values, k):
    means = []
    for begin in range(len(scores) - k + 1):
        own = slice(begin, begin + k)
        means.append(float(torch.softmax(scores[own], dim=0) @ values[own]))
    return sum(means) / len(means)


@wrong(
    "10.3",
    "The mean of the ratios is the ratio of the means",
    "That is the mean over all neighbours. On",
)
def ratio_of_the_means(scores, values, k):
    weight = torch.exp(scores - scores.max())
    draws = [list(d) for d in itertools.combinations(range(len(scores)), k)]
    above = sum((weight[d] * values[d]).sum() for d in draws)
    return float(above / sum(weight[d].sum() for d in draws))


@wrong(
    "10.3",
    "A neighbour may be drawn twice",
    "Neighbours are drawn one after the other and",
)
def drawn_with_repeats(scores, values, k):
    draws = itertools.product(range(len(scores)), repeat=k)
    means = [torch.softmax(scores[list(d)], 0) @ values[list(d)] for d in draws]
    return float(torch.stack(means).mean())


@right("10.4")
def sum_of_shares(gradients, sizes):
    total = sum(sizes)
    parts = [g * (size / total) for g, size in zip(gradients, sizes) if size > 0]
    return torch.stack(parts).sum(dim=0)


@right("10.4")
def tensordot(gradients, sizes):
    some = [(g, size) for g, size in zip(gradients, sizes) if size > 0]
    table = torch.stack([g for g, _ in some])
    weights = torch.tensor([size for _, size in some], dtype=torch.float64)
    weights = (weights / weights.sum()).to(table.dtype)
    return torch.tensordot(weights, table, dims=1)


@right("10.4")
def average_with_numpy(gradients, sizes):
    some = [k for k, size in enumerate(sizes) if size > 0]
    table = np.stack([gradients[k].detach().numpy() for k in some])
    mean = np.average(table.astype(float), axis=0, weights=[sizes[k] for k in some])
    return torch.as_tensor(mean, dtype=gradients[0].dtype)


@wrong(
    "10.4",
    "The mean of the means is the mean.",
    "That is the plain mean: a process with fewer",
)
def mean_of_means(gradients, sizes):
    return torch.stack(gradients).mean(dim=0)


@wrong(
    "10.4",
    "The gradients of the processes are summed, as all-reduce does.",
    "That is the sum of the gradients.",
)
def plain_sum(gradients, sizes):
    return torch.stack(gradients).sum(dim=0)


@wrong(
    "10.4",
    "Weighs by the sizes and forgets to divide by their sum.",
    "The sum is right but for a factor: divide by",
)
def sum_over_targets(gradients, sizes):
    return sum(g * size for g, size in zip(gradients, sizes))


@wrong(
    "10.4",
    "Divides by the number of processes instead of the batch's size.",
    "Divided by the number of processes, not of",
)
def divided_by_processes(gradients, sizes):
    total = sum(g * size for g, size in zip(gradients, sizes))
    return total / len(gradients)


@wrong(
    "10.4",
    "The gradients are sums, so the batch's size is all that is missing.",
    "The gradients are means already: their sum",
)
def sums_over_batch(gradients, sizes):
    return sum(gradients) / sum(sizes)


@wrong(
    "10.4",
    "Smaller shares weigh more: divides by the size.",
    "The weights are upside down: more nodes, more",
)
def inverse_sizes(gradients, sizes):
    weights = [1 / size for size in sizes]
    total = sum(g * w for g, w in zip(gradients, weights))
    return total / sum(weights)


@wrong(
    "10.4",
    "Shares are made by a softmax of the sizes.",
    "The weights are a softmax of the sizes; they",
)
def softmax_of_sizes(gradients, sizes):
    weights = torch.softmax(torch.tensor(sizes, dtype=torch.float), dim=0)
    return sum(w * g for w, g in zip(weights, gradients))


@wrong(
    "10.4",
    "Adds up in the first process's tensor.",
    "You write into `gradients`, which you are",
)
def add_into_the_first(gradients, sizes):
    total = gradients[0]
    total *= sizes[0]
    for g, size in zip(gradients[1:], sizes[1:]):
        total += g * size
    return total / sum(sizes)


@wrong(
    "10.4",
    "All shares are as large as the first one.",
    "The sizes are compared with the first share;",
)
def relative_to_first(gradients, sizes):
    total = sum(g * (size / sizes[0]) for g, size in zip(gradients, sizes))
    return total / len(sizes)


@wrong(
    "10.4",
    "Every share is as large as the first",
    "The sizes are compared with the first share;",
)
def all_as_large_as_the_first(gradients, sizes):
    total = sum(g * size for g, size in zip(gradients, sizes, strict=True))
    return total / (sizes[0] * len(sizes))


@wrong(
    "10.4",
    "A share that is not full is dropped, as a loader drops its last batch",
    "Shares smaller than the largest are dropped;",
)
def full_shares_only(gradients, sizes):
    pairs = zip(gradients, sizes, strict=True)
    full = [g for g, size in pairs if size == max(sizes)]
    return torch.stack(full).mean(dim=0)


@right("10.5")
def lists_of_sources(graph, num_parts):
    most = -(-graph.num_nodes // num_parts)
    sources = [[] for _ in range(graph.num_nodes)]
    for j, i in zip(graph.src.tolist(), graph.dst.tolist()):
        sources[i].append(j)
    part, sizes = [-1] * graph.num_nodes, [0] * num_parts
    for i in range(graph.num_nodes):
        edges = [0] * num_parts
        for j in sources[i]:
            if part[j] >= 0:
                edges[part[j]] += 1
        free = [p for p in range(num_parts) if sizes[p] < most]
        best = min(free, key=lambda p: (-edges[p] * (most - sizes[p]), sizes[p], p))
        part[i] = best
        sizes[best] += 1
    return torch.tensor(part)


@right("10.5")
def numpy_stream(graph, num_parts):
    n = graph.num_nodes
    most = math.ceil(n / num_parts)
    src, dst = graph.src.numpy(), graph.dst.numpy()
    begin = np.searchsorted(dst, np.arange(n + 1))
    part, sizes = np.full(n, num_parts), np.zeros(num_parts, dtype=np.int64)
    for i in range(n):
        of_sources = part[src[begin[i] : begin[i + 1]]]
        edges = np.bincount(of_sources, minlength=num_parts + 1)[:num_parts]
        gain = edges * (most - sizes)
        part[i] = np.lexsort((sizes, -gain))[0]
        sizes[part[i]] += 1
    return torch.from_numpy(part)


@right("10.5")
def push_to_later_nodes(graph, num_parts):
    n = graph.num_nodes
    most = (n + num_parts - 1) // num_parts
    later = [[] for _ in range(n)]
    for j, i in zip(graph.src.tolist(), graph.dst.tolist()):
        if j < i:
            later[j].append(i)
    edges = [{} for _ in range(n)]
    sizes, part = [0] * num_parts, torch.zeros(n, dtype=torch.long)
    for j in range(n):
        ranked = []
        for p, size in enumerate(sizes):
            ranked.append((edges[j].get(p, 0) * (most - size), -size, -p))
        best = -max(ranked)[2]
        part[j] = best
        sizes[best] += 1
        for i in later[j]:
            edges[i][best] = edges[i].get(best, 0) + 1
    return part


@wrong(
    "10.5",
    "The most edges decide; a part's size matters only once it is full.",
    "A part's score needs its share of free places,",
)
def edges_until_full(graph, num_parts):
    return _stream(graph, num_parts, lambda edges, size, most: edges)


@wrong(
    "10.5",
    "Of equal parts takes the first, not the one with fewest nodes.",
    "Of parts with the same score take the one with",
)
def first_of_equals(graph, num_parts):
    return _stream(
        graph,
        num_parts,
        lambda edges, size, most: edges * (most - size),
        tie=lambda size, p: (p,),
    )


@wrong(
    "10.5",
    "Of equal parts of the same size takes the last.",
    "Of parts with the same score and size take the",
)
def last_of_equals(graph, num_parts):
    return _stream(
        graph,
        num_parts,
        lambda edges, size, most: edges * (most - size),
        tie=lambda size, p: (size, -p),
    )


@wrong(
    "10.5",
    "Counts the edges from this node into the part: direction swapped.",
    "Count the edges into the node, from its",
)
def edges_out(graph, num_parts):
    return _stream(
        graph,
        num_parts,
        lambda edges, size, most: edges * (most - size),
        ends=(graph.dst.tolist(), graph.src.tolist()),
    )


@wrong(
    "10.5",
    "Counts edges of both directions.",
    "Edges in both directions count in your answer;",
)
def both_directions(graph, num_parts):
    src, dst = graph.src.tolist(), graph.dst.tolist()
    return _stream(
        graph,
        num_parts,
        lambda edges, size, most: edges * (most - size),
        ends=(src + dst, dst + src),
    )


@wrong(
    "10.5",
    "Counts different neighbours: repeated edges are merged.",
    "occurs twice counts once in your answer",
)
def repeated_once(graph, num_parts):
    pairs = sorted(set(zip(graph.src.tolist(), graph.dst.tolist())))
    return _stream(
        graph,
        num_parts,
        lambda edges, size, most: edges * (most - size),
        ends=tuple(zip(*pairs)) or ([], []),
    )


@wrong(
    "10.5",
    "Nodes that are not placed yet count as nodes of part 0.",
    "Edges are counted from nodes that are not",
)
def unplaced_in_first(graph, num_parts):
    most = math.ceil(graph.num_nodes / num_parts)
    part = torch.zeros(graph.num_nodes, dtype=torch.long)
    sizes = torch.zeros(num_parts, dtype=torch.long)
    for i in range(graph.num_nodes):
        own = part[graph.src[graph.dst == i]]
        gain = torch.bincount(own, minlength=num_parts) * (most - sizes)
        equal = (gain == gain.max()) & (sizes < most)
        best = int(torch.where(equal, sizes, most + 1).argmin())
        part[i] = best
        sizes[best] += 1
    return part


@wrong(
    "10.5",
    "The size is taken from the edges instead of multiplying them.",
    "A part's score needs its share of free places,",
)
def size_subtracted(graph, num_parts):
    return _stream(graph, num_parts, lambda edges, size, most: edges - size / most)


@wrong(
    "10.5",
    "The penalty is seen against all nodes, not against a full part.",
    "A part's score needs its share of free places,",
)
def penalty_of_all_nodes(graph, num_parts):
    n = graph.num_nodes
    return _stream(graph, num_parts, lambda edges, size, most: edges * (n - size))


@wrong(
    "10.5",
    "The edges that count run from this node into the part",
    "Count the edges into the node, from its",
)
def edges_that_leave(graph, num_parts):
    n, most = graph.num_nodes, math.ceil(graph.num_nodes / num_parts)
    part, size = torch.full((n,), -1), [0] * num_parts
    for i in range(n):
        near = part[graph.dst[graph.src == i]].tolist()
        gain = [near.count(p) * (1 - size[p] / most) for p in range(num_parts)]
        open_ = [p for p in range(num_parts) if size[p] < most]
        part[i] = best = max(open_, key=lambda p: (gain[p], -size[p]))
        size[best] += 1
    return part


@wrong(
    "10.5",
    "Of equal parts the first, whatever their sizes",
    "Of parts with the same score take the one with",
)
def first_of_equal_parts(graph, num_parts):
    n, most = graph.num_nodes, math.ceil(graph.num_nodes / num_parts)
    part, size = torch.full((n,), -1), [0] * num_parts
    for i in range(n):
        near = part[graph.src[graph.dst == i]].tolist()
        gain = [near.count(p) * (1 - size[p] / most) for p in range(num_parts)]
        open_ = [p for p in range(num_parts) if size[p] < most]
        part[i] = best = max(open_, key=lambda p: gain[p])
        size[best] += 1
    return part


@right("10.7")
def share_every_world_th_of_one_order(nodes, rank, world, epoch):
    generator = torch.Generator().manual_seed(epoch)
    order = torch.randperm(len(nodes), generator=generator)
    return nodes[order[rank::world]]


@right("10.7")
def share_dealt_like_cards(nodes, rank, world, epoch):
    generator = torch.Generator().manual_seed(1000 * epoch)
    order = torch.randperm(len(nodes), generator=generator).tolist()
    hand = [i for turn, i in enumerate(order) if turn % world == rank]
    return nodes[torch.tensor(hand, dtype=torch.long)]


@right("10.7")
def share_split_with_numpy(nodes, rank, world, epoch):
    order = np.random.default_rng(epoch).permutation(len(nodes))
    return nodes[torch.from_numpy(np.array_split(order, world)[rank])]


@wrong(
    "10.7",
    "a seed that is the same for all must be a constant",
    "The shares are right, but process 0 has the",
)
def share_same_order_every_epoch(nodes, rank, world, epoch):
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(nodes), generator=generator)
    return nodes[order[rank::world]]


@wrong(
    "10.7",
    "without a seed of its own every process draws the same order",
    "Some nodes are in several shares and others in",
)
def share_from_the_global_generator(nodes, rank, world, epoch):
    order = torch.randperm(len(nodes))
    return nodes[order[rank::world]]


@wrong(
    "10.7",
    "shares have equal sizes, and the leftovers are dropped",
    "The nodes that are left over are lost.",
)
def share_drops_the_leftovers(nodes, rank, world, epoch):
    generator = torch.Generator().manual_seed(epoch)
    order = torch.randperm(len(nodes), generator=generator)
    size = len(nodes) // world
    return nodes[order[rank * size : (rank + 1) * size]]


@wrong(
    "10.7",
    "shares of the rounded-up size differ by one at most",
    "Shares of the size rounded up leave too little",
)
def share_rounded_up(nodes, rank, world, epoch):
    generator = torch.Generator().manual_seed(epoch)
    order = torch.randperm(len(nodes), generator=generator)
    size = -(-len(nodes) // world)
    return nodes[order[rank * size : (rank + 1) * size]]


@wrong(
    "10.7",
    "the first nodes are taken again until the shares are equal",
    "The shares are padded with nodes that another",
)
def share_filled_up(nodes, rank, world, epoch):
    generator = torch.Generator().manual_seed(epoch)
    order = torch.randperm(len(nodes), generator=generator)
    order = torch.cat([order, order[: -len(nodes) % world]])
    return nodes[order[rank::world]]


@wrong(
    "10.7",
    "positions in the list of nodes are the nodes",
    "Node numbers are lost: positions are returned.",
)
def share_of_positions(nodes, rank, world, epoch):
    generator = torch.Generator().manual_seed(epoch)
    order = torch.randperm(len(nodes), generator=generator)
    return order[rank::world]


@wrong(
    "10.7",
    "the last process takes all leftovers",
    "The nodes that are left over all go to the last",
)
def share_last_takes_the_rest(nodes, rank, world, epoch):
    generator = torch.Generator().manual_seed(epoch)
    order = torch.randperm(len(nodes), generator=generator)
    size = len(nodes) // world
    end = len(nodes) if rank == world - 1 else (rank + 1) * size
    return nodes[order[rank * size : end]]


@wrong("10.7", "ranks begin at one", "Some nodes are in no share.")
def share_ranks_from_one(nodes, rank, world, epoch):
    generator = torch.Generator().manual_seed(epoch)
    order = torch.randperm(len(nodes), generator=generator)
    return nodes[order[rank - 1 :: world]]


@wrong(
    "10.7",
    "the stride makes the shares overlap, not the seed",
    "Some nodes are in several shares and others in",
)
def share_blocks_of_its_own_order(nodes, rank, world, epoch):
    generator = torch.Generator().manual_seed(1000 * epoch + rank)
    order = torch.randperm(len(nodes), generator=generator)
    return nodes[order.tensor_split(world)[rank]]
