"""The figures that a notebook stores: drawn as SVG, small, named and described."""

import re
from collections.abc import Iterator
from html import escape

from nbformat import NotebookNode

SVG = "image/svg+xml"
# What a kernel runs before a notebook, so that its figures are sharp at any size and
# the same each time.
AS_SVG = """
import matplotlib
from matplotlib_inline.backend_inline import set_matplotlib_formats
set_matplotlib_formats("svg", metadata={"Date": None})
matplotlib.rcParams["svg.hashsalt"] = "figure"
"""


def pictures(cell: NotebookNode) -> list[NotebookNode]:
    """A cell's outputs that are pictures."""
    return [
        output
        for output in cell.get("outputs", [])
        if any(kind.startswith("image/") for kind in output.get("data", {}))
    ]


def alternative_text(cell: NotebookNode) -> str | None:
    """What the cell says for those who do not see its figure."""
    return cell.metadata.get("mystnb", {}).get("image", {}).get("alt")


def described(cell: NotebookNode, svg: str) -> str:
    """A cell's SVG, named by the cell's alternative text for screen readers.

    The book has its pictures' text from the cell; an editor shows the SVG as it is.
    """
    svg = re.sub(r'(<svg\b[^>]*?) role="img" aria-label="[^"]*"', r"\1", svg, count=1)
    if alt := alternative_text(cell):
        named = f'<svg role="img" aria-label="{escape(alt)}"'
        svg = svg.replace("<svg", named, 1)
    return svg


def smaller_svg(svg: str) -> str:
    """Matplotlib's SVG without what nobody sees, places to a hundredth of a point."""
    svg = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->", "", svg, flags=re.S)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)

    def rounded(found: re.Match) -> str:
        return re.sub(r"(\d\.\d\d)\d+", r"\1", found[0])

    svg = re.sub(r'\b(?:d|x|y)="[^"]*"|translate\([^)]*\)', rounded, svg)
    return re.sub(r"\s+", " ", svg).replace("> <", "><").strip()


def problems(cell: NotebookNode) -> Iterator[str]:
    """What is wrong with the figure that a code cell shows."""
    images = pictures(cell)
    if len(images) > 1:
        yield f"shows {len(images)} figures; one a cell, so that each has a caption"
    if not images:
        return
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    alt = alternative_text(cell)
    if not (figure.get("caption") and figure.get("name") and alt):
        yield (
            "shows a figure without caption, name or alternative text in its "
            'metadata: {"mystnb": {"figure": {"caption": "…", "name": "fig-…"}, '
            '"image": {"alt": "…"}}}'
        )
    elif not re.fullmatch(r"fig-[a-z0-9-]+", figure["name"]):
        yield f"names its figure {figure['name']!r}, expected fig-…"
    if any(SVG not in image.data for image in images):
        yield "shows a figure that is not sharp, as SVG is: run `execute`"
    elif any(image.data[SVG] != described(cell, image.data[SVG]) for image in images):
        yield "shows a figure without its alternative text: run `tidy`"
