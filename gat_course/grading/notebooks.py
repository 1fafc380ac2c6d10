"""Finding submissions in a folder, and reading them: files of strangers."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST = 50 * 2**20  # bytes of a notebook
# What learning platforms make of a name when they hand out all submissions at once.
_CANVAS = re.compile(r"(?P<name>.+?)_(?:LATE_)?(?P<id>\d+)_\d+_.+")
_MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_file.*")


class Broken(Exception):
    """A submission that cannot be graded; the message says why."""


@dataclass(frozen=True)
class Submission:
    """A student's file.

    Args:
        student: the name, from that of the file or its folder.
        identity: the platform's number of the student, or "".
        path: the notebook.
        rivals: other notebooks in the same student's folder.
    """

    student: str
    identity: str
    path: Path
    rivals: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A name for files."""
        return re.sub(r"[^\w.-]+", "_", f"{self.student} {self.identity}".strip())

    def digest(self) -> str:
        """What changes with the file."""
        if self.path.is_symlink() or not self.path.is_file():
            return ""
        found = hashlib.sha256()
        with self.path.open("rb") as file:
            while piece := file.read(2**20):
                found.update(piece)
        return found.hexdigest()


def find(folder: str | os.PathLike) -> list[Submission]:
    """The submissions in a folder: NAME.ipynb, or a folder NAME with one notebook.

    Names as Canvas and Moodle make them are taken apart.

    Raises:
        ValueError: there is none, or two have one name.
    """
    folder, found = Path(folder), []
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder of submissions")
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")):
            continue
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix == ".ipynb")
            inside = inside or sorted(p for p in path.rglob("*") if p.is_file())
            if inside:
                rivals = tuple(p.name for p in inside[1:] if p.suffix == ".ipynb")
                found.append(Submission(*_who(path.name), inside[0], rivals))
        else:
            found.append(Submission(*_who(path.stem), path))
    if not found:
        raise ValueError(f"{folder} holds no submissions")
    keys = [submission.key.lower() for submission in found]
    for submission, key in zip(found, keys, strict=True):
        if keys.count(key) > 1:
            raise ValueError(
                f"two submissions are called {submission.key}: rename {submission.path}"
            )
    return found


def _who(name: str) -> tuple[str, str]:
    for pattern in (_MOODLE, _CANVAS):
        if found := pattern.fullmatch(name):
            return found["name"], found["id"]
    return name, ""


def read(submission: Submission, assignment: str | None) -> list[tuple[int, str]]:
    """The code cells, with their numbers.

    Args:
        submission: the student's.
        assignment: of which it must be; None for any.

    Raises:
        Broken: it is no notebook, or that of another assignment.
    """
    path = submission.path
    if submission.rivals:
        raise Broken(f"there are several notebooks: {', '.join(submission.rivals)} too")
    if path.suffix != ".ipynb" or path.is_symlink() or not path.is_file():
        raise Broken(f"{path.name} is no notebook (.ipynb)")
    if path.stat().st_size > LARGEST:
        raise Broken(f"the notebook has more than {LARGEST // 2**20} MB")
    try:
        content = json.loads(path.read_bytes())
        cells = content["cells"]
        sources = [
            (number, _source(cell))
            for number, cell in enumerate(cells, 1)
            if cell["cell_type"] == "code"
        ]
        own = content.get("metadata", {}).get("otter", {}).get("assignment_name")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise Broken(f"the file is damaged, or no notebook ({reason})") from None
    if assignment and own not in (None, assignment):
        raise Broken(f"the notebook is that of {str(own)[:40]}, not of {assignment}")
    if not any(source.strip() for _, source in sources):
        raise Broken("the notebook has no code")
    return [(number, source) for number, source in sources if source.strip()]


def _source(cell: dict[str, Any]) -> str:
    lines = cell["source"]
    source = lines if isinstance(lines, str) else "".join(lines)
    return source.encode("utf-8", "replace").decode()
