"""Answers to chapter 5's exercises."""

import math
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F

from answers import right, wrong
from gat_course import GraphData, attention


@right("5.1")
def homophily_by_mean(graph):
    real = graph.src != graph.dst
    same = graph.y[graph.src] == graph.y[graph.dst]
    return same[real].double().mean().item()


@right("5.1")
def homophily_by_loop(graph):
    y, same, number = graph.y.tolist(), 0, 0
    for j, i in zip(graph.src.tolist(), graph.dst.tolist()):
        if i != j:
            number += 1
            same += y[i] == y[j]
    return same / number


@right("5.1")
def homophily_in_numpy(graph):
    src, dst, y = graph.src.numpy(), graph.dst.numpy(), graph.y.numpy()
    src, dst = src[src != dst], dst[src != dst]
    return np.count_nonzero(y[src] == y[dst]) / src.size


@wrong(
    "5.1",
    "self-loops are edges within one class like others",
    "Self-loops count in your answer: a node always",
)
def loops_counted(graph):
    return (graph.y[graph.src] == graph.y[graph.dst]).float().mean().item()


@wrong(
    "5.1",
    "self-loops are left out above the line only",
    "Self-loops are left out above the line, but not",
)
def loops_below_the_line(graph):
    same = graph.y[graph.src] == graph.y[graph.dst]
    same = same & (graph.src != graph.dst)
    return same.sum().item() / graph.num_edges


@wrong(
    "5.1",
    "self-loops are left out below the line only",
    "Self-loops are left out below the line, but not",
)
def loops_above_the_line(graph):
    same = graph.y[graph.src] == graph.y[graph.dst]
    return same.sum().item() / (graph.src != graph.dst).sum().item()


@wrong(
    "5.1",
    "the share of edges between classes is returned",
    "That is the share of edges between different",
)
def heterophily(graph):
    real = graph.src != graph.dst
    other = graph.y[graph.src[real]] != graph.y[graph.dst[real]]
    return other.float().mean().item()


@wrong(
    "5.1",
    "the share is taken for each node, then averaged over nodes",
    "That is the mean over the nodes of their own",
)
def mean_over_targets(graph):
    shares = []
    for i in range(graph.num_nodes):
        sources = graph.src[(graph.dst == i) & (graph.src != i)]
        if len(sources) > 0:
            shares.append((graph.y[sources] == graph.y[i]).float().mean().item())
    return sum(shares) / len(shares)


@wrong(
    "5.1",
    "an edge that occurs twice counts once",
    "occurs twice counts once in your answer",
)
def repeated_edges_merged(graph):
    edges = set(zip(graph.src.tolist(), graph.dst.tolist()))
    edges = [(j, i) for j, i in edges if i != j]
    return sum(bool(graph.y[i] == graph.y[j]) for j, i in edges) / len(edges)


@wrong(
    "5.1",
    "every node has one self-loop, so N edges are taken off",
    "N edges are taken off, as if every node had one",
)
def one_loop_for_each_node(graph):
    same = (graph.y[graph.src] == graph.y[graph.dst]).sum().item()
    return (same - graph.num_nodes) / (graph.num_edges - graph.num_nodes)


@wrong(
    "5.1",
    "the share is given in percent",
    "It is in percent; a share from 0 to 1 is asked",
)
def homophily_in_percent(graph):
    real = graph.src != graph.dst
    same = graph.y[graph.src[real]] == graph.y[graph.dst[real]]
    return 100 * same.float().mean().item()


@wrong(
    "5.1",
    "each edge runs both ways, so one direction is enough",
    "Edges from a larger number to a smaller are",
)
def one_direction_counted(graph):
    once = graph.src < graph.dst
    same = graph.y[graph.src[once]] == graph.y[graph.dst[once]]
    return same.float().mean().item()


@wrong(
    "5.1",
    "Homophily is each node's share of like neighbours, averaged over nodes",
    "That is the mean over the nodes of their own",
)
def homophily_of_nodes(graph):
    real = graph.src != graph.dst
    src, dst, n = graph.src[real], graph.dst[real], graph.num_nodes
    like = (graph.y[src] == graph.y[dst]).float()
    degrees = torch.bincount(dst, minlength=n)
    shares = torch.zeros(n).index_add(0, dst, like) / degrees.clamp(min=1)
    return float(shares[degrees > 0].mean())


