"""One room's worth of readers: everyone gets everything, in order, once, whatever the rings do."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

import pytest
from broadcaster import Broadcast

from tests.live.providing import ending, provide
from webapp.live import Ending, Frame, Hub, Payload, Providers, Reader
from webapp.live.admission import STORM_SIZE
from webapp.live.frames import LocalizedFrame
from webapp.live.outbox import LIMIT_BYTES
from webapp.live.providers import CheckAccess, LogSource
from webapp.live.states import Pace

ROOM = 7


class Log:
    """A log that lives in memory, with doors that a test opens and closes."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.reads: list[set[int | None]] = []
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.failures = 0
        self.exists = True
        self.people = "nobody"
        self.looks = 0

    async def read(
        self, channel: int, cursors: Collection[int | None]
    ) -> tuple[int, Mapping[int | None, Frame]] | None:
        self.reads.append(set(cursors))
        await self.is_open.wait()
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the database is away")
        if not self.exists:
            return None
        version = len(self.entries)
        return version, {cursor: self.frame(cursor or 0, version) for cursor in cursors}

    def frame(self, after: int, version: int) -> Frame:
        words = "".join(f"[{entry}]" for entry in self.entries[after:version])
        return Frame(words.encode(), words.upper().encode())

    async def versions(self, channels: Collection[int]) -> Mapping[int, int]:
        return {channel: len(self.entries) for channel in channels} if self.exists else {}

    async def states(self, channels: Collection[int]) -> Mapping[int, Frame]:
        self.looks += 1
        return {channel: Frame(f"<{self.people}>".encode()) for channel in channels}


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def hub(log: Log) -> AsyncIterator[Hub]:
    hub = Hub(
        Providers(
            logs={"room": LogSource(log.read, log.versions, ending("deleted"))},
            last_frame=lambda reader, ending: f"({ending.name})".encode(),
        )
    )
    async with hub.running(Broadcast("memory://"), "test"):
        yield hub


class Page:
    """A reader, and what has been written to it."""

    def __init__(self, hub: Hub, cursor: int | None = 0, framing: str = "sse", **labels: int) -> None:
        self.hub = hub
        self.reader = Reader([f"room:{ROOM}"], cursor, framing, {"people"}, labels)
        self.heard = ""
        self.news = asyncio.Event()
        self.task = asyncio.create_task(self._listen())
        hub.join(self.reader)

    async def _listen(self) -> None:
        async for chunk in self.reader.outbox:
            self.heard += chunk.decode()
            self.news.set()
        self.news.set()

    async def hears(self, words: str) -> None:
        async with asyncio.timeout(5):
            while words not in self.heard:
                self.news.clear()
                await self.news.wait()

    async def ends(self) -> None:
        async with asyncio.timeout(5):
            await self.task

    def close(self) -> None:
        self.hub.leave(self.reader)


