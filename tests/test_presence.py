"""Who is here, who is online, and when somebody was here last: as others may know it."""

import asyncio
import html
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import Person, account
from tests.page import Page
from tests.people import who
from tests.readers import reader as open_reader
from webapp import settings
from webapp.accounts.models import User
from webapp.conversations.models import Room
from webapp.db import sql
from webapp.db.sql import BATCH_SIZE
from webapp.live import hub
from webapp.presence import broadcasts
from webapp.presence import tracker as attendances
from webapp.presence.last_seen import last_seen_for, last_seen_text, update_last_seen
from webapp.presence.models import Process, Visit
from webapp.presence.queries import LEASE_SECONDS, NO_ROOM, is_online, online, presence_in
from webapp.presence.tracker import GRACE_SECONDS, READING_SECONDS, WRITE_SECONDS, PresenceTracker, tracker

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def go(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(attendances, "monotonic", clock)
    return clock


@pytest.fixture
def told(app: object, monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """Whose presence was told to have changed, and when."""
    told: list[set[int]] = []
    hear(monkeypatch, told.append)
    return told


def hear(monkeypatch: pytest.MonkeyPatch, on_people: Callable[[set[int]], object]) -> None:
    """Call this with the people of whom news of their presence come."""
    news = dict(hub().providers.news)
    told = news["presence"]

    def on_presence(users: str) -> None:
        told(users)
        on_people({int(user) for user in users.split(",")})

    monkeypatch.setattr(hub(), "providers", replace(hub().providers, news=news | {"presence": on_presence}))


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """The states that were touched."""
    touched: list[tuple[str, str]] = []
    monkeypatch.setattr(hub(), "refresh", lambda channel, state: touched.append((channel, state)))
    return touched


async def process() -> PresenceTracker:
    """Another process of the installation, which writes when the test says so."""
    other = PresenceTracker()
    other.process = await Process.register()
    return other


async def dies(process: PresenceTracker) -> None:
    """Its lease has ended."""
    await sql.execute("UPDATE process SET seen_at = seen_at - ? WHERE id = ?", LEASE_SECONDS + 1, process.process)


async def names(room: Room) -> list[str]:
    return [person.display_name for person in (await presence_in([room.id]))[room.id].shown]


async def visits(process: PresenceTracker) -> set[tuple[int, int]]:
    rows = await sql.fetch_all("SELECT user_id, room_id FROM visit WHERE process_id = ?", process.process)
    return {(row["user_id"], row["room_id"]) for row in rows}


async def seen_at(user: User) -> datetime:
    return (await User.get(id=user.id)).last_seen_at


async def is_recent(user: User) -> bool:
    return datetime.now(UTC) - await seen_at(user) < timedelta(minutes=1)


async def gather(room: Room, *names: str) -> PresenceTracker:
    """People of these names in a room, and whose pages are open."""
    here = await process()
    for number, name in enumerate(names):
        user = await account(f"guest_{number}")
        await User.filter(id=user.id).update(display_name=name)
        here.stream_opened(user.id, room.id)
    await here.write_changes()
    return here


async def hide(user: User) -> None:
    await User.filter(id=user.id).update(shows_presence=False)


# A page that shows no room.


async def test_a_page_that_shows_no_room_is_a_visit_in_no_room(
    alice: Person, clock: Clock, told: list[set[int]], touched: list[tuple[str, str]]
) -> None:
    here = await process()
    here.stream_opened(who(alice).id, NO_ROOM)
    await here.write_changes()
    assert await visits(here) == {(who(alice).id, NO_ROOM)}
    assert await online([who(alice).id]) == {who(alice).id}
    assert await presence_in([NO_ROOM]) == {}
    assert await broadcasts.people([NO_ROOM]) == {}
    assert touched == []
    assert told == [{who(alice).id}]


@pytest.mark.parametrize("count", [1, 2])
async def test_a_crowded_room_counts_all_and_reads_the_names_that_it_shows(
    room: Room, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    names = [f"{'person' if number % 2 else 'Person'} {number:02}" for number in range(30)]
    await gather(room, *reversed(names))
    read: list[sql.Row] = []
    fetch = sql.fetch_inline

    async def noted(query: str, *values: object) -> Sequence[sql.Row]:
        found = await fetch(query, *values)
        read.extend(found)
        return found

    monkeypatch.setattr(sql, "fetch_inline", noted)
    found = await presence_in([room.id, room.id + 1][:count])
    assert len(read) == 24
    here = found.pop(room.id)
    assert (here.total, here.others) == (30, 6)
    assert [person.display_name for person in here.shown] == names[:24]
    assert [(people.total, people.shown) for people in found.values()] == [(0, ())] * (count - 1)


async def test_a_name_that_a_style_hides_takes_its_separator_along(room: Room, alice: Person) -> None:
    """Also the first: the names of people whom the viewer has blocked are hidden by `/me.css`."""
    await hide(who(alice))  # else her own name is there too, where the process writes it before the page reads
    await gather(room, "Ada", "Ben")
    page = (await alice.get(room.path)).text
    [shown] = re.findall(r'<p id="people".*?</p>', page)
    names = re.findall(r'<a class="people__name .*?</bdi></a>', shown)
    assert [re.sub("<.*?>", "", shown.replace(name, "")) for name in names] == ["2 here · Ben", "2 here · Ada"]


async def test_presence_written_twice_is_one_visit(alice: Person, clock: Clock) -> None:
    here = await process()
    here.stream_opened(who(alice).id, NO_ROOM)
    await here.write_changes()
    here.write_again()  # as when the process was taken for dead
    await here.write_changes()
    assert await Visit.filter(user_id=who(alice).id).count() == 1


@pytest.mark.parametrize("is_in_a_room", [True, False])
async def test_a_look_without_a_stream_lasts_a_minute(
    alice: Person, room: Room, clock: Clock, is_in_a_room: bool
) -> None:
    here = await process()
    here.record_request(who(alice).id, room.id if is_in_a_room else NO_ROOM)
    clock.go(READING_SECONDS - 1)
    await here.write_changes()
    assert await online([who(alice).id]) == {who(alice).id}
    clock.go(2)
    await here.write_changes()
    assert await online([who(alice).id]) == set()


# Online.


async def test_online_is_who_has_a_page_open_in_a_process_that_lives_and_shows_it(
    alice: Person, bob: Person, charlie: Person, room: Room, clock: Clock
) -> None:
    one, other = await process(), await process()
    one.stream_opened(who(alice).id, room.id)
    one.stream_opened(who(alice).id, NO_ROOM)
    one.stream_opened(who(bob).id, room.id)
    other.stream_opened(who(charlie).id, room.id)
    for each in (one, other):
        await each.write_changes()
    everybody = {who(person).id for person in (alice, bob, charlie)}
    nobody = await account("nobody")
    assert await online([*everybody, nobody.id, 10**6]) == everybody
    await hide(who(bob))
    await dies(other)
    assert await online(everybody) == {who(alice).id}
    assert await online([]) == set()


async def test_the_condition_of_being_online_fits_into_a_query_of_another_domain(
    alice: Person, bob: Person, room: Room, clock: Clock
) -> None:
    here = await process()
    for person in (alice, bob):
        here.stream_opened(who(person).id, room.id)
    await here.write_changes()
    await hide(who(bob))
    query = (
        f"SELECT membership.user_id, {is_online('other')} AS is_online FROM membership "
        'LEFT JOIN "user" AS other ON other.id = membership.user_id AND other.id <> ?'
    )
    rows = {row["user_id"]: row["is_online"] for row in await sql.fetch_all(query, 0)}
    assert {user: bool(found) for user, found in rows.items()} == {who(alice).id: True, who(bob).id: False}
    rows = {row["user_id"]: row["is_online"] for row in await sql.fetch_all(query, who(alice).id)}
    assert not rows[who(alice).id]


async def test_many_are_asked_about_in_slices(alice: Person, room: Room, clock: Clock) -> None:
    here = await process()
    here.stream_opened(who(alice).id, room.id)
    await here.write_changes()
    assert await online([*range(10**6, 10**6 + 3 * BATCH_SIZE), who(alice).id]) == {who(alice).id}


# Last seen.

MONDAY = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(minutes=-5), "Last seen today"),
        (timedelta(0), "Last seen today"),
        (timedelta(hours=12), "Last seen today"),
        (timedelta(hours=13), "Last seen yesterday"),
        (timedelta(days=1), "Last seen yesterday"),
        (timedelta(days=2), "Last seen this week"),
        (timedelta(days=6), "Last seen this week"),
        (timedelta(days=7), "Last seen this month"),
        (timedelta(days=30), "Last seen this month"),
        (timedelta(days=31), "Last seen a while ago"),
        (timedelta(days=3000), "Last seen a while ago"),
    ],
)
def test_when_a_person_was_last_online_is_shown_in_coarse_words(ago: timedelta, words: str) -> None:
    assert str(last_seen_text(MONDAY - ago, MONDAY)) == words


