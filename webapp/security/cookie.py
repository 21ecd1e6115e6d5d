"""
The session cookie, and the form token that is made of it.

The cookie holds a random token, signed; the row of a signed-in session is found by its digest.
"""

import secrets
from functools import cache, lru_cache, partial
from hashlib import sha256

from itsdangerous import BadSignature, Signer
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import Scope

from webapp import settings

NAME = "session"
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


def read(request: Request) -> None:
    state = request.state
    state.cookie = ""
    try:
        state.session_token = _unsigned(request.cookies.get(NAME, "")[:LONGEST])
    except (BadSignature, UnicodeDecodeError):
        state.session_token = secrets.token_urlsafe(24)
        state.cookie = "new"
    state.token = partial(form_token, state.session_token)  # few requests need it


@lru_cache(10_000)
def _unsigned(value: str) -> str:
    return signer(NAME).unsign(value).decode()


def form_token(session_token: str) -> str:
    return signer("form").get_signature(session_token.encode()).decode()


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


def write(request: Request, headers: MutableHeaders) -> None:
    state = request.state
    if not state.cookie:
        return
    is_page = headers.get("content-type", "").startswith("text/html") or "location" in headers
    if state.cookie == "new" and not is_page:
        return
    value = "" if state.cookie == "ended" else signer(NAME).sign(state.session_token).decode()
    life = {"kept": f"; Max-Age={LIFE_SECONDS}", "ended": "; Max-Age=0", "new": ""}[state.cookie]
    secure = "; Secure" if request.scope["scheme"] == "https" else ""
    headers.append("Set-Cookie", f"{NAME}={value}; Path=/; HttpOnly; SameSite=Lax{life}{secure}")
