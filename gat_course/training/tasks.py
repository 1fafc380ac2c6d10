"""The seam between training and data: what the loop and `run_seeds` ask of each kind.

`NodeClasses` (one_graph.py) and `NodeLabels` (many_graphs.py) answer here; a task with
a label for each whole graph is one more class of this kind.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from gat_course.graph import GraphData
from gat_course.graphs import checksum
from gat_course.training.history import Curves, Evaluation, LabelEvaluation

if TYPE_CHECKING:
    from gat_course.training.record import Run

_KINDS: dict[type, type[Task]] = {}
_named = attrgetter("__module__", "__qualname__")


class Task(ABC):
    """One kind of data together with what there is to learn from it.

    A subclass says which data it is for, `class NodeClasses(Task, data=GraphData)`, and
    is then found by `task_of`.

    Args:
        data: the data: one graph, or something that has `graphs`, whose fields alone
            are in the checksum; with `device` and a `repr` that tells its sizes.
        **options: options of `fit`. What a task needs of them it keeps in `options`.
    """

    history: ClassVar[type[Curves]]
    record: ClassVar[type[Run]]  # `Run`, or `GraphRun`
    fit: ClassVar[Callable[..., Curves]]  # called as fit(model, data, **options)
    resumable: ClassVar[bool] = False  # whether `fit` takes a `checkpoint`
    writes = True  # whether this process writes it; of several, one does

    def __init_subclass__(cls, data: type | None = None) -> None:
        if data is not None:
            before = _KINDS.setdefault(data, cls)
            if _named(before) != _named(cls):
                raise TypeError(f"{data.__name__} has a task already: {before}")
            _KINDS[data] = cls  # a cell that is run again

    def __init__(self, data, **options) -> None:
        self.data, self.options = data, {}
        self.graphs: Sequence[GraphData] = getattr(data, "graphs", (data,))

    @abstractmethod
    def prepare(self, model: nn.Module) -> None:
        """Raise before the first epoch what would be raised in it; cut batches."""

    @abstractmethod
    def batches(self) -> Sequence[tuple[GraphData, int]]:
        """What one epoch goes through, each with how many numbers its loss averages."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: GraphData) -> Tensor:
        """Mean loss of a batch, in nats."""

    @abstractmethod
    def validate(self, model: nn.Module) -> Evaluation | LabelEvaluation:
        """Loss and score on the validation data, with dropout off."""

    @abstractmethod
    def judge(
        self, val: Evaluation | LabelEvaluation, best_loss: float, best_score: float
    ) -> tuple[bool, bool]:
        """Whether to keep the parameters, and whether patience starts anew."""

    @abstractmethod
    def require_scores(self) -> None:
        """Raise before the first run where `scores` could not test the model."""

    @abstractmethod
    def scores(self, model: nn.Module) -> dict[str, float | None]:
        """The trained model's scores for its record; test data are looked at once.

        None stands for a score that the data do not have.
        """

    @property
    def num_outputs(self) -> int:
        """How many numbers a model is to return for each thing that it labels."""
        return self.data.num_classes

    def run(self, seed: int, model: nn.Module, history: Curves) -> Run:
        """The record of a finished training.

        Raises:
            FloatingPointError: a score is NaN or infinite.
        """
        found = self.scores(model)
        if not all(math.isfinite(s) for s in found.values() if s is not None):
            raise FloatingPointError(
                f"seed {seed}: the outputs for the test data are NaN or infinite; look "
                "for extreme features there"
            )
        names = {field.name for field in fields(self.record)} - found.keys()
        told = {"seed": seed, "model": model, "history": history, "notes": {}}
        told |= {name: getattr(history, name) for name in names - told.keys()}
        return self.record(**found, **told)

    def describe(self, model: nn.Module, options: dict, threads: int) -> dict:
        """What decides a training besides its seed, in plain values.

        Sums over other threads differ in the last digit, and after some epochs in more;
        on a GPU their number decides nothing.
        """
        device = self.data.device.type
        return {
            "model": repr(model),
            "parameters": {n: list(p.shape) for n, p in model.named_parameters()},
            "graph": repr(self.data),
            "data": checksum(self.graphs),
            "options": options,
            "device": device,
            "threads": threads if device == "cpu" else None,
        }


def task_of(data: object, options: dict | None = None) -> Task:
    """The task for this kind of data.

    Args:
        data: a `GraphData` with masks, `Tissues`, or other data that has a `Task`.
        options: options of `fit`; a task takes its own from them.

    Raises:
        TypeError: there is no task for such data.
    """
    for kind in type(data).__mro__:
        if kind in _KINDS:
            return _KINDS[kind](data, **(options or {}))
    names = " or ".join(sorted(kind.__name__ for kind in _KINDS))
    raise TypeError(f"training takes {names}, not {type(data).__name__}")
