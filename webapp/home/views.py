"""The front page, the lobby and the viewer's own stylesheet."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.authentication import current_account, require_account
from webapp.conversations import queries
from webapp.http import responses
from webapp.http.params import is_in_query, page_number
from webapp.http.urls import path_for
from webapp.messages.models import new_nonce
from webapp.presence.queries import online
from webapp.relationships.queries import blocked_codes, friends, requesters
from webapp.sidebar.layout import render_with_sidebar

LOBBY_ROOMS = 8
LOBBY_FRIENDS = 50


async def front(request: Request) -> Response:
    return responses.page(request, "home/front.html", has_left=is_in_query(request, "left"))


async def me_css(request: Request) -> Response:
    """The viewer's own stylesheet: which messages are theirs and may be edited, and which are hidden."""
    user = require_account(request)
    blocked = await blocked_codes(user)
    return responses.stylesheet_response(request, "home/me.css", viewer=user, reacts=True, blocked=blocked)


async def shortcuts(request: Request) -> Response:
    """What the keys of a keyboard do, with script: a page, and what script makes a dialog of."""
    require_account(request)
    return responses.page_or_fragment(request, "home/shortcuts.html", "home/_shortcuts.html")


async def home(request: Request) -> Response:
    return await (lobby if current_account(request) else front)(request)


async def lobby(request: Request) -> Response:
    """The first page of who is signed in: chats, requests, friends, and the newest rooms."""
    user = require_account(request)
    people, requests = await friends(user), await requesters(user)
    there = await online([friend.id for friend in people])
    people.sort(key=lambda friend: friend.id not in there)
    rooms = await queries.newest_rooms()
    context: dict[str, Any] = {
        "friends": people[:LOBBY_FRIENDS],
        "more_friends": len(people) > LOBBY_FRIENDS,
        "requests_received": requests[:LOBBY_FRIENDS],
        "rooms": rooms[:LOBBY_ROOMS],
        "nonce": new_nonce(),
        "supervisor": responses.supervisor(request, path_for("viewer_live")),
    }
    return await render_with_sidebar(
        request, user, "home/lobby.html", online=there, sidebar_page=page_number(request), **context
    )
