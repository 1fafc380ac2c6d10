"""The experiments of the GAT paper on Cora, Citeseer, Pubmed and PPI, run by run.

`gat-course reproduce cora --runs 100` does what its table 2 reports: a hundred runs,
mean and standard deviation; `gat-course reproduce ppi --runs 10` what table 3 does.
Every run goes into a JSON file as soon as it is finished; the same command goes on
where it was stopped, on PPI within a run too.
"""

from __future__ import annotations

import os
import platform
import statistics
import warnings
from collections.abc import Iterable, Mapping
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from gat_course import __version__
from gat_course.experiments.papers import (
    AS,
    EXPERIMENTS,
    MODELS,
    PUBLISHED,
    Experiment,
    experiment,
    lookup_scores,
)
from gat_course.intervals import difference
from gat_course.training.record import Runs, read_file
from gat_course.training.runs import run_seeds
from gat_course.training.tasks import task_of
from gat_course.training.workers import usable_cores

if TYPE_CHECKING:
    import pandas as pd

    from gat_course.graph import GraphData
    from gat_course.graphs import Tissues

__all__ = [
    "AS",
    "EXPERIMENTS",
    "MODELS",
    "PUBLISHED",
    "STORED",
    "gaps",
    "reproduce",
    "stored",
    "table",
]

STORED = Path(__file__).parents[1] / "results"  # the results that come with the package


def reproduce(
    name: str | Experiment,
    runs: int | None = None,
    models: Iterable[str] = ("gat",),
    *,
    folder: str | os.PathLike = "results",
    workers: int | None = None,
    root: str | os.PathLike | None = None,
    progress: bool = True,
) -> dict[str, Runs]:
    """Train models `runs` times as the GAT paper did; keep each run in a file.

    The seeds are 0 to `runs` - 1. Each run uses one thread of the CPU, so that its
    result depends on its seed alone and not on `workers`.

    On PPI the epoch with the best validation micro-F1 is kept, see `fit_graphs`. PPI is
    trained on a GPU where PyTorch sees one (CUDA), else on the CPU, where it takes far
    longer. A GPU adds numbers up in an order that differs from time to time,
    so there two runs of one seed agree closely but not to the last bit. A run on PPI
    that was stopped goes on from its last checkpoint, a file beside the results; the
    same command may go on on another machine with the same kind of device and the same
    versions of Python, torch and this package.

    Args:
        name: "cora", "citeseer", "pubmed" or "ppi", or an `Experiment` such as
            `papers.on_ppi(width=64)`.
        runs: runs of each model, at least 1; by default as many as in the paper, 100,
            on PPI 10.
        models: of "gat", "uniform" (the same, attention frozen), "gcn", "mlp"; on one
            graph also of `published.VARIANTS`, gat as the paper's code has it.
        folder: receives NAME-MODEL.json. Runs found there are not repeated.
        workers: runs side by side, by default one on each usable core, and 1 on a GPU.
        root: cache of the data, as for `datasets.load` and `load_ppi`.
        progress: show a progress bar for each model.

    Returns:
        The `Runs` of each model, without the trained models: accuracies in percent, on
        PPI micro-F1 from 0 to 1.

    Raises:
        ValueError: an unknown `name` or model, `runs` or `workers` below 1, or a file
            in `folder` holds runs of another configuration, version or data, or a
            checkpoint there is damaged or of another training.
        DatasetUnavailable: the data cannot be had. Nothing takes their place here.
        FloatingPointError: a run diverged; the finished runs are in the file.
        RuntimeError: a worker was killed; the finished runs are in the file.
        KeyboardInterrupt: from the keyboard; the finished runs are in the file.

    Source: Veličković et al., ICLR 2018, section 3.3, tables 2 and 3.
    """
    models = list(dict.fromkeys(models))
    plan = _require_known(name, models)
    runs = plan.runs if runs is None else runs
    if runs < 1 or (workers is not None and workers < 1):
        raise ValueError(f"runs and workers must be at least 1, got {runs}, {workers}")
    data = plan.load(root)
    if workers is None:
        workers = 1 if data.device.type == "cuda" else usable_cores()
    outputs = task_of(data).num_outputs
    results = {}
    for model in models:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="interrupted")  # raised below
            try:
                results[model] = run_seeds(
                    partial(plan.models[model], data.num_features, outputs),
                    data,
                    range(runs),
                    workers=workers,
                    threads=1,
                    path=_path(folder, plan, model),
                    about=_about(plan, model, runs, data),
                    look=plan.look,
                    keep_models=False,
                    progress=progress,
                    **plan.fit,
                )
            except BrokenProcessPool as error:
                raise RuntimeError(
                    "a worker was killed, perhaps because memory ran out. Finished "
                    "runs are kept; the same command goes on where it stopped, and "
                    "fewer --workers need less memory"
                ) from error
        if len(results[model]) < runs:
            raise KeyboardInterrupt
    return results


