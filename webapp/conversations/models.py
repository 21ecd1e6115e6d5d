"""The tables of rooms and memberships, what a name and a topic may be, and how far members have read."""

import itertools
import secrets
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.models import User
from webapp.accounts.names import SEARCHED_LENGTH
from webapp.conversations import kinds
from webapp.conversations.faces import FACE_SIZE, room_face
from webapp.conversations.levels import ALL, LEVELS
from webapp.conversations.seats import MEMBER, MEMBERS, MODERATORS, OWNERS, RANDOM_KEY_PREFIX
from webapp.core import text
from webapp.core.errors import Invalid
from webapp.core.i18n import _
from webapp.db import sql

KEY_LENGTH = 80
# In letters, as people count, and in characters, as the database does.
NAME_LENGTH = 60
NAME_SIZE = text.CHARACTERS_PER_LETTER * NAME_LENGTH
TOPIC_LENGTH = 200
LINE_LENGTH = 120
# How long a member waits between two messages in slow mode, 0 for not at all.
SLOW_SECONDS = (0, 10, 30, 60, 300, 900, 3600)
MAX_KEEP_DAYS = 3650
REMOVED = _("Message removed")
CHOOSE_ONE = _("Choose one of these.")
ROOM_NOT_FOUND = _("There is no such room. It may have been deleted.")


def room_name(typed: str) -> str:
    """Return the name as it is stored; raise Invalid."""
    name = text.clean_line(typed)
    if not text.has_visible(name):
        raise Invalid(name=_("Write a name for the room."))
    if text.is_longer(name, NAME_LENGTH) or len(text.fold(name)) > 2 * NAME_SIZE:
        raise Invalid(name=_("Use at most %(most)s characters.", most=NAME_LENGTH))
    return name


def room_topic(typed: str) -> str:
    """Return the topic as it is stored; raise Invalid."""
    topic = text.clean_line(typed)
    if len(topic) > TOPIC_LENGTH:
        raise Invalid(topic=_("Use at most %(most)s characters.", most=TOPIC_LENGTH))
    return topic


def is_possible_key(key: str, length: int) -> bool:
    """Return whether the database takes what stood in an address: it refuses a null character or a long text."""
    return len(key) <= length and key.isprintable()


def random_key() -> str:
    """Return the key of a room that is not to be guessed."""
    return RANDOM_KEY_PREFIX + secrets.token_urlsafe(16)


class Room(Model):
    """
    A place with a log. `version` counts the changes of the log, `last_number` its messages.

    Both move only in the transaction of the change, by an update that locks the row: so numbers and
    versions have no gaps and are in the order of the commits.
    """

    id = fields.IntField(primary_key=True)
    key = fields.CharField(KEY_LENGTH, unique=True)
    kind = fields.CharField(8, default=kinds.PUBLIC.stored)
    name = fields.CharField(NAME_SIZE)
    folded = fields.CharField(2 * NAME_SIZE, unique=True, null=True)
    topic = fields.CharField(TOPIC_LENGTH, default="")
    # An emoji or two letters; empty for what its name says.
    face = fields.CharField(FACE_SIZE, default="", db_default="")
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
    # How many messages are pinned: of a room with none, as nearly all, pages ask no more.
    pin_count = fields.IntField(default=0, db_default=0)
    # The oldest message that is still there: what stood before it went when its time had come.
    first_number = fields.BigIntField(default=1, db_default=1)
    # MEMBERS or MODERATORS, and OWNERS or MEMBERS; how long one waits between two messages, 0 for not at all.
    who_posts = fields.CharField(10, default=MEMBERS, db_default=MEMBERS)
    who_invites = fields.CharField(10, default=OWNERS, db_default=OWNERS)
    slow_seconds = fields.IntField(default=0, db_default=0)
    # After how many days messages go, 0 for never; and what it will be from `keep_changes_at` on.
    keep_days = fields.IntField(default=0, db_default=0)
    next_keep_days = fields.IntField(null=True)
    keep_changes_at = fields.DatetimeField(null=True)
    locked_at = fields.DatetimeField(null=True)
    closed_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "room"
        table_description = "A place with a log. `version` counts the changes of the log, `last_number` its messages."
        indexes = (("kind", "last_at"),)

    @property
    def path(self) -> str:
        return kinds.of(self).path(self.id, self.key)

    @staticmethod
    async def rename(room_id: int, typed: str) -> None:
        """Change the name; raise Invalid, also where another room has it. The key stays, and so do all links."""
        name = room_name(typed)
        try:
            there = Room.filter(id=room_id, closed_at=None)
            # That of a private room has no folded name: it is taken for nobody.
            if not await there.filter(folded__isnull=False).update(name=name, folded=text.fold(name)):
                await there.filter(folded__isnull=True).update(name=name)
        except IntegrityError as error:
            raise Invalid(name=_("Another room is called that.")) from error

    @staticmethod
    async def set_topic(room_id: int, typed: str) -> None:
        """Change the topic; raise Invalid."""
        await Room.filter(id=room_id).update(topic=room_topic(typed))

    @staticmethod
    async def set_face(room_id: int, typed: str) -> None:
        """Change the face; raise Invalid."""
        await Room.filter(id=room_id).update(face=room_face(typed))

    @staticmethod
    async def set_locked(room_id: int, is_locked: bool) -> None:
        await Room.filter(id=room_id).update(locked_at=datetime.now(UTC) if is_locked else None)

    @staticmethod
    async def set_who_posts(room_id: int, who: str) -> None:
        """Change who posts; raise Invalid."""
        if who not in (MEMBERS, MODERATORS):
            raise Invalid(who_posts=CHOOSE_ONE)
        await Room.filter(id=room_id).update(who_posts=who)

    @staticmethod
    async def set_who_invites(room_id: int, who: str) -> None:
        """Change who invites; raise Invalid."""
        if who not in (OWNERS, MEMBERS):
            raise Invalid(who_invites=CHOOSE_ONE)
        await Room.filter(id=room_id).update(who_invites=who)

    @staticmethod
    async def set_slow_seconds(room_id: int, seconds: int) -> None:
        """Change how long members wait between two messages; raise Invalid."""
        if seconds not in SLOW_SECONDS:
            raise Invalid(slow_seconds=CHOOSE_ONE)
        await Room.filter(id=room_id).update(slow_seconds=seconds)

    @staticmethod
    async def close(room_id: int) -> None:
        """Take the room away from everyone at once; its rows are erased after that."""
        await Room.filter(id=room_id).update(closed_at=datetime.now(UTC), folded=None)


