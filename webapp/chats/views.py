"""The chat with a person, also before anything was said."""

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import signed_in
from webapp.accounts.models import User
from webapp.chats import first_message
from webapp.conversations import broadcasts as rooms
from webapp.conversations import direct
from webapp.core.errors import Problem, Unavailable
from webapp.db import engine
from webapp.http import render
from webapp.http.forms import form
from webapp.http.limits import throttle
from webapp.messages import changes, receipts
from webapp.messages.page import page_context, refuse_post, room_page


async def chat(request: Request) -> Response:
    """The one chat with a person: as long as nothing has been said, a page to say it on. Looking makes nothing."""
    user = signed_in(request)
    room = await direct.between(user, await User.by_code(request.path_params["code"]))
    if room.key:
        return render.see_other(room.path)
    return await room_page(request, user, room, await page_context(request, user, room, [], False))


async def write_to(request: Request) -> Response:
    """The first message to a person, which makes the chat of the two."""
    typed = await form(request, "body", "nonce", "framed")
    room = None
    try:
        user = signed_in(request)
        other = await User.by_code(request.path_params["code"])
        room = await direct.between(user, other)
        await throttle(settings.RATE_POST, "post", str(user.id))
        if not room.key:
            # Who writes to very many people for the first time does not know them.
            await throttle(settings.RATE_FRIEND, "chat", str(user.id))
        room, posted = await first_message.write_to(user, other, typed["body"], typed["nonce"])
    except Problem as problem:
        return await refuse_post(request, problem, typed, room, room_page)
    except engine.DOWN:
        return await refuse_post(request, Unavailable(), typed, None, room_page)
    changes.changed(room, posted.version)
    rooms.placed(room, user.id, other.id)
    receipts.posted(room)
    return render.see_other(f"{room.path}#composer")
