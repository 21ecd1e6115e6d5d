"""The rules of moderation: one report per person and thing, one decision per report, and a log of all decisions."""

import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.expressions import F
from tortoise.models import Model

from webapp import database, text
from webapp.accounts.bans import DAYS, AddressBan
from webapp.accounts.models import FOR_GOOD, TOLD_LENGTH, User
from webapp.accounts.names import NAME_LENGTH
from webapp.accounts.sessions import Session
from webapp.errors import Invalid, Refused
from webapp.language import ENGLISH, Words, _, speaking
from webapp.moderation.evidence import Evidence, Line

TEXT_LENGTH = 1000
NOTE_LENGTH = 500
PAGE = 30
REASONS = {
    "spam": _("Advertising, or the same again and again"),
    "insult": _("Insults or threats"),
    "hate": _("Hate against a group of people"),
    "sexual": _("Something sexual that nobody asked for"),
    "minor": _("Someone may be in danger, or too young to be here"),
    "other": _("Something else"),
}
TERMS = {"1": _("an hour"), "24": _("a day"), "168": _("a week"), "720": _("30 days")}
BECAME = {"dismiss": _("dismissed"), "warn": _("warned"), "suspend": _("kept out for a time"), "ban": _("kept out")}
DONE_ALREADY = _("Someone has dealt with this already. What was decided is below.")
OPEN = _("open")


class Action(StrEnum):
    DISMISS = "dismiss"
    WARN = "warn"
    SUSPEND = "suspend"
    BAN = "ban"
    LIFT = "lift"


def _bounded(typed: str, length: int, field: str, block: bool = False) -> str:
    """What was typed as it is kept; raises Invalid."""
    kept = text.block(typed) if block else text.line(typed)
    if len(kept) > length:
        raise Invalid(**{field: _("Use at most %(most)s characters.", most=length)})
    return kept


class Case(NamedTuple):
    """Everything that waits about one person: the oldest report, how many there are, and by how many people."""

    report: "Report"
    reports: int
    reporters: int


