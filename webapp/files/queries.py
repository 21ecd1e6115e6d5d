"""The queries of files: those of messages that are shown, and one that is asked for by its address."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

from webapp.core.i18n import Text, _
from webapp.db import sql
from webapp.files.models import PICTURE

# The room that a picture has in a message, in the pixels of CSS; a thumbnail has more, for fine screens.
MAX_WIDTH, MAX_HEIGHT, MIN_SIDE = 352, 320, 48
# What a column of a query has of a message without words: its first file, for `summary`; else NULL.
FIRST_FILE = """CASE WHEN {message}.file_count > 0 THEN (SELECT attachment.kind || ' ' || attachment.name
    FROM attachment WHERE attachment.message_id = {message}.id ORDER BY attachment.place LIMIT 1) END"""
_FILES = """
SELECT message_id, code, kind, type, name, description, size, width, height, thumb_width, thumb_height, thumb_size
FROM attachment WHERE message_id IN ({messages}) ORDER BY message_id, place"""
_FILE = """
SELECT attachment.code, attachment.kind, attachment.type, attachment.name, attachment.description, attachment.size,
    attachment.width, attachment.height, attachment.thumb_width, attachment.thumb_height, attachment.thumb_size
FROM attachment JOIN message ON message.id = attachment.message_id JOIN room ON room.id = attachment.room_id
WHERE attachment.code = ? AND attachment.room_id = ? AND message.removed_at IS NULL
    AND message.number >= room.first_number"""


class FileRow(NamedTuple):
    """A file of a message, as it is shown; a picture has a thumbnail beside it."""

    room_path: str
    code: str
    kind: str
    type: str
    name: str
    description: str
    size: int
    width: int | None
    height: int | None
    thumb_width: int | None
    thumb_height: int | None
    thumb_size: int | None

    @property
    def path(self) -> str:
        return f"{self.room_path}/files/{self.code}/{quote(self.name, safe='')}"

    @property
    def thumb_path(self) -> str:
        return f"{self.room_path}/files/{self.code}-thumb.webp"

    @property
    def has_picture(self) -> bool:
        return self.kind == PICTURE and bool(self.thumb_width and self.thumb_height)

    @property
    def title(self) -> str:
        """What it is called for who does not see it."""
        return self.description or self.name

    @property
    def extension(self) -> str:
        """What the name ends with, as people call such files: PDF. Empty where it is no such ending."""
        ending = self.name.rpartition(".")[2] if "." in self.name[1:] else ""
        return ending.upper() if ending.isascii() and ending.isalnum() and len(ending) < 6 else ""

    @property
    def shown_size(self) -> tuple[int, int]:
        """The width and height of the thumbnail where it stands alone: what is very long or very flat is cut there."""
        width, height = self.thumb_width or 0, self.thumb_height or 0
        scale = min(1, MAX_WIDTH / max(1, width), MAX_HEIGHT / max(1, height))
        return max(MIN_SIDE, round(width * scale)), max(MIN_SIDE, round(height * scale))


Files = tuple[FileRow, ...]
NO_FILES: Files = ()


async def files_of(messages: Mapping[int, str]) -> dict[int, Files]:
    """Return the files of messages in their order, by the id of each message; given the path of its room by that id."""
    if not messages:
        return {}
    ids = sorted(messages)
    # As many as the next power of two: the engine prepares each number of values by itself.
    ids += [ids[0]] * ((1 << (len(ids) - 1).bit_length()) - len(ids))
    found: dict[int, Files] = {}
    for message, *values in await sql.fetch_inline(_FILES.format(messages=sql.placeholders(ids)), *ids):
        found[message] = (*found.get(message, ()), FileRow(messages[message], *values))
    return found


async def find_file(room_id: int, room_path: str, code: str) -> FileRow | None:
    """Return the file of a message of this room that was not removed; none that is not sent yet."""
    rows = await sql.fetch_inline(_FILE, code, room_id)
    return FileRow(room_path, *rows[0]) if rows else None


def summary(first_file: str | None) -> Text:
    """Return what stands for the words of a message that has none, given the column FIRST_FILE; empty without one."""
    kind, _space, name = (first_file or "").partition(" ")
    return _("Picture") if kind == PICTURE else name
