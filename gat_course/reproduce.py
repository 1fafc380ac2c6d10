"""The experiments of the GAT paper on Cora, Citeseer, Pubmed and PPI, run by run.

`gat-course reproduce cora --runs 100` does what its table 2 reports: a hundred runs,
mean and standard deviation; `gat-course reproduce ppi --runs 10` what table 3 does.
Every run goes into a JSON file as soon as it is finished; the same command goes on
where it was stopped, on PPI within a run too.
"""

import os
import platform
import warnings
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from gat_course import __version__, datasets
from gat_course.datasets import DatasetUnavailable, ppi
from gat_course.graph import GraphData
from gat_course.intervals import difference
from gat_course.layers import UniformGATLayer
from gat_course.models import GAT, GCN, MLP, InductiveGAT, InductiveGCN
from gat_course.published import VARIANTS
from gat_course.runs import GraphRun, Runs, read_file, run_seeds
from gat_course.tissues import Tissues


@dataclass(frozen=True)
class Experiment:
    """What the paper did on one data set, its section 3.3.

    Args:
        models: of each name, what builds the model from the widths of input and output.
        fit: options of `fit` or `fit_graphs`. All models share them, so that they
            differ in nothing else.
        runs: how many the paper made of each model.
        load: reads the data, from a cache or None, and prepares them.
        prepared: how, in words.
        inductive: several graphs and micro-F1, else one graph and accuracy.
    """

    models: Mapping[str, Callable[[int, int], nn.Module]]
    fit: Mapping[str, float]
    runs: int
    load: Callable[[str | os.PathLike | None], GraphData | Tissues]
    prepared: str
    inductive: bool = False


def _load_citation(name: str, root: str | os.PathLike | None) -> GraphData:
    try:
        graph = datasets.load(name, root)
    except DatasetUnavailable as error:
        files = f"eight files (ind.{name}.x and so on) into FOLDER/planetoid"
        raise _unavailable(name, files) from error
    return replace(graph, x=datasets.row_normalize(graph.x)).with_self_loops()


def _load_ppi(root: str | os.PathLike | None) -> Tissues:
    try:
        tissues = ppi.load_ppi(root)
    except DatasetUnavailable as error:
        raise _unavailable("ppi", "file ppi.zip into FOLDER") from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return tissues.with_self_loops().to(device)


def _unavailable(name: str, files: str) -> DatasetUnavailable:
    return DatasetUnavailable(
        f"{name} is not on this machine and cannot be downloaded. Put its {files}, and "
        "set the environment variable GAT_COURSE_DATA to FOLDER"
    )


MODELS = ("gat", "uniform", "gcn", "mlp")
# What `--as` adds: the network as the paper's published code has it, each difference
# alone and all together.
AS = {"published-code": tuple(VARIANTS)}
_FIT = {"lr": 0.005, "weight_decay": 5e-4, "patience": 100, "max_epochs": 10_000}
_FIT_PPI = _FIT | {"weight_decay": 0.0, "batch_size": 2}
_GAT = partial(GAT, hidden=8, num_heads=8, out_heads=1, dropout=0.6)
_GAT_PPI = partial(InductiveGAT, hidden=256, num_heads=4, out_heads=6)
_CITATION = {  # GCN and MLP as in chapter 5
    "gat": _GAT,
    **{
        name: partial(make, hidden=8, num_heads=8, out_heads=1, dropout=0.6)
        for name, make in VARIANTS.items()
    },
    "uniform": partial(_GAT, layer=UniformGATLayer),
    "gcn": partial(GCN, hidden=64, dropout=0.6),
    "mlp": partial(MLP, hidden=64, dropout=0.6),
}
_PUBMED = _CITATION | {
    "gat": partial(_GAT, out_heads=8),
    "uniform": partial(_GAT, out_heads=8, layer=UniformGATLayer),
}
_PPI = {  # GCN and MLP as wide as GAT's four heads
    "gat": _GAT_PPI,
    "uniform": partial(_GAT_PPI, layer=UniformGATLayer),
    "gcn": partial(InductiveGCN, hidden=1024),
    "mlp": partial(MLP, hidden=1024, dropout=0.0),
}


