"""Training as in the GAT paper: full batch, early stopping, several seeds (chapter 5).

Loss is cross-entropy on the training nodes, the optimiser Adam.
"""

import hashlib
import inspect
import json
import math
import os
import signal
import statistics
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course import sparse
from gat_course.graph import GraphData


@dataclass(frozen=True)
class Evaluation:
    """Cross-entropy in nats and accuracy in percent over some nodes."""

    loss: float
    accuracy: float


@dataclass
class History:
    """What `fit` recorded: one entry per epoch, losses in nats, accuracy in percent.

    `train_loss` is measured with dropout on, during the step; the validation values
    with dropout off, after it. `best_epoch` is the epoch whose parameters were kept.
    """

    train_loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    best_epoch: int = -1
    seconds: float = 0.0

    @property
    def epochs(self) -> int:
        """Number of epochs that ran."""
        return len(self.train_loss)


def evaluate(model: nn.Module, graph: GraphData, mask: Tensor) -> Evaluation:
    """Loss and accuracy of `model` on the nodes of `mask`, with dropout off.

    Args:
        model: called as `model(graph, x)`; its training mode is put back afterwards.
        graph: the graph, with features `x` and classes `y`.
        mask: the nodes to measure, bool `[N]`, at least one of them true.

    Raises:
        ValueError: features or labels are missing, or `mask` selects no node.
    """
    _require_labels(graph, mask, "mask")
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            logits = model(graph, graph.x)[mask]
    finally:
        model.train(was_training)
    labels = graph.y[mask]
    hits = (logits.argmax(dim=1) == labels).double().mean()
    return Evaluation(float(F.cross_entropy(logits, labels)), 100 * float(hits))


def fit(
    model: nn.Module,
    graph: GraphData,
    *,
    lr: float = 0.005,
    weight_decay: float = 5e-4,
    max_epochs: int = 10_000,
    patience: int | None = 100,
    progress: bool = True,
) -> History:
    """Train by the GAT paper's protocol; leaves the best parameters in `model`.

    The model comes back in evaluation mode, dropout off.

    A model that has `num_hops` computes in each step what its loss looks at, and no
    more: `graph.receptive_field` of the training and of the validation nodes. Loss and
    gradient are the same; only dropout draws for fewer numbers.

    After each epoch validation loss and accuracy are measured. Training stops when
    neither has reached its best value for `patience` epochs; parameters are kept
    whenever both have.

    Args:
        model: called as `model(graph, x)`, returns logits `[N, C]`.
        graph: with `x`, `y`, `train_mask` and `val_mask`.
        lr: Adam's learning rate.
        weight_decay: weight of the L2 penalty inside Adam's gradient.
        max_epochs: stop after so many epochs in any case.
        patience: epochs without a new best; None trains `max_epochs` epochs and
            keeps the last parameters.
        progress: show a progress bar.

    Returns:
        The `History`.

    Raises:
        ValueError: features, labels or masks are missing or select no node, or the
            model's `num_hops` is too small.
        FloatingPointError: a loss became NaN or infinite; the message names the
            epoch. With `patience`, `model` then holds the best parameters so far.

    Source: Veličković et al., ICLR 2018, section 3.3, and its published code.
    """
    if max_epochs < 1 or (patience is not None and patience < 1):
        raise ValueError(
            f"max_epochs and patience must be at least 1, got {max_epochs}, {patience}"
        )
    _require_labels(graph, graph.train_mask, "train_mask")
    _require_labels(graph, graph.val_mask, "val_mask")
    from tqdm import tqdm

    optimizer = torch.optim.Adam(
        model.parameters(), lr=lr, weight_decay=weight_decay, fused=True
    )
    train_part = _needed(model, graph, "train_mask")
    val_part = _needed(model, graph, "val_mask")
    labels = graph.y[graph.train_mask]
    history = History()
    best_loss, best_accuracy, waited = float("inf"), -1.0, 0
    best_parameters = None
    start = time.perf_counter()
    bar = tqdm(
        range(max_epochs), unit="epoch", leave=False, disable=None if progress else True
    )
    try:
        for epoch in bar:
            model.train()
            optimizer.zero_grad()
            logits = model(train_part, train_part.x)[train_part.train_mask]
            loss = F.cross_entropy(logits, labels)
            _require_finite(loss.item(), "training", epoch, lr)
            loss.backward()
            optimizer.step()

            val = evaluate(model, val_part, val_part.val_mask)
            _require_finite(val.loss, "validation", epoch, lr)
            history.train_loss.append(loss.item())
            history.val_loss.append(val.loss)
            history.val_accuracy.append(val.accuracy)
            if patience is None:
                history.best_epoch = epoch
                continue
            reached = val.loss <= best_loss, val.accuracy >= best_accuracy
            if all(reached):
                history.best_epoch = epoch
                best_parameters = {k: v.clone() for k, v in model.state_dict().items()}
            waited = 0 if any(reached) else waited + 1
            best_loss = min(best_loss, val.loss)
            best_accuracy = max(best_accuracy, val.accuracy)
            if waited == patience:
                break
    finally:
        bar.close()
        history.seconds = time.perf_counter() - start
        if best_parameters is not None:
            model.load_state_dict(best_parameters)
        model.eval()
    return history


