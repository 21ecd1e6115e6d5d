"""Who and what asks: the facts of a request in one object; and whether it is the operator."""

import hmac
import ipaddress
import secrets
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, Protocol

from starlette.requests import Request

from webapp import settings
from webapp.core import i18n
from webapp.http import cookie, params

# A proxy may pass on what is no address, and limits are counted by it.
MAX_ADDRESS_LENGTH = 100
KEY = "parley.client"


class Kind(NamedTuple):
    """The properties of an address that its answers depend on; the kinds are in routes.py."""

    leads_to_sign_in: bool = True
    is_framed: bool = False
    takes_file: bool = False
    # Of an address that takes bytes as they are, and no form: how many at once.
    max_piece: int = 0
    # Of a form with more than one: its token is in the address, so that no file is read to find it.
    max_files: int = 1


class Viewer(Protocol):
    """Who asks, with what answers depend on; the row is that of accounts, or a mask."""

    @property
    def language(self) -> str: ...
    @property
    def time_zone(self) -> str: ...
    @property
    def is_guest(self) -> bool: ...
    @property
    def saves_data(self) -> bool: ...
    @property
    def session_id(self) -> int: ...
    @property
    def stylesheet(self) -> str: ...
    def require_not_banned(self) -> None: ...


class Mask(Protocol):
    """What hides the viewer at a masked address."""

    def as_viewer(self, session_id: int) -> Viewer: ...


class Client(NamedTuple):
    """
    The facts of one request.

    `token` is the session's, `is_new` whether it was made for this request; `address` is what limits are counted by.
    `database_failed` is set when the database could not be asked for the session: then nobody knows who the viewer is.
    """

    kind: Kind
    token: str
    is_new: bool
    has_old_cookie: bool
    language: str
    sends_save_data: bool
    is_text_browser: bool
    is_fragment: bool
    is_framed: bool
    address: str
    viewer: Viewer | None = None
    mask: Mask | None = None
    session_id: int = 0
    database_failed: bool = False

    @property
    def save_data(self) -> bool:
        """Whether the browser or the viewer wants no more than is needed: pages come without pictures."""
        return self.sends_save_data or (self.viewer is not None and self.viewer.saves_data)

    @property
    def form_token(self) -> str:
        return cookie.form_token(self.token)


def client(request: Request) -> Client:
    """Return the facts of the request; where no Entrance has read them (a file that is not there), read them now."""
    known: Client | None = request.scope.get(KEY)
    return known or read(request)


def read(request: Request, kind: Kind = Kind()) -> Client:  # noqa: B008  it is immutable
    """Read the facts from the headers and cookies of a request for an address of this kind."""
    headers = request.headers
    session = cookie.read(request)
    found = request.scope[KEY] = Client(
        kind=kind,
        token=session.token,
        is_new=session.is_new,
        has_old_cookie=session.is_old,
        language=i18n.current_language().code,
        sends_save_data=headers.get("save-data", "").strip().lower() == "on",
        # w3m and lynx do not claim to be one of the browsers that show frames, and need no live page.
        is_text_browser="Mozilla/" not in headers.get("user-agent", "Mozilla/"),
        is_fragment="hx-request" in headers,
        is_framed=kind.is_framed or headers.get("sec-fetch-dest") == "iframe",
        address=counted_address(request.client.host[:MAX_ADDRESS_LENGTH] if request.client else ""),
    )
    return found


def identify(request: Request, viewer: Viewer) -> None:
    """Replace the request's client by the same with this viewer, in whose language the answer will be."""
    found = client(request)
    language = i18n.current_language().code
    request.scope[KEY] = found._replace(viewer=viewer, session_id=viewer.session_id, language=language)


def put_on(request: Request, mask: Mask) -> None:
    """Replace the request's viewer by the mask that hides them."""
    found = client(request)
    request.scope[KEY] = found._replace(viewer=mask.as_viewer(found.session_id), mask=mask)


def fail_database(request: Request) -> None:
    """Note that the session or the mask could not be read; the views decide what becomes of the request."""
    request.scope[KEY] = client(request)._replace(viewer=None, database_failed=True)


def rejects_cookies(request: Request) -> bool:
    """
    Return whether the request comes from a page of ours, each of which sets a cookie, and yet brings none.

    Dillo always says that it comes from here: it is believed where it was led on by us.
    """
    host = request.headers.get("host", "")
    comes_from_here = request.headers.get("referer", "").startswith((f"http://{host}/", f"https://{host}/"))
    was_led = params.is_in_query(request, "next") or not client(request).is_text_browser
    return comes_from_here and was_led and not request.cookies


@lru_cache(10_000)  # parsing takes ten microseconds
def counted_address(host: str) -> str:
    """Return what a host is counted by: IPv6 by its /64, which is what one household has."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host
    if ip.version == 6 and ip.ipv4_mapped:  # how a socket for both kinds of address shows IPv4
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else host


def address_hash(request: Request, days_ago: int = 0) -> str:
    """
    Return a keyed hash of the address that is worth nothing after its day.

    The salt is the date, the key is the secret key: the database alone does not give the address away.
    """
    day = datetime.now(UTC).date() - timedelta(days=days_ago)
    key, text = settings.secret_key().encode(), f"{day} {client(request).address}"
    return hmac.new(key, text.encode(), sha256).hexdigest()[:32]


def is_operator(request: Request) -> bool:
    """
    Return whether METRICS_TOKEN comes with the request or, on a site for this machine alone, the request from here.

    A site with a name is behind a proxy, and of what a bare `proxy_pass` passes on nothing shows that it is not local.
    """
    if settings.METRICS_TOKEN:
        return _has_token(request)
    is_forwarded = {"x-forwarded-for", "forwarded", "via"} & set(request.headers.keys())
    return settings.is_local_only() and not is_forwarded and _is_loopback(request)


def _has_token(request: Request) -> bool:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and secrets.compare_digest(settings.METRICS_TOKEN.encode(), token.encode())


def _is_loopback(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:  # a socket of the file system
        return False
