"""Pinned messages: what a room shows to everybody who opens it, in its card and on a page; and what open pages show."""

from collections.abc import Collection
from datetime import UTC, datetime

from webapp.conversations import queries
from webapp.conversations.kinds import may_moderate_now
from webapp.conversations.models import ROOM_NOT_FOUND, Membership
from webapp.conversations.seats import KICKED, RoomRow, Seat
from webapp.core.errors import Forbidden, NotFound
from webapp.core.i18n import _
from webapp.db import sql, transaction
from webapp.http import render
from webapp.live import Frame, Payload, frames, hub
from webapp.messages.models import Message, Pin, store_pin_count
from webapp.messages.pin_queries import MAX_PINS, Pins, newest_pins

NOT_ALLOWED = _("Only owners and moderators of the room can pin messages.")


def can_pin(seat: Seat) -> bool:
    """Return whether the viewer pins here: who moderates the room; where nobody owns it, who is in it."""
    is_theirs = seat.kind.is_between_two or (seat.kind.is_group and seat.membership is not None)
    return seat.is_moderator or (is_theirs and seat.can_post)


async def pin(seat: Seat, number: int) -> bool:
    """
    Pin the message for everybody in the room; return whether it was not pinned before.

    Raise Forbidden for who may not pin, and where MAX_PINS are; NotFound where the message is not there any more.
    """
    _require_can_pin(seat)
    return await transaction.transact(_pin, seat, number)


async def _pin(seat: Seat, number: int) -> bool:
    first_number = await _lock(seat)
    room_id = seat.room.id
    message = await Message.get_or_none(room_id=room_id, number=number, removed_at=None, notice="")
    if message is None or number < first_number:
        raise NotFound(_("This message has been removed."))
    if await Pin.exists(message_id=message.id):
        return False
    # Under the lock: of two who pin at once the other waits, and then counts this one.
    if await Pin.filter(room_id=room_id, message__removed_at=None).count() >= MAX_PINS:
        raise Forbidden(
            _("%(most)s messages are pinned here, which is the most. Unpin one of them first.", most=MAX_PINS)
        )
    user_id = seat.viewer.id
    await Pin.create(
        room_id=room_id, message_id=message.id, number=number, pinned_by_id=user_id, pinned_at=datetime.now(UTC)
    )
    await store_pin_count(room_id)
    return True


async def unpin(seat: Seat, number: int) -> bool:
    """Pin it no longer; return whether it was pinned. Raise Forbidden for who may not pin."""
    _require_can_pin(seat)

    async def write() -> bool:
        await _lock(seat)
        if not await Pin.filter(room_id=seat.room.id, number=number).delete():
            return False
        await store_pin_count(seat.room.id)
        return True

    return await transaction.transact(write)


def _require_can_pin(seat: Seat) -> None:
    if not can_pin(seat):
        raise Forbidden(NOT_ALLOWED if seat.kind.has_owner else seat.refusal or NOT_ALLOWED)


async def _lock(seat: Seat) -> int:
    """
    Lock the room, and check again who the viewer is there: since the seat was found that may have changed.

    Return the number of the first message that is there.
    """
    locked = await sql.execute(
        "UPDATE room SET version = version WHERE id = ? AND closed_at IS NULL RETURNING first_number", seat.room.id
    )
    if not locked:
        raise NotFound(_("The room has been deleted."))
    if seat.kind.is_between_two:
        await seat.kind.check_post(seat.room, seat.viewer.id, 0)
    elif seat.kind.is_group:
        if not await Membership.exists(room_id=seat.room.id, user_id=seat.viewer.id, role__not=KICKED):
            raise NotFound(ROOM_NOT_FOUND)
    elif not await may_moderate_now(seat.room, seat.viewer.id):
        raise Forbidden(NOT_ALLOWED)
    return int(locked[0]["first_number"])


# What open pages show.


def changed(room_id: int) -> None:
    """Something was pinned or unpinned, or what is pinned was edited or removed."""
    hub().refresh(f"room:{room_id}", "pins")


async def pins(rooms: Collection[int]) -> dict[int, Payload]:
    """Return the line about the pins of each room, in the same bytes for everybody."""
    found = await newest_pins(rooms)
    paths = {room.id: room.path for room in await queries.rooms_by_id([id for id in rooms if found[id].total])}
    return {room: pins_frame(paths.get(room, ""), shown) for room, shown in found.items()}


def pins_frame(room_path: str, shown: Pins) -> Payload:
    def made() -> Frame:
        html = render.fragment("messages/_pins.html", room_path=room_path, pins=shown) if room_path else ""
        # The endless document can't replace what it has said: each new line hides the ones before it.
        line = f'<li class="live-state live-state--pins"{"" if html else " hidden"}>{html}</li>'
        return Frame(frames.sse_event(frames.hx_partial("#pins", "innerHTML", html)), line.encode())

    return frames.localized(made, (room_path, shown))


async def pins_of(room: RoomRow) -> Pins:
    """Return what the page of the room shows of its pins: most rooms have none, and nothing is asked for them."""
    return (await newest_pins([room.id]))[room.id] if room.pin_count else Pins()
