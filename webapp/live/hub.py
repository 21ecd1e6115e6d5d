"""The hub, one per process: it follows rings, and holds the open channels and their readers."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping, Set

from broadcaster import Broadcast

from webapp import settings
from webapp.core.tasks import cancel_and_wait
from webapp.live import rings, states
from webapp.live.admission import ReconnectStorm
from webapp.live.bridge import Bridge
from webapp.live.channel import FollowingChannel, LogChannel, StateChannel
from webapp.live.channel_states import ChannelStates
from webapp.live.counters import Counters
from webapp.live.ending import Ending
from webapp.live.heartbeat import Heartbeat
from webapp.live.providers import Providers
from webapp.live.reader import Reader, keep_alive
from webapp.live.rings import EndingRing, NewsRing, StateRing, VersionRing
from webapp.live.states import StateRefresher
from webapp.live.tail import Row
from webapp.live.topics import TopicStates

logger = logging.getLogger(__name__)


class Hub:
    """Every committed change of a channel reaches every reader of it, in the order of the versions, once."""

    def __init__(self, providers: Providers) -> None:
        self.providers = providers
        self.counts = Counters()
        self.storm = ReconnectStorm()
        self.channels: dict[str, StateChannel] = {}
        self.states = ChannelStates(self.channels, lambda: self.providers, self.spawn, self.storm, self.failed)
        self.bulk = StateRefresher(states.BULK, self.storm, self.failed)
        self.following = {
            kind: TopicStates(kind, source, self.bulk, self.channels, self.hear)
            for kind, source in providers.topics.items()
        }
        self._open: set[Reader] = set()
        # By label, to find the streams of one session among thousands.
        self._labelled: defaultdict[tuple[str, int], set[Reader]] = defaultdict(set)
        self.is_connected = True
        self._is_running = False
        self._tasks: set[asyncio.Future[object]] = set()
        self.bridge = Bridge(self._on_ring, self._on_link, self.counts)
        self.heartbeat = Heartbeat(self)

    @contextlib.asynccontextmanager
    async def running(self, broadcast: Broadcast, name: str) -> AsyncIterator[None]:
        """Listen, publish and poll until the block ends; `name` is that of the installation."""
        self.is_connected = self._is_running = True
        self.bridge = Bridge(self._on_ring, self._on_link, self.counts)
        self.bridge.attach(broadcast)
        self.heartbeat = Heartbeat(self)
        async with broadcast:
            self.spawn(self.bridge.listen(broadcast, name))
            self.spawn(self.bridge.publish(broadcast, name))
            self.spawn(self.bridge.tidy(self._followed))
            self.spawn(self.bulk.run())
            self.spawn(self.heartbeat.run())
            self.spawn(keep_alive(self.readers))
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
        self.states.clear()
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
                channel = LogChannel(name, self.providers, self.spawn, self.states.refresh, self.counts, self.storm)
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
        self.announce(channel, version, row)
        is_brought = row and settings.REDIS_MESSAGES and self.bridge.is_shared
        if is_brought and (text := row if isinstance(row, str) else row.ring_text):
            self.bridge.send(rings.row_text(channel, version, text), channel=channel)
        self.bridge.send(rings.version_text(channel, version), f"v{channel}", channel)

    def refresh(self, channel: str, state: str) -> None:
        """Read a state of the channel that may have changed, here at once and in the other processes."""
        self.states.refresh(channel, state)
        self.bridge.send(rings.state_text(channel, state), f"{state}{channel}", channel)

    def refresh_local(self, channel: str, state: str) -> None:
        """Read a state of the channel that may have changed in this process alone."""
        self.states.refresh(channel, state)

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
            await self.heartbeat.end_rights(self.readers(channel))
        except Exception as error:
            self.failed("rights that may have ended could not be read", error)
            self.heartbeat.check_soon()

    def _on_ring(self, text: str) -> None:
        try:
            match rings.read(text):
                case VersionRing(channel, version, row):
                    self.announce(channel, version, row)
                case StateRing(channel, state):
                    self.states.refresh(channel, state)
                case NewsRing(kind, facts):
                    self.providers.news[kind](**facts)
                case EndingRing(channel, labels):
                    self.spawn(self.heartbeat.recheck(channel, labels))
        except (ValueError, KeyError, TypeError, AttributeError):
            logger.warning("a ring could not be read: %.80r", text)

    def announce(self, name: str, version: int, row: Row | str = "") -> None:
        """Read the channel's log up to the version, and its topic, in this process alone."""
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

    def _on_link(self, is_connected: bool) -> None:
        """The link to the other processes broke, or is back: rings may have been missed."""
        self.counts.links_lost += self.is_connected and not is_connected
        self.is_connected = is_connected
        self.heartbeat.check_soon()

    def failed(self, what: str, error: Exception) -> None:
        """Count and report a reading that failed, and is tried again."""
        self.counts.read_failures += 1
        self.providers.on_failure(what, error)
