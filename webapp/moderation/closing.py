"""Closing a room that everybody finds, which deletes it with all that was written there."""

from webapp.accounts.audit import NOTE_LENGTH, Action, AuditEntry
from webapp.accounts.viewer import Person
from webapp.conversations import kinds
from webapp.conversations.audit import NOBODY
from webapp.conversations.models import ROOM_NOT_FOUND, Room
from webapp.core import text
from webapp.core.errors import Invalid, NotFound
from webapp.core.i18n import _
from webapp.db import transaction
from webapp.moderation.decisions import validate_length


async def close_room(room_id: int, admin: Person, name: str, note: str) -> str:
    """
    Close the room, where its name was typed, and write it down; return its key. Raises Invalid, and NotFound.

    One that was made private meanwhile is none that an administrator may close.
    """
    noted = validate_length(note, NOTE_LENGTH, "note")

    async def write() -> str:
        listed = kinds.names(lambda kind: kind.is_listed)
        # Locks the row before it is read: nobody renames it or makes it private between the two.
        if not await Room.filter(id=room_id, kind__in=listed, closed_at=None).update(closed_at=None):
            raise NotFound(ROOM_NOT_FOUND)
        room = await Room.get(id=room_id)
        if text.fold(name) != text.fold(room.name):
            raise Invalid(name=_("That is not the name of this room."))
        await Room.close(room_id)
        await AuditEntry.write(admin, Action.DELETE, {**NOBODY, "place": room.name, "room": room.id}, note=noted)
        return room.key

    return await transaction.transact(write)
