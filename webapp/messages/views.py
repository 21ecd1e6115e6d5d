"""The addresses of messages: reading, posting, editing, removing."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.models import User
from webapp.conversations import access
from webapp.conversations.audit import is_on_behalf, record_act
from webapp.conversations.read_marks import read_marks
from webapp.conversations.roles import Act
from webapp.conversations.seats import Seat
from webapp.core import clock
from webapp.core.errors import NotFound, Problem, SignInRequired
from webapp.core.i18n import _
from webapp.files.descriptions import FIELD, describe
from webapp.files.queries import NO_FILES, files_of
from webapp.files.sending_queries import CODE
from webapp.http import responses
from webapp.http.client import client
from webapp.http.error_pages import REFUSED
from webapp.http.forms import read_form, read_prefixed, read_repeated
from webapp.http.limits import throttle
from webapp.http.page_mode import PageMode
from webapp.http.params import day, is_in_query, query, whole
from webapp.http.urls import path_for
from webapp.messages import attaching, broadcasts, changes, mentions, page, pins, posting, typing
from webapp.messages.asked import show_asked
from webapp.messages.markdown import mentioned
from webapp.messages.mention_queries import called_by
from webapp.messages.models import Changed, Message
from webapp.messages.pin_queries import is_pinned
from webapp.messages.posting import Posted
from webapp.messages.queries import PAGE_SIZE, REPLIES_SIZE, Quote, count_replies, first_since, get_row, list_replies
from webapp.messages.saved_queries import is_saved
from webapp.sidebar import chat_typing, inbox_news
from webapp.sidebar.layout import page_beside_or_fragment

# Where the addresses in a message's tray lead, which are those of its room's page: `?edit=12`. Whole paths would cost
# more bytes than the words of most messages.
ACTS = {
    "all": "/edit",
    "link": "",
    "edit": "/edit#edit",
    "remove": "/edit#remove",
    "react": "/reactions",
    # Of pages of the version before: drop it in 0.3.
    "unread": "/edit#unread",
    "more": "/edit#more",
    "report": "",
}


async def show(request: Request) -> Response:
    """The room at its newest messages, or earlier ones, or around one; or the way to a day, to people, or to an act."""
    seat = await access.for_answering(request)
    if seat.membership and seat.membership.is_asked:
        return await show_asked(request, seat)
    if begins := day(query(request, "date")):
        # Script says where the reader is.
        clock.set_zone(query(request, "zone"))
        number = await first_since(seat.room, clock.beginning_of(begins))
        return await _lead_to(request, seat, number) if number else responses.see_other(seat.path)
    if is_in_query(request, "people"):
        return responses.see_other(path_for("room_people", key=seat.room.key))
    for act, rest in ACTS.items():
        if seat.kind.allows_editing and (wanted := page.number_in_query(request, act)):
            about = quote(f"message:{seat.room.key}:{wanted}")
            message = path_for("message", key=seat.room.key, number=wanted)
            return responses.see_other(f"{path_for('report')}?about={about}" if act == "report" else message + rest)
    return await page.show(request, seat)


async def messages(request: Request) -> Response:
    """Where messages are posted; a page that answered a post with what is wrong leads on from here, or is reloaded."""
    if request.method == "POST":
        return await post(request)
    seat = await access.for_reading(request)
    return responses.see_other(seat.path + (f"?{request.url.query}" if request.url.query else ""))


async def post(request: Request) -> Response:
    form = await read_form(request, "body", "nonce", "framed", "author", "reply_to", "everyone", "attach")
    codes = await read_repeated(request, "file")
    if form["attach"]:
        return await attaching.show_words(request, await access.for_posting(request), form, codes)
    try:
        seat = await access.for_posting(request)
        # Script says who wrote it, and sends what waited: another person may have signed in meanwhile.
        if form["author"] not in ("", seat.viewer.code):
            raise SignInRequired
        posted = await _store(request, seat, form, codes)
    except REFUSED as error:
        return await page.refuse_post(request, error, form, codes)
    broadcasts.posted(seat, posted)
    # Of an open page of the version before script does not say it, and swaps in another answer: drop that in 0.3.
    if client(request).is_fragment and form["author"] and (row := await get_row(seat.room, posted.number)):
        return page.message_fragment(request, seat, row, posted.word)
    return page.after_post(request, seat, posted, bool(form["framed"]))


async def _store(request: Request, seat: Seat, form: Mapping[str, str], codes: Sequence[str]) -> Posted:
    await throttle(settings.RATE_POST, "post", str(seat.viewer.id))
    # Those who post at the same moment run in step: what forty do one after the other stays in its caches.
    await asyncio.sleep(0)
    await describe(seat.viewer.id, await read_prefixed(request, FIELD, codes))
    # The button under any question has the name that script sends.
    is_sure = bool(form["everyone"])
    if not is_sure:
        await access.require_meant(seat)
    return await posting.post(seat, form["body"], form["nonce"], page.reply_to(form), is_sure, codes)


async def attach(request: Request) -> Response:
    """The page for files, and what is sent from it; for script what it shows of it."""
    if request.method == "POST":
        return await attaching.receive(request, access.for_posting, _post_attached)
    return await attaching.show(request, await access.for_posting(request))


async def _post_attached(request: Request, seat: Seat, form: Mapping[str, str], codes: Sequence[str]) -> Response:
    posted = await _store(request, seat, form, codes)
    broadcasts.posted(seat, posted)
    return page.after_post(request, seat, posted, is_framed=False)


async def report_typing(request: Request) -> Response:
    seat = await access.for_reading(request)
    await throttle(settings.RATE_SIGNAL, "typing", str(seat.viewer.id))
    seat.require_can_post()
    typing.started(seat.room.id, seat.viewer)
    chat_typing.started(seat)
    return Response(status_code=204)


async def read(request: Request) -> Response:
    """Note that the messages up to this number have been on the viewer's screen."""
    form = await read_form(request, "number")
    seat = await access.for_reading(request)
    await throttle(settings.RATE_SIGNAL, "read", str(seat.viewer.id))
    number = whole(form["number"], 0, page.MAX_NUMBER)
    if 0 < number < page.MAX_NUMBER and seat.membership and seat.is_live:
        number = min(number, seat.room.last_number)
        await read_marks().mark(seat.viewer.id, seat.room.id, number, seat.kind.is_between_two)
    return Response(status_code=204)


