"""Who is typing: said at once, shown for a while, and only as somebody wants it."""

import asyncio

import pytest

from tests.conftest import Person
from tests.readers import reader as open_reader
from webapp.accounts.models import User
from webapp.conversations.models import Room
from webapp.live import Reader, hub
from webapp.live.states import Pace
from webapp.messages import typing


@pytest.fixture
async def page(alice: Person, room: Room) -> Reader:
    """Alice's open page, which reads along."""
    assert alice.user
    reader = open_reader(room.id, 0, "sse", session=alice.session.id, user=alice.user.id)
    hub().join(reader)
    return reader


async def hears(reader: Reader, words: str, not_words: str = "\0") -> str:
    """Everything from now on until the words come."""
    heard = ""
    async with asyncio.timeout(5):
        async for chunk in reader.outbox:
            heard += chunk.decode()
            if words in heard and not_words not in heard.rsplit("#typing", 1)[-1]:
                return heard
    raise AssertionError(heard)


async def test_one_who_types_is_named_at_the_others(bob: Person, room: Room, page: Reader) -> None:
    answer = await bob.post(f"{room.path}/typing")
    assert answer.status_code == 204
    assert bob.user
    heard = await hears(page, "is typing")
    assert f'data-author="{bob.user.code}"><bdi>Bob</bdi> is typing' in heard
    assert "id:" not in heard.split('hx-target="#typing"')[0].rsplit("\n\n", 1)[-1]


async def test_typing_ends_when_the_message_is_there(
    bob: Person, room: Room, page: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.live.states.PROMPT", Pace(0.0, 0.0))
    await bob.post(f"{room.path}/typing")
    await hears(page, "is typing")
    await bob.say(room, "there it is")
    await hears(page, 'hx-target="#typing"', not_words="is typing")


async def test_typing_ends_after_a_while_by_itself(
    bob: Person, room: Room, page: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.live.states.PROMPT", Pace(0.0, 0.0))
    monkeypatch.setattr(typing, "VISIBLE_SECONDS", 0.01)
    await bob.post(f"{room.path}/typing")
    await hears(page, 'hx-target="#typing"', not_words="is typing")


async def test_four_who_type_are_three_names_and_others(bob: Person, room: Room) -> None:
    people = {f"CODE-{number}": f"Person {number}" for number in range(4)}
    html = typing.typing_frame(people).in_language("en").sse.decode()
    assert html.count("is typing") == 3
    assert "and others" in html
    assert "typing</span><span" not in html, "without styles it would be one word"


async def test_names_are_shown_as_they_are_written(bob: Person, room: Room) -> None:
    assert "<script>" not in typing.typing_frame({"CODE-1": "<script>"}).in_language("en").sse.decode()


async def test_a_person_who_hides_typing_is_not_shown(bob: Person, room: Room, page: Reader) -> None:
    assert bob.user
    await User.filter(id=bob.user.id).update(shows_typing=False)
    assert (await bob.post(f"{room.path}/typing")).status_code == 204
    assert not typing.typists().get(room.id)


async def test_signals_that_come_too_often_are_passed_over(
    bob: Person, room: Room, page: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    monkeypatch.setattr(hub(), "broadcast", lambda kind, **facts: (told.append(kind), typing.on_typing(**facts)))
    for _ in range(10):
        await bob.post(f"{room.path}/typing")
    assert told == ["typing"]


@pytest.mark.parametrize(("who", "status"), [("visitor", 303), ("charlie", 204)])
async def test_who_may_read_may_type(
    request: pytest.FixtureRequest, room: Room, visitor: Person, charlie: Person, who: str, status: int
) -> None:
    person = {"visitor": visitor, "charlie": charlie}[who]
    assert (await person.post(f"{room.path}/typing")).status_code == status
    assert (await person.post("/rooms/nowhere/typing")).status_code in (303, 404)
    assert (await person.get(f"{room.path}/typing")).status_code == 405


async def test_in_a_locked_room_nobody_but_the_owner_types(alice: Person, bob: Person, room: Room) -> None:
    await Room.set_locked(room.id, True)
    assert (await bob.post(f"{room.path}/typing")).status_code == 403
    assert (await alice.post(f"{room.path}/typing")).status_code == 204


async def test_a_channel_without_readers_holds_nothing(bob: Person, room: Room) -> None:
    await bob.post(f"{room.path}/typing")
    assert not typing.typists().get(room.id)


async def test_an_open_page_reports_as_often_as_a_report_needs(bob: Person, room: Room) -> None:
    """The composer has the figure in its HTML."""
    assert f"throttle:{typing.REPORT_SECONDS:g}s" in (await bob.get(room.path)).text
    assert typing.REPORT_SECONDS < typing.VISIBLE_SECONDS, "or the name would flicker"
