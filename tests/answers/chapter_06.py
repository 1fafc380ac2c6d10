"""Answers to chapter 6's exercises."""

import math
from collections import Counter, defaultdict

import numpy as np
import torch

from answers import right, wrong
from gat_course import batch_graphs


@right("6.1")
def guesser_by_formula(p, q):
    return 2 * p * q / (p + q)


@right("6.1")
def guesser_by_counts(p, q):
    tp = p * q
    fp = (1 - p) * q
    fn = p * (1 - q)
    return 2 * tp / (2 * tp + fp + fn)


@right("6.1")
def guesser_by_harmonic_mean(p, q):
    precision, recall = p, q  # whatever the node
    if min(precision, recall) == 0:
        return 0.0
    return 2 / (1 / precision + 1 / recall)


@wrong(
    "6.1",
    "the score is the share of true yeses among all labels",
    "This is the share of TP alone.",
)
def only_the_hits(p, q):
    return p * q


@wrong(
    "6.1",
    "F1 is the plain mean of precision and recall",
    "This is the arithmetic mean of precision and",
)
def plain_mean(p, q):
    return (p + q) / 2


@wrong(
    "6.1",
    "F1 is the geometric mean of precision and recall",
    "This is the geometric mean of precision and",
)
def geometric_mean(p, q):
    return math.sqrt(p * q)


@wrong("6.1", "micro-F1 is accuracy", "This is the accuracy: it counts TN, too.")
def accuracy_of_the_guesser(p, q):
    return p * q + (1 - p) * (1 - q)


@wrong(
    "6.1",
    "the factor 2 is forgotten above the line",
    "A guesser who is always right, p = q = 1, would",
)
def factor_two_above(p, q):
    tp, fp, fn = p * q, (1 - p) * q, p * (1 - q)
    return tp / (2 * tp + fp + fn)


@wrong(
    "6.1",
    "hits count once on both sides of the line",
    "TP counts twice above the line and below it: 2",
)
def hits_count_once(p, q):
    tp, fp, fn = p * q, (1 - p) * q, p * (1 - q)
    return tp / (tp + fp + fn)


@wrong(
    "6.1",
    "the guesser says yes to everything",
    "This says yes to everything; q is left out.",
)
def yes_to_everything(p, q):
    return 2 * p / (1 + p)


@wrong(
    "6.1", "a guesser's F1 is its precision, whatever q", "This is the precision alone."
)
def precision_only(p, q):
    tp, fp = p * q, (1 - p) * q
    return tp / (tp + fp)


@wrong(
    "6.1",
    "the F1 of ones and the F1 of zeros are averaged",
    "The F1 of the ones and of the zeros are",
)
def mean_of_ones_and_zeros(p, q):
    ones = 2 * p * q / (p + q)
    zeros = 2 * (1 - p) * (1 - q) / (2 - p - q)
    return (ones + zeros) / 2


@wrong(
    "6.1",
    "F1 is the mean of precision p and recall q",
    "This is the arithmetic mean of precision and",
)
def plain_mean_of_both(p, q):
    return (p + q) / 2


@wrong(
    "6.1",
    "Hits over all that are one or called one, each counted once",
    "TP counts twice above the line and below it: 2",
)
def hits_over_the_union(p, q):
    return p * q / (p + q - p * q) if p + q else 0.0


@right("6.2")
def apart_by_split(alpha, graphs):
    return list(alpha.split([graph.num_edges for graph in graphs]))


@right("6.2")
def apart_by_slices(alpha, graphs):
    parts, start = [], 0
    for graph in graphs:
        parts.append(alpha[start : start + graph.num_edges])
        start += graph.num_edges
    return parts


@right("6.2")
def apart_by_owner(alpha, graphs):
    sizes = torch.tensor([len(graph.src) for graph in graphs])
    owner = torch.arange(len(graphs)).repeat_interleave(sizes)
    return [alpha[owner == g] for g in range(len(graphs))]


@wrong(
    "6.2",
    "a graph has as many weights as nodes",
    "Each part has a row for each node of its graph",
)
def cut_by_nodes(alpha, graphs):
    ends = np.cumsum([0] + [graph.num_nodes for graph in graphs])
    return [alpha[a:b] for a, b in zip(ends, ends[1:])]


@wrong(
    "6.2",
    "all graphs have equally many edges",
    "The parts are equally long; each graph has its",
)
def equal_pieces(alpha, graphs):
    return list(alpha.chunk(len(graphs)))


@wrong(
    "6.2",
    "all graphs are as large as the first",
    "The parts are as long as the first graph's;",
)
def pieces_of_the_first_size(alpha, graphs):
    return list(alpha.split(graphs[0].num_edges))


