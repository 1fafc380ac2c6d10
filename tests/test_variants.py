"""Variants of attention: equal to a loop, to PyG and DGL; what makes them different."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from test_layers import CONFIGS, GRAPHS, features

from gat_course import (
    GAT,
    DotProductGATLayer,
    EdgeFeatureGATLayer,
    EdgeGATLayer,
    FusedGATLayer,
    GATv2Layer,
    GraphData,
)

WITH_EDGES = partial(EdgeFeatureGATLayer, edge_features=3)
KINDS = {"v2": GATv2Layer, "dot": DotProductGATLayer, "edges": WITH_EDGES}


@pytest.fixture(params=KINDS)
def make_layer(request):
    return KINDS[request.param]


def with_features(graph, seed=0):
    """The graph with three numbers for each edge."""
    generator = torch.Generator().manual_seed(seed)
    attr = torch.randn(graph.num_edges, 3, generator=generator, dtype=torch.float64)
    return GraphData(
        num_nodes=graph.num_nodes, src=graph.src, dst=graph.dst, edge_attr=attr
    )


def made(make_layer, **options):
    torch.manual_seed(0)
    sizes = {"in_features": 6, "out_features": options.pop("out", 4), **options}
    layer = make_layer(**sizes).double().eval()
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias)
    return layer


def leaky(values, slope):
    return np.where(values > 0, values, slope * values)


def score_by_hand(layer, p, hs, i, j, k, f):
    """The score of one edge and head, as the formula is written."""
    width, heads, slope = layer.out_features, layer.num_heads, layer.negative_slope

    def projected(matrix, h):
        return (h @ matrix).reshape(heads, width)[k]

    parts = np.split(p["weight"], layer.projections, axis=1)
    if isinstance(layer, GATv2Layer):
        source, target = projected(parts[0], hs[j]), projected(parts[1], hs[i])
        return p["att"][k] @ leaky(source + target, slope)
    if isinstance(layer, DotProductGATLayer):
        key, query = projected(parts[1], hs[j]), projected(parts[2], hs[i])
        return query @ key / math.sqrt(width)
    z = np.concatenate(
        [projected(parts[0], h) for h in (hs[i], hs[j])]
        + [projected(p["edge_matrix"], f)]
    )
    a = np.concatenate([p[n][k] for n in ("att_dst", "att_src", "att_edge")])
    return float(leaky(a @ z, slope))


def by_hand(layer, graph, x):
    """Everything node by node in numpy."""
    p = {name: value.detach().numpy() for name, value in layer.state_dict().items()}
    hs, heads, width = x.numpy(), layer.num_heads, layer.out_features
    values = (hs @ np.split(p["weight"], layer.projections, axis=1)[0]).reshape(
        -1, heads, width
    )
    out, alpha = np.zeros_like(values), np.zeros((graph.num_edges, heads))
    src, dst, attr = (t.numpy() for t in (graph.src, graph.dst, graph.edge_attr))
    for i in range(graph.num_nodes):
        edges = np.flatnonzero(dst == i)
        for k in range(heads):
            e = [score_by_hand(layer, p, hs, i, src[m], k, attr[m]) for m in edges]
            weights = np.exp(np.array(e))
            for m, weight in zip(edges, weights / weights.sum(), strict=True):
                alpha[m, k] = weight
                out[i, k] += weight * values[src[m], k]
    out = out.reshape(len(hs), -1) if layer.merge == "concat" else out.mean(axis=1)
    if "residual_weight" in p:
        out = out + hs @ p["residual_weight"]
    elif layer.residual:
        out = out + hs
    return out + p.get("bias", 0), alpha


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("name", GRAPHS)
def test_output_and_attention_equal_the_formula(make_layer, config, name):
    graph = with_features(GRAPHS[name])
    layer, x = made(make_layer, **config), features(graph)
    out, alpha = layer(graph, x, return_attention=True)
    expected, expected_alpha = by_hand(layer, graph, x)
    np.testing.assert_allclose(out.detach().numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(alpha.detach().numpy(), expected_alpha, atol=1e-12)
    torch.testing.assert_close(layer(graph, x), out)


def edge_index(graph):
    return torch.stack([graph.src, graph.dst])


@pytest.mark.parametrize("name", GRAPHS)
def test_equals_pyg(make_layer, name):
    pyg = pytest.importorskip("torch_geometric.nn")
    graph, layer = with_features(GRAPHS[name]), made(make_layer, num_heads=3)
    x, parts = features(graph), layer.weight.detach().chunk(layer.projections, dim=1)
    sizes, given = {"in_channels": 6, "out_channels": 4, "heads": 3}, [x]
    if isinstance(layer, GATv2Layer):
        theirs = pyg.GATv2Conv(**sizes, add_self_loops=False).double()
        theirs.lin_l.weight.data, theirs.lin_r.weight.data = (p.t() for p in parts)
        theirs.lin_l.bias.data.zero_(), theirs.lin_r.bias.data.zero_()
        theirs.att.data = layer.att.detach()[None]
        theirs.bias.data = layer.bias.detach()
    elif isinstance(layer, DotProductGATLayer):
        theirs = pyg.TransformerConv(**sizes, root_weight=False, bias=False).double()
        linear = theirs.lin_value, theirs.lin_key, theirs.lin_query
        for one, part in zip(linear, parts, strict=True):
            one.weight.data = part.t()
    else:
        theirs = pyg.GATConv(**sizes, add_self_loops=False, edge_dim=3).double()
        theirs.lin.weight.data = parts[0].t()
        theirs.lin_edge.weight.data = layer.edge_matrix.detach().t()
        for half in ("att_src", "att_dst", "att_edge"):
            getattr(theirs, half).data = getattr(layer, half).detach()[None]
        theirs.bias.data = layer.bias.detach()
    given += [edge_index(graph)]
    given += [graph.edge_attr] if "edge_matrix" in layer.state_dict() else []
    expected = theirs(*given)
    if isinstance(layer, DotProductGATLayer):
        expected = expected + layer.bias
    torch.testing.assert_close(layer(graph, x), expected, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", [n for n in GRAPHS if GRAPHS[n].num_edges])
def test_equals_dgl(make_layer, dgl, name):
    graph, layer = with_features(GRAPHS[name]), made(make_layer, num_heads=3)
    theirs, x = graph.dgl(), features(graph)
    parts = layer.weight.detach().chunk(layer.projections, dim=1)
    out, alpha = layer(graph, x, return_attention=True)
    anyway = {"allow_zero_in_degree": True}
    if isinstance(layer, GATv2Layer):
        conv = dgl.nn.GATv2Conv(6, 4, 3, bias=False, **anyway).double()
        conv.fc_src.weight.data, conv.fc_dst.weight.data = (p.t() for p in parts)
        conv.attn.data = layer.att.detach()[None]
        found, weights = conv(theirs, x, get_attention=True)
        expected = out - layer.bias
        torch.testing.assert_close(found.flatten(1), expected, atol=1e-10, rtol=1e-10)
    elif isinstance(layer, DotProductGATLayer):  # DGL's has one matrix for all three
        conv = dgl.nn.DotGatConv(6, 4, 3, **anyway).double()
        conv.fc.weight.data = parts[0].t()
        layer.weight.data = parts[0].repeat(1, 3)
        _, alpha = layer(graph, x, return_attention=True)
        _, weights = conv(theirs, x, get_attention=True)
    else:  # DGL's adds edge features to the sum as well; the scores are the same
        conv = dgl.nn.EdgeGATConv(6, 3, 4, 3, **anyway).double()
        conv.fc.weight.data = parts[0].t()
        conv.fc_edge.weight.data = layer.edge_matrix.detach().t()
        for mine, its in (("att_src", "l"), ("att_dst", "r"), ("att_edge", "edge")):
            getattr(conv, f"attn_{its}").data = getattr(layer, mine).detach()[None]
        _, weights = conv(theirs, x, graph.edge_attr, get_attention=True)
    torch.testing.assert_close(weights.squeeze(-1), alpha, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", GRAPHS)
def test_gradcheck(make_layer, name):
    graph, layer = with_features(GRAPHS[name]), made(make_layer, num_heads=2)
    x = features(graph).requires_grad_()
    parameters = list(layer.parameters())

    names = [name for name, _ in layer.named_parameters()]

    def functional(x, *values):
        return torch.func.functional_call(
            layer, dict(zip(names, values, strict=True)), (graph, x)
        )

    assert torch.autograd.gradcheck(functional, (x, *parameters), fast_mode=True)


def test_an_edge_of_weight_w_counts_like_w_copies(make_layer):
    graph = with_features(GRAPHS["random"])
    weight = torch.randint(1, 4, (graph.num_edges,))
    edge = torch.arange(graph.num_edges).repeat_interleave(weight)
    copies = GraphData(
        num_nodes=graph.num_nodes,
        src=graph.src[edge],
        dst=graph.dst[edge],
        edge_attr=graph.edge_attr[edge],
    )
    weighted = GraphData(
        num_nodes=graph.num_nodes,
        src=graph.src,
        dst=graph.dst,
        edge_attr=graph.edge_attr,
        edge_weight=weight.double(),
    )
    layer, x = made(make_layer, num_heads=3), features(graph)
    torch.testing.assert_close(layer(weighted, x), layer(copies, x))


def test_permuting_the_nodes_permutes_the_output(make_layer):
    graph, layer = with_features(GRAPHS["random"]), made(make_layer, num_heads=3)
    x, order = features(graph), torch.randperm(graph.num_nodes)
    place = order.argsort()
    moved = GraphData(
        num_nodes=graph.num_nodes,
        src=place[graph.src],
        dst=place[graph.dst],
        edge_attr=graph.edge_attr,
    )
    torch.testing.assert_close(layer(moved, x[order]), layer(graph, x)[order])


def test_new_parameters_have_glorots_spread(make_layer):
    torch.manual_seed(0)
    layer = make_layer(200, 40, num_heads=5)
    for part in layer.weight.chunk(layer.projections, dim=1):
        expected = math.sqrt(2) * math.sqrt(2 / (200 + 200))
        assert float(part.detach().std()) == pytest.approx(expected, rel=0.05)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    parameters = list(layer.parameters())
    layer.reset_parameters()
    assert all(a is b for a, b in zip(parameters, layer.parameters(), strict=True))
    changed = [n for n, v in layer.state_dict().items() if not v.equal(before[n])]
    assert set(changed) == before.keys() - {"bias"}


def ranking(layer, graph, x):
    """Which source each target ranks first, of those that all targets share."""
    _, alpha = layer(graph, x, return_attention=True)
    return alpha[:, 0].view(graph.num_nodes, -1).argmax(dim=1)


@pytest.mark.parametrize("seed", range(5))
def test_gat_ranks_alike_for_all_targets_and_the_others_need_not(seed):
    n = 12
    ends = torch.arange(n)
    graph = GraphData.from_edges(ends.repeat(n), ends.repeat_interleave(n), n)
    x = features(graph, seed)
    for layer in (EdgeGATLayer, FusedGATLayer):
        assert len(ranking(made(layer), graph, x).unique()) == 1
    # A target that likes its own source: the identity as W, and dot products.
    dot = made(DotProductGATLayer, out=n, in_features=n)
    one_hot = torch.eye(n, dtype=torch.float64)
    dot.weight.data = one_hot.repeat(1, 3) * 5
    assert ranking(dot, graph, one_hot).tolist() == list(range(n))
    v2 = made(GATv2Layer, out=n, in_features=n)
    v2.weight.data = torch.cat([one_hot, -one_hot], dim=1)
    v2.att.data.fill_(-1)  # |z_j - z_i| is smallest where they are equal
    v2.negative_slope = -1.0
    assert ranking(v2, graph, one_hot).tolist() == list(range(n))


def test_without_edges_features_nothing_but_gat_is_left():
    graph = with_features(GRAPHS["random"])
    layer, x = made(WITH_EDGES, num_heads=3), features(graph)
    layer.att_edge.data.zero_()
    plain = made(EdgeGATLayer, num_heads=3)
    plain.load_state_dict(layer.state_dict(), strict=False)
    torch.testing.assert_close(layer(graph, x), plain(graph, x))


@pytest.mark.parametrize(
    ("attr", "message"),
    [(None, "has no edge_attr, and this layer takes"), (2, r"edge_attr \[5, 2\]")],
)
def test_a_graph_with_other_edge_features_is_refused(attr, message):
    given = None if attr is None else torch.ones(5, attr)
    graph = GraphData.from_edges([0] * 5, [1] * 5, 2, edge_attr=given)
    with pytest.raises(ValueError, match=message):
        WITH_EDGES(6, 4)(graph, torch.ones(2, 6))
    with pytest.raises(ValueError, match="edge_features must be at least 1"):
        EdgeFeatureGATLayer(6, 4, edge_features=0)


def test_networks_of_variants(make_layer):
    graph = with_features(GRAPHS["random"])
    model = GAT(6, 3, hidden=[4, 4], num_heads=2, layer=make_layer, residual=True)
    logits, alphas = model.double()(graph, features(graph), return_attention=True)
    assert logits.shape == (graph.num_nodes, 3)
    assert [alpha.shape[1] for alpha in alphas] == [2, 2, 1]


@pytest.mark.parametrize(
    ("attr", "dtype"), [(1e5, torch.float16), (1e39, torch.float32)]
)
def test_features_of_edges_too_large_for_the_layer_are_told(attr, dtype):
    wide = torch.full((2, 1), attr, dtype=torch.float64)
    graph = GraphData.from_edges([0, 1], [2, 2], edge_attr=wide)
    layer = EdgeFeatureGATLayer(3, 4, edge_features=1).to(dtype)
    x = torch.ones(3, 3, dtype=dtype)
    with pytest.raises(ValueError, match="edge_attr holds numbers too large"):
        layer(graph, x)
    small = replace(graph, edge_attr=wide / attr)
    assert bool(torch.isfinite(layer(small, x)).all())
