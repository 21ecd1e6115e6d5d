"""The rooms and chats that somebody is in, as the list at the side of every page shows them."""

from datetime import datetime
from typing import Any
from urllib.parse import quote
from zlib import crc32

from webapp import database
from webapp.accounts.models import HUES, Avatar, User
from webapp.rooms.models import DIRECT, NOTEBOOK

MOST = 50

# A chat has the other's name and picture, as long as there is the other; a request of somebody who is blocked is not
# shown, nor the last line of a room when it is by somebody whom the viewer has blocked.
QUERY = """
SELECT room.id AS room_id, room.key, room.kind, room.name, room.low, room.high, room.last_number, room.last_at,
    room.last_author, membership.read_number, membership.delivered_number,
    membership.muted, membership.is_request,
    other.code AS other_code, other.display_name AS other_name, other.picture AS other_picture,
    CASE WHEN room.kind <> 'direct' AND room.last_author IN (SELECT blocked_id FROM block WHERE blocker_id = ?)
        THEN '' ELSE room.last_line END AS last_line
FROM membership
JOIN room ON room.id = membership.room_id
LEFT JOIN "user" AS other ON room.kind = 'direct' AND other.id = room.low + room.high - membership.user_id
WHERE membership.user_id = ? AND membership.role <> 'kicked' AND room.closed_at IS NULL
    AND NOT (membership.is_request AND COALESCE(other.id, 0) IN (
        SELECT blocked_id FROM block WHERE blocker_id = ? UNION ALL SELECT blocker_id FROM block WHERE blocked_id = ?))
ORDER BY room.last_at DESC, room.id DESC LIMIT ?
"""


class Entry:
    """A room or a chat in somebody's sidebar."""

    def __init__(self, user: User, row: dict[str, Any]) -> None:
        self.room_id, self.key = row["room_id"], row["key"]
        self.is_chat = row["kind"] == DIRECT
        self.is_request, self.muted = bool(row["is_request"]), bool(row["muted"])
        self.unread = 0 if self.muted else max(0, row["last_number"] - row["read_number"])
        # Whether the one who wrote can be told that it has come to the viewer.
        has_come = row["delivered_number"] >= row["last_number"]
        self.is_to_come = self.is_chat and not self.is_request and not has_come and bool(self.unread or self.muted)
        self.at: datetime | None = _moment(row["last_at"]) if row["last_number"] else None
        self.line: str = row["last_line"]
        self.is_mine = row["last_author"] == user.id
        self.path = f"/rooms/{quote(self.key, safe='')}"
        self.name, self.hue = row["name"], crc32(self.key.encode()) % HUES
        self.avatar: Avatar | None = None
        if self.is_chat:
            is_notebook = row["low"] == row["high"]
            self.name = NOTEBOOK if is_notebook else row["other_name"] or "Someone who left"
            self.avatar = Avatar.of(row["other_name"] or "", row["other_code"] or "", row["other_picture"])


def _moment(stored: datetime | str) -> datetime:
    """SQLite keeps it as text."""
    return stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)


async def entries(user: User) -> list[Entry]:
    """The latest of the person's rooms and chats, in one query."""
    return [Entry(user, row) for row in await database.rows(QUERY, *[user.id] * 4, MOST)]
