"""The addresses of messages: reading, posting, editing, removing."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.accounts.models import User
from webapp.accounts.viewer import Person, Viewer
from webapp.conversations import access
from webapp.conversations.audit import is_on_behalf, record_act
from webapp.conversations.models import Room
from webapp.core.errors import NotFound, Problem
from webapp.core.i18n import _
from webapp.http import render
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.messages import changes, typing
from webapp.messages.models import PAGE_SIZE, Changed, Message
from webapp.messages.page import (
    NO_MESSAGE,
    _hidden,
    _whole,
    cache_buster,
    composer_in,
    post_in,
    read_in,
    room_page,
    show_in,
)


async def _room(request: Request) -> tuple[Viewer, Room]:
    user = require_account(request)
    return user, await access.for_reading(user, request.path_params["key"])


async def show(request: Request) -> Response:
    """The room at its newest messages, or earlier ones, or around one."""
    return await show_in(request, *await _room(request), room_page)


def _numbered(request: Request, room: Room) -> int:
    """The number in the path; raises Missing when the room has not come to it yet."""
    number = int(request.path_params["number"])
    if not 0 < number <= room.last_number:
        raise NotFound(NO_MESSAGE)
    return number


async def read(request: Request) -> Response:
    """The messages up to this number have been on the person's screen."""
    return await read_in(request, _room)


async def permalink(request: Request) -> Response:
    """Lead to the message in its room: on the live page when it is among the newest, and is not hidden there."""
    user, room = await _room(request)
    number = _numbered(request, room)
    is_elsewhere = number <= room.last_number - PAGE_SIZE or await _hidden(
        user, room, await Message.get_row(room, number)
    )
    at = f"?around={number}" if is_elsewhere else cache_buster(request, room.version)
    return render.see_other(f"{room.path}{at}#message-{room.id}-{number}")


async def composer(request: Request) -> Response:
    """The composer as a document of its own, for pages without script."""
    user = require_account(request)
    room = await access.for_posting(user, request.path_params["key"])
    return composer_in(request, room)


async def post(request: Request) -> Response:
    return await post_in(request, _room, room_page)


async def report_typing(request: Request) -> Response:
    """The person is typing in the room."""
    user, room = await _room(request)
    await throttle(settings.RATE_SIGNAL, "typing", str(user.id))
    room.require_can_post(user)
    typing.started(room.id, user)
    return Response(status_code=204)


async def edit(request: Request) -> Response:
    """The page of one message, with all that the person may do about it; and changing its words."""
    typed = await read_form(request, "body", "version")
    user, room = await _room(request)
    message = await Message.get_or_none(room_id=room.id, number=_numbered(request, room))
    if message is None or message.removed_at:
        raise NotFound(_("This message has been removed."))
    if request.method != "POST":
        return _edit(request, user, room, message, began_at=message.version, draft=message.body, problem="")
    await Message.get_for_changing(room, user, message.number)
    if message.author_id != user.id:
        raise NotFound(_("This message is not yours. You can remove it."))
    try:
        await throttle(settings.RATE_POST, "post", str(user.id))
        room.require_can_post(user)
        version = await message.edit(typed["body"], _whole(typed["version"]))
    except Problem as error:
        if isinstance(error, Changed):
            await message.refresh_from_db()
        # Unless they were just shown, the words that came meanwhile are not those that this edit began from.
        began_at = message.version if isinstance(error, Changed) else _whole(typed["version"])
        context = {"draft": typed["body"], "problem": error.message, "is_changed": isinstance(error, Changed)}
        response = _edit(request, user, room, message, error.status, began_at=began_at, **context)
        response.headers.update(error.headers)
        return response
    changes.log_changed(room, version)
    return render.see_other(message.path(room))


def _edit(request: Request, user: Person, room: Room, message: Message, status: int = 200, **context: Any) -> Response:
    is_own = message.author_id == user.id
    shown = {
        "path": message.path(room),
        "html": message.safe_html,
        "can_edit": is_own,
        "can_remove": is_own or room.is_owned_by(user),
        "about": f"message:{room.key}:{message.number}",
    }
    return render.page(request, "messages/edit.html", status, message=shown, **({"is_changed": False} | context))


async def remove(request: Request) -> Response:
    user, room = await _room(request)
    await throttle(settings.RATE_POST, "post", str(user.id))
    message = await Message.get_for_changing(room, user, _numbered(request, room))
    was_there = message.removed_at is None
    version = await message.remove()
    changes.log_changed(room, version)
    if was_there and message.author_id != user.id and is_on_behalf(user, room):
        author = await User.get_or_none(id=message.author_id) if message.author_id else None
        await record_act(request, user, "remove", room, author)
    return render.see_other(message.path(room))
