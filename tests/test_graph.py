"""GraphData: what it derives, what it keeps, what it refuses."""

import copy
import dataclasses
import pickle
from collections import Counter

import networkx as nx
import numpy as np
import pytest
import torch

from gat_course import DenseGATLayer, EdgeGATLayer, GraphData, sparse
from gat_course.graphs import checksum


def triangle(**fields):
    return GraphData.from_edges([2, 0, 1], [0, 1, 2], **fields)


def random_graph(seed, weighted=True):
    """Some nodes without edges, some loops, many repeated edges; small ones too."""
    generator = torch.Generator().manual_seed(seed)
    nodes = 1 + seed % 8
    edges = 0 if seed % 5 == 4 else nodes * (1 + seed % 4)
    ends = torch.randint(nodes, (2, edges), generator=generator)
    weight = 0.05 + torch.rand(edges, generator=generator) if weighted else None
    return GraphData(
        num_nodes=nodes,
        src=ends[0],
        dst=ends[1],
        edge_weight=weight,
        x=torch.randn(nodes, 3, generator=generator),
        y=torch.arange(nodes),
    )


RANDOM = [random_graph(seed, weighted) for seed in range(20) for weighted in (0, 1)]


def edges_of(graph, node=None):
    """Each edge with its weight, in any order; `node` renames the nodes."""
    weight = graph.edge_weight
    weight = torch.ones(graph.num_edges) if weight is None else weight
    node = node or list(range(graph.num_nodes))
    columns = (t.tolist() for t in (graph.src, graph.dst, weight))
    rows = zip(*columns, strict=True)
    return Counter((node[j], node[i], w) for j, i, w in rows)


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
    graph = GraphData.from_networkx(karate, drop=["club", "weight"])
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


def test_dgl_has_the_same_edges_in_the_same_order():
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
    graph = GraphData.from_networkx(
        nx.karate_club_graph(), y=torch.arange(34), drop="club", edge_weight="weight"
    )
    nodes = torch.tensor([33, 0, 8, 2, 30])
    part = graph.subgraph(nodes)
    block = graph.dense_adjacency()[nodes][:, nodes]
    assert torch.equal(part.dense_adjacency(), block)
    assert torch.equal(part.y, nodes)
    assert part.name.startswith("part of")
    mask = torch.zeros(34, dtype=torch.bool)
    mask[[0, 2]] = True
    for same in (mask, mask.tolist(), mask.numpy(), np.array([0, 2], np.uint16)):
        assert graph.subgraph(same).y.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("nodes", "error", "message"),
    [
        ([], ValueError, "numbers from 0 to 5"),
        ([0, 0], ValueError, "a node twice"),
        ([6], ValueError, "numbers from 0 to 5"),
        ([-1], ValueError, "numbers from 0 to 5"),
        ([[0, 1]], ValueError, "numbers from 0 to 5"),
        ([1.7, 2.2], TypeError, "nodes must hold integers, got torch.float32"),
        (torch.tensor([1.0]), TypeError, "nodes must hold integers"),
        ([True, False, True], ValueError, r"a bool mask must be \[6\], got \[3\]"),
        (["ann"], TypeError, "nodes must hold numbers, got text such as 'ann'"),
    ],
)
def test_subgraph_refuses_what_is_no_set_of_nodes(nodes, error, message):
    with pytest.raises(error, match=message):
        triangle(num_nodes=6).subgraph(nodes)


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


@pytest.mark.parametrize("device", ["cpu", "cpu:0", torch.device("cpu")])
def test_to_the_same_device_is_the_same_graph(device):
    graph = triangle()
    assert graph.to(device) is graph


