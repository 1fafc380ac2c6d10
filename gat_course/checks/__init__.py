"""Checks of the exercises; every chapter's starter cells call `exercise`.

A check compares an answer with a closed form or a property, says what is wrong in
terms of the question, and never shows the solution. An answer may be on any device and
of any kind of numbers: it is compared on the CPU.
"""

from contextlib import nullcontext
from typing import Any

import torch

from gat_course.checks import (  # noqa: F401
    chapter_01,
    chapter_02,
    chapter_03,
    chapter_04,
    chapter_05,
    chapter_06,
    chapter_09,
)
from gat_course.checks.answers import _CHECKS, _NotDone, _Wrong


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
    """
    if number not in _CHECKS:
        raise KeyError(f"no exercise {number!r}; there are {', '.join(_CHECKS)}")
    try:
        if all(a is None for a in answer):
            raise _NotDone
        # Leave the reader's seed alone, and hand over tensors on the CPU whatever the
        # reader's default device.
        elsewhere = torch.get_default_device().type != "cpu"
        on_cpu = torch.device("cpu") if elsewhere else nullcontext()
        with torch.random.fork_rng(devices=[]), on_cpu:
            _CHECKS[number](*answer)
    except _NotDone:
        print(f"Exercise {number}: not done yet.")
    except _Wrong as reason:
        print(f"Exercise {number}: not right yet. {reason}")
    else:
        print(f"Exercise {number}: right.")
        return True
    return False
