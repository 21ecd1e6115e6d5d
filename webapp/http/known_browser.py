"""
Browsers that were signed in to an account before: their attempts to sign in are counted separately.

So guessing at an account from elsewhere does not lock its owner out.
"""

import hmac
import secrets
from hashlib import sha256

from itsdangerous import BadSignature
from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.http import cookie
from webapp.http.urls import path_for

MAX_LENGTH = 200


def token(request: Request, username: str) -> str:
    """Return what this browser's attempts at the account are counted by; empty where it was never signed in to it."""
    value = request.cookies.get(_name(username), "")[:MAX_LENGTH]
    try:
        name, _, token = cookie.signer("known").unsign(value).decode().partition(".")
    except (BadSignature, UnicodeDecodeError):
        return ""
    return token if name == _name(username) else ""


def remember(request: Request, response: Response, username: str) -> None:
    """Mark the browser as one that was signed in to the account; the token of one that is marked already stays."""
    if token(request, username):
        return
    name = _name(username)
    value = cookie.signer("known").sign(f"{name}.{secrets.token_urlsafe(9)}").decode()
    cookie.remember(request, response, name, value, path_for("login"))


def _name(username: str) -> str:
    """A name that differs by account and does not show it: other people may use the browser later."""
    key = settings.secret_key().encode()
    return "known-" + hmac.new(key, f"known {username}".encode(), sha256).hexdigest()[:12]
