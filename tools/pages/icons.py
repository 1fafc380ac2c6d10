"""The theme's icon fonts, cut down to the icons that the book shows."""

import re
from collections.abc import Iterable
from pathlib import Path

from fontTools.subset import Options, Subsetter, load_font, save_font

# A rule of a style sheet that shows one character, or names it: `selectors {… "\f104"`.
RULE = r"([^{}]+)\{([^{}]*)\}"
CHARACTER = r'"\\([0-9a-f]{2,6})"'


def subset(out: Path, pages: Iterable[Path]) -> None:
    """Keep in each icon font what a page, a script or a style sheet asks for."""
    static = out / "_static"
    styles = "".join(p.read_text("utf-8") for p in static.rglob("*.css"))
    scripts = "".join(
        p.read_text("utf-8") for p in static.rglob("*.js") if p.stem != "fontawesome"
    )
    shown = scripts + "".join(page.read_text("utf-8") for page in pages)
    asked = set(re.findall(r"\bfa-[\w-]+", shown))
    kept = set()
    for selectors, rule in re.findall(RULE, styles):
        names = set(re.findall(r"\.(fa-[\w-]+)", selectors))
        if not names or names & asked:
            kept |= {int(code, 16) for code in re.findall(CHARACTER, rule)}
    for file in static.rglob("webfonts/*.woff2"):
        options = Options(flavor="woff2")
        font = load_font(str(file), options)
        cut = Subsetter(options)
        cut.populate(unicodes=kept)
        cut.subset(font)
        save_font(font, str(file), options)
    for idle in [*static.rglob("fontawesome.js*"), *static.rglob("webfonts/*.ttf")]:
        idle.unlink()
