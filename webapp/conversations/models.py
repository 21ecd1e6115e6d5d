"""Rooms and memberships, and who may do what in a room; see access.py, members.py and direct.py for more of them."""

import itertools
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from zlib import crc32

from tortoise import fields
from tortoise.expressions import RawSQL
from tortoise.models import Model
from tortoise.queryset import QuerySet

from webapp.accounts.models import User
from webapp.accounts.viewer import HUES, Person
from webapp.core import text
from webapp.core.clock import LazyDatetime
from webapp.core.errors import Forbidden, Invalid
from webapp.core.i18n import Text, _
from webapp.db import sql
from webapp.db.prepared import Prepared

KEY_LENGTH = 80
# In letters, as people count, and in characters, as the database does.
NAME_LENGTH = 60
NAME_SIZE = text.CHARACTERS_PER_LETTER * NAME_LENGTH
TOPIC_LENGTH = 200
LINE_LENGTH = 120
PAGE_SIZE = 30
PUBLIC, DIRECT, ANONYMOUS = "public", "direct", "stranger"
OWNER, MEMBER, KICKED = "owner", "member", "kicked"
RECENT = timedelta(minutes=1)
MAX_RECENT = 1000
# Of so many rooms, the latest, names are searched: to look into 5,000 takes 2 ms, in the event loop on SQLite.
MAX_SEARCHED = 5000
# Every key that can't be guessed begins with it: no slug of a name does.
RANDOM_KEY_PREFIX = "~"
# How much somebody who is no friend may write before there is an answer.
MAX_UNANSWERED = 3
# How much two strangers may write to each other: then it is time to keep in touch, or to go on.
MOST_WITH_STRANGERS = 500
NOTES = _("Notes to yourself")
DELETED_ACCOUNT = _("Deleted account")
REMOVED = _("Removed")
ROOM_NOT_FOUND = _("There is no such room. It may have been deleted.")
CANNOT_WRITE = _("You can't write to this person.")
OTHER_DELETED = _("This account was deleted. You can still read what was said.")
CHAT_ENDED = _("This chat is over.")
CHAT_FULL = _("%(most)s messages fit in a chat with a stranger, and this one is full.", most=MOST_WITH_STRANGERS)
UNANSWERED = _("You have written %(count)s messages. Wait until they answer.", count=MAX_UNANSWERED)


def room_name(typed: str) -> str:
    """The name as it is kept; raises Invalid."""
    name = text.clean_line(typed)
    if not text.has_visible(name):
        raise Invalid(name=_("Write a name for the room."))
    if text.is_longer(name, NAME_LENGTH) or len(text.fold(name)) > 2 * NAME_SIZE:
        raise Invalid(name=_("Use at most %(most)s characters.", most=NAME_LENGTH))
    return name


def room_topic(typed: str) -> str:
    """The topic as it is kept; raises Invalid."""
    topic = text.clean_line(typed)
    if len(topic) > TOPIC_LENGTH:
        raise Invalid(topic=_("Use at most %(most)s characters.", most=TOPIC_LENGTH))
    return topic


def is_possible_key(key: str, length: int) -> bool:
    """Whether the database may be asked for what stood in an address: it refuses a null character or a long text."""
    return len(key) <= length and key.isprintable()


