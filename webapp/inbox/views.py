"""The addresses of the inbox."""

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.authentication import require_account
from webapp.http.params import query
from webapp.http.urls import path_for
from webapp.inbox.page import FILTERS, Place, read_page
from webapp.sidebar.layout import render_with_sidebar


async def inbox(request: Request) -> Response:
    """What is for the viewer alone, newest first, a page at a time."""
    user = require_account(request)
    show = query(request, "show")
    show = show if show in FILTERS else ""
    place = Place.parsed(query(request, "before"))
    page = await read_page(user.id, FILTERS[show], place)
    context: dict[str, Any] = {
        "page": page,
        "filters": [(words.name, _address(name), name == show) for name, words in FILTERS.items()],
        "is_first": place == Place(),
        "current_path": _address(show, "" if place == Place() else str(place)),
        "first": _address(show),
        "older": _address(show, page.next) if page.next else "",
    }
    return await render_with_sidebar(request, user, "inbox/index.html", **context)


def _address(show: str, before: str = "") -> str:
    asked = {name: value for name, value in (("show", show), ("before", before)) if value}
    return path_for("inbox") + (f"?{urlencode(asked)}" if asked else "")
