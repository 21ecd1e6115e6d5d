"""Deleting one's account."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts import broadcasts as accounts
from webapp.accounts.authentication import confirm, require_account
from webapp.accounts.settings_page import settings_page
from webapp.accounts.viewer import Person
from webapp.conversations import broadcasts as rooms
from webapp.conversations.group_queries import groups_among
from webapp.core.errors import Problem
from webapp.core.i18n import Text
from webapp.deletion.steps import finish, start_deletion
from webapp.files.models import Attachment
from webapp.http import cookie, responses, security_log
from webapp.http.forms import read_form
from webapp.http.urls import path_for
from webapp.live import hub
from webapp.messages import typing
from webapp.messages.retention import delete_closed_rooms
from webapp.presence.tracker import tracker


async def delete(request: Request) -> Response:
    user = require_account(request)
    if request.method != "POST":
        return await _form(request)
    typed = await read_form(request, "password", "files")
    try:
        await confirm(request, user, typed["password"])
    except Problem as error:
        response = await _form(request, error.status, error.message, takes_files=bool(typed["files"]))
        response.headers.update(error.headers)
        return response
    security_log.record(request, "account_deleted", user.code)
    await _leave(user, bool(typed["files"]))
    answer = responses.see_other(path_for("home") + "?left=1")
    cookie.clear_session(request, answer)
    return answer


async def _form(request: Request, status: int = 200, problem: Text = "", takes_files: bool = False) -> Response:
    has_files = await Attachment.exists(author_id=require_account(request).id)
    return await settings_page(
        request, "deletion/delete.html", status, problem=problem, has_files=has_files, takes_files=takes_files
    )


async def _leave(user: Person, takes_files: bool) -> None:
    accounts.sessions_ended(*await start_deletion(user, takes_files))
    tracker().leave_everywhere(user.id)
    left = await finish(user)
    for room_id in await groups_among(left):
        rooms.group_changed(room_id)
    for room_id, is_closed in left.items():
        typing.stopped(room_id, user)
        if is_closed:
            rooms.room_deleted(room_id)
    accounts.person_changed(user)
    hub().spawn(delete_closed_rooms())
