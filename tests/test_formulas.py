"""The equations, against closed forms, torch's own functions and their properties."""

import math

import pytest
import torch
import torch.nn.functional as F

from gat_course import GraphData, formulas

ADJACENCY = torch.tensor([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]])


def test_mean_weights_are_one_over_the_degree():
    expected = torch.tensor(
        [[1 / 2, 1 / 2, 0], [1 / 3, 1 / 3, 1 / 3], [0, 1 / 2, 1 / 2]]
    )
    assert torch.allclose(formulas.mean_weights(ADJACENCY), expected)


def test_gcn_weights_equal_the_normalised_adjacency_matrix():
    scale = torch.diag(ADJACENCY.sum(1) ** -0.5)
    expected = scale @ ADJACENCY @ scale
    assert torch.allclose(formulas.gcn_weights(ADJACENCY), expected)


@pytest.mark.parametrize("weights", [formulas.mean_weights, formulas.gcn_weights])
def test_a_node_without_neighbours_has_no_weights(weights):
    assert torch.equal(weights(torch.zeros(2, 2)), torch.zeros(2, 2))


def weighted_adjacency(seed):
    """A random matrix of weights far below 1, with repeated edges and empty rows."""
    generator = torch.Generator().manual_seed(seed)
    nodes = 1 + seed % 7
    graph = GraphData(
        num_nodes=nodes,
        src=torch.randint(nodes, (seed % 12,), generator=generator),
        dst=torch.randint(nodes, (seed % 12,), generator=generator),
        edge_weight=10.0 ** (-4 * torch.rand(seed % 12, generator=generator)) / 30,
    )
    return graph.dense_adjacency().double()


@pytest.mark.parametrize("seed", range(25))
def test_weights_below_one_are_shared_out_all_the_same(seed):
    adjacency = weighted_adjacency(seed)
    sums = adjacency.sum(dim=1)
    rows = formulas.mean_weights(adjacency)
    torch.testing.assert_close(rows.sum(dim=1), (sums > 0).double())
    torch.testing.assert_close(rows * sums.unsqueeze(1), adjacency)
    inverse = torch.diag(sums.pow(-0.5).masked_fill(sums == 0, 0))
    # A source that hears nobody has no degree to divide by: it counts as 1.
    source = torch.diag(sums.pow(-0.5).masked_fill(sums == 0, 1))
    expected = inverse @ adjacency @ source
    torch.testing.assert_close(formulas.gcn_weights(adjacency), expected)


@pytest.mark.parametrize("weights", [formulas.mean_weights, formulas.gcn_weights])
def test_a_common_factor_of_all_weights_changes_nothing(weights):
    adjacency = 0.01 + torch.rand(5, 5, dtype=torch.float64)
    torch.testing.assert_close(weights(adjacency / 100), weights(adjacency))


def test_masked_softmax_equals_softmax_over_the_allowed_entries():
    torch.manual_seed(0)
    scores = torch.randn(6, 6, dtype=torch.float64)
    mask = torch.rand(6, 6) < 0.5
    mask[2] = False
    alpha = formulas.masked_softmax(scores, mask)
    for i in range(6):
        allowed = mask[i]
        assert torch.allclose(alpha[i, allowed], torch.softmax(scores[i, allowed], 0))
        assert torch.equal(
            alpha[i, ~allowed], torch.zeros(int((~allowed).sum())).double()
        )


def test_masked_softmax_counts_repeated_edges():
    scores = torch.tensor([[0.3, -1.0]], dtype=torch.float64)
    alpha = formulas.masked_softmax(scores, torch.tensor([[2.0, 1.0]]))
    thrice = torch.softmax(torch.tensor([0.3, 0.3, -1.0], dtype=torch.float64), 0)
    assert torch.allclose(alpha[0], torch.stack([thrice[:2].sum(), thrice[2]]))


