"""A person at a browser of their own, with script or without: what they do, and what they see."""

import os
import re
import time
from collections.abc import Callable
from typing import Self, TypeVar

from playwright.sync_api import APIResponse, Browser, BrowserContext, ConsoleMessage, Error, Frame, Locator, Page

from tests.servers import App

T = TypeVar("T")

PASSWORD = "correct horse battery"
# What every window's address bar loads into two pages of its own: half of all that the browser computes in a test.
# Of two such lists the last counts, so the others are those that Playwright itself turns off.
WITHOUT = (
    "WebUIOmniboxPopup,WebUIOmniboxAimPopup,"
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,"
    "LensOverlay,MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,AvoidCorsURLLoaderRestartOnRedirect,"
    "OptimizationHints,NetworkTimeServiceQuerying,AimEnabled,PreconnectToSearch"
)
# `--disable-background-timer-throttling` and its like are Playwright's own; these keep the browser from calling home.
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", f"--disable-features={WITHOUT}",
]  # fmt: skip
# Long enough for a busy machine; a page that works answers in a fraction of it.
TIMEOUT_SECONDS = 30.0
# How often something is done whose time is reported; more, for figures that can be quoted.
SAMPLES = int(os.environ.get("SAMPLES", 3))
# The visible messages from top to bottom: `order` may show them otherwise than they stand in the document.
READ_LOG = """() => [...document.querySelectorAll("#log .message:not(.message--reactions)")]
    .filter(message => message.getClientRects().length)
    .map(message => [message.getBoundingClientRect().top, message.querySelector(".message__body")])
    .map(([top, body]) => [top, body.innerText.slice(0, -body.querySelector(".message__meta").innerText.length || 1e9)])
    .map(([top, text]) => [top, text.trimEnd()])
    .sort((one, other) => one[0] - other[0])
    .map(pair => pair[1])"""


