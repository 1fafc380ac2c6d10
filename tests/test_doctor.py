"""The doctor: planted defects are named, correct models come out clean."""

import math
import re
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gat_course import (
    BOOK,
    GAT,
    DenseGATLayer,
    DGLGATLayer,
    EdgeGATLayer,
    GATv2Layer,
    GraphData,
    doctor,
)
from gat_course.diagnosis.findings import AILMENTS
from gat_course.experiments import catalogue, departures
from gat_course.intervals import difference
from gat_course.training.history import History
from gat_course.training.one_graph import fit
from tools import book


def citations(num_nodes):
    """Papers of four topics with words of their own; each row of words sums to 1."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(num_nodes) % 4
    ends = torch.randint(num_nodes, (2, 2 * num_nodes), generator=generator)
    pairs = torch.unique(ends.sort(0).values, dim=1)
    pairs = pairs[:, pairs[0] < pairs[1]]
    shares = torch.rand(num_nodes, 24, generator=generator)
    own = torch.arange(24) % 4 == y.unsqueeze(1)
    words = (shares < 0.1 + 0.2 * own).float()
    words[:, 0] += (words.sum(1) == 0).float()
    masks = {}
    for k, name in enumerate(("train_mask", "val_mask", "test_mask")):
        masks[name] = torch.arange(num_nodes) % 3 == k
    x = words / words.sum(1, keepdim=True)
    return GraphData.from_edges(*pairs, num_nodes, undirected=True, x=x, y=y, **masks)


GRAPH = citations(300)
LOOPS = GRAPH.with_self_loops()
F_IN, C = GRAPH.num_features, GRAPH.num_classes


def edge_index(graph):
    return torch.stack([graph.src, graph.dst])


# ------------------------------------------------------------ a reader's own networks


class Own(nn.Module):
    """Two dense layers by hand, with one defect or none."""

    def __init__(self, defect=""):
        super().__init__()
        self.defect = defect
        sizes = [(F_IN, 8, 4), (32, C, 1)]
        self.W = nn.ParameterList(
            nn.Parameter(torch.randn(f, k * h) / 4) for f, h, k in sizes
        )
        self.a = nn.ParameterList(
            nn.Parameter(torch.randn(2, k, h) / 2) for f, h, k in sizes
        )
        self.sizes = sizes
        self.kept = None

    def drop(self, x):
        if self.defect == "no dropout":
            return x
        training = True if self.defect == "random when evaluated" else self.training
        return F.dropout(x, 0.6, training)

    def attend(self, e, A):
        """Weights [K, N, N] from scores [K, N, N]."""
        d = self.defect
        if d == "dropout before the softmax":
            e = self.drop(e)
        allowed = A > 0
        if d == "isolated hears all":
            alpha = torch.softmax(e.masked_fill(~allowed, -9e15), -1)
        elif d == "isolated is NaN":
            alpha = torch.softmax(e.masked_fill(~allowed, -math.inf), -1)
        elif d == "wrong axis":
            e = e.masked_fill(~allowed, -math.inf)
            alpha = torch.softmax(e, -2).nan_to_num(0)
        elif d == "whole graph":
            e = e.masked_fill(~allowed, -math.inf)
            alpha = e.flatten(1).softmax(1).view_as(e)
        else:
            top = e.masked_fill(~allowed, -math.inf).amax(-1, keepdim=True)
            top = top.masked_fill(top == -math.inf, 0)
            if d == "one maximum":
                top = e.masked_fill(~allowed, -math.inf).max()
            if d in ("overflow", "not normalised"):
                top = 0
            w = torch.exp(e - top) * A
            w = w if d == "overflow" else torch.where(allowed, w, 0)
            total = w.sum(-1, keepdim=True)
            alpha = w / total.masked_fill(total == 0, 1)
            if d == "not normalised":
                alpha = torch.sigmoid(e) * A
        return alpha if d == "dropout before the softmax" else self.drop(alpha)

    def forward(self, x, A):
        d = self.defect
        if d == "graph kept":
            self.kept = (
                A if self.kept is None or len(self.kept) != len(A) else self.kept
            )
            A = self.kept
        if d == "direction":
            A = A.t()
        if d == "both ways":
            A = torch.maximum(A, A.t())
        if d == "order":
            x = x + 0.05 * torch.arange(len(x)).unsqueeze(1)
        for layer, (_, width, heads) in enumerate(self.sizes):
            z = (self.drop(x) @ self.W[layer]).view(len(x), heads, width)
            s = torch.einsum("nkf,pkf->pkn", z, self.a[layer])
            slope = 0.01 if d == "slope" else 0.2
            dst = s[0].detach() if d == "dead parameters" else s[0]
            alpha = self.attend(F.leaky_relu(dst[:, :, None] + s[1][:, None], slope), A)
            out = torch.einsum("kij,jkf->ikf", alpha, z)
            x = F.elu(out.flatten(1)) if layer == 0 else out.mean(1)
            if d == "one answer for all" and layer:
                x = torch.mean(out).expand(len(x), C) + self.W[1][0, :C]
        ends = {
            "probabilities": partial(torch.softmax, dim=1),
            "sigmoid": torch.sigmoid,
        }
        ends |= {"activation": torch.relu}
        return ends.get(d, lambda x: x)(x)


def own(model, graph):
    return model(graph.x, graph.dense_adjacency())


OWN = (
    "slope",
    "random when evaluated",
    "no dropout",
    "dropout before the softmax",
    "probabilities",
    "sigmoid",
    "activation",
    "one answer for all",
    "graph kept",
    "order",
    "direction",
    "both ways",
    "whole graph",
    "wrong axis",
    "not normalised",
    "isolated hears all",
    "isolated is NaN",
    "one maximum",
    "overflow",
    "dead parameters",
)


@pytest.mark.parametrize("defect", OWN)
def test_a_defect_in_an_own_network_is_named(defect):
    report = doctor(Own(defect).eval(), LOOPS, own)
    assert defect in report.names, report
    # Nothing that has another cause is found beside it.
    assert report.names == [defect], report


def test_an_own_network_without_a_defect_is_clean():
    report = doctor(Own(), LOOPS, own)
    assert report.names == [] and not report.open, report
    assert len(report.clean) >= 20


def test_without_self_loops_an_own_network_forgets_itself():
    assert doctor(Own(), GRAPH, own).names == ["forgets itself"]


# ------------------------------------------------------------ PyG


def pyg(**options):
    conv = pytest.importorskip("torch_geometric.nn").GATConv
    first = {"negative_slope": 0.2, "dropout": 0.6}
    first |= {k: v for k, v in options.items() if k in ("negative_slope", "flow")}
    if "add_self_loops" in options:
        first["add_self_loops"] = options["add_self_loops"]
    if "dropout" in options:
        first["dropout"] = options["dropout"]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = conv(F_IN, 8, 4, **first)
            self.two = conv(
                32,
                C,
                options.get("out_heads", 1),
                concat=options.get("concat", False),
                **first,
            )
            self.edges = edge_index(GRAPH) if options.get("kept") else None

        def forward(self, x, edges):
            edges = edges if self.edges is None else self.edges
            p, on = options.get("dropout", 0.6), options.get("always", self.training)
            h = F.elu(self.one(F.dropout(x, p, on), edges))
            out = self.two(F.dropout(h, p, on), edges)
            return options.get("end", lambda x: x)(out)

    torch.manual_seed(1)
    return Net()


PYG = {
    "slope": {"negative_slope": 0.01},
    "random when evaluated": {"always": True},
    "no dropout": {"dropout": 0.0},
    "probabilities": {"end": partial(torch.softmax, dim=1)},
    "activation": {"end": F.elu},
    "wrong width": {"out_heads": 2, "concat": True},
    "graph kept": {"kept": True},
    "direction": {"flow": "target_to_source"},
    "forgets itself": {"add_self_loops": False},
}


@pytest.mark.parametrize("defect", PYG)
def test_a_defect_in_pygs_network_is_named(defect):
    report = doctor(pyg(**PYG[defect]), GRAPH)
    assert defect in report.names, report
    beside = {"graph kept": {"one size"}}.get(defect, set())
    assert set(report.names) <= {defect} | beside, report


def test_pygs_network_is_clean():
    assert doctor(pyg(), GRAPH).names == []
    assert doctor(pyg(), LOOPS).names == []


# ------------------------------------------------------------ DGL


def dgl_net(dgl, **options):
    conv = dgl.nn.GATConv
    slope, p = options.get("slope", 0.2), options.get("dropout", 0.6)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            common = {"negative_slope": slope, "allow_zero_in_degree": True}
            self.one = conv(F_IN, 8, 4, p, p, activation=F.elu, **common)
            self.two = conv(32, C, 2, p, p, **common)
            self.graph = LOOPS.dgl() if options.get("kept") else None

        def forward(self, g, x):
            g = g if self.graph is None else self.graph
            g = dgl.reverse(g) if options.get("reverse") else g
            h = self.one(g, x).flatten(1)
            out = self.two(g, h)
            if options.get("everything"):
                heads = [out[:, 0], out[:, 1]]
                return torch.mean(torch.stack(heads)).expand(len(x), C)
            out = out.sum(1) if options.get("sum") else out.mean(1)
            return options.get("end", lambda x: x)(out)

    torch.manual_seed(1)
    return Net()


DGL = {
    "slope": {"slope": 0.01},
    "no dropout": {"dropout": 0.0},
    "probabilities": {"end": partial(torch.softmax, dim=1)},
    "sigmoid": {"end": torch.sigmoid},
    "one answer for all": {"everything": True},
    "graph kept": {"kept": True},
    "direction": {"reverse": True},
}


@pytest.mark.parametrize("defect", DGL)
def test_a_defect_in_dgls_network_is_named(dgl, defect):
    report = doctor(dgl_net(dgl, **DGL[defect]), LOOPS)
    assert defect in report.names, report


def test_dgls_network_is_clean(dgl):
    assert doctor(dgl_net(dgl), LOOPS).names == []


# ------------------------------------------------------------ the course's


@pytest.mark.parametrize(
    "layer", [EdgeGATLayer, DenseGATLayer, DGLGATLayer, GATv2Layer]
)
def test_the_courses_networks_are_clean(layer):
    if layer is DGLGATLayer:
        pytest.importorskip("dgl", exc_type=Exception)
    report = doctor(GAT(F_IN, C, layer=layer), LOOPS)
    assert report.names == [], report


def test_more_than_twenty_defects_in_three_libraries():
    assert len({*OWN, *PYG, *DGL}) >= 20
    assert {*OWN, *PYG, *DGL} <= set(AILMENTS)


# ------------------------------------------------------------ data and training


def changed(**fields):
    kept = {
        n: getattr(LOOPS, n) for n in ("y", "train_mask", "val_mask", "test_mask", "x")
    }
    kept |= {"src": LOOPS.src, "dst": LOOPS.dst, "num_nodes": LOOPS.num_nodes} | fields
    return GraphData(**kept)


def test_the_data_is_examined():
    flags = (LOOPS.x > 0).float()
    one_way = LOOPS.src <= LOOPS.dst
    twice = torch.cat([LOOPS.src, LOOPS.src]), torch.cat([LOOPS.dst, LOOPS.dst])
    model = GAT(F_IN, C)
    for graph, name in (
        (changed(x=flags), "features not normalised"),
        (changed(src=LOOPS.src[one_way], dst=LOOPS.dst[one_way]), "one way"),
        (changed(src=twice[0], dst=twice[1]), "edges repeated"),
        (changed(test_mask=LOOPS.train_mask), "split"),
        (changed(val_mask=None), "split"),
    ):
        assert name in doctor(model, graph).names, name


def test_the_history_is_examined():
    falling = [2 - k / 100 for k in range(30)]
    long = [1 + abs(k - 50) / 100 for k in range(300)]
    good = [1 + abs(k - 50) / 100 for k in range(150)]
    for history, names in (
        ({"val_loss": falling}, ["too few epochs"]),
        ({"val_loss": long}, ["trained too long"]),
        ({"val_loss": good}, []),
        ({"test_accuracy": [70, 80]}, ["chosen by test"]),
        (History(train_loss=good, val_loss=long, val_score=good), ["trained too long"]),
    ):
        assert doctor(GAT(F_IN, C), LOOPS, history=history).names == names


# ------------------------------------------------------------ manners


def test_the_model_and_the_session_stay_as_they_are():
    model = GAT(F_IN, C).train()
    before = {n: p.clone() for n, p in model.state_dict().items()}
    state = torch.get_rng_state()
    doctor(model, LOOPS)
    assert model.training and torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(p, before[n]) for n, p in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_what_cannot_be_asked_is_said():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.A = LOOPS.dense_adjacency()
            self.net = Own()

        def forward(self, x):
            return self.net(x, self.A)

    report = doctor(Fixed(), LOOPS, lambda m, g: m(g.x))
    assert {"graph kept", "one size"} <= set(report.names)
    text = repr(report)
    assert "isolated nodes, large scores (mend this first: graph kept)." in text


def test_a_graph_of_a_few_nodes_will_do():
    data = {"x": torch.rand(3, 4), "y": [0, 1, 1]}
    path = GraphData.from_edges([0, 1], [1, 2], undirected=True, **data)
    assert doctor(GAT(4, 2), path.with_self_loops()).names == []


def test_odd_but_legal_models_and_graphs_are_taken():
    class Keeps(Own):
        def forward(self, x, A):
            self.last = [super().forward(x, A)]  # with its history
            return self.last[0]

    kept = Keeps()
    kept(LOOPS.x, LOOPS.dense_adjacency())
    assert doctor(kept, LOOPS, own).names == []

    class Writes(Own):
        def forward(self, x, A):
            return super().forward(x.mul_(2.0), A)

    x = LOOPS.x.clone()
    assert doctor(Writes(), LOOPS, own).names == [] and torch.equal(LOOPS.x, x)
    with torch.inference_mode():
        assert doctor(GAT(F_IN, C), LOOPS).names == []
    wide = changed(x=LOOPS.x.double())
    assert doctor(GAT(F_IN, C).double(), wide).names == []
    floats = changed(y=torch.rand(300))
    report = doctor(GAT(F_IN, 1), floats)
    assert report.names == [] and "one column for each class" in report.open
    for history in ({"val_loss": []}, {"val_loss": ["a"]}):
        assert doctor(GAT(F_IN, C), LOOPS, history=history).names == []


def test_mistakes_of_the_caller_are_named():
    with pytest.raises(
        TypeError, match="does not know how to call the model.*It tried"
    ):
        doctor(nn.Linear(3, 2), LOOPS)
    with pytest.raises(ValueError, match="graph needs features x"):
        doctor(GAT(3, 2), GraphData(num_nodes=2, src=[0], dst=[1]))
    with pytest.raises(TypeError, match="must be a GraphData, not int"):
        doctor(GAT(3, 2), 3)


def test_a_report_says_what_how_sure_what_it_costs_and_where_to_read():
    text = repr(doctor(Own("slope"), LOOPS, own))
    assert text.startswith("One thing departs from the paper")
    for part in ("1. slope (certain).", "Seen: slope 0.01", "Cost: not shown", BOOK):
        assert part in text
    text = repr(doctor(GAT(F_IN, C), LOOPS))
    assert text.startswith("Nothing was found; of 23 questions 23 were answered as by")
    assert text.endswith("A fault that changes none of these answers is not seen.")


def test_the_readers_own_graph_is_run_through_the_model_a_few_times_only():
    """What takes time; the other calls are on graphs of a few nodes."""
    large, small = [], []

    def forward(model, graph):
        (large if graph.num_nodes == LOOPS.num_nodes else small).append(graph)
        return model(graph, graph.x)

    assert doctor(GAT(F_IN, C), LOOPS, forward).names == []
    assert len(large) < 20 and len(small) < 40
    assert max(graph.num_nodes for graph in small) <= 40


def test_a_step_backwards_that_fails_is_said_and_ends_nothing():
    class InPlace(Own):
        def forward(self, x, A):
            gate = torch.sigmoid(super().forward(x, A))
            return gate.sum() * gate.add_(1).log()  # spoils what sigmoid has kept

    state = str(np.random.get_state())
    report = doctor(InPlace(), LOOPS, own)
    assert "modified by an inplace operation" in report.open["gradients"]
    assert str(np.random.get_state()) == state


def test_the_costs_are_chapter_5s():
    outputs = [
        output.get("text", output.get("data", {}).get("text/plain", ""))
        for cell in book.read(book.ROOT / "book" / "05-cora.ipynb").cells
        for output in cell.get("outputs", ())
    ]
    shown = "\n".join(outputs)
    for name, row in {
        "slope": "slope 0.01, PyTorch's default",
        "random when evaluated": r"Cora, model.eval\(\) forgotten: .*\n",
        "no dropout": "no dropout",
        "forgets itself": "no self-loops",
        "features not normalised": "features not normalised",
        "too few epochs": "30 epochs at rate 0.001",
    }.items():
        (line,) = re.findall(rf"^{row} +(\S+, 95 % interval .*)$", shown, re.MULTILINE)
        measured = [f"{abs(float(n)):.1f}" for n in re.findall(r"-?\d+\.\d\d", line)]
        said = re.findall(r"\d+\.\d(?!\d)", AILMENTS[name].cost)
        assert sorted(said) == sorted(measured), name
    (mlp,) = re.findall(r"^MLP +(58)\.0 ± .* 55\.1$", shown, re.MULTILINE)
    assert f"an MLP has {mlp} %" in AILMENTS["graph kept"].cost


def test_the_other_costs_are_those_of_its_own_runs():
    runs = catalogue.stored("departures")
    scores = {name: own["test"].tolist() for name, own in runs.groupby("change")}
    for name, change in {
        "dropout before the softmax": "dropout before the softmax",
        "probabilities": "softmax before the loss",
        "sigmoid": "sigmoid before the loss",
        "activation": "ReLU after the last layer",
        "whole graph": "softmax over all edges",
        "wrong axis": "softmax over targets",
        "not normalised": "sigmoid of each score",
        "one way": "each link one way",
        "edges repeated": "each link twice",
        "trained too long": departures.LONG,
    }.items():
        found = difference(scores[change], scores["none"])
        numbers = found.mean, found.low, found.high
        if found.low < 0 < found.high:
            signed = [f"{'+' if n >= 0 else '−'}{abs(n):.1f}" for n in numbers]
            begins = "not shown on Cora: {}{} points, interval {} to {}"
            what = "ReLU " if name == "activation" else ""
        else:
            signed = [f"{-n:.1f}" for n in (numbers[0], numbers[2], numbers[1])]
            begins = "{}{} points on Cora, interval {} to {}"
            what = ""
        said = AILMENTS[name].cost.replace(", with cross_entropy", "")
        assert said.startswith(begins.format(what, *signed)), name


@pytest.mark.parametrize("change", departures.CHANGES)
def test_a_departure_trains(change, monkeypatch):
    """On a small graph, for some epochs: the change is made, and the rest is not."""
    short = partial(fit, max_epochs=3, progress=False)
    monkeypatch.setattr(departures, "citation", lambda name: GRAPH)
    monkeypatch.setattr(departures, "fit", lambda *given, **options: short(*given))
    found = departures.measure_departure(change, 0)
    assert 0 <= found["test"] <= 100 and found["epochs"] == 3


def test_the_departures_layers_do_what_their_names_say():
    torch.manual_seed(0)
    graph = GraphData(num_nodes=4, src=[0, 1, 2, 3, 0], dst=[1, 1, 1, 0, 3])
    z, away = torch.rand(4, 2, 3), departures.LAYERS
    sums = {}
    for name, layer in away.items():
        _, alpha = layer(3, 3, 2).attend(graph, z)
        sums[name] = alpha
    into = torch.zeros(4, 2).index_add(0, graph.dst, sums["dropout before the softmax"])
    assert torch.allclose(into, torch.tensor([1.0, 1, 0, 1]).unsqueeze(1).expand(4, 2))
    out = torch.zeros(4, 2).index_add(0, graph.src, sums["softmax over targets"])
    assert torch.allclose(out, torch.ones(4, 2))
    assert torch.allclose(sums["softmax over all edges"].sum(0), torch.ones(2))
    own = away["sigmoid of each score"](3, 3, 2)
    found = own.attend(graph, z)[1]
    assert torch.allclose(found, torch.sigmoid(own.scores(graph, z)))
    into = torch.zeros(4, 2).index_add(0, graph.dst, found)
    assert not torch.allclose(into[1], torch.ones(2))  # three sources: no sum of 1


def test_a_departures_graph_has_links_once_one_way_or_twice():
    one, both = (departures._changed(GRAPH, change) for change in departures.GRAPHS)
    pairs = set(zip(one.src.tolist(), one.dst.tolist(), strict=True))
    back = {(b, a) for a, b in pairs}
    given = set(zip(GRAPH.src.tolist(), GRAPH.dst.tolist(), strict=True))
    assert not pairs & back and pairs | back == given
    assert both.num_edges == 2 * GRAPH.num_edges
    assert departures._changed(GRAPH, "none").num_edges == GRAPH.num_edges


def test_what_the_errata_say_that_a_softmax_costs_is_in_the_last_table():
    runs = catalogue.stored("departures").groupby("change")["test"]
    cost = runs.mean()["none"] - runs.mean()["softmax before the loss"]
    text = (book.ROOT / "book" / "errata.ipynb").read_text(encoding="utf-8")
    assert f"On Cora it costs {cost:.0f} points (the last table)" in text


# ------------------------------------------------------------ what readers' own do


class Edges(nn.Module):
    """Two layers along `edge_index`, in the way of many own networks."""

    def __init__(self, change=""):
        super().__init__()
        self.change = change
        sizes = (F_IN, 8), (8, C)
        self.W = nn.ParameterList(torch.randn(size) / 2 for size in sizes)
        a = [torch.randn(2, f) for _, f in sizes]
        if change == "not registered":
            self.a = [part.requires_grad_() for part in a]
        else:
            self.a = nn.ParameterList(a)

    def forward(self, x, edges):
        src, dst = edges
        for number, (W, a) in enumerate(zip(self.W, self.a, strict=True)):
            if self.change == "rows" and not number:
                x = x / x.sum(1, keepdim=True).clamp(min=1e-9)
            z = F.dropout(x, 0.6, self.training or self.change == "on") @ W
            ends = (dst, dst) if self.change == "uniform" else (dst, src)
            e = (z[ends[0]] @ a[0]) + (z[ends[1]] @ a[1])
            if self.change == "scores":
                e = F.dropout(e, 0.6, self.training)
            e = F.leaky_relu(e, 0.01 if self.change == "slope" else 0.2)
            top = torch.full((len(x),), -math.inf).to(e)
            top = top.scatter_reduce(0, dst, e.detach(), "amax")
            w = (e - top[dst]).exp()
            alpha = w / torch.zeros(len(x)).to(w).index_add(0, dst, w)[dst]
            out = torch.zeros(len(x), z.shape[1]).to(z)
            x = out.index_add(0, dst, alpha.unsqueeze(1) * z[src])
            if not number:
                x = F.leaky_relu(x) if self.change == "hidden" else F.elu(x)
        return (x - x.mean(0)) / x.std() if self.change == "norm" else x


def names(change, graph=LOOPS, **options):
    torch.manual_seed(0)
    return doctor(Edges(change), graph, **options).names


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("", []),
        ("slope", ["slope"]),
        ("on", ["random when evaluated"]),
        ("scores", ["dropout before the softmax"]),
        ("uniform", ["dead parameters"]),
        ("not registered", ["not registered"]),
        ("norm", ["nodes mixed"]),
    ],
)
@pytest.mark.parametrize("sparse", [False, True])
def test_a_network_along_edges_is_examined_with_sparse_features_too(
    change, found, sparse
):
    graph = changed(x=LOOPS.x.to_sparse_csr()) if sparse else LOOPS
    assert names(change, graph) == found


def test_what_a_correct_network_does_otherwise_is_not_held_against_it():
    flags = changed(x=(LOOPS.x > 0).float())
    assert names("", flags) == ["features not normalised"]
    assert names("rows", flags) == []
    torch.manual_seed(0)
    (found,) = doctor(Edges("hidden"), LOOPS).findings
    assert (found.name, found.sure) == ("slope", "possible")
    column = LOOPS.x.clone()
    column[:, 3] = 0
    sums = column.sum(1, keepdim=True).clamp(min=1e-9)
    assert names("", changed(x=column / sums)) == []


def test_dgl_refuses_lonely_nodes_and_the_doctor_has_none(dgl):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = dgl.nn.GATConv(F_IN, 8, 4, 0.6, 0.6, activation=F.elu)
            self.two = dgl.nn.GATConv(32, C, 1, 0.6, 0.6)

        def forward(self, g, x):
            return self.two(g, self.one(g, x).flatten(1)).mean(1)

    heard = GRAPH.subgraph((GRAPH.in_degrees > 0).nonzero()[:, 0].tolist())
    assert doctor(Net(), heard).names == ["forgets itself"]


def test_a_model_that_keeps_what_it_saw_first_is_asked_afresh():
    class Keeps(Edges):
        def forward(self, x, edges):
            if not hasattr(self, "kept"):
                self.kept = edges
            return super().forward(x, self.kept)

    report = doctor(Keeps(), LOOPS)
    assert "graph kept" in report.names


@pytest.mark.parametrize(
    ("history", "found"),
    [
        ({"valid_loss": [2 - k / 100 for k in range(30)]}, "too few epochs"),
        ({"val_loss": [1.0, 0.9, float("nan")]}, "loss not finite"),
        ({"val_loss": [1.9459] * 300}, "loss does not move"),
        ({"val_acc": [0.7], "test_acc": [0.8]}, None),
        ({}, None),
    ],
)
def test_histories_of_any_kind(history, found):
    report = doctor(Edges(), LOOPS, history=history)
    assert report.names == ([found] if found else [])
    assert found or "has no val_loss" in report.open["history"]


def test_callers_mistakes_are_told_with_the_remedy():
    class Data:
        edge_index = edge_index(LOOPS)

    for given, part in (
        ((Edges, LOOPS), "a torch.nn.Module, made already, not a class"),
        ((print, LOOPS), "a torch.nn.Module, made already, not a builtin"),
        ((Edges(), Data()), r"make one of it: GraphData.from_edges\(\*data.edge_index"),
        ((Edges().double(), LOOPS), "the model is float64, the features are float32"),
        ((Edges(), LOOPS, lambda m, g: g.edge_index), "has no attribute 'edge_index'"),
        ((Edges(), LOOPS, lambda m, g: (g.x, 1)), "returns tuple, not a tensor"),
    ):
        with pytest.raises(TypeError, match=part):
            doctor(*given)
    with pytest.raises(TypeError, match='history must be {"val_loss": '):
        doctor(Edges(), LOOPS, history=[1.0, 0.9])
