"""Requests that are made to harm: none of them may stop the others, nor stay in memory."""

import asyncio
import contextlib
import gc
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from types import FrameType

import httpx2
import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from tests.conftest import Person
from tests.server_people import memory
from tests.servers import App
from webapp import settings
from webapp.accounts import passwords
from webapp.conversations.models import Room
from webapp.core.errors import Unavailable
from webapp.core.pool import Pool
from webapp.http import origin, protocol
from webapp.http.protocol import BoundedProtocol
from webapp.media import images

# Python needs time that grows with the square of the length to decode it.
PUNYCODE = ("a" * 64_000 + "\U00010000" * 3).encode("punycode") + b"a" * 66_000
URLENCODED = "application/x-www-form-urlencoded"
ACCOUNT = {"username": "dora", "password": "correct horse battery", "display_name": ""}
FORM = "multipart/form-data; boundary=b"


@pytest.fixture(scope="module")
def server() -> Iterator[App]:
    with App({"RATE_LIMITS": "off", "MAX_STREAMS": "2"}) as app:
        yield app


def request(path: str, body: bytes = b"", method: str = "POST", **headers: str) -> bytes:
    lines = {"Host": "127.0.0.1", "Connection": "close", "Content_Length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def part(value: bytes) -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="username"\r\n\r\n' + value + b"\r\n--b--\r\n"


def answered(app: App, sent: bytes) -> bytes:
    """The whole answer to a request that closes its connection."""
    with socket.create_connection(("127.0.0.1", app.port), 20) as connection, contextlib.suppress(ConnectionError):
        answer = b""
        with contextlib.suppress(ConnectionError):  # it may be answered before all of it is read
            connection.sendall(sent)
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.mark.parametrize(("path", "wanted"), [("/login", 422), ("/settings/profile", 303)])
def test_a_codec_that_a_request_names_takes_no_time(server: App, path: str, wanted: int) -> None:
    hostile = request(path, part(PUNYCODE), Content_Type=f"{FORM}; charset=punycode", Sec_Fetch_Site="same-origin")
    seconds = []
    for _ in range(3):
        begun = time.monotonic()
        assert status(answered(server, hostile)) == wanted
        seconds.append(time.monotonic() - begun)
    assert min(seconds) < 0.3, "it was a second and more"


def test_a_large_body_is_refused_before_it_is_read_where_nobody_is_signed_in(server: App) -> None:
    head = request("/settings/profile", Content_Type=FORM, Content_Length=str(5 * 2**20))
    with contextlib.ExitStack() as stack:
        before = memory(server.pid)
        for _ in range(30):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 20))
            with contextlib.suppress(ConnectionError):
                connection.sendall(head + bytes(4 * 2**20))
        assert memory(server.pid) - before < 10
    assert status(answered(server, head)) == 303


def test_a_thousand_hostile_requests_leave_nothing_in_memory(server: App) -> None:
    def send(number: int) -> None:
        body = part(PUNYCODE[:20_000] + f"{number}".encode())
        answered(server, request("/login", body, Content_Type=f"{FORM}; charset=punycode"))
        answered(server, request("/login", b"x" * 60_000, Content_Type=URLENCODED))
        long = f"{number}-" + "x" * 50_000
        answered(server, request("/", method="GET", Accept_Language=long, Accept_Encoding=long, Host=long))
        answered(server, request(f"/rooms/{long}", method="GET", Cookie=f"session={long}; language={long}"))

    for number in range(50):  # what a process takes when it is first asked
        send(number)
    before = memory(server.pid)
    for number in range(500):
        send(number)
    assert memory(server.pid) - before < 5


