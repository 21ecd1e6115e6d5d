"""The queries of rooms and seats that pages wait for: plain SQL into immutable rows."""

from collections.abc import Collection
from dataclasses import fields
from typing import Any

from webapp.accounts.queries import person_from
from webapp.accounts.viewer import PERSON_FIELDS, Viewer
from webapp.conversations import kinds
from webapp.conversations.seats import MembershipRow, RoomRow, Seat
from webapp.core import text
from webapp.db import sql
from webapp.relationships.queries import blocked_between

PAGE_SIZE = 30
# Of so many rooms, the latest, names are searched: to look into 5,000 takes 2 ms, in the event loop on SQLite.
MAX_SEARCHED = 5000

_ROOM_COLUMNS = [field.name for field in fields(RoomRow)]
_MEMBERSHIP_COLUMNS = [field.name for field in fields(MembershipRow)]
_MOMENTS = {"last_at", "locked_at", "created_at", "joined_at", "kicked_until"}
_FLAGS = {"muted", "is_request"}
_PARTS = (("room", _ROOM_COLUMNS), ("mine", _MEMBERSHIP_COLUMNS), ("theirs", _MEMBERSHIP_COLUMNS),
          ("other", PERSON_FIELDS))  # fmt: skip


def _columns(table: str, names: Collection[str]) -> str:
    return ", ".join(f"{table}.{name} AS {table}_{name}" for name in names)


# The other of two is who else is in the chat; who ignored a request is not, and must not be missed by who asked. In
# rooms of many nobody is looked up: there the condition compares with null.
_SEAT = f"""
SELECT {", ".join(_columns(table, names) for table, names in _PARTS)},
    room.low IS NOT NULL AND other.id <> ? AND {blocked_between("?", "other.id")} AS is_blocked
FROM room
LEFT JOIN membership AS mine ON mine.room_id = room.id AND mine.user_id = ?
LEFT JOIN membership AS theirs ON theirs.user_id <> ?
    AND theirs.room_id = CASE WHEN room.kind IN ({{two}}) THEN room.id END
LEFT JOIN "user" AS other ON other.id = COALESCE(theirs.user_id, room.low + room.high - ?)
WHERE room.closed_at IS NULL AND """


def _read(names: list[str], values: list[Any]) -> list[Any]:
    """Turn what the engines return into what the rows hold."""
    return [
        value if value is None
        else sql.from_db(value) if name in _MOMENTS
        else bool(value) if name in _FLAGS
        else value
        for name, value in zip(names, values, strict=True)
    ]  # fmt: skip


def _room(values: list[Any]) -> RoomRow:
    read = dict(zip(_ROOM_COLUMNS, _read(_ROOM_COLUMNS, values), strict=True))
    return RoomRow(**read | {"kind": kinds.BY_NAME[read["kind"]]})


async def _seat(viewer: Viewer, condition: str, *values: object) -> Seat | None:
    two = kinds.sql_names(lambda kind: kind.is_between_two)
    found = await sql.fetch_inline(_SEAT.format(two=two) + condition, *[viewer.id] * 8, *values)
    if not found:
        return None
    parts, start, row = [], 0, list(found[0])
    for _table, names in _PARTS:
        parts.append(row[start : start + len(names)])
        start += len(names)
    room, mine, theirs, other = parts
    return Seat(
        _room(room),
        viewer,
        MembershipRow(*_read(_MEMBERSHIP_COLUMNS, mine)) if mine[0] else None,
        person_from(other) if other[0] else None,
        MembershipRow(*_read(_MEMBERSHIP_COLUMNS, theirs)) if theirs[0] else None,
        bool(row[-1]),
    )


async def seat_by_key(viewer: Viewer, key: str) -> Seat | None:
    """Return the viewer's seat in the open room of that key, whether they may read it or not."""
    return await _seat(viewer, "room.key = ?", key)


async def seat_by_id(viewer: Viewer, room_id: int) -> Seat | None:
    return await _seat(viewer, "room.id = ?", room_id)


async def seat_by_pair(viewer: Viewer, low: int, high: int) -> Seat | None:
    return await _seat(viewer, "room.low = ? AND room.high = ?", low, high)


_ROOM = f"SELECT {', '.join(_ROOM_COLUMNS)} FROM room WHERE closed_at IS NULL AND "


async def _rooms(condition: str, *values: object) -> list[RoomRow]:
    return [_room(list(row)) for row in await sql.fetch_inline(_ROOM + condition, *values)]


async def room_by_id(room_id: int) -> RoomRow | None:
    """Return the room, None when it was deleted."""
    return next(iter(await _rooms("id = ?", room_id)), None)


async def rooms_by_id(ids: Collection[int]) -> list[RoomRow]:
    return await _rooms(f"id IN ({sql.placeholders(ids)})", *ids) if ids else []


async def newest_rooms(page: int = 1) -> list[RoomRow]:
    """Return the listed rooms, latest message first: a page and one more to show that there is."""
    listed = kinds.sql_names(lambda kind: kind.is_listed)
    return await _rooms(f"kind IN ({listed}) {_PAGE}", PAGE_SIZE + 1, (page - 1) * PAGE_SIZE)


_PAGE = "ORDER BY last_at DESC, id DESC LIMIT ? OFFSET ?"


async def search_rooms(words: str, page: int = 1) -> list[RoomRow]:
    """
    Return the rooms whose name contains the words, latest message first: a page and one more.

    A room that has been quiet for longer than MAX_SEARCHED others is opened by its whole name (rooms/opening).
    """
    found = kinds.sql_names(lambda kind: kind.is_searchable)
    times = f"SELECT last_at FROM room WHERE kind IN ({found}) AND closed_at IS NULL ORDER BY last_at"
    # The last that is searched, or the very last where there are fewer.
    last = f"COALESCE(({times} DESC LIMIT 1 OFFSET {MAX_SEARCHED - 1}), ({times} LIMIT 1))"
    pattern = text.fold(words).translate({ord(sign): f"\\{sign}" for sign in "\\%_"})
    rows = await sql.fetch_all(
        rf"{_ROOM} kind IN ({found}) AND folded LIKE ? ESCAPE '\' AND last_at >= {last} {_PAGE}",
        f"%{pattern}%", PAGE_SIZE + 1, (page - 1) * PAGE_SIZE,
    )  # fmt: skip
    return [_room(list(row)) for row in rows]
