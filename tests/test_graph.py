"""GraphData: what it derives, what it refuses."""

import dataclasses
import pickle

import networkx as nx
import pytest
import torch

from gat_course import DenseGATLayer, GraphData, sparse


def triangle(**fields):
    return GraphData.from_edges([2, 0, 1], [0, 1, 2], **fields)


def test_edges_are_sorted_by_target_and_keep_their_order_within_one():
    graph = GraphData(num_nodes=4, src=[3, 1, 2, 0], dst=[2, 0, 2, 0])
    assert graph.dst.tolist() == [0, 0, 2, 2]
    assert graph.src.tolist() == [1, 0, 3, 2]


def test_adjacency_counts_edges_with_the_target_as_row():
    graph = GraphData(num_nodes=3, src=[0, 0, 2], dst=[1, 1, 0])
    expected = torch.tensor([[0.0, 0, 1], [2, 0, 0], [0, 0, 0]])
    assert torch.equal(graph.dense_adjacency(), expected)
    assert torch.equal(graph.in_degrees, expected.sum(dim=1).long())
    graph.dense_adjacency().zero_()  # a copy: the graph does not change
    assert torch.equal(graph.dense_adjacency(), expected)


def test_networkx_round_trip_and_adjacency_agree():
    karate = nx.karate_club_graph()
    graph = GraphData.from_networkx(karate)
    assert graph.num_edges == 2 * karate.number_of_edges()
    expected = torch.tensor(nx.to_numpy_array(karate, weight=None)).float()
    assert torch.equal(graph.dense_adjacency(), expected.t())
    assert nx.is_isomorphic(graph.networkx().to_undirected(), karate)


def test_narrow_integers_are_edges_too():
    graph = GraphData(
        num_nodes=256, src=torch.tensor([200], dtype=torch.uint8), dst=[5]
    )
    assert graph.src.tolist() == [200] and graph.src.dtype == torch.int64


def test_what_is_cached_in_inference_mode_serves_training():
    graph = triangle(x=torch.ones(3, 2))
    layer = DenseGATLayer(2, 2)
    with torch.inference_mode():
        layer(graph, graph.x)
    layer(graph, graph.x).sum().backward()
    assert layer.weight.grad is not None


def test_networkx_keeps_repeated_edges():
    graph = GraphData(num_nodes=2, src=[0, 0], dst=[1, 1])
    assert graph.networkx().number_of_edges() == 2


def test_dgl_has_the_same_edges_in_the_same_order(dgl):
    graph = GraphData(num_nodes=4, src=[3, 1, 2, 0], dst=[2, 0, 2, 0])
    src, dst = graph.dgl().edges(order="eid")
    assert torch.equal(src, graph.src) and torch.equal(dst, graph.dst)
    assert graph.dgl().num_nodes() == 4
    assert graph.dgl() is graph.dgl()


def test_self_loops_are_added_once_and_only_where_missing():
    graph = GraphData(num_nodes=3, src=[0, 1], dst=[0, 2])
    looped = graph.with_self_loops()
    assert torch.equal(looped.dense_adjacency().diagonal(), torch.ones(3))
    assert looped.num_edges == 4
    assert looped.with_self_loops() is looped


def test_subgraph_equals_the_block_of_the_adjacency_matrix():
    graph = GraphData.from_networkx(nx.karate_club_graph(), y=torch.arange(34))
    nodes = torch.tensor([33, 0, 8, 2, 30])
    part = graph.subgraph(nodes)
    block = graph.dense_adjacency()[nodes][:, nodes]
    assert torch.equal(part.dense_adjacency(), block)
    assert torch.equal(part.y, nodes)
    assert part.name.startswith("part of")
    mask = torch.zeros(34, dtype=torch.bool)
    mask[[0, 2]] = True
    assert graph.subgraph(mask).y.tolist() == [0, 2]


@pytest.mark.parametrize("nodes", [[], [0, 0], [3], [-1]])
def test_subgraph_refuses_what_is_no_set_of_nodes(nodes):
    with pytest.raises(ValueError, match="nodes"):
        triangle().subgraph(nodes)


