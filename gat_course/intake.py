"""What people bring, turned into the tensors of a graph; every `GraphData` uses it.

Lists, NumPy arrays, pandas columns and frames, SciPy's sparse matrices. What makes no
sense is refused, with the name of the field and what to do (chapter 5).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, wraps
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gat_course import sparse

MASKS = ("train_mask", "val_mask", "test_mask")
NODE_FIELDS = ("x", "y", *MASKS, "graph_of")
EDGE_FIELDS = ("src", "dst", "edge_weight", "edge_attr")
_LARGEST = np.iinfo(np.int64).max

_NUMBER_NODES = "number the nodes first: src, dst, names = number_nodes(src, dst)"
_IF_TEXT = {
    "src": _NUMBER_NODES,
    "dst": _NUMBER_NODES,
    "x": "give each word or category a column of its own, as pandas.get_dummies does",
    "y": "number the classes: names, y = numpy.unique(labels, return_inverse=True)",
    **{mask: 'compare with a word: numpy.array(split) == "train"' for mask in MASKS},
}


# Anything to a tensor


@contextmanager
def lasting() -> Iterator[None]:
    """Tensors made in here serve training too, even inside `torch.inference_mode`."""
    grad = torch.is_grad_enabled()
    with torch.inference_mode(False), torch.set_grad_enabled(grad):
        yield


def derived(compute: Callable[[Any], Any]) -> cached_property:
    """A cached property that serves training too, even if inference asks first."""

    @wraps(compute)
    def lasting_value(graph: Any) -> Any:
        with lasting():
            return compute(graph)

    return cached_property(lasting_value)


def tensor(field: str, given: Any, device: torch.device | None = None) -> Tensor:
    """Turn anything array-like into a tensor; a tensor stays what and where it is.

    Args:
        field: the name for messages.
        given: a tensor, array, list, column, frame or SciPy sparse matrix.
        device: where to put what is not a tensor yet; the CPU by default, whatever
            PyTorch's default device is.

    Returns:
        Integers become int64. Floating-point numbers that are no tensor become
        PyTorch's default dtype (float32), a SciPy matrix sparse CSR. A tensor made in
        inference mode is copied, since nothing can be trained on it.

    Raises:
        TypeError: it holds something else than numbers.
    """
    if isinstance(given, Tensor):
        if given.device.type == "meta":
            raise ValueError(
                f"{field} is on the meta device, which keeps no numbers; make it on "
                'the CPU, with device="cpu"'
            )
        return copied(given) if given.is_inference() else given
    if hasattr(given, "tocsr"):
        return _from_scipy(field, given).to(device or "cpu")
    # PyTorch takes no array that runs backwards, nor quietly one not to be written to.
    orderly = np.require(to_array(field, given), requirements=["C", "W"])
    value = torch.from_numpy(orderly)
    if value.is_floating_point():
        value = value.to(torch.get_default_dtype())
    return value.to(device or "cpu")


def copied(value: Tensor) -> Tensor:
    """A copy that shares nothing with `value`; `copy.deepcopy` cannot do CSR."""
    with lasting():
        if not sparse.is_csr(value):
            copy = value.detach().clone()
        else:
            parts = value.crow_indices(), value.col_indices(), value.values()
            copy = torch.sparse_csr_tensor(
                *(part.detach().clone() for part in parts),
                value.shape,
                device=value.device,
                check_invariants=False,
            )
        return copy.requires_grad_(value.requires_grad)


def to_array(field: str, given: Any) -> np.ndarray:
    """Anything but a tensor as an array of a dtype that PyTorch knows."""
    try:
        array = np.asarray(given)
        if array.dtype == object:  # columns of several types, or of pandas' own
            words = [v for v in array.ravel().tolist() if isinstance(v, str)]
            array = np.array(words or array.tolist())
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"{field} cannot be read as numbers ({error}); give a tensor, an array, or "
            "a list whose rows are equally long"
        ) from error
    kind = array.dtype.kind
    if kind == "b":
        return array
    if (
        kind in "fc"
    ):  # PyTorch knows neither more digits than these nor other byte orders
        digits = min(array.dtype.itemsize, 8 if kind == "f" else 16)
        return array.astype(f"{kind}{digits}", copy=False)
    if kind == "i" or (kind == "u" and not (array > _LARGEST).any()):
        return array.astype(np.int64, copy=False)
    remedy = _IF_TEXT.get(field, "make numbers of it")
    if array.ndim == 0:
        found, remedy = type(given).__name__, "give a list, an array or a tensor"
    elif kind in "US":
        found = f"text such as {str(array.flat[0])!r}"
    else:  # None, pandas.NA, dates, integers that are too large
        odd = (v for v in array.ravel().tolist() if not _is_number(v))
        found = repr(next(odd, array.flat[0]))
        if remedy != _NUMBER_NODES:
            remedy = "make numbers of dates, fill in or leave out what is missing"
    raise TypeError(f"{field} must hold numbers, got {found}; {remedy}")


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or isinstance(value, int) and value <= _LARGEST


def _from_scipy(field: str, given: Any) -> Tensor:
    matrix = given.tocsr(copy=True)
    if matrix.ndim != 2 or matrix.dtype.kind not in "biuf":
        raise TypeError(
            f"{field} must hold real numbers in rows and columns, got a sparse matrix "
            f"of {matrix.dtype} and shape {list(matrix.shape)}"
        )
    matrix.sum_duplicates()  # which sorts the columns as well
    parts = (torch.from_numpy(p) for p in (matrix.indptr, matrix.indices))
    values = torch.from_numpy(matrix.data.astype(np.float64))
    values = values.to(torch.get_default_dtype())
    with torch.device("cpu"):
        return sparse.csr(*parts, values, matrix.shape)


# The fields of a graph


def node_count(given: Any) -> int:
    """Read `num_nodes`."""
    truth = isinstance(given, bool | np.bool_) or (
        isinstance(given, Tensor) and given.dtype == torch.bool
    )
    try:
        count = None if truth else operator.index(given)
    except TypeError:
        count = None
    if count is None:
        raise TypeError(f"num_nodes must be a whole number, got {given!r}")
    if count < 1:
        raise ValueError(f"num_nodes must be at least 1, got {given!r}")
    return count


def numbers(field: str, given: Any, device: torch.device | None = None) -> Tensor:
    """Read whole numbers, as of edges' ends or chosen nodes; int64, any shape."""
    value = tensor(field, given, device)
    if value.numel() == 0:
        return value.long()
    if value.is_floating_point() or value.is_complex() or value.dtype == torch.bool:
        hint = ""
        if value.is_floating_point() and field in ("src", "dst"):
            hint = (
                "; numbers become floating point where one is missing (drop that row) "
                "or too large (number the nodes with number_nodes)"
            )
        raise TypeError(f"{field} must hold integers, got {value.dtype}{hint}")
    return value.long()


