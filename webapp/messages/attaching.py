"""The page on which files are attached where no script sends them one by one, and what script shows of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from tortoise.exceptions import IntegrityError

from webapp import settings
from webapp.conversations import direct
from webapp.conversations.access import FindSeat
from webapp.conversations.seats import Seat
from webapp.core.errors import NotFound, Problem, Unavailable, Unsure
from webapp.core.i18n import Text
from webapp.files.attaching import attach
from webapp.files.descriptions import FIELD
from webapp.files.sending_queries import MAX_FILES, PendingFile, pending_files
from webapp.http import responses
from webapp.http.client import client
from webapp.http.error_pages import REFUSED
from webapp.http.forms import read_form_with_files, read_repeated
from webapp.http.limits import throttle
from webapp.messages import page
from webapp.messages.models import new_nonce
from webapp.sidebar.layout import render_with_sidebar

# How many fields for files the page has at first, besides that for a voice message; who asks gets all.
FIELDS = 3
FORM = ("body", "nonce", "reply_to", "everyone", "more")
EMPTY_FORM = dict.fromkeys(FORM, "")

# Posts what was typed with the files of these codes, and leads on to it.
Post = Callable[[Request, Seat, Mapping[str, str], Sequence[str]], Awaitable[Response]]
# The name of a file that was not taken, and why.
Refused = tuple[str, Text]


async def show(
    request: Request,
    seat: Seat,
    form: Mapping[str, str] = EMPTY_FORM,
    status: int = 200,
    *,
    arrived: Sequence[PendingFile] = (),
    refused: Sequence[Refused] = (),
    **context: Any,
) -> Response:
    """
    Return the page with what was typed; for script the parts of it that it needs.

    `arrived` are files that have arrived, `refused` the names of others, and why. Raise NotFound where messages have no
    files.
    """
    if not seat.takes_files:
        raise NotFound
    limits = {"max_files": MAX_FILES, "max_file_mb": settings.MAX_FILE_MB}
    if client(request).is_fragment:
        most = settings.MAX_FILE_MB * 2**20
        return responses.fragment_response("messages/_attach_panel.html", max_file_bytes=most, **limits)
    places = MAX_FILES - len(arrived)
    fields = max(0, places - 1 if form.get("more") else min(FIELDS, places - 1))
    # A chat that nobody is in yet is found by the person.
    is_stored = seat.room.key and not direct.is_unstarted(seat)
    shared: dict[str, Any] = {
        "seat": seat,
        "room_path": seat.path if is_stored else seat.first_path,
        "draft": form["body"],
        "nonce": form["nonce"] or new_nonce(),
        "answered": await page.answered(seat, page.reply_to(form)),
        "arrived": arrived,
        "refused": refused,
        "fields": fields,
        "has_voice": places > 0,
        "can_have_more": fields < places - 1,
        "current_key": seat.room.key,
    }
    shared |= page.NOTHING_SENT | limits | context
    return await render_with_sidebar(request, seat.viewer, "messages/attach.html", status, is_cacheable=False, **shared)


async def show_words(request: Request, seat: Seat, form: Mapping[str, str], codes: Sequence[str]) -> Response:
    """Return the page with the words that were typed in the composer, and the files that were there."""
    return await show(request, seat, form, arrived=await pending_files(seat.viewer.id, codes))


async def receive(request: Request, find_seat: FindSeat, post: Post) -> Response:
    """Store the files of the form, and post them with its words; else return the page again, with all that arrived."""
    seat = await find_seat(request)
    if not seat.takes_files:
        await throttle(settings.RATE_POST, "attach", str(seat.viewer.id))
        raise NotFound
    form, parts = await read_form_with_files(request, "file", FIELD, *FORM)
    codes, refused = await read_repeated(request, "file"), list[Refused]()
    for part, description in parts:
        try:
            codes.append((await _attach(request, find_seat, part, description)).code)
        except Problem as problem:
            refused.append((part.filename or "", problem.message))
    arrived = await pending_files(seat.viewer.id, codes)
    if refused or form["more"]:
        return await show(request, seat, form, 422 if refused else 200, arrived=arrived, refused=refused)
    try:
        return await post(request, seat, form, codes)
    except REFUSED as error:
        return await _refuse(request, seat, form, arrived, error)


async def _attach(request: Request, find_seat: FindSeat, part: UploadFile, description: str) -> PendingFile:
    """Store one file, in the room as it is by then: the first of a chat has reserved it."""
    for _attempt in range(3):
        try:
            seat = await find_seat(request)
            await throttle(settings.RATE_FILE, "file", str(seat.viewer.id))
            return await attach(seat, part, description)
        except IntegrityError:  # the other has begun at the same moment
            continue
    raise NotFound


async def _refuse(
    request: Request, seat: Seat, form: Mapping[str, str], arrived: Sequence[PendingFile], error: Exception
) -> Response:
    problem = error if isinstance(error, Problem) else Unavailable()
    answer = problem.answer if isinstance(problem, Unsure) else ""
    said: dict[str, Any] = {"problem": problem.message, "answer": answer}
    response = await show(request, seat, form, problem.status, arrived=arrived, **said)
    response.headers.update(problem.headers)
    return response
