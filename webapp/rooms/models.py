"""The rules of rooms: who finds which, who may do what in them."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zlib import crc32

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.expressions import F
from tortoise.models import Model

from webapp import database, text
from webapp.accounts.models import HUES, Avatar, User
from webapp.clock import moment
from webapp.errors import Invalid, Missing, Refused

KEY_LENGTH = 80
NAME_LENGTH = 60
TOPIC_LENGTH = 200
LINE_LENGTH = 120
CODE_LENGTH = 9
PAGE = 30
SIDEBAR = 50
PUBLIC, OWNER, MEMBER, KICKED = "public", "owner", "member", "kicked"
LONGEST_KICK = timedelta(days=30)


def room_name(typed: str) -> str:
    """The name as it is kept; raises Invalid."""
    name = text.line(typed)
    if not text.visible(name):
        raise Invalid(name="Write a name for the room.")
    if len(name) > NAME_LENGTH or len(text.fold(name)) > 2 * NAME_LENGTH:
        raise Invalid(name=f"Use at most {NAME_LENGTH} characters.")
    return name


def room_topic(typed: str) -> str:
    """The topic as it is kept; raises Invalid."""
    topic = text.line(typed)
    if len(topic) > TOPIC_LENGTH:
        raise Invalid(topic=f"Use at most {TOPIC_LENGTH} characters.")
    return topic


def _can_be(key: str, length: int) -> bool:
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
    name = fields.CharField(NAME_LENGTH)
    folded = fields.CharField(2 * NAME_LENGTH, unique=True, null=True)
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
    locked_at = fields.DatetimeField(null=True)
    closed_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    # The viewer's own membership, where the room was looked up for somebody; not stored.
    membership: "Membership | None" = None

    class Meta:
        table = "room"
        indexes = (("kind", "last_at"),)

    @property
    def path(self) -> str:
        return f"/rooms/{quote(self.key, safe='')}"

    @property
    def hue(self) -> int:
        return crc32(self.key.encode()) % HUES

    # Looking rooms up: what a person may not see does not exist.

    @classmethod
    async def for_reading(cls, user: User, key: str) -> "Room":
        """The open room of that key, with the person's membership; raises Missing, or Refused to one kept out."""
        room = await cls.get_or_none(key=key, closed_at=None) if _can_be(key, KEY_LENGTH) else None
        if room is None:
            raise Missing("There is no such room. It may have been deleted.")
        membership = await Membership.get_or_none(room_id=room.id, user_id=user.id)
        if membership and membership.role == KICKED:
            membership.check_pardon()
            membership = None
        if room.kind != PUBLIC and membership is None:
            raise Missing
        room.membership = membership
        return room

    @classmethod
    async def for_writing(cls, user: User, key: str) -> "Room":
        """The same for somebody who wants to write: raises Refused in a locked room."""
        room = await cls.for_reading(user, key)
        room.check_lock(user)
        return room

    @classmethod
    async def search(cls, words: str = "", page: int = 1) -> list["Room"]:
        """Public rooms whose name contains the words, latest message first: a page and one more to show there is."""
        found = cls.filter(kind=PUBLIC, closed_at=None)
        if words:
            found = found.filter(folded__contains=text.fold(words))
        return await found.order_by("-last_at", "-id").offset((page - 1) * PAGE).limit(PAGE + 1)

    @classmethod
    async def sidebar(cls, user: User) -> list["Entry"]:
        """The rooms that the person is in, the latest first, in one query."""
        rows = (
            await Membership.filter(user_id=user.id, role__not=KICKED, room__closed_at=None)
            .order_by("-room__last_at")
            .limit(SIDEBAR)
            .values(
                "room_id",
                "read_number",
                key="room__key",
                name="room__name",
                last_number="room__last_number",
                last_at="room__last_at",
            )
        )
        return [Entry(**row) for row in rows]

    # What may be done.

    def is_owned_by(self, user: User) -> bool:
        return user.is_admin or (self.membership is not None and self.membership.role == OWNER)

    def can_post(self, user: User) -> bool:
        return self.locked_at is None or self.is_owned_by(user)

    def check_lock(self, user: User) -> None:
        """Raise Refused when the room is locked for the person."""
        if not self.can_post(user):
            raise Refused(f"{self.name} is locked. You can read, but not write.")

    # Doing it.

    @classmethod
    async def enter(cls, user: User, name: str, topic: str = "") -> "Room":
        """
        Join the public room of that name, or create and own it.

        Two people who create it at the same moment are led to one room by the unique folded name.
        """
        name, topic = room_name(name), room_topic(topic)
        folded = text.fold(name)
        for attempt in range(20):
            try:
                if room := await cls.get_or_none(folded=folded):
                    found = await cls.for_reading(user, room.key)
                    await found.join(user)
                    return found
                return await database.transact(cls._create, user, name, folded, topic, attempt)
            except (IntegrityError, Missing):
                continue  # somebody made it or deleted it first, or the key is taken: look again, try another key
        raise RuntimeError("no free key was found for a room")

    @classmethod
    async def _create(cls, user: User, name: str, folded: str, topic: str, attempt: int) -> "Room":
        room = await cls.create(key=cls._key(folded, attempt), name=name, folded=folded, topic=topic, member_count=1)
        room.membership = await Membership.create(room=room, user=user, role=OWNER)
        return room

    @staticmethod
    def _key(folded: str, attempt: int) -> str:
        """A slug, numbered where it is taken. A random key begins with `~`, which no slug contains."""
        slug = text.slug(folded)[:64] or "room"
        if attempt == 0:
            return slug
        # Every name without letters is a "room": after a few, counting on would only find what is taken.
        return f"{slug}-{attempt + 1 if attempt < 5 else secrets.randbelow(10**9)}"

    async def join(self, user: User) -> None:
        if self.membership is None:
            self.membership = await database.transact(self.join_now, user)

    async def join_now(self, user: User) -> "Membership":
        """Join within a transaction. Somebody whose time outside is over comes back as a member."""
        # The room's row is locked first: two joins of one person at once wait for each other here.
        if not await Room.filter(id=self.id, closed_at=None).update(member_count=F("member_count") + 1):
            raise Missing("There is no such room. It may have been deleted.")
        membership = await Membership.get_or_none(room_id=self.id, user_id=user.id)
        if membership and membership.role != KICKED:
            await Room.filter(id=self.id).update(member_count=F("member_count") - 1)
            return membership
        if membership:
            membership.check_pardon()
            await membership.delete()
        latest = await Room.filter(id=self.id).values_list("last_number", flat=True)
        return await Membership.create(room_id=self.id, user_id=user.id, role=MEMBER, read_number=latest[0])

    async def leave(self, user: User) -> None:
        """Raises Refused for the owner: the room would be nobody's."""

        async def write() -> None:
            await Room.filter(id=self.id).update(member_count=F("member_count") - 1)
            gone = await Membership.filter(room_id=self.id, user_id=user.id, role=MEMBER).delete()
            if not gone:
                raise Invalid(role="not a member")

        if self.membership and self.membership.role == OWNER:
            raise Refused("The room is yours. Make somebody else its owner first, or delete it.")
        try:
            await database.transact(write)
        except Invalid:
            return  # they had left already

    async def set_topic(self, typed: str) -> None:
        self.topic = room_topic(typed)
        await Room.filter(id=self.id).update(topic=self.topic)

    async def lock(self, is_locked: bool) -> None:
        self.locked_at = datetime.now(UTC) if is_locked else None
        await Room.filter(id=self.id).update(locked_at=self.locked_at)

    async def kick(self, member: "Membership", minutes: int) -> None:
        """Keep a member out for so many minutes from now on; raises Missing when they have just left."""
        until = datetime.now(UTC) + min(timedelta(minutes=max(1, minutes)), LONGEST_KICK)

        async def write() -> None:
            await self._hold()
            kicked = await Membership.filter(id=member.id, role=MEMBER).update(role=KICKED)
            await Room.filter(id=self.id).update(member_count=F("member_count") - kicked)
            if not await Membership.filter(id=member.id, role=KICKED).update(kicked_until=until):
                raise Missing("That person is not in this room.")

        await database.transact(write)

    async def _hold(self) -> None:
        """Lock the room's row, within a transaction: changes of who is what in a room wait for each other."""
        await Room.filter(id=self.id).update(member_count=F("member_count"))

    async def pardon(self, user: User) -> None:
        await Membership.filter(room_id=self.id, user_id=user.id, role=KICKED).delete()

    async def hand_over(self, member: "Membership") -> None:
        """Make a member the owner, and the owner a member, both or neither."""

        async def write() -> None:
            await self._hold()
            await Membership.filter(room_id=self.id, role=OWNER).update(role=MEMBER)
            if not await Membership.filter(id=member.id, role=MEMBER).update(role=OWNER):
                raise Refused("They have just left the room.")

        await database.transact(write)

    async def close(self) -> None:
        """Take the room away from everyone at once; its rows are erased after that."""
        await Room.filter(id=self.id).update(closed_at=datetime.now(UTC), folded=None)

    async def members(self, page: int = 1) -> list["Membership"]:
        """The people of the room, the owner first: a page and one more to show there is."""
        return (
            await Membership.filter(room_id=self.id, role__not=KICKED)
            .order_by("-role", "id")
            .select_related("user")
            .offset((page - 1) * PAGE)
            .limit(PAGE + 1)
        )

    async def kicked(self) -> list["Membership"]:
        now = datetime.now(UTC)
        kept_out = Membership.filter(room_id=self.id, role=KICKED, kicked_until__gt=now)
        return await kept_out.select_related("user").order_by("id").limit(PAGE)

    async def member(self, code: str) -> "Membership":
        """The membership of the person with that code; raises Missing."""
        known = Membership.filter(room_id=self.id, user__code=code).select_related("user")
        found = await known.first() if _can_be(code, CODE_LENGTH) else None
        if found is None:
            raise Missing("That person is not in this room.")
        return found


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
        unique_together = (("room", "user"),)

    @classmethod
    async def read_all(cls, user_id: int, room_id: int) -> None:
        """The person has seen everything in the room."""
        await database.rows(
            "UPDATE membership SET read_number = (SELECT last_number FROM room WHERE id = ?) "
            "WHERE room_id = ? AND user_id = ?",
            room_id, room_id, user_id,
        )  # fmt: skip

    def check_pardon(self) -> None:
        """Raise Refused while the person is kept out."""
        if self.kicked_until and self.kicked_until > datetime.now(UTC):
            raise Refused(f"The owner keeps you out of this room until {moment(self.kicked_until)}.")


class Entry:
    """A room in somebody's sidebar."""

    def __init__(
        self, room_id: int, key: str, name: str, last_number: int, read_number: int, last_at: datetime
    ) -> None:
        self.room_id, self.key, self.name = room_id, key, name
        self.unread = max(0, last_number - read_number)
        self.at: datetime | None = last_at if last_number else None
        self.path = f"/rooms/{quote(key, safe='')}"
        self.hue = crc32(key.encode()) % HUES


def people(memberships: list[Membership]) -> list[dict[str, Any]]:
    """The memberships as a list of people shows them."""
    return [
        {
            "code": one.user.code,
            "display_name": one.user.display_name,
            "avatar": Avatar.of(one.user.display_name, one.user.code),
            "role": one.role,
            "kicked_until": one.kicked_until,
        }
        for one in memberships
    ]
