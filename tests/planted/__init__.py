"""Misconceptions planted in solved assignments, and the points that each costs.

`planted("q3", "no mask", code, "the check", "directed graphs")` says that the solved
assignment, with `code` in a cell after its last, loses the points of these two tests of
question 3 and no others.
"""

from importlib import import_module
from typing import NamedTuple


class Planted(NamedTuple):
    """A misconception in an otherwise right submission."""

    question: str
    idea: str
    code: str
    loses: tuple[str, ...]


def planted(question: str, idea: str, code: str, *loses: str) -> Planted:
    """Enter one; `loses` names the tests that it fails."""
    return Planted(question, idea, code, loses)


def load(number: int) -> list[Planted]:
    """Those of an assignment."""
    return import_module(f"{__name__}.assignment_{number}").PLANTED