async def composer(request: Request) -> Response:
    """The composer as a document of its own, for pages without script; for script the part with what it answers."""
    seat = await access.for_posting(request)
    quote = await page.answered(seat, page.number_in_query(request, "reply"))
    if not client(request).is_fragment:
        return page.composer(request, seat, answered=quote, **await page.sending(request, seat))
    if quote is None:
        raise NotFound(_("This message has been removed."))
    return responses.fragment_response("messages/_answered.html", seat=seat, answered=quote, mode=PageMode.LIVE)


async def permalink(request: Request) -> Response:
    """Lead to the message in its room: on the live page where it is among the newest, and not hidden there."""
    seat = await access.for_reading(request)
    return await _lead_to(request, seat, _numbered(request, seat))


async def _lead_to(request: Request, seat: Seat, number: int) -> Response:
    row = await get_row(seat.room, number)
    is_old = number <= seat.room.last_number - PAGE_SIZE or _is_from_endless(request, seat)
    is_elsewhere = is_old or (await page.hidden_in(seat, [row] if row else [])).messages
    at = f"?around={number}" if is_elsewhere else page.cache_buster(request, seat.room.version)
    return responses.see_other(f"{seat.path}{at}#message-{seat.room.id}-{number}")


def _is_from_endless(request: Request, seat: Seat) -> bool:
    """Return whether the link stood in an endless document, where no fragment of an address leads to a message."""
    return urlsplit(request.headers.get("Referer", "")).path == f"{seat.path}/live"


def _numbered(request: Request, seat: Seat) -> int:
    """Return the number in the path; raise NotFound where the room has not come to it yet."""
    number = int(request.path_params["number"])
    if not 0 < number <= seat.room.last_number:
        raise NotFound(page.NO_MESSAGE)
    if number < seat.room.first_number:
        raise NotFound(page.GONE)
    return number


