"""Sparse feature matrices in CSR form; used wherever Cora is (chapter 5 on).

A bag-of-words matrix is almost all zeros. Compressed sparse rows (CSR) keep only the
stored values, their columns, and where each row starts.
"""

import warnings

import torch
from torch import Tensor

# Once a process, PyTorch calls CSR a beta feature; what is used here is tested.
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")


def csr(crow: Tensor, col: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """Build a CSR matrix `[N, F]` from its three parts.

    Indices are kept as 32-bit integers, which the products take as they are.

    Args:
        crow: where each row starts in `col` and `values`, `[N + 1]`.
        col: column of each stored value, ascending within a row, `[nnz]`.
        values: the stored values, `[nnz]`; gradients flow into them.
        shape: `(N, F)`.

    Returns:
        A `torch.sparse_csr` tensor.

    Raises:
        RuntimeError: the parts do not form a CSR matrix (PyTorch says which rule
            is broken).
    """
    crow, col = crow.int(), col.int()
    x = torch.sparse_csr_tensor(
        crow, col, values, shape, device=values.device, check_invariants=True
    )
    x._entries = values
    return x


def is_csr(x: Tensor) -> bool:
    """Whether `x` is stored as compressed sparse rows.

    >>> sparse.is_csr(torch.eye(2)), sparse.is_csr(torch.eye(2).to_sparse_csr())
    (False, True)
    """
    return x.layout == torch.sparse_csr


def stored_values(x: Tensor) -> Tensor:
    """The numbers that `x` stores: all of a dense tensor, the non-zeros of CSR."""
    # PyTorch's own way from a CSR matrix to its values can be differentiated once only.
    if not is_csr(x):
        return x
    return x._entries if _knows_entries(x) else x.values()


def _knows_entries(x: Tensor) -> bool:
    """Whether the values that `csr` got are still those that a gradient is asked of."""
    own = getattr(x, "_entries", None)
    return own is not None and own.requires_grad >= x.requires_grad


def row_indices(x: Tensor) -> Tensor:
    """The row of each stored value of a CSR matrix, `[nnz]`.

    >>> sparse.row_indices(torch.tensor([[1.0, 1.0], [0.0, 1.0]]).to_sparse_csr())
    tensor([0, 0, 1])
    """
    rows = torch.arange(x.shape[0], device=x.device)
    return rows.repeat_interleave(x.crow_indices().diff())


def select_rows(x: Tensor, rows: Tensor) -> Tensor:
    """Rows of a dense or CSR matrix, in the given order and in the same layout.

    Args:
        x: `[N, F]`.
        rows: their numbers, `[M]`.

    Returns:
        `[M, F]`.
    """
    if not is_csr(x):
        return x.index_select(0, rows)  # several times faster than x[rows]
    starts = x.crow_indices().long()
    length = starts.diff()[rows]  # [M]
    crow = torch.cat([length.new_zeros(1), length.cumsum(0)])
    shift = (starts[rows] - crow[:-1]).repeat_interleave(length)
    places = torch.arange(len(shift), device=x.device) + shift  # [nnz of the rows]
    return csr(
        crow, x.col_indices()[places], stored_values(x)[places], (len(rows), x.shape[1])
    )


def with_values(x: Tensor, values: Tensor) -> Tensor:
    """The CSR matrix `x` with other stored values, `[nnz]`, in the same places.

    >>> x = torch.eye(2).to_sparse_csr()
    >>> sparse.with_values(x, torch.tensor([3.0, 4.0])).to_dense()
    tensor([[3., 0.],
            [0., 4.]])
    """
    other = trusted_csr(x.crow_indices(), x.col_indices(), values, x.shape)
    other._entries = values
    other._transpose = _transpose(x)  # the same places, so the same structure
    return other


def matmul(x: Tensor, weight: Tensor) -> Tensor:
    """The product `x @ weight` of dense or CSR features with a dense matrix.

    The gradient needs `x` transposed. Its structure is sorted once and then stays
    with `x`, so that a training step multiplies and never sorts. Half precision adds
    up in float32. The gradient can be differentiated again.

    Args:
        x: `[N, F]`, dense or CSR.
        weight: `[F, F']`.

    Returns:
        A dense `[N, F']`.

    >>> sparse.matmul(torch.eye(2).to_sparse_csr(), torch.ones(2, 1)).flatten()
    tensor([1., 1.])
    """
    if not is_csr(x):
        return x @ weight
    return _CSRMatmul.apply(stored_values(x), weight, x)


class _CSRMatmul(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values: Tensor, weight: Tensor, x: Tensor) -> Tensor:
        ctx.save_for_backward(values, weight)
        ctx.x = x
        return _product(x.crow_indices(), x.col_indices(), values, weight, x.shape)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        values, weight = ctx.saved_tensors
        row, crow_t, row_t, order = _transpose(ctx.x)
        grad_values = grad_weight = None
        if ctx.needs_input_grad[0]:
            if torch.is_grad_enabled() and not _knows_entries(ctx.x):
                raise RuntimeError(
                    "the gradient of a CSR matrix that PyTorch built can be "
                    "differentiated once; build it with gat_course.sparse.csr"
                )
            columns = ctx.x.col_indices()
            grad_values = (grad[row] * weight[columns]).sum(dim=1).to(values.dtype)
        if ctx.needs_input_grad[1]:
            values_t = values.index_select(0, order)
            shape = ctx.x.shape[1], ctx.x.shape[0]
            if torch.is_grad_enabled():  # this gradient is to be differentiated again
                x_t = trusted_csr(crow_t, row_t, values_t.detach(), shape)
                x_t._entries = values_t
                grad_weight = _CSRMatmul.apply(values_t, grad, x_t)
            else:
                grad_weight = _product(crow_t, row_t, values_t, grad, shape)
            grad_weight = grad_weight.to(weight.dtype)
        return grad_values, grad_weight, None


def _product(
    crow: Tensor, col: Tensor, values: Tensor, dense: Tensor, shape: tuple[int, int]
) -> Tensor:
    """CSR times dense, in the dtype of `values`; half precision adds up in float32."""
    exact = torch.promote_types(values.dtype, torch.float32)
    with torch.autocast(values.device.type, enabled=False):
        x = trusted_csr(crow, col, values.to(exact), shape)
        return (x @ dense.to(exact)).to(values.dtype)


def trusted_csr(
    crow: Tensor, col: Tensor, values: Tensor, shape: tuple[int, int]
) -> Tensor:
    """`csr` for parts that are known to fit: nothing is checked, columns may repeat.

    >>> starts, columns = torch.tensor([0, 2, 2]), torch.tensor([1, 1])
    >>> x = sparse.trusted_csr(starts, columns, torch.ones(2), (2, 2))
    >>> sparse.matmul(x, torch.eye(2))
    tensor([[0., 2.],
            [0., 0.]])
    """
    return torch.sparse_csr_tensor(
        crow, col, values, shape, device=values.device, check_invariants=False
    )


def _transpose(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows of the stored values; of the transpose: row starts, columns, their order."""
    if not hasattr(x, "_transpose"):
        row = row_indices(x)
        columns = x.col_indices()
        starts = torch.bincount(columns, minlength=x.shape[1]).cumsum(0)
        crow_t = torch.cat([starts.new_zeros(1), starts])
        order = torch.argsort(columns, stable=True)
        x._transpose = row, crow_t.int(), row[order].int(), order
    return x._transpose
