"""The rooms and chats that a person is in, as the sidebar of every page shows them."""

import asyncio
import itertools
from collections.abc import Collection, Iterable
from typing import NamedTuple, TypeVar

from webapp.conversations.levels import ALL, NOTHING, level_of
from webapp.conversations.read_marks import read_marks
from webapp.db import sql
from webapp.presence.queries import is_online
from webapp.sidebar.calls import NO_UNREAD, Unread, count_calls
from webapp.sidebar.rows import MAX_UNREAD, EntryRow, entries_from

T = TypeVar("T")

PAGE_SIZE = 50
MAX_PAGES = 100
# How many people, or pairs of a person and a room, one query asks about: its rows take some 10 ms of the event loop.
BATCH_SIZE = 250
# Between two queries: a message that is posted meanwhile goes first, and takes several turns of the event loop.
YIELD_SECONDS = 0.02
# Sent instead of a digest by pages 2 and up of the sidebar: they receive changed entries, never the whole list.
OLDER_PAGE = "-"
# So many removed messages among the unread are counted; beyond that the badge shows too many.
MAX_REMOVED = 10_000

# Who was asked to come into a room, and has not answered, learns nothing of what is said there, nor when.
_ASKED = "(membership.is_request AND membership.role = 'kicked' AND membership.kicked_until IS NULL)"
_LAST_AT = f"CASE WHEN {_ASKED} THEN membership.joined_at ELSE room.last_at END"
# What expired counts as read.
_READ_NUMBER = f"""CASE WHEN {_ASKED} THEN room.last_number WHEN membership.read_number < room.first_number
        THEN room.first_number - 1 ELSE membership.read_number END"""
_LEVEL = level_of("membership")
_CALLS = f"CASE WHEN {_ASKED} THEN 0 ELSE {count_calls('membership', 'room')} END"
# A chat has the other's name and picture, as long as there is the other; an ask has those of who asks.
_OTHER = f"""CASE WHEN room.low IS NOT NULL THEN room.low + room.high - membership.user_id
    WHEN {_ASKED} THEN membership.inviter END"""
# Not shown are a request of a blocked person, and one that leaves nothing to read, as it was cancelled.
_SHOWN = f"""(membership.role <> 'kicked' OR {_ASKED}) AND room.closed_at IS NULL
    AND NOT (membership.is_request AND room.low IS NOT NULL
        AND room.removed_count > room.last_number - room.first_number)
    AND NOT (membership.is_request AND COALESCE({_OTHER}, 0) IN (
        SELECT blocked_id FROM block WHERE blocker_id = membership.user_id
        UNION ALL SELECT blocker_id FROM block WHERE blocked_id = membership.user_id))"""
