"""The one-to-one chats: how the one chat of two people is found, begun, and kept between those who want it."""

import secrets

from tortoise.queryset import QuerySet

from webapp.accounts.models import User
from webapp.accounts.viewer import Person
from webapp.conversations import members
from webapp.conversations.models import (
    ANONYMOUS,
    CANNOT_WRITE,
    CHAT_ENDED,
    CHAT_FULL,
    DELETED_ACCOUNT,
    DIRECT,
    MAX_UNANSWERED,
    MOST_WITH_STRANGERS,
    NOTES,
    RANDOM_KEY_PREFIX,
    UNANSWERED,
    Membership,
    Room,
)
from webapp.core.errors import Forbidden
from webapp.db import transaction
from webapp.db.prepared import Prepared
from webapp.relationships.models import Block, Friendship
from webapp.relationships.queries import Relationship, is_blocked_between, ordered_ids, require_none_blocked


def _both(**which: object) -> QuerySet[Membership]:
    return Membership.filter(room__kind=DIRECT, room__closed_at=None, **which).select_related("room", "user")


_BOTH = Prepared[Membership](lambda key: _both(room__key=key))
_BOTH_OF_PAIR = Prepared[Membership](lambda low, high: _both(room__low=low, room__high=high))


async def by_key(user: Person, key: str) -> Room | None:
    """The chat with this key as the person sees it; None when it is not theirs, or is no chat."""
    return await _seen_by(user, await _BOTH.all(key))


async def between(user: Person, other: Person) -> Room:
    """
    The one chat of the two as the person sees it; one that is not stored when there is none for them yet.

    Raises Missing where either has blocked the other.
    """
    await require_none_blocked(user, other)
    low, high = ordered_ids(user, other)
    if chat := await _seen_by(user, await _BOTH_OF_PAIR.all(low, high)):
        return chat
    empty = Room(key="", kind=DIRECT, low=low, high=high, name="")
    empty.id = 0
    _name(empty, other)
    return empty


async def _seen_by(user: Person, both: list[Membership]) -> Room | None:
    """The one-to-one chat of these two as the person sees it, named after the other; None when it is not theirs."""
    by_user = {one.user_id: one for one in both}
    if user.id not in by_user:
        return None
    membership = by_user.pop(user.id)
    room = membership.room
    room.membership, room.other_membership = membership, next(iter(by_user.values()), None)
    # Who has ignored a request has no membership, and the one who asked must not see that.
    other: Person | None = room.other_membership.user if room.other_membership else None
    if other is None:
        other = await User.get_or_none(id=room.other_id(user.id))
    _name(room, other)
    if other and not room.is_notes:
        room.is_blocked = await is_blocked_between(user, other)
    return room


def _name(room: Room, other: Person | None) -> None:
    room.other = other
    room.name = str(NOTES if room.is_notes else other.display_name if other else DELETED_ACCOUNT)


async def create_direct(user: Person, other: Person, is_request: bool) -> Room:
    """
    Make the one chat of the two, within a transaction.

    Raises IntegrityError when it exists: two people who write to each other at the same moment are led to one.
    """
    low, high = ordered_ids(user, other)
    both = {low, high}
    room = await Room.create(
        key=RANDOM_KEY_PREFIX + secrets.token_urlsafe(16),
        kind=DIRECT,
        name="",
        low=low,
        high=high,
        member_count=len(both),
    )
    for one in both:
        await Membership.create(room=room, user_id=one, is_request=is_request and one != user.id)
    return room


async def ask(user: Person, other: Person) -> Relationship:
    """Ask to be friends as `Friendship.ask` does; where they become it, their chat is no request any more."""

    async def write() -> Relationship:
        tie = await Friendship.ask_now(user, other)
        if tie is Relationship.FRIENDS:
            await _lift_requests(user, other)
        return tie

    return await transaction.transact(write)


async def accept(user: Person, other: Person) -> None:
    """Accept a request as `Friendship.accept` does; their chat is no request any more."""

    async def write() -> None:
        await Friendship.accept(user, other)
        await _lift_requests(user, other)

    await transaction.transact(write)


async def _lift_requests(one: Person, other: Person) -> None:
    """What either has written to the other is a request no more, though ignored; within a transaction."""
    low, high = ordered_ids(one, other)
    if room := await Room.get_or_none(low=low, high=high, closed_at=None):
        for person in (one, other):
            await members.join_in_transaction(room, person)
        await Membership.filter(room_id=room.id, is_request=True).update(is_request=False)


async def check_post(room: Room, author_id: int, number: int) -> None:
    """
    Raise Refused where the message of that number can't be posted, within its transaction: what was true of a chat
    when its author was let in may be over.

    As long as there is no answer, every message is by the one who asked: their number is their count.
    """
    if room.is_stranger:
        if number > MOST_WITH_STRANGERS or not await Room.exists(id=room.id, kind=ANONYMOUS, locked_at=None):
            raise Forbidden(CHAT_FULL if number > MOST_WITH_STRANGERS else CHAT_ENDED)
        return
    other = room.other_id(author_id) if room.is_chat else author_id
    if other == author_id:
        return
    if await Block.filter(blocker_id__in=(author_id, other), blocked_id__in=(author_id, other)).exists():
        raise Forbidden(CANNOT_WRITE)
    if number > MAX_UNANSWERED:
        theirs = await Membership.get_or_none(room_id=room.id, user_id=other)
        if theirs is None or theirs.is_request:
            raise Forbidden(UNANSWERED)
