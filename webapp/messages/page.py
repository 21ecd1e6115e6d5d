"""The page of a conversation: its log, its composer, how far it is read, and a post that was refused."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_viewer
from webapp.accounts.viewer import Viewer
from webapp.conversations import broadcasts as rooms
from webapp.conversations.models import Membership, Room
from webapp.core.errors import NotFound, Problem, SignInRequired, Unavailable
from webapp.core.i18n import _
from webapp.db import engine
from webapp.http import cookie, render
from webapp.http.client import client
from webapp.http.error_pages import problem_response
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.http.page_mode import PageMode
from webapp.live import hub
from webapp.messages import changes, posting, receipts, rendering, typing
from webapp.messages.models import PAGE_SIZE, Message, MessageRow, new_nonce
from webapp.presence.last_seen import last_seen_for
from webapp.presence.queries import presence_in
from webapp.presence.tracker import tracker
from webapp.relationships.queries import blocked_codes, is_friend_online
from webapp.sidebar.layout import render_with_sidebar

# What the page of a room shows; see `_shown`.
PageContext = dict[str, Any]


# How a view finds who asks and the room that is meant, and how it answers with the whole page of that room.
Find = Callable[[Request], Awaitable[tuple[Viewer, Room]]]


Show = Callable[[Request, Viewer, Room, PageContext, int], Awaitable[Response]]


PLAIN = "plain"
MAX_NUMBER = 2**53
NO_MESSAGE = _("There is no message with that number.")
SIGN_IN_AGAIN = _("You are signed out. Sign in and send it again.")


async def show_in(request: Request, user: Viewer, room: Room, page: Show) -> Response:
    before, around = number_in_query(request, "before"), number_in_query(request, "around")
    is_newest = not (before or around)
    messages = await rendering.newest_page(room) if is_newest else await Message.list_page(room, before, around)
    if client(request).is_fragment and before:
        hidden = await _hidden(user, room, messages)
        log = rendering.render_log(room, messages, hidden=hidden, is_spare=client(request).save_data)
        return render.fragment_response(
            "messages/_earlier.html", room=room, messages=messages, earlier=_earlier(messages), log=log
        )
    new = _first_new(user, room, messages)
    if is_newest:
        if room.is_live and not room.is_stranger:
            tracker().record_request(user.id, room.id)
        if wants_plain(request) or not room.is_live:
            await mark_read(user, room)
    shown = await page_context(request, user, room, messages, is_newest and room.is_live, new)
    return await page(request, user, room, shown, 200)


def _first_new(user: Viewer, room: Room, messages: list[MessageRow]) -> int:
    """The number of the first of the messages that is unread; 0 when none is, when all are or when it is not here."""
    if not room.membership or tracker().has_open_stream(user.id, room.id):
        return 0
    read = room.membership.read_number
    if not read or not messages or messages[0].number > read + 1:
        return 0
    return next((line.number for line in messages if line.number > read and not line.removed_at), 0)


async def room_page(request: Request, user: Viewer, room: Room, shown: PageContext, status: int = 200) -> Response:
    shown |= {"is_online": None, "last_seen": ""}
    if room.other and not room.is_notes and not room.is_blocked:
        shown["is_online"], shown["last_seen"] = (
            await is_friend_online(user, room.other),
            last_seen_for(room.other),
        )
    streamed = room if shown["mode"].has_stream else None
    response = await render_with_sidebar(request, user, "messages/room.html", status, streamed=streamed, **shown)
    remember_plain(request, response, "/rooms")
    return response


def wants_plain(request: Request) -> bool:
    """Whether the person wants, or needs, a page that is not live without script."""
    chosen = request.query_params.get(PLAIN) or request.cookies.get(PLAIN) or str(int(client(request).is_text_browser))
    return chosen == "1"


def _mode(request: Request) -> PageMode:
    return PageMode.PLAIN if wants_plain(request) else PageMode.LIVE


def remember_plain(request: Request, response: Response, path: str) -> None:
    if PLAIN in request.query_params:
        cookie.remember(request, response, PLAIN, str(int(wants_plain(request))), path)


async def page_context(
    request: Request, user: Viewer, room: Room, messages: list[MessageRow], is_live: bool, new: int = 0
) -> PageContext:
    """What the page of a room shows of it, with an empty composer; `new` is the first since the last visit, or 0."""
    hidden = await _hidden(user, room, messages, opened=number_in_query(request, "around"))
    last = messages[-1].number if messages else 0
    later = last + PAGE_SIZE // 2 if last < room.last_number else 0
    shown: PageContext = {
        "room": room,
        "membership": room.membership,
        "messages": messages,
        "earlier": _earlier(messages),
        "later": later,
        "mode": _mode(request) if is_live else PageMode.STILL,
        "can_post": room.can_post(user) and not room.is_request,
        "refusal": room.refusal(user),
        "moderates": room.is_owned_by(user),
        "people": (await presence_in([room.id]))[room.id] if room.is_live and not room.is_chat else None,
        "log": rendering.render_log(room, messages, new, hidden, client(request).save_data),
        "receipt": receipts.receipt_for(room, user),
        "author": user.code,
        "current_key": room.key,
        "supervisor": render.supervisor(request, f"{room.path}/live"),
    }
    return shown | {"nonce": new_nonce(), "problem": "", "draft": ""}


async def _hidden(user: Viewer, room: Room, messages: list[MessageRow], opened: int | None = None) -> set[int]:
    """The numbers of those by people whom the viewer has blocked, but for one that was opened by its link."""
    blocked = [] if room.is_chat else await blocked_codes(user)
    return {line.number for line in messages if line.author_code in blocked and line.number != opened}


def _earlier(messages: list[MessageRow]) -> int:
    """The number before which earlier messages are found, 0 when there are none."""
    return messages[0].number if messages and messages[0].number > 1 else 0


def number_in_query(request: Request, name: str) -> int | None:
    """The number of a message in the address; raises Missing when it can't be one."""
    typed = request.query_params.get(name)
    if typed is None:
        return None
    number = int(typed[:17]) if typed.isascii() and typed.isdigit() else 0
    if not 0 < number < MAX_NUMBER:
        raise NotFound(NO_MESSAGE)
    return number


