"""A thousand people come and go at real servers: what that writes, what the pages are told, and whom a crash takes."""

import asyncio
import contextlib
import re
import resource
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import asyncpg
import httpx2
import pytest

from tests.page import Page
from tests.servers import App, Postgres, Redis
from webapp import settings
from webapp.http import cookie
from webapp.presence.queries import LEASE_SECONDS
from webapp.presence.tracker import GRACE_SECONDS

pytestmark = pytest.mark.slow

CROWD, ROOMS, BUSIEST = 1_000, 100, 300
COMING_SECONDS, LEAVING_SECONDS = 8.0, 2.0
MOST_WRITES = 40
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PEOPLE = ".people__name bdi"
HERE = re.compile(r"(\d+) here")
# PostgreSQL logs every execution of a statement that writes, those of a prepared one too, with milliseconds.
WRITE = re.compile(r"^(\S+ \S+) \S+ \[\d+\] LOG:  (?:statement|execute [^:]*): (\w+)(?: INTO| FROM)? \"?(\w+)", re.M)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of its own, whose log can be read."""
    with Postgres() as server:
        server.start()
        yield server


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Each page is a file at its browser and another at its server, which inherits this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Site:
    """An installation with rooms and people who are signed in; the addresses of its processes."""

    def __init__(self, database: str, redis: Redis) -> None:
        self.database = database
        self.env = {"DATABASE_URL": database, "REDIS_URL": redis.url, "RATE_LIMITS": "off", "SITE_TIMEZONE": "UTC"}
        self.env["SECRET_KEY"] = settings.secret_key()
        self.cookies: list[str] = []

    async def fill(self) -> None:
        """CROWD people and one more who watches, and rooms with the numbers from 1."""
        connection = await asyncpg.connect(self.database)
        users = range(1, CROWD + 2)
        tokens = [secrets.token_hex(16) for _ in users]
        people = [
            (f"{n:04}-TEST", f"person-{n}", f"Person {n:04}", "", False, False, LONG_AGO, LONG_AGO) for n in users
        ]
        columns = "code username display_name bio is_guest is_admin created_at last_seen_at"
        await self._copy(connection, "user", columns, people)
        now = datetime.now(UTC)
        sessions = [(cookie.digest(token), n, "", now, now) for n, token in zip(users, tokens, strict=True)]
        await self._copy(connection, "session", "digest user_id user_agent created_at used_at", sessions)
        rooms = [(f"room-{n}", "public", f"Room {n}", f"room {n}", "", 0, 0, now, 0, now) for n in range(1, ROOMS + 1)]
        columns = "key kind name folded topic version last_number last_at member_count created_at"
        await self._copy(connection, "room", columns, rooms)
        await connection.close()
        signer = cookie.signer("session")
        self.cookies = ["", *(f"{cookie.name('http')}={signer.sign(token).decode()}" for token in tokens)]

    @staticmethod
    async def _copy(connection: Any, table: str, columns: str, rows: Sequence[tuple[object, ...]]) -> None:
        await connection.copy_records_to_table(table, columns=columns.split(), records=rows)

    async def fetch(self, query: str, *values: object) -> list[Any]:
        connection = await asyncpg.connect(self.database)
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    async def until_present(self, users: set[int], seconds: float) -> None:
        """Wait until these, and nobody else, have visits."""
        async with asyncio.timeout(seconds):
            while {row["user_id"] for row in await self.fetch("SELECT user_id FROM visit")} != users:
                await asyncio.sleep(0.1)

    async def page(self, app: App, user: int, room: int) -> str:
        """The room's page as it is served to them, and nothing but a look."""
        headers = {"Cookie": self.cookies[user]}
        async with httpx2.AsyncClient(headers=headers) as client:
            answer = await client.get(f"{app.url}/rooms/room-{room}", timeout=20)
        assert answer.status_code == 200
        return answer.text


