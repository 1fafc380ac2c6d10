import json, nbformat as nbf
from nbformat.v4 import new_notebook, new_markdown_cell, new_code_cell
cells=[]
def md(t): cells.append(new_markdown_cell(t.strip("\n")))
def code(t, out=False, hide=False, fig=None, alt=None, name=None, builds=None, own=None, test=None, hideout=False):
    m={}; tags=[]
    if hide: tags.append("hide-input")
    if hideout: tags.append("hide-output")
    if test: tags.append("parameters")
    if out: tags.append("nbval-ignore-output")
    g={}
    if builds: g["builds"]=builds
    if own: g["own"]=own
    if test: g["test"]=test
    if g: m["gat_course"]=g
    if fig: m["mystnb"]={"figure":{"caption":fig,"name":name},"image":{"alt":alt}}
    if tags: m["tags"]=tags
    cells.append(new_code_cell(t.strip("\n"), metadata=m))

md(r"""
# 10 Making it large

**After this chapter you can**

- foretell how much memory and time a training takes, and check it;
- train on a graph that one step cannot hold, by drawing neighbours;
- train one model in several processes, and go on after one of them was killed;
- cut a graph for several machines, and count what crosses the network;
- size a cluster on paper, and say what breaks first.

**Time:** 55 minutes to read, two minutes to run. **Builds on:** chapters 4, 5 and 9.
""")
code(r"""
import inspect
import json
import signal
import subprocess
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import pandas as pd
import psutil
import torch
from torch import nn
""")
code(r"""
from gat_course import (
    GAT,
    GraphData,
    batch_graphs,
    checks,
    costs,
    datasets,
    difference,
    dgl_compat,
    evaluate_sampled,
    fit_sampled,
    load_ppi,
    measure,
    partition,
    plotting,
    power_law_graph,
)
from gat_course.blockwise import (
    equal_parts,
    layers_of,
    require_blocks,
    require_layered,
)
from gat_course.distributed import machines
from gat_course.experiments import catalogue, scale
from gat_course.training.sampled import SampledClasses
from gat_course.sampling import (
    Batch,
    Block,
    Rows,
    edge_fields,
    require_fanouts,
    require_targets,
)

torch.set_num_threads(1)  # steadier times
HAS_DGL = dgl_compat.has_dgl()  # METIS and several machines need it
""")
code(r"""
EDGES = [10_000, 30_000, 100_000, 300_000]  # for memory
NODES, LINKS = 100_000, 2_000_000  # of the graph that is drawn from
EPOCHS = 3  # of training on draws
SMALL = ["--nodes", "2000", "--edges", "20000"]  # for several processes
LONG = 60  # epochs of the job that is killed
""", test="EDGES = [3_000, 10_000]\nNODES, LINKS = 3_000, 30_000\nEPOCHS = 1\nSMALL = ['--nodes', '1000', '--edges', '8000']\nLONG = 60")
md(r"""
The same `GAT` served Cora's 2,708 papers and PPI's 24 tissues. In both cases a step looked at a whole graph. This chapter asks when that ends, and what to do then. There are three walls, one behind the other: the **memory of a step**, the **time of one process**, and the **memory of one machine**. For each we say what it costs, then what gets past it, and we measure both.

The machine here has two cores, 24 GB and no GPU. What needs more than one machine runs on this one, which then plays two, with real sockets between them; what that cannot show, we say.

## Will it fit?

We count. A step of the paper's two-layer GAT, on all of a graph at once, makes tables with a row for each node, and all of them have $N$ rows. (The layer of chapter 9 keeps nothing for each edge.) With $F$ features and $w=KF'$ hidden numbers a node ($F'$ rounded up to a multiple of 8, as the layer does), the step is at its largest inside the **dropout of the hidden layer**. These are the bytes for each node, at 4 a number:

| held at that moment | bytes a node |
|---|---|
| the input after dropout, kept for the gradient of $W$ | $4F$ |
| kept for the backward pass: $Z$, the sums (4), the sums with bias | $3\cdot4w$ |
| of each target and head: two halves of the score, largest score, sum | $16K$ |
| the hidden features, ELU's output | $4w$ |
| dropout: 16 random bits a number, a mask, the factors, the result | $(2+1+4+4)\,w$ |
| **together** | $4F+27w+16K$ |

Two other moments may be larger: the dropout of a wide dense input ($11F$), and the way back through the output layer ($4F+20w+16K+28C$). So a step holds $N$ times the largest of the three. The graph itself stays beside it: $4F+17$ bytes a node (features, label, mask, where its edges begin) and 40 an edge, two 64-bit ends and, in two orders, three 32-bit numbers.

`costs.memory` is these lines as a function.

> **Predict.** A million nodes, twenty million edges, 128 features, eight heads of eight. Is 24 GB enough for a step? Which term decides?
""")
code(r"""
shapes = {
    "Cora, as if dense": (2_708, 10_556, 1_433, 7),
    "Pubmed, as if dense": (19_717, 88_648, 500, 3),
    "PPI as one graph": (56_944, 1_637_432, 50, 121),
    "a million nodes": (10**6, 2 * 10**7, 128, 8),
    "ten million nodes": (10**7, 2 * 10**8, 128, 8),
}
rows = {}
for name, (nodes, edges, features, classes) in shapes.items():
    shape = costs.Shape(
        nodes=nodes, edges=edges, features=features, classes=classes
    )
    rows[name] = {k: v / 1e9 for k, v in costs.memory(shape).items()}
print("GB, by the formula: the graph, a step, sorting the edges before it")
pd.DataFrame(rows).T.round(3)
""")
md(r"""
A million nodes take a few gigabytes, and more of them for the nodes than for the edges. Ten million do not fit.

(The third column is another moment: before the first step the edges are sorted, and while they are, they are there twice and more. On graphs with many edges a node, that is the largest moment of all.)

Is the formula right? `measure.peak_memory` of chapter 2 counts what PyTorch allocates. On random graphs whose degrees follow a power law (some nodes with very many edges, most with few):
""")
code(r"""
rows = {}
for edges in EDGES:
    graph = power_law_graph(edges // 10, edges)
    step = costs.training_step(graph, heads=8, hidden=8)
    step()  # sorts the edges
    shape = costs.Shape(nodes=edges // 10, edges=edges, features=32)
    found = measure.peak_memory(step) / 1e6
    counted = costs.memory(shape)["step"] / 1e6
    rows[f"{edges:,} edges"] = counted, found, found / counted - 1
table = pd.DataFrame(rows, ["counted, MB", "measured, MB", "error"]).T
print("a step, 8 heads of 8, 32 features")
table.style.format("{:.1f}").format("{:+.0%}", subset="error")
""", out=True)
md(r"""
On small graphs a chunk of edges, a constant few megabytes, weighs in; then the formula takes over.

A process holds more than tensors, though. `gat-course reproduce costs` has measured whole processes, from random lists of 10 thousand edges to 100 million, the largest that fit into 24 GB here: degrees all alike or by a power law, 5 or 20 edges a node, three kinds of layer, on one thread. The runs come with the package. "Foretold" adds to the formula what a process holds after PyTorch is loaded.
""")
code(r"""
runs = catalogue.stored("costs")
keys = ["edges", "degree", "degrees", "widths"]
best = runs.groupby(keys, sort=False, as_index=False).min()
best["shape"] = [
    costs.shape_of(r.edges, r.degree, r.widths) for r in best.itertuples()
]
best["held"] = best["bytes"] + best["base"]
peaks = best["shape"].map(lambda shape: costs.memory(shape)["peak"])
best["foretold"] = peaks + best["base"]
best["memory"] = best["foretold"] / best["held"] - 1
print("memory of the process: foretold against measured, by number of edges")
memory = best.groupby("edges")["memory"].agg(["min", "max"])
memory["largest, GB"] = best.groupby("edges")["held"].max() / 1e9
percent = {"min": "{:+.0%}", "max": "{:+.0%}", "largest, GB": "{:.2f}"}
memory.style.format(percent)
""")
md(r"""
The worst error is in the middle. There the process holds more than its tensors: the C library keeps freed pieces below 32 MB for itself and finds no use for some of them. Above that it gives them back, and the formula is close.

### How long is a step?

Time is harder, as chapter 9 showed: what an operation costs depends on whether its numbers are in a cache. We write down how often a step does what, and let the measured runs say how long each takes (least squares of the relative errors, none negative):

| a step does | how often |
|---|---|
| start its operations | once |
| multiply, for $XW$ | $Nw(F+C)$ |
| handle the numbers of nodes | $N(F+w)$ |
| score edges | $\lvert E\rvert(K+1)$ |
| gather numbers along edges | $\lvert E\rvert(w+C)$ |
| look up far away: once more for each doubling of a table beyond a megabyte | scores and rows, each by its table |
| ask the system for new memory, for tables above 32 MB | $N(F+w)$ |
""")
code(r"""
rates = costs.fit_rates(runs)
foretold = best["shape"].map(lambda s: costs.step_seconds(s, rates))
best["factor"] = foretold / best["seconds"]
print("nanoseconds for one")
for name, rate in rates.items():
    print(f"{name:20}{1e9 * rate:14.2f}")
print("\ntime of a step: foretold over measured, by number of edges")
time_table = best.groupby("edges")["factor"].agg(["min", "max"])
time_table["slowest, s"] = best.groupby("edges")["seconds"].max()
time_table.round(2)
""")
code(r"""
with plotting.style():
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.4), layout="constrained")
    best["seconds, foretold"] = best["factor"] * best["seconds"]
    for panel, x, y, unit, off in (
        (axes[0], "held", "foretold", 1e9, 1.25),
        (axes[1], "seconds", "seconds, foretold", 1, 1.5),
    ):
        for number, (kind, own) in enumerate(best.groupby("degrees")):
            paint = {"marker": "os"[number], "s": 22, "facecolors": "none"}
            paint["edgecolors"] = plotting.CLASS_COLOURS[(0, 4)[number]]
            panel.scatter(own[x] / unit, own[y] / unit, label=kind, **paint)
        ends = [best[x].min() / unit, best[x].max() / unit]
        panel.plot(ends, ends, color="0.4", lw=1, zorder=0)
        band = [[e / off for e in ends], [e * off for e in ends]]
        panel.fill_between(ends, *band, color="0.9", zorder=-1)
        panel.set(xscale="log", yscale="log")
    axes[0].set(xlabel="measured, GB", ylabel="foretold, GB", title="memory")
    axes[1].set(xlabel="measured, s", ylabel="foretold, s", title="a step")
    axes[0].legend(title="degrees")
""", hide=True, fig="Memory of a process and time of a step, foretold against measured, each point a graph and a layer. On the line both are equal. The grey band is what the course allows itself: 25 % for memory, a factor of 1.5 for time.", alt="Two scatter plots on logarithmic axes; all marks lie near the diagonal, inside a grey band.", name="fig-large-costs")
md(r"""
These rates were fitted to the same runs that they are compared with. A harder question: leave out all graphs of one size, fit the rates to the others, and foretell what was left out.
""")
code(r"""
rows = {}
for edges in sorted(runs["edges"].unique())[1:-1]:
    others = costs.fit_rates(runs[runs["edges"] != edges])
    own = best[best["edges"] == edges]
    found = own["shape"].map(lambda s: costs.step_seconds(s, others))
    factors = found / own["seconds"]
    rows[f"{edges:,} edges"] = factors.min(), factors.max()
print("left out, then foretold: foretold over measured")
pd.DataFrame(rows, ["min", "max"]).T.round(2)
""")
md(r"""
Between sizes that were measured the model is to be trusted; beyond them it is a guess, and so it is for your machine. The command therefore times a small step on the machine it runs on and scales the rates:
""")
code(r"""
from gat_course.cli import main

main(
    "cost --nodes 1000000 --edges 20000000 --features 128"
    " --heads 8 --memory 24".split()
);
""", out=True)
md(r"""
In a shell it is `gat-course cost --nodes 1000000 …`. It speaks of the paper's two-layer GAT on a CPU and of a dense input. On a GPU the tables are the same ones, so the memory is about the same; the time is not, and we had no GPU to fit it on.

Real graphs beside the made-up ones: PPI's 24 tissues as one graph, and COLLAB's 5,000 networks of authors side by side, with made-up features of the same width (stored runs, `costs-real`):
""")
code(r"""
real = catalogue.stored("costs-real")
rows = {}
for name, own in real.groupby("graph", sort=False):
    nodes, edges, features = own[["nodes", "edges", "features"]].iloc[0]
    sizes = {"nodes": int(nodes), "edges": int(edges)}
    shape = costs.Shape(features=int(features), **sizes)
    seconds, held = own["seconds"].min(), own["bytes"].mean()
    told = costs.step_seconds(shape, rates), costs.memory(shape)["peak"]
    row = seconds, told[0], held / 1e6, told[1] / 1e6
    rows[f"{name}, {int(edges):,} edges"] = row
columns = ["step, s", "foretold, s", "MB", "foretold, MB"]
pd.DataFrame(rows, columns).T.round(1)
""")
