"""Coming by an invitation: what a link is worth now, and the transaction that spends one of its uses."""

from datetime import datetime

from starlette.requests import Request

from webapp import settings
from webapp.accounts.destinations import INVITATION_OVER, Invitation
from webapp.conversations import members
from webapp.conversations import queries as rooms
from webapp.conversations.seats import RoomRow
from webapp.core.errors import Forbidden, NotFound
from webapp.core.i18n import _
from webapp.db import sql, transaction
from webapp.http.client import client
from webapp.http.limits import require_below, throttle
from webapp.http.urls import path_for
from webapp.invitations import queries
from webapp.invitations.queries import UNSPENT, InvitationRow
from webapp.invitations.tokens import digest_of

# A link is worth a membership: no search engine lists it, no cache holds it, and no request that follows has it as its
# Referer. With `no-referrer` a form would have no Origin either, by which Safari before 16.4 alone shows where a post
# comes from; and a browser without cookies would not learn that it has none.
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "strict-origin", "X-Robots-Tag": "noindex"}
CANNOT_JOIN = _("You can't join this room.")


class InvitationOver(NotFound):
    """There never was such an invitation, or it is over: the answer is the same."""

    def __init__(self) -> None:
        super().__init__(INVITATION_OVER)
        self.headers = HEADERS


async def find(request: Request, token: str) -> InvitationRow | None:
    """Return the valid invitation of this token; raise TooManyRequests where too many were none."""
    guess = ("invitation", client(request).address)
    await require_below(settings.RATE_GUESS, *guess)
    digest = digest_of(token)
    found = await queries.by_digest(digest) if digest else None
    if found is None:
        await throttle(settings.RATE_GUESS, *guess)
    return found if found and found.is_valid else None


async def require(request: Request, token: str) -> InvitationRow:
    """Return the valid invitation of this token; raise InvitationOver, and TooManyRequests as `find` does."""
    found = await find(request, token)
    if found is None:
        raise InvitationOver
    return found


async def room_of(invitation: InvitationRow) -> RoomRow | None:
    """Return the room that it leads to, None for the site; raise InvitationOver where it has just been deleted."""
    if invitation.room_id is None:
        return None
    room = await rooms.room_by_id(invitation.room_id)
    if room is None:
        raise InvitationOver
    return room


async def for_registration(request: Request, token: str) -> Invitation | None:
    """Return what a new account comes by with this token; None where it is not valid."""
    found = await find(request, token)
    if found is None:
        return None
    room = await room_of(found)

    async def use(user_id: int) -> None:
        await _use(found, user_id)

    return Invitation(room.name if room else "", room.path if room else path_for("lobby"), use)


async def join(invitation: InvitationRow, user_id: int) -> None:
    """
    Make the person a member of the room, and spend a use of the invitation, both or neither; members spend none.

    Raise InvitationOver where it has no use left or was revoked, and Forbidden for who is banned from the room.
    """
    await transaction.transact(_use, invitation, user_id)


async def _use(invitation: InvitationRow, user_id: int) -> None:
    """Within a transaction. The room's row is locked first, as by whatever changes roles and deletes rooms."""
    if invitation.room_id is not None:
        try:
            maker = invitation.maker
            joined = await members.join_in_transaction(invitation.room_id, user_id, maker.id if maker else None)
        except Forbidden:
            raise Forbidden(CANNOT_JOIN) from None
        except NotFound:
            raise InvitationOver from None
        if not joined:
            return
    await spend(invitation.id, user_id)


async def spend(invitation_id: int, user_id: int, now: datetime | None = None) -> None:
    """Spend a use for the person, within a transaction; raise InvitationOver."""
    spent = await sql.execute(
        f"UPDATE invitation SET uses = uses + 1 WHERE id = ? AND {UNSPENT} AND {queries.MAKER_MAY} RETURNING id",
        invitation_id, *queries.times(now),
    )  # fmt: skip
    if not spent:
        raise InvitationOver
    await sql.execute(
        "INSERT INTO invitation_use (invitation_id, user_id, used_at) VALUES (?, ?, ?) "
        "ON CONFLICT (invitation_id, user_id) DO UPDATE SET used_at = excluded.used_at RETURNING id",
        invitation_id, user_id, queries.times(now)[0],
    )  # fmt: skip
