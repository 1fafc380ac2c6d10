"""Neighbour sampling: what is drawn and how often, and models computed in blocks."""

import math
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import combinations
from math import comb

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency, chisquare

from gat_course import (
    GAT,
    GCN,
    MLP,
    EdgeGATLayer,
    GATv2Layer,
    GraphData,
    InductiveGAT,
    InductiveGCN,
    NeighborSampler,
    UniformGATLayer,
    measure,
)
from gat_course.blockwise import Blockwise, equal_parts, infer, layers_of
from gat_course.distributed.engine import require_dgl
from gat_course.sampling import draw, renumber, rows_of


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def random_graph(seed, weighted):
    """Nodes without edges, repeated edges, one with several loops; small ones too.

    `edge_attr` holds each edge's number, so that a block tells which edges it has.
    """
    generator = seeded(seed)
    nodes = 1 + seed % 8
    edges = 0 if seed % 5 == 4 else nodes * (1 + seed % 4) + 2
    src, dst = torch.randint(nodes, (2, edges), generator=generator)
    src[:3] = dst[:3] = nodes - 1
    graph = GraphData(
        num_nodes=nodes,
        src=src[torch.randperm(edges, generator=generator)] if seed % 3 else src,
        dst=dst,
        x=torch.randn(nodes, 3, generator=generator).double(),
        edge_weight=(0.05 + torch.rand(edges, generator=generator)).double()
        if weighted
        else None,
    )
    return replace(graph, edge_attr=torch.arange(edges).double().unsqueeze(1))


RANDOM = [random_graph(seed, weighted) for seed in range(20) for weighted in (0, 1)]


def number_of(part):
    """The number that each edge of a block has in the whole graph."""
    return part.edge_attr[:, 0].long()


def same_batch(a, b):
    fields = "src", "dst", "edge_weight", "edge_attr"
    pairs = [(a.targets, b.targets), (a.nodes, b.nodes)]
    for one, other in zip(a.blocks, b.blocks, strict=True):
        if one.num_targets != other.num_targets:
            return False
        pairs += [(getattr(one.graph, f), getattr(other.graph, f)) for f in fields]
    return all((p is q is None) or torch.equal(p, q) for p, q in pairs)


# Draws


def subsets_drawn(d, k, kept, times):
    """How often each subset of a row of `d` places came, in draws for many targets."""
    starts = torch.tensor([0, 3, 3 + d, 9 + d])
    targets = torch.ones(times, dtype=torch.int64)
    fixed = torch.tensor([1, kept, 2])
    place, count = draw(starts, targets, k, fixed, seeded(d * 10 + k))
    assert count.tolist() == [kept + k] * times
    rows = (place.view(times, -1) - 3).sort(dim=1).values
    return Counter(map(tuple, rows.tolist()))


@pytest.mark.parametrize("kept", [0, 2])
@pytest.mark.parametrize(
    ("d", "k"), [(2, 1), (4, 1), (5, 2), (5, 4), (6, 3), (7, 5), (8, 4)]
)
def test_every_choice_of_places_is_equally_likely(d, k, kept):
    found = subsets_drawn(d + kept, k, kept, times=100 * comb(d, k))
    every = [
        (*range(kept), *(kept + i for i in chosen))
        for chosen in combinations(range(d), k)
    ]
    assert set(found) == set(every)
    assert chisquare([found[subset] for subset in every]).pvalue > 1e-4


def test_what_one_target_draws_tells_nothing_of_another():
    starts, pairs = torch.tensor([0, 4, 9]), 8000
    targets = torch.tensor([0, 1]).repeat(pairs)
    place, _ = draw(starts, targets, 2, generator=seeded(0))
    rows = place.view(pairs, 2, 2).sort(dim=2).values.tolist()
    seen = Counter((tuple(first), tuple(second)) for first, second in rows)
    table = [
        [seen[a, b] for b in combinations(range(4, 9), 2)]
        for a in combinations(range(4), 2)
    ]
    assert np.sum(table) == pairs
    assert chi2_contingency(table).pvalue > 1e-4


