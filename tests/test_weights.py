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
from gat_course.models import Stack

NUM_GRAPHS = 60


class PyG:
    to, back = staticmethod(to_pyg), staticmethod(from_pyg)

    def __init__(self):
        self.nn = pytest.importorskip("torch_geometric.nn")

    def call(self, module, graph, x, merge=None):
        return module(x, torch.stack([graph.src, graph.dst]))

    def conv(self, *sizes, **options):
        return self.nn.GATConv(*sizes, **{"add_self_loops": False, **options})

    def from_layer(self, conv, merge):
        return from_pyg(conv)


class DGL:
    to, back = staticmethod(to_dgl), staticmethod(from_dgl)

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
        assert torch.equal(value, theirs[name]), name
        assert value.requires_grad == theirs[name].requires_grad, name
        assert value.dtype == theirs[name].dtype and theirs[name].is_contiguous()
        assert value.data_ptr() != theirs[name].data_ptr() or not value.numel()
    assert a.training == b.training


def gradients(module, out, x):
    factors = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    wanted = [x, *(p for p in module.parameters() if p.requires_grad)]
    found = torch.autograd.grad((out * factors).sum(), wanted, materialize_grads=True)
    names = [name for name, p in module.named_parameters() if p.requires_grad]
    return dict(zip(["x", *names], found, strict=True))


def as_ours(found, layer):
    """A library's gradients under our names and in our shapes."""
    copies = layer.num_heads if layer.merge == "mean" else 1
    out = {"x": found.pop("x")}
    for name, value in found.items():
        if name in ("lin.weight", "fc.weight"):
            out["weight"] = value.t()
        elif name in ("att_src", "attn_l"):
            out["att_src"] = value.squeeze(0)
        elif name in ("att_dst", "attn_r"):
            out["att_dst"] = value.squeeze(0)
        elif name in ("bias", "res_fc.bias"):
            share = copies if name != "bias" or "attn" in "".join(found) else 1
            out["bias"] = value.view(share, -1).sum(0)
        elif name == "res.weight":
            out["residual_weight"] = value.t()
        elif name == "res_fc.weight":
            per_copy = value.view(copies, -1, layer.in_features).sum(0)
            out["residual_weight"] = per_copy.t()
        else:
            raise AssertionError(name)
    return out


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
        expected = gradients(layer, out, x)
        found = as_ours(gradients(conv, theirs, x), layer)
        assert set(found) == set(expected)
        for name, value in expected.items():
            close(found[name], value)
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


def test_parameters_are_copied_under_no_grad_as_well(library):
    with torch.no_grad():
        conv = library.to(EdgeGATLayer(6, 3, 2))
    assert all(p.requires_grad and p.is_leaf for p in conv.parameters())


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
    close(library.back(network)(graph, x), found, 1e-5)
    labels = graph.y[graph.train_mask]
    sides = []
    for module, logits in ((model, expected), (network, found)):
        loss = F.cross_entropy(logits[graph.train_mask], labels)
        loss.backward()
        sides.append([p.grad.double().norm() for p in module.parameters()])
    for a, b in zip(*map(sorted, sides), strict=True):
        close(a, b, 1e-4)


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
    back = library.back(network, layer=own)
    assert isinstance(back, GAT) and not back.training
    assert back.num_hops == model.num_hops
    assert repr(back.activation) == repr(model.activation)
    if name not in ("uniform", "other stack"):
        assert repr(list(back.children())) == repr(list(model.children()))
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
    back = library.back(network)
    for layer, expected in zip(back.children(), model.children(), strict=True):
        assert layer.feat_drop == expected.feat_drop
        assert layer.attn_drop == expected.attn_drop
    if isinstance(library, PyG):
        assert rates(network) == [0.25, 0.5, 0.25]
        convs = [m for m in network.modules() if isinstance(m, library.nn.GATConv)]
        assert [conv.dropout for conv in convs] == [0.25, 0.125, 0.25]
    graph, x = busy()
    first, second = (library.call(network, graph, x.float()) for _ in range(2))
    assert not torch.equal(first, second)


def test_the_residual_gets_the_dropped_input_in_pyg_as_well(pyg):
    loops = GraphData.from_edges(range(50), range(50))
    layer = EdgeGATLayer(6, 6, feat_drop=0.4, residual=True, bias=False)
    nn.init.zeros_(layer.weight)
    network = to_pyg(Stack([layer]).train())
    out = pyg.call(network, loops, torch.ones(50, 6)).detach()
    close(out[out != 0], torch.full_like(out[out != 0], 1 / 0.6), 1e-5)
    assert 0 < (out == 0).sum() < out.numel()