class Room(Model):
    """
    A place with a log. `version` counts the changes of the log, `last_number` its messages.

    Both move only in the transaction of the change, by an update that locks the row: so numbers and
    versions have no gaps and are in the order of the commits.
    """

    id = fields.IntField(primary_key=True)
    key = fields.CharField(KEY_LENGTH, unique=True)
    kind = fields.CharField(8, default=PUBLIC)
    name = fields.CharField(NAME_SIZE)
    folded = fields.CharField(2 * NAME_SIZE, unique=True, null=True)
    topic = fields.CharField(TOPIC_LENGTH, default="")
    version = fields.BigIntField(default=0)
    last_number = fields.BigIntField(default=0)
    last_at = fields.DatetimeField(auto_now_add=True)
    member_count = fields.IntField(default=0)
    # The pair of a direct room, the smaller id first; together unique.
    low = fields.IntField(null=True)
    high = fields.IntField(null=True)
    # The newest message in a line, for lists.
    last_line = fields.CharField(LINE_LENGTH, default="", db_default="")
    last_author = fields.IntField(null=True)
    # Whether that one was removed: there is no line then, and lists have a sentence instead.
    is_last_removed = fields.BooleanField(default=False, db_default=False)
    # How many of its messages were removed: where it is 0, as nearly everywhere, nobody counts those among the unread.
    removed_count = fields.IntField(default=0, db_default=0)
    locked_at = fields.DatetimeField(null=True)
    closed_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    # The viewer's own membership, where the room was looked up for somebody; not stored.
    membership: "Membership | None" = None
    # In a one-to-one chat: whom the viewer talks to (None when they have left), that person's membership, and whether
    # a block stands between the two. The chat's `name` is then the other's.
    other: Person | None = None
    other_membership: "Membership | None" = None
    is_blocked: bool = False

    class Meta:
        table = "room"
        table_description = "A place with a log. `version` counts the changes of the log, `last_number` its messages."
        indexes = (("kind", "last_at"),)

    @property
    def path(self) -> str:
        """The room's address; that of the chat with somebody as long as nothing has been said."""
        if self.is_stranger:
            return f"/strangers/chat/{self.id}"
        return f"/rooms/{quote(self.key, safe='')}" if self.key else f"/chat/{self.other.code if self.other else ''}"

    @property
    def is_chat(self) -> bool:
        """Whether it is between two people; strangers are in their masks."""
        return self.kind in (DIRECT, ANONYMOUS)

    @property
    def is_stranger(self) -> bool:
        return self.kind == ANONYMOUS

    @property
    def is_notes(self) -> bool:
        return self.kind == DIRECT and self.low == self.high

    @property
    def is_request(self) -> bool:
        """Whether somebody wants to write to the viewer, who has not answered."""
        return self.membership is not None and self.membership.is_request

    @property
    def is_live(self) -> bool:
        """Whether the viewer's page of it is live: not before they answer, nor when a block stands between the two."""
        return bool(self.key) and not self.is_request and not self.is_blocked

    @property
    def is_answered(self) -> bool:
        """Whether the viewer may write to the other as much as they like."""
        return self.is_notes or (self.other_membership is not None and not self.other_membership.is_request)

    @property
    def hue(self) -> int:
        return crc32(self.key.encode()) % HUES

    def other_id(self, user_id: int) -> int:
        """Whom somebody of the pair talks to here: in a notebook, themselves."""
        assert self.low is not None
        assert self.high is not None
        return self.low + self.high - user_id

    @classmethod
    async def search(cls, words: str = "", page: int = 1) -> list["Room"]:
        """
        Public rooms whose name contains the words, latest message first: a page and one more to show there is.

        A room that has been quiet for longer than MAX_SEARCHED others is opened by its whole name (access.enter).
        """
        if not words and page == 1:
            return await _LATEST.all()
        found = _latest()
        if words:
            public = f"SELECT last_at FROM room WHERE kind = '{PUBLIC}' AND closed_at IS NULL ORDER BY last_at"
            # The last that is searched, or the very last where there are fewer.
            last = f"COALESCE(({public} DESC LIMIT 1 OFFSET {MAX_SEARCHED - 1}), ({public} LIMIT 1))"
            found = found.filter(folded__contains=text.fold(words), last_at__gte=RawSQL(last))
        return await found.offset((page - 1) * PAGE_SIZE)

    @classmethod
    async def recently_active(cls) -> list[tuple[int, int]]:
        """The rooms in which something was said within the last minute, and the numbers of their newest messages."""
        talked_in = cls.filter(kind__in=(PUBLIC, DIRECT), last_at__gt=datetime.now(UTC) - RECENT, closed_at=None)
        return list(await talked_in.order_by("-last_at").limit(MAX_RECENT).values_list("id", "last_number"))

    # What may be done.

    def is_owned_by(self, user: Person) -> bool:
        """Nobody owns a chat, an administrator neither."""
        return not self.is_chat and (user.is_admin or (self.membership is not None and self.membership.role == OWNER))

    def refusal(self, user: Person) -> Text:
        """Why the person can't write here, in a sentence; empty when they can."""
        if self.locked_at and not self.is_chat and not self.is_owned_by(user):
            return _("%(name)s is locked. You can read, but not write.", name=self.name)
        if self.is_stranger:
            return CHAT_ENDED if self.locked_at else CHAT_FULL if self.last_number >= MOST_WITH_STRANGERS else ""
        if self.is_chat and self.key and not self.is_notes:
            if self.other is None:
                return OTHER_DELETED
            if self.is_blocked:
                return CANNOT_WRITE
            if self.last_number >= MAX_UNANSWERED and not self.is_answered:
                return UNANSWERED
        return ""

    def can_post(self, user: Person) -> bool:
        return not self.refusal(user)

    def require_can_post(self, user: Person) -> None:
        """Raise Refused when the person can't write here."""
        if refusal := self.refusal(user):
            raise Forbidden(refusal)

    async def set_topic(self, typed: str) -> None:
        self.topic = room_topic(typed)
        await Room.filter(id=self.id).update(topic=self.topic)

    async def set_locked(self, is_locked: bool) -> None:
        self.locked_at = datetime.now(UTC) if is_locked else None
        await Room.filter(id=self.id).update(locked_at=self.locked_at)

    async def close(self) -> None:
        """Take the room away from everyone at once; its rows are erased after that."""
        self.closed_at = datetime.now(UTC)
        await Room.filter(id=self.id).update(closed_at=self.closed_at, folded=None)


