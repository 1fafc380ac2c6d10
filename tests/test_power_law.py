"""Made-up graphs with hubs: sizes, degrees, classes, and what is refused."""

import math

import numpy as np
import pytest
import torch

from gat_course import power_law_graph


def chances(num_nodes, exponent):
    """How likely the node of each rank is drawn, from the power law's integral."""
    edge = np.arange(num_nodes + 1) / num_nodes
    power = 1.0 if math.isinf(exponent) else 1 - 1 / (exponent - 1)
    return np.diff(edge**power)


def same_graph(a, b):
    fields = "src", "dst", "x", "y", "train_mask", "val_mask", "test_mask"
    return all(torch.equal(getattr(a, f), getattr(b, f)) for f in fields)


@pytest.mark.parametrize("exponent", [2.1, 2.5, 4.0, math.inf])
@pytest.mark.parametrize(
    ("nodes", "edges", "features", "classes"),
    [
        (1000, 20_000, 32, 8),
        (16, 500, 3, 8),  # two nodes in each class
        (17, 500, 3, 8),
        (2, 40, 1, 1),
        (50, 300, 5, 1),
        (1, 0, 2, 1),
        (8, 0, 2, 8),
        (1000, 1, 4, 3),
    ],
)
def test_sizes_are_those_asked_for(nodes, edges, features, classes, exponent):
    graph = power_law_graph(nodes, edges, features, classes, exponent=exponent)
    assert (graph.num_nodes, graph.num_edges) == (nodes, edges)
    assert graph.x.shape == (nodes, features) and graph.x.dtype == torch.float32
    assert graph.num_classes == classes
    assert not bool((graph.src == graph.dst).any())
    sizes = torch.bincount(graph.y, minlength=classes)
    assert int(sizes.max() - sizes.min()) <= 1
    masks = graph.train_mask.int() + graph.val_mask.int() + graph.test_mask.int()
    assert torch.equal(masks, torch.ones_like(masks))


def test_the_split_is_60_20_20():
    graph = power_law_graph(20_000, 0)
    shares = [m.double().mean() for m in (graph.train_mask, graph.val_mask)]
    assert shares == pytest.approx([0.6, 0.2], abs=0.02)


def test_one_seed_makes_one_graph():
    first = power_law_graph(300, 2000, seed=3)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert same_graph(first, power_law_graph(300, 2000, seed=3))
    assert torch.equal(torch.get_rng_state(), state)
    other = power_law_graph(300, 2000, seed=4)
    for field in ("src", "x", "y", "train_mask"):
        assert not torch.equal(getattr(first, field), getattr(other, field))


def test_one_seed_makes_one_graph_whatever_the_default_dtype():
    first = power_law_graph(300, 2000, seed=3)
    torch.set_default_dtype(torch.float64)
    try:
        again = power_law_graph(300, 2000, seed=3)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(first.src, again.src) and torch.equal(first.dst, again.dst)
    assert torch.equal(first.train_mask, again.train_mask)
    torch.testing.assert_close(first.x, again.x.float())


