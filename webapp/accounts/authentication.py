"""From the cookie to the person: Starlette's authentication on our session rows."""

from starlette.authentication import AuthCredentials, AuthenticationBackend, BaseUser
from starlette.requests import HTTPConnection, Request

from webapp.accounts.models import User
from webapp.accounts.sessions import Session, session_uses
from webapp.core import faults, i18n
from webapp.core.errors import Invalid, RedirectToStrangers, SignInRequired, TooManyRequests, Unavailable
from webapp.core.i18n import _
from webapp.db import engine
from webapp.http import security_log
from webapp.http.client import client, fail_database, identify
from webapp.http.limits import throttle_guess

OPEN_PATHS = ("/static/", "/pictures/", "/health", "/metrics", "/favicon.ico")
# What somebody who is kept out may still do: take what is theirs, and go.
LAST_PATHS = ("/logout", "/settings/delete", "/settings/export")


class SessionBackend(AuthenticationBackend):
    """
    Session and user in one query per request; none for files and for browsers that never signed in.

    Whoever is kept out keeps their session, by which they are told so, whatever address they ask for.
    """

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        request = Request(conn.scope)
        if conn.scope["path"].startswith(OPEN_PATHS) or client(request).is_new:
            return None
        try:
            session = await Session.by_token(client(request).token)
        except engine.DOWN as error:
            faults.database.report(error)
            # Told by the view, which has what was typed, and not from here, where it would be lost.
            fail_database(request)
            return None
        if session is None or session.is_over:
            return None
        session_uses().record(session.id, session.used_at)
        session.user.session_id = session.id
        i18n.set_language(session.user.language)
        identify(request, session.user)
        if not conn.scope["path"].startswith(LAST_PATHS):
            session.user.require_not_banned()
        return AuthCredentials(["authenticated"]), session.user  # type: ignore[return-value]


def current_viewer(request: Request) -> User | None:
    """The person who asks, guests among them, None when it is nobody; raises Unavailable when that can't be known."""
    asking = client(request)
    if asking.database_failed:
        raise Unavailable
    return asking.viewer if isinstance(asking.viewer, User) else None


def require_viewer(request: Request) -> User:
    """The person who asks, guests among them; raises SignInRequired when it is nobody."""
    if (user := current_viewer(request)) is None:
        raise SignInRequired
    return user


def current_account(request: Request) -> User | None:
    """The person with an account who asks, None when it is nobody; a guest is one only among strangers."""
    user = current_viewer(request)
    return None if user is None or user.is_guest else user


def require_account(request: Request) -> User:
    """The person who asks; raises SignedOut when it is nobody, and AmongStrangers when it is a guest."""
    user = current_viewer(request)
    if user is None:
        raise SignInRequired
    if user.is_guest:
        raise RedirectToStrangers
    return user


async def confirm(request: Request, user: User, password: str, field: str = "password") -> None:
    """
    Check the password of somebody who is signed in; raises Invalid, by that field, and TooMany.

    Counted apart from signing in, or who guesses from elsewhere would also keep the owner from changing it.
    """
    try:
        await throttle_guess("confirm", str(user.id))
    except TooManyRequests:
        security_log.record(request, "password_throttled", user.code)
        raise
    if await User.authenticate(user.username or "", password) is None:
        security_log.record(request, "password_wrong", user.code)
        raise Invalid(**{field: _("That is not your password.")})
