"""Meeting a stranger: coming in, waiting, talking, and going on."""

import logging
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import current_viewer, require_viewer
from webapp.accounts.bans import require_allowed_address
from webapp.accounts.forms import redisplay, register_form
from webapp.accounts.models import User
from webapp.accounts.sessions import Session
from webapp.accounts.viewer import Person, Viewer
from webapp.conversations.models import Room
from webapp.core.errors import Forbidden, Invalid, NotFound, Problem, RedirectToStrangers
from webapp.core.i18n import _, current_language
from webapp.db import engine
from webapp.http import cookie, known_browser, render, security_log
from webapp.http.client import address_hash, client
from webapp.http.error_pages import response_to
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.live import Reader
from webapp.messages import typing
from webapp.messages.page import PageContext, composer_in, post_in, read_in, remember_plain, show_in, wants_plain
from webapp.relationships import broadcasts as friends
from webapp.relationships.models import VeiledBlock
from webapp.strangers import broadcasts, conduct, friendship
from webapp.strangers.broadcasts import MOVED
from webapp.strangers.company import matchmaker
from webapp.strangers.conduct import Conduct, QuestionRequired
from webapp.strangers.interests import LANGUAGES, validate_preferences
from webapp.strangers.masks import masked, stranger, talk, talking
from webapp.strangers.models import READING_MS, WAITING_MS, YOUNG_SECONDS, Stranger, account_behind
from webapp.streams.opening import end_oldest_streams, open_events, open_log, open_stream

logger = logging.getLogger(__name__)

HOME = "/strangers"
REGISTER = f"{HOME}/register"
NO_WISHES = {"interests": "", "language": "", "rules": ""}


# Coming in.


async def index(request: Request) -> Response:
    """Where the person is: at the door, waiting, or in a chat."""
    found = await stranger(request)
    if found is None:
        return start_page(request)
    goto = await _elsewhere(found)
    if client(request).is_fragment:  # the page of one who waits, which was told that they wait no more
        return Response(status_code=204) if found.is_waiting else Response(headers={"HX-Redirect": goto or HOME})
    if goto:
        return render.see_other(goto)
    if found.is_waiting:
        return await _wait(request, found)
    return start_page(request, found)


async def _elsewhere(found: Stranger) -> str:
    """Where they talk: to a stranger, or to one who has just become a friend."""
    if found.kept_room_id:
        await Stranger.filter(id=found.id).update(kept_room_id=None)
        kept = await Room.get_or_none(id=found.kept_room_id, closed_at=None)
        return kept.path if kept else ""
    room = await found.current_chat()
    return room.path if room else ""


async def _wait(request: Request, found: Stranger) -> Response:
    await found.extend_presence(WAITING_MS)
    if await _match_now(found):
        return render.see_other(HOME)
    total, seconds = await Stranger.count_waiting(), await found.seconds_waiting()
    return render.page(
        request, "strangers/waiting.html", viewer=found.mask, stranger=found, total=total, seconds=seconds
    )


async def _match_now(found: Stranger) -> bool:
    """Look for somebody for those who wait; whether this person waits no more."""
    try:
        await matchmaker().run_once()
    except engine.DOWN as error:
        logger.warning("nobody could be matched, and is in a moment: %r", error)
    return not await Stranger.exists(id=found.id, since__not_isnull=True)


def start_page(request: Request, found: Stranger | None = None, status: int = 200, **context: Any) -> Response:
    language = found.language if found else _spoken(request)
    typed = {"interests": found.interests if found else "", "language": language, "rules": ""}
    shown: dict[str, Any] = {"languages": LANGUAGES, "form": typed, "problems": NO_WISHES, "problem": ""}
    shown["has_account"] = not found.is_guest if found else current_viewer(request) is not None
    return render.page(request, "strangers/index.html", status, **(shown | context))


def _spoken(request: Request) -> str:
    """The language that the browser asks for first, among those there are."""
    for part in request.headers.get("accept-language", "").split(","):
        if (code := part.split(";")[0].strip()[:2].lower()) in LANGUAGES:
            return code
    return "en"


async def find_stranger(request: Request) -> Response:
    typed = await read_form(request, "interests", "language", "rules")
    found, token = await stranger(request), ""
    try:
        interests, language = validate_preferences(typed)
        if found is None:
            found, token = await _enter(request)
        await found.set_preferences(interests, language)
        response = await _find(found)
    except Problem as error:
        response = _refuse(request, found, error, typed, token)
    except engine.DOWN as error:
        response = response_to(request, error)
    if token:  # also when what came after it was refused
        cookie.set_session(request, response, token)
    return response


