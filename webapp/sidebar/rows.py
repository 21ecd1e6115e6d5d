"""An entry of a sidebar: what a row of its query says of a room or a chat to a person."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from webapp.accounts.viewer import Avatar
from webapp.conversations.faces import RoomFace
from webapp.conversations.group_people import GroupFace, GroupPeople, group_title
from webapp.conversations.group_queries import people_by_group
from webapp.conversations.kinds import DELETED_ACCOUNT, NOTES, of_stored
from webapp.conversations.levels import ALL
from webapp.conversations.models import REMOVED
from webapp.conversations.notice_words import list_line
from webapp.conversations.seats import Kind
from webapp.core.i18n import Text, _
from webapp.db import sql
from webapp.presence.tracker import tracker

JUST_NOW = timedelta(minutes=1)
# From so many unread messages on, the badge shows the same.
MAX_UNREAD = 100


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


async def entries_from(rows: Sequence[sql.Row]) -> list[EntryRow]:
    """Make entries of rows of the queries in queries.py; where there are groups, one query finds their people."""
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
