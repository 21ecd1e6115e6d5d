"""The rules of presence: whose page is open where, as long as the process that holds it is alive."""

import secrets
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from tortoise import fields
from tortoise.models import Model

from webapp import clock, database, settings
from webapp.accounts.models import User
from webapp.language import Words, _

# A process says every five seconds that it lives; one that was not heard for twenty is gone, and its people with it.
RENEW_SECONDS = 5
LEASE_SECONDS = 20
NAMES_SHOWN = 24
# A person and the room that a page of theirs shows; NO_ROOM for a page that shows none. Rooms begin at 1.
Place = tuple[int, int]
T = TypeVar("T", int, tuple[int, int])
NO_ROOM = 0
AT_ONCE = 500
# When somebody was here is told by the day: it is not written again so soon.
SEEN_AGAIN = timedelta(minutes=5)

# The one clock that all processes share is the database's.
NOW = "CAST(strftime('%s', 'now') AS INTEGER)" if settings.ON_SQLITE else "CAST(extract(epoch FROM now()) AS BIGINT)"
IS_ALIVE = f"process.seen_at >= {NOW} - {LEASE_SECONDS}"
IS_DEAD = f"seen_at < {NOW} - {LEASE_SECONDS}"


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
    async def bury(cls, everyone_but: str = "") -> set[Place]:
        """Delete the processes whose lease has ended (on SQLite: all others); where their people were."""
        if everyone_but:
            return await database.transact(cls._delete, "id <> ?", everyone_but)
        if not await database.rows(f"SELECT id FROM process WHERE {IS_DEAD} LIMIT 1"):
            return set()  # as nearly always, and nothing was written
        return await database.transact(cls._delete, IS_DEAD)

    @classmethod
    async def end(cls, identity: str) -> set[Place]:
        """Delete this process, which leaves in good order; where its people were."""
        return await database.transact(cls._delete, "id = ?", identity)

    @classmethod
    async def _delete(cls, which: str, *parameters: str) -> set[Place]:
        """Of several that find the same process dead one gets its people: the others wait, and find no such row."""
        places: set[Place] = set()
        held = f"UPDATE process SET renewed = 1 WHERE {which} RETURNING id, seen_at"
        for process in await database.rows(held, *parameters):
            visits = await database.rows("SELECT user_id, room_id FROM visit WHERE process_id = ?", process["id"])
            here = {(visit["user_id"], visit["room_id"]) for visit in visits}
            await note_seen({user for user, _ in here}, datetime.fromtimestamp(process["seen_at"], UTC))
            await cls.filter(id=process["id"]).delete()
            places |= here
        return places


class Chore(Model):
    """Something that one of the processes does from time to time, whichever of them comes first."""

    name = fields.CharField(20, primary_key=True)
    done_at = fields.BigIntField()

    class Meta:
        table = "chore"
        table_description = "Something that one of the processes does from time to time, whichever of them comes first."

    @classmethod
    async def claim(cls, name: str, seconds: int) -> bool:
        """Whether this process is to do it: nobody has for so many seconds, by the clock that all share."""
        won = await database.rows(
            f"INSERT INTO chore (name, done_at) VALUES (?, {NOW}) "
            "ON CONFLICT (name) DO UPDATE SET done_at = excluded.done_at "
            f"WHERE chore.done_at <= excluded.done_at - {int(seconds)} RETURNING name",
            name,
        )
        return bool(won)


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
    async def write(
        cls, process: str, came: Collection[Place], went: Collection[Place], away: Collection[int] = ()
    ) -> None:
        """
        Write who came, who went, and who was seen for the last time here: one batch, one transaction.

        As many statements for a hundred rooms as for one. Whose account is gone is left out.
        """

        async def write() -> None:
            for some in _slices(went):
                await database.rows(
                    f"DELETE FROM visit WHERE id IN (SELECT visit.id FROM ({_values(some)}) AS went JOIN visit "
                    "ON visit.process_id = ? AND visit.user_id = went.column1 AND visit.room_id = went.column2)",
                    *_flat(some), process,
                )  # fmt: skip
            for some in _slices(came):
                await database.rows(
                    "INSERT INTO visit (process_id, user_id, room_id) SELECT ?, came.column1, came.column2 "
                    f'FROM ({_values(some)}) AS came WHERE EXISTS (SELECT 1 FROM "user" WHERE id = came.column1) '
                    "ON CONFLICT DO NOTHING",
                    process, *_flat(some),
                )  # fmt: skip
            await note_seen(away, datetime.now(UTC))

        await database.transact(write)


def _slices(things: Collection[T]) -> Iterator[list[T]]:
    """In pieces that one statement can take, and always in one order: two that write the same rows do not lock up."""
    ordered = sorted(things)
    return (ordered[start : start + AT_ONCE] for start in range(0, len(ordered), AT_ONCE))


def _values(places: list[Place]) -> str:
    """The first row tells PostgreSQL the types."""
    return "VALUES (CAST(? AS INTEGER), CAST(? AS INTEGER))" + ", (?, ?)" * (len(places) - 1)


