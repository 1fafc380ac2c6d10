"""Weights in and out: PyG's and DGL's layers and networks equal ours, both ways."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import gat_course
from gat_course import (
    GAT,
    GCN,
    MLP,
    DenseGATLayer,
    EdgeGATLayer,
    FusedGATLayer,
    GraphData,
    InductiveGAT,
    UniformGATLayer,
    from_dgl,
    from_pyg,
    load,
    to_dgl,
    to_pyg,
)
from gat_course.layers.gat import GATLayer
from gat_course.models import Stack

NUM_GRAPHS = 60


class PyG:
    to, back = staticmethod(to_pyg), staticmethod(from_pyg)
    held = "lin.weight", "att_src", "att_dst"

    def __init__(self):
        self.nn = pytest.importorskip("torch_geometric.nn")

    def call(self, module, graph, x, merge=None):
        return module(x, torch.stack([graph.src, graph.dst]))

    def conv(self, *sizes, **options):
        return self.nn.GATConv(*sizes, **{"add_self_loops": False, **options})

    def from_layer(self, conv, merge):
        return from_pyg(conv)

    def from_network(self, network, model, **options):
        drops = [layer.feat_drop for layer in layers_of(model)]
        options |= {"feat_drop": drops, "activation": model.activation}
        return from_pyg(convs_of(network, self), **options)


class DGL:
    to, back = staticmethod(to_dgl), staticmethod(from_dgl)
    held = "fc.weight", "attn_l", "attn_r"

    def __init__(self, dgl_nn):
        self.nn = dgl_nn

    def call(self, module, graph, x, merge=None):
        out = module(graph.dgl(), x)
        if out.dim() == 2:
            return out
        return out.mean(1) if merge == "mean" else out.flatten(1)

    def conv(self, *sizes, **options):
        return self.nn.GATConv(*sizes, allow_zero_in_degree=True, **options)

    def from_layer(self, conv, merge):
        return from_dgl(conv, merge=merge)

    def from_network(self, network, model, **options):
        merges = [layer.merge for layer in layers_of(model)]
        options |= {"merge": merges, "activation": model.activation}
        return from_dgl(convs_of(network, self), **options)


def layers_of(model):
    return [part for part in model.children() if isinstance(part, GATLayer)]


def convs_of(network, library):
    return [m for m in network.modules() if isinstance(m, library.nn.GATConv)]


@pytest.fixture
def dgl_nn(dgl):
    if not hasattr(dgl.nn, "GATConv"):
        pytest.skip("what stands in for DGL has no GATConv")
    return dgl.nn


@pytest.fixture(params=["pyg", "dgl"])
def library(request):
    if request.param == "pyg":
        return PyG()
    return DGL(request.getfixturevalue("dgl_nn"))


@pytest.fixture
def pyg():
    return PyG()


def draw(seed):
    """A random multigraph and a layer's options, as small as one node, no edges."""
    generator = torch.Generator().manual_seed(seed)

    def number(low, high):
        return int(torch.randint(low, high, (), generator=generator))

    nodes = 1 if seed == 0 else number(1, 12)
    edges = 0 if seed in (0, 1) else number(0, 4) * number(0, nodes + 1)
    ends = torch.randint(nodes, (2, edges), generator=generator)
    ends = torch.cat([ends, ends[:, : edges // 3]], dim=1)  # some edges repeat
    graph = GraphData(num_nodes=nodes, src=ends[0], dst=ends[1])
    options = {
        "out_features": number(1, 7),
        "num_heads": number(1, 5),
        "merge": ("concat", "mean")[number(0, 2)],
        "negative_slope": (0.2, 0.01, 1.0)[number(0, 3)],
        "attn_drop": (0.0, 0.3)[number(0, 2)],
        "residual": bool(number(0, 2)),
        "bias": bool(number(0, 2)),
    }
    x = torch.randn(nodes, 6, generator=generator, dtype=torch.float64)
    return graph, x, options


def busy():
    """A graph with repeated edges, a loop that stands once, and a node without any."""
    src, dst = [0, 1, 1, 2, 3, 4, 4, 0], [1, 2, 2, 0, 3, 0, 1, 2]
    graph = GraphData.from_edges(src, dst, 6)
    return graph, torch.randn(6, 6, dtype=torch.float64)


def drawn_layer(seed, options, make=FusedGATLayer):
    torch.manual_seed(seed)
    layer = make(6, **options).double().eval()
    if layer.bias is not None:
        nn.init.normal_(layer.bias)
    return layer


def assert_same_layer(a, b):
    assert repr(a) == repr(b)
    ours, theirs = dict(a.named_parameters()), dict(b.named_parameters())
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        close(value, theirs[name], 1e-6)
        assert value.requires_grad == theirs[name].requires_grad, name
        assert value.dtype == theirs[name].dtype and theirs[name].is_contiguous()
        assert value.data_ptr() != theirs[name].data_ptr() or not value.numel()
    assert a.training == b.training


def gradients(module, out, x, held):
    """Of a weighted sum of the output, by x, W and both halves of a."""
    factors = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    wanted = [x, *(module.get_parameter(name) for name in held)]
    loss = (out * factors).sum()
    x, weight, *halves = torch.autograd.grad(loss, wanted, materialize_grads=True)
    return x, weight if held[0] == "weight" else weight.t().contiguous(), *halves


def close(a, b, tolerance=1e-10):
    torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


# ------------------------------------------------ layers


def test_layers_agree_on_random_multigraphs_and_come_back_exactly(library):
    seen = set()
    for seed in range(NUM_GRAPHS):
        graph, x, options = draw(seed)
        layer = drawn_layer(seed, options)
        conv = library.to(layer)
        assert type(conv) is library.nn.GATConv and not conv.training
        x = x.requires_grad_()
        out = layer(graph, x)
        theirs = library.call(conv, graph, x, layer.merge)
        close(theirs, out)
        expected = gradients(layer, out, x, ("weight", "att_src", "att_dst"))
        found = gradients(conv, theirs, x, library.held)
        for mine, other in zip(expected, found, strict=True):
            close(other.view_as(mine), mine)
        back = library.from_layer(conv, layer.merge)
        assert_same_layer(layer, back)
        close(back(graph, x), out)
        seen.add((layer.merge, layer.residual, layer.residual_weight is None))
    assert len(seen) == 6  # both merges, without and with a residual of either kind


@pytest.mark.parametrize("merge", ["concat", "mean"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("width", [2, 3, 6])
def test_a_librarys_own_layer_becomes_ours(library, merge, bias, residual, width):
    graph = GraphData.from_edges([0, 1, 1, 1], [1, 2, 2, 0], 5)
    x = torch.randn(5, 6)
    options = {"bias": bias, "residual": residual}
    if isinstance(library, PyG):
        options["concat"] = merge == "concat"
    conv = library.conv(6, width, 3, **options)
    for parameter in conv.parameters():
        nn.init.normal_(parameter)
    layer = library.from_layer(conv, merge)
    theirs = library.call(conv, graph, x, merge)
    close(layer(graph, x), theirs, 1e-4)
    assert layer.training
    again = library.from_layer(library.to(layer), merge)
    assert_same_layer(layer, again)
    close(library.call(library.to(layer), graph, x, merge), theirs, 1e-4)


@pytest.mark.parametrize(
    "name",
    ["DenseGATLayer", "EdgeGATLayer", "UniformGATLayer", "UDFGATLayer", "DGLGATLayer"],
)
def test_every_layer_goes_out(library, name, request):
    if name in ("UDFGATLayer", "DGLGATLayer"):
        request.getfixturevalue("dgl")
    graph, x = busy()
    *_, options = draw(5)
    layer = drawn_layer(5, options, getattr(gat_course, name))
    close(library.call(library.to(layer), graph, x, layer.merge), layer(graph, x))


def test_attention_may_be_switched_off_on_the_way_in(library):
    graph, x = busy()
    layer = library.back(library.conv(6, 3, 2).double(), layer=UniformGATLayer)
    frozen = not layer.att_dst.requires_grad and not layer.att_src.requires_grad
    assert frozen and layer.weight.requires_grad
    _, alpha = layer(graph, x, return_attention=True)
    close(alpha, (1 / graph.in_degrees[graph.dst].double())[:, None].expand(-1, 2))


def test_nothing_is_shared_and_what_is_frozen_stays_frozen(library):
    layer = EdgeGATLayer(6, 3, 2, residual=True).train()
    layer.weight.requires_grad_(False)
    before = {name: p.clone() for name, p in layer.named_parameters()}
    state = torch.get_rng_state()
    conv = library.to(layer)
    back = library.from_layer(conv, "concat")
    assert torch.equal(torch.get_rng_state(), state)  # no random number is used up
    assert conv.training and back.training
    assert not back.weight.requires_grad and back.att_src.requires_grad
    with torch.no_grad():
        for parameter in [*conv.parameters(), *back.parameters()]:
            parameter.add_(1)
    assert all(torch.equal(p, before[n]) for n, p in layer.named_parameters())


# ------------------------------------------------ networks


@pytest.mark.parametrize("name", ["cora", "citeseer"])
def test_the_papers_network_has_equal_logits_both_ways(library, name):
    graph = load(name, fallback="synthetic").with_self_loops()
    x = graph.x.to_dense() if graph.x.layout != torch.strided else graph.x
    model = GAT(graph.num_features, graph.num_classes).eval()
    network = library.to(model)
    expected = model(graph, x)
    found = library.call(network, graph, x)
    close(found, expected, 1e-5)
    close(library.from_network(network, model)(graph, x), found, 1e-5)


MODELS = {
    "paper": lambda: GAT(6, 3),
    "one layer": lambda: GAT(6, 3, [], [], 3),
    "deep": lambda: GAT(
        6, 3, [4, 6, 2], [2, 1, 3], 2, 0.3, 0.1, [False, False, True, True]
    ),
    "plain input added": lambda: GAT(6, 6, [3, 3], 2, 4, residual=True),
    "PPI": lambda: InductiveGAT(6, 5, hidden=4),
    "uniform": lambda: GAT(6, 3, layer=UniformGATLayer),
    "other stack": lambda: Stack(
        [
            EdgeGATLayer(6, 4, 3, "mean", feat_drop=0.2),
            DenseGATLayer(4, 2, 2, "concat", attn_drop=0.4, bias=False),
        ],
        nn.ReLU(),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_networks_agree_and_come_back_exactly(library, name):
    graph, x = busy()
    model = MODELS[name]().double().eval()
    network = library.to(model)
    close(library.call(network, graph, x), model(graph, x))
    own = UniformGATLayer if name == "uniform" else FusedGATLayer
    back = library.from_network(network, model, layer=own)
    assert isinstance(back, GAT) and not back.training
    assert back.num_hops == model.num_hops
    assert repr(back.activation) == repr(model.activation)
    if name not in ("uniform", "other stack"):
        for a, b in zip(model.children(), back.children(), strict=True):
            assert_same_layer(a, b)
    close(back(graph, x), model(graph, x))


def rates(network):
    return [m.p for m in network.modules() if isinstance(m, nn.Dropout) and m.p]


def test_training_drops_with_the_same_rates(library):
    model = GAT(6, 3, [4, 4], dropout=0.25).train()
    model.layer2.feat_drop, model.layer2.attn_drop = 0.5, 0.125
    network = library.to(model)
    assert network.training and all(m.training for m in network.modules())
    back = library.from_network(network, model)
    for layer, expected in zip(back.children(), model.children(), strict=True):
        assert layer.feat_drop == expected.feat_drop
        assert layer.attn_drop == expected.attn_drop
    if isinstance(library, PyG):
        assert rates(network) == [0.25, 0.5, 0.25]
        drops = [conv.dropout for conv in convs_of(network, library)]
        assert drops == [0.25, 0.125, 0.25]
    graph, x = busy()
    first, second = (library.call(network, graph, x.float()) for _ in range(2))
    assert not torch.equal(first, second)


def test_the_convs_of_pygs_own_network(pyg):
    graph = busy()[0]
    graph = GraphData.from_edges(graph.src, graph.dst, 6).with_self_loops()
    x = torch.randn(6, 6)
    theirs = pyg.nn.GAT(6, 8, 3, 4, dropout=0.5, heads=2, act="relu").eval()
    with pytest.warns(UserWarning, match=r"add_self_loops is on.*with_self_loops"):
        ours = from_pyg(theirs.convs, activation=F.relu, feat_drop=[0, 0.5, 0.5])
    assert isinstance(ours, GAT) and not ours.training
    kept = graph.src != graph.dst
    once = GraphData.from_edges(graph.src[kept], graph.dst[kept], 6).with_self_loops()
    close(ours(once, x), pyg.call(theirs, graph, x), 1e-5)


def test_dgls_layers_may_apply_the_activation(dgl_nn):
    conv, graph = dgl_nn.GATConv, GraphData.from_edges([0, 1], [1, 0])
    first, last = conv(6, 4, 2, activation=F.relu), conv(8, 3, 2)
    ours, x = from_dgl([first, last]), torch.randn(2, 6)
    expected = last(graph.dgl(), first(graph.dgl(), x).flatten(1)).mean(1)
    close(ours(graph, x), expected, 1e-5)
    assert ours.activation is F.relu and from_dgl([last]).num_layers == 1
    for convs in (first, [first, conv(8, 8, 1), last]):
        with pytest.raises(ValueError, match=r"conv.activation must be None in the la"):
            from_dgl(convs)


# ------------------------------------------------ what cannot be carried over


class Scored(EdgeGATLayer):
    def scores(self, graph, z):
        return super().scores(graph, z) * 2


def test_layers_of_someones_own_are_refused(library):
    told = r"Scored is neither.* load its state dict into an EdgeGATLayer"
    for ours in (Scored(3, 4), GAT(3, 4, layer=Scored)):
        with pytest.raises(TypeError, match=told):
            library.to(ours)
    with pytest.raises(TypeError, match=told):
        library.back(library.conv(3, 4, 1), Scored)


@pytest.mark.parametrize("kind", ["none", "network", "empty", "other", "subclass"])
def test_what_is_no_conv_does_not_come_in(library, kind):
    own = type("OwnConv", (library.nn.GATConv,), {})
    given, named = {
        "none": (None, "NoneType"),
        "network": (nn.Sequential(library.conv(3, 4, 1)), "Sequential"),
        "empty": ([], "an empty list"),
        "other": ([library.conv(3, 4, 1), nn.ReLU()], "ReLU"),
        "subclass": (own(3, 4, 1), "OwnConv"),
    }[kind]
    with pytest.raises(
        TypeError, match=rf"got {named}\. Of a network, hand over .*\[m"
    ):
        library.back(given)


@pytest.mark.parametrize("other", [MLP(3, 4), GCN(3, 4), nn.Linear(3, 4), None])
def test_other_things_do_not_go_out(library, other):
    found = "GCNLayer" if isinstance(other, GCN) else type(other).__name__
    with pytest.raises(TypeError, match=found):
        library.to(other)


def test_a_forward_of_ones_own_is_refused(library):
    own = type("Own", (GAT,), {"forward": lambda self, graph, x: x})
    with pytest.raises(TypeError, match="Own is neither"):
        library.to(own(3, 4))


def test_layers_that_do_not_follow_each_other_are_refused(library):
    convs = nn.ModuleList([library.conv(6, 4, 2), library.conv(6, 3, 1)])
    with pytest.raises(ValueError, match=r"layer 1 gives 8 .*layer 2 takes 6"):
        library.back(convs)
    with pytest.raises(ValueError, match=r"feat_drop must be .*list of 2"):
        library.back(convs, feat_drop=[0.1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"edge_dim": 2}, r"edge_dim=2.*build it without"),
        ({"flow": "target_to_source"}, r"flow='target_to_source'.*flip\(0\)"),
        ({"aggr": "mean"}, r"aggr='mean'.*use 'add'"),
        ({"in_channels": (3, 4)}, r"in_channels=\(3, 4\).*give one number"),
        ({"dropout": 1.0}, r"attn_drop must be in \[0, 1\)"),
    ],
)
def test_options_of_pyg_without_a_counterpart_are_named(pyg, options, message):
    conv = pyg.conv(options.pop("in_channels", 3), 4, **options)
    with pytest.raises(ValueError, match=message):
        from_pyg(conv)


def test_two_matrices_of_dgl_are_refused(dgl_nn):
    with pytest.raises(ValueError, match="in_feats=.*give one number"):
        from_dgl(dgl_nn.GATConv((3, 5), 4, 2))


def test_self_loops_of_pyg_must_be_the_same_in_all_layers(pyg):
    convs = [pyg.conv(6, 4, 2), pyg.conv(8, 3, add_self_loops=True)]
    with pytest.raises(ValueError, match="add_self_loops differs"):
        from_pyg(nn.ModuleList(convs))


def test_input_dropout_that_is_lost_is_told_of(pyg, recwarn):
    with pytest.warns(UserWarning, match=r"feat_drop=0.3 is lost.*Dropout\(0.3\)"):
        to_pyg(EdgeGATLayer(3, 4, feat_drop=0.3))
    recwarn.clear()
    to_pyg(GAT(3, 4))
    from_pyg(pyg.conv(3, 4))
    assert not recwarn.list


def test_missing_libraries_are_told_of_and_nothing_else_needs_them():
    code = (
        "import sys; sys.modules['torch_geometric'] = None\n"
        "from gat_course import GAT, dgl_compat, to_pyg, from_pyg, to_dgl, from_dgl\n"
        "print(sorted({'dgl', 'torch_geometric.nn'} & set(sys.modules)))\n"
        "dgl_compat._find = lambda: (dgl_compat.mailbox, 'DGL is not installed')\n"
        "for convert in (to_pyg, from_pyg, to_dgl, from_dgl):\n"
        "    try: convert(GAT(3, 2))\n"
        "    except ImportError as error: print(error)"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, timeout=600)
    loaded, *told = done.stdout.splitlines()
    assert loaded == "[]" and len(told) == 4, done.stderr
    assert all("pip install torch_geometric" in line for line in told[:2])
    for line in told[2:]:
        assert "pip install 'gat-course[dgl]', with Python 3.10 to 3.12" in line
        assert "DGL is not installed" in line
