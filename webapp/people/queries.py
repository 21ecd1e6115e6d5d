"""The directory and the people of a room, as one viewer may see them, in plain SQL."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple

from webapp.accounts.queries import CODE_PATTERN, person_columns, person_from
from webapp.accounts.viewer import EVERYONE, PERMANENT, PERSON_FIELDS, Person, PersonRow
from webapp.conversations.seats import KICKED, RoomRow
from webapp.db import sql
from webapp.presence.queries import IS_ALIVE, NO_ROOM, is_online, shows_everyone
from webapp.relationships.queries import SEARCH_SECONDS, not_blocked

PAGE_SIZE = 30
# Those who are online stand first, the first of them by name; of a crowd so many open pages are looked at.
MAX_ONLINE = 60
MAX_VISITS = 2000
# Before everybody.
START = ("", "")


class ListedRow(NamedTuple):
    """A person in a list: `is_online` as they show it to the viewer; the rest is of lists of a room's people."""

    person: PersonRow
    bio: str
    sort_name: str
    is_friend: bool
    is_online: bool
    is_here: bool = False
    # Empty for who reads the room and is no member.
    role: str = ""

    @property
    def key(self) -> str:
        """Where the page after this person begins."""
        return f"{self.sort_name}.{self.person.code}"


def parse_key(typed: str) -> tuple[str, str]:
    """Return the name and the code after which a page begins; START where it is no key."""
    name, _, code = typed.rpartition(".")
    return (name, code) if CODE_PATTERN.fullmatch(code) else START


_IS_FRIEND = (
    '"user".id IN (SELECT high_id FROM friendship WHERE low_id = ? AND accepted_at IS NOT NULL '
    "UNION ALL SELECT low_id FROM friendship WHERE high_id = ? AND accepted_at IS NOT NULL)"
)
_SHOWS = f"({shows_everyone()} OR {_IS_FRIEND})"
# The viewer's id is in them four times.
_COLUMNS = f"""{person_columns()}, "user".bio, "user".sort_name,
    {_IS_FRIEND} AS is_friend, {_SHOWS} AND {is_online()} AS is_online"""
# Banned people, those who leave and guests are in no list, nor is anybody blocked either way: the time, then the
# viewer's id four times.
_NOT_BLOCKED = not_blocked('"user".id')
_IS_LISTED = f'NOT "user".is_guest AND ("user".banned_until IS NULL OR "user".banned_until < ?) AND {_NOT_BLOCKED}'
_LISTED = f"""
SELECT {_COLUMNS} FROM "user"
WHERE "user".found_by = '{EVERYONE}' AND "user".id <> ? AND {_IS_LISTED} AND """
# By process, so that no visit is read of one that has died, and no more than so many.
_ONLINE = (
    f'{_LISTED} "user".id IN (SELECT visit.user_id FROM process CROSS JOIN visit '
    f"WHERE visit.process_id = process.id AND {IS_ALIVE} LIMIT {MAX_VISITS}) "
    f'AND "user".shows_presence AND {_SHOWS} ORDER BY "user".sort_name, "user".code LIMIT {MAX_ONLINE}'
)
_BY_NAME = (
    f'{_LISTED} ("user".sort_name, "user".code) > (?, ?) AND "user".id NOT IN ({{others}}) '
    f'ORDER BY "user".sort_name, "user".code LIMIT {PAGE_SIZE + 1}'
)


async def online_people(viewer: Person) -> list[ListedRow]:
    """Return who is online and shows it to the viewer, by name; of more than MAX_ONLINE the first."""
    return await _listed(_ONLINE, viewer, *[viewer.id] * 2)


async def people_after(viewer: Person, after: tuple[str, str], others: Collection[int] = ()) -> list[ListedRow]:
    """Return a page of people by name, and one more where there are more; the others are left out."""
    return await _listed(_BY_NAME.format(others=sql.placeholders(others) or "0"), viewer, *after, *others)


async def _listed(query: str, viewer: Person, *values: object) -> list[ListedRow]:
    own = viewer.id
    now = sql.to_db(datetime.now(UTC))
    rows = await sql.fetch_inline(query, *[own] * 4, own, now, *[own] * 4, *values)
    return [_row(row) for row in rows]


def _row(row: sql.Row, is_here: bool = False, role: str = "") -> ListedRow:
    flags = bool(row["is_friend"]), bool(row["is_online"])
    return ListedRow(person_from(row), row["bio"], row["sort_name"], *flags, is_here, role)


