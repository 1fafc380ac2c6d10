"""Links held out of a graph, pairs without one, and training to tell them apart."""

from itertools import combinations

import pytest
import torch
from sklearn.metrics import roc_auc_score

from gat_course import (
    GCN,
    GraphData,
    LinkSplit,
    evaluate_links,
    fit_links,
    link_scores,
    run_seeds,
    split_links,
    synthetic_citation,
)
from gat_course.links import PARTS, pair_numbers, unlinked_pairs


def blocks(seed=0, size=20, x=None):
    """Four groups; most links are inside them."""
    generator = torch.Generator().manual_seed(seed)
    n = 4 * size
    group = torch.arange(n) // size
    chance = torch.where(group.unsqueeze(1) == group, 0.4, 0.01)
    links = (torch.rand(n, n, generator=generator) < chance).triu(1).nonzero().t()
    x = torch.eye(n) if x is None else x
    return GraphData.from_edges(*links, n, undirected=True, x=x, name="blocks")


def as_set(pairs):
    return {tuple(sorted(pair)) for pair in pairs.t().tolist()}


@pytest.mark.parametrize("seed", range(5))
def test_the_parts_are_a_partition_and_messages_use_training_links_alone(seed):
    graph = blocks()
    data = split_links(graph, val=0.1, test=0.2, seed=seed)
    parts = {part: as_set(data.links[part]) for part in PARTS}
    everything = as_set(torch.stack([graph.src, graph.dst]))
    assert set.union(*parts.values()) == everything
    assert sum(len(part) for part in parts.values()) == len(everything)
    assert len(parts["val"]) == round(0.1 * len(everything))
    assert as_set(torch.stack([data.graph.src, data.graph.dst])) == parts["train"]
    assert data.graph.num_edges == 2 * len(parts["train"])
    for part in ("val", "test"):
        others = as_set(data.others[part])
        assert len(others) == data.others[part].shape[1] == len(parts[part])
        assert not others & everything and all(i < j for i, j in others)
    assert not as_set(data.others["val"]) & as_set(data.others["test"])


def test_a_seed_fixes_the_split_whatever_was_drawn_before():
    first = split_links(blocks(), seed=3)
    torch.rand(100)
    again, other = split_links(blocks(), seed=3), split_links(blocks(), seed=4)
    assert torch.equal(first.links["test"], again.links["test"])
    assert not torch.equal(first.links["test"], other.links["test"])


def test_all_pairs_without_a_link_can_be_drawn_and_no_more():
    n, forbidden = 6, torch.tensor([1, 2, 8])
    generator = torch.Generator().manual_seed(0)
    found = unlinked_pairs(n, forbidden, 12, generator)
    free = set(combinations(range(n), 2)) - {(0, 1), (0, 2), (1, 2)}
    assert as_set(found) == free
    with pytest.raises(ValueError, match="13 pairs without a link .* there are 12"):
        unlinked_pairs(n, forbidden, 13, generator)


def test_draws_are_even():
    n, generator = 5, torch.Generator().manual_seed(0)
    count = torch.zeros(n * n)
    for _ in range(2000):
        pairs = unlinked_pairs(n, torch.tensor([1]), 2, generator)
        count[pair_numbers(pairs, n)] += 1
    expected = 2000 * 2 / 9
    drawn = count[count > 0]
    assert len(drawn) == 9
    assert ((drawn - expected).abs() < 6 * expected**0.5).all()


def test_loops_and_repeats_count_for_nothing():
    graph = blocks()
    doubled = GraphData(
        num_nodes=graph.num_nodes,
        src=torch.cat([graph.src, graph.src]),
        dst=torch.cat([graph.dst, graph.dst]),
        x=graph.x,
    ).with_self_loops()
    a, b = split_links(graph), split_links(doubled)
    for part in PARTS:
        assert torch.equal(a.links[part], b.links[part])


@pytest.mark.parametrize(
    ("graph", "options", "message"),
    [
        (GraphData.from_edges([0], [1]), {}, "edges without a reverse"),
        (blocks(), {"val": 0.0}, "leave a part empty"),
        (blocks(), {"val": 0.5, "test": 0.5}, "leave a part empty"),
        (
            GraphData.from_edges(
                *torch.ones(9, 9).triu(1).nonzero().t(), undirected=True
            ),
            {"val": 0.1},
            "pairs without a link",
        ),
    ],
)
def test_a_split_that_cannot_be_is_refused(graph, options, message):
    with pytest.raises(ValueError, match=message):
        split_links(graph, **options)


class Table(torch.nn.Module):
    """An embedding for each node, whatever the graph."""

    def __init__(self, z):
        super().__init__()
        self.z = torch.nn.Parameter(z)

    def forward(self, graph, x):
        return self.z


