"""The verdict on an answer: tried on every input, compared, explained."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gat_course import BOOK
from gat_course.checks import guard, reading, showing
from gat_course.checks.question import Question, changed, left_on
from gat_course.checks.trial import Trial, described

RIGHT, BLANK = "right.", "not done yet."
PAGES = {
    "1": "01-attention",
    "2": "02-dense",
    "3": "03-message-passing",
    "4": "04-heads",
    "5": "05-cora",
    "6": "06-ppi",
    "7": "07-variants",
    "8": "08-pooling",
    "9": "09-fast",
    "10": "10-large",
}


def verdict(question: Question, answers: Sequence[Any], report: guard.Report) -> str:
    """The verdict on an answer, without the exercise's number."""
    early = _before_calling(question, answers)
    if early:
        return early
    answer = answers[0] if len(answers) == 1 else tuple(answers)
    trial = Trial(question, answer, report)
    trial.run()
    if all(outcome.blank for outcome in trial.outcomes):
        printed = any(outcome.printed for outcome in trial.outcomes)
        if not printed:
            return BLANK
        return "not right yet. It prints its result; return it instead."
    wrong = trial.wrong()
    if wrong:
        return f"not right yet. {_explained(trial, wrong)}"
    spoiled = _spoiled(trial)
    if spoiled:
        return f"not right yet. {spoiled}"
    for limit in question.limits:
        report("the answer on a further input")
        try:
            with guard.captured():
                hint = limit(answer)
        except Exception as error:
            hint = f"On a further input {described(error, answer)}."
        if hint:
            return f"not right yet. {hint}{_pointer(question, hint)}"
    return RIGHT


def _before_calling(question: Question, answers: Sequence[Any]) -> str:
    """What can be said without a call."""
    asked = len(question.names) or 1
    if len(answers) != asked:
        return f"not right yet. Hand over {asked} answers, not {len(answers)}."
    if all(_empty(a) for a in answers):
        return BLANK
    names = question.names or (question.name,)
    for name, answer in zip(names, answers, strict=True):
        if _empty(answer) or _partly(answer):
            return f"not right yet. `{name}` is not filled in yet: there is a None."
    if question.given:
        return ""
    for name, answer in zip(names, answers, strict=True):
        if not callable(answer):
            return (
                f"not right yet. `{name}` should be a function, not "
                f"{reading.kind(answer)}: hand it over without calling it."
            )
    if len(answers) == 1:
        return _unfit(question, answers[0])
    return ""


def _unfit(question: Question, answer: Callable) -> str:
    """A function that cannot be called with these arguments."""
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):
        return ""
    for case in question.cases:
        try:
            signature.bind(*case.args)
        except TypeError:
            if question.call is not type(question).__dataclass_fields__["call"].default:
                return ""
            takes = ", ".join(question.parameters)
            return (
                f"not right yet. It is called with {len(case.args)} arguments, "
                f"({takes}), and yours takes {signature}."
            )
    return ""


def _empty(answer: Any) -> bool:
    if isinstance(answer, (list, tuple)) and answer:
        return all(_empty(a) for a in answer)
    return answer is None or answer is ...


def _partly(answer: Any) -> bool:
    return isinstance(answer, (list, tuple)) and any(a is None for a in answer)


def _explained(trial: Trial, wrong: list[int]) -> str:
    """The mistake, the smallest input that shows it, and where to read."""
    first = trial.outcomes[wrong[0]]
    hint = ""
    if all(not o.blank for o in trial.outcomes):
        hint = trial.known()
    if not hint and first.form:
        hint = first.form
    if not hint and any(outcome.blank for outcome in trial.outcomes):
        hint = "It returns nothing here: does every branch have its `return`?"
    if not hint and first.error:
        hint = f"{_raises(first.error)} {next(trial.where(), '')}".strip()
    if not hint and not trial.question.given:
        hint = _unsteady(trial, wrong) or trial.pattern()
    hint = hint or _misshaped(trial) or _spoils(trial) or _counted(trial, wrong)
    return f"{hint}\n{_mismatch(trial, wrong[0])}{_pointer(trial.question, hint)}"


def _raises(error: str) -> str:
    """An error in a sentence."""
    if "allocate memory" in error:
        return "It asks for more than 4 GB of memory."
    kind = error.split(":")[0].split("\n")[0]
    return f"{kind[0].upper()}{kind[1:]}."


def _counted(trial: Trial, wrong: list[int]) -> str:
    if trial.question.given:
        return "It is not what is asked for."
    return f"It is wrong on {len(wrong)} of {len(trial.outcomes)} inputs, first on"


