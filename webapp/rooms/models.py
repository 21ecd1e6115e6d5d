"""The rules of rooms: who finds which, who may do what in them."""

import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zlib import crc32

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.expressions import F
from tortoise.models import Model
from tortoise.queryset import QuerySet

from webapp import database, text
from webapp.accounts.models import HUES, User
from webapp.clock import Moment
from webapp.errors import Invalid, Missing, Refused
from webapp.friends.models import Block, pair
from webapp.language import Words, _
from webapp.prepared import Prepared

KEY_LENGTH = 80
NAME_LENGTH = 60
TOPIC_LENGTH = 200
LINE_LENGTH = 120
CODE_LENGTH = 9
PAGE = 30
PUBLIC, DIRECT, STRANGER = "public", "direct", "stranger"
OWNER, MEMBER, KICKED = "owner", "member", "kicked"
LONGEST_KICK = timedelta(days=30)
LATELY = timedelta(minutes=1)
MOST_LATEST = 1000
# Every key that can't be guessed begins with it: no slug of a name does.
RANDOM = "~"
# How much somebody who is no friend may write before there is an answer.
MOST_UNANSWERED = 3
# How much two strangers may write to each other: then it is time to keep in touch, or to go on.
MOST_WITH_STRANGERS = 500
NOTEBOOK = _("Notes to yourself")
NOBODY = _("Someone who left")
NO_ROOM = _("There is no such room. It may have been deleted.")
PARTED = _("You can't write to this person.")
GONE = _("They have left. You can still read what was said.")
LEFT = _("This chat is over.")
FULL = _("%(most)s messages fit in a chat with a stranger, and this one is full.", most=MOST_WITH_STRANGERS)
UNANSWERED = _("You have written %(count)s messages. Wait until they answer.", count=MOST_UNANSWERED)


def room_name(typed: str) -> str:
    """The name as it is kept; raises Invalid."""
    name = text.line(typed)
    if not text.visible(name):
        raise Invalid(name=_("Write a name for the room."))
    if len(name) > NAME_LENGTH or len(text.fold(name)) > 2 * NAME_LENGTH:
        raise Invalid(name=_("Use at most %(most)s characters.", most=NAME_LENGTH))
    return name