def _citation(name: str, models: Mapping, fit: Mapping) -> Experiment:
    prepared = "features row-normalised, self-loops added"
    return Experiment(models, fit, 100, partial(_load_citation, name), prepared)


EXPERIMENTS = {
    "cora": _citation("cora", _CITATION, _FIT),
    "citeseer": _citation("citeseer", _CITATION, _FIT),
    "pubmed": _citation("pubmed", _PUBMED, _FIT | {"lr": 0.01, "weight_decay": 1e-3}),
    "ppi": Experiment(
        models=_PPI,
        fit=_FIT_PPI,
        runs=10,
        load=_load_ppi,
        prepared="features standardised, self-loops added",
        inductive=True,
    ),
}
STORED = Path(__file__).parent / "results"  # the results that come with the package

# Table 2 of the paper: mean and standard deviation of test accuracy in percent. "gcn"
# is its GCN-64*. Table 3, for PPI: micro-F1; "uniform" is its Const-GAT, and it has no
# GCN. The MLPs are quoted there without a spread.
PUBLISHED = {
    "cora": {"gat": (83.0, 0.7), "gcn": (81.4, 0.5), "mlp": (55.1, None)},
    "citeseer": {"gat": (72.5, 0.7), "gcn": (70.9, 0.5), "mlp": (46.5, None)},
    "pubmed": {"gat": (79.0, 0.3), "gcn": (79.0, 0.3), "mlp": (71.4, None)},
    "ppi": {"gat": (0.973, 0.002), "uniform": (0.934, 0.006), "mlp": (0.422, None)},
}


