"""How pages are made: equations, heads, pictures, cards, and the script's numbers."""

import io
import json
import re
import subprocess
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image, ImageChops, ImageStat
from typescript import NODE, SITE, TSC, functions

from gat_course import (
    EdgeGATLayer,
    GraphData,
    catalogue,
    difference,
    papers,
    reproduce,
)
from tools import book, cover
from tools.book import ROOT
from tools.figures import smaller_svg
from tools.pages import (
    access,
    cards,
    equations,
    findings,
    head,
    pictures,
    predictions,
    search,
)

BASE = "https://example.org/book/"


@pytest.fixture(scope="module")
def node():
    if not equations.KATEX.is_dir() or not NODE.exists():
        pytest.skip("Node or site/node_modules is missing: make fetches them")


# Equations


def test_an_equation_has_html_to_see_and_mathml_to_hear(node):
    found = equations.rendered(r"\frac12", True)
    assert "katex-html" in found and "<mfrac>" in found
    assert found != equations.rendered(r"\frac12", False)
    assert "<mi>softmax</mi>" in equations.rendered(r"\mathrm{softmax}(x)", False)


@pytest.mark.parametrize("tex", [r"\frac{1", r"\unknown", "a_b_c", "x #"])
def test_an_equation_that_makes_no_sense_is_refused(node, tex):
    with pytest.raises(ValueError, match="KaTeX parse error|strict"):
        equations.rendered(tex, False)


# Heads, names, pictures

PAGE = """<head><title>Book &#8212; Book</title>
<meta name="viewport" content="a" /><meta name="viewport" content="b" />
<script>document.documentElement.dataset.mode = localStorage.getItem("mode") || "";
document.documentElement.dataset.theme = localStorage.getItem("theme") || "";</script>
<script defer src="_static/scripts/fontawesome.js?digest=5"></script>
<script src="searchindex.js"></script></head>
<article><p>Open in Colab</p><p>Who is <em>heard</em> here?</p></article>"""


def test_a_head_has_its_theme_one_title_and_what_a_link_shows():
    found = head.mend(PAGE, "book/x.html", BASE)
    assert "<title>Book</title>" in found and found.count('name="viewport"') == 1
    assert '|| "auto"' in found and "prefers-color-scheme: dark" in found
    assert "fontawesome" not in found and "searchindex" not in found
    assert '<meta name="description" content="Who is heard here?" />' in found
    assert f'<meta property="og:url" content="{BASE}book/x.html" />' in found
    assert f'content="{BASE}_static/cover.png"' in found
    assert head.mend(found, "book/x.html", BASE) == found
    quoted = PAGE.replace("Who is", 'Who "is"').replace("heard", "R&amp;D")
    assert 'content="Who &quot;is&quot; R&amp;D here?"' in head.mend(quoted, "x", BASE)


def test_a_sitemap_lists_the_pages_of_the_book(tmp_path):
    (tmp_path / "book").mkdir()
    for name in ("genindex.html", "book/a.html", "book/b.html"):
        (tmp_path / name).touch()
    head.write_sitemap(tmp_path, BASE)
    text = (tmp_path / "sitemap.xml").read_text()
    assert text.count("<loc>") == 2 and f"<loc>{BASE}book/b.html</loc>" in text


def test_the_way_in_and_the_page_for_a_lost_reader(tmp_path):
    head.write_doors(tmp_path, "Book", BASE)
    for name, link in (("index", "book/intro.html"), ("404", f"{BASE}book/intro.html")):
        text = (tmp_path / f"{name}.html").read_text()
        assert text.startswith("<!DOCTYPE html>") and 'lang="en"' in text
        assert text.count("<title>") == text.count("<h1>") == 1
        assert f'href="{link}"' in text


def test_a_corner_of_a_table_heads_nothing():
    table = '<table border="1" class="dataframe"><tr><th></th><th>a</th></tr>'
    found = access.mend(table)
    assert found == '<table class="dataframe" tabindex="0"><tr><td></td><th>a</th></tr>'


