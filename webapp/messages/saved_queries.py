"""The queries of saved messages: what a person has put aside, without what they may not read any more."""

from datetime import UTC, datetime
from typing import NamedTuple

from webapp.conversations import kinds
from webapp.conversations.group_queries import group_titles
from webapp.conversations.kinds import DELETED_ACCOUNT, NOTES, KeyedKind
from webapp.conversations.seats import KICKED
from webapp.core.i18n import Text
from webapp.db import sql
from webapp.messages.queries import MESSAGES, MessageRow, files_in, message_from

PAGE_SIZE = 30
# Rooms by how a seat would be found there: what one may not read any more is not listed, and comes back with the right.
_SAVED = """
SELECT saved.id, saved.saved_at, message.id AS message_id, message.room_id, message.number, room.key, room.kind,
    room.name, room.low, room.high, other.display_name
FROM saved JOIN message ON message.id = saved.message_id JOIN room ON room.id = message.room_id
    LEFT JOIN membership AS mine ON mine.room_id = room.id AND mine.user_id = saved.user_id
    LEFT JOIN "user" AS other ON other.id = room.low + room.high - saved.user_id
WHERE saved.user_id = ? AND saved.id < ? AND message.removed_at IS NULL AND room.closed_at IS NULL
    AND message.number >= room.first_number
    AND room.kind IN ({keyed}) AND CASE
        WHEN mine.id IS NULL THEN room.kind IN ({open})
        WHEN mine.role = ? THEN room.kind IN ({open}) AND mine.kicked_until <= ?
        ELSE TRUE END
ORDER BY saved.id DESC LIMIT ?
"""
MAX_ID = 2**62


class SavedRow(NamedTuple):
    """A saved message, and the room where it stands."""

    id: int
    saved_at: datetime
    room_path: str
    title: Text
    is_between_two: bool
    message: MessageRow


async def list_saved(user_id: int, before: int = MAX_ID, limit: int = PAGE_SIZE + 1) -> list[SavedRow]:
    """Return what the person has saved and may read, the latest first, of those before that one (by id)."""
    keyed = kinds.sql_names(lambda kind: isinstance(kind, KeyedKind))
    query = _SAVED.format(keyed=keyed, open=kinds.sql_names(lambda kind: not kind.is_private))
    found = await sql.fetch_all(query, user_id, before, KICKED, sql.to_db(datetime.now(UTC)), limit)
    if not found:
        return []
    ids = [row["message_id"] for row in found]
    rows = await sql.fetch_inline(f"{MESSAGES} message.id IN ({sql.placeholders(ids)})", *ids)
    messages = {(row["room_id"], row["number"]): row for row in rows}
    paths = {row["room_id"]: kinds.of_stored(row["kind"]).path(row["room_id"], row["key"]) for row in found}
    files, groups = await files_in(rows, paths), await group_titles(found, user_id)
    saved = []
    for row in found:
        kind = kinds.of_stored(row["kind"])
        path, title = paths[row["room_id"]], groups.get(row["room_id"]) or row["name"]
        if kind.is_between_two:
            title = NOTES if row["low"] == row["high"] else row["display_name"] or DELETED_ACCOUNT
        # One that was deleted since.
        if message := messages.get((row["room_id"], row["number"])):
            shown = message_from(message, path, {}, files)
            saved.append(SavedRow(row["id"], sql.from_db(row["saved_at"]), path, title, kind.is_between_two, shown))
    return saved


async def is_saved(user_id: int, message_id: int) -> bool:
    """Return whether the person has saved the message."""
    query = "SELECT 1 FROM saved WHERE user_id = ? AND message_id = ?"
    return bool(await sql.fetch_inline(query, user_id, message_id))
