"""The room's page with its log, and what one does with messages."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import database, render, settings
from webapp.accounts.authentication import signed_in
from webapp.accounts.models import User
from webapp.errors import Missing, Problem, SignedOut, Unavailable, respond
from webapp.friends.models import Block, Friendship
from webapp.language import _
from webapp.live import hub
from webapp.messages import broadcasts, pages, posting, receipts, typing
from webapp.messages.models import PAGE, Changed, Line, Message, new_nonce
from webapp.moderation.models import is_on_behalf, record_act
from webapp.presence.attendance import attendance
from webapp.presence.models import last_seen, people_in
from webapp.rooms import access, chats
from webapp.rooms import broadcasts as rooms
from webapp.rooms.models import Membership, Room
from webapp.rooms.split import split
from webapp.security import cookie
from webapp.security.forms import form
from webapp.security.limiter import throttle

# What the page of a room shows; see `_shown`.
Shown = dict[str, Any]
# How a view finds who asks and the room that is meant, and how it answers with the whole page of that room.
Find = Callable[[Request], Awaitable[tuple[User, Room]]]
Show = Callable[[Request, User, Room, Shown, int], Awaitable[Response]]

PLAIN = "plain"
LARGEST_NUMBER = 2**53
NO_MESSAGE = _("There is no message with that number.")
SIGN_IN_AGAIN = _("You are signed out. Sign in and send it again.")


async def _room(request: Request) -> tuple[User, Room]:
    user = signed_in(request)
    return user, await access.for_reading(user, request.path_params["key"])


# Reading.


async def show(request: Request) -> Response:
    """The room at its newest messages, or earlier ones, or around one."""
    return await show_in(request, *await _room(request), _page)


async def show_in(request: Request, user: User, room: Room, page: Show) -> Response:
    before, around = _number(request, "before"), _number(request, "around")
    is_newest = not (before or around)
    messages = await pages.newest(room) if is_newest else await Message.page(room, before, around)
    if render.is_fragment(request) and before:
        hidden = await _hidden(user, room, messages)
        log = pages.log(room, messages, hidden=hidden, is_spare=render.is_spare(request))
        return render.part("messages/_earlier.html", room=room, messages=messages, earlier=_earlier(messages), log=log)
    new = _first_new(user, room, messages)
    if is_newest:
        if room.is_open and not room.is_stranger:
            attendance().look(user.id, room.id)
        if is_plain(request) or not room.is_open:
            await _read(user, room)
    shown = await _shown(request, user, room, messages, is_newest and room.is_open, new)
    return await page(request, user, room, shown, 200)


def _first_new(user: User, room: Room, messages: list[Line]) -> int:
    """The number of the first of the messages that is unread; 0 when none is, when all are or when it is not here."""
    if not room.membership or attendance().has_open(user.id, room.id):
        return 0
    read = room.membership.read_number
    if not read or not messages or messages[0].number > read + 1:
        return 0
    return next((line.number for line in messages if line.number > read and not line.removed_at), 0)


async def chat(request: Request) -> Response:
    """The one chat with a person: as long as nothing has been said, a page to say it on. Looking makes nothing."""
    user = signed_in(request)
    room = await chats.between(user, await User.by_code(request.path_params["code"]))
    if room.key:
        return render.see_other(room.path)
    return await _page(request, user, room, await _shown(request, user, room, [], False))


async def _page(request: Request, user: User, room: Room, shown: Shown, status: int = 200) -> Response:
    shown |= {"is_online": None, "seen": ""}
    if room.other and not room.is_notebook and not room.is_parted:
        shown["is_online"], shown["seen"] = await Friendship.presence(user, room.other), last_seen(room.other)
    streamed = room if shown["live"] else None
    response = await split(request, user, "rooms/show.html", status, streamed=streamed, **shown)
    remember_plain(request, response, "/rooms")
    return response


def is_plain(request: Request) -> bool:
    """Whether the person wants, or needs, a page that is not live without script."""
    chosen = request.query_params.get(PLAIN) or request.cookies.get(PLAIN) or str(int(render.is_text_browser(request)))
    return chosen == "1"


def remember_plain(request: Request, response: Response, path: str) -> None:
    if PLAIN in request.query_params:
        cookie.remember(request, response, PLAIN, str(int(is_plain(request))), path)


async def _shown(request: Request, user: User, room: Room, messages: list[Line], live: bool, new: int = 0) -> Shown:
    """What the page of a room shows of it, with an empty composer; `new` is the first since the last visit, or 0."""
    hidden = await _hidden(user, room, messages, opened=_number(request, "around"))
    last = messages[-1].number if messages else 0
    later = last + PAGE // 2 if last < room.last_number else 0
    shown: Shown = {
        "room": room,
        "membership": room.membership,
        "messages": messages,
        "earlier": _earlier(messages),
        "later": later,
        "live": live,
        "plain": is_plain(request),
        "can_post": room.can_post(user) and not room.is_request,
        "refusal": room.refusal(user),
        "moderates": room.is_owned_by(user),
        "people": (await people_in([room.id]))[room.id] if room.is_open and not room.is_chat else None,
        "log": pages.log(room, messages, new, hidden, render.is_spare(request)),
        "receipt": receipts.receipt(room, user),
        "author": user.code,
        "here": room.key,
        "supervisor": render.supervisor(request, f"{room.path}/live"),
    }
    return shown | {"nonce": new_nonce(), "problem": "", "draft": "", "framed": False}


async def _hidden(user: User, room: Room, messages: list[Line], opened: int | None = None) -> set[int]:
    """The numbers of those by people whom the viewer has blocked, but for one that was opened by its link."""
    blocked = [] if room.is_chat else await Block.by(user)
    return {line.number for line in messages if line.author_code in blocked and line.number != opened}


def _earlier(messages: list[Line]) -> int:
    """The number before which earlier messages are found, 0 when there are none."""
    return messages[0].number if messages and messages[0].number > 1 else 0


def _number(request: Request, name: str) -> int | None:
    """The number of a message in the address; raises Missing when it can't be one."""
    typed = request.query_params.get(name)
    if typed is None:
        return None
    number = int(typed[:17]) if typed.isascii() and typed.isdigit() else 0
    if not 0 < number < LARGEST_NUMBER:
        raise Missing(NO_MESSAGE)
    return number


