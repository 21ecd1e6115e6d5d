"""Who is online, and where."""

from collections.abc import Collection
from typing import NamedTuple

from webapp.accounts.viewer import Avatar, Person
from webapp.db import sql
from webapp.db.sql import NOW, batches

# A person and the room that a page of theirs shows; NO_ROOM for a page that shows none. Rooms begin at 1.
UserRoom = tuple[int, int]
NO_ROOM = 0
# A process that has not renewed its lease for so long has died, and nobody's page is open there.
LEASE_SECONDS = 20
IS_ALIVE = f"process.seen_at >= {NOW} - {LEASE_SECONDS}"
IS_DEAD = f"seen_at < {NOW} - {LEASE_SECONDS}"
NAMES_SHOWN = 24
# The channel of open pages that list people who are no friends: its one number is 0.
DIRECTORY = "directory"


def is_online(user: str = '"user"') -> str:
    """Return a condition on the table of users, under that name; it is null where a LEFT JOIN found nobody."""
    return (
        f"({user}.shows_presence AND EXISTS (SELECT 1 FROM visit JOIN process ON process.id = visit.process_id "
        f"WHERE visit.user_id = {user}.id AND {IS_ALIVE}))"
    )


def shows_everyone(user: str = '"user"') -> str:
    """Return the condition that a person shows everyone, and not their friends alone, when they are online."""
    return f"({user}.shows_presence AND {user}.presence_for = 'everyone')"


async def online(users: Collection[int]) -> set[int]:
    """Return those of the people who are online and show it; one query for each 500."""
    found: set[int] = set()
    for batch in batches(set(users)):
        query = f'SELECT id FROM "user" WHERE id IN ({sql.placeholders(batch)}) AND {is_online()}'
        found |= {row["id"] for row in await sql.fetch_inline(query, *batch)}
    return found


async def is_shown_online(user: Person, to_friend: bool) -> bool:
    """Return whether the person is online and shows it: to a friend of theirs, or to everyone."""
    shown = is_online() if to_friend else f"{shows_everyone()} AND {is_online()}"
    return bool(await sql.fetch_inline(f'SELECT 1 FROM "user" WHERE id = ? AND {shown}', user.id))


async def rooms_shown_to(user: int) -> list[int]:
    """Return the rooms that the person's pages show, in any process."""
    rows = await sql.fetch_inline("SELECT DISTINCT room_id FROM visit WHERE user_id = ? AND room_id > ?", user, NO_ROOM)
    return [row["room_id"] for row in rows]


async def has_dead_process() -> bool:
    """Return whether the lease of a process has ended."""
    return bool(await sql.fetch_inline(f"SELECT id FROM process WHERE {IS_DEAD} LIMIT 1"))


async def visits_of(process: str) -> set[UserRoom]:
    """Return where people's pages are open in the process."""
    rows = await sql.fetch_inline("SELECT user_id, room_id FROM visit WHERE process_id = ?", process)
    return {(row["user_id"], row["room_id"]) for row in rows}


class PresentRow(NamedTuple):
    """A person who is in a room now."""

    code: str
    display_name: str
    picture: str | None

    @property
    def avatar(self) -> Avatar:
        return Avatar.of(self.display_name, self.code, self.picture)


class RoomPresence(NamedTuple):
    """Who is in a room now: how many, and the first of them by name."""

    total: int
    shown: tuple[PresentRow, ...]

    @property
    def others(self) -> int:
        return self.total - len(self.shown)


# Only the names that are shown are read. Of one room, which is asked for most, in the way that costs least.
_IN_ROOM = (
    'SELECT code, display_name, picture, COUNT(*) OVER () AS total FROM "user" WHERE shows_presence AND id IN ('
    f"SELECT user_id FROM visit JOIN process ON process.id = visit.process_id WHERE room_id = ? AND {IS_ALIVE}) "
    f"ORDER BY LOWER(display_name), code LIMIT {NAMES_SHOWN}"
)
_IN_ROOMS = f"""
SELECT room_id, code, display_name, picture, total FROM (
    SELECT here.room_id, "user".code, "user".display_name, "user".picture,
        COUNT(*) OVER (PARTITION BY here.room_id) AS total,
        ROW_NUMBER() OVER (PARTITION BY here.room_id ORDER BY LOWER("user".display_name), "user".code) AS place
    FROM (SELECT DISTINCT visit.room_id, visit.user_id FROM visit JOIN process ON process.id = visit.process_id
        WHERE visit.room_id IN ({{rooms}}) AND {IS_ALIVE}) AS here
    JOIN "user" ON "user".id = here.user_id WHERE "user".shows_presence
) AS person WHERE place <= {NAMES_SHOWN} ORDER BY room_id, place"""


async def presence_in(rooms: Collection[int]) -> dict[int, RoomPresence]:
    """Return who is in each of these rooms and shows it, in one query; a page that shows no room has no people."""
    by_room: dict[int, list[sql.Row]] = {room: [] for room in rooms if room != NO_ROOM}
    if len(by_room) == 1:
        [room] = by_room
        by_room[room] = list(await sql.fetch_inline(_IN_ROOM, room))
    elif by_room:
        for row in await sql.fetch_inline(_IN_ROOMS.format(rooms=sql.placeholders(by_room)), *by_room):
            by_room[row["room_id"]].append(row)
    return {room: _presence(rows) for room, rows in by_room.items()}


def _presence(rows: list[sql.Row]) -> RoomPresence:
    shown = tuple(PresentRow(row["code"], row["display_name"], row["picture"]) for row in rows)
    return RoomPresence(rows[0]["total"] if rows else 0, shown)
