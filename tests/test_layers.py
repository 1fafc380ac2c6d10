"""The four layers: equal to each other and to DGL, right at the edges, differentiable.

The reference is DGL's own GATConv and an independent loop over nodes in numpy.
"""

import numpy as np
import pytest
import torch

import gat_course
from gat_course import (
    DenseGATLayer,
    EdgeGATLayer,
    GraphData,
    UniformGATLayer,
    layers,
    sparse,
)

PURE = ["DenseGATLayer", "EdgeGATLayer", "FusedGATLayer"]
DGL = ["UDFGATLayer", "DGLGATLayer"]
ALL = PURE + DGL


@pytest.fixture(params=ALL)
def layer_class(request):
    return getattr(gat_course, request.param)


def random_graph(seed, num_nodes=12, num_edges=40):
    """Random edges, some of them repeated; the last two nodes are isolated."""
    generator = torch.Generator().manual_seed(seed)
    ends = torch.randint(0, num_nodes - 2, (2, num_edges), generator=generator)
    src = torch.cat([ends[0], ends[0, :3]])
    dst = torch.cat([ends[1], ends[1, :3]])
    return GraphData.from_edges(src, dst, num_nodes)


GRAPHS = {
    "random": random_graph(0),
    "denser": random_graph(1, 8, 90),
    "one node": GraphData.from_edges([], [], 1),
    "one node, one loop": GraphData.from_edges([0], [0], 1),
    "no edges": GraphData.from_edges([], [], 4),
    "one edge": GraphData.from_edges([0], [2], 3),
    "same edge twice": GraphData.from_edges([0, 0, 1], [2, 2, 2], 3),
}
CONFIGS = [
    {"num_heads": 1, "merge": "concat"},
    {"num_heads": 3, "merge": "concat", "residual": True},
    {"num_heads": 3, "merge": "mean"},
    {"num_heads": 2, "merge": "mean", "residual": True, "bias": False},
    {"num_heads": 2, "merge": "concat", "residual": True, "out": 3},  # sizes agree
    {"num_heads": 2, "merge": "concat", "negative_slope": 0.01},
]


def make(layer_class, config, seed=0, dtype=torch.float64):
    config = dict(config)
    torch.manual_seed(seed)
    layer = layer_class(6, config.pop("out", 4), **config).to(dtype).eval()
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias)
    return layer


