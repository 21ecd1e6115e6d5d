"""An open page for tests: it holds a stream as browsers do, and the log that they would show."""

import asyncio
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx2

from tests.page import Page, words

RETRY_SECONDS = 0.2
PARTIAL = re.compile(r'<hx-partial hx-target="(?P<target>[^"]*)" hx-swap="[^"]*">(?P<html>.*?)</hx-partial>', re.S)


def session_cookie(client: httpx2.AsyncClient | httpx2.Client) -> str:
    """The session of a client as it stands in a header; its name holds something of the installation."""
    return next(f"{one.name}={one.value}" for one in client.cookies.jar if one.name.startswith("session-"))


@dataclass
class Event:
    """One event of a stream, as the specification of EventSource dispatches it."""

    data: str = ""
    name: str = "message"
    id: int | None = None


class LivePage:
    """
    A page that is open on a room, at the first of these addresses that answers.

    When its stream ends it connects again with what it heard last, until the server says what takes the
    stream's place. `log` maps numbers to words in the order of the page; `repeated` are the numbers that
    were appended a second time, which must not happen.
    """

    def __init__(self, client: httpx2.AsyncClient, path: str, *servers: str, after: int | None = None) -> None:
        self.log: dict[int, str] = {}
        self.repeated: list[int] = []
        self.people: list[str] = []
        self.topic = ""
        self.ended = ""
        self.events: list[Event] = []
        self.retry: int | None = None
        self.connections = 0
        self.is_connected = False
        self.last_id: int | None = None
        self._client, self._path, self._servers = client, path, list(servers)
        self._after = after
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._stay())
        await self.until(lambda page: page.is_connected)
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._task
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def ids(self) -> list[int]:
        return [event.id for event in self.events if event.id is not None]

    @property
    def bodies(self) -> list[str]:
        return list(self.log.values())

    async def until(self, seen: Callable[["LivePage"], bool], seconds: float = 30) -> None:
        """Wait for what the page must show within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while not seen(self):
                    if self._task and self._task.done():
                        self._task.result()  # a mistake in here must not look like a server's silence
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s: {self!r}") from None

    def __repr__(self) -> str:
        return (
            f"{len(self.log)} messages, the last {self.bodies[-3:]}, people {self.people}, ended {self.ended!r}, "
            f"connections {self.connections}, connected {self.is_connected}, last id {self.last_id}"
        )

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _stay(self) -> None:
        while not self.ended:
            with contextlib.suppress(httpx2.TransportError):
                await self._connect(self._servers[0])
            if self.is_connected:
                self.is_connected = False
                self._tell()
            # Where a proxy would find another process, the next address is tried.
            self._servers.append(self._servers.pop(0))
            await asyncio.sleep(self.retry / 1000 if self.retry else RETRY_SECONDS)
        self._tell()

    async def _connect(self, server: str) -> None:
        headers = {"Accept": "text/event-stream"}
        if self.last_id is not None:
            headers["Last-Event-ID"] = str(self.last_id)
        query = f"?after={self._after}" if self._after is not None else ""
        address = f"{server}{self._path}/events{query}"
        patience = httpx2.Timeout(5, read=None)
        async with self._client.stream("GET", address, headers=headers, timeout=patience) as response:
            if response.status_code != 200:
                return
            assert response.headers["content-type"].startswith("text/event-stream")
            self.connections += 1
            self.is_connected = True
            self._tell()
            await self._read(response)

    async def _read(self, response: httpx2.Response) -> None:
        event, data = Event(), list[str]()
        async for line in response.aiter_lines():
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data.append(value)
            elif field == "id":
                event.id = int(value)
            elif field == "event":
                event.name = value
            elif field == "retry":
                self.retry = int(value)
            elif not line:
                if data:
                    event.data = "\n".join(data)
                    self.dispatch(event)
                event, data = Event(), []
                if self.ended:
                    return

    def dispatch(self, event: Event) -> None:
        self.events.append(event)
        if event.id is not None:
            self.last_id = event.id
        if event.name == "message":
            for partial in PARTIAL.finditer(event.data):
                self._swap(partial["target"], partial["html"])
            for number, body in messages(PARTIAL.sub("", event.data)):
                if number in self.log:
                    self.repeated.append(number)
                self.log[number] = body
        self._tell()

    def _swap(self, target: str, piece: str) -> None:
        if target == "#people":
            self.people = Page(piece).texts(".people__name bdi")
        elif target == "#about":
            self.topic = words(piece)
        elif target == "#stream":
            self.ended = words(piece)
        elif target == "#log":
            self.log = dict(messages(piece))
        elif target.startswith("#message-"):
            self.log |= {number: body for number, body in messages(piece) if number in self.log}


def messages(piece: str) -> list[tuple[int, str]]:
    """The messages of a piece of HTML: number and words."""
    page = Page(piece)
    for when in page.all(".message__meta"):
        when.decompose()
    found = ((item, item.css_first(".message__body")) for item in page.all("li.message[data-version]"))
    return [(int(str(item.id).rpartition("-")[2]), body.text().strip()) for item, body in found if body]
