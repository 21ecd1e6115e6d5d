"""
The index of the words of messages: written in the transaction of the message, on both engines.

On SQLite a table of FTS5, where a message's words begin with those of its room and its author, which bound what is
looked through; on PostgreSQL a `tsvector` beside the room's id, with a GIN index. What becomes of the words of a
message that changes or goes is a matter of triggers (see migration 0027).
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from webapp import settings
from webapp.db import sql
from webapp.messages.words import MARK, words_of

# Words that nobody can type.
LINK, FILE, STALE = f"{MARK}link", f"{MARK}file", f"{MARK}stale"
# Not of a person who is called.
_LINK = re.compile('<a href="(?:https?|mailto):')


class Row(NamedTuple):
    """A message to be found. `version` is the one that its words took, 0 where they are the first."""

    id: int
    version: int
    body: str
    html: str
    file_count: int = 0


def room_word(room_id: int) -> str:
    """Return what each message of the room has in the index of SQLite."""
    return f"{MARK}r{room_id}"


def author_word(user_id: int) -> str:
    """Return what each message of the author has in the index of SQLite."""
    return f"{MARK}u{user_id}"


def text_of(row: Row) -> str:
    """Return what is stored of a message, but for its room and author, which the database itself puts before it."""
    marks = [LINK] * bool(_LINK.search(row.html)) + [FILE] * bool(row.file_count)
    words = " ".join([*marks, *filter(None, [words_of(row.body)])])
    return words if settings.ON_SQLITE else vector(words)


def vector(words: str) -> str:
    """Return words with spaces between as PostgreSQL reads a `tsvector`, each with its place."""
    return " ".join(f"{quoted(word)}:{place}" for place, word in enumerate(words.split(), 1))


def quoted(word: str) -> str:
    """Return a word as it stands in the text of a `tsvector` or `tsquery`."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


# The message is looked at again: since it was read it may have other words, another author, or none.
_MADE = "CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS TEXT)"
_WRITE = (
    "WITH made (id, made_at, words) AS (VALUES {rows}) INSERT OR REPLACE INTO message_words (rowid, words) "
    f"SELECT message.id, '{MARK}r' || room_id || coalesce(' {MARK}u' || author_id, '') || ' ' || made.words "
    "FROM made CROSS JOIN message ON message.id = made.id WHERE edited_version = made_at AND removed_at IS NULL"
    if settings.ON_SQLITE
    else "INSERT INTO message_words (id, room_id, words) SELECT message.id, room_id, CAST(made.words AS tsvector) "
    "FROM (VALUES {rows}) AS made (id, made_at, words) JOIN message ON message.id = made.id "
    "WHERE edited_version = made_at AND removed_at IS NULL {lock}"
    "ON CONFLICT (id) DO UPDATE SET words = excluded.words"
)


async def write(rows: Sequence[Row]) -> None:
    """Store the words of messages, within the transaction that stores or changes them."""
    await write_texts([(row.id, row.version, text_of(row)) for row in rows])


async def write_texts(made: Sequence[tuple[int, int, str]], lock: str = "") -> None:
    """Store what `text_of` made, by the ids and versions of the messages; not of those that have changed since."""
    if made:
        query = _WRITE.format(rows=", ".join([f"({_MADE})"] * len(made)), lock=lock)
        await sql.execute(query, *(value for one in made for value in one))


async def write_room(room_id: int) -> None:
    """Store the words of all messages of a room, which had none, within the transaction that makes it searchable."""
    rows = await sql.fetch_all(
        "SELECT id, edited_version, body, html, file_count FROM message WHERE room_id = ? AND removed_at IS NULL",
        room_id,
    )
    await write([Row(*row) for row in rows])
