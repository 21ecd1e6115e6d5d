"""Meeting strangers: the start page, waiting, the question, and an account for a guest."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import current_account, current_viewer
from webapp.accounts.bans import require_allowed_address
from webapp.accounts.destinations import require_registration
from webapp.accounts.forms import redisplay, register_form
from webapp.accounts.models import User
from webapp.accounts.sessions import Session
from webapp.accounts.viewer import Person
from webapp.conversations.models import Room
from webapp.core.errors import Invalid, Problem
from webapp.core.i18n import current_language
from webapp.db import engine
from webapp.http import cookie, known_browser, negotiate, responses, security_log
from webapp.http.client import address_hash, client
from webapp.http.error_pages import response_to
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.http.urls import path_for
from webapp.live import Reader
from webapp.sidebar.layout import render_with_sidebar
from webapp.strangers import conduct, friendship, steps
from webapp.strangers.broadcasts import moved_response
from webapp.strangers.conduct import Conduct
from webapp.strangers.interests import LANGUAGES, validate_preferences
from webapp.strangers.masks import current_stranger, require_stranger
from webapp.strangers.models import READING_MS, WAITING_MS, Stranger
from webapp.strangers.queries import count_waiting
from webapp.strangers.steps import stranger_for_change
from webapp.streams.opening import end_oldest_streams, open_stream

NO_WISHES = {"interests": "", "language": "", "rules": ""}


# Coming in.


async def index(request: Request) -> Response:
    """Where the person is: at the door, waiting, or in a chat."""
    found = current_stranger(request)
    if found is None:
        return await start_page(request)
    goto = await _elsewhere(found)
    if client(request).is_fragment:  # the page of one who waits, when the wait has ended
        return (
            Response(status_code=204)
            if found.is_waiting
            else Response(headers={"HX-Redirect": goto or path_for("strangers")})
        )
    if goto:
        return responses.see_other(goto)
    if found.is_waiting:
        return await _wait(request, found)
    return await start_page(request, found)


async def _elsewhere(found: Stranger) -> str:
    """Where they talk: to a stranger, or to one who has just become a friend."""
    if found.kept_room_id:
        await Stranger.filter(id=found.id).update(kept_room_id=None)
        kept = await Room.get_or_none(id=found.kept_room_id, closed_at=None)
        return kept.path if kept else ""
    seat = await found.current_chat()
    return seat.path if seat else ""


async def _wait(request: Request, found: Stranger) -> Response:
    await found.extend_presence(WAITING_MS)
    if await steps.match_now(found):
        return responses.see_other(path_for("strangers"))
    total, seconds = await count_waiting(), await found.seconds_waiting()
    return responses.page(
        request, "strangers/waiting.html", viewer=found.mask, stranger=found, total=total, seconds=seconds
    )


async def start_page(request: Request, found: Stranger | None = None, status: int = 200, **context: Any) -> Response:
    language = found.language if found else negotiate.language(request, LANGUAGES)
    typed = {"interests": found.interests if found else "", "language": language, "rules": ""}
    shown: dict[str, Any] = {"languages": LANGUAGES, "form": typed, "problems": NO_WISHES, "problem": ""}
    shown["has_account"] = not found.is_guest if found else current_viewer(request) is not None
    account = current_account(request)
    if account and not account.is_banned:
        return await render_with_sidebar(request, account, "strangers/index.html", status, **(shown | context))
    return responses.page(request, "strangers/index.html", status, **(shown | context))


async def find_stranger(request: Request) -> Response:
    typed = await read_form(request, "interests", "language", "rules")
    found, token = current_stranger(request), ""
    try:
        interests, language = validate_preferences(typed)
        if found is None:
            found, token = await _enter(request)
        await found.set_preferences(interests, language)
        response = await steps.find(found)
    except Problem as error:
        response = await _refuse(request, found, error, typed, token)
    except engine.DOWN as error:
        response = response_to(request, error)
    if token:  # also when what came after it was refused
        cookie.set_session(request, response, token)
    return response


async def _refuse(
    request: Request, found: Stranger | None, error: Problem, typed: dict[str, str], token: str
) -> Response:
    context: dict[str, Any] = {"problem": error.message, "problems": NO_WISHES}
    if isinstance(error, Invalid):
        context = {"problem": "", "problems": NO_WISHES | error.problems}
    if token:
        context["token"] = cookie.form_token(token)
    response = await start_page(request, found, error.status, form=typed, **context)
    response.headers.update(error.headers)
    return response


async def question(request: Request) -> Response:
    """A question against machines, after conduct that is rare among people who want to talk."""
    found = require_stranger(request)
    if request.method == "POST":
        await throttle(settings.RATE_CHANGE, "stranger", str(found.person))
        typed = await read_form(request, "answer", "seal")
        if await conduct.check_answer(found.person, typed["answer"], typed["seal"]):
            return await steps.find(found)
        await Conduct.check(found.person, is_asked=True)
    asked, seal = conduct.make_question(found.person)
    return responses.page(request, "strangers/question.html", is_cacheable=False, question=asked, seal=seal)


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


async def stop_waiting(request: Request) -> Response:
    found = await stranger_for_change(request)
    await found.stop_waiting()
    return responses.see_other(path_for("strangers"))


async def register(request: Request) -> Response:
    """An account for a guest, who stays behind the same mask."""
    found = require_stranger(request)
    if not found.is_guest:
        return responses.see_other(path_for("strangers"))
    require_registration(is_invited=False)
    await found.extend_presence(READING_MS)
    if request.method != "POST":
        return register_form(request, action=path_for("register_stranger"))
    typed = await read_form(request, "username", "password", "display_name")
    try:
        await throttle(settings.RATE_REGISTER, "register", client(request).address)
        await require_allowed_address(request)
        account = await User.register(typed["username"], typed["password"], typed["display_name"])
    except Problem as error:
        return redisplay(
            request, "accounts/register.html", error, form=typed, next="", room="", action=path_for("register_stranger")
        )
    security_log.record(request, "registered", account.code)
    response = await _grow_up(found, account)
    known_browser.remember(request, response, account.username or "")
    return response


async def _grow_up(found: Stranger, account: Person) -> Response:
    await friendship.claim_account(found, account)
    found.person = account.id
    seat = await found.current_chat()
    return await steps.become_friends(found, seat) if seat else responses.see_other(path_for("strangers"))


async def me_css(request: Request) -> Response:
    """Which messages are the mask's own."""
    found = require_stranger(request)
    return responses.stylesheet_response(request, "home/me.css", viewer=found.mask, reacts=False, blocked=[])


async def waiting_events(request: Request) -> Response:
    """Server-Sent Events for who waits for a stranger."""
    stranger = require_stranger(request)
    if not stranger.is_waiting:
        return moved_response()
    await end_oldest_streams(request)
    labels = {"session": client(request).session_id, "user": stranger.mask_id}
    channels = [f"mask:{stranger.mask_id}"]
    reader = Reader(channels, None, "sse", frozenset(), labels, path_for("strangers"), current_language().code)
    return open_stream(request, reader)
