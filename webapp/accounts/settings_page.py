"""The layout of the pages of settings, which is that of all pages beside the list of chats."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.authentication import require_account
from webapp.core.lifetime import Slot
from webapp.http import responses

Layout = Callable[..., Awaitable[Response]]
layout = Slot[Layout]("layout of settings")


async def settings_page(
    request: Request, name: str, status: int = 200, is_cacheable: bool = True, **context: Any
) -> Response:
    """Return a page of settings beside the chats, or alone for who is banned and has none."""
    viewer = require_account(request)
    context = {"current_path": request.scope["path"], "notice": ""} | context
    if viewer.is_banned:
        return responses.page(request, name, status, is_cacheable, **context)
    return await layout()(request, viewer, name, status, is_cacheable=is_cacheable, **context)
