"""Who may what in a room, by their role: one table."""

from enum import StrEnum

from webapp.conversations.seats import MODERATOR, OWNER, Seat


class Act(StrEnum):
    """What not everybody may do in a room that has owners."""

    # Its name, face, topic, kind, who posts and invites, slow mode, how long messages stay; promoting, deleting.
    OWN = "own"
    # Removing what others wrote, pinning, calling everyone, locking, kicking, banning, posting where few do.
    MODERATE = "moderate"
    INVITE = "invite"


MAY: dict[Act, frozenset[str]] = {
    Act.OWN: frozenset({OWNER}),
    Act.MODERATE: frozenset({OWNER, MODERATOR}),
    Act.INVITE: frozenset({OWNER}),
}


def may(seat: Seat, act: Act) -> bool:
    """Return whether the viewer may do this here; an administrator may in rooms that everybody reads."""
    if not seat.kind.has_owner:
        return False
    role = seat.membership.role if seat.membership else ""
    return role in MAY[act] or (seat.viewer.is_admin and not seat.kind.is_private)
