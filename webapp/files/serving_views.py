"""Serving the files of messages, to those who may read the room."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.conversations import access
from webapp.conversations.seats import Seat
from webapp.core.errors import Forbidden, NotFound, SignInRequired
from webapp.files.queries import FileRow, find_file
from webapp.files.sending_queries import CODE
from webapp.files.serving import NO_FILE, serve_thumbnail, serve_whole


async def show(request: Request) -> Response:
    return await serve_whole(request, await _find(request))


async def show_thumbnail(request: Request) -> Response:
    return await serve_thumbnail(request, await _find(request))


async def _find(request: Request) -> FileRow:
    """Return the file that the path names; raise NotFound for who may not read the room, for every reason."""
    try:
        seat: Seat = await access.for_reading(request)
    except (Forbidden, SignInRequired):
        raise NotFound(NO_FILE) from None
    code = request.path_params["code"]
    row = await find_file(seat.room.id, seat.path, code) if CODE.fullmatch(code) else None
    if row is None:
        raise NotFound(NO_FILE)
    return row
