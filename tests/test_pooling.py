"""Chebyshev layers, pooling by attention and its teachers, each against another way."""

import networkx as nx
import numpy as np
import pytest
import torch
from scipy.special import rel_entr
from sklearn.metrics import roc_auc_score

from gat_course import (
    GraphData,
    GraphPack,
    NodePooling,
    PoolingNetwork,
    attention_auc,
    attention_divergence,
    batch_graphs,
    evaluate_pooling,
    fit_pooling,
    layers,
    node_effects,
)
from gat_course.training.node_pooling import PooledAnswers, pooling_loss


def random_graph(n, p, seed, weighted=False):
    """A random graph with features and, if wanted, weights; isolated nodes may be."""
    net = nx.gnp_random_graph(n, p, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    ends = np.array(net.edges()).reshape(-1, 2).T
    weight = None
    if weighted:
        weight = torch.rand(2 * ends.shape[1], generator=generator) + 0.1
        half = ends.shape[1]
        weight[half:] = weight[:half]
    return GraphData(
        num_nodes=n,
        src=torch.tensor(np.concatenate([ends[0], ends[1]]), dtype=torch.long),
        dst=torch.tensor(np.concatenate([ends[1], ends[0]]), dtype=torch.long),
        x=torch.randn(n, 3, generator=generator),
        edge_weight=weight,
    )


GRAPHS = [
    random_graph(6, 0.5, 0),
    random_graph(9, 0.2, 1),
    random_graph(1, 0.0, 2),
    random_graph(4, 0.0, 3),
    random_graph(8, 0.4, 4, weighted=True),
]


# ------------------------------------------------------------------- layers


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("order", [2, 3, 6])
@pytest.mark.parametrize("aggregation", ["mean", "sum"])
def test_the_basis_is_chebyshevs_polynomials_of_the_matrix(graph, order, aggregation):
    adjacency = graph.dense_adjacency().double()
    degree = adjacency.sum(dim=1)
    root = torch.where(degree > 0, degree.rsqrt(), 0.0)
    matrix = -root[:, None] * adjacency * root
    values, vectors = torch.linalg.eigh(matrix)
    assert values.abs().max() <= 1 + 1e-9  # where the polynomials are made for
    layer = layers.ChebyGINLayer(3, 2, order, aggregation)
    found = layer.basis(graph, graph.x)
    for k, rows in enumerate(found):
        chebyshev = torch.cos(k * torch.arccos(values.clamp(-1, 1)))
        expected = vectors @ torch.diag(chebyshev) @ vectors.T @ graph.x.double()
        if aggregation == "sum" and k:
            expected = degree[:, None] * expected
        torch.testing.assert_close(rows.double(), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("graph", GRAPHS)
def test_of_order_one_it_is_gcn_or_gin(graph):
    with_loops = graph.dense_adjacency() + torch.eye(graph.num_nodes)
    degree = with_loops.sum(dim=1)
    gcn = with_loops / (degree[:, None] * degree).sqrt() @ graph.x
    gin = with_loops @ graph.x
    for aggregation, expected in (("mean", gcn), ("sum", gin)):
        layer = layers.ChebyGINLayer(3, 2, 1, aggregation)
        (found,) = layer.basis(graph, graph.x)
        torch.testing.assert_close(found, expected)


def test_of_order_one_it_gives_what_gcn_layer_gives():
    graph = GRAPHS[0]
    layer, other = layers.ChebyGINLayer(3, 4, 1), layers.GCNLayer(3, 4)
    with torch.no_grad():
        other.weight.copy_(layer.transform[0].weight.T)
        other.bias.copy_(layer.transform[0].bias)
    expected = other(graph.with_self_loops(), graph.x).relu()
    torch.testing.assert_close(layer(graph, graph.x), expected)


def test_a_sum_tells_apart_what_a_mean_cannot():
    """Stars of two and of five equal leaves: GIN sees the number, GCN's kin do not."""
    stars = [
        GraphData.from_edges([0] * n, range(1, n + 1), undirected=True) for n in (2, 5)
    ]
    torch.manual_seed(0)
    mean = [
        layers.neighbour_sums(s, 1 / s.in_degrees[s.dst], torch.ones(s.num_nodes, 1))[0]
        for s in stars
    ]
    assert mean[0] == mean[1]
    gin = layers.ChebyGINLayer(1, 8, 1, "sum")
    found = [gin(s, torch.ones(s.num_nodes, 1))[0] for s in stars]
    assert not torch.allclose(found[0], found[1])


def test_what_no_layer_can_be_is_refused():
    with pytest.raises(ValueError, match="order"):
        layers.ChebyGINLayer(3, 2, 0)
    with pytest.raises(ValueError, match="aggregation"):
        layers.ChebyGINLayer(3, 2, 2, "max")
    with pytest.raises(ValueError, match="nodes of the graph"):
        layers.ChebyGINLayer(3, 2)(GRAPHS[0], torch.ones(2, 3))


# ------------------------------------------------------------------- pooling


@pytest.mark.parametrize("seed", range(5))
def test_each_graph_of_a_batch_keeps_what_it_keeps_alone(seed):
    torch.manual_seed(seed)
    graphs = [random_graph(n, 0.4, seed + n) for n in (1, 2, 5, 9)]
    batch = batch_graphs(graphs)
    scores = torch.randn(batch.num_nodes)
    alpha = layers.node_attention(batch, scores)
    sizes = [g.num_nodes for g in graphs]
    for how in (
        {"threshold": 0.2},
        {"threshold": 1.0},
        {"ratio": 0.5},
        {"ratio": 0.01},
    ):
        kept = layers.kept_nodes(batch, alpha, **how)
        parts = zip(scores.split(sizes), kept.split(sizes), strict=True)
        for own, found in parts:
            weights = own.softmax(dim=0)
            assert found[weights.argmax()]  # the best node always stays
            if "threshold" in how:
                expected = weights > how["threshold"]
                expected[weights.argmax()] = True
            else:
                number = max(1, int(torch.tensor(how["ratio"] * len(own)).round()))
                expected = torch.zeros(len(own), dtype=torch.bool)
                expected[weights.topk(number).indices] = True
            assert found.tolist() == expected.tolist()
        pooled = layers.pooled_graph(batch, kept)
        assert pooled.num_graphs == len(graphs)
        whole = nx.Graph(list(zip(batch.src.tolist(), batch.dst.tolist(), strict=True)))
        chosen = kept.nonzero()[:, 0].tolist()
        expected = nx.convert_node_labels_to_integers(
            whole.subgraph(chosen).copy() if whole else nx.Graph()
        )
        assert pooled.num_edges == 2 * expected.number_of_edges()
        torch.testing.assert_close(pooled.x, batch.x[kept])


def test_how_to_keep_must_be_said_once_and_in_range():
    graph, alpha = GRAPHS[0], torch.full((6,), 1 / 6)
    for how in ({}, {"threshold": 0.1, "ratio": 0.5}):
        with pytest.raises(ValueError, match="either threshold or ratio"):
            layers.kept_nodes(graph, alpha, **how)
    for how in ({"threshold": 1.5}, {"ratio": 0.0}):
        with pytest.raises(ValueError, match="must be"):
            layers.kept_nodes(graph, alpha, **how)
    with pytest.raises(ValueError, match="mask of 6 nodes"):
        layers.pooled_graph(graph, alpha)


def test_isolated_nodes_are_counted_without_self_loops():
    graph = GraphData.from_edges([0, 3], [1, 3], num_nodes=4)
    assert layers.isolated_share(graph) == 0.5


@pytest.mark.parametrize("score", ["projection", "network", "relu network"])
@pytest.mark.parametrize("before", [(1,), (2,), (2, 3)])
def test_a_network_gives_a_batch_what_it_gives_each_graph(score, before):
    torch.manual_seed(0)
    graphs = [random_graph(n, 0.5, n) for n in (1, 4, 7)]
    scaled = len(before) > 1
    pooling = NodePooling(before, score, threshold=0.2, scaled=scaled)
    model = PoolingNetwork(3, 2, widths=(4, 5, 6), pooling=pooling, order=3)
    batch = batch_graphs(graphs)
    out, done = model(batch, batch.x, return_attention=True)
    assert len(done) == len(before)
    for graph, row in zip(graphs, out, strict=True):
        torch.testing.assert_close(model(graph, graph.x)[0], row)


def test_scores_may_be_below_zero_but_for_those_of_a_relu():
    graph = batch_graphs(GRAPHS[:2])
    lowest = {}
    for score in ("network", "relu network"):
        pooling = NodePooling((1,), score, threshold=0.2)
        found = []
        for seed in range(20):
            torch.manual_seed(seed)
            model = PoolingNetwork(3, 2, pooling=pooling)
            found.append(model.scores["1"](graph, graph.x).min().item())
        lowest[score] = min(found)
    assert lowest["network"] < 0 == lowest["relu network"]


def test_without_pooling_a_network_is_its_layers():
    torch.manual_seed(0)
    graph = batch_graphs(GRAPHS[:2])
    model = PoolingNetwork(3, 2, widths=(4, 5), readout="max")
    h = graph.x
    for layer in model.layers:
        h = layer(graph, h)
    expected = model.decide(layers.readout(graph, h, "max"))
    torch.testing.assert_close(model(graph, graph.x), expected)


@pytest.mark.parametrize("graph", GRAPHS)
def test_scaled_uniform_attention_changes_nothing(graph):
    torch.manual_seed(0)
    pooling = NodePooling(before=(2,), ratio=1.0, scaled=True)
    model = PoolingNetwork(3, 2, (4, 4), pooling=pooling)
    with torch.no_grad():
        model.scores["2"].p.zero_()
    h = model.layers[1](graph, model.layers[0](graph, graph.x))
    expected = model.decide(layers.readout(graph, h, "sum"))
    torch.testing.assert_close(model(graph, graph.x), expected)


def test_the_size_of_a_large_graph_fits_half_precision():
    graph = GraphData.from_edges([], [], num_nodes=70_000)
    x = torch.ones(70_000, 3, dtype=torch.float16)
    pooling = NodePooling(before=(2,), threshold=0.0, scaled=True)
    torch.manual_seed(0)
    model = PoolingNetwork(3, 2, (4, 4), "max", pooling=pooling).half()
    assert bool(torch.isfinite(model(graph, x)).all())


def test_what_no_network_can_be_is_refused():
    for options, match in (
        ({"readout": "median"}, "readout"),
        ({"widths": ()}, "widths"),
        ({"pooling": NodePooling((3,), threshold=0.1)}, "layers 1 to 2"),
    ):
        with pytest.raises(ValueError, match=match):
            PoolingNetwork(3, 2, **options)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"before": (1,), "score": "best", "threshold": 0.1}, "score must be one of"),
        ({"before": (2,)}, "either threshold or ratio"),
        ({"before": (2,), "threshold": 0.1, "ratio": 0.5}, "either threshold or ratio"),
        ({"before": (2,), "threshold": 5}, "threshold must be"),
        ({"before": (2,), "ratio": 0.0}, "ratio must be"),
        ({"before": (2, 2), "ratio": 0.5}, "before must list layers"),
        ({"before": (True,), "ratio": 0.5}, "before must list layers"),
        ({"before": 2, "ratio": 0.5}, "before must list layers"),
        ({"before": (), "ratio": 0.5}, "before must list layers"),
        ({"before": (2,), "ratio": 0.5, "scaled": "False"}, "scaled must be True"),
    ],
)
def test_odd_poolings_are_refused_when_they_are_made(options, match):
    with pytest.raises(ValueError, match=match):
        NodePooling(**options)


