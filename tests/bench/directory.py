"""
How long the lists of people take, without HTTP: 10,000 people, 1,000 of them online, and a room of 5,000.

    .venv/bin/python -m tests.bench.directory              # both engines
    .venv/bin/python -m tests.bench.directory 50000 5000   # so many people, so many online; half of all in the room
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sized
from pathlib import Path

from tests.servers import ROOT, Postgres

PEOPLE, ONLINE, TIMES = 10_000, 1_000, 200
# Of those who are online, so many have the room open.
HERE = 40
WARM_UP = 5


def measure(people: int, online: int) -> None:
    with Postgres() as server, tempfile.TemporaryDirectory() as folder:
        server.start()
        for name, url in (("SQLite", f"sqlite://{folder}/parley.sqlite3"), ("PostgreSQL", server.create())):
            env = os.environ | {"DATABASE_URL": url, "DATA_DIR": folder, "SECRET_KEY": "x" * 40, "REDIS_URL": ""}
            run = [sys.executable, "-m", "tests.bench.directory", str(people), str(online), name]
            subprocess.run(run, env=env, check=True, cwd=ROOT)


async def fill(people: int, online: int) -> None:
    """The sample people, friends of the first among them, and the first room, in which are half of all."""
    from webapp.accounts.models import User
    from webapp.cli.demo.fill import fill_rooms
    from webapp.cli.demo.rows import write_rows
    from webapp.conversations.models import Membership, Room
    from webapp.db import sql, transaction
    from webapp.presence.models import Process, Visit
    from webapp.presence.queries import NO_ROOM

    await fill_rooms(people, [10])
    users = [user.id for user in await User.all().order_by("id").only("id")]
    room = await Room.get(id=1)
    await Membership.filter(user_id__in=users[len(users) // 2 :]).delete()
    await Room.filter(id=room.id).update(member_count=len(users) // 2)
    now = sql.to_db(room.created_at)
    friends = [(users[0], other, users[0], now, now, False) for other in users[1:101]]
    columns = "low_id, high_id, asked_by, asked_at, accepted_at, withdrawn"
    await transaction.transact(write_rows, "friendship", columns, friends)
    process = await Process.register()
    there = users[1 :: max(1, len(users) // online)]
    for start in range(0, len(there), 500):
        visits = [(user, room.id if user in there[:HERE] else NO_ROOM) for user in there[start : start + 500]]
        await Visit.apply_changes(process, visits, [])
    if not sql.is_sqlite(sql.connection()):
        await sql.connection().execute_script("ANALYZE")


async def run(people: int, online: int, engine_name: str) -> None:
    from webapp.accounts.models import User
    from webapp.conversations.queries import room_by_id
    from webapp.db import engine
    from webapp.db import migrate as schema
    from webapp.people import queries
    from webapp.presence.models import Process, Visit
    from webapp.relationships.queries import requesters

    await schema.migrate()
    async with engine.connected():
        await fill(people, online)
        viewer, middle = await User.get(id=1), await User.get(id=people // 2)
        room = await room_by_id(1)
        assert room
        process = (await Process.all())[0].id
        count = await Visit.all().count()
        key = middle.sort_name, middle.code
        left_out = [row.person.id for row in await queries.online_people(viewer)]
        works: dict[str, Callable[[], Awaitable[Sized]]] = {
            "directory: who is online": lambda: queries.online_people(viewer),
            "directory: first page by name": lambda: queries.people_after(viewer, queries.START, left_out),
            "directory: a page in the middle": lambda: queries.people_after(viewer, key),
            "directory: requests": lambda: requesters(viewer),
            "room: who is here and online": lambda: queries.people_present(viewer, room),
            "room: first page by name": lambda: queries.members_after(viewer, room, queries.START, "", left_out),
            "room: a page in the middle": lambda: queries.members_after(viewer, room, key),
            "room: search": lambda: queries.members_after(viewer, room, queries.START, "an"),
        }
        print(f"\n{engine_name}: {people:,} people, {count:,} online, {room.member_count:,} in the room")
        for name, work in works.items():
            await Process.renew(process)
            print(f"  {name:34}{await timed(work)}")


async def timed(work: Callable[[], Awaitable[Sized]]) -> str:
    times = []
    for number in range(WARM_UP + TIMES):
        begun = time.perf_counter()
        rows = await work()
        if number >= WARM_UP:
            times.append((time.perf_counter() - begun) * 1000)
    quickest, median, slow = min(times), statistics.median(times), statistics.quantiles(times, n=20)[-1]
    return f"{len(rows):4} rows   quickest {quickest:6.2f}   median {median:6.2f}   95 % {slow:6.2f} ms"


if __name__ == "__main__":
    people, online = [int(argument) for argument in sys.argv[1:3]] or [PEOPLE, ONLINE]
    if sys.argv[3:]:
        Path(os.environ["DATA_DIR"]).mkdir(exist_ok=True)
        asyncio.run(run(people, online, sys.argv[3]))
    else:
        measure(people, online)
