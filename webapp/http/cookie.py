"""
The session cookie, and the form token that is made of it.

The cookie holds a random token, signed; the row of a signed-in session is found by its digest. Its name differs by
installation, because cookies are shared between ports: two installations on one host would sign each other's people
out. Over https it begins with `__Host-`, which no neighbouring domain can set.
"""

import secrets
from functools import cache, lru_cache
from hashlib import sha256
from typing import NamedTuple

from itsdangerous import BadSignature, Signer
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from webapp import settings

# The name in version 0.1.0; a browser that sends it is given today's.
OLD_NAME = "session"
LIFETIME_SECONDS = 365 * 24 * 3600
# Ours have sixty characters. Reading a signature skips foreign characters, so that of one cookie anybody can make as
# many as they like, each as long as a header may be; and what has been read is cached.
MAX_LENGTH = 100


@cache
def signer(salt: str) -> Signer:
    return Signer(settings.secret_key(), salt=f"parley.{salt}")


def drop_escaped(scope: Scope) -> None:
    """
    Remove cookies with backslashes, which are none of ours, from a request.

    Python before 3.11.10 and 3.12.6 unquotes one of 60 kB in seven seconds (CVE-2024-7592).
    """
    headers = scope["headers"]
    if any(name == b"cookie" and b"\\" in value for name, value in headers):
        scope["headers"] = [(name, _plain(value) if name == b"cookie" else value) for name, value in headers]


def _plain(cookies: bytes) -> bytes:
    return b";".join(cookie for cookie in cookies.split(b";") if b"\\" not in cookie)


@cache
def name(scheme: str) -> str:
    own = f"{OLD_NAME}-{settings.installation()[-8:]}"
    return f"__Host-{own}" if scheme == "https" else own


class SessionCookie(NamedTuple):
    """The token in it; `is_new` where there was none, `is_old` where it came under OLD_NAME."""

    token: str
    is_new: bool = False
    is_old: bool = False


def read(request: Request) -> SessionCookie:
    """Return the session cookie of the request, or a new one; known only once a proxy's word on the scheme is."""
    cookies = request.cookies
    value = cookies.get(name(request.scope["scheme"]))
    is_old = value is None and OLD_NAME in cookies
    try:
        return SessionCookie(read_token((cookies[OLD_NAME] if is_old else value or "")[:MAX_LENGTH]), is_old=is_old)
    except (BadSignature, UnicodeDecodeError):  # an old one may be another installation's
        return SessionCookie(new_token(), is_new=True)


def new_token() -> str:
    return secrets.token_urlsafe(24)


@lru_cache(10_000)
def read_token(value: str) -> str:
    return signer("session").unsign(value).decode()


@lru_cache(10_000)
def form_token(session_token: str) -> str:
    return signer("form").get_signature(session_token.encode()).decode()


def digest(session_token: str) -> str:
    """Return what is stored of a session's token: the token itself is only in the browser."""
    return sha256(session_token.encode()).hexdigest()


def set_session(request: Request, response: Response, token: str) -> None:
    """Store the token of a session in the browser that signs in; it replaces the one that the request brought."""
    _append(response.headers, request, _signed(token), f"; Max-Age={LIFETIME_SECONDS}")


def clear_session(request: Request, response: Response) -> None:
    """Remove the session from the browser."""
    _append(response.headers, request, "", "; Max-Age=0")


def set_visit(request: Request, headers: MutableHeaders, token: str) -> None:
    """Store a token that lasts until the browser is closed, for the forms of who is not signed in."""
    _append(headers, request, _signed(token), "")


def exchange_old(request: Request, headers: MutableHeaders, token: str, is_signed_in: bool) -> None:
    """Remove the cookie of OLD_NAME, and store what was in it under the name of today where no view has set one."""
    was_set = is_set(request, headers)
    headers.append("Set-Cookie", _line(OLD_NAME, "", request.scope["scheme"], "; Max-Age=0"))
    if not was_set:
        _append(headers, request, _signed(token), f"; Max-Age={LIFETIME_SECONDS}" if is_signed_in else "")


def is_set(request: Request, headers: MutableHeaders) -> bool:
    """Return whether these headers of an answer store or remove the session already."""
    own = f"{name(request.scope['scheme'])}="
    return any(line.startswith(own) for line in headers.getlist("set-cookie"))


def _signed(token: str) -> str:
    return signer("session").sign(token).decode()


def _append(headers: MutableHeaders, request: Request, value: str, lifetime: str) -> None:
    scheme = request.scope["scheme"]
    headers.append("Set-Cookie", _line(name(scheme), value, scheme, lifetime))


def _line(name: str, value: str, scheme: str, lifetime: str) -> str:
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Lax{lifetime}{'; Secure' if scheme == 'https' else ''}"


def remember(request: Request, response: Response, name: str, value: str, path: str = "/") -> None:
    """Store a choice of this browser in a cookie of its own, for a year."""
    is_secure = request.scope["scheme"] == "https"
    response.set_cookie(name, value, LIFETIME_SECONDS, path=path, secure=is_secure, httponly=True, samesite="lax")
