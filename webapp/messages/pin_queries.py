"""The queries of pinned messages: the newest of each room, which its card shows, and all of one."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from webapp.accounts.viewer import Avatar
from webapp.conversations.kinds import DELETED_ACCOUNT
from webapp.conversations.seats import RoomRow
from webapp.core.i18n import Text
from webapp.db import sql
from webapp.files.queries import FIRST_FILE, summary
from webapp.messages.markdown import first_line
from webapp.messages.queries import MESSAGES, QUOTE_LENGTH, MessageRow, files_in, message_from

MAX_PINS = 50
_NEWEST = f"""
SELECT pinned.room_id, pinned.total, pinned.number, pinned.html, author.code, author.display_name,
    {FIRST_FILE.format(message="pinned")} FROM (
    SELECT pin.room_id, pin.number, message.id, message.file_count, message.html, message.author_id,
        COUNT(*) OVER (PARTITION BY pin.room_id) AS total,
        ROW_NUMBER() OVER (PARTITION BY pin.room_id ORDER BY pin.id DESC) AS place
    FROM pin JOIN message ON message.id = pin.message_id
    WHERE pin.room_id IN ({{rooms}}) AND message.removed_at IS NULL
) AS pinned LEFT JOIN "user" AS author ON author.id = pinned.author_id WHERE pinned.place = 1
"""
_PINS = """
SELECT pin.number, pin.pinned_at, "user".code, "user".display_name
FROM pin LEFT JOIN "user" ON "user".id = pin.pinned_by_id WHERE pin.room_id = ? ORDER BY pin.id DESC LIMIT ?
"""


class Pins(NamedTuple):
    """What the card of a room shows of its pins: how many there are, and of the newest who wrote what."""

    total: int = 0
    number: int = 0
    text: Text = ""
    author_code: str = ""
    author_name: Text = ""

    @property
    def hue(self) -> int:
        return Avatar.of(str(self.author_name), self.author_code).hue


class PinRow(NamedTuple):
    """A pinned message, and who pinned it when."""

    message: MessageRow
    pinned_at: datetime
    by_code: str
    by_name: Text


async def newest_pins(rooms: Collection[int]) -> dict[int, Pins]:
    """Return what the card of each of these rooms shows."""
    found = {room: Pins() for room in rooms}
    if rooms:
        for row in await sql.fetch_inline(_NEWEST.format(rooms=sql.placeholders(rooms)), *rooms):
            room, total, number, html, code, name, first_file = row
            text = first_line(html, QUOTE_LENGTH) or summary(first_file)
            found[room] = Pins(total, number, text, code or "", name if code else DELETED_ACCOUNT)
    return found


async def list_pins(room: RoomRow) -> list[PinRow]:
    """Return the room's pins, the latest first."""
    pins = await sql.fetch_inline(_PINS, room.id, MAX_PINS)
    if not pins:
        return []
    numbers = [pin["number"] for pin in pins]
    query = f"{MESSAGES} message.room_id = ? AND message.number IN ({sql.placeholders(numbers)})"
    rows = await sql.fetch_inline(query, room.id, *numbers)
    files = await files_in(rows, {room.id: room.path})
    messages = {row["number"]: message_from(row, room.path, {}, files) for row in rows if not row["removed_at"]}
    return [
        PinRow(messages[number], sql.from_db(at), code or "", name if code else DELETED_ACCOUNT)
        for number, at, code, name in pins
        if number in messages
    ]


async def is_pinned(message_id: int) -> bool:
    return bool(await sql.fetch_inline("SELECT 1 FROM pin WHERE message_id = ?", message_id))