def test_undirected_adds_reverses_but_no_second_loop():
    graph = GraphData.from_edges([0, 1], [1, 1], undirected=True)
    assert sorted(zip(graph.src.tolist(), graph.dst.tolist(), strict=True)) == [
        (0, 1),
        (1, 0),
        (1, 1),
    ]


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        triangle().name = "other"


def test_pickle_keeps_the_data_and_drops_what_is_derived():
    x = sparse.csr(
        torch.tensor([0, 1, 1, 2]), torch.tensor([1, 0]), torch.ones(2), (3, 2)
    )
    graph = triangle(x=x, name="t")
    graph.dense_adjacency()
    again = pickle.loads(pickle.dumps(graph))
    assert again.name == "t" and torch.equal(again.src, graph.src)
    assert torch.equal(again.x.to_dense(), x.to_dense())
    assert "_adjacency" not in vars(again)


def test_to_the_same_device_is_the_same_graph():
    graph = triangle()
    assert graph.to("cpu") is graph


def test_repr_tells_what_is_there():
    masks = {m: [True, False, False] for m in ("train_mask", "val_mask", "test_mask")}
    graph = triangle(x=torch.ones(3, 5), y=[0, 1, 2], name="Toy", **masks)
    assert repr(graph) == (
        "GraphData('Toy', 3 nodes, 3 edges, 5 features, 3 classes, "
        "1/1/1 train/val/test)"
    )


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"num_nodes": 0, "src": [], "dst": []}, ValueError, "num_nodes must be at"),
        ({"src": [0, 3]}, ValueError, r"src\[1\] = 3 is not a node.*0 to 2"),
        ({"dst": [-1, 0]}, ValueError, r"dst\[0\] = -1 is not a node"),
        ({"src": [0.0, 1.0]}, TypeError, "src must hold integers"),
        ({"src": [True, False]}, TypeError, "src must hold integers"),
        ({"src": [[0, 1]]}, ValueError, "src must be one-dimensional"),
        ({"src": [0, 1, 2]}, ValueError, "src has 3, dst has 2"),
        ({"x": torch.ones(2, 4)}, ValueError, r"x must have one row per node \(3\)"),
        ({"x": torch.ones(3)}, ValueError, r"x must be \[N, F\]"),
        ({"x": torch.ones(3, 2).long()}, TypeError, "x must be floating point"),
        ({"x": torch.ones(3, 2).to_sparse()}, TypeError, "dense or sparse CSR"),
        ({"x": torch.full((3, 2), float("nan"))}, ValueError, "x contains 6 values"),
        ({"x": torch.full((3, 2), float("inf"))}, ValueError, "NaN or infinite"),
        ({"y": [0, 1]}, ValueError, "y must have one row per node"),
        ({"y": [0, 1, float("nan")]}, ValueError, "y contains 1 values"),
        ({"y": torch.ones(3, 1, 1)}, ValueError, r"y must be \[N\] or \[N, L\]"),
        ({"train_mask": [0, 1, 1]}, TypeError, "train_mask must be a bool vector"),
        ({"val_mask": [True]}, ValueError, "val_mask must have one row per node"),
        ({"x": torch.ones(3, 2, device="meta")}, ValueError, "x is on meta"),
    ],
)
def test_bad_input_is_refused_with_the_field_named(fields, error, message):
    with pytest.raises(error, match=message):
        GraphData(**{"num_nodes": 3, "src": [0, 1], "dst": [1, 2], **fields})


def test_nan_hides_in_no_sparse_matrix():
    x = sparse.csr(
        torch.tensor([0, 1, 1, 1]), torch.tensor([0]), torch.tensor([torch.nan]), (3, 2)
    )
    with pytest.raises(ValueError, match="x contains 1 values"):
        triangle(x=x)


def test_unequal_lengths_are_named_also_when_undirected():
    with pytest.raises(ValueError, match="src has 3, dst has 2"):
        GraphData.from_edges([0, 1, 2], [1, 2], undirected=True)


