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
    return torch.sparse_csr_tensor(crow, col, values, shape, check_invariants=True)


def is_csr(x: Tensor) -> bool:
    """Whether `x` is stored as compressed sparse rows."""
    return x.layout == torch.sparse_csr


def stored_values(x: Tensor) -> Tensor:
    """The numbers that `x` stores: all of a dense tensor, the non-zeros of CSR."""
    return x.values() if is_csr(x) else x


def with_values(x: Tensor, values: Tensor) -> Tensor:
    """The CSR matrix `x` with other stored values, `[nnz]`, in the same places."""
    return torch.sparse_csr_tensor(
        x.crow_indices(), x.col_indices(), values, x.shape, check_invariants=False
    )
