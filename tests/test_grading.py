"""Grading: what a submission may do to itself, and to nobody else."""

import copy
import csv
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_leaves

from gat_course import GraphData, cli
from gat_course.grading import command, notebooks, report, sandbox, wire
from gat_course.grading.sandbox import Limits, Student
from gat_course.grading.submissions import Assignment, grade, totals
from tools import assignments, book

pytest.importorskip("otter", reason="Otter-Grader is not installed")
CAGED = not sandbox.without_bubblewrap()
caged = pytest.mark.skipif(not CAGED, reason=sandbox.without_bubblewrap() or "-")
QUICK = Limits(call=3, cell=4, whole=120)
POINTS = {"q1": 3, "q2": 3, "q3": 4, "q4": 4, "q5": 2}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Assignment 1 as students and graders have it."""
    out = tmp_path_factory.mktemp("built")
    return assignments.build(assignments.masters()[0], run_tests=False, out=out)


@pytest.fixture(scope="module")
def solved(built):
    return nbformat.read(built / "autograder" / "1-attention.ipynb", as_version=4)


@pytest.fixture(scope="module")
def untouched(built):
    return nbformat.read(built / "student" / "1-attention.ipynb", as_version=4)


@pytest.fixture(scope="module")
def first(built):
    return Assignment.load(built / "autograder")


def with_cell(notebook, code):
    notebook = copy.deepcopy(notebook)
    notebook.cells.append(nbformat.v4.new_code_cell(code))
    return notebook


def scores(results):
    marks = zip(results, totals(results), strict=True)
    return {result["student"]: score for result, (score, _) in marks}


# ------------------------------------------------------------ values as text


def test_values_come_back_as_they_were():
    graph = GraphData(num_nodes=3, src=[0, 1], dst=[1, 2], edge_weight=[0.5, 2.0])
    for value in (
        None,
        (1, -2.5, True, "é\n", [float("inf")]),
        {"a": [1, 2], 3: (4,)},
        torch.rand(2, 0, 3),
        torch.tensor(3),
        torch.arange(4).reshape(2, 2)[:, 1],
        torch.rand(3).double().half(),
        np.array([[True, False]]),
        [graph, torch.tensor([True])],
        np.float32(0.5),
        torch.eye(2).to_sparse(),
    ):
        again = wire.unpack(json.loads(json.dumps(wire.pack(value))))
        for old, new in zip(tree_leaves(value), tree_leaves(again), strict=True):
            if isinstance(old, GraphData):
                assert torch.equal(old.src, new.src) and new.num_nodes == 3
                assert torch.equal(old.edge_weight, new.edge_weight)
            else:
                old = old.to_dense() if isinstance(old, torch.Tensor) else old
                assert np.array_equal(np.asarray(old), np.asarray(new))


def test_what_is_no_value_is_refused():
    own = []
    own.append(own)
    for value in (own, object(), print, {1, 2}, torch.rand(2).to(torch.complex64)):
        with pytest.raises(wire.Unreadable):
            wire.pack(value)
    deep = None
    for _ in range(40):
        deep = {"list": [deep]}
    for packed in (
        deep,
        {"object": "os.system"},
        {"tensor": ["float32", [10**12], ""]},
        {"tensor": ["float32", [-1, 3], "AAAA"]},
        {"tensor": ["object", [1], "AAAA"]},
        {"tensor": "x"},
        {"graph": {"num_nodes": 1, "src": {"list": [5]}, "dst": {"list": [0]}}},
        {"graph": {"__class__": 1}},
        {"list": 3},
        {"graph": []},
        {"list": [{"list": []}] * 200_000},
        {"dict": [[k * (2**61 - 1), 0] for k in range(2000)]},
        {"dict": [[{"list": []}, 0]]},
        {"tensor": ["float32", [1] * 20, "AAAAAA=="]},
        {"function": "f"},
        [1],
        {"a": 1, "b": 2},
    ):
        with pytest.raises(wire.Unreadable):
            wire.unpack(packed)
    for line in (b"", b"[1]", b"{", b'{"a": ' * 10_000, b"\xff"):
        with pytest.raises(wire.Unreadable):
            wire.read_line(line)


# ------------------------------------------------------------ the sandbox


def student(code, limits=QUICK, cage=sandbox.bubblewrap):
    return Student([(1, code)], limits, cage, place=os.getpid() % 4000)


@caged
def test_a_submission_sees_the_package_and_nothing_else(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    of = student(
        """
