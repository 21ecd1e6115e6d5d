"""Keeping in touch: two strangers who both want it become friends, and a guest becomes an account."""

from datetime import UTC, datetime

from tortoise.expressions import Q

from webapp.accounts.models import User
from webapp.accounts.sessions import Session
from webapp.accounts.viewer import Person
from webapp.conversations.kinds import DIRECT
from webapp.conversations.models import Membership, Room
from webapp.conversations.seats import MEMBER, MembershipRow
from webapp.db import sql, transaction
from webapp.messages import index
from webapp.messages.models import Message
from webapp.relationships.models import Friendship
from webapp.strangers.conduct import Conduct
from webapp.strangers.models import KIND, Met, Stranger

# The role of a mask that wants to stay in touch with the other.
WANTS_FRIENDSHIP = "keeper"


async def offer_friendship(stranger: Stranger, room_id: int) -> None:
    """Note that they want to stay in touch; the other does not learn it."""
    await Membership.filter(room_id=room_id, user_id=stranger.mask_id).update(role=WANTS_FRIENDSHIP)


def is_wanted(membership: MembershipRow | None) -> bool:
    """Return whether the mask of this membership wants to stay in touch with the other."""
    return membership is not None and membership.role == WANTS_FRIENDSHIP


async def become_friends(room_id: int) -> Room | None:
    """
    Make friends of the two when both want it and have accounts, and of their chat the one between them.

    The chat that they talk in from now on; where they have one already, that one. None when it is too early.
    """
    return await transaction.transact(_unite, room_id)


async def _unite(room_id: int) -> Room | None:
    if not await Room.filter(id=room_id, kind=KIND, closed_at=None).update(kind=KIND):
        return await _kept(room_id)
    keepers = await Membership.filter(room_id=room_id, role=WANTS_FRIENDSHIP).values_list("user_id", flat=True)
    both = await Stranger.filter(mask_id__in=list(keepers))
    if len(both) != 2 or any(one.is_guest for one in both):
        return None
    people = {person.id: person for person in await User.filter(id__in=[one.person for one in both])}
    if len(people) != 2:
        return None
    low, high = sorted(people)
    await Friendship.befriend(people[low], people[high])
    # One that nobody is in holds no more than a file that goes with no message: this one takes its place.
    await Room.filter(low=low, high=high, last_number=0).delete()
    known = await Room.get_or_none(low=low, high=high, closed_at=None)
    if known:
        await Room.filter(id=room_id).update(locked_at=datetime.now(UTC))
    else:
        await _unmask(room_id, {one.mask_id: one.person for one in both}, low, high)
    kept = known or await Room.get(id=room_id)
    await Stranger.filter(id__in=[one.id for one in both], room_id=room_id).update(
        room_id=None, last_room_id=None if not known else room_id, kept_room_id=kept.id
    )
    return kept


async def _kept(room_id: int) -> Room | None:
    """The other was a moment faster."""
    return await Room.get_or_none(id=room_id, kind=DIRECT.stored, closed_at=None)


async def _unmask(room_id: int, people: dict[int, int], low: int, high: int) -> None:
    room = await Room.get(id=room_id)
    for mask, person in people.items():
        await Membership.filter(room_id=room_id, user_id=mask).update(user_id=person, role=MEMBER)
        await Message.filter(room_id=room_id, author_id=mask).update(author_id=person)
    await Room.filter(id=room_id).update(
        kind=DIRECT.stored, low=low, high=high, name="", topic="", locked_at=None,
        last_author=people.get(room.last_author or 0),
    )  # fmt: skip
    await index.write_room(room_id)


async def claim_account(guest: Stranger, account: Person) -> None:
    """The guest has an account now, and talks on behind the same mask; their session is the account's."""

    async def write() -> None:
        await Stranger.filter(id=guest.id).update(person=account.id)
        await Session.filter(user_id=guest.mask_id).update(user_id=account.id)
        for column in ("blocker_id", "blocked_id"):
            await sql.execute(
                f"UPDATE veiled_block SET {column} = ? WHERE {column} = ? RETURNING id", account.id, guest.mask_id
            )
        for met in await Met.filter(Q(low=guest.mask_id) | Q(high=guest.mask_id)):
            low, high = sorted((account.id, met.low + met.high - guest.mask_id))
            skipped = account.id if met.skipped == guest.mask_id else met.skipped
            await Met.filter(id=met.id).update(low=low, high=high, skipped=skipped)
        await Conduct.filter(person=guest.mask_id).update(person=account.id)

    await transaction.transact(write)
