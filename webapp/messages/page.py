"""The page of a conversation: its log, its composer, how far it is read, and a post that was refused."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from webapp.conversations import access
from webapp.conversations.queries import members_beside
from webapp.conversations.read_marks import read_marks
from webapp.conversations.seats import RoomRow, Seat
from webapp.core.errors import NotFound, Problem, SignInRequired, Unavailable, Unsure
from webapp.core.i18n import Text, _
from webapp.core.lifetime import Slot
from webapp.files.sending_queries import pending_files
from webapp.http import cookie, render, responses
from webapp.http.client import client
from webapp.http.error_pages import REFUSED, problem_response
from webapp.http.page_mode import PageMode
from webapp.http.params import is_in_query, query, whole
from webapp.http.urls import path_for
from webapp.messages import days, mentions, receipts, rendering
from webapp.messages.models import Message, new_nonce
from webapp.messages.pins import pins_of
from webapp.messages.posting import Posted
from webapp.messages.queries import PAGE_SIZE, MessageRow, Quote, get_row, list_page
from webapp.messages.rendering import NOTHING_HIDDEN, Hidden
from webapp.messages.slow_mode import TooSoon
from webapp.presence.last_seen import last_seen_for
from webapp.presence.queries import presence_in
from webapp.presence.tracker import tracker
from webapp.relationships.queries import blocked_codes, is_friend_online
from webapp.sidebar.layout import render_with_sidebar

# What the page of a conversation shows; see page_context.
PageContext = dict[str, Any]
# The whole page around a conversation, by the template of its kind.
Layout = Callable[[Request, Seat, PageContext, int], Awaitable[Response]]
layouts = Slot[Mapping[str, Layout]]("layouts of conversations")

PLAIN = "plain"
MAX_NUMBER = 2**53
# In the query: the number of the message that was just sent, where there is something to say of it.
SENT = "sent"
# What a composer says of sending before anything was sent; see messages/_sending.html.
NOTHING_SENT: PageContext = {"problem": "", "answer": "", "is_slow": False, "done": "", "files": []}
NO_MESSAGE = _("There is no message with that number.")
GONE = _("This message was deleted: what is older than a certain time does not stay here.")
SIGN_IN_AGAIN = _("You are signed out. Sign in and send it again.")


async def render_page(request: Request, seat: Seat, context: PageContext, status: int = 200) -> Response:
    return await layouts()[seat.kind.template](request, seat, context, status)


async def show(request: Request, seat: Seat) -> Response:
    """Return the page at its newest messages, or earlier ones, or around one; for htmx earlier messages alone."""
    before, around = number_in_query(request, "before"), number_in_query(request, "around")
    if around and around < seat.room.first_number:
        raise NotFound(GONE)
    if before and client(request).is_fragment:
        return await _show_earlier(request, seat, before)
    is_newest = not (before or around)
    room = seat.room
    messages = await rendering.newest_page(room) if is_newest else await list_page(room, before, around)
    new = _first_new(seat, messages)
    if is_newest:
        if seat.is_live and seat.kind.tracks_presence:
            tracker().record_request(seat.viewer.id, room.id)
        if wants_plain(request) or not seat.is_live:
            mark_read(seat)
    context = await page_context(request, seat, messages, is_newest and seat.is_live, new)
    return await render_page(request, seat, context)


async def _show_earlier(request: Request, seat: Seat, before: int) -> Response:
    messages = days.in_zone(await list_page(seat.room, before))
    hidden = await hidden_in(seat, messages)
    log = rendering.render_log(seat.room, messages, hidden=hidden, save_data=client(request).save_data)
    return responses.fragment_response(
        "messages/_earlier.html", room_path=seat.path, messages=messages, log=log, **_before(seat.room, messages)
    )


def _first_new(seat: Seat, messages: list[MessageRow]) -> int:
    """Return the number of the first unread message; 0 where none or all of them are unread, or it is not here."""
    if not seat.membership or tracker().has_open_stream(seat.viewer.id, seat.room.id):
        return 0
    read = max(seat.membership.read_number, read_marks().pending(seat.viewer.id, seat.room.id))
    if not read or not messages or messages[0].number > read + 1:
        return 0
    return next((line.number for line in messages if line.number > read and not line.removed_at), 0)


async def room_page(request: Request, seat: Seat, context: PageContext, status: int) -> Response:
    """The layout of rooms and direct chats: beside the sidebar."""
    context |= {"is_online": None, "last_seen": ""}
    if seat.other and not seat.is_notes and not seat.is_blocked:
        context["is_online"] = await is_friend_online(seat.viewer, seat.other)
        context["last_seen"] = last_seen_for(seat.other)
    streamed = seat if context["mode"].has_stream else None
    template = seat.kind.template
    response = await render_with_sidebar(request, seat.viewer, template, status, streamed=streamed, **context)
    remember_plain(request, response, path_for("rooms"))
    return response


def wants_plain(request: Request) -> bool:
    """Whether the person wants, or needs, a page that is not live without script."""
    chosen = query(request, PLAIN) or request.cookies.get(PLAIN) or str(int(client(request).is_text_browser))
    return chosen == "1"


def _mode(request: Request) -> PageMode:
    return PageMode.PLAIN if wants_plain(request) else PageMode.LIVE


def remember_plain(request: Request, response: Response, path: str) -> None:
    if is_in_query(request, PLAIN):
        cookie.remember(request, response, PLAIN, str(int(wants_plain(request))), path)


async def page_context(
    request: Request, seat: Seat, messages: list[MessageRow], is_live: bool, new: int = 0
) -> PageContext:
    """Return what the page shows, with an empty composer; `new` is the first message since the last visit, or 0."""
    room = seat.room
    messages = days.in_zone(messages)
    hidden = await hidden_in(seat, messages, opened=number_in_query(request, "around"))
    last = messages[-1].number if messages else room.first_number - 1
    has_people = seat.is_live and "people" in seat.kind.states
    people = (await presence_in([room.id]))[room.id] if has_people else None
    return {
        "seat": seat,
        "room": room,
        "messages": messages,
        "has_files": any(line.files for line in messages),
        **_before(room, messages),
        "later": last + PAGE_SIZE // 2 if last < room.last_number else 0,
        "mode": _mode(request) if is_live else PageMode.STILL,
        "people": people,
        "members": tuple(await members_beside(seat.viewer, room.id, people.shown)) if people else (),
        "pins": await pins_of(room),
        "log": rendering.render_log(
            room, messages, new, hidden, client(request).save_data, client(request).is_text_browser
        ),
        "receipt": receipts.receipt_for(seat),
        "author": seat.viewer.code,
        "current_key": room.key,
        "supervisor": responses.supervisor(request, f"{seat.path}/live"),
        "draft": "",
        "answered": await answered(seat, number_in_query(request, "reply")),
        **await sending(request, seat),
    }


async def sending(request: Request, seat: Seat) -> PageContext:
    """Return what the composer says of sending: a word on the message that was just sent, where there is one to say."""
    number = number_in_query(request, SENT)
    word: Text = ""
    if number and (said := await Message.get_or_none(room_id=seat.room.id, number=number, author_id=seat.viewer.id)):
        word = await mentions.word_on(seat, said.body, said.html)
    return NOTHING_SENT | {"nonce": new_nonce(), "done": word}


async def answered(seat: Seat, number: int | None) -> Quote | None:
    """Return what the composer is to answer: the message of that number, if it is there and the viewer may write."""
    row = await get_row(seat.room, number) if number and seat.can_post else None
    return Quote.of(row) if row and not (row.removed_at or row.notice) else None


async def hidden_in(seat: Seat, messages: list[MessageRow], opened: int | None = None) -> Hidden:
    """Return what is by people whom the viewer blocked, but for a message that its link has opened."""
    blocked = [] if seat.kind.is_between_two else await blocked_codes(seat.viewer)
    if not blocked:
        return NOTHING_HIDDEN
    return Hidden(
        frozenset(row.number for row in messages if row.author_code in blocked and row.number != opened),
        frozenset(row.number for row in messages if row.quote and row.quote.author_code in blocked),
    )


def _before(room: RoomRow, messages: list[MessageRow]) -> PageContext:
    """What is above these messages: the number before which earlier ones are found, 0 where there are none."""
    earlier = messages[0].number if messages and messages[0].number > room.first_number else 0
    return {"earlier": earlier, "have_gone": room.first_number > 1}


def number_in_query(request: Request, name: str) -> int | None:
    """Return the number of a message in the address; raise NotFound where it can't be one."""
    if not is_in_query(request, name):
        return None
    number = whole(query(request, name), 0, MAX_NUMBER)
    if not 0 < number < MAX_NUMBER:
        raise NotFound(NO_MESSAGE)
    return number


