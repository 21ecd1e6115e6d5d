"""The queries of messages that pages, streams and posts wait for: plain SQL into immutable rows."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, cast

from markupsafe import Markup

from webapp.accounts.viewer import Avatar
from webapp.conversations.kinds import DELETED_ACCOUNT
from webapp.conversations.notice_words import sentence
from webapp.conversations.seats import RoomRow
from webapp.core.clock import format_time, to_local_time
from webapp.core.i18n import Text
from webapp.db import sql
from webapp.files.queries import FIRST_FILE, NO_FILES, Files, files_of, summary
from webapp.messages.markdown import first_line, unlinked

PAGE_SIZE = 50
MAX_CHANGES = 500
QUOTE_LENGTH = 80


class Quote(NamedTuple):
    """What a message answers, as it is now: nothing of it is copied. It is empty where that was removed, or deleted."""

    number: int
    author_code: str
    author_name: Text
    text: Text
    is_removed: bool

    @classmethod
    def of(cls, row: "MessageRow") -> "Quote":
        """Return the quote of a message that is there."""
        return cls(row.number, row.author_code, row.author_name, row.summary, is_removed=False)

    @classmethod
    def gone(cls, number: int) -> "Quote":
        return cls(number, "", "", "", is_removed=True)

    @property
    def hue(self) -> int:
        return Avatar.of(str(self.author_name), self.author_code).hue


class Chip(NamedTuple):
    """How often people reacted to a message with one kind; `marks` are the first letters of the newest's codes."""

    kind: str
    number: str
    marks: str


class MessageRow(NamedTuple):
    """A message as it is shown, with its author's name; `html` was made safe when it was stored."""

    room_path: str
    room_id: int
    number: int
    posted_version: int
    version: int
    html: Markup
    continues: bool
    opens_day: bool
    created_at: datetime
    edited_at: datetime | None
    removed_at: datetime | None
    # Empty when the account was deleted.
    author_code: str
    author_name: Text
    author_picture: str | None
    author_is_admin: bool
    reactions: str
    reacted_version: int | None
    said_version: int | None
    quote: Quote | None
    files: Files
    # What happened to the room, of a line that nobody wrote; empty of messages.
    notice: str

    @property
    def notice_line(self) -> Text:
        return sentence(self.notice, self.created_at)

    @property
    def summary(self) -> Text:
        """Its first line for a quote, or what it has in place of words."""
        first = f"{self.files[0].kind} {self.files[0].name}" if self.files else None
        return first_line(self.html, QUOTE_LENGTH) or summary(first)

    @property
    def words_version(self) -> int:
        """The version of the last change that was no reaction."""
        if self.said_version is None or self.reacted_version != self.version:
            return self.version
        return self.said_version

    @property
    def chips(self) -> list[Chip]:
        return [Chip(*line.split(" ", 2)) for line in self.reactions.split("\n")] if self.reactions else []

    @property
    def unlinked_html(self) -> Markup:
        """The HTML for a file, beside which there are no pages of people."""
        return Markup(unlinked(self.html))  # noqa: S704  made safe when it was stored

    @property
    def path(self) -> str:
        return f"{self.room_path}/messages/{self.number}"

    @property
    def avatar(self) -> Avatar:
        return Avatar.of(str(self.author_name), self.author_code, self.author_picture)

    @property
    def iso_time(self) -> str:
        return f"{self.created_at:%Y-%m-%dT%H:%M:%SZ}"

    @property
    def time(self) -> str:
        return format_time(self.created_at)

    @property
    def day(self) -> date:
        return to_local_time(self.created_at).date()


# The columns of `message_from`, in their order: of a message, and of its author; then what is read for it besides.
MESSAGES = """
SELECT message.room_id, message.number, message.posted_version, message.version, message.html, message.continues,
    message.opens_day, message.created_at, message.edited_at, message.removed_at,
    author.code, author.display_name, author.picture, author.is_admin,
    message.reactions, message.reacted_version, message.said_version,
    message.reply_to, message.file_count, message.notice, message.id
FROM message LEFT JOIN "user" AS author ON author.id = message.author_id WHERE"""
# Of what messages answer, by a query of its own: where PostgreSQL's statistics are older than most of a room, it reads
# the room for what it takes for a single row, and as a part of the query above it would for each message of the page.
_SAID = f"""
SELECT said.number, said.html, said.removed_at, speaker.code, speaker.display_name, {FIRST_FILE.format(message="said")}
FROM message AS said LEFT JOIN "user" AS speaker ON speaker.id = said.author_id
WHERE said.room_id = ? AND said.number IN ({{numbers}})"""