@pytest.mark.parametrize("exponent", [2.2, 2.5, 3.5])
def test_degrees_follow_the_power_law(exponent):
    nodes, edges = 50_000, 2_000_000
    graph = power_law_graph(nodes, edges, 1, exponent=exponent)
    found = graph.in_degrees.sort(descending=True).values.double().numpy()
    expected = edges * chances(nodes, exponent)
    for rank in (0, 1, 10, 100):
        deviation = math.sqrt(expected[rank])
        assert found[rank] == pytest.approx(expected[rank], abs=5 * deviation)
    # Hill's estimate of the exponent from the largest hundredth
    top = np.log(found[: nodes // 100])
    assert 1 + 1 / (top - top[-1]).mean() == pytest.approx(exponent, rel=0.1)


def test_without_hubs_all_nodes_are_ends_equally_often():
    nodes, edges = 10_000, 200_000
    graph = power_law_graph(nodes, edges, 1, exponent=math.inf)
    for degrees in (graph.in_degrees, graph.by_source.starts.diff()):
        degrees = degrees.double()
        assert float(degrees.var()) == pytest.approx(20, rel=0.1)  # as Poisson's
        assert float(degrees.max()) < 20 + 8 * math.sqrt(20)


@pytest.mark.parametrize("exponent", [2.5, math.inf])
def test_sources_are_hubs_too(exponent):
    graph = power_law_graph(10_000, 200_000, 1, exponent=exponent)
    sent, heard = graph.by_source.starts.diff(), graph.in_degrees
    together = float(torch.corrcoef(torch.stack([sent, heard]).double())[0, 1])
    assert abs(together) < 0.1 if math.isinf(exponent) else together > 0.7


@pytest.mark.parametrize("exponent", [2.5, math.inf])
@pytest.mark.parametrize("inside", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("classes", [1, 2, 7])
def test_so_many_edges_stay_inside_classes(classes, inside, exponent):
    nodes, edges = 5000, 100_000
    graph = power_law_graph(
        nodes, edges, 1, classes, exponent=exponent, inside=inside, seed=1
    )
    within = (graph.y[graph.src] == graph.y[graph.dst]).double().mean()
    # the other sources are drawn from all nodes, some of them inside by chance
    share = np.bincount(np.arange(nodes) % classes, chances(nodes, exponent))
    expected = inside + (1 - inside) * (share**2).sum()
    assert float(within) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("nodes", "classes"), [(16, 8), (17, 8), (23, 8), (7, 3)])
def test_all_edges_can_stay_inside_small_classes(nodes, classes):
    graph = power_law_graph(nodes, 2000, 1, classes, inside=1.0)
    assert torch.equal(graph.y[graph.src], graph.y[graph.dst])
    assert set(graph.src.tolist()) == set(range(nodes))


def test_features_are_the_classs_mean_and_noise():
    graph = power_law_graph(40_000, 0, 6, 3, noise=2.0)
    for label in range(3):
        rows = graph.x[graph.y == label]
        assert rows.std(dim=0).tolist() == pytest.approx([2.0] * 6, rel=0.05)
    exact = power_law_graph(300, 0, 6, 3, noise=0.0)
    for label in range(3):
        assert len(exact.x[exact.y == label].unique(dim=0)) == 1
    assert len(exact.x.unique(dim=0)) == 3
    means = power_law_graph(2000, 0, 500, 40, noise=0.0).x
    assert float(means.std()) == pytest.approx(1, rel=0.05)


def test_the_name_tells_the_exponent():
    assert power_law_graph(20, 30).name == "power law, exponent 2.5"
    assert power_law_graph(20, 30, exponent=3).name == "power law, exponent 3"
    assert power_law_graph(20, 30, exponent=math.inf).name == "random"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_nodes": 3}, "num_nodes must be at least num_classes.*got 3, 8, 32, 20"),
        ({"num_classes": 0}, "num_nodes must be at least num_classes, that and"),
        ({"num_features": 0}, "num_features at least 1.*got 100, 8, 0, 20"),
        ({"num_edges": -1}, "num_edges not negative; got 100, 8, 32, -1"),
        ({"num_nodes": 15}, "two nodes of each class: num_nodes at least 16, got 15"),
        ({"exponent": 2.0}, "exponent must be above 2 .*; got 2.0, 0.8"),
        ({"exponent": math.nan}, "exponent must be above 2"),
        ({"inside": -0.1}, "inside from 0 to 1; got 2.5, -0.1"),
        ({"inside": 1.1}, "inside from 0 to 1; got 2.5, 1.1"),
        ({"inside": math.nan}, "inside from 0 to 1"),
    ],
)
def test_what_makes_no_graph_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        power_law_graph(**{"num_nodes": 100, "num_edges": 20, **changes})