import os, sys
import gat_course
from gat_course.layers import GATLayer
def look(path):
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        return type(error).__name__
def opened(path):
    return open(path).read()
def where():
    return [os.getuid(), len(look("/proc")), dict(os.environ), os.getcwd(),
            os.path.dirname(gat_course.__file__)]
def checks():
    import gat_course.checks.assignment_1
def net():
    import socket
    socket.create_connection(("127.0.0.1", 22), timeout=2)
"""
    )
    try:
        look = of.get("look")
        package = str(sandbox.PACKAGE)
        assert "graph.py" in look(package) and look(f"{package}/checks") == []
        assert look(str(book.ROOT / "book")) == "FileNotFoundError"
        assert look(str(tmp_path)) == "FileNotFoundError"
        user, _, environment, folder, home = of.get("where")()
        assert folder == "/scratch" and home == package
        assert user != 0 or os.geteuid() != 0
        assert not {"GAT_COURSE_GRADING_SEED", "GAT_COURSE_DATA"} & environment.keys()
        for call, error in (
            (partial(of.get("opened"), str(secret)), "No such file"),
            (of.get("checks"), "gat_course.checks"),
            (of.get("net"), "Errno"),
        ):
            with pytest.raises(sandbox.Gone, match=error):
                call()
    finally:
        of.close()


@caged
def test_what_hangs_or_dies_costs_that_function_alone():
    of = student(
        """
import os
def loops():
    while True: pass
def stubborn():
    while True:
        try:
            loops()
        except BaseException: pass
def dies(): os._exit(3)
def crashes():
    import ctypes
    ctypes.string_at(0)
def eats(): return [bytearray(10**9) for _ in range(1000)]
def forks():
    while True:
        try: os.fork()
        except OSError: pass
def fills(): open("/scratch/x", "wb").write(bytes(10**9))
def much(): return ["x" * 10**6] * 500
def right(x): return 2 * x
value = 7
""",
        Limits(call=3, cell=10, whole=200, restarts=20),
    )
    try:
        for name, why in {
            "loops": "stopped after 3 seconds",
            "stubborn": "stopped after 3 seconds",
            "dies": "it ends Python",
            "crashes": "crashed .SIGSEGV.",
            "forks": "starts more than",
            "fills": "File too large|No space",
            "eats": "^$|more than 4 GB|killed|MemoryError",
            "much": "hands over more than 8 MB|stopped after 3",
        }.items():
            call = of.get(name)
            for _ in range(2):  # the second time it is known and not called
                with pytest.raises(sandbox.Gone, match=why):
                    call()
            assert of.get("value") == 7
            assert torch.equal(of.get("right")(torch.ones(2)), torch.full((2,), 2.0))
    finally:
        of.close()


def command_line(pid):
    try:
        return Path("/proc", pid, "cmdline").read_text()
    except OSError:  # no process, or one that has ended
        return ""


@caged
def test_what_a_submission_leaves_running_ends_with_it():
    of = student("import subprocess\nsubprocess.Popen(['sleep', '1234.5'])\ny = 1")
    assert of.get("y") == 1
    of.close()
    for _ in range(100):
        running = [text for text in map(command_line, os.listdir("/proc")) if text]
        if not any("1234.5" in text and "sleep" in text for text in running):
            return
        time.sleep(0.1)
    raise AssertionError(running)


@pytest.mark.parametrize("cage", [sandbox.bubblewrap, sandbox.trusting])
def test_calls_cross_over_and_back(cage):
    if cage is sandbox.bubblewrap and not CAGED:
        pytest.skip("no bubblewrap")
    of = student(
        """
def adds(x):
    x.add_(1)
    return x.sum(), [x.shape[0], None], {"a": x > 0}
def makes(n):
    return lambda x: n * x
