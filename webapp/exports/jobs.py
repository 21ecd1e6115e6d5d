"""Exports as a queue in a table: who asked for one, and how far it is, for every process to read."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.expressions import F
from tortoise.models import Model

from webapp import settings
from webapp.accounts.models import User
from webapp.accounts.viewer import Person
from webapp.core.errors import NotFound
from webapp.core.i18n import ENGLISH, _, current_language
from webapp.db import sql
from webapp.db.sql import NOW
from webapp.http.urls import path_for
from webapp.presence.queries import LEASE_SECONDS

WAITING, MAKING, READY, FAILED = "waiting", "making", "ready", "failed"
LIFETIME = timedelta(hours=24)
# A file whose making ends a process (memory, disk) must not end every process after it.
MAX_ATTEMPTS = 3
BATCH_SIZE = 500
FOLDER = settings.DATA_DIR / "exports"

# What nobody makes: it waits, or the process that made it has died, or it is the one that asks, which makes one at a
# time and has just said that it makes none.
CLAIMABLE = f"""
SELECT id, run, attempts FROM export WHERE state = 'waiting' OR state = 'making' AND (process = ? OR NOT EXISTS (
    SELECT 1 FROM process WHERE process.id = export.process AND process.seen_at >= {NOW} - {LEASE_SECONDS}))
ORDER BY since LIMIT 1
"""


class Superseded(Exception):
    """The job is no longer this process's: the account was deleted, or another process has claimed it."""


class Export(Model):
    """A person's file, of which there is one at a time. `since` is when it came to be asked for, ready or failed."""

    id = fields.IntField(primary_key=True)
    user: fields.OneToOneRelation[User] = fields.OneToOneField("parley.User", "export")
    state = fields.CharField(8, default=WAITING)
    since = fields.DatetimeField()
    # One attempt at making it: it names the file, and who has another has been superseded.
    run = fields.CharField(32, null=True, unique=True)
    process = fields.CharField(16, default="")
    attempts = fields.IntField(default=0)
    done = fields.BigIntField(default=0)
    total = fields.BigIntField(default=0)
    size = fields.BigIntField(default=0)
    # In which the file is written: that of the page on which it was asked for.
    language = fields.CharField(8, default=ENGLISH.code, db_default=ENGLISH.code)

    user_id: int

    class Meta:
        table = "export"
        table_description = (
            "Somebody's file, of which there is one at a time. `since` is when it came to be asked for, "
            "ready or failed."
        )
        indexes = (("state", "since"),)

    @property
    def is_under_way(self) -> bool:
        return self.state in (WAITING, MAKING)

    @property
    def until(self) -> datetime:
        return self.since + LIFETIME

    @property
    def file(self) -> Path:
        return _file(self.run or "none")

    @property
    def path(self) -> str:
        """The address of the finished file."""
        return path_for("export_file", run=self.run)

    # For the person.

    @classmethod
    async def of(cls, user: Person) -> "Export | None":
        """The person's own, unless its time is over."""
        found = await cls.get_or_none(user_id=user.id)
        return found if found and (found.is_under_way or found.until > datetime.now(UTC)) else None

    @classmethod
    async def ready(cls, user: Person, run: str) -> "Export":
        """The person's own finished file of that name; raises NotFound."""
        found = await cls.of(user)
        if found is None or found.state != READY or found.run != run:
            raise NotFound(_("There is no such file of yours. Each is kept for a day."))
        return found

    @classmethod
    async def begin(cls, user: Person) -> None:
        """Ask for a new file, in place of the one before; asking again while it is made changes nothing."""
        before, now = await cls.get_or_none(user_id=user.id), datetime.now(UTC)
        over = cls.filter(user_id=user.id, state__in=(READY, FAILED))
        anew = {"state": WAITING, "since": now, "run": None, "attempts": 0, "done": 0, "total": 0}
        if await over.update(**anew, language=current_language().code):
            await _delete(before.run if before else None)
            return
        try:
            await cls.create(user_id=user.id, since=now, language=current_language().code)
        except IntegrityError:
            return  # it is on its way already, or there is no such account any more

    @classmethod
    async def drop(cls, user: Person) -> None:
        """Delete the person's export and its file at once; a process that is making it gets Superseded."""
        rows = await cls.filter(user_id=user.id).values("run")
        await cls.filter(user_id=user.id).delete()
        await _delete(*(row["run"] for row in rows))

    # For who makes it. Every step counts only as long as the run is the one that was claimed.

    @classmethod
    async def claim(cls, process: str) -> "Export | None":
        """The oldest that is not being made, from now on this process's to make; None when there is none."""
        while found := await sql.fetch_all(CLAIMABLE, process):
            [row] = found
            mine = cls.filter(id=row["id"], run=row["run"], state__in=(WAITING, MAKING))
            await _delete(row["run"])
            if row["attempts"] >= MAX_ATTEMPTS:
                await mine.update(state=FAILED, since=datetime.now(UTC))
                continue
            run = secrets.token_hex(16)
            if await mine.update(state=MAKING, run=run, process=process, attempts=F("attempts") + 1, done=0, total=0):
                return await cls.get_or_none(run=run).select_related("user")
        return None

    async def _step(self, **values: object) -> None:
        if not await Export.filter(id=self.id, run=self.run).update(**values):
            raise Superseded

    async def report_progress(self, done: int, total: int) -> None:
        """Say how far it is; raises Superseded."""
        await self._step(done=done, total=total)

    async def finish(self, size: int) -> None:
        """The file is whole; raises Superseded."""
        await self._step(state=READY, since=datetime.now(UTC), size=size)

    async def fail(self) -> None:
        await self._step(state=FAILED, since=datetime.now(UTC))

    async def release(self) -> None:
        """This process stops: another may begin at once, and the attempt does not count."""
        await self._step(state=WAITING, run=None, attempts=F("attempts") - 1)

    # For everybody.

    @classmethod
    async def delete_expired(cls) -> int:
        """Delete exports older than a day, and files without a row; return how many exports had expired."""
        count = await cls.filter(state__in=(READY, FAILED), since__lt=datetime.now(UTC) - LIFETIME).delete()
        # Listed before the rows are read: a file's row exists before the file does.
        stored = await asyncio.to_thread(_stored)
        for start in range(0, len(stored), BATCH_SIZE):
            some = stored[start : start + BATCH_SIZE]
            rows = await cls.filter(run__in=some).values("run")
            await _delete(*(set(some) - {row["run"] for row in rows}))
        return count


def _file(run: str) -> Path:
    return FOLDER / f"{run}.zip"


def _stored() -> list[str]:
    return [file.stem for file in FOLDER.glob("*.zip")] if FOLDER.is_dir() else []


async def _delete(*runs: str | None) -> None:
    for run in filter(None, runs):
        await asyncio.to_thread(_file(run).unlink, missing_ok=True)