class BrowserPerson:
    """`script` is whether the browser runs any; `complaints` has the errors and warnings of its console."""

    def __init__(self, browser: Browser, site: App, name: str, script: bool = True, **options: object) -> None:
        self.site, self.name, self.script = site, name, script
        settings = {"base_url": site.url, "viewport": {"width": 1000, "height": 700}} | options
        self.context: BrowserContext = browser.new_context(java_script_enabled=script, **settings)  # type: ignore[arg-type]
        self.context.set_default_timeout(TIMEOUT_SECONDS * 1000)
        self.complaints: list[str] = []
        self.forgiven: list[str] = []
        self.requests: list[str] = []
        self.context.on("console", self._overhear)
        self.context.on("weberror", lambda error: self.complaints.append(f"error: {error.error}"))
        self.context.on("request", lambda request: self.requests.append(f"{request.method} {request.url}"))
        self.page: Page = self.context.new_page()

    def _overhear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.complaints.append(f"{message.type}: {message.text}")

    def forgive(self, *words: str) -> None:
        """Expect complaints with these words: Chromium writes every request that fails into the console."""
        self.forgiven += words

    @property
    def unforgiven(self) -> list[str]:
        return [text for text in self.complaints if not any(words in text for words in self.forgiven)]

    def times_requested(self, pattern: str) -> int:
        """Return how many requests there were whose method and address match."""
        return sum(1 for line in self.requests if re.search(pattern, line))

    # Without the page: what a test needs to have been done, faster than by hand.

    def send(self, path: str, **fields: str) -> APIResponse:
        """Send a form as this person, without their page; fail unless it is accepted or refused with a page."""
        answer = self.context.request.post(
            path, form=dict[str, str | float | bool](fields), headers={"Sec-Fetch-Site": "same-origin"}
        )
        assert answer.ok or answer.status in (422, 429), (path, answer.status, answer.text()[:500])
        return answer

    def register(self, username: str = "") -> Self:
        self.username = username or self.name
        fields = {"username": self.username, "password": PASSWORD, "display_name": self.name}
        assert self.send("/register", **fields).url.endswith("/lobby")
        return self

    def sign_in(self, username: str) -> Self:
        assert self.send("/login", username=username, password=PASSWORD).url.endswith("/lobby")
        return self

    def make_room(self, name: str) -> str:
        """Create or join the room, and return its address."""
        return self.send("/rooms", name=name).url

    def share_session(self, other: "BrowserPerson") -> None:
        """Take the session of another person, as a second browser window of theirs has it."""
        self.context.add_cookies(
            [{"name": name, "value": value, "url": self.site.url} for name, value in other.cookies().items()]
        )

    @property
    def code(self) -> str:
        """The public code of their account."""
        found = re.search(r"me\.css\?v=([0-9A-Z-]+)", self.context.request.get("/lobby").text())
        assert found
        return found[1]

    def cookies(self) -> dict[str, str]:
        return {cookie["name"]: cookie["value"] for cookie in self.context.cookies()}

    # At the page.

    def open(self, address: str) -> Self:
        """Open a room and wait until it is live."""
        if self.script:
            with self.page.expect_response("**/events?*"):
                self.page.goto(address)
        else:
            self.page.goto(address, wait_until="commit")
            self.until(lambda: self.log.locator("#log").count(), "the log in its frame")
            self.until(
                lambda: self.frames("/composer") or not self.page.locator(".composer-frame").count(), "a composer"
            )
        return self

    @property
    def sidebar(self) -> Page | Frame:
        """The document with the sidebar of the lobby: the page, or without script the document of its frame."""
        return self.page if self.script else self._frame("/live", without="frame=")

    def frames(self, part: str, without: str = "?none?") -> list[Frame]:
        return [frame for frame in self.page.frames if part in frame.url and without not in frame.url]

    @property
    def log(self) -> Page | Frame:
        """The document with the log: the page, or without script the document of its frame."""
        return self.page if self.script else self._frame("/live", without="frame=")

    @property
    def composer(self) -> Page | Frame:
        """The document with the composer, also when it is the answer to a post."""
        if self.script:
            return self.page
        frame = self.page.locator("iframe.composer-frame").element_handle().content_frame()
        assert frame
        return frame

    def _frame(self, part: str, without: str = "?none?") -> Frame:
        return self.until(lambda: self.frames(part, without), f"a frame {part}")[0]

    @property
    def text(self) -> Locator:
        return self.composer.locator("#text")

    @property
    def problem(self) -> Locator:
        return self.composer.locator("#composer .problem")

    def say(self, words: str) -> None:
        self.text.fill(words)
        self.send_it()

    def send_it(self) -> None:
        """Press Enter; without script press the button, and wait for the frame's next document."""
        if self.script:
            self.text.press("Enter")
            return
        frame = self.composer
        with self.page.expect_event("framenavigated", lambda navigated: navigated == frame):
            frame.click(".composer__send")

    def body(self, words: str) -> Locator:
        """The visible messages that say exactly this."""
        said = re.compile(rf"^\s*{re.escape(words)}\s*(edited|bearbeitet)?\s*\d\d:\d\d\s*$")
        return self.log.locator(".message__body:not(.pending__body):visible", has_text=said)

    def sees(self, words: str) -> None:
        """Wait until exactly one message says this."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            left = deadline - time.monotonic()
            try:
                self.body(words).first.wait_for(timeout=max(1, left * 1000))
                break
            except Error:
                if left <= 0:
                    raise
                self.pause()  # the frame was loaded again
        assert self.body(words).count() == 1, self.messages()

    def messages(self) -> list[str]:
        """The visible messages from top to bottom, as a person reads them."""
        return list(self.log.evaluate(READ_LOG))

    def reads(self, *expected: str) -> None:
        """Wait until the log says this, from top to bottom, and nothing else."""
        wanted = list(expected)
        try:
            self.until(lambda: self.messages() == wanted, "the log")
        except AssertionError:
            assert self.messages() == wanted  # shows what is different

    def press_earlier(self) -> None:
        """Ask for earlier messages from where the log stands: on the way to the link they would come by themselves."""
        self.page.get_by_role("link", name="Earlier messages").evaluate("link => link.click()")

    def number_of(self, words: str) -> str:
        """The number of the message that says this."""
        self.sees(words)
        message = self.log.locator(".message", has=self.body(words))
        return (message.get_attribute("id") or "").rpartition("-")[2]

    def until(self, answer: Callable[[], T], what: str, seconds: float = TIMEOUT_SECONDS) -> T:
        """Return the first true answer. A frame that is replaced meanwhile only means "not yet"."""
        deadline = time.monotonic() + seconds
        problem: object = ""
        while time.monotonic() < deadline:
            try:
                if result := answer():
                    return result
            except Error as error:
                problem = error
            self.pause()
        raise AssertionError(f"{self.name}: no {what} within {seconds} s {problem}")

    def pause(self, milliseconds: float = 20) -> None:
        """Let the browser go on: time.sleep would hold up Playwright's own messages."""
        self.page.wait_for_timeout(milliseconds)
