"""
A backend for broadcaster on Redis that outlives the loss of Redis.

With another version of broadcaster its own backend is used: it ends for ever when its connection breaks, and then
what other processes changed is found by the heartbeat.
"""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from broadcaster import Broadcast, Event
from redis import asyncio as redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from webapp.core.tasks import cancel_and_wait
from webapp.live.bridge import LINK_DOWN, LINK_UP
from webapp.live.shards import ALL, Batch, ShardedBackend, ShardedBroadcast

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

# Publishes to the shards that another process listens to: a listener that comes a moment later reads the database.
# Processes of the version before listen to the channel of the installation alone, those of this one to that of ALL as
# well, by the same command: while the first has more listeners, everything goes there, to all.
# Given: these two, one that our own connection alone listens to, and the sender; then of each shard the channel,
# whether our connection listens to it, and the text.
PUBLISH = """
local function listeners(channel) return redis.call('PUBSUB', 'NUMSUB', channel)[2] end
if listeners(ARGV[1]) > listeners(ARGV[2]) then
  local texts = {ARGV[4]}
  for i = 5, #ARGV, 3 do texts[#texts + 1] = ARGV[i + 2] end
  return redis.call('PUBLISH', ARGV[1], table.concat(texts, '\\n'))
end
local ours = listeners(ARGV[3])
for i = 5, #ARGV, 3 do
  if listeners(ARGV[i]) > ours * tonumber(ARGV[i + 1]) then
    redis.call('PUBLISH', ARGV[i], ARGV[4] .. '\\n' .. ARGV[i + 2])
  end
end
"""


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
    return ShardedBroadcast(RedisBackend(url))


class RedisBackend(ShardedBackend):
    """
    One supervised connection that listens to the shards, one pool that publishes.

    broadcaster's own backend ends for ever when its connection breaks, and loses listeners that join at the
    same moment. Here one task owns the connection: it connects again for as long as it takes.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        # redis-py's default socket_timeout sends through wait_for, which may swallow a cancellation: none here.
        options: dict[str, Any] = {"socket_timeout": None, "socket_connect_timeout": CONNECT_SECONDS}
        self._listening = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **options)
        self._publishing = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 1), **options)
        self._publish = self._publishing.register_script(PUBLISH)
        self._received: asyncio.Queue[Event] = asyncio.Queue(MAX_QUEUED)
        self._channel = ""
        # To which this connection listens, and no other.
        self._own_channel = ""
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

    async def ring(self, texts: Mapping[str, str]) -> None:
        arguments: list[str | int] = [self._channel, self._name(ALL), self._own_channel, self.name]
        for shard, text in texts.items():
            arguments += self._name(shard), int(self.subscriptions.surely_hears(shard)), text
        async with asyncio.timeout(PUBLISH_SECONDS):
            await self._publish(args=arguments)

    def _name(self, shard: str) -> str:
        return f"{self._channel}:{shard}"

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
                first = await self._begin(pubsub)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._listen(pubsub))
                    tasks.create_task(self._watch(pubsub))
                    tasks.create_task(self._follow(pubsub))
                    await asyncio.shield(first.heard)
                    # Only now can no message be missed any more: what came before is read from the database.
                    self._log_reconnection()
                    self._queue(LINK_UP)
                    is_up, pause = True, MIN_BACKOFF
            except Exception as error:  # whatever it is, the answer is to connect again
                cause = getattr(error, "exceptions", [error])[0]
                if is_up or pause == MIN_BACKOFF:
                    # Its own representation lacks the reason; neither has the password.
                    logger.warning("the link to Redis is gone, connecting again: %s", str(cause) or repr(cause))
                    self._lost_at = asyncio.get_running_loop().time()
                self.subscriptions.lose()
                self._queue(LINK_DOWN)
            finally:
                with contextlib.suppress(Exception):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
            # Of many processes that lose Redis together, not all come back at the same moment.
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, MAX_BACKOFF)

    async def _begin(self, pubsub: PubSub) -> Batch:
        self._own_channel = f"{self._channel}:{secrets.token_hex(4)}"
        first = self.subscriptions.begin()
        async with asyncio.timeout(CONNECT_SECONDS):
            await pubsub.subscribe(self._channel, self._own_channel, *map(self._name, first.shards))
        self._last_heard = asyncio.get_running_loop().time()
        return first

    async def _follow(self, pubsub: PubSub) -> None:
        while True:
            leaving, joining = await self.subscriptions.changes()
            if leaving:
                await pubsub.unsubscribe(*map(self._name, leaving))
            if joining:
                await pubsub.subscribe(*map(self._name, joining))

    async def _listen(self, pubsub: PubSub) -> None:
        loop, start, own = asyncio.get_running_loop(), len(self._channel) + 1, f"{self.name}\n".encode()
        while True:
            # As it comes, so that a message of ours is not even decoded.
            kind, *facts = await pubsub.parse_response()
            self._last_heard = loop.time()
            if kind == b"subscribe":
                self.subscriptions.confirm(facts[0].decode()[start:])
            elif kind == b"message" and not facts[1].startswith(own):
                self._queue(facts[1].decode(errors="replace"))

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
            asked_at = self.subscriptions.unconfirmed_since()
            if asked_at is not None and loop.time() - asked_at > SILENCE_SECONDS:
                raise ConnectionError("a subscription is not confirmed")
            await pubsub.ping()
