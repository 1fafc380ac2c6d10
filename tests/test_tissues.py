"""Tests of graphs side by side, and of the container of labelled graphs."""

import copy
from dataclasses import FrozenInstanceError, replace

import networkx as nx
import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from gat_course import EdgeGATLayer, FusedGATLayer, GraphData, Tissues, batch_graphs
from gat_course.graphs import checksum


def random_graph(seed: int, num_nodes: int = 6, **fields) -> GraphData:
    """A directed graph with self-loops, 4 features and 3 labels."""
    generator = torch.Generator().manual_seed(seed)
    edges = torch.randperm(num_nodes**2, generator=generator)[: 3 * num_nodes]
    y = torch.randint(0, 2, (num_nodes, 3), generator=generator)
    given = {
        "x": 2 + 3 * torch.randn(num_nodes, 4, generator=generator),
        "y": y.float(),
        "name": f"graph {seed}",
    }
    return GraphData(
        num_nodes=num_nodes,
        src=edges // num_nodes,
        dst=edges % num_nodes,
        **given | fields,
    )


@pytest.fixture
def graphs() -> list[GraphData]:
    return [random_graph(seed, num_nodes) for seed, num_nodes in enumerate((6, 3, 9))]


# Graphs side by side


def test_batch_is_networkx_disjoint_union(graphs):
    batch = batch_graphs(graphs)
    union = nx.disjoint_union_all([graph.networkx() for graph in graphs])
    ours = batch.networkx()
    assert list(ours.nodes) == list(union.nodes)
    assert set(ours.edges) == set(union.edges)
    assert batch.num_edges == union.number_of_edges()
    assert torch.equal(batch.x, torch.cat([graph.x for graph in graphs]))
    assert torch.equal(batch.y, torch.cat([graph.y for graph in graphs]))
    assert batch.name == "graph 0 + graph 1 + graph 2"
    assert batch_graphs([*graphs, graphs[0]]).name == "4 graphs"


def test_adjacency_of_a_batch_is_block_diagonal(graphs):
    blocks = torch.block_diag(*[graph.dense_adjacency() for graph in graphs])
    assert torch.equal(batch_graphs(graphs).dense_adjacency(), blocks)


@pytest.mark.parametrize("layer_class", [EdgeGATLayer, FusedGATLayer])
def test_a_layer_on_a_batch_is_the_layer_on_each_graph(graphs, layer_class):
    graphs = [replace(graph, x=graph.x.double()) for graph in graphs]
    torch.manual_seed(0)
    layer = layer_class(4, 5, num_heads=2, residual=True).double().eval()
    batch = batch_graphs(graphs)
    outs = torch.split(layer(batch, batch.x), [graph.num_nodes for graph in graphs])
    for graph, out in zip(graphs, outs, strict=True):
        torch.testing.assert_close(out, layer(graph, graph.x), rtol=1e-12, atol=1e-12)


def test_batch_of_one_graph(graphs):
    batch = batch_graphs(graphs[:1])
    for field in ("src", "dst", "x", "y"):
        assert torch.equal(getattr(batch, field), getattr(graphs[0], field))


def test_batch_of_any_iterable_and_repeated_edges():
    twice = GraphData.from_edges([0, 0], [1, 1], 2)
    batch = batch_graphs(graph for graph in (twice, twice))
    assert batch.src.tolist() == [0, 0, 2, 2]
    assert batch.dst.tolist() == [1, 1, 3, 3]
    assert batch.x is None and batch.y is None


def test_batch_keeps_weights_and_refuses_some(graphs):
    weighted = [
        replace(graph, edge_weight=1 + torch.rand(graph.num_edges)) for graph in graphs
    ]
    batch = batch_graphs(weighted)
    expected = torch.cat([graph.edge_weight for graph in weighted])
    assert torch.equal(batch.edge_weight, expected)
    blocks = torch.block_diag(*[graph.dense_adjacency() for graph in weighted])
    assert torch.equal(batch.dense_adjacency(), blocks)
    assert batch_graphs(graphs).edge_weight is None
    with pytest.raises(ValueError, match="graph 1 has no edge_weight, others have one"):
        batch_graphs([weighted[0], graphs[1]])
    double = replace(weighted[1], edge_weight=weighted[1].edge_weight.double())
    with pytest.raises(ValueError, match="edge_weight of graph 1 .*float64"):
        batch_graphs([weighted[0], double])


