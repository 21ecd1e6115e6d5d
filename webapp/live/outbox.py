"""What is to be written to one open page: bounded, joined when the page is slow, given up when it is too slow."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

# How far a page may lag behind, in bytes: about 400 messages.
LIMIT_BYTES = 256 * 1024


class Wire(Protocol):
    """The connection to a page."""

    @property
    def wakeup(self) -> asyncio.Event:
        """Set when the page has disconnected, or for any other reason."""

    @property
    def is_disconnected(self) -> bool: ...

    def write(self, chunk: bytes) -> bool:
        """Write a chunk at once; return whether that was possible."""


class Outbox:
    __slots__ = ("_chunks", "_is_idle", "_size", "_wake", "_wire", "is_closed", "is_overrun")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self._wake = asyncio.Event()
        self._wire: Wire | None = None
        self._is_idle = False
        self.is_closed = False
        self.is_overrun = False

    def connect(self, wire: Wire) -> None:
        """From now on write to the connection what can be written at once; call it before iterating."""
        self._wire, self._wake = wire, wire.wakeup
        if self._chunks or self.is_closed:
            self._wake.set()

    @property
    def is_empty(self) -> bool:
        return not self._chunks

    @property
    def size(self) -> int:
        """Return how many bytes are to be written."""
        return sum(map(len, self._chunks))

    @property
    def pending(self) -> bytes:
        """Return what is to be written."""
        return b"".join(self._chunks)

    def take(self) -> bytes:
        """Return what is to be written, joined, and begin again with nothing."""
        chunks, self._chunks, self._size = self._chunks, [], 0
        return b"".join(chunks)

    def put(self, chunk: bytes) -> None:
        """
        Add a chunk; disconnect a page that is too far behind, which comes back with its cursor.

        Too far is more than LIMIT_BYTES behind the chunk that is written next. That one may be larger by itself (what
        was missed overnight): it would be as large when the page comes back, and as soon followed by a state.
        """
        if self.is_closed or not chunk:
            return
        if self._is_idle and not self._chunks and self._wire and self._wire.write(chunk):
            return
        if self._chunks and self._size + len(chunk) > LIMIT_BYTES:
            self._chunks.clear()
            self.is_overrun = self.is_closed = True
        else:
            self._size += len(chunk) if self._chunks else 0
            self._chunks.append(chunk)
        self._wake.set()

    def close(self, last: bytes = b"") -> None:
        """End the stream after what is to be written, and these last bytes."""
        if not self.is_closed:
            if last:
                self._chunks.append(last)
            self.is_closed = True
            self._wake.set()

    async def get(self) -> bytes | None:
        """Wait for what is to be written, joined; None when closed and empty, or when the page has disconnected."""
        while not (self._wire and self._wire.is_disconnected):
            if self.is_closed and not self._chunks:
                return None
            self._is_idle = True
            await self._wake.wait()
            self._is_idle = False
            self._wake.clear()
            if chunk := self.take():
                return chunk
        return None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield what is to be written, joined, until the outbox is closed and empty, or the page has disconnected."""
        while (chunk := await self.get()) is not None:
            yield chunk