def test_the_current_gpu_is_the_same_device_with_and_without_its_number():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    graph = triangle(x=torch.eye(3), edge_weight=[1, 2, 3]).to("cuda")
    assert graph.to("cuda") is graph.to("cuda:0") is graph
    assert graph.edge_weight.device == graph.device
    back = graph.to("cpu")
    assert back.edge_weight.tolist() == [1, 2, 3] and back.x.device.type == "cpu"


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
        ({"x": torch.ones(3, 2) * 1j}, TypeError, "x must hold real numbers"),
        ({"y": torch.tensor([1j, 0, 1])}, TypeError, "y must hold real numbers"),
        ({"y": torch.ones(3, 1, 1)}, ValueError, r"y must be \[N\] or \[N, L\]"),
        ({"train_mask": [0, 1, 1]}, TypeError, "train_mask must be a bool vector"),
        ({"val_mask": [True]}, ValueError, "val_mask must have one row per node"),
        ({"x": torch.ones(3, 2, device="meta")}, ValueError, "x is on meta"),
        ({"src": torch.zeros(2, device="meta")}, ValueError, "src is on the meta dev"),
        ({"num_nodes": True}, TypeError, "num_nodes must be a whole number, got True"),
        ({"num_nodes": torch.tensor(True)}, TypeError, "num_nodes must be a whole"),
        ({"num_nodes": 3.5}, TypeError, "num_nodes must be a whole number, got 3.5"),
        (
            {"edge_weight": [1, 0]},
            ValueError,
            r"edge_weight\[1\] = 0: .*src\[weight > 0",
        ),
        ({"edge_weight": [-1.0, 2]}, ValueError, r"edge_weight\[0\] = -1: .*positive"),
        ({"edge_weight": [1, float("inf")]}, ValueError, r"edge_weight\[1\] = inf"),
        ({"edge_weight": [1, float("nan")]}, ValueError, r"edge_weight\[1\] = nan"),
        ({"edge_weight": [1.0]}, ValueError, r"one number per edge \(2\), got shape"),
        ({"edge_weight": torch.ones(2, 2)}, ValueError, "one number per edge"),
        ({"edge_weight": [True, True]}, TypeError, "edge_weight must be floating"),
        ({"edge_weight": [1j, 1j]}, TypeError, "edge_weight must be floating"),
        ({"edge_weight": ["a", "b"]}, TypeError, "edge_weight must hold numbers"),
        (
            {"edge_weight": torch.ones(2, device="meta")},
            ValueError,
            "edge_weight is on meta but the edges are on cpu",
        ),
        (
            {"edge_weight": torch.ones(2, requires_grad=True)},
            ValueError,
            r"edge_weight wants a gradient.*edge_weight.detach\(\)",
        ),
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
    weight = torch.arange(1.0, 91)
    graph = GraphData.from_edges(*ends, 40, x=x, y=torch.arange(40), edge_weight=weight)
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
    expected = {
        edge: count
        for edge, count in edges_of(graph).items()
        if distance.get(edge[1], num_hops) < num_hops
    }
    assert edges_of(part, part.y.tolist()) == expected
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


# Weights of edges


def test_weights_stay_with_their_edges():
    graph = GraphData(
        num_nodes=4, src=[3, 1, 2, 0], dst=[2, 0, 2, 0], edge_weight=[4, 3, 2, 1]
    )
    assert graph.dst.tolist() == [0, 0, 2, 2] and graph.src.tolist() == [1, 0, 3, 2]
    assert graph.edge_weight.tolist() == [3, 1, 4, 2]
    assert graph.edge_weight.dtype == torch.float32
    assert repr(graph) == "GraphData('graph', 4 nodes, 4 weighted edges)"


