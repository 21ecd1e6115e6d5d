"""Pages about people: search, profiles, friends and requests, blocks, privacy."""

from time import time
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.authentication import load_account, require_account
from webapp.accounts.models import User
from webapp.accounts.settings_page import settings_page
from webapp.accounts.viewer import EVERYONE, FRIENDS, NOBODY, Person, Viewer
from webapp.conversations import broadcasts as rooms
from webapp.conversations import direct
from webapp.conversations.queries import InCommon, rooms_in_common, seat_by_pair
from webapp.core import text
from webapp.core.errors import Forbidden, Invalid
from webapp.core.i18n import _
from webapp.http import responses
from webapp.http.client import client
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.http.params import Page, choice, is_in_query, query
from webapp.http.urls import path_for
from webapp.people import queries
from webapp.presence import broadcasts as presence
from webapp.presence.last_seen import last_seen_for
from webapp.presence.queries import DIRECTORY, is_shown_online, online
from webapp.relationships import broadcasts
from webapp.relationships.models import Block, Friendship, VeiledBlock
from webapp.relationships.queries import Relationship, contacts, find_person, online_friend_ids, ordered_ids, requesters
from webapp.relationships.search import MAX_QUERY_LENGTH, is_searchable, search
from webapp.sidebar.layout import render_with_sidebar

VISIBILITY_FIELDS = ("shows_receipts", "shows_typing")
CHOICE_FIELDS = ("found_by", "written_by", "added_by")
NO_PROBLEMS = dict.fromkeys((*CHOICE_FIELDS, "shows_presence"), "")
SUCCESS_MESSAGES = {"privacy": _("Saved.")}


async def people(request: Request) -> Response:
    """Everybody who may be found, or those who are called like the query."""
    user = require_account(request)
    words = text.clean_line(query(request, "q"))[:MAX_QUERY_LENGTH]
    is_typing = client(request).is_fragment and is_in_query(request, "q")
    if words or is_typing or not settings.DIRECTORY:
        return await _search(request, user, words, is_typing)
    await throttle(settings.RATE_DIRECTORY, "directory", str(user.id))
    after = queries.parse_key(query(request, "after"))
    # Before the first query: what changes from here on reaches the page by its stream.
    made_at = str(int(time()))
    is_first = after == queries.START
    here = await queries.online_people(user) if is_first else []
    shown = Page.of(await queries.people_after(user, after, [row.person.id for row in here]), 1, queries.PAGE_SIZE)
    received = await requesters(user)
    context: dict[str, Any] = {
        "online_now": here,
        "people": shown.rows,
        "next_key": shown.rows[-1].key if shown.has_more else "",
        "is_first": is_first,
        "requests_received": received if is_first else [],
        "current_path": path_for("people") + ("" if is_first else f"?{urlencode({'after': '.'.join(after)})}"),
        "is_offered_presence": is_first and not user.presence_for,
    }
    return await render_with_sidebar(
        request,
        user,
        "people/directory.html",
        online=await online_friend_ids(user),
        more_of_stream={DIRECTORY: made_at},
        made_at=made_at,
        **context,
    )


async def _search(request: Request, user: Viewer, words: str, is_typing: bool) -> Response:
    """People with what is typed in their names; to script what was found alone, as in search/views.py."""
    if words and is_typing:
        await throttle(settings.RATE_TYPEAHEAD, "typeahead", str(user.id))
    elif words:
        await throttle(settings.RATE_SEARCH, "search", str(user.id))
    found = await search(user, words) if is_searchable(words) else []
    context: dict[str, Any] = {
        "q": words,
        "found": found,
        "is_short": bool(words) and not is_searchable(words),
    }
    if is_typing:
        return responses.fragment_response("people/_results.html", **context)
    return await render_with_sidebar(request, user, "people/find.html", **context)


async def show(request: Request) -> Response:
    """A person's profile, with what the viewer can do about them; to script without what stands around it."""
    user = require_account(request)
    person, relationship = await find_person(user, request.path_params["code"])
    is_known = relationship in (Relationship.FRIENDS, Relationship.NONE)
    chat = await seat_by_pair(user, *ordered_ids(user, person)) if relationship is not Relationship.SELF else None
    context: dict[str, Any] = {
        "person": person,
        "relationship": relationship,
        "is_online": is_known and await is_shown_online(person, relationship is Relationship.FRIENDS),
        "last_seen": last_seen_for(person),
        "in_common": await _in_common(user, person, relationship),
        "chat": chat if chat and chat.membership and not chat.is_request else None,
    }
    if client(request).is_fragment:
        context |= {"token": client(request).form_token, "save_data": client(request).save_data}
        return responses.fragment_response("people/_person_page.html", **context)
    return await render_with_sidebar(request, user, "people/show.html", current_path=person.path, **context)


async def _in_common(user: Viewer, person: Person, relationship: Relationship) -> InCommon:
    if relationship in (Relationship.SELF, Relationship.BLOCKED):
        return InCommon([], 0)
    return await rooms_in_common(user, person)


async def friends(request: Request) -> Response:
    """The viewer's friends, requests both ways, and blocks."""
    user = require_account(request)
    found = await contacts(user)
    there = await online([friend.id for friend in found.friends])
    context = found._asdict() | {"current_path": path_for("friends")}
    context["last_seen"] = {friend.id: last_seen_for(friend) for friend in found.friends}
    context["friends"] = sorted(found.friends, key=lambda friend: friend.id not in there)
    return await render_with_sidebar(request, user, "people/index.html", online=there, **context)


