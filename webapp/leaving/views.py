"""Deleting one's own account."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from webapp import render, security, settings
from webapp.accounts import broadcasts as accounts
from webapp.accounts.models import User
from webapp.accounts.sessions import signed_in
from webapp.errors import Invalid, Problem
from webapp.leaving.models import begin, finish
from webapp.live import hub
from webapp.messages import typing
from webapp.messages.models import erase_closed
from webapp.presence.attendance import attendance
from webapp.rooms import broadcasts as rooms
from webapp.security import form, throttle


async def delete(request: Request) -> Response:
    user = signed_in(request)
    if request.method != "POST":
        return _form(request)
    typed = await form(request, "password")
    try:
        await _check(user, typed["password"])
    except Problem as error:
        response = _form(request, error.status, error.message)
        response.headers.update(error.headers)
        return response
    await _leave(user)
    security.end_session(request)
    return RedirectResponse("/?left=1", 303, {"Cache-Control": "no-store"})


def _form(request: Request, status: int = 200, problem: str = "") -> Response:
    return render.page(request, "leaving/delete.html", status, here=request.scope["path"], done="", problem=problem)


async def _check(user: User, password: str) -> None:
    await throttle(settings.RATE_SIGN_IN, "sign-in", user.username or "")
    if await User.with_password(user.username or "", password) is None:
        raise Invalid(password="That is not your password.")


async def _leave(user: User) -> None:
    accounts.signed_out(*await begin(user))
    attendance.forget_all(user.id)
    for room in await finish(user):
        typing.ended(room.id, user)
        if room.closed_at:
            rooms.closed(room)
    hub.start(erase_closed())
