"""A stream straight at its connection holds nothing but itself, and ends as every other: on uvicorn's own protocol."""

import asyncio
import gc
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tests.conftest import COOKIE, Person
from tests.people import who
from webapp import settings
from webapp.app import app as the_app
from webapp.conversations.models import Room
from webapp.http.client import Client
from webapp.live import hub, stream
from webapp.live.admission import admitted
from webapp.messages.models import new_nonce
from webapp.presence.tracker import tracker
from webapp.streams import endings


class Connection(asyncio.Transport):
    """Has all that is written to it; pauses, like a socket whose page does not read, when it is asked to."""

    def __init__(self, request: bytes) -> None:
        super().__init__()
        self.written = b""
        self.is_aborted = False
        config = Config(the_app, log_config=None, http="httptools", lifespan="off", access_log=False)
        config.load()
        self.state = ServerState()
        self.protocol = HttpToolsProtocol(config, self.state, {})
        self.protocol.connection_made(self)
        self.protocol.data_received(request)

    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"sockname": ("127.0.0.1", 80), "peername": ("127.0.0.1", 5000)}.get(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.is_aborted

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None:
        self.is_aborted = True

    def abort(self) -> None:
        self.is_aborted = True
        self.protocol.connection_lost(ConnectionAbortedError())

    @property
    def task(self) -> asyncio.Task[None]:
        [task] = self.state.tasks
        return task

    async def until(self, part: bytes) -> None:
        async with asyncio.timeout(5):
            while part not in self.written:
                await asyncio.sleep(0)


async def nothing_is_left() -> None:
    async with asyncio.timeout(5):
        while hub().readers() or tracker().streams:
            await asyncio.sleep(0)
    assert not hub().labels
    assert not hub().channels


def opened(person: Person, room: Room) -> Connection:
    cookie = person.client.cookies[COOKIE]
    head = f"GET {room.path}/events?after=0 HTTP/1.1\r\nHost: localhost\r\nCookie: {COOKIE}={cookie}\r\n"
    return Connection(f"{head}Accept: text/event-stream\r\n\r\n".encode())


@pytest.fixture(autouse=True)
def none_is_open(app: object) -> Iterator[None]:
    assert admitted().count == 0
    yield
    assert admitted().count == 0


async def test_an_open_stream_holds_nothing_of_its_request(alice: Person, room: Room) -> None:
    gc.collect()
    before = {id(one) for one in gc.get_objects() if isinstance(one, Request | Client)}
    page = opened(alice, room)
    await page.until(b": ok")
    gc.collect()
    held = [one for one in gc.get_objects() if isinstance(one, Request | Client) and id(one) not in before]
    assert held == []
    assert dict(page.protocol.cycle.scope) == {"method": "GET"}
    assert page.protocol.headers == []
    await alice.say(room, "and it goes on")
    await page.until(b"and it goes on")
    assert (admitted().count, len(hub().readers())) == (1, 1)
    page.abort()
    await page.task
    await nothing_is_left()


async def test_a_right_that_ends_closes_the_answer_with_its_last_frame(alice: Person, room: Room) -> None:
    page = opened(alice, room)
    await page.until(b": ok")
    while not hub().readers():
        await asyncio.sleep(0)
    hub().close_streams(endings.PAUSED, user=who(alice).id)
    await page.until(b"\r\n0\r\n\r\n")
    await page.task
    assert page.protocol.cycle.response_complete
    await nothing_is_left()


async def test_the_connection_carries_the_next_request_after_it(alice: Person, room: Room) -> None:
    page = opened(alice, room)
    await page.until(b": ok")
    page.protocol.data_received(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    while not hub().readers():
        await asyncio.sleep(0)
    hub().close_streams(endings.PAUSED, user=who(alice).id)
    await page.until(b"\r\n0\r\n\r\nHTTP/1.1 200 OK")
    page.abort()


async def test_a_page_that_does_not_read_is_given_up(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SEND_TIMEOUT_SECONDS", 0.05)
    page = opened(alice, room)
    await page.until(b": ok")
    page.protocol.pause_writing()
    task = page.task
    await alice.say(room, "unread", new_nonce())
    async with asyncio.timeout(5):
        await task
    assert page.is_aborted
    assert b"unread" not in page.written
    await nothing_is_left()


@pytest.mark.parametrize("steps", range(12))
async def test_the_server_that_ends_cuts_it_whatever_it_waits_for(alice: Person, room: Room, steps: int) -> None:
    page = opened(alice, room)
    task = page.task
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert page.is_aborted or not page.written
    await nothing_is_left()


async def test_more_than_fit_are_refused_and_one_that_leaves_makes_room(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MAX_STREAMS", 1)
    first, second = opened(alice, room), opened(alice, room)
    await second.until(b"HTTP/1.1 503")
    await first.until(b": ok")
    first.abort()
    await nothing_is_left()
    third = opened(alice, room)
    await third.until(b": ok")
    third.abort()
    await nothing_is_left()
