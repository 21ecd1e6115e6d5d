"""Pins: who may pin, how many, what a room shows of them, and what open pages are sent."""

import asyncio
from datetime import UTC, datetime

import httpx2
import pytest

from tests.conftest import Person
from tests.message_pages import fill
from tests.page import Page, words
from tests.people import chat_of_two, now, who
from tests.readers import reader, until_sent
from tests.room_acts import change, kick
from webapp.conversations import access
from webapp.conversations.models import Membership, Room
from webapp.core.errors import Forbidden, NotFound
from webapp.db import sql
from webapp.live import Reader, hub
from webapp.messages import pins
from webapp.messages.models import Message, Pin
from webapp.messages.pin_queries import MAX_PINS


async def pin(one: Person, room: Room, number: int = 1, act: str = "pin", **headers: str) -> httpx2.Response:
    return await one.post(f"{room.path}/messages/{number}/{act}", **headers)


async def status(one: Person, room: Room, number: int = 1, act: str = "pin") -> int:
    return (await pin(one, room, number, act)).status_code


async def pinned(room: Room) -> list[tuple[int, str | None]]:
    """What the database holds: number, and who pinned it, in order."""
    rows = await Pin.filter(room_id=room.id).order_by("id").values_list("number", "pinned_by__username")
    assert (await now(room)).pin_count == len(rows)
    return [tuple(row) for row in rows]


def card(page: httpx2.Response) -> str:
    return words(Page(page).one("#pins"))


async def listed(one: Person, room: Room) -> list[str]:
    return Page(await one.get(f"{room.path}/pins")).texts(".listed .quote")


async def fill_pins(room: Room, count: int) -> None:
    """Pin so many of the room's messages, from the first."""
    at = datetime.now(UTC)
    for message in await Message.filter(room_id=room.id, number__lte=count).order_by("number"):
        await Pin.create(room_id=room.id, message_id=message.id, number=message.number, pinned_at=at)
    await Room.filter(id=room.id).update(pin_count=count)


# Pinning.