def test_a_day_is_the_sites_own(monkeypatch: pytest.MonkeyPatch) -> None:
    evening, night = datetime(2026, 6, 1, 21, tzinfo=UTC), datetime(2026, 6, 1, 23, tzinfo=UTC)
    assert str(last_seen_text(evening, night)) == "Last seen today"
    monkeypatch.setattr(settings, "SITE_TIMEZONE", ZoneInfo("Europe/Berlin"))
    assert str(last_seen_text(evening, night)) == "Last seen yesterday"


async def test_a_person_who_hides_presence_was_never_seen(alice: Person) -> None:
    assert str(last_seen_for(who(alice))) == "Last seen today"
    await hide(who(alice))
    assert last_seen_for(await User.get(id=who(alice).id)) == ""


async def test_last_seen_is_written_when_the_last_page_closes(alice: Person, room: Room, clock: Clock) -> None:
    await User.all().update(last_seen_at=LONG_AGO)
    here = await process()
    here.stream_opened(who(alice).id, room.id)
    here.stream_opened(who(alice).id, NO_ROOM)
    await here.write_changes()
    here.stream_closed(who(alice).id, room.id)
    clock.go(GRACE_SECONDS + 1)
    await here.write_changes()
    assert await visits(here) == {(who(alice).id, NO_ROOM)}
    assert await seen_at(who(alice)) == LONG_AGO
    here.stream_closed(who(alice).id, NO_ROOM)
    clock.go(GRACE_SECONDS + 1)
    await here.write_changes()
    assert await is_recent(who(alice))


