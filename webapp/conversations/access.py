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
from webapp.conversations.stream_access import seat_of_stream
from webapp.core import text
from webapp.core.errors import Moved, NotFound, Unsure
from webapp.core.i18n import _
from webapp.http.error_pages import may_lead
from webapp.http.urls import path_for

FindSeat = Callable[[Request], Awaitable[Seat]]
FindSeatByKey = Callable[[Viewer, str], Awaitable[Seat | None]]
# Where the scope of a request has another way to find the seat than by the key in the path.
FIND_SEAT = "parley.find_seat"


async def for_reading(request: Request) -> Seat:
    """Return the seat that the path names; raise NotFound where the viewer may not read, Forbidden while kicked."""
    find: FindSeat = request.scope.get(FIND_SEAT, _find_by_key)
    return await find(request)


async def for_stream(request: Request) -> Seat:
    """Return the seat as for_reading does; those of streams that open at the same time are read together."""
    if FIND_SEAT in request.scope:
        return await for_reading(request)
    seat = await _by_key(require_account(request), request.path_params["key"], seat_of_stream)
    return _at_its_address(request, readable(seat))


async def for_posting(request: Request) -> Seat:
    """Return the seat as for_reading does; raise Forbidden where they may not post (locked, blocked, full ...)."""
    seat = await for_reading(request)
    seat.require_can_post()
    return seat


async def _find_by_key(request: Request) -> Seat:
    """Return the seat; a page at an address that the room has no more leads on, and what open pages send does not."""
    return _at_its_address(request, await by_key(require_account(request), request.path_params["key"]))


def _at_its_address(request: Request, seat: Seat) -> Seat:
    key = request.path_params["key"]
    if seat.room.key != key and request.method in ("GET", "HEAD") and may_lead(request):
        before = f"{path_for('rooms')}/{key}"
        raise Moved(seat.path + request.scope["path"].removeprefix(before))
    return seat


async def for_answering(request: Request) -> Seat:
    """Return the seat as for_reading does, and that of who was asked to come in, who reads nothing yet."""
    seat = await _by_key(require_account(request), request.path_params["key"])
    is_asked = seat.membership and seat.membership.is_asked
    return _at_its_address(request, seat if is_asked else readable(seat))


async def by_key(viewer: Viewer, key: str) -> Seat:
    """Return the viewer's seat in the open room of that key; raise NotFound and Forbidden as for_reading does."""
    return readable(await _by_key(viewer, key))


async def _by_key(viewer: Viewer, key: str, find: FindSeatByKey = queries.seat_by_key) -> Seat:
    """
    Return the viewer's seat, whether they may read or not; raise NotFound without one.

    A key that the room has no more leads there who may read it. For all others the same is asked as for a key that
    never was, so that nothing shows that it is one.
    """
    if not is_possible_key(key, KEY_LENGTH):
        raise NotFound(ROOM_NOT_FOUND)
    seat = await find(viewer, key)
    if seat is None or not _is_known(seat):
        seat = await queries.seat_by_alias(viewer, key)
    if seat is None:
        raise NotFound(ROOM_NOT_FOUND)
    return seat


def _is_known(seat: Seat) -> bool:
    """Return whether the viewer may know that the room is there, as who was kicked from it does."""
    return isinstance(seat.kind, KeyedKind) and (seat.membership is not None or seat.kind.can_read(seat))


async def require_meant(seat: Seat) -> None:
    """
    Raise Unsure where the address was that of a private room of the viewer's, and this public one is another.

    A page of theirs may be from before: what is written there for a few must not go to everybody. Who is in both rooms
    is asked no more.
    """
    if seat.kind.is_private or seat.membership:
        return
    other = await queries.seat_by_alias(seat.viewer, seat.room.key)
    if other and other.kind.is_private and other.room.id != seat.room.id:
        message = _("This address belongs to another room now: %(name)s, which everybody reads.", name=seat.room.name)
        raise Unsure(message, _("Send it there"))


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
