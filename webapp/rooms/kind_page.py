"""The page on which an owner makes a room private or public, and reads before what that means."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.conversations import broadcasts, kinds, queries
from webapp.conversations.member_changes import NOT_ALLOWED
from webapp.conversations.roles import MAY, Act
from webapp.conversations.seats import Seat
from webapp.core.errors import Forbidden, Invalid, NotFound
from webapp.core.i18n import _
from webapp.http import responses
from webapp.messages import changes, pins
from webapp.rooms import converting
from webapp.sidebar.layout import render_with_sidebar

# What a room can be made, by what the form calls it.
KINDS = {kind.stored: kind for kind in (kinds.PUBLIC, kinds.PRIVATE)}
SUCCESS_MESSAGES = {
    "private": _("The room is private now. Its old address leads only its members here."),
    "public": _("The room is public now."),
}


def can_convert(seat: Seat) -> bool:
    """Return whether the viewer is an owner of a room that is public or private; an administrator is none."""
    is_own = seat.membership is not None and seat.membership.role in MAY[Act.OWN]
    return is_own and seat.kind.stored in KINDS


async def show(request: Request, seat: Seat) -> Response:
    _require_owner(seat)
    return await _show(request, seat)


async def convert(request: Request, seat: Seat, kind: str, name: str) -> Response:
    """Make the room of that kind; return the way to its settings, or the page with what is wrong with the name."""
    _require_owner(seat)
    if kind not in KINDS:
        raise Invalid(kind=_("Choose one of the two."))
    try:
        if kind == kinds.PRIVATE.stored:
            version = await converting.make_private(seat)
        else:
            version = await converting.make_public(seat, name)
    except Invalid as error:
        return await _show(request, seat, error.status, form={"name": name}, problems=error.problems)
    room = await queries.room_by_id(seat.room.id)
    if room is None:
        raise NotFound
    if version:
        await broadcasts.kind_changed(room.id)
        changes.log_changed(room.id, version)
        pins.changed(room.id)
    return responses.see_other(f"{room.path}/settings?done={kind}")


def _require_owner(seat: Seat) -> None:
    if seat.kind.stored not in KINDS:
        raise NotFound
    if not can_convert(seat):
        raise Forbidden(NOT_ALLOWED[Act.OWN])


async def _show(request: Request, seat: Seat, status: int = 200, **context: Any) -> Response:
    defaults: dict[str, Any] = {
        "seat": seat,
        "room": seat.room,
        "current_key": seat.room.key,
        "form": {"name": seat.room.name},
        "problems": {"name": ""},
    }
    return await render_with_sidebar(request, seat.viewer, "rooms/kind.html", status, **(defaults | context))
