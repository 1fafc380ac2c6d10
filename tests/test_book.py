"""The book as a reader meets it: it builds, its links lead somewhere, it asks nobody.

One build serves all tests. What only a browser can tell (equations typeset, nothing
fetched from elsewhere, no page wider than a phone) is skipped where none is installed.
"""

import gzip
import io
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from browser import visit
from fontTools.ttLib import TTFont
from pypdf import PdfReader
from typescript import HTML_VALIDATE, NODE, SITE

from tools import book, exports
from tools.address import address
from tools.book import ROOT

PAGES = book.pages()
CHAPTERS = [book.page_of(path) for path in book.notebooks()]
MAX_BYTES = 2_000_000  # of a page with its own pictures
STOPS = 130  # of a keyboard in chapter 1, ten of them its questions' answers
FRONT, HEAVIEST = 450_000, 700_000  # bytes of a first visit, as sent
BUILD = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The folder of the built book."""
    out = tmp_path_factory.mktemp("book")
    done = subprocess.run(
        [sys.executable, "-c", BUILD, "build", str(ROOT), "--path-output", str(out)]
        + ["--all", "-W", "-n", "--keep-going"],
        capture_output=True,
        text=True,
    )
    lines = (done.stdout + done.stderr).splitlines()
    complaints = [line for line in lines if re.search("WARNING|ERROR", line)]
    assert done.returncode == 0, "\n".join(complaints or lines[-20:])
    return out / "_build" / "html"


@dataclass
class Page(HTMLParser):
    """What the tests ask of a page's HTML."""

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    resources: list[str] = field(default_factory=list)
    images: list[dict] = field(default_factory=list)
    equations: int = 0

    def __post_init__(self):
        super().__init__()
        self._open: list[tuple[str, str]] = []
        self.text = self.path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        self.ids.update(filter(None, [values.get("id"), values.get("name")]))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") not in ("canonical", "next", "prev"):
            self.resources.append(values["href"])
        if tag != "a" and "src" in values:
            self.resources.append(values["src"])
        if "math" in values.get("class", "").split():
            self.equations += 1
        if tag == "img":
            self.images.append(values)


@pytest.fixture(scope="session")
def html(site) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def local(page: Path, link: str) -> Path:
    return (page.parent / unquote(urlsplit(link).path)).resolve()


def is_outside(link: str) -> bool:
    return urlsplit(link).netloc != "" or urlsplit(link).scheme == "mailto"


def test_every_page_is_there(site):
    missing = [page for page in PAGES if not (site / f"{page}.html").exists()]
    assert missing == []


def test_links_lead_somewhere(site, html):
    html = {path: page for path, page in html.items() if "_static" not in path.parts}
    broken = []
    for path, page in html.items():
        for link in page.links + page.resources:
            if is_outside(link) or link.startswith("data:"):
                continue
            target = local(path, link) if urlsplit(link).path else path
            anchor = unquote(urldefrag(link).fragment)
            if not target.exists():
                broken.append(f"{path.relative_to(site)}: {link}")
            elif anchor and target in html and anchor not in html[target].ids:
                broken.append(f"{path.relative_to(site)}: no such place: {link}")
    assert not broken, "\n".join(broken)


def test_no_page_names_a_resource_from_outside(site, html):
    outside = [
        f"{path.relative_to(site)}: {resource}"
        for path, page in html.items()
        for resource in page.resources
        if is_outside(resource)
    ]
    for path in site.rglob("*.css"):
        for found in re.findall(
            r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)", path.read_text()
        ):
            outside.append(f"{path.relative_to(site)}: {found}")
    assert not outside, "\n".join(outside)


@pytest.mark.parametrize("page", CHAPTERS)
def test_a_chapter_has_its_buttons(site, page):
    text = (site / f"{page}.html").read_text(encoding="utf-8")
    where = address()
    colab = f"/github/{where.slug}/blob/{where.branch}/{page}.ipynb"
    assert text.count(colab) == 2  # the launch button and the line below the title
    assert re.search(r'class="[^"]*btn-download-source-button', text)
    assert re.search(rf'href="[^"]*_sources/{page}\.ipynb"', text)
    assert 'class="left-prev"' in text and 'class="right-next"' in text
    assert "search-button" in text and "theme-switch" in text