def edge_ends(field: str, given: Any, device: torch.device | None = None) -> Tensor:
    """Read `src` or `dst`, int64 `[E]`."""
    ends = numbers(field, given, device)
    if ends.dim() != 1:
        raise ValueError(f"{field} must be one-dimensional, got {list(ends.shape)}")
    return ends


def count_nodes(src: Tensor, dst: Tensor, node_fields: dict) -> int:
    """How many nodes a graph has that does not say so; see `GraphData.from_edges`."""
    ends = torch.cat([src, dst])
    largest = int(ends.max()) if len(ends) else -1
    for field in ("x", "y"):
        value = node_fields.get(field)
        shape = getattr(value, "shape", None)  # a SciPy matrix has no length
        rows = len(value) if isinstance(value, list | tuple) else shape and shape[0]
        if rows:
            if rows <= largest:
                raise ValueError(
                    f"{field} has {rows} rows, but src and dst name node {largest}: "
                    f"{field} must have one row per node, and nodes that are not "
                    "numbered from 0 need number_nodes"
                )
            return rows
    if not len(ends):
        raise ValueError("a graph without edges needs num_nodes")
    count, used = max(largest + 1, 1), len(ends.unique())
    if count > max(1000, 2 * used):
        raise ValueError(
            f"src and dst name {used} nodes by numbers up to {count - 1}. If these are "
            f"ids, {_NUMBER_NODES}; if most of {count} nodes have no edge, give "
            f"num_nodes={count}"
        )
    return count


def edge_weight(given: Any, num_edges: int, device: torch.device) -> Tensor:
    """Read `edge_weight`, floating point `[E]`, positive and finite."""
    weight = _on_device("edge_weight", given, device)
    if weight.dtype == torch.bool or weight.is_complex():
        raise TypeError(f"edge_weight must be floating point, got {weight.dtype}")
    if not weight.is_floating_point():
        weight = weight.to(torch.get_default_dtype())
    weight = _one_column(weight)
    if weight.shape != (num_edges,):
        raise ValueError(
            f"edge_weight must have one number per edge ({num_edges}), got shape "
            f"{list(weight.shape)}"
        )
    if weight.requires_grad:
        raise ValueError(
            "edge_weight wants a gradient, but the weights of a graph are data that "
            "get none; give edge_weight.detach()"
        )
    wrong = ~(torch.isfinite(weight) & (weight > 0))
    if bool(wrong.any()):
        edge = int(wrong.nonzero()[0])
        raise ValueError(
            f"edge_weight[{edge}] = {float(weight[edge]):g}: weights must be positive "
            "and finite. Weight zero is no edge: leave such edges out, as "
            "src[weight > 0] does"
        )
    return weight


