"""The interactive figures compute what the package computes."""

import base64
import json
import math
import re

import numpy as np
import pytest
import torch
from typescript import SITE, functions

from gat_course import EdgeGATLayer, GraphData, attention, formulas, puzzles
from gat_course.experiments.variants import OneLayer
from gat_course.layers import FusedGATLayer, GATv2Layer
from tools import exports
from tools.book import ROOT

CLOSE = {"atol": 1e-5, "rtol": 0}


def stored(name: str) -> dict:
    return json.loads((exports.FOLDER / f"{name}.json").read_text("utf-8"))


def numbers(text: str, kind: str) -> torch.Tensor:
    array = np.frombuffer(base64.b64decode(text), f"<{kind}")
    return torch.from_numpy(array.astype(np.int64 if kind == "u2" else np.float64))


def as_graph(file: dict) -> GraphData:
    degrees, src = numbers(file["degrees"], "u2"), numbers(file["sources"], "u2")
    n = len(degrees)
    dst = torch.arange(n).repeat_interleave(degrees)
    return GraphData(num_nodes=n, src=src, dst=dst)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("site")


@pytest.mark.parametrize("name", ["cora", "senders"])
def test_weights_and_entropy_of_a_network_are_the_packages(name, folder):
    """Equations (2) and (3) from the two numbers of each node, for every edge."""
    file, run = stored(name), functions("network", folder)
    graph = as_graph(file)
    s = numbers(file["halves"], "f4").view(sum(file["heads"]), 2, -1)
    scores = torch.nn.functional.leaky_relu(
        s[:, 0, graph.dst] + s[:, 1, graph.src], file["slope"]
    )
    alpha = formulas.edge_softmax(scores.T, graph.dst, graph.num_nodes)  # [E, K]
    found = run(
        """(() => {
            const net = m.unpack(given);
            const nodes = [...Array(net.count).keys()];
            const heads = [...Array(given.heads.reduce((a, b) => a + b)).keys()];
            return heads.map(k => nodes.flatMap(i => m.weightsOf(net, i, k)));
        })()""",
        file,
    )
    torch.testing.assert_close(torch.tensor(found).double().T, alpha, **CLOSE)
    mean = run(
        """(() => {
            const net = m.unpack(given);
            const own = [...Array(given.heads[0]).keys()];
            return [...Array(net.count).keys()].map(i =>
                m.entropy(m.meanWeights(net, i, own)));
        })()""",
        file,
    )
    first = alpha[:, : file["heads"][0]].mean(dim=1, keepdim=True)
    expected = attention.entropy(graph, first)[:, 0]
    torch.testing.assert_close(torch.tensor(mean).double(), expected.double(), **CLOSE)
    assert len(file["labels"]) == graph.num_nodes
    assert {*file["labels"], *file.get("predicted", "")} <= set("0123456789")


def test_the_network_file_holds_what_a_model_computes():
    torch.manual_seed(0)
    x = torch.randn(6, 3)
    graph = GraphData.from_edges([0, 1, 2, 3, 4], [1, 2, 0, 0, 0], undirected=True, x=x)
    graph = graph.with_self_loops()
    layer = EdgeGATLayer(3, 4, num_heads=2)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, graph, x):
            return self.layer(graph, x)

    file = exports.network(Net(), graph)
    ((dst, src),) = exports.halves(Net(), graph)
    torch.testing.assert_close(
        numbers(file["halves"], "f4"),
        torch.stack([dst, src]).permute(2, 0, 1).flatten().double(),
        check_dtype=False,
    )
    _, alpha = layer(graph, x, return_attention=True)
    again = as_graph(file)
    scores = torch.nn.functional.leaky_relu(dst[again.dst] + src[again.src], 0.2)
    own = formulas.edge_softmax(scores, again.dst, 6)
    order = graph.dst.argsort(stable=True)
    torch.testing.assert_close(own, alpha[order])


