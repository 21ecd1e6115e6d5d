"""The queries of rooms and seats that pages wait for: plain SQL into immutable rows."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple

from webapp.accounts.queries import person_from
from webapp.accounts.viewer import PERSON_FIELDS, Person, Viewer
from webapp.conversations import kinds
from webapp.conversations.group_people import GroupPeople
from webapp.conversations.group_queries import people_by_group
from webapp.conversations.levels import level_of
from webapp.conversations.models import KEY_LENGTH, is_possible_key
from webapp.conversations.seats import KICKED, RANDOM_KEY_PREFIX, MembershipRow, RoomRow, Seat
from webapp.core import text
from webapp.core.batches import padded
from webapp.db import sql
from webapp.presence.queries import PresentRow
from webapp.relationships.queries import SEARCH_SECONDS, blocked_between, not_blocked

PAGE_SIZE = 30
# Of so many rooms, the latest, names are searched: to look into 5,000 takes 2 ms.
MAX_SEARCHED = 5000

_ROOM_FIELDS = tuple(field.name for field in fields(RoomRow))
_MEMBERSHIP_FIELDS = tuple(field.name for field in fields(MembershipRow))
_FLAGS = {"is_request"}
_PARTS = (
    ("room", _ROOM_FIELDS),
    ("mine", _MEMBERSHIP_FIELDS),
    ("theirs", _MEMBERSHIP_FIELDS),
    ("other", PERSON_FIELDS),
)
# Where the columns of each part begin.
_MINE, _THEIRS, _OTHER, _END = accumulate(len(names) for _, names in _PARTS)


def _columns(table: str, names: Collection[str]) -> str:
    return ", ".join(f"{_column(table, name)} AS {table}_{name}" for name in names)


def _column(table: str, name: str) -> str:
    return level_of(table) if name == "level" else f"{table}.{name}"


# The other of two is who else is in the chat; who ignored a request is not, and must not be missed by who asked. In
# rooms of many nobody is looked up: there the condition compares with null.
_SEAT = f"""
SELECT {", ".join(_columns(table, names) for table, names in _PARTS)},
    room.low IS NOT NULL AND other.id <> {{user}} AND {blocked_between("{user}", "other.id")} AS is_blocked{{more}}
FROM {{rooms}}
LEFT JOIN membership AS mine ON mine.room_id = room.id AND mine.user_id = {{user}}
LEFT JOIN membership AS theirs ON theirs.user_id <> {{user}}
    AND theirs.room_id = CASE WHEN room.kind IN ({{two}}) THEN room.id END
LEFT JOIN "user" AS other ON other.id = COALESCE(theirs.user_id, room.low + room.high - {{user}})
WHERE room.closed_at IS NULL"""


def _converters(names: Sequence[str]) -> list[Callable[[Any], Any] | None]:
    """Return for each column what makes of the engine's value the one that a row holds; None where it is the same."""
    return [
        kinds.of_stored if name == "kind"
        else sql.from_db if name.endswith(("_at", "_until"))
        else bool if name in _FLAGS
        else None
        for name in names
    ]  # fmt: skip


_ROOM_CONVERTERS, _MEMBERSHIP_CONVERTERS = _converters(_ROOM_FIELDS), _converters(_MEMBERSHIP_FIELDS)


def _converted(values: Iterable[Any], converters: list[Callable[[Any], Any] | None]) -> Iterator[Any]:
    for value, convert in zip(values, converters, strict=True):
        yield value if convert is None or value is None else convert(value)


def _room(values: Iterable[Any]) -> RoomRow:
    return RoomRow(*_converted(values, _ROOM_CONVERTERS))


def _membership(values: Sequence[Any]) -> MembershipRow | None:
    return MembershipRow(*_converted(values, _MEMBERSHIP_CONVERTERS)) if values[0] else None


@cache  # one text each, so that the statement is found without comparing two kilobytes
def _seat_query(condition: str, two: str) -> str:
    return _SEAT.format(user="?", rooms="room", two=two, more="") + f" AND {condition}"


async def _seat(viewer: Viewer, condition: str, *values: object) -> Seat | None:
    query = _seat_query(condition, kinds.sql_names(lambda kind: kind.is_between_two))
    found = await sql.fetch_inline(query, *[viewer.id] * 8, *values)
    if not found:
        return None
    row = tuple(found[0])
    room = _room(row[:_MINE])
    group = (await people_by_group([room.id]))[room.id] if room.kind.is_group else ()
    return _seat_of(viewer, room, row, group)


def _seat_of(viewer: Viewer, room: RoomRow, row: Sequence[Any], group: GroupPeople) -> Seat:
    other = row[_OTHER:_END]
    return Seat(
        room,
        viewer,
        membership=_membership(row[_MINE:_THEIRS]),
        other=person_from(other) if other[0] else None,
        other_membership=_membership(row[_THEIRS:_OTHER]),
        is_blocked=bool(row[_END]),
        group=group,
    )


