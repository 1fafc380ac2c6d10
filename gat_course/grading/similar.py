"""Pairs of submissions that look alike, for a human to look at; never a verdict."""

import os
from pathlib import Path

from gat_course.grading.notebooks import Broken, find, read

NOTE = "Pairs to look at, not verdicts: short answers look alike by nature."


def write(folder: str | os.PathLike, out: str | os.PathLike) -> None:
    """Compare all submissions with copydetect (winnowing) and write its page.

    Raises:
        ImportError: copydetect is not installed.
    """
    try:
        from copydetect import CopyDetector
    except ImportError:
        raise ImportError(
            "--similar needs copydetect: pip install copydetect"
        ) from None
    out = Path(out)
    code = out / "code"
    code.mkdir(parents=True, exist_ok=True)
    for submission in find(folder):
        try:
            cells = read(submission, None)
        except Broken:
            continue
        text = "\n\n".join(source for _, source in cells)
        (code / f"{submission.key}.py").write_text(text, encoding="utf-8")
    detector = CopyDetector(
        test_dirs=[str(code)],
        extensions=["py"],
        display_t=0.5,
        autoopen=False,
        out_file=str(out / "report.html"),
        silent=True,
    )
    detector.run()
    detector.generate_html_report()
    print(f"{out / 'report.html'}: {NOTE}")
