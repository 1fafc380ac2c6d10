"""A question: what is right, on which inputs it is tried, and which mistakes are known.

The right answer is written here once more, plainly and in float64, and does not call
what the chapter builds. Its keyword arguments make the known mistakes, so that two
mistakes at once can be named as well.
"""

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gat_course.checks import reading, showing
from gat_course.graph import GraphData


class Holds:
    """A mistake that is told by what an answer does, not by what it returns.

    Args:
        claim: gets the value that came out and what the function was given; if it holds
            on every input on which the answer is wrong, the answer shows the mistake.
    """

    def __init__(self, claim: Callable[..., bool]) -> None:
        self.claim = claim

    def __call__(self, value: Any, *given: Any) -> bool:
        return bool(self.claim(value, *given))


Twist = Mapping[str, Any]  # keyword arguments of the right answer that make it wrong
Mistake = Twist | Callable[..., Any]  # or a wrong answer of its own

QUESTIONS: dict[str, "Question"] = {}


class AsDgl:
    """A graph that a function is given as a DGL graph, with a field of the reader's."""

    def __init__(self, graph: GraphData) -> None:
        self.graph = graph

    def given(self) -> Any:
        g = replace(self.graph).dgl()  # a new one: it would be kept
        g.ndata["mine"] = g.in_degrees().float()
        return g

    def plain(self) -> GraphData:
        return self.graph

    def shown(self) -> str:
        return f"{showing.literal(self.graph)}.dgl()"


class Made:
    """Something that cannot be written out: how it is made is shown instead."""

    def __init__(self, text: str, make: Callable[[], Any]) -> None:
        self.text, self.make = text, make

    given = plain = lambda self: self.make()

    def shown(self) -> str:
        return self.text


@dataclass(frozen=True)
class Case:
    """One input: what the function is given, and what is special about it."""

    args: tuple[Any, ...]
    tag: str = ""  # continues "wrong where …"

    def given(self) -> tuple[Any, ...]:
        """The arguments, made anew, so that an answer cannot spoil them."""
        return tuple(
            a.given() if hasattr(a, "given") else copy.deepcopy(a) for a in self.args
        )

    def plain(self) -> tuple[Any, ...]:
        """The same for the right answer."""
        return tuple(
            a.plain() if hasattr(a, "plain") else copy.deepcopy(a) for a in self.args
        )


def case(*args: Any, tag: str = "") -> Case:
    """An input; the smallest come first."""
    return Case(args, tag)


def _call(function: Callable, *args: Any) -> Any:
    return function(*args)


@dataclass(frozen=True)
class Question:
    """An exercise with a check.

    Args:
        number: such as "1.2"; of an assignment, "A1.2".
        right: the right answer.
        section: the heading of the chapter under which it can be read up.
        cases: inputs, the smallest first.
        mistakes: hint → what the mistake is.
        read: how an answer is read.
        call: how an answer is called, if not with a case's arguments.
        limits: what must hold beside the numbers; each gets the answer, and returns a
            hint or None.
        elsewhere: word in a hint → the heading under which that can be read up.
        names: of the starter cell's functions or values, one or several.
        given: for an answer that is a value: what it is computed from.
        chapter: where the section stands; by default that of the number.
        drawn: what graders try beside the cases: of each kind of input, a function from
            a random generator to arguments.
        tolerance: by how much numbers may be off, absolutely and relatively.
    """

    number: str
    right: Callable[..., Any]
    section: str
    cases: Sequence[Case]
    mistakes: Mapping[str, Mistake]
    read: reading.Reader = field(default_factory=reading.tensor)
    call: Callable[..., Any] = _call
    limits: Sequence[Callable[[Any], str | None]] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    given: str = ""
    chapter: str = ""
    drawn: Mapping[str, Callable[[torch.Generator], tuple]] = field(
        default_factory=dict
    )
    tolerance: float = 1e-5

    @property
    def name(self) -> str:
        """What the function is called in the starter cell."""
        return self.names[0] if self.names else self.right.__name__

    @property
    def parameters(self) -> list[str]:
        """The names of the function's arguments; twists are known by name alone."""
        listed = inspect.signature(self.right).parameters.values()
        return [p.name for p in listed if p.kind is p.POSITIONAL_OR_KEYWORD]


def question(number: str, section: str, **options: Any) -> Callable:
    """Make the decorated function the right answer of an exercise; each has one."""

    def enter(right: Callable[..., Any]) -> Callable[..., Any]:
        made = Question(number=number, section=section, right=right, **options)
        before = QUESTIONS.setdefault(number, made)
        where = [(q.right.__module__, q.right.__qualname__) for q in (before, made)]
        if where[0] != where[1]:
            raise ValueError(f"exercise {number} has a check already")
        QUESTIONS[number] = made  # a file that is loaded again
        return right

    return enter


def changed(before: Any, after: Any) -> bool:
    """Whether an answer wrote into one of its arguments."""
    if isinstance(before, Tensor):
        return not reading.alike(before.detach(), after.detach(), 0.0)
    if isinstance(before, GraphData):
        fields = ("src", "dst", *showing.NODES)
        pairs = [(getattr(before, f), getattr(after, f)) for f in fields]
        return any(b is not None and changed(b, a) for b, a in pairs)
    if isinstance(before, (list, tuple)):
        if len(before) != len(after):
            return True
        return any(changed(b, a) for b, a in zip(before, after, strict=True))
    if hasattr(before, "ndata"):  # a DGL graph
        return left_on(before, after) != ""
    if isinstance(before, (int, float, str, bool)):
        return before != after
    return False


def left_on(before: Any, after: Any) -> str:
    """What an answer did to a DGL graph."""
    if before.num_edges() != after.num_edges():
        return "edges were added to it or taken away"
    for kind in ("ndata", "edata"):
        old, new = set(getattr(before, kind)), set(getattr(after, kind))
        if new - old:
            return f"{sorted(new - old)[0]!r} stays behind on it"
        if old - new:
            return f"{sorted(old - new)[0]!r}, which was there, is gone"
    return "" if all(map(_equal, *_fields(before, after))) else "its numbers changed"


def _fields(before: Any, after: Any) -> tuple[list, list]:
    names = list(before.ndata)
    return [before.ndata[n] for n in names], [after.ndata[n] for n in names]


def _equal(a: Tensor, b: Tensor) -> bool:
    return reading.alike(a, b, 0.0)
