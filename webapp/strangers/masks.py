"""
From the session to the mask, and to the chat that it is in.

At a masked address the viewer is the mask: no page, error or stream can show anything of who is behind it.
"""

from typing import Any

from starlette.requests import Request

from webapp.accounts.authentication import current_viewer
from webapp.accounts.models import User
from webapp.accounts.viewer import Viewer
from webapp.conversations.seats import Seat
from webapp.core.errors import RedirectToStrangers
from webapp.http.client import client
from webapp.messages.models import Message
from webapp.strangers.models import Stranger


async def read_mask(viewer: Viewer) -> Stranger | None:
    """Return the viewer as a stranger, None where they are none yet."""
    return await Stranger.of(viewer.id)


def current_stranger(request: Request) -> Stranger | None:
    """Return the viewer as a stranger, None where they are none yet; raise Unavailable where that is not known."""
    mask = client(request).mask if current_viewer(request) else None
    return mask if isinstance(mask, Stranger) else None


def require_stranger(request: Request) -> Stranger:
    """Return the viewer as a stranger; raise RedirectToStrangers where they are none."""
    stranger = current_stranger(request)
    if stranger is None:
        raise RedirectToStrangers
    return stranger


async def find_seat(request: Request) -> Seat:
    """Return the mask's seat in the chat that the path names; raise RedirectToStrangers where it is in another."""
    seat = await require_stranger(request).current_chat()
    if seat is None or seat.room.id != request.path_params["chat"]:
        raise RedirectToStrangers
    return seat


async def account_behind(mask_id: int) -> User | None:
    """Return whose mask it is: the account, or the guest, whose row the mask is itself."""
    stranger = await Stranger.get_or_none(mask_id=mask_id)
    return await User.get_or_none(id=stranger.person) if stranger else None


async def latest_chat(person_id: int) -> Seat | None:
    """Return the seat in the chat that the person is in or was in last, where the other is still there."""
    stranger = await Stranger.of(person_id)
    if stranger is None:
        return None
    seat = await stranger.current_chat() or await stranger.current_chat(stranger.last_room_id)
    return seat if seat and seat.other else None


async def transcript(room_id: int, most: int = 100) -> list[dict[str, Any]]:
    """Return the last messages in order: number, what it answers, author, when, and the words as typed."""
    newest = Message.filter(room_id=room_id).order_by("-number").limit(most)
    found = await newest.values(
        "number", "created_at", "body", "reply_to", code="author__code", name="author__display_name"
    )
    return list(reversed(found))
