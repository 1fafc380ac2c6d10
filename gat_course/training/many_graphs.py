"""Training on some graphs for use on others: several labels a node (chapter 6).

Loss is the cross-entropy of each label, yes or no; the score is the micro-F1.
"""

import gc
import io
import math
import os
import sys
import time
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course import __version__
from gat_course.files import whole
from gat_course.graph import GraphData, checksum
from gat_course.graphs import Tissues, batch_graphs
from gat_course.training.one_graph import (
    predict,
    require_epochs,
    require_finite,
    require_gradient,
    require_trainable,
    snapshot,
)

CHECKPOINT_EVERY = 30  # seconds


def label_counts(logits: Tensor, labels: Tensor) -> Tensor:
    """Count true positives, false positives and false negatives, over all labels.

    A label is predicted where its logit is above 0, that is, its probability above 1/2.

    Args:
        logits: `[N, L]`.
        labels: 0 or 1, `[N, L]`.

    Returns:
        TP, FP, FN, integers `[3]`. Counts of several batches may be added.

    Raises:
        ValueError: the shapes differ, a logit is NaN, or a label is not 0 or 1.
    """
    if logits.shape != labels.shape:
        raise ValueError(
            f"logits {list(logits.shape)} and labels {list(labels.shape)} must have "
            "one shape, [N, L]"
        )
    if bool(logits.isnan().any()):
        raise ValueError("logits hold NaN: there is nothing to count")
    if not bool(((labels == 0) | (labels == 1)).all()):
        raise ValueError("labels must be 0 or 1; call label_counts(logits, labels)")
    predicted, true = logits > 0, labels > 0.5
    hits = (predicted & true).sum()
    return torch.stack([hits, predicted.sum() - hits, true.sum() - hits])


def micro_f1(counts: Tensor) -> float:
    r"""$F_1=2\,\mathrm{TP}/(2\,\mathrm{TP}+\mathrm{FP}+\mathrm{FN})$ of pooled counts.

    Args:
        counts: TP, FP, FN, `[3]`, as from `label_counts`.

    Returns:
        Between 0 and 1.

    Raises:
        ValueError: all three are zero; then the score has no value.
    """
    tp, fp, fn = counts.tolist()
    if tp + fp + fn == 0:
        raise ValueError("micro-F1 has no value: no label is true and none predicted")
    return 2 * tp / (2 * tp + fp + fn)


@dataclass(frozen=True)
class LabelEvaluation:
    """Mean cross-entropy of a label in nats, and micro-F1 from 0 to 1."""

    loss: float
    f1: float


@dataclass
class GraphHistory:
    """What `fit_graphs` recorded: one entry per epoch, losses in nats a label.

    `best_epoch` is the epoch whose parameters were kept. `peak_memory`, in bytes, is
    what PyTorch had allocated on a GPU at most; on a CPU the most that this process
    ever held, where the system tells, else None.
    """

    train_loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_f1: list[float] = field(default_factory=list)
    best_epoch: int = -1
    seconds: float = 0.0
    peak_memory: int | None = None

    @property
    def epochs(self) -> int:
        """Number of epochs that ran."""
        return len(self.train_loss)


