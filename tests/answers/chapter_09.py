"""Answers to chapter 9's exercises."""

import math
import weakref

import numpy as np
import torch

from answers import right, wrong

kept_by_graph = weakref.WeakKeyDictionary()


kept_by_name = {}


kept_by_id = {}


kept_by_counts = {}


kept_by_size = {}


@right("9.1")
def add_the_four(stored, num_nodes, num_edges, hidden=8, num_heads=8, out_heads=1):
    features = stored + num_nodes * num_heads * hidden
    return features + num_edges * (num_heads + out_heads)


@right("9.1")
def sum_of_a_list(stored, num_nodes, num_edges, hidden=8, num_heads=8, out_heads=1):
    tables = [(1, stored), (num_nodes, hidden * num_heads)]
    tables += [(num_edges, num_heads), (num_edges, out_heads)]
    return sum(rows * columns for rows, columns in tables)


@right("9.1")
def layer_by_layer(stored, num_nodes, num_edges, hidden=8, num_heads=8, out_heads=1):
    total = 0
    width = hidden * num_heads
    for looked_at, heads in ((stored, num_heads), (num_nodes * width, out_heads)):
        total += looked_at + num_edges * heads
    return total


@wrong(
    "9.1",
    "The hidden features are those of one head.",
    "Each head has hidden features of its own, and",
)
def one_hidden_head(stored, num_nodes, num_edges, hidden=8, num_heads=8, out_heads=1):
    return stored + num_nodes * hidden + num_edges * (num_heads + out_heads)


@wrong(
    "9.1",
    "One draw an edge serves all heads.",
    "Both layers drop their weights for one head",
)
def edges_once(stored, num_nodes, num_edges, hidden=8, num_heads=8, out_heads=1):
    return stored + num_nodes * hidden * num_heads + 2 * num_edges


@wrong(
    "9.1",
    "Both layers have the same number of heads.",
    "The second layer has out_heads heads, not",
)
def heads_in_both(stored, num_nodes, num_edges, hidden=8, num_heads=8, out_heads=1):
    return stored + num_nodes * hidden * num_heads + 2 * num_edges * num_heads


@wrong(
    "9.1",
    "The weights of the output layer are not dropped.",
    "The weights of the second layer are missing.",
)
def three_dropouts(stored, num_nodes, num_edges, hidden=8, num_heads=8, out_heads=1):
    return stored + num_nodes * hidden * num_heads + num_edges * num_heads


@wrong(
    "9.1",
    "The stored numbers are those of one node.",
    "`stored` counts the numbers of all nodes",
)
def stored_per_node(stored, num_nodes, num_edges, hidden=8, num_heads=8, out_heads=1):
    features = num_nodes * (stored + hidden * num_heads)
    return features + num_edges * (num_heads + out_heads)


@wrong(
    "9.1",
    "Hidden features drop with the heads of the output layer.",
    "The hidden features belong to the first layer's",
)
def hidden_of_output(stored, num_nodes, num_edges, hidden=8, num_heads=8, out_heads=1):
    hidden_numbers = num_nodes * hidden * out_heads
    return stored + hidden_numbers + num_edges * (num_heads + out_heads)


@wrong(
    "9.1",
    "The backward pass draws all numbers again.",
    "Everything is twice what it should be:",
)
def twice_a_step(stored, num_nodes, num_edges, hidden=8, num_heads=8, out_heads=1):
    features = stored + num_nodes * hidden * num_heads
    return 2 * (features + num_edges * (num_heads + out_heads))


@wrong(
    "9.1",
    "A hidden edge weight is drawn for every feature of its head.",
    "A weight is one number for each edge and head,",
)
def edges_by_width(stored, num_nodes, num_edges, hidden=8, num_heads=8, out_heads=1):
    width = hidden * num_heads
    return stored + num_nodes * width + num_edges * (width + out_heads)


@wrong(
    "9.1",
    "Eight heads of eight features and one output head, whatever is given.",
    "Your answer does not depend on `hidden`; the",
)
def always_cora(stored, num_nodes, num_edges, hidden=8, num_heads=8, out_heads=1):
    return stored + 64 * num_nodes + 9 * num_edges


