"""The queries of invitations: the one of a link, and lists of them with who came."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

from webapp.accounts.queries import person_columns, person_from
from webapp.accounts.viewer import PersonRow
from webapp.conversations import kinds
from webapp.conversations.roles import MAY, MAY_INVITE_WITH_MEMBERS, MEMBERS, Act
from webapp.db import sql

PAGE_SIZE = 20
# Of those who came by one invitation so many are named, the latest.
MAX_NAMED = 10

_INVITERS, _INVITING_MEMBERS = (
    ", ".join(f"'{role}'" for role in sorted(roles)) for roles in (MAY[Act.INVITE], MAY_INVITE_WITH_MEMBERS)
)
# Whether its maker may still invite there. An invitation is none while they may not: nobody has to revoke it.
MAKER_MAY = f"""
EXISTS (
    SELECT 1 FROM "user" AS maker
    LEFT JOIN room ON room.id = invitation.room_id
    LEFT JOIN membership AS own ON own.room_id = invitation.room_id AND own.user_id = maker.id
    WHERE maker.id = invitation.maker_id AND maker.username IS NOT NULL
        AND (maker.banned_until IS NULL OR maker.banned_until <= ?)
        AND CASE WHEN invitation.room_id IS NULL THEN maker.is_admin
            ELSE room.closed_at IS NULL AND room.kind IN ({kinds.sql_names(lambda kind: kind.has_owner)}) AND (
                own.role IN ({_INVITERS})
                OR room.who_invites = '{MEMBERS}' AND own.role IN ({_INVITING_MEMBERS})
                OR maker.is_admin AND room.kind IN (
                    {kinds.sql_names(lambda kind: kind.has_owner and not kind.is_private)}
                )
            ) END
)"""
# Whether it was not revoked, has not expired and is not used up. In an update of the row this is read once it is
# locked, which MAKER_MAY is not.
UNSPENT = """
invitation.revoked_at IS NULL AND (invitation.expires_at IS NULL OR invitation.expires_at > ?)
AND (invitation.most_uses IS NULL OR invitation.uses < invitation.most_uses)"""

# The people behind both kinds of rows come first, as `person_from` takes them.
_INVITATION = f"""
SELECT {person_columns("inviter")}, inviter.username IS NOT NULL AS has_maker,
    invitation.id AS invitation_id, invitation.room_id,
    invitation.note, invitation.made_at, invitation.expires_at, invitation.most_uses, invitation.uses,
    invitation.revoked_at, COALESCE(({UNSPENT}) AND {MAKER_MAY}, FALSE) AS is_valid
FROM invitation LEFT JOIN "user" AS inviter ON inviter.id = invitation.maker_id
WHERE """
_CAME = f"""
SELECT {person_columns("person")}, latest.invitation_id
FROM (
    SELECT invitation_id, user_id, ROW_NUMBER() OVER (PARTITION BY invitation_id ORDER BY id DESC) AS place
    FROM invitation_use WHERE invitation_id IN ({{invitations}})
) AS latest JOIN "user" AS person ON person.id = latest.user_id AND person.username IS NOT NULL
WHERE latest.place <= {MAX_NAMED} ORDER BY latest.place"""


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """An invitation as a query has read it; `is_valid` is whether it brings people in now."""

    id: int
    room_id: int | None
    maker: PersonRow | None
    note: str
    made_at: datetime
    expires_at: datetime | None
    most_uses: int | None
    uses: int
    revoked_at: datetime | None
    is_valid: bool
    # The latest who came by it.
    people: list[PersonRow] = field(default_factory=list)

    @property
    def others(self) -> int:
        """How many more came by it than are named."""
        return max(0, self.uses - len(self.people))

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)

    @property
    def is_used_up(self) -> bool:
        return self.most_uses is not None and self.uses >= self.most_uses


def _invitation(row: sql.Row) -> InvitationRow:
    expires_at, revoked_at = row["expires_at"], row["revoked_at"]
    return InvitationRow(
        id=row["invitation_id"],
        room_id=row["room_id"],
        maker=person_from(row) if row["has_maker"] else None,
        note=row["note"],
        made_at=sql.from_db(row["made_at"]),
        expires_at=expires_at and sql.from_db(expires_at),
        most_uses=row["most_uses"],
        uses=row["uses"],
        revoked_at=revoked_at and sql.from_db(revoked_at),
        is_valid=bool(row["is_valid"]),
    )


def times(now: datetime | None = None) -> tuple[datetime | str, datetime | str]:
    """Return the time of UNSPENT and MAKER_MAY, one behind the other, as a query takes them."""
    at = sql.to_db(now or datetime.now(UTC))
    return at, at


async def by_digest(digest: str, now: datetime | None = None) -> InvitationRow | None:
    """Return the invitation, if there is one, as it is at this time."""
    found = await sql.fetch_inline(_INVITATION + "invitation.digest = ?", *times(now), digest)
    return _invitation(found[0]) if found else None


async def count_valid(room_id: int | None) -> int:
    """Return how many invitations bring people to the room, or to the site."""
    place, values = _of_place(room_id)
    found = await sql.fetch_inline(
        f"SELECT COUNT(*) AS count FROM invitation WHERE {place} AND {UNSPENT} AND {MAKER_MAY}", *values, *times()
    )
    return int(found[0]["count"])


async def list_invitations(room_id: int | None, maker_id: int | None = None, page: int = 1) -> list[InvitationRow]:
    """
    Return the invitations to the room, or to the site, the latest first: a page and one more to show there is.

    With `maker_id` only what this person has made.
    """
    place, values = _of_place(room_id)
    if maker_id is not None:
        place, values = f"{place} AND invitation.maker_id = ?", [*values, maker_id]
    rows = await sql.fetch_inline(
        f"{_INVITATION}{place} ORDER BY invitation.id DESC LIMIT ? OFFSET ?",
        *times(), *values, PAGE_SIZE + 1, (page - 1) * PAGE_SIZE,
    )  # fmt: skip
    found = [_invitation(row) for row in rows]
    came = await _came([one.id for one in found])
    return [replace(one, people=came.get(one.id, [])) for one in found]


class MadeRow(NamedTuple):
    """An invitation that a person made: to the room of that key, None for the site, and how many it has brought."""

    room_key: str | None
    note: str
    made_at: datetime
    uses: int


async def made_by(user_id: int, limit: int) -> list[MadeRow]:
    """Return the invitations that the person has made, the latest first: so many at most."""
    rows = await sql.fetch_all(
        "SELECT room.key, invitation.note, invitation.made_at, invitation.uses "
        "FROM invitation LEFT JOIN room ON room.id = invitation.room_id "
        "WHERE invitation.maker_id = ? ORDER BY invitation.id DESC LIMIT ?",
        user_id, limit,
    )  # fmt: skip
    return [MadeRow(row["key"], row["note"], sql.from_db(row["made_at"]), row["uses"]) for row in rows]


def _of_place(room_id: int | None) -> tuple[str, list[object]]:
    return ("invitation.room_id IS NULL", []) if room_id is None else ("invitation.room_id = ?", [room_id])


async def _came(invitations: Collection[int]) -> dict[int, list[PersonRow]]:
    """Return who came by each of these, the latest first; MAX_NAMED at most."""
    people: dict[int, list[PersonRow]] = {}
    if invitations:
        query = _CAME.format(invitations=sql.placeholders(invitations))
        for row in await sql.fetch_all(query, *invitations):
            people.setdefault(row["invitation_id"], []).append(person_from(row))
    return people
