"""What administrators do in rooms that are not theirs."""

from starlette.requests import Request

from webapp.accounts.audit import LEFT, Action, AuditEntry
from webapp.accounts.viewer import Person
from webapp.conversations.models import OWNER, Room
from webapp.http import security_log

NOBODY = {"name": LEFT, "code": ""}
# What the form of a room's settings calls otherwise than the log, whose column is shorter.
ROOM_ACTIONS = {"hand_over": Action.OWNER}


def is_on_behalf(user: Person, room: Room) -> bool:
    """Whether what this person may do in the room is theirs to do as an administrator, and not as its owner."""
    return user.is_admin and not (room.membership and room.membership.role == OWNER)


async def record_act(request: Request, admin: Person, do: str, room: Room, person: Person | None) -> None:
    """Write down what an administrator has done in a room that is not theirs, in the operator's log too."""
    action = ROOM_ACTIONS.get(do) or Action(do)
    whom = {"person_id": person.id, "name": person.display_name, "code": person.code} if person else NOBODY
    await AuditEntry.write(admin, action, {**whom, "place": room.name})
    code = person.code if person else ""
    security_log.record(request, "moderated", admin.code, action=action.value, room=room.key, person=code)