@wrong(
    "9.1",
    "The hidden features are F' for a node, whatever the heads",
    "Each head has hidden features of its own, and",
)
def hidden_of_one_head(
    stored, num_nodes, num_edges, hidden=8, num_heads=8, out_heads=1
):
    return stored + num_nodes * hidden + num_edges * (num_heads + out_heads)


@wrong(
    "9.1",
    "The weights of both layers have as many heads as the first",
    "The second layer has out_heads heads, not",
)
def same_heads_in_both_layers(
    stored, num_nodes, num_edges, hidden=8, num_heads=8, out_heads=1
):
    return stored + num_nodes * hidden * num_heads + 2 * num_edges * num_heads


@right("9.2")
def two_formulas(num_nodes, num_edges, num_heads, width):
    row = 4 * num_heads * width
    always = num_edges * 4 * (1 + num_heads) + num_nodes * row
    return always + num_edges * row, always + num_nodes * row


@right("9.2")
def add_up_reads(num_nodes, num_edges, num_heads, width):
    numbers = {"source": num_edges, "weights": num_edges * num_heads}
    numbers["out"] = num_nodes * num_heads * width
    both = []
    for rows in (num_edges, num_nodes):
        both.append(4 * (sum(numbers.values()) + rows * num_heads * width))
    return tuple(both)


@right("9.2")
def as_a_product(num_nodes, num_edges, num_heads, width):
    z = num_heads * width
    edges = np.array([1 + num_heads + z, 1 + num_heads], dtype=object)
    nodes = np.array([z, 2 * z], dtype=object)
    return tuple(4 * (num_edges * edges + num_nodes * nodes))


@wrong(
    "9.2",
    "A source's row is read once for all heads.",
    "A source's row is K·F' long: one row of F' for",
)
def one_row_for_all_heads(num_nodes, num_edges, num_heads, width):
    out = 4 * num_nodes * num_heads * width
    without = num_edges * (4 + 4 * num_heads + 4 * width) + out
    return without, num_edges * (4 + 4 * num_heads) + 4 * num_nodes * width + out


@wrong("9.2", "Forgets the source's number.", "The numbers of the sources are missing.")
def no_source_number(num_nodes, num_edges, num_heads, width):
    row = 4 * num_heads * width
    weights = 4 * num_edges * num_heads
    return weights + (num_edges + num_nodes) * row, weights + 2 * num_nodes * row


@wrong("9.2", "Forgets what is written.", "The results that are written are missing.")
def no_output(num_nodes, num_edges, num_heads, width):
    row = 4 * num_heads * width
    always = num_edges * 4 * (1 + num_heads)
    return always + num_edges * row, always + num_nodes * row


@wrong(
    "9.2",
    "Counts numbers, not bytes, but for the source's.",
    "The source's number has 4 bytes; the others",
)
def numbers_not_bytes(num_nodes, num_edges, num_heads, width):
    row = num_heads * width
    always = num_edges * (4 + num_heads) + num_nodes * row
    return always + num_edges * row, always + num_nodes * row


@wrong(
    "9.2",
    "The source's number is read anew for every head.",
    "The source's number is read once for an edge,",
)
def source_for_each_head(num_nodes, num_edges, num_heads, width):
    row = 4 * num_heads * width
    always = num_edges * 8 * num_heads + num_nodes * row
    return always + num_edges * row, always + num_nodes * row


@wrong(
    "9.2",
    "A perfect cache also spares the weights of the edges.",
    "Weights belong to one edge each: no cache can",
)
def weights_cached_too(num_nodes, num_edges, num_heads, width):
    row = 4 * num_heads * width
    without = num_edges * (4 + 4 * num_heads + row) + num_nodes * row
    return without, num_edges * 4 + 2 * num_nodes * row


@wrong(
    "9.2",
    "What is in a perfect cache never comes from memory.",
    "With a perfect cache each row of Z still comes",
)
def rows_for_free(num_nodes, num_edges, num_heads, width):
    row = 4 * num_heads * width
    always = num_edges * 4 * (1 + num_heads) + num_nodes * row
    return always + num_edges * row, always


