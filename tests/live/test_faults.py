"""Sequences that once broke the engine, found by reading it critically."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping

import pytest
from broadcaster import Broadcast

from tests.conftest import Person
from tests.live.providing import ending, no_log, provide, providers
from tests.people import post_as
from tests.readers import reader as open_reader
from webapp.conversations.models import Room
from webapp.live import Frame, Hub
from webapp.live import hub as the_hub
from webapp.live.outbox import LIMIT_BYTES, Outbox
from webapp.live.providers import LogSource
from webapp.live.states import Pace
from webapp.live.stream import MAX_DOCUMENT_BYTES, Stream
from webapp.messages import changes
from webapp.presence.models import Visit
from webapp.presence.tracker import tracker

LONG = "漢" * 3900


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def quiet(turns: int = 200) -> None:
    """Let everything happen that can."""
    for _ in range(turns):
        await asyncio.sleep(0)


class TestOneLargeFrame:
    """What somebody missed is one frame, and as large when they come back: it must get through."""

    async def test_a_frame_larger_than_the_bound_is_no_reason_to_let_a_page_go(self) -> None:
        outbox = Outbox()
        outbox.put(b"x" * (LIMIT_BYTES + 1))
        outbox.put(b"y" * LIMIT_BYTES)
        assert not outbox.is_overrun
        outbox.put(b"z")
        assert outbox.is_overrun

    @pytest.mark.parametrize("cursor", [None, 1])
    async def test_a_page_that_missed_many_long_messages_comes_back_to_them(
        self, alice: Person, room: Room, cursor: int | None
    ) -> None:
        assert alice.user
        for number in range(51):
            await post_as(alice.user, room, f"{number} {LONG}", "")
        reader = open_reader(room.id, cursor, "sse", session=alice.session.id, user=alice.user.id)
        the_hub().join(reader)
        async with asyncio.timeout(5):
            got = await anext(aiter(reader.outbox))
        assert len(got) > LIMIT_BYTES
        assert got.count(b'class="message ') + got.count(b'class="message"') == 50
        assert not reader.outbox.is_overrun
        the_hub().leave(reader)

    async def test_the_states_of_the_room_may_follow_it_at_once(self, alice: Person, room: Room) -> None:
        assert alice.user
        for number in range(50):
            await post_as(alice.user, room, f"{number} {LONG}", "")
        early, late = (open_reader(room.id, 0, "sse", session=alice.session.id, user=alice.user.id) for _ in range(2))
        the_hub().join(early)
        await until(lambda: the_hub().channels[f"room:{room.id}"].states)
        the_hub().join(late)
        await until(lambda: late.outbox.pending or late.outbox.is_closed)
        await quiet()
        async with asyncio.timeout(5):
            assert len(await anext(aiter(late.outbox))) > LIMIT_BYTES
        assert not late.outbox.is_overrun
        for reader in (early, late):
            the_hub().leave(reader)

    async def test_a_long_last_page_does_not_reload_the_endless_document(self, alice: Person, room: Room) -> None:
        assert alice.user
        for number in range(50):
            await post_as(alice.user, room, f"{number} {LONG}", "")
        reader = open_reader(room.id, None, "html", session=alice.session.id, user=alice.user.id)
        chunks = Stream(reader, b"opening", "text/html").chunks()
        async with asyncio.timeout(5):
            assert await anext(chunks) == b"opening"
            assert len(await anext(chunks)) > MAX_DOCUMENT_BYTES
            await post_as(alice.user, room, "one more", "")
            changes.log_changed(room.id, 51)
            while b"one more" not in (chunk := await anext(chunks)):
                assert b"http-equiv" not in chunk
        await chunks.aclose()


class TestRightsThatEnded:
    async def test_an_old_ring_about_a_kick_is_not_believed_when_the_person_is_back(
        self, bob: Person, room: Room
    ) -> None:
        assert bob.user
        reader = open_reader(room.id, 0, "sse", session=bob.session.id, user=bob.user.id)
        the_hub().join(reader)
        await quiet()
        the_hub().bridge.on_message(json.dumps({"channel": room.id, "user": bob.user.id}))
        await quiet()
        await the_hub().heartbeat.reconcile()
        assert not reader.outbox.is_closed

    async def test_a_true_ring_about_a_session_ends_its_streams(self, bob: Person, room: Room) -> None:
        assert bob.user
        reader = open_reader(room.id, 0, "sse", session=bob.session.id, user=bob.user.id)
        the_hub().join(reader)
        await bob.session.delete()
        the_hub().bridge.on_message(json.dumps({"session": bob.session.id}))
        await until(lambda: reader.outbox.is_closed)

    async def test_one_who_is_kicked_while_the_stream_opens_does_not_read_on(
        self, alice: Person, bob: Person, room: Room
    ) -> None:
        """The look at their right said yes; then the kick is rung; then the stream joins."""
        assert bob.user
        reader = open_reader(room.id, 0, "sse", session=bob.session.id, user=bob.user.id)
        fields = {"do": "kick", "who": bob.user.code, "minutes": "10"}
        assert (await alice.post(f"{room.path}/settings", fields)).status_code == 303
        the_hub().join(reader)
        await until(lambda: reader.outbox.is_closed)


class Slow:
    """A log and a state that answer when the test says so."""

    def __init__(self) -> None:
        self.people = "old"
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_gone = False
        self.reads = 0

    async def log(self, channel: int, cursors: Collection[int | None]) -> tuple[int, Mapping[int | None, Frame]] | None:
        self.reads += 1
        return None if self.is_gone else (1, {cursor: Frame(b"log") for cursor in cursors})

    async def versions(self, channels: Collection[int]) -> Mapping[int, int]:
        return dict.fromkeys(channels, 1)

    async def states(self, channels: Collection[int]) -> Mapping[int, Frame]:
        seen, gate = self.people, self.gate
        await gate.wait()
        return {channel: Frame(f"<{seen}>".encode()) for channel in channels}


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
async def hub(slow: Slow) -> AsyncIterator[Hub]:
    hub = Hub(providers(slow.log, slow.versions))
    async with hub.running(Broadcast("memory://"), "test"):
        yield hub


async def test_an_older_reading_of_a_state_does_not_replace_a_newer_one(
    hub: Hub, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.live.states.PROMPT", Pace(0.0, 0.0))
    provide(hub, states={"people": slow.states})
    reader = open_reader(7, 0, "sse")
    hub.join(reader)
    await until(lambda: b"<old>" in reader.outbox.pending)
    first_gate = slow.gate = asyncio.Event()
    check = asyncio.create_task(hub.heartbeat.reconcile())  # reads "old", and takes its time
    await quiet()
    slow.people, slow.gate = "new", asyncio.Event()
    slow.gate.set()
    hub.refresh("room:7", "people")
    await until(lambda: b"<new>" in reader.outbox.pending)
    first_gate.set()
    await check
    await quiet()
    assert reader.outbox.pending.endswith(b"<new>")


async def test_a_deleted_room_is_not_read_again_and_again(hub: Hub, slow: Slow) -> None:
    reader = open_reader(7, 0, "sse")
    hub.join(reader)
    await quiet()
    slow.is_gone = True
    hub.publish_version("room:7", 2)  # posted, and then the room was deleted; the stream is stuck and does not leave
    await quiet()
    assert reader.outbox.is_closed
    assert slow.reads <= 3


async def test_a_look_at_the_database_that_fails_is_repeated_soon(
    hub: Hub, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.live.heartbeat.POLL_SECONDS", 0)
    looks = 0

    async def versions(channels: Collection[int]) -> Mapping[int, int]:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise ConnectionError("the database is away too")
        return dict.fromkeys(channels, 1)

    provide(hub, logs={"room": LogSource(no_log, versions, ending("deleted"))})
    hub.join(open_reader(7, 0, "sse"))
    hub.bridge.on_link(True)
    await until(lambda: looks == 3)


async def test_presence_written_while_the_process_is_taken_for_dead_is_written_again(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert alice.user
    gate, begun, write = asyncio.Event(), asyncio.Event(), Visit.apply_changes

    async def slowly(*args: object) -> None:
        begun.set()
        await gate.wait()
        await write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(Visit, "apply_changes", slowly)
    tracker().stream_opened(alice.user.id, room.id)
    async with asyncio.timeout(5):
        await begun.wait()
    tracker().write_again()
    forgotten = tracker().written
    gate.set()
    await until(lambda: tracker().written is not forgotten)
    assert tracker().written == {(alice.user.id, room.id)}
    tracker().stream_closed(alice.user.id, room.id)