async def still(hub: Hub) -> None:
    """Let everything that can happen now happen: a pass needs a few turns of the loop."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_what_is_rung_reaches_every_reader_once_in_order(hub: Hub, log: Log) -> None:
    pages = [Page(hub), Page(hub), Page(hub, framing="html")]
    for number in range(5):
        log.entries.append(f"m{number}")
        hub.publish_version(f"room:{ROOM}", len(log.entries))
        await pages[0].hears(f"[m{number}]")
    await pages[2].hears("[M4]")
    assert pages[0].heard == pages[1].heard == "[m0][m1][m2][m3][m4]"
    assert pages[2].heard == "[M0][M1][M2][M3][M4]"


async def test_old_and_repeated_rings_change_nothing(hub: Hub, log: Log) -> None:
    log.entries = ["a", "b"]
    page = Page(hub)
    await page.hears("[b]")
    for version in (2, 1, 2, 0):
        hub.publish_version(f"room:{ROOM}", version)
    await still(hub)
    assert page.heard == "[a][b]"


async def test_a_ring_that_was_lost_is_made_good_by_the_next(hub: Hub, log: Log) -> None:
    page = Page(hub)
    await still(hub)
    log.entries = ["a", "b", "c"]
    hub.publish_version(f"room:{ROOM}", 3)
    await page.hears("[c]")
    assert page.heard == "[a][b][c]"


async def test_the_last_ring_that_was_lost_is_found_by_the_heartbeat(hub: Hub, log: Log) -> None:
    page = Page(hub)
    await still(hub)
    log.entries.append("a")
    await still(hub)
    assert page.heard == ""
    await hub.heartbeat.reconcile()
    await page.hears("[a]")


async def test_a_ring_that_promises_too_much_does_not_make_the_room_read_for_ever(hub: Hub, log: Log) -> None:
    page = Page(hub)
    log.entries.append("a")
    hub.publish_version(f"room:{ROOM}", 1_000)
    await page.hears("[a]")
    await still(hub)
    reads = len(log.reads)
    await still(hub)
    assert len(log.reads) == reads
    log.entries.append("b")
    hub.publish_version(f"room:{ROOM}", 2)
    await page.hears("[a][b]")


async def test_what_comes_during_a_pass_goes_out_joined_with_the_next(hub: Hub, log: Log) -> None:
    page = Page(hub)
    await still(hub)
    log.reads.clear()
    log.is_open.clear()
    for number in range(20):
        log.entries.append(str(number))
        hub.publish_version(f"room:{ROOM}", len(log.entries))
        await asyncio.sleep(0)
    log.is_open.set()
    await page.hears("[19]")
    assert page.heard == "".join(f"[{number}]" for number in range(20))
    assert len(log.reads) <= 2


async def test_many_who_return_together_share_one_reading(hub: Hub, log: Log) -> None:
    log.entries = [str(number) for number in range(10)]
    log.is_open.clear()
    first = Page(hub, 10)
    await still(hub)
    log.reads.clear()
    pages = [Page(hub, cursor % 10) for cursor in range(100)]
    log.is_open.set()
    for cursor, page in enumerate(pages):
        await page.hears("[9]")
        assert page.heard == "".join(f"[{number}]" for number in range(cursor % 10, 10))
    assert len(log.reads) == 1
    assert first.heard == ""


async def test_one_who_joins_while_something_is_posted_misses_and_repeats_nothing(hub: Hub, log: Log) -> None:
    established = Page(hub)
    await still(hub)
    for number in range(30):
        late = Page(hub, cursor=len(log.entries))
        log.entries.append(str(number))
        hub.publish_version(f"room:{ROOM}", len(log.entries))
        await late.hears(f"[{number}]")
        assert late.heard == f"[{number}]"
        late.close()
    await established.hears("[29]")
    assert established.heard == "".join(f"[{number}]" for number in range(30))


async def test_a_reading_that_fails_is_tried_again_and_nobody_is_forgotten(
    hub: Hub, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.live.channel.RETRY_SECONDS", 0)
    page = Page(hub)
    await still(hub)
    log.failures = 3
    log.entries.append("a")
    hub.publish_version(f"room:{ROOM}", 1)
    joining = Page(hub, 0)
    await page.hears("[a]")
    await joining.hears("[a]")
    assert page.heard == joining.heard == "[a]"


async def test_a_reading_that_never_answers_is_given_up_and_tried_again(
    hub: Hub, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.live.channel.READ_SECONDS", 0.01)
    monkeypatch.setattr("webapp.live.channel.RETRY_SECONDS", 0)
    log.is_open.clear()
    log.entries.append("a")
    page = Page(hub)
    async with asyncio.timeout(5):
        while len(log.reads) < 3:
            await asyncio.sleep(0)
    log.is_open.set()
    await page.hears("[a]")
    assert page.heard == "[a]"


async def test_a_reader_that_does_not_read_is_disconnected_and_the_others_do_not_wait(hub: Hub, log: Log) -> None:
    stuck = Reader([f"room:{ROOM}"], 0, "sse", {"people"}, {})
    hub.join(stuck)
    page = Page(hub)
    sent = 0
    while sent <= LIMIT_BYTES + 10_000:  # what goes out next does not count
        log.entries.append("x" * 10_000)
        sent += 10_000
        hub.publish_version(f"room:{ROOM}", len(log.entries))
        await still(hub)
    assert stuck.outbox.is_overrun
    assert page.heard.count("[x") == len(log.entries)
    assert stuck.outbox.is_empty


async def test_a_channel_without_readers_is_dropped(hub: Hub, log: Log) -> None:
    page, other = Page(hub), Page(hub)
    await still(hub)
    page.close()
    assert hub.readers() == [other.reader]
    log.entries.append("a")
    hub.publish_version(f"room:{ROOM}", 1)
    await other.hears("[a]")
    assert page.heard == ""
    other.close()
    assert not hub.channels


async def test_one_who_leaves_before_being_served_is_not_served(hub: Hub, log: Log) -> None:
    log.entries.append("a")
    log.is_open.clear()
    page, other = Page(hub), Page(hub)
    await still(hub)
    page.close()
    log.is_open.set()
    await other.hears("[a]")
    assert page.heard == ""
    assert hub.readers() == [other.reader]


async def test_a_deleted_room_ends_its_streams_with_the_reason(hub: Hub, log: Log) -> None:
    page = Page(hub)
    await still(hub)
    log.exists = False
    await hub.heartbeat.reconcile()
    await page.ends()
    assert page.heard == "(deleted)"


async def test_a_reader_that_joins_a_deleted_room_gets_the_reason(hub: Hub, log: Log) -> None:
    log.exists = False
    page = Page(hub)
    await page.ends()
    assert page.heard == "(deleted)"


async def test_a_state_is_not_put_into_words_to_find_that_nothing_has_changed(hub: Hub, log: Log) -> None:
    people, made = ["alice"], list[str]()

    def told() -> LocalizedFrame:
        here = " ".join(people)

        def make(language: str) -> Frame:
            made.append(here)
            return Frame(f"<{here}>".encode())

        return LocalizedFrame(make, facts=here)

    async def states(channels: Collection[int]) -> dict[int, Payload]:
        return {channel: told() for channel in channels}

    provide(hub, states={"people": states})
    reader = Reader([f"room:{ROOM}"], 0, "sse", {"people"}, {})
    hub.join(reader)
    await still(hub)
    await hub.heartbeat.reconcile()
    await still(hub)
    assert made == ["alice"]
    people.append("bob")
    await hub.heartbeat.reconcile()
    await still(hub)
    assert made == ["alice", "alice bob"]
    assert reader.outbox.pending == b"<alice><alice bob>"


async def test_dismissing_ends_only_the_streams_with_these_labels(hub: Hub, log: Log) -> None:
    hers, also_hers, his = Page(hub, user=1, session=1), Page(hub, user=1, session=2), Page(hub, user=2, session=3)
    await still(hub)
    hub.close_streams(ending("signed_out"), session=1)
    await hers.ends()
    assert hers.heard == "(signed_out)"
    hub.close_streams(ending("kicked"), f"room:{ROOM}", user=1)
    await also_hers.ends()
    log.entries.append("a")
    hub.publish_version(f"room:{ROOM}", 1)
    await his.hears("[a]")
    assert his.heard == "[a]"


async def test_rights_that_ended_are_found_by_the_heartbeat(hub: Hub) -> None:
    page = Page(hub, session=1)
    other = Page(hub, session=2)

    async def check(readers: object) -> list[tuple[Reader, Ending]]:
        return [(page.reader, ending("signed_out"))]

    provide(hub, access_checks=[check])
    await hub.heartbeat.reconcile()
    await page.ends()
    assert page.heard == "(signed_out)"
    assert not other.reader.outbox.is_closed


async def test_each_right_is_asked_of_those_alone_whom_no_other_has_ended(hub: Hub) -> None:
    asked: list[list[int]] = []

    def ends(session: int, name: str) -> CheckAccess:
        async def check(readers: Sequence[Reader]) -> list[tuple[Reader, Ending]]:
            asked.append([reader.labels["session"] for reader in readers])
            return [(reader, ending(name)) for reader in readers if reader.labels["session"] == session]

        return check

    provide(hub, access_checks=[ends(1, "signed_out"), ends(2, "kicked"), ends(3, "never")])
    readers = [Reader([], None, "sse", set(), {"session": number}) for number in (1, 2)]
    assert await hub.providers.check_access(readers) == [
        (readers[0], ending("signed_out")),
        (readers[1], ending("kicked")),
    ]
    assert asked == [[1, 2], [2]], "the third is asked of nobody"


async def test_while_many_come_in_messages_go_first_and_what_can_wait_waits(hub: Hub, log: Log) -> None:
    provide(hub, states={"people": log.states})
    checked: list[list[Reader]] = []

    async def check(readers: Sequence[Reader]) -> list[tuple[Reader, Ending]]:
        checked.append(list(readers))
        return [(reader, ending("signed_out")) for reader in readers if reader.labels["session"] == 2]

    provide(hub, access_checks=[check])
    pages = [Page(hub, session=number) for number in range(2 * STORM_SIZE)]
    for number, words in enumerate("ab", 1):
        log.entries.append(words)
        hub.publish_version(f"room:{ROOM}", number)
        for page in pages:
            await page.hears(f"[{words}]")
    assert checked == []
    assert log.looks == 0
    await pages[0].hears("<nobody>")
    await pages[2].ends()
    assert [len(readers) for readers in checked] == [2 * STORM_SIZE]


async def test_what_waits_for_a_crowd_does_not_wait_for_ever(
    hub: Hub, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.live.admission.STORM_QUIET_SECONDS", 3600)
    monkeypatch.setattr("webapp.live.admission.TIMEOUT_SECONDS", 0.05)
    provide(hub, states={"people": log.states})
    pages = [Page(hub) for _ in range(STORM_SIZE)]
    for page in pages:
        await page.hears("<nobody>")


async def test_a_right_that_ended_while_a_crowd_came_in_is_found_within_a_second(
    hub: Hub, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.live.admission.STORM_QUIET_SECONDS", 3600)

    async def check(readers: Sequence[Reader]) -> list[tuple[Reader, Ending]]:
        return [(reader, ending("signed_out")) for reader in readers if reader.labels["session"] == 2]

    provide(hub, access_checks=[check])
    pages = [Page(hub, session=number) for number in range(STORM_SIZE)]
    async with asyncio.timeout(1):
        await pages[2].ends()


async def test_a_few_who_come_in_are_no_crowd(hub: Hub, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.live.admission.STORM_QUIET_SECONDS", 3600)
    provide(hub, states={"people": log.states})
    pages = [Page(hub) for _ in range(STORM_SIZE - 1)]
    for page in pages:
        await page.hears("<nobody>")


class TestStates:
    """What has no version (who is here) is shown at once, then at most once a second, and to all who join."""

    @pytest.fixture
    def people(self, hub: Hub, log: Log) -> Log:
        provide(hub, states={"people": log.states})
        return log

    async def test_the_first_reader_is_shown_the_state(self, hub: Hub, people: Log) -> None:
        await Page(hub).hears("<nobody>")

    async def test_a_change_is_shown_and_later_readers_begin_with_it(
        self, hub: Hub, people: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("webapp.live.states.PROMPT", Pace(0.0, 0.0))
        page = Page(hub)
        await page.hears("<nobody>")
        people.people = "ada"
        hub.refresh(f"room:{ROOM}", "people")
        await page.hears("<ada>")
        looks = people.looks
        later = Page(hub)
        await later.hears("<ada>")
        assert later.heard == "<ada>"
        assert people.looks == looks

    async def test_many_changes_at_once_are_read_once(self, hub: Hub, people: Log) -> None:
        page = Page(hub)
        await page.hears("<nobody>")
        people.people = "ada"
        for _ in range(100):
            hub.refresh(f"room:{ROOM}", "people")
        await page.hears("<ada>")
        assert people.looks == 2
        assert page.heard == "<nobody><ada>"

    async def test_a_state_that_did_not_change_is_not_sent_again(self, hub: Hub, people: Log) -> None:
        page = Page(hub)
        await page.hears("<nobody>")
        await hub.heartbeat.reconcile()
        await still(hub)
        assert page.heard == "<nobody>"

    async def test_a_change_without_a_ring_is_found_by_the_heartbeat(self, hub: Hub, people: Log) -> None:
        page = Page(hub)
        await page.hears("<nobody>")
        people.people = "ada"
        await hub.heartbeat.reconcile()
        await page.hears("<ada>")