@wrong(
    "9.2",
    "The output is written once for every edge.",
    "Results are written once for each node, not for",
)
def written_for_each_edge(num_nodes, num_edges, num_heads, width):
    row = 4 * num_heads * width
    always = num_edges * (4 * (1 + num_heads) + row)
    return always + num_edges * row, always + num_nodes * row


@wrong(
    "9.2",
    "Returns the perfect cache first.",
    "They are the wrong way round: first without a",
)
def perfect_first(num_nodes, num_edges, num_heads, width):
    row = 4 * num_heads * width
    always = num_edges * 4 * (1 + num_heads) + num_nodes * row
    return always + num_nodes * row, always + num_edges * row


@wrong(
    "9.2",
    "With a perfect cache the results need not be written",
    "With a perfect cache each row of Z still comes",
)
def cache_without_writing(num_nodes, num_edges, num_heads, width):
    rows = num_heads * width
    edges = num_edges * (1 + num_heads)
    without = edges + num_edges * rows + num_nodes * rows
    return 4 * without, 4 * (edges + num_nodes * rows)


@wrong(
    "9.2",
    "Each head reads the source's number for itself",
    "The source's number is read once for an edge,",
)
def number_for_every_head(num_nodes, num_edges, num_heads, width):
    edges, written = 2 * num_edges * num_heads, num_nodes * num_heads * width
    without = edges + num_edges * num_heads * width + written
    return 4 * without, 4 * (edges + 2 * written)


@right("9.3")
def scale_both_halves(first, second):
    (m1, t1, o1), (m2, t2, o2) = first, second
    m = torch.maximum(m1, m2)
    shift = torch.where(m == -math.inf, torch.zeros_like(m), m)
    a, b = torch.exp(m1 - shift), torch.exp(m2 - shift)
    return m, a * t1 + b * t2, a[:, None] * o1 + b[:, None] * o2


@right("9.3")
def head_by_head(first, second):
    m = torch.maximum(first[0], second[0])
    t, o = torch.zeros_like(first[1]), torch.zeros_like(first[2])
    for half_m, half_t, half_o in (first, second):
        for k in range(len(m)):
            if half_m[k] > -math.inf:
                factor = torch.exp(half_m[k] - m[k])
                t[k] += factor * half_t[k]
                o[k] += factor * half_o[k]
    return m, t, o


@right("9.3")
def stack_and_sum(first, second):
    m, t, o = (torch.stack(pair) for pair in zip(first, second))
    most = m.amax(dim=0)
    factor = torch.exp(m - most).nan_to_num(0.0)  # [2, K]
    return most, (factor * t).sum(0), torch.einsum("hk,hkf->kf", factor, o)


@wrong(
    "9.3",
    "Sums of exponentials add up, whatever each was shifted by.",
    "The two sums cannot be added as they are: each",
)
def sums_just_add(first, second):
    (m1, t1, o1), (m2, t2, o2) = first, second
    return torch.maximum(m1, m2), t1 + t2, o1 + o2


@wrong(
    "9.3",
    "Rescales the sums t and forgets the sums o.",
    "t is brought to the common maximum, o is not.",
)
def outputs_not_rescaled(first, second):
    (m1, t1, o1), (m2, t2, o2) = first, second
    m = torch.maximum(m1, m2)
    return m, torch.exp(m1 - m) * t1 + torch.exp(m2 - m) * t2, o1 + o2


@wrong(
    "9.3",
    "The factor is exp(m - m1): the sign is swapped.",
    "The exponents have the wrong sign: e to the",
)
def sign_swapped(first, second):
    (m1, t1, o1), (m2, t2, o2) = first, second
    m = torch.maximum(m1, m2)
    a, b = torch.exp(m - m1), torch.exp(m - m2)
    return m, a * t1 + b * t2, a[:, None] * o1 + b[:, None] * o2


@wrong(
    "9.3",
    "Undoes the shifts first: exp(m) overflows.",
    "Each half is multiplied by eᵐ: with m = 1000",
)
def undo_the_shift(first, second):
    (m1, t1, o1), (m2, t2, o2) = first, second
    m = torch.maximum(m1, m2)
    t = (m1.exp() * t1 + m2.exp() * t2) / m.exp()
    o = m1.exp()[:, None] * o1 + m2.exp()[:, None] * o2
    return m, t, o / m.exp()[:, None]