async def test_last_seen_is_not_written_again_within_minutes(alice: Person, bob: Person) -> None:
    now = datetime.now(UTC)
    await User.filter(id=who(alice).id).update(last_seen_at=now - timedelta(minutes=4))
    await User.filter(id=who(bob).id).update(last_seen_at=now - timedelta(minutes=6))
    await update_last_seen([who(alice).id, who(bob).id], now)
    assert await seen_at(who(alice)) == now - timedelta(minutes=4)
    assert await seen_at(who(bob)) == now


async def test_the_people_of_a_dead_process_were_seen_when_it_was_heard_last(
    alice: Person, room: Room, clock: Clock, told: list[set[int]], touched: list[tuple[str, str]]
) -> None:
    await User.all().update(last_seen_at=LONG_AGO)
    dead = await process()
    dead.stream_opened(who(alice).id, room.id)
    dead.stream_opened(who(alice).id, NO_ROOM)
    await dead.write_changes()
    before = await seen_at(who(alice))
    await dies(dead)
    assert await Process.reap() == {(who(alice).id, room.id), (who(alice).id, NO_ROOM)}
    assert await visits(dead) == set()
    assert before == LONG_AGO
    ago = datetime.now(UTC) - await seen_at(who(alice))
    assert timedelta(seconds=LEASE_SECONDS - 1) < ago < timedelta(seconds=LEASE_SECONDS + 30)