def test_large_rows_are_drawn_from_evenly():
    d, times = 1_000_000, 4000
    starts, targets = torch.tensor([0, d]), torch.zeros(times, dtype=torch.int64)
    place, _ = draw(starts, targets, 10, generator=seeded(1))
    assert all(len(set(row)) == 10 for row in place.view(times, 10).tolist())
    found = torch.bincount(place * 50 // d, minlength=50)
    assert len(found) == 50 and chisquare(found).pvalue > 1e-4


@pytest.mark.parametrize("seed", range(40))
def test_draws_from_random_rows_are_as_many_as_asked_and_none_twice(seed):
    generator = seeded(seed)
    degree = torch.randint(0, 7, (1 + seed % 9,), generator=generator)
    starts = torch.cat([degree.new_zeros(1), degree.cumsum(0)])
    kept = (torch.rand(len(degree), generator=generator) * (degree + 1)).long()
    kept = None if seed % 4 == 0 else kept
    targets = torch.randint(len(degree), (seed % 7,), generator=generator)
    fanout = seed % 6 - 1
    given = starts.int() if seed % 2 else starts
    place, count = draw(given, targets, fanout, kept, generator)
    rows = place.split(count.tolist())
    assert len(rows) == len(targets)
    for node, row in zip(targets.tolist(), rows, strict=True):
        own = set(range(int(starts[node]), int(starts[node + 1])))
        fixed = 0 if kept is None else int(kept[node])
        expected = len(own) if fanout == -1 else min(len(own), fixed + fanout)
        assert len(row) == len(set(row.tolist())) == expected
        assert set(row.tolist()) <= own
        assert set(sorted(own)[:fixed]) <= set(row.tolist())


def test_all_places_are_taken_where_there_are_no_more():
    starts, targets = torch.tensor([0, 3, 3, 5]), torch.tensor([2, 1, 0])
    for fanout in (3, 100, -1):
        place, count = draw(starts, targets, fanout)
        assert place.tolist() == [3, 4, 0, 1, 2] and count.tolist() == [2, 0, 3]
    place, count = draw(starts, targets, 0)
    assert place.tolist() == [] and count.tolist() == [0, 0, 0]
    place, count = draw(starts, targets, 0, kept=torch.tensor([2, 0, 1]))
    assert place.tolist() == [3, 0, 1] and count.tolist() == [1, 0, 2]


# Blocks


@pytest.mark.parametrize("graph", RANDOM)
def test_rows_hold_each_targets_edges_with_the_loops_first(graph):
    starts, src, edge, loops = rows_of(graph)
    assert sorted(edge.tolist()) == list(range(graph.num_edges))
    assert torch.equal(src.long(), graph.src[edge.long()])
    for node in range(graph.num_nodes):
        row = slice(int(starts[node]), int(starts[node + 1]))
        assert graph.dst[edge[row].long()].tolist() == [node] * len(edge[row])
        is_loop = (src[row] == node).tolist()
        assert is_loop == sorted(is_loop, reverse=True)
        assert sum(is_loop) == int(loops[node])


@pytest.mark.parametrize("seed", range(20))
def test_nodes_are_numbered_as_they_come_the_targets_first(seed):
    generator = seeded(seed)
    targets = torch.randperm(12, generator=generator)[: 1 + seed % 4]
    src = torch.randint(12, (3 * (seed % 6),), generator=generator)
    local = torch.full((12,), -1)
    nodes, ends = renumber(targets, src, local)
    expected = list(dict.fromkeys(targets.tolist() + src.tolist()))
    assert nodes.tolist() == expected
    assert ends.tolist() == [expected.index(node) for node in src.tolist()]
    assert local.tolist() == [-1] * 12


@pytest.mark.parametrize("fanouts", [[2, 1], [-1, 3, 0], [0], [1, -1]])
@pytest.mark.parametrize("graph", RANDOM)
def test_a_batch_holds_edges_of_the_graph_as_many_as_asked(graph, fanouts):
    generator = seeded(graph.num_edges)
    targets = torch.randint(graph.num_nodes, (5,), generator=generator)
    batch = NeighborSampler(graph, fanouts, generator)(targets)
    assert torch.equal(batch.targets, targets)
    assert len(batch.blocks) == len(fanouts)
    wanted = targets
    for fanout, block in zip(fanouts[::-1], batch.blocks[::-1], strict=True):
        part = block.graph
        nodes, number = batch.nodes[: part.num_nodes], number_of(part)
        assert block.num_targets == len(wanted)
        assert torch.equal(nodes[: len(wanted)], wanted)
        assert torch.equal(nodes[part.src], graph.src[number])
        assert torch.equal(nodes[part.dst], graph.dst[number])
        if graph.edge_weight is not None:
            assert torch.equal(part.edge_weight, graph.edge_weight[number])
        assert bool((part.dst.diff() >= 0).all())  # as every graph here
        for place, node in enumerate(wanted.tolist()):
            drawn = number[part.dst == place].tolist()
            into = graph.dst == node
            loops = (into & (graph.src == node)).nonzero()[:, 0].tolist()
            others = int(into.sum()) - len(loops)
            expected = others if fanout == -1 else min(fanout, others)
            assert len(drawn) == len(set(drawn)) == len(loops) + expected
            assert set(loops) <= set(drawn)
        new = nodes[len(wanted) :].tolist()
        assert len(new) == len(set(new))
        assert set(new) == set(graph.src[number].tolist()) - set(wanted.tolist())
        wanted = nodes
    assert torch.equal(batch.nodes, wanted)
    assert torch.equal(batch.rows(graph.x), graph.x[batch.nodes])


def test_copies_of_an_edge_are_drawn_one_by_one():
    # three copies of 1 -> 0 and one of 2 -> 0: of 6 pairs, 3 are two copies
    graph = GraphData(num_nodes=3, src=[1, 2, 1, 1], dst=[0, 0, 0, 0])
    times = 6000
    batch = NeighborSampler(graph, [2], seeded(0))([0] * times)
    part = batch.blocks[0].graph
    two = (batch.nodes[part.src].view(times, 2) == 1).all(dim=1)
    assert chisquare([int(two.sum()), int((~two).sum())]).pvalue > 1e-4
    whole = NeighborSampler(graph, [3])([0]).blocks[0].graph
    assert whole.num_edges == 3
    all_edges = NeighborSampler(graph, [-1])([0]).blocks[0].graph
    assert Counter(all_edges.src.tolist()) == {1: 3, 2: 1}


def test_edges_beside_scattered_loops_are_equally_likely():
    graph = GraphData(num_nodes=5, src=[1, 0, 2, 0, 3, 4], dst=[0] * 6)
    graph = replace(graph, edge_attr=torch.arange(6.0).unsqueeze(1))
    times = 6000
    part = NeighborSampler(graph, [2], seeded(3))([0] * times).blocks[0].graph
    drawn = number_of(part).view(times, 4).sort(dim=1).values
    found = Counter(map(tuple, drawn.tolist()))
    every = [tuple(sorted((1, 3, *pair))) for pair in combinations((0, 2, 4, 5), 2)]
    assert set(found) == set(every)
    assert chisquare([found[edges] for edges in every]).pvalue > 1e-4


def test_fanouts_begin_at_the_first_layer():
    generator = seeded(0)
    src, dst = torch.randint(30, (2, 3000), generator=generator)
    graph = GraphData(num_nodes=30, src=src[src != dst], dst=dst[src != dst])
    batch = NeighborSampler(graph, [7, 4, 2])(torch.tensor([3, 8]))
    degrees = [b.graph.in_degrees[: b.num_targets] for b in batch.blocks]
    assert [d.unique().tolist() for d in degrees] == [[7], [4], [2]]


def test_targets_that_repeat_each_draw_and_are_numbered_apart():
    graph = GraphData.from_edges([1, 2, 3, 4, 0], [0, 0, 0, 0, 1])
    batch = NeighborSampler(graph, [-1, 2], seeded(0))([0, 0, 0, 0, 0, 0])
    assert batch.targets.tolist() == [0] * 6
    last = batch.blocks[1]
    assert last.num_targets == 6
    assert torch.equal(last.graph.in_degrees[:6], torch.full((6,), 2))
    nodes = batch.nodes[: last.graph.num_nodes]
    drawn = {tuple(sorted(pair)) for pair in nodes[last.graph.src].view(6, 2).tolist()}
    assert len(drawn) > 1


def test_targets_without_edges_are_targets_too():
    graph = GraphData.from_edges([0], [1], 4)
    batch = NeighborSampler(graph, [3, 3])([2, 3])
    assert batch.nodes.tolist() == [2, 3]
    assert [b.graph.num_edges for b in batch.blocks] == [0, 0]
    assert [b.graph.num_nodes for b in batch.blocks] == [2, 2]
    alone = NeighborSampler(GraphData.from_edges([], [], 1), [1])([0])
    assert alone.nodes.tolist() == [0] and alone.blocks[0].graph.num_edges == 0


@pytest.mark.parametrize(
    "kind", [list, np.array, torch.tensor, partial(torch.tensor, dtype=torch.uint8)]
)
def test_targets_may_be_any_integers(kind):
    generator = seeded(0)
    ends = torch.randint(300, (2, 3000), generator=generator)
    sampler = NeighborSampler(GraphData.from_edges(*ends, 300), [-1])
    numbers = [255, 0, 17, 1]
    batch = sampler(kind(numbers))
    assert same_batch(batch, sampler(torch.tensor(numbers)))
    assert batch.targets.tolist() == batch.nodes[:4].tolist() == numbers


def test_the_graph_does_not_change():
    graph = random_graph(7, weighted=True).with_self_loops()
    fields = "src", "dst", "x", "edge_weight", "edge_attr"
    before = {name: getattr(graph, name).clone() for name in fields}
    rows = [t.clone() for t in (graph.by_target.starts, graph.by_target.far)]
    sampler = NeighborSampler(graph, [2, 2])
    for _ in range(3):
        batch = sampler(torch.arange(graph.num_nodes))
        for block in batch.blocks:
            block.graph.edge_weight.zero_()
            block.graph.src.zero_()
    assert all(torch.equal(getattr(graph, n), t) for n, t in before.items())
    after = graph.by_target.starts, graph.by_target.far
    assert all(torch.equal(a, b) for a, b in zip(after, rows, strict=True))


def test_one_seed_draws_one_batch():
    graph = random_graph(7, weighted=True)
    targets = torch.arange(graph.num_nodes)
    batches = [NeighborSampler(graph, [1, 2], seeded(s))(targets) for s in (0, 0, 1)]
    assert same_batch(batches[0], batches[1])
    assert not same_batch(batches[0], batches[2])
    state = torch.get_rng_state()
    NeighborSampler(graph, [1, 2], seeded(0))(targets)
    assert torch.equal(torch.get_rng_state(), state)
    batches = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        batches.append(NeighborSampler(graph, [1, 2])(targets))
    assert same_batch(batches[0], batches[1])
    assert not same_batch(batches[0], batches[2])


def test_a_sampler_goes_on_after_an_error():
    graph = random_graph(7, weighted=False)
    sampler = NeighborSampler(graph, [-1, -1])
    for wrong in ([0, 99], [-1], []):
        with pytest.raises(ValueError, match="targets must be"):
            sampler(wrong)
    expected = NeighborSampler(graph, [-1, -1])([1, 6])
    assert same_batch(sampler([1, 6]), expected)


def test_a_sampler_goes_on_after_it_was_interrupted(monkeypatch):
    graph = GraphData.from_edges([0, 1, 2, 3], [1, 2, 3, 0])
    sampler = NeighborSampler(graph, [-1])

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(torch, "cat", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sampler([0, 2])
    expected = NeighborSampler(graph, [-1])([1])
    assert same_batch(sampler([1]), expected)


def test_a_batch_moves_as_a_whole():
    graph = random_graph(7, weighted=True)
    batch = NeighborSampler(graph, [-1, -1])([0, 3])
    moved = batch.to("meta")
    assert moved.targets.device.type == moved.nodes.device.type == "meta"
    for block, old in zip(moved.blocks, batch.blocks, strict=True):
        part = block.graph
        for tensor in (part.src, part.dst, part.edge_weight, part.edge_attr):
            assert tensor.device.type == "meta"
        assert block.num_targets == old.num_targets
        assert part.num_nodes == old.graph.num_nodes
    assert batch.nodes.device.type == "cpu"  # the old one stays where it is
    assert same_batch(batch.to("cpu"), batch)


def test_parts_are_nearly_equal_and_in_order():
    for number in (1, 2, 9, 10, 11, 100):
        for batch_size in (1, 2, 3, 10, 99, 1000):
            nodes = torch.randperm(number)
            parts = equal_parts(nodes, batch_size)
            sizes = [len(part) for part in parts]
            assert torch.equal(torch.cat(parts), nodes)
            assert len(parts) == -(-number // batch_size)  # no more than must be
            assert max(sizes) <= batch_size and max(sizes) - min(sizes) <= 1
    for wrong in (0, -3):
        with pytest.raises(ValueError, match=f"batch_size must be .* 1, got {wrong}"):
            equal_parts(torch.arange(3), wrong)


@pytest.mark.parametrize(
    ("fanouts", "error", "message"),
    [
        ([], ValueError, r"a number for each layer.*got \[\]"),
        ([5, -2], ValueError, r"-1 for all edges or from 0 on, .* got \[5, -2\]"),
        ([5, 2.0], TypeError, "fanouts must be whole numbers, got 2.0"),
        ([True], TypeError, "fanouts must be whole numbers, got True"),
        (["5"], TypeError, "fanouts must be whole numbers, got '5'"),
    ],
)
def test_fanouts_that_are_none_are_refused(fanouts, error, message):
    with pytest.raises(error, match=message):
        NeighborSampler(random_graph(3, False), fanouts)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([], "targets must be a list of node numbers, not empty"),
        ([[0, 1]], "targets must be a list of node numbers"),
        (1, "targets must be a list of node numbers"),
        ([0.0, 1.0], "targets must be a list of node numbers"),
        (
            [True, False, True, False],
            r"targets must be node numbers: mask.nonzero\(\)\[:, 0\]",
        ),
        ([0, 4], "targets must be nodes, from 0 to 3"),
        ([-1], "targets must be nodes, from 0 to 3"),
    ],
)
def test_targets_that_are_no_nodes_are_refused(targets, message):
    sampler = NeighborSampler(GraphData.from_edges([0, 1], [1, 2], 4), [2])
    with pytest.raises(ValueError, match=message):
        sampler(targets)


# Beside DGL

EDGES = [  # of one copy of the graph; one edge is there twice, nobody hears from 5
    (0, 1, 2, 2, 3, 4, 1, 3, 4, 0, 5, 0, 1, 2, 4, 5),
    (1, 0, 0, 0, 0, 0, 2, 2, 2, 3, 3, 4, 4, 4, 1, 1),
]


def many_copies(times):
    """So many copies of a small graph beside each other: each is drawn from anew."""
    shift = 6 * torch.arange(times).unsqueeze(1)
    src, dst = ((torch.tensor(ends) + shift).flatten() for ends in EDGES)
    return GraphData(num_nodes=6 * times, src=src, dst=dst)


def outcomes(graph, numbers, times):
    """For each node of the small graph, how often which of its edges were drawn."""
    first = len(EDGES[0]) * (numbers // len(EDGES[0]))  # copies follow each other
    bit = 2 ** (numbers - first)
    sets = torch.zeros(graph.num_nodes, dtype=torch.int64)
    sets.index_add_(0, graph.dst[numbers], bit)
    return [Counter(sets.view(times, 6)[:, node].tolist()) for node in range(6)]


def test_blocks_are_distributed_as_dgls(dgl):
    require_dgl("dataloading")
    times, fanouts = 6000, [2, 2]
    graph = many_copies(times)
    targets = (6 * torch.arange(times).unsqueeze(1) + torch.tensor([0, 2])).flatten()
    numbered = replace(
        graph, edge_attr=torch.arange(graph.num_edges).double().unsqueeze(1)
    )
    batch = NeighborSampler(numbered, fanouts, seeded(0))(targets)
    ours = [number_of(block.graph) for block in batch.blocks]
    dgl.seed(0)
    sampler = dgl.dataloading.NeighborSampler(fanouts)
    _, _, blocks = sampler.sample(graph.dgl(), targets)
    theirs = [block.edata[dgl.EID] for block in blocks]
    smallest = []
    for numbers, others in zip(ours, theirs, strict=True):
        pairs = (outcomes(graph, n, times) for n in (numbers, others))
        for mine, yours in zip(*pairs, strict=True):
            every = sorted(set(mine) | set(yours))
            if len(every) > 1:
                table = [[c[sets] for sets in every] for c in (mine, yours)]
                smallest.append(chi2_contingency(table).pvalue)
            assert sum(mine.values()) == sum(yours.values()) == times
    assert len(smallest) == 7  # two nodes in the last layer, five in the first
    assert min(smallest) * len(smallest) > 1e-4


# Models, layer by layer

MODELS = {
    "two layers": partial(GAT, 3, 4, hidden=2, num_heads=2),
    "three layers": partial(GAT, 3, 4, hidden=[2, 3], num_heads=[2, 1], out_heads=2),
    "residual": partial(GAT, 3, 4, hidden=2, num_heads=2, residual=True),
    "GATv2": partial(GAT, 3, 4, hidden=2, num_heads=2, layer=GATv2Layer),
    "edge by edge": partial(GAT, 3, 4, hidden=2, num_heads=2, layer=EdgeGATLayer),
    "uniform": partial(GAT, 3, 4, hidden=2, num_heads=2, layer=UniformGATLayer),
    "inductive": partial(InductiveGAT, 3, 4, 2, 2, 2),
}


def with_gradients(model, out):
    factors = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    wanted = [p for p in model.parameters() if p.requires_grad]
    total = (out * factors).sum()
    return out, *torch.autograd.grad(total, wanted, materialize_grads=True)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("name", MODELS)
def test_blocks_with_all_edges_give_what_the_whole_graph_gives(name, kind):
    for number, graph in enumerate(RANDOM[:: 1 if kind == "dense" else 3]):
        model = MODELS[name]().double().eval()
        x = graph.x if kind == "dense" else graph.x.to_sparse_csr()
        targets = torch.randint(graph.num_nodes, (4,), generator=seeded(number))
        batch = NeighborSampler(graph, [-1] * model.num_layers)(targets)
        found = with_gradients(model, Blockwise(model)(batch, batch.rows(x)))
        expected = with_gradients(model, model(graph, x)[targets])
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, msg=f"{name} differs on graph {number}")


@pytest.mark.parametrize("graph", RANDOM)
def test_a_layer_sees_the_drawn_edges_and_no_others(graph):
    model = GAT(3, 4, hidden=[], out_heads=2).double().eval()
    targets = torch.randperm(graph.num_nodes, generator=seeded(0))[:3]
    batch = NeighborSampler(graph, [1], seeded(1))(targets)
    drawn = number_of(batch.blocks[0].graph).sort().values
    weight = None if graph.edge_weight is None else graph.edge_weight[drawn]
    src, dst = graph.src[drawn], graph.dst[drawn]
    seen = GraphData.from_edges(src, dst, graph.num_nodes, edge_weight=weight)
    found = Blockwise(model)(batch, batch.rows(graph.x))
    torch.testing.assert_close(found, model(seen, graph.x)[targets])


def test_blockwise_has_the_parameters_of_its_model_alone():
    model = GAT(3, 4, hidden=2, num_heads=2)
    ours = {id(p) for p in model.parameters()}
    assert {id(p) for p in Blockwise(model).parameters()} == ours
    assert layers_of(model) == [model.layer1, model.layer2]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 1000])