def test_pictures_say_their_size_and_all_but_the_first_wait(tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "a b.png")
    (tmp_path / "c.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 7 5"/>'
    )
    text = '<img src="a%20b.png"><img alt="x" src="c.svg" /><img src="none.png">'
    assert pictures.sized(text, tmp_path) == (
        '<img src="a%20b.png" width="30" height="20" />'
        '<img alt="x" src="c.svg" width="7" height="5" loading="lazy" />'
        '<img src="none.png">'
    )


def test_a_card_without_its_text_is_an_error():
    class Card(cards.ChapterCards):
        def __init__(self, content):
            self.content = content
            self.state = type("State", (), {})()
            self.state.document = type("Document", (), {})()
            self.state.document.settings = type("Settings", (), {"env": None})()

        def error(self, message):
            return ValueError(message)

    with pytest.raises(ValueError, match="a card's line is 'NAME: text', got 'x'"):
        Card(["x"]).run()


def test_the_cover_is_what_its_tool_draws(tmp_path, monkeypatch):
    monkeypatch.setattr(cover, "FOLDER", tmp_path)
    cover.main()
    stored = ROOT / "book" / "_static" / "cover.png"
    with Image.open(stored) as old, Image.open(tmp_path / "cover.png") as new:
        assert old.size == new.size == (1200, 630)
        apart = ImageChops.difference(old.convert("L"), new.convert("L"))
        assert ImageStat.Stat(apart).mean[0] < 1
    graph, alpha = cover.friends()
    assert float(alpha[(graph.dst == 0) & (graph.src == 1)]) == pytest.approx(
        torch.e / (2 * torch.e + 2)
    )


# The numbers of the five friends


@pytest.fixture(scope="module")
def attend(tmp_path_factory):
    """`attend` of `site/src/attention.ts` on a list of cases."""
    run = functions("attention", tmp_path_factory.mktemp("site"))
    return lambda cases: run("given.map(c => m.attend(...c))", cases)


def test_the_pages_numbers_are_those_of_the_layer(attend):
    cases, expected = [], []
    generator = torch.Generator().manual_seed(0)
    for seed in range(60):
        nodes, width = 1 + seed % 6, 1 + seed % 3
        heard = torch.rand(nodes, nodes, generator=generator) < 0.5
        dst, src = heard.nonzero().T
        x = torch.randn(nodes, 2, generator=generator).double()
        layer = EdgeGATLayer(2, width, num_heads=1).double()
        graph = GraphData(num_nodes=nodes, src=src, dst=dst, x=x)
        with torch.no_grad():
            out, alpha = layer(graph, x, return_attention=True)
            out = torch.nn.functional.elu(out)
        dense = torch.zeros(nodes, nodes).double()
        dense[dst, src] = alpha[:, 0]
        own = {
            "weight": layer.weight.detach().tolist(),
            "dst": layer.att_dst.detach().flatten().tolist(),
            "src": layer.att_src.detach().flatten().tolist(),
            "slope": layer.negative_slope,
        }
        cases.append([x.tolist(), heard.tolist(), own])
        expected.append((out.reshape(nodes, width), dense))
    for found, (out, dense) in zip(attend(cases), expected, strict=True):
        assert torch.allclose(torch.tensor(found["outputs"]).double(), out, atol=1e-5)
        assert torch.allclose(torch.tensor(found["weights"]).double(), dense, atol=1e-5)