def test_batch_makes_sparse_features_dense(graphs):
    mixed = [replace(graphs[0], x=graphs[0].x.to_sparse_csr()), *graphs[1:]]
    batch = batch_graphs(mixed)
    assert batch.x.layout == torch.strided
    assert torch.equal(batch.x, batch_graphs(graphs).x)


def test_batch_keeps_masks_and_refuses_some(graphs):
    masked = [replace(g, val_mask=torch.arange(g.num_nodes) % 3 == 1) for g in graphs]
    batch = batch_graphs(masked)
    assert torch.equal(batch.val_mask, torch.cat([g.val_mask for g in masked]))
    assert batch.train_mask is None
    with pytest.raises(ValueError, match="graph 1 has no val_mask, others have one"):
        batch_graphs([masked[0], *graphs[1:]])


def test_batch_of_classes():
    graphs = [
        GraphData.from_edges([], [], 2, y=torch.tensor(y)) for y in ([0, 1], [2, 0])
    ]
    assert batch_graphs(graphs).y.tolist() == [0, 1, 2, 0]


def test_batch_of_nothing():
    with pytest.raises(ValueError, match="at least one graph"):
        batch_graphs([])


@pytest.mark.parametrize("field", ["x", "y"])
def test_batch_of_graphs_that_do_not_fit(graphs, field):
    value = getattr(graphs[1], field)
    cases = {
        f"graph 1 has no {field}, others have one": None,
        rf"{field} of graph 1 is \[3, 2\] .* graph 0 is \[6,": value[:, :2],
        rf"{field} of graph 1 .*float64.* graph 0 .*float32": value.double(),
    }
    for message, wrong in cases.items():
        with pytest.raises(ValueError, match=message):
            batch_graphs([graphs[0], replace(graphs[1], **{field: wrong}), graphs[2]])
    with pytest.raises(ValueError, match=f"graph 0 has no {field}"):
        batch_graphs([replace(graphs[0], **{field: None}), graphs[1]])


# Tissues


@pytest.fixture
def tissues() -> Tissues:
    train, val, test = (
        [random_graph(10 * part + i, 5 + i) for i in range(count)]
        for part, count in enumerate((3, 1, 2))
    )
    return Tissues(train=train, val=val, test=test, name="made up")


def test_what_tissues_hold(tissues):
    assert tissues.graphs == tissues.train + tissues.val + tissues.test
    assert [graph.num_nodes for graph in tissues.graphs] == [5, 6, 7, 5, 5, 6]
    assert (tissues.num_features, tissues.num_labels) == (4, 3)
    assert tissues.device == torch.device("cpu")
    assert tissues.senders is None
    with pytest.raises(FrozenInstanceError):
        tissues.name = "other"


def test_repr(tissues):
    edges = 3 * (5 + 6 + 7 + 5 + 5 + 6)
    assert repr(tissues) == (
        "Tissues('made up', 3/1/2 graphs and 18/5/11 nodes for train/val/test, "
        f"{edges} edges, 4 features, 3 labels)"
    )


def test_standardized_is_sklearns_fitted_on_training_graphs(tissues):
    scaler = StandardScaler()
    scaler.fit(
        np.concatenate([graph.x.numpy() for graph in tissues.train]).astype("f8")
    )
    scaled = tissues.standardized()
    for old, new in zip(tissues.graphs, scaled.graphs, strict=True):
        expected = scaler.transform(old.x.numpy().astype("f8"))
        np.testing.assert_allclose(new.x.numpy(), expected, rtol=1e-6, atol=1e-6)
        assert new.x.dtype == torch.float32
        assert torch.equal(new.y, old.y)
        assert torch.equal(new.src, old.src) and torch.equal(new.dst, old.dst)
        assert new.name == old.name
    assert scaled.name == tissues.name
    twice = scaled.standardized()
    for once, again in zip(scaled.graphs, twice.graphs, strict=True):
        torch.testing.assert_close(once.x, again.x)


