"""The one training loop, full batch or in batches, with early stopping (chapters 5, 6).

`fit` and `fit_graphs` are its two faces; what differs between them is a `Task`.
"""

import gc
import math
import operator
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from gat_course.training import checkpoint as checkpoints
from gat_course.training.history import Curves
from gat_course.training.tasks import Task


def fit_task(
    model: nn.Module,
    task: Task,
    *,
    lr: float,
    weight_decay: float,
    max_epochs: int,
    patience: int | None,
    checkpoint: str | os.PathLike | None = None,
    decay_at: Sequence[int] = (),
    progress: bool = True,
) -> Curves:
    """Train `model` on a task; arguments and errors as `fit` and `fit_graphs` say.

    After the epochs `decay_at` the learning rate is divided by 10.
    """
    if max_epochs < 1 or (patience is not None and patience < 1):
        raise ValueError(
            f"max_epochs and patience must be at least 1, got {max_epochs}, {patience}"
        )
    task.prepare(model)
    from tqdm import tqdm

    lr, weight_decay = float(lr), float(weight_decay)  # no NumPy in a checkpoint
    optimizer = torch.optim.Adam(
        parameter_groups(model), lr=lr, weight_decay=weight_decay, fused=True
    )
    state = checkpoints.State(model, optimizer, task)
    options = {"lr": lr, "weight_decay": weight_decay, "patience": patience}
    about = checkpoints.about(model, task, options) if checkpoint else {}
    if checkpoint and Path(checkpoint).exists():
        state.read(checkpoint, about, max_epochs)
    history, device = state.history, task.data.device
    before, most = history.seconds, math.inf if patience is None else patience
    start = saved = time.perf_counter()
    _forget_peak(device)
    bar = tqdm(
        total=max_epochs,
        initial=history.epochs,
        unit="epoch",
        leave=False,
        disable=None if progress else True,
    )
    try:
        while history.epochs < max_epochs and state.waited < most:
            epoch = history.epochs
            _set_rate(optimizer, lr / 10 ** sum(epoch >= at for at in decay_at))
            loss = one_epoch(model, task, optimizer, epoch)
            val = task.validate(model)
            require_finite(val.loss, "validation", epoch, optimizer)
            state.keep(loss, val, patience)
            now = time.perf_counter()
            history.seconds = before + now - start
            history.peak_memory = _peak_memory(device, history.peak_memory)
            if checkpoint and task.writes and now - saved >= checkpoints.EVERY:
                state.write(checkpoint, about)
                saved = now
            bar.update()
    finally:
        bar.close()
        if state.best is not None:
            model.load_state_dict(state.best)
        model.eval()
    return history


def one_epoch(
    model: nn.Module, task: Task, optimizer: torch.optim.Optimizer, epoch: int
) -> float:
    """Mean loss of the steps, each before its change of the parameters."""
    model.train()
    losses, sizes = [], []
    for batch, size in task.batches():
        optimizer.zero_grad()
        loss = task.loss(model, batch)
        losses.append(loss.item())
        require_finite(losses[-1], "training", epoch, optimizer)
        require_gradient(model, loss)
        loss.backward()
        optimizer.step()
        sizes.append(size)
    if len(losses) == 1:
        return losses[0]
    return sum(map(operator.mul, losses, sizes)) / sum(sizes)


def parameter_groups(model: nn.Module) -> list[dict]:
    """The model's parameters; those it names `undecayed` in a group without decay."""
    endings = tuple(getattr(model, "undecayed", ()))
    decayed, spared = [], []
    for name, parameter in model.named_parameters():
        (spared if name.endswith(endings) else decayed).append(parameter)
    groups = [{"params": decayed}, {"params": spared, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def predict(model: nn.Module, graph) -> object:
    """What the model returns, with dropout off and without gradients.

    The training mode is put back.

    Raises:
        ValueError: model and graph are on different devices, or their numbers are of
            different kinds and the model does not allow that.
    """
    found = sorted({str(p.device) for p in model.parameters()})
    if found and str(graph.device) not in found:
        raise ValueError(
            f"the model is on {' and '.join(found)}, the graph on {graph.device}: move "
            f'them together, graph = graph.to("{found[0]}") or '
            f'model.to("{graph.device}")'
        )
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


def require_finite(
    loss: float, part: str, epoch: int, optimizer: torch.optim.Optimizer
) -> None:
    """Raise `FloatingPointError` for a loss that is NaN or infinite."""
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the {part} loss is {loss} at epoch {epoch}: try a smaller learning rate "
            f"than {optimizer.defaults['lr']}, or look for extreme features"
        )


def _set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr


def _forget_peak(device: torch.device) -> None:
    """Let `_peak_memory` count from now on."""
    if device.type == "cuda":
        gc.collect()  # Adam and its model refer to each other: earlier ones may linger
        torch.cuda.reset_peak_memory_stats(device)


def _peak_memory(device: torch.device, before: int | None) -> int | None:
    """Bytes held at most, in this process or an earlier part of the run."""
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device)
    else:
        try:
            import resource
        except ImportError:  # Windows
            return before
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak = used * (1 if sys.platform == "darwin" else 1024)  # bytes there, else KiB
    return max(peak, before or 0)
