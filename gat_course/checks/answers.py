"""What the checks of all chapters share: reading an answer, comparing, the verdict."""

import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gat_course import formulas
from gat_course.graph import GraphData

Hints = dict[str, Any] | None  # hint → what the mistake gives

CHECKS: dict[str, Callable[..., None]] = {}
_named = attrgetter("__module__", "__qualname__")


class NotDone(Exception):
    """The answer is still the starter cell's."""


class Wrong(Exception):
    """The answer is wrong; the message says how."""


def check(number: str) -> Callable:
    """Make the decorated function the check of an exercise; each has one."""

    def enter(function: Callable[..., None]) -> Callable[..., None]:
        before = CHECKS.setdefault(number, function)
        if _named(before) != _named(function):
            raise ValueError(f"exercise {number} has a check already")
        CHECKS[number] = function  # a file that is loaded again
        return function

    return enter


def done(value: Any) -> Any:
    """What a function returned, unless that is nothing."""
    if value is None:
        raise NotDone
    return value


def kind(value: Any, types: type | tuple[type, ...], wanted: str) -> Any:
    """An answer of certain types, or a verdict."""
    if not isinstance(value, types):
        raise Wrong(f"{wanted}, not a {type(value).__name__}.")
    return value


def parts(value: Any, number: int, hint: str) -> Sequence:
    """An answer of so many things, or the hint as the verdict."""
    if not isinstance(done(value), (tuple, list)) or len(value) != number:
        raise Wrong(hint)
    return value


def tensor(value: Any, shape: tuple[int, ...], what: str = "The result") -> Tensor:
    """An answer of one shape as float64 on the CPU, or a verdict."""
    if value is None or value is ...:
        raise NotDone
    value = numbers(value, f"{what} should be numbers of shape {list(shape)}")
    if tuple(value.shape) != shape:
        raise Wrong(f"{what} should have shape {list(shape)}, got {list(value.shape)}.")
    return value


def numbers(value: Any, expected: str) -> Tensor:
    """An answer as float64 on the CPU, dense and without a gradient, or a verdict."""
    if isinstance(value, Tensor) and value.is_meta:
        raise Wrong(f"{expected}; on the meta device a tensor holds none.")
    try:
        if not isinstance(value, Tensor):
            value = torch.as_tensor(value, device="cpu")
        value = value.detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        what = f"{type(value).__name__} of something else"
        raise Wrong(f"{expected}, not a {what}.") from None
    if value.is_complex():
        raise Wrong(f"{expected}; they should be real.")
    if value.layout != torch.strided:
        value = value.to_dense()
    return value.double()


def same(value: Any, other: Any, tolerance: float = 1e-5) -> bool:
    """Whether two answers are of one shape and close."""
    value, other = (torch.as_tensor(v, dtype=torch.float64) for v in (value, other))
    return value.shape == other.shape and torch.allclose(value, other, atol=tolerance)


def refuse(mistakes: Hints, answer=None, right=None, tolerance=1e-5) -> None:
    """Give the hint of the first mistake that the answer is.

    The mistakes map a hint to what the mistake gives: a value of the answer's shape, a
    tuple of several, or True or False where the check decides by itself. A mistake that
    gives what is right is none.
    """
    for hint, gives in (mistakes or {}).items():
        for value in gives if isinstance(gives, tuple) else (gives,):
            if getattr(value, "dtype", type(value)) in (bool, torch.bool):
                found = bool(value)
            else:
                is_right = right is not None and same(right, value, tolerance)
                found = same(answer, value, tolerance) and not is_right
            if found:
                raise Wrong(hint)


def close(
    value: Any, right: Any, what: str, mistakes: Hints = None, tolerance=1e-5, form=""
) -> None:
    """Refuse the mistakes, then any other answer that is not close to the right one.

    The verdict says how far off it is, or with a `form` what it is.
    """
    right = torch.as_tensor(right, dtype=torch.float64)
    value = tensor(value, right.shape, what)
    refuse(mistakes, value, right, tolerance)
    if torch.allclose(value, right, rtol=0, atol=tolerance):
        return
    if form:
        raise Wrong(f"{what} it is not {float(value):{form}}.")
    if bool(value.isnan().any()):
        raise Wrong(f"{what} contains NaN.")
    raise Wrong(f"{what} is off by up to {float((value - right).abs().max()):.3g}.")


def close_nodes(out: Tensor, z: Tensor, mask: Tensor, *halves: Tensor, case="") -> None:
    """Compare a layer's output with its equations, node by node; one is isolated."""
    halves = halves, halves[::-1]
    scores = (formulas.attention_scores(z, *pair) for pair in halves)
    right, swapped = (formulas.masked_softmax(e, mask) @ z for e in scores)
    lonely = int((mask.sum(dim=1) == 0).nonzero())
    the, node = (f"{case} the", f"{case} node") if case else ("The", "Node")
    close(out[lonely], right[lonely], f"{the} isolated node's output")
    hint = "The halves of a are swapped: a_dst meets the target."
    refuse({hint: swapped[0]}, out[0])
    for i in range(len(z)):
        close(out[i], right[i], f"{node} {i}'s output")


@contextmanager
def case(name: str) -> Iterator[None]:
    """Put the case before whatever is said of an answer in it."""
    try:
        yield
    except Wrong as reason:
        raise Wrong(f"{name} {reason}".strip()) from None


def sizes(function: Callable, values: Iterable[int]) -> str:
    """Sizes with the names that the arguments of `function` have."""
    pairs = zip(inspect.signature(function).parameters, values, strict=False)
    return ", ".join(f"{name} = {value}" for name, value in pairs)


@contextmanager
def untouched(given: Iterable[Tensor], hint: str) -> Iterator[None]:
    """Give the hint if an answer writes into what it is given."""
    before = [value.clone() for value in given]
    yield
    refuse({hint: not all(map(torch.equal, given, before))})


@contextmanager
def in_time(seconds: float, case: str) -> Iterator[None]:
    """Refuse what takes longer."""
    start = time.perf_counter()
    yield
    taken = time.perf_counter() - start
    refuse({f"{case} it takes {taken:.0f} seconds.": taken > seconds})


class Work(TorchFunctionMode):
    """Stops, with a hint, what computes more than `limit` numbers."""

    def __init__(self, limit: int, hint: str) -> None:
        super().__init__()
        self.left, self.hint = limit, hint

    def __torch_function__(self, func, types, args=(), kwargs=None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.left -= result.numel() if isinstance(result, Tensor) else 0
        refuse({self.hint: self.left < 0})
        return result


def random(*shapes: tuple[int, ...]) -> list[Tensor]:
    """Normal numbers that leave the reader's own random seed alone."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def uneven() -> GraphData:
    """In-degrees 3, 0, 1, 3, 2, 0, 1; an edge twice, a self-loop, a lonely node 5."""
    src = [1, 1, 4, 2, 0, 1, 6, 3, 6, 0]
    dst = [0, 0, 0, 2, 3, 3, 3, 4, 4, 6]
    return GraphData(num_nodes=7, src=src, dst=dst)