@pytest.mark.parametrize("graph", RANDOM)
def test_adjacency_and_strengths_are_sums_of_weights(graph):
    expected = torch.zeros(graph.num_nodes, graph.num_nodes, dtype=torch.float64)
    for (j, i, weight), count in edges_of(graph).items():
        expected[i, j] += count * weight
    adjacency = graph.dense_adjacency()
    assert adjacency.dtype == graph.in_strengths.dtype == torch.float32
    torch.testing.assert_close(adjacency.double(), expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(graph.in_strengths, adjacency.sum(dim=1))
    if graph.edge_weight is None:
        assert torch.equal(graph.in_strengths, graph.in_degrees.float())


@pytest.mark.parametrize("graph", RANDOM)
def test_new_self_loops_weigh_one_and_the_others_what_they_did(graph):
    looped = graph.with_self_loops()
    missing = [i for i in range(graph.num_nodes) if not has_loop(graph, i)]
    assert edges_of(looped) == edges_of(graph) + Counter((i, i, 1.0) for i in missing)
    assert (looped.edge_weight is None) == (graph.edge_weight is None)


def has_loop(graph, node):
    return bool(((graph.src == node) & (graph.dst == node)).any())


@pytest.mark.parametrize("graph", RANDOM)
def test_a_subgraph_keeps_weights(graph):
    nodes = torch.arange(graph.num_nodes).flip(0)[: 1 + graph.num_nodes // 2]
    part = graph.subgraph(nodes)
    inside = set(nodes.tolist())
    expected = {
        edge: count
        for edge, count in edges_of(graph).items()
        if inside.issuperset(edge[:2])
    }
    assert edges_of(part, part.y.tolist()) == expected


def test_undirected_gives_the_reverse_the_same_weight():
    graph = GraphData.from_edges(
        [0, 1, 2], [1, 1, 0], undirected=True, edge_weight=[0.5, 2, 3]
    )
    assert edges_of(graph) == Counter(
        [(0, 1, 0.5), (1, 0, 0.5), (1, 1, 2.0), (2, 0, 3.0), (0, 2, 3.0)]
    )
    with pytest.raises(ValueError, match=r"one number per edge \(3\)"):
        GraphData.from_edges(
            [0, 1, 2], [1, 1, 0], undirected=True, edge_weight=[1, 2, 3, 4, 5]
        )


def test_networkx_and_dgl_get_weights():
    for graph in RANDOM:
        found = graph.networkx().edges(data="weight", default=1.0)
        assert Counter(found) == edges_of(graph)
        name = None if graph.edge_weight is None else "weight"
        again = GraphData.from_networkx(graph.networkx(), edge_weight=name)
        assert edges_of(again) == edges_of(graph)
        data = graph.dgl().edata
        if graph.edge_weight is None:
            assert "weight" not in data
        else:
            assert torch.equal(data["weight"], graph.edge_weight)


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        ([1, 2, 3], torch.float32),
        (np.array([[1.0], [2], [3]]), torch.float32),
        (torch.tensor([1, 2, 3]), torch.float32),
        (torch.tensor([1.0, 2, 3]).double(), torch.float64),
    ],
)
def test_weights_are_floating_point(given, dtype):
    graph = GraphData(num_nodes=3, src=[0, 1, 2], dst=[0, 1, 2], edge_weight=given)
    assert graph.edge_weight.dtype == graph.in_strengths.dtype == dtype
    assert graph.dense_adjacency().dtype == dtype
    assert graph.edge_weight.tolist() == [1, 2, 3]


# Repeated edges


@pytest.mark.parametrize("graph", RANDOM)
def test_repeated_edges_are_all_but_the_first_of_each(graph):
    seen, expected = set(), []
    for pair in zip(graph.src.tolist(), graph.dst.tolist(), strict=True):
        expected.append(pair in seen)
        seen.add(pair)
    assert graph.repeated_edges.tolist() == expected
    assert graph.repeated_edges.dtype == torch.bool


