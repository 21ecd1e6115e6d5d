"""The doorbell between processes: rings are sent in the background, and received while Redis can be reached."""

import asyncio
import contextlib
import logging
import secrets
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

from broadcaster import Broadcast

from webapp.live.counters import Counters
from webapp.live.shards import LocalBroadcast, ShardedBroadcast, Subscriptions, shard_of

logger = logging.getLogger(__name__)

# Received in the place of messages: the link broke; it is back, and anything may have been missed.
LINK_DOWN, LINK_UP = "\0lost", "\0back"

RETRY_SECONDS = 0.5
FLUSH_SECONDS = 1.0
# The first ring goes out at once; those that follow within this time go out joined.
JOIN_SECONDS = 0.005
# How often shards are looked for that no open page needs any more: longer than any publishing takes.
TIDY_SECONDS = 30.0
MAX_QUEUED = 10_000


class Bridge:
    """The rings of this process to the others, and theirs to this one: by shards, where the broadcaster has them."""

    def __init__(self, on_message: Callable[[str], None], on_link: Callable[[bool], None], counts: Counters) -> None:
        # By which we know our own rings when they come back: they were followed when they were sent.
        self.name = secrets.token_hex(4)
        self.on_message = on_message
        self.on_link = on_link
        self._counts = counts
        # By key, and those without one: the shard and the text of each.
        self.queued: dict[str, tuple[str, str]] = {}
        self._unkeyed: list[tuple[str, str]] = []
        self._has_queued = asyncio.Event()
        self._subscriptions: Subscriptions | None = None
        self._is_alone = False

    def attach(self, broadcast: Broadcast) -> None:
        self._is_alone = isinstance(broadcast, LocalBroadcast)
        if isinstance(broadcast, ShardedBroadcast):
            broadcast.sharded.name = self.name
            self._subscriptions = broadcast.sharded.subscriptions

    @property
    def is_shared(self) -> bool:
        """Whether there may be other processes, by shards."""
        return self._subscriptions is not None

    def follow(self, channels: Iterable[str]) -> asyncio.Future[None] | None:
        """Hear the rings of these channels; returns what is done when they are heard, None when they are already."""
        return self._subscriptions.follow({shard_of(channel) for channel in channels}) if self._subscriptions else None

    async def tidy(self, followed: Callable[[], Collection[str]]) -> None:
        """Leave the shards of channels that are not followed any more, until cancelled."""
        while self._subscriptions:
            await asyncio.sleep(TIDY_SECONDS)
            self._subscriptions.keep({shard_of(channel) for channel in followed()})

    def send(self, text: str, key: str = "", channel: str = "") -> None:
        """
        Send the text to the other processes that follow the channel, or to all, without waiting for it.

        Of several texts with one key only the latest is sent, so the queue is bounded by the number of rooms. A text
        without a key is dropped when it can't be sent.
        """
        if self._is_alone:
            return
        if key:
            self.queued.pop(key, None)
            self.queued[key] = shard_of(channel), text
            self._bound()
        elif len(self._unkeyed) < MAX_QUEUED:
            self._unkeyed.append((shard_of(channel), text))
        self._has_queued.set()

    def _bound(self) -> None:
        """Drop the oldest of too many: what they announced is read from the database when the link is back."""
        while len(self.queued) > MAX_QUEUED:
            del self.queued[next(iter(self.queued))]

    async def publish(self, broadcast: Broadcast, name: str) -> None:
        """Send what is queued, joined, until cancelled; what can't be sent is tried again after RETRY_SECONDS."""
        while True:
            await self._has_queued.wait()
            self._has_queued.clear()
            if not await self._send(broadcast, name):
                self._has_queued.set()
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(JOIN_SECONDS)

    async def flush(self, broadcast: Broadcast, name: str) -> None:
        """Send what is queued before the process ends, if it can be sent within FLUSH_SECONDS."""
        if self.queued:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._send(broadcast, name)

    async def _send(self, broadcast: Broadcast, name: str) -> bool:
        sending, self.queued = self.queued, {}
        passing, self._unkeyed = self._unkeyed, []
        try:
            await self._publish(broadcast, name, [*sending.values(), *passing])
        except Exception as error:  # whatever the client raises
            logger.debug("rings wait until they can be sent: %r", error)
            self._counts.publish_failures += 1
            self.queued = sending | self.queued
            self._bound()
            return False
        self._counts.rings_sent += len(sending) + len(passing)
        return True

    async def _publish(self, broadcast: Broadcast, name: str, rings: list[tuple[str, str]]) -> None:
        if not isinstance(broadcast, ShardedBroadcast):
            await broadcast.publish(name, "\n".join([self.name, *(text for _, text in rings)]))
            return
        joined = defaultdict[str, list[str]](list)
        for shard, text in rings:
            joined[shard].append(text)
        await broadcast.sharded.ring({shard: "\n".join(texts) for shard, texts in joined.items()})

    async def listen(self, broadcast: Broadcast, name: str) -> None:
        async with broadcast.subscribe(name) as events:
            while True:
                event = await events.get()
                if event.message in (LINK_DOWN, LINK_UP):
                    self.on_link(event.message == LINK_UP)
                    continue
                if event.message.startswith(f"{self.name}\n"):
                    continue
                for text in event.message.split("\n")[1:]:
                    self._counts.rings_heard += 1
                    self.on_message(text)
