"""One gene in many graphs: the table that needs no learning, and the split without."""

import math
import os
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.nn.utils import parameters_to_vector

from gat_course import (
    GraphData,
    InductiveGAT,
    Tissues,
    evaluate_graphs,
    fit_graphs,
    gene_disjoint,
    genes,
    label_counts,
    load_ppi,
    micro_f1,
    papers,
    reproduce,
    run_seeds,
)
from gat_course.training.record import read_file

PARTS = ("train", "val", "test")
MASKS = ("train_mask", "val_mask", "test_mask")
NODES = (7, 9, 8, 6, 10, 9, 7)  # of four graphs to train on, one to choose, two to test


def leaky(seed: int = 0, num_genes: int = 24) -> Tissues:
    """Graphs in which a gene has the same features and labels wherever it is."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(num_genes, 3, generator=generator)
    y = (torch.rand(num_genes, 5, generator=generator) < 0.4).float()
    graphs, found = [], []
    for n in NODES:
        gene = torch.randperm(num_genes, generator=generator)[:n]
        src, dst = torch.randint(n, (2, 2 * n), generator=generator)
        graphs.append(GraphData(num_nodes=n, src=src, dst=dst, x=x[gene], y=y[gene]))
        found.append(1000 + 7 * gene)  # numbers as names: neither 0 to G - 1 nor dense
    parts = {"train": graphs[:4], "val": graphs[4:5], "test": graphs[5:]}
    return Tissues(**parts, name="leaky", genes=tuple(found))


def table(tissues, found):
    """Independent of the package: dictionaries, and votes counted one by one."""
    votes = {}
    for graph, gene in zip(tissues.train, found, strict=False):
        for g, y in zip(gene.tolist(), graph.y.tolist(), strict=True):
            votes.setdefault(g, []).append(y)
    labels = {
        g: [float(2 * sum(column) > len(ys)) for column in zip(*ys, strict=True)]
        for g, ys in votes.items()
    }
    none = [0.0] * tissues.num_labels
    last = found[-len(tissues.test) :]
    return [[labels.get(g, none) for g in gene.tolist()] for gene in last]


# --------------------------------------------------------- the table


@pytest.mark.parametrize("seed", range(20))
def test_the_table_is_that_of_a_dictionary(seed):
    tissues = leaky(seed)
    found = genes.lookup(tissues, tissues.genes)
    assert [labels.tolist() for labels in found] == table(tissues, tissues.genes)
    # Noise: the same gene may then have other labels elsewhere, and votes may tie.
    noisy = [replace(g, y=torch.rand(g.y.shape).round()) for g in tissues.train]
    noisy = replace(tissues, train=noisy)
    found = genes.lookup(noisy, noisy.genes)
    assert [labels.tolist() for labels in found] == table(noisy, noisy.genes)


def test_a_planted_leak_is_found():
    tissues = leaky()
    trained = torch.cat(tissues.genes[:4])
    known = [torch.isin(gene, trained) for gene in tissues.genes[-2:]]
    assert 0 < sum(int(k.sum()) for k in known) < sum(map(len, known))
    for graph, k, labels in zip(
        tissues.test, known, genes.lookup(tissues, tissues.genes), strict=True
    ):
        assert torch.equal(labels[k], graph.y[k])
        assert not labels[~k].any()


def test_the_table_knows_nothing_of_hidden_genes():
    tissues = leaky()
    apart = gene_disjoint(tissues, tissues.genes, 0.4)
    found = genes.lookup(apart, apart.genes)
    for graph, labels in zip(apart.test, found, strict=True):
        assert torch.equal(labels[graph.train_mask], graph.y[graph.train_mask])
        assert not labels[~graph.train_mask].any()
    told = papers.lookup_scores(apart)
    hidden = sum(int(graph.test_mask.sum()) for graph in apart.test)
    assert told == {"nodes": hidden, "known": 0, "micro-F1": 0.0}
    assert papers.lookup_scores(replace(tissues, genes=None)) is None


def test_without_a_gene_in_common_the_table_knows_nothing():
    tissues = leaky()
    apart = [gene + 10_000 * i for i, gene in enumerate(tissues.genes)]
    assert not any(labels.any() for labels in genes.lookup(tissues, apart))


def test_genes_that_do_not_fit_are_refused():
    tissues = leaky()
    short = tissues.genes[:-1]
    wrong = [gene[:-1] for gene in tissues.genes]
    floats = [gene.float() for gene in tissues.genes]
    for use in (genes.lookup, gene_disjoint):
        with pytest.raises(ValueError, match="leaky does not say which gene .* same_r"):
            use(replace(tissues, genes=None), None)
    for given in (short, wrong, floats):
        for use in (genes.lookup, gene_disjoint):
            with pytest.raises(ValueError, match="genes must hold one int64 .N. for"):
                use(tissues, given)


# --------------------------------------------------------- genes by their rows


@pytest.mark.parametrize("seed", range(10))
def test_equal_rows_are_one_gene_and_others_are_not(seed):
    tissues = leaky(seed)
    found = torch.cat(genes.same_rows(tissues)).tolist()
    rows = [
        (*x, *y)
        for graph in tissues.graphs
        for x, y in zip(graph.x.tolist(), graph.y.tolist(), strict=True)
    ]
    assert len(set(found)) == len(set(rows)) == len(set(zip(found, rows, strict=True)))


def test_no_gene_is_torn_apart_and_some_are_taken_together():
    tissues = leaky()
    alike = [
        replace(g, x=torch.zeros(len(g.x), 1), y=g.y[:, :2]) for g in tissues.graphs
    ]
    parts = {"train": alike[:4], "val": alike[4:5], "test": alike[5:]}
    blurred = replace(tissues, **parts)  # labels alone tell the genes apart now
    pairs = set(
        zip(
            torch.cat(tissues.genes).tolist(),
            torch.cat(genes.same_rows(blurred)).tolist(),
            strict=True,
        )
    )
    assert max(Counter(gene for gene, _ in pairs).values()) == 1
    rows = torch.cat([graph.y for graph in blurred.graphs]).unique(dim=0)
    assert len({row for _, row in pairs}) == len(rows) < len(pairs)


# --------------------------------------------------------- the split


@pytest.mark.parametrize("seed", range(20))
def test_the_split_keeps_genes_apart(seed):
    tissues = leaky(seed)
    apart = gene_disjoint(tissues, tissues.genes, share=0.4, seed=seed)
    roles = {mask: set() for mask in MASKS}
    for graph, gene in zip(apart.graphs, apart.genes, strict=True):
        masks = torch.stack([getattr(graph, mask) for mask in MASKS])
        assert int(masks.sum(dim=0).max()) == 1
        for mask in MASKS:
            roles[mask] |= set(gene[getattr(graph, mask)].tolist())
    trained, chooses, measures = roles.values()
    assert not (trained & chooses or trained & measures or chooses & measures)
    everywhere = set(torch.cat(tissues.genes).tolist())
    hidden = round(0.4 * len(everywhere))
    assert (len(chooses), len(measures)) == (hidden - hidden // 2, hidden // 2)
    in_training = set(torch.cat(tissues.genes[:4]).tolist())
    assert trained == (everywhere - chooses - measures) & in_training
    assert apart.name == "leaky, 40% of genes hidden"
    for one, other in zip(apart.graphs, tissues.graphs, strict=True):
        same = (one.src, other.src), (one.x, other.x), (one.y, other.y)
        assert all(torch.equal(*pair) for pair in same)


def test_a_seed_fixes_the_split_whatever_was_drawn_before():
    tissues = leaky()

    def split(seed):
        torch.rand(int(torch.randint(1, 5, ())))
        apart = gene_disjoint(tissues, tissues.genes, 0.4, seed)
        return torch.cat([graph.test_mask for graph in apart.graphs]).tolist()

    assert split(0) == split(0) != split(1)


@pytest.mark.parametrize("share", [0, 1, -0.2, 1.2, 0.01, 0.99, float("nan")])
def test_a_share_that_leaves_nothing_is_refused(share):
    tissues = leaky()
    with pytest.raises(ValueError, match=r"share = .* of \d+ genes hides \d+; choose"):
        gene_disjoint(tissues, tissues.genes, share)


# --------------------------------------------------------- training keeps to it


def hidden(graph):
    return graph.val_mask | graph.test_mask


make = partial(InductiveGAT, 3, 5, hidden=4, num_heads=2, out_heads=2)
OPTIONS = {"max_epochs": 5, "patience": None, "progress": False}


def trained(tissues):
    torch.manual_seed(0)
    model = make()
    history = fit_graphs(model, tissues, **OPTIONS)
    return parameters_to_vector(model.parameters()).detach(), history, model


@pytest.fixture(scope="module")
def apart():
    tissues = leaky()
    return gene_disjoint(tissues, tissues.genes, 0.5).with_self_loops()


def relabelled(tissues, part, choose):
    def change(graph):
        y = graph.y.where(~choose(graph).unsqueeze(1), 1 - graph.y)
        return replace(graph, y=y)

    return replace(tissues, **{part: [change(g) for g in getattr(tissues, part)]})


def test_labels_of_hidden_genes_have_no_influence_on_training(apart):
    others = relabelled(apart, "train", hidden)
    assert any(map(lambda a, b: bool((a.y != b.y).any()), apart.train, others.train))
    (one, history, _), (other, again, _) = map(trained, (apart, others))
    assert torch.equal(one, other) and history.val_f1 == again.val_f1
    seen = relabelled(apart, "train", lambda graph: graph.train_mask)
    assert not torch.equal(one, trained(seen)[0])


def test_the_genes_that_measure_do_not_choose(apart):
    _, history, _ = trained(apart)
    others = relabelled(apart, "val", lambda graph: graph.test_mask)
    assert trained(others)[1].val_f1 == history.val_f1
    others = relabelled(apart, "val", lambda graph: graph.val_mask)
    assert trained(others)[1].val_f1 != history.val_f1


def test_loss_and_scores_are_those_of_the_masks(apart):
    torch.manual_seed(0)
    frozen = make()
    history = fit_graphs(frozen, apart, **OPTIONS | {"lr": 0.0})
    logits = {part: [] for part in PARTS}
    with torch.no_grad():
        for part in PARTS:
            for graph in getattr(apart, part):
                logits[part].append((graph, frozen(graph, graph.x)))

    def rows(part, mask):
        return [
            torch.cat([values[getattr(graph, mask)] for graph, values in pairs])
            for pairs in (
                logits[part],
                [(graph, graph.y) for graph in getattr(apart, part)],
            )
        ]

    s, y = rows("train", "train_mask")
    loss = (torch.logaddexp(s, torch.zeros_like(s)) - y * s).mean().item()
    assert history.train_loss == pytest.approx([loss] * 5, rel=1e-5)
    expected = {
        (part, mask): micro_f1(label_counts(*rows(part, mask)))
        for part in ("val", "test")
        for mask in ("train_mask", f"{part}_mask")
    }
    assert history.val_f1 == [expected["val", "val_mask"]] * 5
    assert history.val_seen_f1 == [expected["val", "train_mask"]] * 5
    for part in ("val", "test"):
        found = evaluate_graphs(frozen, getattr(apart, part), mask=f"{part}_mask")
        assert found.f1 == expected[part, f"{part}_mask"] and found.seen_f1 is None
    (run,) = run_seeds(make, apart, [0], **OPTIONS | {"lr": 0.0})
    assert run.val_f1 == expected["val", "val_mask"]
    assert run.test_f1 == run.score == expected["test", "test_mask"]
    assert run.seen_f1 == expected["test", "train_mask"]


def test_a_run_goes_on_with_both_curves(apart, tmp_path, monkeypatch):
    from gat_course.training import checkpoint

    monkeypatch.setattr(checkpoint, "EVERY", 0)
    whole = trained(apart)[1]
    torch.manual_seed(0)
    model, file = make(), tmp_path / "x.checkpoint"
    fit_graphs(model, apart, checkpoint=file, **OPTIONS | {"max_epochs": 2})
    history = fit_graphs(make(), apart, checkpoint=file, **OPTIONS)
    assert history.val_seen_f1 == whole.val_seen_f1
    assert len(history.val_seen_f1) == len(history.val_f1) == 5


def test_a_file_of_runs_keeps_the_score_of_seen_genes_and_notes(apart, tmp_path):
    path = tmp_path / "runs.json"

    def look(model, data, history):
        return {"epochs": history.epochs, "graphs": len(data.graphs)}

    runs = run_seeds(make, apart, [0, 1], path=path, look=look, **OPTIONS)
    assert [run.notes for run in runs] == [{"epochs": 5, "graphs": 7}] * 2
    again = read_file(path)[1]
    assert [run.notes for run in again] == [run.notes for run in runs]
    assert [run.seen_f1 for run in again] == [run.seen_f1 for run in runs]
    # Without masks there is nothing to tell apart, and the file says nothing of it.
    plain = tmp_path / "plain.json"
    (run,) = run_seeds(make, leaky(), [0], path=plain, **OPTIONS)
    assert run.seen_f1 is None and not run.history.val_seen_f1
    assert "seen" not in plain.read_text() and "notes" not in plain.read_text()


def test_a_score_of_nothing_right_is_kept_and_told(apart, tmp_path):
    class No(InductiveGAT):
        def forward(self, graph, x):
            return super().forward(graph, x) * 0 - 3

    path = tmp_path / "ppi-gat.json"
    no = partial(No, 3, 5, hidden=4, num_heads=2, out_heads=2)
    (run,) = run_seeds(no, apart, [0], path=path, about={"name": "x"}, **OPTIONS)
    _, again = read_file(path)
    assert run.seen_f1 == again[0].seen_f1 == 0.0
    table = reproduce.table("ppi", {"gat": again}, data="x")
    assert table.loc["gat", "of seen genes"] == "0.000"


@pytest.mark.parametrize("given", [None, 3, {"a": torch.ones(1)}, {"a": math.nan}])
def test_a_look_that_gives_no_plain_values_is_told_so(apart, given):
    with pytest.raises(ValueError, match="look must return plain, finite values by"):
        run_seeds(make, apart, [0], look=lambda *_: given, **OPTIONS)


def test_runs_with_masks_are_not_those_without(apart, tmp_path, monkeypatch):
    from gat_course.training.many_graphs import NodeLabels

    run_seeds(make, apart, [0], path=tmp_path / "x.json", **OPTIONS)
    monkeypatch.delattr(NodeLabels, "describe")  # as before masks counted
    with pytest.raises(ValueError, match="another experiment: its masks differs"):
        run_seeds(make, apart, [0, 1], path=tmp_path / "x.json", **OPTIONS)


def test_other_masks_than_the_one_asked_for_need_not_fit(apart):
    model, plain = make(), leaky().test[0]
    both = [apart.test[0], replace(plain, test_mask=plain.y[:, 0] == 1)]
    one_by_one = evaluate_graphs(model, both, batch_size=1, mask="test_mask")
    assert evaluate_graphs(model, both, mask="test_mask").f1 == one_by_one.f1
    assert evaluate_graphs(model, both).f1 == evaluate_graphs(model, both, 1).f1
    for odd in ("src", "test", "x"):
        with pytest.raises(ValueError, match=f"mask must be one of .*got '{odd}'"):
            evaluate_graphs(model, both, mask=odd)


def test_outputs_that_are_nan_on_seen_genes_alone_are_told(apart):
    seen = apart.val[0].train_mask

    class Odd(InductiveGAT):
        def forward(self, graph, x):
            out = super().forward(graph, x)
            ours = not self.training and len(out) == len(seen)
            return out.masked_fill(seen.unsqueeze(1), math.nan) if ours else out

    odd = Odd(3, 5, hidden=4, num_heads=2, out_heads=2)
    with pytest.raises(FloatingPointError, match="validation loss is nan"):
        fit_graphs(odd, apart, **OPTIONS)


def test_masks_that_leave_nothing_are_refused(apart):
    def without(part, mask):
        none = [
            replace(g, **{mask: torch.zeros_like(g.test_mask)})
            for g in getattr(apart, part)
        ]
        return replace(apart, **{part: none})

    with pytest.raises(ValueError, match="no node of the training .* its train_mask"):
        trained(without("train", "train_mask"))
    with pytest.raises(ValueError, match="val graphs in its val_mask has any label"):
        trained(without("val", "val_mask"))
    with pytest.raises(ValueError, match="test graphs in its test_mask has any label"):
        run_seeds(make, without("test", "test_mask"), [0], **OPTIONS)
    bare = replace(apart.test[0], test_mask=None)
    with pytest.raises(ValueError, match="graph 0 .* has no test_mask"):
        evaluate_graphs(make(), [bare], mask="test_mask")
    with pytest.raises(ValueError, match="some masks and lack others"):
        few = {p: [replace(g, val_mask=None) for g in getattr(apart, p)] for p in PARTS}
        replace(apart, **few)


def test_where_no_gene_is_seen_there_is_no_score_of_seen_genes(apart):
    apart = replace(apart, genes=None)
    unseen = [
        replace(g, train_mask=torch.zeros_like(g.train_mask))
        for g in (*apart.val, *apart.test)
    ]
    (run,) = run_seeds(
        make, replace(apart, val=unseen[:1], test=unseen[1:]), [0], **OPTIONS
    )
    assert run.seen_f1 is None and run.history.val_seen_f1 == []
    (other,) = run_seeds(make, apart, [0], **OPTIONS)
    assert (run.val_f1, run.test_f1) == (other.val_f1, other.test_f1)


def test_a_training_graph_without_seen_genes_is_passed_over(apart):
    empty = replace(
        apart.train[0], train_mask=torch.zeros_like(apart.train[0].train_mask)
    )
    apart = replace(apart, genes=None)
    one = trained(replace(apart, train=[empty, *apart.train[1:]]))
    other = trained(replace(apart, train=apart.train[1:]))
    assert torch.equal(one[0], other[0])


# --------------------------------------------------------- the real graphs

DATA = Path(os.environ.get("GAT_COURSE_DATA", "nowhere"))


@pytest.mark.skipif(
    not (DATA / "ppi" / "ppi_go2022.zip").exists(),
    reason="GAT_COURSE_DATA has no ppi/ppi_go2022.zip",
)
def test_what_ppi_leaks():
    """The counts of `agitter/GraphSagePPIAnalysis`, and its table's score."""
    tissues = load_ppi(labels="GO-2022")
    found = torch.cat(tissues.genes)
    assert (len(found), len(found.unique())) == (56_944, 4_301)
    known = torch.isin(torch.cat(tissues.genes[-2:]), torch.cat(tissues.genes[:20]))
    assert (int(known.sum()), len(known)) == (5_490, 5_524)
    told = {"nodes": 5_524, "known": 5_490, "micro-F1": 0.9970}
    assert papers.lookup_scores(tissues) == told
    # Features and labels belong to the gene: the file's rows are put to the right one.
    rows = torch.cat([torch.cat([g.x, g.y], dim=1) for g in tissues.graphs])
    order = found.argsort(stable=True)
    same = found[order][1:] == found[order][:-1]
    assert torch.equal(rows[order][1:][same], rows[order][:-1][same])
    # Rows that are equal tell the genes apart but for a few.
    alike = torch.cat(genes.same_rows(tissues))
    assert len(alike.unique()) == 4_125
    assert len(torch.stack([found, alike]).unique(dim=1)[0]) == 4_301
    # And the links of the test graphs are those of the training graphs.
    joined, old = set(), []
    for graph, numbers in zip(tissues.train, tissues.genes, strict=False):
        ends = numbers[graph.src].tolist(), numbers[graph.dst].tolist()
        joined |= set(zip(*ends, strict=True))
    for graph, numbers in zip(tissues.test, tissues.genes[-2:], strict=True):
        ends = numbers[graph.src].tolist(), numbers[graph.dst].tolist()
        old += [pair in joined for pair in zip(*ends, strict=True)]
    assert (sum(old), len(old)) == (160_526, 161_976)
