"""The files that a person sent, as they stand in an export: under names that any system takes, each once."""

import asyncio
import re
import shutil

from webapp import settings
from webapp.db import sql
from webapp.files.queries import FileRow

FOLDER = "files"
# Of a name so much is used; what may be a path, a drive, a wildcard or a hidden file on some system is replaced.
NAME_LENGTH = 80
UNSAFE = re.compile(r"[^\w .,()+=@-]|^[ .]+|[ .]+$")
ENDING = re.compile(r"\.\w{1,8}$")
COUNTING_SECONDS = 15.0
_SIZE = "SELECT coalesce(sum(size), 0) AS bytes FROM attachment WHERE author_id = ? AND message_id IS NOT NULL"


class ExportedFiles:
    """What goes into the archive after its page, by code: the name of each there, in the order of the page."""

    def __init__(self, is_room: bool) -> None:
        """`is_room` is whether there is room for them on the disk."""
        self.is_room = is_room
        self.entries: dict[str, str] = {}

    def add(self, file: FileRow) -> None:
        if self.is_room:
            self.entries[file.code] = f"{FOLDER}/{len(self.entries) + 1:04}-{safe_name(file.name)}"


def safe_name(name: str) -> str:
    """Return a name that every system takes, with its ending."""
    safe = UNSAFE.sub("_", name)
    ending = ENDING.search(safe)
    tail = ending[0] if ending else ""
    return safe.removesuffix(tail)[: NAME_LENGTH - len(tail)] + tail


async def has_room(user_id: int) -> bool:
    """Return whether the files of the person fit on the disk twice, so that messages have room still."""
    [row] = await sql.fetch_limited(_SIZE, user_id, seconds=COUNTING_SECONDS)
    free = (await asyncio.to_thread(shutil.disk_usage, settings.DATA_DIR)).free
    return int(row["bytes"]) * 2 <= free