@pytest.mark.parametrize("name", MODELS)
def test_infer_gives_what_the_whole_graph_gives(name, batch_size):
    for number, graph in enumerate(RANDOM[::3]):
        model = MODELS[name]().double()
        expected = model.eval()(graph, graph.x).detach()
        found = infer(model.train(), graph, batch_size)
        assert not found.requires_grad
        torch.testing.assert_close(
            found, expected, msg=f"{name} differs on graph {number}"
        )
        sparse_x = graph.x.to_sparse_csr()
        found = infer(model, graph, batch_size, x=sparse_x)
        torch.testing.assert_close(found, expected)
        other = infer(model, graph, batch_size, x=2 * graph.x)
        torch.testing.assert_close(other, model.eval()(graph, 2 * graph.x).detach())


def test_infer_holds_two_tables_and_a_part():
    graph = GraphData.from_edges([0, 1], [1, 2], 20_000)
    graph = replace(graph, x=torch.ones(20_000, 64))
    model = GAT(64, 64, hidden=8, num_heads=8, dropout=0.0)
    infer(model, graph, 1000)
    held = measure.peak_memory(lambda: infer(model, graph, 1000))
    if math.isnan(held):
        pytest.skip("memory is not measured here")
    assert held < 2.7 * 20_000 * 64 * 4


