"""Slow mode: the pause between two messages of a member, exact whatever arrives at the same moment."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from math import ceil

from webapp.conversations import rules
from webapp.conversations.roles import MAY, Act, authority
from webapp.conversations.seats import RoomRow
from webapp.core.errors import TooManyRequests
from webapp.core.i18n import _
from webapp.db import sql


class TooSoon(TooManyRequests):
    """A member of a room in slow mode has written a moment ago."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds, _("You can write again in %(time)s.", time=rules.span(seconds)))


class Pace:
    """When those who are to wait wrote last; of a room without slow mode nobody."""

    def __init__(self, seconds: int, last: Mapping[int, datetime | None]) -> None:
        self._pause = timedelta(seconds=seconds)
        self._last = dict(last)

    @classmethod
    async def read(cls, room: RoomRow, authors: Collection[int], roles: Mapping[int, str]) -> "Pace":
        """Read it of these authors, whose roles are those of members, within the transaction that holds the lock."""
        if not room.slow_seconds:
            return cls(0, {})
        rows = await sql.fetch_inline(
            'SELECT id, is_admin, (SELECT created_at FROM message WHERE author_id = "user".id AND room_id = ? '
            f'ORDER BY number DESC LIMIT 1) AS last_at FROM "user" WHERE id IN ({sql.placeholders(authors)})',
            room.id, *authors,
        )  # fmt: skip
        last: dict[int, datetime | None] = {}
        for row in rows:
            held = authority(roles.get(row["id"], ""), bool(row["is_admin"]), room.kind.is_private)
            if held not in MAY[Act.MODERATE]:
                last[row["id"]] = sql.from_db(row["last_at"]) if row["last_at"] else None
        return cls(room.slow_seconds, last)

    def admit(self, author_id: int, now: datetime) -> None:
        """Count a message of the author's; raise TooSoon where it comes too soon after the one before."""
        if author_id not in self._last:
            return
        last = self._last[author_id]
        if last and now < last + self._pause:
            # The clock may have been set back since.
            rest = min(last + self._pause - now, self._pause)
            raise TooSoon(ceil(rest.total_seconds()))
        self._last[author_id] = now
