"""The invitations of a room: who invites makes links, sees who came by them, and revokes them."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.authentication import require_account
from webapp.conversations import access
from webapp.conversations.audit import is_on_behalf, record_act
from webapp.conversations.roles import MEMBERS, Act, may
from webapp.conversations.seats import Seat
from webapp.core.errors import Forbidden, NotFound
from webapp.core.i18n import _
from webapp.http.urls import path_for
from webapp.invitations.lists import InvitationList
from webapp.sidebar.layout import render_with_sidebar


async def room_invitations(request: Request) -> Response:
    seat = await _inviting(request)
    render = partial(
        render_with_sidebar,
        request, seat.viewer, "invitations/room.html", seat=seat, room=seat.room, current_key=seat.room.key,
    )  # fmt: skip
    if request.method != "POST":
        return await _list_of(seat).show(request, render)
    response = await _list_of(seat).make(request, render)
    invites_as_member = seat.membership is not None and seat.room.who_invites == MEMBERS
    if response.status_code == 200 and is_on_behalf(seat) and not invites_as_member:
        await record_act(request, "invite", seat, None)
    return response


async def revoke(request: Request) -> Response:
    seat = await _inviting(request)
    response = await _list_of(seat).revoke(request)
    if is_on_behalf(seat):
        await record_act(request, "revoke", seat, None)
    return response


async def _inviting(request: Request) -> Seat:
    """Return the seat of who may invite; raise NotFound where nobody invites by a link, and Forbidden."""
    require_account(request)
    seat = await access.for_reading(request)
    if not seat.kind.has_owner:
        raise NotFound
    if not seat.can_invite:
        raise Forbidden(_("You can't invite people to this room."))
    return seat


def _list_of(seat: Seat) -> InvitationList:
    """Owners have all invitations of the room; other members have their own."""
    path = path_for("room_invitations", key=seat.room.key)
    return InvitationList(seat.viewer, path, seat.room.id, has_all=may(seat, Act.OWN))
