"""Deleting one's account."""

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts import broadcasts as accounts
from webapp.accounts.administrators import is_last
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
        ended = await start_deletion(user, bool(typed["files"]))
    except Problem as error:
        response = await _form(request, error.status, error.message, takes_files=bool(typed["files"]))
        response.headers.update(error.headers)
        return response
    security_log.record(request, "account_deleted", user.code)
    await _leave(user, ended)
    answer = responses.see_other(path_for("home") + "?left=1")
    cookie.clear_session(request, answer)
    return answer


async def _form(request: Request, status: int = 200, problem: Text = "", takes_files: bool = False) -> Response:
    user = require_account(request)
    shown = {"has_files": await Attachment.exists(author_id=user.id), "is_last_admin": await is_last(user)}
    return await settings_page(
        request, "deletion/delete.html", status, problem=problem, takes_files=takes_files, **shown
    )


async def _leave(user: Person, ended: list[int]) -> None:
    accounts.sessions_ended(*ended)
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
