"""People and pages for tests with real servers: one process or several, and those who post all the time."""

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import asyncpg
import httpx2
import pytest

from tests.live_page import LivePage
from tests.servers import App, Redis, wait_until

SETTINGS = {
    "SECRET_KEY": "several processes share one secret",
    "SITE_TIMEZONE": "UTC",
    "MAX_STREAMS_PER_SESSION": "1000",
    "RATE_POST": "100000/second",
    "RATE_STREAM": "100000/second",
    "RATE_REGISTER": "100000/second",
    "RATE_SIGN_IN": "4/minute;1000/minute",
}
# The promise is a second, three while Redis is away; the rest is what a busy machine may add.
SLACK = 1.5


class Pair:
    """
    Two processes of one installation, as two machines would run them.

    With OLDER_CODE, a checkout of another version, the one is a process of that: the middle of an upgrade.
    """

    def __init__(self, database: str, redis: Redis) -> None:
        self.database, self.redis = database, redis
        env = SETTINGS | {"DATABASE_URL": database, "REDIS_URL": redis.url}
        self.older_code = os.environ.get("OLDER_CODE")
        self.one, self.other = App(env | ({"PYTHONPATH": self.older_code} if self.older_code else {})), App(env)

    @property
    def both(self) -> tuple[App, App]:
        return self.one, self.other

    def __enter__(self) -> Self:
        # One after the other: two that take turns with migrations work out anew, for each, what all before have made.
        # The older one first: it refuses a database that the newer one has brought up to date, but goes on with it.
        with ThreadPoolExecutor(1) as pool:
            starts = [pool.submit(app.__enter__) for app in self.both]
        try:
            for start in starts:
                start.result()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(App.stop, self.both))

    async def log(self, room: str) -> dict[int, str]:
        """What the database holds of the room's log."""
        rows = await self.fetch("SELECT number, body FROM message WHERE room_id = $1 ORDER BY number", room)
        return {row["number"]: row["body"] for row in rows}

    async def execute(self, query: str, *values: str) -> None:
        connection = await asyncpg.connect(self.database)
        try:
            await connection.execute(query, *values)
        finally:
            await connection.close()

    async def fetch(self, query: str, room: str) -> list[dict[str, Any]]:
        """The rows of a query about that room."""
        connection = await asyncpg.connect(self.database)
        try:
            number = await connection.fetchval("SELECT id FROM room WHERE key = $1", room)
            return [dict(row) for row in await connection.fetch(query, number)]
        finally:
            await connection.close()


