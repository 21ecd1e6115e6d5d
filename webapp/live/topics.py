"""
States of channels that follow topics: an item of each, read for all followers together when the topic changes.

A ring or news only mark what is due: one query then reads what all these channels have of all these topics, so that
nothing that came late, twice or not at all can stay wrong.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

from webapp.live.channel import FollowingChannel, StateChannel
from webapp.live.followers import Followers
from webapp.live.items import Item, Pair, TopicSource
from webapp.live.reader import Reader
from webapp.live.states import Due, StateRefresher

# The most that one pass takes. With so many items no further topic is taken: to send 5,000 takes a second or two, and a
# pass that can't end in time would begin again for ever.
MAX_TOPICS, MAX_ITEMS = 200, 5000
MAX_SINGLE_ITEMS = 1000
MAX_JOINS = 100
MAX_CHECKS = 2000
# Channels that are served, and topics that are compared, in one go; the event loop is free in between.
SLICE_SIZE = 250
YIELD_SECONDS = 0.02


class TopicStates:
    """The channels of one kind that follow topics; what is due for them is read in passes of the refresher."""

    def __init__(
        self,
        kind: str,
        source: TopicSource,
        refresher: StateRefresher,
        channels: Mapping[str, StateChannel],
        hear: Callable[[Collection[str]], Awaitable[bool]],
    ) -> None:
        self.followers = Followers()
        self._kind = kind
        self._source = source
        self._refresher = refresher
        self._channels = channels
        # Waits until the rings of these topics reach this process, and says whether it had to.
        self._hear = hear
        self.joining = Due[Reader](self._catch_up, MAX_JOINS, is_urgent=True)
        self.checks = Due[str](self._compare, MAX_CHECKS)
        self.topics = Due[str](self._read_topics, MAX_TOPICS, self._count_followers, MAX_ITEMS)
        self.items = Due[Pair](self._read_items, MAX_SINGLE_ITEMS)
        refresher.queues += [self.joining, self.checks, self.topics, self.items]

    def _channel(self, number: int) -> FollowingChannel | None:
        channel = self._channels.get(f"{self._kind}:{number}")
        return channel if isinstance(channel, FollowingChannel) else None

    def _count_followers(self, topic: str) -> int:
        return len(self.followers.of(topic))

    def join(self, reader: Reader) -> None:
        self._refresher.mark(self.joining, reader)

    def leave(self, reader: Reader, channel: FollowingChannel) -> None:
        self.joining.keys.pop(reader, None)
        if not channel.readers:
            self.followers.follow(channel, ())

    def mark_topic(self, topic: str) -> None:
        """Read what all followers have of the topic, if it has changed."""
        if topic in self.followers:
            self._refresher.mark(self.topics, topic)

    def mark_item(self, number: int, topic: str) -> None:
        """Read what an open channel has of the topic: it may follow it from now on, or no more."""
        if self._channel(number):
            self._refresher.mark(self.items, (number, topic))

    def restart(self, number: int) -> None:
        """Read again what the channel follows, and send its readers the whole of it."""
        if channel := self._channel(number):
            for reader in channel.readers:
                reader.digest = self._source.expired(reader.digest)
            self._refresher.mark(self.joining, *channel.readers)

    def restart_all(self) -> None:
        for channel in list(self._channels.values()):
            if channel.kind == self._kind:
                self.restart(channel.number)

    def reconcile(self) -> None:
        """Compare all that is followed here with the database."""
        self._refresher.mark(self.checks, *self.followers.topics)

    # Reading: what raises is tried again by the refresher.

    async def _catch_up(self, readers: list[Reader]) -> None:
        """Read what those who join follow, and send them what they lack."""
        numbers = {channel.number for channel in self._open(readers).values()}
        topics = await self._source.topics(numbers)
        new = set[str]().union(*topics.values()) - set(self.followers.topics)
        # Before the rest is read: what is marked from here on is read again, what came before stands in what is read.
        for channel in dict.fromkeys(self._open(readers).values()):
            self._restart_others(channel, topics[channel.number], readers)
            self.followers.follow(channel, topics[channel.number])
        try:
            await self._hear(new)
            self.followers.remember(new, await self._facts(new))
        except BaseException:
            self._refresher.mark(self.checks, *new)
            raise
        welcome = await self._source.welcome(list(self._open(readers)), topics, self.followers.facts)
        for reader in self._open(readers):
            for frame in welcome.frames[reader]:
                reader.put(frame)
            # The page shows something else now than it brought: should what follows fail, it is sent the whole.
            reader.digest = self._source.expired(reader.digest)
        for channel in self._open(readers).values():
            channel.top = None
        self._note_shown(readers, welcome.items)
        await self._delivered(welcome.items)

    def _restart_others(self, channel: FollowingChannel, topics: Collection[str], joining: Collection[Reader]) -> None:
        """Send the whole to pages that were open before, where the channel follows other topics than they show."""
        if channel.items.keys() != set(topics):
            others = channel.readers.difference(joining)
            for reader in others:
                reader.digest = self._source.expired(reader.digest)
            self._refresher.mark(self.joining, *others)

    def _open(self, readers: Iterable[Reader]) -> dict[Reader, FollowingChannel]:
        """Return those of the readers that have not left, with the channel of each."""
        found = {}
        for reader in readers:
            channel = self._channel(reader.number(self._kind) or 0)
            if channel and reader in channel.readers:
                found[reader] = channel
        return found

    def _note_shown(self, joined: Collection[Reader], items: Iterable[Item]) -> None:
        """Remember the looks of the items that the channels' pages show now, where they are the same on all of them."""
        channels = set(self._open(joined).values())
        is_known = {
            channel.number: channel.readers <= set(joined)
            and all(self._source.is_whole(reader.digest) for reader in channel.readers)
            for channel in channels
        }
        for item in items:
            channel = self._channel(item.number)
            if channel and item.topic in channel.items:
                is_same = is_known.get(item.number) or channel.items[item.topic] == item.looks
                channel.items[item.topic] = item.looks if is_same else None

    async def _facts(self, topics: Collection[str]) -> Mapping[str, object]:
        found: dict[str, object] = {}
        ordered = list(topics)
        for start in range(0, len(ordered), SLICE_SIZE):
            if start:
                await asyncio.sleep(YIELD_SECONDS)
            found |= await self._source.facts(ordered[start : start + SLICE_SIZE])
        return found

    async def _compare(self, topics: list[str]) -> None:
        """Mark the topics that have changed without a ring, or whose ring was lost."""
        found = await self._facts([topic for topic in topics if topic in self.followers])
        for topic in topics:
            if topic in self.followers and self.followers.has_changed(topic, found):
                self.mark_topic(topic)

    async def _read_topics(self, topics: list[str]) -> None:
        found = await self._facts([topic for topic in topics if topic in self.followers])
        changed = [topic for topic in topics if self.followers.has_changed(topic, found)]
        await self._deliver(
            [(channel.number, topic) for topic in changed for channel in self.followers.of(topic)], found
        )
        self.followers.remember(changed, found)

    async def _read_items(self, pairs: list[Pair]) -> None:
        await self._deliver(pairs, {})

    async def _deliver(self, pairs: Collection[Pair], found: Mapping[str, object]) -> None:
        """Read the items, send each where it is not shown yet, and take away those that are no more."""
        items = await self._source.items(pairs, self.followers.facts, found)
        new = {item.topic for item in items if item.topic not in self.followers}
        for count, item in enumerate(items):
            if count % SLICE_SIZE == SLICE_SIZE - 1:
                await asyncio.sleep(YIELD_SECONDS)
            if channel := self._channel(item.number):
                self._put(item, channel)
        there = {(item.number, item.topic) for item in items}
        for number, topic in [pair for pair in pairs if pair not in there]:
            if (channel := self._channel(number)) and topic in channel.items:
                self._remove(topic, channel)
        if await self._hear(new):
            self._refresher.mark(self.checks, *new)
        await self._delivered(items)

    def _put(self, item: Item, channel: FollowingChannel) -> None:
        if is_new := item.topic not in channel.items:
            if item.looks is None:
                return
            self.followers.add(channel, item.topic)
        if item.looks is not None and channel.items[item.topic] == item.looks:
            return
        channel.items[item.topic] = item.looks
        top, channel.top = channel.top, None  # unknown, should a frame fail
        is_on_top = item.still is not None and top == (item.topic, item.still)
        for reader in channel.readers:
            if item.state in reader.states:
                reader.put(item.frame(reader, is_new, is_on_top))
        is_top = is_new or item.moves or (top is not None and top[0] == item.topic)
        channel.top = (item.topic, item.still) if is_top else top

    def _remove(self, topic: str, channel: FollowingChannel) -> None:
        self.followers.drop(channel, topic)
        if removal := self._source.removal(topic):
            for reader in channel.readers:
                reader.put(removal)

    async def _delivered(self, items: Sequence[Item]) -> None:
        await self._source.delivered([item for item in items if self._channel(item.number)])
