"""Whoever goes away in the middle of anything leaves nothing behind: cancelled at every step, one after the other."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest
from tortoise.transactions import in_transaction

from tests.conftest import COOKIE, STAGE, Person, bodies
from webapp import settings
from webapp.app import app as the_app
from webapp.conversations.models import Room
from webapp.db import engine, sql, transaction
from webapp.live import hub
from webapp.messages.models import new_nonce
from webapp.presence.tracker import tracker

# More steps than any of these requests takes, and for a stream, all until it waits for something to happen.
MOST_STEPS = 400
STREAM_STEPS = 40
PATIENCE_SECONDS = 40  # longer than whoever posts waits


class Stepped:
    """Awaits a coroutine; where it waits for the nth time, whoever awaits this is cancelled."""

    def __init__(self, work: Coroutine[Any, Any, Any], step: int) -> None:
        self.work, self.left = work, step

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self.work.__await__()
        sent: Any = None
        error: BaseException | None = None
        while True:
            try:
                waited_for = inner.throw(error) if error else inner.send(sent)
            except StopIteration as end:
                return end.value
            self.left -= 1
            if self.left == 0:
                task = asyncio.current_task()
                assert task
                task.cancel()
            error = None
            try:
                sent = yield waited_for
            except BaseException as raised:
                error = raised


async def cancelled(work: Coroutine[Any, Any, Any], step: int) -> bool:
    """Whether it was cancelled at that step, else it took fewer."""
    stepped = Stepped(work, step)

    async def run() -> None:
        await stepped

    async with asyncio.timeout(PATIENCE_SECONDS):
        results = await asyncio.gather(asyncio.create_task(run()), return_exceptions=True)
    if isinstance(results[0], Exception):
        raise results[0]
    return stepped.left <= 0


async def nothing_is_left() -> None:
    await transaction.drain()
    async with asyncio.timeout(5):
        while hub().readers() or tracker().streams:
            await asyncio.sleep(0)
    assert not hub().labels
    assert not hub().channels
    assert transaction.is_idle()
    async with asyncio.timeout(5):
        await asyncio.gather(*(sql.fetch_all("SELECT 1") for _ in range(engine.POOL_SIZE + 1)))
    # Others in the background (who is here, what was read) may write for a moment.
    async with asyncio.timeout(5):
        while settings.ON_SQLITE and is_locked(STAGE / "parley.sqlite3"):
            await asyncio.sleep(0.001)
        await fill_the_pool()


def is_locked(database: Path) -> bool:
    """Whether a transaction is open that writes."""
    with contextlib.closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
    return False


async def fill_the_pool() -> None:
    """Begin as many transactions at once as can be: one that was never given back would be missed."""
    size = 1 if settings.ON_SQLITE else engine.POOL_SIZE
    all_have_begun = asyncio.Barrier(size)

    async def hold() -> None:
        async with in_transaction():
            await all_have_begun.wait()

    await asyncio.gather(*(hold() for _ in range(size)))


Begin = Callable[[Person, Room], Coroutine[Any, Any, Any]]


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(lambda person, room: person.say(room, "hello", new_nonce()), id="posting"),
        pytest.param(lambda person, room: person.get(room.path), id="a room"),
        pytest.param(lambda person, room: person.get("/lobby"), id="the lobby"),
        pytest.param(lambda person, room: person.post(f"{room.path}/typing"), id="typing"),
        pytest.param(lambda person, room: person.get("/health"), id="health"),
        pytest.param(
            lambda person, room: person.post(f"{room.path}/messages/1/edit", {"body": new_nonce()}), id="editing"
        ),
    ],
)
@pytest.mark.parametrize("is_crowded", [False, True], ids=["alone", "in a crowd"])
async def test_a_request_cancelled_at_any_step_leaves_nothing_behind(
    alice: Person, room: Room, begin: Begin, is_crowded: bool
) -> None:
    await alice.say(room, "first")
    for step in range(1, MOST_STEPS):
        # Others are at it, so that there is something to wait for.
        crowd = [asyncio.create_task(alice.say(room, f"{step} {number}")) for number in range(3 if is_crowded else 0)]
        was_cancelled = await cancelled(begin(alice, room), step)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert {answer.status_code for answer in await asyncio.gather(*crowd)} <= {303}
        await nothing_is_left()
        if not was_cancelled:
            break
    print(f"\n{step} steps")
    assert 0 < step < MOST_STEPS  # on SQLite, what only reads never waits
    assert (await alice.say(room, "and all goes on")).status_code == 303
    found = await Room.get(id=room.id)
    log = await bodies(room)
    assert found.last_number == len(log), "half a message"
    assert log[-1] == "and all goes on"


async def test_a_post_that_was_cancelled_is_stored_once_when_it_is_sent_again(alice: Person, room: Room) -> None:
    for step in range(1, MOST_STEPS):
        nonce = new_nonce()
        was_cancelled = await cancelled(alice.say(room, f"message {step}", nonce), step)
        await transaction.drain()
        assert (await alice.say(room, f"message {step}", nonce)).status_code == 303
        if not was_cancelled:
            break
    assert await bodies(room) == [f"message {number}" for number in range(1, step + 1)]


@pytest.mark.parametrize("name", ["events", "live"])
async def test_a_stream_cancelled_at_any_step_leaves_nothing_behind(alice: Person, room: Room, name: str) -> None:
    await alice.say(room, "first")
    cookie = f"{COOKIE}={alice.client.cookies[COOKIE]}".encode()
    for step in range(1, STREAM_STEPS):
        scope = {
            "type": "http", "method": "GET", "path": f"{room.path}/{name}", "raw_path": b"", "query_string": b"after=0",
            "headers": [(b"host", b"localhost"), (b"cookie", cookie)], "scheme": "http", "http_version": "1.1",
            "client": ("127.0.0.1", 5000), "server": ("localhost", 80), "root_path": "",
        }  # fmt: skip

        async def receive() -> Any:
            await asyncio.get_running_loop().create_future()

        async def send(message: Any) -> None:
            await asyncio.sleep(0)

        async def stream(scope: Any = scope, receive: Any = receive, send: Any = send) -> None:
            async with asyncio.timeout(0.3):  # it waits for what comes next: the page closes
                await the_app(scope, receive, send)

        try:
            await cancelled(stream(), step)
        except TimeoutError:
            break
        finally:
            await nothing_is_left()
    print(f"\n{step} steps")
    assert 1 < step < STREAM_STEPS
