"""Address bans: a banned person can't come back under another name, by a hash of their address, for a day or two."""

from datetime import UTC, datetime

from starlette.requests import Request
from tortoise import fields
from tortoise.models import Model

from webapp.core.errors import Forbidden
from webapp.core.i18n import _
from webapp.db import sql
from webapp.http.client import address_hash

# A hash is made with the salt of its day. The day before counts too, or a ban would end at every midnight.
BAN_DAYS = 2


class AddressBan(Model):
    """Nobody new from there. The hash means nothing once its day is over, and the row goes."""

    id = fields.IntField(primary_key=True)
    hash = fields.CharField(32, unique=True)
    until = fields.DatetimeField(db_index=True)

    class Meta:
        table = "address_ban"
        table_description = "Nobody new from there. The hash means nothing once its day is over, and the row goes."

    @classmethod
    async def add(cls, hash: str, until: datetime) -> None:
        """Within a transaction; one that is there already is made to last as long."""
        if not await cls.filter(hash=hash).update(until=until):
            await cls.bulk_create([cls(hash=hash, until=until)], ignore_conflicts=True)

    @classmethod
    async def delete_expired(cls) -> int:
        return await sql.delete_in_batches(cls.filter(until__lt=datetime.now(UTC)))


async def require_allowed_address(request: Request) -> None:
    """Raise Forbidden where nobody new may come from."""
    hashes = [address_hash(request, day) for day in range(BAN_DAYS)]
    if await AddressBan.filter(hash__in=hashes, until__gt=datetime.now(UTC)).exists():
        raise Forbidden(_("Nobody new can come in from your address today. Try again tomorrow."))
