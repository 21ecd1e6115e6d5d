"""Whose pages are open in this process: found by the person, by the rooms they are in and by their friends."""

from collections import defaultdict
from collections.abc import Set

from webapp.live import Reader


class Viewer:
    """A person with pages open here: the rooms that they are in, and their friends, as far as that is known yet."""

    def __init__(self) -> None:
        # The open pages, with what each of them held at the beginning.
        self.readers: dict[Reader, str] = {}
        # For each room a hash of what all of these pages show of it, None where that is not known.
        self.rooms: dict[int, int | None] = {}
        self.friends: set[int] = set()


class Followers:
    """All of them. What is known of somebody goes with the last of their pages."""

    def __init__(self) -> None:
        self.people: dict[int, Viewer] = {}
        self.in_room: defaultdict[int, set[int]] = defaultdict(set)
        self.friends_of: defaultdict[int, set[int]] = defaultdict(set)
        # Of the rooms in `in_room`, the number of the newest message that their pages were told of.
        self.told: dict[int, int] = {}

    def join(self, reader: Reader, seen: str) -> None:
        """A page has been opened, which holds what this is the digest of."""
        self.people.setdefault(reader.labels["user"], Viewer()).readers[reader] = seen

    def leave(self, reader: Reader) -> None:
        user = reader.labels["user"]
        if viewer := self.people.get(user):
            viewer.readers.pop(reader, None)
            if not viewer.readers:
                self.follow(user, set(), set())
                del self.people[user]

    def follow(self, user: int, rooms: Set[int], friends: set[int]) -> None:
        """These are the person's rooms and friends now."""
        viewer = self.people[user]
        left = viewer.rooms.keys() - rooms
        _replace(self.in_room, user, viewer.rooms.keys(), rooms)
        _replace(self.friends_of, user, viewer.friends, friends)
        viewer.rooms, viewer.friends = {room: viewer.rooms.get(room) for room in rooms}, friends
        for room in left - self.in_room.keys():
            self.told.pop(room, None)

    def note_told(self, room: int, number: int) -> None:
        if room in self.in_room:
            self.told[room] = number


def _replace(index: defaultdict[int, set[int]], user: int, before: Set[int], after: Set[int]) -> None:
    """The person is found under these keys now."""
    for key in before - after:
        index[key].discard(user)
        if not index[key]:
            del index[key]
    for key in after - before:
        index[key].add(user)
