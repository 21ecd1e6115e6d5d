"""Which streams end because of a room: its reader is kept out of it, or blocked by, or has blocked, the other there."""

from collections.abc import Sequence
from datetime import UTC, datetime

from webapp.conversations.models import KICKED
from webapp.db import sql
from webapp.live import Reader
from webapp.relationships.models import Block


async def check_access(readers: Sequence[Reader]) -> list[tuple[Reader, str]]:
    kicked = await _kicked({reader.labels["user"] for reader in readers})
    ended = [(reader, "kicked") for reader in readers if (reader.labels["user"], reader.channel) in kicked]
    parted = await _parted({(reader.labels["user"], reader.labels.get("other")) for reader in readers})
    pairs = [(reader, (reader.labels["user"], reader.labels.get("other"))) for reader in readers]
    return ended + [(reader, "parted") for reader, pair in pairs if pair in parted]


async def _kicked(users: set[int]) -> set[tuple[int, int]]:
    """Who of these users is kept out of which room."""
    rows = await sql.rows(
        f"SELECT user_id, room_id FROM membership WHERE user_id IN ({sql.placeholders(users)}) AND role = ? "
        "AND kicked_until > ?",
        *users, KICKED, sql.to_db(datetime.now(UTC)),
    )  # fmt: skip
    return {(row["user_id"], row["room_id"]) for row in rows}


async def _parted(pairs: set[tuple[int, int | None]]) -> set[tuple[int, int | None]]:
    """Between which of these people, of whom one talks to the other in a chat, a block stands, whoever made it."""
    people = {person for pair in pairs if pair[1] is not None for person in pair}
    if not people:
        return set()
    blocks = Block.filter(blocker_id__in=people, blocked_id__in=people)
    found = {(row["blocker_id"], row["blocked_id"]) for row in await blocks.values("blocker_id", "blocked_id")}
    return {(one, other) for one, other in pairs if {(one, other), (other, one)} & found}