def test_a_nan_is_seen_and_no_graph_disappears():
    pairs = [
        GraphData.from_edges([0], [1], x=torch.full((2, 3), v)) for v in (1.0, 3e38)
    ]
    own = GraphPack(graph=batch_graphs(pairs), y=torch.zeros(2), name="pairs")
    model = PoolingNetwork(3, 1, pooling=NodePooling((2,), threshold=0.1))
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(100.0)
    with pytest.raises(FloatingPointError, match="outputs for pairs"):
        evaluate_pooling(model, own)
    with pytest.raises(FloatingPointError, match="loss is"):
        fit_pooling(model, own, own, max_epochs=1, progress=False)
    alpha = torch.tensor([torch.nan, 0.9])
    assert layers.kept_nodes(pairs[0], alpha, threshold=0.95).all()
    with pytest.raises(ValueError, match="leaves no node of graph 0"):
        layers.pooled_graph(pairs[0], torch.zeros(2, dtype=torch.bool))


# ------------------------------------------------------------------- packs


def pack(seed=0, numbers=True, attention=True):
    graphs = [random_graph(n, 0.5, seed + n, weighted=True) for n in (3, 5, 2, 6)]
    batch = batch_graphs(graphs)
    alpha = layers.node_attention(batch, torch.randn(batch.num_nodes))
    y = torch.tensor([0.0, 2.0, 1.0, 3.0])
    return GraphPack(
        graph=batch,
        y=y if numbers else y.long(),
        attention=alpha if attention else None,
        name="four",
    ), graphs


