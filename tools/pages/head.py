"""A page's head: the theme from the first paint on, and no script that idles."""

import re
from html import escape, unescape
from pathlib import Path

# The theme's own script sets mode and theme when all others have run, long after the
# page is seen; until then a first visit had neither.
CHOSEN = r'localStorage\.getItem\("(mode|theme)"\) \|\| "\w*"'
FIRST = {
    "mode": '"auto"',
    "theme": '(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")',
}
# All icons are in the theme's fonts too, and the search is the book's own.
IDLE = r'\s*<script[^>]*src="[^"]*fontawesome\.js[^"]*"[^>]*></script>'
SEARCH = IDLE.replace("fontawesome", "(?:searchtools|language_data|searchindex)")
VIEWPORT = r'\s*<meta name="viewport"[^>]*>'
# What the pages' script covers and replaces stays as printed if it does not run.
STARTED = """document.documentElement.classList.add("js");
    addEventListener("DOMContentLoaded", () => {
      if (!window.bookStarted) document.documentElement.classList.remove("js");
    });"""
LETTERS = (
    "_static/katex/fonts/KaTeX_Main-Regular",
    "_static/katex/fonts/KaTeX_Math-Italic",
)


def mend(text: str, name: str, base: str) -> str:
    """A page's HTML with a better head.

    Args:
        text: the HTML.
        name: the page's path in the book, as `book/intro.html`.
        base: the address of the published book.
    """
    if 'property="og:title"' in text:  # from an earlier build
        return text
    title = re.search(r"<title>(.*?)</title>", text, re.S)
    if title:
        parts = [part.strip() for part in title[1].split("&#8212;")]
        shown = " &#8212; ".join(dict.fromkeys(parts))
        tags = _shared(shown, _described(text), name, base)
        text = text.replace(title[0], f"<title>{shown}</title>\n{tags}", 1)
    text = re.sub(
        CHOSEN, lambda m: f'localStorage.getItem("{m[1]}") || {FIRST[m[1]]}', text
    )
    mode = "document.documentElement.dataset.mode ="
    text = text.replace(mode, f"{STARTED}\n    {mode}", 1)
    text = re.sub(IDLE, "", text)
    text = re.sub(SEARCH, "", text)
    viewports = re.findall(VIEWPORT, text)
    for extra in viewports[1:]:
        text = text.replace(extra, "", 1)
    up = "../" * name.count("/")
    if 'class="katex"' in text:
        links = "".join(
            f'<link rel="preload" as="font" type="font/woff2" crossorigin="" '
            f'href="{up}{font}.woff2" />\n'
            for font in LETTERS
        )
        text = text.replace("</title>", f"</title>\n{links}", 1)
    else:
        text = re.sub(r'\s*<link[^>]*href="[^"]*katex\.css[^"]*"[^>]*>', "", text)
    return text


def _described(text: str) -> str:
    """What a page is about: its first paragraph or list, as plain words."""
    article = re.search(r"<article.*?</article>", text, re.S)
    found = re.findall(r"<(p|li)>(.*?)</\1>", article[0] if article else "", re.S)
    words = [
        re.sub(r"<math.*?</math>|<[^>]*>", "", body, flags=re.S) for _, body in found
    ]
    told = [" ".join(w.split()) for w in words if "Colab" not in w]
    whole = " ".join(told[:4])
    whole = whole if len(whole) <= 200 else whole[:200].rsplit(" ", 1)[0] + " …"
    return escape(unescape(whole))


def _shared(title: str, about: str, name: str, base: str) -> str:
    """What a search engine and a shared link show."""
    tags = [f'<meta name="description" content="{about}" />'] if about else []
    for key, value in (
        ("title", title),
        ("description", about),
        ("type", "article"),
        ("url", f"{base}{name}"),
        ("image", f"{base}_static/cover.png"),
    ):
        tags.append(f'<meta property="og:{key}" content="{value}" />')
    tags.append('<meta name="twitter:card" content="summary_large_image" />')
    return "\n".join(tag.replace("\n", " ") for tag in tags)


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


DOOR = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>{title}</title>
{more}
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 36rem; margin: 20vh auto; padding: 0 1rem; font: 1.1rem/1.6 serif; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
</main>
</body>
</html>
"""


def write_doors(out: Path, title: str, base: str) -> None:
    """The two pages outside the book: the way in, and for an address that is none."""
    front = "book/intro.html"
    forward = f'<meta http-equiv="refresh" content="0; url={front}" />'
    way_in = f'The book begins on its <a href="{front}">front page</a>.'
    canonical = f'<link rel="canonical" href="{base}{front}" />'
    index = DOOR.format(title=title, text=way_in, more=f"{forward}\n{canonical}")
    (out / "index.html").write_text(index, "utf-8")
    lost = (
        f'There is no page at this address. See the <a href="{base}{front}">front '
        f'page</a>, or <a href="{base}search.html">search</a> the book.'
    )
    robots = '<meta name="robots" content="noindex" />'
    page = DOOR.format(title=f"Page not found: {title}", text=lost, more=robots)
    (out / "404.html").write_text(page, "utf-8")
