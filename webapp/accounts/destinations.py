"""Where signing in leads, in words for its card; and the invitation that a new account comes by."""

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import unquote

from starlette.requests import Request

from webapp import settings
from webapp.core.errors import Forbidden
from webapp.core.i18n import _
from webapp.core.lifetime import Slot
from webapp.http.urls import path_for

INVITATION_OVER = _("This invitation is not valid any more. Ask for a new one.")


class Invitation(NamedTuple):
    """What a new account comes to: the room's name and path, or no name and the lobby for the site."""

    room: str
    path: str
    # Spends a use for the account of that id, and makes it a member: within the transaction that makes the account.
    use: Callable[[int], Awaitable[None]]


# Returns the name of a public room by its key; empty for any other.
room_names = Slot[Callable[[str], Awaitable[str]]]("names of rooms")
# Returns the invitation behind the token of a link, None where it is not valid.
invitations = Slot[Callable[[Request, str], Awaitable[Invitation | None]]]("invitations")


class Destination(NamedTuple):
    """Where a form of signing in leads: the name of the room, if it is one; and the invitation, if that is valid."""

    path: str
    room: str = ""
    invitation: Invitation | None = None
    # Whether it is the link of an invitation, valid or not.
    is_invitation: bool = False


async def destination(request: Request, target: str) -> Destination:
    """Return what is known of the path that the form leads to."""
    if token := _behind(path_for("invitation", token=""), target):
        found = await invitations()(request, token)
        return Destination(target, found.room if found else "", found, is_invitation=True)
    key = _behind(path_for("rooms") + "/", target)
    return Destination(target, await room_names()(key) if key else "")


def _behind(prefix: str, target: str) -> str:
    """Return the part of the path behind the prefix; empty where it begins otherwise."""
    return unquote(re.split("[?#/]", target[len(prefix) :])[0]) if target.startswith(prefix) else ""


def require_registration(is_invited: bool) -> None:
    """Raise Forbidden where nobody new comes in, or nobody without an invitation."""
    if settings.REGISTRATION == "closed":
        raise Forbidden(_("New accounts are created by the administrator."))
    if settings.REGISTRATION == "invited" and not is_invited:
        raise Forbidden(_("New accounts need an invitation. Ask somebody who is here for a link."))
