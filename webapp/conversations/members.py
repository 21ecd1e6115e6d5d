"""Memberships: joining and leaving a room, kicking, and handing the room over."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tortoise.expressions import F

from webapp.accounts.viewer import Person
from webapp.conversations.models import ROOM_NOT_FOUND, Membership, Room, is_possible_key
from webapp.conversations.queries import PAGE_SIZE
from webapp.conversations.seats import KICKED, MEMBER, OWNER, RoomRow, Seat, require_not_kicked
from webapp.core.errors import Forbidden, Invalid, NotFound
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

    `inviter` is the id of who added or invited them. Raise Forbidden while they are kicked, NotFound without a room.
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


async def join_by_post(room: RoomRow, user_id: int) -> None:
    """
    Make the author of a post a member, within its transaction, where the kind of room does so.

    Raise Forbidden while they are kicked, NotFound where only members post and they are none any more.
    """
    if room.kind.joins_on_post:
        await join_in_transaction(room.id, user_id)
        return
    if membership := await Membership.get_or_none(room_id=room.id, user_id=user_id):
        require_not_kicked(membership.kicked_until)
    raise NotFound(ROOM_NOT_FOUND)


async def leave(seat: Seat) -> None:
    """
    End the viewer's membership; in a chat: ignore a message request, which the other does not notice.

    Raise Forbidden for the owner, whose room would be nobody's, and in a chat that is no request.
    """

    async def write() -> None:
        await Room.filter(id=seat.room.id).update(member_count=F("member_count") - 1)
        own = Membership.filter(room_id=seat.room.id, user_id=seat.viewer.id, role=MEMBER)
        if not await own.delete():
            raise Invalid(role="not a member")

    if seat.kind.is_between_two and not seat.is_request:
        raise Forbidden(_("A chat can't be left. You can block the person on their own page."))
    if seat.membership and seat.membership.role == OWNER:
        raise Forbidden(_("The room is yours. Make someone else its owner first, or delete it."))
    try:
        await transaction.transact(write)
    except Invalid:
        return  # they had left already


async def kick(room_id: int, member: Membership, minutes: int) -> None:
    """Kick a member for so many minutes from now on; raise NotFound where they have just left."""
    until = datetime.now(UTC) + min(timedelta(minutes=max(1, minutes)), MAX_KICK)

    async def write() -> None:
        await _lock(room_id)
        kicked = await Membership.filter(id=member.id, role=MEMBER).update(role=KICKED)
        await Room.filter(id=room_id).update(member_count=F("member_count") - kicked)
        if not await Membership.filter(id=member.id, role=KICKED).update(kicked_until=until):
            raise NotFound(_("That person is not in this room."))

    await transaction.transact(write)


async def lock(room_id: int) -> None:
    """Lock the room's row, within a transaction: changes of roles wait for each other. Raise NotFound without it."""
    if not await Room.filter(id=room_id, closed_at=None).update(member_count=F("member_count")):
        raise NotFound(ROOM_NOT_FOUND)


async def _lock(room_id: int) -> None:
    await Room.filter(id=room_id).update(member_count=F("member_count"))


async def unkick(member: Membership) -> None:
    await Membership.filter(id=member.id, role=KICKED).delete()


async def transfer_ownership(room_id: int, member: Membership) -> None:
    """Make a member the owner, and the owner a member, both or neither."""

    async def write() -> None:
        await _lock(room_id)
        await Membership.filter(room_id=room_id, role=OWNER).update(role=MEMBER)
        if not await Membership.filter(id=member.id, role=MEMBER).update(role=OWNER):
            raise Forbidden(_("They have just left the room."))

    await transaction.transact(write)


async def leave_permanently(room_id: int, user: Person) -> bool:
    """
    End the membership of an account that is deleted; return whether nobody is left, and the room is closed.

    What they own goes to the member who joined first.
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
        heir = await Membership.filter(room_id=room_id, role__not=KICKED).order_by("joined_at", "id").first()
        if heir is None:
            await Room.close(room_id)
        elif mine.role == OWNER:
            await Membership.filter(id=heir.id).update(role=OWNER)
        return heir is None

    return await transaction.transact(write)


async def kicked(room_id: int) -> list[Membership]:
    """Return the memberships of those who are kicked now."""
    found = Membership.filter(room_id=room_id, role=KICKED, kicked_until__gt=datetime.now(UTC))
    return await found.select_related("user").order_by("id").limit(PAGE_SIZE)


async def by_code(room_id: int, code: str) -> Membership:
    """Return the membership of the person with that code; raise NotFound."""
    known = Membership.filter(room_id=room_id, user__code=code).select_related("user")
    found = await known.first() if is_possible_key(code, CODE_LENGTH) else None
    if found is None:
        raise NotFound(_("That person is not in this room."))
    return found


def people(memberships: list[Membership]) -> list[dict[str, Any]]:
    """Return the memberships as a list of people shows them."""
    return [
        {
            "code": one.user.code,
            "display_name": one.user.display_name,
            "avatar": one.user.avatar,
            "role": one.role,
            "is_admin": one.user.is_admin,
            "kicked_until": one.kicked_until,
        }
        for one in memberships
    ]
