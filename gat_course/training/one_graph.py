"""Training as in the GAT paper: full batch, early stopping (chapter 5).

Loss is cross-entropy on the training nodes, the optimiser Adam.
"""

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course import intake
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
    """
    mask = require_labels(graph, mask, "mask")
    logits = _logits(model, graph)
    require_outputs(model, logits, graph, mask, "mask")
    logits, labels = logits[mask], graph.y[mask]
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
    gradient are the same; only dropout draws for fewer numbers. One that has
    `undecayed`, endings of parameters' names, keeps those out of the L2 penalty.

    After each epoch validation loss and accuracy are measured. Training stops when
    neither has reached its best value for `patience` epochs; parameters are kept
    whenever both have. Everything else is checked before the first epoch, for which the
    model computes the graph once.

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
        TypeError: `graph` is no graph.
        ValueError: features, labels or masks are missing or select no node; the model
            returns no logits `[N, C]`, or none for some label; it is on another device
            than the graph; no parameter requires a gradient; or its `num_hops` is too
            small. The message says what to do.
        FloatingPointError: a loss became NaN or infinite; the message names the
            epoch. With `patience`, `model` then holds the best parameters so far.

    Source: Veličković et al., ICLR 2018, section 3.3, and its published code.
    """
    require_epochs(max_epochs, patience)
    train_part, val_part = _prepared(model, graph)
    from tqdm import tqdm

    optimizer = torch.optim.Adam(
        _groups(model), lr=lr, weight_decay=weight_decay, fused=True
    )
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
            require_gradient(model, loss)
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
                best_parameters = snapshot(model)
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


def _prepared(model: nn.Module, graph: GraphData) -> tuple[GraphData, GraphData]:
    """What training and validation need of the graph, once all has been checked."""
    if not isinstance(graph, GraphData):
        raise TypeError(
            f"fit trains on a GraphData, not on {type(graph).__name__}; for several "
            "graphs there is fit_graphs"
        )
    for name in ("train_mask", "val_mask"):
        require_labels(graph, getattr(graph, name), name)
    require_trainable(model)
    logits = _logits(model, graph)
    for name in ("train_mask", "val_mask", "test_mask"):
        mask = getattr(graph, name)
        if mask is not None:
            require_outputs(model, logits, graph, mask, name)
    return (
        _needed(model, graph, "train_mask", logits),
        _needed(model, graph, "val_mask", logits),
    )


def predict(model: nn.Module, graph: GraphData) -> object:
    """What the model returns, with dropout off and without gradients.

    The training mode is put back.

    Raises:
        ValueError: model and graph are on different devices, or their numbers are of
            different kinds and the model does not allow that.
    """
    require_same_device(model, graph.device)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return model(graph, graph.x)
    except RuntimeError as error:
        kinds = {p.dtype for p in model.parameters() if p.is_floating_point()}
        if graph.x.dtype in kinds or not kinds:
            raise
        raise ValueError(
            f"x is {graph.x.dtype} and the parameters of {type(model).__name__} are "
            f"{' and '.join(sorted(map(str, kinds)))}: build the graph with x=x.float()"
        ) from error
    finally:
        model.train(was_training)


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
            "pass messages, or to None to train on the whole graph in every step"
        )
    return part


def snapshot(model: nn.Module) -> dict[str, object]:
    """A copy of the model's state, of whatever its modules put into it."""
    return {
        name: value.clone() if isinstance(value, Tensor) else copy.deepcopy(value)
        for name, value in model.state_dict().items()
    }


def require_same_device(model: nn.Module, device: torch.device) -> None:
    """Raise `ValueError` where all the model's parameters are on another device."""
    found = sorted({str(p.device) for p in model.parameters()})
    if found and str(device) not in found:
        raise ValueError(
            f"the model is on {' and '.join(found)}, the graph on {device}: move them "
            f'together, graph = graph.to("{found[0]}") or model.to("{device}")'
        )


def require_trainable(model: nn.Module) -> None:
    """Raise `ValueError` for a model that is frozen as a whole."""
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError(
            f"no parameter of {type(model).__name__} requires a gradient, so there is "
            "nothing to train; model.requires_grad_() unfreezes it"
        )


