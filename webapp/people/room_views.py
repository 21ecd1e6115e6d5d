"""The people of a room: who is here, who is online, and every member by name."""

from time import time
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.conversations import access
from webapp.conversations.seats import Seat
from webapp.core import text
from webapp.http import responses
from webapp.http.client import client
from webapp.http.limits import throttle
from webapp.http.params import Page, query
from webapp.http.urls import path_for
from webapp.people import queries
from webapp.presence.queries import DIRECTORY
from webapp.relationships.search import MAX_QUERY_LENGTH, parse_prefix
from webapp.sidebar.layout import render_with_sidebar


async def room_people(request: Request) -> Response:
    """Everybody in the room, or those of its members who are called like the query; to script the list alone."""
    user = require_account(request)
    seat = await access.for_reading(request)
    words = text.clean_line(query(request, "q"))[:MAX_QUERY_LENGTH]
    if words:
        await throttle(settings.RATE_TYPEAHEAD, "typeahead", str(user.id))
    else:
        await throttle(settings.RATE_DIRECTORY, "directory", str(user.id))
    made_at = str(int(time()))
    context = await _people(request, seat, words)
    if client(request).is_fragment:
        context |= {"token": client(request).form_token, "save_data": client(request).save_data, "viewer": user}
        return responses.fragment_response("people/_room_people.html", **context)
    return await render_with_sidebar(
        request,
        user,
        "people/room.html",
        current_key=seat.room.key,
        more_of_stream={DIRECTORY: made_at},
        made_at=made_at,
        **context,
    )


async def _people(request: Request, seat: Seat, words: str) -> dict[str, Any]:
    after = queries.parse_key(query(request, "after"))
    prefix = parse_prefix(words)
    is_first = after == queries.START
    present = await queries.people_present(seat.viewer, seat.room) if is_first and not prefix else []
    left_out = [row.person.id for row in present]
    found = await queries.members_after(seat.viewer, seat.room, after, prefix, left_out)
    page = Page.of(found, 1, queries.PAGE_SIZE)
    return {
        "seat": seat,
        "room": seat.room,
        "q": words,
        "is_short": bool(words) and not prefix,
        "is_first": is_first,
        "here_now": [row for row in present if row.is_here],
        "online_now": [row for row in present if not row.is_here],
        "members": page.rows,
        "address": _address(seat, words, "" if is_first else ".".join(after)),
        "more": _address(seat, words, page.rows[-1].key) if page.has_more else "",
    }


def _address(seat: Seat, words: str = "", after: str = "") -> str:
    asked = {name: value for name, value in (("q", words), ("after", after)) if value}
    return path_for("room_people", key=seat.room.key) + (f"?{urlencode(asked)}" if asked else "")
