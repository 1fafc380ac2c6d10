"""Checks of the exercises; every chapter's starter cells call `exercise`.

A check tries an answer on small inputs and says one of three things: not done yet,
right, or which mistake it is, with the smallest input that shows it, what came out and
what should have. It never shows the solution, raises nothing, and changes nothing in
the session. A chapter's file is imported when its first exercise is asked for.
"""

import sys
from functools import partial
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from gat_course.checks import guard
from gat_course.checks.judge import BLANK, RIGHT, verdict
from gat_course.checks.question import QUESTIONS

_FILES = [file.name for file in iter_modules(__path__)]
_LAST: dict[str, str] = {}  # what was said of each exercise
_CHAPTERS: dict[str, list[str]] = {}  # of assignments, too: "A1"
for _file in _FILES:
    if _file.startswith("chapter_"):
        _CHAPTERS.setdefault(f"{int(_file[8:10])}", []).append(_file)
    elif _file.startswith("assignment_"):
        _CHAPTERS[f"A{_file[11:]}"] = [_file]


def exercise(number: str, *answer: Any, seconds: float = 20.0) -> bool:
    """Check an answer and print the verdict.

    Args:
        number: the exercise, such as "1.2".
        *answer: what the starter cell hands over: values or functions.
        seconds: how long one call of the answer may take; more on a slow machine.

    Returns:
        Whether the answer is right.

    >>> checks.exercise("1.2", None)
    Exercise 1.2: not done yet.
    False
    """
    number = str(number)
    chapter = number.partition(".")[0]
    listed = sorted(filter(str.isdecimal, _CHAPTERS), key=int)
    there = f"exercises of chapters {', '.join(listed)}"
    load(number)
    if chapter in _CHAPTERS:
        there = ", ".join(n for n in QUESTIONS if n.startswith(f"{chapter}."))
    if number not in QUESTIONS:
        print(f"There is no exercise {number!r} with a check; there are {there}.")
        return False
    if not (isinstance(seconds, (int, float)) and seconds > 0):
        seconds = 20.0
    said = guard.run(partial(verdict, QUESTIONS[number], answer), seconds)
    said = said.encode("utf-8", "replace").decode()
    _say(f"Exercise {number}: {said}")
    if _LAST.get(number) == said and said not in (RIGHT, BLANK):
        _say("  (The same as at the last check: what you changed did not reach it.)")
    _LAST[number] = said
    return said == RIGHT


def load(number: str) -> None:
    """Make the question of an exercise, and those beside it, if there is one."""
    with guard.settings():  # the inputs are made now: whatever the reader has set
        for file in _CHAPTERS.get(number.partition(".")[0], []):
            import_module(f"{__name__}.{file}")


def _say(text: str) -> None:
    """Print, also where the terminal knows fewer letters, or there is none."""
    try:
        print(text)
    except UnicodeEncodeError:
        print(text.encode("ascii", "replace").decode())
    except (AttributeError, ValueError):
        sys.__stderr__.write(f"{text}\n")
