"""A folder of submissions, each graded by Otter's tests, several at a time.

What was graded is kept in a file for each student, whole or not at all: the same
command goes on after a stop, and grades again only what changed, a submission or a
test.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gat_course.checks import graded
from gat_course.files import alone, sweep, write_json
from gat_course.grading.notebooks import Broken, Submission, find, plain, read
from gat_course.grading.sandbox import Cage, Gone, Limits, Student

if TYPE_CHECKING:
    from otter.test_files import ExceptionTestFile


@dataclass(frozen=True)
class Assignment:
    """What submissions are graded by: Otter's test files, one for each question.

    Args:
        name: such as "assignment-1".
        tests: source of each question's test file, by the question's name.
    """

    name: str
    tests: dict[str, str] = field(repr=False)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Assignment:
        """Read what `otter assign` made: the autograder folder, or its zip file.

        Raises:
            ValueError: it is neither.
        """
        path = Path(path)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return cls._from(path, {n: archive.read(n) for n in archive.namelist()})
        files = sorted(path.rglob("*")) if path.is_dir() else []
        return cls._from(
            path,
            {
                f.relative_to(path).as_posix(): f.read_bytes()
                for f in files
                if f.is_file()
            },
        )

    @classmethod
    def _from(cls, path: Path, files: dict[str, bytes]) -> Assignment:
        tests = {
            Path(name).stem: source.decode()
            for name, source in sorted(files.items())
            if re.fullmatch(r"(.*/)?tests/\w+\.py", name) and "__init__" not in name
        }
        if not tests or "otter_config.json" not in files:
            raise ValueError(
                f"{path} is no autograder: make one with `make assignments`, or name "
                "the folder or zip file that `otter assign` made"
            )
        name = json.loads(files["otter_config.json"]).get("assignment_name")
        return cls(name or path.stem, tests)

    def digest(self, question: str) -> str:
        """What changes with a question's tests, or with the answers they know."""
        known = Path(graded.__file__).with_name(f"{self.name.replace('-', '_')}.py")
        text = self.tests[question] + (known.read_text() if known.exists() else "")
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Rules:
    """How all submissions of a run are graded."""

    assignment: Assignment
    limits: Limits
    cage: Cage
    secret: str  # nobody knows the inputs before


def grade_one(
    submission: Submission, rules: Rules, path: Path, old: dict[str, Any]
) -> dict[str, Any]:
    """Grade what is new of a submission, and write it into a file.

    Args:
        submission: the student's.
        rules: how.
        path: of the file.
        old: what it held before, or {}.

    Returns:
        What the file holds now.
    """
    assignment = rules.assignment
    digest = submission.digest()
    result = {
        "key": submission.key,
        "student": submission.student,
        "id": submission.identity,
        "file": plain(submission.path.name),
        "digest": digest,
        "status": "graded",
        "reason": "",
        "notes": [],
        "questions": {},
    }
    known = old.get("digest") == digest and old.get("status") == "graded"
    same = old if known else {}
    new = [q for q in assignment.tests if not _is_known(same, q, assignment)]
    result["questions"] = {
        q: known
        for q, known in same.get("questions", {}).items()
        if q in assignment.tests and q not in new
    }
    try:
        cells = read(submission, assignment.name)
        student = Student(cells, rules.limits, rules.cage, os.getpid() % 4000)
        os.environ[graded.SEED] = rules.secret
        try:
            with contextlib.suppress(Gone):  # its tests say so
                student.start()
            for question in new:
                result["questions"][question] = _asked(assignment, question, student)
        finally:
            student.close()
        notes = [plain(note) for note in student.notes[:50]]
        result["notes"] = notes or same.get("notes", [])
    except (Broken, OSError, RecursionError, MemoryError, UnicodeError) as why:
        reason = str(why) if isinstance(why, Broken) else f"{type(why).__name__}: {why}"
        result |= {"status": "broken", "reason": plain(reason)}
        result["questions"] = {q: _nothing(assignment, q) for q in assignment.tests}
    result["questions"] = {q: result["questions"][q] for q in assignment.tests}
    write_json(path, result)
    return result


def _is_known(same: dict, question: str, assignment: Assignment) -> bool:
    known = same.get("questions", {}).get(question, {})
    return known.get("digest") == assignment.digest(question)


def _test_file(assignment: Assignment, question: str) -> ExceptionTestFile:
    from otter.test_files import ExceptionTestFile

    return ExceptionTestFile.from_string(assignment.tests[question], f"{question}.py")


