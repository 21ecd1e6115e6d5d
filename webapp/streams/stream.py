"""One open stream, from its first byte to its last."""

import asyncio
import contextlib
import logging
import random
import socket
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator

from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.types import Receive, Scope, Send

from webapp.conversations.models import Membership
from webapp.core.lifetime import Slot
from webapp.db import engine
from webapp.live import Reader, frames, hub
from webapp.live.wire import Wire
from webapp.presence.models import NO_ROOM
from webapp.presence.tracker import tracker

logger = logging.getLogger(__name__)

SEND_TIMEOUT_SECONDS = 15
SILENCE_SECONDS = 45
FAREWELL_SECONDS = 2
# An endless document grows in the browser: after so many bytes it begins anew.
MAX_DOCUMENT_BYTES = 512 * 1024
PARKED_SECONDS = 1800
# An answer to a page that no stream gets through to lasts so long, or so long after there was something of the log.
LONG_POLL_SECONDS, LONG_POLL_AFTER_NEWS_SECONDS = 10.0, 1.0
# Who saves data gets what comes within so long in one piece.
SAVE_DATA_INTERVAL_SECONDS = 2.0
# Connections that stay open, silent, after their last frame: to the browser they count like all others.
parked_by_session = Slot[Counter[int]]("count of parked streams")
# By which a chunk with something of the log is told from signs of life and states.
MESSAGE_MARKER = b'<li id="message-'


class Stream(EventSourceResponse):
    """sse-starlette opens and closes it, and tells of a shutdown; what goes through it are frames of the hub."""

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
        self.interval = interval
        self.opening = opening
        coding = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"} if packed else {}
        super().__init__(
            gzip_stream(self._chunks()) if packed else self._chunks(),
            media_type=media_type,
            # Said outright, so that nothing on the way compresses (and so holds back) what should flow.
            headers={"Cache-Control": "no-store, no-transform", **coding, **(headers or {})},
            ping=0,
            send_timeout=SEND_TIMEOUT_SECONDS,
            shutdown_event=Farewell(reader),  # type: ignore[arg-type]
            shutdown_grace_period=FAREWELL_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport | None = scope.get("transport")
        wire: Wire | None = scope.get("wire")
        _limit_silence(transport)
        is_common = self.reader.framing == "sse" and not (self.reader.is_long_poll or self.interval)
        try:
            if wire and is_common and scope["method"] == "GET":
                await self._write_directly(wire, send)
            else:
                await super().__call__(scope, receive, send)
        except SendTimeoutError:
            logger.info("a page that does not read was let go")
            if transport:
                # Closing politely would wait for ever to write what nobody reads.
                transport.abort()

    async def _write_directly(self, wire: Wire, send: Send) -> None:
        """The same as sse-starlette does, in one task; see wire.py."""

        async def go(body: bytes, is_last: bool = False) -> None:
            try:
                async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                    await send({"type": "http.response.body", "body": body, "more_body": not is_last})
            except TimeoutError:
                raise SendTimeoutError from None

        self.reader.outbox.connect(wire)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with contextlib.aclosing(self._chunks()) as chunks:
            async for chunk in chunks:
                if not wire.write(chunk):
                    await go(chunk)
        await go(b"", is_last=True)

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        """No database here: a stream may be cancelled at any moment."""
        reader = self.reader
        user, room = reader.labels["user"], reader.number("room") or NO_ROOM
        # What comes in an endless document is on the screen; a page with script says itself how far it is read.
        is_read = reader.framing == "html" and room != NO_ROOM
        is_stranger = reader.number("mask") is not None  # who is never said to be in a room, or anywhere
        yield self.opening
        sent: int | None = None
        hub().join(reader)
        if not is_stranger:
            tracker().stream_opened(user, room)
        if reader.is_long_poll:
            self._end_in(LONG_POLL_SECONDS)
        try:
            async for chunk in reader.outbox:
                yield chunk
                if reader.framing == "html" and frames.BEGIN_ANEW in chunk:
                    return
                if reader.is_long_poll and b"id: " in chunk:
                    self._end_in(LONG_POLL_AFTER_NEWS_SECONDS)
                if is_read and (sent is None or ("receipts" in reader.states and MESSAGE_MARKER in chunk)):
                    schedule_mark_read(user, room)
                # The page that it begins with does not count: it would be as long the next time.
                sent = 0 if sent is None else sent + len(chunk)
                if reader.framing == "html" and sent > MAX_DOCUMENT_BYTES:
                    yield frames.BEGIN_ANEW
                    return
                if self.interval and not reader.outbox.is_closed:
                    await asyncio.sleep(self.interval)
        finally:
            hub().leave(reader)
            for hear in hub().providers.on_closed:
                hear(reader)
            if not is_stranger:
                tracker().stream_closed(user, room)
                if room != NO_ROOM:
                    # While it was open, nothing in it counted as unread: other pages of theirs count again.
                    hub().mark_item(f"user:{user}", f"room:{room}")
            if is_read:
                schedule_mark_read(user, room)
        if reader.is_parked:
            parked_by_session()[reader.labels["session"]] += 1
            try:
                async for chunk in stay_open():
                    yield chunk
            finally:
                _unpark(reader.labels["session"])

    def _end_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.reader.outbox.close)


async def gzip_stream(chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """
    The chunks as one gzip stream, each of them whole when it is sent.

    A window of a kilobyte holds the message before, which is what a message has most in common with: the page
    that an endless document begins with shrinks to a sixth, for 12 kB of memory per stream (zlib's own formula).
    """
    packer = zlib.compressobj(6, zlib.DEFLATED, wbits=16 + 10, memLevel=4)
    async with contextlib.aclosing(chunks):
        async for chunk in chunks:
            yield packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH)
        yield packer.flush()


# Of whom it is about to be written that they have read a room.
noting = Slot[set[tuple[int, int]]]("marks of reading")


def schedule_mark_read(user: int, room: int) -> None:
    """Once for all that happens until it is written: many pages may close together."""
    if (user, room) not in noting():
        noting().add((user, room))
        hub().spawn(mark_read(user, room))


async def mark_read(user: int, room: int) -> None:
    """What came while the page was open has been read."""
    noting().discard((user, room))
    try:
        if await Membership.mark_all_read(user, room):
            hub().refresh(f"room:{room}", "receipts")
            hub().broadcast_reliably("place", user=user, room=room)
    except engine.DOWN as error:
        logger.debug("what was read could not be written; the next page that is served says it again: %r", error)


def _unpark(session: int) -> None:
    parked_by_session()[session] -= 1
    if not parked_by_session()[session]:
        del parked_by_session()[session]


async def stay_open() -> AsyncIterator[bytes]:
    """Nothing but signs of life: a frame whose document ended would load it anew, and drive out another page."""
    for _ in range(PARKED_SECONDS // 20):
        await asyncio.sleep(20)
        yield frames.KEEP_ALIVE_HTML


async def send_farewells() -> None:
    """Wait until the server is about to go, and tell the pages whose streams sse-starlette does not watch over."""
    await EventSourceResponse._listen_for_exit_signal()
    for reader in hub().readers():
        Farewell(reader).set()


class Farewell:
    """What sse-starlette sets when the server is about to go: every page comes back after a while of its own."""

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
