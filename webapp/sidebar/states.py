"""The sidebar as a state of its person's channel: entries of rooms, and who of their friends is online."""

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence

from webapp.conversations.group_people import GroupPeople
from webapp.conversations.group_queries import groups_with
from webapp.conversations.models import Membership
from webapp.conversations.queries import rooms_by_user
from webapp.live import Payload, Reader, hub
from webapp.live.items import Item, Pair, Welcome
from webapp.live.providers import StreamWatcher
from webapp.relationships import queries as relationships
from webapp.sidebar.entries import CONTACTS_CHANGED, EntryFrames, online_frames, waiting_frame
from webapp.sidebar.fact_queries import PersonFact, RoomFact, person_facts, room_facts
from webapp.sidebar.inbox_news import entries_changed
from webapp.sidebar.queries import OLDER_PAGE, Waiting, entries_for, list_entries_by_user, waiting_counts
from webapp.sidebar.rows import EntryRow, contacts_digest, digest

# Sent instead of the digest of contacts: what that page shows of them is out of date.
STALE = "!"


class Entry(Item):
    """An entry as its person's pages show it."""

    __slots__ = ("_frames", "_is_renamed", "moves", "row", "still")
    state = "entries"

    def __init__(self, row: EntryRow, topic: str, frames: EntryFrames, moves: bool, is_renamed: bool) -> None:
        super().__init__(row.user_id, topic, hash(row.facts))
        self.row = row
        self.moves, self.still = moves, self.row.still
        self._frames = frames
        self._is_renamed = is_renamed

    def frame(self, reader: Reader, is_new: bool, is_on_top: bool) -> Payload:
        if is_on_top and reader.framing == "sse":
            return self._frames.line_frame(self.row, reader)
        return self._frames.entry_frame(self.row, reader, is_new or self.moves, self._is_renamed)


class Dot(Item):
    """Whether a friend is online: the same for the pages of all their friends."""

    __slots__ = ("_frame",)
    state = "online"

    def __init__(self, number: int, topic: str, frame: Payload) -> None:
        super().__init__(number, topic, None)
        self._frame = frame

    def frame(self, reader: Reader, is_new: bool, is_on_top: bool) -> Payload:
        return self._frame


class Sidebars:
    """What live/ asks of the sidebars of people with open pages: `user:7` follows their rooms and their friends."""

    def __init__(self) -> None:
        # In an endless document each form of an entry has a number of its own.
        self._sent = itertools.count(1)

    async def topics(self, numbers: Collection[int]) -> dict[int, set[str]]:
        rooms, friends = await rooms_by_user(numbers), await relationships.friend_ids_by_user(numbers)
        return {
            user: {f"room:{room}" for room in rooms[user]} | {f"person:{friend}" for friend in friends[user]}
            for user in numbers
        }

    async def facts(self, topics: Collection[str]) -> dict[str, object]:
        found: dict[str, object] = {}
        if rooms := _numbers(topics, "room"):
            found |= {f"room:{room}": fact for room, fact in (await room_facts(rooms)).items()}
        if people := _numbers(topics, "person"):
            found |= {f"person:{person}": fact for person, fact in (await person_facts(people)).items()}
        return found

    async def welcome(
        self, readers: Collection[Reader], topics: Mapping[int, Collection[str]], sent: Mapping[str, object]
    ) -> Welcome:
        users = {reader.labels["user"] for reader in readers}
        listed, waiting = await list_entries_by_user(users), await waiting_counts(users)
        shown = EntryFrames(self._sent)
        frames = {}
        for reader in readers:
            user = reader.labels["user"]
            contacts = contacts_digest(_online(topics[user], sent), waiting[user].requests)
            frames[reader] = list(_missing(reader, listed[user], contacts, waiting[user], shown))
        rows = [row for user in users for row in listed[user]]
        return Welcome(frames, [Entry(row, f"room:{row.room_id}", shown, False, False) for row in rows])

    async def items(
        self, pairs: Collection[Pair], sent: Mapping[str, object], found: Mapping[str, object]
    ) -> list[Item]:
        entries = await self._entries([pair for pair in pairs if pair[1].startswith("room:")], sent)
        return [*entries, *await _dots([pair for pair in pairs if pair[1].startswith("person:")], found)]

    async def _entries(self, pairs: Collection[Pair], sent: Mapping[str, object]) -> list[Item]:
        """The latest come last: put on top of a list one after the other, they stand in their order."""
        topics = {int(topic.removeprefix("room:")): topic for _, topic in pairs}
        rooms = {topic: room for room, topic in topics.items()}
        rows = await entries_for([(user, rooms[topic]) for user, topic in pairs]) if pairs else []
        shown = EntryFrames(self._sent)
        facts = {row.room_id: sent.get(topics[row.room_id]) for row in rows}
        return [
            Entry(
                row, topics[row.room_id], shown,
                moves=row.has_news_since(_last_number(facts[row.room_id])),
                is_renamed=row.kind.is_group and _group(facts[row.room_id]) != row.group,
            )
            for row in rows
        ]  # fmt: skip

    async def delivered(self, items: Sequence[Item]) -> None:
        """Mark what has come to open pages as delivered, and refresh the receipts of these chats, and open inboxes."""
        entries_changed({item.row.user_id for item in items if isinstance(item, Entry)})
        rows = [item.row for item in items if isinstance(item, Entry) and item.row.is_undelivered]
        if rows:
            await Membership.mark_delivered([row.membership_id for row in rows])
            for row in rows:
                hub().refresh(f"room:{row.room_id}", "receipts")

    def removal(self, topic: str) -> Payload | None:
        kind, _, number = topic.partition(":")
        return EntryFrames.removal_frame(int(number)) if kind == "room" else None

    def is_whole(self, digest: str) -> bool:
        return not digest.startswith(OLDER_PAGE)

    def expired(self, digest: str) -> str:
        return f"{OLDER_PAGE if digest.startswith(OLDER_PAGE) else ''}.{STALE}"


