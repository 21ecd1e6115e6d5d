"""The three ways to read: in the event loop, in a thread, within a time limit; and what a transaction sees of them."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest
from tortoise.exceptions import OperationalError

from tests.conftest import Person
from webapp import settings
from webapp.conversations.models import Room
from webapp.db import postgresql, readers, sql, sqlite, transaction
from webapp.messages.models import Message

MESSAGES, PAGES = 200_000, 20
ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
SCAN = "SELECT count(*) AS n FROM message WHERE html LIKE ?"


async def write_messages(room: Room) -> None:
    await sql.execute(
        "INSERT INTO message (room_id, number, posted_version, version, body, html, continues, opens_day, created_at) "
        f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MESSAGES}) "
        "SELECT ?, i, i, i, 'words', '<p>words</p>', FALSE, FALSE, '2026-01-01 00:00:00+00:00' FROM n",
        room.id,
    )
    await sql.execute(f"UPDATE room SET version = {MESSAGES}, last_number = {MESSAGES} WHERE id = ?", room.id)


async def fetched() -> int:
    return int((await sql.fetch_all(SCAN, "%else%"))[0]["n"])


async def fetched_within_limit() -> int:
    return int((await sql.fetch_limited(SCAN, "%else%", seconds=60))[0]["n"])


async def counted() -> int:
    return await Message.filter(html__contains="else").count()


class Brake:
    """Stops the first query that takes a while, wherever it runs, until `release`."""

    def __init__(self) -> None:
        self.loop, self.has_stopped = asyncio.get_running_loop(), asyncio.Event()
        self.thread: threading.Thread | None = None
        self._may_go_on = threading.Event()

    def check(self, _: readers.Deadline) -> bool:
        if self.thread is None:
            self.thread = threading.current_thread()
            self.loop.call_soon_threadsafe(self.has_stopped.set)
            if self.thread is not threading.main_thread():
                self._may_go_on.wait(60)
        return False

    def release(self) -> None:
        self._may_go_on.set()


@pytest.mark.sqlite
@pytest.mark.parametrize("scan", [fetched, fetched_within_limit, counted])
async def test_no_page_waits_for_a_scan_of_all_messages(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch, scan: Callable[[], Awaitable[int]]
) -> None:
    await write_messages(room)
    brake = Brake()
    monkeypatch.setattr(readers.Deadline, "is_over", property(brake.check))
    scanning = asyncio.ensure_future(scan())
    async with asyncio.timeout(30):
        await brake.has_stopped.wait()
        assert brake.thread is not threading.main_thread()
        for _ in range(PAGES):
            assert "words" in (await alice.get(room.path)).text
        assert (await alice.say(room, "something")).status_code == 303
        assert not scanning.done()
        brake.release()
        assert await scanning == 0


@pytest.mark.sqlite
async def test_a_slow_query_of_the_event_loop_is_repeated_in_a_thread(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write_messages(room)
    threads = []

    def is_over(_: readers.Deadline) -> bool:
        threads.append(threading.current_thread())
        return threading.current_thread() is threading.main_thread()

    monkeypatch.setattr(readers.Deadline, "is_over", property(is_over))
    assert (await sql.fetch_inline(SCAN, "%word%"))[0]["n"] == MESSAGES
    assert threads[0] is threading.main_thread()
    assert threading.main_thread() not in threads[1:]


async def test_a_query_is_interrupted_when_its_time_is_up(app: object) -> None:
    with pytest.raises(TimeoutError):
        await sql.fetch_limited(ENDLESS, seconds=0.05)
    assert (await sql.fetch_limited("SELECT 1 AS n", seconds=5))[0]["n"] == 1


@pytest.mark.sqlite
async def test_a_full_text_query_is_interrupted_too_though_it_is_one_instruction(app: object) -> None:
    await sql.execute("CREATE VIRTUAL TABLE every_word USING fts5(words, columnsize=0)")
    numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)"
    await sql.execute(f"INSERT INTO every_word (words) {numbers} SELECT 'all w' || (i % 300) FROM n")
    # Each row is compared with all of them: some ten million steps, which SQLite counts as one.
    query = f"({' OR '.join(f'w{number}' for number in range(300))}) NOT all"
    find = "SELECT rowid FROM every_word WHERE every_word MATCH ?"
    with pytest.raises(TimeoutError):
        await sql.fetch_limited(find, query, seconds=0.005)
    assert (await sql.fetch_limited(find, "w7", seconds=5))[0]["rowid"] == 7


async def test_who_gets_no_turn_to_ask_what_may_take_long_has_waited_too_long(
    app: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody else waits meanwhile."""
    count = sqlite.LIMITED_READERS
    assert count == postgresql.LIMITED_CONNECTIONS
    async with asyncio.timeout(30):
        taking = [asyncio.ensure_future(sql.fetch_limited(ENDLESS, seconds=25)) for _ in range(count)]
        await asyncio.sleep(0)
        monkeypatch.setattr(readers, "TURN_SECONDS", 0.05)
        with pytest.raises(TimeoutError):
            await sql.fetch_limited("SELECT 1 AS n", seconds=5)
        assert (await sql.fetch_all("SELECT 1 AS n"))[0]["n"] == 1
        for task in taking:
            task.cancel()
        await asyncio.gather(*taking, return_exceptions=True)
        monkeypatch.setattr(readers, "TURN_SECONDS", 20)
        assert (await sql.fetch_limited("SELECT 1 AS n", seconds=5))[0]["n"] == 1