def test_evaluation_by_hand():
    data = split_links(blocks(), val=0.2, test=0.2)
    z = torch.randn(80, 4)
    found = evaluate_links(Table(z), data, "test")
    there, nowhere = (
        torch.tensor([float(z[i] @ z[j]) for i, j in pairs.t().tolist()])
        for pairs in (data.links["test"], data.others["test"])
    )
    truth = [1] * len(there) + [0] * len(nowhere)
    scores = torch.cat([there, nowhere])
    assert found.auc == pytest.approx(100 * roc_auc_score(truth, scores), abs=1e-3)
    bar = nowhere.sort(descending=True).values[:100][-1]
    hits = 100 * float((there > bar).float().mean())
    assert found.hits == pytest.approx(hits) and found.score == found.auc
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        scores, torch.tensor(truth).float()
    )
    assert found.loss == pytest.approx(float(loss), rel=1e-4)
    torch.testing.assert_close(link_scores(z, data.links["test"]), there)


def test_training_learns_the_groups():
    torch.manual_seed(0)
    data = split_links(blocks(), val=0.1, test=0.2).with_self_loops()
    model = GCN(80, 8, hidden=16, dropout=0.0)
    before = evaluate_links(model, data, "test").auc
    curves = fit_links(model, data, max_epochs=100, progress=False)
    after = evaluate_links(model, data, "test").auc
    assert after > max(before, 80)
    assert curves.best_epoch == curves.val_score.index(max(curves.val_score))


def test_runs_of_seeds_are_kept(tmp_path):
    data = split_links(blocks()).with_self_loops()
    options = {"path": tmp_path / "a.json", "max_epochs": 2, "progress": False}
    runs = run_seeds(lambda: GCN(80, 8, dropout=0.0), data, [0, 1], **options)
    again = run_seeds(lambda: GCN(80, 8, dropout=0.0), data, [0, 1], **options)
    assert runs.scores == again.scores and "%" in str(runs)
    other = split_links(blocks(), seed=1).with_self_loops()
    with pytest.raises(ValueError, match="another experiment"):
        run_seeds(lambda: GCN(80, 8, dropout=0.0), other, [0], **options)


def test_what_does_not_fit_is_refused():
    data = split_links(blocks())
    with pytest.raises(TypeError, match="split_links"):
        fit_links(GCN(80, 8), blocks())
    with pytest.raises(ValueError, match="embeddings"):
        fit_links(Table(torch.randn(3, 4)), data)
    with pytest.raises(ValueError, match='part must be "val" or "test"'):
        evaluate_links(GCN(80, 8), data, "train")
    nan = evaluate_links(Table(torch.full((80, 4), float("nan"))), data, "val")
    assert nan.loss != nan.loss
    graph = synthetic_citation("cora")
    assert split_links(graph).graph.num_nodes == graph.num_nodes


def test_pairs_in_rows_are_refused():
    with pytest.raises(ValueError, match=r"pairs must be \[2, M\].*pairs.t\(\)"):
        link_scores(torch.eye(4), torch.tensor([[0, 0], [1, 2], [3, 3]]))


def test_with_few_pairs_without_a_link_every_link_is_a_hit():
    graph = GraphData.from_edges(
        range(40), range(1, 41), undirected=True, x=torch.randn(41, 3)
    )
    data = split_links(graph, 0.1, 0.1)
    assert len(data.others["test"][0]) < 100
    assert evaluate_links(GCN(3, 4), data, "test").hits == 100


def test_a_dense_graph_trains_on_the_few_pairs_there_are():
    pairs = torch.combinations(torch.arange(12))[:50].t()  # of 66
    graph = GraphData.from_edges(*pairs, 12, undirected=True, x=torch.randn(12, 3))
    data = split_links(graph, 0.1, 0.1)
    assert fit_links(GCN(3, 4), data, max_epochs=2, progress=False).epochs == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"links": {}}, "links must have the parts train, val, test"),
        ({"others": {"val": [[0], [1]]}}, "others must have the parts val, test"),
        (
            {"others": {"val": [[0], [9]], "test": [[0], [1]]}},
            r"others\['val'\] must be \[2, M\], at least one pair of nodes 0 to 2",
        ),
        (
            {"links": dict.fromkeys(("train", "val", "test"), torch.ones(3, 2).long())},
            r"links\['train'\] must be",
        ),
    ],
)
def test_what_makes_no_split_is_refused(change, message):
    pair = torch.tensor([[0], [1]])
    given = {
        "graph": GraphData.from_edges([0], [1], 3),
        "links": dict.fromkeys(("train", "val", "test"), pair),
        "others": dict.fromkeys(("val", "test"), pair),
        "name": "three",
    }
    assert LinkSplit(**given).forbidden.tolist() == [1]
    with pytest.raises(ValueError, match=message):
        LinkSplit(**given | change)


def test_masks_and_classes_stay():
    graph = synthetic_citation("cora")
    kept = split_links(graph).graph
    assert torch.equal(kept.train_mask, graph.train_mask)
    assert torch.equal(kept.y, graph.y)
