"""Invitations to the site, which administrators make: an account comes by them where nobody registers without."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.authentication import require_account
from webapp.accounts.settings_page import settings_page
from webapp.core.errors import NotFound
from webapp.http.urls import path_for
from webapp.invitations.lists import InvitationList


async def site_invitations(request: Request) -> Response:
    found = _list(request)
    render = partial(settings_page, request, "invitations/site.html")
    return await (found.make if request.method == "POST" else found.show)(request, render)


async def revoke(request: Request) -> Response:
    return await _list(request).revoke(request)


def _list(request: Request) -> InvitationList:
    """Return the list of an administrator; raise NotFound for anybody else."""
    viewer = require_account(request)
    if not viewer.is_admin:
        raise NotFound
    return InvitationList(viewer, path_for("site_invitations"))
