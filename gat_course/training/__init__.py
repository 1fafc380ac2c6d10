"""Training: one graph with masks (`fit`), many graphs (`fit_graphs`), several seeds."""

from gat_course.training import links, whole_graphs  # both make known what they train
from gat_course.training import many_graphs as inductive
from gat_course.training.history import Evaluation, History
from gat_course.training.one_graph import evaluate, fit
from gat_course.training.runs import compare, run_seeds

__all__ = [
    "Evaluation",
    "History",
    "compare",
    "evaluate",
    "fit",
    "inductive",
    "links",
    "run_seeds",
    "whole_graphs",
]
