"""People post and read while something breaks: what was acknowledged, stored and shown, and how soon all is well."""

import asyncio
import contextlib
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Self

import httpx2

from tests.live_page import LivePage
from tests.server_people import SETTINGS, Pair, Person, Posting, open_all, status
from tests.servers import App, Postgres, Redis

HEAL_SECONDS = 30.0


class Single:
    """One process on SQLite."""

    name = "one process, SQLite"

    def __init__(self) -> None:
        self.apps: tuple[App, ...] = (App(SETTINGS),)

    def __enter__(self) -> Self:
        self.apps[0].__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.apps[0].stop()

    async def log(self, room: str) -> dict[int, str]:
        with closing(sqlite3.connect(self.apps[0].folder / "data/parley.sqlite3")) as database:
            query = "SELECT number, body FROM message JOIN room ON room.id = room_id WHERE key = ? ORDER BY number"
            return dict(database.execute(query, [room]))


class Double:
    """Two processes on PostgreSQL and Redis, all of which may be harmed."""

    name = "two processes, PostgreSQL and Redis"

    def __init__(self, postgres: Postgres | None = None) -> None:
        self.redis, self.postgres = Redis(), postgres or Postgres(is_durable=True)
        self._is_ours = postgres is None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.redis).start()
            if self._is_ours:
                stack.enter_context(self.postgres).start()
            self.pair = stack.enter_context(Pair(self.postgres.create(), self.redis))
            self.apps: tuple[App, ...] = self.pair.both
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    async def log(self, room: str) -> dict[int, str]:
        return await self.pair.log(room)


Site = Single | Double


@dataclass
class Fault:
    """`happen` harms, waits, and mends; when it returns, healing begins."""

    name: str
    happen: Callable[[Site], Awaitable[None]]
    # What every process that saw it must have said, once.
    line: str = ""
    is_long: bool = False


@dataclass
class Outcome:
    acknowledged: int = 0
    refused: set[int] = field(default_factory=set)
    interrupted: int = 0
    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    disordered: int = 0
    healed_after: float = 0.0

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.repeated or self.disordered)


async def observe(site: Site, fault: Fault) -> Outcome:
    """One fault while four people post and four pages read."""
    first, last = site.apps[0], site.apps[-1]
    said = [len(app.log.read_text(errors="replace")) for app in site.apps]
    async with contextlib.AsyncExitStack() as stack:
        people = [Person(f"Person{number}") for number in range(4)]
        for person in people:
            await stack.enter_async_context(person.client)
            await person.register(first)
        room = await people[0].room(first)
        places = [(first, last), (last, first)]
        pages = await open_all(stack, [person.page(room, *places[number % 2]) for number, person in enumerate(people)])
        posting = Posting(
            room,
            *((person, places[number % 2][0]) for number, person in enumerate(people)),
            pause=0.05,
            spare=last if len(site.apps) > 1 else None,
        )
        stack.push_async_callback(posting.stop)  # also when this fails in the middle
        await posting.more(20)
        await fault.happen(site)
        mended_at = time.monotonic()
        await _heals(site, people[0], room, pages)
        outcome = Outcome(healed_after=time.monotonic() - mended_at)
        await posting.more(20)
        await posting.stop()
        await _judge(outcome, await site.log(room), posting, pages)
    for app, before in zip(site.apps, said, strict=True):
        _read_log(app.log.read_text(errors="replace")[before:], fault)
    return outcome


async def _heals(site: Site, person: Person, room: str, pages: list[LivePage]) -> None:
    """Until every process takes a post, every page shows it, and every process says that all is well."""
    async with asyncio.timeout(HEAL_SECONDS):
        for number, app in enumerate(site.apps):
            await _insist(lambda app=app, number=number: person.say(app, room, f"healed {number}", f"healed{number}"))  # type: ignore[misc]
            for page in pages:
                await page.until(lambda page, number=number: f"healed {number}" in page.bodies, HEAL_SECONDS)  # type: ignore[misc]
        while not all([await is_well(app) for app in site.apps]):
            await asyncio.sleep(0.05)


async def is_well(app: App) -> bool:
    try:
        return await asyncio.to_thread(status, app) == "ok"
    except httpx2.TransportError:
        return False


async def _insist(post: Callable[[], Awaitable[httpx2.Response]]) -> None:
    while True:
        with contextlib.suppress(httpx2.TransportError):
            if (await post()).status_code == 303:
                return
        await asyncio.sleep(0.05)


async def _judge(outcome: Outcome, log: dict[int, str], posting: Posting, pages: list[LivePage]) -> None:
    stored = [body for body in log.values() if not body.startswith("healed")]
    with contextlib.suppress(AssertionError):  # whether they do is counted below
        for page in pages:
            await page.until(lambda page: list(page.log.items()) == list(log.items()), 10)
    outcome.acknowledged = len(posting.acknowledged)
    outcome.refused = {answer.status_code for answer in posting.refused}
    outcome.interrupted = posting.interrupted
    outcome.lost = [body for body in posting.acknowledged if body not in stored]
    outcome.repeated = [body for body in set(stored) if stored.count(body) > 1]
    outcome.disordered += list(log) != list(range(1, len(log) + 1))
    for page in pages:
        outcome.lost += [body for body in log.values() if body not in page.bodies]
        outcome.repeated += [str(number) for number in page.repeated]
        outcome.disordered += sum(after < before for before, after in zip(page.log, list(page.log)[1:], strict=False))
        outcome.disordered += sum(after <= before for before, after in zip(page.ids, page.ids[1:], strict=False))


def _read_log(said: str, fault: Fault) -> None:
    for wrong in ("Traceback", "Exception", "never retrieved"):
        assert wrong not in said, said
    if fault.line:
        assert said.count(fault.line) <= 1, f"more than one line for one fault:\n{said}"


# What may break.


async def gone_for(server: Redis | App, seconds: float) -> None:
    server.kill()
    await asyncio.sleep(seconds)
    await asyncio.to_thread(server.start)


@contextlib.asynccontextmanager
async def frozen(server: Redis | App) -> AsyncIterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


async def says(site: Site, wanted: str, seconds: float = 15.0) -> None:
    """Every process must say so in /health, and within so many seconds."""
    async with asyncio.timeout(seconds):
        while {await asyncio.to_thread(status, app) for app in site.apps} != {wanted}:
            await asyncio.sleep(0.05)


def figures(app: App) -> dict[str, float]:
    """What /metrics says."""
    lines = httpx2.get(f"{app.url}/metrics", timeout=5).text.splitlines()
    rows = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def lines(app: App, level: str = "ERROR|WARNING") -> list[str]:
    return re.findall(rf"(?m)^[\d-]+ [\d:,]+ (?:{level}) .*$", app.log.read_text(errors="replace"))


def table(rows: dict[tuple[str, str], list[Outcome]]) -> Iterator[str]:
    yield "| fault | set-up | posts acknowledged | lost | repeated | out of order | healed after, median | worst |"
    yield "|---|---|---|---|---|---|---|---|"
    for (fault, site), outcomes in rows.items():
        times = sorted(outcome.healed_after for outcome in outcomes)
        counts = (
            sum(outcome.acknowledged for outcome in outcomes),
            sum(len(outcome.lost) for outcome in outcomes),
            sum(len(outcome.repeated) for outcome in outcomes),
            sum(outcome.disordered for outcome in outcomes),
        )
        shown = " | ".join(f"{count:,}" for count in counts)
        yield f"| {fault} | {site} | {shown} | {times[len(times) // 2]:.2f} s | {times[-1]:.2f} s |"
