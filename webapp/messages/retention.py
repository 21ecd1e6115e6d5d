"""How long messages stay: what a room's owners choose, what takes effect when, and how rooms that were closed go."""

from datetime import UTC, datetime

from webapp.conversations import broadcasts as rooms
from webapp.conversations.models import Room
from webapp.conversations.notice_words import WARNING
from webapp.conversations.seats import kept_days, within_site
from webapp.core.errors import Invalid, NotFound
from webapp.core.i18n import _
from webapp.db import sql, transaction
from webapp.files import removal
from webapp.messages import changes, notices
from webapp.messages.models import Message

MAX_DAYS = 3650
NOTICE = "retention"


async def set_keep_days(room_id: int, days: int) -> datetime | None:
    """
    Change after how many days the room's messages go, 0 for never; return when that takes effect, None for at once.

    What is shorter than before takes effect after a day, and a line in the log says so; what is not takes effect at
    once. Either takes the place of what waited. Raises Invalid and NotFound.
    """
    if not 0 <= days <= MAX_DAYS:
        raise Invalid(keep_days=_("Choose up to %(most)s days, or 0 for messages that stay.", most=MAX_DAYS))
    takes_effect, version = await transaction.transact(_store_days, room_id, days)
    if version:
        changes.log_changed(room_id, version)
    rooms.details_changed(room_id)
    return takes_effect


async def _store_days(room_id: int, days: int) -> tuple[datetime | None, int]:
    """Within a transaction; return when it takes effect, and the room's version where a line says so, else 0."""
    locked = await sql.execute(
        "UPDATE room SET version = version WHERE id = ? AND closed_at IS NULL "
        "RETURNING keep_days, next_keep_days, keep_changes_at",
        room_id,
    )
    if not locked:
        raise NotFound(_("The room has been deleted."))
    current, waiting, changes_at = locked[0]
    changes_at = sql.from_db(changes_at) if changes_at else None
    current = kept_days(current, waiting, changes_at)
    now = datetime.now(UTC)
    if days == waiting and changes_at and changes_at > now:
        return changes_at, 0
    if is_shorter(days, current):
        takes_effect = now + WARNING
        values = {"keep_days": current, "next_keep_days": days, "keep_changes_at": takes_effect}
        await Room.filter(id=room_id).update(**values)
        return takes_effect, await notices.insert(room_id, f"{NOTICE}:{days}")
    await Room.filter(id=room_id).update(keep_days=days, next_keep_days=None, keep_changes_at=None)
    return None, 0


def is_shorter(days: int, than: int) -> bool:
    """Return whether messages would go earlier, both being within what the site sets; 0 is for never."""
    some, others = within_site(days), within_site(than)
    return bool(some) and (not others or some < others)


async def delete_closed_rooms() -> int:
    """Erase the rooms that were deleted, in small batches, so that nobody else waits for it; how many."""
    closed = await Room.filter(closed_at__not_isnull=True).values("id")
    for room_id in [int(row["id"]) for row in closed]:
        await removal.delete_of_room(room_id)
        await sql.delete_in_batches(Message.filter(room_id=room_id))
        await Room.filter(id=room_id).delete()
    return len(closed)
