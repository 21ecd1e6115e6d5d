"""Which channels follow a topic ("room:12", "person:9"), and what they were last sent of it."""

import sys
from collections.abc import Collection, Mapping

from webapp.live.channel import FollowingChannel

# The fact of a topic of which nothing was sent yet, and of one that is in the database no more.
UNKNOWN, DELETED = object(), object()


class Followers:
    """The topics of all channels of one kind; what is known of a topic goes with the last channel that follows it."""

    def __init__(self) -> None:
        self._channels: dict[str, dict[FollowingChannel, None]] = {}
        # Of topics, what was last sent of them: two facts that are equal look alike to every follower.
        self._facts: dict[str, object] = {}

    def __contains__(self, topic: str) -> bool:
        return topic in self._channels

    @property
    def topics(self) -> Collection[str]:
        return self._channels.keys()

    @property
    def facts(self) -> Mapping[str, object]:
        return self._facts

    def of(self, topic: str) -> Collection[FollowingChannel]:
        return self._channels.get(topic, ())

    def follow(self, channel: FollowingChannel, topics: Collection[str]) -> None:
        """From now on the channel follows these topics and no others."""
        followed = dict.fromkeys(topics)
        for topic in [topic for topic in channel.items if topic not in followed]:
            self.drop(channel, topic)
        for topic in followed:
            if topic not in channel.items:
                self.add(channel, topic)

    def add(self, channel: FollowingChannel, topic: str) -> None:
        topic = sys.intern(topic)
        self._channels.setdefault(topic, {})[channel] = None
        channel.items.setdefault(topic, None)

    def drop(self, channel: FollowingChannel, topic: str) -> None:
        channel.items.pop(topic, None)
        if channel.top and channel.top[0] == topic:
            channel.top = None
        followers = self._channels[topic]
        followers.pop(channel, None)
        if not followers:
            del self._channels[topic]
            self._facts.pop(topic, None)

    def has_changed(self, topic: str, found: Mapping[str, object]) -> bool:
        """Return whether what was found of a topic is not what its followers were sent."""
        return bool(found.get(topic, DELETED) != self._facts.get(topic, UNKNOWN))

    def remember(self, topics: Collection[str], found: Mapping[str, object]) -> None:
        """This has been sent of those of the topics that are still followed."""
        for topic in topics:
            if topic in self._channels:
                self._facts[topic] = found.get(topic, DELETED)