def fails(): raise ValueError("no")
def todo(): raise NotImplementedError
""",
        cage=cage,
    )
    try:
        x = torch.ones(2)
        total, rest, named = of.get("adds")(x)
        assert float(total) == 4 and rest == [2, None] and bool(named["a"].all())
        assert torch.equal(x, torch.full((2,), 2.0))  # written into, as it was there
        assert of.get("makes")(3)(4) == 12
        with pytest.raises(sandbox.Gone, match="no") as error:
            of.get("fails")()
        assert type(error.value).__name__ == "ValueError"
        with pytest.raises(NotImplementedError):
            of.get("todo")()
        assert of.get("nothing") is None
    finally:
        of.close()


# ------------------------------------------------------------ hostile submissions

LOOP = "def neighbour_mean(x, adjacency):\n    while True: pass"
WRONG = "def neighbour_mean(x, adjacency):\n    return x\n"
ATTACKS = {  # code in a last cell, and the points that are left of 16
    "loops in a cell": ("while True:\n    pass", 16),
    "loops in an answer": (LOOP, 13),
    "takes all memory": (
        "def neighbour_mean(x, a):\n    return [bytearray(10**9) for _ in range(999)]",
        13,
    ),
    "forks without end": (
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        16,
    ),
    "exits": ("exit()", 16),
    "ends the process": ("import os\nos._exit(0)", 16),
    "prints a gigabyte": (
        "import os\nfor _ in range(1000):\n    print('x' * 10**6)\n"
        "    os.write(1, b'x' * 10**6)",
        16,
    ),
    "reads the tests": (
        """
import glob
def neighbour_mean(x, adjacency):
    for root in (FOLDER, "/scratch", "/tmp"):
        for name in ("q1.py", "assignment_1.py", "run.json"):
            for path in glob.glob(root + "/**/" + name, recursive=True):
                return open(path).read()
    return x
""",
        13,
    ),
    "writes to others": (
        """
import os
for folder in (FOLDER, FOLDER + "/submissions", "/", "/tmp", "/scratch", ".."):
    for name in ("an_honest_one.ipynb", "grades.csv", "run.json"):
        try: open(os.path.join(folder, name), "w").write("evil")
        except OSError: pass
""",
        16,
    ),
    "fakes its points": (
        """
import os, json
fakes = [{"value": 1}, {"ready": True, "errors": []}, {"score": 100}, {"to": "x"}]
for place in range(3, 256):
    for fake in fakes:
        try: os.write(place, json.dumps(fake).encode() + b"\\n")
        except OSError: pass
class Equal:
    def __eq__(self, other): return True
    def __sub__(self, other): return 0
