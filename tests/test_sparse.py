"""Sparse features: the product and its gradients against dense matrices."""

import pytest
import torch

from gat_course import FusedGATLayer, GraphData, sparse
from gat_course.dropout import dropout


def pair(seed=0, rows=7, columns=5):
    """A CSR matrix with an empty row and an empty column, and the same one dense."""
    torch.manual_seed(seed)
    dense = torch.randn(rows, columns, dtype=torch.float64)
    dense = dense * (torch.rand(rows, columns) < 0.5)
    dense[2], dense[:, 1] = 0, 0
    crow = torch.cat([torch.zeros(1).long(), (dense != 0).sum(1).cumsum(0)])
    values = dense[dense != 0].requires_grad_()
    x = sparse.csr(crow, dense.nonzero()[:, 1], values, dense.shape)
    return x, dense, values


def test_product_and_both_gradients_equal_the_dense_ones():
    x, dense, values = pair()
    dense.requires_grad_()
    weight = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    g = torch.randn(7, 3, dtype=torch.float64)
    product = sparse.matmul(x, weight)
    torch.testing.assert_close(product, dense @ weight)
    ours = torch.autograd.grad((product * g).sum(), [values, weight])
    theirs = torch.autograd.grad(((dense @ weight) * g).sum(), [dense, weight])
    torch.testing.assert_close(ours[0], theirs[0][dense.detach() != 0])
    torch.testing.assert_close(ours[1], theirs[1])


def test_the_gradient_belongs_to_the_values_after_dropout():
    x, _, _ = pair()
    x = x.detach()
    weight = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    for seed in range(3):  # the transposed structure is kept, its values are not
        torch.manual_seed(seed)
        dropped = dropout(x, 0.5)
        grad = torch.autograd.grad(sparse.matmul(dropped, weight).sum(), weight)[0]
        expected = dropped.to_dense().sum(0).unsqueeze(1).expand(5, 3)
        torch.testing.assert_close(grad, expected)


def test_dense_input_is_an_ordinary_product():
    x, weight = torch.randn(4, 5), torch.randn(5, 2)
    assert torch.equal(sparse.matmul(x, weight), x @ weight)


def test_parts_that_form_no_matrix_are_refused():
    with pytest.raises(RuntimeError, match="sorted and distinct"):
        sparse.csr(torch.tensor([0, 2]), torch.tensor([1, 0]), torch.ones(2), (1, 2))


def test_second_derivatives_equal_those_of_the_dense_product():
    x, dense, values = pair()
    stored = dense != 0
    dense.requires_grad_()
    weight = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)

    def twice(product, entries):
        loss = (product**3).sum()
        first = torch.autograd.grad(loss, [entries, weight], create_graph=True)
        return torch.autograd.grad(sum((g**2).sum() for g in first), [entries, weight])

    ours = twice(sparse.matmul(x, weight), values)
    theirs = twice((dense * stored) @ weight, dense)
    torch.testing.assert_close(ours[0], theirs[0][stored])
    torch.testing.assert_close(ours[1], theirs[1])


@pytest.mark.parametrize("weight_first", [True, False])
def test_the_gradient_of_one_factor_is_differentiated_by_the_other(weight_first):
    def mixed(product, *factors):
        first, second = factors if weight_first else factors[::-1]
        (gradient,) = torch.autograd.grad((product**3).sum(), first, create_graph=True)
        return torch.autograd.grad((gradient**2).sum(), second)[0]

    x, dense, values = pair()
    stored = dense != 0
    dense.requires_grad_()
    weight = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    ours = mixed(sparse.matmul(x, weight), weight, values)
    theirs = mixed((dense * stored) @ weight, weight, dense)
    torch.testing.assert_close(ours, theirs[stored] if weight_first else theirs)


def test_a_second_derivative_that_would_be_wrong_is_refused():
    x = pair()[0].detach().requires_grad_()
    weight = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    loss = (sparse.matmul(x, weight) ** 2).sum()
    with pytest.raises(RuntimeError, match=r"build it with gat_course.sparse.csr"):
        torch.autograd.grad(loss, [x, weight], create_graph=True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_adds_up_in_float32(dtype):
    x, dense, _ = pair()
    x, dense = sparse.with_values(x, x.values().detach().to(dtype)), dense.to(dtype)
    weight = torch.randn(5, 3, dtype=dtype, requires_grad=True)
    product = sparse.matmul(x, weight)
    assert product.dtype == dtype
    exact = dense.double() @ weight.double()
    torch.testing.assert_close(product.double(), exact, atol=0.05, rtol=0.01)
    product.sum().backward()
    expected = dense.double().sum(0).unsqueeze(1).expand(5, 3)
    torch.testing.assert_close(weight.grad.double(), expected, atol=0.05, rtol=0.01)


def test_a_gradient_asked_of_the_matrix_itself_arrives():
    x = pair()[0].detach()
    x = sparse.csr(x.crow_indices(), x.col_indices(), x.values(), x.shape)
    x.requires_grad_()
    weight = torch.randn(5, 3, dtype=torch.float64)
    sparse.matmul(x, weight).sum().backward()
    expected = weight.sum(1)[x.col_indices().long()]
    torch.testing.assert_close(x.grad.values(), expected)


def test_another_default_device_changes_nothing():
    x, dense, _ = pair()
    weight = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    with torch.device("meta"):
        product = sparse.matmul(dropout(x, 0.5), weight)
        product.sum().backward()
        layer = FusedGATLayer(5, 4).to_empty(device="cpu").double()
        torch.nn.init.ones_(layer.weight)
        graph = GraphData.from_edges([0, 1], [1, 2], 7)
        layer(graph, x).sum().backward()
    assert product.device.type == weight.grad.device.type == "cpu"
    assert dense.shape[1] == 5