@wrong(
    "6.2",
    "each cut ends a graph, and what follows the last cut is lost",
    "The last graph's part is missing.",
)
def last_graph_lost(alpha, graphs):
    parts, start = [], 0
    for end in np.cumsum([graph.num_edges for graph in graphs[:-1]]):
        parts.append(alpha[start:end])
        start = end
    return parts


@wrong(
    "6.2",
    "each edge has one weight, the mean of its heads",
    "The heads are averaged, and their dimension is",
)
def heads_averaged(alpha, graphs):
    return list(alpha.mean(dim=1).split([graph.num_edges for graph in graphs]))


@wrong(
    "6.2",
    "a graph without edges has no piece",
    "A graph without edges is left out; it gets an",
)
def empty_graphs_left_out(alpha, graphs):
    sizes = [graph.num_edges for graph in graphs if graph.num_edges > 0]
    return list(alpha.split(sizes))


@wrong(
    "6.2",
    "graph_of numbers the graphs of the list, batches among them too",
    "A batch within the list is taken apart, too; it",
)
def by_graph_of(alpha, graphs):
    batch = batch_graphs(graphs)
    owner = batch.graph_of[batch.dst]  # [E]
    return [alpha[owner == g] for g in range(batch.num_graphs)]


@wrong(
    "6.2",
    "a graph's own edges are sorted by source",
    "A graph's rows come in the order of its",
)
def sorted_by_source(alpha, graphs):
    parts = alpha.split([graph.num_edges for graph in graphs])
    return [a[g.src.argsort(stable=True)] for a, g in zip(parts, graphs)]


@wrong(
    "6.2", "one head needs no axis", "`squeeze` drops every dimension of size 1, also"
)
def head_axis_squeezed(alpha, graphs):
    parts = alpha.split([graph.num_edges for graph in graphs])
    return [part.squeeze() for part in parts]


@wrong(
    "6.2",
    "Cuts stand at all the running sums, the last one too",
    "There is a part too many: cuts stand between",
)
def one_cut_too_many(alpha, graphs):
    cuts = torch.tensor([graph.num_edges for graph in graphs]).cumsum(0)
    return list(torch.tensor_split(alpha, cuts.tolist()))


@right("6.3")
def loss_by_clamp(logits, labels):
    rest = torch.log1p(torch.exp(-logits.abs()))
    return (logits.clamp(min=0) - logits * labels + rest).mean()


@right("6.3")
def loss_by_margin(logits, labels):
    y = labels.to(logits.dtype)
    margin = torch.maximum(logits, torch.zeros_like(logits)) - logits * y
    small = torch.exp(torch.where(logits < 0, logits, -logits))
    return margin.mean() + torch.log1p(small).mean()


@right("6.3")
def loss_by_logsumexp(logits, labels):
    y = labels.to(logits.dtype)
    both = torch.stack([torch.zeros_like(logits), logits])  # no, yes
    return (torch.logsumexp(both, dim=0) - y * logits).sum() / logits.numel()


@wrong(
    "6.3",
    "the logarithm of the sigmoid is safe",
    "The sigmoid rounds to 0 or 1 far from 0, and",
)
def log_of_sigmoid(logits, labels):
    p = 1 / (1 + torch.exp(-logits))
    return -(labels * torch.log(p) + (1 - labels) * torch.log(1 - p)).mean()


@wrong(
    "6.3",
    "a small number inside the logarithm mends it",
    "A small number inside the logarithm hides that",
)
def epsilon_in_the_logarithm(logits, labels):
    p, eps = torch.sigmoid(logits), 1e-7
    yes = labels * torch.log(p + eps)
    no = (1 - labels) * torch.log(1 - p + eps)
    return -(yes + no).mean()


@wrong(
    "6.3",
    "log1p keeps exp from overflowing",
    "The exponential of a large logit overflows: use",
)
def exp_overflows(logits, labels):
    return (torch.log1p(torch.exp(logits)) - labels * logits).mean()


@wrong("6.3", "the losses are added", "This is the sum over all entries, not their")
def sum_of_losses(logits, labels):
    rest = torch.log1p(torch.exp(-logits.abs()))
    return (logits.clamp(min=0) - logits * labels + rest).sum()


@wrong(
    "6.3", "logits beyond 50 may be clamped", "Logits are clamped, so that the gradient"
)
def logits_clamped(logits, labels):
    s = logits.clamp(-50, 50)
    rest = torch.log1p(torch.exp(-s.abs()))
    return (s.clamp(min=0) - s * labels + rest).mean()


