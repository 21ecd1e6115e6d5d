"""Serving stored pictures."""

import re

from starlette.requests import Request
from starlette.responses import Response

from webapp.core.errors import NotFound
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
    content = await picture_store().read(name)
    headers = HEADERS | {"Content-Length": str(len(content))}
    return Response(b"" if request.method == "HEAD" else content, 200, headers, "image/webp")
