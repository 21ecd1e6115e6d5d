"""How far the newest message of a one-to-one chat has come: sent, delivered, seen."""

import asyncio
from collections.abc import Collection

from webapp.accounts.viewer import Person
from webapp.conversations.models import Membership, Room
from webapp.conversations.seats import MembershipRow, RoomRow, Seat
from webapp.core.i18n import Text, _
from webapp.http import render
from webapp.live import Frame, Payload, frames, hub

# An open page of the other reports it as seen within this time: then "Sent" is not shown first.
DELAY_SECONDS = 0.2
SENT, DELIVERED, SEEN = _("Sent"), _("Delivered"), _("Seen")


def schedule_refresh(room: RoomRow) -> None:
    """Something was posted in the chat: what is said of the one before holds no more."""
    if room.kind.is_between_two:
        hub().spawn(_tell_later(room.id))


async def _tell_later(room_id: int) -> None:
    await asyncio.sleep(DELAY_SECONDS)
    hub().refresh(f"room:{room_id}", "receipts")


def receipt_for(seat: Seat) -> Text:
    """Return how far the newest message has come, to its author; empty where they may not know."""
    if not seat.kind.is_between_two or seat.room.last_author != seat.viewer.id or seat.is_blocked:
        return ""
    theirs = seat.other_membership
    if theirs is None or seat.other is None or theirs.is_request:
        return ""
    return _receipt(seat.room, seat.viewer, theirs, seat.other)


def _receipt(room: Room | RoomRow, author: Person, theirs: Membership | MembershipRow, other: Person) -> Text:
    """Return nothing where either of the two hides their receipts."""
    if not (author.shows_receipts and other.shows_receipts):
        return ""
    if theirs.read_number >= room.last_number:
        return SEEN
    return DELIVERED if theirs.delivered_number >= room.last_number else SENT


async def receipts(rooms: Collection[int]) -> dict[int, Payload]:
    """Return the receipt of the newest message of each chat, in the bytes that both get."""
    found = await Membership.filter(room_id__in=rooms).select_related("room", "user")
    by_room: dict[int, list[Membership]] = {}
    for membership in found:
        by_room.setdefault(membership.room_id, []).append(membership)
    return {number: _state(memberships) for number, memberships in by_room.items()}


def _state(memberships: list[Membership]) -> Payload:
    room = memberships[0].room
    mine = next((one for one in memberships if one.user_id == room.last_author), None)
    theirs = next((one for one in memberships if one.user_id != room.last_author), None)
    is_answered = mine is not None and theirs is not None and not theirs.is_request
    said = _receipt(room, mine.user, theirs, theirs.user) if mine and theirs and is_answered else ""
    return receipt_frame(said, mine.user.code if mine and said else "", room.last_number)


def receipt_frame(said: Text, author: str, number: int) -> Payload:
    """
    A style shows it to the author alone, as it does what is theirs in the log.

    It names the message: a state that is the same as before is not sent again, and "Seen" of the next is another.
    """

    def made() -> Frame:
        html = render.fragment("messages/_receipt.html", receipt=said, author=author, number=number)
        line = f'<li class="receipt" data-author="{author}" data-number="{number}">{said}</li>'
        return Frame(frames.sse_event(frames.hx_partial("#receipt", "outerHTML", html)), line.encode())

    return frames.localized(made)
