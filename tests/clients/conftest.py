"""Other clients than Chromium, against the real application; who writes to them is a person with plain HTTP."""

import re
import socket
from collections.abc import Callable, Iterator

import httpx2
import pytest

from tests.browser.conftest import browser, meet, playwright  # noqa: F401
from tests.clients.proxy import Proxy
from tests.firefox import Firefox
from tests.servers import App

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def site() -> Iterator[App]:
    """The application on SQLite, nobody throttled: one for the tests of a file."""
    with App({"RATE_LIMITS": "off"}) as app:
        yield app


class Writer:
    """Somebody who writes while the browser under test looks on."""

    def __init__(self, site: App, name: str) -> None:
        self.client = httpx2.Client(base_url=site.url, headers={"Sec-Fetch-Site": "same-origin"}, timeout=20)
        self.post("/register", username=name, password=PASSWORD, display_name=name.capitalize())

    def get(self, path: str) -> str:
        answer = self.client.get(path, follow_redirects=True)
        assert answer.status_code == 200, answer
        return answer.text

    def post(self, path: str, **fields: str) -> str:
        """Send a form; answers where it leads."""
        answer = self.client.post(path, data=fields)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def make_room(self, name: str) -> str:
        return self.post("/rooms", name=name)

    def say(self, room: str, words: str) -> None:
        self.post(f"{room}/messages", body=words)

    def edit(self, room: str, number: int, words: str) -> None:
        self.post(f"{room}/messages/{number}/edit", body=words)

    def remove(self, room: str, number: int) -> None:
        self.post(f"{room}/messages/{number}/remove")


@pytest.fixture(scope="module")
def irene(site: App) -> Iterator[Writer]:
    irene = Writer(site, "irene")
    yield irene
    irene.client.close()


class Wire(Proxy):
    """One that remembers what was sent through it."""

    def __init__(self, site: App) -> None:
        super().__init__(site)
        self.sent: list[bytes] = []

    def posts(self) -> list[str]:
        """The requests with a form, each with its head and body."""
        return [text for part in self.sent if (text := part.decode()).startswith("POST ")]

    def carry(self, near: socket.socket, far: socket.socket) -> None:
        request = near.recv(65536)
        while not _is_whole(request):
            request += near.recv(65536)
        self.sent.append(request)
        head, _, rest = request.partition(b"\r\n")
        rest = re.sub(rb"(?im)^(Keep-Alive|Connection): .*\r\n", b"", rest)
        far.sendall(head + b"\r\nConnection: close\r\n" + rest)
        while answer := far.recv(65536):
            near.sendall(answer)


def _is_whole(request: bytes) -> bool:
    head, _, body = request.partition(b"\r\n\r\n")
    length = next((line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b"0")
    return b"\r\n\r\n" in request and len(body) >= int(length)


@pytest.fixture
def wire(site: App) -> Iterator[Wire]:
    with Wire(site) as wire:
        yield wire


def said(browser: Firefox) -> list[str]:  # noqa: F811
    """The words of the messages, without when they were said."""
    return [re.sub(r"\s*(edited)?\s*(\d\d:\d\d)?$", "", text) for text in browser.texts(".message__body")]


def ends_with(browser: Firefox, *words: str) -> None:  # noqa: F811
    """Wait until these are the last messages that show, from top to bottom."""
    seen: list[str] = []

    def is_so() -> bool:
        seen[:] = said(browser)
        return seen[-len(words) :] == list(words)

    problem: object = ""
    try:
        browser.until(is_so)
    except TimeoutError as late:
        problem = late
    assert seen[-len(words) :] == list(words), problem


def register(browser: Firefox, site: App, name: str) -> None:  # noqa: F811
    browser.open(f"{site.url}/register")
    browser.type("#username", name)
    browser.type("#display_name", name.capitalize())
    browser.type("#password", PASSWORD)
    browser.click(".form .button")
    browser.until(lambda: name.capitalize() in browser.text("h1"))


def edits_and_removes(writer: Writer, room: str, sees: Callable[..., None]) -> None:
    """After "Who is there?" two messages are posted, one is edited and one removed: `sees` waits for the last ones."""
    writer.say(room, "Teh first")
    writer.say(room, "The second")
    sees("Who is there?", "Teh first", "The second")
    writer.edit(room, 2, "The first")
    sees("Who is there?", "The first", "The second")
    writer.remove(room, 1)
    sees("Removed", "The first", "The second")
