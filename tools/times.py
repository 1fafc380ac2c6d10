"""The times that a chapter states: how long it takes to read and to run."""

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from tools.figures import pictures

WORDS_A_MINUTE, LINES_A_MINUTE, FIGURES_A_MINUTE = 180, 12, 3
EQUATION, FORMULA = " word" * 30, " word" * 2  # what they take, in words
STEP = 5  # minutes; reading times are rounded to it
HIDDEN = {"setup", "hide-input", "hide-cell"}  # tags of code that is not read
TIMES = re.compile(r"\*\*Time:\*\* (\d+) minutes to read, (.+?) to run\b")
RUN_TIMES = {  # what may be said of a run, and the seconds that it stands for
    "under a minute": (0, 60),
    "about a minute": (40, 80),
    "under two minutes": (60, 120),
    "about two minutes": (100, 140),
    "two to three minutes": (120, 180),
    "about three minutes": (160, 200),
    "three to four minutes": (180, 240),
}


def reading_minutes(nb: NotebookNode) -> int:
    """How long a notebook takes to read, in minutes, rounded to `STEP`."""
    return STEP * max(1, round(reading_time(nb) / STEP))


def reading_time(nb: NotebookNode) -> float:
    """Minutes for the prose, for the code that is shown and for the figures."""
    prose, code, figures = "", "", 0
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            text, fenced = _prose(cell.source)
            prose += f"{text}\n"
            code += f"{fenced}\n"
        elif HIDDEN.isdisjoint(cell.metadata.get("tags", [])):
            code += f"{cell.source}\n"
        figures += len(pictures(cell))
    words = sum(bool(re.search(r"\w", word)) for word in prose.split())
    lines = sum(bool(line.strip()) for line in code.splitlines())
    return words / WORDS_A_MINUTE + lines / LINES_A_MINUTE + figures / FIGURES_A_MINUTE


def _prose(source: str) -> tuple[str, str]:
    """A Markdown cell's words and its fenced code.

    An equation of its own takes as long as `EQUATION`, a formula within a line as
    `FORMULA`, a piece of code within a line as one word.
    """
    fence = re.compile(r"(?ms)^\s*(```+|~~~+).*?\n(.*?)^\s*\1\s*$")
    code = "\n".join(match[2] for match in fence.finditer(source))
    text = fence.sub(" ", source)
    text = re.sub(r"`[^`]+`", "word", text)
    text = re.sub(r"(?s)\$\$.+?\$\$", EQUATION, text)
    text = re.sub(r"\$[^$]+\$", FORMULA, text)
    text = re.sub(r"(?s)<!--.*?-->|<[^>\n]+>", " ", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)  # a link's target is not read
    return text.replace("|", " "), code


def write_times(nb: NotebookNode) -> None:
    """Write the measured times where the opening states any; words that fit stay."""

    def measured(match: re.Match) -> str:
        said, seconds = match[2], nb.metadata.get("gat_course", {}).get("seconds")
        if seconds is not None and not _fits(said, seconds, tolerance=1):
            fitting = (words for words in RUN_TIMES if seconds <= RUN_TIMES[words][1])
            said = next(fitting, said)
        return f"**Time:** {reading_minutes(nb)} minutes to read, {said} to run"

    nb.cells[0].source = TIMES.sub(measured, nb.cells[0].source)


def _fits(words: str, seconds: float, tolerance: float = 1.5) -> bool:
    """Whether a run of so many seconds can be announced by these words."""
    low, high = RUN_TIMES.get(words, (1, 0))  # other words fit no run
    return low / tolerance <= seconds <= high * tolerance


def problems(nb: NotebookNode, page: str) -> Iterator[str]:
    """What is wrong with the times that a chapter's opening states."""
    stated = TIMES.search(nb.cells[0].source)
    if not stated:
        if re.fullmatch(r"book/\d\d-[\w-]+", page):
            form = "**Time:** N minutes to read, under a minute to run"
            yield f"cell 1 must state its times: {form}"
        return
    minutes, run = int(stated[1]), stated[2]
    if abs(minutes - reading_time(nb)) > STEP:
        yield (
            f"cell 1 says {minutes} minutes to read, measured are "
            f"{reading_minutes(nb)}: run `tidy`"
        )
    seconds = nb.metadata.get("gat_course", {}).get("seconds", 0)
    if run not in RUN_TIMES:
        yield f"cell 1 says {run!r} to run, expected one of {[*RUN_TIMES]}"
    elif not _fits(run, seconds):
        yield f"cell 1 says {run} to run, measured are {seconds} s"
