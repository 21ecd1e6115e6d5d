"""The hub, one per process: it follows rings, and holds the open channels and their readers."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Mapping, Set

from broadcaster import Broadcast

from webapp import settings
from webapp.core.tasks import cancel_and_wait
from webapp.live import rings, states
from webapp.live.admission import ReconnectStorm
from webapp.live.bridge import Bridge
from webapp.live.channel import FollowingChannel, LogChannel, StateChannel
from webapp.live.channel_states import CHANNEL_BATCH_SIZE, ChannelStates
from webapp.live.counters import Counters
from webapp.live.ending import Ending
from webapp.live.frames import KEEP_ALIVE
from webapp.live.providers import Providers
from webapp.live.reader import Reader, deliver
from webapp.live.rings import EndingRing, NewsRing, StateRing, VersionRing
from webapp.live.states import StateRefresher
from webapp.live.tail import Row
from webapp.live.topics import TopicStates

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0
POLL_SECONDS = 1.5
KEEP_ALIVE_SECONDS = 20.0


class Hub:
    """Every committed change of a channel reaches every reader of it, in the order of the versions, once."""

    def __init__(self, providers: Providers) -> None:
        self.providers = providers
        self.counts = Counters()
        self.storm = ReconnectStorm()
        self.channels: dict[str, StateChannel] = {}
        self._states = ChannelStates(self.channels, lambda: self.providers, self.spawn, self.storm, self._failed)
        self.bulk = StateRefresher(states.BULK, self.storm, self._failed)
        self.following = {
            kind: TopicStates(kind, source, self.bulk, self.channels, self.hear)
            for kind, source in providers.topics.items()
        }
        # How often the link was lost when all channels that follow topics were last read as a whole.
        self._restarts = 0
        self._open: set[Reader] = set()
        # By label, to find the streams of one session among thousands.
        self._labelled: defaultdict[tuple[str, int], set[Reader]] = defaultdict(set)
        self.is_connected = True
        self._is_running = False
        self._tasks: set[asyncio.Future[object]] = set()
        self.bridge = Bridge(self._on_ring, self._on_link, self.counts)
        self._must_check = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self, broadcast: Broadcast, name: str) -> AsyncIterator[None]:
        """Listen, publish and poll until the block ends; `name` is that of the installation."""
        self.is_connected = self._is_running = True
        self.bridge = Bridge(self._on_ring, self._on_link, self.counts)
        self.bridge.attach(broadcast)
        self._must_check = asyncio.Event()
        async with broadcast:
            self.spawn(self.bridge.listen(broadcast, name))
            self.spawn(self.bridge.publish(broadcast, name))
            self.spawn(self.bridge.tidy(self._followed))
            self.spawn(self.bulk.run())
            self.spawn(self._watch())
            self.spawn(self._keep_alive())
            try:
                yield
            finally:
                await self.bridge.flush(broadcast, name)
                await self._stop()

    @property
    def tasks(self) -> frozenset["asyncio.Future[object]"]:
        """The tasks that the hub owns and that have not ended."""
        return frozenset(self._tasks)

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
        self._states.clear()
        self._open.clear()
        self._labelled.clear()

    # Readers.

    def join(self, reader: Reader) -> None:
        """Send the reader everything after its cursor, and the states of its channels that it shows."""
        self._open.add(reader)
        self.storm.record()
        self.counts.streams += 1
        for label in reader.labels.items():
            self._labelled[label].add(reader)
        if heard := self.bridge.follow(reader.channels):
            heard.add_done_callback(lambda _: self._enter(reader))
        else:
            self._enter(reader)

    def _enter(self, reader: Reader) -> None:
        """Its channels are heard: what was missed before that is read now."""
        for name in reader.channels if reader in self._open else ():
            channel = self._channel(name)
            channel.join(reader)
            if isinstance(channel, FollowingChannel):
                self.following[channel.kind].join(reader)

    def _channel(self, name: str) -> StateChannel:
        if (channel := self.channels.get(name)) is None:
            kind = name.partition(":")[0]
            if kind in self.providers.logs:
                channel = LogChannel(name, self.providers, self.spawn, self._states.refresh, self.counts, self.storm)
            elif kind in self.following:
                channel = FollowingChannel(name)
            else:
                channel = StateChannel(name)
            self.channels[name] = channel
        return channel

    def leave(self, reader: Reader) -> None:
        self._open.discard(reader)
        reader.outbox.close()
        for label in reader.labels.items():
            self._labelled[label].discard(reader)
            if not self._labelled[label]:
                del self._labelled[label]
        self.counts.overruns += reader.outbox.is_overrun
        for name in reader.channels:
            if channel := self.channels.get(name):
                channel.leave(reader)
                if isinstance(channel, FollowingChannel):
                    self.following[channel.kind].leave(reader, channel)
                if not channel.present:
                    del self.channels[name]

    def readers(self, channel: str = "", **labels: int) -> list[Reader]:
        """Return the open readers of the channel that carry all of these labels, the oldest first."""
        found: Set[Reader] = self._open
        if channel:
            found = self.channels[channel].present if channel in self.channels else set()
        for label in labels.items():
            found = found & self._labelled.get(label, set())
        return sorted(found, key=lambda reader: reader.opened_at)

    def languages(self, channel: str) -> Set[str]:
        """Return the languages of the open pages of a channel with a log, each with its zone if it has one."""
        found = self.channels.get(channel)
        return found.languages if isinstance(found, LogChannel) else frozenset()

    @property
    def labels(self) -> Set[tuple[str, int]]:
        """The labels of all open readers."""
        return self._labelled.keys()

    def hears(self, channel: str) -> bool:
        """Return whether rings of the channel reach this process: else nothing of it may be remembered."""
        return self.is_connected and self.bridge.hears(channel)

    async def hear(self, channels: Collection[str]) -> bool:
        """Return when rings of these channels reach this process, or the link is down; and whether that took time."""
        if heard := self.bridge.follow(channels):
            await asyncio.shield(heard)
        return heard is not None

    def _followed(self) -> set[str]:
        channels = {name for reader in self._open for name in reader.channels}
        return channels.union(*(following.followers.topics for following in self.following.values()))

    def close_stream(self, reader: Reader, ending: Ending) -> None:
        """Close the stream of one reader with its last frame."""
        reader.outbox.close(self.providers.last_frame(reader, ending))

    # Rings.

    def publish_version(self, channel: str, version: int, row: Row | str = "") -> None:
        """
        Publish, here at once and to the other processes, that the channel's log has reached the version.

        `row` is all that this version has changed, where it can be shown from that (see LogSource).
        """
        self.counts.changes += 1
        self._announce(channel, version, row)
        is_brought = row and settings.REDIS_MESSAGES and self.bridge.is_shared
        if is_brought and (text := row if isinstance(row, str) else row.ring_text):
            self.bridge.send(rings.row_text(channel, version, text), channel=channel)
        self.bridge.send(rings.version_text(channel, version), f"v{channel}", channel)

    def refresh(self, channel: str, state: str) -> None:
        """Read a state of the channel that may have changed, here at once and in the other processes."""
        self._states.refresh(channel, state)
        self.bridge.send(rings.state_text(channel, state), f"{state}{channel}", channel)

    def refresh_local(self, channel: str, state: str) -> None:
        """Read a state of the channel that may have changed in this process alone."""
        self._states.refresh(channel, state)

    def broadcast(self, kind: str, **facts: int | str) -> None:
        """Send news of which nothing is stored to the processes concerned; while Redis is away, they are dropped."""
        self.providers.news[kind](**facts)
        self.bridge.send(rings.news_text(kind, facts), channel=self._concerned(kind, facts))

    def broadcast_reliably(self, kind: str, **facts: int | str) -> None:
        """Send news of what is stored to the processes concerned; while Redis is away, they wait."""
        self.providers.news[kind](**facts)
        text = rings.news_text(kind, facts)
        self.bridge.send(text, text, self._concerned(kind, facts))

    def _concerned(self, kind: str, facts: Mapping[str, int | str]) -> str:
        of = self.providers.concerns.get(kind)
        return f"{of}:{facts[of]}" if of else ""

    def close_streams(self, ending: Ending, channel: str = "", **labels: int) -> None:
        """End the streams of the channel that carry these labels, in every process: their right has ended."""
        for reader in self.readers(channel, **labels):
            self.close_stream(reader, ending)
        text = rings.ending_text(channel, labels)
        self.bridge.send(text, text)

    async def recheck_streams(self, channel: str) -> None:
        """
        End the streams of the channel whose right has ended, in every process: of many readers some may go on.

        In this one they have ended when it returns, so that what is published after that does not reach them.
        """
        text = rings.ending_text(channel, {})
        self.bridge.send(text, text)
        try:
            await self._end_rights(self.readers(channel))
        except Exception as error:
            self._failed("rights that may have ended could not be read", error)
            self.check_soon()

    def _on_ring(self, text: str) -> None:
        try:
            match rings.read(text):
                case VersionRing(channel, version, row):
                    self._announce(channel, version, row)
                case StateRing(channel, state):
                    self._states.refresh(channel, state)
                case NewsRing(kind, facts):
                    self.providers.news[kind](**facts)
                case EndingRing(channel, labels):
                    self.spawn(self._recheck(channel, labels))
        except (ValueError, KeyError, TypeError, AttributeError):
            logger.warning("a ring could not be read: %.80r", text)

    def _announce(self, name: str, version: int, row: Row | str = "") -> None:
        self.mark_topic(name)
        self.read_log(name, version, row)

    def read_log(self, name: str, version: int, row: Row | str = "") -> None:
        """Read the channel's log up to the version in this process alone; its topic has not changed."""
        if isinstance(channel := self.channels.get(name), LogChannel):
            channel.announce(version, row)

    # Topics: what channels hear of besides themselves. Other processes learn of them by rings and news of their own.

    def mark_topic(self, topic: str) -> None:
        """Read what the channels of this process have of a topic that may have changed."""
        for following in self.following.values():
            following.mark_topic(topic)

    def mark_item(self, channel: str, topic: str) -> None:
        """Read what the channel has of the topic, which may have changed for it alone."""
        kind, _, number = channel.partition(":")
        self.following[kind].mark_item(int(number), topic)

    def restart(self, channel: str) -> None:
        """Read again which topics the channel follows, and send its readers the whole of them."""
        kind, _, number = channel.partition(":")
        self.following[kind].restart(int(number))

    async def _recheck(self, channel: str, labels: dict[str, int]) -> None:
        """Another process has ended these rights. It may have been a while ago, so the database is asked."""
        readers, doubt = self.readers(channel, **labels), object()
        names = sorted({name for reader in readers for name in reader.channels})
        for log in (logs := self._logs(names)):
            log.tail.doubts.add(doubt)
        try:
            await self._check(names)
            await self._end_rights(readers)
            for log in logs:
                log.tail.doubts.discard(doubt)
        except Exception as error:
            self._failed("rights that ended elsewhere could not be read", error)
            self.check_soon()

    def _logs(self, names: Iterable[str]) -> list[LogChannel]:
        return [channel for name in names if isinstance(channel := self.channels.get(name), LogChannel)]

    def _on_link(self, is_connected: bool) -> None:
        """The link to the other processes broke, or is back: rings may have been missed."""
        self.counts.links_lost += self.is_connected and not is_connected
        self.is_connected = is_connected
        self.check_soon()

    def _failed(self, what: str, error: Exception) -> None:
        self.counts.read_failures += 1
        self.providers.on_failure(what, error)

    # Polling.

    async def _watch(self) -> None:
        """Poll for changes that no ring announced: every HEARTBEAT_SECONDS, every POLL_SECONDS while Redis is down."""
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
                self.check_soon()
                await asyncio.sleep(POLL_SECONDS)

    def check_soon(self) -> None:
        """Compare everything with the database at once, not only at the next heartbeat."""
        self._must_check.set()

    async def reconcile(self) -> None:
        """Compare every open channel, its states and the rights of its readers with the database."""
        self.reconcile_topics()
        names = list(self.channels)
        doubted = [(log.tail, log.tail.doubts.copy()) for log in self._logs(names)]
        for start in range(0, len(names), CHANNEL_BATCH_SIZE):
            await self._check(names[start : start + CHANNEL_BATCH_SIZE])
        await self._end_rights(self.readers())
        for tail, doubts in doubted:
            tail.doubts -= doubts

    def reconcile_topics(self) -> None:
        for following in self.following.values():
            following.reconcile()
            if self.is_connected and self.counts.links_lost != self._restarts:
                following.restart_all()
        if self.is_connected:
            self._restarts = self.counts.links_lost

    async def _end_rights(self, readers: list[Reader]) -> None:
        for reader, ending in await self.providers.check_access(readers):
            self.close_stream(reader, ending)

    async def _check(self, names: list[str]) -> None:
        """Compare these channels and their states with the database."""
        by_kind: defaultdict[str, list[int]] = defaultdict(list)
        for channel in self._logs(names):
            by_kind[channel.kind].append(channel.number)
        for kind, numbers in by_kind.items():
            await self._check_versions(kind, numbers)
            for state in self.providers.states.get(kind, ()):
                await self._states.read(kind, state, numbers)

    async def _check_versions(self, kind: str, numbers: list[int]) -> None:
        versions = await self.providers.logs[kind].versions(numbers)
        for number in numbers:
            name = f"{kind}:{number}"
            if number in versions:
                self._count_lost(name, versions[number])
                self._announce(name, versions[number])
            else:
                for reader in self.readers(name):
                    self.close_stream(reader, self.providers.logs[kind].deleted)

    def _count_lost(self, name: str, version: int) -> None:
        """Count a version that no ring announced; one whose ring is on its way at this moment counts as well."""
        channel = self.channels.get(name)
        if self.is_connected and isinstance(channel, LogChannel) and channel.is_unannounced(version):
            self.counts.rings_lost += 1

    async def _keep_alive(self) -> None:
        """Send a sign of life to every idle stream, so that no proxy takes it for dead."""
        while True:
            await asyncio.sleep(KEEP_ALIVE_SECONDS)
            await deliver((reader for reader in self.readers() if reader.outbox.is_empty), KEEP_ALIVE)
