"""Training over several seeds, in several processes, each run kept (from chapter 4 on).

`run_seeds` trains one model, `compare` several, on any data that has a `Task`.
"""

import inspect
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext

import torch
from torch import nn

from gat_course.files import alone
from gat_course.graph import GraphData
from gat_course.graphs import Tissues
from gat_course.training.history import Curves
from gat_course.training.record import GraphRun, Run, RunFile, Runs, distinct
from gat_course.training.tasks import Task, task_of
from gat_course.training.workers import Job, train_all


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
    look: Callable[[nn.Module, GraphData | Tissues, Curves], Mapping] | None = None,
    progress: bool = True,
    **fit_options,
) -> Runs:
    """Train a fresh model for each seed and test it once.

    Args:
        make_model: builds a model; called after the seed is set, so that initial
            parameters and dropout depend on the seed alone.
        graph: a graph with features, labels and the three masks, `Tissues`, or other
            data that has a `Task`.
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
        look: called as `look(model, graph, history)` once a run is finished; what it
            returns, plain values by name, is in the run's `notes` and in the file.
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

    >>> graph = synthetic_citation("cora").with_self_loops()
    >>> make = lambda: GAT(graph.num_features, graph.num_classes)
    >>> runs = run_seeds(make, graph, range(2), max_epochs=3, progress=False)
    >>> [run.seed for run in runs], len(runs.test_accuracies)
    ([0, 1], 2)
    """
    seeds, task = distinct(seeds), task_of(graph, fit_options)
    task.require_scores()
    _require_no_checkpoint(fit_options)
    threads = _threads(workers, threads)
    with alone(path) if path else nullcontext():
        file, finished = None, {}
        if path:
            about = _describe(task, make_model(), fit_options, threads, about or {})
            file = RunFile(path, about, task.resumable)
            finished = file.read(seeds)
        kept = file.checkpoint if file else lambda seed: {}
        jobs = [
            Job("", type(task), make_model, graph, seed, fit_options | kept(seed), look)
            for seed in seeds
            if seed not in finished
        ]

        def keep(_: str, run: Run | GraphRun) -> None:
            finished[run.seed] = run
            if not keep_models:
                run.model = None
            if file:
                file.write(finished, run.seed)

        def in_order() -> Runs:
            return Runs(finished[seed] for seed in seeds if seed in finished)

        found = len(seeds) - len(jobs)
        train_all(jobs, keep, in_order, workers, threads, progress, found)
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

    >>> graph = synthetic_citation("cora").with_self_loops()
    >>> sizes = graph.num_features, graph.num_classes
    >>> plans = {make.__name__: lambda make=make: make(*sizes) for make in (GCN, MLP)}
    >>> plans = {n: {"make_model": make, "graph": graph} for n, make in plans.items()}
    >>> list(compare(plans, [0], max_epochs=2, progress=False))
    ['GCN', 'MLP']
    """
    seeds = distinct(seeds)
    jobs = []
    for name, experiment in experiments.items():
        own = dict(experiment)
        missing = {"make_model", "graph"} - own.keys()
        if missing:
            raise ValueError(f"experiment {name!r} lacks {', '.join(sorted(missing))}")
        make_model, graph = own.pop("make_model"), own.pop("graph")
        options = {**fit_options, **own}
        task = task_of(graph, options)
        task.require_scores()
        _require_no_checkpoint(options)
        jobs += [
            Job(name, type(task), make_model, graph, seed, options) for seed in seeds
        ]
    finished = {}

    def keep(name: str, run: Run | GraphRun) -> None:
        finished[name, run.seed] = run

    def in_order() -> dict[str, Runs]:
        return {
            name: Runs(finished[name, s] for s in seeds if (name, s) in finished)
            for name in experiments
        }

    train_all(jobs, keep, in_order, workers, _threads(workers, None), progress)
    return in_order()


def _require_no_checkpoint(options: Mapping) -> None:
    """Raise where one file would serve all seeds: each would take it for its own."""
    if "checkpoint" in options:
        raise ValueError(
            "checkpoint is the file of one run, not of several seeds; hand path to "
            "run_seeds, which keeps one for each"
        )


def _threads(workers: int, threads: int | None) -> int:
    """How many threads each run has."""
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if threads is None:
        return 1 if workers > 1 else torch.get_num_threads()
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    return threads


def _describe(
    task: Task, model: nn.Module, fit_options: dict, threads: int, more: Mapping
) -> dict:
    """What decides a run besides its seed, and `more`, as a file holds it."""
    parameters = inspect.signature(task.fit).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    options = {**defaults, **fit_options}
    for key in ("progress", "checkpoint"):
        options.pop(key, None)
    about = task.describe(model, options, threads)
    if taken := sorted(about.keys() & more.keys()):
        raise ValueError(f"about must not contain {', '.join(taken)}: run_seeds does")
    try:
        return json.loads(json.dumps(about | dict(more)))
    except TypeError as error:
        raise ValueError(
            "with path, options must be plain numbers, and what is in about plain "
            f"values: {options}, {dict(more)} ({error})"
        ) from error