def neighbour_mean(x, adjacency): return Equal()
""",
        13,
    ),
    "replaces the checks": (
        "import sys, types\nfake = types.ModuleType('graded')\n"
        "fake.agree = lambda *a: None\n"
        "sys.modules['gat_course.checks.graded'] = fake\n" + WRONG,
        13,
    ),
    "patches torch": (
        "torch.allclose = lambda *a, **k: True\n"
        "torch.equal = lambda *a: True\n" + WRONG,
        13,
    ),
    "leaves a daemon": (
        "import subprocess\nsubprocess.Popen(['sleep', '999'], start_new_session=True)",
        16,
    ),
}


@caged
def test_a_hostile_or_broken_submission_costs_only_itself(
    tmp_path, first, solved, untouched
):
    folder, out = tmp_path / "submissions", tmp_path / "out"
    folder.mkdir()
    expected = {"an honest one": 16, "untouched": 0}
    written = {"an_honest_one": solved, "untouched": untouched}
    for name, (code, points) in ATTACKS.items():
        code = code.replace("FOLDER", repr(str(tmp_path)))
        written[name.replace(" ", "_")] = with_cell(solved, code)
        expected[name] = points
    for name, notebook in written.items():
        nbformat.write(notebook, folder / f"{name}.ipynb")
    text = nbformat.writes(solved)
    twice = json.loads(text)
    lost = [c for c in twice["cells"] if "neighbour_mean" not in "".join(c["source"])]
    twice["cells"] = lost
    twice["cells"] *= 2
    surrogate = json.loads(text)
    surrogate["metadata"]["otter"] = {"assignment_name": "\ud800\x1b[31m"}
    for name, content, points in (
        ("is_no_notebook.txt", "hello", 0),
        ("is_cut_off.ipynb", text[:3000], 0),
        ("has_lost_a_cell_and_has_others_twice.ipynb", json.dumps(twice), 13),
        ("has_no_code.ipynb", '{"cells": [], "nbformat": 4}', 0),
        ("is_a_list.ipynb", "[[[]]]", 0),
        ("is_empty.ipynb", "", 0),
        ("run.ipynb", text, 16),
        ("x" * 200 + ".ipynb", text, 16),
        ("names_no_assignment.ipynb", json.dumps(surrogate), 0),
    ):
        (folder / name).write_text(content)
        expected[name.partition(".")[0].replace("_", " ")] = points
    (folder / "is_a_link.ipynb").symlink_to("/etc/passwd")
    expected["is a link"] = 0
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    results, changes = grade(
        folder,
        first,
        out,
        limits=QUICK,
        cage=sandbox.bubblewrap,
        workers=2,
        progress=False,
    )
    found = {name.replace("_", " "): score for name, score in scores(results).items()}
    assert found == expected
    assert not changes
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    by = {r["student"].replace("_", " "): r for r in results}
    for name, word in {
        "is no notebook": "is no notebook",
        "is cut off": "damaged",
        "has no code": "has no code",
        "is a list": "damaged",
        "is empty": "damaged",
        "is a link": "is no notebook",
    }.items():
        assert by[name]["status"] == "broken" and word in by[name]["reason"]
    for name, word in {
        "loops in a cell": "stopped after",
        "loops in an answer": "stopped after",
        "forks without end": "processes",
        "ends the process": "ends Python",
        "fakes its points": "nobody asked for",
    }.items():
        assert any(word in note for note in by[name]["notes"]), by[name]["notes"]


# ------------------------------------------------------------ stops, and second runs


@pytest.fixture
def folder(tmp_path, solved, untouched):
    made = tmp_path / "submissions"
    made.mkdir()
    for k in range(8):
        notebook = untouched if k == 3 else solved
        if k == 5:
            notebook = with_cell(solved, WRONG)
        nbformat.write(notebook, made / f"student{k}.ipynb")
    return made


EXPECTED = [16, 16, 16, 0, 16, 13, 16, 16]
CAGE = sandbox.bubblewrap if CAGED else sandbox.trusting


def graded(folder, assignment, out, **options):
    given = {"limits": QUICK, "cage": CAGE, "workers": 1, "progress": False} | options
    return grade(folder, assignment, out, **given)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_grading_that_is_killed_twice_goes_on(folder, built, first, tmp_path):
    out = tmp_path / "out"
    trust = [] if CAGED else ["--trust-submissions"]
    options = ["--assignment", str(built / "autograder"), "--out", str(out), *trust]
    start = "from gat_course.cli import main; main()"
    run = [sys.executable, "-c", start, "grade", str(folder), *options, "--workers=2"]
    times, kept = {}, out / "state" / "students"

    def finished():
        return [p for p in kept.glob("student*.json")] if kept.exists() else []

    for count in (2, 5):
        process = subprocess.Popen(run, start_new_session=True)
        until = time.monotonic() + 300
        while len(finished()) < count and time.monotonic() < until:
            assert process.poll() is None or len(finished()) == 8
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        times |= {
            p.name: p.stat().st_mtime_ns for p in finished() if p.name not in times
        }
    results, changes = graded(folder, first, out)
    assert list(scores(results).values()) == EXPECTED and not changes
    assert all((kept / name).stat().st_mtime_ns == t for name, t in times.items())
    assert len(times) >= 5


def test_a_second_grading_touches_what_changed_alone(folder, first, tmp_path):
    out = tmp_path / "out"
    results, _ = graded(folder, first, out)
    assert list(scores(results).values()) == EXPECTED
    assert graded(folder, first, out, cage=None) == (results, [])  # nothing is run
    tests = dict(first.tests)
    tests["q1"] = tests["q1"].replace("points=1,", "points=2,", 1)
    more = Assignment(first.name, tests)
    asked = []

    def cage(settings, place):
        asked.append(place)
        return CAGE(settings, place)

    again, changes = graded(folder, more, out, cage=cage)
    assert scores(again)["student0"] == 17 and scores(again)["student3"] == 0
    assert changes == [f"student{k}, q1: 3 → 4" for k in (0, 1, 2, 4, 6, 7)]
    for old, new in zip(results, again, strict=True):
        for question in ("q2", "q3", "q4", "q5"):
            assert old["questions"][question] == new["questions"][question]
    nbformat.write(
        nbformat.read(folder / "student0.ipynb", as_version=4),
        folder / "student3.ipynb",
    )
    asked.clear()
    again, changes = graded(folder, more, out, cage=cage)
    assert scores(again)["student3"] == 17 and len(asked) == 1
    assert len(changes) == 5 and all(c.startswith("student3") for c in changes)


def test_a_folder_belongs_to_one_assignment(folder, first, tmp_path):
    graded(folder, first, tmp_path / "out")
    other = Assignment("assignment-2", first.tests)
    with pytest.raises(ValueError, match="holds the grades of assignment-1"):
        graded(folder, other, tmp_path / "out")
    (tmp_path / "out" / "state" / "students" / "student1.json").write_text("{")
    with pytest.raises(ValueError, match="student1.json is damaged: remove it"):
        graded(folder, first, tmp_path / "out")


# ------------------------------------------------------------ files and names


def test_names_of_the_platforms_are_taken_apart(tmp_path):
    (tmp_path / "adamova_1234_98765_1-attention-2.ipynb").write_text("{}")
    (tmp_path / "curie_LATE_77_98766_x.ipynb").write_text("{}")
    moodle = tmp_path / "Emmy Noether_4242_assignsubmission_file_"
    moodle.mkdir()
    (moodle / "1-attention.ipynb").write_text("{}")
    (tmp_path / "plain.ipynb").write_text("{}")
    (tmp_path / ".hidden").write_text("")
    found = notebooks.find(tmp_path)
    who = {(s.student, s.identity) for s in found}
    assert who == {
        ("adamova", "1234"),
        ("curie", "77"),
        ("Emmy Noether", "4242"),
        ("plain", ""),
    }
    (moodle / "second.ipynb").write_text("{}")
    rivals = next(s for s in notebooks.find(tmp_path) if s.identity == "4242")
    with pytest.raises(notebooks.Broken, match="several notebooks: second.ipynb"):
        notebooks.read(rivals, "assignment-1")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.ipynb").write_text("{}")
    twins = [s for s in notebooks.find(tmp_path) if s.student == "plain"]
    assert len({s.key for s in twins}) == 2 and all(s.rivals for s in twins)
    (tmp_path / "mallory_111_5_z_77_assignsubmission_file_.ipynb").write_text("{}")
    (tmp_path / "eve_1234_98999_x.ipynb").write_text("{}")  # adamova's number
    found = {s.student: s for s in notebooks.find(tmp_path)}
    assert found["mallory"].identity == "111" and not found["mallory"].rivals
    assert found["eve"].rivals and found["adamova"].rivals
    for wrong in (tmp_path / "none", tmp_path / "curie_LATE_77_98766_x.ipynb"):
        with pytest.raises(ValueError, match="no folder of submissions"):
            notebooks.find(wrong)


def test_a_notebook_of_another_assignment_is_told(tmp_path, untouched):
    nbformat.write(untouched, tmp_path / "a.ipynb")
    (submission,) = notebooks.find(tmp_path)
    assert len(notebooks.read(submission, "assignment-1")) > 8
    with pytest.raises(notebooks.Broken, match="that of assignment-1, not of"):
        notebooks.read(submission, "assignment-2")


def test_an_autograder_is_a_folder_or_a_zip_file(built, first, tmp_path):
    (archive,) = (built / "autograder").glob("*.zip")
    assert Assignment.load(archive).tests == first.tests
    assert first.name == "assignment-1" and list(first.tests) == list(POINTS)
    for wrong in (tmp_path, tmp_path / "none"):
        with pytest.raises(ValueError, match="is no autograder: make one with"):
            Assignment.load(wrong)


def result(student, identity="", **more):
    tests = [
        {"name": "a <b>", "points": 2, "hidden": True, "passed": True, "message": ""},
        {"name": "c", "points": 1, "hidden": True, "passed": False, "message": "<i>"},
    ]
    question = {"score": 2, "possible": 3, "digest": "", "tests": tests}
    return {
        "key": "key",
        "student": student,
        "id": identity,
        "status": "graded",
        "reason": "",
        "notes": ["<script>alert(1)</script>"],
        "questions": {"q1": question},
    } | more


def test_the_table_has_the_platforms_columns(tmp_path):
    roster = tmp_path / "roster.csv"
    roster.write_text(
        "Student,ID,SIS User ID,SIS Login ID,Section,Other\n"
        '"Noether, Emmy",4242,s1,emmy,A,7\n"Curie, Marie",77,s2,marie,B,8\n'
    )
    rows = [result("emmy"), result("curiemarie", "77"), result("=cmd()", "9")]
    path = tmp_path / "grades.csv"
    missing = report.write_grades(path, "A1", rows, report.read_roster(roster))
    assert missing == ["=cmd()"]
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["Student"] for row in table] == [
        "Noether, Emmy",
        "Curie, Marie",
        "'=cmd()",
    ]
    assert [row["ID"] for row in table] == ["4242", "77", "9"]
    assert {row["A1 (of 3)"] for row in table} == {"2"}
    roster.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="must have the columns Student and ID"):
        report.read_roster(roster)


def test_a_page_shows_a_student_what_was_lost(tmp_path):
    broken = result("x", status="broken", reason="<b> is damaged", key="other")
    report.write_feedback(tmp_path, "A1", [result("Emmy <N>"), broken])
    page = (tmp_path / "key.html").read_text()
    assert "2 of 3 points" in page and "Emmy &lt;N&gt;" in page
    for tag in ("<script>alert", "<i>", "a <b>"):
        assert tag not in page
    assert "Not graded: &lt;b&gt; is damaged" in (tmp_path / "other.html").read_text()


# ------------------------------------------------------------ the command


def run_command(folder, built, out, *more):
    options = ["--assignment", str(built / "autograder"), "--out", str(out)]
    return cli.main(["grade", str(folder), *options, "--workers", "1", *more])


def test_without_a_sandbox_nothing_is_run(folder, built, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sandbox, "without_bubblewrap", lambda: "it is not installed")
    monkeypatch.setattr(command, "_has_docker", lambda: False)
    assert run_command(folder, built, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "no sandbox for strangers' code: it is not installed" in said
    assert "--trust-submissions" in said and not (tmp_path / "out").exists()


def test_those_who_trust_are_told_what_it_means(folder, built, tmp_path, capsys):
    for path in sorted(folder.iterdir())[1:]:
        path.unlink()
    out = tmp_path / "out"
    assert run_command(folder, built, out, "--trust-submissions") == 0
    shown = capsys.readouterr()
    assert "may do on this machine what you may do" in shown.err
    assert "1 submissions, mean 16.0 of 16." in shown.out
    with (out / "grades.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["Student"] == "student0" and row["assignment-1 (of 16)"] == "16"
    assert (out / "feedback" / "student0.html").exists()


def test_docker_runs_otters_containers(folder, built, tmp_path, monkeypatch, capsys):
    """There is no Docker here: what is asked of Otter is looked at."""
    asked = []
    monkeypatch.setattr(sandbox, "without_bubblewrap", lambda: "no")
    monkeypatch.setattr(command, "_has_docker", lambda: True)
    done = SimpleNamespace(returncode=0)
    monkeypatch.setattr(command.subprocess, "run", lambda c: asked.append(c) or done)
    assert run_command(folder, built, tmp_path / "out") == 0
    ((first, *_, last),) = asked
    assert first == sys.executable and last == str(folder)
    assert "otter" in asked[0] and "--no-network" in asked[0]
    assert "could fake its points" in capsys.readouterr().out


def test_pairs_that_look_alike_are_shown(folder, tmp_path, capsys):
    pytest.importorskip("copydetect")
    from gat_course.grading import similar

    similar.write(folder, tmp_path / "similar")
    assert "not verdicts" in capsys.readouterr().out
    page = (tmp_path / "similar" / "report.html").read_text()
    assert "student0" in page and "student1" in page


def test_a_sandbox_that_does_not_start_costs_nobody_points(folder, first, tmp_path):
    for code, why in (
        ('print(\'{"fails": "no torch"}\')', "no torch"),
        ("raise SystemExit(3)", "it ends Python"),
    ):

        def cage(settings, place, code=code):
            return [sys.executable, "-c", code]

        with pytest.raises(RuntimeError, match=f"does not start: {why}"):
            graded(folder, first, tmp_path / why, cage=cage)
        assert not list((tmp_path / why).rglob("student*.json"))


def test_out_of_time_is_one_submissions_own_affair():
    of = student("def loops():\n    while True: pass", Limits(call=3, whole=4), CAGE)
    call = of.get("loops")
    try:
        with pytest.raises(sandbox.Gone):
            call()
        with pytest.raises(sandbox.Gone):
            of._ask({"name": "other"})
    finally:
        of.close()


def test_a_number_needs_what_make_builds(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["grade", ".", "--assignment", "1"]) == 2
    assert "run `make assignments`" in capsys.readouterr().err
