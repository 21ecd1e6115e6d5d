"""What people are to each other, as one of them may know it: plain SQL into rows."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeVar

from webapp.accounts.queries import person_columns, person_from, profile_by_code
from webapp.accounts.viewer import EVERYONE, Person, PersonRow, ProfileRow, Viewer
from webapp.core import text
from webapp.core.errors import NotFound
from webapp.core.i18n import _
from webapp.db import sql
from webapp.presence.queries import is_online

MAX_LISTED = 1000
COOLING_OFF = timedelta(days=30)
# Of names that begin with what was typed; one person may have several of them.
MAX_NAMES = 100
SEARCH_SECONDS = 2.0
P = TypeVar("P", bound=Person)


class Relationship(StrEnum):
    """What another person is to the viewer, as the viewer may know it."""

    SELF = "self"
    NONE = "none"
    REQUEST_SENT = "request_sent"
    REQUEST_RECEIVED = "request_received"
    FRIENDS = "friends"
    BLOCKED = "blocked"  # by me


@dataclass(frozen=True, slots=True)
class FriendshipRow:
    """The row of a pair of people, one of whom asked; see Friendship in models.py."""

    asked_by: int
    asked_at: datetime
    accepted_at: datetime | None
    declined_at: datetime | None
    withdrawn: bool

    @property
    def is_stale(self) -> bool:
        """Declined, and long enough ago to be asked again."""
        return self.declined_at is not None and datetime.now(UTC) - self.declined_at > COOLING_OFF

    def seen_by(self, viewer: Person) -> Relationship:
        """What the other one of the two is to the viewer."""
        if self.accepted_at:
            return Relationship.FRIENDS
        if self.asked_by == viewer.id:
            return Relationship.NONE if self.withdrawn or self.is_stale else Relationship.REQUEST_SENT
        return Relationship.NONE if self.withdrawn or self.declined_at else Relationship.REQUEST_RECEIVED


class BlockRow(NamedTuple):
    blocker_id: int
    # Made by name, and not from a mask.
    is_open: bool


class VeiledBlockRow(NamedTuple):
    id: int
    created_at: datetime
    everywhere: bool


class Contacts(NamedTuple):
    """Everybody whom a person has something with, by what a page calls them."""

    requests_received: list[PersonRow]
    requests_sent: list[PersonRow]
    friends: list[PersonRow]
    blocked: list[PersonRow]
    veiled: list[VeiledBlockRow]


def ordered_ids(one: Person, other: Person) -> tuple[int, int]:
    """The two in the order in which the database holds every pair."""
    return min(one.id, other.id), max(one.id, other.id)


# Friends, and who wants to be one.

# A request as it looks to the one who is asked.
_PENDING_FOR_RECIPIENT = "accepted_at IS NULL AND declined_at IS NULL AND NOT withdrawn"


async def friendship_between(one: Person, other: Person) -> FriendshipRow | None:
    """Return the row of the two, whatever its state; None where neither has ever asked, or it was ended."""
    rows = await sql.fetch_inline(
        "SELECT asked_by, asked_at, accepted_at, declined_at, withdrawn FROM friendship "
        "WHERE low_id = ? AND high_id = ?",
        *ordered_ids(one, other),
    )
    return next(map(_friendship, rows), None)


def _friendship(row: sql.Row) -> FriendshipRow:
    asked_by, asked_at, accepted_at, declined_at, withdrawn, *_more = row
    return FriendshipRow(
        asked_by,
        sql.from_db(asked_at),
        accepted_at and sql.from_db(accepted_at),
        declined_at and sql.from_db(declined_at),
        bool(withdrawn),
    )


async def is_friend_online(user: Person, other: Person) -> bool | None:
    """Return whether this friend is online, as they show it; None where the other is no friend."""
    rows = await sql.fetch_inline(
        f'SELECT {is_online()} AS is_online FROM friendship JOIN "user" ON "user".id = ? '
        "WHERE low_id = ? AND high_id = ? AND accepted_at IS NOT NULL",
        other.id, *ordered_ids(user, other),
    )  # fmt: skip
    return bool(rows[0]["is_online"]) if rows else None


# Both sides of a pair by an index of their own: an OR over the two would be one only for SQLite.
def _others(state: str) -> str:
    halves = (
        f"SELECT {mine}_id AS user_id, {theirs}_id AS other_id, asked_by, asked_at "
        f"FROM friendship WHERE {mine}_id = ? AND {state}"
        for mine, theirs in (("low", "high"), ("high", "low"))
    )
    return (
        f"SELECT {person_columns('other')}, pair.asked_by FROM ({' UNION ALL '.join(halves)}) AS pair "
        f'JOIN "user" AS other ON other.id = pair.other_id'
    )


_FRIENDS = f"{_others('accepted_at IS NOT NULL')} LIMIT {MAX_LISTED}"
_REQUESTERS = (
    f"{_others(_PENDING_FOR_RECIPIENT)} WHERE pair.asked_by <> pair.user_id "
    f"ORDER BY pair.asked_at DESC LIMIT {MAX_LISTED}"
)
_REQUESTS = (
    f"{_others('accepted_at IS NULL AND NOT withdrawn AND (declined_at IS NULL OR declined_at > ? AND asked_by = ?)')} "
    f"ORDER BY pair.asked_at DESC LIMIT {MAX_LISTED}"
)


async def friends(user: Person) -> list[PersonRow]:
    """Return the person's friends, by name."""
    rows = await sql.fetch_inline(_FRIENDS, user.id, user.id)
    return sorted(map(person_from, rows), key=lambda friend: text.fold(friend.display_name))