def features(graph, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(graph.num_nodes, 6, generator=generator, dtype=dtype)
    return x * (x > -0.5)  # some zeros, for the sparse form


def as_csr(x):
    crow = torch.cat([torch.zeros(1).long(), (x != 0).sum(1).cumsum(0)])
    return sparse.csr(crow, x.nonzero()[:, 1], x[x != 0], x.shape)


def by_hand(layer, graph, x):
    """Equations (1)-(4) node by node in numpy: no masks, no tensors over edges."""
    p = {k: v.detach().numpy() for k, v in layer.state_dict().items()}
    heads, width = layer.num_heads, layer.out_features
    x = x.numpy()
    z = (x @ p["weight"]).reshape(-1, heads, width)
    out = np.zeros_like(z)
    alpha = np.zeros((graph.num_edges, heads))
    src, dst = graph.src.numpy(), graph.dst.numpy()
    for i in range(graph.num_nodes):
        edges = np.flatnonzero(dst == i)
        for k in range(heads):
            e = [
                p["att_dst"][k] @ z[i, k] + p["att_src"][k] @ z[src[edge], k]
                for edge in edges
            ]
            e = [v if v > 0 else layer.negative_slope * v for v in e]
            total = sum(np.exp(v) for v in e)
            for edge, v in zip(edges, e, strict=True):
                alpha[edge, k] = np.exp(v) / total
                out[i, k] += alpha[edge, k] * z[src[edge], k]
    out = out.reshape(len(x), -1) if layer.merge == "concat" else out.mean(axis=1)
    if "residual_weight" in p:
        out = out + x @ p["residual_weight"]
    elif layer.residual:
        out = out + x
    return out + p.get("bias", 0), alpha


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("name", GRAPHS)
def test_output_and_attention_equal_the_hand_computation(layer_class, config, name):
    graph, layer = GRAPHS[name], make(layer_class, config)
    x = features(graph)
    out, alpha = layer(graph, x, return_attention=True)
    expected, expected_alpha = by_hand(layer, graph, x)
    np.testing.assert_allclose(out.detach().numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(alpha.detach().numpy(), expected_alpha, atol=1e-12)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("name", GRAPHS)
def test_gradients_agree_between_the_layers(layer_class, config, name):
    graph = GRAPHS[name]
    results = []
    for cls in (gat_course.EdgeGATLayer, layer_class):
        layer = make(cls, config)
        x = features(graph).requires_grad_()
        out, alpha = layer(graph, x, return_attention=True)
        loss = (out * torch.arange(out.numel()).view(out.shape)).sum()
        loss = loss + (alpha**2).sum()
        results.append(
            torch.autograd.grad(loss, [x, *layer.parameters()], materialize_grads=True)
        )
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", [n for n in GRAPHS if GRAPHS[n].num_edges])
@pytest.mark.parametrize("residual", [False, True])
def test_equals_dgls_gatconv(layer_class, dgl, name, residual):
    graph = GRAPHS[name]
    layer = make(layer_class, {"num_heads": 3, "residual": residual})
    x = features(graph)
    ref = dgl.nn.GATConv(
        6, 4, 3, residual=residual, allow_zero_in_degree=True, bias=True
    ).double()
    with torch.no_grad():
        ref.fc.weight.copy_(layer.weight.t())
        ref.attn_l.copy_(layer.att_src.unsqueeze(0))  # DGL's left half is the source
        ref.attn_r.copy_(layer.att_dst.unsqueeze(0))
        if ref.bias is not None:
            ref.bias.copy_(layer.bias)
        if residual:
            ref.res_fc.weight.copy_(layer.residual_weight.t())
            if ref.res_fc.bias is not None:  # DGL then keeps its bias here
                ref.res_fc.bias.copy_(layer.bias)
    out, alpha = layer(graph, x, return_attention=True)
    expected, expected_alpha = ref(graph.dgl(), x, get_attention=True)
    torch.testing.assert_close(out, expected.flatten(1), atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(alpha, expected_alpha.squeeze(-1), atol=1e-10, rtol=0)
    weights = torch.randn(out.shape, dtype=torch.float64)
    ours = torch.autograd.grad(
        (out * weights).sum(), [layer.weight, layer.att_dst, layer.att_src]
    )
    theirs = torch.autograd.grad(
        (expected.flatten(1) * weights).sum(), [ref.fc.weight, ref.attn_r, ref.attn_l]
    )
    for a, b in zip(ours, theirs, strict=True):
        b = b.t() if b.dim() == 2 else b.squeeze(0)
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", ["random", "same edge twice", "no edges"])
def test_gradcheck(layer_class, name):
    graph = GRAPHS[name]
    layer = make(layer_class, {"num_heads": 2, "residual": True})
    names = [n for n, _ in layer.named_parameters()]

    def function(x, *parameters):
        given = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(layer, given, (graph, x))

    inputs = (features(graph).requires_grad_(), *layer.parameters())
    assert torch.autograd.gradcheck(function, inputs, fast_mode=True)


def test_one_state_dict_serves_all(layer_class):
    config = {"num_heads": 2, "residual": True}
    source = make(gat_course.EdgeGATLayer, config, seed=1)
    shapes = {k: list(v.shape) for k, v in source.state_dict().items()}
    assert shapes == {
        "weight": [6, 8],
        "att_dst": [2, 4],
        "att_src": [2, 4],
        "bias": [8],
        "residual_weight": [6, 8],
    }
    target = make(layer_class, config, seed=2)
    target.load_state_dict(source.state_dict())
    graph = GRAPHS["random"]
    torch.testing.assert_close(
        target(graph, features(graph)), source(graph, features(graph))
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dense_and_sparse_input_give_the_same(layer_class, dtype):
    graph = GRAPHS["random"]
    for config in CONFIGS:
        layer = make(layer_class, config, dtype=dtype)
        x = features(graph, dtype=dtype)
        out = layer(graph, x)
        assert out.dtype == dtype
        torch.testing.assert_close(layer(graph, as_csr(x)), out)


def test_sparse_input_gives_the_same_gradient(layer_class):
    graph, layer = GRAPHS["random"], make(layer_class, CONFIGS[1])
    x = features(graph)
    grads = [
        torch.autograd.grad((layer(graph, form) ** 2).sum(), layer.weight)[0]
        for form in (x, as_csr(x))
    ]
    torch.testing.assert_close(*grads)


def test_permuting_the_nodes_permutes_the_output(layer_class):
    graph, layer = GRAPHS["random"], make(layer_class, CONFIGS[1])
    x = features(graph)
    new = torch.randperm(graph.num_nodes, generator=torch.Generator().manual_seed(5))
    renamed = GraphData.from_edges(new[graph.src], new[graph.dst], graph.num_nodes)
    x_renamed = torch.empty_like(x)
    x_renamed[new] = x
    torch.testing.assert_close(layer(renamed, x_renamed)[new], layer(graph, x))


def test_a_node_outside_the_neighbourhood_has_no_influence(layer_class):
    graph, layer = GRAPHS["random"], make(layer_class, CONFIGS[0])
    x = features(graph).requires_grad_()
    out = layer(graph, x)
    reach = graph.dense_adjacency() > 0
    reach.fill_diagonal_(False)
    for i in range(graph.num_nodes):
        (grad,) = torch.autograd.grad(out[i].sum(), x, retain_graph=True)
        touched = grad.abs().sum(dim=1) > 0
        touched[i] = False  # i's own features reach it through its self-loop alone
        assert not bool((touched & ~reach[i]).any())
        assert bool(touched.any()) == bool(reach[i].any())


@pytest.mark.parametrize("scale", [1.0, 1e2, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_of_alpha_sum_to_one_whatever_the_scores(layer_class, scale, dtype):
    graph = GRAPHS["random"]
    layer = make(layer_class, {"num_heads": 3}, dtype=dtype)
    with torch.no_grad():
        layer.att_dst.mul_(scale)
        layer.att_src.mul_(scale)
    out, alpha = layer(graph, features(graph, dtype=dtype), return_attention=True)
    assert bool(torch.isfinite(out).all())
    sums = torch.zeros(graph.num_nodes, 3, dtype=dtype).index_add(0, graph.dst, alpha)
    has_neighbours = (graph.in_degrees > 0).unsqueeze(1).expand(-1, 3).to(dtype)
    tolerance = 1e-3 if dtype == torch.float32 else 1e-9
    torch.testing.assert_close(sums, has_neighbours, atol=tolerance, rtol=0)


def test_a_node_without_neighbours_gets_bias_and_residual_alone(layer_class):
    graph = GRAPHS["random"]
    layer = make(layer_class, {"num_heads": 2, "residual": True})
    x = features(graph)
    expected = x[-2:] @ layer.residual_weight + layer.bias
    torch.testing.assert_close(layer(graph, x)[-2:], expected)


def test_attention_dropout_acts_in_training_alone_and_after_the_softmax(layer_class):
    graph = GRAPHS["denser"]
    layer = make(layer_class, {"num_heads": 1, "attn_drop": 0.5, "bias": False})
    x = features(graph)
    still, alpha = layer(graph, x, return_attention=True)
    layer.train()
    torch.manual_seed(0)
    outputs = torch.stack([layer(graph, x) for _ in range(100)])
    assert not torch.equal(outputs[0], outputs[1])
    # Inverted dropout keeps the mean; the returned weights are those before it.
    spread = outputs.std(dim=0) / 100**0.5
    assert bool(((outputs.mean(dim=0) - still).abs() <= 5 * spread + 1e-9).all())
    again = layer(graph, x, return_attention=True)[1]
    torch.testing.assert_close(again, alpha)


def test_uniform_layer_is_the_mean_of_the_neighbours():
    graph = GRAPHS["random"]
    layer = make(gat_course.UniformGATLayer, {"num_heads": 2, "bias": False})
    x = features(graph)
    out, alpha = layer(graph, x, return_attention=True)
    weights = gat_course.formulas.mean_weights(graph.dense_adjacency().double())
    torch.testing.assert_close(out, weights @ (x @ layer.weight))
    expected = 1 / graph.in_degrees[graph.dst].double()
    torch.testing.assert_close(alpha, expected.unsqueeze(1).expand(-1, 2))
    with_attention = make(gat_course.EdgeGATLayer, {"num_heads": 2, "bias": False})
    layer.load_state_dict(with_attention.state_dict())  # strict: the same names


@pytest.mark.parametrize("name", ["EdgeGATLayer", "UniformGATLayer"])
@pytest.mark.parametrize("option", ["feat_drop", "attn_drop"])
def test_each_dropout_acts_in_training(name, option):
    graph = GRAPHS["denser"]
    layer = make(getattr(gat_course, name), {"num_heads": 1, option: 0.5})
    x = features(graph)
    assert torch.equal(layer(graph, x), layer(graph, x))
    layer.train()
    assert not torch.equal(layer(graph, x), layer(graph, x))


def test_new_parameters_have_glorots_spread():
    torch.manual_seed(0)
    layer = gat_course.EdgeGATLayer(1433, 8, 8)
    assert layer.weight.std().item() == pytest.approx(
        (4 / (1433 + 64)) ** 0.5, rel=0.02
    )
    for att in (layer.att_dst, layer.att_src):
        assert att.std().item() == pytest.approx((4 / (64 + 8)) ** 0.5, rel=0.4)


def test_autocast_changes_precision_alone(layer_class):
    graph = GRAPHS["random"]
    layer = make(layer_class, CONFIGS[1], dtype=torch.float32)
    x = features(graph, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(graph, x)
    torch.testing.assert_close(out.float(), layer(graph, x), atol=0.1, rtol=0.1)


def test_swapped_arguments_are_named(layer_class):
    graph = GRAPHS["random"]
    with pytest.raises(TypeError, match=r"call layer\(graph, x\)"):
        make(layer_class, CONFIGS[0])(features(graph), graph)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4), "must be at least 1"),
        ((6, 4, 0), "must be at least 1"),
        ((6, 4, 2, "sum"), 'merge must be "concat" or "mean"'),
    ],
)
def test_bad_arguments_are_refused(layer_class, arguments, message):
    with pytest.raises(ValueError, match=message):
        layer_class(*arguments)


@pytest.mark.parametrize("name", ["feat_drop", "attn_drop"])
@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_bad_probabilities_are_refused(name, p):
    with pytest.raises(ValueError, match=rf"{name} must be in \[0, 1\)"):
        gat_course.EdgeGATLayer(6, 4, **{name: p})


def test_features_of_the_wrong_shape_are_refused(layer_class):
    layer = make(layer_class, CONFIGS[0])
    with pytest.raises(ValueError, match=r"x must be \[12, 6\].*got \[12, 5\]"):
        layer(GRAPHS["random"], torch.zeros(12, 5).double())
    with pytest.raises(ValueError, match=r"x must be \[12, 6\].*got \[11, 6\]"):
        layer(GRAPHS["random"], torch.zeros(11, 6).double())


def test_a_graph_without_edges_has_gradients(layer_class):
    layer = make(layer_class, {"num_heads": 2, "bias": False})
    layer(GRAPHS["no edges"], torch.randn(4, 6).double()).sum().backward()
    for parameter in layer.parameters():
        assert torch.equal(parameter.grad, torch.zeros_like(parameter))


@pytest.mark.parametrize("merge", ["concat", "mean"])
def test_an_edge_of_weight_w_counts_like_w_copies(layer_class, merge):
    graph = GRAPHS["random"]
    times = torch.randint(1, 4, (graph.num_edges,), generator=torch.manual_seed(0))
    copies = GraphData(
        num_nodes=graph.num_nodes,
        src=graph.src.repeat_interleave(times),
        dst=graph.dst.repeat_interleave(times),
    )
    weighted = GraphData(
        num_nodes=graph.num_nodes,
        src=graph.src,
        dst=graph.dst,
        edge_weight=times.double(),
    )
    layer = make(layer_class, {"num_heads": 3, "merge": merge})
    x = features(graph)
    out, alpha = layer(weighted, x, return_attention=True)
    expected, of_copies = layer(copies, x, return_attention=True)
    torch.testing.assert_close(out, expected)
    edge = torch.arange(graph.num_edges).repeat_interleave(times)
    summed = torch.zeros_like(alpha).index_add(0, edge, of_copies)
    torch.testing.assert_close(alpha, summed)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_only_the_ratios_of_edge_weights_count(layer_class, scale):
    graph = GraphData.from_edges(
        [0, 1], [2, 2], 3, edge_weight=[1.0 * scale, scale / 2]
    )
    layer = make(layer_class, {"num_heads": 1})
    with torch.no_grad():
        layer.att_dst.zero_()
        layer.att_src.zero_()
    alpha = layer(graph, torch.randn(3, 6).double(), return_attention=True)[1]
    torch.testing.assert_close(alpha, torch.tensor([[2 / 3], [1 / 3]]).double())


def test_scores_that_nothing_would_read_are_refused():
    scores = {"scores": EdgeGATLayer.scores}
    for base in (DenseGATLayer, UniformGATLayer):
        with pytest.raises(TypeError, match="nothing would read the scores of Mine"):
            type("Mine", (base,), scores)
    both = type("Both", (DenseGATLayer,), {**scores, "attend": EdgeGATLayer.attend})
    for base in (EdgeGATLayer, both):
        assert type("Mine", (base,), scores)(5, 3)


# Sums with one fixed weight for each edge


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(6))
def test_neighbour_sums_are_products_with_the_weighted_adjacency(seed, dtype):
    generator = torch.Generator().manual_seed(seed)
    n, edges = [(1, 0), (1, 4), (5, 0), (6, 30), (9, 12), (30, 200)][seed]
    src, dst = torch.randint(n, (2, edges), generator=generator)
    graph = GraphData(num_nodes=n, src=src, dst=dst)
    weights = torch.rand(edges, generator=generator)  # float32, whatever h is
    h = torch.randn(n, 3, generator=generator).to(dtype).requires_grad_()
    adjacency = torch.zeros(n, n, dtype=torch.float64)
    adjacency.index_put_(
        (graph.dst, graph.src), weights.to(dtype).double(), accumulate=True
    )
    out = layers.neighbour_sums(graph, weights, h)
    assert out.dtype == dtype
    close = {"rtol": 1e-2, "atol": 1e-2} if dtype == torch.float16 else {}
    expected = (adjacency @ h.detach().double()).to(dtype)
    torch.testing.assert_close(out, expected, **close)
    if edges:
        (grad,) = torch.autograd.grad(out.sum(), h)
        expected = adjacency.sum(dim=0).unsqueeze(1).expand(n, 3).to(dtype)
        torch.testing.assert_close(grad, expected, **close)


@pytest.mark.parametrize("wrong", [(1, 3), (3, 3), (5, 3), (4, 2)])
def test_neighbour_sums_refuse_what_does_not_fit(wrong):
    graph = GraphData.from_edges([0, 1, 2, 0], [1, 2, 0, 2])
    weights, rows = wrong
    with pytest.raises(ValueError, match=r"weights must be \[4\], one for each edge"):
        layers.neighbour_sums(graph, torch.ones(weights), torch.ones(rows, 2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_a_gcn_hears_hubs_and_any_unit_of_weights(dtype):
    hubs = torch.tensor([0, 1]).repeat_interleave(400)
    leaves = torch.arange(2, 802)
    src, dst = [torch.cat([a, torch.tensor([0])]) for a in (hubs, leaves)]
    dst[-1] = 1
    graph = GraphData.from_edges(src, dst, 802, undirected=True)
    layer = layers.GCNLayer(1, 1).to(dtype)
    with torch.no_grad():
        layer.weight.fill_(1)
    x = torch.zeros(802, 1, dtype=dtype)
    x[1] = 401
    assert layer(graph, x)[0].item() == pytest.approx(1, rel=1e-2)
    for scale in (1e20, 1e-30):
        pair = GraphData.from_edges([0, 1], [1, 0], edge_weight=[scale, scale])
        out = layer(pair, torch.ones(2, 1, dtype=dtype))
        assert out.flatten().tolist() == pytest.approx([1, 1], rel=1e-2)


def test_uniform_shares_of_large_weights_in_half_precision():
    graph = GraphData.from_edges([0, 1], [2, 2], edge_weight=[1e5, 3e5])
    _, alpha = UniformGATLayer(2, 2).half()(
        graph, torch.ones(3, 2).half(), return_attention=True
    )
    assert alpha.flatten().tolist() == pytest.approx([0.25, 0.75], rel=1e-3)
