"""The queries of whom messages call."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from webapp.conversations.seats import Seat
from webapp.db import sql
from webapp.relationships.queries import blocked_between

_NAMED = f"""
SELECT "user".id, "user".code, "user".username, "user".found_by, COALESCE(membership.role, '') AS role,
    {blocked_between('"user".id', "?")} AS is_blocked
FROM "user" LEFT JOIN membership ON membership.room_id = ? AND membership.user_id = "user".id
WHERE "user".username IN ({{names}})"""


class NamedRow(NamedTuple):
    """An account that a message may name; the role is empty where it is not in the room."""

    id: int
    code: str
    name: str
    found_by: str
    role: str
    is_blocked: bool


class MentionRow(NamedTuple):
    """One whom a message calls; `user_id` is None for everyone."""

    id: int
    user_id: int | None
    kind: str


async def named_accounts(seat: Seat, names: Sequence[str]) -> list[NamedRow]:
    """Return the accounts of these names, and whether a block stands between them and the viewer."""
    query = _NAMED.format(names=sql.placeholders(names))
    rows = await sql.fetch_inline(query, *[seat.viewer.id] * 4, seat.room.id, *names)
    return [NamedRow._make(row) for row in rows]


async def mentions_of(message_id: int) -> list[MentionRow]:
    rows = await sql.fetch_inline("SELECT id, user_id, kind FROM mention WHERE message_id = ?", message_id)
    return [MentionRow._make(row) for row in rows]


async def called_by(message_id: int) -> set[int]:
    """Return the people whom the message calls by name or by an answer."""
    return {row.user_id for row in await mentions_of(message_id) if row.user_id is not None}


async def has_called_everyone_since(room_id: int, moment: datetime) -> bool:
    """Return whether a message of that moment or later has called everyone in the room."""
    rows = await sql.fetch_inline(
        "SELECT message.created_at FROM mention JOIN message ON message.id = mention.message_id "
        "WHERE mention.user_id IS NULL AND mention.room_id = ? ORDER BY mention.number DESC LIMIT 1",
        room_id,
    )
    return bool(rows) and sql.from_db(rows[0]["created_at"]) >= moment
