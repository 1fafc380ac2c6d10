"""Graphs to learn from: the papers', checked before they are opened, and made-up ones.

Chapters 5 and 6 describe them.
"""

from gat_course.datasets import download, ppi, synthetic
from gat_course.datasets.finding import DatasetUnavailable
from gat_course.datasets.planetoid import load, row_normalize

__all__ = [
    "DatasetUnavailable",
    "download",
    "load",
    "ppi",
    "row_normalize",
    "synthetic",
]
