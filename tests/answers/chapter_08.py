"""Answers to chapter 8's exercises."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from answers import right, wrong


@right("8.1")
def terms_in_a_loop(p, q):
    pairs = zip(p.tolist(), q.tolist())
    return math.fsum(a * (math.log(a) - math.log(b)) for a, b in pairs if a > 0)


@right("8.1")
def with_xlogy(p, q):
    p, q = p.double(), q.double()
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum().float()


@right("8.1")
def only_where_positive(p, q):
    p, q = p.detach().numpy().astype(float), q.detach().numpy().astype(float)
    some = p > 0
    return float((p[some] * np.log(p[some] / q[some])).sum())


@wrong(
    "8.1",
    "The divergence is symmetric, so q may stand first.",
    "The other way round: here q stands in the place",
)
def from_q_to_p(p, q):
    return (q * torch.log(q / p.clamp(min=1e-12))).sum()


@wrong(
    "8.1",
    "The logarithm has base 2: bits instead of nats.",
    "In bits; the course uses the natural logarithm.",
)
def in_bits(p, q):
    some = p > 0
    return (p[some] * torch.log2(p[some] / q[some])).sum()


@wrong(
    "8.1",
    "0 times log 0 looks after itself.",
    "Where p is 0 the term is 0, not 0 times minus",
)
def zero_times_log_zero(p, q):
    return (p * torch.log(p / q)).sum()


@wrong(
    "8.1",
    "Takes the mean over the nodes instead of the sum.",
    "That is the mean of the terms, not their sum.",
)
def mean_over_nodes(p, q):
    return F.kl_div(q.log(), p, reduction="none").mean()


@wrong(
    "8.1",
    "The cross-entropy is the divergence.",
    "That is the cross-entropy; p's own entropy is",
)
def cross_entropy(p, q):
    return -(p * q.log()).sum()


@wrong(
    "8.1",
    "Each term must be positive: sums absolute values.",
    "Absolute values are added up; terms may be",
)
def absolute_terms(p, q):
    return torch.xlogy(p, p / q).abs().sum()


@wrong(
    "8.1",
    "The distributions are scores and need a softmax first.",
    "p and q are distributions already; yours go",
)
def softmax_first(p, q):
    p, q = p.log_softmax(dim=0), q.log_softmax(dim=0)
    return (p.exp() * (p - q)).sum()


@wrong(
    "8.1",
    "Only q's share on the nodes of p counts: renormalises q there.",
    "q is divided by its sum where p is above 0; q",
)
def renormalise_q(p, q):
    p, q = p[p > 0], q[p > 0]
    return (p * torch.log(p / (q / q.sum()))).sum()


@wrong(
    "8.1",
    "Writes a small number over the zeros of the given p.",
    "You write into `p`, which you are given: work",
)
def patch_p_in_place(p, q):
    p[p == 0] = 1e-6
    return (p * torch.log(p / q)).sum()


@wrong(
    "8.1",
    "Where p is zero is left out, and q made to sum to one on the rest",
    "q is divided by its sum where p is above 0; q",
)
def q_made_whole_again(p, q):
    p, q = p[p > 0], q[p > 0]
    return (p * torch.log(p / (q / q.sum()))).sum()


@wrong(
    "8.1",
    "F.kl_div adds up over the nodes by default",
    "That is the mean of the terms, not their sum.",
)
def kl_div_by_default(p, q):
    return F.kl_div(q.log(), p)


@right("8.2")
def above_or_best(alpha, threshold):
    kept = alpha > threshold
    kept[alpha.argmax()] = True
    return kept


@right("8.2")
def loop_over_nodes(alpha, threshold):
    best = int(alpha.argmax())
    stays = [bool(a > threshold) or i == best for i, a in enumerate(alpha)]
    return torch.tensor(stays)


@right("8.2")
def above_or_equal_to_best(alpha, threshold):
    return (alpha > threshold) | (alpha == alpha.max())


@wrong(
    "8.2",
    "Above includes the threshold itself.",
    "A node stays if its weight is above the",
)
def at_least(alpha, threshold):
    kept = alpha >= threshold
    kept[alpha.argmax()] = True
    return kept


@wrong(
    "8.2",
    "The threshold alone decides: a graph may become empty.",
    "The node with the largest weight always stays.",
)
def threshold_alone(alpha, threshold):
    return alpha > threshold


@wrong(
    "8.2",
    "The threshold is relative to the largest weight.",
    "The threshold is a share of the largest weight",
)
def relative_to_best(alpha, threshold):
    return (alpha > threshold * alpha.max()) | (alpha == alpha.max())


@wrong(
    "8.2",
    "The threshold is the share of nodes that stay: top-k.",
    "The threshold is the share of nodes that stay",
)
def share_of_nodes(alpha, threshold):
    k = min(max(1, math.ceil(threshold * len(alpha))), len(alpha))
    kept = torch.zeros(len(alpha), dtype=torch.bool)
    kept[alpha.topk(k).indices] = True
    return kept


@wrong(
    "8.2",
    "If no weight is above the threshold, all nodes stay.",
    "Where no node is above the threshold all are",
)
def nobody_means_all(alpha, threshold):
    kept = alpha > threshold
    return kept if kept.any() else torch.ones_like(kept)


@wrong(
    "8.2",
    "The weights are scores and need a softmax first.",
    "The weights go through a softmax again; they",
)
def softmax_again(alpha, threshold):
    alpha = torch.softmax(alpha, dim=0)
    kept = alpha > threshold
    kept[alpha.argmax()] = True
    return kept


@wrong(
    "8.2",
    "Returns the numbers of the nodes instead of a mask.",
    "Node numbers are returned; True and False are",
)
def numbers_for_mask(alpha, threshold):
    kept = alpha > threshold
    kept[alpha.argmax()] = True
    return kept.nonzero().flatten()


@wrong(
    "8.2",
    "Raises the best weight in the given tensor so that it passes.",
    "You write into `alpha`, which you are given:",
)
def lift_the_best(alpha, threshold):
    alpha[alpha.argmax()] = 2.0
    return alpha > threshold


@wrong(
    "8.2",
    "Returns the weights that are left instead of a mask.",
    "The result should hold True or False.",
)
def weights_left(alpha, threshold):
    kept = alpha > threshold
    kept[alpha.argmax()] = True
    return alpha * kept


@wrong(
    "8.2",
    "The threshold is a share of the best node's weight",
    "The threshold is a share of the largest weight",
)
def share_of_the_best(alpha, threshold):
    staying = alpha > threshold * alpha.max()
    staying[alpha.argmax()] = True
    return staying


@wrong(
    "8.2",
    "If nobody is above the threshold, nothing is pooled: all stay",
    "Where no node is above the threshold all are",
)
def all_stay_instead(alpha, threshold):
    staying = alpha > threshold
    return staying if staying.any() else torch.ones_like(staying)


@right("8.3")
def renumber_by_cumsum(src, dst, kept):
    new = kept.long().cumsum(0) - 1
    stays = kept[src] & kept[dst]
    return new[src[stays]], new[dst[stays]]


@right("8.3")
def renumber_by_dict(src, dst, kept):
    new = {old: i for i, old in enumerate(kept.nonzero().flatten().tolist())}
    pairs = zip(src.tolist(), dst.tolist())
    left = [(new[j], new[i]) for j, i in pairs if j in new and i in new]
    ends = torch.tensor(left, dtype=torch.long).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]


@right("8.3")
def renumber_by_search(src, dst, kept):
    old = np.flatnonzero(kept.numpy())
    src, dst = src.numpy(), dst.numpy()
    stays = np.isin(src, old) & np.isin(dst, old)
    new = [np.searchsorted(old, ends[stays]) for ends in (src, dst)]
    return tuple(torch.from_numpy(ends) for ends in new)


@wrong(
    "8.3",
    "An edge stays if one of its ends does.",
    "An edge stays if both its ends do; in your",
)
def either_end(src, dst, kept):
    new = kept.long().cumsum(0) - 1
    stays = kept[src] | kept[dst]
    return new[src[stays]], new[dst[stays]]


@wrong(
    "8.3",
    "The nodes keep their old numbers.",
    "Number the nodes anew: the kept ones are 0, 1,",
)
def old_numbers(src, dst, kept):
    stays = kept[src] & kept[dst]
    return src[stays], dst[stays]


@wrong(
    "8.3",
    "The running sum is the new number: counts from 1.",
    "The new numbers start at 1; they start at 0.",
)
def from_one(src, dst, kept):
    new = kept.long().cumsum(0)
    stays = kept[src] & kept[dst]
    return new[src[stays]], new[dst[stays]]


@wrong(
    "8.3",
    "Numbers only the nodes that still have an edge.",
    "The nodes that stay keep a number even where",
)
def number_those_with_edges(src, dst, kept):
    stays = kept[src] & kept[dst]
    ends = torch.stack([src[stays], dst[stays]])
    new = ends.unique(return_inverse=True)[1]
    return new[0], new[1]


@wrong(
    "8.3",
    "Numbers the nodes in the order in which the edges name them.",
    "The kept nodes are numbered in the order in",
)
def order_of_appearance(src, dst, kept):
    new, left = {}, [(j, i) for j, i in zip(src.tolist(), dst.tolist())]
    left = [(j, i) for j, i in left if kept[j] and kept[i]]
    for pair in left:
        for node in pair:
            new.setdefault(node, len(new))
    ends = torch.tensor([[new[j], new[i]] for j, i in left]).long().reshape(-1, 2)
    return ends[:, 0], ends[:, 1]


@wrong(
    "8.3",
    "Only the source must stay.",
    "Only the source is looked at; an edge stays if",
)
def source_decides(src, dst, kept):
    new = kept.long().cumsum(0) - 1
    return new[src[kept[src]]], new[dst[kept[src]]]


@wrong(
    "8.3",
    "Merges repeated edges on the way.",
    "An edge that occurs twice stands there once",
)
def repeats_merged(src, dst, kept):
    new = kept.long().cumsum(0) - 1
    stays = kept[src] & kept[dst]
    ends = torch.stack([new[src[stays]], new[dst[stays]]]).unique(dim=1)
    return ends[0], ends[1]


@wrong(
    "8.3",
    "Every number shrinks by the number of all dropped nodes.",
    "Every number shrinks by all dropped nodes; only",
)
def shrink_by_all_dropped(src, dst, kept):
    stays = kept[src] & kept[dst]
    dropped = int((~kept).sum())
    return src[stays] - dropped, dst[stays] - dropped


@wrong(
    "8.3",
    "An edge between two nodes needs two different nodes: drops loops.",
    "Self-loops are left out; they are edges, too.",
)
def loops_dropped(src, dst, kept):
    new = kept.long().cumsum(0) - 1
    stays = kept[src] & kept[dst] & (src != dst)
    return new[src[stays]], new[dst[stays]]


@wrong(
    "8.3",
    "unique numbers the nodes anew; one without edges needs no number",
    "The nodes that stay keep a number even where",
)
def numbered_by_unique(src, dst, kept):
    both = torch.stack([src, dst])[:, kept[src] & kept[dst]]
    src, dst = both.unique(return_inverse=True)[1]
    return src, dst


@wrong(
    "8.3",
    "Between two nodes means two different ones: self-loops go",
    "Self-loops are left out; they are edges, too.",
)
def loops_do_not_stay(src, dst, kept):
    stay = kept[src] & kept[dst] & (src != dst)
    number = kept.long().cumsum(0) - 1
    return number[src[stay]], number[dst[stay]]


@right("8.4")
def all_pairs_at_once(alpha, truth):
    gap = alpha[truth].unsqueeze(1) - alpha[~truth]
    return float(((gap > 0).double() + 0.5 * (gap == 0).double()).mean())


@right("8.4")
def two_loops(alpha, truth):
    yes, no = alpha[truth].tolist(), alpha[~truth].tolist()
    won = sum((a > b) + 0.5 * (a == b) for a in yes for b in no)
    return won / (len(yes) * len(no))


@right("8.4")
def places_among_the_others(alpha, truth):
    alpha, truth = alpha.detach().numpy(), truth.numpy()
    no = np.sort(alpha[~truth])
    below = np.searchsorted(no, alpha[truth], side="left")
    not_above = np.searchsorted(no, alpha[truth], side="right")
    return float(((below + not_above) / 2).mean() / len(no))


@wrong("8.4", "A tie counts nothing.", "A tie counts one half, not nothing.")
def ties_are_lost(alpha, truth):
    return float((alpha[truth].unsqueeze(1) > alpha[~truth]).float().mean())


@wrong("8.4", "A tie counts as won.", "A tie counts one half, not one.")
def ties_are_won(alpha, truth):
    return float((alpha[truth].unsqueeze(1) >= alpha[~truth]).float().mean())


@wrong(
    "8.4",
    "The nodes that should not count come first: direction swapped.",
    "The other way round: nodes that should count",
)
def wrong_way_round(alpha, truth):
    gap = alpha[~truth].unsqueeze(1) - alpha[truth]
    return float(((gap > 0).float() + 0.5 * (gap == 0).float()).mean())


@wrong(
    "8.4",
    "The share is of all pairs of nodes.",
    "All pairs of nodes count; a pair is one node of",
)
def all_pairs_below(alpha, truth):
    gap = alpha[truth].unsqueeze(1) - alpha[~truth]
    won = (gap > 0).sum() + 0.5 * (gap == 0).sum()
    return float(won) / (len(alpha) * (len(alpha) - 1) / 2)


@wrong(
    "8.4",
    "Ranks by a sort, which puts ties in the order of the nodes.",
    "Equal weights get ranks in the order of the",
)
def ranks_without_ties(alpha, truth):
    rank = alpha.argsort(stable=True).argsort() + 1.0
    yes, no = int(truth.sum()), int((~truth).sum())
    return float((rank[truth].sum() - yes * (yes + 1) / 2) / (yes * no))


@wrong(
    "8.4",
    "The accuracy of weights above the mean.",
    "That is the share of nodes on the right side of",
)
def accuracy_above_mean(alpha, truth):
    return float(((alpha > alpha.mean()) == truth).float().mean())


@wrong(
    "8.4",
    "Compares the i-th of the one kind with the i-th of the other.",
    "The first of one kind meets the first of the",
)
def only_matching_pairs(alpha, truth):
    pairs = list(zip(alpha[truth].tolist(), alpha[~truth].tolist()))
    return sum((a > b) + 0.5 * (a == b) for a, b in pairs) / len(pairs)


@wrong(
    "8.4",
    "The share of the total weight that lies on the right nodes.",
    "It is the share of all weight that lies on the",
)
def share_of_weight(alpha, truth):
    return float(alpha[truth].sum() / alpha.sum())


@wrong(
    "8.4",
    "A node of the right kind must beat all the others at once.",
    "A node must beat all of the other kind at once;",
)
def must_beat_all(alpha, truth):
    most = alpha[~truth].max()
    won = (alpha[truth] > most).float() + 0.5 * (alpha[truth] == most).float()
    return float(won.mean())


@wrong(
    "8.4",
    "Tied pairs are left out, above and below the line",
    "Ties are left out of the count; each counts one",
)
def ties_left_out(alpha, truth):
    gap = alpha[truth][:, None] - alpha[~truth]
    decided = int((gap != 0).sum())
    return int((gap > 0).sum()) / decided if decided else 0.5


@wrong(
    "8.4",
    "Ranks come from argsort, and equal weights need nothing more",
    "Equal weights get ranks in the order of the",
)
def ranks_from_argsort(alpha, truth):
    ranks = alpha.argsort(stable=True).argsort() + 1
    good = int(truth.sum())
    above = int(ranks[truth].sum()) - good * (good + 1) // 2
    return above / (good * (len(alpha) - good))


@right("8.5")
def change_over_sum(whole, without):
    change = (without.double() - float(whole)).abs()
    total = change.sum()
    result = change / total if total > 0 else torch.zeros_like(change)
    return result.to(without.dtype)


@right("8.5")
def in_lists(whole, without):
    change = [abs(y - float(whole)) for y in without.tolist()]
    total = math.fsum(change)
    return torch.tensor([c / total if total else 0.0 for c in change])


@right("8.5")
def numpy_divide(whole, without):
    change = np.abs(without.detach().numpy().astype(float) - float(whole))
    total = change.sum()
    share = np.divide(change, total, out=np.zeros_like(change), where=total > 0)
    return torch.from_numpy(share).to(without.dtype)


@wrong(
    "8.5",
    "The sign of the change matters: no absolute value.",
    "Take the size of the change, whatever its sign.",
)
def signed_change(whole, without):
    change = whole - without
    return change / change.sum() if change.sum() != 0 else torch.zeros_like(change)


@wrong(
    "8.5",
    "Weights that sum to 1 are made by a softmax.",
    "That is a softmax of the changes; divide them",
)
def softmax_of_change(whole, without):
    change = (without - whole).abs()
    return torch.softmax(change, 0) if change.any() else torch.zeros_like(change)


@wrong("8.5", "The sum is never zero.", "Where no node changes the output all weights")
def zero_over_zero(whole, without):
    change = (without - whole).abs()
    return change / change.sum()


@wrong(
    "8.5",
    "A small number in the denominator does no harm.",
    "A small number in the denominator: the weights",
)
def epsilon_below(whole, without):
    change = (without - whole).abs()
    return change / (change.sum() + 1e-3)


@wrong(
    "8.5",
    "Squares the changes instead of taking absolute values.",
    "That squares the changes.",
)
def squared_change(whole, without):
    change = (without - whole).square()
    return change / change.sum() if change.any() else torch.zeros_like(change)


@wrong(
    "8.5",
    "Where no node changes anything all count the same.",
    "Where no node changes the output all weights",
)
def uniform_for_zeros(whole, without):
    change = (without - whole).abs()
    if not change.any():
        return torch.full_like(change, 1 / len(change))
    return change / change.sum()


@wrong(
    "8.5",
    "Only a fall of the output shows that a node counts.",
    "A change counts in both directions: what rises",
)
def only_falls(whole, without):
    fall = (whole - without).clamp(min=0)
    return fall / fall.sum() if fall.any() else torch.zeros_like(fall)


@wrong(
    "8.5",
    "The change is seen against the mean of the outputs without a node.",
    "Your answer does not depend on `whole`; the",
)
def against_the_mean(whole, without):
    change = (without - without.mean()).abs()
    return change / change.sum() if change.any() else torch.zeros_like(change)


@wrong(
    "8.5",
    "The largest weight is 1: divides by the maximum.",
    "Divide by the sum, not by the largest.",
)
def largest_is_one(whole, without):
    change = (without - whole).abs()
    return change / change.max() if change.any() else torch.zeros_like(change)


@wrong(
    "8.5",
    "A node counts only if the output falls without it",
    "A change counts in both directions: what rises",
)
def only_where_it_falls(whole, without):
    change = (whole - without).clamp(min=0)
    total = change.sum()
    return change / total if total > 0 else torch.zeros_like(change)


@wrong(
    "8.5",
    "Weights that sum to one come from a softmax of the changes",
    "That is a softmax of the changes; divide them",
)
def softmax_of_the_changes(whole, without):
    change = (whole - without).abs()
    if not change.any():
        return torch.zeros_like(change)
    return torch.softmax(change, dim=0)


@right("8.6")
def append_the_next(L, x, order):
    terms = [x]
    for k in range(1, order):
        step = L @ terms[-1]
        terms.append(step if k == 1 else 2 * step - terms[-2])
    return torch.stack(terms)


@right("8.6")
def fill_a_table(L, x, order):
    L, x = L.numpy(), x.numpy()
    table = np.empty((order, *x.shape), dtype=x.dtype)
    table[0] = x
    if order > 1:
        table[1] = L @ x
    for k in range(2, order):
        table[k] = 2 * np.einsum("ij,jf->if", L, table[k - 1]) - table[k - 2]
    return torch.from_numpy(table)


@right("8.6")
def two_at_hand(L, x, order):
    out, now, following = [], x, L @ x
    for _ in range(order):
        out.append(now)
        now, following = following, 2 * (L @ following) - now
    return torch.stack(out)


@wrong(
    "8.6",
    "Forgets the 2 of the recursion.",
    "The 2 is missing: T_k = 2 L T_{k−1} − T_{k−2}.",
)
def without_the_two(L, x, order):
    terms = [x, L @ x]
    while len(terms) < order:
        terms.append(L @ terms[-1] - terms[-2])
    return torch.stack(terms[:order])


@wrong(
    "8.6",
    "Adds the last but one instead of subtracting it.",
    "T_{k−2} is added; it is to be subtracted.",
)
def plus_for_minus(L, x, order):
    terms = [x, L @ x]
    while len(terms) < order:
        terms.append(2 * (L @ terms[-1]) + terms[-2])
    return torch.stack(terms[:order])


@wrong(
    "8.6",
    "The polynomials are the powers of L.",
    "Those are powers of L; the polynomials are 2 L",
)
def plain_powers(L, x, order):
    terms = [x]
    while len(terms) < order:
        terms.append(L @ terms[-1])
    return torch.stack(terms)


@wrong(
    "8.6",
    "Starts with 2 L X: the polynomials of the second kind.",
    "T_1 X is L X, not 2 L X.",
)
def second_kind(L, x, order):
    terms = [x, 2 * (L @ x)]
    while len(terms) < order:
        terms.append(2 * (L @ terms[-1]) - terms[-2])
    return torch.stack(terms[:order])


@wrong(
    "8.6",
    "The order counts from 0, so there is one polynomial more.",
    "There is one matrix too many: T_0 X to T_{K−1}",
)
def one_too_many(L, x, order):
    terms = [x, L @ x]
    while len(terms) < order + 1:
        terms.append(2 * (L @ terms[-1]) - terms[-2])
    return torch.stack(terms[: order + 1])


@wrong(
    "8.6",
    "There are always at least two polynomials.",
    "With K = 1 there is one matrix, X.",
)
def at_least_two(L, x, order):
    terms = [x, L @ x]
    for _ in range(order - 2):
        terms.append(2 * (L @ terms[-1]) - terms[-2])
    return torch.stack(terms)


@wrong("8.6", "L is symmetric: takes its transpose.", "L is transposed.")
def transposed(L, x, order):
    terms = [x, L.t() @ x]
    while len(terms) < order:
        terms.append(2 * (L.t() @ terms[-1]) - terms[-2])
    return torch.stack(terms[:order])


@wrong(
    "8.6",
    "cos(k arccos) of the eigenvalues, as if L were symmetric and small.",
    "That holds for symmetric L with eigenvalues",
)
def cosine_of_eigenvalues(L, x, order):
    values, vectors = torch.linalg.eigh(L)
    angle = values.clamp(-1, 1).acos()
    rows = [torch.cos(k * angle).unsqueeze(1) * (vectors.t() @ x) for k in range(order)]
    return torch.stack([vectors @ row for row in rows])


@wrong(
    "8.6",
    "The terms stand side by side for each node: [N, K, F].",
    "They stand side by side for each node; the",
)
def terms_in_the_middle(L, x, order):
    terms = [x, L @ x]
    while len(terms) < order:
        terms.append(2 * (L @ terms[-1]) - terms[-2])
    return torch.stack(terms[:order], dim=1)


@wrong(
    "8.6",
    "The list starts with two entries, so K is at least two",
    "With K = 1 there is one matrix, X.",
)
def always_two_terms(L, x, order):
    terms = [x, L @ x]
    while len(terms) < order:
        terms.append(2 * L @ terms[-1] - terms[-2])
    return torch.stack(terms)


@wrong(
    "8.6",
    "The recurrence holds from T_1 on, with nothing before T_0",
    "T_1 X is L X, not 2 L X.",
)
def doubled_from_the_start(L, x, order):
    terms, before = [x], torch.zeros_like(x)
    while len(terms) < order:
        last = terms[-1]
        terms.append(2 * (L @ last) - before)
        before = last
    return torch.stack(terms)


@right("8.8")
def divergence_with_kl_div(alpha, truth):
    there = truth > 0
    return F.kl_div(alpha[there].log(), truth[there], reduction="sum")


@right("8.8")
def divergence_node_by_node(alpha, truth):
    total = torch.zeros((), dtype=alpha.dtype)
    for a, t in zip(alpha, truth):
        if t > 0:
            total = total + t * (t.log() - a.log())
    return total


@right("8.8")
def divergence_cross_entropy_minus_entropy(alpha, truth):
    safe = torch.where(truth > 0, alpha, torch.ones_like(alpha))
    cross = -(truth * safe.log()).sum()
    return cross + torch.xlogy(truth, truth).sum()


@wrong(
    "8.8",
    "with the logarithm the default reduction is the divergence",
    "The terms are still averaged over the nodes,",
)
def divergence_logarithm_and_mean(alpha, truth):
    return F.kl_div(alpha.log(), truth)


@wrong(
    "8.8",
    "batchmean, as the documentation advises, fits one graph",
    "The terms are still averaged over the nodes,",
)
def divergence_batchmean(alpha, truth):
    return F.kl_div(alpha.log(), truth, reduction="batchmean")


@wrong(
    "8.8",
    "only the reduction was wrong: the input is a probability",
    "`F.kl_div` still gets the weights; it wants",
)
def divergence_sum_of_probabilities(alpha, truth):
    return F.kl_div(alpha, truth, reduction="sum")


@wrong(
    "8.8",
    "the truth comes first, as in the formula",
    "Truth and learned weights are swapped: the",
)
def divergence_arguments_swapped(alpha, truth):
    return F.kl_div(truth.log(), alpha, reduction="sum")


@wrong(
    "8.8",
    "the cross-entropy is the divergence",
    "The logarithm of the truth is missing: that is",
)
def divergence_is_cross_entropy(alpha, truth):
    return -torch.xlogy(truth, alpha).sum()


@wrong(
    "8.8",
    "zero times the logarithm of zero is zero in PyTorch",
    "Where the truth is 0 the term is 0, not NaN.",
)
def divergence_log_of_a_zero_truth(alpha, truth):
    return (truth * (truth.log() - alpha.log())).sum()


@wrong(
    "8.8",
    "the weights are logits that still need a log_softmax",
    "The logarithm is taken of a softmax of weights,",
)
def divergence_softmax_again(alpha, truth):
    return F.kl_div(torch.log_softmax(alpha, dim=0), truth, reduction="sum")


@wrong(
    "8.8",
    "where the truth is zero the weights are left out and rescaled",
    "Weights are divided by their sum where the",
)
def divergence_renormalised(alpha, truth):
    there = truth > 0
    inside = alpha[there] / alpha[there].sum()
    return F.kl_div(inside.log(), truth[there], reduction="sum")
