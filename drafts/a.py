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

- predict how much memory and time a training takes, and check it;
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
The same `GAT` served Cora's 2,708 papers and PPI's 24 tissues. In both cases a step looked at a whole graph. This chapter asks when that ends, and what to do then. Three limits stand one behind the other: the **memory of a step**, the **time of one process**, and the **memory of one machine**. For each we say what it costs and what to do about it, and we measure both.

The machine here has two cores, 24 GB and no GPU. What needs two machines runs on this one, which then plays both, with real sockets between them. We say what that cannot show.

## Will it fit?

We count. A step of the paper's two-layer GAT makes tables with a row for each node. (The layer of chapter 9 keeps nothing for each edge.) A node has $F$ features and $w=KF'$ hidden numbers; $F'$ is rounded up to a multiple of 8, as the layer does. The step is at its largest inside the **dropout of the hidden layer**. These are the bytes for each node, at 4 a number:

| held at that moment | bytes a node |
|---|---|
| the input after dropout, kept for the gradient of $W$ | $4F$ |
| kept for the backward pass: $Z$, the sums of equation (4), the sums with bias | $3\cdot4w$ |
| of each target and head: two halves of the score, largest score, sum | $16K$ |
| the hidden features, ELU's output | $4w$ |
| dropout: 16 random bits a number, a mask, the factors, the result | $(2+1+4+4)\,w$ |
| **together** | $4F+27w+16K$ |

Two other moments may be larger: the dropout of a wide dense input ($11F$), and the way back through the output layer ($4F+20w+16K$ and some $28C$). A step holds $N$ times the largest of the three. The graph stays beside it: $4F+17$ bytes a node (features, label, mask, where its edges begin) and 40 an edge (two 64-bit ends and, in two orders, three 32-bit numbers).

`costs.memory` is these lines as a function.

> **Predict.** A million nodes, twenty million edges, 128 features, eight heads of eight. Are 24 GB enough for a step? Which term decides?
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
names = {"graph": "graph", "step": "a step", "making": "sorting edges"}
names["peak"] = "peak"
print("GB, by the formula")
pd.DataFrame(rows).T.rename(columns=names).round(3)
""")
md(r"""
A million nodes take a few gigabytes, and more of them for the nodes than for the edges. Ten million do not fit. (Before the first step the edges are sorted, and meanwhile they are there twice and more. On graphs with a hundred edges a node that is the largest moment of all.)

Is the formula right? `measure.peak_memory` of chapter 2 counts what PyTorch allocates. On graphs whose degrees follow a power law (most nodes have few edges, and some, the **hubs**, very many):
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
    rows[f"{edges:,} edges"] = counted, found, counted / found - 1
table = pd.DataFrame(rows, ["predicted, MB", "measured, MB", "error"]).T
print("a step, 8 heads of 8, 32 features")
table.style.format("{:.1f}").format("{:+.0%}", subset="error")
""", out=True)
md(r"""
The formula leaves out one chunk of edges. On a CPU that is a few megabytes, or as much as the largest hub has edges; on small graphs it shows.

A process holds more than tensors. `gat-course reproduce costs` has measured whole processes on one thread, from lists of ten thousand edges to a hundred million. The ends of the edges are drawn alike or by a power law; a node has 5 or 20 edges; there are three kinds of layer. (At a hundred million only graphs with 20 edges a node, and two of the layers, fit into 24 GB.) The runs come with the package. A prediction is the formula and what a process holds once PyTorch is loaded, a third of a gigabyte:
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
best["predicted"] = peaks + best["base"]
best["process"] = best["predicted"] / best["held"] - 1
best["what it grew"] = peaks / best["bytes"] - 1
ends = {"process": ["min", "max"], "what it grew": ["min", "max"]}
memory = best.groupby("edges").agg(ends)
memory["largest", "GB"] = best.groupby("edges")["held"].max() / 1e9
print("memory, predicted over measured, by number of edges")
memory.style.format("{:+.0%}").format("{:.2f}", subset=["largest"])
""")
md(r"""
For the process the error is below 25 % everywhere; for small graphs that says little, as most of it is PyTorch itself. From ten million edges the formula alone is close. It is always too low: the C library keeps freed pieces below 32 MB for itself, and finds no use for some of them.

