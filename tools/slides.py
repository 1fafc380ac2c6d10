"""Makes two lectures out of the chapters' cells: `make slides`.

A slide is a few words of its own and cells of a chapter, by their ids, with the outputs
stored there. The pages in `_build/slides` ask for nothing from the network.
"""

import re
import shutil
from typing import NamedTuple

import nbformat
from nbconvert import SlidesExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook
from traitlets.config import Config

from tools import book

OUT = book.ROOT / "_build" / "slides"
MODULES = book.ROOT / "site" / "node_modules"


class Slide(NamedTuple):
    """One slide.

    Args:
        text: Markdown, a title first.
        cells: ids of a chapter's cells that follow the text.
        shows: "output", "code", or "both" of these cells.
    """

    text: str
    cells: tuple[str, ...] = ()
    shows: str = "output"


ONE_LAYER = [
    Slide(
        "# One layer of graph attention\n\nFrom one formula to a layer that learns\n\n"
        "*Graph Attention from the Ground Up*, chapters 1 and 2"
    ),
    Slide(
        "## Five friends and their records\n\nEach node has features: jazz, rock. "
        "Which records will node 0 like?",
        ("01-006",),
    ),
    Slide(
        "## Averaging: the structure decides\n\nRow 0 hears four nodes: a quarter "
        "each, whatever they say.",
        ("01-009",),
        "both",
    ),
    Slide(
        "## What is wrong with that\n\n- All neighbours weigh the same, or by degree "
        "alone.\n- A newcomer changes the weights of everyone around.\n- What the "
        "neighbours *say* plays no part."
    ),
    Slide(
        "## Softmax: from scores to weights\n\n- positive, and they sum to 1\n- adding "
        "5 to all scores changes nothing\n- multiplying them sharpens\n- subtract the "
        "largest, or overflow",
        ("01-018",),
        "both",
    ),
    Slide(
        "## A graph is a mask\n\nWho may look at whom?",
        ("01-026",),
    ),
    Slide(
        "## The four equations\n\n"
        "$$z_i = W^\\top h_i$$\n"
        "$$e_{ij}=\\mathrm{LeakyReLU}(a^\\top[z_i\\,\\|\\,z_j])$$\n"
        "$$\\alpha_{ij}=\\frac{\\exp e_{ij}}{\\sum_{m\\in\\mathcal N(i)}\\exp e_{im}}$$"
        "\n$$h_i'=\\sigma\\Big(\\sum_{j\\in\\mathcal N(i)}\\alpha_{ij}z_j\\Big)$$"
    ),
    Slide("## One weight, step by step", ("01-077",)),
    Slide("## What the nodes pay", ("01-039",)),
    Slide(
        "## Ask the room\n\nIs $\\alpha_{03}=\\alpha_{30}$? Find two reasons why not."
    ),
    Slide(
        "## Not symmetric\n\nThe halves of $a$ differ, and each row is divided by its "
        "own sum.",
        ("01-049",),
    ),
    Slide(
        "## All pairs at once\n\n"
        "$a^\\top[z_i\\|z_j]=a_\\mathrm{dst}^\\top z_i+a_\\mathrm{src}^\\top z_j$: "
        "a column plus a row.",
        ("01-034",),
        "code",
    ),
    Slide(
        "## The mask, three ways\n\n- $-9\\cdot10^{15}$: a node without neighbours "
        "hears everyone\n- $-\\infty$: it gets NaN\n- zeros: what it should get",
        ("dense-014", "dense-016"),
        "both",
    ),
    Slide(
        "## Try it\n\nExercise 1.2: a softmax with a mask and a temperature. The check "
        "says which mistake it is.\n\nAt home: assignment 1."
    ),
]

REAL_GRAPHS = [
    Slide(
        "# Heads, Cora, and an honest number\n\n*Graph Attention from the Ground Up*, "
        "chapters 4 and 5"
    ),
    Slide("## Several lists of weights", ("heads-055",)),
    Slide(
        "## Four questions, one answer each\n\nOne head has one list of weights. How "
        "much can it explain?",
        ("heads-057",),
    ),
    Slide(
        "## With enough heads every seed arrives\n\nThe same number of features, "
        "divided among 1 to 8 heads.",
        ("heads-008",),
    ),
    Slide(
        "## Merging\n\n- hidden layers: side by side, $[N, K\\cdot F']$\n- output: the "
        "mean, and *then* the softmax\n- `torch.mean(torch.stack(heads))` is one "
        "number: erratum 1"
    ),
    Slide("## Cora\n\n2,708 papers, 1,433 words, 7 fields, 140 labels.", ("05-010",)),
    Slide("## Is the test set not leaked?\n\nShuffle its labels:", ("05-014",), "both"),
    Slide("## One run", ("05-020",)),
    Slide(
        "## Four models under one protocol\n\n*Uniform* is GAT with its attention "
        "switched off.",
        ("05-022", "05-024"),
    ),
    Slide(
        "## Do two means differ?\n\n$\\pm$ is the spread of one run. The *difference* "
        "needs an interval of its own.",
        ("05-060",),
    ),
    Slide(
        "## How flat is it?\n\nEntropy against its maximum, $\\log|\\mathcal N(i)|$.",
        ("05-030",),
    ),
    Slide(
        "## Why do I not reach 83 %?\n\nOne change at a time, five seeds each.",
        ("05-041", "05-041b"),
    ),
    Slide(
        "## Take home\n\n- Train the twin without attention: accuracy alone shows "
        "nothing.\n- Several seeds, and the interval of the difference.\n- *Not shown* "
        "is not *absent*.\n\nAt home: assignment 3."
    ),
]

