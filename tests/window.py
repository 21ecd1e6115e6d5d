"""Open pages, driven by hand: what each is sent, and the sidebar that it shows by then."""

import asyncio
import re
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx2

from tests import engine
from tests.conftest import Person
from tests.engine import told
from tests.page import Page
from tests.people import who
from tests.readers import reader as open_reader
from webapp.app import app as the_app
from webapp.conversations.models import Room
from webapp.presence.tracker import tracker


class Shown(NamedTuple):
    name: str
    line: str
    unread: str = ""


def shown(entry: str) -> Shown:
    """Return what an entry says, but for who else wrote its line, which has tests of its own."""
    page = Page(entry)
    for author in page.all(".entry__by:has(bdi)"):
        author.decompose()
    [unread] = [node.text(deep=False).strip() for node in page.all(".unread")] or [""]
    return Shown(*page.texts(".entry__name"), " ".join(page.texts(".entry__line")), unread)


def entries_in(html: str) -> dict[int, str]:
    """Return the entries of a sidebar, or of a piece of it, in their order."""
    return {int(node.attributes["id"][6:]): node.html for node in Page(html).all("li[id^=entry-]")}  # type: ignore[index,misc]


def digest_in(page: httpx2.Response) -> str:
    """Return the digest of the sidebar that a page was served with, as its stream sends it back."""
    [stream] = Page(page).all("#stream")
    [digest] = parse_qs(urlsplit(stream.attributes["hx-sse:connect"]).query, keep_blank_values=True)["sidebar"]
    return str(digest)


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
        page = await one.get(room.path if room else path)
        entries = entries_in(Page(page).one("#sidebar").html or "")
        window = cls(one, entries, digest_in(page) if seen is None else seen, room, framing)
        await told()
        window.look()
        return window

    def look(self) -> list[str]:
        """Take in what has been sent since; what it was meant for."""
        self.text = self.reader.outbox.take().decode()
        self.contacts = self.text.count("event: contacts\n")
        pieces = Page(self.text.replace("\ndata: ", "\n")).all("hx-partial")
        targets = [str(piece.attributes["hx-target"]) for piece in pieces]
        self.frames = [target for target in targets if target.startswith("#entr")]
        for target, piece in zip(targets, pieces, strict=True):
            self._swap(target, str(piece.attributes["hx-swap"]), piece.inner_html or "")
        return self.frames

    def _swap_within(self, entry: str, selector: str, html: str) -> None:
        """Swap the inside of a part of an entry, which the page must have."""
        number = int(entry.removeprefix("#entry-"))
        page = Page(self.entries[number])
        page.one(selector).inner_html = html
        self.entries[number] = page.one(entry).html or ""

    def _swap(self, target: str, swap: str, html: str) -> None:
        found = entries_in(html)
        if target == "#entries":
            self.entries = found if swap == "innerHTML" else found | self.entries
        elif re.match(r"#entry-\d+ ", target) and swap == "innerHTML":
            self._swap_within(*target.split(" ", 1), html)
        elif re.fullmatch(r"#entry-\d+", target) and (number := int(target.rpartition("-")[2])) in self.entries:
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
