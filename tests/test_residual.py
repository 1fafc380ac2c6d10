"""The residual connection in training: it adds the input that the layer dropped."""

import pytest
import torch

import gat_course
from gat_course import GraphData

LAYERS = ["DenseGATLayer", "EdgeGATLayer", "FusedGATLayer", "UniformGATLayer"]
DGL = ["UDFGATLayer", "DGLGATLayer"]
P = 0.4  # of dropout on the input
LOOPS = GraphData.from_edges(range(50), range(50))  # each node hears itself alone
X = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=LAYERS + DGL)
def layer_class(request):
    return getattr(gat_course, request.param)


def kept(dropped):
    """Which entries of the input a dropped one has, each divided by 1 - P."""
    mask = dropped != 0
    torch.testing.assert_close(dropped, torch.where(mask, X / (1 - P), 0))
    assert 0.5 < mask.float().mean() < 0.7  # some are dropped, some are not
    return mask


@pytest.mark.parametrize("sparse", [False, True])
def test_what_is_added_is_the_dropped_input(layer_class, sparse):
    torch.manual_seed(0)
    layer = layer_class(6, 6, feat_drop=P, residual=True, bias=False).train()
    torch.nn.init.zeros_(layer.weight)  # nothing comes from the neighbours
    x = X.to_sparse_csr() if sparse else X
    first, second = (layer(LOOPS, x).detach() for _ in range(2))
    assert not torch.equal(kept(first), kept(second))
    torch.testing.assert_close(layer.eval()(LOOPS, x).detach(), X)


def test_it_is_dropped_once_for_both_ways(layer_class):
    torch.manual_seed(0)
    layer = layer_class(6, 6, feat_drop=P, residual=True, bias=False).train()
    with torch.no_grad():
        layer.weight.copy_(torch.eye(6))
        kept(layer(LOOPS, X) / 2)  # once through the weights, once beside them


def test_so_it_is_through_a_matrix(layer_class):
    torch.manual_seed(0)
    layer = layer_class(6, 4, 3, feat_drop=P, residual=True, bias=False).train()
    with torch.no_grad():
        layer.weight.zero_()
        layer.residual_weight.copy_(torch.eye(6).repeat(1, 2))  # [6, 12]
        left, right = layer(LOOPS, X).chunk(2, dim=1)
    assert torch.equal(left, right)
    kept(left)


def test_it_is_what_dgls_layer_does(dgl):
    torch.manual_seed(0)
    layer = dgl.nn.GATConv(6, 6, 1, feat_drop=P, residual=True, bias=False).train()
    torch.nn.init.zeros_(layer.fc.weight)
    kept(layer(LOOPS.dgl(), X).detach().squeeze(1))
