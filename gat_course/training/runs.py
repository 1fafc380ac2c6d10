"""Training over several seeds, in several processes, each run kept (from chapter 4 on).

`run_seeds` trains one model, `compare` several, on one graph with masks (`fit`) or on
`Tissues` (`fit_graphs`).
"""

import inspect
import json
import math
import os
import signal
import statistics
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from gat_course.files import alone, sweep, write_json
from gat_course.graph import GraphData, checksum
from gat_course.graphs import Tissues
from gat_course.training.many_graphs import (
    GraphHistory,
    evaluate_graphs,
    fit_graphs,
    require_positive,
)
from gat_course.training.one_graph import History, evaluate, fit, require_labels


@dataclass
class Run:
    """One training run: accuracies in percent, time in seconds.

    `history` and `model` are there for runs of this session and None for runs that
    were read back from a file.
    """

    seed: int
    test_accuracy: float
    val_accuracy: float
    epochs: int
    best_epoch: int
    seconds: float
    history: History | None = field(default=None, repr=False)
    model: nn.Module | None = field(default=None, repr=False)

    look: ClassVar[str] = "{:.1f} ± {:.1f} %"

    @property
    def score(self) -> float:
        """Test accuracy in percent."""
        return self.test_accuracy


@dataclass
class GraphRun:
    """One training run on `Tissues`: micro-F1 from 0 to 1, seconds, memory in bytes.

    `peak_memory` is explained at `GraphHistory`; `history` and `model` as for `Run`.
    """

    seed: int
    test_f1: float
    val_f1: float
    epochs: int
    best_epoch: int
    seconds: float
    peak_memory: int | None = None
    history: GraphHistory | None = field(default=None, repr=False)
    model: nn.Module | None = field(default=None, repr=False)

    look: ClassVar[str] = "{:.3f} ± {:.3f}"

    @property
    def score(self) -> float:
        """Micro-F1 on the test graphs."""
        return self.test_f1


class Runs(list[Run | GraphRun]):
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
        look = self[0].look.format(self.mean, self.std)
        return f"{look} ({len(self)} seeds)"


def run_seeds(
    make_model: Callable[[], nn.Module],
    graph: GraphData | Tissues,
    seeds: Iterable[int],
    *,
    workers: int = 1,
    threads: int | None = None,
    path: str | os.PathLike | None = None,
    about: Mapping | None = None,
    keep_models: bool = True,
    progress: bool = True,
    **fit_options,
) -> Runs:
    """Train a fresh model for each seed and test it once.

    Args:
        make_model: builds a model; called after the seed is set, so that initial
            parameters and dropout depend on the seed alone.
        graph: a graph with features, labels and the three masks, or `Tissues`.
        seeds: the random seeds.
        workers: processes that train side by side; useful on a CPU with several
            cores. Leave it at 1 on a GPU.
        threads: of each run; by default one if there are several workers, else those
            that PyTorch uses now. With the number fixed, no run depends on `workers`.
        path: a JSON file that receives every finished run at once. Runs found there
            are not repeated, so an interrupted experiment goes on where it stopped:
            with the same model, data and options, on the same kind of device and, on
            a CPU, with the same `threads`; `workers` and seeds may be others. On
            `Tissues` a run that is not finished goes on too, from a checkpoint beside
            the file.
        about: what else the file at `path` says of the experiment, plain values by
            name. They must not differ either, except for "command" and "machine".
        keep_models: False leaves `model` None in every run, so that many models do
            not fill the memory of a GPU.
        progress: show a progress bar; it counts the runs found in `path` as well.
        **fit_options: handed to `fit`, or to `fit_graphs` for `Tissues`.

    Returns:
        The finished `Runs`, in the order of `seeds`. Interrupting from the keyboard
        returns those that are finished, with a warning.

    Raises:
        ValueError: no seeds or a seed twice, no workers, labels or masks are missing,
            `checkpoint` is among the options, another process is writing `path`, or
            `path` holds runs of another model, other data, options, threads or device,
            or says otherwise than `about`, or lacks some of the runs and does not say
            with how many threads and on which device the others were made.
        FloatingPointError: a run diverged; the finished runs are in `path`, and in
            the error's attribute `finished`.
    """
    seeds = _distinct(seeds)
    _require_data(graph)
    _require_no_checkpoint(fit_options)
    threads = _threads(workers, threads)
    with alone(path) if path else nullcontext():
        finished = {}
        if path:
            about = _describe(make_model, graph, fit_options, threads, about or {})
            finished = {run.seed: run for run in _read_runs(path, about, seeds)}
        tasks = [
            ("", make_model, graph, seed, fit_options | _checkpoint(graph, path, seed))
            for seed in seeds
            if seed not in finished
        ]

        if path:
            sweep(path)
        for seed in finished:  # a process may have been killed before it cleared up
            _clear(graph, path, seed)

        def keep(_: str, run: Run | GraphRun) -> None:
            finished[run.seed] = run
            if not keep_models:
                run.model = None
            if path:
                _write_runs(path, about, [finished[seed] for seed in sorted(finished)])
                _clear(graph, path, run.seed)

        def in_order() -> Runs:
            return Runs(finished[seed] for seed in seeds if seed in finished)

        found = len(seeds) - len(tasks)
        _train_all(tasks, keep, in_order, workers, threads, progress, found)
        return in_order()


