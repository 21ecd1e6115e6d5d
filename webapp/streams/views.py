"""The addresses of streams: of a room, and of pages that show none."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.authentication import require_account
from webapp.conversations import access
from webapp.conversations.kinds import CANNOT_WRITE
from webapp.conversations.seats import Seat
from webapp.core.errors import Forbidden
from webapp.core.i18n import _
from webapp.http import render
from webapp.http.client import client
from webapp.http.params import query
from webapp.http.urls import path_for
from webapp.sidebar.calls import NO_UNREAD
from webapp.sidebar.queries import waiting_counts
from webapp.streams.opening import (
    must_wait,
    open_document,
    open_events,
    open_log,
    open_reader,
    waiting_document,
)

# Of the version that a page says it is of.
MAX_VERSION_LENGTH = 18


async def room_events(request: Request) -> Response:
    """Server-Sent Events of a room, from the version that the page holds."""
    seat = await _seat(request)
    return await open_events(request, seat.viewer, seat)


async def viewer_events(request: Request) -> Response:
    """The same for a page that shows no room."""
    return await open_events(request, require_account(request), None)


async def room_document(request: Request) -> Response:
    """The log as a document that never ends, for pages without script."""
    return await open_log(request, await _seat(request))


async def viewer_document(request: Request) -> Response:
    """The sidebar as such a document, for a page that shows no room."""
    user = require_account(request)
    if must_wait(request):
        return waiting_document(request, path_for("sidebar"), _("Your chats and rooms"))
    reader = await open_reader(request, user, None, "html", digest="")
    waiting = (await waiting_counts([user.id]))[user.id]
    shown = {"waiting": waiting, "unread_count": NO_UNREAD, "other_unread": NO_UNREAD, "tab": "lobby"}
    shown |= {"token": client(request).form_token}
    return open_document(request, reader, user, "sidebar/live.html", **shown)


async def supervisor(request: Request) -> Response:
    """
    One of the twins. They hold nothing of anybody, and the browser caches them before they are needed: a page
    that can't be fetched while the server is away would be the last one.
    """
    path = quote(request.scope["path"])
    twin = "a" if query(request, "frame") == "b" else "b"
    page = quote(query(request, "page", render.PAGE_VERSION)[:MAX_VERSION_LENGTH])
    html = render.fragment(
        "streams/supervisor.html", path=f"{path}?page={page}", twin=f"{path}?frame={twin}&page={page}"
    )
    # The preload of the twin is measured by connect-src, which is default-src here.
    policy = "default-src 'self'; script-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    headers = {"Cache-Control": "private, max-age=31536000, immutable", "Content-Security-Policy": policy}
    return Response(html, 200, headers, "text/html")


async def _seat(request: Request) -> Seat:
    seat = await access.for_stream(request)
    if not seat.is_live:
        raise Forbidden(CANNOT_WRITE if seat.is_blocked else _("You have not answered yet."))
    return seat
