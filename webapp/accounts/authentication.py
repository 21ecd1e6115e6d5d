"""From the cookie to the person: Starlette's authentication on our session rows."""

from starlette.requests import Request

from webapp.accounts.models import User
from webapp.accounts.viewer import Viewer
from webapp.core.errors import Invalid, RedirectToStrangers, SignInRequired, TooManyRequests, Unavailable
from webapp.core.i18n import _
from webapp.http import security_log
from webapp.http.client import client
from webapp.http.limits import throttle_guess


def current_viewer(request: Request) -> Viewer | None:
    """The person who asks, guests among them, None when it is nobody; raises Unavailable when that can't be known."""
    asking = client(request)
    if asking.database_failed:
        raise Unavailable
    return asking.viewer if isinstance(asking.viewer, Viewer) else None


def require_viewer(request: Request) -> Viewer:
    """The person who asks, guests among them; raises SignInRequired when it is nobody."""
    if (user := current_viewer(request)) is None:
        raise SignInRequired
    return user


def current_account(request: Request) -> Viewer | None:
    """The person with an account who asks, None when it is nobody; a guest is one only among strangers."""
    user = current_viewer(request)
    return None if user is None or user.is_guest else user


def require_account(request: Request) -> Viewer:
    """The person who asks; raises SignedOut when it is nobody, and AmongStrangers when it is a guest."""
    user = current_viewer(request)
    if user is None:
        raise SignInRequired
    if user.is_guest:
        raise RedirectToStrangers
    return user


async def load_account(request: Request) -> User:
    """Return the account that asks with all of its row, for what changes it; raise as `require_account` does."""
    if (user := await User.get_or_none(id=require_account(request).id)) is None:
        raise SignInRequired
    return user


async def confirm(request: Request, user: Viewer | User, password: str, field: str = "password") -> None:
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
