"""What goes out with every answer: the policy that browsers hold a page to, and the session cookie."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import Message, Send

from webapp import settings
from webapp.http import cookie

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{style}; connect-src 'self'; frame-src 'self'; "
    "img-src 'self'; manifest-src 'self'; font-src 'none'; form-action 'self'; base-uri 'self'; frame-ancestors 'self'"
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY.format(style=""),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
}


RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


def with_security_headers(request: Request, send: Send) -> Send:
    """A `send` that puts the session cookie and these headers on whatever goes out."""

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(one for one in RAW_HEADERS if one[0] not in own)]
            if settings.HSTS_DAYS and request.scope["scheme"] == "https":
                message["headers"].append((b"strict-transport-security", b"max-age=%d" % (settings.HSTS_DAYS * 86400)))
            cookie.write(request, MutableHeaders(scope=message))
        await send(message)

    return wrapped
