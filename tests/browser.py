"""A headless Chromium for tests/test_book.py, steered by its DevTools protocol.

It waits for what has to happen, never for a time: PATIENCE only ends a test that would
not end by itself, on a machine however slow.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
START = """
import os, sys
commands, answers, program, *flags = sys.argv[1:]
os.dup2(int(commands), 3)
os.dup2(int(answers), 4)
os.execv(program, [program, *flags])
"""
PATIENCE = 600  # seconds
READY = """
Promise.resolve(window.MathJax?.startup?.promise)
.then(() => document.fonts.ready)
.then(() => true)
"""


def find() -> str | None:
    """The path of an installed Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One browser with one page: `with Browser(find()) as browser: browser.open(url)`.

    `requests` lists the addresses that the page has asked for since it was opened, and
    `errors` what its scripts threw.
    """

    def __init__(self, program: str):
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._answers = b""
        self._last = 0
        self._session = None
        self._loaded: set[str] = set()  # the documents whose `load` event has come
        # The browser reads commands from descriptor 3 and answers on descriptor 4.
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        high = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (commands, answers)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, *map(str, high), program, *FLAGS]
            + [f"--user-data-dir={self._profile.name}", "about:blank"],
            pass_fds=high,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (commands, answers, *high):
            os.close(end)

    def __enter__(self) -> "Browser":
        page = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
        self._profile.cleanup()

    def call(self, method: str, **params) -> dict:
        """Send one DevTools command and return its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._last:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _next(self) -> dict:
        """The browser's next message; what the page does is noted on the way."""
        while b"\0" not in self._answers:
            if not select.select([self._read], [], [], PATIENCE)[0]:
                raise TimeoutError(f"no answer from the browser for {PATIENCE} s")
            received = os.read(self._read, 1 << 20)
            if not received:
                raise RuntimeError("the browser ended")
            self._answers += received
        first, self._answers = self._answers.split(b"\0", 1)
        message = json.loads(first)
        params = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        if message.get("method") == "Page.lifecycleEvent" and params["name"] == "load":
            self._loaded.add(params["loaderId"])
        if message.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", details).get("description", ""))
        return message

    def screen(self, width: int, height: int = 900, dark: bool = False) -> None:
        """Set the window's size and the colour scheme that the reader prefers."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        """Load a page and wait until its equations are typeset."""
        self.requests, self.errors = [], []
        answer = self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise RuntimeError(f"{url}: {answer['errorText']}")
        # Until the page has loaded, a script may still meet the one before it.
        while answer["loaderId"] not in self._loaded:
            self._next()
        self.run(READY)

    def run(self, script: str):
        """The value of a JavaScript expression, awaited where it is a promise."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, condition: str):
        """The value of a JavaScript expression as soon as it is true."""
        deadline = time.monotonic() + PATIENCE
        while not (value := self.run(condition)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{condition} is {value!r} after {PATIENCE} s")
            time.sleep(0.1)
        return value

    def shoot(self, file: Path) -> None:
        """Store a picture of the window as PNG."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))