@right("5.2")
def names_by_dict(pairs):
    pairs = list(pairs)
    number = {}
    for pair in pairs:
        for name in pair:
            number.setdefault(name, len(number))
    edges = {(i, i) for i in number.values()}
    for a, b in pairs:
        edges |= {(number[a], number[b]), (number[b], number[a])}
    src, dst = zip(*sorted(edges))
    n = len(number)
    return GraphData(num_nodes=n, src=src, dst=dst, x=torch.eye(n)), list(number)


@right("5.2")
def names_by_matrix(pairs):
    pairs = list(pairs)
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    number = {name: i for i, name in enumerate(names)}
    matrix = torch.eye(len(names), dtype=torch.bool)
    for a, b in pairs:
        matrix[number[a], number[b]] = matrix[number[b], number[a]] = True
    dst, src = matrix.nonzero().t()
    x = torch.eye(len(names))
    return GraphData.from_edges(src, dst, num_nodes=len(names), x=x), names


@right("5.2")
def names_in_a_list(pairs):
    names, friends = [], set()
    for a, b in pairs:
        for name in (a, b):
            if name not in names:
                names.append(name)
        if a != b:
            friends.add(frozenset([names.index(a), names.index(b)]))
    ends = np.array([sorted(pair) for pair in friends], dtype=np.int64).reshape(-1, 2)
    loop = np.arange(len(names))
    src = np.concatenate([ends[:, 0], ends[:, 1], loop])
    dst = np.concatenate([ends[:, 1], ends[:, 0], loop])
    x = F.one_hot(torch.arange(len(names))).float()
    return GraphData(num_nodes=len(names), src=src, dst=dst, x=x), names


@wrong("5.2", "the names are sorted", "The names should come in the order in which")
def sorted_names(pairs):
    names = sorted({name for pair in pairs for name in pair})
    edges = {(names.index(a), names.index(b)) for a, b in pairs}
    edges |= {(i, j) for j, i in edges} | {(i, i) for i in range(len(names))}
    src, dst = zip(*edges)
    return GraphData.from_edges(src, dst, x=torch.eye(len(names))), names


@wrong(
    "5.2",
    "a friendship that is listed twice makes edges twice",
    "A friendship that is listed twice should count",
)
def listed_twice_counts_twice(pairs):
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    src = [names.index(a) for a, b in pairs]
    dst = [names.index(b) for a, b in pairs]
    x = torch.eye(len(names))
    graph = GraphData.from_edges(src, dst, undirected=True, x=x)
    return graph.with_self_loops(), names


@wrong(
    "5.2",
    "only a pair in the same order is listed twice",
    "A friendship that is listed in both orders",
)
def reversed_pair_is_new(pairs):
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    friends = sorted({(names.index(a), names.index(b)) for a, b in pairs})
    src, dst = zip(*friends)
    x = torch.eye(len(names))
    graph = GraphData.from_edges(src, dst, undirected=True, x=x)
    return graph.with_self_loops(), names


@wrong(
    "5.2",
    "a friendship runs from the first name to the second",
    "A friendship that is listed in both orders",
)
def one_way(pairs):
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    src, dst = zip(*{(names.index(a), names.index(b)) for a, b in pairs})
    graph = GraphData.from_edges(src, dst, x=torch.eye(len(names)))
    return graph.with_self_loops(), names


@wrong("5.2", "the self-loops are forgotten", "The self-loops are missing.")
def without_self_loops(pairs):
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    edges = {(names.index(a), names.index(b)) for a, b in pairs}
    edges |= {(j, i) for i, j in edges}
    src, dst = zip(*edges)
    return GraphData.from_edges(src, dst, x=torch.eye(len(names))), names


@wrong(
    "5.2",
    "all first names come before all second names",
    "The names should come in the order in which",
)
def first_column_first(pairs):
    pairs = list(pairs)
    names = list(dict.fromkeys([a for a, _ in pairs] + [b for _, b in pairs]))
    edges = {(names.index(a), names.index(b)) for a, b in pairs}
    edges |= {(j, i) for i, j in edges} | {(i, i) for i in range(len(names))}
    src, dst = zip(*edges)
    return GraphData.from_edges(src, dst, x=torch.eye(len(names))), names