def stored(name: str | Experiment, model: str = "gat") -> tuple[Runs, dict]:
    """The result that comes with this package.

    Args:
        name: as for `reproduce`.
        model: "gat", "uniform", "gcn", "mlp", or one of `published.VARIANTS`.

    Returns:
        The `Runs`, accuracies in percent or micro-F1 from 0 to 1 and times in seconds,
        and what the file says of them: configuration, versions, checksum of the data,
        command; for PPI also the "name" of the data, and the "machine" of the command
        that wrote the file last.

    Raises:
        ValueError: an unknown `name` or `model`.
        FileNotFoundError: the package has no such result.

    >>> runs, about = reproduce.stored("cora", "gcn")
    >>> print(runs)
    82.5 ± 0.5 % (100 seeds)
    """
    plan = _require_known(name, [model])
    path = _path(STORED, plan, model)
    if not path.exists():
        raise FileNotFoundError(
            f"the package has no result of {model} on {plan.name}; make one with "
            f"`{_command(plan, model)}`"
        )
    about, runs = read_file(path)
    return runs, about


def table(
    name: str | Experiment,
    results: Mapping[str, Runs],
    folder: str | os.PathLike | None = None,
    data: str | None = None,
) -> pd.DataFrame:
    """What was measured beside what was published, one row for each model.

    On PPI also the mean time of a run and the largest peak of memory of all of them,
    which `Curves` explains: on a CPU it is the peak of the whole process, runs before
    it included.

    Args:
        name: as for `reproduce`.
        results: the `Runs` of each model.
        folder: where `reproduce` put the files; None leaves them out.
        data: name of the data for the title, as in `about["name"]` of `stored`; by
            default what the files in `folder` say. Used for PPI alone; other data
            than "PPI" have no published numbers.

    Returns:
        A table of text; the name of its columns is the title.

    Raises:
        ValueError: for PPI, neither `folder` nor `data` is given, or the files are of
            several data sets.
        FileNotFoundError: for PPI without `data`, `folder` lacks a file.

    >>> runs, _ = reproduce.stored("cora", "gcn")
    >>> reproduce.table("cora", {"gcn": runs}).loc["gcn", "published"]
    '81.4 ± 0.5'
    """
    import pandas as pd

    plan = experiment(name)
    metric, costs = plan.metric, plan.costs
    unit = f" in {metric.unit}" if metric.unit else ""
    title, known = f"{plan.name.title()}, test {metric.name}{unit}", {}
    if costs:
        data = data or _name_of_data(plan, results, folder)
        title = f"{data}, {metric.name} on the test graphs"
    if not costs or data == "PPI":
        known = PUBLISHED.get(plan.name, {})
    rows = []
    for model, runs in results.items():
        row = {"measured": metric.write(runs.mean, runs.std if len(runs) > 1 else None)}
        seen = [run.seen_f1 for run in runs] if costs else []
        if seen and None not in seen:
            row["of seen genes"] = metric.write(*_mean_and_std(seen))
        row["runs"] = len(runs)
        row["published"] = metric.write(*known[model]) if model in known else "–"
        if costs:
            peaks = [run.peak_memory for run in runs if run.peak_memory is not None]
            minutes = sum(run.seconds for run in runs) / len(runs) / 60
            row["minutes a run"] = f"{minutes:.1f}"
            row["peak GB"] = f"{max(peaks) / 1e9:.2f}" if peaks else "–"
        if folder is not None:
            row["file"] = str(_path(folder, plan, model))
        rows.append(row)
    return pd.DataFrame(rows, pd.Index(results, name="model")).rename_axis(
        columns=title
    )