def _needed(model: nn.Module, graph: GraphData, name: str) -> GraphData:
    """The part of the graph that decides the outputs of a mask's nodes, if known."""
    hops = getattr(model, "num_hops", None)
    if hops is None:
        return graph
    part = graph.receptive_field(getattr(graph, name), hops)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        whole, fewer = (model(g, g.x)[getattr(g, name)] for g in (graph, part))
    model.train(was_training)
    scale = float(whole.nan_to_num().abs().max())
    if not torch.allclose(whole, fewer, rtol=1e-3, atol=1e-4 * scale, equal_nan=True):
        raise ValueError(
            f"{type(model).__name__}.num_hops = {hops} is too small: the outputs of "
            f"{name} depend on nodes further away. Set it to the number of layers that "
            "pass messages, or to None to train on the whole graph in every step"
        )
    return part


def _require_finite(loss: float, part: str, epoch: int, lr: float) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the {part} loss is {loss} at epoch {epoch}: try a smaller learning rate "
            f"than {lr}, or look for extreme features"
        )


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


class Runs(list[Run]):
    """Finished runs of one model, one per seed."""

    @property
    def test_accuracies(self) -> list[float]:
        """Test accuracy of each run, in percent."""
        return [run.test_accuracy for run in self]

    @property
    def mean(self) -> float:
        """Mean test accuracy, in percent."""
        return statistics.mean(self.test_accuracies)

    @property
    def std(self) -> float:
        """Standard deviation over seeds (n - 1), in percent; NaN for one run."""
        return statistics.stdev(self.test_accuracies) if len(self) > 1 else float("nan")

    def __str__(self) -> str:
        return f"{self.mean:.1f} ± {self.std:.1f} % ({len(self)} seeds)"


def run_seeds(
    make_model: Callable[[], nn.Module],
    graph: GraphData,
    seeds: Iterable[int],
    *,
    workers: int = 1,
    threads: int | None = None,
    path: str | os.PathLike | None = None,
    about: Mapping | None = None,
    progress: bool = True,
    **fit_options,
) -> Runs:
    """Train a fresh model for each seed and test it once.

    Args:
        make_model: builds a model; called after the seed is set, so that initial
            parameters and dropout depend on the seed alone.
        graph: with features, labels and the three masks.
        seeds: the random seeds.
        workers: processes that train side by side; useful on a CPU with several
            cores. Leave it at 1 on a GPU.
        threads: of each run; by default one if there are several workers, else those
            that PyTorch uses now. With the number fixed, no run depends on `workers`.
        path: a JSON file that receives every finished run at once. Runs found there
            are not repeated, so an interrupted experiment goes on where it stopped.
        about: what else the file at `path` says of the experiment, plain values by
            name. They must not differ either, except for "command".
        progress: show a progress bar; it counts the runs found in `path` as well.
        **fit_options: handed to `fit`.

    Returns:
        The finished `Runs`, in the order of `seeds`. Interrupting from the keyboard
        returns those that are finished, with a warning.

    Raises:
        ValueError: no seeds or a seed twice, no workers, labels or masks are
            missing, or `path` holds runs of another model, other data or options,
            or says otherwise than `about`.
        FloatingPointError: a run diverged; the finished runs are in `path`, and in
            the error's attribute `finished`.
    """
    seeds = _distinct(seeds)
    _require_labels(graph, graph.test_mask, "test_mask")
    about = _describe(make_model, graph, fit_options, about or {}) if path else {}
    finished = {run.seed: run for run in _read_runs(path, about)} if path else {}
    tasks = [
        ("", make_model, graph, seed, fit_options)
        for seed in seeds
        if seed not in finished
    ]

    def keep(_: str, run: Run) -> None:
        finished[run.seed] = run
        if path:
            _write_runs(path, about, [finished[seed] for seed in sorted(finished)])

    def in_order() -> Runs:
        return Runs(finished[seed] for seed in seeds if seed in finished)

    found = len(seeds) - len(tasks)
    _train_all(tasks, keep, in_order, workers, progress, threads, found)
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
            `run_seeds`, and options of `fit` that are this experiment's own.
        seeds: the random seeds.
        workers: as for `run_seeds`.
        progress: show a progress bar.
        **fit_options: handed to `fit` in all experiments.

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
        _require_labels(graph, graph.test_mask, "test_mask")
        options = {**fit_options, **own}
        tasks += [(name, make_model, graph, seed, options) for seed in seeds]
    finished = {}

    def keep(name: str, run: Run) -> None:
        finished[name, run.seed] = run

    def in_order() -> dict[str, Runs]:
        return {
            name: Runs(finished[name, s] for s in seeds if (name, s) in finished)
            for name in experiments
        }

    _train_all(tasks, keep, in_order, workers, progress)
    return in_order()


