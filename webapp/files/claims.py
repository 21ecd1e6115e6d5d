"""Files and the message that they go with: which of its author's are meant, and how the message takes them."""

from collections.abc import Sequence

from webapp.conversations.seats import Seat
from webapp.core import text
from webapp.core.errors import Invalid, NotFound
from webapp.core.i18n import _
from webapp.db import sql
from webapp.files.sending_queries import CODE, MAX_FILES, SentFile

# In the last line of a room, before the name of the first file of a message without words.
CLIP = "\N{PAPERCLIP}"

TOO_MANY = _("At most %(most)s files go with one message.", most=MAX_FILES)
NOT_SENT = _("A file is not there, or has not arrived whole. Take it out, or attach it again.")


def validate_codes(seat: Seat, codes: Sequence[str]) -> list[str]:
    """Return the codes, each once; raise Invalid, and NotFound where there are no files at all."""
    if codes and not seat.takes_files:
        raise NotFound
    once = list(dict.fromkeys(code for code in codes if code))
    if len(once) > MAX_FILES:
        raise Invalid(file=TOO_MANY)
    if not all(CODE.fullmatch(code) for code in once):
        raise Invalid(file=NOT_SENT)
    return once


async def claim(message_id: int, room_id: int, author_id: int, files: Sequence[SentFile]) -> bool:
    """
    Attach the files to the message, within its transaction; return whether all were there.

    None is taken that has not arrived whole, or goes with a message already.
    """
    codes = [file.code for file in files]
    place = f"CASE code {' '.join(f'WHEN ? THEN {place}' for place in range(len(codes)))} END"
    taken = await sql.execute(
        f"UPDATE attachment SET message_id = ?, place = {place} WHERE code IN ({sql.placeholders(codes)}) "
        "AND author_id = ? AND room_id = ? AND message_id IS NULL AND received = size RETURNING code",
        message_id, *codes, *codes, author_id, room_id,
    )  # fmt: skip
    return len(taken) == len(codes)


def are_same(stored: Sequence[SentFile], sent: Sequence[SentFile]) -> bool:
    """Return whether these are the same files, or files of the same names and contents: a form that came twice."""
    if [file.code for file in stored] == [file.code for file in sent]:
        return True
    is_known = all(file.digest for file in (*stored, *sent))
    return is_known and [file[1:] for file in stored] == [file[1:] for file in sent]


def line_of_files(name: str, length: int) -> str:
    """Return what a list has of a message without words, whose first file has this name."""
    return text.shorten(f"{CLIP} {name}".rstrip(), length)


async def line_of_first(message_id: int, length: int) -> str:
    """Return the same of a stored message, empty where it has no files."""
    rows = await sql.fetch_all("SELECT name FROM attachment WHERE message_id = ? ORDER BY place LIMIT 1", message_id)
    return line_of_files(rows[0]["name"], length) if rows else ""
