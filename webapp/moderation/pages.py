"""What the pages of administrators share; to everybody else there are none."""

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.audit import PAGE
from webapp.accounts.authentication import require_account
from webapp.accounts.viewer import Viewer
from webapp.core.errors import NotFound, Problem
from webapp.http.params import Page, page_number
from webapp.moderation.overview import ACTIVE_DAYS, MANY_MESSAGES
from webapp.presence.last_seen import last_seen_text
from webapp.sidebar.layout import render_with_sidebar

MAX_PAGES = 1000


def require_admin(request: Request) -> Viewer:
    """Return the administrator who asks; raise NotFound for everybody else."""
    user = require_account(request)
    if not user.is_admin:
        raise NotFound
    return user


def number_of_page(request: Request) -> int:
    return page_number(request, MAX_PAGES)


async def render_list(
    request: Request, admin: Viewer, name: str, found: Iterable[Any], status: int = 200, **context: Any
) -> Response:
    """Return one page of what was found, with links to those around it."""
    page = Page.of(list(found), number_of_page(request), PAGE)
    shared: dict[str, Any] = {"found": page.rows, "more": page.has_more, "page": page.number, "asked": ""}
    shared["current_path"] = request.scope["path"]
    return await render_with_sidebar(request, admin, name, status, **(shared | context))


async def render_form(
    request: Request, admin: Viewer, name: str, error: Problem | None = None, **context: Any
) -> Response:
    """Return a page with a form, and what was wrong with what was typed into it."""
    shown = {"problem": error.message if error else ""} | context
    response = await render_with_sidebar(request, admin, name, error.status if error else 200, **shown)
    response.headers.update(error.headers if error else {})
    return response


def about_people() -> dict[str, Any]:
    """Return what the templates say with of how much there is of a person."""
    return {"last_seen": last_seen_text, "many": MANY_MESSAGES, "days": ACTIVE_DAYS}
