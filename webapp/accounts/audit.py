"""What administrators did, and about whom: entries are written once and never changed."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.expressions import Q
from tortoise.indexes import Index
from tortoise.models import Model

from webapp.accounts.models import NOTICE_LENGTH, User
from webapp.accounts.names import NAME_SIZE
from webapp.accounts.viewer import PERMANENT, Person

NOTE_LENGTH = 500
PLACE_LENGTH = 300
PAGE = 30


class Action(StrEnum):
    DISMISS = "dismiss"
    WARN = "warn"
    SUSPEND = "suspend"
    BAN = "ban"
    LIFT = "lift"
    ADMIN = "admin"
    UNADMIN = "unadmin"
    # In rooms that are not the administrator's own.
    REMOVE = "remove"
    PIN = "pin"
    UNPIN = "unpin"
    RENAME = "rename"
    TOPIC = "topic"
    FACE = "face"
    LOCK = "lock"
    UNLOCK = "unlock"
    KICK = "kick"
    PARDON = "pardon"
    OWNER = "owner"
    MODERATOR = "mod"
    MEMBER = "member"
    PUT_OUT = "put_out"
    RULES = "rules"
    INVITE = "invite"
    REVOKE = "revoke"
    DELETE = "delete"


class AuditEntry(Model):
    """One decision: who did what about whom, when, and why. Names stay as they were then."""

    id = fields.IntField(primary_key=True)
    admin: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "parley.User", "decisions", null=True, on_delete=fields.SET_NULL, db_index=True
    )
    admin_name = fields.CharField(NAME_SIZE)
    action = fields.CharField(8)
    person: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "parley.User", "decided", null=True, on_delete=fields.SET_NULL, db_index=True
    )
    name = fields.CharField(NAME_SIZE)
    code = fields.CharField(9)
    # The name and the id of the room, where it is about one.
    place = fields.CharField(PLACE_LENGTH, default="", db_default="")
    room = fields.IntField(null=True)
    report = fields.BigIntField(null=True, db_index=True)
    until = fields.DatetimeField(null=True)
    told = fields.CharField(NOTICE_LENGTH, default="")
    note = fields.CharField(NOTE_LENGTH, default="")
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "audit_entry"
        table_description = "One decision: who did what about whom, when, and why. Names are kept as they were."
        indexes = (Index(fields=("room", "id"), name="idx_audit_entry_room"),)

    @classmethod
    async def write(
        cls,
        admin: Person | None,
        action: Action,
        whom: Mapping[str, Any],
        until: datetime | None = None,
        told: str = "",
        note: str = "",
    ) -> None:
        """
        Within the transaction of what it says; `whom` is about whom, by the names of the fields.

        Without an administrator it is the operator, with a command.
        """
        by = {"admin_id": admin.id, "admin_name": admin.display_name} if admin else {"admin_name": OPERATOR}
        await cls.create(**by, action=action, until=until, told=told, note=note, **whom)

    @classmethod
    async def page(cls, page: int = 1, person: int | None = None, room: int | None = None) -> "list[AuditEntry]":
        """The log, or what is about this person, by them, or of this room, the latest first: a page and one more."""
        found = cls.all()
        if person is not None:
            found = found.filter(Q(person_id=person) | Q(admin_id=person))
        if room is not None:
            found = found.filter(room=room)
        return await found.order_by("-id").offset((page - 1) * PAGE).limit(PAGE + 1)

    @classmethod
    async def about(cls, person: int) -> "list[AuditEntry]":
        """What has been decided about this person, the latest first."""
        return await cls.filter(person_id=person).order_by("-id").limit(PAGE)

    @property
    def is_permanent(self) -> bool:
        return self.until is not None and self.until >= PERMANENT


# What is written down is read by others later, and is in one language.
LEFT, REMOVED, OPERATOR = "deleted account", "Removed", "The operator"
