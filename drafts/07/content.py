CELLS = []
def md(text, **meta): CELLS.append(("markdown", text.strip("\n"), meta))
def code(text, tags=None, fig=None, builds=None, own=None, test=None):
    meta = {}
    if tags: meta["tags"] = tags
    if fig: meta["mystnb"] = {"figure": {"caption": fig[1], "name": fig[0]}, "image": {"alt": fig[2]}}
    g = {}
    if builds: g["builds"] = builds
    if own: g["own"] = own
    if test: g["test"] = test
    if g: meta["gat_course"] = g
    CELLS.append(("code", text.strip("\n"), meta))
LIVE = ["nbval-ignore-output"]

md(r"""
# 7 Variants, and claims about attention

> **Which data?** Cora, Citeseer and the molecules of ESOL are real; a made-up task says so in its title. Where real data cannot be had, the *synthetic stand-in for Cora* and *synthetic molecules* take its place. A cell that calls `catalogue.stored("lookup")` shows runs that were made beforehand, by `gat-course reproduce lookup`. Everything else is computed on this page.

**After this chapter you can**

- turn GAT into another kind of attention by changing one method;
- tell static from dynamic attention, and say when it matters;
- use the kinds of edges, and attention over whole graphs;
- name what no attention can do;
- predict links without letting the answers leak;
- judge six claims that are made for attention, by experiments.

**Time:** 75 minutes to read, about two minutes to run on two cores. **Builds on:** chapters 4 to 6. (`FusedGATLayer` is the same layer as `EdgeGATLayer`, faster; chapter 9 builds it.)
""")
code(r"""
import math
import warnings
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F

from gat_course.dropout import dropout
from gat_course.experiments.variants import OneLayer
""")
code(r"""
from gat_course import (
    GAT,
    AttentionReadout,
    EdgeFeatureGATLayer,
    EdgeGATLayer,
    FusedGATLayer,
    GraphData,
    GraphNetwork,
    GraphSet,
    batch_graphs,
    catalogue,
    checks,
    datasets,
    difference,
    evaluate,
    evaluate_links,
    evaluate_set,
    fit_links,
    fit_set,
    formulas,
    load,
    load_esol,
    measure,
    plotting,
    puzzles,
    split_links,
)

pd.set_option("display.max_colwidth", None)  # shows long cells in full
""")
code(r"""
if find_spec("rdkit") is None:  # on Colab: reads molecules
    %pip install -q rdkit
""", tags=["hide-input"])
code(r"""
LOOKUP_STEPS = 500
MOLECULE_EPOCHS = 25
LINK_EPOCHS = 100
""", tags=["parameters"], test="LOOKUP_STEPS = 2\nMOLECULE_EPOCHS = 1\nLINK_EPOCHS = 2")
code(r"""
device = "cuda" if torch.cuda.is_available() else "cpu"
print("device:", device)
""", tags=LIVE)
md(r"""
## One method to change

A graph attention layer transforms, scores, takes a softmax over each neighbourhood, and sums. What this chapter changes is the **score**, and for two variants the matrices that it compares. In the package the score is a method of its own, `scores(graph, z)`, which returns `[E, K]`; a variant overrides it and inherits the rest: heads, merges, residuals, dropout.

| variant | score $e_{ij}$ of the edge $j\to i$ | made for each edge and head |
|---|---|---|
| GAT | $\mathrm{LeakyReLU}(a^\top[z_i\Vert z_j])$ | a number |
| GAT with edge features | $\mathrm{LeakyReLU}(a^\top[z_i\Vert z_j\Vert W_e^\top f_{ij}])$ | a number |
| GATv2 | $a^\top\mathrm{LeakyReLU}(W_\mathrm{dst}^\top h_i+W_\mathrm{src}^\top h_j)$ | $F'$ numbers |
| dot product | $(W_Q^\top h_i)^\top(W_K^\top h_j)/\sqrt{F'}$ | $F'$ numbers |
| uniform | $0$ | nothing |

> **Note.** Many texts write $e_{ij}$ for the score *and* for the features of an edge. Here $e_{ij}$ is the score and $f_{ij}$, a row of `graph.edge_attr` `[E, D]`, holds the features.

($F'$ is what Transformer papers call $d_k$.) The first two rows need one vector of each node, $z_i$. The next two need two or three, so their `weight` holds as many matrices side by side. `ProjectedLayer` takes them apart; GATv2 ([Brody et al., 2022](https://arxiv.org/abs/2105.14491)) then needs one method:
""")
code(r"""
class ProjectedLayer(EdgeGATLayer):
    projections = 2

    def parts(self, z):  # [N·P, K, F'] to P times [N, K, F']
        return z.unflatten(0, (-1, self.projections)).unbind(dim=1)

    def attend(self, graph, z):
        src, dst, n = graph.src, graph.dst, graph.num_nodes
        scores = self.scores(graph, z)
        alpha = formulas.edge_softmax(scores, dst, n, graph.edge_weight)
        dropped = dropout(alpha, self.attn_drop, self.training)
        summed = formulas.aggregate(dropped, self.parts(z)[0], src, dst, n)
        return summed, alpha
""", builds=["layers.variants.ProjectedLayer"])
code(r"""
class GATv2Layer(ProjectedLayer):
    vectors = ("att",)

    def scores(self, graph, z):
        source, target = self.parts(z)
        source = source.index_select(0, graph.src)
        target = target.index_select(0, graph.dst)
        h = F.leaky_relu(source + target, self.negative_slope)  # [E, K, F']
        return (h * self.att).sum(dim=-1)  # [E, K]
""", builds=["layers.variants.GATv2Layer"])
md(r"""
And the attention of a Transformer ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)), among neighbours only: a **query** for the target, a **key** and a **value** for the source.
""")
code(r"""
class DotProductGATLayer(ProjectedLayer):
    vectors, projections = (), 3

    def scores(self, graph, z):
        _, keys, queries = self.parts(z)
        keys = keys.index_select(0, graph.src)
        queries = queries.index_select(0, graph.dst)
        return (queries * keys).sum(dim=-1) / math.sqrt(self.out_features)
""", builds=["layers.variants.DotProductGATLayer"])
md(r"""
Are they the layers of the literature? Copy our weights into PyG's, and compare:
""")
code(r"""
if find_spec("torch_geometric"):
    from torch_geometric.nn import GATv2Conv

    torch.manual_seed(0)
    graph = puzzles.mixed_graph("all", num_nodes=50)
    ours, theirs = GATv2Layer(3, 4, 2), GATv2Conv(3, 4, 2, add_self_loops=False)
    with torch.no_grad():
        w_src, w_dst = ours.weight.chunk(2, dim=1)
        theirs.lin_l.weight.copy_(w_src.T)  # l: the source
        theirs.lin_r.weight.copy_(w_dst.T)
        theirs.att.copy_(ours.att.unsqueeze(0))
        for bias in (theirs.lin_l.bias, theirs.lin_r.bias, theirs.bias):
            bias.zero_()
        ends = torch.stack([graph.src, graph.dst])
        expected = theirs(graph.x, ends)
        assert torch.allclose(ours(graph, graph.x), expected, atol=1e-5)
print("GATv2Layer gives what PyG's GATv2Conv gives")
""")
md(r"""
(Tests do the same for the others: outputs equal to PyG's `TransformerConv`, to its `GATConv` with `edge_dim`, and to DGL's `GATv2Conv`; of DGL's `EdgeGATConv`, which also adds the features of the edges to the sum, the weights.)

## Static and dynamic attention

GAT's score is $\mathrm{LeakyReLU}(s^\mathrm{dst}_i+s^\mathrm{src}_j)$: a part from the target, a part from the source, and a function that always rises. Whatever the target's part is, the source with the larger $s^\mathrm{src}_j$ scores higher. So **within a head all targets rank their common sources alike**. This is *static* attention. In GATv2 the LeakyReLU stands *between* the two parts and $a$; the ranking may differ from target to target: *dynamic* attention. Five sources, five targets, untrained layers; each row lists the sources, the most attended first:
""")
code(r"""
torch.manual_seed(0)
pairs = torch.cartesian_prod(torch.arange(5, 10), torch.arange(5))
all_pairs = GraphData.from_edges(*pairs.T.flip(0), x=torch.randn(10, 6))
rows = {}
for layer in (EdgeGATLayer, GATv2Layer, DotProductGATLayer):
    _, alpha = layer(6, 8)(all_pairs, all_pairs.x, return_attention=True)
    order = alpha.detach().view(5, 5).argsort(dim=1, descending=True)
    rows[layer.__name__] = [" ".join(map(str, o)) for o in order.tolist()]
assert len(set(rows["EdgeGATLayer"])) == 1
assert len(set(rows["GATv2Layer"])) > 1
pd.DataFrame(rows, pd.Index(range(5, 10), name="target"))
""")
md(r"""
In the first column all rows are the same. In the others they differ, before any training.

One head of static attention cannot **look something up**. In a made-up dictionary there are $k$ keys with a value each, and $k$ queries, each of which asks for the value of its own key and hears all keys. Each query needs a different source. Keys, queries and their edges form a *bipartite* graph: all edges go from one side to the other. The model is one layer, ELU, and a linear decision (`OneLayer`).
""")
code(r"""
def train_lookup(layer, num_keys=5):
    torch.manual_seed(0)
    model = OneLayer(layer(2 * num_keys, 64), num_keys).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(LOOKUP_STEPS):  # new dictionaries in each step
        graph = puzzles.lookup_graph(num_keys, 16, seed=step).to(device)
        asked = graph.y >= 0  # a key has no class
        logits = model(graph, graph.x)
        loss = F.cross_entropy(logits[asked], graph.y[asked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


one = puzzles.lookup_graph(5, num_graphs=1, seed=10**6).to(device)
new = puzzles.lookup_graph(5, num_graphs=200, seed=10**6 + 1).to(device)
weights = {}
for label, layer in (("GAT", FusedGATLayer), ("GATv2", GATv2Layer)):
    model = train_lookup(layer)
    _, alpha = model.layer(one, one.x, return_attention=True)
    weights[label] = alpha.detach().view(5, 5).cpu()
    found = evaluate(model, new, new.y >= 0).accuracy
    print(f"made-up, 5 keys, {label}: {found:.0f} % right")
""", tags=LIVE)
code(r"""
with plotting.style():
    figure, axes = plt.subplots(1, 2, figsize=(6, 3.6), layout="constrained")
    for ax, (label, alpha) in zip(axes, weights.items(), strict=True):
        plotting.attention_matrix(alpha, label, name="made-up", ax=ax)
        ax.set(xlabel="key", ylabel="query")
""", tags=LIVE, fig=("fig-variants-static", "What each query attends to in a new dictionary, after the same training with one head. GAT ranks the keys alike in every row. GATv2 treats each query's own key, on the diagonal, unlike the others: it looks there, or away from there.", "Two five by five matrices. On the left the columns have the same order in all rows; on the right the largest and smallest numbers change places from row to row."))
md(r"""
Do not read the right-hand picture as "it finds its key": some queries look *away* from theirs. No value occurs twice, so the one that is missing tells as much.

> **Predict.** With more keys the task gets harder. How does the accuracy of one head fall, for GAT and for GATv2? What do eight heads change?
""")
code(r"""
lookup = catalogue.stored("lookup")


def over(runs, by, at, value="test"):
    return {
        name: own.groupby(at)[value].apply(list).to_dict()
        for name, own in runs.groupby(by, sort=False)
    }


lines = over(lookup[lookup["heads"] == 1], "layer", "keys")
eight = lookup[(lookup["heads"] == 8) & (lookup["layer"] == "GAT")]
eight_heads = {"GAT, 8 heads": over(eight, "layer", "keys")["GAT"]}
plotting.against(
    lines | eight_heads,
    xlabel="keys",
    ylabel="accuracy on new dictionaries (%)",
    title="one layer, one head unless named, 5 seeds each",
    name="made-up",
    guide={k: 100 / k for k in (4, 8, 12, 16, 20)},
);
""", fig=("fig-variants-lookup", "Looking up one of k keys. Marks are means over five seeds, bars reach from the worst to the best seed.", "Accuracy against the number of keys. GATv2 and the dot product stay at 100 percent; GAT with one head falls along the dotted line of chance; GAT with eight heads lies between."))
code(r"""
table = lookup.groupby(["heads", "layer", "keys"], sort=False)["test"]
table = table.agg(["min", "max"]).round(1)
(table["min"].astype(str) + " to " + table["max"].astype(str)).unstack("keys")
""")
md(r"""
With one head GATv2 answers everything, in every run, and so does the dot product. GAT with one head answers one or two queries, however many there are. More heads help, as each has a ranking of its own: eight carry it to about eight keys. (At equal width GATv2 has twice and the dot product three times GAT's matrix. That is not what helps: GAT with eight heads of eight has as many numbers as with one.)

Does it matter on real data? Where a good neighbour is good for everyone (chapter 6's senders), static attention suffices. Where it depends on who asks (chapter 6's teams), it does not. On Cora, one small data set, claim 3 has both.

## When the edge knows

What if the *kind* of an edge decides? Bonds in a molecule, follows and blocks in a social network, cites and is-cited-by. GAT does not see it; with $f_{ij}$ in its score it does:

$$e_{ij}=\mathrm{LeakyReLU}\big(a^\top[z_i\,\Vert\,z_j\,\Vert\,W_e^\top f_{ij}]\big)$$

Read literally, this makes a vector for each edge. But the product splits, $a=[a_\mathrm{dst}\Vert a_\mathrm{src}\Vert a_e]$, and $W_e a_e$ is one small vector for each head: $D$ numbers, made once (exercise 7.2). The layer computes it so, and agrees with the formula as it stands:
""")
code(r"""
torch.manual_seed(0)
kinds = puzzles.mixed_graph("edge kind", num_nodes=100)
layer = EdgeFeatureGATLayer(3, 4, edge_features=2)
z = kinds.x @ layer.weight  # one head
parts = [z[kinds.dst], z[kinds.src], kinds.edge_attr @ layer.edge_matrix]
a = torch.cat([layer.att_dst, layer.att_src, layer.att_edge], dim=1)
literal = F.leaky_relu(torch.cat(parts, dim=1) @ a.T, layer.negative_slope)
assert torch.allclose(literal, layer.scores(kinds, z.unsqueeze(1)), atol=1e-6)
print(f"{kinds.name}: {kinds.num_edges} edges score as in the formula")
""")
md(r"""
Seen alone: a made-up graph with two kinds of nodes and two kinds of edges. Each node asks whether a sum of its ten neighbours' numbers is above zero, and the task says *which* neighbours: **all**; those of the first **node kind**; those along the first **edge kind**; or the **difference**, these less the others. One layer, trained on one graph, tested on another.

A rival from chapter 6 is there too: an **encoder**, two linear layers on each node alone, before a uniform average.

> **Predict.** Which tasks can each layer learn? For which does it need more than one head?
""")
code(r"""
def show(scores, digits=1):
    spread = "" if len(scores) < 2 else f" ± {scores.std():.{digits}f}"
    return f"{scores.mean():.{digits}f}{spread}"


def gap(runs, axis, a, b, value="test", paired=True):
    one, other = (runs.loc[runs[axis] == name, value] for name in (a, b))
    return difference(one, other, paired=paired)


mixed = catalogue.stored("mixed")
print("made-up graphs, test accuracy in percent, 5 seeds")
rows = mixed.groupby(["heads", "layer", "task"], sort=False)["test"]
display(rows.agg(show).unstack("task"))
one_head = mixed[mixed["heads"] == 1]
for task, a, b in (
    ("all", "GAT", "uniform"),
    ("node kind", "GAT", "uniform"),
    ("node kind", "GAT", "encoder, uniform"),
    ("edge kind", "edge features", "GAT"),
):
    own = one_head[one_head["task"] == task]
    print(f"{task}, {a} - {b}: {gap(own, 'layer', a, b)}")
""")
code(r"""
trained = mixed[mixed["layer"] == "edge features"]
print("share of the weights that goes, in the layer with edge features,")
where = ["node kind", "edge kind"]
columns = [f"to the first {kind}" for kind in where]
rows = trained.groupby(["heads", "task"], sort=False)[where]
rows.agg(partial(show, digits=2)).set_axis(columns, axis=1)
""")
md(r"""
MIXED_TEXT

> **Note.** $f_{ij}$ changes the weights here, not the messages. Where the kind of an edge should change *what* is said, let it into the values as well, as PyG's `TransformerConv` does, or give each kind a matrix of its own ([R-GCN](https://arxiv.org/abs/1703.06103)).

## What a variant costs

Chapter 9's fused layer never holds all weights at once, and its gradient is worked out by hand for $\mathrm{LeakyReLU}(s_i+s_j)$. Whatever keeps that score keeps its speed: readouts, global nodes, deep networks, link prediction. The others compute edge by edge. Forward and backward, all in one run:
""")
code(r"""
generator = torch.Generator().manual_seed(0)
ends = torch.randint(10_000, (2, 100_000), generator=generator)
large = GraphData.from_edges(
    *ends,
    num_nodes=10_000,
    x=torch.randn(10_000, 64, generator=generator),
    edge_attr=torch.rand(100_000, 4, generator=generator),
)
kinds_of_layers = {
    "GAT, fused": FusedGATLayer,
    "GAT, edge by edge": EdgeGATLayer,
    "edge features": partial(EdgeFeatureGATLayer, edge_features=4),
    "GATv2": GATv2Layer,
    "dot product": DotProductGATLayer,
}


def step(layer, graph):
    layer(graph, graph.x).sum().backward()


large = large.to(device)
calls = {}
for label, layer in kinds_of_layers.items():
    calls[label] = partial(step, layer(64, 8, num_heads=8).to(device), large)
""", tags=LIVE)
code(r"""
times = measure.seconds(calls, repeats=5)
megabytes = {n: measure.peak_memory(c, device) / 1e6 for n, c in calls.items()}
costs = pd.DataFrame({"ms": times, "MB": megabytes})
costs["ms"] *= 1000
costs["times as long"] = costs["ms"] / costs["ms"].iloc[0]
print("100,000 edges, 8 heads of 8 features, forward and backward")
costs.round({"ms": 0, "MB": 0, "times as long": 1})
""", tags=LIVE)
md(r"""
Edge by edge, each edge gets a copy of its source's values; the fused layer needs none. The features of the edges add one number for each edge and head. GATv2 and the dot product make one more *vector* for each, to be scored. Their gradient cannot be had from two numbers at the ends of an edge, so they cannot use the fused layer. The layer with edge features could be fused; here it is not.

## What attention cannot do

Four limits follow from the formula, whatever the score. First, a node with **one neighbour** gives it weight 1. There is nothing to choose:
""")
code(r"""
torch.manual_seed(0)
leaf = GraphData.from_edges([0], [1])
for scale in (0.01, 1.0, 100.0):
    x = scale * torch.randn(2, 3)
    _, alpha = GATv2Layer(3, 4)(leaf, x, return_attention=True)
    print(f"features of size {scale:g}: weight {alpha.item():.0f}")
""")
md(r"""
Second, **no neighbour is ever off**. An exponential is never zero, and a weight shrinks only as others grow:
""")
code(r"""
scores = torch.tensor([[0.0], [-5.0], [-20.0]])
alpha = formulas.edge_softmax(scores, torch.zeros(3, dtype=torch.long), 1)
print([f"{weight:.1e}" for weight in alpha.flatten().tolist()])
""")
md(r"""
(In single precision a weight does become 0 where its score lies some hundred below the largest: rounding, not a decision.)

Third, it **averages**. Ten equal neighbours look like one, so attention cannot count ([Xu et al., 2019](https://arxiv.org/abs/1810.00826)); and an average lies between the smallest and the largest, so one head cannot subtract:
""")
code(r"""
torch.manual_seed(0)
layer, outputs = GATv2Layer(3, 4), []
for copies in (1, 2, 10):
    star = GraphData.from_edges(range(1, copies + 1), [0] * copies)
    x = torch.ones(copies + 1, 3)
    outputs.append(layer(star, x)[0])
assert torch.allclose(outputs[0], outputs[1], atol=1e-6)
assert torch.allclose(outputs[0], outputs[2], atol=1e-6)
x = torch.randn(11, 3)
z = (x @ layer.weight)[:, :4]  # the values
out = layer(star, x)[0]
assert (z[1:].amin(dim=0) <= out + 1e-6).all()
assert (out <= z[1:].amax(dim=0) + 1e-6).all()
print("1, 2 and 10 equal neighbours give the same; the output lies between")
""")
md(r"""
Fourth, **the structure decides first**. A node that is no neighbour has no weight to win. (Does GAT use the whole neighbourhood? Yes, all of it; it is GraphSAGE that samples.) The gradient shows who has a say:
""")
code(r"""
torch.manual_seed(0)
path = GraphData.from_edges([0, 1, 2], [1, 2, 3], undirected=True)
path = path.with_self_loops()
x = torch.randn(4, 3, requires_grad=True)
GATv2Layer(3, 4)(path, x)[0].sum().backward()
print("who has a say in node 0:", (x.grad.abs().sum(dim=1) > 0).tolist())
""")
md(r"""
## A whole graph: readouts

So far every node had an answer. A molecule has one as a whole, so its nodes' vectors must become one: a **readout**. Sum, mean and maximum are three. **Global attention** is a fourth (after [Li et al., 2016](https://arxiv.org/abs/1511.05493), whose weights are sigmoids; the softmax is PyG's and DGL's):

$$g=\sum_i\beta_i h_i,\qquad \beta_i=\frac{\exp(q^\top h_i)}{\sum_{m}\exp(q^\top h_m)}$$

with the sum over the nodes of one graph. This is the softmax of chapter 1 once more, with a graph in the place of a target:
""")
code(r"""
def read_out_by_hand(graph, h, query):
    scores = (h @ query).unsqueeze(1)  # [N, 1]
    beta = formulas.edge_softmax(scores, graph.graph_of, graph.num_graphs)
    return h.new_zeros(graph.num_graphs, h.shape[1]).index_add(
        0, graph.graph_of, beta * h
    )


torch.manual_seed(0)
batch = batch_graphs([path, leaf, star])
h, module = torch.randn(batch.num_nodes, 8), AttentionReadout(8)
by_hand = read_out_by_hand(batch, h, module.query)
assert torch.allclose(module(batch, h), by_hand, atol=1e-6)
print("three graphs:", list(by_hand.shape), "as the package has it")
""")
md(r"""
A readout comes once, at the end. A **global node** takes part from the start: one more node, with zeros for features, joined with all others in both directions. Its incoming weights are a $\beta$ of their own, and any two nodes are now at most two steps apart:
""")
code(r"""
ends = range(19), range(1, 20)
line = GraphData.from_edges(*ends, x=torch.eye(20), undirected=True)
for graph in (line, line.with_global_node()):
    asked = torch.zeros(graph.num_nodes, dtype=torch.bool)
    asked[0] = True
    heard = [graph.receptive_field(asked, hops).num_nodes for hops in (1, 2)]
    print(f"{graph.num_nodes} nodes: node 0 hears {heard[0]}, then {heard[1]}")
""")
md(r"""
## Molecules

ESOL ([Delaney, 2004](https://doi.org/10.1021/ci034243x)) lists 1,128 molecules with their measured solubility in water, as the decimal logarithm of mol per litre. Atoms are nodes: 14 features say which element it is, its charge, how many hydrogens it has, whether it lies in a ring. Bonds are edges with six features: single, double, triple or aromatic, conjugated, in a ring. [RDKit](https://www.rdkit.org), the field's library, reads them from SMILES, a notation for molecules in one line of text.
""")
code(r"""
with warnings.catch_warnings():
    warnings.simplefilter("default")
    esol = load_esol(fallback="synthetic")
NAME = esol.name
print(esol)
print(esol.graphs[0])
""", tags=LIVE)
md(r"""
> **No ESOL here?** Then the *synthetic molecules* stand in, and the tables below, which are stored, still show ESOL.

First the idea alone: made-up molecules whose answer only the kind of the bonds gives away. Then ESOL. A tenth of the molecules chooses the epoch, a tenth tests (of the made-up ones a sixth each). The score is the **RMSE**, the root of the mean squared error. The **random split** deals the molecules out by seed; the eleven that are listed twice stay together. The **scaffold split** keeps molecules with the same skeleton of rings in one part and tests on rare skeletons, as a chemist would who looks for something new. Three layers with four heads of 16 features, then a readout, then two linear layers.
""")
code(r"""
molecules = catalogue.stored("esol")
molecules["bond features"] = molecules["bonds"].map({True: "yes", False: "no"})
alone = molecules.groupby("split", sort=False)["mean alone"].mean()
print("test RMSE, 5 seeds; of the training mean as the only answer:")
print(", ".join(f"{split} {rmse:.2f}" for split, rmse in alone.items()))
rows = molecules.groupby(["split", "readout", "bond features"], sort=False)
rows["test"].agg(partial(show, digits=2)).unstack(["split", "bond features"])
""")
md(r"""
Published graph networks reach some 0.6 to 1.0 on ESOL's random split ([Wu et al., 2018](https://arxiv.org/abs/1703.00564)); RMSE is in units of the logarithm: a typical error of 0.7 is a factor of five in solubility. What the bonds and the readout are worth (seed by seed where the seed deals the split; the scaffold split is *one* split, and its intervals tell of random starts only):
""")
code(r"""
rows = {}
for split in ("made-up", "random", "scaffold"):
    own = molecules[molecules["split"] == split]
    options = {"paired": split != "scaffold"}
    for kind, runs in own.groupby("readout", sort=False):
        found = gap(runs, "bonds", True, False, **options)
        rows[split, f"{kind}: bonds - none"] = found
    bonds = own[own["bonds"]]
    for kind in () if split == "made-up" else ("mean", "max", "attention"):
        found = gap(bonds, "readout", kind, "sum", **options)
        rows[split, f"with bonds: {kind} - sum"] = found
print("differences of the test RMSE, 5 seeds: lower is better")
pd.Series(rows, name="difference").to_frame()
""")
md(r"""
MOLECULE_TEXT

### What do the weights say?

A readout with attention seems to point at the atoms that make a molecule dissolve. That is the hope for drugs: read off what matters, then change it. Let us train two networks, alike but for their random start, and look at both.
""")
code(r"""
def train_molecules(seed):
    torch.manual_seed(seed)
    bonds = esol.graphs[0].edge_attr.shape[1]
    layer = partial(EdgeFeatureGATLayer, edge_features=bonds)
    model = GraphNetwork(
        esol.num_features, 1, readout="attention", layer=layer
    ).to(device)
    data = GraphSet(
        graphs=[graph.with_self_loops() for graph in esol.graphs],
        y=esol.y,
        train=esol.train,
        val=esol.val,
        test=esol.test,
        name=NAME,
    ).to(device)
    fit_set(model, data, lr=0.002, max_epochs=MOLECULE_EPOCHS)
    print(f"{NAME}, RMSE {evaluate_set(model, data, data.test).rmse:.2f}")
    return model, data


pair = [train_molecules(seed) for seed in (0, 1)]
""", tags=LIVE)
code(r"""
SHOWN = {
    "ibuprofen": "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "lactose": "OCC1OC(OC2C(O)C(O)C(O)OC2CO)C(O)C(O)C1O",
}


def weigh(model, graph):
    graph = graph.with_self_loops().to(device)
    with torch.no_grad():
        out, found = model(graph, graph.x, return_attention=True)
    return out.item(), found[-1].cpu()


if NAME.startswith("ESOL"):
    from gat_course.chemistry import molecule

    names, smiles = 2 * list(SHOWN), 2 * list(SHOWN.values())
    models = [model for model, _ in pair for _ in SHOWN]
    ends = [weigh(m, molecule(s)) for m, s in zip(models, smiles, strict=True)]
    plotting.molecules(
        smiles,
        [weight for _, weight in ends],
        title="two networks, alike but for the seed",
        captions=[f"{n}: {e[0]:.1f}" for n, e in zip(names, ends)],
        name=NAME,
    )
""", tags=LIVE, fig=("fig-variants-beta", "The weights of the atoms in the readout of two networks, alike but for the seed (above and below), and the log solubility that each predicts. Where the two disagree about the atoms, the picture explains the network and not the molecule.", "Six drawings of molecules in two rows, discs behind the atoms. The same three molecules above and below; the sizes of the discs differ between the rows."))
code(r"""
beta = catalogue.stored("beta")
print("ESOL's test molecules, mean ± std over 5 pairs of networks")
rows = {
    "rank correlation of the two networks' weights": "correlation",
    "both put the same kind of atom first, %": "same first",
    "the same by chance, %": "by chance",
    "RMSE of the first": "RMSE",
    "RMSE of the second": "RMSE of the other",
}
moved = ["most attended", "random", "least attended"]
rows |= {f"take the {k} atom out, prediction moves by": k for k in moved}
display(pd.Series({t: show(beta[key], 2) for t, key in rows.items()}, name=""))
for other in ("random", "least attended"):
    found = difference(beta["most attended"], beta[other], paired=True)
    print(f"most attended - {other}: {found}")
""")
md(r"""
BETA_TEXT

So what can such a picture support? It tells where *this* network reads. It does not even tell which *atom*: $h_i$ has heard three bonds, so $\beta_i$ weighs a neighbourhood. And it does not tell that the atoms cause anything: no real molecule was changed, and a graph without an atom is not a molecule that anyone measured. Before a weight may guide a chemist, it should survive a second seed (above), agree with taking the atom out (above), and at last with the laboratory.

## Links

The third use of node vectors, after classes of nodes and answers for graphs: predict who is linked. Encode the nodes, and score a pair by the dot product of their outputs, $h_i'^\top h_j'$. Training needs pairs *without* a link too: **negative samples**, as many as links, drawn anew each epoch. Two scores: **AUC**, how often a link scores higher than a pair without one; and **hits**, the share of links that score above the 100th best pair without one (of some 500, a low bar).

There is one trap. The links that the *test* asks for must not carry messages, or the answer is in the input. `split_links` takes them out. (In training the links that are asked for are also messages, as in most code. That teaches a shortcut which the test does not have, and may cost the encoders that listen something.)
""")
code(r"""
raw = load("cora", fallback="synthetic")
raw = replace(raw, x=datasets.row_normalize(raw.x))
split = split_links(raw)
graph = split.graph


def asked_in(graph, part):
    i, j = split.links[part]
    messages = set(zip(graph.src.tolist(), graph.dst.tolist()))
    return sum(pair in messages for pair in zip(i.tolist(), j.tolist()))


print(split)
print("test links among the messages:", asked_in(graph, "test"))
print("the same with the whole graph:", asked_in(raw, "test"))
""", tags=LIVE)
code(r"""
torch.manual_seed(0)
data = split.with_self_loops().to(device)
encoder = GAT(data.num_features, 32, hidden=16, dropout=0.0).to(device)
fit_links(encoder, data, lr=0.005, max_epochs=LINK_EPOCHS, progress=False)
found = evaluate_links(encoder, data, "test")
print(f"{raw.name}: AUC {found.auc:.1f} %, hits {found.hits:.1f} %")
""", tags=LIVE)
code(r"""
links = catalogue.stored("links")
links["messages"] = links["leak"].map({False: "honest", True: "leaking"})
print("Cora, percent, 10 seeds, each with its own split")
rows = links.groupby(["encoder", "messages"], sort=False)[["auc", "hits"]]
display(rows.agg(show).unstack("messages"))
honest = links[~links["leak"]]
for a, b in (("GAT", "MLP"), ("GAT", "GCN"), ("GCN", "MLP")):
    print(f"AUC, {a} - {b}: {gap(honest, 'encoder', a, b, 'auc')}")
""")
md(r"""
With honest messages GAT is higher than GCN. (As in chapter 5 they differ in activation and initialisation, too.) A lead over an MLP, which uses no messages at all, is not shown. The leak lifts both that listen, and not the MLP. If your graph network predicts links almost perfectly, look at its messages first.

## Six claims

Attention comes with promises. Each of the next six is common in tutorials; each gets an experiment, several seeds, and a verdict that follows the interval. (There are some forty intervals in this chapter, and one in twenty excludes zero by chance. Trust those that stay far from it.)

### 1 "It adapts to the task"

The experiment has been above: one graph, four tasks. Where one kind counts, the weights go there; where all count, they stay even. On Cora (chapter 5) training leaves them nearly uniform, and freezing them is not shown to cost anything. **Verdict: yes, where a task gives a reason to.** (That attention *can* do it does not make it necessary: where the node itself shows what counts, the encoder does it too. What no encoder can do is the kind of an edge.)

### 2 "It explains"

If a weight says how important an edge is, then deleting the most attended edge must matter most. So: train chapter 5's GAT; take 200 test nodes with at least four neighbours; delete one edge into each, and see what becomes of the probability of the predicted class. A neighbour may speak for that class or against it, and a weight has no sign; so look at the **loss** and at the **change** whatever its sign. Five ways to choose the edge: the **most attended** of the output layer; the one whose score there has the **largest gradient** (of the log-probability); the **strongest** gradient, whatever its sign; a **random** one; the **least attended**.
""")
code(r"""
explain = catalogue.stored("explain")
ways = ["most attended", "largest gradient", "strongest gradient"]
ways += ["random", "least attended"]
print("points of probability, 200 nodes, mean ± std over 5 networks")
for name, own in explain.groupby("name", sort=False):
    found = {w: [show(own[w], 2), show(own[f"|{w}|"], 2)] for w in ways}
    display(pd.DataFrame(found, ["loss", "change"]).T.rename_axis(name))
    for a, b in (
        ("most attended", "random"),
        ("|most attended|", "|random|"),
        ("|strongest gradient|", "|most attended|"),
    ):
        print(f"{a} - {b}: {difference(own[a], own[b], paired=True)}")
""")
md(r"""
In size the weights say something: on both graphs the edge that is attended to most moves the prediction more than a random one. The gradient says more, and it has a sign: the edges that it names speak *for* the class, and losing one costs points. To lose the most attended edge is not shown to cost more than to lose any. (The weights are near uniform here, which leaves little to rank. Where they are sharp and the truth is known, in the four tasks above and in chapter 6, they lie on the right edges.) **Verdict: a weight hints at who is heard, not at who speaks for the answer. To name an edge, delete it, or take the gradient.**

### 3 "It cures over-smoothing"

Average often enough and the nodes' vectors become equal: *over-smoothing* ([Li et al., 2018](https://arxiv.org/abs/1801.07606)). Can weights that choose prevent it? Networks of 2 to 32 layers on Cora, 32 features wide, without dropout: GAT; the same network with GCN's weights in place of the learned ones; the same with GATv2's score. Plain, with residual connections, and with residual connections and normalised vectors (LayerNorm). Two measures: the accuracy, and the mean of $1-\cos$ over all pairs of nodes in the last hidden layer. 0 means that all vectors point one way.
""")
code(r"""
depth = catalogue.stored("depth")
SKIPS = ("none", "residual", "residual, norm")


def panels(value, label, title):
    with plotting.style():
        figure, axes = plt.subplots(
            1, 3, figsize=(8, 3.7), sharey=True, layout="constrained"
        )
    for ax, skip in zip(axes, SKIPS, strict=True):
        start = (depth["skip"] == "none") & (depth["depth"] == 2)
        own = depth[(depth["skip"] == skip) | start]
        curves = over(own, "model", "depth", value)
        texts = {"xlabel": "layers", "ylabel": label, "title": skip}
        plotting.against(curves, log=True, ax=ax, **texts)
    for ax in axes[1:]:
        ax.set_ylabel("")
    for ax in axes[::2]:
        ax.get_legend().remove()
    figure.suptitle(title, x=0.02, ha="left", fontweight="bold")


panels("test", "test accuracy (%)", "Cora: deeper is not better")
panels("distance", "mean of 1 - cos", "Cora: how far apart the vectors are")
""", fig=("fig-variants-depth", "Accuracy on Cora against depth, five seeds each: plain layers, with residual connections, and with residual connections and LayerNorm.", "Three panels with three falling lines each; accuracy at 32 layers is lowest without and with plain residual connections and highest where vectors are normalised."))
code(r"""
rows = {}
for skip in SKIPS:
    own = depth[(depth["skip"] == skip) & (depth["depth"] == 32)]
    row = {f"{m}, %": show(o["test"]) for m, o in own.groupby("model")}
    far = own.groupby("model")["distance"].agg(partial(show, digits=2))
    row |= {f"{m}, distance": far[m] for m in far.index}
    fits = own.groupby("model")["train"].agg(show)
    row |= {f"{m}, train %": fits[m] for m in fits.index}
    row["GAT - GCN"] = gap(own, "model", "GAT", "GCN", paired=False)
    rows[skip] = row
print("Cora, 32 layers, 5 seeds")
display(pd.DataFrame(rows))
shallow = depth[depth["depth"] == 2]
found = gap(shallow, "model", "GATv2", "GAT", paired=False)
print(f"2 layers, GATv2 - GAT: {found}")
""")
md(r"""
DEPTH_TEXT

### 4 "It reaches far"

A word stands at one end of a line of nodes, its answer is wanted at the other end, $k$ steps away. The nodes between hold words of their own, and so does a leaf at each of them. Layers have self-loops and residual connections. With fewer layers than steps no message arrives, whatever the weights. With enough of them, can it be heard?
""")
code(r"""
reach = catalogue.stored("reach")
reach["layers"] = reach["extra"].map({-1: "k - 1", 0: "k", 2: "k + 2"})
print("made-up lines, accuracy in percent (by chance 25), 5 seeds")
rows = reach.groupby(["layer", "layers", "hops"], sort=False)["test"]
display(rows.agg(show).unstack("hops"))
fits = reach.groupby(["layer", "layers", "hops"], sort=False)["train"]
print("the same, on the lines that it was trained on")
display(fits.agg(show).unstack("hops"))
for (hops, layers), own in reach.groupby(["hops", "layers"], sort=False):
    if layers != "k - 1":
        found = gap(own, "layer", "GAT", "uniform")
        print(f"{hops} hops, {layers} layers, GAT - uniform: {found}")
""")
md(r"""
REACH_TEXT

### 5 "It handles mixed kinds of nodes and edges"

The table of the four tasks has the answer. Kinds of nodes stand in the features, so the score sees them. Kinds of edges must be put into the score, or they are not seen. And where one kind should count *against* another, it takes a second head. **Verdict: nodes yes; edges only if you say so.**

### 6 "It transfers to other graphs better than GCN"

GAT's weights belong to no graph. Nor do GCN's, $1/\sqrt{|\mathcal N(i)||\mathcal N(j)|}$; but these depend on degrees. Train on a graph in which all nodes have eight neighbours; test on graphs with hubs, and with forty neighbours each. Four layers that differ in the weights alone: learned, mean, GCN's, and the sum (all weights 1). Two tasks: is the **mean** of the numbers of a node and its neighbours above zero? Are at least two of them marked (**count**)? The more neighbours, the more often the second answer is yes; so the score is *balanced* accuracy, the mean of what is right among the yes and among the no. A constant answer gets 50.

> **Predict.** Who fails where?
""")
code(r"""
transfer = catalogue.stored("transfer")
tested = ["degree 8", "hubs", "degree 40"]
print("made-up graphs, trained on degree 8, balanced accuracy, %, 10 seeds")
rows = transfer.groupby(["task", "weights"], sort=False)[tested]
display(rows.agg(show))
on_mean = transfer[transfer["task"] == "mean"]
on_count = transfer[transfer["task"] == "count"]
for other in ("GCN", "mean", "sum"):
    for task, own in (("mean", on_mean), ("count", on_count)):
        found = gap(own, "weights", "learned", other, "hubs")
        print(f"{task}, hubs, learned - {other}: {found}")
""")
md(r"""
Asked for a **mean**, the learned weights do on hubs what they did at home, and GCN's fall, since they meet degrees that they were not trained with. But a plain mean does at least as well as attention everywhere. Asked for a **count**, only the sum carries over: neither attention nor a mean can tell how many there are. GCN's weights contain the degree, and on hubs they lose less than attention does. **Verdict: better than GCN where the answer is an average, worse where it is a count. In both cases the fixed weights that fit the task transfer best.**

## Which one should I use today?

| your case | take | because |
|---|---|---|
USE_ROWS

## In practice

- **It does not train.** Overfit ten nodes first; if that fails, the mistake is in the data or the loss. Then: self-loops there? Features scaled? `model.eval()` for the score? Chapter 5 measures what the usual mistakes cost.
- **Initialisation.** Our layers, as DGL's, draw $W$ and $a$ by Glorot's rule with gain $\sqrt2$. Add a residual connection and each layer adds to what came in, so numbers grow with depth: normalise (above), or start with a smaller gain.
- **Dropout.** On attention weights it removes neighbours, after the softmax and in training only. The paper's 0.6 belongs to 140 labels; with many labels start without.
- **Degree.** Attention forgets how many neighbours there were. If that matters, give the degree as a feature, add a sum, or scale by it (exercise 7.3; [Corso et al., 2020](https://arxiv.org/abs/2004.05718)).
- **Half precision.** Keep the softmax and long sums in single precision; `FusedGATLayer` does so under autocast.
- **Reading weights.** Show the uniform weight beside them, several seeds, and a test by deletion (claim 2).

## Where the field went

**Graph Transformers.** An early one kept to neighbours and told each node where it is, by *positional encodings* ([Dwivedi and Bresson, 2021](https://arxiv.org/abs/2012.09699)). Later ones let every node attend to every other, and bring the structure back as biases in the score ([Graphormer](https://arxiv.org/abs/2106.05234)) or beside a message-passing layer ([GPS](https://arxiv.org/abs/2205.12454)). All pairs cost $N^2$; sparse patterns win some of it back ([Exphormer](https://arxiv.org/abs/2303.06147)). For depth there is a proof that attention alone cannot prevent over-smoothing ([Wu et al., 2023](https://arxiv.org/abs/2305.16102)). Two surveys: [Lee et al., 2018](https://arxiv.org/abs/1807.07984), of attention on graphs; [Brauwers and Frasincar, 2023](https://arxiv.org/abs/2203.14263), of attention at large.

## Summary

- Variants of graph attention differ in the score. GATv2 and dot products rank sources anew for each target; GAT cannot, within a head.
- A kind of edge counts only if the score sees it.
- Attention averages: it does not count, subtract, switch off, or reach past its neighbours.
- Global attention is a readout. Networks that differ in the seed alone need not weigh the same atoms.
- Links that are asked for must not carry messages.
SUMMARY_LAST

## Exercises

Starter cells run as they are and say "not done yet". Worked solutions are in [the solutions notebook](solutions/07-variants.ipynb).

**7.1 Static or not (warm-up).** Given the scores of all pairs, a row for each target and a column for each source, say whether all targets rank the sources alike. (No two scores of a row are equal.)
""")
code(r"""
def same_order(scores):
    pass  # your code: True or False; scores [T, S]


checks.exercise("7.1", same_order);
""")
md(r"""
**7.2 The cheap way.** The third part of the score with edge features is $a_e^\top(W_e^\top f_{ij})$, for each head. Compute it for all edges without a vector of length $KF'$ for any edge.
""")
code(r"""
def edge_term(f, edge_matrix, att_edge):
    pass  # your code: [E, D], [D, K·F'], [K, F'] to [E, K]


checks.exercise("7.2", edge_term);
""")
md(r"""
**7.3 Give the degree back.** Attention forgets how many neighbours there were. Multiply each node's vector by $\log(d_i+1)/\delta$, with $d_i$ its number of incoming edges and $\delta$ the mean of $\log(d+1)$ over the *training* graphs, which you are given. What would happen without the $+1$? Why not take $\delta$ from the graph at hand?
""")
code(r"""
def degree_scaler(graph, h, delta):
    pass  # your code: h [N, F] to [N, F]


checks.exercise("7.3", degree_scaler);
""")
md(r"""
**7.4 A readout with attention.** Stable for large scores, zeros for a graph without nodes, and fast for thousands of graphs: no loop over them.
""")
code(r"""
def read_out(h, graph_of, num_graphs, query):
    pass  # your code: [N, F], [N], G, [F] to [G, F]


checks.exercise("7.4", read_out);
""")
md(r"""
**7.5 Hits.** Of the scores of linked pairs, which share is higher than the $k$-th best score of the pairs without a link? Then: what does it measure that AUC does not?
""")
code(r"""
def hits(there, nowhere, k):
    pass  # your code: scores [M], scores [P], k; a number from 0 to 1


checks.exercise("7.5", hits);
""")
md(r"""
**7.6 The leak.** Someone hands you a graph for messages and a list of pairs to be predicted. A pair is given away if an edge joins its two nodes, in either direction. Mark those pairs.
""")
code(r"""
def leaked(graph, links):
    pass  # your code: links [2, M]; bool [M]


checks.exercise("7.6", leaked);
""")
md(r"""
**7.7 A seventh claim (open-ended).** "Attention helps where neighbours differ from oneself" (*heterophily*). Design the experiment before you run it: which graphs, which rival with frozen weights, which other rival that is *not* attention, how many seeds, which interval would change your mind? Then run it.

## What to read next

- [Brody et al., 2022](https://arxiv.org/abs/2105.14491): static and dynamic attention, with the proof.
- [Jain and Wallace, 2019](https://arxiv.org/abs/1902.10186), and the answer of [Wiegreffe and Pinter, 2019](https://arxiv.org/abs/1908.04626): is attention an explanation?
- [Xu et al., 2019](https://arxiv.org/abs/1810.00826): what sums can do that averages cannot.
- Chapter 9 makes the layer fast.
""")
