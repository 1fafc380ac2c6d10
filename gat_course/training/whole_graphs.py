"""Training on graphs that have one answer each, a class or a number (chapters 7, 8)."""

import os
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course import intake
from gat_course.graph import GraphData
from gat_course.graph_sets import GraphSet
from gat_course.graphs import batch_graphs, digest
from gat_course.training.history import Curves, Evaluation, NumberEvaluation
from gat_course.training.loop import fit_task, predict, require_trainable
from gat_course.training.record import NumberRun, Run
from gat_course.training.tasks import Task


def evaluate_set(
    model: nn.Module,
    data: GraphSet,
    graphs: Tensor | Sequence[int],
    batch_size: int = 128,
) -> Evaluation | NumberEvaluation:
    """Loss and score of `model` on some of the graphs, with dropout off.

    Args:
        model: called as `model(graph, x)` on a batch of graphs, returns logits `[G, C]`
            or numbers `[G, 1]`; its training mode is put back afterwards.
        data: the graphs and their answers.
        graphs: numbers of those to measure, such as `data.test`.
        batch_size: graphs that are computed at a time.

    Returns:
        Cross-entropy in nats and accuracy in percent; of numbers the mean squared error
        and its root, RMSE, in the answers' unit.

    Raises:
        TypeError: `graphs` does not hold whole numbers.
        ValueError: no graph is chosen or there is none of that number, `batch_size` is
            below 1, or the model returns something else.

    >>> data = synthetic_molecules(num_graphs=30)
    >>> model = GraphNetwork(data.num_features, 1, hidden=4)
    >>> evaluate_set(model, data, data.test).rmse > 0
    True
    """
    chosen = intake.numbers("graphs", graphs, torch.device("cpu")).cpu()
    inside = (chosen >= 0) & (chosen < len(data.graphs))
    if chosen.dim() != 1 or not len(chosen) or not bool(inside.all()):
        raise ValueError(
            f"graphs must list numbers of graphs, 0 to {len(data.graphs) - 1}, at "
            "least one, such as data.test"
        )
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    chosen = chosen.tolist()
    outputs = []
    for start in range(0, len(chosen), batch_size):
        batch = _batch(data, chosen[start : start + batch_size])
        outputs.append(_outputs(model, batch, data))
    outputs, y = torch.cat(outputs), data.y[chosen]
    if data.has_numbers:
        squared = float((outputs[:, 0] - y).double().square().mean())
        return NumberEvaluation(squared, squared**0.5)
    right = (outputs.argmax(dim=1) == y).double().mean()
    return Evaluation(float(F.cross_entropy(outputs, y)), 100 * float(right))


def _batch(data: GraphSet, numbers: list[int]) -> GraphData:
    return batch_graphs([data.graphs[i] for i in numbers])


def _outputs(model: nn.Module, batch: GraphData, data: GraphSet) -> Tensor:
    """`[G, C]`, with dropout off and without gradients; the mode is put back."""
    found = predict(model, batch)
    number, wanted = batch.num_graphs, data.num_classes
    told = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
    if not isinstance(found, Tensor) or found.dim() != 2 or len(found) != number:
        raise ValueError(
            f"{type(model).__name__} returns {told}, but a batch of {number} graphs "
            f"needs a row for each: [{number}, {wanted}]. It must end with a readout"
        )
    width = found.shape[1]
    if width < wanted or (data.has_numbers and width > 1):
        what = "a number" if data.has_numbers else f"at least {wanted} logits"
        raise ValueError(
            f"{type(model).__name__} returns {told}; {data.name} needs {what} for each "
            "graph"
        )
    return found


