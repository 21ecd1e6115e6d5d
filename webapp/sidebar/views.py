"""The sidebar as a page of its own."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.authentication import require_account
from webapp.http.params import query
from webapp.relationships.queries import request_counts
from webapp.sidebar.layout import render_with_sidebar


async def sidebar(request: Request) -> Response:
    """The sidebar as a document of its own, which renews itself in a frame."""
    user = require_account(request)
    request_count = (await request_counts([user.id]))[user.id]
    response = await render_with_sidebar(
        request,
        user,
        "sidebar/sidebar.html",
        request_count=request_count,
        current_key=query(request, "here"),
    )
    response.headers["Refresh"] = "20"
    return response
