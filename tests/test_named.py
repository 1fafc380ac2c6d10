"""Nodes with names: number_nodes, and graphs that come from networkx."""

import io
import random
import warnings
from collections import Counter

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch

from gat_course import GraphData, number_nodes

SRC, DST = ["bob", "ann", "ann"], ["eve", "bob", "ann"]


@pytest.mark.parametrize(
    "make",
    [list, tuple, np.array, pd.Series, pd.Index, iter, lambda n: np.array(n, object)],
)
def test_names_are_numbered_in_sorted_order(make):
    src, dst, names = number_nodes(make(SRC), make(DST))
    assert names == ["ann", "bob", "eve"] and type(names[0]) is str
    assert src.tolist() == [1, 0, 0] and dst.tolist() == [2, 1, 0]
    assert src.dtype == dst.dtype == torch.int64
    assert GraphData.from_edges(src, dst).num_nodes == 3


def test_given_names_keep_their_order_and_may_have_no_edge():
    frame = pd.DataFrame({"age": [5.0, 3, 4, 2]}, index=["zoe", "bob", "eve", "ann"])
    src, dst, names = number_nodes(SRC, DST, frame.index)
    assert names == ["zoe", "bob", "eve", "ann"]
    assert src.tolist() == [1, 3, 3] and dst.tolist() == [2, 1, 3]
    assert GraphData.from_edges(src, dst, x=frame).num_nodes == 4


@pytest.mark.parametrize(
    "make",
    [
        list,
        torch.tensor,
        pd.Series,
        *[lambda ids, kind=kind: np.array(ids, kind) for kind in ("u4", "u8", "i8")],
    ],
)
def test_ids_of_any_size(make):
    ids = [4_000_000_000, 7, 4_000_000_000]
    src, dst, names = number_nodes(make(ids[:2]), make(ids[1:]))
    assert names == [7, 4_000_000_000]
    assert src.tolist() == [1, 0] and dst.tolist() == [0, 1]
    large = number_nodes([2**70, 2**64], [2**64, 5])
    assert large[2] == [5, 2**64, 2**70]


def test_names_lead_back_to_where_they_came_from():
    for seed in range(30):
        rng = random.Random(seed)
        pool = rng.sample([*range(100), *range(10**12, 10**12 + 50)], 20)
        ends = [[rng.choice(pool) for _ in range(40)] for _ in range(2)]
        *numbers, names = number_nodes(*ends)
        assert [[names[i] for i in n.tolist()] for n in numbers] == ends
        assert names == sorted({*ends[0], *ends[1]})


def test_two_kinds_of_nodes_stay_apart_as_pairs():
    users, items = [0, 1, 2, 0, 1], [0, 1, 2, 3, 4]
    src, dst, names = number_nodes(
        [("user", u) for u in users], [("item", i) for i in items]
    )
    assert GraphData.from_edges(src, dst).num_nodes == len(names) == 8
    assert names[int(src[1])] == ("user", 1) and names[int(dst[1])] == ("item", 1)


def test_an_empty_list():
    src, dst, names = number_nodes([], [])
    assert names == [] and src.dtype == dst.dtype == torch.int64 and len(src) == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((["a"], ["b", "c"]), ValueError, "src has 1, dst has 2"),
        ((["a", None], ["b", "c"]), ValueError, r"src\[1\] is None.*drop that row"),
        ((["a", "b"], ["b", float("nan")]), ValueError, r"dst\[1\] is nan"),
        ((pd.Series(["a", None]), ["b", "c"]), ValueError, r"src\[1\] is (nan|None)"),
        ((pd.array(["a", pd.NA]), ["b", "c"]), ValueError, r"src\[1\] is <NA>"),
        ((["a"], [1]), TypeError, r"cannot be sorted.*names=.*str\(\)"),
        (([["a"]], ["b"]), TypeError, r"src\[0\] = \['a'\] cannot be a name"),
        (("ab", "cd"), TypeError, "src must be a list of names, got the text 'ab'"),
        ((["a"], ["b"], ["a", "c"]), ValueError, r"dst\[0\] = 'b' is not one of names"),
        ((["a"], ["b"], ["a", "b", "a"]), ValueError, "names holds 'a' twice"),
    ],
)
def test_what_is_no_name_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        number_nodes(*arguments)


