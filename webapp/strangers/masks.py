"""
From the session to the mask, and to the chat that it is in.

The request is the mask's from then on: no page, error or stream can say anything of who is behind it.
"""

from starlette.requests import Request

from webapp.accounts.authentication import current_viewer, require_viewer
from webapp.accounts.viewer import Viewer
from webapp.conversations.models import Room
from webapp.core.errors import RedirectToStrangers
from webapp.http.client import identify
from webapp.strangers.models import Stranger


async def stranger(request: Request) -> Stranger | None:
    """The person who asks, as a stranger; None when they are none yet."""
    user = current_viewer(request)
    found = await Stranger.of(user.id) if user else None
    if user and found:
        identify(request, found.mask.as_viewer(user.session_id))
    return found


async def masked(request: Request) -> Stranger:
    """The same; raises AmongStrangers when they are none."""
    found = await stranger(request)
    if found is None:
        raise RedirectToStrangers
    return found


async def talk(request: Request) -> tuple[Stranger, Room]:
    """The stranger, and the chat that is named, in which they are; raises AmongStrangers when they are not."""
    found = await masked(request)
    room = await found.current_chat()
    if room is None or room.id != request.path_params["chat"]:
        raise RedirectToStrangers
    return found, room


async def talking(request: Request) -> tuple[Viewer, Room]:
    """The same, with the mask alone."""
    _, room = await talk(request)
    return require_viewer(request), room