@wrong(
    "9.3",
    "The first half's maximum serves as shift for both.",
    "All is made relative to the first half, whose",
)
def shift_by_the_first(first, second):
    (m1, t1, o1), (m2, t2, o2) = first, second
    b = torch.exp(m2 - m1)
    scale = torch.exp(m1 - torch.maximum(m1, m2))
    t, o = t1 + b * t2, o1 + b[:, None] * o2
    return torch.maximum(m1, m2), t * scale, o * scale[:, None]


@wrong(
    "9.3", "One maximum for all heads.", "One maximum is taken for all heads; each head"
)
def one_maximum_for_heads(first, second):
    (m1, t1, o1), (m2, t2, o2) = first, second
    m = torch.maximum(m1, m2).max().expand_as(m1)
    a, b = torch.exp(m1 - m), torch.exp(m2 - m)
    return m, a * t1 + b * t2, a[:, None] * o1 + b[:, None] * o2


@wrong(
    "9.3",
    "Divides the merged o by t already.",
    "o is the sum itself; you divide it by t.",
)
def already_divided(first, second):
    (m1, t1, o1), (m2, t2, o2) = first, second
    m = torch.maximum(m1, m2)
    a, b = torch.exp(m1 - m), torch.exp(m2 - m)
    t = a * t1 + b * t2
    return m, t, (a[:, None] * o1 + b[:, None] * o2) / t[:, None]


@wrong(
    "9.3",
    "Rescales the first half in place, in the given tensors.",
    "You write into `first`, which you are given:",
)
def rescale_in_place(first, second):
    (m1, t1, o1), (m2, t2, o2) = first, second
    m = torch.maximum(m1, m2)
    a, b = torch.exp(m1 - m), torch.exp(m2 - m)
    t1 *= a
    o1 *= a[:, None]
    return m, t1 + b * t2, o1 + b[:, None] * o2


@wrong(
    "9.3",
    "Only the second half is rescaled, as if the first had the maximum.",
    "Only the second half is brought to the common",
)
def second_half_rescaled(first, second):
    (m1, t1, o1), (m2, t2, o2) = first, second
    m = torch.maximum(m1, m2)
    b = torch.exp(m2 - m)
    return m, t1 + b * t2, o1 + b[:, None] * o2


@wrong(
    "9.3",
    "m is the logarithm of the sum, so the two are added as logarithms",
    "m is the largest score, not a logarithm of a",
)
def largest_as_a_log_sum(first, second):
    (m1, t1, o1), (m2, t2, o2) = first, second
    m = torch.logaddexp(m1, m2)
    c1, c2 = torch.exp(m1 - m), torch.exp(m2 - m)
    return m, c1 * t1 + c2 * t2, c1[:, None] * o1 + c2[:, None] * o2


@wrong(
    "9.3",
    "o of the whole is the average, divided by t already",
    "o is the sum itself; you divide it by t.",
)
def divided_too_early(first, second):
    (m1, t1, o1), (m2, t2, o2) = first, second
    m = torch.maximum(m1, m2)
    c1, c2 = torch.exp(m1 - m), torch.exp(m2 - m)
    t = c1 * t1 + c2 * t2
    return m, t, (c1[:, None] * o1 + c2[:, None] * o2) / t[:, None]


@right("9.4")
def subtract_the_mean(alpha, p, dst, num_nodes):
    mean = p.new_zeros(num_nodes, p.shape[1]).index_add(0, dst, alpha * p)
    return alpha * (p - mean[dst])


@right("9.4")
def target_by_target(alpha, p, dst, num_nodes):
    grad = torch.zeros_like(p)
    for i in dst.unique():
        own = dst == i
        a, b = alpha[own], p[own]
        grad[own] = a * (b - (a * b).sum(dim=0))
    return grad


@right("9.4")
def add_at_targets(alpha, p, dst, num_nodes):
    a, b, i = (tensor.detach().numpy() for tensor in (alpha, p, dst))
    mean = np.zeros((num_nodes, b.shape[1]), dtype=b.dtype)
    np.add.at(mean, i, a * b)
    return torch.from_numpy(a * (b - mean[i]))