@wrong(
    "5.2",
    "the number of a node is its feature, one column",
    "The features are not one-hot: they are the",
)
def number_as_feature(pairs):
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    edges = {(names.index(a), names.index(b)) for a, b in pairs}
    edges |= {(j, i) for i, j in edges} | {(i, i) for i in range(len(names))}
    src, dst = zip(*edges)
    x = torch.arange(len(names)).float().unsqueeze(1)
    return GraphData.from_edges(src, dst, x=x), names


@wrong(
    "5.2",
    "the dictionary of numbers is returned for the list of names",
    "The second should be a list, not a dictionary.",
)
def dictionary_returned(pairs):
    number = {}
    for pair in pairs:
        for name in pair:
            number.setdefault(name, len(number))
    edges = {(i, i) for i in number.values()}
    for a, b in pairs:
        edges |= {(number[a], number[b]), (number[b], number[a])}
    src, dst = zip(*edges)
    return GraphData.from_edges(src, dst, x=torch.eye(len(number))), number


@wrong(
    "5.2",
    "the numbers follow the order of a name's last appearance",
    "The adjacency matrix: These are the right",
)
def last_appearance(pairs):
    names = []
    for pair in pairs:
        for name in pair:
            if name in names:
                names.remove(name)
            names.append(name)
    edges = {(names.index(a), names.index(b)) for a, b in pairs}
    edges |= {(j, i) for i, j in edges} | {(i, i) for i in range(len(names))}
    src, dst = zip(*edges)
    return GraphData.from_edges(src, dst, x=torch.eye(len(names))), names


@wrong(
    "5.2",
    "A set removes what is listed twice; (a, b) and (b, a) are two entries",
    "A friendship that is listed in both orders",
)
def set_of_ordered_pairs(pairs):
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    links = sorted({(names.index(a), names.index(b)) for a, b in pairs})
    src, dst = [a for a, _ in links], [b for _, b in links]
    n = len(names)
    graph = GraphData.from_edges(src + dst, dst + src, n, x=torch.eye(n))
    return graph.with_self_loops(), names


@wrong(
    "5.2",
    "First come all names on the left, then those on the right",
    "The names should come in the order in which",
)
def left_names_first(pairs):
    pairs = list(pairs)
    names = list(dict.fromkeys([a for a, _ in pairs] + [b for _, b in pairs]))
    links = {(names.index(a), names.index(b)) for a, b in pairs}
    both = sorted(links | {(b, a) for a, b in links})
    src, dst = [a for a, _ in both], [b for _, b in both]
    graph = GraphData.from_edges(src, dst, len(names), x=torch.eye(len(names)))
    return graph.with_self_loops(), names


@right("5.3")
def ratio_of_entropies(graph, alpha):
    ratio = attention.entropy(graph, alpha) / graph.in_degrees.log().unsqueeze(1)
    ratio[graph.in_degrees < 2] = math.nan
    return ratio


@right("5.3")
def ratio_node_by_node(graph, alpha):
    out = alpha.new_full((graph.num_nodes, alpha.shape[1]), math.nan)
    for i in range(graph.num_nodes):
        own = alpha[graph.dst == i]
        if len(own) > 1:
            logs = torch.where(own > 0, own, torch.ones_like(own)).log()
            out[i] = -(own * logs).sum(dim=0) / math.log(len(own))
    return out


@right("5.3")
def ratio_in_numpy(graph, alpha):
    a, dst = alpha.detach().numpy(), graph.dst.numpy()
    terms = np.zeros_like(a)
    terms[a > 0] = -a[a > 0] * np.log(a[a > 0])
    entropy = np.zeros((graph.num_nodes, a.shape[1]), dtype=a.dtype)
    np.add.at(entropy, dst, terms)
    degree = np.bincount(dst, minlength=graph.num_nodes)
    limit = np.where(degree > 1, np.log(np.maximum(degree, 2)), np.nan)
    return torch.from_numpy((entropy / limit[:, None]).astype(a.dtype))


@wrong(
    "5.3",
    "0 log 0 is left to the logarithm",
    "Where a weight is 0, 0 · log 0 gives NaN; its",
)
def zero_log_zero(graph, alpha):
    sums = alpha.new_zeros(graph.num_nodes, alpha.shape[1])
    entropy = sums.index_add(0, graph.dst, -alpha * alpha.log())
    ratio = entropy / graph.in_degrees.log().unsqueeze(1)
    ratio[graph.in_degrees < 2] = math.nan
    return ratio


