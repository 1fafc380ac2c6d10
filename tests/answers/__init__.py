"""Right and wrong answers to the exercises: a set on which to test a grader.

`@right("1.2")` and `@wrong("1.2", idea, hint)` enter a function as an answer. `idea` is
what the learner believes, `hint` is part of what a good grader says. With `made=True`
the function takes nothing and returns what the starter cell hands over: values, or
several functions.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """An answer to an exercise."""

    number: str
    is_right: bool
    idea: str
    hint: str
    given: tuple[Any, ...]  # what `checks.exercise` gets after the number
    name: str


ANSWERS: list[Answer] = []


def _enter(number: str, is_right: bool, idea: str, hint: str, made: bool) -> Callable:
    def enter(function: Callable) -> Callable:
        given = tuple(function()) if made else (function,)
        name = f"{number}-{function.__name__}"
        ANSWERS.append(Answer(number, is_right, idea, hint, given, name))
        return function

    return enter


def right(number: str, *, made: bool = False) -> Callable:
    return _enter(number, True, "", "", made)


def wrong(number: str, idea: str, hint: str, *, made: bool = False) -> Callable:
    return _enter(number, False, idea, hint, made)


def load() -> list[Answer]:
    """The answers of all chapters."""
    for path in sorted(Path(__file__).parent.glob("chapter_*.py")):
        import_module(f"{__name__}.{path.stem}")
    return ANSWERS
