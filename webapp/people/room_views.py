"""The people of a room: who is here, who is online, and every member by name."""

from collections.abc import Mapping
from time import time
from typing import Any, cast
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.accounts.viewer import PersonRow
from webapp.conversations import access, groups
from webapp.conversations.seats import Seat
from webapp.core import text
from webapp.http import responses
from webapp.http.client import client
from webapp.http.limits import throttle
from webapp.http.params import Page, choice, is_in_query, query
from webapp.http.urls import path_for
from webapp.messages import mentions
from webapp.people import acts, adding, queries
from webapp.people.queries import ListedRow
from webapp.presence.queries import DIRECTORY
from webapp.relationships.search import MAX_QUERY_LENGTH, parse_prefix
from webapp.sidebar.layout import render_with_sidebar

# Of those who may be meant so many are offered.
MAX_CALLED = 8


async def room_people(request: Request) -> Response:
    """Everybody in the room, or who is called like the query; to script the list alone; or the way to add more."""
    user = require_account(request)
    seat = await access.for_reading(request)
    if request.method == "POST":
        return await adding.receive(request, seat)
    if is_in_query(request, "add"):
        return await adding.show(request, seat)
    words = text.clean_line(query(request, "q"))[:MAX_QUERY_LENGTH]
    if is_in_query(request, "call"):
        return await _called(seat, words)
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


async def _called(seat: Seat, typed: str) -> Response:
    """Return who may be meant by what is typed behind an @: who is here by its first letters, else members by name."""
    await throttle(settings.RATE_TYPEAHEAD, "typeahead", str(seat.viewer.id))
    viewer, room, prefix = seat.viewer, seat.room, parse_prefix(typed)
    if prefix:
        rows = await queries.members_after(viewer, room, queries.START, prefix)
    else:
        rows = [row for row in await queries.people_present(viewer, room) if row.role]
    names = await queries.usernames([row.person.id for row in rows])
    known = [row for row in rows if row.person.id != viewer.id and row.person.id in names]
    begun = [row for row in known if prefix or _begins(row, names, typed)]
    # Who is typed to the end comes first.
    begun.sort(key=lambda row: names[row.person.id] != typed.casefold())
    found = [(cast(PersonRow | None, row.person), names[row.person.id]) for row in begun[:MAX_CALLED]]
    if mentions.may_call_everyone(seat) and mentions.EVERYONE.startswith(typed.casefold()):
        found.append((None, mentions.EVERYONE))
    return responses.fragment_response("people/_called.html", found=found)


def _begins(row: ListedRow, names: Mapping[int, str], typed: str) -> bool:
    return any(name.casefold().startswith(typed.casefold()) for name in (names[row.person.id], row.person.display_name))


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
        "may_add": groups.may_add(seat),
        "acts_with": await acts.acts_in(seat),
        "notice": choice(request, "done", acts.DONE, ""),
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
