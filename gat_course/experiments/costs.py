"""What full-batch training costs: time and memory of a step, measured and predicted.

Chapter 10 derives the formulas; `gat-course cost` asks them.
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from gat_course import measure
from gat_course.datasets.power_law import power_law_graph
from gat_course.graph import GraphData
from gat_course.models import GAT

if TYPE_CHECKING:
    import pandas as pd

EXPONENT = {"even": math.inf, "power law": 2.5}
# Features, heads and features of a hidden head.
WIDTHS = {"8 heads of 8": (32, 8, 8), "1 of 32": (128, 1, 32), "4 of 32": (128, 4, 32)}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes that decide what the paper's two-layer GAT costs on a graph.

    Args:
        nodes: $N$.
        edges: directed edges $|E|$.
        features: $F$, dense.
        heads: $K$ of the hidden layer.
        hidden: $F'$ of a hidden head.
        classes: $C$.

    Raises:
        ValueError: a number is below 1; the message names it.

    >>> from gat_course.experiments.costs import Shape
    >>> Shape(nodes=1000, edges=20_000, features=32).heads
    8
    """

    nodes: int
    edges: int
    features: int
    heads: int = 8
    hidden: int = 8
    classes: int = 8

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise ValueError(
                    f"{field.name} must be at least 1, got {getattr(self, field.name)}"
                )


def memory(shape: Shape) -> dict[str, float]:
    """Bytes that full-batch training holds, on one CPU, in float32.

    Returns:
        "graph": edges in both orders, features, labels and a mask, which stay;
        "step": the tables of the largest moment of a step, which come on top;
        "holes": freed pieces that the C library keeps, half of these tables or 16 MB of
        each, a rule found by measuring on Linux; "making": what is held while the lists
        of edges become a graph; and "peak": the first three together, or "making" where
        that is more. Left out is what Python and PyTorch hold themselves.

    >>> from gat_course.experiments.costs import Shape, memory
    >>> memory(Shape(nodes=10**6, edges=10**7, features=32))["graph"] / 1e6
    545.0
    """
    n, e, f = shape.nodes, shape.edges, shape.features
    moments = [[n * of_a_node for of_a_node in tables] for tables in _tables(shape)]
    step = max(sum(tables) for tables in moments)
    holes = max(sum(min(t / 2, 2**24) for t in tables) for tables in moments)
    graph = n * (4 * f + _NODE) + e * _EDGE
    making = max(n * (9 * f + _NODE) + 32 * e, n * (4 * f + _NODE) + _MAKING * e)
    return {
        "graph": graph,
        "step": step,
        "holes": holes,
        "making": making,
        "peak": max(graph + step + holes, making),
    }


def _tables(shape: Shape) -> tuple[list[int], ...]:
    """Bytes of a node in each table held, at the three moments that may be largest."""
    f, k, c = shape.features, shape.heads, shape.classes
    w, rows = k * _padded(shape.hidden), _padded(c)
    scores = 4 * [4 * k]
    outputs = [*6 * [4 * rows], *([] if c % 8 == 0 else [4 * c]), 4 * c]
    return (
        [2 * f, f, 4 * f, 4 * f],  # dropout of x
        [4 * f, *4 * [4 * w], *scores, 2 * w, w, 4 * w, 4 * w],  # of the hidden layer
        [4 * f, *5 * [4 * w], *scores, *outputs],  # back through the output layer
    )


# Bytes: of an edge its two ends, twice sorted with its number; of a node its label, its
# mask and twice where its edges begin; of an edge while the lists are sorted.
_EDGE, _NODE, _MAKING = 16 + 2 * 12, 8 + 1 + 2 * 4, 76


def _padded(width: int) -> int:
    """The width of a head's rows, which `FusedGATLayer` fills up to a multiple of 8."""
    return width + -width % 8


def time_terms(shape: Shape) -> dict[str, float]:
    """What a step does, each in its own unit; `fit_rates` finds the time of each unit.

    A look-up costs more where the table that it looks into is larger than the caches:
    about the same again for each doubling. Tables above 32 MB are given back to the
    system and asked for anew in every step.
    """
    n, e, f = shape.nodes, shape.edges, shape.features
    k, w, c = shape.heads, shape.heads * shape.hidden, shape.classes
    return {
        "step": 1,
        "multiplications": n * w * (f + c),
        "numbers of nodes": n * (f + w),
        "edges and heads": e * (k + 1),
        "numbers gathered": e * (w + c),
        "far look-ups": e * (k * _doublings(4 * n * w) + _doublings(4 * n * c)),
        "far numbers": e * w * _doublings(4 * n * w),
        "new memory": n * (w * (4 * n * w > 2**25) + f * (4 * n * f > 2**25)),
    }


