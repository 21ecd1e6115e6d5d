"""
Rooms and people as administrators see them, in a few fixed orders: a page is a range of an index of its own.

Of private rooms and groups they see how large they are: no name, topic, key or people, which no query here reads.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from webapp.accounts.audit import PAGE
from webapp.accounts.queries import person_columns, person_from
from webapp.accounts.viewer import PERMANENT, PersonRow
from webapp.conversations import kinds
from webapp.conversations.faces import RoomFace
from webapp.conversations.seats import KICKED, Kind
from webapp.core.i18n import Text, _
from webapp.db import sql
from webapp.http.params import whole
from webapp.relationships.search import parse_code, parse_prefix

SECONDS = 10.0
# Of more messages a list says that there are more: to count all that a person wrote may take long.
MANY_MESSAGES = 1000
ACTIVE_DAYS = 7
# The conditions of the partial indexes of migration 0030, word for word, or SQLite does not take them.
LISTED_ROOM = "room.kind NOT IN ('direct', 'stranger') AND room.closed_at IS NULL"
_LISTED_PERSON = 'NOT "user".is_guest AND "user".username IS NOT NULL'


class Order(NamedTuple):
    """An order of a list: by which column, and its name on the page; the newest or the most first."""

    column: str
    label: Text
    is_ascending: bool = False

    def range(self, table: str, is_first: bool) -> str:
        """Return the part of a query that follows its condition; behind the first page it takes what `after` reads."""
        direction, than = ("ASC", ">") if self.is_ascending else ("DESC", "<")
        names = [f"{table}.{name}" for name in dict.fromkeys((self.column, "id"))]
        after = "" if is_first else f" AND ({', '.join(names)}) {than} ({sql.placeholders(names)})"
        return f"{after} ORDER BY {', '.join(f'{name} {direction}' for name in names)} LIMIT {PAGE + 1}"

    def after(self, typed: str) -> list[object]:
        """Return where a page begins by what stands in its address; nothing for the first, and for what is none."""
        value, _, number = typed.rpartition(".")
        row = whole(number, default=0)
        if self.column == "id":
            return [row] if row else []
        before: object = _moment(value) if self.column.endswith("_at") else whole(value, default=None)
        return [before, row] if row and before is not None else []

    def key(self, values: object, row: int) -> str:
        """Return what stands in the address of the page after the row with these values."""
        value = getattr(values, {"member_count": "people"}.get(self.column, self.column))
        return f"{value.isoformat() if isinstance(value, datetime) else value}.{row}"


def _moment(typed: str) -> object:
    try:
        moment = datetime.fromisoformat(typed[:40])
    except ValueError:
        return None
    is_possible = moment.utcoffset() == timedelta(0) and 1970 <= moment.year < PERMANENT.year
    return sql.to_db(moment.astimezone(UTC)) if is_possible else None


# People.

PEOPLE_ORDERS = {
    "newest": Order("id", _("Newest")),
    "seen": Order("last_seen_at", _("Last here")),
    "away": Order("last_seen_at", _("Longest away"), is_ascending=True),
}


class PersonEntry(NamedTuple):
    """A person with how much there is of them: rooms and chats, messages up to MANY_MESSAGES, bytes of files."""

    person: PersonRow
    username: str
    created_at: datetime
    banned_until: datetime | None
    rooms: int
    messages: int
    bytes: int

    @property
    def has_many_messages(self) -> bool:
        return self.messages > MANY_MESSAGES

    @property
    def is_banned(self) -> bool:
        return self.banned_until is not None and self.banned_until > datetime.now(UTC)

    @property
    def is_banned_permanently(self) -> bool:
        return self.banned_until is not None and self.banned_until >= PERMANENT


_ENTRY = f"""
SELECT {person_columns()}, "user".username, "user".created_at, "user".banned_until,
    (SELECT count(*) FROM membership WHERE user_id = "user".id AND role <> '{KICKED}') AS rooms,
    (SELECT count(*) FROM (SELECT 1 FROM message WHERE author_id = "user".id LIMIT {MANY_MESSAGES + 1}) AS few)
        AS messages,
    (SELECT coalesce(sum(size + coalesce(thumb_size, 0)), 0) FROM attachment WHERE author_id = "user".id) AS bytes
