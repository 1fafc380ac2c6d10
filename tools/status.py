"""The page `book/status.md`, "Where it runs": made of the results of `make matrix`."""

from collections.abc import Mapping

from tools.address import address
from tools.book import ROOT
from tools.cells import CANNOT, CELLS, ENDS, PASSED, PYTHONS, Cell, libraries

PAGE = ROOT / "book" / "status.md"
NOT_RUN = "not run yet"
DETAILS = "## Each installation"
Results = Mapping[str, dict]


def head() -> str:
    """What stands above the tables."""
    where = address()
    guide = f"{where.repository}/blob/{where.branch}/CONTRIBUTING.md"
    paragraphs = (
        "# Where it runs",
        "The package and all notebooks are tried on each supported Python, with the "
        "oldest libraries and with the newest, with DGL and without. The oldest are "
        "the lowest versions that `pyproject.toml` allows and that are built for that "
        "Python. The notebooks run on made-up graphs here, and shortened; the outputs "
        "in this book were made on the real data.",
        "Without DGL, `gat_course.mailbox` takes its place (chapter 3). With it, those "
        "tests and notebooks run that speak of it: the other tests never ask for it, "
        "and from the other notebooks it is hidden.",
        f"`make matrix` makes this page; [CONTRIBUTING.md]({guide}) says how.",
    )
    return "\n\n".join(paragraphs) + "\n"


def outcome(result: dict) -> str:
    """What came of a cell, in one line."""
    if result["outcome"] == CANNOT:
        return result["reason"]
    counts = result.get("counts", {})
    told = [f"{n} {kind}" for kind, n in counts.items() if n or kind == "passed"]
    if result["outcome"] != PASSED:
        details = [result.get("reason"), *result.get("failed", [])[:1]]
        told = ["**failed**", *told, *map(_code, filter(None, details))]
    return ", ".join(told)


def overview(results: Results) -> str:
    """A line for each Python, a word for each cell, and why those that cannot run."""
    ways = [(end, dgl) for end in ENDS for dgl in (False, True)]
    heads = [f"{end}, DGL" if dgl else end for end, dgl in ways]
    lines = ["| Python | " + " | ".join(heads) + " |", "|---" * 5 + "|"]
    for python in PYTHONS:
        found = (results.get(Cell(python, *way).name) for way in ways)
        words = [result["outcome"] if result else NOT_RUN for result in found]
        lines.append(f"| {python} | " + " | ".join(words) + " |")
    found = (results.get(cell.name, {}) for cell in CELLS)
    reasons = {r["reason"] for r in found if r.get("outcome") == CANNOT}
    told = f"\nWhat cannot run: {'; '.join(sorted(reasons))}.\n" if reasons else ""
    return "\n".join(lines) + f"\n{told}"


def table(results: Results) -> str:
    """A line for each cell, run or not."""
    lines = [
        "| Python | libraries | torch | NumPy | DGL | result | date |",
        "|---|---|---|---|---|---|---|",
    ]
    for cell in CELLS:
        result = results.get(cell.name)
        versions = (result or {}).get("versions", {})
        columns = [
            versions.get("python", cell.python),
            cell.end,
            _version(versions, "torch"),
            _version(versions, "numpy"),
            _version(versions, "dgl") if versions else "with" if cell.dgl else "–",
            outcome(result) if result else NOT_RUN,
            result["date"] if result else "–",
        ]
        lines.append("| " + " | ".join(columns) + " |")
    return "\n".join(lines) + "\n"


def versions_table(results: Results, end: str) -> str:
    """The version of each library at one end, for each Python that ran."""
    columns = {}
    for cell in CELLS:  # those with DGL come after those without, and add it
        found = results.get(cell.name, {}).get("versions")
        if cell.end == end and found:
            columns[cell.python] = found | columns.get(cell.python, {})
    if not columns:
        return f"{NOT_RUN.capitalize()}.\n"
    shown = [python for python in PYTHONS if python in columns]
    lines = [
        "| library | " + " | ".join(f"Python {python}" for python in shown) + " |",
        "|---|" + "---|" * len(shown),
    ]
    for name in libraries():
        row = [_version(columns[python], name) for python in shown]
        lines.append(f"| {name} | " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def page(results: Results) -> str:
    """The whole page."""
    told = "Each line is an installation of its own, on the day that it gives.\n"
    parts = [head(), overview(results), f"{DETAILS}\n", told, table(results)]
    for end in ENDS:
        title = f"## The {end} libraries\n"
        parts += [title, versions_table(results, end)]
    return "\n".join(parts)


def write(results: Results) -> None:
    PAGE.write_text(page(results), encoding="utf-8")


def _version(versions: Mapping[str, str], name: str) -> str:
    """A version without its build (`+cpu`), or a dash."""
    return versions.get(name, "–").split("+")[0]


def _code(text: str) -> str:
    """Text that Markdown takes as it is, also in a table."""
    return f"`{text.replace('`', '').replace('|', '/')}`"