# How stored links end. They lead away from the conversation, which stays open beside what they lead to.
LINK = ' rel="nofollow noopener noreferrer">'
NEW_TAB = f' target="_blank"{LINK}'


def message_from(
    row: Iterable[object], room_path: str, quotes: Mapping[int, Quote], files: Mapping[int, Files]
) -> MessageRow:
    """Make a message of a row of MESSAGES, with what it answers if that is among the quotes, and its files."""
    *columns, _count, notice, message_id = row
    values: list[Any] = [room_path, *columns, files.get(cast(int, message_id), NO_FILES), notice]
    values[5] = Markup(str(values[5]).replace(LINK, NEW_TAB))  # noqa: S704  made safe when it was stored
    values[6], values[7], values[14] = bool(values[6]), bool(values[7]), bool(values[14])
    for place in (8, 9, 10):
        if isinstance(values[place], str):
            values[place] = datetime.fromisoformat(str(values[place]))
    if values[11] is None:
        values[11], values[12] = "", DELETED_ACCOUNT
    values[18] = quotes.get(values[18])
    return MessageRow._make(values)


async def files_in(rows: Iterable[sql.Row], room_paths: Mapping[int, str]) -> dict[int, Files]:
    """Return the files of these rows of MESSAGES, by the messages' ids; nothing is asked where none has any."""
    having = [row for row in rows if row["file_count"] and not row["removed_at"]]
    return await files_of({row["id"]: room_paths[row["room_id"]] for row in having})


async def _quotes(room: RoomRow, rows: Iterable[sql.Row]) -> dict[int, Quote]:
    """Return what these rows of MESSAGES answer, by number; a message that is not there counts as removed."""
    answered = sorted({row["reply_to"] for row in rows} - {None})
    gone = {number: Quote.gone(number) for number in answered}
    numbers = [number for number in answered if number >= room.first_number]
    if not numbers:
        return gone
    # As many as the next power of two: the engine prepares each number of values by itself.
    some = [*numbers, *[numbers[0]] * ((1 << (len(numbers) - 1).bit_length()) - len(numbers))]
    found = await sql.fetch_inline(_SAID.format(numbers=sql.placeholders(some)), room.id, *some)
    return gone | {row["number"]: _quote(*row) for row in found}


def _quote(
    number: int, html: str, removed_at: object, code: str | None, name: str | None, first_file: str | None
) -> Quote:
    if removed_at:
        return Quote.gone(number)
    text = first_line(html, QUOTE_LENGTH) or summary(first_file)
    return Quote(number, code or "", name or DELETED_ACCOUNT, text, is_removed=False)


async def _messages(room: RoomRow, where: str, *values: object) -> list[MessageRow]:
    return await _made(room, await sql.fetch_inline(f"{MESSAGES} {where}", *values))


async def _made(room: RoomRow, rows: Sequence[sql.Row]) -> list[MessageRow]:
    quotes = await _quotes(room, rows)
    files = await files_in(rows, {room.id: room.path})
    return [message_from(row, room.path, quotes, files) for row in rows]


