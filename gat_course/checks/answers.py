"""What the checks of all chapters share: reading an answer, comparing, the verdict."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gat_course.graph import GraphData

_CHECKS: dict[str, Callable[..., None]] = {}


class _NotDone(Exception):
    """The answer is still the starter cell's."""


class _Wrong(Exception):
    """The answer is wrong; the message says how."""


def _check(number: str) -> Callable:
    def register(function: Callable[..., None]) -> Callable[..., None]:
        _CHECKS[number] = function
        return function

    return register


def _tensor(value: Any, shape: tuple[int, ...], what: str) -> Tensor:
    """An answer of one shape as float64 on the CPU, or a verdict."""
    if value is None or value is ...:
        raise _NotDone
    value = _numbers(value, f"{what} should be numbers of shape {list(shape)}")
    if tuple(value.shape) != shape:
        raise _Wrong(
            f"{what} should have shape {list(shape)}, got {list(value.shape)}."
        )
    return value


def _numbers(value: Any, expected: str) -> Tensor:
    """An answer as float64 on the CPU, dense and without a gradient, or a verdict."""
    if isinstance(value, Tensor) and value.is_meta:
        raise _Wrong(f"{expected}; on the meta device a tensor holds none.")
    try:
        if isinstance(value, Tensor):
            value = value.detach().cpu()
        else:
            value = torch.as_tensor(value, device="cpu").detach()
    except (TypeError, ValueError, RuntimeError):
        raise _Wrong(
            f"{expected}, not a {type(value).__name__} of something else."
        ) from None
    if value.is_complex():
        raise _Wrong(f"{expected}; they should be real.")
    if value.layout != torch.strided:
        value = value.to_dense()
    return value.double()


def _close(value: Tensor, expected: Tensor, what: str, tolerance: float = 1e-5) -> None:
    if bool(torch.isnan(value).any()):
        raise _Wrong(f"{what} contains NaN.")
    difference = (value - expected.double()).abs().max() if value.numel() else 0.0
    if difference > tolerance:
        raise _Wrong(f"{what} is off by up to {float(difference):.3g}.")


def _random(*shapes: tuple[int, ...]) -> list[Tensor]:
    """Normal numbers that leave the reader's own random seed alone."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def _uneven() -> GraphData:
    """In-degrees 3, 0, 1, 3, 2, 0, 1; an edge twice, a self-loop, a lonely node 5."""
    src = [1, 1, 4, 2, 0, 1, 6, 3, 6, 0]
    dst = [0, 0, 0, 2, 3, 3, 3, 4, 4, 6]
    return GraphData(num_nodes=7, src=src, dst=dst)


def _is(value: Tensor, other: Tensor) -> bool:
    """Whether an answer is what a certain mistake gives."""
    return torch.allclose(value, other.double(), atol=1e-5)