def _refuse(request: Request, found: Stranger | None, error: Problem, typed: dict[str, str], token: str) -> Response:
    context: dict[str, Any] = {"problem": error.message, "problems": NO_WISHES}
    if isinstance(error, Invalid):
        context = {"problem": "", "problems": NO_WISHES | error.problems}
    if token:
        context["token"] = cookie.form_token(token)
    response = start_page(request, found, error.status, form=typed, **context)
    response.headers.update(error.headers)
    return response


async def _find(found: Stranger) -> Response:
    """Wait for somebody, as they wished before; or answer a question first. Raises TooMany and Paused."""
    await throttle(settings.RATE_FIND, "find", str(found.person))
    try:
        await Conduct.check(found.person)
    except QuestionRequired:
        return render.see_other(f"{HOME}/question")
    if await found.start_waiting():
        await _match_now(found)
    return render.see_other(HOME)


async def question(request: Request) -> Response:
    """Somebody did what few do who want to talk: a machine would not know the answer, or not so soon."""
    found = await masked(request)
    if request.method == "POST":
        await throttle(settings.RATE_CHANGE, "stranger", str(found.person))
        typed = await read_form(request, "answer", "seal")
        if await conduct.check_answer(found.person, typed["answer"], typed["seal"]):
            return await _find(found)
        await Conduct.check(found.person, is_asked=True)
    asked, seal = conduct.make_question(found.person)
    return render.page(request, "strangers/question.html", is_kept=False, question=asked, seal=seal)


async def _enter(request: Request) -> tuple[Stranger, str]:
    """Return a mask for the account, or a new guest and the token of the session made for them."""
    if account := current_viewer(request):
        return await Stranger.put_on_mask(account), ""
    await throttle(settings.RATE_GUEST, "guest", client(request).address)
    await require_allowed_address(request)
    found = await Stranger.put_on_mask()
    agent, address = request.headers.get("user-agent", ""), address_hash(request)
    token = cookie.new_token()
    await Session.begin(found.mask, token, agent, address)
    return found, token


async def _changing(request: Request) -> Stranger:
    """The stranger who asks, for what changes something; raises AmongStrangers and TooMany."""
    found = await masked(request)
    await throttle(settings.RATE_CHANGE, "stranger", str(found.person))
    return found


async def stop_waiting(request: Request) -> Response:
    found = await _changing(request)
    await found.stop_waiting()
    return render.see_other(HOME)


# Talking.


async def chat(request: Request) -> Response:
    """The chat, with its history while it lasts."""
    found, room = await talk(request)
    # A page that is not live can't say that it is still open.
    await found.extend_presence(READING_MS if wants_plain(request) else WAITING_MS)
    return await show_in(request, require_viewer(request), room, _page)


async def _page(request: Request, mask: Viewer, room: Room, shown: PageContext, status: int) -> Response:
    kept = "kept" in request.query_params
    shown |= {
        "viewer": mask,
        "viewer_css": mask.stylesheet,
        "company": await broadcasts.company_seen(room),
        "kept": kept,
    }
    response = render.page(request, "strangers/chat.html", status, **shown)
    remember_plain(request, response, HOME)
    return response


async def composer(request: Request) -> Response:
    mask, room = await talking(request)
    room.require_can_post(mask)
    return composer_in(request, room)


async def post(request: Request) -> Response:
    response = await post_in(request, talking, _page)
    if response.status_code < 400:
        try:
            await Conduct.record_first_message(require_viewer(request).id, request.path_params["chat"])
        except Exception as error:  # everybody reads the message: its author must not be told otherwise
            logger.warning("what was said first to a stranger is not counted: %r", error)
    return response


async def report_typing(request: Request) -> Response:
    mask, room = await talking(request)
    await throttle(settings.RATE_SIGNAL, "typing", str(mask.id))
    room.require_can_post(mask)
    typing.started(room.id, mask)
    return Response(status_code=204)


async def read(request: Request) -> Response:
    return await read_in(request, talking)


async def permalink(request: Request) -> Response:
    _, room = await talking(request)
    return render.see_other(f"{room.path}#message-{room.id}-{request.path_params['number']}")


async def me_css(request: Request) -> Response:
    """Which messages are the mask's own."""
    found = await masked(request)
    return render.stylesheet_response(request, "home/me.css", viewer=found.mask, blocked=[])


# Going on.


async def leave(request: Request) -> Response:
    await _leave(await _changing(request))
    return render.see_other(HOME)


