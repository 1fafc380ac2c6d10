"""Answers to chapter 3's exercises."""

import math
from collections import Counter

import numpy as np
import torch

from answers import right, wrong
from gat_course import dgl_compat


@right("3.1")
def count_with_counter(graph):
    counts = Counter(graph.in_degrees.tolist())
    return [(counts[d], d) for d in sorted(counts) if d > 0]


@right("3.1")
def unique_degrees(graph):
    degrees = graph.in_degrees
    found, counts = degrees[degrees > 0].unique(return_counts=True)
    return list(zip(counts.tolist(), found.tolist()))


@right("3.1")
def bincount_twice(graph):
    degrees = np.bincount(graph.dst.numpy(), minlength=graph.num_nodes)
    counts = np.bincount(degrees)
    return [(int(b), d) for d, b in enumerate(counts) if d and b]


@wrong(
    "3.1",
    "the degree comes first: (D, B)",
    "A pair is (B, D): first the number of targets,",
)
def degree_first(graph):
    counts = Counter(graph.in_degrees.tolist())
    return [(d, counts[d]) for d in sorted(counts) if d > 0]


@wrong(
    "3.1",
    "nodes without messages make a bucket, too",
    "There is a bucket of degree 0: no message, no",
)
def bucket_of_degree_zero(graph):
    counts = Counter(graph.in_degrees.tolist())
    return [(counts[d], d) for d in sorted(counts)]


@wrong(
    "3.1",
    "the largest degree comes first",
    "The order is wrong: smallest degree first.",
)
def largest_degree_first(graph):
    counts = Counter(graph.in_degrees.tolist())
    return [(counts[d], d) for d in sorted(counts, reverse=True) if d > 0]


@wrong(
    "3.1",
    "the degree counts the edges that leave",
    "These are the edges that leave each node, not",
)
def edges_that_leave(graph):
    counts = Counter(torch.bincount(graph.src).tolist())
    return [(counts[d], d) for d in sorted(counts) if d > 0]


@wrong(
    "3.1",
    "a repeated edge brings one message",
    "An edge that occurs twice brings two messages.",
)
def repeated_edges_once(graph):
    degrees = (graph.dense_adjacency() > 0).sum(dim=1)
    counts = Counter(degrees.tolist())
    return [(counts[d], d) for d in sorted(counts) if d > 0]


@wrong(
    "3.1",
    "sorted as pairs, so by B and not by D",
    "The buckets are sorted by their size; smallest",
)
def sorted_as_pairs(graph):
    counts = Counter(graph.in_degrees.tolist())
    return sorted((b, d) for d, b in counts.items() if d > 0)


@wrong(
    "3.1",
    "B is the number of messages in the bucket",
    "The first number is how many targets, not how",
)
def messages_for_targets(graph):
    counts = Counter(graph.in_degrees.tolist())
    return [(counts[d] * d, d) for d in sorted(counts) if d > 0]


@wrong(
    "3.1",
    "one call for each node: B is always 1",
    "Each node is a bucket of its own; nodes of one",
)
def call_for_each_node(graph):
    return [(1, d) for d in sorted(graph.in_degrees.tolist()) if d > 0]


@wrong(
    "3.1",
    "the largest degree is left out by a range",
    "The largest degree is left out: `range` stops",
)
def range_stops_early(graph):
    degrees = graph.in_degrees.tolist()
    buckets = [(degrees.count(d), d) for d in range(1, max(degrees))]
    return [(b, d) for b, d in buckets if b > 0]


@wrong(
    "3.1",
    "A degree is the number of different neighbours",
    "An edge that occurs twice brings two messages.",
)
def buckets_of_neighbours(graph):
    pairs = set(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))
    dst = torch.tensor([i for _, i in pairs], dtype=torch.long)
    degrees, sizes = dst.unique(return_counts=True)[1].unique(return_counts=True)
    return list(zip(sizes.tolist(), degrees.tolist(), strict=True))


@wrong(
    "3.1",
    "Every degree from 1 to the largest has its bucket",
    "Degrees that do not occur have no bucket.",
)
def buckets_without_nodes(graph):
    sizes = torch.bincount(graph.in_degrees).tolist()
    return [(size, degree) for degree, size in enumerate(sizes) if degree > 0]


