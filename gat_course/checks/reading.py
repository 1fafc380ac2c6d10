"""Reading an answer: from whatever a learner returns to what can be compared.

A reader takes the returned value and what the function was given. It returns tensors of
float64 on the CPU, or text, alone or in lists and dicts; or it raises `Form`.
"""

from collections.abc import Callable
from numbers import Number
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gat_course.graph import GraphData

Reader = Callable[..., Any]
_allclose = torch.allclose  # an answer may replace PyTorch's functions


class Form(Exception):
    """The answer is of another kind than what is asked for; the message says how."""


def numbers(value: Any, what: str = "The result") -> Tensor:
    """An answer as float64 on the CPU, dense and without a gradient.

    Lists of numbers, of tensors and of fractions are numbers, too.

    Raises:
        Form: it holds something else.
    """
    if isinstance(value, Tensor):
        return _plain(value, what)
    if isinstance(value, (str, bytes, dict, set)) or value is None:
        raise Form(f"{what} should be numbers, not {kind(value)}.")
    try:
        if isinstance(value, (list, tuple)):
            if all(type(row) in (int, float, bool) for row in value):
                return torch.tensor(value, dtype=torch.float64)
            rows = [numbers(row, what) for row in value]
            if len({row.shape for row in rows}) > 1:
                raise Form(f"{what} should be numbers, in rows of equal length.")
            return torch.stack(rows) if rows else torch.zeros(0, dtype=torch.float64)
        if isinstance(value, Number) or hasattr(value, "__float__"):
            shape = getattr(value, "shape", ())
            if not shape and not isinstance(value, complex):
                return torch.tensor(float(value), dtype=torch.float64)
        array = np.asarray(value)
        if array.dtype.kind not in "biufO":
            raise TypeError
        return torch.from_numpy(array.astype(np.float64))
    except Form:
        raise
    except Exception:
        raise Form(f"{what} should be numbers, not {kind(value)}.") from None


def _plain(value: Tensor, what: str) -> Tensor:
    if value.is_meta:
        raise Form(f"{what} should be numbers; on the meta device a tensor holds none.")
    if value.is_complex():
        raise Form(f"{what} should be real numbers.")
    value = value.detach().cpu()
    if value.layout != torch.strided:
        value = value.to_dense()
    return value.double()


def kind(value: Any) -> str:
    """What a value is, with its article."""
    words = {
        "NoneType": "None",
        "ellipsis": "the three dots of the starter cell",
        "str": "text",
        "function": "a function",
        "dict": "a dictionary",
    }
    name = type(value).__name__
    article = "an" if name[0].lower() in "aeiou" else "a"
    return words.get(name, f"{article} {name}")


def tensor(what: str = "The result") -> Reader:
    """Reads numbers of any shape; the comparison sees whether it is the right one."""

    def read(value: Any, *given: Any) -> Tensor:
        return numbers(value, what)

    return read


def truths(what: str = "The result") -> Reader:
    """Reads True and False, or 1 and 0."""

    def read(value: Any, *given: Any) -> Tensor:
        found = numbers(value, what)
        if bool(((found != 0) & (found != 1)).any()):
            raise Form(f"{what} should hold True or False.")
        return found

    return read


def several(*names: str) -> Reader:
    """Reads so many things, each of them numbers."""

    def read(value: Any, *given: Any) -> dict[str, Tensor]:
        listed = parts(value, names)
        return {n: numbers(v, f"The {n}") for n, v in zip(names, listed, strict=True)}

    return read


def named(value: dict[str, Any], *given: Any) -> dict[str, Tensor]:
    """Reads what an exercise's `call` has put together by name."""
    return {name: numbers(part, name) for name, part in value.items()}


