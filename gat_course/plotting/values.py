"""What is drawn, as arrays that were checked, and as short texts (all chapters)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def _numpy(values: Any) -> np.ndarray:
    """A numpy copy of a tensor, array or list."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.array(values)


def _array(
    values: Any,
    name: str,
    shape: tuple[int | str, ...],
    low: float = -math.inf,
    high: float = math.inf,
) -> np.ndarray:
    """A numpy copy, checked for shape and range; a letter in `shape` is any length."""
    array = _numpy(values)
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


def _classes(labels: Any, count: int, class_names: Sequence[str] | None) -> np.ndarray:
    """Classes `[count]` as integers, checked against the names."""
    labels = _array(labels, "labels", (count,), low=0)
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers (classes), got {labels.dtype}")
    if class_names is not None and labels.max() >= len(class_names):
        raise ValueError(
            f"class {labels.max()} has no name: class_names has {len(class_names)}"
        )
    return labels


def _percent(values: Any, name: str) -> np.ndarray:
    """Numbers in percent `[seeds]`, not fractions."""
    array = _array(values, name, ("seeds",), low=0, high=100).astype(float)
    if 0 < array.max() <= 1:
        raise ValueError(
            f"{name} must be in percent, but no value exceeds 1; multiply fractions "
            "by 100"
        )
    return array


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _share(value: float) -> str:
    """A weight between 0 and 1; never 0 or 1 where it is neither."""
    if 0 < value < 0.0005:
        return "<0.001"
    return ">0.999" if 0.9995 <= value < 1 else f"{value:.3f}"


def _plain(value: float, _: Any = None) -> str:
    """A tick's number, as a power of ten only where it would be long."""
    if 1e-4 <= value < 1e7:
        return f"{value:,.7g}"
    factor, exponent = f"{value:.0e}".split("e")
    factor = "" if factor == "1" else rf"{factor} \cdot "
    return f"${factor}10^{{{int(exponent)}}}$"
