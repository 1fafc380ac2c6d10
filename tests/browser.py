"""The system's Chromium, steered by Playwright, as a reader of the book has it.

It waits for what has to happen, never for a time: PATIENCE only ends a test that would
not end by itself, on a machine however slow.
"""

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

PATIENCE = 600_000  # milliseconds
READY = "document.fonts.ready.then(() => document.readyState == 'complete')"


def visit(browser: Browser, **options: object) -> BrowserContext:
    """A first visit of somebody with a browser of their own; pages wait patiently."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    return context


class Reader:
    """Opens pages, each as on a first visit.

    `requests` lists the addresses that they ask for, `errors` what their scripts threw
    or their console called an error.
    """

    def __init__(self, browser: Browser):
        self.browser = browser
        self.requests: list[str] = []
        self.errors: list[str] = []

    def open(self, url: str, width: int = 1280, dark: bool = False) -> Page:
        """The page as soon as it and its fonts are there; a narrow one is a phone's."""
        page = self.browser.new_page(
            viewport={"width": width, "height": 900},
            is_mobile=width < 600,
            color_scheme="dark" if dark else "light",
        )
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)
        page.goto(url)
        page.wait_for_function(READY)
        return page

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.text} ({message.location['url']})")
