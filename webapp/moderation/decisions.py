"""What administrators decide about people; each decision is made once."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tortoise.expressions import F

from webapp.accounts.audit import NOTE_LENGTH, PAGE, Action, AuditEntry
from webapp.accounts.bans import BAN_DAYS, AddressBan
from webapp.accounts.models import NOTICE_LENGTH, User
from webapp.accounts.sessions import Session
from webapp.accounts.viewer import PERMANENT, Person
from webapp.conversations import members
from webapp.core import text
from webapp.core.errors import Forbidden, Invalid
from webapp.core.i18n import _
from webapp.db import transaction

DURATIONS = {"1": _("an hour"), "24": _("a day"), "168": _("a week"), "720": _("30 days")}


def validate_length(typed: str, length: int, field: str, block: bool = False) -> str:
    """Return the text as it is stored; raise Invalid where it can't be used."""
    kept = text.clean_text(typed) if block else text.clean_line(typed)
    if len(kept) > length:
        raise Invalid(**{field: _("Use at most %(most)s characters.", most=length)})
    return kept


class Decision(NamedTuple):
    """What is decided about a person, until when, the reason for them, and the note for administrators."""

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
            if hours not in DURATIONS:
                raise Invalid(hours=_("Choose for how long."))
            until = datetime.now(UTC) + timedelta(hours=int(hours))
        elif action is Action.BAN:
            until = PERMANENT
        said, noted = validate_length(told, NOTICE_LENGTH, "told"), validate_length(note, NOTE_LENGTH, "note")
        if action is Action.WARN and not text.has_visible(said):
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
        if person.banned_until >= PERMANENT:
            await members.disinherit(person.id)
        if self.with_address:
            await self._ban_addresses(person)

    async def _ban_addresses(self, person: Person) -> None:
        now, life = datetime.now(UTC), timedelta(days=BAN_DAYS)
        recent = Session.filter(user_id=person.id, address__not_isnull=True, created_at__gt=now - life)
        for hash in set(await recent.values_list("address", flat=True)):
            await AddressBan.add(str(hash), min(self.until or PERMANENT, now + life))


async def lock_person(person_id: int | None, admin: Person) -> User:
    """Lock the person, within a transaction, so that decisions about them wait for each other; raises Forbidden."""
    await User.filter(id=person_id or 0).update(warning=F("warning"))
    person = await User.get_or_none(id=person_id or 0)
    if person is None:
        raise Forbidden(_("They are gone. There is nobody to decide about; you can dismiss the report."))
    if person.id == admin.id:
        raise Forbidden(_("That is you."))
    if person.is_admin:
        raise Forbidden(_("They are an administrator, who can't be suspended, banned or warned."))
    return person


async def lift_ban(person_id: int, admin: Person, note: str) -> bool:
    """Lift a ban and record it; return whether there was one. Raises Invalid and Forbidden."""
    kept = validate_length(note, NOTE_LENGTH, "note")

    async def write() -> bool:
        person = await lock_person(person_id, admin)
        if not await User.filter(id=person_id, banned_until__gt=datetime.now(UTC)).update(
            banned_until=None, ban_reason=""
        ):
            return False
        whom = {"person_id": person.id, "name": person.display_name, "code": person.code}
        await AuditEntry.write(admin, Action.LIFT, whom, note=kept)
        return True

    return await transaction.transact(write)


async def list_banned(page: int = 1) -> list[User]:
    """Return who is suspended or banned, those who come back first at the top: a page and one more."""
    banned = User.filter(banned_until__gt=datetime.now(UTC)).order_by("banned_until", "id")
    return await banned.offset((page - 1) * PAGE).limit(PAGE + 1)
