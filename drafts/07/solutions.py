CELLS = []
def md(text, **meta): CELLS.append(("markdown", text.strip("\n"), meta))
def code(text, tags=None, test=None):
    meta = {}
    if tags: meta["tags"] = tags
    if test: meta["gat_course"] = {"test": test}
    CELLS.append(("code", text.strip("\n"), meta))
LIVE = ["nbval-ignore-output"]
md(r"""
# Solutions to chapter 7: Variants, and claims about attention

These are worked solutions to the exercises of [chapter 7](../07-variants.ipynb). The links are Cora's, or of the *synthetic stand-in for Cora* where Cora cannot be had; all other graphs are made up, and each table says so.
""")
code(r"""
import math

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from gat_course import (
    MLP,
    FusedGATLayer,
    GATv2Layer,
    GraphData,
    UniformGATLayer,
    checks,
    difference,
    evaluate,
    fit,
    formulas,
    load,
    puzzles,
    split_links,
)
from gat_course.experiments.variants import OneLayer

pd.set_option("display.max_colwidth", None)  # shows long cells in full
""")
code(r"""
SEEDS = range(10)
MAX_EPOCHS = 300
NUM_NODES = 1000
""", tags=["parameters"], test="SEEDS = range(2)\nMAX_EPOCHS = 2\nNUM_NODES = 400")
code(r"""
device = "cuda" if torch.cuda.is_available() else "cpu"
""")
md(r"""
## 7.1 Static or not

*Given the scores of all pairs, a row for each target and a column for each source, say whether all targets rank the sources alike.*

Sorting a row gives the order of its sources. Static attention has one order for all rows.
""")
code(r"""
def same_order(scores):
    order = scores.argsort(dim=1)
    return bool((order == order[0]).all())


checks.exercise("7.1", same_order);
""")
md(r"""
The best source alone would not do: two targets may agree on the first and differ in the second. With it we can ask a layer itself. One head of each, untrained, on all pairs of thirty sources and thirty targets:
""")
code(r"""
torch.manual_seed(0)
pairs = torch.cartesian_prod(torch.arange(30, 60), torch.arange(30))
graph = GraphData.from_edges(*pairs.T.flip(0), x=torch.randn(60, 8))
for layer in (FusedGATLayer, GATv2Layer):
    _, alpha = layer(8, 8)(graph, graph.x, return_attention=True)
    print(layer.__name__, same_order(alpha.detach().view(30, 30)))
""")
md(r"""
## 7.2 The cheap way

*Compute the third part of the score, $a_e^\top(W_e^\top f_{ij})$, for all edges and heads, without a vector of length $KF'$ for any edge.*

Move the brackets: $(W_e a_e)^\top f_{ij}$. The first product does not depend on the edge. It has $D$ numbers for each head.
""")
code(r"""
def edge_term(f, edge_matrix, att_edge):
    by_head = edge_matrix.unflatten(1, att_edge.shape)  # [D, K, F']
    table = (by_head * att_edge).sum(dim=-1)  # [D, K]
    return f @ table


checks.exercise("7.2", edge_term);
""")
md(r"""
With $E$ edges, $D$ columns, $K$ heads of $F'$ features this takes about $EDK$ multiplications in place of $EDKF'+EKF'$. It is the trick of chapter 1, where the score split into a part for each end.

A consequence: with scores alone, $W_e$ and $a_e$ can do no more than the table. $DK$ numbers would be enough; the two factors only make the training start elsewhere.

## 7.3 Give the degree back

*Multiply each node's vector by $\log(d_i+1)/\delta$, with $\delta$ the mean of $\log(d+1)$ over the training graphs.*
""")
code(r"""
def degree_scaler(graph, h, delta):
    scale = torch.log(graph.in_degrees + 1.0) / delta
    return h * scale.to(h.dtype).unsqueeze(1)


checks.exercise("7.3", degree_scaler);
""")
md(r"""
Without the $+1$ a node of degree 1 would lose everything, as $\log 1=0$, and one without neighbours would get $-\infty$. And $\delta$ belongs to the model like a weight: if it came from the graph at hand, a graph with degree 40 throughout would look like one with degree 8 throughout, and the count would be lost again. Does it mend the chapter's count? There the training graph had one degree for all nodes, so no model could learn what a degree is for. So train on a graph with hubs, and test on another:
""")
code(r"""
class Scaled(nn.Module):
    num_hops = None

    def __init__(self, layer, delta):
        super().__init__()
        self.layer, self.delta = layer, delta
        width = layer.num_heads * layer.out_features
        self.decide = nn.Sequential(
            nn.Linear(2 * width, width), nn.ELU(), nn.Linear(width, 2)
        )

    def forward(self, graph, x):
        h = F.elu(self.layer(graph, x))
        return self.decide(
            torch.cat([h, degree_scaler(graph, h, self.delta)], dim=1)
        )


def on_hubs(make_model, seed):
    train = puzzles.degree_graph("hubs", "count", NUM_NODES, seed)
    train = train.with_random_masks(NUM_NODES // 5, NUM_NODES // 5, 20, seed)
    delta = float(torch.log(train.in_degrees + 1.0).mean())
    torch.manual_seed(seed)
    model = make_model(delta).to(device)
    options = {"lr": 0.01, "weight_decay": 0.0, "progress": False}
    fit(model, train.to(device), max_epochs=MAX_EPOCHS, **options)
    hubs = puzzles.degree_graph("hubs", "count", NUM_NODES, 1000 + seed)
    everyone = torch.ones(NUM_NODES, dtype=torch.bool, device=device)
    return evaluate(model, hubs.to(device), everyone).accuracy
""")
code(r"""
def plain(delta):
    return Scaled(FusedGATLayer(4, 16, 4), math.inf)  # scaled by 0


def with_degree(delta):
    return Scaled(FusedGATLayer(4, 16, 4), delta)


scores = {
    name: [on_hubs(make, seed) for seed in SEEDS]
    for name, make in (("attention", plain), ("and its degree", with_degree))
}
print(f"made-up graphs, count on hubs, accuracy in %, {len(SEEDS)} seeds")
gain = difference(scores["and its degree"], scores["attention"], paired=True)
print(f"and its degree - attention: {gain}")
pd.DataFrame(scores).agg(["mean", "std"]).round(1)
""", tags=LIVE)
md(r"""
SCALER_TEXT

## 7.4 A readout with attention

*Without a loop over graphs, stable for large scores, zeros for a graph without nodes.*

It is the softmax over edges with a graph in the place of the target.
""")
code(r"""
def read_out(h, graph_of, num_graphs, query):
    scores = (h @ query).unsqueeze(1)  # [N, 1]
    beta = formulas.edge_softmax(scores, graph_of, num_graphs)
    zeros = h.new_zeros(num_graphs, h.shape[1])
    return zeros.index_add(0, graph_of, beta * h)


checks.exercise("7.4", read_out);
""")
md(r"""
`formulas.edge_softmax` subtracts each group's largest score before it takes exponentials; one largest score for all graphs would let the weights of far-below graphs underflow.

## 7.5 Hits

*Which share of the linked pairs scores higher than the $k$-th best pair without a link? What does it measure that AUC does not?*
""")
code(r"""
def hits(there, nowhere, k):
    bar = nowhere.topk(k).values[-1]
    return (there > bar).double().mean()


checks.exercise("7.5", hits);
""")
md(r"""
AUC looks at all pairs alike. Who recommends links shows the best few only, and hits look at this end of the list. Two rankings of the same AUC can differ there. But $k$ means little by itself: among 500 pairs without a link the hundredth best is a low bar, among a million a high one.

## 7.6 The leak

*Mark the pairs that the messages give away.*

Give each ordered pair one number, and look in both directions.
""")
code(r"""
def leaked(graph, links):
    n = graph.num_nodes
    messages = graph.src * n + graph.dst
    there, back = (a * n + b for a, b in (links, links.flip(0)))
    return torch.isin(there, messages) | torch.isin(back, messages)


checks.exercise("7.6", leaked);
""")
code(r"""
raw = load("cora", fallback="synthetic")
split = split_links(raw)
pairs = split.links["test"]
print(f"{raw.name}, {pairs.shape[1]} test links")
print("honest messages give away", int(leaked(split.graph, pairs).sum()))
print("the whole graph gives away", int(leaked(raw, pairs).sum()))
""", tags=LIVE)
md(r"""
This finds the plain leak. There are others that it does not see: features made from the whole graph (such as a degree, or an embedding), or a link that is listed under another name.

## 7.7 A seventh claim

*"Attention helps where neighbours differ from oneself." Design the experiment before you run it.*

One answer among many. **Graphs:** made up, so that one knob turns: 1,000 nodes of two classes; each of ten neighbours has the node's own class with probability $p$, from 0.1 (*heterophily*) to 0.9 (*homophily*). Features hint at the class. **Rivals:** the same layer with uniform weights; both with the node's own features set beside what it hears, which is no attention at all; and an MLP, which hears nothing. **Before the run:** ten seeds, paired, as each seed draws its graph; attention is said to help where the interval of *GAT minus uniform* lies above zero and the trick without attention does not do the same.
""")
code(r"""
def two_classes(p, seed):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(NUM_NODES) % 2
    dst = torch.arange(NUM_NODES).repeat_interleave(10)
    alike = torch.rand(len(dst), generator=generator) < p
    other = torch.randint(NUM_NODES // 2, (len(dst),), generator=generator)
    src = 2 * other + torch.where(alike, y[dst], 1 - y[dst])
    noise = torch.randn(NUM_NODES, 8, generator=generator)
    x = torch.where(y == 1, 0.5, -0.5).unsqueeze(1) + noise
    graph = GraphData(num_nodes=NUM_NODES, src=src, dst=dst, x=x, y=y)
    graph = graph.without_repeats().with_self_loops()
    return graph.with_random_masks(20, NUM_NODES // 5, NUM_NODES // 2, seed)


class Beside(OneLayer):
    def __init__(self, layer, outputs):
        super().__init__(layer, outputs)
        self.own = nn.Linear(layer.in_features, outputs)

    def forward(self, graph, x):
        return super().forward(graph, x) + self.own(x)
""")
code(r"""
def rivals():
    return {
        "GAT": OneLayer(FusedGATLayer(8, 8, 4), 2),
        "uniform": OneLayer(UniformGATLayer(8, 8, 4), 2),
        "GAT, self beside": Beside(FusedGATLayer(8, 8, 4), 2),
        "uniform, self beside": Beside(UniformGATLayer(8, 8, 4), 2),
        "MLP": MLP(8, 2, 32, dropout=0.0),
    }


def one_run(p, seed):
    graph, found = two_classes(p, seed).to(device), {}
    torch.manual_seed(seed)
    for name, model in rivals().items():
        model = model.to(device)
        fit(model, graph, lr=0.01, max_epochs=MAX_EPOCHS, progress=False)
        found[name] = evaluate(model, graph, graph.test_mask).accuracy
    return found


SHARES = (0.1, 0.5, 0.9)
runs = {p: pd.DataFrame([one_run(p, s) for s in SEEDS]) for p in SHARES}
print(f"made-up graphs, test accuracy in %, {len(SEEDS)} seeds")
pd.DataFrame({f"p = {p}": run.mean() for p, run in runs.items()}).round(1)
""", tags=LIVE)
code(r"""
PAIRS = [("GAT", "uniform"), ("GAT", "uniform, self beside")]
for p, run in runs.items():
    for a, b in PAIRS:
        print(f"p = {p}, {a} - {b}: {difference(run[a], run[b], paired=True)}")
""", tags=LIVE)
md(r"""
SEVENTH_TEXT
""")
