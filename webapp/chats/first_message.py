"""The first message of a direct chat, which makes its room."""

from typing import cast

from tortoise.exceptions import IntegrityError

from webapp.accounts.viewer import FRIENDS, Person, ProfileRow
from webapp.conversations import direct
from webapp.conversations.models import Room
from webapp.core.errors import NotFound, Problem
from webapp.core.i18n import _
from webapp.db import transaction
from webapp.db.group_commit import RetryWithout
from webapp.messages.posting import Draft, Posted, _store, submit
from webapp.relationships.queries import friendship_between


async def post_first(author: Person, other: ProfileRow, typed: str, nonce: str) -> tuple[Room, Posted]:
    """
    Post to the one chat of two people, which the first message makes; raises Invalid, Missing and Refused.

    Whoever else writes the first message at the same moment ends in the same room.
    """
    for _attempt in range(3):
        room = await direct.between(author, other)
        if not room.key and (made := await Room.get_or_none(low=room.low, high=room.high)):
            room = made  # they have ignored what the other wrote, and write now
        draft = Draft.checked(room, author, typed, nonce)
        if room.key:
            return room, await submit(draft)
        is_request = author.id != other.id and await _must_ask(author, other)
        try:
            return await transaction.transact(_begin, draft, other, is_request)
        except IntegrityError:
            continue
    raise NotFound(_("Nobody has that code."))  # any more


async def _must_ask(author: Person, other: ProfileRow) -> bool:
    """Whether the first message is a request."""
    if other.written_by != FRIENDS:
        return False
    friendship = await friendship_between(author, other)
    return friendship is None or friendship.accepted_at is None


async def _begin(draft: Draft, other: Person, is_request: bool) -> tuple[Room, Posted]:
    room = await direct.create_direct(draft.author, other, is_request)
    try:
        [posted] = await _store([draft._replace(room=room)])
    except RetryWithout as decided:
        raise cast(Problem, decided.outcomes[0]) from None
    return room, posted
