"""An open inbox loads its lines again when something in it has changed, once a second at most."""

import asyncio
from time import time

import pytest

from tests.conftest import Person
from tests.inbox_pages import call
from tests.page import Page
from tests.people import who
from tests.readers import reader as open_reader
from tests.readers import until_sent
from webapp.conversations.models import Room
from webapp.live import Reader, hub, states
from webapp.messages.models import Mention
from webapp.sidebar.inbox_news import FRESH_SECONDS, STATE, InboxStreams

SIGNAL = "event: inbox\n"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No page waits for the next second."""
    monkeypatch.setattr(states, "CALM", states.Pace(0.0, 0.0))


def open_inbox(one: Person, made_at: float | None = None) -> Reader:
    labels = {"session": one.session.id, "user": who(one).id, STATE: int(time() if made_at is None else made_at)}
    page = open_reader(None, None, "sse", "/inbox", states={STATE}, **labels)
    page.digest = "x"
    hub().join(page)
    return page


async def react(one: Person, room: Room, number: int, kind: str = "🎉", on: str = "1") -> None:
    answer = await one.post(f"{room.path}/messages/{number}/reactions", {"kind": kind, "on": on})
    assert answer.status_code == 303


async def test_what_calls_its_person_and_what_is_said_in_their_rooms(alice: Person, bob: Person, room: Room) -> None:
    page = open_inbox(bob)
    await until_sent(page, "#entries")  # its list is another than the page's
    await call(bob, room, alice, "hello @bob")
    hub().publish_version(f"room:{room.id}", 1)
    await until_sent(page, SIGNAL)
    hub().leave(page)


async def test_a_reaction_to_what_its_person_said_that_comes_or_goes(alice: Person, bob: Person, room: Room) -> None:
    await bob.say(room, "cake")
    await alice.say(room, "tea")
    page, others = open_inbox(bob), open_inbox(alice)
    for reader in (page, others):
        await until_sent(reader, "#entries")
    for on in ("1", "0"):
        await react(alice, room, 1, on=on)
        await until_sent(page, SIGNAL)
    # Nothing to who reacted, nor where somebody reacts to words of their own.
    await react(alice, room, 2)
    await react(bob, room, 2)
    assert (await until_sent(others, SIGNAL)).count(SIGNAL) == 1
    for reader in (page, others):
        hub().leave(reader)


async def test_words_that_call_them_by_an_edit_and_that_are_removed(alice: Person, bob: Person, room: Room) -> None:
    await alice.say(room, "tea")
    await alice.say(room, "the last one, which lists show")
    page = open_inbox(bob)
    await until_sent(page, "#entries")
    for body, calls in (("tea, @bob", 1), ("no tea", 0), ("tea after all, @bob", 1)):
        assert (await alice.post(f"{room.path}/messages/1/edit", {"body": body})).status_code == 303
        assert await Mention.filter(user_id=who(bob).id).count() == calls
        await until_sent(page, SIGNAL)
    await alice.post(f"{room.path}/messages/1/remove")
    await until_sent(page, SIGNAL)
    hub().leave(page)


async def test_a_storm_is_one_reading_and_one_more_after_the_pause(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "CALM", states.Pace(3600.0, 3600.0))
    await bob.say(room, "cake")
    page = open_inbox(bob)
    sent = await until_sent(page, "#entries")
    for kind in ("👍", "❤️", "😂", "🎉", "😮", "😢"):
        await react(alice, room, 1, kind)
    # What bob himself said may have been it.
    sent += "" if SIGNAL in sent else await until_sent(page, SIGNAL)
    for _ in range(20):
        await asyncio.sleep(0)
    assert (sent + page.outbox.take().decode()).count(SIGNAL) == 1
    hub().leave(page)


async def test_the_pace_is_one_second_however_few_read(alice: Person) -> None:
    """What is marked again meanwhile is read when the second is over."""
    queue = states.Due[int](lambda numbers: asyncio.sleep(0), 10, lambda number: 1)
    calm = states.Pace(1.0, 1.0)
    queue.keys[7] = None
    assert queue.take(100.0, calm) == [7]
    queue.keys[7] = None
    assert queue.take(100.9, calm) == []
    assert queue.take(101.1, calm) == [7]


@pytest.mark.parametrize(("seconds", "is_told"), [(0, False), (FRESH_SECONDS + 5, True), (-3600, True)])
async def test_a_page_that_was_away_loads_its_lines_again(bob: Person, seconds: int, is_told: bool) -> None:
    page = open_inbox(bob, made_at=time() - seconds)
    page.outbox.take()
    InboxStreams().opened(page)
    assert (SIGNAL.encode() in page.outbox.pending) is is_told
    hub().leave(page)


async def test_the_page_brings_when_it_was_made_and_waits_for_news(bob: Person) -> None:
    page = Page(await bob.get("/inbox"))
    assert f"&{STATE}={int(time())}"[:-2] in page.one("#stream").attributes["hx-sse:connect"]
    assert "inbox from:#stream" in page.one("#inbox").attributes["hx-trigger"]
