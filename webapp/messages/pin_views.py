"""The addresses of pins: pinning a message, unpinning it, and the list of a room's pins."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.models import User
from webapp.conversations import access
from webapp.conversations.audit import is_on_behalf, record_act
from webapp.conversations.roles import Act
from webapp.conversations.seats import Seat
from webapp.core.i18n import Text, _
from webapp.http import responses
from webapp.http.client import client
from webapp.http.limits import throttle
from webapp.messages import page, pins
from webapp.messages.models import Message
from webapp.messages.pin_queries import list_pins
from webapp.sidebar.layout import render_with_sidebar

PINNED, UNPINNED = _("Pinned for everybody here."), _("Not pinned any more.")


async def pin(request: Request) -> Response:
    seat = await _seat(request)
    return await _answer(request, seat, "pin", PINNED, await pins.pin(seat, _number(request)))


async def unpin(request: Request) -> Response:
    seat = await _seat(request)
    return await _answer(request, seat, "unpin", UNPINNED, await pins.unpin(seat, _number(request)))


async def _seat(request: Request) -> Seat:
    seat = await access.for_reading(request)
    await throttle(settings.RATE_CHANGE, "pin", str(seat.viewer.id))
    return seat


def _number(request: Request) -> int:
    return int(request.path_params["number"])


async def _answer(request: Request, seat: Seat, do: str, done: Text, is_changed: bool) -> Response:
    if is_changed:
        pins.changed(seat.room.id)
        if is_on_behalf(seat, Act.MODERATE):
            message = await Message.get_or_none(room_id=seat.room.id, number=_number(request))
            author = await User.get_or_none(id=message.author_id) if message and message.author_id else None
            await record_act(request, do, seat, author)
    if client(request).is_fragment:
        return responses.fragment_response("_done.html", done=done)
    return responses.see_other(f"{seat.path}/pins")


async def show(request: Request) -> Response:
    """All that is pinned in the room, the latest first."""
    seat = await access.for_reading(request)
    found = await list_pins(seat.room)
    hidden = (await page.hidden_in(seat, [row.message for row in found])).messages
    context: dict[str, Any] = {
        "seat": seat,
        "rows": [(row, row.message.number in hidden) for row in found],
        "can_pin": pins.can_pin(seat),
        "current_key": seat.room.key,
    }
    return await render_with_sidebar(request, seat.viewer, "messages/pins.html", **context)
