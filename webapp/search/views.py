"""The address of the search: people and rooms, then messages; as a page, as one types there, and at the side."""

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import require_account
from webapp.accounts.viewer import Viewer
from webapp.conversations.queries import search_rooms
from webapp.http import responses
from webapp.http.client import client
from webapp.http.limits import throttle
from webapp.http.params import is_in_query, query, whole
from webapp.http.urls import path_for
from webapp.messages.indexing import progress
from webapp.relationships.search import MAX_QUERY_LENGTH, is_searchable
from webapp.relationships.search import search as search_people
from webapp.search.filters import SearchQuery, read_query
from webapp.search.finding import Found, find, name_in_search
from webapp.search.queries import MAX_ID, PAGE_SIZE
from webapp.search.snippets import CONTEXT_LENGTH
from webapp.sidebar.layout import render_with_sidebar

MAX_PEOPLE, MAX_ROOMS = 8, 12
# Of each, below the field at the side.
MAX_SUGGESTIONS = 5
# Of the single line that a message has there, before what was looked for.
SIDE_CONTEXT_LENGTH = 12
RETRY_SECONDS = 5


async def search(request: Request) -> Response:
    """
    People, then rooms, with what is typed in their names, then messages; to script what was found alone.

    `suggest` is said by the field at the side, below which the first of each stand; `in` by the field of a room.
    """
    user, is_fragment = require_account(request), client(request).is_fragment
    is_at_side = is_fragment and is_in_query(request, "suggest")
    asked = read_query(await _typed(request, user))
    before = whole(query(request, "older"), MAX_ID, MAX_ID)
    if not asked.is_empty and is_fragment:
        await throttle(settings.RATE_TYPEAHEAD, "typeahead", str(user.id))
    elif not asked.is_empty:
        await throttle(settings.RATE_SEARCH, "search", str(user.id))
    context: dict[str, Any] = {
        "asked": asked,
        "is_first": before == MAX_ID,
        "is_at_side": is_at_side,
        **await _people_and_rooms(user, asked if before == MAX_ID else read_query(""), is_at_side),
        **await _messages(user, asked, before, is_at_side),
    }
    if is_at_side:
        return responses.fragment_response("search/_suggestions.html", **context)
    if is_fragment:
        return responses.fragment_response("search/_results.html", **context)
    return await _page(request, user, context)


async def _page(request: Request, user: Viewer, context: dict[str, Any]) -> Response:
    status = 503 if context["is_slow"] else 200
    response = await render_with_sidebar(
        request, user, "search/index.html", status, q=context["asked"].typed, **context
    )
    if context["is_slow"]:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


async def _typed(request: Request, user: Viewer) -> str:
    """Return what is in the field; with the room before it where a room's own field sent it."""
    typed, key = query(request, "q"), query(request, "in")
    return f"in:{await name_in_search(user, key)} {typed}" if key and typed.strip() else typed


async def _people_and_rooms(user: Viewer, asked: SearchQuery, is_at_side: bool) -> dict[str, Any]:
    """Return those whose name begins with what was typed, or has it in it; nobody where it has filters."""
    words = asked.words.replace('"', " ").strip()[:MAX_QUERY_LENGTH]
    if asked.has_filters or not is_searchable(words):
        return {"people": [], "rooms": []}
    sizes = (MAX_SUGGESTIONS, MAX_SUGGESTIONS) if is_at_side else (MAX_PEOPLE, MAX_ROOMS)
    return {
        "people": (await search_people(user, words))[: sizes[0]],
        "rooms": (await search_rooms(words))[: sizes[1]],
    }


async def _messages(user: Viewer, asked: SearchQuery, before: int, is_at_side: bool) -> dict[str, Any]:
    limit, context = (MAX_SUGGESTIONS, SIDE_CONTEXT_LENGTH) if is_at_side else (PAGE_SIZE, CONTEXT_LENGTH)
    found, is_slow = Found(), False
    if not asked.is_empty:
        try:
            found = await find(user, asked, before, limit, context)
        except TimeoutError:
            is_slow = True
    newest = f"{path_for('search')}?{urlencode({'q': asked.typed})}"
    older = f"{newest}&older={found.older}" if found.older else ""
    # What is older than the last that is found may have no words yet.
    part = 1.0 if asked.is_empty or is_slow or older or is_at_side else await progress()
    return {"hits": found.hits, "newest": newest, "older": older, "is_slow": is_slow, "part": part}
