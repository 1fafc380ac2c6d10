"""The package's rooms: which arrows there may be, and how large things may grow."""

import ast
import inspect
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from pkgutil import resolve_name

import pytest

from tools import house

PACKAGE = house.PACKAGE
FILES = sorted(PACKAGE.rglob("*.py"))
MAX_FILE, MAX_FUNCTION, MAX_ARGUMENTS, MAX_SITTING = 400, 60, 7, 1300


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


# --------------------------------------------------------- arrows


def wrong_arrows(arrows: dict[str, set[str]]) -> list[str]:
    """Arrows between files that run up, or sideways into another room."""
    floor = {room: n for n, rooms in enumerate(house.FLOORS) for room in rooms}
    found = []
    for source, targets in arrows.items():
        for target in targets:
            a, b = house.room(source), house.room(target)
            if a != b and floor[a] <= floor[b]:
                found.append(f"{source} → {target}")
    return found


def circles(arrows: dict[str, set[str]]) -> list[str]:
    try:
        list(TopologicalSorter(arrows).static_order())
    except CycleError as error:
        return error.args[1]
    return []


def test_every_file_has_a_room_and_every_room_files():
    rooms = [room for rooms in house.FLOORS for room in rooms]
    assert len(set(rooms)) == len(rooms)
    assert {house.room(name) for name in house.arrows()} == set(rooms)


def test_arrows_run_down():
    assert wrong_arrows(house.arrows()) == []


def test_no_file_imports_itself_in_a_circle():
    assert circles(house.arrows()) == []


def test_an_arrow_up_and_a_circle_would_be_seen():
    up = "from gat_course.models import GAT\n"
    later = "def f():\n    from gat_course import fit\n"
    known = house.homes()
    assert house.imported(ast.parse(up), known) == {"models"}
    assert house.imported(ast.parse(later), known) == {"training.one_graph"}
    assert wrong_arrows({"formulas": {"models"}}) == ["formulas → models"]
    assert wrong_arrows({"layers.gat": {"training.loop"}})
    assert not wrong_arrows({"models": {"layers.gat"}, "layers.gat": {"layers.inputs"}})
    assert circles({"a": {"b"}, "b": {"a"}}) and not circles({"a": {"b"}})


# --------------------------------------------------------- sizes


def functions(tree: ast.AST):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def length(function: ast.FunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = function.body[0]
    documented = ast.get_docstring(function, clean=False) is not None
    told = first.end_lineno - first.lineno + 1 if documented else 0
    return function.end_lineno - function.lineno + 1 - told


def arguments(function: ast.FunctionDef) -> int:
    """Arguments of a function that its caller must tell apart, `self` aside.

    A public function may have more that are known by their names alone.
    """
    args = function.args
    number = len(args.posonlyargs + args.args)
    if args.args and args.args[0].arg in ("self", "cls"):
        number -= 1
    private = function.name.startswith("_") and not function.name.startswith("__")
    return number + (len(args.kwonlyargs) if private else 0)


# Constructors with the arguments that the field's own layers have.
LONGER = {"GATLayer.__init__", "GAT.__init__"}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE
    tree = ast.parse(text)
    long = [f.name for f in functions(tree) if length(f) > MAX_FUNCTION]
    assert not long, f"{long} have more than {MAX_FUNCTION} lines"
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    exempt = {
        id(f) for c in classes for f in functions(c) if f"{c.name}.{f.name}" in LONGER
    }
    many = [
        f.name
        for f in functions(tree)
        if arguments(f) > MAX_ARGUMENTS and id(f) not in exempt
    ]
    assert not many, f"{many} have more than {MAX_ARGUMENTS} arguments"


def test_a_function_that_is_too_large_would_be_seen():
    (large,) = functions(ast.parse("def f():\n    'doc'\n" + "    f()\n" * 60))
    assert length(large) == 61
    (two,) = functions(ast.parse("def f(self, a, *, b): pass"))
    (private,) = functions(ast.parse("def _f(a, *, b): pass"))
    assert (arguments(two), arguments(private)) == (1, 2)


def test_the_sitting_can_be_read_in_one_go():
    lines = [len((PACKAGE / f).read_text().splitlines()) for f in house.SITTING]
    assert sum(lines) <= MAX_SITTING


@pytest.mark.parametrize("page", ["gat_course/__init__.py", "README.md", house.PAGE])
def test_the_sitting_is_named_as_a_reading_path(page):
    text = (house.ROOT / page).read_text()
    places = [text.find(f"{name}`") for name in house.SITTING]
    assert -1 not in places and places == sorted(places)


# --------------------------------------------------------- the page


def test_the_picture_is_drawn_from_the_imports():
    drawn = (house.ROOT / house.PICTURE).read_text()
    assert drawn == house.picture(), "run `python -m tools.house`"


def test_the_page_tells_of_every_room():
    page = (house.ROOT / house.PAGE).read_text()
    assert f"{house.HEAD}{house.table()}\n" in page, "run `python -m tools.house`"


def test_the_pages_code_runs():
    (code,) = re.findall(
        r"```python\n(.*?)```", (house.ROOT / house.PAGE).read_text(), re.S
    )
    names = {}
    exec(code, names)
    assert names["alpha"].shape == (names["graph"].num_edges, 8)


def test_the_way_of_x_names_what_there_is():
    rows = re.findall(
        r"\| `([\w.]+)` \| `([\w/]+)\.py` \|", (house.ROOT / house.PAGE).read_text()
    )
    assert len(rows) > 5
    for name, file in rows:
        found = resolve_name(f"gat_course.{file.replace('/', '.')}:{name}")
        found = inspect.unwrap(found)
        assert inspect.getsourcefile(found).endswith(f"gat_course/{file}.py")