@pytest.mark.parametrize("numbers", [[0], [3, 1], [2, 2, 0, 1]])
def test_what_is_taken_is_what_a_batch_of_the_same_would_be(numbers):
    own, graphs = pack()
    found = own.take(numbers)
    expected = batch_graphs([graphs[i] for i in numbers])
    for field in ("src", "dst", "x", "edge_weight", "graph_of"):
        torch.testing.assert_close(
            getattr(found.graph, field), getattr(expected, field)
        )
    assert found.y.tolist() == [own.y[i].item() for i in numbers]
    parts = own.attention.split([3, 5, 2, 6])
    torch.testing.assert_close(found.attention, torch.cat([parts[i] for i in numbers]))


def test_packs_of_what_does_not_fit_are_refused():
    own, _ = pack()
    for changes, match in (
        ({"y": torch.ones(3)}, "one class or number for each of 4"),
        ({"y": torch.tensor([0, 1, -1, 0])}, "negative class"),
        ({"y": torch.tensor([0.0, 1.0, torch.nan, 0.0])}, "finite"),
        ({"attention": torch.ones(16)}, "sums to 3 over graph 0"),
        ({"attention": torch.ones(3)}, "one weight for each"),
        ({"attention": own.attention.requires_grad_()}, "detach"),
    ):
        fields = {"graph": own.graph, "y": own.y, "name": "x"} | changes
        with pytest.raises(ValueError, match=match):
            GraphPack(**fields)
    with pytest.raises(ValueError, match="0 to 3"):
        own.take([4])


