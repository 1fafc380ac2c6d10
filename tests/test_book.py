"""The book as a reader meets it: it builds, its links lead somewhere, it asks nobody.

One build serves all tests. What only a browser can tell (equations typeset, nothing
fetched from elsewhere, no page wider than a phone) is skipped where none is installed.
"""

import gzip
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
from fontTools.ttLib import TTFont

from tools import book
from tools.address import address
from tools.book import ROOT

PAGES = book.pages()
CHAPTERS = [book.page_of(path) for path in book.notebooks()]
MAX_BYTES = 2_000_000  # of a page with its own pictures
STOPS = 120  # of a keyboard in chapter 1
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


@pytest.mark.parametrize("page", PAGES)
def test_figures_are_numbered_captioned_described(site, page):
    text = (site / f"{page}.html").read_text(encoding="utf-8")
    article = text[text.index("<article") : text.index("</article>")]
    figures = re.findall(r"<figure.*?</figure>", article, re.S)
    for figure in figures:
        assert re.search(r'class="caption-number">Fig\. \d+ ', figure), figure
        assert re.search(r'class="caption-text">[^<]', figure), figure
    # In a chapter every picture is a figure; a page may also show a picture without.
    pictures = re.findall(r"<img[^>]*>", article)
    assert all(re.search(r'alt="[^"]{5,}"', picture) for picture in pictures), pictures
    if page in CHAPTERS:
        assert len(pictures) == len(figures)


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
    context = chromium.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(f"{origin}/{page}.html")
    assert shown.locator("article").is_visible()
    context.close()
    context = chromium.new_context()
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
    context = chromium.new_context(color_scheme="dark" if dark else "light")
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
    context = chromium.new_context()
    shown = context.new_page()
    shown.goto(address_)
    assert shown.locator(".predict-show").count() >= 4
    assert shown.evaluate(hidden) == "hidden"
    shown.emulate_media(media="print")
    assert shown.evaluate(hidden) == "visible"
    shown.emulate_media(media="screen")
    first, second = (shown.locator(".predict-show").nth(k) for k in (0, 1))
    first.click()
    assert shown.evaluate(hidden) == "visible"
    second.press("Enter")
    assert shown.locator(".covered.open").count() >= 2
    shown.reload()
    shown.wait_for_selector(".covered.open")
    assert shown.evaluate(hidden) == "visible"
    context.close()
    context = chromium.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(address_)
    assert shown.locator(".covered").first.locator("pre").first.is_visible()
    assert not shown.locator(".predict-show").first.is_visible()
    context.close()


@pytest.mark.parametrize("page", [PAGES[0], CHAPTERS[0]])
def test_the_five_friends_answer_to_mouse_and_keys(origin, chromium, page):
    context = chromium.new_context(has_touch=True)
    shown = context.new_page()
    shown.goto(f"{origin}/{page}.html")
    place = shown.locator(".friends")
    title = place.locator(".friends-title")
    assert title.text_content() == "What node 0 hears"
    assert place.locator(".eq-a").first.text_content() == "0.37"
    assert not shown.locator("figure.still").is_visible()
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
    context.close()
    context = chromium.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(f"{origin}/{page}.html")
    assert shown.locator("figure.still img").is_visible()
    context.close()


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


def test_search_finds_a_chapter(origin, reader):
    shown = reader.open(f"{origin}/search.html?q=attention")
    # Results come in one by one; this line fills in after the last.
    shown.wait_for_function('document.querySelector(".search-summary")?.textContent')
    found = shown.evaluate("""
        [...document.querySelectorAll("#search-results li a")]
            .map(link => link.getAttribute("href"))
    """)
    assert any("01-attention" in link for link in found), found