class Report(Model):
    """
    Something that somebody found wrong, frozen as it was then: what it was about may be changed or gone by now.

    `person` is whom a decision will be about, `name` and `code` are what they were called in what was reported.
    """

    id = fields.BigIntField(primary_key=True)
    about = fields.CharField(60)
    reporter: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "parley.User", "reports", null=True, on_delete=fields.SET_NULL
    )
    person: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "parley.User", "reported", null=True, on_delete=fields.SET_NULL, db_index=True
    )
    name = fields.CharField(NAME_LENGTH)
    code = fields.CharField(9)
    place = fields.CharField(80)
    path = fields.TextField(default="")
    reason = fields.CharField(10)
    text = fields.TextField(default="")
    transcript = fields.TextField()
    created_at = fields.DatetimeField(auto_now_add=True)
    handled_at = fields.DatetimeField(null=True)
    outcome = fields.CharField(8, default="")

    reporter_id: int | None
    person_id: int | None

    class Meta:
        table = "report"
        unique_together = (("reporter", "about"),)
        indexes = (("handled_at", "created_at"),)

    @classmethod
    async def make(cls, reporter: User, evidence: Evidence, reason: str, typed: str) -> bool:
        """Keep what was reported; False when the same person has reported it before. Raises Invalid."""
        if reason not in REASONS:
            raise Invalid(reason=_("Choose what is wrong with it."))
        said = _bounded(typed, TEXT_LENGTH, "text", block=True)
        with speaking(ENGLISH.code):  # others read it, in whatever language
            name, place = str(evidence.name), str(evidence.place)
        row: dict[str, Any] = {
            "about": evidence.about,
            "reporter_id": reporter.id,
            "person_id": evidence.person_id,
            "name": name,
            "code": evidence.code,
            "place": place,
            "path": evidence.path,
            "reason": reason,
            "text": said,
            "transcript": json.dumps([line._asdict() for line in evidence.lines], ensure_ascii=False),
        }
        try:
            await database.transact(cls.create, **row)
        except IntegrityError:
            return False
        return True

    @property
    def lines(self) -> list[Line]:
        return [Line(**line) for line in json.loads(self.transcript or "[]")]

    @property
    def why(self) -> Words:
        return REASONS.get(self.reason, self.reason)

    @property
    def became(self) -> Words:
        """What was decided, in a word or two."""
        return BECAME.get(self.outcome, OPEN)

    # Reading.

    @classmethod
    async def queue(cls, page: int = 1) -> list[Case]:
        """What waits, by whom it is about, the oldest first: a page and one more to show there is."""
        found = await database.rows(
            "SELECT min(id) AS first, count(*) AS reports, count(DISTINCT COALESCE(reporter_id, -id)) AS reporters "
            "FROM report WHERE handled_at IS NULL GROUP BY COALESCE(person_id, -id) ORDER BY min(id) LIMIT ? OFFSET ?",
            PAGE + 1, (page - 1) * PAGE,
        )  # fmt: skip
        reports = {report.id: report for report in await cls.filter(id__in=[row["first"] for row in found])}
        # One that was decided between the two queries is gone from the queue.
        return [
            Case(reports[row["first"]], row["reports"], row["reporters"]) for row in found if row["first"] in reports
        ]

    async def others(self) -> "list[Report]":
        """The other reports about the same person, the latest first."""
        if self.person_id is None:
            return []
        return await Report.filter(person_id=self.person_id, id__not=self.id).order_by("-id").limit(PAGE)

    async def counts(self) -> dict[str, int]:
        """How often the person has been reported, and by how many people."""
        if self.person_id is None:
            return {"reports": 1, "reporters": 1}
        [row] = await database.rows(
            "SELECT count(*) AS reports, count(DISTINCT COALESCE(reporter_id, -id)) AS reporters "
            "FROM report WHERE person_id = ?",
            self.person_id,
        )
        return row

    async def decisions(self) -> "list[AuditEntry]":
        """What has been decided about this report and this person, the latest first."""
        about = AuditEntry.filter(person_id=self.person_id) if self.person_id else AuditEntry.filter(report=self.id)
        return await about.order_by("-id").limit(PAGE)

    # Deciding.

    async def decide(self, admin: User, action: Action, typed: dict[str, str]) -> User | None:
        """
        Do this about the person and write it down, once; the person as they are now, None when nothing befell them.

        `typed` is note, told, hours and address. Raises Invalid; Refused when somebody has decided already, and about
        administrators.
        """
        if action is Action.DISMISS:
            return await database.transact(self._dismiss, admin, _bounded(typed["note"], NOTE_LENGTH, "note"))
        decision = Decision.of(action, typed["hours"], typed["told"], typed["note"], typed["address"])
        return await database.transact(self._act, admin, decision)

    async def _dismiss(self, admin: User, note: str) -> None:
        await self._take(Action.DISMISS)
        await AuditEntry.write(admin, Action.DISMISS, self, note=note)

    async def _take(self, action: Action) -> None:
        now = datetime.now(UTC)
        if not await Report.filter(id=self.id, handled_at=None).update(handled_at=now, outcome=action):
            raise Refused(DONE_ALREADY)

    async def _act(self, admin: User, decision: "Decision") -> User:
        person = await hold(self.person_id, admin)
        await self._take(decision.action)
        # Everything else that waits about them is answered with it.
        waiting = Report.filter(person_id=person.id, handled_at=None)
        await waiting.update(handled_at=datetime.now(UTC), outcome=decision.action)
        await decision.carry_out(person)
        await AuditEntry.write(admin, decision.action, self, decision.until, decision.told, decision.note)
        return person

    @classmethod
    async def forget(cls, age: timedelta) -> int:
        """Delete what was decided so long ago, with all that was frozen into it; the log stays."""
        return await database.delete_where(cls.filter(handled_at__lt=datetime.now(UTC) - age))


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
        said, noted = _bounded(told, TOLD_LENGTH, "told"), _bounded(note, NOTE_LENGTH, "note")
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


async def lift(person_id: int, admin: User, note: str) -> bool:
    """Let someone back in, and write it down; whether they were out. Raises Invalid, Refused."""
    kept = _bounded(note, NOTE_LENGTH, "note")

    async def write() -> bool:
        person = await hold(person_id, admin)
        if not await User.filter(id=person_id, banned_until__gt=datetime.now(UTC)).update(
            banned_until=None, ban_reason=""
        ):
            return False
        await AuditEntry.write(admin, Action.LIFT, person, note=kept)
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
    report = fields.BigIntField(null=True, db_index=True)
    until = fields.DatetimeField(null=True)
    told = fields.CharField(TOLD_LENGTH, default="")
    note = fields.CharField(NOTE_LENGTH, default="")
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "audit_entry"

    @classmethod
    async def write(
        cls,
        admin: User,
        action: Action,
        about: "Report | User",
        until: datetime | None = None,
        told: str = "",
        note: str = "",
    ) -> None:
        """Within the transaction of what it says."""
        whom: dict[str, Any]
        if isinstance(about, Report):
            whom = {"person_id": about.person_id, "name": about.name, "code": about.code, "report": about.id}
        else:
            whom = {"person_id": about.id, "name": about.display_name, "code": about.code}
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