@pytest.mark.parametrize("size", [1e4, -1e4, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_softmaxes_stand_extreme_scores(size, dtype):
    scores = size * torch.tensor([[1.0, 0.5], [0.5, 1.0]], dtype=dtype)
    rows = formulas.masked_softmax(scores, torch.ones(2, 2)).sum(dim=1)
    assert torch.allclose(rows, torch.ones(2, dtype=dtype))
    dst = torch.tensor([0, 0, 1, 1])
    alpha = formulas.edge_softmax(scores.reshape(4, 1), dst, 2)
    assert torch.allclose(alpha.view(2, 2).sum(dim=1), torch.ones(2, dtype=dtype))


def test_edge_softmax_uses_each_neighbourhoods_own_maximum():
    scores = torch.tensor([[0.0], [1.0], [-5e3], [-5e3 + 1]])
    alpha = formulas.edge_softmax(scores, torch.tensor([0, 0, 1, 1]), 2)
    assert torch.allclose(alpha[:2], alpha[2:])


def test_edge_softmax_equals_masked_softmax():
    torch.manual_seed(1)
    mask = torch.rand(7, 7) < 0.4
    scores = torch.randn(3, 7, 7, dtype=torch.float64)
    dst, src = mask.nonzero(as_tuple=True)
    edges = formulas.edge_softmax(scores[:, dst, src].t(), dst, 7)
    dense = formulas.masked_softmax(scores, mask)
    assert torch.allclose(edges, dense[:, dst, src].t())


def test_gradients_pass_rows_without_neighbours_and_single_neighbours():
    mask = torch.tensor([[1.0, 0, 0], [0, 0, 0], [1, 1, 1]])
    scores = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: formulas.masked_softmax(s, mask), scores)


def test_scaled_dot_product_attention_equals_torchs():
    torch.manual_seed(2)
    q, k, v = (torch.randn(5, 4, dtype=torch.float64) for _ in range(3))
    mask = torch.rand(5, 5) < 0.5
    mask |= torch.eye(5, dtype=torch.bool)
    out, weights = formulas.scaled_dot_product_attention(q, k, v, mask)
    assert torch.allclose(out, F.scaled_dot_product_attention(q, k, v, attn_mask=mask))
    assert torch.allclose(weights.sum(dim=1), torch.ones(5).double())


def test_attention_scores_equal_the_literal_concatenation():
    torch.manual_seed(3)
    z = torch.randn(4, 3, dtype=torch.float64)
    a = torch.randn(6, dtype=torch.float64)
    scores = formulas.attention_scores(z, a[:3], a[3:])
    for i in range(4):
        for j in range(4):
            literal = a @ torch.cat([z[i], z[j]])
            expected = literal if literal > 0 else 0.2 * literal
            assert math.isclose(scores[i, j], expected, rel_tol=1e-12)


def test_aggregate_equals_a_matrix_product():
    torch.manual_seed(4)
    src, dst = torch.tensor([0, 2, 1]), torch.tensor([1, 1, 0])
    alpha, z = torch.rand(3, 1), torch.randn(3, 1, 2)
    matrix = torch.zeros(3, 3)
    matrix[dst, src] = alpha[:, 0]
    out = formulas.aggregate(alpha, z, src, dst, 3)
    assert torch.allclose(out[:, 0], matrix @ z[:, 0])


def test_joined_scores_equal_a_double_loop_and_the_split():
    torch.manual_seed(0)
    z, att_dst, att_src = torch.randn(6, 3), torch.randn(3), torch.randn(3)
    scores = formulas.joined_scores(z, att_dst, att_src)
    a = torch.cat([att_dst, att_src])
    for i in range(6):
        for j in range(6):
            product = float(a @ torch.cat([z[i], z[j]]))
            expected = product if product > 0 else 0.2 * product
            assert float(scores[i, j]) == pytest.approx(expected, abs=1e-5)
    split = formulas.attention_scores(z, att_dst, att_src)
    torch.testing.assert_close(scores, split)