def _doublings(size: float) -> float:
    """How often a table is twice as large as a megabyte, or 0."""
    return max(math.log2(size / 2**20), 0.0)


def shape_of(edges: int, degree: int, widths: str) -> Shape:
    """The shape of a run of `measure_costs`.

    >>> from gat_course.experiments.costs import shape_of
    >>> shape_of(1000, 20, "1 of 32").nodes
    50
    """
    features, heads, hidden = WIDTHS[widths]
    return Shape(
        nodes=edges // degree,
        edges=edges,
        features=features,
        heads=heads,
        hidden=hidden,
    )


def fit_rates(runs: pd.DataFrame) -> dict[str, float]:
    """Seconds for each unit of `time_terms`, from measured runs.

    Non-negative least squares of the relative errors; of the runs of one shape the
    fastest counts, as other work on the machine only ever slows one down.

    >>> from gat_course.experiments import catalogue, costs
    >>> rates = costs.fit_rates(catalogue.stored("costs"))
    >>> min(rates.values()) >= 0
    True
    """
    from scipy.optimize import nnls

    axes = ["edges", "degree", "degrees", "widths"]
    best = runs.groupby(axes, sort=False, as_index=False)["seconds"].min()
    rows = [
        list(time_terms(shape_of(run.edges, run.degree, run.widths)).values())
        for run in best.itertuples()
    ]
    seconds = best["seconds"].to_numpy()
    found, _ = nnls(np.array(rows) / seconds[:, None], np.ones(len(seconds)))
    return dict(
        zip(time_terms(shape_of(20, 1, "1 of 32")), found.tolist(), strict=True)
    )


def step_seconds(shape: Shape, rates: dict[str, float]) -> float:
    """Seconds of a full-batch step, on the machine and the threads of the rates.

    >>> from gat_course.experiments import catalogue, costs
    >>> rates = costs.fit_rates(catalogue.stored("costs"))
    >>> shape = costs.Shape(nodes=1000, edges=20_000, features=32)
    >>> 0 < costs.step_seconds(shape, rates) < 1
    True
    """
    return sum(rates[name] * number for name, number in time_terms(shape).items())


def speed_here(rates: dict[str, float], repeats: int = 3) -> float:
    """How many times as long as predicted a step of 100,000 edges takes here."""
    shape = Shape(nodes=10_000, edges=100_000, features=32)
    graph = power_law_graph(shape.nodes, shape.edges, shape.features)
    step = training_step(graph, shape.heads, shape.hidden)
    step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return min(times) / step_seconds(shape, rates)


def report(shape: Shape, limit: float, runs: pd.DataFrame) -> list[str]:
    """Whether a graph fits into `limit` bytes, and how long an epoch takes here.

    Args:
        shape: the graph and the model.
        limit: bytes.
        runs: of `measure_costs`, such as those that come with the package.
    """
    found, base = memory(shape), float(runs["base"].median())
    peak, rates = found["peak"] + base, fit_rates(runs)
    fits = "it fits" if peak <= limit else "it does not fit"
    if max(shape.nodes, shape.edges) * shape.heads >= 2**31:
        fits = "no: nodes or edges times heads need more than 32 bits"
    seconds = step_seconds(shape, rates) * speed_here(rates)
    held = max(
        (run.bytes + run.base)
        / (memory(shape_of(run.edges, run.degree, run.widths))["peak"] + run.base)
        for run in runs.itertuples()
    )
    lines = [
        f"{shape.nodes:,} nodes, {shape.edges:,} edges, {shape.features} dense "
        f"features; {shape.heads} heads of {shape.hidden}, {shape.classes} classes",
        f"graph and features   {found['graph'] / 1e9:10.2f} GB",
        f"largest moment       {found['step'] / 1e9:10.2f} GB on top",
        f"freed, but kept      {found['holes'] / 1e9:10.2f} GB on top",
        f"sorting the edges    {found['making'] / 1e9:10.2f} GB, before",
        f"Python and PyTorch   {base / 1e9:10.2f} GB",
        f"peak                 {peak / 1e9:10.2f} GB of {limit / 1e9:g}: {fits}",
        f"a measured process held up to {held - 1:.0%} more than predicted",
    ]
    times = _largest(shape, limit - base)
    if times > 0:
        lines.append(f"largest that fits: {times:,.2f} times this graph")
    threads = torch.get_num_threads()
    lines.append(
        f"an epoch, full batch: about {_time(seconds)} on this CPU, {threads} thread"
        f"{'s' if threads > 1 else ''}"
    )
    return lines


