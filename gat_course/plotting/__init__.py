"""Figures in one style: graphs, attention, histograms, curves (all chapters).

Every function makes a figure sized for a phone and returns its axes; graphs, matrices
and neighbourhoods can also be drawn into axes of yours, made inside `style()`. The
background is white in dark mode too. Classes differ in colour, lightness and marker;
heavier edges are wider and darker. So every figure can be read in grey. Nothing here
changes matplotlib's global settings.
"""

from gat_course.plotting import diagrams
from gat_course.plotting.attention import (
    attention_matrix,
    entropy_histogram,
    relative_entropy_histogram,
    weight_histogram,
)
from gat_course.plotting.graphs import attention_neighbourhood, draw_graph, embedding
from gat_course.plotting.look import (
    CLASS_COLOURS,
    CLASS_MARKERS,
    INK,
    WEIGHT_MAP,
    style,
)
from gat_course.plotting.results import (
    accuracy_comparison,
    degree_histogram,
    learning_curves,
    scaling,
)

__all__ = [
    "CLASS_COLOURS",
    "CLASS_MARKERS",
    "INK",
    "WEIGHT_MAP",
    "accuracy_comparison",
    "attention_matrix",
    "attention_neighbourhood",
    "degree_histogram",
    "diagrams",
    "draw_graph",
    "embedding",
    "entropy_histogram",
    "learning_curves",
    "relative_entropy_histogram",
    "scaling",
    "style",
    "weight_histogram",
]
