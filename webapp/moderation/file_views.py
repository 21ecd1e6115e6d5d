"""Files as administrators see them: those that a report holds."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.authentication import require_account
from webapp.core.errors import NotFound, SignInRequired
from webapp.files.queries import FileRow
from webapp.files.sending_queries import CODE
from webapp.files.serving import NO_FILE, serve_thumbnail, serve_whole
from webapp.moderation.sealed import SealedFile


async def show(request: Request) -> Response:
    return await serve_whole(request, await _find(request))


async def show_thumbnail(request: Request) -> Response:
    return await serve_thumbnail(request, await _find(request))


async def _find(request: Request) -> FileRow:
    """Return the copy that the path names; raise NotFound for all but administrators."""
    try:
        is_admin = require_account(request).is_admin
    except SignInRequired:
        is_admin = False
    report, code = request.path_params["id"], request.path_params["code"]
    is_possible = is_admin and CODE.fullmatch(code)
    found = await SealedFile.get_or_none(report_id=report, code=code) if is_possible else None
    if found is None:
        raise NotFound(NO_FILE)
    return found.as_row("")