def compare(
    experiments: Mapping[str, Mapping],
    seeds: Iterable[int],
    *,
    workers: int = 1,
    progress: bool = True,
    **fit_options,
) -> dict[str, Runs]:
    """Train several models, or one under several conditions, over the same seeds.

    All runs of all experiments share the workers, so that none waits for the others.

    Args:
        experiments: for each name `{"make_model": ..., "graph": ...}`, as for
            `run_seeds`, and options of the training that are this experiment's own.
        seeds: the random seeds.
        workers: as for `run_seeds`.
        progress: show a progress bar.
        **fit_options: handed to `fit` or `fit_graphs` in all experiments.

    Returns:
        The `Runs` of each name, in the order of `experiments` and of `seeds`.

    Raises:
        ValueError: as `run_seeds`, or an experiment lacks its model or graph.
        FloatingPointError: a run diverged; the error's attribute `finished` holds
            what is returned otherwise.
    """
    seeds = _distinct(seeds)
    tasks = []
    for name, experiment in experiments.items():
        own = dict(experiment)
        missing = {"make_model", "graph"} - own.keys()
        if missing:
            raise ValueError(f"experiment {name!r} lacks {', '.join(sorted(missing))}")
        make_model, graph = own.pop("make_model"), own.pop("graph")
        _require_data(graph)
        options = {**fit_options, **own}
        _require_no_checkpoint(options)
        tasks += [(name, make_model, graph, seed, options) for seed in seeds]
    finished = {}

    def keep(name: str, run: Run | GraphRun) -> None:
        finished[name, run.seed] = run

    def in_order() -> dict[str, Runs]:
        return {
            name: Runs(finished[name, s] for s in seeds if (name, s) in finished)
            for name in experiments
        }

    threads = _threads(workers, None)
    _train_all(tasks, keep, in_order, workers, threads, progress)
    return in_order()


def _require_data(data: GraphData | Tissues) -> None:
    """Raise before the first run what would be raised after it."""
    if isinstance(data, GraphData):
        require_labels(data, data.test_mask, "test_mask")
    else:
        require_positive(data.val, "val")
        require_positive(data.test, "test")


def _require_no_checkpoint(options: Mapping) -> None:
    """Raise where one file would serve all seeds: each would take it for its own."""
    if "checkpoint" in options:
        raise ValueError(
            "checkpoint is the file of one run, not of several seeds; hand path to "
            "run_seeds, which keeps one for each"
        )


def _checkpoint(
    data: GraphData | Tissues, path: str | os.PathLike | None, seed: int
) -> dict[str, Path]:
    """Where the run of a seed keeps its state, as an option of `fit_graphs`."""
    if path is None or isinstance(data, GraphData):
        return {}
    path = Path(path)
    return {"checkpoint": path.with_name(f"{path.stem}-seed{seed}.checkpoint")}


def _clear(
    data: GraphData | Tissues, path: str | os.PathLike | None, seed: int
) -> None:
    """Remove the checkpoint of a finished run, unfinished ones as well."""
    for checkpoint in _checkpoint(data, path, seed).values():
        checkpoint.unlink(missing_ok=True)
        sweep(checkpoint)


def _distinct(seeds: Iterable[int]) -> list[int]:
    seeds = [int(seed) for seed in seeds]
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must be different numbers, at least one; got {seeds}")
    return seeds


def _threads(workers: int, threads: int | None) -> int:
    """How many threads each run has."""
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if threads is None:
        return 1 if workers > 1 else torch.get_num_threads()
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    return threads


