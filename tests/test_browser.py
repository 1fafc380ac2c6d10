"""The browser of tests/test_book.py waits for a page, however slow the machine."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

LATE = "setTimeout(() => { document.title = 'late' }, 500)"
PAGES = {
    "/first": "<title>first</title>",
    "/second": "<title>waiting</title><script src='/script'></script>",
    "/script": "document.title = 'second'",
    "/later": f"<title>later</title><script>{LATE}</script>",
    "/wrong": "<script>throw Error('of this page')</script>",
}


class Slow(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.5)
        page = PAGES.get(self.path, "").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def slow():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_an_opened_page_is_there_with_its_scripts(chromium, slow):
    for page, title in [("first", "first"), ("second", "second"), ("first", "first")]:
        chromium.open(f"{slow}/{page}")
        assert chromium.run("location.pathname") == f"/{page}"
        assert chromium.run("document.title") == title
        assert f"{slow}/{page}" in chromium.requests
        assert (f"{slow}/script" in chromium.requests) == (page == "second")


def test_what_comes_later_is_waited_for(chromium, slow):
    chromium.open(f"{slow}/later")
    assert chromium.wait("document.title == 'late' && document.title") == "late"


def test_what_a_script_throws_is_noted_until_the_next_page(chromium, slow):
    chromium.open(f"{slow}/wrong")
    assert len(chromium.errors) == 1 and "of this page" in chromium.errors[0]
    chromium.open(f"{slow}/first")
    assert chromium.errors == []


def test_a_page_that_cannot_be_had_is_told_of(chromium, slow):
    with pytest.raises(RuntimeError, match="http://127.0.0.1:1/: net::ERR"):
        chromium.open("http://127.0.0.1:1/")
    chromium.open(f"{slow}/first")
    assert chromium.run("document.title") == "first"
