"""Checks of exercises 6.1 to 6.2."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gat_course.checks import reading
from gat_course.checks.question import case, question
from gat_course.graph import GraphData

# ---------------------------------------------------------------- 6.1


@question(
    "6.1",
    "Micro-F1",
    tolerance=1e-6,
    cases=[
        case(1.0, 1.0),
        case(0.5, 1.0),
        case(0.5, 0.5),
        case(0.3, 0.8),
        case(0.25, 1.0),
        case(0.7, 0.1),
        case(1.0, 0.4),
        case(0.5, 0.0, tag="nobody says yes"),
    ],
    mistakes={
        "It is in percent; it should be a number from 0 to 1.": {"form": "percent"},
        "A guesser who is always right, p = q = 1, would not get 1: a factor of 2 is "
        "missing.": {"form": "half"},
        "This is the arithmetic mean of precision and recall.": {"form": "mean"},
        "This is the geometric mean of precision and recall.": {"form": "geometric"},
        "This says yes to everything; q is left out.": {"said": "all"},
        "This is a fair coin; q is left out.": {"said": "coin"},
        "TP counts twice above the line and below it: 2 TP / (2 TP + FP + FN).": {
            "form": "jaccard"
        },
        "The F1 of the ones and of the zeros are averaged; only ones count.": {
            "form": "both"
        },
        "This is the recall alone.": {"form": "recall"},
        "This is the precision alone.": {"form": "precision"},
        "This is the share of TP alone.": {"form": "tp"},
        "This is the accuracy: it counts TN, too.": {"form": "accuracy"},
        "That is the share of TP, twice, without what it is divided by.": {
            "form": "top"
        },
        "FP is counted, FN is not.": {"form": "no FN"},
        "FN is counted, FP is not.": {"form": "no FP"},
        "The yes are dealt without chance: it is the best F1 with a share q of yes.": {
            "form": "best"
        },
        "Where p or q is 0 it divides 0 by 0: precision and recall are then 0, and so "
        "is F1.": {"form": "nan"},
        "p and 1 − p are swapped: p is the share of ones.": {"zeros": True},
    },
)
def guesser(
    p: float, q: float, *, form: str = "", said: str = "", zeros: bool = False
) -> float:
    q = {"all": 1.0, "coin": 0.5}.get(said, q)
    p = 1 - p if zeros else p
    tp, fp, fn = p * q, (1 - p) * q, p * (1 - q)
    below = 2 * tp + fp + fn
    f1 = 2 * tp / below if below else 0.0
    ways: dict[str, Callable[[], float]] = {
        "": lambda: f1,
        "percent": lambda: 100 * f1,
        "half": lambda: f1 / 2,
        "mean": lambda: (p + q) / 2,
        "geometric": lambda: math.sqrt(p * q),
        "jaccard": lambda: tp / (tp + fp + fn),
        "both": lambda: (f1 + 2 * (1 - p) * (1 - q) / (2 - p - q)) / 2,
        "recall": lambda: q,
        "precision": lambda: tp / (tp + fp),
        "tp": lambda: tp,
        "accuracy": lambda: tp + (1 - p) * (1 - q),
        "top": lambda: 2 * tp,
        "no FN": lambda: 2 * tp / (2 * tp + fp) if tp + fp else 0.0,
        "no FP": lambda: 2 * tp / (2 * tp + fn) if tp + fn else 0.0,
        "best": lambda: 2 * min(p, q) / (p + q),
        "nan": lambda: 2 / (1 / p + 1 / q),
    }
    return ways[form]()


# ---------------------------------------------------------------- 6.2


def _listed(value: Any, *given: Any) -> list[Tensor]:
    if isinstance(value, (Tensor, dict, str)) or not hasattr(value, "__iter__"):
        raise reading.Form(
            f"Return a list of tensors, one for each graph, not {reading.kind(value)}."
        )
    return [reading.numbers(part, "A part") for part in value]


def _alpha(edges: int, heads: int) -> Tensor:
    return (torch.arange(edges * heads).float() + 1).view(edges, heads) / 16


def _batch_cases() -> list:
    one = GraphData(num_nodes=1, src=[0], dst=[0])
    two = GraphData(num_nodes=2, src=[1, 0, 0, 1], dst=[1, 0, 1, 0])
    path = GraphData(num_nodes=3, src=[0, 1], dst=[1, 2])
    empty = GraphData(num_nodes=4, src=[], dst=[])
    full = GraphData(num_nodes=3, src=[2, 0, 1, 0, 2], dst=[2, 1, 0, 2, 0])
    batch = GraphData(num_nodes=3, src=[0, 2, 1], dst=[0, 1, 2], graph_of=[0, 1, 1])
    found = []
    for graphs, heads in (
        ([one], 1),
        ([path, one], 1),
        ([one, path], 2),
        ([path, two], 2),
        ([two, full, path], 1),
        ([full, empty, two, one], 3),
        ([one, two, empty, full], 1),
        ([one, batch], 1),
    ):
        edges = sum(g.num_edges for g in graphs)
        tag = "a graph has no edge" if empty in graphs else ""
        tag = "one of the graphs is a batch itself" if batch in graphs else tag
        found.append(case(_alpha(edges, heads), graphs, tag=tag))
    return found


def _graphs_within(graph: GraphData) -> list[GraphData]:
    """The graphs of a batch, as many as its edges need."""
    if graph.graph_of is None:
        return [graph]
    found = []
    for number in range(graph.num_graphs):
        edges = graph.graph_of[graph.dst] == number
        ends = graph.src[edges], graph.dst[edges]
        found.append(GraphData(num_nodes=graph.num_nodes, src=ends[0], dst=ends[1]))
    return found


@question(
    "6.2",
    "New graphs, many labels",
    read=_listed,
    tolerance=1e-6,
    cases=_batch_cases(),
    mistakes={
        "Each part has a row for each node of its graph; it should have one for each "
        "edge.": {"size": "rows"},
        "The parts are as long as the graphs have nodes, not edges.": {"size": "nodes"},
        "The parts come in the reverse order of the graphs.": {"order": "reverse"},
        "The parts are equally long; each graph has its own number of edges.": {
            "size": "equal"
        },
        "The parts are equally long, and what is left over is lost or a part of its "
        "own.": {"size": "floor"},
        "There is a part too many: cuts stand between the graphs, not after the "
        "last.": {"last": "more"},
        "The parts are as long as the first graph's; each has its own number of "
        "edges.": {"size": "first"},
        "A batch within the list is taken apart, too; it is one of the graphs.": {
            "empty": "batches"
        },
        "The rows are read from the end.": {"order": "flip"},
        "Each part starts one row too early.": {"start": -1},
        "A graph without edges is left out; it gets an empty part.": {"empty": "none"},
        "Only the first head is left.": {"heads": "first"},
        "The heads are averaged; each part is [E, K].": {"heads": "mean"},
        "With one head its dimension is lost: a part is [E, 1].": {"heads": "squeeze"},
        "`squeeze` drops every dimension of size 1, also that of one edge or one "
        "head.": {"heads": "all"},
        "The heads are averaged, and their dimension is lost; each part is [E, K].": {
            "heads": "flat mean"
        },
        "Each part starts at row 0 again.": {"start": "zero"},
        "A part starts at the number of edges of the one graph before it; add up those "
        "of all before.": {"start": "before"},
        "The last graph's part is missing.": {"last": True},
        "A graph's rows come in the order of its sources; keep the order of its edges, "
        "which goes by target.": {"order": "source"},
    },
)
def take_apart(
    alpha: Tensor,
    graphs: list[GraphData],
    *,
    size: str = "edges",
    order: str = "",
    start: int | str = 0,
    empty: str = "",
    heads: str = "",
    last: bool | str = False,
) -> list[Tensor]:
    rows = alpha.flip(0) if order == "flip" else alpha
    if size == "equal":
        return list(alpha.chunk(len(graphs)))
    if size == "nodes":
        return list(alpha.split([graph.num_nodes for graph in graphs]))
    if size == "floor":
        return list(alpha.split(len(alpha) // len(graphs)))
    if size == "first":
        return list(alpha.split(graphs[0].num_edges))
    if empty == "batches":
        graphs = [part for graph in graphs for part in _graphs_within(graph)]
    found, first, before = [], 0, 0
    for graph in graphs:
        length = {
            "edges": graph.num_edges,
            "rows": graph.num_nodes,
        }[size]
        if start == "zero":
            begin = 0
        elif start == "before":
            begin, before = before, length
        else:
            begin = max(first + int(start), 0)
        part = rows[begin : begin + length]
        if order == "source":
            part = part[graph.src.argsort(stable=True)]
        if graph.num_edges or empty != "none":
            found.append(part)
        first += length
    found = found[:-1] if last is True else found
    found = [*found, alpha[:0]] if last == "more" else found
    found = found[::-1] if order == "reverse" else found
    change = {
        "": lambda p: p,
        "first": lambda p: p[:, :1],
        "mean": lambda p: p.mean(1, keepdim=True),
        "squeeze": lambda p: p.squeeze(1),
        "all": lambda p: p.squeeze(),
        "flat mean": lambda p: p.mean(1),
    }[heads]
    return [change(part) for part in found]
