"""Lines in the log that nobody wrote: what happened to the room, which everybody in it is to know."""

from datetime import UTC, datetime

from webapp.conversations.notice_words import MARK
from webapp.core.clock import to_site_time
from webapp.core.errors import NotFound
from webapp.core.i18n import _
from webapp.db import sql
from webapp.messages.queries import times_of


async def insert(room_id: int, notice: str) -> int:
    """
    Store a line as the room's newest, within a transaction; return the room's new version. Raises NotFound.

    `notice` is a word and, after a colon, what it is about: the sentence is made of it where it is read.
    """
    now = datetime.now(UTC)
    taken = await sql.execute(
        "UPDATE room SET version = version + 1, last_number = last_number + 1, last_at = ?, last_line = ?, "
        "is_last_removed = FALSE, last_author = NULL WHERE id = ? AND closed_at IS NULL RETURNING version, last_number",
        sql.to_db(now), MARK + notice, room_id,
    )  # fmt: skip
    if not taken:
        raise NotFound(_("The room has been deleted."))
    version, number = taken[0]
    before = await times_of(room_id, [number - 1])
    is_same_day = any(to_site_time(at).date() == to_site_time(now).date() for at in before.values())
    await sql.execute(
        "INSERT INTO message (room_id, number, posted_version, version, body, html, continues, opens_day, created_at, "
        "notice) VALUES (?, ?, ?, ?, '', '', FALSE, ?, ?, ?) RETURNING id",
        room_id, number, version, version, not is_same_day, sql.to_db(now), notice,
    )  # fmt: skip
    return int(version)
