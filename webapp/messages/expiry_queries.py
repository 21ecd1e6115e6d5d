"""The queries of messages whose time has come: which rooms have some, and which they are."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from webapp import settings
from webapp.conversations import kinds
from webapp.conversations.seats import kept_days, within_site
from webapp.db import sql

# So many rooms are looked at together, and of so many messages at once whether all are old enough.
ROOMS_SIZE = 500
SLICE = 5000
# So many messages are deleted at once: who writes meanwhile waits no longer than that takes.
BATCH_SIZE = 200
# What the partial index idx_room_forgetting has: rooms that forget, or have.
_FORGETTING = "(keep_days > 0 OR next_keep_days IS NOT NULL OR first_number > 1)"
# Each with its oldest message, which may be one that has expired and is not deleted yet.
_DUE = f"""
SELECT room.id, room.keep_days, room.next_keep_days, room.keep_changes_at, room.first_number,
    (SELECT number FROM message WHERE message.room_id = room.id ORDER BY number LIMIT 1) AS oldest,
    (SELECT created_at FROM message WHERE message.room_id = room.id ORDER BY number LIMIT 1) AS oldest_at
FROM room WHERE room.id > ? AND {{which}} AND room.closed_at IS NULL
    AND room.kind IN ({kinds.sql_names(lambda kind: kind.keeps_by_days)})
ORDER BY room.id LIMIT ?"""
# None of a room that was deleted: that goes as a whole. What another writer has locked is left for the next time.
_EXPIRED = (
    "SELECT message.id FROM room JOIN message ON message.room_id = room.id AND message.number < room.first_number "
    "WHERE room.id = ? AND room.closed_at IS NULL ORDER BY message.number LIMIT ?"
) + ("" if settings.ON_SQLITE else " FOR UPDATE OF message SKIP LOCKED")


class RoomDue(NamedTuple):
    """A room as a purge looks at it; `days` are those after which its messages go now, 0 for never."""

    room_id: int
    days: int
    # Whether what was to take effect has, whether expired messages are still stored, and whether more have expired.
    has_changed: bool
    is_left: bool
    is_old: bool

    def __bool__(self) -> bool:
        return self.has_changed or self.is_left or self.is_old


async def rooms_to_look_at(after: int) -> list[RoomDue]:
    """Return the rooms of which something may have to go, in the order of their ids: those after that one."""
    query = _DUE.format(which="TRUE" if settings.KEEP_MESSAGES_DAYS else _FORGETTING)
    return [_due(row) for row in await sql.fetch_all(query, after, ROOMS_SIZE)]


def _due(row: sql.Row) -> RoomDue:
    changes_at = sql.from_db(row["keep_changes_at"]) if row["keep_changes_at"] else None
    days = kept_days(row["keep_days"], row["next_keep_days"], changes_at)
    has_changed = row["next_keep_days"] is not None and changes_at is not None and changes_at <= datetime.now(UTC)
    is_left = row["oldest"] is not None and row["oldest"] < row["first_number"]
    # Where expired messages are still stored this is about them: whether there are more is found by looking.
    is_old = bool(row["oldest_at"]) and within_site(days) > 0 and sql.from_db(row["oldest_at"]) < limit(days)
    return RoomDue(row["id"], days, has_changed, is_left, is_old)


def limit(days: int) -> datetime:
    """Return since when messages stay in a room where that is so many days, which must not be 0."""
    return datetime.now(UTC) - timedelta(days=within_site(days))


async def first_younger(room_id: int, start: int, end: int, moment: datetime) -> int | None:
    """Return the number of the first message of that moment or later from one number up to another, None without."""
    rows = await sql.fetch_all(
        "SELECT number FROM message WHERE room_id = ? AND number >= ? AND number < ? AND created_at >= ? "
        "ORDER BY number LIMIT 1",
        room_id, start, end, sql.to_db(moment),
    )  # fmt: skip
    return int(rows[0]["number"]) if rows else None


async def expired_messages(room_id: int) -> Sequence[int]:
    """Return the ids of expired messages that are still stored, the oldest first: BATCH_SIZE at most."""
    return [row["id"] for row in await sql.fetch_all(_EXPIRED, room_id, BATCH_SIZE)]


async def count_removed(room_id: int, first_number: int) -> int:
    """Return how many of the room's messages from that number on were removed, by the index that has them alone."""
    [row] = await sql.fetch_all(
        "SELECT count(*) AS n FROM message WHERE room_id = ? AND number >= ? AND removed_at IS NOT NULL",
        room_id, first_number,
    )  # fmt: skip
    return int(row["n"])