def batches(graphs: Sequence[GraphData], batch_size: int) -> list[GraphData]:
    """The graphs in their order, `batch_size` of them in each batch."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    starts = range(0, len(graphs), batch_size)
    return [batch_graphs(graphs[i : i + batch_size]) for i in starts]


def evaluate_graphs(
    model: nn.Module, graphs: Sequence[GraphData], batch_size: int = 2
) -> LabelEvaluation:
    """Loss and micro-F1 of `model` over all nodes and labels of the graphs together.

    Args:
        model: called as `model(graph, x)`, returns logits `[N, L]`; its training mode
            is put back afterwards.
        graphs: with features `x` and labels `y`, 0.0 or 1.0, `[N, L]`.
        batch_size: graphs that are computed at a time.

    Returns:
        The `LabelEvaluation`; both numbers are NaN where the model's outputs are.

    Raises:
        TypeError: `graphs` is no sequence of graphs.
        ValueError: there is no graph, one lacks features or labels, the model returns
            no logit for each label or is on another device, or micro-F1 has no value.
            The message says what to do.
    """
    if isinstance(graphs, GraphData | Tissues):
        raise TypeError(
            f"graphs must be a list of graphs, got {type(graphs).__name__}; use "
            "[graph] for one, or tissues.test"
        )
    for number, graph in enumerate(graphs):
        if graph.x is None or graph.y is None:
            raise ValueError(f"graph {number} ({graph.name}) lacks x or y")
        if graph.y.dim() != 2 or not graph.y.is_floating_point():
            raise ValueError(
                f"y of graph {number} must be floating point [N, L], 1 where a node "
                f"has a label; got {graph.y.dtype} {list(graph.y.shape)}. One class "
                "per node is for evaluate"
            )
    return _evaluate(model, batches(graphs, batch_size))


def require_positive(graphs: Sequence[GraphData], part: str) -> None:
    """Raise `ValueError` where no node has a label: there micro-F1 may be 0/0."""
    if not any(bool(graph.y.any()) for graph in graphs):
        raise ValueError(
            f"no node of the {part} graphs has any label, so they have no micro-F1; "
            "choose other graphs"
        )


def _evaluate(model: nn.Module, graphs: Sequence[GraphData]) -> LabelEvaluation:
    if not graphs:
        raise ValueError("there is no graph to evaluate on")
    loss, size, counts = 0.0, 0, 0
    for graph in graphs:
        logits = _logits(model, graph)
        total = F.binary_cross_entropy_with_logits(logits, graph.y, reduction="sum")
        loss, size = loss + float(total), size + graph.y.numel()
        if not bool(logits.isnan().any()):  # else the loss says so
            counts = counts + label_counts(logits, graph.y)
    mean = loss / size
    return LabelEvaluation(mean, micro_f1(counts) if mean == mean else float("nan"))


def _logits(model: nn.Module, graph: GraphData) -> Tensor:
    """`[N, L]`, with dropout off and without gradients; the mode is put back."""
    logits = predict(model, graph)
    is_tensor = isinstance(logits, Tensor)
    if not is_tensor or logits.shape != graph.y.shape:
        found = list(logits.shape) if is_tensor else f"a {type(logits).__name__}"
        nodes, labels = graph.y.shape
        raise ValueError(
            f"{type(model).__name__} returns {found}, but y is [{nodes}, {labels}]: it "
            "must return a logit for each label of each node. Build it with "
            f"num_labels = {labels}"
        )
    return logits


def fit_graphs(
    model: nn.Module,
    tissues: Tissues,
    *,
    lr: float = 0.005,
    weight_decay: float = 0.0,
    batch_size: int = 2,
    max_epochs: int = 10_000,
    patience: int | None = 100,
    checkpoint: str | os.PathLike | None = None,
    progress: bool = True,
) -> GraphHistory:
    """Train on the training graphs; leaves the best parameters in `model`.

    Each epoch goes through the training graphs once, in random order, `batch_size` of
    them to a step of Adam. Then loss and micro-F1 of the validation graphs are
    measured. Training stops when neither has had a new best value for `patience`
    epochs. The parameters of the epoch with the best micro-F1 are kept; where the loss
    turns long before the score, keeping what is best in both, as `fit` does, would keep
    an early and poor epoch. The model comes back in evaluation mode. The test graphs
    are not looked at. Everything else is checked before the first epoch, for which the
    model computes one graph.

    Args:
        model: called as `model(graph, x)`, returns logits `[N, L]`.
        tissues: the graphs, on the model's device.
        lr: Adam's learning rate.
        weight_decay: weight of the L2 penalty inside Adam's gradient.
        batch_size: graphs in a step.
        max_epochs: stop after so many epochs in any case.
        patience: epochs without a new best; None trains `max_epochs` epochs and keeps
            the last parameters.
        checkpoint: a file that receives the state of the training every half minute,
            random numbers included. If it is there, training goes on from it, on the
            same kind of device and, on a CPU, with as many threads
            (`torch.set_num_threads`).
        progress: show a progress bar.

    Returns:
        The `GraphHistory`.

    Raises:
        TypeError: `tissues` are no `Tissues`.
        ValueError: a number makes no sense, or `checkpoint` is damaged, or belongs to
            another model, other data, options, versions, device or number of threads,
            or is beyond `max_epochs`. Or no node of the validation graphs has a label,
            the model returns no logit for each label, is on another device, or has no
            parameter that requires a gradient.
        FloatingPointError: a loss became NaN or infinite; the message names the epoch.
            With `patience`, `model` then holds the best parameters so far.

    Source: Veličković et al., ICLR 2018, section 3.3.
    """
    require_epochs(max_epochs, patience)
    val = _prepared(model, tissues, batch_size)
    from tqdm import tqdm

    optimizer = torch.optim.Adam(
        model.parameters(), lr=lr, weight_decay=weight_decay, fused=True
    )
    options = [lr, weight_decay, batch_size, patience]
    about = _about(model, tissues, options) if checkpoint else {}
    state = _State(model, optimizer)
    if checkpoint and Path(checkpoint).exists():
        state.read(checkpoint, about, max_epochs)
    history = state.history
    seconds_before = history.seconds
    start = saved = time.perf_counter()
    if tissues.device.type == "cuda":
        gc.collect()  # Adam and its model refer to each other: earlier ones may linger
        torch.cuda.reset_peak_memory_stats(tissues.device)
    bar = tqdm(
        total=max_epochs,
        initial=history.epochs,
        unit="epoch",
        leave=False,
        disable=None if progress else True,
    )
    try:
        most = math.inf if patience is None else patience
        while history.epochs < max_epochs and state.waited < most:
            epoch = history.epochs
            loss = _one_epoch(model, tissues.train, optimizer, batch_size)
            require_finite(loss, "training", epoch, lr)
            result = _evaluate(model, val)
            require_finite(result.loss, "validation", epoch, lr)
            state.keep(loss, result, patience)
            now = time.perf_counter()
            history.seconds = seconds_before + now - start
            history.peak_memory = _peak_memory(tissues.device, history.peak_memory)
            if checkpoint and now - saved >= CHECKPOINT_EVERY:
                state.write(checkpoint, about)
                saved = now
            bar.update()
    finally:
        bar.close()
        if state.best is not None:
            model.load_state_dict(state.best)
        model.eval()
    return history


def _prepared(model: nn.Module, tissues: Tissues, batch_size: int) -> list[GraphData]:
    """The validation graphs in batches, once all has been checked."""
    if not isinstance(tissues, Tissues):
        raise TypeError(
            f"fit_graphs trains on Tissues, not on a {type(tissues).__name__}; for one "
            "graph with masks there is fit"
        )
    require_positive(tissues.val, "val")
    found = batches(tissues.val, batch_size)
    require_trainable(model)
    _logits(model, tissues.val[0])
    return found


def _about(model: nn.Module, tissues: Tissues, options: list) -> dict[str, object]:
    """What decides a training, and so must be the same where it goes on."""
    device = tissues.device.type
    return {
        "model": repr(model),
        "parameters": {n: list(p.shape) for n, p in model.named_parameters()},
        "data": f"{tissues!r}, {checksum(tissues.graphs)}",
        "options": options,
        "versions": f"gat_course {__version__}, torch {torch.__version__}",
        "device": device,
        # Sums over other threads differ in the last digit, and soon in more.
        "threads": torch.get_num_threads() if device == "cpu" else None,
    }


def _one_epoch(
    model: nn.Module,
    graphs: Sequence[GraphData],
    optimizer: torch.optim.Optimizer,
    batch_size: int,
) -> float:
    """Mean loss of the steps, each before its change of the parameters."""
    model.train()
    order = torch.randperm(len(graphs)).tolist()
    loss = 0.0
    for graph in batches([graphs[i] for i in order], batch_size):
        optimizer.zero_grad()
        step = F.binary_cross_entropy_with_logits(model(graph, graph.x), graph.y)
        require_gradient(model, step)
        step.backward()
        optimizer.step()
        loss += float(step.detach()) * graph.y.numel()
    return loss / sum(graph.y.numel() for graph in graphs)


class _State:
    """All that a training goes on from."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.model, self.optimizer = model, optimizer
        self.device = next(model.parameters()).device
        self.on_gpu = self.device.type == "cuda"
        self.history = GraphHistory()
        self.best_loss, self.best_f1, self.waited = float("inf"), -1.0, 0
        self.best: dict[str, object] | None = None

    def keep(self, loss: float, val: LabelEvaluation, patience: int | None) -> None:
        """Take note of an epoch, and of its parameters if they are the best."""
        history = self.history
        history.train_loss.append(loss)
        history.val_loss.append(val.loss)
        history.val_f1.append(val.f1)
        if patience is None:
            history.best_epoch = history.epochs - 1
            return
        better = val.f1 > self.best_f1
        if better:
            history.best_epoch = history.epochs - 1
            self.best = snapshot(self.model)
        self.waited = 0 if better or val.loss < self.best_loss else self.waited + 1
        self.best_loss = min(self.best_loss, val.loss)
        self.best_f1 = max(self.best_f1, val.f1)

    def write(self, path: str | os.PathLike, about: dict) -> None:
        content = {
            "about": about,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": asdict(self.history),
            "best": self.best,
            "stopping": [self.best_loss, self.best_f1, self.waited],
            "random": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if self.on_gpu else None,
        }
        with whole(path) as unfinished:
            torch.save(content, unfinished)

    def read(self, path: str | os.PathLike, about: dict, max_epochs: int) -> None:
        file = io.BytesIO(Path(path).read_bytes())
        try:
            with zipfile.ZipFile(file) as archive:  # PyTorch compares no checksums
                intact = archive.testzip() is None
            file.seek(0)
            content = torch.load(file, map_location="cpu", weights_only=True)
            found = dict(content["about"])
        except Exception as error:  # what a damaged file can raise is not documented
            raise ValueError(_damaged(path)) from error
        if not intact:
            raise ValueError(_damaged(path))
        different = [key for key in about if found.get(key) != about[key]]
        if different:
            there = {key: found.get(key) for key in different}
            here = {key: about[key] for key in different}
            values = ""
            if not {"model", "data"} & set(different):  # which are long
                values = f" (there {there}, here {here})"
            raise ValueError(
                f"{path} is the checkpoint of another training: its "
                f"{', '.join(different)} differs{values}. Move it away or choose "
                "another file"
            )
        try:
            self.model.load_state_dict(content["model"])
            self.optimizer.load_state_dict(content["optimizer"])
            self.history = GraphHistory(**content["history"])
            self.best_loss, self.best_f1, self.waited = content["stopping"]
            if content["best"] is not None:
                self.best = {
                    name: value.to(self.device) if isinstance(value, Tensor) else value
                    for name, value in content["best"].items()
                }
            torch.set_rng_state(content["random"])
            if self.on_gpu and content["cuda"] is not None:
                torch.cuda.set_rng_state(content["cuda"], self.device)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(_damaged(path)) from error
        if self.history.epochs > max_epochs:
            raise ValueError(
                f"{path} is already at epoch {self.history.epochs}, beyond max_epochs "
                f"= {max_epochs}; move it away or allow more epochs"
            )


def _damaged(path: str | os.PathLike) -> str:
    return (
        f"{path} is not a checkpoint, or a damaged one; move it away, and the run "
        "starts again from its beginning"
    )


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