class Membership(Model):
    """Who is in which room, and how far they have read."""

    id = fields.IntField(primary_key=True)
    room: fields.ForeignKeyRelation[Room] = fields.ForeignKeyField("parley.Room", "memberships")
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "memberships", db_index=True)
    role = fields.CharField(8, default=MEMBER)
    read_number = fields.BigIntField(default=0)
    delivered_number = fields.BigIntField(default=0)
    muted = fields.BooleanField(default=False)
    # Somebody who is no friend has written: it is a request until the person answers.
    is_request = fields.BooleanField(default=False, db_default=False)
    joined_at = fields.DatetimeField(auto_now_add=True)
    kicked_until = fields.DatetimeField(null=True)

    room_id: int
    user_id: int

    class Meta:
        table = "membership"
        table_description = "Who is in which room, and how far they have read."
        unique_together = (("room", "user"),)

    async def mute(self, is_muted: bool) -> None:
        await Membership.filter(id=self.id).update(muted=is_muted)

    async def mark_unread_from(self, number: int, last: int) -> None:
        """The person wants to come back to this message."""
        await Membership.filter(id=self.id).update(read_number=min(max(number, 1), last + 1) - 1)

    @classmethod
    async def mark_all_read(cls, user_id: int, room_id: int) -> bool:
        """The person has seen everything in the room; whether there was something new."""
        newest = "(SELECT last_number FROM room WHERE id = ?)"
        new = await sql.rows(
            f"UPDATE membership SET read_number = {newest} "
            f"WHERE room_id = ? AND user_id = ? AND read_number < {newest} RETURNING id",
            room_id, room_id, user_id, room_id,
        )  # fmt: skip
        return bool(new)

    @staticmethod
    async def advance_read_numbers(room_id: int, numbers: Mapping[int, int]) -> dict[int, str]:
        """
        These people have written the messages of these numbers, and so read what was before.

        Answers the roles of those of them who are in the room. Who answers a request accepts it.
        """
        read = " ".join(["WHEN ? THEN CAST(? AS BIGINT)"] * len(numbers))
        found = await sql.rows(
            f"UPDATE membership SET read_number = CASE user_id {read} END, is_request = FALSE "
            f"WHERE room_id = ? AND user_id IN ({sql.placeholders(numbers)}) AND role <> 'kicked' "
            "RETURNING user_id, role",
            *itertools.chain(*numbers.items()), room_id, *numbers,
        )  # fmt: skip
        return {row["user_id"]: row["role"] for row in found}

    @classmethod
    async def mark_read_to(cls, user_id: int, room_id: int, number: int) -> bool:
        """The person has seen the messages up to this number; whether one of them was new."""
        mine = cls.filter(user_id=user_id, room_id=room_id, read_number__lt=number)
        return bool(await mine.update(read_number=number))

    @classmethod
    async def mark_delivered(cls, memberships: Collection[int]) -> None:
        """What is new in these chats has come to these members, who may not have looked at it yet."""
        await sql.rows(
            "UPDATE membership SET delivered_number = (SELECT last_number FROM room WHERE id = membership.room_id) "
            f"WHERE id IN ({sql.placeholders(memberships)}) RETURNING id",
            *memberships,
        )

    @classmethod
    async def rooms_by_user(cls, users: Collection[int]) -> dict[int, set[int]]:
        """The rooms that each of these people is in."""
        found: dict[int, set[int]] = {user: set() for user in users}
        theirs = f"SELECT user_id, room_id FROM membership WHERE user_id IN ({sql.placeholders(users)}) AND role <> ?"
        for row in await sql.rows(theirs, *users, KICKED):
            found[row["user_id"]].add(row["room_id"])
        return found

    def require_not_kicked(self) -> None:
        """Raise Refused while the person is kept out."""
        if self.kicked_until and self.kicked_until > datetime.now(UTC):
            raise Forbidden(_("You are kicked from this room until %(until)s.", until=LazyDatetime(self.kicked_until)))


def _latest() -> QuerySet[Room]:
    return Room.filter(kind=PUBLIC, closed_at=None).order_by("-last_at", "-id").limit(PAGE_SIZE + 1)


_LATEST = Prepared[Room](_latest)
# Only where it is open.
BY_ID = Prepared[Room](lambda number: Room.filter(id=number, closed_at=None))