@wrong(
    "5.3",
    "dividing by the log of the degree gives NaN without neighbours too",
    "A node without neighbours gets NaN, too, not 0.",
)
def division_makes_nan(graph, alpha):
    limit = graph.in_degrees.float().log()  # [N]
    return attention.entropy(graph, alpha) / limit.unsqueeze(1)


@wrong(
    "5.3",
    "a node without a choice has entropy zero",
    "Nodes with one neighbour or none have no",
)
def no_choice_is_zero(graph, alpha):
    limit = graph.in_degrees.clamp(min=2).log()
    return attention.entropy(graph, alpha) / limit.unsqueeze(1)


@wrong(
    "5.3",
    "the entropy is in bits, its maximum in nats",
    "The entropy has base 2, its maximum base e.",
)
def bits_over_nats(graph, alpha):
    terms = torch.where(alpha > 0, -alpha * alpha.clamp(min=1e-30).log2(), 0.0)
    entropy = alpha.new_zeros(graph.num_nodes, alpha.shape[1])
    entropy.index_add_(0, graph.dst, terms)
    ratio = entropy / graph.in_degrees.log().unsqueeze(1)
    return ratio.masked_fill((graph.in_degrees < 2).unsqueeze(1), math.nan)


@wrong(
    "5.3", "the heads are averaged first", "The heads' weights are averaged first; each"
)
def entropy_of_mean_head(graph, alpha):
    mean = alpha.mean(dim=1, keepdim=True).expand_as(alpha)
    ratio = attention.entropy(graph, mean) / graph.in_degrees.log().unsqueeze(1)
    ratio[graph.in_degrees < 2] = math.nan
    return ratio


@wrong(
    "5.3",
    "the maximum is that of a node that listens to the whole graph",
    "It is divided by log N; the maximum of a node",
)
def maximum_of_the_graph(graph, alpha):
    ratio = attention.entropy(graph, alpha) / math.log(graph.num_nodes)
    ratio[graph.in_degrees < 2] = math.nan
    return ratio


@wrong(
    "5.3",
    "the weights are grouped by source",
    "Edges are collected at their source; a node's",
)
def grouped_by_source(graph, alpha):
    degree = torch.bincount(graph.src, minlength=graph.num_nodes)
    entropy = alpha.new_zeros(graph.num_nodes, alpha.shape[1])
    entropy.index_add_(0, graph.src, torch.special.entr(alpha))
    ratio = entropy / degree.log().unsqueeze(1)
    ratio[degree < 2] = math.nan
    return ratio


@wrong(
    "5.3",
    "zeros are replaced by ones in the caller's weights",
    "You write into `alpha`, which you are given:",
)
def weights_changed_in_place(graph, alpha):
    alpha[alpha == 0] = 1  # 1 log 1 = 0
    entropy = alpha.new_zeros(graph.num_nodes, alpha.shape[1])
    entropy.index_add_(0, graph.dst, -alpha * alpha.log())
    ratio = entropy / graph.in_degrees.log().unsqueeze(1)
    ratio[graph.in_degrees < 2] = math.nan
    return ratio


@wrong(
    "5.3",
    "NaN is given to nodes with two neighbours as well",
    "Two neighbours are a choice: only one or none",
)
def two_have_no_choice(graph, alpha):
    choice = graph.in_degrees > 2
    out = torch.full((graph.num_nodes, alpha.shape[1]), math.nan)
    limit = graph.in_degrees[choice].log().unsqueeze(1)
    out[choice] = attention.entropy(graph, alpha)[choice] / limit
    return out


@wrong(
    "5.3",
    "Entropy in nats, its maximum in bits",
    "The entropy has base e, its maximum base 2.",
)
def nats_over_bits(graph, alpha):
    terms = -torch.xlogy(alpha, alpha)
    n = graph.num_nodes
    entropy = torch.zeros(n, alpha.shape[1]).index_add(0, graph.dst, terms)
    largest = torch.log2(graph.in_degrees.float())
    largest[graph.in_degrees < 2] = math.nan
    return entropy / largest[:, None]


