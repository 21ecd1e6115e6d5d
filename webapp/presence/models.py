"""The rules of presence: whose page is open where, as long as the process that holds it is alive."""

import secrets
from collections.abc import Collection
from datetime import UTC, datetime

from tortoise import fields
from tortoise.models import Model

from webapp.accounts.models import User
from webapp.db import sql, transaction
from webapp.db.sql import NOW, batches
from webapp.presence.last_seen import update_last_seen
from webapp.presence.queries import IS_DEAD, UserRoom, has_dead_process, visits_of

# How often a process renews its lease.
RENEW_SECONDS = 5


class Process(Model):
    id = fields.CharField(16, primary_key=True)
    seen_at = fields.BigIntField()
    renewed = fields.IntField(default=0, db_default=0)

    class Meta:
        table = "process"

    @classmethod
    async def register(cls) -> str:
        """The id of this process, whose row now exists."""
        identity = secrets.token_hex(8)
        await cls.renew(identity)
        return identity

    @classmethod
    async def renew(cls, identity: str) -> bool:
        """Say that the process lives, in one statement; whether its row was new (then its visits were deleted)."""
        rows = await sql.execute(
            f"INSERT INTO process (id, seen_at) VALUES (?, {NOW}) "
            "ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, renewed = 1 RETURNING renewed",
            identity,
        )
        return not rows[0]["renewed"]

    @classmethod
    async def reap(cls, everyone_but: str = "") -> set[UserRoom]:
        """Delete the processes whose lease has ended (on SQLite: all others); where their people were."""
        if everyone_but:
            return await transaction.transact(cls._delete, "id <> ?", everyone_but)
        if not await has_dead_process():
            return set()  # as nearly always, and nothing was written
        return await transaction.transact(cls._delete, IS_DEAD)

    @classmethod
    async def unregister(cls, identity: str) -> set[UserRoom]:
        """Delete this process, which leaves in good order; where its people were."""
        return await transaction.transact(cls._delete, "id = ?", identity)

    @classmethod
    async def _delete(cls, which: str, *parameters: str) -> set[UserRoom]:
        """Of several that find the same process dead one gets its people: the others wait, and find no such row."""
        places: set[UserRoom] = set()
        held = f"UPDATE process SET renewed = 1 WHERE {which} RETURNING id, seen_at"
        for process in await sql.execute(held, *parameters):
            here = await visits_of(process["id"])
            await update_last_seen({user for user, _ in here}, datetime.fromtimestamp(process["seen_at"], UTC))
            await cls.filter(id=process["id"]).delete()
            places |= here
        return places


class Visit(Model):
    """A person's open page (or pages) in a process: which room it shows, or none."""

    id = fields.BigIntField(primary_key=True)
    process: fields.ForeignKeyRelation[Process] = fields.ForeignKeyField("parley.Process", "visits")
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "visits", db_index=True)
    # NO_ROOM is stored, never null: to the unique index every null is another, and the same visit would get in twice.
    room_id = fields.IntField(null=True, db_index=True)

    class Meta:
        table = "visit"
        table_description = "A person's open page (or pages) in a process: which room it shows, or none."
        unique_together = (("process", "user", "room_id"),)

    @classmethod
    async def apply_changes(
        cls, process: str, came: Collection[UserRoom], went: Collection[UserRoom], away: Collection[int] = ()
    ) -> None:
        """
        Write who came, who went, and who was seen for the last time here: one batch, one transaction.

        As many statements for a hundred rooms as for one. Deleted accounts are left out.
        """

        async def write() -> None:
            for some in batches(went):
                await sql.execute(
                    f"DELETE FROM visit WHERE id IN (SELECT visit.id FROM ({_values(some)}) AS went JOIN visit "
                    "ON visit.process_id = ? AND visit.user_id = went.column1 AND visit.room_id = went.column2)",
                    *_flat(some), process,
                )  # fmt: skip
            for some in batches(came):
                await sql.execute(
                    "INSERT INTO visit (process_id, user_id, room_id) SELECT ?, came.column1, came.column2 "
                    f'FROM ({_values(some)}) AS came WHERE EXISTS (SELECT 1 FROM "user" WHERE id = came.column1) '
                    "ON CONFLICT DO NOTHING",
                    process, *_flat(some),
                )  # fmt: skip
            await update_last_seen(away, datetime.now(UTC))

        await transaction.transact(write)


def _values(places: list[UserRoom]) -> str:
    """The first row gives PostgreSQL the types."""
    return "VALUES (CAST(? AS INTEGER), CAST(? AS INTEGER))" + ", (?, ?)" * (len(places) - 1)


def _flat(places: list[UserRoom]) -> list[int]:
    return [number for place in places for number in place]
