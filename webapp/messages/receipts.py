"""How far the newest message of a one-to-one chat has come: sent, delivered, seen."""

import asyncio
from collections.abc import Collection

from webapp.accounts.viewer import Person
from webapp.conversations.models import Membership, Room
from webapp.core.i18n import Text, _
from webapp.http import render
from webapp.live import Frame, Payload, frames, hub

# Whoever has the chat open has seen it within this time: then "Sent" is not said first.
DELAY_SECONDS = 0.2
SENT, DELIVERED, SEEN = _("Sent"), _("Delivered"), _("Seen")


def schedule_refresh(room: Room) -> None:
    """Something was posted in the chat: what is said of the one before holds no more."""
    if room.is_chat:
        hub().spawn(_tell_later(room.id))


async def _tell_later(room_id: int) -> None:
    await asyncio.sleep(DELAY_SECONDS)
    hub().refresh(f"room:{room_id}", "receipts")


def receipt_for(room: Room, author: Person | None) -> Text:
    """What somebody may know of the newest message in the chat that they see, when it is theirs."""
    if (
        author is None
        or not room.is_chat
        or room.last_author != author.id
        or room.other_membership is None
        or room.is_blocked
    ):
        return ""
    return _said(room, author, room.other_membership)


def _said(room: Room, author: Person, theirs: Membership) -> Text:
    """Nothing before the other has answered, nor when either of the two keeps such things to themselves."""
    if theirs.is_request or not (author.shows_receipts and theirs.user.shows_receipts):
        return ""
    if theirs.read_number >= room.last_number:
        return SEEN
    return DELIVERED if theirs.delivered_number >= room.last_number else SENT


async def receipts(rooms: Collection[int]) -> dict[int, Payload]:
    """Return what the author of the newest message of each chat is told, in the bytes that both get."""
    found = await Membership.filter(room_id__in=rooms).select_related("room", "user")
    by_room: dict[int, list[Membership]] = {}
    for membership in found:
        by_room.setdefault(membership.room_id, []).append(membership)
    return {number: _state(memberships) for number, memberships in by_room.items()}


def _state(memberships: list[Membership]) -> Payload:
    room = memberships[0].room
    mine = next((one for one in memberships if one.user_id == room.last_author), None)
    theirs = next((one for one in memberships if one.user_id != room.last_author), None)
    said = _said(room, mine.user, theirs) if mine and theirs else ""
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