def test_given_names_need_no_order():
    src, dst, names = number_nodes(["a"], [1], [1, "a"])
    assert src.tolist() == [1] and dst.tolist() == [0] and names == [1, "a"]


# networkx


def people(kind=nx.Graph):
    graph = kind(name="People")
    for name, age, group, known in (
        ("eve", 50, "red", True),
        ("ann", 30, "red", False),
        ("bob", 40, "blue", True),
    ):
        graph.add_node(name, age=age, group=group, known=known, place=[age / 10, 1.0])
    graph.add_edge("ann", "bob", weight=2.0)
    graph.add_edge("bob", "eve", weight=0.5)
    graph.add_edge("eve", "eve", weight=4.0)
    return graph


@pytest.fixture
def silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def weighted_edges(graph):
    weights = graph.edge_weight.tolist()
    return Counter(zip(graph.src.tolist(), graph.dst.tolist(), weights, strict=True))


def test_attributes_are_taken_by_name(silent):
    graph = GraphData.from_networkx(
        people(),
        x=["age", "place"],
        y="group",
        train_mask="known",
        edge_weight="weight",
    )
    assert graph.x.tolist() == [[50, 5, 1], [30, 3, 1], [40, 4, 1]]
    assert graph.y.tolist() == [1, 1, 0]  # blue, red
    classes = sorted(set(nx.get_node_attributes(people(), "group").values()))
    assert [classes[c] for c in graph.y] == ["red", "red", "blue"]
    assert graph.train_mask.tolist() == [True, False, True]
    assert graph.name == "People"
    assert weighted_edges(graph) == Counter(
        [(1, 2, 2.0), (2, 1, 2.0), (2, 0, 0.5), (0, 2, 0.5), (0, 0, 4.0)]
    )


def test_one_name_gives_one_column_or_a_vector(silent):
    options = {"drop": ["age", "group", "known", "weight"]}
    assert GraphData.from_networkx(people(), x="place", **options).x.tolist() == [
        [5, 1],
        [3, 1],
        [4, 1],
    ]
    options = {"drop": ["place", "group", "known", "weight"]}
    graph = GraphData.from_networkx(people(), x="age", y=["age", "known"], **options)
    assert graph.x.tolist() == [[50], [30], [40]]
    assert graph.y.tolist() == [[50, 1], [30, 0], [40, 1]]


def test_what_is_left_out_is_named():
    with pytest.warns(UserWarning) as caught:
        graph = GraphData.from_networkx(people(), x="age", drop="known")
    message = str(caught[0].message)
    assert "node attributes 'group', 'place' and edge attributes 'weight'" in message
    assert "drop=" in message and caught[0].filename == __file__
    assert graph.edge_weight is None and graph.y is None


def test_nothing_to_leave_out_is_no_reason_to_warn(silent):
    assert GraphData.from_networkx(nx.path_graph(4)).num_edges == 6
    karate = nx.karate_club_graph()
    graph = GraphData.from_networkx(karate, y="club", drop="weight")
    sides = [int(karate.nodes[i]["club"] == "Officer") for i in karate]
    assert graph.y.tolist() == sides
    everything = ["age", "group", "known", "place", "weight"]
    assert GraphData.from_networkx(people(), drop=everything).num_nodes == 3


