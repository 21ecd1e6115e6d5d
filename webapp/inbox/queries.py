"""The lines of an inbox: each source is walked newest first through its index, so that what is older costs nothing."""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from itertools import chain
from typing import NamedTuple

from markupsafe import Markup

from webapp.accounts.viewer import Avatar
from webapp.conversations.group_queries import group_titles
from webapp.conversations.kinds import DELETED_ACCOUNT, of_stored
from webapp.conversations.levels import ALL, NOTHING, level_of
from webapp.conversations.notice_words import sentence
from webapp.conversations.seats import KICKED
from webapp.core.i18n import Text
from webapp.db import sql
from webapp.files.queries import FIRST_FILE, NO_FILES, Files, summary
from webapp.http.urls import path_for
from webapp.messages.markdown import first_line
from webapp.messages.mentions import ANSWERED, EVERYONE, NAMED

# Beyond every id, and every microsecond since 1970.
LAST = 10**17
TEXT_LENGTH = 240
# How many of the newest reactions are folded together, and calls of everyone are shown of one room.
MAX_FOLDED, MAX_EVERYONE = 500, 20
# What a line is about: words of a message, a reaction to one of the viewer's, or a person who wants to be friends.
REACTION, FRIEND = "reaction", "friend"
CALLS = NAMED, ANSWERED, EVERYONE


class Line(NamedTuple):
    """One line of an inbox. `id` is its place in its source: what is older has a smaller one."""

    what: str
    id: int
    at: datetime
    is_new: bool
    # Empty where the account was deleted.
    code: str
    name: Text
    avatar: Avatar
    # The message that it leads to; empty for a person who wants to be friends.
    path: str
    room: Text
    text: Text
    # Of reactions: which one, how many others reacted so, and the smallest id of those that are folded.
    reaction: str = ""
    others: int = 0
    oldest: int = 0


_LEVEL = level_of("membership")
_MINE = f"membership.user_id = ? AND membership.role <> '{KICKED}'"
_NOT_BLOCKED = "COALESCE({user}, 0) NOT IN (SELECT blocked_id FROM block WHERE blocker_id = ?)"
_SAID = f"""room.id AS room_id, room.key, room.kind, room.name AS room_name, message.number,
    person.code, person.display_name, person.picture, message.html,
    {FIRST_FILE.format(message="message")} AS first_file"""
