"""Giving a group a name: it is a private room then."""

from webapp.conversations import kinds
from webapp.conversations.models import ROOM_NOT_FOUND, Membership, Room, room_name
from webapp.conversations.seats import KICKED, OWNER, Seat
from webapp.core.errors import Forbidden, NotFound
from webapp.core.i18n import _
from webapp.db import transaction
from webapp.messages import notices


async def name_group(seat: Seat, typed: str) -> int:
    """
    Make the group a private room of that name, which the viewer owns; return its new version.

    All who are in it stay, and who was asked is asked still. Raise Invalid, NotFound, and Forbidden where another
    member was sooner.
    """
    return await transaction.transact(_name, seat, room_name(typed))


async def _name(seat: Seat, name: str) -> int:
    version = await notices.insert(seat.room.id, "named")  # which locks the room
    mine = Membership.filter(room_id=seat.room.id, user_id=seat.viewer.id, role__not=KICKED)
    if not await mine.exists():
        raise NotFound(ROOM_NOT_FOUND)
    unnamed = Room.filter(id=seat.room.id, kind=kinds.GROUP.stored)
    if not await unnamed.update(kind=kinds.PRIVATE.stored, name=name):
        raise Forbidden(_("Another member has just given the group a name."))
    await mine.update(role=OWNER)
    return version
