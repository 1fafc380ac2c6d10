"""`gat-course bench`: the course's layers beside DGL's and PyG's (chapter 9 reads it).

Every contender lives in a process of its own, so that no library's threads or memory
meet another's. All take turns: a round asks each of them for one step, and what is
reported is the median over the rounds. Peak memory is that of the process, above what
it held before the step, whoever took it.
"""

import ctypes
import gc
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import platform
import signal
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course import __version__, datasets, dgl_compat, files
from gat_course.dropout import dropout
from gat_course.graph import GraphData
from gat_course.layers import DenseGATLayer, EdgeGATLayer
from gat_course.layers.fused import FusedGATLayer

# The contenders. "course" trains as `fit` does, on the part of a graph that the loss
# looks at; "whole" computes all nodes, as the libraries' examples do. The tricks of the
# others: the same part of the graph, sparse features, dropout by the course's function
# and a fused Adam.
NAMES = {
    "course": "course",
    "whole": "course, all nodes",
    "edges": "course, edge list",
    "dense": "course, dense",
    "dgl": "DGL",
    "dgl+": "DGL, every trick",
    "pyg": "PyG",
    "pyg+": "PyG, every trick",
}


class Stack(nn.Module):
    """Layers one after the other, called as each library's examples call them.

    Args:
        layers: each is called as `layer(graph, x)`.
        contender: a key of `NAMES`.
        drop: dropout on each layer's input, where the layer does not do it itself.
    """

    def __init__(
        self, layers: Sequence[nn.Module], contender: str, drop: float
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        # The tricks: dropout by the course's function, on stored values alone.
        self.dropout = dropout if contender.endswith("+") else F.dropout
        outside = contender in ("pyg", "pyg+", "dgl+")
        self.drop = drop if outside else 0.0
        self.heads_apart = contender.startswith("dgl")  # its layers give [N, K, F']

    def forward(self, graph, x: Tensor) -> Tensor:
        for number, layer in enumerate(self.layers, 1):
            last = number == len(self.layers)
            if self.drop:
                x = self.dropout(x, self.drop, self.training)
            x = layer(graph, x)
            if self.heads_apart:
                x = x.mean(1) if last else x.flatten(1)
            if not last:
                x = F.elu(x)
        return x


def build_layer(
    contender: str,
    features: int,
    width: int,
    heads: int,
    merge: str = "concat",
    drop: float = 0.0,
    residual: bool = False,
) -> nn.Module:
    """One contender's layer, called as `layer(graph, x)`; see `GATLayer`.

    Dropout on the input is left to the model where the library leaves it there.
    """
    library, cheap = contender.rstrip("+"), contender.endswith("+")
    if library == "dgl":
        return dgl_compat.import_dgl().nn.GATConv(
            features,
            width,
            heads,
            feat_drop=0.0 if cheap else drop,
            attn_drop=drop,
            residual=residual,
            allow_zero_in_degree=True,
        )
    if library == "pyg":
        return _PyGConv(features, width, heads, merge == "concat", drop, residual)
    layer = {"edges": EdgeGATLayer, "dense": DenseGATLayer}.get(library, FusedGATLayer)
    drops = {"feat_drop": drop, "attn_drop": drop}
    return layer(features, width, heads, merge, residual=residual, **drops)


def build_model(
    contender: str, sizes: list[tuple[int, int, int]], drop: float, residual: bool
) -> nn.Module:
    """The network of one contender.

    Args:
        contender: a key of `NAMES`.
        sizes: of each layer: features in, features of a head, heads. The last layer's
            heads are averaged, the others' concatenated.
        drop: dropout on inputs and attention.
        residual: residual connections on all layers but the first.
    """
    layers = [
        build_layer(
            contender,
            *size,
            "mean" if number == len(sizes) else "concat",
            drop,
            residual and number > 1,
        )
        for number, size in enumerate(sizes, 1)
    ]
    return Stack(layers, contender, drop)


class _PyGConv(nn.Module):
    """PyG's layer with the order of arguments of the others."""

    def __init__(self, features, width, heads, concat, drop, residual) -> None:
        super().__init__()
        from torch_geometric.nn import GATConv

        options = {"residual": residual, "add_self_loops": False}
        self.conv = GATConv(features, width, heads, concat, dropout=drop, **options)

    def forward(self, graph, x: Tensor) -> Tensor:
        return self.conv(x, graph)


def _native(contender: str, graph: GraphData, x: Tensor):
    """Graph and features in the form in which a library takes them."""
    library, cheap = contender.rstrip("+"), contender.endswith("+")
    if library in ("dgl", "pyg") and not cheap and x.layout != torch.strided:
        x = x.to_dense()
    if library == "dgl":
        return graph.dgl(), x
    if library == "pyg":
        return torch.stack([graph.src, graph.dst]), x
    return graph, x


def _training_step(
    contender: str, model: nn.Module, graph: GraphData, loss: Callable
) -> Callable[[], object]:
    native, x = _native(contender, graph, graph.x)
    fused = contender not in ("dgl", "pyg")  # as their examples call Adam: without
    optimizer = torch.optim.Adam(
        model.parameters(), lr=0.005, weight_decay=5e-4, fused=fused
    )
    model.train()

    def step() -> None:
        optimizer.zero_grad()
        loss(model(native, x)).backward()
        optimizer.step()

    return step


def citation_step(contender: str, name: str) -> Callable[[], object]:
    """One training step of the paper's GAT on a citation graph.

    Args:
        contender: a key of `NAMES`.
        name: "cora" or "citeseer"; without the data its synthetic stand-in is used.
    """
    graph = datasets.load(name, fallback="synthetic").with_self_loops()
    if contender in ("course", "dgl+", "pyg+"):
        graph = graph.receptive_field(graph.train_mask, 2)
    sizes = [(graph.num_features, 8, 8), (64, graph.num_classes, 1)]
    torch.manual_seed(0)
    model = build_model(contender, sizes, 0.6, False)
    labels = graph.y[graph.train_mask]
    return _training_step(
        contender,
        model,
        graph,
        lambda logits: F.cross_entropy(logits[graph.train_mask], labels),
    )


def ppi_sized_step(contender: str, scale: int = 1) -> Callable[[], object]:
    """One training step of the paper's PPI network on two random graphs of that size.

    4,744 nodes, 137,000 edges, 50 features, 121 labels; 4 heads of 256, 4 of 256, 6 of
    121 averaged, residual connections on the last two layers, no dropout.

    Args:
        contender: a key of `NAMES`.
        scale: divide nodes, edges and widths by it.
    """
    generator = torch.Generator().manual_seed(0)
    nodes, edges, width = 4744 // scale, 137_000 // scale, 256 // scale
    half = nodes // 2  # two graphs in one, without an edge between them
    ends = torch.randint(0, half, (2, edges - nodes), generator=generator)
    ends = ends + half * torch.randint(0, 2, (edges - nodes,), generator=generator)
    loops = torch.arange(nodes)
    graph = GraphData.from_edges(
        *torch.cat([ends, loops.expand(2, -1)], dim=1),
        x=torch.randn(nodes, 50, generator=generator),
        y=torch.randint(0, 2, (nodes, 121), generator=generator).float(),
        name="two graphs of PPI's size",
    )
    sizes = [(50, width, 4), (4 * width, width, 4), (4 * width, 121, 6)]
    torch.manual_seed(0)
    model = build_model(contender, sizes, 0.0, True)
    return _training_step(
        contender,
        model,
        graph,
        lambda logits: F.binary_cross_entropy_with_logits(logits, graph.y),
    )


def layer_step(
    contender: str, num_edges: int, num_heads: int = 8
) -> Callable[[], object]:
    """Forward and backward of one layer, 64 features to `num_heads` heads of 8.

    Args:
        contender: a key of `NAMES`.
        num_edges: of a random graph with a tenth as many nodes.
        num_heads: $K$.
    """
    generator = torch.Generator().manual_seed(0)
    nodes = max(num_edges // 10, 1)
    ends = torch.randint(0, nodes, (2, num_edges), generator=generator)
    x = torch.randn(nodes, 64, generator=generator)
    graph = GraphData.from_edges(*ends, x=x, name="random")
    torch.manual_seed(0)
    layer = build_layer(contender, 64, 8, num_heads)
    native, x = _native(contender, graph, graph.x)

    def step() -> None:
        layer.zero_grad()
        layer(native, x).sum().backward()

    return step


# Processes in turns


def _serve(line, build: Callable[[], Callable], threads: int) -> None:
    """Build a step and run it as often as asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    torch.set_num_threads(threads)
    step = build()
    step()  # builds what is cached
    line.send("ready")
    with suppress(EOFError):  # until the parent closes the line
        while order := line.recv():
            if order == "time":
                step()
                start = time.perf_counter()
                step()
                line.send(time.perf_counter() - start)
            else:
                line.send(_peak_of_process(step))


def _peak_of_process(step: Callable[[], object]) -> int | None:
    """Bytes that the process grows by while `step` runs; None where none can tell."""

    def read(key: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith(key))
        return 1024 * int(line.split()[1])

    try:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # hand back what is free
        # The peak starts again at what is held now.
        Path("/proc/self/clear_refs").write_text("5")
        before, _ = read("VmRSS"), read("VmHWM")
    except (
        OSError,
        AttributeError,
        TypeError,
        ValueError,
    ):  # not, or not all, of Linux
        return None
    step()
    return read("VmHWM") - before


def measure_in_turns(
    builders: dict[str, Callable], repeats: int, threads: int
) -> dict[str, dict]:
    """Median time and peak memory of each contender's step.

    Args:
        builders: by contender, a function that returns the step; picklable.
        repeats: number of rounds; in each, every contender steps twice and the second
            step is timed.
        threads: of each process.

    Returns:
        By contender: "seconds" (median), "fastest" and "slowest", "bytes" (None where
        the system does not tell).

    Raises:
        RuntimeError: a contender's process ended, or gave no answer for ten minutes.
    """
    context = multiprocessing.get_context("spawn")
    processes, lines = [], {}
    try:
        for name, build in builders.items():
            lines[name], theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(theirs, build, threads), daemon=True
            )
            process.start()
            theirs.close()
            processes.append(process)
            _answer(name, lines[name], "before its first step")
        times = {name: [] for name in builders}
        for _ in range(repeats):
            for name, line in lines.items():
                times[name].append(_ask(name, line, "time"))
        return {
            name: {
                "seconds": statistics.median(times[name]),
                "fastest": min(times[name]),
                "slowest": max(times[name]),
                "bytes": _ask(name, line, "memory"),
            }
            for name, line in lines.items()
        }
    finally:
        for line in lines.values():
            line.close()
        for process in processes:
            process.kill()
            process.join()


def _ask(name: str, line, order: str):
    with suppress(OSError):  # an end that has closed speaks in the answer
        line.send(order)
    return _answer(name, line, "in mid-step, perhaps for want of memory")


def _answer(name: str, line, when: str):
    try:
        if line.poll(600):
            return line.recv()
    except (EOFError, OSError):
        raise RuntimeError(f"{NAMES[name]} ended {when}") from None
    raise RuntimeError(f"{NAMES[name]} gave no answer for ten minutes")


# The table

EDGES = (10_000, 100_000, 1_000_000, 5_000_000, 10_000_000)


def plan(quick: bool) -> list[tuple[str, Callable, dict, list[str], int]]:
    """What is measured: title, step, its arguments, contenders, rounds.

    Args:
        quick: smaller graphs and fewer rounds, about a minute in all.
    """
    plain = ["course", "edges", "dgl", "pyg"]  # no dropout, so no tricks
    rounds = 5 if quick else 15
    # A stand-in says in its name that it is one.
    titles = {
        name: datasets.load(name, fallback="synthetic").name
        for name in ("cora", "citeseer")
    }
    rows = []
    for name in titles:
        title = f"{titles[name]}, training step"
        who = [contender for contender in NAMES if contender != "dense"]
        rows.append((title, citation_step, {"name": name}, who, rounds))
    if not quick:
        who = ["course", "dense"]
        rows.append((f"{titles['cora']}, N×N", citation_step, {"name": "cora"}, who, 3))
    scale = 4 if quick else 1
    title = "PPI-sized, training step" + (f", a {scale}th of it" if quick else "")
    rows.append((title, ppi_sized_step, {"scale": scale}, plain, 3 if quick else 5))
    for edges in (10_000, 100_000) if quick else EDGES:
        title, size = f"one layer, {edges:,} edges", {"num_edges": edges}
        who = plain if edges <= 10**6 else [c for c in plain if c != "edges"]
        rows.append((title, layer_step, size, who, rounds if edges < 10**6 else 3))
    for heads in () if quick else (1, 2, 4, 16):
        size = {"num_edges": 10**6, "num_heads": heads}
        title = f"one layer, 1,000,000 edges, K = {heads}"
        rows.append((title, layer_step, size, plain, 3))
    return rows


def machine(threads: int) -> dict[str, object]:
    """What the numbers depend on besides the code."""
    processor = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    packages = {"gat_course": __version__, "python": platform.python_version()}
    packages["torch"] = torch.__version__  # with its build, as "+cpu"
    for package in ("dgl", "torch_geometric"):
        if importlib.util.find_spec(package):
            packages[package] = _version(package)
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "threads": threads,
        "system": platform.platform(),
        "versions": packages,
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # installed without pip
        return "?"


def installed(contenders: Sequence[str]) -> list[str]:
    """Those contenders whose library is here."""
    package = {"dgl": "dgl", "pyg": "torch_geometric"}
    return [
        name
        for name in contenders
        if (need := package.get(name.rstrip("+"))) is None
        or importlib.util.find_spec(need)
    ]


def main(quick: bool = False, output: str | os.PathLike | None = None) -> int:
    """Measure, print as it goes, and store what was measured.

    Args:
        quick: see `plan`.
        output: the JSON file to write, by default results/bench.json (with `quick`
            results/bench-quick.json). Until all is measured it is called `.partial`.

    Returns:
        0, for the command line.
    """
    output = Path(output or f"results/bench{'-quick' if quick else ''}.json")
    threads = torch.get_num_threads()
    record = {"quick": quick, "machine": machine(threads), "measured": []}
    growing = output.with_name(f"{output.name}.partial")
    print(describe(record["machine"]))
    absent = [name for name in NAMES if name not in installed(list(NAMES))]
    if absent:
        print(
            "not installed, so left out: "
            + ", ".join(NAMES[name] for name in absent)
            + " (pip install 'gat-course[bench]' brings PyG; 'gat-course[dgl]' brings "
            "DGL, up to Python 3.12)"
        )
    for title, step, arguments, contenders, rounds in plan(quick):
        builders = {
            name: partial(step, name, **arguments) for name in installed(contenders)
        }
        entry = {
            "title": title,
            "arguments": arguments,
            "rounds": rounds,
            "contenders": measure_in_turns(builders, rounds, threads),
        }
        record["measured"].append(entry)
        print(table(entry), flush=True)
        files.write_json(growing, record)
    os.replace(growing, output)
    print(f"\nstored in {output}")
    return 0


def stored() -> dict:
    """The full measurement that comes with this package, as `main` wrote it.

    Raises:
        FileNotFoundError: the package has none.
    """
    path = Path(__file__).parent / "results" / "bench.json"
    if not path.exists():
        raise FileNotFoundError(
            "the package holds no measurement; make one with `gat-course bench`"
        )
    return json.loads(path.read_text())


def describe(about: dict) -> str:
    """The machine in one paragraph."""
    versions = "\n".join(f"{k} {v}" for k, v in about["versions"].items())
    return (
        f"{about['processor']}, {about['cores']} cores, {about['threads']} threads\n"
        f"{about['system']}\n{versions}"
    )


def table(entry: dict) -> str:
    """One measurement: time, its ratio to the course's, and peak memory of each.

    A `~` behind a ratio: the ranges of both times, from the fastest round to the
    slowest, overlap, so that a difference is not shown.
    """
    row = "{:18}{:>9}{:>6}{:1}{:>7}".format  # fits on a phone
    rounds = f"median of {entry['rounds']}"
    lines = ["", entry["title"], row(rounds, "ms", "times", "", "MB")]
    ours = entry["contenders"]["course"]
    for name, found in entry["contenders"].items():
        held, seconds = found["bytes"], found["seconds"]
        memory = "?" if held is None else f"{held / 1e6:,.0f}"
        times = f"{seconds / ours['seconds']:.1f}"
        apart = found["fastest"] > ours["slowest"] or ours["fastest"] > found["slowest"]
        mark = "" if apart or name == "course" else "~"
        lines.append(row(NAMES[name], f"{1e3 * seconds:,.1f}", times, mark, memory))
    return "\n".join(lines)