def fit_set(
    model: nn.Module,
    data: GraphSet,
    *,
    lr: float = 0.001,
    weight_decay: float = 0.0,
    batch_size: int = 32,
    max_epochs: int = 200,
    patience: int | None = 30,
    checkpoint: str | os.PathLike | None = None,
    progress: bool = True,
) -> Curves:
    """Train on graphs with an answer each; leaves the best parameters in `model`.

    Each epoch goes through the training graphs once, in random order, `batch_size` of
    them to a step of Adam. The loss is the cross-entropy of the classes, or the mean
    squared error of the numbers. Training stops when the validation loss has had no new
    best value for `patience` epochs; the parameters of its best epoch are kept. The
    model comes back in evaluation mode. The test graphs are not looked at.

    Args:
        model: called as `model(graph, x)` on a batch of graphs, returns logits `[G, C]`
            or numbers `[G, 1]`.
        data: the graphs, on the model's device.
        lr, weight_decay, max_epochs, patience, checkpoint, progress: as for
            `fit_graphs`.
        batch_size: graphs in a step.

    Returns:
        The `Curves`; `val_score` is accuracy in percent, or RMSE.

    Raises:
        TypeError: `data` is no `GraphSet`.
        ValueError: a number makes no sense, the model returns something else or is on
            another device, no parameter requires a gradient, or `checkpoint` does not
            fit, as for `fit_graphs`.
        FloatingPointError: a loss became NaN or infinite.

    >>> data = synthetic_molecules(num_graphs=30)
    >>> model = GraphNetwork(data.num_features, 1, hidden=4)
    >>> fit_set(model, data, max_epochs=2, progress=False).epochs
    2
    """
    if not isinstance(data, GraphSet):
        raise TypeError(f"fit_set trains on a GraphSet, not on {type(data).__name__}")
    return fit_task(
        model,
        GraphAnswers(data, batch_size=batch_size),
        lr=lr,
        weight_decay=weight_decay,
        max_epochs=max_epochs,
        patience=patience,
        checkpoint=checkpoint,
        progress=progress,
    )


class GraphAnswers(Task, data=GraphSet):
    """Graphs that have a class or a number each."""

    history, record, fit = Curves, Run, staticmethod(fit_set)
    resumable = True

    def __init__(self, data: GraphSet, batch_size: int = 32, **_) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        super().__init__(data)
        self.batch_size, self.options = batch_size, {"batch_size": batch_size}
        if data.has_numbers:
            self.record = NumberRun

    def describe(self, model: nn.Module, options: dict, threads: int) -> dict:
        found = super().describe(model, options, threads)
        data = self.data
        return found | {"answers": digest([data.y, data.train, data.val, data.test])}

    def prepare(self, model: nn.Module) -> None:
        require_trainable(model)
        _outputs(model, _batch(self.data, self.data.train[:2].tolist()), self.data)

    def batches(self) -> list[tuple[list[int], int]]:
        train = self.data.train
        order = train[torch.randperm(len(train))].tolist()
        size = self.batch_size
        cut = [order[i : i + size] for i in range(0, len(order), size)]
        return [(numbers, len(numbers)) for numbers in cut]

    def loss(self, model: nn.Module, batch: list[int]) -> Tensor:
        graph, y = _batch(self.data, batch), self.data.y[batch]
        outputs = model(graph, graph.x)
        if self.data.has_numbers:
            return F.mse_loss(outputs[:, 0], y)
        return F.cross_entropy(outputs, y)

    def validate(self, model: nn.Module) -> Evaluation | NumberEvaluation:
        return evaluate_set(model, self.data, self.data.val)

    def judge(
        self,
        val: Evaluation | NumberEvaluation,
        best_loss: float,
        best_score: float,
    ) -> tuple[bool, bool]:
        return val.loss < best_loss, val.loss < best_loss

    def require_scores(self) -> None:
        """A `GraphSet` has test graphs."""

    def scores(self, model: nn.Module) -> dict[str, float]:
        name = "rmse" if self.data.has_numbers else "accuracy"
        parts = {"val": self.data.val, "test": self.data.test}
        return {
            f"{part}_{name}": evaluate_set(model, self.data, graphs).score
            for part, graphs in parts.items()
        }
