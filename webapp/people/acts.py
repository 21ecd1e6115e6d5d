"""What is done with a person of a room, and what open pages and the log of administrators learn of it."""

from collections.abc import Callable
from datetime import timedelta

from starlette.requests import Request

from webapp.accounts.viewer import Person
from webapp.conversations import broadcasts, member_changes
from webapp.conversations.audit import is_on_behalf, record_act
from webapp.conversations.member_changes import Changed
from webapp.conversations.roles import NEEDS, OWNER, Change, has_several_owners, may_change
from webapp.conversations.seats import Seat
from webapp.core.i18n import Text, _
from webapp.messages import changes
from webapp.presence.tracker import tracker

DONE: dict[str, Text] = {
    Change.MAKE_OWNER: _("They own this room now, too."),
    Change.MAKE_MODERATOR: _("They are a moderator of this room now."),
    Change.MAKE_MEMBER: _("They are a member like others now."),
    Change.REMOVE: _("They are out of this room."),
    Change.BAN: _("They are out of this room, and can't come back while they are banned."),
    Change.UNBAN: _("They may come back."),
}


async def acts_in(seat: Seat) -> Callable[[Person, str], list[Change]]:
    """Return a function of a person and their role, empty for a reader: what the viewer may do with them."""
    has_spare = seat.is_owner and await has_several_owners(seat.room.id)

    def acts_with(person: Person, role: str) -> list[Change]:
        if role == OWNER and not has_spare:
            return []
        found = [do for do in Change if may_change(seat.authority, do, role, person.id == seat.viewer.id)]
        is_safe = person.is_admin and not seat.kind.is_private
        return [do for do in found if not (is_safe and do in (Change.REMOVE, Change.BAN))]

    return acts_with


async def carry_out(seat: Seat, code: str, do: Change, length: timedelta | None = None) -> Changed:
    """Do this with the person of that code, as `member_changes.change`; raise Problem."""
    return _announced(seat, await member_changes.change(seat, code, do, length))


async def hand_over(seat: Seat, code: str) -> Changed:
    """Make a member the owner in the viewer's place; raise Problem."""
    return _announced(seat, await member_changes.hand_over(seat, code))


def _announced(seat: Seat, changed: Changed) -> Changed:
    room_id, person = seat.room.id, changed.person
    if changed.until:
        tracker().leave_now(person.id, room_id)
        changes.member_left(room_id, person)
        broadcasts.put_out(seat.room, person.id, changed.until)
    if changed.is_changed:
        broadcasts.membership_changed(room_id, person.id)
    return changed


async def record(request: Request, seat: Seat, do: Change, changed: Changed) -> None:
    """Write down what an administrator did in a room that is not theirs."""
    if changed.is_changed and is_on_behalf(seat, NEEDS[do]):
        await record_act(request, do, seat, changed.person, changed.until if do is Change.BAN else None)