class Tab(asyncio.Protocol):
    """An open page, as cheap as a socket; one that watches keeps the people that it was told, and when."""

    def __init__(self, request: bytes, watches: bool) -> None:
        self.request, self.watches = request, watches
        self.told: list[tuple[float, str]] = []
        self.status = asyncio.get_running_loop().create_future()
        self.ended = asyncio.Event()
        self.news = asyncio.Event()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        if not self.status.done():
            self.status.set_result(int(data.split(b" ", 2)[1]))
        if not self.watches:
            return
        *events, self._buffer = (self._buffer + data).split(b"\n\n")
        for event in events:
            if b'hx-target="#people"' in event:
                self.told.append((time.monotonic(), event.decode()))
                self.news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()
        if not self.status.done():
            self.status.set_exception(exc or ConnectionError("it was closed"))

    @property
    def here(self) -> int:
        """How many are in the room, as it was told last."""
        return count(self.told[-1][1]) if self.told else 0

    async def until(self, here: int, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while self.here != here:
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            raise AssertionError(f"not {here} but {self.here} here after {seconds} s") from None


def count(event: str) -> int:
    found = HERE.search(event)
    assert found
    return int(found[1])


async def open_tab(site: Site, app: App, user: int, room: int, watches: bool = False) -> Tab:
    lines = f"GET /rooms/room-{room}/events?after=0 HTTP/1.1\nHost: 127.0.0.1\nCookie: {site.cookies[user]}\n\n"
    request = lines.replace("\n", "\r\n").encode()
    _, tab = await asyncio.get_running_loop().create_connection(lambda: Tab(request, watches), "127.0.0.1", app.port)
    async with asyncio.timeout(60):
        assert await tab.status == 200
    return tab


async def spread(works: Sequence[Any], seconds: float) -> list[Any]:
    """Do these things evenly within so many seconds."""

    async def later(number: int, work: Any) -> Any:
        await asyncio.sleep(number * seconds / len(works))
        return await work

    return await asyncio.gather(*(later(number, work) for number, work in enumerate(works)))


async def close(tabs: Sequence[Tab], seconds: float) -> None:
    async def one(tab: Tab) -> None:
        tab.transport.abort()
        await tab.ended.wait()

    await spread([one(tab) for tab in tabs], seconds)


def room_of(user: int) -> int:
    return 1 if user <= BUSIEST else 2 + user % (ROOMS - 1)


def count_in(times: Sequence[float], start: float) -> int:
    return sum(start <= at < start + 1 for at in times)


class Writes:
    """Every statement that wrote, when, and into which table, by PostgreSQL's own log."""

    def __init__(self, log: str) -> None:
        self.made = [
            (datetime.strptime(at, "%Y-%m-%d %H:%M:%S.%f").timestamp(), table)
            for at, kind, table in WRITE.findall(log)
            if kind in ("INSERT", "UPDATE", "DELETE")
        ]

    def __len__(self) -> int:
        return len(self.made)

    def of(self, *tables: str) -> list[float]:
        return [at for at, table in self.made if not tables or table in tables]

    def most(self, *tables: str) -> int:
        """In any second, wherever it begins."""
        times = sorted(self.of(*tables))
        return max((count_in(times[first:], start) for first, start in enumerate(times)), default=0)


@contextlib.asynccontextmanager
async def serving(site: Site, apps: int) -> AsyncIterator[list[App]]:
    async with contextlib.AsyncExitStack() as stack:
        started = []
        for _ in range(apps):
            started.append(stack.enter_context(App(site.env)))
        await site.fill()
        yield started


async def test_a_thousand_people_come_and_go_and_little_is_written(postgres: Postgres, redis_server: Redis) -> None:
    site = Site(postgres.create(), redis_server)
    name = site.database.rpartition("/")[2]
    for setting in ("log_statement = 'mod'", "log_parameter_max_length = 0"):
        postgres.execute(f"ALTER DATABASE {name} SET {setting}")
    async with serving(site, 1) as [app]:
        watcher = await open_tab(site, app, CROWD + 1, 1, watches=True)
        await watcher.until(1, 10)
        logged = postgres.log.stat().st_size
        began = time.monotonic()
        tabs = await spread([open_tab(site, app, user, room_of(user)) for user in range(1, CROWD + 1)], COMING_SECONDS)
        came = time.monotonic()
        await watcher.until(BUSIEST + 1, 10)
        await site.until_present(set(range(1, CROWD + 2)), 10)
        leaving = time.monotonic()
        await close(tabs, LEAVING_SECONDS)
        left = time.monotonic()
        await watcher.until(1, 20)
        await site.until_present({CROWD + 1}, 20)
        gone = time.monotonic()
        [row] = await site.fetch('SELECT count(*) AS n FROM "user" WHERE last_seen_at > $1', LONG_AGO)
        assert row["n"] == CROWD
        await close([watcher], 0)
        with postgres.log.open() as file:
            file.seek(logged)
            writes = Writes(file.read())
        assert "Traceback" not in app.log.read_text()
    told = [at for at, _ in watcher.told]
    presence = ("visit", "process", "user")
    nearest = min(after - before for before, after in pairwise(told))
    print(
        f"\n{CROWD} came in {came - began:.1f} s and left in {left - leaving:.1f} s; the last was gone "
        f"{gone - left:.1f} s later; {len(writes)} statements wrote, at most {writes.most()} in a second, "
        f"{writes.most(*presence)} of them for presence ({len(writes.of(*presence))} in all); "
        f"{len(told)} frames in {gone - began:.0f} s, the nearest two {nearest:.2f} s apart"
    )
    assert len(writes.of(*presence)) > 5
    assert writes.most() <= MOST_WRITES
    assert all(count_in(told, at) <= 1 + 1 for at in told), "one a second, and one that came late with the next"
    assert len(told) <= gone - began + 3
    assert gone - left < GRACE_SECONDS + 3


async def test_the_people_of_a_killed_process_go_offline_and_the_others_stay(
    postgres: Postgres, redis_server: Redis
) -> None:
    site = Site(postgres.create(), redis_server)
    async with serving(site, 2) as [one, other]:
        # Ten of each process in the room that is watched, so that all are named; the others make it a crowd.
        dying, staying = range(1, 251), range(251, 501)
        named = [*dying[:10], *staying[:10]]
        watcher = await open_tab(site, other, CROWD + 1, 1, watches=True)
        tabs = await spread(
            [
                open_tab(site, one if user in dying else other, user, 1 if user in named else room_of(user + BUSIEST))
                for user in (*dying, *staying)
            ],
            4,
        )
        await watcher.until(21, 15)
        told = len(watcher.told)
        one.kill()
        killed = time.monotonic()
        await watcher.until(11, 35)
        gone = time.monotonic() - killed
        page = await site.page(other, CROWD + 1, 1)
        # The list leaves out whoever's lease has ended; the rows go when the next process looks for such.
        await site.until_present({*staying, CROWD + 1}, 30 - gone)
        buried = time.monotonic() - killed
        seen = await site.fetch('SELECT id FROM "user" WHERE last_seen_at > $1', LONG_AGO)
        await asyncio.sleep(3)  # nobody comes back or goes once it has settled
        assert watcher.here == 11
        stay = {f"Person {user:04}" for user in (*staying[:10], CROWD + 1)}
        for _, event in watcher.told[told - 1 :]:
            assert stay <= set(Page(event.replace("\ndata: ", "\n")).texts(PEOPLE)), (
                "somebody who stayed was missing for a while"
            )
        assert set(Page(page).texts(PEOPLE)) == stay
        assert {row["id"] for row in seen} == {*dying}
        await close(tabs, 0)
        await close([watcher], 0)
        print(f"\nthe people of a killed process were gone after {gone:.1f} s, their rows after {buried:.1f} s")
        assert LEASE_SECONDS - 6 < gone < 30
        assert "Traceback" not in other.log.read_text()
