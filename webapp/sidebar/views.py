"""The sidebar as a page of its own."""

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.http import responses
from webapp.http.limits import throttle
from webapp.http.params import is_in_query, query
from webapp.sidebar.layout import render_with_sidebar
from webapp.sidebar.queries import list_entries


async def sidebar(request: Request) -> Response:
    """The sidebar as a document of its own, which renews itself in a frame."""
    user = require_account(request)
    response = await render_with_sidebar(
        request,
        user,
        "sidebar/sidebar.html",
        current_key=query(request, "here"),
    )
    response.headers["Refresh"] = "20"
    return response


async def unread_count(request: Request) -> Response:
    """How much is unread: for a tab that is hidden, which has no stream. The version before asks for no calls."""
    user = require_account(request)
    await throttle(settings.RATE_SIGNAL, "unread", str(user.id))
    unread = (await list_entries(user.id)).unread()
    count = unread if is_in_query(request, "calls") else unread.rooms
    return responses.fragment_response("sidebar/_unread.html", count=count)
