"""`gat-course grade`: which sandbox, and what is written and said."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from gat_course.grading import report, sandbox, similar
from gat_course.grading.sandbox import Limits
from gat_course.grading.submissions import Assignment, grade, totals

BUILT = Path("_build", "assignments")  # where `make assignments` puts autograders
TRUSTING = (
    "Submissions run without a sandbox: each may do on this machine what you may do, "
    "read the tests, change its own points and those of others."
)


def run(args: argparse.Namespace) -> int:
    """Grade a folder; see the command's help."""
    try:
        import otter  # noqa: F401
    except ImportError:
        raise ImportError(
            'grading needs Otter-Grader: pip install "gat-course[grading]"'
        ) from None
    assignment = Assignment.load(_autograder(args.assignment))
    roster = report.read_roster(args.roster) if args.roster else None
    cage = _cage(args.trust_submissions)
    if cage is None:
        return _in_containers(args, assignment)
    out = Path(args.out or f"grades-{assignment.name}")
    limits = Limits(call=args.seconds)
    results, changes = grade(
        args.submissions,
        assignment,
        out,
        limits=limits,
        cage=cage,
        workers=args.workers or os.cpu_count() or 1,
    )
    missing = report.write_grades(out / "grades.csv", assignment.name, results, roster)
    report.write_feedback(out / "feedback", assignment.name, results)
    if args.similar:
        similar.write(args.submissions, out / "similar")
    _say(results, changes, missing, out)
    return 0


def _autograder(name: str) -> Path:
    """The autograder of an assignment, by its number or its path."""
    if not name.isdecimal():
        return Path(name)
    path = BUILT / f"assignment-{name}" / "autograder"
    if not path.exists():
        raise ValueError(
            f"there is no {path}: run `make assignments` in the course's folder, or "
            "name an autograder's folder or zip file"
        )
    return path


def _cage(trusting: bool) -> sandbox.Cage | None:
    """The sandbox; None for Otter's containers.

    Raises:
        ValueError: there is none, and nobody said to go without.
    """
    if trusting:
        print(TRUSTING, file=sys.stderr)
        return sandbox.trusting
    problem = sandbox.without_bubblewrap()
    if not problem:
        return sandbox.bubblewrap
    if _has_docker():
        return None
    raise ValueError(
        f"there is no sandbox for strangers' code: {problem}, and Docker does not run. "
        "Install bubblewrap, or start Docker, or say --trust-submissions: then each "
        "submission may do on this machine what you may do"
    )


def _has_docker() -> bool:
    if shutil.which("docker") is None:
        return False
    done = subprocess.run(["docker", "info"], capture_output=True)
    return done.returncode == 0


def _in_containers(args: argparse.Namespace, assignment: Assignment) -> int:
    """Otter's own way: `otter grade`, a container for each submission."""
    path = _autograder(args.assignment)
    archive = path if path.is_file() else next(iter(sorted(path.glob("*.zip"))), None)
    if archive is None:
        raise ValueError(f"Otter's containers need a zip file, and {path} has none")
    out = Path(args.out or f"grades-{assignment.name}")
    out.mkdir(parents=True, exist_ok=True)
    print("No bubblewrap: Otter grades in Docker containers, where a submission's code")
    print("shares a process with the tests and could fake its points.")
    command = [sys.executable, "-m", "otter", "grade", "-n", assignment.name]
    command += ["-a", str(archive), "-o", str(out), "--ext", "ipynb"]
    command += ["--containers", str(args.workers or os.cpu_count() or 1)]
    command += ["--timeout", f"{Limits().whole:.0f}", "--no-network"]
    return subprocess.run([*command, args.submissions]).returncode


def _say(
    results: list[dict], changes: list[str], missing: list[str], out: Path
) -> None:
    broken = [r for r in results if r["status"] == "broken"]
    scores = [score for score, _ in totals(results)]
    mean = sum(scores) / len(scores)
    print(f"{len(results)} submissions, mean {mean:.1f} of {totals(results)[0][1]:g}.")
    for result in broken:
        print(f"  not graded: {result['student']}: {result['reason']}")
    for result in results:
        stopped = [n for n in result["notes"] if not n.startswith("In cell")]
        if stopped:
            print(f"  {result['student']}: {stopped[0]}")
    if missing:
        print(f"Not in the roster: {', '.join(missing)}")
    if changes:
        print("Changed since the last grading:")
        print(*(f"  {change}" for change in changes), sep="\n")
    print(f"{out / 'grades.csv'}, {out / 'feedback'}")
