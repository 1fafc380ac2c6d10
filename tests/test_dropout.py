"""Dropout: its probability, its scale, its gradient, dense and sparse."""

import pytest
import torch

from gat_course import sparse
from gat_course.dropout import dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.6, 0.9])
def test_each_number_is_dropped_with_the_given_probability(p):
    torch.manual_seed(0)
    n = 400_001  # not a multiple of four
    out = dropout(torch.ones(n), p)
    share = float((out == 0).float().mean())
    assert abs(share - p) < 5 * (p * (1 - p) / n) ** 0.5 + 2**-16
    torch.testing.assert_close(
        out[out != 0], torch.full((int((out != 0).sum()),), 1 / (1 - p))
    )
    # Neighbours in memory share a draw and must still be independent.
    zero = (out[: n - 1] == 0).view(-1, 4).float()
    pairs = (zero[:, 0] * zero[:, 1]).mean()
    assert abs(float(pairs) - p * p) < 5 * (1 / (n // 4)) ** 0.5


def test_it_is_fixed_by_the_seed_and_off_outside_training():
    x = torch.randn(7, 3)
    outputs = []
    for _ in range(2):
        torch.manual_seed(1)
        outputs.append(dropout(x, 0.5))
    assert torch.equal(*outputs)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0) is x


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_is_the_mask(dtype):
    x = torch.ones(50, dtype=dtype, requires_grad=True)
    out = dropout(x, 0.5)
    out.sum().backward()
    assert out.dtype == dtype
    torch.testing.assert_close(x.grad, out.detach())


def test_sparse_features_lose_stored_values_alone():
    torch.manual_seed(0)
    values = torch.rand(60) + 1
    x = sparse.csr(torch.arange(0, 61, 6), torch.arange(6).repeat(10), values, (10, 20))
    out = dropout(x, 0.5)
    assert sparse.is_csr(out) and torch.equal(out.col_indices(), x.col_indices())
    kept = out.values() != 0
    torch.testing.assert_close(out.values()[kept], 2 * values[kept])
    assert 0 < int(kept.sum()) < 60


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5])
def test_probabilities_without_sense_are_refused(p):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\)"):
        dropout(torch.ones(3), p)


def test_a_probability_close_to_one_drops_nearly_all():
    torch.manual_seed(0)
    assert float((dropout(torch.ones(100_000), 0.999999) != 0).float().mean()) < 1e-3


def test_nothing_to_drop_is_no_error():
    assert dropout(torch.empty(0, 3), 0.5).shape == (0, 3)
