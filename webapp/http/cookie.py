"""
The session cookie, and the form token that is made of it.

The cookie holds a random token, signed; the row of a signed-in session is found by its digest. Its name holds something
of the installation, because cookies know no port: two installations on one host would sign each other's people out.
Over https it begins with `__Host-`, which no neighbouring domain can set.
"""

import secrets
from functools import cache, lru_cache, partial
from hashlib import sha256

from itsdangerous import BadSignature, Signer
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from webapp import settings

# As it was called by version 0.1.0; who comes with it is given the new one.
OLD_NAME = "session"
LIFE_SECONDS = 365 * 24 * 3600
# Ours have sixty characters. Signatures are read over whatever does not belong in them, so that of one cookie anybody
# can make as many as they like, each as long as a header may be; and what has been read is remembered.
LONGEST = 100


@cache
def signer(salt: str) -> Signer:
    return Signer(settings.secret_key(), salt=f"parley.{salt}")


def drop_escaped(scope: Scope) -> None:
    """
    Take cookies with backslashes, which are none of ours, out of a request.

    Python before 3.11.10 and 3.12.6 unquotes one of 60 kB in seven seconds (CVE-2024-7592).
    """
    headers = scope["headers"]
    if any(name == b"cookie" and b"\\" in value for name, value in headers):
        scope["headers"] = [(name, _plain(value) if name == b"cookie" else value) for name, value in headers]


def _plain(cookies: bytes) -> bytes:
    return b";".join(one for one in cookies.split(b";") if b"\\" not in one)


@cache
def name(scheme: str) -> str:
    own = f"{OLD_NAME}-{settings.installation()[-8:]}"
    return f"__Host-{own}" if scheme == "https" else own


def read(request: Request) -> None:
    state, cookies = request.state, request.cookies
    value = cookies.get(name(request.scope["scheme"]))
    is_old = value is None and OLD_NAME in cookies
    state.cookie, state.old_cookie = "moved" if is_old else "", is_old
    try:
        state.session_token = _unsigned((cookies[OLD_NAME] if is_old else value or "")[:LONGEST])
    except (BadSignature, UnicodeDecodeError):  # an old one may be another installation's
        state.session_token = secrets.token_urlsafe(24)
        state.cookie, state.old_cookie = "new", False
    state.token = partial(form_token, state.session_token)  # few requests need it


@lru_cache(10_000)
def _unsigned(value: str) -> str:
    return signer("session").unsign(value).decode()


def form_token(session_token: str) -> str:
    return signer("form").get_signature(session_token.encode()).decode()


def digest(session_token: str) -> str:
    """How a session's token is stored: the token itself is only in the browser."""
    return sha256(session_token.encode()).hexdigest()


def set_session(request: Request) -> str:
    """A new token for the person who has just signed in; the one from before is worth nothing any more."""
    request.state.session_token = secrets.token_urlsafe(24)
    request.state.token = partial(form_token, request.state.session_token)
    request.state.cookie = "kept"
    return str(request.state.session_token)


def clear_session(request: Request) -> None:
    request.state.cookie = "ended"


def write(request: Request, headers: MutableHeaders) -> None:
    state, scheme = request.state, request.scope["scheme"]
    change = getattr(state, "cookie", "")
    is_page = headers.get("content-type", "").startswith("text/html") or "location" in headers
    if not change or (change == "new" and not is_page):
        return
    if change == "moved":
        change = "kept" if getattr(request.scope.get("user"), "is_authenticated", False) else "new"
    if state.old_cookie:
        headers.append("Set-Cookie", _line(OLD_NAME, "", scheme, "; Max-Age=0"))
    value = "" if change == "ended" else signer("session").sign(state.session_token).decode()
    life = {"kept": f"; Max-Age={LIFE_SECONDS}", "ended": "; Max-Age=0", "new": ""}[change]
    headers.append("Set-Cookie", _line(name(scheme), value, scheme, life))


def _line(name: str, value: str, scheme: str, life: str) -> str:
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Lax{life}{'; Secure' if scheme == 'https' else ''}"


def remember(request: Request, response: Response, name: str, value: str, path: str = "/") -> None:
    """Keep a choice of this browser in a cookie of its own."""
    is_secure = request.scope["scheme"] == "https"
    response.set_cookie(name, value, LIFE_SECONDS, path=path, secure=is_secure, httponly=True, samesite="lax")