def test_pygs_own_network_is_read(pyg):
    graph, x = busy()
    for act in ("relu", "elu"):
        theirs = pyg.nn.GAT(6, 8, 3, 4, dropout=0.5, heads=2, act=act).double()
        theirs = theirs.eval()
        with pytest.warns(UserWarning, match=r"add_self_loops is on.*with_self_loops"):
            ours = from_pyg(theirs)
        loops = GraphData.from_edges(
            *no_loops(graph), graph.num_nodes
        ).with_self_loops()
        close(ours(loops, x), pyg.call(theirs, graph, x))
        drops = [getattr(ours, f"layer{n}").feat_drop for n in (1, 2, 3)]
        assert drops == [0.0, 0.5, 0.5]
    with pytest.raises(TypeError, match="GATv2Conv has no place in our GAT"):
        from_pyg(pyg.nn.GAT(6, 8, 2, 4, v2=True))
    with pytest.raises(TypeError, match="BatchNorm1d has no place"):
        from_pyg(pyg.nn.GAT(6, 8, 2, 4, norm="batch_norm"))
    with pytest.raises(TypeError, match="JumpingKnowledge|Linear"):
        from_pyg(pyg.nn.GAT(6, 8, 2, 4, jk="cat"))


def no_loops(graph):
    kept = graph.src != graph.dst
    return graph.src[kept], graph.dst[kept]


class Theirs(nn.Module):
    """As in PyG's and DGL's examples: modules, and a forward of its own."""

    def __init__(self, library, **more):
        super().__init__()
        self.conv1 = library.conv(6, 4, 2)
        self.conv2 = library.conv(8, 3, 1)
        for name, module in more.items():
            self.add_module(name, module)


def test_a_network_of_someones_own(library):
    graph, x = busy()
    theirs = Theirs(library).double().eval()
    for act in (None, torch.tanh):
        ours = library.back(theirs, activation=act)
        h = library.call(theirs.conv1, graph, x, "concat")
        h = (act or F.elu)(h)
        close(ours(graph, x), library.call(theirs.conv2, graph, h, "mean"))
    ours = library.back(theirs, feat_drop=[0.1, 0.2])
    assert [ours.layer1.feat_drop, ours.layer2.feat_drop] == [0.1, 0.2]
    unclear = Theirs(library, drop=nn.Dropout(0.5), act=nn.ReLU())
    with pytest.raises(ValueError, match=r"Dropout.*give feat_drop="):
        library.back(unclear, activation=F.relu)
    with pytest.raises(ValueError, match=r"ReLU.*give activation="):
        library.back(unclear, feat_drop=0.5)
    assert library.back(unclear, activation=F.relu, feat_drop=0.5).layer2.feat_drop


def test_dgls_layers_may_apply_the_activation(dgl_nn):
    conv, graph = dgl_nn.GATConv, GraphData.from_edges([0, 1], [1, 0])
    convs = [conv(6, 4, 2, activation=F.relu), conv(8, 3, 2)]
    theirs = nn.ModuleList(convs)
    ours, x = from_dgl(theirs), torch.randn(2, 6)
    expected = convs[1](graph.dgl(), convs[0](graph.dgl(), x).flatten(1)).mean(1)
    close(ours(graph, x), expected, 1e-5)
    assert ours.activation is F.relu
    with pytest.raises(ValueError, match="activation=.* of the last GATConv"):
        from_dgl(conv(6, 4, 2, activation=F.relu))
    three = nn.ModuleList([*convs[:1], conv(8, 4, 2), convs[1]])
    with pytest.raises(ValueError, match="activation differs: give activation"):
        from_dgl(three)


# ------------------------------------------------ what cannot be carried over


class Scored(EdgeGATLayer):
    def scores(self, graph, z):
        return super().scores(graph, z) * 2


class Extra(EdgeGATLayer):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.temperature = nn.Parameter(torch.ones(()))


def test_layers_with_something_of_their_own_are_refused(library):
    with pytest.raises(TypeError, match=r"Scored has `scores` of its own.*EdgeGATLaye"):
        library.to(Scored(3, 4))
    with pytest.raises(TypeError, match="Extra has parameters of its own, temperature"):
        library.to(Extra(3, 4))
    with pytest.raises(TypeError, match="Scored has `scores`"):
        library.to(GAT(3, 4, layer=Scored))
    for own in (Scored, Extra):
        with pytest.raises(TypeError, match=f"{own.__name__} has"):
            library.back(library.conv(3, 4, 1), own)


@pytest.mark.parametrize("other", [MLP(3, 4), GCN(3, 4), nn.Linear(3, 4), None])
def test_other_things_do_not_go_out(library, other):
    found = "GCNLayer" if isinstance(other, GCN) else type(other).__name__
    with pytest.raises(TypeError, match=f"takes .*{found}"):
        library.to(other)


def test_other_things_do_not_come_in(library):
    takes = "takes a GATConv, no subclass of it, or a network of them, got"
    for other, told in (
        (None, f"{takes} NoneType"),
        (GraphData.from_edges([0], [0]), f"{takes} GraphData.*from_edges"),
        (nn.Linear(3, 4), f"{takes} Linear"),
        (nn.ModuleList(), f"{takes} ModuleList"),
        (nn.Sequential(nn.Linear(3, 4)), "Linear has no place"),
        (GAT(3, 4), "GAT is ours already; out goes to_"),
        (EdgeGATLayer(3, 4), "EdgeGATLayer is ours already"),
    ):
        with pytest.raises(TypeError, match=told):
            library.back(other)


