"""The addresses of saved messages: saving one, saving it no longer, and the list of them."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.conversations import access
from webapp.conversations.seats import Seat
from webapp.core.i18n import Text, _
from webapp.http import responses
from webapp.http.client import client
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.http.params import query, whole
from webapp.http.urls import path_for
from webapp.messages import saved
from webapp.messages.saved_queries import MAX_ID, PAGE_SIZE, list_saved
from webapp.relationships.queries import blocked_codes
from webapp.sidebar.layout import render_with_sidebar

SAVED, UNSAVED = _("Saved. You find it under “You”."), _("Not saved any more.")


async def save(request: Request) -> Response:
    return await _act(request, saved.save, SAVED)


async def unsave(request: Request) -> Response:
    return await _act(request, saved.unsave, UNSAVED)


async def _act(request: Request, act: Callable[[Seat, int], Awaitable[None]], done: Text) -> Response:
    form = await read_form(request, "from")
    seat = await _seat(request)
    await act(seat, _number(request))
    if client(request).is_fragment:
        return responses.fragment_response("_done.html", done=done)
    return _back(request, seat, form)


async def _seat(request: Request) -> Seat:
    seat = await access.for_reading(request)
    await throttle(settings.RATE_CHANGE, "save", str(seat.viewer.id))
    return seat


def _number(request: Request) -> int:
    return int(request.path_params["number"])


def _back(request: Request, seat: Seat, form: dict[str, str]) -> Response:
    """Lead back to the list, where the form stood there, else to the message's page, which has what was done."""
    if form["from"] == "saved":
        return responses.see_other(path_for("saved"))
    return responses.see_other(f"{seat.path}/messages/{_number(request)}/edit#more")


async def show(request: Request) -> Response:
    """What the viewer has saved, the latest first; the words of people whom they have blocked stay hidden."""
    viewer = require_account(request)
    before = whole(query(request, "before"), MAX_ID, MAX_ID)
    found = await list_saved(viewer.id, before)
    blocked = await blocked_codes(viewer)
    rows = [(row, not row.is_between_two and row.message.author_code in blocked) for row in found[:PAGE_SIZE]]
    more = found[PAGE_SIZE - 1].id if len(found) > PAGE_SIZE else 0
    context: dict[str, Any] = {"rows": rows, "more": more, "is_first": before == MAX_ID}
    return await render_with_sidebar(request, viewer, "messages/saved.html", **context)