def _distinct(seeds: Iterable[int]) -> list[int]:
    seeds = [int(seed) for seed in seeds]
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must be different numbers, at least one; got {seeds}")
    return seeds


def _train_all(
    tasks: list[tuple],
    keep: Callable[[str, Run], None],
    finished: Callable,
    workers: int,
    progress: bool,
    threads: int | None = None,
    found: int = 0,
) -> None:
    """Run all tasks on the workers and hand each finished run to `keep`.

    `found` runs more were finished before; the progress bar counts them.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    from joblib import Parallel, delayed
    from tqdm import tqdm

    threads_before = torch.get_num_threads()
    if threads is None:
        threads = 1 if workers > 1 else threads_before
    jobs = Parallel(n_jobs=workers, return_as="generator_unordered")(
        delayed(_run_beside if workers > 1 else _run_one)(*task, threads)
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


def _run_beside(*task) -> tuple[str, Run]:
    """`_run_one`; a worker leaves Ctrl-C to its parent, which ends it."""
    with suppress(ValueError):  # not the main thread, which alone hears signals
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return _run_one(*task)


def _run_one(
    name: str,
    make_model: Callable[[], nn.Module],
    graph: GraphData,
    seed: int,
    fit_options: dict,
    threads: int,
) -> tuple[str, Run]:
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    model = make_model().to(graph.device)
    history = fit(model, graph, progress=False, **fit_options)
    run = Run(
        seed=seed,
        test_accuracy=evaluate(model, graph, graph.test_mask).accuracy,
        val_accuracy=evaluate(model, graph, graph.val_mask).accuracy,
        epochs=history.epochs,
        best_epoch=history.best_epoch,
        seconds=history.seconds,
        history=history,
        model=model,
    )
    return name, run


def _describe(make_model, graph: GraphData, fit_options: dict, more: Mapping) -> dict:
    """What decides a run besides its seed: model, data, options of `fit`, `more`."""
    parameters = inspect.signature(fit).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    options = {**defaults, **fit_options}
    del options["progress"]
    model = make_model()
    shapes = {name: list(p.shape) for name, p in model.named_parameters()}
    checksum = hashlib.sha256()
    masks = graph.train_mask, graph.val_mask, graph.test_mask
    for tensor in (graph.src, graph.dst, graph.y, *masks):
        checksum.update(tensor.cpu().numpy().tobytes())
    x = graph.x.to_dense() if sparse.is_csr(graph.x) else graph.x
    checksum.update(x.cpu().numpy().tobytes())
    about = {
        "model": repr(model),
        "parameters": shapes,
        "graph": repr(graph),
        "data": checksum.hexdigest(),
        "options": options,
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


def _read_runs(path: str | os.PathLike, about: dict) -> Sequence[Run]:
    path = Path(path)
    if not path.exists():
        return []
    found, runs = read_file(path)
    keys = [key for key in {**about, **found} if key != "command"]
    different = [key for key in keys if found.get(key) != about.get(key)]
    if different:
        raise ValueError(
            f"{path} holds runs of another experiment: its {', '.join(different)} "
            f"differs (there {found.get(different[0])!r}, here "
            f"{about.get(different[0])!r}). Choose another path"
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
        return about, Runs(Run(**run) for run in stored["runs"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not a file of runs ({error}); move it away or choose another "
            "path"
        ) from error


def _write_runs(path: str | os.PathLike, about: dict, runs: Iterable[Run]) -> None:
    records = []
    for run in runs:
        record = asdict(Run(**{**vars(run), "history": None, "model": None}))
        del record["history"], record["model"]
        records.append(record)
    write_json(path, {"about": about, "runs": records})


def write_json(path: str | os.PathLike, content: dict) -> None:
    """Write a file whole or not at all: a killed process leaves the old one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    unfinished.write_text(json.dumps(content, indent=1), encoding="utf-8")
    os.replace(unfinished, path)


def _require_labels(graph: GraphData, mask: Tensor | None, name: str) -> None:
    if graph.x is None or graph.y is None:
        missing = "x" if graph.x is None else "y"
        raise ValueError(f"{graph.name} has no {missing}: training needs x and y")
    if graph.y.dim() != 1:
        raise ValueError(
            f"y must hold one class per node, [N]; got {list(graph.y.shape)}"
        )
    if mask is None or not bool(mask.any()):
        raise ValueError(f"{name} of {graph.name} selects no node")
    if mask.dtype != torch.bool or mask.shape != (graph.num_nodes,):
        raise ValueError(
            f"{name} must be a bool vector [{graph.num_nodes}], got {mask.dtype} "
            f"{list(mask.shape)}"
        )
    if graph.y.is_floating_point() or bool((graph.y[mask] < 0).any()):
        raise ValueError(
            f"the labels of {name} must be classes 0, 1, …; got "
            f"{graph.y.dtype} with minimum {graph.y[mask].min().item()}"
        )
