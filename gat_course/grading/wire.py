"""Values between a submission and those who grade it: as text, never as objects.

What comes out of a submission is data: numbers, text, tensors, lists of them, and the
names of functions to call. Nothing of it is run where grades are made, as it would be
if objects were pickled.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gat_course.graph import GraphData

DEPTH = 12  # lists within lists
SIZE = 2**23  # bytes of a message
PARTS = 150_000  # of a value: numbers in lists, keys
DIMENSIONS = 8
_FIELDS = ("src", "dst", "x", "y", "edge_weight", "graph_of")
_DTYPES = {
    name: getattr(torch, name)
    for name in ("float16", "float32", "float64", "bool", "uint8", "int8", "int16")
    + ("int32", "int64")
}


class Unreadable(ValueError):
    """A message, or a value, that has no place here; says which."""


def pack(value: Any, keep: Callable[[Any], str] | None = None, depth: int = 0) -> Any:
    """A value as what JSON knows.

    Args:
        value: numbers, text, tensors, NumPy arrays, graphs; lists, tuples and
            dictionaries of them.
        keep: gets each callable and returns a name under which it can be called.
        depth: of the list in which the value stands.

    Raises:
        Unreadable: it is, or holds, something else.

    >>> from gat_course.grading import wire
    >>> wire.unpack(wire.pack((1, [torch.tensor([2.0])])))
    (1, [tensor([2.])])
    """
    if depth > DEPTH:
        raise Unreadable(f"lists within lists are more than {DEPTH} deep")
    if value is None or type(value) in (bool, int, float, str):
        return value

    def inner(of: Any) -> Any:
        return pack(of, keep, depth + 1)

    if isinstance(value, (list, tuple)):
        return {"list" if isinstance(value, list) else "tuple": [*map(inner, value)]}
    if isinstance(value, dict):
        return {"dict": [[inner(k), inner(v)] for k, v in value.items()]}
    if isinstance(value, Tensor):
        return {"tensor": _array(value.detach().to("cpu").to_dense())}
    if isinstance(value, np.ndarray):
        return {"array": _array(torch.as_tensor(np.ascontiguousarray(value)))}
    if isinstance(value, np.generic):
        return inner(value.item())
    if isinstance(value, GraphData):
        fields = {name: getattr(value, name) for name in _FIELDS}
        given = {name: inner(v) for name, v in fields.items() if v is not None}
        return {"graph": given | {"num_nodes": value.num_nodes}}
    if callable(value) and keep is not None:
        return {"function": keep(value)}
    if isinstance(value, (int, float, str)):  # a subclass of them
        return inner({int: int, float: float, str: str}[_plain(value)](value))
    raise Unreadable(f"a {type(value).__name__} cannot be handed over")


def _plain(value: Any) -> type:
    return next(kind for kind in (int, float, str) if isinstance(value, kind))


def _array(values: Tensor) -> list:
    if values.dtype is torch.bfloat16:
        values = values.float()
    name = str(values.dtype).removeprefix("torch.")
    if name not in _DTYPES:
        raise Unreadable(f"a tensor of {name} cannot be handed over")
    raw = values.contiguous().numpy().tobytes()
    return [name, list(values.shape), base64.b64encode(raw).decode()]


def unpack(packed: Any, call: Callable[[str], Any] | None = None) -> Any:
    """The value again.

    Args:
        packed: what `pack` returns, or what a stranger sent.
        call: gets a function's name, and returns what stands for it.

    Raises:
        Unreadable: no `pack` made it.
    """
    try:
        return _unpack(packed, call, 0, [PARTS])
    except Unreadable:
        raise
    except (
        TypeError,
        ValueError,
        KeyError,
        AttributeError,
        RecursionError,
        OverflowError,
    ) as error:
        raise Unreadable(f"not a value: {error}") from error
    except RuntimeError as error:  # a shape that does not fit, say
        raise Unreadable(f"not a tensor: {error}") from error


def _unpack(
    packed: Any, call: Callable[[str], Any] | None, depth: int, left: list[int]
) -> Any:
    left[0] -= 1  # a stranger's value may be made to take for ever
    if depth > DEPTH or left[0] < 0:
        raise Unreadable(f"it has more than {PARTS} parts, or {DEPTH} levels")
    if packed is None or type(packed) in (bool, int, float, str):
        return packed
    if type(packed) is not dict or len(packed) != 1:
        raise Unreadable("not a value")
    ((kind, inside),) = packed.items()

    def inner(of: Any) -> Any:
        return _unpack(of, call, depth + 1, left)

    if kind in ("list", "tuple"):
        return (list if kind == "list" else tuple)(map(inner, inside))
    if kind == "dict":
        keys = [key for key, _ in inside]
        if len(keys) > 1000 or not all(
            type(key) is str or (type(key) is int and abs(key) < 2**31) for key in keys
        ):
            raise Unreadable("its keys should be few, and text or small numbers")
        return {key: inner(value) for key, value in inside}
    if kind in ("tensor", "array"):
        name, shape, text = inside
        if len(shape) > DIMENSIONS:
            raise Unreadable(f"a tensor of more than {DIMENSIONS} dimensions")
        raw = bytearray(base64.b64decode(text, validate=True))
        values = torch.zeros(0, dtype=_DTYPES[name])
        if raw:
            values = torch.frombuffer(raw, dtype=_DTYPES[name])
        values = values.reshape([int(size) for size in shape])
        return values if kind == "tensor" else values.numpy()
    if kind == "graph":
        fields = {name: inner(value) for name, value in inside.items()}
        if not fields.keys() <= {*_FIELDS, "num_nodes"}:
            raise Unreadable("a graph of other fields")
        return GraphData(**fields)
    if kind == "function" and call is not None and type(inside) is str:
        return call(inside)
    raise Unreadable(f"nothing is called {str(kind)[:20]!r} here")


def line(message: dict) -> bytes:
    """A message as a line."""
    return json.dumps(message).encode() + b"\n"


def read_line(line: bytes) -> dict:
    """The message of a line.

    Raises:
        Unreadable: it is none.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not a message") from error
    if type(found) is not dict:
        raise Unreadable("not a message")
    return found
