"""Pictures of every page of the built book: `make screens`.

At the widths of a phone, a laptop and a wide screen, light and dark, whole pages:
`_build/screens/WIDTH-light/book-01-attention.png` and so on. Predictions are open, so
that outputs are seen.
"""

import shutil
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import sync_playwright

from tools.book import ROOT, pages

WIDTHS = (390, 1280, 1920)
SITE = ROOT / "_build" / "html"
OUT = ROOT / "_build" / "screens"
# Lazy pictures come, what waits to be near is near, and nothing stays covered.
READY = """async () => {
    document.querySelectorAll("img").forEach(image => { image.loading = "eager" });
    document.querySelectorAll(".predict-bar button:last-child").forEach(b => b.click());
    for (const place of document.querySelectorAll(".play")) place.scrollIntoView();
    scrollTo(0, 0);
    const shown = [...document.images].map(image => image.decode().catch(() => {}));
    await Promise.all(shown);
}"""


STARTED = "document.querySelectorAll('.play:not(.absent) .play-printed').length == 0"

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The path of an installed Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find(), chromium_sandbox=False
        )
        for width in WIDTHS:
            for theme in ("light", "dark"):
                folder = OUT / f"{width}-{theme}"
                folder.mkdir(parents=True, exist_ok=True)
                context = browser.new_context(
                    viewport={"width": width, "height": 900}, color_scheme=theme
                )
                for page in [*pages(), "search", "404"]:
                    shown = context.new_page()
                    shown.goto(f"{origin}/{page}.html", wait_until="networkidle")
                    shown.evaluate(READY)
                    shown.wait_for_function(STARTED)
                    shown.wait_for_load_state("networkidle")
                    file = folder / f"{page.replace('/', '-')}.png"
                    shown.screenshot(path=file, full_page=True)
                    shown.close()
                context.close()
                print(f"{width} {theme}", file=sys.stderr)
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main()
