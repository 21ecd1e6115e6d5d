"""The address of the reactions to a message: who reacted and how, and to do so."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.conversations import access
from webapp.conversations.seats import Seat
from webapp.core.errors import Invalid, NotFound
from webapp.core.i18n import Text, _
from webapp.http import responses
from webapp.http.client import client
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.messages import pacing, reactions
from webapp.messages.models import Message
from webapp.messages.page import NO_MESSAGE
from webapp.messages.reaction_queries import kinds_by, reactors
from webapp.sidebar import inbox_news
from webapp.sidebar.layout import page_beside_or_fragment


async def show(request: Request) -> Response:
    form = await read_form(request, "kind", "on")
    seat = await access.for_reading(request)
    if not seat.kind.allows_reactions:
        raise NotFound(NO_MESSAGE)
    message = await Message.get_or_none(room_id=seat.room.id, number=int(request.path_params["number"]), notice="")
    if message is None or message.number < seat.room.first_number:
        raise NotFound(NO_MESSAGE)
    if message.removed_at:
        raise NotFound(_("This message has been removed."))
    if request.method != "POST":
        return await _page(request, seat, message)
    await throttle(settings.RATE_REACT, "react", str(seat.viewer.id))
    try:
        version = await reactions.react(seat, message.number, form["kind"], form["on"] != "0")
    except Invalid as error:
        return await _page(request, seat, message, error.status, error.message)
    if version:
        pacing.reacted(seat.room.id, version)
        if message.author_id and message.author_id != seat.viewer.id:
            inbox_news.changed([message.author_id])
    if client(request).is_fragment:
        return Response(status_code=204)
    return responses.see_other(message.path(seat.room))


async def _page(request: Request, seat: Seat, message: Message, status: int = 200, problem: Text = "") -> Response:
    mine = await kinds_by(message.id, seat.viewer.id)
    found = await reactors(message.id, seat.viewer.id)
    context: dict[str, Any] = {
        "seat": seat,
        "message": {"path": message.path(seat.room), "html": message.safe_html},
        "can_react": reactions.can_react(seat),
        "mine": [kind for kind in reactions.KINDS if kind in mine],
        "others": [kind for kind in reactions.KINDS if kind not in mine],
        "reactors": {kind: found[kind] for kind in reactions.KINDS if kind in found},
        "problem": problem,
    }
    names = "messages/reactions.html", "messages/_reactors.html"
    return await page_beside_or_fragment(request, seat.viewer, *names, status, current_key=seat.room.key, **context)
