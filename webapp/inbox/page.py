"""A page of an inbox: what several sources have, put together by time, and where the next page begins in each."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from heapq import merge
from typing import NamedTuple

from webapp.accounts.viewer import Avatar
from webapp.core.i18n import Text, _
from webapp.http.params import whole
from webapp.inbox.queries import CALLS, FRIEND, LAST, MAX_FOLDED, REACTION, Line, lines
from webapp.inbox.unread import MAX_ROOMS, Shown
from webapp.messages.mentions import ANSWERED, EVERYONE, NAMED
from webapp.sidebar.queries import unread_entries
from webapp.sidebar.rows import EntryRow

PAGE_SIZE = 30
# Lines about chats of two, of which the list at the side knows: something unread, and who is no friend yet.
CHAT, REQUEST = "chat", "request"
# Who is no friend wants to have the viewer in a group or a room.
ASKED = "asked"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# Until the year 9999.
LAST_MOMENT = 253_370_764_800 * 10**6


class Filter(NamedTuple):
    name: Text
    kinds: tuple[str, ...]
    has_chats: bool = False


# By what `show` holds in the address.
FILTERS = {
    "": Filter(_("All"), (*CALLS, REACTION, FRIEND), has_chats=True),
    "mentions": Filter(_("Mentions"), (NAMED, EVERYONE)),
    "replies": Filter(_("Replies"), (ANSWERED,)),
    "reactions": Filter(_("Reactions"), (REACTION,)),
}


class Place(NamedTuple):
    """Where a page begins in each source: by the ids of calls and of reactions, and by time."""

    calls: int = LAST
    reactions: int = LAST
    moment: int = LAST_MOMENT

    @classmethod
    def parsed(cls, text: str) -> "Place":
        """Return the place that `before` names in the address; the first where it names none."""
        parts = text.split(".")
        if len(parts) != len(cls._fields):
            return cls()
        return cls(*(whole(part, most, most) for part, most in zip(parts, cls(), strict=True)))

    def __str__(self) -> str:
        return ".".join(map(str, self))

    @property
    def before(self) -> datetime:
        return EPOCH + self.moment * MICROSECOND

    def after(self, line: Line) -> "Place":
        """Return the place after this line."""
        if line.what in CALLS:
            return self._replace(calls=line.id)
        if line.what == REACTION:
            return self._replace(reactions=line.id)
        return self._replace(moment=(line.at - EPOCH) // MICROSECOND)


class InboxPage(NamedTuple):
    """The lines of a page, those that are new and those that are not; `next` is where the next page begins, or ""."""

    new: list[Line]
    earlier: list[Line]
    next: str
    shown: Shown


async def read_page(user_id: int, filter: Filter, place: Place) -> InboxPage:
    """Return the page that begins at this place."""
    # First: what comes while the lines are read is among them, and stays unread.
    unread = await unread_entries(user_id, MAX_ROOMS) if filter.has_chats else []
    found = await lines(user_id, filter.kinds, place.calls, place.reactions, place.before, PAGE_SIZE + 1)
    chats = [entry for entry in unread if _has_line(entry) and entry.sort_at < place.before]
    reacted = _in_order(line for line in found if line.what == REACTION)
    people = [*(line for line in found if line.what == FRIEND), *map(chat_line, chats)]
    calls = _in_order(line for line in found if line.what in CALLS)
    # Each source stays in its order: words may call a person when they are edited.
    merged = list(merge(calls, reacted, _by_time(people), key=lambda line: line.at, reverse=True))
    page = merged[:PAGE_SIZE]
    following = _following(place, page, reacted)
    page = _by_time(page)
    has_more = len(merged) > PAGE_SIZE or sum(line.others + 1 for line in reacted) >= MAX_FOLDED
    return InboxPage(
        [line for line in page if line.is_new],
        [line for line in page if not line.is_new],
        str(following) if has_more else "",
        Shown.of(unread, max((line.id for line in page if line.what == REACTION and line.is_new), default=0)),
    )


def _has_line(entry: EntryRow) -> bool:
    return entry.is_request or (entry.kind.is_between_two and entry.unread > 0)


def _by_time(found: list[Line]) -> list[Line]:
    return sorted(found, key=lambda line: line.at, reverse=True)


def _in_order(found: Iterable[Line]) -> list[Line]:
    return sorted(found, key=lambda line: line.id, reverse=True)


def _following(place: Place, shown: list[Line], reacted: list[Line]) -> Place:
    """Return where the next page begins: in each source after the last line that was shown of it."""
    for line in shown:
        place = place.after(line)
    # All that were read are folded in what was shown: of one message there may be more of a kind than were read.
    if reacted and place.reactions == reacted[-1].id:
        return place._replace(reactions=min(line.oldest for line in reacted))
    return place


def chat_line(entry: EntryRow) -> Line:
    """Return the line of a chat in which something is unread, which `others` counts, or of a request."""
    what = ASKED if entry.is_asked else REQUEST if entry.is_request else CHAT
    return Line(
        what, 0, entry.sort_at, True, entry.code, entry.name,
        entry.avatar or Avatar.of(str(entry.name), entry.code), entry.path, "", str(entry.line), "", entry.unread,
    )  # fmt: skip
