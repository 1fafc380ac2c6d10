"""A training in a file: written while it runs, read to go on (chapter 6)."""

import copy
import io
import math
import os
import zipfile
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from gat_course import __version__
from gat_course.files import sweep, whole
from gat_course.training.history import Evaluation, LabelEvaluation
from gat_course.training.tasks import Task

EVERY = 30  # seconds


def about(model: nn.Module, task: Task, options: dict) -> dict[str, object]:
    """What decides a training, and so must be the same where it goes on."""
    options = {name: _plain(v) for name, v in (options | task.options).items()}
    described = task.describe(model, options, torch.get_num_threads())
    versions = f"gat_course {__version__}, torch {torch.__version__}"
    return described | {"versions": versions}


def _plain(value: object) -> object:
    """A number of NumPy or PyTorch as one of Python, which any checkpoint can hold."""
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value.item() if getattr(value, "ndim", None) == 0 else value


class State:
    """All that a training goes on from."""

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, task: Task
    ) -> None:
        self.model, self.optimizer, self.task = model, optimizer, task
        self.device = task.data.device
        self.on_gpu = self.device.type == "cuda"
        self.history = task.history()
        self.best_loss, self.best_score, self.waited = math.inf, -math.inf, 0
        self.best: dict[str, object] | None = None

    def keep(
        self, loss: float, val: Evaluation | LabelEvaluation, patience: int | None
    ) -> None:
        """Take note of an epoch, and of its parameters if they are the best."""
        history = self.history
        history.train_loss.append(loss)
        history.val_loss.append(val.loss)
        history.val_score.append(val.score)
        if val.seen_f1 is not None:
            history.val_seen_f1.append(val.seen_f1)
        if patience is None:
            history.best_epoch = history.epochs - 1
            return
        kept, better = self.task.judge(val, self.best_loss, self.best_score)
        if kept:
            history.best_epoch = history.epochs - 1
            self.best = {
                name: v.clone() if isinstance(v, Tensor) else copy.deepcopy(v)
                for name, v in self.model.state_dict().items()
            }
        self.waited = 0 if better else self.waited + 1
        self.best_loss = min(self.best_loss, val.loss)
        self.best_score = max(self.best_score, val.score)

    def write(self, path: str | os.PathLike, about: dict) -> None:
        """Put everything into a file, which is whole at every moment."""
        content = {
            "about": about,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": asdict(self.history),
            "best": self.best,
            "stopping": [self.best_loss, self.best_score, self.waited],
            "random": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if self.on_gpu else None,
        }
        sweep(path)  # what a killed process left beside it
        with whole(path) as unfinished:
            torch.save(content, unfinished)

    def read(self, path: str | os.PathLike, about: dict, max_epochs: int) -> None:
        """Go on from a file.

        Raises:
            ValueError: it is damaged, belongs to another training than `about` tells
                of, or is beyond `max_epochs`.
        """
        content = _intact(path)
        found = content["about"]
        different = [key for key in about if found.get(key) != about[key]]
        if different:
            there = {key: found.get(key) for key in different}
            here = {key: about[key] for key in different}
            values = f" (there {there}, here {here})"
            if {"model", "parameters", "graph", "data"} & set(different):
                values = ""  # they are long
            raise ValueError(
                f"{path} is the checkpoint of another training: its "
                f"{', '.join(different)} differs{values}. Move it away or choose "
                "another file"
            )
        try:
            self._restore(content)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(_damaged(path)) from error
        if self.history.epochs > max_epochs:
            raise ValueError(
                f"{path} is already at epoch {self.history.epochs}, beyond max_epochs "
                f"= {max_epochs}; move it away or allow more epochs"
            )

    def _restore(self, content: dict) -> None:
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.history = self.task.history(**content["history"])
        self.best_loss, self.best_score, self.waited = content["stopping"]
        if content["best"] is not None:
            self.best = {
                name: value.to(self.device) if isinstance(value, Tensor) else value
                for name, value in content["best"].items()
            }
        torch.set_rng_state(content["random"])
        if self.on_gpu and content["cuda"] is not None:
            torch.cuda.set_rng_state(content["cuda"], self.device)


def _intact(path: str | os.PathLike) -> dict:
    file = io.BytesIO(Path(path).read_bytes())
    try:
        with zipfile.ZipFile(file) as archive:  # PyTorch compares no checksums
            intact = archive.testzip() is None
        file.seek(0)
        content = torch.load(file, map_location="cpu", weights_only=True)
        content["about"] = dict(content["about"])
    except Exception as error:  # what a damaged file can raise is not documented
        raise ValueError(_damaged(path)) from error
    if not intact:
        raise ValueError(_damaged(path))
    return content


def _damaged(path: str | os.PathLike) -> str:
    return (
        f"{path} is not a checkpoint, or a damaged one; move it away, and the run "
        "starts again from its beginning"
    )
