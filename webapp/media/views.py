"""Serving stored pictures."""

import asyncio
import re

from starlette.requests import Request
from starlette.responses import Response

from webapp.core.errors import NotFound
from webapp.core.i18n import _
from webapp.media.images import SMALL
from webapp.media.store import picture_store

HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
NAME = re.compile(rf"[0-9a-f]{{32}}(-{SMALL})?\.webp")


async def show(request: Request) -> Response:
    """Answer with a stored picture. Its address names its content, so that a browser asks for it once."""
    name = request.path_params["name"]
    if not NAME.fullmatch(name):
        raise NotFound
    try:
        content = await asyncio.to_thread((picture_store().folder / name).read_bytes)
    except OSError:
        raise NotFound(_("There is no such picture.")) from None
    headers = HEADERS | {"Content-Length": str(len(content))}
    return Response(b"" if request.method == "HEAD" else content, 200, headers, "image/webp")