async def edit(request: Request) -> Response:
    """The page of one message, with all that the person may do about it; and changing its words."""
    typed = await read_form(request, "body", "version")
    without = [code for code in await read_repeated(request, "remove_file") if CODE.fullmatch(code)]
    seat = await access.for_reading(request)
    message = await Message.get_or_none(room_id=seat.room.id, number=_numbered(request, seat), notice="")
    if message is None or message.removed_at:
        raise NotFound(_("This message has been removed."))
    if request.method != "POST":
        return await _edit(request, seat, message, began_at=message.version, draft=message.body, problem="")
    await Message.get_for_changing(seat, message.number)
    if message.author_id != seat.viewer.id:
        raise NotFound(_("This message is not yours. You can remove it."))
    try:
        await throttle(settings.RATE_POST, "post", str(seat.viewer.id))
        seat.require_can_post()
        meant = await mentions.meant_by(seat, typed["body"], message.id)
        called = await _called(message)
        version = await message.edit(typed["body"], whole(typed["version"], None, page.MAX_NUMBER), meant, without)
    except Problem as error:
        if isinstance(error, Changed):
            await message.refresh_from_db()
        # Unless they were just shown, the words that came meanwhile are not those that this edit began from.
        began_at = message.version if isinstance(error, Changed) else whole(typed["version"], None, page.MAX_NUMBER)
        context: dict[str, Any] = {"draft": typed["body"], "without": without, "problem": error.message}
        context["is_changed"] = isinstance(error, Changed)
        response = await _edit(request, seat, message, error.status, began_at=began_at, **context)
        response.headers.update(error.headers)
        return response
    changes.log_changed(seat.room.id, version)
    _refresh_pins(seat)
    inbox_news.changed(called | (await called_by(message.id) if meant.people else set()))
    return await _changed(request, seat, message.number)


async def _called(message: Message) -> set[int]:
    """Return whom the words call as they are now; no query for the many that call nobody."""
    return await called_by(message.id) if message.reply_to or mentioned(message.html) else set()


def _refresh_pins(seat: Seat) -> None:
    if seat.room.pin_count:
        pins.changed(seat.room.id)


async def _changed(request: Request, seat: Seat, number: int) -> Response:
    """Return the message as it is now to the script that shows it, also where no stream would; else lead to it."""
    if client(request).is_fragment and (row := await get_row(seat.room, number)):
        return page.message_fragment(request, seat, row)
    return responses.see_other(f"{seat.path}/messages/{number}")


async def more(request: Request) -> Response:
    """The message, what can be done about it, and what answers it, a page at a time."""
    seat = await access.for_reading(request)
    row = await get_row(seat.room, _numbered(request, seat))
    if row is None or row.notice:
        raise NotFound(page.NO_MESSAGE)
    found = await list_replies(seat.room, row.number, page.number_in_query(request, "after") or 0)
    context: dict[str, Any] = {
        "seat": seat,
        "message": row,
        "replies": [(reply, Quote.of(reply).text) for reply in found[:REPLIES_SIZE]],
        "count": await count_replies(seat.room.id, row.number),
        "has_more": len(found) > REPLIES_SIZE,
        "hidden": (await page.hidden_in(seat, [row, *found])).messages,
    }
    names = "messages/more.html", "messages/_replies.html"
    return await page_beside_or_fragment(request, seat.viewer, *names, current_key=seat.room.key, **context)


async def _edit(request: Request, seat: Seat, message: Message, status: int = 200, **context: Any) -> Response:
    is_own = message.author_id == seat.viewer.id
    shown = {
        "path": message.path(seat.room),
        "number": message.number,
        "html": message.safe_html,
        "files": (await files_of({message.id: seat.path})).get(message.id, NO_FILES)
        if message.file_count
        else NO_FILES,
        "can_edit": is_own,
        "can_remove": is_own or seat.is_moderator,
        "can_react": seat.kind.allows_reactions,
        "can_mark_unread": seat.membership is not None,
        "is_pinned": seat.room.pin_count > 0 and await is_pinned(message.id),
        "can_pin": pins.can_pin(seat),
        "is_saved": await is_saved(seat.viewer.id, message.id),
        "about": f"message:{seat.room.key}:{message.number}",
    }
    replies = await count_replies(seat.room.id, message.number)
    defaults: dict[str, Any] = {"seat": seat, "message": shown, "is_changed": False, "without": (), "replies": replies}
    names = "messages/edit.html", "messages/_acts.html"
    return await page_beside_or_fragment(
        request, seat.viewer, *names, status, current_key=seat.room.key, **(defaults | context)
    )


async def remove(request: Request) -> Response:
    seat = await access.for_reading(request)
    await throttle(settings.RATE_POST, "post", str(seat.viewer.id))
    message = await Message.get_for_changing(seat, _numbered(request, seat))
    was_there = message.removed_at is None
    called = await _called(message)
    version = await message.remove()
    changes.log_changed(seat.room.id, version)
    _refresh_pins(seat)
    inbox_news.changed(called)
    if was_there and message.author_id != seat.viewer.id and is_on_behalf(seat, Act.MODERATE):
        author = await User.get_or_none(id=message.author_id) if message.author_id else None
        await record_act(request, "remove_message", seat, author)
    return await _changed(request, seat, message.number)
