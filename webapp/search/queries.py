"""What is asked of the database to find messages: in two dialects, which find the same."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from webapp import settings
from webapp.accounts.viewer import Avatar
from webapp.conversations import kinds
from webapp.conversations.group_queries import group_titles
from webapp.conversations.kinds import DELETED_ACCOUNT, NOTES, KeyedKind
from webapp.conversations.seats import KICKED
from webapp.core.i18n import Text
from webapp.db import sql
from webapp.messages.index import author_word, quoted, room_word
from webapp.messages.words import Phrase

PAGE_SIZE = 30
MAX_ID = 2**62
MAX_AUTHORS = 100


class RoomNames(NamedTuple):
    """A room of the viewer's, and what it may be called in `in:`: the other's names where it is a chat."""

    id: int
    key: str
    name: str
    username: str
    other_code: str
    is_notes: bool


_KINDS = kinds.sql_names(lambda kind: isinstance(kind, KeyedKind))
# Where one is a member and has accepted that one is; no chats in masks, which have no key.
_MINE = f"""
FROM membership JOIN room ON room.id = membership.room_id {{more}}
WHERE membership.user_id = ? AND membership.role <> '{KICKED}' AND NOT membership.is_request
    AND room.closed_at IS NULL AND room.kind IN ({_KINDS})"""
_MY_ROOMS = f"SELECT room.id {_MINE.format(more='')}"
_MY_ROOM_NAMES = f"""
SELECT room.id, room.key, CASE WHEN room.low IS NULL THEN room.name ELSE COALESCE(other.display_name, '') END,
    COALESCE(other.username, ''), COALESCE(other.code, ''), COALESCE(room.low = room.high, FALSE)
{_MINE.format(more='LEFT JOIN "user" AS other ON other.id = room.low + room.high - membership.user_id')}"""


async def my_rooms(user_id: int) -> list[int]:
    """Return the ids of the rooms and chats in which the person's searches look."""
    return [row["id"] for row in await sql.fetch_all(_MY_ROOMS, user_id)]


async def my_room_names(user_id: int) -> list[RoomNames]:
    """Return the same rooms with what they are called."""
    return [RoomNames(*row) for row in await sql.fetch_all(_MY_ROOM_NAMES, user_id)]


async def authors_called(name: str, code: str = "") -> list[int]:
    """Return the ids of those with that code or folded name; where nobody has it, of those whose name begins so."""
    ids = await _authors('"user".code = ?', code) if code else []
    ids = ids or await _authors("search_name.folded = ?", name)
    return ids or await _authors("search_name.folded >= ? AND search_name.folded < ?", name, f"{name}\U0010ffff")


async def _authors(condition: str, *values: str) -> list[int]:
    rows = await sql.fetch_inline(
        'SELECT DISTINCT "user".id FROM search_name JOIN "user" ON "user".id = search_name.user_id '
        f"WHERE {condition} ORDER BY 1 LIMIT {MAX_AUTHORS}",
        *values,
    )
    return [row["id"] for row in rows]


class FoundRow(NamedTuple):
    """A message that was found, and the room in which it stands."""

    id: int
    number: int
    created_at: datetime
    body: str
    html: str
    # Empty where the account was deleted.
    author_code: str
    author_name: Text
    author_picture: str | None
    room_path: str
    room_title: Text
    is_between_two: bool
    # By the other of a chat.
    is_to_viewer: bool

    @property
    def path(self) -> str:
        return f"{self.room_path}/messages/{self.number}"

    @property
    def avatar(self) -> Avatar:
        return Avatar.of(str(self.author_name), self.author_code, self.author_picture)


class Wanted(NamedTuple):
    """What is looked for, and where: as the database has it."""

    rooms: Sequence[int]
    phrases: Sequence[Phrase] = ()
    # None for all.
    authors: Sequence[int] | None = None
    marks: Sequence[str] = ()
    after: datetime | None = None
    before: datetime | None = None


