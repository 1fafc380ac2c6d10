"""Training: one graph with masks (`fit`), many graphs (`fit_graphs`), several seeds."""

from gat_course.training import many_graphs as inductive
from gat_course.training.one_graph import Evaluation, History, evaluate, fit

__all__ = ["Evaluation", "History", "evaluate", "fit", "inductive"]
