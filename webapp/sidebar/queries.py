"""The rooms and chats that a person is in, as the sidebar of every page shows them."""

import asyncio
import itertools
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple, TypeVar

from webapp.accounts.viewer import Avatar
from webapp.conversations.faces import RoomFace
from webapp.conversations.group_people import GroupFace, GroupPeople, group_title
from webapp.conversations.group_queries import people_by_group
from webapp.conversations.kinds import DELETED_ACCOUNT, NOTES, of_stored
from webapp.conversations.levels import ALL, NOTHING, level_of
from webapp.conversations.models import REMOVED
from webapp.conversations.notice_words import list_line
from webapp.conversations.read_marks import read_marks
from webapp.conversations.seats import Kind
from webapp.core.i18n import Text, _
from webapp.db import sql
from webapp.presence.queries import is_online
from webapp.presence.tracker import tracker
from webapp.sidebar.calls import NO_UNREAD, Unread, count_calls

T = TypeVar("T")

PAGE_SIZE = 50
MAX_PAGES = 100
# How many people, or pairs of a person and a room, one query asks about: its rows take some 10 ms of the event loop.
BATCH_SIZE = 250
# Between two queries: a message that is posted meanwhile goes first, and takes several turns of the event loop.
YIELD_SECONDS = 0.02
# Sent instead of a digest by pages 2 and up of the sidebar: they receive changed entries, never the whole list.
OLDER_PAGE = "-"
JUST_NOW = timedelta(minutes=1)
# From so many unread messages on, the badge shows the same.
MAX_UNREAD = 100
# So many removed messages among the unread are counted; beyond that the badge shows too many.
MAX_REMOVED = 10_000

# Who was asked to come into a room, and has not answered, learns nothing of what is said there, nor when.
_ASKED = "(membership.is_request AND membership.role = 'kicked' AND membership.kicked_until IS NULL)"
# What expired counts as read. A chat has the other's name and picture, as long as there is the other; an ask has those
# of who asks. Not shown are a request of a blocked person, one that leaves nothing to read, as it was cancelled, and
# the last line of a room when its author is blocked by the viewer. Who is online, friends see.
_ENTRIES = f"""
SELECT membership.id AS membership_id, membership.user_id, membership.delivered_number, {_ASKED} AS is_asked,
    CASE WHEN {_ASKED} THEN room.last_number WHEN membership.read_number < room.first_number
        THEN room.first_number - 1 ELSE membership.read_number END AS read_number,
    {level_of("membership")} AS level, CASE WHEN {_ASKED} THEN 0 ELSE {count_calls("membership", "room")} END AS calls,
    membership.is_request, room.id AS room_id, room.key, room.kind, room.name, room.face, room.low, room.high,
    room.last_number, CASE WHEN {_ASKED} THEN membership.joined_at ELSE room.last_at END AS last_at,
    room.last_author, room.is_last_removed, room.removed_count,
    author.display_name AS author_name,
    other.code AS other_code, other.display_name AS other_name, other.picture AS other_picture,
    friendship.id IS NOT NULL AS is_friend,
    friendship.id IS NOT NULL AND {is_online("other")} AS is_online,
    CASE WHEN room.low IS NULL AND room.last_author IN (
            SELECT blocked_id FROM block WHERE blocker_id = membership.user_id)
        THEN NULL ELSE room.last_line END AS last_line
FROM {{membership}}
JOIN room ON room.id = membership.room_id
LEFT JOIN "user" AS other ON other.id = CASE WHEN room.low IS NOT NULL THEN room.low + room.high - membership.user_id
    WHEN {_ASKED} THEN membership.inviter END
LEFT JOIN "user" AS author ON author.id = CASE WHEN room.low IS NULL THEN room.last_author END
LEFT JOIN friendship ON friendship.low_id = room.low AND friendship.high_id = room.high
    AND friendship.accepted_at IS NOT NULL
WHERE {{whose}} AND (membership.role <> 'kicked' OR {_ASKED}) AND room.closed_at IS NULL
    AND NOT (membership.is_request AND room.low IS NOT NULL
        AND room.removed_count > room.last_number - room.first_number)
    AND NOT (membership.is_request AND COALESCE(other.id, 0) IN (
        SELECT blocked_id FROM block WHERE blocker_id = membership.user_id
        UNION ALL SELECT blocker_id FROM block WHERE blocked_id = membership.user_id))
"""
# What was removed does not count as unread. It is counted where it makes a difference to the badge, by an index that
# holds removed messages alone: mostly nothing was removed, or so much is unread that the badge is the same.
_COUNTED = f"""
SELECT entry.*, CASE
    WHEN entry.level <> '{ALL}' OR entry.removed_count = 0 OR entry.read_number >= entry.last_number
        OR entry.last_number - entry.read_number - entry.removed_count >= {MAX_UNREAD} THEN 0
    ELSE (SELECT COUNT(*) FROM (SELECT 1 FROM message WHERE message.room_id = entry.room_id
        AND message.number > entry.read_number AND message.removed_at IS NOT NULL LIMIT {MAX_REMOVED}) AS removed)
    END AS removed_unread FROM (
"""
# Of all that is the person's, read for their places anyway: how many are behind (what was removed counts as well), and
# how often they are called.
_PLACED = f"""
SELECT placed.*, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY last_at DESC, room_id DESC) AS place,
    SUM(CASE WHEN level = '{ALL}' AND read_number < last_number THEN 1 ELSE 0 END) OVER (PARTITION BY user_id)
    AS behind, SUM(calls) OVER (PARTITION BY user_id) AS all_calls FROM ("""