@wrong(
    "5.3",
    "α log α can be computed as it stands, for a weight of zero too",
    "Where a weight is 0, 0 · log 0 gives NaN; its",
)
def log_of_a_zero_weight(graph, alpha):
    terms = -alpha * torch.log(alpha)
    n = graph.num_nodes
    entropy = torch.zeros(n, alpha.shape[1]).index_add(0, graph.dst, terms)
    largest = torch.log(graph.in_degrees.float())
    largest[graph.in_degrees < 2] = math.nan
    return entropy / largest[:, None]


@right("5.4")
def propagate_by_index_add(graph, steps=50):
    train = graph.train_mask
    start = torch.zeros(graph.num_nodes, graph.num_classes)
    start[train, graph.y[train]] = 1
    degree = graph.in_degrees.clamp(min=1).unsqueeze(1)
    f = start
    for _ in range(steps):
        f = torch.zeros_like(f).index_add(0, graph.dst, f[graph.src]) / degree
        f[train] = start[train]
    return f.argmax(dim=1)


@right("5.4")
def propagate_in_numpy(graph, steps=50):
    src, dst, y = graph.src.numpy(), graph.dst.numpy(), graph.y.numpy()
    train = graph.train_mask.numpy().nonzero()[0]
    degree = np.maximum(np.bincount(dst, minlength=graph.num_nodes), 1)
    f = np.zeros((graph.num_nodes, graph.num_classes))
    f[train, y[train]] = 1
    for _ in range(steps):
        sums = np.zeros_like(f)
        np.add.at(sums, dst, f[src])
        f = sums / degree[:, None]
        f[train] = 0
        f[train, y[train]] = 1
    return torch.from_numpy(f.argmax(axis=1))


@right("5.4")
def propagate_by_matrix(graph, steps=50):
    n, train = graph.num_nodes, graph.train_mask.unsqueeze(1)
    matrix = torch.zeros(n, n)
    one = torch.ones(graph.num_edges)
    matrix.index_put_((graph.dst, graph.src), one, accumulate=True)
    degree = matrix.sum(dim=1, keepdim=True).clamp(min=1)
    known = F.one_hot(graph.y.clamp(min=0), graph.num_classes) * train.float()
    f = known
    for _ in range(steps):
        f = torch.where(train, known, matrix @ f / degree)
    return f.argmax(dim=1)


@wrong(
    "5.4",
    "all labels are known at the start",
    "Labels outside train_mask are used from the",
)
def all_labels_at_the_start(graph, steps=50):
    start = F.one_hot(graph.y, graph.num_classes).float()
    f, degree = start, graph.in_degrees.clamp(min=1).unsqueeze(1)
    for _ in range(steps):
        f = torch.zeros_like(f).index_add(0, graph.dst, f[graph.src]) / degree
        f[graph.train_mask] = start[graph.train_mask]
    return f.argmax(dim=1)


@wrong(
    "5.4",
    "the training labels are not put back",
    "The training labels are not put back after each",
)
def labels_not_put_back(graph, steps=50):
    train = graph.train_mask
    f = torch.zeros(graph.num_nodes, graph.num_classes)
    f[train] = F.one_hot(graph.y[train], graph.num_classes).float()
    degree = graph.in_degrees.clamp(min=1).unsqueeze(1)
    for _ in range(steps):
        f = torch.zeros_like(f).index_add(0, graph.dst, f[graph.src]) / degree
    return f.argmax(dim=1)


@wrong(
    "5.4",
    "each node also listens to itself",
    "Self-loops are added; the graph is to be taken",
)
def loops_added(graph, steps=50):
    train, graph = graph.train_mask, graph.with_self_loops()
    start = torch.zeros(graph.num_nodes, graph.num_classes)
    start[train, graph.y[train]] = 1
    f, degree = start, graph.in_degrees.unsqueeze(1)
    for _ in range(steps):
        f = torch.zeros_like(f).index_add(0, graph.dst, f[graph.src]) / degree
        f[train] = start[train]
    return f.argmax(dim=1)


@wrong(
    "5.4",
    "labels run from the target to the source",
    "Your labels run against the edges",
)
def against_the_edges(graph, steps=50):
    train = graph.train_mask
    start = torch.zeros(graph.num_nodes, graph.num_classes)
    start[train, graph.y[train]] = 1
    f, degree = start, torch.bincount(graph.src, minlength=graph.num_nodes)
    for _ in range(steps):
        f = torch.zeros_like(f).index_add(0, graph.src, f[graph.dst])
        f = f / degree.clamp(min=1).unsqueeze(1)
        f[train] = start[train]
    return f.argmax(dim=1)


