"""Chunks of edges against the edge list: equal outputs, gradients and randomness."""

import pytest
import torch

import gat_course
from gat_course import EdgeGATLayer, FusedGATLayer, GraphData, fused
from gat_course.dropout import hashed_mask

# How small the chunks are: one edge, a few, and all edges in one.
LIMITS = [1, 7, 10**6]


@pytest.fixture(params=LIMITS)
def limit(request, monkeypatch):
    monkeypatch.setitem(fused.CHUNK, "cpu", request.param)
    return request.param


def graph_with_a_hub(seed=0, num_nodes=30, num_edges=150):
    """Random edges, some repeated, a hub, and nodes without any edge at both ends."""
    generator = torch.Generator().manual_seed(seed)
    ends = torch.randint(2, num_nodes - 3, (2, num_edges), generator=generator)
    hub = torch.full((20,), 5)
    src = torch.cat([ends[0], ends[0, :20], ends[0, :9]])
    dst = torch.cat([ends[1], hub, ends[1, :9]])
    return GraphData.from_edges(src, dst, num_nodes)


def twins(dtype=torch.float64, **config):
    """An `EdgeGATLayer` and a `FusedGATLayer` with the same parameters."""
    torch.manual_seed(0)
    layers = [cls(6, **config).to(dtype) for cls in (EdgeGATLayer, FusedGATLayer)]
    layers[1].load_state_dict(layers[0].state_dict())
    return layers


def results(layer, graph, x):
    x = x.clone().requires_grad_()
    out = layer(graph, x)
    loss = (out * torch.linspace(-1, 1, out.numel(), dtype=x.dtype).view_as(out)).sum()
    return out, *torch.autograd.grad(loss, [x, *layer.parameters()])


@pytest.mark.parametrize(
    "config",
    [
        {"out_features": 4, "num_heads": 3, "residual": True},
        {"out_features": 8, "num_heads": 2, "merge": "mean"},
        {"out_features": 17, "num_heads": 1, "negative_slope": 0.01},
    ],
    ids=str,
)
def test_output_and_gradients_equal_the_edge_list(config, limit):
    graph = graph_with_a_hub()
    x = torch.randn(graph.num_nodes, 6, dtype=torch.float64)
    edges, chunks = twins(**config)
    for a, b in zip(results(edges, graph, x), results(chunks, graph, x), strict=True):
        torch.testing.assert_close(a, b, atol=1e-11, rtol=1e-11)


@pytest.mark.parametrize("scale", [1e2, 1e4])
def test_extreme_scores_stay_finite_and_equal(scale, limit):
    graph = graph_with_a_hub()
    x = scale * torch.randn(graph.num_nodes, 6)
    edges, chunks = twins(torch.float32, out_features=8)
    expected, (out, *gradients) = results(edges, graph, x)[0], results(chunks, graph, x)
    assert all(bool(torch.isfinite(g).all()) for g in gradients)
    # A score of s rounds by some 1e-7 s, and so does the logarithm of a weight.
    torch.testing.assert_close(out, expected, atol=1e-6 * scale**2, rtol=1e-3)


@pytest.mark.parametrize("scale", [1.0, 1e4, 1e7])
def test_equal_sources_get_equal_gradients_however_large_the_scores(scale, limit):
    # Twenty equal sources of one target: each weight is 1/20, whatever the scores.
    graph = GraphData.from_edges(torch.arange(1, 21), torch.zeros(20).long(), 21)
    layer = FusedGATLayer(1, 8, bias=False)
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.att_src.fill_(1)
        layer.att_dst.fill_(0)
    x = torch.full((21, 1), scale, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(graph, x)[0, 0], x)
    torch.testing.assert_close(gradient[1:], torch.full((20, 1), 0.05))


@pytest.mark.parametrize("num_edges", [0, 1])
def test_almost_no_edges(num_edges, limit):
    edge = torch.arange(num_edges)
    graph = GraphData.from_edges(edge, edge + 1, 4)
    edges, chunks = twins(out_features=8, num_heads=2)
    x = torch.randn(4, 6, dtype=torch.float64)
    for a, b in zip(results(edges, graph, x), results(chunks, graph, x), strict=True):
        torch.testing.assert_close(a, b)


def test_a_graph_serves_layers_of_any_number_of_heads(limit):
    graph = graph_with_a_hub()
    x = torch.randn(graph.num_nodes, 6, dtype=torch.float64)
    for num_heads in (1, 2, 1):
        edges, chunks = twins(out_features=8, num_heads=num_heads)
        torch.testing.assert_close(chunks(graph, x), edges(graph, x))


def dropped(layer, graph, x, seed=0):
    torch.manual_seed(seed)
    return layer(graph, x)


def test_gradient_with_dropout_is_that_of_the_same_draw(limit):
    graph = graph_with_a_hub()
    layer = twins(out_features=8, num_heads=2, attn_drop=0.5)[1]
    x = torch.randn(graph.num_nodes, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x: dropped(layer, graph, x), x, fast_mode=True
    )