# The latest of each of these people's, from one place to another.
_LISTED = (
    _COUNTED
    + _PLACED
    + _ENTRIES.format(membership="membership", whose="membership.user_id IN ({users})")
    + ") AS placed) AS entry WHERE place > ? AND place <= ?"
)
# What these people have of these rooms: each pair is looked up, and not each of the people in each of the rooms.
_AT = (
    _COUNTED
    + _ENTRIES.format(
        membership="(VALUES {asked}) AS asked "
        "JOIN membership ON membership.user_id = asked.column1 AND membership.room_id = asked.column2",
        whose="TRUE",
    )
    + ") AS entry"
)
# Those of a person in which something is unread that they want to hear of, and requests.
_UNREAD = (
    _COUNTED
    + _ENTRIES.format(
        membership="membership",
        place="",
        whose=f"membership.user_id = ? AND ({_ASKED} OR membership.read_number < room.last_number "
        "AND room.first_number <= room.last_number) "
        f"AND ({level_of('membership')} <> '{NOTHING}' OR membership.is_request)",
    )
    + ") AS entry ORDER BY last_at DESC, room_id DESC LIMIT ?"
)


# What waits for an answer of each of these people: who wants to be friends with them and, for administrators, reports.
_PENDING = f"accepted_at IS NULL AND declined_at IS NULL AND NOT withdrawn LIMIT {MAX_UNREAD}"
_WAITING = f"""
SELECT viewer.id AS viewer_id, (SELECT COUNT(*) FROM (
        SELECT 1 FROM friendship WHERE low_id = viewer.id AND asked_by <> viewer.id AND {_PENDING}) AS asked_low)
    + (SELECT COUNT(*) FROM (
        SELECT 1 FROM friendship WHERE high_id = viewer.id AND asked_by <> viewer.id AND {_PENDING}) AS asked_high)
    AS requests, CASE WHEN viewer.is_admin THEN (SELECT COUNT(*) FROM (
        SELECT 1 FROM report WHERE handled_at IS NULL LIMIT {MAX_UNREAD}) AS unhandled) END AS reports
FROM "user" AS viewer WHERE viewer.id IN ({{users}})
"""
# Both for the one who asks for a page: who is in no room has one row without an entry.
_SIDEBAR = (
    f"SELECT * FROM ({_WAITING}) AS waiting LEFT JOIN ({_LISTED}) AS listed ON listed.user_id = waiting.viewer_id "
    "ORDER BY place"
)


class Waiting(NamedTuple):
    """How much waits for an answer; reports are None for who is no administrator."""

    requests: int
    reports: int | None

    def __str__(self) -> str:
        return f"{self.requests}-{self.reports}"


