"""Boxes, folds, figures that answer: what a page does with the notebook's cells."""

from functools import cache

import yaml
from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx

from tools.book import ROOT
from tools.pages import links, openings, predictions

KINDS = {"Predict": "predict", "Readers ask": "ask"}
# Answering figures that stand for no printed one, at the end of a section.
MORE = {
    ("book/02-dense", "the-mask"): (
        '<div class="play masks" data-ways></div><p class="play-caption">The three '
        "ways to forbid, on the five friends: allow and forbid cells, and watch the "
        "row.</p>"
    )
}


@cache
def answering() -> dict[str, dict[str, str]]:
    """The figures of `book/figures.yml`, by name: `part`, `caption`, `start`."""
    return yaml.safe_load((ROOT / "book" / "figures.yml").read_text("utf-8"))


def setup(app: Sphinx) -> None:
    app.connect("doctree-resolved", _arrange)


def _arrange(app: Sphinx, doctree: nodes.document, page: str) -> None:
    if app.builder.format != "html":
        return
    links.make_equation_card(doctree)
    links.link_equations(doctree, page, app.builder)
    links.link_terms(doctree, page, app.env, app.builder)
    _arrange_boxes(doctree, page)
    for fold in doctree.findall(HideCodeCellNode):
        cell = fold.parent
        setup_cell = "tag_setup" in cell.get("classes", [])
        told = "How this is made"
        if setup_cell:
            told = "Setup: installs the course on Colab"
        elif {"above-output", "below-input"} & set(fold["classes"]):
            told = "What this prints"
        fold["prompt_show"] = fold["prompt_hide"] = told
    openings.open_with_picture(doctree, page)
    openings.fold_setup(doctree)
    _enliven(doctree, page)
    _keep_together(doctree)


def _arrange_boxes(doctree: nodes.document, page: str) -> None:
    """Tell Predict, Readers ask and other boxes apart; cover what a Predict asks."""
    used = set()
    for number, box in enumerate(list(doctree.findall(nodes.block_quote))):
        strong = next(iter(box.findall(nodes.strong)), None)
        if strong is None:
            continue
        title = strong.astext()
        kind = next((k for t, k in KINDS.items() if title.startswith(t)), "note")
        box["classes"].append(kind)
        if kind == "predict":
            used.add(predictions.cover(box, f"covered-{number}", page))
    missed = set(predictions.choices().get(page.removeprefix("book/"), {})) - used
    if missed:
        raise ValueError(f"book/predictions.yml: {page} asks no {sorted(missed)}")


def _enliven(doctree: nodes.document, page: str) -> None:
    for figure in list(doctree.findall(nodes.figure)):
        live = next((answering()[i] for i in figure["ids"] if i in answering()), None)
        if live is None:
            continue
        start = f" {live['start']}" if "start" in live else ""
        place = f'<div class="play {live["part"]}"{start}></div>'
        figure["classes"].append("still")
        figure.parent.insert(
            figure.parent.index(figure), nodes.raw("", place, format="html")
        )
        caption = next(iter(figure.findall(nodes.caption)), None)
        if "caption" in live and caption is not None:
            printed = nodes.inline("", "", *caption.children, classes=["printed-text"])
            told = nodes.inline("", live["caption"], classes=["live-text"])
            caption.children = []
            caption += [printed, told]
    for (where, section), place in MORE.items():
        if where == page:
            part = next(
                s for s in doctree.findall(nodes.section) if section in s["ids"]
            )
            part.append(nodes.raw("", place, format="html"))


def _keep_together(doctree: nodes.document) -> None:
    """No line begins with the comma or full stop that follows a formula."""
    for math in list(doctree.findall(nodes.math)):
        after = math.next_node(descend=False, siblings=True)
        if not isinstance(after, nodes.Text) or after.astext()[:1] not in tuple(
            ".,;:)"
        ):
            continue
        parent, text = math.parent, after.astext()
        glued = nodes.inline("", "", classes=["together"])
        parent.replace(after, nodes.Text(text[1:]))
        parent.replace(math, glued)
        glued += [math, nodes.Text(text[0])]
