"""The rules of messages: how one is edited and removed, how pages of them are read, and what changed since."""

import secrets
from datetime import UTC, date, datetime
from typing import Any

from markupsafe import Markup
from tortoise import fields
from tortoise.expressions import F, Q
from tortoise.models import Model

from webapp.accounts.models import User
from webapp.accounts.viewer import Avatar
from webapp.conversations.kinds import DELETED_ACCOUNT
from webapp.conversations.models import LINE_LENGTH, Room
from webapp.conversations.seats import RoomRow, Seat
from webapp.core import text
from webapp.core.clock import format_time, to_site_time
from webapp.core.errors import Invalid, NotFound, Problem
from webapp.core.i18n import Text, _
from webapp.db import sql, transaction
from webapp.messages.markdown import first_line, render_markdown

MAX_LENGTH = 4000
PAGE_SIZE = 50
MAX_CHANGES = 500


class Changed(Problem):
    """The words to be edited are not those that the edit began from."""

    status = 409

    def __init__(self) -> None:
        super().__init__(
            _("This message was edited while you wrote. Saving puts your words in the place of those above.")
        )


def new_nonce() -> str:
    """A fresh one for every form: it makes sending the form again harmless."""
    return secrets.token_urlsafe(12)


def validate_body(typed: str) -> str:
    """The body as it is kept; raises Invalid."""
    body = text.clean_text(typed)
    if not text.has_visible(body):
        raise Invalid(body=_("Write something first."))
    if len(body) > MAX_LENGTH:
        raise Invalid(
            body=_("That is %(count)s characters; %(most)s fit in a message.", count=len(body), most=MAX_LENGTH)
        )
    return body


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

    # Changing.

    @staticmethod
    async def _advance(room_id: int, removed: int) -> tuple[int, int]:
        """Lock the room, take its next version and count removals; the version, and the number of the last message."""
        counted = {"version": F("version") + 1, "removed_count": F("removed_count") + removed}
        if not await Room.filter(id=room_id, closed_at=None).update(**counted):
            raise NotFound(_("The room has been deleted."))
        [(version, number)] = await Room.filter(id=room_id).values_list("version", "last_number")
        return version, number

    async def edit(self, body: str, began_at: int | None = None) -> int:
        """
        Change the words; the room's new version, or the old one when nothing changed. Raises Invalid and Missing.

        `began_at` is the version of the words that the edit began from, None where that is not known; raises Changed
        when the message has others by now.
        """
        body = validate_body(body)
        if body == self.body:
            return int(self.version)
        values = {"body": body, "html": render_markdown(body), "edited_at": datetime.now(UTC)}
        return await self._change(began_at, **values)

    async def remove(self) -> int:
        """Take the words away for everyone; the room's new version. Removing twice is as good as once."""
        try:
            return await self._change(None, body="", html="", removed_at=datetime.now(UTC))
        except NotFound:
            return int(self.version)

    async def _change(self, began_at: int | None, **values: object) -> int:
        is_removal = "removed_at" in values

        async def write() -> int:
            version, last_number = await Message._advance(self.room_id, int(is_removal))
            there = Message.filter(id=self.id, removed_at=None)
            # Only words take a version: posting, editing, removing.
            same = there if began_at is None else there.filter(version=began_at)
            if not await same.update(version=version, **values):
                raise Changed if await there.exists() else NotFound(_("This message has been removed."))
            if self.number == last_number:
                line = first_line(str(values["html"]), LINE_LENGTH)
                await Room.filter(id=self.room_id).update(last_line=line, is_last_removed=is_removal)
            return version

        return await transaction.transact(write)

    def path(self, room: RoomRow) -> str:
        return f"{room.path}/messages/{self.number}"

    @property
    def safe_html(self) -> Markup:
        """The HTML, made safe by `rendered` when it was stored."""
        return Markup(self.html)  # noqa: S704

    # Reading.

    @classmethod
    async def get_for_changing(cls, seat: Seat, number: int) -> "Message":
        """Return the message for its author, the room's owner or an administrator; raise NotFound for others."""
        message = await cls.get_or_none(room_id=seat.room.id, number=number)
        is_theirs = message is not None and message.author_id == seat.viewer.id
        if message is None or not seat.kind.allows_editing or not (is_theirs or seat.is_owner):
            raise NotFound(_("This message does not exist, or it is not yours."))
        return message

    @classmethod
    async def list_page(cls, room: RoomRow, before: int | None = None, around: int | None = None) -> list["MessageRow"]:
        """Up to 50 messages in order: the newest, those before a number, or those around one."""
        end = room.last_number + 1
        if before is not None:
            end = min(end, before)
        if around is not None:
            end = min(end, around + PAGE_SIZE // 2)
        first = max(1, end - PAGE_SIZE)
        end = min(first + PAGE_SIZE if around else end, room.last_number + 1)
        return await _lines(
            room, "message.room_id = ? AND message.number >= ? AND message.number < ? ORDER BY message.number",
            room.id, first, end,
        )  # fmt: skip

    @classmethod
    async def get_row(cls, room: RoomRow, number: int) -> list["MessageRow"]:
        """The message of that number, if there is one."""
        return await _lines(room, "message.room_id = ? AND message.number = ?", room.id, number)

    @classmethod
    async def list_after(
        cls, room: RoomRow, number: int, most: int, author_id: int | None = None
    ) -> list["MessageRow"]:
        """Up to so many messages after a number and up to the room's last, in order, of everybody or of one author."""
        wanted = Q(room_id=room.id, number__gt=number, number__lte=room.last_number)
        if author_id is not None:
            wanted &= Q(author_id=author_id)
        found = await cls.filter(wanted).order_by("number").limit(most).values(*FIELDS, **JOINED)
        return [MessageRow(row, room.path) for row in found]

    @classmethod
    async def changes_since(cls, room: RoomRow, version: int) -> list["MessageRow"]:
        """What was posted or changed after the version, the newest change first; one more than MOST_CHANGES at most."""
        return await _lines(
            room, "message.room_id = ? AND message.version > ? ORDER BY message.version DESC LIMIT ?",
            room.id, version, MAX_CHANGES + 1,
        )  # fmt: skip

    @classmethod
    async def last_number_at(cls, room: RoomRow, version: int) -> int:
        """The number of the newest message that had been posted when the room had this version."""
        posted = cls.filter(room_id=room.id, posted_version__lte=version)
        newest = await posted.order_by("-number").first().values("number")
        return newest["number"] if newest else 0


FIELDS = (
    "room_id", "number", "posted_version", "version", "html", "continues", "opens_day",
    "created_at", "edited_at", "removed_at",
)  # fmt: skip


JOINED = {
    "author_code": "author__code",
    "author_name": "author__display_name",
    "author_picture": "author__picture",
    "author_is_admin": "author__is_admin",
}


# What is read with every page and every change, without the ORM: it takes longer to ask than the database to answer.
_LINES = f"""
SELECT {", ".join(f"message.{name}" for name in FIELDS)},
    author.code AS author_code, author.display_name AS author_name, author.picture AS author_picture,
    author.is_admin AS author_is_admin
FROM message LEFT JOIN "user" AS author ON author.id = message.author_id WHERE"""


async def _lines(room: RoomRow, where: str, *values: object) -> list["MessageRow"]:
    return [MessageRow(row, room.path) for row in await sql.rows(f"{_LINES} {where}", *values)]


class MessageRow:
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
    author_name: Text
    author_picture: str | None
    author_is_admin: bool | None

    def __init__(self, row: dict[str, Any], room_path: str) -> None:
        for name, value in row.items():
            setattr(self, name, value)
        self.created_at = sql.from_db(row["created_at"])
        self.html = Markup(row["html"])  # noqa: S704  made safe by `rendered` when it was stored
        self.room_path = room_path
        if row["author_code"] is None:
            self.author_code, self.author_name = "", DELETED_ACCOUNT

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
        return to_site_time(self.created_at).date()
