"""Readouts of whole graphs: against a loop over the graphs, PyG and DGL."""

import pytest
import torch

from gat_course import AttentionReadout, GraphData, GraphNetwork, batch_graphs, layers
from gat_course.layers.readout import KINDS

SIZES = [3, 1, 7, 2]


def batch_of(sizes, dtype=torch.float64):
    graphs = [
        GraphData.from_edges(
            range(n - 1), range(1, n), n, x=torch.randn(n, 5).to(dtype)
        )
        for n in sizes
    ]
    return batch_graphs(graphs)


@pytest.mark.parametrize("sizes", [SIZES, [1], [4], [1, 1]], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_readout_is_that_of_each_graph_alone(kind, sizes):
    graph = batch_of(sizes)
    parts = graph.x.split(sizes)
    by_hand = {"sum": lambda h: h.sum(0), "mean": lambda h: h.mean(0)}
    by_hand["max"] = lambda h: h.max(0).values
    expected = torch.stack([by_hand[kind](h) for h in parts])
    torch.testing.assert_close(layers.readout(graph, graph.x, kind), expected)
    one = GraphData.from_edges([], [], len(parts[0]))
    found = layers.readout(one, parts[0], kind)  # no batch: one graph
    torch.testing.assert_close(found, expected[:1])


def test_attention_readout_is_softmax_and_sum_of_each_graph():
    graph, module = batch_of(SIZES), AttentionReadout(5).double()
    g, beta = module(graph, graph.x, return_attention=True)
    for row, h, weights in zip(g, graph.x.split(SIZES), beta.split(SIZES), strict=True):
        expected = torch.softmax(h @ module.query, dim=0)
        torch.testing.assert_close(weights, expected)
        torch.testing.assert_close(row, expected @ h)


def test_attention_readout_equals_the_libraries():
    pyg = pytest.importorskip("torch_geometric.nn")
    graph, module = batch_of(SIZES), AttentionReadout(5).double()
    gate = torch.nn.Linear(5, 1).double()  # whose bias no softmax sees
    gate.weight.data = module.query.detach()[None]
    theirs = pyg.AttentionalAggregation(gate)(graph.x, graph.graph_of)
    torch.testing.assert_close(module(graph, graph.x), theirs)


def test_attention_readout_equals_dgls(dgl):
    graph, module = batch_of(SIZES), AttentionReadout(5).double()
    gate = torch.nn.Linear(5, 1).double()
    gate.weight.data = module.query.detach()[None]
    theirs = dgl.batch([dgl.graph(([], []), num_nodes=n) for n in SIZES])
    pooled = dgl.nn.GlobalAttentionPooling(gate)(theirs, graph.x)
    torch.testing.assert_close(module(graph, graph.x), pooled)


def test_extreme_scores_give_no_nan():
    graph, module = batch_of([3, 2]), AttentionReadout(5).double()
    module.query.data.fill_(1e3)
    g, beta = module(graph, graph.x * 1e3, return_attention=True)
    assert torch.isfinite(g).all() and torch.isfinite(beta).all()


@pytest.mark.parametrize("readout", [*KINDS, "attention"])
def test_a_network_sees_each_graph_of_a_batch_alone(readout):
    torch.manual_seed(0)
    model = GraphNetwork(5, 3, hidden=4, num_layers=2, readout=readout).double().eval()
    graphs = [
        GraphData.from_edges(range(n - 1), range(1, n), n, x=torch.randn(n, 5).double())
        for n in SIZES
    ]
    batch = batch_graphs(graphs)
    alone = torch.cat([model(graph, graph.x) for graph in graphs])
    torch.testing.assert_close(model(batch, batch.x), alone)
    out, alphas = model(batch, batch.x, return_attention=True)
    torch.testing.assert_close(out, alone)
    shapes = [tuple(alpha.shape) for alpha in alphas]
    expected = [(batch.num_edges, 4)] * 2
    assert shapes == expected + [(batch.num_nodes,)] * (readout == "attention")


def test_what_makes_no_sense_is_refused():
    graph = batch_of(SIZES)
    with pytest.raises(ValueError, match="kind must be one of sum, mean, max"):
        layers.readout(graph, graph.x, "median")
    with pytest.raises(ValueError, match=r"h must be \[13, F\]"):
        layers.readout(graph, graph.x[:5])
    with pytest.raises(ValueError, match=r"h must be \[13, 4\] .*got \[13, 5\]"):
        AttentionReadout(4)(graph, graph.x)
    with pytest.raises(ValueError, match="features must be at least 1"):
        AttentionReadout(0)
    with pytest.raises(ValueError, match="readout must be one of .*attention"):
        GraphNetwork(5, 1, readout="top")
