"""Deleting one's account."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts import broadcasts as accounts
from webapp.accounts.authentication import confirm, signed_in
from webapp.accounts.models import User
from webapp.conversations import broadcasts as rooms
from webapp.core.errors import Problem
from webapp.core.i18n import Words
from webapp.deletion.steps import begin, finish
from webapp.http import cookie, render, security_log
from webapp.http.forms import form
from webapp.live import hub
from webapp.messages import typing
from webapp.messages.retention import erase_closed
from webapp.presence.tracker import attendance


async def delete(request: Request) -> Response:
    user = signed_in(request)
    if request.method != "POST":
        return _form(request)
    typed = await form(request, "password")
    try:
        await confirm(request, user, typed["password"])
    except Problem as error:
        response = _form(request, error.status, error.message)
        response.headers.update(error.headers)
        return response
    security_log.record(request, "account_deleted", user.code)
    await _leave(user)
    cookie.end_session(request)
    return render.see_other("/?left=1")


def _form(request: Request, status: int = 200, problem: Words = "") -> Response:
    return render.page(request, "deletion/delete.html", status, here=request.scope["path"], done="", problem=problem)


async def _leave(user: User) -> None:
    accounts.signed_out(*await begin(user))
    attendance().forget_all(user.id)
    for room in await finish(user):
        typing.ended(room.id, user)
        if room.closed_at:
            rooms.closed(room)
    accounts.changed(user)
    hub().start(erase_closed())