@wrong(
    "6.3",
    "where keeps the gradient of the other branch out",
    "The exponential of a large logit overflows in",
)
def nan_from_the_other_branch(logits, labels):
    positive = logits + torch.log1p(torch.exp(-logits))
    negative = torch.log1p(torch.exp(logits))
    return (torch.where(logits > 0, positive, negative) - logits * labels).mean()


@wrong(
    "6.3",
    "only labels that are one have a loss",
    "Only the labels of 1 count; those of 0 do, too.",
)
def only_ones_have_a_loss(logits, labels):
    log_p = -(-logits).clamp(min=0) - torch.log1p(torch.exp(-logits.abs()))
    return -(labels * log_p).mean()


@wrong(
    "6.3",
    "a number without gradient is a loss",
    "No gradient can flow: the loss has left PyTorch.",
)
def loss_without_gradient(logits, labels):
    s = logits.detach()
    rest = torch.log1p(torch.exp(-s.abs()))
    return (s.clamp(min=0) - s * labels + rest).mean()


@wrong(
    "6.3",
    "The mean is over the nodes, of the sum of each node's labels",
    "This sums over the labels; the mean is over all",
)
def mean_over_nodes(logits, labels):
    each = logits.clamp(min=0) - logits * labels + (-logits.abs()).exp().log1p()
    return each.sum() / len(logits)


@wrong(
    "6.3",
    "Logits beyond 30 may be cut; the sigmoid is flat there",
    "Far from 0 the loss stops growing, or its",
)
def logits_cut_at_thirty(logits, labels):
    x = logits.clamp(-30, 30)
    return (torch.log1p(torch.exp(-x)) + (1 - labels) * x).mean()


@right("6.4")
def threshold_by_groups(logits, labels):
    values, group = np.unique(np.asarray(logits.tolist()), return_inverse=True)
    true = np.asarray(labels.tolist(), dtype=float).ravel() > 0.5
    sizes = np.bincount(group.ravel(), minlength=len(values))
    ones = np.bincount(group.ravel(), weights=true, minlength=len(values))
    yes, tp = sizes[::-1].cumsum()[::-1], ones[::-1].cumsum()[::-1]
    best = int(np.argmax(2 * tp / (yes + true.sum())))  # yes from this value on
    return float(values[best - 1]) if best > 0 else -math.inf


@right("6.4")
def threshold_by_sort(logits, labels):
    s, order = logits.detach().flatten().sort(descending=True)
    true = labels.flatten()[order] > 0.5
    tp = true.cumsum(0).double()
    f1 = 2 * tp / (torch.arange(1, len(s) + 1) + true.sum())
    below = torch.cat([s[1:], s.new_tensor([-math.inf])])
    f1[below == s] = -1  # one cannot stop within a tie
    return below[f1.argmax()].item()


@right("6.4")
def threshold_by_loop(logits, labels):
    pairs = zip(logits.flatten().tolist(), labels.flatten().tolist())
    pairs = sorted(pairs, key=lambda pair: -pair[0])
    ones = sum(y > 0.5 for _, y in pairs)
    best, answer, tp = -1.0, -math.inf, 0
    for k, (value, y) in enumerate(pairs, start=1):
        tp += y > 0.5
        lower = pairs[k][0] if k < len(pairs) else -math.inf
        if lower < value and 2 * tp / (k + ones) > best:
            best, answer = 2 * tp / (k + ones), lower
    return answer


@wrong(
    "6.4",
    "a fine grid contains the best threshold",
    "A grid of thresholds misses the best one: try",
)
def threshold_on_a_grid(logits, labels):
    scores, true = {}, labels > 0.5
    for t in np.linspace(-3, 3, 61):
        yes = logits > t
        tp = (yes & true).sum().item()
        scores[float(t)] = 2 * tp / max(int(yes.sum() + true.sum()), 1)
    return max(scores, key=scores.get)


@wrong(
    "6.4",
    "among equal logits one can stop after any",
    "Equal logits are told apart: a threshold takes",
)
def stops_within_ties(logits, labels):
    s, order = logits.flatten().sort(descending=True)
    true = labels.flatten()[order] > 0.5
    f1 = 2 * true.cumsum(0) / (torch.arange(1, len(s) + 1) + true.sum())
    below = torch.cat([s[1:], torch.tensor([-math.inf])])
    return below[f1.argmax()].item()


@wrong(
    "6.4",
    "the last logit that gets a yes is the threshold itself",
    "At your threshold itself the answer is no: yes",
)
def last_yes_is_the_threshold(logits, labels):
    s, order = logits.flatten().sort(descending=True)
    true = labels.flatten()[order] > 0.5
    f1 = 2 * true.cumsum(0) / (torch.arange(1, len(s) + 1) + true.sum())
    last = torch.cat([s[1:] < s[:-1], torch.tensor([True])])
    return s[torch.where(last, f1, -1.0).argmax()].item()


