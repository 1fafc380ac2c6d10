"""Runs side by side in processes that end with their parent."""

import json
import os
import signal
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import torch
from torch import nn

from gat_course.training.record import GraphRun, Run
from gat_course.training.tasks import Task


class Job(NamedTuple):
    """One run to be made: of which experiment and kind, and what `run_seeds` was told.

    A process beside this one may not know of the kind, so it is handed over.
    """

    name: str
    kind: type[Task]
    make_model: Callable[[], nn.Module]
    data: object
    seed: int
    fit_options: dict
    look: Callable | None = None

    def train(self, threads: int) -> tuple[str, Run | GraphRun]:
        """Train and test; parameters and dropout depend on the seed alone."""
        torch.set_num_threads(threads)
        torch.manual_seed(self.seed)
        model = self.make_model().to(self.data.device)
        task = self.kind(self.data, **self.fit_options)
        history = task.fit(model, self.data, progress=False, **self.fit_options)
        run = task.run(self.seed, model, history)
        if self.look:
            run.notes = self._plain(self.look(model, self.data, history))
        return self.name, run

    def _plain(self, notes: object) -> dict:
        try:
            return json.loads(json.dumps(dict(notes), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"look must return plain, finite values by name, got {notes!r} "
                f"({error})"
            ) from error


def train_all(
    jobs: list[Job],
    keep: Callable[[str, Run | GraphRun], None],
    finished: Callable,
    workers: int,
    threads: int,
    progress: bool,
    found: int = 0,
) -> None:
    """Make all runs on the workers and hand each finished one to `keep`.

    `found` runs more were finished before; the progress bar counts them.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    threads_before = torch.get_num_threads()
    runs = Parallel(n_jobs=workers, return_as="generator_unordered")(
        delayed(beside)(os.getpid(), job.train, threads)
        if workers > 1
        else delayed(job.train)(threads)
        for job in jobs
    )
    total, disable = found + len(jobs), None if progress else True
    done = 0
    with tqdm(
        total=total, initial=found, unit="run", leave=False, disable=disable
    ) as bar:
        try:
            for name, run in runs:
                keep(name, run)
                done += 1
                bar.update()
        except KeyboardInterrupt:
            if not done:
                raise
            warnings.warn(
                f"interrupted: {done} of {len(jobs)} runs are finished and returned",
                stacklevel=3,
            )
        except FloatingPointError as error:
            error.finished = finished()
            raise
        finally:
            torch.set_num_threads(threads_before)


def beside(parent: int, call: Callable, *arguments: object) -> object:
    """A call in a worker, which leaves Ctrl-C to its parent and ends with it.

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
        return call(*arguments)
    finally:
        done.set()


def _end_with(parent: int, done: threading.Event) -> None:
    """End this process within a second of its parent, unless the run is done."""
    while not done.wait(1):
        if os.getppid() != parent:
            os._exit(1)


def usable_cores() -> int:
    has = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if has else os.cpu_count() or 1
