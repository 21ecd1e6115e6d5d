"""Saved messages: what a person puts aside for themselves, which nobody else hears of."""

from datetime import UTC, datetime

from webapp.conversations.seats import Seat
from webapp.core.errors import NotFound
from webapp.core.i18n import _
from webapp.db import sql
from webapp.messages.models import Message


async def save(seat: Seat, number: int) -> None:
    """Save the message for the viewer; twice is as good as once. Raise NotFound where it is not there any more."""
    stored = await sql.execute(
        "INSERT INTO saved (user_id, message_id, saved_at) SELECT CAST(? AS INT), id, ? FROM message "
        "WHERE room_id = ? AND number = ? AND number >= ? AND removed_at IS NULL AND notice = '' "
        "ON CONFLICT DO NOTHING RETURNING id",
        seat.viewer.id, sql.to_db(datetime.now(UTC)), seat.room.id, number, seat.room.first_number,
    )  # fmt: skip
    if not stored and not await Message.exists(room_id=seat.room.id, number=number, removed_at=None, notice=""):
        raise NotFound(_("This message has been removed."))


async def unsave(seat: Seat, number: int) -> None:
    """Save it no longer, if it was."""
    await sql.execute(
        "DELETE FROM saved WHERE user_id = ? AND message_id IN "
        "(SELECT id FROM message WHERE room_id = ? AND number = ?) RETURNING id",
        seat.viewer.id, seat.room.id, number,
    )  # fmt: skip