def reproduce(
    name: str,
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
        name: "cora", "citeseer", "pubmed" or "ppi".
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
    _require_known(name, models)
    experiment = EXPERIMENTS[name]
    runs = experiment.runs if runs is None else runs
    if runs < 1 or (workers is not None and workers < 1):
        raise ValueError(f"runs and workers must be at least 1, got {runs}, {workers}")
    data = experiment.load(root)
    if workers is None:
        workers = 1 if data.device.type == "cuda" else _usable_cores()
    results = {}
    for model in models:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="interrupted")  # raised below
            try:
                results[model] = run_seeds(
                    _make_model(name, model, data),
                    data,
                    range(runs),
                    workers=workers,
                    threads=1,
                    path=_path(folder, name, model),
                    about=_about(name, model, runs, data),
                    keep_models=False,
                    progress=progress,
                    **experiment.fit,
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


def stored(name: str, model: str = "gat") -> tuple[Runs, dict]:
    """The result that comes with this package.

    Args:
        name: "cora", "citeseer", "pubmed" or "ppi".
        model: "gat", "uniform", "gcn", "mlp", or one of `published.VARIANTS`.

    Returns:
        The `Runs`, accuracies in percent or micro-F1 from 0 to 1 and times in seconds,
        and what the file says of them: configuration, versions, checksum of the data,
        command; for PPI also the "name" of the data, and the "machine" of the command
        that wrote the file last.

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
    about, runs = read_file(path)
    return runs, about


def table(
    name: str,
    results: Mapping[str, Runs],
    folder: str | os.PathLike | None = None,
    data: str | None = None,
) -> str:
    """What was measured beside what was published, one line for each model.

    On PPI also the mean time of a run and the largest peak of memory of all of them,
    which `GraphHistory` explains: on a CPU it is the peak of the whole process, runs
    before it included.

    Args:
        name: "cora", "citeseer", "pubmed" or "ppi".
        results: the `Runs` of each model.
        folder: where `reproduce` put the files; None leaves them out.
        data: name of the data for the title, as in `about["name"]` of `stored`; by
            default what the files in `folder` say. Used for PPI alone; other data
            than "PPI" have no published numbers.

    Raises:
        ValueError: for PPI, neither `folder` nor `data` is given, or the files are of
            several data sets.
        FileNotFoundError: for PPI without `data`, `folder` lacks a file.
    """
    inductive = EXPERIMENTS[name].inductive
    title, digits = f"{name.title()}, test accuracy in %", 1
    if inductive:
        data = data or _name_of_data(name, results, folder)
        title, digits = f"{data}, micro-F1 on the test graphs", 3
    known = {} if inductive and data != "PPI" else PUBLISHED[name]
    rows = [["model", "measured", "runs", "published"]]
    rows[0] += ["minutes a run", "peak GB"] if inductive else []
    rows[0] += [] if folder is None else ["file"]
    for model, runs in results.items():
        published = known.get(model, (None, None))
        measured = runs.mean, runs.std if len(runs) > 1 else None
        cells = [model, _plus_minus(*measured, digits), str(len(runs))]
        cells += [_plus_minus(*published, digits)]
        cells += _costs(runs) if inductive else []
        cells += [] if folder is None else [str(_path(folder, name, model))]
        rows.append(cells)
    return "\n".join([title, *_aligned(rows)])


def gaps(results: Mapping[str, Runs], base: str = "gat") -> str:
    """How much higher each model's mean is than that of `base`, with 95 % intervals.

    Args:
        results: the `Runs` of each model, at least two of each.
        base: one of them.

    Returns:
        A title and a line for each of the other models; see `difference`.

    Raises:
        ValueError: `base` is not among the results, or a model has one run alone.
    """
    if base not in results:
        raise ValueError(f"base must be one of {', '.join(results)}; got {base!r}")
    rows = []
    for model, runs in results.items():
        if model != base:
            gap = difference(runs, results[base])
            digits = 4 if isinstance(runs[0], GraphRun) else 2
            mean, low, high = (
                f"{v:+.{digits}f}" for v in (gap.mean, gap.low, gap.high)
            )
            rows.append([model, mean, f"{low} to {high}", gap.verdict])
    title = f"Difference from {base}, 95 % interval (Welch)"
    return "\n".join([title, *_aligned(rows)])


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _plus_minus(mean: float | None, std: float | None, digits: int) -> str:
    if mean is None:
        return "–"
    spread = "" if std is None else f" ± {std:.{digits}f}"
    return f"{mean:.{digits}f}{spread}"


def _costs(runs: list[GraphRun]) -> list[str]:
    """Mean minutes of a run, and the largest peak in GB."""
    minutes = sum(run.seconds for run in runs) / len(runs) / 60
    peaks = [run.peak_memory for run in runs if run.peak_memory is not None]
    return [f"{minutes:.1f}", f"{max(peaks) / 1e9:.2f}" if peaks else "–"]


def _name_of_data(
    name: str, models: Iterable[str], folder: str | os.PathLike | None
) -> str:
    if folder is None:
        raise ValueError(
            f"a table of {name} needs the folder of its files, or the name of its data"
        )
    names = {read_file(_path(folder, name, model))[0].get("name") for model in models}
    if len(names) != 1 or None in names:
        raise ValueError(
            f"the files of {name} in {folder} are not all of one data set: "
            f"{', '.join(sorted(map(str, names)))}. Put those of each into a folder"
        )
    return names.pop()


def _path(folder: str | os.PathLike, name: str, model: str) -> Path:
    return Path(folder) / f"{name}-{model}.json"


def _require_known(name: str, models: list[str]) -> None:
    if name not in EXPERIMENTS:
        raise ValueError(f"unknown data set {name!r}; use {', '.join(EXPERIMENTS)}")
    known = EXPERIMENTS[name].models
    if not models or any(model not in known for model in models):
        raise ValueError(f"models must be some of {', '.join(known)}; got {models}")


def _usable_cores() -> int:
    has = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if has else os.cpu_count() or 1


def _make_model(
    name: str, model: str, data: GraphData | Tissues
) -> Callable[[], nn.Module]:
    inductive = isinstance(data, Tissues)
    outputs = data.num_labels if inductive else data.num_classes
    return partial(EXPERIMENTS[name].models[model], data.num_features, outputs)


def _about(name: str, model: str, runs: int, data: GraphData | Tissues) -> dict:
    versions = {"torch": torch.__version__, "gat_course": __version__}
    about = {
        "experiment": f"{model} on {name}, {EXPERIMENTS[name].prepared}, "
        "one thread for each run",
        "versions": {"python": platform.python_version(), **versions},
        "command": f"gat-course reproduce {name} --models {model} --runs {runs}",
    }
    if isinstance(data, Tissues):
        about |= {"name": data.name, "machine": _machine(data.device)}
    return about


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        processor = torch.cuda.get_device_name(device)
    else:
        processor = platform.processor() or platform.machine()
    return f"{processor}, 1 thread of PyTorch for each run"
