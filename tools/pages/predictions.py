"""Predict boxes: what they ask about stays covered until the reader has an answer."""

from functools import cache
from html import escape

import yaml
from docutils import nodes

from tools.book import ROOT
from tools.pages.equations import rendered

CHOICES = ROOT / "book" / "predictions.yml"
SHOW = "I have an answer: show it"


@cache
def choices() -> dict[str, dict[str, dict]]:
    """Each page's questions, by their beginnings: `choices`, and which is `right`."""
    return yaml.safe_load(CHOICES.read_text("utf-8"))


def asked(page: str, question: str) -> tuple[str, dict] | None:
    """The entry of a box, if it has choices: its key and what it holds."""
    own = choices().get(page.removeprefix("book/"), {})
    return next(((k, v) for k, v in own.items() if question.startswith(k)), None)


def cover(box: nodes.block_quote, name: str, page: str) -> str | None:
    """Cover what may answer a box: the outputs of the first run of cells after it and
    the paragraph that follows them, in its section; a paragraph that begins "Answer".

    Returns the beginning of the question, where it has choices.
    """
    after = box.parent.children[box.parent.index(box) + 1 :]
    covered = []
    for node in after:
        if isinstance(node, nodes.section | nodes.block_quote):
            break
        if is_cell(node):
            covered += outputs(node)
        elif node.astext().startswith("Answer"):
            covered.append(node)
        elif covered:
            if isinstance(node, nodes.paragraph):
                covered.append(node)
            break
    for node in covered:
        node["classes"] += ["covered", name]
    if not covered:
        return None
    question = box.astext().removeprefix("Predict.").strip()
    key, entry = asked(page, question) or (None, None)
    bar = nodes.raw("", _bar(name, question[:60], entry), format="html")
    box.parent.insert(box.parent.index(box) + 1, bar)
    return key


def _bar(name: str, question: str, entry: dict | None) -> str:
    # What was answered is remembered by the question, whatever else the page gets.
    data = f'data-covers="{name}" data-question="{escape(question)}"'

    def button(text: str, extra: str = "") -> str:
        return (
            f'<button type="button" class="predict-show" {data}{extra}>{text}</button>'
        )

    if entry is None:
        return f'<p class="predict-bar">{button(SHOW)}</p>'
    parts = [
        button(_typeset(str(text)), f' data-right="{str(k == entry["right"]).lower()}"')
        for k, text in enumerate(entry["choices"], start=1)
    ]
    return f'<p class="predict-bar choices">{" ".join(parts)}{button("show it")}</p>'


def _typeset(text: str) -> str:
    """A choice as HTML, with its formula, if it has one."""
    parts = text.split("$")
    return "".join(
        rendered(part, False) if k % 2 else escape(part) for k, part in enumerate(parts)
    )


def is_cell(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Element) and "cell" in node.get("classes", [])


def outputs(cell: nodes.Element) -> list[nodes.container]:
    parts = cell.findall(nodes.container)
    return [part for part in parts if "cell_output" in part["classes"]]
