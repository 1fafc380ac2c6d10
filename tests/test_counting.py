"""COLORS and TRIANGLES are what they say, counted in another way."""

import networkx as nx
import numpy as np
import pytest
import torch

from gat_course import counting


@pytest.fixture(scope="module")
def colours():
    return counting.colors(60, 30, 30, seed=1)


@pytest.fixture(scope="module")
def triangles():
    return counting.triangles(60, 30, 30, seed=1)


def nets(pack):
    """Each graph of a pack for networkx."""
    for number in range(len(pack)):
        graph = pack.take([number]).graph
        net = nx.Graph()
        net.add_nodes_from(range(graph.num_nodes))
        net.add_edges_from(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))
        assert 2 * net.number_of_edges() == graph.num_edges  # both directions, once
        yield net


@pytest.mark.parametrize("part", counting.TRIANGLES_PARTS)
def test_triangles_are_those_of_networkx(triangles, part):
    pack = triangles[part]
    attention = pack.attention.split(pack.sizes.tolist())
    for net, y, own in zip(nets(pack), pack.y.tolist(), attention, strict=True):
        found = np.array(list(nx.triangles(net).values()))
        assert found.sum() == 3 * y
        np.testing.assert_allclose(own, found / found.sum(), rtol=1e-5)
    low, high = (26, 100) if part == "Test-Large" else (4, 25)
    assert low <= pack.sizes.min() and pack.sizes.max() <= high
    assert pack.y.unique().tolist() == list(range(1, 11))
    degree = pack.graph.in_degrees.clamp(max=20)
    assert pack.graph.x.argmax(dim=1).tolist() == degree.tolist()


@pytest.mark.parametrize("part", counting.COLORS_PARTS)
def test_green_nodes_are_those_whose_only_colour_is_green(colours, part):
    pack = colours[part]
    x = pack.graph.x
    green = (x[:, 1] == 1) & (x.sum(dim=1) == 1)
    counted = torch.zeros(len(pack)).index_add(0, pack.graph_of, green.float())
    assert counted.tolist() == pack.y.tolist()
    expected = green / counted.clamp(min=1)[pack.graph_of]
    torch.testing.assert_close(pack.attention, expected)
    low, high = (26, 200) if "Large" in part else (4, 25)
    assert low <= pack.sizes.min() and pack.sizes.max() <= high
    for net in nets(pack):
        n, most = len(net), len(net) * (len(net) - 1) // 2
        assert min(n, most) <= net.number_of_edges() <= min(2 * n, most)
    if part != "Test-LargeC":
        assert (x.sum(dim=1) == 1).all() and not x[:, 3].any()
    else:
        assert x[:, 3].any() and (x.sum(dim=1) > 1).any() and not x[~green, 1].any()


def test_no_two_graphs_of_the_small_sizes_are_the_same(colours):
    seen = set()
    for part in ("train", "val", "Test-Orig"):
        pack = colours[part]
        for number in range(len(pack)):
            graph = pack.take([number]).graph
            fields = graph.x, graph.src, graph.dst
            seen.add(tuple(field.numpy().tobytes() for field in fields))
    assert len(seen) == sum(len(colours[p]) for p in ("train", "val", "Test-Orig"))


@pytest.mark.parametrize("make", [counting.colors, counting.triangles])
def test_the_same_seed_gives_the_same_graphs(make):
    one, again, other = make(5, 2, 2), make(5, 2, 2), make(5, 2, 2, seed=1)
    for part, pack in one.items():
        assert pack.graph.src.tolist() == again[part].graph.src.tolist()
        assert pack.y.tolist() == again[part].y.tolist()
    assert one["train"].graph.src.tolist() != other["train"].graph.src.tolist()


def test_more_colours_make_more_columns():
    pack = counting.colors(20, 2, 2, dim=8)["train"]
    assert pack.num_features == 9
    assert len(pack.graph.x.argmax(dim=1).unique()) == 8


def test_too_small_numbers_are_refused():
    for options in ({"num_train": 0}, {"dim": 1}):
        with pytest.raises(ValueError, match="at least"):
            counting.colors(**({"num_train": 1, "num_val": 1, "num_test": 1} | options))


def test_more_graphs_than_there_are_are_refused():
    with pytest.raises(ValueError, match="not enough different graphs of 4 nodes"):
        counting.colors(8000, 1, 1, dim=2)


def test_few_graphs_are_of_all_sizes():
    sizes = counting.colors(1, 1, 10)["Test-Large"].sizes
    assert sizes.min() < 40 and sizes.max() > 160


@pytest.mark.parametrize("make", [counting.colors, counting.triangles])
def test_the_default_device_does_not_matter(make):
    expected = make(3, 1, 2)["train"].graph.src.tolist()
    torch.set_default_device("meta")
    try:
        assert make(3, 1, 2)["train"].graph.src.tolist() == expected
    finally:
        torch.set_default_device(None)
