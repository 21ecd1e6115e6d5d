"""
What looks after the index of words: messages that have none yet, segments that wait to be merged, what was deleted.

Messages get their words with them. Without are those from before there was an index (`fill_older`, newest first), and
those that a process of the version before posts or edits during an upgrade (`catch_up`). Whatever is done here may be
done twice, by two processes, or be cut short.
"""

import asyncio
from time import monotonic
from typing import NamedTuple

from webapp import settings
from webapp.conversations import kinds
from webapp.db import engine, sql
from webapp.messages import index
from webapp.messages.index import Row

SLICE = 500
# Of time, for what else is to be done.
REST = 0.5
# How often a slice is read again in which something could not be written: a message is being changed.
TRIES, AGAIN_SECONDS = 20, 0.2
MERGED_PAGES = 16
REINDEX_SECONDS = 3600.0
VECTOR_INDEX = "idx_message_words_words"


class State(NamedTuple):
    """
    How far the index has come, by ids of messages: from `low` to `high` each that should have words has them.

    `seen` is the first that was not there yet a look ago. Ids are given before they are committed, so that only what
    is older than a look is sure to be all there. `dirty` is for SQLite: see `erase`.
    """

    low: int
    high: int
    seen: int
    dirty: int


async def state() -> State:
    [row] = await sql.fetch_all("SELECT low, high, seen, dirty FROM word_index WHERE id = 1")
    return State(*row)


async def progress() -> float:
    """Return which part of the messages can be found: 1.0 when it is all of them, as it is but after an upgrade."""
    low, high, *_ = await state()
    return 1.0 if not low else 1.0 - low / max(high, low + 1)


# Messages without words. Those of deleted rooms need none.

# Subqueries, so that no engine begins with the rooms, or with all words.
_SEARCHABLE = (
    "SELECT id, edited_version, body, html, file_count FROM message WHERE removed_at IS NULL AND EXISTS "
    "(SELECT 1 FROM room WHERE room.id = message.room_id AND closed_at IS NULL "
    f"AND kind IN ({kinds.sql_names(lambda kind: kind.indexes_words)}))"
)
_WORDS_ID = "rowid" if settings.ON_SQLITE else "id"
_MISSING = (
    f"{_SEARCHABLE} AND id >= ? AND id < ? "
    f"AND (SELECT {_WORDS_ID} FROM message_words WHERE message_words.{_WORDS_ID} = message.id) IS NULL "
    f"ORDER BY id DESC LIMIT {SLICE}"
)
_STALE = (
    "SELECT rowid AS id FROM message_words WHERE message_words MATCH ?"
    if settings.ON_SQLITE
    else "SELECT id FROM message_words WHERE words @@ CAST(CAST(? AS TEXT) AS TSQUERY)"
) + f" LIMIT {SLICE}"


async def fill_older(seconds: float) -> int:
    """Write the words of messages that were there before the index, newest first, for so long; return how many."""
    until, count = monotonic() + seconds, 0
    while monotonic() < until and (low := (await state()).low):
        count += await fill_slice(low)
    return count


async def fill_slice(low: int) -> int:
    """Write the words of the next older messages, below this id; return how many."""
    lowest = await _slice_below(low)
    written = await _write_missing(lowest, low)
    await sql.execute("UPDATE word_index SET low = ? WHERE id = 1 AND low = ?", lowest, low)
    return written


async def catch_up() -> int:
    """Write the words that processes of the version before did not; return how many."""
    _, high, seen, _ = await state()
    [(top,)] = await sql.fetch_all("SELECT coalesce(max(id), 0) + 1 FROM message")
    upper, count = max(top, high), await _write_stale()
    while upper > high:
        lower = max(high, await _slice_below(upper))
        count += await _write_missing(lower, upper)
        upper = lower
    await sql.execute(
        "UPDATE word_index SET high = ?, seen = ? WHERE id = 1 AND high = ? AND seen = ?", seen, top, high, seen
    )
    return count


