"""Making and revoking invitations: how long they last, how many they bring, and how many there may be."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tortoise.expressions import F

from webapp.accounts.viewer import Viewer
from webapp.conversations.models import Room
from webapp.core import text
from webapp.core.errors import Forbidden, Invalid, NotFound
from webapp.core.i18n import Text, _
from webapp.db import sql, transaction
from webapp.http.params import whole
from webapp.invitations import queries
from webapp.invitations.models import NOTE_LENGTH, Invitation
from webapp.invitations.tokens import digest_of, make_token

DEFAULT_DAYS, DEFAULT_USES = 7, 10
MAX_DAYS, MAX_USES = 90, 1000
MAX_VALID = 100
ENDLESS = _("Only administrators make invitations without end.")


@dataclass(frozen=True, slots=True)
class Terms:
    """How long an invitation lasts and how many it brings, each None for without end; and a note about it."""

    days: int | None
    uses: int | None
    note: str

    @classmethod
    def of(cls, form: dict[str, str], is_admin: bool) -> "Terms":
        """Return what was typed; raise Invalid, by field."""
        problems: dict[str, Text] = {}
        days, uses = whole(form["days"], DEFAULT_DAYS), whole(form["uses"], DEFAULT_USES)
        note = text.clean_line(form["note"])
        for name, number, most in (("days", days, MAX_DAYS), ("uses", uses, MAX_USES)):
            if number == 0 and not is_admin:
                problems[name] = ENDLESS
            elif number > most:
                problems[name] = _("Use a number up to %(most)s.", most=most)
        if len(note) > NOTE_LENGTH:
            problems["note"] = _("Use at most %(most)s characters.", most=NOTE_LENGTH)
        if problems:
            raise Invalid(**problems)
        return cls(days or None, uses or None, note)


async def make(maker: Viewer, room_id: int | None, terms: Terms, nonce: str) -> str:
    """
    Make an invitation to the room, or to the site; return its token, which is shown this once.

    The same form sent again has the same token, and makes no other. Raise Forbidden where there are too many.
    """
    token = make_token(maker.id, room_id, terms.days, terms.uses, terms.note, nonce)
    await transaction.transact(_insert, maker.id, room_id, terms, digest_of(token))
    return token


async def _insert(maker_id: int, room_id: int | None, terms: Terms, digest: str) -> None:
    if room_id is not None:  # its lock is what makes two at once count each other
        await Room.filter(id=room_id).update(member_count=F("member_count"))
    now = datetime.now(UTC)
    expires_at = now + timedelta(days=terms.days) if terms.days else None
    made = await sql.execute(
        "INSERT INTO invitation (room_id, digest, maker_id, note, made_at, expires_at, most_uses, uses) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (digest) DO NOTHING RETURNING id",
        room_id, digest, maker_id, terms.note, sql.to_db(now), expires_at and sql.to_db(expires_at), terms.uses,
    )  # fmt: skip
    if made and await queries.count_valid(room_id) > MAX_VALID:
        raise Forbidden(_("There are %(most)s invitations already. Revoke some first.", most=MAX_VALID))


async def revoke(invitation_id: int, room_id: int | None, maker_id: int | None = None) -> None:
    """Revoke an invitation of this room, or to the site; with `maker_id` only this person's. Raise NotFound."""
    found = Invitation.filter(id=invitation_id, room_id=room_id)
    if maker_id is not None:
        found = found.filter(maker_id=maker_id)
    if not await found.exists():
        raise NotFound
    await found.filter(revoked_at=None).update(revoked_at=datetime.now(UTC))