# Rooms whose key is made of their name have nobody to look up, and are asked for most.
_NAMED_SEAT = f"""
SELECT {", ".join(_columns(table, names) for table, names in _PARTS[:2])}
FROM room LEFT JOIN membership AS mine ON mine.room_id = room.id AND mine.user_id = ?
WHERE room.key = ? AND room.closed_at IS NULL"""


async def seat_by_key(viewer: Viewer, key: str) -> Seat | None:
    """Return the viewer's seat in the open room of that key, whether they may read it or not."""
    if key.startswith(RANDOM_KEY_PREFIX):
        return await _seat(viewer, "room.key = ?", key)
    for row in await sql.fetch_inline(_NAMED_SEAT, viewer.id, key):
        values = tuple(row)
        return Seat(_room(values[:_MINE]), viewer, membership=_membership(values[_MINE:]))
    return None


# Who may read it comes to the room by each address that it had; of several the one that had it last.
_ALIASED_SEAT = f"""
SELECT {", ".join(_columns(table, names) for table, names in _PARTS[:2])}
FROM room_alias JOIN room ON room.id = room_alias.room_id
LEFT JOIN membership AS mine ON mine.room_id = room.id AND mine.user_id = ?
WHERE room_alias.key = ? AND room.closed_at IS NULL
    AND (room.kind IN ({{open}}) OR mine.role <> '{KICKED}')
ORDER BY room_alias.id DESC LIMIT 1"""


async def seats_by_key(asked: Sequence[tuple[Viewer, str]]) -> list[Seat | None]:
    """Return for each viewer and key what `seat_by_key` does: in one query for named rooms, and one for the others."""
    named = [one for one in asked if not one[1].startswith(RANDOM_KEY_PREFIX)]
    others = [one for one in asked if one[1].startswith(RANDOM_KEY_PREFIX)]
    found = {**(await _named_seats(named) if named else {}), **(await _other_seats(others) if others else {})}
    return [_seat_for(viewer, found.get((viewer.id, key))) for viewer, key in asked]


def _seat_for(viewer: Viewer, seat: Seat | None) -> Seat | None:
    """A person may come with two sessions at the same time."""
    return seat if seat is None or seat.viewer is viewer else replace(seat, viewer=viewer)


_ASKED = "(VALUES {asked}) AS asked JOIN room ON room.key = asked.column2"
_NAMED_SEATS = f"""
SELECT asked.column1, {", ".join(_columns(table, names) for table, names in _PARTS[:2])}
FROM {_ASKED} LEFT JOIN membership AS mine ON mine.room_id = room.id AND mine.user_id = asked.column1
WHERE room.closed_at IS NULL"""


async def _named_seats(asked: Sequence[tuple[Viewer, str]]) -> dict[tuple[int, str], Seat]:
    viewers, rooms, found = {viewer.id: viewer for viewer, _ in asked}, dict[int, RoomRow](), {}
    for user, *values in await sql.fetch_inline(_NAMED_SEATS.format(asked=_asked(asked)), *_pairs(asked)):
        if (room := rooms.get(values[0])) is None:
            room = rooms[values[0]] = _room(values[:_MINE])
        found[user, room.key] = Seat(room, viewers[user], membership=_membership(values[_MINE:]))
    return found


async def _other_seats(asked: Sequence[tuple[Viewer, str]]) -> dict[tuple[int, str], Seat]:
    two = kinds.sql_names(lambda kind: kind.is_between_two)
    rooms = _ASKED.format(asked=_asked(asked))
    query = _SEAT.format(user="asked.column1", rooms=rooms, two=two, more=", asked.column1")
    viewers, found = {viewer.id: viewer for viewer, _ in asked}, dict[tuple[int, str], Seat]()
    rows = [(_room(row[:_MINE]), row) for row in map(tuple, await sql.fetch_inline(query, *_pairs(asked)))]
    groups = await people_by_group({room.id for room, _ in rows if room.kind.is_group})
    for room, row in rows:
        viewer = viewers[row[_END + 1]]
        # Who is none of the two has a row with each of them, as for one alone, and may read neither.
        found.setdefault((viewer.id, room.key), _seat_of(viewer, room, row, groups.get(room.id, ())))
    return found


def _asked(asked: Sequence[tuple[Viewer, str]]) -> str:
    return ", ".join(["(CAST(? AS BIGINT), CAST(? AS VARCHAR))"] * len(padded(asked, asked[0])))


def _pairs(asked: Sequence[tuple[Viewer, str]]) -> list[object]:
    pairs = padded([(viewer.id, key) for viewer, key in asked], (0, ""))
    return [value for pair in pairs for value in pair]


async def seat_by_alias(viewer: Viewer, key: str) -> Seat | None:
    """Return the viewer's seat in the room that had that key, None where they may not read it."""
    query = _ALIASED_SEAT.format(open=kinds.sql_names(lambda kind: not kind.is_private))
    for row in await sql.fetch_inline(query, viewer.id, key):
        values = tuple(row)
        return Seat(_room(values[:_MINE]), viewer, membership=_membership(values[_MINE:]))
    return None