def loss_and_gradient(function: Callable, logits: Tensor, *given: Any) -> Any:
    """A loss `function(logits, …)` and its gradient for the logits, by name.

    Raises:
        Form: it is no single number, or no gradient flows back.
    """
    logits = logits.clone().requires_grad_()
    loss = function(logits, *given)
    if loss is None or loss is ...:
        return None
    if (found := numbers(loss, "The loss")).dim():
        shape = list(found.shape)
        raise Form(f"The loss should be one number; it has shape {shape}.")
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        raise Form("No gradient can flow: the loss has left PyTorch.")
    gradient = torch.autograd.grad(loss, logits, allow_unused=True)[0]
    if gradient is None:
        raise Form("No gradient can flow: the logits were detached.")
    return {"loss": loss, "gradient": gradient}


def parts(value: Any, names: tuple[str, ...]) -> list[Any]:
    """The parts of an answer of several things."""
    asked = f"Return {len(names)} things: the {', the '.join(names)}"
    if isinstance(value, (Tensor, np.ndarray)):
        one = value.ndim == 0 or len(value) != len(names)
    else:
        one = not isinstance(value, (list, tuple)) or len(value) != len(names)
    if one:
        length = getattr(value, "__len__", lambda: None)
        try:
            length = length()
        except TypeError:
            length = None
        of = f" of {length}" if isinstance(value, (list, tuple)) else ""
        raise Form(f"{asked}; not {kind(value)}{of}.")
    return list(value)


def graph(value: Any, what: str = "The result") -> GraphData:
    """An answer that is a graph, on the CPU."""
    if not isinstance(value, GraphData):
        raise Form(f"{what} should be a GraphData, not {kind(value)}.")
    return value.to("cpu")


def edges(src: Any, dst: Any) -> Tensor:
    """Edges `[2, E]` in the order of their ends: any order of theirs is right."""
    src, dst = numbers(src, "src"), numbers(dst, "dst")
    if src.shape != dst.shape or src.dim() != 1:
        raise Form(
            "src and dst should be of the same length, one entry an edge; they have "
            f"shapes {list(src.shape)} and {list(dst.shape)}."
        )
    pairs = sorted(zip(src.tolist(), dst.tolist(), strict=True))
    return torch.tensor(pairs, dtype=torch.float64).reshape(-1, 2).t()


def alike(a: Any, b: Any, tolerance: float) -> bool:
    """Whether two read answers are of one form and close; NaN is like NaN."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and _allclose(
            a.double(), b.double(), rtol=tolerance, atol=tolerance, equal_nan=True
        )
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[k], b[k], tolerance) for k in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        pairs = list(zip(a, b, strict=False))
        return len(a) == len(b) and all(alike(x, y, tolerance) for x, y in pairs)
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return False
    return type(a) is type(b) and a == b


def resembles(got: Any, mistake: Any, right: Any, tolerance: float) -> bool:
    """Whether a wrong answer shows this mistake.

    As `alike`, but where the mistake overflows or gives NaN, other broken numbers may
    stand, or zeros in their place: what does depends on how the code is written.
    """
    if isinstance(got, Tensor) and isinstance(mistake, Tensor):
        if got.shape != mistake.shape:
            return False
        if mistake.isfinite().all() or getattr(right, "shape", None) != got.shape:
            return alike(got, mistake, tolerance)
        broken = ~mistake.isfinite() & right.isfinite()
        gone = ~got.isfinite() | ((got == 0) & (got.dim() > 0))
        rest = alike(got[~broken], mistake[~broken], tolerance)
        return rest and bool(gone[broken].all())
    if isinstance(got, dict) and isinstance(mistake, dict):
        keys = got.keys() == mistake.keys() == right.keys()
        return keys and all(
            resembles(got[k], mistake[k], right[k], tolerance) for k in got
        )
    return alike(got, mistake, tolerance)


def broken(value: Any, right: Any) -> bool:
    """Whether a number overflows or is NaN where it should not be."""
    if isinstance(value, Tensor) and isinstance(right, Tensor):
        if value.shape != right.shape:
            return not bool(value.isfinite().all())
        return bool((~value.isfinite() & right.isfinite()).any())
    if isinstance(value, dict) and isinstance(right, dict):
        return any(broken(value[k], right[k]) for k in value.keys() & right.keys())
    return False