async def start_over() -> None:
    """Look at all messages once more, newest first: for those that came in bulk, or were lost."""
    await sql.execute(
        "UPDATE word_index SET low = top, high = top, seen = top "
        "FROM (SELECT coalesce(max(id), 0) + 1 AS top FROM message) AS newest WHERE word_index.id = 1"
    )


async def _slice_below(upper: int) -> int:
    """Return where a slice begins that ends before this id; 0 where it is the last."""
    rows = await sql.fetch_all(
        f"SELECT id FROM message WHERE id < ? ORDER BY id DESC LIMIT 1 OFFSET {SLICE - 1}", upper
    )
    return rows[0]["id"] if rows else 0


async def _write_missing(lower: int, upper: int) -> int:
    """Write what is missing in a slice, until nothing is; raise RuntimeError where a message stays without words."""
    count = 0
    for _ in range(TRIES):
        begun = monotonic()
        rows = await sql.fetch_all(_MISSING, lower, upper)
        if not rows:
            return count
        count = len(rows)
        await _write([Row(*row) for row in rows])
        await asyncio.sleep(REST * (monotonic() - begun))
    raise RuntimeError(f"the words of messages from {lower} to {upper} could not be written")


async def _write_stale() -> int:
    phrase = index.STALE if not settings.ON_SQLITE else f'"{index.STALE}"'
    found = [row["id"] for row in await sql.fetch_all(_STALE, phrase)]
    if not found:
        return 0
    rows = await sql.fetch_all(f"{_SEARCHABLE} AND id IN ({sql.placeholders(found)})", *found)
    await _write([Row(*row) for row in rows])
    return len(rows)


async def _write(rows: list[Row]) -> None:
    """
    Write the words of messages that were read a moment ago, each if it is still the same, in one statement.

    On SQLite it runs in the thread of the connection that writes. On PostgreSQL what is being changed is left out.
    """
    made = await asyncio.to_thread(lambda: [(row.id, row.version, index.text_of(row)) for row in rows])
    await index.write_texts(made, lock="" if settings.ON_SQLITE else "FOR SHARE OF message SKIP LOCKED ")


# Segments and what was deleted. PostgreSQL has no segments, and cleans its index up by itself but for single words.


async def merge() -> None:
    """Merge the segments of SQLite's index where several are of one size, a few pages at a time."""
    is_left = settings.ON_SQLITE
    while is_left:
        is_left = await _merge(MERGED_PAGES)


async def erase() -> None:
    """
    Let nothing that was deleted be left in a file of SQLite: in the index it stays until all segments are one.

    What is deleted meanwhile is due again, and so is what a crash has interrupted.
    """
    if not settings.ON_SQLITE or not (await state()).dirty:
        return
    await sql.execute("UPDATE word_index SET dirty = 2 WHERE id = 1")
    await _merge(-MERGED_PAGES)
    await merge()
    await engine.scrub()
    await sql.execute("UPDATE word_index SET dirty = 0 WHERE dirty = 2")


async def _merge(pages: int) -> bool:
    """Return whether there may be more to merge."""
    query = "INSERT INTO message_words (message_words, rank) VALUES ('merge', ?)"
    changes, _ = await sql.connection().execute_query(query, [pages])
    return changes >= 2


async def rebuild() -> None:
    """Build the index again from the words that are stored, and look whether each message has some."""
    if settings.ON_SQLITE:
        await sql.execute("INSERT INTO message_words (message_words) VALUES ('rebuild')")
    else:
        await reindex()
    await start_over()


async def reindex() -> None:
    """On PostgreSQL: build the index of words again, beside the old one, which has each word that there ever was."""
    left = await sql.fetch_all("SELECT relname FROM pg_class WHERE relname LIKE ?", rf"{VECTOR_INDEX}\_ccnew%")
    for row in left:  # what a reindexing that was cut short has left
        await _maintain(f'DROP INDEX CONCURRENTLY IF EXISTS "{row["relname"]}"')
    await _maintain(f"REINDEX INDEX CONCURRENTLY {VECTOR_INDEX}")


async def _maintain(statement: str) -> None:
    from webapp.db import postgresql

    await postgresql.fetch(sql.connection(), statement, (), REINDEX_SECONDS)
