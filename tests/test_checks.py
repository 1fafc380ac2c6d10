"""The checks of exercises: blank answers, right ones, and typical wrong ones."""

import math

import networkx as nx
import pytest
import torch
import torch.nn.functional as F

from gat_course import GraphData, attention, checks, formulas

EXERCISES = [
    "1.1",
    "1.2",
    "1.3",
    "1.4",
    "1.5",
    "1.6",
    "5.1",
    "5.2",
    "5.3",
    "5.4",
    "5.5",
]


def test_there_is_a_check_for_each_of_these():
    assert list(checks._CHECKS) == EXERCISES
    with pytest.raises(KeyError, match="no exercise '9.9'"):
        checks.exercise("9.9", 1)


def nothing(*_, **__):
    return None


BLANK = {"1.1": ([None] * 2,), "1.6": (None, None), "5.2": (None,)}


@pytest.mark.parametrize("number", EXERCISES)
def test_a_starter_cell_is_not_done_yet(number, capsys):
    assert not checks.exercise(number, *BLANK.get(number, (nothing,)))
    assert capsys.readouterr().out == f"Exercise {number}: not done yet.\n"


def karate(**changes):
    club = nx.karate_club_graph()
    side = [int(club.nodes[i]["club"] == "Officer") for i in club]
    index = torch.arange(34)
    fields = {
        "x": torch.eye(34),
        "y": torch.tensor(side),
        "train_mask": (index == 0) | (index == 33),
        "val_mask": (index == 1) | (index == 32),
        "test_mask": (index > 1) & (index < 32),
    }
    return GraphData.from_networkx(club, **{**fields, **changes})


def softmax_row_by_row(scores, mask, tau):
    out = torch.zeros_like(scores)
    for i in range(len(scores)):
        out[i, mask[i] > 0] = torch.softmax(scores[i, mask[i] > 0] / tau, 0)
    return out


def naive_softmax(scores, mask, tau):
    terms = torch.exp(scores / tau) * mask
    return terms / terms.sum(1, keepdim=True)


def layer(x, adjacency, weight, att_dst, att_src):
    z = x @ weight
    alpha = formulas.masked_softmax(
        formulas.attention_scores(z, att_dst, att_src), adjacency
    )
    return alpha @ z


def nan_layer(x, adjacency, weight, att_dst, att_src):
    e = formulas.attention_scores(x @ weight, att_dst, att_src)
    return torch.softmax(e.masked_fill(adjacency == 0, -math.inf), 1) @ (x @ weight)


def everyone_layer(x, adjacency, weight, att_dst, att_src):
    e = formulas.attention_scores(x @ weight, att_dst, att_src)
    return torch.softmax(e.masked_fill(adjacency == 0, -9e15), 1) @ (x @ weight)


def gatv2(z_dst, z_src, a, negative_slope=0.2):
    return F.leaky_relu(z_dst[:, None] + z_src[None], negative_slope) @ a


def homophily(graph):
    edge = graph.src != graph.dst
    return (graph.y[graph.src] == graph.y[graph.dst])[edge].float().mean()


def with_loops(graph):
    return (graph.y[graph.src] == graph.y[graph.dst]).float().mean()


def relative(graph, alpha):
    top = attention.uniform_entropy(graph).masked_fill(graph.in_degrees < 2, math.nan)
    return attention.entropy(graph, alpha) / top.unsqueeze(1)


def relative_zero(graph, alpha):
    return relative(graph, alpha).nan_to_num(0)


def propagate(graph, steps=50, leak=False):
    known = torch.ones_like(graph.train_mask) if leak else graph.train_mask
    labels = F.one_hot(graph.y).float() * known.unsqueeze(1)
    weights = formulas.mean_weights(graph.dense_adjacency())
    p = labels
    for _ in range(steps):
        p = torch.where(known.unsqueeze(1), labels, weights @ p)
    return p.argmax(1)


def best(accuracies, n):
    a, m = sorted(accuracies), len(accuracies)
    return sum(v * (((i + 1) / m) ** n - (i / m) ** n) for i, v in enumerate(a))


