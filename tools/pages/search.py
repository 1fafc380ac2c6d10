"""What the search looks in: the book's sections and glossary terms, as plain words.

Each built page is cut at its headings, the notation at its rows. A formula counts as
what one sees of it, so that α is found and no TeX is shown; code blocks and outputs are
left out.
"""

import json
import re
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString, Tag

SKIPPED = (
    "pre, script, style, .cell_output, .headerlink, .predict-bar, .toctree-wrapper"
)


def write(out: Path) -> None:
    """Write `_static/search.js`, which the page loads when one begins to search."""
    found = []
    for page in sorted(out.glob("book/**/*.html")):
        name = page.relative_to(out).as_posix()
        found += sections(page.read_text("utf-8"), name)
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    (out / "_static" / "search.js").write_text(
        f"(window.course ??= {{}}).search = {text};\n", "utf-8"
    )


def sections(html: str, name: str) -> list[dict[str, str]]:
    """A page's sections and terms: `title`, `page` (its title), `link`, `text`."""
    soup = BeautifulSoup(html, "html.parser")
    article = soup.find("article")
    heading = article.find("h1") if article else None
    if heading is None:
        return []
    for element in article.select(SKIPPED):
        element.decompose()
    for formula in article.select(".math"):
        formula.replace_with(NavigableString(f" {_seen(formula)} "))
    page = _words(heading)
    found = []
    for term in article.select("dl.glossary dt[id]"):
        meaning = term.find_next_sibling("dd")
        found.append(
            _entry(_words(term), page, f"{name}#{term['id']}", _words(meaning))
        )
        term.decompose()
        if not meaning.find_previous_sibling("dt"):
            meaning.decompose()
    for row in article.select("tr") if name.endswith("notation.html") else ():
        cells = [_words(cell) for cell in row.find_all("td")]
        if cells:
            link = f"{name}#{row.find_parent('section')['id']}"
            found.append(_entry(cells[0], page, link, " ".join(cells)))
            row.decompose()
    for section in article.select("section[id]"):
        title = section.find(re.compile("^h[1-6]$"), recursive=False)
        own = [child for child in section.children if child is not title]
        own = [c for c in own if not (isinstance(c, Tag) and c.name == "section")]
        text = " ".join(_words(child) for child in own)
        found.append(_entry(_words(title), page, f"{name}#{section['id']}", text))
    return found


def _entry(title: str, page: str, link: str, text: str) -> dict[str, str]:
    return {
        "title": title,
        "page": page if page != title else "",
        "link": link,
        "text": " ".join(text.split()),
    }


def _seen(formula: Tag) -> str:
    """The letters and numbers of a formula, apart; without its TeX."""
    math = formula.find("math")
    if math is None:
        return ""
    for annotation in math.find_all("annotation"):
        annotation.decompose()
    return " ".join(math.stripped_strings)


def _words(node: Tag | NavigableString) -> str:
    text = node.get_text(" ") if isinstance(node, Tag) else str(node)
    return re.sub(r"\s+([.,;:!?)])", r"\1", " ".join(text.split()))
