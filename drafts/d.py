md(r"""
## On paper

Now we can size what we cannot run. The largest public citation graph, **ogbn-papers100M**, has 111,059,956 papers, 1,615,685,872 citations (each becomes two edges), 128 features and 172 classes, and about 1.2 million of the papers are to train on (Hu et al., 2020). And then a graph a thousand times as large, as a large company might have.

What each machine must hold is its part of `costs.memory`'s graph and its halo; what it does in a step is a batch; what it receives are rows of features. The assumptions stand in the cell, so that you can put your own in their place.
""")
code(r"""
alike = (speed["graph"] == "power law") & (speed["fanout"] == 10)
ROWS = speed[alike]["nodes"].mean() / 1_000  # read for a target
TARGET = speed[alike]["ours, trained"].mean() / 1e6  # s, drawn and trained
OTHERS = sent[sent["method"] == "metis"]["share"].mean() / 100  # of the rows
HALO = 0.5  # of a part's nodes, kept beside it (assumed)
NETWORK = 10e9 / 8  # bytes a second into a machine (assumed)
CORES, WORK = 32, 0.3  # of a machine; share of memory to work in (assumed)


def plan(nodes, edges, features, train, machine_memory):
    shape = costs.Shape(nodes=nodes, edges=edges, features=features)
    held = costs.memory(shape)["graph"]
    number = -int(-held // ((1 - WORK) * machine_memory))
    if number > 1:  # with halos
        held += HALO * nodes * 4 * features
        number = -int(-held // ((1 - WORK) * machine_memory))
    batch = 1_000 * CORES  # a thousand targets a core
    received = batch * ROWS * OTHERS * 4 * features * (number > 1)
    computing, receiving = 1_000 * TARGET, received / NETWORK
    steps = -(-train // (batch * number))
    return {
        "held, TB": held / 1e12,
        "machines": number,
        "steps an epoch": steps,
        "computing a step, s": computing,
        "received a step, GB": received / 1e9,
        "receiving it, s": receiving,
        "an epoch, s": steps * max(computing, receiving),
    }
""")
code(r"""
print(f"measured: {ROWS:.0f} rows and {1e3 * TARGET:.2f} ms a target;", end=" ")
print(f"{OTHERS:.0%} of the rows from other machines")
PAPERS = 111_059_956, 2 * 1_615_685_872, 128, 1_200_000
BIGGER = [1_000 * PAPERS[0], 1_000 * PAPERS[1], 128, 1_000 * PAPERS[3]]
rows = {
    "papers100M, 512 GB": plan(*PAPERS, 512e9),
    "papers100M, 64 GB": plan(*PAPERS, 64e9),
    "times 1,000, 512 GB": plan(*BIGGER, 512e9),
    "times 1,000, 2 TB": plan(*BIGGER, 2e12),
}
table = pd.DataFrame(rows).T
hours = table["machines"] * table["an epoch, s"] / 3600
table["machine-hours, 100 epochs"] = 100 * hours
table.T.round(2)
""")
md(r"""
TEXT_PAPER

What breaks first, in this order:

| what | where | who solved it |
|---|---|---|
| the memory of a step | full batch, at some ten million nodes on 24 GB | drawing neighbours: GraphSAGE (Hamilton et al., 2017) |
| 32-bit numbers | $2^{31}$ edges: papers100M in both directions, and our own compressed rows refuse it | 64-bit ids, or parts that are smaller |
| the memory of one machine | a few hundred million nodes with features | parts and servers: DistDGL trains a graph of 100 million nodes and 3 billion edges on 16 machines in 13 seconds an epoch (Zheng et al., 2020); or the disk: MariusGNN, on one machine (Waleffe et al., 2023) |
| cutting the graph | METIS wants the whole graph in one memory | cutters for a trillion edges: XtraPuLP (Slota et al., 2020), and TeraPart on one machine with about 900 GiB (Salwasser et al., 2024) |
| the network | as soon as receiving takes longer than computing | fewer rows: better cuts, rows of hubs kept on every machine, smaller fan-outs, features in 16 bits |
| drawing online at all | where many models are trained on the same graph | draw once, as tables, on a data-processing cluster: GiGL at Snap (Zhao et al., 2025) |

The third column of costs is people: each of these systems is more code than this course. So go down the list only as far as you must. Most graphs fit on one machine.

### With PyG

PyG has the same parts. Its `NeighborLoader` and `ClusterData` need the compiled library pyg-lib, which is not in Python's package index but in PyG's own ([its installation page](https://pytorch-geometric.readthedocs.io/en/latest/install/installation.html) has the URL for each version of PyTorch and CUDA):

```python
# pip install pyg-lib -f URL, with PyG's URL for your PyTorch and CUDA
from torch_geometric.loader import NeighborLoader

loader = NeighborLoader(
    data, num_neighbors=[10, 10], batch_size=512, input_nodes=data.train_mask
)
for batch in loader:  # one graph for all layers, its targets first
    out = model(batch.x, batch.edge_index)[: batch.batch_size]
```

We could not run these lines here. Mind the order: `num_neighbors` begins at the targets, our fan-outs and DGL's at the first layer. In practice people use PyG with pyg-lib (and cuGraph's sampler on NVIDIA GPUs), GraphStorm on top of DGL, and GiGL on top of PyG.

## Summary

- Count tables, and you know what a step holds: here to 25 % from ten thousand edges to a hundred million.
- Time can be foretold to a factor of 1.5 between sizes that were measured.
- Fan-outs bound what a step reads; ten edges a node cost little accuracy here, and inference goes layer by layer with all of them.
- In several processes each takes its share of the same batch; a killed one ends the job, and the checkpoint goes on to the same digits.
- Over machines, what counts is which rows others hold: cut well, and look at your data first.
- Go only as far as you must: a step, a machine, a cluster, in this order.

## Exercises

Starter cells run as they are and say "not done yet". Solutions are at the end of the book.

**10.1 (warm-up) How far can it go?** A batch of `batch` targets, and a list of fan-outs, the first layer's first. Every node has more neighbours than any fan-out, and no node is met twice. How many nodes' features are read? Return one number. (A node that a layer computes is among the nodes it reads.)
""")
code(r"""
def nodes_read(batch, fanouts):
    pass  # your code


checks.exercise("10.1", nodes_read);
""")
md(r"""
**10.2 Another way to draw.** Give each edge a random key `key` `[E]`, all different, and keep of each target the `fanout` edges with the smallest keys. `dst` `[E]`, in any order, names the targets. Return which edges are kept, bool `[E]`. Why is every choice equally likely? What does it cost beside Floyd's way?
""")
code(r"""
def keep_smallest(dst, key, num_nodes, fanout):
    pass  # your code: True for the edges that are kept


checks.exercise("10.2", keep_smallest);
""")
md(r"""
**10.3 What attention loses.** A target has neighbours with scores `scores` `[n]` and values `values` `[n]`. A draw of `k` of them, all choices equally likely, gives the softmax-weighted mean of the drawn ones. What does it give on average over all draws? Return one number. (`itertools.combinations` lists the draws.) Then compare it with the mean over all neighbours, for uniform scores and for uneven ones.
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
**10.5 Cut while you read.** Go through the nodes once, in any order, and put each into a part for good: the one that holds most of its neighbours placed so far, times the free share of that part, $1-\text{size}/\text{most}$. No part may have more than $\lceil N/P\rceil$ nodes. Return the part of each node, `[N]`. (It is called linear deterministic greedy; Stanton and Kliot, 2012.) How close does it come to METIS on PPI as one graph?
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