@right("3.2")
def mean_in_a_scope(g, x):
    fn = dgl_compat.import_dgl().function
    if g.num_edges() == 0:
        return torch.zeros_like(x)
    with g.local_scope():
        g.ndata["x"] = x
        g.update_all(fn.copy_u("x", "m"), fn.mean("m", "mean"))
        return g.ndata["mean"]


@right("3.2")
def mean_on_a_copy(g, x):
    dgl = dgl_compat.import_dgl()
    if g.num_edges() == 0:
        return x.new_zeros(x.shape)
    copy = dgl.graph(g.edges(), num_nodes=g.num_nodes())
    copy.srcdata["h"] = x
    copy.update_all(dgl.function.copy_u("h", "m"), dgl.function.mean("m", "h"))
    return copy.dstdata["h"]


@right("3.2")
def feature_by_feature(g, x):
    fn = dgl_compat.import_dgl().function
    if g.num_edges() == 0:
        return x * 0
    columns = []
    for column in x.split(1, dim=1):
        with g.local_scope():
            g.ndata["column"] = column
            g.update_all(fn.copy_u("column", "m"), fn.mean("m", "out"))
            columns.append(g.ndata["out"])
    return torch.cat(columns, dim=1)


@wrong("3.2", "the messages are summed", "This is the sum of the neighbours, not their")
def sum_of_neighbours(g, x):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.ndata["x"] = x
        g.update_all(fn.copy_u("x", "m"), fn.sum("m", "h"))
        return g.ndata["h"]


@wrong(
    "3.2",
    "the messages run against the edges",
    "Each source averages its targets: the direction",
)
def against_the_edges(g, x):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    back = dgl.reverse(g)
    back.ndata["x"] = x
    back.update_all(fn.copy_u("x", "m"), fn.mean("m", "h"))
    return back.ndata["h"]


@wrong(
    "3.2",
    "input and result stay on the graph",
    "The graph: 'h' stays behind on it. Work in a",
)
def stays_on_the_graph(g, x):
    fn = dgl_compat.import_dgl().function
    g.ndata["x"] = x
    g.update_all(fn.copy_u("x", "m"), fn.mean("m", "h"))
    return g.ndata["h"]


@wrong(
    "3.2",
    "a node is always a neighbour of itself",
    "A self-loop is added; average over the edges",
)
def itself_included(g, x):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    loops = torch.arange(g.num_nodes())
    ends = tuple(torch.cat([end, loops]) for end in g.edges())
    looped = dgl.graph(ends, num_nodes=g.num_nodes())
    looped.ndata["x"] = x
    looped.update_all(fn.copy_u("x", "m"), fn.mean("m", "h"))
    return looped.ndata["h"]


@wrong(
    "3.2",
    "an isolated node keeps its own features",
    "An isolated node keeps its own features; it",
)
def isolated_keeps_its_own(g, x):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.ndata["x"] = x
        g.update_all(fn.copy_u("x", "m"), fn.mean("m", "h"))
        degrees = torch.bincount(g.edges()[1], minlength=g.num_nodes())
        return torch.where(degrees.unsqueeze(1) == 0, x, g.ndata["h"])


@wrong(
    "3.2",
    "the sum is divided by the number of nodes",
    "The sum is divided by the number of all nodes.",
)
def divided_by_all_nodes(g, x):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.ndata["x"] = x
        g.update_all(fn.copy_u("x", "m"), fn.sum("m", "h"))
        return g.ndata["h"] / g.num_nodes()


@wrong(
    "3.2",
    "the largest instead of the mean",
    "This is the largest of the neighbours, not",
)
def largest_of_neighbours(g, x):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.ndata["x"] = x
        g.update_all(fn.copy_u("x", "m"), fn.max("m", "h"))
        return g.ndata["h"]


@wrong(
    "3.2",
    "a neighbour counts once, however often its edge is listed",
    "occurs twice counts once in your answer",
)
def each_neighbour_once(g, x):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    src, dst = torch.stack(g.edges()).unique(dim=1)
    simple = dgl.graph((src, dst), num_nodes=g.num_nodes())
    simple.ndata["x"] = x
    simple.update_all(fn.copy_u("x", "m"), fn.mean("m", "h"))
    return simple.ndata["h"]