@pytest.mark.parametrize("graph", RANDOM)
def test_coalesced_edges_are_there_once_and_count_as_before(graph):
    once = graph.coalesce()
    assert not once.repeated_edges.any()
    torch.testing.assert_close(once.dense_adjacency(), graph.dense_adjacency())
    assert once.coalesce() is once
    if not graph.repeated_edges.any():
        assert once is graph
    layer = EdgeGATLayer(3, 4, 2)
    torch.testing.assert_close(
        layer(once, once.x), layer(graph, graph.x), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("graph", RANDOM)
def test_without_repeats_the_first_copies_stay_as_they_are(graph):
    first = graph.without_repeats()
    assert torch.equal(first.src, graph.src[~graph.repeated_edges])
    assert torch.equal(first.dst, graph.dst[~graph.repeated_edges])
    if graph.edge_weight is not None:
        assert torch.equal(first.edge_weight, graph.edge_weight[~graph.repeated_edges])
    assert first.without_repeats() is first
    same = (first.dense_adjacency() > 0) == (graph.dense_adjacency() > 0)
    assert bool(same.all())


def test_a_list_of_both_directions_read_as_undirected_can_be_mended():
    graph = GraphData.from_edges([0, 1], [1, 0], undirected=True)
    assert graph.num_edges == 4 and int(graph.repeated_edges.sum()) == 2
    assert edges_of(graph.without_repeats()) == Counter([(0, 1, 1.0), (1, 0, 1.0)])
    assert edges_of(graph.coalesce()) == Counter([(0, 1, 2.0), (1, 0, 2.0)])


def test_the_two_sides_of_a_bipartite_graph_are_numbered_in_one_row():
    user, item = np.array([0, 1, 2, 0, 1]), np.array([0, 1, 2, 3, 4])
    graph = GraphData.from_edges(user, 3 + item, 3 + 5)
    assert graph.num_nodes == 8
    assert int(graph.src.max()) == 2 and int(graph.dst.min()) == 3


# Masks


def test_random_masks_have_the_sizes_asked_for_and_share_no_node():
    y = torch.arange(100) % 3
    graph = GraphData.from_edges([0], [1], y=y, edge_weight=[2.0])
    drawn = graph.with_random_masks(5, 20, 30, seed=3)
    masks = torch.stack([drawn.train_mask, drawn.val_mask, drawn.test_mask])
    assert masks.sum(dim=1).tolist() == [15, 20, 30]
    assert int(masks.sum(dim=0).max()) == 1
    assert torch.bincount(y[drawn.train_mask]).tolist() == [5, 5, 5]
    assert drawn.edge_weight.tolist() == [2]
    again = graph.with_random_masks(5, 20, 30, seed=3)
    other = graph.with_random_masks(5, 20, 30, seed=4)
    for name in ("train_mask", "val_mask", "test_mask"):
        assert torch.equal(getattr(drawn, name), getattr(again, name))
        assert not torch.equal(getattr(drawn, name), getattr(other, name))


def test_nodes_without_a_class_are_in_no_random_mask():
    y = torch.tensor([0, 1] * 4 + [-1] * 12)
    graph = GraphData.from_edges([0], [1], y=y)
    masks = graph.with_random_masks(2, 2, 2, seed=5)
    used = masks.train_mask.long() + masks.val_mask.long() + masks.test_mask.long()
    assert used.tolist() == [1] * 8 + [0] * 12
    assert torch.bincount(y[masks.train_mask]).tolist() == [2, 2]


def test_every_node_is_as_likely_as_any_other_of_its_class():
    y = torch.tensor([0] * 4 + [1] * 8)
    graph = GraphData.from_edges([0], [1], y=y)
    counts = torch.zeros(12)
    for seed in range(600):
        counts += graph.with_random_masks(2, 3, 3, seed).train_mask
    expected = torch.tensor([300.0] * 4 + [150] * 8)  # 2 of 4, 2 of 8
    assert bool(((counts - expected).abs() < 55).all())  # over four times the spread


def test_masks_that_were_there_give_way():
    graph = triangle(y=[0, 1, 0], train_mask=[True, True, True])
    assert int(graph.with_random_masks(1, 1, 0).train_mask.sum()) == 2


@pytest.mark.parametrize(
    ("y", "sizes", "message"),
    [
        (None, (1, 1, 1), "no classes"),
        (torch.ones(6, 2), (1, 1, 1), "no classes"),
        (torch.ones(6), (1, 1, 1), "no classes"),
        ([-1, -1, -1, -1, -1, -1], (1, 1, 1), "no node has a class to draw from"),
        ([0, 0, 1, 1, -1, -1], (1, 2, 1), "2 with a class are left, fewer than .* = 3"),
        (
            [0, 0, 0, 1, 0, 0],
            (2, 1, 1),
            "class 1 has 1 nodes, fewer than per_class = 2",
        ),
        ([0, 0, 0, 2, 2, 2], (1, 1, 1), "class 1 has 0 nodes"),
        (
            [0, 0, 0, 1, 1, 1],
            (2, 2, 1),
            "2 with .* left, fewer than .* = 3; ask for fewer",
        ),
        ([0, 0, 0, 1, 1, 1], (0, 1, 1), "per_class must be at least 1"),
        ([0, 0, 0, 1, 1, 1], (1, -1, 1), "num_val and num_test at least 0"),
    ],
)
def test_random_masks_refuse_what_cannot_be_drawn(y, sizes, message):
    with pytest.raises(ValueError, match=message):
        GraphData.from_edges([0], [1], 6, y=y).with_random_masks(*sizes)


# Copies, checksums, modes and defaults of PyTorch


def full_graph(sparse_x):
    x = torch.eye(4)
    return GraphData(
        num_nodes=4,
        src=[0, 1, 2],
        dst=[1, 2, 3],
        x=x.to_sparse_csr() if sparse_x else x,
        y=[0, 1, 0, 1],
        train_mask=[True, False, False, False],
        edge_weight=[1, 2, 3],
        name="Full",
    )


def tensors_of(graph):
    found = {f.name: getattr(graph, f.name) for f in dataclasses.fields(graph)}
    return {k: v for k, v in found.items() if isinstance(v, torch.Tensor)}


@pytest.mark.parametrize("sparse_x", [False, True])
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))]
)
def test_copies_hold_the_same_and_nothing_derived(copied, sparse_x):
    graph = full_graph(sparse_x)
    graph.dense_adjacency(), graph.in_strengths, graph.by_source
    again = copied(graph)
    assert again.name == "Full" and repr(again) == repr(graph)
    assert checksum([again]) == checksum([graph])
    assert vars(again).keys() == {f.name for f in dataclasses.fields(graph)}
    for name, tensor in tensors_of(graph).items():
        assert getattr(again, name).dtype == tensor.dtype