# A figure that answers has two captions; the printed one comes first.
PRINTED = r'class="caption-text">(?:<span class="printed-text">)?[^<]'


@pytest.mark.parametrize("page", PAGES)
def test_figures_are_numbered_captioned_described(site, page):
    text = (site / f"{page}.html").read_text(encoding="utf-8")
    article = text[text.index("<article") : text.index("</article>")]
    figures = re.findall(r"<figure.*?</figure>", article, re.S)
    for figure in figures:
        assert re.search(r'class="caption-number">Fig\. \d+ ', figure), figure
        assert re.search(PRINTED, figure), figure
    # In a chapter every picture is a figure; a page may also show a picture without.
    pictures = re.findall(r"<img[^>]*>", article)
    assert all(re.search(r'alt="[^"]{5,}"', picture) for picture in pictures), pictures
    if page in CHAPTERS:
        opening = article.count('class="opening-picture')
        assert len(pictures) == len(figures) + opening


def test_pages_are_light(site, html):
    """Also stores the weights in _build/page-weights.txt."""
    weights = {}
    for page in PAGES:
        path = site / f"{page}.html"
        sources = [image["src"] for image in html[path].images]
        pictures = {local(path, link) for link in sources if not is_outside(link)}
        weights[page] = sum(file.stat().st_size for file in {path, *pictures})
    table = "".join(f"{weight:9,} {page}\n" for page, weight in weights.items())
    (ROOT / "_build").mkdir(exist_ok=True)
    (ROOT / "_build" / "page-weights.txt").write_text(table, encoding="utf-8")
    assert max(weights.values()) <= MAX_BYTES, table


# ------------------------------------------------ in a browser


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def copyfile(self, source, outputfile):
        try:
            super().copyfile(source, outputfile)
        except ConnectionError:
            pass  # the page was closed meanwhile


