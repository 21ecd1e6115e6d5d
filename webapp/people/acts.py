"""What is done with a person of a room, and what open pages and the log of administrators learn of it."""

from datetime import UTC, datetime, timedelta

from starlette.requests import Request

from webapp.conversations import broadcasts, member_changes
from webapp.conversations.audit import is_on_behalf, record_act
from webapp.conversations.member_changes import Changed
from webapp.conversations.roles import NEEDS, Change
from webapp.conversations.seats import Seat
from webapp.messages import changes
from webapp.presence.tracker import tracker


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
        is_ban = changed.until > datetime.now(UTC)
        (broadcasts.kicked if is_ban else broadcasts.removed)(room_id, person.id)
    if changed.is_changed:
        broadcasts.membership_changed(room_id, person.id)
    return changed


async def record(request: Request, seat: Seat, do: Change, changed: Changed) -> None:
    """Write down what an administrator did in a room that is not theirs."""
    if changed.is_changed and is_on_behalf(seat, NEEDS[do]):
        await record_act(request, do, seat, changed.person, changed.until if do is Change.BAN else None)
