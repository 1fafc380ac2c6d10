"""Pages for a keyboard and a screen reader: what theme and libraries leave to mend."""

import re

MENDED = [
    # Names that differ from what is seen, or are there twice.
    (r'(<button class="[^"]*search-button-field[^>]*?) aria-label="Search"', r"\1"),
    (r'(<i class="theme-switch[^>]*?)\s+title="([^"]*)"', r'\1 aria-hidden="true"'),
    (r'<summary aria-label="[^"]*">', "<summary>"),
    # The sidebar with the logo, in no landmark.
    (
        r'(<div id="pst-primary-sidebar")(?! role)',
        r'\1 role="navigation" aria-label="Book"',
    ),
    # A table's corner, which heads nothing.
    (r"<th\b([^>]*)>(\s*(?:<p>\s*</p>\s*)?)</th>", r"<td\1>\2</td>"),
    # What may be wider than the page is scrolled by keyboard too.
    (
        r'<table(?: border="1")? class="(dataframe|table)">',
        r'<table class="\1" tabindex="0">',
    ),
    # The solutions are as many as the chapters: folded, but on their own pages.
    (
        r'<p[^>]*><span class="caption-text">Solutions</span></p>\s*(<ul.*?</ul>)',
        lambda m: (
            f'<details class="solutions"{" open" if "current" in m[1] else ""}>'
            f"<summary>Solutions</summary>{m[1]}</details>"
        ),
    ),
    # A fold's name is text, not a paragraph; a cell has no old alignment.
    (
        r'<summary>\s*<p class="collapsed[^>]*>(.*?)</p>\s*<p class="expanded.*?</p>',
        r"<summary><span>\1</span>",
    ),
    (r'(<t[hdr]\b[^>]*?) valign="\w+"', r"\1"),
    # What pandas adds to each table, for notebooks; the book has its own.
    (r"<style scoped>.*?</style>\s*", ""),
    # A comment that names one of the four equations has its colour.
    (
        r'<span class="c1">(# \(([1-4])\))',
        lambda m: f'<span class="c1 eq-{"zeah"[int(m[2]) - 1]}">{m[1]}',
    ),
    # Roles that bibliographies no longer have.
    (r'\s+role="doc-biblioentry"', ""),
    (r'<div role="list" class="citation-list">', '<div class="citation-list">'),
]


CODE = r'<div class="highlight"><pre>(.*?)</pre>'


def _without_button(code: re.Match) -> str:
    """A line or two are typed as fast as copied: they get no button to copy."""
    lines = code[1].strip().count("\n") + 1
    kind = "highlight short" if lines <= 2 else "highlight"
    return code[0].replace('"highlight"', f'"{kind}"', 1)


def mend(text: str) -> str:
    """A page's HTML with names and roles that say what is there."""
    for pattern, better in MENDED:
        text = re.sub(pattern, better, text, flags=re.S)
    return re.sub(CODE, _without_button, text, flags=re.S)
