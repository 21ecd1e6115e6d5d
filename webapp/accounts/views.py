"""Registering, signing in and out, and the settings of an account."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts import broadcasts
from webapp.accounts.authentication import confirm, current_account, current_viewer, load_account, require_account
from webapp.accounts.bans import require_allowed_address
from webapp.accounts.destinations import INVITATION_OVER, Destination, destination, require_registration
from webapp.accounts.forms import EMPTY_PROBLEMS, redisplay, register_form
from webapp.accounts.models import Profile, User
from webapp.accounts.names import MAX_TYPED
from webapp.accounts.reset import user_of_link
from webapp.accounts.sessions import Session
from webapp.accounts.settings_page import settings_page
from webapp.accounts.viewer import Person
from webapp.core import clock, i18n, text
from webapp.core.errors import Invalid, NotFound, Problem, TooManyRequests
from webapp.core.i18n import _
from webapp.http import cookie, known_browser, responses, security_log
from webapp.http.client import address_hash, client
from webapp.http.forms import Upload, read_form, read_form_with_file
from webapp.http.limits import throttle, throttle_guess
from webapp.http.origin import local_path, referring_path
from webapp.http.params import choice, query
from webapp.http.urls import path_for
from webapp.media.images import Crop, ProcessedImage, process_image

NOT_RIGHT = _("The user name or the password is not right.")


async def register(request: Request) -> Response:
    if request.method == "POST":
        return await _register(request)
    to = await destination(request, local_path(query(request, "next", path_for("lobby"))))
    require_registration(is_invited=to.invitation is not None)
    if current_account(request):
        return responses.see_other(to.path)
    return register_form(request, next=to.path, room=to.room)


async def _register(request: Request) -> Response:
    require_registration(is_invited=True)
    form = await read_form(request, "username", "password", "display_name", "next")
    to = await destination(request, local_path(form["next"] or path_for("lobby")))
    try:
        await throttle(settings.RATE_REGISTER, "register", client(request).address)
        await require_allowed_address(request)
        if to.is_invitation and to.invitation is None:
            raise NotFound(INVITATION_OVER)
        require_registration(is_invited=to.invitation is not None)
        then = to.invitation.use if to.invitation else None
        user = await User.register(form["username"], form["password"], form["display_name"], then=then)
    except Problem as error:
        # Where one comes in without, an invitation that is over is refused once, and then is none.
        is_over = error.message is INVITATION_OVER and settings.REGISTRATION == "open"
        goto = path_for("lobby") if is_over else to.path
        return redisplay(request, "accounts/register.html", error, form=form, next=goto, room=to.room)
    security_log.record(request, "registered", user.code)
    return await _begin(request, user, to.invitation.path if to.invitation else to.path)


async def login(request: Request) -> Response:
    if request.method != "POST":
        to = await destination(request, local_path(query(request, "next", path_for("lobby"))))
        if current_account(request):
            return responses.see_other(to.path)
        context: dict[str, Any] = {"form": {"username": ""}, "problems": EMPTY_PROBLEMS, "problem": ""}
        return responses.page(request, "accounts/login.html", **context | _card(to))
    form = await read_form(request, "username", "password", "next")
    target = local_path(form["next"] or path_for("lobby"))
    try:
        user = await _authenticate(request, form["username"], form["password"])
    except Problem as error:
        return redisplay(request, "accounts/login.html", error, form=form, **_card(await destination(request, target)))
    security_log.record(request, "signed_in", user.code)
    return await _begin(request, user, target)


def _card(to: Destination) -> dict[str, Any]:
    """Return what the card of signing in knows of where it leads."""
    return {"room": to.room, "next": to.path, "is_invited": to.invitation is not None}


async def _authenticate(request: Request, username: str, password: str) -> User:
    if len(username) > MAX_TYPED:
        security_log.record(request, "sign_in_failed")
        raise Invalid(password=NOT_RIGHT)
    name = text.fold(username)[:30]
    try:
        if browser := known_browser.token(request, name):
            await throttle_guess("sign-in-known", browser)
        else:
            await throttle(settings.RATE_SIGN_IN_ADDRESS, "sign-in-address", client(request).address)
            await throttle_guess("sign-in", name)
    except TooManyRequests:
        security_log.record(request, "sign_in_throttled")
        raise
    user = await User.authenticate(username, password)
    if user is None:
        security_log.record(request, "sign_in_failed", await User.code_of(name))
        raise Invalid(password=NOT_RIGHT)
    return user


async def _begin(request: Request, user: User, goto: str) -> Response:
    """Sign the user in with a new session, end the browser's session of before, and lead on."""
    if current_viewer(request):
        await _end(client(request).session_id)
    token = cookie.new_token()
    await Session.begin(user, token, request.headers.get("user-agent", ""), address_hash(request))
    response = responses.see_other(goto)
    cookie.set_session(request, response, token)
    known_browser.remember(request, response, user.username or "")
    return response


