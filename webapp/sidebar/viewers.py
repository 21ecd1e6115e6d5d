"""Open pages and their sidebars: what has changed is read for all of them together, paced and retried."""

import asyncio
import contextlib
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from typing import TypeVar

from webapp.conversations.models import Membership, Room
from webapp.core.lifetime import Slot
from webapp.db import engine
from webapp.db.sql import batches
from webapp.live import Reader, hub
from webapp.presence.queries import online
from webapp.relationships import queries as relationships
from webapp.sidebar.audience import Followers
from webapp.sidebar.entries import CONTACTS_CHANGED, EntryFrames, online_frames, requests_frame
from webapp.sidebar.queries import (
    OLDER_PAGE,
    YIELD_SECONDS,
    EntryRow,
    contacts_digest,
    digest,
    entries_for,
    list_entries_by_user,
)

RETRY_SECONDS = 1.0
READ_SECONDS = 10.0
# How long the people of a room wait for its next change, for each of them: a chat's two are told at once, two hundred
# once a second, and in a crowd it is the same work in a second.
SECONDS_PER_PERSON = 0.005
MAX_SECONDS = 5.0
# The most that one pass looks at; what is more waits for the next. With so many people in its rooms no further room is
# taken: to tell 5,000 takes a second or two, and a pass that can't end in time would begin anew for ever.
MOST_ROOMS, MOST_TOLD = 200, 5000
MAX_ITEMS = 1000
MAX_JOINING = 100
# Pages that are told in one go.
SLICE_SIZE = 250
# Between two passes it rests, so many times as long as the one took: what people say goes first, and of what changes
# meanwhile only the last is told. Who has just come waits for that no longer than must be.
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0
REST_FACTOR = 2

# In the place of the digest of friends: what that page shows of them is old.
STALE = "!"

Place = tuple[int, int]
T = TypeVar("T")


