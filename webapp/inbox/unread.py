"""What a page has shown of the unread, as its form sends it back: whatever came after stays unread."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from webapp.core.errors import Invalid
from webapp.core.i18n import _
from webapp.http.params import whole
from webapp.sidebar.rows import EntryRow

# Rooms with something unread that one page knows of.
MAX_ROOMS = 500
MAX_NUMBER = 10**17
REACTIONS = "r"


class Shown(NamedTuple):
    """Up to which number rooms were shown, by their ids, and the newest reaction; in a form "r34.7-120.9-5"."""

    rooms: Mapping[int, int]
    reaction: int = 0

    @classmethod
    def of(cls, entries: Iterable[EntryRow], reaction: int = 0) -> "Shown":
        """Return all of these rooms, but the chats of who asks first to write: an answer reads those."""
        return cls({entry.room_id: entry.last_number for entry in entries if not entry.is_request}, reaction)

    @classmethod
    def parsed(cls, text: str) -> "Shown":
        """Return what a form has sent; raise Invalid where no page has made that."""
        rooms, reaction = dict[int, int](), 0
        for part in filter(None, text.split(".")):
            room, _dash, number = part.rpartition("-")
            if part.startswith(REACTIONS):
                reaction = whole(part.removeprefix(REACTIONS), 0, MAX_NUMBER)
            else:
                rooms[whole(room, 0)] = whole(number, 0, MAX_NUMBER)
        if len(rooms) > MAX_ROOMS or not all((reaction or rooms, *rooms, *rooms.values())):
            raise Invalid(until=UNREADABLE)
        return cls(rooms, reaction)

    def __bool__(self) -> bool:
        return bool(self.rooms or self.reaction)

    def __str__(self) -> str:
        reaction = [f"{REACTIONS}{self.reaction}"] if self.reaction else []
        return ".".join(reaction + [f"{room}-{number}" for room, number in self.rooms.items()])


UNREADABLE = _("Load the page again: it does not say any more what it has shown.")