async def requesters(user: Person) -> list[PersonRow]:
    """Return who wants to be friends with the person, the latest first."""
    return list(map(person_from, await sql.fetch_inline(_REQUESTERS, user.id, user.id)))


async def requests(user: Person) -> tuple[list[PersonRow], list[PersonRow]]:
    """Return who waits for an answer of the person, and for whose answers the person waits, the latest first."""
    fresh = sql.to_db(datetime.now(UTC) - COOLING_OFF)
    rows = await sql.fetch_inline(_REQUESTS, *[user.id, fresh, user.id] * 2)
    received = [person_from(row) for row in rows if row["asked_by"] != user.id]
    return received, [person_from(row) for row in rows if row["asked_by"] == user.id]


async def online_friend_ids(user: Person) -> set[int]:
    """Return the ids of the person's friends who are online and show it."""
    query = f"{_others('accepted_at IS NOT NULL')} WHERE {is_online('other')}"
    return {row["id"] for row in await sql.fetch_inline(query, user.id, user.id)}


async def friend_ids(user_id: int) -> set[int]:
    """Return the ids of the person's friends."""
    return (await friend_ids_by_user([user_id]))[user_id]


async def friend_ids_by_user(users: Collection[int]) -> dict[int, set[int]]:
    """Return the ids of each of these people's friends."""
    found: dict[int, set[int]] = {user: set() for user in users}
    for low, high, _asker in await _pairs(users, "accepted_at IS NOT NULL"):
        if low in found:
            found[low].add(high)
        if high in found:
            found[high].add(low)
    return found


async def _pairs(users: Collection[int], state: str) -> Iterable[sql.Row]:
    """The pairs of these people and others that are in this state, with the one of the two who asked."""
    marks = sql.placeholders(users)
    return await sql.fetch_inline(
        "SELECT low_id, high_id, asked_by FROM friendship "
        f"WHERE (low_id IN ({marks}) OR high_id IN ({marks})) AND {state}",
        *users, *users,
    )  # fmt: skip


# Blocks. A block from a mask counts in matching alone, but for those that are older than their table.

