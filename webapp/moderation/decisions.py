"""What administrators decide about people, and the log of it: each decision once, and nothing of it is changed."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from tortoise import fields
from tortoise.expressions import F
from tortoise.models import Model

from webapp import database, text
from webapp.accounts.bans import DAYS, AddressBan
from webapp.accounts.models import FOR_GOOD, TOLD_LENGTH, User
from webapp.accounts.names import NAME_LENGTH
from webapp.accounts.sessions import Session
from webapp.errors import Invalid, Refused
from webapp.language import _

NOTE_LENGTH = 500
PLACE_LENGTH = 80
PAGE = 30
TERMS = {"1": _("an hour"), "24": _("a day"), "168": _("a week"), "720": _("30 days")}


class Action(StrEnum):
    DISMISS = "dismiss"
    WARN = "warn"
    SUSPEND = "suspend"
    BAN = "ban"
    LIFT = "lift"
    # In rooms that are not the administrator's own.
    REMOVE = "remove"
    TOPIC = "topic"
    LOCK = "lock"
    UNLOCK = "unlock"
    KICK = "kick"
    PARDON = "pardon"
    OWNER = "owner"
    DELETE = "delete"


def bounded(typed: str, length: int, field: str, block: bool = False) -> str:
    """What was typed as it is kept; raises Invalid."""
    kept = text.block(typed) if block else text.line(typed)
    if len(kept) > length:
        raise Invalid(**{field: _("Use at most %(most)s characters.", most=length)})
    return kept


class Decision(NamedTuple):
    """What is done about somebody, until when, what they are told, and what only administrators read."""

    action: Action
    until: datetime | None
    told: str
    note: str
    with_address: bool

    @classmethod
    def of(cls, action: Action, hours: str, told: str, note: str, address: str) -> "Decision":
        """Raises Invalid."""
        until = None
        if action is Action.SUSPEND:
            if hours not in TERMS:
                raise Invalid(hours=_("Choose for how long."))
            until = datetime.now(UTC) + timedelta(hours=int(hours))
        elif action is Action.BAN:
            until = FOR_GOOD
        said, noted = bounded(told, TOLD_LENGTH, "told"), bounded(note, NOTE_LENGTH, "note")
        if action is Action.WARN and not text.visible(said):
            raise Invalid(told=_("Write what they should read."))
        return cls(action, until, said, noted, bool(address))

    async def carry_out(self, person: User) -> None:
        """Within a transaction that holds the person."""
        if self.until is None:
            await User.filter(id=person.id).update(warning=self.told)
            return
        # Never shorter than what was decided before: that is what lifting is for.
        person.banned_until = max(self.until, person.banned_until or self.until)
        await User.filter(id=person.id).update(banned_until=person.banned_until, ban_reason=self.told)
        if self.with_address:
            await self._ban_addresses(person)

    async def _ban_addresses(self, person: User) -> None:
        now, life = datetime.now(UTC), timedelta(days=DAYS)
        recent = Session.filter(user_id=person.id, address__not_isnull=True, created_at__gt=now - life)
        for hash in set(await recent.values_list("address", flat=True)):
            await AddressBan.put(str(hash), min(self.until or FOR_GOOD, now + life))


async def hold(person_id: int | None, admin: User) -> User:
    """Lock the person, within a transaction, so that decisions about them wait for each other; raises Refused."""
    await User.filter(id=person_id or 0).update(warning=F("warning"))
    person = await User.get_or_none(id=person_id or 0)
    if person is None:
        raise Refused(_("They are gone. There is nobody to decide about; you can dismiss the report."))
    if person.id == admin.id:
        raise Refused(_("That is you."))
    if person.is_admin:
        raise Refused(_("They are an administrator, who can't be kept out or warned."))
    return person


async def lift(person_id: int, admin: User, note: str) -> bool:
    """Let someone back in, and write it down; whether they were out. Raises Invalid, Refused."""
    kept = bounded(note, NOTE_LENGTH, "note")

    async def write() -> bool:
        person = await hold(person_id, admin)
        if not await User.filter(id=person_id, banned_until__gt=datetime.now(UTC)).update(
            banned_until=None, ban_reason=""
        ):
            return False
        whom = {"person_id": person.id, "name": person.display_name, "code": person.code}
        await AuditEntry.write(admin, Action.LIFT, whom, note=kept)
        return True

    return await database.transact(write)


async def kept_out(page: int = 1) -> list[User]:
    """Whom administrators keep out, those who come back first at the top: a page and one more."""
    banned = User.filter(banned_until__gt=datetime.now(UTC)).order_by("banned_until", "id")
    return await banned.offset((page - 1) * PAGE).limit(PAGE + 1)


class AuditEntry(Model):
    """One decision: who did what about whom, when, and why. Names are kept as they were."""

    id = fields.IntField(primary_key=True)
    admin: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "parley.User", "decisions", null=True, on_delete=fields.SET_NULL, db_index=True
    )
    admin_name = fields.CharField(NAME_LENGTH)
    action = fields.CharField(8)
    person: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "parley.User", "decided", null=True, on_delete=fields.SET_NULL, db_index=True
    )
    name = fields.CharField(NAME_LENGTH)
    code = fields.CharField(9)
    # The room, where it is about one.
    place = fields.CharField(PLACE_LENGTH, default="", db_default="")
    report = fields.BigIntField(null=True, db_index=True)
    until = fields.DatetimeField(null=True)
    told = fields.CharField(TOLD_LENGTH, default="")
    note = fields.CharField(NOTE_LENGTH, default="")
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "audit_entry"
        table_description = "One decision: who did what about whom, when, and why. Names are kept as they were."

    @classmethod
    async def write(
        cls,
        admin: User,
        action: Action,
        whom: Mapping[str, Any],
        until: datetime | None = None,
        told: str = "",
        note: str = "",
    ) -> None:
        """Within the transaction of what it says; `whom` is about whom, by the names of the fields."""
        await cls.create(
            admin_id=admin.id, admin_name=admin.display_name, action=action, until=until, told=told, note=note, **whom
        )

    @classmethod
    async def page(cls, page: int = 1) -> "list[AuditEntry]":
        """The log, the latest first: a page and one more to show there is."""
        return await cls.all().order_by("-id").offset((page - 1) * PAGE).limit(PAGE + 1)

    @property
    def is_for_good(self) -> bool:
        return self.until is not None and self.until >= FOR_GOOD