# The people of a room. Who is here is shown to everybody who reads it, as in its header; who is online, as elsewhere.
# No more open pages are looked at than in the directory.
_VISITS = "SELECT visit.user_id FROM process CROSS JOIN visit WHERE visit.process_id = process.id"
_PRESENT = f"""
SELECT {_COLUMNS}, there.is_here, COALESCE(membership.role, '') AS role
FROM (SELECT user_id, MAX(is_here) AS is_here FROM (
        SELECT user_id, 1 AS is_here FROM (
            {_VISITS} AND {IS_ALIVE} AND visit.room_id = ? LIMIT {MAX_VISITS}) AS visitor
        UNION ALL
        SELECT user_id, 0 AS is_here FROM ({_VISITS} AND {IS_ALIVE} LIMIT {MAX_VISITS}) AS visitor
    ) AS visitor GROUP BY user_id) AS there
CROSS JOIN "user" LEFT JOIN membership ON membership.room_id = ? AND membership.user_id = "user".id
WHERE "user".id = there.user_id AND "user".id <> ? AND "user".shows_presence AND {_IS_LISTED}
    AND COALESCE(membership.role, '') <> '{KICKED}'
    AND (there.is_here = 1 OR membership.role IS NOT NULL AND {_SHOWS})
ORDER BY there.is_here DESC, "user".sort_name, "user".code LIMIT {MAX_ONLINE}"""
# The page is a range of the index of the room's members by name; of those with one name the code decides.
_MEMBERS = f"""
SELECT {_COLUMNS}, member.role, member.sort_name AS listed_name FROM (
    SELECT membership.user_id, membership.role, membership.sort_name FROM membership CROSS JOIN "user"
    WHERE membership.room_id = ? AND membership.role <> '{KICKED}' AND "user".id = membership.user_id
        AND membership.sort_name >= ? AND (membership.sort_name > ? OR "user".code > ?)
        AND {_IS_LISTED} AND {{which}}
    ORDER BY membership.sort_name, "user".code LIMIT {PAGE_SIZE + 1}
) AS member CROSS JOIN "user" WHERE "user".id = member.user_id ORDER BY member.sort_name, "user".code"""
_IS_CALLED = (
    "EXISTS (SELECT 1 FROM search_name WHERE search_name.user_id = membership.user_id "
    "AND search_name.folded >= ? AND search_name.folded < ?)"
)


async def people_present(viewer: Person, room: RoomRow) -> list[ListedRow]:
    """
    Return who is in the room now, then which of its members are online, each by name; of many the first.

    The viewer is not among them. In a chat of two nobody is shown who is here.
    """
    own, now = viewer.id, sql.to_db(datetime.now(UTC))
    here = room.id if "people" in room.kind.states else NO_ROOM - 1
    rows = await sql.fetch_inline(_PRESENT, *[own] * 4, here, room.id, own, now, *[own] * 6)
    return [_row(row, bool(row["is_here"]), row["role"]) for row in rows]


async def members_after(
    viewer: Person, room: RoomRow, after: tuple[str, str], prefix: str = "", others: Collection[int] = ()
) -> list[ListedRow]:
    """
    Return a page of the room's members by name, and one more where there are more; the others are left out.

    With a prefix those alone one of whose names begins so, by `parse_prefix` of relationships/search.
    """
    own, now = viewer.id, sql.to_db(datetime.now(UTC))
    which = _IS_CALLED if prefix else f"membership.user_id NOT IN ({sql.placeholders(others) or '0'})"
    values = (prefix, f"{prefix}\U0010ffff") if prefix else others
    rows = await sql.fetch_limited(
        _MEMBERS.format(which=which),
        *[own] * 4,
        room.id,
        after[0],
        *after,
        now,
        *[own] * 4,
        *values,
        seconds=SEARCH_SECONDS,
    )
    return [_row(row, role=row["role"])._replace(sort_name=row["listed_name"]) for row in rows]


class BannedRow(NamedTuple):
    """Who is banned from a room, until when, and by whom, None where that account was deleted."""

    person: PersonRow
    until: datetime
    by: PersonRow | None

    @property
    def is_permanent(self) -> bool:
        return self.until >= PERMANENT


_BANNED = f"""
SELECT {person_columns()}, {person_columns("maker")}, membership.kicked_until
FROM membership CROSS JOIN "user" LEFT JOIN "user" AS maker ON maker.id = membership.kicked_by
WHERE membership.room_id = ? AND membership.role = '{KICKED}' AND membership.kicked_until > ?
    AND "user".id = membership.user_id
ORDER BY membership.sort_name, membership.id LIMIT {PAGE_SIZE + 1} OFFSET ?"""


async def banned_from(room: RoomRow, page: int = 1) -> list[BannedRow]:
    """Return who is banned from the room now, by name: a page and one more."""
    now = sql.to_db(datetime.now(UTC))
    rows = [tuple(row) for row in await sql.fetch_inline(_BANNED, room.id, now, (page - 1) * PAGE_SIZE)]
    size = len(PERSON_FIELDS)
    return [
        BannedRow(person_from(row), sql.from_db(row[-1]), person_from(row[size:]) if row[size] else None)
        for row in rows
    ]


class DotRow(NamedTuple):
    """Whether a person who shows everyone is online."""

    id: int
    code: str
    is_online: bool


async def public_dots(users: Collection[int], hidden: Collection[int] = ()) -> list[DotRow]:
    """Return those of the users whom everybody may find and see online, and of the hidden, who were until now, all."""
    marks, more = sql.placeholders(users), sql.placeholders(hidden) or "0"
    public = f'"user".found_by = \'{EVERYONE}\' AND NOT "user".is_guest AND {shows_everyone()}'
    rows = await sql.fetch_inline(
        f'SELECT id, code, {public} AND {is_online()} AS is_online FROM "user" '
        f"WHERE id IN ({marks}) AND ({public} OR id IN ({more}))",
        *users, *hidden,
    )  # fmt: skip
    return [DotRow(row["id"], row["code"], bool(row["is_online"])) for row in rows]


async def usernames(users: Collection[int]) -> dict[int, str]:
    """Return the user names of these people, by their ids."""
    rows = await sql.fetch_inline(
        f'SELECT id, username FROM "user" WHERE id IN ({sql.placeholders(users) or "0"}) AND username IS NOT NULL',
        *users,
    )
    return {row["id"]: row["username"] for row in rows}