def test_a_graph_without_edges_needs_its_size():
    with pytest.raises(ValueError, match="needs num_nodes"):
        GraphData.from_edges([], [])
    assert GraphData.from_edges([], [], 2).num_edges == 0
    assert GraphData.from_edges([], [], x=torch.ones(4, 1)).num_nodes == 4


@pytest.mark.parametrize("num_hops", [0, 1, 2, 3])
def test_a_receptive_field_holds_what_leads_to_its_nodes(num_hops):
    generator = torch.Generator().manual_seed(num_hops)
    ends = torch.randint(0, 40, (2, 90), generator=generator)
    x = sparse_features(40, generator)
    graph = GraphData.from_edges(*ends, 40, x=x, y=torch.arange(40))
    mask = torch.zeros(40, dtype=torch.bool)
    mask[[3, 8, 21]] = True
    part = graph.receptive_field(mask, num_hops)
    # networkx walks backwards along the edges and stops after num_hops steps.
    backwards = graph.networkx().reverse()
    distance = {}
    for node in (3, 8, 21):
        lengths = nx.single_source_shortest_path_length(backwards, node, num_hops)
        for other, length in lengths.items():
            distance[other] = min(length, distance.get(other, length))
    assert part.y.tolist() == sorted(distance)
    edges = [
        (s, d)
        for s, d in zip(graph.src.tolist(), graph.dst.tolist(), strict=True)
        if distance.get(d, num_hops) < num_hops
    ]
    names = part.y.tolist()
    found = [
        (names[s], names[d])
        for s, d in zip(part.src.tolist(), part.dst.tolist(), strict=True)
    ]
    assert sorted(found) == sorted(edges)
    assert torch.equal(part.x.to_dense(), x.to_dense()[part.y])


def sparse_features(num_nodes, generator):
    dense = torch.rand(num_nodes, 7, generator=generator)
    dense = dense * (dense > 0.7)  # most are zero, some whole rows too
    csr = dense.to_sparse_csr()
    return sparse.csr(csr.crow_indices(), csr.col_indices(), csr.values(), dense.shape)


def test_a_receptive_field_refuses_what_is_no_mask():
    graph = GraphData.from_edges([0], [1], 3)
    for wrong in (torch.tensor([0, 1]), torch.zeros(3, dtype=torch.bool)):
        with pytest.raises(ValueError, match="bool mask"):
            graph.receptive_field(wrong, 2)
    with pytest.raises(ValueError, match="num_hops must be at least 0"):
        graph.receptive_field(torch.ones(3, dtype=torch.bool), -1)


def test_edge_orders_list_every_edge_from_both_ends():
    ends = torch.randint(0, 9, (2, 40), generator=torch.Generator().manual_seed(0))
    graph = GraphData.from_edges(*ends, 9)
    for order, near, far in (
        (graph.by_target, graph.dst, graph.src),
        (graph.by_source, graph.src, graph.dst),
    ):
        edge = order.edge.long()
        assert sorted(edge.tolist()) == list(range(40))
        assert torch.equal(order.near.long(), near[edge])
        assert torch.equal(order.far.long(), far[edge])
        assert bool((order.near.diff() >= 0).all())
        assert torch.equal(
            order.starts.diff().long(), torch.bincount(near, minlength=9)
        )


@pytest.mark.parametrize("limit", [1, 5, 100])
def test_cuts_cover_all_nodes_once_and_keep_the_limit(limit):
    ends = torch.randint(0, 9, (2, 40), generator=torch.Generator().manual_seed(0))
    order = GraphData.from_edges(*ends, 12).by_target
    cuts = order.cuts(limit)
    starts = order.starts.tolist()
    assert [c[0] for c in cuts] == [0, *(c[1] for c in cuts[:-1])]
    assert cuts[-1][1] == 12 and cuts[-1][3] == 40
    for first, end, lo, hi in cuts:
        assert (lo, hi) == (starts[first], starts[end])
        assert hi - lo <= limit or end - first == 1