@wrong(
    "6.4",
    "the threshold is one of the logits, so never yes to everything",
    "Yes to everything is never tried: a threshold",
)
def never_yes_to_everything(logits, labels):
    s, order = logits.flatten().sort(descending=True)
    true = labels.flatten()[order] > 0.5
    f1 = 2 * true.cumsum(0) / (torch.arange(1, len(s) + 1) + true.sum())
    f1 = torch.where(s[1:] < s[:-1], f1[:-1], -1.0)
    return s[1:][f1.argmax()].item()


@wrong(
    "6.4",
    "the threshold with the most right answers is best",
    "Your threshold is the best one for accuracy.",
)
def best_for_accuracy(logits, labels):
    s, order = logits.flatten().sort(descending=True)
    true = labels.flatten()[order] > 0.5
    gain = torch.where(true, 1, -1).cumsum(0)  # right answers above no to all
    below = torch.cat([s[1:], torch.tensor([-math.inf])])
    gain[below == s] = -len(s) - 1
    return below[gain.argmax()].item()


@wrong(
    "6.4",
    "F1 is best where precision times recall is",
    "Your threshold maximises precision times",
)
def precision_times_recall(logits, labels):
    s, order = logits.flatten().sort(descending=True)
    true = labels.flatten()[order] > 0.5
    tp = true.cumsum(0).float()
    product = tp / torch.arange(1, len(s) + 1) * tp / true.sum()
    below = torch.cat([s[1:], torch.tensor([-math.inf])])
    product[below == s] = -1
    return below[product.argmax()].item()


@wrong(
    "6.4",
    "as many yeses as there are ones is best",
    "It says yes to as many as there are ones, so",
)
def as_many_as_ones(logits, labels):
    s = logits.flatten().sort(descending=True).values
    ones = int((labels > 0.5).sum())
    return s[ones].item() if ones < len(s) else -math.inf


@wrong(
    "6.4",
    "Half way between two neighbours in the order, equal logits or not",
    "Equal logits are told apart: a threshold takes",
)
def halfway_through_ties(logits, labels):
    values, order = logits.flatten().sort(descending=True)
    true = labels.flatten()[order].double()
    said = torch.arange(1, len(true) + 1)
    best = int((2 * true.cumsum(0) / (said + true.sum())).argmax())
    if best + 1 == len(values):
        return -math.inf
    return float((values[best] + values[best + 1]) / 2)


@wrong(
    "6.4",
    "The candidates are the logits themselves, so one is never called yes",
    "Yes to everything is never tried: a threshold",
)
def never_yes_to_all(logits, labels):
    values, place = logits.flatten().unique(return_inverse=True)
    true = labels.flatten().double()
    ones = torch.zeros(len(values), dtype=torch.double).index_add(0, place, true)
    said = torch.bincount(place).double()
    hits_above = true.sum() - ones.cumsum(0)
    yes_above = said.sum() - said.cumsum(0)
    return float(values[(2 * hits_above / (yes_above + true.sum())).argmax()])


@right("6.5")
def auc_target_by_target(graph, alpha, relevant):
    shares = []
    for i in graph.dst.unique():
        own = graph.dst == i
        good, bad = alpha[own & relevant], alpha[own & ~relevant]
        if len(good) > 0 and len(bad) > 0:
            gap = good.unsqueeze(1) - bad
            shares.append(((gap > 0).double() + 0.5 * (gap == 0)).mean())
    return torch.stack(shares).mean().item()


@right("6.5")
def auc_in_lists(graph, alpha, relevant):
    good, bad = defaultdict(list), defaultdict(list)
    for i, a, r in zip(graph.dst.tolist(), alpha.tolist(), relevant.tolist()):
        (good if r else bad)[i].append(a)
    shares = []
    for i in good.keys() & bad.keys():
        wins = sum((a > b) + (a == b) / 2 for a in good[i] for b in bad[i])
        shares.append(wins / len(good[i]) / len(bad[i]))
    return sum(shares) / len(shares)


@right("6.5")
def auc_of_all_pairs(graph, alpha, relevant):
    dst, a, n = graph.dst.numpy(), alpha.detach().numpy(), graph.num_nodes
    good = relevant.numpy().nonzero()[0]
    bad = (~relevant).numpy().nonzero()[0]
    m = len(bad)
    g, b = np.nonzero(dst[good][:, None] == dst[bad]) if m else (good[:0], bad)
    g, b = good[g], bad[b]
    won = (a[g] > a[b]) + 0.5 * (a[g] == a[b])
    pairs = np.bincount(dst[g], minlength=n)
    wins = np.bincount(dst[g], weights=won, minlength=n)
    return float((wins[pairs > 0] / pairs[pairs > 0]).mean())


