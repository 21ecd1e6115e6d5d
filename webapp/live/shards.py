"""Shards: the rings of a room or a person reach only the processes with pages that show it."""

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import Collection, Mapping

from broadcaster import Broadcast
from broadcaster._backends.base import BroadcastBackend

# About as many as a large installation has rooms: with few shards every process would listen to nearly all of them.
SHARDS = 16_384
# The kinds of channels whose rings are of interest where they are open alone.
SHARDED = frozenset({"room", "user"})
# The shard of all others, to which every process listens.
ALL = "all"


def shard_of(channel: str) -> str:
    """Return the shard that carries the rings of a channel ("room:12"); without one, that of every process."""
    kind, _, number = channel.partition(":")
    return f"{kind}:{int(number) % SHARDS}" if kind in SHARDED else ALL


class Batch:
    """Shards that are subscribed to with one command, and the future that is done when they are confirmed."""

    def __init__(self) -> None:
        self.shards: set[str] = set()
        self.heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent_at = 0.0

    def finish(self) -> None:
        if not self.heard.done():
            self.heard.set_result(None)


class Subscriptions:
    """
    The shards that one connection listens to; a shard counts only when it is confirmed.

    What is read from the database after the confirmation lacks nothing: a ring is published after its commit, so one
    that came before the confirmation stands in what is read. While the link is down nothing waits for it: when it is
    back, everything is read.
    """

    def __init__(self) -> None:
        self.confirmed: set[str] = set()
        self._wanted: set[str] = set()
        # Confirmed, but followed by nothing at the last look.
        self._idle: set[str] = set()
        self._leaving: set[str] = set()
        self._collecting: Batch | None = None
        self._sent: deque[Batch] = deque()
        self._is_down = False
        self._has_changed = asyncio.Event()

    def follow(self, shards: Collection[str]) -> asyncio.Future[None] | None:
        """Listen to the shards; returns what is done once they are confirmed or the link is down, None if it is so."""
        if self.confirmed.issuperset(shards):
            return None
        if new := set(shards) - self._wanted:
            self._wanted |= new
            self._collect().shards |= new
        if self._is_down:
            return None
        return (self._collecting or self._sent[-1]).heard

    def _collect(self) -> Batch:
        self._collecting = self._collecting or Batch()
        self._has_changed.set()
        return self._collecting

    def keep(self, shards: Collection[str]) -> None:
        """Leave the shards that were not among these at this look and the one before."""
        leaving = self._idle.difference(shards)
        self.confirmed -= leaving
        self._wanted -= leaving
        self._leaving |= leaving
        self._idle = self.confirmed.difference(shards, {ALL})
        if leaving:
            self._has_changed.set()

    def surely_hears(self, shard: str) -> bool:
        """Return whether the connection, if it stands, listens to the shard now and for the next seconds."""
        return shard in self.confirmed and shard not in self._idle

    # For the connection.

    def begin(self) -> Batch:
        """Return what a new connection has to subscribe to; with its confirmation the link is up."""
        batch = self._collect()
        self._collecting = None
        self._wanted.add(ALL)
        batch.shards = set(self._wanted)
        self.confirmed.clear()
        self._idle.clear()
        self._leaving.clear()
        return self._send(batch)

    async def changes(self) -> tuple[Collection[str], Collection[str]]:
        """Wait for, and return, what to unsubscribe from and then what to subscribe to."""
        await self._has_changed.wait()
        self._has_changed.clear()
        leaving, self._leaving = self._leaving, set()
        batch, self._collecting = self._collecting, None
        return leaving, set(self._send(batch).shards) if batch else ()

    def _send(self, batch: Batch) -> Batch:
        batch.sent_at = asyncio.get_running_loop().time()
        self._sent.append(batch)
        return batch

    def confirm(self, shard: str) -> None:
        if shard in self._wanted:
            self.confirmed.add(shard)
        for batch in self._sent:
            batch.shards.discard(shard)
        while self._sent and not self._sent[0].shards:
            self._is_down = False
            self._sent.popleft().finish()

    def unconfirmed_since(self) -> float | None:
        """Return when the oldest subscription was sent that is not confirmed yet."""
        return self._sent[0].sent_at if self._sent else None

    def lose(self) -> None:
        """The link is down: nothing waits, and nothing counts."""
        self._is_down = True
        self.confirmed.clear()
        for batch in [*self._sent, *([self._collecting] if self._collecting else [])]:
            batch.finish()
        self._sent.clear()
        self._collecting = None


class ShardedBackend(BroadcastBackend):
    """A backend that carries rings by shard; all that it hears is an event of the one channel of the installation."""

    def __init__(self) -> None:
        # The first line of all that this process sends, by which it drops what it hears of itself.
        self.name = ""
        self.subscriptions = Subscriptions()

    @abstractmethod
    async def ring(self, texts: Mapping[str, str]) -> None:
        """Publish these texts, by shard, to the other processes that listen to them."""


class ShardedBroadcast(Broadcast):
    def __init__(self, backend: ShardedBackend) -> None:
        super().__init__(backend=backend)
        self.sharded = backend


class LocalBroadcast(Broadcast):
    """Where there is one process: it follows its own rings when they are sent, so that nothing is published."""

    def __init__(self) -> None:
        super().__init__("memory://")
