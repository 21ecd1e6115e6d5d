"""What the pages of strangers share: finding, leaving and keeping in touch, and where each leads."""

import logging

from starlette.requests import Request
from starlette.responses import Response

from webapp import settings
from webapp.accounts.models import User
from webapp.conversations.seats import Seat
from webapp.core.errors import NotFound
from webapp.db import engine
from webapp.http import responses
from webapp.http.limits import throttle
from webapp.http.urls import path_for
from webapp.messages import typing
from webapp.relationships import broadcasts as friends
from webapp.strangers import broadcasts, friendship
from webapp.strangers.company import matchmaker
from webapp.strangers.conduct import Conduct, QuestionRequired
from webapp.strangers.masks import require_stranger
from webapp.strangers.models import Stranger

logger = logging.getLogger(__name__)


async def stranger_for_change(request: Request) -> Stranger:
    """Return who asks; raise RedirectToStrangers where they are no stranger, and TooManyRequests."""
    stranger = require_stranger(request)
    await throttle(settings.RATE_CHANGE, "stranger", str(stranger.person))
    return stranger


async def find(stranger: Stranger) -> Response:
    """Start waiting with the same preferences, or ask a question first; raise TooManyRequests and PauseRequired."""
    await throttle(settings.RATE_FIND, "find", str(stranger.person))
    try:
        await Conduct.check(stranger.person)
    except QuestionRequired:
        return responses.see_other(path_for("question"))
    if await stranger.start_waiting():
        await match_now(stranger)
    return responses.see_other(path_for("strangers"))


async def match_now(stranger: Stranger) -> bool:
    """Match those who wait; return whether this one waits no more."""
    try:
        await matchmaker().run_once()
    except engine.DOWN as error:
        logger.warning("nobody could be matched, and is in a moment: %r", error)
    return not await Stranger.exists(id=stranger.id, since__not_isnull=True)


async def leave_chat(stranger: Stranger) -> None:
    if seat := await stranger.leave():
        typing.stopped(seat.room.id, stranger.mask)
        broadcasts.left(seat.room.id, stranger.mask_id)


async def become_friends(stranger: Stranger, seat: Seat) -> Response:
    """Make friends of the two where both have asked for it; one alone gets the same answer as before."""
    try:
        kept = await friendship.become_friends(seat.room.id)
    except NotFound:
        kept = None  # one has blocked the other, which neither learns
    if kept is None:
        return responses.see_other(f"{seat.path}?kept=1")
    # Not to the page that has asked: that is on its way already.
    broadcasts.moved([seat.other.id] if seat.other else [])
    broadcasts.left(seat.room.id, stranger.mask_id)
    # In whatever other windows they have as themselves.
    friends.relationships_changed(*await User.filter(id__in=[kept.low, kept.high]))
    await Stranger.filter(id=stranger.id).update(kept_room_id=None)
    return responses.see_other(kept.path)
