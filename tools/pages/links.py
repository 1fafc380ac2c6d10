"""Links to what a word or an equation number means, and the cards that they show.

A glossary term is linked where a later chapter first uses it, "equation (2)" where the
equation stands. What a card shows is written once, to `_static/meanings.js`.
"""

import json
import re
from pathlib import Path

from bs4 import BeautifulSoup
from docutils import nodes

GLOSSARY = "book/glossary"
# Words that a text also uses in other senses.
AMBIGUOUS = {"precision", "overlap", "score", "value", "key", "query", "recall", "rank"}
AMBIGUOUS |= {"label", "target", "source", "batch", "message", "degree", "layer"}
NUMBER = re.compile(r"(?<=[Ee]quation )\((\d)\)|(?<=[Ee]quations )\((\d)\)")
KINDS = {"1": "eq-z", "2": "eq-e", "3": "eq-a", "4": "eq-h"}
# In the four equations, what each of them makes.
SYMBOLS = {
    "eq-z": r"z_[ijm]",
    "eq-e": r"e_\{i[jm]\}",
    "eq-a": r"\\alpha_\{ij\}",
    "eq-h": r"h_i'",
}


def _text_nodes(doctree: nodes.document):
    """Running text of paragraphs: no code, link, emphasis, heading or caption."""
    for node in list(doctree.findall(nodes.Text)):
        parent = node.parent
        if isinstance(parent, nodes.paragraph) and not isinstance(
            parent.parent, nodes.figure
        ):
            yield node


def _section(node: nodes.Node) -> nodes.section:
    while not isinstance(node, nodes.section):
        node = node.parent
    return node


def _replace(node: nodes.Text, start: int, end: int, link: nodes.Node) -> nodes.Text:
    """Put a link in place of a part of a text; returns the text after it."""
    text = node.astext()
    rest = nodes.Text(text[end:])
    node.parent.replace(node, [nodes.Text(text[:start]), link, rest])
    return rest


def chapter_of(page: str) -> int | None:
    found = re.fullmatch(r"book/(\d\d)-.*", page)
    return int(found[1]) if found else None


def terms(env) -> dict[str, tuple[str, int]]:
    """Each glossary term that is linked: its anchor and the chapter that builds it."""
    found = {}
    for entry in env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        meaning = entry.next_node(nodes.definition).astext()
        chapter = re.search(r"Chapters? (\d+)", meaning)
        for term in entry.findall(nodes.term):
            word = term.astext()
            if chapter and len(word) > 3 and word not in AMBIGUOUS:
                found[word] = term["ids"][0], int(chapter[1])
    return found


def link_terms(doctree: nodes.document, page: str, env, builder) -> None:
    """Link the first use of a term in the chapters after the one that builds it."""
    chapter = chapter_of(page)
    if chapter is None:
        return
    known = {w: a for w, (a, built) in terms(env).items() if built < chapter}
    bold = {node.astext().lower() for node in doctree.findall(nodes.strong)}
    known = {word: anchor for word, anchor in known.items() if word.lower() not in bold}
    if not known:
        return
    words = sorted(map(re.escape, known), key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w-])({'|'.join(words)})(?![\w-])")
    target = builder.get_relative_uri(page, GLOSSARY)
    used = set()
    chapter_itself = next(iter(doctree.findall(nodes.section)))
    for node in _text_nodes(doctree):
        if _section(node) is chapter_itself:  # what it promises, before its parts
            continue
        while found := next(
            (m for m in pattern.finditer(node.astext()) if known[m[1]] not in used),
            None,
        ):
            anchor = known[found[1]]
            used.add(anchor)
            link = nodes.reference(
                "", found[1], refuri=f"{target}#{anchor}", internal=True
            )
            link["classes"].append("term")
            node = _replace(node, *found.span(), link)


def link_equations(doctree: nodes.document, page: str, builder) -> None:
    """Link "equation (3)" to it: on this page, else among the four of chapter 1."""
    if chapter_of(page) is None and "/solutions/" not in page:
        return
    here = {block["number_shown"] for block in tagged(doctree)}
    first = builder.get_relative_uri(page, "book/01-attention")
    done = set()  # once a section
    for node in _text_nodes(doctree):
        section = _section(node)
        while found := next(
            (
                m
                for m in NUMBER.finditer(node.astext())
                if (m[1] or m[2]) in here | set(KINDS)
                and (section, m[1] or m[2]) not in done
            ),
            None,
        ):
            number = found[1] or found[2]
            done.add((section, number))
            target = "" if number in here else first
            link = nodes.reference(
                "", f"({number})", refuri=f"{target}#equation-{number}", internal=True
            )
            link["classes"].append("equation-number")
            node = _replace(node, *found.span(), link)


def tagged(doctree: nodes.document) -> list[nodes.math_block]:
    """The equations with a number, which they note; each gets an anchor."""
    found = []
    for block in doctree.findall(nodes.math_block):
        tag = re.search(r"\\tag\{(\d+)\}", block.astext())
        if tag:
            block["number_shown"] = tag[1]
            if f"equation-{tag[1]}" not in block["ids"]:
                block["ids"].append(f"equation-{tag[1]}")
            found.append(block)
    return found


def make_equation_card(doctree: nodes.document) -> None:
    """The four equations in one frame, with the colours that they have in the book."""
    four = [b for b in tagged(doctree) if b["number_shown"] in KINDS]
    if [block["number_shown"] for block in four] != list(KINDS):
        return
    parents = {id(block.parent) for block in four}
    if len(parents) > 1:
        return
    parent, at = four[0].parent, four[0].parent.index(four[0])
    card = nodes.container("", classes=["equation-card"])
    for block in four:
        parent.remove(block)
        tex = block.astext()
        for kind, symbol in SYMBOLS.items():
            tex = re.sub(symbol, lambda m, k=kind: rf"\htmlClass{{{k}}}{{{m[0]}}}", tex)
        block.children = [nodes.Text(tex)]
        block["classes"].append(KINDS[block["number_shown"]])
        card.append(block)
    parent.insert(at, card)


def write_meanings(out: Path) -> None:
    """What the cards show, by the end of the address that a link goes to."""
    found = {}
    page = BeautifulSoup((out / f"{GLOSSARY}.html").read_text("utf-8"), "html.parser")
    for term in page.select("dl.glossary dt[id]"):
        meaning = term.find_next_sibling("dd")
        for link in meaning.select("a"):
            link.unwrap()
        found[f"glossary.html#{term['id']}"] = meaning.decode_contents().strip()
    for path in sorted(out.glob("book/**/*.html")):
        page = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        for tex in page.select("annotation"):
            tex.decompose()
        for equation in page.select("[id^=equation-]"):
            found[f"{path.name}#{equation['id']}"] = equation.decode_contents().strip()
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    script = f"(window.course ??= {{}}).meanings = {text};\n"
    (out / "_static" / "meanings.js").write_text(script, "utf-8")
