"""All layers against each other on hundreds of random multigraphs, weighted or not.

Nodes without edges, loops, edges that repeat more often than there are pairs, one node,
no edges; chunks from one edge to all; several numbers of heads, slopes and dtypes.
"""

import pytest
import torch

import gat_course
from gat_course import GraphData, fused

LAYERS = ["DenseGATLayer", "FusedGATLayer", "UDFGATLayer", "DGLGATLayer"]
SLOW = {"UDFGATLayer", "DGLGATLayer"}
NUM_GRAPHS = 400


def draw(seed):
    """A random multigraph, a layer's options, a chunk's size and a dtype."""
    generator = torch.Generator().manual_seed(seed)

    def number(low, high):
        return int(torch.randint(low, high, (), generator=generator))

    nodes = number(1, 25)
    edges = number(0, 20) * number(0, nodes + 1)
    ends = torch.randint(nodes, (2, edges), generator=generator)
    if number(0, 3) == 0:  # all into one node
        ends[1] = 0
    weight = None
    if number(0, 2):
        weight = 0.1 + 3 * torch.rand(edges, generator=generator).double()
    dtype = torch.float64 if number(0, 3) else torch.float32
    x = torch.randn(nodes, 3, generator=generator, dtype=dtype)
    graph = GraphData(num_nodes=nodes, src=ends[0], dst=ends[1], edge_weight=weight)
    options = {
        "out_features": number(1, 10),
        "num_heads": number(1, 5),
        "merge": ("concat", "mean")[number(0, 2)],
        "negative_slope": (0.2, 0.01, 0.0, 1.0)[number(0, 4)],
        "residual": bool(number(0, 2)),
        "bias": bool(number(0, 2)),
    }
    return graph, x, options, (1, 3, 17, 10**6)[number(0, 4)]


def results(layer, graph, x):
    x = x.clone().requires_grad_()
    out = layer(graph, x)
    factors = torch.linspace(-1, 1, out.numel(), dtype=x.dtype).view_as(out)
    wanted = [x, *layer.parameters()]
    gradients = torch.autograd.grad(
        (out * factors).sum(), wanted, materialize_grads=True
    )
    return out, *gradients


def twin(name, layer, options):
    other = getattr(gat_course, name)(3, **options).to(layer.weight.dtype)
    other.load_state_dict(layer.state_dict())
    return other


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_equals_the_edge_list(name, monkeypatch):
    for seed in range(NUM_GRAPHS // 4 if name in SLOW else NUM_GRAPHS):
        graph, x, options, limit = draw(seed)
        monkeypatch.setitem(fused.CHUNK, "cpu", limit)
        torch.manual_seed(seed)
        layer = gat_course.EdgeGATLayer(3, **options).to(x.dtype)
        expected = results(layer, graph, x)
        found = results(twin(name, layer, options), graph, x)
        close = 1e-9 if x.dtype == torch.float64 else 1e-3
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(
                a, b, atol=close, rtol=close, msg=f"{name} differs on graph {seed}"
            )


def copies(graph, times):
    """The graph in which edge number e stands `times[e]` times, without weights."""
    edge = torch.arange(graph.num_edges).repeat_interleave(times)
    return GraphData(
        num_nodes=graph.num_nodes, src=graph.src[edge], dst=graph.dst[edge]
    )


@pytest.mark.parametrize(
    "name",
    ["EdgeGATLayer", "DenseGATLayer", "FusedGATLayer", "UniformGATLayer", "GCNLayer"],
)
def test_an_edge_of_weight_three_is_three_edges(name):
    for seed in range(50):
        generator = torch.Generator().manual_seed(seed)
        nodes = 1 + seed % 9
        ends = torch.randint(nodes, (2, 3 * nodes), generator=generator)
        times = torch.randint(1, 5, (3 * nodes,), generator=generator)
        graph = GraphData.from_edges(*ends, nodes, edge_weight=times.double())
        x = torch.randn(nodes, 3, generator=generator, dtype=torch.float64)
        torch.manual_seed(seed)
        layer = getattr(gat_course.layers, name, gat_course.FusedGATLayer)(3, 4)
        layer = layer.double()
        in_order = graph.edge_weight.long()
        torch.testing.assert_close(
            layer(graph, x), layer(copies(graph, in_order), x), atol=1e-10, rtol=1e-10
        )


def test_weights_that_are_all_alike_change_nothing():
    graph, x, options, _ = draw(7)
    layer = gat_course.FusedGATLayer(3, **options).to(x.dtype)
    plain = GraphData(num_nodes=graph.num_nodes, src=graph.src, dst=graph.dst)
    alike = GraphData(
        num_nodes=graph.num_nodes,
        src=graph.src,
        dst=graph.dst,
        edge_weight=torch.full((graph.num_edges,), 0.25),
    )
    torch.testing.assert_close(layer(alike, x), layer(plain, x))


def test_returned_weights_sum_to_one_over_each_weighted_neighbourhood():
    for seed in range(20):
        graph, x, options, _ = draw(seed)
        for name in ("EdgeGATLayer", "DenseGATLayer", "UniformGATLayer"):
            layer = getattr(gat_course, name)(3, **options).to(x.dtype)
            _, alpha = layer(graph, x, return_attention=True)
            total = alpha.new_zeros(graph.num_nodes, layer.num_heads)
            total = total.index_add(0, graph.dst, alpha)
            expected = (graph.in_degrees > 0).to(x.dtype).unsqueeze(1).expand_as(total)
            torch.testing.assert_close(total, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("heads", [1, 8])
@pytest.mark.parametrize(
    ("nodes", "edges"), [(1, 2), (2, 5), (50, 2501), (50, 20_000), (100, 40_000)]
)
def test_more_edges_than_pairs_can_be_trained_on(nodes, edges, heads):
    ends = torch.randint(nodes, (2, edges), generator=torch.Generator().manual_seed(0))
    graph = GraphData(num_nodes=nodes, src=ends[0], dst=ends[1])
    x = torch.randn(nodes, 3, dtype=torch.float64)
    layer = gat_course.EdgeGATLayer(3, 8, heads).double()
    options = {"out_features": 8, "num_heads": heads}
    expected = results(layer, graph, x)
    for a, b in zip(
        results(twin("FusedGATLayer", layer, options), graph, x), expected, strict=True
    ):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-9)