# ------------------------------------------------------------------- training


def test_the_divergence_is_scipys():
    own, _ = pack()
    alpha = layers.node_attention(own.graph, torch.randn(16))
    found = attention_divergence(own.graph, own.attention, alpha)
    terms = torch.from_numpy(rel_entr(own.attention.numpy(), alpha.numpy()))
    expected = [part.sum() for part in terms.split([3, 5, 2, 6])]
    torch.testing.assert_close(found, torch.stack(expected))
    assert torch.isfinite(
        attention_divergence(own.graph, own.attention, 0 * alpha)
    ).all()


def test_beta_adds_the_divergence_of_each_layer():
    own, _ = pack()
    torch.manual_seed(0)
    pooling = NodePooling((1, 2), threshold=0.3)
    model = PoolingNetwork(3, 1, widths=(4, 4), pooling=pooling)
    out, done = model(own.graph, own.graph.x, return_attention=True)
    task = (out[:, 0] - own.y).square().mean()
    torch.testing.assert_close(pooling_loss(out, done, own), task)
    first = attention_divergence(own.graph, own.attention, done[0].alpha)
    left = own.attention[done[0].kept]
    of = done[1].graph.graph_of
    left = left / torch.zeros(4).index_add(0, of, left)[of]
    second = attention_divergence(done[1].graph, left, done[1].alpha)
    sizes = torch.tensor([3, 5, 2, 6]), torch.bincount(of)
    expected = task + 7 * ((first / sizes[0]).mean() + (second / sizes[1]).mean())
    torch.testing.assert_close(pooling_loss(out, done, own, 7.0), expected)


def test_the_effect_of_a_node_is_what_changes_without_it():
    own, graphs = pack()
    torch.manual_seed(0)
    model = PoolingNetwork(3, 1).eval()
    found = node_effects(model, own, batch_size=3).split([3, 5, 2, 6])
    for graph, effects in zip(graphs, found, strict=True):
        with torch.no_grad():
            whole = model(graph, graph.x)[0, 0]
            moved = []
            for node in range(graph.num_nodes):
                rest = [i for i in range(graph.num_nodes) if i != node]
                part = graph.subgraph(rest)
                moved.append((model(part, part.x)[0, 0] - whole).abs())
        expected = torch.stack(moved)
        torch.testing.assert_close(effects, expected / expected.sum())