def test_dropout_does_not_depend_on_the_chunks(monkeypatch):
    graph = graph_with_a_hub()
    layer = twins(out_features=8, num_heads=2, attn_drop=0.5)[1]
    x = torch.randn(graph.num_nodes, 6, dtype=torch.float64)
    outputs = []
    for limit in LIMITS:
        monkeypatch.setitem(fused.CHUNK, "cpu", limit)
        outputs.append(dropped(layer, graph, x))
    for output in outputs[1:]:
        torch.testing.assert_close(output, outputs[0])
    assert not torch.equal(dropped(layer, graph, x, seed=1), outputs[0])


def test_the_mask_is_a_fair_coin():
    numbers = torch.arange(20_000, dtype=torch.int32)
    p = 0.6
    masks = torch.stack([hashed_mask(numbers, p, seed) for seed in range(200)])
    assert masks.unique().tolist() == pytest.approx([0.0, 1 / (1 - p)])
    kept = (masks > 0).double()
    spread = (p * (1 - p)) ** 0.5
    # Each mean lies within 5.5 standard errors of what fair draws give.
    for dim in (0, 1):
        error = spread / kept.shape[dim] ** 0.5
        assert float((kept.mean(dim) - (1 - p)).abs().max()) < 5.5 * error
    fair = (kept - (1 - p)) / spread
    for shift in (1, 2, 8, 64, 1024):  # neighbours in the order of the numbers
        together = (fair[:, shift:] * fair[:, :-shift]).mean()
        assert abs(float(together)) < 5.5 / (200 * 20_000) ** 0.5
    between = fair @ fair.t() / len(numbers)  # one seed and another
    between.fill_diagonal_(0)
    assert float(between.abs().max()) < 5.5 / len(numbers) ** 0.5


@pytest.mark.parametrize("p", [0.01, 0.5, 0.99, 1 - 1e-12])
def test_the_mask_drops_with_its_probability(p):
    kept = hashed_mask(torch.arange(10**6, dtype=torch.int32), p, 3) > 0
    assert float(kept.double().mean()) == pytest.approx(1 - p, abs=3e-3)


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_the_mask_refuses_a_bad_probability(p):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\)"):
        hashed_mask(torch.arange(3, dtype=torch.int32), p, 0)


def test_memory_does_not_grow_with_the_edges(monkeypatch):
    monkeypatch.setitem(fused.CHUNK, "cpu", 4096)
    layer = FusedGATLayer(8, 8, 8)
    x = torch.randn(1000, 8)
    peaks = []
    for num_edges in (20_000, 80_000):
        ends = torch.randint(0, 1000, (2, num_edges))
        graph = GraphData.from_edges(*ends, 1000)

        def step(graph=graph):
            layer.zero_grad()
            layer(graph, x).sum().backward()

        step()  # builds what the graph keeps
        peaks.append(gat_course.measure.peak_memory(step))
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 80_000 * 8 * 4  # one number per edge and head


def test_other_number_types_compute_as_the_edge_list():
    graph = graph_with_a_hub()
    edges, chunks = twins(torch.bfloat16, out_features=8, num_heads=2)
    x = torch.randn(graph.num_nodes, 6, dtype=torch.bfloat16)
    assert torch.equal(chunks(graph, x), edges(graph, x))


def test_autocast_reaches_neither_direction():
    graph = graph_with_a_hub()
    x = torch.randn(graph.num_nodes, 6)
    gradients = []
    for features in (x, x.to_sparse_csr()):
        _, layer = twins(torch.float32, out_features=8)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            layer(graph, features).sum().backward()
        gradients.append(layer.weight.grad)
    torch.testing.assert_close(*gradients, atol=0.1, rtol=0.05)


def test_the_random_stream_is_touched_by_dropout_alone():
    graph = graph_with_a_hub()
    x = torch.randn(graph.num_nodes, 6, dtype=torch.float64)
    layer = twins(out_features=8, attn_drop=0.5)[1].eval()
    before = torch.get_rng_state()
    layer(graph, x)
    assert torch.equal(torch.get_rng_state(), before)
    layer.train()(graph, x)
    assert not torch.equal(torch.get_rng_state(), before)


def test_too_many_heads_for_the_indices_are_refused():
    graph = GraphData.from_edges([0], [1], 1000)
    with pytest.raises(ValueError, match="32-bit indices: take fewer heads"):
        list(fused.chunks(graph.by_target, 2**22))


def test_the_mask_refuses_other_integers():
    with pytest.raises(TypeError, match="must be int32, got torch.int64"):
        hashed_mask(torch.arange(3), 0.5, 0)


def test_other_scores_are_looked_at_and_not_passed_over():
    def scores(self, graph, z):
        return z.sum(-1).index_select(0, graph.src)

    fast = type("Fast", (FusedGATLayer,), {"scores": scores})(5, 8, 2)
    edges = type("Edges", (EdgeGATLayer,), {"scores": scores})(5, 8, 2)
    edges.load_state_dict(fast.state_dict())
    graph = GraphData.from_edges([0, 1, 2, 2], [3, 3, 3, 0], x=torch.randn(4, 5))
    assert torch.equal(fast(graph, graph.x), edges(graph, graph.x))
    usual = FusedGATLayer(5, 8, 2)
    usual.load_state_dict(fast.state_dict())
    assert not torch.allclose(usual(graph, graph.x), edges(graph, graph.x))
