"""A page's head: the theme from the first paint on, and no script that idles."""

import re
from pathlib import Path

# The theme's own script sets mode and theme when all others have run, long after the
# page is seen; until then a first visit had neither.
CHOSEN = r'localStorage\.getItem\("(mode|theme)"\) \|\| "\w*"'
FIRST = {
    "mode": '"auto"',
    "theme": '(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")',
}
# All icons are in the theme's fonts too; the search page alone needs an index.
IDLE = r'\s*<script[^>]*src="[^"]*fontawesome\.js[^"]*"[^>]*></script>'
SEARCH = IDLE.replace("fontawesome", "(?:searchtools|language_data|searchindex)")
VIEWPORT = r'\s*<meta name="viewport"[^>]*>'
PRELOADED = ("KaTeX_Main-Regular", "KaTeX_Math-Italic")


def mend(text: str, name: str) -> str:
    """A page's HTML with a better head.

    Args:
        text: the HTML.
        name: the page's path in the book, as `book/intro.html`.
    """
    text = re.sub(
        CHOSEN, lambda m: f'localStorage.getItem("{m[1]}") || {FIRST[m[1]]}', text
    )
    text = re.sub(IDLE, "", text)
    if name != "search.html":
        text = re.sub(SEARCH, "", text)
    viewports = re.findall(VIEWPORT, text)
    for extra in viewports[1:]:
        text = text.replace(extra, "", 1)
    up = "../" * name.count("/")
    if 'class="katex"' in text:
        links = "".join(
            f'<link rel="preload" as="font" type="font/woff2" crossorigin '
            f'href="{up}_static/katex/fonts/{font}.woff2" />\n'
            for font in PRELOADED
        )
        text = text.replace("</title>", f"</title>\n{links}", 1)
    else:
        text = re.sub(r'\s*<link[^>]*href="[^"]*katex\.css[^"]*"[^>]*>', "", text)
    return text


def write_sitemap(out: Path, base: str) -> None:
    """A list of the book's pages for search engines: `sitemap.xml`."""
    pages = [p.relative_to(out).as_posix() for p in sorted(out.glob("book/**/*.html"))]
    entries = "".join(f"<url><loc>{base}{page}</loc></url>\n" for page in pages)
    (out / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        f"{entries}</urlset>\n",
        "utf-8",
    )
