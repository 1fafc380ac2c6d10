"""Runs over all combinations of some settings, each kept in a file (chapters 7, 8).

`gat-course reproduce lookup` makes one; the same command goes on where it stopped.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from gat_course import __version__
from gat_course.experiments.reproduce import STORED
from gat_course.files import alone, sweep, write_json
from gat_course.training.workers import beside

if TYPE_CHECKING:
    import pandas as pd

Settings = dict[str, str | int | float | bool]


@dataclass(frozen=True)
class Grid:
    """An experiment with several settings, run for each combination and seed.

    Args:
        name: what its file is called.
        axes: the values of each setting, by name; "seed" among them.
        measure: called with one value of each; returns plain numbers by name. What it
            returns depends on these values alone.
        about: what is measured, in words.
        wanted: says which combinations make sense; by default all.
        stored: whether the package brings its runs.
    """

    name: str
    axes: Mapping[str, Sequence]
    measure: Callable[..., Mapping[str, float]]
    about: str
    wanted: Callable[[Settings], bool] = lambda settings: True
    stored: bool = True

    def settings(self) -> Iterator[Settings]:
        """All combinations that make sense, the last axis changing fastest."""
        for values in product(*self.axes.values()):
            found = dict(zip(self.axes, values, strict=True))
            if self.wanted(found):
                yield found


def run_grid(
    grid: Grid,
    folder: str | os.PathLike = "results",
    *,
    workers: int = 1,
    progress: bool = True,
) -> pd.DataFrame:
    """Make the runs that a file does not have yet; each goes into it at once.

    Args:
        grid: the experiment.
        folder: gets NAME.json.
        workers: runs side by side; each uses one thread of the CPU.
        progress: show a progress bar.

    Returns:
        A row for each run: its settings and what was measured.

    Raises:
        ValueError: `workers` is below 1, the file holds another experiment, or another
            process is writing it.
        FloatingPointError: a run gave NaN or infinity; the others are in the file.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    path = Path(folder) / f"{grid.name}.json"
    with alone(path):
        found = _read(path, grid) if path.exists() else {}
        sweep(path)
        missing = [s for s in grid.settings() if _key(grid, s) not in found]
        calls = (
            delayed(beside)(os.getpid(), _measured, grid, s)
            if workers > 1
            else delayed(_measured)(grid, s)
            for s in missing
        )
        runs = Parallel(n_jobs=workers, return_as="generator_unordered")(calls)
        before, hidden = torch.get_num_threads(), None if progress else True
        total, wrong = len(found) + len(missing), []
        try:
            with tqdm(total=total, initial=len(found), disable=hidden) as bar:
                for run, odd in runs:
                    if odd:
                        wrong.append(f"{run} gave {odd}")
                        continue
                    found[_key(grid, run)] = run
                    _write(path, grid, found)
                    bar.update()
        finally:
            torch.set_num_threads(before)
    if wrong:
        raise FloatingPointError(f"{grid.name} with {'; '.join(wrong)}")
    return _frame(grid, found)


def _measured(grid: Grid, settings: Settings) -> tuple[dict, dict]:
    """The run, and of it what is not finite."""
    torch.set_num_threads(1)
    torch.manual_seed(settings["seed"])
    found = {name: float(value) for name, value in grid.measure(**settings).items()}
    odd = {name: value for name, value in found.items() if not math.isfinite(value)}
    if odd:
        return settings, odd
    return settings | {name: float(f"{v:.6g}") for name, v in found.items()}, {}


def _key(grid: Grid, run: Mapping) -> tuple:
    return tuple(run[axis] for axis in grid.axes)


def _about(grid: Grid) -> dict:
    return {
        "experiment": grid.about,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "gat_course": __version__,
        },
        "command": f"gat-course reproduce {grid.name}",
    }


def _read(path: Path, grid: Grid) -> dict[tuple, dict]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        about, runs = content["about"], content["runs"]
        found = {_key(grid, run): run for run in runs}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not a file of this experiment ({error}); move it away"
        ) from error
    if about != _about(grid):
        raise ValueError(
            f"{path} holds runs of another experiment or version: there {about}, here "
            f"{_about(grid)}. Move it away, or choose another folder"
        )
    return found


def _write(path: Path, grid: Grid, found: Mapping[tuple, dict]) -> None:
    order = {_key(grid, s): i for i, s in enumerate(grid.settings())}
    runs = sorted(found.values(), key=lambda r: order.get(_key(grid, r), math.inf))
    write_json(path, {"about": _about(grid), "runs": runs})


def _frame(grid: Grid, found: Mapping[tuple, dict]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([found[_key(grid, s)] for s in grid.settings()])


def stored(grid: Grid) -> pd.DataFrame:
    """The runs that come with the package, a row for each.

    Raises:
        FileNotFoundError: the package has none.
        ValueError: some are missing.
    """
    import pandas as pd

    path = STORED / f"{grid.name}.json"
    if not path.exists():
        raise FileNotFoundError(
            f"the package has no result of {grid.name}; make one with "
            f"`gat-course reproduce {grid.name}`"
        )
    runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
    missing = {_key(grid, s) for s in grid.settings()} - {_key(grid, r) for r in runs}
    if missing:
        raise ValueError(f"{path} lacks {len(missing)} runs, such as {missing.pop()}")
    return pd.DataFrame(runs)


def summary(grid: Grid, runs: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over the seeds, a row for each combination."""
    axes = [axis for axis in grid.axes if axis != "seed"]
    values = runs.drop(columns="seed")
    if not axes:
        return values.agg(["mean", "std"])
    return values.groupby(axes, sort=False).agg(["mean", "std"])
