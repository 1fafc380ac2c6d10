"""What is drawn, as arrays that were checked, and as short texts (all chapters)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gat_course.graph import GraphData


def to_numpy(values: Any) -> np.ndarray:
    """A numpy copy of a tensor, array or list."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.array(values)


def checked(
    values: Any, name: str, shape: tuple, low: float = -np.inf, high: float = np.inf
) -> np.ndarray:
    """A numpy copy, checked for shape and range; a letter in `shape` is any length."""
    array = to_numpy(values)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold numbers, got {array.dtype}")
    fits = len(shape) == array.ndim and all(
        got > 0 if isinstance(want, str) else got == want
        for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(map(str, shape))
        raise ValueError(f"{name} must have shape [{wanted}], got {list(array.shape)}")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise ValueError(f"{name} contains {bad} values that are NaN or infinite")
    if ((array < low - 1e-4) | (array > high + 1e-4)).any():
        raise ValueError(
            f"{name} must be between {low:g} and {high:g}, got values from "
            f"{array.min():.3g} to {array.max():.3g}"
        )
    return array


def check_index(name: str, index: int | None, length: int) -> None:
    """Raise an `IndexError` unless `index` is None or from 0 to `length - 1`."""
    if index is not None and not 0 <= index < length:
        raise IndexError(f"{name} must be 0 to {length - 1}, got {index}")


def attention(graph: GraphData, alpha: Any) -> np.ndarray:
    """Attention `[E, K]` of that graph."""
    what = f"alpha (on {graph.name!r}, with_self_loops() if the layer saw them)"
    return checked(alpha, what, (graph.num_edges, "K"), low=0, high=1)


def ends(graph: GraphData) -> np.ndarray:
    """Source and target of every edge `[E, 2]`, sorted by target."""
    return np.stack([to_numpy(graph.src), to_numpy(graph.dst)], 1)


def classes(labels: Any, count: int, class_names: Sequence[str] | None) -> np.ndarray:
    """Classes `[count]` as integers, checked against the names."""
    labels = checked(labels, "labels", (count,), low=0)
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers (classes), got {labels.dtype}")
    if class_names is not None and labels.max() >= len(class_names):
        raise ValueError(
            f"class {labels.max()} has no name: class_names has {len(class_names)}"
        )
    return labels


def percent(values: Any, name: str) -> np.ndarray:
    """Numbers in percent `[seeds]`, not fractions."""
    array = checked(values, name, ("seeds",), low=0, high=100).astype(float)
    if 0 < array.max() <= 1:
        raise ValueError(
            f"{name} must be in percent, but no value exceeds 1; multiply fractions "
            "by 100"
        )
    return array


def many(count: int, noun: str) -> str:
    """How many there are, as in "1 node" and "2,708 nodes"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def fixed(number: float, digits: int) -> str:
    """A number with so many decimals, without "-0" and with a real minus sign."""
    return f"{np.round(number, digits) + 0.0:.{digits}f}".replace("-", "−")


def share(weight: float) -> str:
    """A weight between 0 and 1; never 0 or 1 where it is neither."""
    if 0 < weight < 0.0005:
        return "<0.001"
    return ">0.999" if 0.9995 <= weight < 1 else f"{weight:.3f}"


def plain(number: float, _: Any = None) -> str:
    """A tick's number, as a power of ten only where it would be long."""
    number = float(f"{number:.7g}")  # a tick may lie a rounding error below 0.0001
    if 1e-4 <= number < 1e7:
        return f"{number:,.7g}"
    factor, exponent = f"{number:.0e}".split("e")
    factor = "" if factor == "1" else rf"{factor} \cdot "
    return f"${factor}10^{{{int(exponent)}}}$"
