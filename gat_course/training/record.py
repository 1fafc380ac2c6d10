"""Records of finished runs: in memory, and in a file that is whole at every moment."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import ClassVar

from torch import nn

from gat_course.files import sweep, write_json
from gat_course.training.history import Curves, GraphHistory, History
from gat_course.training.metrics import ACCURACY, AUC, MICRO_F1, RMSE, Metric


@dataclass
class Run:
    """One training run: accuracies in percent (the test's is the score), seconds.

    `notes` is what `look` of `run_seeds` gave. `history` and `model` are there for runs
    of this session and None for runs that were read back from a file.
    """

    seed: int
    test_accuracy: float
    val_accuracy: float
    epochs: int
    best_epoch: int
    seconds: float
    notes: dict = field(default_factory=dict, repr=False)
    history: History | None = field(default=None, repr=False)
    model: nn.Module | None = field(default=None, repr=False)

    metric: ClassVar[Metric] = ACCURACY
    score = property(attrgetter("test_accuracy"))


@dataclass
class GraphRun:
    """One training run on `Tissues`: micro-F1 from 0 to 1 (the test's is the score).

    `seen_f1` is that of the nodes of the test graphs whose genes were trained on, where
    `gene_disjoint` tells them apart; the other two are then of hidden genes alone.
    `seconds`, `notes`, `history` and `model` as for `Run`; `peak_memory` as for
    `Curves`.
    """

    seed: int
    test_f1: float
    val_f1: float
    epochs: int
    best_epoch: int
    seconds: float
    peak_memory: int | None = None
    seen_f1: float | None = None
    notes: dict = field(default_factory=dict, repr=False)
    history: GraphHistory | None = field(default=None, repr=False)
    model: nn.Module | None = field(default=None, repr=False)

    metric: ClassVar[Metric] = MICRO_F1
    score = property(attrgetter("test_f1"))


@dataclass
class NumberRun:
    """One training run on graphs with a number each: RMSE in its unit, lower is better.

    `seconds`, `notes`, `history` and `model` as for `Run`.
    """

    seed: int
    test_rmse: float
    val_rmse: float
    epochs: int
    best_epoch: int
    seconds: float
    notes: dict = field(default_factory=dict, repr=False)
    history: Curves | None = field(default=None, repr=False)
    model: nn.Module | None = field(default=None, repr=False)

    metric: ClassVar[Metric] = RMSE
    score = property(attrgetter("test_rmse"))


@dataclass
class LinkRun:
    """One training run on links: AUC (the test's is the score) and hits, in percent.

    `seconds`, `notes`, `history` and `model` as for `Run`.
    """

    seed: int
    test_auc: float
    test_hits: float
    val_auc: float
    epochs: int
    best_epoch: int
    seconds: float
    notes: dict = field(default_factory=dict, repr=False)
    history: Curves | None = field(default=None, repr=False)
    model: nn.Module | None = field(default=None, repr=False)

    metric: ClassVar[Metric] = AUC
    score = property(attrgetter("test_auc"))


# Which record a file holds: each has a score that no other has.
_RECORDS = {
    "test_accuracy": Run,
    "test_f1": GraphRun,
    "test_rmse": NumberRun,
    "test_auc": LinkRun,
}


class Runs(list[Run | GraphRun | NumberRun | LinkRun]):
    """Finished runs of one model, one per seed."""

    @property
    def scores(self) -> list[float]:
        """Of each run test accuracy in percent, or micro-F1 on the test graphs."""
        return [run.score for run in self]

    @property
    def test_accuracies(self) -> list[float]:
        """`scores` of runs on one graph: test accuracies, in percent."""
        return [run.test_accuracy for run in self]

    @property
    def mean(self) -> float:
        """Mean of the scores."""
        return statistics.mean(self.scores)

    @property
    def std(self) -> float:
        """Standard deviation of the scores (n - 1); NaN for one run."""
        return statistics.stdev(self.scores) if len(self) > 1 else float("nan")

    def __str__(self) -> str:
        if not self:
            return "no runs"
        metric = self[0].metric
        unit = f" {metric.unit}".rstrip()
        return f"{metric.write(self.mean, self.std)}{unit} ({len(self)} seeds)"


class RunFile:
    """Finished runs of one experiment, in `path`, and checkpoints of others beside it.

    Args:
        path: the JSON file.
        about: what decides the runs besides their seeds; see `run_seeds`.
        resumable: whether a run that is not finished keeps a checkpoint.
    """

    def __init__(self, path: str | os.PathLike, about: dict, resumable: bool) -> None:
        self.path, self.about, self.resumable = Path(path), about, resumable

    def read(self, seeds: Collection[int]) -> dict[int, Run | GraphRun]:
        """The finished runs, by seed; what killed processes left is cleared away.

        Raises:
            ValueError: the file holds runs of another experiment, or lacks some of the
                seeds and does not say with how many threads and on which device the
                others were made.
        """
        if not self.path.exists():
            sweep(self.path)
            return {}
        found, runs = read_file(self.path)
        unknown = [key for key in ("device", "threads") if key not in found]
        may_differ = {"command", "machine", *unknown}
        keys = [key for key in {**self.about, **found} if key not in may_differ]
        different = [key for key in keys if found.get(key) != self.about.get(key)]
        if different:
            raise ValueError(
                f"{self.path} holds runs of another experiment: its "
                f"{', '.join(different)} differs (there {found.get(different[0])!r}, "
                f"here {self.about.get(different[0])!r}). Choose another path"
            )
        if unknown and set(seeds) - {run.seed for run in runs}:
            values = {key: json.dumps(self.about[key]) for key in unknown}
            told = ", ".join(f'"{key}": {value}' for key, value in values.items())
            raise ValueError(
                f"{self.path} does not say on which {' and '.join(unknown)} its runs "
                "were made, as files of earlier versions do not, so no more can be "
                "added to them. Choose another path or, if you know that it was so, "
                f'write {told} into its "about"'
            )
        sweep(self.path)
        for run in runs:
            self._clear(run.seed)
        return {run.seed: run for run in runs}

    def checkpoint(self, seed: int) -> dict[str, Path]:
        """Where the run of a seed keeps its state, as an option of its `fit`."""
        if not self.resumable:
            return {}
        name = f"{self.path.stem}-seed{seed}.checkpoint"
        return {"checkpoint": self.path.with_name(name)}

    def write(self, runs: Mapping[int, Run | GraphRun], seed: int) -> None:
        """Store all runs, of which that of `seed` is new: its checkpoint goes."""
        records = []
        for number in sorted(runs):
            record = asdict(replace(runs[number], history=None, model=None))
            del record["history"], record["model"]
            for name in ("seen_f1", "notes"):
                if record.get(name) in (None, {}):
                    record.pop(name, None)
            records.append(record)
        write_json(self.path, {"about": self.about, "runs": records})
        self._clear(seed)

    def _clear(self, seed: int) -> None:
        for checkpoint in self.checkpoint(seed).values():
            checkpoint.unlink(missing_ok=True)
            sweep(checkpoint)


def read_file(path: str | os.PathLike) -> tuple[dict, Runs]:
    """What `run_seeds` wrote to `path`.

    Returns:
        What the file says of the experiment, and its `Runs`, in order of their seeds.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a file of runs.
    """
    try:
        stored = json.loads(Path(path).read_text(encoding="utf-8"))
        about = dict(stored["about"])
        kinds = [
            next((k for key, k in _RECORDS.items() if key in run), Run)
            for run in stored["runs"]
        ]
        return about, Runs(k(**r) for k, r in zip(kinds, stored["runs"], strict=True))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not a file of runs ({error}); move it away or choose another "
            "path"
        ) from error


def distinct(seeds: Iterable[int]) -> list[int]:
    """The seeds as a list.

    Raises:
        ValueError: there is none, or one twice.
    """
    seeds = [int(seed) for seed in seeds]
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must be different numbers, at least one; got {seeds}")
    return seeds
