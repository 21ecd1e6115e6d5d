"""Joining the public room of a name, or creating it; and creating a private one."""

import contextlib
import hmac
import secrets
from hashlib import sha256

from tortoise.exceptions import IntegrityError

from webapp import settings
from webapp.accounts.viewer import Viewer
from webapp.conversations import access, kinds, members
from webapp.conversations.faces import room_face
from webapp.conversations.models import Membership, Room, random_key, room_name, room_topic
from webapp.conversations.seats import OWNER, RANDOM_KEY_PREFIX, Seat
from webapp.core import text
from webapp.core.errors import NotFound
from webapp.db import transaction


async def open_room(user: Viewer, name: str, topic: str = "", face: str = "") -> Seat:
    """
    Join the public room of that name, or create and own it; raise Invalid, and Forbidden for one who is kicked.

    Two people who create it at the same moment are led to one room by the unique folded name.
    """
    name, topic, face = room_name(name), room_topic(topic), room_face(face)
    folded = text.fold(name)
    for attempt in range(20):
        try:
            if room := await Room.get_or_none(folded=folded):
                await members.join(await access.by_key(user, room.key))
                return await access.by_key(user, room.key)
            key = free_key(folded, attempt)
            await transaction.transact(_create, user, key, name, folded, topic, face)
            return await access.by_key(user, key)
        except (IntegrityError, NotFound):
            continue  # another request created or deleted it first, or the key is taken: read again, try another key
    raise RuntimeError("no free key was found for a room")


async def create_private(user: Viewer, name: str, topic: str = "", face: str = "", nonce: str = "") -> Seat:
    """
    Create and own a room that only its members know of; raise Invalid. The same form sent twice makes one room.

    Its name stays free, as a taken one would show that the room is there: two private rooms may have the same one.
    """
    shown = room_name(name), None, room_topic(topic), room_face(face)
    key = _key_of_form(user, nonce, shown[0]) if nonce else random_key()
    for _attempt in range(2):
        try:
            await transaction.transact(_create, user, key, *shown, kinds.PRIVATE.stored)
            return await access.by_key(user, key)
        except IntegrityError:
            with contextlib.suppress(NotFound):
                return await access.by_key(user, key)
            key = random_key()  # of a room that was deleted, or that they have left
    raise RuntimeError("no free key was found for a private room")


def _key_of_form(user: Viewer, nonce: str, name: str) -> str:
    """Return a key that can't be guessed, the same for the same form."""
    said = "\0".join(("private", str(user.id), nonce[:100], name))
    return RANDOM_KEY_PREFIX + hmac.new(settings.secret_key().encode(), said.encode(), sha256).hexdigest()[:32]


async def _create(
    user: Viewer, key: str, name: str, folded: str | None, topic: str, face: str, kind: str = kinds.PUBLIC.stored
) -> None:
    room = await Room.create(key=key, kind=kind, name=name, folded=folded, topic=topic, face=face, member_count=1)
    await Membership.create(room=room, user_id=user.id, role=OWNER)


def free_key(folded: str, attempt: int) -> str:
    """A slug, numbered where it is taken. A random key begins with `~`, which no slug contains."""
    slug = text.slug(folded)[:64] or "room"
    if attempt == 0:
        return slug
    # Every name without letters is a "room": after a few, counting on would only find what is taken.
    return f"{slug}-{attempt + 1 if attempt < 5 else secrets.randbelow(10**9)}"