@wrong("6.5", "a tie counts as lost", "A tie counts half, not nothing.")
def ties_lost(graph, alpha, relevant):
    shares = []
    for i in range(graph.num_nodes):
        own = graph.dst == i
        good, bad = alpha[own & relevant], alpha[own & ~relevant]
        if len(good) and len(bad):
            shares.append((good.unsqueeze(1) > bad).float().mean().item())
    return sum(shares) / len(shares)


@wrong("6.5", "a tie counts as won", "A tie counts half, not as much as a win.")
def ties_won(graph, alpha, relevant):
    shares = []
    for i in range(graph.num_nodes):
        own = graph.dst == i
        good, bad = alpha[own & relevant], alpha[own & ~relevant]
        if len(good) and len(bad):
            shares.append((good.unsqueeze(1) >= bad).float().mean().item())
    return sum(shares) / len(shares)


@wrong(
    "6.5",
    "the pairs of all targets go into one share",
    "Each target counts the same, however many pairs",
)
def pairs_pooled(graph, alpha, relevant):
    wins = pairs = 0
    for i in range(graph.num_nodes):
        own = graph.dst == i
        gap = alpha[own & relevant].unsqueeze(1) - alpha[own & ~relevant]
        wins += ((gap > 0).float() + 0.5 * (gap == 0)).sum().item()
        pairs += gap.numel()
    return wins / pairs


@wrong(
    "6.5",
    "a neighbourhood is what a source sends to",
    "Compare edges into one target, not out of a",
)
def grouped_by_the_source(graph, alpha, relevant):
    shares = []
    for i in range(graph.num_nodes):
        own = graph.src == i
        good, bad = alpha[own & relevant], alpha[own & ~relevant]
        if len(good) and len(bad):
            gap = good.unsqueeze(1) - bad
            shares.append(((gap > 0).float() + 0.5 * (gap == 0)).mean().item())
    return sum(shares) / len(shares)


@wrong(
    "6.5",
    "a target without pairs counts one half",
    "A target without pairs is left out, it is no",
)
def half_without_pairs(graph, alpha, relevant):
    shares = torch.full((graph.num_nodes,), 0.5)
    for i in range(graph.num_nodes):
        own = graph.dst == i
        good, bad = alpha[own & relevant], alpha[own & ~relevant]
        if len(good) and len(bad):
            gap = good.unsqueeze(1) - bad
            shares[i] = ((gap > 0).float() + 0.5 * (gap == 0)).mean()
    return shares.mean().item()


@wrong(
    "6.5",
    "the mean is over all nodes, those without pairs as zeros",
    "A mean over all nodes is taken; over targets",
)
def divided_by_all_nodes(graph, alpha, relevant):
    total = 0.0
    for i in range(graph.num_nodes):
        own = graph.dst == i
        good, bad = alpha[own & relevant], alpha[own & ~relevant]
        if len(good) and len(bad):
            gap = good.unsqueeze(1) - bad
            total += ((gap > 0).float() + 0.5 * (gap == 0)).mean().item()
    return total / graph.num_nodes


@wrong(
    "6.5",
    "a node is no source of its own",
    "A node's edge to itself is left out; it is one",
)
def without_itself(graph, alpha, relevant):
    shares = []
    for i in range(graph.num_nodes):
        own = (graph.dst == i) & (graph.src != i)
        good, bad = alpha[own & relevant], alpha[own & ~relevant]
        if len(good) and len(bad):
            gap = good.unsqueeze(1) - bad
            shares.append(((gap > 0).float() + 0.5 * (gap == 0)).mean().item())
    return sum(shares) / len(shares)


@wrong(
    "6.5",
    "weights times the degree can be compared between targets",
    "Weights are multiplied by the degree and",
)
def rescaled_and_compared(graph, alpha, relevant):
    a = alpha * graph.in_degrees[graph.dst]
    gap = a[relevant].unsqueeze(1) - a[~relevant]
    return ((gap > 0).float() + 0.5 * (gap == 0)).mean().item()


@wrong(
    "6.5",
    "only the largest weight of a target must be relevant",
    "It asks whether a heaviest source is relevant;",
)
def largest_is_relevant(graph, alpha, relevant):
    hits = []
    for i in range(graph.num_nodes):
        own = graph.dst == i
        if relevant[own].any() and not relevant[own].all():
            hits.append(bool(relevant[own][alpha[own].argmax()]))
    return sum(hits) / len(hits)