# The last line of a room is not shown when its author is blocked by the viewer. Who is online, friends see.
_ENTRIES = f"""
SELECT membership.id AS membership_id, membership.user_id, membership.delivered_number, {_ASKED} AS is_asked,
    {_READ_NUMBER} AS read_number, {_LEVEL} AS level, {_CALLS} AS calls,
    membership.is_request, room.id AS room_id, room.key, room.kind, room.name, room.face, room.low, room.high,
    room.last_number, {_LAST_AT} AS last_at,
    room.last_author, room.is_last_removed, room.removed_count,
    author.display_name AS author_name,
    other.code AS other_code, other.display_name AS other_name, other.picture AS other_picture,
    friendship.id IS NOT NULL AS is_friend,
    friendship.id IS NOT NULL AND {is_online("other")} AS is_online,
    CASE WHEN room.low IS NULL AND room.last_author IN (
            SELECT blocked_id FROM block WHERE blocker_id = membership.user_id)
        THEN NULL ELSE room.last_line END AS last_line
FROM {{membership}}
JOIN room ON room.id = membership.room_id
LEFT JOIN "user" AS other ON other.id = {_OTHER}
LEFT JOIN "user" AS author ON author.id = CASE WHEN room.low IS NULL THEN room.last_author END
LEFT JOIN friendship ON friendship.low_id = room.low AND friendship.high_id = room.high
    AND friendship.accepted_at IS NOT NULL
WHERE {{where}}
"""
# What was removed does not count as unread. It is counted where it makes a difference to the badge, by an index that
# holds removed messages alone: mostly nothing was removed, or so much is unread that the badge is the same.
_COUNTED = f"""
SELECT entry.*, CASE
    WHEN entry.level <> '{ALL}' OR entry.removed_count = 0 OR entry.read_number >= entry.last_number
        OR entry.last_number - entry.read_number - entry.removed_count >= {MAX_UNREAD} THEN 0
    ELSE (SELECT COUNT(*) FROM (SELECT 1 FROM message WHERE message.room_id = entry.room_id
        AND message.number > entry.read_number AND message.removed_at IS NOT NULL LIMIT {MAX_REMOVED}) AS removed)
    END AS removed_unread FROM ({_ENTRIES}) AS entry
"""
# Of all that people have, two tables say which come first; only of those the rest is read.
_HAS = f"FROM membership JOIN room ON room.id = membership.room_id WHERE {_SHOWN} AND membership.user_id"
_LATEST_FIRST = f"{_LAST_AT} DESC, room.id DESC"
_FIRST = _COUNTED.format(membership="({first}) AS first JOIN membership ON membership.id = first.id", where="TRUE")
# The latest of a person's.
_LISTED = _FIRST.format(first=f"SELECT membership.id {_HAS} = ? ORDER BY {_LATEST_FIRST} LIMIT ? OFFSET ?")
# The latest of each of these people's, as many.
_LISTED_BY_USER = (
    _FIRST.format(
        first=f"SELECT id FROM (SELECT membership.id, ROW_NUMBER() OVER (PARTITION BY membership.user_id "
        f"ORDER BY {_LATEST_FIRST}) AS place {_HAS} IN ({{users}})) AS placed WHERE place <= ?"
    )
    + " ORDER BY user_id, last_at DESC, room_id DESC"
)
# Those of a person in which something is unread that they want to hear of, and requests.
_UNREAD = (
    _FIRST.format(
        first=f"SELECT membership.id {_HAS} = ? "
        f"AND ({_ASKED} OR membership.read_number < room.last_number AND room.first_number <= room.last_number) "
        f"AND ({_LEVEL} <> '{NOTHING}' OR membership.is_request) ORDER BY {_LATEST_FIRST} LIMIT ?"
    )
    + " ORDER BY last_at DESC, room_id DESC"
)
# What these people have of these rooms: each pair is looked up, and not each of the people in each of the rooms.
_AT = _COUNTED.format(
    membership="(VALUES {asked}) AS asked "
    "JOIN membership ON membership.user_id = asked.column1 AND membership.room_id = asked.column2",
    where=_SHOWN,
)


# What waits for an answer of each of these people: who wants to be friends with them and, for administrators, reports.
_PENDING = f"accepted_at IS NULL AND declined_at IS NULL AND NOT withdrawn LIMIT {MAX_UNREAD}"
_WAITING = f"""
SELECT viewer.id AS viewer_id, (SELECT COUNT(*) FROM (
        SELECT 1 FROM friendship WHERE low_id = viewer.id AND asked_by <> viewer.id AND {_PENDING}) AS asked_low)
    + (SELECT COUNT(*) FROM (
        SELECT 1 FROM friendship WHERE high_id = viewer.id AND asked_by <> viewer.id AND {_PENDING}) AS asked_high)
    AS requests, CASE WHEN viewer.is_admin THEN (SELECT COUNT(*) FROM (
        SELECT 1 FROM report WHERE handled_at IS NULL LIMIT {MAX_UNREAD}) AS unhandled) END AS reports
FROM "user" AS viewer WHERE viewer.id IN ({{users}})
"""
# Of all that a person has, how many are behind (what was removed counts as well), and how often they are called.
_TOTALS = f"""
SELECT COALESCE(SUM(CASE WHEN {_LEVEL} = '{ALL}' AND {_READ_NUMBER} < room.last_number THEN 1 ELSE 0 END), 0) AS behind,
    COALESCE(SUM({_CALLS}), 0) AS all_calls {_HAS} = ? AND membership.read_number < room.last_number
"""
# All for the one who asks for a page: who is in no room has one row without an entry. Not materialised, PostgreSQL may
# sum up all of theirs again for each row.
_SIDEBAR = (
    f"WITH totals AS MATERIALIZED ({_TOTALS}) "
    f"SELECT * FROM ({_WAITING.format(users='?')}) AS waiting CROSS JOIN totals "
    f"LEFT JOIN ({_LISTED}) AS listed ON listed.user_id = waiting.viewer_id ORDER BY last_at DESC, room_id DESC"
)


