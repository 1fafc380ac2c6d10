"""Checks of the exercises; every chapter's starter cells call `exercise`.

A check compares an answer with a closed form or a property, says what is wrong in
terms of the question, and never shows the solution. An answer may be on any device and
of any kind of numbers: it is compared on the CPU. A chapter's file is imported when the
first of its exercises is asked for.
"""

from contextlib import nullcontext
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import torch

from gat_course.checks.answers import CHECKS, NotDone, Wrong

_FILES = [file.name for file in iter_modules(__path__)]
_CHAPTERS = {f"{int(f[8:])}": f for f in _FILES if f.startswith("chapter_")}


def exercise(number: str, *answer: Any) -> bool:
    """Check an answer and print the verdict.

    Args:
        number: the exercise, such as "1.2".
        *answer: what the starter cell hands over: values or a function.

    Returns:
        Whether the answer is right.

    Raises:
        KeyError: there is no such exercise.
        Exception: whatever the answer's own code raises, with its traceback.

    >>> checks.exercise("1.2", None)
    Exercise 1.2: not done yet.
    False
    """
    chapter = str(number).partition(".")[0]
    there = f"exercises of chapters {', '.join(_CHAPTERS)}"
    if chapter in _CHAPTERS:
        import_module(f"{__name__}.{_CHAPTERS[chapter]}")
        there = ", ".join(n for n in CHECKS if n.startswith(f"{chapter}."))
    if number not in CHECKS:
        raise KeyError(f"no exercise {number!r}; there are {there}")
    verdict = "right."
    try:
        if all(a is None for a in answer):
            raise NotDone
        # Leave the reader's seed alone, and hand over tensors on the CPU whatever the
        # reader's default device.
        elsewhere = torch.empty(0).device.type != "cpu"
        on_cpu = torch.device("cpu") if elsewhere else nullcontext()
        with torch.random.fork_rng(devices=[]), on_cpu:
            CHECKS[number](*answer)
    except NotDone:
        verdict = "not done yet."
    except Wrong as reason:
        verdict = f"not right yet. {reason}"
    print(f"Exercise {number}: {verdict}")
    return verdict == "right."
