"""Deleting one's own account, and taking everything along that is one's own."""

import asyncio

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from webapp import render, settings
from webapp.accounts import broadcasts as accounts
from webapp.accounts.authentication import confirm, signed_in
from webapp.accounts.models import User
from webapp.errors import Missing, Problem
from webapp.language import Words, _
from webapp.leaving.export import Export
from webapp.leaving.maker import maker
from webapp.leaving.models import begin, finish
from webapp.live import hub
from webapp.messages import typing
from webapp.messages.models import erase_closed
from webapp.presence.attendance import attendance
from webapp.rooms import broadcasts as rooms
from webapp.security import cookie, events
from webapp.security.forms import form
from webapp.security.limiter import throttle

REFRESH_SECONDS = 2


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
    events.record(request, "account_deleted", user.code)
    await _leave(user)
    cookie.end_session(request)
    return render.see_other("/?left=1")


def _form(request: Request, status: int = 200, problem: Words = "") -> Response:
    return render.page(request, "leaving/delete.html", status, here=request.scope["path"], done="", problem=problem)


async def _leave(user: User) -> None:
    accounts.signed_out(*await begin(user))
    attendance().forget_all(user.id)
    for room in await finish(user):
        typing.ended(room.id, user)
        if room.closed_at:
            rooms.closed(room)
    accounts.changed(user)
    hub().start(erase_closed())


# A file of everything that is one's own.


async def export(request: Request) -> Response:
    user = signed_in(request)
    found = await Export.of(user)
    if request.method != "POST":
        return _export(request, found)
    typed = await form(request, "password")
    if not (found and found.is_under_way):
        try:
            await confirm(request, user, typed["password"])
            await throttle(settings.RATE_EXPORT, "export", str(user.id))
        except Problem as error:
            response = _export(request, found, error.status, error.message)
            response.headers.update(error.headers)
            return response
        await Export.begin(user)
        events.record(request, "export_begun", user.code)
    maker().wake()
    return render.see_other(request.scope["path"])


def _export(request: Request, found: Export | None, status: int = 200, problem: Words = "") -> Response:
    shown = {"here": request.scope["path"], "done": "", "export": found, "problem": problem}
    response = render.page(request, "leaving/export.html", status, is_kept=False, **shown)
    if found and found.is_under_way:
        response.headers["Refresh"] = str(REFRESH_SECONDS)
    return response


async def download(request: Request) -> Response:
    """The person's own finished file, piece by piece from the disk."""
    user = signed_in(request)
    found = await Export.ready(user, request.path_params["run"])
    try:
        stat = await asyncio.to_thread(found.file.stat)
    except FileNotFoundError:
        raise Missing(_("The file is no longer here. Make it again.")) from None
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    name = f"parley-{user.username or user.code}.zip"
    return FileResponse(found.file, 200, headers, "application/zip", filename=name, stat_result=stat)
