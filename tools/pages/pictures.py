"""Pictures that keep their place while they load, and load when they are near."""

import re
import xml.etree.ElementTree as ET
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

from PIL import Image


def sized(text: str, folder: Path) -> str:
    """A page's HTML with width and height of its pictures; all but the first are lazy.

    Args:
        text: the HTML.
        folder: where the page is, which its links start from.
    """
    seen = 0

    def tag(match: re.Match) -> str:
        nonlocal seen
        found = match[0].rstrip("/> ")
        source = re.search(r'\bsrc="([^"]*)"', found)
        if source is None:
            return match[0]
        link = urlsplit(unescape(source[1]))
        file = folder / unquote(link.path)
        if link.scheme or not file.is_file():
            return match[0]
        if not re.search(r"\b(?:width|height)=|style=", found):
            width, height = size(file)
            found += f' width="{width}" height="{height}"'
        if "logo" not in found:
            seen += 1
            if seen > 1 and "loading=" not in found:
                found += ' loading="lazy"'
        return f"{found} />"

    return re.sub(r"<img\b[^>]*>", tag, text)


# Matplotlib paints the whole figure before all else.
GROUND = re.compile(
    r'(<g id="patch_1"><path d="[^"]*" style="fill: )#ffffff("|;)', re.S
)


def on_any_ground(folder: Path) -> None:
    """Take the white ground from under the pictures in a folder of the book."""
    for file in folder.rglob("*.svg"):
        svg = file.read_text("utf-8")
        clear = GROUND.sub(r"\1none\2", svg, count=1)
        if clear != svg:
            file.write_text(clear, "utf-8")


def size(file: Path) -> tuple[int, int]:
    """Width and height of a picture, in CSS pixels."""
    if file.suffix != ".svg":
        with Image.open(file) as picture:
            return picture.size
    root = ET.parse(file).getroot()
    sides = [root.get(name, "") for name in ("width", "height")]
    units = {"": 1.0, "px": 1.0, "pt": 4 / 3}
    found = [re.fullmatch(r"([\d.]+)(px|pt)?", side) for side in sides]
    if all(found):
        return tuple(round(float(f[1]) * units[f[2] or ""]) for f in found)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    return round(width), round(height)
