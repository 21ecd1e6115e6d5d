"""The page that prepares the file of all that is one's own, and the download."""

import asyncio

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from webapp import settings
from webapp.accounts.authentication import confirm, require_account
from webapp.accounts.settings_page import settings_page
from webapp.core.errors import NotFound, Problem
from webapp.core.i18n import Text, _
from webapp.exports.jobs import Export
from webapp.exports.worker import worker
from webapp.http import responses, security_log
from webapp.http.forms import read_form
from webapp.http.limits import throttle

REFRESH_SECONDS = 2


async def export(request: Request) -> Response:
    user = require_account(request)
    found = await Export.of(user)
    if request.method != "POST":
        return await _export(request, found)
    typed = await read_form(request, "password")
    if not (found and found.is_under_way):
        try:
            await confirm(request, user, typed["password"])
            await throttle(settings.RATE_EXPORT, "export", str(user.id))
        except Problem as error:
            response = await _export(request, found, error.status, error.message)
            response.headers.update(error.headers)
            return response
        await Export.begin(user)
        security_log.record(request, "export_begun", user.code)
    worker().wake()
    return responses.see_other(request.scope["path"])


async def _export(request: Request, found: Export | None, status: int = 200, problem: Text = "") -> Response:
    response = await settings_page(
        request, "exports/export.html", status, is_cacheable=False, export=found, problem=problem
    )
    if found and found.is_under_way:
        response.headers["Refresh"] = str(REFRESH_SECONDS)
    return response


async def download(request: Request) -> Response:
    """The person's own finished file, piece by piece from the disk."""
    user = require_account(request)
    found = await Export.ready(user, request.path_params["run"])
    try:
        stat = await asyncio.to_thread(found.file.stat)
    except FileNotFoundError:
        raise NotFound(_("The file is no longer here. Prepare it again.")) from None
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    name = f"parley-{user.username or user.code}.zip"
    return FileResponse(found.file, 200, headers, "application/zip", filename=name, stat_result=stat)
