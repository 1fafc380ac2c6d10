"""Attention taken out of models, and its entropy against closed forms."""

import dataclasses
import math

import pytest
import torch

from gat_course import (
    GAT,
    GCN,
    EdgeGATLayer,
    GraphData,
    UniformGATLayer,
    attention,
    formulas,
)

GRAPH = GraphData(
    num_nodes=4, src=[0, 1, 2, 3, 0, 1, 2], dst=[0, 0, 0, 0, 1, 1, 2], x=torch.eye(4)
)


def test_extract_gives_one_distribution_per_target_layer_and_head():
    torch.manual_seed(0)
    model = GAT(4, 3, hidden=2, num_heads=5, out_heads=2).train()
    alphas = attention.extract(model, GRAPH)
    assert model.training  # the mode is put back
    assert [list(a.shape) for a in alphas] == [[7, 5], [7, 2]]
    for alpha in alphas:
        sums = torch.zeros(4, alpha.shape[1]).index_add(0, GRAPH.dst, alpha)
        expected = (GRAPH.in_degrees > 0).float().unsqueeze(1).expand_as(sums)
        torch.testing.assert_close(sums, expected)


def test_extract_says_which_model_has_no_attention():
    with pytest.raises(TypeError, match="GCN has no attention weights"):
        attention.extract(GCN(4, 2), GRAPH)


def test_entropy_of_uniform_attention_is_the_logarithm_of_the_degree():
    model = GAT(4, 3, layer=UniformGATLayer)
    alpha = attention.extract(model, GRAPH)[0]
    h = attention.entropy(GRAPH, alpha)
    expected = torch.tensor([math.log(4), math.log(2), 0, 0])
    torch.testing.assert_close(h, expected.unsqueeze(1).expand(4, 8))
    torch.testing.assert_close(attention.uniform_entropy(GRAPH), expected)


def test_uniform_entropy_of_weighted_edges_is_that_of_their_shares():
    weight = torch.tensor([1.0, 2, 3, 4, 0.1, 0.3, 7])
    graph = dataclasses.replace(GRAPH, edge_weight=weight)
    shares = [[0.1, 0.2, 0.3, 0.4], [0.25, 0.75], [1.0], []]
    expected = [-sum(p * math.log(p) for p in row) for row in shares]
    found = attention.uniform_entropy(graph)
    torch.testing.assert_close(found, torch.tensor(expected))
    layer = UniformGATLayer(4, 3, 2)
    alpha = layer(graph, graph.x, return_attention=True)[1]
    measured = attention.entropy(graph, alpha)
    torch.testing.assert_close(measured, found.unsqueeze(1).expand(4, 2))
    alike = dataclasses.replace(GRAPH, edge_weight=torch.full((7,), 0.01))
    expected = attention.uniform_entropy(GRAPH)
    torch.testing.assert_close(attention.uniform_entropy(alike), expected)


def test_entropy_of_a_sure_choice_is_zero_and_of_a_skewed_one_is_binary_entropy():
    alpha = torch.tensor([0, 1, 0, 0, 0.9, 0.1, 1]).unsqueeze(1)
    h = attention.entropy(GRAPH, alpha)[:, 0]
    binary = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    torch.testing.assert_close(h, torch.tensor([0, binary, 0, 0]))


def test_weights_of_the_wrong_length_are_refused():
    with pytest.raises(ValueError, match="E = 7 edges"):
        attention.entropy(GRAPH, torch.ones(6, 1, 1))


def test_head_distances_of_equal_opposite_and_shifted_heads():
    # Node 0 has four sources, node 1 two, node 2 one (no choice), node 3 none.
    one = torch.tensor([1.0, 0, 0, 0, 1, 0, 1])
    other = torch.tensor([0, 1.0, 0, 0, 0, 1, 1])
    half = torch.tensor([0.5, 0.5, 0, 0, 0.5, 0.5, 1])
    distances = attention.head_distances(GRAPH, torch.stack([one, other, half], 1))
    expected = torch.tensor([[0, 1, 0.5], [1, 0, 0.5], [0.5, 0.5, 0]])
    torch.testing.assert_close(distances, expected)


def test_head_distances_match_sums_over_the_dense_matrices():
    torch.manual_seed(0)
    src, dst = torch.randint(20, (2, 25)).unique(dim=1)
    graph = GraphData(num_nodes=20, src=src, dst=dst)
    layer = EdgeGATLayer(5, 3, 4)
    _, alpha = layer(graph, torch.randn(20, 5), return_attention=True)
    rows = torch.zeros(4, 20, 20)
    rows[:, graph.dst, graph.src] = alpha.detach().t()
    chosen = graph.in_degrees > 1
    for k in range(4):
        for other in range(4):
            gap = (rows[k] - rows[other]).abs().sum(dim=1)[chosen].mean() / 2
            distance = attention.head_distances(graph, alpha)[k, other]
            torch.testing.assert_close(distance, gap)


