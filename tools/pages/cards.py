"""The front page's buttons, and a card for each chapter: picture, minutes, needs."""

import re
from html import escape
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from tools.book import ROOT
from tools.figures import SVG, alternative_text, pictures
from tools.pages.openings import PICTURES


def setup(app: Sphinx) -> None:
    app.add_directive("chapter-cards", ChapterCards)
    app.add_directive("start-buttons", StartButtons)


class StartButtons(Directive):
    """Two ways to begin a chapter: to read it, and to run it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        env = self.state.document.settings.env
        env.note_dependency(str(ROOT / "book" / f"{name}.ipynb"))
        opening = nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4).cells[0]
        minutes = re.search(r"\*\*Time:\*\* (\d+) minutes", opening.source)[1]
        colab = re.search(r"\[Open in Colab\]\((.*?)\)", opening.source)[1]
        html = (
            f'<p class="start-buttons"><a class="first" href="{name}.html">Start '
            f'chapter {int(name[:2])} ({minutes} min)</a> <a href="{colab}">Open it in '
            "Colab</a></p>"
        )
        return [nodes.raw("", html, format="html")]


class ChapterCards(Directive):
    """Cards from lines `NAME: what the reader has at its end`."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        env = self.state.document.settings.env
        cards = []
        for line in self.content:
            name, _, text = line.partition(":")
            if not text:
                raise self.error(f"a card's line is 'NAME: text', got {line!r}")
            path = ROOT / "book" / f"{name.strip()}.ipynb"
            env.note_dependency(str(path))
            cards.append(_card(path, text.strip()))
        html = f'<div class="cards">{"".join(cards)}</div>'
        return [nodes.raw("", html, format="html")]


def write_pictures(out: Path) -> None:
    """The cards' pictures, `_static/cards/NAME.svg`."""
    folder = out / "_static" / "cards"
    folder.mkdir(parents=True, exist_ok=True)
    for name in PICTURES:
        nb = nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4)
        (folder / f"{name}.svg").write_text(_picture(nb, name)[0], "utf-8")


def _card(path: Path, text: str) -> str:
    nb = nbformat.read(path, as_version=4)
    opening = nb.cells[0].source
    title = re.search(r"^# (.*)", opening, re.M)[1]
    minutes = re.search(r"\*\*Time:\*\* (\d+) minutes", opening)[1]
    needs = re.search(r"\*\*Builds on:\*\* ([^.\n]*)", opening)[1]
    alt = _picture(nb, path.stem)[1]
    return (
        f'<a class="card-link" href="{path.stem}.html">'
        f'<img src="../_static/cards/{path.stem}.svg" alt="{escape(alt)}" '
        'loading="lazy" />'
        f'<span class="card-title">{escape(title)}</span>'
        f'<span class="card-text">{escape(text)}</span>'
        f'<span class="card-facts">{minutes} minutes · builds on {escape(needs)}</span>'
        "</a>"
    )


def _picture(nb: nbformat.NotebookNode, chapter: str) -> tuple[str, str]:
    """The figure that a chapter opens with, as SVG, and its alternative text."""
    name = PICTURES[chapter][0]
    for cell in nb.cells:
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == name:
            return pictures(cell)[0].data[SVG], alternative_text(cell)
    raise ValueError(f"chapter {chapter} has no figure {name}")
