"""The sidebar as a page of its own."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.authentication import require_account
from webapp.http.params import query
from webapp.sidebar.layout import render_with_sidebar


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