@wrong(
    "9.4",
    "The mean over the neighbours is not weighted.",
    "The mean of β around a target is one weighted",
)
def plain_mean(alpha, p, dst, num_nodes):
    total = p.new_zeros(num_nodes, p.shape[1]).index_add(0, dst, p)
    degree = torch.bincount(dst, minlength=num_nodes).clamp(min=1)
    return alpha * (p - (total / degree[:, None])[dst])


@wrong(
    "9.4",
    "Each weight depends on its own score alone: the diagonal.",
    "This is α (1 − α) β: a score also changes the",
)
def diagonal_only(alpha, p, dst, num_nodes):
    return alpha * (1 - alpha) * p


@wrong(
    "9.4",
    "The mean is taken over all edges of the graph.",
    "This takes one mean for the whole graph; each",
)
def mean_over_graph(alpha, p, dst, num_nodes):
    return alpha * (p - (alpha * p).sum(dim=0))


@wrong(
    "9.4",
    "Writing to mean[dst] adds up repeated targets.",
    "`mean[dst] += …` keeps one edge of each target:",
)
def assignment_adds(alpha, p, dst, num_nodes):
    mean = torch.zeros(num_nodes, p.shape[1])
    mean[dst] += alpha * p
    return alpha * (p - mean[dst])


@wrong(
    "9.4",
    "Forgets the weight in front of the bracket.",
    "The factor α in front is missing.",
)
def no_weight_in_front(alpha, p, dst, num_nodes):
    mean = p.new_zeros(num_nodes, p.shape[1]).index_add(0, dst, alpha * p)
    return p - mean[dst]


@wrong("9.4", "The sign is swapped.", "The sign is wrong.")
def mean_minus_own(alpha, p, dst, num_nodes):
    mean = p.new_zeros(num_nodes, p.shape[1]).index_add(0, dst, alpha * p)
    return alpha * (mean[dst] - p)


@wrong(
    "9.4",
    "One mean for all heads of a target.",
    "This takes one mean for all heads; each has its",
)
def heads_mixed(alpha, p, dst, num_nodes):
    mean = p.new_zeros(num_nodes).index_add(0, dst, (alpha * p).sum(dim=1))
    return alpha * (p - mean[dst].unsqueeze(1))


@wrong(
    "9.4",
    "The mean is divided by the degree once more.",
    "The mean is divided by the degree; the weights",
)
def divided_by_degree(alpha, p, dst, num_nodes):
    mean = p.new_zeros(num_nodes, p.shape[1]).index_add(0, dst, alpha * p)
    degree = torch.bincount(dst, minlength=num_nodes).clamp(min=1)
    return alpha * (p - (mean / degree.unsqueeze(1))[dst])


@wrong(
    "9.4",
    "Subtracts the mean from p in place.",
    "You write into `p`, which you are given: work",
)
def p_in_place(alpha, p, dst, num_nodes):
    mean = p.new_zeros(num_nodes, p.shape[1]).index_add(0, dst, alpha * p)
    p -= mean[dst]
    return alpha * p


@wrong(
    "9.4",
    "What is subtracted is the plain mean of β over the neighbourhood",
    "The mean of β around a target is one weighted",
)
def minus_the_plain_mean(alpha, p, dst, num_nodes):
    total = torch.zeros(num_nodes, p.shape[1], dtype=p.dtype).index_add(0, dst, p)
    degrees = torch.bincount(dst, minlength=num_nodes).clamp(min=1)
    return alpha * (p - (total / degrees[:, None])[dst])


@wrong(
    "9.4",
    "The sum over the neighbourhood runs over the heads as well",
    "This takes one mean for all heads; each has its",
)
def summed_over_heads(alpha, p, dst, num_nodes):
    each = (alpha * p).sum(dim=1, keepdim=True)
    total = torch.zeros(num_nodes, 1, dtype=p.dtype).index_add(0, dst, each)
    return alpha * (p - total[dst])


@right("9.5")
def back_from_the_mask(graph, mask, num_layers):
    needed, counts = mask, []
    for _ in range(num_layers):
        into = needed[graph.dst]
        counts.insert(0, int(into.sum()))
        needed = torch.zeros_like(mask)
        needed[graph.src[into]] = True
    return counts


