"""Graphs to learn from: real ones, checked before they are opened, and made-up ones."""

from gat_course.datasets import counting, download, ppi, puzzles, synthetic
from gat_course.datasets.finding import DatasetUnavailable
from gat_course.datasets.planetoid import load, row_normalize

__all__ = [
    "DatasetUnavailable",
    "counting",
    "download",
    "load",
    "ppi",
    "puzzles",
    "row_normalize",
    "synthetic",
]
