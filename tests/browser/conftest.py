"""Browsers: real people with Chromium, against the real application in a process of its own."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, sync_playwright

from tests.servers import App, chromium

PASSWORD = "correct horse battery"
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# Patient enough for a busy machine; a page that is right answers in a fraction of it.
SECONDS = 15_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site() -> Iterator[App]:
    """The application on SQLite, nobody throttled: one for the tests of a file."""
    with App({"RATE_LIMITS": "off"}) as app:
        yield app


class Reader:
    """Somebody at a browser of their own; `script` is whether it runs any."""

    def __init__(self, browser: Browser, site: App, name: str, script: bool = True, **options: object) -> None:
        self.site, self.name, self.script = site, name, script
        self.context: BrowserContext = browser.new_context(
            java_script_enabled=script,
            base_url=site.url,
            **options,  # type: ignore[arg-type]
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(SECONDS)
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def register(self) -> "Reader":
        self.page.goto("/register")
        self.page.fill("#username", self.name)
        self.page.fill("#password", PASSWORD)
        self.page.click("form.form button")
        self.page.wait_for_url("**/lobby")
        return self

    def make_room(self, name: str) -> str:
        """Make or join the room by its form, and answer its address."""
        self.page.goto("/lobby")
        self.page.fill("#name", name)
        self.page.click("#new button")
        self.page.wait_for_url("**/rooms/*", wait_until="commit")
        return self.page.url

    def open(self, address: str) -> "Reader":
        """Open a room and wait until it is live."""
        if self.script:
            with self.page.expect_response("**/events?*"):
                self.page.goto(address)
        else:
            self.page.goto(address, wait_until="commit")
            self.log.locator("#log").wait_for()
        return self

    @property
    def log(self) -> Page | Frame:
        """The document that the log is in."""
        return self.page if self.script else self._frame("/live", not_in="frame=")

    @property
    def composer(self) -> Page | Frame:
        return self.page if self.script else self._frame("/composer")

    def _frame(self, part: str, not_in: str = "?none?") -> Frame:
        def found() -> list[Frame]:
            return [frame for frame in self.page.frames if part in frame.url and not_in not in frame.url]

        for _ in range(SECONDS // 50):
            if frames := found():
                return frames[0]
            self.page.wait_for_timeout(50)
        raise AssertionError(f"no frame {part} in {[frame.url for frame in self.page.frames]}")

    def say(self, words: str) -> None:
        self.composer.fill("#text", words)
        self.composer.press("#text", "Enter") if self.script else self.composer.click(".composer__send")

    def sees(self, words: str) -> None:
        """Wait until exactly one visible message says this."""
        self.log.locator(".message__body:visible", has_text=words).first.wait_for()

    def messages(self) -> list[str]:
        """The visible messages from top to bottom, as a person reads them."""
        found = self.log.locator(".message:visible")
        placed = [(box["y"], one.locator(".message__body").inner_text()) for one in found.all() if (box := one.bounding_box())]
        return [words for _, words in sorted(placed, key=lambda pair: pair[0])]