LECTURES = {
    "1-one-layer": ("One layer of graph attention", ONE_LAYER),
    "2-real-graphs": ("Heads, Cora, and an honest number", REAL_GRAPHS),
}
CHAPTERS = ("01-attention", "02-dense", "04-heads", "05-cora")

STYLE = """
.reveal { font-size: 26px; }
.reveal h1, .reveal h2 { text-transform: none; }
.reveal pre, .reveal .jp-OutputArea-output pre { font-size: 16px; line-height: 1.3;
  box-shadow: none; width: 100%; }
.reveal svg, .reveal img { max-height: 440px; max-width: 100%; margin: 0 auto;
  display: block; }
.reveal table { font-size: 18px; }
.reveal .jp-InputPrompt, .reveal .jp-OutputPrompt { display: none; }
"""


def cells() -> dict[str, NotebookNode]:
    """The chapters' cells, by their ids."""
    found = {}
    for chapter in CHAPTERS:
        for cell in book.read(book.ROOT / "book" / f"{chapter}.ipynb").cells:
            found[cell.id] = cell
    return found


def lecture(title: str, slides: list[Slide], known: dict) -> NotebookNode:
    """The slides as a notebook.

    Raises:
        KeyError: a chapter has no such cell.
    """
    made = new_notebook(metadata={"title": title})
    for slide in slides:
        text = new_markdown_cell(slide.text)
        text.metadata["slideshow"] = {"slide_type": "slide"}
        made.cells.append(text)
        for name in slide.cells:
            cell = nbformat.from_dict(known[name])
            hide = {"code": "remove_output", "output": "remove_input"}
            cell.metadata = {"slideshow": {"slide_type": "-"}}
            if slide.shows in hide:
                cell.metadata["tags"] = [hide[slide.shows]]
            made.cells.append(cell)
    return made


_HEAD = """<link href="katex/katex.min.css" rel="stylesheet"/>
<script src="katex/katex.min.js"></script>
<script src="katex/contrib/auto-render.min.js"></script>
<style>{style}</style>
</head>"""
_END = """<script src="reveal.js/dist/reveal.js"></script>
<script src="reveal.js/plugin/notes/notes.js"></script>
<script>
renderMathInElement(document.body, {delimiters: [
  {left: "$$", right: "$$", display: true}, {left: "$", right: "$", display: false}]});
Reveal.initialize({hash: true, slideNumber: true, transition: "none",
  plugins: [RevealNotes], width: 1100, height: 750, margin: 0.06});
</script>
</html>
"""


def page(made: NotebookNode) -> str:
    """The page, with the movement and the formulas from this folder, not from afar."""
    config = Config()
    config.TagRemovePreprocessor.enabled = True
    config.TagRemovePreprocessor.remove_input_tags = {"remove_input"}
    config.TagRemovePreprocessor.remove_all_outputs_tags = {"remove_output"}
    exporter = SlidesExporter(
        config=config, reveal_url_prefix="reveal.js", reveal_theme="white"
    )
    text, _ = exporter.from_notebook_node(made)
    text = text[: text.rindex("<script>\nrequire(")]
    text = re.sub(r'<script src="https?://[^"]*"></script>', "", text)
    text = re.sub(r"(?s)<!-- Load mathjax -->.*?<!-- End of mathjax[^>]*-->", "", text)
    text = re.sub(r'(?s)<script type="module">.*?</script>', "", text, count=1)
    text = text.replace("</head>", _HEAD.format(style=STYLE), 1)
    return text + _END


def main() -> None:
    """Write all lectures."""
    for name, parts in {
        "reveal.js": ("dist", "plugin/notes"),
        "katex": (
            "katex.min.css",
            "katex.min.js",
            "contrib/auto-render.min.js",
            "fonts",
        ),
    }.items():
        home = MODULES / name / ("dist" if name == "katex" else "")
        for part in parts:
            (OUT / name / part).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (home / part).is_dir() else shutil.copy
            more = {"dirs_exist_ok": True} if copy is shutil.copytree else {}
            copy(home / part, OUT / name / part, **more)
    known = cells()
    for name, (title, slides) in LECTURES.items():
        (OUT / f"{name}.html").write_text(page(lecture(title, slides, known)), "utf-8")


if __name__ == "__main__":
    main()
