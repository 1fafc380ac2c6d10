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
# 8 Does attention work?

> **Which data?** COLORS and TRIANGLES are made up, by the paper's rules. MNIST's digits, PROTEINS, D&D and COLLAB are real. A cell that calls `catalogue.stored("colors")` shows runs that were made beforehand, by `gat-course reproduce colors`. Everything else is computed on this page.

**After this chapter you can**

- pool the nodes of a graph by attention, with a threshold or the best few;
- say what a sum can count and a mean cannot;
- teach attention: by the task alone, by the right weights, or by weak labels;
- measure how good an attention is, and what it is worth on larger and noisier graphs;
- say when attention helps to generalise, and what decides it.

**Time:** 60 minutes to read, about two minutes to run on two cores. **Builds on:** chapters 1, 2 and 7.
""")
code(r"""
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from gat_course import (
    ChebyGINLayer,
    GraphData,
    GraphPack,
    NodePooling,
    PoolingNetwork,
    attention_auc,
    attention_divergence,
    batch_graphs,
    catalogue,
    checks,
    counting,
    difference,
    evaluate_pooling,
    fit_pooling,
    layers,
    load_mnist_75sp,
    load_tu,
    node_effects,
    plotting,
)
from gat_course.experiments import pooling
from gat_course.training.node_pooling import predict_pack, right
""")
code(r"""
if find_spec("skimage") is None:  # on Colab: cuts images into superpixels
    %pip install -q scikit-image
""", tags=["hide-input"])
code(r"""
COLORS_EPOCHS = 60
""", tags=["parameters"], test="COLORS_EPOCHS = 1")
code(r"""
device = "cuda" if torch.cuda.is_available() else "cpu"
print("device:", device)
""", tags=LIVE)
md(r"""
## Weights for nodes, and who stays

So far attention weighed the neighbours of a node. The attention of this chapter weighs *all nodes of a graph*, as the readout $\beta$ of chapter 7 did, and then lets go of those with small weights. This is **pooling**: what comes out is a smaller graph. With a score $s_i$ for each node,

$$\alpha_i=\frac{\exp s_i}{\sum_{m}\exp s_m},\qquad Z_i=\alpha_i X_i\ \text{ for all } i \text{ that stay.}$$

Who stays? Either all whose weight is above a **threshold**, or a fixed share of the nodes, those with the largest weights (**top-$k$**). Of the edges those stay whose two ends do. The best node always stays, so no graph becomes empty.

