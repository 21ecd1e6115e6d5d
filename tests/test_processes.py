"""Several processes are one server: what happens at one is seen at the other, whatever breaks between them."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.harness import figures
from tests.live_page import LivePage
from tests.server_people import (
    SETTINGS,
    SLACK,
    Enter,
    Pair,
    Posting,
    becomes,
    connections,
    ends_with,
    eventually,
    holds,
    open_all,
    status,
)
from tests.servers import App, Postgres, Redis
from webapp.presence.queries import LEASE_SECONDS


@pytest.fixture(scope="module")
def pair(postgres_server: Postgres) -> Iterator[Pair]:
    """Two processes and a Redis that may be harmed, if it is mended afterwards."""
    with Redis() as redis:
        redis.start()
        with Pair(postgres_server.create(), redis) as pair:
            yield pair


# Everything works across processes.


async def test_what_is_posted_edited_and_removed_at_one_is_seen_at_both(pair: Pair, enter: Enter) -> None:
    alice = await enter(pair.one, "Alice")
    room = await alice.room(pair.one)
    delays = []
    async with alice.page(room, pair.one) as here, alice.page(room, pair.other) as there:
        for count in range(1, 21):
            before = time.monotonic()
            await alice.say(pair.one, room, f"message {count}")
            await there.until(ends_with(f"message {count}"))
            delays.append(time.monotonic() - before)
        print(f"\nposted at one, seen at the other: median {statistics.median(delays) * 1000:.1f} ms")

        await alice.post(pair.one, f"/rooms/{room}/messages/7/edit", body="other words")
        await alice.post(pair.other, f"/rooms/{room}/messages/8/remove")
        for page in (here, there):
            await page.until(lambda page: page.log.get(7) == "other words" and page.log.get(8) == "Removed")
            expected = {number: f"message {number}" for number in range(1, 21)} | {7: "other words", 8: "Removed"}
            await holds(page, expected)


async def test_what_is_posted_is_shown_at_both_without_asking_the_database(pair: Pair, enter: Enter) -> None:
    alice = await enter(pair.one, "Alice")
    room = await alice.room(pair.one)
    async with alice.page(room, pair.one) as here, alice.page(room, pair.other) as there:
        await alice.say(pair.one, room, "first")
        for page in (here, there):
            await page.until(ends_with("first"))
        before = [figures(app)["parley_log_reads_total"] for app in pair.both]
        for count in range(20):
            await alice.say(pair.both[count % 2], room, f"message {count}")
            for page in (here, there):
                await page.until(ends_with(f"message {count}"))
        reads = [figures(app)["parley_log_reads_total"] - old for app, old in zip(pair.both, before, strict=True)]
    print(f"\nreadings of the log for 20 posts, at each process: {reads}")
    # A heartbeat may find a version whose ring is on its way.
    assert max(reads) <= 2


async def test_people_at_both_are_here_and_a_topic_reaches_both(pair: Pair, enter: Enter) -> None:
    alice, bob = await enter(pair.one, "Alice"), await enter(pair.other, "Bob")
    room = await alice.room(pair.one)
    async with alice.page(room, pair.one) as here, bob.page(room, pair.other) as there:
        for page in (here, there):
            await page.until(lambda page: page.people == ["Alice", "Bob"])
        await alice.post(pair.one, f"/rooms/{room}/settings", do="topic", topic="What goes with tea")
        for page in (here, there):
            await page.until(lambda page: "What goes with tea" in page.topic)


async def test_signing_out_at_one_ends_the_stream_at_the_other(pair: Pair, enter: Enter) -> None:
    alice = await enter(pair.one, "Alice")
    room = await alice.room(pair.one)
    async with alice.page(room, pair.other) as page:
        await alice.post(pair.one, "/logout")
        await page.until(lambda page: "signed out" in page.ended, 1)


async def test_one_who_is_removed_or_banned_at_one_loses_the_stream_at_the_other_alone(
    pair: Pair, enter: Enter
) -> None:
    alice, bob = await enter(pair.one, "Alice"), await enter(pair.other, "Bob")
    room = await alice.room(pair.one)
    await bob.post(pair.other, f"/rooms/{room}/join")
    code = (await bob.client.get(f"{pair.one.url}/me.css")).text
    async with alice.page(room, pair.other) as hers, bob.page(room, pair.other) as his:
        people = (await alice.client.get(f"{pair.one.url}/rooms/{room}/people")).text
        who = next(part[:9] for part in people.split(f'action="/rooms/{room}/people/')[1:])
        assert who in code
        async with bob.page(room, pair.other) as removed:
            await alice.post(pair.one, f"/rooms/{room}/people/{who}", act="remove")
            await removed.until(lambda page: "removed from this room" in page.ended, 1)
            await his.until(lambda page: "removed from this room" in page.ended, 1)
        await bob.post(pair.other, f"/rooms/{room}/join")
    async with alice.page(room, pair.other) as hers, bob.page(room, pair.other) as his:
        await alice.post(pair.one, f"/rooms/{room}/settings", do="kick", who=who, minutes="10")
        await his.until(lambda page: "banned from this room" in page.ended, 1)
        await alice.say(pair.one, room, "Now we are among ourselves")
        await hers.until(lambda page: page.bodies == ["Now we are among ourselves"])


async def test_a_ban_at_one_process_ends_everything_at_the_other(pair: Pair, enter: Enter) -> None:
    alice, bob, ada = await enter(pair.one, "Alice"), await enter(pair.other, "Bob"), await enter(pair.one, "Ada")
    await pair.execute('UPDATE "user" SET is_admin = true WHERE username = $1', ada.username)
    room = await alice.room(pair.one)
    await bob.say(pair.other, room, "Rude words")
    await alice.post(pair.one, "/report", about=f"message:{room}:1", reason="insult")
    queue = (await ada.client.get(f"{pair.one.url}/moderation")).text
    report = queue.split('href="/moderation/reports/')[1].partition('"')[0]
    async with alice.page(room, pair.other) as hers, bob.page(room, pair.other) as his:
        answer = await ada.post(pair.one, f"/moderation/reports/{report}", do="ban", told="Enough.")
        assert answer.status_code == 303
        await his.until(lambda page: "ended your access" in page.ended, 1)
        told = await bob.client.get(f"{pair.other.url}/rooms/{room}")
        assert told.status_code == 403
        assert "Enough." in told.text
        await alice.say(pair.one, room, "Quiet again")
        await hers.until(lambda page: page.bodies[-1:] == ["Quiet again"])


async def test_a_room_that_is_deleted_at_one_ends_its_streams_at_the_other(pair: Pair, enter: Enter) -> None:
    alice = await enter(pair.one, "Alice")
    room = await alice.room(pair.one)
    name = room.replace("-", " ")
    async with alice.page(room, pair.other) as page:
        answer = await alice.post(pair.one, f"/rooms/{room}/settings", do="delete", name=name)
        assert answer.headers["location"] == "/lobby"
        await page.until(lambda page: "deleted" in page.ended, 1)


async def test_how_often_is_counted_for_both_together(pair: Pair, enter: Enter) -> None:
    alice = await enter(pair.one, "Alice")
    await alice.post(pair.one, "/logout")
    tries = [pair.one, pair.other, pair.other, pair.one, pair.other, pair.one]
    answers = [await alice.post(app, "/login", username=alice.username, password="wrong") for app in tries]
    assert [answer.status_code for answer in answers] == [422, 422, 422, 422, 429, 429]


# What is between them breaks.


async def test_while_redis_is_dead_the_other_process_shows_everything_a_little_later(pair: Pair, enter: Enter) -> None:
    await goes_on_without_redis(pair, enter, pair.redis.kill, pair.redis.start)


async def test_while_redis_is_frozen_the_other_process_shows_everything_a_little_later(
    pair: Pair, enter: Enter
) -> None:
    await goes_on_without_redis(pair, enter, pair.redis.freeze, pair.redis.thaw)


async def goes_on_without_redis(pair: Pair, enter: Enter, harm: Callable[[], None], mend: Callable[[], None]) -> None:
    alice, bob = await enter(pair.one, "Alice"), await enter(pair.other, "Bob")
    leaving = await enter(pair.one, "Carol")
    room = await alice.room(pair.one)
    logs_before = [app.log.read_text() for app in pair.both]
    async with (
        alice.page(room, pair.one) as here,
        alice.page(room, pair.other) as there,
        leaving.page(room, pair.other) as hers,
    ):
        posting = Posting(room, (alice, pair.one), (bob, pair.other))
        await posting.more(20)
        harm()
        try:
            harmed_at, done = time.monotonic(), len(posting.acknowledged)
            await becomes("degraded", *pair.both, seconds=3 + SLACK)
            print(f"\nnoticed after {time.monotonic() - harmed_at:.1f} s")
            before = time.monotonic()
            await leaving.post(pair.one, "/logout")
            await hers.until(lambda page: "signed out" in page.ended, 3 + SLACK)
            print(f"signed out at one, ended at the other after {time.monotonic() - before:.1f} s")
            await asyncio.sleep(max(0, harmed_at + 3 - time.monotonic()))
            posted = len(posting.acknowledged) - done
            print(f"{posted} posted meanwhile, the slowest took {posting.slowest:.2f} s")
            assert posted >= 10
        finally:
            await asyncio.to_thread(mend)
        await becomes("ok", *pair.both, seconds=10)
        await posting.more(20)
        await posting.stop()
        log = await pair.log(room)
        assert sorted(log.values()) == sorted(posting.acknowledged)
        for page in (here, there):
            await holds(page, log)
            assert page.connections == 1
    for app, log_before in zip(pair.both, logs_before, strict=True):
        written = app.log.read_text().removeprefix(log_before)
        assert written.count("the link to Redis is gone") == 1
        assert "Traceback" not in written


async def test_redis_may_come_after_the_processes(postgres_server: Postgres, enter: Enter) -> None:
    with Redis() as redis, Pair(postgres_server.create(), redis) as pair:
        await becomes("degraded", *pair.both, seconds=5)
        alice = await enter(pair.one, "Alice")
        room = await alice.room(pair.one)
        async with alice.page(room, pair.other) as there:
            await alice.say(pair.one, room, "without")
            await there.until(lambda page: page.bodies == ["without"])
            await asyncio.to_thread(redis.start)
            await becomes("ok", *pair.both, seconds=8)
            await alice.say(pair.one, room, "with")
            await holds(there, {1: "without", 2: "with"}, 1)
        for app in pair.both:
            assert "Traceback" not in app.log.read_text()


# A process goes.


async def test_after_a_process_was_killed_its_readers_go_on_at_the_other(
    postgres_server: Postgres, redis_server: Redis, enter: Enter
) -> None:
    with Pair(postgres_server.create(), redis_server) as pair:
        alice, bob = await enter(pair.one, "Alice"), await enter(pair.other, "Bob")
        igor = await enter(pair.one, "Igor")
        room = await alice.room(pair.one)
        async with (
            contextlib.AsyncExitStack() as stack,
            bob.page(room, pair.other) as there,
            igor.page(room, pair.one),
        ):
            moved = await open_all(stack, [alice.page(room, pair.one, pair.other) for _ in range(10)])
            await there.until(lambda page: page.people == ["Alice", "Bob", "Igor"])
            posting = Posting(room, (bob, pair.other), (bob, pair.other))
            await posting.more(30)
            pair.one.kill()
            killed_at = time.monotonic()
            await posting.more(50)
            await posting.stop()
            log = await pair.log(room)
            for page in (there, *moved):
                await holds(page, log)
            assert all(page.connections == 2 for page in moved)
            # Igor had nowhere to go; Alice is here all the time.
            await there.until(lambda page: page.people == ["Alice", "Bob"], LEASE_SECONDS + 10)
            print(f"\nthe people of a dead process were gone after {time.monotonic() - killed_at:.1f} s")
        assert "Traceback" not in pair.other.log.read_text()


async def test_sigterm_sends_farewells_and_ends_the_process_soon(
    postgres_server: Postgres, redis_server: Redis, enter: Enter
) -> None:
    with Pair(postgres_server.create(), redis_server) as pair:
        alice = await enter(pair.one, "Alice")
        room = await alice.room(pair.one)
        async with contextlib.AsyncExitStack() as stack:
            pages = await open_all(stack, [alice.page(room, pair.one, pair.other) for _ in range(50)])
            before = time.monotonic()
            await asyncio.to_thread(pair.one.terminate)
            took = time.monotonic() - before
            print(f"\nleft after {took:.1f} s with 50 streams")
            assert took < 20
            for page in pages:
                assert page.events[-1].name == "farewell"
                assert page.retry
            assert len({page.retry for page in pages}) > 25
            await alice.say(pair.other, room, "Here we are again")
            for page in pages:
                await holds(page, {1: "Here we are again"})
        assert "Traceback" not in pair.one.log.read_text()
        assert "Exception" not in pair.one.log.read_text()


# The database goes.


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL that may be harmed, if it is mended afterwards."""
    with Postgres() as postgres:
        postgres.start()
        yield postgres


