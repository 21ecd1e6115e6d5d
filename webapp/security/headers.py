"""What goes out with every answer: the policy that browsers hold a page to, and the session cookie."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import Message, Scope, Send

from webapp.security import cookie

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{style}; connect-src 'self'; frame-src 'self'; "
    "img-src 'self'; manifest-src 'self'; font-src 'none'; form-action 'self'; base-uri 'self'; frame-ancestors 'self'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY.format(style=""),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
}


def stamped(scope: Scope, send: Send) -> Send:
    """Read the session cookie of a request, and answer a `send` that puts cookie and headers on whatever goes out."""
    cookie.read(Request(scope))

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            cookie.write(scope, headers)
        await send(message)

    return wrapped