class Listing(NamedTuple):
    """
    A page of a person's entries and one more where there are more, and what waits for them.

    `others` counts what is unread in the rooms and chats of theirs that are not on this page.
    """

    entries: list["EntryRow"]
    waiting: Waiting
    others: Unread

    def unread(self, current_key: str = "") -> Unread:
        """Return how much is unread, but for the room that is being read."""
        shown = [entry for entry in self.entries[:PAGE_SIZE] if entry.key != current_key]
        rooms, calls = sum(1 for entry in shown if entry.unread), sum(entry.calls for entry in shown)
        return Unread(self.others.rooms + rooms, self.others.calls + calls)


class EntryRow(NamedTuple):
    """A room or a chat in a person's sidebar."""

    user_id: int
    room_id: int
    membership_id: int
    key: str
    kind: Kind
    name: Text
    # Of a chat: who the other is.
    code: str
    avatar: Avatar | None
    is_friend: bool
    is_online: bool
    is_request: bool
    level: str
    last_number: int
    unread: int
    # How many unread messages call the person: by name, by an answer, or everyone.
    calls: int
    # Whether its author can be shown that the newest message has come to the viewer.
    is_undelivered: bool
    sort_at: datetime
    # Empty where the viewer has blocked its author.
    line: Text
    is_mine: bool
    # Whether one who is no friend, whose name it has, has added the person: they read nothing before they answer.
    is_asked: bool
    # Whether the newest message was removed: the line says so.
    is_removed: bool
    # In a room of many: the first word of the name of who wrote it. Who deleted their account has none.
    author: str
    # Of a room that has no avatar: what was chosen to stand on its tile.
    face: str
    read_number: int
    # Of a group: everybody in it, of which it has its name and its tile.
    group: GroupPeople

    @property
    def last_message_at(self) -> datetime | None:
        """Before its first message a room is ordered by when it was made, and shows no time."""
        return self.sort_at if self.last_number else None

    @property
    def path(self) -> str:
        return self.kind.path(self.room_id, self.key)

    @property
    def tile(self) -> RoomFace | GroupFace:
        if self.kind.is_group:
            return GroupFace.of(self.group, self.user_id)
        return RoomFace.of(self.room_id, str(self.name), self.face)

    def has_news_since(self, number: int | None) -> bool:
        """Return whether a message came after this number; where that is unknown, whether one came within a minute."""
        if number is not None:
            return self.last_number > number
        return self.last_message_at is not None and datetime.now(UTC) - self.last_message_at < JUST_NOW

    @property
    def facts(self) -> tuple[object, ...]:
        """All that it is rendered from but whether a friend is online, which has frames of its own."""
        looks = (self.avatar, self.is_friend) if self.avatar else (self.author, self.tile if self.group else self.face)
        last = self.last_number, self.line, self.is_mine
        return self.room_id, self.name, *last, self.unread, self.calls, self.level, self.is_request, looks

    @property
    def still(self) -> int | None:
        """
        A hash of what seldom changes of the entry of a room or a group: all but its line and the count of its badge.

        It lasts for a minute at most, as the time does. None of an entry that is sent whole: in that of a chat the
        line of who types comes and goes.
        """
        if self.kind.is_between_two or self.is_request or not (self.line and self.last_number):
            return None
        looks = self.tile if self.group else self.face
        shown = self.name, bool(self.unread), self.calls, self.level, looks
        return hash((self.room_id, self.path, self.sort_at.replace(second=0, microsecond=0), shown))

    @property
    def render_key(self) -> tuple[object, ...]:
        """All that its frames are rendered from while nothing but these changes: entries of one key have one frame."""
        return self.facts, self.is_online

    @property
    def page_key(self) -> tuple[object, ...]:
        """All that it is rendered from, also after an hour: its address, its time and whose it is may have changed."""
        return self.render_key, self.path, self.sort_at, self.code, self.is_asked, self.is_removed


async def _entries(rows: Sequence[sql.Row]) -> list[EntryRow]:
    groups = await people_by_group({row["room_id"] for row in rows if _shows_people(row)})
    return [_entry(row, groups.get(row["room_id"], ())) for row in rows]


