"""Answers to chapter 7's exercises."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from answers import right, wrong
from gat_course import formulas


@right("7.1")
def orders_equal_first(scores):
    order = scores.argsort(dim=1)
    return bool((order == order[0]).all())


@right("7.1")
def sorted_lists(scores):
    rows = scores.tolist()
    orders = [sorted(range(len(row)), key=row.__getitem__) for row in rows]
    return all(order == orders[0] for order in orders)


@right("7.1")
def take_the_first_order(scores):
    scores = scores.detach().numpy()
    ranked = scores[:, np.argsort(scores[0])]
    return bool((ranked[:, 1:] > ranked[:, :-1]).all())


@wrong(
    "7.1",
    "It is enough that all targets have the same favourite source.",
    "Only the worst-ranked source is compared",
)
def same_favourite(scores):
    best = scores.argmax(dim=1)
    return bool((best == best[0]).all())


@wrong(
    "7.1",
    "Sorts the targets within each source: the wrong axis.",
    "The targets are ranked within a column; rank",
)
def sort_the_columns(scores):
    order = scores.argsort(dim=0)
    return bool((order == order[:, :1]).all())


@wrong(
    "7.1",
    "Static attention gives all targets the same scores.",
    "The scores themselves are compared; their order",
)
def same_scores(scores):
    return torch.allclose(scores, scores[:1].expand_as(scores))


@wrong(
    "7.1",
    "Static scores are a target's part plus a source's part, nothing else.",
    "Rows that differ by more than a constant may",
)
def same_gaps(scores):
    gaps = scores - scores[:, :1]
    return torch.allclose(gaps, gaps[:1].expand_as(gaps), atol=1e-5)


@wrong(
    "7.1",
    "The first and the last target stand for all of them.",
    "Only the first and the last target are",
)
def first_and_last(scores):
    return scores[0].argsort().tolist() == scores[-1].argsort().tolist()


@wrong(
    "7.1",
    "Same favourite and same last are the same order.",
    "Only the best and the worst source are compared",
)
def same_ends(scores):
    best, worst = scores.argmax(dim=1), scores.argmin(dim=1)
    return len(set(best.tolist())) == 1 and len(set(worst.tolist())) == 1


@wrong(
    "7.1",
    "One row that agrees with the first is enough: any for all.",
    "One target that agrees with the first is enough",
)
def some_row_agrees(scores):
    order = scores.argsort(dim=1)
    return bool((order == order[0]).all(dim=1)[1:].any())


@wrong(
    "7.1",
    "A strong correlation of the rows is the same order.",
    "Rows that correlate strongly need not rank",
)
def rows_correlate(scores):
    if len(scores) == 1:
        return True
    return bool((torch.corrcoef(scores) > 0.8).all())


@wrong(
    "7.1",
    "The rows must be sorted already for the order to be the same.",
    "Rows must be sorted already to pass; any order",
)
def rows_ascend(scores):
    return bool((scores[:, 1:] > scores[:, :-1]).all())


@wrong(
    "7.1",
    "If all agree on the best and on the worst, they agree",
    "Only the best and the worst source are compared",
)
def same_best_and_worst(scores):
    best, worst = scores.argmax(dim=1), scores.argmin(dim=1)
    return bool((best == best[0]).all() and (worst == worst[0]).all())


@wrong(
    "7.1",
    "The sort runs down the columns, as targets are rows",
    "The targets are ranked within a column; rank",
)
def sorted_down_the_columns(scores):
    order = scores.argsort(dim=0)
    return bool((order == order[:, :1]).all())


@right("7.2")
def fold_then_multiply(f, edge_matrix, att_edge):
    num_heads, width = att_edge.shape
    folded = (edge_matrix.view(-1, num_heads, width) * att_edge).sum(dim=2)
    return f @ folded


@right("7.2")
def one_head_at_a_time(f, edge_matrix, att_edge):
    width = att_edge.shape[1]
    columns = []
    for k, a in enumerate(att_edge):
        columns.append(edge_matrix[:, k * width : (k + 1) * width] @ a)  # [D]
    return f @ torch.stack(columns, dim=1)


@right("7.2")
def fold_by_einsum(f, edge_matrix, att_edge):
    blocks = edge_matrix.unflatten(1, att_edge.shape)
    return torch.einsum("ed,dk->ek", f, torch.einsum("dkf,kf->dk", blocks, att_edge))


@wrong(
    "7.2",
    "Computes the long vector of every edge first, as the formula says.",
    "numbers: a vector of W_e's width for every",
)
def the_long_way(f, edge_matrix, att_edge):
    z = (f @ edge_matrix).view(len(f), *att_edge.shape)
    return (z * att_edge).sum(dim=2)


@wrong(
    "7.2",
    "The heads are the fast axis of the matrix's columns.",
    "The columns of W_e belong to head 0 first, then",
)
def heads_last(f, edge_matrix, att_edge):
    num_heads, width = att_edge.shape
    blocks = edge_matrix.view(-1, width, num_heads)
    return f @ (blocks * att_edge.t()).sum(dim=1)


@wrong(
    "7.2",
    "One number for all heads: sums over the heads as well.",
    "All heads get the sum over the heads.",
)
def heads_summed(f, edge_matrix, att_edge):
    term = f @ (edge_matrix @ att_edge.flatten())
    return term.unsqueeze(1).expand(-1, len(att_edge))


@wrong(
    "7.2",
    "The heads are a view in front: reshapes where it should permute.",
    "W_e is cut into heads by a reshape that mixes",
)
def view_for_permute(f, edge_matrix, att_edge):
    num_heads, width = att_edge.shape
    blocks = edge_matrix.reshape(num_heads, -1, width)  # [K, D, F']
    folded = (blocks * att_edge.unsqueeze(1)).sum(dim=2)
    return f @ folded.t()


@wrong(
    "7.2",
    "A dot product is a mean of products.",
    "That is the mean over the features of a head,",
)
def mean_for_sum(f, edge_matrix, att_edge):
    blocks = edge_matrix.unflatten(1, att_edge.shape)
    return f @ (blocks * att_edge).mean(dim=2)


@wrong(
    "7.2",
    "The third part passes through LeakyReLU by itself.",
    "A LeakyReLU is left in; it comes after all",
)
def leaky_already(f, edge_matrix, att_edge):
    folded = (edge_matrix.unflatten(1, att_edge.shape) * att_edge).sum(dim=2)
    return F.leaky_relu(f @ folded, 0.2)


@wrong(
    "7.2",
    "All heads share the first head's attention vector.",
    "That uses head 0's vector for every head.",
)
def first_vector_for_all(f, edge_matrix, att_edge):
    blocks = edge_matrix.unflatten(1, att_edge.shape)
    return f @ (blocks @ att_edge[0])


@wrong(
    "7.2",
    "Returns heads by edges: the result is transposed.",
    "The result is transposed: a row is an edge.",
)
def heads_by_edges(f, edge_matrix, att_edge):
    blocks = edge_matrix.unflatten(1, att_edge.shape)
    return torch.einsum("dkf,kf->kd", blocks, att_edge) @ f.t()


@wrong(
    "7.2",
    "All heads share the first head's block of the matrix.",
    "Only the first column is right: the others need",
)
def first_block_for_all(f, edge_matrix, att_edge):
    block = edge_matrix[:, : att_edge.shape[1]]
    return f @ (block @ att_edge.t())


@wrong(
    "7.2",
    "The matrix's columns go by feature first, then by head",
    "The columns of W_e belong to head 0 first, then",
)
def columns_by_feature(f, edge_matrix, att_edge):
    heads, width = att_edge.shape
    cut = edge_matrix.view(-1, width, heads)
    return f @ (cut * att_edge.t()).sum(dim=1)


@wrong(
    "7.2",
    "The order of the products does not matter, so it stays as written",
    "numbers: a vector of W_e's width for every",
)
def in_the_written_order(f, edge_matrix, att_edge):
    projected = (f @ edge_matrix).view(len(f), *att_edge.shape)
    return (projected * att_edge).sum(dim=-1)


@right("7.3")
def scale_by_in_degrees(graph, h, delta):
    return h * (torch.log(graph.in_degrees + 1.0) / delta).unsqueeze(1)


@right("7.3")
def count_by_bincount(graph, h, delta):
    degree = torch.bincount(graph.dst, minlength=graph.num_nodes)
    return torch.log1p(degree.to(h.dtype))[:, None] / delta * h


@right("7.3")
def node_by_node(graph, h, delta):
    degree = [0] * graph.num_nodes
    for i in graph.dst.tolist():
        degree[i] += 1
    return torch.stack([math.log(d + 1) / delta * h[i] for i, d in enumerate(degree)])


@wrong(
    "7.3",
    "Leaves out the 1: a node without edges gets the log of 0.",
    "The logarithm is of the degree plus 1: log 0 is",
)
def log_of_degree(graph, h, delta):
    return h * (graph.in_degrees.float().log() / delta).unsqueeze(1)


@wrong(
    "7.3",
    "Counts the edges that leave instead of those that arrive.",
    "The degree is that of the edges that arrive,",
)
def out_degrees(graph, h, delta):
    degree = torch.bincount(graph.src, minlength=graph.num_nodes)
    return h * (torch.log(degree + 1.0) / delta).unsqueeze(1)


@wrong(
    "7.3",
    "Takes delta from the graph at hand.",
    "δ is the mean of the training graphs; take the",
)
def own_delta(graph, h, delta):
    scale = torch.log(graph.in_degrees + 1.0)
    return h * (scale / scale.mean()).unsqueeze(1)


@wrong(
    "7.3", "The logarithm has base 2.", "The logarithm has base 2; the natural one is"
)
def base_two(graph, h, delta):
    return h * (torch.log2(graph.in_degrees + 1.0) / delta).unsqueeze(1)


@wrong(
    "7.3",
    "The degree is the sum of the weights of the edges.",
    "The sum of edge weights is taken; the number of",
)
def weights_as_degree(graph, h, delta):
    return h * (torch.log(graph.in_strengths + 1.0) / delta).unsqueeze(1)


@wrong(
    "7.3",
    "Counts different neighbours: repeated edges are merged.",
    "occurs twice counts once in your answer",
)
def repeated_once(graph, h, delta):
    pairs = torch.stack([graph.src, graph.dst]).unique(dim=1)
    degree = torch.bincount(pairs[1], minlength=graph.num_nodes)
    return h * (torch.log(degree + 1.0) / delta).unsqueeze(1)


@wrong(
    "7.3",
    "The 1 stands outside the logarithm, and no degree is below 1.",
    "The 1 stands outside the logarithm; it is log(d",
)
def one_outside(graph, h, delta):
    degree = graph.in_degrees.clamp(min=1).float()
    return h * ((degree.log() + 1) / delta).unsqueeze(1)


@wrong(
    "7.3",
    "Scales the given vectors in place.",
    "You write into `h`, which you are given: work",
)
def scale_in_place(graph, h, delta):
    h *= (torch.log(graph.in_degrees + 1.0) / delta).unsqueeze(1)
    return h


@wrong(
    "7.3",
    "Multiplies by delta instead of dividing by it.",
    "It multiplies by δ; divide by it.",
)
def times_delta(graph, h, delta):
    return h * torch.log(graph.in_degrees + 1.0).unsqueeze(1) * delta


@wrong(
    "7.3",
    "The degree is the number of edges that leave a node",
    "The degree is that of the edges that arrive,",
)
def scaled_by_out_degree(graph, h, delta):
    degrees = torch.bincount(graph.src, minlength=graph.num_nodes)
    return h * (torch.log(degrees + 1.0) / delta)[:, None]


@wrong(
    "7.3",
    "A node without edges must not vanish, so degrees start at one",
    "A node without edges gets degree 1; it has 0,",
)
def at_least_one_edge(graph, h, delta):
    degrees = graph.in_degrees.clamp(min=1).to(h.dtype)
    return h * (torch.log(degrees + 1) / delta)[:, None]


@right("7.4")
def shift_by_own_maximum(h, graph_of, num_graphs, query):
    scores = h @ query
    most = scores.new_full((num_graphs,), -math.inf)
    most = most.scatter_reduce(0, graph_of, scores.detach(), "amax")
    e = torch.exp(scores - most[graph_of])
    total = e.new_zeros(num_graphs).index_add(0, graph_of, e)
    weighted = (e / total[graph_of]).unsqueeze(1) * h
    return h.new_zeros(num_graphs, h.shape[1]).index_add(0, graph_of, weighted)


@right("7.4")
def sparse_softmax(h, graph_of, num_graphs, query):
    where = torch.stack([graph_of, torch.arange(len(h))])
    size = (num_graphs, len(h))
    scores = torch.sparse_coo_tensor(where, h @ query, size, check_invariants=True)
    return torch.sparse.mm(torch.sparse.softmax(scores.coalesce(), dim=1), h)


@right("7.4")
def sort_and_reduce(h, graph_of, num_graphs, query):
    graphs, order = torch.sort(graph_of, stable=True)
    h = h[order].detach().numpy()
    graphs, scores = graphs.numpy(), h @ query.detach().numpy()
    result = np.zeros((num_graphs, h.shape[1]), dtype=h.dtype)
    if len(h):
        present, start, size = np.unique(graphs, return_index=True, return_counts=True)
        e = np.exp(scores - np.repeat(np.maximum.reduceat(scores, start), size))
        beta = e / np.repeat(np.add.reduceat(e, start), size)
        result[present] = np.add.reduceat(beta[:, None] * h, start)
    return torch.from_numpy(result)


@wrong(
    "7.4",
    "One softmax over the nodes of all graphs together.",
    "The softmax is over the nodes of one graph, not",
)
def softmax_over_batch(h, graph_of, num_graphs, query):
    beta = torch.softmax(h @ query, dim=0)
    out = h.new_zeros(num_graphs, h.shape[1])
    return out.index_add(0, graph_of, beta.unsqueeze(1) * h)


@wrong(
    "7.4",
    "Subtracting nothing is fine: the exponentials overflow.",
    "Nothing is subtracted before the exponential:",
)
def no_shift(h, graph_of, num_graphs, query):
    e = torch.exp(h @ query)
    total = e.new_zeros(num_graphs).index_add(0, graph_of, e)
    beta = e / total[graph_of]
    out = h.new_zeros(num_graphs, h.shape[1])
    return out.index_add(0, graph_of, beta.unsqueeze(1) * h)


@wrong(
    "7.4",
    "One maximum for the whole batch is as good as each graph's own.",
    "One maximum is subtracted for all graphs: a",
)
def shift_by_batch_maximum(h, graph_of, num_graphs, query):
    scores = h @ query
    e = torch.exp(scores - scores.max())
    total = e.new_zeros(num_graphs).index_add(0, graph_of, e)
    beta = e / total[graph_of].clamp(min=1e-12)
    out = h.new_zeros(num_graphs, h.shape[1])
    return out.index_add(0, graph_of, beta.unsqueeze(1) * h)


@wrong(
    "7.4",
    "Clamping the scores is a way to make the exponential stable.",
    "Scores are clamped, so that large ones count",
)
def clamp_the_scores(h, graph_of, num_graphs, query):
    e = torch.exp((h @ query).clamp(-30, 30))
    total = e.new_zeros(num_graphs).index_add(0, graph_of, e)
    out = h.new_zeros(num_graphs, h.shape[1])
    return out.index_add(0, graph_of, (e / total[graph_of]).unsqueeze(1) * h)


@wrong(
    "7.4",
    "The weights are sigmoids and need not sum to one.",
    "A sigmoid stands in the place of the softmax.",
)
def sigmoid_gates(h, graph_of, num_graphs, query):
    gate = torch.sigmoid(h @ query).unsqueeze(1)
    return h.new_zeros(num_graphs, h.shape[1]).index_add(0, graph_of, gate * h)


@wrong(
    "7.4",
    "Divides the sums at the end, so an empty graph gets 0 / 0.",
    "A graph without nodes gets NaN; zeros are asked",
)
def empty_becomes_nan(h, graph_of, num_graphs, query):
    scores = h @ query
    most = scores.new_full((num_graphs,), -math.inf)
    most = most.scatter_reduce(0, graph_of, scores, "amax")
    e = torch.exp(scores - most[graph_of]).unsqueeze(1)
    top = h.new_zeros(num_graphs, h.shape[1]).index_add(0, graph_of, e * h)
    return top / h.new_zeros(num_graphs, 1).index_add(0, graph_of, e)


@wrong(
    "7.4",
    "The maximum starts at 0, so very negative scores all vanish.",
    "The maximum starts at 0: where all scores are",
)
def maximum_from_zero(h, graph_of, num_graphs, query):
    scores = h @ query
    most = torch.zeros(num_graphs).scatter_reduce(0, graph_of, scores, "amax")
    e = torch.exp(scores - most[graph_of])
    total = e.new_zeros(num_graphs).index_add(0, graph_of, e)
    beta = (e / total[graph_of]).unsqueeze(1)
    return h.new_zeros(num_graphs, h.shape[1]).index_add(0, graph_of, beta * h)


@wrong(
    "7.4",
    "A loop over the graphs with a mask for each is fast enough.",
    "or the nodes are gone through again",
)
def loop_over_graphs(h, graph_of, num_graphs, query):
    out = torch.zeros(num_graphs, h.shape[1])
    for g in range(num_graphs):
        own = h[graph_of == g]
        out[g] = torch.softmax(own @ query, dim=0) @ own
    return out


@wrong(
    "7.4",
    "The number of graphs is the last graph's number plus one.",
    "The last rows are missing: all are asked for,",
)
def count_graphs_myself(h, graph_of, num_graphs, query):
    scores, count = h @ query, int(graph_of.max()) + 1
    most = torch.full((count,), -math.inf).scatter_reduce(0, graph_of, scores, "amax")
    e = torch.exp(scores - most[graph_of])
    total = e.new_zeros(count).index_add(0, graph_of, e)
    beta = (e / total[graph_of]).unsqueeze(1)
    return h.new_zeros(count, h.shape[1]).index_add(0, graph_of, beta * h)


@wrong(
    "7.4",
    "A score is a dot product, so it is divided by the root of F",
    "The scores are divided by √F; the question has",
)
def readout_with_a_root(h, graph_of, num_graphs, query):
    scores = (h @ query) / math.sqrt(h.shape[1])
    alpha = formulas.edge_softmax(scores[:, None], graph_of, num_graphs)
    return torch.zeros(num_graphs, h.shape[1]).index_add(0, graph_of, alpha * h)


@wrong(
    "7.4",
    "One largest score for the whole batch, and a small number against 0/0",
    "One maximum is subtracted for all graphs: a",
)
def one_largest_for_the_batch(h, graph_of, num_graphs, query):
    scores = h @ query
    weight = torch.exp(scores - scores.max())[:, None]
    total = torch.zeros(num_graphs, 1).index_add(0, graph_of, weight)
    summed = torch.zeros(num_graphs, h.shape[1]).index_add(0, graph_of, weight * h)
    return summed / (total + 1e-12)


@right("7.5")
def above_the_kth(there, nowhere, k):
    bar = nowhere.topk(k).values[-1]
    return (there > bar).double().mean().item()


@right("7.5")
def count_in_lists(there, nowhere, k):
    bar = sorted(nowhere.tolist(), reverse=True)[k - 1]
    return sum(score > bar for score in there.tolist()) / len(there)


@right("7.5")
def partition_with_numpy(there, nowhere, k):
    there, nowhere = there.detach().numpy(), nowhere.detach().numpy()
    bar = np.partition(nowhere, len(nowhere) - k)[len(nowhere) - k]
    return float(np.mean(there > bar))


@wrong(
    "7.5",
    "A tie with the k-th best counts as higher.",
    "A link must score higher than the bar; equal is",
)
def ties_are_hits(there, nowhere, k):
    bar = nowhere.topk(k).values[-1]
    return (there >= bar).float().mean().item()


@wrong(
    "7.5",
    "Index k of the sorted scores is the k-th best: off by one.",
    "The bar is the k-th best pair without a link,",
)
def off_by_one(there, nowhere, k):
    ranked = nowhere.sort(descending=True).values
    return (there > ranked[min(k, len(ranked) - 1)]).float().mean().item()


@wrong(
    "7.5",
    "The k-th of the ascending scores is the k-th best.",
    "The bar is the k-th best, not the k-th worst.",
)
def kth_worst(there, nowhere, k):
    bar = nowhere.sort().values[k - 1]
    return (there > bar).float().mean().item()


@wrong(
    "7.5",
    "Equal scores are one place: repeated scores are merged.",
    "Equal scores count as one place; the k-th best",
)
def places_without_repeats(there, nowhere, k):
    ranked = nowhere.unique().flip(0)
    return (there > ranked[min(k, len(ranked)) - 1]).float().mean().item()


@wrong(
    "7.5",
    "The share of links among the k best of all pairs: a precision.",
    "It is the share of links among the k best of",
)
def precision_at_k(there, nowhere, k):
    best = torch.cat([there, nowhere]).topk(k).indices
    return (best < len(there)).float().mean().item()


@wrong(
    "7.5",
    "The bar is the mean of the k best, not the k-th.",
    "The bar is the mean of the k best; the k-th is",
)
def above_the_mean_of_k(there, nowhere, k):
    return (there > nowhere.topk(k).values.mean()).float().mean().item()


@wrong(
    "7.5",
    "Returns how many are higher, not which share.",
    "That is a number of links; their share is asked",
)
def number_of_hits(there, nowhere, k):
    return int((there > nowhere.topk(k).values[-1]).sum())


@wrong(
    "7.5",
    "The share is of the pairs without a link.",
    "It is divided by the pairs without a link; the",
)
def share_of_the_others(there, nowhere, k):
    bar = nowhere.topk(k).values[-1]
    return int((there > bar).sum()) / len(nowhere)


@wrong(
    "7.5",
    "A link is a hit only if it beats the best pair, whatever k is.",
    "Your answer does not depend on `k`; the right",
)
def best_for_kth(there, nowhere, k):
    return (there > nowhere.max()).float().mean().item()


@wrong(
    "7.5",
    "As high as the k-th best is a hit",
    "A link must score higher than the bar; equal is",
)
def a_tie_is_a_hit(there, nowhere, k):
    bar = nowhere.sort(descending=True).values[k - 1]
    return float((there >= bar).float().mean())


@wrong(
    "7.5",
    "The k-th best is looked for among all scores together",
    "The bar is a pair without a link, not any pair.",
)
def best_of_all_scores(there, nowhere, k):
    bar = torch.cat([there, nowhere]).topk(k).values[-1]
    return float((there > bar).float().mean())


@right("7.6")
def set_of_pairs(graph, links):
    joined = set(zip(graph.src.tolist(), graph.dst.tolist()))
    pairs = list(zip(*links.tolist()))
    return torch.tensor(
        [(u, v) in joined or (v, u) in joined for u, v in pairs], dtype=torch.bool
    )


@right("7.6")
def pair_numbers(graph, links):
    def number(ends):
        low, high = ends.long().amin(dim=0), ends.long().amax(dim=0)
        return low * graph.num_nodes + high

    return torch.isin(number(links), number(torch.stack([graph.src, graph.dst])))


@right("7.6")
def sorted_numbers(graph, links):
    src, dst = graph.src.numpy().astype("int64"), graph.dst.numpy().astype("int64")
    u, v = links.numpy().astype("int64")
    n = graph.num_nodes
    codes = np.concatenate([src * n + dst, dst * n + src])
    return torch.from_numpy(np.isin(u * n + v, codes))


@wrong(
    "7.6",
    "Looks for edges in the direction of the pair alone.",
    "Look in both directions: messages may run",
)
def one_direction(graph, links):
    n = graph.num_nodes
    return torch.isin(links[0] * n + links[1], graph.src * n + graph.dst)


@wrong(
    "7.6",
    "Looks for edges in the reverse direction alone.",
    "Only edges against the pair's order are looked",
)
def reverse_direction(graph, links):
    n = graph.num_nodes
    return torch.isin(links[1] * n + links[0], graph.src * n + graph.dst)


@wrong(
    "7.6",
    "Both directions must be there for a leak.",
    "Both directions must have an edge in your",
)
def both_directions(graph, links):
    joined = set(zip(graph.src.tolist(), graph.dst.tolist()))
    pairs = list(zip(*links.tolist()))
    return torch.tensor([(u, v) in joined and (v, u) in joined for u, v in pairs])


@wrong(
    "7.6",
    "A pair leaks if each of its nodes has an edge, to whomever.",
    "Both ends must be joined by an edge, not merely",
)
def nodes_have_edges(graph, links):
    ends = torch.cat([graph.src, graph.dst])
    return torch.isin(links[0], ends) & torch.isin(links[1], ends)


@wrong(
    "7.6",
    "The sum of its two numbers names a pair.",
    "Two different pairs get one number: the sum of",
)
def sum_as_key(graph, links):
    return torch.isin(links.sum(dim=0), graph.src + graph.dst)


@wrong(
    "7.6",
    "Marks the pairs that are safe instead of those that leak.",
    "True means that the pair is among the messages,",
)
def marks_the_safe(graph, links):
    n = graph.num_nodes
    codes = torch.cat([graph.src * n + graph.dst, graph.dst * n + graph.src])
    return ~torch.isin(links[0] * n + links[1], codes)


@wrong(
    "7.6",
    "Returns the numbers of the pairs instead of a mask.",
    "The numbers of the pairs are returned; mark",
)
def indices_for_mask(graph, links):
    n = graph.num_nodes
    codes = torch.cat([graph.src * n + graph.dst, graph.dst * n + graph.src])
    return torch.isin(links[0] * n + links[1], codes).nonzero().flatten()


@wrong(
    "7.6",
    "The base of the pair's number is the number of links, not of nodes.",
    "Two different pairs get one number: multiply by",
)
def base_too_small(graph, links):
    n = links.shape[1]
    codes = torch.cat([graph.src * n + graph.dst, graph.dst * n + graph.src])
    return torch.isin(links[0] * n + links[1], codes)


@wrong(
    "7.6",
    "A common neighbour gives the pair away as well.",
    "Only an edge between the two counts, not a way",
)
def two_steps_too(graph, links):
    a = torch.zeros(graph.num_nodes, graph.num_nodes)
    a[graph.src, graph.dst] = a[graph.dst, graph.src] = 1
    return ((a + a @ a) > 0)[links[0], links[1]]


@wrong(
    "7.6",
    "The sum of the two numbers names a pair in both directions",
    "Two different pairs get one number: the sum of",
)
def pairs_by_their_sum(graph, links):
    return torch.isin(links.sum(dim=0), graph.src + graph.dst)


@wrong(
    "7.6",
    "A pair is given away if its ends are a source and a target somewhere",
    "Both ends must be joined by an edge, not merely",
)
def ends_looked_up_apart(graph, links):
    a, b = links
    there = torch.isin(a, graph.src) & torch.isin(b, graph.dst)
    back = torch.isin(b, graph.src) & torch.isin(a, graph.dst)
    return there | back


@right("7.8")
def residual_in_two_branches(out, x, project):
    if out.shape[1] != x.shape[1]:
        out = out + project(x)
    else:
        out = out + x
    return out


@right("7.8")
def residual_in_one_line(out, x, project):
    return out + (x if x.size(-1) == out.size(-1) else project(x))


@right("7.8")
def residual_row_by_row(out, x, project):
    skip = project(x) if x.shape[1] != out.shape[1] else x
    return torch.stack([o + s for o, s in zip(out, skip)])


@wrong(
    "7.8",
    "the projection is applied whatever the sizes are",
    "Where the sizes agree x is added as it is; your",
)
def residual_always_projects(out, x, project):
    return out + project(x)


@wrong(
    "7.8",
    "where the sizes differ there is no residual",
    "Where the sizes differ nothing is added: there",
)
def residual_only_for_equal_sizes(out, x, project):
    if out.shape[1] == x.shape[1]:
        out = out + x
    return out


@wrong(
    "7.8",
    "add changes the tensor that it is called on",
    "Where the sizes agree the sum is still lost: it",
)
def residual_add_is_lost_too(out, x, project):
    if out.shape[1] != x.shape[1]:
        out = out + project(x)
    else:
        out.add(x)
    return out


@wrong(
    "7.8",
    "the projection takes the place of the output",
    "Where the sizes differ the projection takes the",
)
def residual_projection_replaces_out(out, x, project):
    if out.shape[1] != x.shape[1]:
        out = project(x)
    else:
        out = out + x
    return out


@wrong(
    "7.8",
    "what is added back needs no gradient",
    "no gradient flows back to x, with F = 2 and F'",
)
def residual_detached(out, x, project):
    if out.shape[1] != x.shape[1]:
        return out + project(x)
    return out + x.detach()


@wrong(
    "7.8",
    "a residual is the mean of input and output",
    "The two are averaged; a residual connection",
)
def residual_averaged(out, x, project):
    skip = x if out.shape[1] == x.shape[1] else project(x)
    return (out + skip) / 2


@wrong(
    "7.8",
    "the sizes to compare are the numbers of nodes",
    "Sizes that differ are told by an error or by",
)
def residual_compares_the_nodes(out, x, project):
    if out.shape[0] != x.shape[0]:
        return out + project(x)
    return out + x


@wrong(
    "7.8",
    "only sizes that do not broadcast need a projection",
    "Sizes that differ are told by an error or by",
)
def residual_projects_on_error(out, x, project):
    try:
        return out + x
    except RuntimeError:
        return out + project(x)


@wrong(
    "7.8",
    "the total is what the next layer needs, not the sum",
    "x is returned without what the layer computed.",
)
def residual_returns_what_was_to_be_added(out, x, project):
    if out.shape[1] != x.shape[1]:
        total = project(x)
    else:
        total = x
    out = out + total
    return total
