"""Edge cuts and halos against sets in plain Python."""

import numpy as np
import pytest
import torch

from gat_course import GraphData
from gat_course.partition import edge_cut, halo_sizes


def random_case(seed):
    """A multigraph with loops and nodes without edges, and a part for each node."""
    generator = torch.Generator().manual_seed(seed)
    nodes = 1 + seed % 11
    edges = 0 if seed % 6 == 5 else nodes * (1 + seed % 4)
    ends = torch.randint(nodes, (2, edges), generator=generator)
    part = torch.randint(1 + seed % 5, (nodes,), generator=generator)
    return GraphData(num_nodes=nodes, src=ends[0], dst=ends[1]), part


def pairs(graph):
    return list(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(60))
def test_the_cut_counts_edges_between_parts(seed):
    graph, part = random_case(seed)
    home = part.tolist()
    other = [(j, i) for j, i in pairs(graph) if j != i]
    cut = sum(home[j] != home[i] for j, i in other)
    expected = cut / len(other) if other else 0.0
    assert edge_cut(graph, part) == pytest.approx(expected, rel=1e-12)
    assert edge_cut(graph, torch.zeros_like(part)) == 0
    assert edge_cut(graph, torch.arange(graph.num_nodes)) == (1.0 if other else 0.0)


@pytest.mark.parametrize("seed", range(60))
def test_halos_hold_each_source_of_another_part_once(seed):
    graph, part = random_case(seed)
    home = part.tolist()
    halos = [set() for _ in range(max(home) + 1)]
    for j, i in pairs(graph):
        if home[j] != home[i]:
            halos[home[i]].add(j)
    assert halo_sizes(graph, part) == [len(halo) for halo in halos]
    assert sum(halo_sizes(graph, torch.zeros_like(part))) == 0


def test_parts_without_nodes_have_no_halo():
    graph = GraphData.from_edges([0, 1, 2], [1, 2, 0])
    assert halo_sizes(graph, torch.tensor([0, 3, 3])) == [1, 0, 0, 1]


def test_the_last_parts_may_be_empty_too():
    ring = GraphData.from_edges([0, 1, 2, 3], [1, 2, 3, 0])
    part = [0, 0, 1, 1]
    assert halo_sizes(ring, part) == [1, 1]
    assert halo_sizes(ring, part, num_parts=4) == [1, 1, 0, 0]
    assert halo_sizes(ring, np.array(part)[::-1], num_parts=2) == [1, 1]


def test_parts_may_be_any_whole_numbers():
    graph = GraphData.from_edges([0, 1, 2, 0], [1, 2, 0, 2])
    for part in ([0, 1, 1], torch.tensor([0, 1, 1], dtype=torch.uint8)):
        assert edge_cut(graph, part) == 0.75
        assert halo_sizes(graph, part) == [1, 1]


@pytest.mark.parametrize("measured", [edge_cut, halo_sizes])
@pytest.mark.parametrize(
    ("part", "message"),
    [
        ([0, 1], r"part must hold a whole number for each node, \[3\]; got .* \[2\]"),
        ([0, 1, 0, 1], r"a whole number for each node, \[3\]; got .* \[4\]"),
        ([[0], [1], [0]], r"whole number for each node, \[3\]; got .* \[3, 1\]"),
        ([0.0, 1.0, 0.0], r"whole number for each node, \[3\]; got torch.float32"),
        ([0, -1, 1], "part holds a negative number: parts are numbered from 0"),
    ],
)
def test_what_is_no_part_for_each_node_is_refused(measured, part, message):
    graph = GraphData.from_edges([0, 1], [1, 2])
    with pytest.raises(ValueError, match=message):
        measured(graph, torch.tensor(part))
