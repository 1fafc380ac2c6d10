"""The models: sizes, equality with independent compositions, and imports."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import gat_course
from gat_course import (
    GAT,
    GCN,
    MLP,
    EdgeGATLayer,
    GraphData,
    InductiveGAT,
    InductiveGCN,
    UniformGATLayer,
    batch_graphs,
    fit,
    formulas,
)


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


@pytest.mark.parametrize("make", [GAT, GCN, MLP, InductiveGAT, InductiveGCN])
def test_features_of_another_graph_are_refused(make):
    with pytest.raises(ValueError, match=r"x must be \[9, 5\]"):
        make(5, 3)(small_graph(), torch.ones(4, 5))


def test_mlp_ignores_the_edges():
    graph = small_graph()
    model = MLP(5, 3).eval()
    empty = GraphData.from_edges([], [], 9, x=graph.x)
    assert torch.equal(model(graph, graph.x), model(empty, graph.x))


@pytest.mark.parametrize("name", ["DenseGATLayer", "UDFGATLayer", "DGLGATLayer"])
def test_any_layer_can_be_handed_in(name):
    graph = small_graph()
    torch.manual_seed(0)
    edge = GAT(5, 3, residual=True).eval()
    other = GAT(5, 3, residual=True, layer=getattr(gat_course, name)).eval()
    other.load_state_dict(edge.state_dict())
    torch.testing.assert_close(other(graph, graph.x), edge(graph, graph.x))


def doubled_graph():
    graph = small_graph()
    return replace(graph, x=graph.x.double())


def inductive_gat(layer=None):
    """A small one in float64, biases included; equal parameters for every layer."""
    torch.manual_seed(0)
    more = {"layer": layer} if layer else {}
    model = InductiveGAT(5, 7, hidden=3, num_heads=4, out_heads=2, **more).double()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    return model


def written_out(model, graph, weights):
    """The three layers of `InductiveGAT`, each weight in a matrix `[N, N]`.

    `weights(z, layer, k)` gives those of head k. Returns the logits and the matrices.
    """
    h, matrices = graph.x, []
    for layer in (model.layer1, model.layer2, model.layer3):
        heads = []
        for k in range(layer.num_heads):
            width = layer.out_features
            z = h @ layer.weight[:, k * width : (k + 1) * width]
            matrices.append(weights(z, layer, k))
            heads.append(matrices[-1] @ z)
        if layer is model.layer3:
            h = sum(heads) / len(heads) + layer.bias
        else:
            skipped = h if layer is model.layer2 else 0
            h = F.elu(torch.cat(heads, dim=1) + skipped + layer.bias)
    return h, matrices


def test_inductive_gat_equals_its_equations_written_out():
    graph, model = doubled_graph(), inductive_gat()
    edges = graph.dense_adjacency() > 0

    def attention(z, layer, k):
        joined = torch.cat([layer.att_dst[k], layer.att_src[k]])
        e = torch.full(edges.shape, -torch.inf, dtype=z.dtype)
        for i, j in edges.nonzero():
            e[i, j] = F.leaky_relu(joined @ torch.cat([z[i], z[j]]), 0.2)
        return torch.softmax(e, dim=1)

    expected, matrices = written_out(model, graph, attention)
    logits, alphas = model(graph, graph.x, return_attention=True)
    close = {"rtol": 1e-10, "atol": 1e-10}
    torch.testing.assert_close(logits, expected, **close)
    torch.testing.assert_close(model(graph, graph.x), expected, **close)
    assert [alpha.shape[1] for alpha in alphas] == [4, 4, 2]
    per_edge = [matrix[graph.dst, graph.src] for matrix in matrices]
    torch.testing.assert_close(torch.cat(alphas, 1), torch.stack(per_edge, 1), **close)


def test_inductive_gat_is_the_same_on_the_edge_list():
    graph = doubled_graph()
    logits = inductive_gat()(graph, graph.x)
    other = inductive_gat(EdgeGATLayer)(graph, graph.x)
    torch.testing.assert_close(logits, other, rtol=1e-10, atol=1e-10)


def test_inductive_gat_without_attention_is_a_mean():
    graph, uniform = doubled_graph(), inductive_gat(UniformGATLayer)
    mean = formulas.mean_weights(graph.dense_adjacency().double())
    expected, _ = written_out(uniform, graph, lambda z, layer, k: mean)
    logits, alphas = uniform(graph, graph.x, return_attention=True)
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-10)
    share = 1 / graph.in_degrees[graph.dst].double()
    for alpha in alphas:
        torch.testing.assert_close(alpha, share.unsqueeze(1).expand_as(alpha))
    # With equal scores, attention is that mean; here the scores do not matter.
    attentive = inductive_gat()
    for model in (attentive, uniform):
        for name, parameter in model.named_parameters():
            if "att_" in name:
                torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(attentive(graph, graph.x), logits)
    assert torch.equal(uniform(graph, graph.x), logits)


def test_inductive_gcn_equals_the_matrix_form():
    graph = doubled_graph()
    torch.manual_seed(0)
    model = InductiveGCN(5, 7, hidden=6).double()
    layers = model.layer1, model.layer2, model.layer3
    for layer in layers:
        torch.nn.init.normal_(layer.bias)
    a = graph.dense_adjacency().double()
    root = a.sum(dim=1).rsqrt().diag()
    a = root @ a @ root
    w, b = [layer.weight for layer in layers], [layer.bias for layer in layers]
    h = F.elu(a @ graph.x @ w[0] + b[0])
    h = F.elu(a @ h @ w[1] + b[1] + h)
    expected = a @ h @ w[2] + b[2]
    logits = model(graph, graph.x)
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-10)


def test_sizes_of_the_papers_model_for_ppi():
    f, labels, width = 50, 121, 4 * 256
    gat = InductiveGAT(f, labels)
    hidden = [f * width + 3 * width, width**2 + 3 * width]  # with att and bias
    last = 6 * labels * width + 2 * 6 * labels + labels
    assert sum(p.numel() for p in gat.parameters()) == sum(hidden) + last == 1_850_917
    gcn = InductiveGCN(f, labels)
    expected = (f + 1) * width + (width + 1) * width + (width + 1) * labels
    assert sum(p.numel() for p in gcn.parameters()) == expected == 1_225_849


@pytest.mark.parametrize("make", [InductiveGAT, InductiveGCN])
def test_a_batch_of_graphs_is_the_graphs_alone(make):
    graph = doubled_graph()
    other = replace(graph.subgraph([0, 3, 4, 8]), x=-2 * graph.x[:4])
    torch.manual_seed(0)
    model = make(5, 7, hidden=4).double()
    batch = batch_graphs([graph, other, graph])
    parts = torch.split(model(batch, batch.x), [9, 4, 9])
    for part, alone in zip(parts, (graph, other, graph), strict=True):
        expected = model(alone, alone.x)
        torch.testing.assert_close(part, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("make", [InductiveGAT, InductiveGCN])
def test_inductive_models_have_no_dropout(make):
    graph = small_graph()
    model = make(5, 7, hidden=4).train()
    assert torch.equal(model(graph, graph.x), model.eval()(graph, graph.x))


@pytest.mark.parametrize("make", [GAT, GCN, MLP, InductiveGAT, InductiveGCN])
def test_num_hops_is_how_far_a_node_hears_and_no_further(make):
    torch.manual_seed(0)
    index = torch.arange(12)
    path = GraphData.from_edges(
        index[:-1], index[1:], undirected=True, x=torch.randn(12, 5).double()
    ).with_self_loops()
    model = make(5, 3, hidden=4).double().eval()
    here = index == 2
    whole = model(path, path.x)[here]

    def on_the_part(hops):
        part = path.receptive_field(here, hops)
        assert part.num_nodes < 12
        same = (part.x == path.x[here]).all(dim=1)
        assert int(same.sum()) == 1
        return model(part, part.x)[same]

    torch.testing.assert_close(on_the_part(model.num_hops), whole)
    if model.num_hops:
        assert not torch.allclose(on_the_part(model.num_hops - 1), whole, rtol=1e-4)


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )


def test_importing_the_package_brings_in_neither_dgl_nor_matplotlib():
    done = run(
        "import sys, gat_course; gat_course.GAT, gat_course.fit, gat_course.load\n"
        "heavy = {'dgl', 'matplotlib', 'networkx', 'sklearn', 'pandas'}\n"
        "heavy |= {'torch_geometric'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_every_public_name_can_be_had():
    for name in gat_course.__all__:
        assert getattr(gat_course, name) is not None
    with pytest.raises(AttributeError, match="No gat_course attribute nothing"):
        _ = gat_course.nothing


def test_import_dgl_is_silent_and_idempotent(dgl):
    done = run(
        "from gat_course import dgl_compat\n"
        "a = dgl_compat.import_dgl(); b = dgl_compat.import_dgl()\n"
        "import dgl; assert a is b is dgl"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_python_says_of_dgls_own_source_is_not_the_readers_business(tmp_path):
    (tmp_path / "dgl").mkdir()
    source = "assert 2 is 2\n__version__ = '2.9'\n"
    (tmp_path / "dgl" / "__init__.py").write_text(source)
    there = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    there += "sys.dont_write_bytecode = True\n"  # so that it is compiled each time
    done = run(f"{there}import dgl")
    assert "SyntaxWarning" in done.stderr
    ours = "from gat_course import dgl_compat\ndgl_compat.import_dgl().__version__"
    done = run(f"{there}{ours}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_where_graphbolt_loads_nothing_is_replaced(tmp_path):
    # A stand-in package whose GraphBolt fits this PyTorch must be imported as it is.
    version = torch.__version__.split("+")[0]
    bolt = tmp_path / "dgl" / "graphbolt"
    bolt.mkdir(parents=True)
    (tmp_path / "dgl" / "__init__.py").write_text(
        "from dgl import graphbolt\n__version__ = '2.9'\n"
    )
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


# ------------------------------------------------ any depth


@pytest.mark.parametrize("depth", [1, 2, 3, 8, 32])
def test_a_stack_of_any_depth_is_its_layers_one_after_the_other(depth):
    graph = small_graph()
    hidden = [3] * (depth - 1)
    heads = [1 + number % 3 for number in range(depth - 1)]
    residual = [number % 2 == 1 for number in range(depth)]
    model = GAT(5, 2, hidden, heads, out_heads=2, residual=residual).eval()
    h = graph.x
    for number in range(1, depth + 1):
        layer = getattr(model, f"layer{number}")
        expected = heads[number - 1] if number < depth else 2
        assert (layer.num_heads, layer.residual) == (expected, residual[number - 1])
        assert layer.merge == ("concat" if number < depth else "mean")
        h = layer(graph, h if number == 1 else F.elu(h))
    logits, alphas = model(graph, graph.x, return_attention=True)
    assert torch.equal(model(graph, graph.x), h)
    torch.testing.assert_close(logits, h)
    assert len(alphas) == model.num_hops == depth
    model.train()(graph, graph.x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_network_without_a_hidden_layer_needs_no_list():
    assert repr(GAT(5, 2, [])) == repr(GAT(5, 2, [], []))


def test_a_deep_network_learns_and_a_list_of_a_wrong_length_is_refused():
    graph = small_graph()
    y = torch.arange(graph.num_nodes) % 2
    everyone = torch.ones(graph.num_nodes, dtype=torch.bool)
    masks = {"train_mask": everyone, "val_mask": everyone}
    data = replace(graph, x=torch.eye(graph.num_nodes), y=y, **masks)
    model = GCN(graph.num_nodes, 2, [8] * 3, dropout=0.0, residual=[0, 1, 1, 0])
    losses = fit(model, data, lr=0.01, max_epochs=60, progress=False).train_loss
    assert losses[-1] < 0.8 * losses[0]
    with pytest.raises(ValueError, match="num_heads must be one value, or a list of 2"):
        GAT(5, 2, [8, 8], [4])
    with pytest.raises(ValueError, match="residual must be one value, or a list of 3"):
        GAT(5, 2, [8, 8], residual=[True])
    with pytest.raises(ValueError, match="residual needs out_features = in_features"):
        GCN(5, 2, residual=True)


@pytest.mark.parametrize("hops", [None, 4])
def test_a_subclass_says_itself_how_far_it_hears(hops):
    mine = type("Mine", (GAT,), {"num_hops": hops})
    assert mine(5, 2).num_hops == hops
    assert (GAT(5, 2).num_hops, GCN(5, 2).num_hops) == (2, 3)
    assert (InductiveGAT(5, 2).num_hops, InductiveGCN(5, 2).num_hops) == (3, 4)


def test_numbers_of_numpy_and_arrays_of_sizes_are_taken():
    by_hand = GAT(5, 2, [4, 8], 3, residual=True)
    for hidden, heads in (
        (np.array([4, 8]), np.int64(3)),
        (torch.tensor([4, 8]), np.array([3, 3])),
        ((4, 8), [3, 3]),
    ):
        model = GAT(5, 2, hidden, heads, residual=np.bool_(True))
        assert repr(model).replace("np.True_", "True") == repr(by_hand)
    for hidden in (np.int64(4), torch.tensor(4)):
        assert repr(GCN(5, 2, hidden)) == repr(GCN(5, 2, 4))


def test_a_residual_convolution_adds_its_input_dense_or_sparse():
    graph = small_graph()
    torch.manual_seed(0)
    with_input, without = GCN(5, 5, [5], 0.0, True), GCN(5, 5, [5], 0.0)
    without.load_state_dict(with_input.state_dict())
    dense = with_input.layer1(graph, graph.x)
    torch.testing.assert_close(dense, without.layer1(graph, graph.x) + graph.x)
    sparse = with_input.layer1(graph, graph.x.to_sparse_csr())
    torch.testing.assert_close(sparse, dense)
