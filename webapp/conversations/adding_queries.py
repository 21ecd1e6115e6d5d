"""Who may be added to a group: plain SQL into rows."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple

from webapp.accounts.viewer import EVERYONE, NOBODY
from webapp.db import sql


class CandidateRow(NamedTuple):
    """A person whose code was chosen."""

    id: int
    added_by: str

    def is_addable(self, is_friend: bool) -> bool:
        """Whether they let the one who adds them do so; who is no friend is asked first."""
        return self.added_by != NOBODY and (is_friend or self.added_by == EVERYONE)


async def candidates(codes: Collection[str]) -> list[CandidateRow]:
    """Return the people of these codes who have an account and are not banned, by their ids."""
    rows = await sql.fetch_inline(
        f'SELECT id, added_by FROM "user" WHERE code IN ({sql.placeholders(codes)}) AND NOT is_guest '
        "AND username IS NOT NULL AND (banned_until IS NULL OR banned_until < ?) ORDER BY id",
        *codes, sql.to_db(datetime.now(UTC)),
    )  # fmt: skip
    return [CandidateRow(row["id"], row["added_by"]) for row in rows]
