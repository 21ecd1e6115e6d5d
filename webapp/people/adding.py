"""Adding people to a group or a private room: the page, and what is sent from it."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.conversations import broadcasts, groups
from webapp.conversations.seats import Seat
from webapp.core.errors import Problem
from webapp.http import responses
from webapp.http.forms import read_form, read_repeated
from webapp.http.limits import throttle
from webapp.people import choosing

TEMPLATE = "people/add.html"


async def show(request: Request, seat: Seat) -> Response:
    """Return the page on which people are chosen; raise Forbidden where the viewer adds nobody."""
    groups.require_may_add(seat)
    return await choosing.show(request, seat.viewer, TEMPLATE, **_around(seat))


async def receive(request: Request, seat: Seat) -> Response:
    """Add who was chosen, or find others."""
    user = seat.viewer
    form = await read_form(request, "q", "find")
    codes = await read_repeated(request, "code")
    if not form["find"]:
        await throttle(settings.RATE_GROUP, "group", str(user.id))
    groups.require_may_add(seat)
    try:
        if form["find"]:
            return await choosing.find(request, user, TEMPLATE, form["q"], codes, **_around(seat))
        added = await groups.add(seat, codes)
    except Problem as problem:
        return await choosing.refuse(request, user, TEMPLATE, codes, problem, **_around(seat))
    broadcasts.membership_changed(seat.room.id, *added)
    if seat.kind.is_group:
        broadcasts.group_changed(seat.room.id)
    return responses.see_other(seat.path)


def _around(seat: Seat) -> dict[str, Any]:
    return {"seat": seat, "current_key": seat.room.key, "without": [person.id for person in seat.group]}
