"""Starting a group: choosing who is in it."""

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.conversations import access, broadcasts, groups
from webapp.core.errors import Problem
from webapp.http import responses
from webapp.http.forms import read_form, read_repeated
from webapp.http.limits import throttle
from webapp.http.params import query
from webapp.messages.models import new_nonce
from webapp.people import choosing

TEMPLATE = "people/new_group.html"


async def new_group(request: Request) -> Response:
    """The page on which people are chosen, one of whom its address may name."""
    user = require_account(request)
    code = query(request, "code")
    return await choosing.show(request, user, TEMPLATE, [code] if code else [], nonce=new_nonce())


async def start_group(request: Request) -> Response:
    """Start a group, or find people for it."""
    user = require_account(request)
    form = await read_form(request, "q", "find", "nonce")
    codes = await read_repeated(request, "code")
    nonce = form["nonce"] or new_nonce()
    try:
        if form["find"]:
            return await choosing.find(request, user, TEMPLATE, form["q"], codes, nonce=nonce)
        await throttle(settings.RATE_GROUP, "group", str(user.id))
        key = await groups.start(user, codes, form["nonce"])
    except Problem as problem:
        return await choosing.refuse(request, user, TEMPLATE, codes, problem, nonce=nonce)
    seat = await access.by_key(user, key)
    broadcasts.membership_changed(seat.room.id, *await groups.everyone(seat.room.id))
    return responses.see_other(seat.path)
