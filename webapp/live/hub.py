"""The hub, one per process: it hears rings, and knows which channels are open and who reads them."""

import asyncio
import contextlib
import json
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any

from broadcaster import Broadcast
from broadcaster._backends.base import BroadcastBackend

from webapp.core.tasks import cancel_and_wait
from webapp.live.admission import ReconnectStorm
from webapp.live.bridge import Bridge
from webapp.live.channel import Channel
from webapp.live.counters import Counters
from webapp.live.frames import KEEP_ALIVE
from webapp.live.providers import Providers
from webapp.live.reader import Reader, deliver

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0
POLL_SECONDS = 1.5
KEEP_ALIVE_SECONDS = 20.0
# How many channels one query asks about.
CHANNEL_BATCH_SIZE = 500


class Hub:
    """Every committed change of a channel reaches every reader of it, in the order of the versions, once."""

    def __init__(self, providers: Providers) -> None:
        self.providers = providers
        self.counts = Counters()
        self.crowd = ReconnectStorm()
        self.channels: dict[int, Channel] = {}
        self._open: set[Reader] = set()
        # By label, so that the streams of one session are found without a look at all the others.
        self._labelled: defaultdict[tuple[str, int], set[Reader]] = defaultdict(set)
        self.is_connected = True
        self._is_running = False
        self._tasks: set[asyncio.Future[object]] = set()
        self._bridge = Bridge(self._hear, self._notice, self.counts)
        self._must_check = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self, backend: BroadcastBackend, name: str) -> AsyncIterator[None]:
        """Listen, publish and keep watch until the block ends. `name` tells this installation from others."""
        self.is_connected = self._is_running = True
        self._bridge = Bridge(self._hear, self._notice, self.counts)
        self._must_check = asyncio.Event()
        self.crowd = ReconnectStorm()
        async with Broadcast(backend=backend) as broadcast:
            self.spawn(self._bridge.listen(broadcast, name))
            self.spawn(self._bridge.publish(broadcast, name))
            self.spawn(self._watch())
            self.spawn(self._keep_alive())
            try:
                yield
            finally:
                await self._bridge.flush(broadcast, name)
                await self._stop()

    def spawn(self, work: Coroutine[object, object, object]) -> None:
        """Run something that the hub owns, and that ends with it at the latest."""
        if not self._is_running:
            work.close()
            return
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Future[object]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("a task of the live engine ended", exc_info=error)

    async def _stop(self) -> None:
        self._is_running = False
        while tasks := set(self._tasks):
            await cancel_and_wait(tasks)
        self.channels.clear()
        self._open.clear()
        self._labelled.clear()

    # Readers.

    def join(self, reader: Reader) -> None:
        """Let the reader hear everything after its cursor; one without a channel hears what is meant for it alone."""
        self._open.add(reader)
        self.crowd.record()
        if reader.channel is not None:
            channel = self.channels.get(reader.channel)
            if channel is None:
                channel = self.channels[reader.channel] = Channel(
                    reader.channel, self.providers, self.spawn, self.counts, self.crowd
                )
            channel.join(reader)
        self.counts.streams += 1
        for label in reader.labels.items():
            self._labelled[label].add(reader)

    def leave(self, reader: Reader) -> None:
        self._open.discard(reader)
        reader.outbox.close()
        for label in reader.labels.items():
            self._labelled[label].discard(reader)
            if not self._labelled[label]:
                del self._labelled[label]
        self.counts.overruns += reader.outbox.is_overrun
        if reader.channel is not None and (channel := self.channels.get(reader.channel)):
            channel.leave(reader)
            if channel.is_empty:
                del self.channels[reader.channel]

    def readers(self, **labels: int) -> list[Reader]:
        """The open readers that carry all of these labels, the oldest first."""
        if labels:
            found = set.intersection(*(self._labelled.get(label, set()) for label in labels.items()))
        else:
            found = self._open
        return sorted(found, key=lambda reader: reader.since)

    def close_stream(self, reader: Reader, reason: str) -> None:
        """Say goodbye to one reader and close its stream."""
        reader.outbox.close(self.providers.last_frame(reader, reason))

    # Rings.

    def publish_version(self, number: int, version: int) -> None:
        """The log of the channel has reached the version: tell this process at once, and the others."""
        self.counts.changes += 1
        self._hear_version(number, version)
        self._bridge.send(f"{number} {version}", f"v{number}")

    def refresh(self, number: int, kind: str) -> None:
        """A state of the channel may have changed: tell this process at once, and the others."""
        self._hear_state(number, kind)
        self._bridge.send(f"{number} {kind}", f"{kind}{number}")

    def broadcast(self, kind: str, **facts: int | str) -> None:
        """Tell every process something of which nothing is stored: it is worth nothing when it comes late."""
        self.providers.news[kind](**facts)
        self._bridge.send(json.dumps({"news": kind, **facts}))

    def broadcast_reliably(self, kind: str, **facts: int | str) -> None:
        """Tell every process that something stored has changed: while the link is away, what it tells is kept."""
        self.providers.news[kind](**facts)
        text = json.dumps({"news": kind, **facts})
        self._bridge.send(text, text)

    def refresh_local(self, number: int, kind: str) -> None:
        """Show the readers that this process has of a channel a state that changed here."""
        self._hear_state(number, kind)

    def close_streams(self, reason: str, **labels: int) -> None:
        """End the streams that carry these labels, in every process: their right has ended."""
        self._dismiss(reason, labels)
        text = json.dumps(labels)
        self._bridge.send(text, text)

    def _hear(self, text: str) -> None:
        try:
            if text.startswith("{"):
                self._hear_message(json.loads(text))
                return
            number, _, what = text.partition(" ")
            if what.isdigit():
                self._hear_version(int(number), int(what))
            else:
                self._hear_state(int(number), what)
        except (ValueError, KeyError, TypeError, AttributeError):
            logger.warning("a ring could not be read: %.80r", text)

    def _hear_message(self, message: dict[str, Any]) -> None:
        if kind := message.pop("news", None):
            self.providers.news[kind](**message)
        else:
            self.spawn(self._recheck(message))

    def _hear_version(self, number: int, version: int) -> None:
        for hear in self.providers.on_version:
            hear(number)
        if channel := self.channels.get(number):
            channel.announce(version)

    def _hear_state(self, number: int, kind: str) -> None:
        if kind in self.providers.states and (channel := self.channels.get(number)):
            channel.refresh(kind)

    def _dismiss(self, reason: str, labels: Mapping[str, int]) -> None:
        for reader in self.readers(**labels):
            self.close_stream(reader, reason)

    async def _recheck(self, labels: dict[str, int]) -> None:
        """Another process has ended these rights. It may have been a while ago, so the database is asked."""
        try:
            readers = self.readers(**labels)
            await self._check(sorted({reader.channel for reader in readers if reader.channel is not None}))
            await self._end_rights(readers)
        except Exception as error:
            self._failed("rights that ended elsewhere could not be read", error)
            self._must_check.set()

    def _notice(self, is_linked: bool) -> None:
        """The link to the other processes broke, or is back: rings may have been missed."""
        self.counts.links_lost += self.is_connected and not is_linked
        self.is_connected = is_linked
        self._must_check.set()

    def _failed(self, what: str, error: Exception) -> None:
        self.counts.read_failures += 1
        self.providers.on_failure(what, error)

    # Keeping watch.

    async def _watch(self) -> None:
        """Find what no ring told: at every heartbeat, and often while the other processes can't be heard."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS if self.is_connected else POLL_SECONDS):
                    await self._must_check.wait()
            self._must_check.clear()
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self.reconcile()
            except Exception as error:
                self._failed("the heartbeat could not read the database", error)
                self._must_check.set()
                await asyncio.sleep(POLL_SECONDS)

    async def reconcile(self) -> None:
        """Compare every open channel, its states and the rights of its readers with the database."""
        for look in self.providers.on_heartbeat:
            look()
        numbers = list(self.channels)
        for start in range(0, len(numbers), CHANNEL_BATCH_SIZE):
            await self._check(numbers[start : start + CHANNEL_BATCH_SIZE])
        await self._end_rights(self.readers())

    async def _end_rights(self, readers: list[Reader]) -> None:
        for reader, reason in await self.providers.check_access(readers):
            self.close_stream(reader, reason)

    async def _check(self, numbers: list[int]) -> None:
        versions = await self.providers.read_versions(numbers)
        for number in numbers:
            if number in versions:
                self._count_lost(number, versions[number])
                self._hear_version(number, versions[number])
            else:
                self._dismiss("gone", {"channel": number})
        for kind, read in self.providers.states.items():
            begun = asyncio.get_running_loop().time()
            for number, frame in (await read(numbers)).items():
                if channel := self.channels.get(number):
                    channel.set_state(kind, frame, begun)

    def _count_lost(self, number: int, version: int) -> None:
        """A version that nobody rang; a ring that is on its way at this moment counts as well."""
        if self.is_connected and (channel := self.channels.get(number)) and channel.is_unannounced(version):
            self.counts.rings_lost += 1

    async def _keep_alive(self) -> None:
        """A sign of life to every idle stream, so that nothing in between takes it for dead."""
        while True:
            await asyncio.sleep(KEEP_ALIVE_SECONDS)
            await deliver((reader for reader in self.readers() if reader.outbox.is_empty), KEEP_ALIVE)
