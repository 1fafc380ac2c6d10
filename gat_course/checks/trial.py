"""An answer beside the right one, on every input of a question."""

import inspect
import itertools
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from types import GeneratorType
from typing import Any

from torch import Tensor

from gat_course.checks import guard, patterns, reading, showing
from gat_course.checks.question import Case, Holds, Mistake, Question


@dataclass
class Outcome:
    """What came of one call: a value that can be read, or why there is none."""

    raw: Any = None
    read: Any = None
    form: str = ""  # it cannot be read
    error: str = ""  # it raised
    blank: bool = False  # it returned nothing
    printed: str = ""
    args: tuple[Any, ...] = ()  # the arguments after the call

    @property
    def fine(self) -> bool:
        return not (self.form or self.error or self.blank)

    def same_as(self, other: "Outcome", tolerance: float) -> bool:
        """Whether two outcomes show the same mistake."""
        if self.fine and other.fine:
            return reading.alike(self.read, other.read, tolerance)
        if self.form or other.form:
            return self.form == other.form
        return bool(self.error) and bool(other.error)

    def shows(self, other: "Outcome", right: "Outcome", tolerance: float) -> bool:
        """Whether an answer's outcome is what this mistake gives."""
        if self.fine and other.fine:
            return reading.resembles(other.read, self.read, right.read, tolerance)
        return self.same_as(other, tolerance)


