"""Training on some graphs for use on others: several labels a node (chapter 6).

Loss is the cross-entropy of each label, yes or no; the score is the micro-F1.
"""

import os
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course.graph import GraphData
from gat_course.graphs import Tissues, batch_graphs, require_labelled
from gat_course.intake import MASKS
from gat_course.training.history import GraphHistory, LabelEvaluation
from gat_course.training.loop import fit_task, predict, require_trainable
from gat_course.training.metrics import label_counts, micro_f1
from gat_course.training.record import GraphRun
from gat_course.training.tasks import Task

_PARTS = ("train", "val", "test")


def batches(graphs: Sequence[GraphData], batch_size: int) -> list[GraphData]:
    """The graphs in their order, `batch_size` of them in each batch."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    starts = range(0, len(graphs), batch_size)
    return [batch_graphs(graphs[i : i + batch_size]) for i in starts]


def evaluate_graphs(
    model: nn.Module,
    graphs: Sequence[GraphData],
    batch_size: int = 2,
    mask: str | None = None,
) -> LabelEvaluation:
    """Loss and micro-F1 of `model` over all nodes and labels of the graphs together.

    Args:
        model: called as `model(graph, x)`, returns logits `[N, L]`; its training mode
            is put back afterwards.
        graphs: with features `x` and labels `y`, 0.0 or 1.0, `[N, L]`.
        batch_size: graphs that are computed at a time.
        mask: "train_mask", "val_mask" or "test_mask" counts the nodes alone that are in
            this mask of their graph; None counts all.

    Returns:
        The `LabelEvaluation`; both numbers are NaN where the model's outputs are.

    Raises:
        TypeError: `graphs` is no sequence of graphs.
        ValueError: there is no graph, one lacks features, labels or the mask, no node
            is in it, the model returns no logit for each label or is on another device,
            or micro-F1 has no value. The message says what to do.

    >>> tissues = synthetic_tissues(num_graphs=(2, 1, 1), num_nodes=20)
    >>> model = InductiveGAT(tissues.num_features, tissues.num_labels, hidden=4)
    >>> 0 <= evaluate_graphs(model, tissues.test).f1 <= 1
    True
    """
    if isinstance(graphs, GraphData | Tissues):
        raise TypeError(
            f"graphs must be a list of graphs, got {type(graphs).__name__}; use "
            "[graph] for one, or tissues.test"
        )
    if mask not in (None, *MASKS):
        raise ValueError(
            f"mask must be one of {', '.join(MASKS)}, or None; got {mask!r}"
        )
    others = {name: None for name in MASKS if name != mask}
    for number, graph in enumerate(graphs):
        require_labelled(graph, number)
        if mask is not None and getattr(graph, mask) is None:
            raise ValueError(f"graph {number} ({graph.name}) has no {mask}")
    graphs = [replace(graph, **others) for graph in graphs]  # some may lack them
    return _evaluate(model, batches(graphs, batch_size), [mask])[0]


def require_positive(
    graphs: Sequence[GraphData], part: str, mask: str | None = None
) -> None:
    """Raise `ValueError` where no node has a label: there micro-F1 may be 0/0."""
    if not any(bool(_chosen(graph.y, graph, mask).any()) for graph in graphs):
        where = "" if mask is None else f" in its {mask}"
        raise ValueError(
            f"no node of the {part} graphs{where} has any label, so they have no "
            "micro-F1; choose other graphs"
        )


def _chosen(values: Tensor, graph: GraphData, mask: str | None) -> Tensor:
    """The rows `[N, L]` of all nodes, or of those in a mask."""
    return values if mask is None else values[getattr(graph, mask)]


def _evaluate(
    model: nn.Module, graphs: Sequence[GraphData], masks: Sequence[str | None]
) -> list[LabelEvaluation]:
    """One evaluation for each of the masks, from one look at the graphs."""
    if not graphs:
        raise ValueError("there is no graph to evaluate on")
    loss, size, counts = ([0] * len(masks) for _ in range(3))
    for graph in graphs:
        outputs = _logits(model, graph)
        for k, mask in enumerate(masks):
            logits, y = _chosen(outputs, graph, mask), _chosen(graph.y, graph, mask)
            total = F.binary_cross_entropy_with_logits(logits, y, reduction="sum")
            loss[k], size[k] = loss[k] + float(total), size[k] + y.numel()
            if not bool(logits.isnan().any()):  # else the loss says so
                counts[k] = counts[k] + label_counts(logits, y)
    for mask, of in zip(masks, size, strict=True):
        if not of:
            raise ValueError(f"no node of the graphs is in its {mask}")
    means = [total / of for total, of in zip(loss, size, strict=True)]
    return [
        LabelEvaluation(mean, micro_f1(found) if mean == mean else float("nan"))
        for mean, found in zip(means, counts, strict=True)
    ]


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
    model computes one graph. Where the graphs have masks, as after `gene_disjoint`,
    training keeps to each `train_mask` and validation to each `val_mask`.

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

    >>> tissues = synthetic_tissues(num_graphs=(2, 1, 1), num_nodes=20)
    >>> model = InductiveGAT(tissues.num_features, tissues.num_labels, hidden=4)
    >>> len(fit_graphs(model, tissues, max_epochs=2, progress=False).val_f1)
    2
    """
    if not isinstance(tissues, Tissues):
        raise TypeError(
            f"fit_graphs trains on Tissues, not on a {type(tissues).__name__}; for one "
            "graph with masks there is fit"
        )
    return fit_task(
        model,
        NodeLabels(tissues, batch_size=batch_size),
        lr=lr,
        weight_decay=weight_decay,
        max_epochs=max_epochs,
        patience=patience,
        checkpoint=checkpoint,
        progress=progress,
    )