@pytest.fixture
def away(own_postgres: Postgres) -> Iterator[tuple[App, Callable[[], None]]]:
    """A process, and what takes its database away."""
    with App(SETTINGS | {"DATABASE_URL": own_postgres.create()}) as app:
        yield app, own_postgres.kill
        own_postgres.start()


async def test_a_post_that_finds_no_database_is_given_back(away: tuple[App, Callable[[], None]], enter: Enter) -> None:
    app, take_database = away
    alice = await enter(app, "Alice")
    room = await alice.room(app)
    take_database()
    await becomes("down", app, seconds=5)
    answer = await alice.say(app, room, "It took me long to find these words")
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert "It took me long to find these words" in answer.text


async def test_streams_that_end_while_the_database_is_away_do_not_fill_the_log(
    away: tuple[App, Callable[[], None]], enter: Enter
) -> None:
    app, take_database = away
    alice = await enter(app, "Alice")
    room = await alice.room(app)
    async with contextlib.AsyncExitStack() as stack:
        await open_all(stack, [alice.page(room, app) for _ in range(10)])
        take_database()
    await alice.client.aclose()
    await eventually(lambda: not connections(app.pid, app.port), 5, "every page has left")
    await asyncio.to_thread(app.terminate)
    assert "Traceback" not in app.log.read_text()


