"""The page for who was asked to come into a group or a private room: who asks, how many are in, and the two answers."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.models import User
from webapp.conversations.seats import Seat
from webapp.relationships.queries import without_blocked
from webapp.sidebar.layout import render_with_sidebar


async def show_asked(request: Request, seat: Seat) -> Response:
    """Return the page, which holds nothing of what is said in the room."""
    assert seat.membership
    known = await User.filter(id=seat.membership.inviter, username__not_isnull=True)
    # A block may stand between the two since: who asks has no name then, as in the sidebar.
    inviters = await without_blocked(seat.viewer, known)
    return await render_with_sidebar(
        request,
        seat.viewer,
        "conversations/asked.html",
        seat=seat,
        inviter=next(iter(inviters), None),
        current_key=seat.room.key,
    )
