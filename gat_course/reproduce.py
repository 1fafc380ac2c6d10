"""The experiments of the GAT paper on Cora, Citeseer and Pubmed, run by run.

`gat-course reproduce cora --runs 100` does what its table 2 reports: a hundred runs,
mean and standard deviation. Every run goes into a JSON file as soon as it is finished;
the same command goes on where it was stopped.
"""

import os
import platform
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from gat_course import __version__, datasets, training
from gat_course.datasets import DatasetUnavailable
from gat_course.graph import GraphData
from gat_course.layers import UniformGATLayer
from gat_course.models import GAT, GCN, MLP
from gat_course.training import Runs

_GAT = {"hidden": 8, "num_heads": 8, "out_heads": 1, "dropout": 0.6}
_WIDE = {"hidden": 64, "dropout": 0.6}  # GCN and MLP, as in chapter 5
_FIT = {"lr": 0.005, "weight_decay": 5e-4, "patience": 100, "max_epochs": 10_000}

# Section 3.3 of the paper: arguments of `GAT` and of `fit`. All models of a data set
# share the latter, so that they differ in nothing else.
EXPERIMENTS = {
    "cora": (_GAT, _FIT),
    "citeseer": (_GAT, _FIT),
    "pubmed": (_GAT | {"out_heads": 8}, _FIT | {"lr": 0.01, "weight_decay": 1e-3}),
}
STORED = Path(__file__).parent / "results"  # the results that come with the package
MODELS = ("gat", "uniform", "gcn", "mlp")

# Table 2 of the paper: mean and standard deviation of test accuracy in percent. "gcn"
# is its GCN-64*; the MLP is quoted there without a spread.
PUBLISHED = {
    "cora": {"gat": (83.0, 0.7), "gcn": (81.4, 0.5), "mlp": (55.1, None)},
    "citeseer": {"gat": (72.5, 0.7), "gcn": (70.9, 0.5), "mlp": (46.5, None)},
    "pubmed": {"gat": (79.0, 0.3), "gcn": (79.0, 0.3), "mlp": (71.4, None)},
}


def reproduce(
    name: str,
    runs: int = 100,
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

    Args:
        name: "cora", "citeseer" or "pubmed".
        runs: runs of each model, at least 1.
        models: of "gat", "uniform" (the same, attention frozen), "gcn", "mlp".
        folder: receives NAME-MODEL.json. Runs found there are not repeated.
        workers: runs side by side, by default one on each usable core.
        root: cache of the data, as for `datasets.load`.
        progress: show a progress bar for each model.

    Returns:
        The `Runs` of each model, accuracies in percent.

    Raises:
        ValueError: an unknown `name` or model, `runs` or `workers` below 1, or a file
            in `folder` holds runs of another configuration, version or data.
        DatasetUnavailable: the data cannot be had. Nothing takes their place here.
        FloatingPointError: a run diverged; the finished runs are in the file.
        KeyboardInterrupt: from the keyboard; the finished runs are in the file.

    Source: Veličković et al., ICLR 2018, section 3.3 and table 2.
    """
    models = list(dict.fromkeys(models))
    _require_known(name, models)
    if workers is None:
        has = hasattr(os, "sched_getaffinity")
        workers = len(os.sched_getaffinity(0)) if has else os.cpu_count() or 1
    if runs < 1 or workers < 1:
        raise ValueError(f"runs and workers must be at least 1, got {runs}, {workers}")
    graph, options = _load(name, root), EXPERIMENTS[name][1]
    results = {}
    for model in models:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="interrupted")  # raised below
            results[model] = training.run_seeds(
                _make_model(name, model, graph),
                graph,
                range(runs),
                workers=workers,
                threads=1,
                path=_path(folder, name, model),
                about=_about(name, model, runs),
                progress=progress,
                **options,
            )
        if len(results[model]) < runs:
            raise KeyboardInterrupt
    return results


def stored(name: str, model: str = "gat") -> tuple[Runs, dict]:
    """The result that comes with this package.

    Args:
        name: "cora", "citeseer" or "pubmed".
        model: "gat", "uniform", "gcn" or "mlp".

    Returns:
        The `Runs`, accuracies in percent and times in seconds, and what the file says
        of them: configuration, versions, checksum of the data, command.

    Raises:
        ValueError: an unknown `name` or `model`.
        FileNotFoundError: the package has no such result.
    """
    _require_known(name, [model])
    path = _path(STORED, name, model)
    if not path.exists():
        raise FileNotFoundError(
            f"the package has no result of {model} on {name}; make one with "
            f"`gat-course reproduce {name} --models {model}`"
        )
    about, runs = training.read_file(path)
    return runs, about


def table(
    name: str, results: Mapping[str, Runs], folder: str | os.PathLike | None = None
) -> str:
    """What was measured beside what was published, one line for each model.

    Args:
        name: "cora", "citeseer" or "pubmed".
        results: the `Runs` of each model.
        folder: where `reproduce` put the files; None leaves them out.
    """
    row = "{:<8} {:<11} {:>5}  {:<11} {}".format
    file = "" if folder is None else "file"
    lines = [
        f"{name.title()}, test accuracy in %",
        row("model", "measured", "runs", "published", file).rstrip(),
    ]
    for model, runs in results.items():
        published = PUBLISHED[name].get(model)
        published = _plus_minus(*published) if published else "–"
        measured = _plus_minus(runs.mean, runs.std if len(runs) > 1 else None)
        path = "" if folder is None else _path(folder, name, model)
        lines.append(row(model, measured, len(runs), published, path).rstrip())
    return "\n".join(lines)


def _plus_minus(mean: float | None, std: float | None) -> str:
    if mean is None:
        return "–"
    return f"{mean:.1f}" if std is None else f"{mean:.1f} ± {std:.1f}"


def _path(folder: str | os.PathLike, name: str, model: str) -> Path:
    return Path(folder) / f"{name}-{model}.json"


def _require_known(name: str, models: list[str]) -> None:
    if name not in EXPERIMENTS:
        raise ValueError(f"unknown data set {name!r}; use {', '.join(EXPERIMENTS)}")
    unknown = [model for model in models if model not in MODELS]
    if unknown or not models:
        raise ValueError(f"models must be some of {', '.join(MODELS)}; got {models}")


def _load(name: str, root: str | os.PathLike | None) -> GraphData:
    try:
        graph = datasets.load(name, root)
    except DatasetUnavailable as error:
        raise DatasetUnavailable(
            f"{name} is not on this machine and cannot be downloaded. Put its eight "
            f"files (ind.{name}.x and so on) into FOLDER/planetoid, and set the "
            "environment variable GAT_COURSE_DATA to FOLDER"
        ) from error
    return replace(graph, x=datasets.row_normalize(graph.x)).with_self_loops()


def _make_model(name: str, model: str, graph: GraphData) -> partial[nn.Module]:
    sizes = graph.num_features, graph.num_classes
    if model in ("gcn", "mlp"):
        return partial({"gcn": GCN, "mlp": MLP}[model], *sizes, **_WIDE)
    layer = {"layer": UniformGATLayer} if model == "uniform" else {}
    return partial(GAT, *sizes, **EXPERIMENTS[name][0], **layer)


def _about(name: str, model: str, runs: int) -> dict:
    versions = {"torch": torch.__version__, "gat_course": __version__}
    return {
        "experiment": f"{model} on {name}, features row-normalised, self-loops added, "
        "one thread for each run",
        "versions": {"python": platform.python_version(), **versions},
        "command": f"gat-course reproduce {name} --models {model} --runs {runs}",
    }
