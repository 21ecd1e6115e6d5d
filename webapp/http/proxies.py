"""What a proxy says of the visitor: believed where TRUSTED_PROXIES names it."""

from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from webapp.core.faults import Note

FORWARDED = (b"x-forwarded-for", b"x-forwarded-proto")

untrusted = Note(
    "%s passes on requests (X-Forwarded-For or -Proto) and is not in TRUSTED_PROXIES: if it is your proxy, visitors "
    "all count as one address, and cookies are not marked as secure"
)


class ProxyHeaders(ProxyHeadersMiddleware):
    """uvicorn's, and a line in the log for a proxy that it does not trust."""

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http" and not untrusted.is_said:
            host = scope["client"][0] if scope["client"] else "a socket"
            if host not in self.trusted_hosts and any(name in FORWARDED for name, _ in scope["headers"]):
                untrusted.once(host)
        await super().__call__(scope, receive, send)
