"""The page for who was asked to come into a group or a private room: who asks, how many are in, and the two answers."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.models import User
from webapp.conversations.seats import Seat
from webapp.sidebar.layout import render_with_sidebar


async def show_asked(request: Request, seat: Seat) -> Response:
    """Return the page, which holds nothing of what is said in the room."""
    assert seat.membership
    known = User.filter(id=seat.membership.inviter, username__not_isnull=True)
    return await render_with_sidebar(
        request,
        seat.viewer,
        "conversations/asked.html",
        seat=seat,
        inviter=await known.first(),
        current_key=seat.room.key,
    )
