"""Training as in the GAT paper: full batch, early stopping (chapter 5).

Loss is cross-entropy on the training nodes, the optimiser Adam.
"""

import math
import time
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course.graph import GraphData


@dataclass(frozen=True)
class Evaluation:
    """Cross-entropy in nats and accuracy in percent over some nodes."""

    loss: float
    accuracy: float


@dataclass
class History:
    """What `fit` recorded: one entry per epoch, losses in nats, accuracy in percent.

    `train_loss` is measured with dropout on, during the step; the validation values
    with dropout off, after it. `best_epoch` is the epoch whose parameters were kept.
    """

    train_loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    best_epoch: int = -1
    seconds: float = 0.0

    @property
    def epochs(self) -> int:
        """Number of epochs that ran."""
        return len(self.train_loss)


def evaluate(model: nn.Module, graph: GraphData, mask: Tensor) -> Evaluation:
    """Loss and accuracy of `model` on the nodes of `mask`, with dropout off.

    Args:
        model: called as `model(graph, x)`; its training mode is put back afterwards.
        graph: the graph, with features `x` and classes `y`.
        mask: the nodes to measure, bool `[N]`, at least one of them true.

    Raises:
        ValueError: features or labels are missing, or `mask` selects no node.
    """
    require_labels(graph, mask, "mask")
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            logits = model(graph, graph.x)[mask]
    finally:
        model.train(was_training)
    labels = graph.y[mask]
    hits = (logits.argmax(dim=1) == labels).double().mean()
    return Evaluation(float(F.cross_entropy(logits, labels)), 100 * float(hits))


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
    gradient are the same; only dropout draws for fewer numbers. One that has `undecayed`,
    endings of parameters' names, keeps those out of the L2 penalty.

    After each epoch validation loss and accuracy are measured. Training stops when
    neither has reached its best value for `patience` epochs; parameters are kept
    whenever both have.

    Args:
        model: called as `model(graph, x)`, returns logits `[N, C]`.
        graph: with `x`, `y`, `train_mask` and `val_mask`.
        lr: Adam's learning rate.
        weight_decay: weight of the L2 penalty inside Adam's gradient.
        max_epochs: stop after so many epochs in any case.
        patience: epochs without a new best; None trains `max_epochs` epochs and
            keeps the last parameters.
        progress: show a progress bar.

    Returns:
        The `History`.

    Raises:
        ValueError: features, labels or masks are missing or select no node, or the
            model's `num_hops` is too small.
        FloatingPointError: a loss became NaN or infinite; the message names the
            epoch. With `patience`, `model` then holds the best parameters so far.

    Source: Veličković et al., ICLR 2018, section 3.3, and its published code.
    """
    if max_epochs < 1 or (patience is not None and patience < 1):
        raise ValueError(
            f"max_epochs and patience must be at least 1, got {max_epochs}, {patience}"
        )
    require_labels(graph, graph.train_mask, "train_mask")
    require_labels(graph, graph.val_mask, "val_mask")
    from tqdm import tqdm

    optimizer = torch.optim.Adam(
        _groups(model), lr=lr, weight_decay=weight_decay, fused=True
    )
    train_part = _needed(model, graph, "train_mask")
    val_part = _needed(model, graph, "val_mask")
    labels = graph.y[graph.train_mask]
    history = History()
    best_loss, best_accuracy, waited = float("inf"), -1.0, 0
    best_parameters = None
    start = time.perf_counter()
    bar = tqdm(
        range(max_epochs), unit="epoch", leave=False, disable=None if progress else True
    )
    try:
        for epoch in bar:
            model.train()
            optimizer.zero_grad()
            logits = model(train_part, train_part.x)[train_part.train_mask]
            loss = F.cross_entropy(logits, labels)
            require_finite(loss.item(), "training", epoch, lr)
            loss.backward()
            optimizer.step()

            val = evaluate(model, val_part, val_part.val_mask)
            require_finite(val.loss, "validation", epoch, lr)
            history.train_loss.append(loss.item())
            history.val_loss.append(val.loss)
            history.val_accuracy.append(val.accuracy)
            if patience is None:
                history.best_epoch = epoch
                continue
            reached = val.loss <= best_loss, val.accuracy >= best_accuracy
            if all(reached):
                history.best_epoch = epoch
                best_parameters = {k: v.clone() for k, v in model.state_dict().items()}
            waited = 0 if any(reached) else waited + 1
            best_loss = min(best_loss, val.loss)
            best_accuracy = max(best_accuracy, val.accuracy)
            if waited >= patience:
                break
    finally:
        bar.close()
        history.seconds = time.perf_counter() - start
        if best_parameters is not None:
            model.load_state_dict(best_parameters)
        model.eval()
    return history


def _groups(model: nn.Module) -> list[dict]:
    """The model's parameters; those it names `undecayed` in a group without decay."""
    endings = getattr(model, "undecayed", ())
    decayed, spared = [], []
    for name, parameter in model.named_parameters():
        (spared if name.endswith(endings) else decayed).append(parameter)
    groups = [{"params": decayed}, {"params": spared, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _needed(model: nn.Module, graph: GraphData, name: str) -> GraphData:
    """The part of the graph that decides the outputs of a mask's nodes, if known."""
    hops = getattr(model, "num_hops", None)
    if hops is None:
        return graph
    part = graph.receptive_field(getattr(graph, name), hops)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        whole, fewer = (model(g, g.x)[getattr(g, name)] for g in (graph, part))
    model.train(was_training)
    scale = float(whole.nan_to_num().abs().max())
    if not torch.allclose(whole, fewer, rtol=1e-3, atol=1e-4 * scale, equal_nan=True):
        raise ValueError(
            f"{type(model).__name__}.num_hops = {hops} is too small: the outputs of "
            f"{name} depend on nodes further away. Set it to the number of layers that "
            "pass messages, or to None to train on the whole graph in every step"
        )
    return part


def require_finite(loss: float, part: str, epoch: int, lr: float) -> None:
    """Raise `FloatingPointError` for a loss that is NaN or infinite."""
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the {part} loss is {loss} at epoch {epoch}: try a smaller learning rate "
            f"than {lr}, or look for extreme features"
        )


def require_labels(graph: GraphData, mask: Tensor | None, name: str) -> None:
    """Raise `ValueError` unless the graph has features, and classes for the mask."""
    if graph.x is None or graph.y is None:
        missing = "x" if graph.x is None else "y"
        raise ValueError(f"{graph.name} has no {missing}: training needs x and y")
    if graph.y.dim() != 1:
        raise ValueError(
            f"y must hold one class per node, [N]; got {list(graph.y.shape)}"
        )
    if mask is None or not bool(mask.any()):
        raise ValueError(f"{name} of {graph.name} selects no node")
    if mask.dtype != torch.bool or mask.shape != (graph.num_nodes,):
        raise ValueError(
            f"{name} must be a bool vector [{graph.num_nodes}], got {mask.dtype} "
            f"{list(mask.shape)}"
        )
    if graph.y.is_floating_point() or bool((graph.y[mask] < 0).any()):
        raise ValueError(
            f"the labels of {name} must be classes 0, 1, …; got "
            f"{graph.y.dtype} with minimum {graph.y[mask].min().item()}"
        )
