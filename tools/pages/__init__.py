"""What the course adds to its theme when the book is built, as a Sphinx extension.

Equations come from KaTeX, and each page that was written is mended: its head, its
pictures, its scripts and its icons.
"""

from pathlib import Path

from sphinx.application import Sphinx

from tools.address import address
from tools.book import ROOT
from tools.pages import (
    access,
    asides,
    cards,
    equations,
    findings,
    head,
    icons,
    links,
    pictures,
    scripts,
    search,
)


def setup(app: Sphinx) -> dict[str, bool]:
    equations.setup(app)
    scripts.setup(app)
    asides.setup(app)
    cards.setup(app)
    findings.setup(app)
    app.connect("config-inited", _address)
    app.connect("build-finished", _mend)
    return {"parallel_read_safe": True}


def _address(app: Sphinx, config) -> None:
    config.html_baseurl = f"{address(ROOT).site}/"


def _mend(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    cards.write_pictures(out)
    pages = sorted(out.rglob("*.html"))
    for page in pages:
        before = page.read_text("utf-8")
        name = page.relative_to(out).as_posix()
        text = head.mend(before, name, app.config.html_baseurl)
        text = access.mend(pictures.sized(text, page.parent))
        if text != before:
            page.write_text(text, "utf-8")
    search.write(out)
    links.write_meanings(out)
    for folder in ("_images", "_static"):
        pictures.on_any_ground(out / folder)
    icons.subset(out, pages)
    head.write_sitemap(out, app.config.html_baseurl)
    head.write_doors(out, app.config.html_title, app.config.html_baseurl)
