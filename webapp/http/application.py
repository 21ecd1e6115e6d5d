"""The application around all addresses: language, headers, proxies, and what nobody expected."""

from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from webapp import settings
from webapp.core import i18n
from webapp.core.clock import use_locale
from webapp.http import cookie, error_pages, negotiate
from webapp.http.headers import with_security_headers
from webapp.http.proxies import ProxyHeaders
from webapp.http.request import SharedRequest
from webapp.http.routes import Address
from webapp.live.admission import STAY
from webapp.live.wire import Wire, transport_of


class Application(Starlette):
    """Starlette, with an address for what no route matches, and without its layer for errors: Entrances handle them."""

    def __init__(self, nowhere: Address, trusted_proxies: list[str] = settings.TRUSTED_PROXIES, **options: Any) -> None:
        super().__init__(middleware=[Middleware(ProxyHeaders, trusted_hosts=trusted_proxies)], **options)
        self.router.redirect_slashes = False  # which leads to http where TLS ends at a proxy; see routes.py
        self.router.default = nowhere.handle

    def build_middleware_stack(self) -> ASGIApp:
        app: ASGIApp = self.router
        for layer, args, kwargs in reversed(self.user_middleware):
            app = layer(app, *args, **kwargs)
        return ServerErrorMiddleware(app, handler=error_pages.handle_server_error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await super().__call__(scope, receive, send)
        scope["transport"], scope["wire"] = transport_of(send), Wire.below(send)
        headers = scope["headers"]  # uvicorn's own list: what reads it puts a copy in its place
        cookie.drop_escaped(scope)
        request = SharedRequest(scope)
        with use_locale(_language(request)):
            try:
                # Around everything, so that the page of an error has the headers too.
                await super().__call__(scope, receive, with_security_headers(request, send))
            finally:
                # The connection refers to the scope: as a cycle, each request would stay until the collector comes.
                scope.pop("wire", None)
        if go_on := scope.pop(STAY, None):
            del request, receive
            _drop_request(scope, headers)
            await go_on(send)


def _drop_request(scope: Scope, headers: list[tuple[bytes, bytes]]) -> None:
    """Forget what was asked: uvicorn holds on to it, and from now on asks for the method alone."""
    method = scope["method"]
    headers.clear()
    scope.clear()
    scope["method"] = method


def _language(request: Request) -> str:
    """Return the language of the answer as long as the viewer is unknown, who may have set one for their account."""
    chosen = request.cookies.get(i18n.COOKIE, "")
    return chosen if chosen in i18n.LANGUAGES else negotiate.language(request, i18n.LANGUAGES)
