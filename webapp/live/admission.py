"""When a server was away, all its pages come back at once: they go first, and what can wait waits for them."""

import asyncio
from collections import deque

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp import settings
from webapp.core.errors import TooManyStreams
from webapp.core.faults import faults
from webapp.core.lifetime import Slot

# So many within so short a time are a crowd, and it has passed when for a moment nobody else has come.
STORM_SIZE, STORM_WINDOW_SECONDS, STORM_QUIET_SECONDS = 20, 0.1, 0.3
# What waits for them does so no longer than this.
TIMEOUT_SECONDS = 10.0


class ReconnectStorm:
    """Those who have just come in."""

    def __init__(self) -> None:
        self._came: deque[float] = deque(maxlen=STORM_SIZE)
        self._until = 0.0

    def record(self) -> None:
        """Somebody comes in."""
        now = asyncio.get_running_loop().time()
        self._came.append(now)
        if len(self._came) == STORM_SIZE and now - self._came[0] < STORM_WINDOW_SECONDS:
            self._until = now + STORM_QUIET_SECONDS

    async def wait_until_over(self, seconds: float | None = None) -> None:
        """Wait until they are in, but not for longer than this, or PATIENCE_SECONDS."""
        clock = asyncio.get_running_loop().time
        patience = clock() + (TIMEOUT_SECONDS if seconds is None else seconds)
        while (pause := min(self._until, patience) - clock()) > 0:  # noqa: ASYNC110  the moment moves
            await asyncio.sleep(pause)


MAX_OPENING = 8
# It has to be a little emptier before that is said.
REOPEN_RATIO = 0.95


class Admitted:
    """How many streams this process has open, and the few that may open at one moment."""

    def __init__(self) -> None:
        self.count = 0
        self.opening = asyncio.Semaphore(MAX_OPENING)


admitted = Slot[Admitted]("count of streams")


class StreamAdmission:
    """
    ASGI middleware of one stream's address, before anything asks the database; raises TooManyStreams.

    When a process was away, all its pages come back at once, and each asks three things of the database. Only few
    do so at the same time, so that a post in between waits for those and not for thousands. More than MAX_STREAMS
    are refused before they cost anything; what is parked counts too, because it holds a connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if admitted().count >= settings.MAX_STREAMS:
            faults().streams.report(TooManyStreams())
            raise TooManyStreams
        admitted().count += 1
        try:
            await self._enter(scope, receive, send)
        except asyncio.CancelledError:
            # The server ends and waits no longer: uvicorn would write a traceback for every stream.
            if (transport := scope.get("transport")) is None:
                raise
            transport.abort()
            await asyncio.sleep(0)
        finally:
            admitted().count -= 1
            if admitted().count < settings.MAX_STREAMS * REOPEN_RATIO:
                faults().streams.clear()

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        places = admitted().opening
        await places.acquire()
        is_in_the_way = True

        def make_way() -> None:
            nonlocal is_in_the_way
            if is_in_the_way:
                is_in_the_way = False
                places.release()  # the next one, please

        async def begun(message: Message) -> None:
            if message["type"] == "http.response.start":
                make_way()
            await send(message)

        try:
            await self.app(scope, receive, begun)
        finally:
            make_way()
