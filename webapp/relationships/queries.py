"""What people are to each other, as one of them may know it."""

from collections.abc import Collection
from typing import NamedTuple

from webapp.accounts.models import User
from webapp.core.errors import NotFound
from webapp.core.i18n import _
from webapp.relationships.models import Block, Friendship, Relationship, VeiledBlock


class Contacts(NamedTuple):
    """Everybody whom a person has something with."""

    requests_received: list[User]
    requests_sent: list[User]
    friends: list[User]
    blocked: list[User]
    veiled: list[VeiledBlock]


async def contacts(user: User) -> Contacts:
    requests = await Friendship.requests(user)
    received = [request.other_person(user) for request in requests if request.asked_by != user.id]
    sent = [request.other_person(user) for request in requests if request.asked_by == user.id]
    return Contacts(
        received, sent, await Friendship.friends(user), await Block.blocked_people(user), await VeiledBlock.by(user)
    )


async def relationship(viewer: User, other: User) -> Relationship:
    """
    What the other is to the viewer; raises Missing when the other has blocked them.

    Whom the viewer has blocked stays that, whatever the other does: who could no longer find the way to unblock
    somebody would know why.
    """
    if viewer.id == other.id:
        return Relationship.SELF
    blocks = await Block.between(viewer, other)
    if (viewer.id, True) in blocks:
        return Relationship.BLOCKED
    # Not the viewer's own veiled block, which their page of the other must not give away.
    if other.id in dict(blocks):
        raise NotFound(_("Nobody has that code."))
    friendship = await Friendship.between(viewer, other)
    return friendship.tie(viewer) if friendship else Relationship.NONE


async def find_person(viewer: User, code: str) -> tuple[User, Relationship]:
    """The person with that code, and what they are to the viewer; raises Missing as `tie` does."""
    try:
        other = await User.get_by_code(code)
    except NotFound:
        await Block.exists_between(viewer, viewer)  # it takes as long as for somebody who has blocked them
        raise
    return other, await relationship(viewer, other)


async def without_blocked(viewer: User, users: Collection[User]) -> list[User]:
    """Those of the users whom no block stands between."""
    blocked = await Block.blocked_either_way(viewer)
    return [user for user in users if user.id not in blocked]
