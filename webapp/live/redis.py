"""A broadcaster backend on Redis that outlives the loss of Redis."""

import asyncio
import contextlib
import logging
import random
from typing import Any

from broadcaster import Event
from broadcaster._backends.base import BroadcastBackend
from redis import asyncio as redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from webapp.core.tasks import cancel_and_wait
from webapp.live.bridge import LINK_DOWN, LINK_UP

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 2.0
PUBLISH_SECONDS = 2.0
# A server that is frozen must be noticed about as soon as one that is dead: until then rights that end go on.
PING_SECONDS = 1.0
SILENCE_SECONDS = 2.5
# What waits to be heard. The queue of broadcaster behind it is emptied at once, by Bell.listen, which never waits.
MOST_HEARD = 10_000
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


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
        self._heard: asyncio.Queue[Event] = asyncio.Queue(MOST_HEARD)
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
        return await self._heard.get()

    def _tell(self, message: str) -> None:
        if self._heard.full():
            # Whoever floods the channel: what was missed is found as after a break.
            while not self._heard.empty():
                self._heard.get_nowait()
            self._heard.put_nowait(Event(self._channel, LINK_DOWN))
            self._heard.put_nowait(Event(self._channel, LINK_UP))
        self._heard.put_nowait(Event(self._channel, message))

    async def _supervise(self) -> None:
        pause = SHORTEST_PAUSE
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
                    is_up, pause = True, SHORTEST_PAUSE
            except Exception as error:  # whatever it is, the answer is to connect again
                causes = getattr(error, "exceptions", [error])
                if is_up or pause == SHORTEST_PAUSE:
                    logger.warning("the link to Redis is gone, connecting again: %r", causes[0])
                    self._lost_at = asyncio.get_running_loop().time()
                self._tell(LINK_DOWN)
            finally:
                with contextlib.suppress(Exception):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
            # Of many processes that lose Redis together, not all come back at the same moment.
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _listen(self, pubsub: PubSub, confirmed: asyncio.Event) -> None:
        async for message in pubsub.listen():
            self._last_heard = asyncio.get_running_loop().time()
            if message["type"] == "subscribe":
                # Only now can no message be missed any more: what came before is read from the database.
                self._say_it_is_up()
                confirmed.set()
                self._tell(LINK_UP)
            elif message["type"] == "message":
                self._tell(message["data"].decode(errors="replace"))
        raise ConnectionError("the subscription ended")

    def _say_it_is_up(self) -> None:
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
