"""What people's browsers do: requests as ASGI calls, and the stream of an open page."""

import asyncio
import html
import re
from collections.abc import Mapping
from contextvars import Context
from typing import Any
from urllib.parse import urlencode

from tests.bench.contenders import AGENT
from tests.bench.wide.counts import Counts, purpose
from webapp.app import app
from webapp.live import Reader

STREAM = re.compile(r'"(/rooms/[^"?]*/events\?[^"]*)"')
AFTER = re.compile(r"after=(\d+)")
MESSAGE = re.compile(rb'<li id="message-(\d+)-(\d+)"')
ENTRY = re.compile(rb'id="entry-|#entry-')


class Wire:
    """The end of a stream: what is written to the connection is here at once."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.wakeup = asyncio.Event()
        self.is_disconnected = False

    def write(self, chunk: bytes) -> bool:
        self.page.take(chunk)
        return not self.is_disconnected


class Request:
    """One request and its answer, as a server calls the application."""

    # By these two the application asks for the connection below.
    transport = None

    def __init__(self, cookie: str, method: str, path: str, form: Mapping[str, str] | None = None) -> None:
        self.path, _, query = path.partition("?")
        body = urlencode(form or {}).encode()
        fields = {"host": "localhost", "user-agent": AGENT, "cookie": cookie, "accept-language": "en"}
        fields |= {"sec-fetch-site": "same-origin", "accept": "text/html"}
        if method == "POST":
            kind = "application/x-www-form-urlencoded"
            fields |= {"content-type": kind, "content-length": str(len(body)), "hx-request": "true"}
        self.scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": self.path, "raw_path": self.path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
            "client": ("127.0.0.1", 5), "server": ("localhost", 80), "state": {},
        }  # fmt: skip
        self.wire: Wire | None = None
        self.status = 0
        self.body = b""
        self._given: bytes | None = body
        self._is_over = asyncio.Event()

    async def ask(self, kind: str) -> "Request":
        purpose.set(kind)
        try:
            await app(self.scope, self.receive, self.send)
        finally:
            self._is_over.set()
        assert self.status in (200, 204, 303), (self.path, self.status, self.body[:2000])
        return self

    async def receive(self) -> dict[str, Any]:
        if self._given is None:
            await self._is_over.wait()
            return {"type": "http.disconnect"}
        body, self._given = self._given, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif self.wire:
            self.wire.page.take(message.get("body", b""))
        else:
            self.body += message.get("body", b"")


class Page:
    """An open page of a room, with the numbers of the messages that its stream has brought."""

    def __init__(self, cookie: str, room: int, context: Context, counts: Counts) -> None:
        self.room, self.cookie, self.context, self._counts = room, cookie, context, counts
        # The version that the page was served with; None before it was.
        self.version: int | None = None
        self.numbers: list[int] = []
        self.entries = 0
        self._wire = Wire(self)
        self.task = asyncio.get_running_loop().create_task(self._stay(), context=context.copy())

    async def _stay(self) -> None:
        served = await Request(self.cookie, "GET", f"/rooms/r{self.room}").ask("page")
        found = STREAM.search(served.body.decode())
        assert found, served.body
        path = html.unescape(found[1])
        version = AFTER.search(path)
        assert version
        self.version = int(version[1])
        stream = Request(self.cookie, "GET", path)
        stream.wire = self._wire
        self._counts.note_event("streams opened")
        await stream.ask("opening")

    def take(self, chunk: bytes) -> None:
        for room, number in MESSAGE.findall(chunk):
            assert int(room) == self.room
            self.numbers.append(int(number))
            self._counts.events["messages at readers"] += self._counts.is_on
        self.entries += len(ENTRY.findall(chunk))
        self._counts.events["bytes at readers"] += self._counts.is_on and len(chunk)

    async def close(self) -> None:
        self._wire.is_disconnected = True
        self._wire.wakeup.set()
        await asyncio.gather(self.task)


class Elsewhere(Reader):
    """The page of a person whose process is not looked into: it is there for who is online, and nothing else."""

    def __init__(self, person: int, room: int) -> None:
        super().__init__([f"room:{room}"], None, "sse", frozenset(), {"session": person, "user": person})