def _shows_people(row: sql.Row) -> bool:
    return of_stored(row["kind"]).is_group and not row["is_asked"]


def _entry(row: sql.Row, group: GroupPeople) -> EntryRow:
    kind, name, avatar, is_asked = of_stored(row["kind"]), row["name"], None, bool(row["is_asked"])
    if kind.is_between_two or is_asked:
        name = NOTES if row["low"] and row["low"] == row["high"] else row["other_name"] or DELETED_ACCOUNT
        avatar = Avatar.of(row["other_name"] or "", row["other_code"] or "", row["other_picture"])
    elif kind.is_group:
        name = group_title(group, row["user_id"])
    unread = min(MAX_UNREAD, max(0, row["last_number"] - row["read_number"] - row["removed_unread"]))
    is_read = tracker().has_open_stream(row["user_id"], row["room_id"])
    is_mine = not is_asked and row["last_author"] == row["user_id"]
    can_be_delivered = kind.is_between_two and not row["is_request"] and not is_mine
    return EntryRow(
        row["user_id"], row["room_id"], row["membership_id"], row["key"], kind, name, row["other_code"] or "", avatar,
        is_friend=bool(row["is_friend"]),
        is_online=bool(row["is_online"]),
        is_request=bool(row["is_request"]),
        level=row["level"],
        last_number=0 if is_asked else row["last_number"],
        unread=0 if is_read or row["level"] != ALL else unread,
        calls=0 if is_read else row["calls"],
        is_undelivered=can_be_delivered and row["delivered_number"] < row["last_number"],
        sort_at=sql.from_db(row["last_at"]),
        line=_line(row, kind),
        is_mine=is_mine,
        is_asked=is_asked,
        is_removed=bool(row["is_last_removed"]) and not is_asked,
        author="" if is_asked else (row["author_name"] or "").partition(" ")[0],
        face=row["face"],
        read_number=row["read_number"],
        group=group,
    )  # fmt: skip


def _line(row: sql.Row, kind: Kind) -> Text:
    """Return what stands below the name: what was said last, or what a person is asked."""
    if row["is_asked"]:
        return _("wants you in %(room)s", room=row["name"]) if row["name"] else _("wants you in a group")
    if row["last_line"] is None:
        return ""
    return REMOVED if row["is_last_removed"] else list_line(row["last_line"], sql.from_db(row["last_at"]))


class RoomFact(NamedTuple):
    """All of a room that makes a difference to entries, but what each person has of it for themselves."""

    name: str
    face: str
    last_number: int
    last_line: str
    is_last_removed: bool
    removed_count: int
    first_number: int
    # Of a group: who is in it.
    group: GroupPeople = ()


class PersonFact(NamedTuple):
    """All of a person that makes a difference to the pages of their friends."""

    is_online: bool
    shows_presence: bool


async def room_facts(rooms: Collection[int]) -> dict[int, RoomFact]:
    """Return the fact of each of these rooms that is not deleted, in one query, and one more where there are groups."""
    rows = await sql.fetch_inline(
        "SELECT id, kind, name, face, last_number, last_line, is_last_removed, removed_count, first_number FROM room "
        f"WHERE id IN ({sql.placeholders(rooms)}) AND closed_at IS NULL",
        *rooms,
    )
    groups = await people_by_group([row["id"] for row in rows if of_stored(row["kind"]).is_group])
    return {
        row["id"]: RoomFact(
            row["name"],
            row["face"],
            row["last_number"],
            row["last_line"],
            bool(row["is_last_removed"]),
            row["removed_count"],
            row["first_number"],
            groups.get(row["id"], ()),
        )
        for row in rows
    }


async def person_facts(people: Collection[int]) -> dict[int, PersonFact]:
    """Return the fact of each of these people, in one query."""
    rows = await sql.fetch_inline(
        f'SELECT id, shows_presence, {is_online()} AS is_online FROM "user" WHERE id IN ({sql.placeholders(people)})',
        *people,
    )
    return {row["id"]: PersonFact(bool(row["is_online"]), bool(row["shows_presence"])) for row in rows}


