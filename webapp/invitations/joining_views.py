"""The page that the link of an invitation leads to. Looking at it uses nothing: programs look, too."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import current_account, current_viewer
from webapp.accounts.viewer import Viewer
from webapp.conversations import broadcasts
from webapp.conversations import queries as rooms
from webapp.conversations.seats import KICKED, RoomRow, require_not_kicked
from webapp.core.errors import Forbidden
from webapp.http import responses
from webapp.http.client import client
from webapp.http.limits import throttle
from webapp.http.urls import path_for
from webapp.invitations import joining
from webapp.relationships.queries import without_blocked


async def invitation(request: Request) -> Response:
    """Show what one is invited to; post: join."""
    current_viewer(request)  # where the database is away it is not the link that is not valid
    token = request.path_params["token"]
    user = current_account(request)
    if request.method == "POST":
        return await _join(request, user, token)
    found = await joining.require(request, token)
    room = await joining.room_of(found)
    if user and room and await _is_member(user, room):
        response = responses.see_other(room.path)
    else:
        if user and found.maker and not await without_blocked(user, [found.maker]):
            found = replace(found, maker=None)
        link = path_for("invitation", token=token)
        response = responses.page(
            request, "invitations/join.html", is_cacheable=False, invitation=found, room=room, link=link, account=user
        )
    response.headers.update(joining.HEADERS)
    return response


async def _join(request: Request, user: Viewer | None, token: str) -> Response:
    await throttle(settings.RATE_JOIN, "join-address", client(request).address)
    if user is None:
        return responses.see_other(path_for("invitation", token=token))
    await throttle(settings.RATE_JOIN, "join", str(user.id))
    found = await joining.require(request, token)
    room = await joining.room_of(found)
    if room is None:  # to the site, where they are
        return responses.see_other(path_for("lobby"))
    await joining.join(found, user.id)
    broadcasts.membership_changed(room.id, user.id)
    return responses.see_other(room.path)


async def _is_member(user: Viewer, room: RoomRow) -> bool:
    """Return whether they are in the room; raise Forbidden for who is banned from it."""
    seat = await rooms.seat_by_id(user, room.id)
    membership = seat.membership if seat else None
    if membership and membership.role == KICKED:
        try:
            require_not_kicked(membership.kicked_until)
        except Forbidden:
            raise Forbidden(joining.CANNOT_JOIN, joining.HEADERS) from None
    return membership is not None and membership.role != KICKED
