"""Boxes, folds and covered answers: what a page does with the notebook's cells."""

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx

KINDS = {"Predict": "predict", "Readers ask": "ask"}
# Figures that the page's script brings to life, and what it fills in their place.
FIGURES = {"fig-attention-five": "friends", "fig-cover": "friends"}
SHOW = "I have an answer: show it"


def setup(app: Sphinx) -> None:
    app.connect("doctree-resolved", _arrange)


def _arrange(app: Sphinx, doctree: nodes.document, name: str) -> None:
    if app.builder.format != "html":
        return
    for number, box in enumerate(list(doctree.findall(nodes.block_quote))):
        strong = next(iter(box.findall(nodes.strong)), None)
        if strong is None:
            continue
        title = strong.astext()
        kind = next((k for t, k in KINDS.items() if title.startswith(t)), "note")
        box["classes"].append(kind)
        if kind == "predict":
            _cover(box, f"covered-{number}")
    for fold in doctree.findall(HideCodeCellNode):
        cell = fold.parent
        setup_cell = "tag_setup" in cell.get("classes", [])
        told = (
            "Setup: installs the course on Colab" if setup_cell else "How this is made"
        )
        fold["prompt_show"] = fold["prompt_hide"] = told
    for figure in list(doctree.findall(nodes.figure)):
        if figure["ids"] and figure["ids"][0] in FIGURES:
            place = f'<div class="{FIGURES[figure["ids"][0]]}"></div>'
            figure["classes"].append("still")
            figure.parent.insert(
                figure.parent.index(figure), nodes.raw("", place, format="html")
            )
    _fold_opening(doctree)


def _is_cell(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Element) and "cell" in node.get("classes", [])


def _outputs(cell: nodes.Element) -> list[nodes.container]:
    parts = cell.findall(nodes.container)
    return [part for part in parts if "cell_output" in part["classes"]]


def _cover(box: nodes.block_quote, name: str) -> None:
    """Cover the outputs of the first run of cells after a box, in its section."""
    after = box.parent.children[box.parent.index(box) + 1 :]
    covered = []
    for node in after:
        if isinstance(node, nodes.section | nodes.block_quote):
            break
        if _is_cell(node):
            covered += _outputs(node)
        elif covered:
            if node.astext().startswith("Answer"):
                covered.append(node)
            break
    for node in covered:
        node["classes"] += ["covered", name]
    if covered:
        button = (
            '<p class="predict-bar"><button type="button" class="predict-show" '
            f'data-covers="{name}">{SHOW}</button></p>'
        )
        box.parent.insert(
            box.parent.index(box) + 1, nodes.raw("", button, format="html")
        )


def _fold_opening(doctree: nodes.document) -> None:
    """Imports and settings, which stand before the first word, go under one fold."""
    chapter = next(iter(doctree.findall(nodes.section)), None)
    if chapter is None:
        return
    cells = []
    for node in chapter.children:
        if _is_cell(node) and not _outputs(node):
            cells.append(node)
        elif cells:
            break
    if len(cells) < 2:
        return
    first = chapter.index(cells[0])
    opening = (
        '<details class="opening"><summary>Setup: what this page imports and sets'
        "</summary>"
    )
    chapter.insert(first, nodes.raw("", opening, format="html"))
    last = chapter.index(cells[-1])
    chapter.insert(last + 1, nodes.raw("", "</details>", format="html"))
