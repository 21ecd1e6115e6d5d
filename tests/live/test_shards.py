"""Rings on a real Redis: to the processes that listen, to those of the version before, and to nobody else."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from redis import asyncio as redis

from tests.live.providing import providers
from tests.servers import Redis
from webapp.live import Hub, Reader
from webapp.live.bridge import LINK_DOWN, LINK_UP
from webapp.live.redis import RedisBackend
from webapp.live.shards import ALL, SHARDS, ShardedBroadcast, shard_of


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    with Redis() as server:
        server.start()
        yield server


class Listener:
    """A process as Redis sees it, and all that reaches it."""

    def __init__(self, server: Redis, name: str) -> None:
        self.backend = RedisBackend(server.url)
        self.backend.name = name
        self.heard: asyncio.Queue[str] = asyncio.Queue()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Listener"]:
        async with ShardedBroadcast(self.backend) as broadcast, broadcast.subscribe("test") as events:
            listening = asyncio.create_task(self._listen(events.get))
            try:
                assert await self.next() == LINK_UP
                yield self
            finally:
                listening.cancel()

    async def _listen(self, get: Callable[[], object]) -> None:
        while True:
            event = await get()  # type: ignore[misc]
            self.heard.put_nowait(event.message)

    async def next(self) -> str:
        async with asyncio.timeout(10):
            return await self.heard.get()

    async def follow(self, *shards: str) -> None:
        async with asyncio.timeout(10):
            if heard := self.backend.subscriptions.follow(shards):
                await asyncio.shield(heard)


@pytest.fixture
async def one(server: Redis) -> AsyncIterator[Listener]:
    async with Listener(server, "one").running() as listener:
        yield listener


@pytest.fixture
async def other(server: Redis) -> AsyncIterator[Listener]:
    async with Listener(server, "other").running() as listener:
        yield listener


def published(server: Redis) -> int:
    """How many messages Redis was given to publish."""
    found = re.search(r"cmdstat_publish:calls=(\d+)", str(server.cli("INFO", "commandstats")))
    return int(found[1]) if found else 0


def test_a_channel_has_a_shard_where_its_pages_alone_need_its_rings() -> None:
    assert [shard_of(channel) for channel in ("room:12", "user:12")] == ["room:12", "user:12"]
    assert shard_of(f"room:{SHARDS + 3}") == "room:3"
    assert {shard_of(channel) for channel in ("", "mask:3", "person:9", "directory:0")} == {ALL}


async def test_a_ring_reaches_the_processes_that_listen_to_its_shard_and_no_others(
    one: Listener, other: Listener
) -> None:
    await other.follow("room:5")
    await one.backend.ring({"room:6": "6 1", "room:5": "5 1\n5 people", ALL: "{}"})
    assert [await other.next(), await other.next()] == ["one\n5 1\n5 people", "one\n{}"]
    await other.backend.ring({"room:5": "5 2", ALL: "[]"})
    assert await one.next() == "other\n[]"
    assert other.heard.empty()


async def test_nothing_is_published_where_no_other_process_listens(server: Redis, one: Listener) -> None:
    await one.follow("room:5")
    before = published(server)
    await one.backend.ring({"room:5": "5 1", "room:6": "6 1", ALL: "{}"})
    assert published(server) == before


async def test_what_a_process_sends_itself_among_others_is_not_heard(one: Listener, other: Listener) -> None:
    for listener in (one, other):
        await listener.follow("room:5")
    await one.backend.ring({"room:5": "5 1"})
    await other.backend.ring({"room:5": "5 2"})
    assert (await one.next(), await other.next()) == ("other\n5 2", "one\n5 1")
    assert one.heard.empty()


async def test_a_connection_that_redis_closed_unnoticed_does_not_count_as_a_listener(
    server: Redis, one: Listener, other: Listener
) -> None:
    """One believes to listen, and is not among those that Redis counts: the one that is counted is another."""
    await one.follow("room:5", "room:9")
    await other.follow("room:5")
    clients = str(server.cli("CLIENT", "LIST", "TYPE", "pubsub")).splitlines()
    ids = [line.partition("id=")[2].split()[0] for line in clients if " sub=5 " in line]
    assert len(ids) == 1
    # The loop has no turn in which to notice.
    server.cli("CLIENT", "KILL", "ID", ids[0])
    assert server.cli("PUBSUB", "NUMSUB", "test:room:9", "test:room:5") == ["test:room:9", 0, "test:room:5", 1]
    assert one.backend.subscriptions.surely_hears("room:5")
    await one.backend.ring({"room:5": "5 1"})
    assert await other.next() == "one\n5 1"


async def test_after_a_break_every_shard_is_listened_to_again_before_the_link_is_up(
    server: Redis, one: Listener, other: Listener
) -> None:
    shards = [f"room:{number}" for number in range(3000)]
    await other.follow(*shards)
    server.cli("CLIENT", "KILL", "TYPE", "pubsub")
    assert [await other.next(), await other.next()] == [LINK_DOWN, LINK_UP]
    assert [await one.next(), await one.next()] == [LINK_DOWN, LINK_UP]
    assert other.backend.subscriptions.confirmed >= {ALL, *shards}
    await one.backend.ring({"room:2999": "2999 1"})
    assert await other.next() == "one\n2999 1"


async def test_while_redis_is_away_nothing_waits_for_a_subscription() -> None:
    with Redis() as away:
        away.start()
        async with Listener(away, "one").running() as listener:
            away.kill()
            assert await listener.next() == LINK_DOWN
            assert listener.backend.subscriptions.follow(["room:5"]) is None
            away.start()
            while await listener.next() != LINK_UP:
                pass
            assert "room:5" in listener.backend.subscriptions.confirmed


async def test_a_shard_is_left_when_no_page_has_needed_it_at_two_looks(server: Redis, one: Listener) -> None:
    await one.follow("room:5", "room:6", "room:7")
    subscriptions = one.backend.subscriptions
    subscriptions.keep({"room:7"})
    # From here on others may be counted as if we listened no more; a page that comes now is heard all the same.
    assert [subscriptions.surely_hears(f"room:{number}") for number in (5, 6, 7)] == [False, False, True]
    assert subscriptions.follow(["room:5"]) is None
    subscriptions.keep({"room:5", "room:7"})
    assert subscriptions.surely_hears("room:5")
    async with asyncio.timeout(10):
        while server.cli("PUBSUB", "NUMSUB", "test:room:6") != ["test:room:6", 0]:
            await asyncio.sleep(0.001)
    assert server.cli("PUBSUB", "NUMSUB", "test:room:5", "test:all") == ["test:room:5", 1, "test:all", 1]
    await one.follow("room:6")
    assert server.cli("PUBSUB", "NUMSUB", "test:room:6") == ["test:room:6", 1]


async def test_beside_a_process_of_the_version_before_everything_goes_to_all(
    server: Redis, one: Listener, other: Listener
) -> None:
    await other.follow("room:5")
    async with redis.Redis.from_url(server.url) as client, client.pubsub() as before:
        await before.subscribe("test")
        messages = before.listen()
        async with asyncio.timeout(10):
            assert (await anext(messages))["type"] == "subscribe"
            await one.backend.ring({"room:5": "5 1", "room:6": "6 1", ALL: "{}"})
            assert (await anext(messages))["data"].decode() == await other.next() == "one\n5 1\n6 1\n{}"
            await client.publish("test", "before\n5 2")
            assert await one.next() == await other.next() == "before\n5 2"
    async with asyncio.timeout(10):
        while server.cli("PUBSUB", "NUMSUB", "test") != ["test", 2]:
            await asyncio.sleep(0.001)
    await one.backend.ring({"room:5": "5 3", "room:6": "6 3"})
    assert await other.next() == "one\n5 3"
    assert one.heard.empty()


async def test_a_page_is_entered_when_its_channels_are_heard_and_not_if_it_has_left(server: Redis) -> None:
    hub, backend = Hub(providers()), RedisBackend(server.url)
    async with hub.running(ShardedBroadcast(backend), "test"):
        stays, leaves = (Reader([f"room:{number}"], 0, "sse", set(), {"session": number}) for number in (1, 2))
        for reader in (stays, leaves):
            hub.join(reader)
        assert not hub.channels
        assert shard_of("room:1") not in backend.subscriptions.confirmed
        assert hub.readers(session=1) == [stays]
        hub.leave(leaves)
        async with asyncio.timeout(10):
            while not hub.channels:
                await asyncio.sleep(0.001)
        assert list(hub.channels) == ["room:1"]
        assert shard_of("room:1") in backend.subscriptions.confirmed
        hub.leave(stays)