Why would one do that? Because an answer often rests on a few nodes, and the rest is noise that grows with the graph. A network that looks at the right nodes on small graphs should do so on large ones. Does it? [Knyazev, Taylor and Amer (2019)](https://arxiv.org/abs/1905.02850) asked this with graphs whose *right* attention is known. This chapter repeats their study.
""")
code(r"""
graph = GraphData.from_edges(
    [0, 1, 2, 3, 4], [1, 2, 3, 4, 0], undirected=True, x=torch.eye(5)
)
scores = torch.tensor([2.0, 1.5, 0.0, -1.0, 0.2])
alpha = layers.node_attention(graph, scores)
print("alpha:", [f"{a:.2f}" for a in alpha])
for how in ({"threshold": 0.2}, {"ratio": 0.6}, {"threshold": 0.9}):
    kept = layers.kept_nodes(graph, alpha, **how)
    smaller = layers.pooled_graph(graph, kept)
    print(how, "keeps nodes", kept.nonzero()[:, 0].tolist(), "and", smaller)
""")
md(r"""
> **A refresher: distributions, entropy, divergence.** Positive numbers that sum to 1 are a *distribution*; attention weights are one over nodes. Its **entropy** $-\sum_i p_i\log p_i$ says how spread out it is: 0 if all is on one node, $\log N$ if it is uniform. The **KL divergence** of $q$ from $p$, $D_\mathrm{KL}(p\Vert q)=\sum_i p_i\log(p_i/q_i)$, says how far $q$ is from a wanted $p$: 0 if they are equal, else positive. It asks about places where $p$ is large: if $q$ is small there, it costs much. It is not symmetric. All in nats (natural logarithm).
""")
code(r"""
def entropy(p):
    return torch.special.entr(p).sum()  # of each: -p log p, and 0 for 0


uniform, one = torch.full((4,), 0.25), torch.tensor([0.0, 1.0, 0.0, 0.0])
for name, p in (("uniform", uniform), ("on one node", one)):
    print(f"entropy, {name}: {entropy(p):.3f} (log 4 = {np.log(4):.3f})")
""")
code(r"""
four = GraphData.from_edges([], [], num_nodes=4)
near = torch.tensor([0.05, 0.85, 0.05, 0.05])
for text, p, q in (
    ("uniform, where one node is wanted", one, uniform),
    ("nearly right", one, near),
    ("nearly all on one, where uniform is wanted", uniform, near),
    ("uniform, where nearly all on one is wanted", near, uniform),
):
    print(f"{attention_divergence(four, p, q).item():.3f}  {text}")
""")
md(r"""
## Graphs whose right attention is known

- **COLORS.** Random graphs whose nodes are red, green or blue. How many are *green*? Edges mean nothing. Right attention: $1/N_\mathrm{green}$ for each green node, 0 for the others. Trained on 500 graphs of 4 to 25 nodes, tested on such (Test-Orig), on graphs of up to 200 nodes (Test-Large), and on large graphs in which nodes that are not green mix several colours, one of them never seen (Test-LargeC).
- **TRIANGLES.** Random graphs; a node's only feature is its degree. How many triangles? Right attention: $T_i/\sum_j T_j$, with $T_i$ the triangles through node $i$. Test-Large has up to 100 nodes.
- **MNIST-75SP.** Handwritten digits, cut into at most 75 *superpixels* (patches of similar brightness), each a node with its brightness and place. Every two are joined, near ones with a larger weight. Right attention: uniform over the patches that are not black. Test-Noisy and Test-NoisyC add grey and coloured noise.
""")
code(r"""
colors = counting.colors(num_val=200, num_test=500)
triangles = counting.triangles(num_train=600, num_val=100, num_test=300)
for pack in (*colors.values(), *triangles.values()):
    print(pack)
""")

code(r"""
def first(pack, low, high):  # a graph of that many nodes, not the smallest count
    inside = (pack.sizes >= low) & (pack.sizes <= high) & (pack.y > 3)
    return pack.take(inside.nonzero()[0])


one = first(colors["Test-Orig"], 18, 24)
plotting.node_weights(
    one.graph,
    {"right attention": one.attention},
    title=f"{int(one.y)} green nodes",
    name=one.name,
);
""", fig=("fig-pooling-colors", "A graph of COLORS. The green nodes, and only they, should be attended to, all alike; the links mean nothing.", "A graph of some twenty nodes; a few are dark and large, the others light and small."))
code(r"""
one = first(triangles["Test-Orig"], 18, 24)
plotting.node_weights(
    one.graph,
    {"right attention": one.attention},
    title=f"{int(one.y)} triangles",
    name=one.name,
);
""", fig=("fig-pooling-triangles", "A graph of TRIANGLES. A node should be attended to by how many triangles it is part of; nodes in none can go.", "A graph of some twenty nodes; those in triangles are darker and larger."))
code(r"""
with warnings.catch_warnings():
    warnings.simplefilter("default")
    mnist = load_mnist_75sp(MNIST_IMAGES, 200, fallback="synthetic")
digits = mnist["Test-Orig"]
print(digits)
""", tags=LIVE)
md(r"""
> **No MNIST here?** Then a *synthetic stand-in for MNIST* takes its place, the small digits of scikit-learn, enlarged, and says so; the stored tables still show MNIST.

### Who ends up alone?

Pooling tears edges. Keep half of the nodes by top-$k$, or those that the right attention names: how many of the kept nodes have no neighbour left?
""")
code(r"""
def alone(pack, **how):
    graph, weights = pack.graph, pack.attention
    if how.pop("at_random", False):
        weights = torch.rand(len(weights))
    kept = layers.kept_nodes(graph, weights, **how)
    share = layers.isolated_share(layers.pooled_graph(graph, kept))
    return f"{100 * share:.0f} %"


torch.manual_seed(0)
rules = {
    "right attention, threshold 0": {"threshold": 0.0},
    "right attention, best half": {"ratio": 0.5},
    "best half of random weights": {"ratio": 0.5, "at_random": True},
}
rows = {}
for name, pack in (("COLORS", colors), ("TRIANGLES", triangles)):
    test = pack["Test-Orig"]
    share = layers.isolated_share(test.graph)
    rows[name] = {"before pooling": f"{100 * share:.0f} %"}
    rows[name] |= {r: alone(test, **how) for r, how in rules.items()}
print("kept nodes that no edge joins with another, Test-Orig")
pd.DataFrame(rows)
""")
md(r"""
In COLORS the links mean nothing, so the green nodes are often alone. Where the answer lies in the links, as in TRIANGLES, the right attention leaves nobody alone; half of the nodes at random leaves many. (The best *half* also takes nodes that should go, as a graph seldom needs exactly half.)

## What can count

To count green nodes a network must *add*. A mean cannot: whatever the number of equal neighbours, their mean is the same ([Xu et al., 2019](https://arxiv.org/abs/1810.00826), and chapter 7).
""")
code(r"""
for leaves in (2, 5):
    ends = [0] * leaves, range(1, leaves + 1)
    star = GraphData.from_edges(*ends, undirected=True)
    ones = torch.ones(star.num_nodes, 1)
    weights = 1 / star.in_degrees[star.dst]
    mean = layers.neighbour_sums(star, weights, ones)[0].item()
    total = layers.neighbour_sums(star, torch.ones_like(weights), ones)[0]
    print(f"{leaves} equal leaves: mean {mean:.0f}, sum {total.item():.0f}")
""")
md(r"""
The same holds for the readout. A network without attention on COLORS, five seeds (stored runs of the chapter's recipe for COLORS, below):
""")
code(r"""
def show(scores):
    return f"{scores.mean():.1f}\xa0±\xa0{scores.std():.1f}"


TESTS = ["Test-Orig", "Test-Large", "Test-LargeC"]
readouts = catalogue.stored("readouts")
print("made-up, COLORS, no attention, accuracy in percent, 5 seeds")
readouts.groupby("readout", sort=False)[TESTS].agg(show)
""")
md(r"""
The paper uses four relatives, which one layer covers. It computes $K$ matrices from $X$, sets them side by side and applies a linear layer (or two) with ReLU. $A$ is the adjacency matrix, $D$ the degrees:

| | $K=1$ | $K\ge2$: $T_0X,\dots,T_{K-1}X$ |
|---|---|---|
| mean | **GCN**: $\hat D^{-1/2}(A+I)\hat D^{-1/2}X$ | **ChebyNet**, with $L=-D^{-1/2}AD^{-1/2}$ |
| sum | **GIN**: $(A+I)X$ | **ChebyGIN**: the same, times the degree |

with Chebyshev's polynomials, $T_0X=X$, $T_1X=LX$, $T_kX=2L\,T_{k-1}X-T_{k-2}X$ ([Defferrard et al., 2016](https://arxiv.org/abs/1606.09375)). Each is one more step along the edges; a layer reaches $K-1$ steps. The eigenvalues of $L$ lie between $-1$ and $1$, where $|T_k|\le1$: nothing grows.
""")
code(r"""
one = first(triangles["Test-Orig"], 18, 24).graph
adjacency = one.dense_adjacency()
root = adjacency.sum(dim=1).clamp(min=1).rsqrt()
L = -root[:, None] * adjacency * root
polynomials = [one.x, L @ one.x]
for _ in range(3):
    polynomials.append(2 * L @ polynomials[-1] - polynomials[-2])
layer = ChebyGINLayer(one.num_features, 8, order=5)
for ours, theirs in zip(polynomials, layer.basis(one, one.x), strict=True):
    assert torch.allclose(ours, theirs, atol=1e-5)
largest = torch.linalg.eigvalsh(L).abs().max()
print(f"five polynomials as in the layer; largest eigenvalue {largest:.3f}")
""")
md(r"""
## Three teachers

A network that pools: Chebyshev layers, attention between them, a readout over the nodes that are left, a linear decision. For COLORS the score is a **projection** $p^\top x_i$ of the features; for TRIANGLES a small network of its own, since no single node shows a triangle. How does the attention learn?

- **Unsupervised:** by the task's loss alone.
- **Supervised:** the right attention $\alpha^\mathrm{GT}$ is given while training, and the loss gets a second part, $\beta\,D_\mathrm{KL}(\alpha^\mathrm{GT}\Vert\alpha)/N$.
- **Weakly supervised:** the same with labels that need no knowledge. Train a second network without attention. Take out each node in turn, and see how much its output $y$ changes: $\alpha^\mathrm{WS}_i=|y_i-y|/\sum_j|y_j-y|$.

The yardstick is **global** pooling: no attention at all, all nodes in the readout. First the weak labels. A network without attention learns COLORS:
""")
code(r"""
train, val = colors["train"].to(device), colors["val"].to(device)
torch.manual_seed(0)
teacher = PoolingNetwork(4, 1).to(device)
options = {"lr": 0.01, "max_epochs": COLORS_EPOCHS, "progress": False}
decay = {"decay_at": [round(0.9 * COLORS_EPOCHS)]}
fit_pooling(teacher, train, val, **options, **decay)
weak = node_effects(teacher, train)  # [N]
print(f"teacher: {evaluate_pooling(teacher, val)['accuracy']:.0f} % right")
print(f"AUC of its weak labels: {attention_auc(train.attention, weak):.1f} %")
""", tags=LIVE)
md(r"""
The **AUC** says how often a node that should count gets a larger weight than one that should not: 50 is a coin, 100 is perfect. The second network now learns from these labels. Three kinds of teaching, with fewer and larger steps than the paper's:
""")
code(r"""
taught = {
    "unsupervised": (0.03, 0.0, train),
    "supervised": (0.05, 100.0, train),
    "weakly supervised": (0.05, 100.0, train.with_attention(weak)),
}
pupils, rows = {"global": teacher}, {}
for kind, (threshold, beta, data) in taught.items():
    torch.manual_seed(0)
    pools = NodePooling(before=(2,), threshold=threshold)
    model = PoolingNetwork(4, 1, pooling=pools).to(device)
    fit_pooling(model, data, val, beta=beta, **options, **decay)
    pupils[kind] = model
for kind, model in pupils.items():
    for part in ("Test-Orig", "Test-Large", "Test-LargeC"):
        found = evaluate_pooling(model, colors[part].to(device))
        rows.setdefault(kind, {})[part] = found["accuracy"]
    if "auc" in found:
        rows[kind] |= {"AUC, LargeC": found["auc"], "kept": found["kept"]}
print(f"made-up, COLORS, percent, one seed, {COLORS_EPOCHS} epochs")
pd.DataFrame(rows).T.round(1)
""", tags=LIVE)
code(r"""
one = first(colors["Test-LargeC"], 40, 60).to(device)
weights, kept = {"right attention": one.attention}, {}
for kind, model in pupils.items():
    if kind != "global":
        with torch.no_grad():
            _, (step,) = model(
                one.graph, one.graph.x, return_attention=True
            )
        weights[kind], kept[kind] = step.alpha, step.kept
plotting.node_weights(
    one.graph, weights, kept, title="a larger graph, new colours", name="COLORS"
);
""", tags=LIVE, fig=("fig-pooling-colorsc", "What the three pupils keep of a graph that is larger than any they were trained on and has colours that they never saw. Hollow nodes were dropped.", "Four drawings of one graph of some fifty nodes: right attention, unsupervised, supervised, weakly supervised. The last two keep the green nodes; the unsupervised one keeps others."))
md(r"""
## COLORS at full size

The paper's numbers of graphs, widths, thresholds and epochs; twenty random starts (each with graphs of its own):
""")
code(r"""
PUBLISHED = pd.DataFrame(  # the authors' repository, ChebyGIN
    {
        "COLORS, Test-LargeC": ["15 ± 7", "11 ± 6", "75 ± 17", "73 ± 14"],
        "TRIANGLES, Test-Large": ["30 ± 1", "26 ± 2", "48 ± 1", "30 ± 1"],
        "MNIST-75SP, Test-Noisy": ["80 ± 12", "80 ± 23", "92.3 ± 0.4", "88.8 ± 4"],
    },
    index=pooling.TEACHING,
)


def beside(runs, tests, column):
    rows = runs.groupby("kind", sort=False)[tests].agg(show)
    return rows.assign(published=PUBLISHED[column])


def gaps(runs, test, pairs):
    for a, b in pairs:
        one, other = (runs.loc[runs["kind"] == k, test] for k in (a, b))
        print(f"{test}, {a} - {b}: {difference(one, other, paired=True)}")


runs = catalogue.stored("colors")
runs_3 = runs[runs["dim"] == 3]
print("made-up, COLORS, accuracy in percent, 20 seeds; published: LargeC")
beside(runs_3, TESTS, "COLORS, Test-LargeC")
""")
code(r"""
AGAINST = [
    ("supervised", "global"),
    ("weakly supervised", "global"),
    ("unsupervised", "global"),
    ("supervised", "weakly supervised"),
]
gaps(runs_3, "Test-LargeC", AGAINST)
gaps(runs_3, "Test-Large", AGAINST[:3])
""")
md(r"""
Within the published spreads, all four. Shown the right attention, a network that was trained on graphs of at most 25 nodes counts in graphs of up to 200, with colours that it never saw. With weak labels, made without any knowledge, it is nearly as good. Left to itself it is no better than without attention, and on Test-Large far worse.

Two things are worth a second look. On **Test-Large** no attention is as good as taught attention: more nodes of known colours are no problem for a sum. It is the *unknown* that attention keeps out. And the taught networks stop near 91 % there, for a plain reason:
""")
code(r"""
large = colors["Test-Large"].to(device)
outputs, _, _ = predict_pack(pupils["supervised"], large)
hits, none = right(outputs, large), large.y == 0
for name, own in (("no green node", none), ("some green nodes", ~none)):
    rate = 100 * hits[own].mean()
    print(f"{name}: {int(own.sum())} graphs, {rate:.0f} % right")
""", tags=LIVE)
md(r"""
Where nothing is green, the best node stays all the same, and is counted. Softmax weights say who matters *most*, not whether anyone does.

### Too late

With 16 colours in place of 3 the same recipe gives this:
""")
code(r"""
more = runs[runs["dim"] == 16]
print("made-up, COLORS with 16 colours, accuracy in percent, 5 seeds")
more.groupby("kind", sort=False)[TESTS].agg(show)
""")
md(r"""
On Test-LargeC everything fails, the supervised network too. Is its attention bad? No: its AUC is nearly perfect. But it pools *behind* the first layer, in which each node has already heard its neighbours, and these now have eight colours at once. Who stays is right; what they bring along is not. So let it pool at the **input**, before anyone hears anyone:
""")
code(r"""
early = catalogue.stored("colors-input")
late = runs[runs["kind"] == "supervised"]
rows = {}
for dim in (3, 16):
    for name, own in (("before layer 2", late), ("at the input", early)):
        own = own[own["dim"] == dim].head(5)
        columns = [*TESTS, "Test-LargeC, auc"]
        rows[f"{dim} colours", name] = {c: show(own[c]) for c in columns}
print("made-up, COLORS, supervised, percent, 5 seeds")
pd.DataFrame(rows).T
""")
code(r"""
for dim in (3, 16):
    one, other = (own[own["dim"] == dim].head(5) for own in (early, late))
    found = difference(one["Test-LargeC"], other["Test-LargeC"], paired=True)
    print(f"Test-LargeC, {dim} colours, input - layer 2: {found}")
""")
md(r"""
With 16 colours this is the difference between nothing and nearly everything. (With 3 it is not shown to help.) A good attention is worth only what the vectors behind it are worth.

### The start decides

The unsupervised network is the same as the supervised one; only nobody tells it where to look. Its $p$ starts at random, so by chance its attention is good or bad before the first step. Does it recover from a bad start?
""")
code(r"""
with plotting.style():
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.6), layout="constrained")
    for kind, marker, colour in (
        ("unsupervised", "o", plotting.CLASS_COLOURS[0]),
        ("supervised", "s", plotting.CLASS_COLOURS[4]),
        ("weakly supervised", "^", plotting.CLASS_COLOURS[6]),
    ):
        own = runs_3[runs_3["kind"] == kind]
        paint = {"marker": marker, "color": colour, "label": kind, "s": 28}
        axes[0].scatter(own["start, auc"], own["Test-Orig, auc"], **paint)
        axes[1].scatter(own["Test-LargeC, auc"], own["Test-LargeC"], **paint)
    axes[0].set(xlabel="AUC before training", ylabel="AUC after, Test-Orig")
    axes[1].set(xlabel="AUC on Test-LargeC", ylabel="accuracy (%)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.suptitle("COLORS: twenty starts", x=0.02, ha="left", weight="bold")
""", fig=("fig-pooling-start", "Twenty starts. Left: how good the attention is before and after training. Right: what a good attention is worth on larger graphs with new colours.", "Two scatter plots with three kinds of marks. Supervised and weakly supervised marks lie at the top; unsupervised ones follow the quality of their start and are low in accuracy."))
md(r"""
Left alone, attention ends about where it started: good starts stay good, bad ones stay bad, and no loss tells them, for nearly all of them answer Test-Orig without a mistake. Taught, right or weakly, it is good from any start. But look at the right-hand picture too: a good attention is not enough for a good accuracy. Two of the unsupervised networks attend almost perfectly on Test-LargeC, AUC above 99, and count 14 and 27 % right. The AUC sees the order of the weights alone; a teacher also says how *large* they should be, all alike.

### Larger and larger
""")
code(r"""
limits = [25, 50, 100, 150, 200]


def by_size(runs, limits):
    return {
        kind: {n: list(own[f"to {n} nodes"]) for n in limits}
        for kind, own in runs.groupby("kind", sort=False)
    }


plotting.against(
    by_size(runs_3, limits[1:]),
    xlabel="nodes, up to",
    ylabel="accuracy (%)",
    title="trained on graphs of at most 25 nodes",
    name="COLORS, Test-Large",
);
""", fig=("fig-pooling-size", "Accuracy against the size of the graph, twenty seeds each. Bars go from the worst to the best seed.", "Four lines over four sizes. Those of the taught kinds and of global pooling stay high, the unsupervised one is low."))
md(r"""
Global pooling is perfect up to 100 nodes, four times what it was trained on, and then falls; a sum adds up the small errors of all nodes. Taught attention starts a little lower (the graphs without green) and keeps its level.

## TRIANGLES

Here the attention must find triangles, so its score is a network. The paper trains on 30,000 graphs for 100 epochs; that is half an hour for each run on the machine of this page. The table shows 10,000 graphs and 30 epochs, three seeds.
""")
code(r"""
part = catalogue.stored("triangles-part")
print("made-up, TRIANGLES, accuracy in percent, 3 seeds; published: Large")
beside(part, TESTS[:2], "TRIANGLES, Test-Large")
""")
code(r"""
gaps(part, "Test-Large", AGAINST)
""")
code(r"""
rows = part.groupby("kind", sort=False)
columns = [f"{t}, {w}" for t in TESTS[:2] for w in ("auc", "kept")]
print("of the first pooling layer, percent")
rows[columns].agg(show).iloc[1:]
""")
code(r"""
pictures = catalogue.stored("pictures")


def pictured(task, kind, part):
    own = pictures[(pictures["task"] == task) & (pictures["kind"] == kind)]
    own = own.filter(like=f"{part}, node").dropna(axis=1).iloc[0]
    stays = own.index.str.endswith("stays")
    return own[~stays].to_numpy(), own[stays].to_numpy() > 0


(one,) = pooling.picture_of("triangles").values()
weights, kept = {"right attention": one.attention}, {}
for kind in pooling.TEACHING[1:]:
    weights[kind], kept[kind] = pictured("triangles", kind, "Test-Large")
plotting.node_weights(
    one.graph, weights, kept, title=f"{int(one.y)} triangles", name=one.name
);
""", fig=("fig-pooling-kept", "TRIANGLES_FIGURE", "TRIANGLES_ALT"))
md(r"""
Supervised networks look better than the others on Test-Orig, but one of three does not pool at all: it keeps every node, and its AUC is that of uniform weights. The reason lies in the start. The network that scores the nodes ends, as in the authors' code, in a ReLU; if all its outputs are negative, all scores are 0, the attention is uniform, and no gradient can change that. How often does it start so?
""")
code(r"""
def starts_dead(score, seed):
    torch.manual_seed(seed)
    pools = NodePooling(before=(2,), score=score, threshold=0.001)
    options = {"order": 7, "aggregation": "sum", "hidden": 64}
    model = PoolingNetwork(21, 1, (64, 64, 64), pooling=pools, **options)
    graph = triangles["val"].graph
    h = model.layers[0](graph, graph.x)
    return bool((model.scores["2"](graph, h) == 0).all())


for score in ("relu network", "network"):
    dead = sum(starts_dead(score, seed) for seed in range(60))
    print(f"{score}: {dead} of 60 start with all scores zero")
""")
code(r"""
opened = catalogue.stored("triangles-open")
print("the same without that ReLU, percent, 3 seeds")
columns = [*TESTS[:2], "Test-Large, auc", "Test-Large, kept"]
opened.groupby("kind", sort=False)[columns].agg(show)
""")
md(r"""
TRIANGLES_TEXT

## Digits

MNIST-75SP: the network sees 75 patches and their places, and pools before its last layer. The paper trains on 60,000 images for 30 epochs; the table shows 6,000 images and 20 epochs, three seeds.
""")
code(r"""
part = catalogue.stored("mnist-75sp-part")
tests = ["Test-Orig", "Test-Noisy", "Test-NoisyC"]
print("MNIST-75SP, accuracy in percent, 3 seeds; published: Test-Noisy")
beside(part, tests, "MNIST-75SP, Test-Noisy")
""")
code(r"""
gaps(part, "Test-Noisy", AGAINST)
""")
md(r"""
MNIST_TEXT

Where does each look? A seven, without noise and with, and the weights of the networks of one seed (stored):
""")
code(r"""
image = pooling.test_image(0)  # [28, 28], from 0 to 1
patches, brightness, _ = superpixels(image)
for part in ("Test-Orig", "Test-NoisyC"):
    weights = {"brightness, without noise": brightness}
    for kind in pooling.TEACHING[1:]:
        weights[kind], _ = pictured("mnist", kind, part)
    plotting.patch_weights(patches, weights, title=part, name="MNIST-75SP")
""", fig=("fig-pooling-mnist", "MNIST_FIGURE", "MNIST_ALT"))
md(r"""
## Real graphs that grow

PROTEINS, D&D and COLLAB have no right attention, so there are three kinds. Trained on small graphs (at most 25, 300 and 35 nodes), tested on all others. Threshold and $\beta$ are chosen on a fifth of the training graphs.
""")
code(r"""
rows = {}
for name in ("PROTEINS", "DD", "COLLAB"):
    runs = catalogue.stored(name.lower())
    rows[name] = runs.groupby("kind", sort=False)["test"].agg(show)
print("accuracy in percent on larger graphs, 5 seeds")
pd.DataFrame(rows)
""")
code(r"""
for name in ("PROTEINS", "DD", "COLLAB"):
    print(name)
    gaps(catalogue.stored(name.lower()), "test", AGAINST[1:3])
""")
md(r"""
TU_TEXT

## What weak labels cannot tell

$|y_i-y|$ is the *size* of a node's effect. It has no sign: a node that speaks against the answer weighs as much as one that speaks for it. And it takes out one node at a time: if two nodes say the same and one is enough, neither is missed.
""")
code(r"""
class Or(torch.nn.Module):  # 1 if any node is marked, else 0
    def forward(self, graph, x, return_attention=False):
        found = layers.readout(graph, x[:, :1], "max")
        return (found, []) if return_attention else found


marks = torch.tensor([[1.0], [0.0], [0.0], [1.0], [1.0]])
three = GraphData.from_edges([0], [1], num_nodes=3, x=marks[:3])
two = GraphData.from_edges([0], [1], x=marks[3:])
batch = batch_graphs([three, two])
pack = GraphPack(graph=batch, y=torch.ones(2), name="any?")
effects = node_effects(Or(), pack)
print("one marked node: ", effects[:3].tolist())
print("two marked nodes:", effects[3:].tolist())
""")
md(r"""
FINDINGS

## Summary

SUMMARY

## Exercises

Starter cells run as they are and say "not done yet". Worked solutions are in [the solutions notebook](solutions/08-pooling.ipynb).

**8.1 How far off (warm-up).** Compute $D_\mathrm{KL}(p\Vert q)$ of two distributions, in nats. $p$ may have zeros, $q$ has none.
""")
code(r"""
def divergence(p, q):
    pass  # your code: [N], [N] to one number


checks.exercise("8.1", divergence);
""")
md(r"""
**8.2 Who stays.** Mark the nodes of one graph whose weight is above a threshold. The best node always stays.
""")
code(r"""
def keep(alpha, threshold):
    pass  # your code: [N], a number; bool [N]


checks.exercise("8.2", keep);
""")
md(r"""
**8.3 What is left.** Given the ends of all edges and a mask of the nodes that stay, return the edges between two of them, with the nodes numbered anew in their order.
""")
code(r"""
def keep_edges(src, dst, kept):
    pass  # your code: [E], [E], bool [N]; src and dst of the rest


checks.exercise("8.3", keep_edges);
""")
md(r"""
**8.4 AUC by its meaning.** The share of pairs of a node that should count and a node that should not, in which the first has the larger weight. A tie counts one half. No library.
""")
code(r"""
def auc(alpha, truth):
    pass  # your code: [N], bool [N]; a number from 0 to 1


checks.exercise("8.4", auc);
""")
md(r"""
**8.5 Weak labels.** From the output for a whole graph and the outputs without each of its nodes make weights that sum to 1, or zeros where no node changes anything.
""")
code(r"""
def weak_labels(whole, without):
    pass  # your code: a number, [N]; [N]


checks.exercise("8.5", weak_labels);
""")
md(r"""
**8.6 Chebyshev's polynomials.** Return $T_0X,\dots,T_{K-1}X$ for any matrix $L$, without computing a power of it.
""")
code(r"""
def chebyshev(L, x, order):
    pass  # your code: [N, N], [N, F], K; [K, N, F]


checks.exercise("8.6", chebyshev);
""")
md(r"""
**8.7 A better start (open-ended).** The unsupervised attention depends on its start. Find one that helps without being told the answer: smaller $p$, several tries chosen by validation, a warm-up without pooling, … Say before the run what would convince you, with how many seeds, on which test set. Then run it on COLORS.

## What to read next

- [Knyazev, Taylor and Amer, 2019](https://arxiv.org/abs/1905.02850): the study itself.
- [Xu et al., 2019](https://arxiv.org/abs/1810.00826): sums, means and what they can tell apart.
- [Gao and Ji, 2019](https://arxiv.org/abs/1905.05178) and [Lee et al., 2019](https://arxiv.org/abs/1904.08082): pooling by the best few.
- Chapter 10 leaves the graphs that fit.
""")
