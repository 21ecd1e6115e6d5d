"""Direct chats: how the one chat of two people is found and created, and how friends have no message requests."""

import secrets
from datetime import UTC, datetime

from webapp.accounts.viewer import Person, Viewer
from webapp.conversations import kinds, members, queries
from webapp.conversations.models import Membership, Room
from webapp.conversations.seats import RANDOM_KEY_PREFIX, RoomRow, Seat
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


async def ignored_by(viewer: Viewer, other: Person) -> Seat | None:
    """Return the seat of a person who ignored the other's request, and writes now; None where there is no chat."""
    return await queries.seat_by_pair(viewer, *ordered_ids(viewer, other))


async def create_direct(user: Person, other: Person, is_request: bool) -> RoomRow:
    """
    Create the one chat of the two, within a transaction.

    Raise IntegrityError where it exists: two people who write to each other at the same moment get one.
    """
    low, high = ordered_ids(user, other)
    both = {low, high}
    room = await Room.create(
        key=RANDOM_KEY_PREFIX + secrets.token_urlsafe(16),
        kind=kinds.DIRECT.stored,
        name="",
        low=low,
        high=high,
        member_count=len(both),
    )
    for person in both:
        await Membership.create(room=room, user_id=person, is_request=is_request and person != user.id)
    return RoomRow(
        room.id, room.key, kinds.DIRECT, "", "", "", 0, 0, room.last_at, len(both), low, high, None, None,
        room.created_at,
    )  # fmt: skip


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
    if room := await Room.get_or_none(low=low, high=high, closed_at=None):
        for person in (user, other):
            await members.join_in_transaction(room.id, person.id)
        await Membership.filter(room_id=room.id, is_request=True).update(is_request=False)