_TABLES = (("block", ""), ("veiled_block", " AND everywhere"))
# Each table from either side: whose id is known, whose is asked for.
_SIDES = [
    (table, one, other, only)
    for table, only in _TABLES
    for one, other in (("blocker_id", "blocked_id"), ("blocked_id", "blocker_id"))
]
_BETWEEN = " UNION ALL ".join(
    f"SELECT blocker_id, {int(table == 'block')} AS is_open FROM {table} "
    f"WHERE (blocker_id = ? AND blocked_id = ? OR blocker_id = ? AND blocked_id = ?){only}"
    for table, only in _TABLES
)
# What is between two people at all: their friendship, and blocks.
_BETWEEN_TWO = (
    "SELECT asked_by, asked_at, accepted_at, declined_at, withdrawn, NULL AS is_open "
    "FROM friendship WHERE low_id = ? AND high_id = ? "
    f"UNION ALL SELECT blocker_id, NULL, NULL, NULL, FALSE, is_open FROM ({_BETWEEN}) AS stop"
)
_EITHER_WAY = " UNION ".join(
    f"SELECT {other} AS other FROM {table} WHERE {one} = ?{only}" for table, one, other, only in _SIDES
)
_BLOCKED_CODES = (
    'SELECT "user".code FROM block JOIN "user" ON "user".id = block.blocked_id WHERE block.blocker_id = ? '
    "ORDER BY block.id"
)
_BLOCKED_PEOPLE = (
    f'SELECT {person_columns()} FROM block JOIN "user" ON "user".id = block.blocked_id WHERE block.blocker_id = ? '
    f"ORDER BY block.id DESC LIMIT {MAX_LISTED}"
)
_VEILED = (
    f"SELECT id, created_at, everywhere FROM veiled_block WHERE blocker_id = ? ORDER BY id DESC LIMIT {MAX_LISTED}"
)


async def blocks_between(one: Person, other: Person) -> list[BlockRow]:
    """Return who of the two has blocked the other everywhere, and whether by name."""
    rows = await sql.fetch_inline(_BETWEEN, *[one.id, other.id, other.id, one.id] * 2)
    return [BlockRow(row["blocker_id"], bool(row["is_open"])) for row in rows]


async def is_blocked_between(one: Person, other: Person) -> bool:
    """Return whether either has blocked the other."""
    return bool(await blocks_between(one, other))


async def require_none_blocked(user: Person, other: Person) -> None:
    """Raise NotFound when either has blocked the other: the same as for a code that nobody has."""
    if await is_blocked_between(user, other):
        raise NotFound(_("Nobody has that code."))


async def blocked_either_way(user: Person) -> set[int]:
    """Return the ids of everyone whom the person has blocked, or who has blocked them."""
    return {row["other"] for row in await sql.fetch_inline(_EITHER_WAY, *[user.id] * 4)}


async def blocks_of(users: Collection[int]) -> set[tuple[int, int]]:
    """Return pairs of one of these users and a person blocked either way."""
    marks = sql.placeholders(users)
    query = " UNION ".join(
        f"SELECT {one} AS user_id, {other} AS other_id FROM {table} WHERE {one} IN ({marks}){only}"
        for table, one, other, only in _SIDES
    )
    return {(row["user_id"], row["other_id"]) for row in await sql.fetch_inline(query, *[*users] * 4)}


async def is_any_blocked(users: Collection[int], others: Collection[int]) -> bool:
    """Return whether a block stands between one of these users and one of the others, either way."""
    marks = sql.placeholders(users), sql.placeholders(others)
    query = " UNION ALL ".join(
        f"SELECT 1 FROM {table} WHERE {one} IN ({marks[0]}) AND {other} IN ({marks[1]}){only}"
        for table, one, other, only in _SIDES
    )
    return bool(await sql.fetch_inline(f"{query} LIMIT 1", *[*users, *others] * 4))


async def blocked_codes(viewer: Viewer) -> list[str]:
    """Return the codes of the people whom the viewer has blocked; no query for the many who never blocked anybody."""
    if not viewer.blocks_version:
        return []
    return [row["code"] for row in await sql.fetch_inline(_BLOCKED_CODES, viewer.id)]


async def blocked_people(user: Person) -> list[PersonRow]:
    """Return the people whom the person has blocked, the latest first."""
    return list(map(person_from, await sql.fetch_inline(_BLOCKED_PEOPLE, user.id)))


async def veiled_blocks(user: Person) -> list[VeiledBlockRow]:
    """Return the blocks without a name that the person has made, the latest first."""
    rows = await sql.fetch_inline(_VEILED, user.id)
    return [VeiledBlockRow(row["id"], sql.from_db(row["created_at"]), bool(row["everywhere"])) for row in rows]


