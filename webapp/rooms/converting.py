"""Making a public room private, and a private one public: its address, its name, and the line in its log."""

from tortoise.exceptions import IntegrityError

from webapp.conversations import kinds
from webapp.conversations.member_changes import NOT_ALLOWED
from webapp.conversations.models import Membership, Room, RoomAlias, random_key, room_name
from webapp.conversations.roles import MAY, Act
from webapp.conversations.seats import Kind, Seat
from webapp.core import text
from webapp.core.errors import Forbidden, Invalid, NotFound
from webapp.core.i18n import _
from webapp.db import transaction
from webapp.messages import notices
from webapp.rooms.opening import free_key

# So many addresses that a room had lead on, the latest.
MAX_ALIASES = 20
NAME_TAKEN = _("Another room is called that. Choose another name.")


class _Unchanged(Exception):
    """The room is of that kind already, as when two made it so at once."""


async def make_private(seat: Seat) -> int:
    """
    Take the room away from all who are not in it; return its new version, 0 where it was private before.

    A random key takes the place of its slug, which leads on who is in it, and its name is free. Raise Forbidden and
    NotFound.
    """

    async def write() -> int:
        version = await _begin(seat, kinds.PRIVATE)
        await Room.filter(id=seat.room.id).update(folded=None)
        await _take_key(seat.room.id, random_key())
        return version

    try:
        return await transaction.transact(write)
    except _Unchanged:
        return 0


async def make_public(seat: Seat, typed: str) -> int:
    """
    Let everybody find and read the room under a name that no other has; return its new version, 0 as make_private.

    Raise Invalid, also where the name is taken, Forbidden and NotFound.
    """
    name = room_name(typed)
    folded = text.fold(name)

    async def write(key: str) -> int:
        version = await _begin(seat, kinds.PUBLIC)
        await Room.filter(id=seat.room.id).update(name=name, folded=folded)
        await _take_key(seat.room.id, key)
        return version

    for attempt in range(20):
        try:
            return await transaction.transact(write, free_key(folded, attempt))
        except _Unchanged:
            return 0
        except IntegrityError as error:
            if await Room.exists(folded=folded):
                raise Invalid(name=NAME_TAKEN) from error
    raise RuntimeError("no free key was found for a room")


async def _begin(seat: Seat, kind: Kind) -> int:
    """Lock the room, make it of that kind and say so in its log; return the version that this took."""
    version = await notices.insert(seat.room.id, kind.stored)
    [stored] = await Room.filter(id=seat.room.id).values_list("kind")
    mine = await Membership.get_or_none(room_id=seat.room.id, user_id=seat.viewer.id)
    if stored[0] not in (kinds.PUBLIC.stored, kinds.PRIVATE.stored):
        raise NotFound
    if mine is None or mine.role not in MAY[Act.OWN]:
        raise Forbidden(NOT_ALLOWED[Act.OWN])
    if stored[0] == kind.stored:
        raise _Unchanged
    await Room.filter(id=seat.room.id).update(kind=kind.stored)
    return version


async def _take_key(room_id: int, key: str) -> None:
    """Give the room this key; the one that it had leads on from now on."""
    [(before,)] = await Room.filter(id=room_id).values_list("key")
    await RoomAlias.filter(room_id=room_id, key__in=(key, before)).delete()
    await RoomAlias.create(room_id=room_id, key=before)
    await Room.filter(id=room_id).update(key=key)
    old = await RoomAlias.filter(room_id=room_id).order_by("-id").offset(MAX_ALIASES).values_list("id", flat=True)
    await RoomAlias.filter(id__in=list(old)).delete()
