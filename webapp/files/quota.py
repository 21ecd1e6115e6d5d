"""How much each person may have stored and send at once, and how much room there must be left."""

import asyncio
import errno

from webapp import settings
from webapp.core import data_folder
from webapp.core.errors import Invalid, Unavailable
from webapp.core.faults import faults
from webapp.core.i18n import _, current_language
from webapp.db import sql

MAX_FILE_BYTES = settings.MAX_FILE_MB * 2**20
MAX_BYTES = settings.MAX_FILES_GB * 2**30
# How many of one person are on their way at once.
MAX_PENDING = 3

USED = "SELECT COALESCE(SUM(size), 0) AS used FROM attachment WHERE author_id = ?"
NO_SPACE = _("There is too little room left on this server for files. Words can be sent.")


def validate_size(size: int) -> int:
    """Return the size; raise Invalid for one that no file may have."""
    if size < 1:
        raise Invalid(size=_("That file is empty."))
    if size > MAX_FILE_BYTES:
        raise Invalid(size=_("That file is too large; %(most)s MB is the most.", most=settings.MAX_FILE_MB))
    return size


async def require_space() -> None:
    """Raise Unavailable where the disk has little room left: messages need it more."""
    if not await is_space_left():
        faults().space.report(OSError(errno.ENOSPC, "less is free than files leave to messages"))
        raise Unavailable(NO_SPACE)


async def is_space_left() -> bool:
    return await asyncio.to_thread(data_folder.has_space)


async def require_room(author_id: int, size: int) -> None:
    """Raise Invalid where a file of this size is more than the person may have; within the transaction that adds it."""
    # Their row is locked: of two that begin at once, the second counts the first.
    await sql.execute('UPDATE "user" SET is_guest = is_guest WHERE id = ? RETURNING id', author_id)
    [row] = await sql.fetch_all(USED, author_id)
    free = MAX_BYTES - int(row["used"])
    if size > free:
        left = current_language().size(max(0, free))
        raise Invalid(
            size=_("You have %(left)s left for files. Remove messages with files that you don't need.", left=left)
        )
    [row] = await sql.fetch_all(
        "SELECT count(*) AS n FROM attachment WHERE author_id = ? AND message_id IS NULL AND received < size", author_id
    )
    if row["n"] >= MAX_PENDING:
        raise Invalid(file=_("%(most)s files are on their way already. Wait until one has arrived.", most=MAX_PENDING))