async def test_of_two_that_find_it_dead_one_gets_its_people(alice: Person, room: Room, clock: Clock) -> None:
    dead = await process()
    dead.stream_opened(who(alice).id, room.id)
    await dead.write_changes()
    await dies(dead)
    found = await asyncio.gather(*(Process.reap() for _ in range(3)))
    assert sorted(map(len, found)) == [0, 0, 1]


async def test_a_process_that_leaves_takes_its_people_along(
    alice: Person, room: Room, clock: Clock, told: list[set[int]], touched: list[tuple[str, str]]
) -> None:
    await User.all().update(last_seen_at=LONG_AGO)
    leaving = PresenceTracker()
    async with leaving.running():
        leaving.stream_opened(who(alice).id, room.id)
        leaving.stream_opened(who(alice).id, NO_ROOM)
        await leaving.write_changes()
        told.clear()
        touched.clear()
    assert told == [{who(alice).id}]
    assert touched == [(f"room:{room.id}", "people")]
    assert not await Process.exists(id=leaving.process)
    assert await is_recent(who(alice))


# Telling.


async def test_only_the_first_room_and_the_last_change_who_is_online(
    alice: Person, bob: Person, room: Room, clock: Clock, told: list[set[int]]
) -> None:
    here = await process()
    for person in (alice, bob):
        here.stream_opened(who(person).id, room.id)
    await here.write_changes()
    assert told == [{who(alice).id, who(bob).id}]
    here.stream_opened(who(alice).id, NO_ROOM)
    await here.write_changes()
    here.stream_closed(who(alice).id, room.id)
    clock.go(GRACE_SECONDS + 1)
    await here.write_changes()
    assert told[1:] == []
    here.stream_closed(who(alice).id, NO_ROOM)
    here.leave_everywhere(who(bob).id)
    here.stream_closed(who(bob).id, room.id)
    clock.go(GRACE_SECONDS + 1)
    await here.write_changes()
    assert told[1:] == [{who(alice).id, who(bob).id}]


async def test_presence_is_broadcast_in_slices(monkeypatch: pytest.MonkeyPatch, told: list[set[int]]) -> None:
    rung: list[str] = []
    monkeypatch.setattr(hub().bridge, "send", lambda text, key="", channel="": rung.append(text))
    broadcasts.changed(range(1, 2 * BATCH_SIZE + 2))
    assert [len(users) for users in told] == [BATCH_SIZE, BATCH_SIZE, 1]
    assert len(rung) == 3
    told.clear()
    for text in rung:
        hub().bridge.on_message(text)
    assert set().union(*told) == set(range(1, 2 * BATCH_SIZE + 2))


@pytest.mark.parametrize("text", ['{"news": "presence"}', '{"news": "presence", "users": "1,x"}'])
async def test_news_that_can_not_be_read_harm_nobody(told: list[set[int]], text: str) -> None:
    hub().bridge.on_message(text)
    assert told == []