def test_a_forward_of_ones_own_is_refused(library):
    own = type("Own", (GAT,), {"forward": lambda self, graph, x: x})
    with pytest.raises(TypeError, match="applies them one after the other, got Own"):
        library.to(own(3, 4))


@pytest.mark.parametrize("part", [nn.Linear(3, 3), nn.PReLU(), nn.LayerNorm(8)])
def test_other_layers_between_are_refused_by_name(library, part):
    with pytest.raises(TypeError, match=f"{type(part).__name__} has no place"):
        library.back(Theirs(library, part=part))


def test_a_subclass_of_their_layer_is_refused(library):
    own = type("OwnConv", (library.nn.GATConv,), {})
    with pytest.raises(TypeError, match="no subclass of it.* got OwnConv"):
        library.back(own(3, 4, 2))
    with pytest.raises(TypeError, match="OwnConv has no place"):
        library.back(nn.ModuleList([own(3, 4, 2)]))


def test_layers_that_do_not_follow_each_other_are_refused(library):
    convs = nn.ModuleList([library.conv(6, 4, 2), library.conv(6, 3, 1)])
    with pytest.raises(ValueError, match=r"layer 1 gives 8 .*layer 2 takes 6"):
        library.back(convs)
    with pytest.raises(ValueError, match=r"feat_drop must be .*list of 2"):
        library.back(convs, feat_drop=[0.1])
    with pytest.raises(ValueError, match="activation=… is for networks"):
        library.back(library.conv(6, 4, 2), activation=F.elu)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"edge_dim": 2}, r"edge_dim=2.*without edge_dim"),
        ({"flow": "target_to_source"}, r"flow='target_to_source'.*flip\(0\)"),
        ({"aggr": "mean"}, r"aggr='mean'.*aggr='add'"),
        ({"in_channels": (3, 4)}, r"in_channels=\(3, 4\).*single in_channels"),
        ({"in_channels": -1}, r"in_channels=-1.*call the network once"),
        ({"dropout": 1.0}, r"attn_drop must be in \[0, 1\)"),
    ],
)
def test_options_of_pyg_without_a_counterpart_are_named(pyg, options, message):
    conv = pyg.conv(options.pop("in_channels", 3), 4, **options)
    with pytest.raises(ValueError, match=message):
        from_pyg(conv)


def test_two_matrices_of_dgl_are_refused(dgl_nn):
    with pytest.raises(ValueError, match=r"in_feats=\(3, 5\).*single in_feats"):
        from_dgl(dgl_nn.GATConv((3, 5), 4, 2))


def test_self_loops_of_pyg_must_be_the_same_in_all_layers(pyg):
    convs = [pyg.conv(6, 4, 2), pyg.conv(8, 3, add_self_loops=True)]
    with pytest.raises(ValueError, match="add_self_loops is on in some layers"):
        from_pyg(nn.ModuleList(convs))


def test_input_dropout_that_is_lost_is_told_of(pyg, recwarn):
    with pytest.warns(UserWarning, match=r"feat_drop=0.3 is lost.*Dropout\(0.3\)"):
        to_pyg(EdgeGATLayer(3, 4, feat_drop=0.3))
    recwarn.clear()
    to_pyg(GAT(3, 4))
    from_pyg(pyg.conv(3, 4))
    assert not recwarn.list


@pytest.mark.parametrize("place", ["before", "after", "twice", "differs", "none"])
def test_a_sequential_is_read_step_by_step(pyg, place):
    one, two, three = pyg.conv(6, 4), pyg.conv(4, 4), pyg.conv(4, 2)
    act = {"before": [], "after": [], "none": []}.get(place, [F.relu])
    steps = [one, *act, two, *act, three]
    if place == "before":
        steps = [F.relu, *steps]
    if place == "after":
        steps = [*steps, F.log_softmax]
    if place == "twice":
        steps = [one, F.relu, F.elu, two, F.relu, three]
    if place == "differs":
        steps = [one, F.relu, two, F.elu, three]
    call = "x, edge_index -> x"
    steps = [(s, call if hasattr(s, "lin") else "x -> x") for s in steps]
    network = pyg.nn.Sequential("x, edge_index", steps).double().eval()
    if place != "none":
        with pytest.raises(ValueError, match=r"give activation=… and feat_drop=…"):
            from_pyg(network)
        assert from_pyg(network, activation=F.elu, feat_drop=0).num_layers == 3
        return
    graph, x = busy()
    close(from_pyg(network)(graph, x), pyg.call(network, graph, x))


def test_a_missing_pyg_is_told_of_and_nothing_else_needs_it():
    code = (
        "import sys; sys.modules['torch_geometric'] = None\n"
        "from gat_course import GAT, to_pyg, from_pyg, to_dgl, from_dgl\n"
        "for convert in (to_pyg, from_pyg):\n"
        "    try: convert(GAT(3, 2))\n"
        "    except ImportError as error: print(error)\n"
        "print(sorted({'dgl', 'torch_geometric.nn'} & set(sys.modules)))"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, timeout=600)
    *told, loaded = done.stdout.splitlines()
    assert len(told) == 2 and loaded == "[]", done.stderr
    assert all("pip install torch_geometric" in line for line in told)
