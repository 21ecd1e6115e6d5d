"""Who is an administrator: made and unmade one by one, by another or by a command, and never the last one."""

from datetime import UTC, datetime

from tortoise.expressions import F

from webapp import settings
from webapp.accounts.audit import Action, AuditEntry
from webapp.accounts.models import User
from webapp.accounts.viewer import Person
from webapp.core.errors import Forbidden, NotFound
from webapp.core.i18n import _
from webapp.db import sql, transaction

LAST = _("There must be another administrator first.")


async def _lock() -> set[int]:
    """
    Lock the administrators, within a transaction, and return the ids of those who are not banned.

    In one order, so that two who unmake each other wait for one another; not against new rows that refer to them, as
    the log's entry of a ban does. On SQLite the transaction must begin with a write: with a read first, another
    process could write between the two.
    """
    if settings.ON_SQLITE:
        await User.filter(is_admin=True).update(warning=F("warning"))
    else:
        await sql.execute('SELECT id FROM "user" WHERE is_admin ORDER BY id FOR NO KEY UPDATE')
    now = datetime.now(UTC)
    return {user.id for user in await User.filter(is_admin=True) if not (user.banned_until and user.banned_until > now)}


async def require_another(person_id: int) -> None:
    """Raise Forbidden, within a transaction, where nobody else is left who is an administrator; they are locked."""
    if await _lock() == {person_id}:
        raise Forbidden(LAST)


async def is_last(person: Person) -> bool:
    """Return whether the person is the only administrator; who is none is not asked about."""
    return person.is_admin and not await User.exists(is_admin=True, id__not=person.id)


async def make_admin(person_id: int, by: Person | None) -> User:
    """
    Make the person an administrator and write it down; return them as they are now. Raises Forbidden.

    By nobody it is the operator, with a command, whose word a ban gives way to.
    """

    async def write() -> User:
        await _require_admin(by)
        # Locks the row before it is read: they may be banned at the same moment.
        await User.filter(id=person_id).update(warning=F("warning"))
        person = await _person(person_id)
        if person.is_admin:
            raise Forbidden(_("They are an administrator already."))
        if person.is_banned and by:
            raise Forbidden(_("They are suspended or banned. Allow them back first."))
        person.is_admin, person.banned_until, person.ban_reason = True, None, ""
        await person.save(update_fields=("is_admin", "banned_until", "ban_reason"))
        await AuditEntry.write(by, Action.ADMIN, _subject(person))
        return person

    return await transaction.transact(write)


async def register_admin(username: str, password: str) -> User:
    """Create an account that is an administrator's, which may have a name that speaks for the site; raises Invalid."""
    person = await User.register(username, password, is_admin=True)
    await AuditEntry.write(None, Action.ADMIN, _subject(person))
    return person


async def unmake_admin(person_id: int, by: Person | None) -> User:
    """Make the person an administrator no longer, and write it down; return them. Raises Forbidden."""

    async def write() -> User:
        admins = await _require_admin(by)
        person = await _person(person_id)
        if not person.is_admin:
            raise Forbidden(_("They are no administrator."))
        if not admins - {person_id}:
            raise Forbidden(LAST)
        person.is_admin = False
        await person.save(update_fields=("is_admin",))
        await AuditEntry.write(by, Action.UNADMIN, _subject(person))
        return person

    return await transaction.transact(write)


async def _require_admin(by: Person | None) -> set[int]:
    """Lock the administrators and return them; raise NotFound where who asks is none any more."""
    admins = await _lock()
    if by and by.id not in admins:
        raise NotFound
    return admins


async def _person(person_id: int) -> User:
    person = await User.get_or_none(id=person_id, is_guest=False, username__not_isnull=True)
    if person is None:
        raise Forbidden(_("This account was deleted."))
    return person


def _subject(person: User) -> dict[str, object]:
    return {"person_id": person.id, "name": person.display_name, "code": person.code}
