"""Open pages, driven by hand: what each is sent, and the sidebar that it shows by then."""

import asyncio
import html
import re
from typing import Any, NamedTuple

from tests import engine
from tests.conftest import Person
from tests.engine import told
from tests.people import who
from tests.readers import reader as open_reader
from webapp.app import app as the_app
from webapp.conversations.models import Room
from webapp.presence.tracker import tracker

ENTRY = re.compile(r'<li id="entry-(\d+)".*?</li>', re.S)
PARTIAL = re.compile(r'<hx-partial hx-target="([^"]*)" hx-swap="([^"]*)">(.*?)</hx-partial>', re.S)
STREAM = re.compile(r'hx-sse:connect="[^"]*[?;]sidebar=([^"&]*)')
UNREAD = re.compile(r'class="unread"[^>]*>(\d+\+?)')
NAME = re.compile(r'class="entry__name"[^>]*>(.*?)</span>', re.S)
LINE = re.compile(r'class="entry__line">(.*?)</span>(?=\s|<)', re.S)
# Who else has written it, which has tests of its own.
AUTHOR = re.compile(r'<b class="entry__by"><bdi>.*?</b>')
TAG = re.compile(r"<[^>]+>")


class Shown(NamedTuple):
    name: str
    line: str
    unread: str = ""


def shown(entry: str) -> Shown:
    def text(found: re.Match[str] | None) -> str:
        return html.unescape(TAG.sub("", AUTHOR.sub("", found[1]))).strip() if found else ""

    return Shown(text(NAME.search(entry)), text(LINE.search(entry)), text(UNREAD.search(entry)))


class Window:
    """An open page of somebody, and the sidebar that it shows. `frames` are the targets of what it was sent last."""

    def __init__(self, one: Person, entries: dict[int, str], seen: str, room: Room | None, framing: str) -> None:
        self.user = who(one)
        self.entries = entries
        self.room = room
        self.frames: list[str] = []
        self.text = ""
        self.contacts = 0
        labels = {"session": one.session.id, "user": self.user.id}
        self.reader = open_reader(
            room.id if room else None, room.version if room else None, framing, "/lobby", **labels
        )
        engine.join(self.reader, seen)
        tracker().stream_opened(self.user.id, room.id if room else 0)

    @classmethod
    async def open(
        cls, one: Person, path: str = "/lobby", room: Room | None = None, seen: str | None = None, framing: str = "sse"
    ) -> "Window":
        page = (await one.get(room.path if room else path)).text
        found = STREAM.search(page)
        assert found
        side = page.partition('id="sidebar"')[2].partition("</nav>")[0]
        entries = {int(entry[1]): entry[0] for entry in ENTRY.finditer(side)}
        window = cls(one, entries, html.unescape(found[1]) if seen is None else seen, room, framing)
        await told()
        window.look()
        return window

    def look(self) -> list[str]:
        """Take in what has been sent since; what it was meant for."""
        self.text = self.reader.outbox.take().decode()
        self.contacts = self.text.count("event: contacts\n")
        pieces = [piece for piece in PARTIAL.findall(self.text.replace("\ndata: ", "\n"))]
        self.frames = [target for target, _, _ in pieces if target.startswith("#entr")]
        for target, swap, piece in pieces:
            self._swap(target, swap, {int(entry[1]): entry[0] for entry in ENTRY.finditer(piece)})
        return self.frames

    def _swap(self, target: str, swap: str, found: dict[int, str]) -> None:
        if target == "#entries":
            self.entries = found if swap == "innerHTML" else found | self.entries
        elif target.startswith("#entry-") and (number := int(target.rpartition("-")[2])) in self.entries:
            if swap == "delete":
                del self.entries[number]
            else:
                self.entries |= found

    @property
    def sidebar(self) -> list[Shown]:
        self.look()
        return [shown(entry) for entry in self.entries.values()]

    def close(self) -> None:
        engine.leave(self.reader)
        tracker().stream_closed(self.user.id, self.room.id if self.room else 0)
        if self.room:
            engine.refresh_item(self.user.id, self.room.id)


async def opened(one: Person, path: str) -> tuple[int, dict[str, str], str]:
    """What a stream begins with, which is left after its first bytes."""
    begun, status, headers, body = asyncio.Event(), 0, {}, b""

    async def receive() -> dict[str, Any]:
        await begun.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal status, headers, body
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        elif message.get("body"):
            body += message["body"]
            begun.set()

    route, _, query = path.partition("?")
    cookies = "; ".join(f"{name}={value}" for name, value in one.client.cookies.items())
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": route,
        "raw_path": route.encode(), "query_string": query.encode(), "root_path": "", "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        "headers": [(b"host", b"localhost"), (b"cookie", cookies.encode()), (b"user-agent", b"Mozilla/5.0 Firefox")],
    }  # fmt: skip
    async with asyncio.timeout(10):
        await the_app(scope, receive, send)
    return status, headers, body.decode()