@wrong(
    "3.2",
    "the sum over the degree, which is 0/0 at an isolated node",
    "An isolated node gets NaN, 0 / 0; DGL's `mean`",
)
def sum_over_degree(g, x):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.ndata["x"] = x
        g.update_all(fn.copy_u("x", "m"), fn.sum("m", "h"))
        degrees = torch.bincount(g.edges()[1], minlength=g.num_nodes())
        return g.ndata["h"] / degrees.unsqueeze(1)


@wrong(
    "3.2",
    "A node without neighbours keeps its own features",
    "An isolated node keeps its own features; it",
)
def isolated_keeps_itself(g, x):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.ndata["h"] = x
        g.update_all(fn.copy_u("h", "m"), fn.mean("m", "mean"))
        mean = g.ndata["mean"]
    degrees = torch.bincount(g.edges()[1], minlength=len(x))
    return torch.where((degrees == 0)[:, None], x, mean)


@right("3.3")
def all_by_built_ins(g, query, key, value):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    if g.num_edges() == 0:
        return torch.zeros_like(value)
    with g.local_scope():
        g.ndata["q"], g.ndata["k"], g.ndata["v"] = query, key, value
        g.apply_edges(fn.v_dot_u("q", "k", "e"))  # [E, 1]
        scores = g.edata["e"] / math.sqrt(query.shape[1])
        g.edata["alpha"] = dgl.nn.functional.edge_softmax(g, scores)
        g.update_all(fn.u_mul_e("v", "alpha", "m"), fn.sum("m", "h"))
        return g.ndata["h"]


@right("3.3")
def scaled_before_the_product(g, query, key, value):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    if g.num_edges() == 0:
        return value * 0
    own = dgl.graph(g.edges(), num_nodes=g.num_nodes())
    own.dstdata["query"] = query * query.shape[-1] ** -0.5
    own.srcdata["key"] = key
    own.srcdata["value"] = value
    own.apply_edges(fn.u_dot_v("key", "query", "score"))
    own.edata["weight"] = dgl.nn.functional.edge_softmax(own, own.edata["score"])
    own.update_all(fn.u_mul_e("value", "weight", "m"), fn.sum("m", "out"))
    return own.dstdata["out"]


@right("3.3")
def target_by_target(g, query, key, value):
    src, dst = g.edges()
    out = []
    for i in range(g.num_nodes()):
        j = src[dst == i]
        scores = torch.einsum("jd,d->j", key[j], query[i])
        alpha = torch.softmax(scores / math.sqrt(key.shape[1]), dim=0)
        out.append(torch.einsum("j,jd->d", alpha, value[j]))
    return torch.stack(out)


@wrong(
    "3.3",
    "the source asks and the target answers",
    "Query and key are swapped: the target asks, q",
)
def source_asks(g, query, key, value):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    with g.local_scope():
        g.ndata["q"], g.ndata["k"], g.ndata["v"] = query, key, value
        g.apply_edges(fn.u_dot_v("q", "k", "e"))
        scores = g.edata["e"] / math.sqrt(query.shape[1])
        g.edata["alpha"] = dgl.nn.functional.edge_softmax(g, scores)
        g.update_all(fn.u_mul_e("v", "alpha", "m"), fn.sum("m", "h"))
        return g.ndata["h"]


@wrong("3.3", "the scores are not scaled", "The scores are not divided by √d_k.")
def not_scaled(g, query, key, value):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    with g.local_scope():
        g.ndata["q"], g.ndata["k"], g.ndata["v"] = query, key, value
        g.apply_edges(fn.v_dot_u("q", "k", "e"))
        g.edata["alpha"] = dgl.nn.functional.edge_softmax(g, g.edata["e"])
        g.update_all(fn.u_mul_e("v", "alpha", "m"), fn.sum("m", "h"))
        return g.ndata["h"]