def reply_to(form: Mapping[str, str]) -> int | None:
    """Return the number of what a post answers, None for a plain message; 0 where there is no such number."""
    return whole(form["reply_to"], 0, MAX_NUMBER) if form["reply_to"] else None


def mark_read(seat: Seat) -> None:
    """
    Mark as read what a page without anything live shows.

    A live page reports itself what is on the screen, by its script or with the endless document.
    """
    if seat.membership and seat.membership.read_number < seat.room.last_number:
        read_marks().add(seat.viewer.id, seat.room.id, seat.room.last_number, seat.kind.is_between_two)


def message_fragment(request: Request, seat: Seat, row: MessageRow, word: Text = "") -> Response:
    """Return one message as it stands in the log, and a word on it to its author."""
    html = rendering.render_message(row, seat.kind.allows_editing, save_data=client(request).save_data)
    if word:
        html += Markup(render.fragment("_done.html", done=word))  # noqa: S704
    return Response(str(html), headers={"Cache-Control": "no-store"}, media_type="text/html")


def cache_buster(request: Request, version: int) -> str:
    """links and ELinks show what they hold of an address, however old it is: so it is one that they do not know."""
    return f"?at={version}" if client(request).is_text_browser else ""


def composer(request: Request, seat: Seat, status: int = 200, **context: Any) -> Response:
    """Return the composer as a document of its own, for a frame of a page without script."""
    empty = NOTHING_SENT | {"nonce": new_nonce(), "draft": "", "answered": None}
    fixed = {"seat": seat, "mode": PageMode.FRAMED}
    response = responses.page(
        request, "messages/composer.html", status, is_cacheable=False, **(empty | fixed | context)
    )
    # The browser may store it: who goes back from a send that failed finds the words there, with their nonce.
    response.headers["Cache-Control"] = responses.PAGE_HEADERS["Cache-Control"]
    return response


