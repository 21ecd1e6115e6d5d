"""Checks of a request before its view: the host, the length of the body, the origin of a form."""

import asyncio
import re
import secrets
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from starlette.requests import Request
from starlette.types import Message, Receive

from webapp import settings
from webapp.core.errors import Forbidden, Problem, SignInRequired, Stalled, TooLarge, Unavailable
from webapp.core.faults import faults
from webapp.core.i18n import _
from webapp.http import forms, params, security_log
from webapp.http.client import client
from webapp.http.request import SharedRequest
from webapp.http.urls import path_for

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# More of a file is read than is accepted, so that a photo that is too large is refused beside its field, and the other
# fields are shown again.
MAX_READ_BYTES = 2 * settings.MAX_UPLOAD_MB * 2**20
# The longest pause within a body; the whole may take as long as a slow link needs.
IDLE_SECONDS = 15.0
# RFC 9110, 7.2, of names as they are registered and used in containers.
HOST = re.compile(r"(?P<name>\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,252}?)\.?(?::(?P<port>[0-9]{1,5})?)?")
USUAL_PORTS = ("80", "443")
MAX_SHOWN = 100
MAX_HOST_LENGTH = 300

FOREIGN_HOST = (
    "a form came from %r, but the Host header says %r: if both are this site, let the proxy pass on Host with its port"
)


class WrongHost(Problem):
    status = 400
    title = _("Wrong address")

    def __init__(self) -> None:
        super().__init__(_("This server does not answer to that name. Whoever runs it can add it to ALLOWED_HOSTS."))


def bounded(request: Request) -> Request:
    """
    Return the request with a body that ends in TooLarge and Stalled where it is too long or does not go on.

    Raise TooLarge where its length is said, and SignInRequired before a file of nobody is read.
    """
    most = _most_bytes(request)
    _require_length(request, most)
    return SharedRequest(request.scope, _bounded(request, most))


def require_host(request: Request) -> None:
    """Raise WrongHost for a request that means another server."""
    host = request.headers.get("host", "")
    if len(host) > MAX_HOST_LENGTH or not _is_allowed(host, tuple(settings.ALLOWED_HOSTS)):
        security_log.record(request, "host_refused")
        raise WrongHost


@lru_cache(1000)
def _is_allowed(host: str, names: tuple[str, ...]) -> bool:
    name = _named(host).name
    allowed = {name.strip("[]").lower() for name in names}
    return bool(name) and (name in allowed or "*" in allowed)


class Host(NamedTuple):
    """A host by name, without brackets and a final dot, and port, which is empty where it is the scheme's usual one."""

    name: str = ""
    port: str = ""


def _named(text: str) -> Host:
    """Return the host in a header or a URL; one without a name where it is none."""
    found = HOST.fullmatch(text.lower())
    port = (found and found["port"]) or ""
    return Host(found["name"].strip("[]"), "" if port in USUAL_PORTS else port) if found else Host()


def _most_bytes(request: Request) -> int:
    """Return how much of a body is read: a file, or a piece of one, only from an account that is signed in."""
    max_piece = client(request).kind.max_piece
    if not (max_piece or forms.takes_file(request)):
        return forms.MAX_BODY_BYTES
    asking = client(request)
    if asking.database_failed:
        raise Unavailable
    if asking.viewer is None:
        raise SignInRequired
    if (most := asking.kind.max_files) > 1:
        return most * settings.MAX_FILE_MB * 2**20 + forms.MAX_BODY_BYTES
    return max_piece or MAX_READ_BYTES


def _require_length(request: Request, most: int) -> None:
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > most:
        raise _too_large(request)


def _too_large(request: Request) -> TooLarge:
    if client(request).kind.max_files > 1:
        return TooLarge(_("Together these files are too large. Go back, and send fewer of them at once."))
    if forms.takes_file(request):
        return TooLarge(
            _("That picture is too large; %(most)s MB is the most. Go back, take another.", most=settings.MAX_UPLOAD_MB)
        )
    return TooLarge()


def _bounded(request: Request, most: int) -> Receive:
    """Return a `receive` that raises TooLarge after so many bytes, and Stalled after IDLE_SECONDS without any."""
    size, is_whole, receive = 0, False, request.receive

    async def bounded() -> Message:
        nonlocal size, is_whole
        if is_whole:
            return await receive()
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                message = await receive()
        except TimeoutError:
            raise Stalled from None
        size += len(message.get("body", b""))
        if size > most:
            raise _too_large(request)
        is_whole = not message.get("more_body", False)
        return message

    return bounded


def _split(url: str) -> SplitResult:
    """Return the parts of a URL, all empty where it is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


async def require_same_origin(request: Request) -> None:
    """
    Raise Forbidden for an unsafe request that another site made.

    Browsers send where a request comes from (Sec-Fetch-Site, else Origin, else Referer). For those that send none of
    these (w3m, lynx, curl), the form carries a token signed for the session.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin") or request.headers.get("referer")
    if site is not None:
        same = site in ("same-origin", "none")
    elif origin is not None:
        same = await _same_host(request, origin)
    else:
        same = await _has_token(request)
    if not same:
        security_log.record(request, "origin_refused", path=security_log.without_tokens(request.scope["path"])[:100])
        raise Forbidden(
            _("This came from another site, or from a page that is too old. Open it again and try once more.")
        )


async def _same_host(request: Request, origin: str) -> bool:
    """
    Return whether the URL names the host of the request. Schemes are not compared: TLS may end at a proxy.

    Many proxies drop the port from Host (nginx: `$host`), and then the form's token decides. Raise Forbidden with both
    names otherwise, because only the operator can correct what a proxy makes of Host.
    """
    ours, theirs = _named(request.headers.get("host", "")), _named(_split(origin).netloc)
    if ours == theirs or not theirs.name:
        return bool(theirs.name)
    faults().note(FOREIGN_HOST, origin[:MAX_SHOWN], request.headers.get("host", ""))
    if theirs.name == ours.name and not ours.port and await _has_token(request):
        return True
    raise Forbidden(
        _(
            "This form came from %(origin)s, but reached this server as %(host)s. If both are this site, the "
            "administrator must let the proxy pass on the Host header with its port.",
            origin=_split(origin).netloc[:MAX_SHOWN],
            host=request.headers.get("host", ""),
        )
    )


async def _has_token(request: Request) -> bool:
    if client(request).kind.max_files > 1:
        value: object = params.query(request, "token")
    else:
        value = (await forms.parsed(request)).get("token")
    given = value if isinstance(value, str) and value.isascii() else ""
    return secrets.compare_digest(given, client(request).form_token)


def referring_path(request: Request) -> str:
    """Return the path of the page that the request says it comes from; empty where it does not say."""
    return _split(request.headers.get("referer", "")).path


def local_path(target: str) -> str:
    """Return the target if it is a path of this site, else the lobby: never another site's address."""
    ugly = any(ord(c) < 33 or c == "\\" for c in target)
    if ugly or not target.startswith("/") or target.startswith("//") or urlsplit(target).netloc:
        return path_for("lobby")
    return target
