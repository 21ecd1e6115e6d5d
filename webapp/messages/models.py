"""The rules of messages: how one is posted, edited and removed, and what changed since."""

import secrets
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from markupsafe import Markup
from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.expressions import F, Q
from tortoise.models import Model

from webapp import database, text
from webapp.accounts.models import FRIENDS, Avatar, User
from webapp.clock import clock, local
from webapp.errors import Invalid, Missing
from webapp.friends.models import Friendship
from webapp.language import Words, _
from webapp.messages.markdown import first_line, plain, rendered
from webapp.rooms import chats, members
from webapp.rooms.models import LINE_LENGTH, NOBODY, Membership, Room

LONGEST = 4000
PAGE = 50
MOST_CHANGES = 500
TOGETHER = timedelta(minutes=5)
REMOVED = "Removed"


def new_nonce() -> str:
    """A fresh one for every form: it makes sending the form again harmless."""
    return secrets.token_urlsafe(12)


def checked(typed: str) -> str:
    """The body as it is kept; raises Invalid."""
    body = text.block(typed)
    if not text.visible(body):
        raise Invalid(body=_("Write something first."))
    if len(body) > LONGEST:
        raise Invalid(body=_("That is %(count)s characters; %(most)s fit in a message.", count=len(body), most=LONGEST))
    return body


class Posted(NamedTuple):
    """What became of a post: its room's version and its number, and whether it was there already."""

    version: int
    number: int
    is_repeat: bool


_Row = dict[str, Any]


class _Repeat(Exception):
    """The nonce is known with the same body: the transaction is undone, the first one counts."""

    def __init__(self, number: int, version: int) -> None:
        self.posted = Posted(version, number, is_repeat=True)