async def list_page(room: RoomRow, before: int | None = None, around: int | None = None) -> list[MessageRow]:
    """Return up to PAGE_SIZE messages in order: the newest, those before a number, or those around one."""
    end = room.last_number + 1
    if before is not None:
        end = min(end, before)
    if around is not None:
        end = min(end, around + PAGE_SIZE // 2)
    first = max(room.first_number, end - PAGE_SIZE)
    end = min(first + PAGE_SIZE if around else end, room.last_number + 1)
    return await _messages(
        room, "message.room_id = ? AND message.number >= ? AND message.number < ? ORDER BY message.number",
        room.id, first, end,
    )  # fmt: skip


async def get_row(room: RoomRow, number: int) -> MessageRow | None:
    """Return the message of that number, if there is one."""
    if number < room.first_number:
        return None
    found = await _messages(room, "message.room_id = ? AND message.number = ?", room.id, number)
    return found[0] if found else None


REPLIES_SIZE = 50


async def list_replies(room: RoomRow, number: int, after: int) -> list[MessageRow]:
    """Return what answers the message and was not removed, in order after that number: REPLIES_SIZE, and one more."""
    return await _messages(
        room, "message.room_id = ? AND message.reply_to = ? AND message.number > ? AND message.removed_at IS NULL "
        "ORDER BY message.number LIMIT ?",
        room.id, number, after, REPLIES_SIZE + 1,
    )  # fmt: skip


async def count_replies(room_id: int, number: int) -> int:
    """Return how many messages answer this one and were not removed."""
    [row] = await sql.fetch_all(
        "SELECT count(*) AS n FROM message WHERE room_id = ? AND reply_to = ? AND removed_at IS NULL", room_id, number
    )
    return int(row["n"])


async def changes_since(room: RoomRow, version: int) -> list[MessageRow]:
    """Return what was posted or changed after the version, the newest change first; at most MAX_CHANGES + 1."""
    return await _messages(
        room,
        "message.room_id = ? AND message.version > ? AND message.number >= ? ORDER BY message.version DESC LIMIT ?",
        room.id, version, room.first_number, MAX_CHANGES + 1,
    )  # fmt: skip


async def times_of(room_id: int, numbers: Collection[int]) -> dict[int, datetime]:
    """Return when the messages of these numbers were posted."""
    rows = await sql.fetch_inline(
        f"SELECT number, created_at FROM message WHERE room_id = ? AND number IN ({sql.placeholders(numbers)})",
        room_id, *numbers,
    )  # fmt: skip
    return {row["number"]: sql.from_db(row["created_at"]) for row in rows}


async def last_number_at(room_id: int, version: int) -> int:
    """Return the number of the newest message that had been posted when the room had this version; 0 for none."""
    rows = await sql.fetch_inline(
        "SELECT number FROM message WHERE room_id = ? AND posted_version <= ? ORDER BY number DESC LIMIT 1",
        room_id, version,
    )  # fmt: skip
    return int(rows[0]["number"]) if rows else 0


# How many messages one step towards a moment looks at: three steps find a message among a hundred thousand.
SAMPLES = 50


async def first_since(room: RoomRow, moment: datetime) -> int:
    """
    Return the number of the first message of that moment or later; 0 where there is none.

    Times rise with numbers: it takes samples by number, and others between the two around the moment, until they are
    neighbours. An index by time would cost every post something.
    """
    low, high = room.first_number, room.last_number + 1
    while low < high:
        step = max(1, (high - low) // SAMPLES)
        numbers = range(low, high, step)
        rows = await sql.fetch_all(
            f"SELECT number FROM message WHERE room_id = ? AND number IN ({sql.placeholders(numbers)}) "
            "AND created_at >= ? ORDER BY number LIMIT 1",
            room.id, *numbers, sql.to_db(moment),
        )  # fmt: skip
        if rows:
            high = int(rows[0]["number"])
            low = max(low, high - step + 1)
        else:
            low = numbers[-1] + 1
    return low if low <= room.last_number else 0


async def list_after(room: RoomRow, number: int, limit: int, author_id: int | None = None) -> list[MessageRow]:
    """Return up to so many messages after a number, up to the room's last, in order: of all, or of one author."""
    where = "message.room_id = ? AND message.number > ? AND message.number <= ?"
    values = [room.id, max(number, room.first_number - 1)]
    values.append(room.last_number)
    if author_id is not None:
        where, values = f"{where} AND message.author_id = ?", [*values, author_id]
    return await _made(room, await sql.fetch_all(f"{MESSAGES} {where} ORDER BY message.number LIMIT ?", *values, limit))


class StoredRow(NamedTuple):
    """What posting knows of a message that is stored."""

    number: int
    version: int
    author_id: int | None
    body: str
    nonce: str | None
    created_at: datetime
    removed_at: datetime | None
    reply_to: int | None
    file_count: int
    notice: str


async def stored_before(room_id: int, numbers: Sequence[int], sent: Sequence[tuple[int, str]]) -> list[StoredRow]:
    """Return the messages of these numbers, and those that these authors have sent with these nonces."""
    # The room with each of them: by anything shorter SQLite would read the whole room.
    theirs = " OR room_id = ? AND author_id = ? AND nonce = ?" * len(sent)
    rows = await sql.fetch_inline(
        "SELECT number, version, author_id, body, nonce, created_at, removed_at, reply_to, file_count, notice "
        f"FROM message WHERE room_id = ? AND number IN ({sql.placeholders(numbers)}){theirs}",
        room_id, *numbers, *(value for author_id, nonce in sent for value in (room_id, author_id, nonce)),
    )  # fmt: skip
    stored = map(StoredRow._make, rows)
    return [row._replace(created_at=sql.from_db(row.created_at)) for row in stored]


async def author_of(room_id: int, number: int) -> int | None:
    """Return who wrote the message of that number, if they are still here."""
    rows = await sql.fetch_inline("SELECT author_id FROM message WHERE room_id = ? AND number = ?", room_id, number)
    return rows[0]["author_id"] if rows else None