def require_gradient(model: nn.Module, loss: Tensor) -> None:
    """Raise `ValueError` for a loss that no parameter can learn from."""
    if not loss.requires_grad:
        raise ValueError(
            f"no gradient reaches the parameters of {type(model).__name__}: what it "
            "returns does not depend on one that requires a gradient, or is computed "
            "under torch.no_grad() or after detach()"
        )


def require_epochs(max_epochs: int, patience: int | None) -> None:
    """Raise `ValueError` for numbers of epochs that make no sense."""
    if max_epochs < 1 or (patience is not None and patience < 1):
        raise ValueError(
            f"max_epochs and patience must be at least 1, got {max_epochs}, {patience}"
        )


def require_finite(loss: float, part: str, epoch: int, lr: float) -> None:
    """Raise `FloatingPointError` for a loss that is NaN or infinite."""
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the {part} loss is {loss} at epoch {epoch}: try a smaller learning rate "
            f"than {lr}, or look for extreme features"
        )


def require_labels(
    graph: GraphData, mask: Tensor | Sequence[bool] | None, name: str
) -> Tensor:
    """The mask as bool `[N]`, where the graph has features and classes for its nodes.

    Raises:
        TypeError: the mask holds no numbers.
        ValueError: it has not, or the mask is none or selects no node.
    """
    if graph.x is None or graph.y is None:
        missing = "x" if graph.x is None else "y"
        raise ValueError(
            f"{graph.name} has no {missing}: training needs x and y, so build the "
            f"graph with {missing}=…"
        )
    if graph.y.dim() != 1:
        advice = "y[:, 0].long()"
        if graph.y.shape[1] > 1:
            advice = "y.argmax(dim=1); several labels per node are for fit_graphs"
        raise ValueError(
            f"y must hold one class per node, [N]; got {list(graph.y.shape)}. Build "
            f"the graph with y={advice}"
        )
    mask = _as_mask(graph, mask, name)
    if not bool(mask.any()):
        raise ValueError(f"{name} of {graph.name} selects no node")
    if graph.y.is_floating_point() or bool((graph.y[mask] < 0).any()):
        raise ValueError(
            f"the labels of {name} must be classes 0, 1, …; got "
            f"{graph.y.dtype} with minimum {graph.y[mask].min().item()}. Whole numbers "
            "become classes by y.long(); leave nodes without a class out of the mask"
        )
    return mask


def _as_mask(
    graph: GraphData, mask: Tensor | Sequence[bool] | None, name: str
) -> Tensor:
    if mask is None:
        raise ValueError(f"{name} of {graph.name} selects no node: it is None")
    n, mask = graph.num_nodes, intake.tensor(name, mask)
    if mask.dtype == torch.bool and mask.shape in ((n,), (n, 1)):
        return mask.to(graph.y.device).view(n)
    if mask.dim() == 2 and len(mask) == n:
        advice = f"It holds {mask.shape[1]} splits; choose one, as {name}[:, 0]"
    elif mask.shape == (n,) and bool(((mask == 0) | (mask == 1)).all()):
        advice = f"Zeros and ones become one by {name} == 1"
    elif mask.dim() == 1 and len(mask) and mask.dtype in (torch.int32, torch.int64):
        advice = (
            "Numbers of nodes become one by torch.isin(torch.arange(N), "
            "torch.tensor(numbers))"
        )
    else:
        advice = "It says of each node whether it counts"
    raise ValueError(
        f"{name} must be a bool vector [{n}], got {mask.dtype} {list(mask.shape)}. "
        f"{advice}"
    )


def require_outputs(
    model: nn.Module, logits: Tensor, graph: GraphData, mask: Tensor, name: str
) -> None:
    """Raise `ValueError` unless the model has a logit for every label of the mask.

    On a GPU the loss would end the process instead.
    """
    labels, width = graph.y[mask], logits.shape[1]
    top = int(labels.max()) if len(labels) else -1
    if top >= width:
        raise ValueError(
            f"y of {graph.name} holds class {top} at nodes of {name}, but "
            f"{type(model).__name__} returns {width} logits for each node, for classes "
            f"0 to {width - 1}. Build the model with num_classes = "
            f"{graph.num_classes}, or number the classes from 0 without gaps"
        )