@right("9.5")
def sets_of_nodes(graph, mask, num_layers):
    edges = list(zip(graph.src.tolist(), graph.dst.tolist()))
    nodes, counts = set(mask.nonzero().flatten().tolist()), []
    for _ in range(num_layers):
        sources = [j for j, i in edges if i in nodes]
        counts.append(len(sources))
        nodes = set(sources)
    return counts[::-1]


@right("9.5")
def degrees_of_the_needed(graph, mask, num_layers):
    src, dst, needed = graph.src.numpy(), graph.dst.numpy(), mask.numpy()
    degree = np.bincount(dst, minlength=graph.num_nodes)
    counts = []
    for _ in range(num_layers):
        counts.append(int(degree[needed].sum()))
        used = np.bincount(src, weights=needed[dst], minlength=graph.num_nodes)
        needed = used > 0
    counts.reverse()
    return counts


@wrong(
    "9.5",
    "Returns the last layer's number first.",
    "The first layer's number comes first.",
)
def last_layer_first(graph, mask, num_layers):
    needed, counts = mask.clone(), []
    for _ in range(num_layers):
        into = needed[graph.dst]
        counts.append(int(into.sum()))
        needed[graph.src[into]] = True
    return counts


@wrong(
    "9.5",
    "Marks the sources in the given mask.",
    "You write into `mask`, which you are given:",
)
def mask_in_place(graph, mask, num_layers):
    counts = []
    for _ in range(num_layers):
        into = mask[graph.dst]
        counts.append(int(into.sum()))
        mask[graph.src[into]] = True
    return counts[::-1]


@wrong(
    "9.5",
    "Follows the edges that leave the mask: direction swapped.",
    "Follow the edges back, from target to source.",
)
def edges_out_of_mask(graph, mask, num_layers):
    needed, counts = mask.clone(), []
    for _ in range(num_layers):
        out = needed[graph.src]
        counts.append(int(out.sum()))
        needed[graph.dst[out]] = True
    return counts[::-1]


@wrong(
    "9.5",
    "Only edges between two needed nodes count.",
    "Only edges between two nodes that are needed",
)
def edges_within(graph, mask, num_layers):
    needed, counts = mask.clone(), []
    for _ in range(num_layers):
        counts.append(int((needed[graph.src] & needed[graph.dst]).sum()))
        needed[graph.src[needed[graph.dst]]] = True
    return counts[::-1]


@wrong(
    "9.5",
    "An earlier layer needs edges into the new nodes alone.",
    "A layer needs again the edges that a later one",
)
def frontier_only(graph, mask, num_layers):
    seen, new, counts = mask.clone(), mask, []
    for _ in range(num_layers):
        into = new[graph.dst]
        counts.append(int(into.sum()))
        new = torch.zeros_like(mask)
        new[graph.src[into]] = True
        new &= ~seen
        seen = seen | new
    return counts[::-1]


@wrong(
    "9.5",
    "Counts the nodes that a layer reads instead of the edges.",
    "These are numbers of the nodes that a layer",
)
def nodes_for_edges(graph, mask, num_layers):
    needed, counts = mask.clone(), []
    for _ in range(num_layers):
        needed[graph.src[needed[graph.dst]]] = True
        counts.append(int(needed.sum()))
    return counts[::-1]


@wrong(
    "9.5",
    "Goes one step back before the last layer's count: off by one.",
    "One layer too many: the last layer needs only",
)
def one_step_too_far(graph, mask, num_layers):
    needed, counts = mask.clone(), []
    for _ in range(num_layers):
        needed[graph.src[needed[graph.dst]]] = True
        counts.append(int(needed[graph.dst].sum()))
    return counts[::-1]


@wrong(
    "9.5",
    "All layers but the last need every edge.",
    "Earlier layers need every edge in your answer;",
)
def only_last_saves(graph, mask, num_layers):
    last = int(mask[graph.dst].sum())
    return [graph.num_edges] * (num_layers - 1) + [last]


@wrong(
    "9.5",
    "Self-loops are not edges that a layer needs.",
    "Self-loops are left out; they carry messages,",
)
def without_loops(graph, mask, num_layers):
    needed, counts = mask.clone(), []
    for _ in range(num_layers):
        into = needed[graph.dst]
        counts.append(int((into & (graph.src != graph.dst)).sum()))
        needed[graph.src[into]] = True
    return counts[::-1]