FROM ({{listed}}) AS listed CROSS JOIN "user" WHERE "user".id = listed.id"""
_USER = '"user"'
_NAMED = f"""
SELECT DISTINCT "user".id FROM (
    SELECT user_id FROM search_name WHERE folded >= ? AND folded < ? ORDER BY folded LIMIT {2 * PAGE}
) AS named CROSS JOIN "user" WHERE "user".id = named.user_id AND {_LISTED_PERSON} LIMIT {PAGE + 1}"""


def people_query(order: Order, is_first: bool) -> str:
    """Return the query of a page of people."""
    listed = f'SELECT "user".id, "user".last_seen_at FROM "user" WHERE {_LISTED_PERSON}{order.range(_USER, is_first)}'
    return f"{_ENTRY.format(listed=listed)} {order.range('listed', is_first=True)}"


async def list_people(order: Order, after: str = "") -> list[PersonEntry]:
    """Return a page of people in that order, and one more where there are more. Raises TimeoutError."""
    where = order.after(after)
    return await _people(people_query(order, not where), *where)


async def find_people(typed: str) -> list[PersonEntry]:
    """Return up to a page of people, and one more, with that code or a name that begins so. Raises TimeoutError."""
    if code := parse_code(typed):
        one = await _people(_ENTRY.format(listed=f'SELECT id FROM "user" WHERE code = ? AND {_LISTED_PERSON}'), code)
        if one:
            return one
    prefix = parse_prefix(typed)
    named = f"{_ENTRY.format(listed=_NAMED)} ORDER BY {_USER}.sort_name, {_USER}.id"
    return await _people(named, prefix, f"{prefix}\U0010ffff") if prefix else []


async def _people(query: str, *values: object) -> list[PersonEntry]:
    return [_person(row) for row in await sql.fetch_limited(query, *values, seconds=SECONDS)]


def _person(row: sql.Row) -> PersonEntry:
    created, banned = row["created_at"], row["banned_until"]
    numbers = row["rooms"], row["messages"], int(row["bytes"])
    until = sql.from_db(banned) if banned else None
    return PersonEntry(person_from(row), row["username"], sql.from_db(created), until, *numbers)


class PeopleCounts(NamedTuple):
    """How many accounts there are, active within ACTIVE_DAYS, of administrators, and banned."""

    people: int
    active: int
    admins: int
    banned: int


_COUNT = 'SELECT count(*) FROM "user" WHERE'
PEOPLE_COUNTS = f"""
SELECT ({_COUNT} NOT "user".is_guest) AS people, ({_COUNT} NOT "user".is_guest AND "user".last_seen_at > ?) AS active,
    ({_COUNT} is_admin) AS admins, ({_COUNT} banned_until > ?) AS banned"""


async def count_people() -> PeopleCounts:
    """Return how many people there are, each counted in an index. Raises TimeoutError."""
    now = datetime.now(UTC)
    times = sql.to_db(now - timedelta(days=ACTIVE_DAYS)), sql.to_db(now)
    [row] = await sql.fetch_limited(PEOPLE_COUNTS, *times, seconds=SECONDS)
    return PeopleCounts(*row)


# Rooms.

ROOM_ORDERS = {
    "active": Order("last_at", _("Last active")),
    "longest": Order("last_number", _("Most written")),
    "largest": Order("member_count", _("Most people")),
    "newest": Order("id", _("Newest")),
}


class RoomEntry(NamedTuple):
    """A room with how much there is of it. Of one that only its members read, `key`, `name` and `face` are empty."""

    id: int
    kind: Kind
    key: str
    name: str
    face: str
    people: int
    last_number: int
    # By their numbers: those that were removed are among them.
    messages: int
    bytes: int
    last_at: datetime
    created_at: datetime
    is_locked: bool

    @property
    def tile(self) -> RoomFace:
        return RoomFace.of(self.id, self.name, self.face)

    @property
    def path(self) -> str:
        return self.kind.path(self.id, self.key)


def _named(column: str) -> str:
    """A column that is read of the rooms alone that everybody finds."""
    return f"CASE WHEN room.kind IN ({kinds.sql_names(lambda kind: kind.is_listed)}) THEN room.{column} ELSE '' END"


_ROOM = f"""
SELECT room.id, room.kind, {_named("key")} AS key, {_named("name")} AS name, {_named("face")} AS face,
    room.member_count AS people, room.last_number, room.last_number - room.first_number + 1 AS messages,
    (SELECT coalesce(sum(size + coalesce(thumb_size, 0)), 0) FROM attachment WHERE room_id = room.id) AS bytes,
    room.last_at, room.created_at, room.locked_at
FROM ({{listed}}) AS listed CROSS JOIN room WHERE room.id = listed.id"""


def rooms_query(order: Order, is_first: bool) -> str:
    """Return the query of a page of rooms."""
    columns = "room.id, room.last_at, room.last_number, room.member_count"
    listed = f"SELECT {columns} FROM room WHERE {LISTED_ROOM}{order.range('room', is_first)}"
    return f"{_ROOM.format(listed=listed)} {order.range('listed', is_first=True)}"


async def list_rooms(order: Order, after: str = "") -> list[RoomEntry]:
    """Return a page of rooms in that order, and one more where there are more. Raises TimeoutError."""
    where = order.after(after)
    return _rooms(await sql.fetch_limited(rooms_query(order, not where), *where, seconds=SECONDS))


async def rooms_by_id(ids: Sequence[int]) -> list[RoomEntry]:
    """Return these rooms, in their order."""
    if not ids:
        return []
    listed = f"SELECT room.id FROM room WHERE room.id IN ({sql.placeholders(ids)}) AND {LISTED_ROOM}"
    rows = await sql.fetch_limited(_ROOM.format(listed=listed), *ids, seconds=SECONDS)
    found = {room.id: room for room in _rooms(rows)}
    return [found[one] for one in ids if one in found]


def _rooms(rows: Sequence[sql.Row]) -> list[RoomEntry]:
    return [
        RoomEntry(
            row["id"], kinds.of_stored(row["kind"]), row["key"], row["name"], row["face"], row["people"],
            row["last_number"], row["messages"], int(row["bytes"]), sql.from_db(row["last_at"]),
            sql.from_db(row["created_at"]), row["locked_at"] is not None,
        )
        for row in rows
    ]  # fmt: skip


class RoomCounts(NamedTuple):
    """How many rooms there are of a kind, and messages in them: by their numbers, those that were removed too."""

    rooms: int
    messages: int


# Not by the index of kinds, in whose order each row is elsewhere: of 70,000 rooms that takes twice as long.
ROOM_COUNTS = """
SELECT kind || '' AS kind, count(*) AS rooms, coalesce(sum(last_number - first_number + 1), 0) AS messages
FROM room WHERE closed_at IS NULL GROUP BY 1"""


async def count_rooms() -> dict[str, RoomCounts]:
    """Return how many rooms of each kind there are, by its name; no message is read. Raises TimeoutError."""
    rows = await sql.fetch_limited(ROOM_COUNTS, seconds=SECONDS)
    return {row["kind"]: RoomCounts(row["rooms"], int(row["messages"])) for row in rows}
