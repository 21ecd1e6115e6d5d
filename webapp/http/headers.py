"""Headers of every answer: the policy that browsers apply to a page, and the session cookie of new visitors."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import Message, Send

from webapp import settings
from webapp.http import cookie
from webapp.http.client import KEY, Client

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{style}; connect-src 'self'; frame-src 'self'; "
    # What was recorded is heard again before it is sent.
    "img-src 'self'; media-src 'self' blob:; manifest-src 'self'; font-src 'none'; form-action 'self'; "
    "base-uri 'self'; frame-ancestors 'self'"
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY.format(style=""),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(self), geolocation=(), interest-cohort=()",
}


RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
# Styles and script are never a document, which alone is what the other headers are about: on a first visit they would
# be a tenth of all bytes.
PART_HEADERS = [pair for pair in RAW_HEADERS if pair[0] in (b"x-content-type-options", b"cross-origin-resource-policy")]
# A drawing of ours can be opened by itself, and needs nothing.
DRAWING_HEADERS = [*PART_HEADERS, (b"content-security-policy", b"default-src 'none'")]
# Events are for script: a browser that opens their address shows plain text.
EVENTS_HEADERS = [*PART_HEADERS, (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")]
BY_TYPE = {
    b"text/css": PART_HEADERS,
    b"text/javascript": PART_HEADERS,
    b"image/svg+xml": DRAWING_HEADERS,
    b"text/event-stream": EVENTS_HEADERS,
}


def with_security_headers(request: Request, send: Send) -> Send:
    """Return a `send` that adds these headers, and the session cookie where it is due, to every answer."""

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = dict(message["headers"])
            added = BY_TYPE.get(own.get(b"content-type", b"").partition(b";")[0], RAW_HEADERS)
            message["headers"] = [*message["headers"], *(one for one in added if one[0] not in own)]
            if settings.HSTS_DAYS and request.scope["scheme"] == "https":
                message["headers"].append((b"strict-transport-security", b"max-age=%d" % (settings.HSTS_DAYS * 86400)))
            _add_cookie(request, MutableHeaders(scope=message))
        await send(message)

    return wrapped


def _add_cookie(request: Request, headers: MutableHeaders) -> None:
    """Store the token of a new visitor with the first page, and move a session from the old cookie to today's."""
    client: Client | None = request.scope.get(KEY)
    if client is None:  # nothing of the answer depends on who asks
        return
    if client.has_old_cookie:
        cookie.exchange_old(request, headers, client.token, is_signed_in=client.viewer is not None)
    elif client.is_new and _is_page(headers) and not cookie.is_set(request, headers):
        cookie.set_visit(request, headers, client.token)


def _is_page(headers: MutableHeaders) -> bool:
    return headers.get("content-type", "").startswith("text/html") or "location" in headers
