"""
A backend for broadcaster on Redis that outlives the loss of Redis.

With another version of broadcaster its own backend is used: it ends for ever when its connection breaks, and then
what other processes changed is found by the heartbeat.
"""

import asyncio
import contextlib
import logging
import random
from importlib.metadata import version
from typing import Any

from broadcaster import Broadcast, Event
from broadcaster._backends.base import BroadcastBackend
from redis import asyncio as redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from webapp.core.tasks import cancel_and_wait
from webapp.live.bridge import LINK_DOWN, LINK_UP

logger = logging.getLogger(__name__)

# As pyproject.toml has it.
KNOWN_VERSION = "0.3.1"
CONNECT_SECONDS = 2.0
PUBLISH_SECONDS = 2.0
# A server that is frozen must be noticed about as soon as one that is dead: until then rights that end go on.
PING_SECONDS = 1.0
SILENCE_SECONDS = 2.5
# What waits to be heard. The queue of broadcaster behind it is emptied at once, by Bridge.listen, which never waits.
MAX_QUEUED = 10_000
MIN_BACKOFF, MAX_BACKOFF = 0.1, 2.0


def problem() -> str | None:
    """Return why the backend can't be used; None when it can."""
    if (found := version("broadcaster")) == KNOWN_VERSION:
        return None
    return f"broadcaster is {found} in place of {KNOWN_VERSION}: the link to Redis does not come back when it breaks"


def broadcaster(url: str) -> Broadcast:
    """Return a broadcaster on Redis that has the backend below; else, with a line in the program's log, its own."""
    if found := problem():
        logger.warning(found)
        return Broadcast(url)
    return Broadcast(backend=RedisBackend(url))


class RedisBackend(BroadcastBackend):
    """
    One channel, one supervised connection that listens to it, one pool that publishes.

    broadcaster's own backend ends for ever when its connection breaks, and loses listeners that join at the
    same moment. Here one task owns the connection: it connects again for as long as it takes.
    """

    def __init__(self, url: str) -> None:
        # redis-py's default socket_timeout sends through wait_for, which may swallow a cancellation: none here.
        options: dict[str, Any] = {"socket_timeout": None, "socket_connect_timeout": CONNECT_SECONDS}
        self._listening = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **options)
        self._publishing = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 1), **options)
        self._received: asyncio.Queue[Event] = asyncio.Queue(MAX_QUEUED)
        self._channel = ""
        self._supervisor: asyncio.Task[None] | None = None
        self._last_heard = 0.0
        self._lost_at: float | None = None

    async def connect(self) -> None:
        """Never fails: Redis may come later than we do."""

    async def disconnect(self) -> None:
        if self._supervisor:
            await cancel_and_wait({self._supervisor})
        for client in (self._listening, self._publishing):
            with contextlib.suppress(Exception):
                await client.aclose()

    async def subscribe(self, channel: str) -> None:
        self._channel = channel
        self._supervisor = asyncio.create_task(self._supervise(), name="redis-listener")

    async def unsubscribe(self, channel: str) -> None:
        """The subscription lasts as long as the backend does."""

    async def publish(self, channel: str, message: Any) -> None:
        async with asyncio.timeout(PUBLISH_SECONDS):
            await self._publishing.publish(channel, message)

    async def next_published(self) -> Event:
        return await self._received.get()

    def _queue(self, message: str) -> None:
        if self._received.full():
            # The channel is flooded: what was missed is read from the database, as after a break.
            while not self._received.empty():
                self._received.get_nowait()
            self._received.put_nowait(Event(self._channel, LINK_DOWN))
            self._received.put_nowait(Event(self._channel, LINK_UP))
        self._received.put_nowait(Event(self._channel, message))

    async def _supervise(self) -> None:
        pause = MIN_BACKOFF
        while True:
            pubsub = self._listening.pubsub()
            is_up = False
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await pubsub.subscribe(self._channel)
                self._last_heard = asyncio.get_running_loop().time()
                async with asyncio.TaskGroup() as tasks:
                    confirmed = asyncio.Event()
                    tasks.create_task(self._listen(pubsub, confirmed))
                    tasks.create_task(self._watch(pubsub))
                    async with asyncio.timeout(CONNECT_SECONDS):
                        await confirmed.wait()
                    is_up, pause = True, MIN_BACKOFF
            except Exception as error:  # whatever it is, the answer is to connect again
                causes = getattr(error, "exceptions", [error])
                if is_up or pause == MIN_BACKOFF:
                    logger.warning("the link to Redis is gone, connecting again: %r", causes[0])
                    self._lost_at = asyncio.get_running_loop().time()
                self._queue(LINK_DOWN)
            finally:
                with contextlib.suppress(Exception):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
            # Of many processes that lose Redis together, not all come back at the same moment.
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, MAX_BACKOFF)

    async def _listen(self, pubsub: PubSub, confirmed: asyncio.Event) -> None:
        async for message in pubsub.listen():
            self._last_heard = asyncio.get_running_loop().time()
            if message["type"] == "subscribe":
                # Only now can no message be missed any more: what came before is read from the database.
                self._log_reconnection()
                confirmed.set()
                self._queue(LINK_UP)
            elif message["type"] == "message":
                self._queue(message["data"].decode(errors="replace"))
        raise ConnectionError("the subscription ended")

    def _log_reconnection(self) -> None:
        if self._lost_at is not None:
            away = asyncio.get_running_loop().time() - self._lost_at
            logger.warning("the link to Redis is up again, after %.0f seconds", away)
        self._lost_at = None

    async def _watch(self, pubsub: PubSub) -> None:
        """Find a server that is frozen, or a connection of which only our half is left."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PING_SECONDS)
            if loop.time() - self._last_heard > SILENCE_SECONDS:
                raise ConnectionError("no answer to a ping")
            await pubsub.ping()
