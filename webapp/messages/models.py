"""The rules of messages: how one is edited and removed, how pages of them are read, and what changed since."""

import secrets
from collections.abc import Collection
from datetime import UTC, datetime

from markupsafe import Markup
from tortoise import fields
from tortoise.expressions import F
from tortoise.models import Model

from webapp.accounts.models import User
from webapp.conversations.models import LINE_LENGTH, Room
from webapp.conversations.seats import RoomRow, Seat
from webapp.core import text
from webapp.core.errors import Invalid, NotFound, Problem
from webapp.core.i18n import _
from webapp.db import transaction
from webapp.files import removal
from webapp.files.claims import line_of_first
from webapp.files.models import Attachment
from webapp.messages import index, mentions
from webapp.messages.markdown import first_line, render_markdown
from webapp.messages.mentions import NOBODY, Meant

MAX_LENGTH = 4000


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


class NothingLeft(Invalid):
    """A message would have neither words nor files."""

    def __init__(self) -> None:
        super().__init__(body=_("Words or a file must stay. To take all of it away, remove the message."))


def validate_body(typed: str, has_files: bool = False) -> str:
    """The body as it is stored, which may be empty where there is a file; raises Invalid."""
    body = text.clean_text(typed)
    if not text.has_visible(body):
        if has_files:
            return ""
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
    # The number of the message in the same room that this one answers.
    reply_to = fields.BigIntField(null=True)
    # When the words last changed, 0 for never: a change of what is quoted takes a new version too.
    edited_version = fields.BigIntField(default=0, db_default=0)
    # As they are shown: a line for each kind, with its count and the codes of the newest (reactions.py writes it).
    reactions = fields.TextField(default="", db_default="")
    # The version that the last reaction took, and the one that the words had then. Whatever else changes a message
    # takes a version and leaves these alone, also in a process of the version before.
    reacted_version = fields.BigIntField(null=True)
    said_version = fields.BigIntField(null=True)
    # How many files are attached: of messages with none, as nearly all, pages ask no more.
    file_count = fields.SmallIntField(default=0, db_default=0)
    # What happened to the room, of a line that nobody wrote: a word and, after a colon, what it is about.
    notice = fields.CharField(40, default="", db_default="")

    room_id: int
    author_id: int | None

    class Meta:
        table = "message"
        unique_together = (("room", "number"), ("room", "author", "nonce"))
        # The third: what one author wrote in one room, in order.
        indexes = (("room_id", "version"), ("author_id", "room_id", "number"), ("room_id", "reply_to"))

    # Changing.

    @staticmethod
    async def _advance(room_id: int, removed: int) -> tuple[int, int, int]:
        """Lock the room, take its next version and count removals; the version, and the first and last numbers."""
        counted = {"version": F("version") + 1, "removed_count": F("removed_count") + removed}
        if not await Room.filter(id=room_id, closed_at=None).update(**counted):
            raise NotFound(_("The room has been deleted."))
        [(version, first, last)] = await Room.filter(id=room_id).values_list("version", "first_number", "last_number")
        return version, first, last

    async def edit(
        self, body: str, began_at: int | None = None, meant: Meant = NOBODY, without: Collection[str] = ()
    ) -> int:
        """
        Change the words, and take away the files of these codes; return the room's new version, or the old one when
        nothing changed. Raises Invalid and NotFound.

        `began_at` is the version of the message that the edit began from, None where that is not known; raises Changed
        when it has other words by now. `meant` is whom the words may name.
        """
        body = validate_body(body, has_files=self.file_count > 0)
        if body == self.body and not without:
            return int(self.version)
        values = {"body": body, "html": render_markdown(body, meant.names), "edited_at": datetime.now(UTC)}
        return await self._change(began_at, meant, without, **values)

    async def remove(self) -> int:
        """Take words and files away for everyone; the room's new version. Removing twice is as good as once."""
        try:
            empty = {"body": "", "html": "", "reactions": "", "removed_at": datetime.now(UTC)}
            return await self._change(None, NOBODY, None, **empty)
        except NotFound:
            return int(self.version)

    async def take_files(self) -> int:
        """Take all files away, as when their author's account goes; a message without words is removed."""
        try:
            return await self._change(None, NOBODY, None)
        except NothingLeft:
            return await self.remove()
        except NotFound:
            return int(self.version)

    async def _change(
        self, began_at: int | None, meant: Meant, without: Collection[str] | None, **values: object
    ) -> int:
        """`without` has the codes of the files that go, None for all of them."""
        is_removal = "removed_at" in values

        async def write() -> tuple[int, list[str]]:
            version, first_number, last_number = await Message._advance(self.room_id, int(is_removal))
            if self.number < first_number:
                raise NotFound(_("This message has been removed."))
            if not values:
                await self.refresh_from_db(["body", "html"])
            body, html = (str(values.get(name, getattr(self, name))) for name in ("body", "html"))
            dropped, file_count = await self._take_files(without, bool(body) or is_removal)
            there = Message.filter(id=self.id, removed_at=None)
            same = there if began_at is None else there.filter(edited_version__lte=began_at)
            if not await same.update(version=version, edited_version=version, **values):
                raise Changed if await there.exists() else NotFound(_("This message has been removed."))
            # Each answer quotes it: they change with it, in the same frame.
            await Message.filter(room_id=self.room_id, reply_to=self.number, removed_at=None).update(version=version)
            if self.number == last_number:
                is_file = file_count and not body
                line = await line_of_first(self.id, LINE_LENGTH) if is_file else first_line(html, LINE_LENGTH)
                await Room.filter(id=self.room_id).update(last_line=line, is_last_removed=is_removal)
            if is_removal:
                for table in (Reaction, Mention, Saved):
                    await table.filter(message_id=self.id).delete()
                if await Pin.filter(message_id=self.id).delete():
                    await store_pin_count(self.room_id)
            else:
                await index.write([index.Row(self.id, version, body, html, file_count)])
            if "body" in values and not is_removal:
                await mentions.replace(self.room_id, self.id, self.number, self.reply_to, html, meant)
            return version, dropped

        version, dropped = await transaction.transact(write)
        await removal.drop(dropped)
        return version

    async def _take_files(self, without: Collection[str] | None, may_be_last: bool) -> tuple[list[str], int]:
        """
        Delete rows of files, within a transaction; return what to drop after it, and how many are left.

        Raises NothingLeft where none is left, unless `may_be_last`.
        """
        dropped, left = list[str](), 0
        if self.file_count:
            dropped = await removal.take_from(self.id, without)
            left = await Attachment.filter(message_id=self.id).count()
            await Message.filter(id=self.id).update(file_count=left)
        if not (left or may_be_last):
            raise NothingLeft
        return dropped, left

    @classmethod
    async def remove_all_by(cls, author_id: int, room_id: int) -> list[int]:
        """Remove what a person wrote in a room, one message after the other; the room's versions."""
        messages = await cls.filter(room_id=room_id, author_id=author_id, removed_at=None).order_by("number")
        return [await message.remove() for message in messages]

    def path(self, room: RoomRow) -> str:
        return f"{room.path}/messages/{self.number}"

    @property
    def safe_html(self) -> Markup:
        """The HTML, made safe by `rendered` when it was stored."""
        return Markup(self.html)  # noqa: S704

    # Reading.

    @classmethod
    async def get_for_changing(cls, seat: Seat, number: int) -> "Message":
        """Return the message for its author, who moderates the room; raise NotFound for others."""
        message = await cls.get_or_none(room_id=seat.room.id, number=number, notice="")
        is_theirs = message is not None and message.author_id == seat.viewer.id
        is_there = message is not None and message.number >= seat.room.first_number
        if message is None or not is_there or not seat.kind.allows_editing or not (is_theirs or seat.is_moderator):
            raise NotFound(_("This message does not exist, or it is not yours."))
        return message