async def test_a_body_that_stops_half_way_ends_after_a_while(
    visitor: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(origin, "IDLE_SECONDS", 0.01)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"a"
            await asyncio.sleep(0.005)  # slow, but it goes on
        await asyncio.Event().wait()

    for headers in ({}, {"Sec-Fetch-Site": "same-origin"}):
        visitor.client.headers = httpx2.Headers(headers)
        async with asyncio.timeout(5):
            answer = await visitor.client.post("/login", content=pieces(), headers={"Content-Type": URLENCODED})
        assert (answer.status_code, answer.headers["connection"]) == (408, "close")
        assert "stopped half-way" in answer.text
    assert not caplog.records


@pytest.mark.sqlite  # drivers have cycles of their own
async def test_what_is_refused_leaves_no_frame_with_its_request_behind(
    visitor: Person, alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that its own frame refers to holds all of the request, up to 15 MB, until the collector comes."""
    monkeypatch.setattr(settings, "MAX_STREAMS", 0)
    picture = {"picture": ("a.png", b"no picture", "image/png")}

    async def refuse_all() -> list[int]:
        answers = [
            await visitor.get("/", Host="elsewhere.example"),
            await visitor.post("/login", {"username": "a" * 200, "password": "x"}),
            await visitor.post("/login", {"username": "nobody", "password": "x"}),
            await visitor.post("/login", {}, Sec_Fetch_Site="cross-site"),
            await alice.client.head(f"{room.path}/events"),
            await alice.client.post("/settings/profile", data={"display_name": "Alicia"}, files=picture),
            await alice.say(room, ""),
        ]
        return [answer.status_code for answer in answers]

    assert await refuse_all() == [400, 422, 422, 403, 503, 422, 422]
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        await refuse_all()
        gc.collect()
    finally:
        gc.set_debug(0)
        gc.enable()
    left = [found.f_code.co_qualname for found in gc.garbage if isinstance(found, FrameType)]
    gc.garbage.clear()
    assert left == []


# The head of a request.


def test_escaped_cookies_take_no_time(server: App) -> None:
    begun = time.monotonic()
    cookies = f'a="{chr(92) * 60_000}"; b=1'
    assert status(answered(server, request("/login", method="GET", Cookie=cookies))) == 200
    assert time.monotonic() - begun < 1, "it was seven seconds"


@pytest.mark.parametrize("path", ["/login", "/register"])
def test_a_heap_of_accents_takes_no_time(server: App, path: str) -> None:
    begun = time.monotonic()
    body = b"username=" + "\u0300\u0316".encode() * 30_000
    assert status(answered(server, request(path, body, Content_Type=URLENCODED, Sec_Fetch_Site="none"))) == 422
    assert time.monotonic() - begun < 1, "it was three seconds for each time that they were normalised"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server with our protocol, that answers how long the body was."""

    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(ClientDisconnect):
            body = await Request(scope, receive).body()
            await PlainTextResponse(str(len(body)))(scope, receive, send)

    config = Config(count, lifespan="off", log_config=None)
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    served = await loop.create_server(lambda: BoundedProtocol(config, state, {}), "127.0.0.1", 0)
    yield served.sockets[0].getsockname()[1]
    served.close()
    await served.wait_closed()


async def exchange(port: int, *pieces: bytes) -> bytes:
    """What comes back until the server closes."""
    reading, writing = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    writing.write(piece)
                    await writing.drain()
                    await asyncio.sleep(0)
                return await reading.read()
            return b""
    finally:
        writing.close()


@pytest.mark.parametrize("pieces", [(), (b"GET / HT",), (b"GET / HTTP/1.1\r\nHost: x\r\nA: ",), (b"\r\n", b"\r\n")])
async def test_half_a_head_is_not_waited_for(
    port: int, monkeypatch: pytest.MonkeyPatch, pieces: tuple[bytes, ...]
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
    assert await exchange(port, *pieces) == b""


async def test_the_rest_of_a_body_may_take_longer_than_a_head(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
    reading, writing = await asyncio.open_connection("127.0.0.1", port)
    writing.write(b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 3\r\n\r\n")
    for letter in (b"a", b"b", b"c"):
        await asyncio.sleep(0.04)
        writing.write(letter)
    assert (await reading.read()).endswith(b"\r\n3")
    writing.close()


def test_an_unknown_uvicorn_is_known_by_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert protocol.problem() is None
    monkeypatch.setattr(protocol, "KNOWN_VERSION", "0.1")
    assert "in place of 0.1: heads of requests have no bounds" in (protocol.problem() or "")


LONG = b"x" * 70_000


@pytest.mark.parametrize(
    "pieces",
    [
        (b"GET /" + LONG + b" HTTP/1.1\r\n\r\n",),
        (b"GET / HTTP/1.1\r\nA: " + LONG + b"\r\n\r\n",),
        (b"GET / HTTP/1.1\r\nA: ", *[b"x" * 1000] * 66),
        (b"GET / HTTP/1.1\r\n", *[b"A: x\r\n" * 100] * 110),
        (b"GET /", *[b"x" * 1000] * 66),
    ],
)
async def test_a_head_has_a_bound(port: int, pieces: tuple[bytes, ...]) -> None:
    assert (await exchange(port, *pieces)).startswith(b"HTTP/1.1 431 ")


async def test_trailers_have_a_bound(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    assert await exchange(port, head, *[b"A: x\r\n" * 100] * 250) == b""


async def test_a_long_body_in_one_piece_with_its_head_is_no_long_head(port: int) -> None:
    sent = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 70000\r\n\r\n" + LONG
    assert (await exchange(port, sent)).endswith(b"\r\n70000")


# What waits has bounds.


async def test_more_work_than_is_done_soon_is_refused() -> None:
    pool, may_end = Pool("test", 1, 3, "Try again."), threading.Event()
    begun = [asyncio.create_task(pool.run(may_end.wait, 5)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="Try again"):
        await pool.run(may_end.wait, 5)
    may_end.set()
    assert await asyncio.gather(*begun) == [True] * 3
    assert await pool.run(may_end.wait, 5), "there is room again"


async def test_a_cancelled_wait_makes_room_in_the_pool() -> None:
    pool, may_end = Pool("test", 1, 2, "Try again."), threading.Event()
    begun = [asyncio.create_task(pool.run(may_end.wait, 5)) for _ in range(2)]
    await asyncio.sleep(0)
    begun[1].cancel()
    await asyncio.gather(begun[1], return_exceptions=True)
    last = asyncio.create_task(pool.run(may_end.wait, 5))
    may_end.set()
    assert await asyncio.gather(begun[0], last) == [True, True]


@pytest.mark.parametrize(
    ("pool", "path", "fields"),
    [(passwords.pool, "/login", {"username": "a", "password": "b" * 9}), (passwords.pool, "/register", ACCOUNT)],
)
async def test_where_too_many_sign_in_the_form_comes_back_with_a_sentence(
    visitor: Person, monkeypatch: pytest.MonkeyPatch, pool: Pool, path: str, fields: dict[str, str]
) -> None:
    monkeypatch.setattr(pool, "most", 0)
    answer = await visitor.post(path, fields)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "Very many people sign in right now." in answer.text
    assert f'value="{fields["username"]}"' in answer.text


async def test_a_picture_that_finds_no_room_is_asked_for_again(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images.process.pool, "most", 0)
    files = {"picture": ("a.png", b"x", "image/png")}
    answer = await alice.client.post("/settings/profile", data={"display_name": "Alicia"}, files=files)
    assert answer.status_code == 503
    assert "Many pictures come in right now." in answer.text