@wrong(
    "9.5",
    "An earlier layer needs only the edges that no later layer had",
    "A layer needs again the edges that a later one",
)
def new_edges_only(graph, mask, num_layers):
    counts, seen, inside = [], torch.zeros_like(mask), mask.clone()
    for _ in range(num_layers):
        into = (inside & ~seen)[graph.dst]
        counts.append(int(into.sum()))
        seen = inside.clone()
        inside[graph.src[into]] = True
    return counts[::-1]


@wrong(
    "9.5",
    "The next set of nodes are those that the mask's nodes send to",
    "The next nodes are the sources of the edges,",
)
def followed_forwards(graph, mask, num_layers):
    counts, inside = [], mask.clone()
    for _ in range(num_layers):
        counts.insert(0, int(inside[graph.dst].sum()))
        leaving = inside[graph.src]
        inside = inside.clone()
        inside[graph.dst[leaving]] = True
    return counts


@right("9.7")
def degrees_without_a_cache(graph):
    return torch.bincount(graph.dst, minlength=graph.num_nodes)


@right("9.7")
def degrees_kept_while_the_graph_lives(graph):
    if graph not in kept_by_graph:
        counts = [0] * graph.num_nodes
        for target in graph.dst.tolist():
            counts[target] += 1
        kept_by_graph[graph] = torch.tensor(counts)
    return kept_by_graph[graph]


@right("9.7")
def degrees_with_numpy(graph):
    counts = np.zeros(graph.num_nodes, dtype=np.int64)
    np.add.at(counts, graph.dst.numpy(), 1)
    return torch.from_numpy(counts)


@wrong(
    "9.7",
    "nodes and edges together identify a graph",
    "The cache answers with the degrees of another",
)
def degrees_kept_by_nodes_and_edges(graph):
    key = graph.num_nodes, len(graph.dst)
    if key not in kept_by_counts:
        kept_by_counts[key] = torch.bincount(graph.dst, minlength=graph.num_nodes)
    return kept_by_counts[key]


@wrong(
    "9.7",
    "every graph has a name of its own",
    "The degrees of the first graph are kept for all.",
)
def degrees_kept_by_name(graph):
    if graph.name not in kept_by_name:
        counts = torch.bincount(graph.dst, minlength=graph.num_nodes)
        kept_by_name[graph.name] = counts
    return kept_by_name[graph.name]


@wrong(
    "9.7",
    "bincount alone knows how many nodes there are",
    "Only nodes that have an edge into them are",
)
def degrees_without_minlength(graph):
    return torch.bincount(graph.dst)


@wrong(
    "9.7",
    "the in-degree counts how often a node is a source",
    "Edges are counted at their source; in-degrees",
)
def degrees_of_sources(graph):
    return torch.bincount(graph.src, minlength=graph.num_nodes)


@wrong(
    "9.7",
    "the in-degree is the sum of the edges' weights",
    "The weights of the edges are added up; count",
)
def degrees_weighted(graph):
    return torch.bincount(graph.dst, graph.edge_weight, minlength=graph.num_nodes)


@wrong(
    "9.7",
    "an edge that occurs twice counts once",
    "occurs twice counts once in your answer",
)
def degrees_of_different_sources(graph):
    pairs = torch.unique(torch.stack([graph.src, graph.dst]), dim=1)
    return torch.bincount(pairs[1], minlength=graph.num_nodes)


@wrong(
    "9.7",
    "the cache is wrong because someone writes into what it returns",
    "The cache still answers with the degrees of",
)
def degrees_cloned_from_the_same_cache(graph):
    n = graph.num_nodes
    if n not in kept_by_size:
        kept_by_size[n] = torch.bincount(graph.dst, minlength=n)
    return kept_by_size[n].clone()


@wrong(
    "9.7",
    "a degree is at least one, as one divides by it",
    "A node without an edge has degree 0, not 1.",
)
def degrees_at_least_one(graph):
    return torch.bincount(graph.dst, minlength=graph.num_nodes).clamp(min=1)
