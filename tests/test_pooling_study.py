"""The experiments of chapter 8: recipes, teaching, and what is measured."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gat_course import catalogue, counting, node_effects
from gat_course.experiments import pooling

SHORT = replace(pooling.COLORS, epochs=(2, 2), decay_at=((), ()))


@pytest.fixture(scope="module")
def sets():
    return counting.colors(40, 10, 10)


@pytest.mark.parametrize("kind", pooling.TEACHING)
def test_each_kind_is_taught(sets, kind):
    model = pooling.teach(SHORT, kind, sets["train"], sets["val"], seed=0)
    found = pooling.scores(model, {"Test-Orig": sets["Test-Orig"]})
    assert 0 <= found["Test-Orig"] <= 100
    assert ("Test-Orig, auc" in found) == (kind != "global")


def test_an_unknown_kind_is_refused(sets):
    with pytest.raises(ValueError, match="kind must be one of global"):
        pooling.teach(SHORT, "self-taught", sets["train"], sets["val"], seed=0)


def test_kinds_that_pool_start_alike(sets):
    starts = []
    for kind in pooling.TEACHING[1:]:
        torch.manual_seed(3)
        starts.append(pooling.build(pooling.COLORS, kind, sets["train"]))
    first = starts[0].state_dict()
    for other in starts[1:]:
        for name, value in other.state_dict().items():
            assert torch.equal(first[name], value)


def test_a_recipe_may_scale_its_weights(sets):
    recipe = replace(pooling.COLORS, scaled=True)
    model = pooling.build(recipe, "supervised", sets["train"])
    assert model.pooling.scaled
    assert not pooling.build(pooling.COLORS, "supervised", sets["train"]).pooling.scaled


def test_weak_labels_are_those_of_a_trained_network(sets):
    train, val = sets["train"], sets["val"]
    found = pooling.labelled(SHORT, train, val, seed=0)
    teacher = pooling.teach(SHORT, "global", train, val, seed=0)
    assert torch.equal(found.attention, node_effects(teacher, train))


@pytest.mark.parametrize("scaled", [False, True])
def test_digits_are_taught_with_and_without_the_scale(sets, monkeypatch, scaled):
    asked, teach = [], pooling.teach
    monkeypatch.setattr(pooling, "_mnist", lambda graphs: sets)

    def recorded(recipe, *rest):
        asked.append(recipe.scaled)
        return teach(replace(SHORT, scaled=recipe.scaled), *rest)

    monkeypatch.setattr(pooling, "teach", recorded)
    found = pooling.measure_mnist("supervised", 40, 2, seed=0, scaled=scaled)
    assert {"Test-Orig", "Test-LargeC, auc"} <= set(found)
    assert asked == [scaled]


def test_the_paper_s_recipes():
    """Widths, orders and epochs of the authors' scripts."""
    colors, triangles, mnist = pooling.COLORS, pooling.TRIANGLES, pooling.MNIST
    assert colors.network["widths"] == (64, 64) and colors.epochs == (300, 100)
    assert triangles.network["order"] == 7 and triangles.before == (2, 3)
    assert mnist.network["widths"] == (4, 64, 512) and mnist.epochs == (30, 30)
    assert all(recipe.beta == 100 for recipe in (colors, triangles, mnist))


def test_a_shorter_recipe_falls_at_the_same_shares():
    short = pooling.shorter(pooling.MNIST, 12)
    assert short.epochs == (12, 12) and short.decay_at == ((8, 10), (8, 10))
    assert pooling.shorter(pooling.COLORS, 30).decay_at == ((28,), (27,))


def test_accuracy_by_size_is_that_of_the_graphs_of_that_size():
    pack = counting.colors(1, 1, 180)["Test-Large"]

    class Knows(torch.nn.Module):  # right for graphs of more than 100 nodes
        def forward(self, graph, x, return_attention=False):
            sizes = torch.bincount(graph.graph_of)
            green = (x[:, 1] == 1) & (x.sum(dim=1) == 1)
            counted = torch.zeros(len(sizes)).index_add(
                0, graph.graph_of, green.float()
            )
            out = (counted + (sizes <= 100)).unsqueeze(1)
            return (out, []) if return_attention else out

    found = pooling.by_size(Knows(), pack, (100, 200))
    assert found == {"to 100 nodes": 0.0, "to 200 nodes": 100.0}