@pytest.fixture(scope="session")
def origin(site):
    """The address at which this machine serves the built book to itself."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_nobody_and_its_scripts_run(origin, reader, page):
    reader.open(f"{origin}/{page}.html")
    here = (f"{origin}/", "data:", "blob:")
    assert [url for url in reader.requests if not url.startswith(here)] == []
    assert reader.errors == []


# KaTeX would show what it does not understand in red.
TYPESET = "document.querySelectorAll('.math:has(.katex-html):has(math)').length"
WRONG = "[...document.querySelectorAll('.katex-error')].map(e => e.textContent)"
# What a reader sees as text, code aside.
PROSE = """
(() => {
    const article = document.querySelector("article").cloneNode(true);
    article.querySelectorAll("pre, code, script, .katex")
        .forEach(element => element.remove());
    return article.textContent;
})()
"""


@pytest.mark.parametrize("page", PAGES)
def test_equations_need_no_script(html, site, origin, chromium, page):
    context = visit(chromium, java_script_enabled=False)
    shown = context.new_page()
    shown.goto(f"{origin}/{page}.html")
    assert shown.locator("article").is_visible()
    context.close()
    context = visit(chromium)
    context.route("**/*.js*", lambda route: route.abort())
    shown = context.new_page()
    shown.goto(f"{origin}/{page}.html")
    assert shown.evaluate(TYPESET) == html[site / f"{page}.html"].equations
    assert shown.evaluate(WRONG) == []
    # without the page's script nothing is covered or missing
    for kept in ("figure.still img", ".covered pre"):
        if shown.locator(kept).count():
            assert shown.locator(kept).first.is_visible()
    prose = shown.evaluate(PROSE)
    assert re.findall(r".*(?:\$|\\[(\[]|\\tag|\\begin).*", prose) == []
    context.close()


@pytest.mark.parametrize("dark", [False, True])
def test_the_theme_is_there_before_any_script_is_loaded(origin, chromium, dark):
    context = visit(chromium, color_scheme="dark" if dark else "light")
    context.route("**/*.js*", lambda route: route.abort())
    shown = context.new_page()
    shown.goto(f"{origin}/{CHAPTERS[0]}.html")
    colour = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == ("rgb(18, 18, 18)" if dark else "rgb(255, 255, 255)")
    code = shown.evaluate("getComputedStyle(document.querySelector('pre')).color")
    assert (sum(map(int, re.findall(r"\d+", code)[:3])) > 400) == dark
    context.close()


def transferred(site: Path, urls: set[str]) -> int:
    """Bytes that a server with gzip sends for these addresses."""
    packed = (".woff2", ".png", ".jpg", ".gz")
    total = 0
    for url in urls:
        file = site / unquote(urlsplit(url).path).lstrip("/")
        content = file.read_bytes() if file.is_file() else b""
        total += len(content if file.suffix in packed else gzip.compress(content, 6))
    return total


SHIFTS = """
new Promise(done => {
    let sum = 0;
    const seen = entries => entries.filter(e => !e.hadRecentInput)
        .forEach(e => { sum += e.value });
    const watch = new PerformanceObserver(list => seen(list.getEntries()));
    watch.observe({type: "layout-shift", buffered: true});
    requestAnimationFrame(() => requestAnimationFrame(() => {
        seen(watch.takeRecords());
        done(sum);
    }));
})
"""


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_light_and_nothing_in_it_moves(site, origin, reader, page):
    """What a first visit loads, with all pictures; what moves while they come."""
    for width in (1280, 390):
        reader.requests.clear()
        shown = reader.open(f"{origin}/{page}.html", width=width)
        assert shown.evaluate(SHIFTS) < 0.05
        shown.evaluate(
            "document.querySelectorAll('img').forEach(i => { i.loading = 'eager' })"
        )
        shown.wait_for_function("[...document.images].every(image => image.complete)")
        assert shown.evaluate(SHIFTS) < 0.05
        limit = FRONT if page == PAGES[0] else HEAVIEST
        assert transferred(site, set(reader.requests)) < limit
        # Whoever scrolls has the numbers of its figures, too.
        for place in shown.locator(".play").all():
            place.scroll_into_view_if_needed()
        shown.wait_for_function(ARRIVED)
        numbers = [url for url in reader.requests if "/figures/" in url]
        assert transferred(site, set(numbers)) < exports.MAX_BYTES
        assert shown.evaluate(SHIFTS) < 0.05


ARRIVED = "document.querySelectorAll('.play-printed').length == 0"
AXE = ROOT / "site" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FOUND = """
rules => axe.run(document, {runOnly: rules, resultTypes: ["violations"]})
    .then(found => found.violations.map(
        v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)]
    ))