def test_values_in_the_order_of_nodes_and_edges_are_taken_too(silent):
    graph = GraphData.from_networkx(
        people(),
        x=torch.eye(3),
        y=[0, 1, 0],
        edge_weight=[1, 2, 3],
        drop=["age", "group", "known", "place", "weight"],
        name="Other",
    )
    order = [tuple(sorted(edge)) for edge in people().edges]
    number = {"eve": 0, "ann": 1, "bob": 2}
    found = {
        (j, i): w
        for j, i, w in zip(
            graph.src.tolist(), graph.dst.tolist(), graph.edge_weight, strict=True
        )
    }
    for place, (u, v) in enumerate(order):
        assert found[number[u], number[v]] == place + 1
    assert graph.name == "Other"


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph])
def test_all_four_kinds_of_graphs_lose_no_edge(kind, silent):
    for seed in range(10):
        rng = random.Random(seed)
        given = kind()
        given.add_nodes_from("abcde")  # some stay without an edge
        for _ in range(rng.randrange(12)):
            given.add_edge(rng.choice("abcd"), rng.choice("abcd"), w=1 + rng.random())
        graph = GraphData.from_networkx(given, edge_weight="w")
        matrix = nx.to_numpy_array(given, weight="w")  # sums parallel edges
        expected = torch.from_numpy(matrix.T).float()
        torch.testing.assert_close(graph.dense_adjacency(), expected)
        loops = nx.number_of_selfloops(given)
        both = 1 if given.is_directed() else 2
        assert graph.num_edges == both * (given.number_of_edges() - loops) + loops


def test_names_of_parallel_edges_are_not_lost_in_silence():
    graph = nx.MultiDiGraph()
    graph.add_edge(0, 1, "likes")
    graph.add_edge(0, 1, "knows")
    with pytest.warns(UserWarning, match="edge attributes 'key'"):
        assert GraphData.from_networkx(graph).num_edges == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GraphData.from_networkx(graph, drop="key")


@pytest.mark.parametrize("form", ["gml", "graphml", "gexf"])
def test_files_lead_to_the_same_graph(form):
    given = people()
    for _, data in given.nodes(data=True):
        del data["place"]
        data["known"] = int(data["known"])  # GML has no truth values
    file = io.BytesIO()
    getattr(nx, f"write_{form}")(given, file)
    file.seek(0)
    read = getattr(nx, f"read_{form}")(file)
    drop = ["label", "id"]
    options = {"x": ["age"], "y": "group", "val_mask": "known", "edge_weight": "weight"}
    graph = GraphData.from_networkx(read, drop=drop, **options)
    expected = GraphData.from_networkx(given, **options)
    assert list(read) == list(given)
    for name in ("src", "dst", "x", "y", "val_mask", "edge_weight"):
        assert torch.equal(getattr(graph, name), getattr(expected, name))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"x": "size"}, ValueError, "x: no node has an attribute 'size'; there: 'age'"),
        ({"x": ["age", "left"]}, ValueError, "x: node 'ann' has no attribute 'left'"),
        ({"x": "group"}, TypeError, "node attribute 'group': x must hold .*'red'"),
        ({"x": "born"}, TypeError, "node attribute 'born': x must hold .*None"),
        ({"train_mask": "age"}, TypeError, "train_mask must be a bool vector"),
        ({"train_mask": "group"}, TypeError, "attribute 'group'.*== .train"),
        (
            {"edge_weight": "cost"},
            ValueError,
            "no edge has an attribute 'cost'; there:",
        ),
        ({"edge_weight": "fee"}, ValueError, "edge 'eve' - 'bob' has no .* 'fee'"),
        ({"edge_weight": ["weight", "fee"]}, ValueError, "edge_weight takes one"),
        ({"edge_weight": [1, 2]}, ValueError, r"one number per edge \(3\)"),
    ],
)
def test_attributes_that_make_no_sense_are_named(options, error, message):
    graph = people()
    graph.nodes["eve"]["left"] = 1
    nx.set_node_attributes(graph, {"eve": 1, "ann": None, "bob": 2}, "born")
    graph.edges["ann", "bob"]["fee"] = 1
    graph.edges["eve", "eve"]["fee"] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(error, match=message):
            GraphData.from_networkx(graph, **options)


def test_a_graph_without_nodes_is_refused():
    with pytest.raises(ValueError, match="num_nodes must be at least 1"):
        GraphData.from_networkx(nx.Graph())