class RoomAlias(Model):
    """An address that a room had: it leads on who may read the room, and is taken for nobody."""

    id = fields.IntField(primary_key=True)
    room: fields.ForeignKeyRelation[Room] = fields.ForeignKeyField("parley.Room", "aliases")
    key = fields.CharField(KEY_LENGTH, db_index=True)

    class Meta:
        table = "room_alias"
        table_description = "An address that a room had: it leads on who may read the room, and is taken for nobody."
        unique_together = (("room", "key"),)


class Membership(Model):
    """Who is in which room, and how far they have read."""

    id = fields.IntField(primary_key=True)
    room: fields.ForeignKeyRelation[Room] = fields.ForeignKeyField("parley.Room", "memberships")
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "memberships", db_index=True)
    role = fields.CharField(8, default=MEMBER)
    read_number = fields.BigIntField(default=0)
    delivered_number = fields.BigIntField(default=0)
    # Both hold the level, for one release: see levels.py.
    level = fields.CharField(8, default=ALL, db_default=ALL)
    muted = fields.BooleanField(default=False)
    # A message request: one who is no friend has written, and the person has not answered.
    is_request = fields.BooleanField(default=False, db_default=False)
    joined_at = fields.DatetimeField(auto_now_add=True)
    # A ban for good is one until PERMANENT; by whom, and who added or invited the member, are ids of people.
    kicked_until = fields.DatetimeField(null=True)
    kicked_by = fields.IntField(null=True)
    inviter = fields.IntField(null=True)
    # What the list of a room's people is ordered by: their `user.sort_name`, copied by a trigger of the database.
    sort_name = fields.CharField(SEARCHED_LENGTH, default="", db_default="")

    room_id: int
    user_id: int

    class Meta:
        table = "membership"
        table_description = "Who is in which room, and how far they have read."
        unique_together = (("room", "user"),)
        indexes = (Index(fields=("room_id", "sort_name"), name="idx_membership_by_name"),)

    @staticmethod
    async def set_level(membership_id: int, level: str) -> None:
        """Change how much of the room its member wants to hear; raise Invalid."""
        if level not in LEVELS:
            raise Invalid(level=_("Choose one of the three."))
        await Membership.filter(id=membership_id).update(level=level, muted=level != ALL)

    @staticmethod
    async def mark_unread_from(membership_id: int, number: int, last: int) -> None:
        """Mark the message of that number and all after it as unread; `last` is the newest of the room."""
        await Membership.filter(id=membership_id).update(read_number=min(max(number, 1), last + 1) - 1)

    @staticmethod
    async def advance_read_numbers(room_id: int, numbers: Mapping[int, int]) -> dict[int, str]:
        """
        Mark as read up to one's own post and accept a pending message request; return the roles of members.

        `numbers` has the number of each author's newest message.
        """
        read = " ".join(["WHEN ? THEN CAST(? AS BIGINT)"] * len(numbers))
        found = await sql.execute(
            f"UPDATE membership SET read_number = CASE user_id {read} END, is_request = FALSE "
            f"WHERE room_id = ? AND user_id IN ({sql.placeholders(numbers)}) AND role <> 'kicked' "
            "RETURNING user_id, role",
            *itertools.chain(*numbers.items()), room_id, *numbers,
        )  # fmt: skip
        return {row["user_id"]: row["role"] for row in found}

    @staticmethod
    async def mark_all_read_to(user_id: int, numbers: Mapping[int, int]) -> list[int]:
        """
        Mark the messages of rooms as read, of each up to its number; return the rooms in which one was unread.

        A number that a room has not come to is none: what it will be given to must not count as read.
        """
        asked = ", ".join(["(CAST(? AS BIGINT), CAST(? AS BIGINT))"] * len(numbers))
        read = await sql.execute(
            f"UPDATE membership SET read_number = asked.column2 FROM (VALUES {asked}) AS asked, room "
            "WHERE membership.user_id = ? AND membership.room_id = asked.column1 AND room.id = asked.column1 "
            "AND asked.column2 <= room.last_number AND membership.read_number < asked.column2 "
            "RETURNING membership.room_id",
            *itertools.chain(*numbers.items()), user_id,
        )  # fmt: skip
        return [row["room_id"] for row in read]

    @classmethod
    async def mark_delivered(cls, memberships: Collection[int]) -> None:
        """Mark as delivered what is new in the chats of these memberships, read or not."""
        await sql.execute(
            "UPDATE membership SET delivered_number = (SELECT last_number FROM room WHERE id = membership.room_id) "
            f"WHERE id IN ({sql.placeholders(memberships)}) RETURNING id",
            *memberships,
        )