def test_head_distances_without_any_choice_and_with_a_wrong_shape():
    path = GraphData(num_nodes=2, src=[0], dst=[1])
    assert attention.head_distances(path, torch.ones(1, 2)).isnan().all()
    with pytest.raises(ValueError, match=r"alpha must be \[E, K\] with E = 7"):
        attention.head_distances(GRAPH, torch.ones(7))


def test_relative_entropy_is_1_for_uniform_and_0_for_a_single_edge():
    graph = GRAPH.with_self_loops()
    uniform = 1 / graph.in_degrees[graph.dst].float()
    first = torch.zeros(graph.num_edges)
    first[graph.in_degrees.cumsum(0) - graph.in_degrees] = 1
    torch.manual_seed(0)
    drawn = formulas.edge_softmax(
        torch.randn(graph.num_edges, 1), graph.dst, graph.num_nodes
    )
    alpha = torch.cat([uniform[:, None], first[:, None], drawn], dim=1)
    found = attention.relative_entropy(graph, alpha)
    choice = graph.in_degrees > 1
    assert found.shape == (4, 3)
    assert found[~choice].isnan().all() and not found[choice].isnan().any()
    torch.testing.assert_close(found[choice, 0], torch.ones(int(choice.sum())))
    assert not found[choice, 1].any()
    for node in choice.nonzero().flatten().tolist():
        weights = drawn[graph.dst == node, 0]
        entropy = float(torch.distributions.Categorical(weights).entropy())
        expected = entropy / math.log(len(weights))
        assert float(found[node, 2]) == pytest.approx(expected, rel=1e-5)
    asked = drawn.clone().requires_grad_()
    attention.relative_entropy(graph, asked)[choice].sum().backward()
    assert asked.grad.isfinite().all()
    weighted = dataclasses.replace(graph, edge_weight=torch.ones(graph.num_edges))
    with pytest.raises(ValueError, match="no fixed scale where edges have weights"):
        attention.relative_entropy(weighted, alpha)


def test_right_attention_is_uniform_over_those_that_matter():
    sends = torch.tensor([True, False, True, False])
    # Node 0 hears 0 and 2 of its four, node 1 only 0, node 2 only itself.
    expected = torch.tensor([1, 0, 1, 0, 2, 0, 2]) / 2
    relevant = sends[GRAPH.src]
    assert torch.equal(attention.right_attention(GRAPH, relevant), expected)
    nobody = torch.zeros(7, dtype=torch.bool)
    assert not attention.right_attention(GRAPH, nobody).any()


def test_overlap_is_what_two_distributions_share():
    sends = torch.tensor([True, False, True, False])
    right = attention.right_attention(GRAPH, sends[GRAPH.src])
    uniform = 1 / GRAPH.in_degrees[GRAPH.dst].float()
    opposite = torch.tensor([0, 0.5, 0, 0.5, 0, 1, 0])
    heads = torch.stack([right, uniform, opposite], dim=1)
    # Nodes 0, 1 and 2: 1 + 1 + 1, 1/2 + 1/2 + 1, nothing. Node 3 has no source.
    expected = torch.tensor([3.0, 2.0, 0.0]) / 3
    torch.testing.assert_close(attention.overlap(GRAPH, heads, right), expected)
    with pytest.raises(ValueError, match=r"right must be \[E\]"):
        attention.overlap(GRAPH, heads, heads)
    with pytest.raises(ValueError, match="alpha must hold weights from 0 to 1"):
        attention.overlap(GRAPH, 2 * heads, right)


@pytest.mark.parametrize("relevant", [torch.ones(7), torch.ones(4, dtype=torch.bool)])
def test_right_attention_refuses_edges_of_another_graph(relevant):
    with pytest.raises(ValueError, match=r"relevant must be bool \[7\], one for each"):
        attention.right_attention(GRAPH, relevant)


def test_perfect_attention_overlaps_fully_where_some_nodes_hear_nobody():
    sends = torch.tensor([False, False, False, True])  # heard by node 0 alone
    right = attention.right_attention(GRAPH, sends[GRAPH.src])
    assert attention.overlap(GRAPH, right.unsqueeze(1), right) == 1


def test_overlap_is_one_less_the_total_variation_distance():
    graph = GRAPH.with_self_loops()
    torch.manual_seed(0)
    layer = EdgeGATLayer(4, 3, 2)
    alpha = layer(graph, graph.x, return_attention=True)[1].detach()
    right = layer(graph, torch.randn(4, 4), return_attention=True)[1].detach()[:, 0]
    gaps = (alpha - right.unsqueeze(1)).abs().sum(dim=0) / 2 / graph.num_nodes
    torch.testing.assert_close(attention.overlap(graph, alpha, right), 1 - gaps)
