"""The address of what owners and moderators of a room do with its people."""

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.conversations import access
from webapp.conversations.roles import Change
from webapp.core.errors import Invalid, NotFound
from webapp.core.i18n import _
from webapp.http import responses
from webapp.http.client import client
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.http.params import Page, choice, page_number, whole
from webapp.http.urls import path_for
from webapp.people import acts, queries
from webapp.sidebar.layout import render_with_sidebar


async def act_on_person(request: Request) -> Response:
    """Promote, demote, remove, ban or unban a person of the room."""
    user = require_account(request)
    seat = await access.for_reading(request)
    await throttle(settings.RATE_CHANGE, "room", str(user.id))
    form = await read_form(request, "act", "hours")
    if form["act"] not in acts.DONE:
        raise Invalid(act=_("This can't be done here."))
    do = Change(form["act"])
    changed = await acts.carry_out(seat, request.path_params["code"], do, ban_length(form["hours"]))
    await acts.record(request, seat, do, changed)
    if client(request).is_fragment:
        return responses.fragment_response("_done.html", done=acts.DONE[do])
    back = "room_bans" if do is Change.UNBAN else "room_people"
    return responses.see_other(f"{path_for(back, key=seat.room.key)}?done={do}")


async def show_bans(request: Request) -> Response:
    """Who is banned from the room; to those who do not moderate it there is nothing here."""
    seat = await access.for_reading(request)
    if not seat.is_moderator:
        raise NotFound
    page = page_number(request)
    found = Page.of(await queries.banned_from(seat.room, page), page, queries.PAGE_SIZE)
    context: dict[str, Any] = {
        "seat": seat,
        "room": seat.room,
        "found": found.rows,
        "more": found.has_more,
        "page": page,
        "current_path": path_for("room_bans", key=seat.room.key),
        "current_key": seat.room.key,
        "notice": choice(request, "done", acts.DONE, ""),
    }
    return await render_with_sidebar(request, seat.viewer, "people/bans.html", **context)


def ban_length(hours: str) -> timedelta | None:
    """Return how long a ban lasts, None for good; raise Invalid where that can't be read."""
    if not hours:
        return None
    count = whole(hours, 0, most=10**6)
    if count < 1:
        raise Invalid(hours=_("Choose for how long."))
    return timedelta(hours=count)