AWAY = torch.tensor([[-10.0, 100.0], [10.0, 100.0]])
RIGHT = {
    "1.1": ([0.599, 0.401],),
    "1.2": (softmax_row_by_row,),
    "1.3": (layer,),
    "1.4": (gatv2,),
    "1.5": (lambda n, e, k: (k * n * n, k * e, 2 * k * n),),
    "1.6": (AWAY, [0.0, 1, 1, 0]),
    "5.1": (homophily,),
    "5.2": (karate().with_self_loops(),),
    "5.3": (relative,),
    "5.4": (propagate,),
    "5.5": (best,),
}


@pytest.mark.parametrize("number", EXERCISES)
def test_a_right_answer_is_right(number, capsys):
    assert checks.exercise(number, *RIGHT[number])
    assert capsys.readouterr().out == f"Exercise {number}: right.\n"


@pytest.mark.parametrize("number", EXERCISES)
def test_a_check_leaves_the_readers_random_seed_alone(number):
    before = torch.get_rng_state()
    checks.exercise(number, *RIGHT[number])
    assert torch.equal(torch.get_rng_state(), before)


WRONG = [
    ("1.1", ([0.8, 0.3],), "sum to 1.100"),
    ("1.1", ([0.5, 0.5],), "off by"),
    ("1.1", ([0.881, 0.119],), "leave out LeakyReLU"),
    ("1.1", ([0.401, 0.599],), "first source 3"),
    ("1.2", (naive_softmax,), "contains NaN"),
    ("1.2", (lambda s, m, t: softmax_row_by_row(s, m, 1.0),), "At τ = 10"),
    ("1.2", (lambda s, m, t: torch.softmax(s / t, 1),), "masked entry"),
    ("1.3", (nan_layer,), "isolated node's output contains NaN"),
    ("1.3", (everyone_layer,), "isolated node's output is off"),
    ("1.3", (lambda x, a, w, d, s: layer(x, a, w, s, d),), "halves of a are swapped"),
    ("1.3", (lambda *args: F.elu(layer(*args)),), "Node 0's output"),
    ("1.4", (lambda d, s, a, n=0.2: gatv2(d, s, a).t(),), "the target is the row"),
    (
        "1.4",
        (lambda d, s, a, n=0.2: F.leaky_relu((d[:, None] + s) @ a, n),),
        "GAT's score",
    ),
    ("1.5", (lambda n, e, k: (k * n * n, k * e, k * n),), "plays two roles"),
    ("1.5", (lambda n, e, k: (n * n, e, 2 * n),), "all pairs: it is not 100"),
    ("1.5", (lambda n, e, k: (n, e),), "should have shape [3]"),
    ("1.6", (torch.eye(2), [1.0, 0, 1, -1]), "not more than 0.99"),
    ("1.6", (torch.eye(2), [1.0]), "should be"),
    ("5.1", (with_loops,), "with self-loops it is off"),
    ("5.2", (karate(),), "34 nodes and 190 edges"),
    ("5.2", (karate(y=None).with_self_loops(),), "Still missing: y"),
    (
        "5.2",
        (karate(test_mask=torch.ones(34).bool()).with_self_loops(),),
        "exactly one",
    ),
    ("5.2", ("club",), "Build a GraphData"),
    ("5.3", (relative_zero,), "return NaN"),
    ("5.3", (attention.entropy,), "The ratio of a node"),
    ("5.4", (lambda g: propagate(g, leak=True),), "a leak"),
    ("5.4", (lambda g: torch.zeros(6),), "every node should get"),
    ("5.5", (lambda a, n: max(a),), "For n = 1"),
    ("5.5", (lambda a, n: sum(a) / len(a),), "n = 2"),
]


@pytest.mark.parametrize(("number", "answer", "hint"), WRONG)
def test_a_typical_mistake_is_named(number, answer, hint, capsys):
    assert not checks.exercise(number, *answer)
    out = capsys.readouterr().out
    assert out.startswith(f"Exercise {number}: not right yet.") and hint in out


def test_an_answers_own_error_is_shown_as_it_is():
    with pytest.raises(ZeroDivisionError):
        checks.exercise("5.1", lambda graph: 1 / 0)