def digest(entries: Iterable[EntryRow], here: int | None) -> str:
    """
    Return the digest by which a page that shows these entries as they are is known.

    Unread messages of the page's own room make no difference: the page is reading them.
    """
    facts = [
        (
            one.room_id,
            one.last_number,
            one.line,
            "" if one.kind.is_between_two else one.group or one.name,
            one.face,
            one.level,
            one.room_id == here or (one.unread, one.calls),
            one.is_request,
            one.is_online,
        )
        for one in entries
    ]
    return blake2b(repr(facts).encode(), digest_size=6).hexdigest()


def contacts_digest(online: Collection[int], requests: int) -> str:
    """Return the same for the ids of friends who are online, and the count of friend requests."""
    return blake2b(repr((sorted(online), requests)).encode(), digest_size=6).hexdigest()


async def list_entries(user_id: int, page: int = 1) -> Listing:
    """Return the latest entries of a person, of that page, and what waits for them."""
    await read_marks().settle(user_id)
    start = (page - 1) * PAGE_SIZE
    query = _SIDEBAR.format(users=sql.placeholders([user_id]))
    rows = await sql.fetch_inline(query, user_id, user_id, start, start + PAGE_SIZE + 1)
    listed = [row for row in rows if row["membership_id"] is not None]
    waiting = _waiting(rows[0]) if rows else Waiting(0, None)
    return Listing(await _entries(listed), waiting, _others(listed) if listed else NO_UNREAD)


def _others(listed: list[sql.Row]) -> Unread:
    """Return what is unread beyond this page: of each row, what is so of all of the person's."""
    shown = listed[:PAGE_SIZE]
    behind = [row for row in shown if row["level"] == ALL and row["read_number"] < row["last_number"]]
    return Unread(shown[0]["behind"] - len(behind), int(shown[0]["all_calls"]) - sum(row["calls"] for row in shown))


async def unread_entries(user_id: int, limit: int) -> list[EntryRow]:
    """Return the latest rooms and chats of a person that something came to since they read there, and requests."""
    return await _fetch(_UNREAD, user_id, limit)


async def waiting_counts(users: Collection[int]) -> dict[int, Waiting]:
    """Return what waits for each of these people, in one query."""
    rows = await sql.fetch_inline(_WAITING.format(users=sql.placeholders(users)), *users)
    return dict.fromkeys(users, Waiting(0, None)) | {row["viewer_id"]: _waiting(row) for row in rows}


def _waiting(row: sql.Row) -> Waiting:
    return Waiting(row["requests"], row["reports"])


async def list_entries_by_user(users: Collection[int]) -> dict[int, list[EntryRow]]:
    """Return the first page of entries of each of these people."""
    entries: dict[int, list[EntryRow]] = {user: [] for user in users}
    for batch in _batches(users):
        for entry in await _listed(batch, 0, PAGE_SIZE):
            entries[entry.user_id].append(entry)
    return entries


async def entries_for(pairs: Collection[tuple[int, int]]) -> list[EntryRow]:
    """
    Return the entries of pairs of a person and a room; pairs without one are missing.

    The latest come last: put on top of a list one after the other, they stand in their order.
    """
    entries: list[EntryRow] = []
    for batch in _batches(pairs):
        if entries:
            await asyncio.sleep(YIELD_SECONDS)
        asked = ", ".join(["(CAST(? AS BIGINT), CAST(? AS BIGINT))"] * len(batch))
        entries += await _fetch(_AT.format(asked=asked), *itertools.chain(*batch))
    return sorted(entries, key=lambda entry: (entry.sort_at, entry.room_id))


def _batches(items: Collection[T]) -> Iterable[list[T]]:
    ordered = list(items)
    return (ordered[start : start + BATCH_SIZE] for start in range(0, len(ordered), BATCH_SIZE))


async def _listed(users: Collection[int], first: int, last: int) -> list[EntryRow]:
    query = _LISTED.format(users=sql.placeholders(users)) + " ORDER BY user_id, place"
    return await _fetch(query, *users, first, last)


async def _fetch(query: str, *values: int) -> list[EntryRow]:
    return await _entries(await sql.fetch_inline(query, *values))
