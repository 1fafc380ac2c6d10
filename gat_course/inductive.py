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
from gat_course.tissues import Tissues, batch_graphs
from gat_course.training import require_finite

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
        graphs: with features `x` and labels `y` `[N, L]`.
        batch_size: graphs that are computed at a time.

    Returns:
        The `LabelEvaluation`; both numbers are NaN where the model's outputs are.

    Raises:
        ValueError: there is no graph, or micro-F1 has no value.
    """
    return _evaluate(model, batches(graphs, batch_size))


def require_positive(graphs: Sequence[GraphData], part: str) -> None:
    """Raise `ValueError` where no node has a label: there micro-F1 may be 0/0."""
    if not any(bool(graph.y.any()) for graph in graphs):
        raise ValueError(
            f"no node of the {part} graphs has any label, so they have no micro-F1; "
            "choose other graphs"
        )


@torch.no_grad()
def _evaluate(model: nn.Module, graphs: Sequence[GraphData]) -> LabelEvaluation:
    if not graphs:
        raise ValueError("there is no graph to evaluate on")
    was_training = model.training
    model.eval()
    loss, size, counts = 0.0, 0, 0
    try:
        for graph in graphs:
            logits = model(graph, graph.x)
            total = F.binary_cross_entropy_with_logits(logits, graph.y, reduction="sum")
            loss, size = loss + float(total), size + graph.y.numel()
            if not bool(logits.isnan().any()):  # else the loss says so
                counts = counts + label_counts(logits, graph.y)
    finally:
        model.train(was_training)
    mean = loss / size
    return LabelEvaluation(mean, micro_f1(counts) if mean == mean else float("nan"))


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
    are not looked at.

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
            random numbers included. If it is there, training goes on from it.
        progress: show a progress bar.

    Returns:
        The `GraphHistory`.

    Raises:
        ValueError: a number makes no sense, or `checkpoint` is damaged, or belongs to
            another model, other data, options or versions, or is beyond `max_epochs`.
            Or no node of the validation graphs has a label.
        FloatingPointError: a loss became NaN or infinite; the message names the epoch.
            With `patience`, `model` then holds the best parameters so far.

    Source: Veličković et al., ICLR 2018, section 3.3.
    """
    if max_epochs < 1 or (patience is not None and patience < 1):
        raise ValueError(
            f"max_epochs and patience must be at least 1, got {max_epochs}, {patience}"
        )
    require_positive(tissues.val, "val")
    val = batches(tissues.val, batch_size)
    from tqdm import tqdm

    optimizer = torch.optim.Adam(
        model.parameters(), lr=lr, weight_decay=weight_decay, fused=True
    )
    state, about = _State(model, optimizer), {}
    if checkpoint:
        about = {
            "model": repr(model),
            "parameters": {n: list(p.shape) for n, p in model.named_parameters()},
            "data": f"{tissues!r}, {checksum(tissues.graphs)}",
            "options": [lr, weight_decay, batch_size, patience],
            "versions": f"gat_course {__version__}, torch {torch.__version__}",
        }
        if Path(checkpoint).exists():
            state.read(checkpoint, about)
    history = state.history
    if history.epochs > max_epochs:
        raise ValueError(
            f"{checkpoint} is already at epoch {history.epochs}, beyond max_epochs = "
            f"{max_epochs}; move it away or allow more epochs"
        )
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
        self.best: dict[str, Tensor] | None = None

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
            parameters = self.model.state_dict().items()
            self.best = {name: value.clone() for name, value in parameters}
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

    def read(self, path: str | os.PathLike, about: dict) -> None:
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
            raise ValueError(
                f"{path} is the checkpoint of another training: its "
                f"{', '.join(different)} differs. Move it away or choose another file"
            )
        try:
            self.model.load_state_dict(content["model"])
            self.optimizer.load_state_dict(content["optimizer"])
            self.history = GraphHistory(**content["history"])
            self.best_loss, self.best_f1, self.waited = content["stopping"]
            if content["best"] is not None:
                self.best = {k: v.to(self.device) for k, v in content["best"].items()}
            torch.set_rng_state(content["random"])
            if self.on_gpu and content["cuda"] is not None:
                torch.cuda.set_rng_state(content["cuda"], self.device)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(_damaged(path)) from error


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