def test_types_of_the_pages_script_are_right():
    if not TSC.exists():
        pytest.skip("site/node_modules is missing: make fetches it")
    done = subprocess.run([TSC, "-p", SITE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


# Cards, findings, predictions, links


def test_the_findings_say_what_the_stored_runs_say():
    runs = {m: reproduce.stored("cora", m)[0] for m in ("gat", "uniform")}
    gap = difference(runs["gat"], runs["uniform"])
    told = findings.on_cora().replace("−", "-")
    assert f"<b>{gap.mean:+.2f} points</b> [{gap.low:+.2f}, {gap.high:+.2f}]" in told
    assert "100 seeds: a difference is not shown" in told
    assert gap.verdict == "not shown"
    for split in ("published", "gene-disjoint"):
        plan = papers.on_ppi("GO-2022", split, width=64, epochs=100)
        points = [
            [100 * score for score in reproduce.stored(plan, model)[0].scores]
            for model in ("gat", "uniform")
        ]
        mean = f"{difference(*points).mean:+.1f}".replace("-", "−")
        assert f"<b>{mean} points</b>" in findings.on_ppi()
    lookup = catalogue.stored("lookup")
    one = lookup[(lookup["heads"] == 1) & (lookup["keys"] == 20)]
    for layer in ("GAT", "GATv2"):
        mean = one[one["layer"] == layer]["test"].mean()
        assert f"{findings._short(mean)} %</text>" in findings.in_a_dictionary()
    for tile in (findings.in_a_dictionary(), findings.in_time()):
        ET.fromstring(re.search(r"<svg.*</svg>", tile)[0])
    bench = json.loads((ROOT / "gat_course/results/bench.json").read_text())
    row = next(m for m in bench["measured"] if "dense" in m["contenders"])["contenders"]
    factor = row["dense"]["seconds"] / row["course"]["seconds"]
    assert f"<b>{factor:.0f} times</b>" in findings.in_time()


def test_a_bar_is_as_long_as_its_number():
    svg = ET.fromstring(findings.bars({"a": 25, "b": 100}, "%", 100))
    widths = [float(r.get("width")) for r in svg.iter("rect")]
    assert widths == [findings.WIDTH / 4, findings.WIDTH]
    svg = ET.fromstring(findings.intervals({"a": (1, 0, 2)}, -2, 2))
    assert svg.find(".//circle").get("cx") == f"{0.75 * findings.WIDTH:.1f}"


def test_every_choice_is_asked_and_has_a_right_answer():
    for page, own in predictions.choices().items():
        nb = book.read(ROOT / "book" / f"{page}.ipynb")
        asked = [
            question
            for cell in nb.cells
            for question in re.findall(r"^> \*\*Predict\.\*\* (.*)", cell.source, re.M)
        ]
        for beginning, entry in own.items():
            assert set(entry) == {"choices", "right"}
            assert 1 <= entry["right"] <= len(entry["choices"]) <= 4
            assert len(set(entry["choices"])) == len(entry["choices"])
            plain = [question.replace("*", "") for question in asked]
            assert sum(q.startswith(beginning) for q in plain) == 1, beginning


def test_sections_are_cut_at_their_headings_and_show_no_tex(node):
    formula = equations.rendered(r"\alpha_{ij}=\mathrm{softmax}(e_{ij})", False)
    html = f"""<article><section id="top"><h1>1 Page<a class="headerlink">#</a></h1>
    <p>Before <span class="math">{formula}</span>.</p><pre>code</pre>
    <section id="part"><h2>A part</h2><p>Inside.</p></section></section>
    <dl class="glossary"><dt id="term-x">word</dt><dd><p>Its meaning.</p></dd></dl>
    </article>"""
    found = search.sections(html, "book/x.html")
    by_link = {entry["link"].split("#")[1]: entry for entry in found}
    assert by_link["top"]["text"] == "Before α i j = softmax ( e i j)."
    assert by_link["part"] == {
        "title": "A part",
        "page": "1 Page",
        "link": "book/x.html#part",
        "text": "Inside.",
    }
    assert by_link["term-x"]["text"] == "Its meaning."
    assert search.sections("<p>no article</p>", "x") == []


def test_the_ground_under_a_figure_is_taken_away(tmp_path):
    figure, axes = plt.subplots(facecolor="#ffffff")
    axes.bar([0], [1], color="#ffffff")
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    plt.close(figure)
    file = tmp_path / "a.svg"
    file.write_text(smaller_svg(buffer.getvalue()))
    before = file.read_text().count("#ffffff")
    pictures.on_any_ground(tmp_path)
    assert file.read_text().count("#ffffff") == before - 1
    pictures.on_any_ground(tmp_path)
    assert file.read_text().count("#ffffff") == before - 1
