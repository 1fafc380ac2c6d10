md(r"""
## On paper

Now we size what we cannot run. **ogbn-papers100M** has 111,059,956 papers, 1,615,685,872 citations (each becomes two edges), 128 features, and about 1.2 million papers to train on (Hu et al., 2020). Beside it a graph a thousand times as large. The result is a **lower bound** on machines and time; these are its assumptions:

| assumption | value | from |
|---|---|---|
| a target reads | 121 rows | the cap of fan-outs 10, 10: on a large graph few are met twice |
| time for a target | that of the table of batches, fan-out 10 | measured here, with 32 features |
| rows from other machines | 23 %, at worst $(P-1)/P$ | measured with two machines; parts at random |
| ids | 64 bits | $2^{31}$ edges are exceeded |
| batch | 1,000 targets a machine | assumed; whether it then converges as well, nobody knows |
| a machine | 32 cores that scale perfectly, 10 Gbit/s, 30 % of its memory to work in | assumed |
""")
code(r"""
alike = (speed["graph"] == "power law") & (speed["fanout"] == 10)
TARGET = speed[alike]["ours, trained"].mean() / 1e6  # s a target, one core
OTHERS = sent[sent["method"] == "metis"]["share"].mean() / 100
ROWS, BATCH, CORES = 11 * 11, 1_000, 32
NETWORK, WORK = 10e9 / 8, 0.3  # bytes a second; share of memory


def plan(nodes, edges, features, train, machine_memory):
    held = nodes * (4 * features + 25) + edges * (16 + 2 * 24)
    number = -int(-held // ((1 - WORK) * machine_memory))
    steps = -(-train // (BATCH * number))
    computing = BATCH * TARGET / CORES
    least, most = (
        BATCH * ROWS * 4 * features * share / NETWORK * (number > 1)
        for share in (OTHERS, (number - 1) / number)
    )
    return {
        "graph and features, TB": held / 1e12,
        "machines": number,
        "steps an epoch": steps,
        "computing a step, ms": 1e3 * computing,
        "receiving, 23 %, ms": 1e3 * least,
        "receiving, at worst, ms": 1e3 * most,
        "an epoch at least, s": steps * max(computing, least),
        "at worst, s": steps * (computing + most),
    }


PAPERS = 111_059_956, 2 * 1_615_685_872, 128, 1_200_000
BIGGER = 1_000 * PAPERS[0], 1_000 * PAPERS[1], 128, 1_000 * PAPERS[3]
""")
code(r"""
rows = {
    "papers100M, 512 GB": plan(*PAPERS, 512e9),
    "papers100M, 64 GB": plan(*PAPERS, 64e9),
    "times 1,000, 512 GB": plan(*BIGGER, 512e9),
    "times 1,000, 2 TB": plan(*BIGGER, 2e12),
}
table = pd.DataFrame(rows)
hours = table.loc["machines"] * table.loc["at worst, s"] / 3600
table.loc["machine-hours an epoch, at worst"] = hours
table.astype(object).map(lambda value: f"{value:,.3g}")
""")
md(r"""
TEXT_PAPER

What breaks first, in this order:

| what | where | who solved it |
|---|---|---|
| the memory of a step | full batch, at some six million nodes on 24 GB | draws, and the other ways of the table above |
| 32-bit numbers | $2^{31}$ edges; in full batch $2^{31}$ edges times heads | 64-bit ids, or smaller parts |
| the memory of one machine | graph and features, some hundred million nodes | parts and servers: DistDGL trains on 100 million nodes and 3 billion edges with 16 machines in 13 seconds an epoch (Zheng et al., 2020). Or a disk: MariusGNN, on one machine (Waleffe et al., 2023) |
| the network | where receiving takes longer than computing | better cuts, hubs kept on every machine, smaller fan-outs, 16-bit features |
| cutting the graph | METIS wants the whole graph in one memory | cutters for a trillion edges: XtraPuLP (Slota et al., 2017); TeraPart, on one machine with about 900 GiB (Salwasser et al., 2024) |
| drawing anew | where many models are trained on one graph | draw once, into tables: GiGL at Snap (Zhao et al., 2025) |

Go down this list only as far as you must.

### With PyG

PyG has the same parts. Its `NeighborLoader` and `ClusterData` need a compiled library, pyg-lib (or torch-sparse, which it gives up), that is not in Python's package index but in PyG's own ([its installation page](https://pytorch-geometric.readthedocs.io/en/latest/install/installation.html) has the URL for each version of PyTorch and CUDA):

```python
# pip install pyg-lib -f URL, with PyG's URL for your PyTorch and CUDA
from torch_geometric.loader import NeighborLoader

loader = NeighborLoader(
    data, num_neighbors=[10, 10], batch_size=512, input_nodes=data.train_mask
)
for batch in loader:  # one graph for all layers, its targets first
    out = model(batch.x, batch.edge_index)[: batch.batch_size]
```

We could not run these lines here. Mind the order: `num_neighbors` begins at the targets, our fan-outs and DGL's at the first layer.

On a GPU the graph usually stays in the CPU's memory, and each batch's rows travel; libraries draw the next batches in worker processes meanwhile. `fit_sampled` brings batches to the model's device, one after the other; we had no GPU to try it.

## Summary

- Count tables, and you know what a step holds: within a quarter for the process, from ten thousand edges to a hundred million.
- Fan-outs bound what a step reads. Five of twenty edges a node cost no accuracy here, one costs much; attention over a draw is biased.
- Validate and test on all edges, layer by layer.
- In several processes each takes its share of the same batch; after one is killed, the checkpoint goes on to the same digits.
- Over machines, what counts is which rows others hold: look at your data, then cut.
- Go only as far as you must: a step, a process, a machine, in this order.

## Exercises

Starter cells run as they are and say "not done yet". Solutions are at the end of the book.

**10.1 (warm-up) How far can it go?** A batch of `batch` targets, and a list of fan-outs, the first layer's first. Every node has more neighbours than any fan-out, and no neighbour is drawn twice. How many nodes' features are read? Return one number. (A layer also reads the nodes that it computes.)
""")
code(r"""
def nodes_read(batch, fanouts):
    pass  # your code


checks.exercise("10.1", nodes_read);
""")
md(r"""
**10.2 Another way to draw.** Each edge has a random key, `key` `[E]`, all different. Keep of each target the `fanout` edges with the smallest keys, or all where it has fewer. `dst` `[E]`, in any order, names the targets, nodes 0 to `num_nodes` - 1. Return which edges are kept, bool `[E]`. Why is every choice equally likely? What does it cost beside Floyd's way?
""")
code(r"""
def keep_smallest(dst, key, num_nodes, fanout):
    pass  # your code: True for the edges that are kept


checks.exercise("10.2", keep_smallest);
""")
md(r"""
**10.3 What attention loses.** A target has neighbours with scores `scores` `[n]` and values `values` `[n]`. A draw of `k` of them, from 1 to $n$, all choices equally likely, gives the mean of the drawn values, weighted by the softmax of the drawn scores. What does it give on average over all draws? Return one number. (`itertools.combinations` lists the draws.) Then compare it with attention over all neighbours. For which scores are they equal?
""")
code(r"""
def expected_mean(scores, values, k):
    pass  # your code


checks.exercise("10.3", expected_mean);
""")
md(r"""
**10.4 Uneven shares.** The processes of a job return the mean gradients of their shares, a list of tensors, and the sizes of the shares, a list of numbers. Return the mean gradient of the whole batch.
""")
code(r"""
def combine(gradients, sizes):
    pass  # your code


checks.exercise("10.4", combine);
""")
md(r"""
**10.5 Cut while you read.** Go through the nodes once, in any order, and put each into a part for good: the one with the largest (placed sources in it) × (1 − size / most), where most is $\lceil N/P\rceil$; ties, and nodes none of whose sources is placed, go to the smallest part. No part may have more than most. Return the part of each node, `[N]`. (This is linear deterministic greedy; Stanton and Kliot, 2012.) How close does it come to METIS on PPI as one graph, and after its nodes are shuffled?
""")
code(r"""
def cut_in_a_stream(graph, num_parts):
    pass  # your code


checks.exercise("10.5", cut_in_a_stream);
""")
md(r"""
**10.6 (open) Your own graph.** Take the largest graph of your own field that you can name. Ask `gat-course cost` whether it fits your machine. If it does not, plan: batches, fan-outs, parts, machines. Which row of the table of things that break do you reach first? Measure one number of your plan on a part of the graph.

## What to read next

Zheng and others' [DistDGL](https://arxiv.org/abs/2010.05337) for the engine of this chapter, Waleffe and others' [MariusGNN](https://arxiv.org/abs/2202.02365) for the case against many machines. And then a graph of your own.
""")
