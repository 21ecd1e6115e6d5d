"""Answers in pieces: what is sent of them, and to whom nothing more is sent."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.types import Message, Scope

from webapp.http import ranges
from webapp.http.ranges import PiecesResponse

pytestmark = pytest.mark.anyio


class Transport:
    """A connection that can be seen to be aborted, and that its client may have closed."""

    def __init__(self) -> None:
        self.is_aborted = self.is_closed = False

    def is_closing(self) -> bool:
        return self.is_closed

    def abort(self) -> None:
        self.is_aborted = True


class Exchange:
    """One request, what was sent for it, and which pieces were read."""

    def __init__(self, *pieces: bytes, method: str = "GET") -> None:
        self.transport, self.pieces, self.method = Transport(), pieces, method
        self.sent: list[Message] = []
        self.read: list[bytes] = []
        self.is_stalled = self.was_closed = False

    async def _read(self) -> AsyncGenerator[bytes, None]:
        try:
            for piece in self.pieces:
                self.read.append(piece)
                yield piece
        finally:
            self.was_closed = True

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if self.is_stalled and message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def answer(self, size: int) -> bytes:
        """Return the body, given the size that is announced."""
        scope: Scope = {"type": "http", "method": self.method, "transport": self.transport}

        async def receive() -> Message:
            raise AssertionError("nothing is asked of the client")

        await PiecesResponse(self._read(), size, 200, {})(scope, receive, self.send)
        assert self.sent[0]["type"] == "http.response.start"
        return b"".join(message["body"] for message in self.sent[1:])


async def test_an_answer_ends_with_its_last_piece() -> None:
    exchange = Exchange(b"one", b"two")
    assert await exchange.answer(6) == b"onetwo"
    assert [message["more_body"] for message in exchange.sent[1:]] == [True, False]
    assert not exchange.transport.is_aborted
    assert exchange.was_closed


async def test_what_is_deleted_meanwhile_ends_the_connection() -> None:
    """Else a client would wait for the rest, or take what it has for all."""
    exchange = Exchange(b"one")
    assert await exchange.answer(6) == b"one"
    assert exchange.transport.is_aborted


async def test_a_client_that_takes_nothing_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "SEND_TIMEOUT_SECONDS", 0.01)
    exchange = Exchange(b"one", b"two")
    exchange.is_stalled = True
    await exchange.answer(6)
    assert exchange.read == [b"one"]
    assert exchange.transport.is_aborted
    assert exchange.was_closed


async def test_nothing_more_is_read_for_a_client_that_has_left() -> None:
    exchange = Exchange(b"one", b"two", b"three")
    exchange.transport.is_closed = True
    assert await exchange.answer(11) == b""
    assert exchange.read == [b"one"]


async def test_the_headers_alone_are_asked_for_without_a_read() -> None:
    exchange = Exchange(b"one", method="HEAD")
    assert await exchange.answer(3) == b""
    assert exchange.read == []
    assert not exchange.transport.is_aborted
