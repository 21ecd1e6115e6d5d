"""Which streams end because of a room: its reader is kept out of it, or blocked by, or has blocked, the other there."""

from collections.abc import Sequence
from datetime import UTC, datetime

from webapp.conversations.models import KICKED
from webapp.db import sql
from webapp.live import Reader


async def check_access(readers: Sequence[Reader]) -> list[tuple[Reader, str]]:
    kicked = await _kicked({reader.labels["user"] for reader in readers})
    rooms = {reader: reader.number("room") for reader in readers}
    ended = [(reader, "kicked") for reader, room in rooms.items() if (reader.labels["user"], room) in kicked]
    blocked = await _blocked({room for room in rooms.values() if room is not None})
    return ended + [(reader, "parted") for reader, room in rooms.items() if room in blocked]


async def _kicked(users: set[int]) -> set[tuple[int, int]]:
    """Who of these users is kept out of which room."""
    rows = await sql.fetch_inline(
        f"SELECT user_id, room_id FROM membership WHERE user_id IN ({sql.placeholders(users)}) AND role = ? "
        "AND kicked_until > ?",
        *users, KICKED, sql.to_db(datetime.now(UTC)),
    )  # fmt: skip
    return {(row["user_id"], row["room_id"]) for row in rows}


async def _blocked(rooms: set[int]) -> set[int]:
    """Return the direct chats among the rooms between whose two people a block stands, whoever made it."""
    if not rooms:
        return set()
    pairs = f"SELECT id, low, high FROM room WHERE id IN ({sql.placeholders(rooms)}) AND low IS NOT NULL"
    rows = await sql.fetch_inline(
        f"SELECT chat.id FROM ({pairs}) AS chat JOIN block ON blocker_id = low AND blocked_id = high "
        f"UNION SELECT chat.id FROM ({pairs}) AS chat JOIN block ON blocker_id = high AND blocked_id = low",
        *rooms, *rooms,
    )  # fmt: skip
    return {row["id"] for row in rows}