def test_a_feature_constant_in_training_is_only_shifted(tissues):
    def constant(graph: GraphData, value: float) -> GraphData:
        x = graph.x.clone()
        x[:, 1] = value
        return replace(graph, x=x)

    train = [constant(graph, 0.1) for graph in tissues.train]
    test = [constant(graph, 2.1) for graph in tissues.test]
    scaled = replace(tissues, train=train, test=test).standardized()
    assert all(bool((graph.x[:, 1] == 0).all()) for graph in scaled.train)
    for graph in scaled.test:
        torch.testing.assert_close(graph.x[:, 1], torch.full((graph.num_nodes,), 2.0))


def test_with_self_loops(tissues):
    for old, new in zip(tissues.graphs, tissues.with_self_loops().graphs, strict=True):
        expected = old.dense_adjacency().fill_diagonal_(1)
        assert torch.equal(new.dense_adjacency(), expected)
        assert torch.equal(new.x, old.x) and torch.equal(new.y, old.y)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_to_a_device(tissues, device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    senders = tuple(graph.y[:, 0] == 1 for graph in tissues.graphs)
    for given in (tissues, replace(tissues, senders=senders)):
        moved = given.to(device)
        assert moved.device.type == device
        fields = [(graph.src, graph.dst, graph.x, graph.y) for graph in moved.graphs]
        for tensor in [*sum(fields, ()), *(moved.senders or ())]:
            assert tensor.device == moved.device
        for old, new in zip(given.graphs, moved.to("cpu").graphs, strict=True):
            assert torch.equal(new.x, old.x)


def test_weights_stay_and_are_in_all_graphs_or_none(tissues):
    def weigh(graph):
        return replace(graph, edge_weight=torch.arange(1.0, graph.num_edges + 1))

    parts = {p: map(weigh, getattr(tissues, p)) for p in ("train", "val", "test")}
    weighted = replace(tissues, **parts)
    changed = weighted.standardized().to("cpu")
    for graph in changed.graphs:
        expected = torch.arange(1.0, graph.num_edges + 1)
        assert torch.equal(graph.edge_weight, expected)
    for old, new in zip(
        weighted.graphs, weighted.with_self_loops().graphs, strict=True
    ):
        missing = old.dense_adjacency().diagonal() == 0
        expected = old.dense_adjacency() + torch.diag(missing.float())
        assert torch.equal(new.dense_adjacency(), expected)
    with pytest.raises(
        ValueError, match="edge_weight is .* in graph 4 and .* in graph 0"
    ):
        replace(weighted, test=tissues.test)


def test_tissues_can_be_copied(tissues):
    again = copy.deepcopy(tissues)
    assert checksum(again.graphs) == checksum(tissues.graphs)
    assert again.train[0].x.data_ptr() != tissues.train[0].x.data_ptr()


def test_senders_may_be_lists_and_arrays(tissues):
    given = [graph.y[:, 0] == 1 for graph in tissues.graphs]
    for change in (torch.Tensor.tolist, torch.Tensor.numpy):
        made = replace(tissues, senders=map(change, given))
        assert all(map(torch.equal, made.senders, given))


def test_genes_stay_with_their_graphs(tissues):
    genes = tuple(torch.arange(g.num_nodes) + 7 for g in tissues.graphs)
    changed = replace(tissues, genes=genes).with_self_loops().standardized().to("cpu")
    assert all(map(torch.equal, changed.genes, genes))
    for wrong in (genes[1:], [g[:-1] for g in genes], [g.int() for g in genes]):
        with pytest.raises(ValueError, match="genes must hold one int64 .N. for each"):
            replace(tissues, genes=wrong)


def test_masks_are_in_all_graphs_or_none(tissues):
    masks = ("train_mask", "val_mask", "test_mask")

    def masked(graph):
        every = torch.ones(graph.num_nodes, dtype=torch.bool)
        return replace(graph, **dict.fromkeys(masks, every))

    parts = {p: list(map(masked, getattr(tissues, p))) for p in ("train", "val")}
    with pytest.raises(ValueError, match=r"masks is \[\] in graph 4 and .* in graph 0"):
        replace(tissues, **parts)


def test_senders_stay_with_their_graphs(tissues):
    senders = tuple(graph.y[:, 0] == 1 for graph in tissues.graphs)
    changed = replace(tissues, senders=senders).with_self_loops().standardized()
    assert changed.senders == senders


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_part_without_graphs(tissues, part):
    with pytest.raises(ValueError, match=f"{part} has no graph"):
        replace(tissues, **{part: []})


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"x": None}, r"graph 3 \(graph 7\) lacks x or y"),
        ({"y": None}, r"graph 3 \(graph 7\) lacks x or y"),
        ({"y": torch.zeros(6)}, r"y of graph 3 must be .*got torch.float32 \[6\]"),
        ({"y": torch.zeros(6, dtype=torch.long)}, "must be .*got torch.int64"),
        ({"y": torch.zeros(6, 3, dtype=torch.bool)}, "must be .*got torch.bool"),
        ({"y": torch.full((6, 3), 0.5)}, "y of graph 3 must hold 0 and 1 only"),
        ({"y": torch.zeros(6, 2)}, "number of labels is 2 in graph 3 and 3 in graph 0"),
        (
            {"x": torch.zeros(6, 5)},
            "number of features is 5 in graph 3 and 4 in graph 0",
        ),
    ],
)
def test_a_graph_that_does_not_fit(tissues, fields, message):
    with pytest.raises(ValueError, match=message):
        replace(tissues, val=[random_graph(7, **fields)])


