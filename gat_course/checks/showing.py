"""Writing values such that a learner can copy them into a cell."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gat_course.graph import GraphData

WIDTH = 66  # longer values are broken into rows
MOST = 200  # numbers of a value that is written out
SHORT = {torch.float32, torch.int64, torch.bool}
NODES = ("x", "y", "train_mask", "val_mask", "test_mask", "graph_of")


def literal(value: Any, digits: int = 7, dtype: bool = True) -> str:
    """As `_literal`; what cannot be written is named by its kind."""
    try:
        return _literal(value, digits, dtype)
    except Exception:  # an answer may hold itself, or numbers beyond all digits
        return f"a {type(value).__name__} that cannot be written out"


def _literal(value: Any, digits: int = 7, dtype: bool = True) -> str:
    """A value as Python, on one line or with a row of numbers on each.

    Args:
        value: numbers, tensors, arrays, graphs, or lists of them.
        digits: how many digits of a number are written.
        dtype: also write the kind of numbers that PyTorch does not guess.
    """
    if hasattr(value, "shown"):
        return value.shown()
    if isinstance(value, Tensor):
        return _tensor(value, digits, dtype)
    if isinstance(value, np.ndarray):
        return f"np.array({_nested(value.tolist(), digits)})"
    if isinstance(value, GraphData):
        return _graph(value, digits)
    if isinstance(value, (list, tuple)):
        inner = [literal(v, digits, dtype) for v in value[:MOST]]
        text = ", ".join(inner)
        if len(text) > WIDTH and len(inner) > 1:
            text = ",\n ".join(part.replace("\n", "\n ") for part in inner)
        if isinstance(value, tuple):
            return f"({text},)" if len(value) == 1 else f"({text})"
        return f"[{text}]"
    if isinstance(value, dict):
        return ", ".join(f"{k} {literal(v, digits, dtype)}" for k, v in value.items())
    if isinstance(value, (bool, int, str)) or value is None:
        return _cut(repr(value))
    if isinstance(value, (float, np.floating)):
        return _number(float(value), digits)
    try:
        return _cut(repr(value))
    except Exception:  # an answer may be anything
        return f"a {type(value).__name__}"


def _cut(text: str, most: int = 240) -> str:
    return text if len(text) <= most else f"{text[:most]} …"


def _number(value: float, digits: int) -> str:
    if math.isnan(value) or math.isinf(value):
        return str(value)
    text = f"{value:.{digits}g}"
    return text if any(c in text for c in ".en") else f"{text}.0"


def _nested(value: Any, digits: int) -> str:
    if isinstance(value, list):
        rows = [_nested(row, digits) for row in value]
        text = ", ".join(rows)
        if len(text) > WIDTH and value and isinstance(value[0], list):
            text = ",\n ".join(row.replace("\n", "\n ") for row in rows)
        return f"[{text}]"
    return _number(value, digits) if isinstance(value, float) else repr(value)


def _tensor(value: Tensor, digits: int, dtype: bool) -> str:
    shape = list(value.shape)
    if value.is_meta:
        return f"a tensor of shape {shape} on the meta device, without numbers"
    value = value.detach().cpu()
    value = value.to_dense() if value.layout != torch.strided else value
    if value.numel() > MOST:
        return f"a tensor of shape {shape}"
    text = _nested(value.tolist(), digits)
    if value.numel() == 0 and value.dim() > 1:
        return f"torch.zeros({', '.join(map(str, shape))})"
    kept = f", dtype={value.dtype}" if dtype and value.dtype not in SHORT else ""
    return f"torch.tensor({text}{kept})".replace("\n", "\n" + " " * 13)


def _graph(graph: GraphData, digits: int) -> str:
    if graph.num_edges > MOST:
        return repr(graph)
    fields = [
        f"num_nodes={graph.num_nodes}",
        f"src={graph.src.tolist()}",
        f"dst={graph.dst.tolist()}",
    ]
    for name in NODES:
        if (field := getattr(graph, name)) is not None:
            field = field.to_dense() if field.layout != torch.strided else field
            fields.append(f"{name}={_nested(field.tolist(), digits)}")
    if graph.edge_weight is not None:
        fields.append(f"edge_weight={_nested(graph.edge_weight.tolist(), digits)}")
    text = ", ".join(fields)
    return f"GraphData({text})"


def call(name: str, names: list[str], args: tuple[Any, ...]) -> str:
    """The call of a function that shows a mistake, ready to be copied."""
    written = [literal(arg) for arg in args]
    short = f"{name}({', '.join(written)})"
    if len(short) <= WIDTH and "\n" not in short:
        return short
    lines = []
    for arg, text in zip(names, written, strict=False):
        indent = " " * (len(arg) + 3)
        lines.append(f"{arg} = " + text.replace("\n", f"\n{indent}"))
    return "\n".join([*lines, f"{name}({', '.join(names[: len(args)])})"])
