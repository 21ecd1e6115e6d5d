"""All that is unread, room by room, as one page to read from top to bottom or to print."""

from collections.abc import Mapping
from itertools import groupby
from typing import NamedTuple

from webapp.conversations.levels import ALL, MENTIONS
from webapp.files.queries import NO_FILES, files_of
from webapp.inbox.queries import Ranges, Unread, unread_calls, unread_messages
from webapp.inbox.unread import MAX_ROOMS, Shown
from webapp.sidebar.queries import unread_entries
from webapp.sidebar.rows import EntryRow

MAX_LINES = 500
# So many of one room at least, where there are several with more than fit.
MIN_SHARE = 50
# Of so many rooms; the others are named.
MAX_PARTS = 40


class RoomPart(NamedTuple):
    """What is unread of a room: the first of it, oldest first, and how many more there are."""

    entry: EntryRow
    messages: list[Unread]
    more: int
    shown: Shown


class CatchUp(NamedTuple):
    """The rooms of the page, the latest first; `others` are those of which nothing fits."""

    rooms: list[RoomPart]
    others: list[EntryRow]
    shown: Shown

    @property
    def is_cut(self) -> bool:
        return bool(self.others) or any(room.more for room in self.rooms)


async def catch_up(user_id: int) -> CatchUp:
    """Return what is unread, up to MAX_LINES messages; of rooms with the level of mentions what calls the viewer."""
    unread = [entry for entry in await unread_entries(user_id, MAX_ROOMS) if not entry.is_request]
    quiet = [entry for entry in unread if entry.level == MENTIONS]
    paths = {entry.room_id: entry.path for entry in unread}
    calls = await unread_calls(user_id, [(entry.room_id, entry.read_number) for entry in quiet], MAX_LINES + 1)
    until = {entry.room_id: entry.last_number for entry in quiet}
    if len(calls) > MAX_LINES:
        # The order of the query is that of the rooms' ids: what comes behind the last one that fits is not shown.
        cut = calls.pop()
        until = {room: number for room, number in until.items() if room <= cut.room_id}
        until[cut.room_id] = cut.number - 1
    loud = [entry for entry in unread if entry.level == ALL and entry.unread]
    ranges = _ranges(loud[:MAX_PARTS], MAX_LINES - len(calls))
    found = [await _with_files(some, paths) for some in (calls, await unread_messages(user_id, ranges))]
    messages = {room: list(some) for part in found for room, some in groupby(part, lambda message: message.room_id)}
    until |= {room: last for room, (_, last) in ranges.items()}
    rooms = [
        _part(entry, messages.get(entry.room_id, []), until[entry.room_id])
        for entry in unread
        if entry.room_id in until
    ]
    return CatchUp(
        [room for room in rooms if room.messages or room.more],
        [entry for entry in loud if entry.room_id not in until],
        Shown(until),
    )


async def _with_files(messages: list[Unread], paths: Mapping[int, str]) -> list[Unread]:
    """Return these messages with their files, given the paths of their rooms."""
    files = await files_of({message.id: paths[message.room_id] for message in messages if message.file_count})
    return [message._replace(files=files.get(message.id, NO_FILES)) for message in messages]


def _part(entry: EntryRow, messages: list[Unread], until: int) -> RoomPart:
    return RoomPart(entry, messages, entry.last_number - until, Shown({entry.room_id: until}))


def _ranges(entries: list[EntryRow], left: int) -> Ranges:
    """Return the numbers of the messages of these rooms that fit on the page, the same share of each that has more."""
    ranges = dict[int, tuple[int, int]]()
    by_size = sorted(entries, key=lambda entry: entry.last_number - entry.read_number)
    for place, entry in enumerate(by_size):
        share = max(MIN_SHARE, left // (len(entries) - place))
        count = min(left, share, entry.last_number - entry.read_number)
        if count:
            ranges[entry.room_id] = entry.read_number, entry.read_number + count
        left -= count
    return ranges