def _whole(typed: str) -> int | None:
    """A version as a form carries it; None where it carries none."""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 17 else None


def _numbered(request: Request, room: Room) -> int:
    """The number in the path; raises Missing when the room has not come to it yet."""
    number = int(request.path_params["number"])
    if not 0 < number <= room.last_number:
        raise Missing(NO_MESSAGE)
    return number


async def _read(user: User, room: Room) -> None:
    """
    What was served was read: so it is without anything live.

    A page that is live says itself what is on the screen, by its script or with the endless document.
    """
    if room.membership and room.membership.read_number < room.last_number:
        await _read_to(user, room, room.last_number)


async def read(request: Request) -> Response:
    """The messages up to this number have been on the person's screen."""
    return await read_in(request, _room)


async def read_in(request: Request, find: Find) -> Response:
    typed = await form(request, "number")
    user, room = await find(request)
    await throttle(settings.RATE_SIGNAL, "read", str(user.id))
    number = int(typed["number"]) if re.fullmatch("[0-9]{1,15}", typed["number"]) else 0
    if room.membership and room.is_open:
        await _read_to(user, room, min(number, room.last_number))
    return Response(status_code=204)


async def _read_to(user: User, room: Room, number: int) -> None:
    if await Membership.read_to(user.id, room.id, number):
        rooms.placed(room, user.id)
        if room.is_chat:
            hub().touch(room.id, "receipts")


async def permalink(request: Request) -> Response:
    """Lead to the message in its room: on the live page when it is among the newest, and is not hidden there."""
    user, room = await _room(request)
    number = _numbered(request, room)
    is_elsewhere = number <= room.last_number - PAGE or await _hidden(user, room, await Message.one(room, number))
    at = f"?around={number}" if is_elsewhere else _anew(request, room.version)
    return render.see_other(f"{room.path}{at}#message-{room.id}-{number}")


def _anew(request: Request, version: int) -> str:
    """links and ELinks show what they hold of an address, however old it is: so it is one that they do not know."""
    return f"?at={version}" if render.is_text_browser(request) else ""


# Writing.


async def composer(request: Request) -> Response:
    """The composer as a document of its own, for pages without script."""
    render.frame(request)
    user = signed_in(request)
    room = await access.for_writing(user, request.path_params["key"])
    return composer_in(request, room)


def composer_in(request: Request, room: Room, status: int = 200, **context: Any) -> Response:
    empty = {"nonce": new_nonce(), "problem": "", "draft": ""}
    fixed = {"room": room, "live": False, "framed": True}
    return render.page(request, "messages/composer.html", status, is_kept=False, **(empty | fixed | context))


async def post(request: Request) -> Response:
    return await post_in(request, _room, _page)


async def post_in(request: Request, find: Find, page: Show) -> Response:
    typed = await form(request, "body", "nonce", "framed")
    if typed["framed"]:
        render.frame(request)
    room = None
    try:
        user, room = await find(request)
        await throttle(settings.RATE_POST, "post", str(user.id))
        room.check_lock(user)
        was_in = room.membership is not None
        # Those who post at the same moment go on in step: what forty do one after the other the processor has at hand.
        await asyncio.sleep(0)
        posted = await posting.post(room, user, typed["body"], typed["nonce"])
    except Problem as problem:
        return await _unposted(request, problem, typed, room, page)
    except database.DOWN:
        return await _unposted(request, Unavailable(), typed, None, page)
    broadcasts.changed(room, posted.version)
    if not was_in:
        rooms.placed(room, user.id)
    receipts.posted(room)
    typing.ended(room.id, user)
    # A text browser shows what comes after the place that it is led to: the last few messages, then the form.
    place = f"message-{room.id}-{max(1, posted.number - 3)}" if render.is_text_browser(request) else "composer"
    page_path = f"{room.path}{_anew(request, posted.version)}#{place}"
    goto = f"{room.path}/composer#text" if typed["framed"] else page_path
    return render.answer(request, "messages/_sent.html", goto, nonce=new_nonce(), problem="")