async def test_the_people_of_a_dead_process_are_broadcast(
    alice: Person, room: Room, clock: Clock, told: list[set[int]], touched: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    one, dead = await process(), await process()
    dead.stream_opened(who(alice).id, room.id)
    await dead.write_changes()
    await dies(dead)
    told.clear()
    touched.clear()
    heard = asyncio.Event()
    hear(monkeypatch, lambda users: heard.set())
    monkeypatch.setattr(attendances, "RENEW_SECONDS", 0.01)
    renewing = asyncio.create_task(one.renew())
    async with asyncio.timeout(5):
        await heard.wait()
    renewing.cancel()
    assert told == [{who(alice).id}]
    assert touched == [(f"room:{room.id}", "people")]


# Invisible.


async def choose(person: Person, **shows: str) -> None:
    answer = await person.post("/settings/privacy", {"found_by": "everyone", "written_by": "friends", **shows})
    assert answer.status_code == 303


def said(page: Any) -> str:
    [line] = re.findall(r'<p id="people".*?</p>', page.text, re.S)
    return html.unescape(re.sub(r"<[^>]+>", "", line)).strip()


async def test_a_person_who_hides_presence_is_in_no_list_and_no_count(alice: Person, bob: Person, room: Room) -> None:
    for person in (alice, bob):
        await person.get(room.path)
    await tracker().write_changes()
    assert said(await alice.get(room.path)) == "2 here · Alice · Bob"
    await choose(bob)
    for person in (alice, bob):
        assert said(await person.get(room.path)) == "1 here · Alice"
    frame = (await broadcasts.people([room.id]))[room.id].in_language("en")
    assert b"Bob" not in frame.sse + frame.html
    assert b"1 here" in frame.sse
    assert b"1 here" in frame.html
    await choose(bob, shows_presence="1")
    assert said(await alice.get(room.path)) == "2 here · Alice · Bob"


async def test_a_privacy_choice_is_broadcast_once_and_only_where_it_changes(
    alice: Person, room: Room, clock: Clock, told: list[set[int]], touched: list[tuple[str, str]]
) -> None:
    here = await process()
    here.stream_opened(who(alice).id, room.id)
    here.stream_opened(who(alice).id, NO_ROOM)
    await here.write_changes()
    told.clear()
    touched.clear()
    await choose(alice, shows_presence="1")
    assert (told, touched) == ([], [])
    await choose(alice)
    assert told == [{who(alice).id}]
    assert touched == [(f"room:{room.id}", "people")]


async def test_open_pages_show_the_choice_within_seconds(alice: Person, bob: Person, room: Room) -> None:
    tracker().stream_opened(who(bob).id, room.id)
    page = open_reader(room.id, 0, "sse", room.path, session=alice.session.id, user=who(alice).id)
    hub().join(page)
    shown: list[str] = []

    async def until(text: str) -> None:
        async with asyncio.timeout(5):
            async for chunk in page.outbox:
                shown.append(chunk.decode())
                if text in shown[-1]:
                    return

    await until("1 here")
    assert "Bob" in shown[-1]
    await choose(bob)
    await until("0 here")
    assert "Bob" not in shown[-1]
    hub().leave(page)
    tracker().stream_closed(who(bob).id, room.id)


# Writing.


def statements(caught: pytest.LogCaptureFixture) -> list[str]:
    """What was written, but for the leases, which the application renews meanwhile."""
    said = [str(record.args[0] if isinstance(record.args, tuple) else record.msg) for record in caught.records]
    return [text for text in said if text.startswith(("INSERT", "UPDATE", "DELETE")) and "INTO process" not in text]


async def test_a_hundred_rooms_are_written_in_as_many_statements_as_one(
    alice: Person, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    users = [await account(f"person-{number}") for number in range(10)]
    await User.all().update(last_seen_at=LONG_AGO)
    here = await process()
    places = {(user.id, room) for user in users for room in range(1, 101)}
    assert len(places) == 2 * BATCH_SIZE
    caplog.set_level("DEBUG", "tortoise.db_client")
    for place in places:
        here.stream_opened(*place)
    caplog.clear()
    await here.write_changes()
    assert len(statements(caplog)) == 2
    assert await visits(here) == places
    for place in places:
        here.stream_closed(*place)
    clock.go(GRACE_SECONDS + 1)
    caplog.clear()
    await here.write_changes()
    assert len(statements(caplog)) == 3, "two for the visits and one for when they were seen"
    assert await visits(here) == set()
    assert all([await is_recent(user) for user in users])


async def test_only_who_went_is_deleted(alice: Person, bob: Person, clock: Clock) -> None:
    one, other = await process(), await process()
    kept = {(who(alice).id, 2), (who(bob).id, 1), (who(bob).id, 2)}
    for each in (one, other):
        await Visit.apply_changes(each.process, kept | {(who(alice).id, 1)}, [])
    await Visit.apply_changes(one.process, [(who(bob).id, 3)], [(who(alice).id, 1), (who(alice).id, 7)])
    assert await visits(one) == kept | {(who(bob).id, 3)}
    assert await visits(other) == kept | {(who(alice).id, 1)}


async def test_a_deleted_account_does_not_stop_writing_the_others(alice: Person, clock: Clock) -> None:
    here = await process()
    gone = await account("gone")
    here.stream_opened(gone.id, 1)
    here.stream_opened(who(alice).id, 1)
    await gone.delete()
    await here.write_changes()
    assert await visits(here) == {(who(alice).id, 1)}


async def test_a_batch_that_fails_is_written_whole_the_next_time(
    alice: Person, bob: Person, clock: Clock, told: list[set[int]]
) -> None:
    here = await process()
    here.stream_opened(who(alice).id, 1)
    await here.write_changes()
    here.leave_now(who(alice).id, 1)
    here.stream_closed(who(alice).id, 1)
    here.stream_opened(who(bob).id, 1)
    clock.go(1)
    process_id, here.process = here.process, "no such process"
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        await here.write_changes()
    here.process = process_id
    assert await visits(here) == {(who(alice).id, 1)}
    assert told == [{who(alice).id}]
    await here.write_changes()
    assert await visits(here) == {(who(bob).id, 1)}
    assert told[1:] == [{who(alice).id, who(bob).id}]


# Grace.


async def test_a_page_that_changes_does_not_flicker(
    alice: Person, room: Room, clock: Clock, told: list[set[int]], touched: list[tuple[str, str]]
) -> None:
    here = await process()
    here.stream_opened(who(alice).id, room.id)
    await here.write_changes()
    told.clear()
    touched.clear()
    here.stream_closed(who(alice).id, room.id)
    clock.go(GRACE_SECONDS - 0.5)
    await here.write_changes()
    assert await names(room) == ["Alice"]
    here.stream_opened(who(alice).id, room.id)
    clock.go(GRACE_SECONDS)
    await here.write_changes()
    assert await names(room) == ["Alice"]
    assert (told, touched) == ([], [])


async def test_a_person_who_closes_every_page_is_offline_right_after_the_grace(
    alice: Person, room: Room, clock: Clock
) -> None:
    here = await process()
    assert here.seconds_to_next() is None
    here.stream_opened(who(alice).id, room.id)
    assert here.seconds_to_next() is None
    here.record_request(who(alice).id, NO_ROOM)
    assert here.seconds_to_next() == READING_SECONDS
    here.stream_closed(who(alice).id, room.id)
    clock.go(1)
    assert here.seconds_to_next() == GRACE_SECONDS - 1
    assert GRACE_SECONDS + 2 * WRITE_SECONDS <= 6, "and a second for the room's own pause"


async def test_the_writing_task_wakes_when_the_first_grace_is_over(
    alice: Person, room: Room, monkeypatch: pytest.MonkeyPatch, told: list[set[int]]
) -> None:
    monkeypatch.setattr(attendances, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(attendances, "WRITE_SECONDS", 0.01)
    heard: asyncio.Queue[set[int]] = asyncio.Queue()
    hear(monkeypatch, heard.put_nowait)
    here = PresenceTracker()
    async with here.running(), asyncio.timeout(4):  # a renewal would take longer
        here.stream_opened(who(alice).id, room.id)
        assert await heard.get() == {who(alice).id}
        here.stream_closed(who(alice).id, room.id)
        assert await heard.get() == {who(alice).id}
        assert await names(room) == []


async def test_who_is_here_leads_to_the_people_of_the_room(room: Room, alice: Person) -> None:
    await gather(room, "Ada")
    page = Page(await alice.get(room.path))
    assert page.one("#people .people__count").attributes["href"] == "?people=1"
    answer = await alice.get(f"{room.path}?people=1")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{room.path}/people")


async def test_people_with_a_picture_are_here_with_it(room: Room, alice: Person) -> None:
    await gather(room, "Ada", "Ben")
    await User.filter(display_name="Ada").update(picture="a" * 32)
    page = Page(await alice.get(room.path))
    assert len(page.all("#people .people__name img")) == 1