@wrong(
    "3.3",
    "the scores are divided by d_k without the root",
    "The scores are divided by d_k; divide by its",
)
def divided_without_root(g, query, key, value):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    with g.local_scope():
        g.ndata["q"], g.ndata["k"], g.ndata["v"] = query, key, value
        g.apply_edges(fn.v_dot_u("q", "k", "e"))
        scores = g.edata["e"] / query.shape[1]
        g.edata["alpha"] = dgl.nn.functional.edge_softmax(g, scores)
        g.update_all(fn.u_mul_e("v", "alpha", "m"), fn.sum("m", "h"))
        return g.ndata["h"]


@wrong(
    "3.3",
    "the root is of the values' width, d_v",
    "√d_k is taken of the values' length, d_v.",
)
def root_of_d_v(g, query, key, value):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    with g.local_scope():
        g.ndata["q"], g.ndata["k"], g.ndata["v"] = query, key, value
        g.apply_edges(fn.v_dot_u("q", "k", "e"))
        scores = g.edata["e"] / math.sqrt(value.shape[1])
        g.edata["alpha"] = dgl.nn.functional.edge_softmax(g, scores)
        g.update_all(fn.u_mul_e("v", "alpha", "m"), fn.sum("m", "h"))
        return g.ndata["h"]


@wrong(
    "3.3",
    "one softmax over all edges of the graph",
    "One softmax runs over all edges of the graph;",
)
def one_softmax_for_all(g, query, key, value):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.ndata["q"], g.ndata["k"], g.ndata["v"] = query, key, value
        g.apply_edges(fn.v_dot_u("q", "k", "e"))
        scores = g.edata["e"] / math.sqrt(query.shape[1])
        g.edata["alpha"] = torch.softmax(scores, dim=0)
        g.update_all(fn.u_mul_e("v", "alpha", "m"), fn.sum("m", "h"))
        return g.ndata["h"]


@wrong(
    "3.3",
    "the softmax runs over the targets of a source",
    "Weights sum to 1 around each source; they",
)
def softmax_around_sources(g, query, key, value):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    with g.local_scope():
        g.ndata["q"], g.ndata["k"], g.ndata["v"] = query, key, value
        g.apply_edges(fn.v_dot_u("q", "k", "e"))
        scores = g.edata["e"] / math.sqrt(query.shape[1])
        back = dgl.reverse(g)
        g.edata["alpha"] = dgl.nn.functional.edge_softmax(back, scores)
        g.update_all(fn.u_mul_e("v", "alpha", "m"), fn.sum("m", "h"))
        return g.ndata["h"]


@wrong(
    "3.3",
    "v in a built-in's name is the value, so the target's is taken",
    "What is averaged is the target's own value; the",
)
def v_is_the_value(g, query, key, value):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    with g.local_scope():
        g.ndata["q"], g.ndata["k"], g.ndata["v"] = query, key, value
        g.apply_edges(fn.v_dot_u("q", "k", "e"))
        scores = g.edata["e"] / math.sqrt(query.shape[1])
        g.edata["alpha"] = dgl.nn.functional.edge_softmax(g, scores)
        g.update_all(fn.v_mul_e("v", "alpha", "m"), fn.sum("m", "h"))
        return g.ndata["h"]


@wrong(
    "3.3",
    "LeakyReLU bends the scores, as in GAT",
    "LeakyReLU is applied to the scores; dot",
)
def bent_scores(g, query, key, value):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    with g.local_scope():
        g.ndata["q"], g.ndata["k"], g.ndata["v"] = query, key, value
        g.apply_edges(fn.v_dot_u("q", "k", "e"))
        scores = g.edata["e"] / math.sqrt(query.shape[1])
        scores = torch.nn.functional.leaky_relu(scores, 0.2)
        g.edata["alpha"] = dgl.nn.functional.edge_softmax(g, scores)
        g.update_all(fn.u_mul_e("v", "alpha", "m"), fn.sum("m", "h"))
        return g.ndata["h"]


@wrong(
    "3.3",
    "the weighted values are averaged, not summed",
    "The weighted values are averaged; equation (4)",
)
def mean_of_weighted(g, query, key, value):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    with g.local_scope():
        g.ndata["q"], g.ndata["k"], g.ndata["v"] = query, key, value
        g.apply_edges(fn.v_dot_u("q", "k", "e"))
        scores = g.edata["e"] / math.sqrt(query.shape[1])
        g.edata["alpha"] = dgl.nn.functional.edge_softmax(g, scores)
        g.update_all(fn.u_mul_e("v", "alpha", "m"), fn.mean("m", "h"))
        return g.ndata["h"]


