"""The first message of a direct chat, which creates its room."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from tortoise.exceptions import IntegrityError

from webapp.accounts.viewer import FRIENDS, Person, ProfileRow, Viewer
from webapp.conversations import direct
from webapp.conversations.seats import Seat
from webapp.core.errors import NotFound, Problem
from webapp.core.i18n import _
from webapp.db import transaction
from webapp.db.group_commit import RetryWithout
from webapp.messages import posting
from webapp.messages.drafts import Draft
from webapp.messages.posting import Posted
from webapp.relationships.queries import friendship_between


async def post_first(
    author: Viewer, other: ProfileRow, typed: str, nonce: str, reply_to: int | None = None, codes: Sequence[str] = ()
) -> tuple[Seat, Posted]:
    """
    Post to the one chat of two people, which the first message creates; raise Invalid, NotFound and Forbidden.

    Two people who write their first messages at the same moment get one room.
    """
    for _attempt in range(3):
        seat = await seat_between(author, other)
        draft = await Draft.validated(seat, typed, nonce, reply_to, codes)
        if seat.room.key and not direct.is_unstarted(seat):
            return seat, await posting.submit(draft)
        try:
            return await transaction.transact(_create, draft, other, not seat.begins_freely)
        except IntegrityError:
            continue
    raise NotFound(_("Nobody has that code."))  # any more


async def seat_between(author: Viewer, other: ProfileRow) -> Seat:
    """Return the author's seat in the one chat of the two, before its first message too; raise NotFound."""
    seat = await direct.between(author, other)
    if not seat.room.key:
        seat = await direct.unjoined(author, other) or seat
    if seat.room.key and not direct.is_unstarted(seat):
        return seat
    return replace(seat, begins_freely=not await must_ask(author, other))


async def must_ask(author: Viewer, other: ProfileRow) -> bool:
    """Return whether the first message is a message request."""
    if author.id == other.id:
        return False
    if other.written_by != FRIENDS:
        return False
    friendship = await friendship_between(author, other)
    return friendship is None or friendship.accepted_at is None


async def _create(draft: Draft, other: Person, is_request: bool) -> tuple[Seat, Posted]:
    author, room = draft.seat.viewer, draft.seat.room
    if room.key:
        room = await direct.start(room, author, other, is_request)
    else:
        room = await direct.create_direct(author, other, is_request)
    seat = replace(draft.seat, room=room)
    try:
        [posted] = await posting.store([draft._replace(seat=seat)])
    except RetryWithout as decided:
        raise cast(Problem, decided.outcomes[0]) from None
    return seat, posted
