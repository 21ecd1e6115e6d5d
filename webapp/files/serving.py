"""Answers with a file of the store: what a browser may do with it, and the part that it asks for."""

from collections.abc import AsyncGenerator
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from webapp.core.errors import NotFound
from webapp.core.faults import faults
from webapp.core.i18n import _
from webapp.files.models import PICTURE
from webapp.files.queries import FileRow
from webapp.http.ranges import Part, PiecesResponse, requested_part
from webapp.media.files import file_store

NO_FILE = _("There is no such file.")
HEADERS = {
    "Vary": "Cookie",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Each time it is asked whether the person may still read the room.
WHOLE = "private, no-cache"
THUMBNAIL = "private, max-age=86400, immutable"
OWN_PICTURE = "image/webp"
# What a browser may show by itself, where its first bytes said so when it came; all else it may only save.
PLAYED = frozenset(
    f"{kind}/{name}" for kind in ("audio", "video") for name in ("mpeg", "ogg", "wav", "mp4", "webm", "flac", "aac")
)
# An animated picture plays in the page, which shows it as a picture; by its address it is saved.
MOVING = "image/gif"
DOWNLOAD = "application/octet-stream"


async def serve_whole(request: Request, row: FileRow) -> Response:
    """Answer with a file: whole, or the part that a player asks for."""
    if row.kind == PICTURE and row.type == OWN_PICTURE:
        media_type, is_inline = OWN_PICTURE, True
    else:
        is_inline = row.type in PLAYED
        media_type = row.type if is_inline or row.type == MOVING else DOWNLOAD
    headers = HEADERS | {
        "Cache-Control": WHOLE,
        "ETag": f'"{row.code}"',
        "Accept-Ranges": "bytes",
        "Content-Disposition": _disposition(row, is_inline),
        "Content-Type": media_type,
    }
    return await _answer(request, row.code, headers)


async def serve_thumbnail(request: Request, row: FileRow) -> Response:
    """Answer with the small form of a picture, which the page shows."""
    if not row.has_picture:
        raise NotFound(NO_FILE)
    name = f"{row.code}-thumb.webp"
    headers = HEADERS | {"Cache-Control": THUMBNAIL, "ETag": f'"{row.code}-thumb"', "Content-Type": OWN_PICTURE}
    return await _answer(request, name, headers)


def _disposition(row: FileRow, is_inline: bool) -> str:
    # Such a picture is encoded again when it comes: its name may have the ending of another format.
    name = row.name
    if row.type == OWN_PICTURE and not name.lower().endswith(".webp"):
        name = f"{name.rpartition('.')[0] or name}.webp"
    return f"{'inline' if is_inline else 'attachment'}; filename*=UTF-8''{quote(name, safe='')}"


async def _answer(request: Request, name: str, headers: dict[str, str]) -> Response:
    """Answer 304 before anything is read, 206 and 416 for a part; raise NotFound where the store has lost the file."""
    if headers["ETag"] in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    size = await file_store().size(name)
    if size is None:
        raise _lost(name)
    part = _requested_part(request, headers["ETag"], size)
    if part and not part.size:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    status, wanted = (206, part) if part else (200, Part(0, size))
    if part:
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{size}"
    pieces = _begun(name, wanted)
    # What is lost shows with the first piece, before anything is answered.
    if request.method == "GET":
        await anext(pieces)
    return PiecesResponse(pieces, wanted.size, status, headers)


def _requested_part(request: Request, etag: str, size: int) -> Part | None:
    is_of_this = request.headers.get("If-Range", etag) == etag
    return requested_part(request.headers.get("Range", ""), size) if request.method == "GET" and is_of_this else None


async def _begun(name: str, part: Part) -> AsyncGenerator[bytes, None]:
    """Yield nothing once the first piece is there, then the pieces."""
    pieces = file_store().read(name, part.start, part.end)
    try:
        first = await anext(pieces, b"")
    except NotFound:
        raise _lost(name) from None
    yield b""
    yield first
    async for piece in pieces:
        yield piece


def _lost(name: str) -> NotFound:
    faults().note("the store of files has lost one that a message has: %s", name)
    return NotFound(NO_FILE)