@wrong(
    "6.5",
    "A node is not its own neighbour, so self-loops are left out",
    "A node's edge to itself is left out; it is one",
)
def without_the_node_itself(graph, alpha, relevant):
    shares = []
    for i in range(graph.num_nodes):
        here = (graph.dst == i) & (graph.src != i)
        gap = alpha[here & relevant][:, None] - alpha[here & ~relevant]
        if gap.numel():
            shares.append(float(((gap > 0) + 0.5 * (gap == 0)).mean()))
    return sum(shares) / len(shares) if shares else math.nan


@right("6.6")
def audit_by_counters(train_entities, train_y, test_entities, test_y):
    counts = defaultdict(Counter)
    for entity, y in zip(map(int, train_entities), map(int, train_y)):
        counts[entity][y] += 1
    table = {e: min(c, key=lambda y: (-c[y], y)) for e, c in counts.items()}
    test = list(zip(map(int, test_entities), map(int, test_y)))
    share = sum(e in table for e, _ in test) / len(test)
    return share, sum(e in table and table[e] == y for e, y in test) / len(test)


@right("6.6")
def audit_in_numpy(train_entities, train_y, test_entities, test_y):
    entity, test_entity = np.asarray(train_entities), np.asarray(test_entities)
    y, test_y = np.asarray(train_y), np.asarray(test_y)
    correct = np.zeros(len(test_y), dtype=bool)
    for e in np.unique(test_entity):
        if (entity == e).any():
            classes, counts = np.unique(y[entity == e], return_counts=True)
            rows = test_entity == e
            correct[rows] = test_y[rows] == classes[counts.argmax()]
    return float(np.isin(test_entity, entity).mean()), float(correct.mean())


@right("6.6")
def audit_by_sorted_rows(train_entities, train_y, test_entities, test_y):
    rows = torch.stack([torch.as_tensor(train_entities), torch.as_tensor(train_y)], 1)
    rows, counts = rows.unique(dim=0, return_counts=True)  # by entity, then class
    best = {}
    for (entity, y), count in zip(rows.tolist(), counts.tolist()):
        if count > best.get(entity, (0, 0))[0]:
            best[entity] = count, y
    known = right_ones = 0
    answers = torch.as_tensor(test_y).tolist()
    for entity, y in zip(torch.as_tensor(test_entities).tolist(), answers):
        if entity in best:
            known += 1
            right_ones += best[entity][1] == y
    return known / len(answers), right_ones / len(answers)


@wrong(
    "6.6",
    "the share is one of different entities, not of rows",
    "The share counts each entity once; every test",
)
def share_of_entities(train_entities, train_y, test_entities, test_y):
    seen, asked = set(map(int, train_entities)), list(map(int, test_entities))
    hits = 0
    for e, y in zip(asked, test_y):
        if e in seen:
            own = [int(t) for f, t in zip(train_entities, train_y) if int(f) == e]
            hits += max(sorted(set(own)), key=own.count) == int(y)
    return len(seen & set(asked)) / len(set(asked)), hits / len(asked)


@wrong(
    "6.6",
    "the accuracy is one over the rows with a known entity",
    "The accuracy leaves out rows whose entity is",
)
def accuracy_of_known_rows(train_entities, train_y, test_entities, test_y):
    classes = defaultdict(list)
    for e, y in zip(train_entities, train_y):
        classes[int(e)].append(int(y))
    rows = zip(map(int, test_entities), map(int, test_y))
    known = [(e, y) for e, y in rows if e in classes]
    hits = 0
    for e, y in known:
        hits += max(sorted(set(classes[e])), key=classes[e].count) == y
    return len(known) / len(test_y), hits / max(len(known), 1)


@wrong(
    "6.6",
    "of equally frequent classes the one seen first is taken",
    "Of equally frequent classes take the smallest,",
)
def first_seen_of_equals(train_entities, train_y, test_entities, test_y):
    counts = defaultdict(Counter)
    for e, y in zip(train_entities, train_y):
        counts[int(e)][int(y)] += 1
    known = hits = 0
    for e, y in zip(test_entities, test_y):
        if int(e) in counts:
            known += 1
            hits += counts[int(e)].most_common(1)[0][0] == int(y)
    return known / len(test_y), hits / len(test_y)


@wrong(
    "6.6",
    "the table keeps an entity's last row",
    "The last row of an entity is taken, not its",
)
def last_row_wins(train_entities, train_y, test_entities, test_y):
    table = dict(zip(map(int, train_entities), map(int, train_y)))
    asked = list(map(int, test_entities))
    share = sum(e in table for e in asked) / len(asked)
    hits = sum(table.get(e) == int(y) for e, y in zip(asked, test_y))
    return share, hits / len(asked)


