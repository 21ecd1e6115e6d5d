"""
From the session to the mask, and to the chat that it is in.

The request is the mask's from then on: no page, error or stream can show anything of who is behind it.
"""

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.authentication import current_viewer
from webapp.accounts.models import User
from webapp.conversations.access import FIND_SEAT
from webapp.conversations.seats import Seat
from webapp.core.errors import RedirectToStrangers
from webapp.http.client import identify
from webapp.messages.models import Message
from webapp.strangers.models import Stranger

View = Callable[[Request], Awaitable[Response]]


async def current_stranger(request: Request) -> Stranger | None:
    """Return who asks as a stranger, None where they are none yet; the request is their mask's from now on."""
    user = current_viewer(request)
    found = await Stranger.of(user.id) if user else None
    if user and found:
        identify(request, found.mask.as_viewer(user.session_id))
    return found


async def require_stranger(request: Request) -> Stranger:
    """Return who asks as a stranger; raise RedirectToStrangers where they are none."""
    found = await current_stranger(request)
    if found is None:
        raise RedirectToStrangers
    return found


async def find_seat(request: Request) -> Seat:
    """Return the mask's seat in the chat that the path names; raise RedirectToStrangers where it is in another."""
    return await seat_of(await require_stranger(request), request)


async def seat_of(stranger: Stranger, request: Request) -> Seat:
    seat = await stranger.current_chat()
    if seat is None or seat.room.id != request.path_params["chat"]:
        raise RedirectToStrangers
    return seat


def masked(view: View) -> View:
    """Return the view for an address of strangers: its seats are found behind the mask, by the id of the chat."""

    @wraps(view)
    async def behind_mask(request: Request) -> Response:
        request.scope[FIND_SEAT] = find_seat
        return await view(request)

    return behind_mask


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


async def transcript(room_id: int, most: int = 100) -> list[dict[str, object]]:
    """Return the last messages in their order: number, author's code and name, when, and the words as typed."""
    newest = Message.filter(room_id=room_id).order_by("-number").limit(most)
    found = await newest.values("number", "created_at", "body", code="author__code", name="author__display_name")
    return list(reversed(found))
