"""Requests that are made to harm: none of them may stop the others, nor stay in memory."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from tests.cluster import memory
from tests.conftest import Person
from tests.servers import App
from webapp.security import guard

# Python needs time that grows with the square of the length to decode it.
PUNYCODE = ("a" * 64_000 + "\U00010000" * 3).encode("punycode") + b"a" * 66_000
URLENCODED = "application/x-www-form-urlencoded"
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


async def test_a_body_that_stops_half_way_ends_after_a_while(
    visitor: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guard, "IDLE_SECONDS", 0.01)

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
