"""What stands before every request: the host, the origin, the session cookie, the headers, how often."""

import asyncio
import contextlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from hashlib import sha256
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlsplit

from itsdangerous import BadSignature, Signer
from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.storage import storage_from_string
from starlette.datastructures import MutableHeaders, UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp import settings
from webapp.errors import Problem, Refused, TooLarge, TooMany
from webapp.faults import Fault
from webapp.language import _

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
COOKIE = "session"
COOKIE_SECONDS = 365 * 24 * 3600
# 4,000 characters of four bytes each are 48,000 bytes in a form; the rest is room for names.
MAX_BODY_BYTES = 128 * 1024
MAX_FIELDS = 30
URLENCODED = "application/x-www-form-urlencoded"
# The addresses that take a file, and how much of it is taken. More is read, so that who sends a photo that is too
# large is told beside the field, with what was typed kept; but not where all of it must be held at once.
UPLOADS = ("/settings/profile",)
MAX_UPLOAD_BYTES = settings.MAX_UPLOAD_MB * 2**20 + MAX_BODY_BYTES
MAX_READ_BYTES = 5 * settings.MAX_UPLOAD_MB * 2**20

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
            if request.method not in SAFE_METHODS:
                receive = await _check_origin(request)
            await RequestBodyLimitMiddleware(self.app, most)(scope, receive, send)


def stamped(scope: Scope, send: Send) -> Send:
    """Read the session cookie of a request, and answer a `send` that puts cookie and headers on whatever goes out."""
    _read_cookie(Request(scope))

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            _write_cookie(scope, headers)
        await send(message)

    return wrapped


def _check_host(request: Request) -> None:
    host = _split(f"//{request.headers.get('host', '')}").hostname or ""
    allowed = {name.strip("[]").lower() for name in settings.ALLOWED_HOSTS}
    if host in allowed or "*" in allowed:
        return
    wrong = Problem(_("This server does not answer to that name. Whoever runs it can add it to ALLOWED_HOSTS."))
    wrong.status, wrong.title = 400, _("Wrong address")
    raise wrong


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


class Upload(NamedTuple):
    """A file as it was sent: its name and type as the browser tells them, and no more of it than is taken."""

    name: str
    declared: str
    size: int
    content: bytes


async def form(request: Request, *names: str) -> dict[str, str]:
    """The named fields of the form that was sent; what is missing is empty. A form with a file can't be read."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == URLENCODED:
        return _typed(request, _decoded(await request.body()), names)
    return _typed(request, await request.form(max_fields=MAX_FIELDS, max_files=0), names)


async def form_with_file(request: Request, field: str, *names: str) -> tuple[dict[str, str], Upload | None]:
    """The same for a form that may have one file, in that field: None when no file was chosen."""
    async with request.form(max_fields=MAX_FIELDS, max_files=1, max_part_size=MAX_BODY_BYTES) as sent:
        typed = _typed(request, sent, names)
        files = {name: value for name, value in sent.items() if isinstance(value, UploadFile)}
        file = files.pop(field, None)
        if files:
            raise HTTPException(400)
        if file is None or not (file.filename or file.size):
            return typed, None
        content = await file.read(MAX_UPLOAD_BYTES)
        return typed, Upload(_whole(file.filename or ""), file.content_type or "", file.size or 0, content)


def _decoded(body: bytes) -> dict[str, str]:
    """What a form in the usual coding says: Starlette's parser is made for files, and takes ten times as long."""
    try:
        pairs = parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise HTTPException(400) from None
    return dict(pairs)


def _typed(request: Request, sent: Mapping[str, Any], names: Collection[str]) -> dict[str, str]:
    values = {name: sent.get(name) for name in names}
    typed = {name: _whole(value) if isinstance(value, str) else "" for name, value in values.items()}
    request.state.typed = typed  # for the page of an error, which must not lose it
    return typed


def _whole(text: str) -> str:
    """The text without half surrogates, which some charsets (utf-7) can smuggle in, and nothing can store."""
    return text.encode(errors="ignore").decode()


# The session cookie. It holds a random token, signed; the row of a signed-in session is found by its digest.


@cache
def _signer(salt: str) -> Signer:
    return Signer(settings.secret_key(), salt=f"parley.{salt}")


def _read_cookie(request: Request) -> None:
    state = request.state
    state.cookie = ""
    try:
        state.session_token = _signer(COOKIE).unsign(request.cookies.get(COOKIE, "")).decode()
    except (BadSignature, UnicodeDecodeError):
        state.session_token = secrets.token_urlsafe(24)
        state.cookie = "new"
    state.token = partial(form_token, state.session_token)  # few requests need it


