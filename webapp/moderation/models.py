"""The rules of reports: one per person and thing, frozen as it was, and answered once."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.models import Model

from webapp.accounts.audit import NOTE_LENGTH, PAGE, PLACE_LENGTH, Action, AuditEntry
from webapp.accounts.models import User
from webapp.accounts.names import NAME_SIZE
from webapp.accounts.viewer import Person
from webapp.core.errors import Forbidden, Invalid
from webapp.core.i18n import ENGLISH, Text, _, use_language
from webapp.db import sql, transaction
from webapp.files.removal import drop
from webapp.moderation.decisions import Decision, lift_ban, lock_person, validate_length
from webapp.moderation.evidence import Evidence, EvidenceLine
from webapp.moderation.sealed import SealedFile, copy_files, drop_copies, names_of_reports

TEXT_LENGTH = 1000
REASONS = {
    "spam": _("Advertising, or the same again and again"),
    "insult": _("Insults or threats"),
    "hate": _("Hate against a group of people"),
    "sexual": _("Something sexual that nobody asked for"),
    "minor": _("Someone may be in danger, or too young to be here"),
    "other": _("Something else"),
}


OUTCOMES = {"dismiss": _("dismissed"), "warn": _("warned"), "suspend": _("suspended"), "ban": _("banned")}
ALREADY_DECIDED = _("This report has already been handled. What was decided is below.")
OPEN = _("open")


class Case(NamedTuple):
    """Everything that waits about one person: the oldest report, how many there are, and by how many people."""

    report: "Report"
    reports: int
    reporters: int


class Report(Model):
    """
    A complaint, frozen as it was then: what it is about may have been changed or deleted.

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
    name = fields.CharField(NAME_SIZE)
    code = fields.CharField(9)
    place = fields.CharField(PLACE_LENGTH)
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
        table_description = (
            "Something that somebody found wrong, frozen as it was then: what it was about may be changed "
            "or gone by now."
        )
        unique_together = (("reporter", "about"),)
        indexes = (("handled_at", "created_at"),)

    @classmethod
    async def make(cls, reporter: Person, evidence: Evidence, reason: str, typed: str) -> bool:
        """Store a report; return False when the same person has reported the same before. Raises Invalid."""
        if reason not in REASONS:
            raise Invalid(reason=_("Choose what is wrong with it."))
        said = validate_length(typed, TEXT_LENGTH, "text", block=True)
        with use_language(ENGLISH.code):  # others read it, in whatever language
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
            "transcript": json.dumps([line.as_stored() for line in evidence.lines], ensure_ascii=False),
        }
        if await cls.exists(reporter_id=reporter.id, about=evidence.about):
            return False
        copies = await copy_files(evidence.message_id) if evidence.message_id else []
        try:
            await transaction.transact(cls._store, row, copies)
        except BaseException as error:
            await drop_copies(copies)
            if isinstance(error, IntegrityError):
                return False
            raise
        return True

    @classmethod
    async def _store(cls, row: dict[str, Any], copies: list[SealedFile]) -> None:
        report = await cls.create(**row)
        for copy in copies:
            copy.report_id = report.id
            await copy.save(force_create=True)

    @property
    def lines(self) -> list[EvidenceLine]:
        return [EvidenceLine(**line) for line in json.loads(self.transcript or "[]")]

    @property
    def reason_label(self) -> Text:
        return REASONS.get(self.reason, self.reason)

    @property
    def outcome_label(self) -> Text:
        """What was decided, in a word or two."""
        return OUTCOMES.get(self.outcome, OPEN)

    @property
    def subject(self) -> dict[str, Any]:
        """Return the name of the person whom a decision is about, as the audit log stores it."""
        return {"person_id": self.person_id, "name": self.name, "code": self.code, "report": self.id}

    # Reading.

    @classmethod
    async def queue(cls, page: int = 1) -> list[Case]:
        """What waits, by whom it is about, the oldest first: a page and one more to show there is."""
        found = await sql.fetch_all(
            "SELECT min(id) AS first, count(*) AS reports, count(DISTINCT COALESCE(reporter_id, -id)) AS reporters "
            "FROM report WHERE handled_at IS NULL GROUP BY COALESCE(person_id, -id) ORDER BY min(id) LIMIT ? OFFSET ?",
            PAGE + 1, (page - 1) * PAGE,
        )  # fmt: skip
        reports = {report.id: report for report in await cls.filter(id__in=[row["first"] for row in found])}
        # One that was decided between the two queries has left the queue.
        return [
            Case(reports[row["first"]], row["reports"], row["reporters"]) for row in found if row["first"] in reports
        ]

    async def others(self) -> "list[Report]":
        """The other reports about the same person, the latest first."""
        if self.person_id is None:
            return []
        return await Report.filter(person_id=self.person_id, id__not=self.id).order_by("-id").limit(PAGE)

    @classmethod
    async def list_about(cls, person: int) -> "list[Report]":
        """The reports about this person, the latest first."""
        return await cls.filter(person_id=person).order_by("-id").limit(PAGE)

    async def counts(self) -> dict[str, int]:
        """How often the person has been reported, and by how many people."""
        if self.person_id is None:
            return {"reports": 1, "reporters": 1}
        [row] = await sql.fetch_all(
            "SELECT count(*) AS reports, count(DISTINCT COALESCE(reporter_id, -id)) AS reporters "
            "FROM report WHERE person_id = ?",
            self.person_id,
        )
        return dict(row)

    async def decisions(self) -> list[AuditEntry]:
        """What has been decided about this report and this person, the latest first."""
        about = AuditEntry.filter(person_id=self.person_id) if self.person_id else AuditEntry.filter(report=self.id)
        return await about.order_by("-id").limit(PAGE)

    # Deciding.

    async def decide(self, admin: Person, action: Action, typed: dict[str, str]) -> User | None:
        """
        Do this about the person and write it down, once; the person as they are now, None when nothing befell them.

        `typed` is what was typed into the form. Raises Invalid; Forbidden when it was decided already, and about
        administrators.
        """
        if action is Action.DISMISS:
            return await transaction.transact(self._dismiss, admin, validate_length(typed["note"], NOTE_LENGTH, "note"))
        decision = Decision.of(action, typed["hours"], typed["told"], typed["note"], typed["address"])
        return await transaction.transact(self._act, admin, decision)

    async def _dismiss(self, admin: Person, note: str) -> None:
        await self._take(Action.DISMISS)
        await AuditEntry.write(admin, Action.DISMISS, self.subject, note=note)

    async def _take(self, action: Action) -> None:
        now = datetime.now(UTC)
        if not await Report.filter(id=self.id, handled_at=None).update(handled_at=now, outcome=action):
            raise Forbidden(ALREADY_DECIDED)

    async def _act(self, admin: Person, decision: Decision) -> User:
        person = await lock_person(self.person_id, admin)
        await self._take(decision.action)
        return await self._carry_out(admin, decision, person, self.subject)

    @classmethod
    async def decide_about(cls, person: User, admin: Person, action: Action, typed: dict[str, str]) -> User:
        """
        Do this about a person whom no report may be about, and write it down; return them as they are now.

        Raises Invalid; Forbidden about administrators, and where a ban that is lifted is over.
        """
        if action is Action.LIFT:
            if not await lift_ban(person.id, admin, typed["note"]):
                raise Forbidden(_("They are not suspended or banned."))
            return await User.get(id=person.id)
        decision = Decision.of(action, typed["hours"], typed["told"], typed["note"], typed["address"])
        whom = {"name": person.display_name, "code": person.code}

        async def act() -> User:
            held = await lock_person(person.id, admin)
            return await cls._carry_out(admin, decision, held, {**whom, "person_id": held.id})

        return await transaction.transact(act)

    @staticmethod
    async def _carry_out(admin: Person, decision: Decision, person: User, subject: dict[str, Any]) -> User:
        """Within a transaction that holds the person: everything that waits about them is answered with it."""
        waiting = Report.filter(person_id=person.id, handled_at=None)
        await waiting.update(handled_at=datetime.now(UTC), outcome=decision.action)
        await decision.carry_out(person)
        await AuditEntry.write(admin, decision.action, subject, decision.until, decision.told, decision.note)
        return person

    @classmethod
    async def forget(cls, age: timedelta) -> int:
        """Delete what was decided so long ago, with all that was frozen into it; the log stays."""
        due, count = cls.filter(handled_at__lt=datetime.now(UTC) - age).limit(sql.DELETE_BATCH_SIZE), 0
        while some := [int(row["id"]) for row in await due.values("id")]:
            names = await names_of_reports(some)
            await cls.filter(id__in=some).delete()  # SQLite counts the rows of their files as well
            count += len(some)
            await drop(names)
        return count