async def _end(*sessions: int) -> None:
    await Session.filter(id__in=sessions).delete()
    broadcasts.sessions_ended(*sessions)


async def logout(request: Request) -> Response:
    if user := current_viewer(request):
        security_log.record(request, "signed_out", user.code)
        await _end(client(request).session_id)
    response = responses.see_other(path_for("home"))
    cookie.clear_session(request, response)
    return response


async def acknowledge_warning(request: Request) -> Response:
    """Clear the warning that was read, and return to the page that it was on."""
    if user := current_viewer(request):
        await throttle(settings.RATE_CHANGE, "warning", str(user.id))
        await User.acknowledge_warning(user.id)
    return responses.see_other(local_path(referring_path(request)))


async def set_language(request: Request) -> Response:
    """Store the language with the account, or in a cookie, and return to the page on which it was chosen."""
    form = await read_form(request, "language", "next")
    back = responses.see_other(local_path(form["next"] or referring_path(request) or path_for("home")))
    if user := current_viewer(request):
        await throttle(settings.RATE_CHANGE, "language", str(user.id))
        await User.set_language(user.id, form["language"])
    elif form["language"] in i18n.LANGUAGES:
        cookie.remember(request, back, i18n.COOKIE, form["language"])
    return back


# Which square of the picture was chosen: see media/images.py.
CROP = ("crop_x", "crop_y", "crop_size")
PICTURE_LOST = _("Choose the picture again: it was not kept, because something else was not right.")
SUCCESS_MESSAGES = {
    "profile": _("Saved."),
    "password": _("Your password is changed. Other devices are signed out."),
    "ended": _("That device is signed out."),
}


async def _settings(request: Request, name: str, status: int = 200, **context: Any) -> Response:
    notice = choice(request, "done", SUCCESS_MESSAGES, "")
    return await settings_page(request, name, status, notice=notice, **context)


async def profile(request: Request) -> Response:
    user = await load_account(request)
    form = {"display_name": user.display_name, "bio": user.bio, "language": user.language, "remove_picture": ""}
    form["saves_data"] = "1" if user.saves_data else ""
    if request.method != "POST":
        return await _settings(request, "accounts/profile.html", form=form, problems=EMPTY_PROBLEMS)
    names = ("display_name", "bio", "language", "remove_picture", "saves_data")
    form, upload = await read_form_with_file(request, "picture", *names, *CROP)
    try:
        await throttle(settings.RATE_PROFILE, "profile", str(user.id))
        picture = await _picture(user, upload, Crop.of(*(form[name] for name in CROP))) if upload else None
        profile = Profile.checked(user, form["display_name"], form["bio"], form["language"], bool(form["saves_data"]))
        is_seen = await user.set_profile(profile, picture, keeps_picture=not form["remove_picture"])
    except Problem as error:
        problems = {"picture": PICTURE_LOST if upload else ""}
        problems |= error.problems if isinstance(error, Invalid) else {"picture": error.message}
        response = await _settings(
            request, "accounts/profile.html", error.status, form=form, problems=EMPTY_PROBLEMS | problems
        )
        response.headers.update(error.headers)
        return response
    if is_seen:
        broadcasts.person_changed(user)
    return responses.see_other(path_for("profile") + "?done=profile")


