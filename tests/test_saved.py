"""Saved messages: whose they are, what is listed of them, and what goes with the right to read it."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from tests.conftest import Person
from tests.message_pages import fill, message
from tests.page import Page, words
from tests.people import chat_of_two, who
from tests.room_acts import change, kick
from webapp.conversations.models import Membership, Room
from webapp.messages.models import Message, Saved
from webapp.messages.retention import delete_closed_rooms
from webapp.messages.saved_queries import PAGE_SIZE


async def save(one: Person, room: Room, number: int = 1, act: str = "save", **headers: str) -> httpx2.Response:
    return await one.post(f"{room.path}/messages/{number}/{act}", **headers)


async def numbers() -> list[tuple[str, int]]:
    """What the database holds: who has saved which message, in order."""
    rows = await Saved.all().order_by("id").values_list("user__username", "message__number")
    return [tuple(row) for row in rows]


async def listed(one: Person, query: str = "") -> list[str]:
    page = await one.get(f"/saved{query}")
    assert page.status_code == 200
    return Page(page).texts(".listed .quote")


async def test_a_message_is_saved_for_oneself_alone_and_listed_the_latest_first(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, bob, 3)
    assert "Nothing is saved yet." in words(await alice.get("/saved"))
    for number in (2, 1, 2):
        done = await save(alice, room, number)
        assert (done.status_code, done.headers["Location"]) == (303, f"{room.path}/messages/{number}/edit#more")
    assert await listed(alice) == ["line 1", "line 2"]
    assert await listed(bob) == []
    assert await numbers() == [("alice", 2), ("alice", 1)]
    entry = Page(await alice.get("/saved")).all(".listed")[0]
    assert {link.attributes["href"] for link in entry.css("a")} == {room.path, f"{room.path}/messages/1"}
    assert "You have saved this message." in words(await alice.get(f"{room.path}/messages/2/edit"))
    assert "You have saved this message." not in words(await bob.get(f"{room.path}/messages/2/edit"))


async def test_what_is_saved_is_taken_from_the_list_there_and_at_the_message(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, bob, 2)
    for number in (1, 2):
        await save(alice, room, number)
        await save(bob, room, number)
    done = await alice.post(f"{room.path}/messages/1/unsave", {"from": "saved"})
    assert (done.status_code, done.headers["Location"]) == (303, "/saved")
    for _ in range(2):
        assert (await save(alice, room, 2, "unsave")).status_code == 303
    assert await listed(alice) == []
    assert await numbers() == [("bob", 1), ("bob", 2)]


async def test_script_is_answered_with_the_word_for_it(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    saved = await save(bob, room, HX_Request="true")
    assert (saved.status_code, words(saved)) == (200, "Saved. You find it under “You”.")
    acts = Page(await bob.get(f"{room.path}/messages/1/edit", HX_Request="true"))
    assert acts.one(".act--more").attributes["action"] == f"{room.path}/messages/1/unsave"
    unsaved = await save(bob, room, act="unsave", HX_Request="true")
    assert (unsaved.status_code, words(unsaved)) == (200, "Not saved any more.")


async def test_saving_reaches_no_open_page_and_no_sidebar(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    before = await Room.get(id=room.id)
    await save(alice, room)
    after = await Room.get(id=room.id)
    assert (after.version, after.last_at) == (before.version, before.last_at)


async def test_the_same_message_is_saved_once_by_two_presses_at_once(bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    done = await asyncio.gather(*(save(bob, room) for _ in range(5)))
    assert {answer.status_code for answer in done} == {303}
    assert await numbers() == [("bob", 1)]


async def test_the_list_has_pages(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, PAGE_SIZE + 2)
    rows = await Message.filter(room_id=room.id).order_by("number")
    now = datetime.now(UTC)
    for row in rows:
        await Saved.create(user_id=who(alice).id, message_id=row.id, saved_at=now)
    first = Page(await alice.get("/saved"))
    assert len(first.all(".listed")) == PAGE_SIZE
    more = first.one("a[rel=next]").attributes["href"] or ""
    assert re.fullmatch(r"/saved\?before=\d+", more)
    assert await listed(alice, more.removeprefix("/saved")) == ["line 2", "line 1"]
    for odd in ("?before=0", "?before=x", f"?before={10**30}"):
        assert (await alice.get(f"/saved{odd}")).status_code == 200


# What nobody may.


async def test_nothing_is_saved_that_is_not_there(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await bob.post(f"{room.path}/messages/1/remove")
    for number in (0, 1, 2, 10**17):
        for headers in ({}, {"HX_Request": "true"}):
            assert (await save(alice, room, number, **headers)).status_code == 404
    assert (await alice.post("/rooms/nowhere/messages/1/save")).status_code == 404
    assert await numbers() == []


async def test_only_who_may_read_a_chat_saves_what_stands_there(alice: Person, bob: Person, charlie: Person) -> None:
    chat = await chat_of_two(alice, bob)
    assert (await save(charlie, chat)).status_code == 404
    assert (await save(bob, chat)).status_code == 303
    assert await listed(bob) == ["between us"]
    assert "Alice" in Page(await bob.get("/saved")).one(".listed__head").text()


async def test_a_visitor_is_led_to_sign_in(visitor: Person, room: Room) -> None:
    assert (await visitor.get("/saved")).headers["Location"] == "/login?next=%2Fsaved"
    assert (await visitor.post(f"{room.path}/messages/1/save")).status_code == 303


# What goes.


async def test_what_is_removed_is_no_more_in_the_lists_of_who_saved_it(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 2)
    for number in (1, 2):
        await save(alice, room, number)
    await bob.post(f"{room.path}/messages/1/remove")
    assert await listed(alice) == ["line 2"]
    assert await numbers() == [("alice", 2)]


async def test_what_is_edited_is_listed_as_it_is_now(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await save(alice, room)
    await bob.post(f"{room.path}/messages/1/edit", {"body": "better"})
    assert await listed(alice) == ["better"]


async def test_a_deleted_room_takes_what_was_saved_of_it_along(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await save(bob, room)
    await change(alice, room, "delete", name=room.name)
    assert await listed(bob) == []
    await delete_closed_rooms()
    assert await numbers() == []


async def test_who_is_kicked_sees_what_they_saved_when_they_may_come_back(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, alice, 1)
    await save(bob, room)
    assert (await kick(alice, room, bob)).status_code == 303
    assert await listed(bob) == []
    past = datetime.now(UTC) - timedelta(minutes=1)
    await Membership.filter(room_id=room.id, user_id=who(bob).id).update(kicked_until=past)
    assert await listed(bob) == ["line 1"]


async def test_who_is_in_a_private_room_no_more_has_nothing_of_it(alice: Person, bob: Person) -> None:
    chat = await chat_of_two(alice, bob)
    await save(bob, chat)
    await Membership.filter(room_id=chat.id, user_id=who(bob).id).delete()
    assert await listed(bob) == []
    assert (await save(bob, chat, act="unsave")).status_code == 404


async def test_the_words_of_whom_one_has_blocked_are_hidden_but_for_the_chat_with_them(
    alice: Person, bob: Person, room: Room
) -> None:
    chat = await chat_of_two(alice, bob)
    await fill(room, alice, 1)
    await save(bob, room)
    await save(bob, chat)
    await bob.post(f"/people/{who(alice).code}/block")
    assert await listed(bob) == ["between us"]
    assert "Message of somebody you blocked." in words(await bob.get("/saved"))


async def test_what_an_account_saved_goes_with_it(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, alice, 1)
    await save(bob, room)
    await save(alice, room)
    await who(bob).delete()
    assert await numbers() == [("alice", 1)]
    assert (await message(room)).id


@pytest.mark.parametrize("path", ["/rooms/tea-cake/messages/1/save", "/rooms/tea-cake/messages/1/unsave"])
async def test_saving_takes_a_post(alice: Person, room: Room, path: str) -> None:
    assert (await alice.get(path)).status_code == 405