def _asked(assignment: Assignment, question: str, student: Student) -> dict:
    """Otter's verdict on a question."""
    file = _test_file(assignment, question)
    file.run(student)
    tests = [
        {
            "name": _named(result.test_case),
            "points": result.test_case.points,
            "hidden": result.test_case.hidden,
            "passed": result.passed,
            "message": "" if result.passed else _last(result.message),
        }
        for result in file.test_case_results
    ]
    return _entry(assignment, question, file.score, file.possible, tests)


def _nothing(assignment: Assignment, question: str) -> dict:
    file = _test_file(assignment, question)
    return _entry(assignment, question, 0, file.possible, [])


def _entry(
    assignment: Assignment, question: str, score: float, possible: float, tests: list
) -> dict:
    return {
        "score": score,
        "possible": possible,
        "digest": assignment.digest(question),
        "tests": tests,
    }


def _named(test_case: Any) -> str:
    name = test_case.body.test_func.__name__
    return name.removeprefix("test_").replace("_", " ")


def _last(message: str) -> str:
    """Of Otter's message the error alone: the line of the test is the grader's."""
    found = re.split(r"\n(?:\w+\.)*\w*(?:Error|Exception|Gone): ", message)
    return found[-1].strip()[:600] if len(found) > 1 else "An error in the test."


def grade(
    folder: str | os.PathLike,
    assignment: Assignment,
    out: str | os.PathLike,
    *,
    limits: Limits,
    cage: Cage,
    workers: int = 1,
    progress: bool = True,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Grade all submissions that are new, or whose tests are.

    Args:
        folder: with the submissions, see `find`.
        assignment: what they are graded by.
        out: where the grades are kept.
        limits: what each may take.
        cage: the sandbox.
        workers: how many run at a time.
        progress: show a bar.

    Returns:
        The results by student, and what changed of those that were there before.

    Raises:
        ValueError: no submissions, or `out` is of another assignment.
        RuntimeError: the sandbox does not start.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    from gat_course.training.workers import beside

    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    kept = Path(out) / "state"
    with alone(kept / "run.json"):
        rules = Rules(assignment, limits, cage, _secret(kept, assignment.name))
        found = find(folder)
        paths = {s.key: kept / "students" / f"{s.key}.json" for s in found}
        before = {key: _kept(path) for key, path in paths.items()}
        todo = [s for s in found if _is_new(s, assignment, before[s.key])]
        jobs = (
            delayed(beside)(
                os.getpid(), grade_one, s, rules, paths[s.key], before[s.key]
            )
            if workers > 1
            else delayed(grade_one)(s, rules, paths[s.key], before[s.key])
            for s in todo
        )
        done = Parallel(n_jobs=workers, return_as="generator_unordered")(jobs)
        with tqdm(total=len(found), disable=None if progress else True) as bar:
            bar.update(len(found) - len(todo))
            for _ in done:
                bar.update()
        results = [_kept(paths[s.key]) for s in found]
    changes = [
        c
        for s, r in zip(found, results, strict=True)
        for c in _changes(before[s.key], r)
    ]
    return results, changes


def _secret(kept: Path, name: str) -> str:
    """The run's own secret; made once, so that all students get the same inputs."""
    path = kept / "run.json"
    sweep(path)
    run = _kept(path)
    if run and run.get("assignment") != name:
        raise ValueError(
            f"{kept.parent} holds the grades of {run['assignment']}: choose another "
            "folder with --out"
        )
    if not run:
        run = {"assignment": name, "secret": secrets.token_hex(16)}
        write_json(path, run)
    return run["secret"]


def _kept(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is damaged: remove it and grade again") from error


def _is_new(submission: Submission, assignment: Assignment, old: dict) -> bool:
    if old.get("digest") != submission.digest() or old.get("status") != "graded":
        return True
    names = set(old["questions"]) == set(assignment.tests)
    return not names or not all(_is_known(old, q, assignment) for q in assignment.tests)


def _changes(old: dict, new: dict) -> Iterator[str]:
    """What a second grading changed, in words."""
    if not old:
        return
    for question, entry in new["questions"].items():
        was = old["questions"].get(question, {}).get("score")
        if was != entry["score"]:
            before = "not graded" if was is None else f"{was:g}"
            yield f"{new['student']}, {question}: {before} → {entry['score']:g}"


def totals(results: Sequence[dict]) -> list[tuple[float, float]]:
    """Points and possible points of each result."""
    return [
        (
            sum(q["score"] for q in result["questions"].values()),
            sum(q["possible"] for q in result["questions"].values()),
        )
        for result in results
    ]