@pytest.mark.parametrize("training", [True, False])
def test_infer_puts_the_mode_back_and_uses_no_dropout(training):
    graph = random_graph(7, weighted=True)
    model = GAT(3, 4, hidden=2, dropout=0.9).double().train(training)
    first, second = (infer(model, graph, 3) for _ in range(2))
    assert torch.equal(first, second)
    assert model.training is model.layer1.training is training
    with pytest.raises(ValueError, match="x must be"):
        infer(model, graph, x=graph.x[:, :1])
    assert model.training is model.layer2.training is training
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        infer(model, graph, batch_size=0)
    assert model.training is training
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(GCN, 3, 4), "GCN hears further than .* source's degree.*Take a GAT"),
        (partial(InductiveGCN, 3, 4), "InductiveGCN hears further"),
        (partial(MLP, 3, 4), "MLP is no stack of layers.*take a GAT"),
        (partial(torch.nn.Linear, 3, 4), "Linear is no stack of layers"),
        (partial(torch.nn.LSTM, 3, 4), "LSTM is no stack of layers"),
    ],
)
def test_models_that_cannot_be_computed_in_blocks_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        Blockwise(make())
    with pytest.raises(ValueError, match=message):
        infer(make(), random_graph(3, False))


def test_a_stack_that_says_it_hears_further_than_its_layers_is_refused():
    model = GAT(3, 4)
    model.num_hops += 1  # as `claims` does for weights of a GCN
    with pytest.raises(ValueError, match="its source's degree"):
        Blockwise(model)


@pytest.mark.parametrize("fanouts", [[2], [2, 2, 2]])
def test_a_batch_for_another_number_of_layers_is_refused(fanouts):
    graph = random_graph(7, False)
    batch = NeighborSampler(graph, fanouts)([0])
    with pytest.raises(
        ValueError,
        match=f"has 2 layers, the batch a block for each of {len(fanouts)}: fanouts",
    ):
        Blockwise(GAT(3, 4).double())(batch, batch.rows(graph.x))


def test_rows_keep_the_layout_of_the_features():
    graph = random_graph(7, False)
    batch = NeighborSampler(graph, [2])([3, 1])
    rows = batch.rows(graph.x.to_sparse_csr())
    assert rows.layout == torch.sparse_csr
    assert torch.equal(rows.to_dense(), graph.x[batch.nodes])
