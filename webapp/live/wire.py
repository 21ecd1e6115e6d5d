"""
An open stream at its connection, past sse-starlette.

sse-starlette watches over a stream with four tasks, which are most of what an idle page takes, and to wake one of them
(its generator, its time-out, uvicorn's `send`) costs more than to write the bytes. So a stream of a page that is fast
enough has one task, the request's own, which sleeps until the connection is lost or the stream ends; what is sent goes
straight to the connection, framed as uvicorn frames it. Whatever is not as it should be (a slow page, another server,
HTTP/1.0) takes the way through the task, and with DIRECT_WRITES=off everything takes the way through sse-starlette.
"""

import asyncio

import uvicorn
from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from webapp import settings
from webapp.live import sse

# The one whose private parts are used here, as pyproject.toml has it.
KNOWN_VERSION = "0.54.0"


def problem() -> str | None:
    """Why streams can't be written past sse-starlette; None when they can."""
    if uvicorn.__version__ == KNOWN_VERSION:
        return None
    return f"uvicorn is {uvicorn.__version__} in place of {KNOWN_VERSION}: streams take more memory and time"


def transport_of(send: Send) -> asyncio.Transport | None:
    """uvicorn's connection below a request's `send`, for the one who must be able to cut it."""
    return getattr(getattr(send, "__self__", None), "transport", None)


class Wire:
    """The connection of a request in uvicorn's hands; its private parts, which pyproject.toml holds."""

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    @classmethod
    def below(cls, send: Send) -> "Wire | None":
        """The one below a request's `send`; None where there is none, or it is not wanted."""
        cycle = getattr(send, "__self__", None)
        if not settings.DIRECT_WRITES or problem() or sse.problem():
            return None
        return cls(cycle) if isinstance(cycle, RequestResponseCycle) else None

    @property
    def wakeup(self) -> asyncio.Event:
        """What uvicorn sets when the connection is lost, among others."""
        return self._cycle.message_event

    @property
    def is_disconnected(self) -> bool:
        return self._cycle.disconnected

    def write(self, chunk: bytes) -> bool:
        """Write a chunk of the answer at once; whether that was possible."""
        cycle = self._cycle
        if cycle.flow.write_paused or cycle.disconnected or cycle.response_complete or not cycle.chunked_encoding:
            return False
        cycle.transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        return True