@wrong(
    "5.4",
    "the entries of the neighbours are added, as only the largest counts",
    "Neighbours are added up; the mean over them is",
)
def sum_of_neighbours(graph, steps=50):
    train = graph.train_mask
    start = torch.zeros(graph.num_nodes, graph.num_classes, dtype=torch.double)
    start[train, graph.y[train]] = 1
    f = start
    for _ in range(steps):
        f = torch.zeros_like(f).index_add(0, graph.dst, f[graph.src])
        f[train] = start[train]
    return f.argmax(dim=1)


@wrong(
    "5.4",
    "each step makes hard labels of the means",
    "After each step every node takes one label for",
)
def hard_labels(graph, steps=50):
    train, c = graph.train_mask, graph.num_classes
    start = torch.zeros(graph.num_nodes, c)
    start[train, graph.y[train]] = 1
    f, degree = start, graph.in_degrees.clamp(min=1).unsqueeze(1)
    for _ in range(steps):
        f = torch.zeros_like(f).index_add(0, graph.dst, f[graph.src]) / degree
        f = F.one_hot(f.argmax(dim=1), c) * (f.sum(dim=1, keepdim=True) > 0).float()
        f[train] = start[train]
    return f.argmax(dim=1)


@wrong(
    "5.4",
    "the training labels are put back before the step, not after it",
    "The training nodes are predicted, too, from",
)
def put_back_before(graph, steps=50):
    train = graph.train_mask
    labels = F.one_hot(graph.y[train], graph.num_classes).float()
    f = torch.zeros(graph.num_nodes, graph.num_classes)
    degree = graph.in_degrees.clamp(min=1).unsqueeze(1)
    for _ in range(steps):
        f[train] = labels
        f = torch.zeros_like(f).index_add(0, graph.dst, f[graph.src]) / degree
    return f.argmax(dim=1)


@wrong("5.4", "the start counts as the first step", "One step too few is done.")
def one_step_too_few(graph, steps=50):
    train = graph.train_mask
    start = torch.zeros(graph.num_nodes, graph.num_classes)
    start[train, graph.y[train]] = 1
    f, degree = start, graph.in_degrees.clamp(min=1).unsqueeze(1)
    for _ in range(1, steps):
        f = torch.zeros_like(f).index_add(0, graph.dst, f[graph.src]) / degree
        f[train] = start[train]
    return f.argmax(dim=1)


@wrong(
    "5.4",
    "the nodes are updated one after the other, in place",
    "Nodes are updated one after the other and read",
)
def one_after_the_other(graph, steps=50):
    train = graph.train_mask
    f = torch.zeros(graph.num_nodes, graph.num_classes)
    f[train, graph.y[train]] = 1
    sources = graph.src.split(graph.in_degrees.tolist())  # sorted by target
    free = [i for i, known in enumerate(train.tolist()) if not known]
    for _ in range(steps):
        for i in free:
            if len(sources[i]) > 0:
                f[i] = f[sources[i]].mean(dim=0)
    return f.argmax(dim=1)


@wrong(
    "5.4",
    "The training labels are put back once, after the last step",
    "The training labels are put back once, at the",
)
def put_back_at_the_end(graph, steps=50):
    start = F.one_hot(graph.y, int(graph.y.max()) + 1).float()
    mask, n = graph.train_mask, graph.num_nodes
    labels = start * mask[:, None]
    for _ in range(steps):
        summed = torch.zeros_like(labels).index_add(0, graph.dst, labels[graph.src])
        labels = summed / torch.bincount(graph.dst, minlength=n).clamp(min=1)[:, None]
    labels[mask] = start[mask]
    return labels.argmax(dim=1)


@wrong(
    "5.4",
    "The step is GCN's average, with the roots of both degrees",
    "The step is GCN's average, with the roots of",
)
def propagated_like_gcn(graph, steps=50):
    start = F.one_hot(graph.y, int(graph.y.max()) + 1).float()
    start = start * graph.train_mask[:, None]
    root = graph.in_degrees.clamp(min=1).float().rsqrt()[:, None]
    labels = start
    for _ in range(steps):
        sent = (labels * root)[graph.src]
        labels = torch.zeros_like(labels).index_add(0, graph.dst, sent) * root
        labels = torch.where(graph.train_mask[:, None], start, labels)
    return labels.argmax(dim=1)


