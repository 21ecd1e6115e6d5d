"""Queries of strangers: who is there in a chat, how many wait, and for how long."""

from collections.abc import Collection
from typing import NamedTuple

from webapp.db import sql
from webapp.db.sql import CLOCK
from webapp.strangers.models import GRACE_MS, KIND


class Company(NamedTuple):
    """Whether a chat is over, and the codes of the masks who are away."""

    is_over: bool
    away: tuple[str, ...]
    is_abandoned: bool = False


async def company_in(rooms: Collection[int]) -> dict[int, Company]:
    """Return who is there in each of these chats, in one query."""
    marks = sql.placeholders(rooms)
    rows = await sql.fetch_inline(
        'SELECT room.id, room.locked_at, "user".code, '
        f"stranger.here_until < {CLOCK} AS is_away, stranger.here_until < {CLOCK} - {GRACE_MS} AS is_gone "
        "FROM room LEFT JOIN stranger ON stranger.room_id = room.id "
        'LEFT JOIN "user" ON "user".id = stranger.mask_id '
        f"WHERE room.kind = '{KIND}' AND room.closed_at IS NULL AND room.id IN ({marks})",
        *rooms,
    )
    found: dict[int, Company] = {}
    for row in rows:
        known = found.get(row["id"], Company(row["locked_at"] is not None, ()))
        away = (*known.away, row["code"]) if row["is_away"] and not known.is_over else known.away
        is_abandoned = known.is_abandoned or (bool(row["is_gone"]) and not known.is_over)
        found[row["id"]] = Company(known.is_over, tuple(sorted(away)), is_abandoned)
    return found


async def count_waiting() -> int:
    """Return how many masks wait."""
    # SQLite reads by the index for a comparison, and the whole table for IS NOT NULL.
    [row] = await sql.fetch_all(f"SELECT count(*) AS total FROM stranger WHERE since > 0 AND here_until > {CLOCK}")
    return int(row["total"])


async def seconds_waiting_by_mask(masks: Collection[int]) -> dict[int, int]:
    """Return for how many seconds each of the masks has waited, of those who still do."""
    marks = sql.placeholders(masks)
    rows = await sql.fetch_all(
        f"SELECT mask_id, ({CLOCK} - since) / 1000 AS seconds FROM stranger "
        f"WHERE since IS NOT NULL AND mask_id IN ({marks})",
        *masks,
    )
    return {row["mask_id"]: max(0, row["seconds"]) for row in rows}
