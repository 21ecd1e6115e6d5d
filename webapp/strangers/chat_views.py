"""A chat with a stranger: its page and stream, going on to the next, and keeping in touch."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.conversations.seats import RoomRow, Seat
from webapp.core.errors import NotFound, RedirectToStrangers
from webapp.core.i18n import _
from webapp.http import responses
from webapp.http.forms import read_form
from webapp.http.limits import throttle
from webapp.http.params import is_in_query
from webapp.http.urls import path_for
from webapp.messages import page
from webapp.messages.page import PageContext
from webapp.relationships.models import VeiledBlock
from webapp.strangers import broadcasts, friendship, steps
from webapp.strangers.broadcasts import moved_response
from webapp.strangers.masks import account_behind, find_seat, require_stranger
from webapp.strangers.models import READING_MS, WAITING_MS, YOUNG_SECONDS
from webapp.strangers.steps import stranger_for_change
from webapp.streams.opening import open_events


async def chat(request: Request) -> Response:
    """The chat, with its history while it lasts."""
    stranger = require_stranger(request)
    seat = await find_seat(request)
    # A page that is not live can't report that it is still open.
    await stranger.extend_presence(READING_MS if page.wants_plain(request) else WAITING_MS)
    return await page.show(request, seat)


async def chat_page(request: Request, seat: Seat, context: PageContext, status: int) -> Response:
    """The layout of anonymous chats."""
    has_account = not require_stranger(request).is_guest
    context |= {
        "has_account": has_account,
        "viewer": seat.viewer,
        "viewer_css": seat.viewer.stylesheet,
        "company": await broadcasts.company_seen(seat.room.id),
        # A guest may press again: an account comes first.
        "wants_friendship": friendship.is_wanted(seat.membership) and has_account,
        "is_kept_now": is_in_query(request, "kept"),
    }
    response = responses.page(request, seat.kind.template, status, **context)
    page.remember_plain(request, response, path_for("strangers"))
    return response


async def chat_events(request: Request) -> Response:
    """Server-Sent Events of the chat; a page that is older than what became of it is led on."""
    try:
        seat = await find_seat(request)
    except RedirectToStrangers:
        return moved_response()
    return await open_events(request, seat.viewer, seat)


# Going on.


async def leave(request: Request) -> Response:
    await steps.leave_chat(await stranger_for_change(request))
    return responses.see_other(path_for("strangers"))


async def find_next(request: Request) -> Response:
    """Leave for another stranger; ask once for confirmation when the two have only just met."""
    stranger = require_stranger(request)
    seat = await stranger.current_chat()
    if request.method != "POST":
        return (
            responses.page(request, "strangers/next.html", seat=seat)
            if seat
            else responses.see_other(path_for("strangers"))
        )
    await throttle(settings.RATE_CHANGE, "stranger", str(stranger.person))
    form = await read_form(request, "sure")
    if seat and not form["sure"] and _is_young(seat.room):
        return responses.see_other(path_for("next_stranger"))
    await steps.leave_chat(stranger)
    return await steps.find(stranger)


def _is_young(room: RoomRow) -> bool:
    return room.locked_at is None and (datetime.now(UTC) - room.created_at).total_seconds() < YOUNG_SECONDS


async def block(request: Request) -> Response:
    """Never be brought together again: the people behind the masks, who stay unknown to each other."""
    stranger = await stranger_for_change(request)
    seat = await stranger.current_chat()
    if seat is None or seat.other is None:
        raise NotFound(_("You are in no chat any more."))
    blocker, blocked = await account_behind(stranger.mask_id), await account_behind(seat.other.id)
    await steps.leave_chat(stranger)
    if blocker and blocked:
        await VeiledBlock.put(blocker, blocked)
    return responses.see_other(path_for("strangers"))


async def keep(request: Request) -> Response:
    """Offer to stay in touch; a guest is asked for an account first."""
    stranger = await stranger_for_change(request)
    seat = await stranger.current_chat()
    if seat is None:
        raise NotFound(_("This chat is gone."))
    await friendship.offer_friendship(stranger, seat.room.id)
    if stranger.is_guest:
        return responses.see_other(path_for("register_stranger"))
    return await steps.become_friends(stranger, seat)