@right("5.5")
def best_by_distribution(accuracies, n):
    a = np.sort(np.asarray(list(map(float, accuracies))))
    at_most = (np.arange(len(a) + 1) / len(a)) ** n
    return float(a @ np.diff(at_most))


@right("5.5")
def best_in_fractions(accuracies, n):
    values = sorted(Fraction(float(a)) for a in accuracies)
    number, total = len(values), Fraction(0)
    for i, value in enumerate(values, start=1):
        total += value * (Fraction(i, number) ** n - Fraction(i - 1, number) ** n)
    return float(total)


@right("5.5")
def best_by_steps(accuracies, n):
    a = torch.tensor([float(v) for v in accuracies], dtype=torch.double).sort().values
    below = torch.arange(1, len(a), dtype=torch.double) / len(a)
    steps = a[1:] - a[:-1]  # E[max] = smallest + sum of steps * P(max above them)
    return float(a[0] + (steps * (1 - below**n)).sum())


@wrong(
    "5.5",
    "the accuracies are taken as if they were sorted",
    "The accuracies come in any order: sort them",
)
def not_sorted(accuracies, n):
    number, total = len(accuracies), 0.0
    for i, value in enumerate(accuracies, start=1):
        total += float(value) * ((i / number) ** n - ((i - 1) / number) ** n)
    return total


@wrong("5.5", "no run is drawn twice", "The runs are drawn without replacement here;")
def without_replacement(accuracies, n):
    values = sorted(float(a) for a in accuracies)
    ways = [math.comb(i, n - 1) for i in range(len(values))]
    return sum(w * v for w, v in zip(ways, values)) / math.comb(len(values), n)


@wrong(
    "5.5",
    "many samples are as good as the exact number",
    "Called twice with the same input it gives two",
)
def best_by_sampling(accuracies, n):
    values = torch.tensor([float(a) for a in accuracies])
    drawn = values[torch.randint(len(values), (10_000, n))]
    return drawn.max(dim=1).values.mean().item()


@wrong(
    "5.5",
    "the best of n is the best of all runs",
    "That is the best of all runs, whatever n is.",
)
def best_of_all(accuracies, n):
    return max(float(a) for a in accuracies)


@wrong(
    "5.5",
    "sorted from the best down, the formula gives the worst of n",
    "The smallest of n is computed, the weights are",
)
def expected_worst(accuracies, n):
    values = sorted((float(a) for a in accuracies), reverse=True)
    number = len(values)
    share = [(i / number) ** n for i in range(number + 1)]
    return sum(v * (share[i + 1] - share[i]) for i, v in enumerate(values))


@wrong(
    "5.5",
    "the runs are cut into groups of n, and their maxima averaged",
    "The runs are cut into groups of n, and their",
)
def best_of_groups(accuracies, n):
    values = [float(a) for a in accuracies]
    groups = [values[i : i + n] for i in range(0, len(values), n)]
    return sum(map(max, groups)) / len(groups)


@wrong(
    "5.5",
    "equal accuracies are one value",
    "Equal accuracies are merged; each run counts.",
)
def equal_values_merged(accuracies, n):
    values = sorted({float(a) for a in accuracies})
    number = len(values)
    share = [(i / number) ** n for i in range(number + 1)]
    return sum(v * (share[i + 1] - share[i]) for i, v in enumerate(values))


@wrong(
    "5.5",
    "one run is the best already, so n - 1 others must be worse",
    "The weights are (k/m)ⁿ⁻¹, divided by their sum:",
)
def one_draw_too_few(accuracies, n):
    values = sorted(float(a) for a in accuracies)
    weights = [((i + 1) / len(values)) ** (n - 1) for i in range(len(values))]
    return sum(w * v for w, v in zip(weights, values)) / sum(weights)


@wrong(
    "5.5",
    "the expected maximum is the quantile n / (n + 1)",
    "That is a quantile of the accuracies; the mean",
)
def a_quantile(accuracies, n):
    values = torch.tensor([float(a) for a in accuracies])
    return values.quantile(n / (n + 1)).item()


