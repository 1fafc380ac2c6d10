"""What instructors build: slides, and the book without solutions."""

import re

import pytest

from tools import assignments, book, slides, without_solutions


@pytest.mark.parametrize("name", slides.LECTURES)
def test_a_lecture_is_made_of_the_chapters_and_asks_for_nothing_afar(name):
    title, listed = slides.LECTURES[name]
    made = slides.lecture(title, listed, slides.cells())
    starts = [c.metadata["slideshow"]["slide_type"] == "slide" for c in made.cells]
    assert sum(starts) == len(listed) >= 10
    text = slides.page(made)
    asked = re.findall(r"""(?:src|href)=["']([^"'#]+)["']""", text)
    assert not [url for url in asked if "//" in url]
    assert "reveal.js/dist/reveal.js" in asked and "katex/katex.min.js" in asked
    assert text.count("data:image/svg+xml") >= 3 and "Reveal.initialize" in text
    assert "def test_" not in text


def test_slides_tell_a_cell_that_no_chapter_has():
    with pytest.raises(KeyError, match="none"):
        slides.lecture("", [slides.Slide("# A", ("none",))], {})


def test_the_copy_without_solutions_has_none(tmp_path):
    without_solutions.copy(tmp_path)
    names = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.ipynb")}
    chapters = {f"{book.page_of(p)}.ipynb" for p in book.notebooks()}
    kept = {name for name in chapters if "/solutions/" not in name}
    students = {f"book/assignments/student/{m.name}" for m in assignments.masters()}
    assert len(students) == 6 and names == kept | students
    for path in (*tmp_path.rglob("*.ipynb"), *tmp_path.glob("book/*.md")):
        text = path.read_text(encoding="utf-8")
        assert "](solutions/" not in text and "BEGIN SOLUTION" not in text
    pages = (tmp_path / "_toc.yml").read_text(encoding="utf-8")
    assert "solutions" not in pages and "book/10-large" in pages
    assert "book/errata" in pages and not (tmp_path / "tests").exists()