def test_the_only_node_of_a_graph_is_all_there_is():
    alone = batch_graphs([GRAPHS[2], GRAPHS[3]])
    own = GraphPack(graph=alone, y=torch.ones(2), name="x")
    assert node_effects(PoolingNetwork(3, 1), own)[0] == 1


def test_the_auc_is_scikit_learns():
    target, alpha = torch.rand(50).round(), torch.rand(50)
    expected = 100 * roc_auc_score(target.numpy() > 0, alpha.numpy())
    assert attention_auc(target, alpha) == pytest.approx(expected)


def test_training_lowers_the_loss_and_teaching_the_divergence():
    own, _ = pack()

    @torch.no_grad()
    def measured(model):
        out, done = model(own.graph, own.graph.x, return_attention=True)
        far = attention_divergence(own.graph, own.attention, done[0].alpha)
        return float(pooling_loss(out, done, own)), float(far.mean())

    def trained(beta, epochs):
        torch.manual_seed(1)
        model = PoolingNetwork(3, 1, pooling=NodePooling((2,), threshold=0.05))
        if epochs:
            options = {"beta": beta, "max_epochs": epochs, "progress": False}
            fit_pooling(model, own, own, **options)
        return measured(model)

    start, free, taught = trained(0.0, 0), trained(0.0, 150), trained(100.0, 150)
    assert free[0] < start[0] and taught[1] < start[1]
    assert taught[1] < free[1]


def test_the_auc_needs_nodes_of_both_kinds():
    own, _ = pack()
    model = PoolingNetwork(3, 1, pooling=NodePooling((2,), threshold=0.05))
    assert set(evaluate_pooling(model, own)) == {"accuracy", "kept"}
    with pytest.raises(ValueError, match="all nodes should count"):
        attention_auc(torch.ones(3), torch.rand(3))


def test_looking_at_a_model_before_training_draws_no_random_number():
    own, _ = pack()
    task = PooledAnswers(own, val=own)
    model = PoolingNetwork(3, 1, dropout=0.5).train()
    before = torch.get_rng_state()
    task.prepare(model)
    assert torch.equal(torch.get_rng_state(), before) and model.training


def test_a_model_that_does_not_fit_is_refused_before_training():
    numbers, _ = pack()
    classes, _ = pack(numbers=False)
    fit = {"max_epochs": 1, "progress": False}
    pooling = NodePooling((2,), threshold=0.1)
    with pytest.raises(ValueError, match="outputs=1 for four"):
        fit_pooling(PoolingNetwork(3, 3), numbers, numbers, **fit)
    with pytest.raises(ValueError, match="outputs=at least 4"):
        fit_pooling(PoolingNetwork(3, 2), classes, classes, **fit)
    with pytest.raises(ValueError, match="val must have answers like those of train"):
        fit_pooling(PoolingNetwork(3, 1), numbers, classes, **fit)
    with pytest.raises(ValueError, match="no pooling layer"):
        fit_pooling(PoolingNetwork(3, 1), numbers, numbers, beta=1.0, **fit)
    fit_pooling(PoolingNetwork(3, 4, pooling=pooling), classes, classes, **fit)


def test_no_attention_cannot_be_taught():
    own, _ = pack(attention=False)
    with pytest.raises(ValueError, match="beta"):
        fit_pooling(PoolingNetwork(3, 1), own, own, beta=1.0, max_epochs=1)
    other, _ = pack()
    with pytest.raises(ValueError, match="beta"):
        fit_pooling(PoolingNetwork(3, 1), other, other, beta=-1.0, max_epochs=1)


def test_the_learning_rate_falls_at_the_epochs_that_are_named():
    """With a rate that is tiny from the start on, nothing but rounding moves."""
    own, _ = pack()
    torch.manual_seed(0)
    model = PoolingNetwork(3, 1)
    before = [p.detach().clone() for p in model.parameters()]
    fit_pooling(model, own, own, max_epochs=1, decay_at=[0] * 9, progress=False)
    moved = zip(before, model.parameters(), strict=True)
    assert max(float((a - b.detach()).abs().max()) for a, b in moved) < 1e-9