def test_runs_measure_what_their_tables_show(monkeypatch):
    monkeypatch.setattr(pooling, "COLORS", SHORT)
    monkeypatch.setattr(
        pooling, "_colors", lambda dim, seed: counting.colors(30, 5, 30)
    )
    found = pooling.measure_colors("unsupervised", dim=3, seed=0)
    assert {"Test-LargeC", "Test-LargeC, auc", "start, auc", "to 50 nodes"} <= set(
        found
    )
    found = pooling.measure_colors("global", dim=3, seed=0)
    assert "Test-Orig, auc" in found and "Test-Large, auc" not in found
    assert "Test-Large, kept" in pooling.measure_input(dim=3, seed=0)
    assert set(pooling.measure_readouts("max", seed=0)) == {
        "Test-Orig",
        "Test-Large",
        "Test-LargeC",
    }
    assert "Test-Large" in pooling.measure_layers("colors", "GIN", "supervised", 0)


def test_a_picture_keeps_the_weight_of_each_node(monkeypatch):
    (pack,) = pooling.picture_of("triangles").values()
    assert len(pack) == 1 and 35 <= int(pack.sizes) <= 50
    small = counting.triangles(30, 10, 10)
    monkeypatch.setattr(pooling, "_triangles", lambda graphs: small)
    monkeypatch.setattr(
        pooling,
        "shorter",
        lambda recipe, _: replace(recipe, epochs=(1, 1), decay_at=((), ())),
    )
    found = pooling.measure_picture("triangles", "supervised", 0)
    n = int(pack.sizes)
    weights = [found[f"Test-Large, node {i}"] for i in range(n)]
    assert sum(weights) == pytest.approx(1, abs=1e-5) and len(found) == 2 * n
    assert found[f"Test-Large, node {weights.index(max(weights))} stays"] == 1


def test_a_picture_of_a_digit_is_of_the_scaled_network(sets, monkeypatch):
    asked, teach = [], pooling.teach
    test = sets["Test-Orig"].take([0])
    monkeypatch.setattr(pooling, "_mnist", lambda graphs: sets)
    monkeypatch.setattr(pooling, "picture_of", lambda task: {"Test-Orig": test})

    def recorded(recipe, *rest):
        asked.append(recipe.scaled)
        return teach(replace(SHORT, scaled=recipe.scaled), *rest)

    monkeypatch.setattr(pooling, "teach", recorded)
    found = pooling.measure_picture("mnist", "supervised", 0)
    assert asked == [True]
    n = int(test.sizes)
    assert sum(found[f"Test-Orig, node {i}"] for i in range(n)) == pytest.approx(1)


def test_real_graphs_are_split_by_size_and_chosen_by_validation(monkeypatch):
    from gat_course.datasets import tu

    pack = tu.synthetic_tu("PROTEINS", 90)
    monkeypatch.setattr(pooling, "_tu", lambda name: pack)
    monkeypatch.setattr(pooling, "TRIED", {"threshold": (0.01, 0.9), "beta": (1.0,)})
    short = pooling.tu_recipe("PROTEINS", 0.01, 1.0)
    monkeypatch.setattr(
        pooling,
        "tu_recipe",
        lambda name, threshold, beta: replace(
            short,
            thresholds=dict.fromkeys(pooling.TEACHING[1:], threshold),
            beta=beta,
            epochs=(1, 1),
        ),
    )
    monkeypatch.setitem(pooling.TU, "PROTEINS", (20, 1))
    asked, teach = [], pooling.teach

    def recorded(recipe, kind, train, val, *rest):
        asked.append((kind, train, val))
        return teach(recipe, kind, train, val, *rest)

    monkeypatch.setattr(pooling, "teach", recorded)
    found = pooling.measure_tu("PROTEINS", "weakly supervised", 0)
    # The teacher of all trials, two trials, the teacher of the last network, and it.
    kinds = ["global", "supervised", "supervised", "global", "supervised"]
    assert [kind for kind, _, _ in asked] == kinds
    for kind, train, _ in asked:
        assert int(train.sizes.max()) <= 20
        assert (train.attention is None) == (kind == "global")
    own, held, whole = asked[0][1], asked[0][2], asked[3][1]
    assert len(own) + len(held) == len(whole) == int((pack.sizes <= 20).sum())
    assert torch.equal(held.graph.x, whole.take(range(len(held))).graph.x)
    left = range(len(held), len(whole))
    assert torch.equal(own.graph.x, whole.take(left).graph.x)
    assert {"test", "kept", "threshold", "beta"} == set(found)
    assert found["threshold"] in (0.01, 0.9)
    assert set(pooling.measure_tu("PROTEINS", "global", 0)) == {"test"}


def test_every_experiment_of_the_chapter_has_a_command():
    names = {"colors", "triangles", "mnist-75sp", "proteins", "dd", "collab"}
    assert names <= set(catalogue.GRIDS)
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text("utf-8")
    loops = re.findall(r"^for NAME in ([^;]*);", text, flags=re.MULTILINE)
    listed = [name for loop in loops for name in loop.replace("\\", "").split()]
    stored = [name for name, grid in catalogue.GRIDS.items() if grid.stored]
    assert sorted(listed) == sorted(stored)
