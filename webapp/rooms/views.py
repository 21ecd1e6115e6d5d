"""The list of rooms, opening, joining and leaving one."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.accounts.viewer import Viewer
from webapp.conversations import access, broadcasts, groups, kinds, members, queries
from webapp.conversations.queries import PAGE_SIZE
from webapp.conversations.seats import Seat
from webapp.core import text
from webapp.core.errors import Invalid
from webapp.core.i18n import _
from webapp.http import responses
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.http.params import Page, page_number, query
from webapp.http.urls import path_for
from webapp.live import hub
from webapp.messages import changes
from webapp.messages.models import new_nonce
from webapp.messages.retention import delete_closed_rooms
from webapp.presence.queries import presence_in
from webapp.presence.tracker import tracker
from webapp.relationships.search import is_searchable, search
from webapp.rooms import opening
from webapp.sidebar.layout import EMPTY_FORM, render_with_sidebar

MAX_PEOPLE = 5


async def index(request: Request) -> Response:
    user = require_account(request)
    if request.method == "POST":
        return await _enter(request, user)
    words = text.clean_line(query(request, "q"))[:60]
    page = page_number(request)
    if words:
        await throttle(settings.RATE_SEARCH, "search", str(user.id))
    return await _list(request, user, words, page)


async def _list(
    request: Request, user: Viewer, words: str = "", page: int = 1, status: int = 200, **context: Any
) -> Response:
    found = await (queries.search_rooms(words, page) if words else queries.newest_rooms(page))
    rooms = Page.of(found, page, PAGE_SIZE)
    people = await search(user, words) if words and page == 1 and is_searchable(words) else []
    shown: dict[str, Any] = {
        "people": people[:MAX_PEOPLE],
        "rooms": rooms.rows,
        "more": rooms.has_more,
        "page": rooms.number,
        "q": words,
    }
    shown["nonce"] = new_nonce()
    shown["form"] = EMPTY_FORM | {"name": words}
    shown["present"] = await presence_in([room.id for room in rooms.rows])
    return await render_with_sidebar(request, user, "rooms/index.html", status, **(shown | context))


async def _enter(request: Request, user: Viewer) -> Response:
    typed = await read_form(request, "name", "topic", "face", "kind", "nonce")
    try:
        await throttle(settings.RATE_JOIN, "join", str(user.id))
        seat = await _open(user, **typed)
        broadcasts.membership_changed(seat.room.id, user.id)
    except Invalid as error:
        problems = EMPTY_FORM | error.problems
        return await _list(request, user, status=error.status, form=typed, problems=problems)
    return responses.see_other(seat.path)


async def _open(user: Viewer, name: str, topic: str, face: str, kind: str, nonce: str) -> Seat:
    """Join or create the room of that name; one without a kind is public, as from pages of the version before."""
    if kind not in ("", kinds.PUBLIC.stored, kinds.PRIVATE.stored):
        raise Invalid(kind=_("Choose one of the two."))
    is_private = kind == kinds.PRIVATE.stored
    if is_private or not await access.exists(name):
        await throttle(settings.RATE_ROOM, "room", str(user.id))
    if is_private:
        return await opening.create_private(user, name, topic, face, nonce)
    return await opening.open_room(user, name, topic, face)


async def join(request: Request) -> Response:
    user = require_account(request)
    await throttle(settings.RATE_JOIN, "join", str(user.id))
    seat = await access.for_answering(request)
    if seat.membership and seat.membership.is_asked:
        await groups.accept(seat)
        if seat.kind.is_group:
            broadcasts.group_changed(seat.room.id)
    else:
        await members.join(seat)
    broadcasts.membership_changed(seat.room.id, user.id)
    if not seat.kind.is_between_two:
        return responses.see_other(seat.path)
    hub().refresh(f"room:{seat.room.id}", "receipts")  # for who waits for the answer to a message request
    return responses.see_other(f"{seat.path}#composer")


async def leave(request: Request) -> Response:
    """Leave a room; in a chat: ignore the message request; who was asked to come into a room declines."""
    user = require_account(request)
    await throttle(settings.RATE_JOIN, "join", str(user.id))
    seat = await access.for_answering(request)
    if seat.membership and seat.membership.is_asked:
        await groups.decline(seat)
        broadcasts.membership_changed(seat.room.id, user.id)
    elif seat.membership:
        form = await read_form(request, "close")
        try:
            await _leave(seat, may_close=bool(form["close"]))
        except members.ClosesRoom:
            return await render_with_sidebar(
                request, user, "rooms/leave.html", seat=seat, room=seat.room, current_key=seat.room.key
            )
    return responses.see_other(path_for("lobby"))


async def _leave(seat: Seat, may_close: bool) -> None:
    if seat.kind.ends_empty:
        is_closed = await groups.leave(seat)
    else:
        is_closed = await members.leave(seat, may_close)
    broadcasts.left(seat.room, seat.viewer.id)
    tracker().leave_now(seat.viewer.id, seat.room.id)
    changes.member_left(seat.room.id, seat.viewer)
    if is_closed:
        broadcasts.room_deleted(seat.room.id)
        hub().spawn(delete_closed_rooms())
