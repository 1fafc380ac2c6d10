"""Training as in the GAT paper: full batch, early stopping (chapter 5).

Loss is cross-entropy on the training nodes, the optimiser Adam.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course.graph import GraphData
from gat_course.training.history import Evaluation, History
from gat_course.training.labels import evaluation, require_labels, require_outputs
from gat_course.training.loop import fit_task, predict, require_trainable
from gat_course.training.record import Run
from gat_course.training.tasks import Task


def evaluate(
    model: nn.Module, graph: GraphData, mask: Tensor | Sequence[bool]
) -> Evaluation:
    """Loss and accuracy of `model` on the nodes of `mask`, with dropout off.

    Args:
        model: called as `model(graph, x)`, returns logits `[N, C]`; its training mode
            is put back afterwards.
        graph: the graph, with features `x` and classes `y`.
        mask: the nodes to measure, bool `[N]`, at least one of them true; a tensor, a
            list, a NumPy array or a column of pandas.

    Raises:
        TypeError: `mask` holds no numbers.
        ValueError: features or labels are missing, `mask` selects no node or is no
            mask, the model returns no logits `[N, C]` or none for some label, or it is
            on another device than the graph. The message says what to do.

    >>> graph = synthetic_citation("cora").with_self_loops()
    >>> model = GCN(graph.num_features, graph.num_classes)
    >>> before = evaluate(model, graph, graph.test_mask)
    >>> _ = fit(model, graph, lr=0.01, max_epochs=20, progress=False)
    >>> evaluate(model, graph, graph.test_mask).accuracy > before.accuracy
    True
    """
    mask = require_labels(graph, mask, "mask")
    return evaluation(model, _logits(model, graph), graph, mask)


def fit(
    model: nn.Module,
    graph: GraphData,
    *,
    lr: float = 0.005,
    weight_decay: float = 5e-4,
    max_epochs: int = 10_000,
    patience: int | None = 100,
    progress: bool = True,
) -> History:
    """Train by the GAT paper's protocol; leaves the best parameters in `model`.

    The model comes back in evaluation mode, dropout off.

    A model that has `num_hops` computes in each step what its loss looks at, and no
    more: `graph.receptive_field` of the training and of the validation nodes. Loss and
    gradient are the same; only dropout draws for fewer numbers. One that has
    `undecayed`, endings of parameters' names, keeps those out of the L2 penalty.

    After each epoch validation loss and accuracy are measured. Training stops when
    neither has reached its best value for `patience` epochs; parameters are kept
    whenever both have. What can be checked is checked before the first epoch; for that
    the model computes the graph, and the parts it trains on.

    Args:
        model: called as `model(graph, x)`, returns logits `[N, C]`.
        graph: with `x`, `y`, `train_mask` and `val_mask`.
        lr: Adam's learning rate.
        weight_decay: weight of the L2 penalty inside Adam's gradient.
        max_epochs: stop after so many epochs in any case.
        patience: epochs in which neither is at its best; None trains `max_epochs`
            epochs and keeps the last parameters.
        progress: show a progress bar.

    Returns:
        The `History`.

    Raises:
        TypeError: `graph` is no graph.
        ValueError: features, labels or masks are missing or select no node; the model
            returns no logits `[N, C]`, or none for some label; it is on another device
            than the graph; no parameter requires a gradient; or its `num_hops` is too
            small; or a number of epochs is below 1. The message says what to do.
        FloatingPointError: a loss became NaN or infinite; the message names the
            epoch. With `patience`, `model` then holds the best parameters so far.

    Source: Veličković et al., ICLR 2018, section 3.3, and its published code.

    >>> graph = synthetic_citation("cora").with_self_loops()
    >>> model = GAT(graph.num_features, graph.num_classes)
    >>> fit(model, graph, max_epochs=3, progress=False).epochs
    3
    """
    if not isinstance(graph, GraphData):
        raise TypeError(
            f"fit trains on a GraphData, not on {type(graph).__name__}; for several "
            "graphs there is fit_graphs"
        )
    return fit_task(
        model,
        NodeClasses(graph),
        lr=lr,
        weight_decay=weight_decay,
        max_epochs=max_epochs,
        patience=patience,
        progress=progress,
    )


class NodeClasses(Task, data=GraphData):
    """One graph whose nodes have a class each; masks say which of them are for what."""

    history, record, fit = History, Run, staticmethod(fit)
    evaluate = staticmethod(evaluate)

    def prepare(self, model: nn.Module) -> None:
        graph = self.data
        for name in ("train_mask", "val_mask"):
            require_labels(graph, getattr(graph, name), name)
        require_trainable(model)
        logits = _logits(model, graph)
        for name in ("train_mask", "val_mask", "test_mask"):
            mask = getattr(graph, name)
            if mask is not None:
                require_outputs(model, logits, graph, mask, name)
        part = _needed(model, graph, "train_mask", logits)
        self.train = part, int(part.train_mask.sum())
        self.val = _needed(model, graph, "val_mask", logits)

    def batches(self) -> list[tuple[GraphData, int]]:
        return [self.train]

    def loss(self, model: nn.Module, batch: GraphData) -> Tensor:
        logits = model(batch, batch.x)[batch.train_mask]
        return F.cross_entropy(logits, batch.y[batch.train_mask])

    def validate(self, model: nn.Module) -> Evaluation:
        return evaluate(model, self.val, self.val.val_mask)

    def judge(
        self, val: Evaluation, best_loss: float, best_score: float
    ) -> tuple[bool, bool]:
        reached = val.loss <= best_loss, val.score >= best_score
        return all(reached), any(reached)

    def require_scores(self) -> None:
        require_labels(self.data, self.data.test_mask, "test_mask")

    def scores(self, model: nn.Module) -> dict[str, float]:
        masks = {
            "val_accuracy": self.data.val_mask,
            "test_accuracy": self.data.test_mask,
        }
        graph = self.data
        return {n: self.evaluate(model, graph, m).accuracy for n, m in masks.items()}


def _logits(model: nn.Module, graph: GraphData) -> Tensor:
    """What `predict` returns, `[N, C]`."""
    logits = predict(model, graph)
    is_tensor = isinstance(logits, Tensor)
    if not is_tensor or logits.dim() != 2 or len(logits) != graph.num_nodes:
        found = list(logits.shape) if is_tensor else f"a {type(logits).__name__}"
        raise ValueError(
            f"{type(model).__name__} must return logits [{graph.num_nodes}, C], one "
            f"row for each node, and nothing else; it returns {found}"
        )
    return logits


def _needed(model: nn.Module, graph: GraphData, name: str, logits: Tensor) -> GraphData:
    """The part of the graph that decides the outputs of a mask's nodes, if known."""
    hops = getattr(model, "num_hops", None)
    if hops is None:
        return graph
    part = graph.receptive_field(getattr(graph, name), hops)
    whole = logits[getattr(graph, name)]
    fewer = _logits(model, part)[getattr(part, name)]
    scale = float(whole.nan_to_num().abs().max())
    if not torch.allclose(whole, fewer, rtol=1e-3, atol=1e-4 * scale, equal_nan=True):
        raise ValueError(
            f"{type(model).__name__}.num_hops = {hops} is too small: the outputs of "
            f"{name} depend on nodes further away. Set it to the number of layers that "
            "pass messages, one more where weights ask for the sources' degrees, or to "
            "None to train on the whole graph in every step"
        )
    return part
