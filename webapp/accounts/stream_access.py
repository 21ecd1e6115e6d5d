"""Which streams end because of an account: its session has ended, or an administrator keeps it out."""

from collections.abc import Sequence
from datetime import UTC, datetime

from webapp.accounts.endings import BANNED, SIGNED_OUT
from webapp.db import sql
from webapp.live import Ending, Reader


async def check_access(readers: Sequence[Reader]) -> list[tuple[Reader, Ending]]:
    banned = await _banned_by_session({reader.labels["session"] for reader in readers})
    signed_out = [(reader, SIGNED_OUT) for reader in readers if reader.labels["session"] not in banned]
    return signed_out + [(reader, BANNED) for reader in readers if banned.get(reader.labels["session"])]


async def _banned_by_session(sessions: set[int]) -> dict[int, bool]:
    """Those of the sessions that have not ended, and whether an administrator keeps their person out."""
    now = datetime.now(UTC)
    rows = await sql.fetch_inline(
        'SELECT session.id, banned_until > ? AS is_banned FROM session JOIN "user" ON "user".id = user_id '
        f"WHERE session.id IN ({sql.placeholders(sessions)})",
        sql.to_db(now), *sessions,
    )  # fmt: skip
    return {row["id"]: bool(row["is_banned"]) for row in rows}
