"""How pages are made: equations, heads, pictures, cards, and the script's numbers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageChops, ImageStat

from gat_course import EdgeGATLayer, GraphData
from tools import cover
from tools.book import ROOT
from tools.pages import access, cards, equations, head, pictures

SITE = ROOT / "site"
# What `make` installs, beside this Python and in site/node_modules.
NODE = Path(sys.executable).with_name("node")
ESBUILD, TSC = (SITE / "node_modules" / ".bin" / name for name in ("esbuild", "tsc"))
BASE = "https://example.org/book/"


@pytest.fixture(scope="module")
def node():
    """Runs a script, given as text, in Node; its answer is read as JSON."""
    if not equations.KATEX.is_dir() or not NODE.exists():
        pytest.skip("Node or site/node_modules is missing: make fetches them")

    def run(script: str, given: object) -> object:
        done = subprocess.run(
            [NODE, "-e", script],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    return run


# Equations


def test_an_equation_has_html_to_see_and_mathml_to_hear(node):
    found = equations.rendered(r"\frac12", True)
    assert "katex-html" in found and "<mfrac>" in found
    assert found != equations.rendered(r"\frac12", False)


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
    assert "searchindex" in head.mend(PAGE, "search.html", BASE)
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
def attend(node, tmp_path_factory):
    """`attend` of `site/src/attention.ts` on a list of cases."""
    out = tmp_path_factory.mktemp("site") / "attention.cjs"
    options = ["--bundle", "--format=cjs", "--log-level=warning", f"--outfile={out}"]
    subprocess.run([ESBUILD, SITE / "src" / "attention.ts", *options], check=True)
    script = f"""
        const {{ attend }} = require({json.dumps(str(out))});
        const given = JSON.parse(require("fs").readFileSync(0, "utf-8"));
        process.stdout.write(JSON.stringify(given.map(c => attend(...c))));
    """
    return lambda cases: node(script, cases)


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