class Viewers:
    """
    Every open page holds its viewer's sidebar; what changes in it is read together for all who are concerned.

    A ring, or news, only says where to look: one query then reads what all these people have of all these rooms,
    so nothing that was told late, twice or not at all can stay wrong.
    """

    def __init__(self) -> None:
        self._audience = Followers()
        # What is to be looked at, in the order in which it was heard: a part at a time, so that nothing waits for ever.
        self._joining: dict[Reader, None] = {}
        self._rooms: dict[int, None] = {}
        self._places: dict[Place, None] = {}
        self._people: dict[int, None] = {}
        self._must_look = False
        self._links_lost = 0
        # What has been told: when a room may be told again, who is online.
        self._next_at: dict[int, float] = {}
        self._online: set[int] = set()
        self._has_news = asyncio.Event()
        self._sent = itertools.count(1)

    def join(self, reader: Reader, seen: str) -> None:
        """A page has been opened, which holds what this is the digest of; empty when it holds nothing yet."""
        self._audience.join(reader, seen)
        self._joining[reader] = None
        self._has_news.set()

    def leave(self, reader: Reader) -> None:
        self._joining.pop(reader, None)
        self._audience.leave(reader)

    # What is heard.

    def on_version(self, channel: str) -> None:
        """The channel's log has changed."""
        kind, _, number = channel.partition(":")
        if kind == "room":
            self.mark_topic(int(number))

    def mark_topic(self, room: int) -> None:
        """The room's log has changed, or the room has gone."""
        if room in self._audience.in_room:
            self._rooms[room] = None
            self._has_news.set()

    def mark_item(self, user: int, room: int) -> None:
        """What this person has of the room has changed: they have joined, read, muted, left."""
        if user in self._audience.people:
            self._places[user, room] = None
            self._has_news.set()

    def refresh_requests(self, user: int) -> None:
        """What others are to this person has changed: friends, requests, blocks."""
        if viewer := self._audience.people.get(user):
            for reader, seen in viewer.readers.items():
                viewer.readers[reader] = f"{OLDER_PAGE if seen.startswith(OLDER_PAGE) else ''}.{STALE}"
            self._joining |= dict.fromkeys(viewer.readers)
            self._has_news.set()

    def hear_presence(self, users: str) -> None:
        """News of people, by their ids with commas between."""
        self.mark_people({int(user) for user in users.split(",")})

    def mark_people(self, people: Collection[int]) -> None:
        """Whether these people are here may have changed."""
        if watched := self._audience.friends_of.keys() & people:
            self._people |= dict.fromkeys(watched)
            self._has_news.set()

    def reconcile(self) -> None:
        """The heartbeat: what is so is compared with what was told; after the link broke, everything is told anew."""
        self._must_look = bool(self._audience.people)
        if hub().is_connected and hub().counts.links_lost != self._links_lost:
            self._links_lost = hub().counts.links_lost
            for user in self._audience.people:
                self.refresh_requests(user)
        self._has_news.set()

    # Telling.

    async def run(self) -> None:
        """Tell the pages what changes, until cancelled."""
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            await hub().storm.wait_until_over()
            begun = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(READ_SECONDS):
                    await self._pass()
            except Exception as error:
                engine.report_failure("sidebars could not be read", error)
                self._has_news.set()
                await asyncio.sleep(RETRY_SECONDS)
            took = 0.0 if self._joining else asyncio.get_running_loop().time() - begun
            await asyncio.sleep(min(LONGEST_PAUSE_SECONDS, max(PAUSE_SECONDS, REST_FACTOR * took)))

    async def _pass(self) -> None:
        """What can't be read stays to be looked at."""
        if joining := set(itertools.islice(self._joining, MAX_JOINING)):
            with _taken(self._joining, joining):
                await self._welcome(joining)
        if self._must_look:
            await self._look()
        if rooms := self._due():
            with _taken(self._rooms, rooms):
                await self._tell_rooms(rooms)
        if places := set(itertools.islice(self._places, MAX_ITEMS)):
            with _taken(self._places, places):
                await self._tell_places(places)
        if people := set(self._people):
            with _taken(self._people, people):
                await self._tell_people(people)
        if self._joining or self._places:
            self._has_news.set()

    async def _welcome(self, joining: set[Reader]) -> None:
        """Learn who the new ones are, and give those who hold something older the whole of it."""
        users = {reader.labels["user"] for reader in joining}
        places, friends = await Membership.rooms_by_user(users), await relationships.friend_ids_by_user(users)
        unknown = set().union(*friends.values()) - self._audience.friends_of.keys()
        # Before the rest is read: what is heard from here on is kept, what was before stands in what is read.
        for user in users & self._audience.people.keys():
            self._audience.follow(user, places[user], friends[user])
        try:
            self._online = (self._online - unknown) | await online(unknown)
        except BaseException:
            self._must_look = True
            raise
        listed, asking = await list_entries_by_user(users), await relationships.request_counts(users)
        shown = EntryFrames(self._sent)
        for reader in joining:
            user = reader.labels["user"]
            if user not in self._audience.people or (seen := self._audience.people[user].readers.get(reader)) is None:
                continue
            of_entries, _, of_friends = seen.partition(".")
            if of_entries not in (OLDER_PAGE, digest(listed[user], reader.number("room"))):
                reader.put(shown.list_frame(listed[user], reader.number("room"), reader.framing))
            is_same = of_friends == contacts_digest(friends[user] & self._online, asking[user])
            if not is_same:
                reader.put(requests_frame(asking[user]))
            if of_friends and not is_same:
                reader.put(CONTACTS_CHANGED)
        self._note_shown(joining, listed)
        found = [one for user in users for one in listed[user]]
        for one in found:
            # Whoever was told something older is told more; the others begin with this.
            self._audience.note_told(one.room_id, self._audience.told.get(one.room_id, one.last_number))
        await self._note_delivered(found)

    def _note_shown(self, joining: Set[Reader], listed: Mapping[int, list[EntryRow]]) -> None:
        """What the pages of these readers' people show now, where it is the same on all of them."""
        for user in {reader.labels["user"] for reader in joining} & self._audience.people.keys():
            viewer = self._audience.people[user]
            is_known = viewer.readers.keys() <= joining and not any(
                seen.startswith(OLDER_PAGE) for seen in viewer.readers.values()
            )
            for entry in listed[user]:
                if entry.room_id in viewer.rooms:
                    shown = hash(entry.facts)
                    is_same = is_known or viewer.rooms[entry.room_id] == shown
                    viewer.rooms[entry.room_id] = shown if is_same else None

    async def _look(self) -> None:
        """Find who came or went, and where something was said, that nobody told of."""
        watched, there = set(self._audience.friends_of), set[int]()
        for count, some in enumerate(batches(watched)):
            if count:
                await asyncio.sleep(YIELD_SECONDS)
            there |= await online(some)
        for room, number in await Room.recently_active():
            if room in self._audience.in_room and self._audience.told.get(room) != number:
                self._rooms[room] = None
        self._online &= watched
        self._people |= dict.fromkeys(self._online ^ there)
        self._must_look = False

    def _due(self) -> set[int]:
        """The rooms whose turn has come; the others have theirs soon."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._next_at = {room: at for room, at in self._next_at.items() if at > now}
        due = set(self._enough(room for room in self._rooms if room not in self._next_at))
        if later := self._rooms.keys() - due:
            next_at = min(self._next_at.get(room, now) for room in later)
            loop.call_later(max(0.0, next_at - now), self._has_news.set)
        return due

    def _enough(self, rooms: Iterable[int]) -> Iterator[int]:
        """The first of them, for one pass."""
        people = 0
        for room in itertools.islice(rooms, MOST_ROOMS):
            yield room
            people += len(self._audience.in_room.get(room, ()))
            if people >= MOST_TOLD:
                return

    async def _tell_rooms(self, rooms: set[int]) -> None:
        now = asyncio.get_running_loop().time()
        places = [(user, room) for room in rooms for user in self._audience.in_room.get(room, ())]
        for room in rooms:
            self._next_at[room] = now + min(MAX_SECONDS, SECONDS_PER_PERSON * len(self._audience.in_room.get(room, ())))
        await self._tell(await entries_for(places), places)

    async def _tell_places(self, places: set[Place]) -> None:
        await self._tell(await entries_for(places), places)

    async def _tell(self, found: list[EntryRow], asked: Iterable[Place]) -> None:
        """Show what was found, to those who don't see it yet; what was not is over."""
        shown = EntryFrames(self._sent)
        has_moved = {one.room_id for one in found if one.has_news_since(self._audience.told.get(one.room_id))}
        for count, entry in enumerate(found):
            if count % SLICE_SIZE == SLICE_SIZE - 1:
                await asyncio.sleep(YIELD_SECONDS)
            if viewer := self._audience.people.get(entry.user_id):
                is_new = entry.room_id not in viewer.rooms
                if is_new:
                    self._audience.follow(entry.user_id, viewer.rooms.keys() | {entry.room_id}, viewer.friends)
                facts = hash(entry.facts)
                if viewer.rooms[entry.room_id] == facts:
                    continue
                viewer.rooms[entry.room_id] = facts
                for reader in viewer.readers:
                    reader.put(shown.entry_frame(entry, reader.number("room"), is_new or entry.room_id in has_moved))
        for user, room in set(asked) - {(one.user_id, one.room_id) for one in found}:
            if (viewer := self._audience.people.get(user)) and room in viewer.rooms:
                self._audience.follow(user, viewer.rooms.keys() - {room}, viewer.friends)
                for reader in viewer.readers:
                    reader.put(shown.removal_frame(room))
        for one in found:
            self._audience.note_told(one.room_id, one.last_number)
        await self._note_delivered(found)

    async def _note_delivered(self, found: Iterable[EntryRow]) -> None:
        """What has been written to an open page of theirs has come to them."""
        if come := [one for one in found if one.is_undelivered and one.user_id in self._audience.people]:
            await Membership.mark_delivered([one.membership_id for one in come])
            for one in come:
                hub().refresh(f"room:{one.room_id}", "receipts")

    async def _tell_people(self, people: set[int]) -> None:
        """Dots: made once for a person, for the pages of all their friends but those that save data."""
        there = await online(people)
        made = await online_frames(people, there)
        self._online = (self._online - people) | there
        for person, frame in made.items():
            for user in self._audience.friends_of.get(person, ()):
                for reader in self._audience.people[user].readers:
                    if "online" in reader.states:
                        reader.put(frame)


@contextlib.contextmanager
def _taken(queue: dict[T, None], some: Collection[T]) -> Iterator[None]:
    """These are being looked at: what is heard of them meanwhile is news, and they are put back when that fails."""
    for one in some:
        del queue[one]
    try:
        yield
    except BaseException:
        queue |= dict.fromkeys(some)
        raise


viewers = Slot[Viewers]("sidebars of open pages")