# What is unread in a chat of two is that chat's own line.
_CALL = f"""
SELECT {{what}} AS what, mention.id, message.created_at AS at,
    CASE WHEN mention.number > membership.read_number THEN 1 ELSE 0 END AS is_new,
    {_SAID}, '' AS reaction, 0 AS total, 0 AS oldest
FROM {{rows}}
JOIN room ON room.id = membership.room_id AND room.closed_at IS NULL AND mention.number >= room.first_number
JOIN message ON message.id = mention.message_id AND message.removed_at IS NULL
LEFT JOIN "user" AS person ON person.id = message.author_id
WHERE {{whose}} AND {_MINE} AND {_LEVEL} <> '{NOTHING}' AND mention.id < ?
    AND NOT (room.low IS NOT NULL AND {_LEVEL} = '{ALL}' AND mention.number > membership.read_number)
    AND {_NOT_BLOCKED.format(user="message.author_id")}
ORDER BY mention.id DESC LIMIT ?
"""
_TO_ME = _CALL.format(
    what="mention.kind",
    rows="mention JOIN membership ON membership.room_id = mention.room_id",
    whose="mention.user_id = ? AND mention.kind IN ({kinds})",
)
# Everyone is called by one row of the room. It has few of them: the latest are looked up in each room of the viewer's.
_TO_EVERYONE = _CALL.format(
    what=f"'{EVERYONE}'",
    rows=f"""membership JOIN mention ON mention.user_id IS NULL AND mention.room_id = membership.room_id
    AND mention.number > COALESCE((SELECT earlier.number FROM mention AS earlier WHERE earlier.user_id IS NULL
        AND earlier.room_id = membership.room_id ORDER BY earlier.number DESC LIMIT 1 OFFSET {MAX_EVERYONE}), 0)""",
    # Who is named besides has a line for that.
    whose="""COALESCE(message.author_id, 0) <> ? AND NOT EXISTS (SELECT 1 FROM mention AS named
    WHERE named.user_id = membership.user_id AND named.room_id = mention.room_id AND named.number = mention.number)""",
)
# Folded by message and kind. What was folded on a page before, with a newer one of its kind, is not shown again.
_REACTED = f"""
SELECT '{REACTION}' AS what, folded.id, newest.created_at AS at,
    CASE WHEN folded.id > (SELECT reactions_read FROM "user" WHERE id = ?) THEN 1 ELSE 0 END AS is_new,
    {_SAID}, folded.kind AS reaction, folded.total, folded.oldest
FROM (
    SELECT message_id, kind, MAX(id) AS id, MIN(id) AS oldest, COUNT(*) AS total FROM (
        SELECT reaction.id, reaction.message_id, reaction.kind FROM reaction
        JOIN message ON message.id = reaction.message_id AND message.removed_at IS NULL
        JOIN membership ON membership.room_id = message.room_id
        WHERE reaction.to_user_id = ? AND {_MINE} AND {_LEVEL} = '{ALL}' AND reaction.id < ?
            AND {_NOT_BLOCKED.format(user="reaction.user_id")}
        ORDER BY reaction.id DESC LIMIT {MAX_FOLDED}
    ) AS latest GROUP BY message_id, kind
) AS folded
JOIN reaction AS newest ON newest.id = folded.id
JOIN message ON message.id = folded.message_id
JOIN room ON room.id = message.room_id AND room.closed_at IS NULL AND message.number >= room.first_number
JOIN "user" AS person ON person.id = newest.user_id
WHERE NOT EXISTS (SELECT 1 FROM reaction AS later WHERE later.message_id = folded.message_id
    AND later.kind = folded.kind AND later.id >= ? AND {_NOT_BLOCKED.format(user="later.user_id")})
ORDER BY folded.id DESC LIMIT ?
"""
# Both sides of a pair by an index of their own.
_PAIRS = " UNION ALL ".join(
    f"SELECT {theirs}_id AS user_id, asked_at FROM friendship WHERE {mine}_id = ? AND asked_by <> {mine}_id "
    "AND accepted_at IS NULL AND declined_at IS NULL AND NOT withdrawn"
    for mine, theirs in (("low", "high"), ("high", "low"))
)
_ASKED = f"""
SELECT '{FRIEND}' AS what, 0 AS id, pair.asked_at AS at, 1 AS is_new,
    0 AS room_id, '' AS key, '' AS kind, '' AS room_name, 0 AS number,
    person.code, person.display_name, person.picture, '' AS html, NULL AS first_file,
    '' AS reaction, 0 AS total, 0 AS oldest
FROM ({_PAIRS}) AS pair JOIN "user" AS person ON person.id = pair.user_id
WHERE pair.asked_at < ? ORDER BY pair.asked_at DESC LIMIT ?
"""


@cache  # one text for each choice, so that the statement is found without comparing kilobytes
def _union(kinds: tuple[str, ...]) -> str:
    calls = ", ".join(f"'{kind}'" for kind in kinds if kind in CALLS)
    parts = [_TO_ME.format(kinds=calls)] if calls else []
    for kind, part in ((EVERYONE, _TO_EVERYONE), (REACTION, _REACTED), (FRIEND, _ASKED)):
        parts += [part] if kind in kinds else []
    return " UNION ALL ".join(f"SELECT * FROM ({part}) AS part_{place}" for place, part in enumerate(parts))


async def lines(
    user_id: int, kinds: Collection[str], calls: int, reactions: int, before: datetime, limit: int
) -> list[Line]:
    """
    Return lines of these kinds, up to so many of each source, each source's in its order.

    What calls the viewer has smaller ids than `calls`, reactions than `reactions`; people asked before that time.
    """
    me, values = user_id, list[object]()
    if any(kind in CALLS for kind in kinds):
        values += [me, me, calls, me, limit] * (2 if EVERYONE in kinds else 1)
    if REACTION in kinds:
        values += [me, me, me, reactions, me, reactions, me, limit]
    if FRIEND in kinds:
        values += [me, me, sql.to_db(before), limit]
    rows = await sql.fetch_inline(_union(tuple(kinds)), *values)
    groups = await group_titles(rows, me)
    return [_line(row, groups.get(row["room_id"])) for row in rows]


