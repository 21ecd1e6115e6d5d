"""The address of what owners and moderators of a room do with its people."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.conversations import access
from webapp.conversations.roles import Change
from webapp.core.errors import Invalid
from webapp.core.i18n import Text, _
from webapp.http import responses
from webapp.http.client import client
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.http.params import whole
from webapp.http.urls import path_for
from webapp.people import acts

DONE: dict[str, Text] = {
    Change.MAKE_OWNER: _("They own this room now, too."),
    Change.MAKE_MODERATOR: _("They are a moderator of this room now."),
    Change.MAKE_MEMBER: _("They are a member like others now."),
    Change.REMOVE: _("They are out of this room."),
    Change.BAN: _("They are out of this room, and can't come back while they are banned."),
    Change.UNBAN: _("They may come back."),
}


async def act_on_person(request: Request) -> Response:
    """Promote, demote, remove, ban or unban a person of the room."""
    user = require_account(request)
    seat = await access.for_reading(request)
    await throttle(settings.RATE_CHANGE, "room", str(user.id))
    form = await read_form(request, "act", "hours")
    if form["act"] not in DONE:
        raise Invalid(act=_("This can't be done here."))
    do = Change(form["act"])
    changed = await acts.carry_out(seat, request.path_params["code"], do, ban_length(form["hours"]))
    await acts.record(request, seat, do, changed)
    if client(request).is_fragment:
        return responses.fragment_response("_done.html", done=DONE[do])
    return responses.see_other(f"{path_for('room_people', key=seat.room.key)}?done={do}")


def ban_length(hours: str) -> timedelta | None:
    """Return how long a ban lasts, None for good; raise Invalid where that can't be read."""
    if not hours:
        return None
    count = whole(hours, 0, most=10**6)
    if count < 1:
        raise Invalid(hours=_("Choose for how long."))
    return timedelta(hours=count)
