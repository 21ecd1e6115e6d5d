"""
How files go: their rows within a transaction, the files themselves once it is committed.

So no row ever names a file that is not there. What a crash leaves between the two is a file that no row names, which
the sweep finds an hour later.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from webapp.conversations.kinds import DIRECT
from webapp.db import sql, transaction
from webapp.media.files import file_store

# What is left in a composer goes a day after it was begun.
PENDING_LIFETIME = timedelta(hours=24)
BATCH_SIZE = 200
_RETURNED = "RETURNING code, thumb_size, room_id"


class Stored(Protocol):
    """Whatever has a file, and maybe a thumbnail."""

    code: str
    thumb_size: int | None


def names_of(files: Iterable[Stored]) -> list[str]:
    """Return what the store calls these files and their thumbnails."""
    return [name for file in files for name in _names(file.code, file.thumb_size)]


def _names(code: str, thumb_size: int | None) -> list[str]:
    return [code] if thumb_size is None else [code, f"{code}-thumb.webp"]


def _names_of_rows(rows: Iterable[sql.Row]) -> list[str]:
    return [name for row in rows for name in _names(row["code"], row["thumb_size"])]


async def drop(names: Collection[str]) -> None:
    """Delete files whose rows are deleted; for after the commit."""
    if names:
        await file_store().drop(names)


async def take_from(message_id: int, codes: Collection[str] | None = None) -> list[str]:
    """Delete the rows of a message's files, or of some of them, within a transaction; return the names to drop."""
    query = "DELETE FROM attachment WHERE message_id = ?"
    if codes is not None:
        if not codes:
            return []
        query += f" AND code IN ({sql.placeholders(codes)})"
    return _names_of_rows(await sql.execute(f"{query} {_RETURNED}", message_id, *(codes or ())))


async def take_from_all(messages: Collection[int]) -> list[str]:
    """Delete the rows of the files of these messages, within a transaction; return the names to drop."""
    query = f"DELETE FROM attachment WHERE message_id IN ({sql.placeholders(messages)}) {_RETURNED}"
    return _names_of_rows(await sql.execute(query, *messages))


async def delete_of_room(room_id: int) -> None:
    """Delete all files of a closed room, in batches."""
    await _delete_in_batches("room_id = ?", room_id)


async def delete_pending_of(author_id: int) -> None:
    """Delete what is in the person's composers."""
    await _delete_in_batches("author_id = ? AND message_id IS NULL", author_id)


async def delete_expired() -> int:
    """Delete what was left in composers; return how many files that were."""
    begun_before = sql.to_db(datetime.now(UTC) - PENDING_LIFETIME)
    return await _delete_in_batches("message_id IS NULL AND created_at < ?", begun_before)


async def delete_unstarted(room_ids: Collection[int]) -> None:
    """Delete those of the chats that nobody is in, where no file is on its way any more; within a transaction."""
    if not room_ids:
        return
    unstarted = (
        f"id IN ({sql.placeholders(room_ids)}) AND kind = '{DIRECT.stored}' AND member_count = 0 AND last_number = 0"
    )
    # Locked, so that a file that begins in one of these at this moment comes before or after.
    if await sql.execute(f"UPDATE room SET member_count = 0 WHERE {unstarted} RETURNING id", *room_ids):
        await sql.execute(
            f"DELETE FROM room WHERE {unstarted} "
            "AND NOT EXISTS (SELECT 1 FROM attachment WHERE attachment.room_id = room.id) RETURNING id",
            *room_ids,
        )


async def _delete_in_batches(where: str, *values: object) -> int:
    """Delete the rows and then the files of them, some at a time; return how many rows there were."""
    # Asked again of each row when it is locked: a message may have claimed it meanwhile.
    some = f"SELECT id FROM attachment WHERE {where} LIMIT {BATCH_SIZE}"
    query, count = f"DELETE FROM attachment WHERE id IN ({some}) AND {where} {_RETURNED}", 0

    async def write() -> Sequence[sql.Row]:
        rows = await sql.execute(query, *values, *values)
        await delete_unstarted({row["room_id"] for row in rows})
        return rows

    while rows := await transaction.transact(write):
        await drop(_names_of_rows(rows))
        count += len(rows)
    return count
