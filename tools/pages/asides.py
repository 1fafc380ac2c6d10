"""Boxes, folds, figures that answer: what a page does with the notebook's cells."""

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx

from tools.pages import links, openings, predictions

KINDS = {"Predict": "predict", "Readers ask": "ask"}
# Figures that the page's script brings to life; its kind is the script's part.
FIGURES = {
    "fig-cover": "friends",
    "fig-attention-five": "friends",
    "fig-masks": "masks",
    "fig-cora-neighbourhood": "papers",
    "fig-ppi-tissues": "tissues",
    "fig-variants-static": "lookup",
}


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
        told = (
            "Setup: installs the course on Colab" if setup_cell else "How this is made"
        )
        fold["prompt_show"] = fold["prompt_hide"] = told
    openings.open_with_picture(doctree, page)
    openings.fold_setup(doctree)
    _enliven(doctree)


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


def _enliven(doctree: nodes.document) -> None:
    for figure in list(doctree.findall(nodes.figure)):
        kind = next((FIGURES[i] for i in figure["ids"] if i in FIGURES), None)
        if kind:
            place = nodes.raw("", f'<div class="play {kind}"></div>', format="html")
            figure["classes"].append("still")
            figure.parent.insert(figure.parent.index(figure), place)
