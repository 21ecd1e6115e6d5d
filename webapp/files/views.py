"""The addresses of files that are being sent: beginning one, sending it in pieces, taking it back."""

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.accounts.viewer import Viewer
from webapp.conversations import access
from webapp.conversations.kinds import DIRECT
from webapp.conversations.queries import room_by_id
from webapp.core.errors import NotFound, Stalled
from webapp.files import beginning, quota, uploads
from webapp.files.sending_queries import PendingFile, pending_file
from webapp.http.limits import throttle
from webapp.http.params import whole


async def begin(request: Request) -> Response:
    """Begin to send a file to a room."""
    await throttle(settings.RATE_FILE, "file", str(require_account(request).id))
    return await beginning.answer(request, await access.for_posting(request))


async def file(request: Request) -> Response:
    """
    A file on its way: HEAD says how much has arrived, PATCH adds a piece at `Upload-Offset`, DELETE takes it back.

    It is there whole where `Upload-Offset` is `Upload-Length`, which of a picture is then the size of what was drawn.
    """
    viewer = require_account(request)
    await throttle(settings.RATE_PIECE, "piece", str(viewer.id))
    found = await _own(viewer, request.path_params["key"], request.path_params["code"])
    if request.method == "DELETE":
        await uploads.discard([found])
        return _state(204)
    if request.method == "PATCH":
        return await _append(request, found)
    return _state(200, found.received, found.size)


async def _append(request: Request, file: PendingFile) -> Response:
    offset = whole(request.headers.get("upload-offset", ""), None, 2**53)
    if offset is None:
        raise HTTPException(400)
    await quota.require_space()
    piece, interrupted = bytearray(), None
    try:
        async for chunk in request.stream():
            piece += chunk
    except (ClientDisconnect, Stalled) as error:
        interrupted = error  # what has come is stored: a slow line may never get a whole piece through
    received = await uploads.append(file, offset, piece)
    if interrupted:
        raise interrupted
    return _state(204, received, file.size)


def _state(status: int, received: int | None = None, size: int = 0) -> Response:
    where = {} if received is None else {"Upload-Offset": str(received), "Upload-Length": str(size)}
    return Response(status_code=status, headers={"Cache-Control": "no-store", **where})


async def _own(viewer: Viewer, key: str, code: str) -> PendingFile:
    """Return the viewer's file that goes with no message, in a room that they may read; raise NotFound."""
    found = await pending_file(viewer.id, code)
    if found is None or found.room_key != key:
        raise NotFound
    room = await room_by_id(found.room_id)
    # A chat with nobody in it yet, or one that the viewer is not in: whether they may write is asked when they do.
    if room and room.kind is DIRECT and viewer.id in (room.low, room.high):
        return found
    await access.by_key(viewer, key)
    return found
