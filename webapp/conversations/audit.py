"""What administrators do in rooms that are not theirs."""

from datetime import datetime

from starlette.requests import Request

from webapp.accounts.audit import LEFT, Action, AuditEntry
from webapp.accounts.viewer import Person
from webapp.conversations.roles import MAY, Act, Change
from webapp.conversations.seats import Seat
from webapp.http import security_log

NOBODY = {"name": LEFT, "code": ""}
# What forms call otherwise than the log, whose column is shorter.
ROOM_ACTIONS = {
    "hand_over": Action.OWNER,
    Change.MAKE_OWNER.value: Action.OWNER,
    Change.MAKE_MODERATOR.value: Action.MODERATOR,
    Change.MAKE_MEMBER.value: Action.MEMBER,
    Change.REMOVE.value: Action.PUT_OUT,
    Change.BAN.value: Action.KICK,
    Change.UNBAN.value: Action.PARDON,
    **dict.fromkeys(("posting", "slow", "inviting", "retention"), Action.RULES),
    # Of what is done with messages the word is the same.
    "remove_message": Action.REMOVE,
}


def is_on_behalf(seat: Seat, act: Act = Act.OWN) -> bool:
    """
    Return whether the viewer acts here as an administrator, and may not do so by their role in the room.

    In a private one nobody does: its name is in no log.
    """
    role = seat.membership.role if seat.membership else ""
    return seat.kind.has_owner and seat.viewer.is_admin and role not in MAY[act] and not seat.kind.is_private


async def record_act(
    request: Request, do: str, seat: Seat, person: Person | None, until: datetime | None = None
) -> None:
    """Write down what an administrator did in a room that is not theirs, in the operator's log too."""
    admin, room = seat.viewer, seat.room
    action = ROOM_ACTIONS.get(do) or Action(do)
    whom = {"person_id": person.id, "name": person.display_name, "code": person.code} if person else NOBODY
    await AuditEntry.write(admin, action, {**whom, "place": room.name, "room": room.id}, until)
    code = person.code if person else ""
    security_log.record(request, "moderated", admin.code, action=action.value, room=room.key, person=code)
