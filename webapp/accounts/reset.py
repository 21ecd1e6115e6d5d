"""Links that set a new password, once."""

from itsdangerous import BadSignature, URLSafeTimedSerializer

from webapp import settings
from webapp.accounts.models import User
from webapp.core.errors import NotFound
from webapp.core.i18n import _
from webapp.http.urls import path_for

LINK_USED = _("This link has been used, or it is older than a day. Ask for a new one.")
RESET_SECONDS = 24 * 3600
MAX_RESET_LENGTH = 200


def _resets() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings.secret_key(), salt="parley.reset")


def reset_path(user: User) -> str:
    """A link that sets a new password once: it names the hash that it replaces."""
    return path_for("reset", token=_resets().dumps([user.id, (user.password_hash or "")[-16:]]))


async def user_of_link(token: str) -> User:
    try:
        # itsdangerous refers to what it raises, so that an invalid token stays in memory until the collector comes.
        identity, tail = _resets().loads(token[:MAX_RESET_LENGTH], max_age=RESET_SECONDS)
    except (BadSignature, ValueError) as error:
        raise NotFound(LINK_USED) from error
    user = await User.get_or_none(id=identity)
    if user is None or (user.password_hash or "")[-16:] != tail:
        raise NotFound(LINK_USED)
    return user
