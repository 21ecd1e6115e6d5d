"""From the cookie to the person: Starlette's authentication on our session rows."""

from starlette.authentication import AuthCredentials, AuthenticationBackend, BaseUser
from starlette.requests import HTTPConnection, Request

from webapp.accounts.models import Session, User, used
from webapp.errors import SignedOut

OPEN_PATHS = ("/static/", "/health", "/favicon.ico")


class SessionBackend(AuthenticationBackend):
    """Session and user in one query per request; none for files and for browsers that never signed in."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        if conn.url.path.startswith(OPEN_PATHS) or conn.state.cookie == "new":
            return None
        session = await Session.of(conn.state.session_token)
        if session is None:
            return None
        used.note(session)
        session.user.session_id = session.id
        return AuthCredentials(["authenticated"]), session.user  # type: ignore[return-value]


def signed_in(request: Request) -> User:
    """The person who asks; raises SignedOut when it is nobody."""
    user = request.user
    if not isinstance(user, User):
        raise SignedOut
    return user
