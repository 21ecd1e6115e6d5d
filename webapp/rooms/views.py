"""The list of rooms, joining and leaving one, and its settings."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.accounts.models import User
from webapp.accounts.viewer import Person
from webapp.conversations import access, broadcasts, members
from webapp.conversations.audit import is_on_behalf, record_act
from webapp.conversations.members import people
from webapp.conversations.models import OWNER, PAGE_SIZE, Membership, Room
from webapp.core import text
from webapp.core.errors import Forbidden, Invalid
from webapp.core.i18n import _
from webapp.http import render
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.http.params import page_number, whole
from webapp.live import hub
from webapp.messages import changes as talk
from webapp.messages.retention import delete_closed_rooms
from webapp.presence.tracker import tracker
from webapp.relationships.search import is_searchable, search
from webapp.rooms import opening
from webapp.sidebar.layout import EMPTY_FORM, render_with_sidebar

# What a form of the room's settings does, and where it leads when that is not back to them.
Action = Callable[[Room, Person, dict[str, str]], Awaitable[str | None]]


MAX_PEOPLE = 5


async def index(request: Request) -> Response:
    user = require_account(request)
    if request.method == "POST":
        return await _enter(request, user)
    words = text.clean_line(request.query_params.get("q", ""))[:60]
    page = page_number(request)
    if words:
        await throttle(settings.RATE_SEARCH, "search", str(user.id))
    return await _list(request, user, words, page)


async def _list(
    request: Request, user: Person, words: str = "", page: int = 1, status: int = 200, **context: Any
) -> Response:
    rooms = await Room.search(words, page)
    people = await search(user, words) if words and page == 1 and is_searchable(words) else []
    shown: dict[str, Any] = {
        "people": people[:MAX_PEOPLE],
        "rooms": rooms[:PAGE_SIZE],
        "more": len(rooms) > PAGE_SIZE,
        "page": page,
        "q": words,
    }
    shown["form"] = {"name": words, "topic": ""}
    return await render_with_sidebar(request, user, "rooms/index.html", status, **(shown | context))


async def _enter(request: Request, user: Person) -> Response:
    typed = await read_form(request, "name", "topic")
    try:
        await throttle(settings.RATE_JOIN, "join", str(user.id))
        if not await access.exists(typed["name"]):
            await throttle(settings.RATE_ROOM, "room", str(user.id))
        room = await opening.open_room(user, typed["name"], typed["topic"])
        broadcasts.membership_changed(room, user.id)
    except Invalid as error:
        problems = EMPTY_FORM | error.problems
        return await _list(request, user, status=error.status, form=typed, problems=problems)
    return render.see_other(room.path)


async def join(request: Request) -> Response:
    user = require_account(request)
    await throttle(settings.RATE_JOIN, "join", str(user.id))
    room = await access.for_reading(user, request.path_params["key"])
    await members.join(room, user)
    broadcasts.membership_changed(room, user.id)
    if room.is_chat:
        hub().refresh(f"room:{room.id}", "receipts")  # whoever waits for the answer learns of it
    return render.see_other(f"{room.path}#composer" if room.is_chat else room.path)


async def leave(request: Request) -> Response:
    user = require_account(request)
    await throttle(settings.RATE_JOIN, "join", str(user.id))
    room = await access.for_reading(user, request.path_params["key"])
    if room.membership:
        await members.leave(room, user)
        broadcasts.membership_changed(room, user.id)
        tracker().leave_now(user.id, room.id)
        talk.member_left(room, user)
    return render.see_other("/lobby")


SUCCESS_MESSAGES = {
    "topic": _("Saved."),
    "lock": _("The room is locked."),
    "unlock": _("The room is open again."),
    "kick": _("They are kicked for now."),
    "pardon": _("They may come back."),
    "hand_over": _("The room has a new owner."),
    "unread": _("Marked as unread."),
    "mute": _("Muted: new messages here are not counted."),
    "unmute": _("New messages here are counted again."),
}


async def show_settings(request: Request) -> Response:
    user = require_account(request)
    room = await access.for_reading(user, request.path_params["key"])
    if request.method != "POST":
        return await _settings(request, user, room)
    await throttle(settings.RATE_CHANGE, "room", str(user.id))
    typed = await read_form(request, "do", "topic", "who", "minutes", "name", "number")
    if typed["do"] not in MEMBER_ACTIONS and not room.is_owned_by(user):
        raise Forbidden(_("Only the owner of the room can do that."))
    action = (MEMBER_ACTIONS | OWNER_ACTIONS).get(typed["do"])
    if action is None:
        raise Invalid(do=_("This can't be done here."))
    is_act = typed["do"] in OWNER_ACTIONS and is_on_behalf(user, room)
    try:
        goto = await action(room, user, typed)
    except Invalid as error:
        kept = typed if typed["do"] == "topic" else typed | {"topic": room.topic}
        return await _settings(request, user, room, error.status, form=kept, problems=EMPTY_FORM | error.problems)
    if is_act:
        person = await User.get_or_none(code=typed["who"][:9]) if typed["who"] else None
        await record_act(request, user, typed["do"], room, person)
    return render.see_other(goto or f"{room.path}/settings?done={typed['do']}")


async def _settings(request: Request, user: Person, room: Room, status: int = 200, **context: Any) -> Response:
    page = page_number(request)
    found = [] if room.is_chat else await members.page(room, page)
    owns = room.is_owned_by(user)
    shown = {
        "room": room,
        "membership": room.membership,
        "owns": owns,
        "owns_alone": bool(room.membership and room.membership.role == OWNER),
        "members": people(found[:PAGE_SIZE]),
        "more_members": len(found) > PAGE_SIZE,
        "kicked": people(await members.kicked(room)) if owns else [],
        "page": page,
        "current_key": room.key,
        "notice": SUCCESS_MESSAGES.get(request.query_params.get("done", ""), ""),
        "form": {"topic": room.topic, "name": ""},
    }
    return await render_with_sidebar(request, user, "rooms/settings.html", status, **(shown | context))


async def _mute(room: Room, user: Person, typed: dict[str, str]) -> None:
    await _require_membership(room).mute(typed["do"] == "mute")
    broadcasts.membership_changed(room, user.id)


async def _unread(room: Room, user: Person, typed: dict[str, str]) -> None:
    """From this message on; what is open in another window would read it at once, and is not asked."""
    number = whole(typed["number"], default=room.last_number)
    await _require_membership(room).mark_unread_from(number, room.last_number)
    broadcasts.membership_changed(room, user.id)


def _require_membership(room: Room) -> Membership:
    if room.membership is None:
        raise Forbidden(_("You are not in this room. Join it first."))
    return room.membership


MEMBER_ACTIONS: dict[str, Action] = {"mute": _mute, "unmute": _mute, "unread": _unread}


async def _topic(room: Room, user: Person, typed: dict[str, str]) -> None:
    await room.set_topic(typed["topic"])
    broadcasts.details_changed(room)


async def _lock(room: Room, user: Person, typed: dict[str, str]) -> None:
    await room.set_locked(typed["do"] == "lock")
    broadcasts.details_changed(room)


async def _kick(room: Room, user: Person, typed: dict[str, str]) -> None:
    member = await members.by_code(room, typed["who"])
    if member.role == OWNER or member.user_id == user.id:
        raise Forbidden(_("The owner can't be kicked."))
    if member.user.is_admin:
        raise Forbidden(_("An administrator can't be kicked."))
    await members.kick(room, member, whole(typed["minutes"], default=60))
    tracker().leave_now(member.user_id, room.id)
    talk.member_left(room, member.user)
    broadcasts.kicked(room, member.user_id)
    broadcasts.membership_changed(room, member.user_id)


async def _pardon(room: Room, user: Person, typed: dict[str, str]) -> None:
    member = await members.by_code(room, typed["who"])
    await members.unkick(room, member.user)


async def _hand_over(room: Room, user: Person, typed: dict[str, str]) -> str:
    member = await members.by_code(room, typed["who"])
    await members.transfer_ownership(room, member)
    return f"{room.path}/settings?done=hand_over"


async def _delete(room: Room, user: Person, typed: dict[str, str]) -> str:
    if text.fold(typed["name"]) != text.fold(room.name):
        raise Invalid(name=_("That is not the name of this room."))
    await room.close()
    broadcasts.room_deleted(room)
    hub().spawn(delete_closed_rooms())
    return "/lobby"


OWNER_ACTIONS: dict[str, Action] = {
    "topic": _topic,
    "lock": _lock,
    "unlock": _lock,
    "kick": _kick,
    "pardon": _pardon,
    "hand_over": _hand_over,
    "delete": _delete,
}