def _numbers(topics: Iterable[str], kind: str) -> list[int]:
    return [int(topic[len(kind) + 1 :]) for topic in topics if topic.startswith(f"{kind}:")]


def _missing(
    reader: Reader, listed: list[EntryRow], contacts: str, waiting: Waiting, shown: EntryFrames
) -> Iterable[Payload]:
    """What the page lacks by the digest that it brought: the list, the bar's counts, and its viewer's contacts."""
    of_entries, of_contacts, of_waiting = [*reader.digest.split("."), "", ""][:3]
    room = reader.number("room")
    if of_entries not in (OLDER_PAGE, digest(listed, room)):
        yield shown.list_frame(listed, room, reader.framing)
    if of_waiting != str(waiting):
        yield waiting_frame(waiting)
    if of_contacts not in ("", contacts):
        yield CONTACTS_CHANGED


def _online(topics: Collection[str], sent: Mapping[str, object]) -> list[int]:
    """Those of the friends who were last sent as being online."""
    return _numbers([topic for topic in topics if _is_online(sent.get(topic))], "person")


def _is_online(fact: object) -> bool:
    return isinstance(fact, PersonFact) and fact.is_online


def _last_number(fact: object) -> int | None:
    return fact.last_number if isinstance(fact, RoomFact) else None


def _group(fact: object) -> GroupPeople:
    return fact.group if isinstance(fact, RoomFact) else ()


async def _dots(pairs: Collection[Pair], found: Mapping[str, object]) -> list[Item]:
    people = {topic: int(topic.removeprefix("person:")) for _, topic in pairs}
    there = {person for topic, person in people.items() if _is_online(found.get(topic))}
    frames = await online_frames(people.values(), there) if people else {}
    return [Dot(user, topic, frames[people[topic]]) for user, topic in pairs if people[topic] in frames]


class CountAgain(StreamWatcher):
    """While a page of a room is open nothing in it counts as unread: when it closes, other pages count again."""

    def closed(self, reader: Reader) -> None:
        room = reader.number("room")
        if room is not None and reader.number("mask") is None:
            hub().mark_item(f"user:{reader.labels['user']}", f"room:{room}")


# News.


def on_presence(users: str) -> None:
    """These people (their ids with commas between) may have come online or left."""
    for user in [int(user) for user in users.split(",")]:
        hub().mark_topic(f"person:{user}")


def on_room_deleted(room: int) -> None:
    hub().mark_topic(f"room:{room}")


def on_person_changed(code: str) -> None:
    """The person has another name or picture: their groups are called by it."""
    hub().spawn(_mark_groups(code))


async def _mark_groups(code: str) -> None:
    for room in await groups_with(code):
        hub().mark_topic(f"room:{room}")


def on_membership_changed(user: int, room: int) -> None:
    """The person has joined, read or left the room, or chosen a level."""
    hub().mark_item(f"user:{user}", f"room:{room}")


def on_relationships_changed(user: int) -> None:
    """What others are to this person has changed: friends, requests, blocks."""
    hub().restart(f"user:{user}")