def _line(row: sql.Row, group: Text | None) -> Line:
    code, name, path = row["code"] or "", row["display_name"] or DELETED_ACCOUNT, ""
    room: Text = ""
    if row["what"] == FRIEND:
        path = path_for("person", code=code)
    else:
        kind = of_stored(row["kind"])
        path = f"{kind.path(row['room_id'], row['key'])}/messages/{row['number']}"
        room = "" if kind.is_between_two else group or row["room_name"]
    return Line(
        row["what"], row["id"], sql.from_db(row["at"]), bool(row["is_new"]), code, name,
        Avatar.of(str(name), code, row["picture"]), path, room,
        first_line(row["html"], TEXT_LENGTH) or summary(row["first_file"]),
        row["reaction"], max(0, row["total"] - 1), row["oldest"],
    )  # fmt: skip


class Unread(NamedTuple):
    """An unread message, as a page that is read from top to bottom has it."""

    room_id: int
    number: int
    html: Markup
    at: datetime
    name: Text
    id: int
    file_count: int
    files: Files = NO_FILES


# By room: the number after which, and the last up to which.
Ranges = Mapping[int, tuple[int, int]]
_UNREAD = f"""
SELECT message.room_id, message.number, message.html, message.created_at, author.display_name,
    message.id, message.file_count, message.notice
FROM {{rows}} LEFT JOIN "user" AS author ON author.id = message.author_id
WHERE {{which}}message.removed_at IS NULL AND {_NOT_BLOCKED.format(user="message.author_id")}
"""
# Each room by itself: of a list of rooms PostgreSQL expects so much that it would read the whole table.
_OF_ROOM = _UNREAD.format(
    rows="message", which="message.room_id = ? AND message.number > ? AND message.number <= ? AND "
)  # fmt: skip
# Of each room up to the last one that can be wanted of it, however many there are.
_CALLING = """(VALUES {asked}) AS asked
JOIN mention ON mention.user_id {whom} AND mention.room_id = asked.column1 AND mention.number > asked.column2
    AND mention.number <= COALESCE((SELECT later.number FROM mention AS later WHERE later.user_id {whom}
        AND later.room_id = asked.column1 AND later.number > asked.column2 ORDER BY later.number LIMIT 1 OFFSET ?), ?)
JOIN message ON message.id = mention.message_id"""


async def unread_messages(user_id: int, ranges: Ranges) -> list[Unread]:
    """Return these messages by room, each room's in their order, without those of people whom the person blocked."""
    if not ranges:
        return []
    values = [value for room, numbers in ranges.items() for value in (room, *numbers, user_id)]
    return await _unread(f"{' UNION ALL '.join([_OF_ROOM] * len(ranges))} ORDER BY 1, 2", *values)


async def unread_calls(user_id: int, after: Collection[tuple[int, int]], limit: int) -> list[Unread]:
    """Return what calls the person, or everyone, in these rooms after these numbers: so many, in the same order."""
    if not after:
        return []
    parts = [
        _UNREAD.format(rows=_CALLING.format(asked=_asked(after), whom=whom), which="") for whom in ("= ?", "IS NULL")
    ]
    mine = [*chain(*after), user_id, user_id, limit, LAST, user_id]
    everyones = [*chain(*after), limit, LAST, user_id]
    return await _unread(f"{' UNION '.join(parts)} ORDER BY 1, 2 LIMIT ?", *mine, *everyones, limit)


def _asked(pairs: Collection[tuple[int, int]]) -> str:
    return ", ".join(["(CAST(? AS BIGINT), CAST(? AS BIGINT))"] * len(pairs))


async def _unread(query: str, *values: int) -> list[Unread]:
    return [_unread_from(row) for row in await sql.fetch_inline(query, *values)]


def _unread_from(row: sql.Row) -> Unread:
    html, at = Markup(row["html"]), sql.from_db(row["created_at"])  # noqa: S704  made safe when it was stored
    name = row["display_name"] or DELETED_ACCOUNT
    if row["notice"]:
        html, name = Markup("<p>{}</p>").format(sentence(row["notice"], at)), ""
    return Unread(row["room_id"], row["number"], html, at, name, row["id"], row["file_count"])