"""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("page", [*PAGES, "search", "genindex"])
def test_axe_finds_nothing(origin, reader, page, dark):
    shown = reader.open(f"{origin}/{page}.html", dark=dark)
    for place in shown.locator(".play").all():
        place.scroll_into_view_if_needed()
    shown.wait_for_function(ARRIVED)
    shown.evaluate(AXE.read_text("utf-8"))
    assert shown.evaluate(FOUND, RULES) == []


@pytest.mark.parametrize("page", CHAPTERS[:10])
def test_axe_finds_nothing_on_a_phone(origin, reader, page):
    shown = reader.open(f"{origin}/{page}.html", width=390)
    shown.evaluate(AXE.read_text("utf-8"))
    assert shown.evaluate(FOUND, RULES) == []


FOCUSED = """
() => {
    const now = document.activeElement;
    const {outlineStyle, outlineWidth, boxShadow} = getComputedStyle(now);
    const seen = outlineStyle != "none" && parseFloat(outlineWidth) > 0;
    return [now.outerHTML.slice(0, 120), seen || boxShadow != "none"];
}
"""


def test_chapter_1_is_walked_by_tab_and_each_stop_is_seen(origin, reader):
    shown = reader.open(f"{origin}/{CHAPTERS[0]}.html")
    stops = []
    while len(stops) < STOPS:
        shown.keyboard.press("Tab")
        stop, seen = shown.evaluate(FOCUSED)
        if stop.startswith("<body"):
            break
        assert seen, stop
        stops.append(stop)
    assert len(stops) < STOPS


def test_a_prediction_is_covered_until_there_is_an_answer(origin, chromium):
    """By mouse and keyboard; remembered; open in print and without scripts."""
    address_ = f"{origin}/{CHAPTERS[0]}.html"
    hidden = "getComputedStyle(document.querySelector('.covered > *')).visibility"
    context = visit(chromium)
    shown = context.new_page()
    shown.goto(address_)
    assert shown.locator(".predict-show").count() >= 4
    assert shown.evaluate(hidden) == "hidden"
    shown.emulate_media(media="print")
    assert shown.evaluate(hidden) == "visible"
    shown.emulate_media(media="screen")
    bars = shown.locator(".predict-bar")
    first, second = (bars.nth(k).locator("button").last for k in (0, 1))
    first.click()
    assert shown.evaluate(hidden) == "visible"
    second.press("Enter")
    assert shown.locator(".covered.open").count() >= 2
    shown.reload()
    shown.wait_for_selector(".covered.open")
    assert shown.evaluate(hidden) == "visible"
    context.close()
    context = visit(chromium, java_script_enabled=False)
    shown = context.new_page()
    shown.goto(address_)
    assert shown.locator(".covered").first.locator("pre").first.is_visible()
    assert not shown.locator(".predict-show").first.is_visible()
    context.close()


@pytest.fixture
def fresh(chromium, origin):
    """Opens a page on a screen that can be touched; a page keeps what it remembers."""
    context = visit(chromium, has_touch=True)

    def open_page(page: str, part: str = ""):
        shown = context.new_page()
        shown.goto(f"{origin}/{page}.html")
        place = shown.locator(part or "article").first
        place.scroll_into_view_if_needed()
        return shown, place

    yield open_page
    context.close()


@pytest.mark.parametrize("page", [PAGES[0], CHAPTERS[0]])
def test_the_five_friends_answer_to_mouse_touch_and_keys(fresh, page):
    shown, place = fresh(page, ".play.friends")
    title = place.locator(".play-title")
    front = page == PAGES[0]
    assert title.text_content() == f"What node {0 if front else 4} hears"
    place.locator("[data-node='0']").click()
    assert title.text_content() == "What node 0 hears"
    assert place.locator(".eq-a").first.text_content() == "0.37"
    assert not shown.locator(".play.friends + figure.still img").is_visible()
    assert shown.locator(".play.friends + figure.still figcaption").is_visible()
    place.locator("[data-node='3']").click()
    assert title.text_content() == "What node 3 hears"
    place.locator("[data-node='4']").tap()
    assert title.text_content() == "What node 4 hears"
    place.locator("[data-node='4']").press("ArrowRight")
    assert title.text_content() == "What node 0 hears"
    assert shown.evaluate("document.activeElement.dataset.node") == "0"
    place.get_by_role("button", name="a = 0").click()
    assert place.locator(".eq-a").all_text_contents() == ["0.25"] * 4
    place.get_by_role("button", name="Node 4 alone").click()
    assert place.locator(".eq-a").all_text_contents() == ["1.00"]
    place.get_by_role("button", name="As in the text").click()
    place.locator("input[type=range]").nth(2).press("ArrowLeft")
    assert place.locator(".friends-sliders output").nth(2).text_content() == "0.90"
    # what is said goes with what is drawn
    place.get_by_role("button", name="a = 0").click()
    note = place.locator(".play-note")
    assert note.text_content().startswith("No score differs")
    place.locator("input[type=range]").nth(4).press("End")
    weights = place.locator(".eq-a").all_text_contents()
    assert not note.text_content().startswith("No score differs")
    assert f"1→0 {weights[1]}" in note.text_content()


def test_the_mask_answers_to_mouse_touch_and_keys(fresh):
    shown, place = fresh(CHAPTERS[0], ".play.masks")
    rows = place.locator("tbody tr")
    assert rows.count() == 5
    place.get_by_role("button", name="An empty row").click()
    assert [row.split("–")[1] for row in rows.all_text_contents()] == ["0.00"] * 5
    place.locator("[data-cell='4 4']").tap()
    cell = place.locator("[data-cell='4 4']")
    assert cell.get_attribute("aria-label") == "target 4, source 4: weight 1.00"
    cell.press("ArrowLeft")
    assert shown.evaluate("document.activeElement.dataset.cell") == "4 3"
    place.locator("[data-cell='4 3']").press(" ")
    assert shown.evaluate("document.activeElement.dataset.cell") == "4 3"
    assert place.locator("[data-cell='4 3']").get_attribute("aria-pressed") == "true"
    # N² against |E|
    told = place.locator(".play-bars")
    assert "N² = 7,333,264 numbers, 29 MB" in told.text_content()
    assert "|E| = 13,264 numbers" in told.text_content()
    place.get_by_role("button", name="Five friends").click()
    assert "N² = 25 numbers, 100 B" in told.text_content()
    assert "|E| = 15 numbers" in told.text_content()
    place.locator("input[type=range]").first.press("End")
    assert "1,000,000,000,000 numbers, 4.0 TB" in told.text_content()


def test_an_empty_row_comes_out_in_three_ways(fresh):
    _, place = fresh("book/02-dense", ".play.masks")
    rows = place.locator("tbody tr")
    wrong = place.locator("td.wrong")
    assert wrong.all_text_contents() == ["NaN"] * 5
    cells = rows.first.locator("td").all_text_contents()
    assert cells[1:] == ["NaN", "0.20", "0.00"]
    place.locator("[data-cell='4 3']").tap()
    assert wrong.count() == 0
    assert rows.nth(3).locator("td").all_text_contents()[1:] == ["1.00"] * 3


def test_the_inside_of_cora_answers_to_mouse_touch_and_keys(fresh):
    shown, place = fresh("book/05-cora", ".play.papers")
    title = place.locator(".play-title").first
    title.wait_for()
    assert title.text_content() == "What paper 854 hears"
    place.locator("[data-node]").first.click()
    assert title.text_content() != "What paper 854 hears"
    place.get_by_role("button", name="A wrong answer").tap()
    assert place.get_by_text("; the network says ").count() == 1
    assert place.get_by_text("the network says so").count() == 0
    number = place.locator("input[type=number]")
    number.fill("0")
    number.press("Enter")
    assert title.text_content() == "What paper 0 hears"
    number.fill("")
    number.press("Enter")
    assert title.text_content() == "What paper 0 hears"
    number.fill("99999")
    number.press("Enter")
    assert title.text_content() == "What paper 2707 hears"
    place.locator("select").select_option(index=0)
    first = place.locator("[data-node]").first
    first.focus()
    first.press("ArrowRight")
    first.press("ArrowLeft")
    shown.keyboard.press("Enter")
    assert title.text_content() != "What paper 2707 hears"
    # flat on Cora, sharp among the senders
    share = r"([\d.]+) % of the maximum"
    place.get_by_role("button", name="As in the figure").click()
    flat = float(re.search(share, place.text_content())[1])
    place.get_by_role("button", name="Senders, chapter 6").click()
    sharp = float(re.search(share, place.text_content())[1])
    assert sharp < 60 < 99 < flat
    # an example is one of the weights that are shown
    place.get_by_role("button", name="Cora").click()
    found = {}
    for layer in ("layer 1, head 3", "layer 2"):
        place.locator("select").select_option(label=layer)
        for name in ("Sharpest", "Flattest"):
            place.get_by_role("button", name=name).click()
            found[name] = float(re.search(share, place.text_content())[1])
        assert found["Sharpest"] < found["Flattest"] - 1


def test_the_lookup_answers_to_mouse_touch_and_keys(fresh):
    _, place = fresh("book/07-variants", ".play.lookup")
    note = place.locator(".play-note")
    place.locator("table").first.wait_for()
    right = "all queries rank the keys alike"
    for press in ("click", "tap"):
        getattr(place.get_by_role("button", name="Shuffle the values"), press)()
        told = note.text_content()
        assert right in told and "1 of 5 is answered. GATv2" in told
        assert "5 of 5 are answered" in told
    place.get_by_role("button", name="As in the figure").click()
    key, after = (place.get_by_role("button", name=f"key {k}:") for k in (0, 1))
    first, second = (k.text_content()[-1] for k in (key, after))
    key.press("Enter")
    assert key.text_content() == f"key 0: value {second}"
    assert after.text_content() == f"key 1: value {first}"
    place.get_by_role("button", name="query 3").press(" ")
    assert "query 3 ranks them" in note.text_content()


def test_the_tissues_answer_to_mouse_touch_and_keys(fresh):
    _, place = fresh("book/06-ppi", ".play.tissues")
    title = place.locator(".play-title")
    title.wait_for()
    assert "Gene 283 in tissue 1:" in title.text_content()
    place.locator("input[type=range]").press("ArrowRight")
    assert "in tissue 2:" in title.text_content()
    place.locator("svg rect.play-shade").nth(10).click()
    assert "in tissue 11:" in title.text_content()
    before = place.locator(".play-small").first.text_content()
    place.get_by_role("button", name="layer 1").tap()
    assert place.locator(".play-small").first.text_content() != before
    place.locator("select").select_option(index=1)
    assert "Gene 284 in tissue 11:" in title.text_content()


@pytest.mark.parametrize("page", [PAGES[0], *CHAPTERS[:10]])
def test_a_figure_that_cannot_answer_is_the_printed_one(origin, chromium, page):
    """Without scripts, and where its numbers do not come."""
    context = visit(chromium, java_script_enabled=False)
    shown = context.new_page()
    shown.goto(f"{origin}/{page}.html")
    for picture in shown.locator("figure.still img").all():
        assert picture.is_visible()
    context.close()
    context = visit(chromium)
    context.route("**/figures/*.json", lambda route: route.abort())
    shown = context.new_page()
    shown.goto(f"{origin}/{page}.html")
    kinds = ("papers", "lookup", "tissues")
    for place in shown.locator(".play-printed img").all():
        assert place.is_visible()  # until its numbers come
    for kind in kinds:
        for place in shown.locator(f".play.{kind}").all():
            place.scroll_into_view_if_needed()
            still = shown.locator(f".play.{kind}.absent + figure.still img")
            still.wait_for()
    context.close()


def test_a_choice_is_marked_and_the_right_one_shown(fresh):
    shown, _ = fresh(CHAPTERS[0])
    bar = shown.locator(".predict-bar.choices").first
    wrong = bar.get_by_role("button", name="all four")
    wrong.click()
    assert "chosen" in wrong.get_attribute("class")
    right = bar.locator("[data-right=true]")
    assert "right" in right.get_attribute("class").split()
    assert right.text_content() == "those of nodes 1 and 3"
    told = bar.get_by_role("status")
    assert told.text_content() == "Not quite: see below."
    assert shown.evaluate("document.activeElement.textContent") == "all four"
    right.click(force=True)  # the first answer stays
    assert told.text_content() == "Not quite: see below."
    shown.reload()
    wrong = bar.get_by_role("button", name="all four")
    assert wrong.get_attribute("aria-pressed") == "true"
    assert shown.locator(".covered.open").count() >= 1


# What is looked for, and where the first hit leads.
QUERIES = {
    "entropy": "glossary.html#term-entropy",
    "leaky relu": "glossary.html#term-LeakyReLU",
    "alpha": "notation.html",
    "α": "notation.html",
    "0.2": "notation.html#layers",
    "isolated node": "glossary.html#term-isolated-node",
    "attention heads": "04-heads.html",
}


def test_the_search_finds_terms_and_sections_as_one_types(fresh):
    shown, _ = fresh(CHAPTERS[1])
    shown.locator(".search-button-field, .search-button").first.click()
    field = shown.locator("#pst-search-dialog input[type=search]")
    hits = shown.locator("#pst-search-dialog .hits a")
    for query, first in QUERIES.items():
        field.fill("")
        hits.first.wait_for(state="detached")
        field.fill(query)
        hits.first.wait_for()
        assert first in hits.first.get_attribute("href"), query
        assert not re.search(r"[\\$]", hits.first.text_content())
    field.press("ArrowDown")
    assert shown.evaluate("document.activeElement.closest('.hits') !== null")
    field.fill("zzzzqq")
    shown.get_by_text("Nothing is found").wait_for()


def test_the_search_page_answers_a_query_in_its_address(fresh):
    shown, _ = fresh("search", "main")
    shown.goto(f"{shown.url}?q=entropy")
    first = shown.locator(".hits a").first
    first.wait_for()
    assert first.get_attribute("href").endswith("#term-entropy")
    first.click()
    shown.wait_for_url("**/glossary.html#term-entropy")
    # a hit on the same page: the dialog is out of its way
    shown.keyboard.press("Control+k")
    field = shown.locator("#pst-search-dialog input[type=search]")
    field.fill("softmax")
    shown.locator("#pst-search-dialog .hits a[href*='#term-softmax']").click()
    assert not shown.locator("#pst-search-dialog").is_visible()


def test_a_search_in_a_folder_needs_no_server(site, chromium):
    shown = visit(chromium).new_page()
    shown.goto(f"{(site / 'search.html').as_uri()}?q=entropy")
    shown.locator(".hits a").first.wait_for()
    shown.close()


def test_words_and_equation_numbers_show_what_they_mean(fresh):
    shown, _ = fresh("book/02-dense")
    card = shown.locator(".meaning")
    for link in ("a.equation-number", "a.term"):
        shown.locator(link).first.hover()
        card.wait_for()
        assert len(card.text_content()) > 20
        shown.keyboard.press("Escape")
        assert not card.is_visible()
        shown.locator(link).first.focus()
        card.wait_for()
        assert shown.locator(link).first.get_attribute("aria-describedby")
        shown.keyboard.press("Escape")
    shown.locator("a.equation-number").first.click()
    shown.wait_for_url("**#equation-*")


def test_the_sidebar_says_how_far_one_has_read(fresh):
    shown, _ = fresh(CHAPTERS[0])
    mark = shown.locator(".current .read-mark").first
    assert mark.text_content() == ""
    # to jump to the end is not to read
    shown.evaluate("scrollTo(0, document.body.scrollHeight - 1500)")
    shown.wait_for_function("localStorage.getItem('read:01-attention') !== null")
    assert "✓" not in mark.text_content()
    seen = "(localStorage.getItem('read:01-attention').match(/1/g) ?? []).length"
    for place in (0.2, 0.3, 0.4, 0.5):
        before = shown.evaluate(seen)
        shown.evaluate(f"scrollTo(0, {place} * document.body.scrollHeight)")
        shown.wait_for_function(f"{seen} > {before}")
    shown.wait_for_function("document.body.textContent.includes('min left')")
    assert re.fullmatch(r" \d+ %, \d+ min left", mark.text_content())
    again, _ = fresh(PAGES[0])
    assert again.locator(".read-mark", has_text=" %").count() == 1


@pytest.mark.parametrize(
    ("marks", "share"),
    [
        ("0" * 40, ""),
        ("1" * 4 + "0" * 36, " 10 %"),
        ("1" * 38 + "00", " ✓ read"),
        ("garbage", ""),
    ],
)
def test_what_was_read_is_remembered(chromium, origin, marks, share):
    context = visit(chromium)
    context.add_init_script(f"localStorage.setItem('read:02-dense', '{marks}')")
    shown = context.new_page()
    shown.goto(f"{origin}/{PAGES[0]}.html")
    told = shown.locator(".bd-links a[href='02-dense.html'] .read-mark")
    assert told.text_content() == share
    context.close()


@pytest.mark.parametrize("script", ["throw Error()", "(((", ""])
def test_a_script_that_does_not_run_leaves_the_page_as_printed(
    chromium, origin, script
):
    context = visit(chromium)
    context.route("**/book.js*", lambda route: route.fulfill(body=script))
    shown = context.new_page()
    shown.goto(f"{origin}/{CHAPTERS[0]}.html")
    assert shown.locator(".covered pre").first.is_visible()
    assert shown.locator("figure.still img").first.is_visible()
    assert not shown.locator(".play").first.is_visible()
    context.close()


def test_what_is_printed_from_a_dark_page_is_light(reader, origin):
    shown = reader.open(f"{origin}/{CHAPTERS[0]}.html", dark=True)
    theme = "document.documentElement.dataset.theme"
    assert shown.evaluate(theme) == "dark"
    shown.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert shown.evaluate(theme) == "light"
    shown.evaluate("dispatchEvent(new Event('afterprint'))")
    assert shown.evaluate(theme) == "dark"


@pytest.mark.parametrize("page", [PAGES[0], *CHAPTERS[:10]])
def test_on_paper_no_page_is_empty_and_nothing_is_covered(reader, origin, page):
    shown = reader.open(f"{origin}/{page}.html")
    shown.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    shown.wait_for_function("[...document.images].every(image => image.complete)")
    paper = PdfReader(io.BytesIO(shown.pdf(format="A4", print_background=True)))
    for sheet in paper.pages[:-1]:
        # A picture is lines and areas, tens of thousands of letters.
        drawn = len(sheet.get_contents().get_data())
        assert len(sheet.extract_text()) > 300 or drawn > 20_000, sheet.extract_text()
    shown.emulate_media(media="print")
    hidden = """[...document.querySelectorAll('.covered > *')].filter(
        e => getComputedStyle(e).visibility != 'visible').length"""
    assert shown.evaluate(hidden) == 0
    tall = "[...document.querySelectorAll('figure')].map(f => f.offsetHeight)"
    assert max(shown.evaluate(tall), default=0) < 0.75 * 1123  # A4 at 96 dots an inch


def test_the_pages_are_valid_html(site):
    if not HTML_VALIDATE.exists():
        pytest.skip("site/node_modules is missing: make fetches it")
    pages = [str(site / f"{page}.html") for page in PAGES]
    outside = [str(site / name) for name in ("index.html", "404.html", "search.html")]
    done = subprocess.run(
        [NODE, HTML_VALIDATE, "--config", SITE / "htmlvalidate.json", *pages, *outside],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_a_chapter_opens_without_code(origin, reader):
    for page in CHAPTERS[:10]:
        shown = reader.open(f"{origin}/{page}.html")
        fold = shown.locator("details.opening")
        assert fold.count() == 1 and not fold.locator("pre").first.is_visible()
        shown.close()


def test_no_equation_is_a_tab_stop(origin, reader):
    shown = reader.open(f"{origin}/{CHAPTERS[0]}.html")
    assert shown.locator(".math [tabindex='0'], .math a").count() == 0


def test_icon_fonts_hold_the_icons_that_are_shown(site, origin, reader):
    fonts = list(site.rglob("webfonts/*"))
    assert {font.suffix for font in fonts} == {".woff2"}
    assert sum(font.stat().st_size for font in fonts) < 20_000
    held = set()
    for font in fonts:
        held |= set(TTFont(font).getBestCmap())
    shown = reader.open(f"{origin}/{CHAPTERS[0]}.html")
    icons = shown.evaluate("""
        [...document.querySelectorAll("[class*=' fa-'], [class^='fa-']")]
            .map(icon => getComputedStyle(icon, "::before").content)
            .filter(content => content.length == 3)
            .map(content => content.codePointAt(1))
    """)
    assert len(icons) > 10 and set(icons) <= held


# What reaches beyond the window and is not inside something that scrolls by itself.
# An equation's copy for screen readers is not seen, and as wide as the fonts make it.
WIDE = """
[...document.querySelectorAll("article *")]
    .filter(element => element.getBoundingClientRect().right > innerWidth + 1)
    .filter(element => !element.closest("pre, table, div.math, [class*=scrollable]"))
    .filter(element => !element.closest(".katex-mathml, .katex svg"))
    .map(element => element.outerHTML.slice(0, 80))
    .slice(0, 3)
"""


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_wider_than_a_phone(origin, reader, page):
    shown = reader.open(f"{origin}/{page}.html", width=390)
    assert shown.evaluate(WIDE) == []
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390


def test_dark_mode_follows_the_reader(origin, reader):
    def background(dark):
        shown = reader.open(f"{origin}/{CHAPTERS[0]}.html", dark=dark)
        colour = shown.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3

    assert background(dark=False) > 200
    assert background(dark=True) < 60