def form_token(session_token: str) -> str:
    return _signer("form").get_signature(session_token.encode()).decode()


def digest(session_token: str) -> str:
    """How a session's token is stored: the token itself is only in the browser."""
    return sha256(session_token.encode()).hexdigest()


def start_session(request: Request) -> str:
    """A new token for the person who has just signed in; the one from before is worth nothing any more."""
    request.state.session_token = secrets.token_urlsafe(24)
    request.state.token = partial(form_token, request.state.session_token)
    request.state.cookie = "kept"
    return str(request.state.session_token)


def end_session(request: Request) -> None:
    request.state.cookie = "ended"


def _write_cookie(scope: Scope, headers: MutableHeaders) -> None:
    state = Request(scope).state
    is_page = headers.get("content-type", "").startswith("text/html") or "location" in headers
    if not state.cookie or (state.cookie == "new" and not is_page):
        return
    value = "" if state.cookie == "ended" else _signer(COOKIE).sign(state.session_token).decode()
    life = {"kept": f"; Max-Age={COOKIE_SECONDS}", "ended": "; Max-Age=0", "new": ""}[state.cookie]
    secure = "; Secure" if scope["scheme"] == "https" else ""
    headers.append("Set-Cookie", f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax{life}{secure}")


def inner_path(target: str) -> str:
    """A path of this site to go on to, or the lobby: never another site's address."""
    ugly = any(ord(c) < 33 or c == "\\" for c in target)
    if ugly or not target.startswith("/") or target.startswith("//") or urlsplit(target).netloc:
        return "/lobby"
    return target


def address(request: Request) -> str:
    """Whom to count for an address: IPv6 by its /64, which is what one household has."""
    host = request.client.host if request.client else ""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host
    if ip.version == 6 and ip.ipv4_mapped:  # how a socket for both kinds of address shows IPv4
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else host


def address_hash(request: Request, days_ago: int = 0) -> str:
    """
    The address in a way that says nothing to who has the database alone, nor to anybody after a day: with a salt of
    the day, made of the secret key.
    """
    day = datetime.now(UTC).date() - timedelta(days=days_ago)
    return hmac.new(settings.secret_key().encode(), f"{day} {address(request)}".encode(), sha256).hexdigest()[:32]


class Limiter:
    """How often somebody may do something: counted in Redis for all processes, here while Redis is away."""

    PATIENCE_SECONDS = 0.5
    RETRY_SECONDS = 5.0

    def __init__(self, redis_url: str) -> None:
        self.here = MovingWindowRateLimiter(MemoryStorage())
        self.shared = MovingWindowRateLimiter(_redis_storage(redis_url)) if redis_url else None
        self.away_until = 0.0
        self.fault = Fault("rate limits are counted by this process alone", "rate limits are counted together again")

    async def hit(self, rate: RateLimitItem, *who: str) -> int:
        """Count one; 0 when it is within the rate, else the seconds until it would be."""
        if self.shared and time.monotonic() > self.away_until:
            try:
                async with asyncio.timeout(self.PATIENCE_SECONDS):
                    seconds = await self._hit(self.shared, rate, *who)
                self.fault.over()
                return seconds
            except Exception as error:  # whatever the Redis client raises: counting must not stop the request
                self.fault.notice(error)
                self.away_until = time.monotonic() + self.RETRY_SECONDS
        return await self._hit(self.here, rate, *who)

    @staticmethod
    async def _hit(limiter: MovingWindowRateLimiter, rate: RateLimitItem, *who: str) -> int:
        if await limiter.hit(rate, *who):
            return 0
        stats = await limiter.get_window_stats(rate, *who)
        return max(1, round(stats.reset_time - time.time()))


def _redis_storage(url: str) -> Storage:
    scheme = "async+redis+" if url.startswith("unix:") else "async+"
    storage: Any = storage_from_string(scheme + url, implementation="redispy", key_prefix=settings.installation())
    return storage  # type: ignore[no-any-return]


_limiter: Limiter | None = None


async def throttle(rate: RateLimitItem, *who: str) -> None:
    """Raise TooMany when `who` did this more often than the rate allows."""
    global _limiter
    if not settings.RATE_LIMITS:
        return
    _limiter = _limiter or Limiter(settings.REDIS_URL)
    if seconds := await _limiter.hit(rate, *who):
        raise TooMany(seconds)


def forget_limits() -> None:
    """Begin to count anew, with a new connection: at every start of the application."""
    global _limiter
    _limiter = None
