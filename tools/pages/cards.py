"""The front page's cards: each chapter's picture, its minutes and what it needs."""

import base64
import io
import re
from html import escape
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.parsers.rst import Directive
from PIL import Image
from sphinx.application import Sphinx

from tools.book import ROOT

WIDTH = 360  # pixels of a thumbnail


def setup(app: Sphinx) -> None:
    app.add_directive("chapter-cards", ChapterCards)


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
            cards.append(_card(path, text.strip(), Path(env.app.outdir) / "_static"))
        html = f'<div class="cards">{"".join(cards)}</div>'
        return [nodes.raw("", html, format="html")]


def _card(path: Path, text: str, static: Path) -> str:
    nb = nbformat.read(path, as_version=4)
    opening = nb.cells[0].source
    title = re.search(r"^# (.*)", opening, re.M)[1]
    minutes = re.search(r"\*\*Time:\*\* (\d+) minutes", opening)[1]
    needs = re.search(r"\*\*Builds on:\*\* ([^.\n]*)", opening)[1]
    picture, alt = _first_picture(nb)
    file = static / "cards" / f"{path.stem}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file, optimize=True)
    width, height = picture.size
    return (
        f'<a class="card-link" href="{path.stem}.html">'
        f'<img src="../_static/cards/{file.name}" width="{width}" height="{height}" '
        f'alt="{escape(alt)}" loading="lazy" />'
        f'<span class="card-title">{escape(title)}</span>'
        f'<span class="card-text">{escape(text)}</span>'
        f'<span class="card-facts">{minutes} minutes · builds on {escape(needs)}</span>'
        "</a>"
    )


def _first_picture(nb: nbformat.NotebookNode) -> tuple[Image.Image, str]:
    """The first figure of a notebook, small, and its alternative text."""
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                alt = cell.metadata["mystnb"]["image"]["alt"]
                data = base64.b64decode(output["data"]["image/png"])
                picture = Image.open(io.BytesIO(data)).convert("RGB")
                ratio = min(WIDTH / picture.width, 0.62 * WIDTH / picture.height)
                size = (round(picture.width * ratio), round(picture.height * ratio))
                small = picture.resize(size, Image.Resampling.LANCZOS)
                card = Image.new("RGB", (WIDTH, round(0.62 * WIDTH)), "white")
                place = (WIDTH - size[0]) // 2, (card.height - size[1]) // 2
                card.paste(small, place)
                return card.quantize(64), alt
    raise ValueError("the chapter has no figure")
