"""The front page's findings: four small charts, drawn from the stored results."""

import json
from html import escape

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from tools.book import ROOT

WIDTH, ROW = 260, 38  # of a chart, in pixels
BLUE, ORANGE = "var(--eq-z)", "var(--eq-e)"


def setup(app: Sphinx) -> None:
    app.add_directive("findings", Findings)


class Findings(Directive):
    """Four tiles; what they say is computed when the book is built."""

    def run(self) -> list[nodes.Node]:
        html = "".join((on_cora(), on_ppi(), in_a_dictionary(), in_time()))
        return [nodes.raw("", f'<div class="cards">{html}</div>', format="html")]


def tile(chapter: str, question: str, chart: str, answer: str) -> str:
    return (
        f'<a class="card-link finding" href="{chapter}.html">'
        f'<span class="card-title">{escape(question)}</span>{chart}'
        f'<span class="card-text">{answer}</span></a>'
    )


def _svg(rows: list[str]) -> str:
    parts = "".join(
        f'<g transform="translate(0 {ROW * k})">{row}</g>' for k, row in enumerate(rows)
    )
    size = f'width="{WIDTH}" height="{ROW * len(rows)}"'
    view = f'viewBox="0 0 {WIDTH} {ROW * len(rows)}"'
    return f'<svg {size} {view} aria-hidden="true">{parts}</svg>'


def bars(rows: dict[str, float], unit: str, most: float) -> str:
    """A bar for each number, the last in the second colour."""
    drawn = []
    for k, (name, value) in enumerate(rows.items()):
        colour = ORANGE if k == len(rows) - 1 else BLUE
        length = max(1.5, WIDTH * value / most)
        drawn.append(
            f'<text x="0" y="12">{escape(name)}</text>'
            f'<text x="{WIDTH}" y="12" text-anchor="end">{_short(value)} {unit}</text>'
            f'<rect y="17" width="{length:.1f}" height="10" fill="{colour}"/>'
        )
    return _svg(drawn)


def intervals(rows: dict[str, tuple[float, float, float]], low, high) -> str:
    """A mean and its interval for each name, beside zero."""

    def at(value: float) -> float:
        return WIDTH * (value - low) / (high - low)

    drawn = []
    for name, (mean, a, b) in rows.items():
        drawn.append(
            f'<text x="0" y="12">{escape(name)}</text>'
            f'<path d="M{at(0):.1f} 16v20" stroke="currentColor"/>'
            f'<text x="{at(0) + 3:.1f}" y="36">0</text>'
            f'<path d="M{at(a):.1f} 23H{at(b):.1f}" stroke="{BLUE}" stroke-width="3"/>'
            f'<circle cx="{at(mean):.1f}" cy="23" r="5" fill="{ORANGE}"/>'
        )
    return _svg(drawn)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _signed(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")


def _interval(found, digits: int) -> str:
    low, high = _signed(found.low, digits), _signed(found.high, digits)
    return f"<b>{_signed(found.mean, digits)} points</b> [{low}, {high}]"


def _said(found) -> str:
    shown = found.verdict != "not shown"
    return found.verdict if shown else "a difference is not shown"


def on_cora() -> str:
    from gat_course import difference, reproduce

    runs = {m: reproduce.stored("cora", m)[0] for m in ("gat", "uniform")}
    found = difference(runs["gat"], runs["uniform"])
    reach = 1.25 * max(abs(found.low), abs(found.high))
    row = {"GAT minus the plain mean": (found.mean, found.low, found.high)}
    seeds = f"{len(runs['gat'])} seeds"
    return tile(
        "05-cora",
        "Do learned weights help on Cora?",
        intervals(row, -reach, reach),
        f"{_interval(found, 2)} of accuracy, {seeds}: {_said(found)}.",
    )


def on_ppi() -> str:
    from gat_course import difference, papers, reproduce

    rows, told = {}, []
    for split, name in (
        ("published", "the published split"),
        ("gene-disjoint", "genes hidden from training"),
    ):
        plan = papers.on_ppi("GO-2022", split, width=64, epochs=100)
        points = [
            [100 * score for score in reproduce.stored(plan, model)[0].scores]
            for model in ("gat", "uniform")
        ]
        found = difference(*points)
        rows[name] = found.mean, found.low, found.high
        told.append(f"{_interval(found, 1)}: {_said(found)}")
    most = max(high for _, _, high in rows.values())
    return tile(
        "06-ppi",
        "And on proteins?",
        intervals(rows, -0.15 * most, 1.05 * most),
        "GAT minus the plain mean, micro-F1 on GO-2022 labels. On the published split "
        f"{told[0]}; on genes that training never showed {told[1]}.",
    )


def in_a_dictionary() -> str:
    from gat_course import catalogue

    runs = catalogue.stored("lookup")
    keys = int(runs["keys"].max())
    one = runs[(runs["heads"] == 1) & (runs["keys"] == keys)]
    means = one.groupby("layer")["test"].mean()
    rows = {f"{layer}, one head": means[layer] for layer in ("GAT", "GATv2")}
    return tile(
        "07-variants",
        "Can attention look something up?",
        bars(rows, "%", 100),
        f"Of {keys} keys, each query wants another. GAT ranks them alike for all "
        "who ask; one bracket moved, and it can.",
    )


def in_time() -> str:
    path = ROOT / "gat_course" / "results" / "bench.json"
    bench = json.loads(path.read_text("utf-8"))
    measured, cores = bench["measured"], bench["machine"]["cores"]
    (row,) = [m for m in measured if "dense" in m["contenders"]]
    dense, course = (
        1000 * row["contenders"][name]["seconds"] for name in ("dense", "course")
    )
    rows = {"N×N matrices": dense, "chapter 9": course}
    (step,) = [m for m in measured if m["title"] == "Cora, training step"]
    times = {name: _times(step["contenders"], name) for name in ("dgl", "dgl+")}
    return tile(
        "09-fast",
        "How fast can the same numbers come?",
        bars(rows, "ms", dense),
        f"A training step on Cora, {cores} cores: <b>{dense / course:.0f} times</b> "
        f"faster than with N×N matrices, {times['dgl']} DGL’s example, "
        f"{times['dgl+']} DGL with every trick.",
    )


def _times(contenders: dict, other: str) -> str:
    """How many times faster the course is, if their ranges of times do not overlap."""
    ours, theirs = contenders["course"], contenders[other]
    if theirs["fastest"] <= ours["slowest"]:
        return "not shown to be faster than"
    return f"{theirs['seconds'] / ours['seconds']:.0f} times faster than"