class Reaction(Model):
    id = fields.BigIntField(primary_key=True)
    message: fields.ForeignKeyRelation[Message] = fields.ForeignKeyField("parley.Message", "reacted")
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "reactions_given", db_index=True)
    # Who wrote the message; None where that is the same person, who need not hear of it.
    to_user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "parley.User", "reactions_received", null=True, on_delete=fields.SET_NULL
    )
    # The emoji itself.
    kind = fields.CharField(16)
    created_at = fields.DatetimeField()

    class Meta:
        table = "reaction"
        unique_together = (("message", "user", "kind"),)
        indexes = (("to_user_id", "id"),)


class Mention(Model):
    """
    Whom a message calls: who is named, whose message it answers, or everyone.

    A row each, so that an inbox is one walk through one index; `user` is NULL for everyone in the room (one row, the
    author too, whom it does not call). Who is named in an answer to what they said has one row, of kind `mention`.
    None for oneself, for who is not in the room, nor across a block; a level is asked only where rows are read. Unread
    is arithmetic: `number` beyond the membership's `read_number`. The rows go with the message, removed or deleted.
    """

    id = fields.BigIntField(primary_key=True)
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "parley.User", "mentions", null=True, on_delete=fields.CASCADE
    )
    room: fields.ForeignKeyRelation[Room] = fields.ForeignKeyField("parley.Room", "mentions")
    message: fields.ForeignKeyRelation[Message] = fields.ForeignKeyField("parley.Message", "mentions", db_index=True)
    number = fields.BigIntField()
    # NAMED, ANSWERED or EVERYONE.
    kind = fields.CharField(8)

    class Meta:
        table = "mention"
        table_description = "Whom a message calls: who is named, whose message it answers, or everyone."
        unique_together = (("user", "room", "number"),)
        indexes = (("user_id", "id"), ("room_id", "number"))


class Saved(Model):
    id = fields.BigIntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "saved")
    message: fields.ForeignKeyRelation[Message] = fields.ForeignKeyField("parley.Message", "saved", db_index=True)
    saved_at = fields.DatetimeField()

    class Meta:
        table = "saved"
        unique_together = (("user", "message"),)
        indexes = (("user_id", "id"),)


class Pin(Model):
    id = fields.BigIntField(primary_key=True)
    room: fields.ForeignKeyRelation[Room] = fields.ForeignKeyField("parley.Room", "pins")
    message: fields.ForeignKeyRelation[Message] = fields.ForeignKeyField("parley.Message", "pins", db_index=True)
    number = fields.BigIntField()
    pinned_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "parley.User", "pins", null=True, on_delete=fields.SET_NULL, db_index=True
    )
    pinned_at = fields.DatetimeField()

    class Meta:
        table = "pin"
        unique_together = (("room", "message"),)
        indexes = (("room_id", "id"),)


async def store_pin_count(room_id: int) -> None:
    """Count the room's pins again, within the transaction that holds its lock."""
    await Room.filter(id=room_id).update(pin_count=await Pin.filter(room_id=room_id).count())
