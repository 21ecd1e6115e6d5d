"""The addresses of the inbox: its page, all that is unread to read at one go, and marking that as read."""

from time import time
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.accounts.models import User
from webapp.accounts.viewer import Viewer
from webapp.conversations import access, broadcasts
from webapp.conversations.models import Membership
from webapp.conversations.queries import rooms_by_id
from webapp.conversations.read_marks import read_marks
from webapp.core.errors import Invalid
from webapp.core.i18n import _
from webapp.http import responses
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.http.params import choice, query
from webapp.http.urls import path_for
from webapp.inbox.catch_up import catch_up
from webapp.inbox.page import FILTERS, Place, read_page
from webapp.inbox.unread import UNREADABLE, Shown
from webapp.live import hub
from webapp.sidebar.inbox_news import STATE
from webapp.sidebar.layout import render_with_sidebar

SUCCESS_MESSAGES = {"read": _("All of that is read.")}


async def inbox(request: Request) -> Response:
    """What is for the viewer alone, newest first, a page at a time."""
    user = require_account(request)
    show = query(request, "show")
    show = show if show in FILTERS else ""
    place = Place.parsed(query(request, "before"))
    made_at = str(int(time()))
    await read_marks().settle(user.id)
    page = await read_page(user.id, FILTERS[show], place)
    context: dict[str, Any] = {
        "page": page,
        "filters": [(words.name, _address(name), name == show) for name, words in FILTERS.items()],
        "is_first": place == Place(),
        "current_path": _address(show, "" if place == Place() else str(place)),
        "first": _address(show),
        "older": _address(show, page.next) if page.next else "",
        "done": choice(request, "done", SUCCESS_MESSAGES, ""),
    }
    return await render_with_sidebar(
        request, user, "inbox/index.html", more_of_stream={STATE: made_at}, made_at=made_at, **context
    )


def _address(show: str, before: str = "") -> str:
    asked = {name: value for name, value in (("show", show), ("before", before)) if value}
    return path_for("inbox") + (f"?{urlencode(asked)}" if asked else "")


async def show_catch_up(request: Request) -> Response:
    """All that is unread, room by room: plain, to be read in any browser, and on paper."""
    user = require_account(request)
    await read_marks().settle(user.id)
    return responses.page(request, "inbox/catch_up.html", page=await catch_up(user.id))


async def read(request: Request) -> Response:
    """Mark as read what a page has shown, of one room or of all."""
    user = require_account(request)
    await throttle(settings.RATE_CHANGE, "inbox", str(user.id))
    form = await read_form(request, "room", "until")
    shown = Shown.parsed(form["until"])
    if form["room"]:
        room = (await access.by_key(user, form["room"])).room
        if room.id not in shown.rooms:
            raise Invalid(until=UNREADABLE)
        shown = Shown({room.id: shown.rooms[room.id]})
    await _mark_read(user, shown)
    return responses.see_other(
        path_for("catch_up" if form["room"] else "inbox") + ("" if form["room"] else "?done=read")
    )


async def _mark_read(user: Viewer, shown: Shown) -> None:
    if shown.reaction:
        await User.mark_reactions_read(user.id, shown.reaction)
    read = await Membership.mark_all_read_to(user.id, shown.rooms) if shown.rooms else []
    for room in await rooms_by_id(read):
        broadcasts.membership_changed(room.id, user.id)
        if room.kind.is_between_two:
            hub().refresh(f"room:{room.id}", "receipts")
