"""The browser of tests/test_book.py sees what it should, and never stays behind."""

import os
import subprocess
import sys
import tempfile
from urllib.parse import quote

import psutil

ELSEWHERE = "http://127.0.0.1:1/picture.png"
WRONG = "console.error('said'); throw Error('thrown')"
SCREEN = "[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]"
FAILS = """
from conftest import chromium, reader

def test_that_fails(reader):
    reader.open("data:text/html,text")
    assert reader.browser.version == "none"
"""


def page(html: str) -> str:
    return f"data:text/html,{quote(html)}"


def test_what_a_page_asks_for_and_what_goes_wrong_in_it_is_noted(reader):
    reader.open(page(f"<img src={ELSEWHERE}><script>{WRONG}</script>"))
    assert ELSEWHERE in reader.requests
    for expected in ("said", "thrown", ELSEWHERE):
        assert any(expected in error for error in reader.errors), reader.errors


def test_a_page_is_as_wide_and_as_dark_as_asked(reader):
    html = page("<meta name=viewport content='width=device-width'>")
    assert reader.open(html).evaluate(SCREEN) == [1280, False]
    assert reader.open(html, width=390, dark=True).evaluate(SCREEN) == [390, True]


def test_a_failing_test_leaves_no_browser_behind(chromium, tmp_path):
    """What a browser notes lies in TMPDIR, so its processes are known by that."""
    (tmp_path / "test_x.py").write_text(FAILS)
    with tempfile.TemporaryDirectory() as folder:  # a long name would be refused
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_x.py"],
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": folder, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
        )
    assert f"'{chromium.version}' == 'none'" in done.stdout, done.stdout
    commands = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert [command for command in commands if folder in " ".join(command or [])] == []
