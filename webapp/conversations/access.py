"""How a viewer comes to a room: a seat is looked up by what the viewer may see, else there is no such room."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from starlette.requests import Request

from webapp.accounts.authentication import require_account
from webapp.accounts.viewer import Viewer
from webapp.conversations import queries
from webapp.conversations.kinds import KeyedKind
from webapp.conversations.models import KEY_LENGTH, ROOM_NOT_FOUND, Room, is_possible_key, room_name
from webapp.conversations.seats import KICKED, Seat, require_not_kicked
from webapp.core import text
from webapp.core.errors import NotFound

FindSeat = Callable[[Request], Awaitable[Seat]]
# Where the scope of a request has another way to find the seat than by the key in the path.
FIND_SEAT = "parley.find_seat"


async def for_reading(request: Request) -> Seat:
    """Return the seat that the path names; raise NotFound where the viewer may not read, Forbidden while kicked."""
    find: FindSeat = request.scope.get(FIND_SEAT, _find_by_key)
    return await find(request)


async def for_posting(request: Request) -> Seat:
    """Return the seat as for_reading does; raise Forbidden where they may not post (locked, blocked, full ...)."""
    seat = await for_reading(request)
    seat.require_can_post()
    return seat


async def _find_by_key(request: Request) -> Seat:
    return await by_key(require_account(request), request.path_params["key"])


async def by_key(viewer: Viewer, key: str) -> Seat:
    """Return the viewer's seat in the open room of that key; raise NotFound and Forbidden as for_reading does."""
    seat = await queries.seat_by_key(viewer, key) if is_possible_key(key, KEY_LENGTH) else None
    if seat is None or not isinstance(seat.kind, KeyedKind):
        raise NotFound(ROOM_NOT_FOUND)
    return readable(seat)


def readable(seat: Seat) -> Seat:
    """Return the seat if its viewer may read; one whose kick is over has no membership any more."""
    if seat.membership and seat.membership.role == KICKED:
        require_not_kicked(seat.membership.kicked_until)
        seat = replace(seat, membership=None)
    if not seat.kind.can_read(seat):
        raise NotFound(ROOM_NOT_FOUND)
    return seat


async def exists(name: str) -> bool:
    """Return whether there is a room of that name; raise Invalid where there can't be."""
    return await Room.exists(folded=text.fold(room_name(name)))