async def test_what_is_pinned_stands_in_the_room_in_the_same_bytes_for_everybody(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await fill(room, bob, 3)
    assert card(await bob.get(room.path)) == ""
    for number in (3, 1):
        done = await pin(alice, room, number)
        assert (done.status_code, done.headers["Location"]) == (303, f"{room.path}/pins")
    pages = [Page(await one.get(room.path)).one("#pins") for one in (alice, bob, charlie)]
    assert len({page.html for page in pages}) == 1
    assert words(pages[0]) == "2 pinned Bob line 1"
    links = [link.attributes["href"] for link in pages[0].css("a")]
    assert links == [f"{room.path}/pins", f"{room.path}/messages/1"]
    assert await listed(charlie, room) == ["line 1", "line 3"]
    assert "Pinned by Alice on" in words(await bob.get(f"{room.path}/pins"))
    assert "2 pinned messages" in words(await bob.get(f"{room.path}/settings"))
    assert await pinned(room) == [(3, "alice"), (1, "alice")]


async def test_pinning_is_a_wish_not_a_toggle(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    for _ in range(2):
        assert await status(alice, room) == 303
    assert await pinned(room) == [(1, "alice")]
    assert "Unpin" in Page(await alice.get(f"{room.path}/messages/1/edit")).texts("button")
    for _ in range(2):
        assert await status(alice, room, act="unpin") == 303
    assert await pinned(room) == []
    assert "Pin for everybody" in Page(await alice.get(f"{room.path}/messages/1/edit")).texts("button")
    assert "Nothing is pinned here." in words(await alice.get(f"{room.path}/pins"))


async def test_script_is_answered_with_the_word_for_it(alice: Person, room: Room) -> None:
    await fill(room, alice, 1)
    assert words(await pin(alice, room, HX_Request="true")) == "Pinned for everybody here."
    assert words(await pin(alice, room, act="unpin", HX_Request="true")) == "Not pinned any more."


async def test_pinning_takes_no_version_and_is_no_news_in_lists(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    before = await now(room)
    await pin(alice, room)
    after = await now(room)
    assert (after.version, after.last_at, after.last_line) == (before.version, before.last_at, before.last_line)


async def test_the_fifty_first_is_refused_and_fits_when_one_is_unpinned(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, MAX_PINS + 1)
    await fill_pins(room, MAX_PINS)
    for headers in ({}, {"HX_Request": "true"}):
        refused = await pin(alice, room, MAX_PINS + 1, **headers)
        assert refused.status_code == 403
        assert "50 messages are pinned here, which is the most. Unpin one of them first." in words(refused)
    assert await status(alice, room, 7) == 303  # which is pinned
    assert len(await pinned(room)) == MAX_PINS
    await pin(alice, room, 7, "unpin")
    assert await status(alice, room, MAX_PINS + 1) == 303
    assert len(await listed(bob, room)) == MAX_PINS


async def test_of_several_pins_at_once_only_as_many_are_stored_as_fit(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, MAX_PINS + 5)
    await fill_pins(room, MAX_PINS - 1)
    done = await asyncio.gather(*(status(alice, room, MAX_PINS + number) for number in range(6)))
    assert sorted(done) == [303, 403, 403, 403, 403, 403]
    assert len(await pinned(room)) == MAX_PINS


async def test_the_same_message_is_pinned_once_by_presses_at_once(alice: Person, room: Room) -> None:
    await fill(room, alice, 1)
    assert set(await asyncio.gather(*(status(alice, room) for _ in range(4)))) == {303}
    assert await pinned(room) == [(1, "alice")]


# Who may.


async def test_only_the_owner_and_administrators_pin_in_a_room(
    alice: Person, bob: Person, charlie: Person, admin: Person, room: Room
) -> None:
    await fill(room, bob, 2)
    await pin(alice, room)
    for one in (bob, charlie):
        for act in ("pin", "unpin"):
            refused = await pin(one, room, 2 if act == "pin" else 1, act)
            assert refused.status_code == 403
            assert "Only owners and moderators of the room can pin messages." in words(refused)
        assert "Pin" not in words(Page(await one.get(f"{room.path}/messages/2/edit")).one("main"))
        assert "Unpin" not in words(await one.get(f"{room.path}/pins"))
    assert await status(admin, room, 2) == 303
    assert await pinned(room) == [(1, "alice"), (2, "ada")]
    entry = words(await admin.get("/moderation/log"))
    assert "pinned a message by Bob" in entry
    assert await status(admin, room, 2, "unpin") == 303
    assert "unpinned a message by Bob" in words(await admin.get("/moderation/log"))


async def test_a_right_that_ends_meanwhile_is_checked_again_under_the_lock(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, bob, 1)
    seat = await access.by_key(who(alice).as_viewer(session_id=0), room.key)
    await change(alice, room, "hand_over", who=who(bob).code)
    with pytest.raises(Forbidden):
        await pins.pin(seat, 1)
    assert await pinned(room) == []


async def test_both_pin_in_their_chat_and_nobody_else_finds_it(alice: Person, bob: Person, charlie: Person) -> None:
    chat = await chat_of_two(alice, bob)
    assert await status(bob, chat) == 303
    assert card(await alice.get(chat.path)) == "1 pinned Alice between us"
    assert await status(alice, chat, act="unpin") == 303
    for address in (f"{chat.path}/messages/1/pin", f"{chat.path}/messages/1/unpin"):
        assert (await charlie.post(address)).status_code == 404
    assert (await charlie.get(f"{chat.path}/pins")).status_code == 404
    assert await pinned(chat) == []


async def test_who_is_blocked_pins_nothing_in_the_chat(alice: Person, bob: Person) -> None:
    chat = await chat_of_two(alice, bob)
    await alice.post(f"/people/{who(bob).code}/block")
    for one in (alice, bob):
        assert await status(one, chat) == 403
    assert await pinned(chat) == []


async def test_nothing_is_pinned_that_is_not_there(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await bob.post(f"{room.path}/messages/1/remove")
    for number in (0, 1, 2, 10**17):
        assert await status(alice, room, number) == 404
    assert (await alice.get("/rooms/nowhere/pins")).status_code == 404
    await kick(alice, room, bob)
    assert (await bob.get(f"{room.path}/pins")).status_code == 403


# What goes.


async def test_a_removed_message_is_pinned_no_more(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 2)
    for number in (1, 2):
        await pin(alice, room, number)
    await bob.post(f"{room.path}/messages/2/remove")
    assert card(await alice.get(room.path)) == "1 pinned Bob line 1"
    assert await listed(alice, room) == ["line 1"]
    assert await pinned(room) == [(1, "alice")]


async def test_what_a_process_of_the_version_before_removes_is_shown_no_more(
    alice: Person, bob: Person, room: Room
) -> None:
    await fill(room, bob, 1)
    await pin(alice, room)
    await sql.execute("UPDATE message SET removed_at = created_at, html = '' WHERE room_id = ? RETURNING id", room.id)
    assert card(await alice.get(room.path)) == ""
    assert await listed(alice, room) == []


async def test_a_pin_stays_when_the_account_that_pinned_is_deleted(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    await pin(alice, room)
    await who(alice).delete()
    assert await pinned(room) == [(1, None)]
    assert "Pinned by Deleted account on" in words(await bob.get(f"{room.path}/pins"))


async def test_the_words_of_whom_one_has_blocked_are_hidden(
    alice: Person, bob: Person, charlie: Person, room: Room
) -> None:
    await fill(room, bob, 1)
    await pin(alice, room)
    await charlie.post(f"/people/{who(bob).code}/block")
    assert await listed(charlie, room) == []
    assert "Message of somebody you blocked." in words(await charlie.get(f"{room.path}/pins"))
    # In the room, which has the same bytes for everybody, their own styles hide them.
    author = Page(await charlie.get(room.path)).one("#pins .said").attributes["data-author"]
    assert f'.room--details) .said[data-author="{author}"]' in (await charlie.get("/me.css")).text


# On open pages.


async def open_page(room: Room, one: Person, framing: str = "sse") -> Reader:
    """Open a page of the room that shows its pins."""
    page = reader(
        room.id, (await now(room)).version, framing, states={"pins"}, user=who(one).id, session=one.session.id
    )
    hub().join(page)
    return page


@pytest.mark.parametrize("framing", ["sse", "html"])
async def test_open_pages_are_sent_what_is_pinned_and_what_becomes_of_it(
    alice: Person, bob: Person, room: Room, framing: str
) -> None:
    await fill(room, bob, 1)
    page = await open_page(room, bob, framing)
    await until_sent(page, "#pins" if framing == "sse" else "live-state--pins")
    await pin(alice, room)
    assert "line 1" in await until_sent(page, "1 pinned")
    await bob.post(f"{room.path}/messages/1/edit", {"body": "better"})
    await until_sent(page, "</b> better")
    await pin(alice, room, act="unpin")
    empty = '<hx-partial hx-target="#pins" hx-swap="innerHTML"></hx-partial>'
    await until_sent(page, empty if framing == "sse" else '<li class="live-state live-state--pins" hidden></li>')
    await pin(alice, room)
    await until_sent(page, "1 pinned")
    await bob.post(f"{room.path}/messages/1/remove")
    await until_sent(page, empty if framing == "sse" else '<li class="live-state live-state--pins" hidden></li>')
    hub().leave(page)


async def test_two_readers_of_one_language_are_sent_the_same_bytes(alice: Person, bob: Person, room: Room) -> None:
    await fill(room, bob, 1)
    pages = [await open_page(room, one) for one in (alice, bob)]
    await pin(alice, room)
    assert len({await until_sent(page, "1 pinned") for page in pages}) == 1
    for page in pages:
        hub().leave(page)


async def test_everybody_in_a_group_pins_and_nobody_who_has_just_left(alice: Person, bob: Person) -> None:
    group = await Room.create(key="~group", kind="group", name="", member_count=2)
    for one in (alice, bob):
        await Membership.create(room=group, user=who(one))
    await alice.say(group, "Saturday at ten")
    assert await status(bob, group) == 303
    assert await pinned(group) == [(1, "bob")]
    seat = await access.by_key(who(bob).as_viewer(0), group.key)
    assert (await bob.post(f"{group.path}/leave")).status_code == 303
    with pytest.raises(NotFound):
        await pins.unpin(seat, 1)
    assert await status(alice, group, act="unpin") == 303
    assert await pinned(group) == []
