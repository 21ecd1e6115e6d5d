"""Lets in what is asked of this server by its own pages: the host, the origin, the length of a request."""

import asyncio
import contextlib
import secrets
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp import settings
from webapp.errors import Problem, Refused, TooLarge
from webapp.language import _
from webapp.security.forms import MAX_BODY_BYTES, MAX_FIELDS, MAX_UPLOAD_BYTES

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# The addresses that take a file. More of it is read than is taken, so that who sends a photo that is too large is told
# beside the field, with what was typed kept; but not where all of it must be held at once.
UPLOADS = ("/settings/profile",)
MAX_READ_BYTES = 5 * settings.MAX_UPLOAD_MB * 2**20


class Guard:
    """ASGI middleware: lets a request through only when it comes from where it says it does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request = Request(scope, receive)
        _check_host(request)
        most = _most_bytes(request)
        _check_length(request, most)
        with contextlib.suppress(ClientDisconnect):  # nobody is there any more who could be told
            if request.method in SAFE_METHODS:  # whose body nobody reads
                return await self.app(scope, receive, send)
            receive = await _check_origin(request)
            await RequestBodyLimitMiddleware(self.app, most)(scope, receive, send)


def _check_host(request: Request) -> None:
    host = _hostname(request.headers.get("host", ""))
    allowed = {name.strip("[]").lower() for name in settings.ALLOWED_HOSTS}
    if host in allowed or "*" in allowed:
        return
    wrong = Problem(_("This server does not answer to that name. Whoever runs it can add it to ALLOWED_HOSTS."))
    wrong.status, wrong.title = 400, _("Wrong address")
    raise wrong


@lru_cache(100)
def _hostname(host: str) -> str:
    """The name without the port."""
    return _split(f"//{host}").hostname or ""


def _takes_file(request: Request) -> bool:
    is_multipart = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
    return is_multipart and request.scope["path"] in UPLOADS


def _most_bytes(request: Request) -> int:
    """How much of a request is read."""
    return MAX_READ_BYTES if _takes_file(request) else MAX_BODY_BYTES


def _check_length(request: Request, most: int) -> None:
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > most:
        raise _too_large(request)


def _too_large(request: Request) -> TooLarge:
    if _takes_file(request):
        return TooLarge(
            _("That picture is too large; %(most)s MB is the most. Go back, take another.", most=settings.MAX_UPLOAD_MB)
        )
    return TooLarge()


def _split(url: str) -> SplitResult:
    """The parts of an address, all empty when it is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _same_host(request: Request, url: str) -> bool:
    """Whether the address names the host that was asked. Schemes are not compared: TLS may end at a proxy."""

    def plain(host: str) -> str:
        return host.lower().removesuffix(":80").removesuffix(":443")

    return bool(url) and plain(_split(url).netloc) == plain(request.headers.get("host", ""))


async def _check_origin(request: Request) -> Receive:
    """
    Refuse an unsafe request that another site made; answers the `receive` with which to go on.

    Browsers say where a request comes from (Sec-Fetch-Site, else Origin, else Referer). For those that say
    nothing (w3m, lynx, curl), the form carries a token signed for this session.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin") or request.headers.get("referer")
    if site is not None:
        same = site in ("same-origin", "none")
    elif origin is not None:
        same = _same_host(request, origin)
    else:
        body = await _read_body(request)
        same = secrets.compare_digest(await _token_in(request.scope, body), request.state.token())
        if same:
            return _replay(body)
    if not same:
        raise Refused(
            _("This came from another site, or from a page that is too old. Open it again and try once more.")
        )
    return request.receive


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    most = MAX_UPLOAD_BYTES if _takes_file(request) else MAX_BODY_BYTES
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise _too_large(request)
    return bytes(body)


def _replay(body: bytes) -> Receive:
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    gone = asyncio.Event()

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    return receive


async def _token_in(scope: Scope, body: bytes) -> str:
    async with Request(scope, _replay(body)).form(max_fields=MAX_FIELDS) as sent:
        value = sent.get("token")
    return value if isinstance(value, str) and value.isascii() else ""


def inner_path(target: str) -> str:
    """A path of this site to go on to, or the lobby: never another site's address."""
    ugly = any(ord(c) < 33 or c == "\\" for c in target)
    if ugly or not target.startswith("/") or target.startswith("//") or urlsplit(target).netloc:
        return "/lobby"
    return target