### How long is a step?

Time is harder, as chapter 9 showed: what an operation costs depends on whether its numbers are in a cache. We count how often a step does what (`costs.time_terms`): it starts its operations, multiplies, handles the numbers of nodes, scores edges, looks up rows, near and far, and asks the system for new memory. How long each takes, the measured runs say, by least squares of the relative errors (`costs.fit_rates`). The harder question is one that the fit has not seen: we leave out all graphs of one size, and predict them from the others.
""")
code(r"""
rows = {}
sizes = sorted(runs["edges"].unique())
for edges in sizes:
    own = best[best["edges"] == edges]
    for name, known in (
        ("all in the fit", runs),
        ("left out", runs[runs["edges"] != edges]),
    ):
        found = costs.fit_rates(known)
        told = own["shape"].map(lambda s: costs.step_seconds(s, found))
        factor = told / own["seconds"]
        rows.setdefault(f"{edges:,} edges", {})[name] = (
            f"{factor.min():.2f} to {factor.max():.2f}"
        )
    rows[f"{edges:,} edges"]["slowest, s"] = f"{own['seconds'].max():.2f}"
print("a step, predicted over measured")
pd.DataFrame(rows).T
""")
code(r"""
rates = costs.fit_rates(runs)
told = best["shape"].map(lambda s: costs.step_seconds(s, rates))
with plotting.style():
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.4), layout="constrained")
    for panel, x, y, off in (
        (axes[0], best["held"] / 1e9, best["predicted"] / 1e9, 1.25),
        (axes[1], best["seconds"], told, 1.5),
    ):
        for number, kind in enumerate(costs.EXPONENT):
            own = best["degrees"] == kind
            paint = {"marker": "os"[number], "s": 22, "facecolors": "none"}
            paint["edgecolors"] = plotting.CLASS_COLOURS[(0, 4)[number]]
            panel.scatter(x[own], y[own], label=kind, **paint)
        ends = [x.min(), x.max()]
        panel.plot(ends, ends, color="0.4", lw=1, zorder=0)
        band = [[e / off for e in ends], [e * off for e in ends]]
        panel.fill_between(ends, *band, color="0.9", zorder=-1)
        panel.set(xscale="log", yscale="log")
    axes[0].set(xlabel="measured, GB", ylabel="predicted, GB", title="memory")
    axes[1].set(xlabel="measured, s", ylabel="predicted, s", title="a step")
    axes[0].legend(title="ends drawn")
""", hide=True, fig="Memory of a process and time of a step, predicted against measured; each point is a graph and a layer. On the line both are equal. The grey bands are 25 % for memory and a factor of 1.5 for time.", alt="Two scatter plots on logarithmic axes; the marks lie along the diagonal, in grey bands.", name="fig-large-costs")
md(r"""
TEXT_TIME

For your machine the rates are a guess. So the command times a small step where it runs, and scales them:
""")
code(r"""
from gat_course.cli import main

main(
    "cost --nodes 1000000 --edges 20000000 --features 128"
    " --heads 8 --memory 24".split()
);
""", out=True)
md(r"""
In a shell it is `gat-course cost --nodes 1000000 …`. It speaks of the paper's two-layer GAT on a CPU and a dense input. On a GPU dropout and the chunks differ, so do the memory and the time; we had none to measure it on.

And on real graphs: PPI's 24 tissues as one, and COLLAB's 5,000 networks of authors side by side, the latter with 32 made-up features (stored runs, `costs-real`; the bytes include reading the files):
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
columns = ["step, s", "predicted, s", "MB", "predicted, MB"]
pd.DataFrame(rows, columns).T.round(1)
""")