@wrong(
    "6.6",
    "of equally frequent classes the largest is taken",
    "Of equally frequent classes take the smallest,",
)
def largest_of_equals(train_entities, train_y, test_entities, test_y):
    counts = defaultdict(Counter)
    for e, y in zip(train_entities, train_y):
        counts[int(e)][int(y)] += 1
    table = {e: max((n, y) for y, n in c.items())[1] for e, c in counts.items()}
    asked = list(map(int, test_entities))
    share = sum(e in table for e in asked) / len(asked)
    hits = sum(table.get(e) == int(y) for e, y in zip(asked, test_y))
    return share, hits / len(asked)


@wrong(
    "6.6",
    "a new entity gets the most frequent class of all",
    "A row whose entity is new counts as wrong; you",
)
def most_frequent_class_for_new(train_entities, train_y, test_entities, test_y):
    counts, total = defaultdict(Counter), Counter()
    for e, y in zip(map(int, train_entities), map(int, train_y)):
        counts[e][y] += 1
        total[y] += 1
    known = hits = 0
    for e, y in zip(map(int, test_entities), map(int, test_y)):
        known += e in counts
        votes = counts[e] if e in counts else total
        hits += min(votes, key=lambda c: (-votes[c], c)) == y
    return known / len(test_y), hits / len(test_y)


@wrong(
    "6.6",
    "the table says 0 where the entity is new",
    "A row whose entity is new counts as wrong; you",
)
def zero_for_new(train_entities, train_y, test_entities, test_y):
    entity, test_entity = np.asarray(train_entities), np.asarray(test_entities)
    y, guess = np.asarray(train_y), np.zeros(len(test_entity), dtype=int)
    for row, e in enumerate(test_entity):
        own = y[entity == e]
        if len(own) > 0:
            classes, counts = np.unique(own, return_counts=True)
            guess[row] = classes[counts.argmax()]
    share = np.isin(test_entity, entity).mean()
    return float(share), float((guess == np.asarray(test_y)).mean())


@wrong(
    "6.6",
    "the share is that of training rows whose entity is tested",
    "The share is of the training rows whose entity",
)
def share_of_training_rows(train_entities, train_y, test_entities, test_y):
    entity, test_entity = np.asarray(train_entities), np.asarray(test_entities)
    y, hits = np.asarray(train_y), 0
    for e, answer in zip(test_entity, np.asarray(test_y)):
        own = y[entity == e]
        if len(own) > 0:
            classes, counts = np.unique(own, return_counts=True)
            hits += int(classes[counts.argmax()] == answer)
    return float(np.isin(entity, test_entity).mean()), hits / len(test_entity)


@wrong(
    "6.6",
    "the class of an entity is the rounded mean of its rows",
    "The mean of an entity's classes is rounded;",
)
def rounded_mean_class(train_entities, train_y, test_entities, test_y):
    classes = defaultdict(list)
    for e, y in zip(map(int, train_entities), map(int, train_y)):
        classes[e].append(y)
    table = {e: round(sum(ys) / len(ys)) for e, ys in classes.items()}
    asked = list(map(int, test_entities))
    share = sum(e in table for e in asked) / len(asked)
    hits = sum(table.get(e) == int(y) for e, y in zip(asked, test_y))
    return share, hits / len(asked)


@wrong(
    "6.6",
    "Of equally frequent classes the one that came first",
    "Of equally frequent classes take the smallest,",
)
def first_class_of_a_tie(train_entities, train_y, test_entities, test_y):
    table = {}
    for e, y in zip(train_entities.tolist(), train_y.tolist(), strict=True):
        table.setdefault(e, []).append(y)
    best = {e: max(ys, key=ys.count) for e, ys in table.items()}
    tests = list(zip(test_entities.tolist(), test_y.tolist(), strict=True))
    seen = sum(e in best for e, _ in tests)
    right = sum(best.get(e) == y for e, y in tests)
    return seen / len(tests), right / len(tests)


@right("6.8")
def f1_of_summed_counts(batches):
    tp, said = 0, 0
    for logits, labels in batches:
        yes, true = logits > 0, labels > 0
        tp += (yes & true).sum().item()
        said += yes.sum().item() + true.sum().item()
    return 2 * tp / said if said else 0.0