class Person:
    """Somebody with a browser, whose session holds at every process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.username = f"{name.lower()}-{secrets.token_hex(3)}"
        self.password = "correct horse battery"
        headers = {"Sec-Fetch-Site": "same-origin", "User-Agent": "Firefox on Linux"}
        self.client = httpx2.AsyncClient(headers=headers, timeout=20, limits=httpx2.Limits(max_connections=None))

    async def post(self, app: App, path: str, **fields: str) -> httpx2.Response:
        return await self.client.post(app.url + path, data=fields)

    async def register(self, app: App) -> Self:
        fields = {"username": self.username, "password": self.password, "display_name": self.name}
        answer = await self.post(app, "/register", **fields)
        assert answer.status_code == 303, answer.text
        return self

    async def room(self, app: App) -> str:
        """The key of a new room of theirs."""
        answer = await self.post(app, "/rooms", name=f"Room {secrets.token_hex(4)}")
        return answer.headers["location"].removeprefix("/rooms/")

    async def say(self, app: App, room: str, body: str, nonce: str = "") -> httpx2.Response:
        fields = {"body": body, "nonce": nonce or secrets.token_hex(8)}
        return await self.post(app, f"/rooms/{room}/messages", **fields)

    def page(self, room: str, *apps: App) -> LivePage:
        """The room as this person opens it while it is empty, or has it open from the beginning."""
        return LivePage(self.client, f"/rooms/{room}", *(app.url for app in apps), after=0)


class Posting:
    """People who post, one thing after the other, until they are stopped; what was acknowledged is kept."""

    def __init__(self, room: str, *places: tuple[Person, App], pause: float = 0.02, spare: App | None = None) -> None:
        self._pause, self._spare = pause, spare
        self.interrupted = 0
        self.acknowledged: list[str] = []
        self.refused: list[httpx2.Response] = []
        self.slowest = 0.0
        self._room = room
        self._is_over = False
        self._news = asyncio.Event()
        self._tasks = [asyncio.create_task(self._post(*place, word)) for word, place in enumerate(places)]

    async def _post(self, person: Person, app: App, word: int) -> None:
        number = 0
        while not self._is_over:
            number += 1
            await self._insist(person, app, f"{word}-{number}")
            await asyncio.sleep(self._pause)

    async def _insist(self, person: Person, app: App, body: str) -> None:
        """As a person does whose text was given back: send the same form again, also where the proxy leads then."""
        nonce, before = secrets.token_hex(8), time.monotonic()
        apps = [app, self._spare or app]
        while True:
            try:
                if (answer := await person.say(apps[0], self._room, body, nonce)).status_code == 303:
                    break
                self.refused.append(answer)
            except httpx2.TransportError:  # the connection broke; nobody knows whether it was stored
                self.interrupted += 1
                apps.reverse()
            await asyncio.sleep(0.1)
        self.slowest = max(self.slowest, time.monotonic() - before)
        self.acknowledged.append(body)
        self._news.set()

    async def more(self, count: int) -> None:
        """Wait until so many more have been acknowledged."""
        goal = len(self.acknowledged) + count
        async with asyncio.timeout(30):
            while len(self.acknowledged) < goal:
                self._news.clear()
                await self._news.wait()

    async def stop(self) -> None:
        self._is_over = True
        await asyncio.gather(*self._tasks)


def ends_with(body: str) -> Callable[[LivePage], bool]:
    return lambda page: page.bodies[-1:] == [body]


def has_messages(count: int) -> Callable[[LivePage], bool]:
    return lambda page: len(page.log) == count


async def holds(page: LivePage, log: dict[int, str], seconds: float = 20) -> None:
    """The page shows exactly the log, in its order, and nothing came twice."""
    await page.until(lambda page: list(page.log.items()) == list(log.items()), seconds)
    assert page.repeated == []
    assert all(before < after for before, after in pairwise(page.ids))


def status(app: App) -> str:
    return str(httpx2.get(f"{app.url}/health", timeout=5).json()["status"])


async def eventually(ready: Callable[[], bool], seconds: float, what: str) -> None:
    await asyncio.to_thread(wait_until, ready, seconds, what)


async def becomes(wanted: str, *apps: App, seconds: float) -> None:
    """Wait until the health of these processes is as wanted."""
    await eventually(lambda: all(status(app) == wanted for app in apps), seconds, f"/health says {wanted}")


def connections(pid: int, port: int) -> set[int]:
    """The ports of the clients that the process is connected to."""
    own = set[str]()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            own.add(os.readlink(file).removeprefix("socket:[").removesuffix("]"))
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    ours = (row for row in rows if row[1].endswith(f":{port:04X}") and row[9] in own)
    return {int(row[2].partition(":")[2], 16) for row in ours} - {0}


def memory(pid: int) -> float:
    """Resident memory in megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


async def open_all(stack: contextlib.AsyncExitStack, pages: list[LivePage]) -> list[LivePage]:
    return list(await asyncio.gather(*(stack.enter_async_context(page) for page in pages)))


Enter = Callable[..., Awaitable[Person]]


@pytest.fixture
async def enter() -> AsyncIterator[Enter]:
    """Lets somebody register at a process."""
    async with contextlib.AsyncExitStack() as stack:

        async def enter(app: App, name: str) -> Person:
            person = Person(name)
            await stack.enter_async_context(person.client)
            return await person.register(app)

        yield enter
