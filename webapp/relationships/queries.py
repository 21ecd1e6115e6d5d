"""What people are to each other, as one of them may know it."""

from collections.abc import Collection
from typing import NamedTuple

from webapp.accounts.models import User
from webapp.core.errors import Missing
from webapp.core.i18n import _
from webapp.relationships.models import Block, Friendship, Tie, VeiledBlock


class Circle(NamedTuple):
    """Everybody whom a person has something with."""

    asking: list[User]
    asked: list[User]
    friends: list[User]
    blocked: list[User]
    veiled: list[VeiledBlock]


async def circle(user: User) -> Circle:
    requests = await Friendship.requests(user)
    asking = [one.other(user) for one in requests if one.asked_by != user.id]
    asked = [one.other(user) for one in requests if one.asked_by == user.id]
    return Circle(asking, asked, await Friendship.friends(user), await Block.people(user), await VeiledBlock.by(user))


async def tie(viewer: User, other: User) -> Tie:
    """
    What the other is to the viewer; raises Missing when the other has blocked them.

    Whom the viewer has blocked stays that, whatever the other does: who could no longer find the way to unblock
    somebody would know why.
    """
    if viewer.id == other.id:
        return Tie.SELF
    blocks = await Block.between(viewer, other)
    if (viewer.id, True) in blocks:
        return Tie.BLOCKED
    # Not the viewer's own veiled block, which their page of the other must not give away.
    if other.id in dict(blocks):
        raise Missing(_("Nobody has that code."))
    friendship = await Friendship.between(viewer, other)
    return friendship.tie(viewer) if friendship else Tie.NONE


async def meet(viewer: User, code: str) -> tuple[User, Tie]:
    """The person with that code, and what they are to the viewer; raises Missing as `tie` does."""
    try:
        other = await User.by_code(code)
    except Missing:
        await Block.exists_between(viewer, viewer)  # it takes as long as for somebody who has blocked them
        raise
    return other, await tie(viewer, other)


async def reachable(viewer: User, users: Collection[User]) -> list[User]:
    """Those of the users whom no block stands between."""
    blocked = await Block.around(viewer)
    return [user for user in users if user.id not in blocked]
