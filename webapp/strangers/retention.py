"""What is deleted of strangers, and when."""

from datetime import UTC, datetime

from webapp.accounts.models import User
from webapp.conversations.models import Room
from webapp.db import sql
from webapp.db.sql import CLOCK
from webapp.messages.retention import delete_closed_rooms
from webapp.strangers.models import GRACE_MS, KIND, MEMORY_MS, Stranger

# An hour is promised; the purge runs every few minutes.
RETENTION_MINUTES = 30
GUEST_MS = 24 * 3_600_000


async def delete_expired() -> int:
    """
    Erase what is due: chats that ended a while ago, guests and masks of yesterday, and who met whom; how many chats.

    May be repeated, and run by several processes at once.
    """
    now = datetime.now(UTC).timestamp()
    await _end_forsaken()
    ended = datetime.fromtimestamp(now - RETENTION_MINUTES * 60, UTC)
    due = await Room.filter(kind=KIND, locked_at__lt=ended, closed_at=None).values_list("id", flat=True)
    for room_id in due:
        await Stranger.filter(room_id=room_id).update(room_id=None)
        await Stranger.filter(last_room_id=room_id).update(last_room_id=None)
        await Room.filter(id=room_id, kind=KIND).update(closed_at=datetime.now(UTC))
    await delete_closed_rooms()
    await _drop_masks(datetime.fromtimestamp(now - GUEST_MS / 1000, UTC))
    for table, moment, age in (("met", "at", MEMORY_MS), ("conduct", "changed_at", GUEST_MS)):
        await sql.execute(f"DELETE FROM {table} WHERE {moment} < {CLOCK} - {age} RETURNING id")
    return len(due)


async def _end_forsaken() -> None:
    """End chats that both have left without a page open to notice."""
    found = await sql.fetch_all(
        f"SELECT DISTINCT room_id FROM stranger WHERE room_id IS NOT NULL AND here_until < {CLOCK} - {GRACE_MS}"
    )
    for row in found:
        await Stranger.end_abandoned(row["room_id"])


async def _drop_masks(yesterday: datetime) -> None:
    for stranger in await Stranger.filter(mask__created_at__lt=yesterday).select_related("mask"):
        if stranger.is_guest or (stranger.room_id is None and not stranger.is_waiting):
            await stranger.leave()
            await User.filter(id=stranger.mask_id, is_guest=True).delete()
