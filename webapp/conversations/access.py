"""How somebody comes to a room: it is found by what they may see, and entered by its name."""

from webapp.accounts.viewer import Person
from webapp.conversations import direct
from webapp.conversations.models import (
    KEY_LENGTH,
    KICKED,
    PUBLIC,
    RANDOM_KEY_PREFIX,
    ROOM_NOT_FOUND,
    Membership,
    Room,
    is_possible_key,
    room_name,
)
from webapp.core import text
from webapp.core.errors import NotFound
from webapp.db.prepared import Prepared

_MINE = Prepared[Membership](
    lambda user, key: Membership.filter(user_id=user, room__key=key, room__closed_at=None).select_related("room")
)


_BY_KEY = Prepared[Room](lambda key: Room.filter(key=key, closed_at=None))


async def for_reading(user: Person, key: str) -> Room:
    """The open room of that key, with the person's membership; raises Missing, or Refused to one kept out."""
    if not is_possible_key(key, KEY_LENGTH):
        raise NotFound(ROOM_NOT_FOUND)
    if key.startswith(RANDOM_KEY_PREFIX) and (chat := await direct.by_key(user, key)):
        return chat
    # Both in one query for those who are in it; who is not costs a second.
    membership = await _MINE.first(user.id, key)
    room = membership.room if membership else await _BY_KEY.first(key)
    if room is None or room.is_chat:
        raise NotFound(ROOM_NOT_FOUND)
    if membership and membership.role == KICKED:
        membership.require_not_kicked()
        membership = None
    if room.kind != PUBLIC and membership is None:
        raise NotFound(ROOM_NOT_FOUND)
    room.membership = membership
    return room


async def for_posting(user: Person, key: str) -> Room:
    """The same for somebody who wants to write: raises Refused in a locked room."""
    room = await for_reading(user, key)
    room.require_can_post(user)
    return room


async def exists(name: str) -> bool:
    """Whether there is a public room of that name; raises Invalid when there can't be."""
    return await Room.exists(folded=text.fold(room_name(name)))
