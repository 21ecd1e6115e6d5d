"""Files that are sent in pieces: the part of one that a browser asks for, and the sending, which nobody holds up."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from webapp.core.faults import logger

# A client that takes nothing for so long is not waited for.
SEND_TIMEOUT_SECONDS = 60
# One range of at most so many digits; what else may be asked for (several, other units) is answered with all of it.
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Part(NamedTuple):
    """The bytes from `start` to before `end`; empty where none of what was asked for is there."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return max(0, self.end - self.start)


def requested_part(header: str, size: int) -> Part | None:
    """Return the part of so many bytes that a Range header asks for; None where all of them are to be sent."""
    match = _RANGE.fullmatch(header.strip())
    first, last = match.groups() if match else ("", "")
    if not (first or last) or (first and last and int(last) < int(first)):
        return None
    if not first:
        return Part(max(0, size - int(last)), size)
    return Part(int(first), min(size, int(last) + 1 if last else size))


class PiecesResponse(Response):
    """An answer of so many bytes as its Content-Length says, in pieces as they are read: one of them is in memory."""

    def __init__(self, pieces: AsyncGenerator[bytes, None], size: int, status: int, headers: dict[str, str]) -> None:
        """`headers` have the Content-Type: of what is no text, a response would add a charset to it."""
        super().__init__(None, status, headers | {"Content-Length": str(size)})
        self.pieces, self.size = pieces, size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport | None = scope.get("transport")
        async with contextlib.aclosing(self.pieces) as pieces:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] == "HEAD" or not self.size:
                return await send({"type": "http.response.body", "body": b""})
            try:
                is_whole = await self._send(pieces, transport, send)
            except TimeoutError:
                logger.info("a client that does not read was disconnected")
                is_whole = False
        if transport and not is_whole:
            # The client learns by the end of the connection that it has not got all of it.
            transport.abort()
            await asyncio.sleep(0)

    async def _send(self, pieces: AsyncIterator[bytes], transport: asyncio.Transport | None, send: Send) -> bool:
        """Return whether all of it was sent: who reads may leave, and the file may be deleted meanwhile."""
        left = self.size
        async for piece in pieces:
            if transport and transport.is_closing():
                break
            left -= len(piece)
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        return left <= 0
