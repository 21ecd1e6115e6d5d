"""What is read at about the same time is written together, once, and no mark goes back."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import pytest
from tortoise.exceptions import OperationalError
from tortoise.transactions import in_transaction

from tests.conftest import Person
from tests.people import who
from tests.query_recorder import recorded_queries
from webapp.conversations import read_marks as module
from webapp.conversations.models import Membership, Room
from webapp.conversations.read_marks import ALL, ReadMarks, advance, read_marks
from webapp.db import sql, transaction
from webapp.live import hub
from webapp.sidebar.queries import list_entries


async def read_number(one: Person, room: Room) -> int:
    return (await Membership.get(user_id=who(one).id, room_id=room.id)).read_number


async def write_three(alice: Person, room: Room) -> None:
    for words in ("one", "two", "three"):
        await alice.say(room, words)


@contextmanager
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    news: list[dict[str, Any]] = []
    monkeypatch.setattr(hub(), "broadcast_reliably", lambda kind, **facts: news.append({"kind": kind, **facts}))
    yield news
    monkeypatch.undo()


def places(news: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(one["user"], one["room"]) for one in news if one["kind"] == "place"]


async def test_marks_of_many_are_written_in_one_statement(
    alice: Person, bob: Person, room: Room, soup: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write_three(alice, room)
    await write_three(alice, soup)
    bobs = who(bob).id
    marks = ReadMarks()
    with published(monkeypatch) as news:
        asked = [(room.id, 1), (soup.id, 2), (room.id, 3), (room.id, 2), (soup.id, 2)]
        with recorded_queries() as queries:
            await asyncio.gather(*(marks.mark(bobs, number, to, has_receipts=False) for number, to in asked))
    assert len(queries) == 1
    assert (await read_number(bob, room), await read_number(bob, soup)) == (3, 2)
    assert sorted(places(news)) == sorted([(bobs, room.id), (bobs, soup.id)])


async def test_a_mark_never_goes_back_nor_beyond_the_newest_message(alice: Person, bob: Person, room: Room) -> None:
    await write_three(alice, room)
    place = who(bob).id, room.id
    assert await advance({place: 2}) == [place]
    assert await advance({place: 1}) == await advance({place: 2}) == []
    assert await read_number(bob, room) == 2
    assert await advance({place: ALL}) == [place]
    assert await read_number(bob, room) == 3
    assert await advance({place: ALL}) == []


async def test_more_marks_than_one_statement_takes_are_all_written(alice: Person, bob: Person, room: Room) -> None:
    await write_three(alice, room)
    place = who(bob).id, room.id
    strangers = {(10**6 + user, room.id): 1 for user in range(2 * sql.BATCH_SIZE)}
    assert await advance(strangers | {place: 1}) == [place]


async def test_a_cancelled_request_leaves_its_mark(alice: Person, bob: Person, room: Room) -> None:
    await write_three(alice, room)
    request = asyncio.create_task(read_marks().mark(who(bob).id, room.id, 3, has_receipts=False))
    await asyncio.sleep(0)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    await transaction.drain()
    assert await read_number(bob, room) == 3


async def test_a_mark_that_waits_is_written_when_the_process_ends(
    alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write_three(alice, room)
    monkeypatch.setattr(read_marks(), "next_at", asyncio.get_running_loop().time() + module.PAUSE_SECONDS)
    waiting = read_marks().add(who(bob).id, room.id, 3, has_receipts=False)
    assert not waiting.done()
    await transaction.drain()
    assert await read_number(bob, room) == 3


@pytest.fixture
async def waiting(alice: Person, bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch) -> "asyncio.Task[None]":
    """Bob has read the third message a moment ago, and nothing would write it for an hour."""
    await write_three(alice, room)
    await read_marks().mark(who(bob).id, room.id, 1, has_receipts=False)
    monkeypatch.setattr(read_marks(), "next_at", asyncio.get_running_loop().time() + 3600)
    return read_marks().add(who(bob).id, room.id, 3, has_receipts=False)


async def test_a_page_after_reading_shows_it_as_read(bob: Person, room: Room, waiting: "asyncio.Task[None]") -> None:
    assert read_marks().pending(who(bob).id, room.id) == 3
    entries = (await list_entries(who(bob).id)).entries
    assert [entry.unread for entry in entries if entry.room_id == room.id] == [0]
    assert waiting.done()


async def test_the_page_of_the_room_after_reading_has_no_line_of_new_messages(
    bob: Person, room: Room, waiting: "asyncio.Task[None]"
) -> None:
    assert 'id="new"' not in (await bob.get(room.path)).text
    await waiting


async def test_what_is_marked_as_unread_after_reading_stays_unread(
    bob: Person, room: Room, waiting: "asyncio.Task[None]"
) -> None:
    assert (await bob.post(f"{room.path}/settings", {"do": "unread", "number": "2"})).status_code == 303
    await waiting
    assert await read_number(bob, room) == 1


async def test_nobody_waits_for_the_marks_of_others(alice: Person, waiting: "asyncio.Task[None]") -> None:
    await list_entries(who(alice).id)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])


async def test_marks_of_a_deleted_account_or_of_one_who_left_are_dropped(
    alice: Person, bob: Person, room: Room, waiting: "asyncio.Task[None]"
) -> None:
    carol = 10**6
    read_marks().add(carol, room.id, 3, has_receipts=True)
    read_marks().add(who(alice).id, 10**6, 3, has_receipts=True)
    await Membership.filter(user_id=who(bob).id, room_id=room.id).delete()
    await read_marks().settle(carol)
    assert waiting.exception() is None
    assert not await Membership.exists(user_id=who(bob).id, room_id=room.id)


async def test_who_waits_hears_that_the_database_is_away(
    bob: Person, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(numbers: object) -> list[tuple[int, int]]:
        raise OperationalError("away")

    monkeypatch.setattr(module, "advance", fails)
    marks = ReadMarks()
    answers = await asyncio.gather(
        *(marks.mark(who(bob).id, room.id, 1, has_receipts=False) for _ in range(2)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [OperationalError] * 2


@pytest.mark.postgresql
async def test_rows_that_others_hold_are_written_when_they_are_free(
    alice: Person, bob: Person, room: Room, soup: Room
) -> None:
    await write_three(alice, room)
    await write_three(alice, soup)
    held, free = (who(bob).id, room.id), (who(bob).id, soup.id)
    outside = copy_context()
    async with in_transaction("default"):
        await sql.execute("UPDATE membership SET muted = muted WHERE user_id = ? AND room_id = ? RETURNING id", *held)
        writing = asyncio.get_running_loop().create_task(advance({held: 3, free: 3}), context=outside)
        async with asyncio.timeout(5):
            while await read_number(bob, soup) < 3:
                await asyncio.sleep(0.01)
        assert not writing.done()
        # Who holds one row may ask for another of them: nobody waits in a circle.
        await sql.execute("UPDATE membership SET muted = muted WHERE user_id = ? AND room_id = ? RETURNING id", *free)
    assert sorted(await writing) == sorted([held, free])
    assert (await read_number(bob, room), await read_number(bob, soup)) == (3, 3)


async def test_two_processes_that_mark_the_same_publish_it_once(alice: Person, bob: Person, room: Room) -> None:
    await write_three(alice, room)
    place = who(bob).id, room.id
    written = await asyncio.gather(*(advance({place: 3}) for _ in range(8)))
    assert [one for places in written for one in places] == [place]