@wrong(
    "5.5",
    "The n runs are drawn without replacement",
    "The runs are drawn without replacement here;",
)
def best_without_replacement(accuracies, n):
    values = sorted(float(a) for a in accuracies)
    n = min(n, len(values))
    ways = [math.comb(i, n - 1) for i in range(len(values))]
    return sum(v * w for v, w in zip(values, ways, strict=True)) / sum(ways)


@wrong(
    "5.5",
    "The best of n runs lies at the quantile n/(n + 1)",
    "That is a quantile of the accuracies; the mean",
)
def best_as_a_quantile(accuracies, n):
    return float(np.quantile(np.asarray(accuracies, dtype=float), n / (n + 1)))


@right("5.7")
def loss_of_the_masked_logits(logits, labels, train_mask):
    return F.cross_entropy(logits[train_mask], labels[train_mask])


@right("5.7")
def loss_node_by_node(logits, labels, train_mask):
    total, count = 0, 0
    for row, label, train in zip(logits, labels, train_mask):
        if train:
            total = total + torch.logsumexp(row, dim=0) - row[label]
            count += 1
    return total / count


@right("5.7")
def loss_by_positions_and_gather(logits, labels, train_mask):
    nodes = train_mask.nonzero().squeeze(1)
    log_p = torch.log_softmax(logits, dim=1).index_select(0, nodes)
    return -log_p.gather(1, labels[nodes].unsqueeze(1)).mean()


@wrong(
    "5.7",
    "only the mask was wrong: cross_entropy takes probabilities",
    "A softmax is still applied before",
)
def loss_keeps_the_softmax(logits, labels, train_mask):
    probabilities = torch.softmax(logits, dim=1)
    return F.cross_entropy(probabilities[train_mask], labels[train_mask])


@wrong(
    "5.7",
    "only the softmax was wrong: zeros and ones are a mask",
    "The mask of 0 and 1 is still used as indices:",
)
def loss_keeps_the_long_mask(logits, labels, train_mask):
    mask = train_mask.long()
    return F.cross_entropy(logits[mask], labels[mask])


@wrong(
    "5.7", "nll_loss takes probabilities", "`nll_loss` wants log-probabilities; it got"
)
def loss_without_a_logarithm(logits, labels, train_mask):
    probabilities = torch.softmax(logits, dim=1)
    return F.nll_loss(probabilities[train_mask], labels[train_mask])


@wrong(
    "5.7",
    "the mean may be taken over all nodes, where the others are zero",
    "The loss is divided by all nodes; the mean is",
)
def loss_divided_by_all_nodes(logits, labels, train_mask):
    losses = F.cross_entropy(logits, labels, reduction="none")
    return (losses * train_mask).mean()


@wrong(
    "5.7",
    "the loss of the training nodes is their sum",
    "The loss is summed up; its mean over the",
)
def loss_summed(logits, labels, train_mask):
    return F.cross_entropy(logits[train_mask], labels[train_mask], reduction="sum")


@wrong(
    "5.7",
    "the logarithm of a softmax is as safe as log_softmax",
    "The logarithm of a softmax is −∞ where the",
)
def loss_log_of_softmax(logits, labels, train_mask):
    log_p = torch.log(torch.softmax(logits, dim=1))
    return F.nll_loss(log_p[train_mask], labels[train_mask])


@wrong(
    "5.7",
    "a loss is a Python number",
    "No gradient can flow: the loss has left PyTorch.",
)
def loss_as_a_plain_number(logits, labels, train_mask):
    return F.cross_entropy(logits[train_mask], labels[train_mask]).item()


@wrong(
    "5.7",
    "logits of zero take a node out of the loss",
    "Logits outside the mask are set to zero, and",
)
def loss_multiplies_logits_by_the_mask(logits, labels, train_mask):
    mask = train_mask.float().unsqueeze(1)
    return F.cross_entropy(logits * mask, labels)


@wrong(
    "5.7",
    "label 0 means: not a training node",
    "Label 0 is a class, not a sign to leave a node",
)
def loss_ignores_class_zero(logits, labels, train_mask):
    target = torch.where(train_mask, labels, torch.zeros_like(labels))
    return F.cross_entropy(logits, target, ignore_index=0)
