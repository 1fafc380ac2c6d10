"""Dropout for features and attention weights; every layer uses it (chapter 4)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from gat_course import sparse


def dropout(x: Tensor, p: float, training: bool = True) -> Tensor:
    r"""Set each number to zero with probability `p`, divide the others by $1-p$.

    A stored zero of a sparse matrix stays zero either way, so only its stored values
    are drawn for. On a CPU random numbers are what dropout costs: one 64-bit draw
    serves four numbers here, which rounds `p` to a multiple of $2^{-16}$. Where little
    is kept, above 0.98, that would show, so PyTorch's own dropout is used.

    Args:
        x: any dense tensor, or a CSR matrix.
        p: probability of dropping a number, in [0, 1).
        training: without it, `x` comes back unchanged.

    Returns:
        A tensor of the same shape and layout.

    Raises:
        ValueError: `p` is not in [0, 1).

    Source: Srivastava et al., JMLR 2014.

    >>> from gat_course.dropout import dropout
    >>> sorted(set(dropout(torch.ones(1000), p=0.5).tolist()))
    [0.0, 2.0]
    """
    _require_probability(p)
    if not training or p == 0:
        return x
    if sparse.is_csr(x):
        return sparse.with_values(x, dropout(sparse.stored_values(x), p))
    if x.device.type != "cpu" or p > 0.98:
        return F.dropout(x, p)
    draws = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device)
    draws.random_(torch.iinfo(torch.int64).min, None)  # all 64 bits
    quarters = draws.view(torch.int16)[: x.numel()].view(x.shape)
    kept = quarters >= min(round(p * 2**16) - 2**15, 2**15 - 1)
    return x * (kept.to(x.dtype) / (1 - p))


def hashed_mask(number: Tensor, p: float, seed: int) -> Tensor:
    """Dropout's factors from a hash of each number's place, in any order, at any time.

    The backward pass of chapter 9 needs the forward pass's draws again, in another
    order and without having kept them.

    Args:
        number: what is hashed, int32, any shape.
        p: probability of a zero, in [0, 1).
        seed: another seed gives other draws; from 0 to 2^31 - 1.

    Returns:
        Zeros and $1/(1-p)$, float32, in the shape of `number`.

    Raises:
        TypeError: `number` is not int32.
        ValueError: `p` is not in [0, 1).

    Source: the mixing steps of Appleby's MurmurHash3, 2011.

    >>> from gat_course.dropout import hashed_mask
    >>> n = torch.arange(1000, dtype=torch.int32)
    >>> torch.equal(hashed_mask(n, 0.5, 7).flip(0), hashed_mask(n.flip(0), 0.5, 7))
    True
    """
    _require_probability(p)
    if number.dtype != torch.int32:
        raise TypeError(f"number must be int32, got {number.dtype}")
    h = number * -1640531535 ^ seed  # products wrap around at 32 bits
    h = (h ^ h >> 16 & 0xFFFF) * -2048144789
    h = (h ^ h >> 13 & 0x7FFFF) * -1028477387
    h = h ^ h >> 16 & 0xFFFF
    least = min(round(p * 2**32) - 2**31, 2**31 - 1)
    return (h >= least).float() * (2**32 / (2**31 - least))


def _require_probability(p: float) -> None:
    if not 0 <= p < 1:
        raise ValueError(f"the dropout probability must be in [0, 1), got {p}")
