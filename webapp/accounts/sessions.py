"""The sessions that hold people signed in, and when they were used."""

import asyncio
from datetime import UTC, datetime, timedelta

from tortoise import fields
from tortoise.models import Model

from webapp.accounts.models import User
from webapp.accounts.viewer import Person
from webapp.core import text
from webapp.core.i18n import Text, _
from webapp.core.lifetime import Slot
from webapp.db import engine, sql
from webapp.http import cookie

USE_INTERVAL = timedelta(minutes=5)
GUEST_LIFETIME = timedelta(hours=24)
# As long as the browser has the cookie.
MAX_LIFETIME = timedelta(seconds=cookie.LIFETIME_SECONDS)
WRITE_SECONDS = 30.0


class Session(Model):
    """One browser that is signed in. The browser has the token, the row only its digest."""

    id = fields.IntField(primary_key=True)
    digest = fields.CharField(64, unique=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "sessions", db_index=True)
    user_agent = fields.CharField(300, default="")
    # Where it began, as a hash that means nothing a day or two later; see http/client.py.
    address = fields.CharField(32, null=True)
    created_at = fields.DatetimeField(auto_now_add=True)
    used_at = fields.DatetimeField(auto_now_add=True)

    user_id: int

    class Meta:
        table = "session"
        table_description = "One browser that is signed in. The browser has the token, the row only its digest."
        indexes = (("used_at",),)

    @classmethod
    async def begin(cls, user: Person, token: str, user_agent: str, address: str | None = None) -> "Session":
        """A new session; `address` is the hash of where it begins."""
        agent = text.clean_line(user_agent)[:300]
        return await cls.create(digest=cookie.digest(token), user_id=user.id, user_agent=agent, address=address)

    @classmethod
    async def renew(cls, number: int, token: str) -> None:
        """Go on under another token: the one from before is worth nothing any more."""
        await cls.filter(id=number).update(digest=cookie.digest(token), created_at=datetime.now(UTC))

    @classmethod
    async def delete_unused(cls, unused: timedelta) -> int:
        """Delete the sessions that were not used for so long, in small batches; how many."""
        return await sql.delete_in_batches(cls.filter(used_at__lt=datetime.now(UTC) - unused))

    @classmethod
    async def clear_addresses(cls, age: timedelta) -> int:
        """Forget where sessions began so long ago; how many."""
        old = cls.filter(address__not_isnull=True, created_at__lt=datetime.now(UTC) - age)
        return await old.update(address=None)

    @property
    def device_label(self) -> Text:
        """The browser and system in a few words, from the User-Agent."""
        browsers = ("Firefox", "Edg", "OPR", "Chrome", "Safari", "w3m", "Lynx", "curl")
        systems = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
        browser = next((name for name in browsers if name in self.user_agent), "")
        system = next((name for name in systems if name in self.user_agent), "")
        shown = {"Edg": "Edge", "OPR": "Opera"}.get(browser, browser) or _("A browser")
        return _("%(browser)s on %(system)s", browser=shown, system=system) if system else shown


class SessionUses:
    """Which sessions were used: noted here, written together, at most every five minutes each."""

    def __init__(self) -> None:
        self._noted: dict[int, datetime] = {}

    def record(self, session: int, used_at: datetime) -> None:
        """The session, which was last used then, is used now."""
        now = datetime.now(UTC)
        if now - used_at > USE_INTERVAL:
            self._noted[session] = now

    async def write(self) -> None:
        noted, self._noted = self._noted, {}
        if not noted:
            return
        sessions, latest = list(noted), max(noted.values())
        for start in range(0, len(sessions), 500):
            await Session.filter(id__in=sessions[start : start + 500]).update(used_at=latest)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            try:
                await self.write()
            except Exception as error:  # it is noted again with the next request
                engine.report_failure("when sessions were used could not be written", error)


session_uses = Slot[SessionUses]("uses of sessions")
