"""The doorbell between processes: nothing waits for it, and what it could not send it sends later."""

import asyncio
from typing import Any

import pytest
from broadcaster import Broadcast, Event
from broadcaster._backends.base import BroadcastBackend
from broadcaster._backends.memory import MemoryBackend

from tests.live.providing import providers
from webapp.core import tasks
from webapp.live import Frame, Hub, Reader
from webapp.live.bridge import LINK_DOWN, LINK_UP, MAX_QUEUED
from webapp.live.shards import LocalBroadcast


class Wire(BroadcastBackend):
    """A broadcaster that fails, and says what it should not, on command."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.is_broken = False
        self.tried = asyncio.Event()
        self.subscribed = asyncio.Event()
        self.heard: asyncio.Queue[Event] = asyncio.Queue()

    async def connect(self) -> None: ...
    async def disconnect(self) -> None: ...
    async def subscribe(self, channel: str) -> None:
        self.subscribed.set()

    async def unsubscribe(self, channel: str) -> None: ...

    async def publish(self, channel: str, message: Any) -> None:
        self.tried.set()
        if self.is_broken:
            raise ConnectionError("broken on command")
        self.sent.append(message)

    async def next_published(self) -> Event:
        return await self.heard.get()

    def say(self, message: str) -> None:
        self.heard.put_nowait(Event("test", message if message in (LINK_DOWN, LINK_UP) else f"another\n{message}"))


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


@pytest.fixture
def wire() -> Wire:
    return Wire()


async def test_rings_that_wait_together_are_sent_joined_and_only_the_latest_of_a_room(wire: Wire) -> None:
    hub = Hub(providers())
    async with hub.running(Broadcast(backend=wire), "test"):
        for version in range(1, 10):
            hub.publish_version("room:1", version)
        hub.publish_version("room:2", 5)
        hub.refresh("room:1", "people")
        await until(lambda: wire.sent)
    assert wire.sent == [f"{hub.bridge.name}\n1 9\n2 5\n1 people"]


async def test_what_could_not_be_sent_is_sent_later_in_its_newest_form(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.live.bridge.RETRY_SECONDS", 0)
    hub = Hub(providers())
    wire.is_broken = True
    async with hub.running(Broadcast(backend=wire), "test"):
        hub.publish_version("room:1", 1)
        hub.publish_version("room:2", 1)
        await wire.tried.wait()
        hub.publish_version("room:1", 2)
        await until(lambda: len(hub.bridge.queued) == 2)
        wire.is_broken = False
        await until(lambda: wire.sent)
        sent = set("\n".join(wire.sent).split("\n"))
    assert {"1 2", "2 1"} <= sent
    assert "1 1" not in sent


async def test_the_queue_of_rings_is_bounded(wire: Wire) -> None:
    hub = Hub(providers())
    for room in range(MAX_QUEUED + 10):
        hub.publish_version(f"room:{room}", 1)
    assert len(hub.bridge.queued) == MAX_QUEUED


async def test_a_message_that_makes_no_sense_is_passed_over(wire: Wire) -> None:
    seen: list[set[int | None]] = []

    async def read(channel: int, cursors: Any) -> Any:
        seen.append(set(cursors))
        return 3, dict.fromkeys(cursors, wire_frame())

    hub = Hub(providers(read))
    async with hub.running(Broadcast(backend=wire), "test"):
        hub.join(Reader(["room:1"], 2, "sse", set(), {}))
        await until(lambda: len(seen) == 1)
        for nonsense in ("", "x", "1", "1 ", "1 2 3", "{", '{"a": 1}', '{"session": []}', "\x00", "² 5", "1 ²"):
            wire.say(nonsense)
        wire.say("1 9")
        await until(lambda: len(seen) == 2)


def wire_frame() -> Any:
    return Frame(b"x", b"x")


async def test_losing_and_finding_the_link_makes_the_hub_look_at_every_open_room(wire: Wire) -> None:
    looked: list[list[int]] = []

    async def read(channel: int, cursors: Any) -> Any:
        return 1, dict.fromkeys(cursors, wire_frame())

    async def versions(channels: Any) -> Any:
        looked.append(list(channels))
        return dict.fromkeys(channels, 1)

    hub = Hub(providers(read, versions))
    async with hub.running(Broadcast(backend=wire), "test"):
        hub.join(Reader(["room:1"], 0, "sse", set(), {}))
        await wire.subscribed.wait()
        wire.say(LINK_DOWN)
        await until(lambda: looked == [[1]])
        assert not hub.is_connected
        wire.say(LINK_UP)
        await until(lambda: looked == [[1], [1]])
        assert hub.is_connected


async def test_after_it_has_stopped_nothing_of_it_is_left(wire: Wire) -> None:
    hub = Hub(providers())
    before = asyncio.all_tasks()
    async with hub.running(Broadcast(backend=wire), "test"):
        hub.join(Reader(["room:1"], 0, "sse", set(), {}))
        assert asyncio.all_tasks() - before
    await until(lambda: asyncio.all_tasks() == before)
    assert not hub.channels


async def test_a_task_that_ignores_its_cancellation_is_cancelled_again(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0.01)
    hub, told = Hub(providers()), []

    async def goes_on() -> None:
        """As where a connection breaks at the moment at which its task is cancelled."""
        while len(told) < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told.append("cancelled")

    async with asyncio.timeout(10):
        async with hub.running(Broadcast(backend=wire), "test"):
            hub.spawn(goes_on())
            await asyncio.sleep(0)
    assert told == ["cancelled", "cancelled"]


async def test_a_task_that_ends_as_it_is_cancelled_again_is_not_waited_for_for_ever(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0.0)
    hub = Hub(providers())

    async def ends_a_turn_later() -> None:
        await asyncio.create_task(asyncio.Event().wait())

    async with hub.running(Broadcast(backend=wire), "test"):
        hub.spawn(ends_a_turn_later())
        for _ in range(3):
            await asyncio.sleep(0)
    assert not hub.tasks


async def test_the_memory_broadcaster_of_the_library_carries_rings_too_and_our_own_are_not_heard_twice() -> None:
    hub = Hub(providers())
    heard: list[str] = []
    backend = MemoryBackend("memory://")
    async with hub.running(Broadcast(backend=backend), "test"):
        hub.bridge.on_message = heard.append
        hub.publish_version("room:1", 2)
        await until(lambda: not hub.bridge.queued)
        await backend.publish("test", "another\n3 4")
        await until(lambda: heard)
    assert heard == ["3 4"]


async def test_a_process_alone_publishes_nothing() -> None:
    hub = Hub(providers())
    async with hub.running(LocalBroadcast(), "test"):
        hub.publish_version("room:1", 2)
        hub.refresh("room:1", "people")
        assert not hub.bridge.queued
    assert hub.counts.rings_sent == 0
