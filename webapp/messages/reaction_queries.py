"""The queries of reactions: their counts beneath messages, who reacted, and to what a person has reacted."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from webapp.conversations.seats import RoomRow
from webapp.db import sql

# A page of a message names so many of those who reacted with one kind.
MAX_REACTORS = 50
# A chip has the marks of so many: each takes bytes that can't be compressed.
MAX_MARKS = 10
MARK_LENGTH = 4
_CHIPS = """
SELECT marked.message_id, marked.kind, marked.count, "user".code FROM (
    SELECT message_id, kind, user_id, COUNT(*) OVER (PARTITION BY message_id, kind) AS count,
        MIN(id) OVER (PARTITION BY message_id, kind) AS first,
        ROW_NUMBER() OVER (PARTITION BY message_id, kind ORDER BY id DESC) AS place
    FROM reaction WHERE message_id IN ({messages})
) AS marked JOIN "user" ON "user".id = marked.user_id
WHERE marked.place <= ? ORDER BY marked.message_id, marked.first, marked.place
"""
_GIVEN = """
SELECT reaction.id, room.key, message.number, reaction.kind, reaction.created_at FROM reaction
    JOIN message ON message.id = reaction.message_id JOIN room ON room.id = message.room_id
WHERE reaction.user_id = ? AND reaction.id > ? AND room.closed_at IS NULL AND message.number >= room.first_number
ORDER BY reaction.id LIMIT ?
"""
_REACTORS = """
SELECT named.kind, "user".code, "user".display_name FROM (
    SELECT kind, user_id, ROW_NUMBER() OVER (PARTITION BY kind ORDER BY id DESC) AS place
    FROM reaction WHERE message_id = ? AND user_id NOT IN (SELECT blocked_id FROM block WHERE blocker_id = ?)
) AS named JOIN "user" ON "user".id = named.user_id
WHERE named.place <= ? ORDER BY named.place
"""


class Target(NamedTuple):
    """A message that is reacted to."""

    id: int
    author_id: int | None


async def reaction_targets(room: RoomRow, numbers: Collection[int]) -> dict[int, Target]:
    """Return the messages of these numbers that are there and were not removed."""
    rows = await sql.fetch_inline(
        "SELECT number, id, author_id FROM message "
        f"WHERE room_id = ? AND number IN ({sql.placeholders(numbers)}) AND number >= ? AND removed_at IS NULL "
        "AND notice = ''",
        room.id, *numbers, room.first_number,
    )  # fmt: skip
    return {row["number"]: Target(row["id"], row["author_id"]) for row in rows}


# So many reactions of one person are taken back together, in the one transaction of each room.
WITHDRAWN_BATCH_SIZE = 100


async def reacted_by(user_id: int) -> dict[int, set[int]]:
    """Return by room the messages (by id) to which some of the person's reactions are, until there are none."""
    rows = await sql.fetch_inline(
        "SELECT message.room_id, message.id FROM reaction JOIN message ON message.id = reaction.message_id "
        "WHERE reaction.user_id = ? LIMIT ?",
        user_id, WITHDRAWN_BATCH_SIZE,
    )  # fmt: skip
    found: dict[int, set[int]] = {}
    for row in rows:
        found.setdefault(row["room_id"], set()).add(row["id"])
    return found


async def read_until(user_id: int, reaction_id: int) -> datetime | None:
    """Return when the last of the reactions came that the person has seen, by the watermark of their inbox."""
    rows = await sql.fetch_inline(
        "SELECT created_at FROM reaction WHERE to_user_id = ? AND id <= ? ORDER BY id DESC LIMIT 1",
        user_id, reaction_id,
    )  # fmt: skip
    return sql.from_db(rows[0]["created_at"]) if rows else None


async def summed_reactions(messages: Collection[int]) -> dict[int, str]:
    """Return the reactions to each of these messages (by id) as the column has them; kinds in the order they came."""
    query = _CHIPS.format(messages=sql.placeholders(messages))
    chips: dict[int, dict[str, list[str]]] = {message: {} for message in messages}
    for row in await sql.fetch_all(query, *messages, MAX_MARKS):
        chip = chips[row["message_id"]].setdefault(row["kind"], [row["kind"], str(row["count"])])
        chip.append(row["code"][:MARK_LENGTH])
    return {message: "\n".join(map(" ".join, kinds.values())) for message, kinds in chips.items()}


async def reactors(message_id: int, viewer_id: int) -> dict[str, list[tuple[str, str]]]:
    """Return by kind the codes and names of the newest who reacted, without those whom the viewer has blocked."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in await sql.fetch_all(_REACTORS, message_id, viewer_id, MAX_REACTORS):
        found.setdefault(row["kind"], []).append((row["code"], row["display_name"]))
    return found


async def kinds_by(message_id: int, user_id: int) -> set[str]:
    """Return the kinds with which the person has reacted to the message."""
    rows = await sql.fetch_inline("SELECT kind FROM reaction WHERE message_id = ? AND user_id = ?", message_id, user_id)
    return {row["kind"] for row in rows}


class Given(NamedTuple):
    """A reaction, as the person who reacted takes it along."""

    id: int
    room_key: str
    number: int
    kind: str
    created_at: datetime


async def reactions_after(user_id: int, id: int, limit: int) -> list[Given]:
    """Return up to so many of the person's reactions after that one, in order."""
    rows = await sql.fetch_all(_GIVEN, user_id, id, limit)
    return [Given(*row)._replace(created_at=sql.from_db(row["created_at"])) for row in rows]
