"""Where all streams come in: as many as there is room for, and few at a time."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp import faults, settings
from webapp.errors import Full

STREAMS = ("/events", "/live")
OPENING_AT_ONCE = 8
# It has to be a little emptier before that is said.
ROOM_AGAIN = 0.95


class Doorway:
    """
    ASGI middleware, before anything asks the database.

    When a process was away, all its pages come back at once, and each asks three things of the database. Only few
    do so at the same time, so that a post in between waits for those and not for thousands. More than MAX_STREAMS
    are refused before they cost anything; what is parked counts too, because it holds a connection.
    """

    open_now = 0
    places = asyncio.Semaphore(OPENING_AT_ONCE)

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    @classmethod
    def begin(cls) -> None:
        """At every start: a semaphore belongs to its event loop."""
        cls.open_now, cls.places = 0, asyncio.Semaphore(OPENING_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_stream(scope):
            return await self.app(scope, receive, send)
        if Doorway.open_now >= settings.MAX_STREAMS:
            faults.streams.notice(full := Full())
            raise full
        Doorway.open_now += 1
        try:
            await self._enter(scope, receive, send)
        except asyncio.CancelledError:
            # The server ends and waits no longer: uvicorn would write a traceback for every stream.
            if (transport := scope.get("transport")) is None:
                raise
            transport.abort()
            await asyncio.sleep(0)
        finally:
            Doorway.open_now -= 1
            if Doorway.open_now < settings.MAX_STREAMS * ROOM_AGAIN:
                faults.streams.over()

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        places = Doorway.places
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


def _is_stream(scope: Scope) -> bool:
    is_frame = scope.get("query_string", b"").startswith(b"frame=")  # around an endless document: it ends at once
    return scope["type"] == "http" and scope["path"].endswith(STREAMS) and not is_frame
