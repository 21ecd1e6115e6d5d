"""How somebody comes to a room: it is found by what they may see, and entered by its name."""

import secrets

from tortoise.exceptions import IntegrityError

from webapp import database, text
from webapp.accounts.models import User
from webapp.errors import Missing
from webapp.prepared import Prepared
from webapp.rooms import chats, members
from webapp.rooms.models import (
    KEY_LENGTH,
    KICKED,
    NO_ROOM,
    OWNER,
    PUBLIC,
    RANDOM,
    Membership,
    Room,
    can_be,
    room_name,
    room_topic,
)

_MINE = Prepared[Membership](
    lambda user, key: Membership.filter(user_id=user, room__key=key, room__closed_at=None).select_related("room")
)
_BY_KEY = Prepared[Room](lambda key: Room.filter(key=key, closed_at=None))


async def for_reading(user: User, key: str) -> Room:
    """The open room of that key, with the person's membership; raises Missing, or Refused to one kept out."""
    if not can_be(key, KEY_LENGTH):
        raise Missing(NO_ROOM)
    if key.startswith(RANDOM) and (chat := await chats.by_key(user, key)):
        return chat
    # Both in one query for those who are in it; who is not costs a second.
    membership = await _MINE.first(user.id, key)
    room = membership.room if membership else await _BY_KEY.first(key)
    if room is None or room.is_chat:
        raise Missing(NO_ROOM)
    if membership and membership.role == KICKED:
        membership.check_pardon()
        membership = None
    if room.kind != PUBLIC and membership is None:
        raise Missing(NO_ROOM)
    room.membership = membership
    return room


async def for_writing(user: User, key: str) -> Room:
    """The same for somebody who wants to write: raises Refused in a locked room."""
    room = await for_reading(user, key)
    room.check_lock(user)
    return room


async def exists(name: str) -> bool:
    """Whether there is a public room of that name; raises Invalid when there can't be."""
    return await Room.exists(folded=text.fold(room_name(name)))


async def enter(user: User, name: str, topic: str = "") -> Room:
    """
    Join the public room of that name, or create and own it.

    Two people who create it at the same moment are led to one room by the unique folded name.
    """
    name, topic = room_name(name), room_topic(topic)
    folded = text.fold(name)
    for attempt in range(20):
        try:
            if room := await Room.get_or_none(folded=folded):
                found = await for_reading(user, room.key)
                await members.join(found, user)
                return found
            return await database.transact(_create, user, name, folded, topic, attempt)
        except (IntegrityError, Missing):
            continue  # somebody made it or deleted it first, or the key is taken: look again, try another key
    raise RuntimeError("no free key was found for a room")


async def _create(user: User, name: str, folded: str, topic: str, attempt: int) -> Room:
    room = await Room.create(key=_key(folded, attempt), name=name, folded=folded, topic=topic, member_count=1)
    room.membership = await Membership.create(room=room, user=user, role=OWNER)
    return room


def _key(folded: str, attempt: int) -> str:
    """A slug, numbered where it is taken. A random key begins with `~`, which no slug contains."""
    slug = text.slug(folded)[:64] or "room"
    if attempt == 0:
        return slug
    # Every name without letters is a "room": after a few, counting on would only find what is taken.
    return f"{slug}-{attempt + 1 if attempt < 5 else secrets.randbelow(10**9)}"