@wrong(
    "3.3",
    "The length under the root is that of the vectors that are averaged",
    "√d_k is taken of the values' length, d_v.",
)
def root_of_the_values(g, query, key, value):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    with g.local_scope():
        g.ndata.update({"q": query, "k": key, "v": value})
        g.apply_edges(fn.v_dot_u("q", "k", "e"))
        scores = g.edata["e"] / math.sqrt(value.shape[1])
        g.edata["a"] = dgl.nn.functional.edge_softmax(g, scores)
        g.update_all(fn.u_mul_e("v", "a", "m"), fn.sum("m", "out"))
        return g.ndata["out"]


@wrong(
    "3.3",
    "v is the value's side, so the query stands on u",
    "Query and key are swapped: the target asks, q",
)
def query_on_the_source(g, query, key, value):
    dgl = dgl_compat.import_dgl()
    src, dst = g.edges()
    scores = (query[src] * key[dst]).sum(dim=1, keepdim=True) / key.shape[1] ** 0.5
    alpha = dgl.nn.functional.edge_softmax(g, scores)
    return torch.zeros(len(query), value.shape[1]).index_add(0, dst, alpha * value[src])


@right("3.4")
def softmax_in_a_scope(g, scores):
    fn = dgl_compat.import_dgl().function
    if g.num_edges() == 0:
        return scores.clone()
    with g.local_scope():
        g.edata["e"] = scores
        g.update_all(fn.copy_e("e", "m"), fn.max("m", "largest"))
        g.apply_edges(fn.e_sub_v("e", "largest", "e"))
        g.edata["e"] = torch.exp(g.edata["e"])
        g.update_all(fn.copy_e("e", "m"), fn.sum("m", "total"))
        g.apply_edges(fn.e_div_v("e", "total", "alpha"))
        return g.edata["alpha"]


@right("3.4")
def softmax_on_a_copy(g, scores):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    if g.num_edges() == 0:
        return torch.zeros_like(scores)
    own = dgl.graph(g.edges(), num_nodes=g.num_nodes())

    def with_target(reduce, combine, numbers):
        own.edata["in"] = numbers
        own.update_all(fn.copy_e("in", "m"), reduce("m", "of_target"))
        own.apply_edges(combine("in", "of_target", "out"))
        return own.edata["out"]

    shifted = with_target(fn.max, fn.e_sub_v, scores)
    return with_target(fn.sum, fn.e_div_v, shifted.exp())


@right("3.4")
def softmax_head_by_head(g, scores):
    fn = dgl_compat.import_dgl().function
    if g.num_edges() == 0:
        return scores * 0
    heads = []
    with g.local_scope():
        for head in scores.unbind(dim=1):  # [E]
            g.edata["s"] = head.contiguous()
            g.update_all(fn.copy_e("s", "m"), fn.max("m", "top"))
            g.apply_edges(fn.e_sub_v("s", "top", "d"))
            g.edata["w"] = g.edata["d"].exp()
            g.update_all(fn.copy_e("w", "m"), fn.sum("m", "sum"))
            g.apply_edges(fn.e_div_v("w", "sum", "a"))
            heads.append(g.edata["a"])
    return torch.stack(heads, dim=1)


@wrong(
    "3.4",
    "the largest score of the whole graph is subtracted",
    "What is subtracted is the largest score of the",
)
def largest_of_the_graph(g, scores):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.edata["e"] = torch.exp(scores - scores.max())
        g.update_all(fn.copy_e("e", "m"), fn.sum("m", "total"))
        g.apply_edges(fn.e_div_v("e", "total", "alpha"))
        return g.edata["alpha"]


@wrong("3.4", "nothing is subtracted", "Nothing is subtracted before the exponential:")
def exp_as_it_stands(g, scores):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.edata["e"] = torch.exp(scores)
        g.update_all(fn.copy_e("e", "m"), fn.sum("m", "total"))
        g.apply_edges(fn.e_div_v("e", "total", "alpha"))
        return g.edata["alpha"]