# By name. U+10FFFF is in no name and behind all others; on PostgreSQL the column has the collation "C", in which, as on
# SQLite, all that begins with a prefix is a range of the index.

_BY_NAME = f"""
SELECT {person_columns()} FROM search_name JOIN "user" ON "user".id = search_name.user_id
WHERE search_name.folded >= ? AND search_name.folded < ? AND "user".found_by = '{EVERYONE}' AND {{who}}
ORDER BY search_name.folded LIMIT {MAX_NAMES}"""


def not_blocked(user: str) -> str:
    """Return the condition that this column's user is blocked neither way; the viewer's id is in it four times."""
    return " AND ".join(
        f"{user} NOT IN (SELECT {other} FROM {table} WHERE {one} = ?{only})" for table, one, other, only in _SIDES
    )


async def friends_by_name(prefix: str, friends: Collection[int]) -> list[PersonRow]:
    """Return those of the people, by name, who have one that begins so; a person may be there several times."""
    query = _BY_NAME.format(who=f"search_name.user_id IN ({sql.placeholders(friends)})")
    return list(map(person_from, await _by_name(query, prefix, *friends)))


async def people_by_name(viewer: Person, prefix: str) -> list[PersonRow]:
    """Return the people, by name, who have one that begins so, without any who are blocked, either way."""
    query = _BY_NAME.format(who=not_blocked("search_name.user_id"))
    return list(map(person_from, await _by_name(query, prefix, *[viewer.id] * 4)))


async def _by_name(query: str, prefix: str, *values: int) -> Iterable[sql.Row]:
    return await sql.fetch_limited(query, prefix, f"{prefix}\U0010ffff", *values, seconds=SEARCH_SECONDS)


# What a person is to the viewer.


async def contacts(user: Person) -> Contacts:
    received, sent = await requests(user)
    return Contacts(received, sent, await friends(user), await blocked_people(user), await veiled_blocks(user))


async def relationship(viewer: Person, other: Person) -> Relationship:
    """
    Return what the other is to the viewer; raise NotFound when the other has blocked them.

    Whom the viewer has blocked stays that, whatever the other does: who could no longer find the way to unblock
    they would know why.
    """
    if viewer.id == other.id:
        return Relationship.SELF
    friendship, blocks = await _between_two(viewer, other)
    if BlockRow(viewer.id, True) in blocks:
        return Relationship.BLOCKED
    # Not the viewer's own veiled block, which their page of the other must not give away.
    if any(block.blocker_id == other.id for block in blocks):
        raise NotFound(_("Nobody has that code."))
    return friendship.seen_by(viewer) if friendship else Relationship.NONE


async def _between_two(one: Person, other: Person) -> tuple[FriendshipRow | None, list[BlockRow]]:
    rows = await sql.fetch_inline(_BETWEEN_TWO, *ordered_ids(one, other), *[one.id, other.id, other.id, one.id] * 2)
    blocks = [BlockRow(row["asked_by"], bool(row["is_open"])) for row in rows if row["is_open"] is not None]
    return next((_friendship(row) for row in rows if row["is_open"] is None), None), blocks


async def find_person(viewer: Person, code: str) -> tuple[ProfileRow, Relationship]:
    """Return the person with that code, and what they are to the viewer; raise NotFound as `relationship` does."""
    try:
        other = await profile_by_code(code)
    except NotFound:
        await _between_two(viewer, viewer)  # it takes as long as for a person who has blocked them
        raise
    return other, await relationship(viewer, other)


async def without_blocked(viewer: Person, users: Collection[P]) -> list[P]:
    """Return those of the users whom no block stands between."""
    blocked = await blocked_either_way(viewer)
    return [user for user in users if user.id not in blocked]


def blocked_between(user: str, other: str) -> str:
    """
    Return the condition that one of two users has blocked the other, for a query in plain SQL.

    Both are columns or placeholders; each of the two is in it four times.
    """
    return " OR ".join(
        f"EXISTS (SELECT 1 FROM {table} WHERE {mine} = {user} AND {theirs} = {other}{only})"
        for table, mine, theirs, only in _SIDES
    ).join("()")