class Message(Model):
    id = fields.BigIntField(primary_key=True)
    room: fields.ForeignKeyRelation[Room] = fields.ForeignKeyField("parley.Room", "messages")
    number = fields.BigIntField()
    posted_version = fields.BigIntField()
    version = fields.BigIntField()
    author: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "parley.User", "messages", null=True, on_delete=fields.SET_NULL
    )
    body = fields.TextField()
    html = fields.TextField()
    continues = fields.BooleanField(default=False)
    opens_day = fields.BooleanField(default=False)
    created_at = fields.DatetimeField()
    edited_at = fields.DatetimeField(null=True)
    removed_at = fields.DatetimeField(null=True)
    nonce = fields.CharField(32, null=True)

    room_id: int
    author_id: int | None

    class Meta:
        table = "message"
        unique_together = (("room", "number"), ("room", "author", "nonce"))
        # The last: what one author wrote in one room, in order.
        indexes = (("room_id", "version"), ("author_id", "room_id", "number"))

    # Writing.

    @classmethod
    async def post(cls, room: Room, author: User, body: str, nonce: str) -> Posted:
        """Store a message and take the room's next version and number; raises Invalid. Posting joins."""
        body = checked(body)
        nonce = text.line(nonce)[:32] or new_nonce()
        try:
            html = plain(body) if room.is_stranger else rendered(body)
            return await database.transact(cls._insert, room, author, body, html, nonce)
        except _Repeat as repeat:
            return repeat.posted

    @classmethod
    async def write_to(cls, author: User, other: User, body: str, nonce: str) -> tuple[Room, Posted]:
        """
        Post to the one chat of two people, which the first message makes; raises Invalid, Missing and Refused.

        Whoever else writes the first message at the same moment ends in the same room.
        """
        body, nonce = checked(body), text.line(nonce)[:32] or new_nonce()
        for _attempt in range(3):
            room = await chats.between(author, other)
            if not room.key and (made := await Room.get_or_none(low=room.low, high=room.high)):
                room = made  # they have ignored what the other wrote, and write now
            if room.key:
                return room, await cls.post(room, author, body, nonce)
            is_request = author.id != other.id and await cls._must_ask(author, other)
            try:
                return await database.transact(cls._begin, author, other, is_request, body, rendered(body), nonce)
            except IntegrityError:
                continue
        raise Missing(_("Nobody has that code."))  # any more

    @staticmethod
    async def _must_ask(author: User, other: User) -> bool:
        """Whether the first message is a request."""
        if other.written_by != FRIENDS:
            return False
        friendship = await Friendship.between(author, other)
        return friendship is None or friendship.accepted_at is None

    @classmethod
    async def _begin(
        cls, author: User, other: User, is_request: bool, body: str, html: str, nonce: str
    ) -> tuple[Room, Posted]:
        room = await chats.begin(author, other, is_request)
        return room, await cls._insert(room, author, body, html, nonce)

    @classmethod
    async def _insert(cls, room: Room, author: User, body: str, html: str, nonce: str) -> Posted:
        version, number = await cls._take_place(room.id, first_line(html, LINE_LENGTH), author.id)
        now = datetime.now(UTC)  # under the lock: the order of the numbers is that of the times
        last, known = await cls._before(room.id, number, author.id, nonce)
        if known:
            if known["body"] == body:
                raise _Repeat(known["number"], known["version"])
            # The browser's back button revived a form that was used: another text is another message.
            nonce = new_nonce()
        # Asked here, under the lock, and not before: they may have left or been sent away since they were let in.
        await chats.check_post(room, author.id, number)
        if not await Membership.has_posted(room.id, author.id, number):
            room.membership = await members.join_now(room, author)
        opens_day = last is None or local(last["created_at"]).date() != local(now).date()
        continues = not opens_day and cls._continues(last, author, now)
        await cls._store(
            room_id=room.id, number=number, posted_version=version, version=version, author_id=author.id, body=body,
            html=html, continues=continues, opens_day=opens_day, created_at=database.stored(now), nonce=nonce,
        )  # fmt: skip
        return Posted(version, number, is_repeat=False)

    @staticmethod
    async def _store(**values: object) -> None:
        marks = ", ".join("?" * len(values))
        await database.rows(f"INSERT INTO message ({', '.join(values)}) VALUES ({marks})", *values.values())

    @staticmethod
    async def _take_place(room_id: int, line: str, author_id: int) -> tuple[int, int]:
        """Lock the room, and take its next version and number for a message; what lists show of the room is that."""
        taken = await database.rows(
            "UPDATE room SET version = version + 1, last_number = last_number + 1, last_at = ?, last_line = ?, "
            "last_author = ? WHERE id = ? AND closed_at IS NULL RETURNING version, last_number",
            database.stored(datetime.now(UTC)), line, author_id, room_id,
        )  # fmt: skip
        if not taken:
            raise Missing(_("The room has been deleted."))
        return taken[0]["version"], taken[0]["last_number"]

    @staticmethod
    async def _before(room_id: int, number: int, author_id: int, nonce: str) -> tuple[_Row | None, _Row | None]:
        """The message before this number, and the one that the author has sent with this nonce, if there are any."""
        found = await database.rows(
            "SELECT number, version, author_id, body, nonce, created_at, removed_at FROM message "
            "WHERE room_id = ? AND (number = ? OR (author_id = ? AND nonce = ?))",
            room_id, number - 1, author_id, nonce,
        )  # fmt: skip
        for row in found:
            row["created_at"] = database.moment(row["created_at"])
        last = next((row for row in found if row["number"] == number - 1), None)
        known = next((row for row in found if row["author_id"] == author_id and row["nonce"] == nonce), None)
        return last, known

    @staticmethod
    def _continues(last: _Row | None, author: User, now: datetime) -> bool:
        """Whether it belongs to the one before, of the same day: the same author, minutes apart."""
        if last is None or last["author_id"] != author.id or last["removed_at"]:
            return False
        return bool(now - last["created_at"] < TOGETHER)

    @staticmethod
    async def _advance(room_id: int) -> tuple[int, int]:
        """Lock the room and take its next version; that, and the number of its newest message."""
        if not await Room.filter(id=room_id, closed_at=None).update(version=F("version") + 1):
            raise Missing(_("The room has been deleted."))
        [(version, number)] = await Room.filter(id=room_id).values_list("version", "last_number")
        return version, number

    async def edit(self, body: str) -> int:
        """Change the words; the room's new version, or the old one when nothing changed. Raises Invalid, Missing."""
        body = checked(body)
        if body == self.body:
            return int(self.version)
        return await self._change(body=body, html=rendered(body), edited_at=datetime.now(UTC))

    async def remove(self) -> int:
        """Take the words away for everyone; the room's new version. Removing twice is as good as once."""
        try:
            return await self._change(body="", html="", removed_at=datetime.now(UTC))
        except Missing:
            return int(self.version)

    async def _change(self, **values: object) -> int:
        async def write() -> int:
            version, last_number = await Message._advance(self.room_id)
            if not await Message.filter(id=self.id, removed_at=None).update(version=version, **values):
                raise Missing(_("This message has been removed."))
            if self.number == last_number:
                line = first_line(str(values["html"]), LINE_LENGTH) or REMOVED
                await Room.filter(id=self.room_id).update(last_line=line)
            return version

        return await database.transact(write)

    def path_in(self, room: Room) -> str:
        return f"{room.path}/messages/{self.number}"

    @property
    def safe_html(self) -> Markup:
        """The HTML, made safe by `rendered` when it was stored."""
        return Markup(self.html)  # noqa: S704

    # Reading.

    @classmethod
    async def for_changing(cls, room: Room, user: User, number: int) -> "Message":
        """The message of that number, for its author, the owner of the room or an administrator; else Missing."""
        message = await cls.get_or_none(room_id=room.id, number=number)
        if message is None or not (message.author_id == user.id or room.is_owned_by(user)):
            raise Missing(_("This message does not exist, or it is not yours."))
        return message

    @classmethod
    async def page(cls, room: Room, before: int | None = None, around: int | None = None) -> list["Line"]:
        """Up to 50 messages in order: the newest, those before a number, or those around one."""
        end = room.last_number + 1
        if before is not None:
            end = min(end, before)
        if around is not None:
            end = min(end, around + PAGE // 2)
        first = max(1, end - PAGE)
        end = min(first + PAGE if around else end, room.last_number + 1)
        return await _lines(
            room, "message.room_id = ? AND message.number >= ? AND message.number < ? ORDER BY message.number",
            room.id, first, end,
        )  # fmt: skip

    @classmethod
    async def one(cls, room: Room, number: int) -> list["Line"]:
        """The message of that number, if there is one."""
        return await _lines(room, "message.room_id = ? AND message.number = ?", room.id, number)

    @classmethod
    async def after(cls, room: Room, number: int, most: int, author_id: int | None = None) -> list["Line"]:
        """Up to so many messages after a number and up to the room's last, in order, of everybody or of one author."""
        wanted = Q(room_id=room.id, number__gt=number, number__lte=room.last_number)
        if author_id is not None:
            wanted &= Q(author_id=author_id)
        found = await cls.filter(wanted).order_by("number").limit(most).values(*FIELDS, **JOINED)
        return [Line(row, room.key) for row in found]

    @classmethod
    async def since(cls, room: Room, version: int) -> list["Line"]:
        """What was posted or changed after the version, the newest change first; one more than MOST_CHANGES at most."""
        return await _lines(
            room, "message.room_id = ? AND message.version > ? ORDER BY message.version DESC LIMIT ?",
            room.id, version, MOST_CHANGES + 1,
        )  # fmt: skip

    @classmethod
    async def number_at(cls, room: Room, version: int) -> int:
        """The number of the newest message that had been posted when the room had this version."""
        posted = cls.filter(room_id=room.id, posted_version__lte=version)
        newest = await posted.order_by("-number").first().values("number")
        return newest["number"] if newest else 0


FIELDS = (
    "room_id", "number", "posted_version", "version", "html", "continues", "opens_day",
    "created_at", "edited_at", "removed_at",
)  # fmt: skip
JOINED = {"author_code": "author__code", "author_name": "author__display_name", "author_picture": "author__picture"}


# What is read with every page and every change, without the ORM: it takes longer to ask than the database to answer.
_LINES = f"""
SELECT {", ".join(f"message.{name}" for name in FIELDS)},
    author.code AS author_code, author.display_name AS author_name, author.picture AS author_picture
FROM message LEFT JOIN "user" AS author ON author.id = message.author_id WHERE"""


async def _lines(room: Room, where: str, *values: object) -> list["Line"]:
    return [Line(row, room.path) for row in await database.rows(f"{_LINES} {where}", *values)]


class Line:
    """A message as it is shown: a row with its author's name, without the cost of a model object."""

    __slots__ = (*FIELDS, *JOINED, "room_path")

    room_id: int
    number: int
    posted_version: int
    version: int
    continues: bool
    opens_day: bool
    created_at: datetime
    edited_at: datetime | None
    removed_at: datetime | None
    author_code: str
    author_name: Words
    author_picture: str | None

    def __init__(self, row: dict[str, Any], room_path: str) -> None:
        for name, value in row.items():
            setattr(self, name, value)
        self.created_at = database.moment(row["created_at"])
        self.html = Markup(row["html"])  # noqa: S704  made safe by `rendered` when it was stored
        self.room_path = room_path
        if row["author_code"] is None:
            self.author_code, self.author_name = "", NOBODY

    @property
    def path(self) -> str:
        return f"{self.room_path}/messages/{self.number}"

    @property
    def avatar(self) -> Avatar:
        return Avatar.of(str(self.author_name), self.author_code, self.author_picture)

    @property
    def at(self) -> str:
        return f"{self.created_at:%Y-%m-%dT%H:%M:%SZ}"

    @property
    def clock(self) -> str:
        return clock(self.created_at)

    @property
    def day(self) -> date:
        return local(self.created_at).date()


async def erase_closed() -> int:
    """Erase the rooms that were deleted, in small batches, so that nobody else waits for it; how many."""
    closed = await Room.filter(closed_at__not_isnull=True).values_list("id", flat=True)
    for room_id in closed:
        await database.delete_where(Message.filter(room_id=room_id))
        await Room.filter(id=room_id).delete()
    return len(closed)