async def _leave(found: Stranger) -> None:
    if room := await found.leave():
        typing.stopped(room.id, found.mask)
        broadcasts.left(room, found.mask_id)


async def find_next(request: Request) -> Response:
    """Go on to somebody else; asked once whether they are sure when they have only just met."""
    found = await masked(request)
    room = await found.current_chat()
    if request.method != "POST":
        return render.page(request, "strangers/next.html", room=room) if room else render.see_other(HOME)
    await throttle(settings.RATE_CHANGE, "stranger", str(found.person))
    typed = await read_form(request, "sure")
    if room and not typed["sure"] and _is_young(room):
        return render.see_other(f"{HOME}/next")
    await _leave(found)
    return await _find(found)


def _is_young(room: Room) -> bool:
    return room.locked_at is None and (datetime.now(UTC) - room.created_at).total_seconds() < YOUNG_SECONDS


async def block(request: Request) -> Response:
    """Never be brought together again: the people behind the masks, who stay unknown to each other."""
    found = await _changing(request)
    room = await found.current_chat()
    if room is None or room.other is None:
        raise NotFound(_("You are in no chat any more."))
    me, other = await account_behind(found.mask_id), await account_behind(room.other.id)
    await _leave(found)
    if me and other:
        await VeiledBlock.put(me, other)
    return render.see_other(HOME)


# Keeping in touch.


async def keep(request: Request) -> Response:
    found = await _changing(request)
    room = await found.current_chat()
    if room is None:
        raise NotFound(_("This chat is gone."))
    await friendship.offer_friendship(found, room)
    if found.is_guest:
        return render.see_other(REGISTER)
    return await _unite(found, room)


async def _unite(found: Stranger, room: Room) -> Response:
    """What both have pressed happens; one alone is answered the same as before."""
    try:
        kept = await friendship.become_friends(room)
    except NotFound:
        kept = None  # a block stands between the two, which nobody is told
    if kept is None:
        return render.see_other(f"{room.path}?kept=1")
    # Not to the page that has pressed it: that is on its way already.
    broadcasts.moved([room.other.id] if room.other else [])
    broadcasts.left(room, found.mask_id)
    # In whatever other windows they have as themselves.
    friends.relationships_changed(*await User.filter(id__in=[kept.low, kept.high]))
    await Stranger.filter(id=found.id).update(kept_room_id=None)
    return render.see_other(kept.path)


async def register(request: Request) -> Response:
    """An account for a guest, who goes on behind the same mask."""
    found = await masked(request)
    if not found.is_guest:
        return render.see_other(HOME)
    if not settings.REGISTRATION_OPEN:
        raise Forbidden(_("New accounts are created by the administrator."))
    await found.extend_presence(READING_MS)
    if request.method != "POST":
        return register_form(request, action=REGISTER)
    typed = await read_form(request, "username", "password", "display_name")
    try:
        await throttle(settings.RATE_REGISTER, "register", client(request).address)
        await require_allowed_address(request)
        account = await User.register(typed["username"], typed["password"], typed["display_name"])
    except Problem as error:
        return redisplay(request, "accounts/register.html", error, form=typed, action=REGISTER)
    security_log.record(request, "registered", account.code)
    response = await _grow_up(found, account)
    known_browser.remember(request, response, account.username or "")
    return response


async def _grow_up(found: Stranger, account: Person) -> Response:
    await friendship.claim_account(found, account)
    found.person = account.id
    room = await found.current_chat()
    return await _unite(found, room) if room else render.see_other(HOME)


async def waiting_events(request: Request) -> Response:
    """Server-Sent Events for who waits for a stranger."""
    stranger = await masked(request)
    if not stranger.is_waiting:
        return _moved()
    await end_oldest_streams(request)
    labels = {"session": client(request).session_id, "user": stranger.mask_id}
    channels = [f"mask:{stranger.mask_id}"]
    reader = Reader(channels, None, "sse", frozenset(), labels, "/strangers", current_language().code)
    return open_stream(request, reader)


async def chat_events(request: Request) -> Response:
    """Server-Sent Events of a chat with a stranger."""
    try:
        user, room = await talking(request)
    except RedirectToStrangers:
        return _moved()
    return await open_events(request, user, room)


def _moved() -> Response:
    """A page that is older than what became of it: it goes on, rather than ask for its stream again and again."""
    return Response(MOVED.sse, headers={"Cache-Control": "no-store"}, media_type="text/event-stream")


async def chat_live(request: Request) -> Response:
    """The log of the chat with a stranger as a document that never ends."""
    return await open_log(request, *await talking(request))
