"""Direct chats: how the one chat of two people is found and created, and how friends have no message requests."""

from dataclasses import replace
from datetime import UTC, datetime

from tortoise.exceptions import IntegrityError

from webapp.accounts.viewer import Person, Viewer
from webapp.conversations import kinds, members, queries
from webapp.conversations.models import Membership, Room, random_key
from webapp.conversations.seats import RoomRow, Seat
from webapp.db import transaction
from webapp.relationships.models import Friendship
from webapp.relationships.queries import Relationship, ordered_ids, require_none_blocked


async def between(viewer: Viewer, other: Person) -> Seat:
    """
    Return the viewer's seat in the one chat of the two; one without a key where they have none.

    Raise NotFound where either has blocked the other.
    """
    await require_none_blocked(viewer, other)
    low, high = ordered_ids(viewer, other)
    seat = await queries.seat_by_pair(viewer, low, high)
    if seat and seat.membership:
        return seat
    return Seat(_empty(low, high), viewer, other=other)


def _empty(low: int, high: int) -> RoomRow:
    """Return a chat that nobody has written in, which is not stored."""
    at = datetime.now(UTC)
    return RoomRow(0, "", kinds.DIRECT, "", "", "", 0, 0, at, 0, low, high, None, None, at)


async def unjoined(viewer: Viewer, other: Person) -> Seat | None:
    """
    Return the seat of a person who writes now in a chat that they are not in; None where there is no chat.

    They have ignored the other's request, or nobody is in it: one of the two has begun to send a file.
    """
    return await queries.seat_by_pair(viewer, *ordered_ids(viewer, other))


def is_unstarted(seat: Seat) -> bool:
    """Return whether the chat is stored, and yet nobody is in it, so that no list has it and no page leads to it."""
    return bool(seat.room.key) and seat.room.member_count == 0 and seat.room.last_number == 0


async def reserve(user: Person, other: Person) -> RoomRow:
    """
    Create the chat of the two without anybody in it, within a transaction: `start` follows with the first message.

    Raise IntegrityError where it exists.
    """
    low, high = ordered_ids(user, other)
    return await _create(low, high, 0)


async def start(room: RoomRow, user: Person, other: Person, is_request: bool) -> RoomRow:
    """
    Let the two into their chat that nobody is in, within a transaction.

    Raise IntegrityError where one of them was sooner, or it has been deleted.
    """
    both = {user.id, other.id}
    if not await Room.filter(id=room.id, member_count=0, last_number=0, closed_at=None).update(member_count=len(both)):
        raise IntegrityError(f"room {room.id} has been started or deleted")
    await _let_in(room.id, both, user, is_request)
    return replace(room, member_count=len(both))


async def create_direct(user: Person, other: Person, is_request: bool) -> RoomRow:
    """
    Create the one chat of the two, within a transaction.

    Raise IntegrityError where it exists: two people who write to each other at the same moment get one.
    """
    low, high = ordered_ids(user, other)
    room = await _create(low, high, len({low, high}))
    await _let_in(room.id, {low, high}, user, is_request)
    return room


async def _create(low: int, high: int, member_count: int) -> RoomRow:
    room = await Room.create(
        key=random_key(),
        kind=kinds.DIRECT.stored,
        name="",
        low=low,
        high=high,
        member_count=member_count,
    )
    return RoomRow(
        room.id, room.key, kinds.DIRECT, "", "", "", 0, 0, room.last_at, member_count, low, high, None, None,
        room.created_at,
    )  # fmt: skip


async def _let_in(room_id: int, both: set[int], user: Person, is_request: bool) -> None:
    for person in both:
        await Membership.create(room_id=room_id, user_id=person, is_request=is_request and person != user.id)


async def ask(user: Person, other: Person) -> Relationship:
    """Send a friend request as `Friendship.ask` does; where they become friends, their chat is no request any more."""

    async def write() -> Relationship:
        relationship = await Friendship.ask_now(user, other)
        if relationship is Relationship.FRIENDS:
            await _accept_message_requests(user, other)
        return relationship

    return await transaction.transact(write)


async def accept(user: Person, other: Person) -> None:
    """Accept a friend request as `Friendship.accept` does; their chat is no request any more."""

    async def write() -> None:
        await Friendship.accept(user, other)
        await _accept_message_requests(user, other)

    await transaction.transact(write)


async def _accept_message_requests(user: Person, other: Person) -> None:
    """Make the chat of the two one of both, though one has ignored it; within a transaction."""
    low, high = ordered_ids(user, other)
    # Not one that nobody is in: the first message lets both in, and nothing before.
    if room := await Room.get_or_none(low=low, high=high, closed_at=None, last_number__gt=0):
        for person in (user, other):
            await members.join_in_transaction(room.id, person.id)
        await Membership.filter(room_id=room.id, is_request=True).update(is_request=False)