def edge_attr(given: Any, num_edges: int, device: torch.device) -> Tensor:
    """Read `edge_attr`, floating point `[E, D]`, finite."""
    if hasattr(given, "toarray"):  # SciPy's sparse matrices
        given = given.toarray()
    if isinstance(given, Tensor) and given.layout != torch.strided:
        given = given.to_dense()
    value = _on_device("edge_attr", given, device)
    if value.dtype == torch.bool or not value.is_floating_point():
        if isinstance(given, Tensor) or value.is_complex():
            raise TypeError(
                f"edge_attr must be floating point, got {value.dtype}: give "
                "edge_attr.float(); of kinds, one_hot(kinds, D).float() makes columns"
            )
        value = value.to(torch.get_default_dtype())
    if value.dim() != 2 or len(value) != num_edges:
        raise ValueError(
            f"edge_attr must be [{num_edges}, D], a row for each edge, got "
            f"{list(value.shape)}; a single feature is edge_attr.reshape(-1, 1)"
        )
    if value.requires_grad:
        raise ValueError(
            "edge_attr wants a gradient, but the features of edges are data that get "
            "none; give edge_attr.detach()"
        )
    if not bool(torch.isfinite(value).all()):
        raise ValueError("edge_attr contains NaN or infinite values; clean the data")
    return value


def node_field(field: str, given: Any, num_nodes: int, device: torch.device) -> Tensor:
    """Read `x`, `y`, a mask or `graph_of`, a row for each node."""
    value = _on_device(field, given, device)
    if value.is_complex():
        raise TypeError(f"{field} must hold real numbers, got {value.dtype}")
    if field in MASKS:
        value = _mask(field, value)
    if value.dim() == 0 or value.shape[0] != num_nodes:
        raise ValueError(
            f"{field} must have one row per node ({num_nodes}), "
            f"got shape {list(value.shape)}"
        )
    if field == "graph_of":
        value = numbers(field, value)
        if value.dim() != 1 or bool((value < 0).any()):
            raise ValueError("graph_of must be [N], numbers of graphs from 0 on")
    elif field == "x":
        value = _features(value, isinstance(given, Tensor))
    elif field == "y":
        value = _labels(value)
    if value.is_floating_point():
        finite = torch.isfinite(sparse.stored_values(value))
        if not bool(finite.all()):
            raise ValueError(
                f"{field} contains {int((~finite).sum())} values that are NaN or "
                f"infinite as {value.dtype}; clean the data before building the graph"
            )
    return value


def _on_device(field: str, given: Any, device: torch.device) -> Tensor:
    if isinstance(given, Tensor) and given.device != device:
        raise ValueError(
            f"{field} is on {given.device} but the edges are on {device}; "
            "build the graph on one device and move it with .to(device)"
        )
    return tensor(field, given, device)


def _one_column(value: Tensor) -> Tensor:
    """`[N, 1]`, which a frame of one column gives, as `[N]`."""
    return value.squeeze(1) if value.dim() == 2 and value.shape[1] == 1 else value


def _mask(field: str, value: Tensor) -> Tensor:
    if value.dtype != torch.bool:
        raise TypeError(
            f"{field} must be a bool vector, got {value.dtype}; make it from zeros and "
            "ones by torch.tensor(ones) == 1, from numbers of nodes by "
            "torch.isin(torch.arange(N), torch.tensor(numbers))"
        )
    value = _one_column(value)
    if value.dim() != 1:
        raise ValueError(
            f"{field} must be a bool vector [N], got {list(value.shape)}; take one "
            f"split, as {field}[:, 0] does"
        )
    return value


def _features(value: Tensor, as_it_is: bool) -> Tensor:
    if value.dim() != 2:
        raise ValueError(
            f"x must be [N, F], got {list(value.shape)}; a single feature is "
            "x.reshape(-1, 1)"
        )
    if not value.is_floating_point():
        if as_it_is:
            raise TypeError(f"x must be floating point, got {value.dtype}; x.float()")
        value = value.to(torch.get_default_dtype())
    if value.layout not in (torch.strided, torch.sparse_csr):
        raise TypeError(
            f"x must be dense or sparse CSR, got {value.layout}; x.to_sparse_csr()"
        )
    return value


def _labels(value: Tensor) -> Tensor:
    if value.layout != torch.strided:
        value = value.to_dense()
    if value.dim() > 2:
        raise ValueError(f"y must be [N] or [N, L], got {list(value.shape)}")
    if value.is_floating_point():
        return value
    value = _one_column(value)
    return value.long() if value.dim() == 1 else value
