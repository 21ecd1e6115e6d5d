"""Memberships: joining and leaving a room, and who owns it after that."""

from datetime import timedelta

from tortoise.expressions import F, Q

from webapp.accounts.viewer import PERMANENT, Person
from webapp.conversations.models import ROOM_NOT_FOUND, Membership, Room, is_possible_key
from webapp.conversations.roles import has_several_owners
from webapp.conversations.seats import KICKED, MEMBER, OWNER, RoomRow, Seat, require_not_kicked
from webapp.core.errors import Forbidden, NotFound
from webapp.core.i18n import _
from webapp.db import transaction

CODE_LENGTH = 9
MAX_KICK = timedelta(days=30)


async def join(seat: Seat) -> None:
    """Make the viewer a member, or accept their message request; raise NotFound where they can't join."""
    room_id, user_id = seat.room.id, seat.viewer.id
    if seat.is_request:
        await Membership.filter(room_id=room_id, user_id=user_id).update(is_request=False)
    elif seat.membership is None:
        if not seat.kind.can_join(seat):
            raise NotFound(ROOM_NOT_FOUND)
        await transaction.transact(_join_as_seen, seat)


async def _join_as_seen(seat: Seat) -> None:
    """Make the viewer a member of the room of the kind that they have seen: it may be a private one meanwhile."""
    if not await Room.filter(id=seat.room.id, kind=seat.kind.stored).update(member_count=F("member_count")):
        raise NotFound(ROOM_NOT_FOUND)
    await join_in_transaction(seat.room.id, seat.viewer.id)


async def join_in_transaction(room_id: int, user_id: int, inviter: int | None = None) -> bool:
    """
    Make the user a member, within a transaction; return whether they were none.

    `inviter` is the id of who added or invited them. Raise Forbidden while they are banned, NotFound without a room.
    """
    # The room's row is locked first: two joins of one person at once wait for each other here.
    if not await Room.filter(id=room_id, closed_at=None).update(member_count=F("member_count") + 1):
        raise NotFound(ROOM_NOT_FOUND)
    membership = await Membership.get_or_none(room_id=room_id, user_id=user_id)
    if membership and membership.role != KICKED:
        await Room.filter(id=room_id).update(member_count=F("member_count") - 1)
        return False
    if membership:
        require_not_kicked(membership.kicked_until)
        await membership.delete()
    latest = await Room.filter(id=room_id).values_list("last_number", flat=True)
    await Membership.create(room_id=room_id, user_id=user_id, role=MEMBER, read_number=latest[0], inviter=inviter)
    return True


async def join_by_post(room: RoomRow, user_id: int, was_member: bool) -> None:
    """
    Make the author of a post a member, within its transaction, where the kind of room does so.

    `was_member` is whether they were one when it was sent. Raise Forbidden while they are banned, or where they were
    removed meanwhile; NotFound where only members post and they are none any more.
    """
    membership = await Membership.get_or_none(room_id=room.id, user_id=user_id)
    if membership and membership.role == KICKED:
        require_not_kicked(membership.kicked_until)
        if was_member and room.kind.joins_on_post:
            raise Forbidden(_("You have been removed from this room meanwhile. Join it again to write here."))
    if not room.kind.joins_on_post:
        raise NotFound(ROOM_NOT_FOUND)
    await join_in_transaction(room.id, user_id)


class ClosesRoom(Exception):
    """Who leaves is the last one there: the room would close."""


async def leave(seat: Seat, may_close: bool = False) -> bool:
    """
    End the viewer's membership, and return whether that has closed the room, whose last owner was alone there.

    In a chat: ignore a message request, which the other does not notice. Raise Forbidden in a chat that is no request,
    and for the last owner while others are there; ClosesRoom where the room would close, unless it may.
    """
    if seat.kind.is_between_two and not seat.is_request:
        raise Forbidden(_("A chat can't be left. You can block the person on their own page."))
    return await transaction.transact(_leave, seat, may_close)


async def _leave(seat: Seat, may_close: bool) -> bool:
    await _lock(seat.room.id)
    mine = await Membership.get_or_none(room_id=seat.room.id, user_id=seat.viewer.id)
    if mine is None or mine.role == KICKED:
        return False  # they had left already
    if mine.role == OWNER and not await has_several_owners(seat.room.id):
        others = Membership.filter(room_id=seat.room.id, role__not=KICKED, is_request=False, id__not=mine.id)
        if await others.exists():
            raise Forbidden(_("The room is yours. Make someone else its owner first, or delete it."))
        if not may_close:
            raise ClosesRoom
        await Room.close(seat.room.id)
        return True
    await mine.delete()
    await Room.filter(id=seat.room.id).update(member_count=F("member_count") - 1)
    return False


async def lock(room_id: int) -> None:
    """Lock the room's row, within a transaction: changes of roles wait for each other. Raise NotFound without it."""
    if not await Room.filter(id=room_id, closed_at=None).update(member_count=F("member_count")):
        raise NotFound(ROOM_NOT_FOUND)


async def _lock(room_id: int) -> None:
    await Room.filter(id=room_id).update(member_count=F("member_count"))


async def leave_permanently(room_id: int, user: Person) -> bool:
    """
    End the membership of an account that is deleted; return whether nobody is left, and the room is closed.

    What they alone own goes to an heir.
    """

    async def write() -> bool:
        await _lock(room_id)
        mine = await Membership.get_or_none(room_id=room_id, user_id=user.id)
        if mine is None:
            return False
        await mine.delete()
        if mine.role == KICKED:
            return False
        await Room.filter(id=room_id).update(member_count=F("member_count") - 1)
        if not await Membership.filter(room_id=room_id, role__not=KICKED).exists():
            await Room.close(room_id)
            return True
        if mine.role == OWNER:
            await _make_heir_owner(room_id)
        return False

    return await transaction.transact(write)


async def _make_heir_owner(room_id: int) -> bool:
    """
    Make a room without an owner one of an heir, within a transaction; return whether it has an owner then.

    The heir is the moderator who joined first, else such a member: nobody who is banned from the site for good, and
    only at last a person who was asked to come and has not answered.
    """
    there = Q(user__banned_until=None) | Q(user__banned_until__lt=PERMANENT)
    everybody = Membership.filter(there, room_id=room_id, role__not=KICKED)
    # By the alphabet an owner stands behind a moderator, who stands behind a member.
    heir = await everybody.order_by("is_request", "-role", "joined_at", "id").first()
    if heir and heir.role != OWNER:
        await Membership.filter(id=heir.id).update(role=OWNER)
    return heir is not None


async def disinherit(user_id: int) -> None:
    """
    Pass on what one who is banned from the site for good owns, within the transaction of the ban.

    Where nobody else is there it stays theirs.
    """
    owned = Membership.filter(user_id=user_id, role=OWNER, room__closed_at=None)
    for one in await owned.order_by("room_id"):
        await _lock(one.room_id)
        if await _make_heir_owner(one.room_id):
            await Membership.filter(id=one.id, role=OWNER).update(role=MEMBER)


async def by_code(room_id: int, code: str) -> Membership:
    """Return the membership of the person with that code; raise NotFound."""
    known = Membership.filter(room_id=room_id, user__code=code).select_related("user")
    found = await known.first() if is_possible_key(code, CODE_LENGTH) else None
    if found is None:
        raise NotFound(_("That person is not in this room."))
    return found
