"""How many streams may be open, and may open at once; and what waits while many come back together."""

import asyncio
from collections import deque

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp import settings
from webapp.core.errors import TooManyStreams
from webapp.core.faults import faults
from webapp.core.lifetime import Slot

# So many readers within the window are a storm; it is over when none has come for the quiet seconds.
STORM_SIZE, STORM_WINDOW_SECONDS, STORM_QUIET_SECONDS = 20, 0.1, 0.3
# The longest that anything waits for it.
TIMEOUT_SECONDS = 10.0


class ReconnectStorm:
    """Many pages that come back at once, as after a restart: they are served first, and what can wait does."""

    def __init__(self) -> None:
        self._came: deque[float] = deque(maxlen=STORM_SIZE)
        self._until = 0.0

    def record(self) -> None:
        """A reader has joined."""
        now = asyncio.get_running_loop().time()
        self._came.append(now)
        if len(self._came) == STORM_SIZE and now - self._came[0] < STORM_WINDOW_SECONDS:
            self._until = now + STORM_QUIET_SECONDS

    async def wait_until_over(self, seconds: float | None = None) -> None:
        """Wait until the storm is over, for so many seconds at most, or TIMEOUT_SECONDS."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + (TIMEOUT_SECONDS if seconds is None else seconds)
        while (pause := min(self._until, deadline) - clock()) > 0:  # noqa: ASYNC110  each reader postpones the end
            await asyncio.sleep(pause)


MAX_OPENING = 32
# Hysteresis: report free capacity only below 95 %, or the program's log would flap.
REOPEN_RATIO = 0.95


# Where the scope of a request has the coroutine function of its open stream, which Application runs past all layers.
STAY = "parley.stay"


class Admitted:
    """The streams of this process: how many are open, and the slots of those that are opening."""

    def __init__(self) -> None:
        self.count = 0
        self.opening = asyncio.Semaphore(MAX_OPENING)

    def enter(self) -> None:
        """Count one more; raise TooManyStreams."""
        if self.count >= settings.MAX_STREAMS:
            faults().streams.report(TooManyStreams())
            raise TooManyStreams
        self.count += 1

    def leave(self) -> None:
        self.count -= 1
        if self.count < settings.MAX_STREAMS * REOPEN_RATIO:
            faults().streams.clear()


admitted = Slot[Admitted]("count of streams")


class StreamAdmission:
    """
    ASGI middleware of one stream's address, before anything asks the database; raises TooManyStreams.

    When a process was away, all its pages come back at once, and each asks three things of the database. Only so many
    do so at the same time, so that a post in between waits for those and not for thousands. More than MAX_STREAMS
    are refused before they cost anything; what is parked counts too, because it holds a connection. A stream that is
    written past all layers counts itself out.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        admitted().enter()
        try:
            await self._enter(scope, receive, send)
        except asyncio.CancelledError:
            # The server ends and waits no longer: uvicorn would write a traceback for every stream.
            if (transport := scope.get("transport")) is None:
                raise
            transport.abort()
            await asyncio.sleep(0)
        finally:
            if STAY not in scope:
                admitted().leave()

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        slots = admitted().opening
        await slots.acquire()
        holds_slot = True

        def release_slot() -> None:
            nonlocal holds_slot
            if holds_slot:
                holds_slot = False
                slots.release()

        async def release_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                release_slot()
            await send(message)

        try:
            await self.app(scope, receive, release_and_send)
        finally:
            release_slot()
