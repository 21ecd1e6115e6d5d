"""Lists of people and rooms, and closing a room: for administrators."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.audit import PAGE, Action
from webapp.accounts.viewer import Viewer
from webapp.conversations import broadcasts as rooms_told
from webapp.conversations.queries import search_rooms
from webapp.core import text
from webapp.core.errors import Invalid, NotFound
from webapp.http import responses, security_log
from webapp.http.client import client
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.http.params import Page, choice, is_in_query, query
from webapp.http.urls import path_for
from webapp.live import hub
from webapp.messages.retention import delete_closed_rooms
from webapp.moderation import overview
from webapp.moderation.closing import close_room
from webapp.moderation.overview import PEOPLE_ORDERS, ROOM_ORDERS, Order
from webapp.moderation.pages import about_people, render_form, require_admin
from webapp.relationships.search import MAX_QUERY_LENGTH
from webapp.sidebar.layout import render_with_sidebar


async def people(request: Request) -> Response:
    """Everybody who has an account, in one of a few orders, or who is called like the query."""
    admin, words = require_admin(request), _words(request)
    if words is not None:
        found = await overview.find_people(words)
        return await _found(request, admin, "people", words, found)
    name, order = _order(request, PEOPLE_ORDERS)
    page = Page.of(await overview.list_people(order, query(request, "after")), 1, PAGE)
    last = page.rows[-1] if page.has_more else None
    next_key = order.key(last.person, last.person.id) if last else ""
    counts = await overview.count_people()
    return await _list(request, admin, "people", page.rows, name, next_key, orders=PEOPLE_ORDERS, counts=counts)


async def rooms(request: Request) -> Response:
    """Every room, in one of a few orders, or those that are called like the query."""
    admin, words = require_admin(request), _words(request)
    if words is not None:
        found = await overview.rooms_by_id([room.id for room in await search_rooms(words)] if words else [])
        return await _found(request, admin, "rooms", words, found)
    name, order = _order(request, ROOM_ORDERS)
    page = Page.of(await overview.list_rooms(order, query(request, "after")), 1, PAGE)
    last = page.rows[-1] if page.has_more else None
    next_key = order.key(last, last.id) if last else ""
    counts = await overview.count_rooms()
    return await _list(request, admin, "rooms", page.rows, name, next_key, orders=ROOM_ORDERS, counts=counts)


def _words(request: Request) -> str | None:
    """What is searched for; None for all."""
    words = text.clean_line(query(request, "q"))[:MAX_QUERY_LENGTH]
    is_typing = client(request).is_fragment and is_in_query(request, "q")
    return words if words or is_typing else None


def _order(request: Request, orders: dict[str, Order]) -> tuple[str, Order]:
    first = next(iter(orders))
    name = choice(request, "order", {name: name for name in orders}, first)
    return name, orders[name]


async def _found(request: Request, admin: Viewer, what: str, words: str, found: Sequence[Any]) -> Response:
    context: dict[str, Any] = {"q": words, "found": found[:PAGE], "has_others": len(found) > PAGE, "next_page": ""}
    if client(request).is_fragment:
        context["save_data"] = client(request).save_data
        return responses.fragment_response(f"moderation/_{what}.html", **context, **about_people())
    context |= {"order": "", "orders": {}, "counts": None, "current_path": request.scope["path"]}
    return await render_with_sidebar(request, admin, f"moderation/{what}.html", **context, **about_people())


async def _list(
    request: Request, admin: Viewer, what: str, found: Sequence[Any], order: str, next_key: str, **context: Any
) -> Response:
    path = request.scope["path"]
    next_page = f"{path}?{urlencode({'order': order, 'after': next_key})}" if next_key else ""
    context |= {"q": "", "found": found, "order": order, "next_page": next_page, "has_others": False}
    return await render_with_sidebar(
        request, admin, f"moderation/{what}.html", current_path=path, **context, **about_people()
    )


# Closing a room.


async def close(request: Request) -> Response:
    """Ask whether to close a room that everybody finds, and close it; there is no such page of any other."""
    admin = require_admin(request)
    if request.method != "POST":
        return await _close(request, admin)
    await throttle(settings.RATE_CHANGE, "moderation", str(admin.id))
    typed = await read_form(request, "name", "note")
    room_id = request.path_params["id"]
    try:
        key = await close_room(room_id, admin, typed["name"], typed["note"])
    except Invalid as error:
        return await _close(request, admin, error, typed)
    security_log.record(request, "moderated", admin.code, action=Action.DELETE.value, room=key)
    rooms_told.room_deleted(room_id)
    hub().spawn(delete_closed_rooms())
    return responses.see_other(path_for("moderation_rooms"))


async def _close(
    request: Request, admin: Viewer, error: Invalid | None = None, typed: dict[str, str] | None = None
) -> Response:
    found = await overview.rooms_by_id([request.path_params["id"]])
    if not found or not found[0].kind.is_listed:
        raise NotFound
    problems = {"name": "", "note": ""} | (error.problems if error else {})
    context: dict[str, Any] = {"room": found[0], "problems": problems, "form": typed or {"name": "", "note": ""}}
    path = path_for("moderation_rooms")
    return await render_form(request, admin, "moderation/close.html", error, current_path=path, **context)