def _spoils(trial: Trial) -> str:
    """A wrong answer that also changes what it is given."""
    question = trial.question
    for case, outcome in zip(question.cases, trial.outcomes, strict=False):
        for name, old, new in zip(
            question.parameters, case.given(), outcome.args, strict=False
        ):
            if changed(old, new):
                return f"It writes into `{name}`, which it is given: work on a copy."
    return ""


def _misshaped(trial: Trial) -> str:
    for outcome, right in zip(trial.outcomes, trial.expected, strict=False):
        got, asked = outcome.read, right.read
        if isinstance(got, Tensor) and isinstance(asked, Tensor):
            if got.shape != asked.shape:
                have = f"it has {list(got.shape)}" if got.dim() else "it is one number"
                if not asked.dim():
                    return f"The result should be one number; {have}."
                return f"The result should have shape {list(asked.shape)}; {have}."
    return ""


def _unsteady(trial: Trial, wrong: list[int]) -> str:
    """Calls that differ: something random is left in."""
    for k in [*wrong[:2], *wrong[-1:]] * 2:
        before = trial.outcomes[k]
        again = trial.attempt(trial.question.cases[k])
        if before.fine and again.fine and not again.same_as(before, 1e-9):
            return (
                "Called twice with the same input it gives two results: is there "
                "something random in it, such as dropout?"
            )
    return ""


def _mismatch(trial: Trial, place: int) -> str:
    """The call, what came out, and what should have."""
    question, case = trial.question, trial.question.cases[place]
    outcome, right = trial.outcomes[place], trial.expected[place]
    if question.given:
        call = question.given
    else:
        call = showing.call(trial.name, question.parameters, case.args)
    digits = 4
    asked = showing.literal(right.raw, digits, dtype=False)
    word = "gave"
    if outcome.error:
        word, gave = "raised", outcome.error.removeprefix("it raises ")
    elif outcome.blank:
        gave = "None"
    else:
        gave = showing.literal(outcome.raw, digits, dtype=False)
        if gave == asked:
            gave = showing.literal(outcome.raw, 8, dtype=False)
            asked = showing.literal(right.raw, 8, dtype=False)
    lines = [f"    {line}" for line in call.split("\n")]
    shown = [(word, gave)] + [("expected", asked)] * (not question.given)
    for word, text in shown:
        first, *rest = text.split("\n")
        lines += [f"  {word:9}{first}", *(f"{'':11}{line}" for line in rest)]
    return "\n".join([*lines, *_wrong_rows(outcome.read, right.read)])


def _wrong_rows(got: Any, asked: Any) -> list[str]:
    """Which rows of a table differ, where not all of them do."""
    if not (isinstance(got, Tensor) and isinstance(asked, Tensor)):
        return []
    if got.shape != asked.shape or got.dim() != 2 or len(got) < 2:
        return []
    off = ~torch.isclose(got, asked, rtol=1e-4, atol=1e-4, equal_nan=True).all(dim=1)
    rows = off.nonzero()[:, 0].tolist()
    if not rows or len(rows) == len(got):
        return []
    numbers = ", ".join(map(str, rows))
    return [f"  differs  in row{'s' * (len(rows) > 1)} {numbers}, counted from 0"]


def _spoiled(trial: Trial) -> str:
    """What an answer that is right did to its arguments."""
    question = trial.question
    for case, outcome in zip(question.cases, trial.outcomes, strict=True):
        before = case.given()
        for name, old, new in zip(
            question.parameters, before, outcome.args, strict=False
        ):
            if not changed(old, new):
                continue
            call = showing.call(trial.name, question.parameters, case.args)
            if hasattr(old, "ndata"):
                hint = f"The graph: {left_on(old, new)}. Work in a local_scope."
                was, now = "", ""
            else:
                hint = f"You write into `{name}`, which you are given: work on a copy."
                was, now = showing.literal(old), showing.literal(new)
            lines = [f"The result is right. {hint}"]
            lines += [f"    {line}" for line in call.split("\n")]
            if was:
                lines += [f"  {name} was      {was}", f"  {name} is now   {now}"]
            return "\n".join(lines) + _pointer(question)
    return ""


def _pointer(question: Question, hint: str = "") -> str:
    """Where in the book to read about it."""
    chapter = question.chapter or question.number.partition(".")[0]
    words = (word for word in question.elsewhere if word in hint)
    section = question.elsewhere.get(next(words, ""), question.section)
    anchor = "".join(c if c.isalnum() else "-" for c in section.lower())
    anchor = "-".join(filter(None, anchor.split("-"))).lstrip("-0123456789")
    page = f"{BOOK}/{PAGES[chapter]}.html#{anchor}"
    shown = section if '"' in section else f'"{section}"'
    shown = shown.replace("$N^2$", "N²")
    return f"\n  Read: chapter {chapter}, {shown}\n  {page}"