@right("6.8")
def f1_of_everything_in_a_row(batches):
    yes = torch.cat([(logits > 0).flatten() for logits, _ in batches])
    true = torch.cat([(labels > 0).flatten() for _, labels in batches])
    tp, fp, fn = (yes & true).sum(), (yes & ~true).sum(), (~yes & true).sum()
    return 2 * tp / (2 * tp + fp + fn).clamp(min=1)


@right("6.8")
def f1_with_numpy_from_precision_and_recall(batches):
    yes = np.concatenate([b[0].detach().numpy().ravel() > 0 for b in batches])
    true = np.concatenate([b[1].numpy().ravel() > 0 for b in batches])
    hits = np.count_nonzero(yes & true)
    if hits == 0:
        return 0.0
    precision, recall = hits / yes.sum(), hits / true.sum()
    return float(2 * precision * recall / (precision + recall))


@wrong(
    "6.8",
    "nothing over nothing will be zero",
    "Where nobody says yes and no label is one, it",
)
def f1_divides_by_nothing(batches):
    tp, said = torch.tensor(0), torch.tensor(0)
    for logits, labels in batches:
        yes, true = logits > 0, labels > 0
        tp = tp + (yes & true).sum()
        said = said + yes.sum() + true.sum()
    return 2 * tp / said


@wrong(
    "6.8",
    "scores weighted by the batches' nodes are the score of all",
    "The batches' F1 are weighed by their nodes;",
)
def f1_weighted_by_nodes(batches):
    total, nodes = 0.0, 0
    for logits, labels in batches:
        yes, true = logits > 0, labels > 0
        said = (yes.sum() + true.sum()).clamp(min=1)
        total += len(labels) * (2 * (yes & true).sum() / said).item()
        nodes += len(labels)
    return total / nodes


@wrong(
    "6.8",
    "only the empty batch was wrong, the mean of scores is right",
    "It is still the mean of the batches' own F1:",
)
def f1_mean_of_safe_scores(batches):
    scores = []
    for logits, labels in batches:
        yes, true = logits > 0, labels > 0
        said = (yes.sum() + true.sum()).item()
        scores.append(2 * (yes & true).sum().item() / said if said else 0.0)
    return sum(scores) / len(scores)


@wrong(
    "6.8",
    "the counts start at zero within the loop",
    "The counts start anew with each batch: only the",
)
def f1_of_the_last_batch(batches):
    for logits, labels in batches:
        tp, said = 0, 0
        yes, true = logits > 0, labels > 0
        tp += (yes & true).sum().item()
        said += (yes.sum() + true.sum()).item()
    return 2 * tp / said if said else 0.0


@wrong(
    "6.8",
    "a logit above one half says yes",
    "Logits are compared with 0.5; a probability of",
)
def f1_threshold_one_half(batches):
    tp, said = 0, 0
    for logits, labels in batches:
        yes, true = logits > 0.5, labels > 0
        tp += (yes & true).sum().item()
        said += (yes.sum() + true.sum()).item()
    return 2 * tp / said if said else 0.0


@wrong(
    "6.8",
    "micro-F1 is the mean of the labels' scores",
    "That is the mean over the labels (macro-F1);",
)
def f1_mean_over_labels(batches):
    yes = torch.cat([logits for logits, _ in batches]) > 0
    true = torch.cat([labels for _, labels in batches]) > 0
    tp = (yes & true).sum(dim=0)
    said = (yes.sum(dim=0) + true.sum(dim=0)).clamp(min=1)
    return (2 * tp / said).mean().item()


@wrong(
    "6.8",
    "nothing to find and nothing found is a perfect score",
    "Where nothing is to be found it should be 0,",
)
def f1_one_where_nothing_is(batches):
    tp, said = 0, 0
    for logits, labels in batches:
        yes, true = logits > 0, labels > 0
        tp += (yes & true).sum().item()
        said += (yes.sum() + true.sum()).item()
    return 2 * tp / said if said else 1.0


@wrong(
    "6.8",
    "F1 is the hits among all that are one or said to be",
    "Hits are divided by all that are one or said to",
)
def f1_as_intersection_over_union(batches):
    hits, either = 0, 0
    for logits, labels in batches:
        yes, true = logits > 0, labels > 0
        hits += (yes & true).sum().item()
        either += (yes | true).sum().item()
    return hits / either if either else 0.0


@wrong(
    "6.8",
    "a batch without a label that is one cannot count",
    "A batch without a one is left out",
)
def f1_skips_batches_without_a_label(batches):
    tp, said = 0, 0
    for logits, labels in batches:
        yes, true = logits > 0, labels > 0
        if not true.any():
            continue
        tp += (yes & true).sum().item()
        said += (yes.sum() + true.sum()).item()
    return 2 * tp / said if said else 0.0
