"""The chat with a person, also before anything was said."""

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.accounts.queries import profile_by_code
from webapp.chats import first_message
from webapp.conversations import broadcasts as rooms
from webapp.conversations import direct
from webapp.core.errors import Problem, Unavailable
from webapp.db import engine
from webapp.http import render
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.messages import changes, receipts
from webapp.messages.page import page_context, refuse_post, room_page


async def chat(request: Request) -> Response:
    """The one chat with a person: as long as nothing has been said, a page to say it on. Looking makes nothing."""
    user = require_account(request)
    room = await direct.between(user, await profile_by_code(request.path_params["code"]))
    if room.key:
        return render.see_other(room.path)
    return await room_page(request, user, room, await page_context(request, user, room, [], False))


async def post_first(request: Request) -> Response:
    """The first message to a person, which makes the chat of the two."""
    typed = await read_form(request, "body", "nonce", "framed")
    room = None
    try:
        user = require_account(request)
        other = await profile_by_code(request.path_params["code"])
        room = await direct.between(user, other)
        await throttle(settings.RATE_POST, "post", str(user.id))
        if not room.key:
            # Who writes to very many people for the first time does not know them.
            await throttle(settings.RATE_FRIEND, "chat", str(user.id))
        room, posted = await first_message.post_first(user, other, typed["body"], typed["nonce"])
    except Problem as problem:
        return await refuse_post(request, problem, typed, room, room_page)
    except engine.DOWN:
        return await refuse_post(request, Unavailable(), typed, None, room_page)
    changes.log_changed(room, posted.version)
    rooms.membership_changed(room, user.id, other.id)
    receipts.schedule_refresh(room)
    return render.see_other(f"{room.path}#composer")
