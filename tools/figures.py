"""The figures that a notebook stores: size, description and name."""

import base64
import io

from nbformat import NotebookNode


def smaller_png(encoded: str, tolerance: int = 20) -> str:
    """A base64 PNG with 256 colours where no channel then differs by over `tolerance`.

    Pictures that need more colours, or are transparent, keep them; none grows.
    """
    from PIL import Image, ImageChops

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


def described(cell: NotebookNode, output: NotebookNode) -> NotebookNode:
    """An output's metadata: for a picture the alternative text that the cell gives it.

    It stands where `IPython.display.Image(alt=…)` puts it and nbconvert's template
    `classic` reads it; the book reads the cell's.
    """
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
    if not alt or "image/png" not in output.get("data", {}):
        return NotebookNode()
    return NotebookNode({"image/png": {"alt": alt}})


def figure_names(nb: NotebookNode) -> list[str]:
    """The names that a notebook's cells give to their figures."""
    figures = (c.metadata.get("mystnb", {}).get("figure", {}) for c in nb.cells)
    return [figure["name"] for figure in figures if "name" in figure]
