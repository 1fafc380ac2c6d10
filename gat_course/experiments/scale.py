"""Training that does not look at the whole graph at once, measured (chapter 10)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.nn.functional as F

from gat_course import measure
from gat_course.blockwise import Blockwise, equal_parts
from gat_course.datasets.planetoid import load, row_normalize
from gat_course.datasets.power_law import power_law_graph
from gat_course.datasets.ppi import load_ppi
from gat_course.datasets.tu import load_tu
from gat_course.distributed import machines
from gat_course.distributed.engine import require_dgl
from gat_course.distributed.hosts import free_hosts
from gat_course.experiments.costs import measure_training
from gat_course.graph import GraphData
from gat_course.graphs import batch_graphs
from gat_course.models import GAT
from gat_course.partition import edge_cut, halo_sizes
from gat_course.sampling import NeighborSampler
from gat_course.training.one_graph import evaluate, fit
from gat_course.training.sampled import evaluate_sampled, fit_sampled

FANOUTS = {"1": [1, 1], "2": [2, 2], "5": [5, 5], "10": [10, 10], "all": [-1, -1]}
NODES, EDGES = 50_000, 1_000_000  # of the graph that several processes train on
# Processes and threads of each.
PROCESSES = {"1": (1, 1), "1 of 2 threads": (1, 2), "2": (2, 1)}
LARGE = "power law", "PPI as one", "COLLAB as one"


@cache
def accuracy_graph(name: str) -> GraphData:
    """Cora, or a made-up graph on which neighbours count, with self-loops."""
    if name == "cora":
        raw = load("cora")
        return replace(raw, x=row_normalize(raw.x)).with_self_loops()
    graph = power_law_graph(10_000, 200_000, noise=16.0, inside=0.6)
    return replace(graph, x=graph.x / 16).with_self_loops()


def measure_fanout(graph: str, edges: str, seed: int) -> dict[str, float]:
    """Test accuracy in percent, by fan-out; "full batch" is `fit`, all at once.

    Each trains until its validation says stop; on Cora by the paper's protocol, on the
    made-up graph with dropout 0.2, at most 30 epochs of batches, or 300 steps of all.
    """
    data = accuracy_graph(graph)
    drop = 0.6 if graph == "cora" else 0.2
    model = GAT(data.num_features, data.num_classes, dropout=drop)
    most = {"max_epochs": 1000, "patience": 100}
    if edges == "full batch":
        if graph != "cora":
            most = {"max_epochs": 300, "patience": 20}
        fit(model, data, progress=False, **most)
    else:
        if graph != "cora":
            most = {"max_epochs": 30, "patience": 5}
        fit_sampled(model, data, FANOUTS[edges], progress=False, **most)
    return {"accuracy": evaluate(model, data, data.test_mask).accuracy}


@cache
def large_graph(name: str) -> GraphData:
    """A graph with classes and dense features, no self-loops, nobody's labels asked."""
    if name == "power law":
        return power_law_graph(200_000, 4_000_000)
    if name == "PPI as one":
        whole = batch_graphs(load_ppi(labels="GO-2022").graphs)
        x = whole.x.to_dense()
    else:
        pack = load_tu("COLLAB")
        whole = pack.graph
        x = torch.ones(whole.num_nodes, 32)
    other = whole.src != whole.dst
    random = torch.Generator().manual_seed(0)
    y = torch.randint(8, (whole.num_nodes,), generator=random)
    return GraphData(
        num_nodes=whole.num_nodes,
        src=whole.src[other],
        dst=whole.dst[other],
        x=x,
        y=y,
        train_mask=torch.rand(whole.num_nodes, generator=random) < 0.6,
        name=name,
    )


def measure_real(graph: str, numbers: str, seed: int) -> dict[str, float]:
    """What `costs.measure_training` finds on a real graph, eight heads of eight.

    "shuffled" gives the nodes new numbers at random: the same graph, whose neighbours
    no longer lie side by side in memory.
    """
    data = large_graph(graph)
    if numbers == "shuffled":
        data = data.subgraph(torch.randperm(data.num_nodes))
    names = "num_nodes", "src", "dst", "x", "y", "train_mask"
    with TemporaryDirectory() as folder:
        path = Path(folder, "lists.pt")
        torch.save({name: getattr(data, name) for name in names}, path)
        lists = partial(torch.load, path)
        found = measure_training(lists, graph, data.num_features, heads=8, hidden=8)
    sizes = ("num_nodes", "num_edges", "num_features")
    return found | {name[4:]: getattr(data, name) for name in sizes}


def measure_throughput(graph: str, fanout: int, seed: int) -> dict[str, float]:
    """Milliseconds for a batch of 1,000 targets: drawn, and drawn and trained on.

    The course's sampler and layers take turns with DGL's, in one process on one
    thread; self-loops are left out on both sides.

    Raises:
        RuntimeError: DGL cannot be had here.
    """
    dgl = require_dgl("dataloading")
    data, fanouts = large_graph(graph), [fanout, fanout]
    theirs = dgl.graph((data.src, data.dst), num_nodes=data.num_nodes)
    theirs.create_formats_()
    order = torch.randperm(data.num_nodes)[:10_000]
    parts = equal_parts(order, 1000)
    ours = NeighborSampler(data, fanouts)
    other = dgl.dataloading.NeighborSampler(fanouts)
    loader = dgl.dataloading.DataLoader(theirs, order, other, batch_size=1000)
    train = trainer(Blockwise(GAT(data.num_features, 8, dropout=0.0)), data)
    dgl_train = trainer(dgl_network(dgl, data.num_features, 8), data)

    def our_steps() -> None:
        for part in parts:
            batch = ours(part)
            train(batch, batch.nodes, part)

    def dgl_steps() -> None:
        for part in parts:
            nodes, _, blocks = other.sample(theirs, part)
            dgl_train(blocks, nodes, part)

    found = measure.seconds(
        {
            "ours": lambda: [ours(part) for part in parts],
            "DGL": lambda: [other.sample(theirs, part) for part in parts],
            "DGL's DataLoader": lambda: list(loader),
            "ours, trained": our_steps,
            "DGL, trained": dgl_steps,
        },
        repeats=3,
    )
    batches = [ours(part) for part in parts]
    counts = {
        "nodes": sum(len(batch.nodes) for batch in batches),
        "edges": sum(b.graph.num_edges for batch in batches for b in batch.blocks),
    }
    found = {name: 1e3 * value for name, value in found.items()} | counts
    return {name: value / len(parts) for name, value in found.items()}


