"""Who is in a room and what they are there: joining and leaving it, being sent away, and becoming its owner."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tortoise.expressions import F

from webapp.accounts.viewer import Person
from webapp.conversations.models import (
    KICKED,
    MEMBER,
    OWNER,
    PAGE_SIZE,
    ROOM_NOT_FOUND,
    Membership,
    Room,
    is_possible_key,
)
from webapp.core.errors import Forbidden, Invalid, NotFound
from webapp.core.i18n import _
from webapp.db import transaction

CODE_LENGTH = 9
MAX_KICK = timedelta(days=30)


async def join(room: Room, user: Person) -> None:
    """Become a member. In a chat: let the one who wants to write do so."""
    if room.is_request:
        await Membership.filter(room_id=room.id, user_id=user.id).update(is_request=False)
    elif room.membership is None:
        room.membership = await transaction.transact(join_in_transaction, room, user)


async def join_in_transaction(room: Room, user: Person) -> Membership:
    """Join within a transaction. Somebody whose time outside is over comes back as a member."""
    # The room's row is locked first: two joins of one person at once wait for each other here.
    if not await Room.filter(id=room.id, closed_at=None).update(member_count=F("member_count") + 1):
        raise NotFound(ROOM_NOT_FOUND)
    membership = await Membership.get_or_none(room_id=room.id, user_id=user.id)
    if membership and membership.role != KICKED:
        await Room.filter(id=room.id).update(member_count=F("member_count") - 1)
        return membership
    if membership:
        membership.require_not_kicked()
        await membership.delete()
    latest = await Room.filter(id=room.id).values_list("last_number", flat=True)
    return await Membership.create(room_id=room.id, user_id=user.id, role=MEMBER, read_number=latest[0])


async def leave(room: Room, user: Person) -> None:
    """
    In a chat: ignore a request, which the other does not notice.

    Raises Refused for the owner, whose room would be nobody's, and in a chat that is none of a request.
    """

    async def write() -> None:
        await Room.filter(id=room.id).update(member_count=F("member_count") - 1)
        gone = await Membership.filter(room_id=room.id, user_id=user.id, role=MEMBER).delete()
        if not gone:
            raise Invalid(role="not a member")

    if room.is_chat and not room.is_request:
        raise Forbidden(_("A chat can't be left. You can block the person on their own page."))
    if room.membership and room.membership.role == OWNER:
        raise Forbidden(_("The room is yours. Make someone else its owner first, or delete it."))
    try:
        await transaction.transact(write)
    except Invalid:
        return  # they had left already


async def kick(room: Room, member: Membership, minutes: int) -> None:
    """Keep a member out for so many minutes from now on; raises Missing when they have just left."""
    until = datetime.now(UTC) + min(timedelta(minutes=max(1, minutes)), MAX_KICK)

    async def write() -> None:
        await _hold(room)
        kicked = await Membership.filter(id=member.id, role=MEMBER).update(role=KICKED)
        await Room.filter(id=room.id).update(member_count=F("member_count") - kicked)
        if not await Membership.filter(id=member.id, role=KICKED).update(kicked_until=until):
            raise NotFound(_("That person is not in this room."))

    await transaction.transact(write)


async def _hold(room: Room) -> None:
    """Lock the room's row, within a transaction: changes of who is what in a room wait for each other."""
    await Room.filter(id=room.id).update(member_count=F("member_count"))


async def unkick(room: Room, user: Person) -> None:
    await Membership.filter(room_id=room.id, user_id=user.id, role=KICKED).delete()


async def transfer_ownership(room: Room, member: Membership) -> None:
    """Make a member the owner, and the owner a member, both or neither."""

    async def write() -> None:
        await _hold(room)
        await Membership.filter(room_id=room.id, role=OWNER).update(role=MEMBER)
        if not await Membership.filter(id=member.id, role=MEMBER).update(role=OWNER):
            raise Forbidden(_("They have just left the room."))

    await transaction.transact(write)


async def leave_permanently(room: Room, user: Person) -> None:
    """
    Let go of somebody who leaves for good. What they own goes to whoever has been there longest; a room that
    nobody is left in is closed, which `closed_at` then says.
    """

    async def write() -> None:
        await _hold(room)
        mine = await Membership.get_or_none(room_id=room.id, user_id=user.id)
        if mine is None:
            return
        await mine.delete()
        if mine.role == KICKED:
            return
        await Room.filter(id=room.id).update(member_count=F("member_count") - 1)
        heir = await Membership.filter(room_id=room.id, role__not=KICKED).order_by("joined_at", "id").first()
        if heir is None:
            await room.close()
        elif mine.role == OWNER:
            await Membership.filter(id=heir.id).update(role=OWNER)

    await transaction.transact(write)


async def page(room: Room, number: int = 1) -> list[Membership]:
    """The people of the room, the owner first: a page and one more to show there is."""
    return (
        await Membership.filter(room_id=room.id, role__not=KICKED)
        .order_by("-role", "id")
        .select_related("user")
        .offset((number - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE + 1)
    )


async def kicked(room: Room) -> list[Membership]:
    now = datetime.now(UTC)
    kept_out = Membership.filter(room_id=room.id, role=KICKED, kicked_until__gt=now)
    return await kept_out.select_related("user").order_by("id").limit(PAGE_SIZE)


async def by_code(room: Room, code: str) -> Membership:
    """The membership of the person with that code; raises Missing."""
    known = Membership.filter(room_id=room.id, user__code=code).select_related("user")
    found = await known.first() if is_possible_key(code, CODE_LENGTH) else None
    if found is None:
        raise NotFound(_("That person is not in this room."))
    return found


def people(memberships: list[Membership]) -> list[dict[str, Any]]:
    """The memberships as a list of people shows them."""
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