def after_post(request: Request, seat: Seat, posted: Posted, is_framed: bool) -> Response:
    """Return an empty composer to htmx, else lead on to the message."""
    # A text browser shows what comes after the place that it is led to: the last few messages, then the form.
    first = f"message-{seat.room.id}-{max(1, posted.number - 3)}"
    place = first if client(request).is_text_browser else "composer"
    at = f"?{SENT}={posted.number}" if posted.word else ""
    page_path = f"{seat.path}{at or cache_buster(request, posted.version)}#{place}"
    goto = f"{seat.path}/composer{at}#text" if is_framed else page_path
    context = NOTHING_SENT | {"nonce": new_nonce(), "done": posted.word}
    return responses.fragment_or_redirect(request, "messages/_sent.html", goto, **context)


async def refuse_post(request: Request, error: Exception, form: dict[str, str], codes: Sequence[str] = ()) -> Response:
    """Return the page, or the part of it that asked, with the reason, the draft and the files of these codes."""
    problem = error if isinstance(error, Problem) else Unavailable()
    message = SIGN_IN_AGAIN if isinstance(problem, SignInRequired) else problem.message
    kept = NOTHING_SENT | {"nonce": form["nonce"], "problem": message}
    kept |= {"answer": problem.answer if isinstance(problem, Unsure) else "", "is_slow": isinstance(problem, TooSoon)}
    if client(request).is_fragment:
        response = responses.fragment_response("messages/_sending.html", problem.status, **kept)
    elif (seat := await _seat_to_refuse(request, problem)) is None:
        return problem_response(request, problem)
    elif form["framed"]:
        kept |= {"files": await pending_files(seat.viewer.id, codes)}
        quote = await answered(seat, reply_to(form))
        response = composer(request, seat, problem.status, draft=form["body"], answered=quote, **kept)
    else:
        messages = await list_page(seat.room) if seat.room.key else []
        context = await page_context(request, seat, messages, seat.is_live)
        kept |= {"files": await pending_files(seat.viewer.id, codes)}
        context |= kept | {"draft": form["body"], "answered": await answered(seat, reply_to(form))}
        response = await render_page(request, seat, context, problem.status)
    response.headers.update(problem.headers)
    return response


async def _seat_to_refuse(request: Request, problem: Problem) -> Seat | None:
    """Return the seat for the page that shows the draft; None where the viewer can't read, or nothing can be read."""
    if isinstance(problem, Unavailable | SignInRequired):
        return None
    try:
        return await access.for_reading(request)
    except REFUSED:
        return None
