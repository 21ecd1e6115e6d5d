"""The response of an open page, from its first byte to its last."""

import asyncio
import contextlib
import logging
import random
import socket
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from functools import cache, partial

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from webapp.core.lifetime import Slot
from webapp.live import frames, hub, sse
from webapp.live.admission import STAY, admitted
from webapp.live.reader import Reader
from webapp.live.sse import EventSourceResponse, SendTimeoutError
from webapp.live.wire import Wire, transport_of

logger = logging.getLogger(__name__)

SEND_TIMEOUT_SECONDS = 15
SILENCE_SECONDS = 45
FAREWELL_SECONDS = 2
# An endless document grows in the browser: after so many bytes it is loaded again.
MAX_DOCUMENT_BYTES = 512 * 1024
PARKED_SECONDS = 1800
# An answer to a page that no stream gets through to lasts so long, or so long after there was something of the log.
LONG_POLL_SECONDS, LONG_POLL_AFTER_NEWS_SECONDS = 10.0, 1.0
# Connections that stay open, silent, after their last frame: to the browser they count like all others.
parked_by_session = Slot[Counter[int]]("count of parked streams")


class Stream(Response):
    """The chunks of a reader's outbox, straight to the connection where that is possible, else by sse-starlette."""

    def __init__(
        self,
        reader: Reader,
        opening: bytes,
        media_type: str,
        headers: dict[str, str] | None = None,
        packed: bool = False,
        interval: float = 0.0,
    ) -> None:
        """What comes within the `interval` (in seconds) is sent in one piece."""
        self.reader = reader
        self.opening = opening
        self.packed = packed
        self.interval = interval
        self.status_code = 200
        self.background = None
        self.raw_headers = list(_raw_headers(media_type, packed, *(headers or {}).items()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport | None = scope.get("transport")
        wire: Wire | None = scope.get("wire")
        _limit_silence(transport)
        is_common = self.reader.framing == "sse" and not (self.reader.is_long_poll or self.interval)
        if wire and is_common and scope["method"] == "GET":
            self.reader.outbox.connect(wire)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            scope[STAY] = partial(stay, self.reader, wire, self.opening)
            return
        try:
            await self._by_sse_starlette(scope, receive, send)
        except SendTimeoutError:
            _give_up(transport)

    async def _by_sse_starlette(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = EventSourceResponse(
            gzip_stream(self.chunks()) if self.packed else self.chunks(),
            ping=0,
            send_timeout=SEND_TIMEOUT_SECONDS,
            shutdown_event=Farewell(self.reader),  # type: ignore[arg-type]
            shutdown_grace_period=FAREWELL_SECONDS,
        )
        response.raw_headers = self.raw_headers
        await response(scope, receive, send)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the opening, then what the reader is sent. No database here: it may be cancelled at any moment."""
        reader = self.reader
        watchers = hub().providers.watchers
        yield self.opening
        sent: int | None = None
        _join(reader)
        if reader.is_long_poll:
            self._end_in(LONG_POLL_SECONDS)
        try:
            async for chunk in reader.outbox:
                yield chunk
                if reader.framing == "html" and frames.RELOAD_DOCUMENT in chunk:
                    return
                if reader.is_long_poll and b"id: " in chunk:
                    self._end_in(LONG_POLL_AFTER_NEWS_SECONDS)
                for watcher in watchers:
                    watcher.wrote(reader, chunk)
                # The page that it begins with does not count: it would be as long the next time.
                sent = 0 if sent is None else sent + len(chunk)
                if reader.framing == "html" and sent > MAX_DOCUMENT_BYTES:
                    yield frames.RELOAD_DOCUMENT
                    return
                if self.interval and not reader.outbox.is_closed:
                    await asyncio.sleep(self.interval)
        finally:
            _leave(reader)
        if reader.is_parked:
            parked_by_session()[reader.labels["session"]] += 1
            try:
                async for chunk in stay_open():
                    yield chunk
            finally:
                _unpark(reader.labels["session"])

    def _end_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.reader.outbox.close)


@cache
def _raw_headers(media_type: str, packed: bool, *more: tuple[str, str]) -> Sequence[tuple[bytes, bytes]]:
    coding = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"} if packed else {}
    # Explicitly, so that no proxy compresses or stores (and so holds back) what should flow.
    flowing = {"Cache-Control": "no-store, no-transform", "Connection": "keep-alive", "X-Accel-Buffering": "no"}
    return StreamingResponse((), headers={**flowing, **coding, **dict(more)}, media_type=media_type).raw_headers


async def stay(reader: Reader, wire: Wire, opening: bytes, send: Send) -> None:
    """
    Write what the reader is sent until its stream ends or its page leaves.

    What sse-starlette does in five tasks, in the request's own; see wire.py. Nothing that an idle page holds should be
    more than this: it is called where all layers around the request are left, and what they held is freed.
    """
    try:
        if not wire.write(opening):
            await _send_body(send, opening)
        _join(reader)
        try:
            while (chunk := await reader.outbox.get()) is not None:
                if not wire.write(chunk):
                    await _send_body(send, chunk)
        finally:
            _leave(reader)
        await _send_body(send, b"", is_last=True)
    except SendTimeoutError:
        _give_up(transport_of(send))
    except asyncio.CancelledError:
        # The server ends and waits no longer: uvicorn would write a traceback for every stream.
        if (transport := transport_of(send)) is None:
            raise
        transport.abort()
        await asyncio.sleep(0)
    finally:
        admitted().leave()


async def _send_body(send: Send, body: bytes, is_last: bool = False) -> None:
    try:
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            await send({"type": "http.response.body", "body": body, "more_body": not is_last})
    except TimeoutError:
        raise SendTimeoutError from None


def _join(reader: Reader) -> None:
    hub().join(reader)
    for watcher in hub().providers.watchers:
        watcher.opened(reader)


def _leave(reader: Reader) -> None:
    hub().leave(reader)
    for watcher in hub().providers.watchers:
        watcher.closed(reader)


def _give_up(transport: asyncio.Transport | None) -> None:
    logger.info("a page that does not read was disconnected")
    if transport:
        # Closing politely would wait for ever to write what nobody reads.
        transport.abort()


async def gzip_stream(chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """
    Yield the chunks as one gzip stream, each flushed.

    A window of two kilobytes holds the message before, which is what a message has most in common with (zlib looks 262
    bytes less far back): the page that an endless document begins with shrinks to a sixth, for 12 kB of memory per
    stream (zlib's own formula).
    """
    packer = zlib.compressobj(6, zlib.DEFLATED, wbits=16 + 11, memLevel=3)
    async with contextlib.aclosing(chunks):
        async for chunk in chunks:
            yield packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH)
        yield packer.flush()


def _unpark(session: int) -> None:
    parked_by_session()[session] -= 1
    if not parked_by_session()[session]:
        del parked_by_session()[session]


async def stay_open() -> AsyncIterator[bytes]:
    """Yield signs of life alone: a frame whose document ended would load it again, and end another page's stream."""
    for _ in range(PARKED_SECONDS // 20):
        await asyncio.sleep(20)
        yield frames.KEEP_ALIVE_HTML


async def send_farewells() -> None:
    """Wait until the server is about to end, and close the streams that sse-starlette does not watch over."""
    if sse.problem():
        return
    await sse.wait_for_shutdown()
    for reader in hub().readers():
        Farewell(reader).set()


class Farewell:
    """Set by sse-starlette when the server is about to end: every page comes back after a pause of its own."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def set(self) -> None:
        last = frames.sse_farewell(random.randint(300, 3000)) if self.reader.framing == "sse" else b""
        self.reader.outbox.close(last)


def _limit_silence(transport: asyncio.Transport | None) -> None:
    """Let the system give up a connection whose other end vanished, minutes before it would by itself."""
    connection = transport.get_extra_info("socket") if transport else None
    if connection is not None and connection.family != getattr(socket, "AF_UNIX", None):
        # Not every system has the option, and the page may have left by now (uvloop's ValueError).
        with contextlib.suppress(AttributeError, OSError, ValueError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_SECONDS * 1000)
