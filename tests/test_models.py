"""The models: sizes, equality with independent compositions, and imports."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

import gat_course
from gat_course import GAT, GCN, MLP, GraphData, formulas


def small_graph():
    generator = torch.Generator().manual_seed(0)
    src, dst = torch.randint(0, 9, (2, 25), generator=generator)
    pairs = torch.unique(torch.stack([src, dst]), dim=1)
    x = torch.randn(9, 5, generator=generator)
    return GraphData.from_edges(*pairs, 9, x=x).with_self_loops()


def test_the_papers_gat_on_cora_has_92373_parameters():
    assert sum(p.numel() for p in GAT(1433, 7).parameters()) == 92_373


def test_gat_equals_its_equations_written_out():
    graph = small_graph()
    torch.manual_seed(0)
    model = GAT(5, 3, hidden=2, num_heads=4, out_heads=2).eval()
    mask = graph.dense_adjacency()
    h = graph.x
    for layer, merge in ((model.layer1, "concat"), (model.layer2, "mean")):
        heads = []
        for k in range(layer.num_heads):
            width = layer.out_features
            z = h @ layer.weight[:, k * width : (k + 1) * width]
            e = formulas.attention_scores(z, layer.att_dst[k], layer.att_src[k])
            heads.append(torch.softmax(e.masked_fill(mask == 0, -torch.inf), 1) @ z)
        if merge == "concat":
            h = F.elu(torch.cat(heads, dim=1) + layer.bias)
        else:
            h = torch.stack(heads).mean(dim=0) + layer.bias
    torch.testing.assert_close(model(graph, graph.x), h)


def test_gcn_equals_the_matrix_form():
    graph = small_graph()
    model = GCN(5, 3, hidden=4).eval()
    a = formulas.gcn_weights(graph.dense_adjacency())
    # Columns are sources: GCN's weights use in-degrees at both ends.
    h = F.relu(a @ graph.x @ model.layer1.weight + model.layer1.bias)
    expected = a @ h @ model.layer2.weight + model.layer2.bias
    torch.testing.assert_close(model(graph, graph.x), expected)


@pytest.mark.parametrize("make", [GAT, GCN, MLP])
def test_dropout_reaches_both_layers(make):
    graph = small_graph()
    torch.manual_seed(0)
    model = make(5, 3, hidden=16, dropout=0.5).train()
    outputs = [model(graph, graph.x) for _ in range(2)]
    assert not torch.equal(*outputs)
    # With the first layer fixed, what still varies is the second layer's dropout.
    torch.nn.init.zeros_(next(model.layer1.parameters()))
    for name, bias in model.layer1.named_parameters():
        if name == "bias":
            torch.nn.init.ones_(bias)
    outputs = [model(graph, graph.x) for _ in range(2)]
    assert not torch.equal(*outputs)


def test_gat_hands_its_options_to_both_layers():
    model = GAT(5, 3, dropout=0.3, negative_slope=0.1, residual=True)
    for layer in (model.layer1, model.layer2):
        options = layer.feat_drop, layer.attn_drop, layer.negative_slope, layer.residual
        assert options == (0.3, 0.3, 0.1, True)


@pytest.mark.parametrize("make", [GAT, GCN, MLP])
def test_features_of_another_graph_are_refused(make):
    with pytest.raises(ValueError, match=r"x must be \[9, 5\]"):
        make(5, 3)(small_graph(), torch.ones(4, 5))


def test_mlp_ignores_the_edges():
    graph = small_graph()
    model = MLP(5, 3).eval()
    empty = GraphData.from_edges([], [], 9, x=graph.x)
    assert torch.equal(model(graph, graph.x), model(empty, graph.x))


@pytest.mark.parametrize("name", ["DenseGATLayer", "UDFGATLayer", "DGLGATLayer"])
def test_any_layer_can_be_handed_in(name, request):
    if name in ("UDFGATLayer", "DGLGATLayer"):
        request.getfixturevalue("dgl")
    graph = small_graph()
    torch.manual_seed(0)
    edge = GAT(5, 3, residual=True).eval()
    other = GAT(5, 3, residual=True, layer=getattr(gat_course, name)).eval()
    other.load_state_dict(edge.state_dict())
    torch.testing.assert_close(other(graph, graph.x), edge(graph, graph.x))


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )


def test_importing_the_package_brings_in_neither_dgl_nor_matplotlib():
    done = run(
        "import sys, gat_course; gat_course.GAT, gat_course.fit, gat_course.load\n"
        "heavy = {'dgl', 'matplotlib', 'networkx', 'sklearn', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_every_public_name_can_be_had(dgl):
    for name in gat_course.__all__:
        assert getattr(gat_course, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = gat_course.nothing


def test_import_dgl_is_silent_and_idempotent(dgl):
    done = run(
        "from gat_course import dgl_compat\n"
        "a = dgl_compat.import_dgl(); b = dgl_compat.import_dgl()\n"
        "import dgl; assert a is b is dgl"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_dgl_the_error_says_what_to_do():
    done = run(
        "import importlib.util\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda n, *a: None if n == 'dgl' else find(n, *a)\n"
        "from gat_course import dgl_compat\n"
        "dgl_compat.import_dgl()"
    )
    assert "ImportError: DGL is not installed" in done.stderr
    assert "EdgeGATLayer" in done.stderr


def test_where_graphbolt_loads_nothing_is_replaced(tmp_path):
    # A stand-in package whose GraphBolt fits this PyTorch must be imported as it is.
    version = torch.__version__.split("+")[0]
    bolt = tmp_path / "dgl" / "graphbolt"
    bolt.mkdir(parents=True)
    (tmp_path / "dgl" / "__init__.py").write_text("from dgl import graphbolt\n")
    (bolt / "__init__.py").write_text("REAL = True\n")
    (bolt / f"libgraphbolt_pytorch_{version}.so").touch()
    pipes = tmp_path / "torchdata" / "datapipes"
    pipes.mkdir(parents=True)
    (tmp_path / "torchdata" / "__init__.py").touch()
    (pipes / "__init__.py").touch()
    done = run(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from gat_course import dgl_compat\n"
        "assert dgl_compat.import_dgl().graphbolt.REAL"
    )
    assert done.returncode == 0, done.stderr