# Between two people.


async def _two(request: Request) -> tuple[Viewer, Person, Relationship]:
    """
    Return the viewer, the person of the address, and what they are to each other.

    Raise NotFound, Forbidden about oneself, and TooManyRequests: every act between two people is counted here.
    """
    user = require_account(request)
    await throttle(settings.RATE_CHANGE, "people", str(user.id))
    other, tie = await find_person(user, request.path_params["code"])
    if tie is Relationship.SELF:
        raise Forbidden(_("That is you."))
    return user, other, tie


async def _back(request: Request, other: Person) -> Response:
    """Return to the page with the button that was pressed."""
    form = await read_form(request, "from")
    goto = {name: path_for(name) for name in ("friends", "people", "lobby")}.get(form["from"], other.path)
    return responses.see_other(goto)


def _tell(user: Person, other: Person, before: Relationship) -> None:
    """Publish to the viewer, and to the other only where something between the two has ended."""
    broadcasts.relationships_changed(
        user,
        *(
            [other]
            if before in (Relationship.FRIENDS, Relationship.REQUEST_SENT, Relationship.REQUEST_RECEIVED)
            else []
        ),
    )


async def send_request(request: Request) -> Response:
    await throttle(settings.RATE_FRIEND, "friend", str(require_account(request).id))
    user, other, tie = await _two(request)
    if tie is Relationship.BLOCKED:
        raise Forbidden(_("You have blocked this person. Unblock them first."))
    await direct.ask(user, other)
    broadcasts.relationships_changed(user, other)
    return await _back(request, other)


async def accept(request: Request) -> Response:
    user, other, _ = await _two(request)
    await direct.accept(user, other)
    broadcasts.relationships_changed(user, other)
    return await _back(request, other)


async def decline(request: Request) -> Response:
    user, other, _ = await _two(request)
    await Friendship.decline(user, other)
    broadcasts.relationships_changed(user)  # the other does not learn it
    return await _back(request, other)


async def cancel(request: Request) -> Response:
    user, other, tie = await _two(request)
    await Friendship.cancel(user, other)
    _tell(user, other, tie)
    return await _back(request, other)


async def remove(request: Request) -> Response:
    user, other, tie = await _two(request)
    await Friendship.remove(user, other)
    _tell(user, other, tie)
    return await _back(request, other)


async def block(request: Request) -> Response:
    user, other, tie = await _two(request)
    await Block.add(user, other)
    await rooms.blocked(user.id, other.id)
    _tell(user, other, tie)
    return await _back(request, other)


async def unblock(request: Request) -> Response:
    user, other, _ = await _two(request)
    await Block.remove(user, other)
    broadcasts.relationships_changed(user)
    return await _back(request, other)


async def lift(request: Request) -> Response:
    """Remove a block whose person is not named."""
    user = require_account(request)
    await throttle(settings.RATE_CHANGE, "people", str(user.id))
    await VeiledBlock.lift(user, request.path_params["id"])
    return responses.see_other(path_for("friends"))


# What everybody may know of me.


async def privacy(request: Request) -> Response:
    user = await load_account(request)
    if request.method != "POST":
        chosen = {name: getattr(user, name) for name in (*CHOICE_FIELDS, *VISIBILITY_FIELDS)}
        return await _privacy(request, form=chosen | {"shows_presence": user.presence}, problems=NO_PROBLEMS)
    form = await read_form(request, *CHOICE_FIELDS, "shows_presence", *VISIBILITY_FIELDS)
    # Pages of the version before don't ask it: drop that in 0.3.
    form["added_by"] = form["added_by"] or user.added_by
    shown_to = _presence_choice(form["shows_presence"], user)
    shows = {name: bool(form[name]) for name in VISIBILITY_FIELDS}
    try:
        await throttle(settings.RATE_CHANGE, "privacy", str(user.id))
        await user.update_privacy(form["found_by"], form["written_by"], shown_to, form["added_by"], **shows)
    except Invalid as error:
        return await _privacy(request, error.status, form=form, problems=NO_PROBLEMS | error.problems)
    if (shown_to, form["found_by"]) != (user.presence, user.found_by):
        await presence.visibility_changed(user.id, (user.presence, user.found_by) == (EVERYONE, EVERYONE))
    return responses.see_other(path_for("privacy") + "?done=privacy")


async def answer_presence_offer(request: Request) -> Response:
    """The viewer's answer to the one question whether everyone is to see them online."""
    user = require_account(request)
    await throttle(settings.RATE_CHANGE, "privacy", str(user.id))
    form = await read_form(request, "show")
    if await User.answer_presence_offer(user, form["show"] == EVERYONE):
        presence.changed([user.id])
    return responses.see_other(path_for("people"))


def _presence_choice(typed: str, user: User) -> str:
    """Return who is to see the person online. Open pages of 0.1 have a checkbox for it: drop that in 0.3."""
    if typed == "1":
        return user.presence if user.shows_presence else FRIENDS
    return typed or NOBODY


async def _privacy(request: Request, status: int = 200, **context: Any) -> Response:
    notice = choice(request, "done", SUCCESS_MESSAGES, "")
    return await settings_page(request, "people/privacy.html", status, notice=notice, **context)