class Waiting(NamedTuple):
    """How much waits for an answer; reports are None for who is no administrator."""

    requests: int
    reports: int | None

    def __str__(self) -> str:
        return f"{self.requests}-{self.reports}"


class Listing(NamedTuple):
    """
    A page of a person's entries and one more where there are more, and what waits for them.

    `others` counts what is unread in the rooms and chats of theirs that are not on this page.
    """

    entries: list[EntryRow]
    waiting: Waiting
    others: Unread

    def unread(self, current_key: str = "") -> Unread:
        """Return how much is unread, but for the room that is being read."""
        shown = [entry for entry in self.entries[:PAGE_SIZE] if entry.key != current_key]
        rooms, calls = sum(1 for entry in shown if entry.unread), sum(entry.calls for entry in shown)
        return Unread(self.others.rooms + rooms, self.others.calls + calls)


async def list_entries(user_id: int, page: int = 1) -> Listing:
    """Return the latest entries of a person, of that page, and what waits for them."""
    await read_marks().settle(user_id)
    start = (page - 1) * PAGE_SIZE
    rows = await sql.fetch_inline(_SIDEBAR, user_id, user_id, user_id, PAGE_SIZE + 1, start)
    listed = [row for row in rows if row["membership_id"] is not None]
    waiting = _waiting(rows[0]) if rows else Waiting(0, None)
    return Listing(await entries_from(listed), waiting, _others(listed) if listed else NO_UNREAD)


def _others(listed: list[sql.Row]) -> Unread:
    """Return what is unread beyond this page: of each row, what is so of all of the person's."""
    shown = listed[:PAGE_SIZE]
    behind = [row for row in shown if row["level"] == ALL and row["read_number"] < row["last_number"]]
    return Unread(shown[0]["behind"] - len(behind), int(shown[0]["all_calls"]) - sum(row["calls"] for row in shown))


async def unread_entries(user_id: int, limit: int) -> list[EntryRow]:
    """Return the latest rooms and chats of a person that something came to since they read there, and requests."""
    return await _fetch(_UNREAD, user_id, limit)


async def waiting_counts(users: Collection[int]) -> dict[int, Waiting]:
    """Return what waits for each of these people, in one query."""
    rows = await sql.fetch_inline(_WAITING.format(users=sql.placeholders(users)), *users)
    return dict.fromkeys(users, Waiting(0, None)) | {row["viewer_id"]: _waiting(row) for row in rows}


def _waiting(row: sql.Row) -> Waiting:
    return Waiting(row["requests"], row["reports"])


async def list_entries_by_user(users: Collection[int]) -> dict[int, list[EntryRow]]:
    """Return the first page of entries of each of these people."""
    entries: dict[int, list[EntryRow]] = {user: [] for user in users}
    for batch in _batches(users):
        query = _LISTED_BY_USER.format(users=sql.placeholders(batch))
        for entry in await _fetch(query, *batch, PAGE_SIZE):
            entries[entry.user_id].append(entry)
    return entries


async def entries_for(pairs: Collection[tuple[int, int]]) -> list[EntryRow]:
    """
    Return the entries of pairs of a person and a room; pairs without one are missing.

    The latest come last: put on top of a list one after the other, they stand in their order.
    """
    entries: list[EntryRow] = []
    for batch in _batches(pairs):
        if entries:
            await asyncio.sleep(YIELD_SECONDS)
        asked = ", ".join(["(CAST(? AS BIGINT), CAST(? AS BIGINT))"] * len(batch))
        entries += await _fetch(_AT.format(asked=asked), *itertools.chain(*batch))
    return sorted(entries, key=lambda entry: (entry.sort_at, entry.room_id))


def _batches(items: Collection[T]) -> Iterable[list[T]]:
    ordered = list(items)
    return (ordered[start : start + BATCH_SIZE] for start in range(0, len(ordered), BATCH_SIZE))


async def _fetch(query: str, *values: int) -> list[EntryRow]:
    return await entries_from(await sql.fetch_inline(query, *values))
