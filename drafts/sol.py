exec(open('/tmp/ch/a.py').read().split('md(r"""\n# 10 Making')[0])
md(r"""
# Solutions to chapter 10: Making it large

These are worked solutions to the exercises of [chapter 10](../10-large.ipynb). Try each exercise first: the checks there tell you what is wrong without giving the answer away.
""")
code(r"""
import itertools
import time

import pandas as pd
import torch

from gat_course import (
    batch_graphs,
    checks,
    dgl_compat,
    load_ppi,
    measure,
    partition,
    power_law_graph,
    sampling,
)
from gat_course.distributed import machines

torch.set_num_threads(1)
torch.set_printoptions(precision=3, sci_mode=False)
""")
code(r"""
NODES, EDGES = 100_000, 2_000_000  # of the graph of 10.2
DRAWS = 20_000  # in 10.2
""", test="NODES, EDGES = 3_000, 40_000\nDRAWS = 4_000")
md(r"""
## 10.1 How far can it go?

*How many nodes' features are read for a batch?*

The last layer computes the targets. It reads them and `fanout` neighbours of each: $1+\text{fanout}$ times as many nodes. All of these are computed by the layer before, which reads $1+\text{fanout}$ times as many again. So the factors multiply, and their order makes no difference.
""")
code(r"""
def nodes_read(batch, fanouts):
    for fanout in fanouts:
        batch *= 1 + fanout
    return batch


checks.exercise("10.1", nodes_read);
""")
code(r"""
rows = {}
for fanouts in ([10, 10], [15, 10, 5], [5, 5, 5, 5]):
    rows[str(fanouts)] = nodes_read(1, fanouts), sum(fanouts)
print("nodes read for one target, and the sum of the fan-outs")
pd.DataFrame(rows, ["product", "sum"]).T
""")
md(r"""
A real batch reads fewer, as its targets share neighbours. The slips: the targets left out, as if a node were not read for itself; and a layer's draws counted for the targets alone, not for all that the layer after it reads.
""")
code(r"""
def without_itself(batch, fanouts):
    for fanout in fanouts:
        batch *= fanout
    return batch


def for_the_targets_alone(batch, fanouts):
    return batch + sum(batch * fanout for fanout in fanouts)


for answer in (without_itself, for_the_targets_alone):
    checks.exercise("10.1", answer)
""")
md(r"""
## 10.2 Another way to draw

*Keep of each target the `fanout` edges with the smallest keys.*

Sort the edges by target and, within a target, by key. An edge's rank is then its place less the place where its target begins.
""")
code(r"""
def keep_smallest(dst, key, num_nodes, fanout):
    order = key.argsort()
    order = order[dst[order].argsort(stable=True)]  # by target, then by key
    degree = torch.bincount(dst, minlength=num_nodes)
    begin = degree.cumsum(0) - degree
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(dst)) - begin[dst[order]]
    return rank < fanout


checks.exercise("10.2", keep_smallest);
""")
md(r"""
Every choice is equally likely, because every order of the keys is: of a node's edges, each set of $k$ is as often the $k$ smallest as any other. We count how often each of six edges is kept, in twenty thousand draws of two:
""")
code(r"""
torch.manual_seed(0)
dst = torch.zeros(6, dtype=torch.int64)
kept = torch.zeros(6)
for _ in range(DRAWS):
    kept += keep_smallest(dst, torch.rand(6), 1, 2)
print("kept, share of the draws:", kept / DRAWS)
print(f"expected: {2 / 6:.3f}")
""")
md(r"""
What does it cost? It gives **every** edge a key and sorts them all, though a batch asks for a few targets. Floyd's way looks at the rows of the targets alone, and of a hub's row at $k$ places.
""")
code(r"""
graph = power_law_graph(NODES, EDGES)
rows_of_graph = sampling.rows_of(graph)
targets = torch.randperm(graph.num_nodes)[:1000]


def with_keys():
    key = torch.rand(graph.num_edges)
    return keep_smallest(graph.dst, key, graph.num_nodes, 10)


def with_floyd():
    return sampling.draw(rows_of_graph.starts, targets, 10)


took = measure.seconds({"keys": with_keys, "Floyd": with_floyd}, 3)
for name, seconds in took.items():
    print(f"{name:6}{1e3 * seconds:8.1f} ms")
""", out=True)
md(r"""
Keys are for drawing from all rows at once, as when a graph is thinned out for good. (One could look at the targets' edges alone; a hub among them would still be sorted whole.) The slips: one draw over all edges instead of one for each target, and the largest keys in place of the smallest.
""")
code(r"""
def over_all_edges(dst, key, num_nodes, fanout):
    return key.argsort().argsort() < fanout


def largest_keys(dst, key, num_nodes, fanout):
    return keep_smallest(dst, -key, num_nodes, fanout)


for answer in (over_all_edges, largest_keys):
    checks.exercise("10.2", answer)
""")
md(r"""
## 10.3 What attention loses

*What does the attention of a draw give on average over all draws?*

Take each draw, compute its softmax over what was drawn, and average.
""")
code(r"""
def expected_mean(scores, values, k):
    draws = itertools.combinations(range(len(scores)), k)
    means = [
        scores[list(own)].softmax(0) @ values[list(own)] for own in draws
    ]
    return torch.stack(means).mean()


checks.exercise("10.3", expected_mean);
""")
code(r"""
torch.manual_seed(0)
values = torch.randn(8)
rows = {}
for name, spread in (("uniform scores", 0.0), ("uneven scores", 2.0)):
    scores = spread * torch.randn(8)
    whole = float(scores.softmax(0) @ values)
    rows[name] = [whole]
    rows[name] += [float(expected_mean(scores, values, k)) for k in (1, 2, 4, 7)]
columns = ["all 8", *(f"{k} drawn" for k in (1, 2, 4, 7))]
pd.DataFrame(rows, columns).T.round(3)
""")
md(r"""
With uniform scores a draw is right on average: that is GraphSAGE's mean. With uneven ones it is not. One neighbour drawn gets all the weight, whatever its score, so the average is the plain mean of the values; the more are drawn, the nearer it comes to attention over all. Sampled attention is pulled towards no attention. Training sees that pull, testing on all edges does not.

The slips: the weights of the whole neighbourhood taken over (a draw's weights then sum to less than 1), and all draws put into one softmax.
""")
code(r"""
def old_weights(scores, values, k):
    alpha = scores.softmax(0)
    draws = itertools.combinations(range(len(scores)), k)
    sums = [alpha[list(own)] @ values[list(own)] for own in draws]
    return torch.stack(sums).mean()


def all_neighbours(scores, values, k):
    return scores.softmax(0) @ values


for answer in (old_weights, all_neighbours):
    checks.exercise("10.3", answer)
""")
md(r"""
## 10.4 Uneven shares

*The mean gradient of a batch from the mean gradients of its shares.*

A mean over the batch is a sum divided by the batch's size, and a share's mean times its size is its sum.
""")
code(r"""
def combine(gradients, sizes):
    total = sum(sizes)
    return sum(g * (n / total) for g, n in zip(gradients, sizes))


checks.exercise("10.4", combine);
""")
md(r"""
`DistributedDataParallel` divides by the number of processes instead, which is the same where all shares are as large as each other. Libraries make them so by dropping the last nodes or by showing some twice. The course's `fit_sampled` scales the loss.
""")
code(r"""
def plain_mean(gradients, sizes):
    return sum(gradients) / len(gradients)


def plain_sum(gradients, sizes):
    return sum(gradients)


for answer in (plain_mean, plain_sum):
    checks.exercise("10.4", answer)
""")
md(r"""
## 10.5 Cut while you read

*Put each node for good into the part that holds most of its placed neighbours, times that part's free share.*

One loop over the nodes. A part that is full has free share 0, so it is never better than one with room; ties, as for the first node, go to the part with most room.
""")
code(r"""
def cut_in_a_stream(graph, num_parts):
    most = -(-graph.num_nodes // num_parts)
    part = torch.full((graph.num_nodes,), -1)
    sizes = torch.zeros(num_parts)
    starts = graph.by_target.starts.tolist()
    for node in range(graph.num_nodes):
        near = part[graph.src[starts[node] : starts[node + 1]]]
        placed = near[near >= 0]
        free = 1 - sizes / most
        friends = torch.bincount(placed, minlength=num_parts)
        score = friends * free + 1e-6 * free  # ties: most room
        score[sizes >= most] = -1.0
        best = int(score.argmax())
        part[node] = best
        sizes[best] += 1
    return part


checks.exercise("10.5", cut_in_a_stream);
""")
code(r"""
tissues = load_ppi(fallback="synthetic", labels="GO-2022")
ppi = batch_graphs(tissues.graphs)
start = time.perf_counter()
parts = {"in a stream": cut_in_a_stream(ppi, 4)}
seconds = time.perf_counter() - start
shuffled = torch.randperm(ppi.num_nodes)
mixed = ppi.subgraph(shuffled)
place = shuffled.argsort()  # back to the old numbers
parts["in a stream, shuffled"] = cut_in_a_stream(mixed, 4)[place]
if dgl_compat.has_dgl():
    parts["METIS"] = machines.metis(ppi, 4)
print(f"{tissues.name} as one graph, 4 parts; one stream: {seconds:.0f} s")
for name, part in parts.items():
    print(f"{name:22} cut {partition.edge_cut(ppi, part):6.1%}")
""", out=True)
md(r"""
The order matters: in the order of its numbers PPI's tissues arrive one after the other, and a tissue's nodes follow their neighbours. Shuffled, the first nodes of all tissues are spread before anybody has a neighbour to follow. METIS looks at the whole graph and does not care. A stream is for graphs that nobody can look at whole.

A part that is filled without looking at neighbours cuts as a random choice does:
""")
code(r"""
def fill_up(graph, num_parts):
    most = -(-graph.num_nodes // num_parts)
    return torch.randperm(graph.num_nodes) // most


def all_in_one(graph, num_parts):
    return torch.zeros(graph.num_nodes, dtype=torch.int64)


for answer in (fill_up, all_in_one):
    checks.exercise("10.5", answer)
""")
md(r"""
## 10.6 Your own graph

There is no one answer. A good plan names four numbers before it names a system: the bytes of the graph, the bytes of a step, the rows that a batch reads, and how many of them come from elsewhere. A good measurement is of one of these, on a part that is small enough and not so small that a cache hides the cost. And a good end is often: it fits on one machine.
""")
nb=new_notebook(cells=cells)
for i,c in enumerate(nb.cells): c["id"]=f"s10-{i:03d}"
nb.metadata["kernelspec"]={"display_name":"Python 3","language":"python","name":"python3"}
nbf.write(nb, '/work/main/book/solutions/10-large.ipynb')
