"""A browser in whose console a page's lines are pasted. Not a test, and no expectation belongs here."""

from __future__ import annotations

from contextlib import ExitStack

from playwright.sync_api import Page, sync_playwright

from tests.conftest import path_of

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
]
PATIENCE_MS = 20_000


class Browser:
    """Started by the first line that is pasted; `said` are the lines of its console since."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._stack = ExitStack()
        self._page: Page | None = None

    def paste(self, url: str, script: str) -> None:
        """Run `script` as the console of the page at `url` would, `await` included."""
        page = self._page or self._start()
        page.goto(f"{url}/")
        page.evaluate(f"async () => {{\n{script}\n}}")

    def wait(self, milliseconds: float) -> None:
        """Let the browser go on, and hear what it says."""
        assert self._page is not None, "nothing was pasted before"
        self._page.wait_for_timeout(milliseconds)

    def close(self) -> None:
        self._page = None
        self._stack.close()

    def _start(self) -> Page:
        playwright = self._stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=path_of("chromium"), args=ARGUMENTS)
        self._stack.callback(browser.close)
        self._page = browser.new_page()
        self._page.set_default_timeout(PATIENCE_MS)
        self._page.on("console", lambda message: message.type == "log" and self.said.append(message.text))
        return self._page
