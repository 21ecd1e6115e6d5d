"""The chat with a person, also before anything was said."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from tortoise.exceptions import IntegrityError

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.accounts.queries import profile_by_code
from webapp.chats import first_message
from webapp.conversations import broadcasts as rooms
from webapp.conversations import direct
from webapp.conversations.access import FIND_SEAT
from webapp.conversations.seats import Seat
from webapp.core.errors import Forbidden, NotFound
from webapp.core.i18n import _
from webapp.files import beginning
from webapp.files.descriptions import FIELD, describe
from webapp.http import responses
from webapp.http.error_pages import REFUSED
from webapp.http.forms import read_form, read_prefixed, read_repeated
from webapp.http.limits import throttle
from webapp.messages import attaching, broadcasts, changes, page
from webapp.messages.models import Message


async def _find_seat(request: Request) -> Seat:
    """Return the viewer's seat in the chat with the person of that code, stored or not; raise NotFound."""
    user = require_account(request)
    return await direct.between(user, await profile_by_code(request.path_params["code"]))


async def chat(request: Request) -> Response:
    """Lead to the chat; before the first message, a page to write it on, which stores nothing."""
    user = require_account(request)
    other = await profile_by_code(request.path_params["code"])
    seat = await direct.between(user, other)
    if seat.room.key:
        return responses.see_other(seat.path)
    # What has to be answered first has no files.
    seat = replace(seat, begins_freely=not await first_message.must_ask(user, other))
    return await page.render_page(request, seat, await page.page_context(request, seat, [], is_live=False))


async def cancel(request: Request) -> Response:
    """
    Take back what the viewer has written to a person who has not answered, and does not see the request any more.

    It is the same whether they have ignored it. The messages count still: nobody is asked without end.
    """
    user = require_account(request)
    await throttle(settings.RATE_CHANGE, "people", str(user.id))
    form = await read_form(request, "from")
    seat = await _find_seat(request)
    if seat.is_answered or seat.is_request:
        raise Forbidden(_("They have answered. You can remove each message for itself."))
    for version in await Message.remove_all_by(user.id, seat.room.id):
        changes.log_changed(seat.room.id, version)
    return responses.see_other(seat.other.path if seat.other and form["from"] == "person" else seat.path)


async def begin_file(request: Request) -> Response:
    """Begin to send a file to a person, in the chat of the two, which nobody sees before a message is in it."""
    user = require_account(request)
    await throttle(settings.RATE_FILE, "file", str(user.id))
    other = await profile_by_code(request.path_params["code"])
    for _attempt in range(3):
        try:
            return await beginning.answer(request, await first_message.seat_between(user, other))
        except IntegrityError:  # the other has begun at the same moment
            continue
    raise NotFound


async def attach(request: Request) -> Response:
    """The page for the files of a first message, and what is sent from it; for script what it shows of it."""
    if request.method == "POST":
        return await attaching.receive(request, _seat_for_files, _post_attached)
    return await attaching.show(request, await _seat_for_files(request))


async def _seat_for_files(request: Request) -> Seat:
    user = require_account(request)
    seat = await first_message.seat_between(user, await profile_by_code(request.path_params["code"]))
    seat.require_can_post()
    return seat


async def _post_attached(request: Request, seat: Seat, form: Mapping[str, str], codes: Sequence[str]) -> Response:
    return await _post(request, form, codes)


async def post_first(request: Request) -> Response:
    """Post the first message to a person, which creates the chat of the two."""
    form = await read_form(request, "body", "nonce", "framed", "reply_to", "attach")
    codes = await read_repeated(request, "file")
    if form["attach"]:
        return await attaching.show_words(request, await _seat_for_files(request), form, codes)
    request.scope[FIND_SEAT] = _find_seat
    try:
        return await _post(request, form, codes)
    except REFUSED as problem:
        return await page.refuse_post(request, problem, form, codes)


async def _post(request: Request, form: Mapping[str, str], codes: Sequence[str]) -> Response:
    user = require_account(request)
    other = await profile_by_code(request.path_params["code"])
    seat = await direct.between(user, other)
    await throttle(settings.RATE_POST, "post", str(user.id))
    if not seat.room.key:
        # A sender of very many first messages does not know their recipients.
        await throttle(settings.RATE_FRIEND, "chat", str(user.id))
    await describe(user.id, await read_prefixed(request, FIELD, codes))
    reply_to = page.reply_to(form)
    seat, posted = await first_message.post_first(user, other, form["body"], form["nonce"], reply_to, codes)
    broadcasts.posted(seat, posted)
    rooms.membership_changed(seat.room.id, other.id)
    return responses.see_other(f"{seat.path}#composer")