def _flat(places: list[Place]) -> list[int]:
    return [number for place in places for number in place]


# When somebody was here last.


async def note_seen(users: Collection[int], moment: datetime) -> None:
    """The last pages of these people have closed; nothing is written for those noted within SEEN_AGAIN before."""
    for some in _slices(users):
        await User.filter(id__in=some, last_seen_at__lt=moment - SEEN_AGAIN).update(last_seen_at=moment)


SEEN = (
    (0, _("Last seen today")),
    (1, _("Last seen yesterday")),
    (6, _("Last seen this week")),
    (30, _("Last seen this month")),
)
LONG_AGO = _("Last seen a while ago")


def seen(last_seen_at: datetime, now: datetime | None = None) -> Words:
    """
    When somebody was here last, in words too coarse to tell their hours, by the days of the site's time zone.

    A week is the seven days before, not the calendar's: three days ago is this week on a Monday too.
    """
    days = (clock.local(now or datetime.now(UTC)).date() - clock.local(last_seen_at).date()).days
    return next((words for most, words in SEEN if days <= most), LONG_AGO)


def last_seen(user: User) -> Words:
    """The words for a friend of theirs, empty when the person does not show when they are here."""
    return seen(user.last_seen_at) if user.shows_presence else ""


# Who is online: whoever has a page open, in a room or not, and shows it.


def is_online(user: str = '"user"') -> str:
    """The condition for a query that has the table of users under that name; null where a LEFT JOIN found nobody."""
    return (
        f"({user}.shows_presence AND EXISTS (SELECT 1 FROM visit JOIN process ON process.id = visit.process_id "
        f"WHERE visit.user_id = {user}.id AND {IS_ALIVE}))"
    )


async def online(users: Collection[int]) -> set[int]:
    """Those of the people who are online and show it; one query for each 500."""
    found: set[int] = set()
    for some in _slices(set(users)):
        query = f'SELECT id FROM "user" WHERE id IN ({database.marks(some)}) AND {is_online()}'
        rows = await database.rows(query, *some)
        found |= {row["id"] for row in rows}
    return found


async def everyone_online() -> set[int]:
    """All who are online and show it, in one query."""
    rows = await database.rows(
        'SELECT id FROM "user" WHERE shows_presence AND id IN (SELECT user_id FROM visit '
        f"WHERE process_id IN (SELECT id FROM process WHERE {IS_ALIVE}))"
    )
    return {row["id"] for row in rows}


async def rooms_of(user: int) -> list[int]:
    """The rooms that the person's pages show, in any process."""
    rows = await database.rows("SELECT DISTINCT room_id FROM visit WHERE user_id = ? AND room_id > ?", user, NO_ROOM)
    return [row["room_id"] for row in rows]


# Who is in a room.


class People(NamedTuple):
    """Who is in a room now: how many, and the first of them by name."""

    total: int
    shown: list[dict[str, Any]]

    @property
    def others(self) -> int:
        return self.total - len(self.shown)


# Only the names that are shown are read. Of one room, as it is asked most, in the way that costs least.
_IN_ROOM = (
    'SELECT code, display_name, COUNT(*) OVER () AS total FROM "user" WHERE shows_presence AND id IN ('
    f"SELECT user_id FROM visit JOIN process ON process.id = visit.process_id WHERE room_id = ? AND {IS_ALIVE}) "
    f"ORDER BY LOWER(display_name), code LIMIT {NAMES_SHOWN}"
)
_IN_ROOMS = f"""
SELECT room_id, code, display_name, total FROM (
    SELECT here.room_id, "user".code, "user".display_name, COUNT(*) OVER (PARTITION BY here.room_id) AS total,
        ROW_NUMBER() OVER (PARTITION BY here.room_id ORDER BY LOWER("user".display_name), "user".code) AS place
    FROM (SELECT DISTINCT visit.room_id, visit.user_id FROM visit JOIN process ON process.id = visit.process_id
        WHERE visit.room_id IN ({{rooms}}) AND {IS_ALIVE}) AS here
    JOIN "user" ON "user".id = here.user_id WHERE "user".shows_presence
) AS person WHERE place <= {NAMES_SHOWN} ORDER BY room_id, place"""


async def people_in(rooms: Collection[int]) -> dict[int, People]:
    """Who is in each of these rooms and shows it, in one query; a page that shows no room has no people."""
    by_room: dict[int, list[dict[str, Any]]] = {room: [] for room in rooms if room != NO_ROOM}
    if len(by_room) == 1:
        [room] = by_room
        by_room[room] = await database.rows(_IN_ROOM, room)
    elif by_room:
        for row in await database.rows(_IN_ROOMS.format(rooms=database.marks(by_room)), *by_room):
            by_room[row.pop("room_id")].append(row)
    return {room: _people(found) for room, found in by_room.items()}


def _people(rows: list[dict[str, Any]]) -> People:
    total = rows[0]["total"] if rows else 0
    return People(total, [{"code": row["code"], "display_name": row["display_name"]} for row in rows])
