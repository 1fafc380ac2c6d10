"""What holds of every question, an exercise's or an assignment's."""

from gat_course import checks
from gat_course.checks import judge, trial
from gat_course.checks.question import QUESTIONS, Holds, Question
from tools import book


def asked(number: str) -> Question:
    """The question of an exercise."""
    checks.load(number)
    return QUESTIONS[number]


def told_by_its_own(number: str) -> None:
    """Each known mistake, as an answer, is wrong and gets its own hint, no other's."""
    q = asked(number)
    tried = trial.Trial(q, None, lambda call: None)
    for hint, mistake in q.mistakes.items():
        if isinstance(mistake, Holds):
            continue

        def gives(*args, mistake=mistake):
            return q.right(*args, **mistake)

        tried.outcomes = [tried._plain(gives, c.plain()) for c in q.cases]
        assert tried.wrong(), f"{hint} is right on all inputs"
        assert tried.known() == hint


def points_to_a_heading(number: str) -> None:
    """Where to read is a heading of the chapter."""
    q = asked(number)
    page = judge.PAGES[q.chapter or number.split(".")[0]]
    cells = book.read(book.ROOT / "book" / f"{page}.ipynb").cells
    lines = [line for cell in cells for line in cell.source.splitlines()]
    headings = {line.lstrip("# ") for line in lines if line.startswith("#")}
    assert {q.section, *q.elsewhere.values()} <= headings