async def write_to(request: Request) -> Response:
    """The first message to a person, which makes the chat of the two."""
    typed = await form(request, "body", "nonce", "framed")
    room = None
    try:
        user = signed_in(request)
        other = await User.by_code(request.path_params["code"])
        room = await chats.between(user, other)
        await throttle(settings.RATE_POST, "post", str(user.id))
        if not room.key:
            # Who writes to very many people for the first time does not know them.
            await throttle(settings.RATE_FRIEND, "chat", str(user.id))
        room, posted = await posting.write_to(user, other, typed["body"], typed["nonce"])
    except Problem as problem:
        return await _unposted(request, problem, typed, room, _page)
    except database.DOWN:
        return await _unposted(request, Unavailable(), typed, None, _page)
    broadcasts.changed(room, posted.version)
    rooms.placed(room, user.id, other.id)
    receipts.posted(room)
    return render.see_other(f"{room.path}#composer")


async def type(request: Request) -> Response:
    """The person is typing in the room."""
    user, room = await _room(request)
    await throttle(settings.RATE_SIGNAL, "typing", str(user.id))
    room.check_lock(user)
    typing.begun(room.id, user)
    return Response(status_code=204)


async def _unposted(
    request: Request, problem: Problem, typed: dict[str, str], room: Room | None, page: Show
) -> Response:
    """What could not be posted stays with the person who wrote it."""
    message = SIGN_IN_AGAIN if isinstance(problem, SignedOut) else problem.message
    kept = {"nonce": typed["nonce"], "problem": message}
    if render.is_fragment(request):
        response = render.part("messages/_sending.html", problem.status, **kept)
    elif room is None:
        return respond(request, problem)
    elif typed["framed"]:
        response = composer_in(request, room, problem.status, draft=typed["body"], **kept)
    else:
        messages = await Message.page(room)
        shown = await _shown(request, request.user, room, messages, room.is_open)
        shown |= kept | {"draft": typed["body"]}
        response = await page(request, request.user, room, shown, problem.status)
    response.headers.update(problem.headers)
    return response


# Changing.


async def edit(request: Request) -> Response:
    """The page of one message, with all that the person may do about it; and changing its words."""
    typed = await form(request, "body", "version")
    user, room = await _room(request)
    message = await Message.get_or_none(room_id=room.id, number=_numbered(request, room))
    if message is None or message.removed_at:
        raise Missing(_("This message has been removed."))
    if request.method != "POST":
        return _edit(request, user, room, message, draft=message.body, problem="")
    await Message.for_changing(room, user, message.number)
    if message.author_id != user.id:
        raise Missing(_("This message is not yours. You can remove it."))
    try:
        await throttle(settings.RATE_POST, "post", str(user.id))
        room.check_lock(user)
        version = await message.edit(typed["body"], _whole(typed["version"]))
    except Problem as error:
        if isinstance(error, Changed):
            await message.refresh_from_db()
        context = {"draft": typed["body"], "problem": error.message, "is_changed": isinstance(error, Changed)}
        response = _edit(request, user, room, message, error.status, **context)
        response.headers.update(error.headers)
        return response
    broadcasts.changed(room, version)
    return render.see_other(message.path_in(room))


def _edit(request: Request, user: User, room: Room, message: Message, status: int = 200, **context: Any) -> Response:
    is_own = message.author_id == user.id
    shown = {
        "path": message.path_in(room),
        "html": message.safe_html,
        "version": message.version,
        "can_edit": is_own,
        "can_remove": is_own or room.is_owned_by(user),
        "about": f"message:{room.key}:{message.number}",
    }
    return render.page(request, "messages/edit.html", status, message=shown, **({"is_changed": False} | context))


async def remove(request: Request) -> Response:
    user, room = await _room(request)
    await throttle(settings.RATE_POST, "post", str(user.id))
    message = await Message.for_changing(room, user, _numbered(request, room))
    was_there = message.removed_at is None
    version = await message.remove()
    broadcasts.changed(room, version)
    if was_there and message.author_id != user.id and is_on_behalf(user, room):
        author = await User.get_or_none(id=message.author_id) if message.author_id else None
        await record_act(request, user, "remove", room, author)
    return render.see_other(message.path_in(room))
