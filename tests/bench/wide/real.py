"""The real thing: four processes on one PostgreSQL and one Redis, in real time, on this machine."""

import asyncio
import contextlib
import re
from collections.abc import Iterator
from typing import NamedTuple

import asyncpg

from tests.bench import machine
from tests.bench.contenders import MARKER, Parley, Request
from tests.servers import App, Postgres, Redis, free_port

PROCESSES, ROOMS, ROOM_SIZE = 4, 25, 20
POSTS_A_SECOND, SECONDS = 10, 20
# Until pages are open and everything about them is written.
CALM_SECONDS = 8
STATEMENT = re.compile(rb"LOG:  (?:statement|execute [^:]*): ")


class Sample(NamedTuple):
    """What was used so far: statements, transactions and rows; publishes and bytes of Redis; CPU seconds."""

    statements: float
    transactions: float
    rows: float
    publishes: float
    redis_kB: float
    application_ms: float
    postgresql_ms: float
    redis_ms: float


class Town(Parley):
    """Rooms whose people are spread over several processes."""

    def __init__(self, postgres: Postgres, redis: Redis, checkout: str = "") -> None:
        self.postgres, self.redis, self.database = postgres, redis, postgres.create()
        env = {"DATABASE_URL": self.database, "REDIS_URL": redis.url}
        env |= {"PYTHONPATH": checkout} if checkout else {}
        super().__init__(ROOMS * ROOM_SIZE, [20] * ROOMS, env=env)
        self.others = [App(self.app.env) for _ in range(PROCESSES - 1)]

    def serve(self) -> None:
        for app in self.apps:
            app.port = free_port()
            app.start()
        self.port = self.app.port

    @property
    def apps(self) -> list[App]:
        return [self.app, *self.others]

    def __exit__(self, *error: object) -> None:
        for app in self.others:
            app.stop()
        super().__exit__(*error)

    def app_of(self, person: int) -> App:
        return self.apps[person % PROCESSES]

    async def sample(self) -> Sample:
        connection = await asyncpg.connect(self.database)
        try:
            commits, rows = await connection.fetchrow(
                "SELECT xact_commit, tup_returned FROM pg_stat_database WHERE datname = current_database()"
            )
        finally:
            await connection.close()
        info = str(self.redis.cli("INFO", "everything"))
        published = re.search(r"cmdstat_publish:calls=(\d+)", info)
        sent = re.search(r"total_net_output_bytes:(\d+)", info)
        cpu = [sum(map(machine.cpu_seconds, machine.family(app.pid))) for app in self.apps]
        return Sample(
            len(STATEMENT.findall(self.postgres.log.read_bytes())), commits, rows,
            int(published[1]) if published else 0, int(sent[1]) / 1000 if sent else 0,
            sum(cpu) * 1000, _family_ms(self.postgres.pid), machine.cpu_seconds(self.redis.pid) * 1000,
        )  # fmt: skip


def _family_ms(pid: int) -> float:
    return sum(map(machine.cpu_seconds, machine.family(pid))) * 1000


async def _drain(app: App, request: Request, found: list[int], reader: int) -> None:
    """An open page, which counts its messages."""
    stream, writer = await asyncio.open_connection("127.0.0.1", app.port)
    writer.write(request.bytes)
    with contextlib.suppress(asyncio.CancelledError):
        while chunk := await stream.read(65536):
            found[reader] += chunk.count(b'<li id="message-')
    writer.close()


async def _post(app: App, request: Request, number: int) -> None:
    stream, writer = await asyncio.open_connection("127.0.0.1", app.port)
    marker = f"#{number:08}t{number:016}#".ljust(len(MARKER), "~").encode()
    body = request.bytes.replace(MARKER.encode(), marker).replace(b"Accept: ", b"Connection: close\r\nAccept: ")
    writer.write(body)
    answer = await stream.read()
    assert answer.startswith(b"HTTP/1.1 200"), answer[:500]
    writer.close()


async def measure(town: Town, requests: list[Request], posts: list[Request]) -> dict[str, float]:
    """What a post costs, beyond what the same time costs without one."""
    found = [0] * town.people
    pages = [asyncio.ensure_future(_drain(town.app_of(n), one, found, n)) for n, one in enumerate(requests)]
    await asyncio.sleep(CALM_SECONDS)
    before = await town.sample()
    await asyncio.sleep(SECONDS)
    idle = await town.sample()
    count = POSTS_A_SECOND * SECONDS
    for number in range(count):
        place = number % len(posts)
        await _post(town.app_of(number), posts[place], number)
        await asyncio.sleep(1 / POSTS_A_SECOND)
    after = await town.sample()
    await asyncio.sleep(2)
    expected, came = count * ROOM_SIZE, sum(found)
    for page in pages:
        page.cancel()
    used = {
        name: (getattr(after, name) - 2 * getattr(idle, name) + getattr(before, name)) / count
        for name in Sample._fields
    }
    return used | {"messages missing at readers": expected - came}


def report(before: str = "") -> str:
    """A table of what one post costs, of this checkout and of another where one is named."""
    with _servers() as (postgres, redis):
        found = {}
        for name, checkout in [("before", before), ("now", "")] if before else [("now", "")]:
            with Town(postgres, redis, checkout) as town:
                found[name] = asyncio.run(measure(town, town.readers(), town.posts()))
    title = f"One post, {PROCESSES} processes, {ROOMS} rooms of {ROOM_SIZE} whose people are spread over them"
    rows = [f"| {title} | {' | '.join(found)} |", f"|---|{'---|' * len(found)}"]
    for figure in next(iter(found.values())):
        rows.append(f"| {figure.replace('_', ' ')} | {' | '.join(f'{one[figure]:.1f}' for one in found.values())} |")
    return "\n".join(rows)


@contextlib.contextmanager
def _servers() -> Iterator[tuple[Postgres, Redis]]:
    with Postgres() as postgres, Redis() as redis:
        postgres.start()
        redis.start()
        postgres.execute("ALTER SYSTEM SET log_statement = 'all'")
        postgres.execute("SELECT pg_reload_conf()")
        yield postgres, redis
