"""Made-up tasks: what they ask is what they say, and can be answered."""

import pytest
import torch

from gat_course import puzzles


@pytest.mark.parametrize("seed", range(3))
def test_a_dictionary_answers_all_its_queries(seed):
    k, number = 5, 10
    graph = puzzles.lookup_graph(k, num_graphs=number, seed=seed)
    key, value = graph.x[:, :k].argmax(dim=1), graph.x[:, k:]
    is_key = value.sum(dim=1) == 1
    assert is_key.sum() == (~is_key).sum() == k * number
    assert bool(is_key[graph.src].all()) and not bool(is_key[graph.dst].any())
    for node in (~is_key).nonzero().flatten().tolist():
        sources = graph.src[graph.dst == node]
        (right,) = sources[key[sources] == key[node]].tolist()
        assert len(sources) == k and int(value[right].argmax()) == int(graph.y[node])
    assert torch.equal(graph.y >= 0, ~is_key)
    assert torch.equal(graph.graph_of, torch.arange(number).repeat_interleave(2 * k))
    other = puzzles.lookup_graph(k, num_graphs=number, seed=seed + 1)
    assert not torch.equal(graph.y, other.y)


def test_a_relay_starts_with_the_word_that_is_asked_for():
    graph = puzzles.relay_graph(3, num_graphs=10)
    asked = graph.train_mask | graph.val_mask | graph.test_mask
    assert asked.sum() == 10
    for node in asked.nonzero().flatten().tolist():
        own = graph.graph_of == graph.graph_of[node]
        (start,) = (own & (graph.x[:, 4] == 1)).nonzero().flatten().tolist()
        assert int(graph.x[start, :4].argmax()) == int(graph.y[node])
        one = torch.zeros(graph.num_nodes, dtype=torch.bool)
        one[node] = True
        names = [f"{hops}" for hops in range(6)]
        sizes = [graph.receptive_field(one, hops).x[:, 4].sum() for hops in range(6)]
        assert [bool(s) for s in sizes] == [False] * 3 + [True] * 3, names


@pytest.mark.parametrize("kind", puzzles.DEGREES)
@pytest.mark.parametrize("task", ["mean", "count"])
def test_classes_follow_from_the_neighbours(kind, task):
    graph = puzzles.degree_graph(kind, task, 200, seed=1)
    adjacency = graph.dense_adjacency()
    assert torch.equal(adjacency, adjacency.t())
    if task == "mean":
        means = (adjacency @ graph.x[:, 0]) / adjacency.sum(dim=1)
        assert torch.equal(graph.y, (means > 0).long())
    else:
        assert torch.equal(graph.y, (adjacency @ graph.x[:, 1] >= 2).long())
    degree = graph.in_degrees - 1
    if kind != "hubs":
        assert (degree == int(kind.split()[1])).all()
    else:
        assert degree.max() > 5 * degree.float().mean() and degree.min() >= 1


@pytest.mark.parametrize("task", puzzles.MIXED)
def test_of_a_mixed_graph_the_kinds_decide(task):
    graph = puzzles.mixed_graph(task, 60, seed=2)
    assert (graph.in_degrees == 10).all() and not bool((graph.src == graph.dst).any())
    for node in range(60):
        total = 0.0
        for edge in (graph.dst == node).nonzero().flatten().tolist():
            node_kind, _, value = graph.x[graph.src[edge]].tolist()
            edge_kind = graph.edge_attr[edge, 0].item()
            total += (
                value
                * {
                    "all": 1,
                    "node kind": node_kind,
                    "edge kind": edge_kind,
                    "difference": 1 if edge_kind else -1,
                }[task]
            )
        assert int(graph.y[node]) == (total > 0)
    back = {}  # an edge has one kind, there and back
    for s, d, kind in zip(
        graph.src.tolist(), graph.dst.tolist(), graph.edge_attr[:, 0], strict=True
    ):
        assert back.setdefault((min(s, d), max(s, d)), kind) == kind


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: puzzles.lookup_graph(0), "num_keys and num_graphs must be at least 1"),
        (lambda: puzzles.lookup_graph(3, 0), "num_keys and num_graphs must be"),
        (lambda: puzzles.relay_graph(0), "hops must be at least 1, num_graphs 5"),
        (lambda: puzzles.relay_graph(2, 4), "hops must be at least 1, num_graphs 5"),
        (lambda: puzzles.degree_graph("degree 9", "mean"), "kind must be one of"),
        (lambda: puzzles.degree_graph("hubs", "sum"), "task mean or count"),
        (lambda: puzzles.mixed_graph("any"), "task must be one of all, node kind"),
    ],
)
def test_what_makes_no_puzzle_is_told(make, message):
    with pytest.raises(ValueError, match=message):
        make()
