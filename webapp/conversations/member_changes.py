"""What owners and moderators do with the people of a room: each under the room's lock, by what is stored then."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from tortoise.expressions import F

from webapp.accounts.models import User
from webapp.accounts.viewer import PERMANENT
from webapp.conversations import members, roles
from webapp.conversations.models import Membership, Room, is_possible_key
from webapp.conversations.roles import KICKED, MAY, MEMBER, MODERATOR, NEEDS, OWNER, ROLE_AFTER, Act, Change
from webapp.conversations.seats import Seat
from webapp.core.errors import Forbidden, NotFound
from webapp.core.i18n import Text, _
from webapp.db import transaction

MAX_BAN = timedelta(days=365)
NOT_HERE = _("That person is not in this room.")
NOT_ALLOWED: dict[Act, Text] = {
    Act.OWN: _("Only owners of the room can do that."),
    Act.MODERATE: _("Only owners and moderators of the room can do that."),
}


class Changed(NamedTuple):
    """With whom something was done, whether it was not so before, and until when they are banned."""

    person: User
    is_changed: bool
    until: datetime | None = None


class Found(NamedTuple):
    """A person whom one wants to do something with; without a membership where they are no member of the room."""

    person: User
    membership: Membership | None

    @property
    def role(self) -> str:
        return self.membership.role if self.membership else ""


async def change(seat: Seat, code: str, do: Change, length: timedelta | None = None) -> Changed:
    """
    Do this with the person of that code; a ban is for so long, or for good. Doing it twice is doing it once.

    Raise NotFound where they are not there, and Forbidden where the viewer may not do so with them, or any more.
    """
    return await transaction.transact(_change, seat, code, do, length)


async def _change(seat: Seat, code: str, do: Change, length: timedelta | None) -> Changed:
    await members.lock(seat.room.id)
    held = await roles.stored_authority(seat.room.id, seat.viewer.id, seat.kind.is_private)
    is_self = code == seat.viewer.code
    if held not in MAY[NEEDS[do]] and not is_self:
        # Before anybody is looked up: who is banned here, or was asked to come, is for those who moderate.
        raise Forbidden(NOT_ALLOWED[NEEDS[do]])
    found = await _find(seat, code, do)
    if _is_so(found.role, do):
        return Changed(found.person, False)
    _require(roles.may_change(held, do, found.role, is_self), do, held, found, is_self)
    if do in (Change.REMOVE, Change.BAN) and found.person.is_admin and not seat.kind.is_private:
        raise Forbidden(_("An administrator can't be removed from a public room."))
    return await _carry_out(seat, found, do, length)


def _is_so(role: str, do: Change) -> bool:
    """Return whether nothing is left to do: a ban has a new time at least."""
    if do is Change.UNBAN:
        return role != KICKED
    return role == KICKED if do is Change.REMOVE else role == ROLE_AFTER.get(do)


async def _carry_out(seat: Seat, found: Found, do: Change, length: timedelta | None) -> Changed:
    if do in ROLE_AFTER:
        await _set_role(seat.room.id, found, ROLE_AFTER[do])
        return Changed(found.person, True)
    if do is Change.UNBAN:
        await Membership.filter(room_id=seat.room.id, user_id=found.person.id, role=KICKED).delete()
        return Changed(found.person, True)
    now = datetime.now(UTC)
    # Who is removed may come back from this moment on; what of theirs is older ends (stream_access.py, members.py).
    until = now if do is Change.REMOVE else now + min(length, MAX_BAN) if length else PERMANENT
    await _put_out(seat, found, until)
    return Changed(found.person, True, until)


async def _find(seat: Seat, code: str, do: Change) -> Found:
    """Return the person of that code; raise NotFound where they can't be meant."""
    is_possible = is_possible_key(code, members.CODE_LENGTH)
    person = await User.get_or_none(code=code, is_guest=False) if is_possible else None
    if person is None:
        raise NotFound(NOT_HERE)
    found = Found(person, await Membership.get_or_none(room_id=seat.room.id, user_id=person.id))
    # Where everybody reads, one who is no member is banned before they join.
    if found.membership is None and (do is not Change.BAN or seat.kind.is_private):
        raise NotFound(NOT_HERE)
    return found


def _require(is_allowed: bool, do: Change, held: str, found: Found, is_self: bool) -> None:
    """Raise Forbidden with the reason unless it is allowed."""
    if is_allowed:
        return
    if held not in MAY[NEEDS[do]]:
        raise Forbidden(NOT_ALLOWED[NEEDS[do]])
    if do in ROLE_AFTER:
        raise Forbidden(_("They have just left the room."))
    if found.role == OWNER:
        raise Forbidden(_("An owner can't be removed. They have to be made a member first."))
    if is_self:
        raise Forbidden(_("That can't be done with yourself."))
    if found.role == MODERATOR:
        raise Forbidden(_("Only an owner can remove a moderator."))
    raise Forbidden(NOT_HERE)


async def _set_role(room_id: int, found: Found, role: str) -> None:
    if found.role == OWNER and not await roles.has_several_owners(room_id):
        raise Forbidden(_("A room needs an owner. Make someone else one first."))
    await Membership.filter(room_id=room_id, user_id=found.person.id).update(role=role)


async def _put_out(seat: Seat, found: Found, until: datetime) -> None:
    values: dict[str, Any] = {"role": KICKED, "kicked_until": until, "kicked_by": seat.viewer.id}
    if found.membership is None:
        await Membership.create(room_id=seat.room.id, user_id=found.person.id, **values)
        return
    await Membership.filter(id=found.membership.id).update(**values)
    if found.role != KICKED:
        await Room.filter(id=seat.room.id).update(member_count=F("member_count") - 1)


async def hand_over(seat: Seat, code: str) -> Changed:
    """Make a member an owner in the viewer's place; in that of all owners where an administrator acts for them."""

    async def write() -> Changed:
        made = await _change(seat, code, Change.MAKE_OWNER, None)
        owners = Membership.filter(room_id=seat.room.id, role=OWNER, user_id__not=made.person.id)
        if made.person.id != seat.viewer.id:
            mine = owners.filter(user_id=seat.viewer.id)
            await (mine if await mine.exists() else owners).update(role=MEMBER)
        return made

    return await transaction.transact(write)
