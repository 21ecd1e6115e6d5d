"""Who asks, for views: the viewer of the request, with an account or as a guest; and their password once more."""

from starlette.requests import Request

from webapp.accounts.models import User
from webapp.accounts.viewer import Viewer
from webapp.core.errors import Invalid, RedirectToStrangers, SignInRequired, TooManyRequests, Unavailable
from webapp.core.i18n import _
from webapp.http import security_log
from webapp.http.client import client
from webapp.http.limits import throttle_guess


def current_viewer(request: Request) -> Viewer | None:
    """Return the viewer, who may be a guest, None for a visitor; raise Unavailable where the database failed."""
    asking = client(request)
    if asking.database_failed:
        raise Unavailable
    return asking.viewer if isinstance(asking.viewer, Viewer) else None


def require_viewer(request: Request) -> Viewer:
    """Return the viewer, who may be a guest; raise SignInRequired for a visitor."""
    if (user := current_viewer(request)) is None:
        raise SignInRequired
    return user


def current_account(request: Request) -> Viewer | None:
    """Return the viewer with an account, None for visitors and guests."""
    user = current_viewer(request)
    return None if user is None or user.is_guest else user


def require_account(request: Request) -> Viewer:
    """Return the viewer with an account; raise SignInRequired for a visitor, RedirectToStrangers for a guest."""
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
    Check the password of a signed-in account; raises Invalid, by that field, and TooManyRequests.

    Counted apart from signing in, or guesses from elsewhere would stop the owner from changing it, too.
    """
    try:
        await throttle_guess("confirm", str(user.id))
    except TooManyRequests:
        security_log.record(request, "password_throttled", user.code)
        raise
    if await User.authenticate(user.username or "", password) is None:
        security_log.record(request, "password_wrong", user.code)
        raise Invalid(**{field: _("That is not your password.")})