class NodeLabels(Task, data=Tissues):
    """Graphs whose nodes have several labels each; a batch is some of the graphs.

    Where the graphs have masks, each part keeps to its own.
    """

    history, record, fit = GraphHistory, GraphRun, staticmethod(fit_graphs)
    resumable = True

    def __init__(self, tissues: Tissues, batch_size: int = 2, **_) -> None:
        super().__init__(tissues)
        self.batch_size, self.options = batch_size, {"batch_size": batch_size}
        masked = tissues.train[0].train_mask is not None
        self.masks = {p: f"{p}_mask" if masked else None for p in _PARTS}

    @property
    def num_outputs(self) -> int:
        return self.data.num_labels

    def describe(self, model: nn.Module, options: dict, threads: int) -> dict:
        found = super().describe(model, options, threads)
        return found | ({"masks": self.masks} if self.masks["train"] else {})

    def prepare(self, model: nn.Module) -> None:
        self._require_positive("val")
        self.trained = [
            graph
            for graph in self.data.train
            if len(_chosen(graph.y, graph, self.masks["train"]))
        ]
        if not self.trained:
            raise ValueError("no node of the training graphs is in its train_mask")
        self.val = batches(self.data.val, self.batch_size)
        require_trainable(model)
        _logits(model, self.data.val[0])

    def batches(self) -> list[tuple[GraphData, int]]:
        order = torch.randperm(len(self.trained)).tolist()
        cut = batches([self.trained[i] for i in order], self.batch_size)
        return [(batch, self._trained(batch.y, batch).numel()) for batch in cut]

    def loss(self, model: nn.Module, batch: GraphData) -> Tensor:
        logits = self._trained(model(batch, batch.x), batch)
        labels = self._trained(batch.y, batch)
        return F.binary_cross_entropy_with_logits(logits, labels)

    def _trained(self, values: Tensor, batch: GraphData) -> Tensor:
        return _chosen(values, batch, self.masks["train"])

    def validate(self, model: nn.Module) -> LabelEvaluation:
        return self._evaluate(model, "val", self.val)

    def _evaluate(
        self, model: nn.Module, part: str, graphs: list[GraphData]
    ) -> LabelEvaluation:
        """Of all nodes, or of those that are hidden, with the score of those seen."""
        masks = [self.masks[part]]
        if masks[0] and any(graph.y[graph.train_mask].any() for graph in graphs):
            masks.append(self.masks["train"])
        found, *seen = _evaluate(model, graphs, masks)
        if seen and seen[0].loss != seen[0].loss:
            return seen[0]  # NaN, of which the loss must tell
        return replace(found, seen_f1=seen[0].f1) if seen else found

    def judge(
        self, val: LabelEvaluation, best_loss: float, best_score: float
    ) -> tuple[bool, bool]:
        kept = val.score > best_score
        return kept, kept or val.loss < best_loss

    def require_scores(self) -> None:
        self._require_positive("val")
        self._require_positive("test")

    def _require_positive(self, part: str) -> None:
        require_positive(getattr(self.data, part), part, self.masks[part])

    def scores(self, model: nn.Module) -> dict[str, float | None]:
        val, test = (
            self._evaluate(
                model, part, batches(getattr(self.data, part), self.batch_size)
            )
            for part in ("val", "test")
        )
        return {"val_f1": val.f1, "test_f1": test.f1, "seen_f1": test.seen_f1}