def _train_all(
    tasks: list[tuple],
    keep: Callable[[str, Run | GraphRun], None],
    finished: Callable,
    workers: int,
    threads: int,
    progress: bool,
    found: int = 0,
) -> None:
    """Run all tasks on the workers and hand each finished run to `keep`.

    `found` runs more were finished before; the progress bar counts them.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    threads_before = torch.get_num_threads()
    jobs = Parallel(n_jobs=workers, return_as="generator_unordered")(
        delayed(_run_beside)(os.getpid(), *task, threads)
        if workers > 1
        else delayed(_run_one)(*task, threads)
        for task in tasks
    )
    disable = None if progress else True
    done = 0
    bar = tqdm(
        total=found + len(tasks),
        initial=found,
        unit="run",
        leave=False,
        disable=disable,
    )
    with bar:
        try:
            for name, run in jobs:
                keep(name, run)
                done += 1
                bar.update()
        except KeyboardInterrupt:
            if not done:
                raise
            warnings.warn(
                f"interrupted: {done} of {len(tasks)} runs are finished and returned",
                stacklevel=3,
            )
        except FloatingPointError as error:
            error.finished = finished()
            raise
        finally:
            torch.set_num_threads(threads_before)


def _run_beside(parent: int, *task) -> tuple[str, Run | GraphRun]:
    """`_run_one`; a worker leaves Ctrl-C to its parent, and ends where that is gone.

    Otherwise the worker of a parent that was killed would go on training, beside the
    one that goes on from its checkpoint. (On Windows it does.)
    """
    with suppress(ValueError):  # not the main thread, which alone hears signals
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    done = threading.Event()
    if os.getppid() == parent:  # on Windows, or in a thread, it may be another
        watch = threading.Thread(target=_end_with, args=(parent, done), daemon=True)
        watch.start()
    try:
        return _run_one(*task)
    finally:
        done.set()


def _end_with(parent: int, done: threading.Event) -> None:
    """End this process within a second of its parent, unless the run is done."""
    while not done.wait(1):
        if os.getppid() != parent:
            os._exit(1)


def _run_one(
    name: str,
    make_model: Callable[[], nn.Module],
    data: GraphData | Tissues,
    seed: int,
    fit_options: dict,
    threads: int,
) -> tuple[str, Run | GraphRun]:
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    model = make_model().to(data.device)
    train = fit_graphs if isinstance(data, Tissues) else fit
    history = train(model, data, progress=False, **fit_options)
    common = {
        "seed": seed,
        "epochs": history.epochs,
        "best_epoch": history.best_epoch,
        "seconds": history.seconds,
        "history": history,
        "model": model,
    }
    if isinstance(data, Tissues):
        batch_size = fit_options.get("batch_size", 2)
        f1 = {
            part: evaluate_graphs(model, getattr(data, part), batch_size).f1
            for part in ("val", "test")
        }
        if not math.isfinite(f1["test"]):
            raise FloatingPointError(
                f"seed {seed}: the outputs for the test graphs are NaN or infinite; "
                "look for extreme features there"
            )
        return name, GraphRun(
            test_f1=f1["test"],
            val_f1=f1["val"],
            peak_memory=history.peak_memory,
            **common,
        )
    return name, Run(
        test_accuracy=evaluate(model, data, data.test_mask).accuracy,
        val_accuracy=evaluate(model, data, data.val_mask).accuracy,
        **common,
    )


def _describe(
    make_model: Callable[[], nn.Module],
    data: GraphData | Tissues,
    fit_options: dict,
    threads: int,
    more: Mapping,
) -> dict:
    """What decides a run besides its seed.

    Model, data, options of `fit`, the kind of device and the number of threads, and
    `more`. Sums over other threads differ in the last digit, and after some epochs in
    more; on a GPU that number decides nothing.
    """
    train = fit_graphs if isinstance(data, Tissues) else fit
    parameters = inspect.signature(train).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    options = {**defaults, **fit_options}
    for key in ("progress", "checkpoint"):
        options.pop(key, None)
    model = make_model()
    shapes = {name: list(p.shape) for name, p in model.named_parameters()}
    about = {
        "model": repr(model),
        "parameters": shapes,
        "graph": repr(data),
        "data": checksum(data.graphs if isinstance(data, Tissues) else [data]),
        "options": options,
        "device": data.device.type,
        "threads": threads if data.device.type == "cpu" else None,
    }
    if taken := sorted(about.keys() & more.keys()):
        raise ValueError(f"about must not contain {', '.join(taken)}: run_seeds does")
    about |= more
    try:
        return json.loads(json.dumps(about))
    except TypeError as error:
        raise ValueError(
            "with path, options must be plain numbers, and what is in about plain "
            f"values: {options}, {dict(more)} ({error})"
        ) from error


def _read_runs(
    path: str | os.PathLike, about: dict, seeds: Iterable[int]
) -> Sequence[Run | GraphRun]:
    path = Path(path)
    if not path.exists():
        return []
    found, runs = read_file(path)
    unknown = [key for key in ("device", "threads") if key not in found]
    may_differ = {"command", "machine", *unknown}
    keys = [key for key in {**about, **found} if key not in may_differ]
    different = [key for key in keys if found.get(key) != about.get(key)]
    if different:
        raise ValueError(
            f"{path} holds runs of another experiment: its {', '.join(different)} "
            f"differs (there {found.get(different[0])!r}, here "
            f"{about.get(different[0])!r}). Choose another path"
        )
    if unknown and set(seeds) - {run.seed for run in runs}:
        told = ", ".join(f'"{key}": {json.dumps(about[key])}' for key in unknown)
        raise ValueError(
            f"{path} does not say on which {' and '.join(unknown)} its runs were made, "
            "as files of earlier versions do not, so no more can be added to them. "
            f"Choose another path or, if you know that it was so, write {told} into "
            'its "about"'
        )
    return runs


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
        kinds = [GraphRun if "test_f1" in run else Run for run in stored["runs"]]
        return about, Runs(k(**r) for k, r in zip(kinds, stored["runs"], strict=True))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not a file of runs ({error}); move it away or choose another "
            "path"
        ) from error


def _write_runs(
    path: str | os.PathLike, about: dict, runs: Iterable[Run | GraphRun]
) -> None:
    records = []
    for run in runs:
        record = asdict(replace(run, history=None, model=None))
        del record["history"], record["model"]
        records.append(record)
    write_json(path, {"about": about, "runs": records})