def _largest(shape: Shape, limit: float) -> float:
    """How many times as many nodes and edges fit into so many bytes, to a percent."""
    fits, times = 0.0, 2.0**40
    while times - fits > 0.01 * times and times > 1e-9:
        middle = (fits * times) ** 0.5 if fits else times / 2
        sizes = {n: max(int(getattr(shape, n) * middle), 1) for n in ("nodes", "edges")}
        countable = max(sizes.values()) * shape.heads < 2**31
        if countable and memory(replace(shape, **sizes))["peak"] <= limit:
            fits = middle
        else:
            times = middle
    return fits


def _time(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} seconds"


def training_step(graph: GraphData, heads: int, hidden: int) -> Callable[[], None]:
    """A step of the paper's two-layer GAT on all of a graph, without arguments.

    >>> from gat_course.experiments.costs import training_step
    >>> training_step(power_law_graph(100, 1000), heads=2, hidden=4)()
    """
    sizes = graph.num_features, graph.num_classes
    model = GAT(*sizes, hidden=hidden, num_heads=heads).train()
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
    """What `measure_training` finds on a random graph."""
    shape = shape_of(edges, degree, widths)
    lists = partial(random_lists, shape, EXPONENT[degrees], seed)
    name = f"{edges:,} edges, degree {degree}, {widths}"
    return measure_training(lists, name, shape.features, shape.heads, shape.hidden)


def random_lists(shape: Shape, exponent: float, seed: int) -> dict:
    """A power-law graph as `GraphData` is made of it, its edges in any order."""
    made = power_law_graph(
        shape.nodes, shape.edges, shape.features, exponent=exponent, seed=seed
    )
    order = torch.randperm(shape.edges, generator=torch.Generator().manual_seed(seed))
    fields = {name: getattr(made, name) for name in ("x", "y", "train_mask")}
    ends = {"src": made.src[order], "dst": made.dst[order]}
    return {"num_nodes": shape.nodes} | ends | fields


def measure_training(
    lists: Callable[[], dict], name: str, features: int, heads: int, hidden: int
) -> dict[str, float]:
    """Seconds of a step, and the most bytes that its process held.

    The process begins with lists of edges, makes the graph, and trains some steps, on
    one thread. "base" is what it held before, with PyTorch loaded and a step on a tiny
    graph done; "given" are the lists, features and labels.

    Args:
        lists: called in the process for the arguments of `GraphData`.
        name: of the graph, for an error.
        features: $F$, for the tiny graph.
        heads: $K$ of the hidden layer.
        hidden: $F'$ of a hidden head.

    Raises:
        RuntimeError: the process ended early, or raised an error, which is told.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    given = theirs, lists, features, heads, hidden
    process = context.Process(target=_answer, args=given, daemon=True)
    process.start()
    theirs.close()
    try:
        told = ours.recv()
    except EOFError:
        process.join()
        raise RuntimeError(
            f"the process ended with exit code {process.exitcode}, perhaps for want of "
            f"memory: {name}"
        ) from None
    finally:
        process.join()
    if isinstance(told, str):
        raise RuntimeError(f"{name}: {told}")
    return told


def _answer(line, *given) -> None:
    try:
        line.send(_measured(*given))
    except Exception as error:
        line.send(f"{type(error).__name__}: {error}")


def _measured(lists, features, heads, hidden) -> dict[str, float]:
    torch.set_num_threads(1)
    tiny = training_step(power_law_graph(100, 1000, features), heads, hidden)
    tiny()
    tiny()
    base = measure.start_peak()
    fields = lists()
    given = measure.start_peak()
    graph = GraphData(**fields)
    del fields
    gc.collect()
    start = time.perf_counter()
    graph.by_target, graph.by_source  # noqa: B018 (the first step would make them)
    sorting = time.perf_counter() - start
    made = measure.peak()
    step = training_step(graph, heads, hidden)
    step()
    times = []
    for _ in range(3 if graph.num_edges <= 10**7 else 1):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return {
        "seconds": min(times),
        "sorting": sorting,
        "bytes": measure.peak() - base,
        "making": made - base,
        "given": given - base,
        "base": base,
    }
