"""What comes of grading: a table for the learning platform, a page for each student."""

import csv
import html
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gat_course.files import whole
from gat_course.grading.submissions import totals

# The columns that Canvas asks for; Moodle lets one say which column is which.
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
Roster = Mapping[str, Mapping[str, str]]


def read_roster(path: str | os.PathLike) -> dict[str, dict[str, str]]:
    """Students by number and by name, from a gradebook that Canvas exported.

    Raises:
        ValueError: the file has no columns Student and ID.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"Student", "ID"} <= rows[0].keys():
        raise ValueError(
            f"{path} must have the columns Student and ID, as Canvas's has"
        )
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        own = {name: row.get(name) or "" for name in CANVAS}
        for key in (row["ID"], row.get("SIS Login ID") or "", _bare(row["Student"])):
            if key:
                found[key] = own
    return found


def _bare(name: str) -> str:
    """A name as in file names: letters alone."""
    return "".join(filter(str.isalnum, name.lower()))


def write_grades(
    path: str | os.PathLike,
    assignment: str,
    results: Sequence[dict[str, Any]],
    roster: Roster | None = None,
) -> list[str]:
    """Write one table: the columns of Canvas, the grade, and what led to it.

    Args:
        path: of the CSV file.
        assignment: the name of the column with the grade.
        results: of all students.
        roster: what the platform knows of them.

    Returns:
        Students that the roster does not have.
    """
    missing, questions = [], list(results[0]["questions"])
    possible = totals(results)[0][1]
    header = [
        *CANVAS,
        f"{assignment} (of {possible:g})",
        *questions,
        "status",
        "reason",
    ]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    for result, (score, _) in zip(results, totals(results), strict=True):
        own = {"Student": result["student"], "ID": result["id"]}
        if roster:
            keys = result["id"], result["student"], _bare(result["student"])
            known = next((roster[key] for key in keys if key in roster), None)
            if known is None:
                missing.append(result["student"])
            own = known or own
        marks = [f"{result['questions'][q]['score']:g}" for q in questions]
        who = [_safe(own.get(name, "")) for name in CANVAS]
        why = _safe(result["reason"])
        table.writerow([*who, f"{score:g}", *marks, result["status"], why])
    with whole(path) as unfinished:
        unfinished.write_text(text.getvalue(), encoding="utf-8", errors="replace")
    return missing


def _safe(text: str) -> str:
    """No spreadsheet takes a name for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto;
  padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; }} h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
li {{ margin: .4rem 0; }} .lost {{ font-weight: 600; }}
.note {{ border-left: 4px solid #888; padding-left: .8rem; }}
</style>
<h1>{title}</h1>
{body}
</html>
"""


def write_feedback(
    folder: str | os.PathLike, assignment: str, results: Sequence[dict[str, Any]]
) -> None:
    """Write a page for each student: the points of each test, and why some are lost."""
    for result, (score, possible) in zip(results, totals(results), strict=True):
        title = f"{assignment}: {result['student']}"
        body = [f"<p><strong>{score:g} of {possible:g} points</strong> by tests.</p>"]
        if result["status"] == "broken":
            body.append(
                f'<p class="note">Not graded: {html.escape(result["reason"])}.</p>'
            )
        for question, entry in result["questions"].items():
            body.append(
                f"<h2>{question}: {entry['score']:g} of {entry['possible']:g}</h2>"
            )
            body.append("<ul>")
            for test in entry["tests"]:
                kind = "" if test["passed"] else ' class="lost"'
                got = test["points"] if test["passed"] else 0
                line = f"{html.escape(test['name'])}: {got:g} of {test['points']:g}"
                body.append(f"<li><span{kind}>{line}</span>")
                if test["message"]:
                    body.append(f"<br>{html.escape(test['message'])}")
            body.append("</ul>")
        if result["notes"]:
            body.append("<h2>While it ran</h2><ul>")
            body += [f"<li>{html.escape(note)}" for note in result["notes"]]
            body.append("</ul>")
        page = _PAGE.format(title=html.escape(title), body="\n".join(body))
        with whole(Path(folder) / f"{result['key']}.html") as unfinished:
            unfinished.write_text(page, encoding="utf-8", errors="replace")
