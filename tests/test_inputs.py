"""What people hand to layers and models: it works, or the error names the remedy."""

import os

import pytest
import torch

import gat_course
from gat_course import GraphData
from gat_course.layers import GCNLayer

LAYERS = [
    "DenseGATLayer",
    "EdgeGATLayer",
    "FusedGATLayer",
    "UniformGATLayer",
    "PublishedGATLayer",
    "UDFGATLayer",
    "DGLGATLayer",
    "GCNLayer",
]
MODELS = ["GAT", "GCN", "MLP", "InductiveGAT", "InductiveGCN"]


@pytest.fixture(params=LAYERS + MODELS)
def make(request):
    """Builds a small layer or model for 3 features."""
    name = request.param
    if name == "GCNLayer":
        return lambda: GCNLayer(3, 4)
    if name == "PublishedGATLayer":
        return lambda: gat_course.published.PublishedGATLayer(3, 4)
    small = {"hidden": 2} if name in MODELS else {}
    return lambda: getattr(gat_course, name)(3, 4, **small)


@pytest.fixture
def graph():
    torch.manual_seed(0)
    ring = torch.arange(5)
    return GraphData.from_edges(ring, (ring + 1) % 5, x=torch.randn(5, 3))


def test_a_graph_without_features_is_named(make, graph):
    bare = GraphData(num_nodes=5, src=graph.src, dst=graph.dst, name="Bare")
    with pytest.raises(ValueError, match=r"x is None: Bare has no features.*with x="):
        make()(bare, bare.x)


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_other_kinds_of_numbers_are_named(make, graph, kind):
    name = str(kind).removeprefix("torch.")
    message = rf"x is {name} and the parameters are float32: .*x\.to\(torch\.float32\)"
    with pytest.raises(TypeError, match=message):
        make()(graph, graph.x.to(kind))
    assert make().to(kind)(graph, graph.x.to(kind)).dtype == kind


def test_integers_are_named(make, graph):
    with pytest.raises(TypeError, match=r"x is int64 and the parameters are float32"):
        make()(graph, graph.x.long())


def test_arrays_are_named(make, graph):
    with pytest.raises(
        TypeError, match=r"x must be a tensor, got ndarray: use graph.x"
    ):
        make()(graph, graph.x.numpy())


@pytest.mark.parametrize("moved", ["graph", "x", "model"])
def test_another_device_is_named(make, graph, moved):
    model, x = make(), graph.x
    if moved == "model":
        model = model.to("meta")
    elif moved == "x":
        x = x.to("meta")
    else:
        graph = graph.to("meta")
    with pytest.raises(
        ValueError, match=r"the graph is on .*graph = graph.to\(device\)"
    ):
        model(graph, x)


def test_a_third_argument_is_never_taken_for_an_option(make, graph):
    with pytest.raises(TypeError, match="positional arguments"):
        make()(graph, graph.x, torch.ones(graph.num_edges))


def test_features_come_back_with_their_gradient(make, graph):
    x = graph.x.clone().requires_grad_()
    make()(graph, x).sum().backward()
    assert x.grad.shape == x.shape and bool(torch.isfinite(x.grad).all())


def test_graphs_without_edges_have_gradients_too(make):
    graph = GraphData(num_nodes=3, src=[], dst=[])
    x = torch.randn(3, 3, requires_grad=True)
    out = make()(graph, x)
    assert out.requires_grad
    out.sum().backward()


@pytest.fixture(scope="module")
def process_group(tmp_path_factory):
    """A group of one process, which is what DistributedDataParallel asks for."""
    if not torch.distributed.is_available():
        pytest.skip("this PyTorch was built without torch.distributed")
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    file = tmp_path_factory.mktemp("group") / "file"
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{file}", rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


def test_every_parameter_that_wants_a_gradient_gets_one(make, graph, process_group):
    model = torch.nn.parallel.DistributedDataParallel(make())
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(2):  # the second step fails where the first left a gradient out
        optimizer.zero_grad()
        model(graph, graph.x).square().sum().backward()
        optimizer.step()


def test_frozen_attention_has_nothing_to_train():
    layer = gat_course.UniformGATLayer(3, 4, 2)
    trained = sum(p.numel() for p in layer.parameters() if p.requires_grad)
    assert trained == 3 * 8 + 8
    layer.load_state_dict(gat_course.EdgeGATLayer(3, 4, 2).state_dict())


# ------------------------------------------------------------ second derivatives


def hessian(layer, graph, x):
    torch.manual_seed(0)
    return torch.autograd.functional.hessian(
        lambda x: (torch.manual_seed(1), layer(graph, x).square().sum())[1], x
    )


SMOOTH = [name for name in LAYERS if name not in ("PublishedGATLayer", "GCNLayer")]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SMOOTH)
def test_second_derivatives_are_right_or_refused(name, weighted):
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        ends = torch.randint(4, (2, 9), generator=generator)
        weight = torch.rand(9, generator=generator) + 0.1 if weighted else None
        graph = GraphData.from_edges(*ends, 5, edge_weight=weight)
        x = torch.randn(5, 3, dtype=torch.float64, generator=generator)
        layer = getattr(gat_course, name)(3, 2, 2).double()
        base = (
            gat_course.UniformGATLayer
            if name == "UniformGATLayer"
            else gat_course.EdgeGATLayer
        )
        expected = by_differences(layer, base, graph, x)
        try:
            found = hessian(layer, graph, x)
        except RuntimeError as error:
            assert name == "DGLGATLayer" and "EdgeGATLayer" in str(error)
            continue
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def by_differences(layer, base, graph, x, step=1e-5):
    """The Hessian from first derivatives at x ± step, of the plain edge list."""
    plain = base(3, 2, 2).double()
    plain.load_state_dict(layer.state_dict())

    def slope(x):
        x = x.clone().requires_grad_()
        return torch.autograd.grad(plain(graph, x).square().sum(), x)[0]

    columns = []
    for place in range(x.numel()):
        nudge = torch.zeros(x.numel(), dtype=x.dtype)
        nudge[place] = step
        nudge = nudge.view_as(x)
        columns.append((slope(x + nudge) - slope(x - nudge)).flatten() / (2 * step))
    return torch.stack(columns, dim=1).view(*x.shape, *x.shape)


def test_a_second_derivative_sees_the_same_draws():
    torch.manual_seed(0)
    ends = torch.randint(6, (2, 20))
    graph = GraphData.from_edges(*ends, 6)
    x = torch.randn(6, 3, dtype=torch.float64)
    layer = gat_course.FusedGATLayer(3, 8, 2, attn_drop=0.5).double()

    def slope(x):
        torch.manual_seed(3)
        return torch.autograd.grad(layer(graph, x).square().sum(), x, create_graph=True)

    assert torch.autograd.gradcheck(
        lambda x: slope(x)[0], x.requires_grad_(), fast_mode=True
    )


def test_parameters_have_second_derivatives_too():
    graph = GraphData.from_edges([0, 1, 2, 0], [1, 2, 0, 2]).with_self_loops()
    x = torch.randn(3, 3, dtype=torch.float64)
    norms = []
    for name in ("EdgeGATLayer", "FusedGATLayer"):
        torch.manual_seed(0)
        layer = getattr(gat_course, name)(3, 2, 2).double()
        loss = layer(graph, x).square().sum()
        first = torch.autograd.grad(loss, list(layer.parameters()), create_graph=True)
        penalty = sum(g.square().sum() for g in first)
        norms.append(torch.autograd.grad(penalty, list(layer.parameters())))
    for a, b in zip(*norms, strict=True):
        torch.testing.assert_close(a, b)
