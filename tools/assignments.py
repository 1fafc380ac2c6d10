"""Builds the assignments: `make assignments`.

Otter makes of each master in `book/assignments` a student's notebook and an autograder,
`_build/assignments/assignment-N`; the solutions must pass all tests. The students'
notebooks also go to `book/assignments/student`, where the links of Colab find them.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from tools import book

MASTERS = book.ROOT / "book" / "assignments"
STUDENT = MASTERS / "student"
BUILT = book.ROOT / "_build" / "assignments"


def masters() -> list[Path]:
    """The masters, by their number."""
    return sorted(MASTERS.glob("[0-9]-*.ipynb"))


def build(master: Path, run_tests: bool = True, out: Path = BUILT) -> Path:
    """Make an assignment's versions; returns the folder that holds them.

    Raises:
        RuntimeError: Otter fails, or the solutions fail its tests.
    """
    folder = out / f"assignment-{master.name[0]}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "otter", "assign", str(master), str(folder)]
    command += [] if run_tests else ["--no-run-tests"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{master.name}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    return folder


def student(folder: Path, master: Path) -> str:
    """A student's notebook as text, the same at every build."""
    notebook = book.read(folder / "student" / master.name)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{master.stem}-{number:02d}"
        cell.metadata.pop("deletable", None), cell.metadata.pop("editable", None)
    return nbformat.writes(notebook) + "\n"


def main() -> None:
    """Build all; see the module."""
    STUDENT.mkdir(exist_ok=True)
    for master in masters():
        made = student(build(master), master)
        (STUDENT / master.name).write_text(made, encoding="utf-8")
        print(f"{master.stem}: built, solutions pass")


if __name__ == "__main__":
    main()
