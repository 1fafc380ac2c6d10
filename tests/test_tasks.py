"""The seam of training: a kind of data that the package does not know."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gat_course import GraphData, compare, run_seeds
from gat_course.training.history import Evaluation, History
from gat_course.training.loop import fit_task, predict, require_trainable
from gat_course.training.record import Run, read_file
from gat_course.training.tasks import Task, task_of


@dataclass
class Shapes:
    """Rings and stars: a label for each whole graph."""

    train: list[tuple[GraphData, int]]
    val: list[tuple[GraphData, int]]
    test: list[tuple[GraphData, int]]
    device = torch.device("cpu")

    @property
    def graphs(self):
        return [graph for graph, _ in (*self.train, *self.val, *self.test)]

    def __repr__(self):
        sizes = "/".join(str(len(p)) for p in (self.train, self.val, self.test))
        return f"Shapes({sizes} graphs)"


def shape(size: int, label: int) -> tuple[GraphData, int]:
    node = torch.arange(size)
    other = (node + 1) % size if label else torch.zeros_like(node)
    graph = GraphData.from_edges(node, other, undirected=True, x=torch.ones(size, 1))
    return graph, label


def fit_shapes(model, shapes, *, lr=0.05, max_epochs=60, patience=None, progress=True):
    options = {"lr": lr, "weight_decay": 0.0, "max_epochs": max_epochs}
    options |= {"patience": patience, "progress": progress}
    return fit_task(model, WholeGraphs(shapes), **options)


class WholeGraphs(Task, data=Shapes):
    history, record, fit = History, Run, staticmethod(fit_shapes)

    def prepare(self, model):
        require_trainable(model)

    def batches(self):
        return [(batch, 1) for batch in self.data.train]

    def loss(self, model, batch):
        graph, label = batch
        return F.cross_entropy(model(graph, graph.x), torch.tensor([label]))

    def evaluation(self, model, part):
        logits = torch.cat([predict(model, graph) for graph, _ in part])
        labels = torch.tensor([label for _, label in part])
        hits = (logits.argmax(1) == labels).double().mean()
        return Evaluation(float(F.cross_entropy(logits, labels)), 100 * float(hits))

    def validate(self, model):
        return self.evaluation(model, self.data.val)

    def judge(self, val, best_loss, best_score):
        return val.score >= best_score, val.loss < best_loss

    def require_scores(self):
        if not self.data.test:
            raise ValueError("test has no graph")

    def scores(self, model):
        return {
            "val_accuracy": self.evaluation(model, self.data.val).accuracy,
            "test_accuracy": self.evaluation(model, self.data.test).accuracy,
        }


class DegreeCounter(nn.Module):
    """Logits of the whole graph, `[1, 2]`, from its largest share of the edges."""

    def __init__(self):
        super().__init__()
        self.decide = nn.Linear(1, 2)

    def forward(self, graph, x):
        share = graph.in_degrees.max() / graph.num_edges
        return self.decide(share.view(1, 1) * x[:1])


@pytest.fixture
def shapes():
    sizes = range(6, 16)
    every = [shape(size, label) for size in sizes for label in (0, 1)]
    return Shapes(train=every[::2] + every[1::4], val=every[1:9], test=every[9:])


def test_a_label_of_a_whole_graph_needs_a_task_and_nothing_else(shapes, tmp_path):
    path = tmp_path / "shapes.json"
    runs = run_seeds(DegreeCounter, shapes, [0, 1], path=path, progress=False)
    assert runs.mean > 90 and str(runs).endswith("% (2 seeds)")
    about, stored = read_file(path)
    assert about["graph"] == repr(shapes) and stored.scores == runs.scores
    assert about["options"] == {"lr": 0.05, "max_epochs": 60, "patience": None}
    more = run_seeds(DegreeCounter, shapes, [0, 1, 2], path=path, progress=False)
    assert more.scores[:2] == runs.scores and len(more) == 3
    plans = {"a": {"make_model": DegreeCounter, "graph": shapes}}
    again = compare(plans, [0, 1], progress=False)["a"]
    assert again.scores == runs.scores


def test_a_task_is_asked_before_the_first_run(shapes):
    shapes.test = []
    with pytest.raises(ValueError, match="test has no graph"):
        run_seeds(DegreeCounter, shapes, [0], progress=False)


def test_data_without_a_task_are_refused():
    with pytest.raises(TypeError, match="training takes .*GraphData.*, not list"):
        task_of([])
    with pytest.raises(TypeError, match="not dict"):
        run_seeds(DegreeCounter, {}, [0], progress=False)


PROGRAM = """
import test_tasks
from test_tasks import DegreeCounter, WholeGraphs, shape
from gat_course import run_seeds
from gat_course.training.tasks import _KINDS

class Shapes(test_tasks.Shapes):
    pass

class Mine(WholeGraphs, data=Shapes):
    pass

class Mine(WholeGraphs, data=Shapes):  # the cell once more
    pass

if __name__ == "__main__":
    every = [shape(size, label) for size in range(6, 12) for label in (0, 1)]
    data = Shapes(train=every, val=every, test=every)
    runs = run_seeds(DegreeCounter, data, range(2), workers=2, progress=False)
    print(type(runs[0]).__name__, len(runs), _KINDS[Shapes] is Mine)
"""


def test_a_task_of_a_script_is_known_to_the_processes_beside_it(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(PROGRAM)
    here = str(Path(__file__).parent)
    path = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.split() == ["Run", "2", "True"], done.stderr[-2000:]


def test_the_nearest_kind_of_data_decides_and_each_has_one_task(shapes):
    class Special(Shapes):
        pass

    assert type(task_of(Special([], [], []))) is WholeGraphs
    special = type("SpecialTask", (WholeGraphs,), {}, data=Special)
    assert type(task_of(Special([], [], []))) is special
    assert type(task_of(shapes)) is WholeGraphs
    with pytest.raises(TypeError, match="Special has a task already"):
        type("Another", (WholeGraphs,), {}, data=Special)