@wrong(
    "3.4",
    "dimension 1 holds the messages, as in a mailbox",
    "The softmax runs over the heads of an edge; it",
)
def dimension_of_a_mailbox(g, scores):
    return torch.softmax(scores, dim=1)


@wrong(
    "3.4", "one softmax over all edges", "One softmax runs over all edges of the graph;"
)
def over_all_edges(g, scores):
    return torch.softmax(scores, dim=0)


@wrong(
    "3.4",
    "the softmax runs around each source",
    "Weights sum to 1 around each source; they",
)
def around_each_source(g, scores):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    back = dgl.reverse(g)
    back.edata["e"] = scores
    back.update_all(fn.copy_e("e", "m"), fn.max("m", "largest"))
    back.apply_edges(fn.e_sub_v("e", "largest", "e"))
    back.edata["e"] = torch.exp(back.edata["e"])
    back.update_all(fn.copy_e("e", "m"), fn.sum("m", "total"))
    back.apply_edges(fn.e_div_v("e", "total", "alpha"))
    return back.edata["alpha"]


@wrong(
    "3.4",
    "one largest score for all heads of a target",
    "What is subtracted is one number for all heads",
)
def largest_of_all_heads(g, scores):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.edata["e"] = scores
        g.edata["top"] = scores.amax(dim=1, keepdim=True)
        g.update_all(fn.copy_e("top", "m"), fn.max("m", "largest"))
        g.apply_edges(fn.e_sub_v("e", "largest", "e"))
        g.edata["e"] = torch.exp(g.edata["e"])
        g.update_all(fn.copy_e("e", "m"), fn.sum("m", "total"))
        g.apply_edges(fn.e_div_v("e", "total", "alpha"))
        return g.edata["alpha"]


@wrong(
    "3.4",
    "the differences are divided by their sum, without exp",
    "The exponential is missing: the largest score",
)
def without_exp(g, scores):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.edata["e"] = scores
        g.update_all(fn.copy_e("e", "m"), fn.max("m", "largest"))
        g.apply_edges(fn.e_sub_v("e", "largest", "e"))
        g.update_all(fn.copy_e("e", "m"), fn.sum("m", "total"))
        g.apply_edges(fn.e_div_v("e", "total", "alpha"))
        return g.edata["alpha"]


@wrong(
    "3.4",
    "the smallest score is subtracted, so large ones overflow",
    "What is subtracted is the mean of a",
)
def smallest_subtracted(g, scores):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.edata["e"] = scores
        g.update_all(fn.copy_e("e", "m"), fn.min("m", "smallest"))
        g.apply_edges(fn.e_sub_v("e", "smallest", "e"))
        g.edata["e"] = torch.exp(g.edata["e"])
        g.update_all(fn.copy_e("e", "m"), fn.sum("m", "total"))
        g.apply_edges(fn.e_div_v("e", "total", "alpha"))
        return g.edata["alpha"]


@wrong(
    "3.4",
    "the largest is subtracted from the scores in place",
    "You write into `scores`, which you are given:",
)
def scores_changed(g, scores):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.edata["e"] = scores
        g.update_all(fn.copy_e("e", "m"), fn.max("m", "largest"))
        scores -= g.ndata["largest"][g.edges()[1]]
        g.edata["e"] = scores.exp()
        g.update_all(fn.copy_e("e", "m"), fn.sum("m", "total"))
        g.apply_edges(fn.e_div_v("e", "total", "alpha"))
        return g.edata["alpha"]


@wrong(
    "3.4",
    "The softmax does not mind shifts, so the mean may be subtracted",
    "What is subtracted is the mean of a",
)
def mean_subtracted(g, scores):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.edata["s"] = scores
        g.update_all(fn.copy_e("s", "m"), fn.mean("m", "mean"))
        g.apply_edges(fn.e_sub_v("s", "mean", "s"))
        g.edata["s"] = torch.exp(g.edata["s"])
        g.update_all(fn.copy_e("s", "m"), fn.sum("m", "total"))
        g.apply_edges(fn.e_div_v("s", "total", "a"))
        return g.edata["a"]