async def seat_by_id(viewer: Viewer, room_id: int) -> Seat | None:
    return await _seat(viewer, "room.id = ?", room_id)


async def seat_by_pair(viewer: Viewer, low: int, high: int) -> Seat | None:
    return await _seat(viewer, "room.low = ? AND room.high = ?", low, high)


_ROOM = f"SELECT {', '.join(_ROOM_FIELDS)} FROM room WHERE closed_at IS NULL AND "


async def _rooms(condition: str, *values: object) -> list[RoomRow]:
    return [_room(row) for row in await sql.fetch_inline(_ROOM + condition, *values)]


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
    rows = await sql.fetch_limited(
        rf"{_ROOM} kind IN ({found}) AND folded LIKE ? ESCAPE '\' AND last_at >= {last} {_PAGE}",
        f"%{pattern}%", PAGE_SIZE + 1, (page - 1) * PAGE_SIZE, seconds=SEARCH_SECONDS,
    )  # fmt: skip
    return [_room(row) for row in rows]


MAX_IN_COMMON = 5
# Of so many rooms of the viewer's, those in which the other is too.
MAX_COMPARED = 1000


class InCommon(NamedTuple):
    """Listed rooms that two people are in: the first of them, latest message first, and how many more there are."""

    rooms: list[RoomRow]
    others: int


async def rooms_in_common(viewer: Person, other: Person) -> InCommon:
    """Return the listed rooms that both are members of."""
    listed = kinds.sql_names(lambda kind: kind.is_listed)
    rows = await sql.fetch_inline(
        f"SELECT {', '.join(f'room.{name}' for name in _ROOM_FIELDS)}, COUNT(*) OVER () AS total FROM ("
        f"SELECT room_id FROM membership WHERE user_id = ? AND role <> '{KICKED}' LIMIT {MAX_COMPARED}) AS mine "
        "CROSS JOIN membership AS theirs CROSS JOIN room "
        f"WHERE theirs.room_id = mine.room_id AND theirs.user_id = ? AND theirs.role <> '{KICKED}' "
        f"AND room.id = mine.room_id AND room.kind IN ({listed}) AND room.closed_at IS NULL "
        f"ORDER BY room.last_at DESC, room.id DESC LIMIT {MAX_IN_COMMON}",
        viewer.id, other.id,
    )  # fmt: skip
    rooms = [_room(tuple(row)[:-1]) for row in rows]
    return InCommon(rooms, rows[0]["total"] - len(rooms) if rows else 0)


async def listed_name(key: str) -> str:
    """Return the name of the listed room of that key, empty where there is none: it is no secret of its members."""
    if not is_possible_key(key, KEY_LENGTH):
        return ""
    listed = kinds.sql_names(lambda kind: kind.is_listed)
    query = f"SELECT name FROM room WHERE key = ? AND kind IN ({listed}) AND closed_at IS NULL"
    return next((row["name"] for row in await sql.fetch_inline(query, key)), "")


async def room_versions(ids: Collection[int]) -> dict[int, int]:
    """Return the versions of those of the rooms that are there."""
    rows = await sql.fetch_inline(
        f"SELECT id, version FROM room WHERE id IN ({sql.placeholders(ids)}) AND closed_at IS NULL", *ids
    )
    return {row["id"]: row["version"] for row in rows}


async def rooms_by_user(users: Collection[int]) -> dict[int, set[int]]:
    """Return the rooms that each of these people is in."""
    found: dict[int, set[int]] = {user: set() for user in users}
    marks = sql.placeholders(users)
    for row in await sql.fetch_inline(
        f"SELECT user_id, room_id FROM membership WHERE user_id IN ({marks}) AND role <> ?", *users, KICKED
    ):
        found[row["user_id"]].add(row["room_id"])
    return found


# Beside a conversation in a wide window stand so many members besides who is here. They are a range of the index by
# name, taken before anything is read of them: as many more as may be left out.
MEMBERS_BESIDE = 12
_BESIDE = f"""
SELECT "user".code, "user".display_name, "user".picture FROM (
    SELECT user_id, sort_name FROM membership WHERE room_id = ? AND role <> '{KICKED}' ORDER BY sort_name LIMIT ?
) AS member CROSS JOIN "user"
WHERE "user".id = member.user_id AND NOT "user".is_guest
    AND ("user".banned_until IS NULL OR "user".banned_until < ?) AND {not_blocked('"user".id')}
ORDER BY member.sort_name, "user".code"""


async def members_beside(viewer: Person, room_id: int, here: Collection[PresentRow]) -> list[PresentRow]:
    """Return the first members by name, as the viewer may see them, without the viewer and those named as here."""
    codes = {viewer.code, *(person.code for person in here)}
    most, now = 2 * MEMBERS_BESIDE + len(codes), sql.to_db(datetime.now(UTC))
    rows = await sql.fetch_inline(_BESIDE, room_id, most, now, *[viewer.id] * 4)
    members = [PresentRow(row["code"], row["display_name"], row["picture"]) for row in rows]
    return [member for member in members if member.code not in codes][:MEMBERS_BESIDE]