# Which they are, first, so that only of those the rest is read. SQLite walks the words backwards by id; PostgreSQL the
# ids of common words, and the index of the words where they are rare.
FOUND = """
SELECT message.id, message.author_id, message.number, message.created_at, message.body, message.html,
    author.code, author.display_name, author.picture,
    room.id AS room_id, room.key, room.kind, room.name, room.low, room.high, other.display_name AS other
FROM ({which}) AS found JOIN message ON message.id = found.id JOIN room ON room.id = message.room_id
    LEFT JOIN "user" AS author ON author.id = message.author_id
    LEFT JOIN "user" AS other ON other.id = room.low + room.high - ?
WHERE message.removed_at IS NULL AND message.number >= room.first_number AND room.closed_at IS NULL
ORDER BY message.id DESC"""
_WHICH = (
    "SELECT message.id FROM message_words CROSS JOIN message ON message.id = message_words.rowid "
    "WHERE message_words MATCH ? AND message_words.rowid < ? AND {conditions} ORDER BY message_words.rowid DESC LIMIT ?"
    if settings.ON_SQLITE
    else "SELECT message.id FROM message_words JOIN message ON message.id = message_words.id "
    # The id twice: else PostgreSQL may walk all messages from the newest on, beside those of the words.
    "WHERE message_words.room_id = ANY(CAST(? AS INT[])) AND message_words.id < ? AND message.id < ? AND {conditions} "
    "ORDER BY message_words.id DESC LIMIT ?"
)
_CONDITIONS = (
    "message.removed_at IS NULL",
    "message.notice = ''",
    "COALESCE(message.author_id, 0) NOT IN (SELECT blocked_id FROM block WHERE blocker_id = ?)",
)


async def find_messages(
    user_id: int, wanted: Wanted, before_id: int = MAX_ID, limit: int = PAGE_SIZE + 1, seconds: float = 2.0
) -> list[FoundRow]:
    """
    Return the newest messages that are wanted, of those before that id; none by people whom the viewer blocked.

    Raise TimeoutError where it takes longer than so many seconds.
    """
    if not wanted.rooms or wanted.authors == []:
        return []
    conditions, values = [*_CONDITIONS], [user_id]
    more, of_more = _more_conditions(wanted)
    first = [match_of(wanted), before_id] if settings.ON_SQLITE else [list(wanted.rooms), before_id, before_id]
    query = FOUND.format(which=_WHICH.format(conditions=" AND ".join([*conditions, *more])))
    rows = await sql.fetch_limited(query, *first, *values, *of_more, limit, user_id, seconds=seconds)
    groups = await group_titles(rows, user_id)
    return [_found(row, user_id, groups.get(row["room_id"])) for row in rows]


def _more_conditions(wanted: Wanted) -> tuple[list[str], list[object]]:
    """Conditions with their values, but for what SQLite's MATCH says."""
    found: list[tuple[str, object]] = []
    if not settings.ON_SQLITE and (query := tsquery_of(wanted)):
        found.append(("message_words.words @@ CAST(CAST(? AS TEXT) AS TSQUERY)", query))
    if not settings.ON_SQLITE and wanted.authors is not None:
        found.append(("message.author_id = ANY(CAST(? AS INT[]))", list(wanted.authors)))
    if wanted.after:
        found.append(("message.created_at >= ?", sql.to_db(wanted.after)))
    if wanted.before:
        found.append(("message.created_at < ?", sql.to_db(wanted.before)))
    return [condition for condition, _ in found], [value for _, value in found]


def match_of(wanted: Wanted) -> str:
    """Return what FTS5 is asked: the words of the rooms bound what it looks through."""
    every = [_any_of(map(room_word, wanted.rooms))]
    if wanted.authors is not None:
        every.append(_any_of(map(author_word, wanted.authors)))
    every += [f'"{mark}"' for mark in wanted.marks]
    every += [f'"{" ".join(phrase.words)}"{" *" * phrase.is_prefix}' for phrase in wanted.phrases]
    return " AND ".join(every)


def _any_of(words: Iterable[str]) -> str:
    return f"({' OR '.join(f'{chr(34)}{word}{chr(34)}' for word in words)})"


def tsquery_of(wanted: Wanted) -> str:
    """Return what PostgreSQL is asked, as the text of a `tsquery`; empty where it is asked for no words."""
    every = [quoted(mark) for mark in wanted.marks]
    for phrase in wanted.phrases:
        *others, last = map(quoted, phrase.words)
        every.append(f"({' <-> '.join([*others, last + ':*' * phrase.is_prefix])})")
    return " & ".join(every)


def _found(row: sql.Row, user_id: int, group: Text | None) -> FoundRow:
    kind = kinds.of_stored(row["kind"])
    title = group or row["name"]
    if kind.is_between_two:
        title = NOTES if row["low"] == row["high"] else row["other"] or DELETED_ACCOUNT
    return FoundRow(
        row["id"], row["number"], sql.from_db(row["created_at"]), row["body"], row["html"],
        row["code"] or "", row["display_name"] or DELETED_ACCOUNT, row["picture"],
        kind.path(row["room_id"], row["key"]), title, kind.is_between_two,
        kind.is_between_two and row["author_id"] != user_id,
    )  # fmt: skip
