"""Finding submissions in a folder, and reading them: files of strangers."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

LARGEST = 50 * 2**20  # bytes of a notebook
# What learning platforms make of a name when they hand out all submissions at once.
# The student's own name for the file comes last: it must not be taken for the name.
_CANVAS = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<id>\d+)_\d+_.*")
_MOODLE = re.compile(r"(?P<name>[^_]+)_(?P<id>\d+)_assignsubmission_file.*")


class Broken(Exception):
    """A submission that cannot be graded; the message says why."""


@dataclass(frozen=True)
class Submission:
    """A student's file.

    Args:
        student: the name, from that of the file or its folder.
        identity: the platform's number of the student, or "".
        path: the notebook.
        rivals: what else claims to be this student's.
        mark: sets names for files apart that would be the same.
    """

    student: str
    identity: str
    path: Path
    rivals: tuple[str, ...] = ()
    mark: str = ""

    @property
    def name(self) -> str:
        """Student and number, in letters that files may have."""
        return re.sub(r"[^\w.-]+", "_", f"{self.student} {self.identity}".strip())

    @property
    def key(self) -> str:
        """A name for files."""
        return f"{self.name[:60]}{self.mark}"

    def digest(self) -> str:
        """What changes with the file."""
        found = hashlib.sha256(repr((self.path.name, self.rivals)).encode())
        try:
            if self.path.is_symlink() or not self.path.is_file():
                return found.hexdigest()
            with self.path.open("rb") as file:
                while piece := file.read(2**20):
                    found.update(piece)
        except OSError as error:  # it may not be read, say
            found.update(repr(error).encode())
        return found.hexdigest()


def find(folder: str | os.PathLike) -> list[Submission]:
    """The submissions in a folder: NAME.ipynb, or a folder NAME with one notebook.

    Names as Canvas and Moodle make them are taken apart.

    Raises:
        ValueError: there is none.
    """
    folder, found = Path(folder), []
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder of submissions")
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")):
            continue
        if path.is_dir():
            inside = _files(path)
            if inside:
                rivals = tuple(p.name for p in inside[1:] if p.suffix == ".ipynb")
                found.append(Submission(*_who(path.name), inside[0], rivals))
        else:
            found.append(Submission(*_who(path.stem), path))
    if not found:
        raise ValueError(f"{folder} holds no submissions")
    return [_apart(submission, found) for submission in found]


def _files(folder: Path) -> list[Path]:
    """Notebooks in a student's folder, not too deep; or else what there is."""
    patterns = ("*", "*/*", "*/*/*")
    paths = [p for pattern in patterns for p in sorted(folder.glob(pattern))]
    files = [p for p in paths if not p.is_dir()]
    return [p for p in files if p.suffix == ".ipynb"] or files


def _apart(submission: Submission, others: list[Submission]) -> Submission:
    """Two of one name, or of one number, are told apart, and neither is graded."""
    same = [
        other
        for other in others
        if other is not submission
        and (
            other.name.lower() == submission.name.lower()
            or (other.identity and other.identity == submission.identity)
        )
    ]
    if not same and len(submission.name) <= 60:
        return submission
    place = hashlib.sha256(repr(submission.path).encode()).hexdigest()[:8]
    rivals = submission.rivals + tuple(plain(other.path.name) for other in same)
    return replace(submission, rivals=rivals, mark=f"-{place}")


def plain(text: str) -> str:
    """A stranger's text in a line that can be printed and stored."""
    text = text.encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() else "?" for c in text)[:300]


def _who(name: str) -> tuple[str, str]:
    for pattern in (_CANVAS, _MOODLE):
        if found := pattern.fullmatch(name):
            return plain(found["name"]), found["id"]
    return plain(name), ""


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
        raise Broken(f"{plain(path.name)} is no notebook (.ipynb)")
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
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        OSError,
    ) as error:
        reason = plain(f"{type(error).__name__}: {error}"[:200])
        raise Broken(f"the file is damaged, or no notebook ({reason})") from None
    if assignment and own not in (None, assignment):
        own = plain(str(own)[:40])
        raise Broken(f"the notebook is that of {own}, not of {assignment}")
    if not any(source.strip() for _, source in sources):
        raise Broken("the notebook has no code")
    return [(number, source) for number, source in sources if source.strip()]


def _source(cell: dict[str, Any]) -> str:
    lines = cell["source"]
    source = lines if isinstance(lines, str) else "".join(lines)
    return source.encode("utf-8", "replace").decode()
