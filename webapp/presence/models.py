"""The rules of presence: whose page is open where, as long as the process that holds it is alive."""

import secrets
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from tortoise import fields
from tortoise.models import Model

from webapp import database, settings
from webapp.accounts.models import User

# A process says every five seconds that it lives; one that was not heard for twenty is gone, and its people with it.
RENEW_SECONDS = 5
LEASE_SECONDS = 20
NAMES_SHOWN = 24

# The one clock that all processes share is the database's.
NOW = "CAST(strftime('%s', 'now') AS INTEGER)" if settings.ON_SQLITE else "CAST(extract(epoch FROM now()) AS BIGINT)"


class Process(Model):
    id = fields.CharField(16, primary_key=True)
    seen_at = fields.BigIntField()
    renewed = fields.IntField(default=0, db_default=0)

    class Meta:
        table = "process"

    @classmethod
    async def begin(cls) -> str:
        """The id of this process, whose row now exists."""
        identity = secrets.token_hex(8)
        await cls.renew(identity)
        return identity

    @classmethod
    async def renew(cls, identity: str) -> bool:
        """Say that the process lives, in one statement; whether its row was new (its visits are gone then)."""
        rows = await database.rows(
            f"INSERT INTO process (id, seen_at) VALUES (?, {NOW}) "
            "ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, renewed = 1 RETURNING renewed",
            identity,
        )
        return not rows[0]["renewed"]

    @classmethod
    async def bury(cls, everyone_but: str = "") -> list[int]:
        """Delete the processes whose lease has ended (on SQLite: all others); the rooms their people were in."""
        dead = f"seen_at < {NOW} - {LEASE_SECONDS}" if not everyone_but else "id <> ?"
        found = await database.rows(
            f"SELECT DISTINCT room_id FROM visit WHERE process_id IN (SELECT id FROM process WHERE {dead})",
            *filter(None, [everyone_but]),
        )
        await database.rows(f"DELETE FROM process WHERE {dead} RETURNING id", *filter(None, [everyone_but]))
        return [row["room_id"] for row in found if row["room_id"] is not None]


class Visit(Model):
    """A person's open page (or pages) in a process: which room it shows, or none."""

    id = fields.BigIntField(primary_key=True)
    process: fields.ForeignKeyRelation[Process] = fields.ForeignKeyField("parley.Process", "visits")
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("parley.User", "visits", db_index=True)
    room_id = fields.IntField(null=True, db_index=True)

    class Meta:
        table = "visit"
        unique_together = (("process", "user", "room_id"),)

    @classmethod
    async def write(cls, process: str, came: Collection[tuple[int, int]], went: Collection[tuple[int, int]]) -> None:
        """Write who came and who went, as (user, room) pairs; one batch, one transaction."""

        async def both() -> None:
            for room in {room for _, room in went}:
                users = [user for user, left in went if left == room]
                await cls.filter(process_id=process, room_id=room, user_id__in=users).delete()
            rows = [cls(process_id=process, user_id=user, room_id=room) for user, room in came]
            await cls.bulk_create(rows, ignore_conflicts=True, batch_size=300)

        await database.transact(both)


async def with_account(places: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those of the (user, room) pairs whose user still exists: one that was removed must not stop the batch."""
    users = await User.filter(id__in={user for user, _ in places}).values("id") if places else []
    existing = {row["id"] for row in users}
    return [place for place in places if place[0] in existing]


class People(NamedTuple):
    """Who is in a room now: how many, and the first of them by name."""

    total: int
    shown: list[dict[str, Any]]

    @property
    def others(self) -> int:
        return self.total - len(self.shown)

    @classmethod
    def of(cls, rows: Iterable[dict[str, Any]]) -> "People":
        people = sorted(rows, key=lambda row: (row["display_name"].casefold(), row["code"]))
        return cls(len(people), people[:NAMES_SHOWN])


async def people_in(rooms: Collection[int]) -> dict[int, People]:
    """Who is in each of these rooms, in one query."""
    if not rooms:
        return {}
    marks = ", ".join("?" * len(rooms))
    rows = await database.rows(
        'SELECT DISTINCT visit.room_id, "user".code, "user".display_name FROM visit '
        'JOIN process ON process.id = visit.process_id JOIN "user" ON "user".id = visit.user_id '
        f"WHERE visit.room_id IN ({marks}) AND process.seen_at >= {NOW} - {LEASE_SECONDS}",
        *rooms,
    )
    by_room: dict[int, list[dict[str, Any]]] = {room: [] for room in rooms}
    for row in rows:
        by_room[row["room_id"]].append(row)
    return {room: People.of(found) for room, found in by_room.items()}