@pytest.mark.parametrize("sparse_x", [False, True])
def test_a_deep_copy_shares_no_memory(sparse_x):
    graph = full_graph(sparse_x)
    again = copy.deepcopy({"one": graph, "same": graph})
    assert again["one"] is again["same"] is not graph
    for name, tensor in tensors_of(graph).items():
        other = getattr(again["one"], name)
        mine, theirs = sparse.stored_values(tensor), sparse.stored_values(other)
        assert mine.data_ptr() != theirs.data_ptr()


def test_a_deep_copy_is_a_leaf_that_wants_what_the_original_wanted():
    x = torch.eye(3, requires_grad=True)
    again = copy.deepcopy(triangle(x=x))
    assert again.x.requires_grad and again.x.is_leaf


def test_checksums_without_weights_are_those_of_old_and_weights_change_them():
    graph = triangle(x=torch.eye(3), y=[0, 1, 2], train_mask=[True, False, True])
    old = "4991f549e63fe8736c2653b9c4603075140f66df61fe9f8e05c75acca1bc18a7"
    assert checksum([graph]) == old
    assert checksum([dataclasses.replace(graph, x=graph.x.to_sparse_csr())]) == old
    weighted = dataclasses.replace(graph, edge_weight=[1.0, 1, 1])
    assert checksum([weighted]) != old
    other = dataclasses.replace(graph, edge_weight=[1.0, 1, 2])
    assert checksum([weighted]) != checksum([other])


def test_checksums_of_any_graph():
    x = torch.eye(3, requires_grad=True)
    graphs = [triangle(), triangle(y=2 * torch.eye(3)), triangle(x=x)]
    graphs += [triangle(x=torch.eye(3).to(kind)) for kind in (torch.half, torch.double)]
    graphs += [triangle(x=torch.eye(3).bfloat16() * 3)]
    assert len({checksum([graph]) for graph in graphs}) == len(graphs)


@pytest.mark.parametrize("sparse_x", [False, True])
def test_a_graph_made_in_inference_mode_can_be_trained_on(sparse_x):
    with torch.inference_mode():
        x = torch.eye(4)
        graph = GraphData(
            num_nodes=4,
            src=torch.tensor([0, 1, 2]),
            dst=torch.tensor([3, 2, 1]),
            x=x.to_sparse_csr() if sparse_x else x,
            train_mask=torch.tensor([True, True, False, False]),
            edge_weight=torch.tensor([1.0, 2.0, 3.0]),
        ).with_self_loops()
        graph = copy.deepcopy(graph)
        graph.in_strengths, graph.dense_adjacency(), graph.by_source
    for tensor in (*tensors_of(graph).values(), graph.in_strengths, graph.in_degrees):
        assert not tensor.is_inference()
    layer = EdgeGATLayer(4, 2)
    layer(graph, graph.x)[graph.train_mask].sum().backward()
    assert bool(layer.weight.grad.any())


