"""What administrators do in rooms that are not theirs."""

from starlette.requests import Request

from webapp.accounts.audit import LEFT, Action, AuditEntry
from webapp.accounts.viewer import Person
from webapp.conversations.seats import OWNER, Seat
from webapp.http import security_log

NOBODY = {"name": LEFT, "code": ""}
# What the form of a room's settings calls otherwise than the log, whose column is shorter.
ROOM_ACTIONS = {"hand_over": Action.OWNER}


def is_on_behalf(seat: Seat) -> bool:
    """
    Return whether the viewer acts here as an administrator, and not as the owner of the room.

    In a private one nobody does: its name is in no log.
    """
    is_own = seat.membership is not None and seat.membership.role == OWNER
    return seat.viewer.is_admin and not is_own and not seat.kind.is_private


async def record_act(request: Request, do: str, seat: Seat, person: Person | None) -> None:
    """Write down what an administrator did in a room that is not theirs, in the operator's log too."""
    admin, room = seat.viewer, seat.room
    action = ROOM_ACTIONS.get(do) or Action(do)
    whom = {"person_id": person.id, "name": person.display_name, "code": person.code} if person else NOBODY
    await AuditEntry.write(admin, action, {**whom, "place": room.name, "room": room.id})
    code = person.code if person else ""
    security_log.record(request, "moderated", admin.code, action=action.value, room=room.key, person=code)
