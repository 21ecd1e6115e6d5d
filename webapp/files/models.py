"""The table of what is attached to messages: a row and a file each, of one room."""

from collections.abc import Collection
from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.models import User
from webapp.conversations.models import Room

CODE_LENGTH = 22
NAME_LENGTH = 120
DESCRIPTION_LENGTH = 300
# What a page makes of it; all that is not known by its own first bytes is a FILE.
PICTURE, SOUND, FILM, FILE = "picture", "sound", "film", "file"


class Attachment(Model):
    """
    A file that is attached to a message, or is in its author's composer still: then it has no message.

    It is there whole once `received` is `size`, and nobody but its author learns of it before it has a message. Its
    bytes are in the store of files by its code.
    """

    id = fields.BigIntField(primary_key=True)
    # Random, so that nobody guesses it: a part of the address, and the name in the store.
    code = fields.CharField(CODE_LENGTH, unique=True)
    room: fields.ForeignKeyRelation[Room] = fields.ForeignKeyField("parley.Room", "attachments")
    message: fields.ForeignKeyNullableRelation[Any] = fields.ForeignKeyField(
        "parley.Message", "attachments", null=True, on_delete=fields.CASCADE, db_index=True
    )
    author: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "parley.User", "attachments", null=True, on_delete=fields.SET_NULL
    )
    # The order in the message.
    place = fields.SmallIntField(null=True)
    # PICTURE, SOUND, FILM or FILE, and the media type: by the first bytes, never by what the browser said.
    kind = fields.CharField(8, default=FILE)
    type = fields.CharField(60, default="")
    name = fields.CharField(NAME_LENGTH)
    # What a picture shows, for who does not see it.
    description = fields.CharField(DESCRIPTION_LENGTH, default="", db_default="")
    size = fields.BigIntField()
    received = fields.BigIntField(default=0)
    width = fields.IntField(null=True)
    height = fields.IntField(null=True)
    thumb_width = fields.IntField(null=True)
    thumb_height = fields.IntField(null=True)
    thumb_size = fields.IntField(null=True)
    # Of the content as it was sent: by it a form that is sent again is known.
    digest = fields.CharField(32, null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    room_id: int
    message_id: int | None
    author_id: int | None

    class Meta:
        table = "attachment"
        table_description = "A file that is attached to a message, or is in its author's composer still."
        # And one by SQL, of those without a message: idx_attachment_pending.
        # The last two: the size of a person's files, and of a room's, is counted in them alone.
        indexes = (
            Index(fields=("room_id", "id")),
            Index(fields=("author_id", "created_at")),
            Index(fields=("author_id", "size", "thumb_size"), name="idx_attachment_sizes"),
            Index(fields=("room_id", "size", "thumb_size"), name="idx_attachment_by_room"),
        )

    @classmethod
    async def in_use(cls, codes: Collection[str]) -> set[str]:
        """Return those of the codes that there are rows of."""
        found = await cls.filter(code__in=codes).values_list("code", flat=True)
        return {str(code) for code in found}