@dataclass
class Trial:
    """An answer beside the right one, on every input of a question."""

    question: Question
    answer: Any
    report: guard.Report
    outcomes: list[Outcome] = field(default_factory=list)

    @cached_property
    def expected(self) -> list[Outcome]:
        question = self.question
        found = [self._plain(question.right, c.plain()) for c in question.cases]
        if not all(outcome.fine for outcome in found):
            raise RuntimeError(f"exercise {question.number} has a case that fails")
        return found

    def _plain(self, function: Callable, args: tuple[Any, ...]) -> Outcome:
        """The outcome of a right answer, or of a known mistake."""
        found = Outcome()
        try:
            found.raw = function(*args)
            found.read = self.question.read(found.raw, *args)
        except reading.Form as form:
            found.form = str(form)
        except Exception as error:
            found.error = type(error).__name__
        return found

    def run(self) -> None:
        """Call the answer on every input."""
        for case in self.question.cases:
            self.outcomes.append(self.attempt(case))
            if self._nothing_at_first():
                return

    def _nothing_at_first(self) -> bool:
        """The starter cell returns nothing, on three inputs at most."""
        blank = [o.blank for o in self.outcomes]
        return len(blank) == 3 and all(blank)

    def attempt(self, case: Case) -> Outcome:
        question, args = self.question, case.given()
        found = Outcome(args=args)
        self.report(showing.call(self.name, question.parameters, case.args))
        with guard.captured() as printed:
            try:
                found.raw = question.call(self.answer, *args)
                if isinstance(found.raw, GeneratorType):
                    found.raw = list(found.raw)
                if found.raw is None or found.raw is ...:
                    found.blank = True
                else:
                    found.read = question.read(found.raw, *case.plain())
            except reading.Form as form:
                found.form = str(form)
            except NotImplementedError:
                found.blank = True
            except (guard.TimeUp, guard.Ended):
                raise
            except SystemExit:
                found.error = "it ends Python"
            except MemoryError:
                found.error = "it takes more than 4 GB of memory"
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                found.error = described(error, self.answer)
        found.printed = printed.getvalue()
        return found

    @property
    def name(self) -> str:
        """What the learner calls the function."""
        own = getattr(self.answer, "__name__", self.question.name)
        return (
            own if isinstance(own, str) and own.isidentifier() else self.question.name
        )

    def wrong(self) -> list[int]:
        """The inputs on which the answer is wrong."""
        tolerance = self.question.tolerance
        pairs = zip(self.outcomes, self.expected, strict=False)
        return [k for k, (o, e) in enumerate(pairs) if not o.same_as(e, tolerance)]

    def known(self) -> str:
        """The hint of the first known mistake, or two, that explain every input."""
        mistakes = self.question.mistakes
        told = {h: m for h, m in mistakes.items() if isinstance(m, Holds)}
        for hint, mistake in mistakes.items():
            if hint not in told and self._explains(mistake):
                return hint
        return self._two() or next((h for h in told if self._explains(told[h])), "")

    def _two(self) -> str:
        """Two known mistakes at once that explain every input."""
        mistakes = self.question.mistakes
        if len(self.question.cases) < 3:
            return ""  # two mistakes could give one result by chance
        twists = [(h, m) for h, m in mistakes.items() if not callable(m)]
        for (one, a), (two, b) in itertools.combinations(twists, 2):
            if not a.keys() & b.keys() and self._explains({**a, **b}):
                return f"Two things at once. {one} And: {two}"
        return ""

    def _explains(self, mistake: Mistake) -> bool:
        right, wrong = self.question.right, set(self.wrong())

        def gives(*args: Any) -> Any:
            if callable(mistake):
                return mistake(*args)
            return right(*args, **mistake)

        silent = shown = 0
        for k, case in enumerate(self.question.cases):
            outcome = self.outcomes[k]
            found = Outcome()
            if not isinstance(mistake, Holds):
                found = self._plain(gives, case.plain())
            if isinstance(mistake, Holds):
                if k not in wrong:
                    continue
                if not outcome.fine or not mistake(outcome.raw, *case.plain()):
                    return False
                shown += 1
            elif k not in wrong and (
                not found.fine or reading.broken(found.read, self.expected[k].read)
            ):
                silent += 1  # someone took care of what breaks the mistake
            elif found.error and not outcome.error:
                silent += 1
            elif found.shows(outcome, self.expected[k], self.question.tolerance):
                shown += k in wrong
            else:
                return False
        return shown > 0 and silent <= len(self.question.cases) / 2

    def pattern(self) -> str:
        """The first pattern that fits every input."""
        for hints in (
            self._patterns(patterns.changes, patterns.factor, patterns.shapes),
            self._ignored(),
            self._echo(),
            self.where(),
            self._patterns(patterns.places),
        ):
            for hint in hints:
                return hint
        return ""

    def _series(self) -> Iterator[tuple[str, patterns.Pairs]]:
        """For each part of the answer: what came out, what should have."""
        both = zip(self.outcomes, self.expected, strict=True)
        reads = [(got.read, right.read) for got, right in both]
        if all(isinstance(got, Tensor) for got, _ in reads):
            yield "", reads
        elif all(isinstance(got, dict) for got, _ in reads):
            for name in reads[0][1]:
                yield name, [(got[name], right[name]) for got, right in reads]

    def _patterns(self, *kinds: Callable) -> Iterator[str]:
        if not all(outcome.fine for outcome in self.outcomes):
            return
        tolerance = self.question.tolerance
        for name, pairs in self._series():
            if not all(isinstance(v, Tensor) for pair in pairs for v in pair):
                continue
            if all(reading.alike(*pair, tolerance) for pair in pairs):
                continue
            before = f"The {name}: " if name else ""
            for pattern in kinds:
                for hint in pattern(pairs, tolerance):
                    yield f"{before}{hint}"

    def _ignored(self) -> Iterator[str]:
        """Arguments that change what is right, but not what comes out."""
        question, cases = self.question, self.question.cases
        fine = [k for k, o in enumerate(self.outcomes) if o.fine]
        counts = all(isinstance(arg, int) for arg in cases[0].args)
        for place, name in enumerate(question.parameters):
            tried = 0
            if name.startswith("num_") and not counts:
                continue  # what is counted would no longer fit it
            for one, two in itertools.permutations(fine[:6], 2):
                if place >= min(len(cases[one].args), len(cases[two].args)):
                    continue
                args = list(cases[one].args)
                args[place] = cases[two].args[place]
                mixed = Case(tuple(args))
                right = self._plain(question.right, mixed.plain())
                if not right.fine or right.same_as(self.expected[one], 1e-3):
                    continue
                found = self.attempt(mixed)
                if not found.fine or reading.broken(found.read, right.read):
                    break
                if not found.same_as(self.outcomes[one], 0.0):
                    break
                tried += 1
            else:
                if tried:
                    yield (
                        f"Your answer does not depend on `{name}`; the right one does."
                    )

    def _echo(self) -> Iterator[str]:
        for place, name in enumerate(self.question.parameters):
            given = [c.plain() for c in self.question.cases]
            if all(
                place < len(args)
                and o.fine
                and isinstance(args[place], Tensor)
                and isinstance(o.read, Tensor)
                and reading.alike(o.read, args[place].double(), 1e-6)
                for args, o in zip(given, self.outcomes, strict=False)
            ):
                yield f"That is `{name}` as it was given."

    def where(self) -> Iterator[str]:
        """Inputs of one kind that alone go wrong."""
        cases, wrong = self.question.cases, set(self.wrong())
        right = len(cases) - len(wrong)
        if right < max(2, len(cases) / 4):
            return  # too few to tell what is special about the others
        names, tags = self.question.parameters, {}
        for k, case in enumerate(cases):
            own = [case.tag] if case.tag else []
            for name, arg in zip(names, case.args, strict=False):
                own += patterns.kinds(f"`{name}`", arg)
            for tag in own:
                tags.setdefault(tag, set()).add(k)
        own = {case.tag for case in cases}
        fits = [tag for tag, of in tags.items() if of == wrong]
        for tag in sorted(fits, key=lambda tag: tag not in own):
            yield (
                f"It is right on {right} of {len(cases)} inputs, and wrong where {tag}."
            )


def described(error: BaseException, answer: Any) -> str:
    """An error of the answer's own, with the line that raised it."""
    try:
        text = str(error).strip().split("\n")[0][:300]
    except Exception:  # an answer's own error may be anything
        text = ""
    named = f"{type(error).__name__}: {text}" if text else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    functions = answer if isinstance(answer, tuple) else (answer,)
    files = {
        f.__code__.co_filename
        for f in map(inspect.unwrap, filter(inspect.isfunction, functions))
    }
    own = [frame for frame in frames if frame.filename in files]
    if own and own[-1].line:
        named += f"\n  in your line {own[-1].lineno}: {own[-1].line}"
    return f"it raises {named}"
