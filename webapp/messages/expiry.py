"""
Deleting messages whose time has come, by what a room or the site has set.

Two steps, each harmless where a crash cuts it short. In one transaction the room's first number moves beyond what goes:
from then on nothing of it is shown or found anywhere, and the version jumps, so that every open page gets the log once
more. Then the rows are deleted in batches, with all that hangs on them. What is left of those, the next purge finds.
"""

from datetime import UTC, datetime

from webapp import settings
from webapp.conversations import broadcasts as rooms
from webapp.conversations.models import Room
from webapp.conversations.queries import room_by_id
from webapp.conversations.seats import RoomRow
from webapp.db import engine, sql, transaction
from webapp.files import removal
from webapp.live import hub
from webapp.messages import changes, expiry_queries, pins
from webapp.messages.expiry_queries import SLICE, count_removed, expired_messages, first_younger, limit
from webapp.messages.models import Message, Pin, store_pin_count
from webapp.messages.queries import MAX_CHANGES, first_since


async def delete_expired() -> int:
    """Delete the messages whose time has come; how many. May be repeated, and run by several processes at once."""
    count = last = 0
    while page := await expiry_queries.rooms_to_look_at(last):
        last = page[-1].room_id
        for due in filter(None, page):
            if due.has_changed:
                await _settle(due.room_id)
            if due.is_old and (room := await room_by_id(due.room_id)):
                await _forget(room, due.days)
            if due.is_old or due.is_left:
                count += await _delete_rows(due.room_id)
    return count


async def _settle(room_id: int) -> None:
    """Make what has taken effect what the room has."""
    settled = await sql.execute(
        "UPDATE room SET keep_days = next_keep_days, next_keep_days = NULL, keep_changes_at = NULL "
        "WHERE id = ? AND next_keep_days IS NOT NULL AND keep_changes_at <= ? RETURNING id",
        room_id, sql.to_db(datetime.now(UTC)),
    )  # fmt: skip
    if settled and hub.is_held:
        rooms.details_changed(room_id)


# What expires.


async def _forget(room: RoomRow, days: int) -> None:
    """Let nothing be shown any more that is older than so many days."""
    number = await first_to_stay(room, limit(days))
    if number <= room.first_number:
        return
    version = await transaction.transact(_move_first, room, number, days)
    if version and hub.is_held:
        _tell(room, version)


async def first_to_stay(room: RoomRow, moment: datetime) -> int:
    """
    Return the number of the first message that stays: the one after the last of those that are all older.

    Times rise with numbers, so it is found by bisecting; but those of messages that came from elsewhere may not. So
    each that is to go is looked at besides, and none goes that is younger.
    """
    end = await first_since(room, moment) or room.last_number + 1
    for start in range(room.first_number, end, SLICE):
        if younger := await first_younger(room.id, start, min(start + SLICE, end), moment):
            return younger
    return end


async def _move_first(room: RoomRow, number: int, days: int) -> int:
    """
    Make this the room's first number, within a transaction; return the room's version, 0 where that is not to be.

    It is not where the room was deleted meanwhile, its days were changed, or another purge has done it.
    """
    moved = await sql.execute(
        "UPDATE room SET first_number = ?, version = version + ?, "
        "last_line = CASE WHEN last_number < ? THEN '' ELSE last_line END, "
        "last_author = CASE WHEN last_number < ? THEN NULL ELSE last_author END, "
        "is_last_removed = CASE WHEN last_number < ? THEN FALSE ELSE is_last_removed END "
        "WHERE id = ? AND closed_at IS NULL AND first_number < ? AND keep_days = ? "
        "RETURNING version, removed_count",
        number, MAX_CHANGES + 1, number, number, number, room.id, number, days,
    )  # fmt: skip
    if not moved:
        return 0
    if await Pin.filter(room_id=room.id, number__lt=number).delete():
        await store_pin_count(room.id)
    if moved[0]["removed_count"]:
        await Room.filter(id=room.id).update(removed_count=await count_removed(room.id, number))
    return int(moved[0]["version"])


def _tell(room: RoomRow, version: int) -> None:
    """Every open page gets the log once more; lists have another line of it, or none."""
    changes.log_changed(room.id, version)
    hub().broadcast_reliably("room", room=room.id)
    pins.changed(room.id)
    if room.kind.is_between_two:
        hub().refresh(f"room:{room.id}", "receipts")


# Deleting.


async def _delete_rows(room_id: int) -> int:
    """Delete the messages before the room's first number, in batches; how many."""
    count = 0
    while True:
        # On SQLite a transaction runs in the event loop, and each of these statements by itself in a thread.
        in_batch = _delete_batch(room_id) if settings.ON_SQLITE else transaction.transact(_delete_locked, room_id)
        deleted, names = await in_batch
        await removal.drop(names)
        if not deleted:
            return count
        await engine.checkpoint()
        count += deleted


async def _delete_locked(room_id: int) -> tuple[int, list[str]]:
    """Lock the room first, as everybody does who writes in it, so that none of them waits for another."""
    await sql.execute("UPDATE room SET version = version WHERE id = ? RETURNING id", room_id)
    return await _delete_batch(room_id)


async def _delete_batch(room_id: int) -> tuple[int, list[str]]:
    """Delete the oldest of them; return how many, and the names of the files to drop after that."""
    ids = await expired_messages(room_id)
    if not ids:
        return 0, []
    names = await removal.take_from_all(ids)
    await Message.filter(id__in=ids).delete()
    return len(ids), names
