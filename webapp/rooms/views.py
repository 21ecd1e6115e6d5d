"""The lobby, the list of rooms, and what one does with a room other than talk in it."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from webapp import render, settings, text
from webapp.accounts.models import User
from webapp.accounts.sessions import recognised, signed_in
from webapp.accounts.views import front
from webapp.errors import Invalid, Refused
from webapp.live import hub
from webapp.messages import broadcasts as talk
from webapp.messages.models import erase_closed
from webapp.presence.attendance import attendance
from webapp.rooms import broadcasts
from webapp.rooms.models import OWNER, PAGE, Membership, Room, people
from webapp.rooms.sidebar import entries
from webapp.security import form, throttle

# What a form of the room's settings does, and where it leads when that is not back to them.
Action = Callable[[Room, User, dict[str, str]], Awaitable[str | None]]
MOST_PAGES = 100
LOBBY_ROOMS = 8
NO_FORM = {"name": "", "topic": ""}


def _see(goto: str) -> Response:
    return RedirectResponse(goto, 303, {"Cache-Control": "no-store"})


async def split(request: Request, user: User, name: str, status: int = 200, **context: Any) -> Response:
    """A page of the two halves: the sidebar is the same on all of them."""
    listed = await entries(user)
    for entry in listed:
        if attendance.has_open(user.id, entry.room_id):
            entry.unread = 0
    if coming := [entry.room_id for entry in listed if entry.is_to_come]:
        await Membership.delivered(user.id, coming)
        for room_id in coming:
            hub.touch(room_id, "receipts")
    defaults: dict[str, Any] = {"sidebar": listed, "here": "", "form": NO_FORM, "problems": NO_FORM}
    return render.page(request, name, status, **(defaults | context))


async def home(request: Request) -> Response:
    return await (lobby if recognised(request) else front)(request)


async def lobby(request: Request) -> Response:
    user = signed_in(request)
    rooms = await Room.search()
    return await split(request, user, "rooms/lobby.html", rooms=rooms[:LOBBY_ROOMS])


async def sidebar(request: Request) -> Response:
    """The sidebar as a document of its own, which renews itself in a frame."""
    render.frame(request)
    user = signed_in(request)
    here = request.query_params.get("here", "")
    response = await split(request, user, "rooms/sidebar.html", here=here)
    response.headers["Refresh"] = "20"
    return response


async def index(request: Request) -> Response:
    user = signed_in(request)
    if request.method == "POST":
        return await _enter(request, user)
    words = text.line(request.query_params.get("q", ""))[:60]
    page = _page(request)
    if words:
        await throttle(settings.RATE_SEARCH, "search", str(user.id))
    return await _list(request, user, words, page)


async def _list(
    request: Request, user: User, words: str = "", page: int = 1, status: int = 200, **context: Any
) -> Response:
    rooms = await Room.search(words, page)
    shown = {"rooms": rooms[:PAGE], "more": len(rooms) > PAGE, "page": page, "q": words}
    shown["form"] = {"name": words, "topic": ""}
    return await split(request, user, "rooms/index.html", status, **(shown | context))


async def _enter(request: Request, user: User) -> Response:
    typed = await form(request, "name", "topic")
    try:
        await throttle(settings.RATE_POST, "enter", str(user.id))
        room = await Room.enter(user, typed["name"], typed["topic"])
    except Invalid as error:
        problems = NO_FORM | error.problems
        return await _list(request, user, status=error.status, form=typed, problems=problems)
    return _see(room.path)


async def join(request: Request) -> Response:
    user = signed_in(request)
    room = await Room.for_reading(user, request.path_params["key"])
    await room.join(user)
    return _see(f"{room.path}#composer" if room.is_chat else room.path)


async def leave(request: Request) -> Response:
    user = signed_in(request)
    room = await Room.for_reading(user, request.path_params["key"])
    if room.membership:
        await room.leave(user)
        attendance.forget(user.id, room.id)
        talk.left(room, user)
    return _see("/lobby")


def _page(request: Request) -> int:
    return min(MOST_PAGES, max(1, _count(request.query_params.get("page", ""), default=1)))


def _count(typed: str, default: int) -> int:
    """The number that was typed, up to nine digits of it."""
    return int(typed[:9]) if typed.isascii() and typed.isdigit() else default


# About one room.

DONE = {
    "topic": "Saved.",
    "lock": "The room is locked.",
    "unlock": "The room is open again.",
    "kick": "They are out for now.",
    "pardon": "They may come back.",
    "hand_over": "The room has a new owner.",
    "unread": "It waits for you as not read.",
    "mute": "Muted: new messages here are not counted.",
    "unmute": "New messages here are counted again.",
}


async def show_settings(request: Request) -> Response:
    user = signed_in(request)
    room = await Room.for_reading(user, request.path_params["key"])
    if request.method != "POST":
        return await _settings(request, user, room)
    typed = await form(request, "do", "topic", "who", "minutes", "name", "number")
    if typed["do"] not in OWN and not room.is_owned_by(user):
        raise Refused("Only the owner of the room can do that.")
    action = (OWN | ACTIONS).get(typed["do"])
    if action is None:
        raise Invalid(do="This can't be done here.")
    try:
        goto = await action(room, user, typed)
    except Invalid as error:
        kept = typed if typed["do"] == "topic" else typed | {"topic": room.topic}
        return await _settings(request, user, room, error.status, form=kept, problems=NO_FORM | error.problems)
    return _see(goto or f"{room.path}/settings?done={typed['do']}")


async def _settings(request: Request, user: User, room: Room, status: int = 200, **context: Any) -> Response:
    page = _page(request)
    members = [] if room.is_chat else await room.members(page)
    owns = room.is_owned_by(user)
    shown = {
        "room": room,
        "membership": room.membership,
        "owns": owns,
        "owns_alone": bool(room.membership and room.membership.role == OWNER),
        "members": people(members[:PAGE]),
        "more_members": len(members) > PAGE,
        "kicked": people(await room.kicked()) if owns else [],
        "page": page,
        "here": room.key,
        "done": DONE.get(request.query_params.get("done", ""), ""),
        "form": {"topic": room.topic, "name": ""},
    }
    return await split(request, user, "rooms/settings.html", status, **(shown | context))


# What everybody decides for themselves.


async def _mute(room: Room, user: User, typed: dict[str, str]) -> None:
    await _mine(room).mute(typed["do"] == "mute")


async def _unread(room: Room, user: User, typed: dict[str, str]) -> None:
    """From this message on; what is open in another window would read it at once, and is not asked."""
    number = _count(typed["number"], default=room.last_number)
    await _mine(room).unread_from(number, room.last_number)


def _mine(room: Room) -> Membership:
    if room.membership is None:
        raise Refused("You are not in this room. Join it first.")
    return room.membership


OWN: dict[str, Action] = {"mute": _mute, "unmute": _mute, "unread": _unread}

# What its owner decides.


async def _topic(room: Room, user: User, typed: dict[str, str]) -> None:
    await room.set_topic(typed["topic"])
    broadcasts.described(room)


async def _lock(room: Room, user: User, typed: dict[str, str]) -> None:
    await room.lock(typed["do"] == "lock")
    broadcasts.described(room)


async def _kick(room: Room, user: User, typed: dict[str, str]) -> None:
    member = await room.member(typed["who"])
    if member.role == OWNER or member.user_id == user.id:
        raise Refused("The owner can't be sent away.")
    if member.user.is_admin:
        raise Refused("An administrator can't be sent away.")
    await room.kick(member, _count(typed["minutes"], default=60))
    attendance.forget(member.user_id, room.id)
    talk.left(room, member.user)
    broadcasts.kicked(room, member.user_id)


async def _pardon(room: Room, user: User, typed: dict[str, str]) -> None:
    member = await room.member(typed["who"])
    await room.pardon(member.user)


async def _hand_over(room: Room, user: User, typed: dict[str, str]) -> str:
    member = await room.member(typed["who"])
    await room.hand_over(member)
    return f"{room.path}/settings?done=hand_over"


async def _delete(room: Room, user: User, typed: dict[str, str]) -> str:
    if text.fold(typed["name"]) != text.fold(room.name):
        raise Invalid(name="That is not the name of this room.")
    await room.close()
    broadcasts.closed(room)
    hub.start(erase_closed())
    return "/lobby"


ACTIONS: dict[str, Action] = {
    "topic": _topic,
    "lock": _lock,
    "unlock": _lock,
    "kick": _kick,
    "pardon": _pardon,
    "hand_over": _hand_over,
    "delete": _delete,
}
