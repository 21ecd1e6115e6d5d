"""From the cookie to the person: Starlette's authentication on our session rows."""

from starlette.requests import Request

from webapp.accounts.models import User
from webapp.accounts.sessions import Session, session_uses
from webapp.core.errors import Invalid, RedirectToStrangers, SignInRequired, TooManyRequests, Unavailable
from webapp.core.i18n import _
from webapp.http import security_log
from webapp.http.client import client
from webapp.http.limits import throttle_guess


async def read_viewer(token: str) -> User | None:
    """Return who has the session of this token, None where there is none or it has ended."""
    session = await Session.by_token(token)
    if session is None or session.is_over:
        return None
    session_uses().record(session.id, session.used_at)
    session.user.session_id = session.id
    return session.user


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
