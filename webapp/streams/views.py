"""Opening a stream: Server-Sent Events for pages with script, an endless document for those without."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.authentication import signed_in
from webapp.accounts.models import User
from webapp.conversations import access
from webapp.conversations.models import PARTED, Room
from webapp.core.errors import Refused
from webapp.core.i18n import _
from webapp.http import render
from webapp.relationships.models import Friendship
from webapp.streams.opening import (
    _reader,
    must_wait,
    open_document,
    open_events,
    open_log,
    supervisor,
    waiting_document,
)


async def events(request: Request) -> Response:
    """Server-Sent Events of a room, from the version that the page holds."""
    user, room = await _room(request)
    return await open_events(request, user, room)


async def own_events(request: Request) -> Response:
    """The same for a page that shows no room."""
    return await open_events(request, signed_in(request), None)


async def live(request: Request) -> Response:
    """The log as a document that never ends, for pages without script; with `frame`, the frame around it."""
    if "frame" in request.query_params:
        return supervisor(request)
    render.frame(request)
    return await open_log(request, *await _room(request))


async def own_live(request: Request) -> Response:
    """The sidebar as such a document, for a page that shows no room."""
    if "frame" in request.query_params:
        return supervisor(request)
    render.frame(request)
    user = signed_in(request)
    if must_wait(request, user):
        return waiting_document(request, "/sidebar", _("Your chats and rooms"))
    reader = await _reader(request, user, None, None, "html")
    waiting = (await Friendship.asking([user.id]))[user.id]
    shown = {"viewer": user, "waiting": waiting, "token": render.token(request)}
    return open_document(request, reader, user, "sidebar/live.html", sidebar="", **shown)


async def _room(request: Request) -> tuple[User, Room]:
    user = signed_in(request)
    room = await access.for_reading(user, request.path_params["key"])
    if not room.is_open:
        raise Refused(PARTED if room.is_parted else _("You have not answered yet."))
    return user, room
