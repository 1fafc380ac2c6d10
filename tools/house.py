"""The package as a house: rooms, the arrows between them, and its picture.

`python -m tools.house` draws `book/_static/house.svg` anew from the package's imports,
and writes the lines about the rooms in `book/inside.md` from their docstrings.
"""

import ast

import networkx as nx

from tools.book import ROOT

PACKAGE = ROOT / "gat_course"
PAGE, PICTURE = "book/inside.md", "book/_static/house.svg"
HEAD = "| room | what it is for |\n|---|---|\n"
# The reading path: what a learner reads who reads nothing else.
SITTING = (
    "graph.py",
    "formulas.py",
    "layers/gat.py",
    "models.py",
    "training/one_graph.py",
)
# From the ground up. An arrow, an import, leads to a lower floor or stays in its room.
FLOORS = (
    ("sparse", "mailbox", "files", "measure", "intervals"),
    ("dgl_compat",),
    ("formulas", "dropout", "graph"),
    ("graphs", "graph_sets", "graph_packs", "links", "attention", "chemistry"),
    ("sampling", "partition"),
    ("blockwise",),
    ("layers", "datasets", "plotting", "genes"),
    ("training",),
    ("models",),
    ("graph_models", "weights"),
    ("distributed", "checks", "diagnosis"),
    ("experiments", "grading"),
    ("cli",),
)
_PARTS = {name: "graph" for name in ("parts", "exchange", "orders", "intake")}


def room(name: str) -> str:
    """The room of a file such as "layers.gat"; what only `graph` uses is its room."""
    first = name.split(".")[0]
    return _PARTS.get(first, first)


def homes() -> dict[str, str]:
    """In which file the names live that `gat_course` and its rooms hand on."""
    found = {}
    for stub in PACKAGE.rglob("__init__.py*"):
        within = stub.parent.relative_to(PACKAGE).parts
        for node in ast.parse(stub.read_text()).body:
            if isinstance(node, ast.ImportFrom):
                module = (node.module or "").removeprefix("gat_course").strip(".")
                if node.level:
                    module = ".".join([*within, *filter(None, [module])])
                for alias in node.names:
                    key = ".".join([*within, alias.asname or alias.name])
                    full = ".".join(filter(None, [module, alias.name]))
                    found[key] = full if _is_file(full) else module
    return found


def _is_file(name: str) -> bool:
    path = PACKAGE.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def imported(tree: ast.AST, known: dict[str, str]) -> set[str]:
    """The package's files that a file imports.

    Args:
        tree: the parsed file.
        known: as from `homes`.
    """
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        first, *within = (node.module or "").split(".")
        if first != "gat_course":
            continue
        for alias in node.names:
            name = ".".join([*within, alias.name])
            name = known.get(name, name if _is_file(name) else ".".join(within))
            found.add(known.get(name, name))
    return found - {""}  # `gat_course` itself: its version


def arrows() -> dict[str, set[str]]:
    """For each file of the package, rooms' `__init__` aside, the files it imports."""
    known, found = homes(), {}
    for path in PACKAGE.rglob("*.py"):
        if path.name != "__init__.py":
            parts = path.relative_to(PACKAGE).with_suffix("").parts
            found[".".join(parts)] = imported(ast.parse(path.read_text()), known)
    return found


def purpose(name: str) -> str:
    """The first line of a room's docstring."""
    path = PACKAGE / name
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.get_docstring(ast.parse(path.read_text())).splitlines()[0]


def rooms() -> nx.DiGraph:
    """The rooms and the arrows between them that no longer way tells of."""
    house = nx.DiGraph()
    house.add_nodes_from(name for floor in FLOORS for name in floor)
    for source, targets in arrows().items():
        house.add_edges_from((room(source), room(target)) for target in targets)
    house.remove_edges_from(list(nx.selfloop_edges(house)))
    return nx.transitive_reduction(house)


def picture() -> str:
    """The house as SVG, 680 wide."""
    width, box, step = 680, (112, 34), 84
    height = step * len(FLOORS) - (step - box[1]) + 24
    place = {}
    for floor, names in enumerate(FLOORS):
        for column, name in enumerate(names):
            x = width * (2 * column + 1) / (2 * len(names))
            place[name] = x, height - 12 - box[1] / 2 - step * floor
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="DejaVu Sans, Verdana, sans-serif" font-size="15">',
        f'<rect width="{width}" height="{height}" rx="8" fill="#fff"/>',
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#595959"/>'
        "</marker>",
        '<g fill="none" stroke="#595959" stroke-width="1.3" marker-end="url(#tip)">',
    ]
    for source, target in sorted(rooms().edges):
        (x1, y1), (x2, y2) = place[source], place[target]
        y1, y2 = y1 + box[1] / 2, y2 - box[1] / 2 - 2
        bend = (y2 - y1) / 2
        lines.append(
            f'<path d="M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + bend:.0f} '
            f'{x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}"/>'
        )
    lines += ["</g>", '<g text-anchor="middle" fill="#1a1a1a">']
    read = {room(name.removesuffix(".py").replace("/", ".")) for name in SITTING}
    for name, (x, y) in place.items():
        fill = "#feb86d" if name in read else "#f2f2f2"
        lines.append(
            f'<rect x="{x - box[0] / 2:.0f}" y="{y - box[1] / 2:.0f}" width="{box[0]}" '
            f'height="{box[1]}" rx="6" fill="{fill}" stroke="#595959"/>'
            f'<text x="{x:.0f}" y="{y + 5:.0f}">{name}</text>'
        )
    return "\n".join([*lines, "</g>", "</svg>"]) + "\n"


def table() -> str:
    """What each room is for, a line each, from the top floor down."""
    names = (name for floor in reversed(FLOORS) for name in floor)
    return "".join(f"| `{name}` | {purpose(name)} |\n" for name in names)


if __name__ == "__main__":
    (ROOT / PICTURE).write_text(picture(), encoding="utf-8")
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    head, rest = page.split(HEAD)
    _, tail = rest.split("\n\n", 1)
    (ROOT / PAGE).write_text(f"{head}{HEAD}{table()}\n{tail}", encoding="utf-8")