@right("3.5")
def messages_run_back(g, alpha):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    if g.num_edges() == 0:
        return alpha.new_zeros(g.num_nodes(), alpha.shape[1])
    src, dst = g.edges()
    back = dgl.graph((dst, src), num_nodes=g.num_nodes())
    back.edata["alpha"] = alpha
    back.update_all(fn.copy_e("alpha", "m"), fn.sum("m", "received"))
    return back.ndata["received"]


@right("3.5")
def added_by_index(g, alpha):
    zeros = alpha.new_zeros(g.num_nodes(), alpha.shape[1])
    return zeros.index_add(0, g.edges()[0], alpha)


@right("3.5")
def added_by_numpy(g, alpha):
    out = np.zeros((g.num_nodes(), alpha.shape[1]))
    np.add.at(out, g.edges()[0].numpy(), alpha.detach().numpy())
    return torch.from_numpy(out).to(alpha.dtype)


@wrong(
    "3.5",
    "the weights are summed at the targets, where they make one",
    "This is what each target hands out, which is 1.",
)
def summed_at_targets(g, alpha):
    fn = dgl_compat.import_dgl().function
    with g.local_scope():
        g.edata["alpha"] = alpha
        g.update_all(fn.copy_e("alpha", "m"), fn.sum("m", "h"))
        return g.ndata["h"]


@wrong(
    "3.5",
    "out[src] += alpha adds up all edges of a source",
    "`out[src] += …` keeps one edge of each source:",
)
def plus_equals_by_index(g, alpha):
    out = alpha.new_zeros(g.num_nodes(), alpha.shape[1])
    out[g.edges()[0]] += alpha
    return out


@wrong(
    "3.5",
    "the mean over a source's edges",
    "This is the mean over a source's edges; their",
)
def mean_over_edges(g, alpha):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    back = dgl.reverse(g)
    back.edata["alpha"] = alpha
    back.update_all(fn.copy_e("alpha", "m"), fn.mean("m", "h"))
    return back.ndata["h"]


@wrong(
    "3.5",
    "listening to oneself does not count",
    "What a node gives itself is left out: a",
)
def without_self_loops(g, alpha):
    src, dst = g.edges()
    others = src != dst
    zeros = alpha.new_zeros(g.num_nodes(), alpha.shape[1])
    return zeros.index_add(0, src[others], alpha[others])


@wrong(
    "3.5",
    "the heads are summed, too",
    "The heads are added up; each head is asked for.",
)
def heads_summed(g, alpha):
    zeros = alpha.new_zeros(g.num_nodes())
    return zeros.index_add(0, g.edges()[0], alpha.sum(dim=1))


@wrong(
    "3.5",
    "the last node that sends is the last node",
    "The last rows are missing: all are asked for,",
)
def last_sender_is_last_node(g, alpha):
    src = g.edges()[0]
    zeros = alpha.new_zeros(int(src.max()) + 1, alpha.shape[1])
    return zeros.index_add(0, src, alpha)


@wrong(
    "3.5",
    "the largest weight that a source receives",
    "This is the largest weight that a source gets;",
)
def largest_weight(g, alpha):
    dgl = dgl_compat.import_dgl()
    fn = dgl.function
    back = dgl.reverse(g)
    back.edata["alpha"] = alpha
    back.update_all(fn.copy_e("alpha", "m"), fn.max("m", "h"))
    return back.ndata["h"]


@wrong(
    "3.5",
    "entered in a matrix, where a repeated edge overwrites itself",
    "Of an edge that occurs twice the last one alone",
)
def through_a_matrix(g, alpha):
    n = g.num_nodes()
    src, dst = g.edges()
    matrix = alpha.new_zeros(n, n, alpha.shape[1])
    matrix[dst, src] = alpha
    return matrix.sum(dim=0)


@wrong(
    "3.5",
    "the shares of all sources sum to one",
    "It is divided by the sum over all sources.",
)
def shares_of_all(g, alpha):
    zeros = alpha.new_zeros(g.num_nodes(), alpha.shape[1])
    received = zeros.index_add(0, g.edges()[0], alpha)
    return received / received.sum(dim=0)


@wrong(
    "3.5",
    "Nobody listens to himself: self-loops are left out",
    "What a node gives itself is left out: a",
)
def not_to_oneself(g, alpha):
    src, dst = g.edges()
    others = src != dst
    out = torch.zeros(g.num_nodes(), alpha.shape[1])
    return out.index_add(0, src[others], alpha[others])


