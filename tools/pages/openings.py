"""How a chapter opens: with a picture of where it goes, and its setup under a fold."""

from docutils import nodes

from tools.pages.predictions import is_cell, outputs

# For each chapter one of its figures, and what it promises.
PICTURES = {
    "01-attention": (
        "fig-score",
        "At the end of this chapter you can make every number in this picture.",
    ),
    "02-dense": (
        "fig-karate-attention",
        "A club that split in two, and whom its members listen to.",
    ),
    "03-message-passing": (
        "fig-mailboxes",
        "Messages wait in mailboxes: how a library works along the edges.",
    ),
    "04-heads": ("fig-heads-strands", "One node, three heads, three opinions."),
    "05-cora": (
        "fig-cora-part",
        "Papers that cite each other. Does it matter which of them one listens to?",
    ),
    "06-ppi": (
        "fig-ppi-truth",
        "Where the right answer is known: has attention found it?",
    ),
    "07-variants": (
        "fig-variants-static",
        "Two kinds of attention look up five words. One of them cannot.",
    ),
    "08-pooling": (
        "fig-pooling-colors",
        "How many nodes are green? Only the large ones count.",
    ),
    "09-fast": ("fig-ladder", "The same numbers, in less and less time."),
    "10-large": (
        "fig-large-batch",
        "Three nodes to learn from, and all that two layers have to read for them.",
    ),
}


def open_with_picture(doctree: nodes.document, page: str) -> None:
    """Put a small copy of a figure below what the chapter promises."""
    name, promise = PICTURES.get(page.removeprefix("book/"), (None, ""))
    figures = [f for f in doctree.findall(nodes.figure) if name in f["ids"]]
    if not figures:
        return
    picture = next(figures[0].findall(nodes.image)).deepcopy()
    link = nodes.reference("", "", picture, refuri=f"#{name}", internal=True)
    words = nodes.paragraph("", promise)
    opening = nodes.container("", link, words, classes=["opening-picture"])
    chapter = next(iter(doctree.findall(nodes.section)))
    at = next(
        (k for k, node in enumerate(chapter) if node.astext().startswith("Time:")), None
    )
    if at is not None:
        chapter.insert(at + 1, opening)


def fold_setup(doctree: nodes.document) -> None:
    """Imports and settings, which stand before the first word, go under one fold."""
    chapter = next(iter(doctree.findall(nodes.section)), None)
    if chapter is None:
        return
    cells = []
    for node in chapter.children:
        if is_cell(node) and not outputs(node):
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
