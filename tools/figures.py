"""The figures that a notebook stores: their descriptions, names and sizes."""

import base64
import io
import re
from collections.abc import Iterator

from nbformat import NotebookNode
from PIL import Image, ImageChops


def pictures(cell: NotebookNode) -> list[NotebookNode]:
    """A cell's outputs that are pictures."""
    return [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]


def described(cell: NotebookNode, output: NotebookNode) -> NotebookNode:
    """An output's metadata: for a picture the alternative text that the cell gives it.

    It stands where `IPython.display.Image(alt=…)` puts it and nbconvert's template
    `classic` reads it; the book reads the cell's.
    """
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
    if not alt or output not in pictures(cell):
        return NotebookNode()
    return NotebookNode({"image/png": {"alt": alt}})


def smaller_png(encoded: str, tolerance: int = 20) -> str:
    """A base64 PNG with 256 colours where no channel then differs by over `tolerance`.

    Pictures that need more colours, or are transparent, keep them; none grows.
    """
    original = base64.b64decode(encoded)
    picture = Image.open(io.BytesIO(original)).convert("RGBA")
    if picture.getchannel("A").getextrema() == (255, 255):
        picture = picture.convert("RGB")
        few = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=0)
        difference = ImageChops.difference(picture, few.convert("RGB"))
        if max(high for _, high in difference.getextrema()) <= tolerance:
            picture = few
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    best = min(original, buffer.getvalue(), key=len)
    return base64.b64encode(best).decode()


def problems(cell: NotebookNode) -> Iterator[str]:
    """What is wrong with the figure that a code cell shows."""
    images = len(pictures(cell))
    if images > 1:
        yield f"shows {images} figures; one a cell, so that each has a caption"
    if not images:
        return
    mystnb = cell.metadata.get("mystnb", {})
    figure, alt = mystnb.get("figure", {}), mystnb.get("image", {}).get("alt")
    if not (figure.get("caption") and figure.get("name") and alt):
        yield (
            "shows a figure without caption, name or alternative text in its "
            'metadata: {"mystnb": {"figure": {"caption": "…", "name": "fig-…"}, '
            '"image": {"alt": "…"}}}'
        )
    elif not re.fullmatch(r"fig-[a-z0-9-]+", figure["name"]):
        yield f"names its figure {figure['name']!r}, expected fig-…"
    if any(o.metadata != described(cell, o) for o in cell.outputs if "data" in o):
        yield "shows a figure without its alternative text: run `tidy`"