def test_no_gradient_is_recorded_where_none_is_wanted():
    x = torch.eye(3, requires_grad=True)
    with torch.no_grad():
        graph = triangle(x=x)
        assert not (graph.x * 2).requires_grad


def test_pytorchs_default_device_does_not_matter():
    with torch.device("meta"):
        graph = GraphData.from_edges(
            [0, 0, 1],
            np.array([1, 1, 2]),
            x=torch.eye(4, device="cpu").to_sparse_csr(),
            y=[0, 1, 0, 1],
            train_mask=[True, True, False, False],
            edge_weight=[1, 2, 3],
        )
        derived = [
            graph.with_self_loops(),
            graph.coalesce(),
            graph.without_repeats(),
            graph.subgraph([0, 1]),
            graph.receptive_field([False, True, False, False], 1),
            graph.with_random_masks(1, 1, 1),
            graph.to("cpu"),
            copy.deepcopy(graph),
            GraphData.from_networkx(graph.networkx(), edge_weight="weight"),
        ]
        others = [graph.dense_adjacency(), graph.in_strengths, graph.repeated_edges]
        others += [graph.by_source.starts, graph.by_target.edge]
        assert len(checksum([graph, *derived])) == 64
    for part in (graph, *derived):
        assert all(t.device.type == "cpu" for t in tensors_of(part).values())
    assert all(tensor.device.type == "cpu" for tensor in others)


def test_a_meta_default_device_is_named_where_it_made_the_tensors():
    with torch.device("meta"), pytest.raises(ValueError, match='src .*device="cpu"'):
        GraphData.from_edges(torch.tensor([0]), torch.tensor([1]))


def test_numbers_that_are_no_tensor_get_pytorchs_default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        graph = triangle(x=[[0.1], [0.2], [0.3]], edge_weight=[1, 2, 3])
        assert graph.x.dtype == graph.edge_weight.dtype == torch.float64
        assert triangle().dense_adjacency().dtype == torch.float32
        assert triangle().in_strengths.dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


def test_labels_that_are_numbers_name_no_classes():
    graph = triangle(y=[0.5, 2.7, 1])
    assert repr(graph) == "GraphData('graph', 3 nodes, 3 edges, y a number)"
    with pytest.raises(TypeError, match=r"y holds torch.float32, not classes.*y.long"):
        graph.num_classes  # noqa: B018


@pytest.mark.parametrize("make", ["csr_matrix", "coo_matrix"])
def test_sparse_features_of_edges_become_dense(make):
    import scipy.sparse

    given = getattr(scipy.sparse, make)(np.eye(2, dtype=np.float32))
    for attr in (given, torch.eye(2).to_sparse(), torch.eye(2).to_sparse_csr()):
        graph = GraphData.from_edges([0, 1], [1, 2], edge_attr=attr)
        assert torch.equal(graph.edge_attr, torch.eye(2))


def test_kinds_of_edges_as_integers_are_told_how_to_become_columns():
    kinds = torch.nn.functional.one_hot(torch.tensor([0, 1]), 2)
    with pytest.raises(TypeError, match=r"one_hot\(kinds, D\).float\(\)"):
        GraphData.from_edges([0, 1], [1, 2], edge_attr=kinds)
    graph = GraphData.from_edges([0, 1], [1, 2], edge_attr=kinds.float())
    assert graph.edge_attr.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float32])
def test_a_global_node_has_no_label(dtype):
    graph = GraphData.from_edges([0], [1], y=torch.ones(2, 3).to(dtype))
    new = graph.with_global_node()
    assert new.y.dtype == graph.y.dtype and not bool(new.y[2].any())