async def appearance(request: Request) -> Response:
    """How the pages look to this person: light or dark, and how large their words are."""
    user = await load_account(request)
    if request.method != "POST":
        form = {"theme": user.theme, "text_size": user.text_size, "time_zone": user.time_zone}
        zones = clock.zone_choices()
        is_offered = any(user.time_zone in names for _region, names in zones)
        return await _settings(
            request, "accounts/appearance.html",
            form=form, problems=EMPTY_PROBLEMS, zones=zones, is_offered=is_offered,
        )  # fmt: skip
    form = await read_form(request, "theme", "text_size", "time_zone")
    await throttle(settings.RATE_CHANGE, "appearance", str(user.id))
    await User.set_appearance(user.id, form["theme"], form["text_size"], form["time_zone"])
    return responses.see_other(path_for("appearance") + "?done=profile")


async def _picture(user: Person, upload: Upload, crop: Crop) -> ProcessedImage:
    await throttle(settings.RATE_PICTURE, "picture", str(user.id))
    return await process_image(upload, crop)


async def password(request: Request) -> Response:
    require_account(request)
    if request.method != "POST":
        return await _settings(request, "accounts/password.html", problems=EMPTY_PROBLEMS)
    user = await load_account(request)
    form = await read_form(request, "current", "password")
    try:
        await confirm(request, user, form["current"], field="current")
        await user.set_password(form["password"])
    except Invalid as error:
        return await _settings(
            request, "accounts/password.html", error.status, problems=EMPTY_PROBLEMS | error.problems
        )
    security_log.record(request, "password_changed", user.code)
    await _end_others(request, user)
    token, session_id = cookie.new_token(), client(request).session_id
    await Session.renew(session_id, token)
    broadcasts.renewed(session_id)
    response = responses.see_other(path_for("password") + "?done=password")
    cookie.set_session(request, response, token)
    known_browser.remember(request, response, user.username or "")
    return response


async def _end_others(request: Request, user: Person) -> None:
    others = await Session.filter(user_id=user.id).exclude(id=client(request).session_id)
    await _end(*(session.id for session in others))


async def sessions(request: Request) -> Response:
    user = require_account(request)
    found = await Session.filter(user_id=user.id).order_by("-used_at").limit(100)
    return await _settings(request, "accounts/sessions.html", sessions=found, current=client(request).session_id)


async def end_session(request: Request) -> Response:
    user = require_account(request)
    await throttle(settings.RATE_CHANGE, "sessions", str(user.id))
    own = await Session.filter(user_id=user.id)
    session = next((session for session in own if session.id == request.path_params["id"]), None)
    if session is None:
        raise NotFound(_("That device is signed out already."))
    await _end(session.id)
    security_log.record(request, "session_ended", user.code)
    if session.id == client(request).session_id:
        response = responses.see_other(path_for("home"))
        cookie.clear_session(request, response)
        return response
    return responses.see_other(path_for("sessions") + "?done=ended")


async def end_other_sessions(request: Request) -> Response:
    user = require_account(request)
    await throttle(settings.RATE_CHANGE, "sessions", str(user.id))
    await _end_others(request, user)
    security_log.record(request, "sessions_ended", user.code)
    return responses.see_other(path_for("sessions") + "?done=ended")


async def reset(request: Request) -> Response:
    user = await user_of_link(request.path_params["token"])
    if request.method != "POST":
        return responses.page(request, "accounts/reset.html", username=user.username, problems=EMPTY_PROBLEMS)
    form = await read_form(request, "password")
    await throttle(settings.RATE_CHANGE, "reset", str(user.id))
    try:
        await user.set_password(form["password"])
    except Invalid as error:
        problems = EMPTY_PROBLEMS | error.problems
        return responses.page(request, "accounts/reset.html", error.status, username=user.username, problems=problems)
    security_log.record(request, "password_reset", user.code)
    await _end_others(request, user)
    return await _begin(request, user, path_for("lobby"))
