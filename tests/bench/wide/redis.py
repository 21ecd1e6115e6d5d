"""A Redis that counts: it carries what is published to those of its connections that listen to the channel."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from broadcaster import Broadcast, Event

from tests.bench.wide.counts import Counts
from webapp.live.shards import ALL, ShardedBackend, ShardedBroadcast

CARRY_SECONDS = 0.0005


class Redis:
    def __init__(self, counts: Counts, is_whole: bool) -> None:
        """It `is_whole` where all processes listen that would: only then is it known that nobody else does."""
        self.counts, self.is_whole = counts, is_whole
        self.listeners: defaultdict[str, set[Wire]] = defaultdict(set)

    def publish(self, sender: "Wire", shard: str, text: str) -> None:
        listeners = self.listeners.get(shard, set())
        if self.is_whole and not listeners - {sender}:
            return
        if self.counts.is_on:
            self.counts.published[shard] += 1
            self.counts.bytes_in += len(text)
            self.counts.delivered[shard] += len(listeners)
            self.counts.bytes_out += len(listeners) * len(text)
        if listeners:
            asyncio.get_running_loop().call_later(CARRY_SECONDS, self._carry, tuple(listeners), text)

    @staticmethod
    def _carry(listeners: "tuple[Wire, ...]", text: str) -> None:
        for wire in listeners:
            wire.hear(text)


class Wire(ShardedBackend):
    """The connection of one process; one that is `deaf` publishes alone."""

    def __init__(self, redis: Redis, is_deaf: bool) -> None:
        super().__init__()
        self.redis, self.is_deaf = redis, is_deaf
        self.channel = ""
        self._heard: asyncio.Queue[Event] = asyncio.Queue()
        self._following: asyncio.Task[None] | None = None

    async def connect(self) -> None: ...
    async def disconnect(self) -> None: ...
    async def unsubscribe(self, channel: str) -> None: ...

    async def subscribe(self, channel: str) -> None:
        self.channel = channel
        self._listen(self.subscriptions.begin().shards)
        self._following = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            leaving, joining = await self.subscriptions.changes()
            await asyncio.sleep(CARRY_SECONDS)
            for shard in leaving:
                self.redis.listeners[shard].discard(self)
            self._listen(joining)

    def _listen(self, shards: Any) -> None:
        for shard in list(shards):
            if not self.is_deaf:
                self.redis.listeners[shard].add(self)
            self.subscriptions.confirm(shard)

    async def publish(self, channel: str, message: Any) -> None:
        self.redis.publish(self, ALL, message)

    async def ring(self, texts: Mapping[str, str]) -> None:
        for shard, text in texts.items():
            self.redis.publish(self, shard, f"{self.name}\n{text}")

    async def next_published(self) -> Event:
        return await self._heard.get()

    def hear(self, text: str) -> None:
        if not text.startswith(self.name):
            self._heard.put_nowait(Event(self.channel, text))


def broadcast(redis: Redis, is_deaf: bool) -> Broadcast:
    return ShardedBroadcast(Wire(redis, is_deaf))