def trainer(model: torch.nn.Module, graph: GraphData):
    """A training step, called with what was drawn, the nodes read and the targets."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005, fused=True)

    def step(drawn, nodes, targets) -> None:
        optimizer.zero_grad()
        logits = model(drawn, graph.x.index_select(0, nodes))
        F.cross_entropy(logits, graph.y[targets]).backward()
        optimizer.step()

    return step


def dgl_network(dgl, num_features: int, num_classes: int) -> torch.nn.Module:
    """DGL's layers in the shape of `GAT`, called with blocks."""
    options = {"allow_zero_in_degree": True}

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer1 = dgl.nn.GATConv(num_features, 8, 8, **options)
            self.layer2 = dgl.nn.GATConv(64, num_classes, 1, **options)

        def forward(self, blocks, x):
            h = F.elu(self.layer1(blocks[0], x).flatten(1))
            return self.layer2(blocks[1], h).mean(1)

    return Network()


def measure_processes(processes: str, seed: int) -> dict[str, float]:
    """Seconds of an epoch on the made-up graph, in one process or two.

    "validation" is the part that rank 0 does alone, measured by itself.
    """
    number, threads = PROCESSES[processes]
    with TemporaryDirectory() as folder:
        output = Path(folder, "result.json")
        arguments = ["--threads", threads, "--epochs", 3, "--seed", seed]
        arguments += ["--nodes", NODES, "--edges", EDGES, "--output", output]
        torchrun(number, [str(argument) for argument in arguments])
        told = json.loads(output.read_text())
    return {
        "seconds": told["seconds"] / told["epochs"],
        "validation": _validation_seconds(threads),
        "val_accuracy": told["val_accuracy"],
    }


def _validation_seconds(threads: int) -> float:
    graph = power_law_graph(NODES, EDGES).with_self_loops()
    model = GAT(graph.num_features, graph.num_classes)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        validate = partial(evaluate_sampled, model, graph, graph.val_mask)
        return measure.seconds({"": validate}, repeats=3)[""]
    finally:
        torch.set_num_threads(before)


def torchrun_command(number: int, arguments: list[str]) -> list[str]:
    """What starts `gat_course.distributed.processes` in so many processes.

    >>> from gat_course.experiments.scale import torchrun_command
    >>> torchrun_command(2, ["--data", "cora"])[-2:]
    ['--data', 'cora']
    """
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node"]
    command = [sys.executable, "-m", *launcher, str(number)]
    return [*command, "-m", "gat_course.distributed.processes", *arguments]


def torchrun(number: int, arguments: list[str]) -> subprocess.CompletedProcess:
    """Start `gat_course.distributed.processes` in so many processes, and wait.

    Raises:
        RuntimeError: the job ended with an error; the message is its stderr.

    >>> from gat_course.experiments.scale import torchrun
    >>> torchrun(1, ["--nodes", "100", "--edges", "1000", "--epochs", "1"]).returncode
    0
    """
    # torchrun sets it to 1 with a warning; --threads decides.
    variables = os.environ | {"OMP_NUM_THREADS": "1"}
    command = torchrun_command(number, arguments)
    run = subprocess.run(command, env=variables, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"the job ended with {run.returncode}: {run.stderr}")
    return run


def measure_partition(graph: str, method: str, parts: int, seed: int) -> dict:
    """Edge cut and halo of a graph in parts, in percent of its edges and nodes.

    Raises:
        RuntimeError: DGL, which has METIS, cannot be had here.
    """
    data = large_graph(graph)
    if method == "random":
        part = torch.randint(parts, (data.num_nodes,))
    else:
        part = machines.metis(data, parts)
    sizes = torch.bincount(part, minlength=parts)
    return {
        "cut": 100 * edge_cut(data, part),
        "halo": 100 * sum(halo_sizes(data, part)) / data.num_nodes,
        "largest": 100 * int(sizes.max()) * parts / data.num_nodes,
    }


def measure_machines(method: str, seed: int) -> dict[str, float]:
    """What two servers and two trainers on one host send each other in a step."""
    graph = power_law_graph(NODES, EDGES)
    with TemporaryDirectory() as folder:
        machines.cut(graph, 2, folder, method)
        output = Path(folder, "result.json")
        job = ["--epochs", "2", "--seed", str(seed)]
        hosts = free_hosts(2)
        machines.launch(folder, hosts, [*job, "--output", str(output)])
        told = json.loads(output.read_text())["by_trainer"]
    steps = told[0]["steps"]
    rows = sum(t["rows from others"] for t in told)
    return {
        "share": 100 * rows / sum(t["rows"] for t in told),
        "features": rows * told[0]["bytes a row"] / steps,
        "gradients": 2 * told[0]["bytes of gradients"],
        "loopback": told[0]["loopback bytes"] / steps,
        "seconds": told[0]["seconds"] / steps,
    }