def room_topic(typed: str) -> str:
    """The topic as it is kept; raises Invalid."""
    topic = text.line(typed)
    if len(topic) > TOPIC_LENGTH:
        raise Invalid(topic=_("Use at most %(most)s characters.", most=TOPIC_LENGTH))
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
    # In a one-to-one chat: whom the viewer talks to (None when they have left), that person's membership, and whether
    # a block stands between the two. The chat's `name` is then the other's.
    other: User | None = None
    theirs: "Membership | None" = None
    is_parted: bool = False

    class Meta:
        table = "room"
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
        return self.kind in (DIRECT, STRANGER)

    @property
    def is_stranger(self) -> bool:
        return self.kind == STRANGER

    @property
    def is_notebook(self) -> bool:
        return self.kind == DIRECT and self.low == self.high

    @property
    def is_request(self) -> bool:
        """Whether somebody wants to write to the viewer, who has not answered."""
        return self.membership is not None and self.membership.is_request

    @property
    def is_open(self) -> bool:
        """Whether the viewer's page of it is live: not before they answer, nor when a block stands between the two."""
        return bool(self.key) and not self.is_request and not self.is_parted

    @property
    def is_answered(self) -> bool:
        """Whether the viewer may write to the other as much as they like."""
        return self.is_notebook or (self.theirs is not None and not self.theirs.is_request)

    @property
    def hue(self) -> int:
        return crc32(self.key.encode()) % HUES

    # Looking rooms up: what a person may not see does not exist.

    @classmethod
    async def for_reading(cls, user: User, key: str) -> "Room":
        """The open room of that key, with the person's membership; raises Missing, or Refused to one kept out."""
        if not _can_be(key, KEY_LENGTH):
            raise Missing(NO_ROOM)
        if key.startswith(RANDOM) and (chat := await cls._chat(user, await _BOTH.all(key))):
            return chat
        # Both in one query for those who are in it; who is not costs a second.
        membership = await _MINE.first(user.id, key)
        room = membership.room if membership else await _BY_KEY.first(key)
        if room is None or room.is_chat:
            raise Missing(NO_ROOM)
        if membership and membership.role == KICKED:
            membership.check_pardon()
            membership = None
        if room.kind != PUBLIC and membership is None:
            raise Missing(NO_ROOM)
        room.membership = membership
        return room

    @classmethod
    async def for_writing(cls, user: User, key: str) -> "Room":
        """The same for somebody who wants to write: raises Refused in a locked room."""
        room = await cls.for_reading(user, key)
        room.check_lock(user)
        return room

    @classmethod
    async def chat_with(cls, user: User, other: User) -> "Room":
        """
        The one chat of the two as the person sees it; one that is not stored when there is none for them yet.

        Raises Missing where either has blocked the other.
        """
        await Block.check(user, other)
        low, high = pair(user, other)
        if chat := await cls._chat(user, await _BOTH_OF_PAIR.all(low, high)):
            return chat
        empty = cls(key="", kind=DIRECT, low=low, high=high, name="")
        empty.id = 0
        empty._name(user, other)
        return empty

    @classmethod
    async def _chat(cls, user: User, both: "list[Membership]") -> "Room | None":
        """The one-to-one chat of these two as the person sees it, named after the other; None when it is not theirs."""
        by_user = {one.user_id: one for one in both}
        if user.id not in by_user:
            return None
        membership = by_user.pop(user.id)
        room = membership.room
        room.membership, room.theirs = membership, next(iter(by_user.values()), None)
        # Who has ignored a request has no membership, and the one who asked must not see that.
        other = room.theirs.user if room.theirs else await User.get_or_none(id=room.other_id(user.id))
        room._name(user, other)
        if other and not room.is_notebook:
            room.is_parted = await Block.exists_between(user, other)
        return room

    def other_id(self, user_id: int) -> int:
        """Whom somebody of the pair talks to here: in a notebook, themselves."""
        assert self.low is not None
        assert self.high is not None
        return self.low + self.high - user_id

    def _name(self, user: User, other: User | None) -> None:
        self.other = other
        self.name = str(NOTEBOOK if self.is_notebook else other.display_name if other else NOBODY)

    @classmethod
    async def search(cls, words: str = "", page: int = 1) -> list["Room"]:
        """Public rooms whose name contains the words, latest message first: a page and one more to show there is."""
        if not words and page == 1:
            return await _LATEST.all()
        found = _latest()
        if words:
            found = found.filter(folded__contains=text.fold(words))
        return await found.offset((page - 1) * PAGE)

    @classmethod
    async def lately(cls) -> list[tuple[int, int]]:
        """The rooms in which something was said within the last minute, and the numbers of their newest messages."""
        talked_in = cls.filter(kind__in=(PUBLIC, DIRECT), last_at__gt=datetime.now(UTC) - LATELY, closed_at=None)
        return list(await talked_in.order_by("-last_at").limit(MOST_LATEST).values_list("id", "last_number"))

    # What may be done.

    def is_owned_by(self, user: User) -> bool:
        """Nobody owns a chat, an administrator neither."""
        return not self.is_chat and (user.is_admin or (self.membership is not None and self.membership.role == OWNER))

    def refusal(self, user: User) -> Words:
        """Why the person can't write here, in a sentence; empty when they can."""
        if self.locked_at and not self.is_chat and not self.is_owned_by(user):
            return _("%(name)s is locked. You can read, but not write.", name=self.name)
        if self.is_stranger:
            return LEFT if self.locked_at else FULL if self.last_number >= MOST_WITH_STRANGERS else ""
        if self.is_chat and self.key and not self.is_notebook:
            if self.other is None:
                return GONE
            if self.is_parted:
                return PARTED
            if self.last_number >= MOST_UNANSWERED and not self.is_answered:
                return UNANSWERED
        return ""

    def can_post(self, user: User) -> bool:
        return not self.refusal(user)

    def check_lock(self, user: User) -> None:
        """Raise Refused when the person can't write here."""
        if refusal := self.refusal(user):
            raise Refused(refusal)

    async def check_post(self, author_id: int, number: int) -> None:
        """
        The same for the message of that number, within its transaction: what was true of a chat before may be over.

        As long as there is no answer, every message is by the one who asked: their number is their count.
        """
        if self.is_stranger:
            if number > MOST_WITH_STRANGERS or not await Room.exists(id=self.id, kind=STRANGER, locked_at=None):
                raise Refused(FULL if number > MOST_WITH_STRANGERS else LEFT)
            return
        other = self.other_id(author_id) if self.is_chat else author_id
        if other == author_id:
            return
        if await Block.filter(blocker_id__in=(author_id, other), blocked_id__in=(author_id, other)).exists():
            raise Refused(PARTED)
        if number > MOST_UNANSWERED:
            theirs = await Membership.get_or_none(room_id=self.id, user_id=other)
            if theirs is None or theirs.is_request:
                raise Refused(UNANSWERED)

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

    @classmethod
    async def begin_chat(cls, user: User, other: User, is_request: bool) -> "Room":
        """
        Make the one chat of the two, within a transaction.

        Raises IntegrityError when it exists: two people who write to each other at the same moment are led to one.
        """
        low, high = pair(user, other)
        members = {low, high}
        room = await cls.create(
            key=RANDOM + secrets.token_urlsafe(16), kind=DIRECT, name="", low=low, high=high, member_count=len(members)
        )
        for member in members:
            await Membership.create(room=room, user_id=member, is_request=is_request and member != user.id)
        return room

    @classmethod
    async def befriend(cls, one: User, other: User) -> None:
        """The two are friends now: what either has written to the other is a request no more, though ignored."""
        low, high = pair(one, other)
        room = await cls.get_or_none(low=low, high=high, closed_at=None)
        if room is None:
            return

        async def write() -> None:
            for person in (one, other):
                await room.join_now(person)
            await Membership.filter(room_id=room.id, is_request=True).update(is_request=False)

        await database.transact(write)

    @staticmethod
    def _key(folded: str, attempt: int) -> str:
        """A slug, numbered where it is taken. A random key begins with `~`, which no slug contains."""
        slug = text.slug(folded)[:64] or "room"
        if attempt == 0:
            return slug
        # Every name without letters is a "room": after a few, counting on would only find what is taken.
        return f"{slug}-{attempt + 1 if attempt < 5 else secrets.randbelow(10**9)}"

    async def join(self, user: User) -> None:
        """In a chat: let the one who wants to write do so."""
        if self.is_request:
            await Membership.filter(room_id=self.id, user_id=user.id).update(is_request=False)
        elif self.membership is None:
            self.membership = await database.transact(self.join_now, user)

    async def join_now(self, user: User) -> "Membership":
        """Join within a transaction. Somebody whose time outside is over comes back as a member."""
        # The room's row is locked first: two joins of one person at once wait for each other here.
        if not await Room.filter(id=self.id, closed_at=None).update(member_count=F("member_count") + 1):
            raise Missing(NO_ROOM)
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
        """
        In a chat: ignore a request, which the other does not notice.

        Raises Refused for the owner, whose room would be nobody's, and in a chat that is none of a request.
        """

        async def write() -> None:
            await Room.filter(id=self.id).update(member_count=F("member_count") - 1)
            gone = await Membership.filter(room_id=self.id, user_id=user.id, role=MEMBER).delete()
            if not gone:
                raise Invalid(role="not a member")

        if self.is_chat and not self.is_request:
            raise Refused(_("A chat can't be left. You can block the person on their own page."))
        if self.membership and self.membership.role == OWNER:
            raise Refused(_("The room is yours. Make someone else its owner first, or delete it."))
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
                raise Missing(_("That person is not in this room."))

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
                raise Refused(_("They have just left the room."))

        await database.transact(write)

    async def lose(self, user: User) -> None:
        """
        Let go of somebody who leaves for good. What they own goes to whoever has been there longest; a room that
        nobody is left in is closed, which `closed_at` then says.
        """

        async def write() -> None:
            await self._hold()
            mine = await Membership.get_or_none(room_id=self.id, user_id=user.id)
            if mine is None:
                return
            await mine.delete()
            if mine.role == KICKED:
                return
            await Room.filter(id=self.id).update(member_count=F("member_count") - 1)
            heir = await Membership.filter(room_id=self.id, role__not=KICKED).order_by("joined_at", "id").first()
            if heir is None:
                await self.close()
            elif mine.role == OWNER:
                await Membership.filter(id=heir.id).update(role=OWNER)

        await database.transact(write)

    async def close(self) -> None:
        """Take the room away from everyone at once; its rows are erased after that."""
        self.closed_at = datetime.now(UTC)
        await Room.filter(id=self.id).update(closed_at=self.closed_at, folded=None)

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
            raise Missing(_("That person is not in this room."))
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

    async def mute(self, is_muted: bool) -> None:
        await Membership.filter(id=self.id).update(muted=is_muted)

    async def unread_from(self, number: int, last: int) -> None:
        """The person wants to come back to this message."""
        await Membership.filter(id=self.id).update(read_number=min(max(number, 1), last + 1) - 1)

    @classmethod
    async def read_all(cls, user_id: int, room_id: int) -> bool:
        """The person has seen everything in the room; whether there was something new."""
        newest = "(SELECT last_number FROM room WHERE id = ?)"
        new = await database.rows(
            f"UPDATE membership SET read_number = {newest} "
            f"WHERE room_id = ? AND user_id = ? AND read_number < {newest} RETURNING id",
            room_id, room_id, user_id, room_id,
        )  # fmt: skip
        return bool(new)

    @staticmethod
    async def has_posted(room_id: int, user_id: int, number: int) -> bool:
        """
        The person has written the message of this number, and so read what was before; whether they are in the room.

        Who answers a request accepts it.
        """
        mine = await database.rows(
            "UPDATE membership SET read_number = ?, is_request = FALSE "
            "WHERE room_id = ? AND user_id = ? AND role <> 'kicked' RETURNING id",
            number, room_id, user_id,
        )  # fmt: skip
        return bool(mine)

    @classmethod
    async def read_to(cls, user_id: int, room_id: int, number: int) -> bool:
        """The person has seen the messages up to this number; whether one of them was new."""
        mine = cls.filter(user_id=user_id, room_id=room_id, read_number__lt=number)
        return bool(await mine.update(read_number=number))

    @classmethod
    async def delivered(cls, memberships: Collection[int]) -> None:
        """What is new in these chats has come to these members, who may not have looked at it yet."""
        marks = ", ".join("?" * len(memberships))
        await database.rows(
            "UPDATE membership SET delivered_number = (SELECT last_number FROM room WHERE id = membership.room_id) "
            f"WHERE id IN ({marks}) RETURNING id",
            *memberships,
        )

    @classmethod
    async def places(cls, users: Collection[int]) -> dict[int, set[int]]:
        """The rooms that each of these people is in."""
        found: dict[int, set[int]] = {user: set() for user in users}
        theirs = cls.filter(user_id__in=users, role__not=KICKED)
        for user, room in await theirs.values_list("user_id", "room_id"):
            found[user].add(room)
        return found

    def check_pardon(self) -> None:
        """Raise Refused while the person is kept out."""
        if self.kicked_until and self.kicked_until > datetime.now(UTC):
            raise Refused(_("The owner keeps you out of this room until %(until)s.", until=Moment(self.kicked_until)))


def _both(**which: object) -> QuerySet[Membership]:
    return Membership.filter(room__kind=DIRECT, room__closed_at=None, **which).select_related("room", "user")


def _latest() -> QuerySet[Room]:
    return Room.filter(kind=PUBLIC, closed_at=None).order_by("-last_at", "-id").limit(PAGE + 1)


_LATEST = Prepared[Room](_latest)
_MINE = Prepared[Membership](
    lambda user, key: Membership.filter(user_id=user, room__key=key, room__closed_at=None).select_related("room")
)
_BY_KEY = Prepared[Room](lambda key: Room.filter(key=key, closed_at=None))
_BOTH = Prepared[Membership](lambda key: _both(room__key=key))
_BOTH_OF_PAIR = Prepared[Membership](lambda low, high: _both(room__low=low, room__high=high))
# Only where it is open.
BY_ID = Prepared[Room](lambda number: Room.filter(id=number, closed_at=None))


def people(memberships: list[Membership]) -> list[dict[str, Any]]:
    """The memberships as a list of people shows them."""
    return [
        {
            "code": one.user.code,
            "display_name": one.user.display_name,
            "avatar": one.user.avatar,
            "role": one.role,
            "kicked_until": one.kicked_until,
        }
        for one in memberships
    ]