def test_senders_that_do_not_fit(tissues):
    senders = [graph.y[:, 0] == 1 for graph in tissues.graphs]
    more = [*senders, senders[0]]
    for wrong in (senders[1:], senders[::-1], [s[:-1] for s in senders], more):
        with pytest.raises(ValueError, match="one bool .* for each graph"):
            replace(tissues, senders=tuple(wrong))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_feature_becomes_zero_whatever_rounding_does(tissues, dtype):
    def constant(graph):
        x = torch.full((graph.num_nodes, 3), 0.1, dtype=dtype)
        return replace(graph, x=x)

    parts = {p: map(constant, getattr(tissues, p)) for p in ("train", "val", "test")}
    for graph in replace(tissues, **parts).standardized().graphs:
        assert torch.equal(graph.x, torch.zeros_like(graph.x))


def test_sparse_features_are_standardized_too(tissues):
    def sparse(graph):
        return replace(graph, x=graph.x.to_sparse_csr())

    parts = {p: map(sparse, getattr(tissues, p)) for p in ("train", "val", "test")}
    as_sparse = replace(tissues, **parts).standardized()
    for one, other in zip(as_sparse.graphs, tissues.standardized().graphs, strict=True):
        assert torch.equal(one.x, other.x)


def test_senders_are_bools(tissues):
    counts = [torch.zeros(graph.num_nodes) for graph in tissues.graphs]
    with pytest.raises(ValueError, match="one bool"):
        replace(tissues, senders=counts)


@pytest.mark.parametrize(("field", "to"), [("x", torch.float64), ("y", torch.float16)])
def test_a_graph_of_another_kind_of_number_is_refused(tissues, field, to):
    odd = replace(tissues.test[0], **{field: getattr(tissues.test[0], field).to(to)})
    with pytest.raises(ValueError, match=f"dtype of {field} is torch.* in graph"):
        replace(tissues, test=(odd, *tissues.test[1:]))
