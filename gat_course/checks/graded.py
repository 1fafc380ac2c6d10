"""An answer graded: what the tests of the assignments call.

`agree("A1.3", weights)` tries an answer on the inputs that its check shows to students,
`agree("A1.3", weights, "large scores")` on inputs of one kind that are drawn anew. The
hint of a known mistake, if one explains all of them, is what the student reads.
"""

import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from gat_course import checks
from gat_course.checks import guard
from gat_course.checks.question import QUESTIONS, Case
from gat_course.checks.trial import Trial

TRIES = 6  # inputs of a kind
SEED = "GAT_COURSE_GRADING_SEED"  # graders set it: nobody knows the inputs before


def agree(number: str, answer: Callable | None, kind: str = "") -> None:
    """Say nothing if an answer is right.

    Args:
        number: the question, such as "A1.3".
        answer: the student's function; None where there is none.
        kind: which inputs, one of the question's `drawn`; by default the check's.

    Raises:
        AssertionError: the answer is wrong; says how.
        KeyError: there is no such question, or no such kind.
    """
    checks.load(number)
    question = QUESTIONS[number]
    if kind:
        question = replace(question, cases=_cases(question.drawn[kind], number, kind))
    if not callable(answer):
        raise AssertionError(f"`{question.name}` is not defined, or no function.")
    with guard.settings():
        trial = Trial(question, answer, lambda call: None)
        trial.run()
        wrong = trial.wrong()
        if not wrong:
            return
        raise AssertionError(_why(trial, wrong, kind))


def _cases(
    draw: Callable[[torch.Generator], tuple], number: str, kind: str
) -> list[Case]:
    secret = os.environ.get(SEED, "0")
    seed = zlib.crc32(f"{secret}/{number}/{kind}".encode())
    generator = torch.Generator().manual_seed(seed)
    return [Case(draw(generator)) for _ in range(TRIES)]


def _why(trial: Trial, wrong: list[int], kind: str) -> str:
    first: Any = trial.outcomes[wrong[0]]
    where = f"Wrong on inputs of this kind: {kind}. " if kind else ""
    if all(outcome.blank for outcome in trial.outcomes):
        return "Not done: it returns nothing."
    hint = trial.known() if not any(o.blank for o in trial.outcomes) else ""
    if hint or first.form or first.error:
        return where + (hint or first.form or first.error)
    return where or "Wrong on the inputs that the check shows."
