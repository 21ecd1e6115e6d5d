"""Items: what a channel has of a topic ("user:7" of "room:12"), and how a domain reads them."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from webapp.live.frames import Payload
from webapp.live.reader import Reader

# The number of a channel, and a topic.
Pair = tuple[int, str]


class Item:
    """
    What a channel has of a topic. Of two with the same `looks` the second is not sent.

    One without `looks` is the same for all followers of the topic: it is sent to those alone.
    """

    __slots__ = ("looks", "number", "topic")
    # The state that it is part of.
    state = ""
    # Whether it goes to the top of what pages show.
    moves = False
    # A hash of what seldom changes of it; None where it is always sent whole.
    still: int | None = None

    def __init__(self, number: int, topic: str, looks: int | None) -> None:
        self.number = number
        self.topic = topic
        self.looks = looks

    def frame(self, reader: Reader, is_new: bool, is_on_top: bool) -> Payload:
        """
        Return it as the reader's page shows it; `is_new` where the channel did not follow the topic before.

        Where it `is_on_top` of every page of the channel, with the same `still`, the rest of it suffices.
        """
        raise NotImplementedError


class Welcome(NamedTuple):
    """What readers are sent that have joined, and the items that their pages show then."""

    frames: Mapping[Reader, Sequence[Payload]]
    items: Sequence[Item]


class TopicSource(Protocol):
    """How the items of channels of one kind are read."""

    async def topics(self, numbers: Collection[int]) -> Mapping[int, Collection[str]]:
        """Return what each of these channels follows."""

    async def facts(self, topics: Collection[str]) -> Mapping[str, object]:
        """Return of each topic all that makes a difference to any follower; one that is missing has been deleted."""

    async def welcome(
        self, readers: Collection[Reader], topics: Mapping[int, Collection[str]], sent: Mapping[str, object]
    ) -> Welcome:
        """Return what these readers lack by their digests, where followers of the topics were sent these facts."""

    async def items(
        self, pairs: Collection[Pair], sent: Mapping[str, object], found: Mapping[str, object]
    ) -> Sequence[Item]:
        """Return what there is of these pairs, by the facts that were sent and those that have been found now."""

    async def delivered(self, items: Sequence[Item]) -> None:
        """These items have been sent to open pages."""

    def removal(self, topic: str) -> Payload | None:
        """Return what a page is sent that has an item no more."""

    def is_whole(self, digest: str) -> bool:
        """Return whether a page that brought this digest shows all items, and not some of them."""

    def expired(self, digest: str) -> str:
        """Return the digest for a page that holds nothing of what it held."""