async def test_the_database_itself_ends_what_takes_long_and_lets_it_read_alone(app: object) -> None:
    """PostgreSQL, with a plan for these values; what SQLite is told does not end with the query."""
    if settings.ON_SQLITE:
        assert (await sql.fetch_limited("PRAGMA query_only", seconds=2))[0][0] == 1
        return
    names = "statement_timeout", "transaction_read_only", "plan_cache_mode"
    asked = ", ".join(f"current_setting('{name}')" for name in names)
    assert list((await sql.fetch_limited(f"SELECT {asked}", seconds=2))[0]) == ["2s", "on", "force_custom_plan"]
    assert list((await sql.fetch_all(f"SELECT {asked}"))[0]) == ["0", "off", "auto"]


@pytest.mark.sqlite
async def test_cancelled_queries_free_their_readers(app: object) -> None:
    async with asyncio.timeout(30):
        for _ in range(sqlite.READERS + 1):
            reading = [asyncio.ensure_future(sql.fetch_all(ENDLESS)) for _ in range(sqlite.READERS)]
            await asyncio.sleep(0)
            assert [row["n"] for row in await sql.fetch_inline("SELECT 1 AS n")] == [1]
            for task in reading:
                task.cancel()
            endings = await asyncio.gather(*reading, return_exceptions=True)
            assert {type(ending) for ending in endings} == {asyncio.CancelledError}
        assert (await sql.fetch_all("SELECT 1 AS n"))[0]["n"] == 1


async def test_a_transaction_reads_what_it_has_written_and_others_what_is_committed(alice: Person, room: Room) -> None:
    find, has_written, may_commit = "SELECT topic FROM room WHERE id = ?", asyncio.Event(), asyncio.Event()

    async def write() -> None:
        written = await sql.execute("UPDATE room SET topic = ? WHERE id = ? RETURNING topic", "new", room.id)
        found = [written, await sql.fetch_inline(find, room.id), await sql.fetch_all(find, room.id)]
        assert [row["topic"] for rows in found for row in rows] == ["new"] * 3
        assert (await Room.get(id=room.id)).topic == "new"
        has_written.set()
        await may_commit.wait()

    async def topics() -> set[str]:
        found = [await sql.fetch_inline(find, room.id), await sql.fetch_all(find, room.id)]
        found.append(await sql.fetch_limited(find, room.id, seconds=5))
        return {row["topic"] for rows in found for row in rows} | {(await Room.get(id=room.id)).topic}

    writing = asyncio.ensure_future(transaction.transact(write))
    async with asyncio.timeout(30):
        await has_written.wait()
        assert await topics() == {"What goes with what"}
        may_commit.set()
        await writing
        assert await topics() == {"new"}


async def test_a_row_is_read_by_name_and_in_order(app: object) -> None:
    [row] = await sql.fetch_all("SELECT 7 AS one, ? AS two", "words")
    assert (row["one"], row[1], list(row), dict(row)) == (7, "words", [7, "words"], {"one": 7, "two": "words"})


@pytest.mark.sqlite
@pytest.mark.parametrize("fetch", [sql.fetch_inline, sql.fetch_all])
async def test_reading_pages_writes_nothing(app: object, room: Room, fetch: Callable[..., Awaitable[object]]) -> None:
    with pytest.raises(OperationalError):
        await fetch("UPDATE room SET topic = 'written'")
    assert settings.ON_SQLITE
    assert (await Room.get(id=room.id)).topic == "What goes with what"


@pytest.fixture
def unknown_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of what the adapters know by heart."""
    monkeypatch.setattr(sqlite, "problem", lambda: "unknown")
    monkeypatch.setattr(postgresql, "problem", lambda: "unknown")


async def test_with_another_version_of_the_library_everything_goes_its_plain_way(
    unknown_library: None, caplog: pytest.LogCaptureFixture, alice: Person, bob: Person, room: Room
) -> None:
    assert type(sql.connection()) is not sqlite.Client
    assert "unknown" in [record.getMessage() for record in caplog.get_records("setup")]
    assert (await alice.say(room, "posted all the same")).status_code == 303
    assert "posted all the same" in (await bob.get(room.path)).text
    assert (await sql.fetch_limited("SELECT count(*) AS n FROM message", seconds=5))[0]["n"] == 1
    assert [row["topic"] for row in await sql.execute("UPDATE room SET topic = 'new' RETURNING topic")] == ["new"]


def test_the_installed_versions_are_the_ones_that_the_adapters_know() -> None:
    assert sqlite.problem() is None
    assert postgresql.problem() is None