def gaps(results: Mapping[str, Runs], base: str = "gat") -> pd.DataFrame:
    """How much higher each model's mean is than that of `base`, with 95 % intervals.

    Args:
        results: the `Runs` of each model, at least two of each.
        base: one of them.

    Returns:
        A row of text for each of the other models; see `difference`. The name of the
        columns is the title.

    Raises:
        ValueError: `base` is not among the results, or a model has one run alone.

    >>> results = {name: reproduce.stored("cora", name)[0] for name in ("gat", "gcn")}
    >>> reproduce.gaps(results).loc["gcn", "verdict"]
    'lower'
    """
    import pandas as pd

    if base not in results:
        raise ValueError(f"base must be one of {', '.join(results)}; got {base!r}")
    rows = {}
    for model, runs in results.items():
        if model != base:
            gap = difference(runs, results[base])
            digits = runs[0].metric.digits + 1
            mean, low, high = (
                f"{v:+.{digits}f}" for v in (gap.mean, gap.low, gap.high)
            )
            rows[model] = mean, f"{low} to {high}", gap.verdict
    columns = ["difference", "95 % interval", "verdict"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.rename_axis(index="model", columns=f"less {base} (Welch)")


def lookup_of(
    name: str | Experiment, models: Iterable[str], folder: str | os.PathLike
) -> dict | None:
    """What the files say of the table without learning; see `papers.lookup_scores`."""
    path = _path(folder, experiment(name), next(iter(models)))
    return read_file(path)[0].get("lookup")


def _mean_and_std(values: list[float]) -> tuple[float, float | None]:
    std = statistics.stdev(values) if len(values) > 1 else None
    return statistics.mean(values), std


def _name_of_data(
    plan: Experiment, models: Iterable[str], folder: str | os.PathLike | None
) -> str:
    if folder is None:
        raise ValueError(
            f"a table of {plan.name} needs the folder of its files, or the name of its "
            "data"
        )
    names = {read_file(_path(folder, plan, model))[0].get("name") for model in models}
    if len(names) != 1 or None in names:
        raise ValueError(
            f"the files of {plan.name} in {folder} are not all of one data set: "
            f"{', '.join(sorted(map(str, names)))}. Put those of each into a folder"
        )
    return names.pop()


def _path(folder: str | os.PathLike, plan: Experiment, model: str) -> Path:
    return Path(folder) / f"{plan.name}-{model}.json"


def _command(plan: Experiment, model: str) -> str:
    return f"gat-course reproduce {plan.data_set}{plan.options} --models {model}"


def _require_known(name: str | Experiment, models: list[str]) -> Experiment:
    plan = experiment(name)
    if not models or any(model not in plan.models for model in models):
        raise ValueError(
            f"models must be some of {', '.join(plan.models)}; got {models}"
        )
    return plan


def _about(plan: Experiment, model: str, runs: int, data: GraphData | Tissues) -> dict:
    versions = {"torch": torch.__version__, "gat_course": __version__}
    about = {
        "experiment": f"{model} on {plan.data_set}, {plan.prepared}, "
        "one thread for each run",
        "versions": {"python": platform.python_version(), **versions},
        "command": f"{_command(plan, model)} --runs {runs}",
    }
    if plan.costs:
        about |= {"name": data.name, "machine": _machine(data.device)}
        if found := lookup_scores(data):
            about["lookup"] = found
    return about


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        processor = torch.cuda.get_device_name(device)
    else:
        processor = platform.processor() or platform.machine()
    return f"{processor}, 1 thread of PyTorch for each run"
