"""Many readers at once: all come back together, one more than there is room for, and all are sent home."""

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from tests.faults.harness import figures, lines
from tests.live_page import session_cookie
from tests.server_people import SETTINGS, Person, becomes
from tests.servers import App

CROWD = 20
MANY = [500, *(pytest.param(count, marks=pytest.mark.slow) for count in (2000, 5000))]
MOST_SECONDS_FOR_A_POST = 10.0


@contextlib.asynccontextmanager
async def crowd(app: App) -> AsyncIterator[list[Person]]:
    """So many people that no session has an unusual number of streams."""
    async with contextlib.AsyncExitStack() as stack:
        people = [Person(f"Person{number}") for number in range(CROWD)]
        for person in people:
            await stack.enter_async_context(person.client)
            await person.register(app)
        yield people


class Reader:
    """An open page that costs the tester little: it keeps the ids, and comes back after a while of its own."""

    def __init__(self, app: App, room: str, person: Person, after: int) -> None:
        self.ids, self.connections, self.farewells = [after], 0, 0
        self._path, self._port, self._cookie = f"/rooms/{room}/events", app.port, session_cookie(person.client)
        self.task = asyncio.create_task(self._stay())

    async def _stay(self) -> None:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._connect()
            await asyncio.sleep(random.uniform(0.3, 1.3))

    async def _connect(self) -> None:
        reading, writing = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writing.write(
                f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {self._cookie}\r\n"
                f"Last-Event-ID: {self.ids[-1]}\r\n\r\n".encode()
            )
            if b" 200 " not in await reading.readline():
                return
            self.connections += 1
            while line := await reading.readline():
                if line.startswith(b"id: "):
                    self.ids.append(int(line[4:]))
                self.farewells += line.startswith(b"event: farewell")
        finally:
            writing.close()


@contextlib.asynccontextmanager
async def readers(app: App, room: str, people: list[Person], count: int, after: int) -> AsyncIterator[list[Reader]]:
    found = [Reader(app, room, people[number % CROWD], after) for number in range(count)]
    try:
        yield found
    finally:
        for reader in found:
            reader.task.cancel()
        await asyncio.gather(*(reader.task for reader in found), return_exceptions=True)


async def hold(found: list[Reader], version: int, seconds: float = 300) -> None:
    async with asyncio.timeout(seconds):
        while not all(reader.ids[-1] >= version for reader in found):
            await asyncio.sleep(0.02)
    for reader in found:
        assert all(before < after for before, after in pairwise(reader.ids))


@pytest.mark.parametrize("count", MANY)
async def test_while_all_come_back_at_once_posts_are_answered(count: int) -> None:
    with App(SETTINGS) as app:
        async with crowd(app) as people:
            room = await people[0].room(app)
            await people[0].say(app, room, "first")
            async with readers(app, room, people, count, after=0) as found:
                await hold(found, 1)
                app.kill()
                await asyncio.to_thread(app.start)
                begun, delays, version = time.monotonic(), list[float](), 1
                while not all(reader.connections == 2 for reader in found):
                    before = time.monotonic()
                    assert (await people[1].say(app, room, f"message {version}")).status_code == 303
                    version += 1
                    delays.append(time.monotonic() - before)
                    assert before - begun < 300
                    await asyncio.sleep(0.05)
                back = time.monotonic() - begun
                await hold(found, version)
                now = figures(app)
                delays.sort()
                print(
                    f"\n{count} readers were back {back:.1f} s after the start; {len(delays)} posts meanwhile: "
                    f"median {delays[len(delays) // 2] * 1000:.0f} ms, worst {delays[-1] * 1000:.0f} ms; "
                    f"{now['parley_log_reads_total']:.0f} readings of the log for {now['parley_resumes_total']:.0f} "
                    f"resumes; {now['process_resident_memory_bytes'] / 2**20:.0f} MB"
                )
                assert delays[-1] < MOST_SECONDS_FOR_A_POST
                assert now["parley_log_reads_total"] < count / 4, "one reading for each"
        assert lines(app) == []


@pytest.mark.parametrize("count", MANY[:2])
async def test_a_server_that_stops_ends_all_streams_within_five_seconds(count: int) -> None:
    with App(SETTINGS) as app:
        async with crowd(app) as people:
            room = await people[0].room(app)
            await people[0].say(app, room, "first")
            async with readers(app, room, people, count, after=0) as found:
                await hold(found, 1)
                before = time.monotonic()
                await asyncio.to_thread(app.terminate)
                took = time.monotonic() - before
                await asyncio.sleep(0.3)
                farewells = sum(reader.farewells for reader in found)
                print(f"\nleft after {took:.1f} s; {farewells} of {count} were told farewell")
                assert took < 5.5
                assert farewells == count
        assert lines(app) == []


async def test_a_stream_past_the_limit_gets_a_retry_time() -> None:
    with App(SETTINGS | {"MAX_STREAMS": "10"}) as app:
        async with crowd(app) as people:
            room = await people[0].room(app)
            await people[0].say(app, room, "first")
            async with readers(app, room, people, 10, after=0) as found:
                await hold(found, 1)
                refused = [await people[1].client.get(f"{app.url}/rooms/{room}/{name}") for name in ("events", "live")]
                for answer in refused:
                    assert answer.status_code == 503
                    assert 5 <= int(answer.headers["retry-after"]) <= 20
                # All else goes on.
                assert (await people[1].say(app, room, "second")).status_code == 303
                await hold(found, 2)
                await becomes("ok", app, seconds=2)
            async with asyncio.timeout(5):
                while figures(app)['parley_streams{kind="sse"}']:
                    await asyncio.sleep(0.02)
            async with readers(app, room, people, 10, after=0) as found:
                await hold(found, 2)
        full, empty = lines(app)
        assert "as many streams are open as MAX_STREAMS allows" in full
        assert "there is room for streams again" in empty


class Hasty(App):
    """Waits for nobody when it leaves, as a machine does that is too busy to be done within five seconds."""

    def start(self) -> None:
        program = (
            "import asyncio, uvicorn; from webapp.db import migrate as schema; asyncio.run(schema.migrate()); "
            f"uvicorn.run('webapp.app:app', port={self.port}, timeout_graceful_shutdown=0, log_level='warning')"
        )
        self.start_process(sys.executable, "-c", program, env=self.env)
        self.wait_until_ready(self.is_healthy, 20)


async def test_streams_that_are_cut_off_at_the_end_are_one_line_in_the_log() -> None:
    with Hasty(SETTINGS) as app:
        async with crowd(app) as people:
            room = await people[0].room(app)
            await people[0].say(app, room, "first")
            async with readers(app, room, people, 60, after=0) as found:
                await hold(found, 1)
                await asyncio.to_thread(app.terminate)
        said = app.log.read_text()
        assert "Traceback" not in said
        assert said.count("ERROR") <= 1
