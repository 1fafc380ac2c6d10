md(r"""
## Several processes

The second limit is the time of one process. In **data-parallel** training every process holds the whole graph and the model, computes the gradient of its own share of each batch, and the gradients are averaged before each step. All models stay the same, because they start the same and take the same steps.

> **Predict.** A batch of 5 nodes goes to two processes, 3 and 2. Each returns the mean gradient of its share. Is the mean of the two the gradient of the batch?

It is not: each of the two nodes would count more than each of the three. So each process divides its sum by the batch's size, not by its share's, and multiplies by the number of processes, which the averaging divides by. In `fit_sampled` it reads like this (`world` is the number of processes, `rank` one's own number, from 0):
""")
code(r"""
def code_of(item):
    lines = inspect.getsource(item).splitlines()
    print(textwrap.dedent("\n".join(lines)))


code_of(SampledClasses.batches)
code_of(SampledClasses.loss)
""", hide=False)
md(r"""
The shares are cut from one random order that all processes draw alike. So a step looks at the same nodes, whatever their number; only which neighbours are drawn, and what is dropped, differ. PyTorch does the rest: `DistributedDataParallel` averages the gradients while the backward pass still runs, and `torchrun` starts the processes and tells each its rank. The package's script:

```
torchrun --nproc-per-node 2 -m gat_course.distributed.processes --data cora
```

With all neighbours and no dropout nothing is random but the order, so one process and two must agree:
""")
code(r"""
ALIKE = ["--fanouts", "-1", "-1", "--dropout", "0", "--epochs", "2"]
for number in (1, 2):
    job = scale.torchrun(number, [*SMALL, *ALIKE, "--threads", "1"])
    told = json.loads(job.stdout)
    print(
        f"{number} process{'es' if number > 1 else ''}: "
        f"validation loss {told['val_loss']:.5f}, "
        f"test accuracy {told['test_accuracy']:.2f} %"
    )
""", out=True)
md(r"""
### How much faster?

An epoch on a graph of a million edges, batches of 512 over all processes, fan-outs 10 and 10, on two cores. Beside two processes stands one that uses both cores by threads (stored runs, `processes`):
""")
code(r"""
jobs = catalogue.stored("processes")
table = jobs.groupby("processes", sort=False)["seconds"].agg(["mean", "std"])
one = jobs[jobs["processes"] == "1"]["seconds"]
for name, own in jobs.groupby("processes", sort=False):
    ratio = one.to_numpy() / own["seconds"].to_numpy()
    table.loc[name, "faster than 1"] = f"{ratio.min():.2f} to {ratio.max():.2f}"
print("seconds of an epoch, with validation; 3 runs")
table.round(2)
""")
md(r"""
TEXT_PROCESSES

### A process is killed

Sooner or later a process fails. Then the others wait for its gradient, in vain. Two things are needed: the job must **end, and say so**; and it must **go on** as if nothing had happened, from a **checkpoint**: a file with the parameters, Adam's two moments, what early stopping remembers, and the state of the random numbers. Rank 0 writes it at the end of an epoch, by default when half a minute has passed since the last. It writes a new file and renames it, so a process that dies while it writes leaves the old one.

We start a job that writes after every epoch, and kill one of its two processes after the first:
""")
code(r"""
folder = Path(mkdtemp())
arguments = [*SMALL, "--epochs", str(LONG), "--threads", "1"]


def job_with(name):
    keep = ["--checkpoint", str(folder / name), "--checkpoint-every", "0"]
    return scale.torchrun_command(2, [*arguments, *keep])


with open(folder / "log", "w") as log:
    job = subprocess.Popen(job_with("killed"), stdout=log, stderr=log)
    while not (folder / "killed").exists() and job.poll() is None:
        time.sleep(0.1)
    *_, victim = psutil.Process(job.pid).children()
    victim.send_signal(signal.SIGKILL)
    job.wait()
for line in (folder / "log").read_text().splitlines():
    if line.startswith("gat_course:"):
        print(line.replace(str(folder), "…"))
print("exit code", job.returncode)
""", out=True)
md(r"""
(torchrun adds its own report: which rank ended first, and by which signal. A process that hangs ends the job too, after a time. With `--max-restarts` torchrun starts all again by itself.) The same command again goes on. Beside it a job that nobody disturbed:
""")
code(r"""
for name in ("killed", "undisturbed"):
    done = subprocess.run(
        job_with(name), capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    print(f"{name:12} {told['val_loss']!r}, {told['test_accuracy']!r}")
""", out=True)
md(r"""
The same numbers, to the last digit.

## Several machines

The third limit is the memory of one machine. Now the graph itself is cut: each machine holds a **part** of the nodes, their features and the edges into them. Sources of those edges that live elsewhere are its **halo**. What a trainer reads from other machines goes over the network, in every step, so the cut should meet few edges: the **edge cut** is their share.

Cutting a graph into parts of equal size with the least edge cut is hard (NP-hard); **METIS** (Karypis and Kumar, 1998) does it well by coarsening: it joins neighbours until the graph is small, cuts that, and improves the cut on the way back. DGL brings it. Against parts chosen at random (stored runs, `partitions`):
""")
code(r"""
cuts = catalogue.stored("partitions")
with plotting.style():
    figure, panels = plt.subplots(
        1, 2, figsize=(6.4, 3.4), layout="constrained"
    )
    for panel, what in zip(panels, ("cut", "halo")):
        for number, (name, own) in enumerate(cuts.groupby("graph", sort=False)):
            colour = plotting.CLASS_COLOURS[(0, 4, 6)[number]]
            for method, line in (("random", ":"), ("METIS", "-")):
                runs_of = own[own["method"] == method]
                mean = runs_of.groupby("parts")[what].mean()
                paint = {"c": colour, "ls": line, "marker": "os^"[number]}
                label = f"{name}, {method}" if what == "cut" else None
                panel.plot(mean.index, mean, label=label, ms=5, **paint)
        panel.set(xlabel="parts", xscale="log")
        panel.set_xticks([2, 4, 8, 16], [2, 4, 8, 16])
        panel.minorticks_off()
        panel.set_ylim(0)
    panels[0].set(ylabel="edges cut (%)", title="edge cut")
    panels[1].set(ylabel="% of the nodes", title="all halos together")
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
""", hide=True, fig="Cut edges and halos against the number of parts, mean of three runs. Dotted: each node's part is drawn at random; solid: METIS. Real graphs fall into pieces almost by themselves; the made-up one with its hubs does not.", alt="Two panels with six lines each. Dotted lines are high and meet near 94 percent at 16 parts; solid lines of the two real graphs stay close to zero, that of the power-law graph in between.", name="fig-large-cuts")
code(r"""
table = cuts.groupby(["graph", "method", "parts"], sort=False)
table = table[["cut", "halo"]].mean().unstack("parts").round(1)
print("percent of the edges cut; all halos together, percent of the nodes")
table
""")
md(r"""
Random parts cut $(P-1)/P$ of the edges, whatever the graph. METIS finds what there is to find. PPI's tissues and COLLAB's networks are separate pieces: only where they cannot be sorted into parts of equal size is an edge cut. The made-up graph is one piece with eight classes, and a fifth of its edges start in a class drawn at random. Up to eight parts METIS cuts along the classes; 17.5 % at eight parts is that fifth, times 7/8. Sixteen parts have to go through the classes, which have no finer structure, and the cut jumps.

Halos are larger than cuts suggest. One edge is enough to make a node somebody's halo: with a tenth of the edges cut, two halos together are as large as 69 % of the graph.

Both numbers are a few lines (`partition.edge_cut`, `partition.halo_sizes`). Any rule that gives each node a part can be judged by them:
""")
code(r"""
torch.manual_seed(0)
blocks_of = torch.arange(ppi.num_nodes) * 4 // ppi.num_nodes
chosen = {
    "at random": torch.randint(4, (ppi.num_nodes,)),
    "by number": blocks_of,
}
if HAS_DGL:
    chosen["METIS"] = machines.metis(ppi, 4)
print(f"{tissues.name} as one graph, 4 parts")
for name, part in chosen.items():
    cut = partition.edge_cut(ppi, part)
    halo = sum(partition.halo_sizes(ppi, part)) / ppi.num_nodes
    print(f"{name:10} cut {cut:6.1%}   halos {halo:6.1%} of the nodes")
""", out=True)
md(r"""
On this graph even the order of the numbers is a good cut: its 24 tissues stand one after the other, and no edge joins two. Look at your data before you call a tool.

### A job

DGL's engine for many machines (Zheng et al., 2020) has two kinds of processes. A **server** on each machine holds its part and answers two questions over sockets: which edges are drawn for these nodes, and what are their features. A **trainer** owns the training nodes of its part; for each batch it asks the servers, computes the gradient, and averages it with the other trainers. (Each takes the mean over its own share; shares differ in the last batches alone.) The model is the course's own `GAT` in `Blockwise`: DGL's blocks have their targets first too. Self-loops are not stored; each block gets its own.

Two commands, the first once, the second for every training:

```
python -m gat_course.distributed.machines partition --folder job --parts 2
python -m gat_course.distributed.machines launch --folder job --hosts hosts.txt
```

`hosts.txt` has a line for each machine, its address and a port. The machines share a file system, have the course installed, and let ssh in without a password. `launch --dry-run` prints what would be started where; on three machines:
""")
code(r"""
hosts = [(f"192.168.0.{5 + k}", 30050) for k in range(3)]
for process in machines.processes(Path("/data/job"), hosts):
    keys = ("DGL_ROLE", "DGL_SERVER_ID", "RANK")
    own = {k: v for k, v in process.variables.items() if k in keys}
    print(f"{process.name:10} on {process.address}: {own}")
""")
md(r"""
Where all addresses are those of one host, it plays the machines: the same processes, with real sockets on its **loopback device**, the network of a host with itself.
""")
code(r"""
if HAS_DGL:
    job_folder = folder / "machines"
    graph = power_law_graph(5_000, 50_000)
    machines.cut(graph, 2, job_folder)
    options = ["--epochs", "4", "--batch-size", "256"]
    files = ["--output", f"{folder}/out.json", "--model", f"{folder}/model"]
    machines.launch(job_folder, machines.free_hosts(2), [*options, *files])
    for number, told in enumerate(
        json.loads((folder / "out.json").read_text())["by_trainer"]
    ):
        share = told["rows from others"] / told["rows"]
        print(
            f"trainer {number}: {told['steps']} steps, "
            f"{share:.0%} of the rows came from the other machine"
        )
    model = GAT(32, 8)
    model.load_state_dict(torch.load(folder / "model"))
    whole = graph.with_self_loops()
    right = evaluate_sampled(model, whole, whole.test_mask).accuracy
    print(f"test accuracy of the model they trained: {right:.1f} %")
else:
    print("not run here: it takes DGL, which pip has for Python up to 3.12")
""", out=True)
md(r"""
### What crosses the network

Two trainers on a graph of a million edges, batches of 512 over both, fan-outs 10 and 10 (stored runs, `machines`; bytes counted by the host's loopback device, beside what the rows of features and the gradients alone come to):
""")
code(r"""
sent = catalogue.stored("machines")
columns = {
    "share": "rows from the other, %",
    "features": "features, kB a step",
    "gradients": "gradients, kB a step",
    "loopback": "all bytes, kB a step",
    "seconds": "ms a step",
}
table = sent.groupby("method", sort=False)[list(columns)].mean()
table[["features", "gradients", "loopback"]] /= 1e3
table["seconds"] *= 1e3
table.rename(columns=columns).T.round(1)
""")
md(r"""
With METIS less than half as many rows cross. Its edge cut is 10 %, though, and 23 % of the rows come from the other machine: a source that many targets share is read once, and most such sources lie in a trainer's own part. Gradients are small beside features; the other bytes are numbers of nodes and edges, asked for and returned.

What this machine cannot show: the network. A loopback device has almost no delay and no limit that we would meet, and two processes share one memory's bandwidth. On real machines the same rows cross; how long that takes, we cannot say from here.
""")
