"""The assignments: solved ones score all points, untouched ones none."""

import os
from functools import cache

import hints
import nbformat
import planted
import pytest

from gat_course.checks.graded import SEED, agree
from tools import assignments, book

pytest.importorskip("otter", reason="Otter-Grader is not installed")
MASTERS = {int(master.name[0]): master for master in assignments.masters()}
NUMBERS = sorted(MASTERS)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("built")
    make = assignments.build
    return {n: make(master, run_tests=False, out=out) for n, master in MASTERS.items()}


def code(notebook):
    """What a notebook's cells do, without what installs and what checks."""
    return "\n\n".join(
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code"
        and "pip install" not in cell.source
        and "checks.exercise" not in cell.source
    )


def verdicts(folder, program):
    """Points of each test that a submission passes, and of those that it fails."""
    from otter.test_files import ExceptionTestFile

    space, passed, failed = {}, {}, {}
    exec(program, space)
    for path in sorted((folder / "autograder" / "tests").glob("q*.py")):
        file = ExceptionTestFile.from_file(str(path))
        file.run(space)
        for result in file.test_case_results:
            name = result.test_case.body.test_func.__name__
            key = file.name, name.removeprefix("test_").replace("_", " ")
            where = passed if result.passed else failed
            where[key] = result.test_case.points
    return passed, failed


@pytest.fixture(scope="module")
def program(built):
    """The code of a solved assignment."""

    @cache
    def read(number):
        path = built[number] / "autograder" / MASTERS[number].name
        return code(nbformat.read(path, as_version=4))

    return read


def test_there_are_six():
    assert NUMBERS == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("secret", ["0", "another"])
def test_the_solutions_score_everything(built, program, number, secret, monkeypatch):
    monkeypatch.setenv(SEED, secret)
    passed, failed = verdicts(built[number], program(number))
    assert not failed
    by_hand = [
        int(line.removeprefix("points: "))
        for cell in book.read(MASTERS[number]).cells
        if cell.cell_type == "raw" and "manual: true" in cell.source
        for line in cell.source.splitlines()
        if line.startswith("points: ")
    ]
    assert sum(passed.values()) + sum(by_hand) == 20


@pytest.mark.parametrize("number", NUMBERS)
def test_an_untouched_one_scores_nothing_and_runs(built, number, capsys):
    notebook = nbformat.read(
        built[number] / "student" / MASTERS[number].name, as_version=4
    )
    passed, failed = verdicts(built[number], code(notebook))
    assert not passed and failed
    source = "\n".join(c.source for c in notebook.cells)
    assert "SOLUTION" not in source and "def test_" not in source
    space = {}
    exec(code(notebook), space)
    for cell in notebook.cells:
        if "checks.exercise" in cell.source:
            exec(cell.source, space)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 5 and all(line.endswith("not done yet.") for line in said)


@pytest.mark.parametrize(
    ("number", "mistake"),
    [(n, mistake) for n in NUMBERS for mistake in planted.load(n)],
    ids=lambda value: getattr(value, "idea", value),
)
def test_a_misconception_loses_its_points_and_no_others(
    built, program, number, mistake
):
    _, failed = verdicts(built[number], program(number) + mistake.code)
    assert set(failed) == {(mistake.question, test) for test in mistake.loses}


@pytest.mark.parametrize("number", NUMBERS)
def test_students_have_what_the_masters_make(built, number):
    master = MASTERS[number]
    made = assignments.student(built[number], master)
    stored = (assignments.STUDENT / master.name).read_text(encoding="utf-8")
    assert stored == made, "run `make assignments`"
    page = f"book/assignments/student/{master.name}"
    assert f"/blob/main/{page})" in made


# ------------------------------------------------------------ their questions

ASKED = [f"A{n}.{k}" for n in NUMBERS for k in range(1, 6)]


@pytest.mark.parametrize("number", ASKED)
def test_a_mistake_is_told_by_its_own_hint(number):
    q = hints.asked(number)
    assert len(q.mistakes) >= 5 and len(q.drawn) >= 2
    hints.told_by_its_own(number)
    hints.points_to_a_heading(number)


@pytest.mark.parametrize("number", ASKED)
def test_graders_inputs_are_well_defined(number, monkeypatch):
    """The right answer in float32 inputs is right, whatever is drawn."""
    q = hints.asked(number)
    for secret in range(5):
        monkeypatch.setitem(os.environ, SEED, str(secret))
        for kind in ("", *q.drawn):
            agree(number, q.right, kind)


def test_graders_say_what_is_wrong():
    with pytest.raises(AssertionError, match="`neighbour_mean` is not defined"):
        agree("A1.1", None)
    with pytest.raises(AssertionError, match="Not done"):
        agree("A1.1", lambda x, a: None)
    with pytest.raises(AssertionError, match="directed graphs.*ValueError: no"):

        def fails(x, a):
            raise ValueError("no")

        agree("A1.1", fails, "directed graphs")
    with pytest.raises(AssertionError, match="Wrong on inputs of this kind: directed"):
        agree("A1.1", lambda x, a: x + 0.123, "directed graphs")
    with pytest.raises(KeyError):
        agree("A1.1", lambda x, a: x, "no such kind")
