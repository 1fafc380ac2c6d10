"""`doctor`: what in a model's behaviour departs from the paper."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from gat_course.diagnosis import probes, records
from gat_course.diagnosis.findings import Finding, Report
from gat_course.diagnosis.patient import Forward, Patient, Unfit, dense
from gat_course.graph import GraphData

_ORDER = {"certain": 0, "likely": 1, "possible": 2}


def doctor(
    model: nn.Module,
    graph: GraphData,
    forward: Forward | None = None,
    *,
    history: Mapping[str, Sequence[float]] | Any = None,
) -> Report:
    r"""Find out why a model does not do what the paper's does.

    The model may be yours, PyG's, DGL's or the course's. It is not read but asked, on
    small graphs whose answer is known for graph attention, in train and in eval mode.
    It is copied first and stays as it is; so do your random numbers.

    Args:
        model: a network from features to one row of logits for each node.
        graph: the graph on which you train it, with `x`, and `y` and masks if it has
            them.
        forward: calls the model on a graph and returns `[N, C]`, such as
            `lambda model, graph: model(graph.x, torch.stack([graph.src, graph.dst]))`.
            Without it the common ways are tried: `(graph, x)`, `(x, edge_index)`,
            `(dgl_graph, x)`, `(x, adjacency)`.
        history: what the training recorded: a dictionary with a list of numbers named
            "val_loss", one for each epoch; or the course's `History`.

    Returns:
        A `Report`; print it. Its `findings` say what was seen, how sure it is, what it
        cost in the course's own runs, and where to read.

    Raises:
        TypeError: the graph is no `GraphData`, the model no module or one that cannot
            be called, or `history` no dictionary.
        ValueError: the graph has no features.

    >>> ring, data = [1, 2, 3, 4, 5, 0], {"x": torch.rand(6, 4), "y": [0, 1] * 3}
    >>> graph = GraphData.from_edges(range(6), ring, undirected=True, **data)
    >>> doctor(GAT(4, 2), graph).names
    ['forgets itself']
    >>> doctor(GAT(4, 2), graph.with_self_loops()).names
    []
    """
    if not isinstance(model, nn.Module):
        kind = "class" if isinstance(model, type) else type(model).__name__
        raise TypeError(f"model must be a torch.nn.Module, made already, not a {kind}")
    if not isinstance(graph, GraphData):
        how = ""
        if hasattr(graph, "edge_index"):
            how = (
                "; make one of it: GraphData.from_edges(*data.edge_index, "
                "data.num_nodes, x=data.x, y=data.y, train_mask=data.train_mask, …)"
            )
        raise TypeError(f"graph must be a GraphData, not {type(graph).__name__}{how}")
    if graph.x is None:
        raise ValueError("graph needs features x: the doctor feeds them to the model")
    findings: list[Finding] = []
    clean: list[str] = []
    unasked: dict[str, str] = {}
    with (
        _numpys_numbers_kept(),
        torch.random.fork_rng(),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        torch.manual_seed(0)
        patient = Patient(model, graph, forward)
        for name, probe in probes.on_the_model().items():
            if first := next((f for f in findings if f.name in probes.SPOILERS), None):
                unasked[name] = f"mend this first: {first.name}"
                continue
            if patient.noisy:
                unasked[name] = "mend this first: random when evaluated"
                continue
            try:
                found = probe(patient)
            except Unfit as why:
                unasked[name] = str(why)
                continue
            _enter(name, found, findings, clean)
        results = list(records.on_the_data(graph))
        results = [(n, _unless_done(patient, found)) for n, found in results]
        if history is not None:
            results += records.on_the_history(_recorded(history))
        for name, found in results:
            if isinstance(found, Unfit):
                unasked[name] = str(found)
            else:
                _enter(name, found, findings, clean)
    findings.sort(key=lambda finding: _ORDER[finding.sure])
    return Report(findings, clean, unasked)


def _unless_done(patient: Patient, found: records.Result) -> records.Result:
    """Features need no normalising where the model does it itself."""
    if isinstance(found, Finding) and found.name == "features not normalised":
        x = patient.graph.x
        size = torch.arange(len(x), device=x.device).unsqueeze(1) % 3 + 1
        scaled = replace(patient.graph, x=dense(x) * size.to(x.dtype))
        with contextlib.suppress(Unfit):
            if probes.close(patient.run(patient.graph), patient.run(scaled)):
                return None
    return found


@contextlib.contextmanager
def _numpys_numbers_kept() -> Iterator[None]:
    state = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(state)


def _enter(
    name: str, found: Finding | None, findings: list[Finding], clean: list[str]
) -> None:
    if found is None:
        clean.append(name)
    else:
        findings.append(found)


def _recorded(history: Any) -> dict[str, list[float]]:
    """A history as lists by name."""
    if not isinstance(history, Mapping):
        if not hasattr(history, "val_loss"):
            kind = type(history).__name__
            raise TypeError(f'history must be {{"val_loss": [...]}}, not a {kind}')
        names = ("train_loss", "val_loss", "val_score")
        history = {n: getattr(history, n) for n in names if hasattr(history, n)}
    found = {}
    for name, values in history.items():
        try:
            found[name] = [float(value) for value in values]
        except (TypeError, ValueError):
            continue  # not a number for each epoch
    return found
