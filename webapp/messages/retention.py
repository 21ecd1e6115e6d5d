"""Deleting the messages and the files of rooms that were closed."""

from webapp.conversations.models import Room
from webapp.db import sql
from webapp.files import removal
from webapp.messages.models import Message


async def delete_closed_rooms() -> int:
    """Erase the rooms that were deleted, in small batches, so that nobody else waits for it; how many."""
    closed = await Room.filter(closed_at__not_isnull=True).values("id")
    for room_id in [int(row["id"]) for row in closed]:
        await removal.delete_of_room(room_id)
        await sql.delete_in_batches(Message.filter(room_id=room_id))
        await Room.filter(id=room_id).delete()
    return len(closed)
