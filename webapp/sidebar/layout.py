"""The page of two halves: at the left the sidebar, the same on all of them, and the stream that updates it."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from webapp.accounts.viewer import Person, Viewer
from webapp.conversations.models import Membership
from webapp.conversations.seats import Seat
from webapp.http import render, responses
from webapp.http.client import client
from webapp.http.params import Page
from webapp.http.urls import path_for
from webapp.live import hub
from webapp.sidebar.chat_typing import rooms_typed_in
from webapp.sidebar.entries import entry_html, typed_entry_html
from webapp.sidebar.queries import OLDER_PAGE, PAGE_SIZE, list_entries
from webapp.sidebar.rows import EntryRow, contacts_digest, digest

EMPTY_FORM = {"name": "", "topic": "", "face": "", "kind": ""}


async def render_with_sidebar(
    request: Request,
    user: Person,
    name: str,
    status: int = 200,
    *,
    streamed: Seat | None = None,
    online: Collection[int] | None = None,
    sidebar_page: int = 1,
    is_cacheable: bool = True,
    more_of_stream: Mapping[str, str] = MappingProxyType({}),
    **context: Any,
) -> Response:
    """
    The page, with a stream of its own: of the room that is streamed to it, else of what is the viewer's alone.

    `more_of_stream` is added to the address of the stream. `online` has the ids of the listed friends who are online,
    None on a page without friends.
    """
    save_data = client(request).save_data
    listing = await list_entries(user.id, sidebar_page)
    entries, waiting, others = listing
    page = Page.of(entries, sidebar_page, PAGE_SIZE)
    shown = page.rows
    if come := [entry for entry in shown if entry.is_undelivered]:
        await Membership.mark_delivered([entry.membership_id for entry in come])
        for entry in come:
            hub().refresh(f"room:{entry.room_id}", "receipts")
    seen = digest(shown, streamed.room.id if streamed else None) if sidebar_page == 1 else OLDER_PAGE
    of_contacts = "" if online is None else contacts_digest(online, waiting.requests)
    query = {"sidebar": f"{seen}.{of_contacts}.{waiting}"}
    query["page"] = render.PAGE_VERSION
    query |= more_of_stream
    stream = f"{streamed.path}/events?after={streamed.room.version}&" if streamed else f"{path_for('viewer_events')}?"
    defaults: dict[str, Any] = {
        "sidebar": shown,
        "sidebar_page": page.number,
        "sidebar_more": page.has_more,
        "stream": stream + urlencode(query),
        "online": online,
        "waiting": waiting,
        "present": {},
        "current_key": "",
        "current_path": "",
        "tab": _tab(request.scope["path"]),
        "form": EMPTY_FORM,
        "problems": EMPTY_FORM,
    }
    context = defaults | context
    context["sidebar_entries"] = _entries(user, shown, context["current_key"], save_data)
    # Beside the page's name, and in the bar.
    context |= {"unread_count": listing.unread(context["current_key"]), "other_unread": others}
    return responses.page(request, name, status, is_cacheable, **context)


def _entries(user: Person, shown: Collection[EntryRow], current_key: str, save_data: bool) -> list[Markup]:
    typed_in = rooms_typed_in(user.id, [entry.room_id for entry in shown if entry.key != current_key])
    return [
        typed_entry_html(entry, save_data)
        if entry.room_id in typed_in
        else entry_html(entry, entry.key == current_key, save_data)
        for entry in shown
    ]


def _tab(path: str) -> str:
    """Return the name of the tab that stands for a page; empty where none does, as for rooms."""
    pages = {path_for(name): name for name in ("lobby", "inbox", "rooms", "strangers")}
    areas = {path_for(name): name for name in ("people", "moderation")} | {path_for("friends"): "people"}
    areas[path_for("profile").removesuffix("profile")] = "me"
    return pages.get(path) or next((name for beginning, name in areas.items() if path.startswith(beginning)), "")


async def page_beside_or_fragment(
    request: Request, user: Viewer, page_name: str, fragment_name: str, status: int = 200, **context: Any
) -> Response:
    """Return the part of the page that script asks for in place of it, else the page beside the viewer's chats."""
    if client(request).is_fragment or user.is_guest:
        return responses.page_or_fragment(request, page_name, fragment_name, status, **context)
    return await render_with_sidebar(request, user, page_name, status, is_fragment=False, **context)
