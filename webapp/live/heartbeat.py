"""The heartbeat of the hub: it compares what is open in this process with the database, whatever rings have said."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

from webapp.live.channel import LogChannel, StateChannel
from webapp.live.channel_states import CHANNEL_BATCH_SIZE, ChannelStates
from webapp.live.counters import Counters
from webapp.live.ending import Ending
from webapp.live.providers import Providers
from webapp.live.reader import Reader
from webapp.live.topics import TopicStates

HEARTBEAT_SECONDS = 15.0
POLL_SECONDS = 1.5


class Compared(Protocol):
    """What the heartbeat compares with the database: the hub."""

    providers: Providers
    counts: Counters
    channels: dict[str, StateChannel]
    states: ChannelStates
    following: dict[str, TopicStates]
    is_connected: bool

    def readers(self, channel: str = "", **labels: int) -> list[Reader]: ...
    def announce(self, name: str, version: int) -> None: ...
    def close_stream(self, reader: Reader, ending: Ending) -> None: ...
    def failed(self, what: str, error: Exception) -> None: ...


class Heartbeat:
    """Finds changes that no ring announced, and rights that have ended, of the channels and readers of the hub."""

    def __init__(self, hub: Compared) -> None:
        self._hub = hub
        self._must_check = asyncio.Event()
        # How often the link was lost when all channels that follow topics were last read as a whole.
        self._restarts = 0

    async def run(self) -> None:
        """Compare every HEARTBEAT_SECONDS, every POLL_SECONDS while Redis is down, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS if self._hub.is_connected else POLL_SECONDS):
                    await self._must_check.wait()
            self._must_check.clear()
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self.reconcile()
            except Exception as error:
                self._hub.failed("the heartbeat could not read the database", error)
                self.check_soon()
                await asyncio.sleep(POLL_SECONDS)

    def check_soon(self) -> None:
        """Compare everything with the database at once, not only at the next heartbeat."""
        self._must_check.set()

    async def reconcile(self) -> None:
        """Compare every open channel, its states and the rights of its readers with the database."""
        self.reconcile_topics()
        names = list(self._hub.channels)
        doubted = [(log.tail, log.tail.doubts.copy()) for log in self._logs(names)]
        for start in range(0, len(names), CHANNEL_BATCH_SIZE):
            await self._check(names[start : start + CHANNEL_BATCH_SIZE])
        await self.end_rights(self._hub.readers())
        for tail, doubts in doubted:
            tail.doubts -= doubts

    def reconcile_topics(self) -> None:
        lost = self._hub.counts.links_lost
        for following in self._hub.following.values():
            following.reconcile()
            if self._hub.is_connected and lost != self._restarts:
                following.restart_all()
        if self._hub.is_connected:
            self._restarts = lost

    async def recheck(self, channel: str, labels: dict[str, int]) -> None:
        """Another process has ended these rights. It may have been a while ago, so the database is asked."""
        readers, doubt = self._hub.readers(channel, **labels), object()
        names = sorted({name for reader in readers for name in reader.channels})
        for log in (logs := self._logs(names)):
            log.tail.doubts.add(doubt)
        try:
            await self._check(names)
            await self.end_rights(readers)
            for log in logs:
                log.tail.doubts.discard(doubt)
        except Exception as error:
            self._hub.failed("rights that ended elsewhere could not be read", error)
            self.check_soon()

    async def end_rights(self, readers: list[Reader]) -> None:
        """Close the streams of those of the readers whose right has ended."""
        for reader, ending in await self._hub.providers.check_access(readers):
            self._hub.close_stream(reader, ending)

    def _logs(self, names: Iterable[str]) -> list[LogChannel]:
        return [channel for name in names if isinstance(channel := self._hub.channels.get(name), LogChannel)]

    async def _check(self, names: list[str]) -> None:
        """Compare these channels and their states with the database."""
        by_kind: defaultdict[str, list[int]] = defaultdict(list)
        for channel in self._logs(names):
            by_kind[channel.kind].append(channel.number)
        for kind, numbers in by_kind.items():
            await self._check_versions(kind, numbers)
            for state in self._hub.providers.states.get(kind, ()):
                await self._hub.states.read(kind, state, numbers)

    async def _check_versions(self, kind: str, numbers: list[int]) -> None:
        log = self._hub.providers.logs[kind]
        versions = await log.versions(numbers)
        for number in numbers:
            name = f"{kind}:{number}"
            if number in versions:
                self._count_lost(name, versions[number])
                self._hub.announce(name, versions[number])
            else:
                for reader in self._hub.readers(name):
                    self._hub.close_stream(reader, log.deleted)

    def _count_lost(self, name: str, version: int) -> None:
        """Count a version that no ring announced; one whose ring is on its way at this moment counts as well."""
        channel = self._hub.channels.get(name)
        if self._hub.is_connected and isinstance(channel, LogChannel) and channel.is_unannounced(version):
            self._hub.counts.rings_lost += 1
