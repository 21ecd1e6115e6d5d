"""The tables of invitations, and of who came by which."""

from datetime import datetime

from tortoise import fields
from tortoise.models import Model

from webapp.accounts.models import User
from webapp.conversations.models import Room

NOTE_LENGTH = 100
DIGEST_LENGTH = 64


class Invitation(Model):
    """A link to a room, or without one to the site. Of its token only the SHA-256 is stored."""

    id = fields.IntField(primary_key=True)
    room: fields.ForeignKeyNullableRelation[Room] = fields.ForeignKeyField(
        "parley.Room", "invitations", null=True, db_index=True
    )
    digest = fields.CharField(DIGEST_LENGTH, unique=True)
    maker: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "parley.User", "invitations", null=True, on_delete=fields.SET_NULL, db_index=True
    )
    note = fields.CharField(NOTE_LENGTH, default="")
    made_at = fields.DatetimeField(auto_now_add=True)
    # Both null for without end, which only administrators choose.
    expires_at = fields.DatetimeField(null=True)
    most_uses = fields.IntField(null=True)
    uses = fields.IntField(default=0)
    revoked_at: datetime | None = fields.DatetimeField(null=True)

    room_id: int | None
    maker_id: int | None

    class Meta:
        table = "invitation"
        table_description = "A link to a room, or without one to the site. Of its token only the SHA-256 is stored."


class InvitationUse(Model):
    """Who came by which invitation."""

    id = fields.IntField(primary_key=True)
    invitation: fields.ForeignKeyRelation[Invitation] = fields.ForeignKeyField("parley.Invitation", "people")
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "invitation_uses", db_index=True)
    used_at = fields.DatetimeField(auto_now_add=True)

    invitation_id: int
    user_id: int

    class Meta:
        table = "invitation_use"
        table_description = "Who came by which invitation."
        unique_together = (("invitation", "user"),)
