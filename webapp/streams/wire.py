"""
Writing to an open stream without waking its task.

A stream's task costs more to wake (its generator, sse-starlette's time-out, uvicorn's `send`) than the bytes cost to
write. While the task has nothing to do but wait, a chunk goes straight to the connection, framed as uvicorn frames it;
whatever is not as it should be (a slow page, another server, HTTP/1.0) takes the way through the task, as everything
does with DIRECT_WRITES=off.
"""

import asyncio
from collections.abc import Callable

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from webapp import settings

Write = Callable[[bytes], bool]


def connection(send: Send) -> asyncio.Transport | None:
    """uvicorn's connection below a request's `send`, for the one who must be able to cut it."""
    return getattr(getattr(send, "__self__", None), "transport", None)


def writer(send: Send) -> Write | None:
    """What writes a chunk of the answer at once, and says whether it did; None where nothing can."""
    cycle = getattr(send, "__self__", None)
    if not settings.DIRECT_WRITES or not isinstance(cycle, RequestResponseCycle):
        return None

    def write(chunk: bytes) -> bool:
        if cycle.flow.write_paused or cycle.disconnected or cycle.response_complete or not cycle.chunked_encoding:
            return False
        cycle.transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        return True

    return write
