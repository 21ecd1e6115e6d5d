"""The sidebar as a page of its own."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.authentication import signed_in
from webapp.http import render
from webapp.relationships.models import Friendship
from webapp.sidebar.layout import split


async def sidebar(request: Request) -> Response:
    """The sidebar as a document of its own, which renews itself in a frame."""
    render.frame(request)
    user = signed_in(request)
    waiting = (await Friendship.asking([user.id]))[user.id]
    here = request.query_params.get("here", "")
    response = await split(request, user, "sidebar/sidebar.html", here=here, waiting=waiting)
    response.headers["Refresh"] = "20"
    return response
