"""Who may what in a room, and with whom, by their roles: one table. README.md has it in words."""

from enum import StrEnum
from typing import Protocol

from webapp.db import sql

# Roles of members. Who is not in the room and has a row all the same is KICKED: until they come back, for good, or, of
# who was asked to come in and has not answered, without a time (`MembershipRow.is_asked`).
OWNER, MODERATOR, MEMBER, KICKED = "owner", "mod", "member", "kicked"
# Who posts in a room, and who invites to it.
OWNERS, MODERATORS, MEMBERS = "owners", "moderators", "members"


class Act(StrEnum):
    """What not everybody may do in a room that has owners."""

    # Its name, face, topic, kind, who posts and invites, slow mode, how long messages stay; promoting, deleting.
    OWN = "own"
    # Removing what others wrote, pinning, calling everyone, locking, removing and banning people, posting where few do.
    MODERATE = "moderate"
    INVITE = "invite"


MAY: dict[Act, frozenset[str]] = {
    Act.OWN: frozenset({OWNER}),
    Act.MODERATE: frozenset({OWNER, MODERATOR}),
    Act.INVITE: frozenset({OWNER}),
}
# Where a room's owners have chosen that its members invite.
MAY_INVITE_WITH_MEMBERS = frozenset({OWNER, MODERATOR, MEMBER})


class Change(StrEnum):
    """What one does with another person of a room; the words are those of its form."""

    MAKE_OWNER = "make_owner"
    MAKE_MODERATOR = "make_moderator"
    MAKE_MEMBER = "make_member"
    REMOVE = "remove"
    BAN = "ban"
    UNBAN = "unban"


ROLE_AFTER = {Change.MAKE_OWNER: OWNER, Change.MAKE_MODERATOR: MODERATOR, Change.MAKE_MEMBER: MEMBER}
NEEDS = {
    change: Act.OWN if change in ROLE_AFTER else Act.MODERATE for change in Change
}  # fmt: skip
_RANKS = {OWNER: 3, MODERATOR: 2, MEMBER: 1}


class _Room(Protocol):
    @property
    def who_invites(self) -> str: ...


class _Seat(Protocol):
    @property
    def authority(self) -> str: ...

    @property
    def room(self) -> _Room: ...


def may(seat: _Seat, act: Act) -> bool:
    """Return whether the viewer may do this here; an administrator may in rooms that everybody reads."""
    if act is Act.INVITE and seat.room.who_invites == MEMBERS:
        return seat.authority in MAY_INVITE_WITH_MEMBERS
    return seat.authority in MAY[act]


def may_change(authority: str, change: Change, role: str, is_self: bool = False) -> bool:
    """
    Return whether one of this authority may do so with one of that role, which is empty for who is no member.

    Nobody removes or bans who is their equal: an owner is made a member first. Who steps down needs no owner.
    """
    after = ROLE_AFTER.get(change)
    if after:
        steps_down = is_self and rank(after) < rank(role)
        return role in _RANKS and role != after and (authority in MAY[Act.OWN] or steps_down)
    if is_self or authority not in MAY[Act.MODERATE]:
        return False
    if change is Change.BAN:
        return rank(role) < rank(authority)
    return role == KICKED if change is Change.UNBAN else 0 < rank(role) < rank(authority)


def rank(role: str) -> int:
    """Return how much one of this role may: more than who has less."""
    return _RANKS.get(role, 0)


def authority(role: str, is_admin: bool, is_private: bool) -> str:
    """Return as what one acts in a room that has owners: an administrator as its owner where everybody reads it."""
    return OWNER if is_admin and not is_private else role


async def stored_authority(room_id: int, user_id: int, is_private: bool) -> str:
    """Return the same as it is stored, within the transaction that holds the room's lock."""
    rows = await sql.fetch_inline(
        'SELECT is_admin, (SELECT role FROM membership WHERE room_id = ? AND user_id = "user".id) AS role '
        'FROM "user" WHERE id = ?',
        room_id, user_id,
    )  # fmt: skip
    return authority(rows[0]["role"] or "", bool(rows[0]["is_admin"]), is_private) if rows else ""


async def has_several_owners(room_id: int) -> bool:
    """Return whether one of the room's owners can go without leaving it to nobody."""
    return (
        len(
            await sql.fetch_inline(f"SELECT id FROM membership WHERE room_id = ? AND role = '{OWNER}' LIMIT 2", room_id)
        )
        > 1
    )