def test_the_lookup_is_that_of_the_layers(folder):
    file, run = stored("lookup"), functions("lookup-model", folder)
    orders = [
        torch.randperm(5, generator=torch.Generator().manual_seed(s)).tolist()
        for s in range(20)
    ]
    for name, layer in (("GAT", FusedGATLayer), ("GATv2", GATv2Layer)):
        model = OneLayer(layer(10, 64), 5)
        state = model.state_dict()
        model.load_state_dict(
            {
                key: torch.tensor(v).view_as(state[key])
                for key, v in file["models"][name].items()
            }
        )
        found = run(
            f'given.orders.map(o => m.look(given.file, "{name}", o))',
            {"file": file, "orders": orders},
        )
        right = 0
        for order, own in zip(orders, found, strict=True):
            graph = puzzles.lookup_graph(5, num_graphs=1)
            graph.x[:5, 5:] = torch.eye(5)[order]
            with torch.no_grad():
                logits = model(graph, graph.x)
                _, alpha = model.layer(graph, graph.x, return_attention=True)
            torch.testing.assert_close(
                torch.tensor(own["weights"]), alpha.view(5, 5), **CLOSE
            )
            assert own["answers"] == logits[5:].argmax(dim=1).tolist()
            right += sum(a == b for a, b in zip(own["answers"], order, strict=True))
        # what the chapter says: one query of five, and all of them
        assert right == (20 if name == "GAT" else 100)


def test_a_tissues_weights_sum_to_one_and_come_heaviest_first(folder):
    file, run = stored("tissues"), functions("tissues", folder)
    assert file["start"] in [own["gene"] for own in file["genes"]]
    assert len(file["tissues"]) == 24
    found = run(
        """given.genes.map((gene, g) => gene.weights.map((_, l) =>
            given.tissues.map((_, t) => m.heardIn(given, g, l, t))))""",
        file,
    )
    for own, layers in zip(file["genes"], found, strict=True):
        table = torch.tensor(own["weights"])  # [layers, sources, tissues]
        for layer, tissues in enumerate(layers):
            for tissue, heard in enumerate(tissues):
                column = table[layer, :, tissue]
                weights = [weight for _, weight in heard]
                assert math.fsum(weights) == pytest.approx(1, abs=1e-5 * len(weights))
                assert weights == sorted(weights, reverse=True)
                pairs = dict(zip(own["sources"], column.tolist(), strict=True))
                assert {s: round(1e5 * w) for s, w in heard} == {
                    s: w for s, w in pairs.items() if w >= 0
                }


def test_a_row_is_masked_in_three_ways(folder):
    run = functions("masks", folder)
    generator = torch.Generator().manual_seed(0)
    cases = []
    for share in (0.0, 0.5, 1.0):
        for _ in range(20):
            scores = torch.randn(7, generator=generator)
            cases.append((scores, torch.rand(7, generator=generator) < share))
    given = [[s.tolist(), a.tolist()] for s, a in cases]
    found = run(
        "given.map(c => m.threeWays(...c).map(w => w.map(v => isNaN(v) ? -1 : v)))",
        given,
    )
    for (scores, allowed), ways in zip(cases, found, strict=True):
        infinite = torch.softmax(scores.masked_fill(~allowed, -math.inf), 0)
        large = torch.softmax(torch.where(allowed, scores, torch.tensor(-9e15)), 0)
        ours = formulas.masked_softmax(scores[None], allowed[None])[0]
        expected = torch.stack([infinite.nan_to_num(-1), large, ours])
        torch.testing.assert_close(torch.tensor(ways).float(), expected, **CLOSE)


