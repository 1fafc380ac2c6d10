"""What full-batch training costs, measured: time and memory of a step (chapter 10)."""

from __future__ import annotations

import gc
import math
import multiprocessing
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from gat_course import measure
from gat_course.datasets.power_law import power_law_graph
from gat_course.graph import GraphData
from gat_course.models import GAT

EXPONENT = {"even": math.inf, "power law": 2.5}
# Features, heads and features of a hidden head.
WIDTHS = {"8 heads of 8": (32, 8, 8), "1 of 32": (128, 1, 32), "4 of 32": (128, 4, 32)}


def training_step(
    graph: GraphData, heads: int, hidden: int, classes: int | None = None
) -> Callable[[], None]:
    """A step of the paper's two-layer GAT on all of a graph, without arguments."""
    classes = graph.num_classes if classes is None else classes
    model = GAT(graph.num_features, classes, hidden=hidden, num_heads=heads).train()
    optimizer = torch.optim.Adam(
        model.parameters(), lr=0.005, weight_decay=5e-4, fused=True
    )
    labels = graph.y[graph.train_mask]

    def step() -> None:
        optimizer.zero_grad()
        logits = model(graph, graph.x)[graph.train_mask]
        F.cross_entropy(logits, labels).backward()
        optimizer.step()

    return step


def measure_costs(
    edges: int, degree: int, degrees: str, widths: str, seed: int
) -> dict[str, float]:
    """Seconds of a step, and the most bytes that its process held.

    The process begins with unsorted lists of edges, makes the graph, and trains some
    steps, on one thread. "base" is what it held before, with PyTorch loaded and a step
    on a tiny graph done; "given" are the lists, features and labels.

    Raises:
        RuntimeError: the process ended early, perhaps for want of memory.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    given = edges, degree, degrees, widths, seed
    process = context.Process(target=_answer, args=(theirs, *given), daemon=True)
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        process.join()
        raise RuntimeError(
            f"the process ended with exit code {process.exitcode}, perhaps for want of "
            f"memory: {edges:,} edges, degree {degree}, {widths}"
        ) from None
    finally:
        process.join()


def _answer(line, edges, degree, degrees, widths, seed) -> None:
    torch.set_num_threads(1)
    features, heads, hidden = WIDTHS[widths]
    nodes, exponent = edges // degree, EXPONENT[degrees]
    tiny = training_step(power_law_graph(100, 1000, features), heads, hidden)
    tiny()
    tiny()
    base = measure.start_peak()
    made = power_law_graph(nodes, edges, features, exponent=exponent, seed=seed)
    fields = {name: getattr(made, name) for name in ("x", "y", "train_mask")}
    order = torch.randperm(edges, generator=torch.Generator().manual_seed(seed))
    src, dst = made.src[order], made.dst[order]
    del made, order
    given = measure.start_peak()
    graph = GraphData(num_nodes=nodes, src=src, dst=dst, **fields)
    del src, dst, fields
    gc.collect()
    start = time.perf_counter()
    graph.by_target, graph.by_source  # noqa: B018 (the first step would make them)
    sorting = time.perf_counter() - start
    made = measure.peak()
    step = training_step(graph, heads, hidden)
    step()
    times = []
    for _ in range(3 if edges <= 10**7 else 1):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    line.send(
        {
            "seconds": statistics.median(times),
            "sorting": sorting,
            "bytes": measure.peak() - base,
            "making": made - base,
            "given": given - base,
            "base": base,
        }
    )