def _whole(typed: str) -> int | None:
    """A version as a form carries it; None where it carries none."""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 17 else None


async def mark_read(user: Viewer, room: Room) -> None:
    """
    What was served was read: so it is without anything live.

    A page that is live says itself what is on the screen, by its script or with the endless document.
    """
    if room.membership and room.membership.read_number < room.last_number:
        await mark_read_to(user, room, room.last_number)


async def read_in(request: Request, find: Find) -> Response:
    typed = await read_form(request, "number")
    user, room = await find(request)
    await throttle(settings.RATE_SIGNAL, "read", str(user.id))
    number = int(typed["number"]) if re.fullmatch("[0-9]{1,15}", typed["number"]) else 0
    if room.membership and room.is_live:
        await mark_read_to(user, room, min(number, room.last_number))
    return Response(status_code=204)


async def mark_read_to(user: Viewer, room: Room, number: int) -> None:
    if await Membership.mark_read_to(user.id, room.id, number):
        rooms.membership_changed(room, user.id)
        if room.is_chat:
            hub().refresh(f"room:{room.id}", "receipts")


def cache_buster(request: Request, version: int) -> str:
    """links and ELinks show what they hold of an address, however old it is: so it is one that they do not know."""
    return f"?at={version}" if client(request).is_text_browser else ""


def composer_in(request: Request, room: Room, status: int = 200, **context: Any) -> Response:
    empty = {"nonce": new_nonce(), "problem": "", "draft": ""}
    fixed = {"room": room, "mode": PageMode.FRAMED}
    return render.page(request, "messages/composer.html", status, is_kept=False, **(empty | fixed | context))


async def post_in(request: Request, find: Find, page: Show) -> Response:
    typed = await read_form(request, "body", "nonce", "framed")
    room = None
    try:
        user, room = await find(request)
        await throttle(settings.RATE_POST, "post", str(user.id))
        room.require_can_post(user)
        was_in = room.membership is not None
        # Those who post at the same moment go on in step: what forty do one after the other the processor has at hand.
        await asyncio.sleep(0)
        posted = await posting.post(room, user, typed["body"], typed["nonce"])
    except Problem as problem:
        return await refuse_post(request, problem, typed, room, page)
    except engine.DOWN:
        return await refuse_post(request, Unavailable(), typed, None, page)
    changes.log_changed(room, posted.version)
    if not was_in:
        rooms.membership_changed(room, user.id)
    receipts.schedule_refresh(room)
    typing.stopped(room.id, user)
    # A text browser shows what comes after the place that it is led to: the last few messages, then the form.
    place = f"message-{room.id}-{max(1, posted.number - 3)}" if client(request).is_text_browser else "composer"
    page_path = f"{room.path}{cache_buster(request, posted.version)}#{place}"
    goto = f"{room.path}/composer#text" if typed["framed"] else page_path
    return render.fragment_or_redirect(request, "messages/_sent.html", goto, nonce=new_nonce(), problem="")


async def refuse_post(
    request: Request, problem: Problem, typed: dict[str, str], room: Room | None, page: Show
) -> Response:
    """What could not be posted stays with the person who wrote it."""
    message = SIGN_IN_AGAIN if isinstance(problem, SignInRequired) else problem.message
    kept = {"nonce": typed["nonce"], "problem": message}
    if client(request).is_fragment:
        response = render.fragment_response("messages/_sending.html", problem.status, **kept)
    elif room is None:
        return problem_response(request, problem)
    elif typed["framed"]:
        response = composer_in(request, room, problem.status, draft=typed["body"], **kept)
    else:
        user = require_viewer(request)
        messages = await Message.list_page(room)
        shown = await page_context(request, user, room, messages, room.is_live)
        shown |= kept | {"draft": typed["body"]}
        response = await page(request, user, room, shown, problem.status)
    response.headers.update(problem.headers)
    return response