# One command, two processes.


async def test_one_command_serves_with_two_processes_and_ends_them(
    postgres_server: Postgres, redis_server: Redis, enter: Enter
) -> None:
    env = SETTINGS | {"DATABASE_URL": postgres_server.create(), "REDIS_URL": redis_server.url, "WORKERS": "2"}
    with App(env) as app:
        alice = await enter(app, "Alice")
        room = await alice.room(app)
        async with contextlib.AsyncExitStack() as stack:
            pages = list[LivePage]()
            while not (served := serving(app)) or len(served) < 2:
                assert len(pages) < 200, "one of them takes every connection"
                pages += await open_all(stack, [alice.page(room, app) for _ in range(10)])
            assert len(serving(app)) == 2
            assert all(status(app) == "ok" for _ in range(10))
            await alice.say(app, room, "hello")
            for page in pages:
                await page.until(lambda page: page.bodies == ["hello"])
            everything = processes(app)
            assert len(everything) >= 3
            await asyncio.to_thread(app.terminate)
            await eventually(lambda: not any(is_alive(pid) for pid in everything), 3, "no process is left")
        assert "Traceback" not in app.log.read_text()


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def processes(app: App) -> list[int]:
    """All processes that the command started, itself included."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            if entry.name.isdigit() and (entry / "stat").read_text().rpartition(")")[2].split()[3] == str(app.pid):
                found.append(int(entry.name))
    return found


def serving(app: App) -> list[int]:
    return [pid for pid in processes(app) if connections(pid, app.port)]