@wrong(
    "3.5",
    "What a source receives is divided by the number of its listeners",
    "This is the mean over a source's edges; their",
)
def mean_of_the_listeners(g, alpha):
    src, _ = g.edges()
    total = torch.zeros(g.num_nodes(), alpha.shape[1]).index_add(0, src, alpha)
    listeners = torch.bincount(src, minlength=g.num_nodes()).clamp(min=1)
    return total / listeners[:, None]


@right("3.7")
def reduce_over_the_mailbox(score, message):
    alpha = torch.softmax(score, dim=1)
    return (alpha.unsqueeze(-1) * message).sum(dim=1)


@right("3.7")
def reduce_with_einsum(score, message):
    p = (score - score.max(dim=1, keepdim=True).values).exp()
    return torch.einsum("bdk,bdkf->bkf", p / p.sum(dim=1, keepdim=True), message)


@right("3.7")
def reduce_node_by_node_head_by_head(score, message):
    nodes = []
    for s, m in zip(score, message):
        heads = [torch.softmax(s[:, k], 0) @ m[:, k] for k in range(s.shape[1])]
        nodes.append(torch.stack(heads))
    return torch.stack(nodes)


@wrong(
    "3.7",
    "the last dimension of the scores is the one to normalise",
    "The softmax runs over dimension 2, the heads;",
)
def reduce_softmax_over_heads(score, message):
    alpha = torch.softmax(score, dim=-1)
    return (alpha.unsqueeze(-1) * message).sum(dim=1)


@wrong(
    "3.7",
    "softmax and sum belonged to each other's dimension",
    "The sum still runs over dimension 0, the",
)
def reduce_swaps_both_dimensions(score, message):
    alpha = torch.softmax(score, dim=1)
    return (alpha.unsqueeze(-1) * message).sum(dim=0)


@wrong(
    "3.7",
    "the weighted messages are averaged",
    "It is the mean of the weighted messages;",
)
def reduce_with_a_mean(score, message):
    alpha = torch.softmax(score, dim=1)
    return (alpha.unsqueeze(-1) * message).mean(dim=1)


@wrong(
    "3.7",
    "all scores of a node, of all heads, sum to one together",
    "One softmax runs over the messages and heads of",
)
def reduce_softmax_over_edges_and_heads(score, message):
    alpha = torch.softmax(score.flatten(1), dim=1).view_as(score)
    return (alpha.unsqueeze(-1) * message).sum(dim=1)


@wrong(
    "3.7",
    "softmax over -1 still means the messages after unsqueeze",
    "The weights are left out: messages are added up.",
)
def reduce_unsqueezes_before_the_softmax(score, message):
    alpha = torch.softmax(score.unsqueeze(-1), dim=-1)
    return (alpha * message).sum(dim=1)


@wrong(
    "3.7",
    "exp over the sum is safe without taking the largest off",
    "Nothing is subtracted before the exponential:",
)
def reduce_without_the_largest(score, message):
    p = torch.exp(score)
    alpha = p / p.sum(dim=1, keepdim=True)
    return (alpha.unsqueeze(-1) * message).sum(dim=1)


@wrong(
    "3.7",
    "dividing the scores by their sum is enough",
    "The exponential is missing: scores are divided",
)
def reduce_without_exp(score, message):
    alpha = score / score.sum(dim=1, keepdim=True)
    return (alpha.unsqueeze(-1) * message).sum(dim=1)


@wrong(
    "3.7",
    "the largest score of the whole bucket may be subtracted everywhere",
    "What is subtracted before the exponential is",
)
def reduce_with_one_largest_for_all(score, message):
    p = torch.exp(score - score.max())
    alpha = p / p.sum(dim=1, keepdim=True)
    return (alpha.unsqueeze(-1) * message).sum(dim=1)


@wrong(
    "3.7",
    "heads share the mean of their weights",
    "The weights are averaged over the heads; each",
)
def reduce_with_weights_averaged_over_heads(score, message):
    alpha = torch.softmax(score, dim=1).mean(dim=2, keepdim=True)
    return (alpha.unsqueeze(-1) * message).sum(dim=1)