def test_the_examples_of_the_costs_are_the_books_graphs():
    source = (SITE / "src" / "masks.ts").read_text("utf-8")
    file = stored("cora")
    nodes, edges = len(file["labels"]), len(numbers(file["sources"], "u2"))
    assert f'example("Cora", {nodes}, {edges})' in source
    assert f"[nodes, edges] = [{nodes}, {edges}]" in source
    chapter = (ROOT / "book" / "10-large.ipynb").read_text("utf-8")
    found = re.search(r"GO-2022 labels: ([\d,]+) nodes, ([\d,]+) edges", chapter)
    nodes, edges = (int(number.replace(",", "")) for number in found.groups())
    assert f'example("PPI, 24 tissues", {nodes}, {edges})' in source


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "4 B"),
        (249, "996 B"),
        (250, "1.0 kB"),
        (13_540, "54 kB"),
        (7_333_264, "29 MB"),
        (10**12, "4.0 TB"),
        (10**16, "40000 TB"),
    ],
)
def test_memory_is_said_as_a_reader_says_it(folder, count, text):
    assert functions("masks", folder)("m.memory(given)", count) == text


def test_a_figure_that_is_too_large_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "FOLDER", tmp_path / "figures")
    monkeypatch.setattr(exports, "lookup", lambda names: {"a": "x" * 400_000})
    monkeypatch.setattr(exports.lookup, "__name__", "lookup")
    with pytest.raises(ValueError, match=r"lookup.json has .* at most 400000"):
        exports.write(["lookup"], {})
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ([70_000], "u2", "no integers of 16 bits"),
        ([-1], "u2", "no integers of 16 bits"),
        ([1.5], "u2", "no integers of 16 bits"),
        ([math.nan], "f4", "NaN or infinite"),
        ([math.inf], "f4", "NaN or infinite"),
    ],
)
def test_numbers_that_a_page_cannot_hold_are_refused(values, kind, message):
    with pytest.raises(ValueError, match=message):
        exports.packed(torch.tensor(values), kind)


def test_every_figures_file_is_light():
    files = list(exports.FOLDER.glob("*.json"))
    assert {file.stem for file in files} == {"cora", "senders", "tissues", "lookup"}
    assert all(file.stat().st_size < exports.MAX_BYTES for file in files)


# The search


SECTIONS = [
    {
        "title": "1 Attention",
        "page": "",
        "link": "book/01.html#a",
        "text": "LeakyReLU with slope 0.2. The weight α i j is a softmax.",
    },
    {
        "title": "Notation",
        "page": "",
        "link": "book/notation.html#n",
        "text": "α i j attention weight",
    },
    {
        "title": "entropy",
        "page": "Glossary",
        "link": "book/glossary.html#term-entropy",
        "text": "How flat a distribution is.",
    },
    {
        "title": "Entropy: how sharp?",
        "page": "5 Cora",
        "link": "book/05.html#e",
        "text": "The entropy of the weights of 2,708 papers.",
    },
    {
        "title": "Many heads",
        "page": "4 Many heads",
        "link": "book/04.html#h",
        "text": "A constructor. Each head attends; edge_softmax runs once.",
    },
]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("entropy", "book/glossary.html#term-entropy"),
        ("leaky relu", "book/01.html#a"),
        ("LeakyReLU", "book/01.html#a"),
        ("alpha", "book/notation.html#n"),
        ("α", "book/notation.html#n"),
        ("0.2", "book/01.html#a"),
        ("edge softmax", "book/04.html#h"),
        ("edge_softmax", "book/04.html#h"),
        ("attention heads", "book/04.html#h"),
        ("2708 papers", "book/05.html#e"),
        ("2,708", "book/05.html#e"),
        ("?!", None),
        ("entropi", "book/glossary.html#term-entropy"),
        ("constructor", "book/04.html#h"),
        ("zzz", None),
        ("", None),
    ],
)
def test_the_search_finds_sections_and_terms(folder, query, first):
    run = functions("find", folder)
    hits = run("m.engine(given[0])(given[1])", [SECTIONS, query])
    assert (hits[0]["link"] if hits else None) == first


def test_a_hit_shows_its_text_around_the_word(folder):
    run = functions("find", folder)
    text = f"{'before ' * 50}LeakyReLU {'after ' * 50}".strip()
    piece = run('m.piece(given, ["leakyrelu"])', text)
    assert piece.startswith("… ") and piece.endswith(" …") and "LeakyReLU" in piece
    assert len(piece) < 160
    assert run('m.piece(given, ["none"])', "short text") == "short text"
