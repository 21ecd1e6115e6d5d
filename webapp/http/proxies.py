"""Addresses and schemes that a proxy passes on: believed where TRUSTED_PROXIES names it."""

from typing import cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from webapp.core.faults import faults

FORWARDED = (b"x-forwarded-for", b"x-forwarded-proto")

UNTRUSTED = (
    "%s passes on requests (X-Forwarded-For or -Proto) and is not in TRUSTED_PROXIES: if it is your proxy, visitors "
    "all count as one address, and cookies are not marked as secure"
)


class ProxyHeaders:
    """uvicorn's middleware, and a line in the program's log for a proxy that it does not trust."""

    def __init__(self, app: ASGIApp, trusted_hosts: list[str]) -> None:
        # The types of Starlette and of uvicorn describe the same protocol and do not fit each other.
        self._inner = ProxyHeadersMiddleware(app, trusted_hosts)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and UNTRUSTED not in faults().noted:
            host = scope["client"][0] if scope["client"] else "a socket"
            if host not in self._inner.trusted_hosts and any(name in FORWARDED for name, _ in scope["headers"]):
                faults().note(UNTRUSTED, host)
        await cast(ASGIApp, self._inner)(scope, receive, send)
