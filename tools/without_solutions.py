"""A copy of the course without solutions: `make book SOLUTIONS=0` builds it.

In `_build/without-solutions`: the book's sources without the solutions' notebooks, the
links to them, and the assignments' masters; students' assignments stay. The package
comes along, but not the answers of its tests.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools import book

OUT = book.ROOT / "_build" / "without-solutions"
LINK = re.compile(r" ?Worked solutions are in \[[^\]]*\]\(solutions/[^)]*\)\.")
LEFT_OUT = ("book/solutions/", "book/assignments/", "tests/", "tools/runs/")
KEPT = "book/assignments/student/"


def files() -> list[str]:
    """The course's files, but for those that hold solutions."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(asked, cwd=book.ROOT, capture_output=True, text=True)
    names = listed.stdout.splitlines()
    if not names:  # no git here: everything but what was built
        names = [
            path.relative_to(book.ROOT).as_posix()
            for top in ("book", "gat_course", "site", "tools", "*.*", "Makefile")
            for path in book.ROOT.glob(f"{top}/**/*" if "." not in top else top)
            if path.is_file() and "node_modules" not in path.parts
        ]
    return [n for n in names if n.startswith(KEPT) or not n.startswith(LEFT_OUT)]


def copy(out: Path = OUT) -> None:
    """Make the copy anew."""
    shutil.rmtree(out, ignore_errors=True)
    for name in files():
        source, target = book.ROOT / name, out / name
        if not source.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.startswith("book/") and source.suffix == ".ipynb":
            notebook = book.read(source)
            for cell in notebook.cells:
                cell.source = LINK.sub("", cell.source)
            book.write(notebook, target)
        else:
            shutil.copy(source, target)
    pages = book.ROOT / "_toc.yml"
    part = r"(?s)  - caption: Solutions\n    chapters:\n(      - file: [^\n]*\n)+"
    (out / "_toc.yml").write_text(re.sub(part, "", pages.read_text("utf-8")), "utf-8")
    (out / "site" / "node_modules").symlink_to(book.ROOT / "site" / "node_modules")


def main() -> int:
    """Copy, then build."""
    copy()
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(OUT)]
    return subprocess.run([*command, "--all", "-W", "-n", "--keep-going"]).returncode


if __name__ == "__main__":
    sys.exit(main())
