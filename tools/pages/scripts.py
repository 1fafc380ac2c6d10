"""The pages' one script, from `site/src`, and their typefaces."""

import base64
import re
import shutil
import subprocess
from pathlib import Path

from sphinx.application import Sphinx

from tools.pages.equations import SITE

FONTS = {  # as the packages name their files
    "source-serif-4": ("400", "400-italic", "700"),
    "source-sans-3": ("400", "600"),
}


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", _add_files)


def bundle(source: Path, out: Path) -> None:
    """Write one file for browsers from a TypeScript file and what it imports."""
    program = SITE / "node_modules" / ".bin" / "esbuild"
    options = ["--bundle", "--minify", "--format=iife", "--log-level=warning"]
    options.append("--target=es2021")
    command = [str(program), str(source), *options, f"--outfile={out}"]
    subprocess.run(command, check=True)


def _add_files(app: Sphinx) -> None:
    static = Path(app.outdir) / "_static"
    bundle(SITE / "src" / "book.ts", static / "book.js")
    app.add_js_file("book.js", loading_method="defer")
    (static / "fonts.css").write_text(_typefaces(static / "files"), "utf-8")
    app.add_css_file("fonts.css", priority=150)


def _typefaces(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    rules = []
    for family, weights in FONTS.items():
        package = SITE / "node_modules" / "@fontsource" / family
        for weight in weights:
            text = (package / f"{weight}.css").read_text("utf-8")
            for font in re.findall(r"url\(\./(files/[^)]*\.woff2)\)", text):
                if "-latin-" in font and "-ext-" not in font:
                    # Within the style sheet it is there at the first paint.
                    letters = base64.b64encode((package / font).read_bytes()).decode()
                    data = f"url(data:font/woff2;base64,{letters})"
                    text = text.replace(f"url(./{font})", data)
                else:
                    shutil.copy(package / font, folder)
            # Rarer letters that come late wait for the next page: nothing moves.
            text = text.replace("font-display: swap", "font-display: optional")
            rules.append(re.sub(r", url\([^)]*\.woff\) format\('woff'\)", "", text))
    return "\n".join(rules)
